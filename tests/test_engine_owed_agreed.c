/* A first response that is owed to somebody with whom a time is agreed: as of who was never one
 * with another, both come. Every test ends by comparing state with a rebuild. */
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

static uint64_t agreed_ms;

static void agree(uint64_t task, enum outcome outcome)
{
    agreed_ms = world.call_at_ms = world.now_ms + 20 * DAY;
    report(task, outcome);
    world.call_at_ms = 0;
}

/* A time is agreed in the answer to a mail, and nobody has called. */
static void other_waits_and_has_agreed(void)
{
    two_with_mail();
    agree(mail_of(2).number, OUTCOME_CONVERSATION);
    assert_int_equal(open_task(2, TASK_CALL).number, tasks[2]);
}

static void assert_agreed(uint64_t number)
{
    assert_int_equal(person_of(number).call_why, CALL_AGREED);
    assert_int_equal(person_of(number).call_ms, agreed_ms);
}

static void assert_has_both(uint64_t number, const char *phone)
{
    struct task_row call = open_task(number, TASK_CALL);

    assert_int_not_equal(call.number, 0);
    assert_int_equal(call.kind, TASK_FIRST_RESPONSE);
    assert_non_null(strstr(member_of(number, &call), phone));
    assert_agreed(number);
}

/* The merge withdraws it, or opens it anew and the undo withdraws it. */
static void it_comes_beside_the_time_that_is_agreed(void **unused)
{
    (void)unused;
    for (unsigned anew = 0; anew < 2; anew++) {
        uint64_t promise_ms;
        other_waits_and_has_agreed();
        promise_ms = open_task(2, TASK_CALL).promise_ms;
        if (anew)
            report(tasks[1], OUTCOME_CONVERSATION);
        assert_int_equal(merge(1, 2), STATUS_OK);
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        later(0);
        assert_has_both(2, OTHER_PHONE);
        assert_int_equal(open_task(2, TASK_CALL).promise_ms, promise_ms);
        assert_true(person_of(2).due_ms > world.now_ms);
        assert_int_equal(person().call_why, CALL_NOT);
        tear_down(NULL);
        set_up(NULL);
    }
}

static void an_opt_in_while_one_is_answered_beside_the_time_that_is_agreed(void **unused)
{
    (void)unused;
    for (unsigned who = 1; who <= 2; who++) {
        two_with_mail();
        agree(tasks[who], OUTCOME_APPOINTMENT);
        assert_int_equal(merge(1, 2), STATUS_OK);
        world.now_ms += HOUR;
        world_optin(&world, who == 1 ? PHONE : OTHER_PHONE, NULL, NULL, "three", 0);
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        later(0);
        assert_has_both(who, who == 1 ? PHONE : OTHER_PHONE);
        assert_int_equal(open_task(3 - who, TASK_CALL).kind, TASK_FIRST_RESPONSE);
        tear_down(NULL);
        set_up(NULL);
    }
}

/* The one's own call, which is open, is that response. */
static void what_is_open_is_not_owed_once_more(void **unused)
{
    (void)unused;
    two_with_mail();
    agree(tasks[1], OUTCOME_APPOINTMENT);
    report(tasks[2], OUTCOME_CONVERSATION);
    assert_int_equal(merge(1, 2), STATUS_OK);
    world_optin(&world, PHONE, NULL, NULL, "three", 0);
    assert_int_equal(open_call().kind, TASK_FIRST_RESPONSE);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_has_both(1, PHONE);
    assert_true(person().due_ms > world.now_ms);
}

static void who_was_called_while_one_is_owed_only_what_is_agreed(void **unused)
{
    (void)unused;
    other_waits_and_has_agreed();
    report(tasks[1], OUTCOME_CONVERSATION);
    assert_int_equal(merge(1, 2), STATUS_OK);
    report(open_call().number, OUTCOME_NO_ANSWER);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    later(0);
    assert_int_equal(open_task(2, TASK_CALL).number, 0);
    assert_agreed(2);
}

static void what_somebody_has_in_hand_is_that_response(void **unused)
{
    struct task_row call;

    (void)unused;
    other_waits_and_has_agreed();
    report(tasks[1], OUTCOME_CONVERSATION);
    assert_int_equal(merge(1, 2), STATUS_OK);
    call = open_call();
    assert_int_equal(world_report(&world, call.number, 1, REPORT_CLAIM, OUTCOME_NONE, "a1"),
                     STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    later(DAY);
    assert_int_equal(open_task(2, TASK_CALL).number, 0);
    assert_agreed(2);
}

static void who_wants_to_be_left_alone_is_owed_nothing(void **unused)
{
    (void)unused;
    other_waits_and_has_agreed();
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(
        world_report(&world, tasks[2], 1, REPORT_OUTCOME, OUTCOME_DO_NOT_CONTACT, "a1"),
        STATUS_CONFLICT);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person_of(2).due_ms, 0);
    later(DAY);
    assert_int_equal(person_of(2).open_tasks, 0);
}

/* One of those who go has agreed to a time, and the same one, or the other, waits for a call. */
static void among_those_who_go_both_come(void **unused)
{
    (void)unused;
    for (unsigned same = 0; same < 2; same++) {
        two_with_mail();
        world.now_ms += 10 * MINUTE;
        assert_int_equal(world_optin(&world, THIRD_PHONE, "c@example.com", NULL, "of the third", 0),
                         STATUS_OK);
        if (same)
            agree(mail_of(3).number, OUTCOME_CONVERSATION);
        else
            agree(world.settlement.optin.task, OUTCOME_APPOINTMENT);
        if (same)
            report(tasks[2], OUTCOME_CONVERSATION);
        assert_int_equal(merge(2, 3), STATUS_OK);
        assert_int_equal(merge(1, 2), STATUS_OK);
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        later(0);
        assert_has_both(2, same ? THIRD_PHONE : OTHER_PHONE);
        tear_down(NULL);
        set_up(NULL);
    }
}

/* It comes when that would have to be reported which somebody had in hand as the two parted. Who
 * agrees to a time meanwhile may have to wait for long, and is called at once. */
static void an_answer_to_a_mail_is_not_the_response_that_is_owed(void **unused)
{
    (void)unused;
    for (unsigned agrees = 0; agrees < 2; agrees++) {
        uint64_t lease_ms, mail;
        two_with_mail();
        report(tasks[1], OUTCOME_NO_ANSWER);
        assert_int_equal(merge(1, 2), STATUS_OK);
        assert_int_equal(
            world_report(&world, open_call().number, 1, REPORT_CLAIM, OUTCOME_NONE, "a1"),
            STATUS_OK);
        lease_ms = open_call().lease_until_ms;
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        assert_int_equal(person_of(2).call_why, CALL_AGAIN);
        later(0);
        mail = mail_of(2).number;
        assert_int_not_equal(mail, 0);
        if (agrees)
            agree(mail, OUTCOME_CONVERSATION);
        else
            report(mail, OUTCOME_CONVERSATION);
        later(0);
        assert_int_equal(open_task(2, TASK_CALL).number != 0, agrees);
        world_live(&world, lease_ms);
        assert_int_equal(open_task(2, TASK_CALL).kind, TASK_FIRST_RESPONSE);
        if (agrees)
            assert_has_both(2, OTHER_PHONE);
        tear_down(NULL);
        set_up(NULL);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(it_comes_beside_the_time_that_is_agreed),
        TEST(an_opt_in_while_one_is_answered_beside_the_time_that_is_agreed),
        TEST(what_is_open_is_not_owed_once_more),
        TEST(who_was_called_while_one_is_owed_only_what_is_agreed),
        TEST(what_somebody_has_in_hand_is_that_response),
        TEST(who_wants_to_be_left_alone_is_owed_nothing),
        TEST(among_those_who_go_both_come),
        TEST(an_answer_to_a_mail_is_not_the_response_that_is_owed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
