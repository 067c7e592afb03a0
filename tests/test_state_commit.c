/* The transaction: what is seen when, what a reader sees, and what happens when there is no room.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "tests/state_rig.h"

/* --- the transaction ---------------------------------------------------------- */

static void an_abort_brings_back_rows_meta_and_queues(void **state)
{
    (void)state;
    put_person(1, true);
    state_meta(rows)->folded_seq = 5;
    state_queue(rows, 3)->outbox_seq = 7;
    assert_true(state_is_dirty(rows));
    assert_ok(state_commit(rows));
    assert_false(state_is_dirty(rows));

    assert_ok(state_begin(rows));
    put_person(2, true);
    state_meta(rows)->folded_seq = 6;
    state_queue(rows, 3)->outbox_seq = 8;
    state_queue(rows, 9)->open_tasks = 1;
    state_abort(rows);
    assert_false(state_is_dirty(rows));
    assert_int_equal(state_meta(rows)->folded_seq, 5);
    assert_int_equal(state_queue(rows, 3)->outbox_seq, 7);
    assert_int_equal(state_queue(rows, 9)->open_tasks, 0);
    assert_person(1, true);
    assert_false(has_person(2));

    /* The number is new again. */
    assert_ok(state_begin(rows));
    put_person(2, false);
    assert_ok(state_commit(rows));
    assert_person(2, false);
}

static void meta_and_queues_are_kept(void **state)
{
    struct state_reader *reader;
    struct state_queue queue;

    (void)state;
    *state_meta(rows) = (struct state_meta){.folded_seq = 9, .folded_checksum = 77, .people = 4};
    state_queue(rows, 0)->outbox_seq = 1;
    *state_queue(rows, STATE_QUEUES_MAX - 1) =
        (struct state_queue){.outbox_seq = 2, .report_ms = 3, .report_seq = 4, .open_tasks = 5};
    assert_ok(state_commit(rows));
    reopen();
    assert_int_equal(state_meta(rows)->folded_seq, 9);
    assert_int_equal(state_meta(rows)->folded_checksum, 77);
    assert_int_equal(state_meta(rows)->people, 4);
    assert_int_equal(state_queue(rows, 0)->outbox_seq, 1);
    assert_int_equal(state_queue(rows, STATE_QUEUES_MAX - 1)->open_tasks, 5);
    assert_false(state_is_dirty(rows));

    assert_ok(state_reader_open(rows, &reader));
    assert_int_equal(state_read_folded(reader), 9);
    assert_true(state_read_queue(reader, STATE_QUEUES_MAX - 1, &queue));
    assert_int_equal(queue.report_seq, 4);
    assert_false(state_read_queue(reader, 17, &queue));
    assert_int_equal(queue.outbox_seq, 0);
    state_reader_close(reader);
}

/* What a commit looks at is what was asked for since the one before. */
static void all_queues_that_there_may_be_are_kept(void **state)
{
    struct state_reader *reader;
    struct state_queue queue;
    uint32_t number = 0, count = 0;

    (void)state;
    for (uint32_t i = 1; i < STATE_QUEUES_MAX; i++)
        state_queue(rows, i)->outbox_seq = i;
    assert_true(state_is_dirty(rows));
    assert_ok(state_commit(rows));
    assert_false(state_is_dirty(rows));
    state_queue(rows, 40000)->outbox_seq = 7;
    state_queue(rows, 50000)->open_tasks = 1;
    state_abort(rows);
    assert_false(state_is_dirty(rows));
    assert_int_equal(state_queue(rows, 40000)->outbox_seq, 40000);
    assert_int_equal(state_queue(rows, 50000)->open_tasks, 0);
    *state_queue(rows, 60000) = (struct state_queue){0};
    assert_ok(state_commit(rows));
    reopen();
    assert_ok(state_reader_open(rows, &reader));
    while (state_read_queue_next(reader, number, &number, &queue)) {
        assert_int_equal(queue.outbox_seq, number);
        assert_int_not_equal(number, 60000);
        count++;
    }
    assert_int_equal(count, STATE_QUEUES_MAX - 2);
    state_reader_close(reader);
}

/* A queue that nobody asks for while its rows are young is looked at until they are settled. */
static void young_rows_of_a_queue_that_rests_are_settled(void **state)
{
    struct state_reader *reader;
    struct state_queue queue;

    (void)state;
    assert_ok(state_begin(rows));
    state_meta(rows)->folded_seq = 1;
    state_meta(rows)->folded_ms = 1000000;
    state_queue(rows, 65000)->outbox_seq = 1;
    assert_ok(
        state_outbox_put(rows, 65000, 1, &(struct outbox_row){.person = 1, .op = OUTBOX_PUT}));
    assert_ok(state_commit_live(rows, false));
    assert_true(state_has_young(rows));
    for (unsigned turn = 0; turn < 3; turn++) {
        state_meta(rows)->folded_seq++;
        state_meta(rows)->folded_ms += STATE_YOUNG_MS;
        assert_ok(state_commit_live(rows, false));
    }
    assert_false(state_has_young(rows));
    assert_ok(state_reader_open(rows, &reader));
    assert_true(state_read_queue(reader, 65000, &queue));
    assert_int_equal(queue.outbox_stored_seq, 1);
    state_reader_close(reader);
}

static void begin_and_commit_may_be_called_for_nothing(void **state)
{
    (void)state;
    assert_ok(state_begin(rows));
    assert_ok(state_begin(rows));
    assert_false(state_is_dirty(rows));
    assert_ok(state_commit(rows));
    assert_ok(state_commit(rows));
    state_abort(rows);
    assert_ok(state_begin(rows));
    put_person(1, false);
    assert_ok(state_commit(rows));
    assert_person(1, false);
}

static void readers_see_commits_only(void **state)
{
    struct state_reader *reader;
    struct person_row row;
    struct task_row task, further = task_row(800);
    uint64_t last_seq;

    (void)state;
    assert_ok(state_reader_open(rows, &reader));
    put_person(1, true);
    assert_ok(state_task_put(rows, 1, &further));
    assert_false(state_read_person(reader, 1, &row, &task, &last_seq));
    assert_ok(state_commit(rows));
    assert_false(state_read_person(reader, 1, &row, &task, &last_seq));
    state_reader_release(reader);
    assert_true(state_read_person(reader, 1, &row, &task, &last_seq));
    assert_int_equal(task.number, 8);
    assert_int_equal(last_seq, 10);
    assert_true(state_read_task(reader, 1, 800, &task));
    assert_true(state_read_task_next(reader, 1, 0, &task));
    assert_int_equal(task.number, 800);
    assert_false(state_read_task_next(reader, 1, 800, &task));
    state_reader_close(reader);
}

/* Whom a record is about is kept between two looks at him, and no longer. */
static void what_is_found_again_is_what_was_put(void **state)
{
    struct person_row row = person_row(1), found;
    struct task_row task;
    uint64_t last_seq;

    (void)state;
    put_person(1, false);
    assert_ok(state_commit(rows));
    assert_person(1, false);
    assert_ok(state_begin(rows));
    assert_person(1, false);
    row.attempts = 3;
    assert_ok(state_person_put(rows, 1, &row, NULL, 11));
    assert_true(state_person_find(rows, 1, &found, &task, &last_seq));
    assert_int_equal(found.attempts, 3);
    assert_int_equal(last_seq, 11);
    state_abort(rows);
    assert_person(1, false);
    assert_false(has_person(2));
    assert_person(1, false);
    assert_false(has_person(0));
}

struct parallel {
    struct state *state;
    _Atomic bool done;
    uint64_t seen;
};

/* Whatever is folded is there as a whole. */
static void *read_on(void *argument)
{
    struct parallel *parallel = argument;
    struct state_reader *reader;
    bool done = false;

    if (state_reader_open(parallel->state, &reader) != STATUS_OK)
        return NULL;
    while (!done) {
        struct person_row row;
        struct task_row task;
        uint64_t last_seq, folded;

        done = atomic_load(&parallel->done);
        folded = state_read_folded(reader);
        if (folded > 0 && !state_read_person(reader, folded, &row, &task, &last_seq))
            break;
        if (state_read_person(reader, folded + 1, &row, &task, &last_seq))
            break;
        parallel->seen = folded;
        state_reader_release(reader);
        state_bytes(parallel->state);
    }
    state_reader_close(reader);
    return NULL;
}

static void a_reader_on_another_thread_sees_whole_commits(void **state)
{
    struct parallel parallel = {.state = rows};
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, read_on, &parallel), 0);
    for (uint64_t number = 1; number <= 2000; number++) {
        assert_ok(state_begin(rows));
        put_person(number, true);
        state_meta(rows)->folded_seq = number;
        if (number % 10 == 0)
            assert_ok(state_commit(rows));
    }
    atomic_store(&parallel.done, true);
    pthread_join(thread, NULL);
    assert_int_equal(parallel.seen, 2000);
}

/* --- no room ------------------------------------------------------------------ */

static void a_full_map_fails_alike_until_the_abort_and_then_goes_on(void **state)
{
    struct person_row row = person_row(1);
    enum status status = STATUS_OK;
    uint64_t number = 1;

    (void)state;
    state_abort(rows);
    state_close(rows);
    fixture.options.map_bytes = MIB;
    assert_ok(state_open(&fixture.options, &rows));
    assert_ok(state_begin(rows));
    put_person(1, false);
    state_meta(rows)->folded_seq = 1;
    assert_ok(state_commit(rows));

    assert_ok(state_begin(rows));
    state_meta(rows)->folded_seq = 2;
    while (status == STATUS_OK)
        status = state_person_put(rows, ++number, &row, NULL, 1);
    assert_int_equal(status, STATUS_DISK_FULL);
    assert_int_equal(state_person_put(rows, 1, &row, NULL, 1), STATUS_DISK_FULL);
    assert_int_equal(state_due_delete(rows, 1, 1, 1), STATUS_DISK_FULL);
    assert_int_equal(state_begin(rows), STATUS_DISK_FULL);
    assert_int_equal(state_commit(rows), STATUS_DISK_FULL);

    /* The commit has aborted: all is as at the last one that worked. */
    assert_int_equal(state_meta(rows)->folded_seq, 1);
    assert_false(has_person(2));
    assert_ok(state_begin(rows));
    put_person(2, true);
    assert_ok(state_commit(rows));
    assert_person(1, false);
    assert_person(2, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_abort_brings_back_rows_meta_and_queues),
        TEST(meta_and_queues_are_kept),
        TEST(all_queues_that_there_may_be_are_kept),
        TEST(young_rows_of_a_queue_that_rests_are_settled),
        TEST(begin_and_commit_may_be_called_for_nothing),
        TEST(what_is_found_again_is_what_was_put),
        TEST(readers_see_commits_only),
        TEST(a_reader_on_another_thread_sees_whole_commits),
        TEST(a_full_map_fails_alike_until_the_abort_and_then_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
