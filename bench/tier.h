/* What growth and soak have in common: what both are asked for, as rows of argp that their tables
 * take in, and whether there is room for what they will store. */
#ifndef HOTLEAD_BENCH_TIER_H
#define HOTLEAD_BENCH_TIER_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/rig.h"

#define TIER_CONNECTIONS_MAX 60000

struct tier_options {
    unsigned connections;
    enum rig_aof aof;
    const char *hotlead, *playbook, *below, *json;
    bool keep;
};

/* A child of the command's own argp: hands its input, a struct tier_options, on at ARGP_KEY_INIT.
 */
extern const struct argp tier_argp;

/* Ends the program with BENCH_USAGE when there is something that is `wanted` instead of `value`. */
void tier_refuse(struct argp_state *state, const char *name, const char *value, const char *wanted);
/* The name of the row with this key, NULL when it is none of theirs. */
const char *tier_option_name(const struct argp_option *rows, int key);
/* What is said of a word that belongs to no option. */
void tier_refuse_word(struct argp_state *state, const char *word);

/* Ends the program with BENCH_USAGE when these cannot all be written; NULL: not asked for. */
void tier_check_files(struct argp_state *state, const char *json, const char *html);

/* Says what it will take, and, when it is not there, what to do. False: the disk below `folder` is
 * too small. */
bool tier_has_room(const char *who, const char *folder, double seconds, uint64_t disk_bytes,
                   FILE *talk);

#endif
