/* A hotlead and a Redis of our own, in a temporary folder on a real disk, made to be measured: with
 * an agency, a queue and sites. Blocking; main thread.
 *
 * Whatever way this program ends, kill -9 too, both end with it and the folder is removed. */
#ifndef HOTLEAD_BENCH_RIG_H
#define HOTLEAD_BENCH_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/target.h"

enum rig_aof { RIG_AOF_EVERYSEC, RIG_AOF_OFF };

/* Strings are copied, but for the flags, which live as long as the rig. */
struct rig_options {
    const char *hotlead; /* the program; NULL: `hotlead` beside this one */
    /* Where the folder is made; NULL: TMPDIR when that is set, else /var/tmp. */
    const char *below;
    const char *listen; /* NULL: 127.0.0.1 and a free port. An occupied one is refused */
    bool allow_tmpfs;   /* else FORBIDDEN on a tmpfs: an fsync costs nothing there */
    bool keep;          /* the folder is left, and named at the end */
    enum rig_aof aof;
    unsigned sites;
    /* Not 0: the server's disk is simulated. It does not sync, and waits so long instead. */
    unsigned disk_us;
    const char *playbook;     /* a file, which the agency goes by; NULL: the shipped one */
    const char *shape;        /* of the queue: "zset" or "list" */
    const char *const *flags; /* more for `hotlead serve`, ends with NULL; may be NULL */
    /* Not 0: the server's engine time is this, and stands still until rig_set_clock. */
    uint64_t clock_ms;
};

/* Reads "80us" or "2ms", up to a second, for disk_us. */
bool rig_read_disk(const char *text, unsigned *us_out);

/* Where the folder will be made. FORBIDDEN: on a tmpfs, as was said on `talk`. */
enum status rig_place(const struct rig_options *options, FILE *talk, const char **out);

struct rig;

/* Starts both, waits until they answer, makes agency `bench` with its playbook, queue `bench.calls`
 * and the sites. What goes wrong is said on `talk`, which lives as long as the rig, with what to do
 * about it. FORBIDDEN: the folder would be on a tmpfs; nothing was started. */
enum status rig_open(const struct rig_options *options, FILE *talk, struct rig **out);
void rig_close(struct rig *rig); /* stops both; removes the folder */

/* Lives as long as the rig; `server` and `redis` in it follow restarts. */
const struct target *rig_target(const struct rig *rig);
const char *rig_folder(const struct rig *rig);
const char *rig_data(const struct rig *rig); /* the data folder of hotlead */
const char *rig_url(const struct rig *rig);
const char *rig_hotlead(const struct rig *rig); /* the program, as it was found */
/* To look at, and to signal. */
struct process *rig_server(struct rig *rig);
struct process *rig_redis(struct rig *rig);
/* What simulates the disk for a server, as of environ: ends with NULL, and is empty when there is
 * nothing to simulate. */
const char *const *rig_disk_environment(const struct rig *rig);

/* `spawn` does not wait until it answers, so that it may be called in the middle of a run. */
enum status rig_spawn_server(struct rig *rig, FILE *talk);
enum status rig_spawn_redis(struct rig *rig, FILE *talk);
enum status rig_start_server(struct rig *rig, FILE *talk); /* and waits for /readyz */
bool rig_stop_server(struct rig *rig);                     /* SIGTERM; true: it ended with 0 */
void rig_kill_server(struct rig *rig);                     /* SIGKILL */
enum status rig_start_redis(struct rig *rig, FILE *talk);
void rig_stop_redis(struct rig *rig); /* SIGTERM: it saves what its settings say */
void rig_kill_redis(struct rig *rig);
void rig_forget_redis(struct rig *rig); /* while it is stopped: its files are removed */
/* With `clock_ms` only: Unix time for the engine. False: it could not be written. */
bool rig_set_clock(const struct rig *rig, uint64_t now_ms);

#endif
