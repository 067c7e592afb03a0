/* What the writer settles and hands over, when and in which order, and what a restart keeps. */
#include "tests/writer_scene.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
