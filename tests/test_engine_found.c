/* A number that a report finds: the open call that lacked one shows it. Every test ends by
 * comparing state with a rebuild. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/task.h"
#include "tests/life_world.h"

#define OTHER_EMAIL "d.rivera@example.com"
#define FOUND       "+12125550142"

static const char *call_member(void)
{
    struct task_row call = open_call();

    return member_of(1, &call);
}

static void finds(uint64_t task, enum report_op op, enum outcome outcome)
{
    world.finds = "{\"phone\":\"" FOUND "\"}";
    assert_int_equal(world_report(&world, task, 1, op, outcome, "a1"), STATUS_OK);
    world.finds = NULL;
}

static void comes_by_mail_alone(void)
{
    assert_int_equal(world_optin(&world, NULL, EMAIL, NULL, "one", 0), STATUS_OK);
    assert_non_null(strstr(call_member(), "\"phone\":null"));
    world.now_ms += MINUTE;
}

static void a_number_that_any_report_finds_is_told_to_the_open_call(void **unused)
{
    static const struct {
        enum report_op op;
        enum outcome outcome;
    } ways[] = {
        {REPORT_OUTCOME, OUTCOME_DELIVERED},
        {REPORT_OUTCOME, OUTCOME_VOICEMAIL},
        {REPORT_CLAIM, OUTCOME_NONE},
        {REPORT_EXTEND, OUTCOME_NONE},
    };
    uint64_t mail;

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (i > 0) {
            tear_down(unused);
            set_up(unused);
        }
        comes_by_mail_alone();
        mail = open_task(1, TASK_EMAIL).number;
        finds(mail, ways[i].op, ways[i].outcome);
        assert_non_null(strstr(call_member(), "\"phone\":\"" FOUND));
        assert_int_equal(open_call().state, TASK_QUEUED);
        assert_int_equal(open_call().delivery, 2);
        assert_int_equal(world_visible(&world, world.queue), 1);
    }
}

static void a_number_that_an_amendment_finds_is_told_to_it_too(void **unused)
{
    uint64_t mail;

    (void)unused;
    comes_by_mail_alone();
    mail = open_task(1, TASK_EMAIL).number;
    report(mail, OUTCOME_DELIVERED);
    finds(mail, REPORT_AMEND, OUTCOME_DELIVERED);
    assert_non_null(strstr(call_member(), "\"phone\":\"" FOUND));
    assert_int_equal(open_call().delivery, 2);
}

static void who_has_the_call_in_hand_is_not_disturbed_by_what_is_found(void **unused)
{
    uint64_t call;

    (void)unused;
    comes_by_mail_alone();
    call = open_call().number;
    assert_int_equal(world_report(&world, call, 1, REPORT_CLAIM, OUTCOME_NONE, "a2"), STATUS_OK);
    finds(open_task(1, TASK_EMAIL).number, REPORT_OUTCOME, OUTCOME_DELIVERED);
    assert_int_equal(open_call().state, TASK_CLAIMED);
    assert_int_equal(open_call().delivery, 1);
    assert_int_equal(world_report(&world, call, 1, REPORT_RELEASE, OUTCOME_NONE, "a2"), STATUS_OK);
    assert_non_null(strstr(call_member(), "\"phone\":\"" FOUND));
}

static void what_is_found_in_the_call_itself_is_told_to_whoever_has_it_next(void **unused)
{
    uint64_t call;

    (void)unused;
    comes_by_mail_alone();
    call = open_call().number;
    finds(call, REPORT_EXTEND, OUTCOME_NONE);
    assert_int_equal(open_call().state, TASK_CLAIMED);
    assert_int_equal(open_call().delivery, 1);
    world_live(&world, open_call().lease_until_ms);
    assert_int_equal(open_call().delivery, 2);
    assert_non_null(strstr(call_member(), "\"phone\":\"" FOUND));
}

static void a_call_that_shows_a_number_is_not_given_out_anew_for_another(void **unused)
{
    (void)unused;
    opt_in("one");
    finds(open_task(1, TASK_EMAIL).number, REPORT_OUTCOME, OUTCOME_DELIVERED);
    assert_int_equal(open_call().delivery, 1);
    assert_non_null(strstr(call_member(), "\"phone\":\"" PHONE));
}

static void a_number_that_is_found_puts_a_parked_call_too(void **unused)
{
    struct civil local;

    (void)unused;
    world.site = world_admin(&world, ENTITY_SITE,
                             "{\"id\":\"careful\",\"agency\":\"acme\",\"queue\":\"acme.calls\","
                             "\"hours_policy\":\"always\"}");
    zone_civil(zone_find(SLICE("America/New_York")), WORLD_START_MS + DAY, &local);
    local.hour = 9;
    local.minute = 30;
    world.now_ms = zone_moment(zone_find(SLICE("America/New_York")), &local);
    comes_by_mail_alone();
    assert_int_equal(open_call().state, TASK_PARKED);
    finds(open_task(1, TASK_EMAIL).number, REPORT_OUTCOME, OUTCOME_DELIVERED);
    assert_int_equal(open_call().state, TASK_QUEUED);
    assert_int_equal(open_call().deadline_ms, world.now_ms + 5 * MINUTE);
    assert_non_null(strstr(call_member(), "\"phone\":\"" FOUND));
}

/* The first of two who are one named no number. */
static void what_is_found_of_two_who_are_one_is_told_to_their_call(void **unused)
{
    (void)unused;
    comes_by_mail_alone();
    assert_int_equal(world_optin(&world, NULL, OTHER_EMAIL, NULL, "two", 0), STATUS_OK);
    assert_int_equal(merge(1, 2), STATUS_OK);
    finds(open_task(1, TASK_EMAIL).number, REPORT_OUTCOME, OUTCOME_DELIVERED);
    assert_non_null(strstr(call_member(), "\"phone\":\"" FOUND));
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_non_null(strstr(call_member(), "\"phone\":\"" FOUND));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* As the number of an opt-in is. */
static void a_number_that_was_found_and_is_wrong_is_not_shown_again(void **unused)
{
    for (unsigned amended = 0; amended <= 1; amended++) {
        uint64_t call;
        tear_down(unused);
        set_up(unused);
        comes_by_mail_alone();
        finds(open_task(1, TASK_EMAIL).number, REPORT_OUTCOME, OUTCOME_DELIVERED);
        call = open_call().number;
        assert_int_equal(world_report(&world, call, 2, REPORT_OUTCOME, OUTCOME_WRONG_NUMBER, "a1"),
                         STATUS_OK);
        if (amended)
            assert_int_equal(world_report(&world, call, 2, REPORT_AMEND, OUTCOME_NO_ANSWER, "a1"),
                             STATUS_OK);
        world.now_ms += MINUTE;
        assert_int_equal(world_optin(&world, NULL, EMAIL, NULL, "two", 0), STATUS_OK);
        assert_non_null(strstr(call_member(), amended ? "\"phone\":\"" FOUND : "\"phone\":null"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_number_that_any_report_finds_is_told_to_the_open_call),
        TEST(a_number_that_an_amendment_finds_is_told_to_it_too),
        TEST(who_has_the_call_in_hand_is_not_disturbed_by_what_is_found),
        TEST(what_is_found_in_the_call_itself_is_told_to_whoever_has_it_next),
        TEST(a_call_that_shows_a_number_is_not_given_out_anew_for_another),
        TEST(a_number_that_is_found_puts_a_parked_call_too),
        TEST(what_is_found_of_two_who_are_one_is_told_to_their_call),
        TEST(a_number_that_was_found_and_is_wrong_is_not_shown_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
