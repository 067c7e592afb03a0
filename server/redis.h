/* A link to Redis: hiredis (redis.c is the one file that sees it) on libuv, with what 0.14
 * lacks: connect time-out, a deadline for every command, reconnect with back-off and jitter, and
 * a look each 5 s whether the server is still there and still the primary.
 *
 * A command whose link breaks, or that is late, has an unknown outcome: its callback gets
 * REDIS_UNKNOWN, never success or failure, and the link is opened anew. So it is when the server
 * says that it is no place for writes (READONLY, LOADING, MASTERDOWN, NOAUTH): the callback gets
 * that error, then the link goes. All other errors (OOM, BUSY, NOREPLICAS, WRONGTYPE ...) are the
 * owner's. Replies come in the order of commands. What is sent in a turn of the loop goes out at
 * its end. Whoever runs this ignores SIGPIPE. Loop thread. */
#ifndef HOTLEAD_SERVER_REDIS_H
#define HOTLEAD_SERVER_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "proto/slice.h"
#include "proto/status.h"
#include "server/log.h"
#include "server/stats.h"

struct redis;

enum redis_type {
    REDIS_UNKNOWN, /* no answer: the link broke or the deadline passed */
    REDIS_ERROR,   /* text: the error */
    REDIS_STATUS,
    REDIS_STRING,
    REDIS_INTEGER,
    REDIS_NIL,
    REDIS_ARRAY,
};

/* A reply, valid during the callback. `text` of an ERROR, STATUS or STRING; `count` of an ARRAY,
 * whose items redis_item gives. */
struct redis_reply {
    enum redis_type type;
    struct slice text;
    int64_t integer;
    size_t count;
    const void *items;
};
struct redis_reply redis_item(const struct redis_reply *array, size_t index);
bool redis_reply_is_error(const struct redis_reply *reply, const char *code); /* "OOM" ... */

typedef void redis_reply_fn(void *owner, const struct redis_reply *reply);

/* What server answered: a change of either means that it may have forgotten. */
struct redis_server {
    char run_id[41];
    char replication_id[41];
    bool primary;
};
/* The same process with the same history. */
bool redis_server_equal(const struct redis_server *a, const struct redis_server *b);
typedef void redis_up_fn(void *owner, const struct redis_server *server);
typedef void redis_down_fn(void *owner);

struct redis_options {
    uv_loop_t *loop;
    const char *url;  /* redis://[user:password@]host[:port][/db] or unix:///path[?db=n] */
    const char *name; /* for logs and CLIENT SETNAME: no spaces */
    unsigned connect_timeout_ms; /* 0: 2,000 */
    unsigned command_timeout_ms; /* 0: 5,000 */
    unsigned in_flight_max;      /* 64 commands */
    struct log *log;
    struct stats *stats;
    redis_up_fn *on_up; /* after AUTH, SELECT, INFO and role: a primary that can be used */
    redis_down_fn *on_down;
    void *owner;
};

/* INVALID: the URL. INTERNAL: out of memory. Connects in the background, again and again until
 * redis_close. After that no callback comes any more; memory is freed when the loop has run on. */
enum status redis_open(const struct redis_options *options, struct redis **out);
void redis_close(struct redis *redis);
bool redis_is_up(const struct redis *redis);
/* Why it is not up, as it was logged; "" when nothing is known yet. */
const char *redis_trouble(const struct redis *redis);

/* Sends one command (argument slices are copied). False: not up or too much in flight; then
 * the callback is not called. `timeout_ms` 0: the default; blocking commands give theirs, and
 * whatever is sent behind them waits for them. */
bool redis_command(struct redis *redis, const struct slice *arguments, size_t count,
                   unsigned timeout_ms, redis_reply_fn *on_reply, void *owner);

/* Commands of one turn of the loop leave together at its end. This sends those so far at once: for
 * the ones that somebody waits for, when the turn still has other work. Not in a callback. */
void redis_flush(struct redis *redis);

/* A Lua script, by its text; EVALSHA, and EVAL when the server does not know it. It and its text
 * live longer than the link. The first `key_count` of the slices are keys. */
struct redis_script {
    const char *text;
    char sha[41];
};
void redis_script_init(struct redis_script *script, const char *text);
bool redis_run(struct redis *redis, const struct redis_script *script, size_t key_count,
               const struct slice *keys_then_arguments, size_t count, redis_reply_fn *on_reply,
               void *owner);

#endif
