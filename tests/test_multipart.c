#include "tests/unit.h"

#include "proto/multipart.h"
#include "tests/pairs.h"

#define TYPE     "multipart/form-data; boundary=XyZ"
#define FIELD(n) "Content-Disposition: form-data; name=\"" n "\"\r\n\r\n"
#define ENDS     "\r\n--XyZ--\r\n"

static char memory[1024];
static struct pairs pairs;
static struct charset_reader charset;

static enum status parse_as(const char *content_type, struct slice body)
{
    char *exact = malloc(body.length > 0 ? body.length : 1);
    assert_non_null(exact);
    memcpy(exact, body.bytes, body.length);
    struct text scratch = text_over(memory, sizeof(memory));
    charset.guessed = false;
    enum status status = multipart_parse(slice_of(content_type), (struct slice){exact, body.length},
                                         &charset, 3, &scratch, pairs_collect, pairs_begin(&pairs));
    free(exact);
    return status;
}

static void parsed(const char *body, const char *expected)
{
    assert_status(parse_as(TYPE, slice_of(body)), STATUS_OK);
    assert_slice(text_slice(&pairs.seen), expected);
}

static void malformed(const char *body)
{
    if (parse_as(TYPE, slice_of(body)) != STATUS_MALFORMED)
        fail_msg("accepted: %s", body);
}

static void parts_come_in_order(void **state)
{
    (void)state;
    parsed("--XyZ\r\n" FIELD("email") "dana@example.com\r\n--XyZ\r\n" FIELD("note") "a\r\nb" ENDS,
           "email=dana@example.com|note=a\r\nb|");
}

static void a_value_may_be_empty(void **state)
{
    (void)state;
    parsed("--XyZ\r\n" FIELD("a") ENDS, "a=|");
}

static void a_form_may_have_no_parts(void **state)
{
    (void)state;
    parsed("--XyZ--\r\n", "");
    parsed("--XyZ--", "");
}

static void files_are_skipped(void **state)
{
    (void)state;
    parsed("--XyZ\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.png\"\r\n"
           "Content-Type: image/png\r\n\r\n\x89PNG\r\n--XyZ\r\n" FIELD("a") "1" ENDS,
           "a=1|");
    parsed("--XyZ\r\nContent-Disposition: form-data; name=f; FileName*=utf-8''a\r\n\r\nx" ENDS, "");
    parsed("--XyZ\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\"\r\n\r\n" ENDS, "");
}

static void names_are_unescaped_as_browsers_escape_them(void **state)
{
    (void)state;
    parsed("--XyZ\r\n" FIELD("a%22b%0D%0a%41%") "1" ENDS, "a\"b\r\n%41%=1|");
    parsed("--XyZ\r\n" FIELD("a\\\"b\\\\c\\d") "1" ENDS, "a\"b\\c\\d=1|");
    parsed("--XyZ\r\n" FIELD("D\xc3\xa9j\xc3\xa0 vu; x=y") "1" ENDS,
           "D\xc3\xa9j\xc3\xa0 vu; x=y=1|");
    parsed("--XyZ\r\n" FIELD("") "1" ENDS, "=1|");
}

static void header_names_ignore_case_and_others_are_skipped(void **state)
{
    (void)state;
    parsed("--XyZ\r\ncontent-type: text/plain; charset=utf-8\r\nX-Other:\r\n"
           "CONTENT-DISPOSITION:form-data;NAME=a\r\n\r\n1" ENDS,
           "a=1|");
    parsed("--XyZ\r\nContent-Transfer-Encoding: 8BIT\r\n" FIELD("a") "1" ENDS, "a=1|");
}

static void a_boundary_of_any_legal_spelling_is_found(void **state)
{
    static const char *const types[] = {
        "multipart/form-data;boundary=XyZ",
        "multipart/form-data ; charset=utf-8; Boundary=\"XyZ\"",
        "Multipart/Form-Data;\tboundary=XyZ ;",
        "multipart/form-data; boundary=\"XyZ\"; charset=utf-8",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        assert_status(parse_as(types[i], SLICE("--XyZ\r\n" FIELD("a") "1" ENDS)), STATUS_OK);
    assert_status(parse_as("multipart/form-data; boundary=\"a b'()+_,-./:=?9\"",
                           SLICE("--a b'()+_,-./:=?9\r\n" FIELD("a") "1\r\n--a b'()+_,-./:=?9--")),
                  STATUS_OK);
    assert_status(parse_as("multipart/form-data; boundary==_Part/1=",
                           SLICE("--=_Part/1=\r\n" FIELD("a") "1\r\n--=_Part/1=--")),
                  STATUS_OK);
}

static void a_missing_or_illegal_boundary_is_malformed(void **state)
{
    static const char *const types[] = {
        "",
        "multipart/form-data",
        "multipart/form-data; boundary",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=\"XyZ",
        "multipart/form-data; boundary=\"XyZ \"",
        "multipart/form-data; boundary=\"Xy\\\"Z\"",
        "multipart/form-data; boundary=XyZ; boundary=XyZ",
        "multipart/form-data; boundary=XyZ trailing",
        "multipart/form-data; boundary=X{Z",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        if (parse_as(types[i], SLICE("--XyZ\r\n" FIELD("a") "1" ENDS)) != STATUS_MALFORMED)
            fail_msg("accepted: %s", types[i]);
    }
}

static void a_boundary_has_1_to_70_characters(void **state)
{
    char type[160], body[400], boundary[72];

    (void)state;
    for (int length = 70; length <= 71; length++) {
        memset(boundary, 'b', sizeof(boundary));
        boundary[length] = '\0';
        sprintf(type, "multipart/form-data; boundary=%s", boundary);
        sprintf(body, "--%s\r\n" FIELD("a") "1\r\n--%s--", boundary, boundary);
        assert_status(parse_as(type, slice_of(body)), length == 70 ? STATUS_OK : STATUS_MALFORMED);
    }
}

static void what_looks_nearly_like_a_delimiter_is_content(void **state)
{
    (void)state;
    parsed("--XyZ\r\n" FIELD("a") "--XyZ\r\n-XyZ\r\n--Xy\r\n \r\n" ENDS,
           "a=--XyZ\r\n-XyZ\r\n--Xy\r\n \r\n|");
}

static void a_delimiter_line_may_end_in_blanks(void **state)
{
    (void)state;
    parsed("--XyZ \t\r\n" FIELD("a") "1\r\n--XyZ-- \r\nepilogue", "a=1|");
    parsed("\r\n--XyZ\r\n" FIELD("a") "1" ENDS, "a=1|");
}

static void a_body_that_does_not_keep_the_form_is_malformed(void **state)
{
    (void)state;
    malformed("");
    malformed("preamble\r\n--XyZ\r\n" FIELD("a") "1" ENDS);
    malformed("--Other\r\n" FIELD("a") "1" ENDS);
    malformed("--XyZ" FIELD("a") "1" ENDS);
    malformed("--XyZ\n" FIELD("a") "1" ENDS);
    malformed("--XyZ\r\n" FIELD("a") "1\r\n--XyZabc\r\n" FIELD("b") "2" ENDS);
    malformed("--XyZ\r\n" FIELD("a") "1\n--XyZ--\r\n");
}

static void bad_part_headers_are_malformed(void **state)
{
    (void)state;
    malformed("--XyZ\r\n\r\nvalue" ENDS);
    malformed("--XyZ\r\nContent-Disposition: form-data\r\n\r\n1" ENDS);
    malformed("--XyZ\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\n1" ENDS);
    malformed("--XyZ\r\nContent-Disposition: form-data; name=\"a\r\n\r\n1" ENDS);
    malformed("--XyZ\r\nContent-Disposition: form-data; name=\"a\"; name=\"b\"\r\n\r\n1" ENDS);
    malformed("--XyZ\r\nContent-Disposition: form-data; name=\"a\"\r\n folded\r\n\r\n1" ENDS);
    malformed("--XyZ\r\nContent-Disposition: form-data; name=\"a\"\nX: y\r\n\r\n1" ENDS);
    malformed("--XyZ\r\nContent-Disposition : form-data; name=\"a\"\r\n\r\n1" ENDS);
    malformed("--XyZ\r\n: x\r\n" FIELD("a") "1" ENDS);
    malformed("--XyZ\r\nContent-Transfer-Encoding: base64\r\n" FIELD("a") "MQ==" ENDS);
    malformed("--XyZ\r\nContent-Disposition: form-data; name=\"a\"\r\n"
              "Content-Disposition: form-data; name=\"b\"\r\n\r\n1" ENDS);
}

static void nul_is_malformed_but_in_files(void **state)
{
    static const char nul[] = "--XyZ\r\n" FIELD("a") "1\0002" ENDS;

    (void)state;
    assert_status(parse_as(TYPE, SLICE(nul)), STATUS_MALFORMED);
}

static void what_is_not_utf8_is_taken_for_windows_1252_and_said_so(void **state)
{
    (void)state;
    parsed("--XyZ\r\n" FIELD("a") "\xc3\xa9" ENDS, "a=\xc3\xa9|");
    assert_false(charset.guessed);
    parsed("--XyZ\r\n" FIELD("a") "\xe9" ENDS, "a=\xc3\xa9|");
    assert_true(charset.guessed);
    parsed("--XyZ\r\n" FIELD("\xff") "1" ENDS, "\xc3\xbf=1|");
    assert_true(charset.guessed);
}

static void a_part_may_declare_its_own_charset(void **state)
{
    (void)state;
    parsed("--XyZ\r\nContent-Type: text/plain; charset=ISO-8859-1\r\n" FIELD(
               "a") "\xc3\xa9"
                    "\r\n--XyZ\r\n" FIELD("b") "\xc3\xa9" ENDS,
           "a=\xc3\x83\xc2\xa9|b=\xc3\xa9|");
    assert_false(charset.guessed);
    parsed(
        "--XyZ\r\n" FIELD("a") "1\r\n--XyZ\r\nContent-Type: text/plain; charset=koi8-r\r\n" FIELD(
            "b") "\xe9" ENDS,
        "a=1|b=\xc3\xa9|");
    assert_true(charset.guessed);
    charset.declared = CHARSET_WINDOWS_1252;
    parsed("--XyZ\r\nContent-Type: text/plain;charset=\"utf-8\"\r\n" FIELD("a") "\xc3\xa9" ENDS,
           "a=\xc3\xa9|");
    assert_false(charset.guessed);
    charset.declared = CHARSET_UNSAID;
}

static void more_parts_than_allowed_are_too_large(void **state)
{
#define PART(n) "--XyZ\r\n" FIELD(n) n "\r\n"
    (void)state;
    parsed(PART("1") PART("2") PART("3") "--XyZ--", "1=1|2=2|3=3|");
    assert_status(parse_as(TYPE, SLICE(PART("1") PART("2") PART("3") PART("4") "--XyZ--")),
                  STATUS_TOO_LARGE);
#undef PART
}

static void what_the_callback_says_ends_it(void **state)
{
    struct text scratch = text_over(memory, sizeof(memory));

    (void)state;
    pairs_begin(&pairs)->stop_at = 1;
    assert_status(multipart_parse(SLICE(TYPE), SLICE("--XyZ\r\n" FIELD("a") "1" ENDS), &charset, 3,
                                  &scratch, pairs_collect, &pairs),
                  STATUS_INVALID);
}

static void every_cut_of_a_body_is_malformed(void **state)
{
    static const char body[] = "--XyZ\r\n" FIELD("a%22") "1\r\n--XyZ\r\n" FIELD("b") "2\r\n--XyZ--";

    (void)state;
    for (size_t length = 0; length < sizeof(body) - 1; length++)
        assert_status(parse_as(TYPE, (struct slice){body, length}), STATUS_MALFORMED);
    assert_status(parse_as(TYPE, SLICE(body)), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_come_in_order),
        cmocka_unit_test(a_value_may_be_empty),
        cmocka_unit_test(a_form_may_have_no_parts),
        cmocka_unit_test(files_are_skipped),
        cmocka_unit_test(names_are_unescaped_as_browsers_escape_them),
        cmocka_unit_test(header_names_ignore_case_and_others_are_skipped),
        cmocka_unit_test(a_boundary_of_any_legal_spelling_is_found),
        cmocka_unit_test(a_missing_or_illegal_boundary_is_malformed),
        cmocka_unit_test(a_boundary_has_1_to_70_characters),
        cmocka_unit_test(what_looks_nearly_like_a_delimiter_is_content),
        cmocka_unit_test(a_delimiter_line_may_end_in_blanks),
        cmocka_unit_test(a_body_that_does_not_keep_the_form_is_malformed),
        cmocka_unit_test(bad_part_headers_are_malformed),
        cmocka_unit_test(nul_is_malformed_but_in_files),
        cmocka_unit_test(what_is_not_utf8_is_taken_for_windows_1252_and_said_so),
        cmocka_unit_test(a_part_may_declare_its_own_charset),
        cmocka_unit_test(more_parts_than_allowed_are_too_large),
        cmocka_unit_test(what_the_callback_says_ends_it),
        cmocka_unit_test(every_cut_of_a_body_is_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
