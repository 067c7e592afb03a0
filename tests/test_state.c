/* Rows, and what is there when it is opened again. */
#include "tests/state_rig.h"

#include <unistd.h>
#include <xxhash.h>

#include "server/log.h"

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

static uint64_t trimmed_of_queue_3(void)
{
    struct state_reader *reader;
    struct state_queue row;

    assert_ok(state_reader_open(rows, &reader));
    (void)state_read_queue(reader, 3, &row); /* all of it is 0 when there is none */
    state_reader_close(reader);
    return row.trimmed_seq;
}

static void drops_are_trimmed_by_age_and_number_a_few_at_a_time(void **state)
{
    (void)state;
    for (uint64_t seq = 1; seq <= 10; seq++) {
        put_outbox(3, seq, OUTBOX_DROP);
        assert_ok(state_dropped_put(rows, 1000 + seq, 3, seq));
    }
    put_outbox(3, 11, OUTBOX_PUT);
    assert_ok(state_dropped_trim(rows, 1000, 10, 100));
    assert_ok(state_commit(rows));
    char *before = dump();
    assert_int_equal(count_lines(before, "dropped "), 10);
    assert_int_equal(trimmed_of_queue_3(), 0);

    assert_ok(state_begin(rows));
    assert_ok(state_dropped_trim(rows, 1006, 10, 3)); /* 1001..1005 are older: three of them */
    assert_ok(state_commit(rows));
    char *some = dump();
    assert_int_equal(count_lines(some, "dropped "), 7);
    assert_int_equal(count_lines(some, "outbox "), 8);
    assert_null(strstr(some, "outbox queue=3 seq=3 "));
    assert_non_null(strstr(some, "outbox queue=3 seq=4 "));
    assert_int_equal(trimmed_of_queue_3(), 3);

    assert_ok(state_begin(rows));
    assert_ok(state_dropped_trim(rows, 1006, 10, 100));
    assert_ok(state_commit(rows));
    char *after = dump();
    assert_int_equal(count_lines(after, "dropped "), 5);
    assert_non_null(strstr(after, "dropped dropped_ms=1006 queue=3 seq=6\n"));
    assert_non_null(strstr(after, "outbox queue=3 seq=11 op=1 "));

    assert_ok(state_begin(rows));
    assert_ok(state_dropped_trim(rows, 1006, 2, 100)); /* young, and three too many */
    assert_ok(state_commit(rows));
    char *few = dump();
    assert_int_equal(count_lines(few, "dropped "), 2);
    assert_null(strstr(few, "outbox queue=3 seq=8 "));
    assert_non_null(strstr(few, "outbox queue=3 seq=9 "));
    assert_int_equal(trimmed_of_queue_3(), 8);
    free(few);
    free(before);
    free(some);
    free(after);
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

/* Changes the row of meta, which begins with its version and ends with its checksum; its bytes. */
static size_t change_meta(size_t place, uint8_t by, bool seal)
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
    copy[place] = (char)((uint8_t)copy[place] ^ by);
    uint64_t checksum = XXH3_64bits(copy, value.mv_size - sizeof checksum);
    if (seal)
        memcpy(copy + value.mv_size - sizeof checksum, &checksum, sizeof checksum);
    value.mv_data = copy;
    assert_int_equal(mdb_put(txn, table, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
    return value.mv_size;
}

static void a_state_of_another_version_is_made_anew(void **state)
{
    (void)state;
    put_person(1, true);
    state_meta(rows)->folded_seq = 5;
    assert_ok(state_commit(rows));
    state_close(rows);
    change_meta(0, 0, true);
    assert_ok(state_open(&fixture.options, &rows));
    assert_int_equal(state_meta(rows)->folded_seq, 5);
    state_close(rows);
    change_meta(0, STATE_VERSION ^ (STATE_VERSION + 1), true);
    assert_ok(state_open(&fixture.options, &rows));
    assert_int_equal(state_meta(rows)->folded_seq, 0);
    assert_false(has_person(1));
}

/* Most of it are counters that nothing else says. */
static void a_state_whose_meta_is_damaged_is_made_anew_and_the_log_says_so(void **state)
{
    size_t bytes = 1;
    char line[2048];

    (void)state;
    for (size_t place = 0; place < bytes; place++) {
        FILE *said = tmpfile();
        put_person(1, true);
        state_meta(rows)->folded_seq = 5;
        assert_ok(state_commit(rows));
        state_close(rows);
        bytes = change_meta(place, 1, false);
        fixture.options.log = log_open(fileno(said), LOG_WARN);
        assert_ok(state_open(&fixture.options, &rows));
        if (state_meta(rows)->folded_seq != 0 || has_person(1))
            fail_msg("byte %zu of %zu is believed", place, bytes);
        line[pread(fileno(said), line, sizeof(line) - 1, 0)] = '\0';
        assert_non_null(strstr(line, "it is made anew from the journal"));
        state_close(rows);
        log_close(fixture.options.log);
        fclose(said);
        fixture.options.log = NULL;
        assert_ok(state_open(&fixture.options, &rows));
        assert_ok(state_begin(rows));
    }
    assert_true(bytes > sizeof(struct state_meta));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(people_are_found_before_and_after_the_commit),
        TEST(a_person_changes_in_place_and_later_ones_stay),
        TEST(people_may_be_put_out_of_order),
        TEST(further_tasks_come_in_order_and_end_with_the_person),
        TEST(the_earliest_due_is_first),
        TEST(visible_puts_come_by_rank_and_stay_within_their_queue),
        TEST(a_put_is_read_with_the_row_of_its_task),
        TEST(operations_of_a_queue_are_read_in_order),
        TEST(drops_are_trimmed_by_age_and_number_a_few_at_a_time),
        TEST(a_reset_leaves_nothing),
        TEST(a_removed_state_is_new),
        TEST(a_state_of_another_version_is_made_anew),
        TEST(a_state_whose_meta_is_damaged_is_made_anew_and_the_log_says_so),
        TEST(a_file_that_is_no_state_is_made_anew),
        TEST(a_state_that_is_open_is_a_conflict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
