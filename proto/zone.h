/* Local time: what a clock on somebody's wall shows, and the other way round.
 *
 * A zone is one of the IANA time zones that the system's tzdata names, such as
 * "America/New_York". Reading that data is the only I/O here: the list of names at
 * the first call, a zone when it is first found. Everything after that is a pure
 * function of the data, and zone_data_version() says which data that is, so that a
 * decision can be recorded with it. One C++ file sees the library (cctz).
 *
 * Moments are ms since 1970 in UTC; a zone's offset is never stored, as rules
 * change. Any thread, without waiting but for a zone's first reading. */
#ifndef HOTLEAD_PROTO_ZONE_H
#define HOTLEAD_PROTO_ZONE_H

#include <stdint.h>

#include "proto/slice.h"

#ifdef __cplusplus
extern "C" {
#endif

#define ZONE_MS_MAX UINT64_C(253402300799999) /* the end of the year 9999, UTC */

struct zone;

/* A local date and time. Leap seconds are not counted, as in all of POSIX. */
struct civil {
    int32_t year;
    uint8_t month, day;           /* from 1 */
    uint8_t hour, minute, second; /* from 0 */
    uint8_t weekday;              /* 1 Monday to 7 Sunday */
    int32_t day_number;           /* of the date: 1970-01-01 is 0 */
};

/* NULL: tzdata has no zone of that name, or cannot be read; then only "UTC" is known.
 * The zone stays for the life of the process, one for each name. Names may come from
 * anybody: what tzdata does not list is neither looked for on disk nor remembered. */
const struct zone *zone_find(struct slice name);

const struct zone *zone_utc(void);

/* As it was asked for; terminated. */
const char *zone_name(const struct zone *zone);

/* What stands for a zone in stored rows: it depends on its name alone, and no two of tzdata's
 * names share one. 0 is no zone's. */
uint32_t zone_code(const struct zone *zone);    /* NULL: 0 */
const struct zone *zone_of_code(uint32_t code); /* NULL: as zone_find */

/* tzdata's own, "2025b"; "" where it does not say. */
const char *zone_data_version(void);

/* Moments after ZONE_MS_MAX are read as that one. */
void zone_civil(const struct zone *zone, uint64_t ms, struct civil *out);

/* Reads year to second; fields out of range carry over, so that hour 24 is the next
 * midnight. A time that is skipped: the first moment after the gap. One that comes
 * twice: the first. Before 1970: 0. */
uint64_t zone_moment(const struct zone *zone, const struct civil *civil);

/* The first moment after `ms` at which the zone's clocks are moved; UINT64_MAX where
 * no such is known. Known are some 400 years ahead. */
uint64_t zone_steady_until(const struct zone *zone, uint64_t ms);

/* The day_number of a date; months and days out of range carry over. */
int32_t civil_day_number(int32_t year, int month, int day);

/* 1 Monday to 7 Sunday. */
int civil_weekday(int32_t day_number);

#ifdef __cplusplus
}
#endif

#endif
