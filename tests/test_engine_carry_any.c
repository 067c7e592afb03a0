/* Lives through versions of every kind, beside a model of which steps are to come. Every test ends
 * by comparing state with a rebuild. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/carry_world.h"

#define IDS      8
#define VERSIONS 24

static struct made {
    uint32_t number;
    uint64_t after_ms[IDS]; /* 0: it has no such step */
} made[VERSIONS];

/* The steps that are to come, and how often each has come. */
struct model {
    bool is_owed[IDS];
    unsigned came[IDS];
};

static uint32_t drawn(uint32_t below)
{
    static uint32_t seed = 20;

    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

/* Some of the steps, in some order, half a day to three days apart. */
static void make_version(struct made *out)
{
    char steps[256];
    struct text text = text_over(steps, sizeof(steps) - 1);
    unsigned hours = 0;

    memset(out, 0, sizeof(*out));
    for (unsigned count = 2 + drawn(IDS); count > 0; count--) {
        unsigned id = drawn(IDS);

        if (out->after_ms[id] != 0)
            continue;
        hours += 12 + drawn(60);
        out->after_ms[id] = hours * HOUR;
        text_printf(&text, " %c:%uh", 'a' + id, hours);
    }
    steps[text.length] = '\0';
    out->number = version(steps);
}

static void note_what_came(struct model *model)
{
    for (unsigned i = 0; i < world.step_count; i++) {
        const struct playbook_step *step = step_of(&world.steps[i].effect);
        unsigned id = step != NULL ? (unsigned)(step->id.bytes[0] - 'a') : 0;

        if (step == NULL)
            continue;
        assert_int_equal(model->came[id]++, 0);
        assert_true(model->is_owed[id]);
    }
    world_forget_steps(&world);
}

static bool is_over(const struct model *model)
{
    for (unsigned id = 0; id < IDS; id++)
        if (model->is_owed[id] && !model->came[id])
            return false;
    return true;
}

/* A step of both versions stays what it is; one that is new is to come if it is ahead. When none is
 * to come the cadence is over, and no version brings it back. */
static void expect(struct model *model, const struct made *from, const struct made *to,
                   uint64_t since_ms)
{
    if (is_over(model))
        return;
    for (unsigned id = 0; id < IDS; id++)
        model->is_owed[id] =
            to->after_ms[id] != 0 && !model->came[id] &&
            (from->after_ms[id] != 0 ? model->is_owed[id] : to->after_ms[id] > since_ms);
}

static void live_one_life(uint64_t number)
{
    const struct made *at = &made[VERSIONS - 1];
    const uint64_t began_ms = world.now_ms;
    struct model model = {.came = {0}};
    char email[32];

    snprintf(email, sizeof(email), "p%u@example.com", (unsigned)number);
    assert_int_equal(world_optin(&world, NULL, email, NULL, email, 0), STATUS_OK);
    assert_int_equal(world.settlement.optin.person, number);
    for (unsigned id = 0; id < IDS; id++)
        model.is_owed[id] = at->after_ms[id] != 0;
    for (unsigned moves = 0; moves < 6; moves++) {
        const struct made *to = &made[drawn(VERSIONS)];

        world_live(&world, world.now_ms + drawn(60) * HOUR + HOUR / 2);
        note_what_came(&model);
        if (to == at)
            continue;
        assert_int_equal(move_playbook(number, to->number), STATUS_OK);
        expect(&model, at, to, world.now_ms - began_ms);
        at = to;
    }
    world_live(&world, world.now_ms + 40 * DAY);
    note_what_came(&model);
    for (unsigned id = 0; id < IDS; id++)
        assert_true(model.came[id] == 1 || !model.is_owed[id]);
}

static void whatever_the_versions_each_step_ahead_comes_once(void **unused)
{
    (void)unused;
    for (unsigned i = 0; i < VERSIONS; i++)
        make_version(&made[i]);
    for (uint64_t number = 1; number <= 40; number++)
        live_one_life(number);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(whatever_the_versions_each_step_ahead_comes_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
