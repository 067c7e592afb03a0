/* The writer with its thread, on a real loop and a real data folder, with a site that opt-ins come
 * from. For the tests of writer*.c: included by one test file each. */
#ifndef HOTLEAD_TESTS_WRITER_SCENE_H
#define HOTLEAD_TESTS_WRITER_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/must.h"
#include "server/writer.h"

#define KEPT 20000

struct scene {
    char directory[64], clock_file[96];
    uv_loop_t loop;
    struct clock *clock;
    struct log *log;
    struct stats *stats;
    struct writer *writer;
    struct settlement settled[KEPT];
    unsigned settled_count, operation_count, rendered_count;
    unsigned judge_after_ms;
    struct writer_outbox last_operation;
    bool ready;
    uint32_t site;
};

static struct scene scene;

static inline void on_settled(void *owner, const struct settlement *settlement)
{
    (void)owner;
    MUST(scene.settled_count < KEPT);
    scene.settled[scene.settled_count++] = *settlement;
}

static inline void on_outbox(void *owner, const struct writer_outbox *operation)
{
    (void)owner;
    scene.operation_count++;
    scene.rendered_count += operation->member.length > 0;
    scene.last_operation = *operation;
}

static inline void on_batch(void *owner)
{
    (void)owner;
}

static inline void on_ready(void *owner)
{
    (void)owner;
    scene.ready = true;
}

static inline void on_clock(void *owner, int64_t step_ms)
{
    (void)owner;
    (void)step_ms;
}

static inline void run_until_settled(unsigned count)
{
    while (scene.settled_count < count)
        uv_run(&scene.loop, UV_RUN_ONCE);
}

static inline void set_clock(uint64_t now_ms)
{
    FILE *file = fopen(scene.clock_file, "w");

    fprintf(file, "%llu\n", (unsigned long long)now_ms);
    fclose(file);
}

static inline enum status start(unsigned commands_max)
{
    struct writer_options options = {
        .loop = &scene.loop,
        .data_directory = scene.directory,
        .node = "n1",
        .redis_prefix = "hl",
        .journal_map_bytes = 1ull << 30,
        .state_map_bytes = 1ull << 30,
        .reserve_bytes = 1 << 20,
        .batch_bytes_max = 1 << 20,
        .batch_commands_max = commands_max,
        .judge_after_ms = scene.judge_after_ms,
        .clock = scene.clock,
        .log = scene.log,
        .stats = scene.stats,
        .on_settled = on_settled,
        .on_outbox = on_outbox,
        .on_batch = on_batch,
        .on_ready = on_ready,
    };

    scene.ready = false;
    return writer_open(&options, &scene.writer);
}

static inline void start_ready(unsigned commands_max)
{
    assert_int_equal(start(commands_max), STATUS_OK);
    while (!scene.ready)
        uv_run(&scene.loop, UV_RUN_ONCE);
}

static inline void stop(void)
{
    writer_close(scene.writer);
    uv_run(&scene.loop, UV_RUN_DEFAULT);
}

static inline struct settlement *submit_and_wait(const struct command *command)
{
    unsigned before = scene.settled_count;

    assert_int_equal(writer_submit(scene.writer, command), STATUS_OK);
    run_until_settled(before + 1);
    return &scene.settled[before];
}

static inline uint32_t admin(enum entity_kind entity, const char *settings)
{
    struct command command = {.kind = COMMAND_ADMIN,
                              .payload = slice_of(settings),
                              .now_ms = clock_now_ms(scene.clock),
                              .admin = {.entity = entity}};
    struct settlement *settled = submit_and_wait(&command);

    assert_int_equal(settled->status, STATUS_OK);
    return settled->entity_number;
}

static inline int set_up(void **unused)
{
    (void)unused;
    memset(&scene, 0, sizeof(scene));
    snprintf(scene.directory, sizeof(scene.directory), "/var/tmp/hotlead-writer-XXXXXX");
    MUST(mkdtemp(scene.directory) != NULL);
    snprintf(scene.clock_file, sizeof(scene.clock_file), "%s/clock", scene.directory);
    set_clock(1700000000000);
    MUST(uv_loop_init(&scene.loop) == 0);
    scene.log = log_open(STDERR_FILENO, LOG_ERROR);
    scene.stats = stats_open();
    MUST(clock_open(scene.clock_file, &scene.clock) == STATUS_OK);
    clock_watch(scene.clock, &scene.loop, on_clock, NULL);
    start_ready(4096);
    admin(ENTITY_AGENCY, "{\"id\":\"acme\",\"name\":\"Acme\"}");
    admin(ENTITY_QUEUE, "{\"id\":\"acme.calls\",\"agency\":\"acme\"}");
    scene.site =
        admin(ENTITY_SITE, "{\"id\":\"main\",\"agency\":\"acme\",\"queue\":\"acme.calls\"}");
    return 0;
}

static inline int tear_down(void **unused)
{
    char command[128];

    (void)unused;
    clock_unwatch(scene.clock);
    stop();
    MUST(uv_loop_close(&scene.loop) == 0);
    clock_close(scene.clock);
    log_close(scene.log);
    stats_close(scene.stats);
    snprintf(command, sizeof(command), "rm -rf '%s'", scene.directory);
    MUST(system(command) == 0);
    return 0;
}

static inline struct command optin_command(unsigned n)
{
    static char payload[1024];
    static struct optin optin;
    static char email[64];
    struct command command = {.kind = COMMAND_OPTIN, .ticket = n};

    optin_clear(&optin);
    snprintf(email, sizeof(email), "p%u@example.com", n);
    optin.text[OPTIN_EMAIL] = slice_of(email);
    command.now_ms = clock_now_ms(scene.clock);
    command.payload = (struct slice){payload, optin_encode(&optin, payload, sizeof(payload))};
    command.optin = (struct effect_received){
        .email = hash_of(writer_hash_key(scene.writer), HASH_EMAIL, 1, slice_of(email)),
        .content = optin_content(&optin, writer_hash_key(scene.writer), scene.site),
        .site = scene.site,
        .credential = CREDENTIAL_SECRET,
    };
    return command;
}

static inline void run_for(unsigned ms)
{
    uint64_t end_ms = clock_monotonic_ms() + ms;

    while (clock_monotonic_ms() < end_ms)
        uv_run(&scene.loop, UV_RUN_ONCE);
}

#endif
