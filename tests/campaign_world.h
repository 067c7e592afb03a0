/* A world with robots' queues in which one person lives, and looks at the steps that it meets. */
#ifndef HOTLEAD_TESTS_CAMPAIGN_WORLD_H
#define HOTLEAD_TESTS_CAMPAIGN_WORLD_H

#include "proto/zone.h"
#include "tests/life_world.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_with_robots, tear_down)

static uint32_t letters;

static inline int set_up_without_robots(void **unused)
{
    set_up_world(unused);
    world.name = "Dana Rivera";
    return 0;
}

static inline int set_up_with_robots(void **unused)
{
    set_up_without_robots(unused);
    emails = make_queue("acme.email");
    postcards = make_queue("acme.postcard");
    letters = make_queue("acme.letter");
    return 0;
}

static inline void assert_cadence(unsigned number, const char *id)
{
    const struct playbook *playbook = registry_playbook(recovery_registry(world.recovery), 0);

    assert_true(number > 0);
    assert_true(slice_equal(playbook->cadences.items[number - 1].id, slice_of(id)));
}

static inline void assert_step(unsigned which, const char *cadence, unsigned step, uint64_t at_ms,
                               enum skip skip)
{
    const struct world_step *made = &world.steps[which];

    assert_true(which < world.step_count);
    assert_cadence(made->effect.cadence, cadence);
    assert_int_equal(made->effect.step, step);
    assert_int_equal(made->now_ms, at_ms);
    assert_int_equal(made->effect.skip, skip);
}

/* Lives to a moment; all that is put in the call queue is called at once, and nobody answers. */
static inline void live_without_answer(uint64_t until_ms)
{
    while (world.now_ms < until_ms) {
        struct task_row call = open_call();
        if (call.state == TASK_QUEUED && call.number != 0)
            world_report(&world, call.number, call.delivery, REPORT_OUTCOME, OUTCOME_NO_ANSWER,
                         "a1");
        uint64_t due_ms = engine_next_due_ms(world.engine);
        world_live(&world, due_ms < until_ms ? due_ms : until_ms);
    }
}

#endif
