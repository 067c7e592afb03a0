/* bench/process.c: real children, shells mostly, and what they use. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/process.h"
#include "tests/folder.h"
#include "tests/unit.h"

#define WAIT_MS 5000

static struct folder folder;
static char log_path[256];

static int make_folder(void **state)
{
    (void)state;
    folder = folder_make();
    snprintf(log_path, sizeof log_path, "%s", folder_path(&folder, "log"));
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    folder_remove(&folder);
    return 0;
}

static struct process run_shell(const char *script)
{
    struct process process;
    const char *words[] = {"sh", "-c", script, NULL};

    assert_status(process_start(words, NULL, folder.path, log_path, &process), STATUS_OK);
    assert_true(process.pid > 0);
    return process;
}

static void pause_a_little(void)
{
    nanosleep(&(struct timespec){0, 1000000}, NULL);
}

static void wait_until_it_ended(struct process *process)
{
    for (int i = 0; i < WAIT_MS && process_lives(process); i++)
        pause_a_little();
    assert_int_equal(process->pid, 0);
}

static const char *what_it_wrote(void)
{
    static char text[4096];
    FILE *file = fopen(log_path, "r");

    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* A shell of ours says "there" once it has set itself up. */
static void wait_until_it_wrote(const char *what)
{
    for (int i = 0; i < WAIT_MS; i++) {
        if (access(log_path, R_OK) == 0 && strstr(what_it_wrote(), what))
            return;
        pause_a_little();
    }
    fail_msg("it never wrote '%s'", what);
}

static void child_runs_in_its_folder_and_writes_to_its_log(void **state)
{
    (void)state;
    struct process process = run_shell("pwd; echo to stderr >&2; cat");
    char wanted[256];

    wait_until_it_ended(&process); /* cat ends at once: there is nothing on stdin */
    snprintf(wanted, sizeof wanted, "%s\nto stderr\n", folder.path);
    assert_string_equal(what_it_wrote(), wanted);
    assert_int_equal(process.exit_code, 0);
}

static void environment_adds_to_ours_and_overrides_it(void **state)
{
    (void)state;
    struct process process;
    const char *words[] = {"sh", "-c", "echo \"$BENCH_A $BENCH_B\"", NULL};
    const char *more[] = {"BENCH_B=theirs", NULL};

    setenv("BENCH_A", "a", 1);
    setenv("BENCH_B", "b", 1);
    assert_status(process_start(words, more, folder.path, log_path, &process), STATUS_OK);
    wait_until_it_ended(&process);
    assert_string_equal(what_it_wrote(), "a theirs\n");
}

static void program_that_is_not_there_is_refused_with_its_errno(void **state)
{
    (void)state;
    struct process process;
    const char *words[] = {"no-such-program-anywhere", NULL};
    const char *sound[] = {"true", NULL};

    assert_status(process_start(words, NULL, folder.path, log_path, &process), STATUS_INVALID);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(process.pid, 0);
    assert_status(process_start(sound, NULL, "/no/such/folder", log_path, &process),
                  STATUS_INVALID);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* and nothing is left to be reaped */
}

static void child_holds_no_descriptor_of_ours(void **state)
{
    (void)state;
    int leaky = open("/dev/null", O_RDONLY); /* on purpose without O_CLOEXEC */
    struct process process = run_shell("exec ls /proc/self/fd");

    wait_until_it_ended(&process);
    close(leaky);
    assert_string_equal(what_it_wrote(), "0\n1\n2\n3\n"); /* 3: the folder that it reads */
}

static void child_ignores_no_signal_because_we_do(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    struct process process = run_shell("kill -PIPE $$; echo survived");
    signal(SIGPIPE, SIG_DFL);

    wait_until_it_ended(&process);
    assert_int_equal(process.exit_code, 128 + SIGPIPE);
}

static long faults_by_writing(char *pages, size_t bytes)
{
    struct rusage before, after;

    getrusage(RUSAGE_SELF, &before);
    for (size_t at = 0; at < bytes; at += 4096)
        pages[at]++;
    getrusage(RUSAGE_SELF, &after);
    return after.ru_minflt - before.ru_minflt;
}

/* A fork would: a sender that starts a server in the middle of its load would then fault at each
 * page of its ledger, and would have waited for the copy of all their entries. */
static void our_memory_is_not_copied_by_a_start(void **state)
{
    size_t bytes = 64u << 20;
    char *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_true(pages != MAP_FAILED);
    madvise(pages, bytes, MADV_NOHUGEPAGE);
    faults_by_writing(pages, bytes);
    struct process process = run_shell("true");
    long faults = faults_by_writing(pages, bytes);
    wait_until_it_ended(&process);
    munmap(pages, bytes);
    assert_in_range(faults, 0, 1000);
}

static void exit_code_is_told(void **state)
{
    (void)state;
    struct process process = run_shell("exit 70");

    wait_until_it_ended(&process);
    assert_int_equal(process.exit_code, 70);
}

static void stop_is_gentle_first(void **state)
{
    (void)state;
    struct process process =
        run_shell("trap 'echo bye; exit 3' TERM; echo there; while :; do sleep 0.01; done");

    wait_until_it_wrote("there");
    assert_true(process_stop(&process, WAIT_MS));
    assert_int_equal(process.exit_code, 3);
    assert_non_null(strstr(what_it_wrote(), "bye"));
    assert_true(process_stop(&process, WAIT_MS)); /* stopping what is stopped does nothing */
}

static void stop_kills_what_does_not_end(void **state)
{
    (void)state;
    struct process process = run_shell("trap '' TERM; echo there; while :; do sleep 0.01; done");

    wait_until_it_wrote("there");
    assert_false(process_stop(&process, 20));
    assert_int_equal(process.exit_code, 128 + SIGKILL);
}

/* The first number in the log: a child's child that wrote it. */
static pid_t grandchild(void)
{
    wait_until_it_wrote("\n");
    return (pid_t)atoi(what_it_wrote());
}

/* It is our grandchild, so it is init's to reap, if there is one: a zombie counts as dead. */
static bool is_dead(pid_t pid)
{
    char path[64], text[512];

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return true;
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    const char *state = strrchr(text, ')');
    return !state || state[2] == 'Z' || state[2] == 'X';
}

static void wait_until_dead(pid_t pid)
{
    for (int i = 0; i < WAIT_MS && !is_dead(pid); i++)
        pause_a_little();
    assert_true(is_dead(pid));
}

static void children_left_behind_are_killed_too(void **state)
{
    (void)state;
    struct process stopped = run_shell("(trap '' TERM; sleep 100) & echo $!; wait");
    pid_t child = grandchild();

    process_stop(&stopped, WAIT_MS);
    wait_until_dead(child);
    unlink(log_path);
    struct process ended = run_shell("sleep 100 & echo $!");
    child = grandchild();
    wait_until_it_ended(&ended);
    wait_until_dead(child);
}

static void child_dies_when_we_are_killed(void **state)
{
    (void)state;
    pid_t us = fork();

    if (us == 0) {
        run_shell("echo $$; exec sleep 100");
        pause();
        _exit(0);
    }
    pid_t child = grandchild();
    kill(us, SIGKILL);
    waitpid(us, NULL, 0);
    wait_until_dead(child);
}

/* Spins for the milliseconds of CPU that it is given, and then sleeps. */
static const char *const spinner = "import time, sys\n"
                                   "end = time.process_time() + %s\n"
                                   "while time.process_time() < end: pass\n"
                                   "print('used', round(time.process_time() * 1e6), flush=True)\n"
                                   "time.sleep(100)\n";

static uint64_t used_us(void)
{
    wait_until_it_wrote("used");
    return strtoull(strstr(what_it_wrote(), "used") + 5, NULL, 10);
}

static void cpu_time_is_exact_to_far_below_a_tick(void **state)
{
    (void)state;
    char script[512];
    const char *words[] = {"/usr/bin/python3", "-S", "-c", script, NULL};
    struct process process;
    struct process_use use;

    snprintf(script, sizeof script, spinner, "0.0533");
    assert_status(process_start(words, NULL, folder.path, log_path, &process), STATUS_OK);
    uint64_t own_us = used_us();
    assert_true(process_use(&process, &use));
    uint64_t seen_us = use.user_us + use.system_us;
    /* It printed after it had looked at its clock. */
    if (seen_us < own_us || seen_us > own_us + 3000)
        fail_msg("it used %llu us, and %llu were seen", (unsigned long long)own_us,
                 (unsigned long long)seen_us);
    process_stop(&process, WAIT_MS);
}

static void children_count_while_they_live_and_when_reaped(void **state)
{
    (void)state;
    struct process_use alive, after;
    struct process process = run_shell("/usr/bin/python3 -S -c 'import time\n"
                                       "while time.process_time() < 0.15: pass\n"
                                       "print(\"spun\", flush=True)\n"
                                       "import sys, os\n"
                                       "while not os.path.exists(\"go\"): time.sleep(0.005)'\n"
                                       "echo reaped; sleep 100");

    wait_until_it_wrote("spun");
    assert_true(process_use(&process, &alive));
    assert_true(alive.user_us + alive.system_us >= 150000);
    assert_true(alive.threads == 2);
    close(open(folder_path(&folder, "go"), O_CREAT | O_WRONLY, 0600));
    wait_until_it_wrote("reaped");
    assert_true(process_use(&process, &after));
    assert_true(after.user_us + after.system_us >= 130000); /* two parts, each cut to a tick */
    process_stop(&process, WAIT_MS);
}

static void memory_and_descriptors_are_told(void **state)
{
    (void)state;
    struct process_use use;
    struct process process = run_shell("exec /usr/bin/python3 -S -c 'import time\n"
                                       "x = bytearray(64 << 20)\n"
                                       "del x\n"
                                       "files = [open(\"/dev/null\") for _ in range(20)]\n"
                                       "print(\"there\", flush=True)\n"
                                       "time.sleep(100)'");

    wait_until_it_wrote("there");
    assert_true(process_use(&process, &use));
    assert_true(use.resident_bytes > 1 << 20);
    assert_true(use.resident_bytes < 64 << 20);
    assert_true(use.resident_bytes_max > 64 << 20);
    assert_int_equal(use.descriptors, 23);
    process_stop(&process, WAIT_MS);
    assert_false(process_use(&process, &use));
}

static int allow_in_a_child(rlim_t soft, rlim_t hard, uint64_t wanted)
{
    int state = 0;
    pid_t child = fork();

    if (child == 0) {
        struct rlimit limit = {soft, hard};
        setrlimit(RLIMIT_NOFILE, &limit);
        bool allowed = process_allow_descriptors(wanted);
        getrlimit(RLIMIT_NOFILE, &limit);
        _exit((allowed ? 1 : 0) + (limit.rlim_cur == hard ? 2 : 0));
    }
    waitpid(child, &state, 0);
    return WEXITSTATUS(state);
}

static void descriptors_are_as_many_as_may_be(void **state)
{
    (void)state;
    assert_int_equal(allow_in_a_child(100, 200, 150), 1 + 2);
    assert_int_equal(allow_in_a_child(100, 200, 201), 2);
}

int main(void)
{
#define ONE(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        ONE(descriptors_are_as_many_as_may_be),
        ONE(child_runs_in_its_folder_and_writes_to_its_log),
        ONE(environment_adds_to_ours_and_overrides_it),
        ONE(program_that_is_not_there_is_refused_with_its_errno),
        ONE(child_holds_no_descriptor_of_ours),
        ONE(child_ignores_no_signal_because_we_do),
        ONE(our_memory_is_not_copied_by_a_start),
        ONE(exit_code_is_told),
        ONE(stop_is_gentle_first),
        ONE(stop_kills_what_does_not_end),
        ONE(children_left_behind_are_killed_too),
        ONE(child_dies_when_we_are_killed),
        ONE(cpu_time_is_exact_to_far_below_a_tick),
        ONE(children_count_while_they_live_and_when_reaped),
        ONE(memory_and_descriptors_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
