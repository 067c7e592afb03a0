#include "proto/phone_zone.h"

#include "tests/local_time.h"

/* The zones of a number, by name. */
static void zones_of(const char *e164, char *out, size_t capacity)
{
    const struct zone *zones[PHONE_ZONES_MAX];
    size_t count = phone_zones(slice_of(e164), zones, PHONE_ZONES_MAX), length = 0;

    out[0] = '\0';
    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(out + length, capacity - length, "%s ", zone_name(zones[i]));
}

static void assert_zones(const char *e164, const char *expected)
{
    char is[2000];

    zones_of(e164, is, sizeof(is));
    if (strcmp(is, expected) != 0)
        fail_msg("%s is in '%s', should be '%s'", e164, is, expected);
}

static void a_number_has_the_zone_of_its_area_code(void **state)
{
    (void)state;
    assert_zones("+12125550147", "America/New_York ");
    assert_zones("+12135550147", "America/Los_Angeles ");
    assert_zones("+14165550147", "America/Toronto ");
    assert_zones("+18085550147", "Pacific/Honolulu ");
}

static void a_number_abroad_has_the_zone_of_its_country(void **state)
{
    (void)state;
    assert_zones("+493012345678", "Europe/Berlin ");
    assert_zones("+33142685300", "Europe/Paris ");
    assert_zones("+81312345678", "Asia/Tokyo ");
}

static void the_longest_prefix_counts(void **state)
{
    (void)state; /* Indiana's 219 is Eastern but for the exchanges around Gary */
    assert_zones("+12082010147", "America/Denver ");
    assert_zones("+12192260147", "America/Chicago ");
}

static void an_area_code_on_a_line_has_several_zones(void **state)
{
    (void)state;
    assert_zones("+12083050147", "America/Los_Angeles ");
    assert_zones("+12083300147", "America/Boise America/Los_Angeles ");
}

static bool is_in(const char *name, const char *e164)
{
    char all[2000];

    zones_of(e164, all, sizeof(all));
    return strstr(all, name) != NULL;
}

static void a_toll_free_number_may_be_anywhere_in_its_plan(void **state)
{
    (void)state;
    static const char *const names[] = {"America/New_York ", "America/Los_Angeles ",
                                        "Pacific/Honolulu ", "America/St_Johns ",
                                        "America/Toronto ",  "Pacific/Guam "};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_true(is_in(names[i], "+18005550147"));
}

static void what_is_no_number_has_no_zone(void **state)
{
    (void)state;
    assert_zones("", "");
    assert_zones("+", "");
    assert_zones("12125550147", "");
    assert_zones("+0125550147", "");
    assert_zones("+abc", "");
    assert_zones("+99999999999999", "");
}

static void a_prefix_alone_is_enough(void **state)
{
    (void)state;
    assert_zones("+1212", "America/New_York ");
    assert_zones("+49", "Europe/Berlin ");
}

static void some_zones_are_not_passed_for_all(void **state)
{
    (void)state;
    const struct zone *zones[1];

    assert_int_equal(phone_zones(SLICE("+12125550147"), zones, 1), 1);
    assert_int_equal(phone_zones(SLICE("+12083300147"), zones, 1), 0);
}

/* Every prefix of up to six digits, followed by what makes it a number. */
static void no_number_has_more_zones_than_there_is_room_for(void **state)
{
    (void)state;
    const struct zone *zones[PHONE_ZONES_MAX];
    size_t known = 0;

    for (unsigned prefix = 1; prefix < 1000000; prefix += 7) {
        char e164[24];
        int length = snprintf(e164, sizeof(e164), "+%u0000000", prefix);
        size_t count = phone_zones((struct slice){e164, (size_t)length}, zones, PHONE_ZONES_MAX);
        assert_true(count < PHONE_ZONES_MAX);
        known += count > 0;
    }
    assert_true(known > 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_has_the_zone_of_its_area_code),
        cmocka_unit_test(a_number_abroad_has_the_zone_of_its_country),
        cmocka_unit_test(the_longest_prefix_counts),
        cmocka_unit_test(an_area_code_on_a_line_has_several_zones),
        cmocka_unit_test(a_toll_free_number_may_be_anywhere_in_its_plan),
        cmocka_unit_test(what_is_no_number_has_no_zone),
        cmocka_unit_test(a_prefix_alone_is_enough),
        cmocka_unit_test(some_zones_are_not_passed_for_all),
        cmocka_unit_test(no_number_has_more_zones_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
