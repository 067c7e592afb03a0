/* Redis, one question after the other: the link is the server's, and its loop is run here until the
 * answer is there. */
#include "proto/memory.h"
#include "proto/must.h"
#include "server/audit_internal.h"
#include "server/clock.h"
#include "server/redis.h"

#define CONNECT_MS 5000
#define ANSWER_MS  30000 /* a page of a queue that is read from disk */

struct audit_link {
    uv_loop_t loop;
    uv_timer_t timer;
    struct redis *redis;
    struct stats *stats;

    bool waiting, good; /* for the answer at hand; it was one */
    struct audit *audit;
    audit_reply_fn *on_reply;
    void *owner;
};

static void on_timer(uv_timer_t *timer)
{
    (void)timer; /* it wakes the loop, that is all */
}

/* Whether it is up is asked for, and a link that breaks shows in the answer that is missing. */
static void on_up(void *owner, const struct redis_server *server)
{
    (void)owner, (void)server;
}

static void on_down(void *owner)
{
    (void)owner;
}

static void run_loop(struct audit_link *link)
{
    uv_timer_start(&link->timer, on_timer, 100, 0);
    uv_run(&link->loop, UV_RUN_ONCE);
}

struct audit_link *audit_link_open(struct audit *audit)
{
    struct audit_link *link = memory_take_zeroed(1, sizeof *link);
    uint64_t until_ms = clock_monotonic_ms() + CONNECT_MS;

    MUST(uv_loop_init(&link->loop) == 0 && uv_timer_init(&link->loop, &link->timer) == 0);
    link->stats = stats_open();
    MUST(link->stats);
    const struct redis_options options = {.loop = &link->loop,
                                          .url = audit->options->redis,
                                          .name = "hotlead-audit",
                                          .in_flight_max = 8,
                                          .log = audit->options->log,
                                          .stats = link->stats,
                                          .on_up = on_up,
                                          .on_down = on_down};
    enum status status = redis_open(&options, &link->redis);
    while (status == STATUS_OK && !redis_is_up(link->redis) && clock_monotonic_ms() < until_ms)
        run_loop(link);
    if (status == STATUS_OK && redis_is_up(link->redis))
        return link;
    audit->redis_failed = true;
    audit_link_close(link);
    return NULL;
}

void audit_link_close(struct audit_link *link)
{
    if (!link)
        return;
    if (link->redis)
        redis_close(link->redis);
    uv_close((uv_handle_t *)&link->timer, NULL);
    uv_run(&link->loop, UV_RUN_DEFAULT);
    uv_loop_close(&link->loop);
    stats_close(link->stats);
    free(link);
}

static void on_reply(void *owner, const struct redis_reply *reply)
{
    struct audit_link *link = owner;

    link->waiting = false;
    link->good = reply->type != REDIS_UNKNOWN && reply->type != REDIS_ERROR;
    if (link->good)
        link->on_reply(link->owner, reply);
    else if (reply->type == REDIS_ERROR)
        log_write(link->audit->options->log, LOG_ERROR, "Redis refuses to be looked at",
                  LOG_TEXT("error", reply->text.bytes), LOG_END);
}

bool audit_ask(struct audit *audit, const struct slice *words, size_t count,
               audit_reply_fn *on_answer, void *owner)
{
    struct audit_link *link = audit->link;

    if (audit->status != STATUS_OK || audit->redis_failed)
        return false;
    link->audit = audit;
    link->on_reply = on_answer;
    link->owner = owner;
    link->good = false;
    link->waiting = redis_command(link->redis, words, count, ANSWER_MS, on_reply, link);
    while (link->waiting)
        run_loop(link);
    if (!link->good)
        audit->redis_failed = true;
    return link->good;
}
