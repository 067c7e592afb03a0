/* The rules as tables, between server/law.py, which makes them, and server/law.c. */
#ifndef HOTLEAD_SERVER_LAW_INTERNAL_H
#define HOTLEAD_SERVER_LAW_INTERNAL_H

#include "server/calendar.h"
#include "server/law.h"

#define LAW_CAPS_MAX          2 /* a rule */
#define LAW_UNKNOWN_ZONES_MAX 4

struct law_cap {
    uint16_t calls, hours; /* at most so many within so many */
};

struct law_rule {
    const char *jurisdiction;
    const char *source;
    char mark;        /* how well the source is known, see server/law.yaml */
    int32_t from_day; /* the first on which it binds, as civil.day_number */
    struct calendar_week week;
    const struct holiday *holidays;
    size_t holiday_count;
    const char *zone; /* whose clocks count as well; NULL: only the person's */
    struct law_cap caps[LAW_CAPS_MAX];
    size_t cap_count;
};

struct law {
    const char *version;
    const struct law_rule *rules; /* by jurisdiction, in the order of strcmp */
    size_t rule_count;
    struct law_rule fallback;     /* binds where a jurisdiction has no rule */
    struct law_rule unknown_zone; /* binds, in these, where no zone is known */
    const char *unknown_zones[LAW_UNKNOWN_ZONES_MAX];
    size_t unknown_zone_count;
};

extern const struct law law_table;

#endif
