/* Redis is asked what it is and how it is set, ours too: what counts
 * is what it says of itself. */
#include "bench/about.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "bench/link.h"
#include "bench/metrics.h"

#define WORD_BYTES 64

/* What stands behind `name` in an INFO, up to the line's end. */
static void read_info(redisContext *link, const char *name, char out[static WORD_BYTES])
{
    redisReply *reply = redisCommand(link, "INFO server");
    const char *value =
        reply && reply->type == REDIS_REPLY_STRING ? strstr(reply->str, name) : NULL;

    out[0] = '\0';
    if (value) {
        value += strlen(name);
        snprintf(out, WORD_BYTES, "%.*s", (int)strcspn(value, "\r\n"), value);
    }
    if (reply)
        freeReplyObject(reply);
}

/* An ACL may forbid it: then nothing is said. */
static void read_setting(redisContext *link, const char *name, char out[static WORD_BYTES])
{
    redisReply *reply = redisCommand(link, "CONFIG GET %s", name);

    out[0] = '\0';
    if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2)
        snprintf(out, WORD_BYTES, "%s", reply->element[1]->str);
    if (reply)
        freeReplyObject(reply);
}

static void ask_redis(const struct target *target, char version[static WORD_BYTES],
                      struct result *result)
{
    struct link_address address;
    char why[LINK_WHY_MAX], appendonly[WORD_BYTES], appendfsync[WORD_BYTES];
    redisContext *link =
        link_address_parse(target->redis_url, &address) ? link_open(&address, why) : NULL;

    version[0] = '\0';
    if (!link)
        return;
    read_info(link, "redis_version:", version);
    read_setting(link, "appendonly", appendonly);
    read_setting(link, "appendfsync", appendfsync);
    if (appendonly[0])
        snprintf(result->redis_settings, sizeof result->redis_settings,
                 "appendonly %.32s, appendfsync %.32s", appendonly, appendfsync);
    redisFree(link);
}

static void ask_server(const struct target *target, char version[static WORD_BYTES])
{
    struct metrics *metrics;

    version[0] = '\0';
    if (!metrics_are_known(target) || metrics_read(target, &metrics) != STATUS_OK)
        return;
    metrics_label(metrics, "hotlead_build_info", "version", version, WORD_BYTES);
    metrics_close(metrics);
}

void about_read(const struct target *target, const char *data, struct result *result)
{
    char server[WORD_BYTES], redis[WORD_BYTES];

    machine_read(&result->machine);
    if (data)
        machine_disk_read(data, &result->disk);
    else
        strcpy(result->disk.file_system, "remote");
    ask_server(target, server);
    ask_redis(target, redis, result);
    snprintf(result->versions, sizeof result->versions, "hotlead%s%s%s%s, libuv %s",
             server[0] ? " " : "", server, redis[0] ? ", Redis " : "", redis, uv_version_string());
}
