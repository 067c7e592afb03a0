/* The writer with its thread, on a real loop and a real data folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/must.h"
#include "server/writer.h"
#include "tests/store_faults.h"

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

static void on_settled(void *owner, const struct settlement *settlement)
{
    (void)owner;
    MUST(scene.settled_count < KEPT);
    scene.settled[scene.settled_count++] = *settlement;
}

static void on_outbox(void *owner, const struct writer_outbox *operation)
{
    (void)owner;
    scene.operation_count++;
    scene.rendered_count += operation->member.length > 0;
    scene.last_operation = *operation;
}

static void on_batch(void *owner)
{
    (void)owner;
}

static void on_ready(void *owner)
{
    (void)owner;
    scene.ready = true;
}

static void on_clock(void *owner, int64_t step_ms)
{
    (void)owner;
    (void)step_ms;
}

static void run_until_settled(unsigned count)
{
    while (scene.settled_count < count)
        uv_run(&scene.loop, UV_RUN_ONCE);
}

static void set_clock(uint64_t now_ms)
{
    FILE *file = fopen(scene.clock_file, "w");

    fprintf(file, "%llu\n", (unsigned long long)now_ms);
    fclose(file);
}

static enum status start(unsigned commands_max)
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

static void start_ready(unsigned commands_max)
{
    assert_int_equal(start(commands_max), STATUS_OK);
    while (!scene.ready)
        uv_run(&scene.loop, UV_RUN_ONCE);
}

static void stop(void)
{
    writer_close(scene.writer);
    uv_run(&scene.loop, UV_RUN_DEFAULT);
}

static struct settlement *submit_and_wait(const struct command *command)
{
    unsigned before = scene.settled_count;

    assert_int_equal(writer_submit(scene.writer, command), STATUS_OK);
    run_until_settled(before + 1);
    return &scene.settled[before];
}

static uint32_t admin(enum entity_kind entity, const char *settings)
{
    struct command command = {.kind = COMMAND_ADMIN,
                              .payload = slice_of(settings),
                              .now_ms = clock_now_ms(scene.clock),
                              .admin = {.entity = entity}};
    struct settlement *settled = submit_and_wait(&command);

    assert_int_equal(settled->status, STATUS_OK);
    return settled->entity_number;
}

static int set_up(void **unused)
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

static int tear_down(void **unused)
{
    char command[128];

    (void)unused;
    store_heal();
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

static struct command optin_command(unsigned n)
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

static void lone_optin_is_settled_and_its_task_handed_over(void **unused)
{
    struct command command = optin_command(7);
    uint64_t before_us = clock_monotonic_us();
    struct settlement *settled = submit_and_wait(&command);

    (void)unused;
    assert_int_equal(settled->status, STATUS_OK);
    assert_int_equal(settled->ticket, 7);
    assert_int_equal(scene.operation_count, 1);
    assert_int_equal(scene.rendered_count, 1);
    assert_int_equal(scene.last_operation.op, OUTBOX_PUT);
    assert_int_equal(scene.last_operation.rank_ms, 1700000000000 + 300000);
    assert_in_range(scene.last_operation.committed_us, before_us, clock_monotonic_us());
}

static void members_are_not_rendered_when_nobody_wants_them(void **unused)
{
    struct command command = optin_command(1);

    (void)unused;
    writer_render(scene.writer, false);
    submit_and_wait(&command);
    assert_int_equal(scene.operation_count, 1);
    assert_int_equal(scene.rendered_count, 0);
}

static void full_batch_answers_busy_and_keeps_nothing(void **unused)
{
    unsigned accepted = 0, before;
    enum status result = STATUS_OK;

    (void)unused;
    stop();
    start_ready(4);
    before = scene.settled_count;
    /* The thread may take a batch away at any time, so it is filled until it is full. */
    for (unsigned i = 0; i < 100000 && result == STATUS_OK; i++) {
        struct command command = optin_command(i);
        result = writer_submit(scene.writer, &command);
        accepted += result == STATUS_OK;
    }
    assert_int_equal(result, STATUS_BUSY);
    run_until_settled(before + accepted);
    assert_int_equal(scene.settled_count, before + accepted);
}

static void settlements_keep_the_order_of_submission(void **unused)
{
    unsigned before = scene.settled_count;

    (void)unused;
    for (unsigned i = 0; i < 10000; i++) {
        struct command command = optin_command(i);

        while (writer_submit(scene.writer, &command) == STATUS_BUSY)
            uv_run(&scene.loop, UV_RUN_ONCE);
    }
    run_until_settled(before + 10000);
    for (unsigned i = 0; i < 10000; i++) {
        assert_int_equal(scene.settled[before + i].ticket, i);
        assert_int_equal(scene.settled[before + i].status, STATUS_OK);
    }
    assert_int_equal(scene.operation_count, 10000);
}

static void duplicate_is_known_after_a_restart(void **unused)
{
    struct command command = optin_command(1);

    (void)unused;
    submit_and_wait(&command);
    stop();
    start_ready(4096);
    command = optin_command(1);
    assert_int_equal(submit_and_wait(&command)->status, STATUS_DUPLICATE);
}

static void folder_belongs_to_one_writer(void **unused)
{
    struct writer *first = scene.writer;

    (void)unused;
    assert_int_equal(start(16), STATUS_CONFLICT);
    scene.writer = first;
}

static void optins_during_a_rebuild_are_received_and_decided_afterwards(void **unused)
{
    unsigned before, received = 0, accepted = 0;
    char owner[128];

    (void)unused;
    for (unsigned i = 0; i < 4000; i++) {
        struct command command = optin_command(i);

        while (writer_submit(scene.writer, &command) == STATUS_BUSY)
            uv_run(&scene.loop, UV_RUN_ONCE);
    }
    run_until_settled(4003);
    stop();
    snprintf(owner, sizeof(owner), "%s/state/OWNER", scene.directory);
    assert_int_equal(unlink(owner), 0);

    assert_int_equal(start(4096), STATUS_OK);
    before = scene.settled_count;
    for (unsigned i = 10000; !scene.ready; i++) {
        struct command command = optin_command(i);

        if (accepted < KEPT / 2)
            accepted += writer_submit(scene.writer, &command) == STATUS_OK;
        uv_run(&scene.loop, UV_RUN_NOWAIT);
    }
    run_until_settled(before + accepted);
    for (unsigned i = before; i < scene.settled_count; i++) {
        assert_true(scene.settled[i].status == STATUS_OK ||
                    scene.settled[i].status == STATUS_ACCEPTED);
        received += scene.settled[i].status == STATUS_ACCEPTED;
    }
    assert_true(received > 0);
    {
        struct command again = optin_command(10000);
        assert_int_equal(submit_and_wait(&again)->status, STATUS_DUPLICATE);
    }
}

static void deadline_fires_when_the_clock_says_so(void **unused)
{
    struct command command = optin_command(1), barrier = {.kind = COMMAND_BARRIER};

    (void)unused;
    submit_and_wait(&command);
    set_clock(1700000000000 + 300000);
    while (scene.operation_count < 2)
        uv_run(&scene.loop, UV_RUN_ONCE);
    assert_int_equal(scene.last_operation.rank_ms, 1700000000000 + 300000 + 86400000);
    assert_int_equal(submit_and_wait(&barrier)->status, STATUS_OK);
    assert_int_equal(stats_breaches(scene.stats, 1), 1);
}

static void barrier_settles_when_readers_see_it_all(void **unused)
{
    struct command command = optin_command(1), barrier = {.kind = COMMAND_BARRIER};
    struct state_reader *reader;
    struct person_row person;
    struct task_row task;
    uint64_t last_seq;

    (void)unused;
    submit_and_wait(&command);
    submit_and_wait(&barrier);
    assert_int_equal(state_reader_open(writer_state(scene.writer), &reader), STATUS_OK);
    assert_true(state_read_person(reader, 1, &person, &task, &last_seq));
    state_reader_close(reader);
}

static void registry_is_read_for_the_loop(void **unused)
{
    struct registry *registry = registry_open();

    (void)unused;
    stop();
    start_ready(4096);
    assert_int_equal(writer_read_registry(scene.writer, registry), STATUS_OK);
    assert_int_equal(registry_number(registry, ENTITY_SITE, SLICE("main")), scene.site);
    registry_close(registry);
}

/* With settings before and behind it, which are read along the same chain. */
static void epoch_that_was_begun_is_in_force_after_a_restart(void **unused)
{
    struct command command = {.kind = COMMAND_EPOCH, .ticket = 9, .epoch = 0x1234567890abcdef};
    uint64_t before = writer_epoch(scene.writer);

    (void)unused;
    assert_int_equal(submit_and_wait(&command)->status, STATUS_OK);
    assert_int_not_equal(before, command.epoch);
    uint32_t site =
        admin(ENTITY_SITE, "{\"id\":\"second\",\"agency\":\"acme\",\"queue\":\"acme.calls\"}");
    stop();
    start_ready(4096);
    assert_int_equal(writer_epoch(scene.writer), command.epoch);
    struct registry *registry = registry_open();
    assert_int_equal(writer_read_registry(scene.writer, registry), STATUS_OK);
    assert_int_equal(registry_number(registry, ENTITY_SITE, SLICE("second")), site);
    assert_int_equal(registry_number(registry, ENTITY_SITE, SLICE("main")), scene.site);
    registry_close(registry);
}

static void run_for(unsigned ms)
{
    uint64_t end_ms = clock_monotonic_ms() + ms;

    while (clock_monotonic_ms() < end_ms)
        uv_run(&scene.loop, UV_RUN_ONCE);
}

/* The breach of a deadline is an operation: the task is ranked anew. */
static void nothing_is_judged_before_the_owner_knows_what_waited(void **unused)
{
    struct command command = optin_command(1);

    (void)unused;
    submit_and_wait(&command);
    stop();
    scene.judge_after_ms = 60000;
    set_clock(1700000000000 + 400000);
    start_ready(4096);
    scene.operation_count = 0;
    run_for(150);
    assert_int_equal(scene.operation_count, 0);
    writer_judge(scene.writer);
    run_for(300);
    assert_int_equal(scene.operation_count, 1);
}

/* All that were put until then are gone from the queue. */
static struct command popped_command(uint64_t seen_ms)
{
    return (struct command){
        .kind = COMMAND_POPPED,
        .ticket = 9,
        .now_ms = seen_ms,
        .popped = {.queue = 1, .empty = true, .pushed_seq = scene.last_operation.seq}};
}

static void what_was_popped_before_its_deadline_breaches_when_its_lease_ends(void **unused)
{
    uint64_t start_ms = 1700000000000;
    struct command command = optin_command(1), barrier = {.kind = COMMAND_BARRIER},
                   popped = popped_command(start_ms + 290000);

    (void)unused;
    submit_and_wait(&command);
    popped.popped.pushed_seq = scene.last_operation.seq;
    assert_int_equal(writer_submit(scene.writer, &popped), STATUS_OK);
    set_clock(start_ms + 300000);
    run_for(100);
    assert_int_equal(submit_and_wait(&barrier)->status, STATUS_OK);
    assert_int_equal(stats_breaches(scene.stats, 1), 0);
    set_clock(start_ms + 290000 + 120000);
    run_for(100);
    assert_int_equal(submit_and_wait(&barrier)->status, STATUS_OK);
    assert_int_equal(stats_count(scene.stats, STATS_TASKS_REDELIVERED), 1);
    assert_int_equal(stats_breaches(scene.stats, 1), 1);
}

/* By the shipped playbook: of the business day, 24 h and 48 h, but not of five minutes and an hour.
 */
static void missed_tiers_that_say_so_are_alerts(void **unused)
{
    struct command command = optin_command(1), barrier = {.kind = COMMAND_BARRIER};

    (void)unused;
    submit_and_wait(&command);
    set_clock(1700000000000 + 3600000);
    run_for(100);
    assert_int_equal(submit_and_wait(&barrier)->status, STATUS_OK);
    assert_int_equal(stats_count(scene.stats, STATS_ALERTS), 0);
    set_clock(1700000000000 + 50 * 3600000);
    run_for(100);
    assert_int_equal(submit_and_wait(&barrier)->status, STATUS_OK);
    assert_int_equal(stats_count(scene.stats, STATS_ALERTS), 3);
}

/* --- no room, no memory ------------------------------------------------------------------ */

static void submit(const struct command *command)
{
    assert_int_equal(writer_submit(scene.writer, command), STATUS_OK);
}

/* The journal has the opt-in, so it is acknowledged; but no reader sees it yet. */
static void barrier_says_no_while_state_has_no_room(void **unused)
{
    struct command command = optin_command(1), barrier = {.kind = COMMAND_BARRIER};
    unsigned before = scene.settled_count;

    (void)unused;
    store_fails(&store_faults.state_commits, 0, UINT_MAX);
    submit(&command);
    submit(&barrier);
    run_until_settled(before + 2);
    assert_int_equal(scene.settled[before].status, STATUS_OK);
    assert_int_not_equal(scene.settled[before + 1].status, STATUS_OK);
    store_works(&store_faults.state_commits);
    while (submit_and_wait(&barrier)->status != STATUS_OK)
        run_for(20);
}

static void submit_optin(unsigned n)
{
    struct command command = optin_command(n);

    submit(&command);
}

static void run_until_held(void)
{
    while (!atomic_load(&store_faults.held))
        uv_run(&scene.loop, UV_RUN_NOWAIT);
}

/* State has no room when 1 and 2 are decided, and meanwhile 3 and 4 come in, which are kept as they
 * came. That is the last that the journal has room for. */
static void receive_two(void)
{
    struct command barrier = {.kind = COMMAND_BARRIER};
    unsigned before = scene.settled_count;

    atomic_store(&store_faults.holding, true);
    submit_optin(0);
    run_until_held(); /* so that the next ones are one batch */
    submit_optin(1);
    submit_optin(2);
    submit(&barrier);
    store_fails(&store_faults.state_commits, 1, 2); /* once more when it is brought back */
    store_step();
    run_until_held();
    submit_optin(3);
    submit_optin(4);
    store_fails(&store_faults.journal_commits, 1, UINT_MAX);
    atomic_store(&store_faults.holding, false);
    run_until_settled(before + 6);
    assert_int_equal(scene.settled[before + 2].status, STATUS_OK);
    assert_int_equal(scene.settled[before + 3].status, STATUS_DISK_FULL);
    assert_int_equal(scene.settled[before + 4].status, STATUS_ACCEPTED);
    assert_int_equal(scene.settled[before + 5].status, STATUS_ACCEPTED);
}

static void what_was_decided_and_not_stored_is_not_handed_over(void **unused)
{
    struct command barrier = {.kind = COMMAND_BARRIER};

    (void)unused;
    receive_two();
    run_for(100);
    assert_int_equal(scene.operation_count, 3);
    store_works(&store_faults.journal_commits);
    while (submit_and_wait(&barrier)->status != STATUS_OK)
        run_for(20);
    assert_int_equal(scene.operation_count, 5);
    assert_int_equal(scene.last_operation.seq, 5);
}

/* How a process ends that is started on this folder, and lives for some seconds if it may. */
static int end_of_start(void (*act)(void))
{
    int status;
    pid_t child = fork();

    MUST(child >= 0);
    if (child == 0) {
        MUST(uv_loop_fork(&scene.loop) == 0);
        MUST(start(4096) == STATUS_OK);
        for (unsigned i = 0; i < 100 && !scene.ready; i++)
            run_for(50);
        act();
        _exit(0);
    }
    MUST(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void stop_for_a_child(void)
{
    stop();
    scene.writer = NULL;
}

static void lack_memory_once(void)
{
    run_for(300); /* nothing is left to commit */
    store_fails(&store_faults.state_cursors, 0, 1);
    run_for(5000);
}

static void look_at_what_is_due_that_failed_ends_the_process(void **unused)
{
    (void)unused;
    stop_for_a_child();
    assert_int_equal(end_of_start(lack_memory_once), 70);
}

static void do_nothing(void)
{
}

/* Wherever the bytes stand in the journal's file. */
static void damage(const char *text)
{
    static char bytes[64 << 20];
    char path[128];
    unsigned found = 0;

    snprintf(path, sizeof(path), "%s/journal/data.mdb", scene.directory);
    FILE *file = fopen(path, "r+");
    MUST(file != NULL);
    size_t length = fread(bytes, 1, sizeof(bytes), file), left = length;
    for (char *at = bytes; (at = memmem(at, left, text, strlen(text))) != NULL; found++) {
        MUST(fseek(file, at - bytes, SEEK_SET) == 0 && fputc('!', file) == '!');
        left = length - (size_t)(++at - bytes);
    }
    MUST(found > 0 && fclose(file) == 0);
}

/* It was acknowledged, and would never be decided. */
static void received_optin_that_cannot_be_read_ends_the_process(void **unused)
{
    (void)unused;
    receive_two();
    stop_for_a_child();
    store_heal();
    damage("p3@example.com");
    assert_int_equal(end_of_start(do_nothing), 70);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lone_optin_is_settled_and_its_task_handed_over),
        TEST(members_are_not_rendered_when_nobody_wants_them),
        TEST(full_batch_answers_busy_and_keeps_nothing),
        TEST(settlements_keep_the_order_of_submission),
        TEST(duplicate_is_known_after_a_restart),
        TEST(folder_belongs_to_one_writer),
        TEST(optins_during_a_rebuild_are_received_and_decided_afterwards),
        TEST(deadline_fires_when_the_clock_says_so),
        TEST(missed_tiers_that_say_so_are_alerts),
        TEST(barrier_settles_when_readers_see_it_all),
        TEST(registry_is_read_for_the_loop),
        TEST(epoch_that_was_begun_is_in_force_after_a_restart),
        TEST(nothing_is_judged_before_the_owner_knows_what_waited),
        TEST(what_was_popped_before_its_deadline_breaches_when_its_lease_ends),
        TEST(barrier_says_no_while_state_has_no_room),
        TEST(what_was_decided_and_not_stored_is_not_handed_over),
        TEST(look_at_what_is_due_that_failed_ends_the_process),
        TEST(received_optin_that_cannot_be_read_ends_the_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
