/* What each of several people who are one is alone: whose words, wishes, phones and e-mails are
 * whose once they are two again. Every test ends by comparing state with a rebuild. */
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

static enum status say(uint64_t task, enum outcome outcome)
{
    return world_report(&world, task, 1, REPORT_OUTCOME, outcome, "a1");
}

static enum status amend(uint64_t task, enum outcome outcome)
{
    world.manager = true;
    return world_report(&world, task, 1, REPORT_AMEND, outcome, "a1");
}

static void opt_in_as(const char *phone, const char *email, const char *content, uint8_t flags)
{
    world.now_ms += MINUTE;
    assert_int_equal(world_optin(&world, phone, email, NULL, content, flags), STATUS_OK);
}

static bool is_stopped(uint64_t number)
{
    return person_of(number).flags & PERSON_DO_NOT_CONTACT;
}

static bool is_silent(uint64_t number)
{
    return person_of(number).silenced >> TASK_EMAIL & 1;
}

static bool has_email(uint64_t number, const char *email)
{
    return hash_equal(person_of(number).email, hash_of(recovery_hash_key(world.recovery),
                                                       HASH_EMAIL, world.agency, slice_of(email)));
}

/* --- wishes ------------------------------------------------------------------------------- */

/* It was said already by the one whom this one is left of, so that nothing changed of the two. */
static void who_says_never_again_as_one_of_two_who_have_it_has_it(void **unused)
{
    (void)unused;
    three();
    assert_int_equal(say(tasks[0], OUTCOME_DO_NOT_CONTACT), STATUS_OK);
    assert_int_equal(merge(2, 3), STATUS_OK);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(say(tasks[2], OUTCOME_DO_NOT_CONTACT), STATUS_CONFLICT);
    assert_true(world.settlement.wish);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_true(is_stopped(2));
    assert_int_equal(unmerge(2, 3), STATUS_OK);
    assert_true(is_stopped(2));
    assert_true(is_stopped(3));
    assert_int_equal(person_of(2).closed, PERSON_STOPPED);
    later(DAY);
    assert_int_equal(person_of(2).open_tasks, 0);
}

/* The one has no e-mail: its mail went to the other's, be the newest words its own or not. */
static void who_unsubscribes_from_mail_of_then_is_whose_address_it_had(void **unused)
{
    (void)unused;
    for (unsigned again = 0; again < 2; again++) {
        struct task_row mail;
        assert_int_equal(world_optin(&world, PHONE, NULL, NULL, "one", 0), STATUS_OK);
        report(world.settlement.optin.task, OUTCOME_NO_ANSWER);
        opt_in_as(OTHER_PHONE, OTHER_EMAIL, "two", 0);
        report(mail_of(2).number, OUTCOME_DELIVERED);
        assert_int_equal(merge(1, 2), STATUS_OK);
        if (again)
            opt_in_as(PHONE, NULL, "three", 0);
        for (unsigned day = 0; day < 20 && mail_of(1).number == 0; day++)
            later(DAY);
        mail = mail_of(1);
        assert_non_null(strstr(member_of(1, &mail), OTHER_EMAIL));
        report(mail.number, OUTCOME_DELIVERED);
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        assert_int_equal(say(mail.number, OUTCOME_UNSUBSCRIBED), STATUS_CONFLICT);
        assert_true(is_silent(2));
        assert_int_equal(is_silent(1), again); /* it told words of its own */
        tear_down(NULL);
        set_up(NULL);
    }
}

static void an_amendment_of_its_own_leaves_what_the_other_one_said_while_one(void **unused)
{
    (void)unused;
    two_with_mail();
    assert_int_equal(merge(1, 2), STATUS_OK);
    report(tasks[1], OUTCOME_NO_ANSWER);
    assert_int_equal(say(tasks[2], OUTCOME_DO_NOT_CONTACT), STATUS_CONFLICT);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(amend(tasks[1], OUTCOME_VOICEMAIL), STATUS_OK);
    assert_true(is_stopped(1));
    assert_true(is_stopped(2));
}

/* Of both it was said, so it takes more than the one's amendment, be they two by then or not. */
static void an_amendment_takes_back_only_its_own_of_two_wishes(void **unused)
{
    (void)unused;
    for (unsigned before = 0; before < 2; before++) {
        two_with_mail();
        assert_int_equal(merge(1, 2), STATUS_OK);
        report(tasks[1], OUTCOME_DO_NOT_CONTACT);
        assert_int_equal(say(tasks[2], OUTCOME_DO_NOT_CONTACT), STATUS_CONFLICT);
        if (before)
            assert_int_equal(amend(tasks[1], OUTCOME_VOICEMAIL), STATUS_OK);
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        if (!before)
            assert_int_equal(amend(tasks[1], OUTCOME_VOICEMAIL), STATUS_OK);
        assert_true(is_stopped(1));
        assert_true(is_stopped(2));
        tear_down(NULL);
        set_up(NULL);
    }
}

static void an_outcome_of_the_other_ones_from_then_is_not_amended(void **unused)
{
    uint64_t task;

    (void)unused;
    two_with_mail();
    assert_int_equal(merge(1, 2), STATUS_OK);
    report(tasks[1], OUTCOME_NO_ANSWER);
    opt_in_as(OTHER_PHONE, OTHER_EMAIL, "three", 0);
    task = open_call().number;
    assert_int_not_equal(task, 0);
    report(task, OUTCOME_CONVERSATION);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(amend(task, OUTCOME_SOLD), STATUS_CONFLICT);
    assert_false(world.settlement.wish);
    assert_int_equal(person_of(2).stage, STAGE_LEAD);
    assert_int_equal(amend(task, OUTCOME_DO_NOT_CONTACT), STATUS_CONFLICT);
    assert_true(world.settlement.wish);
    assert_true(is_stopped(2));
    assert_false(is_stopped(1));
}

static void a_wish_that_was_amended_while_one_comes_back_for_nobody(void **unused)
{
    uint64_t task, mail;

    (void)unused;
    two_with_mail();
    assert_int_equal(merge(1, 2), STATUS_OK);
    mail = mail_of(1).number;
    report(mail, OUTCOME_UNSUBSCRIBED);
    assert_int_equal(amend(mail, OUTCOME_DELIVERED), STATUS_OK);
    report(tasks[1], OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(amend(tasks[1], OUTCOME_NO_ANSWER), STATUS_OK);
    opt_in_as(OTHER_PHONE, OTHER_EMAIL, "three", 0);
    task = open_call().number;
    report(task, OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(amend(task, OUTCOME_NO_ANSWER), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    for (unsigned i = 1; i <= 2; i++) {
        assert_false(is_stopped(i));
        assert_int_equal(person_of(i).silenced, 0);
        assert_int_equal(person_of(i).closed, PERSON_WORKED);
        assert_int_not_equal(person_of(i).due_ms, 0);
    }
}

static void a_wish_that_was_taken_back_by_hand_comes_back_for_nobody(void **unused)
{
    (void)unused;
    three();
    assert_int_equal(say(tasks[0], OUTCOME_DO_NOT_CONTACT), STATUS_OK);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(merge(1, 3), STATUS_OK);
    assert_int_equal(say(tasks[2], OUTCOME_DO_NOT_CONTACT), STATUS_CONFLICT);
    assert_int_equal(move(MOVE_CONTACT_AGAIN), STATUS_OK);
    assert_int_equal(unmerge(1, 3), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    for (unsigned i = 1; i <= 3; i++) {
        assert_false(is_stopped(i));
        assert_int_equal(person_of(i).closed, PERSON_WORKED);
        assert_int_not_equal(person_of(i).due_ms, 0);
    }
}

/* Whoever has the call in hand hears it; whose words it told is left alone, and who has it too. */
static void a_wish_of_a_call_in_hand_holds_for_both(void **unused)
{
    struct task_row call;

    (void)unused;
    two_with_mail();
    report(tasks[1], OUTCOME_NO_ANSWER);
    assert_int_equal(merge(1, 2), STATUS_OK);
    call = open_call();
    assert_int_equal(world_report(&world, call.number, 1, REPORT_CLAIM, OUTCOME_NONE, "a1"),
                     STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(open_call().state, TASK_CLAIMED);
    report(call.number, OUTCOME_DO_NOT_CONTACT);
    assert_true(is_stopped(1));
    assert_true(is_stopped(2));
    later(DAY);
    assert_int_equal(person_of(1).open_tasks + person_of(2).open_tasks, 0);
}

/* --- phones and e-mails ------------------------------------------------------------------- */

/* Each is known by the one before. */
static void what_hangs_together_by_three_steps_leads_to_the_other_one(void **unused)
{
    (void)unused;
    two();
    assert_int_equal(merge(1, 2), STATUS_OK);
    opt_in_as(OTHER_PHONE, OTHER_EMAIL, "three", 0);
    opt_in_as(OTHER_PHONE, THIRD_EMAIL, "four", 0);
    opt_in_as(THIRD_PHONE, THIRD_EMAIL, "five", 0);
    assert_int_equal(find_person(THIRD_PHONE, NULL), 1);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(find_person(OTHER_PHONE, NULL), 2);
    assert_int_equal(find_person(NULL, THIRD_EMAIL), 2);
    assert_int_equal(find_person(THIRD_PHONE, NULL), 2);
    assert_int_equal(find_person(PHONE, NULL), 1);
    assert_int_equal(person_of(2).optins, 4);
    assert_int_equal(person().optins, 1);
}

static void a_form_that_was_begun_while_one_goes_on_as_whose_it_is(void **unused)
{
    (void)unused;
    two();
    assert_int_equal(merge(1, 2), STATUS_OK);
    world.credential = CREDENTIAL_PUBLIC;
    world.now_ms += MINUTE;
    assert_int_equal(world_optin(&world, NULL, OTHER_EMAIL, "form-1", "step 1", 0), STATUS_OK);
    assert_int_equal(world.settlement.optin.person, 1);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    world.now_ms += MINUTE;
    assert_int_equal(world_optin(&world, THIRD_PHONE, NULL, "form-1", "step 2", 0), STATUS_OK);
    assert_true(world.settlement.kept);
    assert_int_equal(find_person(THIRD_PHONE, NULL), 2);
    assert_false(hash_is_none(person_of(2).phone));
    assert_int_equal(find_person(PHONE, NULL), 1);
    assert_int_equal(person().optins, 1);
}

/* In one go, and with one who is merged into it. */
static void the_first_email_of_the_other_one_goes_with_it(void **unused)
{
    (void)unused;
    for (unsigned chain = 0; chain < 2; chain++) {
        unsigned whose = 2 + chain;
        assert_int_equal(world_optin(&world, PHONE, EMAIL, NULL, "one", 0), STATUS_OK);
        assert_int_equal(world_optin(&world, OTHER_PHONE, NULL, NULL, "two", 0), STATUS_OK);
        assert_int_equal(world_optin(&world, THIRD_PHONE, NULL, NULL, "three", 0), STATUS_OK);
        if (chain)
            assert_int_equal(merge(2, 3), STATUS_OK);
        assert_int_equal(merge(1, 2), STATUS_OK);
        opt_in_as(chain ? THIRD_PHONE : OTHER_PHONE, OTHER_EMAIL, "four", 0);
        assert_int_equal(find_person(NULL, OTHER_EMAIL), 1);
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        assert_int_equal(find_person(NULL, OTHER_EMAIL), 2);
        assert_true(has_email(2, OTHER_EMAIL));
        assert_true(has_email(1, EMAIL));
        if (chain)
            assert_int_equal(unmerge(2, 3), STATUS_OK);
        assert_int_equal(find_person(NULL, OTHER_EMAIL), whose);
        assert_true(has_email(whose, OTHER_EMAIL));
        assert_int_equal(hash_is_none(person_of(2).email), chain);
        tear_down(NULL);
        set_up(NULL);
    }
}

static void however_many_phones_the_other_one_gives_they_are_its_own(void **unused)
{
    char phone[24];

    (void)unused;
    two_with_mail();
    assert_int_equal(merge(1, 2), STATUS_OK);
    for (unsigned i = 0; i < 9; i++) {
        snprintf(phone, sizeof(phone), "+121555502%02u", i);
        opt_in_as(phone, OTHER_EMAIL, phone, 0);
    }
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    for (unsigned i = 0; i < 9; i++) {
        snprintf(phone, sizeof(phone), "+121555502%02u", i);
        assert_int_equal(find_person(phone, NULL), 2);
    }
    assert_int_equal(find_person(PHONE, NULL), 1);
}

/* --- what was said ------------------------------------------------------------------------ */

/* Whichever of the two it was. */
static void who_has_only_tested_has_nothing_of_the_other_ones(void **unused)
{
    (void)unused;
    for (unsigned test = 1; test <= 2; test++) {
        struct person_row row;
        assert_int_equal(
            world_optin(&world, PHONE, EMAIL, NULL, "one", test == 1 ? INTAKE_TEST : 0), STATUS_OK);
        opt_in_as(OTHER_PHONE, OTHER_EMAIL, "two", test == 2 ? INTAKE_TEST : 0);
        assert_int_equal(merge(1, 2), STATUS_OK);
        report(open_call().number, OUTCOME_CONVERSATION);
        world.call_at_ms = world.now_ms + 3 * HOUR;
        opt_in_as(test == 1 ? OTHER_PHONE : PHONE, NULL, "three", 0);
        report(open_call().number, OUTCOME_APPOINTMENT);
        world.call_at_ms = 0;
        later(4 * HOUR);
        assert_int_equal(open_call().kind, TASK_AGREED);
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        later(3 * DAY);
        row = person_of(test);
        assert_int_equal(row.closed, PERSON_NOT_STARTED);
        assert_int_equal(row.open_tasks, 0);
        assert_int_equal(row.due_ms, 0);
        assert_int_equal(row.attempts, 0);
        assert_int_equal(row.contact_ms, 0);
        assert_int_equal(row.conversed_ms, 0);
        assert_false(row.flags & PERSON_CONVERSED);
        assert_int_equal(row.optins, 1);
        assert_int_equal(person_of(3 - test).attempts, 2);
        assert_int_equal(open_task(3 - test, TASK_CALL).kind, TASK_AGREED);
        tear_down(NULL);
        set_up(NULL);
    }
}

#define TRIED 6 /* so often, before somebody may be given up */

static void try_again(unsigned time)
{
    char words[16];

    report(world.settlement.optin.task, OUTCOME_NO_ANSWER);
    world.now_ms += HOUR;
    snprintf(words, sizeof(words), "again %u", time);
    opt_in_as(OTHER_PHONE, OTHER_EMAIL, words, 0);
}

enum end { GIVEN_UP, TESTED, STOPPED, MISDIALLED, ENDS };

static void an_opt_in_while_one_begins_anew_with_whose_it_is(void **unused)
{
    static const enum outcome outcomes[ENDS] = {OUTCOME_DEAD, OUTCOME_NONE, OUTCOME_DO_NOT_CONTACT,
                                                OUTCOME_WRONG_NUMBER};

    (void)unused;
    for (unsigned end = 0; end < ENDS; end++) {
        const char *phone = end == MISDIALLED ? THIRD_PHONE : OTHER_PHONE;
        struct task_row call;
        assert_int_equal(world_optin(&world, PHONE, EMAIL, NULL, "one", 0), STATUS_OK);
        opt_in_as(OTHER_PHONE, OTHER_EMAIL, "two", end == TESTED ? INTAKE_TEST : 0);
        for (unsigned i = 0; end == GIVEN_UP && i < TRIED; i++)
            try_again(i);
        if (end != TESTED)
            report(world.settlement.optin.task, outcomes[end]);
        assert_int_equal(merge(1, 2), STATUS_OK);
        world.now_ms += HOUR;
        opt_in_as(phone, OTHER_EMAIL, "three", end == STOPPED ? INTAKE_CONSENT : 0);
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        later(0);
        assert_int_equal(person_of(2).closed, PERSON_WORKED);
        assert_false(is_stopped(2));
        assert_int_equal(person_of(2).silenced, 0);
        assert_int_equal(person_of(2).optins, end == GIVEN_UP ? TRIED + 2 : 2);
        assert_int_not_equal(person_of(2).cadence, 0);
        call = open_task(2, TASK_CALL);
        assert_int_equal(call.kind, TASK_FIRST_RESPONSE);
        assert_non_null(strstr(member_of(2, &call), phone));
        tear_down(NULL);
        set_up(NULL);
    }
}

static void however_long_ago_it_was_the_one_keeps_what_it_said(void **unused)
{
    char words[16];

    (void)unused;
    two_with_mail();
    assert_int_equal(merge(1, 2), STATUS_OK);
    report(tasks[1], OUTCOME_CONVERSATION);
    for (unsigned i = 0; i <= LOOKS_BACK; i++) {
        snprintf(words, sizeof(words), "%u", i);
        world_optin(&world, OTHER_PHONE, OTHER_EMAIL, NULL, words, 0);
    }
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person().stage, STAGE_LEAD);
    assert_true(person().flags & PERSON_CONVERSED);
    assert_int_not_equal(person().conversed_ms, 0);
    assert_int_equal(person().attempts, 1);
    assert_int_equal(person().optins, 1);
    assert_int_equal(person_of(2).stage, STAGE_OPTIN);
    assert_int_equal(person_of(2).conversed_ms, 0);
    assert_int_equal(person_of(2).attempts, 0);
    assert_int_equal(person_of(2).optins, LOOKS_BACK + 2);
}

static void what_was_put_by_hand_stays_with_the_one_that_is_left(void **unused)
{
    struct command command = {.kind = COMMAND_ASSIGN, .assign = {.person = 1, .manager = true}};
    uint32_t agent;

    (void)unused;
    two_with_mail();
    agent = world_admin(&world, ENTITY_AGENT, "{\"id\":\"ann\",\"agency\":\"acme\"}");
    assert_int_equal(merge(1, 2), STATUS_OK);
    world.answers = "{\"agrees_to_change\":\"yes\"}";
    report(tasks[1], OUTCOME_CONVERSATION);
    world.answers = NULL;
    assert_int_equal(move_stage("opportunity"), STATUS_OK);
    command.assign.to = agent;
    assert_int_equal(by_hand(&command, NULL), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person().stage, STAGE_OPPORTUNITY);
    assert_int_equal(person().owner, agent);
    assert_int_equal(person_of(2).stage, STAGE_OPTIN);
    assert_int_equal(person_of(2).owner, 0);
}

static void another_version_of_the_playbook_is_that_of_both(void **unused)
{
    uint32_t version;

    (void)unused;
    three();
    assert_int_equal(merge(2, 3), STATUS_OK);
    assert_int_equal(merge(1, 2), STATUS_OK);
    version = use_shipped("default");
    assert_int_equal(move_playbook(1, version), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(unmerge(2, 3), STATUS_OK);
    for (unsigned i = 1; i <= 3; i++)
        assert_int_equal(person_of(i).playbook, version);
    later(10 * DAY);
    for (unsigned i = 1; i <= 3; i++)
        assert_int_not_equal(person_of(i).due_ms + person_of(i).open_tasks, 0);
}

/* --- many --------------------------------------------------------------------------------- */

/* All at the same moment, so that they have a run in common; each word of the one changes them all.
 */
static void a_record_has_room_for_all_who_are_one(void **unused)
{
    char phone[24], email[40];

    (void)unused;
    for (unsigned i = 0; i <= MERGED_MAX; i++) {
        snprintf(phone, sizeof(phone), "+121555502%02u", i);
        snprintf(email, sizeof(email), "p%u@example.com", i);
        assert_int_equal(world_optin(&world, phone, email, NULL, phone, 0), STATUS_OK);
    }
    for (unsigned i = 0; i < MERGED_MAX; i++)
        assert_int_equal(merge(1, i + 2), STATUS_OK);
    later(30 * DAY);
    assert_int_equal(move_playbook(1, use_shipped("default")), STATUS_OK);
    report(open_call().number, OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(move(MOVE_CONTACT_AGAIN), STATUS_OK);
    later(30 * DAY);
    opt_in_as(phone, email, "again", INTAKE_CONSENT);
    report(open_call().number, OUTCOME_DO_NOT_CONTACT);
    for (unsigned i = 0; i < MERGED_MAX; i++) {
        assert_int_equal(unmerge(1, i + 2), STATUS_OK);
        assert_true(is_stopped(i + 2));
    }
    assert_int_equal(person().optins, 1);
    assert_int_equal(person_of(MERGED_MAX + 1).optins, 2);
    assert_true(is_stopped(1));
}

/* --- who may be another one --------------------------------------------------------------- */

static bool is_reviewed(uint64_t person, uint64_t other)
{
    struct state_edge edge;

    return state_edge_next(world.state, person, EDGE_COLLIDES, other, &edge) && edge.other == other;
}

static void who_may_have_been_each_other_and_are_a_third_one_are_looked_at_no_more(void **unused)
{
    (void)unused;
    three();
    opt_in_as(OTHER_PHONE, THIRD_EMAIL, "2 or 3", 0);
    opt_in_as("+12155550155", "e@example.com", "four", 0);
    opt_in_as(THIRD_PHONE, "e@example.com", "3 or 4", 0);
    opt_in_as("+12155550155", EMAIL, "4 or 1", 0);
    assert_true(is_reviewed(2, 3));
    assert_true(is_reviewed(3, 4));
    assert_true(is_reviewed(4, 1));
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_true(is_reviewed(2, 3));
    assert_int_equal(merge(1, 3), STATUS_OK);
    assert_false(is_reviewed(2, 3));
    assert_true(is_reviewed(3, 4));
    assert_true(is_reviewed(4, 1));
    assert_int_equal(merge(1, 4), STATUS_OK);
    assert_false(is_reviewed(3, 4));
    assert_false(is_reviewed(4, 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(who_says_never_again_as_one_of_two_who_have_it_has_it),
        TEST(who_unsubscribes_from_mail_of_then_is_whose_address_it_had),
        TEST(an_amendment_of_its_own_leaves_what_the_other_one_said_while_one),
        TEST(an_amendment_takes_back_only_its_own_of_two_wishes),
        TEST(an_outcome_of_the_other_ones_from_then_is_not_amended),
        TEST(a_wish_that_was_amended_while_one_comes_back_for_nobody),
        TEST(a_wish_that_was_taken_back_by_hand_comes_back_for_nobody),
        TEST(a_wish_of_a_call_in_hand_holds_for_both),
        TEST(what_hangs_together_by_three_steps_leads_to_the_other_one),
        TEST(a_form_that_was_begun_while_one_goes_on_as_whose_it_is),
        TEST(the_first_email_of_the_other_one_goes_with_it),
        TEST(however_many_phones_the_other_one_gives_they_are_its_own),
        TEST(who_has_only_tested_has_nothing_of_the_other_ones),
        TEST(an_opt_in_while_one_begins_anew_with_whose_it_is),
        TEST(however_long_ago_it_was_the_one_keeps_what_it_said),
        TEST(what_was_put_by_hand_stays_with_the_one_that_is_left),
        TEST(another_version_of_the_playbook_is_that_of_both),
        TEST(a_record_has_room_for_all_who_are_one),
        TEST(who_may_have_been_each_other_and_are_a_third_one_are_looked_at_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
