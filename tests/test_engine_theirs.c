/* What is one's, and what is another one's, of people who are one for a while: numbers, addresses,
 * calls, and whose words a task has told. Every test ends by comparing state with a rebuild. */
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

static void opt_in_as(const char *phone, const char *email, const char *event, const char *content)
{
    world.now_ms += MINUTE;
    assert_int_equal(world_optin(&world, phone, email, event, content, 0), STATUS_OK);
}

static bool is_stopped(uint64_t number)
{
    return person_of(number).flags & PERSON_DO_NOT_CONTACT;
}

static bool tells(uint64_t number, enum task_channel channel, const char *word)
{
    struct task_row task = channel == TASK_EMAIL ? mail_of(number) : open_task(number, channel);

    assert_int_not_equal(task.number, 0);
    return strstr(member_of(number, &task), word) != NULL;
}

/* The one is known by a number and the other by an address, or the other way round. */
static void two_of_one_each(bool phone)
{
    opt_in_as(phone ? PHONE : NULL, phone ? NULL : EMAIL, NULL, "one");
    tasks[1] = world.settlement.optin.task;
    opt_in_as(phone ? NULL : OTHER_PHONE, phone ? OTHER_EMAIL : NULL, NULL, "two");
    tasks[2] = world.settlement.optin.task;
    assert_int_equal(world.settlement.optin.person, 2);
}

/* --- numbers and addresses ---------------------------------------------------------------- */

/* An opt-in that names both is about a person, and no other one is reached by it. */
static void an_opt_in_that_names_both_brings_nobody_the_others_mail(void **unused)
{
    (void)unused;
    two_with_mail();
    report(tasks[1], OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(merge(1, 2), STATUS_OK);
    world_optin(&world, OTHER_PHONE, EMAIL, NULL, "three", INTAKE_CONSENT);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    later(0);
    assert_true(tells(2, TASK_CALL, OTHER_EMAIL));
    assert_false(tells(2, TASK_CALL, EMAIL));
    assert_int_equal(find_person(NULL, EMAIL), 1);
}

/* A form of the other one's that goes on with what is the one's, who wants to be left alone. */
static void an_update_that_names_both_brings_nobody_the_others_phone_or_mail(void **unused)
{
    (void)unused;
    for (unsigned phone = 0; phone < 2; phone++) {
        two_of_one_each(phone);
        report(tasks[1], OUTCOME_DO_NOT_CONTACT);
        assert_int_equal(merge(1, 2), STATUS_OK);
        world.credential = CREDENTIAL_PUBLIC;
        opt_in_as(phone ? NULL : OTHER_PHONE, phone ? OTHER_EMAIL : NULL, "form-1", "step 1");
        opt_in_as(phone ? PHONE : OTHER_PHONE, phone ? OTHER_EMAIL : EMAIL, "form-1", "step 2");
        assert_true(world.settlement.kept);
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        assert_true(is_stopped(1));
        assert_false(is_stopped(2));
        assert_true(hash_is_none(phone ? person_of(2).phone : person_of(2).email));
        assert_int_equal(phone ? find_person(PHONE, NULL) : find_person(NULL, EMAIL), 1);
        later(0);
        assert_true(tells(2, TASK_CALL, phone ? OTHER_EMAIL : OTHER_PHONE));
        assert_false(tells(2, TASK_CALL, phone ? PHONE : EMAIL));
        tear_down(NULL);
        set_up(NULL);
    }
}

/* It may be the one's word, who has that phone. */
static void a_consent_beside_the_ones_phone_takes_nothing_back_of_the_other_one(void **unused)
{
    (void)unused;
    two_of_one_each(true);
    report(tasks[2], OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(merge(1, 2), STATUS_OK);
    world.credential = CREDENTIAL_PUBLIC;
    opt_in_as(NULL, OTHER_EMAIL, "form-1", "step 1");
    world.now_ms += MINUTE;
    assert_int_equal(world_optin(&world, PHONE, OTHER_EMAIL, "form-1", "step 2", INTAKE_CONSENT),
                     STATUS_OK);
    assert_true(world.settlement.kept);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_true(is_stopped(2));
    later(DAY);
    assert_int_equal(person_of(2).open_tasks, 0);
}

static bool is_reviewed(uint64_t person, uint64_t other)
{
    struct state_edge edge;

    return (person_of(person).flags & PERSON_REVIEW) &&
           state_edge_next(world.state, person, EDGE_COLLIDES, other, &edge) && edge.other == other;
}

/* By a consent, or by what is a third one's. */
static void who_is_to_be_looked_at_is_whose_words_they_were(void **unused)
{
    (void)unused;
    three();
    report(tasks[2], OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(merge(1, 2), STATUS_OK);
    world.now_ms += MINUTE;
    assert_int_equal(world_optin(&world, OTHER_PHONE, OTHER_EMAIL, NULL, "four", INTAKE_CONSENT),
                     STATUS_OK);
    assert_true(is_reviewed(1, 0));
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_false(person().flags & PERSON_REVIEW);
    assert_false(is_reviewed(1, 0));
    assert_true(is_reviewed(2, 0));

    assert_int_equal(merge(1, 2), STATUS_OK);
    opt_in_as(PHONE, THIRD_EMAIL, NULL, "five");
    assert_true(is_reviewed(1, 3));
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_true(is_reviewed(1, 3));
    assert_true(is_reviewed(2, 0));
    assert_false(is_reviewed(2, 3));
}

static unsigned count_reviews(uint64_t person)
{
    struct state_edge edge;
    uint64_t from = 0;
    unsigned count = 0;

    for (; state_edge_next(world.state, person, EDGE_COLLIDES, from, &edge); from = edge.other + 1)
        count++;
    assert_int_equal(!!(person_of(person).flags & PERSON_REVIEW), count > 0);
    return count;
}

static void who_were_one_are_not_looked_at_for_each_other(void **unused)
{
    (void)unused;
    two_with_mail();
    opt_in_as(PHONE, OTHER_EMAIL, NULL, "three");
    assert_int_equal(count_reviews(1), 1);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(count_reviews(1) + count_reviews(2), 0);
}

static void what_a_record_has_no_room_for_is_looked_at_of_the_one_that_is_left(void **unused)
{
    char email[32], words[16];

    (void)unused;
    two_with_mail();
    for (unsigned i = 0; i < 10; i++) {
        snprintf(email, sizeof(email), "%u@example.com", i);
        opt_in_as(NULL, email, NULL, email);
    }
    assert_int_equal(merge(1, 2), STATUS_OK);
    for (unsigned i = 0; i < 10; i++) {
        snprintf(email, sizeof(email), "%u@example.com", i);
        snprintf(words, sizeof(words), "again %u", i);
        opt_in_as(OTHER_PHONE, email, NULL, words);
    }
    assert_int_equal(count_reviews(1), 10);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(count_reviews(1), 2);
    assert_int_equal(count_reviews(2), 8);
}

/* Of the one's own call, by whoever had the other's before them. */
static void what_a_report_finds_is_whose_it_was(void **unused)
{
    (void)unused;
    for (unsigned phone = 0; phone < 2; phone++) {
        const char *name = phone ? "phone" : "email";
        two_of_one_each(!phone);
        report(tasks[2], OUTCOME_NO_ANSWER);
        assert_int_equal(merge(1, 2), STATUS_OK);
        world.finds = phone ? "{\"phone\":\"" OTHER_PHONE "\",\"email\":\"" THIRD_EMAIL "\"}"
                            : "{\"email\":\"" OTHER_EMAIL "\",\"phone\":\"" THIRD_PHONE "\"}";
        report(tasks[1], OUTCOME_NO_ANSWER);
        world.finds = NULL;
        assert_string_equal(life_known_value(KNOWN_FINDING, name),
                            phone ? OTHER_PHONE : OTHER_EMAIL);
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        assert_true(hash_is_none(phone ? person().phone : person().email));
        assert_int_equal(phone ? find_person(OTHER_PHONE, NULL) : find_person(NULL, OTHER_EMAIL),
                         2);
        assert_string_equal(life_known_value(KNOWN_FINDING, name), "");
        assert_string_equal(life_known_value(KNOWN_FINDING, phone ? "email" : "phone"),
                            phone ? THIRD_EMAIL : THIRD_PHONE);
        later(2 * HOUR);
        assert_false(tells(1, phone ? TASK_EMAIL : TASK_CALL, phone ? OTHER_PHONE : OTHER_EMAIL));
        tear_down(NULL);
        set_up(NULL);
    }
}

/* --- calls -------------------------------------------------------------------------------- */

/* As long as the one's own call was open, the other's, which came to be due, was not made. */
static void a_call_that_gave_way_comes_behind_the_undo(void **unused)
{
    (void)unused;
    for (unsigned agreed = 0; agreed < 2; agreed++) {
        two_with_mail();
        world.call_at_ms = agreed ? world.now_ms + 3 * HOUR : 0;
        report(tasks[2], agreed ? OUTCOME_APPOINTMENT : OUTCOME_NO_ANSWER);
        world.call_at_ms = 0;
        assert_int_equal(merge(1, 2), STATUS_OK);
        assert_int_equal(person().call_why, agreed ? CALL_AGREED : CALL_RETRY);
        later(DAY);
        assert_int_equal(person().call_ms, 0);
        assert_int_equal(open_call().number, tasks[1]);
        assert_int_equal(open_call().kind, TASK_FIRST_RESPONSE);
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        later(DAY);
        assert_true(tells(2, TASK_CALL, OTHER_PHONE));
        assert_int_equal(open_task(2, TASK_CALL).kind, agreed ? TASK_AGREED : TASK_RETRY);
        tear_down(NULL);
        set_up(NULL);
    }
}

/* What somebody who goes had of one who was merged into it before goes with it. */
static void a_call_of_one_who_was_merged_before_comes_back(void **unused)
{
    (void)unused;
    three();
    report(tasks[2], OUTCOME_CONVERSATION);
    assert_int_equal(merge(2, 3), STATUS_OK);
    assert_true(tells(2, TASK_CALL, THIRD_PHONE));
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    later(0);
    assert_true(tells(2, TASK_CALL, THIRD_PHONE));
}

/* The newest words are the one's, of a number that was wrong, which says nothing of the other's. */
static void a_call_that_is_taken_over_shows_what_it_showed(void **unused)
{
    (void)unused;
    two_with_mail();
    world_optin(&world, THIRD_PHONE, EMAIL, NULL, "three", 0);
    report(tasks[1], OUTCOME_NO_ANSWER);
    later(DAY);
    assert_true(tells(1, TASK_CALL, THIRD_PHONE));
    report(open_call().number, OUTCOME_WRONG_NUMBER);
    assert_int_equal(open_call().number, 0);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_true(tells(1, TASK_CALL, OTHER_PHONE));
}

/* --- whose words a task has told ----------------------------------------------------------- */

/* Each who opts in hastens the one call that has been missed. Said of it in hand, or late. */
static void a_wish_holds_for_all_whose_words_its_call_has_told(void **unused)
{
    (void)unused;
    for (unsigned late = 0; late < 2; late++) {
        struct task_row call;
        three();
        report(tasks[2], OUTCOME_NO_ANSWER);
        report(tasks[0], OUTCOME_NO_ANSWER);
        assert_int_equal(merge(1, 2), STATUS_OK);
        assert_int_equal(merge(1, 3), STATUS_OK);
        later(10 * MINUTE);
        opt_in_as(OTHER_PHONE, OTHER_EMAIL, NULL, "four");
        later(10 * MINUTE);
        opt_in_as(THIRD_PHONE, THIRD_EMAIL, NULL, "five");
        call = open_call();
        assert_int_equal(call.number, tasks[1]);
        assert_int_equal(call.delivery, 3);
        assert_int_equal(world_report(&world, call.number, 3, late ? REPORT_OUTCOME : REPORT_CLAIM,
                                      late ? OUTCOME_NO_ANSWER : OUTCOME_NONE, "a1"),
                         STATUS_OK);
        assert_int_equal(unmerge(1, 2), STATUS_OK);
        assert_int_equal(unmerge(1, 3), STATUS_OK);
        assert_int_equal(
            world_report(&world, call.number, 3, REPORT_OUTCOME, OUTCOME_DO_NOT_CONTACT, "a1"),
            late ? STATUS_CONFLICT : STATUS_OK);
        for (unsigned i = 1; i <= 3; i++)
            assert_true(is_stopped(i));
        later(DAY);
        for (unsigned i = 1; i <= 3; i++)
            assert_int_equal(person_of(i).open_tasks, 0);
        tear_down(NULL);
        set_up(NULL);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_opt_in_that_names_both_brings_nobody_the_others_mail),
        TEST(an_update_that_names_both_brings_nobody_the_others_phone_or_mail),
        TEST(a_consent_beside_the_ones_phone_takes_nothing_back_of_the_other_one),
        TEST(who_is_to_be_looked_at_is_whose_words_they_were),
        TEST(who_were_one_are_not_looked_at_for_each_other),
        TEST(what_a_record_has_no_room_for_is_looked_at_of_the_one_that_is_left),
        TEST(what_a_report_finds_is_whose_it_was),
        TEST(a_call_that_gave_way_comes_behind_the_undo),
        TEST(a_call_of_one_who_was_merged_before_comes_back),
        TEST(a_call_that_is_taken_over_shows_what_it_showed),
        TEST(a_wish_holds_for_all_whose_words_its_call_has_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
