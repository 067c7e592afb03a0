/* Consumers on a real Redis, and what they popped. For the tests of consume*.c: included by one
 * test file each. */
#ifndef HOTLEAD_TESTS_CONSUME_WORLD_H
#define HOTLEAD_TESTS_CONSUME_WORLD_H

#include "bench/consume.h"
#include "tests/redis_server.h"
#include "tests/unit.h"

static struct server server;

#define POPS_MAX 20000

struct world {
    uv_loop_t loop;
    struct target target;
    struct consume_options options;
    struct consume *consume;
    struct consume_pop pops[POPS_MAX];
    size_t count, wanted;
};

static inline void on_popped(void *owner, const struct consume_pop *pops, size_t count)
{
    struct world *world = owner;

    MUST(world->count + count <= POPS_MAX);
    memcpy(world->pops + world->count, pops, count * sizeof(*pops));
    world->count += count;
}

static inline int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    MUST(world != NULL && uv_loop_init(&world->loop) == 0);
    server_run(&server, "FLUSHALL");
    snprintf(world->target.redis_url, sizeof(world->target.redis_url), "%s", server.url);
    snprintf(world->target.key, sizeof(world->target.key), "tasks");
    world->target.kind = TARGET_PEER;
    world->options = (struct consume_options){.loop = &world->loop,
                                              .target = &world->target,
                                              .consumers = 1,
                                              .on_popped = on_popped,
                                              .owner = world};
    *state = world;
    return 0;
}

static inline void open_consumers(struct world *world)
{
    const char *why = NULL;

    assert_status(consume_open(&world->options, &world->consume, &why), STATUS_OK);
}

static inline void close_consumers(struct world *world)
{
    if (world->consume != NULL)
        consume_close(world->consume);
    world->consume = NULL;
    uv_run(&world->loop, UV_RUN_DEFAULT);
}

static inline int tear_down(void **state)
{
    struct world *world = *state;

    close_consumers(world);
    MUST(uv_loop_close(&world->loop) == 0);
    free(world);
    return 0;
}

static inline bool enough(void *owner)
{
    const struct world *world = owner;
    return world->count >= world->wanted;
}

static inline void await_pops(struct world *world, size_t wanted)
{
    world->wanted = wanted;
    if (!loop_until(&world->loop, enough, world, 5000))
        fail_msg("%zu of %zu were popped", world->count, wanted);
}

static inline int start_redis(void **state)
{
    (void)state;
    server_start(&server);
    return 0;
}

static inline int end_redis(void **state)
{
    (void)state;
    server_end(&server);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
