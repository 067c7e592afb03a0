/* What is typed behind `hotlead-bench run`. */
#include "bench/run_command_internal.h"
#include "tests/unit.h"

static void assert_duration(const char *text, double wanted)
{
    double seconds = -1;

    if (!read_duration(text, &seconds))
        fail_msg("'%s' is no duration", text);
    assert_float_equal(seconds, wanted, 1e-9);
}

static void durations_have_units(void **state)
{
    (void)state;
    double seconds;

    assert_duration("90", 90);
    assert_duration("10s", 10);
    assert_duration("5m", 300);
    assert_duration("1.5h", 5400);
    assert_duration("500ms", 0.5);
    assert_duration("0", 0);
    for (const char *const *wrong = (const char *const[]){"", "s", "-1", "+1", "10 s", "10sec",
                                                          "inf", "nan", "0x10", "1e999", NULL};
         *wrong; wrong++)
        if (read_duration(*wrong, &seconds))
            fail_msg("'%s' was taken as %g s", *wrong, seconds);
}

static void rates_may_be_thousands(void **state)
{
    (void)state;
    double rate;

    assert_true(read_rate("2.5k", &rate));
    assert_float_equal(rate, 2500, 1e-9);
    assert_true(read_rate("0", &rate));
    assert_false(read_rate("5/s", &rate));
}

static void counts_are_whole_and_bounded(void **state)
{
    (void)state;
    unsigned count;

    assert_true(read_count("16", 1, 16, &count));
    assert_int_equal(count, 16);
    assert_false(read_count("17", 1, 16, &count));
    assert_false(read_count("0", 1, 16, &count));
    assert_false(read_count("1.5", 1, 16, &count));
    assert_false(read_count("3x", 1, 16, &count));
}

static void shares_are_percent_with_and_without_the_sign(void **state)
{
    (void)state;
    double share;

    assert_true(read_share("5", &share));
    assert_float_equal(share, 0.05, 1e-12);
    assert_true(read_share("12.5%", &share));
    assert_float_equal(share, 0.125, 1e-12);
    assert_true(read_share("100", &share));
    assert_false(read_share("101", &share));
    assert_false(read_share("5%%", &share));
}

static void mix_gives_weights_and_leaves_out_the_rest(void **state)
{
    (void)state;
    struct people_options people = {.form = 9};
    const char *why;

    assert_true(read_mix("json=70,multipart=5", &people, &why));
    assert_int_equal(people.json, 70);
    assert_int_equal(people.form, 0);
    assert_int_equal(people.multipart, 5);
}

static void hooks_of_a_mix_are_left_out_with_a_remark(void **state)
{
    (void)state;
    struct people_options people;
    const char *why;

    assert_true(read_mix("json=70,form=25,hook=5", &people, &why));
    assert_int_equal(people.json, 70);
    assert_int_equal(people.form, 25);
    assert_int_equal(people.multipart, 0);
    assert_non_null(strstr(why, "provider hooks are not there yet"));
    assert_true(read_mix("json=1", &people, &why));
    assert_null(why);
}

static void mix_that_cannot_be_is_explained(void **state)
{
    (void)state;
    struct people_options people;
    const char *why;

    assert_false(read_mix("hook=5", &people, &why));
    assert_non_null(strstr(why, "provider hooks are not there yet"));
    assert_false(read_mix("xml=1", &people, &why));
    assert_non_null(strstr(why, "json, form and multipart"));
    assert_false(read_mix("json=many", &people, &why));
    assert_non_null(strstr(why, "whole numbers"));
    assert_false(read_mix("", &people, &why));
    assert_non_null(strstr(why, "over 0"));
}

static void playbook_is_looked_at_before_anything_starts(void **state)
{
    (void)state;
    assert_true(playbook_is_sound(SOURCE_DIR "/bench/calls.yaml"));
    assert_false(playbook_is_sound(SOURCE_DIR "/bench/README.md"));
    assert_false(playbook_is_sound("/no/such/playbook"));
}

static void assert_command(const char *const *words, const char *wanted)
{
    char command[RESULT_TEXT_MAX];
    int count = 0;

    while (words[count])
        count++;
    write_command(count, (char **)words, command, sizeof command);
    assert_string_equal(command, wanted);
}

static void command_is_as_typed(void **state)
{
    (void)state;
    assert_command((const char *const[]){"run", "--threshold", "p99<10ms", "--mix", "json=1", NULL},
                   "hotlead-bench run --threshold 'p99<10ms' --mix json=1");
}

static void secrets_are_masked(void **state)
{
    (void)state;
    assert_command((const char *const[]){"run", "--key", "sk_acme_abc", "--key=sk_acme_abc", NULL},
                   "hotlead-bench run --key sk_*** --key=sk_***");
    assert_command((const char *const[]){"run", "--token", "tok_abc", "--token=tok_abc", NULL},
                   "hotlead-bench run --token *** --token=***");
    assert_command((const char *const[]){"run", "--tok", "tk_abc", "--tok=tk_abc", NULL},
                   "hotlead-bench run --tok tk_*** --tok=tk_***");
    assert_command((const char *const[]){"run", "--redis=redis://me:secret@host:1/2", NULL},
                   "hotlead-bench run --redis=redis://***@host:1/2");
}

static void secret_is_masked_from_its_beginning(void **state)
{
    (void)state;
    assert_command((const char *const[]){"run", "--tok", "tk_absk_c", "--tok=tk_absk_c", NULL},
                   "hotlead-bench run --tok tk_*** --tok=tk_***");
    assert_command((const char *const[]){"run", "--key=sk_acme_atk_b=tk_c", NULL},
                   "hotlead-bench run --key=sk_***");
}

static void words_that_only_hold_the_letters_of_a_secret_are_shown(void **state)
{
    (void)state;
    assert_command((const char *const[]){"run", "--name", "task_7", "--json=disk_a.json", NULL},
                   "hotlead-bench run --name task_7 --json=disk_a.json");
}

static void long_command_ends_in_dots(void **state)
{
    (void)state;
    char command[32];
    const char *words[] = {"run", "--json=a-name-that-is-rather-long"};

    write_command(2, (char **)words, command, sizeof command);
    assert_int_equal(strlen(command), 31);
    assert_string_equal(command + 28, "...");
}

static void urls_are_hosts_and_ports(void **state)
{
    (void)state;
    assert_true(remote_url_is_sound("http://127.0.0.1:8080"));
    assert_true(remote_url_is_sound("http://example.com/"));
    assert_true(remote_url_is_sound("http://[::1]:8080"));
    assert_false(remote_url_is_sound("https://example.com"));
    assert_false(remote_url_is_sound("http://example.com/v1"));
    assert_false(remote_url_is_sound("http://:80"));
    assert_false(remote_url_is_sound("http://host:"));
    assert_false(remote_url_is_sound("http://[::1"));
    assert_false(remote_url_is_sound("example.com:80"));
}

static void agency_is_in_the_key(void **state)
{
    (void)state;
    char agency[TARGET_TEXT_MAX];

    assert_true(remote_agency_of("sk_big-agency_abc_def", agency));
    assert_string_equal(agency, "big-agency");
    assert_false(remote_agency_of("pk_acme_abc", agency));
    assert_false(remote_agency_of("sk_acme", agency));
    assert_false(remote_agency_of("sk__abc", agency));
}

static void running_server_becomes_a_target(void **state)
{
    (void)state;
    struct run_asked asked = {.url = "http://[::1]:8081",
                              .key = "sk_acme_abc",
                              .redis = "unix:///run/redis",
                              .rig = {.shape = "list"}};
    struct target_site site;
    struct target target;

    assert_status(remote_target(&asked, stderr, &site, &target), STATUS_OK);
    assert_string_equal(target.host, "::1");
    assert_int_equal(target.port, 8081);
    assert_string_equal(target.key, "hl:{acme.calls}:tasks");
    assert_int_equal(target.shape, TARGET_LIST);
    assert_string_equal(target.sites[0].secret, "sk_acme_abc");
    assert_string_equal(target.sites[0].open, "");
    asked.queue = "acme.fast";
    assert_status(remote_target(&asked, stderr, &site, &target), STATUS_OK);
    assert_string_equal(target.reports, "hl:{acme.fast}:reports:n1");
}

static void append_only_file_is_every_second_or_off(void **state)
{
    enum rig_aof aof;

    (void)state;
    assert_true(read_aof("off", &aof));
    assert_int_equal(aof, RIG_AOF_OFF);
    assert_true(read_aof("everysec", &aof));
    assert_int_equal(aof, RIG_AOF_EVERYSEC);
    assert_false(read_aof("always", &aof));
}

static const char *fault(const char *json, const char *html, const char *hdr)
{
    const char *found = files_fault((const char *const[]){json, html, hdr});

    return found ? found : "none";
}

static void files_of_a_result_are_looked_at_before_there_is_one(void **state)
{
    (void)state;
    assert_string_equal(fault(NULL, "/tmp/a.html", "/dev/null"), "none");
    assert_string_equal(fault("/tmp", NULL, NULL), "/tmp is a folder: name a file in it");
    assert_non_null(strstr(fault(NULL, "/no/such/x", NULL), "/no/such/x cannot be written"));
    assert_non_null(strstr(fault(NULL, NULL, "-"), "stdout is the summary's"));
    assert_non_null(strstr(fault("/tmp/x", NULL, "/tmp/x"), "a file each"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(rates_may_be_thousands),
        cmocka_unit_test(counts_are_whole_and_bounded),
        cmocka_unit_test(append_only_file_is_every_second_or_off),
        cmocka_unit_test(files_of_a_result_are_looked_at_before_there_is_one),
        cmocka_unit_test(shares_are_percent_with_and_without_the_sign),
        cmocka_unit_test(mix_gives_weights_and_leaves_out_the_rest),
        cmocka_unit_test(hooks_of_a_mix_are_left_out_with_a_remark),
        cmocka_unit_test(mix_that_cannot_be_is_explained),
        cmocka_unit_test(playbook_is_looked_at_before_anything_starts),
        cmocka_unit_test(command_is_as_typed),
        cmocka_unit_test(secrets_are_masked),
        cmocka_unit_test(secret_is_masked_from_its_beginning),
        cmocka_unit_test(words_that_only_hold_the_letters_of_a_secret_are_shown),
        cmocka_unit_test(long_command_ends_in_dots),
        cmocka_unit_test(urls_are_hosts_and_ports),
        cmocka_unit_test(agency_is_in_the_key),
        cmocka_unit_test(running_server_becomes_a_target),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
