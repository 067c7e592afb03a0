/* A report's document: what every one of them says first, and how its parts are written.
 *
 *   {"report":"speed","about":...,"from":"2026-01-01" or null,"to":...,
 *    "covers":{"from","to"},"summary":{...},
 *    "tables":[{"name","title","bar":member or null,"from","to","rows":[{...}]}],
 *    "constants":[{"name","value","unit","source"}]}
 *
 * Members end in what they are measured in: _ms, _percent, _cents. */
#include "server/figures.h"

#include <math.h>

#include "proto/must.h"
#include "proto/zone.h"
#include "server/figures_internal.h"

static const struct {
    const char *name, *about;
} reports[FIGURES_END] = {
#define XX(which, text, tells) [FIGURES_##which] = {text, tells},
    FIGURES_MAP(XX)
#undef XX
};

static figures_fn *const runs[FIGURES_END] = {
    [FIGURES_SPEED] = figures_speed,
    [FIGURES_CONVERSATION_TIME] = figures_conversation_time,
    [FIGURES_FUNNEL] = figures_funnel,
    [FIGURES_ATTEMPTS] = figures_attempts,
    [FIGURES_SCORE] = figures_score,
    [FIGURES_DUST] = figures_dust,
    [FIGURES_CRACKS] = figures_cracks,
    [FIGURES_PROMISES] = figures_promises,
    [FIGURES_MIX] = figures_mix,
    [FIGURES_CAMPAIGNS] = figures_campaigns,
    [FIGURES_UNHAPPY] = figures_unhappy,
    [FIGURES_LATE] = figures_late,
    [FIGURES_BOARD] = figures_board,
    [FIGURES_NO_RESPONSE] = figures_no_response,
    [FIGURES_ROBOTS] = figures_robots,
    [FIGURES_PIPELINES] = figures_pipelines,
    [FIGURES_GRAVEYARD] = figures_graveyard,
};

enum figures_name figures_of(struct slice name)
{
    for (int i = FIGURES_NONE + 1; i < FIGURES_END; i++)
        if (slice_equal(name, slice_of(reports[i].name)))
            return (enum figures_name)i;
    return FIGURES_NONE;
}

/* --- members ---------------------------------------------------------------------------- */

/* The first member of an object follows its brace. */
static void say(struct figures *figures, const char *name)
{
    struct text *out = figures->out;

    if (out->length > 0 && out->bytes[out->length - 1] != '{')
        text_char(out, ',');
    text_printf(out, "\"%s\":", name);
}

void say_uint(struct figures *figures, const char *name, uint64_t number)
{
    say(figures, name);
    text_uint(figures->out, number);
}

void say_ms(struct figures *figures, const char *name, bool known, uint64_t ms)
{
    say(figures, name);
    if (known)
        text_uint(figures->out, ms);
    else
        text_string(figures->out, "null");
}

void say_slice(struct figures *figures, const char *name, struct slice text)
{
    say(figures, name);
    text_json_string_or_null(figures->out, text);
}

void say_text(struct figures *figures, const char *name, const char *text)
{
    say_slice(figures, name, slice_of(text));
}

static void say_percent(struct figures *figures, const char *name, const char *behind, bool known,
                        double share)
{
    char member[64];

    snprintf(member, sizeof(member), "%s%s", name, behind);
    say(figures, member);
    if (known)
        text_printf(figures->out, "%.2f", 100 * share);
    else
        text_string(figures->out, "null");
}

void say_share(struct figures *figures, const char *name, uint64_t part, uint64_t of)
{
    say_percent(figures, name, "_percent", of > 0, of > 0 ? (double)part / (double)of : 0);
}

#define Z95 1.959963984540054 /* of a normal distribution 95 % lies so close to its middle */

void say_rate(struct figures *figures, const char *name, uint64_t part, uint64_t of)
{
    double n = (double)of, p, middle, reach;

    say_share(figures, name, part, of);
    p = of > 0 ? (double)part / n : 0;
    middle = of > 0 ? (p + Z95 * Z95 / (2 * n)) / (1 + Z95 * Z95 / n) : 0;
    reach =
        of > 0 ? Z95 * sqrt(p * (1 - p) / n + Z95 * Z95 / (4 * n * n)) / (1 + Z95 * Z95 / n) : 0;
    say_percent(figures, name, "_low_percent", of > 0, fmax(middle - reach, 0));
    say_percent(figures, name, "_high_percent", of > 0, fmin(middle + reach, 1));
}

static void write_day(struct text *out, enum figures_by by, uint64_t day)
{
    struct civil civil;

    zone_civil(zone_utc(), day * DAY_MS, &civil);
    text_printf(out, "\"%04d-%02u", (int)civil.year, civil.month);
    if (by != FIGURES_BY_MONTH)
        text_printf(out, "-%02u", civil.day);
    text_char(out, '"');
}

void say_day(struct figures *figures, const char *name, enum figures_by by, uint64_t day)
{
    say(figures, name);
    write_day(figures->out, by, day);
}

void say_label(struct figures *figures, const char *name, enum tally_dimension dimension,
               const struct row *row)
{
    const struct figures_source *source = figures->source;

    say(figures, name);
    if (row->key == TALLY_VALUES_OTHER)
        text_string(figures->out, "\"(others)\"");
    else if (dimension == TALLY_HOUR)
        text_printf(figures->out, "\"%02u:00\"", (unsigned)row->key);
    else
        source->label(source->owner, dimension, row->key, row->seqs, figures->out);
}

/* --- days -------------------------------------------------------------------------------- */

struct days days_of(const struct figures *figures, enum tally_dimension side)
{
    const struct figures_query *query = figures->query;
    uint64_t today = figures->source->now_ms / DAY_MS, last = query->day_last;

    if (side_is_weekly(side) && last < today)
        last = tally_day(side, query->day_last) + 6;
    return (struct days){side_is_weekly(side) ? tally_day(side, query->day_first)
                                              : query->day_first,
                         (uint32_t)(last < today ? last : today)};
}

struct days days_all(const struct figures *figures)
{
    return (struct days){0, (uint32_t)(figures->source->now_ms / DAY_MS)};
}

static void say_days(struct figures *figures, struct days days)
{
    if (days.first > 0)
        say_day(figures, "from", FIGURES_BY_DAY, days.first);
    else
        say_text(figures, "from", NULL);
    say_day(figures, "to", FIGURES_BY_DAY, days.last);
}

/* --- parts -------------------------------------------------------------------------------- */

void summary_begin(struct figures *figures)
{
    text_string(figures->out, ",\"summary\":{");
}

void summary_end(struct figures *figures)
{
    text_char(figures->out, '}');
}

void tables_begin(struct figures *figures)
{
    text_string(figures->out, ",\"tables\":[");
}

void tables_end(struct figures *figures)
{
    text_char(figures->out, ']');
}

/* Behind another item of a list. */
static void item_begin(struct figures *figures)
{
    struct text *out = figures->out;

    text_string(out, out->length > 0 && out->bytes[out->length - 1] == '[' ? "{" : ",{");
}

void table_begin_over(struct figures *figures, struct days days, const char *name,
                      const char *title, const char *bar)
{
    item_begin(figures);
    say_text(figures, "name", name);
    say_text(figures, "title", title);
    say_text(figures, "bar", bar);
    say_days(figures, days);
    text_string(figures->out, ",\"rows\":[");
}

void table_begin(struct figures *figures, const char *name, const char *title, const char *bar)
{
    table_begin_over(figures, days_of(figures, figures->query->side), name, title, bar);
}

void table_end(struct figures *figures)
{
    text_string(figures->out, "]}");
}

void row_begin(struct figures *figures)
{
    item_begin(figures);
}

void row_end(struct figures *figures)
{
    text_char(figures->out, '}');
}

void constants_begin(struct figures *figures)
{
    text_string(figures->out, ",\"constants\":[");
}

void constants_end(struct figures *figures)
{
    text_char(figures->out, ']');
}

void constant(struct figures *figures, const char *name, const char *unit, double value,
              const char *from)
{
    item_begin(figures);
    say_text(figures, "name", name);
    say(figures, "value");
    text_printf(figures->out, "%.15g", value);
    say_text(figures, "unit", unit);
    say_text(figures, "source", from);
    text_char(figures->out, '}');
}

/* --- the whole ------------------------------------------------------------------------------ */

/* The days that were asked for, and those that the summary is about: the board's is of now. */
static void write_scope(struct figures *figures)
{
    const struct figures_query *query = figures->query;

    say_text(figures, "about", reports[query->name].about);
    say_days(figures, days_of(figures, TALLY_ALL));
    say(figures, "covers");
    text_char(figures->out, '{');
    say_days(figures,
             query->name == FIGURES_BOARD ? days_all(figures) : days_of(figures, query->side));
    text_char(figures->out, '}');
}

enum status figures_write(const struct figures_source *source, const struct figures_query *query,
                          struct text *out)
{
    struct figures figures = {.source = source, .query = query, .out = out};
    enum status status;

    MUST(query->name > FIGURES_NONE && query->name < FIGURES_END);
    text_char(out, '{');
    say_text(&figures, "report", reports[query->name].name);
    write_scope(&figures);
    status = runs[query->name](&figures);
    text_char(out, '}');
    return status;
}
