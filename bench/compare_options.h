/* What `hotlead-bench compare` is asked for. compare.c and compare_options.c only. */
#ifndef HOTLEAD_BENCH_COMPARE_OPTIONS_H
#define HOTLEAD_BENCH_COMPARE_OPTIONS_H

#include <stdbool.h>

#include "bench/compare.h"
#include "bench/rig.h"

#define COMPARE_PROGRAMS_MAX 4

struct compare_options {
    unsigned rounds, connections;
    double duration_s, rate;
    const char *names[COMPARE_SIDES_MAX]; /* of --only */
    unsigned name_count;
    char *only; /* what the names lie in */
    bool pop, report;
    enum rig_aof aof;
    unsigned disk_us;                           /* 0: the disk as it is */
    const char *programs[COMPARE_PROGRAMS_MAX]; /* of --hotlead; NULL: beside this one */
    unsigned program_count;
    const char *playbook; /* NULL: the shipped one */
    const char *peers, *below, *json;
    bool markdown, keep;
};

/* Ends the program with BENCH_USAGE when they cannot be used. What it hands out refers to `argv`;
 * `only` is to be freed. */
void compare_options_read(int argc, char **argv, struct compare_options *out);

#endif
