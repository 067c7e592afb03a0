/* When the law allows a call, and how many.
 *
 * The rules are data (server/law.yaml): for each jurisdiction its hours, days without
 * calls and caps, each with its source. A person may be in several jurisdictions and
 * zones at once, as far as anybody can tell: a phone number moves, a postal code and
 * an area code disagree. A moment is legal when it is legal in all of them.
 *
 * Jurisdictions are ISO 3166 codes, "US" or "US-FL"; a country's rule binds in its
 * states as well. Where there is no rule for one, a safe default binds.
 *
 * Pure: no clock, no memory, any thread. */
#ifndef HOTLEAD_SERVER_LAW_H
#define HOTLEAD_SERVER_LAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/zone.h"

#define LAW_JURISDICTIONS_MAX 32
#define LAW_DAYS_MAX          31 /* how far ahead a legal moment is looked for */

struct law;
struct calendar_week;

/* Why a call has to wait. The text is for records and people; append only. */
#define LAW_REASON_MAP(XX)                                                                         \
    XX(NONE, "none")                                                                               \
    XX(HOURS, "calling_hours")                                                                     \
    XX(WEEKDAY, "calling_weekday")                                                                 \
    XX(HOLIDAY, "calling_holiday")                                                                 \
    XX(CAP, "calling_cap")

enum law_reason {
#define XX(name, text) LAW_REASON_##name,
    LAW_REASON_MAP(XX)
#undef XX
};

/* Where a person may be: what their phone, postal code and own words say, all of it. */
struct law_place {
    const char *const *jurisdictions; /* at most LAW_JURISDICTIONS_MAX */
    size_t jurisdiction_count;
    const struct zone *const *zones; /* none: the rule for unknown zones binds */
    size_t zone_count;
};

struct law_answer {
    bool allowed;       /* at the moment that was asked about */
    uint64_t opens_ms;  /* the first legal moment from then on; UINT64_MAX: none for LAW_DAYS_MAX
                           days */
    uint64_t closes_ms; /* the first moment after opens_ms that is not; UINT64_MAX: none as long */
    /* Where it is not allowed: which rule holds it longest. */
    enum law_reason reason;
    const char *jurisdiction; /* of the rule: "US-LA", "*" for the default; for ever */
    const char *source;       /* the rule's; for ever */
    const struct zone *zone;  /* on whose clocks; NULL for a cap */
};

/* The law as it was when this program was built. */
const struct law *law_shipped(void);

/* Whether some rule allows a call in some hour of the week, on the clocks of the person. Where none
 * does nobody may ever be called in those hours. */
bool law_may_allow(const struct law *law, const struct calendar_week *week);

/* For the record of which law decided: the date of the data. */
const char *law_version(const struct law *law);

const char *law_reason_text(enum law_reason reason);

/* The hours and days in which a call may be made. */
void law_window(const struct law *law, const struct law_place *place, uint64_t ms,
                struct law_answer *out);

/* The same, and the caps: `calls_ms` are the earlier calls that count, in order of time. */
void law_call(const struct law *law, const struct law_place *place, const uint64_t *calls_ms,
              size_t call_count, uint64_t ms, struct law_answer *out);

#endif
