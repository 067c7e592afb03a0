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

/* The next day; its task. */
static uint64_t comes_with(const char *phone, const char *email)
{
    world.now_ms += DAY;
    assert_int_equal(world_optin(&world, phone, email, NULL, "again", 0), STATUS_OK);
    assert_int_equal(world.settlement.optin.person, 1);
    return world.settlement.optin.task;
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
        TEST(what_is_found_beside_its_own_leads_to_the_person),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
