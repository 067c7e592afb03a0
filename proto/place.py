#!/usr/bin/python3
"""Makes the tables of proto/place_table.h: which phone prefix and which postal code is where, in which time zones.

    place.py proto/postal.yaml place_table_data.c

From the distribution's python3-phonenumbers (Google's libphonenumber: time zones and names of places by prefix) and
tzdata (the zones of countries), and from the postal codes of the file. What these do not have is not made up: the table
then has no entry, and whoever asks must do without."""
import collections
import pathlib
import re
import sys
import zoneinfo

import yaml
from phonenumbers.geodata import GEOCODE_DATA
from phonenumbers.tzdata import TIMEZONE_DATA

PREFIX_DIGITS = 9
SET_MAX = 64
UNKNOWN_ZONE = "Etc/Unknown"
# As libphonenumber's English names have them, for area codes as a whole; exchanges are "Fort Lee, NJ".
STATES = {
    "US": """AK Alaska|AL Alabama|AR Arkansas|AZ Arizona|CA California|CO Colorado|CT Connecticut|DC Washington D.C.|
        DE Delaware|FL Florida|GA Georgia|HI Hawaii|IA Iowa|ID Idaho|IL Illinois|IN Indiana|KS Kansas|KY Kentucky|
        LA Louisiana|MA Massachusetts|MD Maryland|ME Maine|MI Michigan|MN Minnesota|MO Missouri|MS Mississippi|MT Montana|
        NC North Carolina|ND North Dakota|NE Nebraska|NH New Hampshire|NJ New Jersey|NM New Mexico|NV Nevada|NY New York|
        OH Ohio|OK Oklahoma|OR Oregon|PA Pennsylvania|RI Rhode Island|SC South Carolina|SD South Dakota|TN Tennessee|
        TX Texas|UT Utah|VA Virginia|VT Vermont|WA Washington State|WI Wisconsin|WV West Virginia|WY Wyoming""",
    "CA": """AB Alberta|BC British Columbia|MB Manitoba|NB New Brunswick|NL Newfoundland and Labrador|NS Nova Scotia|
        NT Northwest Territories|NU Nunavut|ON Ontario|PE Prince Edward Island|QC Quebec|SK Saskatchewan|YT Yukon""",
}
# Territories of the United States are countries to tzdata.
TERRITORIES = ["AS", "GU", "MP", "PR", "VI"]


def named_states():
    """Alabama and AL as US-AL."""
    names = {}
    for country, text in STATES.items():
        for entry in text.split("|"):
            code, name = entry.strip().split(" ", 1)
            names[name] = names[code] = f"{country}-{code}"
    names["Washington"] = names["Washington State"]
    names["Québec"] = names["Quebec"]
    return names


NAMES = named_states()


def states_of(label):
    """The states that a label names: "Fort Lee, NJ", "Idaho", "Nova Scotia/Prince Edward Island"."""
    last = label.rsplit(", ", 1)[-1]
    if label in NAMES:
        return (NAMES[label],)
    if last in NAMES and len(last) == 2:
        return (NAMES[last],)
    return tuple(sorted({NAMES[part] for part in re.split(r"\s*(?:/|,|&| and )\s*(?:and )?", label) if part in NAMES}))


def area_codes():
    """For each area code of the North American plan the states that its prefixes are in."""
    areas = collections.defaultdict(dict)
    for prefix, labels in GEOCODE_DATA.items():
        if prefix.startswith("1") and len(prefix) >= 4 and "en" in labels:
            states = states_of(labels["en"])
            if states:
                areas[prefix[:4]][prefix] = states
    return areas


def main_states(area, prefixes):
    """What the whole area code is called; where it has no name, the state that most of its prefixes are in."""
    if area in prefixes:
        return prefixes[area]
    return collections.Counter(prefixes.values()).most_common(1)[0][0]


def phone_regions(areas):
    """Area codes, and exchanges that are named after another state: those are candidates for both."""
    regions = {}
    for area, prefixes in areas.items():
        usual = regions[area] = main_states(area, prefixes)
        for prefix, states in prefixes.items():
            if prefix != area and not set(states) <= set(usual):
                regions[prefix] = tuple(sorted({*usual, *states}))
    return without_repetition(regions)


def longest(prefix, table):
    while prefix and prefix not in table:
        prefix = prefix[:-1]
    return table.get(prefix, ())


def without_repetition(table):
    """Leaves out what the next shorter prefix says as well."""
    return {prefix: value for prefix, value in table.items() if longest(prefix[:-1], table) != value}


def phone_zones():
    known = {prefix: zones for prefix, zones in TIMEZONE_DATA.items() if UNKNOWN_ZONE not in zones}
    return without_repetition(known)


def state_zones(areas):
    """A state has the zones of its own area codes, where their prefixes are not called after another one."""
    zones = collections.defaultdict(set)
    for prefix, names in TIMEZONE_DATA.items():
        area = prefix[:4]
        if len(prefix) < 4 or area not in areas:
            continue
        states = longest(prefix, areas[area]) or main_states(area, areas[area])
        if states == main_states(area, areas[area]):
            for state in states:
                zones[state].update(names)
    return zones


def country_zones():
    """tzdata's zone.tab: country, place, zone."""
    zones = collections.defaultdict(set)
    table = next(path for folder in zoneinfo.TZPATH if (path := pathlib.Path(folder, "zone.tab")).exists())
    for line in table.read_text().splitlines():
        if not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            zones[country].add(zone)
    return zones


def region_zones(areas):
    zones = {region: tuple(sorted(names)) for region, names in {**country_zones(), **state_zones(areas)}.items()}
    return zones | {f"US-{code}": zones[code] for code in TERRITORIES}


def postals(path):
    """(country, first, last) -> regions, the longest first."""
    ranges = collections.defaultdict(set)
    for country, states in yaml.safe_load(path.read_text()).items():
        if country == "version":
            continue
        for state, text in states.items():
            for part in str(text).split():
                first, _, last = part.partition("-")
                ranges[country, first, last or first].add(f"{country}-{state}")
    apart(list(ranges))
    return sorted(ranges.items(), key=lambda item: (-len(item[0][1]), item[0]))


def apart(ranges):
    """Equally long ranges are the same or do not meet, so that the first match is the only one."""
    for country, first, last in ranges:
        if len(first) != len(last) or first > last:
            raise ValueError(f"{country}: {first}-{last}")
        for other in ranges:
            if other != (country, first, last) and other[0] == country and len(other[1]) == len(first):
                if first <= other[2] and other[1] <= last:
                    raise ValueError(f"{country}: {first}-{last} meets {other[1]}-{other[2]}")


class Sets:
    """Lists of numbers, each once: how many, then they."""

    def __init__(self):
        self.numbers, self.places = [], {}

    def place(self, members):
        if len(members) > SET_MAX:
            raise ValueError(f"{len(members)} members: {members}")
        if members not in self.places:
            self.places[members] = len(self.numbers)
            self.numbers += [len(members), *members]
        return self.places[members]


def lines(items, width=110):
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > width:
            yield line
            line = "   "
        line += f" {item},"
    yield line


def prefix_table(name, table, sets, number_of):
    rows = sorted((int(prefix), sets.place(tuple(map(number_of, members)))) for prefix, members in table.items())
    if rows[-1][0] >= 10**PREFIX_DIGITS:
        raise ValueError(f"{rows[-1][0]} has more than {PREFIX_DIGITS} digits")
    yield f"static const struct place_prefix {name}_list[] = {{"
    yield from lines(f"{{{digits}u, {place}}}" for digits, place in rows)
    yield f"}};\nconst struct place_prefixes {name} = {{{name}_list, {len(rows)}}};\n"


def tables(path):
    areas, sets = area_codes(), Sets()
    zones, of_region, of_phone, of_postal = phone_zones(), region_zones(areas), phone_regions(areas), postals(path)
    names = sorted({name for table in (zones, of_region) for members in table.values() for name in members})
    regions = sorted(set(of_region) | {code for codes in [*of_phone.values(), *dict(of_postal).values()] for code in codes})

    yield "/* Made by proto/place.py. */"
    yield '#include "proto/place_table.h"\n'
    yield "const char *const place_zone_names[] = {"
    yield from lines(f'"{name}"' for name in names)
    yield "};\n"
    yield from prefix_table("place_phone_zones", zones, sets, names.index)
    yield from prefix_table("place_phone_regions", of_phone, sets, regions.index)
    yield "const struct place_region place_regions[] = {"
    yield from lines(f'{{"{code}", {sets.place(tuple(map(names.index, of_region.get(code, ()))))}}}' for code in regions)
    yield f"}};\nconst size_t place_region_count = {len(regions)};\n"
    yield "const struct place_postal place_postals[] = {"
    yield from lines(
        f'{{"{country}", "{first}", "{last}", {sets.place(tuple(map(regions.index, sorted(codes))))}}}'
        for (country, first, last), codes in of_postal
    )
    yield f"}};\nconst size_t place_postal_count = {len(of_postal)};\n"
    yield "const uint16_t place_sets[] = {"
    yield from lines(map(str, sets.numbers))
    yield "};"


def main():
    source, target = sys.argv[1:]
    text = "\n".join(tables(pathlib.Path(source))) + "\n"
    pathlib.Path(target).write_text(text)


main()
