#include "tests/unit.h"

#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "bench/growth.h"
#include "bench/interrupt.h"

static const struct growth_options options = {
    .seconds = 2, .rounds = 3, .tier = {.connections = 64}};
static struct growth_findings found;

static int make_findings(void **state)
{
    (void)state;
    memset(&found, 0, sizeof found);
    assert_status(result_init(&found.about), STATUS_OK);
    strcpy(found.about.command, "hotlead-bench growth --people 0,1000");
    strcpy(found.about.versions, "hotlead 0.1.0, Redis 7.0.15");
    strcpy(found.about.playbook, "calls (1a2b3c4d)");
    found.about.machine.cores = 2;
    found.rows[0] = (struct growth_row){.people = 0, .rate = 100, .empty_rate = 100, .ratio = 1};
    found.rows[1] = (struct growth_row){
        .people = 1000, .rate = 80, .empty_rate = 100, .ratio = 0.8, .state = 300000};
    found.row_count = 2;
    return 0;
}

static int free_findings(void **state)
{
    (void)state;
    result_free(&found.about);
    return 0;
}

static void sizes_ascend(void **state)
{
    uint64_t sizes[GROWTH_SIZES_MAX];
    size_t count = 0;

    (void)state;
    assert_null(growth_sizes_read("0,30000,10000000", sizes, &count));
    assert_int_equal(count, 3);
    assert_int_equal(sizes[1], 30000);
    assert_int_equal(sizes[2], 10000000);
    assert_null(growth_sizes_read("5", sizes, &count));
    assert_int_equal(count, 1);
}

static void sizes_that_are_none_are_refused(void **state)
{
    static const char *const wrong[] = {
        "",    ",",   "1,",   "1,,2",           "2,1", "1,1",
        "1e6", "-1",  "1 2",  "99999999999999", "x",   "1,2,3,4,5,6,7,8,9",
        "1;2", "0x1", "1.5,2"};
    uint64_t sizes[GROWTH_SIZES_MAX];
    size_t count;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (growth_sizes_read(wrong[i], sizes, &count) == NULL)
            fail_msg("'%s' was taken", wrong[i]);
}

static char *printed(void)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    growth_print(&found, &options, out);
    fclose(out);
    return text;
}

static void a_target_that_is_missed_is_said(void **state)
{
    (void)state;
    char *text = printed();
    assert_non_null(
        strstr(text, "rate          0.80 x an empty one's (wanted >= 0.9): NOT reached"));
    assert_non_null(strstr(text, "300 B of state (wanted <= 320): reached"));
    assert_non_null(strstr(text, "3 rounds of 2 s"));
    free(text);
}

/* A backlog that came to nothing has no rate, and least of all an infinite one. */
static void what_was_not_measured_is_no_number(void **state)
{
    (void)state;
    found.backlog.tasks = 100;
    found.rebuild.records = 100;
    char *text = printed();
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    free(text);
}

static void a_file_says_what_it_was_measured_on(void **state)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    (void)state;
    assert_status(growth_write_json(&found, &options, out), STATUS_OK);
    fclose(out);
    json_t *root = json_loads(text, 0, NULL);
    json_t *about = json_object_get(root, "about");
    assert_string_equal(json_string_value(json_object_get(about, "playbook")), "calls (1a2b3c4d)");
    assert_string_equal(json_string_value(json_object_get(about, "command")),
                        "hotlead-bench growth --people 0,1000");
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(about, "machine"), "cores")), 2);
    assert_int_equal(json_array_size(json_object_get(root, "sizes")), 2);
    json_decref(root);
    free(text);
}

static void a_full_disk_is_told(void **state)
{
    FILE *full = fopen("/dev/full", "w");

    (void)state;
    setvbuf(full, NULL, _IONBF, 0);
    assert_status(growth_write_json(&found, &options, full), STATUS_IO);
    fclose(full);
}

static void what_was_cut_short_says_so_and_has_no_figure_for_the_rest(void **state)
{
    (void)state;
    found.cut_short = true;
    char *text = printed();
    assert_non_null(strstr(text, "CUT SHORT by Ctrl-C: what is not above was not measured"));
    assert_null(strstr(text, "after kill -9 first 2xx"));
    free(text);
    found.row_count = 0;
    text = printed();
    assert_string_equal(text, "CUT SHORT by Ctrl-C: nothing was measured yet\n");
    free(text);
}

/* The command and the machine, which stand above the tables, are as long as they are. */
static void tables_fit_a_terminal_of_80_columns(void **state)
{
    (void)state;
    found.rows[1].people = 100000000;
    found.rows[1].journal = 200ull << 30;
    char *text = printed();
    const char *end = strstr(text, "\nat 1");
    for (const char *line = strstr(text, "     people"); line < end;
         line += strcspn(line, "\n") + 1)
        if (strcspn(line, "\n") > 80)
            fail_msg("too wide: %.*s", (int)strcspn(line, "\n"), line);
    free(text);
}

/* Ten million took eleven minutes and 19 GiB. */
static void estimate_is_of_the_order_of_what_it_took(void **state)
{
    static const uint64_t sizes[] = {0, 1000000, 10000000};
    const struct growth_options usual = {.seconds = 5, .rounds = 3, .tier = {.connections = 64}};

    (void)state;
    struct growth_estimate estimate = growth_estimate(&usual, sizes, 3, 10000, 1000000);
    assert_in_range((uint64_t)estimate.seconds, 600, 1200);
    assert_in_range(estimate.disk_bytes >> 30, 19, 40);
    assert_int_equal(estimate.steps, 3 * 5 + 1 + 1 + 2);
    assert_int_equal(growth_estimate(&usual, sizes, 1, 0, 0).steps, 5 + 1);
}

/* --- with the real programs --------------------------------------------------------------------
 */

static void *interrupt_at_the_last_step(void *owner)
{
    char line[1024];

    while (fgets(line, sizeof line, owner))
        if (strstr(line, "an hour without Redis"))
            kill(getpid(), SIGINT);
    return NULL;
}

static bool there_is_a_server(void)
{
    char beside[1024] = "";
    ssize_t length = readlink("/proc/self/exe", beside, sizeof beside - 16);

    if (length > 0 && strrchr(beside, '/'))
        strcpy(strrchr(beside, '/') + 1, "hotlead");
    return getenv("HOTLEAD") || access(beside, X_OK) == 0;
}

/* The last test: it stays true of this program that it was interrupted. */
static void backlog_that_was_cut_short_has_no_figure(void **state)
{
    const struct growth_options real = {
        .tier = {.connections = 8, .aof = RIG_AOF_OFF, .hotlead = getenv("HOTLEAD")}};
    int talk[2];
    pthread_t thread;

    (void)state;
    if (!there_is_a_server())
        skip();
    assert_int_equal(pipe(talk), 0);
    FILE *said = fdopen(talk[0], "r");
    struct growth growth = {.options = &real, .talk = fdopen(talk[1], "w")};
    setvbuf(growth.talk, NULL, _IOLBF, BUFSIZ);
    interrupt_watch();
    assert_int_equal(pthread_create(&thread, NULL, interrupt_at_the_last_step, said), 0);
    assert_false(growth_backlog(&growth, 300, &found.backlog));
    assert_true(interrupt_came());
    fclose(growth.talk);
    pthread_join(thread, NULL);
    fclose(said);
    assert_int_equal(found.backlog.tasks, 0);
    assert_int_equal(found.backlog.rate, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_findings, free_findings)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sizes_ascend),
        TEST(sizes_that_are_none_are_refused),
        TEST(a_target_that_is_missed_is_said),
        TEST(what_was_not_measured_is_no_number),
        TEST(a_file_says_what_it_was_measured_on),
        TEST(a_full_disk_is_told),
        TEST(what_was_cut_short_says_so_and_has_no_figure_for_the_rest),
        TEST(tables_fit_a_terminal_of_80_columns),
        TEST(estimate_is_of_the_order_of_what_it_took),
        TEST(backlog_that_was_cut_short_has_no_figure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
