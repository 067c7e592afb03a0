/* One who proves to be two after all, when something has come in between: opt-ins, words, other
 * merges and their undos. Every test ends by comparing state with a rebuild. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/task.h"
#include "tests/two_people.h"

static bool tells(uint64_t number, enum task_channel channel, const char *word)
{
    struct task_row task = channel == TASK_EMAIL ? mail_of(number) : open_task(number, channel);

    assert_int_not_equal(task.number, 0);
    return strstr(member_of(number, &task), word) != NULL;
}

static void who_was_two_others_is_called_by_its_own_number(void **unused)
{
    (void)unused;
    three();
    for (unsigned i = 1; i <= 3; i++)
        report(open_task(i, TASK_CALL).number, OUTCOME_NO_ANSWER);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(merge(1, 3), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(unmerge(1, 3), STATUS_OK);
    later(2 * HOUR);
    assert_true(tells(1, TASK_CALL, PHONE));
    assert_false(tells(1, TASK_CALL, OTHER_PHONE));
    assert_true(tells(2, TASK_CALL, OTHER_PHONE));
    assert_true(tells(3, TASK_CALL, THIRD_PHONE));
}

static void an_opt_in_of_the_other_ones_goes_with_it(void **unused)
{
    (void)unused;
    two_with_mail();
    report(tasks[1], OUTCOME_NO_ANSWER);
    report(tasks[2], OUTCOME_NO_ANSWER);
    assert_int_equal(merge(1, 2), STATUS_OK);
    world_optin(&world, OTHER_PHONE, OTHER_EMAIL, NULL, "three", 0);
    assert_true(tells(1, TASK_CALL, OTHER_PHONE));
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(open_call().number, 0);
    later(2 * HOUR);
    assert_true(tells(1, TASK_CALL, PHONE));
    assert_true(tells(2, TASK_CALL, OTHER_PHONE));
    assert_int_equal(open_task(2, TASK_CALL).kind, TASK_FIRST_RESPONSE);
}

/* Said to a human, which is talking. */
static void who_unsubscribed_on_the_phone_was_talked_with(void **unused)
{
    uint64_t contact_ms;

    (void)unused;
    two_with_mail();
    report(tasks[2], OUTCOME_NO_ANSWER);
    assert_int_equal(merge(1, 2), STATUS_OK);
    report(tasks[1], OUTCOME_UNSUBSCRIBED);
    contact_ms = person().contact_ms;
    assert_int_not_equal(contact_ms, 0);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person().contact_ms, contact_ms);
    assert_int_equal(person().attempts, 1);
}

/* By its e-mail, and a phone that nobody had. */
static void another_phone_of_the_other_one_leads_to_it(void **unused)
{
    (void)unused;
    two_with_mail();
    report(tasks[1], OUTCOME_NO_ANSWER);
    report(tasks[2], OUTCOME_NO_ANSWER);
    assert_int_equal(merge(1, 2), STATUS_OK);
    world_optin(&world, THIRD_PHONE, OTHER_EMAIL, NULL, "three", 0);
    assert_int_equal(find_person(THIRD_PHONE, NULL), 1);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(find_person(THIRD_PHONE, NULL), 2);
    later(2 * HOUR);
    assert_true(tells(1, TASK_CALL, PHONE));
}

/* Whoever has it in hand goes on; the next delivery is not the other one's. */
static void a_call_in_hand_is_told_anew_for_the_next(void **unused)
{
    struct task_row call;

    (void)unused;
    two_with_mail();
    report(tasks[1], OUTCOME_NO_ANSWER);
    assert_int_equal(merge(1, 2), STATUS_OK);
    call = open_call();
    world_report(&world, call.number, 1, REPORT_CLAIM, OUTCOME_NONE, "a1");
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(open_call().state, TASK_CLAIMED);
    world_report(&world, call.number, 1, REPORT_RELEASE, OUTCOME_NONE, "a1");
    assert_int_equal(open_call().number, call.number);
    assert_true(tells(1, TASK_CALL, PHONE));
}

static void who_says_so(unsigned number, enum outcome outcome)
{
    struct task_row task =
        outcome == OUTCOME_UNSUBSCRIBED ? mail_of(number) : open_task(number, TASK_CALL);

    report(task.number, outcome);
}

static void a_wish_of_one_who_stays_merged_holds(void **unused)
{
    (void)unused;
    for (unsigned never = 0; never < 2; never++) {
        enum outcome outcome = never ? OUTCOME_DO_NOT_CONTACT : OUTCOME_UNSUBSCRIBED;
        three();
        who_says_so(2, outcome);
        who_says_so(3, outcome);
        assert_int_equal(merge(1, 2), STATUS_OK);
        assert_int_equal(merge(1, 3), STATUS_OK);
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        assert_int_equal(!!(person().flags & PERSON_DO_NOT_CONTACT), never);
        assert_int_equal(person().silenced >> TASK_EMAIL & 1, !never);
        assert_int_equal(person().due_ms == 0, never);
        assert_int_equal(unmerge(1, 3), STATUS_OK);
        later(0);
        assert_false(person().flags & PERSON_DO_NOT_CONTACT);
        assert_int_equal(person().silenced, 0);
        assert_int_not_equal(open_call().number, 0);
        assert_int_not_equal(mail_of(1).number, 0);
        tear_down(NULL);
        set_up(NULL);
    }
}

static void a_wish_of_one_who_stays_merged_is_not_the_other_ones(void **unused)
{
    (void)unused;
    three();
    who_says_so(3, OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(merge(1, 3), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_true(person().flags & PERSON_DO_NOT_CONTACT);
    assert_false(person_of(2).flags & PERSON_DO_NOT_CONTACT);
    later(0);
    assert_int_not_equal(open_task(2, TASK_CALL).number, 0);
}

/* Nothing in the row tells that it was said twice. */
static void a_wish_that_both_had_said_holds_for_both(void **unused)
{
    (void)unused;
    for (unsigned first = 1; first <= 2; first++) {
        uint64_t mails[3];
        two_with_mail();
        mails[1] = mail_of(1).number;
        mails[2] = mail_of(2).number;
        report(mails[first], OUTCOME_UNSUBSCRIBED);
        assert_int_equal(merge(1, 2), STATUS_OK);
        assert_int_equal(
            world_report(&world, mails[3 - first], 1, REPORT_OUTCOME, OUTCOME_UNSUBSCRIBED, "r"),
            STATUS_CONFLICT);
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        assert_true(person_of(1).silenced >> TASK_EMAIL & 1);
        assert_true(person_of(2).silenced >> TASK_EMAIL & 1);
        tear_down(NULL);
        set_up(NULL);
    }
}

static void a_consent_of_the_other_one_does_not_take_back_what_this_one_said(void **unused)
{
    (void)unused;
    two_with_mail();
    report(tasks[1], OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(merge(1, 2), STATUS_OK);
    world.now_ms += HOUR;
    world_optin(&world, OTHER_PHONE, OTHER_EMAIL, NULL, "three", INTAKE_CONSENT);
    assert_false(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_true(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(person().open_tasks, 0);
    later(0);
    assert_int_not_equal(open_task(2, TASK_CALL).number, 0);
}

/* However much of it there is. */
static void in_a_long_history_each_has_its_own(void **unused)
{
    char words[16];

    (void)unused;
    two_with_mail();
    report(tasks[2], OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(merge(1, 2), STATUS_OK);
    for (unsigned i = 0; i <= LOOKS_BACK; i++) {
        snprintf(words, sizeof(words), "%u", i);
        world_optin(&world, PHONE, EMAIL, NULL, words, 0);
    }
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_false(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(person().closed, PERSON_WORKED);
    assert_int_equal(person().optins, LOOKS_BACK + 2);
    assert_int_equal(person_of(2).optins, 1);
    assert_true(person_of(2).flags & PERSON_DO_NOT_CONTACT);
}

/* Two of whom one is undone; the other one has the phone. */
static void who_can_be_reached_by_one_who_stays_is_called(void **unused)
{
    (void)unused;
    assert_int_equal(world_optin(&world, NULL, NULL, NULL, "one", 0), STATUS_OK);
    assert_int_equal(world_optin(&world, OTHER_PHONE, NULL, NULL, "two", 0), STATUS_OK);
    assert_int_equal(world_optin(&world, THIRD_PHONE, NULL, NULL, "three", 0), STATUS_OK);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(merge(1, 3), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    later(0);
    assert_true(tells(1, TASK_CALL, THIRD_PHONE));
    assert_int_equal(unmerge(1, 3), STATUS_OK);
    later(0);
    assert_int_not_equal(open_task(1, TASK_RESEARCH).number, 0);
    assert_true(tells(3, TASK_CALL, THIRD_PHONE));
}

static void who_opts_in_since_goes_on_with_that(void **unused)
{
    (void)unused;
    assert_int_equal(world_optin(&world, PHONE, EMAIL, NULL, "one", INTAKE_TEST), STATUS_OK);
    assert_int_equal(world_optin(&world, OTHER_PHONE, OTHER_EMAIL, NULL, "two", 0), STATUS_OK);
    assert_int_equal(merge(1, 2), STATUS_OK);
    world.now_ms += HOUR;
    world_optin(&world, PHONE, EMAIL, NULL, "really", 0);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person().closed, PERSON_WORKED);
    assert_int_not_equal(person().step_ms, 0);
    later(0);
    assert_true(tells(1, TASK_CALL, PHONE));
}

/* Only the house was tested. */
static void who_was_a_test_is_one_again(void **unused)
{
    (void)unused;
    assert_int_equal(world_optin(&world, PHONE, EMAIL, NULL, "one", INTAKE_TEST), STATUS_OK);
    assert_int_equal(world_optin(&world, OTHER_PHONE, OTHER_EMAIL, NULL, "two", 0), STATUS_OK);
    assert_int_equal(merge(1, 2), STATUS_OK);
    later(3 * DAY);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person().closed, PERSON_NOT_STARTED);
    assert_int_equal(person().cadence, 0);
    assert_int_equal(person().step, 0);
    assert_int_equal(person().due_ms, 0);
}

/* The other one is a customer, so it was in their cadence for a while. */
static void a_cadence_comes_back_whole(void **unused)
{
    struct person_row before;

    (void)unused;
    two_with_mail();
    report(tasks[1], OUTCOME_NO_ANSWER);
    report(tasks[2], OUTCOME_SOLD);
    before = person();
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_not_equal(person().cadence, before.cadence);
    later(100 * DAY);
    assert_int_not_equal(person().step, 1);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_false(person().flags & PERSON_CUSTOMER);
    assert_int_equal(person().cadence, before.cadence);
    assert_int_equal(person().cadence_ms, before.cadence_ms);
    assert_int_equal(person().step, before.step);
    assert_int_equal(person().step_ms, before.step_ms);
    assert_int_not_equal(open_call().number, 0); /* its own: of the retry that was planned */
    assert_true(tells(1, TASK_CALL, PHONE));
}

/* Cadences stand in another order there, and nobody has bought. */
static void in_another_playbook_the_plans_are_those_of_a_prospect(void **unused)
{
    const struct playbook_cadence *cadence;

    (void)unused;
    two_with_mail();
    report(tasks[2], OUTCOME_SOLD);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(move_playbook(1, use_shipped("ladder-six")), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_false(person().flags & PERSON_CUSTOMER);
    assert_int_equal(person().stage, STAGE_OPTIN);
    cadence = playbook_cadence(life_playbook(), person().cadence);
    assert_non_null(cadence);
    assert_int_equal(cadence->program, PLAYBOOK_PROSPECTS);
    assert_true(person().step <= cadence->steps.count);
}

static void what_was_known_of_the_other_one_goes_with_it(void **unused)
{
    (void)unused;
    two_with_mail();
    world.answers = "{\"needs\":\"own\"}";
    report(tasks[1], OUTCOME_CONVERSATION);
    world.answers = "{\"needs\":\"theirs\",\"interest\":\"bikes\"}";
    report(tasks[2], OUTCOME_CONVERSATION);
    world.answers = NULL;
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_answer("needs", "theirs");
    world_optin(&world, PHONE, EMAIL, NULL, "three", 0);
    world.answers = "{\"timeframe\":\"soon\"}";
    report(open_call().number, OUTCOME_CONVERSATION);
    world.answers = NULL;
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_answer("timeframe", "soon");
    assert_answer("needs", "own");
    assert_answer("interest", "");
}

/* --- figures ------------------------------------------------------------------------------ */

static void what_was_heard_since_is_not_taken_away(void **unused)
{
    struct person_row row;
    uint64_t sold_ms;

    (void)unused;
    two_with_mail();
    world.value = "500";
    report(tasks[2], OUTCOME_SOLD);
    assert_int_equal(merge(1, 2), STATUS_OK);
    sold_ms = world.now_ms += HOUR;
    world.value = "300";
    world_report(&world, tasks[1], open_call().delivery, REPORT_OUTCOME, OUTCOME_SOLD, "a1");
    world.value = NULL;
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    row = person();
    assert_int_equal(row.contact_ms, sold_ms);
    assert_int_equal(row.conversed_ms, sold_ms);
    assert_int_equal(row.end, OUTCOME_SOLD);
    assert_int_equal(row.sold_attempt, 1);
    assert_int_equal(row.sold_cents, 30000);
    assert_int_equal(person_of(2).sold_cents, 50000);
}

/* The last sale counts, so there may be less than the other one had brought. */
static void no_sale_is_less_than_nothing(void **unused)
{
    (void)unused;
    two_with_mail();
    world.value = "100";
    report(tasks[1], OUTCOME_SOLD);
    world.value = "500";
    report(tasks[2], OUTCOME_SOLD);
    assert_int_equal(merge(1, 2), STATUS_OK);
    world_optin(&world, PHONE, EMAIL, NULL, "three", 0);
    later(61 * DAY);
    world.value = "50";
    world_report(&world, open_call().number, open_call().delivery, REPORT_OUTCOME, OUTCOME_SOLD,
                 "a1");
    world.value = NULL;
    assert_int_equal(person().sold_cents, 5000);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person().sold_cents, 5000);
}

/* It was to be answered on the day on which it came. */
static void a_promise_that_was_missed_is_not_kept_by_an_undo(void **unused)
{
    uint64_t promise_ms;

    (void)unused;
    two_with_mail();
    promise_ms = open_task(2, TASK_CALL).promise_ms;
    report(tasks[1], OUTCOME_CONVERSATION);
    assert_int_equal(merge(1, 2), STATUS_OK);
    later(3 * DAY);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person().missed_s, 0);
    later(0);
    assert_int_equal(open_task(2, TASK_CALL).promise_ms, promise_ms);
    report(open_task(2, TASK_CALL).number, OUTCOME_NO_ANSWER);
    assert_int_equal(person_of(2).missed_s, promise_ms / 1000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(who_was_two_others_is_called_by_its_own_number),
        TEST(an_opt_in_of_the_other_ones_goes_with_it),
        TEST(who_unsubscribed_on_the_phone_was_talked_with),
        TEST(another_phone_of_the_other_one_leads_to_it),
        TEST(a_call_in_hand_is_told_anew_for_the_next),
        TEST(a_wish_of_one_who_stays_merged_holds),
        TEST(a_wish_of_one_who_stays_merged_is_not_the_other_ones),
        TEST(a_wish_that_both_had_said_holds_for_both),
        TEST(a_consent_of_the_other_one_does_not_take_back_what_this_one_said),
        TEST(in_a_long_history_each_has_its_own),
        TEST(who_can_be_reached_by_one_who_stays_is_called),
        TEST(who_opts_in_since_goes_on_with_that),
        TEST(who_was_a_test_is_one_again),
        TEST(a_cadence_comes_back_whole),
        TEST(in_another_playbook_the_plans_are_those_of_a_prospect),
        TEST(what_was_known_of_the_other_one_goes_with_it),
        TEST(what_was_heard_since_is_not_taken_away),
        TEST(no_sale_is_less_than_nothing),
        TEST(a_promise_that_was_missed_is_not_kept_by_an_undo),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
