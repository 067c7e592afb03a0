/* What a playbook says about time, and means nothing good: steps out of order, cadences that never
 * end, limits that leave no room, deadlines and escalations that lead nowhere. */
#include "proto/zone.h"
#include "server/law.h"
#include "server/playbook_internal.h"
#include "server/record.h"

#define CHANNELS_LEAST 2
#define DAY_MS         86400000ull
#define YEAR_FIRST     2026 /* nobody was called before it, */
#define YEAR_LAST      2105 /* and so far times are kept */
/* A record counts them in a byte, and the one behind the last. No limit of the form: a version that
 * was stored before there was one stays readable. */
#define RUNGS_MAX     250
#define LATE_LEAST_MS 60000 /* a step is given out when it is due, and done after that */

#define SAY(reading, at, ...) playbook_complain(reading, at, __VA_ARGS__)

static struct playbook_place section_at(const struct reading *reading, const char *section)
{
    return tree_find(reading->root, section)->at;
}

/* --- steps --------------------------------------------------------------------------------------
 */

static bool is_by_date(const struct playbook_step *step)
{
    return step->after.ms == PLAYBOOK_NO_SPAN;
}

/* About when, in ms from the cadence's start; a date is taken from the midnight before it. */
static uint64_t offset_of(const struct playbook_step *step)
{
    return is_by_date(step) ? step->day * DAY_MS + step->minute * 60000ull
                            : playbook_span_about(step->after);
}

/* False: who of the two is first depends on the hour at which the cadence began. */
static bool are_comparable(const struct playbook_step *a, const struct playbook_step *b)
{
    return is_by_date(a) == is_by_date(b) || offset_of(a) / DAY_MS != offset_of(b) / DAY_MS;
}

/* By whom: robots send templates, people follow scripts. */
static bool is_human(unsigned channel)
{
    return channel == TASK_CALL || channel == TASK_VOICEMAIL || channel == TASK_VISIT ||
           channel == TASK_RESEARCH;
}

static void check_step_form(struct reading *reading, const struct playbook_step *step)
{
    const char *id = step->id.bytes, *channel = task_channel_name((enum task_channel)step->channel);
    bool has_day = step->day != PLAYBOOK_NO_COUNT, has_minute = step->minute != PLAYBOOK_NO_MINUTE;
    const struct slice *wanted = is_human(step->channel) ? &step->script : &step->template;
    const struct slice *other = is_human(step->channel) ? &step->template : &step->script;

    if (is_by_date(step) != has_day || has_day != has_minute)
        SAY(reading, step->at, "step '%s' needs either `after`, or `day` and `at`", id);
    if (wanted->length == 0 || other->length > 0)
        SAY(reading, step->at, "step '%s': %s needs a `%s` and no `%s`", id, channel,
            is_human(step->channel) ? "script" : "template",
            is_human(step->channel) ? "template" : "script");
    if (playbook_span_about(step->late_max) < LATE_LEAST_MS)
        SAY(reading, step->at, "step '%s' has no time to be done in: `late_max` is at least 1m",
            id);
}

/* A date's moment lies up to a day sooner behind the beginning, by the hour of that. */
static uint64_t earliest_of(const struct playbook_step *step)
{
    uint64_t offset = offset_of(step), spread = is_by_date(step) ? DAY_MS : 0;

    return offset > spread ? offset - spread : 0;
}

/* Steps come in their order: one that is due before the one above it waits for that. */
static bool may_wait_too_long(const struct playbook_step *before, const struct playbook_step *step)
{
    uint64_t last = offset_of(before), first = earliest_of(step);

    return is_by_date(before) != is_by_date(step) && last > first &&
           last - first > playbook_span_about(step->late_max);
}

static void check_order(struct reading *reading, const struct playbook_step *before,
                        const struct playbook_step *step)
{
    if (are_comparable(before, step) && offset_of(step) < offset_of(before))
        SAY(reading, step->at, "step '%s' comes before '%s', which stands above it", step->id.bytes,
            before->id.bytes);
    else if (may_wait_too_long(before, step))
        SAY(reading, step->at,
            "step '%s' waits for '%s', which stands above it, and may be too late by then: give it "
            "a longer `late_max`, or put it first",
            step->id.bytes, before->id.bytes);
}

static bool has_form(const struct playbook_step *step)
{
    return is_by_date(step) ? step->day != PLAYBOOK_NO_COUNT && step->minute != PLAYBOOK_NO_MINUTE
                            : step->day == PLAYBOOK_NO_COUNT;
}

static void check_steps(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;

    for (uint32_t i = 0; i < playbook->cadences.count; i++) {
        const struct playbook_cadence *cadence = &playbook->cadences.items[i];
        if (cadence->steps.count == 0)
            SAY(reading, cadence->at, "cadence '%s' has no steps", cadence->id.bytes);
        for (uint32_t j = 0; j < cadence->steps.count; j++) {
            const struct playbook_step *step = &cadence->steps.items[j];
            check_step_form(reading, step);
            playbook_check_rule(reading, &step->when, step->at);
            if (j > 0 && has_form(step) && has_form(step - 1))
                check_order(reading, step - 1, step);
        }
    }
}

/* --- limits -------------------------------------------------------------------------------------
 */

/* At whatever hour the cadence begins: a date is counted from the midnight before it. */
static uint64_t apart_at_most(const struct playbook_step *earlier, const struct playbook_step *step)
{
    uint64_t between = offset_of(step) - offset_of(earlier);

    return is_by_date(earlier) && !is_by_date(step) ? between + DAY_MS : between;
}

/* Too many within a day, or too close: such a step would always be late. */
static void check_step_caps(struct reading *reading, const struct playbook_cadence *cadence,
                            uint32_t index)
{
    const struct playbook_caps *caps = &reading->playbook->caps;
    const struct playbook_step *steps = cadence->steps.items, *step = &steps[index];
    uint32_t all = 1, calls = step->channel == TASK_CALL;

    for (uint32_t i = index; i-- > 0;) {
        if (!has_form(&steps[i]) || !are_comparable(&steps[i], step) ||
            offset_of(&steps[i]) > offset_of(step))
            continue;
        if (apart_at_most(&steps[i], step) < playbook_span_about(caps->gap)) {
            SAY(reading, step->at, "step '%s' is closer to '%s' than caps.gap allows",
                step->id.bytes, steps[i].id.bytes);
            return;
        }
        if (is_by_date(step) != is_by_date(&steps[i]) ||
            offset_of(step) - offset_of(&steps[i]) >= DAY_MS)
            continue;
        all++;
        calls += steps[i].channel == TASK_CALL;
    }
    if (all > caps->per_day)
        SAY(reading, step->at, "step '%s' is one more within a day than caps.per_day allows (%u)",
            step->id.bytes, caps->per_day);
    else if (step->channel == TASK_CALL && calls > caps->calls_per_day)
        SAY(reading, step->at,
            "step '%s' is one more call within a day than caps.calls_per_day allows (%u)",
            step->id.bytes, caps->calls_per_day);
}

static void check_cadence_caps(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;

    if (playbook->caps.per_day == 0)
        return; /* which is told once */
    for (uint32_t i = 0; i < playbook->cadences.count; i++) {
        const struct playbook_cadence *cadence = &playbook->cadences.items[i];
        for (uint32_t j = 0; j < cadence->steps.count; j++)
            if (has_form(&cadence->steps.items[j]))
                check_step_caps(reading, cadence, j);
    }
}

static void check_caps(struct reading *reading)
{
    const struct playbook_caps *caps = &reading->playbook->caps;

    if (caps->per_day == 0 || caps->calls_per_day == 0)
        SAY(reading, section_at(reading, "caps"), "a cap of 0 forbids every contact");
    else if (caps->per_day > TOUCHES_KEPT) /* of no more is it known when they were */
        SAY(reading, section_at(reading, "caps"), "per_day is over %d, which nobody bears",
            TOUCHES_KEPT);
    else if (caps->calls_per_day > caps->per_day)
        SAY(reading, section_at(reading, "caps"), "calls_per_day is more than per_day allows");
}

/* The nth span leads from the nth call to the next. */
static void check_call_caps(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;
    const struct playbook_caps *caps = &playbook->caps;

    for (uint32_t i = 0; i < playbook->calls.spacing.count; i++) {
        const struct playbook_after *after = &playbook->calls.spacing.items[i];
        uint64_t within = 0;
        uint32_t calls = 1;
        if (playbook_span_about(after->span) < playbook_span_about(caps->gap))
            SAY(reading, after->at, "this call is closer to the one before than caps.gap allows");
        for (uint32_t j = i + 1; j-- > 0 && within < DAY_MS;) {
            within += playbook_span_about(playbook->calls.spacing.items[j].span);
            calls += within < DAY_MS;
        }
        if (calls > caps->calls_per_day)
            SAY(reading, after->at,
                "this is one more call within a day than caps.calls_per_day allows (%u)",
                caps->calls_per_day);
    }
}

static void check_calls(struct reading *reading)
{
    const struct playbook_calls *calls = &reading->playbook->calls;

    if (calls->attempts_least < PLAYBOOK_ATTEMPTS_LEAST)
        SAY(reading, section_at(reading, "calls"),
            "attempts_least: nobody may be given up before %d attempts", PLAYBOOK_ATTEMPTS_LEAST);
    for (uint32_t i = 0; i < calls->spacing.count; i++)
        if (playbook_span_about(calls->spacing.items[i].span) == 0)
            SAY(reading, calls->spacing.items[i].at, "the next call cannot come at once");
}

/* --- how cadences end ----------------------------------------------------------------------------
 */

/* Customers may be kept in touch with for ever; prospects come to an end. */
static bool is_endless(const struct playbook *playbook, const struct playbook_cadence *cadence)
{
    const struct playbook_cadence *at = cadence;

    for (uint32_t i = 0; i <= playbook->cadences.count && at; i++)
        at = playbook_next(playbook, at);
    return at != NULL;
}

/* Of a cadence in a ring: it, or one of the others. */
static bool has_prospects(const struct playbook *playbook, const struct playbook_cadence *cadence)
{
    const struct playbook_cadence *at = cadence;

    do {
        if (at->program == PLAYBOOK_PROSPECTS)
            return true;
        at = playbook_next(playbook, at);
    } while (at != cadence);
    return false;
}

/* About when the last step is due. */
static uint64_t last_offset(const struct playbook_cadence *cadence)
{
    return cadence->steps.count > 0 ? offset_of(&cadence->steps.items[cadence->steps.count - 1])
                                    : 0;
}

/* All its steps may be due when it begins: those of the first day are, late in the day. */
static bool may_be_over_at_once(const struct playbook_cadence *cadence)
{
    const struct playbook_step *last;

    if (cadence->steps.count == 0)
        return true;
    last = &cadence->steps.items[cadence->steps.count - 1];
    return is_by_date(last) ? last->day == 0 : offset_of(last) == 0;
}

static void check_ends(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;

    for (uint32_t i = 0; i < playbook->cadences.count; i++) {
        const struct playbook_cadence *cadence = &playbook->cadences.items[i];
        const char *id = cadence->id.bytes;
        if (slice_equal(cadence->id, SLICE("end")) || slice_equal(cadence->id, SLICE("stop")) ||
            slice_equal(cadence->id, SLICE("keep")))
            SAY(reading, cadence->at, "'%s' means something else; take another id", id);
        if (!playbook_in_ring(playbook, cadence))
            continue;
        if (has_prospects(playbook, cadence))
            SAY(reading, cadence->at, "cadence '%s' never ends: it leads back to itself", id);
        else if (may_be_over_at_once(cadence))
            SAY(reading, cadence->at, "cadence '%s' leads back to itself at once", id);
    }
}

/* All that is tried before somebody is given up: the calls, the cadence, and those after it. */
static void check_effort(struct reading *reading, const struct playbook_cadence *cadence)
{
    const struct playbook *playbook = reading->playbook;
    const struct playbook_calls *calls = &playbook->calls;
    uint64_t channels = 1ull << TASK_CALL, called = 0, written = 0;
    uint32_t attempts = 1 + calls->spacing.count;
    unsigned media = 0;

    for (uint32_t i = 0; i < calls->spacing.count; i++)
        called += playbook_span_about(calls->spacing.items[i].span);
    for (const struct playbook_cadence *at = cadence; at; at = playbook_next(playbook, at)) {
        written += last_offset(at);
        for (uint32_t i = 0; i < at->steps.count; i++) {
            attempts += at->steps.items[i].channel != TASK_RESEARCH;
            channels |= 1ull << at->steps.items[i].channel;
        }
    }
    for (unsigned channel = TASK_CALL; channel < TASK_RESEARCH; channel++)
        media += channels >> channel & 1;
    if (cadence->is_short.length == 0 &&
        (attempts < PLAYBOOK_ATTEMPTS_LEAST || media < CHANNELS_LEAST))
        SAY(reading, cadence->at,
            "cadence '%s' and what follows are %u attempts over %u channels: at least %d over %d, "
            "or "
            "say `short` with the reason",
            cadence->id.bytes, attempts, media, PLAYBOOK_ATTEMPTS_LEAST, CHANNELS_LEAST);
    if (called < written)
        called = written;
    if (called < playbook_span_about(calls->write_off_least))
        SAY(reading, cadence->at,
            "cadence '%s' could write somebody off after %u days, sooner than "
            "calls.write_off_least",
            cadence->id.bytes, (unsigned)(called / DAY_MS));
}

static void check_efforts(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;
    uint64_t seen = 0;

    for (uint32_t i = 0; i < playbook->segments.count; i++) {
        unsigned number = playbook->segments.items[i].cadence;
        const struct playbook_cadence *cadence = &playbook->cadences.items[number - 1];
        if (cadence->program == PLAYBOOK_PROSPECTS && !(seen >> number & 1) &&
            !is_endless(playbook, cadence))
            check_effort(reading, cadence);
        seen |= 1ull << number;
    }
}

/* --- deadlines and escalation ---------------------------------------------------------------- */

static void check_tiers(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;
    uint64_t before = 0;

    for (uint32_t i = 0; i < playbook->sla.count; i++) {
        const struct playbook_tier *tier = &playbook->sla.items[i];
        bool has_span = tier->within.ms != PLAYBOOK_NO_SPAN;
        if (has_span == (tier->calendar != 0))
            SAY(reading, tier->at, "tier '%s' needs either `within`, or `day_of` with a calendar",
                tier->id.bytes);
        else if (!has_span && !reading->stored &&
                 playbook->calendars.items[tier->calendar - 1].zone.length == 0)
            SAY(reading, tier->at,
                "tier '%s' ends with the business day of calendar '%s', which must say its `zone`: "
                "an office's day is not the person's",
                tier->id.bytes, playbook->calendars.items[tier->calendar - 1].id.bytes);
        else if (has_span && playbook_span_about(tier->within) <= before)
            SAY(reading, tier->at, "tier '%s' is not later than the one above it", tier->id.bytes);
        if (has_span)
            before = playbook_span_about(tier->within);
    }
}

/* What is looked up before a call must leave time for the call. */
static void check_research(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;

    for (uint32_t i = 0; i < playbook->sla.count; i++) {
        if (playbook_span_about(playbook->research.box) <
            playbook_span_about(playbook->sla.items[i].within))
            continue;
        if (playbook->sla.items[i].within.ms == PLAYBOOK_NO_SPAN)
            continue;
        SAY(reading, section_at(reading, "research"),
            "box: research takes as long as tier '%s' has", playbook->sla.items[i].id.bytes);
        return;
    }
}

static void check_chain(struct reading *reading, const struct playbook_chain *chain)
{
    const struct playbook_rung *rungs = chain->rungs.items;
    uint32_t count = chain->rungs.count;

    for (uint32_t i = 0; i < count; i++) {
        bool robot = rungs[i].whom == PLAYBOOK_ROBOT;
        bool has_words = rungs[i].template.length > 0;
        if (robot && (rungs[i].channel == 0 || is_human(rungs[i].channel) || !has_words))
            SAY(reading, rungs[i].at,
                "a robot needs a `channel` that it can write to, and a `template`");
        if (!robot && (rungs[i].channel != 0 || has_words))
            SAY(reading, rungs[i].at, "only a robot has a `channel` and a `template`");
        if (i > 0 && playbook_span_about(rungs[i].after) <= playbook_span_about(rungs[i - 1].after))
            SAY(reading, rungs[i].at, "this is not later than the rung above it");
    }
    if (count > RUNGS_MAX)
        SAY(reading, rungs[RUNGS_MAX].at, "escalation '%s': %d rungs are the most", chain->id.bytes,
            RUNGS_MAX);
    if (count == 0 || rungs[count - 1].whom != PLAYBOOK_ROBOT)
        SAY(reading, chain->at,
            "escalation '%s' must end in a robot's step: people may all be away", chain->id.bytes);
}

static void check_escalations(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;

    for (uint32_t i = 0; i < playbook->escalations.count; i++)
        check_chain(reading, &playbook->escalations.items[i]);
}

static void check_assign(struct reading *reading)
{
    const struct playbook_assign *assign = &reading->playbook->assign;
    struct playbook_place at = section_at(reading, "assign");
    uint32_t sum = 0;

    for (uint32_t i = 0; i < assign->weights.count; i++)
        sum += assign->weights.items[i].weight;
    if (assign->mode == PLAYBOOK_WEIGHTED && sum == 0)
        SAY(reading, at, "mode 'weighted' needs `weights` that are not all 0");
    if (assign->mode != PLAYBOOK_WEIGHTED && assign->weights.count > 0)
        SAY(reading, at, "only mode 'weighted' has `weights`");
}

static void check_lease(struct reading *reading)
{
    const struct playbook_lease *lease = &reading->playbook->lease;

    if (playbook_span_about(lease->report) == 0 || playbook_span_about(lease->claim) == 0)
        SAY(reading, section_at(reading, "lease"), "a lease of no time ends before it begins");
}

static void check_odds(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;

    for (uint32_t i = 1; i < playbook->odds.count; i++) {
        const struct playbook_odds *odds = &playbook->odds.items[i];
        if (playbook_span_about(odds->after) <= playbook_span_about(odds[-1].after) ||
            odds->times < odds[-1].times)
            SAY(reading, odds->at, "this is not later and worse than the one above it");
    }
}

/* Looks like one; only files of tzdata are asked for. */
static bool is_zone(struct slice zone)
{
    for (size_t i = 0; i < zone.length; i++) {
        char byte = zone.bytes[i];
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
        if (!letter && !(i > 0 && ((byte >= '0' && byte <= '9') || memchr("/_+-", byte, 4))))
            return false;
    }
    return zone.length <= 64;
}

static bool has_hours(const struct playbook_calendar *calendar)
{
    for (unsigned day = 0; day < 7; day++) {
        if (calendar->week.day[day][0].closes > 0)
            return true;
    }
    return false;
}

static void check_score(struct reading *reading)
{
    if (playbook_span_about(reading->playbook->score.half_life) == 0)
        SAY(reading, section_at(reading, "score"),
            "half_life: points that are gone at once count nothing; write a time, such as 2w");
}

static void check_graveyard(struct reading *reading)
{
    if (reading->playbook->graveyard.per_day == 0)
        SAY(reading, section_at(reading, "graveyard"),
            "per_day of 0 takes nobody up again; write how many a day may be");
}

/* The first year in which holidays leave no day; 0: there is none. So a search that looks some
 * years ahead always finds one. */
static int year_without_day(const struct playbook_calendar *from)
{
    const struct calendar calendar = {.week = &from->week,
                                      .holidays = from->holidays.items,
                                      .holiday_count = from->holidays.count};
    int year = YEAR_FIRST;

    while (year <= YEAR_LAST && calendar_opens_in(&calendar, year))
        year++;
    return year <= YEAR_LAST ? year : 0;
}

static void check_open(struct reading *reading, const struct playbook_calendar *calendar)
{
    int year = year_without_day(calendar);

    if (!has_hours(calendar))
        SAY(reading, calendar->at, "calendar '%s' is never open", calendar->id.bytes);
    else if (year != 0)
        SAY(reading, calendar->at,
            "calendar '%s' is open on no day of %d: its holidays leave none; take some out",
            calendar->id.bytes, year);
}

static struct playbook_place zone_place(const struct reading *reading,
                                        const struct playbook_calendar *calendar)
{
    const struct tree *calendars = tree_find(reading->root, "calendars")->value;

    return tree_find(tree_find(calendars, calendar->id.bytes)->value, "zone")->value->at;
}

static void check_zone(struct reading *reading, const struct playbook_calendar *calendar)
{
    if (!is_zone(calendar->zone))
        SAY(reading, zone_place(reading, calendar),
            "zone: write a name such as America/New_York, or leave it out "
            "for the person's own");
    else if (calendar->zone.length > 0 && !reading->stored && zone_find(calendar->zone) == NULL)
        SAY(reading, zone_place(reading, calendar),
            "zone: the tz database of this machine has no '%s'; write a name such as "
            "America/New_York",
            calendar->zone.bytes);
}

static void check_calendars(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;

    for (uint32_t i = 0; i < playbook->calendars.count; i++) {
        check_open(reading, &playbook->calendars.items[i]);
        check_zone(reading, &playbook->calendars.items[i]);
    }
}

/* Hours in which nobody may be called are none. Whose clocks a calendar with a zone meets is not
 * known before there is a person. */
static void check_calling(struct reading *reading)
{
    const struct playbook *playbook = reading->playbook;
    const struct playbook_calendar *calendar =
        playbook->calendars.items + playbook->calls.calendar - 1;

    if (playbook->calls.calendar == 0 || calendar->zone.length > 0 || !has_hours(calendar))
        return;
    if (!law_may_allow(law_shipped(), &calendar->week))
        SAY(reading, calendar->at,
            "calendar '%s', which calls keep to, is open only when no law allows a call: write "
            "hours of the person's day, such as \"09:00-20:00\"",
            calendar->id.bytes);
}

const struct check playbook_time_checks[] = {
    {{"cadences"}, check_steps},
    {{"cadences", "caps"}, check_cadence_caps},
    {{"caps"}, check_caps},
    {{"calls", "caps"}, check_call_caps},
    {{"calls"}, check_calls},
    {{"cadences"}, check_ends},
    {{"cadences", "segments", "calls"}, check_efforts},
    {{"sla", "calendars"}, check_tiers},
    {{"sla", "research"}, check_research},
    {{"escalations"}, check_escalations},
    {{"assign"}, check_assign},
    {{"lease"}, check_lease},
    {{"odds"}, check_odds},
    {{"calendars"}, check_calendars},
    {{"calls", "calendars"}, check_calling},
    {{"score"}, check_score},
    {{"graveyard"}, check_graveyard},
};
const unsigned playbook_time_check_count = sizeof(playbook_time_checks) / sizeof(struct check);
