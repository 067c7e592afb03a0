/* Cells of the tally, by themselves and in state. */
#include "server/state.h"
#include "tests/folder.h"
#include "tests/unit.h"

static struct folder folder;
static char directory[80];
static struct state *rows;

static void open_rows(void)
{
    const struct state_options options = {.directory = directory};

    assert_status(state_open(&options, &rows), STATUS_OK);
    assert_status(state_begin(rows), STATUS_OK);
}

static int set_up(void **unused)
{
    (void)unused;
    folder = folder_make();
    snprintf(directory, sizeof(directory), "%s/rows", folder.path);
    open_rows();
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    state_close(rows);
    folder_remove(&folder);
    return 0;
}

/* --- bins ------------------------------------------------------------------------ */

static void spans_have_bins_that_follow_on_each_other_and_are_narrow(void **unused)
{
    (void)unused;
    for (uint16_t bin = 0; bin < 1500; bin++) {
        uint64_t first = tally_span_first(bin), last = tally_span_last(bin);
        assert_int_equal(tally_span_bin(first), bin);
        assert_int_equal(tally_span_bin(last), bin);
        assert_int_equal(tally_span_bin(last + 1), bin + 1);
        assert_true((last - first) * 32 <= first);
    }
    assert_true(tally_span_bin(UINT64_MAX) <= TALLY_SPAN_MASK);
}

static void an_answer_is_in_the_first_class_that_it_keeps(void **unused)
{
    const uint64_t minute = 60000, received = 1700000000000, evening = received + 6 * 60 * minute;

    (void)unused;
    assert_int_equal(tally_class_of(received, received, evening), TALLY_5_MIN);
    assert_int_equal(tally_class_of(received, received + 5 * minute, evening), TALLY_5_MIN);
    assert_int_equal(tally_class_of(received, received + 5 * minute + 1, evening), TALLY_10_MIN);
    assert_int_equal(tally_class_of(received, received + 30 * minute, evening), TALLY_30_MIN);
    assert_int_equal(tally_class_of(received, received + 60 * minute, evening), TALLY_HOUR_1);
    assert_int_equal(tally_class_of(received, received + 60 * minute, 0), TALLY_HOUR_1);
    assert_int_equal(tally_class_of(received, evening, evening), TALLY_BUSINESS_DAY);
    assert_int_equal(tally_class_of(received, evening + 1, evening), TALLY_LATER);
    assert_int_equal(tally_class_of(received, received + 61 * minute, 0), TALLY_LATER);
}

static void what_is_taken_back_was_never_there(void **unused)
{
    struct tally_cell cell = {0};

    (void)unused;
    assert_true(tally_cell_add(&cell, &(struct tally_add){.bin = 7, .amount = 100, .aside = 1}));
    assert_true(tally_cell_add(&cell, &(struct tally_add){.bin = 3, .amount = 5}));
    assert_true(tally_cell_add(&cell, &(struct tally_add){.bin = 7, .amount = 50}));
    assert_int_equal(cell.count, 2);
    assert_int_equal(cell.sum, 155);
    assert_int_equal(cell.max, 100);
    assert_int_equal(tally_bin_of(cell.entries[0]), 3);
    assert_int_equal(tally_count_of(cell.entries[1]), 2);
    assert_true(tally_cell_add(&cell, &(struct tally_add){.bin = 3, .amount = 5, .less = true}));
    assert_int_equal(cell.count, 1);
    assert_int_equal(cell.max, 100);
    assert_true(tally_cell_add(&cell, &(struct tally_add){.bin = 7, .amount = 50, .less = true}));
    assert_true(tally_cell_add(
        &cell, &(struct tally_add){.bin = 7, .amount = 100, .aside = 1, .less = true}));
    assert_int_equal(cell.count + cell.sum + cell.max + cell.aside, 0);
    free(cell.entries);
}

/* --- in state ---------------------------------------------------------------------- */

static const struct tally_key monday = {
    .agency = 1, .kind = TALLY_OUTCOME, .dimension = TALLY_SITE, .day = 100, .value = 4};

static void add_to(const struct tally_key *key, uint16_t bin, bool less)
{
    assert_status(state_begin(rows), STATUS_OK);
    state_meta(rows)->folded_seq++;
    assert_status(state_tally(rows, key, &(struct tally_add){.bin = bin, .less = less}), STATUS_OK);
}

static char *dump(void)
{
    struct state_reader *reader;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    assert_status(state_commit(rows), STATUS_OK);
    assert_status(state_reader_open(rows, &reader), STATUS_OK);
    assert_status(state_dump(reader, out), STATUS_OK);
    state_reader_close(reader);
    fclose(out);
    return text;
}

static void assert_dump_has(const char *part, bool has)
{
    char *text = dump();

    if ((strstr(text, part) != NULL) != has)
        fail_msg("'%s' is %s in: %s", part, has ? "not" : "still", text);
    free(text);
}

static void cells_are_kept(void **unused)
{
    (void)unused;
    add_to(&monday, 3, false);
    assert_status(state_commit(rows), STATUS_OK);
    add_to(&monday, 3, false);
    add_to(&monday, 1, false);
    assert_status(state_commit(rows), STATUS_OK);
    state_close(rows);
    open_rows();
    add_to(&monday, 3, false);
    assert_dump_has("tally agency=1 kind=8 dimension=2 day=100 value=4 sum=0 max=0 aside=0 "
                    "bins=1:1,3:3\n",
                    true);
}

static void abort_goes_back_to_what_was_committed(void **unused)
{
    (void)unused;
    add_to(&monday, 3, false);
    assert_status(state_commit(rows), STATUS_OK);
    add_to(&monday, 3, false);
    add_to(&monday, 5, false);
    state_abort(rows);
    add_to(&monday, 9, false);
    assert_dump_has("bins=3:1,9:1\n", true);
}

static void an_empty_cell_has_no_row(void **unused)
{
    (void)unused;
    add_to(&monday, 3, false);
    assert_dump_has("tally", true);
    add_to(&monday, 3, true);
    assert_dump_has("tally", false);
}

/* The same, in commits of `each` of them. */
static void flood(unsigned each)
{
    struct tally_key key = monday;

    key.dimension = TALLY_CAMPAIGN;
    for (unsigned i = 1; i <= 3000; i++) {
        key.value = i * 2654435761u % 300 + 1; /* 300 campaigns, each ten times */
        add_to(&key, (uint16_t)(i % 5), false);
        if (i % 3 == 0)
            add_to(&key, (uint16_t)(i % 5), true);
        if (i % each == 0)
            assert_status(state_commit(rows), STATUS_OK);
    }
}

static void a_flood_of_campaigns_ends_in_one_cell_whenever_it_is_committed(void **unused)
{
    char *one, *other;

    (void)unused;
    flood(1);
    one = dump();
    assert_non_null(strstr(one, "value=18446744073709551615 "));
    assert_non_null(strstr(one, "value=18446744073709551614 sum=0 max=0 aside=0 bins=0:256\n"));
    assert_status(state_reset(rows), STATUS_OK);
    flood(101);
    other = dump();
    assert_string_equal(one, other);
    free(one);
    free(other);
}

static void more_cells_than_memory_holds_are_put_early(void **unused)
{
    struct tally_key key = monday;

    (void)unused;
    for (unsigned round = 0; round < 2; round++)
        for (key.value = 1; key.value <= TALLY_CELLS_MAX + 100; key.value++)
            add_to(&key, 0, false);
    char *text = dump();
    unsigned twice = 0;
    for (const char *at = text; (at = strstr(at, "bins=0:2\n")) != NULL; at++)
        twice++;
    assert_int_equal(twice, TALLY_CELLS_MAX + 100);
    free(text);
}

static bool sum_up(void *owner, const struct tally_view *cell)
{
    uint64_t *sum = owner;

    for (size_t i = 0; i < cell->count; i++)
        *sum += tally_count_of(tally_view_entry(cell, i)) * cell->key.day;
    return true;
}

static uint64_t read_days(uint32_t first, uint32_t last)
{
    struct state_reader *reader;
    uint64_t sum = 0;

    assert_status(state_reader_open(rows, &reader), STATUS_OK);
    assert_status(state_read_tally(reader, 1, TALLY_OUTCOME, TALLY_SITE, first, last, sum_up, &sum),
                  STATUS_OK);
    state_reader_close(reader);
    return sum;
}

static void a_reader_sees_the_days_that_it_asks_for(void **unused)
{
    struct tally_key key = monday;

    (void)unused;
    for (key.day = 98; key.day < 104; key.day++)
        add_to(&key, 1, false);
    key.dimension = TALLY_SOURCE; /* their neighbours are not theirs */
    add_to(&key, 1, false);
    key.dimension = TALLY_SITE;
    key.agency = 2;
    add_to(&key, 1, false);
    assert_status(state_commit(rows), STATUS_OK);
    assert_int_equal(read_days(99, 101), 99 + 100 + 101);
    assert_int_equal(read_days(0, UINT32_MAX), 98 + 99 + 100 + 101 + 102 + 103);
    assert_int_equal(read_days(104, 200), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_have_bins_that_follow_on_each_other_and_are_narrow),
        cmocka_unit_test(an_answer_is_in_the_first_class_that_it_keeps),
        cmocka_unit_test(what_is_taken_back_was_never_there),
        TEST(cells_are_kept),
        TEST(abort_goes_back_to_what_was_committed),
        TEST(an_empty_cell_has_no_row),
        TEST(a_flood_of_campaigns_ends_in_one_cell_whenever_it_is_committed),
        TEST(more_cells_than_memory_holds_are_put_early),
        TEST(a_reader_sees_the_days_that_it_asks_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
