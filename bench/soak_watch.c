#define _XOPEN_SOURCE 700
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <uv.h>

#include "bench/soak.h"
#include "proto/must.h"

#define WALK_DEPTH 8

struct soak_watch {
    const char *folder;
    struct soak_sample *samples;
    unsigned count;
    uv_thread_t thread;

    uv_mutex_t lock; /* guards the rest and the samples; `changed` tells of `wanted`, `closing` */
    uv_cond_t changed;
    bool wanted, closing; /* a look is asked for, or under way */
    struct process server;
    unsigned second;
    uint64_t acked;
    struct soak_sample newest;
};

static uint64_t folder_bytes; /* nftw has no owner pointer; the watch's thread only */

static int on_file(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)path, (void)where;
    if (kind == FTW_F)
        folder_bytes += (uint64_t)about->st_blocks * 512;
    return 0;
}

static struct soak_sample look(const char *folder, const struct process *server, uint64_t acked)
{
    struct soak_sample sample = {.acked = acked};
    struct process_use use;

    if (process_use(server, &use)) {
        sample.anonymous_bytes = use.anonymous_bytes;
        sample.descriptors = use.descriptors;
    }
    folder_bytes = 0;
    nftw(folder, on_file, WALK_DEPTH, FTW_PHYS);
    sample.folder_bytes = folder_bytes;
    return sample;
}

static void watch_main(void *argument)
{
    struct soak_watch *watch = argument;

    uv_mutex_lock(&watch->lock);
    for (;;) {
        while (!watch->wanted && !watch->closing)
            uv_cond_wait(&watch->changed, &watch->lock);
        if (!watch->wanted)
            break;
        struct process server = watch->server;
        uint64_t acked = watch->acked;
        uv_mutex_unlock(&watch->lock);
        struct soak_sample sample = look(watch->folder, &server, acked);
        uv_mutex_lock(&watch->lock);
        watch->samples[watch->second] = watch->newest = sample;
        watch->wanted = false;
    }
    uv_mutex_unlock(&watch->lock);
}

struct soak_watch *soak_watch_open(const char *folder, struct soak_sample *samples, unsigned count)
{
    struct soak_watch *watch = calloc(1, sizeof *watch);

    MUST(watch != NULL);
    watch->folder = folder;
    watch->samples = samples;
    watch->count = count;
    MUST(uv_mutex_init(&watch->lock) == 0 && uv_cond_init(&watch->changed) == 0);
    MUST(uv_thread_create(&watch->thread, watch_main, watch) == 0);
    return watch;
}

void soak_watch_close(struct soak_watch *watch)
{
    uv_mutex_lock(&watch->lock);
    watch->closing = true;
    uv_cond_signal(&watch->changed);
    uv_mutex_unlock(&watch->lock);
    uv_thread_join(&watch->thread);
    uv_cond_destroy(&watch->changed);
    uv_mutex_destroy(&watch->lock);
    free(watch);
}

void soak_watch_look(struct soak_watch *watch, const struct process *server, unsigned second,
                     uint64_t acked)
{
    uv_mutex_lock(&watch->lock);
    if (!watch->wanted && second < watch->count) {
        watch->server = *server;
        watch->second = second;
        watch->acked = acked;
        watch->wanted = true;
        uv_cond_signal(&watch->changed);
    }
    uv_mutex_unlock(&watch->lock);
}

struct soak_sample soak_watch_newest(struct soak_watch *watch)
{
    uv_mutex_lock(&watch->lock);
    struct soak_sample newest = watch->newest;
    uv_mutex_unlock(&watch->lock);
    return newest;
}
