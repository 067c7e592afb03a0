#include "bench/schedule.h"

#include <math.h>

#include "bench/random.h"
#include "proto/must.h"

#define NS_A_SECOND 1e9

void schedule_init(struct schedule *schedule, enum schedule_kind kind, double rate, uint64_t seed)
{
    MUST(rate > 0);
    *schedule = (struct schedule){.kind = kind, .rate = rate, .random = seed};
}

/* Each from the count and not from the moment before, or the rounding of one gap would be that of
 * all: at a hundred thousand a second, a drift that can be seen within the hour. */
static uint64_t next_constant(struct schedule *schedule)
{
    return (uint64_t)((double)schedule->count * (NS_A_SECOND / schedule->rate));
}

/* The rounding errors of random gaps cancel out. 1 - share is never 0, so the gap is finite. */
static uint64_t next_poisson(struct schedule *schedule)
{
    double share = random_share(random_next(&schedule->random));

    schedule->at_ns -= log1p(-share) * (NS_A_SECOND / schedule->rate);
    return (uint64_t)schedule->at_ns;
}

uint64_t schedule_next(struct schedule *schedule)
{
    uint64_t next =
        schedule->kind == SCHEDULE_CONSTANT ? next_constant(schedule) : next_poisson(schedule);

    schedule->count++;
    return next;
}
