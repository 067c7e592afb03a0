/* A thread of its own with a loop of its own. libuv tells a signal to every loop that asked for it,
 * and gives it back to its default when the last one no longer does; so with this loop there is no
 * moment between two runs in which Ctrl-C would end the program, and none, however long a step
 * blocks the main thread, in which a second one would not. */
#include "bench/interrupt.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>
#include <uv.h>

#include "proto/must.h"

#define CTRL_C_EXIT 130

static uv_loop_t loop;
static uv_signal_t signals[2];
static uv_thread_t thread;
static atomic_uint came;

static void on_signal(uv_signal_t *handle, int number)
{
    (void)handle, (void)number;
    if (atomic_fetch_add(&came, 1) > 0)
        _exit(CTRL_C_EXIT);
}

static void watch(void *argument)
{
    (void)argument;
    uv_run(&loop, UV_RUN_DEFAULT);
}

void interrupt_watch(void)
{
    static const int numbers[] = {SIGINT, SIGTERM};

    MUST(uv_loop_init(&loop) == 0);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        MUST(uv_signal_init(&loop, &signals[i]) == 0);
        MUST(uv_signal_start(&signals[i], on_signal, numbers[i]) == 0);
    }
    MUST(uv_thread_create(&thread, watch, NULL) == 0);
}

bool interrupt_came(void)
{
    return atomic_load(&came) > 0;
}
