/* SplitMix64: 64 good bits for a multiply or two, as a stream or as a pure function of a number.
 * Guy L. Steele, Doug Lea, Christine H. Flood: Fast splittable pseudorandom number generators. */
#ifndef HOTLEAD_BENCH_RANDOM_H
#define HOTLEAD_BENCH_RANDOM_H

#include <stdint.h>

#define RANDOM_STEP 0x9e3779b97f4a7c15u

static inline uint64_t random_mixed(uint64_t number)
{
    number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9u;
    number = (number ^ (number >> 27)) * 0x94d049bb133111ebu;
    return number ^ (number >> 31);
}

static inline uint64_t random_next(uint64_t *state)
{
    return random_mixed(*state += RANDOM_STEP);
}

/* Of 64 random bits: 0 <= the answer < 1. */
static inline double random_share(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

/* Of 64 random bits: 0 <= the answer < count. */
static inline uint64_t random_below(uint64_t bits, uint64_t count)
{
    return (uint64_t)(((unsigned __int128)bits * count) >> 64);
}

#endif
