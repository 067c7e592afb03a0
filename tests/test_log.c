#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/json.h"
#include "proto/utf8.h"
#include "server/log.h"

struct pipe_log {
    int ends[2];
    struct log *log;
    char text[64 * 1024];
    size_t length;
};

static struct pipe_log out;

static int open_pipe(void **state)
{
    (void)state;
    memset(&out, 0, sizeof out);
    assert_int_equal(pipe(out.ends), 0);
    assert_int_equal(fcntl(out.ends[0], F_SETFL, O_NONBLOCK), 0);
    out.log = log_open(out.ends[1], LOG_INFO);
    assert_non_null(out.log);
    return 0;
}

static int close_pipe(void **state)
{
    (void)state;
    log_close(out.log);
    close(out.ends[0]);
    close(out.ends[1]);
    return 0;
}

/* What has been written since the last look, terminated. */
static const char *written(void)
{
    ssize_t length = read(out.ends[0], out.text, sizeof out.text - 1);

    out.length = length > 0 ? (size_t)length : 0;
    out.text[out.length] = '\0';
    return out.text;
}

/* Behind the time, which differs each run. */
static const char *without_time(const char *line)
{
    assert_memory_equal(line, "{\"ts\":\"20", 9);
    const char *rest = strchr(line, ',');
    assert_non_null(rest);
    assert_memory_equal(rest - 2, "Z\"", 2);
    return rest;
}

static void a_line_holds_level_message_and_fields(void **state)
{
    (void)state;
    log_write(out.log, LOG_WARN, "redis is away", LOG_TEXT("host", "a.example"),
              LOG_INT("tries", -3), LOG_END);
    assert_string_equal(without_time(written()),
                        ",\"level\":\"warn\",\"msg\":\"redis is away\",\"host\":\"a.example\","
                        "\"tries\":-3}\n");
}

static void lines_below_the_least_level_are_not_written(void **state)
{
    (void)state;
    log_write(out.log, LOG_DEBUG, "detail", LOG_END);
    assert_string_equal(written(), "");
    log_write(out.log, LOG_INFO, "news", LOG_END);
    assert_string_equal(without_time(written()), ",\"level\":\"info\",\"msg\":\"news\"}\n");
}

static void quotes_and_control_bytes_are_escaped(void **state)
{
    (void)state;
    log_write(out.log, LOG_ERROR, "a\"b\\c\nd\x7f", LOG_TEXT("path", "/\xC3\xA9\x01"), LOG_END);
    assert_string_equal(without_time(written()),
                        ",\"level\":\"error\",\"msg\":\"a\\\"b\\\\c\\u000ad\\u007f\","
                        "\"path\":\"/\xC3\xA9\\u0001\"}\n");
}

static void bytes_that_are_not_utf8_become_replacement_characters(void **state)
{
    static const char *const texts[] = {"\xFF",         "\xC0\x80",         "\xE0\x80\x80",
                                        "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xC3",
                                        "\xE2\x82",     "\xF0\x9F\x98",     "\xF0\x9F\x98\x80"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        log_write(out.log, LOG_INFO, texts[i], LOG_END);
        const char *line = written();
        assert_true(utf8_valid(slice_of(line)));
        if (!utf8_valid(slice_of(texts[i])))
            assert_non_null(strstr(line, "\xEF\xBF\xBD"));
        else
            assert_non_null(strstr(line, texts[i]));
    }
}

static void a_long_text_is_cut_at_512_bytes_between_characters(void **state)
{
    char text[1024];

    (void)state;
    memset(text, 'x', 511);
    memcpy(text + 511, "\xC3\xA9 and more", 12);
    log_write(out.log, LOG_INFO, text, LOG_TEXT("next", "kept"), LOG_END);
    text[511] = '\0';
    const char *line = written();
    const char *found = strstr(line, text);
    assert_non_null(found);
    assert_memory_equal(found + 511, "\",\"next\":\"kept\"}", 16);
}

static void a_field_too_many_is_left_out_whole(void **state)
{
    char text[513];

    (void)state;
    memset(text, '\n', 512); /* six bytes each once escaped: one fits, the second does not */
    text[512] = '\0';
    log_write(out.log, LOG_INFO, "full", LOG_TEXT("one", text), LOG_TEXT("two", text),
              LOG_INT("last", 7), LOG_END);
    const char *line = written();
    assert_true(out.length <= 4096);
    assert_non_null(strstr(line, "\"one\":"));
    assert_null(strstr(line, "\"two\":"));
    assert_string_equal(line + out.length - 11, ",\"last\":7}\n");
}

static void every_line_is_json(void **state)
{
    char text[300];
    struct json *json = json_open(8192);
    struct json_value root;

    (void)state;
    for (int i = 0; i < 299; i++)
        text[i] = (char)(i % 255 + 1);
    text[299] = '\0';
    log_write(out.log, LOG_INFO, text, LOG_TEXT(text, text), LOG_INT("n", INT64_MIN), LOG_END);
    written();
    assert_true(out.length + JSON_PADDING < sizeof out.text);
    assert_int_equal(json_parse(json, out.text, out.length, &root), STATUS_OK);
    json_close(json);
}

static void a_full_pipe_drops_lines_and_the_next_line_says_how_many(void **state)
{
    (void)state;
    while (log_dropped(out.log) < 3)
        log_write(out.log, LOG_INFO, "more", LOG_END);
    while (*written())
        ;
    log_write(out.log, LOG_INFO, "again", LOG_END);
    assert_string_equal(without_time(written()),
                        ",\"level\":\"info\",\"msg\":\"again\",\"dropped\":3}\n");
    log_write(out.log, LOG_INFO, "quiet", LOG_END);
    assert_string_equal(without_time(written()), ",\"level\":\"info\",\"msg\":\"quiet\"}\n");
}

static void *log_many(void *unused)
{
    (void)unused;
    for (int i = 0; i < 200; i++)
        log_write(out.log, LOG_INFO, "from a thread", LOG_INT("i", i), LOG_END);
    return NULL;
}

static void lines_of_two_threads_are_never_mixed(void **state)
{
    pthread_t threads[2];
    unsigned lines = 0;

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, NULL), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (char *line = (char *)written(); *line;) {
        char *end = strchr(line, '\n');
        assert_non_null(end);
        assert_memory_equal(line, "{\"ts\":", 6);
        assert_int_equal(end[-1], '}');
        line = end + 1;
        lines++;
    }
    assert_int_equal(lines + log_dropped(out.log), 400);
}

static void a_null_log_takes_everything(void **state)
{
    (void)state;
    log_write(NULL, LOG_ERROR, "nobody listens", LOG_END);
    assert_int_equal(log_dropped(NULL), 0);
}

static void levels_have_names(void **state)
{
    enum log_level level;

    (void)state;
    assert_true(log_level_of("warn", &level));
    assert_int_equal(level, LOG_WARN);
    assert_false(log_level_of("loud", &level));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_pipe, close_pipe)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_holds_level_message_and_fields),
        TEST(lines_below_the_least_level_are_not_written),
        TEST(quotes_and_control_bytes_are_escaped),
        TEST(bytes_that_are_not_utf8_become_replacement_characters),
        TEST(a_long_text_is_cut_at_512_bytes_between_characters),
        TEST(a_field_too_many_is_left_out_whole),
        TEST(every_line_is_json),
        TEST(a_full_pipe_drops_lines_and_the_next_line_says_how_many),
        TEST(lines_of_two_threads_are_never_mixed),
        TEST(a_null_log_takes_everything),
        TEST(levels_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
