/* When a business is open: hours of the week in one time zone, and holidays.
 *
 * A calendar is plain data, so that it may be built from a playbook or stand in a
 * table; whoever made it keeps the week and the holidays while it is used. It is
 * open at a moment when the clock on its wall shows a minute of one of that
 * weekday's spans and the date is no holiday. So on the night when an hour comes
 * twice the span counts twice, and what is skipped is never open.
 *
 * Pure: no clock, no memory, any thread. Moments are ms in UTC. All searches end:
 * UINT64_MAX says that there is nothing within CALENDAR_DAYS_MAX days. */
#ifndef HOTLEAD_SERVER_CALENDAR_H
#define HOTLEAD_SERVER_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/status.h"
#include "proto/zone.h"

#define CALENDAR_DAYS_MAX   (5 * 366)
#define CALENDAR_SPANS_MAX  4 /* a day */
#define CALENDAR_DAY_MINUTE 1440

/* Minutes of the local day: open from the first, closed from the second on. */
struct calendar_span {
    uint16_t opens, closes; /* opens < closes <= CALENDAR_DAY_MINUTE; both 0: not used */
};

/* Monday first; a day's spans in order, apart, the unused ones last. */
struct calendar_week {
    struct calendar_span day[7][CALENDAR_SPANS_MAX];
};

enum holiday_kind {
    HOLIDAY_DATE,    /* year, month, day: once */
    HOLIDAY_YEARLY,  /* month, day */
    HOLIDAY_WEEKDAY, /* the nth `weekday` of the month; -1 is the last */
    HOLIDAY_EASTER,  /* Easter Sunday of the Gregorian calendar */
};

/* A holiday on a weekend is kept on another day as well. The day itself stays one. */
enum holiday_observed {
    OBSERVED_AS_IT_FALLS,
    OBSERVED_NEAREST, /* Saturday on the Friday before, Sunday on the Monday after */
    OBSERVED_MONDAY,  /* both on the Monday after */
};

struct holiday {
    enum holiday_kind kind;
    enum holiday_observed observed;
    int16_t year; /* of a date; else the first year in which it is kept, 0 for always */
    uint8_t month, day;
    uint8_t weekday; /* 1 Monday to 7 Sunday */
    int8_t nth;
    int8_t days_after; /* added to the day that all this gives; may be below 0 */
};

struct calendar {
    const struct zone *zone;
    const struct calendar_week *week;
    const struct holiday *holidays;
    size_t holiday_count;
};

enum calendar_state {
    CALENDAR_OPEN,
    CALENDAR_OUT_OF_HOURS, /* of a day that has some */
    CALENDAR_WEEKDAY_OFF,
    CALENDAR_HOLIDAY,
};

/* 5 U.S.C. 6103: the legal holidays of the United States' government, with the days on
 * which those of a weekend are kept. */
#define CALENDAR_US_FEDERAL_COUNT 11
extern const struct holiday calendar_us_federal[CALENDAR_US_FEDERAL_COUNT];

/* Adds a span to the day. INVALID: not within a day, or it meets one that is there;
 * TOO_LARGE: the day has CALENDAR_SPANS_MAX. A night's hours are two spans. */
enum status calendar_week_add(struct calendar_week *week, int weekday, unsigned opens,
                              unsigned closes);

enum calendar_state calendar_state(const struct calendar *calendar, uint64_t ms);

/* A later moment up to which the state stays what it is at `ms`: the next edge of a span,
 * change of the zone's clocks, or midnight, whichever is first. */
uint64_t calendar_steady_until(const struct calendar *calendar, uint64_t ms);

/* Whether some day of the year has hours and is no holiday; the zone does not matter. */
bool calendar_opens_in(const struct calendar *calendar, int32_t year);

/* The first open moment from `ms` on. */
uint64_t calendar_opens(const struct calendar *calendar, uint64_t ms);

/* The first closed moment from `ms` on. */
uint64_t calendar_closes(const struct calendar *calendar, uint64_t ms);

/* The last closing of the business day that `ms` belongs to: today while today has hours
 * left, else the next day that has any. */
uint64_t calendar_day_end(const struct calendar *calendar, uint64_t ms);

#endif
