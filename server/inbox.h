/* Reports from Redis: reads `<prefix>:{Q}:reports:<node>` of every queue that ever had a task, or
 * that a site leads to, and submits each entry. Where it is up to is kept by the records that the
 * entries make; entries that change nothing may be read again and change nothing again. What was
 * read is kept for an hour, but of a busy stream no more than the last 250,000 to 600,000. Loop
 * thread. */
#ifndef HOTLEAD_SERVER_INBOX_H
#define HOTLEAD_SERVER_INBOX_H

#include "server/publish.h"

/* Tickets of the commands that inbox submits; same as in api.h. */
#define INBOX_TICKET (1ull << 62)

struct inbox;

/* Every report that waited in Redis at the start was read and is settled; once. */
typedef void inbox_drained_fn(void *owner);

/* A claim was read from the reports of a queue and handed to the writer. */
typedef void inbox_claim_fn(void *owner, uint32_t queue, const struct report *report);

struct inbox_options {
    uv_loop_t *loop;
    const char *redis_url;
    const char *prefix, *node;
    struct writer *writer;
    const struct registry *registry; /* the loop's */
    struct clock *clock;
    struct log *log;
    struct stats *stats;
    inbox_drained_fn *on_drained;
    inbox_claim_fn *on_claim;
    void *owner;
};

/* INVALID: the URL. INTERNAL: out of memory. */
enum status inbox_open(const struct inbox_options *options, struct inbox **out);
/* Memory is freed when the loop has run on. Before writer_close. */
void inbox_close(struct inbox *inbox);
void inbox_ready(struct inbox *inbox); /* state has caught up: start from its cursors */

/* A task was put on that queue: from now on there may be reports of it. */
void inbox_on_put(struct inbox *inbox, uint32_t queue);

/* Redis may have forgotten (publish saw a rewind, a missing mark): look which of
 * the entries that were read it still has, and read on from the newest of them, or from 0. */
void inbox_again(struct inbox *inbox);

/* A command of inbox's came back (INBOX_TICKET is set in its ticket). */
void inbox_on_settled(struct inbox *inbox, const struct settlement *settlement);

#endif
