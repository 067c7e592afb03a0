/* Two results made one: several senders against one server at once, or runs after each other.
 *
 * What each sender did itself (requests, pops, latencies) is always added. What it only watched, a
 * server's CPU and /metrics, is added for runs after each other; senders at one time all watched
 * the same, so there the fullest view stands for all. */
#include <stdlib.h>
#include <string.h>

#include "bench/result.h"

/* --- may they be merged? ------------------------------------------------------- */

static const char *difference(const struct result *a, const struct result *b)
{
    if (strcmp(a->name, b->name) != 0)
        return "they measured different targets";
    if (strcmp(a->versions, b->versions) != 0)
        return "they measured different versions";
    if (strcmp(a->redis_settings, b->redis_settings) != 0)
        return "the settings of Redis differ";
    if (strcmp(a->playbook, b->playbook) != 0)
        return "their playbooks differ";
    if (strcmp(a->arrivals, b->arrivals) != 0)
        return "their arrivals differ (constant, poisson, closed)";
    if (strcmp(a->mix, b->mix) != 0)
        return "their mixes of bodies differ";
    if (a->new_connections != b->new_connections)
        return "one made a new connection for each request, the other did not";
    if (a->disk.simulated_us != b->disk.simulated_us)
        return "their simulated disks differ, or one's is real";
    if (a->disk.volatile_memory != b->disk.volatile_memory)
        return "one measured in memory (tmpfs), the other on a disk";
    return NULL;
}

static uint64_t end_ms(const struct result *result)
{
    return result->started_ms + (uint64_t)(result->duration_s * 1000);
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static double longer(double a, double b)
{
    return a > b ? a : b;
}

/* For at least half of the shorter one's time. Less is a slip between runs after each other, whose
 * rates must not be added. */
static bool overlap(const struct result *a, const struct result *b)
{
    uint64_t from = greater(a->started_ms, b->started_ms), to = lesser(end_ms(a), end_ms(b));
    uint64_t shorter = lesser(end_ms(a) - a->started_ms, end_ms(b) - b->started_ms);

    return to > from && 2 * (to - from) >= shorter;
}

/* --- the parts ----------------------------------------------------------------- */

static void merge_load_at_once(struct result *into, const struct result *from)
{
    uint64_t started_ms = lesser(into->started_ms, from->started_ms);
    uint64_t ended_ms = greater(end_ms(into), end_ms(from));

    into->rate += from->rate;
    into->duration_s = (double)(ended_ms - started_ms) / 1000;
    into->connections += from->connections;
    into->consumers += from->consumers;
    into->server_cpu_us = greater(into->server_cpu_us, from->server_cpu_us);
    into->redis_cpu_us = greater(into->redis_cpu_us, from->redis_cpu_us);
}

static void merge_load_in_turn(struct result *into, const struct result *from)
{
    double seconds = into->duration_s + from->duration_s;

    if (seconds > 0)
        into->rate = (into->rate * into->duration_s + from->rate * from->duration_s) / seconds;
    into->duration_s = seconds;
    into->connections = (unsigned)greater(into->connections, from->connections);
    into->consumers = (unsigned)greater(into->consumers, from->consumers);
    into->server_cpu_us += from->server_cpu_us;
    into->redis_cpu_us += from->redis_cpu_us;
}

static void merge_counts(struct result *into, const struct result *from)
{
    into->intended += from->intended;
    into->sent += from->sent;
    into->acked += from->acked;
    into->failed += from->failed;
    into->duplicates += from->duplicates;
    into->acked_meanwhile += from->acked_meanwhile;
    into->returned += from->returned;
    into->popped += from->popped;
    into->lost += from->lost;
    into->doubled += from->doubled;
    into->redelivered += from->redelivered;
    into->unclaimed += from->unclaimed;
    into->strange += from->strange;
    into->emails_popped += from->emails_popped;
    into->emails_reported += from->emails_reported;
    into->emails_doubled += from->emails_doubled;
    into->bench_cpu_us += from->bench_cpu_us;
    into->sites = (unsigned)greater(into->sites, from->sites);
    into->server_resident_bytes_max =
        greater(into->server_resident_bytes_max, from->server_resident_bytes_max);
    into->drain_s = longer(into->drain_s, from->drain_s);
    into->runs += from->runs;
}

static void merge_answer(struct result *into, const struct result_count *answer)
{
    for (unsigned i = 0; i < into->answer_count; i++) {
        struct result_count *known = &into->answers[i];
        if (known->status == answer->status && strcmp(known->error, answer->error) == 0) {
            known->count += answer->count;
            return;
        }
    }
    if (into->answer_count < RESULT_STATUSES_MAX)
        into->answers[into->answer_count++] = *answer;
    else /* no total may shrink: the rarest line takes it */
        into->answers[RESULT_STATUSES_MAX - 1].count += answer->count;
}

static int more_frequent_first(const void *a, const void *b)
{
    const struct result_count *x = a, *y = b;

    return (x->count < y->count) - (x->count > y->count);
}

static void merge_answers(struct result *into, const struct result *from)
{
    for (unsigned i = 0; i < from->answer_count; i++)
        merge_answer(into, &from->answers[i]);
    qsort(into->answers, into->answer_count, sizeof *into->answers, more_frequent_first);
}

static struct result_check *check_of(struct result *result, const char *what)
{
    for (unsigned i = 0; i < result->check_count; i++)
        if (strcmp(result->checks[i].what, what) == 0)
            return &result->checks[i];
    return NULL;
}

/* A check holds when it held in every run, and the detail is that of the run where it did not. */
static void merge_checks(struct result *into, const struct result *from)
{
    for (unsigned i = 0; i < from->check_count; i++) {
        const struct result_check *check = &from->checks[i];
        struct result_check *known = check_of(into, check->what);
        if (known && (known->holds && !check->holds))
            *known = *check;
        else if (!known && into->check_count < RESULT_CHECKS_MAX)
            into->checks[into->check_count++] = *check;
    }
}

static bool same_buckets(const struct metrics_histogram *a, const struct metrics_histogram *b)
{
    return a->count == b->count &&
           memcmp(a->upper_seconds, b->upper_seconds, a->count * sizeof *a->upper_seconds) == 0;
}

static double counted(const struct metrics_histogram *histogram)
{
    return histogram->count ? histogram->cumulated[histogram->count - 1] : 0;
}

static void merge_histogram(struct metrics_histogram *into, const struct metrics_histogram *from,
                            bool at_once)
{
    if (!at_once && same_buckets(into, from)) {
        for (size_t i = 0; i < into->count; i++)
            into->cumulated[i] += from->cumulated[i];
        into->sum_seconds += from->sum_seconds;
    } else if (counted(from) > counted(into)) {
        *into = *from;
    }
}

static void merge_limit(struct result *into, const struct result *from)
{
    into->bench_was_the_limit |= from->bench_was_the_limit;
    if (into->limit_why[0] == '\0')
        memcpy(into->limit_why, from->limit_why, sizeof into->limit_why);
}

/* --- seconds ------------------------------------------------------------------- */

/* Percentiles of two rows cannot be added: the worse one stands, which is never too good. */
static void merge_second(struct result_second *into, const struct result_second *from)
{
    into->intended += from->intended;
    into->sent += from->sent;
    into->acked += from->acked;
    into->failed += from->failed;
    into->popped += from->popped;
    into->ack_p50_ns = greater(into->ack_p50_ns, from->ack_p50_ns);
    into->ack_p99_ns = greater(into->ack_p99_ns, from->ack_p99_ns);
    into->ack_max_ns = greater(into->ack_max_ns, from->ack_max_ns);
    into->lead_p50_ns = greater(into->lead_p50_ns, from->lead_p50_ns);
    into->lead_p99_ns = greater(into->lead_p99_ns, from->lead_p99_ns);
    into->lead_max_ns = greater(into->lead_max_ns, from->lead_max_ns);
    into->server_cpu_us = greater(into->server_cpu_us, from->server_cpu_us);
    into->redis_cpu_us = greater(into->redis_cpu_us, from->redis_cpu_us);
    into->server_resident_bytes = greater(into->server_resident_bytes, from->server_resident_bytes);
}

static int earlier_first(const void *a, const void *b)
{
    const struct result_second *x = a, *y = b;

    return (x->second > y->second) - (x->second < y->second);
}

/* Rows of the same second become one; they are in order. */
static unsigned join_seconds(struct result_second *seconds, unsigned count)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < count; i++) {
        if (kept > 0 && seconds[kept - 1].second == seconds[i].second)
            merge_second(&seconds[kept - 1], &seconds[i]);
        else
            seconds[kept++] = seconds[i];
    }
    return kept;
}

static uint32_t seconds_between(uint64_t earlier_ms, uint64_t later_ms)
{
    return later_ms > earlier_ms ? (uint32_t)((later_ms - earlier_ms + 500) / 1000) : 0;
}

static uint32_t behind_the_last(const struct result *result)
{
    return result->second_count ? result->seconds[result->second_count - 1].second + 1 : 0;
}

static enum status merge_seconds(struct result *into, const struct result *from, bool at_once)
{
    size_t count = (size_t)into->second_count + from->second_count;
    struct result_second *all = calloc(count ? count : 1, sizeof *all);
    uint32_t shift_into = at_once ? seconds_between(from->started_ms, into->started_ms) : 0;
    uint32_t shift_from =
        at_once ? seconds_between(into->started_ms, from->started_ms) : behind_the_last(into);

    if (!all)
        return STATUS_INTERNAL;
    for (unsigned i = 0; i < into->second_count; i++) {
        all[i] = into->seconds[i];
        all[i].second += shift_into;
    }
    for (unsigned i = 0; i < from->second_count; i++) {
        all[into->second_count + i] = from->seconds[i];
        all[into->second_count + i].second += shift_from;
    }
    qsort(all, count, sizeof *all, earlier_first);
    free(into->seconds);
    into->seconds = all;
    into->second_count = join_seconds(all, (unsigned)count);
    return STATUS_OK;
}

enum status result_merge(struct result *into, const struct result *from, const char **why_out)
{
    bool at_once = overlap(into, from);

    *why_out = difference(into, from);
    if (*why_out)
        return STATUS_INVALID;
    if (merge_seconds(into, from, at_once) != STATUS_OK) {
        *why_out = "out of memory";
        return STATUS_INTERNAL;
    }
    for (unsigned i = 0; i < RESULT_LATENCY_COUNT; i++)
        hist_merge(into->latency[i], from->latency[i]);
    if (at_once)
        merge_load_at_once(into, from);
    else
        merge_load_in_turn(into, from);
    into->started_ms = lesser(into->started_ms, from->started_ms);
    merge_counts(into, from);
    merge_answers(into, from);
    merge_checks(into, from);
    merge_histogram(&into->commit, &from->commit, at_once);
    merge_histogram(&into->visible, &from->visible, at_once);
    merge_limit(into, from);
    return STATUS_OK;
}
