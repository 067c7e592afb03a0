/* Which steps come after somebody was moved to another version of the playbook: none a second time,
 * and all that are still ahead. Every test ends by comparing state with a rebuild. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/carry_world.h"

/* What became of its steps, and on which day: "a@0 b@2 -c@4", c was left out. */
static const char *told(void)
{
    static char bytes[4096];
    struct text out = text_over(bytes, sizeof(bytes) - 1);

    for (unsigned i = 0; i < world.step_count; i++) {
        const struct playbook_step *step = step_of(&world.steps[i].effect);

        if (step != NULL)
            text_printf(&out, "%s%s%.*s@%u", out.length > 0 ? " " : "",
                        world.steps[i].effect.skip != SKIP_NONE ? "-" : "", (int)step->id.length,
                        step->id.bytes, (unsigned)((world.steps[i].now_ms - WORLD_START_MS) / DAY));
    }
    bytes[out.length] = '\0';
    return bytes;
}

static void live_until_day(double day)
{
    world_live(&world, WORLD_START_MS + (uint64_t)(day * DAY));
}

static void move_to(uint32_t number)
{
    assert_int_equal(move_playbook(1, number), STATUS_OK);
}

static const char *next_id(void)
{
    static char id[32];
    const struct person_row row = person();
    struct slice found = playbook_step(life_playbook(), row.cadence, row.step)->id;

    snprintf(id, sizeof(id), "%.*s", (int)found.length, found.bytes);
    return id;
}

#define FIVE "a:0s b:2d c:4d d:6d e:10d"

/* Versions are set in the order of their names; the person begins in the last one. */
static void begin(const char *steps)
{
    version(steps);
    opt_in("one");
}

/* --- another order ------------------------------------------------------------------------- */

static void a_step_that_was_sent_does_not_come_again_where_it_stands_later(void **unused)
{
    uint32_t later = version("a:0s c:4d b:6d d:8d e:10d");

    (void)unused;
    begin(FIVE);
    live_until_day(2.5);
    move_to(later);
    assert_string_equal(next_id(), "c");
    live_until_day(20);
    assert_string_equal(told(), "a@0 b@2 c@4 d@8 e@10");
}

static void a_step_that_is_ahead_comes_where_it_stands_sooner(void **unused)
{
    uint32_t sooner = version("a:0s c:4d b:6d d:8d e:10d");

    (void)unused;
    begin(FIVE);
    live_until_day(1);
    move_to(sooner);
    assert_int_equal(world.settlement.moved.lost, 0);
    live_until_day(20);
    assert_string_equal(told(), "a@0 c@4 b@6 d@8 e@10");
}

static void a_step_that_was_left_out_is_over_as_well(void **unused)
{
    uint32_t later = version("a:0s c:4d b:6d d:8d e:10d");

    (void)unused;
    begin(FIVE);
    live_until_day(1);
    world_pass(&world, 4 * DAY); /* nobody was there */
    move_to(later);
    live_until_day(20);
    assert_string_equal(told(), "a@0 -b@5 c@5 d@8 e@10");
}

/* Several that are over stand behind the next one, and what comes last is over too. */
static void many_that_are_over_are_passed_over(void **unused)
{
    uint32_t turned = version("d:6d e:7d c:8d b:9d f:10d a:11d");

    (void)unused;
    begin("a:0s b:1d c:2d d:3d e:4d f:5d");
    live_until_day(2.5);
    move_to(turned);
    live_until_day(30);
    assert_string_equal(told(), "a@0 b@1 c@2 d@6 e@7 f@10");
}

static void a_cadence_goes_on_where_all_that_is_behind_is_over(void **unused)
{
    uint32_t turned = version("c:3d b:5d a:6d");

    (void)unused;
    begin("a:0s b:1d c:2d");
    live_until_day(1.5);
    move_to(turned);
    assert_string_equal(next_id(), "c");
    live_until_day(3);
    assert_int_equal(person().cadence_ms, WORLD_START_MS + 3 * DAY); /* nurture's */
    live_until_day(20);
    assert_string_equal(told(), "a@0 b@1 c@3");
}

/* --- new ones, and those that are gone ------------------------------------------------------ */

static void a_new_step_comes_if_it_is_ahead_and_is_not_made_up_for(void **unused)
{
    uint32_t more = version("a:0s x:1d y:3d b:5d c:7d d:8d e:10d");

    (void)unused;
    begin(FIVE);
    live_until_day(2.5);
    move_to(more);
    live_until_day(20);
    assert_string_equal(told(), "a@0 b@2 y@3 c@7 d@8 e@10");
}

/* c was to come and is due at once; x was not, though it stands behind c. */
static void of_what_is_past_there_only_what_was_ahead_comes(void **unused)
{
    uint32_t sooner = version("a:0s c:1d x:2d b:3d d:6d e:10d");

    (void)unused;
    begin(FIVE);
    live_until_day(2.5);
    move_to(sooner);
    live_until_day(20);
    assert_string_equal(told(), "a@0 b@2 c@2 d@6 e@10");
}

static void a_move_back_brings_back_what_is_still_ahead(void **unused)
{
    uint32_t without = version("a:0s b:2d d:6d e:10d"), all = version(FIVE);

    (void)unused;
    opt_in("one");
    live_until_day(2.5);
    move_to(without);
    assert_int_equal(world.settlement.moved.lost, MOVE_LOST_STEP);
    assert_string_equal(next_id(), "d");
    move_to(all);
    assert_string_equal(next_id(), "c");
    live_until_day(20);
    assert_string_equal(told(), "a@0 b@2 c@4 d@6 e@10");
}

/* Past while it was gone, so it is a new one that nobody waits for. */
static void a_move_back_makes_up_for_nothing(void **unused)
{
    uint32_t without = version("a:0s b:2d d:6d e:10d"), all = version(FIVE);

    (void)unused;
    opt_in("one");
    live_until_day(2.5);
    move_to(without);
    live_until_day(5);
    move_to(all);
    assert_int_equal(world.settlement.moved.lost, 0);
    live_until_day(20);
    assert_string_equal(told(), "a@0 b@2 d@6 e@10");
}

/* What no version in between knows, the records do. */
static void a_step_that_was_gone_does_not_come_again_where_it_stands_later(void **unused)
{
    uint32_t without = version("a:0s c:4d d:6d e:10d");
    uint32_t later = version("a:0s c:4d d:6d b:7d e:10d");

    (void)unused;
    begin(FIVE);
    live_until_day(2.5);
    move_to(without);
    move_to(later);
    live_until_day(20);
    assert_string_equal(told(), "a@0 b@2 c@4 d@6 e@10");
}

static void what_is_not_made_up_for_is_not_in_the_next_version_either(void **unused)
{
    uint32_t with = version("a:0s x:1d b:2d c:4d d:6d e:10d");
    uint32_t later = version("a:0s b:2d c:4d x:5d d:6d e:10d");

    (void)unused;
    begin(FIVE);
    live_until_day(2.5);
    move_to(with);
    move_to(later);
    live_until_day(20);
    assert_string_equal(told(), "a@0 b@2 c@4 d@6 e@10");
}

/* --- dates, rounds and names ---------------------------------------------------------------- */

/* Opted in at 17:13 in Philadelphia: its date begins 17 hours before its cadence does. */
static void steps_of_dates_come_once_as_well(void **unused)
{
    uint32_t later = version("a:0s c:4@09:00 b:6@09:00 d:8@09:00");

    (void)unused;
    begin("a:0s b:2@09:00 c:4@09:00 d:8@09:00");
    live_until_day(2.5);
    move_to(later);
    live_until_day(20);
    assert_string_equal(told(), "a@0 b@1 c@3 d@7");
}

/* The last step of a round begins the next one, in which all of it comes once more; also what the
 * record has in which it begins. */
static void each_round_of_a_ring_has_its_own(void **unused)
{
    uint32_t without = version_of(RING, "a:0s c:4d"), later = version_of(RING, "a:0s c:4d b:6d");

    (void)unused;
    version_of(RING, "a:0s c:2d b:3d");
    report(opt_in("one"), OUTCOME_SOLD);
    live_until_day(3.5); /* in the second round, which has begun with b */
    move_to(without);
    move_to(later);
    live_until_day(11.5);
    assert_string_equal(told(), "a@0 c@2 b@3 a@3 c@7 b@9 a@9");
}

/* All that was left of a round is left out in one moment, which begins the next round; what robots
 * have not done of it in time is no step of that one either. */
static void what_is_late_of_a_round_is_not_of_the_next_one(void **unused)
{
    uint32_t without = version_of(RING, "a:0s z:9d"), later = version_of(RING, "a:0s c:4d b:6d");

    (void)unused;
    version_of(RING, "a:0s c:2d b:3d");
    report(opt_in("one"), OUTCOME_SOLD);
    live_until_day(1);
    world_pass(&world, 6 * DAY); /* nobody was there */
    live_until_day(7.5);
    move_to(without);
    move_to(later);
    live_until_day(13.5);
    assert_string_equal(told(), "a@0 -c@7 -b@7 a@7 c@11 b@13 a@13");
}

static void what_no_robot_did_of_a_round_is_not_of_the_next_one(void **unused)
{
    uint32_t without = version_of(RING, "a:0s z:9d"), later = version_of(RING, "a:0s b:6d");

    (void)unused;
    version_of(RING, "a:0s c:2d b:3d");
    report(opt_in("one"), OUTCOME_SOLD);
    live_until_day(5.5); /* b was given out on day 3, and until day 5 */
    move_to(without);
    move_to(later);
    live_until_day(9.5);
    assert_string_equal(told(), "a@0 c@2 b@3 a@3 c@5 b@9 a@9");
}

static void who_comes_back_gets_all_of_it_anew(void **unused)
{
    uint32_t later = version("a:0s c:4d b:6d d:8d e:10d");

    (void)unused;
    begin(FIVE);
    live_until_day(2.5);
    move_to(later);
    assert_int_not_equal(person().passed, 0);
    report(open_call().number, OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(move(MOVE_CONTACT_AGAIN), STATUS_OK);
    live_until_day(20);
    assert_string_equal(told(), "a@0 b@2 a@2 c@6 b@8 d@10 e@12");
}

static void a_step_that_waits_for_a_name_is_no_other_time_ahead(void **unused)
{
    uint32_t later = version("a:0s c:4d ~b:6d d:8d e:10d");

    (void)unused;
    world.name = NULL;
    begin("a:0s ~b:2d c:4d d:6d e:10d");
    live_until_day(2.5);
    assert_int_not_equal(person().held_ms, 0);
    move_to(later);
    assert_int_equal(person().held_step, 3);
    live_until_day(7);
    world.name = "Dana Rivera";
    opt_in("two");
    live_until_day(20);
    assert_string_equal(told(), "a@0 c@4 b@7 d@8 e@10");
}

/* --- what is taken back --------------------------------------------------------------------- */

/* Of a version that does not number them as that did in which the outcome came. */
static void an_amendment_finds_its_cadence_in_another_version(void **unused)
{
    uint32_t later;
    uint64_t task;

    (void)unused;
    later = version("a:0s c:4d d:5d b:6d e:10d");
    begin(FIVE);
    live_until_day(2.5);
    task = open_call().number;
    report(task, OUTCOME_CONVERSATION);
    move_to(later);
    world.manager = true;
    assert_int_equal(world_report(&world, task, 1, REPORT_AMEND, OUTCOME_NO_ANSWER, "a1"),
                     STATUS_OK);
    assert_string_equal(next_id(), "c");
    live_until_day(20);
    assert_string_equal(told(), "a@0 b@2 c@4 d@5 e@10");
}

static void an_amendment_gives_back_what_is_to_be_passed_over(void **unused)
{
    uint32_t later = version("a:0s c:4d b:6d d:8d e:10d");
    uint64_t task;

    (void)unused;
    begin(FIVE);
    live_until_day(2.5);
    move_to(later);
    task = open_call().number;
    report(task, OUTCOME_CONVERSATION);
    world.manager = true;
    assert_int_equal(world_report(&world, task, 1, REPORT_AMEND, OUTCOME_NO_ANSWER, "a1"),
                     STATUS_OK);
    live_until_day(20);
    assert_string_equal(told(), "a@0 b@2 c@4 d@8 e@10");
}

/* The cadence that the outcome began has another number there. */
static void an_amendment_ends_its_cadence_in_another_version(void **unused)
{
    uint32_t more = version(FIVE);
    uint64_t task;

    (void)unused;
    use_shipped("default");
    task = opt_in("one");
    live_until_day(1);
    report(task, OUTCOME_NOT_INTERESTED);
    assert_string_equal(next_id(), "month1");
    move_to(more);
    world.manager = true;
    assert_int_equal(world_report(&world, task, 1, REPORT_AMEND, OUTCOME_NO_ANSWER, "a1"),
                     STATUS_OK);
    assert_string_equal(next_id(), "resources");
}

static void who_is_left_of_a_merge_passes_over_what_the_other_had(void **unused)
{
    uint32_t later = version("a:0s c:4d b:6d d:8d e:10d"), passed;

    (void)unused;
    version(FIVE);
    assert_int_equal(world_optin(&world, PHONE, NULL, NULL, "one", INTAKE_TEST), STATUS_OK);
    assert_int_equal(world_optin(&world, NULL, EMAIL, NULL, "two", 0), STATUS_OK);
    live_until_day(2.5);
    assert_int_equal(move_playbook(1, later), STATUS_OK);
    assert_int_equal(move_playbook(2, later), STATUS_OK);
    passed = person_of(2).passed;
    assert_int_not_equal(passed, 0);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person_of(1).passed, 0);
    assert_int_equal(person_of(2).passed, passed);
    assert_int_equal(merge(1, 2), STATUS_OK);
    live_until_day(20);
    assert_string_equal(told(), "a@0 b@2 c@4 d@8 e@10");
}

/* The run was the other's, and so are the records that tell of it. */
static void who_is_left_of_a_merge_is_not_told_again_what_the_other_was(void **unused)
{
    uint32_t without = version("a:0s c:4d d:6d"), later = version("a:0s c:4d d:6d b:7d e:10d");

    (void)unused;
    version(FIVE);
    assert_int_equal(world_optin(&world, PHONE, NULL, NULL, "one", INTAKE_TEST), STATUS_OK);
    assert_int_equal(world_optin(&world, NULL, EMAIL, NULL, "two", 0), STATUS_OK);
    live_until_day(2.5);
    assert_int_equal(move_playbook(1, without), STATUS_OK);
    assert_int_equal(move_playbook(2, without), STATUS_OK);
    assert_int_equal(merge(1, 2), STATUS_OK);
    move_to(later);
    live_until_day(20);
    assert_string_equal(told(), "a@0 b@2 c@4 d@6 e@10");
}

/* What the merge brought was told in the numbers of the other version, and goes with whom it was.
 */
static void who_was_moved_after_a_merge_has_its_own_stage_and_a_prospects_steps(void **unused)
{
    const struct playbook_cadence *cadence;

    (void)unused;
    two();
    report(tasks[2], OUTCOME_SOLD);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(move_playbook(1, version(FIVE)), STATUS_OK);
    assert_string_equal(life_stage(), "customer");
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_string_equal(life_stage(), "optin");
    assert_false(person().flags & PERSON_CUSTOMER);
    cadence = playbook_cadence(life_playbook(), person().cadence);
    assert_non_null(cadence);
    assert_int_equal(cadence->program, PLAYBOOK_PROSPECTS);
    assert_true(person().step <= cadence->steps.count);
}

/* --- what the row cannot say ---------------------------------------------------------------- */

static void add_many(char *steps, size_t room, const char *before, unsigned count,
                     const char *behind)
{
    struct text out = text_over(steps, room - 1);

    text_string(&out, before);
    for (unsigned i = 0; i < count; i++)
        text_printf(&out, " n%u:%ud", i, 5 + i);
    text_string(&out, behind);
    steps[out.length] = '\0';
}

static void who_would_have_to_pass_over_what_is_too_far_stays(void **unused)
{
    static char steps[4096];
    uint32_t far, near;

    (void)unused;
    add_many(steps, sizeof(steps), "a:0s", PASSED_BITS + 1, " b:90d");
    far = version(steps);
    add_many(steps, sizeof(steps), "a:0s", PASSED_BITS, " b:90d z:91d");
    near = version(steps);
    begin("a:0s b:2d z:4d");
    live_until_day(2.5);
    assert_int_equal(move_playbook(1, far), STATUS_CONFLICT);
    assert_int_equal(world.settlement.denial, DENIED_STEPS_FAR);
    assert_int_not_equal(person().playbook, far);
    move_to(near);
    assert_int_equal(person().passed, 1u << (PASSED_BITS - 1));
    live_until_day(92);
    assert_int_equal(person().passed, 0);
    assert_non_null(strstr(told(), "n31@36 z@91"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_step_that_was_sent_does_not_come_again_where_it_stands_later),
        TEST(a_step_that_is_ahead_comes_where_it_stands_sooner),
        TEST(a_step_that_was_left_out_is_over_as_well),
        TEST(many_that_are_over_are_passed_over),
        TEST(a_cadence_goes_on_where_all_that_is_behind_is_over),
        TEST(a_new_step_comes_if_it_is_ahead_and_is_not_made_up_for),
        TEST(of_what_is_past_there_only_what_was_ahead_comes),
        TEST(a_move_back_brings_back_what_is_still_ahead),
        TEST(a_move_back_makes_up_for_nothing),
        TEST(a_step_that_was_gone_does_not_come_again_where_it_stands_later),
        TEST(what_is_not_made_up_for_is_not_in_the_next_version_either),
        TEST(steps_of_dates_come_once_as_well),
        TEST(each_round_of_a_ring_has_its_own),
        TEST(who_comes_back_gets_all_of_it_anew),
        TEST(a_step_that_waits_for_a_name_is_no_other_time_ahead),
        TEST(what_is_late_of_a_round_is_not_of_the_next_one),
        TEST(what_no_robot_did_of_a_round_is_not_of_the_next_one),
        TEST(an_amendment_gives_back_what_is_to_be_passed_over),
        TEST(an_amendment_ends_its_cadence_in_another_version),
        TEST(an_amendment_finds_its_cadence_in_another_version),
        TEST(who_is_left_of_a_merge_passes_over_what_the_other_had),
        TEST(who_is_left_of_a_merge_is_not_told_again_what_the_other_was),
        TEST(who_was_moved_after_a_merge_has_its_own_stage_and_a_prospects_steps),
        TEST(who_would_have_to_pass_over_what_is_too_far_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
