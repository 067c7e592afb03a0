/* The monotonic clock, for whoever waits for something that is not on a loop. */
#ifndef HOTLEAD_BENCH_MOMENT_H
#define HOTLEAD_BENCH_MOMENT_H

#include <stdint.h>
#include <time.h>

static inline double moment_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline uint64_t moment_ms(void)
{
    return (uint64_t)(moment_s() * 1e3);
}

static inline void moment_pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

#endif
