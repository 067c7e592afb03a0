#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "server/clock.h"

/* The wall clock of this program and the steady one, interposed: real while they are 0. */
static atomic_int_least64_t fake_wall_ms, fake_steady_ms;

int clock_gettime(clockid_t id, struct timespec *out)
{
    int64_t fake_ms = id == CLOCK_REALTIME   ? atomic_load(&fake_wall_ms)
                      : id == CLOCK_BOOTTIME ? atomic_load(&fake_steady_ms)
                                             : 0;

    if (fake_ms == 0)
        return (int)syscall(SYS_clock_gettime, id, out);
    out->tv_sec = fake_ms / 1000;
    out->tv_nsec = fake_ms % 1000 * 1000000;
    return 0;
}

static char path[64], next_path[72];
static struct clock *test_clock;

static void file_says(const char *file, const char *text)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static int make_file(void **state)
{
    (void)state;
    strcpy(path, "/tmp/test_clock.XXXXXX");
    int fd = mkstemp(path);
    close(fd);
    snprintf(next_path, sizeof next_path, "%s.next", path);
    file_says(path, "1000000\n");
    return fd >= 0 ? 0 : -1;
}

static int remove_file(void **state)
{
    (void)state;
    atomic_store(&fake_wall_ms, 0);
    return unlink(path);
}

/* --- the wall clock ------------------------------------------------------------- */

#define HOUR   INT64_C(3600000)
#define DAY    (24 * HOUR)
#define WALL_0 INT64_C(1700000000000)

static int open_wall(void **state)
{
    (void)state;
    atomic_store(&fake_wall_ms, WALL_0);
    atomic_store(&fake_steady_ms, 5000);
    return clock_open(NULL, &test_clock) == STATUS_OK ? 0 : -1;
}

static int close_wall(void **state)
{
    (void)state;
    clock_close(test_clock);
    atomic_store(&fake_wall_ms, 0);
    atomic_store(&fake_steady_ms, 0);
    return 0;
}

/* Somebody sets the wall clock; engine time now, as against the start, comes back. */
static int64_t step(int64_t wall_ms)
{
    atomic_fetch_add(&fake_wall_ms, wall_ms);
    return (int64_t)clock_now_ms(test_clock) - WALL_0;
}

/* Time passes. */
static int64_t pass(int64_t ms)
{
    atomic_fetch_add(&fake_steady_ms, ms);
    return step(ms);
}

static void engine_time_is_the_wall_clock(void **state)
{
    (void)state;
    assert_int_equal(pass(0), 0);
    assert_int_equal(pass(5), 5);
    assert_int_equal(pass(400 * DAY), 400 * DAY + 5);
    assert_false(clock_is_held(test_clock));
    assert_false(clock_is_test(test_clock));
}

static void after_a_fall_time_runs_on_from_where_it_was(void **state)
{
    (void)state;
    pass(1000);
    assert_int_equal(step(-HOUR), 1000);
    assert_int_equal(pass(250), 1250);
    assert_false(clock_is_held(test_clock));
}

static void a_fall_that_is_mended_leaves_no_trace(void **state)
{
    (void)state;
    step(-HOUR);
    pass(1000);
    assert_int_equal(step(HOUR), 1000);
    assert_int_equal(pass(1), 1001);
}

static void a_rise_of_less_than_a_day_is_time_passing(void **state)
{
    (void)state;
    assert_int_equal(step(DAY), DAY);
    assert_false(clock_is_held(test_clock));
    assert_int_equal(clock_jump_ms(test_clock), DAY);
}

static void a_jump_holds_the_clock_and_time_runs_on_as_if_nothing_had_happened(void **state)
{
    static const int64_t jumps[] = {DAY + 1, 3650 * DAY, -DAY - 1, -3650 * DAY};
    int64_t passed_ms = 0;

    (void)state;
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        assert_int_equal(step(jumps[i]), passed_ms);
        assert_true(clock_is_held(test_clock));
        assert_int_equal(clock_jump_ms(test_clock), jumps[i]);
        passed_ms += 1000;
        assert_int_equal(pass(1000), passed_ms);
        step(-jumps[i]);
    }
}

static void a_wall_clock_that_comes_back_is_not_held_any_more(void **state)
{
    (void)state;
    step(2 * DAY);
    pass(1000);
    assert_int_equal(step(-2 * DAY), 1000);
    assert_false(clock_is_held(test_clock));
    assert_int_equal(pass(1000), 2000);
}

static void small_steps_that_add_up_are_a_jump(void **state)
{
    (void)state;
    assert_int_equal(step(20 * HOUR), 20 * HOUR);
    assert_int_equal(step(20 * HOUR), 20 * HOUR);
    assert_true(clock_is_held(test_clock));
}

static void an_accepted_rise_is_followed(void **state)
{
    (void)state;
    step(10 * DAY);
    clock_accept(test_clock);
    assert_false(clock_is_held(test_clock));
    assert_int_equal(clock_jump_ms(test_clock), 0);
    assert_int_equal(pass(1000), 10 * DAY + 1000);
    step(DAY + 1);
    assert_true(clock_is_held(test_clock));
}

static void after_an_accepted_fall_time_runs_on(void **state)
{
    (void)state;
    pass(1000);
    step(-10 * DAY);
    clock_accept(test_clock);
    assert_false(clock_is_held(test_clock));
    assert_int_equal(pass(500), 1500);
}

static void a_machine_that_slept_has_not_jumped(void **state)
{
    (void)state;
    assert_int_equal(pass(3 * DAY), 3 * DAY); /* the steady clock went on */
    assert_false(clock_is_held(test_clock));
}

static void time_goes_on_from_the_last_record_when_the_clock_fell_while_down(void **state)
{
    (void)state;
    clock_at_least(test_clock, (uint64_t)(WALL_0 + 3 * DAY));
    assert_false(clock_is_held(test_clock));
    assert_int_equal(pass(0), 3 * DAY);
    assert_int_equal(pass(100), 3 * DAY + 100);
}

static void an_older_last_record_changes_nothing(void **state)
{
    (void)state;
    clock_at_least(test_clock, (uint64_t)(WALL_0 - 1000));
    assert_int_equal(pass(0), 0);
}

static atomic_bool falls_are_over;
static atomic_uint falls_seen;

static void *ask_all_the_time(void *unused)
{
    uint64_t last_ms = 0;

    (void)unused;
    while (!atomic_load(&falls_are_over)) {
        uint64_t now_ms = clock_now_ms(test_clock);
        if (now_ms < last_ms)
            atomic_fetch_add(&falls_seen, 1);
        last_ms = now_ms;
    }
    return NULL;
}

static void no_thread_sees_time_fall_whatever_the_wall_clock_does(void **state)
{
    static const int64_t steps[] = {HOUR, -HOUR, 2 * DAY, -2 * DAY, -3 * DAY, 3 * DAY};
    pthread_t threads[2];

    (void)state;
    atomic_store(&falls_are_over, false);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_all_the_time, NULL), 0);
    for (size_t i = 0; i < 20000; i++) {
        pass(1);
        step(steps[i % (sizeof steps / sizeof *steps)]);
    }
    atomic_store(&falls_are_over, true);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&falls_seen), 0);
    /* A rise by an hour was believed, what jumped never. */
    assert_in_range(clock_now_ms(test_clock), WALL_0 + 20000 + HOUR, WALL_0 + 20001 + HOUR);
}

static void monotonic_time_does_not_follow_the_wall(void **state)
{
    (void)state;
    uint64_t before_us = clock_monotonic_us();
    atomic_store(&fake_wall_ms, 1);
    uint64_t after_us = clock_monotonic_us();
    assert_true(after_us >= before_us && after_us - before_us < 60000000);
    assert_true(clock_monotonic_ms() >= before_us / 1000);
    assert_int_equal(clock_wall_ms(), 1);
}

/* --- the test file ---------------------------------------------------------------- */

static void time_in_test_mode_is_what_the_file_says(void **state)
{
    (void)state;
    assert_int_equal(clock_open(path, &test_clock), STATUS_OK);
    assert_true(clock_is_test(test_clock));
    assert_int_equal(clock_now_ms(test_clock), 1000000);
    assert_int_equal(clock_now_ms(test_clock), 1000000);
    clock_close(test_clock);
}

static void a_file_without_a_sound_number_is_invalid(void **state)
{
    static const char *const bad[] = {"",
                                      "\n",
                                      "x",
                                      "-5",
                                      "12x",
                                      "1 2",
                                      "0x10",
                                      "1.5",
                                      " 100",
                                      "999999999999999999999999",
                                      "100000000000000"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        file_says(path, bad[i]);
        if (clock_open(path, &test_clock) != STATUS_INVALID)
            fail_msg("taken: '%s'", bad[i]);
    }
    assert_int_equal(clock_open("/nonexistent/clock", &test_clock), STATUS_INVALID);
}

static void white_space_behind_the_number_is_fine(void **state)
{
    (void)state;
    file_says(path, "42 \r\n\n");
    assert_int_equal(clock_open(path, &test_clock), STATUS_OK);
    assert_int_equal(clock_now_ms(test_clock), 42);
    clock_close(test_clock);
}

static void a_change_of_the_file_counts_from_the_next_question_on(void **state)
{
    (void)state;
    assert_int_equal(clock_open(path, &test_clock), STATUS_OK);
    file_says(path, "1000600");
    assert_int_equal(clock_now_ms(test_clock), 1000600);
    file_says(path, "400000");
    assert_int_equal(clock_now_ms(test_clock), 1000600);
    file_says(path, "");
    assert_int_equal(clock_now_ms(test_clock), 1000600);
    file_says(path, "400001");
    assert_int_equal(clock_now_ms(test_clock), 1000601);
    clock_close(test_clock);
}

struct watch {
    uv_loop_t loop;
    uv_timer_t deadline;
    unsigned changes;
    int64_t step_ms;
    uint64_t now_ms;
    bool late;
};

static void on_changed(void *owner, int64_t step_ms)
{
    struct watch *watch = owner;

    watch->changes++;
    watch->step_ms = step_ms;
    watch->now_ms = clock_now_ms(test_clock);
    uv_stop(&watch->loop);
}

static void on_deadline(uv_timer_t *timer)
{
    struct watch *watch = timer->data;

    watch->late = true;
    uv_stop(&watch->loop);
}

static void watch_begin(struct watch *watch)
{
    memset(watch, 0, sizeof *watch);
    assert_int_equal(uv_loop_init(&watch->loop), 0);
    assert_int_equal(uv_timer_init(&watch->loop, &watch->deadline), 0);
    watch->deadline.data = watch;
    clock_watch(test_clock, &watch->loop, on_changed, watch);
}

/* Runs the loop until the clock changed or `within_ms` have passed. */
static bool watch_sees_change(struct watch *watch, unsigned within_ms)
{
    unsigned before = watch->changes;

    watch->late = false;
    uv_update_time(&watch->loop);
    assert_int_equal(uv_timer_start(&watch->deadline, on_deadline, within_ms, 0), 0);
    uv_run(&watch->loop, UV_RUN_DEFAULT);
    return watch->changes > before;
}

static void watch_end(struct watch *watch)
{
    clock_unwatch(test_clock);
    uv_close((uv_handle_t *)&watch->deadline, NULL);
    uv_run(&watch->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&watch->loop), 0);
}

static void a_change_of_the_file_is_seen_rewritten_or_renamed(void **state)
{
    struct watch watch;

    (void)state;
    assert_int_equal(clock_open(path, &test_clock), STATUS_OK);
    watch_begin(&watch);

    file_says(path, "1000600");
    assert_true(watch_sees_change(&watch, 10000));
    assert_int_equal(watch.step_ms, 600);
    assert_int_equal(watch.now_ms, 1000600);

    file_says(next_path, "1000700\n");
    assert_int_equal(rename(next_path, path), 0);
    assert_true(watch_sees_change(&watch, 10000));
    assert_int_equal(clock_now_ms(test_clock), 1000700);

    watch_end(&watch);
    clock_close(test_clock);
}

static void a_fall_of_the_file_is_a_step_back_of_the_wall_clock(void **state)
{
    struct watch watch;

    (void)state;
    assert_int_equal(clock_open(path, &test_clock), STATUS_OK);
    assert_int_equal(clock_now_ms(test_clock), 1000000);
    watch_begin(&watch);

    file_says(path, "400000");
    assert_true(watch_sees_change(&watch, 10000));
    assert_int_equal(watch.step_ms, -600000);
    assert_int_equal(watch.now_ms, 1000000);
    file_says(path, "400050");
    assert_true(watch_sees_change(&watch, 10000));
    assert_int_equal(watch.now_ms, 1000050);

    watch_end(&watch);
    clock_close(test_clock);
}

static void garbage_in_the_file_leaves_the_last_value(void **state)
{
    struct watch watch;

    (void)state;
    assert_int_equal(clock_open(path, &test_clock), STATUS_OK);
    watch_begin(&watch);
    file_says(path, "");
    assert_false(watch_sees_change(&watch, 30));
    file_says(path, "12h");
    assert_false(watch_sees_change(&watch, 30));
    assert_int_equal(clock_now_ms(test_clock), 1000000);
    file_says(path, "1000001");
    assert_true(watch_sees_change(&watch, 10000));
    assert_int_equal(clock_now_ms(test_clock), 1000001);
    watch_end(&watch);
    clock_close(test_clock);
}

static void a_step_of_the_wall_clock_is_told(void **state)
{
    struct watch watch;

    (void)state;
    const int64_t wall_ms = 1700000000000;
    atomic_store(&fake_wall_ms, wall_ms);
    assert_int_equal(clock_open(NULL, &test_clock), STATUS_OK);
    watch_begin(&watch);
    atomic_store(&fake_wall_ms, wall_ms - 3600000);
    assert_true(watch_sees_change(&watch, 10000));
    assert_in_range(-watch.step_ms, 3600000, 3660000);
    assert_in_range(watch.now_ms, wall_ms, wall_ms + 60000);
    watch_end(&watch);
    clock_close(test_clock);
}

static void no_test_file_is_ever_held(void **state)
{
    (void)state;
    assert_int_equal(clock_open(path, &test_clock), STATUS_OK);
    file_says(path, "1700000000000");
    assert_int_equal(clock_now_ms(test_clock), 1700000000000);
    assert_false(clock_is_held(test_clock));
    assert_int_equal(clock_jump_ms(test_clock), 0);
    clock_close(test_clock);
}

#define WALL(name)  cmocka_unit_test_setup_teardown(name, open_wall, close_wall)
#define FILED(name) cmocka_unit_test_setup_teardown(name, make_file, remove_file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WALL(engine_time_is_the_wall_clock),
        WALL(after_a_fall_time_runs_on_from_where_it_was),
        WALL(a_fall_that_is_mended_leaves_no_trace),
        WALL(a_rise_of_less_than_a_day_is_time_passing),
        WALL(a_jump_holds_the_clock_and_time_runs_on_as_if_nothing_had_happened),
        WALL(a_wall_clock_that_comes_back_is_not_held_any_more),
        WALL(small_steps_that_add_up_are_a_jump),
        WALL(an_accepted_rise_is_followed),
        WALL(after_an_accepted_fall_time_runs_on),
        WALL(a_machine_that_slept_has_not_jumped),
        WALL(time_goes_on_from_the_last_record_when_the_clock_fell_while_down),
        WALL(an_older_last_record_changes_nothing),
        WALL(no_thread_sees_time_fall_whatever_the_wall_clock_does),
        WALL(monotonic_time_does_not_follow_the_wall),
        FILED(time_in_test_mode_is_what_the_file_says),
        FILED(a_file_without_a_sound_number_is_invalid),
        FILED(white_space_behind_the_number_is_fine),
        FILED(a_change_of_the_file_counts_from_the_next_question_on),
        FILED(a_change_of_the_file_is_seen_rewritten_or_renamed),
        FILED(a_fall_of_the_file_is_a_step_back_of_the_wall_clock),
        FILED(garbage_in_the_file_leaves_the_last_value),
        FILED(a_step_of_the_wall_clock_is_told),
        FILED(no_test_file_is_ever_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
