#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "proto/must.h"
#include "tests/sim/loop_internal.h"

#define START_MS 1700000000000ull

struct world_loop loop;

/* --- chance: xoshiro256** ---------------------------------------------------------------- */

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

uint64_t chance_number(void)
{
    uint64_t *s = loop.state, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t chance_below(uint64_t limit)
{
    return limit > 0 ? chance_number() % limit : 0;
}

uint64_t chance_between(uint64_t least, uint64_t most)
{
    return least + chance_below(most - least + 1);
}

bool chance_in(unsigned hundredths)
{
    return chance_below(100) < hundredths;
}

void chance_fill(void *buffer, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        ((unsigned char *)buffer)[i] = (unsigned char)(chance_number() >> 24);
}

static const char *random_name(void)
{
    return "seed";
}

static uint32_t random_word(void)
{
    return (uint32_t)(chance_number() >> 16);
}

static struct randombytes_implementation seeded = {
    .implementation_name = random_name, .random = random_word, .buf = chance_fill};

void loop_begin(uint64_t seed)
{
    bool aloud = loop.aloud;
    uint64_t mixed = seed;

    /* Its first start takes numbers for itself. */
    MUST(randombytes_set_implementation(&seeded) == 0 && sodium_init() >= 0);
    loop = (struct world_loop){.seed = seed, .aloud = aloud, .now_us = 1000 * SECOND};
    for (int i = 0; i < 4; i++) { /* splitmix64 */
        uint64_t z = mixed += 0x9e3779b97f4a7c15ull;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ z >> 27) * 0x94d049bb133111ebull;
        loop.state[i] = z ^ z >> 31;
    }
}

/* --- time -------------------------------------------------------------------------------- */

uint64_t loop_now_us(void)
{
    return loop.now_us;
}

uint64_t loop_engine_ms(void)
{
    return START_MS + loop.engine_ahead_ms + loop.now_us / MS;
}

void loop_set_forward(uint64_t ms)
{
    loop.engine_ahead_ms += ms;
}

/* --- events ------------------------------------------------------------------------------ */

void event_cancel(struct event *event)
{
    struct event **at = &loop.events;

    while (event->queued && *at != event)
        at = &(*at)->next;
    if (event->queued)
        *at = event->next;
    event->queued = false;
}

void event_at(struct event *event, uint64_t at_us, event_fn *fn, void *owner)
{
    struct event **at = &loop.events;

    event_cancel(event);
    *event = (struct event){
        .at_us = at_us, .order = loop.order++, .fn = fn, .owner = owner, .queued = true};
    while (*at != NULL && (*at)->at_us <= at_us)
        at = &(*at)->next;
    event->next = *at;
    *at = event;
}

/* --- a process that dies ----------------------------------------------------------------- */

void loop_doom(unsigned points, death_fn *on_death, void *owner)
{
    loop.doom = points;
    loop.on_death = on_death;
    loop.death_owner = owner;
}

void loop_point(void)
{
    if (loop.in_fiber || !loop.grounded || loop.doom == 0 || --loop.doom > 0)
        return;
    loop.dead = true;
    longjmp(loop.ground, 1);
}

static void call_closed(void)
{
    while (loop.closing_count > 0) {
        uv_handle_t *handle = loop.closing[--loop.closing_count];
        handle->close_cb(handle);
    }
}

void loop_bury(void)
{
    call_closed();
    memset(loop.timers, 0, sizeof(loop.timers));
    loop.check = NULL;
    loop.prepare = NULL;
    loop.async = NULL;
    loop.async_sent = false;
    loop.fiber = (struct fiber){.wake_us = UINT64_MAX};
}

/* --- a step ------------------------------------------------------------------------------ */

static void move_on(uint64_t at_us)
{
    if (at_us > loop.now_us)
        loop.now_us = at_us;
}

/* What is due first: an event, a timer, the async, or the fiber. */
static void run_next(void)
{
    struct event *event = loop.events;
    uv_timer_t *timer = first_timer();
    uint64_t event_us = event != NULL ? event->at_us : UINT64_MAX;
    uint64_t timer_us = timer != NULL ? timer->timeout * MS : UINT64_MAX;
    uint64_t async_us = loop.async_sent ? loop.async_us : UINT64_MAX;
    uint64_t fiber_us = loop.fiber.exists && !loop.fiber.finished ? loop.fiber.wake_us : UINT64_MAX;

    if (fiber_us <= event_us && fiber_us <= timer_us && fiber_us <= async_us) {
        MUST(fiber_us != UINT64_MAX);
        move_on(fiber_us);
        fiber_run();
    } else if (async_us <= event_us && async_us <= timer_us) {
        move_on(async_us);
        loop.async_sent = false;
        loop.async->async_cb(loop.async);
    } else if (timer_us <= event_us) {
        move_on(timer_us);
        run_timer(timer);
    } else {
        move_on(event_us);
        event_cancel(event);
        event->fn(event);
    }
}

void loop_step(void)
{
    loop.grounded = true;
    if (setjmp(loop.ground) == 0) {
        run_next();
        call_closed();
        if (loop.check != NULL)
            loop.check->check_cb(loop.check);
        if (loop.prepare != NULL)
            loop.prepare->prepare_cb(loop.prepare);
    }
    loop.grounded = false;
    if (!loop.dead)
        return;
    loop.dead = false;
    loop.on_death(loop.death_owner);
}

/* --- what happened ----------------------------------------------------------------------- */

void say_aloud(bool aloud)
{
    loop.aloud = aloud;
}

static void say_line(const char *format, va_list arguments)
{
    char line[512];
    int length = vsnprintf(line, sizeof(line), format, arguments);

    if (length >= (int)sizeof(line))
        length = (int)sizeof(line) - 1;
    loop.digest = XXH3_64bits_withSeed(line, (size_t)length, loop.digest ^ loop.now_us);
    if (loop.aloud)
        printf("%10.3f  %s\n", (double)(loop.now_us - 1000 * SECOND) / 1e6, line);
}

void say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say_line(format, arguments);
    va_end(arguments);
}

uint64_t said_digest(void)
{
    return loop.digest;
}

void broken(const char *format, ...)
{
    char line[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    say("BROKEN %s", line);
    if (loop.broken++ < 5)
        printf("seed %llu, at %.3f s: %s\n", (unsigned long long)loop.seed,
               (double)(loop.now_us - 1000 * SECOND) / 1e6, line);
}

unsigned broken_count(void)
{
    return loop.broken;
}
