/* When: dates of the person's own calendar, and the hours in which somebody may be called.
 *
 * Where a person is, nobody knows for certain. A call is made when it is legal wherever they may
 * be: the country that they named, their postal code and their number all count, each by the
 * smallest part of a country that it tells. Dates go by the first of those that names a zone. */
#include <stdio.h>
#include <string.h>

#include "proto/must.h"
#include "proto/phone.h"
#include "proto/region.h"
#include "server/calendar.h"
#include "server/engine_internal.h"
#include "server/law.h"

#define DAY_MS        86400000ull
#define LOOK_AGAIN_MS DAY_MS /* where there is no legal moment as far as one looks */
#define ROUNDS_MAX    16     /* of law and calendar, until they agree: a week and a day */

/* --- where -------------------------------------------------------------------------------- */

static void add_zone(struct life_place *place, const struct zone *zone)
{
    for (size_t i = 0; i < place->zone_count; i++)
        if (place->zones[i] == zone)
            return;
    if (zone == NULL)
        return;
    MUST(place->zone_count < LIFE_ZONES);
    place->zones[place->zone_count++] = zone;
}

static void add_jurisdiction(struct life_place *place, const char *code)
{
    for (size_t i = 0; i < place->jurisdiction_count; i++)
        if (strcmp(place->jurisdictions[i], code) == 0)
            return;
    MUST(place->jurisdiction_count < LIFE_JURISDICTIONS);
    place->jurisdictions[place->jurisdiction_count++] = code;
}

static void add_regions(struct life_place *place, const char *const *regions, size_t count,
                        bool with_zones)
{
    const struct zone *zones[REGION_ZONES_MAX];

    for (size_t i = 0; i < count; i++) {
        size_t known = with_zones ? region_zones(slice_of(regions[i]), zones, REGION_ZONES_MAX) : 0;
        add_jurisdiction(place, regions[i]);
        for (size_t j = 0; j < known; j++)
            add_zone(place, zones[j]);
    }
}

/* The rules of a country are part of those of its regions. */
static bool has_part_of(const struct life_place *place, const char *country)
{
    for (size_t i = 0; i < place->jurisdiction_count; i++)
        if (memcmp(place->jurisdictions[i], country, 2) == 0)
            return true;
    return false;
}

/* The country that was named is looked at as a whole, where nothing tells in which part of it. */
static void add_country(struct life_place *place, struct slice e164)
{
    const char *country = place->countries[0];
    struct phone phone;

    if (has_part_of(place, country) ||
        (phone_parse(e164, "US", &phone) == STATUS_OK && memcmp(phone.country, country, 2) == 0))
        return;
    add_regions(place, &country, 1, true);
}

/* `country`: where the country's code goes that the number tells; it stays with the place. */
static void add_phone(struct life_place *place, char country[3], struct slice e164)
{
    const struct zone *zones[PHONE_ZONES_MAX];
    const char *regions[REGIONS_MAX];
    struct phone phone;
    size_t count = phone_zones(e164, zones, PHONE_ZONES_MAX);

    for (size_t i = 0; i < count; i++)
        add_zone(place, zones[i]);
    add_regions(place, regions, region_of_phone(e164, regions, REGIONS_MAX), false);
    if (phone_parse(e164, "US", &phone) != STATUS_OK || phone.country[0] == '\0')
        return;
    memcpy(country, phone.country, sizeof(phone.country));
    if (!has_part_of(place, country))
        add_jurisdiction(place, country);
}

/* The country that the person names, else the site's. */
static void set_country(struct life *life, const struct optin *words, struct life_place *place)
{
    const struct site *site =
        registry_lasting_site(life->engine->options.registry, life->who->row.site);
    struct slice said = words->text[OPTIN_COUNTRY];

    if (said.length == 2)
        memcpy(place->countries[0], said.bytes, 2);
    else if (site != NULL)
        memcpy(place->countries[0], site->country, 2);
    for (unsigned i = 0; i < 2; i++)
        if (place->countries[0][i] >= 'a' && place->countries[0][i] <= 'z')
            place->countries[0][i] = (char)(place->countries[0][i] - 'a' + 'A');
}

static const struct zone *local_zone(const struct life_place *place)
{
    const struct zone *zones[REGION_ZONES_MAX];

    if (place->zone_count > 0)
        return place->zones[0];
    if (region_zones(slice_of(place->countries[0]), zones, REGION_ZONES_MAX) > 0)
        return zones[0];
    return zone_utc();
}

const struct life_place *life_place(struct life *life)
{
    struct life_place *place = &life->place;
    const struct optin *words;
    const char *regions[REGIONS_MAX];
    struct slice e164;

    if (life->has_place)
        return place;
    life->has_place = true;
    words = life_words(life);
    *place = (struct life_place){.jurisdiction_count = 0};
    set_country(life, words, place);
    if (words->text[OPTIN_TIMEZONE].length > 0)
        add_zone(place, zone_find(words->text[OPTIN_TIMEZONE]));
    add_regions(place, regions,
                region_of_postal_code(slice_of(place->countries[0]), words->text[OPTIN_POSTAL_CODE],
                                      regions, REGIONS_MAX),
                true);
    e164 = optin_e164(words);
    if (words->text[OPTIN_COUNTRY].length == 2)
        add_country(place, e164);
    if (e164.length > 0)
        add_phone(place, place->countries[1], e164);
    if (place->jurisdiction_count == 0 && place->countries[0][0] != '\0')
        add_jurisdiction(place, place->countries[0]);
    place->local = local_zone(place);
    if (life->who->row.zone == 0)
        life->who->row.zone = zone_code(place->local);
    return place;
}

/* A task may be about an opt-in before the newest, with another number. */
static void add_phone_of(struct life *life, uint64_t optin_seq, char country[3],
                         struct life_place *place)
{
    struct engine *engine = life->engine;
    struct record_view record;

    if (optin_seq != 0 && optin_seq != life->who->row.optin_seq &&
        journal_batch_read(engine->options.journal, optin_seq, &record) == STATUS_OK &&
        optin_decode(record.payload, engine->known) == STATUS_OK)
        add_phone(place, country, optin_e164(engine->known));
}

/* --- dates -------------------------------------------------------------------------------- */

static uint8_t days_of(int32_t year, int month)
{
    return (uint8_t)(civil_day_number(year, month + 1, 1) - civil_day_number(year, month, 1));
}

/* The same day of a later month, or its last where it has no such day, at the same time of day. */
static uint64_t months_after(const struct zone *zone, uint64_t from_ms, uint32_t months)
{
    struct civil local;
    uint32_t month;

    zone_civil(zone, from_ms, &local);
    month = local.month - 1u + months;
    local.year += (int32_t)(month / 12);
    local.month = (uint8_t)(month % 12 + 1);
    if (local.day > days_of(local.year, local.month))
        local.day = days_of(local.year, local.month);
    return zone_moment(zone, &local) + from_ms % 1000;
}

/* Found when first asked for after an opt-in, and kept, so that a cadence goes by one calendar. */
static const struct zone *zone_of(struct life *life)
{
    const struct zone *known = zone_of_code(life->who->row.zone);

    return known != NULL ? known : life_place(life)->local;
}

uint64_t life_after(struct life *life, uint64_t from_ms, struct playbook_span span)
{
    if (span.months > 0)
        from_ms = months_after(zone_of(life), from_ms, span.months);
    return from_ms + span.ms;
}

uint64_t life_step_at(struct life *life, const struct playbook_step *step)
{
    uint64_t from_ms = life->who->row.cadence_ms;
    struct civil local;
    uint64_t at_ms;

    if (step->after.ms != PLAYBOOK_NO_SPAN)
        return life_after(life, from_ms, step->after);
    zone_civil(zone_of(life), from_ms, &local);
    int32_t day = civil_day_number(local.year, local.month, local.day + (int)step->day);
    zone_civil(zone_utc(), (uint64_t)day * DAY_MS, &local);
    local.hour = (uint8_t)(step->minute / 60);
    local.minute = (uint8_t)(step->minute % 60);
    local.second = 0;
    at_ms = zone_moment(zone_of(life), &local);
    return at_ms > from_ms ? at_ms : from_ms;
}

/* --- calendars of the playbook ------------------------------------------------------------ */

static struct calendar calendar_of(const struct playbook_calendar *from, const struct zone *persons)
{
    const struct zone *own = from->zone.length > 0 ? zone_find(from->zone) : NULL;

    return (struct calendar){own != NULL ? own : persons, &from->week, from->holidays.items,
                             from->holidays.count};
}

static bool is_end_of(const struct day_end *day, const struct playbook_calendar *calendar,
                      uint64_t ms)
{
    return day->calendar == calendar && ms >= day->from_ms && ms < day->end_ms;
}

/* All moments between one of a day and its end have the same end. */
static void keep_day_end(struct day_ends *days, const struct playbook_calendar *calendar,
                         uint64_t ms, uint64_t end_ms)
{
    unsigned place = 0;

    while (place < DAY_ENDS_KEPT &&
           (days->kept[place].calendar != calendar || days->kept[place].end_ms != end_ms))
        place++;
    if (place == DAY_ENDS_KEPT) {
        place = days->oldest;
        days->oldest = (days->oldest + 1) % DAY_ENDS_KEPT;
    }
    days->kept[place] = (struct day_end){calendar, ms, end_ms};
    days->last = place;
}

uint64_t engine_day_end(struct engine *engine, const struct playbook_calendar *calendar,
                        uint64_t ms)
{
    struct day_ends *days = &engine->day_ends;

    if (!is_end_of(&days->kept[days->last], calendar, ms)) {
        unsigned place = 0;
        while (place < DAY_ENDS_KEPT && !is_end_of(&days->kept[place], calendar, ms))
            place++;
        if (place == DAY_ENDS_KEPT) {
            struct calendar own = calendar_of(calendar, zone_utc());
            keep_day_end(days, calendar, ms, calendar_day_end(&own, ms));
        } else {
            days->last = place;
        }
    }
    return days->kept[days->last].end_ms;
}

/* --- caps --------------------------------------------------------------------------------- */

/* From when on there is one less than `most` within a day; 0: there is already. */
static uint64_t cap_allows(const struct person_row *row, uint32_t most, bool calls_only,
                           uint64_t ms)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < TOUCHES_KEPT && row->touches[i] != 0; i++) {
        uint64_t allows = row->touches[i] * 1000ull + DAY_MS;
        if (calls_only && !(row->touch_calls >> i & 1))
            continue;
        if (++count == most)
            return allows > ms ? allows : 0;
    }
    return 0;
}

static void hold_until(uint64_t until_ms, enum parked_by by, uint64_t *latest,
                       enum parked_by *by_out)
{
    if (until_ms <= *latest)
        return;
    *latest = until_ms;
    *by_out = by;
}

uint64_t life_caps(struct life *life, enum task_channel channel, uint64_t ms,
                   enum parked_by *by_out)
{
    const struct playbook_caps *caps = &life->playbook->caps;
    const struct person_row *row = &life->who->row;
    uint64_t latest = ms;

    hold_until(cap_allows(row, caps->per_day, false, ms), PARKED_BY_DAY_CAP, &latest, by_out);
    if (channel == TASK_CALL)
        hold_until(cap_allows(row, caps->calls_per_day, true, ms), PARKED_BY_CALL_CAP, &latest,
                   by_out);
    if (row->touches[0] != 0)
        hold_until(row->touches[0] * 1000ull + playbook_span_about(caps->gap), PARKED_BY_GAP,
                   &latest, by_out);
    return latest;
}

/* --- windows ------------------------------------------------------------------------------ */

bool engine_has_hours(enum task_channel channel)
{
    return channel == TASK_CALL || channel == TASK_SMS || channel == TASK_VOICEMAIL;
}

static void copy_text(char *out, size_t bytes, const char *text)
{
    size_t length = strnlen(text, bytes);

    memset(out, 0, bytes);
    memcpy(out, text, length);
}

/* The earlier calls that the law counts, in order of time. */
static size_t earlier_calls(const struct person_row *row, uint64_t *out)
{
    size_t count = 0;

    for (unsigned i = TOUCHES_KEPT; i-- > 0;)
        if (row->touches[i] != 0 && (row->touch_calls >> i & 1))
            out[count++] = row->touches[i] * 1000ull;
    return count;
}

struct search {
    struct law_place place;
    const struct calendar *calendar; /* NULL: the law alone */
    uint64_t calls_ms[TOUCHES_KEPT];
    size_t call_count;
};

static void blame_law(struct effect_parked *why, const struct law_answer *answer)
{
    why->by = PARKED_BY_LAW;
    why->reason = (uint8_t)answer->reason;
    why->zone = zone_code(answer->zone);
    copy_text(why->jurisdiction, sizeof(why->jurisdiction),
              answer->jurisdiction != NULL ? answer->jurisdiction : "");
}

/* One step forward; the same moment: everything allows it. */
static uint64_t next_allowed(const struct search *search, uint64_t ms, bool first,
                             struct life_window *out)
{
    struct law_answer law;

    law_call(law_shipped(), &search->place, search->calls_ms, search->call_count, ms, &law);
    if (!law.allowed) {
        if (first)
            blame_law(&out->why, &law);
        return law.opens_ms;
    }
    out->closes_ms = law.closes_ms;
    if (search->calendar == NULL)
        return ms;
    uint64_t opens = calendar_opens(search->calendar, ms);
    if (opens == ms) {
        uint64_t closes = calendar_closes(search->calendar, ms);
        out->closes_ms = closes < out->closes_ms ? closes : out->closes_ms;
    } else if (first) {
        out->why.by = PARKED_BY_CALENDAR;
        out->why.zone = zone_code(search->calendar->zone);
    }
    return opens;
}

/* Law and calendar are asked in turn, each from where the other allows it, until both do. Where
 * they miss each other day by day it is looked at again from where the search gave up: nothing
 * opens before, so that people whom nobody may ever call in these hours cost a look a week. */
static void find_window(struct life *life, const struct search *search, bool capped,
                        enum task_channel channel, uint64_t ms, struct life_window *out)
{
    uint64_t at = ms, before = 0;
    enum parked_by by = PARKED_BY_LAW;

    if (capped)
        at = life_caps(life, channel, ms, &by);
    if (at > ms)
        out->why.by = (uint8_t)by;
    for (unsigned i = 0; i < ROUNDS_MAX && at != before && at != UINT64_MAX; i++) {
        before = at;
        at = next_allowed(search, at, at == ms, out);
    }
    out->open = at == ms;
    out->opens_ms = at == UINT64_MAX ? ms + LOOK_AGAIN_MS : at;
    if (at != before || out->closes_ms == UINT64_MAX)
        out->closes_ms = 0;
}

void life_window(struct life *life, const struct task_row *row, uint64_t ms,
                 struct life_window *out)
{
    const struct playbook *playbook = life->playbook;
    struct life_place place = *life_place(life);
    bool first = row->kind == TASK_FIRST_RESPONSE;
    /* Who asked for it, or named the time, is kept waiting by the law alone. */
    bool asked = first || row->kind == TASK_AGREED;
    uint8_t number = asked ? 0 : playbook->calls.calendar;
    struct calendar calendar;

    add_phone_of(life, row->optin_seq, place.countries[2], &place);
    add_phone_of(life, row->more_seq, place.countries[3], &place);
    struct search search = {
        .place = {place.jurisdictions, place.jurisdiction_count, place.zones, place.zone_count},
        .calendar = number != 0 ? &calendar : NULL,
    };

    if (number != 0)
        calendar = calendar_of(&playbook->calendars.items[number - 1], place.local);
    search.call_count = first ? 0 : earlier_calls(&life->who->row, search.calls_ms);
    *out = (struct life_window){.opens_ms = ms};
    find_window(life, &search, !asked, (enum task_channel)row->channel, ms, out);
    if (out->why.zone == 0)
        out->why.zone = zone_code(place.local);
    out->why.task = row->number;
    out->why.opens_ms = out->opens_ms;
    out->why.closes_ms = out->closes_ms;
    copy_text(out->why.law, sizeof(out->why.law), law_version(law_shipped()));
    copy_text(out->why.tz, sizeof(out->why.tz), zone_data_version());
}
