#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/state_young.h"

static struct young young;

static int set_up(void **state)
{
    (void)state;
    young = (struct young){0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    young_clear(&young);
    return 0;
}

static bool put(uint64_t first, uint64_t second, uint64_t seq)
{
    return young_put(&young, &(struct young_row){.key = {{first, second}},
                                                 .value = {first * 10, second * 10},
                                                 .seq = seq});
}

static bool taken_out(uint64_t first, uint64_t second)
{
    return young_delete(&young, (struct young_key){{first, second}});
}

/* The first part of the first key from there on; 0: there is none. */
static uint64_t from(uint64_t first, uint64_t second)
{
    struct young_row row;

    return young_find_from(&young, (struct young_key){{first, second}}, &row) ? row.key.part[0] : 0;
}

static void rows_are_found_by_key_whatever_order_they_came_in(void **state)
{
    struct young_row row;

    (void)state;
    assert_true(put(50, 1, 1));
    assert_true(put(40, 1, 2));
    assert_true(put(60, 1, 3));
    assert_true(put(45, 1, 4));
    assert_int_equal(from(0, 0), 40);
    assert_int_equal(from(41, 0), 45);
    assert_int_equal(from(45, 1), 45);
    assert_int_equal(from(45, 2), 50);
    assert_int_equal(from(50, 2), 60);
    assert_int_equal(from(60, 2), 0);
    assert_true(young_find_from(&young, (struct young_key){{60}}, &row));
    assert_int_equal(row.value[0], 600);
    assert_int_equal(row.value[1], 10);
}

static void a_deleted_row_is_gone_wherever_it_stood(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 9; i++)
        assert_true(put(i, 0, i));
    assert_false(taken_out(10, 0));
    assert_false(taken_out(5, 1));
    assert_true(taken_out(5, 0)); /* between others, at the end, at the front */
    assert_false(taken_out(5, 0));
    assert_true(taken_out(9, 0));
    assert_true(taken_out(1, 0));
    assert_int_equal(from(0, 0), 2);
    assert_int_equal(from(5, 0), 6);
    assert_int_equal(from(9, 0), 0);
    assert_true(put(5, 0, 10)); /* and may come again */
    assert_int_equal(from(5, 0), 5);
}

static void the_oldest_record_s_rows_are_taken_first(void **state)
{
    struct young_row row;

    (void)state;
    assert_true(put(50000, 0, 1));
    assert_true(put(10000, 0, 2)); /* in a lane of its own */
    assert_true(put(60000, 0, 3));
    assert_true(put(20000, 0, 4));
    assert_int_equal(young_oldest_seq(&young), 1);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        assert_true(young_take(&young, 3, &row));
        assert_int_equal(row.seq, seq);
    }
    assert_false(young_take(&young, 3, &row));
    assert_int_equal(young_oldest_seq(&young), 4);
    assert_true(taken_out(20000, 0));
    assert_int_equal(young_oldest_seq(&young), UINT64_MAX);
}

/* As many distances between now and when something is due as there are lanes. */
static void each_ascending_run_keeps_to_a_lane(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 1000; i++)
        for (uint64_t run = YOUNG_LANES; run > 0; run--)
            assert_true(put(run * 10000 + i, 0, i));
    assert_false(put(10000, 0, 1001));
    for (uint64_t i = 1; i <= 1000; i++)
        assert_true(taken_out(10000 + i, 0)); /* an empty lane takes anything */
    assert_true(put(10000, 0, 1002));
}

/* All lanes are taken, so that only the end of one has room. */
static void take_all_lanes(uint64_t end)
{
    for (uint64_t run = YOUNG_LANES; run-- > 0;)
        assert_true(put(end + run * 1000000, 0, 1));
}

static void a_row_that_comes_late_stands_between_the_last_ones(void **state)
{
    struct young_row row;

    (void)state;
    take_all_lanes(5000);
    assert_true(put(5001, 9, 2));
    assert_true(put(5002, 0, 3));
    assert_true(put(5001, 4, 4)); /* the same moment, another person */
    assert_true(put(5001, 7, 5));
    assert_int_equal(from(5001, 0), 5001);
    assert_true(young_find_from(&young, (struct young_key){{5001, 5}}, &row));
    assert_int_equal(row.key.part[1], 7);
    assert_int_equal(row.value[1], 70);
    assert_true(taken_out(5001, 4));
    assert_true(taken_out(5001, 9));
    assert_false(taken_out(5001, 4));
    assert_true(put(5001, 4, 6)); /* where it was before */
    assert_true(young_find_from(&young, (struct young_key){{5001, 0}}, &row));
    assert_int_equal(row.key.part[1], 4);
    assert_true(young_find_from(&young, (struct young_key){{5001, 8}}, &row));
    assert_int_equal(row.key.part[0], 5002);
}

/* It may be told to be older than it is, never younger: what is told is what could be lost. */
static void a_late_row_is_settled_with_the_one_behind_it(void **state)
{
    struct young_row row;

    (void)state;
    take_all_lanes(5000);
    assert_true(put(5003, 0, 7));
    assert_true(put(5001, 0, 9));
    while (young_oldest_seq(&young) < 7)
        assert_true(young_take(&young, 6, &row));
    assert_int_equal(young_oldest_seq(&young), 7);
    assert_true(young_take(&young, 7, &row));
    assert_int_equal(row.key.part[0], 5001);
    assert_true(young_take(&young, 7, &row));
    assert_int_equal(row.key.part[0], 5003);
    assert_false(young_take(&young, UINT64_MAX, &row));
}

static void what_comes_much_too_late_fits_nowhere(void **state)
{
    (void)state;
    take_all_lanes(5000);
    assert_false(put(5000 - YOUNG_LATE_MAX - 1, 0, 2));
    assert_true(put(5000 - YOUNG_LATE_MAX, 0, 2));
    for (uint64_t i = 0; i < YOUNG_SHIFT_MAX; i++)
        assert_true(put(5001, i, 3));
    assert_true(put(5000, 9, 4)); /* as many make room as may */
    assert_false(put(4999, 9, 4));
    assert_int_equal(from(4999, 0), 5000);
}

static void a_full_lane_takes_no_more_until_a_row_is_gone(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= YOUNG_LANE_ROWS_MAX; i++)
        assert_true(put(i, 0, i));
    assert_false(put(YOUNG_LANE_ROWS_MAX + 1, 0, YOUNG_LANE_ROWS_MAX + 1));
    assert_true(taken_out(1, 0));
    assert_true(put(YOUNG_LANE_ROWS_MAX + 1, 0, YOUNG_LANE_ROWS_MAX + 1));
    assert_int_equal(from(0, 0), 2);
    assert_int_equal(from(YOUNG_LANE_ROWS_MAX + 1, 0), YOUNG_LANE_ROWS_MAX + 1);
}

static void a_large_lane_gives_its_memory_back_when_it_is_empty(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 1000; i++)
        assert_true(put(i, 0, i));
    assert_true(young.lanes[0].capacity >= 1000);
    for (uint64_t i = 1; i <= 1000; i++)
        assert_true(taken_out(i, 0));
    assert_int_equal(young.lanes[0].capacity, 0);
    assert_true(put(1, 0, 1));
    assert_int_equal(from(0, 0), 1);
}

static void after_a_clear_nothing_is_there(void **state)
{
    (void)state;
    assert_true(put(1, 0, 1));
    young_clear(&young);
    assert_int_equal(from(0, 0), 0);
    assert_int_equal(young_oldest_seq(&young), UINT64_MAX);
    assert_true(put(1, 0, 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_are_found_by_key_whatever_order_they_came_in),
        TEST(a_deleted_row_is_gone_wherever_it_stood),
        TEST(the_oldest_record_s_rows_are_taken_first),
        TEST(each_ascending_run_keeps_to_a_lane),
        TEST(a_row_that_comes_late_stands_between_the_last_ones),
        TEST(a_late_row_is_settled_with_the_one_behind_it),
        TEST(what_comes_much_too_late_fits_nowhere),
        TEST(a_full_lane_takes_no_more_until_a_row_is_gone),
        TEST(a_large_lane_gives_its_memory_back_when_it_is_empty),
        TEST(after_a_clear_nothing_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
