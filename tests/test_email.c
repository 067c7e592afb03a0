#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/email.h"

static void assert_normal(const char *as_typed, const char *expected)
{
    char buffer[EMAIL_LENGTH_MAX + 1];
    struct text text = text_over(buffer, EMAIL_LENGTH_MAX);
    size_t length = strlen(as_typed);
    char *exact = malloc(length + 1); /* so that a read behind the end is seen */

    memcpy(exact, as_typed, length);
    assert_int_equal(email_normalise((struct slice){exact, length}, &text), STATUS_OK);
    free(exact);
    buffer[text.length] = '\0';
    assert_string_equal(buffer, expected);
}

static void assert_refused(struct slice as_typed)
{
    char buffer[EMAIL_LENGTH_MAX];
    struct text text = text_over(buffer, sizeof(buffer));

    if (email_normalise(as_typed, &text) != STATUS_INVALID)
        fail_msg("accepted: %.*s", (int)as_typed.length, as_typed.bytes);
    assert_int_equal(text.length, 0);
    assert_false(text.overflow);
}

static void addresses_are_lower_cased(void **state)
{
    (void)state;
    assert_normal("Ann.Lee@Example.COM", "ann.lee@example.com");
    assert_normal("UPPER+Tag_1@SUB.Example.co.uk", "upper+tag_1@sub.example.co.uk");
}

static void spaces_around_are_ignored_and_inside_refused(void **state)
{
    (void)state;
    assert_normal(" \t\r\na@example.com \n", "a@example.com");
    assert_refused(SLICE("a b@example.com"));
    assert_refused(SLICE("a@exam ple.com"));
    assert_refused(SLICE("a @example.com"));
    assert_refused(SLICE("a@ example.com"));
}

static void tags_and_provider_quirks_are_left_alone(void **state)
{
    (void)state;
    assert_normal("j.o.e+news@gmail.com", "j.o.e+news@gmail.com");
}

static void every_character_that_rfc_5321_lets_stand_unquoted_passes(void **state)
{
    (void)state;
    assert_normal("!#$%&'*+-/=?^_`{|}~.09az@x.example", "!#$%&'*+-/=?^_`{|}~.09az@x.example");
}

static void other_ascii_in_the_local_part_is_refused(void **state)
{
    (void)state;
    static const char refused[] = "\x01\x1f \"(),:;<>@[\\]\x7f";
    for (size_t i = 0; i < sizeof(refused); i++) { /* its terminator too */
        char address[] = "aXb@example.com";
        address[1] = refused[i];
        assert_refused((struct slice){address, sizeof(address) - 1});
    }
}

static void dots_of_the_local_part_stand_between_words(void **state)
{
    (void)state;
    assert_refused(SLICE(".a@example.com"));
    assert_refused(SLICE("a.@example.com"));
    assert_refused(SLICE("a..b@example.com"));
    assert_refused(SLICE(".@example.com"));
}

static void what_lacks_a_part_is_no_address(void **state)
{
    (void)state;
    static const char *const refused[] = {"",
                                          " ",
                                          "a",
                                          "@",
                                          "a@",
                                          "@example.com",
                                          "a@b",
                                          "a@.",
                                          "a@.com",
                                          "a@@b.com",
                                          "\"a\"@example.com"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_refused(slice_of(refused[i]));
    assert_refused((struct slice){NULL, 0});
}

static void domains_are_made_of_labels(void **state)
{
    (void)state;
    assert_normal("a@x-1.9.example", "a@x-1.9.example");
    assert_normal("a@r3---sn.example.com", "a@r3---sn.example.com");
    static const char *const refused[] = {
        "a@example.com.", "a@example..com", "a@-x.com",  "a@x-.com",  "a@x_y.com",
        "a@1.2.3.4",      "a@[1.2.3.4]",    "a@x.com,y", "a@x.com/y", "a@x.123"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_refused(slice_of(refused[i]));
    assert_refused(SLICE("a@x\0y.com"));
}

static void international_domains_become_ascii(void **state)
{
    (void)state;
    assert_normal("a@münchen.de", "a@xn--mnchen-3ya.de");
    assert_normal("a@MÜNCHEN.DE", "a@xn--mnchen-3ya.de");
    assert_normal("a@mu\u0308nchen.de", "a@xn--mnchen-3ya.de");
    assert_normal("a@xn--mnchen-3ya.de", "a@xn--mnchen-3ya.de");
    assert_normal("a@例え。テスト", "a@xn--r8jz45g.xn--zckzah");
}

static void sharp_s_is_not_double_s(void **state)
{
    (void)state;
    assert_normal("a@straße.de", "a@xn--strae-oqa.de");
}

static void international_domains_are_checked_as_well(void **state)
{
    (void)state;
    assert_refused(SLICE("a@münchen"));
    assert_refused(SLICE("a@münchen.de."));
    assert_refused(SLICE("a@mün_chen.de"));
    assert_refused(SLICE("a@mün chen.de"));
    assert_refused(SLICE("a@mün\0chen.de"));
    assert_refused(SLICE("a@m\xfcnchen.de"));
    assert_refused(SLICE("a@münchen。。de"));
}

static void international_local_parts_are_kept(void **state)
{
    (void)state;
    assert_normal("JosÉ.用户@Example.com", "josÉ.用户@example.com");
}

static size_t compose(char *out, size_t local, size_t label, size_t labels)
{
    size_t length = 0;

    memset(out, 'a', local);
    length += local;
    out[length++] = '@';
    for (size_t i = 0; i < labels; i++) {
        memset(out + length, 'b', label);
        length += label;
        out[length++] = '.';
    }
    memcpy(out + length, "com", 4);
    return length + 3;
}

static void lengths_are_checked_to_the_byte(void **state)
{
    (void)state;
    char address[600];
    compose(address, 64, 10, 1);
    assert_normal(address, address);
    assert_refused((struct slice){address, compose(address, 65, 10, 1)});
    compose(address, 1, 63, 1);
    assert_normal(address, address);
    assert_refused((struct slice){address, compose(address, 1, 64, 1)});

    assert_int_equal(compose(address, 58, 63, 3), 254);
    assert_normal(address, address);
    assert_refused((struct slice){address, compose(address, 59, 63, 3)});
    assert_refused((struct slice){address, compose(address, 58, 63, 8)});
}

static void a_huge_value_is_refused(void **state)
{
    (void)state;
    enum { LENGTH = 64 * 1024 };
    char *huge = malloc(LENGTH);
    memset(huge, 'a', LENGTH);
    assert_refused((struct slice){huge, LENGTH});
    memcpy(huge, "a@", 2);
    assert_refused((struct slice){huge, LENGTH});
    for (size_t i = 2; i + 1 < LENGTH; i += 2)
        memcpy(huge + i, "ü", 2);
    assert_refused((struct slice){huge, LENGTH});
    free(huge);
}

static void the_normal_form_is_appended(void **state)
{
    (void)state;
    char buffer[64];
    struct text text = text_over(buffer, sizeof(buffer));
    text_string(&text, "email:");
    assert_int_equal(email_normalise(SLICE("A@B.de"), &text), STATUS_OK);
    text_char(&text, '\0');
    assert_string_equal(buffer, "email:a@b.de");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_lower_cased),
        cmocka_unit_test(spaces_around_are_ignored_and_inside_refused),
        cmocka_unit_test(tags_and_provider_quirks_are_left_alone),
        cmocka_unit_test(every_character_that_rfc_5321_lets_stand_unquoted_passes),
        cmocka_unit_test(other_ascii_in_the_local_part_is_refused),
        cmocka_unit_test(dots_of_the_local_part_stand_between_words),
        cmocka_unit_test(what_lacks_a_part_is_no_address),
        cmocka_unit_test(domains_are_made_of_labels),
        cmocka_unit_test(international_domains_become_ascii),
        cmocka_unit_test(sharp_s_is_not_double_s),
        cmocka_unit_test(international_domains_are_checked_as_well),
        cmocka_unit_test(international_local_parts_are_kept),
        cmocka_unit_test(lengths_are_checked_to_the_byte),
        cmocka_unit_test(a_huge_value_is_refused),
        cmocka_unit_test(the_normal_form_is_appended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
