/* bench/metrics.c: a server's metrics, read over a real socket. */
#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/metrics.h"
#include "proto/must.h"
#include "tests/unit.h"

static const char *const sample_text = "# HELP hotlead_optins_total Opt-ins by how they ended.\n"
                                       "# TYPE hotlead_optins_total counter\n"
                                       "hotlead_optins_total{result=\"new\"} 250000\n"
                                       "hotlead_optins_total{result=\"duplicate\"} 12\n"
                                       "hotlead_open_tasks 17\n"
                                       "odd{text=\"a } b \\\" {c} \"} 4.5 1700000000000\n"
                                       "no value here\n"
                                       "\n"
                                       "hotlead_lmdb_commit_seconds_bucket{le=\"0.001\"} 3\n"
                                       "hotlead_lmdb_commit_seconds_bucket{le=\"0.005\"} 9\n"
                                       "hotlead_lmdb_commit_seconds_bucket{le=\"+Inf\"} 10\n"
                                       "hotlead_lmdb_commit_seconds_sum 0.042\n"
                                       "hotlead_lmdb_commit_seconds_count 10\n"
                                       "cut_bucket{le=\"1\"} 3\n"
                                       "last 1e3";

/* Answers one request with one text, and keeps what was asked. */
struct answering {
    int listener;
    pthread_t thread;
    const char *status, *body;
    char asked[4096];
};

static void *answer_once(void *owner)
{
    struct answering *answering = owner;
    char head[256];
    size_t length = 0;
    int conn = accept(answering->listener, NULL, NULL);

    MUST(conn >= 0);
    while (!strstr(answering->asked, "\r\n\r\n")) {
        ssize_t got = read(conn, answering->asked + length, sizeof answering->asked - 1 - length);
        MUST(got > 0);
        length += (size_t)got;
    }
    int bytes = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n",
                         answering->status, strlen(answering->body));
    MUST(write(conn, head, (size_t)bytes) == bytes);
    MUST(write(conn, answering->body, strlen(answering->body)) >= 0);
    close(conn);
    return NULL;
}

static unsigned listen_here(int *listener)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(bind(*listener, (struct sockaddr *)&address, sizeof address) == 0);
    MUST(listen(*listener, 4) == 0);
    MUST(getsockname(*listener, (struct sockaddr *)&address, &length) == 0);
    return ntohs(address.sin_port);
}

static struct answering last_one;

static enum status read_from(const char *status, const char *body, struct metrics **out)
{
    struct target target = {.host = "127.0.0.1", .token = "tok_admin"};

    last_one = (struct answering){.status = status, .body = body};
    target.port = listen_here(&last_one.listener);
    MUST(pthread_create(&last_one.thread, NULL, answer_once, &last_one) == 0);
    enum status result = metrics_read(&target, out);
    pthread_join(last_one.thread, NULL);
    close(last_one.listener);
    return result;
}

static struct metrics *read_sample_text(void)
{
    struct metrics *metrics;

    assert_status(read_from("200 OK", sample_text, &metrics), STATUS_OK);
    return metrics;
}

static void samples_are_found_by_their_whole_name(void **state)
{
    (void)state;
    struct metrics *metrics = read_sample_text();

    assert_float_equal(metrics_value(metrics, "hotlead_optins_total{result=\"new\"}"), 250000, 0);
    assert_float_equal(metrics_value(metrics, "hotlead_optins_total{result=\"duplicate\"}"), 12, 0);
    assert_float_equal(metrics_value(metrics, "hotlead_open_tasks"), 17, 0);
    assert_float_equal(metrics_value(metrics, "last"), 1000, 0);
    assert_float_equal(metrics_value(metrics, "hotlead_optins_total"), 0, 0);
    metrics_close(metrics);
}

static void labels_may_hold_anything_in_quotes(void **state)
{
    (void)state;
    struct metrics *metrics = read_sample_text();

    assert_float_equal(metrics_value(metrics, "odd{text=\"a } b \\\" {c} \"}"), 4.5, 0);
    metrics_close(metrics);
}

static void label_is_found_by_the_name_of_its_sample(void **state)
{
    (void)state;
    struct metrics *metrics = read_sample_text();
    char value[16];

    assert_true(metrics_label(metrics, "hotlead_optins_total", "result", value, sizeof value));
    assert_string_equal(value, "new");
    assert_false(metrics_label(metrics, "hotlead_optins", "result", value, sizeof value));
    assert_false(metrics_label(metrics, "hotlead_optins_total", "site", value, sizeof value));
    assert_string_equal(value, "");
    metrics_close(metrics);
}

static void line_without_a_value_is_passed_over(void **state)
{
    (void)state;
    struct metrics *metrics = read_sample_text();

    assert_float_equal(metrics_value(metrics, "no"), 0, 0);
    metrics_close(metrics);
}

static void token_goes_along(void **state)
{
    (void)state;
    metrics_close(read_sample_text());
    assert_non_null(strstr(last_one.asked, "GET /metrics HTTP/1.1\r\n"));
    assert_non_null(strstr(last_one.asked, "Authorization: Bearer tok_admin\r\n"));
}

static void histogram_is_read_with_its_bounds(void **state)
{
    (void)state;
    struct metrics *metrics = read_sample_text();
    struct metrics_histogram histogram;

    assert_true(metrics_histogram(metrics, "hotlead_lmdb_commit_seconds", &histogram));
    assert_int_equal(histogram.count, 3);
    assert_float_equal(histogram.upper_seconds[1], 0.005, 1e-12);
    assert_true(isinf(histogram.upper_seconds[2]));
    assert_float_equal(histogram.cumulated[0], 3, 0);
    assert_float_equal(histogram.cumulated[2], 10, 0);
    assert_float_equal(histogram.sum_seconds, 0.042, 1e-12);
    metrics_close(metrics);
}

static void histogram_without_an_infinite_bucket_is_none(void **state)
{
    (void)state;
    struct metrics *metrics = read_sample_text();
    struct metrics_histogram histogram;

    assert_false(metrics_histogram(metrics, "cut", &histogram));
    assert_false(metrics_histogram(metrics, "not_there", &histogram));
    metrics_close(metrics);
}

static void earlier_histogram_is_taken_off(void **state)
{
    (void)state;
    struct metrics_histogram later = {3, {0.1, 1, INFINITY}, {5, 8, 9}, 4.5};
    const struct metrics_histogram earlier = {3, {0.1, 1, INFINITY}, {1, 2, 2}, 1.5};

    metrics_histogram_subtract(&later, &earlier);
    assert_float_equal(later.cumulated[0], 4, 0);
    assert_float_equal(later.cumulated[2], 7, 0);
    assert_float_equal(later.sum_seconds, 3, 1e-12);
}

static void token_that_is_not_good_is_told_from_silence(void **state)
{
    (void)state;
    struct metrics *metrics;
    struct target nowhere = {.host = "127.0.0.1"};
    int listener;

    assert_status(read_from("401 Unauthorized", "", &metrics), STATUS_FORBIDDEN);
    assert_status(read_from("403 Forbidden", "", &metrics), STATUS_FORBIDDEN);
    assert_status(read_from("503 Service Unavailable", "", &metrics), STATUS_BUSY);
    nowhere.port = listen_here(&listener);
    close(listener);
    assert_status(metrics_read(&nowhere, &metrics), STATUS_BUSY);
    assert_null(metrics);
}

static void percentile_lies_evenly_within_its_bucket(void **state)
{
    const struct metrics_histogram histogram = {
        .count = 3, .upper_seconds = {0.001, 0.002, INFINITY}, .cumulated = {50, 100, 110}};
    const struct metrics_histogram empty = {0};

    (void)state;
    assert_float_equal(metrics_histogram_at(&histogram, 25), 0.00055, 1e-9);
    assert_float_equal(metrics_histogram_at(&histogram, 100.0 * 75 / 110), 0.0015, 1e-9);
    assert_true(isinf(metrics_histogram_at(&histogram, 99)));
    assert_float_equal(metrics_histogram_bound(&histogram), 0.002, 1e-9);
    assert_float_equal(metrics_histogram_at(&empty, 50), 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_found_by_their_whole_name),
        cmocka_unit_test(labels_may_hold_anything_in_quotes),
        cmocka_unit_test(label_is_found_by_the_name_of_its_sample),
        cmocka_unit_test(line_without_a_value_is_passed_over),
        cmocka_unit_test(token_goes_along),
        cmocka_unit_test(histogram_is_read_with_its_bounds),
        cmocka_unit_test(histogram_without_an_infinite_bucket_is_none),
        cmocka_unit_test(earlier_histogram_is_taken_off),
        cmocka_unit_test(percentile_lies_evenly_within_its_bucket),
        cmocka_unit_test(token_that_is_not_good_is_told_from_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
