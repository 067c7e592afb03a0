/* A comparison: sides that are measured one after the other, round by round, and what came of
 * each. compare.c makes it; here is what a table or a file of it shows. */
#ifndef HOTLEAD_BENCH_COMPARE_H
#define HOTLEAD_BENCH_COMPARE_H

#include <stdbool.h>
#include <stdio.h>

#include "bench/result.h"
#include "proto/status.h"

#define COMPARE_SIDES_MAX  24
#define COMPARE_ROUNDS_MAX 100

struct compare_round {
    bool ran;         /* there is a result */
    char failed[256]; /* why it is no figure; "" when it is one */
    struct result result;
};

struct compare_side {
    char name[64];
    char does[256];
    char version[256];
    bool durable; /* on disk before the answer */
    struct compare_round *rounds;
};

struct compare {
    char command[RESULT_TEXT_MAX];
    char versions[128]; /* of what all sides share */
    char redis_settings[128];
    struct machine machine;
    struct machine_disk disk;
    double rate; /* 0: closed loop, at saturation */
    double duration_s;
    unsigned connections;
    struct compare_side sides[COMPARE_SIDES_MAX]; /* the first is what the others are set against */
    unsigned side_count;
    unsigned round_count; /* those that were begun */
    bool cut_short;       /* by Ctrl-C */
};

/* Whether the round of this number counts. */
bool compare_is_figure(const struct compare_side *side, unsigned round);

/* Medians with the least and the most of the rounds, then ratios of the first side to each other
 * one, of rounds of one number, which ran one after the other, with the targets that were set. */
void compare_print(const struct compare *compare, bool markdown, FILE *out);

/* Every round of every side, with its whole result. INTERNAL: out of memory; IO: not written. */
enum status compare_write_json(const struct compare *compare, FILE *out);

#endif
