#include "tests/optins.h"

/* --- keys ------------------------------------------------------------------- */

static void every_key_is_found_under_its_own_field(void **state)
{
    (void)state;
    for (unsigned number = 1; number <= OPTIN_CONSENT_CHANNELS; number++)
        assert_int_equal(optin_field(slice_of(optin_key((enum optin_text)number))), number);
}

static void what_the_server_sets_is_no_field_of_a_client(void **state)
{
    (void)state;
    for (unsigned number = OPTIN_REQUEST_ID; number < OPTIN_TEXT_END; number++)
        assert_int_equal(optin_field(slice_of(optin_key((enum optin_text)number))), 0);
    assert_int_equal(optin_field(SLICE("test")), 0);
    assert_int_equal(optin_field(SLICE("Email")), 0);
    assert_int_equal(optin_field(SLICE("")), 0);
}

/* --- JSON ------------------------------------------------------------------- */

static void known_keys_become_fields(void **state)
{
    (void)state;
    read_ok("{\"email\":\"dana@example.com\",\"phone\":\"(215) 555-0147\",\"utm_source\":\"fb\","
            "\"event_id\":\"e1\",\"test\":true}");
    assert_slice(optin.text[OPTIN_EMAIL], "dana@example.com");
    assert_slice(optin.text[OPTIN_PHONE], "(215) 555-0147");
    assert_slice(optin.text[OPTIN_UTM_SOURCE], "fb");
    assert_slice(optin.text[OPTIN_EVENT_ID], "e1");
    assert_int_equal(optin.test, OPTIN_YES);
    assert_int_equal(optin.extra_count, 0);
}

static void null_and_empty_mean_not_given(void **state)
{
    (void)state;
    read_ok("{\"email\":null,\"phone\":\"\",\"test\":null,\"submitted_at\":\"\",\"consent\":null,"
            "\"fields\":null,\"_hp\":\"\",\"_t\":null,\"_redirect\":null}");
    shows("{}");
    read_ok("{\"consent\":{\"text\":\"\",\"given\":\"\",\"channels\":null}}");
    shows("{}");
}

static void numbers_keep_their_digits(void **state)
{
    (void)state;
    read_ok("{\"phone\":12155550147,\"event_id\":9007199254740993,\"postal_code\":90210.0,"
            "\"campaign_id\":9007199254740993}");
    assert_slice(optin.text[OPTIN_PHONE], "12155550147");
    assert_slice(optin.text[OPTIN_EVENT_ID], "9007199254740993");
    assert_slice(optin.text[OPTIN_POSTAL_CODE], "90210");
    assert_slice(extra("campaign_id"), "9007199254740993");
    read_ok("{\"phone\":18446744073709551616,\"campaign_id\":1e400}");
    assert_slice(optin.text[OPTIN_PHONE], "18446744073709551616");
    assert_slice(extra("campaign_id"), "\"1e400\"");
}

static void unknown_keys_become_extras_of_minified_json(void **state)
{
    (void)state;
    read_ok("{\"budget\": 5000, \"rooms\": [ 1, 2 ], \"note\": \"\\u00e9\\n\", \"x\": null,"
            " \"deep\": { \"a\": { \"b\": true } } }");
    assert_int_equal(optin.extra_count, 5);
    assert_slice(extra("budget"), "5000");
    assert_slice(extra("rooms"), "[1,2]");
    assert_slice(extra("note"), "\"\xc3\xa9\\n\"");
    assert_slice(extra("x"), "null");
    assert_slice(extra("deep"), "{\"a\":{\"b\":true}}");
}

static void a_utm_that_is_not_known_is_an_extra(void **state)
{
    (void)state;
    read_ok("{\"utm_source\":\"fb\",\"utm_source_platform\":\"ads\"}");
    shows("{\"utm_source\":\"fb\",\"fields\":{\"utm_source_platform\":\"ads\"}}");
}

static void a_key_within_fields_and_outside_keeps_both_values(void **state)
{
    (void)state;
    read_ok("{\"fields\":{\"budget\":2,\"email\":\"other\"},\"budget\":1,\"email\":\"a@b.c\"}");
    assert_int_equal(optin.extra_count, 2);
    assert_slice(extra("budget"), "[1,2]");
    assert_slice(extra("email"), "\"other\"");
    assert_slice(optin.text[OPTIN_EMAIL], "a@b.c");
    read_ok("{\"fields\":{\"a\":2,\"b\":[2],\"c\":\"x\"},\"a\":[],\"b\":[[1],1],\"c\":\"x\"}");
    shows("{\"fields\":{\"a\":[2],\"b\":[[1],1,[2]],\"c\":\"x\"}}");
}

static void a_known_key_that_says_two_things_keeps_both(void **state)
{
    (void)state;
    read_ok("{\"consent.text\":\"I agree\",\"consent\":{\"text\":\"Call me\",\"version\":2},"
            "\"consent.version\":\"2\"}");
    shows("{\"consent\":{\"text\":\"I agree\",\"version\":\"2\"},"
          "\"fields\":{\"consent.text\":\"Call me\"}}");
}

static void consent_is_read_whole(void **state)
{
    (void)state;
    read_ok(
        "{\"consent\":{\"text\":\"I agree\",\"version\":3,\"given\":true,"
        "\"channels\":[\"call\",\"sms\"],\"cert_url\":\"https://c.example/1\",\"ip\":\"::1\"}}");
    assert_slice(optin.text[OPTIN_CONSENT_TEXT], "I agree");
    assert_slice(optin.text[OPTIN_CONSENT_VERSION], "3");
    assert_slice(optin.text[OPTIN_CONSENT_CERT_URL], "https://c.example/1");
    assert_slice(optin.text[OPTIN_CONSENT_CHANNELS], "[\"call\",\"sms\"]");
    assert_int_equal(optin.consent_given, OPTIN_YES);
    assert_slice(extra("consent.ip"), "\"::1\"");
}

static void consent_may_be_a_check_box(void **state)
{
    (void)state;
    read_ok("{\"consent\":\"on\",\"consent.text\":\"I agree\"}");
    assert_int_equal(optin.consent_given, OPTIN_YES);
    assert_slice(optin.text[OPTIN_CONSENT_TEXT], "I agree");
    read_ok("{\"consent\":false}");
    assert_int_equal(optin.consent_given, OPTIN_NO);
}

static void one_channel_counts_as_a_list_of_it(void **state)
{
    (void)state;
    read_ok("{\"consent\":{\"channels\":\"call\"}}");
    assert_slice(optin.text[OPTIN_CONSENT_CHANNELS], "[\"call\"]");
    read_ok("{\"consent\":{\"channels\":[]}}");
    assert_int_equal(optin.text[OPTIN_CONSENT_CHANNELS].length, 0);
}

static void a_value_of_no_use_is_kept_as_an_extra(void **state)
{
    static const struct {
        const char *document, *name, *kept;
    } cases[] = {
        {"{\"name\":\"D\",\"email\":[\"a@b.com\"]}", "email", "[\"a@b.com\"]"},
        {"{\"name\":\"D\",\"phone\":[\"1\"]}", "phone", "[\"1\"]"},
        {"{\"name\":\"D\",\"company\":true}", "company", "true"},
        {"{\"name\":\"D\",\"page_url\":[\"x\"]}", "page_url", "[\"x\"]"},
        {"{\"name\":\"D\",\"test\":\"hello\"}", "test", "\"hello\""},
        {"{\"name\":\"D\",\"test\":{}}", "test", "{}"},
        {"{\"name\":\"D\",\"submitted_at\":\"garbage\"}", "submitted_at", "\"garbage\""},
        {"{\"name\":\"D\",\"submitted_at\":-1}", "submitted_at", "-1"},
        {"{\"name\":\"D\",\"consent\":\"I agree to be called\"}", "consent",
         "\"I agree to be called\""},
        {"{\"name\":\"D\",\"consent\":[]}", "consent", "[]"},
        {"{\"name\":\"D\",\"consent.text\":[]}", "consent.text", "[]"},
        {"{\"name\":\"D\",\"fields\":[1]}", "fields", "[1]"},
        {"{\"name\":\"D\",\"fields\":\"x\"}", "fields", "\"x\""},
        {"{\"name\":\"D\",\"_t\":\"soon\"}", "_t", "\"soon\""},
        {"{\"name\":\"D\",\"_redirect\":{}}", "_redirect", "{}"},
        {"{\"name\":\"D\",\"consent\":{\"text\":[]}}", "consent.text", "[]"},
        {"{\"name\":\"D\",\"consent\":{\"given\":\"maybe\"}}", "consent.given", "\"maybe\""},
        {"{\"name\":\"D\",\"consent\":{\"channels\":[1,2]}}", "consent.channels", "[1,2]"},
        {"{\"name\":\"D\",\"consent\":{\"version\":true}}", "consent.version", "true"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        read_ok(cases[i].document);
        assert_slice(optin.text[OPTIN_NAME], "D");
        assert_int_equal(optin.extra_count, 1);
        assert_slice(extra(cases[i].name), cases[i].kept);
        assert_int_equal(optin.test, OPTIN_UNSAID);
        assert_int_equal(optin.consent_given, OPTIN_UNSAID);
        assert_int_equal(optin.submitted_ms, 0);
    }
    read_ok("{\"company\":7,\"consent.given\":\"perhaps\",\"consent\":{\"given\":[1]},"
            "\"fields\":{\"consent.given\":2}}");
    shows("{\"company\":\"7\",\"fields\":{\"consent.given\":[\"perhaps\",[1],2]}}");
}

static void what_is_no_object_is_malformed(void **state)
{
    (void)state;
    assert_status(read_json("[1]"), STATUS_MALFORMED);
    assert_status(read_json("\"a\""), STATUS_MALFORMED);
}

static void two_hundred_extras_fit_and_one_more_does_not(void **state)
{
    char document[8192];
    struct text out;

    (void)state;
    for (unsigned count = OPTIN_FIELDS_MAX; count <= OPTIN_FIELDS_MAX + 1; count++) {
        out = text_over(document, sizeof(document));
        for (unsigned i = 0; i < count; i++)
            text_printf(&out, "%c\"k%u\":%u", i ? ',' : '{', i, i);
        text_string(&out, "}");
        document[out.length] = '\0';
        assert_status(read_json(document),
                      count == OPTIN_FIELDS_MAX ? STATUS_OK : STATUS_TOO_LARGE);
    }
}

static void extras_over_the_scratch_are_too_large(void **state)
{
    struct json_value root;
    char small[16];
    struct text scratch = text_over(small, sizeof(small));
    static const char document[] = "{\"a\":\"0123456789\",\"b\":\"0123456789\"}";

    (void)state;
    memcpy(padded, document, sizeof(document) - 1);
    assert_status(json_parse(reader, padded, sizeof(document) - 1, &root), STATUS_OK);
    assert_status(optin_from_json(root, &scratch, &optin), STATUS_TOO_LARGE);
}

static void the_forms_own_keys_work_in_json_too(void **state)
{
    (void)state;
    read_ok("{\"_hp\":\"x\",\"_t\":1500,\"_redirect\":\"https://site.example/thanks\"}");
    assert_true(optin.honeypot);
    assert_int_equal(optin.form_age_ms, 1500);
    assert_slice(optin.redirect, "https://site.example/thanks");
    read_ok("{\"_hp\":false}");
    assert_false(optin.honeypot);
}

static void json_that_is_shown_reads_back_the_same(void **state)
{
    static const char shown[] =
        "{\"email\":\"a@b.c\",\"name\":\"D\\\"ana\",\"event_id\":\"e\",\"submitted_at\":"
        "1795269785000,"
        "\"_t\":2500,\"_hp\":true,\"test\":false,"
        "\"consent\":{\"text\":\"yes\",\"version\":\"2\",\"cert_url\":\"u\",\"channels\":[\"sms\"],"
        "\"given\":true},\"fields\":{\"budget\":1,\"email\":null}}";

    (void)state;
    read_ok(shown);
    shows(shown);
}

static void what_the_server_set_is_shown_too(void **state)
{
    (void)state;
    read_ok("{\"email\":\"a@b.c\"}");
    optin.text[OPTIN_REMOTE_IP] = SLICE("203.0.113.42");
    shows("{\"email\":\"a@b.c\",\"remote_ip\":\"203.0.113.42\"}");
}

/* --- times ------------------------------------------------------------------ */

static void time_is(const char *text, uint64_t expected)
{
    uint64_t ms = 0;

    if (!optin_parse_time(slice_of(text), &ms))
        fail_msg("refused: %s", text);
    if (ms != expected)
        fail_msg("%s is %llu, should be %llu", text, (unsigned long long)ms,
                 (unsigned long long)expected);
}

static void no_time(const char *text)
{
    uint64_t ms = 7;

    if (optin_parse_time(slice_of(text), &ms) || ms != 7)
        fail_msg("accepted: %s", text);
}

static void times_are_read_in_every_form_that_senders_use(void **state)
{
    (void)state;
    time_is("2026-11-21T14:03:05Z", 1795269785000);
    time_is("2026-11-21T14:03:05.123456Z", 1795269785123);
    time_is("2026-11-21 14:03:05", 1795269785000);
    time_is("2026-11-21t09:03:05-05:00", 1795269785000);
    time_is("2026-11-21T14:03:05+0000", 1795269785000);
    time_is("2026-11-21T15:03:05,5+01", 1795269785500);
    time_is("2026-11-21T14:03Z", 1795269780000);
    time_is("1795269785", 1795269785000);
    time_is("1795269785.25", 1795269785250);
    time_is("1795269785000", 1795269785000);
    time_is("99999999999", 99999999999000);
    time_is("100000000000", 100000000000);
}

static void days_of_the_calendar_are_right(void **state)
{
    (void)state;
    time_is("1973-03-03T09:46:40Z", 100000000000);
    time_is("2000-02-29T00:00:00Z", 951782400000);
    time_is("2100-03-01T00:00:00Z", 4107542400000);
    time_is("2024-12-31T23:59:60Z", 1735689600000);
    time_is("9999-12-31T23:59:59Z", 253402300799000);
    no_time("2100-02-29T00:00:00Z");
    no_time("2026-02-30T00:00:00Z");
    no_time("2026-00-10T00:00:00Z");
    no_time("2026-13-10T00:00:00Z");
    no_time("2026-01-00T00:00:00Z");
    no_time("2026-01-32T00:00:00Z");
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "0",
                                        "-5",
                                        "1.",
                                        "12345678901234567890",
                                        "2026-11-21",
                                        "2026-11-21T14",
                                        "2026-11-21T24:00:00Z",
                                        "2026-11-21T14:60:00Z",
                                        "2026-11-21T14:03:61Z",
                                        "2026-11-21T14:03:05.Z",
                                        "2026-11-21T14:03:05+1",
                                        "2026-11-21T14:03:05+01:",
                                        "2026-11-21T14:03:05+24:00",
                                        "2026-11-21T14:03:05Zx",
                                        "26-11-21T14:03:05Z",
                                        "1969-12-31T23:59:59Z",
                                        "1970-01-01T00:00:00Z",
                                        "1973-03-03T09:46:39Z",
                                        "99999999",
                                        "1970-01-01T00:30:00+01:00",
                                        "02:03 PM UTC"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        no_time(texts[i]);
    assert_false(optin_parse_time((struct slice){"1\0", 2}, &(uint64_t){0}));
}

/* --- forms ------------------------------------------------------------------ */

/* Names and values in turn, ended by NULL. */
static void read_pairs(const char *const *pairs)
{
    struct text scratch = text_over(memory, sizeof(memory));
    struct optin_aliases aliases = {0};

    optin_clear(&optin);
    for (; *pairs; pairs += 2)
        assert_status(
            optin_from_pair(&optin, &aliases, slice_of(pairs[0]), slice_of(pairs[1]), &scratch),
            STATUS_OK);
    assert_status(optin_settle_aliases(&optin, &aliases, &scratch), STATUS_OK);
}
#define READ_PAIRS(...) read_pairs((const char *const[]){__VA_ARGS__, NULL})

static void pairs_become_fields_and_extras(void **state)
{
    (void)state;
    READ_PAIRS("first_name", "Dana", "email", "d@e.com", "budget", "5\"000", "", "x");
    assert_slice(optin.text[OPTIN_FIRST_NAME], "Dana");
    assert_slice(optin.text[OPTIN_EMAIL], "d@e.com");
    assert_slice(extra("budget"), "\"5\\\"000\"");
    assert_slice(extra(""), "\"x\"");
}

static void the_first_of_a_repeated_known_name_wins_and_the_others_are_kept(void **state)
{
    (void)state;
    READ_PAIRS("phone", "", "phone", "1", "phone", "", "phone", "1");
    assert_slice(optin.text[OPTIN_PHONE], "1");
    assert_int_equal(optin.extra_count, 0);
    READ_PAIRS("phone", "1", "phone", "2", "utm_source", "a", "utm_source", "b", "utm_source", "c");
    shows("{\"phone\":\"1\",\"utm_source\":\"a\","
          "\"fields\":{\"phone\":\"2\",\"utm_source\":[\"b\",\"c\"]}}");
}

static void a_repeated_unknown_name_becomes_an_array(void **state)
{
    (void)state;
    READ_PAIRS("i", "a", "i", "[b", "j", "1", "i", "c", "j", "2");
    assert_int_equal(optin.extra_count, 2);
    assert_slice(extra("i"), "[\"a\",\"[b\",\"c\"]");
    assert_slice(extra("j"), "[\"1\",\"2\"]");
}

static void a_group_of_200_check_boxes_fits(void **state)
{
    struct text scratch = text_over(memory, 201 * 103 + 2);

    (void)state;
    optin_clear(&optin);
    for (int i = 0; i < 200; i++) {
        char value[101];
        snprintf(value, sizeof(value), "%0100d", i);
        assert_status(optin_from_pair(&optin, NULL, SLICE("i[]"), slice_of(value), &scratch),
                      STATUS_OK);
    }
    assert_int_equal(extra("i[]").length, 200 * 103 + 1);
}

/* Elementor, Contact Form 7, Webflow, and what else form builders call them. */
static void fields_are_known_by_the_names_of_form_builders(void **state)
{
    static const struct {
        const char *name;
        enum optin_text field;
    } cases[] = {
        {"Name", OPTIN_NAME},
        {"Email", OPTIN_EMAIL},
        {"EMAIL", OPTIN_EMAIL},
        {"E-Mail", OPTIN_EMAIL},
        {"Phone", OPTIN_PHONE},
        {"your-name", OPTIN_NAME},
        {"your-email", OPTIN_EMAIL},
        {"your-tel", OPTIN_PHONE},
        {"First Name", OPTIN_FIRST_NAME},
        {"first-name", OPTIN_FIRST_NAME},
        {"lastName", OPTIN_LAST_NAME},
        {"fname", OPTIN_FIRST_NAME},
        {"lname", OPTIN_LAST_NAME},
        {"full_name", OPTIN_NAME},
        {"Full Name", OPTIN_NAME},
        {"Email Address", OPTIN_EMAIL},
        {"Phone Number", OPTIN_PHONE},
        {"mobile", OPTIN_PHONE},
        {"telephone", OPTIN_PHONE},
        {"Tel", OPTIN_PHONE},
        {"Postal-Code", OPTIN_POSTAL_CODE},
        {"UTM_Source", OPTIN_UTM_SOURCE},
        {"xxTrustedFormCertUrl", OPTIN_CONSENT_CERT_URL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        READ_PAIRS(cases[i].name, "x");
        assert_slice(optin.text[cases[i].field], "x");
        assert_int_equal(optin.extra_count, 0);
    }
    READ_PAIRS("Consent", "on");
    assert_int_equal(optin.consent_given, OPTIN_YES);
}

static void a_fields_own_name_goes_before_others_and_these_in_their_order(void **state)
{
    (void)state;
    READ_PAIRS("your-email", "a", "email", "b", "Email", "b", "E-Mail", "c");
    shows("{\"email\":\"b\",\"fields\":{\"your-email\":\"a\",\"E-Mail\":\"c\"}}");
    READ_PAIRS("Phone", "", "Mobile", "1", "phone", "", "Tel", "2");
    shows("{\"phone\":\"1\",\"fields\":{\"Tel\":\"2\"}}");
    READ_PAIRS("Consent", "yes", "consent", "no");
    assert_int_equal(optin.consent_given, OPTIN_NO);
    assert_slice(extra("Consent"), "\"yes\"");
}

static void other_names_stay_as_they_are(void **state)
{
    (void)state;
    READ_PAIRS("Test", "yes", "Event ID", "1", "Emails", "2", "--", "3", "Name*", "4", "_HP", "5",
               "a_name_that_is_longer_than_any_field_is", "6");
    assert_int_equal(optin.test, OPTIN_UNSAID);
    assert_false(optin.honeypot);
    assert_int_equal(optin.extra_count, 7);
    assert_slice(extra("Test"), "\"yes\"");
    assert_slice(extra("--"), "\"3\"");
}

static void aliases_over_the_limit_are_extras(void **state)
{
    struct text scratch = text_over(memory, sizeof(memory));
    struct optin_aliases aliases = {0};

    (void)state;
    optin_clear(&optin);
    for (int i = 0; i < OPTIN_ALIASES_MAX; i++)
        assert_status(optin_from_pair(&optin, &aliases, SLICE("Name"), SLICE("x"), &scratch),
                      STATUS_OK);
    assert_status(optin_from_pair(&optin, &aliases, SLICE("Email"), SLICE("y"), &scratch),
                  STATUS_OK);
    assert_status(optin_settle_aliases(&optin, &aliases, &scratch), STATUS_OK);
    shows("{\"name\":\"x\",\"fields\":{\"Email\":\"y\"}}");
}

static void consent_is_read_with_dots_and_with_brackets(void **state)
{
    (void)state;
    READ_PAIRS("consent.text", "I agree", "consent[version]", "3", "consent[given]", "on",
               "consent[channels][]", "call", "consent[channels][]", "sms", "consent.channels",
               "email", "consent[cert_url]", "u");
    assert_slice(optin.text[OPTIN_CONSENT_TEXT], "I agree");
    assert_slice(optin.text[OPTIN_CONSENT_VERSION], "3");
    assert_slice(optin.text[OPTIN_CONSENT_CHANNELS], "[\"call\",\"sms\",\"email\"]");
    assert_slice(optin.text[OPTIN_CONSENT_CERT_URL], "u");
    assert_int_equal(optin.consent_given, OPTIN_YES);
    READ_PAIRS("consent", "on");
    assert_int_equal(optin.consent_given, OPTIN_YES);
}

static void odd_names_stay_extras(void **state)
{
    (void)state;
    READ_PAIRS("consent[", "1", "consent[]", "yes", "consent[x]", "2", "[]", "3", "fields", "4",
               "fields[a]", "5", "form[id]", "6");
    assert_int_equal(optin.consent_given, OPTIN_YES);
    assert_slice(extra("consent["), "\"1\"");
    assert_slice(extra("consent[x]"), "\"2\"");
    assert_slice(extra("[]"), "\"3\"");
    assert_slice(extra("fields"), "\"4\"");
    assert_slice(extra("fields[a]"), "\"5\"");
    assert_slice(extra("form[id]"), "\"6\"");
}

static void a_visitor_is_never_refused_for_a_hidden_field(void **state)
{
    (void)state;
    READ_PAIRS("submitted_at", "yesterday", "test", "perhaps", "consent", "I agree", "_t", "x");
    assert_int_equal(optin.submitted_ms, 0);
    assert_int_equal(optin.test, OPTIN_UNSAID);
    assert_int_equal(optin.consent_given, OPTIN_UNSAID);
    assert_slice(extra("submitted_at"), "\"yesterday\"");
    assert_slice(extra("test"), "\"perhaps\"");
    assert_slice(extra("consent"), "\"I agree\"");
    assert_slice(extra("_t"), "\"x\"");
}

static void the_forms_own_names_are_no_extras(void **state)
{
    (void)state;
    READ_PAIRS("_hp", "", "_t", "1795269785000", "_redirect", "/thanks", "_redirect", "/other",
               "submitted_at", "1795269785", "test", "0");
    assert_false(optin.honeypot);
    assert_int_equal(optin.form_age_ms, 1795269785000);
    assert_slice(optin.redirect, "/thanks");
    assert_int_equal(optin.submitted_ms, 1795269785000);
    assert_int_equal(optin.test, OPTIN_NO);
    assert_int_equal(optin.extra_count, 0);
    READ_PAIRS("_hp", "http://spam.example", "_hp", "");
    assert_true(optin.honeypot);
}

static void pairs_over_the_limits_are_too_large(void **state)
{
    char small[8];
    struct text scratch = text_over(small, sizeof(small));

    (void)state;
    optin_clear(&optin);
    assert_status(optin_from_pair(&optin, NULL, SLICE("a"), SLICE("12"), &scratch), STATUS_OK);
    assert_status(optin_from_pair(&optin, NULL, SLICE("a"), SLICE("12"), &scratch),
                  STATUS_TOO_LARGE);
    assert_status(optin_from_pair(&optin, NULL, SLICE("consent.channels"), SLICE("1"), &scratch),
                  STATUS_TOO_LARGE);
    assert_slice(extra("a"), "\"12\"");

    scratch = text_over(memory, sizeof(memory));
    optin_clear(&optin);
    for (int i = 0; i <= OPTIN_FIELDS_MAX; i++) {
        static char names[OPTIN_FIELDS_MAX + 1][8];
        snprintf(names[i], sizeof(names[i]), "n%d", i);
        assert_status(optin_from_pair(&optin, NULL, slice_of(names[i]), SLICE("1"), &scratch),
                      i < OPTIN_FIELDS_MAX ? STATUS_OK : STATUS_TOO_LARGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_found_under_its_own_field),
        cmocka_unit_test(what_the_server_sets_is_no_field_of_a_client),
        cmocka_unit_test(known_keys_become_fields),
        cmocka_unit_test(null_and_empty_mean_not_given),
        cmocka_unit_test(numbers_keep_their_digits),
        cmocka_unit_test(unknown_keys_become_extras_of_minified_json),
        cmocka_unit_test(a_utm_that_is_not_known_is_an_extra),
        cmocka_unit_test(a_key_within_fields_and_outside_keeps_both_values),
        cmocka_unit_test(a_known_key_that_says_two_things_keeps_both),
        cmocka_unit_test(consent_is_read_whole),
        cmocka_unit_test(consent_may_be_a_check_box),
        cmocka_unit_test(one_channel_counts_as_a_list_of_it),
        cmocka_unit_test(a_value_of_no_use_is_kept_as_an_extra),
        cmocka_unit_test(what_is_no_object_is_malformed),
        cmocka_unit_test(two_hundred_extras_fit_and_one_more_does_not),
        cmocka_unit_test(extras_over_the_scratch_are_too_large),
        cmocka_unit_test(the_forms_own_keys_work_in_json_too),
        cmocka_unit_test(json_that_is_shown_reads_back_the_same),
        cmocka_unit_test(what_the_server_set_is_shown_too),
        cmocka_unit_test(times_are_read_in_every_form_that_senders_use),
        cmocka_unit_test(days_of_the_calendar_are_right),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(pairs_become_fields_and_extras),
        cmocka_unit_test(the_first_of_a_repeated_known_name_wins_and_the_others_are_kept),
        cmocka_unit_test(a_repeated_unknown_name_becomes_an_array),
        cmocka_unit_test(a_group_of_200_check_boxes_fits),
        cmocka_unit_test(fields_are_known_by_the_names_of_form_builders),
        cmocka_unit_test(a_fields_own_name_goes_before_others_and_these_in_their_order),
        cmocka_unit_test(other_names_stay_as_they_are),
        cmocka_unit_test(aliases_over_the_limit_are_extras),
        cmocka_unit_test(consent_is_read_with_dots_and_with_brackets),
        cmocka_unit_test(odd_names_stay_extras),
        cmocka_unit_test(a_visitor_is_never_refused_for_a_hidden_field),
        cmocka_unit_test(the_forms_own_names_are_no_extras),
        cmocka_unit_test(pairs_over_the_limits_are_too_large),
    };

    return cmocka_run_group_tests(tests, open_reader, close_reader);
}
