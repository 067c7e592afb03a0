/* server/config_check.c: values that can be read and that nothing could be run with. */
#include "tests/config_rig.h"

static void outside_addresses_need_one_for_administration(void **state)
{
    (void)state;
    assert_refused(ARGUMENTS("--listen=0.0.0.0:80"), VARIABLES(), "give admin_listen");
    assert_refused(ARGUMENTS("--listen=[::]:80"), VARIABLES(), "give admin_listen");
    assert_read(ARGUMENTS("--listen=0.0.0.0:80", "--admin-listen=127.0.0.1:81"), VARIABLES());
    assert_read(ARGUMENTS("--listen=127.9.9.9:80"), VARIABLES());
    assert_read(ARGUMENTS("--listen=[::1]:80"), VARIABLES());
    assert_refused(ARGUMENTS("--listen=127.0.0.1:80", "--admin-listen=127.0.0.1:80"), VARIABLES(),
                   "admin_listen: must differ from listen");
    assert_read(ARGUMENTS("--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"), VARIABLES());
}

static void a_demo_is_for_loopback_only(void **state)
{
    (void)state;
    assert_refused(ARGUMENTS("--demo", "--listen=0.0.0.0:80", "--admin-listen=127.0.0.1:81"),
                   VARIABLES(), "demo: is for loopback");
    assert_refused(ARGUMENTS("--demo", "--admin-listen=0.0.0.0:81"), VARIABLES(),
                   "demo: is for loopback");
    assert_read(ARGUMENTS("--demo"), VARIABLES());
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const bad[] = {
        "",           "8080",      ":8080",         "localhost.:8080", "127.0.0.1",
        "127.0.0.1:", "1.2.3.4:x", "1.2.3.4:65536", "::1:8080",        "[::1]",
        "[::1]8080",  "[::1:8080", "[1.2.3.4]:1",   "1.2.3.4:-1",      "1.2.3.4:123456",
        "256.0.0.1:1"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct config_address address;
        if (config_address(bad[i], &address))
            fail_msg("taken: %s", bad[i]);
    }
    assert_refused(ARGUMENTS("--listen=8080"), VARIABLES(), "listen: '8080' is no address");
    assert_refused(ARGUMENTS("--listen=box.example:80"), VARIABLES(), "give an address");
    assert_refused(ARGUMENTS("--admin-listen=box:80"), VARIABLES(), "give an address");
}

static void localhost_is_a_loopback_address(void **state)
{
    struct config_address address;

    (void)state;
    assert_true(config_address("localhost:8080", &address));
    assert_string_equal(address.host, "127.0.0.1");
    assert_int_equal(address.port, 8080);
    assert_true(address.loopback && !address.ipv6);
    assert_read(ARGUMENTS("--listen=localhost:80", "--admin-listen=localhost:81", "--demo"),
                VARIABLES());
    assert_refused(ARGUMENTS("--listen=localhost:80", "--admin-listen=127.0.0.1:80"), VARIABLES(),
                   "admin_listen: must differ from listen");
}

static void an_address_is_split_into_host_and_port(void **state)
{
    struct config_address address;

    (void)state;
    assert_true(config_address("[::1]:65535", &address));
    assert_string_equal(address.host, "::1");
    assert_int_equal(address.port, 65535);
    assert_true(address.ipv6 && address.loopback);
    assert_true(config_address("10.0.0.1:0", &address));
    assert_false(address.ipv6 || address.loopback);
}

static void names_and_urls_are_checked(void **state)
{
    (void)state;
    assert_refused(ARGUMENTS("--node=a b"), VARIABLES(), "node: 'a b' is no name");
    assert_refused(ARGUMENTS("--node=a{b}"), VARIABLES(), "node: ");
    assert_refused(ARGUMENTS("--redis-prefix=h{l"), VARIABLES(), "redis_prefix: ");
    assert_refused(ARGUMENTS("--log-level=loud"), VARIABLES(), "log_level: 'loud' is none of");
    assert_refused(ARGUMENTS("--redis=http://:pass@h"), VARIABLES(), "redis: must begin with");
    assert_null(strstr(talk, "pass"));
    assert_refused(ARGUMENTS("--redis=rediss://h"), VARIABLES(), "redis: TLS is not spoken");
    assert_refused(ARGUMENTS("--public-url=example.com"), VARIABLES(), "public_url: ");
    assert_refused(ARGUMENTS("--data="), VARIABLES(), "data: give a folder");
    assert_refused(ARGUMENTS("--reserve-bytes=64GiB"), VARIABLES(), "reserve_bytes: must be less");
    assert_read(ARGUMENTS("--redis=unix:///run/redis.sock"), VARIABLES());
}

/* What the link would not open is said before anything is made, without its password. */
static void a_url_of_redis_that_cannot_be_opened_is_refused(void **state)
{
    char flag[160];

    (void)state;
    snprintf(flag, sizeof flag, "--redis=unix:///%0106d", 0); /* a path of 107 bytes */
    assert_read(ARGUMENTS(flag), VARIABLES());
    snprintf(flag, sizeof flag, "--redis=unix:///%0107d", 0);
    assert_refused(ARGUMENTS(flag), VARIABLES(), "the path of at most 107 bytes");
    assert_refused(ARGUMENTS("--redis=redis://h:port"), VARIABLES(), "redis: cannot be understood");
    assert_refused(ARGUMENTS("--redis=redis://"), VARIABLES(), "redis: cannot be understood");
    assert_refused(ARGUMENTS("--redis=unix://run/s"), VARIABLES(), "redis: cannot be understood");
    assert_refused(ARGUMENTS("--redis=redis://:hunter%zz@h"), VARIABLES(), "redis: cannot be");
    assert_null(strstr(talk, "hunter"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_url_of_redis_that_cannot_be_opened_is_refused),
        TEST(outside_addresses_need_one_for_administration),
        TEST(a_demo_is_for_loopback_only),
        TEST(what_is_no_address_is_refused),
        TEST(localhost_is_a_loopback_address),
        TEST(an_address_is_split_into_host_and_port),
        TEST(names_and_urls_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
