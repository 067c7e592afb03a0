#include "proto/region.h"

#include "tests/local_time.h"

static void join(const char *const *names, size_t count, char out[200])
{
    size_t length = 0;

    out[0] = '\0';
    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(out + length, 200 - length, "%s ", names[i]);
}

static void assert_phone(const char *e164, const char *expected)
{
    const char *regions[REGIONS_MAX];
    char is[200];

    join(regions, region_of_phone(slice_of(e164), regions, REGIONS_MAX), is);
    if (strcmp(is, expected) != 0)
        fail_msg("%s is in '%s', should be '%s'", e164, is, expected);
}

static void assert_postal(const char *country, const char *code, const char *expected)
{
    const char *regions[REGIONS_MAX];
    char is[200];

    join(regions, region_of_postal_code(slice_of(country), slice_of(code), regions, REGIONS_MAX),
         is);
    if (strcmp(is, expected) != 0)
        fail_msg("%s is in '%s', should be '%s'", code, is, expected);
}

static void area_codes_have_their_state(void **state)
{
    (void)state;
    assert_phone("+13055550147", "US-FL ");
    assert_phone("+15045550147", "US-LA ");
    assert_phone("+12025550147", "US-DC ");
    assert_phone("+12065550147", "US-WA ");
    assert_phone("+12035550147", "US-CT ");
    assert_phone("+12085550147", "US-ID ");
    assert_phone("+19155550147", "US-TX ");
}

static void area_codes_of_canada_have_their_province(void **state)
{
    (void)state;
    assert_phone("+14165550147", "CA-ON ");
    assert_phone("+15145550147", "CA-QC ");
    assert_phone("+16045550147", "CA-BC ");
    assert_phone("+19025550147", "CA-NS CA-PE ");
}

static void an_exchange_named_after_another_state_may_be_in_both(void **state)
{
    (void)state;
    assert_phone("+12016310147", "US-NJ US-NY ");
}

static void toll_free_numbers_and_other_countries_have_no_region(void **state)
{
    (void)state;
    assert_phone("+18005550147", "");
    assert_phone("+442071838750", "");
    assert_phone("+12425550147", "");
    assert_phone("", "");
}

static void zip_codes_have_their_state(void **state)
{
    (void)state;
    assert_postal("US", "10001", "US-NY ");
    assert_postal("US", "02139", "US-MA ");
    assert_postal("US", "00501", "US-NY ");
    assert_postal("US", "70112", "US-LA ");
    assert_postal("US", "33101", "US-FL ");
    assert_postal("US", "79901", "US-TX ");
    assert_postal("US", "88510", "US-TX ");
    assert_postal("US", "20500", "US-DC ");
    assert_postal("US", "20101", "US-VA ");
    assert_postal("US", "00901", "US-PR ");
    assert_postal("US", "96799", "US-AS ");
    assert_postal("US", "96701", "US-HI ");
    assert_postal("US", "99950", "US-AK ");
}

static void whole_zip_codes_beyond_a_line_are_the_other_states(void **state)
{
    (void)state;
    assert_postal("US", "06390", "US-NY ");
    assert_postal("US", "06391", "US-CT ");
    assert_postal("US", "83414", "US-WY ");
    assert_postal("US", "97635", "US-CA US-OR ");
}

static void zip_codes_may_be_longer_and_have_a_hyphen(void **state)
{
    (void)state;
    assert_postal("US", "33101-1234", "US-FL ");
    assert_postal("US", "331011234", "US-FL ");
    assert_postal("US", " 33101 ", "US-FL ");
}

static void a_zip_code_without_its_leading_zero_is_none(void **state)
{
    (void)state;
    assert_postal("US", "2139", "");
    assert_postal("US", "213", "");
    assert_postal("US", "3310A", "");
    assert_postal("US", "3310!", "");
    assert_postal("US", "331011234567890", "");
    assert_postal("US", "", "");
}

static void military_and_unassigned_codes_have_no_region(void **state)
{
    (void)state;
    assert_postal("US", "09012", "");
    assert_postal("US", "34012", "");
    assert_postal("US", "96205", "");
    assert_postal("US", "00000", "");
    assert_postal("US", "99000", "US-WA ");
    assert_postal("US", "34312", "US-FL ");
}

static void canadian_codes_have_their_province(void **state)
{
    (void)state;
    assert_postal("CA", "M5V 3L9", "CA-ON ");
    assert_postal("CA", "k1a0b1", "CA-ON ");
    assert_postal("CA", "H2X", "CA-QC ");
    assert_postal("CA", "X0A 0H0", "CA-NT CA-NU ");
    assert_postal("CA", "Y1A 2C6", "CA-YT ");
    assert_postal("CA", "33101", "");
    assert_postal("CA", "M5V-3L9", "CA-ON ");
    assert_postal("CA", "MMM 333", "");
    assert_postal("DE", "10115", "");
    assert_postal("", "10115", "");
}

static void assert_zones(const char *region, const char *expected)
{
    const struct zone *zones[REGION_ZONES_MAX];
    const char *names[REGION_ZONES_MAX];
    size_t count = region_zones(slice_of(region), zones, REGION_ZONES_MAX);
    char is[200];

    for (size_t i = 0; i < count; i++)
        names[i] = zone_name(zones[i]);
    join(names, count, is);
    if (strcmp(is, expected) != 0)
        fail_msg("%s has '%s', should have '%s'", region, is, expected);
}

static void states_have_the_zones_of_their_area_codes(void **state)
{
    (void)state;
    assert_zones("US-NY", "America/New_York ");
    assert_zones("US-CA", "America/Los_Angeles ");
    assert_zones("US-HI", "Pacific/Honolulu ");
    assert_zones("US-FL", "America/Chicago America/New_York ");
    assert_zones("US-TX", "America/Chicago America/Denver ");
    assert_zones("CA-ON", "America/Toronto America/Winnipeg ");
}

static void countries_and_territories_have_those_of_tzdata(void **state)
{
    (void)state;
    assert_zones("GB", "Europe/London ");
    assert_zones("JP", "Asia/Tokyo ");
    assert_zones("DE", "Europe/Berlin Europe/Busingen ");
    assert_zones("US-PR", "America/Puerto_Rico ");
    assert_zones("US-GU", "Pacific/Guam ");
}

static void what_is_no_region_has_no_zone(void **state)
{
    (void)state;
    assert_zones("", "");
    assert_zones("XX", "");
    assert_zones("US-", "");
    assert_zones("US-FLORIDA", "");
}

static void every_state_has_a_zone(void **state)
{
    (void)state;
    static const char *const states[] = {
        "AK", "AL", "AR", "AS", "AZ", "CA", "CO", "CT", "DC", "DE", "FL", "GA", "GU", "HI",
        "IA", "ID", "IL", "IN", "KS", "KY", "LA", "MA", "MD", "ME", "MI", "MN", "MO", "MP",
        "MS", "MT", "NC", "ND", "NE", "NH", "NJ", "NM", "NV", "NY", "OH", "OK", "OR", "PA",
        "PR", "RI", "SC", "SD", "TN", "TX", "UT", "VA", "VI", "VT", "WA", "WI", "WV", "WY"};
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        const struct zone *zones[REGION_ZONES_MAX];
        char region[8];
        snprintf(region, sizeof(region), "US-%s", states[i]);
        size_t count = region_zones(slice_of(region), zones, REGION_ZONES_MAX);
        if (count == 0 || count > 6)
            fail_msg("%s has %zu zones", region, count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(area_codes_have_their_state),
        cmocka_unit_test(area_codes_of_canada_have_their_province),
        cmocka_unit_test(an_exchange_named_after_another_state_may_be_in_both),
        cmocka_unit_test(toll_free_numbers_and_other_countries_have_no_region),
        cmocka_unit_test(zip_codes_have_their_state),
        cmocka_unit_test(whole_zip_codes_beyond_a_line_are_the_other_states),
        cmocka_unit_test(zip_codes_may_be_longer_and_have_a_hyphen),
        cmocka_unit_test(a_zip_code_without_its_leading_zero_is_none),
        cmocka_unit_test(military_and_unassigned_codes_have_no_region),
        cmocka_unit_test(canadian_codes_have_their_province),
        cmocka_unit_test(states_have_the_zones_of_their_area_codes),
        cmocka_unit_test(countries_and_territories_have_those_of_tzdata),
        cmocka_unit_test(what_is_no_region_has_no_zone),
        cmocka_unit_test(every_state_has_a_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
