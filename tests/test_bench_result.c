#include "tests/unit.h"

#include "bench/result.h"
#include "tests/bench_results.h"
#include "tests/folder.h"

static struct folder folder;
static struct result result, again;

static int make_all(void **state)
{
    (void)state;
    folder = folder_make();
    results_make(&result, 900000, 7);
    again = (struct result){0};
    return 0;
}

static int free_all(void **state)
{
    (void)state;
    result_free(&result);
    result_free(&again);
    folder_remove(&folder);
    return 0;
}

static void write_json(const struct result *from, FILE *out)
{
    assert_status(result_write_json(from, out), STATUS_OK);
}

static const char *stored(const char *text)
{
    const char *path = folder_path(&folder, "result.json");
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return path;
}

/* The status, and what was said without file's folder, which differs from run to run. */
static enum status read_text(const char *text, char *said, size_t size)
{
    char *talk = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&talk, &length);
    enum status status = result_read_json(stored(text), out, &again);

    fclose(out);
    const char *from = strstr(talk, "result.json");
    snprintf(said, size, "%s", from ? from : "");
    free(talk);
    return status;
}

/* The file of `result` with its one `old` replaced. */
static void assert_refused(const char *old, const char *new, enum status status,
                           const char *message)
{
    char *text = results_text(write_json, &result), said[512], *changed;
    char *at = strstr(text, old);

    if (!at)
        fail_msg("'%s' is not in the file", old);
    assert_int_not_equal(
        asprintf(&changed, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old)), -1);
    assert_status(read_text(changed, said, sizeof said), status);
    if (!strstr(said, message))
        fail_msg("said '%s', should hold '%s'", said, message);
    free(changed);
    free(text);
}

/* --- JSON ---------------------------------------------------------------------- */

static void what_is_read_is_what_was_written(void **state)
{
    char said[512];

    (void)state;
    result.seed = UINT64_MAX;
    result.rate = 0.1;
    result.bench_was_the_limit = true;
    strcpy(result.limit_why, "no \"CPU\" left\n");
    strcpy(result.answers[1].error, "time-out");
    result.answers[1].count = 3;
    result.answer_count = 2;
    char *first = results_text(write_json, &result);
    assert_status(read_text(first, said, sizeof said), STATUS_OK);
    assert_string_equal(said, "");

    char *second = results_text(write_json, &again);
    assert_string_equal(first, second);
    /* And not because both leave something out. */
    assert_true(again.seed == UINT64_MAX);
    assert_true(again.rate == result.rate);
    assert_string_equal(again.limit_why, result.limit_why);
    assert_string_equal(again.playbook, "default");
    assert_int_equal(again.emails_reported, 20000);
    assert_string_equal(again.answers[1].error, "time-out");
    assert_string_equal(again.checks[0].detail, result.checks[0].detail);
    assert_string_equal(again.machine.processor, "AMD EPYC 7B13");
    assert_int_equal(again.disk.fdatasync_p99_ns, 2300000);
    assert_true(isinf(again.commit.upper_seconds[3]));
    assert_true(again.commit.cumulated[3] == 1000);
    assert_int_equal(again.second_count, result.second_count);
    assert_memory_equal(again.seconds, result.seconds,
                        result.second_count * sizeof *result.seconds);
    for (unsigned i = 0; i < RESULT_LATENCY_COUNT; i++) {
        assert_int_equal(hist_count(again.latency[i]), hist_count(result.latency[i]));
        assert_int_equal(hist_at(again.latency[i], 99.9), hist_at(result.latency[i], 99.9));
    }
    free(first);
    free(second);
}

static void an_empty_result_can_be_read_back(void **state)
{
    char said[512];
    struct result empty;

    (void)state;
    assert_status(result_init(&empty), STATUS_OK);
    char *text = results_text(write_json, &empty);
    assert_status(read_text(text, said, sizeof said), STATUS_OK);
    assert_int_equal(again.runs, 1);
    assert_int_equal(again.second_count, 0);
    result_free(&empty);
    free(text);
}

static void every_field_has_a_line_of_its_own(void **state)
{
    (void)state;
    char *text = results_text(write_json, &result);
    assert_non_null(strstr(text, "{\n\"version\": 3,\n\"name\": \"hotlead\",\n"));
    assert_non_null(strstr(text, "\n\"acked\": 20000,\n"));
    assert_non_null(strstr(text, "\n\"seed\": \"7\",\n"));
    free(text);
}

static void text_that_is_no_utf8_keeps_its_ascii(void **state)
{
    char said[512];

    (void)state;
    strcpy(result.command, "run --url \xff\xfe.test");
    char *text = results_text(write_json, &result);
    assert_status(read_text(text, said, sizeof said), STATUS_OK);
    assert_string_equal(again.command, "run --url ?\?.test");
    free(text);
}

static void a_figure_that_is_no_number_is_not_written(void **state)
{
    FILE *out = fopen("/dev/null", "w");

    (void)state;
    result.drain_s = NAN;
    assert_status(result_write_json(&result, out), STATUS_INVALID);
    fclose(out);
}

static void a_full_disk_is_told(void **state)
{
    FILE *out = fopen("/dev/full", "w");

    (void)state;
    assert_status(result_write_json(&result, out), STATUS_IO);
    fclose(out);
}

static void unknown_fields_are_passed_over(void **state)
{
    char said[512], *changed;

    (void)state;
    char *text = results_text(write_json, &result);
    assert_int_not_equal(asprintf(&changed, "{\"weather\": {\"rain\": true},%s", text + 1), -1);
    assert_status(read_text(changed, said, sizeof said), STATUS_OK);
    assert_int_equal(again.acked, result.acked);
    free(changed);
    free(text);
}

static void a_missing_field_is_named(void **state)
{
    (void)state;
    assert_refused("\"popped\": 20000,\n\"lost\"", "\"lost\"", STATUS_INVALID,
                   "result.json: popped is missing");
}

static void a_missing_field_of_a_part_is_named_with_its_place(void **state)
{
    (void)state;
    assert_refused("\"cores\"", "\"kernels\"", STATUS_INVALID, "machine.cores is missing");
    assert_refused("{\"second\": 2, ", "{", STATUS_INVALID, "seconds[2].second is missing");
    assert_refused("\"ack\":", "\"nack\":", STATUS_INVALID, "latency.ack is missing");
    assert_refused("\"commit\":", "\"omit\":", STATUS_INVALID, "commit is missing");
}

static void a_wrong_type_is_named_with_what_it_should_be(void **state)
{
    (void)state;
    assert_refused("\"rate\": 1000.0", "\"rate\": \"much\"", STATUS_INVALID,
                   "rate is a text, should be a number");
    assert_refused("\"lost\": 0", "\"lost\": 0.5", STATUS_INVALID,
                   "lost is a number, should be a whole number");
    assert_refused("\"lost\": 0", "\"lost\": -1", STATUS_INVALID, "lost is -1, should be between");
    assert_refused("\"new_connections\": false", "\"new_connections\": 1", STATUS_INVALID,
                   "new_connections is a number, should be true or false");
    assert_refused("\"seed\": \"7\"", "\"seed\": \"seven\"", STATUS_INVALID,
                   "seed is \"seven\", should be a whole number in quotes");
    assert_refused("\"machine\": {", "\"machine\": 1, \"m\": {", STATUS_INVALID,
                   "machine is a number, should be an object");
    assert_refused("\"connections\": 64", "\"connections\": 4294967296", STATUS_INVALID,
                   "connections is 4294967296, should be between 0 and 4294967295");
}

static void too_long_a_text_is_refused(void **state)
{
    (void)state;
    assert_refused("\"poisson\"", "\"poisson, or something of that kind\"", STATUS_INVALID,
                   "arrivals is longer than 15 bytes");
}

static void buckets_out_of_order_are_refused(void **state)
{
    (void)state;
    assert_refused("\"buckets\": [", "\"buckets\": [[4000000000,1],", STATUS_INVALID,
                   "latency.speed_to_lead.buckets [1] should be [nanoseconds, count]");
    assert_refused("\"buckets\": [", "\"buckets\": [[1,2,3],", STATUS_INVALID, "[0] should be");
}

static void buckets_that_do_not_come_to_their_count_are_refused(void **state)
{
    char wrong_count[64];

    (void)state;
    snprintf(wrong_count, sizeof wrong_count, "\"count\": %llu",
             (unsigned long long)hist_count(result.latency[RESULT_LEAD]));
    assert_refused(wrong_count, "\"count\": 5", STATUS_INVALID, "do not come to its count");
}

static void another_version_is_refused(void **state)
{
    (void)state;
    assert_refused("\"version\": 3", "\"version\": 2", STATUS_VERSION,
                   "version is 2, and this hotlead-bench reads 3");
}

static void another_kind_of_file_is_refused(void **state)
{
    char said[512];

    (void)state;
    assert_status(read_text("{\"results\": []}", said, sizeof said), STATUS_INVALID);
    assert_non_null(strstr(said, "this is no result of hotlead-bench"));
    assert_status(read_text("[1]", said, sizeof said), STATUS_INVALID);
    assert_status(read_text("p99 9ms\n", said, sizeof said), STATUS_MALFORMED);
    assert_non_null(strstr(said, "is no JSON: line 1"));
}

static void a_file_that_is_not_there_is_named(void **state)
{
    char *talk = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&talk, &length);

    (void)state;
    assert_status(result_read_json(folder_path(&folder, "none.json"), out, &again), STATUS_IO);
    fclose(out);
    assert_non_null(strstr(talk, "none.json cannot be read: No such file"));
    free(talk);
}

/* --- figures ------------------------------------------------------------------- */

static void an_empty_result_has_no_figures_that_are_no_numbers(void **state)
{
    (void)state;
    result_free(&result);
    assert_status(result_init(&result), STATUS_OK);
    assert_true(result_acked_per_second(&result) == 0);
    assert_true(result_server_us_per_optin(&result) == 0);
    assert_true(result_redis_us_per_optin(&result) == 0);
    assert_true(result_is_sound(&result));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_all, free_all)

static void whatever_is_no_yes_is_an_error(void **state)
{
    (void)state;
    result.answer_count = 4;
    result.answers[0] = (struct result_count){201, "", 100};
    result.answers[1] = (struct result_count){303, "", 10};
    result.answers[2] = (struct result_count){301, "", 3};
    result.answers[3] = (struct result_count){0, "reset", 2};
    assert_int_equal(result_errors(&result), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whatever_is_no_yes_is_an_error),
        TEST(what_is_read_is_what_was_written),
        TEST(an_empty_result_can_be_read_back),
        TEST(every_field_has_a_line_of_its_own),
        TEST(text_that_is_no_utf8_keeps_its_ascii),
        TEST(a_figure_that_is_no_number_is_not_written),
        TEST(a_full_disk_is_told),
        TEST(unknown_fields_are_passed_over),
        TEST(a_missing_field_is_named),
        TEST(a_missing_field_of_a_part_is_named_with_its_place),
        TEST(a_wrong_type_is_named_with_what_it_should_be),
        TEST(too_long_a_text_is_refused),
        TEST(buckets_out_of_order_are_refused),
        TEST(buckets_that_do_not_come_to_their_count_are_refused),
        TEST(another_version_is_refused),
        TEST(another_kind_of_file_is_refused),
        TEST(a_file_that_is_not_there_is_named),
        TEST(an_empty_result_has_no_figures_that_are_no_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
