/* Settings: where they come from, which origin counts, and how they are printed. */
#include "tests/config_rig.h"

static void without_anything_the_defaults_hold(void **state)
{
    (void)state;
    assert_read(ARGUMENTS(), VARIABLES());
    assert_string_equal(config.data, "./hotlead-data");
    assert_string_equal(config.listen, "127.0.0.1:8080");
    assert_string_equal(config.admin_listen, "");
    assert_string_equal(config.redis, "redis://127.0.0.1:6379/0");
    assert_string_equal(config.redis_prefix, "hl");
    assert_string_equal(config.node, "n1");
    assert_int_equal(config.journal_map_bytes, 64ull << 30);
    assert_int_equal(config.reserve_bytes, 64 << 20);
    assert_int_equal(config.drain_timeout_ms, 10000);
    assert_false(config.demo);
}

static void a_flag_beats_a_variable_beats_the_file_beats_the_default(void **state)
{
    (void)state;
    for (unsigned given = 0; given < 8; given++) {
        bool flag = given & 4, variable = given & 2, file = given & 1;
        const char *wanted = flag ? "flag" : variable ? "variable" : file ? "file" : "n1";
        write_file(path, file ? "node: file\nidle_timeout_ms: 1\n" : "");
        const char *arguments[] = {"--config", path, flag ? "--node" : NULL, "flag", NULL};
        const char *environment[] = {"HOME=/", variable ? "HOTLEAD_NODE=variable" : NULL, NULL};
        assert_read(arguments, environment);
        assert_string_equal(config.node, wanted);
        assert_int_equal(config.idle_timeout_ms, file ? 1 : 75000);
    }
}

static void a_test_clock_is_read_when_it_is_checked(void **state)
{
    (void)state;
    write_file(path, "1700000000000\n");
    assert_read(ARGUMENTS("--test-clock", path), VARIABLES());
    write_file(path, "noon");
    assert_refused(ARGUMENTS("--test-clock", path), VARIABLES(), "test_clock");
    assert_refused(ARGUMENTS("--test-clock", "/nowhere/clock"), VARIABLES(), "test_clock");
}

static void a_flag_takes_its_value_behind_a_space_or_an_equals_sign(void **state)
{
    (void)state;
    assert_read(ARGUMENTS("--listen", "127.0.0.1:1", "--data=/a=b", "--demo"), VARIABLES());
    assert_string_equal(config.listen, "127.0.0.1:1");
    assert_string_equal(config.data, "/a=b");
    assert_true(config.demo);
    assert_read(ARGUMENTS("--demo=false"), VARIABLES("HOTLEAD_DEMO=1"));
    assert_false(config.demo);
    assert_read(ARGUMENTS("-h"), VARIABLES());
    assert_true(config.help);
}

static void a_flag_without_its_value_is_refused(void **state)
{
    (void)state;
    assert_refused(ARGUMENTS("--listen"), VARIABLES(), "--listen: HOST:PORT must follow");
    assert_refused(ARGUMENTS("--data", "--demo"), VARIABLES(), "--data: DIR must follow");
}

static void an_unknown_flag_is_refused_with_a_suggestion(void **state)
{
    (void)state;
    assert_refused(ARGUMENTS("--lisen", "x"), VARIABLES(),
                   "there is no setting '--lisen'; did you mean '--listen'?");
    assert_refused(ARGUMENTS("--admin_listen=x"), VARIABLES(), "did you mean '--admin-listen'?");
    assert_refused(ARGUMENTS("--colour"), VARIABLES(), "there is no setting '--colour'\n");
}

static void an_unknown_setting_in_the_file_is_refused_with_its_line(void **state)
{
    (void)state;
    assert_file_refused("# talk\n\nlisten: 127.0.0.1:1\nadmin_lisen: a\n",
                        "4: there is no setting 'admin_lisen'; did you mean 'admin_listen'?");
    assert_file_refused("config: x\n", "1: there is no setting 'config'");
    assert_file_refused("help: true\n", "1: there is no setting 'help'");
}

static void a_setting_given_twice_in_the_file_is_refused(void **state)
{
    (void)state;
    assert_file_refused("node: a\nlisten: 127.0.0.1:1\nnode: b\n", "3: node: this was set before");
}

static void a_bad_value_is_refused_with_its_place(void **state)
{
    (void)state;
    assert_file_refused("\nidle_timeout_ms: 75 s\n",
                        "2: idle_timeout_ms: '75 s' is no whole number");
    assert_file_refused("demo: maybe\n", "1: demo: 'maybe' is neither true nor false");
    assert_refused(ARGUMENTS("--batch-bytes", "8MB"), VARIABLES(),
                   "--batch-bytes: '8MB' is no size");
    assert_refused(ARGUMENTS(), VARIABLES("HOTLEAD_BATCH_BYTES=1"),
                   "HOTLEAD_BATCH_BYTES: must be from 1048576 to 1073741824");
    assert_refused(ARGUMENTS("--idle-timeout-ms=-1"), VARIABLES(), "is no whole number");
    assert_refused(ARGUMENTS("--idle-timeout-ms=18446744073709551616"), VARIABLES(),
                   "is no whole number");
    assert_refused(ARGUMENTS("--batch-bytes=16777216TiB"), VARIABLES(), "is no size");
}

static void a_bad_value_that_is_overruled_does_not_matter(void **state)
{
    (void)state;
    assert_read(ARGUMENTS("--idle-timeout-ms=5"), VARIABLES("HOTLEAD_IDLE_TIMEOUT_MS=soon"));
    assert_int_equal(config.idle_timeout_ms, 5);
}

static void all_complaints_are_made_at_once(void **state)
{
    (void)state;
    write_file(path, "nod: a\nlisen: b\n");
    assert_refused(ARGUMENTS("--config", path, "--dat"), VARIABLES(), "'nod'; did you mean 'node'");
    assert_non_null(strstr(talk, "'lisen'"));
    assert_non_null(strstr(talk, "'--dat'; did you mean '--data'"));
}

static void sizes_take_units(void **state)
{
    (void)state;
    assert_read(ARGUMENTS("--journal-map-bytes=2 TiB", "--state-map-bytes=3GiB",
                          "--reserve-bytes=512KiB", "--batch-bytes=1048576"),
                VARIABLES());
    assert_int_equal(config.journal_map_bytes, 2ull << 40);
    assert_int_equal(config.state_map_bytes, 3ull << 30);
    assert_int_equal(config.reserve_bytes, 512 << 10);
    assert_int_equal(config.batch_bytes, 1 << 20);
}

static void words_that_yaml_would_read_as_something_else_stay_words(void **state)
{
    (void)state;
    write_file(path, "node: no\nredis_prefix: 1.50\ndata: ~\nlog_level: \"info\"\n"
                     "state: ''\ndemo: yes\n");
    assert_read(ARGUMENTS("--config", path), VARIABLES());
    assert_string_equal(config.node, "no");
    assert_string_equal(config.redis_prefix, "1.50");
    assert_string_equal(config.data, "~");
    assert_string_equal(config.log_level, "info");
    assert_true(config.demo);
}

static void a_file_may_be_empty_or_comments_only(void **state)
{
    static const char *const texts[] = {"",    "\n", "# nothing\n", "---\n", "---\n# a\n...\n",
                                        "{}\n"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        write_file(path, texts[i]);
        assert_read(ARGUMENTS("--config", path), VARIABLES());
    }
}

static void what_is_no_flat_mapping_is_refused_with_its_line(void **state)
{
    (void)state;
    assert_file_refused("- a\n", "1: the file must consist of lines");
    assert_file_refused("just text\n", "1: the file must consist of lines");
    assert_file_refused("node: a\nlisten: [a, b]\n", "2: listen must be one plain value");
    assert_file_refused("listen:\n  host: a\n", "1: listen must be one plain value");
    assert_file_refused("node: &x a\n", "1: node must be one plain value");
    assert_file_refused("node: a\n\ndata: *x\n", "3: data must be one plain value");
    assert_file_refused("node: !!str a\n", "1: node must be one plain value");
    assert_file_refused("node: \"a\\0b\"\n", "1: node must be one plain value");
    assert_file_refused("? [a]\n: b\n", "1: the name of a setting must stand here");
    assert_file_refused("node: a\n---\nnode: b\n", "2: a second document begins here");
    assert_file_refused("node: a\n\tlisten: b\n", "2: ");
    assert_file_refused("node: \"a\n", "2: ");
    assert_file_refused("node: \xFF\n", "1: this is not UTF-8 text");
    assert_file_refused("0123456789012345678901234567890123456789012345678901234567890123456789: a",
                        "1: no setting has such a long name");
}

static void a_file_that_cannot_be_read_is_refused(void **state)
{
    (void)state;
    assert_refused(ARGUMENTS("--config", "/nonexistent/h.yaml"), VARIABLES(),
                   "/nonexistent/h.yaml: No such file or directory");
    assert_refused(ARGUMENTS("--config", "/"), VARIABLES(), "/: Is a directory");

    char *large = malloc(CONFIG_FILE_MAX + 2);
    memset(large, '\n', CONFIG_FILE_MAX + 1);
    large[CONFIG_FILE_MAX + 1] = '\0';
    write_file(path, large);
    free(large);
    assert_refused(ARGUMENTS("--config", path), VARIABLES(), "File too large");
}

static void the_file_may_be_named_by_a_variable(void **state)
{
    char variable[96];

    (void)state;
    write_file(path, "node: n7\n");
    snprintf(variable, sizeof variable, "HOTLEAD_CONFIG=%s", path);
    assert_read(ARGUMENTS(), VARIABLES(variable));
    assert_string_equal(config.node, "n7");
}

static void empty_and_foreign_variables_count_for_nothing(void **state)
{
    (void)state;
    assert_read(ARGUMENTS(), VARIABLES("HOTLEAD_NODE=", "HOTLEAD_NODES=", "XHOTLEAD_NODE=x",
                                       "HOTLEAD=./hotlead", "HOTLEADER=x", "HOTLEAD_URL=http://h",
                                       "HOTLEAD_TOKEN=tk", "HOTLEAD_TOKEN_FILE=/token"));
    assert_string_equal(config.node, "n1");
}

static void what_a_container_platform_says_of_services_counts_for_nothing(void **state)
{
    (void)state;
    assert_read(ARGUMENTS(),
                VARIABLES("HOTLEAD_PORT=tcp://10.0.0.1:80", "HOTLEAD_PORT_80_TCP=tcp://10.0.0.1:80",
                          "HOTLEAD_PORT_80_TCP_ADDR=10.0.0.1", "HOTLEAD_SERVICE_HOST=10.0.0.1",
                          "HOTLEAD_SERVICE_PORT_HTTP=80", "HOTLEAD_ADMIN_SERVICE_PORT=81",
                          "HOTLEAD_REDIS_PORT=tcp://10.0.0.2:6379"));
}

static void an_unknown_variable_is_refused_with_a_suggestion(void **state)
{
    (void)state;
    assert_refused(ARGUMENTS(), VARIABLES("HOTLEAD_NODES=n2"),
                   "there is no setting 'HOTLEAD_NODES'; did you mean 'HOTLEAD_NODE'?");
    assert_refused(ARGUMENTS(), VARIABLES("HOTLEAD_REDIS_URL=redis://h"), "'HOTLEAD_REDIS_URL'");
    assert_refused(ARGUMENTS(), VARIABLES("HOTLEAD_PORT=8080"), "'HOTLEAD_PORT'");
    assert_refused(ARGUMENTS(), VARIABLES("HOTLEAD_NODE_FILE=/node"), "'HOTLEAD_NODE_FILE'");
    assert_refused(ARGUMENTS(), VARIABLES("HOTLEAD_HELP=1"), "'HOTLEAD_HELP'");
}

static void a_secret_can_come_from_a_file(void **state)
{
    char variable[96], flag[96];

    (void)state;
    write_file(secret_path, "redis://:pass@10.0.0.1:6379/2\r\n");
    snprintf(variable, sizeof variable, "HOTLEAD_REDIS_FILE=%s", secret_path);
    assert_read(ARGUMENTS(), VARIABLES(variable));
    assert_string_equal(config.redis, "redis://:pass@10.0.0.1:6379/2");

    /* The higher origin of the two counts, as for every setting. */
    assert_read(ARGUMENTS("--redis", "redis://10.0.0.2:1/0"), VARIABLES(variable));
    assert_string_equal(config.redis, "redis://10.0.0.2:1/0");
    snprintf(flag, sizeof flag, "--redis-file=%s", secret_path);
    assert_read(ARGUMENTS(flag), VARIABLES("HOTLEAD_REDIS=redis://10.0.0.2:1/0"));
    assert_string_equal(config.redis, "redis://:pass@10.0.0.1:6379/2");
    assert_refused(ARGUMENTS(flag, "--redis=redis://10.0.0.2:1/0"), VARIABLES(),
                   "--redis-file: redis is given too");
    assert_refused(ARGUMENTS("--redis-file=/nonexistent/secret"), VARIABLES(),
                   "--redis-file: /nonexistent/secret: No such file");
}

static char *print_config(void)
{
    char *text = NULL;
    size_t length;
    FILE *file = open_memstream(&text, &length);

    config_print(&config, file);
    fclose(file);
    return text;
}

static void assert_printed(const char *line)
{
    char *text = print_config();

    if (!strstr(text, line))
        fail_msg("not printed: %s\nbut:\n%s", line, text);
    free(text);
}

static void printing_shows_each_value_with_its_origin(void **state)
{
    char line[128];

    (void)state;
    write_file(path, "idle_timeout_ms: 5\n");
    assert_read(ARGUMENTS("--config", path, "--batch-bytes", "2097152"),
                VARIABLES("HOTLEAD_NODE=n2"));
    assert_printed("data: \"./hotlead-data\"  # default\n");
    assert_printed("batch_bytes: 2MiB  # --batch-bytes\n");
    snprintf(line, sizeof line, "idle_timeout_ms: 5  # %s\n", path);
    assert_printed(line);
    snprintf(line, sizeof line, "# config: \"%s\"  # --config\n", path);
    assert_printed(line);
}

static void printing_masks_passwords(void **state)
{
    char flag[96], line[128];

    (void)state;
    assert_read(ARGUMENTS("--redis=redis://user:p@s:s@h:1/0"), VARIABLES());
    assert_printed("redis: \"redis://user:***@h:1/0\"  # --redis\n");
    assert_refused(ARGUMENTS("--redis=redis://user@h:1/0"), VARIABLES(), "redis: cannot be");
    assert_printed("redis: \"redis://user@h:1/0\"");
    write_file(secret_path, "redis://:pass@h:1/0\n");
    snprintf(flag, sizeof flag, "--redis-file=%s", secret_path);
    assert_read(ARGUMENTS(flag), VARIABLES());
    snprintf(line, sizeof line, "# redis: \"redis://:***@h:1/0\"  # %s\n", secret_path);
    assert_printed(line);
}

static void what_is_printed_can_be_read_again(void **state)
{
    (void)state;
    assert_read(ARGUMENTS("--data=a\"b\\c\td", "--reserve-bytes=0", "--drain-timeout-ms=7"),
                VARIABLES());
    char *before = print_config();
    write_file(path, before);
    assert_read(ARGUMENTS("--config", path), VARIABLES());
    assert_string_equal(config.data, "a\"b\\c\td");
    assert_int_equal(config.reserve_bytes, 0);
    assert_int_equal(config.drain_timeout_ms, 7);
    free(before);
}

/* Prints without origins and without the line that names the file. */
static char *print_values(void)
{
    char *text = print_config();
    char *to = text;

    for (char *line = text; *line;) {
        char *end = strchr(line, '\n');
        char *origin = strstr(line, "  # ");
        if (*line != '#') {
            memmove(to, line, (size_t)(origin - line));
            to += origin - line;
            *to++ = '\n';
        }
        line = end + 1;
    }
    *to = '\0';
    return text;
}

static void the_documented_example_names_every_setting_with_its_default(void **state)
{
    (void)state;
    assert_read(ARGUMENTS(), VARIABLES());
    char *defaults = print_values();
    assert_read(ARGUMENTS("--config", SOURCE_DIR "/deploy/hotlead.yaml"), VARIABLES());
    char *example = print_values();
    assert_string_equal(example, defaults);
    char *origins = print_config();
    assert_null(strstr(origins, "# default\n"));
    free(origins);
    free(defaults);
    free(example);
}

static void help_names_every_flag(void **state)
{
    char *text = NULL;
    size_t length;

    (void)state;
    FILE *file = open_memstream(&text, &length);
    config_help(file);
    fclose(file);
    assert_non_null(strstr(text, "  --listen HOST:PORT "));
    assert_non_null(strstr(text, "(127.0.0.1:8080)"));
    assert_non_null(strstr(text, "  --check-config "));
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_anything_the_defaults_hold),
        TEST(a_flag_beats_a_variable_beats_the_file_beats_the_default),
        TEST(a_test_clock_is_read_when_it_is_checked),
        TEST(a_flag_takes_its_value_behind_a_space_or_an_equals_sign),
        TEST(a_flag_without_its_value_is_refused),
        TEST(an_unknown_flag_is_refused_with_a_suggestion),
        TEST(an_unknown_setting_in_the_file_is_refused_with_its_line),
        TEST(a_setting_given_twice_in_the_file_is_refused),
        TEST(a_bad_value_is_refused_with_its_place),
        TEST(a_bad_value_that_is_overruled_does_not_matter),
        TEST(all_complaints_are_made_at_once),
        TEST(sizes_take_units),
        TEST(words_that_yaml_would_read_as_something_else_stay_words),
        TEST(a_file_may_be_empty_or_comments_only),
        TEST(what_is_no_flat_mapping_is_refused_with_its_line),
        TEST(a_file_that_cannot_be_read_is_refused),
        TEST(the_file_may_be_named_by_a_variable),
        TEST(empty_and_foreign_variables_count_for_nothing),
        TEST(what_a_container_platform_says_of_services_counts_for_nothing),
        TEST(an_unknown_variable_is_refused_with_a_suggestion),
        TEST(a_secret_can_come_from_a_file),
        TEST(printing_shows_each_value_with_its_origin),
        TEST(printing_masks_passwords),
        TEST(what_is_printed_can_be_read_again),
        TEST(the_documented_example_names_every_setting_with_its_default),
        TEST(help_names_every_flag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
