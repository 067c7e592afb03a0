#include "tests/unit.h"

#include "proto/email.h"
#include "proto/phone.h"
#include "server/intake/intake.h"

#define NOW_MS 1795269785000

static const struct hash_key hash_key = {"sixteen bytes!!"};
static struct intake *intake;
static struct optin optin;
static struct effect_received facts;
static struct site site;

static int open_intake(void **state)
{
    (void)state;
    intake = intake_open(&hash_key);
    return intake ? 0 : -1;
}

static int close_intake(void **state)
{
    (void)state;
    intake_close(intake);
    return 0;
}

/* Before each test. */
static int reset(void **state)
{
    (void)state;
    site = (struct site){.number = 7, .agency = 3, .country = "US"};
    intake_now(intake, NOW_MS);
    return 0;
}

/* The body with just the padding that the contract gives it. The copy lives until the next
 * one, as values of a multipart body are slices of it. */
static struct slice padded(struct slice body)
{
    static char *copy;

    free(copy);
    copy = malloc(body.length + JSON_PADDING);
    assert_non_null(copy);
    memcpy(copy, body.bytes, body.length);
    memset(copy + body.length, '"', JSON_PADDING);
    return (struct slice){copy, body.length};
}

static enum status read_as(const char *type, const char *body)
{
    return intake_read(intake, intake_shape(slice_of(type)), slice_of(type), padded(slice_of(body)),
                       &optin);
}

static enum status find_facts(const char *body)
{
    assert_status(read_as("application/json", body), STATUS_OK);
    return intake_facts(intake, &site, CREDENTIAL_SECRET, (struct slice){0}, false, &optin, &facts);
}

static void flagged(const char *body, unsigned flags)
{
    assert_status(find_facts(body), STATUS_OK);
    assert_int_equal(facts.flags, flags);
}

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

/* --- facts ----------------------------------------------------------------------- */

static struct hash phone_hash(const char *e164)
{
    return hash_of(&hash_key, HASH_PHONE, 3, slice_of(e164));
}

static void phone_and_email_are_hashed_in_normal_form(void **state)
{
    (void)state;
    flagged("{\"phone\":\" (215) 555-0147 \",\"email\":\"Dana@Example.COM\"}", 0);
    assert_true(hash_equal(facts.phone, phone_hash("+12155550147")));
    assert_true(
        hash_equal(facts.email, hash_of(&hash_key, HASH_EMAIL, 3, SLICE("dana@example.com"))));
    assert_int_equal(facts.site, 7);
    assert_int_equal(facts.credential, CREDENTIAL_SECRET);
    assert_true(hash_is_none(facts.event));
    assert_true(hash_equal(facts.content, optin_content(&optin, &hash_key, 7)));
}

/* As the engine sees it that reads the journal. */
static void content_is_the_same_once_it_is_stored(void **state)
{
    static struct optin stored;
    struct slice payload;

    (void)state;
    flagged("{\"phone\":\"215 555 0147 x5\",\"email\":\" Dana@Bücher.Example \",\"note\":1}", 0);
    assert_int_equal(intake_encode(intake, &optin, &payload), STATUS_OK);
    assert_int_equal(optin_decode(payload, &stored), STATUS_OK);
    assert_true(hash_equal(facts.content, optin_content(&stored, &hash_key, 7)));
}

static void a_name_alone_identifies(void **state)
{
    (void)state;
    flagged("{\"name\":\"Dana\"}", INTAKE_NAME);
    flagged("{\"first_name\":\"Dana\"}", INTAKE_NAME);
    flagged("{\"last_name\":\"Rivera\"}", INTAKE_NAME);
    assert_true(hash_is_none(facts.phone));
    assert_true(hash_is_none(facts.email));
}

static void what_the_agencys_server_imports_is_flagged_and_no_page_can(void **state)
{
    (void)state;
    flagged("{\"phone\":\"+12155550147\",\"source_kind\":\"import\"}", INTAKE_IMPORTED);
    flagged("{\"phone\":\"+12155550147\",\"source_kind\":\"imported\"}", INTAKE_IMPORTED);
    flagged("{\"phone\":\"+12155550147\",\"source_kind\":\"important\"}", 0);
    assert_status(
        read_as("application/json", "{\"phone\":\"+12155550147\",\"source_kind\":\"import\"}"),
        STATUS_OK);
    assert_status(
        intake_facts(intake, &site, CREDENTIAL_PUBLIC, (struct slice){0}, false, &optin, &facts),
        STATUS_OK);
    assert_int_equal(facts.flags, 0);
}

static void nothing_that_identifies_is_refused(void **state)
{
    (void)state;
    assert_status(find_facts("{}"), STATUS_NO_IDENTIFIER);
    assert_status(find_facts("{\"company\":\"Acme\",\"x\":1}"), STATUS_NO_IDENTIFIER);
    assert_status(find_facts("{\"name\":\" \",\"phone\":\"\\t\",\"email\":\" \"}"),
                  STATUS_NO_IDENTIFIER);
}

static void a_malformed_identifier_alone_is_refused(void **state)
{
    (void)state;
    assert_status(find_facts("{\"email\":\"dana at example\"}"), STATUS_BAD_IDENTIFIER);
    assert_status(find_facts("{\"phone\":\"12\"}"), STATUS_BAD_IDENTIFIER);
    assert_status(find_facts("{\"phone\":\"12\",\"email\":\"x\"}"), STATUS_BAD_IDENTIFIER);
}

static void a_malformed_identifier_beside_a_good_one_is_flagged(void **state)
{
    (void)state;
    flagged("{\"email\":\"x\",\"phone\":\"+12155550147\"}", INTAKE_BAD_EMAIL);
    flagged("{\"email\":\"a@b.example\",\"phone\":\"12\"}", INTAKE_BAD_PHONE);
    assert_true(hash_is_none(facts.phone));
    flagged("{\"email\":\"x\",\"phone\":\"12\",\"name\":\"Dana\"}",
            INTAKE_BAD_EMAIL | INTAKE_BAD_PHONE | INTAKE_NAME);
}

static void a_national_number_is_read_in_the_visitors_country_first(void **state)
{
    (void)state;
    flagged("{\"phone\":\"020 7946 0958\",\"country\":\"gb\"}", 0);
    assert_true(hash_equal(facts.phone, phone_hash("+442079460958")));
    flagged("{\"phone\":\"215 555 0147\",\"country\":\"United States\"}", 0);
    assert_true(hash_equal(facts.phone, phone_hash("+12155550147")));
    memcpy(site.country, "GB", 3);
    flagged("{\"phone\":\"020 7946 0958\"}", 0);
    assert_true(hash_equal(facts.phone, phone_hash("+442079460958")));
    flagged("{\"phone\":\"020 7946 0958\",\"country\":\"1!\"}", 0);
}

static void a_number_of_a_country_that_the_site_does_not_list_is_kept_and_flagged(void **state)
{
    (void)state;
    site.countries[0] = SLICE("CA");
    site.countries[1] = SLICE("us");
    site.country_count = 2;
    flagged("{\"phone\":\"+12155550147\",\"name\":\"D\"}", INTAKE_NAME);
    flagged("{\"phone\":\"+442079460958\",\"name\":\"D\"}", INTAKE_NAME | INTAKE_BAD_PHONE);
    flagged("{\"phone\":\"+442079460958\"}", INTAKE_BAD_PHONE);
    assert_true(hash_is_none(facts.phone));
    assert_slice(optin.text[OPTIN_PHONE], "+442079460958");
    assert_int_equal(optin.text[OPTIN_PHONE_E164].length, 0);
    assert_status(find_facts("{\"phone\":\"+44207946\"}"), STATUS_BAD_IDENTIFIER);
}

static void premium_and_satellite_numbers_are_kept_and_flagged(void **state)
{
    (void)state;
    flagged("{\"phone\":\"+19005550147\"}", INTAKE_BAD_PHONE);
    assert_true(hash_is_none(facts.phone));
    flagged("{\"phone\":\"+881612345678\"}", INTAKE_BAD_PHONE);
}

static void flags_say_what_the_decision_needs(void **state)
{
    (void)state;
    flagged("{\"name\":\"D\",\"test\":true}", INTAKE_NAME | INTAKE_TEST);
    flagged("{\"name\":\"D\",\"test\":false}", INTAKE_NAME);
    flagged("{\"name\":\"D\",\"_hp\":\"x\"}", INTAKE_NAME | INTAKE_SUSPECT);
    flagged("{\"name\":\"D\",\"consent\":{\"given\":true,\"text\":\"I agree\"}}",
            INTAKE_NAME | INTAKE_CONSENT);
    flagged("{\"name\":\"D\",\"consent\":{\"given\":true}}", INTAKE_NAME);
    flagged("{\"name\":\"D\",\"consent\":{\"text\":\"I agree\"}}", INTAKE_NAME);
    assert_status(
        intake_facts(intake, &site, CREDENTIAL_PUBLIC, (struct slice){0}, true, &optin, &facts),
        STATUS_OK);
    assert_int_equal(facts.flags, INTAKE_NAME | INTAKE_SUSPECT);
}

static void a_form_filled_in_under_two_seconds_is_suspect(void **state)
{
    (void)state;
    flagged("{\"name\":\"D\",\"_t\":1}", INTAKE_NAME | INTAKE_SUSPECT);
    flagged("{\"name\":\"D\",\"_t\":1999}", INTAKE_NAME | INTAKE_SUSPECT);
    flagged("{\"name\":\"D\",\"_t\":2000}", INTAKE_NAME);
    flagged("{\"name\":\"D\",\"_t\":0}", INTAKE_NAME);
}

static void the_moment_of_showing_becomes_an_age(void **state)
{
    (void)state;
    assert_status(read_as("application/x-www-form-urlencoded", "_t=1795269783500"), STATUS_OK);
    assert_int_equal(optin.form_age_ms, 1500);
    assert_status(read_as("application/json", "{\"_t\":1795269000000}"), STATUS_OK);
    assert_int_equal(optin.form_age_ms, 785000);
    /* From a clock that is ahead of ours. */
    assert_status(read_as("application/x-www-form-urlencoded", "_t=1795269785001"), STATUS_OK);
    assert_int_equal(optin.form_age_ms, 0);
    intake_now(intake, 0);
    assert_status(read_as("application/x-www-form-urlencoded", "_t=1795269783500"), STATUS_OK);
    assert_int_equal(optin.form_age_ms, 0);
}

static struct hash event_hash(uint32_t number, enum credential credential, const char *event)
{
    site.number = number;
    assert_status(read_as("application/json", "{\"name\":\"D\"}"), STATUS_OK);
    assert_status(intake_facts(intake, &site, credential, slice_of(event), false, &optin, &facts),
                  STATUS_OK);
    return facts.event;
}

static void an_event_id_counts_within_its_site_and_credential(void **state)
{
    struct hash first = event_hash(7, CREDENTIAL_PUBLIC, "e1");

    (void)state;
    assert_true(hash_equal(first, event_hash(7, CREDENTIAL_PUBLIC, "e1")));
    assert_false(hash_equal(first, event_hash(7, CREDENTIAL_PUBLIC, "e2")));
    assert_false(hash_equal(first, event_hash(7, CREDENTIAL_SECRET, "e1")));
    assert_false(hash_equal(first, event_hash(8, CREDENTIAL_PUBLIC, "e1")));
}

static void an_encoded_opt_in_decodes_to_the_same(void **state)
{
    static struct optin again;
    struct slice payload;

    (void)state;
    assert_status(read_as("application/json", "{\"name\":\"D\",\"x\":[1]}"), STATUS_OK);
    assert_status(intake_encode(intake, &optin, &payload), STATUS_OK);
    assert_status(optin_decode(payload, &again), STATUS_OK);
    assert_slice(again.text[OPTIN_NAME], "D");
    assert_slice(again.extra[0].json, "[1]");
}

static void what_grows_over_the_stored_size_is_too_large(void **state)
{
    char *body = malloc(OPTIN_BYTES_MAX);
    struct slice payload;

    (void)state;
    assert_non_null(body);
    optin_clear(&optin);
    optin.text[OPTIN_NAME] = optin.text[OPTIN_EMAIL] = (struct slice){body, OPTIN_BYTES_MAX};
    assert_status(intake_encode(intake, &optin, &payload), STATUS_TOO_LARGE);

    /* Control bytes take six bytes each as JSON. */
    memset(body, 1, OPTIN_BYTES_MAX);
    memcpy(body, "x=", 2);
    assert_status(intake_read(intake, INTAKE_FORM, SLICE("x"),
                              padded((struct slice){body, OPTIN_BYTES_MAX}), &optin),
                  STATUS_TOO_LARGE);
    free(body);
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
        cmocka_unit_test_setup(json_is_utf8_whatever_is_declared, reset),
        cmocka_unit_test_setup(a_body_over_64_kib_is_too_large, reset),
        cmocka_unit_test_setup(a_form_has_at_most_200_pairs, reset),
        cmocka_unit_test_setup(phone_and_email_are_hashed_in_normal_form, reset),
        cmocka_unit_test_setup(content_is_the_same_once_it_is_stored, reset),
        cmocka_unit_test_setup(a_name_alone_identifies, reset),
        cmocka_unit_test_setup(what_the_agencys_server_imports_is_flagged_and_no_page_can, reset),
        cmocka_unit_test_setup(nothing_that_identifies_is_refused, reset),
        cmocka_unit_test_setup(a_malformed_identifier_alone_is_refused, reset),
        cmocka_unit_test_setup(a_malformed_identifier_beside_a_good_one_is_flagged, reset),
        cmocka_unit_test_setup(a_national_number_is_read_in_the_visitors_country_first, reset),
        cmocka_unit_test_setup(
            a_number_of_a_country_that_the_site_does_not_list_is_kept_and_flagged, reset),
        cmocka_unit_test_setup(premium_and_satellite_numbers_are_kept_and_flagged, reset),
        cmocka_unit_test_setup(flags_say_what_the_decision_needs, reset),
        cmocka_unit_test_setup(a_form_filled_in_under_two_seconds_is_suspect, reset),
        cmocka_unit_test_setup(the_moment_of_showing_becomes_an_age, reset),
        cmocka_unit_test_setup(an_event_id_counts_within_its_site_and_credential, reset),
        cmocka_unit_test_setup(an_encoded_opt_in_decodes_to_the_same, reset),
        cmocka_unit_test_setup(what_grows_over_the_stored_size_is_too_large, reset),
        cmocka_unit_test_setup(an_array_gives_each_item_its_own_status, reset),
        cmocka_unit_test_setup(lines_give_each_item_its_own_status, reset),
        cmocka_unit_test_setup(a_batch_that_is_none_is_malformed, reset),
        cmocka_unit_test_setup(a_batch_has_at_most_500_items, reset),
        cmocka_unit_test_setup(an_item_over_64_kib_is_too_large_by_itself, reset),
        cmocka_unit_test_setup(a_batch_over_1_mib_is_too_large, reset),
    };

    return cmocka_run_group_tests(tests, open_intake, close_intake);
}
