/* LMDB's calls, in front of its own: a test makes those of the journal or of state fail, as without
 * room on the disk or memory. Any thread may make them. Included by one file of a test. */
#ifndef HOTLEAD_TESTS_STORE_FAULTS_H
#define HOTLEAD_TESTS_STORE_FAULTS_H

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "proto/must.h"

/* Of one kind of calls some go well yet, and then some fail. */
struct store_fault {
    atomic_uint passing, failing;
};

static struct store_faults {
    struct store_fault journal_commits, state_commits; /* ENOSPC */
    struct store_fault state_cursors, state_gets;      /* ENOMEM */

    /* A commit of state waits before it does or fails. */
    atomic_bool holding, held;
    atomic_uint steps; /* go on all the same */
} store_faults;

static struct store_calls {
    int (*commit)(MDB_txn *);
    int (*cursor_open)(MDB_txn *, MDB_dbi, MDB_cursor **);
    int (*get)(MDB_txn *, MDB_dbi, MDB_val *, MDB_val *);
} store_calls;

__attribute__((constructor)) static void store_find_calls(void)
{
    *(void **)&store_calls.commit = dlsym(RTLD_NEXT, "mdb_txn_commit");
    *(void **)&store_calls.cursor_open = dlsym(RTLD_NEXT, "mdb_cursor_open");
    *(void **)&store_calls.get = dlsym(RTLD_NEXT, "mdb_get");
    MUST(store_calls.commit && store_calls.cursor_open && store_calls.get);
}

static inline void store_fails(struct store_fault *fault, unsigned passing, unsigned failing)
{
    atomic_store(&fault->failing, 0);
    atomic_store(&fault->passing, passing);
    atomic_store(&fault->failing, failing);
}

static inline void store_works(struct store_fault *fault)
{
    store_fails(fault, 0, 0);
}

/* Whatever a test has left behind. */
static inline void store_heal(void)
{
    store_works(&store_faults.journal_commits);
    store_works(&store_faults.state_commits);
    store_works(&store_faults.state_cursors);
    store_works(&store_faults.state_gets);
    atomic_store(&store_faults.holding, false);
    atomic_store(&store_faults.held, false);
    atomic_store(&store_faults.steps, 0);
}

static inline bool store_take(atomic_uint *left)
{
    unsigned count = atomic_load(left);

    while (count > 0 && !atomic_compare_exchange_weak(left, &count, count - 1))
        ;
    return count > 0;
}

static inline bool store_is_to_fail(struct store_fault *fault)
{
    return atomic_load(&fault->failing) > 0 && !store_take(&fault->passing) &&
           store_take(&fault->failing);
}

static inline bool store_is_journal(MDB_txn *txn)
{
    const char *path;

    MUST(mdb_env_get_path(mdb_txn_env(txn), &path) == 0);
    return strstr(path, "/journal") != NULL;
}

static inline void store_hold(void)
{
    if (!atomic_load(&store_faults.holding))
        return;
    atomic_store(&store_faults.held, true);
    while (atomic_load(&store_faults.holding) && !store_take(&store_faults.steps))
        usleep(1000);
}

/* The commit that waits goes on, the next one waits again. */
static inline void store_step(void)
{
    atomic_store(&store_faults.held, false);
    atomic_fetch_add(&store_faults.steps, 1);
}

int mdb_txn_commit(MDB_txn *txn)
{
    bool journal = store_is_journal(txn);

    if (!journal)
        store_hold();
    if (!store_is_to_fail(journal ? &store_faults.journal_commits : &store_faults.state_commits))
        return store_calls.commit(txn);
    mdb_txn_abort(txn);
    return ENOSPC;
}

int mdb_cursor_open(MDB_txn *txn, MDB_dbi table, MDB_cursor **out)
{
    if (!store_is_journal(txn) && store_is_to_fail(&store_faults.state_cursors))
        return ENOMEM;
    return store_calls.cursor_open(txn, table, out);
}

int mdb_get(MDB_txn *txn, MDB_dbi table, MDB_val *key, MDB_val *value)
{
    if (!store_is_journal(txn) && store_is_to_fail(&store_faults.state_gets))
        return ENOMEM;
    return store_calls.get(txn, table, key, value);
}

#endif
