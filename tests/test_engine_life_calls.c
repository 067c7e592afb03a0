/* Calls: where they go, when they may be made, and who may claim them. */
#include "tests/one_life.h"

static void an_update_goes_to_a_queue_that_is_there(void **unused)
{
    uint32_t first = world.site, other;
    uint64_t task;

    (void)unused;
    world.credential = CREDENTIAL_PUBLIC;
    assert_int_equal(world_optin(&world, NULL, EMAIL, "e1", "one", 0), STATUS_OK);
    report(world.settlement.optin.task, OUTCOME_NOT_NOW);
    other = world_admin(&world, ENTITY_SITE,
                        "{\"id\":\"two\",\"agency\":\"acme\",\"queue\":\"acme.calls\"}");
    world.site = other;
    assert_int_equal(world_optin(&world, NULL, EMAIL, "e2", "two", 0), STATUS_OK);
    task = world.settlement.optin.task;
    report(task, OUTCOME_NOT_NOW);
    remove_admin(ENTITY_SITE, other);
    world.site = first;
    assert_int_equal(world_optin(&world, PHONE, EMAIL, "e1", "with phone", 0), STATUS_OK);
    assert_int_not_equal(open_call().number, 0);
    assert_int_equal(open_call().queue, world.queue);
}

static void nobody_claims_what_is_parked(void **unused)
{
    struct task_row call;

    (void)unused;
    world.now_ms = WORLD_START_MS + 2 * HOUR; /* 19:13 */
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + 3 * HOUR);
    call = open_call();
    assert_int_equal(call.state, TASK_PARKED);
    world_report(&world, call.number, 1, REPORT_CLAIM, 0, "a1");
    assert_int_equal(open_call().state, TASK_PARKED);
}

static void nobody_claims_after_the_window_has_closed(void **unused)
{
    struct task_row call;

    (void)unused;
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + HOUR);
    call = open_call();
    assert_int_equal(call.state, TASK_QUEUED);
    world_live(&world, call.closes_ms - 1000);
    world_popped(&world, UINT64_MAX); /* seen gone a second before */
    world.now_ms = call.closes_ms + 5000;
    assert_int_equal(open_call().state, TASK_POPPED);
    assert_int_not_equal(world_report(&world, call.number, 1, REPORT_CLAIM, 0, "a1"), STATUS_OK);
}

/* Says that they are in Britain, with a phone of Philadelphia: 18:13 there is 23:13 in London. */
static void the_country_that_is_said_counts_beside_the_phone(void **unused)
{
    (void)unused;
    world.country = "GB";
    report(opt_in("one"), OUTCOME_NO_ANSWER);
    world_live(&world, WORLD_START_MS + HOUR);
    assert_int_equal(open_call().state, TASK_PARKED);
}

/* A call that was reported late stands where it was made. */
static void touches_stand_in_the_order_of_time(void **unused)
{
    struct person_row row;

    (void)unused;
    uint64_t task = opt_in("one"); /* and a mail */
    assert_int_equal(world_report(&world, task, 1, REPORT_CLAIM, 0, "a1"), STATUS_OK);
    world_live(&world, WORLD_START_MS + 20 * MINUTE);
    assert_int_equal(world_optin(&world, PHONE, EMAIL, NULL, "two", 0), STATUS_OK);
    report(task, OUTCOME_NO_ANSWER);
    row = person();
    for (unsigned i = 1; i < TOUCHES_KEPT; i++)
        assert_true(row.touches[i] <= row.touches[i - 1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE(an_update_goes_to_a_queue_that_is_there),
        LIFE(nobody_claims_what_is_parked),
        LIFE(nobody_claims_after_the_window_has_closed),
        LIFE(the_country_that_is_said_counts_beside_the_phone),
        LIFE(touches_stand_in_the_order_of_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
