/* One life of a world: visitors opt in, consumers take tasks and speak about them or not, Redis
 * loses links and memory, the node dies, time passes. Then all faults end, and everything has to
 * come right. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "tests/sim/redis_link.h"
#include "tests/sim/world.h"

#define SETTLE_US   (40 * SECOND) /* the longest that faults may be felt after their end */
#define REMEMBER_US (700 * MS)
#define ROUNDS_MAX  8
#define LEASE_MS    130000ull
#define CLAIM_MS    1900000ull
#define DAY_MS      86000000ull

struct world world;

/* --- the node comes and goes ------------------------------------------------------------- */

static void on_restart(struct event *event)
{
    (void)event;
    node_start(&world.node);
}

static void after_death(uint64_t most_us)
{
    world_forget_answers();
    MUST(world.life_count < LIVES_MAX);
    world.lives[world.life_count++] = world.node.life;
    event_at(&world.restart, loop_now_us() + chance_below(most_us), on_restart, NULL);
}

static void on_death(void *owner)
{
    uint64_t kind = chance_below(10);

    (void)owner;
    node_die(&world.node, kind < 6 ? NODE_KILLED : kind < 9 ? NODE_POWER_CUT : NODE_STATE_GONE);
    after_death(chance_in(20) ? 8 * SECOND : SECOND);
}

static void stop_node(void)
{
    loop_doom(0, NULL, NULL);
    node_stop(&world.node);
    after_death(SECOND);
}

/* --- faults ------------------------------------------------------------------------------ */

static void note_deleted(unsigned queue)
{
    struct slice member;
    unsigned delivery;
    uint64_t task;

    for (size_t i = 0;
         model_member(redis_world_model(), slice_of(world.queue_keys[queue]), i, &member); i++)
        if (world_member(member, &task, &delivery) && world_shown(task, delivery) != NULL)
            world_shown(task, delivery)->deleted = true;
}

static void forget_something(void)
{
    struct slice words[2] = {SLICE("FLUSHALL")};
    struct answer answer;
    unsigned queue = (unsigned)chance_between(1, WORLD_QUEUES);
    uint64_t kind = chance_below(10);

    unsigned back = (unsigned)chance_between(1, 6);

    if (kind < 2) {
        say("another redis answers, %u snapshots behind", back);
        redis_world_swap(back);
        return;
    }
    if (kind < 5) {
        say("redis dies, and forgets from %u snapshots ago on", back);
        redis_world_restart(back, chance_below(2 * SECOND));
        return;
    }
    if (kind >= 8) {
        words[0] = SLICE("DEL");
        words[1] = slice_of(world.queue_keys[queue]);
        if (kind == 9 && world.node.publish != NULL) {
            char key[160];
            snprintf(key, sizeof(key), "hl:{acme.%s}:mark:n1:%llx", queue == 1 ? "calls" : "list",
                     (unsigned long long)writer_epoch(world.node.writer));
            words[1] = slice_of(key);
            say("somebody deletes %s", key);
            if (redis_world_do(words, 2, &answer))
                answer_free(&answer);
            return;
        }
        say("somebody deletes queue %u", queue);
        note_deleted(queue);
    } else {
        say("somebody says FLUSHALL");
    }
    if (redis_world_do(words, kind >= 8 ? 2 : 1, &answer))
        answer_free(&answer);
}

static void let_time_pass(void)
{
    static const uint64_t most[] = {2000, 60000, 200000, 400000, 2000000};
    uint64_t ms = chance_below(most[chance_below(sizeof(most) / sizeof(most[0]))]);

    say("%llu s pass", (unsigned long long)(ms / 1000));
    loop_set_forward(ms);
}

static void let_something_fail(void)
{
    bool runs = world.node.writer != NULL;

    switch (chance_below(world.loses ? 9 : 7)) {
    case 0:
        redis_world_break_links();
        break;
    case 1:
        redis_world_stop(chance_below(chance_in(30) ? 8 * SECOND : SECOND));
        break;
    case 2:
        redis_world_slow(chance_in(60));
        break;
    case 3:
        redis_world_restart(0, chance_below(2 * SECOND)); /* with all that it had */
        break;
    case 4:
    case 5:
        if (runs)
            loop_doom((unsigned)chance_between(1, 60), on_death, NULL);
        break;
    case 6:
        if (runs)
            stop_node();
        break;
    default:
        forget_something();
        break;
    }
}

/* --- a life ------------------------------------------------------------------------------ */

/* Opt-ins come so close that the writer is never idle: state commits without what is young. */
static void on_rush(struct event *event)
{
    world_opt_in(WORLD_CROWD);
    if (--world.rush > 0 && !world.quiet)
        event_at(event, loop_now_us() + chance_between(MS, 8 * MS), on_rush, NULL);
}

static void on_operation(struct event *event)
{
    uint64_t kind = chance_below(100);

    if (world.operation++ == world.operations)
        return;
    event_at(event, loop_now_us() + (chance_in(30) ? chance_below(MS) : chance_below(250 * MS)),
             on_operation, NULL);
    if (kind < 32)
        world_opt_in(WORLD_PEOPLE);
    else if (kind < 36)
        world_send_again();
    else if (kind < 66)
        world_take_task((unsigned)chance_between(1, WORLD_QUEUES));
    else if (kind < 72)
        world_speak_out_of_turn();
    else if (kind < 83)
        let_time_pass();
    else if (kind < 84 && world.rush == 0) {
        world.rush = (unsigned)chance_between(20, 80);
        event_at(&world.next_in_rush, loop_now_us(), on_rush, NULL);
    } else
        let_something_fail();
}

static void on_memory(struct event *event)
{
    redis_world_remember();
    event_at(event, loop_now_us() + chance_below(2 * REMEMBER_US), on_memory, NULL);
}

static void set_up_entities(void)
{
    static const struct {
        enum entity_kind kind;
        const char *settings;
    } entities[] = {
        {ENTITY_AGENCY, "{\"id\":\"acme\",\"name\":\"Acme\"}"},
        {ENTITY_QUEUE, "{\"id\":\"acme.calls\",\"agency\":\"acme\"}"},
        {ENTITY_QUEUE, "{\"id\":\"acme.list\",\"agency\":\"acme\",\"shape\":\"list\"}"},
        {ENTITY_SITE, "{\"id\":\"one\",\"agency\":\"acme\",\"queue\":\"acme.calls\"}"},
        {ENTITY_SITE, "{\"id\":\"two\",\"agency\":\"acme\",\"queue\":\"acme.list\"}"},
    };
    const unsigned count = sizeof(entities) / sizeof(entities[0]);

    while (!world.node.ready)
        loop_step();
    for (unsigned i = 0; i < count; i++) {
        struct command command = {.kind = COMMAND_ADMIN,
                                  .ticket = NODE_TICKET | i,
                                  .now_ms = loop_engine_ms(),
                                  .payload = slice_of(entities[i].settings),
                                  .admin = {.entity = entities[i].kind}};
        MUST(node_submit(&world.node, &command) == STATUS_OK);
    }
    while (world.entities < count)
        loop_step();
    world.id_key = *writer_id_key(world.node.writer);
    node_stop(&world.node); /* the next start reads them all */
    node_start(&world.node);
    world.queues[1] = world.sites[1] = 1;
    world.queues[2] = world.sites[2] = 2;
    world.queue_keys[1] = "hl:{acme.calls}:tasks";
    world.queue_keys[2] = "hl:{acme.list}:tasks";
    world.report_keys[1] = "hl:{acme.calls}:reports:n1";
    world.report_keys[2] = "hl:{acme.list}:reports:n1";
}

static bool is_alive(void)
{
    return broken_count() == 0;
}

/* No more faults: in seconds everything is as it should be, and stays so. */
static void settle(const char *when)
{
    uint64_t until_us = loop_now_us() + SETTLE_US, next_us = loop_now_us() + SECOND;

    world_send_again();
    while (is_alive()) {
        loop_step();
        if (loop_now_us() < next_us)
            continue;
        world_send_again();
        if (world_is_settled())
            break;
        if (loop_now_us() > until_us)
            broken("%s: %s", when, world.why);
        next_us = loop_now_us() + 500 * MS;
    }
    say("settled: %s", when);
}

static void pass(uint64_t ms, const char *when)
{
    loop_set_forward(ms);
    settle(when);
}

/* Consumers take everything that is left, and say what came of it. */
static void work_off(void)
{
    uint64_t begun_ms = loop_engine_ms();

    for (unsigned round = 0; round < ROUNDS_MAX && world_open_tasks(begun_ms) > 0 && is_alive();
         round++) {
        for (unsigned queue = 1; queue <= WORLD_QUEUES; queue++) {
            struct slice member;
            while (model_member(redis_world_model(), slice_of(world.queue_keys[queue]), 0, &member))
                world_take_task(queue);
        }
        pass(round < 2 ? LEASE_MS : CLAIM_MS, "working off");
    }
    if (is_alive() && world_open_tasks(begun_ms) > 0)
        broken("%u tasks are never done", world_open_tasks(begun_ms));
}

static void live(void)
{
    event_at(&world.next_memory, loop_now_us(), on_memory, NULL);
    event_at(&world.next_operation, loop_now_us() + MS, on_operation, NULL);
    while (world.operation <= world.operations && is_alive())
        loop_step();
    world.quiet = true;
    say("no more faults");
    loop_doom(0, NULL, NULL);
    event_cancel(&world.next_memory);
    redis_world_heal();
    settle("after the last fault");
    pass(LEASE_MS, "leases of pops have ended");
    pass(CLAIM_MS, "claims have ended");
    work_off();
}

/* The state that was lived with, and the one that the journal gives. */
static void compare_with_rebuild(void)
{
    char *lived = node_dump(&world.node, false), *rebuilt = node_dump(&world.node, true);
    size_t at = 0, line = 0;

    while (lived[at] != '\0' && lived[at] == rebuilt[at]) {
        at++;
        if (lived[at - 1] == '\n')
            line = at;
    }
    if (lived[at] != rebuilt[at])
        broken("a rebuild gives another state: '%.*s' was '%.*s'",
               (int)strcspn(rebuilt + line, "\n"), rebuilt + line, (int)strcspn(lived + line, "\n"),
               lived + line);
    free(lived);
    free(rebuilt);
}

bool world_run(uint64_t seed, unsigned operations, bool aloud, uint64_t *digest_out)
{
    struct log *log = aloud ? log_open(1, LOG_INFO) : NULL;

    say_aloud(aloud);
    loop_begin(seed);
    world = (struct world){.seed = seed, .operations = operations, .loses = seed % 2 == 0};
    redis_world_begin(world_on_shown, NULL);
    /* Where what a process sends from its disk takes more than one call, a task that is popped
     * behind the first of them and moves before the last is put once more: so not in worlds where
     * each delivery is to be seen once. */
    node_begin(&world.node, world.loses && chance_in(50), log, world_on_answer, NULL);
    set_up_entities();
    live();
    if (is_alive())
        world_check_journal();
    if (world.node.writer != NULL && is_alive())
        node_stop(&world.node);
    else if (world.node.writer != NULL)
        node_die(&world.node, NODE_KILLED);
    if (is_alive())
        compare_with_rebuild();
    char *text = model_text(redis_world_model());
    say("%s", text);
    free(text);
    node_end(&world.node);
    redis_world_end();
    for (unsigned i = 0; i < world.spoken_count; i++)
        free(world.spoken[i]);
    if (log != NULL)
        log_close(log);
    *digest_out = said_digest();
    return broken_count() == 0;
}
