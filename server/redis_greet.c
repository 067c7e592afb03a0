/* What is asked before a link is up: password, database, a name, and by INFO who the server is. A
 * server that loads its data or is a replica will not do; the link is dropped and opened again
 * with the usual back-off, which also finds a name that has moved to another machine. */
#include <string.h>

#include "proto/text.h"
#include "server/redis_internal.h"

/* "name:value\r\n" of INFO; empty when there is no such line. */
static struct slice info_field(struct slice info, const char *name)
{
    size_t name_length = strlen(name);
    const char *line = info.bytes, *end = info.bytes + info.length;

    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        const char *next = stop != NULL ? stop + 1 : end;
        if (stop == NULL)
            stop = end;
        if (stop > line && stop[-1] == '\r')
            stop--;
        size_t length = (size_t)(stop - line);
        if (length > name_length && line[name_length] == ':' &&
            memcmp(line, name, name_length) == 0)
            return (struct slice){line + name_length + 1, length - name_length - 1};
        line = next;
    }
    return (struct slice){NULL, 0};
}

static bool info_says(struct slice info, const char *name, const char *value)
{
    return slice_equal(info_field(info, name), slice_of(value));
}

static void copy_id(char out[41], struct slice id)
{
    size_t length = id.length < 40 ? id.length : 40;

    memset(out, 0, 41);
    if (length > 0)
        memcpy(out, id.bytes, length);
}

static void warn(struct redis *redis, const char *setting, const char *why)
{
    log_write(redis->options.log, LOG_WARN, "redis is set up so that it can lose tasks or reports",
              LOG_TEXT("link", redis->options.name), LOG_TEXT("setting", setting),
              LOG_TEXT("why", why), LOG_END);
}

/* Once for each server that was met. */
static void look_at_settings(struct redis *redis, struct slice info)
{
    if (strcmp(redis->warned_run_id, redis->server.run_id) == 0)
        return;
    memcpy(redis->warned_run_id, redis->server.run_id, sizeof(redis->warned_run_id));
    if (!info_says(info, "maxmemory_policy", "noeviction"))
        warn(redis, "maxmemory-policy", "set it to noeviction: others throw queues away");
    if (info_says(info, "aof_enabled", "0"))
        warn(redis, "appendonly", "set it to yes: reports live only in Redis until they are read");
}

static void on_info(void *owner, const struct redis_reply *reply)
{
    struct redis *redis = owner;

    if (redis->doomed)
        return;
    if (reply->type != REDIS_STRING) {
        redis_doom(redis, "INFO is refused: the user needs that command");
        return;
    }
    if (info_says(reply->text, "loading", "1")) {
        redis_doom(redis, "it is loading its data");
        return;
    }
    if (!info_says(reply->text, "role", "master")) {
        redis_doom(redis, "it is a replica");
        return;
    }
    copy_id(redis->server.run_id, info_field(reply->text, "run_id"));
    copy_id(redis->server.replication_id, info_field(reply->text, "master_replid"));
    redis->server.primary = true;
    look_at_settings(redis, reply->text);
    redis_go_up(redis);
}

/* AUTH and SELECT. */
static void on_step(void *owner, const struct redis_reply *reply)
{
    if (reply->type == REDIS_ERROR)
        redis_doom(owner, "the password, user or database number is refused");
}

/* The name is a courtesy, for CLIENT LIST; whoever may not set one goes without. */
static void on_named(void *owner, const struct redis_reply *reply)
{
    (void)owner;
    (void)reply;
}

static void send_password(struct redis *redis)
{
    struct slice user = slice_of(redis->address.user);
    struct slice password = slice_of(redis->address.password);

    if (user.length > 0)
        redis_send_own(redis, (struct slice[]){SLICE("AUTH"), user, password}, 3, on_step);
    else if (password.length > 0)
        redis_send_own(redis, (struct slice[]){SLICE("AUTH"), password}, 2, on_step);
}

static void send_database(struct redis *redis)
{
    char digits[24];
    struct text number = text_over(digits, sizeof(digits));

    text_uint(&number, redis->address.database);
    if (redis->address.database != 0)
        redis_send_own(redis, (struct slice[]){SLICE("SELECT"), text_slice(&number)}, 2, on_step);
}

void redis_greet(struct redis *redis)
{
    struct slice name = slice_of(redis->options.name);

    send_password(redis);
    send_database(redis);
    redis_send_own(redis, (struct slice[]){SLICE("CLIENT"), SLICE("SETNAME"), name}, 3, on_named);
    redis_send_own(redis, (struct slice[]){SLICE("INFO")}, 1, on_info);
}

/* The keep-alive asks something useful: a primary that was demoted, and perhaps promoted again,
 * has thrown writes away. */
static void on_checked(void *owner, const struct redis_reply *reply)
{
    struct redis *redis = owner;
    char replication_id[41];

    if (reply->type != REDIS_STRING)
        return;
    copy_id(replication_id, info_field(reply->text, "master_replid"));
    if (!info_says(reply->text, "role", "master") ||
        strcmp(replication_id, redis->server.replication_id) != 0)
        redis_doom(redis, "it has changed its role");
}

void redis_check(struct redis *redis)
{
    redis_send_own(redis, (struct slice[]){SLICE("INFO"), SLICE("replication")}, 2, on_checked);
}
