#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "proto/phone_slow.h"

static struct phone parsed(const char *as_typed, const char *country)
{
    struct phone phone;
    size_t length = strlen(as_typed);
    char *exact = malloc(length + 1); /* so that a read behind the end is seen */

    memcpy(exact, as_typed, length);
    enum status status = phone_parse((struct slice){exact, length}, country, &phone);
    free(exact);
    if (status != STATUS_OK)
        fail_msg("refused: %s", as_typed);
    return phone;
}

static void assert_number(const char *as_typed, const char *country, const char *expected)
{
    struct phone phone = parsed(as_typed, country);
    char e164[PHONE_LENGTH_MAX + 1] = "";

    memcpy(e164, phone.e164, phone.length);
    assert_string_equal(e164, expected);
}

static void assert_refused(const char *as_typed, const char *country)
{
    struct phone phone;

    if (phone_parse(slice_of(as_typed), country, &phone) != STATUS_INVALID)
        fail_msg("accepted: %s", as_typed);
}

static void american_numbers_are_read_in_every_usual_form(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "+12155550147",         "(215) 555-0147",      "215-555-0147",       "215.555.0147",
        "2155550147",           "12155550147",         "1-215-555-0147",     "+1 (215) 555-0147",
        " +1 215 555 0147 ",    "215/555-0147",        "(+1) 215 5550147",   "215-555-0147 x123",
        "(215)555-0147 ext. 5", "2 1 5 5 5 5 0 1 4 7", "\u00a0215 555 0147", "٢١٥٥٥٥٠١٤٧"};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        assert_number(forms[i], "US", "+12155550147");
}

static void international_numbers_are_read_whatever_the_country_of_the_site(void **state)
{
    (void)state;
    assert_number("+12155550147", "GB", "+12155550147");
    assert_number("+44 20 7946 0018", "US", "+442079460018");
    assert_number("+44 (0)20 7946 0018", "US", "+442079460018");
    assert_number("011 44 20 7946 0018", "US", "+442079460018");
    assert_number("+49 151 23456789", "US", "+4915123456789");
    assert_number("+39 06 6982", "US", "+39066982");
}

static void national_numbers_are_read_by_the_country_of_the_site(void **state)
{
    (void)state;
    assert_number("020 7946 0018", "GB", "+442079460018");
    assert_number("07700 900123", "GB", "+447700900123");
    assert_number("07400 123456", "GB", "+447400123456");
    assert_number("0151 23456789", "DE", "+4915123456789");
    assert_number("06 12 34 56 78", "FR", "+33612345678");
    assert_number("612 34 56 78", "ES", "+34612345678");
    assert_number("06 6982", "IT", "+39066982");
    assert_number("98765 43210", "IN", "+919876543210");
    assert_number("416 555 0123", "CA", "+14165550123");
}

static void letters_of_vanity_numbers_are_dialled(void **state)
{
    (void)state;
    assert_number("1-800-FLOWERS", "US", "+18003569377");
}

static void what_cannot_be_a_number_is_refused(void **state)
{
    (void)state;
    static const char *const refused[] = {"",
                                          "+",
                                          "-",
                                          "abc",
                                          "555-0147",
                                          "123",
                                          "0000000000",
                                          "1111111111",
                                          "115 555 0147",
                                          "215 155 0147",
                                          "+11155550147",
                                          "+1215155014",
                                          "+121555501478",

                                          "+0 215 555 0147",
                                          "+999 123456789",
                                          "1234567890123456789",
                                          "215 555 0147 / 215 555 0148"};
    struct phone phone;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_refused(refused[i], "US");
    assert_int_equal(phone_parse((struct slice){NULL, 0}, "US", &phone), STATUS_INVALID);
    assert_int_equal(phone_parse(SLICE("215\0"
                                       "5550147"),
                                 "ZZ", &phone),
                     STATUS_INVALID);
}

static void a_site_without_a_country_reads_international_numbers_only(void **state)
{
    (void)state;
    assert_number("+12155550147", "\0", "+12155550147");
    assert_number("+442079460018", "ZZ", "+442079460018");
    assert_refused("2155550147", "\0");
    assert_refused("2155550147", "ZZ");
    assert_refused("2155550147", "us");
}

static void a_huge_value_is_refused_in_no_time(void **state)
{
    (void)state;
    enum { LENGTH = 64 * 1024 };
    static const char fillings[] = "2 x(";
    char *huge = malloc(LENGTH);
    struct phone phone;
    clock_t begin = clock();

    for (size_t i = 0; i < sizeof(fillings); i++) {
        memset(huge, fillings[i], LENGTH);
        assert_int_equal(phone_parse((struct slice){huge, LENGTH}, "US", &phone), STATUS_INVALID);
    }
    assert_in_range(clock() - begin, 0, CLOCKS_PER_SEC);
    free(huge);
}

static void test_numbers_that_are_never_assigned_are_accepted(void **state)
{
    (void)state;
    assert_number("(212) 555-0100", "US", "+12125550100");
    assert_number("+1 999 555 0147", "US", "+19995550147");
}

static void the_country_is_that_of_the_number(void **state)
{
    (void)state;
    assert_string_equal(parsed("2155550147", "US").country, "US");
    assert_string_equal(parsed("4165550123", "US").country, "CA");
    assert_string_equal(parsed("+18765550123", "US").country, "JM");
    assert_string_equal(parsed("+12125550123", "CA").country, "US");
    assert_string_equal(parsed("+442079460018", "US").country, "GB");
    assert_string_equal(parsed("+447400123456", "US").country, "GB");
    assert_string_equal(parsed("+447781123456", "US").country, "GG");
    assert_string_equal(parsed("+870773111632", "US").country, "");
}

static void an_unassigned_number_is_taken_for_the_site_s_country(void **state)
{
    (void)state;
    assert_string_equal(parsed("999 555 0147", "CA").country, "CA");
    assert_string_equal(parsed("+1 999 555 0147", "DE").country, "US");
}

static void ranges_that_cost_or_are_free_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *number;
        enum phone_range range;
    } expected[] = {
        {"+12155550147", PHONE_ORDINARY},    {"+19005550147", PHONE_PREMIUM},
        {"+12159760147", PHONE_PREMIUM},     {"+18005550147", PHONE_TOLL_FREE},
        {"+18225550147", PHONE_TOLL_FREE},   {"+18335550147", PHONE_TOLL_FREE},
        {"+18315550147", PHONE_ORDINARY},    {"+19995550147", PHONE_ORDINARY},
        {"1-900-FLOWERS", PHONE_PREMIUM},    {"+442079460018", PHONE_ORDINARY},
        {"+449098765432", PHONE_PREMIUM},    {"+448001234567", PHONE_TOLL_FREE},
        {"+870773111632", PHONE_SATELLITE},  {"+881612345678", PHONE_SATELLITE},
        {"+8821612345678", PHONE_SATELLITE}, {"+979123456789", PHONE_PREMIUM},
        {"+80012345678", PHONE_TOLL_FREE},   {"+33899123456", PHONE_PREMIUM},
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        if (parsed(expected[i].number, "US").range != expected[i].range)
            fail_msg("wrong range: %s", expected[i].number);
}

/* Numbers that look random and are the same in every run. */
static uint64_t random_state = 88172645463325252u;

static unsigned next_random(unsigned below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state >> 20) % below;
}

/* The first digits of a form, then as many random ones as X's, with separators. */
static void compose(char *out, const char *form)
{
    size_t length = 0;

    for (; *form != '\0'; form++) {
        out[length++] = *form == 'X' ? (char)('0' + next_random(10)) : *form;
        if (next_random(6) == 0)
            out[length++] = " -./()"[next_random(6)];
    }
    out[length] = '\0';
}

static void assert_both_ways_agree(const char *as_typed, const char *country)
{
    struct phone fast, slow;
    enum status status = phone_parse_slow(slice_of(as_typed), country, &slow);

    /* What libphonenumber takes and the numbering plan rules out. */
    bool nanp = status == STATUS_OK && slow.e164[1] == '1';
    if (nanp && (slow.length != 12 || slow.e164[2] < '2' || slow.e164[5] < '2'))
        status = STATUS_INVALID;
    if (phone_parse(slice_of(as_typed), country, &fast) != status)
        fail_msg("%s of %s: the two disagree", as_typed, country);
    if (status != STATUS_OK)
        return;
    if (fast.length != slow.length || memcmp(fast.e164, slow.e164, slow.length) != 0 ||
        strcmp(fast.country, slow.country) != 0 || (!nanp && fast.range != slow.range))
        fail_msg("%s: %.*s %s, not %.*s %s", as_typed, (int)fast.length, fast.e164, fast.country,
                 (int)slow.length, slow.e164, slow.country);
}

static void numbers_decided_by_rule_are_what_libphonenumber_makes_of_them(void **state)
{
    (void)state;
    static const struct {
        const char *form, *country;
    } forms[] = {
        {"+1XXXXXXXXXX", "US"},   {"1XXXXXXXXXX", "US"},   {"XXXXXXXXXX", "US"},
        {"XXXXXXXXXX", "CA"},     {"XXXXXXXXXX", "PR"},    {"1XXXXXXXXXX", "JM"},
        {"+447XXXXXXXXX", "US"},  {"07XXXXXXXXX", "GB"},   {"7XXXXXXXXX", "GB"},
        {"+4915XXXXXXXXX", "US"}, {"+4917XXXXXXXX", "US"}, {"016XXXXXXXX", "DE"},
        {"17XXXXXXXX", "DE"},     {"+336XXXXXXXX", "US"},  {"07XXXXXXXX", "FR"},
        {"+346XXXXXXXX", "US"},   {"6XXXXXXXX", "ES"},     {"+393XXXXXXXXX", "US"},
        {"3XXXXXXXXX", "IT"},     {"3XXXXXXXX", "IT"},     {"+316XXXXXXXX", "US"},
        {"06XXXXXXXX", "NL"},     {"+91XXXXXXXXXX", "US"}, {"9XXXXXXXXX", "IN"},
        {"07XXXXXXXXX", "IN"},    {"+614XXXXXXXX", "US"},  {"04XXXXXXXX", "AU"},
        {"+XXXXXXXXXXX", "US"},   {"0XXXXXXXXX", "GB"},    {"XXXXXXXXXXX", "DE"},
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        for (int round = 0; round < 60; round++) {
            char as_typed[64];
            compose(as_typed, forms[i].form);
            assert_both_ways_agree(as_typed, forms[i].country);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(american_numbers_are_read_in_every_usual_form),
        cmocka_unit_test(international_numbers_are_read_whatever_the_country_of_the_site),
        cmocka_unit_test(national_numbers_are_read_by_the_country_of_the_site),
        cmocka_unit_test(letters_of_vanity_numbers_are_dialled),
        cmocka_unit_test(what_cannot_be_a_number_is_refused),
        cmocka_unit_test(a_site_without_a_country_reads_international_numbers_only),
        cmocka_unit_test(a_huge_value_is_refused_in_no_time),
        cmocka_unit_test(test_numbers_that_are_never_assigned_are_accepted),
        cmocka_unit_test(the_country_is_that_of_the_number),
        cmocka_unit_test(an_unassigned_number_is_taken_for_the_site_s_country),
        cmocka_unit_test(ranges_that_cost_or_are_free_are_told),
        cmocka_unit_test(numbers_decided_by_rule_are_what_libphonenumber_makes_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
