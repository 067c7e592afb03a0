/* A disk of another speed, for measuring only. Loaded into a server by LD_PRELOAD, it makes every
 * fsync and fdatasync take DISK_DELAY_US microseconds, and every pwrite to a file that was opened
 * with O_DSYNC or O_SYNC, as LMDB writes the page that makes a commit one.
 *
 *   DISK_DELAY_REAL=0   the syncs are left out: a disk that takes just so long. NOTHING IS DURABLE
 *   DISK_DELAY_REAL=1   behind the real sync: a slower disk
 *
 * Syncs of several threads do not wait for each other, as on a disk with queues. Without a usable
 * DISK_DELAY_US the program does not start: a figure must never be taken for one of another disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX   4096 /* descriptors above are taken for ones without O_DSYNC */
#define LATE_NS_MAX 50000
#define US_MAX      10000000
#define USAGE_EXIT  2

static uint64_t delay_ns;
static bool syncs_really;
static atomic_bool is_synchronous[FILES_MAX];

static void refuse(const char *why)
{
    fprintf(stderr, "disk_delay: %s\n", why);
    _exit(USAGE_EXIT);
}

__attribute__((constructor)) static void read_settings(void)
{
    const char *us = getenv("DISK_DELAY_US"), *real = getenv("DISK_DELAY_REAL");
    char *end = NULL;
    unsigned long number = us ? strtoul(us, &end, 10) : 0;

    if (!us || end == us || *end || number > US_MAX)
        refuse("DISK_DELAY_US is how long a sync takes, in microseconds, at most ten million");
    if (!real || (strcmp(real, "0") != 0 && strcmp(real, "1") != 0))
        refuse("DISK_DELAY_REAL is 1, or 0 to leave the syncs out");
    delay_ns = 1000 * (uint64_t)number;
    syncs_really = real[0] == '1';
    if (syncs_really)
        fprintf(stderr, "disk_delay: every sync takes %lu us longer\n", number);
    else
        fprintf(stderr,
                "disk_delay: NOTHING IS DURABLE: syncs are left out, and take %lu us instead\n",
                number);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1000000000 * (uint64_t)now.tv_sec + (uint64_t)now.tv_nsec;
}

/* A sleeper is woken some tens of microseconds late, so a thread goes to sleep for less than it has
 * to wait, by as much as it was late before, and spends what is left awake. */
static void wait_until(uint64_t end_ns)
{
    static _Thread_local uint64_t late_ns;
    uint64_t wake_ns = end_ns - late_ns, woken_ns;
    const struct timespec wake = {(time_t)(wake_ns / 1000000000), (long)(wake_ns % 1000000000)};

    if (now_ns() < wake_ns) {
        prctl(PR_SET_TIMERSLACK, 1UL); /* of this thread; usually 50 us */
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL) == EINTR)
            ;
        woken_ns = now_ns();
        late_ns = (7 * late_ns + (woken_ns - wake_ns)) / 8;
        if (late_ns > LATE_NS_MAX)
            late_ns = LATE_NS_MAX;
    }
    while (now_ns() < end_ns)
        ;
}

static int synced(long call, int file)
{
    uint64_t start_ns = now_ns();

    if (!syncs_really) {
        if (fcntl(file, F_GETFD) < 0)
            return -1;
        wait_until(start_ns + delay_ns);
        return 0;
    }
    int result = (int)syscall(call, file);
    int error = errno;
    wait_until(now_ns() + delay_ns);
    errno = error;
    return result;
}

int fdatasync(int file)
{
    return synced(SYS_fdatasync, file);
}

int fsync(int file)
{
    return synced(SYS_fsync, file);
}

/* O_SYNC has the bit of O_DSYNC. */
static int opened(const char *path, int flags, mode_t mode)
{
    bool synchronous = flags & O_DSYNC;

    if (synchronous && !syncs_really)
        flags &= ~O_SYNC;
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (file >= 0 && file < FILES_MAX)
        atomic_store_explicit(&is_synchronous[file], synchronous, memory_order_relaxed);
    return file;
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
    return opened(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list arguments;

    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return opened(path, flags, mode);
}

static ssize_t written(int file, const void *bytes, size_t length, off_t offset)
{
    uint64_t start_ns = now_ns();
    ssize_t count = syscall(SYS_pwrite64, file, bytes, length, offset);
    int error = errno;

    if (file >= 0 && file < FILES_MAX &&
        atomic_load_explicit(&is_synchronous[file], memory_order_relaxed))
        wait_until((syncs_really ? now_ns() : start_ns) + delay_ns);
    errno = error;
    return count;
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t offset)
{
    return written(file, bytes, length, offset);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off_t offset)
{
    return written(file, bytes, length, offset);
}
