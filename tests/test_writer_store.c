/* The writer when journal and state have no room or no memory, or cannot be read. */
#include <sys/wait.h>

#include "tests/store_faults.h"
#include "tests/writer_scene.h"

static int heal_and_tear_down(void **unused)
{
    store_heal();
    return tear_down(unused);
}

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, heal_and_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(barrier_says_no_while_state_has_no_room),
        TEST(what_was_decided_and_not_stored_is_not_handed_over),
        TEST(look_at_what_is_due_that_failed_ends_the_process),
        TEST(received_optin_that_cannot_be_read_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
