#include "tests/unit.h"

#include "proto/json.h"
#include "proto/utf8.h"

#define DOCUMENT_BYTES_MAX (256 * 1024)

static struct json *reader;

static int open_reader(void **state)
{
    (void)state;
    reader = json_open(DOCUMENT_BYTES_MAX);
    return reader ? 0 : -1;
}

static int close_reader(void **state)
{
    (void)state;
    json_close(reader);
    return 0;
}

/* Parses a copy that ends exactly where the padding does, so that the sanitizer sees a read
 * behind it. The reader keeps nothing of the bytes. */
static enum status parse_bytes(struct slice document, struct json_value *root)
{
    char *padded = malloc(document.length + JSON_PADDING);
    assert_non_null(padded);
    memcpy(padded, document.bytes, document.length);
    memset(padded + document.length, '}', JSON_PADDING);
    enum status status = json_parse(reader, padded, document.length, root);
    free(padded);
    return status;
}

static struct json_value parse(const char *document)
{
    struct json_value root;

    assert_status(parse_bytes(slice_of(document), &root), STATUS_OK);
    return root;
}

static void refused(const char *document)
{
    struct json_value root;

    if (parse_bytes(slice_of(document), &root) != STATUS_MALFORMED)
        fail_msg("accepted: %s", document);
}

static void written(const char *document, const char *expected)
{
    char buffer[1024];
    struct text out = text_over(buffer, sizeof(buffer));

    json_write(&out, parse(document));
    assert_false(out.overflow);
    assert_slice(text_slice(&out), expected);
}

static void every_type_is_told_apart(void **state)
{
    (void)state;
    assert_int_equal(parse("null").type, JSON_NULL);
    assert_int_equal(parse("true").type, JSON_BOOL);
    assert_int_equal(parse("-1").type, JSON_INT);
    assert_int_equal(parse("9223372036854775808").type, JSON_UINT);
    assert_int_equal(parse("1.0").type, JSON_DOUBLE);
    assert_int_equal(parse("\"\"").type, JSON_STRING);
    assert_int_equal(parse("[]").type, JSON_ARRAY);
    assert_int_equal(parse(" {} ").type, JSON_OBJECT);
}

static void integers_of_64_bits_are_exact(void **state)
{
    int64_t number;
    uint64_t unsigned_number;

    (void)state;
    assert_true(json_int(parse("9007199254740993"), &number));
    assert_int_equal(number, 9007199254740993);
    assert_true(json_int(parse("-9223372036854775808"), &number));
    assert_true(number == INT64_MIN);
    assert_true(json_uint(parse("18446744073709551615"), &unsigned_number));
    assert_true(unsigned_number == UINT64_MAX);
    assert_true(json_uint(parse("7"), &unsigned_number));
    assert_int_equal(unsigned_number, 7);
    assert_false(json_uint(parse("-7"), &unsigned_number));
    assert_false(json_int(parse("9223372036854775808"), &number));
    written("[9007199254740993,-9223372036854775808,18446744073709551615]",
            "[9007199254740993,-9223372036854775808,18446744073709551615]");
}

static void numbers_that_fit_nothing_are_strings_of_their_digits(void **state)
{
    (void)state;
    written("1e400", "\"1e400\"");
    written("18446744073709551616", "\"18446744073709551616\"");
    written("-9223372036854775809", "\"-9223372036854775809\"");
    written(
        "{\"a\\\"18446744073709551616\" : 1000000000000000000000000000000 , \"b\":[1,-2.5E+999]}",
        "{\"a\\\"18446744073709551616\":\"1000000000000000000000000000000\","
        "\"b\":[1,\"-2.5E+999\"]}");
}

static void only_numbers_that_fit_nothing_are_digits(void **state)
{
    struct slice text;

    (void)state;
    struct json_walk walk = json_walk(parse(
        "{\"a\":\"18446744073709551616\",\"b\\\"\":18446744073709551616,\"c\":[1,2.5,{\"d\":\"e\"},"
        "-1e400],\"f\":\"\\\\\",\"g\":1e400}"));
    const enum json_type types[] = {JSON_STRING, JSON_DIGITS, JSON_ARRAY, JSON_STRING, JSON_DIGITS};
    struct json_value value;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        assert_true(json_next(&walk, &text, &value));
        assert_int_equal(value.type, types[i]);
        assert_int_equal(json_string(value, &text), types[i] == JSON_STRING);
        assert_int_equal(json_digits(value, &text), types[i] == JSON_DIGITS);
    }
    assert_slice(text, "1e400");
    walk = json_walk(parse("[1,\"x\",-1e400,1e400]"));
    for (size_t i = 0; json_next(&walk, &text, &value); i++)
        assert_int_equal(json_digits(value, &text), i >= 2);
    assert_slice(text, "1e400");
}

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    refused("{18446744073709551616 : 1}");
    refused("{\"a\":18446744073709551616,\"a\":1}");
    refused("18446744073709551616 18446744073709551616");
    refused("[18446744073709551616");
    refused("\"18446744073709551616");
    refused("018446744073709551616");
    refused("-018446744073709551616");
    refused("1.e18446744073709551616");
    refused("18446744073709551616e");
    refused("18446744073709551616x");
    refused("01");
    refused("+1");
    refused(".5");
    refused("NaN");
    refused("-");
}

static void doubles_are_written_as_people_write_them(void **state)
{
    (void)state;
    written("1.5", "1.5");
    written("0.1", "0.1");
    written("90000.0", "90000");
    written("2155550147.0", "2155550147");
    written("1700000000.25", "1700000000.25");
    written("1e300", "1e+300");
    written("1.7976931348623157e308", "1.7976931348623157e+308");
    written("0.000001", "0.000001");
    written("-0.0", "0");
    written("1e20", "1e+20");
    written("-999999999999999.0", "-999999999999999");
}

static void any_number_is_a_double(void **state)
{
    double number;

    (void)state;
    assert_true(json_double(parse("-3"), &number) && number == -3);
    assert_true(json_double(parse("18446744073709551615"), &number) && number > 1e19);
    assert_true(json_double(parse("2.5"), &number) && number == 2.5);
    assert_false(json_double(parse("\"2.5\""), &number));
}

static void strings_are_unescaped(void **state)
{
    struct slice text;

    (void)state;
    assert_true(json_string(parse("\"a\\u00e9\\n\\\"\\ud83d\\ude00/\""), &text));
    assert_slice(text, "a\xc3\xa9\n\"\xf0\x9f\x98\x80/");
    assert_false(json_string(parse("12"), &text));
    assert_true(json_string(parse("\"a\\u0000b\""), &text));
    assert_int_equal(text.length, 3);
}

static void text_that_is_not_utf8_is_refused(void **state)
{
    (void)state;
    refused("\"\xff\"");
    refused("\"\xc0\xaf\"");
    refused("\"\xed\xa0\x80\"");
    refused("\"\\ud800\"");
    refused("\"\\udc00\"");
    refused("\"a\nb\"");
}

static void a_byte_order_mark_is_skipped(void **state)
{
    (void)state;
    assert_int_equal(parse("\xef\xbb\xbf{}").type, JSON_OBJECT);
    refused("\xef\xbb\xbf");
}

static void trailing_bytes_are_refused(void **state)
{
    (void)state;
    refused("{} x");
    refused("{}{}");
    refused("1 2");
    refused("[1],");
    refused("");
    refused("  ");
}

static void nesting_over_16_is_refused(void **state)
{
    (void)state;
    assert_int_equal(parse("[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]").type, JSON_ARRAY);
    refused("[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]");
    assert_int_equal(parse("{\"a\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}").type, JSON_OBJECT);
    refused("{\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}");
}

static void duplicate_keys_are_refused_in_any_object(void **state)
{
    (void)state;
    refused("{\"a\":1,\"a\":2}");
    refused("{\"a\":1,\"\\u0061\":2}");
    refused("{\"x\":[{\"y\":{\"email\":1,\"phone\":2,\"email\":3}}]}");
    refused("{\"\":1,\"\":2}");
    refused("{\"utm_campaign_name\":1,\"b\":{\"a\":1},\"utm_campaign_name\":2}");
    parse("{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":1}]}");
    parse("{\"abcdefgh1\":1,\"abcdefgh2\":1,\"1abcdefgh\":1,\"2abcdefgh\":1}");
}

/* `count` members with different keys; then one with the key of number `again`. */
static char *large_object(size_t count, size_t again)
{
    char *document = malloc(count * 24 + 64);
    assert_non_null(document);
    char *at = document + sprintf(document, "{");

    for (size_t i = 0; i < count; i++)
        at += sprintf(at, "\"k%zu\":%zu,", i, i);
    sprintf(at, "\"k%zu\":0}", again);
    return document;
}

static void duplicate_keys_are_refused_in_large_objects(void **state)
{
    static const size_t counts[] = {31, 32, 33, 100, 10000};

    (void)state;
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        size_t count = counts[i];
        char *different = large_object(count, count);
        char *first = large_object(count, 0), *last = large_object(count, count - 1);
        assert_int_equal(json_count(parse(different)), count + 1);
        refused(first);
        refused(last);
        free(different);
        free(first);
        free(last);
    }
}

static void an_object_is_not_confused_with_the_one_before(void **state)
{
    char *document = large_object(200, 200);

    (void)state;
    parse(document);
    parse(document);
    free(document);
}

static void a_document_over_the_size_is_too_large(void **state)
{
    struct json_value root;
    char *document = malloc(DOCUMENT_BYTES_MAX + 1);

    (void)state;
    assert_non_null(document);
    memset(document, ' ', DOCUMENT_BYTES_MAX + 1);
    document[0] = '1';
    assert_status(parse_bytes((struct slice){document, DOCUMENT_BYTES_MAX}, &root), STATUS_OK);
    assert_status(parse_bytes((struct slice){document, DOCUMENT_BYTES_MAX + 1}, &root),
                  STATUS_TOO_LARGE);
    free(document);
}

static void the_largest_object_of_the_smallest_members_fits(void **state)
{
    size_t members = (DOCUMENT_BYTES_MAX - 2) / 9;
    char *document = malloc(DOCUMENT_BYTES_MAX);
    struct json_value root;

    (void)state;
    assert_non_null(document);
    char *at = document;
    *at++ = '{';
    for (size_t i = 0; i < members; i++)
        at += sprintf(at, "%s\"%04zx\":0", i ? "," : "", i);
    *at++ = '}';
    assert_status(parse_bytes((struct slice){document, (size_t)(at - document)}, &root), STATUS_OK);
    assert_int_equal(json_count(root), members);
    free(document);
}

static void a_walk_gives_members_in_order(void **state)
{
    struct json_walk walk = json_walk(parse("{\"a\":{\"x\":[1]},\"b\":2.5,\"c\":\"d\"}"));
    struct json_value item;
    struct slice name;
    static const char *const names[] = {"a", "b", "c"};
    static const enum json_type types[] = {JSON_OBJECT, JSON_DOUBLE, JSON_STRING};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_true(json_next(&walk, &name, &item));
        assert_slice(name, names[i]);
        assert_int_equal(item.type, types[i]);
    }
    assert_false(json_next(&walk, &name, &item));
    assert_false(json_next(&walk, &name, &item));
}

static void a_walk_gives_items_without_names(void **state)
{
    struct json_walk walk = json_walk(parse("[1,[2,3],4]"));
    struct json_value item;
    struct slice name;
    size_t count = 0;

    (void)state;
    for (; json_next(&walk, &name, &item); count++)
        assert_int_equal(name.length, 0);
    assert_int_equal(count, 3);
    walk = json_walk(parse("7"));
    assert_false(json_next(&walk, &name, &item));
}

static void members_are_found_by_name(void **state)
{
    struct json_value root = parse("{\"ab\":1,\"a\":{\"b\":2},\"\":3}"), found;
    int64_t number;

    (void)state;
    assert_true(json_member(root, "ab", &found) && json_int(found, &number) && number == 1);
    assert_true(json_member(root, "", &found) && json_int(found, &number) && number == 3);
    assert_true(json_member(root, "a", &found) && json_member(found, "b", &found));
    assert_false(json_member(root, "b", &found));
    assert_false(json_member(parse("[1]"), "", &found));
    assert_false(json_member(parse("1"), "a", &found));
}

static void items_are_counted(void **state)
{
    (void)state;
    assert_int_equal(json_count(parse("{\"a\":[1,2,3],\"b\":2}")), 2);
    assert_int_equal(json_count(parse("[[],{},1.5]")), 3);
    assert_int_equal(json_count(parse("[]")), 0);
    assert_int_equal(json_count(parse("\"ab\"")), 0);
}

static void a_value_is_written_minified(void **state)
{
    (void)state;
    written(" { \"a\" : [ true , false , null , { } , [ ] ] , \"b\\n\" : \"\\u00e9\\t\" } ",
            "{\"a\":[true,false,null,{},[]],\"b\\n\":\"\xc3\xa9\\t\"}");
}

static void every_cut_of_a_document_is_refused(void **state)
{
    static const char document[] =
        "{\"email\":\"dana@example.com\",\"n\":[1,-2.5e3,true,null],\"o\":{\"k\":\"\\u00e9\"}}";
    struct json_value root;

    (void)state;
    for (size_t length = 0; length < sizeof(document) - 1; length++)
        assert_status(parse_bytes((struct slice){document, length}, &root), STATUS_MALFORMED);
    assert_status(parse_bytes(SLICE(document), &root), STATUS_OK);
}

static void utf8_is_checked_strictly(void **state)
{
    static const char *const good[] = {"",
                                       "abc",
                                       "\xc2\x80",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "0123456789abcdef\xc3\xa9 0123456789"};
    static const char *const bad[] = {"\x80",
                                      "\xc1\x81",
                                      "\xc3",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "01234567\xff",
                                      "\xe2\x82",
                                      "\xe2\x82z",
                                      "\xc3\xc3"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_true(utf8_valid(slice_of(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(utf8_valid(slice_of(bad[i])));
    assert_true(utf8_valid((struct slice){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_told_apart),
        cmocka_unit_test(integers_of_64_bits_are_exact),
        cmocka_unit_test(numbers_that_fit_nothing_are_strings_of_their_digits),
        cmocka_unit_test(only_numbers_that_fit_nothing_are_digits),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(doubles_are_written_as_people_write_them),
        cmocka_unit_test(any_number_is_a_double),
        cmocka_unit_test(strings_are_unescaped),
        cmocka_unit_test(text_that_is_not_utf8_is_refused),
        cmocka_unit_test(a_byte_order_mark_is_skipped),
        cmocka_unit_test(trailing_bytes_are_refused),
        cmocka_unit_test(nesting_over_16_is_refused),
        cmocka_unit_test(duplicate_keys_are_refused_in_any_object),
        cmocka_unit_test(duplicate_keys_are_refused_in_large_objects),
        cmocka_unit_test(an_object_is_not_confused_with_the_one_before),
        cmocka_unit_test(a_document_over_the_size_is_too_large),
        cmocka_unit_test(the_largest_object_of_the_smallest_members_fits),
        cmocka_unit_test(a_walk_gives_members_in_order),
        cmocka_unit_test(a_walk_gives_items_without_names),
        cmocka_unit_test(members_are_found_by_name),
        cmocka_unit_test(items_are_counted),
        cmocka_unit_test(a_value_is_written_minified),
        cmocka_unit_test(every_cut_of_a_document_is_refused),
        cmocka_unit_test(utf8_is_checked_strictly),
    };

    return cmocka_run_group_tests(tests, open_reader, close_reader);
}
