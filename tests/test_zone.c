#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/folder.h"
#include "tests/local_time.h"

static void assert_shows(uint64_t ms, const char *zone, const char *expected)
{
    char text[64];

    shown(ms, zone_named(zone), text);
    text[19] = '\0'; /* the ms */
    assert_string_equal(text, expected);
}

static void the_same_name_is_the_same_zone(void **state)
{
    (void)state;
    assert_ptr_equal(zone_named("Europe/Berlin"), zone_named("Europe/Berlin"));
    assert_ptr_not_equal(zone_named("Europe/Berlin"), zone_named("Europe/Paris"));
    assert_string_equal(zone_name(zone_named("Europe/Berlin")), "Europe/Berlin");
    assert_ptr_equal(zone_utc(), zone_named("UTC"));
}

/* Rows hold the code: two zones of one code would be one to them. */
static void every_zone_has_a_code_of_its_own(void **state)
{
    char line[256], kind[8], second[128], third[128];
    FILE *names = fopen("/usr/share/zoneinfo/tzdata.zi", "r");
    unsigned count = 0;

    (void)state;
    assert_non_null(names);
    while (fgets(line, sizeof(line), names) != NULL) {
        int words = sscanf(line, "%7s %127s %127s", kind, second, third);
        bool is_zone = words >= 2 && strcmp(kind, "Z") == 0;
        bool is_link = words == 3 && strcmp(kind, "L") == 0;
        const struct zone *zone =
            is_zone || is_link ? zone_find(slice_of(is_zone ? second : third)) : NULL;
        if (zone == NULL)
            continue;
        assert_ptr_equal(zone_of_code(zone_code(zone)), zone);
        count++;
    }
    fclose(names);
    assert_true(count > 300);
    assert_int_equal(zone_code(zone_find(SLICE("UTC"))), 3228456573u);
    assert_int_equal(zone_code(NULL), 0);
    assert_null(zone_of_code(0));
}

static void what_tzdata_does_not_name_is_no_zone(void **state)
{
    (void)state;
    static const char *const names[] = {"",
                                        "Mars/Olympus",
                                        "america/new_york",
                                        "America",
                                        "America/",
                                        " America/New_York",
                                        "../zoneinfo/UTC",
                                        "/usr/share/zoneinfo/UTC",
                                        "file:/usr/share/zoneinfo/UTC",
                                        "Fixed/UTC+01:00:00",
                                        "localtime",
                                        "tzdata.zi",
                                        "right/UTC"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (zone_find(slice_of(names[i])))
            fail_msg("found %s", names[i]);
    }
    assert_null(zone_find(SLICE("UTC\0")));
    assert_null(zone_find((struct slice){NULL, 0}));
}

static void old_names_are_known_whatever_the_distribution_splits_off(void **state)
{
    (void)state;
    assert_shows(utc("2026-07-01 00:00"), "Asia/Calcutta", "2026-07-01 05:30:00");
    assert_shows(utc("2026-07-01 00:00"), "US/Eastern", "2026-06-30 20:00:00");
}

static void the_version_of_the_data_is_told(void **state)
{
    (void)state;
    const char *version = zone_data_version();

    assert_true(strlen(version) >= 5);
    assert_memory_equal(version, "20", 2);
}

static void new_york_has_winter_and_summer(void **state)
{
    (void)state;
    assert_shows(utc("2026-01-15 12:00"), "America/New_York", "2026-01-15 07:00:00");
    assert_shows(utc("2026-07-15 12:00"), "America/New_York", "2026-07-15 08:00:00");
    assert_moment(at("America/New_York", "2026-01-15 07:00"), utc("2026-01-15 12:00"));
    assert_moment(at("America/New_York", "2026-07-15 08:00"), utc("2026-07-15 12:00"));
}

static void a_skipped_time_is_the_first_moment_after_the_gap(void **state)
{
    (void)state;
    uint64_t after = utc("2026-03-08 07:00");

    assert_shows(after - 1000, "America/New_York", "2026-03-08 01:59:59");
    assert_shows(after, "America/New_York", "2026-03-08 03:00:00");
    assert_moment(at("America/New_York", "2026-03-08 02:00"), after);
    assert_moment(at("America/New_York", "2026-03-08 02:30"), after);
    assert_moment(at("America/New_York", "2026-03-08 02:59:59"), after);
    assert_moment(at("Europe/London", "2026-03-29 01:30"), utc("2026-03-29 01:00"));
}

static void a_time_that_comes_twice_is_the_first(void **state)
{
    (void)state;
    assert_shows(utc("2026-11-01 05:30"), "America/New_York", "2026-11-01 01:30:00");
    assert_shows(utc("2026-11-01 06:30"), "America/New_York", "2026-11-01 01:30:00");
    assert_moment(at("America/New_York", "2026-11-01 01:30"), utc("2026-11-01 05:30"));
    assert_moment(at("America/New_York", "2026-11-01 02:00"), utc("2026-11-01 07:00"));
    assert_moment(at("Europe/London", "2026-10-25 01:30"), utc("2026-10-25 00:30"));
}

static void kolkata_is_half_an_hour_off_and_never_moves(void **state)
{
    (void)state;
    assert_shows(utc("2026-06-30 18:29:59"), "Asia/Kolkata", "2026-06-30 23:59:59");
    assert_shows(utc("2026-06-30 18:30:00"), "Asia/Kolkata", "2026-07-01 00:00:00");
    assert_moment(zone_steady_until(zone_named("Asia/Kolkata"), utc("2026-01-01 00:00")),
                  UINT64_MAX);
}

static void lord_howe_moves_by_half_an_hour(void **state)
{
    (void)state;
    const char *zone = "Australia/Lord_Howe";

    assert_moment(at(zone, "2026-10-04 02:15"), utc("2026-10-03 15:30"));
    assert_shows(utc("2026-10-03 15:30"), zone, "2026-10-04 02:30:00");
    assert_moment(at(zone, "2026-04-05 01:45"), utc("2026-04-04 14:45"));
    assert_shows(utc("2026-04-04 15:15"), zone, "2026-04-05 01:45:00");
    assert_moment(at(zone, "2026-04-05 02:00"), utc("2026-04-04 15:30"));
}

static void a_day_that_was_left_out_is_the_start_of_the_next(void **state)
{
    (void)state; /* Samoa went over the date line */
    assert_moment(at("Pacific/Apia", "2011-12-30 12:00"), utc("2011-12-30 10:00"));
    assert_shows(utc("2011-12-30 10:00"), "Pacific/Apia", "2011-12-31 00:00:00");
}

static void leap_days_are_where_the_calendar_has_them(void **state)
{
    (void)state;
    assert_shows(utc("2028-02-28 23:59:59") + 1000, "UTC", "2028-02-29 00:00:00");
    assert_shows(utc("2026-02-28 23:59:59") + 1000, "UTC", "2026-03-01 00:00:00");
    assert_shows(utc("2100-02-28 23:59:59") + 1000, "UTC", "2100-03-01 00:00:00");
    assert_int_equal(civil_day_number(2000, 3, 1) - civil_day_number(2000, 2, 28), 2);
    assert_int_equal(civil_day_number(2100, 3, 1) - civil_day_number(2100, 2, 28), 1);
}

static void leap_seconds_do_not_count(void **state)
{
    (void)state;
    assert_moment(utc("2017-01-01 00:00"), utc("2016-12-31 00:00") + DAY_MS);
    assert_moment(utc("2016-12-31 23:59:60"), utc("2017-01-01 00:00"));
    assert_moment(at("Asia/Tokyo", "2017-01-01 09:00"), utc("2017-01-01 00:00"));
}

static void weekdays_count_from_monday(void **state)
{
    (void)state;
    struct civil civil;

    zone_civil(zone_utc(), 0, &civil);
    assert_int_equal(civil.weekday, 4);
    assert_int_equal(civil.day_number, 0);
    zone_civil(zone_named("America/Los_Angeles"), 0, &civil);
    assert_int_equal(civil.weekday, 3);
    assert_int_equal(civil.day_number, -1);
    zone_civil(zone_utc(), utc("2026-11-22 12:00"), &civil);
    assert_int_equal(civil.weekday, 7);
    assert_int_equal(civil_weekday(civil_day_number(2000, 2, 29)), 2);
    assert_int_equal(civil_weekday(civil_day_number(1900, 1, 1)), 1);
}

static void fields_out_of_range_carry_over(void **state)
{
    (void)state;
    assert_moment(at("America/New_York", "2026-12-31 24:00"),
                  at("America/New_York", "2027-01-01 00:00"));
    assert_moment(utc("2026-13-01 00:00"), utc("2027-01-01 00:00"));
    assert_int_equal(civil_day_number(2026, 13, 0), civil_day_number(2026, 12, 31));
}

static void time_has_a_beginning_and_an_end(void **state)
{
    (void)state;
    assert_moment(utc("1969-12-31 23:59"), 0);
    assert_shows(ZONE_MS_MAX, "UTC", "9999-12-31 23:59:59");
    assert_shows(UINT64_MAX - 1, "UTC", "9999-12-31 23:59:59");
}

static void steady_until_names_each_change_of_the_clocks(void **state)
{
    (void)state;
    const struct zone *zone = zone_named("America/New_York");
    uint64_t spring = utc("2026-03-08 07:00"), autumn = utc("2026-11-01 06:00");

    assert_moment(zone_steady_until(zone, utc("2026-01-01 00:00")), spring);
    assert_moment(zone_steady_until(zone, spring - 1), spring);
    assert_moment(zone_steady_until(zone, spring), autumn);
    assert_moment(zone_steady_until(zone, autumn), utc("2027-03-14 07:00"));
    assert_moment(zone_steady_until(zone, utc("2199-12-01 00:00")), utc("2200-03-09 07:00"));
    assert_moment(zone_steady_until(zone_utc(), 0), UINT64_MAX);
}

static const char *const several[] = {"America/New_York",    "Europe/London",   "Asia/Kolkata",
                                      "Australia/Lord_Howe", "Pacific/Apia",    "America/Sao_Paulo",
                                      "Africa/Casablanca",   "Asia/Tehran",     "America/Havana",
                                      "Antarctica/Troll",    "Pacific/Chatham", "Asia/Pyongyang"};

/* The C library reads the same data with other code. */
static void assert_as_libc(const struct zone *zone, uint64_t ms)
{
    struct tm should = libc_civil(ms);
    struct civil is;

    zone_civil(zone, ms, &is);
    if (is.year != should.tm_year + 1900 || is.month != should.tm_mon + 1 ||
        is.day != should.tm_mday || is.hour != should.tm_hour || is.minute != should.tm_min ||
        is.second != should.tm_sec || is.weekday % 7 != should.tm_wday ||
        is.day_number != civil_day_number(is.year, is.month, is.day))
        fail_msg("%s at %ju", zone_name(zone), (uintmax_t)ms);
}

static void civil_times_are_the_c_librarys(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(several) / sizeof(several[0]); i++) {
        const struct zone *zone = zone_named(several[i]);
        libc_zone(several[i]);
        for (uint64_t ms = 0; ms < UINT64_C(4102444800000); ms += 7919 * MINUTE_MS + 13007) {
            assert_as_libc(zone, ms);
        }
    }
}

/* From 1970 on, and far beyond what anybody plans. */
static void clocks_are_moved_at_the_c_librarys_second(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(several) / sizeof(several[0]); i++) {
        const struct zone *zone = zone_named(several[i]);
        uint64_t ms = 0;
        libc_zone(several[i]);
        for (; ms < utc("2110-01-01 00:00"); ms = zone_steady_until(zone, ms)) {
            if (ms > 0)
                assert_as_libc(zone, ms - 1000);
            assert_as_libc(zone, ms);
        }
        for (ms = utc("2099-12-30 00:00"); ms < utc("2100-01-03 00:00"); ms += HOUR_MS / 2)
            assert_as_libc(zone, ms);
    }
}

/* Dates of 400 years and more, one day behind the other. */
static void dates_are_counted_through(void **state)
{
    (void)state;
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int32_t number = -171; /* 1969-07-14 */
    struct civil is = {.year = 1969, .month = 7, .day = 14};

    for (; is.year < 2420; number++) {
        bool is_leap = is.year % 4 == 0 && (is.year % 100 != 0 || is.year % 400 == 0);
        assert_int_equal(civil_day_number(is.year, is.month, is.day), number);
        if (is.day++ < days[is.month - 1] + (is.month == 2 && is_leap))
            continue;
        is.day = 1;
        is.year += is.month == 12;
        is.month = (uint8_t)(is.month % 12 + 1);
    }
}

static void every_civil_time_leads_back_to_its_moment(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(several) / sizeof(several[0]); i++) {
        const struct zone *zone = zone_named(several[i]);
        for (uint64_t ms = utc("2000-01-01 00:00"); ms < utc("2040-01-01 00:00");
             ms += 617 * MINUTE_MS) {
            struct civil civil, again;
            zone_civil(zone, ms, &civil);
            uint64_t back = zone_moment(zone, &civil);
            zone_civil(zone, back, &again);
            if (civil.day_number != again.day_number || civil.hour != again.hour ||
                civil.minute != again.minute || civil.second != again.second || back > ms ||
                (back < ms && zone_steady_until(zone, back) > ms))
                fail_msg("%s at %ju", several[i], (uintmax_t)ms);
        }
    }
}

/* In a process of its own, as tzdata is read once. */
static void assert_with_data_in(const char *folder, bool holds(void))
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        setenv("TZDIR", folder, 1);
        _exit(holds() ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static bool an_old_name_stands_for_the_new_one(void)
{
    const struct zone *old = zone_find(SLICE("Old"));

    return old && strcmp(zone_name(old), "Old") == 0 && zone_find(SLICE("Here")) &&
           zone_moment(old, &(struct civil){.year = 2026, .month = 7, .day = 1}) ==
               UINT64_C(1782856800000) &&
           !zone_find(SLICE("Lost")) && !zone_find(SLICE("Europe/Berlin")) &&
           strcmp(zone_data_version(), "2099z") == 0;
}

static bool only_utc_is_known(void)
{
    return zone_find(SLICE("UTC")) == zone_utc() && zone_utc() &&
           !zone_find(SLICE("Europe/Berlin")) && strcmp(zone_data_version(), "") == 0;
}

/* Before anything else here has read tzdata. */
static void names_are_those_of_the_data_that_is_there(void **state)
{
    (void)state;
    struct folder folder = folder_make();
    FILE *list = fopen(folder_path(&folder, "tzdata.zi"), "w");

    assert_with_data_in(folder_path(&folder, "none"), only_utc_is_known);
    fputs("# version 2099z\n# a remark\nZ Here 1 - X\nL Here Old\nL Nowhere Lost\n", list);
    fclose(list);
    assert_int_equal(symlink("/usr/share/zoneinfo/Europe/Berlin", folder_path(&folder, "Here")), 0);
    assert_with_data_in(folder.path, an_old_name_stands_for_the_new_one);
    folder_remove(&folder);
}

static void *find_many(void *wrong)
{
    for (size_t i = 0; i < sizeof(several) / sizeof(several[0]); i++) {
        struct civil civil;
        zone_civil(zone_find(slice_of(several[i])), UINT64_C(1700000000000), &civil);
        if (zone_find(SLICE("No/Such")))
            return wrong;
    }
    return NULL;
}

static void threads_find_zones_at_once(void **state)
{
    (void)state;
    pthread_t threads[8];

    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, find_many, threads), 0);
    for (size_t i = 0; i < 8; i++) {
        void *wrong;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_those_of_the_data_that_is_there), /* while nothing is read */
        cmocka_unit_test(threads_find_zones_at_once),                /* while no zone is known */
        cmocka_unit_test(the_same_name_is_the_same_zone),
        cmocka_unit_test(every_zone_has_a_code_of_its_own),
        cmocka_unit_test(what_tzdata_does_not_name_is_no_zone),
        cmocka_unit_test(old_names_are_known_whatever_the_distribution_splits_off),
        cmocka_unit_test(the_version_of_the_data_is_told),
        cmocka_unit_test(new_york_has_winter_and_summer),
        cmocka_unit_test(a_skipped_time_is_the_first_moment_after_the_gap),
        cmocka_unit_test(a_time_that_comes_twice_is_the_first),
        cmocka_unit_test(kolkata_is_half_an_hour_off_and_never_moves),
        cmocka_unit_test(lord_howe_moves_by_half_an_hour),
        cmocka_unit_test(a_day_that_was_left_out_is_the_start_of_the_next),
        cmocka_unit_test(leap_days_are_where_the_calendar_has_them),
        cmocka_unit_test(leap_seconds_do_not_count),
        cmocka_unit_test(weekdays_count_from_monday),
        cmocka_unit_test(fields_out_of_range_carry_over),
        cmocka_unit_test(time_has_a_beginning_and_an_end),
        cmocka_unit_test(steady_until_names_each_change_of_the_clocks),
        cmocka_unit_test(civil_times_are_the_c_librarys),
        cmocka_unit_test(clocks_are_moved_at_the_c_librarys_second),
        cmocka_unit_test(dates_are_counted_through),
        cmocka_unit_test(every_civil_time_leads_back_to_its_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
