/* One who proves to be two after all. Every test ends by comparing state with a rebuild. */
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

/* Rows but for what a later record may change in any case. */
static void assert_same_row(const struct person_row *a, const struct person_row *b)
{
    struct person_row x = *a, y = *b;

    x.open_tasks = y.open_tasks = 0;
    x.due_ms = y.due_ms = 0;
    x.call_ms = y.call_ms = 0;
    x.call_why = y.call_why = 0;
    assert_memory_equal(&x, &y, sizeof(x));
}

static void undone_at_once_both_are_as_they_were(void **unused)
{
    struct person_row one, other;
    struct state_edge edge;

    (void)unused;
    two();
    report(tasks[1], OUTCOME_NO_ANSWER);
    one = person();
    other = person_of(2);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    world_pass(&world, 0); /* what was withdrawn is put again */
    other.marks |= PERSON_PARTED;
    one.score_hundredths = person().score_hundredths;
    assert_same_row(&one, &(struct person_row[]){person()}[0]);
    assert_same_row(&other, &(struct person_row[]){person_of(2)}[0]);
    assert_int_equal(find_person(NULL, OTHER_EMAIL), 2);
    assert_int_equal(find_person(PHONE, NULL), 1);
    assert_false(state_edge_next(world.state, 1, EDGE_MERGED, 0, &edge));
    assert_false(state_edge_next(world.state, 2, EDGE_MERGED_INTO, 0, &edge));
}

static void the_others_call_is_made_again(void **unused)
{
    (void)unused;
    assert_int_equal(world_optin(&world, PHONE, NULL, NULL, "one", 0), STATUS_OK);
    assert_int_equal(world_optin(&world, OTHER_PHONE, NULL, NULL, "two", 0), STATUS_OK);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(open_task(2, TASK_CALL).number, 0);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    world_pass(&world, 0);
    assert_int_not_equal(open_call().number, 0);
    assert_int_equal(open_task(2, TASK_CALL).kind, TASK_FIRST_RESPONSE);
    report(open_task(2, TASK_CALL).number, OUTCOME_CONVERSATION);
    assert_int_equal(person_of(2).attempts, 1);
    assert_int_equal(person().attempts, 0);
}

static void somebody_without_a_phone_is_answered_again_too(void **unused)
{
    (void)unused;
    two();
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    world_pass(&world, 0);
    assert_int_not_equal(open_task(2, TASK_CALL).number, 0);
}

static void what_came_since_is_whose_words_it_is(void **unused)
{
    struct person_row row;

    (void)unused;
    two();
    assert_int_equal(merge(1, 2), STATUS_OK);
    report(tasks[1], OUTCOME_CONVERSATION);
    world_optin(&world, NULL, OTHER_EMAIL, NULL, "three", 0);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    row = person();
    assert_int_equal(row.attempts, 1);
    assert_int_equal(row.optins, 1);
    assert_int_equal(row.stage, STAGE_LEAD);
    assert_true(hash_is_none(row.email));
    assert_int_equal(person_of(2).optins, 2); /* its own, and the one that came since */
    assert_int_equal(person_of(2).attempts, 0);
    assert_int_equal(person_of(2).stage, STAGE_OPTIN);
}

static void never_again_that_was_said_since_holds_for_both(void **unused)
{
    (void)unused;
    two();
    assert_int_equal(merge(1, 2), STATUS_OK);
    report(tasks[1], OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_true(person().flags & PERSON_DO_NOT_CONTACT);
    assert_true(person_of(2).flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(person_of(2).due_ms, 0);
    world_pass(&world, DAY);
    assert_int_equal(open_task(2, TASK_CALL).number, 0);
}

static void never_again_of_the_other_goes_back_with_it(void **unused)
{
    (void)unused;
    two();
    world_report(&world, tasks[2], 1, REPORT_OUTCOME, OUTCOME_DO_NOT_CONTACT, "a2");
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_false(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_not_equal(person().due_ms, 0);
    assert_true(person_of(2).flags & PERSON_DO_NOT_CONTACT);
}

/* --- what the merge had withdrawn ------------------------------------------------------------ */

/* Whoever of the two it was that never wants to hear of us again. */
static void what_never_again_withdrew_of_the_other_one_comes_back(void **unused)
{
    (void)unused;
    for (unsigned stopped = 1; stopped <= 2; stopped++) {
        struct task_row mail;
        unsigned other = 3 - stopped;
        two_with_mail();
        report(tasks[stopped], OUTCOME_DO_NOT_CONTACT);
        mail = mail_of(other);
        assert_int_not_equal(mail.number, 0);
        assert_int_equal(merge(1, 2), STATUS_OK);
        assert_int_equal(person_of(1).open_tasks + person_of(2).open_tasks, 0);
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        later(0);
        assert_int_equal(open_task(other, TASK_CALL).kind, TASK_FIRST_RESPONSE);
        assert_int_not_equal(open_task(other, TASK_CALL).number, tasks[other]);
        assert_int_equal(mail_of(other).step, mail.step);
        assert_int_equal(mail_of(other).cadence, mail.cadence);
        assert_int_not_equal(mail_of(other).number, mail.number);
        assert_int_equal(person_of(other).held_ms, 0);
        assert_int_equal(person_of(stopped).open_tasks, 0);
        tear_down(NULL);
        set_up(NULL);
    }
}

static void the_others_mail_comes_back(void **unused)
{
    struct task_row mail;

    (void)unused;
    two_with_mail();
    mail = mail_of(2);
    later(HOUR); /* an escalation has sent one as well, which is nobody's step */
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(mail_of(2).number, 0);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    world_pass(&world, 0);
    assert_int_equal(mail_of(2).step, mail.step);
    assert_int_not_equal(mail_of(2).number, mail.number);
    assert_int_not_equal(mail_of(1).number, 0);
}

/* A sale has begun another cadence; the mail of the one before is as good as sent. */
static void mail_of_a_cadence_that_is_over_comes_back_too(void **unused)
{
    struct task_row mail;

    (void)unused;
    two_with_mail();
    report(tasks[2], OUTCOME_SOLD);
    mail = mail_of(2);
    assert_int_not_equal(mail.cadence, person_of(2).cadence);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    later(HOUR - 1); /* the gap behind the call in which it was sold */
    assert_int_equal(mail_of(2).step, mail.step);
    assert_int_equal(mail_of(2).cadence, mail.cadence);
}

static void mail_that_a_robot_has_is_not_sent_again(void **unused)
{
    (void)unused;
    two_with_mail();
    world_report(&world, mail_of(2).number, 1, REPORT_CLAIM, OUTCOME_NONE, "robot");
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    later(HOUR);
    assert_int_equal(mail_of(2).number, 0);
}

static void mail_that_was_sent_all_the_same_is_not_sent_again(void **unused)
{
    uint64_t mail;

    (void)unused;
    two_with_mail();
    mail = mail_of(2).number;
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(world_report(&world, mail, 1, REPORT_OUTCOME, OUTCOME_DELIVERED, "robot"),
                     STATUS_CONFLICT);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    later(HOUR);
    assert_int_equal(mail_of(2).number, 0);
}

static void mail_that_is_too_late_does_not_come_back(void **unused)
{
    (void)unused;
    two_with_mail();
    assert_int_equal(merge(1, 2), STATUS_OK);
    later(2 * DAY);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person_of(2).held_ms, 0);
}

static void who_began_anew_since_is_not_written_or_called_twice(void **unused)
{
    struct task_row call;

    (void)unused;
    two_with_mail();
    report(tasks[2], OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(merge(1, 2), STATUS_OK);
    world.now_ms += HOUR;
    world_optin(&world, PHONE, EMAIL, NULL, "three", INTAKE_CONSENT);
    call = open_call();
    assert_int_not_equal(call.number, 0);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person().held_ms, 0);
    assert_int_equal(person().call_ms, 0);
    assert_int_equal(open_call().number, call.number);
}

/* It was the other's, who is called again. */
static void the_call_that_a_merge_brought_goes_back(void **unused)
{
    uint64_t retry_ms;

    (void)unused;
    two();
    report(tasks[1], OUTCOME_NO_ANSWER);
    retry_ms = person().call_ms;
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_not_equal(open_call().number, 0);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    world_pass(&world, 0);
    assert_int_equal(open_call().number, 0);
    assert_int_equal(person().call_ms, retry_ms);
    assert_int_equal(open_task(2, TASK_CALL).kind, TASK_FIRST_RESPONSE);
}

static void a_call_that_somebody_has_in_hand_goes_on(void **unused)
{
    (void)unused;
    two();
    report(tasks[1], OUTCOME_NO_ANSWER);
    assert_int_equal(merge(1, 2), STATUS_OK);
    world_report(&world, open_call().number, 1, REPORT_CLAIM, OUTCOME_NONE, "a1");
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(open_call().state, TASK_CLAIMED);
}

static void who_came_since_is_called_too(void **unused)
{
    (void)unused;
    two();
    report(tasks[1], OUTCOME_NO_ANSWER);
    assert_int_equal(merge(1, 2), STATUS_OK);
    world_optin(&world, PHONE, NULL, NULL, "three", 0);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    world_pass(&world, 0);
    assert_int_equal(open_call().kind, TASK_FIRST_RESPONSE);
    assert_int_equal(open_task(2, TASK_CALL).kind, TASK_FIRST_RESPONSE);
}

/* The one had neither phone nor e-mail: its call is the other's, and ends once. */
static void who_cannot_be_reached_any_more_is_looked_for_again(void **unused)
{
    (void)unused;
    assert_int_equal(world_optin(&world, NULL, NULL, NULL, "one", 0), STATUS_OK);
    assert_int_equal(world_optin(&world, PHONE, NULL, NULL, "two", 0), STATUS_OK);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_not_equal(open_call().number, 0);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(open_call().number, 0);
    world_pass(&world, 0);
    assert_int_equal(open_call().number, 0);
    assert_int_not_equal(open_task(1, TASK_RESEARCH).number, 0);
    assert_int_equal(person().closed, PERSON_WORKED);
    assert_int_equal(open_task(2, TASK_CALL).kind, TASK_FIRST_RESPONSE);
}

static void a_time_that_was_agreed_is_kept(void **unused)
{
    uint64_t agreed_ms;

    (void)unused;
    two_with_mail();
    agreed_ms = world.call_at_ms = world.now_ms + 3 * HOUR;
    report(tasks[1], OUTCOME_APPOINTMENT);
    world.call_at_ms = 0;
    world_optin(&world, PHONE, EMAIL, NULL, "three", 0);
    assert_int_not_equal(open_call().number, 0);
    report(tasks[2], OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person().call_why, CALL_AGREED);
    assert_int_equal(person().call_ms, agreed_ms);
}

/* The merge had silenced calls for the one, too. */
static void who_was_tried_since_is_not_called_at_once(void **unused)
{
    (void)unused;
    two_with_mail();
    report(tasks[2], OUTCOME_WRONG_NUMBER);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(open_call().number, 0);
    world_optin(&world, "+12155550199", EMAIL, NULL, "three", 0);
    report(world.settlement.optin.task, OUTCOME_NO_ANSWER);
    assert_int_equal(person().call_why, CALL_RETRY);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person().call_why, CALL_RETRY);
}

static void who_is_called_since_is_not_called_once_more(void **unused)
{
    struct task_row call;

    (void)unused;
    two_with_mail();
    report(tasks[2], OUTCOME_WRONG_NUMBER);
    assert_int_equal(merge(1, 2), STATUS_OK);
    world_optin(&world, "+12155550199", EMAIL, NULL, "three", 0);
    call = open_call();
    assert_int_not_equal(call.number, 0);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(open_call().number, call.number);
    assert_int_equal(person().call_ms, 0);
}

/* It had no cadence to lose, and waits for a call. */
static void who_never_wants_to_hear_of_us_since_is_not_called(void **unused)
{
    (void)unused;
    use_playbook(BASED "outcomes:\n  not_now: {attempt: true, contact: true, wake: 1mo, "
                       "cadence: stop}\n");
    two_with_mail();
    report(tasks[2], OUTCOME_NOT_NOW);
    later(40 * DAY);
    assert_int_not_equal(open_task(2, TASK_CALL).number, 0);
    assert_int_equal(person_of(2).cadence, 0);
    assert_int_equal(merge(1, 2), STATUS_OK);
    world_report(&world, open_call().number, open_call().delivery, REPORT_OUTCOME,
                 OUTCOME_DO_NOT_CONTACT, "a1");
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person_of(2).closed, PERSON_STOPPED);
    assert_int_equal(person_of(2).call_ms, 0);
}

#define HOLDS                                                                                      \
    BASED "cadences:\n"                                                                            \
          "  new_lead:\n"                                                                          \
          "    title: New\n"                                                                       \
          "    for: prospects\n"                                                                   \
          "    then: nurture\n"                                                                    \
          "    steps:\n"                                                                           \
          "      - {id: hello, after: 1h, channel: email, kind: offer, template: hi}\n"            \
          "      - {id: card, after: 1d, channel: postcard, kind: offer, template: card,\n"        \
          "         late_max: 3d, without_name: hold}\n"

/* There is one place for steps that wait. */
static void a_mail_does_not_take_the_place_of_what_waits_for_a_name(void **unused)
{
    uint64_t held_ms;

    (void)unused;
    use_playbook(HOLDS);
    world.name = NULL;
    two_with_mail();
    later(DAY);
    held_ms = person().held_ms;
    assert_int_not_equal(held_ms, 0);
    assert_int_not_equal(mail_of(1).number, 0);
    report(tasks[2], OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person().held_ms, held_ms);
    assert_int_equal(person().held_step, 2);
}

static void a_step_that_another_version_has_as_well_comes_back(void **unused)
{
    (void)unused;
    two_with_mail();
    report(tasks[2], OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(move_playbook(1, use_shipped("default")), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    later(0);
    assert_int_not_equal(mail_of(1).number, 0);
}

static void a_step_that_waits_for_a_name_waits_on(void **unused)
{
    struct person_row row;

    (void)unused;
    world.name = NULL;
    assert_int_equal(world_optin(&world, PHONE, NULL, NULL, "one", 0), STATUS_OK);
    report(world.settlement.optin.task, OUTCOME_NO_ANSWER);
    later(8 * DAY);
    row = person();
    assert_int_not_equal(row.held_ms, 0);
    assert_int_equal(world_optin(&world, OTHER_PHONE, NULL, NULL, "two", 0), STATUS_OK);
    report(world.settlement.optin.task, OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(person().held_ms, 0);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person().held_ms, row.held_ms);
    assert_int_equal(person().held_cadence, row.held_cadence);
    assert_int_equal(person().held_step, row.held_step);
}

/* An unsubscription may be the other's: it has the address. */
static void what_was_silenced_since_is_silent_for_both(void **unused)
{
    (void)unused;
    two_with_mail();
    assert_int_equal(merge(1, 2), STATUS_OK);
    world_report(&world, mail_of(1).number, 1, REPORT_OUTCOME, OUTCOME_UNSUBSCRIBED, "robot");
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_true(person_of(1).silenced >> TASK_EMAIL & 1);
    assert_true(person_of(2).silenced >> TASK_EMAIL & 1);
    later(HOUR);
    assert_int_equal(mail_of(2).number, 0);
}

/* --- figures ------------------------------------------------------------------------------ */

/* Tables of counts are part of the dump, and a merge that is undone leaves them as they were. */
static void a_merge_that_is_undone_counts_nobody_twice(void **unused)
{
    struct person_row merged;

    (void)unused;
    two();
    world_report(&world, tasks[2], 1, REPORT_OUTCOME, OUTCOME_CONVERSATION, "a2");
    merge(1, 2);
    merged = person();
    assert_int_equal(merged.conversed_ms, person_of(2).conversed_ms);
    unmerge(1, 2);
    assert_int_equal(person().conversed_ms, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(undone_at_once_both_are_as_they_were),
        TEST(the_others_call_is_made_again),
        TEST(somebody_without_a_phone_is_answered_again_too),
        TEST(what_came_since_is_whose_words_it_is),
        TEST(never_again_that_was_said_since_holds_for_both),
        TEST(never_again_of_the_other_goes_back_with_it),
        TEST(what_never_again_withdrew_of_the_other_one_comes_back),
        TEST(the_others_mail_comes_back),
        TEST(mail_of_a_cadence_that_is_over_comes_back_too),
        TEST(mail_that_a_robot_has_is_not_sent_again),
        TEST(mail_that_was_sent_all_the_same_is_not_sent_again),
        TEST(mail_that_is_too_late_does_not_come_back),
        TEST(who_began_anew_since_is_not_written_or_called_twice),
        TEST(the_call_that_a_merge_brought_goes_back),
        TEST(a_call_that_somebody_has_in_hand_goes_on),
        TEST(who_came_since_is_called_too),
        TEST(who_cannot_be_reached_any_more_is_looked_for_again),
        TEST(a_time_that_was_agreed_is_kept),
        TEST(who_was_tried_since_is_not_called_at_once),
        TEST(who_is_called_since_is_not_called_once_more),
        TEST(who_never_wants_to_hear_of_us_since_is_not_called),
        TEST(a_mail_does_not_take_the_place_of_what_waits_for_a_name),
        TEST(a_step_that_another_version_has_as_well_comes_back),
        TEST(a_step_that_waits_for_a_name_waits_on),
        TEST(what_was_silenced_since_is_silent_for_both),
        TEST(a_merge_that_is_undone_counts_nobody_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
