/* Results as a run would leave them, for the tests of what is made of results. */
#ifndef HOTLEAD_TESTS_BENCH_RESULTS_H
#define HOTLEAD_TESTS_BENCH_RESULTS_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/result.h"
#include "proto/must.h"

/* splitmix64 */
static inline double results_random(uint64_t *random)
{
    uint64_t z = *random += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* A latency with a long tail and the median `median_ns`. */
static inline uint64_t results_latency(uint64_t *random, double median_ns)
{
    double normal = 0;

    for (int i = 0; i < 12; i++)
        normal += results_random(random);
    return (uint64_t)(median_ns * exp(0.5 * (normal - 6)));
}

static inline void results_second(struct result *result, struct result_second *second,
                                  double median_ns, uint64_t *random)
{
    struct hist *ack = hist_open(), *lead = hist_open();

    MUST(ack && lead);
    for (uint64_t i = 0; i < second->acked; i++) {
        uint64_t raw = results_latency(random, median_ns), behind = (uint64_t)(median_ns / 4);
        hist_add(result->latency[RESULT_ACK_RAW], raw);
        hist_add(ack, raw + 1000);
        hist_add(lead, raw + 1000 + behind);
        hist_add(result->latency[RESULT_AFTER_ACK], behind);
    }
    second->ack_p50_ns = hist_at(ack, 50), second->lead_p50_ns = hist_at(lead, 50);
    second->ack_p99_ns = hist_at(ack, 99), second->lead_p99_ns = hist_at(lead, 99);
    second->ack_max_ns = hist_max_ns(ack), second->lead_max_ns = hist_max_ns(lead);
    hist_merge(result->latency[RESULT_ACK], ack);
    hist_merge(result->latency[RESULT_LEAD], lead);
    hist_close(ack), hist_close(lead);
}

/* 20 s of 1,000 opt-ins a second, all well. */
static inline void results_make(struct result *result, double median_ns, uint64_t seed)
{
    enum { SECONDS = 20, RATE = 1000 };
    static const double uppers[] = {0.0005, 0.001, 0.002, INFINITY};
    uint64_t random = seed;

    MUST(result_init(result) == STATUS_OK);
    strcpy(result->name, "hotlead");
    strcpy(result->command, "hotlead-bench run --rate 1000 --duration 20");
    strcpy(result->versions, "hotlead 0.1.0, Redis 7.0.15, libuv 1.44.2");
    strcpy(result->redis_settings, "appendonly yes, appendfsync everysec");
    strcpy(result->playbook, "default");
    strcpy(result->arrivals, "poisson");
    strcpy(result->consumer_mode, "report");
    strcpy(result->mix, "json=70,form=25,multipart=5");
    result->started_ms = 1700000000000, result->rate = RATE, result->duration_s = SECONDS;
    result->connections = 64, result->sites = 10, result->consumers = 2, result->seed = seed;
    result->returning = 0.1;
    result->machine =
        (struct machine){4, 8ull << 30, "AMD EPYC 7B13", "6.1.0-18-amd64", "Debian 12", 0.25};
    result->disk = (struct machine_disk){"ext4", false, 410000, 2300000, 0};
    result->intended = result->sent = result->acked = result->acked_meanwhile = SECONDS * RATE;
    result->popped = result->acked;
    result->emails_popped = result->emails_reported = result->acked;
    result->server_cpu_us = 14 * result->acked, result->redis_cpu_us = 6 * result->acked;
    result->bench_cpu_us = 9 * result->acked;
    result->server_resident_bytes_max = 96ull << 20;
    result->answers[0] = (struct result_count){201, "", result->acked};
    result->answer_count = 1;
    result->commit.count = result->visible.count = 4;
    memcpy(result->commit.upper_seconds, uppers, sizeof uppers);
    memcpy(result->visible.upper_seconds, uppers, sizeof uppers);
    for (unsigned i = 0; i < 4; i++)
        result->commit.cumulated[i] = result->visible.cumulated[i] = 250 * (i + 1);
    result->commit.sum_seconds = 1.25, result->drain_s = 0.004;
    result_check(result, true, "every acknowledged opt-in was popped", "%d acknowledged, %d popped",
                 SECONDS * RATE, SECONDS * RATE);
    result_check(result, true, "none was popped twice", "0 doubled");
    result->second_count = SECONDS;
    result->seconds = calloc(SECONDS, sizeof *result->seconds);
    MUST(result->seconds);
    for (uint32_t i = 0; i < SECONDS; i++) {
        struct result_second *second = &result->seconds[i];
        /* No two seconds of a real run are the same. */
        uint64_t acked = (uint64_t)(RATE - 20 + 40 * results_random(&random));
        *second = (struct result_second){.second = i, .intended = acked, .sent = acked};
        second->acked = second->popped = acked;
        second->server_cpu_us = (uint64_t)((13.5 + results_random(&random)) * (double)acked);
        second->redis_cpu_us = (uint64_t)((5.5 + results_random(&random)) * (double)acked);
        second->server_resident_bytes = 96ull << 20;
        results_second(result, second, median_ns * (0.95 + 0.1 * results_random(&random)), &random);
    }
}

/* What `write` writes, as text; to be freed. */
static inline char *results_text(void write(const struct result *result, FILE *out),
                                 const struct result *result)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    MUST(out);
    write(result, out);
    MUST(fclose(out) == 0);
    return text;
}

#endif
