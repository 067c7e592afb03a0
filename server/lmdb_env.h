/* What the journal and the state have in common: how an LMDB environment is opened with
 * care, and what LMDB's errors mean. Only these two include it, and the audit, which reads both by
 * itself.
 *
 * Care: LMDB's lock file and its map lie on a file system where they work; one process
 * writes (flock on the folder, because LMDB itself would let two take turns); data.mdb is
 * opened by hand by journal_ahead only, and closed after LMDB, because closing it would drop LMDB's
 * own locks; readers that died are cleared; the folder's entry is on disk before anything in it is.
 */
#ifndef HOTLEAD_SERVER_LMDB_ENV_H
#define HOTLEAD_SERVER_LMDB_ENV_H

#include <lmdb.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/status.h"
#include "server/log.h"

#define LMDB_MAP_BYTES (64ull << 30)

struct lmdb_env {
    MDB_env *env;
    struct log *log; /* NULL: silent */
    char *directory;
    char *data_path;
    int directory_fd; /* holds the flock */
    bool read_only;
    _Atomic uint64_t quiet_until_ms; /* a full disk is logged once a second */
};

struct lmdb_env_options {
    const char *directory;
    uint64_t map_bytes; /* 0: LMDB_MAP_BYTES */
    unsigned flags;     /* MDB_NOTLS and what the owner adds */
    unsigned tables;    /* named ones; 0: only the unnamed */
    bool read_only;
    struct log *log;
};

/* Statuses as journal_open says. Nothing is left open after a failure. */
enum status lmdb_env_open(struct lmdb_env *env, const struct lmdb_env_options *options);
void lmdb_env_close(struct lmdb_env *env);

/* Translates what LMDB said, and logs it unless it is 0 or MDB_NOTFOUND. `what` names the
 * call. Any thread. */
enum status lmdb_env_failed(struct lmdb_env *env, const char *what, int code);

/* The same for something in another folder (a backup's). */
enum status lmdb_failed_at(struct lmdb_env *env, const char *what, int code, const char *directory);

uint64_t lmdb_env_file_bytes(const struct lmdb_env *env); /* 0: cannot be looked at */
uint64_t lmdb_env_inode(const struct lmdb_env *env);
uint64_t lmdb_env_map_left(const struct lmdb_env *env); /* bytes of the map never used yet */
uint64_t lmdb_env_disk_left(const struct lmdb_env *env);

/* Path and suffix as one string, to be freed; NULL: no memory. */
char *lmdb_path(const char *path, const char *suffix);

/* By statfs: no shared memory maps or no locks there. */
bool lmdb_file_system_is_unfit(uint32_t type);

#endif
