/* The parts of consume: consume.c (threads, and what they hand to the loop), consume_link.c (a
 * blocking connection to Redis), consume_report.c (what an agent says about a task). Nobody else
 * includes this but their tests. */
#ifndef HOTLEAD_BENCH_CONSUME_INTERNAL_H
#define HOTLEAD_BENCH_CONSUME_INTERNAL_H

#include "bench/consume.h"
#include "proto/text.h"

struct redisContext;

/* --- consume_link.c -------------------------------------------------------------------------- */

#define LINK_TEXT_MAX 512
#define LINK_WHY_MAX  256

struct link_address {
    char host[TARGET_TEXT_MAX]; /* "": a unix socket at `path` */
    int port;
    char path[TARGET_TEXT_MAX];
    char user[LINK_TEXT_MAX], password[LINK_TEXT_MAX]; /* "": none */
    unsigned database;
};

/* redis://[user:password@]host[:port][/db] or unix:///path[?db=n]. False: it is neither. */
bool link_address_parse(const char *url, struct link_address *out);

/* Connected, let in, and on its database; NULL: `why` says what went wrong. Its commands may take
 * as long as they like. */
struct redisContext *link_open(const struct link_address *address, char why[LINK_WHY_MAX]);

/* False: this Redis is known to be older than `major`. */
bool link_is_of_version(struct redisContext *context, unsigned major);

/* --- consume_report.c ------------------------------------------------------------------------ */

/* What a consumer reads in a task of hotlead. Slices of its text. */
struct task_head {
    struct slice id;     /* tsk_... */
    struct slice report; /* the stream for its reports */
    uint32_t delivery;
};
/* False: it is no such task. */
bool task_head_read(struct slice task, struct task_head *out);

#define REPORTS_PER_TASK 2
#define REPORTS_BYTES    1024 /* of one task, at most */

/* The commands that claim a task and end it with a conversation, as they go over the wire. */
void task_reports_write(struct text *out, const struct task_head *task, struct slice agent);

#endif
