/* When somebody is called again: by the spacing, as agreed, in the hours of the law, within the
 * caps. */
#include "tests/campaign_world.h"

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

/* --- windows --------------------------------------------------------------------------------- */

/* Somebody has the next call in hand, and does not make it. */
static struct task_row retry_in_hand(void)
{
    struct task_row call;

    report(opt_in("one"), OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + HOUR);
    call = open_call();
    assert_int_equal(call.kind, TASK_RETRY);
    assert_int_equal(world_report(&world, call.number, 1, REPORT_CLAIM, 0, "a1"), STATUS_OK);
    return open_call();
}

static void release(const struct task_row *call)
{
    assert_int_equal(world_report(&world, call->number, 1, REPORT_RELEASE, 0, "a1"), STATUS_OK);
    assert_int_equal(open_call().number, call->number);
    assert_int_equal(open_call().delivery, 2);
}

static void an_optin_beside_a_call_in_hand_is_answered_when_that_comes_back(void **unused)
{
    struct task_row call, back;

    (void)unused;
    for (unsigned ends = 0; ends < 2; ends++) {
        call = retry_in_hand();
        world.now_ms += MINUTE;
        world.source = 7;
        assert_int_equal(opt_in("two"), call.number);
        assert_int_equal(world.settlement.optin.deadline_ms, call.deadline_ms);
        assert_int_equal(open_call().kind, TASK_RETRY);
        world.now_ms += MINUTE;
        if (ends)
            world_live(&world, call.lease_until_ms);
        else
            release(&call);
        back = open_call();
        assert_int_equal(back.number, call.number);
        assert_int_equal(back.kind, TASK_FIRST_RESPONSE);
        assert_int_equal(back.state, TASK_QUEUED);
        assert_int_equal(back.optin_seq, person().optin_seq);
        assert_int_equal(back.received_ms, person().last_ms);
        assert_int_equal(back.source, 7);
        assert_int_equal(back.deadline_ms, world.now_ms + 5 * MINUTE);
        assert_int_equal(back.rank_ms, back.deadline_ms);
        tear_down(NULL);
        set_up(NULL);
    }
}

static void an_update_beside_a_call_in_hand_comes_back_with_its_optin(void **unused)
{
    struct task_row call = retry_in_hand();
    uint64_t optin_seq;

    (void)unused;
    world.now_ms += MINUTE;
    world.credential = CREDENTIAL_PUBLIC;
    assert_int_equal(world_optin(&world, PHONE, EMAIL, "e2", "two", 0), STATUS_OK);
    optin_seq = world.settlement.optin.optin_seq;
    world.now_ms += MINUTE;
    assert_int_equal(world_optin(&world, PHONE, EMAIL, "e2", "more", 0), STATUS_OK);
    release(&call);
    assert_int_equal(open_call().kind, TASK_FIRST_RESPONSE);
    assert_int_equal(open_call().optin_seq, optin_seq);
    assert_int_equal(open_call().more_seq, person().optin_seq);
    assert_int_not_equal(person().optin_seq, optin_seq);
}

static void what_comes_back_is_as_it_was_where_no_optin_is_to_be_answered(void **unused)
{
    struct task_row call;

    (void)unused;
    for (unsigned flags = 0; flags <= INTAKE_IMPORTED; flags += INTAKE_IMPORTED) {
        call = retry_in_hand();
        world.now_ms += MINUTE;
        if (flags != 0)
            assert_int_equal(world_optin(&world, PHONE, EMAIL, NULL, "list", flags), STATUS_OK);
        release(&call);
        assert_int_equal(open_call().kind, TASK_RETRY);
        assert_int_equal(open_call().deadline_ms, call.deadline_ms);
        assert_int_equal(open_call().optin_seq, call.optin_seq);
        tear_down(NULL);
        set_up(NULL);
    }
}

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

/* At noon, by a site that always keeps hours; `settings` of that site from then on, or none. */
static struct task_row put_by_a_site_that_changes(struct slice settings)
{
    struct command command = {
        .kind = COMMAND_ADMIN,
        .payload = settings,
        .admin = {.entity = ENTITY_SITE, .remove = settings.length == 0},
    };

    world.site = command.admin.number = site_that_always_keeps_hours();
    world.now_ms = WORLD_START_MS - 5 * HOUR;
    opt_in("one");
    assert_int_not_equal(open_call().closes_ms, 0);
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    return open_call();
}

static void a_site_that_keeps_hours_no_more_shuts_nothing_again(void **unused)
{
    struct task_row call = put_by_a_site_that_changes(
        SLICE("{\"id\":\"careful\",\"agency\":\"acme\",\"queue\":\"acme.calls\"}"));

    (void)unused;
    world_live(&world, call.closes_ms + HOUR);
    assert_int_equal(open_call().state, TASK_QUEUED);
    assert_int_equal(open_call().closes_ms, 0);
    assert_int_equal(open_call().delivery, 2);
}

static void the_hours_of_a_site_that_is_gone_are_kept(void **unused)
{
    struct task_row call = put_by_a_site_that_changes(SLICE(""));
    uint64_t opens_ms;

    (void)unused;
    world_live(&world, call.closes_ms + HOUR);
    assert_int_equal(open_call().state, TASK_PARKED);
    assert_int_equal(open_call().delivery, 2);
    opens_ms = open_call().not_before_ms;
    world_live(&world, opens_ms);
    assert_int_equal(open_call().state, TASK_QUEUED);
    assert_true(open_call().closes_ms > opens_ms);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(seven_attempts_then_wakes_for_two_years),
        TEST(an_unanswered_call_is_made_again_by_the_spacing),
        TEST(an_agreed_time_goes_before_the_playbooks),
        TEST(an_agreed_call_keeps_no_gap),
        TEST(an_agreed_call_keeps_no_office_hours),
        TEST(not_now_wakes_after_ten_months),
        TEST(what_a_robot_reports_leaves_the_planned_call),
        TEST(a_fresh_optin_goes_before_a_planned_call),
        TEST(an_optin_beside_a_call_in_hand_is_answered_when_that_comes_back),
        TEST(an_update_beside_a_call_in_hand_comes_back_with_its_optin),
        TEST(what_comes_back_is_as_it_was_where_no_optin_is_to_be_answered),
        TEST(a_retry_at_night_is_parked_until_the_morning),
        TEST(the_first_response_is_never_parked_unless_the_site_says_so),
        TEST(a_call_that_is_hastened_keeps_the_hours_of_the_newest_site),
        TEST(a_call_that_is_hastened_keeps_no_hours_of_a_site_before),
        TEST(a_site_that_keeps_hours_no_more_shuts_nothing_again),
        TEST(the_hours_of_a_site_that_is_gone_are_kept),
        TEST(caps_hold_a_third_call_of_the_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
