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
LONG = bool(os.environ.get("E2E_LONG"))
SECONDS_MAX = 1800 if LONG else 240  # unless a scenario says `seconds_long`
running = set()  # processes, each the head of its group


def scenarios(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from scenarios(test)
        else:
            yield test


def run_one(test):
    """In a group of its own, which ends with it: what a scenario started must not outlive it."""
    start = time.monotonic()
    seconds_max = getattr(test, "seconds_long", SECONDS_MAX) if LONG else SECONDS_MAX
    child = subprocess.Popen(
        [sys.executable, "-m", "unittest", "-v", test.id()], cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    running.add(child.pid)
    try:
        said, talk = child.communicate(timeout=seconds_max)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        said, talk = child.communicate()
        talk += f"\nnot done after {seconds_max} s"
    running.remove(child.pid)
    result = "FAIL" if child.returncode != 0 else "skip" if "skipped=" in talk else "ok"
    findings = [line for line in said.splitlines() if line.startswith(("experiment ", "measured "))]
    return test.id(), result, time.monotonic() - start, talk, findings


def results(pool, tests):
    yield from pool.map(run_one, [test for test in tests if not is_alone(test)])
    yield from map(run_one, filter(is_alone, tests))


def is_alone(test):
    return getattr(test, "alone", False)


def tell(name, result, seconds, talk, findings):
    print(f"{result:4} {name} ({seconds:.1f} s)", flush=True)
    for line in findings:
        print(f"     {line}", flush=True)
    if result == "FAIL":
        _, line, failure = talk.partition("=====")
        print("     " + (line + failure or talk).replace("\n", "\n     "), flush=True)
    if result == "skip":
        print("     " + next(line for line in talk.splitlines() if "skipped" in line), flush=True)


def main():
    # Who is started in the background of a shell has it ignored, and so would all that is tested.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser()
    # One more than there are processors: many wait, for seconds that must be real.
    parser.add_argument("--jobs", type=int, default=1 + max(2, os.cpu_count() or 2))
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    sys.path.insert(0, str(HERE))
    tests = sorted(scenarios(unittest.defaultTestLoader.discover(str(HERE))), key=lambda test: (is_alone(test), test.id()))
    if arguments.names:
        tests = [test for test in tests if any(part in test.id() for part in arguments.names)]
        if not tests:
            sys.exit(f"no scenario is named like {' '.join(arguments.names)}")
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        try:
            for name, result, *more in results(pool, tests):
                counts[result] += 1
                tell(name, result, *more)
        except KeyboardInterrupt:  # the scenarios, in groups of their own, have not heard it
            pool.shutdown(wait=False, cancel_futures=True)
            for group in list(running):
                os.killpg(group, signal.SIGKILL)
            raise
    print(f"{counts['ok']} passed, {counts['FAIL']} failed" + (f", {counts['skip']} skipped" if counts["skip"] else ""))
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
