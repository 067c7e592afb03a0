/* Time, chance, and who runs next. Everything that happens in the world happens here: events, the
 * timers of libuv (whose functions this file provides), and the writer's thread, which is a fiber
 * of the same thread and goes to sleep where the real one could be overtaken. All from one seed, so
 * a run can be had again, to the byte. */
#ifndef HOTLEAD_TESTS_SIM_LOOP_H
#define HOTLEAD_TESTS_SIM_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MS     1000ull /* the world counts in us */
#define SECOND (1000 * MS)

/* Begins a run; what was left of the one before is forgotten. */
void loop_begin(uint64_t seed);

/* --- chance ------------------------------------------------------------------------------ */

uint64_t chance_number(void);
uint64_t chance_below(uint64_t limit);
uint64_t chance_between(uint64_t least, uint64_t most); /* both included */
bool chance_in(unsigned hundredths);                    /* so many of a hundred times */

/* --- time -------------------------------------------------------------------------------- */

uint64_t loop_now_us(void);    /* steady */
uint64_t loop_engine_ms(void); /* what is stored: the wall clock, which may be set */
void loop_set_forward(uint64_t ms);

/* --- events ------------------------------------------------------------------------------ */

struct event;
typedef void event_fn(struct event *event);
struct event {
    uint64_t at_us, order;
    event_fn *fn;
    void *owner;
    bool queued;
    struct event *next;
};
/* Queued anew, if it was queued already. */
void event_at(struct event *event, uint64_t at_us, event_fn *fn, void *owner);
void event_cancel(struct event *event);

/* The next thing happens. */
void loop_step(void);

/* --- the end of a process ---------------------------------------------------------------- */

/* The process dies at the `points`th point from here at which it may: a look at the clock or a lock
 * taken by the writer's thread, and whatever calls loop_point on the loop's. Then on_death is
 * called with nothing of the process on the stack. 0: not any more. */
typedef void death_fn(void *owner);
void loop_doom(unsigned points, death_fn *on_death, void *owner);
void loop_point(void);
/* Forgets timers and the fiber of the process that died; handles that it closed are called back. */
void loop_bury(void);

/* --- what happened ----------------------------------------------------------------------- */

/* Joins the digest of the run, and is printed when the run is traced. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_aloud(bool aloud);
uint64_t said_digest(void);

/* Something that must never be was seen: prints it with seed and time, and the run has failed. */
void broken(const char *format, ...) __attribute__((format(printf, 1, 2)));
unsigned broken_count(void);

#endif
