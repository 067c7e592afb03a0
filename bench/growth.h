/* hotlead-bench growth: growth.c (the command), growth_steps.c (what is measured), growth_faces.c
 * (what is shown of it). */
#ifndef HOTLEAD_BENCH_GROWTH_H
#define HOTLEAD_BENCH_GROWTH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/result.h"
#include "bench/rig.h"

#define GROWTH_ROUNDS_MAX 32
#define GROWTH_SIZES_MAX  8

struct growth_options {
    double seconds;  /* of a measured round */
    unsigned rounds; /* at each size, in turn with an empty server */
    unsigned connections;
    enum rig_aof aof;
    const char *hotlead, *below;
    bool keep;
};

/* One that grows, and what goes along. */
struct growth {
    const struct growth_options *options;
    struct rig *rig;
    uint64_t next; /* number of the next opt-in: nobody is sent twice */
    FILE *talk;
};

/* What a store of one size does. Times in seconds, sizes in bytes; medians of the rounds. */
struct growth_row {
    uint64_t people;
    double rate, empty_rate; /* opt-ins a second, of it and of an empty one measured in turn */
    double ratio;            /* of neighbouring rounds */
    double server_us, empty_server_us;
    double commit_p50, commit_p99;
    uint64_t resident, anonymous, journal, state, index;
    double restart;   /* SIGTERM to first 2xx of the next process */
    double first_ack; /* start after SIGKILL to first 2xx */
};

/* --- growth_steps.c: in the order in which they are gone. Each says on `talk` what it does; false:
 * it could not be measured, or was ended by Ctrl-C, and why was said. Main thread, blocking. */

bool growth_open(struct growth *growth);
void growth_close(struct growth *growth);
bool growth_fill(struct growth *growth, uint64_t people);
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
    struct growth_row rows[GROWTH_SIZES_MAX];
    size_t row_count;
    struct growth_rebuild rebuild; /* of 0 records, and so on: not measured */
    struct growth_idle idle;
    struct growth_backlog backlog;
};

/* "0,30000,1000000": ascending, since one store grows through them. NULL, or what is wrong. */
const char *growth_sizes_read(const char *text, uint64_t sizes[static GROWTH_SIZES_MAX],
                              size_t *count_out);
void growth_print(const struct growth_findings *found, const struct growth_options *options,
                  FILE *out);
/* IO: it could not be written. */
enum status growth_write_json(const struct growth_findings *found,
                              const struct growth_options *options, FILE *out);

#endif
