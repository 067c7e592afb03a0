#include "server/law.h"

#include "proto/phone_zone.h"
#include "proto/region.h"
#include "server/law_internal.h"
#include "tests/local_time.h"

#define NEW_YORK "America/New_York"
#define CHICAGO  "America/Chicago"

/* Up to three zones and jurisdictions, and what the law says of a moment there. */
struct scene {
    const struct zone *zones[PHONE_ZONES_MAX];
    const char *jurisdictions[LAW_JURISDICTIONS_MAX];
    struct law_place place;
};

static void at_place(struct scene *scene, const char *jurisdictions, const char *zones)
{
    static char words[2][200]; /* the names must outlive the scene */
    size_t jurisdiction_count = 0, zone_count = 0;

    snprintf(words[0], sizeof(words[0]), "%s", jurisdictions);
    snprintf(words[1], sizeof(words[1]), "%s", zones);
    for (char *word = strtok(words[0], " "); word; word = strtok(NULL, " "))
        scene->jurisdictions[jurisdiction_count++] = word;
    for (char *word = strtok(words[1], " "); word; word = strtok(NULL, " "))
        scene->zones[zone_count++] = zone_named(word);
    scene->place =
        (struct law_place){scene->jurisdictions, jurisdiction_count, scene->zones, zone_count};
}

static struct law_answer ask(const char *jurisdictions, const char *zones, uint64_t ms)
{
    struct scene scene;
    struct law_answer answer;

    at_place(&scene, jurisdictions, zones);
    law_window(law_shipped(), &scene.place, ms, &answer);
    return answer;
}

/* A Tuesday without a holiday. */
static void assert_hours(const char *jurisdictions, const char *zones, const char *opens,
                         const char *closes)
{
    char opening[40], closing[40];
    snprintf(opening, sizeof(opening), "2026-06-02 %s", opens);
    snprintf(closing, sizeof(closing), "2026-06-02 %s", closes);
    struct law_answer answer = ask(jurisdictions, zones, at(NEW_YORK, "2026-06-02 02:00"));

    assert_false(answer.allowed);
    assert_moment(answer.opens_ms, at(NEW_YORK, opening));
    assert_moment(answer.closes_ms, at(NEW_YORK, closing));
}

static void assert_waits(struct law_answer answer, const char *reason, const char *jurisdiction,
                         uint64_t opens_ms)
{
    assert_false(answer.allowed);
    assert_string_equal(law_reason_text(answer.reason), reason);
    assert_string_equal(answer.jurisdiction, jurisdiction);
    assert_moment(answer.opens_ms, opens_ms);
}

static void a_call_within_hours_is_allowed_at_once(void **state)
{
    (void)state;
    uint64_t ms = at(NEW_YORK, "2026-06-02 10:00") + 77;
    struct law_answer answer = ask("US-FL", NEW_YORK, ms);

    assert_true(answer.allowed);
    assert_moment(answer.opens_ms, ms);
    assert_moment(answer.closes_ms, at(NEW_YORK, "2026-06-02 20:00"));
    assert_int_equal(answer.reason, LAW_REASON_NONE);
}

static void a_state_may_be_stricter_than_its_country(void **state)
{
    (void)state;
    assert_hours("US", NEW_YORK, "08:00", "21:00");
    assert_hours("US-FL", NEW_YORK, "08:00", "20:00");
    assert_hours("US-CT", NEW_YORK, "09:00", "20:00");
    assert_hours("US-KY", NEW_YORK, "10:00", "21:00");
    assert_waits(ask("US-FL", NEW_YORK, at(NEW_YORK, "2026-06-02 20:30")), "calling_hours", "US-FL",
                 at(NEW_YORK, "2026-06-03 08:00"));
}

static void without_a_rule_the_safe_default_binds(void **state)
{
    (void)state;
    assert_hours("US-GA", NEW_YORK, "09:00", "20:00");
    assert_hours("CA-ON", "America/Toronto", "09:00", "20:00");
    assert_hours("", NEW_YORK, "09:00", "20:00");
    assert_waits(ask("GB", "Europe/London", at("Europe/London", "2026-06-07 10:00")),
                 "calling_hours", "*", at("Europe/London", "2026-06-07 12:00"));
}

static void sunday_begins_later_or_has_no_calls(void **state)
{
    (void)state;
    uint64_t sunday = at(CHICAGO, "2026-06-07 09:30");

    assert_waits(ask("US-TX", CHICAGO, sunday), "calling_hours", "US-TX",
                 at(CHICAGO, "2026-06-07 12:00"));
    assert_waits(ask("US-LA", CHICAGO, sunday), "calling_weekday", "US-LA",
                 at(CHICAGO, "2026-06-08 08:00"));
    assert_waits(ask("US-AL", CHICAGO, sunday), "calling_weekday", "US-AL",
                 at(CHICAGO, "2026-06-08 08:00"));
    assert_true(ask("US-FL", CHICAGO, sunday).allowed);
}

static void louisiana_has_no_calls_on_holidays(void **state)
{
    (void)state;
    assert_waits(ask("US-LA", CHICAGO, at(CHICAGO, "2026-11-26 10:00")), "calling_holiday", "US-LA",
                 at(CHICAGO, "2026-11-27 08:00"));
    assert_waits(ask("US-LA", CHICAGO, at(CHICAGO, "2026-12-25 10:00")), "calling_holiday", "US-LA",
                 at(CHICAGO, "2026-12-26 08:00"));
    /* Independence Day is a Saturday, kept on Friday, and Sunday follows. */
    assert_waits(ask("US-LA", CHICAGO, at(CHICAGO, "2026-07-03 10:00")), "calling_holiday", "US-LA",
                 at(CHICAGO, "2026-07-06 08:00"));
    assert_true(ask("US-FL", CHICAGO, at(CHICAGO, "2026-12-25 10:00")).allowed);
}

static void a_call_is_legal_in_all_zones_or_not_at_all(void **state)
{
    (void)state; /* Florida has both */
    assert_hours("US-FL", CHICAGO " " NEW_YORK, "09:00", "20:00");
    assert_hours("US", NEW_YORK " America/Los_Angeles", "11:00", "21:00");
    assert_hours("US", NEW_YORK " America/Los_Angeles Pacific/Honolulu", "14:00", "21:00");
}

static void a_call_is_legal_in_all_jurisdictions_or_not_at_all(void **state)
{
    (void)state;
    assert_hours("US-KY US-FL", NEW_YORK, "10:00", "20:00");
    assert_waits(ask("US-FL US-LA", CHICAGO, at(CHICAGO, "2026-06-06 21:00")), "calling_hours",
                 "US-LA", at(CHICAGO, "2026-06-08 08:00"));
}

static void the_rule_that_holds_longest_is_named(void **state)
{
    (void)state;
    struct law_answer answer =
        ask("US", NEW_YORK " America/Los_Angeles", at(NEW_YORK, "2026-06-02 07:00"));

    assert_string_equal(zone_name(answer.zone), "America/Los_Angeles");
    assert_string_equal(answer.jurisdiction, "US");
    assert_non_null(strstr(answer.source, "64.1200"));
}

static void an_unknown_zone_may_be_any_of_the_country(void **state)
{
    (void)state;
    assert_hours("US", "", "11:00", "20:00");
    assert_hours("US-FL", "", "11:00", "20:00");
}

static void a_rule_may_count_on_a_zones_own_clocks(void **state)
{
    (void)state; /* El Paso is an hour behind Central time */
    assert_hours("US-TX", "America/Denver", "11:00", "22:00");
    assert_hours("US-TX", CHICAGO, "10:00", "22:00");
}

static void a_rule_binds_from_its_first_day_on(void **state)
{
    (void)state;
    assert_true(ask("US-TX", CHICAGO, at(CHICAGO, "2025-08-30 08:30")).allowed);
    assert_false(ask("US-TX", CHICAGO, at(CHICAGO, "2025-09-02 08:30")).allowed);
    assert_moment(ask("US-TX", CHICAGO, at(CHICAGO, "2025-08-31 22:00")).opens_ms,
                  at(CHICAGO, "2025-09-01 09:00"));
}

static void hours_are_local_also_on_the_nights_of_moved_clocks(void **state)
{
    (void)state;
    assert_moment(ask("US-FL", NEW_YORK, at(NEW_YORK, "2026-03-07 23:00")).opens_ms,
                  utc("2026-03-08 12:00"));
    assert_moment(ask("US-FL", NEW_YORK, at(NEW_YORK, "2026-10-31 23:00")).opens_ms,
                  utc("2026-11-01 13:00"));
}

static void places_that_miss_each_other_on_a_day_meet_on_the_next(void **state)
{
    (void)state; /* on Sunday New York begins after Kolkata's end */
    struct law_answer answer = ask("", NEW_YORK " Asia/Kolkata", utc("2026-06-06 15:00"));

    assert_moment(answer.opens_ms, utc("2026-06-08 13:00"));
    assert_moment(answer.closes_ms, utc("2026-06-08 14:30"));
}

static void places_that_never_meet_have_no_legal_moment(void **state)
{
    (void)state;
    struct law_answer answer = ask("", NEW_YORK " Asia/Shanghai", utc("2026-06-02 15:00"));

    assert_false(answer.allowed);
    assert_moment(answer.opens_ms, UINT64_MAX);
    assert_moment(answer.closes_ms, UINT64_MAX);
    assert_int_equal(answer.reason, LAW_REASON_HOURS);
}

static void the_end_of_time_has_no_legal_moment(void **state)
{
    (void)state;
    assert_moment(ask("US", NEW_YORK, UINT64_MAX).opens_ms, UINT64_MAX);
    assert_moment(ask("US", NEW_YORK, ZONE_MS_MAX).opens_ms, UINT64_MAX);
}

/* --- by phone -------------------------------------------------------------------- */

static void at_phone(struct scene *scene, const char *e164, const char *country)
{
    size_t zones = phone_zones(slice_of(e164), scene->zones, PHONE_ZONES_MAX);
    size_t regions = region_of_phone(slice_of(e164), scene->jurisdictions, REGIONS_MAX);

    if (regions == 0)
        scene->jurisdictions[regions++] = country;
    scene->place = (struct law_place){scene->jurisdictions, regions, scene->zones, zones};
}

static void a_number_of_toronto_is_called_by_its_clocks(void **state)
{
    (void)state;
    struct scene scene;
    struct law_answer answer;

    at_phone(&scene, "+14165550147", "CA");
    law_window(law_shipped(), &scene.place, at("America/Toronto", "2026-06-02 05:00"), &answer);
    assert_waits(answer, "calling_hours", "*", at("America/Toronto", "2026-06-02 09:00"));
    assert_string_equal(zone_name(answer.zone), "America/Toronto");
}

static void assert_between_8_and_21_everywhere(const struct scene *scene, uint64_t ms)
{
    for (size_t i = 0; i < scene->place.zone_count; i++) {
        struct civil civil;
        zone_civil(scene->zones[i], ms, &civil);
        if (civil.hour < 8 || civil.hour >= 21)
            fail_msg("%u:%02u in %s", civil.hour, civil.minute, zone_name(scene->zones[i]));
    }
}

static void a_toll_free_number_is_called_when_it_is_legal_in_every_zone(void **state)
{
    (void)state;
    struct scene scene;
    struct law_answer answer;

    at_phone(&scene, "+18005550147", "US");
    assert_true(scene.place.zone_count > 20);
    for (uint64_t ms = utc("2026-01-01 00:00"); ms < utc("2027-01-01 00:00"); ms += 5 * DAY_MS) {
        law_window(law_shipped(), &scene.place, ms, &answer);
        assert_true(answer.opens_ms < ms + 2 * DAY_MS);
        assert_between_8_and_21_everywhere(&scene, answer.opens_ms);
        assert_between_8_and_21_everywhere(&scene, answer.closes_ms - 1);
    }
}

/* --- caps ------------------------------------------------------------------------ */

static struct law_answer ask_after(const char *jurisdictions, const uint64_t *calls_ms,
                                   size_t count, uint64_t ms)
{
    struct scene scene;
    struct law_answer answer;

    at_place(&scene, jurisdictions, NEW_YORK);
    law_call(law_shipped(), &scene.place, calls_ms, count, ms, &answer);
    return answer;
}

static void the_fourth_call_waits_until_the_first_is_a_day_old(void **state)
{
    (void)state;
    uint64_t calls[] = {at(NEW_YORK, "2026-06-02 10:00"), at(NEW_YORK, "2026-06-02 12:00"),
                        at(NEW_YORK, "2026-06-02 14:00")};
    uint64_t now = at(NEW_YORK, "2026-06-02 16:00");
    struct law_answer answer = ask_after("US-FL", calls, 3, now);

    assert_true(ask_after("US-FL", calls, 2, now).allowed);
    assert_waits(answer, "calling_cap", "US-FL", at(NEW_YORK, "2026-06-03 10:00"));
    assert_moment(answer.closes_ms, at(NEW_YORK, "2026-06-03 20:00"));
    assert_true(ask_after("US-FL", calls, 3, at(NEW_YORK, "2026-06-03 10:00")).allowed);
    assert_false(ask_after("US-FL", calls, 3, at(NEW_YORK, "2026-06-03 10:00") - 1).allowed);
}

static void only_the_latest_calls_count(void **state)
{
    (void)state;
    uint64_t calls[] = {at(NEW_YORK, "2026-05-01 10:00"), at(NEW_YORK, "2026-06-01 10:00"),
                        at(NEW_YORK, "2026-06-02 09:00"), at(NEW_YORK, "2026-06-02 10:00")};

    assert_true(ask_after("US-FL", calls, 4, at(NEW_YORK, "2026-06-02 11:00")).allowed);
}

static void a_cap_that_ends_at_night_waits_for_the_morning(void **state)
{
    (void)state;
    uint64_t call = at(NEW_YORK, "2026-06-02 18:00");

    assert_waits(ask_after("US-ME", &call, 1, call + HOUR_MS), "calling_cap", "US-ME",
                 at(NEW_YORK, "2026-06-03 09:00"));
}

static void hours_that_hold_longer_than_a_cap_are_the_reason(void **state)
{
    (void)state;
    uint64_t call = at(NEW_YORK, "2026-06-02 10:00");

    assert_waits(ask_after("US-ME", &call, 1, at(NEW_YORK, "2026-06-02 21:30")), "calling_hours",
                 "US-ME", at(NEW_YORK, "2026-06-03 09:00"));
}

static void a_place_without_caps_has_no_limit(void **state)
{
    (void)state;
    uint64_t calls[100], now = at(NEW_YORK, "2026-06-02 12:00");

    for (size_t i = 0; i < 100; i++)
        calls[i] = now - (100 - i) * 1000;
    assert_true(ask_after("US-CT", calls, 100, now).allowed);
}

/* --- the data -------------------------------------------------------------------- */

static void every_rule_is_sound(void **state)
{
    (void)state;
    const struct law *law = law_shipped();

    assert_true(law->rule_count >= 20);
    for (size_t i = 0; i < law->rule_count; i++) {
        const struct law_rule *rule = &law->rules[i];
        assert_true(i == 0 || strcmp(law->rules[i - 1].jurisdiction, rule->jurisdiction) < 0);
        assert_true(strlen(rule->source) > 0);
        assert_non_null(strchr("VSCK", rule->mark));
        assert_true(rule->zone == NULL || zone_find(slice_of(rule->zone)) != NULL);
        for (size_t day = 0; day < 7; day++) {
            struct calendar_span span = rule->week.day[day][0];
            assert_true(span.closes == 0 || (span.opens >= 8 * 60 && span.closes <= 21 * 60));
        }
    }
}

static void assert_may(int weekday, unsigned opens, unsigned closes, bool may)
{
    struct calendar_week week = {0};

    assert_status(calendar_week_add(&week, weekday, opens, closes), STATUS_OK);
    assert_int_equal(law_may_allow(law_shipped(), &week), may);
}

static void hours_that_no_rule_knows_are_told(void **state)
{
    (void)state;
    const struct calendar_week none = {0};

    assert_false(law_may_allow(law_shipped(), &none));
    assert_may(1, 2 * 60, 8 * 60, false);
    assert_may(1, 2 * 60, 8 * 60 + 1, true);
    assert_may(7, 20 * 60 + 59, 24 * 60, true);
    assert_may(7, 21 * 60, 24 * 60, false);
}

static void the_law_has_its_date(void **state)
{
    (void)state;
    assert_int_equal(strlen(law_version(law_shipped())), strlen("2026-11-22"));
}

/* --- step by step ----------------------------------------------------------------- */

#define STEP_MS (5 * MINUTE_MS) /* no rule has an edge between */

static void assert_edges(const struct scene *scene, uint64_t ms)
{
    struct law_answer answer, there;
    law_window(law_shipped(), &scene->place, ms, &answer);
    uint64_t end = answer.opens_ms == UINT64_MAX ? ms + 3 * DAY_MS : answer.closes_ms;

    for (uint64_t then = ms; then < end; then += STEP_MS) {
        law_window(law_shipped(), &scene->place, then, &there);
        assert_true(there.allowed == (then >= answer.opens_ms));
    }
    if (end == answer.closes_ms) {
        law_window(law_shipped(), &scene->place, end, &there);
        assert_false(there.allowed);
    }
}

static const char *drawn(uint64_t *seed, const char *const *list, size_t count)
{
    return list[draw(seed, (uint32_t)count)];
}

static void windows_are_those_of_a_walk_step_by_step(void **state)
{
    (void)state;
    static const char *const codes[] = {"US-FL", "US-LA", "US-TX", "US-RI", "US-GA", "GB", "US"};
    static const char *const zones[] = {NEW_YORK,           CHICAGO,         "America/Los_Angeles",
                                        "Europe/London",    "Asia/Kolkata",  "America/St_Johns",
                                        "Pacific/Honolulu", "Asia/Shanghai", "Pacific/Auckland"};
    uint64_t seed = 7;

    for (size_t round = 0; round < 60; round++) {
        char jurisdictions[40], names[120];
        struct scene scene;
        snprintf(jurisdictions, sizeof(jurisdictions), "%s %s", drawn(&seed, codes, 7),
                 drawn(&seed, codes, 7));
        snprintf(names, sizeof(names), "%s %s %s", drawn(&seed, zones, 9), drawn(&seed, zones, 9),
                 drawn(&seed, zones, 9));
        at_place(&scene, jurisdictions, names);
        assert_edges(&scene, utc("2026-01-01 00:00") + draw(&seed, 365 * 288) * STEP_MS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_within_hours_is_allowed_at_once),
        cmocka_unit_test(a_state_may_be_stricter_than_its_country),
        cmocka_unit_test(without_a_rule_the_safe_default_binds),
        cmocka_unit_test(sunday_begins_later_or_has_no_calls),
        cmocka_unit_test(louisiana_has_no_calls_on_holidays),
        cmocka_unit_test(a_call_is_legal_in_all_zones_or_not_at_all),
        cmocka_unit_test(a_call_is_legal_in_all_jurisdictions_or_not_at_all),
        cmocka_unit_test(the_rule_that_holds_longest_is_named),
        cmocka_unit_test(an_unknown_zone_may_be_any_of_the_country),
        cmocka_unit_test(a_rule_may_count_on_a_zones_own_clocks),
        cmocka_unit_test(a_rule_binds_from_its_first_day_on),
        cmocka_unit_test(hours_are_local_also_on_the_nights_of_moved_clocks),
        cmocka_unit_test(places_that_miss_each_other_on_a_day_meet_on_the_next),
        cmocka_unit_test(places_that_never_meet_have_no_legal_moment),
        cmocka_unit_test(the_end_of_time_has_no_legal_moment),
        cmocka_unit_test(a_number_of_toronto_is_called_by_its_clocks),
        cmocka_unit_test(a_toll_free_number_is_called_when_it_is_legal_in_every_zone),
        cmocka_unit_test(the_fourth_call_waits_until_the_first_is_a_day_old),
        cmocka_unit_test(only_the_latest_calls_count),
        cmocka_unit_test(a_cap_that_ends_at_night_waits_for_the_morning),
        cmocka_unit_test(hours_that_hold_longer_than_a_cap_are_the_reason),
        cmocka_unit_test(a_place_without_caps_has_no_limit),
        cmocka_unit_test(every_rule_is_sound),
        cmocka_unit_test(hours_that_no_rule_knows_are_told),
        cmocka_unit_test(the_law_has_its_date),
        cmocka_unit_test(windows_are_those_of_a_walk_step_by_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
