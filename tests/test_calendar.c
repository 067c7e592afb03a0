#include "server/calendar.h"

#include "tests/local_time.h"

#define NEW_YORK "America/New_York"

/* A business with a lunch break, which keeps the federal holidays. */
static struct calendar_week office_week;
static struct calendar office;

static void add(struct calendar_week *week, int weekday, unsigned opens, unsigned closes)
{
    assert_status(calendar_week_add(week, weekday, opens, closes), STATUS_OK);
}

static int open_office(void **state)
{
    (void)state;
    for (int weekday = 1; weekday <= 5; weekday++) {
        add(&office_week, weekday, 13 * 60, 17 * 60 + 30);
        add(&office_week, weekday, 9 * 60, 12 * 60);
    }
    office = (struct calendar){zone_named(NEW_YORK), &office_week, calendar_us_federal,
                               CALENDAR_US_FEDERAL_COUNT};
    return 0;
}

static struct calendar_week every_day(unsigned opens, unsigned closes)
{
    struct calendar_week week = {0};

    for (int weekday = 1; weekday <= 7; weekday++)
        add(&week, weekday, opens, closes);
    return week;
}

static struct calendar in_zone(const char *zone, const struct calendar_week *week)
{
    return (struct calendar){.zone = zone_named(zone), .week = week};
}

static void hours_are_open_and_the_break_is_not(void **state)
{
    (void)state;
    assert_false(calendar_state(&office, at(NEW_YORK, "2026-06-02 08:59:59")) == CALENDAR_OPEN);
    assert_true(calendar_state(&office, at(NEW_YORK, "2026-06-02 09:00")) == CALENDAR_OPEN);
    assert_true(calendar_state(&office, at(NEW_YORK, "2026-06-02 11:59:59")) == CALENDAR_OPEN);
    assert_false(calendar_state(&office, at(NEW_YORK, "2026-06-02 12:00")) == CALENDAR_OPEN);
    assert_true(calendar_state(&office, at(NEW_YORK, "2026-06-02 13:00")) == CALENDAR_OPEN);
    assert_false(calendar_state(&office, at(NEW_YORK, "2026-06-02 17:30")) == CALENDAR_OPEN);
}

static void the_state_tells_hours_from_days_from_holidays(void **state)
{
    (void)state;
    assert_int_equal(calendar_state(&office, at(NEW_YORK, "2026-06-02 10:00")), CALENDAR_OPEN);
    assert_int_equal(calendar_state(&office, at(NEW_YORK, "2026-06-02 12:30")),
                     CALENDAR_OUT_OF_HOURS);
    assert_int_equal(calendar_state(&office, at(NEW_YORK, "2026-06-06 10:00")),
                     CALENDAR_WEEKDAY_OFF);
    assert_int_equal(calendar_state(&office, at(NEW_YORK, "2026-09-07 10:00")), CALENDAR_HOLIDAY);
}

static void an_open_moment_opens_at_once(void **state)
{
    (void)state;
    uint64_t ms = at(NEW_YORK, "2026-06-02 10:00") + 123;

    assert_moment(calendar_opens(&office, ms), ms);
    assert_moment(calendar_closes(&office, ms), at(NEW_YORK, "2026-06-02 12:00"));
}

static void it_opens_after_the_break_the_night_the_weekend_and_a_holiday(void **state)
{
    (void)state;
    assert_moment(calendar_opens(&office, at(NEW_YORK, "2026-06-02 12:00") + 7),
                  at(NEW_YORK, "2026-06-02 13:00"));
    assert_moment(calendar_opens(&office, at(NEW_YORK, "2026-06-02 17:30")),
                  at(NEW_YORK, "2026-06-03 09:00"));
    assert_moment(calendar_opens(&office, at(NEW_YORK, "2026-06-05 17:30:30")),
                  at(NEW_YORK, "2026-06-08 09:00"));
    assert_moment(calendar_opens(&office, at(NEW_YORK, "2026-09-04 20:00")),
                  at(NEW_YORK, "2026-09-08 09:00"));
}

static void it_opens_in_the_new_year(void **state)
{
    (void)state;
    assert_moment(calendar_opens(&office, at(NEW_YORK, "2026-12-31 17:30")),
                  at(NEW_YORK, "2027-01-04 09:00"));
}

static void assert_holidays(const struct holiday *holidays, size_t count, int year,
                            const char *expected)
{
    struct calendar_week week = every_day(0, CALENDAR_DAY_MINUTE);
    struct calendar calendar = {zone_utc(), &week, holidays, count};
    char is[1000] = "";
    size_t length = 0;

    for (int32_t day = civil_day_number(year, 1, 1); day < civil_day_number(year + 1, 1, 1);
         day++) {
        uint64_t ms = (uint64_t)day * DAY_MS;
        struct civil civil;
        zone_civil(zone_utc(), ms, &civil);
        if (calendar_state(&calendar, ms) == CALENDAR_HOLIDAY)
            length += (size_t)snprintf(is + length, sizeof(is) - length, "%u-%u ", civil.month,
                                       civil.day);
    }
    assert_string_equal(is, expected);
}

static void federal_holidays_are_those_of_the_law(void **state)
{
    (void)state;
    assert_holidays(calendar_us_federal, CALENDAR_US_FEDERAL_COUNT, 2025,
                    "1-1 1-20 2-17 5-26 6-19 7-4 9-1 10-13 11-11 11-27 12-25 ");
    /* July 4 is a Saturday. */
    assert_holidays(calendar_us_federal, CALENDAR_US_FEDERAL_COUNT, 2026,
                    "1-1 1-19 2-16 5-25 6-19 7-3 7-4 9-7 10-12 11-11 11-26 12-25 ");
}

static void a_new_year_on_saturday_is_kept_in_the_old_one(void **state)
{
    (void)state;
    assert_holidays(
        calendar_us_federal, CALENDAR_US_FEDERAL_COUNT, 2021,
        "1-1 1-18 2-15 5-31 6-18 6-19 7-4 7-5 9-6 10-11 11-11 11-25 12-24 12-25 12-31 ");
    assert_holidays(calendar_us_federal, CALENDAR_US_FEDERAL_COUNT, 2022,
                    "1-1 1-17 2-21 5-30 6-19 6-20 7-4 9-5 10-10 11-11 11-24 12-25 12-26 ");
}

static void holidays_begin_with_their_first_year(void **state)
{
    (void)state;
    assert_holidays(calendar_us_federal, CALENDAR_US_FEDERAL_COUNT, 2020,
                    "1-1 1-20 2-17 5-25 7-3 7-4 9-7 10-12 11-11 11-26 12-25 ");
    assert_holidays(calendar_us_federal, CALENDAR_US_FEDERAL_COUNT, 1985,
                    "1-1 2-18 5-27 7-4 9-2 10-14 11-11 11-28 12-25 ");
}

static void easter_moves_and_days_are_counted_from_it(void **state)
{
    (void)state;
    static const struct holiday easter = {.kind = HOLIDAY_EASTER};
    static const struct holiday around[] = {{.kind = HOLIDAY_EASTER, .days_after = -47},
                                            {.kind = HOLIDAY_EASTER, .days_after = -2},
                                            {.kind = HOLIDAY_EASTER, .days_after = 50}};
    assert_holidays(&easter, 1, 2024, "3-31 ");
    assert_holidays(&easter, 1, 2025, "4-20 ");
    assert_holidays(&easter, 1, 2026, "4-5 ");
    assert_holidays(&easter, 1, 2008, "3-23 ");
    assert_holidays(&easter, 1, 2038, "4-25 ");
    assert_holidays(&easter, 1, 2076, "4-19 ");
    assert_holidays(around, 3, 2026, "2-17 4-3 5-25 ");
}

static void a_date_is_a_holiday_once_and_a_yearly_one_each_year(void **state)
{
    (void)state;
    static const struct holiday once = {.kind = HOLIDAY_DATE, .year = 2026, .month = 5, .day = 5};
    static const struct holiday yearly = {
        .kind = HOLIDAY_YEARLY, .month = 5, .day = 5, .observed = OBSERVED_MONDAY};
    assert_holidays(&once, 1, 2026, "5-5 ");
    assert_holidays(&once, 1, 2027, "");
    assert_holidays(&yearly, 1, 2026, "5-5 ");
    assert_holidays(&yearly, 1, 2029, "5-5 5-7 "); /* a Saturday */
    assert_holidays(&yearly, 1, 2030, "5-5 5-6 "); /* a Sunday */
}

static void the_leap_day_is_a_holiday_in_leap_years_only(void **state)
{
    (void)state;
    static const struct holiday leap = {.kind = HOLIDAY_YEARLY, .month = 2, .day = 29};
    assert_holidays(&leap, 1, 2028, "2-29 ");
    assert_holidays(&leap, 1, 2026, "");
}

static void weekdays_of_a_month_are_counted_from_either_end(void **state)
{
    (void)state;
    static const struct holiday days[] = {
        {.kind = HOLIDAY_WEEKDAY, .month = 12, .weekday = 4, .nth = -1},
        {.kind = HOLIDAY_WEEKDAY, .month = 11, .weekday = 4, .nth = 4, .days_after = 1},
        {.kind = HOLIDAY_WEEKDAY, .month = 8, .weekday = 6, .nth = 1}, /* August begins with it */
        {.kind = HOLIDAY_WEEKDAY, .month = 8, .weekday = 1, .nth = -2}};
    assert_holidays(days, 4, 2026, "8-1 8-24 11-27 12-31 ");
}

static void a_fifth_weekday_is_a_day_of_few_months(void **state)
{
    (void)state;
    static const struct holiday fifth = {
        .kind = HOLIDAY_WEEKDAY, .month = 2, .weekday = 1, .nth = 5};
    static const struct holiday back = {
        .kind = HOLIDAY_WEEKDAY, .month = 2, .weekday = 1, .nth = -5};
    assert_holidays(&fifth, 1, 2026, "");
    assert_holidays(&fifth, 1, 2044, "2-29 ");
    assert_holidays(&back, 1, 2026, "");
    assert_holidays(&back, 1, 2044, "2-1 ");
}

static void a_day_far_from_its_date_may_be_another_years(void **state)
{
    (void)state;
    static const struct holiday far[] = {
        {.kind = HOLIDAY_YEARLY, .month = 12, .day = 25, .days_after = 60},
        {.kind = HOLIDAY_YEARLY, .month = 1, .day = 6, .days_after = -60},
        {.kind = HOLIDAY_YEARLY, .month = 12, .day = 1, .days_after = 31}};
    assert_holidays(far, 3, 2026, "1-1 2-23 11-7 ");
}

static void a_business_day_ends_with_its_last_closing(void **state)
{
    (void)state;
    uint64_t end = at(NEW_YORK, "2026-06-02 17:30");

    assert_moment(calendar_day_end(&office, at(NEW_YORK, "2026-06-02 00:00")), end);
    assert_moment(calendar_day_end(&office, at(NEW_YORK, "2026-06-02 11:00")), end);
    assert_moment(calendar_day_end(&office, at(NEW_YORK, "2026-06-02 12:30")), end);
    assert_moment(calendar_day_end(&office, end - 1), end);
    assert_moment(calendar_day_end(&office, end), at(NEW_YORK, "2026-06-03 17:30"));
}

static void outside_of_business_days_the_next_ones_end_counts(void **state)
{
    (void)state;
    assert_moment(calendar_day_end(&office, at(NEW_YORK, "2026-06-05 18:00")),
                  at(NEW_YORK, "2026-06-08 17:30"));
    assert_moment(calendar_day_end(&office, at(NEW_YORK, "2026-07-02 18:00")),
                  at(NEW_YORK, "2026-07-06 17:30"));
}

static void a_day_that_is_open_till_midnight_ends_there(void **state)
{
    (void)state;
    struct calendar_week week = every_day(0, CALENDAR_DAY_MINUTE);
    struct calendar calendar = in_zone(NEW_YORK, &week);

    assert_moment(calendar_day_end(&calendar, at(NEW_YORK, "2026-12-31 10:00")),
                  at(NEW_YORK, "2027-01-01 00:00"));
    assert_moment(calendar_closes(&calendar, at(NEW_YORK, "2026-12-31 10:00")), UINT64_MAX);
}

static void what_is_skipped_in_spring_is_never_open(void **state)
{
    (void)state;
    struct calendar_week week = every_day(2 * 60 + 15, 2 * 60 + 45);
    struct calendar calendar = in_zone(NEW_YORK, &week);
    uint64_t night = at(NEW_YORK, "2026-03-08 00:00");

    assert_moment(calendar_opens(&calendar, night), at(NEW_YORK, "2026-03-09 02:15"));
    week = every_day(2 * 60 + 15, 4 * 60);
    assert_moment(calendar_opens(&calendar, night), at(NEW_YORK, "2026-03-08 03:00"));
    assert_moment(calendar_closes(&calendar, utc("2026-03-08 07:00")), utc("2026-03-08 08:00"));
}

static void what_comes_twice_in_autumn_is_open_twice(void **state)
{
    (void)state;
    struct calendar_week week = every_day(60, 90);
    struct calendar calendar = in_zone(NEW_YORK, &week);
    uint64_t night = at(NEW_YORK, "2026-11-01 00:00");

    assert_moment(calendar_opens(&calendar, night), utc("2026-11-01 05:00"));
    assert_moment(calendar_closes(&calendar, utc("2026-11-01 05:00")), utc("2026-11-01 05:30"));
    assert_moment(calendar_opens(&calendar, utc("2026-11-01 05:30")), utc("2026-11-01 06:00"));
    assert_moment(calendar_day_end(&calendar, night), utc("2026-11-01 06:30"));
}

static void days_of_moved_clocks_have_23_and_25_hours(void **state)
{
    (void)state;
    struct calendar_week week = every_day(0, CALENDAR_DAY_MINUTE);
    struct calendar calendar = in_zone("Europe/London", &week);
    uint64_t spring = at("Europe/London", "2026-03-29 00:00");
    uint64_t autumn = at("Europe/London", "2026-10-25 00:00");

    assert_moment(calendar_day_end(&calendar, spring), spring + 23 * HOUR_MS);
    assert_moment(calendar_day_end(&calendar, autumn), autumn + 25 * HOUR_MS);
}

static void half_an_hour_may_be_moved_too(void **state)
{
    (void)state;
    struct calendar_week week = every_day(105, 150);
    struct calendar calendar = in_zone("Australia/Lord_Howe", &week);

    assert_moment(calendar_closes(&calendar, utc("2026-10-03 15:15")), utc("2026-10-03 15:30"));
    assert_moment(calendar_opens(&calendar, utc("2026-04-04 14:45")), utc("2026-04-04 14:45"));
    assert_moment(calendar_closes(&calendar, utc("2026-04-04 14:45")), utc("2026-04-04 15:00"));
    assert_moment(calendar_opens(&calendar, utc("2026-04-04 15:00")), utc("2026-04-04 15:15"));
}

static void a_calendar_without_hours_never_opens(void **state)
{
    (void)state;
    struct calendar_week week = {0};
    struct calendar calendar = in_zone(NEW_YORK, &week);
    uint64_t ms = utc("2026-06-02 00:00");

    assert_moment(calendar_opens(&calendar, ms), UINT64_MAX);
    assert_moment(calendar_day_end(&calendar, ms), UINT64_MAX);
    assert_moment(calendar_closes(&calendar, ms), ms);
}

/* Every day of the year, and February 29 once more where there are to be more of them. */
static size_t all_days(struct holiday *holidays, size_t most)
{
    size_t count = 0;

    for (int32_t day = civil_day_number(2028, 1, 1); day < civil_day_number(2029, 1, 1); day++) {
        struct civil date;
        zone_civil(zone_utc(), (uint64_t)day * DAY_MS, &date);
        holidays[count++] =
            (struct holiday){.kind = HOLIDAY_YEARLY, .month = date.month, .day = date.day};
    }
    for (; count < most; count++)
        holidays[count] = holidays[59];
    return count;
}

static void a_year_opens_when_one_of_its_days_does(void **state)
{
    (void)state;
    struct holiday holidays[366];
    struct calendar_week week = every_day(540, 1020), none = {0}, sundays = {0};
    struct calendar calendar = {zone_named(NEW_YORK), &week, holidays, all_days(holidays, 366)};
    struct calendar never = {zone_named(NEW_YORK), &none, NULL, 0};
    uint64_t ms = utc("2026-06-02 00:00");

    add(&sundays, 7, 540, 1020);
    assert_false(calendar_opens_in(&never, 2026));
    assert_false(calendar_opens_in(&calendar, 2026));
    assert_moment(calendar_opens(&calendar, ms), UINT64_MAX);

    /* February 29 is no holiday: then there are years with a day and years without. */
    holidays[59] = holidays[0];
    assert_true(calendar_opens_in(&calendar, 2028));
    assert_false(calendar_opens_in(&calendar, 2027));
    assert_moment(calendar_opens(&calendar, ms), at(NEW_YORK, "2028-02-29 09:00"));
    calendar.week = &sundays;
    assert_false(calendar_opens_in(&calendar, 2028)); /* a Tuesday */

    /* And so is December 31, but where the day behind it is kept on it. */
    holidays[0].observed = OBSERVED_NEAREST;
    holidays[365] = holidays[0];
    calendar.week = &week;
    assert_true(calendar_opens_in(&calendar, 2026));
    assert_false(calendar_opens_in(&calendar, 2027)); /* 2028 begins with a Saturday */
}

static void a_calendar_that_is_always_open_never_closes(void **state)
{
    (void)state;
    struct calendar_week week = every_day(0, CALENDAR_DAY_MINUTE);
    const struct holiday easter = {.kind = HOLIDAY_EASTER};
    struct calendar calendar = in_zone(NEW_YORK, &week);
    uint64_t ms = utc("2026-06-02 00:00");

    assert_moment(calendar_closes(&calendar, ms), UINT64_MAX);
    calendar.holidays = &easter;
    calendar.holiday_count = 1;
    assert_moment(calendar_closes(&calendar, ms), at(NEW_YORK, "2027-03-28 00:00"));
    assert_moment(calendar_steady_until(&calendar, ms), at(NEW_YORK, "2026-06-02 00:00"));
}

/* Whoever waits for a calendar is looked at by the one writer. A look took 25 ms where each day of
 * each year was asked about each holiday: two hundred of them, some seconds. */
static void a_look_is_cheap_whatever_the_holidays(void **state)
{
    (void)state;
    struct holiday holidays[500];
    struct calendar_week week = every_day(540, 1020);
    struct calendar calendar = {zone_named(NEW_YORK), &week, holidays, all_days(holidays, 500)};
    uint64_t ms = utc("2026-06-02 00:00");
    clock_t began = clock();

    for (unsigned i = 0; i < 200; i++)
        assert_moment(calendar_opens(&calendar, ms + i * DAY_MS), UINT64_MAX);
    assert_true(clock() - began < CLOCKS_PER_SEC);
}

static void nothing_is_looked_for_at_the_end_of_time(void **state)
{
    (void)state;
    assert_moment(calendar_opens(&office, ZONE_MS_MAX), UINT64_MAX);
    assert_moment(calendar_opens(&office, UINT64_MAX), UINT64_MAX);
    assert_moment(calendar_closes(&office, UINT64_MAX - 1), UINT64_MAX);
    assert_moment(calendar_day_end(&office, UINT64_MAX - 1), UINT64_MAX);
}

static void spans_stay_in_order_and_apart(void **state)
{
    (void)state;
    struct calendar_week week = {0};

    add(&week, 3, 600, 700);
    add(&week, 3, 100, 200);
    add(&week, 3, 300, 400);
    assert_int_equal(week.day[2][0].opens, 100);
    assert_int_equal(week.day[2][1].opens, 300);
    assert_int_equal(week.day[2][2].opens, 600);
    assert_status(calendar_week_add(&week, 3, 650, 660), STATUS_INVALID);
    assert_status(calendar_week_add(&week, 3, 200, 250), STATUS_INVALID);
    assert_status(calendar_week_add(&week, 3, 500, 600), STATUS_INVALID);
    assert_status(calendar_week_add(&week, 3, 50, 1000), STATUS_INVALID);
    assert_status(calendar_week_add(&week, 3, 900, 900), STATUS_INVALID);
    assert_status(calendar_week_add(&week, 3, 900, 1441), STATUS_INVALID);
    add(&week, 3, 900, 1440);
    assert_status(calendar_week_add(&week, 3, 0, 50), STATUS_TOO_LARGE);
}

/* --- minute by minute ------------------------------------------------------------ */

#define WALK_DAYS    21
#define WALK_MINUTES (WALK_DAYS * 1440)

struct minute {
    bool open;
    int day; /* of the year */
};

static struct minute walked[WALK_MINUTES];
static uint64_t walk_start;

/* Each minute by itself, by the C library's clock: no edges, no zones. */
static void walk(const struct calendar *calendar, const struct holiday *dates, size_t count)
{
    for (size_t i = 0; i < WALK_MINUTES; i++) {
        struct tm tm = libc_civil(walk_start + i * MINUTE_MS);
        const struct calendar_span *spans = calendar->week->day[(tm.tm_wday + 6) % 7];
        int minute = tm.tm_hour * 60 + tm.tm_min;
        walked[i] = (struct minute){false, tm.tm_yday};
        for (size_t j = 0; j < CALENDAR_SPANS_MAX; j++)
            walked[i].open |= minute >= spans[j].opens && minute < spans[j].closes;
        for (size_t j = 0; j < count; j++) {
            if (dates[j].month == tm.tm_mon + 1 && dates[j].day == tm.tm_mday)
                walked[i].open = false;
        }
    }
}

static uint64_t minute_start(size_t minute, uint64_t not_before)
{
    uint64_t ms = walk_start + minute * MINUTE_MS;

    return ms > not_before ? ms : not_before;
}

static size_t walk_to(bool open, uint64_t ms)
{
    size_t i = (size_t)((ms - walk_start) / MINUTE_MS);

    while (i < WALK_MINUTES && walked[i].open != open)
        i++;
    return i;
}

static void check_edges(const struct calendar *calendar, uint64_t ms)
{
    size_t open = walk_to(true, ms), closed = walk_to(false, ms), last = open;

    if (closed < WALK_MINUTES)
        assert_moment(calendar_closes(calendar, ms), minute_start(closed, ms));
    if (open == WALK_MINUTES)
        return;
    assert_moment(calendar_opens(calendar, ms), minute_start(open, ms));
    for (size_t i = open; i < WALK_MINUTES; i++) {
        if (walked[i].open && walked[i].day == walked[open].day)
            last = i;
    }
    if (last < WALK_MINUTES - 1440)
        assert_moment(calendar_day_end(calendar, ms), minute_start(last + 1, 0));
}

static void random_week(uint64_t *seed, struct calendar_week *week)
{
    *week = (struct calendar_week){0};
    for (int weekday = 1; weekday <= 7; weekday++) {
        if (draw(seed, 4) == 0) { /* so that whole days meet */
            add(week, weekday, 0, CALENDAR_DAY_MINUTE);
            continue;
        }
        for (uint32_t spans = draw(seed, 4); spans > 0; spans--) {
            /* Mostly at night, when clocks are moved. */
            unsigned opens = draw(seed, draw(seed, 2) ? 240 : 1440);
            unsigned closes = opens + 1 + draw(seed, 1440 - opens);
            (void)calendar_week_add(week, weekday, opens, closes);
        }
    }
}

static void every_answer_is_that_of_a_walk_minute_by_minute(void **state)
{
    (void)state;
    static const char *const zones[] = {
        "America/New_York",    "Europe/London",     "Asia/Kolkata",
        "Australia/Lord_Howe", "America/Havana",    "Pacific/Chatham",
        "America/Sao_Paulo",   "Africa/Casablanca", "Antarctica/Troll"};
    static const char *const starts[] = {
        "2026-03-01 00:00", "2026-03-22 00:00", "2026-04-01 00:00",
        "2026-10-01 00:00", "2026-10-20 00:00", "2026-12-20 00:00",
        "2028-02-20 00:00", "2018-02-10 00:00", "2018-10-28 00:00"};
    uint64_t seed = 20261122;

    for (size_t round = 0; round < 400; round++) {
        const char *name = zones[draw(&seed, sizeof(zones) / sizeof(zones[0]))];
        struct holiday dates[2] = {0};
        struct calendar_week week;
        struct calendar calendar = {zone_named(name), &week, dates, draw(&seed, 3)};
        walk_start = utc(starts[draw(&seed, sizeof(starts) / sizeof(starts[0]))]);
        random_week(&seed, &week);
        for (size_t i = 0; i < 2; i++) {
            struct civil civil;
            zone_civil(calendar.zone, walk_start + draw(&seed, WALK_DAYS) * DAY_MS, &civil);
            dates[i] = (struct holiday){.kind = HOLIDAY_DATE,
                                        .year = (int16_t)civil.year,
                                        .month = civil.month,
                                        .day = civil.day};
        }
        libc_zone(name);
        walk(&calendar, dates, calendar.holiday_count);
        for (size_t i = 0; i < 60; i++) {
            uint64_t ms = walk_start + draw(&seed, WALK_MINUTES) * MINUTE_MS;
            ms += draw(&seed, 2) ? draw(&seed, MINUTE_MS) : 0;
            check_edges(&calendar, ms);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hours_are_open_and_the_break_is_not),
        cmocka_unit_test(the_state_tells_hours_from_days_from_holidays),
        cmocka_unit_test(an_open_moment_opens_at_once),
        cmocka_unit_test(it_opens_after_the_break_the_night_the_weekend_and_a_holiday),
        cmocka_unit_test(it_opens_in_the_new_year),
        cmocka_unit_test(federal_holidays_are_those_of_the_law),
        cmocka_unit_test(a_new_year_on_saturday_is_kept_in_the_old_one),
        cmocka_unit_test(holidays_begin_with_their_first_year),
        cmocka_unit_test(easter_moves_and_days_are_counted_from_it),
        cmocka_unit_test(a_date_is_a_holiday_once_and_a_yearly_one_each_year),
        cmocka_unit_test(the_leap_day_is_a_holiday_in_leap_years_only),
        cmocka_unit_test(weekdays_of_a_month_are_counted_from_either_end),
        cmocka_unit_test(a_fifth_weekday_is_a_day_of_few_months),
        cmocka_unit_test(a_day_far_from_its_date_may_be_another_years),
        cmocka_unit_test(a_business_day_ends_with_its_last_closing),
        cmocka_unit_test(outside_of_business_days_the_next_ones_end_counts),
        cmocka_unit_test(a_day_that_is_open_till_midnight_ends_there),
        cmocka_unit_test(what_is_skipped_in_spring_is_never_open),
        cmocka_unit_test(what_comes_twice_in_autumn_is_open_twice),
        cmocka_unit_test(days_of_moved_clocks_have_23_and_25_hours),
        cmocka_unit_test(half_an_hour_may_be_moved_too),
        cmocka_unit_test(a_calendar_without_hours_never_opens),
        cmocka_unit_test(a_year_opens_when_one_of_its_days_does),
        cmocka_unit_test(a_calendar_that_is_always_open_never_closes),
        cmocka_unit_test(a_look_is_cheap_whatever_the_holidays),
        cmocka_unit_test(nothing_is_looked_for_at_the_end_of_time),
        cmocka_unit_test(spans_stay_in_order_and_apart),
        cmocka_unit_test(every_answer_is_that_of_a_walk_minute_by_minute),
    };
    return cmocka_run_group_tests(tests, open_office, NULL);
}
