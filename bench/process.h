/* Processes that the bench starts: each leads a group of its own, dies when the bench dies, and is
 * measured with all its children (nginx's workers, node's). Sources: /proc and the CPU clocks. */
#ifndef HOTLEAD_BENCH_PROCESS_H
#define HOTLEAD_BENCH_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/status.h"

struct process {
    pid_t pid;     /* also its group; 0: none */
    int exit_code; /* once it is reaped: what it ended with, or 128 + the signal that ended it */
};

/* `words` ends with NULL, words[0] is looked for in PATH. Runs in `folder`; both outputs are
 * appended to `log`. `environment` ends with NULL and adds to ours; may be NULL. INVALID: it cannot
 * be run, and errno says why. To be called on the main thread: a child dies with the thread that
 * started it. */
enum status process_start(const char *const *words, const char *const *environment,
                          const char *folder, const char *log, struct process *out);
bool process_lives(struct process *process); /* false also reaps it: pid is 0 then */
void process_signal(const struct process *process, int signal); /* to the group */
/* SIGTERM, and SIGKILL after `wait_ms`, also to children that stayed behind; reaps. False: it had
 * to be killed. */
bool process_stop(struct process *process, unsigned wait_ms);

/* As many descriptors as we may have, for us and for whatever is started from now on. False: even
 * those are fewer than `wanted`. */
bool process_allow_descriptors(uint64_t wanted);

struct process_use {
    uint64_t user_us, system_us; /* of all that live and of those that were reaped */
    uint64_t resident_bytes, resident_bytes_max;
    uint64_t anonymous_bytes; /* of the resident ones: not of files, such as maps of a store */
    unsigned descriptors, threads;
};
/* Their sum is exact to the microsecond, but for what is running right now (up to a tick of the
 * kernel's clock) and for children that came and went (whole ticks of 10 ms). How it divides into
 * user and system is the kernel's estimate. Memory is a sum too: pages that a group shares count
 * for each, and the peaks of its members need not have been at one time. Any thread; some tens of
 * microseconds. False: it is gone. */
bool process_use(const struct process *process, struct process_use *out);

#endif
