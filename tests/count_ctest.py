#!/usr/bin/python3
"""Reads the log of `ctest -V` with cmocka's TAP output in it: counts each test function, shows what failed.

    count_ctest.py LOG

A program that fails without saying which test (a crash, a sanitizer, a timeout) counts as one failure;
one without TAP output counts as one test."""
import re
import sys
from collections import defaultdict

LINE = re.compile(r"^(\d+): (.*)$")
RESULT = re.compile(r"^\s*\d+/\d+ Test\s+#(\d+): (\S+) \.*\s*(\*\*\*\w+(?: \w+)?|Passed|\S+)")


def main():
    output, verdicts = defaultdict(list), {}
    for line in open(sys.argv[1], errors="replace"):
        if match := LINE.match(line):
            output[match[1]].append(match[2])
        elif match := RESULT.match(line):
            verdicts[match[1]] = (match[2], match[3] == "Passed")
    passed = failed = 0
    for number, (name, is_good) in sorted(verdicts.items(), key=lambda item: int(item[0])):
        good = [line for line in output[number] if line.startswith("ok ")]
        bad = [line for line in output[number] if line.startswith("not ok ")]
        good_count = len(good) if good or bad else int(is_good)
        bad_count = len(bad) if bad else int(not is_good)
        passed, failed = passed + good_count, failed + bad_count
        print(f"{'FAIL' if bad_count else 'ok  '} {name} ({good_count} passed, {bad_count} failed)")
        if bad_count:
            print("\n".join("     " + line for line in output[number][-40:]))
    if not verdicts:
        print("no unit test ran")
        failed = 1
    print(f"{passed} passed, {failed} failed")


main()
