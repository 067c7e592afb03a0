#include "proto/name.h"
#include "tests/unit.h"

static struct optin optin;

static void assert_called(const char *first_name, const char *name, const char *expected)
{
    char buffer[NAME_CLEAN_MAX];

    optin_clear(&optin);
    optin.text[OPTIN_FIRST_NAME] = slice_of(first_name);
    optin.text[OPTIN_NAME] = slice_of(name);
    optin.text[OPTIN_LAST_NAME] = SLICE("Last");
    struct slice called = name_first(&optin, buffer);
    if (!slice_equal(called, slice_of(expected)))
        fail_msg("'%s', '%s': '%.*s'", first_name, name, (int)called.length, called.bytes);
    /* Who is given a name can be addressed, and nobody else. */
    assert_int_equal(name_is_given(&optin), called.length > 0);
}

static void assert_names(const char *const names[][2], size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_called("", names[i][0], names[i][1]);
}

#define ASSERT_NAMES(names) assert_names(names, sizeof(names) / sizeof(names[0]))

static void names_address_somebody_in_any_script(void **unused)
{
    static const char *const names[][2] = {
        {"Dana", "Dana"},
        {"dana rivera", "dana"},
        {"ANNA MÜLLER", "ANNA"},
        {"X", "X"},
        {"m", "m"},
        {"O'Brien", "O'Brien"},
        {"Jean-Luc Picard", "Jean-Luc"},
        {"José", "José"},
        {"Łukasz Nowak", "Łukasz"},
        {"Åsa", "Åsa"},
        {"Ng", "Ng"},
        {"Testa", "Testa"},
        {"Na Li", "Na"},
        {"李 小龙", "李"},
        {"山田　太郎", "山田"}, /* with the wide blank */
        {"محمد علي", "محمد"},
        {"Сергей", "Сергей"},
        {"प्रिया शर्मा", "प्रिया"},
        {"Anna-Lena Müller", "Anna-Lena"},
        {"de la Cruz", "de"},
        {"J. Smith", "J."},
        {"St.John Smith", "St.John"},
        {"\xf0\x90\x90\x80\xf0\x90\x90\x81", "\xf0\x90\x90\x80\xf0\x90\x90\x81"}, /* four bytes */
    };

    (void)unused;
    ASSERT_NAMES(names);
}

static void digits_addresses_and_fillers_address_nobody(void **unused)
{
    static const char *const names[][2] = {
        {"", ""},          {"   ", ""},
        {"\t", ""},        {"12345", ""},
        {"a@b.c", ""},     {"test", ""},
        {" TEST ", ""},    {"n/a", ""},
        {"-", ""},         {"...", ""},
        {"asdf", ""},      {"http://spam.example", ""},
        {"+1 215", ""},    {"١٢٣", ""},
        {"🙂", ""},      {"🙂 ❤️", ""},
        {"«»", ""},        {"。。。", ""},
        {"★★★", ""},       {"€", ""},
        {"\xc3(\xa0", ""}, /* no characters */ {"\xef\xbf\xbd", ""},
    };

    (void)unused;
    ASSERT_NAMES(names);
    assert_false(name_is_usable(SLICE("🙂")));
}

static void the_first_word_with_a_letter_is_taken(void **unused)
{
    static const char *const names[][2] = {
        {"  Zoë van", "Zoë"},  {"- Dana", "Dana"},    {"12 Dana", "Dana"},
        {"🙂 Dana", "Dana"}, {"Dana\tLee", "Dana"}, {"Dana\xc2\xa0Lee", "Dana"},
    };

    (void)unused;
    ASSERT_NAMES(names);
}

static void a_first_name_goes_before_and_stays_whole(void **unused)
{
    (void)unused;
    assert_called("Dana", "", "Dana");
    assert_called("Anna Maria", "Eva", "Anna Maria");
    assert_called("test", "Dana Rivera", "Dana");
    assert_called("Mr.", "Dana Rivera", "Dana");
    assert_called("{{name}}", "Dana Rivera", "Dana");
    assert_called("Dr. Anna Maria", "", "Anna Maria");
    assert_called("test", "", "");
    assert_called("-", "123", "");
    assert_called("", "", "");
}

static void titles_are_no_names(void **unused)
{
    static const char *const names[][2] = {
        {"Dr. Anna Müller", "Anna"},
        {"dr anna müller", "anna"},
        {"Dr.Anna Müller", "Anna"},
        {"Herr Prof. Dr. Max Planck", "Max"},
        {"Mme Marie Curie", "Marie"},
        {"M. Jean Valjean", "Jean"},
        {"Señora Ana García", "Ana"},
        {"SEÑORA ANA GARCÍA", "ANA"},
        {"Mr. J. Smith", "J."},
        {"Mr", ""},
        {"Mr.", ""},
        {"Frau Dr.", ""},
        {"Mr. Smith", ""}, /* which is the last name */
        {"Frau Müller", ""},
        {"Mr. & Mrs. Smith", ""},
        {"Herr und Frau Müller", ""},
        {"Mrs. 12", ""},
        {"Drew Barry", "Drew"}, /* begins like one */
        {"Sig Hansen", "Sig"},
    };

    (void)unused;
    ASSERT_NAMES(names);
}

static void a_last_name_before_a_comma_is_passed_over(void **unused)
{
    static const char *const names[][2] = {
        {"Smith, John", "John"},      {"Smith,John Paul", "John"},
        {"Smith, Dr. John", "John"},  {"Mr. Smith, John", "John"},
        {"Smith, Dr.", ""},           {"Anna,", "Anna"},
        {"Anna Müller, PhD", "Anna"}, {"Li, Na", "Na"},
        {", John", "John"},
    };

    (void)unused;
    ASSERT_NAMES(names);
}

static void what_a_template_left_addresses_nobody(void **unused)
{
    static const char *const names[][2] = {
        {"{{first_name}}", ""}, {"{{first_name}} Lee", ""}, {"%name%", ""},    {"[first_name]", ""},
        {"${name}", ""},        {"*|FNAME|*", ""},          {"<b>Bo</b>", ""},
    };

    (void)unused;
    ASSERT_NAMES(names);
}

static void what_cannot_be_seen_is_left_out(void **unused)
{
    static const char *const names[][2] = {
        {"Anna\xe2\x80\x8b", "Anna"}, /* zero width space */
        {"An\xe2\x80\x8bna", "Anna"}, /* within */
        {"\xe2\x80\xae"
         "Anna",
         "Anna"}, /* right to left */
        {"\xef\xbb\xbf"
         "Anna Lee",
         "Anna"},                 /* byte order mark */
        {"An\xc2\xadna", "Anna"}, /* soft hyphen */
        {"An\x01na\x7f", "Anna"},
        {"Anna\xe2\x80\x8d", "Anna"},                 /* a joiner of nothing */
        {"علی\xe2\x80\x8cرضا", "علی\xe2\x80\x8cرضا"}, /* and one of Persian */
        {"te\xe2\x80\x8bst", ""},
        {"\xe2\x80\x8b", ""},
        {"\xe3\x85\xa4", ""}, /* a letter without a face */
    };

    (void)unused;
    ASSERT_NAMES(names);
}

static void a_long_name_is_cleaned_up_to_a_limit(void **unused)
{
    static char name[3 * NAME_CLEAN_MAX], buffer[NAME_CLEAN_MAX];
    struct text text = text_over(name, sizeof(name));

    (void)unused;
    text_string(&text, "\xe2\x80\x8b"
                       "A");
    while (text.length < 2 * NAME_CLEAN_MAX)
        text_string(&text, "ä");
    optin_clear(&optin);
    optin.text[OPTIN_FIRST_NAME] = text_slice(&text);
    struct slice called = name_first(&optin, buffer);
    assert_int_equal(called.length, NAME_CLEAN_MAX - 1); /* a character is not cut */
    assert_memory_equal(called.bytes, name + 3, called.length);
}

static void older_renderers_keep_their_rule(void **unused)
{
    static const char *const cases[][3] = {
        /* name, by 3, by 4 */
        {"Mr. Smith", "Mr.", "Mr."}, {"🙂", "🙂", "🙂"},
        {"- Dana", "-", "Dana"},     {"test", "test", ""},
        {" Dana ", "Dana", "Dana"},  {"Smith, John", "Smith,", "Smith,"},
    };
    char buffer[NAME_CLEAN_MAX];

    (void)unused;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        optin_clear(&optin);
        optin.text[OPTIN_NAME] = slice_of(cases[i][0]);
        assert_true(slice_equal(name_first_by(3, &optin, buffer), slice_of(cases[i][1])));
        assert_true(slice_equal(name_first_by(4, &optin, buffer), slice_of(cases[i][2])));
        assert_int_equal(name_is_given_by(4, &optin), name_first_by(4, &optin, buffer).length > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_address_somebody_in_any_script),
        cmocka_unit_test(digits_addresses_and_fillers_address_nobody),
        cmocka_unit_test(the_first_word_with_a_letter_is_taken),
        cmocka_unit_test(a_first_name_goes_before_and_stays_whole),
        cmocka_unit_test(titles_are_no_names),
        cmocka_unit_test(a_last_name_before_a_comma_is_passed_over),
        cmocka_unit_test(what_a_template_left_addresses_nobody),
        cmocka_unit_test(what_cannot_be_seen_is_left_out),
        cmocka_unit_test(a_long_name_is_cleaned_up_to_a_limit),
        cmocka_unit_test(older_renderers_keep_their_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
