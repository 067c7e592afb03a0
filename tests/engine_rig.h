/* A world of its own for each test, and units of time: what tests of the engine stand on. Every
 * test ends by comparing state with a rebuild. */
#ifndef HOTLEAD_TESTS_ENGINE_RIG_H
#define HOTLEAD_TESTS_ENGINE_RIG_H

#include "tests/unit.h"
#include "tests/world.h"

#define MINUTE 60000ull
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static struct world world;

static inline int set_up_world(void **unused)
{
    (void)unused;
    world_open(&world);
    return 0;
}

static inline int tear_down(void **unused)
{
    (void)unused;
    world_close(&world);
    return 0;
}

#endif
