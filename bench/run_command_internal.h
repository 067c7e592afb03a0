/* The parts of `hotlead-bench run`: run_command.c (what it does, in order), run_command_options.c
 * (what was asked for), run_command_words.c (durations, shares and the like), run_command_remote.c
 * (a server that runs already), run_command_about.c (what it was measured on). */
#ifndef HOTLEAD_BENCH_RUN_COMMAND_INTERNAL_H
#define HOTLEAD_BENCH_RUN_COMMAND_INTERNAL_H

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
    const char *json, *html, *hdr; /* files; NULL: not wanted */
    const char *name;              /* of the result; NULL: the target's */
    char command[RESULT_TEXT_MAX]; /* as typed, without secrets */

    /* a server that runs already; NULL: not given */
    const char *url, *redis, *key, *public_key, *queue, *token;
};

/* --- run_command_options.c: reads and checks everything. What is wrong is said, and ends the
 * program with 2, before anything was started. */
void run_asked_read(int argc, char **argv, struct run_asked *out);

/* --- run_command_words.c: false when the text is none of that ------------------------------------
 */

bool read_count(const char *text, unsigned least, unsigned most, unsigned *out);
bool read_rate(const char *text, double *out);     /* 2500 or 2.5k */
bool read_duration(const char *text, double *out); /* 10s, 5m, 90, 500ms */
bool read_share(const char *text, double *out);    /* 5 or 5% is 0.05 */
/* json=70,form=25,multipart=5. On failure `why_out` says what is wrong with it; else it is NULL, or
 * a remark. */
bool read_mix(const char *text, struct people_options *out, const char **why_out);
/* The words of a command line, quoted where a shell needs it, with keys, tokens and passwords
 * masked. What does not fit ends in "...". */
void write_command(int argc, char **argv, char *out, size_t bytes);

/* --- run_command_remote.c ------------------------------------------------------------------------
 */

/* Whether it can be sent to at all: http, and no path. */
bool remote_url_is_sound(const char *url);
/* The agency of sk_<agency>_<random>; false: it is no secret key. */
bool remote_agency_of(const char *key, char out[TARGET_TEXT_MAX]);
/* Looks its host up. The target's site is in *site. */
enum status remote_target(const struct run_asked *asked, FILE *talk, struct target_site *site,
                          struct target *out);

/* --- run_command_about.c -------------------------------------------------------------------------
 */

/* Machine, disk, versions and Redis' settings. `data`: the folder of a server of ours; NULL: it is
 * somewhere else. What cannot be found out is left empty. */
void about_read(const struct target *target, const char *data, struct result *result);

#endif
