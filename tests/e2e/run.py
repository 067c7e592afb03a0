#!/usr/bin/python3
"""Runs scenarios side by side, each in a process of its own; those that compare speeds (`alone = True`) one by one.

    run.py [--jobs N] [NAME ...]    NAME: part of a file's, class's or scenario's name

Ends with `N passed, N failed`; E2E_LONG=1 makes the long ones long."""
import argparse
import concurrent.futures
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
SECONDS_MAX = 1800 if os.environ.get("E2E_LONG") else 240


def scenarios(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from scenarios(test)
        else:
            yield test


def run_one(name):
    start = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "unittest", "-v", name], cwd=HERE, capture_output=True, text=True,
            timeout=SECONDS_MAX, check=False,
        )  # fmt: skip
        talk, failed = done.stderr, done.returncode != 0
    except subprocess.TimeoutExpired as late:
        talk, failed = f"{late.stderr or ''}\nnot done after {SECONDS_MAX} s", True
    result = "FAIL" if failed else "skip" if "skipped=" in talk else "ok"
    return name, result, time.monotonic() - start, talk


def results(pool, names, alone):
    yield from pool.map(run_one, [name for name in names if name not in alone])
    for name in names:
        if name in alone:
            yield run_one(name)


def main():
    # Who is started in the background of a shell has it ignored, and so would all that is tested.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=max(2, os.cpu_count() or 2))
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    sys.path.insert(0, str(HERE))
    tests = list(scenarios(unittest.defaultTestLoader.discover(str(HERE))))
    alone = {test.id() for test in tests if getattr(test, "alone", False)}
    names = sorted((test.id() for test in tests), key=lambda name: (name in alone, name))
    if arguments.names:
        names = [name for name in names if any(part in name for part in arguments.names)]
        if not names:
            sys.exit(f"no scenario is named like {' '.join(arguments.names)}")
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for name, result, seconds, talk in results(pool, names, alone):
            counts[result] += 1
            print(f"{result:4} {name} ({seconds:.1f} s)", flush=True)
            if result == "FAIL":
                print("     " + talk[talk.find("=====") :].replace("\n", "\n     "), flush=True)
            if result == "skip":
                print("     " + next(line for line in talk.splitlines() if "skipped" in line), flush=True)
    print(f"{counts['ok']} passed, {counts['FAIL']} failed" + (f", {counts['skip']} skipped" if counts["skip"] else ""))
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
