/* Preloaded into a server, it logs all that decides what a power cut leaves: in one file, in order,
 * what is written below a folder (with the data), what is cut or extended, named, renamed, removed
 * and synced there, and each answer as it leaves for its socket. crash_image.py makes out of it the
 * disks that a power cut may leave.
 *
 *   POWER_LOG     the log, which is appended to
 *   POWER_ROOT    the folder, absolute
 *   POWER_BOOT    stands for the machine's boot id: who opens an image is another boot
 *   POWER_NOSYNC  set: LMDB opens the journal with MDB_NOSYNC, which is a fault to be found
 *
 * A change happens and is logged under one lock, so the order in the log is the one in which things
 * became visible to other processes. Where two moments cannot be one, the log errs against the
 * server: an answer is logged before it is sent, a sync's end when it has returned, and it makes
 * durable only what was logged before its beginning.
 *
 * One file although it is long: each file here becomes a library, and all of this is one lock's.
 *
 * Stores to mapped files (the index, LMDB's lock files) are no calls. Their pages are compared with
 * the last ones seen whenever LMDB writes a meta page of the journal, and at msync and munmap. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES_MAX   1024
#define REGIONS_MAX 64
#define PAGE_BYTES  4096
#define BOOT_ID     "/proc/sys/kernel/random/boot_id"

/* Numbers and layout are known to crash_image.py too. */
enum kind { CREATE = 1, FOLDER, RENAME, UNLINK, LENGTH, WRITE, SYNC_BEGIN, SYNC_END, ANSWER };

/* As stored; `length` bytes of data follow. */
struct entry {
    uint32_t kind;
    uint32_t is_synchronous; /* of a write: durable at the SYNC_END of its token */
    uint64_t file;           /* its inode */
    uint64_t offset;         /* of a write; of LENGTH the new length */
    uint64_t token;          /* of a sync, to find its end by */
    uint64_t length;
};

/* A descriptor of a file or folder below the root; file 0: of something else. */
static struct opened {
    uint64_t file;
    bool is_synchronous;
} opened[FILES_MAX];

/* A mapping that is written through, and its pages as last logged. */
static struct region {
    char *bytes, *logged;
    size_t length;
    uint64_t file;
} regions[REGIONS_MAX];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_file = -1;
static uint64_t last_token;
static char root[PATH_MAX];
static size_t root_length;

static void refuse(const char *why)
{
    fprintf(stderr, "power_log: %s\n", why);
    abort();
}

__attribute__((constructor)) static void open_log(void)
{
    const char *path = getenv("POWER_LOG"), *folder = getenv("POWER_ROOT");

    if (!path || !folder || !getenv("POWER_BOOT"))
        refuse("POWER_LOG, POWER_ROOT and POWER_BOOT say what is logged, and where");
    root_length = strlen(strcpy(root, folder));
    log_file =
        (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (log_file < 0)
        refuse("the log cannot be opened");
    last_token = (uint64_t)getpid() << 32;
}

/* --- the log (with the lock) --- */

/* Whole or not at all: a log with a hole would show faults that are its own. */
static void append(struct entry entry, const struct iovec *pieces, int count)
{
    struct iovec all[IOV_MAX];
    ssize_t bytes = sizeof entry;

    if (count >= IOV_MAX)
        refuse("too many pieces");
    for (int i = 0; i < count; i++) {
        all[i + 1] = pieces[i];
        entry.length += pieces[i].iov_len;
        bytes += (ssize_t)pieces[i].iov_len;
    }
    all[0] = (struct iovec){&entry, sizeof entry};
    if (syscall(SYS_writev, log_file, all, count + 1) != bytes)
        refuse("the log cannot be written");
}

static void append_text(struct entry entry, const char *text, size_t length)
{
    append(entry, &(struct iovec){(void *)text, length}, 1);
}

static void append_changed_pages(struct region *region)
{
    for (size_t at = 0; at < region->length; at += PAGE_BYTES) {
        size_t left = region->length - at, length = left < PAGE_BYTES ? left : PAGE_BYTES;
        char *logged = region->logged + at;

        if (memcmp(region->bytes + at, logged, length) == 0)
            continue;
        memcpy(logged, region->bytes + at, length);
        append_text((struct entry){.kind = WRITE, .file = region->file, .offset = at}, logged,
                    length);
    }
}

static void append_all_changed_pages(void)
{
    for (int i = 0; i < REGIONS_MAX; i++)
        if (regions[i].bytes)
            append_changed_pages(&regions[i]);
}

/* --- descriptors (with the lock) --- */

static struct opened *opened_at(int fd)
{
    return fd >= 0 && fd < FILES_MAX && opened[fd].file ? &opened[fd] : NULL;
}

static bool is_below_root(const char *path)
{
    return root_length > 0 && strncmp(path, root, root_length) == 0 &&
           (path[root_length] == '/' || path[root_length] == '\0');
}

static uint64_t length_of(int fd)
{
    struct stat file;

    return syscall(SYS_fstat, fd, &file) == 0 ? (uint64_t)file.st_size : 0;
}

static uint64_t inode_of(int fd)
{
    struct stat file;

    return syscall(SYS_fstat, fd, &file) == 0 ? (uint64_t)file.st_ino : 0;
}

static bool is_there(const char *path)
{
    return syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
}

/* --- names --- */

static int open_and_log(const char *path, int flags, mode_t mode)
{
    pthread_mutex_lock(&lock);
    bool creates = flags & O_CREAT && !is_there(path);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    int error = errno;

    if (fd >= FILES_MAX)
        refuse("too many descriptors");
    if (fd >= 0) {
        opened[fd] = (struct opened){inode_of(fd), flags & O_DSYNC};
        if (creates)
            append_text((struct entry){.kind = CREATE, .file = opened[fd].file}, path,
                        strlen(path));
        else if (flags & O_TRUNC)
            append((struct entry){.kind = LENGTH, .file = opened[fd].file}, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return fd;
}

static int open_any(const char *path, int flags, mode_t mode)
{
    if (is_below_root(path))
        return open_and_log(path, flags, mode);
    if (strcmp(path, BOOT_ID) == 0)
        path = getenv("POWER_BOOT");
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fd >= 0 && fd < FILES_MAX)
        opened[fd].file = 0;
    return fd;
}

static mode_t mode_of(int flags, va_list arguments)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list arguments;

    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_any(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list arguments;

    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_any(path, flags, mode);
}

/* A fortified build calls these where open has no mode. */
int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
    return open_any(path, flags, 0);
}

int __open64_2(const char *path, int flags);
int __open64_2(const char *path, int flags)
{
    return open_any(path, flags, 0);
}

int close(int fd)
{
    pthread_mutex_lock(&lock);
    if (fd >= 0 && fd < FILES_MAX)
        opened[fd].file = 0;
    int result = (int)syscall(SYS_close, fd);
    pthread_mutex_unlock(&lock);
    return result;
}

/* Done and logged, when it lies below the root and worked. */
static int change_name(long call, const char *path, uintptr_t second, enum kind kind)
{
    pthread_mutex_lock(&lock);
    int result = (int)syscall(call, path, second);
    int error = errno;

    if (result == 0 && is_below_root(path)) {
        const char *to = kind == RENAME ? (const char *)second : "";
        const struct iovec names[] = {{(void *)path, strlen(path) + 1}, {(void *)to, strlen(to)}};
        struct stat made = {0};

        if (kind == FOLDER)
            stat(path, &made);
        append((struct entry){.kind = kind, .file = made.st_ino}, names, 2);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int mkdir(const char *path, mode_t mode)
{
    return change_name(SYS_mkdir, path, mode, FOLDER);
}

int rename(const char *from, const char *to)
{
    return change_name(SYS_rename, from, (uintptr_t)to, RENAME);
}

int unlink(const char *path)
{
    return change_name(SYS_unlink, path, 0, UNLINK);
}

/* --- lengths --- */

static int cut(int fd, off_t length)
{
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_ftruncate, fd, length);

    if (result == 0 && opened_at(fd))
        append((struct entry){.kind = LENGTH, .file = opened[fd].file, .offset = (uint64_t)length},
               NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate(int fd, off_t length)
{
    return cut(fd, length);
}

int ftruncate64(int fd, off64_t length)
{
    return cut(fd, length);
}

static int give_room(int fd, off_t from, off_t length)
{
    pthread_mutex_lock(&lock);
    int result = syscall(SYS_fallocate, fd, 0, from, length) == 0 ? 0 : errno;

    if (result == 0 && opened_at(fd))
        append((struct entry){.kind = LENGTH, .file = opened[fd].file, .offset = length_of(fd)},
               NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int posix_fallocate(int fd, off_t from, off_t length)
{
    return give_room(fd, from, length);
}

int posix_fallocate64(int fd, off64_t from, off64_t length)
{
    return give_room(fd, from, length);
}

/* --- data --- */

/* Only what was written counts when a write was cut short. */
static int cut_to(const struct iovec *pieces, int count, size_t bytes, struct iovec *out)
{
    int kept = 0;

    for (; kept < count && bytes > 0; kept++) {
        out[kept] = pieces[kept];
        if (out[kept].iov_len > bytes)
            out[kept].iov_len = bytes;
        bytes -= out[kept].iov_len;
    }
    return kept;
}

static void append_write(const struct entry *entry, const struct iovec *pieces, int count,
                         ssize_t bytes)
{
    struct iovec written[IOV_MAX];

    if (bytes > 0)
        append(*entry, written, cut_to(pieces, count, (size_t)bytes, written));
}

/* Where a write without an offset goes; with the lock. */
static uint64_t place_of(int fd)
{
    bool appends = syscall(SYS_fcntl, fd, F_GETFL) & O_APPEND;

    return appends ? length_of(fd) : (uint64_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
}

/* A descriptor that syncs what it writes: LMDB's for meta pages. Between WRITE and SYNC_END its
 * pages may be on the disk or not, so the write is logged first, and the lock is not held while the
 * disk works. */
static ssize_t write_synchronously(int fd, const void *bytes, size_t length, off_t offset)
{
    struct iovec piece = {(void *)bytes, length};

    pthread_mutex_lock(&lock);
    append_all_changed_pages();
    struct entry entry = {.kind = WRITE,
                          .is_synchronous = 1,
                          .file = opened[fd].file,
                          .offset = (uint64_t)offset,
                          .token = ++last_token};
    append(entry, &piece, 1);
    pthread_mutex_unlock(&lock);

    if (syscall(SYS_pwrite64, fd, bytes, length, offset) != (ssize_t)length)
        refuse("a meta page was not written whole");

    pthread_mutex_lock(&lock);
    append((struct entry){.kind = SYNC_END, .file = entry.file, .token = entry.token}, NULL, 0);
    pthread_mutex_unlock(&lock);
    return (ssize_t)length;
}

static ssize_t write_at(int fd, const void *bytes, size_t length, off_t offset)
{
    struct iovec piece = {(void *)bytes, length};

    pthread_mutex_lock(&lock);
    bool is_synchronous = opened_at(fd) && opened[fd].is_synchronous;
    if (is_synchronous) {
        pthread_mutex_unlock(&lock);
        return write_synchronously(fd, bytes, length, offset);
    }
    ssize_t written = syscall(SYS_pwrite64, fd, bytes, length, offset);
    int error = errno;
    if (opened_at(fd)) {
        struct entry entry = {.kind = WRITE, .file = opened[fd].file, .offset = (uint64_t)offset};
        append_write(&entry, &piece, 1, written);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    return write_at(fd, bytes, length, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset)
{
    return write_at(fd, bytes, length, offset);
}

static ssize_t write_pieces(int fd, const struct iovec *pieces, int count)
{
    pthread_mutex_lock(&lock);
    if (!opened_at(fd)) { /* a socket, a pipe: it may block, and has no order on the disk */
        pthread_mutex_unlock(&lock);
        return syscall(SYS_writev, fd, pieces, count);
    }
    struct entry entry = {.kind = WRITE, .file = opened[fd].file, .offset = place_of(fd)};
    ssize_t written = syscall(SYS_writev, fd, pieces, count);
    int error = errno;
    append_write(&entry, pieces, count, written);
    pthread_mutex_unlock(&lock);
    errno = error;
    return written;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    return write_pieces(fd, &(struct iovec){(void *)bytes, length}, 1);
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    return write_pieces(fd, pieces, count);
}

/* --- answers --- */

/* They begin with a status line; several of a connection may go at once. The server sends nothing
 * to a site but by these. */
static void append_answer(const struct iovec *pieces, size_t count)
{
    static const char start[] = "HTTP/1.1 ";
    size_t length = sizeof start - 1;

    if (count == 0 || pieces[0].iov_len < length || memcmp(pieces[0].iov_base, start, length) != 0)
        return;
    pthread_mutex_lock(&lock);
    append((struct entry){.kind = ANSWER}, pieces, (int)count);
    pthread_mutex_unlock(&lock);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    append_answer(&(struct iovec){(void *)bytes, length}, 1);
    return syscall(SYS_sendto, fd, bytes, length, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    append_answer(message->msg_iov, message->msg_iovlen);
    return syscall(SYS_sendmsg, fd, message, flags);
}

/* --- syncs --- */

static uint64_t begin_sync(uint64_t file)
{
    pthread_mutex_lock(&lock);
    uint64_t token = ++last_token;
    append((struct entry){.kind = SYNC_BEGIN, .file = file, .token = token}, NULL, 0);
    pthread_mutex_unlock(&lock);
    return token;
}

static void end_sync(uint64_t file, uint64_t token, bool worked)
{
    pthread_mutex_lock(&lock);
    if (worked)
        append((struct entry){.kind = SYNC_END, .file = file, .token = token}, NULL, 0);
    pthread_mutex_unlock(&lock);
}

static int sync_by(long call, int fd)
{
    pthread_mutex_lock(&lock);
    uint64_t file = opened_at(fd) ? opened[fd].file : 0;
    pthread_mutex_unlock(&lock);

    if (file == 0)
        return (int)syscall(call, fd);
    uint64_t token = begin_sync(file);
    int result = (int)syscall(call, fd);
    int error = errno;
    end_sync(file, token, result == 0);
    errno = error;
    return result;
}

int fsync(int fd)
{
    return sync_by(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_by(SYS_fdatasync, fd);
}

/* --- mappings --- */

/* NULL: a place for another one. */
static struct region *region_of(const void *address)
{
    for (int i = 0; i < REGIONS_MAX; i++)
        if (regions[i].bytes == address)
            return &regions[i];
    return NULL;
}

/* What is mapped was logged already, by who wrote it or when it was mapped before. */
static void note_mapping(char *bytes, size_t length, uint64_t file)
{
    struct region *region = region_of(NULL);

    if (!region)
        refuse("too many mappings");
    *region = (struct region){bytes, malloc(length), length, file};
    if (!region->logged)
        refuse("no memory");
    memcpy(region->logged, bytes, length);
}

static void *map(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    void *mapped = (void *)syscall(SYS_mmap, address, length, protection, flags, fd, offset);

    if (mapped == MAP_FAILED || !(flags & MAP_SHARED) || !(protection & PROT_WRITE))
        return mapped;
    pthread_mutex_lock(&lock);
    if (opened_at(fd))
        note_mapping(mapped, length, opened[fd].file);
    pthread_mutex_unlock(&lock);
    return mapped;
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    return map(address, length, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t offset)
{
    return map(address, length, protection, flags, fd, offset);
}

int munmap(void *address, size_t length)
{
    pthread_mutex_lock(&lock);
    struct region *region = region_of(address);

    if (region) {
        append_changed_pages(region);
        free(region->logged);
        *region = (struct region){0};
    }
    pthread_mutex_unlock(&lock);
    return (int)syscall(SYS_munmap, address, length);
}

int msync(void *address, size_t length, int flags)
{
    pthread_mutex_lock(&lock);
    struct region *region = region_of(address);
    uint64_t file = region ? region->file : 0;

    if (region)
        append_changed_pages(region);
    pthread_mutex_unlock(&lock);
    if (file == 0 || flags != MS_SYNC)
        return (int)syscall(SYS_msync, address, length, flags);
    uint64_t token = begin_sync(file);
    int result = (int)syscall(SYS_msync, address, length, flags);
    end_sync(file, token, result == 0);
    return result;
}

/* --- LMDB --- */

static bool is_journal(const char *path)
{
    static const char name[] = "/journal";
    size_t length = strlen(path), wanted = sizeof name - 1;

    return length >= wanted && strcmp(path + length - wanted, name) == 0;
}

int mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode)
{
    int (*real)(MDB_env *, const char *, unsigned, mdb_mode_t);
    void *found = dlsym(RTLD_NEXT, "mdb_env_open");

    memcpy(&real, &found, sizeof real);
    if (getenv("POWER_NOSYNC") && is_journal(path))
        flags |= MDB_NOSYNC;
    return real(env, path, flags, mode);
}
