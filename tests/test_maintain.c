#include "tests/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/maintain.h"
#include "server/maintain_job.h"
#include "tests/folder.h"
#include "tests/world.h"

static struct world world;
static struct folder folder; /* for copies */
static char *out;            /* what the last command said on stdout */

static int open_world(void **state)
{
    (void)state;
    world_open(&world);
    folder = folder_make();
    assert_status(world_optin(&world, "+12155550001", NULL, NULL, "one", 0), STATUS_OK);
    assert_status(world_optin(&world, "+12155550002", NULL, NULL, "find me and flip me", 0),
                  STATUS_OK);
    assert_status(world_optin(&world, "+12155550001", NULL, NULL, "three", 0), STATUS_OK);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    folder_remove(&folder);
    free(out);
    out = NULL;
    recovery_close(world.recovery, true);
    log_close(world.log);
    struct folder data;
    memcpy(data.path, world.directory, sizeof data.path);
    folder_remove(&data);
    return 0;
}

/* A process opens a journal once, so the world lets go of its own while commands run. */
static void let_go(bool clean)
{
    recovery_close(world.recovery, clean);
    world.recovery = NULL;
}

static char *read_all(int fd)
{
    struct stat info;

    assert_int_equal(fstat(fd, &info), 0);
    char *text = calloc(1, (size_t)info.st_size + 1);
    assert_int_equal(pread(fd, text, (size_t)info.st_size, 0), info.st_size);
    return text;
}

typedef int command_fn(int argc, char **argv);

/* Runs a command as main does; its stdout is kept, its talk thrown away. */
static int run(command_fn *command, const char *a, const char *b, const char *c, const char *d)
{
    char words[5][256] = {"command"};
    char *argv[6] = {words[0]};
    const char *given[] = {a, b, c, d};
    int argc = 1;

    for (int i = 0; i < 4 && given[i]; i++) {
        snprintf(words[argc], sizeof words[argc], "%s", given[i]);
        argv[argc] = words[argc];
        argc++;
    }
    fflush(stdout);
    fflush(stderr);
    int saved_out = dup(1), saved_err = dup(2), kept = memfd_create("stdout", 0);
    int nothing = open("/dev/null", O_WRONLY);
    dup2(kept, 1);
    dup2(nothing, 2);
    int code = command(argc, argv);
    fflush(stdout);
    dup2(saved_out, 1);
    dup2(saved_err, 2);
    close(saved_out);
    close(saved_err);
    close(nothing);
    free(out);
    out = read_all(kept);
    close(kept);
    return code;
}

static void assert_said(const char *part)
{
    if (!strstr(out, part))
        fail_msg("not said: %s\nbut: %s", part, out);
}

static char copy_path[2][128];

static const char *copy_named(unsigned which, const char *name)
{
    snprintf(copy_path[which], sizeof copy_path[which], "%s/%s", folder.path, name);
    return copy_path[which];
}

static void fsck_of_a_sound_folder_is_content(void **state)
{
    (void)state;
    let_go(true);
    assert_int_equal(run(maintain_fsck, "--data", world.directory, NULL, NULL), 0);
    assert_said("8 records, 0 erased, 0 wrong\n");
    assert_said("state has come to record 8\n");
}

static void fsck_beside_a_server_leaves_state_alone(void **state)
{
    char path[256];

    (void)state;
    let_go(true);
    snprintf(path, sizeof path, "%s/hotlead.lock", world.directory);
    int lock = open(path, O_RDWR);
    assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(run(maintain_fsck, "--data", world.directory, NULL, NULL), 0);
    assert_said("state is in use by a server: not looked at\n");
    close(lock);
}

static void flip_in(const char *path, const char *bytes)
{
    FILE *file = fopen(path, "r+");
    char *content = malloc(8 << 20);
    size_t length = strlen(bytes), places = 0;

    assert_non_null(file);
    char *end = content + fread(content, 1, 8 << 20, file);
    for (char *at = memmem(content, (size_t)(end - content), bytes, length); at;
         at = memmem(at + 1, (size_t)(end - at - 1), bytes, length)) {
        fseek(file, at - content, SEEK_SET);
        fputc(*at ^ 0x20, file);
        places++;
    }
    assert_true(places > 0);
    fclose(file);
    free(content);
}

static void fsck_names_a_damaged_record_and_fails(void **state)
{
    char path[256];

    (void)state;
    let_go(true);
    snprintf(path, sizeof path, "%s/journal/data.mdb", world.directory);
    flip_in(path, "find me and flip me");
    assert_int_equal(run(maintain_fsck, "--data", world.directory, NULL, NULL), 1);
    assert_said("record 7: damaged: a checksum is wrong\n");
    assert_said("8 records, 0 erased, 1 wrong\n");
    assert_int_equal(run(maintain_backup, "--data", world.directory, copy_named(0, "b"), NULL), 1);
    flip_in(path, "Find me and flip me"); /* back, so that the world can be closed */
}

static void fsck_survives_a_state_that_is_cut_off(void **state)
{
    char path[256];

    (void)state;
    let_go(true);
    snprintf(path, sizeof path, "%s/state/rows/data.mdb", world.directory);
    assert_int_equal(truncate(path, 8192), 0);
    void (*cmocka_handler)(int) = signal(SIGBUS, SIG_DFL); /* as it is for the real command */
    assert_int_equal(run(maintain_fsck, "--data", world.directory, NULL, NULL), 1);
    signal(SIGBUS, cmocka_handler);
    assert_said("8 records, 0 erased, 0 wrong\n");
    assert_said("run hotlead rebuild");
}

static void fsck_without_a_journal_fails(void **state)
{
    (void)state;
    let_go(true);
    assert_int_equal(run(maintain_fsck, "--data", "/nonexistent", NULL, NULL), 1);
}

/* As a server that starts there sees it. */
static uint64_t epoch_of(const char *directory)
{
    const struct recovery_options options = {.data_directory = directory,
                                             .journal_map_bytes = 1 << 30,
                                             .state_map_bytes = 1 << 30,
                                             .create = true,
                                             .now_ms = world.now_ms};
    struct recovery *recovery;

    assert_status(recovery_open(&options, &recovery), STATUS_OK);
    uint64_t epoch = recovery_epoch(recovery);
    recovery_close(recovery, true);
    return epoch;
}

static void a_backup_is_restored_with_a_new_epoch(void **state)
{
    char *before;

    (void)state;
    let_go(true);
    assert_int_equal(run(maintain_dump, "--data", world.directory, NULL, NULL), 0);
    before = strdup(strstr(out, "person "));
    uint64_t epoch = epoch_of(world.directory);

    assert_int_equal(run(maintain_backup, "--data", world.directory, "--to", copy_named(0, "b")),
                     0);
    assert_said("8 records copied");
    assert_int_equal(run(maintain_restore, "--from", copy_path[0], "--data", copy_named(1, "r")),
                     0);
    assert_int_equal(run(maintain_dump, "--data", copy_path[1], NULL, NULL), 0);
    assert_string_equal(strstr(out, "person "), before);
    assert_int_not_equal(epoch_of(copy_path[1]), epoch);
    free(before);
}

static void a_backup_is_taken_while_the_server_writes(void **state)
{
    pid_t child;
    int code;

    (void)state;
    /* Another process, as it is: LMDB's locks are a process's own. */
    child = fork();
    if (child == 0)
        _exit(run(maintain_backup, "--data", world.directory, copy_named(0, "b"), NULL));
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    assert_status(world_optin(&world, "+12155550003", NULL, NULL, "four", 0), STATUS_OK);
    let_go(true);
    assert_int_equal(run(maintain_fsck, "--data", copy_named(0, "b"), NULL, NULL), 0);
    assert_said("8 records");
    assert_said("there is no state");
}

static void the_first_token_goes_with_the_journal(void **state)
{
    char path[256], text[64] = "";

    (void)state;
    let_go(true);
    snprintf(path, sizeof path, "%s/admin.token", world.directory);
    FILE *file = fopen(path, "w");
    fputs("tk_secret\n", file);
    fclose(file);
    assert_int_equal(run(maintain_backup, "--data", world.directory, copy_named(0, "b"), NULL), 0);
    assert_int_equal(run(maintain_restore, "--data", copy_named(1, "r"), copy_path[0], NULL), 0);
    snprintf(path, sizeof path, "%s/admin.token", copy_path[1]);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_string_equal(text, "tk_secret\n");
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void nothing_is_copied_over_what_is_there(void **state)
{
    (void)state;
    let_go(true);
    assert_int_equal(run(maintain_backup, "--data", world.directory, copy_named(0, "b"), NULL), 0);
    assert_int_equal(run(maintain_backup, "--data", world.directory, copy_path[0], NULL), 1);
    assert_int_equal(run(maintain_restore, "--from", copy_path[0], "--data", world.directory), 1);
}

static void an_empty_folder_may_be_restored_into(void **state)
{
    (void)state;
    let_go(true);
    assert_int_equal(run(maintain_backup, "--data", world.directory, copy_named(0, "b"), NULL), 0);
    assert_int_equal(mkdir(copy_named(1, "r"), 0700), 0);
    assert_int_equal(run(maintain_restore, "--from", copy_path[0], "--data", copy_path[1]), 0);
}

static void a_rebuild_gives_the_same_state(void **state)
{
    char *before;

    (void)state;
    let_go(false);
    assert_int_equal(run(maintain_dump, "--data", world.directory, NULL, NULL), 0);
    before = strdup(out);
    assert_int_equal(run(maintain_rebuild, "--data", world.directory, NULL, NULL), 0);
    assert_said("8 records applied in ");
    assert_int_equal(run(maintain_dump, "--data", world.directory, NULL, NULL), 0);
    assert_string_equal(out, before);
    assert_non_null(strstr(out, "person "));
    free(before);
}

static void dump_of_a_folder_in_use_fails(void **state)
{
    char path[256];

    (void)state;
    let_go(true);
    snprintf(path, sizeof path, "%s/hotlead.lock", world.directory);
    int lock = open(path, O_RDWR);
    assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(run(maintain_dump, "--data", world.directory, NULL, NULL), 1);
    assert_string_equal(out, "");
    close(lock);
}

#define LINES 300

static int die_in_a_line(struct maintain_job *job)
{
    (void)job;
    for (int i = 0; i < LINES; i++)
        printf("%03d is a line of some length, so that many do not fit into one buffer\n", i);
    printf("half a line");
    return raise(SIGKILL);
}

static int look_and_die(int argc, char **argv)
{
    struct maintain_job job = {0};

    (void)argc, (void)argv;
    return maintain_apart(die_in_a_line, &job, "it");
}

static void who_dies_looking_has_told_whole_lines(void **state)
{
    char *line, *rest;

    (void)state;
    let_go(true);
    assert_int_equal(run(look_and_die, NULL, NULL, NULL, NULL), 1);
    line = strtok_r(out, "\n", &rest);
    for (int i = 0; i < LINES; i++, line = strtok_r(NULL, "\n", &rest)) {
        assert_non_null(line);
        assert_int_equal(atoi(line), i);
        assert_non_null(strstr(line, "into one buffer"));
    }
    assert_string_equal(line, "it is damaged: reading it ended with signal 9");
    assert_null(strtok_r(NULL, "\n", &rest));
}

static void words_that_mean_nothing_are_a_usage_error(void **state)
{
    (void)state;
    let_go(true);
    assert_int_equal(run(maintain_fsck, "--dat", world.directory, NULL, NULL), 2);
    assert_int_equal(run(maintain_dump, "--data", world.directory, "more", NULL), 2);
    assert_int_equal(run(maintain_backup, "--data", world.directory, NULL, NULL), 2);
    assert_int_equal(run(maintain_backup, "--help", NULL, NULL, NULL), 0);
    assert_said("usage: hotlead backup ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fsck_of_a_sound_folder_is_content),
        TEST(fsck_beside_a_server_leaves_state_alone),
        TEST(fsck_names_a_damaged_record_and_fails),
        TEST(fsck_survives_a_state_that_is_cut_off),
        TEST(fsck_without_a_journal_fails),
        TEST(a_backup_is_restored_with_a_new_epoch),
        TEST(a_backup_is_taken_while_the_server_writes),
        TEST(the_first_token_goes_with_the_journal),
        TEST(nothing_is_copied_over_what_is_there),
        TEST(an_empty_folder_may_be_restored_into),
        TEST(a_rebuild_gives_the_same_state),
        TEST(dump_of_a_folder_in_use_fails),
        TEST(who_dies_looking_has_told_whole_lines),
        TEST(words_that_mean_nothing_are_a_usage_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
