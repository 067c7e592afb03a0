/* When each opt-in is meant to be sent: a plan that does not wait for answers (open loop), so that
 * a server that stalls is charged for everything that should have been sent meanwhile.
 *
 * Pure; the same seed gives the same moments. A copy goes on by itself. */
#ifndef HOTLEAD_BENCH_SCHEDULE_H
#define HOTLEAD_BENCH_SCHEDULE_H

#include <stdint.h>

enum schedule_kind {
    SCHEDULE_CONSTANT, /* evenly spaced */
    SCHEDULE_POISSON,  /* independent visitors: exponential gaps of the same mean */
};

struct schedule {
    enum schedule_kind kind;
    double rate;     /* a second, > 0 */
    double at_ns;    /* Poisson: the moment before the next */
    uint64_t random; /* state of the generator */
    uint64_t count;  /* moments given */
};

void schedule_init(struct schedule *schedule, enum schedule_kind kind, double rate, uint64_t seed);
/* The next intended moment, in ns since the start of the plan; never less than the one before. */
uint64_t schedule_next(struct schedule *schedule);

#endif
