/* libuv and the clock as the server's parts see them, on the time of the world. What there is of
 * libuv is what they use. */
#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "server/clock.h"
#include "server/journal_ahead.h"
#include "tests/sim/loop_internal.h"

/* --- libuv ------------------------------------------------------------------------------- */

uint64_t uv_now(const uv_loop_t *uv)
{
    (void)uv;
    return loop.now_us / MS;
}

int uv_random(uv_loop_t *uv, uv_random_t *request, void *buffer, size_t bytes, unsigned flags,
              uv_random_cb call)
{
    (void)uv, (void)request, (void)flags, (void)call;
    chance_fill(buffer, bytes);
    return 0;
}

int uv_timer_init(uv_loop_t *uv, uv_timer_t *timer)
{
    (void)uv;
    memset(timer, 0, sizeof(*timer));
    timer->type = UV_TIMER;
    return 0;
}

static unsigned slot_of(const uv_timer_t *timer)
{
    unsigned slot = 0;

    while (slot < TIMERS_MAX && loop.timers[slot] != timer)
        slot++;
    return slot;
}

int uv_timer_stop(uv_timer_t *timer)
{
    unsigned slot = slot_of(timer);

    if (slot < TIMERS_MAX)
        loop.timers[slot] = NULL;
    return 0;
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb call, uint64_t timeout, uint64_t repeat)
{
    uv_timer_stop(timer);
    timer->timer_cb = call;
    timer->timeout = uv_now(NULL) + timeout;
    timer->repeat = repeat;
    unsigned slot = slot_of(NULL);
    MUST(slot < TIMERS_MAX);
    loop.timers[slot] = timer;
    return 0;
}

void uv_timer_set_repeat(uv_timer_t *timer, uint64_t repeat)
{
    timer->repeat = repeat;
}

uint64_t uv_timer_get_due_in(const uv_timer_t *timer)
{
    return timer->timeout > uv_now(NULL) ? timer->timeout - uv_now(NULL) : 0;
}

int uv_is_active(const uv_handle_t *handle)
{
    return handle->type == UV_TIMER && slot_of((const uv_timer_t *)handle) < TIMERS_MAX;
}

int uv_async_init(uv_loop_t *uv, uv_async_t *async, uv_async_cb call)
{
    (void)uv;
    async->async_cb = call;
    async->type = UV_ASYNC;
    loop.async = async;
    return 0;
}

int uv_async_send(uv_async_t *async)
{
    MUST(async == loop.async);
    if (!loop.async_sent)
        loop.async_us = loop.now_us + chance_below(300);
    loop.async_sent = true;
    return 0;
}

int uv_check_init(uv_loop_t *uv, uv_check_t *check)
{
    (void)uv;
    check->type = UV_CHECK;
    return 0;
}

int uv_check_start(uv_check_t *check, uv_check_cb call)
{
    check->check_cb = call;
    loop.check = check;
    return 0;
}

int uv_prepare_init(uv_loop_t *uv, uv_prepare_t *prepare)
{
    (void)uv;
    prepare->type = UV_PREPARE;
    return 0;
}

int uv_prepare_start(uv_prepare_t *prepare, uv_prepare_cb call)
{
    prepare->prepare_cb = call;
    loop.prepare = prepare;
    return 0;
}

void uv_unref(uv_handle_t *handle)
{
    (void)handle;
}

void uv_close(uv_handle_t *handle, uv_close_cb call)
{
    if (handle->type == UV_TIMER)
        uv_timer_stop((uv_timer_t *)handle);
    if (handle == (uv_handle_t *)loop.check)
        loop.check = NULL;
    if (handle == (uv_handle_t *)loop.prepare)
        loop.prepare = NULL;
    if (handle == (uv_handle_t *)loop.async) {
        loop.async = NULL;
        loop.async_sent = false;
    }
    handle->close_cb = call;
    MUST(loop.closing_count < TIMERS_MAX);
    loop.closing[loop.closing_count++] = handle;
}

/* --- the clock --------------------------------------------------------------------------- */

struct clock {
    uint64_t least_ms;
};

enum status clock_open(const char *test_file, struct clock **out)
{
    (void)test_file;
    *out = calloc(1, sizeof(**out));
    return STATUS_OK;
}

void clock_close(struct clock *clock)
{
    free(clock);
}

uint64_t clock_now_ms(struct clock *clock)
{
    fiber_point();
    uint64_t now_ms = loop_engine_ms();
    return now_ms > clock->least_ms ? now_ms : clock->least_ms;
}

void clock_at_least(struct clock *clock, uint64_t now_ms)
{
    clock->least_ms = now_ms;
}

bool clock_is_test(const struct clock *clock)
{
    (void)clock;
    return false;
}

bool clock_is_held(const struct clock *clock)
{
    (void)clock;
    return false;
}

uint64_t clock_monotonic_us(void)
{
    fiber_point();
    return loop.now_us;
}

uint64_t clock_monotonic_ms(void)
{
    fiber_point();
    return loop.now_us / MS;
}

uint64_t clock_wall_ms(void)
{
    return loop_engine_ms();
}

/* --- the disk is written ahead by a real thread: not here --------------------------------- */

struct journal_ahead *journal_ahead_open(const struct journal_ahead_options *options)
{
    (void)options;
    return NULL;
}

void journal_ahead_follow(struct journal_ahead *ahead, uint64_t used_bytes)
{
    (void)ahead, (void)used_bytes;
}

void journal_ahead_stop(struct journal_ahead *ahead)
{
    (void)ahead;
}

void journal_ahead_close(struct journal_ahead *ahead)
{
    (void)ahead;
}

/* --- timers, for the loop ----------------------------------------------------------------- */

uv_timer_t *first_timer(void)
{
    uv_timer_t *first = NULL;

    for (unsigned i = 0; i < TIMERS_MAX; i++) {
        uv_timer_t *timer = loop.timers[i];
        if (timer != NULL && (first == NULL || timer->timeout < first->timeout))
            first = timer;
    }
    return first;
}

void run_timer(uv_timer_t *timer)
{
    uv_timer_cb call = timer->timer_cb;
    uint64_t repeat = timer->repeat;

    uv_timer_stop(timer);
    if (repeat > 0)
        uv_timer_start(timer, call, repeat, repeat);
    call(timer);
}
