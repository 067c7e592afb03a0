/* What a run came to: everything that a report, a comparison or a threshold needs. Written to and
 * read from JSON (jansson; only result_json*.c see it); two of them can be merged.
 *
 * The file is one object, a line for each of its fields, and the fields are those of struct result
 * under their own names:
 *
 *     "version": 3, "name": "hotlead", "command": "...", "started_ms": ..., ... "seed": "7", ...
 *     "machine": {"cores": 2, ...}, "disk": {"file_system": "ext4", ...},
 *     "latency": {"speed_to_lead": {"count": 250000, "min_ns": 210334, "max_ns": 9120031,
 *                                   "buckets": [[210334, 1], [212991, 4], ...]}, "ack": ...},
 *     "commit": {"upper_seconds": [0.0005, ..., null], "cumulated": [...], "sum_seconds": 1.5},
 *     "answers": [{"status": 201, "error": "", "count": 250000}], "checks": [...],
 *     "seconds": [{"second": 0, "intended": 10000, ...}, ...]
 *
 * A bucket is the highest value it may hold and how many it does; null is an infinite bound; the
 * seed is text, since many readers of JSON keep but 53 bits of a number. "figures" and a latency's
 * mean and percentiles stand there for people and jq; whoever reads the file back makes them anew.
 *
 * To change it: add a row to a table in result_json.c and raise RESULT_VERSION, since files without
 * the field are refused. */
#ifndef HOTLEAD_BENCH_RESULT_H
#define HOTLEAD_BENCH_RESULT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/hist.h"
#include "bench/machine.h"
#include "bench/metrics.h"
#include "proto/status.h"

#define RESULT_VERSION      3 /* of the file; raise it when a field changes its meaning */
#define RESULT_TEXT_MAX     512
#define RESULT_CHECKS_MAX   16
#define RESULT_STATUSES_MAX 16
#define RESULT_ERRORS_MAX   8

enum result_latency {
    RESULT_LEAD,      /* speed-to-lead: intended moment -> popped by a consumer */
    RESULT_ACK,       /* intended moment -> 2xx read ("corrected") */
    RESULT_ACK_RAW,   /* sent -> 2xx read: what a closed loop would show */
    RESULT_AFTER_ACK, /* 2xx read -> popped; 0 when it was popped first */
    RESULT_LATENCY_COUNT
};
/* "speed_to_lead", "ack", "ack_raw", "after_ack": keys in JSON and names in thresholds. */
const char *result_latency_name(enum result_latency which);
/* "lead" is short for speed_to_lead. False: there is none of that name. */
bool result_latency_find(const char *name, enum result_latency *out);

/* One second of the run. */
struct result_second {
    uint32_t second;
    uint64_t intended, sent, acked, failed, popped;
    uint64_t ack_p50_ns, ack_p99_ns, ack_max_ns; /* corrected */
    uint64_t lead_p50_ns, lead_p99_ns, lead_max_ns;
    uint64_t server_cpu_us, redis_cpu_us; /* spent in it; 0 when not ours */
    uint64_t server_resident_bytes;
};

struct result_count {
    int status;     /* of HTTP, or 0 */
    char error[32]; /* "time-out" ... when status is 0 */
    uint64_t count;
};

/* Something that must hold for a figure to count: "every acknowledged opt-in was popped". */
struct result_check {
    char what[128];
    bool holds;
    char detail[128]; /* "250000 acknowledged, 250000 popped" */
};

struct result {
    char name[64]; /* "hotlead", "webdis" ... */
    char command[RESULT_TEXT_MAX];
    uint64_t started_ms; /* Unix time */
    struct machine machine;
    struct machine_disk disk;
    char versions[RESULT_TEXT_MAX]; /* "hotlead 0.1.0, Redis 7.0.15, libuv 1.44.2" */
    char redis_settings[128];       /* "appendonly yes, appendfsync everysec" */
    char playbook[64];              /* that its agency goes by, as in a target */

    /* the load */
    char arrivals[16]; /* "constant", "poisson", "closed" */
    double rate;       /* wanted, a second; 0: closed loop */
    double duration_s; /* as measured, of the sending */
    unsigned connections, sites, consumers;
    bool new_connections;
    char consumer_mode[16]; /* "pop", "report", "nothing" */
    char mix[64];           /* "json=70,form=25,multipart=5" */
    double returning, duplicates_wanted;
    uint64_t seed;

    /* what came of it */
    uint64_t intended, sent, acked, failed;
    uint64_t duplicates; /* answers that repeat one (200, Idempotent-Replayed, or an id known) */
    /* 2xx read since the measuring began, whenever they were meant: a warm-up that is more than the
     * server can do leaves a backlog, and its work is in the rate and the CPU time. */
    uint64_t acked_meanwhile;
    uint64_t returned; /* opt-ins by somebody known */
    uint64_t popped, lost, doubled, redelivered, unclaimed, strange;
    /* The robot's e-mails, the warm-up's too; doubled: popped twice as the same delivery. */
    uint64_t emails_popped, emails_reported, emails_doubled;
    struct result_count answers[RESULT_STATUSES_MAX]; /* by status, the most frequent first */
    unsigned answer_count;
    struct hist *latency[RESULT_LATENCY_COUNT];
    uint64_t server_cpu_us, redis_cpu_us, bench_cpu_us; /* during the run, drain included */
    uint64_t server_resident_bytes_max;
    struct metrics_histogram commit, visible; /* of hotlead; count 0 when unknown */
    double drain_s;                           /* last answer -> last pop */

    bool bench_was_the_limit; /* the sender was late or had no CPU left: the figure is its own */
    char limit_why[RESULT_TEXT_MAX];

    struct result_check checks[RESULT_CHECKS_MAX];
    unsigned check_count;
    struct result_second *seconds; /* owned */
    unsigned second_count;
    unsigned runs; /* 1, or how many were merged */

    /* Of the run that was just made; they stand in no file. */
    bool interrupted;    /* by Ctrl-C: who runs several stops */
    uint64_t next_optin; /* the number behind the last that was meant, of the warm-up or not */
};

enum status result_init(struct result *result); /* zeroes; makes the histograms. INTERNAL: memory */
void result_free(struct result *result);
void result_check(struct result *result, bool holds, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool result_is_sound(const struct result *result); /* all checks hold */

/* 2xx, or 303: the answer to a form. */
bool result_is_yes(int status);
/* Requests without an answer, or with one that is no yes. */
uint64_t result_errors(const struct result *result);

double result_acked_per_second(const struct result *result);
double result_server_us_per_optin(const struct result *result);
double result_redis_us_per_optin(const struct result *result);

/* Adds `from` into `into`: counts and histograms are added, rates too when the runs overlapped in
 * time (several senders), else averaged by duration; seconds follow each other, or are added where
 * they were the same. CPU and /metrics of a server that several senders watched at once are its
 * own, not a share, and count once. INVALID: they cannot be merged (`why_out`, until the next call:
 * another target, another version ...), and nothing was changed. INTERNAL: out of memory. */
enum status result_merge(struct result *into, const struct result *from, const char **why_out);

/* INVALID: a figure is no number (infinite, 0/0). IO: it could not be written. */
enum status result_write_json(const struct result *result, FILE *out);
/* Initialises `out`; when it fails there is nothing to free. Unknown fields are passed over. IO:
 * the file cannot be read; MALFORMED: it is no JSON; INVALID: a field is missing or wrong; VERSION:
 * it was written by another hotlead-bench. Says on `talk` what is wrong, and where. */
enum status result_read_json(const char *path, FILE *talk, struct result *out);

#endif
