/* A state of its own for each test, open with a transaction under way, and short words for its
 * rows.
 */
#ifndef HOTLEAD_TESTS_STATE_RIG_H
#define HOTLEAD_TESTS_STATE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <lmdb.h>
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

static inline int set_up(void **state)
{
    (void)state;
    fixture.folder = folder_make();
    snprintf(fixture.directory, sizeof fixture.directory, "%s/rows", fixture.folder.path);
    fixture.options = (struct state_options){.directory = fixture.directory};
    if (state_open(&fixture.options, &rows) != STATUS_OK)
        return -1;
    return state_begin(rows) == STATUS_OK ? 0 : -1;
}

static inline int tear_down(void **state)
{
    (void)state;
    state_close(rows);
    folder_remove(&fixture.folder);
    return 0;
}

static inline void reopen(void)
{
    state_close(rows);
    assert_int_equal(state_open(&fixture.options, &rows), STATUS_OK);
}

#define assert_ok(call) assert_int_equal((call), STATUS_OK)

static inline struct person_row person_row(uint64_t number)
{
    return (struct person_row){.first_ms = 1000 + number,
                               .phone.bytes = {1, (uint8_t)number, 0xff},
                               .agency = 2,
                               .optins = (uint32_t)number};
}

static inline struct task_row task_row(uint64_t number)
{
    return (struct task_row){
        .number = number, .deadline_ms = 5000 + number, .queue = 3, .delivery = 1};
}

static inline void put_person(uint64_t number, bool with_task)
{
    struct person_row row = person_row(number);
    struct task_row task = task_row(number * 8);

    assert_ok(state_person_put(rows, number, &row, with_task ? &task : NULL, 10 * number));
}

static inline void assert_person(uint64_t number, bool with_task)
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

static inline bool has_person(uint64_t number)
{
    struct person_row row;
    struct task_row task;
    uint64_t last_seq;

    return state_person_find(rows, number, &row, &task, &last_seq);
}

/* The dump as a string, to be freed. */
static inline char *dump(void)
{
    static char *text; /* static, because gcc 12 takes its address for what it points to */
    static size_t length;
    struct state_reader *reader;
    FILE *out = open_memstream(&text, &length);

    assert_ok(state_reader_open(rows, &reader));
    assert_ok(state_dump(reader, out));
    state_reader_close(reader);
    fclose(out);
    return text;
}

static inline void put_outbox(uint32_t queue, uint64_t seq, enum outbox_op op)
{
    struct outbox_row row = {
        .person = seq, .made_ms = 50, .task = task_row(seq * 8), .op = (uint8_t)op};

    assert_ok(state_outbox_put(rows, queue, seq, &row));
}

/* The person with the open task that the put is about. */
static inline void put_open(uint64_t person, uint64_t task, uint64_t put_seq)
{
    struct person_row row = person_row(person);
    struct task_row open = task_row(task);

    open.put_seq = put_seq;
    assert_ok(state_person_put(rows, person, &row, &open, 1));
}

static inline unsigned count_lines(const char *text, const char *start)
{
    unsigned count = strncmp(text, start, strlen(start)) == 0;
    char needle[64];

    snprintf(needle, sizeof needle, "\n%s", start);
    for (const char *at = strstr(text, needle); at; at = strstr(at + 1, needle))
        count++;
    return count;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
