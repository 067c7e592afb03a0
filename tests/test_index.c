/* What the index finds: identities, and events within their days. */
#include "tests/index_rig.h"

#define MANY 300000

/* --- identities --------------------------------------------------------------- */

static void everything_inserted_is_found_through_doublings_and_reopening(void **state)
{
    unsigned false_hits = 0;
    bool found;

    (void)state;
    for (uint64_t i = 1; i <= MANY; i++)
        assert_int_equal(insert(INDEX_IDENTITY, i, i, 0), STATUS_OK);
    for (uint64_t i = 1; i <= MANY; i++)
        assert_true(finds(INDEX_IDENTITY, i, 0, i));

    /* 300,000 of 2^33 places: one absent key in about 30,000 meets somebody else's slot. */
    for (uint64_t i = 1; i <= MANY; i++)
        false_hits += count_of(INDEX_IDENTITY, hash_from(MANY + i), 0, 0, &found);
    assert_in_range(false_hits, 0, MANY / 10000);

    /* Twice as many slots as entries, up to the next doubling; 8 bytes each, and an eighth more.
     * While it doubles three times as much. */
    assert_in_range(index_bytes(fixture.index), MANY * 16, MANY * 16 * 25 / 8);
    reopen();
    for (uint64_t i = 1; i <= MANY; i++)
        assert_true(finds(INDEX_IDENTITY, i, 0, i));
}

static void an_entry_is_held_once(void **state)
{
    uint64_t bytes = index_bytes(fixture.index);
    bool found;

    (void)state;
    for (int i = 0; i < 100000; i++)
        assert_int_equal(insert(INDEX_IDENTITY, 1, 7, 0), STATUS_OK);
    assert_int_equal(count_of(INDEX_IDENTITY, hash_from(1), 0, 7, &found), 1);
    assert_true(found);
    assert_int_equal(index_bytes(fixture.index), bytes);
}

static void a_hash_may_have_several_numbers(void **state)
{
    bool found;

    (void)state;
    for (uint64_t number = 1; number <= 5; number++)
        assert_int_equal(insert(INDEX_IDENTITY, 1, number, 0), STATUS_OK);
    assert_int_equal(insert(INDEX_IDENTITY, 1, INDEX_NUMBER_MAX, 0), STATUS_OK);
    assert_int_equal(count_of(INDEX_IDENTITY, hash_from(1), 0, INDEX_NUMBER_MAX, &found), 6);
    assert_true(found);
    assert_false(finds(INDEX_IDENTITY, 2, 0, 1));
}

/* Which the probing ends of: so many are under one hash only where something is wrong. */
static void thousands_under_one_hash_are_no_harm(void **state)
{
    bool found;

    (void)state;
    for (uint64_t number = 1; number <= 5000; number++)
        assert_int_equal(insert(INDEX_IDENTITY, 1, number, 0), STATUS_OK);
    for (uint64_t i = 2; i <= 20000; i++)
        assert_int_equal(insert(INDEX_IDENTITY, i, i, 0), STATUS_OK);
    assert_in_range(count_of(INDEX_IDENTITY, hash_from(1), 0, 300, &found), 300, 5000);
    assert_true(found);
    for (uint64_t i = 2; i <= 20000; i++)
        assert_true(finds(INDEX_IDENTITY, i, 0, i));
}

/* Its home is the last slot. */
static struct hash hash_at_the_end(uint64_t seed)
{
    struct hash hash = hash_from(seed);

    memset(hash.bytes + 4, 0xff, 4);
    return hash;
}

static void probing_goes_round_the_end_of_the_table(void **state)
{
    bool found;

    (void)state;
    for (uint64_t i = 0; i < 200; i++)
        assert_int_equal(index_insert(fixture.index, INDEX_IDENTITY, hash_at_the_end(i), i + 1, 0),
                         STATUS_OK);
    reopen();
    for (uint64_t i = 0; i < 200; i++) {
        count_of(INDEX_IDENTITY, hash_at_the_end(i), 0, i + 1, &found);
        assert_true(found);
    }
}

static void what_went_round_the_end_is_found_after_doublings(void **state)
{
    bool found;

    (void)state;
    for (uint64_t i = 1; i <= 280000; i++) {
        struct hash hash = i % 500 == 0 ? hash_at_the_end(i) : hash_from(i);
        assert_int_equal(index_insert(fixture.index, INDEX_IDENTITY, hash, i, 0), STATUS_OK);
    }
    for (uint64_t i = 1; i <= 280000; i++) {
        struct hash hash = i % 500 == 0 ? hash_at_the_end(i) : hash_from(i);
        count_of(INDEX_IDENTITY, hash, 0, i, &found);
        assert_true(found);
    }
}

/* --- events ------------------------------------------------------------------- */

static void events_are_found_from_the_day_asked_for(void **state)
{
    (void)state;
    for (uint64_t day = 100; day < 105; day++)
        assert_int_equal(insert(INDEX_EVENT, 1, day, day * DAY_MS + 5), STATUS_OK);
    struct index_lookup lookup =
        index_lookup(fixture.index, INDEX_EVENT, hash_from(1), 102 * DAY_MS + DAY_MS - 1);
    uint64_t number;
    for (uint64_t day = 104; day >= 102; day--) {
        assert_true(index_next(&lookup, &number));
        assert_int_equal(number, day);
    }
    assert_false(index_next(&lookup, &number));
    assert_false(index_next(&lookup, &number));
    assert_true(finds(INDEX_EVENT, 1, 0, 100));
    assert_false(finds(INDEX_IDENTITY, 1, 0, 100));
}

static void events_of_a_day_grow_like_identities(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= MANY; i++)
        assert_int_equal(insert(INDEX_EVENT, i, i, 100 * DAY_MS), STATUS_OK);
    reopen();
    for (uint64_t i = 1; i <= MANY; i++)
        assert_true(finds(INDEX_EVENT, i, 0, i));
}

static void generations_end_with_their_days(void **state)
{
    (void)state;
    for (uint64_t day = 100; day < 100 + INDEX_EVENT_DAYS; day++)
        assert_int_equal(insert(INDEX_EVENT, day, day, day * DAY_MS), STATUS_OK);
    assert_int_equal(count_generations(), INDEX_EVENT_DAYS);
    uint64_t bytes = index_bytes(fixture.index);

    /* The last ms in which day 100 counts, and the first in which it does not. */
    index_expire(fixture.index, (100 + INDEX_EVENT_DAYS) * DAY_MS - 1);
    assert_true(finds(INDEX_EVENT, 100, 0, 100));
    index_expire(fixture.index, (100 + INDEX_EVENT_DAYS) * DAY_MS);
    assert_false(finds(INDEX_EVENT, 100, 0, 100));
    assert_true(finds(INDEX_EVENT, 101, 0, 101));
    assert_int_equal(count_generations(), INDEX_EVENT_DAYS - 1);
    assert_true(index_bytes(fixture.index) < bytes);

    index_expire(fixture.index, 1000 * DAY_MS);
    assert_int_equal(count_generations(), 0);
}

static void a_new_day_takes_the_place_of_the_oldest(void **state)
{
    (void)state;
    for (uint64_t day = 100; day < 120; day++)
        assert_int_equal(insert(INDEX_EVENT, day, day, day * DAY_MS), STATUS_OK);
    assert_int_equal(count_generations(), INDEX_EVENT_DAYS);
    assert_false(finds(INDEX_EVENT, 111, 0, 111));
    for (uint64_t day = 112; day < 120; day++)
        assert_true(finds(INDEX_EVENT, day, 0, day));
    reopen();
    for (uint64_t day = 112; day < 120; day++)
        assert_true(finds(INDEX_EVENT, day, 0, day));

    /* After a pause that left all of them behind. */
    assert_int_equal(insert(INDEX_EVENT, 1, 1, 150 * DAY_MS), STATUS_OK);
    for (uint64_t day = 112; day < 120; day++)
        assert_false(finds(INDEX_EVENT, day, 0, day));
    reopen();
    assert_int_equal(count_generations(), 1);
    assert_true(finds(INDEX_EVENT, 1, 0, 1));
}

static void days_long_past_are_not_kept(void **state)
{
    (void)state;
    assert_int_equal(insert(INDEX_EVENT, 1, 1, 100 * DAY_MS), STATUS_OK);
    assert_int_equal(insert(INDEX_EVENT, 2, 2, (100 - INDEX_EVENT_DAYS) * DAY_MS), STATUS_OK);
    assert_int_equal(count_generations(), 1);
    assert_false(finds(INDEX_EVENT, 2, 0, 2));
    assert_int_equal(insert(INDEX_EVENT, 3, 3, (101 - INDEX_EVENT_DAYS) * DAY_MS), STATUS_OK);
    assert_true(finds(INDEX_EVENT, 3, 0, 3));
}

static void the_first_days_of_time_work(void **state)
{
    (void)state;
    assert_false(finds(INDEX_EVENT, 1, 0, 1));
    assert_int_equal(insert(INDEX_EVENT, 1, 1, 0), STATUS_OK);
    assert_true(finds(INDEX_EVENT, 1, 0, 1));
    assert_false(finds(INDEX_EVENT, 2, 0, 2));
    assert_int_equal(insert(INDEX_EVENT, 2, 2, 3 * DAY_MS), STATUS_OK);
    assert_true(finds(INDEX_EVENT, 1, 0, 1));
    assert_false(finds(INDEX_EVENT, 1, DAY_MS, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_inserted_is_found_through_doublings_and_reopening),
        TEST(an_entry_is_held_once),
        TEST(a_hash_may_have_several_numbers),
        TEST(thousands_under_one_hash_are_no_harm),
        TEST(probing_goes_round_the_end_of_the_table),
        TEST(what_went_round_the_end_is_found_after_doublings),
        TEST(events_are_found_from_the_day_asked_for),
        TEST(events_of_a_day_grow_like_identities),
        TEST(generations_end_with_their_days),
        TEST(a_new_day_takes_the_place_of_the_oldest),
        TEST(days_long_past_are_not_kept),
        TEST(the_first_days_of_time_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
