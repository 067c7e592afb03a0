/* A Redis that nobody else can reach: on a unix socket in the rig's folder, with the settings that
 * the README asks for (nothing is evicted; the append-only file synced once a second). */
#include <errno.h>
#include <ftw.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/rig_internal.h"

#define READY_MS 120000 /* it may have a large file to load */
#define STOP_MS  30000

static const char *socket_of(const struct rig *rig)
{
    return rig->target.redis_url + strlen("unix://");
}

/* An error is an answer too, but while it loads its file it is not ready. */
static bool answers(const struct rig *rig)
{
    redisContext *link = redisConnectUnixWithTimeout(socket_of(rig), (struct timeval){.tv_sec = 1});
    redisReply *reply = link && !link->err ? redisCommand(link, "PING") : NULL;
    bool is_ready = reply && reply->type == REDIS_REPLY_STATUS;

    if (reply)
        freeReplyObject(reply);
    if (link)
        redisFree(link);
    return is_ready;
}

static enum status wait_for_it(struct rig *rig, FILE *talk)
{
    uint64_t start_ms = 0;

    while (process_lives(&rig->target.redis) && rig_look_again(&start_ms, READY_MS))
        if (answers(rig))
            return STATUS_OK;
    rig_tell_log(rig, "redis.log", "redis-server does not answer", talk);
    process_stop(&rig->target.redis, STOP_MS);
    return STATUS_BUSY;
}

static void name_folder(const struct rig *rig, char out[static RIG_PATH_MAX + 16])
{
    snprintf(out, RIG_PATH_MAX + 16, "%s/redis", rig->folder.path);
}

enum status rig_spawn_redis(struct rig *rig, FILE *talk)
{
    char folder[RIG_PATH_MAX + 16], log[RIG_PATH_MAX + 16];
    const char *appendonly = rig->options.aof == RIG_AOF_OFF ? "no" : "yes";
    const char *words[] = {"redis-server",
                           "--port",
                           "0",
                           "--unixsocket",
                           socket_of(rig),
                           "--dir",
                           folder,
                           "--save",
                           "",
                           "--appendonly",
                           appendonly,
                           "--appendfsync",
                           "everysec",
                           "--maxmemory-policy",
                           "noeviction",
                           "--daemonize",
                           "no",
                           NULL};

    name_folder(rig, folder);
    snprintf(log, sizeof log, "%s/redis.log", rig->folder.path);
    mkdir(folder, 0700);
    if (process_start(words, NULL, folder, log, &rig->target.redis) != STATUS_OK) {
        fprintf(talk,
                "hotlead-bench: redis-server cannot be started: %s (Debian: apt install "
                "redis-server), or name a running one with --url and --redis\n",
                strerror(errno));
        return STATUS_INVALID;
    }
    return STATUS_OK;
}

enum status rig_start_redis(struct rig *rig, FILE *talk)
{
    enum status status = rig_spawn_redis(rig, talk);

    return status == STATUS_OK ? wait_for_it(rig, talk) : status;
}

void rig_stop_redis(struct rig *rig)
{
    process_stop(&rig->target.redis, STOP_MS);
}

void rig_kill_redis(struct rig *rig)
{
    process_signal(&rig->target.redis, SIGKILL);
    process_stop(&rig->target.redis, STOP_MS);
}

static int remove_file(const char *path, const struct stat *about, int kind, struct FTW *where)
{
    (void)about, (void)kind;
    return where->level == 0 ? 0 : remove(path);
}

void rig_forget_redis(struct rig *rig)
{
    char folder[RIG_PATH_MAX + 16];

    name_folder(rig, folder);
    nftw(folder, remove_file, 8, FTW_DEPTH | FTW_PHYS);
}
