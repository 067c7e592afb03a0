#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/known.h"

static struct text add(struct text out, enum known_kind kind, const char *name, const char *value)
{
    known_add(&out, &(struct known_item){kind, slice_of(name), slice_of(value)});
    return out;
}

static void assert_known(struct slice known, enum known_kind kind, const char *name,
                         const char *value)
{
    assert_true(slice_equal(known_of(known, kind, slice_of(name)), slice_of(value)));
}

static void the_newest_word_counts_and_an_empty_one_takes_it_back(void **unused)
{
    char a[256], b[256], c[256];
    struct text known = text_over(a, sizeof(a)), news = text_over(b, sizeof(b)),
                all = text_over(c, sizeof(c));

    (void)unused;
    known = add(known, KNOWN_ANSWER, "needs", "one");
    known = add(known, KNOWN_ANSWER, "intent", "buying");
    known = add(known, KNOWN_FINDING, "needs", "a finding of that name");
    news = add(news, KNOWN_ANSWER, "needs", "two");
    news = add(news, KNOWN_ANSWER, "needs", "three");
    news = add(news, KNOWN_ANSWER, "intent", "");
    known_merge(text_slice(&known), text_slice(&news), &all);
    assert_known(text_slice(&all), KNOWN_ANSWER, "needs", "three");
    assert_known(text_slice(&all), KNOWN_ANSWER, "intent", "");
    assert_known(text_slice(&all), KNOWN_FINDING, "needs", "a finding of that name");
}

static void what_does_not_fit_is_the_oldest(void **unused)
{
    char a[256], b[256], c[40];
    struct text known = text_over(a, sizeof(a)), news = text_over(b, sizeof(b)),
                all = text_over(c, sizeof(c));

    (void)unused;
    known = add(known, KNOWN_ANSWER, "old", "0123456789");
    known = add(known, KNOWN_ANSWER, "mid", "0123456789");
    news = add(news, KNOWN_ANSWER, "new", "0123456789");
    known_merge(text_slice(&known), text_slice(&news), &all);
    assert_false(all.overflow);
    assert_known(text_slice(&all), KNOWN_ANSWER, "old", "");
    assert_known(text_slice(&all), KNOWN_ANSWER, "mid", "0123456789");
    assert_known(text_slice(&all), KNOWN_ANSWER, "new", "0123456789");
}

static void bytes_that_are_no_items_end_the_walk(void **unused)
{
    static const char bytes[] = {1, 4, 0, 0, 'a', 'b'};
    struct slice rest = {bytes, sizeof(bytes)};
    struct known_item item;

    (void)unused;
    assert_false(known_next(&rest, &item));
    rest.length = 3;
    assert_false(known_next(&rest, &item));
}

static void a_finding_speaks_where_the_optin_is_silent(void **unused)
{
    static struct optin optin;
    char a[256];
    struct text known = text_over(a, sizeof(a));

    (void)unused;
    known = add(known, KNOWN_FINDING, "email", "found@example.com");
    known = add(known, KNOWN_FINDING, "name", "Dana");
    optin_clear(&optin);
    optin.text[OPTIN_NAME] = SLICE("test");
    optin.text[OPTIN_EMAIL] = SLICE("said@example.com");
    known_identify(&optin, text_slice(&known));
    assert_true(slice_equal(optin.text[OPTIN_EMAIL], SLICE("said@example.com")));
    assert_true(slice_equal(optin.text[OPTIN_NAME], SLICE("Dana")));
}

/* A task that was put keeps its bytes, though what is a name is judged otherwise since. */
static void an_older_renderer_keeps_what_it_took_for_a_name(void **unused)
{
    static struct optin optin;
    char a[256];
    struct text known = text_over(a, sizeof(a));

    (void)unused;
    known = add(known, KNOWN_FINDING, "name", "Dana");
    optin_clear(&optin);
    optin.text[OPTIN_NAME] = SLICE("Mr. Lee");
    known_identify_by(4, &optin, text_slice(&known));
    assert_true(slice_equal(optin.text[OPTIN_NAME], SLICE("Mr. Lee")));
    known_identify_by(5, &optin, text_slice(&known));
    assert_true(slice_equal(optin.text[OPTIN_NAME], SLICE("Dana")));
}

/* Which an older renderer lets stand. */
static void a_finding_takes_the_place_of_what_is_of_no_use(void **unused)
{
    static struct optin said, optin;
    char a[256];
    struct text known = text_over(a, sizeof(a));

    (void)unused;
    known = add(known, KNOWN_FINDING, "phone", "+12155550147");
    known = add(known, KNOWN_FINDING, "email", "found@example.com");
    known = add(known, KNOWN_FINDING, "first_name", "Dana");
    optin_clear(&said);
    said.text[OPTIN_PHONE] = SLICE("+19005550147");
    said.text[OPTIN_EMAIL] = SLICE("said@example");
    said.text[OPTIN_NAME] = SLICE("test");
    optin = said;
    known_identify(&optin, text_slice(&known));
    assert_true(slice_equal(optin.text[OPTIN_PHONE], SLICE("+12155550147")));
    assert_true(slice_equal(optin.text[OPTIN_PHONE_E164], SLICE("+12155550147")));
    assert_true(slice_equal(optin.text[OPTIN_EMAIL], SLICE("found@example.com")));
    assert_true(slice_equal(optin.text[OPTIN_FIRST_NAME], SLICE("Dana")));
    assert_int_equal(optin.text[OPTIN_NAME].length, 0);
    optin = said;
    known_identify_by(5, &optin, text_slice(&known));
    assert_true(slice_equal(optin.text[OPTIN_PHONE], SLICE("+19005550147")));
    assert_int_equal(optin.text[OPTIN_PHONE_E164].length, 0);
    assert_true(slice_equal(optin.text[OPTIN_EMAIL], SLICE("said@example")));
    assert_true(slice_equal(optin.text[OPTIN_NAME], SLICE("test")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_word_counts_and_an_empty_one_takes_it_back),
        cmocka_unit_test(what_does_not_fit_is_the_oldest),
        cmocka_unit_test(bytes_that_are_no_items_end_the_walk),
        cmocka_unit_test(a_finding_speaks_where_the_optin_is_silent),
        cmocka_unit_test(an_older_renderer_keeps_what_it_took_for_a_name),
        cmocka_unit_test(a_finding_takes_the_place_of_what_is_of_no_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
