/* An intake for all tests of a program, a site of its own for each, and bodies read into an opt-in.
 * For the tests of intake: included by one test file each. */
#ifndef HOTLEAD_TESTS_INTAKE_RIG_H
#define HOTLEAD_TESTS_INTAKE_RIG_H

#include "tests/unit.h"

#include "server/intake/intake.h"

#define NOW_MS 1795269785000

static const struct hash_key hash_key = {"sixteen bytes!!"};
static struct intake *intake;
static struct optin optin;
static struct effect_received facts;
static struct site site;

static inline int open_intake(void **state)
{
    (void)state;
    intake = intake_open(&hash_key);
    return intake ? 0 : -1;
}

static inline int close_intake(void **state)
{
    (void)state;
    intake_close(intake);
    return 0;
}

/* Before each test. */
static inline int reset(void **state)
{
    (void)state;
    site = (struct site){.number = 7, .agency = 3, .country = "US"};
    intake_now(intake, NOW_MS);
    return 0;
}

/* The body with just the padding that the contract gives it. The copy lives until the next
 * one, as values of a multipart body are slices of it. */
static inline struct slice padded(struct slice body)
{
    static char *copy;

    free(copy);
    copy = malloc(body.length + JSON_PADDING);
    assert_non_null(copy);
    memcpy(copy, body.bytes, body.length);
    memset(copy + body.length, '"', JSON_PADDING);
    return (struct slice){copy, body.length};
}

static inline enum status read_as(const char *type, const char *body)
{
    return intake_read(intake, intake_shape(slice_of(type)), slice_of(type), padded(slice_of(body)),
                       &optin);
}

#endif
