/* What the tests of opt-ins share: one opt-in, read from JSON, and what it looks like. */
#ifndef HOTLEAD_TESTS_OPTINS_H
#define HOTLEAD_TESTS_OPTINS_H

#include "tests/unit.h"

#include "proto/optin.h"
#include "proto/task.h"

static struct json *reader;
static struct optin optin;
static char memory[OPTIN_STORED_MAX];
static char padded[OPTIN_BYTES_MAX + JSON_PADDING];

static inline int open_reader(void **state)
{
    (void)state;
    reader = json_open(OPTIN_BYTES_MAX);
    return reader ? 0 : -1;
}

static inline int close_reader(void **state)
{
    (void)state;
    json_close(reader);
    return 0;
}

static inline enum status read_json(const char *document)
{
    struct json_value root;
    struct text scratch = text_over(memory, sizeof(memory));
    size_t length = strlen(document);

    assert_true(length <= OPTIN_BYTES_MAX);
    memcpy(padded, document, length);
    assert_status(json_parse(reader, padded, length, &root), STATUS_OK);
    return optin_from_json(root, &scratch, &optin);
}

static inline void read_ok(const char *document)
{
    assert_status(read_json(document), STATUS_OK);
}

static inline void shows(const char *expected)
{
    static char buffer[2 * OPTIN_STORED_MAX];
    struct text out = text_over(buffer, sizeof(buffer));

    optin_write_json(&out, &optin);
    assert_false(out.overflow);
    assert_slice(text_slice(&out), expected);
}

static inline struct slice extra(const char *name)
{
    for (size_t i = 0; i < optin.extra_count; i++) {
        if (slice_equal(optin.extra[i].name, slice_of(name)))
            return optin.extra[i].json;
    }
    fail_msg("no extra %s", name);
    return (struct slice){0};
}

#endif
