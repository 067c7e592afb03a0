/* Tasks over HTTP: shown, reported on, claimed. */
#include "tests/api_stored.h"

/* --- tasks ---------------------------------------------------------------------------- */

static void a_task_is_shown_from_queue_to_end(void **state)
{
    char wanted[256];

    (void)state;
    assert_answer(get(agent, "tasks", task, ""), 200);
    snprintf(wanted, sizeof(wanted), "{\"id\":\"%s\",\"person\":\"%s\",\"optin\":\"%s\"", task,
             person, optin);
    assert_body_has(wanted);
    assert_body_has("\"queue\":\"acme.calls\",\"channel\":\"call\",\"kind\":\"first_response\"");
    assert_body_has("\"state\":\"queued\",\"delivery\":1,\"attempt\":1,\"breached\":false");
    assert_body_has("\"lease_until_ms\":null,\"agent\":null,\"outcome\":null");

    uint64_t number, at_ms;
    assert_true(id_parse(slice_of(task), writer_id_key(NULL), ID_TASK, &at_ms, &number));
    assert_status(world_report(&rig.world, number, 1, REPORT_CLAIM, 0, "a42"), STATUS_OK);
    assert_answer(get(agent, "tasks", task, ""), 200);
    assert_body_has("\"state\":\"claimed\"");
    assert_body_has("\"lease_until_ms\":1700001800000,\"agent\":\"a42\"");

    rig.world.now_ms += 1000;
    assert_answer(report(agent, "outcome",
                         "{\"delivery\":1,\"outcome\":\"no_answer\",\"note\":\"rang \\\"9\\\"\"}"),
                  200);
    snprintf(wanted, sizeof(wanted), "{\"status\":\"ended\",\"task\":\"%s\",\"delivery\":1}", task);
    assert_string_equal(rig.body, wanted);
    assert_answer(get(sk, "tasks", task, ""), 200);
    assert_body_has("\"state\":\"ended\"");
    assert_body_has("\"agent\":\"a42\",\"outcome\":\"no_answer\",\"ended_ms\":1700000001000");

    assert_answer(report(manager, "amend", "{\"delivery\":1,\"outcome\":\"busy\"}"), 200);
    assert_answer(get(sk, "tasks", task, ""), 200);
    assert_body_has("\"outcome\":\"busy\",\"ended_ms\":1700000001000");
}

static void a_breach_is_remembered_after_the_end(void **state)
{
    (void)state;
    world_pass(&rig.world, 300001);
    assert_int_equal(rig.world.made[RECORD_BREACH], 1);
    assert_answer(get(sk, "tasks", task, ""), 200);
    assert_body_has("\"breached\":true");
    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"no_answer\"}"), 200);
    assert_answer(get(sk, "tasks", task, ""), 200);
    assert_body_has("\"state\":\"ended\"");
    assert_body_has("\"breached\":true");
}

static void the_first_outcome_counts(void **state)
{
    (void)state;
    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"no_answer\"}"), 200);
    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"sold\"}"), 409);
    assert_answer(report(agent, "release", "{\"delivery\":1}"), 409);
    assert_answer(report(agent, "extend", "{\"delivery\":1}"), 409);
    assert_int_equal(stats_count(rig.stats, STATS_REPORTS_APPLIED), 1);
    assert_int_equal(stats_count(rig.stats, STATS_REPORTS_LATE), 1);
    assert_int_equal(stats_count(rig.stats, STATS_REPORTS_REFUSED), 2);
}

static void a_dialers_unknown_word_is_answered_with_a_flag(void **state)
{
    (void)state;
    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"a word\"}"), 422);
    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"maybe\"}"), 200);
    assert_body_has("\"outcome\":\"no_answer\",\"unknown_word\":true}");
    assert_int_equal(stats_count(rig.stats, STATS_REPORT_WORDS_UNKNOWN), 1);
    assert_answer(report(agent, "amend", "{\"delivery\":1,\"outcome\":\"perhaps\"}"), 422);
    assert_body_has("aliases");
    assert_int_equal(stats_count(rig.stats, STATS_REPORT_WORDS_UNKNOWN), 1);
}

static void a_release_puts_it_back_with_the_next_delivery(void **state)
{
    (void)state;
    assert_answer(report(agent, "release", "{\"delivery\":1}"), 200);
    assert_body_has("{\"status\":\"queued\"");
    assert_body_has("\"delivery\":2");
    assert_answer(report(agent, "release", "{\"delivery\":1}"), 409);
}

static void what_a_report_lacks_is_named(void **state)
{
    (void)state;
    assert_answer(report(agent, "outcome", "{\"delivery\":1}"), 422);
    assert_body_has("the value of outcome cannot be used");
    assert_answer(report(agent, "outcome", "{\"outcome\":\"sold\"}"), 422);
    assert_body_has("the value of delivery cannot be used");
    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"dead\"}"), 422);
    assert_body_has("too_few_attempts");
    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"sold\",\"agent\":\"\"}"),
                  422);
    assert_body_has("the value of agent cannot be used");
    assert_answer(report(agent, "outcome", "[]"), 400);
    assert_answer(report(agent, "nonsense", "{}"), 404);
}

static void a_sale_says_what_an_amount_is(void **state)
{
    static const char *const values[] = {"\"1,200\"", "\"$5\"", "\"abc\"", "\"1e3\"",
                                         "-5",        "1.005",  "1e15"};
    char body[128];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        snprintf(body, sizeof(body), "{\"delivery\":1,\"outcome\":\"sold\",\"value\":%s}",
                 values[i]);
        assert_answer(report(agent, "outcome", body), 422);
        assert_body_has("the value of a sale is an amount: 1200 or 1200.50");
    }
    assert_answer(
        report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"SALE\",\"value\":\"5 EUR\"}"), 422);
    assert_body_has("the value of a sale");
    assert_answer(
        report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"no_answer\",\"value\":\"\"}"), 200);
    assert_answer(
        report(manager, "amend", "{\"delivery\":1,\"outcome\":\"sold\",\"value\":\"$5\"}"), 422);
    assert_body_has("the value of a sale");
    assert_answer(
        report(manager, "amend", "{\"delivery\":1,\"outcome\":\"sold\",\"value\":1200.5}"), 200);
    assert_answer(get(sk, "people", person, ""), 200);
    assert_body_has("\"sold\":{\"cents\":120050,\"attempt\":1}");
}

static void an_unknown_channel_is_told_what_there_is(void **state)
{
    (void)state;
    assert_answer(
        report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"busy\",\"channel\":\"zzz\"}"), 422);
    assert_body_has("the value of channel cannot be used: give call, email, sms, voicemail, fax, "
                    "postcard, letter, visit or research");
    assert_answer(
        report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"busy\",\"channel\":\"sms\"}"), 200);
}

static void a_call_is_agreed_for_five_years_ahead_at_most(void **state)
{
    const uint64_t farthest_ms = clock_now_ms(rig.clock) + REPORT_AGREED_WITHIN_MS;
    const uint64_t minute_ms = 60000; /* the clock goes on */
    char body[128];

    (void)state;
    snprintf(body, sizeof(body), "{\"delivery\":1,\"outcome\":\"not_now\",\"call_at_ms\":%llu}",
             (unsigned long long)(farthest_ms + minute_ms));
    assert_answer(report(agent, "outcome", body), 422);
    assert_body_has("the value of call_at_ms cannot be used");
    snprintf(body, sizeof(body), "{\"delivery\":1,\"outcome\":\"not_now\",\"call_at_ms\":%llu}",
             (unsigned long long)(farthest_ms - minute_ms));
    assert_answer(report(agent, "outcome", body), 200);
}

static void a_time_from_before_the_task_is_refused(void **state)
{
    char body[128];

    (void)state;
    snprintf(body, sizeof(body), "{\"delivery\":1,\"outcome\":\"not_now\",\"call_at_ms\":%llu}",
             (unsigned long long)(clock_now_ms(rig.clock) / 1000)); /* in seconds */
    assert_answer(report(agent, "outcome", body), 422);
    assert_body_has("the value of call_at_ms cannot be used");
}

static void nothing_ends_before_it_starts(void **state)
{
    (void)state;
    assert_answer(report(agent, "outcome",
                         "{\"delivery\":1,\"outcome\":\"busy\",\"started_ms\":1700000002000,"
                         "\"ended_ms\":1700000001999}"),
                  422);
    assert_body_has("the value of ended_ms cannot be used");
    assert_answer(report(agent, "outcome",
                         "{\"delivery\":1,\"outcome\":\"busy\",\"started_ms\":1700000002000,"
                         "\"ended_ms\":1700000002000}"),
                  200);
}

static void an_agents_token_speaks_for_that_agent(void **state)
{
    (void)state;
    assert_answer(
        report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"sold\",\"agent\":\"b1\"}"), 403);
    assert_answer(report(agent, "outcome", "{\"delivery\":1,\"outcome\":\"sold\"}"), 200);
    assert_true(rig.last.report.agent == agent_hash(writer_hash_key(NULL), SLICE("a42")));
    assert_false(rig.last.report.manager);
}

/* --- claims ------------------------------------------------------------------------------ */

static int start_claim(const char *key, const char *body)
{
    char headers[256];

    snprintf(headers, sizeof(headers), "Authorization: Bearer %s\n", key);
    send_request("POST /v1/tasks/claim", headers, body);
    return rig.status;
}

static void a_claim_is_answered_with_the_task(void **state)
{
    (void)state;
    assert_int_equal(start_claim(agent, "{\"queue\":\"acme.calls\",\"wait_s\":30}"), 0);
    assert_string_equal(rig.claim_agent, "a42");
    assert_int_equal(rig.claim_wait_ms, 30000);
    api_on_claimed(rig.api, rig.claim_ticket, STATUS_OK, SLICE("{\"v\":1}"));
    assert_int_equal(rig.status, 200);
    assert_string_equal(rig.body, "{\"v\":1}");
    api_on_claimed(rig.api, rig.claim_ticket, STATUS_OK, SLICE("{\"v\":1}")); /* twice: nothing */
    assert_int_equal(rig.replies, 1);
}

static void no_task_in_time_is_204_and_no_redis_503(void **state)
{
    (void)state;
    start_claim(agent, "{\"queue\":\"acme.calls\"}");
    api_on_claimed(rig.api, rig.claim_ticket, STATUS_OK, (struct slice){0});
    assert_int_equal(rig.status, 204);
    start_claim(agent, "{\"queue\":\"acme.calls\"}");
    api_on_claimed(rig.api, rig.claim_ticket, STATUS_REDIS_AWAY, (struct slice){0});
    assert_int_equal(rig.status, 503);
    assert_body_has("redis_away");
}

/* As the claim script on Redis gives it out. */
static void give_out(const char *id)
{
    char member[128];

    snprintf(member, sizeof(member), "{\"id\":\"%s\",\"delivery\":1}", id);
    api_on_claimed(rig.api, rig.claim_ticket, STATUS_OK, slice_of(member));
    settle();
}

/* After a restore numbers are given a second time, and members of the life before are in Redis. */
static void a_claim_of_another_histories_task_claims_none_of_ours(void **state)
{
    char stray[ID_TEXT_LENGTH + 1] = "", ours[64];
    uint64_t at_ms, number;

    (void)state;
    assert_answer(ask_as(sk, "POST /v1/optins", "{\"phone\":\"+14155552673\"}"), 201);
    told("task", ours, sizeof(ours));
    assert_true(id_parse(slice_of(ours), writer_id_key(NULL), ID_TASK, &at_ms, &number));
    id_format(stray, writer_id_key(NULL), ID_TASK, at_ms - 1, number);

    start_claim(agent, "{\"queue\":\"acme.calls\"}");
    give_out(stray);
    assert_int_equal(rig.status, 200);
    assert_body_has(stray);
    start_claim(free_agent, "{\"queue\":\"acme.calls\",\"agent\":\"b\"}");
    give_out(ours);
    assert_int_equal(rig.replies, 1);
    assert_int_equal(rig.status, 200);
    assert_body_has(ours);
}

static void a_task_that_is_claimed_already_is_not_handed_out_but_the_next_one(void **state)
{
    char second[64];

    (void)state;
    assert_answer(ask_as(sk, "POST /v1/optins", "{\"phone\":\"+14155552672\"}"), 201);
    told("task", second, sizeof(second));
    start_claim(free_agent, "{\"queue\":\"acme.calls\",\"agent\":\"b\"}");
    give_out(task);
    assert_int_equal(rig.status, 200);

    start_claim(agent, "{\"queue\":\"acme.calls\",\"wait_s\":30}");
    assert_int_equal(rig.claims, 2);
    give_out(task); /* by a Redis that forgot that it was popped */
    assert_int_equal(rig.replies, 0);
    assert_int_equal(rig.claims, 3);
    give_out(second);
    assert_int_equal(rig.replies, 1);
    assert_int_equal(rig.status, 200);
    assert_body_has(second);
}

static void a_claim_names_queue_and_agent(void **state)
{
    (void)state;
    assert_int_equal(start_claim(agent, "{}"), 422);
    assert_int_equal(start_claim(agent, "{\"queue\":\"acme.none\"}"), 404);
    assert_int_equal(start_claim(agent, "{\"queue\":\"acme.calls\",\"agent\":\"b\"}"), 403);
    assert_int_equal(start_claim(agent, "{\"queue\":\"acme.calls\",\"wait_s\":61}"), 422);
    assert_int_equal(start_claim(free_agent, "{\"queue\":\"acme.calls\"}"), 422);
    assert_int_equal(start_claim(agent, "{\"queue\":\"acme.calls\",\"agent\":\"\"}"), 422);
    static const char *const bad[] = {"\"a\\nb\"", "\"a\\u0000b\"", "\"\\u007f\"",
                                      "18446744073709551616"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        char body[96];
        snprintf(body, sizeof(body), "{\"queue\":\"acme.calls\",\"agent\":%s}", bad[i]);
        assert_int_equal(start_claim(free_agent, body), 422);
        assert_body_has("the value of agent cannot be used");
    }
    assert_int_equal(start_claim(sk, "{\"queue\":\"acme.calls\",\"agent\":\"b\"}"), 403);
    assert_int_equal(rig.claims, 0);
    assert_int_equal(start_claim(free_agent, "{\"queue\":\"acme.calls\",\"agent\":\"b\"}"), 0);
    assert_string_equal(rig.claim_agent, "b");
    api_on_claimed(rig.api, rig.claim_ticket, STATUS_OK, (struct slice){0});
}

static void a_claimer_that_hangs_up_claims_no_longer(void **state)
{
    (void)state;
    start_claim(agent, "{\"queue\":\"acme.calls\",\"wait_s\":60}");
    rig.said_all = true;
    while (rig.unclaims == 0)
        uv_run(&rig.loop, UV_RUN_ONCE);
    assert_int_equal(rig.unclaims, 1);
    assert_int_equal(uv_run(&rig.loop, UV_RUN_NOWAIT), 0); /* nothing is looked at any more */
    assert_int_equal(rig.replies, 1);                      /* or its connection would stay */
    assert_int_equal(rig.status, 204);
    rig.said_all = false;
}

static void a_task_for_one_who_hung_up_goes_back_at_once(void **state)
{
    char member[256];

    (void)state;
    start_claim(agent, "{\"queue\":\"acme.calls\",\"wait_s\":60}");
    rig.said_all = true;
    snprintf(member, sizeof(member), "{\"v\":1,\"id\":\"%s\",\"delivery\":1}", task);
    api_on_claimed(rig.api, rig.claim_ticket, STATUS_OK, slice_of(member));
    settle();
    assert_int_equal(rig.replies, 1);
    assert_int_equal(rig.status, 204);
    rig.said_all = false;
    assert_answer(get(sk, "tasks", task, ""), 200);
    assert_body_has("\"state\":\"queued\",\"delivery\":2");
}

static void a_drain_ends_what_waits_for_a_task(void **state)
{
    (void)state;
    start_claim(agent, "{\"queue\":\"acme.calls\",\"wait_s\":60}");
    api_drain(rig.api);
    assert_int_equal(rig.status, 204);
    assert_int_equal(rig.unclaims, 1);
    assert_int_equal(start_claim(agent, "{\"queue\":\"acme.calls\",\"wait_s\":60}"), 503);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_task_is_shown_from_queue_to_end),
        TEST(a_breach_is_remembered_after_the_end),
        TEST(the_first_outcome_counts),
        TEST(a_dialers_unknown_word_is_answered_with_a_flag),
        TEST(a_release_puts_it_back_with_the_next_delivery),
        TEST(what_a_report_lacks_is_named),
        TEST(a_sale_says_what_an_amount_is),
        TEST(a_time_from_before_the_task_is_refused),
        TEST(an_unknown_channel_is_told_what_there_is),
        TEST(a_call_is_agreed_for_five_years_ahead_at_most),
        TEST(nothing_ends_before_it_starts),
        TEST(an_agents_token_speaks_for_that_agent),
        TEST(a_claim_is_answered_with_the_task),
        TEST(no_task_in_time_is_204_and_no_redis_503),
        TEST(a_claim_of_another_histories_task_claims_none_of_ours),
        TEST(a_task_that_is_claimed_already_is_not_handed_out_but_the_next_one),
        TEST(a_claim_names_queue_and_agent),
        TEST(a_claimer_that_hangs_up_claims_no_longer),
        TEST(a_task_for_one_who_hung_up_goes_back_at_once),
        TEST(a_drain_ends_what_waits_for_a_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
