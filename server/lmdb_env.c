#include "server/lmdb_env.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "server/clock.h"
#include "server/directory.h"

#define READERS_MAX 512

/* LMDB says EIO for a short write, so it is told from a broken disk by what is left. A
 * short write leaves next to nothing; this is enough for others' small files. */
#define NO_ROOM_BYTES (1u << 20)

/* --- errors --------------------------------------------------------------- */

static uint64_t disk_left(const char *directory)
{
    struct statvfs disk;

    if (statvfs(directory, &disk) != 0)
        return UINT64_MAX;
    return (uint64_t)disk.f_bavail * disk.f_frsize;
}

/* A file size limit (RLIMIT_FSIZE) shows itself like a full disk. */
static uint64_t file_size_left(const struct lmdb_env *env)
{
    struct rlimit limit;
    uint64_t bytes = lmdb_env_file_bytes(env);

    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return limit.rlim_cur > bytes ? limit.rlim_cur - bytes : 0;
}

static enum status translate(const struct lmdb_env *env, int code, const char *directory)
{
    switch (code) {
    case MDB_SUCCESS:
        return STATUS_OK;
    case MDB_NOTFOUND:
    case ENOENT:
        return STATUS_NOT_FOUND;
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return STATUS_DISK_FULL;
    case EIO:
        if (disk_left(directory) < NO_ROOM_BYTES || file_size_left(env) < NO_ROOM_BYTES)
            return STATUS_DISK_FULL;
        return STATUS_IO;
    case MDB_READERS_FULL:
    case ENOMEM:
        return STATUS_BUSY;
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_INCOMPATIBLE:
        return STATUS_CORRUPT;
    default:
        return STATUS_IO;
    }
}

/* While a disk is full every batch fails alike. */
static bool is_quiet(struct lmdb_env *env)
{
    uint64_t now = clock_monotonic_ms();
    uint64_t until = atomic_load_explicit(&env->quiet_until_ms, memory_order_relaxed);

    if (now < until)
        return true;
    atomic_store_explicit(&env->quiet_until_ms, now + 1000, memory_order_relaxed);
    return false;
}

enum status lmdb_failed_at(struct lmdb_env *env, const char *what, int code, const char *directory)
{
    enum status status = translate(env, code, directory);

    if (status == STATUS_OK || status == STATUS_NOT_FOUND || !env->log)
        return status;
    if (status == STATUS_DISK_FULL && is_quiet(env))
        return status;
    log_write(env->log, status == STATUS_DISK_FULL ? LOG_WARN : LOG_ERROR, "the store failed",
              LOG_TEXT("call", what), LOG_TEXT("status", status_code(status)),
              LOG_TEXT("error", mdb_strerror(code)), LOG_TEXT("directory", directory),
              LOG_INT("bytes", lmdb_env_file_bytes(env)), LOG_END);
    return status;
}

enum status lmdb_env_failed(struct lmdb_env *env, const char *what, int code)
{
    /* Nearly always; kept short for the hot path. */
    if (code == MDB_SUCCESS)
        return STATUS_OK;
    return lmdb_failed_at(env, what, code, env->directory);
}

/* --- the folder ----------------------------------------------------------- */

bool lmdb_file_system_is_unfit(uint32_t type)
{
    static const uint32_t unfit[] = {
        NFS_SUPER_MAGIC,  SMB_SUPER_MAGIC,  CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC,
        FUSE_SUPER_MAGIC, V9FS_MAGIC,       CEPH_SUPER_MAGIC, AFS_SUPER_MAGIC,
        AFS_FS_MAGIC,     CODA_SUPER_MAGIC, NCP_SUPER_MAGIC,  OCFS2_SUPER_MAGIC,
    };

    for (size_t i = 0; i < sizeof unfit / sizeof unfit[0]; i++)
        if (type == unfit[i])
            return true;
    return false;
}

char *lmdb_path(const char *path, const char *suffix)
{
    char *joined;

    return asprintf(&joined, "%s%s", path, suffix) < 0 ? NULL : joined;
}

/* Makes the folder when it may, looks at its file system, takes the lock. */
static enum status take_directory(struct lmdb_env *env)
{
    struct statfs system;

    if (!env->read_only && mkdir(env->directory, 0700) != 0 && errno != EEXIST)
        return lmdb_env_failed(env, "mkdir", errno);
    env->directory_fd = open(env->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (env->directory_fd < 0)
        return lmdb_env_failed(env, "open", errno);
    if (fstatfs(env->directory_fd, &system) != 0)
        return lmdb_env_failed(env, "statfs", errno);
    if (lmdb_file_system_is_unfit((uint32_t)system.f_type))
        return STATUS_INVALID;
    if (env->read_only)
        return STATUS_OK;
    if (flock(env->directory_fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? STATUS_CONFLICT : lmdb_env_failed(env, "flock", errno);
    return STATUS_OK;
}

/* --- open ----------------------------------------------------------------- */

/* Whole pages. */
static size_t map_bytes(const struct lmdb_env_options *options)
{
    uint64_t bytes = options->map_bytes ? options->map_bytes : LMDB_MAP_BYTES;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    return (size_t)((bytes + page - 1) / page * page);
}

/* The server reads single rows and records. A fault that also reads what lies around it, 128 KiB
 * as a rule, pushes out of memory what is needed next once not everything fits there: at
 * 12,000 opt-ins/s that came to 650 MB/s read from the disk, and a third of the rate. Besides,
 * Linux (6.3 and later) takes memory from such a map before it takes the index's. Who only reads
 * a store reads all of it. */
static unsigned open_flags(const struct lmdb_env_options *options)
{
    return options->flags | (options->read_only ? MDB_RDONLY : MDB_NORDAHEAD);
}

static int open_map(struct lmdb_env *env, const struct lmdb_env_options *options)
{
    int code = mdb_env_create(&env->env);

    if (code == 0)
        code = mdb_env_set_mapsize(env->env, map_bytes(options));
    if (code == 0)
        code = mdb_env_set_maxreaders(env->env, READERS_MAX);
    if (code == 0)
        code = mdb_env_set_maxdbs(env->env, options->tables);
    if (code == 0)
        code = mdb_env_open(env->env, env->directory, open_flags(options), 0600);
    if (code == 0)
        code = mdb_reader_check(env->env, NULL);
    return code;
}

/* LMDB begins a file with pages that it does not sync before the first commit, and takes a file in
 * which they are not whole for a damaged one. */
static int make_file(const struct lmdb_env *env, const struct lmdb_env_options *options,
                     const char *path)
{
    MDB_env *made;
    int code = mdb_env_create(&made);

    if (code != 0)
        return code;
    code = mdb_env_set_mapsize(made, map_bytes(options));
    if (code == 0)
        code = mdb_env_open(made, path, MDB_NOSUBDIR | MDB_NOLOCK, 0600);
    if (code == 0)
        code = mdb_env_sync(made, 1);
    mdb_env_close(made);
    if (code == 0 && rename(path, env->data_path) != 0)
        code = errno;
    return code;
}

/* So the file gets its name when its beginning is on disk. What is left of one that did not come so
 * far goes; and what may be lost in a power cut (NOSYNC) needs no such care. */
static int make_file_if_missing(const struct lmdb_env *env, const struct lmdb_env_options *options)
{
    bool cares = !env->read_only && !(options->flags & MDB_NOSYNC);

    if (!cares || access(env->data_path, F_OK) == 0)
        return 0;
    char *path = lmdb_path(env->data_path, ".new");
    int code = path && (unlink(path) == 0 || errno == ENOENT) ? 0 : errno;

    if (code == 0)
        code = make_file(env, options, path);
    free(path);
    return code;
}

/* LMDB makes files but never syncs the folder they stand in. */
static int sync_entries(const struct lmdb_env *env)
{
    if (env->read_only)
        return 0;
    if (fsync(env->directory_fd) != 0)
        return errno;
    return directory_sync_parent(env->directory);
}

enum status lmdb_env_open(struct lmdb_env *env, const struct lmdb_env_options *options)
{
    *env = (struct lmdb_env){.log = options->log,
                             .directory_fd = -1,
                             .read_only = options->read_only,
                             .directory = strdup(options->directory),
                             .data_path = lmdb_path(options->directory, "/data.mdb")};
    enum status status = STATUS_OK;

    if (!env->directory || !env->data_path)
        status = lmdb_failed_at(env, "open", ENOMEM, options->directory);
    if (status == STATUS_OK)
        status = take_directory(env);
    if (status == STATUS_OK)
        status = lmdb_env_failed(env, "make_file", make_file_if_missing(env, options));
    if (status == STATUS_OK)
        status = lmdb_env_failed(env, "mdb_env_open", open_map(env, options));
    if (status == STATUS_OK)
        status = lmdb_env_failed(env, "fsync", sync_entries(env));
    if (status != STATUS_OK)
        lmdb_env_close(env);
    return status;
}

void lmdb_env_close(struct lmdb_env *env)
{
    if (env->env)
        mdb_env_close(env->env);
    if (env->directory_fd >= 0)
        close(env->directory_fd);
    free(env->data_path);
    free(env->directory);
    *env = (struct lmdb_env){.directory_fd = -1};
}

/* --- sizes ---------------------------------------------------------------- */

uint64_t lmdb_env_file_bytes(const struct lmdb_env *env)
{
    struct stat file;

    if (!env->data_path || stat(env->data_path, &file) != 0)
        return 0;
    return (uint64_t)file.st_size;
}

uint64_t lmdb_env_inode(const struct lmdb_env *env)
{
    struct stat file;

    return stat(env->data_path, &file) == 0 ? (uint64_t)file.st_ino : 0;
}

uint64_t lmdb_env_map_left(const struct lmdb_env *env)
{
    MDB_envinfo map;
    MDB_stat pages;

    if (mdb_env_info(env->env, &map) != 0 || mdb_env_stat(env->env, &pages) != 0)
        return 0;
    uint64_t used = ((uint64_t)map.me_last_pgno + 1) * pages.ms_psize;
    return map.me_mapsize > used ? map.me_mapsize - used : 0;
}

uint64_t lmdb_env_disk_left(const struct lmdb_env *env)
{
    return disk_left(env->directory);
}
