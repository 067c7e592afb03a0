#include "tests/unit.h"

#include "proto/form.h"
#include "tests/pairs.h"

static char memory[1024];
static struct pairs pairs;
static struct charset_reader charset;

static enum status parse_bytes(struct slice body)
{
    /* A copy of its own size, so that the sanitizer sees a read behind it. */
    char *copy = malloc(body.length + 1);
    assert_non_null(copy);
    memcpy(copy, body.bytes, body.length);
    char *exact = realloc(copy, body.length > 0 ? body.length : 1);
    struct text scratch = text_over(memory, sizeof(memory));
    charset.guessed = false;
    enum status status = form_parse((struct slice){exact, body.length}, &charset, 10, &scratch,
                                    pairs_collect, pairs_begin(&pairs));
    free(exact);
    return status;
}

static void parsed(const char *body, const char *expected)
{
    assert_status(parse_bytes(slice_of(body)), STATUS_OK);
    assert_slice(text_slice(&pairs.seen), expected);
}

static void malformed(const char *body)
{
    if (parse_bytes(slice_of(body)) != STATUS_MALFORMED)
        fail_msg("accepted: %s", body);
}

static void pairs_come_decoded_and_in_order(void **state)
{
    (void)state;
    parsed("first_name=Dana&email=dana%40example.com&phone=%28215%29+555-0147",
           "first_name=Dana|email=dana@example.com|phone=(215) 555-0147|");
    parsed("form%5Bname%5D=a%3Db%26c", "form[name]=a=b&c|");
    parsed("n=%C3%A9t%c3%a9", "n=\xc3\xa9t\xc3\xa9|");
}

static void a_name_may_have_no_value(void **state)
{
    (void)state;
    parsed("a&b=&=c&d=e=f", "a=|b=|=c|d=e=f|");
}

static void empty_pairs_are_skipped(void **state)
{
    (void)state;
    parsed("", "");
    parsed("&&a=1&&&b=2&", "a=1|b=2|");
}

static void broken_percent_sequences_are_malformed(void **state)
{
    (void)state;
    malformed("a=%");
    malformed("a=%4");
    malformed("a=%4g");
    malformed("a=%zz&b=1");
    malformed("%=1");
    malformed("a=%+1");
}

static void nul_is_malformed(void **state)
{
    (void)state;
    malformed("a=%00");
    malformed("a%00b=1");
    malformed("a=%00%ff");
    assert_status(parse_bytes((struct slice){"a=b\0c", 5}), STATUS_MALFORMED);
}

static void what_is_not_utf8_is_taken_for_windows_1252_and_said_so(void **state)
{
    (void)state;
    parsed("n=%C3%A9", "n=\xc3\xa9|");
    assert_false(charset.guessed);
    parsed("n=Jos%E9&m=%80", "n=Jos\xc3\xa9|m=\xe2\x82\xac|");
    assert_true(charset.guessed);
    parsed("\xe9=\xe8", "\xc3\xa9=\xc3\xa8|");
    assert_true(charset.guessed);
}

static void each_text_is_judged_for_itself(void **state)
{
    (void)state;
    parsed("a=%C3%A9&b=%E9", "a=\xc3\xa9|b=\xc3\xa9|");
    parsed("a=%C3&%A9=1", "a=\xc3\x83|\xc2\xa9=1|");
}

static void declared_windows_1252_is_read_as_that_also_where_it_looks_like_utf8(void **state)
{
    (void)state;
    charset.declared = CHARSET_WINDOWS_1252;
    parsed("n=%C3%A9&m=abc", "n=\xc3\x83\xc2\xa9|m=abc|");
    assert_false(charset.guessed);
    malformed("n=%00");
    charset.declared = CHARSET_UNSAID;
}

static void more_pairs_than_allowed_are_too_large(void **state)
{
    (void)state;
    parsed("1&2&3&4&5&6&7&8&9&0", "1=|2=|3=|4=|5=|6=|7=|8=|9=|0=|");
    assert_status(parse_bytes(slice_of("1&2&3&4&5&6&7&8&9&0&1")), STATUS_TOO_LARGE);
}

static void more_text_than_the_scratch_holds_is_too_large(void **state)
{
    char small[8];
    struct text scratch = text_over(small, sizeof(small));

    (void)state;
    assert_status(
        form_parse(SLICE("abcd=1234"), &charset, 10, &scratch, pairs_collect, pairs_begin(&pairs)),
        STATUS_OK);
    scratch = text_over(small, sizeof(small));
    assert_status(form_parse(SLICE("abcd=12%3345"), &charset, 10, &scratch, pairs_collect,
                             pairs_begin(&pairs)),
                  STATUS_TOO_LARGE);
}

static void what_the_callback_says_ends_it(void **state)
{
    struct text scratch = text_over(memory, sizeof(memory));

    (void)state;
    pairs_begin(&pairs)->stop_at = 2;
    assert_status(form_parse(SLICE("a=1&b=2&c=%"), &charset, 10, &scratch, pairs_collect, &pairs),
                  STATUS_INVALID);
    assert_int_equal(pairs.count, 2);
}

static void every_cut_of_a_form_ends_cleanly(void **state)
{
    static const char body[] = "first_name=D%C3%A9na&email=d%40e.com&x=%E2%82%AC+1";

    (void)state;
    for (size_t length = 0; length < sizeof(body); length++) {
        enum status status = parse_bytes((struct slice){body, length});
        assert_true(status == STATUS_OK || status == STATUS_MALFORMED);
    }
}

/* --- text/plain ------------------------------------------------------------------ */

static enum status parse_plain(struct slice body)
{
    char *exact = malloc(body.length > 0 ? body.length : 1);
    assert_non_null(exact);
    memcpy(exact, body.bytes, body.length);
    struct text scratch = text_over(memory, sizeof(memory));
    charset.guessed = false;
    enum status status = form_parse_plain((struct slice){exact, body.length}, &charset, 10,
                                          &scratch, pairs_collect, pairs_begin(&pairs));
    free(exact);
    return status;
}

static void parsed_plain(const char *body, const char *expected)
{
    assert_status(parse_plain(slice_of(body)), STATUS_OK);
    assert_slice(text_slice(&pairs.seen), expected);
}

static void plain_pairs_stand_on_lines_of_their_own_unescaped(void **state)
{
    (void)state;
    parsed_plain("name=Dana Rivera\r\nphone=(215) 555-0147\r\n",
                 "name=Dana Rivera|phone=(215) 555-0147|");
    parsed_plain("a=%20+&b\r\nb==c=\r\n=d\r\n", "a=%20+&b|b==c=|=d|");
    parsed_plain("a=1\nb=2", "a=1|b=2|");
    parsed_plain("", "");
    parsed_plain("a=", "a=|");
}

static void plain_lines_without_an_equals_sign_are_of_the_value_before(void **state)
{
    (void)state;
    parsed_plain("m=one\r\n\r\ntwo\r\nthree\r\nb=2\r\n", "m=one\r\n\r\ntwo\r\nthree|b=2|");
    parsed_plain("m=\r\none\r\n", "m=\r\none|");
    parsed_plain("m=1\r\n\r\n\r\nb=2\r\n\r\n", "m=1|b=2|");
    parsed_plain("m=see\r\nx=y\r\nb=2\r\n", "m=see|x=y|b=2|");
}

static void plain_text_that_is_no_form_is_malformed(void **state)
{
    (void)state;
    assert_status(parse_plain(SLICE("hello")), STATUS_MALFORMED);
    assert_status(parse_plain(SLICE("hello\r\na=1\r\n")), STATUS_MALFORMED);
    assert_status(parse_plain(SLICE("a=1\0002\r\n")), STATUS_MALFORMED);
    assert_status(parse_plain(SLICE("a\0=1\r\n")), STATUS_MALFORMED);
    parsed_plain("\r\n\r\na=1\r\n", "a=1|");
}

static void plain_pairs_are_counted_and_end_with_what_the_callback_says(void **state)
{
    struct text scratch = text_over(memory, sizeof(memory));

    (void)state;
    parsed_plain("1=\n2=\n3=\n4=\n5=\n6=\n7=\n8=\n9=\n0=\n", "1=|2=|3=|4=|5=|6=|7=|8=|9=|0=|");
    assert_status(parse_plain(SLICE("1=\n2=\n3=\n4=\n5=\n6=\n7=\n8=\n9=\n0=\n1=")),
                  STATUS_TOO_LARGE);
    pairs_begin(&pairs)->stop_at = 2;
    assert_status(
        form_parse_plain(SLICE("a=1\nb=2\nc=3"), &charset, 10, &scratch, pairs_collect, &pairs),
        STATUS_INVALID);
    assert_int_equal(pairs.count, 2);
}

static void plain_text_in_windows_1252_is_converted(void **state)
{
    (void)state;
    parsed_plain("n=Jos\xe9\r\nm=\xc3\xa9\r\n", "n=Jos\xc3\xa9|m=\xc3\xa9|");
    assert_true(charset.guessed);
}

static void every_cut_of_a_plain_form_ends_cleanly(void **state)
{
    static const char body[] = "n=D\xc3\xa9na\r\nm=one\r\n\r\ntwo\r\ne=d@e.com\r\n";

    (void)state;
    for (size_t length = 0; length < sizeof(body); length++) {
        enum status status = parse_plain((struct slice){body, length});
        assert_true(status == STATUS_OK || status == STATUS_MALFORMED);
    }
}

/* --- queries ----------------------------------------------------------------------- */

static struct slice query(const char *text, const char *name)
{
    static struct text scratch;

    scratch = text_over(memory, sizeof(memory));
    return form_query(slice_of(text), name, &scratch);
}

static void a_query_gives_the_first_value_of_a_name(void **state)
{
    (void)state;
    assert_slice(query("a=1&key=pk_x&key=pk_y", "key"), "pk_x");
    assert_slice(query("hub.verify_token=a%20b", "hub.verify_token"), "a b");
    assert_slice(query("k%65y=1", "key"), "1");
    assert_slice(query("key=", "key"), "");
    assert_non_null(query("key=", "key").bytes);
}

static void a_query_without_the_name_gives_nothing(void **state)
{
    (void)state;
    assert_null(query("", "key").bytes);
    assert_null(query("keys=1&ke=2", "key").bytes);
    assert_null(query("key=%zz", "key").bytes);
    assert_null(query("key=%e9", "key").bytes);
}

static void a_query_goes_on_behind_what_it_cannot_read(void **state)
{
    char small[4];
    struct text scratch = text_over(small, sizeof(small));

    (void)state;
    assert_slice(query("%zz=1&key=2", "key"), "2");
    assert_slice(form_query(SLICE("much_too_long=1&k=2"), "k", &scratch), "2");
}

static void a_query_needs_room_for_its_value_only(void **state)
{
    char small[4];
    struct text scratch = text_over(small, sizeof(small));

    (void)state;
    assert_slice(form_query(SLICE("key=1234"), "key", &scratch), "1234");
    scratch = text_over(small, sizeof(small));
    assert_null(form_query(SLICE("key=12345"), "key", &scratch).bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_come_decoded_and_in_order),
        cmocka_unit_test(a_name_may_have_no_value),
        cmocka_unit_test(empty_pairs_are_skipped),
        cmocka_unit_test(broken_percent_sequences_are_malformed),
        cmocka_unit_test(nul_is_malformed),
        cmocka_unit_test(what_is_not_utf8_is_taken_for_windows_1252_and_said_so),
        cmocka_unit_test(each_text_is_judged_for_itself),
        cmocka_unit_test(declared_windows_1252_is_read_as_that_also_where_it_looks_like_utf8),
        cmocka_unit_test(more_pairs_than_allowed_are_too_large),
        cmocka_unit_test(more_text_than_the_scratch_holds_is_too_large),
        cmocka_unit_test(what_the_callback_says_ends_it),
        cmocka_unit_test(every_cut_of_a_form_ends_cleanly),
        cmocka_unit_test(plain_pairs_stand_on_lines_of_their_own_unescaped),
        cmocka_unit_test(plain_lines_without_an_equals_sign_are_of_the_value_before),
        cmocka_unit_test(plain_text_that_is_no_form_is_malformed),
        cmocka_unit_test(plain_pairs_are_counted_and_end_with_what_the_callback_says),
        cmocka_unit_test(plain_text_in_windows_1252_is_converted),
        cmocka_unit_test(every_cut_of_a_plain_form_ends_cleanly),
        cmocka_unit_test(a_query_gives_the_first_value_of_a_name),
        cmocka_unit_test(a_query_without_the_name_gives_nothing),
        cmocka_unit_test(a_query_goes_on_behind_what_it_cannot_read),
        cmocka_unit_test(a_query_needs_room_for_its_value_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
