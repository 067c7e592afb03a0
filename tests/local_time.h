/* What the tests of calendars and law share: moments as clocks on walls show them, and a second
 * opinion on what they show, the C library's. */
#ifndef HOTLEAD_TESTS_LOCAL_TIME_H
#define HOTLEAD_TESTS_LOCAL_TIME_H

#include <time.h>

#include "proto/zone.h"
#include "tests/unit.h"

#define MINUTE_MS UINT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

static inline const struct zone *zone_named(const char *name)
{
    const struct zone *zone = zone_find(slice_of(name));

    if (!zone)
        fail_msg("no zone %s", name);
    return zone;
}

/* "2026-11-01 01:30" or "2026-11-01 01:30:15", on the clocks of that zone. */
static inline uint64_t at(const char *zone, const char *text)
{
    int year, month, day, hour, minute, second = 0;

    if (sscanf(text, "%d-%d-%d %d:%d:%d", &year, &month, &day, &hour, &minute, &second) < 5)
        fail_msg("no time: %s", text);
    struct civil civil = {.year = year,
                          .month = (uint8_t)month,
                          .day = (uint8_t)day,
                          .hour = (uint8_t)hour,
                          .minute = (uint8_t)minute,
                          .second = (uint8_t)second};
    return zone_moment(zone_named(zone), &civil);
}

static inline uint64_t utc(const char *text)
{
    return at("UTC", text);
}

static inline void shown(uint64_t ms, const struct zone *zone, char out[64])
{
    struct civil civil;

    if (ms == UINT64_MAX) {
        snprintf(out, 64, "never");
        return;
    }
    zone_civil(zone, ms, &civil);
    snprintf(out, 64, "%d-%02u-%02u %02u:%02u:%02u.%03u", civil.year, civil.month, civil.day,
             civil.hour, civil.minute, civil.second, (unsigned)(ms % 1000));
}

/* Compares moments, and shows them as UTC. */
#define assert_moment(actual, expected)                                                            \
    do {                                                                                           \
        uint64_t is_ = (actual), should_ = (expected);                                             \
        char is_text_[64], should_text_[64];                                                       \
        shown(is_, zone_utc(), is_text_);                                                          \
        shown(should_, zone_utc(), should_text_);                                                  \
        if (is_ != should_)                                                                        \
            fail_msg("moment is %s, should be %s (UTC)", is_text_, should_text_);                  \
    } while (0)

/* From now on libc_civil() is in this zone. */
static inline void libc_zone(const char *name)
{
    setenv("TZ", name, 1);
    tzset();
}

static inline struct tm libc_civil(uint64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;

    localtime_r(&seconds, &tm);
    return tm;
}

/* Repeatable random numbers. */
static inline uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33) % below;
}

#endif
