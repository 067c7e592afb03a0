/* More people than are kept at hand: whoever has to make room is in his table, and comes back as he
 * was. */
#include "tests/state_rig.h"

#define KEPT   1024 /* as many have a place of their own */
#define PEOPLE (3 * KEPT)

static void assert_people(uint64_t first, uint64_t last)
{
    for (uint64_t number = first; number <= last; number++)
        assert_person(number, number % 2 == 0);
}

static void put_people(uint64_t first, uint64_t last)
{
    for (uint64_t number = first; number <= last; number++)
        put_person(number, number % 2 == 0);
}

static void assert_read(uint64_t number)
{
    struct person_row row, expected = person_row(number);
    struct task_row task;
    struct state_reader *reader;
    uint64_t last_seq;

    assert_ok(state_reader_open(rows, &reader));
    assert_true(state_read_person(reader, number, &row, &task, &last_seq));
    assert_memory_equal(&row, &expected, sizeof row);
    assert_int_equal(task.number, number % 2 == 0 ? number * 8 : 0);
    state_reader_close(reader);
}

static void all_are_found_before_and_behind_a_commit(void **state)
{
    (void)state;
    put_people(1, PEOPLE);
    assert_people(1, PEOPLE);
    assert_ok(state_commit(rows));
    assert_people(1, PEOPLE);
    for (uint64_t number = 1; number <= PEOPLE; number += 97)
        assert_read(number);
    reopen();
    assert_people(1, PEOPLE);
}

/* New ones go to the end of their table; what made room before them is there already. */
static void new_and_known_people_take_each_others_places(void **state)
{
    (void)state;
    put_people(1, KEPT);
    assert_ok(state_commit(rows));
    assert_ok(state_begin(rows));
    for (uint64_t number = 1; number <= KEPT; number++) {
        uint64_t known = KEPT - number + 1;
        put_person(KEPT + number, (KEPT + number) % 2 == 0);
        put_person(known, known % 2 == 0);
    }
    assert_people(1, 2 * KEPT);
    assert_ok(state_commit(rows));
    reopen();
    assert_people(1, 2 * KEPT);
}

static void whoever_made_room_is_not_there_after_an_abort(void **state)
{
    struct person_row row = person_row(7);

    (void)state;
    put_people(1, KEPT);
    assert_ok(state_commit(rows));
    assert_ok(state_begin(rows));
    row.attempts = 3;
    assert_ok(state_person_put(rows, 7, &row, NULL, 1));
    put_people(KEPT + 1, 2 * KEPT);
    state_abort(rows);
    assert_false(has_person(KEPT + 1));
    assert_false(has_person(2 * KEPT));
    assert_people(1, KEPT);
}

/* A row that goes is none that is less: the one without a task comes back without one. */
static void a_task_that_ended_is_gone(void **state)
{
    (void)state;
    put_person(2, true);
    assert_ok(state_commit(rows));
    assert_ok(state_begin(rows));
    assert_person(2, true);
    put_person(2, false);
    assert_person(2, false);
    assert_ok(state_commit(rows));
    reopen();
    assert_person(2, false);
}

/* Whoever cannot go to his table is not lost without a word. */
static void no_room_for_whoever_makes_room_fails_the_commit(void **state)
{
    (void)state;
    state_abort(rows);
    state_close(rows);
    fixture.options.map_bytes = MIB;
    assert_ok(state_open(&fixture.options, &rows));
    assert_ok(state_begin(rows));
    put_person(1, false);
    assert_ok(state_commit(rows));

    assert_ok(state_begin(rows));
    enum status status = STATUS_OK;
    for (uint64_t number = 2; status == STATUS_OK && number < 100 * KEPT; number++) {
        struct person_row row = person_row(number);
        status = state_person_put(rows, number, &row, NULL, 1);
    }
    assert_int_equal(status, STATUS_DISK_FULL);
    assert_false(has_person(1));
    assert_int_equal(state_failure(rows), STATUS_DISK_FULL);
    assert_int_equal(state_commit(rows), STATUS_DISK_FULL);
    assert_person(1, false);
    assert_false(has_person(2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_are_found_before_and_behind_a_commit),
        TEST(new_and_known_people_take_each_others_places),
        TEST(whoever_made_room_is_not_there_after_an_abort),
        TEST(a_task_that_ended_is_gone),
        TEST(no_room_for_whoever_makes_room_fails_the_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
