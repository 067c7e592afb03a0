/* Calls: where they go, when they may be made, and who may claim them. */
#include "proto/zone.h"
#include "tests/one_life.h"

static void an_update_goes_to_a_queue_that_is_there(void **unused)
{
    uint32_t first = world.site, other;
    uint64_t task;

    (void)unused;
    world.credential = CREDENTIAL_PUBLIC;
    assert_int_equal(world_optin(&world, NULL, EMAIL, "e1", "one", 0), STATUS_OK);
    report(world.settlement.optin.task, OUTCOME_NOT_NOW);
    other = world_admin(&world, ENTITY_SITE,
                        "{\"id\":\"two\",\"agency\":\"acme\",\"queue\":\"acme.calls\"}");
    world.site = other;
    assert_int_equal(world_optin(&world, NULL, EMAIL, "e2", "two", 0), STATUS_OK);
    task = world.settlement.optin.task;
    report(task, OUTCOME_NOT_NOW);
    remove_admin(ENTITY_SITE, other);
    world.site = first;
    assert_int_equal(world_optin(&world, PHONE, EMAIL, "e1", "with phone", 0), STATUS_OK);
    assert_int_not_equal(open_call().number, 0);
    assert_int_equal(open_call().queue, world.queue);
}

static void nobody_claims_what_is_parked(void **unused)
{
    struct task_row call;

    (void)unused;
    world.now_ms = WORLD_START_MS + 2 * HOUR; /* 19:13 */
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + 3 * HOUR);
    call = open_call();
    assert_int_equal(call.state, TASK_PARKED);
    world_report(&world, call.number, 1, REPORT_CLAIM, 0, "a1");
    assert_int_equal(open_call().state, TASK_PARKED);
}

static void nobody_claims_after_the_window_has_closed(void **unused)
{
    struct task_row call;

    (void)unused;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + HOUR);
    call = open_call();
    assert_int_equal(call.state, TASK_QUEUED);
    world_live(&world, call.closes_ms - 1000);
    world_popped(&world, UINT64_MAX); /* seen gone a second before */
    world.now_ms = call.closes_ms + 5000;
    assert_int_equal(open_call().state, TASK_POPPED);
    assert_int_not_equal(world_report(&world, call.number, 1, REPORT_CLAIM, 0, "a1"), STATUS_OK);
    assert_int_equal(world_report(&world, call.number, 1, REPORT_EXTEND, 0, "a1"), STATUS_CONFLICT);
}

static void who_calls_as_the_window_closes_goes_on(void **unused)
{
    struct task_row call;
    uint64_t lease_ms;

    (void)unused;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + HOUR);
    call = open_call();
    world_live(&world, call.closes_ms - 1000);
    assert_int_equal(world_report(&world, call.number, 1, REPORT_CLAIM, 0, "a1"), STATUS_OK);
    lease_ms = open_call().lease_until_ms;
    world.now_ms = call.closes_ms + 5000;
    assert_int_equal(world_report(&world, call.number, 1, REPORT_EXTEND, 0, "a1"), STATUS_OK);
    assert_int_equal(open_call().lease_until_ms, lease_ms + 6000);
    assert_int_equal(world_report(&world, call.number, 1, REPORT_RELEASE, 0, "a1"), STATUS_OK);
    assert_int_equal(open_call().state, TASK_PARKED);
}

/* Says that they are in Britain, with a phone of Philadelphia: 18:13 there is 23:13 in London. */
static void the_country_that_is_said_counts_beside_the_phone(void **unused)
{
    (void)unused;
    world.country = "GB";
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + HOUR);
    assert_int_equal(open_call().state, TASK_PARKED);
}

/* A call that was reported late stands where it was made. */
static void touches_stand_in_the_order_of_time(void **unused)
{
    struct person_row row;

    (void)unused;
    uint64_t task = opt_in("one"); /* and a mail */
    assert_int_equal(world_report(&world, task, 1, REPORT_CLAIM, 0, "a1"), STATUS_OK);
    world_live(&world, WORLD_START_MS + 20 * MINUTE);
    assert_int_equal(world_optin(&world, PHONE, EMAIL, NULL, "two", 0), STATUS_OK);
    report(task, OUTCOME_NO_ANSWER);
    row = person();
    for (unsigned i = 1; i < TOUCHES_KEPT; i++)
        assert_true(row.touches[i] <= row.touches[i - 1]);
}

/* --- when the window opens ------------------------------------------------------------------- */

#define NIGHT (WORLD_START_MS + 3 * HOUR) /* 20:13 */

/* So many people are to be called again at night; their calls, in the order in which they came. */
static void park_calls(unsigned people, struct task_row *calls)
{
    world.now_ms = WORLD_START_MS + 2 * HOUR;
    for (unsigned i = 0; i < people; i++) {
        char phone[16];

        snprintf(phone, sizeof(phone), "+1215555%04u", i);
        assert_int_equal(world_optin(&world, phone, NULL, NULL, phone, 0), STATUS_OK);
        world_report(&world, world.settlement.optin.task, 1, REPORT_OUTCOME, OUTCOME_NO_ANSWER,
                     "a1");
    }
    world_live(&world, NIGHT);
    for (unsigned i = 0; i < people; i++) {
        uint64_t last_seq;
        struct person_row row;

        assert_true(state_person_find(world.state, i + 1, &row, &calls[i], &last_seq));
        assert_int_equal(calls[i].state, TASK_PARKED);
    }
}

static uint64_t first_of_the_morning(void)
{
    const struct zone *zone = zone_find(SLICE("America/New_York"));
    struct civil nine;

    zone_civil(zone, NIGHT, &nine);
    nine.day++;
    nine.hour = 9;
    nine.minute = nine.second = 0;
    return zone_moment(zone, &nine);
}

static void a_nights_calls_are_put_one_after_the_other(void **unused)
{
    const uint64_t opens_ms = first_of_the_morning();
    struct task_row calls[40];

    (void)unused;
    park_calls(40, calls);
    assert_int_equal(calls[0].not_before_ms, opens_ms); /* in the first legal second */
    for (unsigned i = 1; i < 40; i++)
        assert_int_equal(calls[i].not_before_ms, calls[i - 1].not_before_ms + 20);
    world_reopen(&world, false, true); /* the count comes back */
    assert_int_equal(state_queue(world.state, world.queue)->parked_tasks, 40);
    world_live(&world, opens_ms);
    assert_int_equal(world_visible(&world, world.queue), 1);
    world_live(&world, calls[19].not_before_ms);
    assert_int_equal(world_visible(&world, world.queue), 20);
    world_live(&world, calls[39].not_before_ms);
    assert_int_equal(world_visible(&world, world.queue), 40);
    assert_int_equal(state_queue(world.state, world.queue)->parked_tasks, 0);
}

/* A quarter of a minute has room for 751. */
static void more_than_fit_into_a_short_window_share_its_first_quarter(void **unused)
{
    static struct task_row calls[760];
    const uint64_t opens_ms = first_of_the_morning();

    (void)unused;
    use_playbook("calendars: {calling: {hours: {mon-sun: \\\"09:00-09:01\\\"}}}\\n");
    park_calls(760, calls);
    assert_int_equal(calls[750].not_before_ms, opens_ms + 15000);
    assert_int_equal(calls[751].not_before_ms, opens_ms);
    world_live(&world, opens_ms + 15000);
    assert_int_equal(world_visible(&world, world.queue), 760);
}

/* Hours of the office in which it is night for everybody whom it calls. */
static void whom_no_hour_fits_is_looked_at_once_a_week(void **unused)
{
    struct task_row call;

    (void)unused;
    use_playbook("calendars: {calling: {zone: America/New_York, hours: {daily: 02:00-03:00}}}\\n");
    park_calls(1, &call);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t looked_ms = call.not_before_ms, last_seq;
        struct person_row row;

        assert_int_equal(call.state, TASK_PARKED);
        world_live(&world, looked_ms);
        assert_int_equal(world_visible(&world, world.queue), 0);
        assert_true(state_person_find(world.state, 1, &row, &call, &last_seq));
        assert_true(call.not_before_ms > looked_ms + 7 * DAY);
        assert_true(call.not_before_ms < looked_ms + 14 * DAY);
    }
}

static void what_was_promised_waits_for_nothing_but_the_opening(void **unused)
{
    struct task_row calls[5], call;
    const uint64_t agreed_ms = first_of_the_morning() - HOUR;

    (void)unused;
    park_calls(5, calls);
    opt_in_as("+12155559999", NULL, "agreed", 0);
    world.call_at_ms = agreed_ms - 2 * HOUR; /* 06:00 */
    world_report(&world, world.settlement.optin.task, 1, REPORT_OUTCOME, OUTCOME_APPOINTMENT, "a1");
    world_live(&world, world.call_at_ms);
    world.site = world_admin(&world, ENTITY_SITE,
                             "{\"id\":\"careful\",\"agency\":\"acme\",\"queue\":\"acme.calls\","
                             "\"hours_policy\":\"always\"}");
    opt_in_as("+12155558888", NULL, "first", 0);
    for (uint64_t number = 6; number <= 7; number++) {
        uint64_t last_seq;
        struct person_row row;

        assert_true(state_person_find(world.state, number, &row, &call, &last_seq));
        assert_int_equal(call.state, TASK_PARKED);
        assert_int_equal(call.not_before_ms, agreed_ms); /* the law's 08:00 */
        assert_int_equal(call.deadline_ms, call.not_before_ms + 5 * MINUTE);
    }
}

static enum status report_word(uint64_t task, unsigned op, const char *word)
{
    world.word = word;
    enum status status = world_report(&world, task, 1, op, OUTCOME_NONE, "a1");
    world.word = NULL;
    return status;
}

static void assert_heard(enum outcome outcome, bool unknown_word, const char *word)
{
    struct record_view record;
    struct effect_report effect;
    struct report said;

    record_view_of(&world.record, &record);
    assert_true(effect_find(&record, EFFECT_REPORT, &effect, sizeof(effect)));
    assert_int_equal(effect.outcome, outcome);
    assert_int_equal(effect.unknown_word, unknown_word);
    assert_int_equal(world.settlement.unknown_word, unknown_word);
    assert_int_equal(report_decode(record.payload, &said), STATUS_OK);
    assert_true(slice_equal(said.word, slice_of(word)));
}

static void a_dialers_word_that_nobody_knows_is_no_answer_with_a_flag(void **unused)
{
    (void)unused;
    assert_int_equal(report_word(opt_in("one"), REPORT_OUTCOME, "LUNCH"), STATUS_OK);
    assert_heard(OUTCOME_NO_ANSWER, true, "LUNCH");
    assert_int_equal(person().attempts, 1);
    assert_int_equal(person().call_why, CALL_RETRY);
    world_live(&world, person().call_ms);
    assert_int_equal(report_word(open_call().number, REPORT_OUTCOME, "B"), STATUS_OK);
    assert_heard(OUTCOME_BUSY, false, "B");
}

static void an_unknown_word_of_a_robot_or_an_amendment_is_refused(void **unused)
{
    struct task_row mail;

    (void)unused;
    uint64_t call = opt_in("one");
    assert_true(open_of(TASK_EMAIL, &mail));
    assert_int_equal(report_word(mail.number, REPORT_OUTCOME, "LUNCH"), STATUS_INVALID);
    assert_int_equal(person().attempts, 0);
    report(call, OUTCOME_CONVERSATION);
    assert_int_equal(report_word(call, REPORT_AMEND, "LUNCH"), STATUS_INVALID);
    assert_int_equal(person().end, OUTCOME_CONVERSATION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE(an_update_goes_to_a_queue_that_is_there),
        LIFE(nobody_claims_what_is_parked),
        LIFE(nobody_claims_after_the_window_has_closed),
        LIFE(who_calls_as_the_window_closes_goes_on),
        LIFE(the_country_that_is_said_counts_beside_the_phone),
        LIFE(touches_stand_in_the_order_of_time),
        LIFE(a_nights_calls_are_put_one_after_the_other),
        LIFE(more_than_fit_into_a_short_window_share_its_first_quarter),
        LIFE(whom_no_hour_fits_is_looked_at_once_a_week),
        LIFE(what_was_promised_waits_for_nothing_but_the_opening),
        LIFE(a_dialers_word_that_nobody_knows_is_no_answer_with_a_flag),
        LIFE(an_unknown_word_of_a_robot_or_an_amendment_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
