/* Outcomes that are amended when somebody was one with another in between. Every test ends by
 * comparing state with a rebuild. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/two_people.h"

static void amend(uint64_t task, enum outcome outcome)
{
    world.manager = true;
    assert_int_equal(world_report(&world, task, 1, REPORT_AMEND, outcome, "a1"), STATUS_OK);
}

static void a_sale_from_before_a_merge_is_amended_of_who_is_left(void **unused)
{
    (void)unused;
    two_with_mail();
    report(tasks[1], OUTCOME_SOLD);
    assert_int_equal(merge(1, 2), STATUS_OK);
    amend(tasks[1], OUTCOME_NO_ANSWER);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_false(person().flags & PERSON_CUSTOMER);
    assert_int_equal(person().stage, STAGE_OPTIN);
}

static void a_sale_behind_an_undo_is_amended_of_either(void **unused)
{
    (void)unused;
    for (unsigned number = 1; number <= 2; number++) {
        uint64_t task;
        two_with_mail();
        assert_int_equal(merge(1, 2), STATUS_OK);
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        later(0);
        task = open_task(number, TASK_CALL).number;
        report(task, OUTCOME_SOLD);
        assert_true(person_of(number).flags & PERSON_CUSTOMER);
        amend(task, OUTCOME_NO_ANSWER);
        assert_false(person_of(number).flags & PERSON_CUSTOMER);
        assert_int_equal(person_of(number).stage, STAGE_OPTIN);
        tear_down(NULL);
        set_up(NULL);
    }
}

static void assert_talked_with(uint64_t number)
{
    assert_false(person_of(number).flags & PERSON_CUSTOMER);
    assert_true(person_of(number).flags & PERSON_CONVERSED);
    assert_int_equal(person_of(number).stage, STAGE_LEAD);
}

/* It stands in the history of the one that was left. */
static void what_somebody_said_while_it_was_merged_stays_behind_an_amendment(void **unused)
{
    uint64_t task;

    (void)unused;
    two_with_mail();
    report(tasks[1], OUTCOME_NO_ANSWER);
    assert_int_equal(merge(1, 2), STATUS_OK);
    report(open_call().number, OUTCOME_CONVERSATION);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(person_of(2).stage, STAGE_LEAD);
    world.now_ms += HOUR;
    world_optin(&world, OTHER_PHONE, OTHER_EMAIL, NULL, "three", 0);
    task = open_task(2, TASK_CALL).number;
    report(task, OUTCOME_SOLD);
    amend(task, OUTCOME_NO_ANSWER);
    assert_talked_with(2);
}

static void assert_sold_nothing(uint64_t number)
{
    assert_false(person_of(number).flags & (PERSON_CUSTOMER | PERSON_CONVERSED));
    assert_int_equal(person_of(number).stage, STAGE_OPTIN);
    assert_int_equal(person_of(number).sold_attempt, 0);
}

static void a_sale_from_before_a_merge_is_amended_behind_its_undo(void **unused)
{
    (void)unused;
    for (unsigned number = 1; number <= 2; number++) {
        two_with_mail();
        report(tasks[3 - number], OUTCOME_CONVERSATION);
        report(tasks[number], OUTCOME_SOLD);
        assert_int_equal(merge(1, 2), STATUS_OK);
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        amend(tasks[number], OUTCOME_NO_ANSWER);
        assert_sold_nothing(number);
        tear_down(NULL);
        set_up(NULL);
    }
}

/* The other one opts in, and is called. */
static uint64_t call_other(const char *content)
{
    world.now_ms += HOUR;
    assert_int_equal(world_optin(&world, OTHER_PHONE, NULL, NULL, content, 0), STATUS_OK);
    return open_call().number;
}

/* But not where the other one said it as well while they were one. */
static void a_wish_from_before_a_merge_is_amended_behind_its_undo(void **unused)
{
    (void)unused;
    for (unsigned both = 0; both <= 1; both++) {
        two_with_mail();
        report(tasks[1], OUTCOME_NO_ANSWER);
        report(tasks[2], OUTCOME_DO_NOT_CONTACT);
        assert_int_equal(merge(1, 2), STATUS_OK);
        if (both)
            world_report(&world, tasks[1], 1, REPORT_OUTCOME, OUTCOME_DO_NOT_CONTACT, "a1");
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        amend(tasks[2], OUTCOME_NO_ANSWER);
        assert_int_equal(!(person_of(2).flags & PERSON_DO_NOT_CONTACT), !both);
        tear_down(NULL);
        set_up(NULL);
    }
}

/* Of tasks that told its words while the two were one. */
static void what_was_sold_while_one_is_amended_while_one_again(void **unused)
{
    uint64_t task;

    (void)unused;
    two_with_mail();
    report(tasks[1], OUTCOME_NO_ANSWER);
    assert_int_equal(merge(1, 2), STATUS_OK);
    report(open_call().number, OUTCOME_CONVERSATION);
    task = call_other("three");
    report(task, OUTCOME_SOLD);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_true(person_of(2).flags & PERSON_CUSTOMER);
    assert_int_equal(merge(1, 2), STATUS_OK);
    amend(task, OUTCOME_NO_ANSWER);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_talked_with(2);
}

static void what_was_said_before_stays_behind_an_amendment_while_one(void **unused)
{
    (void)unused;
    for (unsigned before = 0; before <= 1; before++) {
        uint64_t task;
        two_with_mail();
        report(tasks[1], OUTCOME_NO_ANSWER);
        report(tasks[2], before ? OUTCOME_CONVERSATION : OUTCOME_NO_ANSWER);
        assert_int_equal(merge(1, 2), STATUS_OK);
        if (!before)
            report(call_other("three"), OUTCOME_CONVERSATION);
        task = call_other("four");
        report(task, OUTCOME_SOLD);
        amend(task, OUTCOME_NO_ANSWER);
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        assert_talked_with(2);
        tear_down(NULL);
        set_up(NULL);
    }
}

/* What it said is told by three histories. */
static void a_sale_of_one_who_was_merged_twice_over_is_amended(void **unused)
{
    uint64_t call;

    (void)unused;
    two_with_mail();
    assert_int_equal(world_optin(&world, THIRD_PHONE, NULL, NULL, "three", 0), STATUS_OK);
    call = open_task(3, TASK_CALL).number;
    report(call, OUTCOME_SOLD);
    assert_int_equal(merge(2, 3), STATUS_OK);
    world_optin(&world, THIRD_PHONE, NULL, NULL, "four", 0);
    assert_int_equal(merge(1, 2), STATUS_OK);
    world_optin(&world, THIRD_PHONE, NULL, NULL, "five", 0);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(unmerge(2, 3), STATUS_OK);
    assert_int_equal(person_of(3).optins, 3);
    assert_true(person_of(3).flags & PERSON_CUSTOMER);
    amend(call, OUTCOME_NO_ANSWER);
    assert_false(person_of(3).flags & (PERSON_CUSTOMER | PERSON_CONVERSED));
    assert_int_equal(person_of(3).stage, STAGE_OPTIN);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_sale_from_before_a_merge_is_amended_of_who_is_left),
        TEST(a_sale_behind_an_undo_is_amended_of_either),
        TEST(what_somebody_said_while_it_was_merged_stays_behind_an_amendment),
        TEST(a_sale_from_before_a_merge_is_amended_behind_its_undo),
        TEST(a_wish_from_before_a_merge_is_amended_behind_its_undo),
        TEST(what_was_sold_while_one_is_amended_while_one_again),
        TEST(what_was_said_before_stays_behind_an_amendment_while_one),
        TEST(a_sale_of_one_who_was_merged_twice_over_is_amended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
