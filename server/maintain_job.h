/* What commands on a data folder have in common: their words, where things are, and a process apart
 * for what may be damaged. For maintain*.c; one thread. */
#ifndef HOTLEAD_SERVER_MAINTAIN_JOB_H
#define HOTLEAD_SERVER_MAINTAIN_JOB_H

#include <limits.h>
#include <stdbool.h>

#include "server/config.h"
#include "server/journal.h"
#include "server/log.h"

#define EXIT_FAILED 1
#define EXIT_USAGE  2

struct maintain_job {
    struct config config; /* of --data, --state, sizes, and their variables and file */
    char journal[PATH_MAX];
    struct log *log;
    const char *other; /* of copies: --to, --from or the word that stands alone */
    const void *own;   /* what else was said to the command */
};

/* A flag of the command's own: `--flag VALUE` and `--flag=VALUE`, or with `on` the flag alone. */
struct maintain_flag {
    const char *name; /* NULL ends the list */
    const char **value;
    bool *on;
    bool wanted; /* without its value the command is not understood */
    bool alone;  /* the value may stand without the flag */
};

/* Takes the words apart. -1: go on; else the exit code, --help and wrong words have been answered.
 * `usage` is what stands behind "usage: hotlead ", `more` whole lines about it, or "". */
int maintain_open(struct maintain_job *job, const struct maintain_flag *flags, const char *usage,
                  const char *more, int argc, char **argv);
/* Returns the code, or that the output could not be written. */
int maintain_close(struct maintain_job *job, int code);

/* Say what went wrong; EXIT_FAILED. */
int maintain_fail(const char *what, const char *about);
int maintain_fail_as(const char *about, enum status status);

/* Does the work in a process of its own, because LMDB trusts what it reads: a damaged file can
 * kill whoever looks at it. `what` is said to be damaged then. */
typedef int maintain_work_fn(struct maintain_job *job);
int maintain_apart(maintain_work_fn *work, struct maintain_job *job, const char *what);

/* For reading; a failure was told. */
enum status maintain_open_journal(const struct maintain_job *job, const char *directory,
                                  struct journal **out);
/* Held as long as the descriptor is open; -1: a server has it. */
int maintain_lock(const struct maintain_job *job);
void maintain_state_path(const struct maintain_job *job, const char *name, char out[PATH_MAX]);
bool maintain_join(char out[PATH_MAX], const char *folder, const char *name);
bool maintain_is_empty(const char *folder); /* or is not there */
/* Where files may lie for as long as a command runs. */
const char *maintain_scratch(void);

#endif
