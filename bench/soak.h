/* What hotlead-bench soak does when, and what it makes of what it saw: the parts of it that need no
 * server. */
#ifndef HOTLEAD_BENCH_SOAK_H
#define HOTLEAD_BENCH_SOAK_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/result.h"

/* Of one second. */
struct soak_sample {
    uint64_t anonymous_bytes, folder_bytes, acked;
    unsigned descriptors;
};

/* SIGTERM, SIGKILL or, mostly, 0: what the server gets in this second of `seconds`. All of it comes
 * in the first half. */
int soak_signal_at(unsigned second, unsigned seconds);

/* Whether a server that got this signal (0: none) may have ended with this code. */
bool soak_end_is_expected(int signal, int exit_code);

/* Adds the checks to the result, whose counts are known: from when the last server had settled in
 * the second half until the end, nothing may creep. `count` samples were taken, fewer than
 * `seconds` when it was ended early. False: it was too short to judge creeping. */
bool soak_judge(const struct soak_sample *samples, unsigned count, unsigned seconds,
                struct result *result);

#endif
