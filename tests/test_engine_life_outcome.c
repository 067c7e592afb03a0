/* What an outcome makes of the plans, and what amending it gives back. */
#include "tests/campaign_world.h"

static void a_conversation_makes_a_lead_and_begins_the_follow_up(void **unused)
{
    const struct zone *zone = zone_find(SLICE("America/New_York"));
    struct person_row row;
    struct civil civil;

    (void)unused;
    report(opt_in("one"), OUTCOME_CONVERSATION);
    row = person();
    assert_int_equal(row.stage, STAGE_LEAD);
    assert_true(row.flags & PERSON_CONVERSED);
    assert_int_equal(row.step_ms, WORLD_START_MS + HOUR);
    world_forget_steps(&world);
    world_live(&world, WORLD_START_MS + 3 * DAY);
    assert_int_equal(world.step_count, 2);
    assert_step(0, "follow_up", 1, WORLD_START_MS + HOUR, SKIP_NONE);
    zone_civil(zone, world.steps[1].now_ms, &civil);
    assert_int_equal(civil.day, 16);
    assert_int_equal(civil.hour, 10);
    assert_int_equal(civil.minute, 0);
    assert_int_equal(open_call().state, TASK_QUEUED);
}

static void a_sale_is_kept_with_its_value_and_attempt(void **unused)
{
    struct person_row row;

    (void)unused;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + HOUR);
    world.value = "1200.5";
    report(open_call().number, OUTCOME_SOLD);
    row = person();
    assert_int_equal(row.sold_cents, 120050);
    assert_int_equal(row.sold_attempt, 2);
    assert_int_equal(row.stage, STAGE_CUSTOMER);
    world_forget_steps(&world);
    world_live(&world, WORLD_START_MS + 3 * HOUR);
    assert_step(0, "new_customer", 1, WORLD_START_MS + 2 * HOUR, SKIP_NONE);
}

/* Said over a stream, where nobody is told, and by a dialer's own word for a sale. */
static enum status sell_over_stream(uint64_t task, const char *word, const char *value)
{
    world.value = value;
    world.word = word;
    world.stream_ms = world.now_ms;
    enum status status = world_report(&world, task, 1, REPORT_OUTCOME,
                                      word != NULL ? OUTCOME_NONE : OUTCOME_SOLD, "a1");
    world.value = world.word = NULL;
    world.stream_ms = 0;
    return status;
}

static void a_sale_without_an_amount_is_refused_where_somebody_hears_it(void **unused)
{
    static const char *const values[] = {"1,200", "$5", "abc", "1e3", "-5", "1000000000000"};
    uint64_t task = opt_in("one");

    (void)unused;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        world.value = values[i];
        assert_int_equal(world_report(&world, task, 1, REPORT_OUTCOME, OUTCOME_SOLD, "a1"),
                         STATUS_INVALID);
        assert_true(world.settlement.no_amount);
    }
    world.word = "SALE";
    assert_int_equal(world_report(&world, task, 1, REPORT_OUTCOME, OUTCOME_NONE, "a1"),
                     STATUS_INVALID);
    world.word = NULL;
    assert_int_equal(open_call().number, task);
    world.value = "call me at 5"; /* of other outcomes it may be anything */
    assert_int_equal(world_report(&world, task, 1, REPORT_OUTCOME, OUTCOME_NO_ANSWER, "a1"),
                     STATUS_OK);
    world.value = "1,200";
    assert_int_equal(world_report(&world, task, 1, REPORT_AMEND, OUTCOME_SOLD, "a1"),
                     STATUS_INVALID);
    assert_true(world.settlement.no_amount);
    world.value = NULL;
    assert_int_equal(world_report(&world, task, 1, REPORT_AMEND, OUTCOME_SOLD, "a1"), STATUS_OK);
    assert_false(world.settlement.no_amount);
}

static void over_a_stream_the_sale_counts_without_it(void **unused)
{
    static const char *const words[] = {NULL, "SALE"};
    struct record_view record;
    struct report said;

    (void)unused;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_int_equal(sell_over_stream(opt_in(i == 0 ? "one" : "two"), words[i], "1,200"),
                         STATUS_OK);
        assert_true(world.settlement.no_amount);
        record_view_of(&world.record, &record);
        assert_int_equal(report_decode(record.payload, &said), STATUS_OK);
        assert_int_equal(said.value.length, 0);
        assert_int_equal(said.agent.length, 2);
        assert_true(person().flags & PERSON_CUSTOMER);
        assert_int_equal(person().sold_cents, 0);
        tear_down(unused);
        set_up(unused);
    }
    assert_int_equal(sell_over_stream(opt_in("one"), NULL, "1200"), STATUS_OK);
    assert_false(world.settlement.no_amount);
    assert_int_equal(person().sold_cents, 120000);
}

static void a_customer_who_comes_again_stays_in_its_cadence(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_SOLD);
    world_live(&world, WORLD_START_MS + 8 * DAY);
    uint8_t cadence = person().cadence, step = person().step;
    assert_int_equal(world_optin(&world, PHONE, EMAIL, NULL, "two", 0), STATUS_OK);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_CUSTOMER);
    assert_int_equal(person().cadence, cadence);
    assert_int_equal(person().step, step);
}

static void never_again_ends_everything_at_once(void **unused)
{
    uint64_t task = opt_in("one");

    (void)unused;
    assert_int_equal(world_visible(&world, emails), 1);
    report(task, OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(world_visible(&world, emails), 0);
    assert_int_equal(world_visible(&world, world.queue), 0);
    assert_int_equal(person().due_ms, 0);
    assert_int_equal(person().closed, PERSON_STOPPED);
    assert_int_equal(engine_next_due_ms(world.engine), UINT64_MAX);
}

static void a_wrong_number_is_not_called_again_but_written_to(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_WRONG_NUMBER);
    assert_true(person().silenced & 1 << TASK_CALL);
    assert_int_equal(person().call_ms, 0);
    world_forget_steps(&world);
    world_live(&world, WORLD_START_MS + 3 * DAY);
    assert_int_equal(world.steps[world.step_count - 1].effect.skip, SKIP_NONE);
    assert_int_equal(world.steps[world.step_count - 1].effect.channel, TASK_EMAIL);
}

static void who_unsubscribes_gets_no_mail_and_is_called_all_the_same(void **unused)
{
    uint64_t task = opt_in("one");

    (void)unused;
    assert_int_equal(world_report(&world, world.steps[0].effect.task, 1, REPORT_OUTCOME,
                                  OUTCOME_UNSUBSCRIBED, "robot"),
                     STATUS_OK);
    report(task, OUTCOME_NO_ANSWER);
    assert_int_not_equal(person().call_ms, 0);
    world_live(&world, WORLD_START_MS + 3 * DAY);
    for (unsigned i = 1; i < world.step_count; i++)
        if (world.steps[i].effect.channel == TASK_EMAIL)
            assert_int_equal(world.steps[i].effect.skip, SKIP_SILENCED);
}

static void an_amended_outcome_takes_its_plans_back(void **unused)
{
    struct person_row before, after;
    uint64_t task = opt_in("one");

    (void)unused;
    before = person();
    report(task, OUTCOME_CONVERSATION);
    world.now_ms += MINUTE;
    assert_int_equal(world_report(&world, task, 1, REPORT_AMEND, OUTCOME_NO_ANSWER, "a1"),
                     STATUS_OK);
    after = person();
    assert_int_equal(after.stage, STAGE_OPTIN);
    assert_int_equal(after.cadence, before.cadence);
    assert_int_equal(after.step_ms, before.step_ms);
    assert_int_equal(after.calls, 1);
    assert_int_equal(after.call_ms, world.now_ms + HOUR);
    assert_int_equal(after.attempts, 1);
}

/* A manager corrects what was said of an earlier call: the later word stands. */
static void amending_an_earlier_outcome_takes_back_no_later_one(void **unused)
{
    uint64_t first = opt_in("one");

    (void)unused;
    report(first, OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + HOUR);
    report(open_call().number, OUTCOME_DO_NOT_CONTACT);
    world.manager = true;
    assert_int_equal(world_report(&world, first, 1, REPORT_AMEND, OUTCOME_CONVERSATION, "m1"),
                     STATUS_OK);
    assert_int_equal(person().stage, STAGE_LEAD);
    assert_true(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(person().closed, PERSON_STOPPED);
    assert_int_equal(person().cadence, 0);
    assert_int_equal(person().due_ms, 0);
}

/* What was taken back by a consent does not come back with a correction of what came after. */
static void never_again_said_by_mistake_is_taken_back_whatever_was_before(void **unused)
{
    uint64_t second;

    (void)unused;
    report(opt_in("one"), OUTCOME_DO_NOT_CONTACT);
    world.now_ms += DAY;
    assert_int_equal(world_optin(&world, PHONE, EMAIL, NULL, "two", INTAKE_CONSENT), STATUS_OK);
    second = world.settlement.optin.task;
    report(second, OUTCOME_DO_NOT_CONTACT);
    world.manager = true;
    assert_int_equal(world_report(&world, second, 1, REPORT_AMEND, OUTCOME_WRONG_NUMBER, "m1"),
                     STATUS_OK);
    assert_false(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(person().closed, PERSON_WORKED);
    assert_int_not_equal(person().step_ms, 0);
}

static void amending_an_earlier_outcome_leaves_the_plans(void **unused)
{
    struct person_row before, after;
    uint64_t first = opt_in("one");

    (void)unused;
    report(first, OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + HOUR);
    report(open_call().number, OUTCOME_WRONG_NUMBER);
    before = person();
    world.manager = true;
    world.now_ms += MINUTE;
    assert_int_equal(world_report(&world, first, 1, REPORT_AMEND, OUTCOME_BUSY, "m1"), STATUS_OK);
    after = person();
    assert_int_equal(after.silenced, before.silenced);
    assert_int_equal(after.call_ms, 0);
    assert_int_equal(after.step_ms, before.step_ms);
    assert_int_equal(after.end, OUTCOME_WRONG_NUMBER);
}

/* An unanswered call's next one is open, and an e-mail is answered. */
static void another_cadence_ends_the_retry_that_nobody_has(void **unused)
{
    static const enum outcome outcomes[] = {OUTCOME_SOLD, OUTCOME_NOT_NOW, OUTCOME_NOT_INTERESTED};
    struct task_row call;

    (void)unused;
    for (unsigned i = 0; i < 6; i++) {
        bool is_in_hand = i >= 3;
        report(opt_in("one"), OUTCOME_NO_ANSWER);
        world_live(&world, WORLD_START_MS + HOUR);
        call = open_call();
        assert_int_equal(call.kind, TASK_RETRY);
        if (is_in_hand)
            assert_int_equal(world_report(&world, call.number, 1, REPORT_CLAIM, 0, "a1"),
                             STATUS_OK);
        report(world.steps[0].effect.task, outcomes[i % 3]);
        assert_int_equal(open_call().number, is_in_hand ? call.number : 0);
        assert_int_equal(person().call_why, i % 3 == 0 ? CALL_NOT : CALL_WAKE);
        tear_down(NULL);
        set_up(NULL);
    }
}

static void an_amended_outcome_ends_the_retry_that_it_had_planned(void **unused)
{
    uint64_t task = opt_in("one");

    (void)unused;
    report(task, OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + HOUR);
    assert_int_equal(open_call().kind, TASK_RETRY);
    world.manager = true;
    assert_int_equal(world_report(&world, task, 1, REPORT_AMEND, OUTCOME_NOT_NOW, "m1"), STATUS_OK);
    assert_int_equal(open_call().number, 0);
    assert_int_equal(person().call_why, CALL_WAKE);
}

static void another_cadence_leaves_a_first_response(void **unused)
{
    uint64_t task = opt_in("one");

    (void)unused;
    report(world.steps[0].effect.task, OUTCOME_NOT_NOW);
    assert_int_equal(open_call().number, task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_conversation_makes_a_lead_and_begins_the_follow_up),
        TEST(a_sale_is_kept_with_its_value_and_attempt),
        TEST(a_sale_without_an_amount_is_refused_where_somebody_hears_it),
        TEST(over_a_stream_the_sale_counts_without_it),
        TEST(a_customer_who_comes_again_stays_in_its_cadence),
        TEST(never_again_ends_everything_at_once),
        TEST(a_wrong_number_is_not_called_again_but_written_to),
        TEST(who_unsubscribes_gets_no_mail_and_is_called_all_the_same),
        TEST(an_amended_outcome_takes_its_plans_back),
        TEST(amending_an_earlier_outcome_takes_back_no_later_one),
        TEST(amending_an_earlier_outcome_leaves_the_plans),
        TEST(never_again_said_by_mistake_is_taken_back_whatever_was_before),
        TEST(another_cadence_ends_the_retry_that_nobody_has),
        TEST(an_amended_outcome_ends_the_retry_that_it_had_planned),
        TEST(another_cadence_leaves_a_first_response),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
