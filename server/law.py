#!/usr/bin/python3
"""Makes the tables of server/law.c of server/law.yaml.

    law.py server/law.yaml law_table.c

A mistake in the data stops the build and says where it is."""
import datetime
import re
import sys
import zoneinfo

import yaml

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
SPAN = re.compile(r"^(\d\d):(\d\d)-(\d\d):(\d\d)$")
HOLIDAYS = {"us-federal": ("calendar_us_federal", "CALENDAR_US_FEDERAL_COUNT")}
FIELDS = {"name", "source", "mark", "hours", "zone", "zones", "not_on", "caps", "from"}


def minutes(text, where):
    if text == "none":
        return None
    match = SPAN.match(str(text))
    if not match:
        raise ValueError(f"{where}: hours are HH:MM-HH:MM or none, not {text}")
    opens, closes = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if not opens < closes <= 24 * 60:
        raise ValueError(f"{where}: {text} is no span of a day")
    return opens, closes


def week(hours, where):
    """{mon-sat: 08:00-20:00, sun: none} as a span or None for each day; every day is named once."""
    days = {}
    for key, text in hours.items():
        first, _, last = key.partition("-")
        for day in DAYS[DAYS.index(first) : DAYS.index(last or first) + 1]:
            if day in days:
                raise ValueError(f"{where}: {day} is named twice")
            days[day] = minutes(text, f"{where}, {key}")
    if len(days) != len(DAYS):
        raise ValueError(f"{where}: hours for {len(days)} days")
    return [days[day] for day in DAYS]


def text(value):
    return "NULL" if value is None else '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def day_number(date):
    return date.toordinal() - datetime.date(1970, 1, 1).toordinal() if date else 0


def checked_zone(name):
    return zoneinfo.ZoneInfo(name).key if name else None


def rule(code, data, default_hours):
    unknown = set(data) - FIELDS
    if unknown:
        raise ValueError(f"{code}: unknown {', '.join(unknown)}")
    if data["mark"] not in ("V", "S", "C", "K"):
        raise ValueError(f"{code}: mark {data['mark']}")
    spans = week(data.get("hours", default_hours), code)
    days = ", ".join(f"[{i}] = {{{{{span[0]}, {span[1]}}}}}" for i, span in enumerate(spans) if span)
    holidays, count = HOLIDAYS[data["not_on"]] if "not_on" in data else ("NULL", 0)
    caps = data.get("caps", [])
    lines = [
        f".jurisdiction = {text(code)}",
        f".source = {text(data['source'])}",
        f".mark = '{data['mark']}'",
        f".from_day = {day_number(data.get('from'))}",
        f".week = {{{{{days}}}}}",
        f".holidays = {holidays}",
        f".holiday_count = {count}",
        f".zone = {text(checked_zone(data.get('zone')))}",
        f".cap_count = {len(caps)}",
    ]
    if caps:
        lines.append(".caps = {" + ", ".join(f"{{{cap['calls']}, {cap['hours']}}}" for cap in caps) + "}")
    return "{" + ",\n     ".join(lines) + "}"


def table(law):
    default_hours = law["default"]["hours"]
    rules = sorted(law["rules"].items())
    for code, _ in rules:
        if not re.match(r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$", code):
            raise ValueError(f"{code} is no code of ISO 3166")
    zones = [checked_zone(name) for name in law["unknown_zone"]["zones"]]
    yield "/* Made by server/law.py of server/law.yaml. */"
    yield '#include "server/law_internal.h"\n'
    yield "static const struct law_rule rules[] = {"
    for code, data in rules:
        yield f"    {rule(code, data, default_hours)},"
    yield "};\n\nconst struct law law_table = {"
    yield f"    .version = {text(law['version'])},\n    .rules = rules,\n    .rule_count = {len(rules)},"
    yield f"    .fallback = {rule('*', law['default'], default_hours)},"
    yield f"    .unknown_zone = {rule('*', law['unknown_zone'], default_hours)},"
    yield f"    .unknown_zones = {{{', '.join(map(text, zones))}}},\n    .unknown_zone_count = {len(zones)},"
    yield "};"


def main():
    source, target = sys.argv[1:]
    with open(source) as file:
        law = yaml.safe_load(file)
    with open(target, "w") as file:
        file.write("\n".join(table(law)) + "\n")


main()
