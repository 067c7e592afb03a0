/* The writer's thread: a context of its own on the one thread that there is. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/must.h"
#include "tests/sim/fiber.h"
#include "tests/sim/loop_internal.h"

#ifdef __has_feature
#define ASAN __has_feature(address_sanitizer)
#else
#define ASAN 0
#endif
#if ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define STACK_BYTES ((size_t)1024 * 1024)

static char *stack;
static ucontext_t outside;
#if ASAN
static const void *outside_stack;
static size_t outside_bytes;
#endif

/* --- the fiber --------------------------------------------------------------------------- */

void fiber_run(void)
{
#if ASAN
    void *fake;
    __sanitizer_start_switch_fiber(&fake, stack, STACK_BYTES);
#endif
    loop.in_fiber = true;
    MUST(swapcontext(&outside, &loop.fiber.context) == 0);
    loop.in_fiber = false;
#if ASAN
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

static void switch_out(void)
{
#if ASAN
    void *fake;
    __sanitizer_start_switch_fiber(&fake, outside_stack, outside_bytes);
#endif
    MUST(swapcontext(&loop.fiber.context, &outside) == 0);
#if ASAN
    __sanitizer_finish_switch_fiber(fake, &outside_stack, &outside_bytes);
#endif
}

static void fiber_main(void)
{
#if ASAN
    __sanitizer_finish_switch_fiber(NULL, &outside_stack, &outside_bytes);
#endif
    loop.fiber.run(loop.fiber.argument);
    loop.fiber.finished = true;
    for (;;) {
        loop.fiber.wake_us = UINT64_MAX;
        switch_out();
    }
}

static void sleep_until(const void *condition, uint64_t wake_us)
{
    loop.fiber.waits_for = condition;
    loop.fiber.wake_us = wake_us;
    loop.fiber.told = false;
    switch_out();
}

void fiber_point(void)
{
    if (!loop.in_fiber)
        return;
    if (loop.doom > 0 && --loop.doom == 0) {
        loop.dead = true;
        for (;;)
            sleep_until(NULL, UINT64_MAX);
    }
    if (chance_below(16) == 0)
        sleep_until(NULL, loop.now_us + chance_below(chance_in(20) ? 20 * MS : MS));
}

int fiber_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                 void *argument)
{
    (void)attributes;
    memset(thread, 0, sizeof(*thread));
    if (stack == NULL)
        stack = malloc(STACK_BYTES);
    MUST(stack != NULL);
#if ASAN
    __asan_unpoison_memory_region(stack, STACK_BYTES); /* of a fiber that never came back */
#endif
    MUST(getcontext(&loop.fiber.context) == 0);
    loop.fiber.context.uc_stack.ss_sp = stack;
    loop.fiber.context.uc_stack.ss_size = STACK_BYTES;
    loop.fiber.context.uc_link = NULL;
    makecontext(&loop.fiber.context, fiber_main, 0);
    loop.fiber.run = run;
    loop.fiber.argument = argument;
    loop.fiber.exists = true;
    loop.fiber.finished = false;
    loop.fiber.waits_for = NULL;
    loop.fiber.wake_us = loop.now_us + chance_below(MS);
    return 0;
}

/* The loop's thread stands still until the fiber has ended: at the end of a process. */
static void wait_for_fiber(void)
{
    if (loop.fiber.wake_us == UINT64_MAX && !loop.fiber.told)
        broken("the writer's thread sleeps for ever");
    if (loop.fiber.wake_us > loop.now_us && loop.fiber.wake_us != UINT64_MAX)
        loop.now_us = loop.fiber.wake_us;
    fiber_run();
}

int fiber_join(pthread_t thread, void **result)
{
    (void)thread, (void)result;
    while (!loop.fiber.finished && loop.broken == 0)
        wait_for_fiber();
    loop.fiber.exists = false;
    return 0;
}

int fiber_lock(pthread_mutex_t *mutex)
{
    (void)mutex;
    fiber_point();
    return 0;
}

int fiber_unlock(pthread_mutex_t *mutex)
{
    (void)mutex;
    return 0;
}

int fiber_signal(pthread_cond_t *condition)
{
    if (loop.fiber.exists && !loop.in_fiber && loop.fiber.waits_for == condition) {
        loop.fiber.told = true;
        loop.fiber.waits_for = NULL;
        loop.fiber.wake_us = loop.now_us + chance_below(200);
    }
    return 0;
}

int fiber_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    (void)mutex;
    if (loop.in_fiber)
        sleep_until(condition, UINT64_MAX);
    else
        wait_for_fiber();
    return 0;
}

int fiber_wait_until(pthread_cond_t *condition, pthread_mutex_t *mutex,
                     const struct timespec *until)
{
    (void)mutex;
    sleep_until(condition, (uint64_t)until->tv_sec * SECOND + (uint64_t)until->tv_nsec / 1000);
    return loop.fiber.told ? 0 : ETIMEDOUT;
}

int fiber_clock(clockid_t id, struct timespec *out)
{
    (void)id;
    *out = (struct timespec){(time_t)(loop.now_us / SECOND), (long)(loop.now_us % SECOND * 1000)};
    return 0;
}

void fiber_exit(int code)
{
    broken("the writer gave up with %d", code);
    for (;;)
        sleep_until(NULL, UINT64_MAX);
}
