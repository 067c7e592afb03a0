/* hotlead-bench growth: growth.c (the command), growth_fill.c (people, and how far that is),
 * growth_steps.c (what is measured), growth_faces.c (what is shown of it). */
#ifndef HOTLEAD_BENCH_GROWTH_H
#define HOTLEAD_BENCH_GROWTH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/result.h"
#include "bench/rig.h"
#include "bench/run.h"
#include "bench/tier.h"

#define GROWTH_ROUNDS_MAX 32
#define GROWTH_SIZES_MAX  8

struct growth_options {
    double seconds;  /* of a measured round */
    unsigned rounds; /* at each size, in turn with an empty server */
    struct tier_options tier;
};

/* One that grows, and what goes along. */
struct growth {
    const struct growth_options *options;
    struct rig *rig;
    uint64_t next; /* number of the next opt-in: nobody is sent twice */
    FILE *talk;
    unsigned step, steps; /* which of how many is gone now */
};

/* What a store of one size does. Times in seconds, sizes in bytes; medians of the rounds. */
struct growth_row {
    uint64_t people;
    double rate, empty_rate; /* opt-ins a second, of it and of an empty one measured in turn */
    double ratio;            /* of neighbouring rounds */
    double server_us, empty_server_us;
    double commit_p50, commit_p99;
    uint64_t resident, anonymous, journal, state, index;
    double restart;   /* SIGTERM to first 2xx of the next process; 0: not measured */
    double first_ack; /* start after SIGKILL to first 2xx; 0: not measured */
};

/* --- growth_fill.c -------------------------------------------------------------------------- */

/* A closed loop on so many connections, of people nobody has seen. */
struct run_options growth_saturation(const struct growth *growth, unsigned connections);
/* The numbers that it used are used up, whatever came of them. `out` is to be freed by the caller
 * in any case. False: it does not hold, and that was said, or it was ended by Ctrl-C. */
bool growth_load(struct growth *growth, const struct target *target,
                 const struct run_options *options, struct result *out);
/* How far a load of so many is, in place of the run's own progress, which knows of seconds only. */
struct growth_count {
    FILE *talk;
    const char *what;               /* people, tasks */
    double wanted, known;           /* known: when this load began */
    double first_known, first_at_s; /* of all loads of this step */
    const struct result *result;    /* being filled by the load */
};
/* growth_load of `count->wanted - count->known` more, and no more than `most`. */
bool growth_load_counted(struct growth *growth, const struct target *target,
                         struct run_options *options, struct growth_count *count, uint64_t most,
                         struct result *out);
/* The next step, announced on `talk`. */
void growth_step(struct growth *growth, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool growth_read_gauge(struct growth *growth, const char *name, double *out);
bool growth_fill(struct growth *growth, uint64_t people);

/* --- growth_steps.c: in the order in which they are gone. Each says on `talk` what it does; false:
 * it could not be measured, and why was said, or it was ended by Ctrl-C; an idle crowd and a
 * backlog then have no figure that is not 0. Main thread, blocking. */

/* As rig_open; CLOSING: it was ended by Ctrl-C. */
enum status growth_open(struct growth *growth);
void growth_close(struct growth *growth);
bool growth_measure(struct growth *growth, struct growth_row *out);
bool growth_restart(struct growth *growth, struct growth_row *out);

struct growth_rebuild {
    uint64_t records;
    double seconds;
};
bool growth_rebuild(struct growth *growth, struct growth_rebuild *out);

struct growth_idle {
    uint64_t connections;
    double bytes_each;  /* of the server's memory */
    double ack_seconds; /* one opt-in among them */
};
bool growth_idle(struct growth *growth, uint64_t connections, struct growth_idle *out);

/* Tasks that nobody pops; then Redis loses all and comes back an hour of engine time later. */
struct growth_backlog {
    uint64_t tasks;
    double rate; /* opt-ins a second while they pile up */
    uint64_t redis_resident, server_resident;
    double ack_seconds;     /* the slowest of some opt-ins while Redis is away */
    double visible_seconds; /* from its return until every task is in the queue */
    uint64_t visible;
};
bool growth_backlog(struct growth *growth, uint64_t tasks, struct growth_backlog *out);

/* --- growth_faces.c: pure --------------------------------------------------------------------- */

struct growth_findings {
    struct result about; /* only what it was measured on, the command too */
    bool cut_short;      /* by Ctrl-C: what is missing was not gone into */
    struct growth_row rows[GROWTH_SIZES_MAX];
    size_t row_count;
    struct growth_rebuild rebuild; /* of 0 records, and so on: not measured */
    struct growth_idle idle;
    struct growth_backlog backlog;
};

/* What it will take, by what it took on two cores of a server: the order of it, no promise. */
struct growth_estimate {
    double seconds;
    uint64_t disk_bytes;
    unsigned steps;
};
struct growth_estimate growth_estimate(const struct growth_options *options, const uint64_t *sizes,
                                       size_t size_count, unsigned idle, unsigned backlog);

/* "0,30000,1000000": ascending, since one store grows through them. NULL, or what is wrong. */
const char *growth_sizes_read(const char *text, uint64_t sizes[static GROWTH_SIZES_MAX],
                              size_t *count_out);
void growth_print(const struct growth_findings *found, const struct growth_options *options,
                  FILE *out);
/* IO: it could not be written. */
enum status growth_write_json(const struct growth_findings *found,
                              const struct growth_options *options, FILE *out);

#endif
