/* Counters, gauges and histograms, and their Prometheus text.
 *
 * Fixed sets, so memory is bounded: names stand in one table here. Values are relaxed
 * atomics: any thread adds, the loop reads. */
#ifndef HOTLEAD_SERVER_STATS_H
#define HOTLEAD_SERVER_STATS_H

#include <stdint.h>

#include "proto/text.h"

#define STATS_COUNTER_MAP(XX)                                                                      \
    XX(OPTINS_NEW, "hotlead_optins_total", "result=\"new\"")                                       \
    XX(OPTINS_DUPLICATE, "hotlead_optins_total", "result=\"duplicate\"")                           \
    XX(OPTINS_RECEIVED, "hotlead_optins_total", "result=\"received\"")                             \
    XX(OPTINS_SUSPECT, "hotlead_optins_total", "result=\"suspect\"")                               \
    XX(OPTINS_REFUSED, "hotlead_optins_total", "result=\"refused\"")                               \
    XX(TASKS_OPENED, "hotlead_tasks_opened_total", "")                                             \
    XX(TASKS_ENDED, "hotlead_tasks_ended_total", "")                                               \
    XX(TASKS_REDELIVERED, "hotlead_tasks_redelivered_total", "")                                   \
    XX(SLA_BREACHES, "hotlead_sla_breaches_total", "")                                             \
    XX(REPORTS_APPLIED, "hotlead_reports_total", "result=\"applied\"")                             \
    XX(REPORTS_REPEATED, "hotlead_reports_total", "result=\"repeated\"")                           \
    XX(REPORTS_LATE, "hotlead_reports_total", "result=\"late\"")                                   \
    XX(REPORTS_REFUSED, "hotlead_reports_total", "result=\"refused\"")                             \
    XX(COMMITS, "hotlead_journal_commits_total", "")                                               \
    XX(COMMIT_RECORDS, "hotlead_journal_records_total", "")                                        \
    XX(COMMIT_FAILURES, "hotlead_journal_failures_total", "")                                      \
    XX(REDIS_CONNECTS, "hotlead_redis_connects_total", "")                                         \
    XX(REDIS_PUSHES, "hotlead_redis_pushes_total", "")                                             \
    XX(REDIS_OPERATIONS, "hotlead_redis_operations_total", "")                                     \
    XX(REDIS_REWINDS, "hotlead_redis_rewinds_total", "")                                           \
    XX(REDIS_RECONCILES, "hotlead_redis_reconciles_total", "")                                     \
    XX(REDIS_FENCED, "hotlead_redis_fenced_total", "")                                             \
    XX(HTTP_CONNECTIONS, "hotlead_http_connections_total", "")                                     \
    XX(HTTP_TIMEOUTS, "hotlead_http_timeouts_total", "")

enum stats_counter {
#define XX(name, metric, labels) STATS_##name,
    STATS_COUNTER_MAP(XX)
#undef XX
    STATS_COUNTER_COUNT
};

#define STATS_GAUGE_MAP(XX)                                                                        \
    XX(HTTP_OPEN, "hotlead_http_connections")                                                      \
    XX(REDIS_UP, "hotlead_redis_up")                                                               \
    XX(OUTBOX_LAG, "hotlead_outbox_lag_operations")                                                \
    XX(JOURNAL_BYTES, "hotlead_journal_bytes")                                                     \
    XX(STATE_BYTES, "hotlead_state_bytes")                                                         \
    XX(INDEX_BYTES, "hotlead_index_bytes")                                                         \
    XX(JOURNAL_SEQ, "hotlead_journal_seq")                                                         \
    XX(PEOPLE, "hotlead_people")                                                                   \
    XX(READY, "hotlead_state_ready")

enum stats_gauge {
#define XX(name, metric) STATS_GAUGE_##name,
    STATS_GAUGE_MAP(XX)
#undef XX
    STATS_GAUGE_COUNT
};

/* Histograms in seconds. Business ones have the buckets 5 15 30 60 120 180 240 300 600 1800 3600
 * 86400; the others 0.5 ms to 5 s. */
#define STATS_HISTOGRAM_MAP(XX)                                                                    \
    XX(SPEED_TO_CLAIM, "hotlead_speed_to_claim_seconds", BUSINESS)                                 \
    XX(SPEED_TO_CONTACT, "hotlead_speed_to_first_call_seconds", BUSINESS)                          \
    XX(SPEED_TO_CONVERSATION, "hotlead_speed_to_conversation_seconds", BUSINESS)                   \
    XX(COMMIT_SECONDS, "hotlead_lmdb_commit_seconds", FINE)                                        \
    XX(PUSH_SECONDS, "hotlead_redis_push_seconds", FINE)

enum stats_histogram {
#define XX(name, metric, buckets) STATS_##name,
    STATS_HISTOGRAM_MAP(XX)
#undef XX
    STATS_HISTOGRAM_COUNT
};

/* Routes of hotlead_http_requests_total{route,code} and hotlead_http_request_duration_seconds. */
#define STATS_ROUTES_MAX 64

struct stats;
struct stats *stats_open(void);
void stats_close(struct stats *stats);

void stats_add(struct stats *stats, enum stats_counter counter, uint64_t amount);
uint64_t stats_count(const struct stats *stats, enum stats_counter counter);
void stats_set(struct stats *stats, enum stats_gauge gauge, uint64_t value);
void stats_observe_us(struct stats *stats, enum stats_histogram histogram, uint64_t microseconds);

/* Loop thread. `name` is static; returns the route's number. */
unsigned stats_route(struct stats *stats, const char *name);
void stats_request(struct stats *stats, unsigned route, int http_status, uint64_t microseconds);

/* Appends all of it in Prometheus text format 0.0.4. */
void stats_write(struct stats *stats, struct text *out);

#endif
