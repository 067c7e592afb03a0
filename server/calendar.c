/* Every search walks from edge to edge: from a moment to the next one at which the answer may
 * change. Within such a step the zone's offset is constant, so that minutes of the local day and
 * ms are the same measure, and no night of moved clocks needs a rule of its own. A step ends with
 * the local day, whose holidays and hours were looked up at its start; a search takes whole days
 * that are alike in one step, up to the end of the year. The holidays of a year are worked out once
 * in a search, so that their number costs nothing a day. */
#include "server/calendar.h"

#include "proto/must.h"

#define MINUTE_MS UINT64_C(60000)
#define DAY_MS    (CALENDAR_DAY_MINUTE * MINUTE_MS)

const struct holiday calendar_us_federal[CALENDAR_US_FEDERAL_COUNT] = {
    {.kind = HOLIDAY_YEARLY, .month = 1, .day = 1, .observed = OBSERVED_NEAREST},
    {.kind = HOLIDAY_WEEKDAY, .month = 1, .weekday = 1, .nth = 3, .year = 1986}, /* King */
    {.kind = HOLIDAY_WEEKDAY, .month = 2, .weekday = 1, .nth = 3},               /* Washington */
    {.kind = HOLIDAY_WEEKDAY, .month = 5, .weekday = 1, .nth = -1},              /* Memorial */
    {.kind = HOLIDAY_YEARLY, .month = 6, .day = 19, .observed = OBSERVED_NEAREST, .year = 2021},
    {.kind = HOLIDAY_YEARLY, .month = 7, .day = 4, .observed = OBSERVED_NEAREST},
    {.kind = HOLIDAY_WEEKDAY, .month = 9, .weekday = 1, .nth = 1},  /* Labor */
    {.kind = HOLIDAY_WEEKDAY, .month = 10, .weekday = 1, .nth = 2}, /* Columbus */
    {.kind = HOLIDAY_YEARLY, .month = 11, .day = 11, .observed = OBSERVED_NEAREST},
    {.kind = HOLIDAY_WEEKDAY, .month = 11, .weekday = 4, .nth = 4}, /* Thanksgiving */
    {.kind = HOLIDAY_YEARLY, .month = 12, .day = 25, .observed = OBSERVED_NEAREST},
};

/* --- holidays ------------------------------------------------------------------ */

static int32_t nth_weekday(int32_t year, const struct holiday *holiday)
{
    if (holiday->nth < 0) {
        int32_t last = civil_day_number(year, holiday->month + 1, 0);
        int back = (civil_weekday(last) - holiday->weekday + 7) % 7;
        return last - back + 7 * (holiday->nth + 1);
    }
    int32_t first = civil_day_number(year, holiday->month, 1);
    int ahead = (holiday->weekday - civil_weekday(first) + 7) % 7;
    return first + ahead + 7 * (holiday->nth - 1);
}

/* Gauss' way to the Sunday after the ecclesiastical full moon of spring, as Meeus gives it. */
static int32_t easter(int32_t year)
{
    int32_t golden = year % 19, century = year / 100, rest = year % 100;
    int32_t moon_shift = (century - (century + 8) / 25 + 1) / 3;
    int32_t moon = (19 * golden + century - century / 4 - moon_shift + 15) % 30;
    int32_t sunday = (32 + 2 * (century % 4) + 2 * (rest / 4) - moon - rest % 4) % 7;
    int32_t late = (golden + 11 * moon + 22 * sunday) / 451;
    int32_t day = moon + sunday - 7 * late + 114;

    return civil_day_number(year, day / 31, day % 31 + 1);
}

static int32_t holiday_of_year(const struct holiday *holiday, int32_t year)
{
    int32_t day = 0;

    switch (holiday->kind) {
    case HOLIDAY_DATE:
    case HOLIDAY_YEARLY:
        day = civil_day_number(year, holiday->month, holiday->day);
        break;
    case HOLIDAY_WEEKDAY:
        day = nth_weekday(year, holiday);
        break;
    case HOLIDAY_EASTER:
        day = easter(year);
        break;
    }
    return day + holiday->days_after;
}

static int32_t observed_day(enum holiday_observed observed, int32_t day)
{
    int weekday = civil_weekday(day);

    if (observed == OBSERVED_AS_IT_FALLS || weekday < 6)
        return day;
    if (weekday == 7)
        return day + 1;
    return observed == OBSERVED_NEAREST ? day - 1 : day + 2;
}

static bool holiday_is_kept_in(const struct holiday *holiday, int32_t year)
{
    return holiday->kind == HOLIDAY_DATE ? year == holiday->year : year >= holiday->year;
}

/* February 29 and a fifth Monday are no days of most years, where they would carry over into the
 * month behind. */
static bool holiday_exists_in(const struct holiday *holiday, int32_t year)
{
    bool is_weekday = holiday->kind == HOLIDAY_WEEKDAY, is_easter = holiday->kind == HOLIDAY_EASTER;
    bool is_leap_day = !is_weekday && !is_easter && holiday->month == 2 && holiday->day == 29;

    if (!is_leap_day && !(is_weekday && (holiday->nth > 4 || holiday->nth < -4)))
        return true;
    int32_t day = holiday_of_year(holiday, year) - holiday->days_after;
    return day >= civil_day_number(year, holiday->month, 1) &&
           day < civil_day_number(year, holiday->month + 1, 1);
}

/* A year of a calendar. */
struct year {
    int32_t number; /* 0: none yet */
    int32_t first_day, end_day;
    uint64_t holidays[6]; /* bit n: the day n after the first */
};

static void note_day(struct year *year, int32_t day)
{
    uint32_t place = (uint32_t)(day - year->first_day);

    if (day >= year->first_day && day < year->end_day)
        year->holidays[place / 64] |= UINT64_C(1) << place % 64;
}

#define DAYS_NEAR 27 /* with the days to the one on which it is kept, less than a month */

/* Over the turn of the year a day may be another year's: New Year's Day is kept on the last day of
 * the old year where it is a Saturday. */
static void note_holiday(struct year *year, const struct holiday *holiday)
{
    bool is_far = holiday->days_after < -DAYS_NEAR || holiday->days_after > DAYS_NEAR;
    int32_t first = year->number - (is_far || holiday->month == 12);
    int32_t last = year->number + (is_far || holiday->month == 1);

    for (int32_t of = first; of <= last; of++) {
        if (!holiday_is_kept_in(holiday, of) || !holiday_exists_in(holiday, of))
            continue;
        int32_t day = holiday_of_year(holiday, of);
        note_day(year, day);
        note_day(year, observed_day(holiday->observed, day));
    }
}

static struct year year_of(const struct calendar *calendar, int32_t number)
{
    struct year year = {
        number, civil_day_number(number, 1, 1), civil_day_number(number + 1, 1, 1), {0}};

    for (size_t i = 0; i < calendar->holiday_count; i++)
        note_holiday(&year, &calendar->holidays[i]);
    return year;
}

static bool is_holiday(const struct year *year, int32_t day)
{
    uint32_t place = (uint32_t)(day - year->first_day);

    return year->holidays[place / 64] >> place % 64 & 1;
}

/* --- the week ------------------------------------------------------------------ */

static bool is_used(struct calendar_span span)
{
    return span.closes > 0;
}

enum status calendar_week_add(struct calendar_week *week, int weekday, unsigned opens,
                              unsigned closes)
{
    MUST(weekday >= 1 && weekday <= 7);
    struct calendar_span *day = week->day[weekday - 1];
    size_t count = 0, place = 0;

    if (opens >= closes || closes > CALENDAR_DAY_MINUTE)
        return STATUS_INVALID;
    while (count < CALENDAR_SPANS_MAX && is_used(day[count])) {
        if (opens <= day[count].closes && day[count].opens <= closes)
            return STATUS_INVALID;
        if (day[count].opens < opens)
            place = count + 1;
        count++;
    }
    if (count == CALENDAR_SPANS_MAX)
        return STATUS_TOO_LARGE;
    for (size_t i = count; i > place; i--)
        day[i] = day[i - 1];
    day[place] = (struct calendar_span){(uint16_t)opens, (uint16_t)closes};
    return STATUS_OK;
}

/* From midnight to midnight it is open, or it is not. */
static bool is_whole(const struct calendar *calendar, const struct year *year, int32_t day,
                     bool open)
{
    const struct calendar_span *spans = calendar->week->day[civil_weekday(day) - 1];
    bool has_hours = is_used(spans[0]) && !is_holiday(year, day);

    return open ? has_hours && spans[0].opens == 0 && spans[0].closes == CALENDAR_DAY_MINUTE
                : !has_hours;
}

static unsigned minute_of(const struct civil *local)
{
    return local->hour * 60u + local->minute;
}

/* --- the walk ------------------------------------------------------------------ */

struct walk {
    const struct calendar *calendar;
    struct year year; /* in which it is */
};

/* What holds from a moment on, until the next edge. */
struct step {
    struct civil local;
    enum calendar_state state;
    unsigned edge_minute; /* from the local day's midnight on, if no clock is moved before */
};

static void enter_year(struct walk *walk, int32_t number)
{
    if (walk->year.number != number)
        walk->year = year_of(walk->calendar, number);
}

static struct step step_at(struct walk *walk, uint64_t ms)
{
    struct step step = {.edge_minute = CALENDAR_DAY_MINUTE};
    zone_civil(walk->calendar->zone, ms, &step.local);
    const struct calendar_span *spans = walk->calendar->week->day[step.local.weekday - 1];
    unsigned minute = minute_of(&step.local);

    if (walk->calendar->holiday_count > 0)
        enter_year(walk, step.local.year);
    if (walk->calendar->holiday_count > 0 && is_holiday(&walk->year, step.local.day_number)) {
        step.state = CALENDAR_HOLIDAY;
        return step;
    }
    step.state = is_used(spans[0]) ? CALENDAR_OUT_OF_HOURS : CALENDAR_WEEKDAY_OFF;
    for (size_t i = 0; i < CALENDAR_SPANS_MAX && is_used(spans[i]); i++) {
        if (minute < spans[i].opens) {
            step.edge_minute = spans[i].opens;
            break;
        }
        if (minute < spans[i].closes) {
            step.state = CALENDAR_OPEN;
            step.edge_minute = spans[i].closes;
            break;
        }
    }
    return step;
}

static uint64_t step_end(const struct calendar *calendar, const struct step *step, uint64_t ms)
{
    uint64_t in_minute = step->local.second * UINT64_C(1000) + ms % 1000;
    uint64_t edge = ms + (step->edge_minute - minute_of(&step->local)) * MINUTE_MS - in_minute;
    uint64_t moved = zone_steady_until(calendar->zone, ms);

    return moved < edge ? moved : edge;
}

enum calendar_state calendar_state(const struct calendar *calendar, uint64_t ms)
{
    struct walk walk = {.calendar = calendar};

    return step_at(&walk, ms).state;
}

uint64_t calendar_steady_until(const struct calendar *calendar, uint64_t ms)
{
    struct walk walk = {.calendar = calendar};
    struct step step = step_at(&walk, ms);

    return step_end(calendar, &step, ms);
}

bool calendar_opens_in(const struct calendar *calendar, int32_t year)
{
    const struct year of = year_of(calendar, year);

    for (int32_t day = of.first_day; day < of.end_day; day++) {
        if (!is_whole(calendar, &of, day, false))
            return true;
    }
    return false;
}

/* Where a search that starts at `ms` gives up. Nothing is looked for near the end of time. */
static uint64_t search_end(uint64_t ms)
{
    uint64_t days = CALENDAR_DAYS_MAX * DAY_MS;

    return ms < ZONE_MS_MAX - days ? ms + days : 0;
}

/* How many days behind a whole one are as that is, in its year; behind another day none. */
static unsigned days_alike(struct walk *walk, const struct civil *today, bool open)
{
    int32_t day = today->day_number;

    enter_year(walk, today->year);
    while (day < walk->year.end_day && is_whole(walk->calendar, &walk->year, day, open))
        day++;
    return day > today->day_number ? (unsigned)(day - today->day_number) - 1 : 0;
}

static uint64_t first_that_is(const struct calendar *calendar, bool open, uint64_t ms)
{
    struct walk walk = {.calendar = calendar};
    uint64_t end = search_end(ms);

    while (ms < end) {
        struct step step = step_at(&walk, ms);
        if ((step.state == CALENDAR_OPEN) == open)
            return ms;
        step.edge_minute += CALENDAR_DAY_MINUTE * days_alike(&walk, &step.local, !open);
        ms = step_end(calendar, &step, ms);
    }
    return UINT64_MAX;
}

uint64_t calendar_opens(const struct calendar *calendar, uint64_t ms)
{
    return first_that_is(calendar, true, ms);
}

uint64_t calendar_closes(const struct calendar *calendar, uint64_t ms)
{
    return first_that_is(calendar, false, ms);
}

uint64_t calendar_day_end(const struct calendar *calendar, uint64_t ms)
{
    struct walk walk = {.calendar = calendar};
    uint64_t at = calendar_opens(calendar, ms), day_end = at;
    if (at == UINT64_MAX)
        return UINT64_MAX;
    struct step step = step_at(&walk, at);
    int32_t today = step.local.day_number;

    while (step.local.day_number == today) {
        at = step_end(calendar, &step, at);
        if (step.state == CALENDAR_OPEN)
            day_end = at;
        step = step_at(&walk, at);
    }
    return day_end;
}
