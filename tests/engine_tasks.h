/* A world of its own for each test, and the tasks in it: what the tests of opt-ins, tasks and
 * outcomes share. */
#ifndef HOTLEAD_TESTS_ENGINE_TASKS_H
#define HOTLEAD_TESTS_ENGINE_TASKS_H

#include "proto/report.h"
#include "proto/task.h"
#include "tests/engine_rig.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_world, tear_down)

/* One fresh opt-in; returns its task. */
static inline uint64_t fresh_task(const char *phone)
{
    assert_int_equal(world_optin(&world, phone, NULL, NULL, phone, 0), STATUS_OK);
    assert_int_not_equal(world.settlement.optin.task, 0);
    return world.settlement.optin.task;
}

static inline uint64_t outbox_seq(void)
{
    return state_queue(world.state, world.queue)->outbox_seq;
}

static inline void assert_last_operations(enum outbox_op first, enum outbox_op second)
{
    assert_true(world.operation_count >= 2);
    assert_int_equal(world.operations[world.operation_count - 2].op, first);
    assert_int_equal(world.operations[world.operation_count - 1].op, second);
}

/* What comes due lets more happen than this file is about. */
static inline unsigned made_by_passing(uint64_t ms, enum record_kind kind)
{
    world_pass(&world, ms);
    return world.made[kind];
}

#endif
