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
        TEST(who_has_another_number_is_found_by_the_one_before),
        TEST(who_has_another_address_is_found_by_the_one_before),
        TEST(hours_do_not_go_by_a_number_that_was_replaced),
        TEST(what_is_found_beside_its_own_leads_to_the_person),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
