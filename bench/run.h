/* One measured run: the load, the consumers, the ledger and what came of them. `hotlead-bench run`
 * is this with a rig around it; compare, growth and soak call it again and again. */
#ifndef HOTLEAD_BENCH_RUN_H
#define HOTLEAD_BENCH_RUN_H

#include "bench/consume.h"
#include "bench/people.h"
#include "bench/result.h"
#include "bench/schedule.h"
#include "bench/target.h"

struct run_options {
    double rate; /* a second; 0: closed loop */
    enum schedule_kind arrivals;
    double duration_s;
    double warmup_s;       /* sent before and not counted, but in the ledger */
    uint64_t requests_max; /* 0: no bound */
    unsigned connections;
    bool new_connections;
    unsigned timeout_ms;          /* 0: 10,000 */
    struct people_options people; /* `target` is set by the run */
    unsigned consumers, at_once;
    enum consume_mode mode;
    /* How long a task may take behind the last answer, 0: 10; and once more, 10 at most, the server
     * to read the last report. Either ends early when none is missing. */
    double drain_s;
    /* Somebody kills the server or Redis meanwhile: requests may have no answer, and a Redis that
     * forgets a pop shows a task again. Nothing may be lost all the same. */
    bool faults;
    /* How long behind its time the sending may go on; what waits for a connection then is given up
     * as "not sent". 0: 10. */
    double patience_s;
    const char *command; /* for the result */
    FILE
        *progress; /* NULL: none. A terminal gets one living line, anything else a line every 5 s */
    /* Called on the loop's thread every second of the run, may be NULL. */
    void (*on_second)(void *owner, unsigned second);
    void *owner;
};

/* Whether progress on that stream is one living line: a terminal that can go back. May be NULL. */
bool run_is_living(FILE *stream);

/* OK: it ran, whatever came of it (see the checks). BUSY: server or Redis cannot be reached; said
 * on `talk`. `out` was initialised, and machine, disk and versions in it filled, by the caller. The
 * first Ctrl-C ends the sending; a run that was ended so is OK and says so in `limit_why`. The
 * second ends the program. Main thread. */
enum status run_once(const struct run_options *options, const struct target *target, FILE *talk,
                     struct result *out);

#endif
