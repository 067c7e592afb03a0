/* Consumers: threads that pop tasks from Redis as dialers do, each on a blocking connection of its
 * own, and tell the loop's thread what they popped, when, and whose it was. */
#ifndef HOTLEAD_BENCH_CONSUME_H
#define HOTLEAD_BENCH_CONSUME_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "bench/target.h"
#include "proto/status.h"

enum consume_mode {
    CONSUME_POP,    /* pop, and nothing else: what the peers' consumers do */
    CONSUME_REPORT, /* and XADD a claim and an outcome of each, as an agent would */
    CONSUME_NOTHING /* leave them: a backlog */
};

struct consume_pop {
    uint64_t key;
    uint64_t popped_ns; /* uv_hrtime, when the reply that held it had been read */
    uint32_t delivery;  /* 1 for peers */
    bool strange;       /* no key could be read: a task of somebody else */
};
/* Loop thread. */
typedef void consume_popped_fn(void *owner, const struct consume_pop *pops, size_t count);

struct consume_options {
    uv_loop_t *loop;
    const struct target *target;
    unsigned consumers; /* threads */
    unsigned at_once;   /* tasks a pop may bring; 0: 64 */
    enum consume_mode mode;
    consume_popped_fn *on_popped;
    void *owner;
};

struct consume;

/* Connects before it answers. BUSY: Redis cannot be reached, and `why` (static or until the next
 * call) says how. A consumer whose link breaks later connects again until it is closed. */
enum status consume_open(const struct consume_options *options, struct consume **out,
                         const char **why_out);

/* Tasks popped so far, and reports sent. Loop thread. */
uint64_t consume_popped(const struct consume *consume);
uint64_t consume_reported(const struct consume *consume);

/* Ends the threads and waits for them (each is done within a second), then hands over what is
 * left and frees it. Call it when nothing was popped for a while. */
void consume_close(struct consume *consume);

#endif
