/* Claims over HTTP, as far as they are publish's. */
#include "tests/outlet.h"

static bool is_claimed(void *owner)
{
    return outlet->claimed_count >= *(unsigned *)owner;
}

static void await_claims(unsigned count)
{
    assert_true(outlet_until(is_claimed, &count, 3000));
}

static void launch(void)
{
    outlet_meet();
}

/* The fields of the newest report, or "". */
static const char *newest_report(void)
{
    static char result[512];
    redisReply *reply =
        server_do(&outlet->server, "XREVRANGE hl:{acme.calls}:reports:n1 + - COUNT 1");

    result[0] = '\0';
    for (size_t i = 2; reply->elements > 0 && i < reply->element[0]->element[1]->elements; i++) {
        strcat(result, i > 2 ? " " : "");
        strcat(result, reply->element[0]->element[1]->element[i]->str);
    }
    freeReplyObject(reply);
    return result;
}

static void claim_takes_what_is_there_and_reports_it(void **state)
{
    (void)state;
    launch();
    outlet_put(1, 100);
    outlet_catch_up();
    publish_claim(outlet->publish, 77, 1, SLICE("a42"), 0);
    assert_int_equal(outlet->claimed_count, 0);
    await_claims(1);
    assert_int_equal(outlet->claimed_ticket, 77);
    assert_status(outlet->claimed_status, STATUS_OK);
    assert_int_equal(outlet_number_of(outlet->claimed), 1);
    assert_int_equal(strncmp(newest_report(), "delivery 1 op claim agent a42 started_ms 1", 42), 0);
    assert_string_equal(outlet_queue_of(OUTLET_TASKS), "");
}

static void claim_that_may_not_wait_is_answered_at_once(void **state)
{
    (void)state;
    launch();
    publish_claim(outlet->publish, 1, 1, SLICE("a42"), 0);
    await_claims(1);
    assert_status(outlet->claimed_status, STATUS_OK);
    assert_string_equal(outlet->claimed, "");
}

static void claim_that_waits_is_woken_by_a_push(void **state)
{
    (void)state;
    launch();
    outlet_put(9, 900); /* the mark is known, the first call is over */
    outlet_catch_up();
    publish_claim(outlet->publish, 1, 1, SLICE("a1"), 60000);
    await_claims(1);
    publish_claim(outlet->publish, 2, 1, SLICE("a2"), 60000);
    outlet_for(260);
    assert_int_equal(outlet->claimed_count, 1);
    uint64_t start_ns = uv_hrtime();
    outlet_put(1, 100);
    await_claims(2);
    assert_true(uv_hrtime() - start_ns < 150000000ull); /* sooner than the next poll */
    assert_int_equal(outlet->claimed_ticket, 2);
    assert_int_equal(outlet_number_of(outlet->claimed), 1);
}

static void claims_are_served_in_their_order(void **state)
{
    (void)state;
    launch();
    outlet_put(9, 900);
    outlet_catch_up();
    server_run(&outlet->server, "ZPOPMIN %s", OUTLET_TASKS);
    for (uint64_t ticket = 1; ticket <= 3; ticket++)
        publish_claim(outlet->publish, ticket, 1, SLICE("a1"), 60000);
    outlet_for(50);
    outlet_put(1, 100);
    await_claims(1);
    assert_int_equal(outlet->claimed_ticket, 1);
    outlet_put_in(1, 2, 100);
    outlet_put_in(1, 3, 100);
    outlet_flush();
    await_claims(3);
    assert_int_equal(outlet->claimed_ticket, 3);
    assert_string_equal(outlet_queue_of(OUTLET_TASKS), "");
}

static void claim_finds_what_another_node_put_there(void **state)
{
    (void)state;
    launch();
    publish_claim(outlet->publish, 1, 1, SLICE("a1"), 60000);
    outlet_for(50);
    assert_int_equal(outlet->claimed_count, 0);
    server_run(&outlet->server, "ZADD %s 1 %s", OUTLET_TASKS, "another node's");
    await_claims(1);
    assert_string_equal(outlet->claimed, "another node's");
}

static void claim_is_answered_empty_when_its_time_is_over(void **state)
{
    (void)state;
    launch();
    uint64_t start_ns = uv_hrtime();
    publish_claim(outlet->publish, 1, 1, SLICE("a1"), 300);
    await_claims(1);
    uint64_t waited_ms = (uv_hrtime() - start_ns) / 1000000;
    assert_in_range(waited_ms, 290, 600);
    assert_status(outlet->claimed_status, STATUS_OK);
    assert_string_equal(outlet->claimed, "");
}

static void claim_without_redis_is_refused(void **state)
{
    (void)state;
    server_kill(&outlet->server);
    outlet_launch();
    outlet_for(50);
    publish_claim(outlet->publish, 5, 1, SLICE("a1"), 1000);
    await_claims(1);
    assert_int_equal(outlet->claimed_ticket, 5);
    assert_status(outlet->claimed_status, STATUS_REDIS_AWAY);
}

static void claim_that_waits_is_refused_when_redis_goes_away(void **state)
{
    (void)state;
    launch();
    publish_claim(outlet->publish, 1, 1, SLICE("a1"), 60000);
    publish_claim(outlet->publish, 2, 1, SLICE("a2"), 60000);
    outlet_for(50);
    server_kill(&outlet->server);
    await_claims(2);
    assert_status(outlet->claimed_status, STATUS_REDIS_AWAY);
}

static void claim_of_no_queue_or_by_nobody_is_invalid(void **state)
{
    static const char long_name[REPORT_AGENT_MAX + 1] = "x";

    (void)state;
    launch();
    publish_claim(outlet->publish, 1, 3, SLICE("a1"), 0);
    assert_status(outlet->claimed_status, STATUS_INVALID);
    publish_claim(outlet->publish, 2, 1, SLICE(""), 0);
    assert_status(outlet->claimed_status, STATUS_INVALID);
    publish_claim(outlet->publish, 3, 1, (struct slice){long_name, sizeof(long_name)}, 0);
    assert_status(outlet->claimed_status, STATUS_INVALID);
    assert_int_equal(outlet->claimed_count, 3);
}

static void asker_who_went_away_hears_nothing_and_takes_nothing(void **state)
{
    (void)state;
    launch();
    publish_claim(outlet->publish, 1, 1, SLICE("a1"), 60000);
    outlet_for(50);
    publish_unclaim(outlet->publish, 1);
    publish_unclaim(outlet->publish, 1);
    outlet_put(1, 100);
    outlet_for(300);
    assert_int_equal(outlet->claimed_count, 0);
    assert_string_equal(outlet_queue_of(OUTLET_TASKS), "1");
}

static void task_of_an_asker_who_went_away_too_late_is_released(void **state)
{
    (void)state;
    launch();
    outlet_put(1, 100);
    assert_true(outlet_until(outlet_is_reconciled, NULL, 3000)); /* or that would find it gone */
    publish_claim(outlet->publish, 1, 1, SLICE("a1"), 60000);
    publish_unclaim(outlet->publish, 1); /* the script is on its way */
    outlet_for(100);
    assert_int_equal(outlet->claimed_count, 0);
    assert_string_equal(newest_report(), "delivery 1 op release agent a1");
}

/* --- answers that are lost --------------------------------------------------------------- */

/* What inbox says of the claims that the script made in these milliseconds. */
static void hear_claims(uint64_t from_ms, uint64_t until_ms, struct slice agent)
{
    char id[ID_TEXT_LENGTH];
    struct report report = {.op = REPORT_CLAIM, .delivery = 1, .agent = agent};

    id_format(id, &outlet_key, ID_TASK, 1700000000001, 8);
    report.task = (struct slice){id, sizeof(id)};
    for (uint64_t ms = from_ms; ms <= until_ms; ms++) {
        report.started_ms = ms;
        publish_claim_heard(outlet->publish, 1, &report);
    }
}

static void assert_released(void)
{
    assert_int_equal(outlet->reported_count, 1);
    assert_int_equal(outlet->reported.report.op, REPORT_RELEASE);
    assert_int_equal(outlet->reported.report.task, 8);
    assert_int_equal(outlet->reported.report.delivery, 1);
    assert_int_equal(outlet->reported.report.agent, agent_hash(&outlet_key, SLICE("a1")));
}

static void task_whose_claim_nobody_heard_of_is_released(void **state)
{
    (void)state;
    launch();
    uint64_t from_ms = clock_now_ms(outlet->clock);
    publish_claim(outlet->publish, 1, 1, SLICE("a1"), 60000);
    uint64_t until_ms = clock_now_ms(outlet->clock);
    server_kill(&outlet->server);
    await_claims(1);
    assert_status(outlet->claimed_status, STATUS_REDIS_AWAY);
    hear_claims(from_ms, until_ms, SLICE("a2"));
    assert_int_equal(outlet->reported_count, 0);
    hear_claims(from_ms, until_ms, SLICE("a1"));
    assert_released();
    hear_claims(from_ms, until_ms, SLICE("a1")); /* once */
    assert_int_equal(outlet->reported_count, 1);
}

static void task_whose_claim_is_read_before_its_answer_is_lost_is_released(void **state)
{
    (void)state;
    launch();
    uint64_t from_ms = clock_now_ms(outlet->clock);
    publish_claim(outlet->publish, 1, 1, SLICE("a1"), 60000);
    hear_claims(from_ms, clock_now_ms(outlet->clock), SLICE("a1"));
    assert_int_equal(outlet->reported_count, 0); /* the answer may still come */
    server_kill(&outlet->server);
    await_claims(1);
    assert_released();
}

static void claim_that_was_answered_is_nobody_elses_to_release(void **state)
{
    (void)state;
    launch();
    outlet_put(1, 100);
    outlet_catch_up();
    uint64_t from_ms = clock_now_ms(outlet->clock);
    publish_claim(outlet->publish, 1, 1, SLICE("a1"), 0);
    await_claims(1);
    hear_claims(from_ms, clock_now_ms(outlet->clock), SLICE("a1"));
    server_kill(&outlet->server);
    outlet_for(100);
    assert_int_equal(outlet->reported_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, outlet_set_up, outlet_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(claim_takes_what_is_there_and_reports_it),
        TEST(claim_that_may_not_wait_is_answered_at_once),
        TEST(claim_that_waits_is_woken_by_a_push),
        TEST(claims_are_served_in_their_order),
        TEST(claim_finds_what_another_node_put_there),
        TEST(claim_is_answered_empty_when_its_time_is_over),
        TEST(claim_without_redis_is_refused),
        TEST(claim_that_waits_is_refused_when_redis_goes_away),
        TEST(claim_of_no_queue_or_by_nobody_is_invalid),
        TEST(asker_who_went_away_hears_nothing_and_takes_nothing),
        TEST(task_of_an_asker_who_went_away_too_late_is_released),
        TEST(task_whose_claim_nobody_heard_of_is_released),
        TEST(task_whose_claim_is_read_before_its_answer_is_lost_is_released),
        TEST(claim_that_was_answered_is_nobody_elses_to_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
