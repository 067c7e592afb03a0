/* The parts of `hotlead-bench run`: run_command.c (what it does, in order), run_command_options.c
 * (what was asked for), run_command_remote.c (a server that runs already). */
#ifndef HOTLEAD_BENCH_RUN_COMMAND_INTERNAL_H
#define HOTLEAD_BENCH_RUN_COMMAND_INTERNAL_H

#include "bench/command_words.h"
#include "bench/output.h"
#include "bench/rig.h"
#include "bench/run.h"

#define RUN_THRESHOLDS_MAX 32

struct run_asked {
    struct run_options run;
    struct rig_options rig;
    bool max;          /* search the highest rate that keeps `limit`; run.rate is tried first */
    const char *limit; /* NULL: none was given */
    const char *thresholds[RUN_THRESHOLDS_MAX];
    unsigned threshold_count;
    struct output_files files;
    const char *name;              /* of the result; NULL: the target's */
    char command[RESULT_TEXT_MAX]; /* as typed, without secrets */

    /* a server that runs already; NULL: not given */
    const char *url, *redis, *key, *public_key, *queue, *email_queue, *token, *admin_url;
};

/* --- run_command_options.c: reads and checks everything. What is wrong is said, and ends the
 * program with 2, before anything was started. */
void run_asked_read(int argc, char **argv, struct run_asked *out);

/* --- run_command_remote.c ------------------------------------------------------------------------
 */

/* Whether it can be sent to at all: http, and no path. */
bool remote_url_is_sound(const char *url);
/* The agency of sk_<agency>_<random>; false: it is no secret key. */
bool remote_agency_of(const char *key, char out[TARGET_TEXT_MAX]);
/* Looks its host up. The target's site is in *site. */
enum status remote_target(const struct run_asked *asked, FILE *talk, struct target_site *site,
                          struct target *out);

#endif
