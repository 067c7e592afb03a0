#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/stats.h"

static struct stats *stats;
static char page[256 * 1024];

static int open_stats(void **state)
{
    (void)state;
    stats = stats_open();
    assert_non_null(stats);
    return 0;
}

static int close_stats(void **state)
{
    (void)state;
    stats_close(stats);
    return 0;
}

static const char *written(void)
{
    struct text out = text_over(page, sizeof page - 1);

    stats_write(stats, &out);
    assert_false(out.overflow);
    page[out.length] = '\0';
    return page;
}

static void assert_line(const char *line)
{
    char wanted[256];

    snprintf(wanted, sizeof wanted, "\n%s\n", line);
    if (!strstr(written(), wanted))
        fail_msg("not written: %s", line);
}

static unsigned occurrences(const char *text, const char *part)
{
    unsigned count = 0;

    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        count++;
    return count;
}

static void counters_are_written_with_their_labels(void **state)
{
    (void)state;
    stats_add(stats, STATS_OPTINS_NEW, 2);
    stats_add(stats, STATS_OPTINS_NEW, 3);
    assert_int_equal(stats_count(stats, STATS_OPTINS_NEW), 5);
    assert_line("hotlead_optins_total{result=\"new\"} 5");
    assert_line("hotlead_optins_total{result=\"duplicate\"} 0");
}

static void breaches_are_counted_by_queue(void **state)
{
    (void)state;
    stats_add_breaches(stats, 7, 2);
    stats_add_breaches(stats, STATS_QUEUES_MAX - 1, 1);
    assert_int_equal(stats_breaches(stats, 7), 2);
    assert_int_equal(stats_breaches(stats, STATS_QUEUES_MAX - 1), 1);
    assert_int_equal(stats_breaches(stats, 1), 0);
}

static void every_metric_has_its_help_and_type_once_and_before_its_samples(void **state)
{
    (void)state;
    stats_request(stats, stats_route(stats, "optins"), 201, 700);
    char *text = strdup(written());
    char known[64][128];
    unsigned metrics = 0;
    char *rest = text;

    for (char *line = strsep(&rest, "\n"); line && *line; line = strsep(&rest, "\n")) {
        char name[128];
        if (sscanf(line, "# TYPE %127s", name) == 1) {
            for (unsigned i = 0; i < metrics; i++)
                assert_string_not_equal(known[i], name);
            memcpy(known[metrics++], name, sizeof name);
        } else if (sscanf(line, "# HELP %127s %*s", name) != 1) {
            /* A sample belongs to the newest metric. */
            size_t length = strlen(known[metrics - 1]);
            assert_memory_equal(line, known[metrics - 1], length);
            assert_non_null(strchr("{_ ", line[length]));
        } else {
            assert_true(strlen(line) > strlen("# HELP ") + strlen(name) + 3);
        }
    }
    assert_int_equal(occurrences(page, "# HELP "), metrics);
    free(text);
}

static void gauges_show_the_last_value(void **state)
{
    (void)state;
    stats_set(stats, STATS_GAUGE_REDIS_UP, 1);
    stats_set(stats, STATS_GAUGE_PEOPLE, 10000000);
    stats_set(stats, STATS_GAUGE_REDIS_UP, 0);
    assert_line("hotlead_redis_up 0");
    assert_line("hotlead_people 10000000");
}

static void histograms_are_cumulative_and_end_in_inf(void **state)
{
    (void)state;
    stats_observe_us(stats, STATS_SPEED_TO_CLAIM, 4000000);
    stats_observe_us(stats, STATS_SPEED_TO_CLAIM, 5000000); /* a bound belongs to its bucket */
    stats_observe_us(stats, STATS_SPEED_TO_CLAIM, 5000001);
    stats_observe_us(stats, STATS_SPEED_TO_CLAIM, 300000000);
    stats_observe_us(stats, STATS_SPEED_TO_CLAIM, 90000000000);
    assert_line("hotlead_speed_to_claim_seconds_bucket{le=\"5\"} 2");
    assert_line("hotlead_speed_to_claim_seconds_bucket{le=\"15\"} 3");
    assert_line("hotlead_speed_to_claim_seconds_bucket{le=\"240\"} 3");
    assert_line("hotlead_speed_to_claim_seconds_bucket{le=\"300\"} 4");
    assert_line("hotlead_speed_to_claim_seconds_bucket{le=\"86400\"} 4");
    assert_line("hotlead_speed_to_claim_seconds_bucket{le=\"+Inf\"} 5");
    assert_line("hotlead_speed_to_claim_seconds_count 5");
    assert_line("hotlead_speed_to_claim_seconds_sum 90314.000001");
}

static void business_buckets_are_those_of_the_contract(void **state)
{
    static const char *const bounds[] = {"5",   "15",  "30",   "60",   "120",   "180", "240",
                                         "300", "600", "1800", "3600", "86400", "+Inf"};
    (void)state;
    written();
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        char line[128];
        snprintf(line, sizeof line, "hotlead_speed_to_first_call_seconds_bucket{le=\"%s\"} 0",
                 bounds[i]);
        assert_line(line);
    }
    assert_int_equal(occurrences(page, "hotlead_speed_to_first_call_seconds_bucket"), 13);
}

static void commits_are_told_apart_from_50_microseconds_on(void **state)
{
    (void)state;
    stats_observe_us(stats, STATS_COMMIT_SECONDS, 50);
    stats_observe_us(stats, STATS_COMMIT_SECONDS, 340);
    stats_observe_us(stats, STATS_COMMIT_TO_VISIBLE, 351);
    stats_observe_us(stats, STATS_COMMIT_TO_VISIBLE, 6000000);
    assert_line("hotlead_lmdb_commit_seconds_bucket{le=\"0.00005\"} 1");
    assert_line("hotlead_lmdb_commit_seconds_bucket{le=\"0.0002\"} 1");
    assert_line("hotlead_lmdb_commit_seconds_bucket{le=\"0.00035\"} 2");
    assert_line("hotlead_commit_to_visible_seconds_bucket{le=\"0.00035\"} 0");
    assert_line("hotlead_commit_to_visible_seconds_bucket{le=\"0.0005\"} 1");
    assert_line("hotlead_commit_to_visible_seconds_bucket{le=\"5\"} 1");
    assert_line("hotlead_commit_to_visible_seconds_bucket{le=\"+Inf\"} 2");
    assert_line("hotlead_commit_to_visible_seconds_sum 6.000351");
}

static void requests_are_counted_by_route_and_code(void **state)
{
    (void)state;
    unsigned optins = stats_route(stats, "/v1/optins"), form = stats_route(stats, "/f/{pk}");
    assert_int_not_equal(optins, form);
    assert_int_equal(stats_route(stats, "/v1/optins"), optins);

    stats_request(stats, optins, 201, 400);
    stats_request(stats, optins, 201, 1500);
    stats_request(stats, optins, 503, 10);
    assert_line("hotlead_http_requests_total{route=\"/v1/optins\",code=\"201\"} 2");
    assert_line("hotlead_http_requests_total{route=\"/v1/optins\",code=\"503\"} 1");
    assert_line(
        "hotlead_http_request_duration_seconds_bucket{route=\"/v1/optins\",le=\"0.0005\"} 2");
    assert_line("hotlead_http_request_duration_seconds_bucket{route=\"/v1/optins\",le=\"+Inf\"} 3");
    assert_line("hotlead_http_request_duration_seconds_sum{route=\"/v1/optins\"} 0.001910");
    assert_null(strstr(written(), "route=\"/f/{pk}\"")); /* nobody asked for it */
}

static void the_version_stands_in_a_label(void **state)
{
    (void)state;
    assert_line("hotlead_build_info{version=\"" HOTLEAD_VERSION "\"} 1");
}

static void too_small_a_page_overflows_and_is_not_overrun(void **state)
{
    char small[64];
    struct text out = text_over(small, sizeof small);

    (void)state;
    stats_write(stats, &out);
    assert_true(out.overflow);
}

static void *add_many(void *unused)
{
    (void)unused;
    for (int i = 0; i < 10000; i++) {
        stats_add(stats, STATS_COMMITS, 1);
        stats_observe_us(stats, STATS_COMMIT_SECONDS, 100);
    }
    return NULL;
}

static void no_count_is_lost_between_threads(void **state)
{
    pthread_t threads[2];

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, NULL), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(stats_count(stats, STATS_COMMITS), 20000);
    assert_line("hotlead_lmdb_commit_seconds_count 20000");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_stats, close_stats)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(counters_are_written_with_their_labels),
        TEST(breaches_are_counted_by_queue),
        TEST(every_metric_has_its_help_and_type_once_and_before_its_samples),
        TEST(gauges_show_the_last_value),
        TEST(histograms_are_cumulative_and_end_in_inf),
        TEST(business_buckets_are_those_of_the_contract),
        TEST(commits_are_told_apart_from_50_microseconds_on),
        TEST(requests_are_counted_by_route_and_code),
        TEST(the_version_stands_in_a_label),
        TEST(too_small_a_page_overflows_and_is_not_overrun),
        TEST(no_count_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
