/* A journal of its own for each test, records to put into it, and looks at what is in it. For the
 * tests of journal.c: included by one test file each. */
#ifndef HOTLEAD_TESTS_JOURNAL_RIG_H
#define HOTLEAD_TESTS_JOURNAL_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "server/journal.h"
#include "tests/folder.h"

struct fixture {
    struct folder folder;
    struct journal_options options;
    char directory[80];
    struct journal *journal;
};

static struct fixture fixture;
static struct record record;
static char payload[OPTIN_STORED_MAX];

static inline int set_up(void **state)
{
    (void)state;
    fixture.folder = folder_make();
    snprintf(fixture.directory, sizeof fixture.directory, "%s/journal", fixture.folder.path);
    fixture.options = (struct journal_options){.directory = fixture.directory};
    memset(payload, 'p', sizeof payload);
    return journal_open(&fixture.options, &fixture.journal) == STATUS_OK ? 0 : -1;
}

static inline int tear_down(void **state)
{
    (void)state;
    journal_close(fixture.journal);
    folder_remove(&fixture.folder);
    return 0;
}

static inline void reopen(void)
{
    journal_close(fixture.journal);
    assert_int_equal(journal_open(&fixture.options, &fixture.journal), STATUS_OK);
}

static inline enum status append(uint64_t seq, size_t payload_bytes)
{
    record_begin(&record, RECORD_OPTIN, 1000 + seq, 1);
    record.header.seq = seq;
    record.payload = (struct slice){payload, payload_bytes};
    record_seal(&record);
    return journal_append(fixture.journal, &record);
}

/* One batch of `count` records of 600 bytes behind what is there. */
static inline enum status append_batch(unsigned count, size_t payload_bytes)
{
    enum status status = journal_begin(fixture.journal);

    for (unsigned i = 0; status == STATUS_OK && i < count; i++)
        status = append(journal_last_seq(fixture.journal) + 1, payload_bytes);
    return status == STATUS_OK ? journal_commit(fixture.journal) : status;
}

static inline enum status read_one(uint64_t seq)
{
    struct journal_reader *reader;
    struct record_view view;

    assert_int_equal(journal_reader_open(fixture.journal, &reader), STATUS_OK);
    enum status status = journal_read(reader, seq, &view);
    if (status == STATUS_OK)
        assert_int_equal(view.header.now_ms, 1000 + seq);
    assert_int_equal(view.header.seq, seq);
    journal_reader_close(reader);
    return status;
}

struct seen {
    uint64_t count, damaged, next_seq, stop_at;
};

static inline bool count_record(void *owner, uint64_t seq, enum status status,
                                const struct record_view *view)
{
    struct seen *seen = owner;

    assert_int_equal(seq, seen->next_seq);
    assert_int_equal(view->header.seq, seq);
    if (status == STATUS_OK)
        assert_int_equal(view->header.now_ms, 1000 + seq);
    else
        seen->damaged = seq;
    seen->count++;
    seen->next_seq++;
    return seq != seen->stop_at;
}

static inline struct seen scan(uint64_t from_seq, uint64_t stop_at)
{
    struct seen seen = {.next_seq = from_seq, .stop_at = stop_at};
    struct journal_reader *reader;

    assert_int_equal(journal_reader_open(fixture.journal, &reader), STATUS_OK);
    assert_int_equal(journal_scan(reader, from_seq, count_record, &seen), STATUS_OK);
    journal_reader_close(reader);
    return seen;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
