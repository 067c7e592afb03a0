/* hotlead-bench soak: soak.c (the command, and what is done to server and Redis), soak_watch.c (a
 * look at them each second, beside the load), soak_history.c (how each fault went, and the
 * minutes), soak_judge.c (when faults come, and what must not creep). */
#ifndef HOTLEAD_BENCH_SOAK_H
#define HOTLEAD_BENCH_SOAK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/process.h"
#include "bench/result.h"

/* Of one second; all 0 when nobody could look. */
struct soak_sample {
    uint64_t anonymous_bytes, folder_bytes, acked;
    unsigned descriptors;
};

/* --- soak_watch.c: /proc and a folder, read on a thread of its own, for the load's would send
 * nothing meanwhile ---------------------------------------------------------------------------- */

struct soak_watch;

/* `samples`: one for each of `count` seconds, zeroed; the watch's until it is closed. */
struct soak_watch *soak_watch_open(const char *folder, struct soak_sample *samples, unsigned count);
void soak_watch_close(struct soak_watch *watch);
/* Answers at once. A second in which the last look is not over yet is passed over. */
void soak_watch_look(struct soak_watch *watch, const struct process *server, unsigned second,
                     uint64_t acked);
/* The newest that was taken. */
struct soak_sample soak_watch_newest(struct soak_watch *watch);

/* --- soak_history.c --------------------------------------------------------------------------- */

enum soak_fault_kind { SOAK_REDIS_KILLED, SOAK_RESTARTED, SOAK_KILLED };
#define SOAK_FAULT_KINDS 3
#define SOAK_FAULTS_MAX  4096 /* those that come later are not followed */
#define SOAK_CALM_NS     1000000000ull

/* Seconds of the run; 0: not yet. */
struct soak_fault {
    enum soak_fault_kind kind;
    unsigned at;
    unsigned back; /* the process was started again */
    unsigned calm; /* tasks came out, and 99 of 100 leads of a second took less than SOAK_CALM_NS */
};

struct soak_history {
    struct soak_fault faults[SOAK_FAULTS_MAX];
    unsigned fault_count;
    unsigned seconds, minutes, disturbed_minutes; /* that are over */
    bool last_disturbed;                          /* the last of the minutes */
    struct hist *seen;                            /* all leads up to the last minute */
    struct hist *calm, *disturbed, *minute;
    FILE *talk;
};

/* False: out of memory. Close it in any case. */
bool soak_history_open(struct soak_history *history, FILE *talk);
void soak_history_close(struct soak_history *history);
void soak_history_fault(struct soak_history *history, enum soak_fault_kind kind, unsigned second);
/* Redis, or else the server, was started again. */
void soak_history_back(struct soak_history *history, bool redis, unsigned second);
/* Of each second, in turn: says on `talk` which fault is over, and at the end of a minute how that
 * was. */
void soak_history_second(struct soak_history *history, const struct result *result,
                         const struct result_second *row, const struct soak_sample *sample);
/* Once, behind the run: what is left of a minute that was not full, and what the drain brought. */
void soak_history_end(struct soak_history *history, const struct result *result);
unsigned soak_history_count(const struct soak_history *history, enum soak_fault_kind kind);
/* A table of the faults and one of calm and disturbed minutes. */
void soak_history_print(const struct soak_history *history, FILE *out);

/* --- soak_judge.c ------------------------------------------------------------------------------
 */

/* SIGTERM, SIGKILL or, mostly, 0: what the server gets in this second of `seconds`. All of it comes
 * in the first half. */
int soak_signal_at(unsigned second, unsigned seconds);

/* Whether a server that got this signal (0: none) may have ended with this code. */
bool soak_end_is_expected(int signal, int exit_code);

/* What may not creep: when the last server had settled in the second half, at the end, and what is
 * still called flat. */
#define SOAK_CREEPS 3
struct soak_creep {
    const char *what, *unit, *rule;
    double first, last, most;
};

/* Of how many seconds of a run of `seconds` samples have to be there, to judge creeping. */
unsigned soak_judged_after(unsigned seconds);

/* Adds the checks to the result, whose counts are known: from when the last server had settled in
 * the second half until the end, nothing may creep. `count` samples were taken, fewer than
 * `seconds` when it was ended early. False: it was too short to judge creeping, and `creeps` is
 * left as it was. */
bool soak_judge(const struct soak_sample *samples, unsigned count, unsigned seconds,
                struct result *result, struct soak_creep creeps[static SOAK_CREEPS]);
void soak_creeps_print(const struct soak_creep creeps[static SOAK_CREEPS], FILE *out);
/* In place of them, where they were not judged. */
void soak_unjudged_print(unsigned seconds, FILE *out);

#endif
