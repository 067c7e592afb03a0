/* How somebody can be reached: wrong numbers, addresses that bounced, and the wish to be left
 * alone, whenever it is said. Every test ends by comparing state with a rebuild. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/task.h"
#include "server/engine_internal.h"
#include "tests/life_world.h"

#define OTHER_PHONE "+12155550188"
#define OTHER_EMAIL "d.rivera@example.com"

static bool is_silent(enum task_channel channel)
{
    return person().silenced >> channel & 1;
}

/* Of the open task of that channel. */
static const char *member(enum task_channel channel)
{
    struct task_row row = open_task(1, channel);

    return member_of(1, &row);
}

/* The next day, with words of its own; its task. */
static uint64_t comes_again(const char *phone, const char *email, uint8_t flags)
{
    world.now_ms += DAY;
    assert_int_equal(world_optin(&world, phone, email, NULL, "again", flags), STATUS_OK);
    assert_int_equal(world.settlement.optin.person, 1);
    return world.settlement.optin.task;
}

static enum status late(uint64_t task, enum outcome outcome)
{
    return world_report(&world, task, 1, REPORT_OUTCOME, outcome, "a2");
}

/* --- a wrong number ----------------------------------------------------------------------- */

static void a_number_that_is_said_again_is_called_again(void **unused)
{
    uint64_t task;

    (void)unused;
    report(opt_in("one"), OUTCOME_WRONG_NUMBER);
    assert_true(is_silent(TASK_CALL));
    task = comes_again(PHONE, EMAIL, 0);
    assert_false(is_silent(TASK_CALL));
    assert_false(is_silent(TASK_SMS));
    assert_non_null(strstr(member(TASK_CALL), "\"phone\":\"" PHONE));
    report(task, OUTCOME_NO_ANSWER);
    assert_int_equal(person().call_why, CALL_RETRY);
}

static void what_was_agreed_on_that_number_stands(void **unused)
{
    uint64_t task, at_ms;

    (void)unused;
    report(opt_in("one"), OUTCOME_WRONG_NUMBER);
    task = comes_again(PHONE, NULL, 0);
    at_ms = world.now_ms + 26 * HOUR;
    world.call_at_ms = at_ms;
    report(task, OUTCOME_APPOINTMENT);
    world.call_at_ms = 0;
    assert_int_equal(person().call_ms, at_ms);
    world_live(&world, at_ms);
    assert_int_equal(open_call().kind, TASK_AGREED);
}

static void a_list_and_an_update_say_no_number_again(void **unused)
{
    (void)unused;
    world.credential = CREDENTIAL_PUBLIC;
    assert_int_equal(world_optin(&world, PHONE, EMAIL, "e1", "one", 0), STATUS_OK);
    report(world.settlement.optin.task, OUTCOME_WRONG_NUMBER);
    world.now_ms += HOUR;
    assert_int_equal(world_optin(&world, PHONE, EMAIL, "e1", "more", 0), STATUS_OK);
    assert_true(is_silent(TASK_CALL));
    comes_again(PHONE, EMAIL, INTAKE_IMPORTED);
    assert_true(is_silent(TASK_CALL));
    comes_again(PHONE, EMAIL, INTAKE_TEST);
    assert_true(is_silent(TASK_CALL));
}

/* Whoever has that number is a stranger. */
static void a_wrong_number_is_not_told_when_only_an_address_comes(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_WRONG_NUMBER);
    assert_int_not_equal(comes_again(NULL, EMAIL, 0), 0);
    assert_true(is_silent(TASK_CALL));
    assert_int_equal(open_call().kind, TASK_FIRST_RESPONSE);
    assert_non_null(strstr(member(TASK_CALL), "\"phone\":null"));
    assert_non_null(strstr(member(TASK_CALL), "\"email\":\"" EMAIL));
}

/* --- an address that bounced --------------------------------------------------------------- */

static void opts_in_and_its_mail(enum outcome outcome)
{
    opt_in("one");
    report(open_task(1, TASK_EMAIL).number, outcome);
    assert_true(is_silent(TASK_EMAIL));
}

static void an_address_that_bounced_is_replaced(void **unused)
{
    (void)unused;
    opts_in_and_its_mail(OUTCOME_BOUNCED);
    comes_again(PHONE, EMAIL, 0);
    assert_true(is_silent(TASK_EMAIL));
    comes_again(PHONE, OTHER_EMAIL, INTAKE_IMPORTED);
    assert_true(is_silent(TASK_EMAIL));
    comes_again(PHONE, OTHER_EMAIL, 0);
    assert_false(is_silent(TASK_EMAIL));
    world_live(&world, world.now_ms + HOUR);
    assert_int_not_equal(open_task(1, TASK_EMAIL).number, 0);
    assert_non_null(strstr(member(TASK_EMAIL), OTHER_EMAIL));
    comes_again(NULL, OTHER_EMAIL, 0); /* who is found by it from now on */
}

static void who_unsubscribed_gets_no_mail_at_another_address(void **unused)
{
    (void)unused;
    opts_in_and_its_mail(OUTCOME_UNSUBSCRIBED);
    comes_again(PHONE, OTHER_EMAIL, 0);
    assert_true(is_silent(TASK_EMAIL));
}

static void who_unsubscribed_after_a_bounce_gets_none_either(void **unused)
{
    uint64_t mail;

    (void)unused;
    opt_in("one");
    mail = open_task(1, TASK_EMAIL).number;
    report(mail, OUTCOME_BOUNCED);
    assert_int_equal(late(mail, OUTCOME_UNSUBSCRIBED), STATUS_CONFLICT);
    comes_again(PHONE, OTHER_EMAIL, 0);
    assert_true(is_silent(TASK_EMAIL));
}

/* What the other one said stands in a history of its own. */
static void nobody_knows_why_mail_of_who_was_merged_is_silent(void **unused)
{
    (void)unused;
    opts_in_and_its_mail(OUTCOME_BOUNCED);
    assert_int_equal(world_optin(&world, OTHER_PHONE, NULL, NULL, "two", 0), STATUS_OK);
    assert_int_equal(merge(1, 2), STATUS_OK);
    comes_again(PHONE, OTHER_EMAIL, 0);
    assert_true(is_silent(TASK_EMAIL));
}

/* --- wishes -------------------------------------------------------------------------------- */

static void never_again_holds_behind_another_outcome(void **unused)
{
    uint64_t task = opt_in("one");

    (void)unused;
    report(task, OUTCOME_NO_ANSWER);
    assert_int_equal(late(task, OUTCOME_DO_NOT_CONTACT), STATUS_CONFLICT);
    assert_true(world.settlement.wish);
    assert_int_equal(world.record.header.kind, RECORD_LATE);
    assert_true(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(person().attempts, 1);
    assert_int_equal(person().closed, PERSON_STOPPED);
    assert_int_equal(person().open_tasks, 0);
    assert_int_equal(person().due_ms, 0);
    assert_int_equal(world_visible(&world, emails), 0);
}

static void who_unsubscribes_from_what_was_delivered_gets_no_more(void **unused)
{
    uint64_t mail;

    (void)unused;
    opt_in("one");
    mail = open_task(1, TASK_EMAIL).number;
    report(mail, OUTCOME_DELIVERED);
    assert_int_equal(late(mail, OUTCOME_UNSUBSCRIBED), STATUS_CONFLICT);
    assert_true(is_silent(TASK_EMAIL));
    assert_int_not_equal(open_call().number, 0);
    world_forget_steps(&world);
    world_live(&world, world.now_ms + 4 * DAY);
    assert_int_equal(world.steps[0].effect.skip, SKIP_SILENCED);
}

static void what_is_no_wish_is_not_told_as_one(void **unused)
{
    uint64_t task = opt_in("one");

    (void)unused;
    report(task, OUTCOME_NO_ANSWER);
    assert_int_equal(late(task, OUTCOME_SOLD), STATUS_CONFLICT);
    assert_false(world.settlement.wish);
}

static void an_amendment_of_that_task_takes_the_wish_back(void **unused)
{
    uint64_t task = opt_in("one");

    (void)unused;
    world.manager = true;
    report(task, OUTCOME_NO_ANSWER);
    late(task, OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(world_report(&world, task, 1, REPORT_AMEND, OUTCOME_NO_ANSWER, "m1"),
                     STATUS_OK);
    assert_false(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(person().call_why, CALL_RETRY);
    late(task, OUTCOME_DO_NOT_CONTACT);
    assert_true(person().flags & PERSON_DO_NOT_CONTACT);
}

static void an_amendment_of_another_task_does_not(void **unused)
{
    uint64_t task = opt_in("one"), mail = open_task(1, TASK_EMAIL).number;

    (void)unused;
    world.manager = true;
    report(mail, OUTCOME_DELIVERED);
    report(task, OUTCOME_NO_ANSWER);
    late(mail, OUTCOME_UNSUBSCRIBED);
    assert_int_equal(world_report(&world, task, 1, REPORT_AMEND, OUTCOME_BUSY, "m1"), STATUS_OK);
    assert_true(is_silent(TASK_EMAIL));
    late(mail, OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(world_report(&world, task, 1, REPORT_AMEND, OUTCOME_NO_ANSWER, "m1"),
                     STATUS_OK);
    assert_true(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(person().closed, PERSON_STOPPED);
    assert_int_equal(person().due_ms, 0);
}

/* An agent is on the phone with somebody whom a manager merges meanwhile. */
static void never_again_of_who_was_merged_is_the_others(void **unused)
{
    uint64_t task;

    (void)unused;
    opt_in("one");
    assert_int_equal(world_optin(&world, OTHER_PHONE, NULL, NULL, "two", 0), STATUS_OK);
    task = world.settlement.optin.task;
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_int_equal(late(task, OUTCOME_DO_NOT_CONTACT), STATUS_CONFLICT);
    assert_true(person().flags & PERSON_DO_NOT_CONTACT);
    assert_int_equal(person().open_tasks, 0);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_true(person().flags & PERSON_DO_NOT_CONTACT);
    assert_true(person_of(2).flags & PERSON_DO_NOT_CONTACT);
}

/* A consent that came before the second "never again" does not take it back. */
static void the_newest_never_again_is_what_a_consent_has_to_follow(void **unused)
{
    uint64_t task = opt_in("one");
    uint32_t first_s;

    (void)unused;
    report(task, OUTCOME_DO_NOT_CONTACT);
    first_s = person().stopped_s;
    world.now_ms += HOUR;
    assert_int_equal(late(task, OUTCOME_DO_NOT_CONTACT), STATUS_CONFLICT);
    assert_int_equal(person().stopped_s, first_s + HOUR / 1000);
}

/* --- a second number or address ----------------------------------------------------------- */

/* Somebody who opts in with that alone; the reason why there is no task. */
static enum no_task comes_with(const char *phone, const char *email)
{
    world.now_ms += DAY;
    assert_int_equal(world_optin(&world, phone, email, NULL, "alone", 0), STATUS_OK);
    assert_int_equal(world.settlement.optin.person, 1);
    return (enum no_task)world.settlement.optin.reason;
}

static void never_again_holds_for_a_second_number(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    report(comes_again(OTHER_PHONE, EMAIL, 0), OUTCOME_DO_NOT_CONTACT);
    assert_int_equal(comes_with(OTHER_PHONE, NULL), NO_TASK_DO_NOT_CONTACT);
    assert_int_equal(open_call().number, 0);
}

static void who_is_called_on_a_second_number_says_never_again_for_both(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    report(comes_again(OTHER_PHONE, EMAIL, 0), OUTCOME_NO_ANSWER);
    assert_int_equal(comes_with(OTHER_PHONE, NULL), NO_TASK_HAS_ONE);
    report(open_call().number, OUTCOME_DO_NOT_CONTACT);
    world_live(&world, world.now_ms + 7 * DAY);
    assert_int_equal(open_call().number, 0);
}

static void a_second_address_leads_to_the_same_person(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_UNSUBSCRIBED);
    comes_again(PHONE, OTHER_EMAIL, 0);
    assert_int_equal(comes_with(NULL, OTHER_EMAIL), NO_TASK_DO_NOT_CONTACT);
    assert_int_equal(comes_with(PHONE, NULL), NO_TASK_DO_NOT_CONTACT);
}

/* Nobody is asked whether a test means it, and what is another one's stays that one's. */
static void what_somebody_else_has_leads_to_them(void **unused)
{
    (void)unused;
    opt_in("one");
    assert_int_equal(world_optin(&world, OTHER_PHONE, NULL, NULL, "two", 0), STATUS_OK);
    assert_int_equal(world.settlement.optin.person, 2);
    world.now_ms += DAY;
    assert_int_equal(world_optin(&world, OTHER_PHONE, EMAIL, NULL, "three", 0), STATUS_OK);
    assert_int_equal(world.settlement.optin.person, 2);
    assert_int_equal(world_optin(&world, PHONE, OTHER_EMAIL, NULL, "four", INTAKE_TEST), STATUS_OK);
    assert_int_equal(world.settlement.optin.person, 1);
    assert_int_equal(world_optin(&world, NULL, OTHER_EMAIL, NULL, "five", 0), STATUS_OK);
    assert_int_equal(world.settlement.optin.person, 3);
}

/* An evening in California, a morning in New York. */
static void a_call_keeps_the_hours_of_the_number_that_it_is_made_to(void **unused)
{
    struct civil local;
    struct task_row call;

    (void)unused;
    assert_int_equal(world_optin(&world, "+14155550147", EMAIL, NULL, "one", 0), STATUS_OK);
    report(world.settlement.optin.task, OUTCOME_NO_ANSWER);
    world_live(&world, person().call_ms);
    world_live(&world, open_call().not_before_ms);
    call = open_call();
    assert_int_equal(call.state, TASK_QUEUED);
    world.now_ms = call.closes_ms - MINUTE;
    assert_int_equal(world_report(&world, call.number, 1, REPORT_CLAIM, 0, "a1"), STATUS_OK);
    assert_int_equal(world_optin(&world, "+12125550142", EMAIL, NULL, "list", INTAKE_IMPORTED),
                     STATUS_OK);
    world_live(&world, open_call().lease_until_ms);
    assert_int_equal(open_call().number, call.number);
    assert_int_equal(open_call().state, TASK_PARKED);
    zone_civil(zone_find(SLICE("America/Los_Angeles")), open_call().not_before_ms, &local);
    assert_in_range(local.hour, 8, 10);
}

/* By a site that keeps hours, at an hour and a half of New York; nobody knows where they are. */
static void comes_without_a_number(int hour, int minute)
{
    struct civil local;

    world.site = world_admin(&world, ENTITY_SITE,
                             "{\"id\":\"careful\",\"agency\":\"acme\",\"queue\":\"acme.calls\","
                             "\"hours_policy\":\"always\"}");
    zone_civil(zone_find(SLICE("America/New_York")), WORLD_START_MS + DAY, &local);
    local.hour = (uint8_t)hour;
    local.minute = (uint8_t)minute;
    world.now_ms = zone_moment(zone_find(SLICE("America/New_York")), &local);
    world.credential = CREDENTIAL_PUBLIC;
    assert_int_equal(world_optin(&world, NULL, EMAIL, "e1", "one", 0), STATUS_OK);
    assert_int_equal(open_call().state, TASK_PARKED);
    world.now_ms += MINUTE;
}

static void a_parked_call_is_put_once_a_number_comes_that_may_be_called(void **unused)
{
    (void)unused;
    comes_without_a_number(9, 30);
    assert_int_equal(world_optin(&world, "+12125550142", EMAIL, "e2", "two", 0), STATUS_OK);
    assert_int_equal(open_call().state, TASK_QUEUED);
    assert_int_equal(open_call().delivery, 1);
    assert_int_equal(open_call().not_before_ms, world.now_ms);
    assert_int_equal(open_call().deadline_ms, world.now_ms + 5 * MINUTE);
    assert_int_equal(open_call().rank_ms, open_call().deadline_ms);
    assert_int_equal(world.settlement.optin.deadline_ms, open_call().deadline_ms);
    assert_int_equal(world_visible(&world, world.queue), 1);
}

static void an_update_with_a_number_puts_a_parked_call_too(void **unused)
{
    (void)unused;
    comes_without_a_number(9, 30);
    assert_int_equal(world_optin(&world, "+12125550142", EMAIL, "e1", "more", 0), STATUS_OK);
    assert_int_equal(open_call().state, TASK_QUEUED);
    assert_int_equal(open_call().deadline_ms, world.now_ms + 5 * MINUTE);
    assert_non_null(strstr(member(TASK_CALL), "\"phone\":\"+12125550142"));
}

static void a_parked_call_waits_for_the_hours_of_the_number_that_comes(void **unused)
{
    struct civil local;

    (void)unused;
    comes_without_a_number(7, 30);
    assert_int_equal(world_optin(&world, PHONE, EMAIL, "e2", "two", 0), STATUS_OK);
    assert_int_equal(open_call().state, TASK_PARKED);
    zone_civil(zone_find(SLICE("America/New_York")), open_call().not_before_ms, &local);
    assert_int_equal(local.hour, 8);
    assert_int_equal(open_call().deadline_ms, open_call().not_before_ms + 5 * MINUTE);
    world_live(&world, open_call().not_before_ms);
    assert_int_equal(open_call().state, TASK_QUEUED);
}

/* The call that was opened for an opt-in that named no number shows one that comes after it. */
static void wrong_number_then_none_then(const char *phone, uint64_t after_ms)
{
    report(opt_in("one"), OUTCOME_WRONG_NUMBER);
    comes_again(NULL, EMAIL, 0);
    assert_non_null(strstr(member(TASK_CALL), "\"phone\":null"));
    world_live(&world, world.now_ms + after_ms);
    assert_int_equal(world_optin(&world, phone, EMAIL, NULL, "third", 0), STATUS_OK);
    assert_null(strstr(member(TASK_CALL), "\"phone\":null"));
    assert_non_null(strstr(member(TASK_CALL), phone));
}

static void a_number_that_comes_for_a_wrong_one_is_told_to_the_open_call(void **unused)
{
    (void)unused;
    wrong_number_then_none_then("+12125550142", MINUTE);
}

static void a_number_that_is_said_again_is_told_to_the_open_call(void **unused)
{
    (void)unused;
    wrong_number_then_none_then(PHONE, MINUTE);
}

static void a_call_that_is_put_anew_is_told_the_number_too(void **unused)
{
    (void)unused;
    wrong_number_then_none_then("+12125550142", DAY); /* it was late */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_number_that_is_said_again_is_called_again),
        TEST(what_was_agreed_on_that_number_stands),
        TEST(a_list_and_an_update_say_no_number_again),
        TEST(a_wrong_number_is_not_told_when_only_an_address_comes),
        TEST(an_address_that_bounced_is_replaced),
        TEST(who_unsubscribed_gets_no_mail_at_another_address),
        TEST(who_unsubscribed_after_a_bounce_gets_none_either),
        TEST(nobody_knows_why_mail_of_who_was_merged_is_silent),
        TEST(never_again_holds_behind_another_outcome),
        TEST(who_unsubscribes_from_what_was_delivered_gets_no_more),
        TEST(what_is_no_wish_is_not_told_as_one),
        TEST(an_amendment_of_that_task_takes_the_wish_back),
        TEST(an_amendment_of_another_task_does_not),
        TEST(never_again_of_who_was_merged_is_the_others),
        TEST(the_newest_never_again_is_what_a_consent_has_to_follow),
        TEST(never_again_holds_for_a_second_number),
        TEST(who_is_called_on_a_second_number_says_never_again_for_both),
        TEST(a_second_address_leads_to_the_same_person),
        TEST(what_somebody_else_has_leads_to_them),
        TEST(a_call_keeps_the_hours_of_the_number_that_it_is_made_to),
        TEST(a_parked_call_is_put_once_a_number_comes_that_may_be_called),
        TEST(an_update_with_a_number_puts_a_parked_call_too),
        TEST(a_parked_call_waits_for_the_hours_of_the_number_that_comes),
        TEST(a_number_that_comes_for_a_wrong_one_is_told_to_the_open_call),
        TEST(a_number_that_is_said_again_is_told_to_the_open_call),
        TEST(a_call_that_is_put_anew_is_told_the_number_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
