/* What stands on command lines: numbers with their units, and the whole line as it is kept in a
 * result. False: the text is none of that. */
#ifndef HOTLEAD_BENCH_COMMAND_WORDS_H
#define HOTLEAD_BENCH_COMMAND_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/people.h"
#include "bench/rig.h"

bool read_count(const char *text, unsigned least, unsigned most, unsigned *out);
bool read_rate(const char *text, double *out);      /* 2500 or 2.5k */
bool read_duration(const char *text, double *out);  /* 10s, 5m, 90, 500ms */
bool read_share(const char *text, double *out);     /* 5 or 5% is 0.05 */
bool read_aof(const char *text, enum rig_aof *out); /* everysec or off */
/* json=70,form=25,multipart=5. On failure `why_out` says what is wrong with it; else it is NULL, or
 * a remark. */
bool read_mix(const char *text, struct people_options *out, const char **why_out);
/* Whether all files that were named for results can be: NULL, or what is wrong, until the next
 * call. A path may be NULL: not asked for. */
#define RESULT_FILES 3
const char *files_fault(const char *const paths[static RESULT_FILES]);
/* Whether a file is a playbook. What is wrong with it is said on stderr, line by line. */
bool playbook_is_sound(const char *path);
#define PLAYBOOK_WANTED "a playbook that hotlead playbook check calls good"
/* The words of a command line, quoted where a shell needs it, with keys, tokens and passwords
 * masked. What does not fit ends in "...". */
void write_command(int argc, char **argv, char *out, size_t bytes);

#endif
