#include "server/journal_ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "proto/must.h"

/* With smaller steps too many commits meet one that is being synced, larger ones hold a
 * commit up for longer. */
#define STEP_BYTES     (2u << 20)
#define LEAD_BYTES_MIN (1u << 20)
#define LEAD_BYTES_MAX (8u << 20)
#define RETRY_S        1

/* A commit's write waits while a piece is copied to the page cache, so pieces are short. */
#define PIECE_BYTES (64u << 10)

static char zeros[PIECE_BYTES];

struct journal_ahead {
    int fd; /* its own: a shared one would share the errors that fdatasync tells only once */
    uint64_t map_bytes, reserve_bytes;
    pthread_t thread;

    pthread_mutex_t mutex; /* for all below */
    pthread_cond_t changed;
    uint64_t used_bytes, end_bytes;
    bool waiting; /* for use to come near the end */
    bool stop;
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* A small journal is not made much larger. */
static uint64_t lead_bytes(uint64_t used_bytes)
{
    uint64_t lead = least(used_bytes / 2, LEAD_BYTES_MAX);

    return lead > LEAD_BYTES_MIN ? lead : LEAD_BYTES_MIN;
}

static bool is_short(const struct journal_ahead *ahead)
{
    uint64_t wanted = ahead->used_bytes + lead_bytes(ahead->used_bytes);

    return ahead->end_bytes < least(wanted, ahead->map_bytes);
}

/* --- a step (thread, without the mutex) ----------------------------------- */

static bool has_room(const struct journal_ahead *ahead)
{
    struct statvfs disk;

    if (fstatvfs(ahead->fd, &disk) != 0)
        return false;
    uint64_t left = (uint64_t)disk.f_bavail * disk.f_frsize;
    uint64_t ours = LEAD_BYTES_MAX + STEP_BYTES;
    return left > ours && left - ours > ahead->reserve_bytes;
}

static bool file_end(const struct journal_ahead *ahead, uint64_t *end_out)
{
    struct stat file;

    if (fstat(ahead->fd, &file) != 0)
        return false;
    *end_out = (uint64_t)file.st_size;
    return true;
}

/* The blocks are what is wanted, not the zeros: they are given out by writing back. */
static bool append_zeros(const struct journal_ahead *ahead, uint64_t bytes)
{
    while (bytes > 0) {
        ssize_t written = write(ahead->fd, zeros, least(bytes, sizeof zeros));

        if (written <= 0)
            return false;
        bytes -= (uint64_t)written;
    }
    return fdatasync(ahead->fd) == 0;
}

/* Ends lie on whole steps, also after a write that was cut short. `end_out` is where the
 * file ends afterwards. False: not now. */
static bool extend(const struct journal_ahead *ahead, uint64_t *end_out)
{
    if (!file_end(ahead, end_out) || !has_room(ahead))
        return false;
    uint64_t next = least(*end_out / STEP_BYTES * STEP_BYTES + STEP_BYTES, ahead->map_bytes);

    if (next <= *end_out) /* LMDB was there first */
        return true;
    return append_zeros(ahead, next - *end_out) && file_end(ahead, end_out);
}

/* --- the thread ----------------------------------------------------------- */

static void wait_for_use(struct journal_ahead *ahead)
{
    ahead->waiting = true;
    while (!ahead->stop && !is_short(ahead))
        pthread_cond_wait(&ahead->changed, &ahead->mutex);
    ahead->waiting = false;
}

static void wait_for_room(struct journal_ahead *ahead)
{
    struct timespec until;
    int code = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += RETRY_S;
    while (!ahead->stop && code == 0)
        code = pthread_cond_timedwait(&ahead->changed, &ahead->mutex, &until);
}

static void *run(void *argument)
{
    struct journal_ahead *ahead = argument;

    pthread_mutex_lock(&ahead->mutex);
    for (wait_for_use(ahead); !ahead->stop; wait_for_use(ahead)) {
        uint64_t end = ahead->end_bytes;

        pthread_mutex_unlock(&ahead->mutex);
        bool extended = extend(ahead, &end);
        pthread_mutex_lock(&ahead->mutex);
        ahead->end_bytes = end;
        if (!extended)
            wait_for_room(ahead);
    }
    pthread_mutex_unlock(&ahead->mutex);
    return NULL;
}

/* Signals are the loop's. SIGXFSZ stays pending here, and the write says EFBIG. */
static int start(struct journal_ahead *ahead)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&ahead->thread, NULL, run, ahead);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

/* --- open and close ------------------------------------------------------- */

static struct journal_ahead *not_ahead(struct log *log, int code)
{
    log_write(log, LOG_WARN, "the journal is not written ahead; commits take longer",
              LOG_TEXT("error", strerror(code)), LOG_END);
    return NULL;
}

static void init_waiting(struct journal_ahead *ahead)
{
    pthread_condattr_t monotonic;

    pthread_mutex_init(&ahead->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&ahead->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

struct journal_ahead *journal_ahead_open(const struct journal_ahead_options *options)
{
    struct journal_ahead *ahead = malloc(sizeof *ahead);

    if (!ahead)
        return not_ahead(options->log, ENOMEM);
    *ahead = (struct journal_ahead){.fd = open(options->path, O_WRONLY | O_APPEND | O_CLOEXEC),
                                    .map_bytes = options->map_bytes,
                                    .reserve_bytes = options->reserve_bytes,
                                    .used_bytes = options->used_bytes};
    init_waiting(ahead);

    int code = ahead->fd >= 0 && file_end(ahead, &ahead->end_bytes) ? start(ahead) : errno;
    if (code == 0)
        return ahead;
    journal_ahead_close(ahead);
    return not_ahead(options->log, code);
}

void journal_ahead_follow(struct journal_ahead *ahead, uint64_t used_bytes)
{
    if (!ahead)
        return;
    pthread_mutex_lock(&ahead->mutex);
    ahead->used_bytes = used_bytes;
    if (ahead->waiting && is_short(ahead))
        pthread_cond_signal(&ahead->changed);
    pthread_mutex_unlock(&ahead->mutex);
}

void journal_ahead_stop(struct journal_ahead *ahead)
{
    if (!ahead)
        return;
    pthread_mutex_lock(&ahead->mutex);
    ahead->stop = true;
    pthread_cond_signal(&ahead->changed);
    pthread_mutex_unlock(&ahead->mutex);
    MUST(pthread_join(ahead->thread, NULL) == 0);
}

void journal_ahead_close(struct journal_ahead *ahead)
{
    if (!ahead)
        return;
    pthread_cond_destroy(&ahead->changed);
    pthread_mutex_destroy(&ahead->mutex);
    if (ahead->fd >= 0)
        close(ahead->fd);
    free(ahead);
}
