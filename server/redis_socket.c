/* hiredis' asynchronous part on libuv handles of our own. The adapters that come with hiredis are
 * not used: 0.14's never reports a refused connect, because it leaves when libuv reports an error
 * on the socket instead of letting hiredis read it. */
#include <hiredis/async.h>
#include <stdlib.h>

#include "proto/must.h"
#include "server/redis_internal.h"

/* libuv's side of one hiredis context; outlives it until libuv has let go.
 *
 * What is sent in a turn of the loop goes out together at its end, by `flush`, or
 * before when redis_flush says so. Only what the
 * socket did not take then waits for the poll, so that a command costs no change of it. */
struct socket_watch {
    uv_poll_t poll;
    uv_prepare_t flush;
    unsigned handles; /* of the two, not closed yet */
    struct redis *redis;
    redisAsyncContext *context; /* NULL: gone */
    int events;
    bool flushing;
};

static void on_watch_closed(uv_handle_t *handle)
{
    struct socket_watch *watch = handle->data;
    struct redis *redis = watch->redis;

    if (--watch->handles > 0)
        return;
    free(watch);
    redis->handles--;
    if (redis->closing)
        redis_free_when_unused(redis);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct socket_watch *watch = poll->data;

    if (status < 0) {
        /* The error is still on the socket: reading makes hiredis find and report it. If it
         * does not, the socket is no longer polled and the link is of no use. */
        redisAsyncHandleRead(watch->context);
        if (watch->context != NULL)
            redis_doom(watch->redis, "the socket failed");
        return;
    }
    if (events & UV_READABLE)
        redisAsyncHandleRead(watch->context);
    if (watch->context != NULL && (events & UV_WRITABLE))
        redisAsyncHandleWrite(watch->context);
}

static void watch_for(struct socket_watch *watch, int events)
{
    if (events == watch->events)
        return;
    watch->events = events;
    if (events == 0)
        uv_poll_stop(&watch->poll);
    else
        uv_poll_start(&watch->poll, events, on_poll);
}

static void add_read(void *data)
{
    struct socket_watch *watch = data;
    watch_for(watch, watch->events | UV_READABLE);
}

static void del_read(void *data)
{
    struct socket_watch *watch = data;
    watch_for(watch, watch->events & ~UV_READABLE);
}

static void on_flush(uv_prepare_t *flush)
{
    struct socket_watch *watch = flush->data;

    uv_prepare_stop(flush);
    if (watch->redis->doomed) /* perhaps because there is nobody to hear the answers */
        return;
    watch->flushing = true;
    redisAsyncHandleWrite(watch->context);
    watch->flushing = false;
}

void redis_flush(struct redis *redis)
{
    struct socket_watch *watch = redis->context != NULL ? redis->context->ev.data : NULL;

    if (watch != NULL && uv_is_active((uv_handle_t *)&watch->flush))
        on_flush(&watch->flush);
}

/* Until it is connected, and when it is full, only the socket knows when it can be written to. */
static void add_write(void *data)
{
    struct socket_watch *watch = data;
    bool connected = watch->context->c.flags & REDIS_CONNECTED;

    if (watch->flushing || !connected)
        watch_for(watch, watch->events | UV_WRITABLE);
    else if (!(watch->events & UV_WRITABLE))
        uv_prepare_start(&watch->flush, on_flush);
}

static void del_write(void *data)
{
    struct socket_watch *watch = data;
    watch_for(watch, watch->events & ~UV_WRITABLE);
}

/* hiredis is done with the socket and will close it. */
static void clean_up(void *data)
{
    struct socket_watch *watch = data;

    watch->context = NULL;
    uv_poll_stop(&watch->poll);
    uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
    uv_close((uv_handle_t *)&watch->flush, on_watch_closed);
}

bool redis_watch_socket(struct redis *redis, struct redisAsyncContext *context)
{
    struct socket_watch *watch = calloc(1, sizeof(*watch));

    if (watch == NULL)
        return false;
    if (uv_poll_init(redis->options.loop, &watch->poll, context->c.fd) != 0) {
        free(watch);
        return false;
    }
    MUST(uv_prepare_init(redis->options.loop, &watch->flush) == 0);
    redis->handles++;
    watch->handles = 2;
    watch->poll.data = watch->flush.data = watch;
    watch->redis = redis;
    watch->context = context;
    context->ev.addRead = add_read;
    context->ev.delRead = del_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = del_write;
    context->ev.cleanup = clean_up;
    context->ev.data = watch;
    return true;
}
