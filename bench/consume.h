/* Consumers: threads that pop tasks from Redis as dialers do, each on a blocking connection of its
 * own, and tell the loop's thread what they popped, when, and whose it was. Where the target names
 * a queue of e-mails, one thread more takes them, as a robot that sends them.
 *
 * Of a BullMQ queue a task counts as popped when its job's id was; its data is fetched behind that.
 */
#ifndef HOTLEAD_BENCH_CONSUME_H
#define HOTLEAD_BENCH_CONSUME_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "bench/target.h"
#include "proto/status.h"

enum consume_mode {
    CONSUME_POP,    /* pop, and nothing else: what the peers' consumers do */
    CONSUME_REPORT, /* and XADD a claim and an outcome of each, as an agent would; of an e-mail,
                       that it was delivered */
    CONSUME_NOTHING /* leave them: a backlog */
};

struct consume_pop {
    uint64_t key;
    uint64_t popped_ns; /* uv_hrtime, when the reply that held it had been read */
    uint32_t delivery;  /* 1 for peers */
    bool strange;       /* no key could be read: a task of somebody else */
    bool email;         /* taken by the robot */
    bool immediate; /* an e-mail of the very moment of its opt-in, not a later one of its life */
};
/* Loop thread. */
typedef void consume_popped_fn(void *owner, const struct consume_pop *pops, size_t count);

struct consume_options {
    uv_loop_t *loop;
    const struct target *target;
    unsigned consumers; /* threads; 0: no robot either */
    unsigned at_once;   /* tasks a pop may bring, but for the robot's; 0: 64 */
    enum consume_mode mode;
    consume_popped_fn *on_popped;
    void *owner;
};

struct consume;

/* Connects before it answers. BUSY: Redis cannot be reached, or is older than 7, which is the first
 * that pops several at once; INVALID: the URL. `why` (static or until the next call) says how. A
 * consumer whose link breaks later connects again until it is closed. With CONSUME_NOTHING, and
 * where nothing comes out, there are no threads. */
enum status consume_open(const struct consume_options *options, struct consume **out,
                         const char **why_out);

/* Tasks handed over so far, and reports that Redis has taken: two for each task, its claim and its
 * outcome. E-mails apart, with one report each. Loop thread. */
uint64_t consume_popped(const struct consume *consume);
uint64_t consume_reported(const struct consume *consume);
uint64_t consume_emails_popped(const struct consume *consume);
uint64_t consume_emails_reported(const struct consume *consume);
/* How often a link had to be made anew, and how often Redis answered with an error. Loop thread. */
uint64_t consume_reconnects(const struct consume *consume);
uint64_t consume_refused(const struct consume *consume);

/* Ends the threads and waits for them (that is done within a second, or a few when Redis does not
 * answer), then hands over what is left. Freed when the loop has run on; until then its counts
 * stand. Call it when nothing was popped for a while. */
void consume_close(struct consume *consume);

/* Tasks that wait in the queue of a hotlead or in a list; below 0: Redis cannot be asked. Blocking.
 */
int64_t consume_waiting(const struct target *target);

#endif
