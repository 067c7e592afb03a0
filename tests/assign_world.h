/* A world with agents: who owns whom, and what stands in their queues. */
#ifndef HOTLEAD_TESTS_ASSIGN_WORLD_H
#define HOTLEAD_TESTS_ASSIGN_WORLD_H

#include "proto/report.h"
#include "proto/task.h"
#include "tests/engine_rig.h"

#define EMAIL "dana@example.com"
#define ANN   1
#define BEN   2
#define CAT   3

static uint32_t managers;

static inline const struct registry *registry(void)
{
    return recovery_registry(world.recovery);
}

/* With its own queue, as the API makes them. */
static inline uint32_t make_agent(const char *id, const char *settings)
{
    char bytes[2048], line[512];
    struct text text = text_over(bytes, sizeof(bytes));

    snprintf(line, sizeof(line), "{\"id\":\"%s\",\"agency\":\"acme\"%s}", id, settings);
    text_string(&text, line);
    assert_int_equal(registry_add_agents(registry(), SLICE("acme"), slice_of(id), &text),
                     STATUS_OK);
    struct command command = {
        .kind = COMMAND_ADMIN, .payload = text_slice(&text), .admin = {.entity = ENTITY_AGENT}};
    assert_int_equal(world_do(&world, &command), STATUS_OK);
    return world.settlement.entity_number;
}

static inline void set(enum entity_kind kind, uint32_t number, const char *settings)
{
    struct command command = {.kind = COMMAND_ADMIN,
                              .payload = slice_of(settings),
                              .admin = {.entity = kind, .number = number}};

    assert_int_equal(world_do(&world, &command), STATUS_OK);
}

static inline uint32_t make_queue(const char *settings)
{
    return world_admin(&world, ENTITY_QUEUE, settings);
}

static inline uint32_t own_queue(uint32_t agent)
{
    return registry_own_queue(registry(), registry_agent(registry(), agent));
}

static inline int set_up(void **unused)
{
    set_up_world(unused);
    world.name = "Dana Rivera";
    make_queue("{\"id\":\"acme.email\",\"agency\":\"acme\"}");
    return 0;
}

static inline int set_up_with_agents(void **unused)
{
    set_up(unused);
    assert_int_equal(make_agent("ann", ""), ANN);
    assert_int_equal(make_agent("ben", ""), BEN);
    managers = registry_manager_queue(registry(), world.agency);
    return 0;
}

static inline void assign_by(const char *mode)
{
    char settings[256];

    snprintf(settings, sizeof(settings),
             "{\"id\":\"acme.calls\",\"agency\":\"acme\",\"assign\":\"%s\"}", mode);
    set(ENTITY_QUEUE, world.queue, settings);
}

/* The nth person opts in; its call. */
static inline uint64_t opt_in(unsigned number)
{
    char phone[16], content[24];

    snprintf(phone, sizeof(phone), "+1215555%04u", number);
    snprintf(content, sizeof(content), "%u at %llu", number, (unsigned long long)world.now_ms);
    assert_int_equal(world_optin(&world, phone, NULL, NULL, content, 0), STATUS_OK);
    return world.settlement.optin.task;
}

static inline struct task_row row_of(uint64_t person, uint64_t task)
{
    struct task_row row;

    assert_true(world_task(&world, person, task, &row));
    return row;
}

static inline uint32_t owner_of(uint64_t person)
{
    struct person_row row;

    assert_true(world_person(&world, person, &row));
    return row.owner;
}

static inline struct task_row open_call(uint64_t person)
{
    return world_open_task(&world, person, TASK_CALL);
}

static inline enum status claim(uint64_t task, unsigned delivery, const char *agent)
{
    return world_report(&world, task, delivery, REPORT_CLAIM, 0, agent);
}

static inline enum status say(uint64_t task, unsigned delivery, enum outcome outcome,
                              const char *agent)
{
    return world_report(&world, task, delivery, REPORT_OUTCOME, outcome, agent);
}

/* Person 1 is Ann's, and is to be called again. */
static inline struct task_row retry_of_anns(void)
{
    uint64_t task = opt_in(1);

    assert_int_equal(claim(task, 1, "ann"), STATUS_OK);
    assert_int_equal(say(task, 1, OUTCOME_NO_ANSWER, "ann"), STATUS_OK);
    world.now_ms = WORLD_START_MS + 16 * HOUR; /* in the afternoon, so that no window matters */
    world_pass(&world, 0);
    return open_call(1);
}

static inline enum status assign(uint64_t person, uint32_t to, uint32_t by)
{
    struct command command = {.kind = COMMAND_ASSIGN,
                              .assign = {.person = person, .to = to, .by = by, .manager = by == 0}};

    return world_do(&world, &command);
}

static inline unsigned work_of(uint32_t agent)
{
    return (unsigned)state_agent(world.state, agent)->open_tasks;
}

#endif
