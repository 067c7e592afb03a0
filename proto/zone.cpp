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

#include <cctz/time_zone.h>

#include "proto/memory.h"

using Seconds = cctz::time_point<cctz::seconds>;

struct zone {
    const char *name;
    std::string stands_for; /* the zone that it is another name of, else itself */
    std::once_flag tried;
    bool known = false;
    cctz::time_zone rules;
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

/* Some distributions keep the files of old names in a package of their own, while browsers go on
 * sending them. */
void read_rules(zone *zone)
{
    zone->known = cctz::load_time_zone(zone->name, &zone->rules) ||
                  cctz::load_time_zone(zone->stands_for, &zone->rules);
}

Seconds point_of(uint64_t ms)
{
    return Seconds(cctz::seconds(std::min(ms, ZONE_MS_MAX) / 1000));
}

uint64_t ms_of(Seconds point)
{
    auto since_1970 = point.time_since_epoch().count();
    return since_1970 < 0 ? 0 : static_cast<uint64_t>(since_1970) * 1000;
}

int32_t day_number_of(cctz::civil_day day)
{
    return static_cast<int32_t>(day - cctz::civil_day(1970, 1, 1));
}

} // namespace

const zone *zone_find(slice name)
{
    auto &zones = all().zones;
    auto found = zones.find(std::string_view(name.bytes, name.length));
    if (found == zones.end())
        return nullptr;

    zone *zone = &found->second;
    std::call_once(zone->tried, read_rules, zone);
    return zone->known ? zone : nullptr;
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

    if (found == all().by_code.end())
        return nullptr;
    std::string_view name = found->second->name;
    return zone_find({name.data(), name.size()});
}

const char *zone_data_version()
{
    return all().version.c_str();
}

void zone_civil(const zone *zone, uint64_t ms, civil *out)
{
    cctz::civil_second local = cctz::convert(point_of(ms), zone->rules);

    out->year = static_cast<int32_t>(local.year());
    out->month = static_cast<uint8_t>(local.month());
    out->day = static_cast<uint8_t>(local.day());
    out->hour = static_cast<uint8_t>(local.hour());
    out->minute = static_cast<uint8_t>(local.minute());
    out->second = static_cast<uint8_t>(local.second());
    out->day_number = day_number_of(cctz::civil_day(local));
    out->weekday = static_cast<uint8_t>(civil_weekday(out->day_number));
}

uint64_t zone_moment(const zone *zone, const civil *civil)
{
    cctz::civil_second local(civil->year, civil->month, civil->day, civil->hour, civil->minute,
                             civil->second);

    return ms_of(cctz::convert(local, zone->rules));
}

uint64_t zone_steady_until(const zone *zone, uint64_t ms)
{
    Seconds point = point_of(ms);
    cctz::time_zone::civil_transition change;

    while (zone->rules.next_transition(point, &change)) {
        point = zone->rules.lookup(change.to).trans;
        if (change.from != change.to) /* else only the zone's abbreviation changes */
            return ms_of(point);
    }
    return UINT64_MAX;
}

int32_t civil_day_number(int32_t year, int month, int day)
{
    return day_number_of(cctz::civil_day(year, month, day));
}

int civil_weekday(int32_t day_number)
{
    int from_thursday = day_number % 7; /* 1970-01-01 was one */

    return (from_thursday + 7 + 3) % 7 + 1;
}
