#include "tests/optins.h"

static const struct hash_key key = {"sixteen bytes!!"};

/* --- stored form ------------------------------------------------------------ */

static bool optins_equal(const struct optin *a, const struct optin *b)
{
    for (unsigned i = 1; i < OPTIN_TEXT_END; i++) {
        if (!slice_equal(a->text[i], b->text[i]))
            return false;
    }
    for (size_t i = 0; i < a->extra_count && i < b->extra_count; i++) {
        if (!slice_equal(a->extra[i].name, b->extra[i].name) ||
            !slice_equal(a->extra[i].json, b->extra[i].json))
            return false;
    }
    return a->extra_count == b->extra_count && a->submitted_ms == b->submitted_ms &&
           a->form_age_ms == b->form_age_ms && a->test == b->test &&
           a->consent_given == b->consent_given && a->honeypot == b->honeypot;
}

static void everything_survives_the_stored_form(void **state)
{
    static struct optin again;
    char stored[4096], large[300];

    (void)state;
    memset(large, 'x', sizeof(large));
    optin_clear(&optin);
    for (unsigned i = 1; i < OPTIN_TEXT_END; i++)
        optin.text[i] = (struct slice){large, i == 7 ? 128 : i == 8 ? 127 : i};
    optin.submitted_ms = 1795269785000;
    optin.form_age_ms = 1;
    optin.test = OPTIN_NO;
    optin.consent_given = OPTIN_YES;
    optin.honeypot = true;
    optin.extra[0] = (struct optin_extra){SLICE(""), SLICE("null")};
    optin.extra[1] = (struct optin_extra){{large, 200}, SLICE("\"a\\u0000\"")};
    optin.extra[2] = (struct optin_extra){SLICE("k"), {large, 300}};
    optin.extra_count = 3;

    size_t length = optin_encode(&optin, stored, sizeof(stored));
    assert_true(length > 0);
    assert_status(optin_decode((struct slice){stored, length}, &again), STATUS_OK);
    assert_true(optins_equal(&optin, &again));
    for (size_t capacity = 0; capacity < length; capacity++)
        assert_int_equal(optin_encode(&optin, stored, capacity), 0);
}

static void nothing_is_stored_for_what_was_not_given(void **state)
{
    char stored[4];

    (void)state;
    optin_clear(&optin);
    assert_int_equal(optin_encode(&optin, stored, sizeof(stored)), 1);
    assert_status(optin_decode((struct slice){stored, 1}, &optin), STATUS_OK);
    shows("{}");
}

/* Journals hold these bytes. When this test has to change, OPTIN_VERSION does, too. */
static const char sample_1[] = "\x01"
                               "\x01\x05"
                               "a@b.c"
                               "\x03\x04"
                               "Dana"
                               "\x1a\x07"
                               "[\"sms\"]"
                               "\x40\x06\x88\x13\x4e\xff\xa1\x01"
                               "\x41\x02\xc4\x09"
                               "\x42\x01\x19"
                               "\x80\x08\x06"
                               "budget"
                               "5";

static void the_stored_sample_of_version_1_reads_as_it_did(void **state)
{
    char stored[256];

    (void)state;
    assert_status(optin_decode(SLICE(sample_1), &optin), STATUS_OK);
    shows("{\"email\":\"a@b.c\",\"name\":\"Dana\",\"submitted_at\":1795284669320,\"_t\":2500,"
          "\"_hp\":true,\"test\":false,\"consent\":{\"channels\":[\"sms\"],\"given\":true},"
          "\"fields\":{\"budget\":5}}");
    assert_int_equal(optin_encode(&optin, stored, sizeof(stored)), sizeof(sample_1) - 1);
    assert_memory_equal(stored, sample_1, sizeof(sample_1) - 1);
}

static void every_cut_of_a_stored_opt_in_is_corrupt_or_another_one(void **state)
{
    (void)state;
    for (size_t length = 0; length < sizeof(sample_1) - 1; length++) {
        char *exact = malloc(length > 0 ? length : 1);
        char again[256];
        assert_non_null(exact);
        memcpy(exact, sample_1, length);
        if (optin_decode((struct slice){exact, length}, &optin) == STATUS_OK)
            assert_int_equal(optin_encode(&optin, again, sizeof(again)), length);
        free(exact);
    }
}

static void damaged_stored_opt_ins_are_corrupt(void **state)
{
    static const struct slice bad[] = {
        {"", 0},
        {"\x02", 1},                                              /* another version */
        {"\x01\x01", 2},                                          /* no length */
        {"\x01\x01\x02z", 4},                                     /* shorter than it says */
        {"\x01\x01\x00", 3},                                      /* empty text */
        {"\x01\x00\x01z", 4},                                     /* no such field */
        {"\x01\x21\x01z", 4},                                     /* a field of the future */
        {"\x01\x02\x01z\x01\x01z", 7},                            /* out of order */
        {"\x01\x02\x01z\x02\x01z", 7},                            /* twice */
        {"\x01\x01\x81\x00z", 5},                                 /* a longer length than needed */
        {"\x01\x01\x81\x80\x80\x00z", 7},                         /* a length of four bytes */
        {"\x01\x40\x02\x01\x00", 5},                              /* a longer number than needed */
        {"\x01\x40\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01", 12}, /* over 64 bits */
        {"\x01\x42\x01\x03", 4},                                  /* test is neither yes nor no */
        {"\x01\x42\x01\x0c", 4},                                  /* nor is consent */
        {"\x01\x42\x01\x20", 4},                                  /* a flag of the future */
        {"\x01\x80\x00", 3},      /* an extra without a name's length */
        {"\x01\x80\x02\x02n", 5}, /* a name longer than its entry */
        {"\x01\x81\x01z", 4},     /* behind the last kind */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (optin_decode(bad[i], &optin) != STATUS_CORRUPT)
            fail_msg("accepted: number %zu", i);
    }
}

static void more_stored_extras_than_allowed_are_corrupt(void **state)
{
    char stored[4 * (OPTIN_FIELDS_MAX + 1) + 1];
    size_t length = 0;

    (void)state;
    stored[length++] = 1;
    for (int i = 0; i <= OPTIN_FIELDS_MAX; i++) {
        memcpy(stored + length, "\x80\x02\x00\x31", 4);
        length += 4;
    }
    assert_status(optin_decode((struct slice){stored, length - 4}, &optin), STATUS_OK);
    assert_status(optin_decode((struct slice){stored, length}, &optin), STATUS_CORRUPT);
}

static void what_is_over_the_stored_size_does_not_encode(void **state)
{
    static char large[OPTIN_STORED_MAX + 1], stored[2 * OPTIN_STORED_MAX];

    (void)state;
    optin_clear(&optin);
    optin.text[OPTIN_NAME] = (struct slice){large, OPTIN_STORED_MAX - 5};
    assert_int_equal(optin_encode(&optin, stored, sizeof(stored)), OPTIN_STORED_MAX);
    optin.text[OPTIN_NAME].length++;
    assert_int_equal(optin_encode(&optin, stored, sizeof(stored)), 0);
    optin.text[OPTIN_NAME].length = (size_t)1 << 40;
    assert_int_equal(optin_encode(&optin, stored, sizeof(stored)), 0);
}

/* --- content ---------------------------------------------------------------- */

static struct hash content_of(const char *document)
{
    read_ok(document);
    return optin_content(&optin, &key, 1);
}

static void same_content(const char *a, const char *b)
{
    if (!hash_equal(content_of(a), content_of(b)))
        fail_msg("not the same: %s and %s", a, b);
}

static void other_content(const char *a, const char *b)
{
    if (hash_equal(content_of(a), content_of(b)))
        fail_msg("the same: %s and %s", a, b);
}

static void content_does_not_depend_on_order(void **state)
{
    (void)state;
    same_content("{\"email\":\"a@b.c\",\"phone\":\"1\",\"x\":1,\"y\":[2]}",
                 "{\"y\": [ 2 ],\"phone\":\"1\",\"fields\":{\"x\":1},\"email\":\"a@b.c\"}");
}

static void content_is_not_when_and_under_which_id(void **state)
{
    (void)state;
    same_content("{\"email\":\"a@b.c\",\"event_id\":\"1\",\"submitted_at\":1795269785,\"_t\":9000}",
                 "{\"email\":\"a@b.c\",\"event_id\":\"2\"}");
    read_ok("{\"email\":\"a@b.c\"}");
    struct hash before = optin_content(&optin, &key, 1);
    optin.text[OPTIN_REQUEST_ID] = SLICE("r");
    optin.text[OPTIN_REMOTE_IP] = SLICE("::1");
    assert_true(hash_equal(before, optin_content(&optin, &key, 1)));
}

/* As the intake leaves it, which finds out what a number means. */
static struct hash content_of_phone(const char *typed, const char *e164)
{
    optin_clear(&optin);
    optin.text[OPTIN_PHONE] = slice_of(typed);
    optin.text[OPTIN_PHONE_E164] = slice_of(e164);
    return optin_content(&optin, &key, 1);
}

static void content_does_not_depend_on_how_a_phone_is_written(void **state)
{
    struct hash first = content_of_phone("+1 (215) 555-0101", "+12155550101");

    (void)state;
    assert_true(hash_equal(first, content_of_phone("+12155550101", "+12155550101")));
    assert_true(hash_equal(first, content_of_phone(" 215.555.0101 ", "+12155550101")));
    assert_false(hash_equal(first, content_of_phone("+12155550102", "+12155550102")));
    assert_false(hash_equal(first, content_of_phone("(215) 555-0101", "")));
}

static void an_extension_is_content_though_no_number_has_it(void **state)
{
    struct hash first = content_of_phone("+12155550101", "+12155550101");

    (void)state;
    assert_false(hash_equal(first, content_of_phone("+12155550101 x5", "+12155550101")));
    assert_false(hash_equal(first, content_of_phone("+12155550101 ext. 0101", "+12155550101")));
    assert_false(hash_equal(content_of_phone("+12155550101 x5", "+12155550101"),
                            content_of_phone("+12155550101 x6", "+12155550101")));
}

static void content_does_not_depend_on_how_an_email_is_written(void **state)
{
    (void)state;
    same_content("{\"email\":\"Dana@Example.COM \"}", "{\"email\":\"dana@example.com\"}");
    other_content("{\"email\":\"dana@example.com\"}", "{\"email\":\"dana@example.org\"}");
    other_content("{\"email\":\"Dana\"}", "{\"email\":\"dana\"}");
}

static void whatever_else_differs_is_other_content(void **state)
{
    (void)state;
    other_content("{\"email\":\"a@b.c\"}", "{\"phone\":\"a@b.c\"}");
    other_content("{\"email\":\"a\",\"phone\":\"b\"}", "{\"email\":\"ab\"}");
    other_content("{\"email\":\"a@b.c\"}", "{\"email\":\"a@b.c\",\"test\":true}");
    other_content("{\"consent\":true}", "{\"consent\":false}");
    other_content("{\"email\":\"a@b.c\"}", "{\"email\":\"a@b.c\",\"_hp\":\"1\"}");
    other_content("{\"consent\":{\"channels\":[\"sms\"]}}",
                  "{\"consent\":{\"channels\":\"call\"}}");
    other_content("{\"x\":1}", "{\"x\":2}");
    other_content("{\"x\":1}", "{\"y\":1}");
    other_content("{\"x\":1,\"y\":2}", "{\"x\":2,\"y\":1}");
    other_content("{\"ab\":1}", "{\"a\":1}");
    read_ok("{\"email\":\"a@b.c\"}");
    assert_false(hash_equal(optin_content(&optin, &key, 1), optin_content(&optin, &key, 2)));
}

static void content_of_any_length_is_hashed_to_its_last_byte(void **state)
{
    static char value[OPTIN_STORED_MAX];
    static const size_t lengths[] = {1000, 1018, 1019, 1020, 1024, 2032, 5000, 70000, 98000};

    (void)state;
    memset(value, 'v', sizeof(value));
    optin_clear(&optin);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        optin.text[OPTIN_REFERRER] = (struct slice){value, lengths[i]};
        struct hash whole = optin_content(&optin, &key, 1);
        value[lengths[i] - 1] = 'w';
        assert_false(hash_equal(whole, optin_content(&optin, &key, 1)));
        value[lengths[i] - 1] = 'v';
        value[0] = 'w';
        assert_false(hash_equal(whole, optin_content(&optin, &key, 1)));
        value[0] = 'v';
        optin.text[OPTIN_REFERRER].length--;
        assert_false(hash_equal(whole, optin_content(&optin, &key, 1)));
    }
}

/* --- filling --------------------------------------------------------------------- */

static struct optin more;

static void what_is_missing_is_filled_and_nothing_is_overwritten(void **state)
{
    (void)state;
    optin_clear(&optin);
    optin_clear(&more);
    optin.text[OPTIN_NAME] = SLICE("Dana");
    optin.extra[0] = (struct optin_extra){SLICE("rooms"), SLICE("3")};
    optin.extra_count = 1;
    more.text[OPTIN_NAME] = SLICE("Mallory");
    more.text[OPTIN_EMAIL] = SLICE("d@example.com");
    more.extra[0] = (struct optin_extra){SLICE("rooms"), SLICE("4")};
    more.extra[1] = (struct optin_extra){SLICE("pool"), SLICE("true")};
    more.extra_count = 2;
    optin_fill_by(TASK_RENDERER, &optin, &more);
    shows("{\"email\":\"d@example.com\",\"name\":\"Dana\",\"fields\":{\"rooms\":3,\"pool\":true}}");
}

static void a_phone_that_was_not_understood_gives_way(void **state)
{
    (void)state;
    optin_clear(&optin);
    optin_clear(&more);
    optin.text[OPTIN_PHONE] = SLICE("call me");
    more.text[OPTIN_PHONE] = SLICE("215 555 0147");
    optin_fill_by(TASK_RENDERER, &optin, &more);
    shows("{\"phone\":\"call me\"}");
    more.text[OPTIN_PHONE_E164] = SLICE("+12155550147");
    optin_fill_by(TASK_RENDERER, &optin, &more);
    shows("{\"phone\":\"215 555 0147\",\"phone_e164\":\"+12155550147\"}");
    more.text[OPTIN_PHONE] = more.text[OPTIN_PHONE_E164] = SLICE("+12155550199");
    optin_fill_by(TASK_RENDERER, &optin, &more);
    shows("{\"phone\":\"215 555 0147\",\"phone_e164\":\"+12155550147\"}");
}

/* Of another opt-in, and of an update, of which the last name may be the rest. Older renderers let
 * it stand. */
static void what_is_of_no_use_gives_way_to_what_is(void **state)
{
    (void)state;
    optin_clear(&more);
    more.text[OPTIN_EMAIL] = SLICE("d@example.com");
    more.text[OPTIN_FIRST_NAME] = SLICE("Dana");
    read_ok("{\"email\":\"d@example\",\"name\":\"-\",\"last_name\":\"Rivera\"}");
    optin_identify_by(5, &optin, &more);
    shows("{\"email\":\"d@example\",\"name\":\"-\",\"last_name\":\"Rivera\"}");
    optin_identify_by(TASK_RENDERER, &optin, &more);
    shows("{\"email\":\"d@example.com\",\"first_name\":\"Dana\"}");
    read_ok("{\"email\":\"d@example\",\"name\":\"-\",\"last_name\":\"Rivera\"}");
    optin_fill_by(5, &optin, &more);
    shows("{\"email\":\"d@example\",\"name\":\"-\",\"first_name\":\"Dana\",\"last_name\":"
          "\"Rivera\"}");
    read_ok("{\"email\":\"d@example\",\"name\":\"-\",\"last_name\":\"Rivera\"}");
    optin_fill_by(TASK_RENDERER, &optin, &more);
    shows("{\"email\":\"d@example.com\",\"first_name\":\"Dana\",\"last_name\":\"Rivera\"}");
}

/* Of two that are of no use the newer one is shown: it may tell what was meant. */
static void what_is_of_no_use_gives_way_to_nothing_else(void **state)
{
    (void)state;
    read_ok("{\"phone\":\"12\",\"email\":\"d@example\",\"name\":\"Mr. Lee\"}");
    optin_clear(&more);
    more.text[OPTIN_PHONE] = SLICE("13");
    more.text[OPTIN_EMAIL] = SLICE("e@example");
    more.text[OPTIN_NAME] = SLICE("-");
    optin_identify_by(TASK_RENDERER, &optin, &more);
    shows("{\"email\":\"d@example\",\"phone\":\"12\",\"name\":\"Mr. Lee\"}");
}

static void consent_is_filled_as_a_whole(void **state)
{
    (void)state;
    optin_clear(&optin);
    optin_clear(&more);
    optin.text[OPTIN_CONSENT_TEXT] = SLICE("old");
    optin.consent_given = OPTIN_NO;
    more.text[OPTIN_CONSENT_TEXT] = SLICE("new");
    optin_fill_by(TASK_RENDERER, &optin, &more);
    shows("{\"consent\":{\"text\":\"old\",\"given\":false}}");
    more.consent_given = OPTIN_YES;
    optin_fill_by(TASK_RENDERER, &optin, &more);
    shows("{\"consent\":{\"text\":\"new\",\"given\":true}}");
    more.text[OPTIN_CONSENT_TEXT] = SLICE("newer");
    optin_fill_by(TASK_RENDERER, &optin, &more);
    shows("{\"consent\":{\"text\":\"new\",\"given\":true}}");
}

static void no_more_fields_are_filled_than_an_opt_in_has(void **state)
{
    static char names[OPTIN_FIELDS_MAX][8];

    (void)state;
    optin_clear(&optin);
    optin_clear(&more);
    for (size_t i = 0; i < OPTIN_FIELDS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "k%zu", i);
        more.extra[i] = (struct optin_extra){slice_of(names[i]), SLICE("1")};
    }
    more.extra_count = OPTIN_FIELDS_MAX;
    optin.extra[0] = (struct optin_extra){SLICE("own"), SLICE("1")};
    optin.extra_count = 1;
    optin_fill_by(TASK_RENDERER, &optin, &more);
    assert_int_equal(optin.extra_count, OPTIN_FIELDS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_survives_the_stored_form),
        cmocka_unit_test(nothing_is_stored_for_what_was_not_given),
        cmocka_unit_test(the_stored_sample_of_version_1_reads_as_it_did),
        cmocka_unit_test(every_cut_of_a_stored_opt_in_is_corrupt_or_another_one),
        cmocka_unit_test(damaged_stored_opt_ins_are_corrupt),
        cmocka_unit_test(more_stored_extras_than_allowed_are_corrupt),
        cmocka_unit_test(what_is_over_the_stored_size_does_not_encode),
        cmocka_unit_test(what_is_missing_is_filled_and_nothing_is_overwritten),
        cmocka_unit_test(a_phone_that_was_not_understood_gives_way),
        cmocka_unit_test(what_is_of_no_use_gives_way_to_what_is),
        cmocka_unit_test(what_is_of_no_use_gives_way_to_nothing_else),
        cmocka_unit_test(consent_is_filled_as_a_whole),
        cmocka_unit_test(no_more_fields_are_filled_than_an_opt_in_has),
        cmocka_unit_test(content_does_not_depend_on_order),
        cmocka_unit_test(content_is_not_when_and_under_which_id),
        cmocka_unit_test(content_does_not_depend_on_how_a_phone_is_written),
        cmocka_unit_test(an_extension_is_content_though_no_number_has_it),
        cmocka_unit_test(content_does_not_depend_on_how_an_email_is_written),
        cmocka_unit_test(whatever_else_differs_is_other_content),
        cmocka_unit_test(content_of_any_length_is_hashed_to_its_last_byte),
    };

    return cmocka_run_group_tests(tests, open_reader, close_reader);
}
