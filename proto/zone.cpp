#include "proto/zone.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <new>
#include <sstream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <cctz/time_zone.h>

#include "proto/memory.h"

using Seconds = cctz::time_point<cctz::seconds>;

/* From a moment on a zone's clocks are so far ahead of UTC, both in seconds. */
struct stretch {
    int64_t from, ahead;
};

struct zone {
    const char *name;
    std::string stands_for; /* the zone that it is another name of, else itself */
    std::once_flag tried;
    bool known = false;
    cctz::time_zone rules;
    std::vector<stretch> stretches; /* from 1970 to LISTED_UNTIL, in order */
};

namespace
{

/* Every name that tzdata lists, made at the first call and never changed, so that looking up
 * takes no lock. cctz alone would do for reading, but it opens whatever file a name leads to
 * and remembers each name that was wrong, and names come from outside. */
struct catalog {
    std::map<std::string, zone, std::less<>> zones;
    std::unordered_map<uint32_t, zone *> by_code;
    std::string version;

    catalog();
    void add(const std::string &name, const std::string &stands_for);
};

void catalog::add(const std::string &name, const std::string &stands_for)
{
    auto entry = zones.try_emplace(name).first;
    entry->second.name = entry->first.c_str();
    entry->second.stands_for = stands_for;
}

/* FNV-1a. It is stored: it does not change. */
uint32_t code_of(std::string_view name)
{
    uint32_t code = 2166136261u;
    for (char byte : name)
        code = (code ^ static_cast<unsigned char>(byte)) * 16777619u;
    return code;
}

std::string data_folder()
{
    const char *chosen = std::getenv("TZDIR"); /* which cctz follows too */
    return chosen && *chosen ? chosen : "/usr/share/zoneinfo";
}

/* tzdata.zi is all of tzdata in one text: "# version 2025b", "Z America/New_York ..." for a zone
 * and "L America/New_York US/Eastern" for another name of one. */
catalog::catalog()
{
    std::set_new_handler(memory_missing);
    std::ifstream text(data_folder() + "/tzdata.zi");

    for (std::string line; std::getline(text, line);) {
        std::istringstream words(line);
        std::string kind, second, third;
        words >> kind >> second >> third;
        if (kind == "#" && second == "version" && version.empty())
            version = third;
        else if (kind == "Z")
            add(second, second);
        else if (kind == "L")
            add(third, second);
    }
    add("UTC", "UTC");
    for (auto &entry : zones)
        by_code[code_of(entry.first)] = &entry.second;
}

catalog &all()
{
    static catalog *const only = new catalog; /* never taken down: threads may outlive main */
    return *only;
}

constexpr int64_t DAY = 86400;
/* The year 2100: what is asked about is nearly always before, and is looked up here in a tenth of
 * the time that the library takes. Later moments are asked of the library. */
constexpr int64_t LISTED_UNTIL = 4102444800;

Seconds point_at(int64_t seconds)
{
    return Seconds(cctz::seconds(seconds));
}

int64_t seconds_of(uint64_t ms)
{
    return static_cast<int64_t>(std::min(ms, ZONE_MS_MAX) / 1000);
}

uint64_t ms_of(Seconds point)
{
    auto since_1970 = point.time_since_epoch().count();
    return since_1970 < 0 ? 0 : static_cast<uint64_t>(since_1970) * 1000;
}

/* The first moment after `point` at which clocks are moved; false: none is known. */
bool next_change(const zone *zone, Seconds *point)
{
    cctz::time_zone::civil_transition change;

    while (zone->rules.next_transition(*point, &change)) {
        *point = zone->rules.lookup(change.to).trans;
        if (change.from != change.to) /* else only the zone's abbreviation changes */
            return true;
    }
    return false;
}

void list_stretches(zone *zone)
{
    Seconds point = point_at(0);

    do
        zone->stretches.push_back(
            {point.time_since_epoch().count(), zone->rules.lookup(point).offset});
    while (next_change(zone, &point) && point < point_at(LISTED_UNTIL));
}

/* Some distributions keep the files of old names in a package of their own, while browsers go on
 * sending them. */
void read_rules(zone *zone)
{
    zone->known = cctz::load_time_zone(zone->name, &zone->rules) ||
                  cctz::load_time_zone(zone->stands_for, &zone->rules);
    if (zone->known)
        list_stretches(zone);
}

/* The first one that begins after that second. */
std::vector<stretch>::const_iterator next_stretch(const zone *zone, int64_t seconds)
{
    return std::upper_bound(zone->stretches.begin(), zone->stretches.end(), seconds,
                            [](int64_t sought, const stretch &at) { return sought < at.from; });
}

/* How far its clocks are ahead of UTC at that second. */
int64_t ahead_at(const zone *zone, int64_t seconds)
{
    return seconds < LISTED_UNTIL ? std::prev(next_stretch(zone, seconds))->ahead
                                  : zone->rules.lookup(point_at(seconds)).offset;
}

int64_t floor_of(int64_t number, int64_t by)
{
    return number / by - (number % by < 0);
}

/* Years begin in March here, so that the leap day is the last one, and 400 of them are always as
 * many days. Day 0 is 1970-01-01, which was the day 719468 of these years. */
constexpr int64_t DAYS_OF_400_YEARS = 146097, FIRST_DAY = 719468;

int64_t day_of(int64_t year, int64_t month, int64_t day)
{
    int64_t months = month - 3; /* since March; what is out of range carries over */
    int64_t years = year + floor_of(months, 12), age = floor_of(years, 400);
    int64_t of_age = years - age * 400, of_year = months - floor_of(months, 12) * 12;

    return age * DAYS_OF_400_YEARS + of_age * 365 + of_age / 4 - of_age / 100 +
           (153 * of_year + 2) / 5 + day - 1 - FIRST_DAY;
}

void set_date(int64_t day, civil *out)
{
    int64_t age = floor_of(day + FIRST_DAY, DAYS_OF_400_YEARS);
    int64_t of_age = day + FIRST_DAY - age * DAYS_OF_400_YEARS;
    int64_t years = (of_age - of_age / 1460 + of_age / 36524 - of_age / 146096) / 365;
    int64_t of_year = of_age - (365 * years + years / 4 - years / 100);
    int64_t months = (5 * of_year + 2) / 153; /* since March */

    out->day = static_cast<uint8_t>(of_year - (153 * months + 2) / 5 + 1);
    out->month = static_cast<uint8_t>(months < 10 ? months + 3 : months - 9);
    out->year = static_cast<int32_t>(years + age * 400 + (months >= 10));
    out->day_number = static_cast<int32_t>(day);
    out->weekday = static_cast<uint8_t>(civil_weekday(out->day_number));
}

/* The entry of that code, once it is read; NULL: it cannot be. */
const zone *readied(zone *zone)
{
    std::call_once(zone->tried, read_rules, zone);
    return zone->known ? zone : nullptr;
}

} // namespace

/* No two names share a code, but what is no name may have a name's. */
const zone *zone_find(slice name)
{
    std::string_view sought(name.bytes, name.length);
    auto found = all().by_code.find(code_of(sought));

    return found != all().by_code.end() && sought == found->second->name ? readied(found->second)
                                                                         : nullptr;
}

const zone *zone_utc()
{
    static const zone *const only = zone_find({"UTC", 3});
    return only;
}

const char *zone_name(const zone *zone)
{
    return zone->name;
}

uint32_t zone_code(const zone *zone)
{
    return zone == nullptr ? 0 : code_of(zone->name);
}

const zone *zone_of_code(uint32_t code)
{
    auto found = all().by_code.find(code);

    return found != all().by_code.end() ? readied(found->second) : nullptr;
}

const char *zone_data_version()
{
    return all().version.c_str();
}

void zone_civil(const zone *zone, uint64_t ms, civil *out)
{
    int64_t seconds = seconds_of(ms), local = seconds + ahead_at(zone, seconds);
    int64_t day = floor_of(local, DAY), of_day = local - day * DAY;

    set_date(day, out);
    out->hour = static_cast<uint8_t>(of_day / 3600);
    out->minute = static_cast<uint8_t>(of_day / 60 % 60);
    out->second = static_cast<uint8_t>(of_day % 60);
}

uint64_t zone_moment(const zone *zone, const civil *civil)
{
    cctz::civil_second local(civil->year, civil->month, civil->day, civil->hour, civil->minute,
                             civil->second);

    return ms_of(cctz::convert(local, zone->rules));
}

uint64_t zone_steady_until(const zone *zone, uint64_t ms)
{
    int64_t seconds = seconds_of(ms);
    Seconds point = point_at(seconds);
    auto later = next_stretch(zone, seconds);

    if (later != zone->stretches.end())
        return static_cast<uint64_t>(later->from) * 1000;
    return next_change(zone, &point) ? ms_of(point) : UINT64_MAX;
}

int32_t civil_day_number(int32_t year, int month, int day)
{
    return static_cast<int32_t>(day_of(year, month, day));
}

int civil_weekday(int32_t day_number)
{
    int from_thursday = day_number % 7; /* 1970-01-01 was one */

    return (from_thursday + 7 + 3) % 7 + 1;
}
