/* What intake finds in an opt-in, identity and flags, and the form in which it is stored. */
#include "tests/intake_rig.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, open_intake, close_intake);
}
