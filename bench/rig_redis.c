/* A Redis that nobody else can reach: on a unix socket in the rig's folder, with the settings that
 * the README asks for (nothing is evicted; the append-only file synced once a second). */
#include <errno.h>
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

enum status rig_start_redis(struct rig *rig, FILE *talk)
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

    snprintf(folder, sizeof folder, "%s/redis", rig->folder.path);
    snprintf(log, sizeof log, "%s/redis.log", rig->folder.path);
    mkdir(folder, 0700);
    if (process_start(words, NULL, folder, log, &rig->target.redis) != STATUS_OK) {
        fprintf(talk,
                "hotlead-bench: redis-server cannot be started: %s (Debian: apt install "
                "redis-server), or name a running one with --url and --redis\n",
                strerror(errno));
        return STATUS_INVALID;
    }
    return wait_for_it(rig, talk);
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
