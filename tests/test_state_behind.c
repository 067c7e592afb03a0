/* Young rows, which are written once for many records. */
#include "tests/state_rig.h"

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
    char *text = dump(), begin[64];
    int length = snprintf(begin, sizeof begin, "meta version=%d folded_seq=70 ", STATE_VERSION);
    assert_int_equal(strncmp(text, begin, (size_t)length), 0);
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
        TEST(suspects_of_an_agency_come_newest_first),
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
