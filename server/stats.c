/* Everything lies in one block of relaxed atomics. A reader may see a count without the sum
 * that belongs to it; Prometheus samples are not exact to that degree anyway.
 *
 * Requests are counted in a row per route with a cell per HTTP status. Most cells stay untouched,
 * and so do their pages. */
#include "server/stats.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "proto/status.h"

#define BUCKETS_MAX       18
#define HTTP_STATUS_LEAST 100
#define HTTP_STATUS_END   600

enum bucket_set { BUCKETS_BUSINESS, BUCKETS_FINE, BUCKETS_FINEST };

/* Upper bounds in microseconds, and as they are written: a bound is a label, so its text must
 * never change. */
struct bucket {
    uint64_t us;
    const char *seconds;
};
static const struct bucket_list {
    unsigned count;
    struct bucket buckets[BUCKETS_MAX];
} bucket_lists[] = {
    [BUCKETS_BUSINESS] = {12,
                          {{5000000, "5"},
                           {15000000, "15"},
                           {30000000, "30"},
                           {60000000, "60"},
                           {120000000, "120"},
                           {180000000, "180"},
                           {240000000, "240"},
                           {300000000, "300"},
                           {600000000, "600"},
                           {1800000000, "1800"},
                           {3600000000, "3600"},
                           {86400000000, "86400"}}},
    [BUCKETS_FINE] = {13,
                      {{500, "0.0005"},
                       {1000, "0.001"},
                       {2000, "0.002"},
                       {5000, "0.005"},
                       {10000, "0.01"},
                       {20000, "0.02"},
                       {50000, "0.05"},
                       {100000, "0.1"},
                       {200000, "0.2"},
                       {500000, "0.5"},
                       {1000000, "1"},
                       {2000000, "2"},
                       {5000000, "5"}}},
    /* Those above, and what is under them: a fast disk, or a Redis on the same machine. */
    [BUCKETS_FINEST] = {17,
                        {{50, "0.00005"},
                         {100, "0.0001"},
                         {200, "0.0002"},
                         {350, "0.00035"},
                         {500, "0.0005"},
                         {1000, "0.001"},
                         {2000, "0.002"},
                         {5000, "0.005"},
                         {10000, "0.01"},
                         {20000, "0.02"},
                         {50000, "0.05"},
                         {100000, "0.1"},
                         {200000, "0.2"},
                         {500000, "0.5"},
                         {1000000, "1"},
                         {2000000, "2"},
                         {5000000, "5"}}},
};

struct histogram {
    atomic_uint_least64_t buckets[BUCKETS_MAX]; /* not cumulative; the last: over all bounds */
    atomic_uint_least64_t sum_us;
};

struct route {
    const char *name;
    struct histogram seconds;
    atomic_uint_least64_t answers[HTTP_STATUS_END - HTTP_STATUS_LEAST];
};

struct stats {
    atomic_uint_least64_t counters[STATS_COUNTER_COUNT];
    atomic_uint_least64_t gauges[STATS_GAUGE_COUNT];
    struct histogram histograms[STATS_HISTOGRAM_COUNT];
    atomic_uint_least64_t breaches[STATS_QUEUES_MAX];
    unsigned route_count;
    struct route routes[STATS_ROUTES_MAX];
};

#define XX(name, metric, labels, help) {metric, labels, help},
static const struct {
    const char *metric, *labels, *help;
} counter_table[] = {STATS_COUNTER_MAP(XX)};
#undef XX

#define XX(name, metric, help) {metric, help},
static const struct {
    const char *metric, *help;
} gauge_table[] = {STATS_GAUGE_MAP(XX)};
#undef XX

#define XX(name, metric, set, help) {metric, help, &bucket_lists[BUCKETS_##set]},
static const struct {
    const char *metric, *help;
    const struct bucket_list *list;
} histogram_table[] = {STATS_HISTOGRAM_MAP(XX)};
#undef XX

static void raise_by(atomic_uint_least64_t *value, uint64_t amount)
{
    atomic_fetch_add_explicit(value, amount, memory_order_relaxed);
}

static uint64_t value_of(const atomic_uint_least64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

struct stats *stats_open(void)
{
    return calloc(1, sizeof(struct stats));
}

void stats_close(struct stats *stats)
{
    free(stats);
}

void stats_add(struct stats *stats, enum stats_counter counter, uint64_t amount)
{
    raise_by(&stats->counters[counter], amount);
}

uint64_t stats_count(const struct stats *stats, enum stats_counter counter)
{
    return value_of(&stats->counters[counter]);
}

void stats_set(struct stats *stats, enum stats_gauge gauge, uint64_t value)
{
    atomic_store_explicit(&stats->gauges[gauge], value, memory_order_relaxed);
}

static void observe(struct histogram *histogram, const struct bucket_list *list,
                    uint64_t microseconds)
{
    unsigned bucket = 0;

    while (bucket < list->count && microseconds > list->buckets[bucket].us)
        bucket++;
    raise_by(&histogram->buckets[bucket], 1);
    raise_by(&histogram->sum_us, microseconds);
}

uint64_t stats_value(const struct stats *stats, enum stats_gauge gauge)
{
    return value_of(&stats->gauges[gauge]);
}

void stats_observe_us(struct stats *stats, enum stats_histogram histogram, uint64_t microseconds)
{
    observe(&stats->histograms[histogram], histogram_table[histogram].list, microseconds);
}

void stats_add_breaches(struct stats *stats, uint32_t queue, uint64_t amount)
{
    MUST(queue < STATS_QUEUES_MAX);
    raise_by(&stats->breaches[queue], amount);
}

uint64_t stats_breaches(const struct stats *stats, uint32_t queue)
{
    MUST(queue < STATS_QUEUES_MAX);
    return value_of(&stats->breaches[queue]);
}

unsigned stats_route(struct stats *stats, const char *name)
{
    for (unsigned i = 0; i < stats->route_count; i++) {
        if (strcmp(stats->routes[i].name, name) == 0)
            return i;
    }
    MUST(stats->route_count < STATS_ROUTES_MAX);
    stats->routes[stats->route_count].name = name;
    return stats->route_count++;
}

void stats_request(struct stats *stats, unsigned route, int http_status, uint64_t microseconds)
{
    MUST(route < stats->route_count);
    MUST(http_status >= HTTP_STATUS_LEAST && http_status < HTTP_STATUS_END);
    struct route *row = &stats->routes[route];
    raise_by(&row->answers[http_status - HTTP_STATUS_LEAST], 1);
    observe(&row->seconds, &bucket_lists[BUCKETS_FINE], microseconds);
}

/* --- Prometheus text ----------------------------------------------------------- */

void stats_write_head(struct text *out, const char *metric, const char *type, const char *help)
{
    text_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric, type);
}

static void write_counters(const struct stats *stats, struct text *out)
{
    const char *previous = "";

    for (unsigned i = 0; i < STATS_COUNTER_COUNT; i++) {
        const char *metric = counter_table[i].metric, *labels = counter_table[i].labels;
        if (strcmp(metric, previous) != 0)
            stats_write_head(out, metric, "counter", counter_table[i].help);
        previous = metric;
        text_string(out, metric);
        if (*labels)
            text_printf(out, "{%s}", labels);
        text_printf(out, " %llu\n", (unsigned long long)value_of(&stats->counters[i]));
    }
}

static void write_gauges(const struct stats *stats, struct text *out)
{
    for (unsigned i = 0; i < STATS_GAUGE_COUNT; i++) {
        stats_write_head(out, gauge_table[i].metric, "gauge", gauge_table[i].help);
        text_printf(out, "%s %llu\n", gauge_table[i].metric,
                    (unsigned long long)value_of(&stats->gauges[i]));
    }
}

/* `label` is empty or `name="value"`. The count is the sum of the buckets as read here, so
 * that it always equals the +Inf bucket. */
static void write_histogram(const struct histogram *histogram, const struct bucket_list *list,
                            const char *metric, const char *label, struct text *out)
{
    const char *comma = *label ? "," : "";
    const char *open = *label ? "{" : "", *close = *label ? "}" : "";
    unsigned long long count = 0;

    for (unsigned i = 0; i <= list->count; i++) {
        const char *bound = i < list->count ? list->buckets[i].seconds : "+Inf";
        count += value_of(&histogram->buckets[i]);
        text_printf(out, "%s_bucket{%s%sle=\"%s\"} %llu\n", metric, label, comma, bound, count);
    }
    uint64_t sum_us = value_of(&histogram->sum_us);
    text_printf(out, "%s_sum%s%s%s %llu.%06llu\n", metric, open, label, close,
                (unsigned long long)(sum_us / 1000000), (unsigned long long)(sum_us % 1000000));
    text_printf(out, "%s_count%s%s%s %llu\n", metric, open, label, close, count);
}

static uint64_t count_of(const struct histogram *histogram)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < BUCKETS_MAX; i++)
        count += value_of(&histogram->buckets[i]);
    return count;
}

static void write_answers(const struct route *route, struct text *out)
{
    for (int code = HTTP_STATUS_LEAST; code < HTTP_STATUS_END; code++) {
        uint64_t answers = value_of(&route->answers[code - HTTP_STATUS_LEAST]);
        if (answers > 0)
            text_printf(out, "hotlead_http_requests_total{route=\"%s\",code=\"%d\"} %llu\n",
                        route->name, code, (unsigned long long)answers);
    }
}

/* Routes that nobody asked for yet are left out: most servers are asked for few of them. */
static void write_durations(const struct route *route, struct text *out)
{
    char label[128];
    struct text over = text_over(label, sizeof label - 1);

    if (count_of(&route->seconds) == 0)
        return;
    text_printf(&over, "route=\"%s\"", route->name);
    MUST(!over.overflow); /* route names are ours */
    label[over.length] = '\0';
    write_histogram(&route->seconds, &bucket_lists[BUCKETS_FINE],
                    "hotlead_http_request_duration_seconds", label, out);
}

static void write_requests(const struct stats *stats, struct text *out)
{
    stats_write_head(out, "hotlead_http_requests_total", "counter", "Requests answered.");
    for (unsigned i = 0; i < stats->route_count; i++)
        write_answers(&stats->routes[i], out);
    stats_write_head(out, "hotlead_http_request_duration_seconds", "histogram",
                     "From the first byte of a request to the end of its answer.");
    for (unsigned i = 0; i < stats->route_count; i++)
        write_durations(&stats->routes[i], out);
}

void stats_write(struct stats *stats, struct text *out)
{
    stats_write_head(out, "hotlead_build_info", "gauge", "Always 1; the version is in the label.");
    text_string(out, "hotlead_build_info{version=\"" HOTLEAD_VERSION "\"} 1\n");
    write_counters(stats, out);
    write_gauges(stats, out);
    for (unsigned i = 0; i < STATS_HISTOGRAM_COUNT; i++) {
        stats_write_head(out, histogram_table[i].metric, "histogram", histogram_table[i].help);
        write_histogram(&stats->histograms[i], histogram_table[i].list, histogram_table[i].metric,
                        "", out);
    }
    write_requests(stats, out);
}
