"""table.py --plain|--markdown ROUNDS ABOUT: the rounds of beside-webdis as a table. Medians; in brackets the least and
the most of the rounds. Ratios are of the two sides' rounds of one number, which ran one after the other."""
import csv
import statistics
import sys

FIELDS = "side round sent acked popped seconds p50 p99 server_us redis_us drain_ms".split()


def read(path):
    sides = {"hotlead": [], "webdis": []}
    with open(path) as file:
        for row in csv.reader(file, delimiter="\t"):
            values = dict(zip(FIELDS, row))
            sides[values.pop("side")].append({name: float(value) for name, value in values.items()})
    return sides["hotlead"], sides["webdis"]


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


def rows(hotlead, webdis):
    yield "", "hotlead", "webdis", "hotlead : webdis"
    yield "durable before the answer", "yes", "no", ""
    for what, count, digits in FIGURES:
        ours, theirs = [count(r) for r in hotlead], [count(r) for r in webdis]
        ratios = [a / b for a, b in zip(ours, theirs) if b]
        yield what, spread(ours, digits), spread(theirs, digits), spread(ratios, 2) + " x" if ratios else ""

    def totals(rounds):
        sent, acked, popped = (int(sum(r[name] for r in rounds)) for name in ("sent", "acked", "popped"))
        return f"{sent} / {acked} / {popped} / {max(0, acked - popped)}"

    yield "sent / acknowledged / popped / lost", totals(hotlead), totals(webdis), ""


def main():
    style, rounds, about = sys.argv[1:]
    hotlead, webdis = read(rounds)
    hotlead.sort(key=lambda r: r["round"])
    webdis.sort(key=lambda r: r["round"])
    table = list(rows(hotlead, webdis))
    widths = [max(len(row[column]) for row in table) for column in range(4)]
    edge = "| " if style == "--markdown" else ""
    for number, row in enumerate(table):
        cells = (" | " if edge else "  ").join(cell.ljust(width) for cell, width in zip(row, widths))
        print((edge + cells + (" |" if edge else "")).rstrip())
        if number == 0 and edge:
            print("|---|---|---|---|")
    print()
    print(open(about).read(), end="")


main()
