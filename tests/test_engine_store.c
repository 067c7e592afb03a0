/* Apply when state cannot be read for want of memory: what it does not find then says nothing about
 * state. */
#include "proto/must.h"
#include "tests/engine_rig.h"
#include "tests/store_faults.h"

static int heal_and_tear_down(void **unused)
{
    store_heal();
    return tear_down(unused);
}

/* Applies a record of the first person's with one effect, and takes it back. */
static enum status apply(enum effect_kind kind, const void *effect, size_t bytes)
{
    struct record_view view;

    record_begin(&world.record, RECORD_OUTCOME, world.now_ms, world.agency);
    world.record.header.seq = state_meta(world.state)->folded_seq + 1;
    world.record.header.person = 1;
    MUST(record_effect(&world.record, kind, effect, bytes));
    record_seal(&world.record);
    record_view_of(&world.record, &view);
    enum status status = engine_apply(world.engine, &view);
    world_reopen(&world, false, false);
    return status;
}

/* Of a further task, whose row is in a table of its own. */
static void assert_failed_look(enum effect_kind kind, const void *effect, size_t bytes)
{
    assert_status(apply(kind, effect, bytes), STATUS_CORRUPT); /* there is none */
    store_fails(&store_faults.state_gets, 0, 1);
    assert_status(apply(kind, effect, bytes), STATUS_BUSY);
}

static void failed_look_at_a_task_that_ends_is_no_damage(void **unused)
{
    const struct effect_task_end effect = {.person = 1, .task = 9999};

    (void)unused;
    assert_status(world_optin(&world, "+12155550147", NULL, NULL, "x", 0), STATUS_OK);
    assert_failed_look(EFFECT_TASK_END, &effect, sizeof(effect));
}

static void failed_look_at_a_task_that_was_popped_is_no_damage(void **unused)
{
    const struct effect_popped effect = {.person = 1, .task = 9999};

    (void)unused;
    assert_status(world_optin(&world, "+12155550147", NULL, NULL, "x", 0), STATUS_OK);
    assert_failed_look(EFFECT_POPPED, &effect, sizeof(effect));
}

static void failed_look_at_a_person_is_no_damage(void **unused)
{
    const struct effect_task_end effect = {.person = 1, .task = 9999};

    (void)unused;
    assert_status(world_optin(&world, "+12155550147", NULL, NULL, "x", 0), STATUS_OK);
    world_reopen(&world, true, false); /* nobody is at hand */
    store_fails(&store_faults.state_cursors, 0, 1);
    assert_status(apply(EFFECT_TASK_END, &effect, sizeof(effect)), STATUS_BUSY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_world, heal_and_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(failed_look_at_a_task_that_ends_is_no_damage),
        TEST(failed_look_at_a_task_that_was_popped_is_no_damage),
        TEST(failed_look_at_a_person_is_no_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
