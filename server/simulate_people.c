/* Who opts in, and when. */
#include "proto/must.h"
#include "server/simulate_internal.h"

/* Hours as server/law.yaml has them for the state, where all days but Sunday have the same. */
const struct home simulate_homes[] = {
    {"212", "US-NY", "America/New_York", 8 * 60, 21 * 60, true},
    {"215", "US-PA", "America/New_York", 8 * 60, 21 * 60, false},
    {"305", "US-FL", "America/New_York", 8 * 60, 20 * 60, true},
    {"312", "US-IL", "America/Chicago", 9 * 60, 21 * 60, true},
    {"512", "US-TX", "America/Chicago", 9 * 60, 21 * 60, true},
    {"504", "US-LA", "America/Chicago", 8 * 60, 20 * 60, false},
    {"303", "US-CO", "America/Denver", 8 * 60, 21 * 60, true},
    {"602", "US-AZ", "America/Phoenix", 8 * 60, 21 * 60, true},
    {"213", "US-CA", "America/Los_Angeles", 9 * 60, 21 * 60, true},
    {"206", "US-WA", "America/Los_Angeles", 8 * 60, 20 * 60, true},
    {"907", "US-AK", "America/Anchorage", 8 * 60, 21 * 60, true},
    {"808", "US-HI", "Pacific/Honolulu", 8 * 60, 21 * 60, true},
};
#define HOME_COUNT (sizeof simulate_homes / sizeof *simulate_homes)

const struct zone *simulate_zone(const struct home *home)
{
    const struct zone *zone = zone_find(slice_of(home->zone_name));

    return zone ? zone : zone_utc();
}

static uint8_t draw_attempt(struct chance *chance, const uint8_t *shares)
{
    unsigned which = chance_share(chance, shares, SIMULATE_ATTEMPTS) + 1;

    return (uint8_t)(which < SIMULATE_ATTEMPTS ? which : chance_between(chance, which, 12));
}

/* What is assumed of forms: four of five say a phone, nine of ten an e-mail and a name. */
void simulate_draw(struct chance *chance, const uint32_t *rates, uint64_t index,
                   struct resident *out)
{
    *out = (struct resident){.home = &simulate_homes[chance_below(chance, HOME_COUNT)],
                             .name = index,
                             .has_phone = chance_hits(chance, 8200),
                             .has_email = chance_hits(chance, 8800),
                             .has_name = chance_hits(chance, 9000),
                             .says_zone = chance_hits(chance, 1000),
                             .is_listed = chance_hits(chance, 500),
                             .shares_phone = chance_hits(chance, 30)};
    out->number_works =
        !chance_hits(chance, rates[out->is_listed ? SIMULATE_WRONG_LISTED : SIMULATE_WRONG]);
    if (!out->has_phone && !out->has_email)
        out->has_name = true;
    if (chance_hits(chance, rates[SIMULATE_BUYERS]))
        out->buys_at = draw_attempt(chance, simulate_sales_at);
    out->given_up_at = draw_attempt(chance, simulate_stops_at);
}

/* Forms are filled in on all days and at all hours, most of them in the daytime: assumed. */
uint64_t simulate_moment(struct chance *chance, const struct home *home, uint64_t from_ms,
                         uint64_t days)
{
    static const uint8_t of_weekday[7] = {16, 17, 16, 16, 14, 10, 11};
    static const uint8_t of_hour[24] = {1, 1, 1, 0, 0, 1, 1, 3, 5, 7, 8, 7,
                                        6, 6, 7, 7, 6, 5, 5, 6, 6, 5, 4, 2};
    struct civil local;
    uint64_t day;

    do
        day = from_ms / DAY_MS + chance_below(chance, days);
    while (chance_below(chance, 17) >= of_weekday[civil_weekday((int32_t)day) - 1]);
    zone_civil(zone_utc(), day * DAY_MS, &local);
    local.hour = (uint8_t)chance_share(chance, of_hour, 24);
    local.minute = (uint8_t)chance_below(chance, 60);
    local.second = (uint8_t)chance_below(chance, 60);
    uint64_t ms = zone_moment(simulate_zone(home), &local) + chance_below(chance, 1000);
    return ms > from_ms ? ms : from_ms;
}
