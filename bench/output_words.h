/* Figures as people read them, for everything that prints a result. */
#ifndef HOTLEAD_BENCH_OUTPUT_WORDS_H
#define HOTLEAD_BENCH_OUTPUT_WORDS_H

#include <stdint.h>

/* By value, so that several may stand in one call of printf. */
struct words {
    char text[32];
};

/* Three digits that count: "0", "85ns", "1.20us", "34.5ms", "2.00s", "1234s". */
struct words words_duration(double ns);
/* "9,998" */
struct words words_count(uint64_t count);
/* "9,998" from a hundred on, below "12.3", or "12" when it is whole. */
struct words words_rate(double per_second);
/* "96.0MiB" */
struct words words_bytes(uint64_t bytes);

/* The one of `known` (ends with NULL) that was probably meant, or NULL. */
const char *words_nearest(const char *word, const char *const *known);

#endif
