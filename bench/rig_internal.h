/* The parts of the rig: rig.c (both together), rig_folder.c (where they live, and who cleans up),
 * rig_listen.c (a port to listen on), rig_disk.c (a simulated disk), rig_redis.c, rig_server.c,
 * rig_admin.c (agency, playbook, queue and sites). Nobody else includes this. */
#ifndef HOTLEAD_BENCH_RIG_INTERNAL_H
#define HOTLEAD_BENCH_RIG_INTERNAL_H

#include "bench/rig.h"

#define RIG_PATH_MAX       1024
#define RIG_DISK_VARIABLES 3

struct rig_folder {
    char path[RIG_PATH_MAX];
    pid_t janitor; /* 0: the folder is kept */
    int leash;     /* a pipe that breaks when we end, in whatever way */
};

struct rig {
    struct rig_options options;
    FILE *talk;
    struct rig_folder folder;
    char hotlead[RIG_PATH_MAX], data[RIG_PATH_MAX + 8], listen[TARGET_TEXT_MAX],
        url[TARGET_TEXT_MAX + 16];
    struct target target;
    char disk[RIG_DISK_VARIABLES][RIG_PATH_MAX + 32];
    const char *disk_environment[RIG_DISK_VARIABLES + 1]; /* of rig_disk_environment */
};

/* --- rig_folder.c ---------------------------------------------------------------------------- */

enum status rig_folder_make(const struct rig_options *options, FILE *talk, struct rig_folder *out);
void rig_folder_remove(struct rig_folder *folder);
/* "set TMPDIR to", which a folder is to follow; or what is heeded in its place. */
const char *rig_how_to_place(const struct rig_options *options);

/* --- rig_listen.c ---------------------------------------------------------------------------- */

/* Reads HOST:PORT, or finds a free port when it is NULL, into the target's host and port. CONFLICT:
 * somebody listens there. */
enum status rig_listen_choose(const char *listen, FILE *talk, struct target *target);

/* --- rig.c ----------------------------------------------------------------------------------- */

/* "beginning: end of the log", for a program that did not come up. */
void rig_tell_log(const struct rig *rig, const char *name, const char *what, FILE *talk);
/* Waits a little between two looks at something; false once `ms` have passed since *start_ms, which
 * begins as 0. */
bool rig_look_again(uint64_t *start_ms, unsigned ms);

/* --- rig_disk.c ------------------------------------------------------------------------------ */

/* INVALID: the disk is to be simulated, and what does it is not to be found. */
enum status rig_disk_prepare(struct rig *rig, FILE *talk);

/* --- rig_admin.c ----------------------------------------------------------------------------- */

/* Reads the administrator's token and makes what opt-ins need, into the target. */
enum status rig_admin_provision(struct rig *rig, FILE *talk);

#endif
