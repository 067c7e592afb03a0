/* What loop.h is made of: loop.c (chance, events, steps, what was said), loop_fiber.c (the writer's
 * thread), loop_uv.c (libuv and the clock, as the server sees them). */
#ifndef HOTLEAD_TESTS_SIM_LOOP_INTERNAL_H
#define HOTLEAD_TESTS_SIM_LOOP_INTERNAL_H

#include <setjmp.h>
#include <ucontext.h>
#include <uv.h>

#include "tests/sim/loop.h"

#define TIMERS_MAX 16

struct fiber {
    ucontext_t context;
    void *(*run)(void *);
    void *argument;
    bool exists, finished;
    const void *waits_for; /* a condition, NULL: for time alone */
    uint64_t wake_us;      /* UINT64_MAX: only when told */
    bool told;
};

extern struct world_loop {
    uint64_t seed, state[4];
    uint64_t now_us, engine_ahead_ms, order;
    struct event *events;
    uv_timer_t *timers[TIMERS_MAX];
    uv_handle_t *closing[TIMERS_MAX];
    unsigned closing_count;
    uv_check_t *check;
    uv_prepare_t *prepare;
    uv_async_t *async;
    bool async_sent;
    uint64_t async_us;

    struct fiber fiber;
    bool in_fiber;
    unsigned doom;
    bool dead;
    death_fn *on_death;
    void *death_owner;
    jmp_buf ground; /* where a process that dies on the loop's side falls back to */
    bool grounded;

    bool aloud;
    uint64_t digest;
    unsigned broken;
} loop;

/* --- loop.c ------------------------------------------------------------------------------ */

void chance_fill(void *buffer, size_t bytes);

/* --- loop_fiber.c ------------------------------------------------------------------------ */

void fiber_run(void);   /* until it sleeps */
void fiber_point(void); /* a point at which it may be overtaken, or be the last that it came to */

/* --- loop_uv.c --------------------------------------------------------------------------- */

uv_timer_t *first_timer(void);
void run_timer(uv_timer_t *timer);

#endif
