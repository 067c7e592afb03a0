/* Two clocks. Monotonic time is for timeouts and latencies. Engine time is what is
 * stored and what deadlines are compared with: the wall clock (or --test-clock's file), made
 * never to go back: after a fall it runs on from where it was.
 *
 * clock_* functions are for any thread; clock_watch for the loop. */
#ifndef HOTLEAD_SERVER_CLOCK_H
#define HOTLEAD_SERVER_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "proto/status.h"

struct clock;

/* `test_file`: NULL, or a file with decimal ms since the epoch. INVALID when it cannot be
 * read. */
enum status clock_open(const char *test_file, struct clock **out);
void clock_close(struct clock *clock);

/* Engine time in ms. Never falls within one clock. With a test file it is read each time. */
uint64_t clock_now_ms(struct clock *clock);
/* Engine time is at least this from now on (the last record's, at start). */
void clock_at_least(struct clock *clock, uint64_t now_ms);
bool clock_is_test(const struct clock *clock);

uint64_t clock_monotonic_us(void);
uint64_t clock_monotonic_ms(void);
uint64_t clock_wall_ms(void);

/* Looks at the test file every 5 ms on the loop and calls back when it changed (`step_ms`: by
 * how much); without a test file looks once a second for steps of the wall clock of more
 * than 2 s. Engine time has taken the step when the callback runs. Must be unwatched before
 * the clock or the loop is closed. */
typedef void clock_changed_fn(void *owner, int64_t step_ms);
void clock_watch(struct clock *clock, uv_loop_t *loop, clock_changed_fn *on_changed, void *owner);
void clock_unwatch(struct clock *clock);

#endif
