/* bench/disk_delay.c, loaded into a program as it is into a server: this one, which runs itself
 * with a word, makes syncs, and says how long they took. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/folder.h"
#include "tests/unit.h"

#define SYNCS       31
#define EXIT_FAULTY 9

static double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e6 * (double)now.tv_sec + (double)now.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* --- in the program that has it loaded ------------------------------------------------------- */

static bool is_done(const char *how, int file)
{
    if (strcmp(how, "fsync") == 0)
        return fsync(file) == 0;
    if (strcmp(how, "fdatasync") == 0)
        return fdatasync(file) == 0;
    return pwrite(file, "x", 1, 0) == 1;
}

/* Prints the median. */
static int make_syncs(const char *how, const char *path)
{
    int flags = strcmp(how, "dsync") == 0 ? O_DSYNC : strcmp(how, "sync") == 0 ? O_SYNC : 0;
    int file = open(path, O_RDWR | O_CREAT | flags, 0600);
    double took_us[SYNCS];

    for (int i = 0; i < SYNCS; i++) {
        double start_us = now_us();
        if (!is_done(how, file))
            return EXIT_FAULTY;
        took_us[i] = now_us() - start_us;
    }
    if (fdatasync(-1) != -1)
        return EXIT_FAULTY;
    qsort(took_us, SYNCS, sizeof *took_us, by_size);
    printf("%.0f\n", took_us[SYNCS / 2]);
    return 0;
}

/* --- what is tested -------------------------------------------------------------------------- */

static char library[512], self[512];

/* What it printed, both outputs. */
static int run_with(const char *settings, const char *how, char out[static 256])
{
    struct folder folder = folder_make();
    char line[2048];

    snprintf(line, sizeof line,
             "ASAN_OPTIONS=verify_asan_link_order=0 %s LD_PRELOAD=%s %s %s %s 2>&1", settings,
             library, self, how, folder_path(&folder, "file"));
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    size_t length = fread(out, 1, 255, pipe);
    out[length] = '\0';
    int code = pclose(pipe);
    folder_remove(&folder);
    return WEXITSTATUS(code);
}

static double median_us(const char *settings, const char *how)
{
    char out[256];

    if (run_with(settings, how, out) != 0)
        fail_msg("%s %s: %s", settings, how, out);
    char *line = strchr(out, '\n'); /* behind the one that says what was loaded */
    assert_non_null(line);
    return strtod(line, NULL);
}

static void every_way_to_sync_takes_the_time(void **state)
{
    static const char *const ways[] = {"fsync", "fdatasync", "dsync", "sync"};

    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        double us = median_us("DISK_DELAY_REAL=0 DISK_DELAY_US=3000", ways[i]);
        if (us < 3000 || us > 9000)
            fail_msg("%s took %.0f us", ways[i], us);
    }
}

static void short_times_are_kept_too(void **state)
{
    (void)state;
    double us = median_us("DISK_DELAY_REAL=0 DISK_DELAY_US=200", "fdatasync");

    if (us < 200 || us > 1000)
        fail_msg("it took %.0f us", us);
}

static void other_writes_are_not_delayed(void **state)
{
    (void)state;
    double us = median_us("DISK_DELAY_REAL=0 DISK_DELAY_US=20000", "plain");

    if (us > 10000)
        fail_msg("it took %.0f us", us);
}

static void a_real_sync_comes_on_top(void **state)
{
    (void)state;
    double us = median_us("DISK_DELAY_REAL=1 DISK_DELAY_US=3000", "dsync");

    if (us < 3000)
        fail_msg("it took %.0f us", us);
}

static void it_says_what_is_lost(void **state)
{
    char out[256];

    (void)state;
    run_with("DISK_DELAY_REAL=0 DISK_DELAY_US=80", "plain", out);
    assert_non_null(strstr(out, "NOTHING IS DURABLE: syncs are left out, and take 80 us instead"));
    run_with("DISK_DELAY_REAL=1 DISK_DELAY_US=80", "plain", out);
    assert_non_null(strstr(out, "every sync takes 80 us longer"));
}

static void without_settings_nothing_starts(void **state)
{
    static const char *const wrong[] = {"", "DISK_DELAY_REAL=0", "DISK_DELAY_US=80",
                                        "DISK_DELAY_REAL=0 DISK_DELAY_US=80us",
                                        "DISK_DELAY_REAL=2 DISK_DELAY_US=80"};
    char out[256];

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(run_with(wrong[i], "plain", out), 2);
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return make_syncs(argv[1], argv[2]);

    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_to_sync_takes_the_time),
        cmocka_unit_test(short_times_are_kept_too),
        cmocka_unit_test(other_writes_are_not_delayed),
        cmocka_unit_test(a_real_sync_comes_on_top),
        cmocka_unit_test(it_says_what_is_lost),
        cmocka_unit_test(without_settings_nothing_starts),
    };

    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(length > 0);
    snprintf(library, sizeof library, "%.*s/disk_delay.so", (int)(strrchr(self, '/') - self), self);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
