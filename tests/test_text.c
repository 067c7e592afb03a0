#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/text.h"

static char buffer[4096];
static struct text text;

static int begin(void **state)
{
    (void)state;
    text = text_over(buffer, sizeof(buffer));
    return 0;
}

static void assert_text(const char *expected)
{
    assert_false(text.overflow);
    text_char(&text, '\0');
    assert_string_equal(buffer, expected);
}

static void pieces_stand_one_after_the_other(void **state)
{
    (void)state;
    text_string(&text, "a");
    text_add(&text, SLICE("bc"));
    text_char(&text, '-');
    text_bytes(&text, "defg", 2);
    text_hex(&text, "\x00\xff\x1a", 3);
    text_printf(&text, " %s %d", "n", 7);
    text_add(&text, (struct slice){NULL, 0});
    assert_text("abc-de00ff1a n 7");
}

static void integers_of_every_length_are_written_like_printf(void **state)
{
    (void)state;
    for (uint64_t number = 1; number < UINT64_MAX / 10; number = number * 10 + number % 7) {
        for (int delta = -1; delta <= 1; delta++) {
            char expected[64];
            uint64_t unsigned_number = number + (uint64_t)(int64_t)delta;
            begin(NULL);
            text_uint(&text, unsigned_number);
            text_char(&text, ' ');
            text_int(&text, -(int64_t)unsigned_number);
            snprintf(expected, sizeof(expected), "%llu %lld", (unsigned long long)unsigned_number,
                     -(long long)unsigned_number);
            assert_text(expected);
        }
    }
}

static void the_ends_of_the_integer_ranges_are_written(void **state)
{
    (void)state;
    text_uint(&text, UINT64_MAX);
    text_char(&text, ' ');
    text_int(&text, INT64_MIN);
    text_char(&text, ' ');
    text_int(&text, INT64_MAX);
    text_char(&text, ' ');
    text_uint(&text, 0);
    assert_text("18446744073709551615 -9223372036854775808 9223372036854775807 0");
}

static void json_strings_escape_what_must_be_and_nothing_else(void **state)
{
    (void)state;
    text_json_string(&text, SLICE("a\"b\\c/\b\f\n\r\t\x01\x1f\x7f\x00é€😀"));
    assert_text("\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000é€😀\"");
}

static size_t escaped_length(int byte)
{
    if (byte == '"' || byte == '\\' || byte == '\b' || byte == '\f' || byte == '\n' ||
        byte == '\r' || byte == '\t')
        return 2;
    return byte < 0x20 ? 6 : 1;
}

/* The copying of runs looks at eight bytes at once, so each byte is tried in each lane
 * and in the rest behind the last word. */
static void every_byte_is_escaped_alike_wherever_it_stands(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char alone = (char)byte, escaped[16];
        struct text one = text_over(escaped, sizeof(escaped));
        text_json_string(&one, (struct slice){&alone, 1});
        assert_int_equal(one.length, 2 + escaped_length(byte));
        for (size_t place = 0; place < 20; place++) {
            char value[20], whole[64];
            memset(value, 0x7e, sizeof(value));
            value[place] = (char)byte;
            struct text want = text_over(whole, sizeof(whole));
            text_char(&want, '"');
            for (size_t i = 0; i < sizeof(value); i++)
                text_bytes(&want, i == place ? escaped + 1 : "~", i == place ? one.length - 2 : 1);
            text_char(&want, '"');
            begin(NULL);
            text_json_string(&text, (struct slice){value, sizeof(value)});
            assert_int_equal(text.length, want.length);
            assert_memory_equal(buffer, whole, want.length);
        }
    }
}

static void an_empty_value_is_an_empty_string_or_null(void **state)
{
    (void)state;
    text_json_string(&text, SLICE(""));
    text_json_string_or_null(&text, (struct slice){NULL, 0});
    text_json_string_or_null(&text, SLICE("x"));
    assert_text("\"\"null\"x\"");
}

static void a_value_is_fitted_as_it_will_be_escaped(void **state)
{
    (void)state;
    assert_int_equal(text_json_fit(SLICE("abcdef"), 6), 6);
    assert_int_equal(text_json_fit(SLICE("abcdef"), 5), 5);
    assert_int_equal(text_json_fit(SLICE("ab\"cd"), 3), 2);
    assert_int_equal(text_json_fit(SLICE("ab\"cd"), 4), 3);
    assert_int_equal(text_json_fit(SLICE("\x01\x01"), 11), 1);
    assert_int_equal(text_json_fit(SLICE("\x01\x01"), 12), 2);
    assert_int_equal(text_json_fit(SLICE("aé😀"), 6), 3);
    assert_int_equal(text_json_fit(SLICE("aé😀"), 2), 1);
    assert_int_equal(text_json_fit(SLICE("é"), 1), 0);
    assert_int_equal(text_json_fit((struct slice){NULL, 0}, 0), 0);
}

static void html_is_escaped_for_text_and_attributes(void **state)
{
    (void)state;
    text_html(&text, SLICE("<a href=\"x\">'Tom & Jerry'</a>é"));
    assert_text("&lt;a href=&quot;x&quot;&gt;&#39;Tom &amp; Jerry&#39;&lt;/a&gt;é");
}

static void write_everything(void)
{
    text_json_string(&text, SLICE("line\nand \"quote\" \x01"));
    text_int(&text, -1234567);
    text_html(&text, SLICE("<&>"));
    text_printf(&text, "%05d|%s", 42, "formatted");
    text_hex(&text, "\xab\xcd", 2);
}

static void a_text_that_does_not_fit_is_cut_and_says_so(void **state)
{
    (void)state;
    write_everything();
    size_t length = text.length;
    for (size_t capacity = 0; capacity < length; capacity++) {
        char *exact = malloc(capacity ? capacity : 1);
        text = text_over(exact, capacity);
        write_everything();
        assert_true(text.overflow);
        assert_true(text.length <= capacity);
        free(exact);
    }
}

static void a_text_that_fits_exactly_has_not_overflowed(void **state)
{
    (void)state;
    text = text_over(buffer, 5);
    text_string(&text, "12345");
    assert_false(text.overflow);
    text_string(&text, "");
    assert_false(text.overflow);
    text_char(&text, '6');
    assert_true(text.overflow);
    assert_int_equal(text.length, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(pieces_stand_one_after_the_other, begin),
        cmocka_unit_test_setup(integers_of_every_length_are_written_like_printf, begin),
        cmocka_unit_test_setup(the_ends_of_the_integer_ranges_are_written, begin),
        cmocka_unit_test_setup(json_strings_escape_what_must_be_and_nothing_else, begin),
        cmocka_unit_test_setup(every_byte_is_escaped_alike_wherever_it_stands, begin),
        cmocka_unit_test_setup(an_empty_value_is_an_empty_string_or_null, begin),
        cmocka_unit_test_setup(a_value_is_fitted_as_it_will_be_escaped, begin),
        cmocka_unit_test_setup(html_is_escaped_for_text_and_attributes, begin),
        cmocka_unit_test_setup(a_text_that_does_not_fit_is_cut_and_says_so, begin),
        cmocka_unit_test_setup(a_text_that_fits_exactly_has_not_overflowed, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
