/* Engine time from the wall clock = the steady clock + `ahead_ns`, the largest difference between
 * the two that was ever seen and believed. So a rise raises it, a fall changes nothing, and a
 * jump, which is not believed, changes nothing either: no thread has to agree with another on
 * when that happened.
 *
 * Engine time from the test file = its number + `offset_ms`, which is what the number has fallen,
 * all in all. The file is read at each question, so whoever set it finds everything that happens
 * afterwards at the new time. It is opened by its path, because it may be replaced by a
 * rename as well as rewritten in place. What is not one sound number, read alike twice, is a
 * rewrite in progress: the newest answer stands. */
#include "server/clock.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/memory.h"
#include "proto/must.h"

#define NS_PER_MS    1000000
#define NS_PER_S     1000000000
#define TEST_LOOK_MS 5
#define WALL_LOOK_MS 1000
#define WALL_STEP_MS 2000 /* less is ordinary slewing and a busy machine */

struct clock {
    char *test_file; /* NULL: the wall clock */

    /* With the wall clock: differences between it and the steady clock. */
    atomic_int_least64_t home_ns;  /* at the start or the last accept: where it belongs */
    atomic_int_least64_t ahead_ns; /* the largest that was believed */

    /* With a test file. */
    atomic_uint_least64_t offset_ms; /* sum of falls */
    atomic_uint_least64_t now_ms;    /* newest answer */

    uv_timer_t *timer; /* loop thread, as all below */
    clock_changed_fn *on_changed;
    void *owner;
    uint64_t test_ms;  /* what the latest look at the test file saw */
    int64_t looked_ns; /* the difference, at the latest look at the wall clock */
};

static uint64_t read_clock(clockid_t id, uint64_t per_second)
{
    struct timespec now;

    MUST(clock_gettime(id, &now) == 0);
    return (uint64_t)now.tv_sec * per_second + (uint64_t)now.tv_nsec / (1000000000 / per_second);
}

uint64_t clock_monotonic_us(void)
{
    return read_clock(CLOCK_MONOTONIC, 1000000);
}

uint64_t clock_monotonic_ms(void)
{
    return read_clock(CLOCK_MONOTONIC, 1000);
}

uint64_t clock_wall_ms(void)
{
    return read_clock(CLOCK_REALTIME, 1000);
}

static int64_t read_steady_ns(void)
{
    return (int64_t)read_clock(CLOCK_BOOTTIME, NS_PER_S);
}

/* What the wall clock shows more than the steady one. The wall is read first: a thread that is
 * stopped between the two sees too little, which changes nothing, and never too much. */
static int64_t read_difference_ns(int64_t *steady_ns_out)
{
    int64_t wall_ns = (int64_t)read_clock(CLOCK_REALTIME, NS_PER_S);

    *steady_ns_out = read_steady_ns();
    return wall_ns - *steady_ns_out;
}

static int64_t difference_ns(void)
{
    int64_t steady_ns;

    return read_difference_ns(&steady_ns);
}

/* Digits, then nothing but white space. Numbers of the year 5138 and later are not times. */
static bool parse_ms(const char *text, size_t length, uint64_t *out)
{
    const uint64_t most = 100000000000000;
    uint64_t number = 0;
    size_t i = 0;

    while (i < length && text[i] >= '0' && text[i] <= '9' && number < most)
        number = number * 10 + (uint64_t)(text[i++] - '0');
    if (i == 0 || number >= most)
        return false;
    while (i < length && (text[i] == '\n' || text[i] == '\r' || text[i] == ' ' || text[i] == '\t'))
        i++;
    *out = number;
    return i == length;
}

static bool read_test_file_once(const char *path, uint64_t *out)
{
    char text[64];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    ssize_t length = pread(fd, text, sizeof text, 0);
    close(fd);
    return length > 0 && length < (ssize_t)sizeof text && parse_ms(text, (size_t)length, out);
}

/* Half of the old number and half of the new one would be sound too, but not twice. */
static bool read_test_file(const char *path, uint64_t *out)
{
    uint64_t again;

    return read_test_file_once(path, out) && read_test_file_once(path, &again) && *out == again;
}

enum status clock_open(const char *test_file, struct clock **out)
{
    uint64_t first_ms = 0;

    if (test_file && !read_test_file(test_file, &first_ms))
        return STATUS_INVALID;
    struct clock *clock = memory_take_zeroed(1, sizeof *clock);
    if (test_file)
        clock->test_file = strcpy(memory_take(strlen(test_file) + 1), test_file);
    atomic_store(&clock->now_ms, first_ms);
    atomic_store(&clock->home_ns, difference_ns());
    atomic_store(&clock->ahead_ns, atomic_load(&clock->home_ns));
    clock_now_ms(clock); /* a fall counts from here on, whether or not somebody asked before */
    *out = clock;
    return STATUS_OK;
}

void clock_close(struct clock *clock)
{
    if (!clock)
        return;
    MUST(!clock->timer);
    free(clock->test_file);
    free(clock);
}

bool clock_is_test(const struct clock *clock)
{
    return clock->test_file;
}

/* --- the wall clock -------------------------------------------------------------- */

static bool is_jump(const struct clock *clock, int64_t difference)
{
    int64_t away_ns = difference - atomic_load(&clock->home_ns);

    return away_ns > (int64_t)CLOCK_JUMP_MS * NS_PER_MS ||
           away_ns < -(int64_t)CLOCK_JUMP_MS * NS_PER_MS;
}

static int64_t raise_ahead(struct clock *clock, int64_t least_ns)
{
    int64_t present = atomic_load(&clock->ahead_ns);

    while (present < least_ns &&
           !atomic_compare_exchange_weak(&clock->ahead_ns, &present, least_ns))
        ;
    return present < least_ns ? least_ns : present;
}

static uint64_t wall_now_ms(struct clock *clock)
{
    int64_t steady_ns, difference = read_difference_ns(&steady_ns);
    int64_t ahead_ns =
        is_jump(clock, difference) ? atomic_load(&clock->ahead_ns) : raise_ahead(clock, difference);

    return (uint64_t)(steady_ns + ahead_ns) / NS_PER_MS;
}

bool clock_is_held(const struct clock *clock)
{
    return !clock->test_file && is_jump(clock, difference_ns());
}

int64_t clock_jump_ms(const struct clock *clock)
{
    if (clock->test_file)
        return 0;
    return (difference_ns() - atomic_load(&clock->home_ns)) / NS_PER_MS;
}

void clock_accept(struct clock *clock)
{
    atomic_store(&clock->home_ns, difference_ns());
}

/* --- the test file --------------------------------------------------------------- */

/* Raises `newest` to `least`; answers what it is then. */
static uint64_t raise_to(atomic_uint_least64_t *newest, uint64_t least)
{
    uint64_t present = atomic_load(newest);

    while (present < least && !atomic_compare_exchange_weak(newest, &present, least))
        ;
    return present < least ? least : present;
}

/* The order of the loads decides. `newest` is read before the file, so an answer below it
 * means that the number fell, not that another thread was faster. The offset is read on
 * both sides of the file, so that a number from before a fall is not added to the offset
 * that makes up for it. */
static uint64_t test_now_ms(struct clock *clock)
{
    for (;;) {
        uint64_t newest_ms = atomic_load(&clock->now_ms);
        uint64_t offset_ms = atomic_load(&clock->offset_ms);
        uint64_t ms;

        if (!read_test_file(clock->test_file, &ms))
            return atomic_load(&clock->now_ms);
        if (ms + offset_ms >= newest_ms) {
            if (atomic_load(&clock->offset_ms) == offset_ms)
                return raise_to(&clock->now_ms, ms + offset_ms);
        } else {
            /* Whoever loses this race has read an offset that is not valid any more. */
            atomic_compare_exchange_strong(&clock->offset_ms, &offset_ms, newest_ms - ms);
        }
    }
}

/* --- either ---------------------------------------------------------------------- */

uint64_t clock_now_ms(struct clock *clock)
{
    return clock->test_file ? test_now_ms(clock) : wall_now_ms(clock);
}

void clock_at_least(struct clock *clock, uint64_t now_ms)
{
    if (clock->test_file)
        raise_to(&clock->now_ms, now_ms);
    else
        raise_ahead(clock, (int64_t)now_ms * NS_PER_MS - read_steady_ns());
}

/* --- watching, loop thread ---------------------------------------------------- */

static void look_at_test_file(struct clock *clock)
{
    uint64_t before_ms = clock->test_ms;
    uint64_t ms;

    if (!read_test_file(clock->test_file, &ms) || ms == before_ms)
        return;
    clock->test_ms = ms;
    clock_now_ms(clock); /* a fall is absorbed now, before the next rise hides it */
    clock->on_changed(clock->owner, (int64_t)(ms - before_ms));
}

static void look_at_wall(struct clock *clock)
{
    int64_t difference = difference_ns();
    int64_t step_ms = (difference - clock->looked_ns) / NS_PER_MS;

    clock->looked_ns = difference;
    clock_now_ms(clock);
    if (step_ms > WALL_STEP_MS || step_ms < -WALL_STEP_MS)
        clock->on_changed(clock->owner, step_ms);
}

static void on_look(uv_timer_t *timer)
{
    struct clock *clock = timer->data;

    if (clock->test_file)
        look_at_test_file(clock);
    else
        look_at_wall(clock);
}

void clock_watch(struct clock *clock, uv_loop_t *loop, clock_changed_fn *on_changed, void *owner)
{
    uint64_t every_ms = clock->test_file ? TEST_LOOK_MS : WALL_LOOK_MS;

    MUST(!clock->timer);
    clock->on_changed = on_changed;
    clock->owner = owner;
    if (clock->test_file && !read_test_file(clock->test_file, &clock->test_ms))
        clock->test_ms = 0; /* the first sound look is a change */
    clock->looked_ns = difference_ns();
    clock->timer = memory_take(sizeof *clock->timer);
    MUST(uv_timer_init(loop, clock->timer) == 0);
    clock->timer->data = clock;
    MUST(uv_timer_start(clock->timer, on_look, every_ms, every_ms) == 0);
    uv_unref((uv_handle_t *)clock->timer); /* a look alone does not keep a loop running */
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void clock_unwatch(struct clock *clock)
{
    if (!clock->timer)
        return;
    uv_close((uv_handle_t *)clock->timer, free_handle);
    clock->timer = NULL;
}
