/* Counters, gauges and histograms, and their Prometheus text.
 *
 * Fixed sets, so memory is bounded: names stand in one table here. Values are relaxed
 * atomics: any thread adds, the loop reads. */
#ifndef HOTLEAD_SERVER_STATS_H
#define HOTLEAD_SERVER_STATS_H

#include <stdint.h>

#include "proto/text.h"

/* Rows of one metric stand together; the first says what it is (HELP). */
#define STATS_COUNTER_MAP(XX)                                                                      \
    XX(OPTINS_NEW, "hotlead_optins_total", "result=\"new\"",                                       \
       "Opt-ins settled, by what came of them.")                                                   \
    XX(OPTINS_DUPLICATE, "hotlead_optins_total", "result=\"duplicate\"", "")                       \
    XX(OPTINS_RECEIVED, "hotlead_optins_total", "result=\"received\"", "")                         \
    XX(OPTINS_SUSPECT, "hotlead_optins_total", "result=\"suspect\"", "")                           \
    XX(OPTINS_REFUSED, "hotlead_optins_total", "result=\"refused\"", "")                           \
    XX(TASKS_OPENED, "hotlead_tasks_opened_total", "", "Tasks opened.")                            \
    XX(TASKS_ENDED, "hotlead_tasks_ended_total", "", "Tasks ended by an outcome.")                 \
    XX(TASKS_REDELIVERED, "hotlead_tasks_redelivered_total", "",                                   \
       "Deliveries made again because no outcome came in time.")                                   \
    XX(STEPS, "hotlead_steps_total", "", "Steps and planned calls that were due and done.")        \
    XX(SKIPPED_LATE, "hotlead_steps_skipped_total", "reason=\"late\"",                             \
       "Steps and planned calls that were due and left out, by why.")                              \
    XX(SKIPPED_NO_QUEUE, "hotlead_steps_skipped_total", "reason=\"no_queue\"", "")                 \
    XX(SKIPPED_SILENCED, "hotlead_steps_skipped_total", "reason=\"silenced\"", "")                 \
    XX(SKIPPED_NO_ADDRESS, "hotlead_steps_skipped_total", "reason=\"no_address\"", "")             \
    XX(SKIPPED_NO_NAME, "hotlead_steps_skipped_total", "reason=\"no_name\"", "")                   \
    XX(SKIPPED_RULE, "hotlead_steps_skipped_total", "reason=\"rule\"", "")                         \
    XX(SKIPPED_CALL_OPEN, "hotlead_steps_skipped_total", "reason=\"call_open\"", "")               \
    XX(SKIPPED_TOO_MANY, "hotlead_steps_skipped_total", "reason=\"too_many\"", "")                 \
    XX(SKIPPED_STOPPED, "hotlead_steps_skipped_total", "reason=\"stopped\"", "")                   \
    XX(SKIPPED_UNDONE, "hotlead_steps_skipped_total", "reason=\"undone\"", "")                     \
    XX(TIERS, "hotlead_sla_tiers_missed_total", "",                                                \
       "Promises about first responses that were not kept, each tier once a task.")                \
    XX(RUNGS, "hotlead_escalations_total", "",                                                     \
       "Rungs of escalations that were climbed because nobody claimed a task.")                    \
    XX(PARKED, "hotlead_parked_total", "",                                                         \
       "Tasks and steps that law, calendar or caps made wait.")                                    \
    XX(REPORTS_APPLIED, "hotlead_reports_total", "result=\"applied\"",                             \
       "Reports of consumers and agents, by what came of them.")                                   \
    XX(REPORTS_REPEATED, "hotlead_reports_total", "result=\"repeated\"", "")                       \
    XX(REPORTS_LATE, "hotlead_reports_total", "result=\"late\"", "")                               \
    XX(REPORTS_REFUSED, "hotlead_reports_total", "result=\"refused\"", "")                         \
    XX(REPORT_FIELDS_LEFT_OUT, "hotlead_report_fields_left_out_total", "",                         \
       "Reports whose bad note, value, channel or time was left out.")                             \
    XX(REPORT_WORDS_UNKNOWN, "hotlead_report_words_unknown_total", "",                             \
       "Outcomes counted as no_answer because no playbook knows the dialer's word.")               \
    XX(COMMITS, "hotlead_journal_commits_total", "", "Commits of the journal.")                    \
    XX(COMMIT_RECORDS, "hotlead_journal_records_total", "", "Records in committed batches.")       \
    XX(COMMIT_FAILURES, "hotlead_journal_failures_total", "",                                      \
       "Commits of the journal that failed.")                                                      \
    XX(REDIS_CONNECTS, "hotlead_redis_connects_total", "", "Connections made to Redis.")           \
    XX(REDIS_PUSHES, "hotlead_redis_pushes_total", "", "Calls of the push script.")                \
    XX(REDIS_OPERATIONS, "hotlead_redis_operations_total", "",                                     \
       "Outbox operations that Redis has taken.")                                                  \
    XX(REDIS_REWINDS, "hotlead_redis_rewinds_total", "",                                           \
       "Pushes sent again because Redis had forgotten.")                                           \
    XX(REDIS_RECONCILES, "hotlead_redis_reconciles_total", "",                                     \
       "Comparisons of a queue with what should be in it.")                                        \
    XX(REDIS_FENCED, "hotlead_redis_fenced_total", "",                                             \
       "Pushes refused because another writer has the mark.")                                      \
    XX(REDIS_REFUSED_MEMORY, "hotlead_redis_refusals_total", "reason=\"memory\"",                  \
       "Pushes and looks that Redis refused, by why.")                                             \
    XX(REDIS_REFUSED_DISK, "hotlead_redis_refusals_total", "reason=\"disk\"", "")                  \
    XX(REDIS_REFUSED_PERMISSION, "hotlead_redis_refusals_total", "reason=\"permission\"", "")      \
    XX(REDIS_REFUSED_TYPE, "hotlead_redis_refusals_total", "reason=\"type\"", "")                  \
    XX(REDIS_REFUSED_READONLY, "hotlead_redis_refusals_total", "reason=\"readonly\"", "")          \
    XX(REDIS_REFUSED_LOADING, "hotlead_redis_refusals_total", "reason=\"loading\"", "")            \
    XX(REDIS_REFUSED_BUSY, "hotlead_redis_refusals_total", "reason=\"busy\"", "")                  \
    XX(REDIS_REFUSED_REPLICAS, "hotlead_redis_refusals_total", "reason=\"replicas\"", "")          \
    XX(REDIS_REFUSED_OTHER, "hotlead_redis_refusals_total", "reason=\"other\"", "")                \
    XX(EPOCHS, "hotlead_epochs_total", "",                                                         \
       "New epochs begun because another writer has the mark.")                                    \
    XX(ALERTS, "hotlead_sla_alerts_total", "",                                                     \
       "Promises that were not kept and of which a manager is to hear: tiers with `alert`.")       \
    XX(HTTP_CONNECTIONS, "hotlead_http_connections_total", "", "Connections accepted.")            \
    XX(HTTP_TIMEOUTS, "hotlead_http_timeouts_total", "",                                           \
       "Connections cut because the peer was slow.")

enum stats_counter {
#define XX(name, metric, labels, help) STATS_##name,
    STATS_COUNTER_MAP(XX)
#undef XX
        STATS_COUNTER_COUNT
};

#define STATS_GAUGE_MAP(XX)                                                                        \
    XX(HTTP_OPEN, "hotlead_http_connections", "Connections open now.")                             \
    XX(REDIS_UP, "hotlead_redis_up", "1 while Redis can be used.")                                 \
    XX(QUEUES_REFUSED, "hotlead_redis_queues_refused", "Queues whose tasks Redis refuses now.")    \
    XX(STREAMS_REFUSED, "hotlead_redis_streams_refused",                                           \
       "Report streams that Redis does not let us read now.")                                      \
    XX(OUTBOX_LAG, "hotlead_outbox_lag_operations", "Outbox operations not yet in Redis.")         \
    XX(JOURNAL_BYTES, "hotlead_journal_bytes", "Size of the journal.")                             \
    XX(STATE_BYTES, "hotlead_state_bytes", "Size of the state.")                                   \
    XX(INDEX_BYTES, "hotlead_index_bytes", "Size of the index.")                                   \
    XX(JOURNAL_SEQ, "hotlead_journal_seq", "Number of the newest record.")                         \
    XX(PEOPLE, "hotlead_people", "People ever seen.")                                              \
    XX(READY, "hotlead_state_ready", "1 once state has caught up with the journal.")               \
    XX(CLOCK_HELD, "hotlead_clock_held",                                                           \
       "1 while deadlines and redeliveries wait because the wall clock jumped.")

enum stats_gauge {
#define XX(name, metric, help) STATS_GAUGE_##name,
    STATS_GAUGE_MAP(XX)
#undef XX
        STATS_GAUGE_COUNT
};

/* Histograms in seconds. Business ones have the buckets 5 15 30 60 120 180 240 300 600 1800 3600
 * 86400; fine ones 0.5 ms to 5 s; the finest have four more below, from 50 us. */
#define STATS_HISTOGRAM_MAP(XX)                                                                    \
    XX(SPEED_TO_CLAIM, "hotlead_speed_to_claim_seconds", BUSINESS,                                 \
       "From the opt-in to the first claim.")                                                      \
    XX(SPEED_TO_CONTACT, "hotlead_speed_to_first_call_seconds", BUSINESS,                          \
       "From the opt-in to the first human attempt.")                                              \
    XX(SPEED_TO_CONVERSATION, "hotlead_speed_to_conversation_seconds", BUSINESS,                   \
       "From the opt-in to the first conversation.")                                               \
    XX(COMMIT_SECONDS, "hotlead_lmdb_commit_seconds", FINEST, "One commit of the journal.")        \
    XX(COMMIT_TO_VISIBLE, "hotlead_commit_to_visible_seconds", FINEST,                             \
       "From the commit of an opt-in's batch until Redis has taken its task.")                     \
    XX(PUSH_SECONDS, "hotlead_redis_push_seconds", FINE, "One call of the push script.")

enum stats_histogram {
#define XX(name, metric, buckets, help) STATS_##name,
    STATS_HISTOGRAM_MAP(XX)
#undef XX
        STATS_HISTOGRAM_COUNT
};

/* Breaches are counted by queue, under the queue's number: who writes them knows its name. */
#define STATS_QUEUES_MAX 65536

/* Routes of hotlead_http_requests_total{route,code} and hotlead_http_request_duration_seconds. */
#define STATS_ROUTES_MAX 96

struct stats;
struct stats *stats_open(void);
void stats_close(struct stats *stats);

void stats_add(struct stats *stats, enum stats_counter counter, uint64_t amount);
uint64_t stats_count(const struct stats *stats, enum stats_counter counter);
void stats_set(struct stats *stats, enum stats_gauge gauge, uint64_t value);
uint64_t stats_value(const struct stats *stats, enum stats_gauge gauge);
void stats_observe_us(struct stats *stats, enum stats_histogram histogram, uint64_t microseconds);

/* Deadlines of a queue that passed without contact. */
void stats_add_breaches(struct stats *stats, uint32_t queue, uint64_t amount);
uint64_t stats_breaches(const struct stats *stats, uint32_t queue);

/* Loop thread. `name` is static; returns the route's number. */
unsigned stats_route(struct stats *stats, const char *name);
void stats_request(struct stats *stats, unsigned route, int http_status, uint64_t microseconds);

/* What stands before the samples of a metric. */
void stats_write_head(struct text *out, const char *metric, const char *type, const char *help);
/* Appends all but what is by queue, in Prometheus text format 0.0.4. */
void stats_write(struct stats *stats, struct text *out);

#endif
