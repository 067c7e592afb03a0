/* A run of bytes that somebody else owns. Not terminated; `bytes` may be NULL
 * only when `length` is 0. Every slice says in its comment how long it lives. */
#ifndef HOTLEAD_PROTO_SLICE_H
#define HOTLEAD_PROTO_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *bytes;
    size_t length;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, text ? strlen(text) : 0};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

/* Eight bytes of either: they differ at most in the case of ASCII letters. */
static inline bool slice_eight_alike(const char *a, const char *b)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x80 * ones, cases = 0x20 * ones;
    uint64_t x, y;

    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    uint64_t differ = x ^ y, lower = (x | cases) & ~highs;
    uint64_t from_a = lower + (0x80 - 'a') * ones, over_z = lower + (0x7f - 'z') * ones;
    uint64_t letters = from_a & ~over_z & ~x & highs;

    return (differ & ~(letters >> 2)) == 0;
}

/* ASCII letters compare alike; everything else byte by byte. */
static inline bool slice_equal_ignoring_case(struct slice a, struct slice b)
{
    if (a.length != b.length)
        return false;
    if (a.length >= 8) {
        for (size_t i = 0; i + 8 < a.length; i += 8) {
            if (!slice_eight_alike(a.bytes + i, b.bytes + i))
                return false;
        }
        return slice_eight_alike(a.bytes + a.length - 8, b.bytes + b.length - 8);
    }
    for (size_t i = 0; i < a.length; i++) {
        unsigned char x = (unsigned char)a.bytes[i], y = (unsigned char)b.bytes[i];
        unsigned char lower = x | 0x20;
        /* Mostly they are the same byte; else only the bit of a letter's case may differ. */
        if (x != y && ((x ^ y) != 0x20 || lower < 'a' || lower > 'z'))
            return false;
    }
    return true;
}

#endif
