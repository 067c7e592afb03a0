/* The parts of run: run.c (phases, from the first opt-in to the last task), run_answer.c (what an
 * answer and a pop count as), run_second.c (rows, CPU and memory), run_live.c (progress),
 * run_check.c (what must hold, and what came of it). Nobody else includes this but their tests. */
#ifndef HOTLEAD_BENCH_RUN_INTERNAL_H
#define HOTLEAD_BENCH_RUN_INTERNAL_H

#include <sys/resource.h>
#include <uv.h>

#include "bench/ledger.h"
#include "bench/load.h"
#include "bench/run.h"

#define NS_PER_S  1000000000ull
#define NS_PER_MS 1000000ull

/* CPU time of a process that may be started anew meanwhile. */
struct run_cpu {
    uint64_t seen_us; /* of the one that was looked at last */
    uint64_t sum_us;  /* since the measuring began */
};

/* A look at /proc, on libuv's thread pool: it would hold up the sender. */
struct run_sample {
    uv_work_t work;
    bool under_way;
    bool first; /* where the measuring begins: what was spent before does not count */
    uint32_t row;
    struct process server, redis;
    struct process_use server_use, redis_use;
    bool server_lives, redis_lives;
};

/* What has been counted up to now, for the differences of a row. */
struct run_sums {
    uint64_t intended, sent, acked, failed, popped;
};

struct run {
    const struct run_options *options;
    const struct target *target;
    FILE *talk;
    struct result *result;
    double drain_most_s;

    uv_loop_t loop;
    uv_timer_t second_timer, drain_timer, live_timer, patience_timer;
    uv_signal_t interrupt, terminate;
    struct people *people;
    struct load *load;
    struct consume *consume;
    struct ledger *ledger;

    uint64_t start_ns, measure_ns; /* of the plan, and behind its warm-up; 0: not begun */
    bool sending, measuring, interrupted, over;
    uint64_t done_ns; /* the load has all its answers */
    uint64_t last_sent_ns, last_ack_ns, last_pop_ns, last_email_ns;

    /* Of the whole run, the warm-up too, which the ledger knows of. */
    uint64_t warm_answers; /* to requests of the warm-up */
    uint64_t unanswered;   /* sent, and the answer was lost */
    uint64_t returning;    /* acknowledged, by somebody known: they may have a task */
    uint64_t nameless;     /* a 2xx of hotlead that names no opt-in */
    uint64_t taskless;     /* a new opt-in that was given no task */
    uint64_t later_emails; /* taken by the robot, each once, and not of the moment of an opt-in */
    struct run_sums sums;

    struct hist *late; /* of what was measured: the sender's own share of intended -> sent */
    struct hist *second_ack, *second_lead;
    uint32_t second; /* of the measuring; rows before it are done */
    size_t second_capacity;
    struct run_sums second_sums; /* at its beginning */
    struct run_sample sample;
    struct run_cpu server_cpu, redis_cpu;
    uint64_t server_resident_max;
    struct rusage own_use; /* when the measuring began */

    struct load_counts load_counts; /* at the end */
    struct metrics *before, *after; /* NULL: not known */
    pid_t server_pid;               /* when `before` was read */
};

/* --- run_answer.c ---------------------------------------------------------------------------- */

void run_on_answer(void *owner, const struct load_answer *answer);
void run_on_popped(void *owner, const struct consume_pop *pops, size_t count);
/* Whether anybody takes what comes out. */
bool run_is_consumed(const struct run *run);
/* Adds to the table of answers: `error` counts when `status` is 0. */
void run_count_answers(struct result *result, int status, const char *error, uint64_t count);

/* --- run_second.c ---------------------------------------------------------------------------- */

bool run_seconds_open(struct run *run);
void run_seconds_start(struct run *run); /* with the load */
/* The load makes its connections before its plan begins. Finds that out, and is called before
 * anything is counted. */
bool run_has_begun(struct run *run);
/* The row that is not full yet, and the CPU time up to now; waits for a look that is under way. */
void run_seconds_end(struct run *run);
void run_seconds_close(struct run *run);

/* --- run_live.c ------------------------------------------------------------------------------ */

void run_live_start(struct run *run);
void run_live_wipe(const struct run *run); /* the living line, where there is one */
void run_live_end(struct run *run);        /* and none comes any more */

/* --- run_check.c ----------------------------------------------------------------------------- */

/* Reads the server's figures before and after, when that can be done; after only when it has read
 * its reports, for that is work too and belongs to the CPU time of the run. */
void run_metrics_before(struct run *run);
void run_metrics_after(struct run *run);
void run_finish(struct run *run); /* fills in what is known at the end, and checks */

#endif
