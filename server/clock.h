/* Two clocks. Monotonic time is for timeouts and latencies. Engine time is what is
 * stored and what deadlines are compared with; it never goes back:
 *
 *   the wall clock rises          engine time goes with it: a step of less than a day is time
 *                                 passing
 *   it falls                      engine time runs on from where it was, at a steady pace, until
 *                                 the wall clock has caught up
 *   it jumps, more than a day     nobody knows which time is right: engine time runs on as if
 *   away from the steady clock    nothing had happened, and the clock is `held`. It is free again
 *                                 when the wall clock comes back, or when somebody accepts it
 *
 * The steady clock counts while the machine sleeps too, so waking up is no jump; neither is
 * whatever happened before clock_open. With --test-clock a file takes the wall clock's place: a
 * rise of any size is time passing, after a fall it runs on at the file's pace.
 *
 * clock_* functions are for any thread; clock_watch for the loop. */
#ifndef HOTLEAD_SERVER_CLOCK_H
#define HOTLEAD_SERVER_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "proto/status.h"

#define CLOCK_JUMP_MS 86400000 /* more than this is no step, but a doubt */
#define CLOCK_ADVICE                                                                               \
    "set the clock of this machine right, or take it as it is with: hotlead clock accept"

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

/* While the clock is held nothing may be done only because time has passed. Never with a test
 * file. */
bool clock_is_held(const struct clock *clock);
/* How far the wall clock has gone from the steady one since the start or the last accept; 0 with
 * a test file. */
int64_t clock_jump_ms(const struct clock *clock);
/* The wall clock is right as it is now: engine time follows it again. */
void clock_accept(struct clock *clock);

uint64_t clock_monotonic_us(void);
uint64_t clock_monotonic_ms(void);
uint64_t clock_wall_ms(void);

/* Looks at the test file every 5 ms on the loop and calls back when it changed (`step_ms`: by
 * how much); without a test file looks once a second for steps of the wall clock of more
 * than 2 s. Engine time has taken the step, or is held, when the callback runs. Must be unwatched
 * before the clock or the loop is closed. */
typedef void clock_changed_fn(void *owner, int64_t step_ms);
void clock_watch(struct clock *clock, uv_loop_t *loop, clock_changed_fn *on_changed, void *owner);
void clock_unwatch(struct clock *clock);

#endif
