/* Moments as clients write them: ISO 8601, or a number of seconds or milliseconds. */
#include "proto/optin.h"

#define SECONDS_END 253402300800u /* the year 10000 */
#define MS_FROM     100000000000u /* 10^11: as seconds the year 5138, as ms March 1973 */

/* Takes between `fewest` and `most` digits off the front. */
static bool take_digits(struct slice *text, unsigned fewest, unsigned most, uint64_t *out)
{
    unsigned count = 0;

    *out = 0;
    while (count < most && count < text->length && text->bytes[count] >= '0' &&
           text->bytes[count] <= '9')
        *out = *out * 10 + (uint64_t)(text->bytes[count++] - '0');
    text->bytes += count;
    text->length -= count;
    return count >= fewest;
}

static bool take_any(struct slice *text, const char *wanted)
{
    if (text->length == 0 || text->bytes[0] == '\0' || !strchr(wanted, text->bytes[0]))
        return false;
    text->bytes++;
    text->length--;
    return true;
}

/* `.123...` to ms; what is finer is cut off. No fraction is 0. */
static bool take_fraction(struct slice *text, uint64_t *ms_out)
{
    uint64_t digit, scale = 100;

    *ms_out = 0;
    if (!take_any(text, ".,"))
        return true;
    if (!take_digits(text, 1, 1, &digit))
        return false;
    do {
        *ms_out += digit * scale;
        scale /= 10;
    } while (take_digits(text, 1, 1, &digit));
    return true;
}

static bool leap(uint64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days since 1970-01-01; false: there is no such day. */
static bool days_of(uint64_t year, uint64_t month, uint64_t day, uint64_t *out)
{
    static const uint8_t lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    static const uint16_t before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};

    if (year < 1970 || month < 1 || month > 12 || day < 1)
        return false;
    if (day > lengths[month - 1] + (month == 2 && leap(year) ? 1u : 0u))
        return false;
    uint64_t past = year - 1;
    uint64_t leap_days = past / 4 - past / 100 + past / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    *out = (year - 1970) * 365 + leap_days + before[month - 1] +
           (month > 2 && leap(year) ? 1u : 0u) + day - 1;
    return true;
}

/* Z, +hh, +hhmm, +hh:mm or nothing, which is read as UTC. */
static bool take_offset(struct slice *text, int64_t *seconds_out)
{
    uint64_t hours, minutes = 0;

    *seconds_out = 0;
    if (text->length == 0 || take_any(text, "Zz"))
        return true;
    bool west = text->bytes[0] == '-';
    if (!take_any(text, "+-") || !take_digits(text, 2, 2, &hours))
        return false;
    bool colon = take_any(text, ":");
    if ((colon || text->length > 0) && !take_digits(text, 2, 2, &minutes))
        return false;
    if (hours > 23 || minutes > 59)
        return false;
    *seconds_out = (int64_t)(hours * 3600 + minutes * 60) * (west ? -1 : 1);
    return true;
}

static bool parse_iso(struct slice text, uint64_t *ms_out)
{
    uint64_t year, month, day, hour, minute, second = 0, fraction_ms = 0, days;
    int64_t offset;

    if (!take_digits(&text, 4, 4, &year) || !take_any(&text, "-") ||
        !take_digits(&text, 2, 2, &month) || !take_any(&text, "-") ||
        !take_digits(&text, 2, 2, &day) || !take_any(&text, "Tt ") ||
        !take_digits(&text, 2, 2, &hour) || !take_any(&text, ":") ||
        !take_digits(&text, 2, 2, &minute))
        return false;
    if (take_any(&text, ":") &&
        (!take_digits(&text, 2, 2, &second) || !take_fraction(&text, &fraction_ms)))
        return false;
    if (!take_offset(&text, &offset) || text.length > 0)
        return false;
    /* A leap second (60) is the first of the next minute. */
    if (!days_of(year, month, day, &days) || hour > 23 || minute > 59 || second > 60)
        return false;

    int64_t seconds = (int64_t)(days * 86400 + hour * 3600 + minute * 60 + second) - offset;
    if (seconds <= 0 || (uint64_t)seconds >= SECONDS_END)
        return false;
    *ms_out = (uint64_t)seconds * 1000 + fraction_ms;
    return true;
}

static bool parse_number(struct slice text, uint64_t *ms_out)
{
    uint64_t whole, fraction_ms;

    if (!take_digits(&text, 1, 15, &whole) || !take_fraction(&text, &fraction_ms) ||
        text.length > 0)
        return false;
    *ms_out = whole >= MS_FROM ? whole : whole * 1000 + fraction_ms;
    return *ms_out / 1000 < SECONDS_END;
}

bool optin_parse_time(struct slice text, uint64_t *ms_out)
{
    uint64_t ms;

    /* Nobody opted in before 1973; and so every moment reads back from its ms. */
    if ((!parse_number(text, &ms) && !parse_iso(text, &ms)) || ms < MS_FROM)
        return false;
    *ms_out = ms;
    return true;
}
