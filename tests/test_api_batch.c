/* Batches over HTTP: what is told of each item, and who may send them. */
#include "tests/api_optins.h"

static void a_batch_counts_what_became_of_each(void **state)
{
    (void)state;
    assert_answer(ask_as(sk, "POST /v1/optins/batch",
                         "[{\"phone\":\"+14155552671\"},{\"message\":\"x\"},"
                         "{\"phone\":\"+14155552671\"},{\"email\":7},"
                         "{\"email\":\"a@example.com\"}]"),
                  200);
    assert_body_has("{\"accepted\":");
    assert_body_has("\"duplicates\":1");
    assert_body_has("{\"index\":1,\"code\":\"no_identifier\"");
    assert_answer(ask_as(sk, "POST /v1/optins/batch",
                         "{\"email\":\"b@example.com\"}\n"
                         "{\"email\":\"c@example.com\"}\n"),
                  200);
    assert_string_equal(rig.body, "{\"accepted\":2,\"duplicates\":0,\"failed\":[]}");
}

static void a_batch_says_of_each_item_what_is_wrong_with_it(void **state)
{
    (void)state;
    assert_answer(
        ask_as(sk, "POST /v1/optins/batch",
               "[{\"phone\":{}},7,{\"submitted_at\":\"soon\",\"email\":\"a@example.com\"}]"),
        200);
    assert_body_has("{\"accepted\":1,");
    assert_body_has("{\"index\":0,\"code\":\"no_identifier\",");
    assert_body_has("{\"index\":1,\"code\":\"malformed\",\"detail\":\"this item is no JSON object");
}

/* What the engine is told of an opt-in that was said so long ago. */
static unsigned said_before_min(const char *line, int64_t ms_ago)
{
    unsigned long long at_ms = clock_now_ms(rig.clock) - (uint64_t)ms_ago;
    bool batch = strstr(line, "batch") != NULL;
    char body[128];

    snprintf(body, sizeof(body), "%s{\"email\":\"%llu@example.com\",\"submitted_at\":%llu}%s",
             batch ? "[" : "", at_ms, at_ms, batch ? "]" : "");
    if (strstr(line, "key="))
        assert_answer(post_public("Content-Type: application/json\n", body), 201);
    else
        assert_answer(ask_as(sk, line, body), batch ? 200 : 201);
    return rig.last.optin.said_before_min;
}

static void a_secret_key_is_believed_when_it_was_said(void **state)
{
    (void)state;
    assert_int_equal(said_before_min("POST /v1/optins", -60000), 0);
    assert_int_equal(said_before_min("POST /v1/optins", 3590000), 60);
    assert_int_equal(said_before_min("POST /v1/optins/batch", 7190000), 120);
    assert_int_equal(said_before_min("POST /v1/optins", 100ll * 86400000), UINT16_MAX);
    assert_int_equal(said_before_min("POST /v1/optins?key=", 3590000), 0);
}

static void a_batch_is_for_the_secret_key(void **state)
{
    (void)state;
    assert_answer(ask("POST /v1/optins/batch", "", "[]"), 401);
    assert_answer(ask_as(rig.token, "POST /v1/optins/batch", "[]"), 403);
    assert_answer(ask_as(sk, "POST /v1/optins/batch", "{"), 200);
    assert_body_has("malformed");
    assert_answer(ask_as(sk, "POST /v1/optins/batch", ""), 400);
    assert_answer(ask_as(sk, "POST /v1/optins/batch", "[]"), 200);
    assert_string_equal(rig.body, "{\"accepted\":0,\"duplicates\":0,\"failed\":[]}");
}

static void one_key_covers_a_whole_batch(void **state)
{
    char headers[256];

    (void)state;
    snprintf(headers, sizeof(headers), "Authorization: Bearer %s\nIdempotency-Key: b1\n", sk);
    for (int i = 0; i < 2; i++) {
        assert_answer(ask("POST /v1/optins/batch", headers,
                          "[{\"phone\":\"+14155552671\"},{\"phone\":\"+14155552672\"}]"),
                      200);
        assert_body_has(i == 0 ? "\"accepted\":2" : "\"duplicates\":2");
        rig.world.now_ms += 3600000;
    }
}

static void a_batch_that_does_not_fit_says_which_failed(void **state)
{
    (void)state;
    rig.submit_status = STATUS_BUSY;
    assert_answer(ask_as(sk, "POST /v1/optins/batch", "[{\"phone\":\"+14155552671\"}]"), 503);
    assert_answer(ask_as(sk, "POST /v1/optins/batch", "[{\"phone\":\"+14155552671\"},{}]"), 200);
    assert_body_has("{\"index\":0,\"code\":\"busy\"");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_batch_counts_what_became_of_each),
        TEST(a_batch_says_of_each_item_what_is_wrong_with_it),
        TEST(a_secret_key_is_believed_when_it_was_said),
        TEST(a_batch_is_for_the_secret_key),
        TEST(one_key_covers_a_whole_batch),
        TEST(a_batch_that_does_not_fit_says_which_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
