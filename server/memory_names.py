#!/usr/bin/python3
"""Writes a header that gives the functions of some headers other names, for compiling what
implements and uses them once more beside what bears the names already.

usage: memory_names.py PREFIX OUT HEADER ..."""
import pathlib
import re
import sys

# A function's name stands right before its parameters; macros and what is inline need no other.
NAME = re.compile(r"^[a-z].*?[ *]([a-z][a-z0-9_]*)\(", re.MULTILINE)


def main():
    prefix, out, *headers = sys.argv[1:]
    names = set()
    for header in headers:
        for line in pathlib.Path(header).read_text().splitlines():
            found = NAME.match(line)
            if found and not line.startswith(("static", "typedef")):
                names.add(found[1])
    lines = [f"#define {name} {prefix}{name}\n" for name in sorted(names)]
    pathlib.Path(out).write_text("/* Made by memory_names.py. */\n" + "".join(lines))


if __name__ == "__main__":
    main()
