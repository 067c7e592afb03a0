/* Of several numbers and addresses, what a report of a wrong one is about, what leads to the person
 * behind it, and what tasks show then. Every test ends by comparing state with a rebuild. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/zone.h"
#include "tests/two_people.h"

#define WESTERN_PHONE "+13105550188"

static bool is_silent(enum task_channel channel)
{
    return person().silenced >> channel & 1;
}

/* The next day; its task. */
static uint64_t comes_with(const char *phone, const char *email)
{
    world.now_ms += DAY;
    assert_int_equal(world_optin(&world, phone, email, NULL, "again", 0), STATUS_OK);
    assert_int_equal(world.settlement.optin.person, 1);
    return world.settlement.optin.task;
}

static void assert_shows(enum task_channel channel, const char *wanted)
{
    struct task_row row = open_task(1, channel);

    assert_int_not_equal(row.number, 0);
    assert_non_null(strstr(member_of(1, &row), wanted));
}

static void assert_call_shows(const char *phone)
{
    char wanted[64];

    snprintf(wanted, sizeof(wanted), "\"phone\":\"%s\"", phone);
    assert_shows(TASK_CALL, wanted);
}

/* Until somebody is to call again. */
static void wait_for_call(void)
{
    for (unsigned i = 0; i < 60 && open_call().number == 0; i++)
        world_live(&world, world.now_ms + DAY);
}

static uint64_t comes_with_a_second(void)
{
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    return comes_with(OTHER_PHONE, EMAIL);
}

/* --- a second number is wrong --------------------------------------------------------------- */

static void what_is_wrong_is_the_number_that_the_task_showed(void **unused)
{
    uint64_t task = comes_with_a_second();

    (void)unused;
    assert_call_shows(OTHER_PHONE);
    report(task, OUTCOME_WRONG_NUMBER);
    assert_false(is_silent(TASK_CALL));
    assert_int_equal(find_person(PHONE, NULL), 1);
    assert_int_equal(find_person(OTHER_PHONE, NULL), 0);
    wait_for_call();
    assert_call_shows(PHONE);
}

static void the_first_number_stays_when_a_third_one_comes(void **unused)
{
    (void)unused;
    report(comes_with_a_second(), OUTCOME_WRONG_NUMBER);
    report(comes_with(THIRD_PHONE, EMAIL), OUTCOME_DO_NOT_CONTACT);
    comes_with(PHONE, NULL);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_DO_NOT_CONTACT);
    assert_int_equal(find_person(THIRD_PHONE, NULL), 1);
}

static void whoever_comes_with_the_wrong_number_is_somebody_else(void **unused)
{
    (void)unused;
    report(comes_with_a_second(), OUTCOME_WRONG_NUMBER);
    assert_int_equal(world_optin(&world, OTHER_PHONE, OTHER_EMAIL, NULL, "stranger", 0), STATUS_OK);
    assert_int_equal(world.settlement.optin.person, 2);
    wait_for_call();
    assert_call_shows(PHONE);
}

static void a_second_number_that_is_said_again_is_called_again(void **unused)
{
    (void)unused;
    report(comes_with_a_second(), OUTCOME_WRONG_NUMBER);
    comes_with(OTHER_PHONE, EMAIL);
    assert_call_shows(OTHER_PHONE);
    assert_int_equal(find_person(OTHER_PHONE, NULL), 1);
}

static void an_amendment_takes_it_back(void **unused)
{
    uint64_t task = comes_with_a_second();

    (void)unused;
    world.manager = true;
    report(task, OUTCOME_WRONG_NUMBER);
    assert_int_equal(world_report(&world, task, 1, REPORT_AMEND, OUTCOME_NO_ANSWER, "m1"),
                     STATUS_OK);
    assert_int_equal(find_person(OTHER_PHONE, NULL), 1);
    wait_for_call();
    assert_call_shows(OTHER_PHONE);
    assert_int_equal(world_report(&world, task, 1, REPORT_AMEND, OUTCOME_WRONG_NUMBER, "m1"),
                     STATUS_OK);
    assert_int_equal(find_person(OTHER_PHONE, NULL), 0);
    assert_int_equal(find_person(PHONE, NULL), 1);
    assert_false(is_silent(TASK_CALL));
    assert_int_equal(open_call().number, 0); /* it showed that number */
}

static void it_turns_out_later_to_have_been_wrong(void **unused)
{
    uint64_t task = comes_with_a_second();

    (void)unused;
    world.manager = true;
    report(task, OUTCOME_NO_ANSWER);
    wait_for_call();
    report(open_call().number, OUTCOME_BUSY);
    assert_int_equal(world_report(&world, task, 1, REPORT_AMEND, OUTCOME_WRONG_NUMBER, "m1"),
                     STATUS_OK);
    assert_int_equal(find_person(OTHER_PHONE, NULL), 0);
    assert_false(is_silent(TASK_CALL));
    wait_for_call();
    assert_call_shows(PHONE);
}

static void what_goes_to_the_wrong_number_ends(void **unused)
{
    uint64_t task;

    (void)unused;
    make_queue("acme.sms");
    use_playbook("based_on: default\nname: main\ntitle: T\ncadences:\n"
                 "  new_lead: {title: T, for: prospects, then: nurture, steps: ["
                 "{id: a, after: 25h, channel: sms, kind: helpful, template: t}, "
                 "{id: b, after: 29h, channel: sms, kind: helpful, template: t}]}\n");
    task = comes_with_a_second();
    world_live(&world, WORLD_START_MS + 25 * HOUR);
    assert_shows(TASK_SMS, OTHER_PHONE);
    report(task, OUTCOME_WRONG_NUMBER);
    assert_int_equal(open_task(1, TASK_SMS).number, 0);
    world_live(&world, WORLD_START_MS + 29 * HOUR);
    assert_shows(TASK_SMS, PHONE);
}

/* It is kept by the hours of where that number is, not of where the wrong one was. */
static void the_zone_is_that_of_the_number_that_is_left(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    report(comes_with(WESTERN_PHONE, EMAIL), OUTCOME_NO_ANSWER);
    wait_for_call();
    assert_int_equal(person().zone, zone_code(zone_find(SLICE("America/Los_Angeles"))));
    report(open_call().number, OUTCOME_WRONG_NUMBER);
    wait_for_call();
    assert_int_equal(open_call().zone, zone_code(zone_find(SLICE("America/New_York"))));
    assert_int_equal(person().zone, zone_code(zone_find(SLICE("America/New_York"))));
}

/* Of two people: all of it is shown to whoever looks who it is. */
static void a_call_about_two_people_shows_what_was_said(void **unused)
{
    (void)unused;
    report(comes_with_a_second(), OUTCOME_WRONG_NUMBER);
    assert_int_equal(world_optin(&world, NULL, OTHER_EMAIL, NULL, "two", 0), STATUS_OK);
    assert_int_equal(world.settlement.optin.person, 2);
    comes_with(PHONE, OTHER_EMAIL);
    assert_call_shows(PHONE);
    assert_shows(TASK_CALL, OTHER_EMAIL);
}

static void a_number_that_was_found_can_be_wrong(void **unused)
{
    uint64_t task = opt_in("one");

    (void)unused;
    world.finds = "{\"phone\":\"" OTHER_PHONE "\"}";
    report(task, OUTCOME_WRONG_NUMBER);
    world.finds = NULL;
    task = comes_with(NULL, EMAIL);
    assert_call_shows(OTHER_PHONE);
    assert_int_equal(find_person(OTHER_PHONE, NULL), 1);
    report(task, OUTCOME_WRONG_NUMBER);
    assert_int_equal(find_person(OTHER_PHONE, NULL), 0);
    assert_int_equal(find_person(PHONE, NULL), 1);
}

/* Two become one: what the other one says leads to it, at once and later. */
static void a_second_number_of_who_was_merged_is_shown(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    assert_int_equal(world_optin(&world, OTHER_PHONE, OTHER_EMAIL, NULL, "two", 0), STATUS_OK);
    report(world.settlement.optin.task, OUTCOME_NO_ANSWER);
    world.now_ms += DAY;
    assert_int_equal(world_optin(&world, THIRD_PHONE, OTHER_EMAIL, NULL, "three", 0), STATUS_OK);
    assert_int_equal(world.settlement.optin.person, 2);
    assert_int_equal(merge(1, 2), STATUS_OK);
    wait_for_call();
    assert_call_shows(THIRD_PHONE);
    report(open_call().number, OUTCOME_NO_ANSWER);
    wait_for_call();
    assert_call_shows(THIRD_PHONE);
}

static void a_second_number_of_who_was_merged_can_be_wrong(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    assert_int_equal(world_optin(&world, OTHER_PHONE, OTHER_EMAIL, NULL, "two", 0), STATUS_OK);
    report(world.settlement.optin.task, OUTCOME_NO_ANSWER);
    world.now_ms += DAY;
    assert_int_equal(world_optin(&world, THIRD_PHONE, OTHER_EMAIL, NULL, "three", 0), STATUS_OK);
    assert_int_equal(merge(1, 2), STATUS_OK);
    wait_for_call();
    assert_call_shows(THIRD_PHONE);
    report(open_call().number, OUTCOME_WRONG_NUMBER);
    assert_false(is_silent(TASK_CALL));
    assert_int_equal(find_person(THIRD_PHONE, NULL), 0);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_false(person_of(2).silenced >> TASK_CALL & 1);
    assert_int_equal(find_person(OTHER_PHONE, NULL), 2);
}

/* --- its own is wrong, and there is a second one --------------------------------------------- */

static void the_second_number_takes_the_place_of_a_wrong_one(void **unused)
{
    uint64_t task = opt_in("one");

    (void)unused;
    assert_int_equal(world_report(&world, task, 1, REPORT_CLAIM, 0, "a1"), STATUS_OK);
    world.now_ms += MINUTE;
    assert_int_equal(world_optin(&world, OTHER_PHONE, EMAIL, NULL, "two", 0), STATUS_OK);
    assert_call_shows(PHONE);
    report(task, OUTCOME_WRONG_NUMBER);
    assert_false(is_silent(TASK_CALL));
    wait_for_call();
    assert_call_shows(OTHER_PHONE);
    assert_int_equal(find_person(PHONE, NULL), 1);
    assert_int_equal(find_person(OTHER_PHONE, NULL), 1);
}

/* --- what was replaced ------------------------------------------------------------------------ */

static void who_has_another_number_is_found_by_the_one_before(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_WRONG_NUMBER);
    report(comes_with(OTHER_PHONE, EMAIL), OUTCOME_DO_NOT_CONTACT);
    comes_with(PHONE, NULL);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_DO_NOT_CONTACT);
}

static void who_has_another_address_is_found_by_the_one_before(void **unused)
{
    (void)unused;
    opt_in("one");
    report(open_task(1, TASK_EMAIL).number, OUTCOME_BOUNCED);
    report(comes_with(PHONE, OTHER_EMAIL), OUTCOME_DO_NOT_CONTACT);
    comes_with(NULL, EMAIL);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_DO_NOT_CONTACT);
}

static void who_was_merged_is_found_by_the_one_before(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    assert_int_equal(world_optin(&world, OTHER_PHONE, OTHER_EMAIL, NULL, "two", 0), STATUS_OK);
    assert_int_equal(merge(1, 2), STATUS_OK);
    assert_call_shows(OTHER_PHONE);
    report(open_call().number, OUTCOME_WRONG_NUMBER);
    comes_with(THIRD_PHONE, OTHER_EMAIL);
    assert_int_equal(find_person(OTHER_PHONE, NULL), 1);
    assert_int_equal(unmerge(1, 2), STATUS_OK);
    assert_int_equal(find_person(PHONE, NULL), 1);
    assert_int_equal(find_person(OTHER_PHONE, NULL), 2);
    assert_int_equal(find_person(THIRD_PHONE, NULL), 2);
}

static void hours_do_not_go_by_a_number_that_was_replaced(void **unused)
{
    (void)unused;
    report(opt_in("one"), OUTCOME_WRONG_NUMBER);
    report(comes_with(WESTERN_PHONE, EMAIL), OUTCOME_NO_ANSWER);
    report(comes_with(NULL, EMAIL), OUTCOME_NO_ANSWER);
    wait_for_call();
    assert_call_shows(WESTERN_PHONE);
    assert_int_equal(open_call().zone, zone_code(zone_find(SLICE("America/Los_Angeles"))));
}

static void an_update_replaces_it_on_the_task_as_well(void **unused)
{
    (void)unused;
    world.credential = CREDENTIAL_PUBLIC;
    assert_int_equal(world_optin(&world, PHONE, EMAIL, "e1", "one", 0), STATUS_OK);
    report(world.settlement.optin.task, OUTCOME_WRONG_NUMBER);
    world.now_ms += HOUR;
    assert_int_equal(world_optin(&world, OTHER_PHONE, EMAIL, "e1", "more", 0), STATUS_OK);
    assert_call_shows(OTHER_PHONE);
    report(open_call().number, OUTCOME_NO_ANSWER);
    wait_for_call();
    assert_call_shows(OTHER_PHONE);
}

static void an_update_replaces_an_address_as_well(void **unused)
{
    (void)unused;
    world.credential = CREDENTIAL_PUBLIC;
    assert_int_equal(world_optin(&world, PHONE, EMAIL, "e1", "one", 0), STATUS_OK);
    report(open_task(1, TASK_EMAIL).number, OUTCOME_BOUNCED);
    world.now_ms += HOUR;
    assert_int_equal(world_optin(&world, PHONE, OTHER_EMAIL, "e1", "more", 0), STATUS_OK);
    assert_false(is_silent(TASK_EMAIL));
    world_live(&world, WORLD_START_MS + 4 * DAY);
    assert_shows(TASK_EMAIL, "\"email\":\"" OTHER_EMAIL);
}

/* The call was put without a number. */
static void a_call_that_is_open_learns_the_right_number(void **unused)
{
    uint64_t task;

    (void)unused;
    report(opt_in("one"), OUTCOME_WRONG_NUMBER);
    task = comes_with(NULL, EMAIL);
    assert_shows(TASK_CALL, "\"phone\":null");
    world.now_ms += MINUTE;
    assert_int_equal(world_optin(&world, OTHER_PHONE, EMAIL, NULL, "three", 0), STATUS_OK);
    assert_int_equal(open_call().number, task);
    assert_call_shows(OTHER_PHONE);
}

/* --- what was found ----------------------------------------------------------------------------
 */

static void what_is_found_beside_its_own_leads_to_the_person(void **unused)
{
    uint64_t task = opt_in("one");

    (void)unused;
    world.finds = "{\"phone\":\"" OTHER_PHONE "\",\"email\":\"" OTHER_EMAIL "\"}";
    report(task, OUTCOME_DO_NOT_CONTACT);
    world.finds = NULL;
    comes_with(OTHER_PHONE, NULL);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_DO_NOT_CONTACT);
    comes_with(NULL, OTHER_EMAIL);
    assert_int_equal(world.settlement.optin.reason, NO_TASK_DO_NOT_CONTACT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_wrong_is_the_number_that_the_task_showed),
        TEST(the_first_number_stays_when_a_third_one_comes),
        TEST(whoever_comes_with_the_wrong_number_is_somebody_else),
        TEST(a_second_number_that_is_said_again_is_called_again),
        TEST(an_amendment_takes_it_back),
        TEST(it_turns_out_later_to_have_been_wrong),
        TEST(what_goes_to_the_wrong_number_ends),
        TEST(the_zone_is_that_of_the_number_that_is_left),
        TEST(a_call_about_two_people_shows_what_was_said),
        TEST(a_number_that_was_found_can_be_wrong),
        TEST(a_second_number_of_who_was_merged_is_shown),
        TEST(a_second_number_of_who_was_merged_can_be_wrong),
        TEST(the_second_number_takes_the_place_of_a_wrong_one),
        TEST(who_has_another_number_is_found_by_the_one_before),
        TEST(who_has_another_address_is_found_by_the_one_before),
        TEST(who_was_merged_is_found_by_the_one_before),
        TEST(hours_do_not_go_by_a_number_that_was_replaced),
        TEST(an_update_replaces_it_on_the_task_as_well),
        TEST(an_update_replaces_an_address_as_well),
        TEST(a_call_that_is_open_learns_the_right_number),
        TEST(what_is_found_beside_its_own_leads_to_the_person),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
