/* The page of a result: that its data arrives whole, and that nothing in it gets out of its place.
 * How it looks is for eyes; what is drawn from the data is not told here. */
#include <math.h>
#include <unistd.h>

#include "bench/embedded.h"
#include "bench/output.h"
#include "tests/unit.h"

#define BEFORE "<script type=\"application/json\" id=\"result\">"
#define AFTER  "</script>"
#define EVIL   "</script><script>alert(1)</script><!-- & \"it\""

static struct result result;
static char *page;
static size_t page_bytes;

static int make_result(void **state)
{
    (void)state;
    assert_status(result_init(&result), STATUS_OK);
    snprintf(result.name, sizeof result.name, "%s", EVIL);
    snprintf(result.command, sizeof result.command, "hotlead-bench run --url %s", EVIL);
    snprintf(result.arrivals, sizeof result.arrivals, "poisson");
    result.rate = 100;
    result.duration_s = 10;
    result.acked = result.acked_meanwhile = 1000;
    result.runs = 1;
    for (uint64_t i = 1; i <= 1000; i++)
        hist_add(result.latency[RESULT_LEAD], i * 1000);
    result_check(&result, false, "nothing is <lost>", "1 of 1000 %s", EVIL);
    return 0;
}

static int free_result(void **state)
{
    (void)state;
    result_free(&result);
    free(page);
    page = NULL;
    return 0;
}

static enum status write_page(void)
{
    FILE *out = open_memstream(&page, &page_bytes);

    assert_non_null(out);
    enum status status = output_html(&result, out);
    assert_int_equal(fclose(out), 0);
    return status;
}

/* What the browser takes for the result: all up to the first end of a script. */
static struct slice data_of_page(void)
{
    const char *start = strstr(page, BEFORE);

    assert_non_null(start);
    start += strlen(BEFORE);
    const char *end = strstr(start, AFTER);
    assert_non_null(end);
    return (struct slice){start, (size_t)(end - start)};
}

static void page_holds_the_whole_result(void **state)
{
    char path[] = "/tmp/hotlead-bench-html-XXXXXX";
    struct result again;

    (void)state;
    assert_status(write_page(), STATUS_OK);
    struct slice data = data_of_page();
    int fd = mkstemp(path);
    assert_int_equal(write(fd, data.bytes, data.length), data.length);
    close(fd);
    enum status status = result_read_json(path, stderr, &again);
    unlink(path);
    assert_status(status, STATUS_OK);
    assert_string_equal(again.name, result.name);
    assert_string_equal(again.command, result.command);
    assert_string_equal(again.checks[0].detail, result.checks[0].detail);
    assert_int_equal(hist_at(again.latency[RESULT_LEAD], 99),
                     hist_at(result.latency[RESULT_LEAD], 99));
    result_free(&again);
}

static void text_of_a_result_begins_no_tag(void **state)
{
    (void)state;
    assert_status(write_page(), STATUS_OK);
    struct slice data = data_of_page();
    assert_null(memchr(data.bytes, '<', data.length));
    assert_null(strstr(page, "<script>alert"));
}

static void page_is_otherwise_the_one_compiled_in(void **state)
{
    (void)state;
    assert_status(write_page(), STATUS_OK);
    struct slice data = data_of_page();
    size_t before = (size_t)(data.bytes - page);
    size_t after = page_bytes - before - data.length;

    assert_memory_equal(page, embedded_report_html, before);
    assert_memory_equal(page + page_bytes - after,
                        embedded_report_html + embedded_report_html_bytes - after, after);
    assert_int_equal(before + after + strlen("@RESULT@"), embedded_report_html_bytes);
}

static void page_names_no_address_but_that_of_svg(void **state)
{
    static const char svg[] = "http://www.w3.org/2000/svg";
    const char *found = strstr(embedded_report_html, "://");

    (void)state;
    assert_non_null(found);
    assert_memory_equal(found - strlen("http"), svg, strlen(svg));
    assert_null(strstr(found + 1, "://"));
    assert_non_null(strstr(embedded_report_html, "default-src 'none'"));
    assert_null(strstr(embedded_report_html, " src="));
    assert_null(strstr(embedded_report_html, "innerHTML"));
}

static void page_without_data_is_small(void **state)
{
    (void)state;
    assert_in_range(embedded_report_html_bytes, 1, 60 * 1024);
}

static void result_that_is_no_number_makes_no_page(void **state)
{
    (void)state;
    result.rate = NAN;
    assert_status(write_page(), STATUS_INVALID);
    assert_int_equal(page_bytes, 0);
}

static void full_disk_is_told(void **state)
{
    FILE *full = fopen("/dev/full", "we");

    (void)state;
    assert_non_null(full);
    assert_status(output_html(&result, full), STATUS_IO);
    fclose(full);
}

#define PAGE_TEST(name) cmocka_unit_test_setup_teardown(name, make_result, free_result)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAGE_TEST(page_holds_the_whole_result),
        PAGE_TEST(text_of_a_result_begins_no_tag),
        PAGE_TEST(page_is_otherwise_the_one_compiled_in),
        PAGE_TEST(page_names_no_address_but_that_of_svg),
        PAGE_TEST(page_without_data_is_small),
        PAGE_TEST(result_that_is_no_number_makes_no_page),
        PAGE_TEST(full_disk_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
