"""deploy/quickstart as a newcomer runs it, on the binary that is built."""
import os
import re
import signal
import subprocess
import time
import unittest

from servers import ROOT, wait_until

QUICKSTART = str(ROOT / "deploy" / "quickstart")


class Quickstart(unittest.TestCase):
    def test_check_prints_a_measured_speed_to_lead(self):
        done = subprocess.run([QUICKSTART, "--check"], cwd="/", capture_output=True, text=True, timeout=600, check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertRegex(done.stdout, r"speed-to-lead \d+\.\d\d ms")

    def test_help_prints_the_usage_and_does_nothing(self):
        for words, code in ((["--help"], 0), (["-h"], 0), (["--chek"], 2)):
            done = subprocess.run([QUICKSTART, *words], capture_output=True, text=True, timeout=5, check=False)
            self.assertEqual(code, done.returncode)
            self.assertIn("--check", done.stderr if code else done.stdout)

    def test_it_runs_until_it_is_told_to_stop_and_leaves_nothing(self):
        start = time.monotonic()
        running = subprocess.Popen([QUICKSTART], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        text = ""
        while "Running until" not in text:
            line = running.stdout.readline()
            self.assertTrue(line, text)
            text += line
        self.assertLess(time.monotonic() - start, 3, "a second start compiles nothing")
        curl = next(line.strip() for line in text.splitlines() if "curl " in line)
        cli = next(line.strip() for line in text.splitlines() if "redis-cli " in line)
        curl, cli = curl[curl.index("curl ") :], cli[cli.index("redis-cli ") :]
        sent = subprocess.run(curl, shell=True, capture_output=True, text=True, timeout=10, check=True)
        self.assertIn("opt_", sent.stdout)
        popped = subprocess.run(cli, shell=True, capture_output=True, text=True, timeout=10, check=True)
        self.assertIn(re.search("opt_[0-9A-Z]{26}", sent.stdout)[0], popped.stdout)
        page = re.search(r"http://127\.0\.0\.1:\d+/demo\S*", text)
        self.assertTrue(page, text)
        shown = subprocess.run(["curl", "-fsS", page[0]], capture_output=True, text=True, timeout=10, check=True)
        self.assertIn("<form", shown.stdout)

        children = subprocess.run(["pgrep", "-P", str(running.pid)], capture_output=True, text=True, check=True)
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=20)
        for child in children.stdout.split():
            wait_until(lambda child=child: not os.path.exists(f"/proc/{child}"), 5, f"process {child} to end")
