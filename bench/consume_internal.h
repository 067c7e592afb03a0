/* The parts of consume: consume.c (threads, and what they hand to the loop), consume_queue.c (the
 * commands that pop), consume_report.c (what an agent or a robot says about a task),
 * consume_waiting.c. Nobody else includes this but their tests. */
#ifndef HOTLEAD_BENCH_CONSUME_INTERNAL_H
#define HOTLEAD_BENCH_CONSUME_INTERNAL_H

#include "bench/consume.h"
#include "proto/text.h"

/* --- consume_queue.c ------------------------------------------------------------------------- */

#define CONSUME_AT_ONCE_MAX 1024u

/* What is popped from, and how. */
struct consume_queue {
    enum target_shape shape;
    unsigned at_once;
    bool robots; /* they send what stands in it */
    char *pop;   /* the command, as it goes over the wire */
    size_t pop_bytes;
};
/* False: out of memory. `at_once` as in the options. */
bool consume_queue_calls(const struct target *target, unsigned at_once, struct consume_queue *out);
bool consume_queue_emails(const struct target *target, struct consume_queue *out);
void consume_queue_free(struct consume_queue *queue);

/* --- consume_report.c ------------------------------------------------------------------------ */

/* What a consumer reads in a task of hotlead. Slices of its text. */
struct task_head {
    struct slice id;     /* tsk_... */
    struct slice report; /* the stream for its reports */
    uint32_t delivery;
};
/* False: it is no such task. */
bool task_head_read(struct slice task, struct task_head *out);

/* Whether it was to be done at the very moment of its opt-in. */
bool task_is_immediate(struct slice task);

#define REPORTS_PER_TASK 2
#define REPORTS_BYTES    1024 /* of one task, at most */

/* The commands that claim a task and end it with a conversation, as they go over the wire. */
void task_reports_write(struct text *out, const struct task_head *task, struct slice agent);
/* The one that says that a robot has sent it. */
void task_sent_write(struct text *out, const struct task_head *task, struct slice robot);

#endif
