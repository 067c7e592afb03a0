/* What is said against a playbook's times: steps, cadences, limits, deadlines, calendars. */
#include "proto/zone.h"
#include "tests/playbooks.h"

#define STEP    "channel: email, kind: offer, template: x"
#define CADENCE "title: X, for: prospects, then: nurture"

/* --- cadences -------------------------------------------------------------------------------- */

static void a_step_earlier_than_the_one_before_is_told(void **state)
{
    (void)state;
    assert_complaints(BASED "cadences:\n  x: {" CADENCE ", steps: [\n"
                            "    {id: a, after: 3d, " STEP "},\n"
                            "    {id: b, after: 2d, " STEP "}]}\n",
                      "7:5: step 'b' comes before 'a', which stands above it\n");
    assert_complaints(BASED "cadences:\n  x: {" CADENCE ", steps: [\n"
                            "    {id: a, day: 3, at: \"10:00\", " STEP "},\n"
                            "    {id: b, day: 3, at: \"09:00\", " STEP "}]}\n",
                      "7:5: step 'b' comes before 'a', which stands above it\n");
    assert_complaints(BASED "cadences:\n  x: {" CADENCE ", steps: [\n"
                            "    {id: a, after: 3d, " STEP "},\n"
                            "    {id: b, day: 2, at: \"09:00\", " STEP "}]}\n",
                      "7:5: step 'b' comes before 'a', which stands above it\n");
}

static void a_step_that_may_be_too_late_behind_another_is_told(void **state)
{
    (void)state;
    assert_complaints(BASED "cadences:\n  x: {" CADENCE ", steps: [\n"
                            "    {id: a, after: 1d, " STEP "},\n"
                            "    {id: b, day: 1, at: \"10:00\", late_max: 4h, " STEP "},\n"
                            "    {id: c, after: 30h, late_max: 3h, " STEP "},\n"
                            "    {id: d, day: 2, at: \"06:00\", late_max: 1m, " STEP "},\n"
                            "    {id: e, day: 3, at: \"00:30\", late_max: 1m, " STEP "}]}\n",
                      "7:5: step 'b' waits for 'a', which stands above it, and may be too late by "
                      "then: give it a longer `late_max`, or put it first\n"
                      "8:5: step 'c' waits for 'b', which stands above it, and may be too late by "
                      "then: give it a longer `late_max`, or put it first\n");
    assert_complaints(BASED "cadences:\n  x: {" CADENCE ", steps: [\n"
                            "    {id: a, after: 1d, " STEP "},\n"
                            "    {id: b, day: 1, at: \"10:00\", late_max: 14h, " STEP "},\n"
                            "    {id: c, after: 30h, late_max: 4h, " STEP "}]}\n",
                      "");
}

static void a_step_without_its_time_or_its_words_is_told(void **state)
{
    (void)state;
    assert_complaints(BASED "cadences:\n  x: {" CADENCE ", steps: [\n"
                            "    {id: a, " STEP "},\n"
                            "    {id: b, day: 1, " STEP "},\n"
                            "    {id: c, after: 2d, at: \"09:00\", " STEP "},\n"
                            "    {id: d, after: 3d, channel: call, kind: offer, template: x},\n"
                            "    {id: e, after: 4d, channel: sms, kind: offer}]}\n",
                      "6:5: step 'a' needs either `after`, or `day` and `at`\n"
                      "7:5: step 'b' needs either `after`, or `day` and `at`\n"
                      "8:5: step 'c' needs either `after`, or `day` and `at`\n"
                      "9:5: step 'd': call needs a `script` and no `template`\n"
                      "10:5: step 'e': sms needs a `template` and no `script`\n");
    assert_complaints(BASED "cadences:\n  x: {" CADENCE ", steps: []}\n",
                      "5:3: cadence 'x' has no steps\n");
}

static void a_step_without_time_to_be_done_in_is_told(void **state)
{
    (void)state;
    assert_complaints(BASED "cadences:\n  x: {" CADENCE ", steps: [\n"
                            "    {id: a, after: 1d, " STEP ", late_max: 0s},\n"
                            "    {id: b, after: 2d, " STEP ", late_max: 59s},\n"
                            "    {id: c, after: 3d, " STEP ", late_max: 1m}]}\n",
                      "6:5: step 'a' has no time to be done in: `late_max` is at least 1m\n"
                      "7:5: step 'b' has no time to be done in: `late_max` is at least 1m\n");
}

static void a_cadence_without_end_is_told(void **state)
{
    (void)state;
    assert_complaints(
        BASED "cadences:\n"
              "  x: {title: X, for: prospects, then: y, steps: [{id: a, after: 1d, " STEP "}]}\n"
              "  y: {title: Y, for: customers, then: x, steps: [{id: a, after: 1d, " STEP "}]}\n",
        "5:3: cadence 'x' never ends: it leads back to itself\n"
        "6:3: cadence 'y' never ends: it leads back to itself\n");
    assert_complaints(
        BASED "cadences:\n"
              "  x: {title: X, for: customers, then: x, steps: [{id: a, after: 0s, " STEP "}]}\n",
        "5:3: cadence 'x' leads back to itself at once\n");
}

#define SHORT_CALLS "calls: {spacing: [6mo], script: x}\n"

static void too_few_attempts_are_told_unless_said_so(void **state)
{
    (void)state;
    assert_complaints(
        BASED SHORT_CALLS
        "cadences:\n"
        "  x: {title: X, for: prospects, then: end, steps: [{id: a, after: 1d, " STEP "}]}\n"
        "segments:\n  - {id: y, cadence: x, sla: hour, escalation: usual}\n",
        "6:3: cadence 'x' and what follows are 3 attempts over 2 channels: at least 7 over 2, or "
        "say `short` with the reason\n");
    assert_complaints(BASED SHORT_CALLS
                      "cadences:\n"
                      "  x: {title: X, for: prospects, then: end, short: They asked for it., "
                      "steps: [{id: a, after: 1d, " STEP "}]}\n"
                      "segments:\n  - {id: y, cadence: x, sla: hour, escalation: usual}\n",
                      "");
}

static void writing_off_too_soon_is_told(void **state)
{
    (void)state;
    assert_complaints(
        BASED "calls: {spacing: [1d, 2d, 3d, 4d, 5d, 6d]}\n"
              "cadences:\n"
              "  x: {title: X, for: prospects, then: end, steps: [{id: a, after: 30d, " STEP "}]}\n"
              "segments:\n  - {id: y, cadence: x, sla: hour, escalation: usual}\n",
        "6:3: cadence 'x' could write somebody off after 30 days, sooner than "
        "calls.write_off_least\n");
}

static void ids_that_mean_something_else_are_told(void **state)
{
    (void)state;
    assert_complaints(BASED "cadences:\n  stop: {" CADENCE ", steps: [{id: a, after: 0s, " STEP
                            "}]}\n",
                      "5:3: 'stop' means something else; take another id\n");
}

/* --- limits ---------------------------------------------------------------------------------- */

static void a_cap_that_makes_a_cadence_impossible_is_told(void **state)
{
    (void)state;
    assert_complaints(BASED "cadences:\n  x: {" CADENCE ", steps: [\n"
                            "    {id: a, after: 1h, " STEP "},\n"
                            "    {id: b, after: 80m, " STEP "}]}\n",
                      "7:5: step 'b' is closer to 'a' than caps.gap allows\n");
    assert_complaints(BASED "caps: {per_day: 2, calls_per_day: 1, gap: 0s}\n"
                            "calls: {spacing: [2d, 3d, 4d, 5d, 6d, 6mo]}\n"
                            "cadences:\n  x: {" CADENCE ", steps: [\n"
                            "    {id: a, after: 1h, " STEP "},\n"
                            "    {id: b, after: 2h, " STEP "},\n"
                            "    {id: c, after: 3h, " STEP "}]}\n",
                      "10:5: step 'c' is one more within a day than caps.per_day allows (2)\n");
    assert_complaints(BASED "caps: {calls_per_day: 1}\n",
                      "default: this is one more call within a day than caps.calls_per_day allows "
                      "(1)\n");
    assert_complaints(BASED "caps: {gap: 2h}\n",
                      "default: this call is closer to the one before than caps.gap allows\n");
    assert_complaints(BASED "caps: {per_day: 9}\n", "4:1: per_day is over 8, which nobody bears\n");
    assert_complaints(BASED "caps: {per_day: 1}\n",
                      "4:1: calls_per_day is more than per_day allows\n");
    assert_complaints(BASED "calls: {spacing: [0s, 6mo]}\ncaps: {gap: 0s}\n",
                      "4:19: the next call cannot come at once\n");
}

#define RARE "calls: {spacing: [11d], script: x}\n"

static void a_gap_of_days_is_held_against_steps_of_other_days(void **state)
{
    (void)state;
    /* By date, whatever the hour at which it begins, b comes 24 h to 47 h after a, and c 49 h to 73
     * h after it. */
    assert_complaints(BASED RARE "caps: {gap: 2d}\n"
                                 "cadences:\n  x: {" CADENCE ", steps: [\n"
                                 "    {id: a, after: 2d, " STEP "},\n"
                                 "    {id: b, day: 3, at: \"23:00\", " STEP "}]}\n"
                                 "  y: {" CADENCE ", steps: [\n"
                                 "    {id: a, after: 2d, " STEP "},\n"
                                 "    {id: c, day: 5, at: \"01:00\", " STEP "}]}\n"
                                 "  z: {" CADENCE ", steps: [\n"
                                 "    {id: a, day: 2, at: \"10:00\", " STEP "},\n"
                                 "    {id: b, day: 3, at: \"10:00\", " STEP "}]}\n",
                      "9:5: step 'b' is closer to 'a' than caps.gap allows\n"
                      "15:5: step 'b' is closer to 'a' than caps.gap allows\n");
    assert_complaints(BASED RARE "caps: {gap: 100y}\n",
                      "4:19: this call is closer to the one before than caps.gap allows\n");
    assert_complaints(BASED
                      "calls: {spacing: [5d, 6d]}\ncaps: {per_day: 4, calls_per_day: 1, gap: 5d}\n"
                      "cadences:\n  x: {" CADENCE ", steps: [\n"
                      "    {id: a, after: 1d, " STEP "},\n"
                      "    {id: b, after: 5d, " STEP "},\n"
                      "    {id: c, after: 10d, " STEP "}]}\n",
                      "9:5: step 'b' is closer to 'a' than caps.gap allows\n");
}

static void tiers_out_of_order_are_told(void **state)
{
    (void)state;
    assert_complaints(
        BASED "sla:\n"
              "  - {id: hour, within: 1h}\n"
              "  - {id: five_minutes, within: 5m}\n"
              "  - {id: business_day}\n",
        "6:5: tier 'five_minutes' is not later than the one above it\n"
        "7:5: tier 'business_day' needs either `within`, or `day_of` with a calendar\n");
    assert_complaints(BASED "research: {box: 5m}\n",
                      "4:1: box: research takes as long as tier 'five_minutes' has\n");
}

static void an_office_says_where_it_is(void **state)
{
    (void)state;
    assert_complaints(
        BASED "calendars:\n"
              "  here: {hours: {mon: 09:00-10:00}}\n"
              "sla:\n"
              "  - {id: five_minutes, within: 5m}\n"
              "  - {id: hour, within: 1h}\n"
              "  - {id: business_day, day_of: here}\n",
        "9:5: tier 'business_day' ends with the business day of calendar 'here', which "
        "must say its `zone`: an office's day is not the person's\n");
    assert_complaints(
        BASED "calendars:\n"
              "  x: {zone: America/Nowhere, hours: {mon: 09:00-10:00}}\n",
        "5:13: zone: the tz database of this machine has no 'America/Nowhere'; write a "
        "name such as America/New_York\n");
}

static void an_escalation_that_does_not_end_in_a_robot_is_told(void **state)
{
    (void)state;
    assert_complaints(
        BASED "escalations:\n  usual:\n    rungs:\n      - {after: 3m, to: manager}\n",
        "5:3: escalation 'usual' must end in a robot's step: people may all be away\n");
    assert_complaints(BASED "escalations:\n  usual:\n    rungs:\n"
                            "      - {after: 3m, to: manager, template: x}\n"
                            "      - {after: 2m, to: robot, channel: call, template: x}\n",
                      "7:9: only a robot has a `channel` and a `template`\n"
                      "8:9: a robot needs a `channel` that it can write to, and a `template`\n"
                      "8:9: this is not later than the rung above it\n");
}

static void weights_leases_and_odds_are_looked_at(void **state)
{
    (void)state;
    assert_complaints(BASED "assign: {mode: weighted}\n",
                      "4:1: mode 'weighted' needs `weights` that are not all 0\n");
    assert_complaints(BASED "assign: {weights: {a42: 2}}\n",
                      "4:1: only mode 'weighted' has `weights`\n");
    assert_complaints(BASED "lease: {report: 0s}\n",
                      "4:1: a lease of no time ends before it begins\n");
    assert_complaints(BASED "odds:\n  - {after: 30m, times: 21}\n  - {after: 5m, times: 4}\n",
                      "6:5: this is not later and worse than the one above it\n");
}

static void calendars_that_cannot_be_are_told(void **state)
{
    (void)state;
    assert_complaints(BASED "calendars:\n  x: {hours: {}}\n", "5:3: calendar 'x' is never open\n");
    assert_complaints(BASED "calendars:\n"
                            "  x:\n"
                            "    hours: {mon: 09:00-10:00}\n"
                            "    zone: New York\n",
                      "7:11: zone: write a name such as America/New_York, or leave it out for the "
                      "person's own\n");
    assert_complaints(BASED "calendars:\n  x: {hours: {mon: 17:00-09:00}}\n",
                      "5:20: hours are written as \"09:00-12:00, 13:00-17:00\", up to 24:00\n");
    assert_complaints(BASED "calendars:\n  x: {hours: {mon: \"09:00-12:00, 11:00-13:00\"}}\n",
                      "5:20: these hours overlap; write each of them once\n");
    assert_complaints(BASED "calendars:\n  x: {hours: {monday: 09:00-10:00}}\n",
                      "5:15: 'monday' is no day: write mon, mon-fri or daily\n");
    assert_complaints(BASED "calendars:\n  x: {hours: {mon-wed: 09:00-10:00, tue: 09:00-10:00}}\n",
                      "5:37: tue has its hours already\n");
    assert_complaints(
        BASED "calendars:\n  x: {hours: {mon: 09:00-10:00}, holidays: [2027-02-29]}\n",
        "5:45: a holiday is written as 2026-12-24, as 12-25 for every year, as `4th thu "
        "nov`, `last mon may` or `easter`; behind it may stand `+1` or `-2` days, and "
        "`observed`\n");
}

static void hours_with_something_missing_are_told(void **state)
{
    static const char *const spans[] = {
        "09:00-12:00,", "09:00-12:00, ", ",09:00-12:00", "09:00-12:00,,13:00-14:00",
        "09:00-12:00-", "-09:00-12:00",  "09:00-",       "09:00"};
    static const char *const days[] = {"mon-", "-mon", "mon-fri-", "daily-"};
    char yaml[256], expected[256];

    (void)state;
    for (size_t i = 0; i < sizeof(spans) / sizeof(*spans); i++) {
        snprintf(yaml, sizeof(yaml), BASED "calendars:\n  x: {hours: {mon: \"%s\"}}\n", spans[i]);
        assert_complaints(yaml,
                          "5:20: hours are written as \"09:00-12:00, 13:00-17:00\", up to 24:00\n");
    }
    for (size_t i = 0; i < sizeof(days) / sizeof(*days); i++) {
        snprintf(yaml, sizeof(yaml), BASED "calendars:\n  x: {hours: {%s: 09:00-10:00}}\n",
                 days[i]);
        snprintf(expected, sizeof(expected), "5:15: '%s' is no day: write mon, mon-fri or daily\n",
                 days[i]);
        assert_complaints(yaml, expected);
    }
    assert_complaints(
        BASED "calendars:\n  x: {hours: {mon: \"01:00-02:00, 03:00-04:00, 05:00-06:00, "
              "07:00-08:00, 09:00-10:00\"}}\n",
        "5:20: a day has at most 4 spans of hours; make one of those that are close\n");
}

/* Days of a month as holidays of every year, all but one of which may be left out. */
static void add_holidays(struct text *out, bool leap_day)
{
    static const unsigned lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    for (unsigned month = 1; month <= 12; month++)
        for (unsigned day = 1; day <= lengths[month - 1]; day++)
            if (leap_day || month != 2 || day != 29)
                text_printf(out, "%02u-%02u, ", month, day);
}

static void assert_days(const char *hours, bool leap_day, const char *more, const char *expected)
{
    static char yaml[16 * 1024];
    struct text out = text_over(yaml, sizeof(yaml) - 1);

    text_printf(&out, BASED "calendars:\n  x:\n    hours: {%s}\n    holidays: [", hours);
    add_holidays(&out, leap_day);
    text_printf(&out, "%s]\n", more);
    yaml[out.length] = '\0';
    assert_complaints(yaml, expected);
}

static void a_calendar_without_an_open_day_in_a_year_is_told(void **state)
{
    (void)state;
    assert_days("daily: 09:00-10:00", true, "easter",
                "5:3: calendar 'x' is open on no day of 2026: its holidays leave none; take some "
                "out\n");
    assert_days("daily: 09:00-10:00", false, "easter",
                "5:3: calendar 'x' is open on no day of 2026: its holidays leave none; take some "
                "out\n");
    assert_complaints(BASED "calendars:\n  x:\n    hours: {sun: 09:00-10:00}\n"
                            "    holidays: [easter, 1st sun jan, last sun dec]\n",
                      "");
    /* Every Sunday of 2034, whose last day is one. */
    char yaml[2048];
    struct text out = text_over(yaml, sizeof(yaml) - 1);
    text_string(&out, BASED "calendars:\n  x:\n    hours: {sun: 09:00-10:00}\n    holidays: [");
    for (int32_t day = civil_day_number(2034, 1, 1); day <= civil_day_number(2034, 12, 31);
         day += 7) {
        struct civil date;
        zone_civil(zone_utc(), (uint64_t)day * 86400000, &date);
        text_printf(&out, "%d-%02u-%02u, ", date.year, date.month, date.day);
    }
    text_string(&out, "easter]\n");
    yaml[out.length] = '\0';
    assert_complaints(yaml, "5:3: calendar 'x' is open on no day of 2034: its holidays leave none; "
                            "take some out\n");
}

static void calls_in_hours_of_no_law_are_told(void **state)
{
    (void)state;
    assert_complaints(
        BASED "calendars:\n  calling: {hours: {daily: \"02:00-03:00, 21:00-24:00\"}}\n",
        "5:3: calendar 'calling', which calls keep to, is open only when no law allows "
        "a call: write hours of the person's day, such as \"09:00-20:00\"\n");
    assert_complaints(BASED "calendars:\n  calling: {hours: {daily: \"02:00-08:30\"}}\n", "");
    /* It may be another hour where the person is; and this one is not for calls. */
    assert_complaints(BASED "calendars:\n"
                            "  calling: {zone: Asia/Tokyo, hours: {daily: \"02:00-03:00\"}}\n"
                            "  other: {hours: {daily: \"02:00-03:00\"}}\n",
                      "");
}

static void points_and_a_graveyard_of_nothing_are_told(void **state)
{
    (void)state;
    assert_complaints(
        BASED "score: {half_life: 0s}\ngraveyard: {per_day: 0}\n",
        "4:1: half_life: points that are gone at once count nothing; write a time, such "
        "as 2w\n"
        "5:1: per_day of 0 takes nobody up again; write how many a day may be\n");
    assert_complaints(BASED "score: {half_life: 1s}\ngraveyard: {per_day: 1}\n", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_earlier_than_the_one_before_is_told),
        cmocka_unit_test(a_step_that_may_be_too_late_behind_another_is_told),
        cmocka_unit_test(a_step_without_its_time_or_its_words_is_told),
        cmocka_unit_test(a_step_without_time_to_be_done_in_is_told),
        cmocka_unit_test(a_cadence_without_end_is_told),
        cmocka_unit_test(too_few_attempts_are_told_unless_said_so),
        cmocka_unit_test(writing_off_too_soon_is_told),
        cmocka_unit_test(ids_that_mean_something_else_are_told),
        cmocka_unit_test(a_cap_that_makes_a_cadence_impossible_is_told),
        cmocka_unit_test(a_gap_of_days_is_held_against_steps_of_other_days),
        cmocka_unit_test(tiers_out_of_order_are_told),
        cmocka_unit_test(an_office_says_where_it_is),
        cmocka_unit_test(an_escalation_that_does_not_end_in_a_robot_is_told),
        cmocka_unit_test(weights_leases_and_odds_are_looked_at),
        cmocka_unit_test(calendars_that_cannot_be_are_told),
        cmocka_unit_test(hours_with_something_missing_are_told),
        cmocka_unit_test(a_calendar_without_an_open_day_in_a_year_is_told),
        cmocka_unit_test(calls_in_hours_of_no_law_are_told),
        cmocka_unit_test(points_and_a_graveyard_of_nothing_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
