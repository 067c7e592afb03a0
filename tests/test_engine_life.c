/* A life under the playbook: the campaign, promises, steps where the clocks change, and how it
 * ends. */
#include "tests/campaign_world.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_campaign_comes_at_day_0_3_5_7_and_14_and_nothing_else),
        cmocka_unit_test_setup_teardown(a_step_without_a_queue_is_left_out_and_life_goes_on,
                                        set_up_without_robots, tear_down),
        TEST(a_step_that_is_later_than_its_late_max_is_left_out),
        TEST(a_step_that_a_crash_lost_is_made_again),
        TEST(a_postcard_waits_for_no_name),
        TEST(what_no_robot_takes_ends_and_breaks_no_promise),
        TEST(who_comes_again_does_not_hear_it_all_again),
        TEST(every_tier_and_rung_comes_once),
        TEST(the_last_rung_sends_a_robot),
        TEST(who_claims_in_time_climbs_no_rung),
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
