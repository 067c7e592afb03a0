/* Bodies and batches of every shape, as opt-ins. */
#include "tests/intake_rig.h"

/* --- shapes and reading -------------------------------------------------------- */

static void the_media_type_decides_the_shape(void **state)
{
    static const struct {
        const char *type;
        enum intake_shape shape;
    } types[] = {
        {"application/json", INTAKE_JSON},
        {"Application/JSON ; charset=utf-8", INTAKE_JSON},
        {"application/json;charset=iso-8859-1", INTAKE_JSON},
        {"text/plain;charset=UTF-8", INTAKE_PLAIN},
        {"Text/Plain", INTAKE_PLAIN},
        {"text/plain; charset=koi8-r", INTAKE_PLAIN},
        {"application/vnd.api+json", INTAKE_JSON},
        {"", INTAKE_JSON},
        {"application/x-www-form-urlencoded", INTAKE_FORM},
        {"application/x-www-form-urlencoded; charset=\"UTF-8\"", INTAKE_FORM},
        {"application/x-www-form-urlencoded;charset=us-ascii; x=y", INTAKE_FORM},
        {"application/x-www-form-urlencoded; charset=iso-8859-1", INTAKE_FORM},
        {"application/x-www-form-urlencoded; charset=koi8-r", INTAKE_OTHER},
        {"multipart/form-data; boundary=x", INTAKE_MULTIPART},
        {"multipart/form-data; boundary=xcharset=latin", INTAKE_MULTIPART},
        {"multipart/form-data; boundary=x; charset=utf-16", INTAKE_OTHER},
        {"multipart/mixed; boundary=x", INTAKE_OTHER},
        {"application/xml", INTAKE_OTHER},
        {"application/jsonx", INTAKE_OTHER},
        {"text", INTAKE_OTHER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        if (intake_shape(slice_of(types[i].type)) != types[i].shape)
            fail_msg("%s is %d", types[i].type, (int)intake_shape(slice_of(types[i].type)));
    }
}

static void the_same_opt_in_comes_in_every_shape(void **state)
{
    static const char *const sent[][2] = {
        {"application/json", "{\"email\":\"dana@example.com\",\"x\":\"1\"}"},
        {"application/x-www-form-urlencoded", "email=dana%40example.com&x=1"},
        {"multipart/form-data; boundary=b",
         "--b\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\ndana@example.com\r\n"
         "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--b--\r\n"},
        {"text/plain", "{\"email\":\"dana@example.com\",\"x\":\"1\"}"},
        {"text/plain", "email=dana@example.com\r\nx=1\r\n"},
        {"", "\r\n {\"email\":\"dana@example.com\",\"x\":\"1\"}"},
        {"", "email=dana%40example.com&x=1"},
    };
    struct hash first = {{0}};

    (void)state;
    for (size_t i = 0; i < sizeof(sent) / sizeof(*sent); i++) {
        assert_status(read_as(sent[i][0], sent[i][1]), STATUS_OK);
        struct hash content = optin_content(&optin, &hash_key, 1);
        if (i == 0)
            first = content;
        assert_slice(optin.text[OPTIN_EMAIL], "dana@example.com");
        assert_true(hash_equal(content, first));
    }
}

static void what_cannot_be_read_says_why(void **state)
{
    (void)state;
    assert_status(read_as("application/xml", "<a/>"), STATUS_MEDIA_TYPE);
    assert_status(read_as("application/json", "{\"a\":1,\"a\":2}"), STATUS_MALFORMED);
    assert_status(read_as("application/json", "[]"), STATUS_MALFORMED);
    assert_status(read_as("application/json", ""), STATUS_MALFORMED);
    assert_status(read_as("application/x-www-form-urlencoded", "a=%"), STATUS_MALFORMED);
    assert_status(read_as("multipart/form-data", "--b--"), STATUS_MALFORMED);
}

/* A name as it came out, and what was noted of its charset. */
static void assert_name(const char *type, const char *body, const char *name, const char *note)
{
    struct slice noted = {0};

    assert_status(read_as(type, body), STATUS_OK);
    assert_slice(optin.text[OPTIN_NAME], name);
    for (size_t i = 0; i < optin.extra_count; i++)
        if (slice_equal(optin.extra[i].name, SLICE("_charset_")))
            noted = optin.extra[i].json;
    assert_slice(noted, note);
}

#define FORM_TYPE "application/x-www-form-urlencoded"
#define PART(name, value)                                                                          \
    "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"

static void a_form_says_its_charset_in_its_type_or_in_a_field(void **state)
{
    (void)state;
    assert_name(FORM_TYPE ";charset=windows-1252", "name=Jos%E9", "Jos\xc3\xa9", "");
    assert_name(FORM_TYPE ";charset=iso-8859-1", "name=%80%C3%A9", "\xe2\x82\xac\xc3\x83\xc2\xa9",
                "");
    assert_name(FORM_TYPE, "name=%C3%A9&_charset_=windows-1252", "\xc3\x83\xc2\xa9", "");
    assert_name(FORM_TYPE, "_charset_=UTF-8&name=%C3%A9", "\xc3\xa9", "");
    assert_name("multipart/form-data; boundary=b",
                PART("name", "\xc3\xa9") PART("_charset_", "windows-1252") "--b--\r\n",
                "\xc3\x83\xc2\xa9", "");
}

static void a_form_whose_charset_was_guessed_is_taken_and_marked(void **state)
{
    static const char mark[] = "\"windows-1252 (guessed)\"";

    (void)state;
    assert_name(FORM_TYPE, "name=Jos%E9&email=d%40e.com", "Jos\xc3\xa9", mark);
    assert_name(FORM_TYPE, "name=Jos\xe9", "Jos\xc3\xa9", mark);
    assert_name("multipart/form-data; boundary=b", PART("name", "Jos\xe9") "--b--\r\n",
                "Jos\xc3\xa9", mark);
    assert_name(FORM_TYPE, "_charset_=UTF-8&name=Jos%E9", "Jos\xc3\xa9", mark);
    assert_name(FORM_TYPE, "_charset_=koi8-r&name=%C4%C1", "\xc3\x84\xc3\x81",
                "[\"koi8-r\",\"windows-1252 (guessed)\"]");
    assert_name(FORM_TYPE, "_charset_=koi8-r&name=Dana", "Dana", "\"koi8-r\"");
}

static void a_plain_form_is_read_as_it_stands(void **state)
{
    (void)state;
    assert_name("text/plain", "name=Dana + 50% & more\r\nphone=1\r\n", "Dana + 50% & more", "");
    assert_name("text/plain", "name=Jos\xe9\r\n_charset_=windows-1252\r\n", "Jos\xc3\xa9", "");
    assert_name("text/plain", "name=Jos\xe9\r\n", "Jos\xc3\xa9", "\"windows-1252 (guessed)\"");
    assert_name("text/plain;charset=latin1", "name=\xc3\xa9\r\n", "\xc3\x83\xc2\xa9", "");
    assert_status(read_as("text/plain", "message=two\r\nlines\r\nemail=d@e.com\r\n"), STATUS_OK);
    assert_slice(optin.extra[0].json, "\"two\\r\\nlines\"");
    assert_slice(optin.text[OPTIN_EMAIL], "d@e.com");
    assert_status(read_as("text/plain", "hello"), STATUS_MALFORMED);
    assert_status(read_as("text/plain", "{\"email\""), STATUS_MALFORMED);
}

/* As published samples of the builders have them. */
static void forms_of_form_builders_have_their_identifiers(void **state)
{
    static const char *const bodies[] = {
        "Name=Dana+Rivera&Email=dana%40example.com&Phone=2155550147&form_id=4f2a1c",
        "your-name=Dana+Rivera&your-email=dana%40example.com&your-tel=2155550147&form_id=4f2a1c",
        "form_id=4f2a1c&data.json=%7B%22email%22%3A%5B%22dana%40example.com%22%5D%2C"
        "%22full_name%22%3A%5B%22Dana+Rivera%22%5D%2C%22phone%22%3A%5B%222155550147%22%5D%2C"
        "%22form_id%22%3A%5B%224f2a1c%22%5D%7D",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_status(read_as(FORM_TYPE, bodies[i]), STATUS_OK);
        assert_slice(optin.text[OPTIN_NAME], "Dana Rivera");
        assert_slice(optin.text[OPTIN_EMAIL], "dana@example.com");
        assert_slice(optin.text[OPTIN_PHONE], "2155550147");
        assert_int_equal(optin.extra_count, 1);
        assert_slice(optin.extra[0].json, "\"4f2a1c\"");
    }
    assert_status(read_as("multipart/form-data; boundary=b",
                          PART("data.json", "{\"tel\":[\"1\"],\"need\":[\"roof\",\"wall\"]}")
                              PART("tel", "2") PART("phone", "3") "--b--\r\n"),
                  STATUS_OK);
    assert_slice(optin.text[OPTIN_PHONE], "3");
    assert_int_equal(optin.extra_count, 2);
    assert_slice(optin.extra[0].json, "[\"roof\",\"wall\"]");
    assert_slice(optin.extra[1].json, "[\"1\",\"2\"]");
}

static void a_field_of_json_that_is_no_lists_stays_as_it_is(void **state)
{
    static const char *const values[] = {
        "",
        "x",
        "[\"a\"]",
        "{\"email\":\"a@b.example\"}",
        "{\"email\":[\"a@b.example\",1]}",
        "{\"email\":[\"a@b.example\"]",
    };
    char body[1024];
    struct text text;

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        snprintf(body, sizeof(body), "data.json=%s\r\n", values[i]);
        assert_status(read_as("text/plain", body), STATUS_OK);
        assert_slice(optin.text[OPTIN_EMAIL], "");
        assert_int_equal(optin.extra_count, 1);
        assert_slice(optin.extra[0].name, "data.json");
    }
    /* Of two, the first speaks. */
    assert_status(read_as("text/plain", "data.json={\"email\":[\"a@b.example\"]}\r\n"
                                        "data.json={\"phone\":[\"1\"]}\r\n"),
                  STATUS_OK);
    assert_slice(optin.text[OPTIN_EMAIL], "a@b.example");
    assert_slice(optin.text[OPTIN_PHONE], "");
    assert_int_equal(optin.extra_count, 1);
    /* Too many strings. */
    text = text_over(body, sizeof(body));
    text_string(&text, "data.json={\"email\":[\"a\"");
    for (int i = 0; i < 100; i++)
        text_string(&text, ",\"b\"");
    text_string(&text, "]}\r\n");
    text_char(&text, '\0');
    assert_false(text.overflow);
    assert_status(read_as("text/plain", body), STATUS_OK);
    assert_slice(optin.text[OPTIN_EMAIL], "");
}

static void json_is_utf8_whatever_is_declared(void **state)
{
    (void)state;
    assert_status(read_as("application/json; charset=iso-8859-1", "{\"name\":\"Jos\xe9\"}"),
                  STATUS_MALFORMED);
    assert_status(read_as("text/plain", "{\"name\":\"Jos\xe9\"}"), STATUS_MALFORMED);
    assert_name("application/json; charset=iso-8859-1", "{\"name\":\"\xc3\xa9\"}", "\xc3\xa9", "");
}

static void a_body_over_64_kib_is_too_large(void **state)
{
    char *body = malloc(OPTIN_BYTES_MAX + 1);

    (void)state;
    assert_non_null(body);
    memset(body, 'x', OPTIN_BYTES_MAX + 1);
    memcpy(body, "name=", 5);
    struct slice sent = padded((struct slice){body, OPTIN_BYTES_MAX});
    assert_status(intake_read(intake, INTAKE_FORM, SLICE("x"), sent, &optin), STATUS_OK);
    assert_int_equal(optin.text[OPTIN_NAME].length, OPTIN_BYTES_MAX - 5);
    sent = padded((struct slice){body, OPTIN_BYTES_MAX + 1});
    assert_status(intake_read(intake, INTAKE_FORM, SLICE("x"), sent, &optin), STATUS_TOO_LARGE);
    free(body);
}

static void a_form_has_at_most_200_pairs(void **state)
{
    char body[402];

    (void)state;
    for (size_t i = 0; i < 201; i++)
        memcpy(body + 2 * i, "a&", 2);
    body[400] = '\0';
    assert_status(read_as("application/x-www-form-urlencoded", body), STATUS_OK);
    body[400] = 'a';
    body[401] = '\0';
    assert_status(read_as("application/x-www-form-urlencoded", body), STATUS_TOO_LARGE);
}

/* --- batches --------------------------------------------------------------------- */

struct seen {
    char bytes[64 * 1024];
    struct text text; /* a name or a status for each item */
    unsigned count;
};

static void on_item(void *owner, unsigned index, enum status status, struct optin *item)
{
    struct seen *seen = owner;

    assert_int_equal(index, seen->count++);
    if (status == STATUS_OK) {
        struct slice payload;
        text_add(&seen->text, item->text[OPTIN_NAME]);
        assert_status(
            intake_facts(intake, &site, CREDENTIAL_SECRET, (struct slice){0}, false, item, &facts),
            STATUS_OK);
        assert_status(intake_encode(intake, item, &payload), STATUS_OK);
    } else {
        text_string(&seen->text, status_code(status));
    }
    text_char(&seen->text, ' ');
}

static struct seen seen;

static enum status read_batch(const char *type, struct slice body)
{
    seen.text = text_over(seen.bytes, sizeof(seen.bytes));
    seen.count = 0;
    return intake_batch(intake, slice_of(type), padded(body), on_item, &seen);
}

static void batch_gives(const char *type, const char *body, const char *expected)
{
    assert_status(read_batch(type, slice_of(body)), STATUS_OK);
    assert_slice(text_slice(&seen.text), expected);
}

static void an_array_gives_each_item_its_own_status(void **state)
{
    (void)state;
    batch_gives("application/json", " [{\"name\":\"A\"},7,{\"name\":\"B\",\"x\":1}]",
                "A malformed B ");
    batch_gives("application/json", "[]", "");
}

static void lines_give_each_item_its_own_status(void **state)
{
    static const char lines[] =
        "{\"name\":\"A\"}\r\n\n{\"name\"\n \t\n{\"name\":\"C\",\"test\":{}}\n[]\n"
        "{\"name\":\"B\",\"x\":1}";

    (void)state;
    batch_gives("application/x-ndjson", lines, "A malformed C malformed B ");
    batch_gives("application/json; charset=utf-8", lines, "A malformed C malformed B ");
    batch_gives("application/x-ndjson", "{\"name\":\"A\"}\n{\"name\":\"B\"}\n", "A B ");
}

static void a_batch_that_is_none_is_malformed(void **state)
{
    static const char *const bodies[] = {"", " \n ", "[", "7", "\"a\"", "[{}", "[{},]"};

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        assert_status(read_batch("application/json", slice_of(bodies[i])), STATUS_MALFORMED);
        assert_int_equal(seen.count, 0);
    }
    assert_status(read_batch("application/x-ndjson", SLICE(" \n\n")), STATUS_MALFORMED);
    assert_status(read_batch("text/csv", SLICE("name\nA")), STATUS_MEDIA_TYPE);
}

static void a_batch_has_at_most_500_items(void **state)
{
    char body[16 * 1024];

    (void)state;
    for (unsigned count = INTAKE_BATCH_MAX; count <= INTAKE_BATCH_MAX + 1; count++) {
        enum status expected = count == INTAKE_BATCH_MAX ? STATUS_OK : STATUS_TOO_LARGE;
        struct text array = text_over(body, sizeof(body));
        for (unsigned i = 0; i < count; i++)
            text_printf(&array, "%c{\"name\":\"A\"}", i ? ',' : '[');
        text_char(&array, ']');
        assert_status(read_batch("application/json", text_slice(&array)), expected);
        assert_int_equal(seen.count, expected == STATUS_OK ? count : 0);

        struct text lines = text_over(body, sizeof(body));
        for (unsigned i = 0; i < count; i++)
            text_string(&lines, "{\"name\":\"A\"}\n");
        assert_status(read_batch("application/json", text_slice(&lines)), expected);
        assert_int_equal(seen.count, expected == STATUS_OK ? count : 0);
    }
}

/* Three items in an array or in lines; the second takes `item_bytes`. */
static struct slice with_long_item(char *body, bool lines, size_t item_bytes)
{
    struct text out = text_over(body, INTAKE_BATCH_BYTES_MAX);

    text_string(&out, lines ? "{\"name\":\"A\"}\n" : "[{\"name\":\"A\"},");
    size_t end = out.length + item_bytes;
    text_string(&out, "{\"name\":\"L\",\"referrer\":\"");
    while (out.length < end - 2)
        text_char(&out, 'x');
    text_string(&out, lines ? "\"}\n{\"name\":\"B\"}" : "\"},{\"name\":\"B\"}]");
    return text_slice(&out);
}

static void an_item_over_64_kib_is_too_large_by_itself(void **state)
{
    char *body = malloc(INTAKE_BATCH_BYTES_MAX);

    (void)state;
    assert_non_null(body);
    for (int lines = 0; lines < 2; lines++) {
        struct slice fits = with_long_item(body, lines, OPTIN_BYTES_MAX);
        assert_status(read_batch("application/json", fits), STATUS_OK);
        assert_slice(text_slice(&seen.text), "A L B ");
        struct slice over = with_long_item(body, lines, OPTIN_BYTES_MAX + 1);
        assert_status(read_batch("application/json", over), STATUS_OK);
        assert_slice(text_slice(&seen.text), "A too_large B ");
    }
    free(body);
}

static void a_batch_over_1_mib_is_too_large(void **state)
{
    char *body = malloc(INTAKE_BATCH_BYTES_MAX + 1);

    (void)state;
    assert_non_null(body);
    memset(body, ' ', INTAKE_BATCH_BYTES_MAX + 1);
    memcpy(body, "[]", 2);
    assert_status(read_batch("application/json", (struct slice){body, INTAKE_BATCH_BYTES_MAX}),
                  STATUS_OK);
    assert_status(read_batch("application/json", (struct slice){body, INTAKE_BATCH_BYTES_MAX + 1}),
                  STATUS_TOO_LARGE);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_media_type_decides_the_shape, reset),
        cmocka_unit_test_setup(the_same_opt_in_comes_in_every_shape, reset),
        cmocka_unit_test_setup(what_cannot_be_read_says_why, reset),
        cmocka_unit_test_setup(a_form_says_its_charset_in_its_type_or_in_a_field, reset),
        cmocka_unit_test_setup(a_form_whose_charset_was_guessed_is_taken_and_marked, reset),
        cmocka_unit_test_setup(a_plain_form_is_read_as_it_stands, reset),
        cmocka_unit_test_setup(forms_of_form_builders_have_their_identifiers, reset),
        cmocka_unit_test_setup(a_field_of_json_that_is_no_lists_stays_as_it_is, reset),
        cmocka_unit_test_setup(json_is_utf8_whatever_is_declared, reset),
        cmocka_unit_test_setup(a_body_over_64_kib_is_too_large, reset),
        cmocka_unit_test_setup(a_form_has_at_most_200_pairs, reset),
        cmocka_unit_test_setup(an_array_gives_each_item_its_own_status, reset),
        cmocka_unit_test_setup(lines_give_each_item_its_own_status, reset),
        cmocka_unit_test_setup(a_batch_that_is_none_is_malformed, reset),
        cmocka_unit_test_setup(a_batch_has_at_most_500_items, reset),
        cmocka_unit_test_setup(an_item_over_64_kib_is_too_large_by_itself, reset),
        cmocka_unit_test_setup(a_batch_over_1_mib_is_too_large, reset),
    };
    return cmocka_run_group_tests(tests, open_intake, close_intake);
}
