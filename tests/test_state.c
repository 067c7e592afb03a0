#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "server/state.h"
#include "tests/folder.h"

#define MIB (1ull << 20)

struct fixture {
    struct folder folder;
    char directory[80];
    struct state_options options;
};

static struct fixture fixture;
static struct state *rows;

static int set_up(void **state)
{
    (void)state;
    fixture.folder = folder_make();
    snprintf(fixture.directory, sizeof fixture.directory, "%s/rows", fixture.folder.path);
    fixture.options = (struct state_options){.directory = fixture.directory};
    if (state_open(&fixture.options, &rows) != STATUS_OK)
        return -1;
    return state_begin(rows) == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    state_close(rows);
    folder_remove(&fixture.folder);
    return 0;
}

static void reopen(void)
{
    state_close(rows);
    assert_int_equal(state_open(&fixture.options, &rows), STATUS_OK);
}

#define assert_ok(call) assert_int_equal((call), STATUS_OK)

static struct person_row person_row(uint64_t number)
{
    return (struct person_row){.first_ms = 1000 + number,
                               .phone.bytes = {1, (uint8_t)number, 0xff},
                               .agency = 2,
                               .optins = (uint32_t)number};
}

static struct task_row task_row(uint64_t number)
{
    return (struct task_row){
        .number = number, .deadline_ms = 5000 + number, .queue = 3, .delivery = 1};
}

static void put_person(uint64_t number, bool with_task)
{
    struct person_row row = person_row(number);
    struct task_row task = task_row(number * 8);

    assert_ok(state_person_put(rows, number, &row, with_task ? &task : NULL, 10 * number));
}

static void assert_person(uint64_t number, bool with_task)
{
    struct person_row row, expected = person_row(number);
    struct task_row task, expected_task = task_row(number * 8);
    uint64_t last_seq;

    assert_true(state_person_find(rows, number, &row, &task, &last_seq));
    assert_memory_equal(&row, &expected, sizeof row);
    assert_int_equal(last_seq, 10 * number);
    if (with_task)
        assert_memory_equal(&task, &expected_task, sizeof task);
    else
        assert_int_equal(task.number, 0);
}

static bool has_person(uint64_t number)
{
    struct person_row row;
    struct task_row task;
    uint64_t last_seq;

    return state_person_find(rows, number, &row, &task, &last_seq);
}

/* The dump as a string, to be freed. */
static char *dump(void)
{
    struct state_reader *reader;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    assert_ok(state_reader_open(rows, &reader));
    assert_ok(state_dump(reader, out));
    state_reader_close(reader);
    fclose(out);
    return text;
}

/* --- rows ------------------------------------------------------------------- */

static void people_are_found_before_and_after_the_commit(void **state)
{
    (void)state;
    put_person(1, true);
    put_person(2, false);
    assert_person(1, true);
    assert_person(2, false);
    assert_false(has_person(3));
    assert_ok(state_commit(rows));
    assert_person(1, true);
    reopen();
    assert_person(1, true);
    assert_person(2, false);
    assert_false(has_person(3));
}

static void a_person_changes_in_place_and_later_ones_stay(void **state)
{
    (void)state;
    for (uint64_t number = 1; number <= 500; number++)
        put_person(number, true);
    for (uint64_t number = 1; number <= 500; number += 3)
        put_person(number, false);
    assert_ok(state_commit(rows));
    assert_ok(state_begin(rows));
    for (uint64_t number = 2; number <= 500; number += 3)
        put_person(number, false);
    put_person(501, true);
    for (uint64_t number = 1; number <= 501; number++)
        assert_person(number, number % 3 == 0);
}

static void people_may_be_put_out_of_order(void **state)
{
    (void)state;
    put_person(5, true);
    put_person(2, true);
    assert_ok(state_commit(rows));
    reopen();
    assert_ok(state_begin(rows));
    put_person(3, false);
    put_person(6, false);
    assert_person(2, true);
    assert_person(3, false);
    assert_person(5, true);
    assert_person(6, false);
}

static void further_tasks_come_in_order_and_end_with_the_person(void **state)
{
    static const uint64_t numbers[] = {24, 8, 16};
    struct task_row row;

    (void)state;
    for (int i = 0; i < 3; i++) {
        row = task_row(numbers[i]);
        assert_ok(state_task_put(rows, 7, &row));
    }
    row = task_row(40);
    assert_ok(state_task_put(rows, 8, &row));
    assert_true(state_task_find(rows, 7, 16, &row));
    assert_int_equal(row.deadline_ms, 5016);
    assert_false(state_task_find(rows, 7, 40, &row));

    uint64_t after = 0, sum = 0;
    while (state_task_next(rows, 7, after, &row)) {
        assert_true(row.number > after);
        after = row.number;
        sum += row.number;
    }
    assert_int_equal(sum, 48);
    assert_ok(state_task_delete(rows, 7, 16));
    assert_ok(state_task_delete(rows, 7, 16));
    assert_true(state_task_next(rows, 7, 8, &row));
    assert_int_equal(row.number, 24);
    assert_false(state_task_next(rows, 9, 0, &row));
}

static void the_earliest_due_is_first(void **state)
{
    struct state_due due;

    (void)state;
    assert_false(state_due_first(rows, &due));
    assert_ok(state_due_put(rows, 300, 1, 8, DUE_BREACH));
    assert_ok(state_due_put(rows, 65536, 2, 16, DUE_BREACH));
    assert_ok(state_due_put(rows, 255, 3, 24, DUE_LEASE));
    assert_true(state_due_first(rows, &due));
    assert_int_equal(due.due_ms, 255);
    assert_int_equal(due.person, 3);
    assert_int_equal(due.task, 24);
    assert_int_equal(due.kind, DUE_LEASE);
    assert_ok(state_due_delete(rows, 255, 3, 24));
    assert_ok(state_due_delete(rows, 255, 3, 24));
    assert_true(state_due_first(rows, &due));
    assert_int_equal(due.due_ms, 300);
    assert_int_equal(due.kind, DUE_BREACH);
}

static void visible_puts_come_by_rank_and_stay_within_their_queue(void **state)
{
    struct state_visible visible;
    uint64_t order[4], rank_ms = 0, task = 0;
    int count = 0;

    (void)state;
    assert_ok(state_visible_put(rows, 3, 700, 16, 2, 102));
    assert_ok(state_visible_put(rows, 3, 700, 8, 1, 101));
    assert_ok(state_visible_put(rows, 3, 256, 32, 4, 104));
    assert_ok(state_visible_put(rows, 4, 1, 40, 5, 105));
    while (state_visible_next(rows, 3, rank_ms, task, &visible)) {
        order[count++] = visible.outbox_seq;
        rank_ms = visible.rank_ms;
        task = visible.task + 1;
    }
    assert_int_equal(count, 3);
    assert_int_equal(order[0], 104);
    assert_int_equal(order[1], 101);
    assert_int_equal(order[2], 102);

    /* From a rank on, included. */
    assert_true(state_visible_next(rows, 3, 700, 8, &visible));
    assert_int_equal(visible.person, 1);
    assert_ok(state_visible_delete(rows, 3, 700, 8));
    assert_true(state_visible_next(rows, 3, 700, 8, &visible));
    assert_int_equal(visible.task, 16);
    assert_false(state_visible_next(rows, 5, 0, 0, &visible));
}

static void put_outbox(uint32_t queue, uint64_t seq, enum outbox_op op)
{
    struct outbox_row row = {
        .person = seq, .made_ms = 50, .task = task_row(seq * 8), .op = (uint8_t)op};

    assert_ok(state_outbox_put(rows, queue, seq, &row));
}

/* The person with the open task that the put is about. */
static void put_open(uint64_t person, uint64_t task, uint64_t put_seq)
{
    struct person_row row = person_row(person);
    struct task_row open = task_row(task);

    open.put_seq = put_seq;
    assert_ok(state_person_put(rows, person, &row, &open, 1));
}

static void a_put_is_read_with_the_row_of_its_task(void **state)
{
    struct state_reader *reader;
    struct outbox_row row;
    struct task_row second = task_row(99);
    uint64_t seq = 0;

    (void)state;
    put_open(2, 16, 2);
    put_outbox(3, 2, OUTBOX_PUT);
    second.put_seq = 5;
    assert_ok(state_task_put(rows, 2, &second));
    assert_ok(state_outbox_put(
        rows, 3, 5, &(struct outbox_row){.person = 2, .task = second, .op = OUTBOX_PUT}));
    put_open(7, 56, 8); /* its task has been put anew: an outbox row that should have gone */
    put_outbox(3, 7, OUTBOX_PUT);
    assert_ok(state_commit(rows));

    assert_ok(state_reader_open(rows, &reader));
    assert_true(state_read_outbox_next(reader, 3, 0, &seq, &row));
    assert_int_equal(row.person, 2);
    assert_int_equal(row.task.number, 16);
    assert_true(state_read_outbox_next(reader, 3, seq, &seq, &row));
    assert_int_equal(row.task.number, 99);
    assert_int_equal(row.task.put_seq, 5);
    assert_false(state_read_outbox_next(reader, 3, seq, &seq, &row));
    state_reader_close(reader);
}

static void operations_of_a_queue_are_read_in_order(void **state)
{
    struct state_reader *reader;
    struct outbox_row row;
    uint64_t seq = 0;

    (void)state;
    put_outbox(3, 2, OUTBOX_PUT);
    put_open(2, 16, 2);
    put_outbox(3, 300, OUTBOX_DROP);
    put_outbox(4, 1, OUTBOX_PUT);
    assert_ok(state_commit(rows));
    assert_ok(state_reader_open(rows, &reader));
    assert_true(state_read_outbox_next(reader, 3, 0, &seq, &row));
    assert_int_equal(seq, 2);
    assert_int_equal(row.task.number, 16);
    assert_true(state_read_outbox_next(reader, 3, seq, &seq, &row));
    assert_int_equal(seq, 300);
    assert_int_equal(row.op, OUTBOX_DROP);
    assert_false(state_read_outbox_next(reader, 3, seq, &seq, &row));
    state_reader_release(reader);

    assert_ok(state_begin(rows));
    assert_ok(state_outbox_delete(rows, 3, 2));
    assert_ok(state_commit(rows));
    assert_true(state_read_outbox_next(reader, 3, 0, &seq, &row));
    assert_int_equal(seq, 300);
    state_reader_close(reader);
}

static unsigned count_lines(const char *text, const char *start)
{
    unsigned count = strncmp(text, start, strlen(start)) == 0;
    char needle[64];

    snprintf(needle, sizeof needle, "\n%s", start);
    for (const char *at = strstr(text, needle); at; at = strstr(at + 1, needle))
        count++;
    return count;
}

static void drops_are_trimmed_by_age_a_few_at_a_time(void **state)
{
    (void)state;
    for (uint64_t seq = 1; seq <= 10; seq++) {
        put_outbox(3, seq, OUTBOX_DROP);
        assert_ok(state_dropped_put(rows, 1000 + seq, 3, seq));
    }
    put_outbox(3, 11, OUTBOX_PUT);
    assert_ok(state_dropped_trim(rows, 1000, 100));
    assert_ok(state_commit(rows));
    char *before = dump();
    assert_int_equal(count_lines(before, "dropped "), 10);

    assert_ok(state_begin(rows));
    assert_ok(state_dropped_trim(rows, 1006, 3)); /* 1001..1005 are older: three of them */
    assert_ok(state_commit(rows));
    char *some = dump();
    assert_int_equal(count_lines(some, "dropped "), 7);
    assert_int_equal(count_lines(some, "outbox "), 8);
    assert_null(strstr(some, "outbox queue=3 seq=3 "));
    assert_non_null(strstr(some, "outbox queue=3 seq=4 "));

    assert_ok(state_begin(rows));
    assert_ok(state_dropped_trim(rows, 1006, 100));
    assert_ok(state_commit(rows));
    char *after = dump();
    assert_int_equal(count_lines(after, "dropped "), 5);
    assert_non_null(strstr(after, "dropped dropped_ms=1006 queue=3 seq=6\n"));
    assert_non_null(strstr(after, "outbox queue=3 seq=11 op=1 "));
    free(before);
    free(some);
    free(after);
}

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

/* --- opening ------------------------------------------------------------------ */

static void a_reset_leaves_nothing(void **state)
{
    (void)state;
    put_person(1, true);
    state_meta(rows)->folded_seq = 5;
    state_queue(rows, 3)->outbox_seq = 7;
    assert_ok(state_commit(rows));
    assert_ok(state_begin(rows));
    put_person(2, true);
    assert_ok(state_reset(rows));
    assert_int_equal(state_meta(rows)->folded_seq, 0);
    assert_int_equal(state_queue(rows, 3)->outbox_seq, 0);
    assert_false(has_person(1));
    assert_ok(state_begin(rows));
    put_person(1, false);
    assert_ok(state_commit(rows));
    assert_ok(state_sync(rows));
    reopen();
    assert_person(1, false);
}

static void a_removed_state_is_new(void **state)
{
    (void)state;
    put_person(1, true);
    state_meta(rows)->folded_seq = 5;
    assert_ok(state_commit(rows));
    state_close(rows);
    assert_ok(state_remove(fixture.directory));
    assert_ok(state_remove(fixture.directory));
    assert_ok(state_open(&fixture.options, &rows));
    assert_int_equal(state_meta(rows)->folded_seq, 0);
    assert_false(has_person(1));
}

static void set_version(uint64_t version)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi table;
    MDB_val key = {4, (void *)"meta"}, value;
    char copy[512];

    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 1), 0);
    assert_int_equal(mdb_env_open(env, fixture.directory, 0, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, "meta", 0, &table), 0);
    assert_int_equal(mdb_get(txn, table, &key, &value), 0);
    memcpy(copy, value.mv_data, value.mv_size);
    memcpy(copy, &version, sizeof version);
    value.mv_data = copy;
    assert_int_equal(mdb_put(txn, table, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static void a_state_of_another_version_is_made_anew(void **state)
{
    (void)state;
    put_person(1, true);
    state_meta(rows)->folded_seq = 5;
    assert_ok(state_commit(rows));
    state_close(rows);
    set_version(STATE_VERSION);
    assert_ok(state_open(&fixture.options, &rows));
    assert_int_equal(state_meta(rows)->folded_seq, 5);
    state_close(rows);
    set_version(STATE_VERSION + 1);
    assert_ok(state_open(&fixture.options, &rows));
    assert_int_equal(state_meta(rows)->folded_seq, 0);
    assert_false(has_person(1));
}

static void a_file_that_is_no_state_is_made_anew(void **state)
{
    (void)state;
    state_close(rows);
    FILE *file = fopen(folder_path(&fixture.folder, "rows/data.mdb"), "w");
    for (int i = 0; i < 5000; i++)
        fputs("not a state.", file);
    fclose(file);
    assert_ok(state_open(&fixture.options, &rows));
    assert_int_equal(state_meta(rows)->folded_seq, 0);
}

static void a_state_that_is_open_is_a_conflict(void **state)
{
    struct state *second;

    (void)state;
    assert_int_equal(state_open(&fixture.options, &second), STATUS_CONFLICT);
    assert_null(second);
    put_person(1, true);
    assert_ok(state_commit(rows));
}

/* --- dump --------------------------------------------------------------------- */

/* --- young rows ----------------------------------------------------------------- */

static void put_task_rows(uint64_t person, uint64_t rank_ms, uint64_t put_seq)
{
    assert_ok(state_begin(rows));
    put_open(person, person * 8, put_seq);
    assert_ok(state_due_put(rows, rank_ms, person, person * 8, DUE_BREACH));
    assert_ok(state_visible_put(rows, 3, rank_ms, person * 8, person, put_seq));
    put_outbox(3, put_seq, OUTBOX_PUT);
    state_queue(rows, 3)->outbox_seq = put_seq;
}

static void fold_until(uint64_t seq, uint64_t ms)
{
    state_meta(rows)->folded_seq = seq;
    state_meta(rows)->folded_ms = ms;
}

static unsigned stored(const char *table)
{
    char *text = dump();
    unsigned count = count_lines(text, table);

    free(text);
    return count;
}

static void what_is_deleted_soon_never_comes_to_its_table(void **state)
{
    struct state_visible visible;
    struct state_due due;

    (void)state;
    put_task_rows(1, 500, 1);
    fold_until(1, 10000);
    assert_ok(state_commit_live(rows, false));
    assert_int_equal(stored("due ") + stored("visible ") + stored("outbox "), 0);
    assert_int_equal(stored("person "), 1);
    assert_true(state_due_first(rows, &due));
    assert_int_equal(due.person, 1);
    assert_int_equal(due.kind, DUE_BREACH);
    assert_true(state_visible_next(rows, 3, 0, 0, &visible));
    assert_int_equal(visible.outbox_seq, 1);
    assert_false(state_visible_next(rows, 4, 0, 0, &visible));

    assert_ok(state_begin(rows));
    assert_ok(state_due_delete(rows, 500, 1, 8));
    assert_ok(state_visible_delete(rows, 3, 500, 8));
    assert_ok(state_outbox_delete(rows, 3, 1));
    assert_false(state_due_first(rows, &due));
    assert_false(state_visible_next(rows, 3, 0, 0, &visible));
    assert_false(state_has_young(rows));
    assert_ok(state_commit(rows));
    assert_int_equal(stored("due ") + stored("visible ") + stored("outbox "), 0);
}

static void young_and_stored_rows_come_in_one_order(void **state)
{
    struct state_visible visible = {0};
    struct state_due due;
    uint64_t order[4];

    (void)state;
    put_task_rows(2, 200, 1);
    put_task_rows(4, 400, 2);
    assert_ok(state_commit(rows));
    put_task_rows(1, 100, 3);
    put_task_rows(3, 300, 4);
    for (int i = 0; i < 4; i++, visible.task++) {
        assert_true(state_visible_next(rows, 3, visible.rank_ms, visible.task, &visible));
        order[i] = visible.person;
    }
    for (uint64_t person = 1; person <= 4; person++) {
        assert_int_equal(order[person - 1], person);
        assert_true(state_due_first(rows, &due));
        assert_int_equal(due.person, person);
        assert_ok(state_due_delete(rows, due.due_ms, due.person, due.task));
    }
    assert_false(state_due_first(rows, &due));
}

static void what_has_become_old_is_stored(void **state)
{
    (void)state;
    for (uint64_t seq = 1; seq <= 4; seq++) {
        put_task_rows(seq, 1000 * seq, seq);
        fold_until(seq, STATE_YOUNG_MS * seq);
        assert_ok(state_commit_live(rows, false));
    }
    assert_int_equal(stored("due "), 3); /* the last one came just now */
    assert_int_equal(stored("visible "), 3);
    assert_int_equal(stored("outbox "), 3);
    assert_int_equal(state_settled_seq(rows), 3);
    assert_ok(state_commit_live(rows, true));
    assert_int_equal(stored("due "), 4);
    assert_int_equal(state_settled_seq(rows), 4);
}

static void readers_are_told_how_far_the_outbox_is_stored(void **state)
{
    struct state_reader *reader;
    struct state_queue queue;

    (void)state;
    put_task_rows(1, 100, 1);
    assert_ok(state_commit(rows));
    put_task_rows(2, 200, 2);
    put_task_rows(3, 300, 3);
    assert_ok(state_commit_live(rows, false));
    assert_ok(state_reader_open(rows, &reader));
    assert_true(state_read_queue(reader, 3, &queue));
    assert_int_equal(queue.outbox_seq, 3);
    assert_int_equal(queue.outbox_stored_seq, 1);
    state_reader_release(reader);
    assert_ok(state_begin(rows));
    assert_ok(state_outbox_delete(rows, 3, 2));
    assert_ok(state_commit_live(rows, false));
    assert_true(state_read_queue(reader, 3, &queue));
    assert_int_equal(queue.outbox_stored_seq, 2);
    state_reader_close(reader);
}

static void lost_young_rows_are_known_to_be_missing_until_they_are_restored(void **state)
{
    struct state_due due;

    (void)state;
    put_task_rows(1, 100, 1);
    fold_until(5, 10000);
    assert_ok(state_commit(rows));
    put_task_rows(2, 50, 2); /* made by record 6 */
    fold_until(7, 10000);
    assert_ok(state_commit_live(rows, false));
    assert_false(state_lacks_rows(rows));
    reopen();
    assert_true(state_lacks_rows(rows));
    assert_int_equal(state_settled_seq(rows), 5);
    assert_true(state_due_first(rows, &due));
    assert_int_equal(due.person, 1);

    put_task_rows(2, 50, 2);
    state_restored(rows, 6);
    assert_ok(state_commit_live(rows, false)); /* and this goes on where it was */
    reopen();
    assert_int_equal(state_settled_seq(rows), 6);
    state_restored(rows, 7);
    assert_false(state_lacks_rows(rows));
    assert_true(state_due_first(rows, &due));
    assert_int_equal(due.person, 2);

    put_task_rows(3, 40, 3);
    fold_until(8, 10000);
    assert_ok(state_commit_live(rows, false));
    state_abort(rows); /* what is in memory may be of what is aborted */
    assert_true(state_lacks_rows(rows));
    assert_int_equal(state_settled_seq(rows), 7);
}

/* The same rows, in commits of `each` of them. */
static void fold(uint64_t each)
{
    for (uint64_t number = 1; number <= 30; number++) {
        struct task_row task = task_row(number * 8);

        assert_ok(state_begin(rows));
        put_person(number, number % 2 == 0);
        assert_ok(state_task_put(rows, number, &task));
        assert_ok(state_due_put(rows, 100 - number, number, number * 8, DUE_BREACH));
        put_outbox(3, number, OUTBOX_PUT);
        assert_ok(state_visible_put(rows, 3, number % 7, number * 8, number, number));
        assert_ok(state_dropped_put(rows, number, 3, number));
        assert_ok(state_entity_put(rows, ENTITY_SITE, (uint32_t)number, SLICE("{\"id\":\"s\"}")));
        if (number % 3 == 0)
            assert_ok(state_entity_put(rows, ENTITY_SITE, (uint32_t)number, (struct slice){0}));
        state_queue(rows, 3)->outbox_seq = number;
        state_queue(rows, 5)->open_tasks = number % 2; /* ends as if untouched */
        state_meta(rows)->folded_seq = number;
        if (number % each == 0)
            assert_ok(state_commit(rows));
    }
    assert_ok(state_commit(rows));
}

static void the_dump_depends_on_the_rows_alone(void **state)
{
    (void)state;
    fold(1);
    char *one = dump();
    char *again = dump();
    assert_string_equal(one, again);
    assert_ok(state_reset(rows));
    fold(13);
    char *other = dump();
    assert_string_equal(one, other);
    assert_int_equal(count_lines(one, "person "), 30);
    assert_int_equal(count_lines(one, "task "), 30);
    assert_int_equal(count_lines(one, "due "), 30);
    assert_int_equal(count_lines(one, "visible "), 30);
    assert_int_equal(count_lines(one, "entity "), 20);
    assert_int_equal(count_lines(one, "queue "), 1);
    free(one);
    free(again);
    free(other);
}

static void the_dump_names_every_field(void **state)
{
    (void)state;
    put_person(7, false);
    assert_ok(state_due_put(rows, 9, 7, 56, DUE_LEASE));
    assert_ok(state_entity_put(rows, ENTITY_AGENCY, 1, SLICE("{\"name\":\"a\nb\\\"}")));
    state_meta(rows)->folded_seq = 70;
    assert_ok(state_commit(rows));
    char *text = dump();
    assert_int_equal(strncmp(text, "meta version=8 folded_seq=70 ", 29), 0);
    assert_non_null(strstr(text, "\nperson person=7 last_seq=70 first_ms=1007 last_ms=0 "));
    assert_non_null(strstr(text, " phone=0107ff00000000000000000000000000 "));
    assert_non_null(strstr(text, "\ndue due_ms=9 person=7 task=56 kind=2\n"));
    assert_non_null(
        strstr(text, "\nentity kind=1 number=1 settings={\"name\":\"a\\x0ab\\x5c\"}\n"));
    free(text);
}

static void a_dump_that_cannot_be_written_says_so(void **state)
{
    struct state_reader *reader;
    FILE *full = fopen("/dev/full", "w");

    (void)state;
    assert_ok(state_reader_open(rows, &reader));
    assert_int_equal(state_dump(reader, full), STATUS_IO);
    state_reader_close(reader);
    fclose(full);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void suspects_of_an_agency_come_newest_first(void **state)
{
    struct state_reader *reader;
    struct suspect_row row;
    uint64_t seq = UINT64_MAX;

    (void)state;
    assert_ok(state_begin(rows));
    for (uint64_t i = 1; i <= 3; i++)
        assert_ok(state_suspect_put(rows, (uint32_t)(1 + i % 2), 10 * i,
                                    &(struct suspect_row){.decided_seq = 10 * i + 1, .site = 7}));
    assert_ok(state_commit(rows));
    assert_ok(state_reader_open(rows, &reader));
    assert_true(state_read_suspect_next(reader, 2, seq, &seq, &row));
    assert_int_equal(seq, 30);
    assert_int_equal(row.decided_seq, 31);
    assert_int_equal(row.site, 7);
    assert_true(state_read_suspect_next(reader, 2, seq, &seq, &row));
    assert_int_equal(seq, 10);
    assert_false(state_read_suspect_next(reader, 2, seq, &seq, &row));
    seq = UINT64_MAX;
    assert_true(state_read_suspect_next(reader, 1, seq, &seq, &row));
    assert_int_equal(seq, 20);
    assert_false(state_read_suspect_next(reader, 1, seq, &seq, &row));
    assert_false(state_read_suspect_next(reader, 3, UINT64_MAX, &seq, &row));
    state_reader_close(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(people_are_found_before_and_after_the_commit),
        TEST(a_person_changes_in_place_and_later_ones_stay),
        TEST(people_may_be_put_out_of_order),
        TEST(further_tasks_come_in_order_and_end_with_the_person),
        TEST(the_earliest_due_is_first),
        TEST(visible_puts_come_by_rank_and_stay_within_their_queue),
        TEST(suspects_of_an_agency_come_newest_first),
        TEST(a_put_is_read_with_the_row_of_its_task),
        TEST(operations_of_a_queue_are_read_in_order),
        TEST(drops_are_trimmed_by_age_a_few_at_a_time),
        TEST(an_abort_brings_back_rows_meta_and_queues),
        TEST(meta_and_queues_are_kept),
        TEST(all_queues_that_there_may_be_are_kept),
        TEST(young_rows_of_a_queue_that_rests_are_settled),
        TEST(begin_and_commit_may_be_called_for_nothing),
        TEST(what_is_found_again_is_what_was_put),
        TEST(readers_see_commits_only),
        TEST(a_reader_on_another_thread_sees_whole_commits),
        TEST(a_full_map_fails_alike_until_the_abort_and_then_goes_on),
        TEST(a_reset_leaves_nothing),
        TEST(a_removed_state_is_new),
        TEST(a_state_of_another_version_is_made_anew),
        TEST(a_file_that_is_no_state_is_made_anew),
        TEST(a_state_that_is_open_is_a_conflict),
        TEST(what_is_deleted_soon_never_comes_to_its_table),
        TEST(young_and_stored_rows_come_in_one_order),
        TEST(what_has_become_old_is_stored),
        TEST(readers_are_told_how_far_the_outbox_is_stored),
        TEST(lost_young_rows_are_known_to_be_missing_until_they_are_restored),
        TEST(the_dump_depends_on_the_rows_alone),
        TEST(the_dump_names_every_field),
        TEST(a_dump_that_cannot_be_written_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
