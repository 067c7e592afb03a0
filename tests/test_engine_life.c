/* A person's life by the shipped playbook, on a virtual clock. Every test ends by comparing state
 * with a rebuild. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/report.h"
#include "proto/task.h"
#include "proto/zone.h"
#include "tests/world.h"

#define MINUTE 60000ull
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define PHONE  "+12155550147" /* Philadelphia */
#define EMAIL  "dana@example.com"

static struct world world;
static uint32_t emails, postcards, letters;

static uint32_t make_queue(const char *id)
{
    char settings[128];

    snprintf(settings, sizeof(settings), "{\"id\":\"%s\",\"agency\":\"acme\"}", id);
    return world_admin(&world, ENTITY_QUEUE, settings);
}

static int set_up(void **unused)
{
    (void)unused;
    world_open(&world);
    world.name = "Dana Rivera";
    return 0;
}

static int set_up_with_robots(void **unused)
{
    set_up(unused);
    emails = make_queue("acme.email");
    postcards = make_queue("acme.postcard");
    letters = make_queue("acme.letter");
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    world_close(&world);
    return 0;
}

static uint64_t opt_in(const char *content)
{
    assert_int_equal(world_optin(&world, PHONE, EMAIL, NULL, content, 0), STATUS_OK);
    return world.settlement.optin.task;
}

static struct person_row person(void)
{
    struct person_row row;

    assert_true(world_person(&world, 1, &row));
    return row;
}

/* The open call; number 0: there is none. */
static struct task_row open_call(void)
{
    struct person_row row;
    struct task_row task;
    uint64_t last_seq, after = 0;

    assert_true(state_person_find(world.state, 1, &row, &task, &last_seq));
    if (task.number != 0 && task.channel == TASK_CALL)
        return task;
    while (state_task_next(world.state, 1, after, &task)) {
        if (task.channel == TASK_CALL)
            return task;
        after = task.number;
    }
    return (struct task_row){0};
}

static void report(uint64_t task, enum outcome outcome)
{
    assert_int_equal(world_report(&world, task, 1, REPORT_OUTCOME, outcome, "a1"), STATUS_OK);
}

static void assert_cadence(unsigned number, const char *id)
{
    const struct playbook *playbook = registry_playbook(recovery_registry(world.recovery), 0);

    assert_true(number > 0);
    assert_true(slice_equal(playbook->cadences.items[number - 1].id, slice_of(id)));
}

static void assert_step(unsigned which, const char *cadence, unsigned step, uint64_t at_ms,
                        enum skip skip)
{
    const struct world_step *made = &world.steps[which];

    assert_true(which < world.step_count);
    assert_cadence(made->effect.cadence, cadence);
    assert_int_equal(made->effect.step, step);
    assert_int_equal(made->now_ms, at_ms);
    assert_int_equal(made->effect.skip, skip);
}

/* Lives to a moment; all that is put in the call queue is called at once, and nobody answers. */
static void live_without_answer(uint64_t until_ms)
{
    while (world.now_ms < until_ms) {
        struct task_row call = open_call();
        if (call.state == TASK_QUEUED && call.number != 0)
            world_report(&world, call.number, call.delivery, REPORT_OUTCOME, OUTCOME_NO_ANSWER,
                         "a1");
        uint64_t due_ms = engine_next_due_ms(world.engine);
        world_live(&world, due_ms < until_ms ? due_ms : until_ms);
    }
}

/* --- the campaign ------------------------------------------------------------------------ */

static void the_campaign_comes_at_day_0_3_5_7_and_14_and_nothing_else(void **unused)
{
    static const uint64_t days[] = {0, 3, 5, 7, 14};
    static const uint8_t channels[] = {TASK_EMAIL, TASK_EMAIL, TASK_EMAIL, TASK_POSTCARD,
                                       TASK_EMAIL};

    (void)unused;
    opt_in("one");
    assert_int_equal(world.records, 1); /* the first e-mail stands in the opt-in's own record */
    assert_int_equal(world_visible(&world, emails), 1);
    for (unsigned day = 0; day < 20; day++) {
        world_live(&world, WORLD_START_MS + day * DAY);
        world_reopen(&world, day % 2 == 0, day % 3 == 0);
    }
    assert_int_equal(world.step_count, 5);
    for (unsigned i = 0; i < 5; i++) {
        assert_step(i, "new_lead", i + 1, WORLD_START_MS + days[i] * DAY, SKIP_NONE);
        assert_int_equal(world.steps[i].effect.channel, channels[i]);
    }
    assert_int_equal(state_queue(world.state, postcards)->outbox_seq, 2); /* nobody took it */
}

static void a_step_without_a_queue_is_left_out_and_life_goes_on(void **unused)
{
    (void)unused;
    opt_in("one");
    assert_int_equal(world.records, 1);
    assert_step(0, "new_lead", 1, WORLD_START_MS, SKIP_NO_QUEUE);
    world_live(&world, WORLD_START_MS + 4 * DAY);
    assert_step(1, "new_lead", 2, WORLD_START_MS + 3 * DAY, SKIP_NO_QUEUE);
    assert_int_equal(world.made[RECORD_STEP], 0);
    assert_int_not_equal(person().due_ms, 0);
}

static void a_step_that_is_later_than_its_late_max_is_left_out(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_WRONG_NUMBER);
    world_forget_steps(&world);
    world_pass(&world, 5 * DAY + 1 * HOUR); /* at once: the server was down */
    assert_step(0, "new_lead", 2, WORLD_START_MS + 5 * DAY + HOUR, SKIP_LATE); /* day 3, 2 days */
    assert_step(1, "new_lead", 3, WORLD_START_MS + 5 * DAY + HOUR, SKIP_NONE);
    world_pass(&world, 0);
    assert_int_equal(world.records, 0);
}

/* The person's due entry is only in memory when a process dies. */
static void a_step_that_a_crash_lost_is_made_again(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_WRONG_NUMBER);
    assert_true(state_has_young(world.state));
    world_reopen(&world, false, false);
    assert_true(recovery_is_trusted(world.recovery));
    world_forget_steps(&world);
    world_live(&world, WORLD_START_MS + 3 * DAY);
    assert_int_equal(world.step_count, 1);
    assert_step(0, "new_lead", 2, WORLD_START_MS + 3 * DAY, SKIP_NONE);
}

static void a_postcard_waits_for_no_name(void **unused)
{
    (void)unused;
    world.name = NULL;
    opt_in("one");
    world_live(&world, WORLD_START_MS + 8 * DAY);
    assert_int_equal(world.step_count, 3);
    assert_int_equal(person().held_step, 4);
    world_live(&world, WORLD_START_MS + 15 * DAY);
    assert_step(3, "new_lead", 4, WORLD_START_MS + 14 * DAY, SKIP_NO_NAME);
}

static void what_no_robot_takes_ends_and_breaks_no_promise(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_WRONG_NUMBER);
    world_live(&world, WORLD_START_MS + 30 * DAY);
    assert_int_equal(world_visible(&world, emails), 0);
    assert_int_equal(state_meta(world.state)->skipped_by[SKIP_UNDONE], 5);
    assert_int_equal(state_meta(world.state)->breaches, 0);
}

static void who_comes_again_does_not_hear_it_all_again(void **unused)
{
    (void)unused;
    opt_in("one");
    world_live(&world, WORLD_START_MS + 4 * DAY);
    world_forget_steps(&world);
    opt_in("two");
    assert_int_equal(world.step_count, 0);
    assert_int_equal(person().step, 3);
    assert_int_equal(person().optins, 2);
}

/* --- calls -------------------------------------------------------------------------------- */

static void seven_attempts_then_wakes_for_two_years(void **unused)
{
    struct person_row row;
    uint64_t nurture_ms, call_steps[8], sixth_month_ms = 0;
    unsigned calls = 0;

    (void)unused;
    opt_in("one");
    live_without_answer(WORLD_START_MS + 40 * DAY);
    row = person();
    assert_int_equal(row.attempts, 7);
    assert_int_equal(row.closed, PERSON_WORKED);
    assert_int_equal(row.call_why, CALL_RETRY);
    assert_cadence(row.cadence, "nurture");
    nurture_ms = row.cadence_ms;
    assert_true(nurture_ms >= WORLD_START_MS + 14 * DAY && nurture_ms < WORLD_START_MS + 15 * DAY);
    sixth_month_ms = row.call_ms;
    assert_true(sixth_month_ms - world.now_ms < 184 * DAY);
    assert_true(sixth_month_ms - WORLD_START_MS > 181 * DAY);

    world_forget_steps(&world);
    live_without_answer(nurture_ms + 740 * DAY);
    for (unsigned i = 0; i < world.step_count; i++) {
        const struct world_step *step = &world.steps[i];
        assert_int_not_equal(step->effect.skip, SKIP_CALL_OPEN);
        if (step->effect.channel == TASK_CALL && calls < 8)
            call_steps[calls++] = (step->now_ms - nurture_ms + 15 * DAY) / (3044 * DAY / 100);
    }
    assert_int_equal(calls, 4);
    assert_int_equal(call_steps[0], 6);
    assert_int_equal(call_steps[1], 10);
    assert_int_equal(call_steps[2], 18);
    assert_int_equal(call_steps[3], 24);
    row = person();
    assert_int_equal(row.attempts, 11);
    assert_int_equal(row.closed, PERSON_RUN_OUT);
    assert_int_equal(row.due_ms, 0);
}

static void an_unanswered_call_is_made_again_by_the_spacing(void **unused)
{
    struct task_row call;

    (void)unused;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    assert_int_equal(person().calls, 1);
    assert_int_equal(person().call_ms, WORLD_START_MS + HOUR);
    world_live(&world, WORLD_START_MS + HOUR);
    call = open_call();
    assert_int_equal(call.kind, TASK_RETRY);
    assert_int_equal(call.state, TASK_QUEUED); /* 18:13 in Philadelphia */
    assert_int_equal(call.attempt, 2);
    assert_int_not_equal(call.closes_ms, 0);
}

static void an_agreed_time_goes_before_the_playbooks(void **unused)
{
    struct task_row call;

    (void)unused;
    world.call_at_ms = WORLD_START_MS + 21 * HOUR; /* 14:13 the next day */
    report(opt_in("one"), OUTCOME_APPOINTMENT);
    assert_int_equal(person().call_why, CALL_AGREED);
    world_live(&world, WORLD_START_MS + 21 * HOUR);
    call = open_call();
    assert_int_equal(call.kind, TASK_AGREED);
    assert_int_equal(call.not_before_ms, WORLD_START_MS + 21 * HOUR);
    assert_int_equal(call.deadline_ms, call.not_before_ms + 5 * MINUTE);
}

static void assert_agreed_call_is_put_at(uint64_t at_ms)
{
    world.call_at_ms = at_ms;
    report(opt_in("one"), OUTCOME_APPOINTMENT);
    world_live(&world, at_ms);
    assert_int_equal(open_call().kind, TASK_AGREED);
    assert_int_equal(open_call().state, TASK_QUEUED);
}

static void an_agreed_call_keeps_no_gap(void **unused)
{
    (void)unused;
    assert_agreed_call_is_put_at(WORLD_START_MS + 20 * MINUTE);
}

static void an_agreed_call_keeps_no_office_hours(void **unused)
{
    (void)unused;
    assert_agreed_call_is_put_at(WORLD_START_MS + 27 * HOUR); /* 20:13 in Philadelphia */
}

static void not_now_wakes_after_ten_months(void **unused)
{
    const struct zone *zone = zone_find(SLICE("America/New_York"));
    struct civil civil;

    (void)unused;
    report(opt_in("one"), OUTCOME_NOT_NOW);
    assert_int_equal(person().call_why, CALL_WAKE);
    zone_civil(zone, person().call_ms, &civil);
    assert_int_equal(civil.year, 2024);
    assert_int_equal(civil.month, 9);
    assert_int_equal(civil.day, 14);
    assert_int_equal(civil.hour, 17); /* as it was, though the clocks have moved between */
}

static void what_a_robot_reports_leaves_the_planned_call(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    assert_int_equal(world_report(&world, world.steps[0].effect.task, 1, REPORT_OUTCOME,
                                  OUTCOME_DELIVERED, "robot"),
                     STATUS_OK);
    assert_int_equal(person().call_ms, WORLD_START_MS + HOUR);
    assert_int_equal(person().attempts, 1);
}

static void a_fresh_optin_goes_before_a_planned_call(void **unused)
{
    struct task_row call;
    uint64_t task;

    (void)unused;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    world.now_ms += 10 * MINUTE;
    task = opt_in("two");
    assert_int_not_equal(task, 0);
    assert_int_equal(person().call_ms, 0);
    report(task, OUTCOME_NO_ANSWER);
    world_live(&world, person().call_ms);
    call = open_call();
    assert_int_equal(call.kind, TASK_RETRY);
    world.now_ms += MINUTE;
    assert_int_equal(opt_in("three"), call.number);
    call = open_call();
    assert_int_equal(call.kind, TASK_FIRST_RESPONSE);
    assert_int_equal(call.state, TASK_QUEUED); /* which two calls of that day had parked */
    assert_int_equal(world_visible(&world, world.queue), 1);
    assert_int_equal(call.deadline_ms, world.now_ms + 5 * MINUTE);
    assert_int_equal(world.settlement.optin.deadline_ms, call.deadline_ms);
    assert_int_equal(call.optin_seq, world.settlement.seq);
}

/* --- outcomes ----------------------------------------------------------------------------- */

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

/* --- promises and escalation -------------------------------------------------------------- */

static void every_tier_and_rung_comes_once(void **unused)
{
    (void)unused;
    opt_in("one");
    assert_int_equal(world_pass(&world, 3 * MINUTE - 1), 0);
    assert_int_equal(world_pass(&world, 1), 1);
    assert_int_equal(world.made[RECORD_RUNG], 1);
    world_reopen(&world, false, false);
    world_live(&world, WORLD_START_MS + 31 * MINUTE);
    assert_int_equal(state_meta(world.state)->rungs, 3);
    assert_int_equal(state_meta(world.state)->breaches, 1);
    world_live(&world, WORLD_START_MS + 3 * DAY);
    assert_int_equal(state_meta(world.state)->tiers, 4);
    assert_int_equal(state_meta(world.state)->rungs, 3);
    world_live(&world, WORLD_START_MS + 10 * DAY);
    assert_int_equal(state_meta(world.state)->tiers, 4);
    assert_int_equal(state_meta(world.state)->breaches, 1);
}

static void the_last_rung_sends_a_robot(void **unused)
{
    (void)unused;
    opt_in("one");
    world_live(&world, WORLD_START_MS + 30 * MINUTE - 1);
    assert_int_equal(world_visible(&world, emails), 1);
    world_live(&world, WORLD_START_MS + 30 * MINUTE);
    assert_int_equal(world_visible(&world, emails), 2);
}

static void who_claims_in_time_climbs_no_rung(void **unused)
{
    uint64_t task = opt_in("one");

    (void)unused;
    world.now_ms += 2 * MINUTE;
    assert_int_equal(world_report(&world, task, 1, REPORT_CLAIM, 0, "a1"), STATUS_OK);
    world_live(&world, WORLD_START_MS + 20 * MINUTE);
    report(task, OUTCOME_CONVERSATION);
    world_live(&world, WORLD_START_MS + 50 * MINUTE);
    assert_int_equal(state_meta(world.state)->rungs, 0);
    assert_int_equal(state_meta(world.state)->tiers, 0);
}

/* --- windows --------------------------------------------------------------------------------- */

static void a_retry_at_night_is_parked_until_the_morning(void **unused)
{
    const struct zone *zone = zone_find(SLICE("America/New_York"));
    struct effect_parked why;
    struct record_view record;
    struct task_row call;
    struct civil civil;

    (void)unused;
    world.now_ms = WORLD_START_MS + 2 * HOUR; /* 19:13 */
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + 3 * HOUR);
    call = open_call();
    assert_int_equal(call.state, TASK_PARKED);
    assert_int_equal(world_visible(&world, world.queue), 0);
    zone_civil(zone, call.not_before_ms, &civil);
    assert_int_equal(civil.day, 15);
    assert_int_equal(civil.hour, 9);
    assert_int_equal(journal_batch_read(recovery_journal(world.recovery),
                                        state_meta(world.state)->folded_seq, &record),
                     STATUS_OK);
    assert_true(effect_find(&record, EFFECT_PARKED, &why, sizeof(why)));
    assert_int_equal(why.by, PARKED_BY_CALENDAR);
    assert_string_equal(why.tz, zone_data_version());
    assert_int_equal(why.opens_ms, call.not_before_ms);

    world_reopen(&world, false, true);
    world_live(&world, call.not_before_ms);
    call = open_call();
    assert_int_equal(call.state, TASK_QUEUED);
    assert_int_equal(call.delivery, 1);
    assert_int_equal(world_visible(&world, world.queue), 1);
    world_live(&world, call.closes_ms);
    call = open_call();
    assert_int_equal(call.state, TASK_PARKED);
    assert_int_equal(call.delivery, 2);
    assert_int_equal(world_visible(&world, world.queue), 0);
}

static uint32_t site_that_always_keeps_hours(void)
{
    return world_admin(&world, ENTITY_SITE,
                       "{\"id\":\"careful\",\"agency\":\"acme\",\"queue\":\"acme.calls\","
                       "\"hours_policy\":\"always\"}");
}

static void the_first_response_is_never_parked_unless_the_site_says_so(void **unused)
{
    const struct zone *zone = zone_find(SLICE("America/New_York"));
    struct task_row call;
    struct civil civil;

    (void)unused;
    world.now_ms = WORLD_START_MS + 8 * HOUR; /* 01:13 */
    opt_in("one");
    assert_int_equal(open_call().state, TASK_QUEUED);
    assert_int_equal(open_call().closes_ms, 0);

    world.site = site_that_always_keeps_hours();
    assert_int_equal(world_optin(&world, "+12155550148", NULL, NULL, "two", 0), STATUS_OK);
    assert_true(world_task(&world, 2, world.settlement.optin.task, &call));
    assert_int_equal(call.state, TASK_PARKED);
    assert_int_equal(call.deadline_ms, call.not_before_ms + 5 * MINUTE);
    assert_int_equal(world.settlement.optin.deadline_ms, call.deadline_ms);
    zone_civil(zone, call.not_before_ms, &civil);
    assert_int_equal(civil.hour, 8);
}

/* Was called in the evening in vain, and opts in again at 01:13. */
static struct task_row hastened_at_night(uint32_t first_site, uint32_t newest_site)
{
    world.site = first_site;
    world.now_ms = WORLD_START_MS + 2 * HOUR;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + 8 * HOUR);
    assert_int_equal(open_call().kind, TASK_RETRY);
    world.site = newest_site;
    opt_in("two");
    assert_int_equal(open_call().kind, TASK_FIRST_RESPONSE);
    return open_call();
}

static void a_call_that_is_hastened_keeps_the_hours_of_the_newest_site(void **unused)
{
    (void)unused;
    assert_int_equal(hastened_at_night(world.site, site_that_always_keeps_hours()).state,
                     TASK_PARKED);
}

static void a_call_that_is_hastened_keeps_no_hours_of_a_site_before(void **unused)
{
    (void)unused;
    assert_int_equal(hastened_at_night(site_that_always_keeps_hours(), world.site).state,
                     TASK_QUEUED);
}

static void caps_hold_a_third_call_of_the_day(void **unused)
{
    struct task_row call;

    (void)unused;
    world.now_ms = WORLD_START_MS - 6 * HOUR; /* engine time does not go back: as it was */
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    world_live(&world, person().call_ms);
    report(open_call().number, OUTCOME_NO_ANSWER);
    world.call_at_ms = 0;
    world.now_ms += 10 * MINUTE;
    report(opt_in("two"), OUTCOME_NO_ANSWER); /* a first response is not held back */
    world_live(&world, person().call_ms);
    call = open_call();
    assert_int_equal(call.state, TASK_PARKED);
    assert_true(call.not_before_ms > world.now_ms + 12 * HOUR);
}

/* --- dates ----------------------------------------------------------------------------------- */

/* Through the night in which the clocks move: the step is at its hour by the person's wall. */
static void step_by_the_wall(const char *name, int year, unsigned month, unsigned day)
{
    const struct zone *zone = zone_find(slice_of(name));
    struct civil civil = {.year = year, .month = (uint8_t)month, .day = (uint8_t)day, .hour = 12};

    world.timezone = name;
    world.now_ms = zone_moment(zone, &civil);
    assert_int_equal(world_optin(&world, NULL, name, NULL, name, 0), STATUS_OK);
    assert_int_equal(world_report(&world, world.settlement.optin.task, 1, REPORT_OUTCOME,
                                  OUTCOME_CONVERSATION, "a1"),
                     STATUS_OK);
    world_live(&world, world.now_ms + 2 * HOUR);
    world_forget_steps(&world);
    world_reopen(&world, false, true);
    world_live(&world, world.now_ms + 60 * DAY);
    assert_true(world.step_count >= 5);
    for (unsigned i = 0; i < 4; i++) {
        static const uint8_t hours[] = {10, 9, 9, 10};
        static const int days[] = {2, 5, 9, 14};
        zone_civil(zone, world.steps[i].now_ms, &civil);
        assert_int_equal(civil.hour, hours[i]);
        assert_int_equal(civil.minute, 0);
        assert_int_equal(civil.day_number, civil_day_number(year, (int)month, (int)day + days[i]));
    }
    /* A month after the last step, at that step's hour. */
    int32_t date = civil_day_number(civil.year, civil.month + 1, civil.day);
    zone_civil(zone, world.steps[4].now_ms, &civil);
    assert_int_equal(civil.hour, 10);
    assert_int_equal(civil.day_number, date);
}

static void steps_keep_their_hour_where_the_clocks_go_forward(void **unused)
{
    (void)unused;
    step_by_the_wall("America/New_York", 2024, 3, 8); /* on the 10th */
}

static void steps_keep_their_hour_where_the_clocks_go_back(void **unused)
{
    (void)unused;
    step_by_the_wall("Europe/Berlin", 2025, 10, 24); /* on the 26th */
}

static void steps_keep_their_hour_where_the_clocks_go_back_by_half_an_hour(void **unused)
{
    (void)unused;
    step_by_the_wall("Australia/Lord_Howe", 2025, 4, 4); /* on the 6th */
}

/* --- ends ------------------------------------------------------------------------------------ */

static void dead_is_final_and_says_so(void **unused)
{
    (void)unused;
    opt_in("one");
    live_without_answer(WORLD_START_MS + 30 * DAY);
    world.now_ms += HOUR;
    report(opt_in("two"), OUTCOME_DEAD);
    assert_int_equal(person().closed, PERSON_GIVEN_UP);
    assert_int_equal(person().due_ms, 0);
    assert_int_equal(open_call().number, 0);
    opt_in("three");
    assert_int_equal(person().closed, PERSON_WORKED);
    assert_int_not_equal(person().due_ms, 0);
}

/* Two years of nobody calling: then it is not the person who has come to its end. */
static void nobody_is_given_up_whom_nobody_tried(void **unused)
{
    struct person_row row;

    (void)unused;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + 800 * DAY);
    row = person();
    assert_int_equal(row.closed, PERSON_WORKED);
    assert_int_equal(open_call().number != 0, 1);
    world_report(&world, open_call().number, open_call().delivery, REPORT_OUTCOME,
                 OUTCOME_NO_ANSWER, "a1");
    row = person();
    assert_int_equal(row.attempts, 2);
    assert_int_equal(row.closed, PERSON_WORKED);
    assert_true(row.call_ms >= world.now_ms + DAY);
}

static void tests_and_suspects_are_not_worked(void **unused)
{
    (void)unused;
    world_optin(&world, PHONE, EMAIL, NULL, "one", INTAKE_TEST);
    assert_int_equal(person().closed, PERSON_NOT_STARTED);
    assert_int_equal(person().due_ms, 0);
    assert_int_equal(world.step_count, 0);
    opt_in("two");
    assert_int_equal(person().closed, PERSON_WORKED);
    assert_int_equal(person().step, 2);
}

static void imported_people_are_nurtured(void **unused)
{
    (void)unused;
    world_optin(&world, PHONE, EMAIL, NULL, "one", INTAKE_IMPORTED);
    assert_int_equal(world.settlement.optin.task, 0);
    world_live(&world, WORLD_START_MS + 40 * DAY);
    assert_int_equal(world.step_count, 1);
    assert_int_equal(world.steps[0].effect.step, 1);
}

static void an_import_wakes_nobody_who_said_never_again(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_DO_NOT_CONTACT);
    world_optin(&world, PHONE, EMAIL, NULL, "two", INTAKE_IMPORTED);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_DO_NOT_CONTACT);
    assert_int_equal(person().closed, PERSON_STOPPED);
    assert_int_equal(person().due_ms, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_with_robots, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_campaign_comes_at_day_0_3_5_7_and_14_and_nothing_else),
        cmocka_unit_test_setup_teardown(a_step_without_a_queue_is_left_out_and_life_goes_on, set_up,
                                        tear_down),
        TEST(a_step_that_is_later_than_its_late_max_is_left_out),
        TEST(a_step_that_a_crash_lost_is_made_again),
        TEST(a_postcard_waits_for_no_name),
        TEST(what_no_robot_takes_ends_and_breaks_no_promise),
        TEST(who_comes_again_does_not_hear_it_all_again),
        TEST(seven_attempts_then_wakes_for_two_years),
        TEST(an_unanswered_call_is_made_again_by_the_spacing),
        TEST(an_agreed_time_goes_before_the_playbooks),
        TEST(an_agreed_call_keeps_no_gap),
        TEST(an_agreed_call_keeps_no_office_hours),
        TEST(not_now_wakes_after_ten_months),
        TEST(what_a_robot_reports_leaves_the_planned_call),
        TEST(a_fresh_optin_goes_before_a_planned_call),
        TEST(a_conversation_makes_a_lead_and_begins_the_follow_up),
        TEST(a_sale_is_kept_with_its_value_and_attempt),
        TEST(a_customer_who_comes_again_stays_in_its_cadence),
        TEST(never_again_ends_everything_at_once),
        TEST(a_wrong_number_is_not_called_again_but_written_to),
        TEST(who_unsubscribes_gets_no_mail_and_is_called_all_the_same),
        TEST(an_amended_outcome_takes_its_plans_back),
        TEST(amending_an_earlier_outcome_takes_back_no_later_one),
        TEST(amending_an_earlier_outcome_leaves_the_plans),
        TEST(never_again_said_by_mistake_is_taken_back_whatever_was_before),
        TEST(every_tier_and_rung_comes_once),
        TEST(the_last_rung_sends_a_robot),
        TEST(who_claims_in_time_climbs_no_rung),
        TEST(a_retry_at_night_is_parked_until_the_morning),
        TEST(the_first_response_is_never_parked_unless_the_site_says_so),
        TEST(a_call_that_is_hastened_keeps_the_hours_of_the_newest_site),
        TEST(a_call_that_is_hastened_keeps_no_hours_of_a_site_before),
        TEST(caps_hold_a_third_call_of_the_day),
        TEST(steps_keep_their_hour_where_the_clocks_go_forward),
        TEST(steps_keep_their_hour_where_the_clocks_go_back),
        TEST(steps_keep_their_hour_where_the_clocks_go_back_by_half_an_hour),
        TEST(dead_is_final_and_says_so),
        TEST(nobody_is_given_up_whom_nobody_tried),
        TEST(tests_and_suspects_are_not_worked),
        TEST(imported_people_are_nurtured),
        TEST(an_import_wakes_nobody_who_said_never_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
