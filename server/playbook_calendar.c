/* Business calendars: the hours of weekdays, and holidays.
 *
 *   hours: {mon-fri: "09:00-12:00, 13:00-17:00", sat: "10:00-14:00"}
 *   holidays: [2026-12-24, 12-25 observed, 4th thu nov, 4th thu nov +1, easter -2]
 *
 * `observed`: of a weekend on the nearest weekday as well; `observed monday`: on the Monday after.
 */
#include <stdio.h>
#include <stdlib.h>

#include "server/playbook_internal.h"

#define SHIFT_MAX 60

static const char *const weekdays[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                     "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const ranks[] = {"1st", "2nd", "3rd", "4th", "5th"};
static const uint8_t month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

const char *playbook_weekday(unsigned weekday)
{
    return weekdays[weekday];
}

static int find(const char *const *names, unsigned count, struct slice word)
{
    for (unsigned i = 0; i < count; i++) {
        if (slice_equal(word, slice_of(names[i])))
            return (int)i;
    }
    return -1;
}

/* Splits off what stands before a byte, and the byte; spaces around it are left out. Where the byte
 * stands last there is a rest, which is empty; behind the last part there is none: its `bytes` are
 * NULL. */
static struct slice split(struct slice *rest, char at)
{
    const char *end = rest->length > 0 ? memchr(rest->bytes, at, rest->length) : NULL;
    struct slice part = {rest->bytes, end ? (size_t)(end - rest->bytes) : rest->length};

    *rest = end ? (struct slice){end + 1, rest->length - part.length - 1} : (struct slice){0};
    while (part.length > 0 && part.bytes[0] == ' ') {
        part.bytes++;
        part.length--;
    }
    while (part.length > 0 && part.bytes[part.length - 1] == ' ')
        part.length--;
    return part;
}

/* --- hours ----------------------------------------------------------------------------------- */

/* "mon-fri" and "sat": a bit a weekday, over the week's end too; 0: neither. */
static unsigned weekdays_of(struct slice text)
{
    struct slice rest = text, first = split(&rest, '-');
    int from = find(weekdays, 7, first);
    int until = rest.bytes ? find(weekdays, 7, split(&rest, '-')) : from;
    unsigned days = 0;

    if (slice_equal(text, SLICE("daily")))
        return 0x7f;
    if (from < 0 || until < 0 || rest.bytes)
        return 0;
    for (int day = from;; day = (day + 1) % 7) {
        days |= 1u << day;
        if (day == until)
            return days;
    }
}

static bool read_span(struct slice text, struct calendar_span *out)
{
    struct slice rest = text, opens = split(&rest, '-'), closes = split(&rest, '-');

    return !rest.bytes && playbook_minute_of(opens, false, &out->opens) &&
           playbook_minute_of(closes, true, &out->closes) && out->opens < out->closes;
}

static int compare_spans(const void *a, const void *b)
{
    const struct calendar_span *left = a, *right = b;

    return left->opens - right->opens;
}

/* Where one ends as the next begins, they are one. False: they overlap. */
static bool join_spans(struct calendar_span *spans, unsigned count)
{
    unsigned last = 0;

    qsort(spans, count, sizeof(*spans), compare_spans);
    for (unsigned i = 1; i < count; i++) {
        struct calendar_span span = spans[i];
        if (span.opens < spans[last].closes)
            return false;
        spans[i] = (struct calendar_span){0};
        if (span.opens == spans[last].closes)
            spans[last].closes = span.closes;
        else
            spans[++last] = span;
    }
    return true;
}

/* NULL: they are good; else what is wrong. */
static const char *read_spans(const struct tree *node, struct calendar_span *out)
{
    static const char form[] = "hours are written as \"09:00-12:00, 13:00-17:00\", up to 24:00";
    struct slice rest = node->text;
    unsigned count = 0;

    if (node->kind != TREE_TEXT)
        return form;
    for (; rest.bytes; count++) {
        struct slice part = split(&rest, ',');
        if (count == CALENDAR_SPANS_MAX)
            return "a day has at most 4 spans of hours; make one of those that are close";
        if (!read_span(part, &out[count]))
            return form;
    }
    return join_spans(out, count) ? NULL : "these hours overlap; write each of them once";
}

static void read_days(struct reading *reading, const struct tree *key,
                      struct playbook_calendar *calendar)
{
    struct calendar_span spans[CALENDAR_SPANS_MAX] = {{0}};
    unsigned days = weekdays_of(key->text);
    const char *wrong = days != 0 ? read_spans(key->value, spans) : NULL;

    if (days == 0)
        playbook_complain(reading, key->at, "'%.20s' is no day: write mon, mon-fri or daily",
                          key->text.bytes);
    if (wrong)
        playbook_complain(reading, key->value->at, "%s", wrong);
    for (unsigned day = 0; day < 7 && !wrong; day++) {
        if (!(days >> day & 1))
            continue;
        if (calendar->week.day[day][0].closes > 0)
            playbook_complain(reading, key->at, "%s has its hours already", weekdays[day]);
        memcpy(calendar->week.day[day], spans, sizeof(spans));
    }
}

void playbook_read_hours(struct reading *reading, const struct tree *node,
                         struct playbook_calendar *calendar)
{
    if (node->kind != TREE_MAP) {
        playbook_complain(reading, node->at,
                          "hours: lines such as `mon-fri: \"09:00-17:00\"` must stand here");
        return;
    }
    for (const struct tree *key = node->first; key; key = key->next)
        read_days(reading, key, calendar);
}

void playbook_write_hours(const struct playbook_calendar *calendar, unsigned weekday,
                          struct text *out)
{
    const struct calendar_span *spans = calendar->week.day[weekday];

    for (unsigned i = 0; i < CALENDAR_SPANS_MAX && spans[i].closes > 0; i++)
        text_printf(out, "%s%02u:%02u-%02u:%02u", i ? ", " : "", spans[i].opens / 60u,
                    spans[i].opens % 60u, spans[i].closes / 60u, spans[i].closes % 60u);
}

/* --- holidays -------------------------------------------------------------------------------- */

static int number_of(struct slice text)
{
    int number = 0;

    if (text.length == 0 || text.length > 4)
        return -1;
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return -1;
        number = number * 10 + (text.bytes[i] - '0');
    }
    return number;
}

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* 2026-12-24, or 12-25 of every year. */
static bool read_date(struct slice text, struct holiday *out)
{
    struct slice rest = text;
    int year = 0, month, day;

    if (text.length == 10)
        year = number_of(split(&rest, '-'));
    else if (text.length != 5)
        return false;
    month = number_of(split(&rest, '-'));
    day = number_of(rest);
    if (month < 1 || month > 12 || day < 1 || day > month_days[month - 1])
        return false;
    if (text.length == 10 && (year < 1970 || (month == 2 && day == 29 && !is_leap(year))))
        return false;
    *out = (struct holiday){.kind = year != 0 ? HOLIDAY_DATE : HOLIDAY_YEARLY,
                            .year = (int16_t)year,
                            .month = (uint8_t)month,
                            .day = (uint8_t)day};
    return true;
}

/* "4th thu nov", "last mon may": what is behind the first word. */
static bool read_weekday_date(struct slice rank, struct slice *rest, struct holiday *out)
{
    int nth = slice_equal(rank, SLICE("last")) ? -1 : find(ranks, 5, rank) + 1;
    int weekday = find(weekdays, 7, split(rest, ' '));
    int month = find(months, 12, split(rest, ' '));

    if (nth == 0 || weekday < 0 || month < 0)
        return false;
    out->kind = HOLIDAY_WEEKDAY;
    out->month = (uint8_t)(month + 1);
    out->nth = (int8_t)nth;
    out->weekday = (uint8_t)(weekday + 1);
    return true;
}

/* +1 or -2, if that stands there. */
static bool read_shift(struct slice *rest, struct holiday *out)
{
    struct slice word;
    int days;

    if (rest->length == 0 || !memchr("+-", rest->bytes[0], 2))
        return true;
    word = split(rest, ' ');
    days = number_of((struct slice){word.bytes + 1, word.length - 1});
    if (days < 1 || days > SHIFT_MAX)
        return false;
    out->days_after = (int8_t)(word.bytes[0] == '-' ? -days : days);
    return true;
}

static bool read_observed(struct slice rest, struct holiday *out)
{
    if (slice_equal(rest, SLICE("observed")))
        out->observed = OBSERVED_NEAREST;
    else if (slice_equal(rest, SLICE("observed monday")))
        out->observed = OBSERVED_MONDAY;
    else
        return rest.length == 0;
    return true;
}

static bool read_holiday(struct slice text, struct holiday *out)
{
    struct slice rest = text, first = split(&rest, ' ');

    *out = (struct holiday){0};
    if (slice_equal(first, SLICE("easter")))
        out->kind = HOLIDAY_EASTER;
    else if (!read_date(first, out) && !read_weekday_date(first, &rest, out))
        return false;
    return read_shift(&rest, out) && read_observed(rest, out);
}

static int compare_holidays(const void *a, const void *b)
{
    const struct holiday *left = a, *right = b;
    const int lefts[] = {left->year,       left->kind == HOLIDAY_EASTER,
                         left->month,      left->day,
                         left->nth,        left->weekday,
                         left->days_after, (int)left->observed};
    const int rights[] = {right->year,       right->kind == HOLIDAY_EASTER,
                          right->month,      right->day,
                          right->nth,        right->weekday,
                          right->days_after, (int)right->observed};

    for (unsigned i = 0; i < 8; i++) {
        if (lefts[i] != rights[i])
            return lefts[i] < rights[i] ? -1 : 1;
    }
    return 0;
}

void playbook_read_holidays(struct reading *reading, const struct tree *node,
                            struct entries *holidays)
{
    struct holiday *items = playbook_alloc(reading->arena, (node->count + 1) * sizeof(*items));
    uint32_t count = 0, kept = 0;

    if (node->kind != TREE_LIST)
        playbook_complain(reading, node->at, "holidays: a list must stand here");
    for (const struct tree *item = node->first; item && node->kind == TREE_LIST;
         item = item->next) {
        if (item->kind == TREE_TEXT && read_holiday(item->text, &items[count]))
            count++;
        else
            playbook_complain(reading, item->at,
                              "a holiday is written as 2026-12-24, as 12-25 for every year, as "
                              "`4th thu nov`, `last mon may` or `easter`; behind it may stand "
                              "`+1` or `-2` days, and `observed`");
    }
    qsort(items, count, sizeof(*items), compare_holidays);
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || compare_holidays(&items[i], &items[i - 1]) != 0)
            items[kept++] = items[i];
    *holidays = (struct entries){items, kept};
}

void playbook_holiday_write(const struct holiday *holiday, struct text *out)
{
    static const char *const observed[] = {"", " observed", " observed monday"};

    switch (holiday->kind) {
    case HOLIDAY_DATE:
        text_printf(out, "%04d-%02u-%02u", holiday->year, holiday->month, holiday->day);
        break;
    case HOLIDAY_YEARLY:
        text_printf(out, "%02u-%02u", holiday->month, holiday->day);
        break;
    case HOLIDAY_WEEKDAY:
        text_printf(out, "%s %s %s", holiday->nth < 0 ? "last" : ranks[holiday->nth - 1],
                    weekdays[holiday->weekday - 1], months[holiday->month - 1]);
        break;
    case HOLIDAY_EASTER:
        text_string(out, "easter");
        break;
    }
    if (holiday->days_after != 0)
        text_printf(out, " %+d", holiday->days_after);
    text_string(out, observed[holiday->observed]);
}
