/* The outbox to Redis: one script call per queue, ranges without gaps, marks, rewinds,
 * reconciling, and the watch for pops. Nothing waits for it: while Redis is away operations
 * stay in state, and are read from there afterwards.
 *
 * A mark that belongs to another process, or is ahead of the journal, means a second writer: that
 * is an alarm (log, STATS_REDIS_FENCED, publish_trouble), and this one goes on under a new epoch.
 *
 * Loop thread. The protocol: proto/PROTOCOL.md, proto/push.lua. */
#ifndef HOTLEAD_SERVER_PUBLISH_H
#define HOTLEAD_SERVER_PUBLISH_H

#include <stdbool.h>
#include <uv.h>

#include "proto/report.h"
#include "server/clock.h"
#include "server/redis.h"
#include "server/site.h"
#include "server/writer.h"

struct publish;

/* Tickets of the commands that publish submits; same as in api.h. */
#define PUBLISH_TICKET (1ull << 61)

/* A claim that was asked for: `member` is the task's JSON, empty when there was none in time.
 * Status REDIS_AWAY: could not be asked, or nobody knows what came of it; BUSY: too many wait, or
 * there is no memory for one more; INVALID: no such queue, or an agent's name that is empty or over
 * REPORT_AGENT_MAX. */
typedef void publish_claimed_fn(void *owner, uint64_t ticket, enum status status,
                                struct slice member);

/* Redis has forgotten something, or is another one: reports may be lost or new ones stand
 * below what was read (inbox_again). */
typedef void publish_forgot_fn(void *owner);

/* Every queue with open tasks was looked at, and what was gone from it is settled; once. */
typedef void publish_watched_fn(void *owner);

struct publish_options {
    uv_loop_t *loop;
    const char *redis_url;
    const char *prefix; /* "hl" */
    const char *node;
    struct writer *writer;
    const struct registry *registry; /* the loop's */
    struct clock *clock;
    struct log *log;
    struct stats *stats;
    size_t memory_max; /* members waiting to be sent, all queues: 16 MiB */
    unsigned watch_ms; /* 1,000 */
    publish_claimed_fn *on_claimed;
    publish_forgot_fn *on_forgot;
    publish_watched_fn *on_watched;
    void *owner;
};

/* INVALID: the URL. INTERNAL: out of memory. */
enum status publish_open(const struct publish_options *options, struct publish **out);
/* No callback comes any more, and claims that wait are not answered; memory is freed when the
 * loop has run on. Before writer_close: readers of state and journal are closed here. */
void publish_close(struct publish *publish);

/* State has caught up (writer's on_ready): operations may be read from it. */
void publish_ready(struct publish *publish);

/* From writer_outbox_fn and writer_batch_fn. */
void publish_operation(struct publish *publish, const struct writer_outbox *operation);
void publish_flush(struct publish *publish);

/* True when everything handed over so far is in Redis, or Redis is away. For a drain. */
bool publish_is_idle(const struct publish *publish);
bool publish_is_up(const struct publish *publish);
/* What is wrong between here and the queues, in words for an operator. NULL: nothing. */
const char *publish_trouble(const struct publish *publish);
uint64_t publish_lag(const struct publish *publish); /* operations not yet in Redis */
/* How long this process has waited for the oldest of them, within a second. */
uint64_t publish_lag_ms(const struct publish *publish);

/* A queue with open tasks: in Redis, or taken from it and without an outcome. */
struct publish_backlog {
    uint32_t queue;
    uint64_t open_tasks;
};
/* The next one behind `out->queue`, which is 0 at first. False: no more. publish_backlog_end when
 * done, before going back to the loop. */
bool publish_backlog_next(struct publish *publish, struct publish_backlog *out);
void publish_backlog_end(struct publish *publish);
/* When the oldest opt-in came of the `looks` tasks that should stand first in Redis; 0: none. */
uint64_t publish_oldest_ms(struct publish *publish, uint32_t queue, unsigned looks);

/* Claims the first task of a queue for `agent` by the claim script, waiting up to `wait_ms` for
 * one; answers through on_claimed, exactly once; before this returns if it cannot even wait. */
void publish_claim(struct publish *publish, uint64_t ticket, uint32_t queue, struct slice agent,
                   unsigned wait_ms);
/* The asker is gone: there will be no answer. A task that comes all the same is released. */
void publish_unclaim(struct publish *publish, uint64_t ticket);

/* A claim was read from the reports of a queue. */
void publish_claim_heard(struct publish *publish, uint32_t queue, const struct report *report);

/* A command of publish's came back (PUBLISH_TICKET is set in its ticket). */
void publish_on_settled(struct publish *publish, const struct settlement *settlement);

#endif
