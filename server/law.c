/* A rule on the clocks of one zone is a clause, and a moment is legal when every clause that binds
 * is open. Each clause is a calendar, so the first legal moment is found by leapfrog: go to where
 * the first clause opens, from there to where the second does, and so on, until a whole round moved
 * nothing. Where clauses never meet on a day this walks into the next by itself. */
#include "server/law_internal.h"

#include <stdlib.h>
#include <string.h>

#include "proto/must.h"

#define RULES_MAX (2 * LAW_JURISDICTIONS_MAX + 1) /* a country's and its own, and the zones' */
#define HOUR_MS   UINT64_C(3600000)
#define SEARCH_MS (LAW_DAYS_MAX * 24 * HOUR_MS)

struct binding {
    const struct law_rule *rules[RULES_MAX];
    const struct zone *own_zones[RULES_MAX]; /* of that rule, or NULL */
    size_t rule_count;
    const struct zone *unknown_zones[LAW_UNKNOWN_ZONES_MAX];
    const struct zone *const *zones;
    size_t zone_count;
};

struct clause {
    const struct law_rule *rule;
    const struct zone *zone;
};

const struct law *law_shipped(void)
{
    return &law_table;
}

const char *law_version(const struct law *law)
{
    return law->version;
}

const char *law_reason_text(enum law_reason reason)
{
    static const char *const texts[] = {
#define XX(name, text) [LAW_REASON_##name] = (text),
        LAW_REASON_MAP(XX)
#undef XX
    };
    return texts[reason];
}

/* --- hours that no rule knows ------------------------------------------------------ */

static bool have_common_hour(const struct calendar_week *a, const struct calendar_week *b)
{
    for (int day = 0; day < 7; day++) {
        for (int i = 0; i < CALENDAR_SPANS_MAX * CALENDAR_SPANS_MAX; i++) {
            struct calendar_span left = a->day[day][i / CALENDAR_SPANS_MAX];
            struct calendar_span right = b->day[day][i % CALENDAR_SPANS_MAX];
            if (left.opens < right.closes && right.opens < left.closes)
                return true;
        }
    }
    return false;
}

/* What binds beside a rule only takes hours away. */
bool law_may_allow(const struct law *law, const struct calendar_week *week)
{
    bool may = have_common_hour(&law->fallback.week, week) ||
               have_common_hour(&law->unknown_zone.week, week);

    for (size_t i = 0; i < law->rule_count && !may; i++)
        may = have_common_hour(&law->rules[i].week, week);
    return may;
}

/* --- which rules bind ----------------------------------------------------------- */

static int compare_jurisdiction(const void *code, const void *rule)
{
    return strcmp(code, ((const struct law_rule *)rule)->jurisdiction);
}

static const struct law_rule *find_rule(const struct law *law, const char *code)
{
    return bsearch(code, law->rules, law->rule_count, sizeof(law->rules[0]), compare_jurisdiction);
}

/* False: the zone that the rule names is not known here. */
static bool add_rule(struct binding *binding, const struct law_rule *rule)
{
    const struct zone *own_zone = NULL;

    for (size_t i = 0; i < binding->rule_count; i++) {
        if (binding->rules[i] == rule)
            return true;
    }
    if (rule->zone) {
        own_zone = zone_find(slice_of(rule->zone));
        if (!own_zone)
            return false;
    }
    binding->rules[binding->rule_count] = rule;
    binding->own_zones[binding->rule_count++] = own_zone;
    return true;
}

static bool add_jurisdiction(const struct law *law, struct binding *binding, const char *code)
{
    char country[3] = {code[0], code[0] ? code[1] : '\0', '\0'};
    const struct law_rule *outer = find_rule(law, country), *own = find_rule(law, code);

    return (!outer || add_rule(binding, outer)) && add_rule(binding, own ? own : &law->fallback);
}

static bool add_unknown_zones(const struct law *law, struct binding *binding)
{
    for (size_t i = 0; i < law->unknown_zone_count; i++) {
        binding->unknown_zones[i] = zone_find(slice_of(law->unknown_zones[i]));
        if (!binding->unknown_zones[i])
            return false;
    }
    binding->zones = binding->unknown_zones;
    binding->zone_count = law->unknown_zone_count;
    return add_rule(binding, &law->unknown_zone);
}

/* False: a zone that is needed is not known here, so that nothing can be said to be legal. */
static bool bind_rules(const struct law *law, const struct law_place *place,
                       struct binding *binding)
{
    MUST(place->jurisdiction_count <= LAW_JURISDICTIONS_MAX);
    bool known = true;

    binding->rule_count = 0;
    binding->zones = place->zones;
    binding->zone_count = place->zone_count;
    for (size_t i = 0; i < place->jurisdiction_count; i++)
        known = add_jurisdiction(law, binding, place->jurisdictions[i]) && known;
    if (place->jurisdiction_count == 0)
        known = add_rule(binding, &law->fallback) && known;
    if (place->zone_count == 0)
        known = add_unknown_zones(law, binding) && known;
    return known;
}

/* --- clauses -------------------------------------------------------------------- */

static size_t clause_count(const struct binding *binding)
{
    return binding->rule_count * (binding->zone_count + 1);
}

/* Each rule in each zone, and at last in its own. False: this rule has none. */
static bool clause_at(const struct binding *binding, size_t number, struct clause *out)
{
    size_t rule = number / (binding->zone_count + 1), zone = number % (binding->zone_count + 1);

    out->rule = binding->rules[rule];
    out->zone = zone < binding->zone_count ? binding->zones[zone] : binding->own_zones[rule];
    return out->zone != NULL;
}

static struct calendar clause_calendar(const struct clause *clause)
{
    const struct law_rule *rule = clause->rule;

    return (struct calendar){clause->zone, &rule->week, rule->holidays, rule->holiday_count};
}

static bool clause_binds(const struct clause *clause, uint64_t ms)
{
    struct civil local;

    if (clause->rule->from_day == 0)
        return true;
    zone_civil(clause->zone, ms, &local);
    return local.day_number >= clause->rule->from_day;
}

static enum calendar_state clause_state(const struct clause *clause, uint64_t ms)
{
    struct calendar calendar = clause_calendar(clause);

    return clause_binds(clause, ms) ? calendar_state(&calendar, ms) : CALENDAR_OPEN;
}

/* The first moment from `ms` on at which the clause is open, or is not; `end`: none before. A
 * calendar is steady at most until midnight, when a rule may begin to bind. */
static uint64_t clause_find(const struct clause *clause, bool open, uint64_t ms, uint64_t end)
{
    struct calendar calendar = clause_calendar(clause);

    while (ms < end && (clause_state(clause, ms) == CALENDAR_OPEN) != open)
        ms = calendar_steady_until(&calendar, ms);
    return ms < end ? ms : end;
}

/* --- the answer ----------------------------------------------------------------- */

static enum law_reason reason_of(enum calendar_state state)
{
    switch (state) {
    case CALENDAR_OPEN:
        return LAW_REASON_NONE;
    case CALENDAR_OUT_OF_HOURS:
        return LAW_REASON_HOURS;
    case CALENDAR_WEEKDAY_OFF:
        return LAW_REASON_WEEKDAY;
    case CALENDAR_HOLIDAY:
        return LAW_REASON_HOLIDAY;
    }
    return LAW_REASON_NONE;
}

static void blame(struct law_answer *out, const struct clause *clause, enum law_reason reason)
{
    out->reason = reason;
    out->jurisdiction = clause->rule->jurisdiction;
    out->source = clause->rule->source;
    out->zone = clause->zone;
}

/* Until when the clause that holds longest does so, and which that is. */
static uint64_t longest_hold(const struct binding *binding, uint64_t ms, uint64_t end,
                             struct law_answer *out)
{
    uint64_t held_until = ms;
    struct clause clause;

    for (size_t i = 0; i < clause_count(binding); i++) {
        if (!clause_at(binding, i, &clause))
            continue;
        uint64_t opens = clause_find(&clause, true, ms, end);
        if (opens > held_until) {
            held_until = opens;
            blame(out, &clause, reason_of(clause_state(&clause, ms)));
        }
    }
    return held_until;
}

static uint64_t first_legal(const struct binding *binding, uint64_t ms, uint64_t end)
{
    uint64_t before;
    struct clause clause;

    do {
        before = ms;
        for (size_t i = 0; i < clause_count(binding); i++) {
            if (clause_at(binding, i, &clause))
                ms = clause_find(&clause, true, ms, end);
        }
    } while (ms != before);
    return ms;
}

static uint64_t first_illegal(const struct binding *binding, uint64_t ms, uint64_t end)
{
    struct clause clause;

    for (size_t i = 0; i < clause_count(binding); i++) {
        if (clause_at(binding, i, &clause))
            end = clause_find(&clause, false, ms, end);
    }
    return end;
}

static uint64_t found(uint64_t ms, uint64_t end)
{
    return ms < end ? ms : UINT64_MAX;
}

static void window(const struct binding *binding, uint64_t ms, struct law_answer *out)
{
    uint64_t end = ms + SEARCH_MS;
    uint64_t opens = first_legal(binding, longest_hold(binding, ms, end, out), end);

    out->allowed = opens == ms;
    out->opens_ms = found(opens, end);
    if (opens < end)
        out->closes_ms = found(first_illegal(binding, opens, opens + SEARCH_MS), opens + SEARCH_MS);
}

void law_window(const struct law *law, const struct law_place *place, uint64_t ms,
                struct law_answer *out)
{
    struct binding binding;

    *out = (struct law_answer){.opens_ms = UINT64_MAX, .closes_ms = UINT64_MAX};
    if (bind_rules(law, place, &binding) && ms < ZONE_MS_MAX - 2 * SEARCH_MS)
        window(&binding, ms, out);
}

/* --- caps ----------------------------------------------------------------------- */

/* A call may be the last of its number once the one that many before it is old enough. */
static uint64_t cap_allows_ms(struct law_cap cap, const uint64_t *calls_ms, size_t call_count)
{
    return call_count < cap.calls ? 0 : calls_ms[call_count - cap.calls] + cap.hours * HOUR_MS;
}

/* From when on every cap allows a call; blames the rule that holds longest. */
static uint64_t caps_allow_ms(const struct binding *binding, const uint64_t *calls_ms,
                              size_t call_count, struct law_answer *out)
{
    uint64_t latest = 0;

    for (size_t i = 0; i < binding->rule_count; i++) {
        const struct clause clause = {binding->rules[i], NULL};
        for (size_t j = 0; j < clause.rule->cap_count; j++) {
            uint64_t allows = cap_allows_ms(clause.rule->caps[j], calls_ms, call_count);
            if (allows > latest) {
                latest = allows;
                blame(out, &clause, LAW_REASON_CAP);
            }
        }
    }
    return latest;
}

void law_call(const struct law *law, const struct law_place *place, const uint64_t *calls_ms,
              size_t call_count, uint64_t ms, struct law_answer *out)
{
    struct law_answer capped = {0};
    struct binding binding;

    law_window(law, place, ms, out);
    if (out->opens_ms == UINT64_MAX)
        return;
    bind_rules(law, place, &binding);
    uint64_t allows = caps_allow_ms(&binding, calls_ms, call_count, &capped);
    if (allows <= out->opens_ms)
        return;
    law_window(law, place, allows, out);
    out->allowed = false;
    out->reason = capped.reason;
    out->jurisdiction = capped.jurisdiction;
    out->source = capped.source;
    out->zone = NULL;
}
