/* The parts of consume: consume.c (threads, and what they hand to the loop), consume_report.c (what
 * an agent says about a task), consume_waiting.c. Nobody else includes this but their tests. */
#ifndef HOTLEAD_BENCH_CONSUME_INTERNAL_H
#define HOTLEAD_BENCH_CONSUME_INTERNAL_H

#include "bench/consume.h"
#include "proto/text.h"

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
