#include "tests/unit.h"

#include "proto/charset.h"
#include "proto/utf8.h"

static char memory[1024];

static enum status read_as(enum charset declared, struct slice bytes, struct slice *out,
                           bool *guessed_out)
{
    struct charset_reader reader = {declared, false};
    struct text scratch = text_over(memory, sizeof(memory));
    enum status status = charset_read(&reader, bytes, &scratch, out);

    *guessed_out = reader.guessed;
    return status;
}

static void labels_are_those_of_browsers(void **state)
{
    static const struct {
        const char *label;
        enum charset charset;
    } labels[] = {
        {"", CHARSET_UNSAID},
        {"UTF-8", CHARSET_UTF8},
        {"utf8", CHARSET_UTF8},
        {"us-ascii", CHARSET_UTF8},
        {"windows-1252", CHARSET_WINDOWS_1252},
        {"Windows-1252", CHARSET_WINDOWS_1252},
        {"ISO-8859-1", CHARSET_WINDOWS_1252},
        {"latin1", CHARSET_WINDOWS_1252},
        {"cp1252", CHARSET_WINDOWS_1252},
        {"iso-8859-15", CHARSET_UNKNOWN},
        {"utf-16", CHARSET_UNKNOWN},
        {"x", CHARSET_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++)
        if (charset_of_label(slice_of(labels[i].label)) != labels[i].charset)
            fail_msg("%s is %d", labels[i].label, (int)charset_of_label(slice_of(labels[i].label)));
}

static void a_media_type_names_its_charset(void **state)
{
    static const struct {
        const char *type;
        enum charset charset;
    } types[] = {
        {"", CHARSET_UNSAID},
        {"text/plain", CHARSET_UNSAID},
        {"charset=utf-8", CHARSET_UNSAID},
        {"text/plain;charset=", CHARSET_UNSAID},
        {"text/plain;charset=utf-8", CHARSET_UTF8},
        {"text/plain; Charset=\"UTF-8\" ; x=y", CHARSET_UTF8},
        {"text/plain; x=y; charset=iso-8859-1", CHARSET_WINDOWS_1252},
        {"multipart/form-data; boundary=xcharset=latin1", CHARSET_UNSAID},
        {"text/plain; charset=koi8-r", CHARSET_UNKNOWN},
        {"text/plain; charset=\"", CHARSET_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (charset_of_type(slice_of(types[i].type)) != types[i].charset)
            fail_msg("%s is %d", types[i].type, (int)charset_of_type(slice_of(types[i].type)));
}

static void every_byte_is_a_character_of_its_own(void **state)
{
    char seen[256][4] = {{0}};
    struct slice out;
    bool guessed;

    (void)state;
    for (unsigned byte = 1; byte < 256; byte++) {
        char text = (char)byte;
        assert_status(read_as(CHARSET_WINDOWS_1252, (struct slice){&text, 1}, &out, &guessed),
                      STATUS_OK);
        assert_true(utf8_valid(out) && out.length > 0 && out.length <= CHARSET_GROWTH_MAX);
        memcpy(seen[byte], out.bytes, out.length);
        for (unsigned other = 0; other < byte; other++)
            assert_memory_not_equal(seen[byte], seen[other], 4);
    }
    assert_string_equal(seen['a'], "a");
    assert_string_equal(seen[0x80], "\xe2\x82\xac"); /* the euro */
    assert_string_equal(seen[0x81], "\xc2\x81");     /* none, so the control of that number */
    assert_string_equal(seen[0x92], "\xe2\x80\x99"); /* an apostrophe of typewriters */
    assert_string_equal(seen[0x9f], "\xc5\xb8");
    assert_string_equal(seen[0xe9], "\xc3\xa9");
}

static void good_utf8_is_left_where_it_is(void **state)
{
    static const char text[] = "D\xc3\xa9na";
    struct slice out;
    bool guessed;

    (void)state;
    for (enum charset declared = CHARSET_UNSAID; declared <= CHARSET_UNKNOWN; declared++) {
        if (declared == CHARSET_WINDOWS_1252)
            continue;
        assert_status(read_as(declared, slice_of(text), &out, &guessed), STATUS_OK);
        assert_ptr_equal(out.bytes, text);
        assert_false(guessed);
    }
    assert_status(read_as(CHARSET_UNSAID, (struct slice){0}, &out, &guessed), STATUS_OK);
    assert_int_equal(out.length, 0);
}

static void a_guess_is_told_of_and_a_declaration_is_none(void **state)
{
    struct slice out;
    bool guessed;

    (void)state;
    assert_status(read_as(CHARSET_UNSAID, SLICE("Jos\xe9"), &out, &guessed), STATUS_OK);
    assert_slice(out, "Jos\xc3\xa9");
    assert_true(guessed);
    assert_status(read_as(CHARSET_UTF8, SLICE("Jos\xe9"), &out, &guessed), STATUS_OK);
    assert_slice(out, "Jos\xc3\xa9");
    assert_true(guessed);
    assert_status(read_as(CHARSET_WINDOWS_1252, SLICE("Jos\xe9"), &out, &guessed), STATUS_OK);
    assert_slice(out, "Jos\xc3\xa9");
    assert_false(guessed);
}

static void nul_is_malformed_in_any_charset(void **state)
{
    struct slice out;
    bool guessed;

    (void)state;
    for (enum charset declared = CHARSET_UNSAID; declared <= CHARSET_UNKNOWN; declared++)
        assert_status(read_as(declared, SLICE("a\0b"), &out, &guessed), STATUS_MALFORMED);
}

static void more_than_the_scratch_holds_is_too_large(void **state)
{
    struct charset_reader reader = {CHARSET_UNSAID, false};
    char small[3];
    struct text scratch = text_over(small, sizeof(small));
    struct slice out;

    (void)state;
    assert_status(charset_read(&reader, SLICE("\xe9"), &scratch, &out), STATUS_OK);
    assert_status(charset_read(&reader, SLICE("\xe9"), &scratch, &out), STATUS_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_those_of_browsers),
        cmocka_unit_test(a_media_type_names_its_charset),
        cmocka_unit_test(every_byte_is_a_character_of_its_own),
        cmocka_unit_test(good_utf8_is_left_where_it_is),
        cmocka_unit_test(a_guess_is_told_of_and_a_declaration_is_none),
        cmocka_unit_test(nul_is_malformed_in_any_charset),
        cmocka_unit_test(more_than_the_scratch_holds_is_too_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
