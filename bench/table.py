"""table.py --plain|--markdown ROUNDS ABOUT: the rounds of beside-webdis as a table. Medians; in brackets the least and
the most of the rounds. Ratios are of the sides' rounds of one number, which ran one after the other."""
import csv
import statistics
import sys

SIDES = ["hotlead", "webdis", "floor"]
FIELDS = "side round sent acked popped seconds p50 p99 server_us redis_us drain_ms".split()


def read(path):
    sides = {side: [] for side in SIDES}
    with open(path) as file:
        for row in csv.reader(file, delimiter="\t"):
            values = dict(zip(FIELDS, row))
            sides[values.pop("side")].append({name: float(value) for name, value in values.items()})
    for rounds in sides.values():
        rounds.sort(key=lambda r: r["round"])
    return [sides[side] for side in SIDES]


FIGURES = [  # what, how it is counted, digits
    ("requests/s", lambda r: r["acked"] / r["seconds"], 0),
    ("p50, ms", lambda r: r["p50"] / 1000, 2),
    ("p99, ms", lambda r: r["p99"] / 1000, 2),
    ("CPU of the server, µs a request", lambda r: r["server_us"] / r["acked"], 1),
    ("CPU of Redis, µs a request", lambda r: r["redis_us"] / r["acked"], 1),
    ("last task popped after the load, ms", lambda r: r["drain_ms"], 0),
]


def spread(values, digits):
    def show(value):
        return f"{value:,.{digits}f}".replace(",", " ")

    return f"{show(statistics.median(values))} ({show(min(values))}–{show(max(values))})"


def rows(hotlead, webdis, floor):
    yield "", "hotlead", "webdis", "floor", "hotlead : webdis", "hotlead : floor"
    yield "durable before the answer", "yes", "no", "yes", "", ""

    def ratio(ours, theirs):
        ratios = [a / b for a, b in zip(ours, theirs) if b]
        return spread(ratios, 2) + " x" if ratios else ""

    for what, count, digits in FIGURES:
        ours, theirs, least = ([count(r) for r in side] for side in (hotlead, webdis, floor))
        shown = spread(least, digits) if any(least) else ""
        yield what, spread(ours, digits), spread(theirs, digits), shown, ratio(ours, theirs), ratio(ours, least)

    def totals(rounds):
        sent, acked, popped = (int(sum(r[name] for r in rounds)) for name in ("sent", "acked", "popped"))
        return f"{sent} / {acked} / {popped} / {max(0, acked - popped)}"

    yield "sent / acknowledged / popped / lost", totals(hotlead), totals(webdis), "", "", ""


def main():
    style, rounds, about = sys.argv[1:]
    table = list(rows(*read(rounds)))
    widths = [max(len(row[column]) for row in table) for column in range(6)]
    edge = "| " if style == "--markdown" else ""
    for number, row in enumerate(table):
        cells = (" | " if edge else "  ").join(cell.ljust(width) for cell, width in zip(row, widths))
        print((edge + cells + (" |" if edge else "")).rstrip())
        if number == 0 and edge:
            print("|" + "---|" * 6)
    print()
    print(open(about).read(), end="")


main()
