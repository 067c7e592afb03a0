"""Peers that hurt: slow, silent, too many, too fast, too large. Beside each of them good traffic is measured, in turn
with and without; the server's memory and processor time are looked at; and afterwards everybody is served again."""
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import time
import unittest

from experiment import told
from harness import LONG, Scenario
from servers import IS_SANITIZED, wait_until

IS_LONG = LONG and not IS_SANITIZED
PAIRS = 11 if IS_LONG else 3  # of windows, one without and one with the attack
PAUSE_S = 1 if IS_LONG else 0.3  # between an attack whose connections are gone and the next calm window
WINDOW_S = 2 if IS_LONG else 1  # of good requests: whole periods of the slow peers, who send once a second
SLOW = 1000 if IS_LONG else 300  # connections
IDLE = 10_000 if IS_LONG else 2000
TIMEOUT_MS, IDLE_TIMEOUT_MS = 3000, 6000  # short, so that their end can be waited for
MIB = 1 << 20
HERE = pathlib.Path(__file__).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")

GROWTH_MAX = 512 * MIB if IS_SANITIZED else 48 * MIB
CONNECTION_MAX = (200 if IS_SANITIZED else 20) << 10  # bytes of an idle one


class Good:
    """One connection that posts new people, one after the other, and times each answer."""

    def __init__(self, port, key):
        self.link = socket.create_connection(("127.0.0.1", port), 15)
        self.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.head = (
            "POST /v1/optins HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {key}\r\nContent-Length: "
        ).encode()
        self.sent = self.refused = 0

    def post(self):
        """Seconds until the answer."""
        self.sent += 1
        body = b'{"email":"good%d@example.com"}' % self.sent
        request = self.head + b"%d\r\n\r\n" % len(body) + body
        begin = time.perf_counter()
        self.link.sendall(request)
        received = self.link.recv(65536)
        took = time.perf_counter() - begin
        self.refused += not received.startswith(b"HTTP/1.1 201 ")
        return took

    def window(self):
        """The 99th percentile of a window, how many were sent in it, and how many of them were refused."""
        before, times, end = self.refused, [], time.monotonic() + WINDOW_S
        while time.monotonic() < end:
            times.append(self.post())
        times.sort()
        return times[len(times) * 99 // 100], len(times), self.refused - before


class Attacker:
    """A program that attacks as long as the `with` lasts."""

    def __init__(self, command, is_begun):
        self.command = command
        self.is_begun = is_begun  # called with the child, waits until the attack is on

    def __enter__(self):
        self.child = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            self.is_begun(self.child)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.child.terminate()
        self.talk = self.child.communicate(timeout=30)[0]

    @property
    def answers(self):
        """What attack.py was answered: status -> how often."""
        return json.loads(self.talk.splitlines()[-1])


class Hostile(Scenario):
    """A server with short time-outs, seen from outside, and good traffic beside an attack."""

    arguments = [f"--{name}-timeout-ms={TIMEOUT_MS}" for name in ("header", "body", "write")]
    arguments += [f"--idle-timeout-ms={IDLE_TIMEOUT_MS}"]
    files = None
    alone = True

    def start_server(self):
        if self.files:
            self.server.wrapper = ["prlimit", f"--nofile={self.files}"]
        if self.arguments[0] not in self.server.arguments:
            self.server.arguments += self.arguments
        super().start_server()

    # --- the server from outside: a question over HTTP would be one more peer ---------

    def proc(self, name):
        return pathlib.Path(f"/proc/{self.server.child.pid}/{name}")

    def connections(self):
        return sum(1 for entry in self.proc("fd").iterdir() if self.is_socket(entry))

    @staticmethod
    def is_socket(entry):
        try:
            return os.readlink(entry).startswith("socket:")
        except FileNotFoundError:  # closed meanwhile
            return False

    def memory(self):
        line = next(line for line in self.proc("status").read_text().splitlines() if line.startswith("RssAnon"))
        return int(line.split()[1]) << 10

    def processor_share(self, seconds=0.5):
        """Of one processor, while nobody is good."""

        def used():
            fields = self.proc("stat").read_text().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / TICKS

        before = used()
        time.sleep(seconds)
        return (used() - before) / seconds

    # --- an attack --------------------------------------------------------------------

    def attack(self, *words):
        return Attacker([sys.executable, HERE / "attack.py", str(self.server.port), *map(str, words)], self.says_ready)

    def says_ready(self, child):
        self.assertEqual("ready\n", child.stdout.readline())

    def slow_test(self, kind, connections, *more, path="/v1/optins"):
        """slowhttptest, once its connections are there."""
        if not shutil.which("slowhttptest"):
            self.skipTest("slowhttptest is not installed")
        command = ["slowhttptest", kind, "-c", connections, "-r", connections, "-i", 1, "-l", 60, "-v", 0, *more,
                   "-u", self.server.url + path]  # fmt: skip
        wanted = self.connections() + connections * 9 // 10
        return Attacker([str(word) for word in command], lambda child: self.wait_connections(wanted))

    def slow_headers(self):
        return self.slow_test("-H", SLOW, "-x", 10)

    def slow_bodies(self):
        return self.slow_test("-B", SLOW, "-s", 8192, "-x", 10, "-f", "application/json")

    def slow_readers(self):
        """The kernel keeps what they do not read: to the server these are idle soon."""
        return self.slow_test("-X", SLOW, "-w", 10, "-y", 20, "-n", 1, "-z", 5, "-k", 3, path="/openapi.yaml")

    def unread_pipeline(self):
        return self.attack("pipeline", 100_000, 0)

    def wait_connections(self, least):
        wait_until(lambda: self.connections() >= least, 20, f"{least} connections")

    def wait_alone(self, most, timeout=IDLE_TIMEOUT_MS / 1000 + 8):
        wait_until(lambda: self.connections() <= most, timeout, f"at most {most} connections")

    def endure(self, name, attacker, held=0, growth_max=GROWTH_MAX):
        """Windows without and with the attack, in turn, so many whatever they say; the first one comes before any
        attack, and the others when nothing is left of the one before. Each attack is compared with the calm just
        before it, and the median decides. Returns the last attacker, ended."""
        self.web.close()
        good = Good(self.server.port, self.sk)
        self.addCleanup(good.link.close)
        good.window()
        calm, memory = self.connections(), self.memory()
        without, beside, sent, refused, growth = [], [], 0, 0, 0
        for pair in range(PAIRS):
            without.append(good.window()[0])
            with attacker() as on:
                took, count, missed = good.window()
                beside.append(took)
                sent += count
                refused += missed
                growth = max(growth, self.memory() - memory)
                if held and pair == PAIRS - 1:
                    self.assertLess(self.processor_share(), 0.3, "the server spins")
                    good.post()
            self.wait_alone(calm)
            time.sleep(PAUSE_S)
        ratio = statistics.median(with_it / without_it for with_it, without_it in zip(beside, without))
        self.tell(name, without, beside, ratio, growth)
        self.assertLess(ratio, 2, f"{beside} beside it, {without} without")
        self.assertLess(growth, growth_max)
        self.assertLess(self.processor_share(), 0.2, "the server spins when all is over")
        self.assert_served_again(good)
        self.assertEqual(0, good.refused, "good requests that were refused")
        told(f"peers {name}", refused, sent, "good requests beside it refused or unanswered")
        return on

    def tell(self, name, without, beside, ratio, growth):
        print(
            f"measured {name}: p99 of good requests {statistics.median(without) * 1000:.2f} ms without "
            f"({without[0] * 1000:.2f} before the first attack), {statistics.median(beside) * 1000:.2f} ms beside it, "
            f"{ratio:.2f} times as long ({PAIRS} pairs of windows of {WINDOW_S} s), memory +{growth / MIB:.1f} MiB",
            flush=True,
        )

    def assert_served_again(self, good):
        for _ in range(20):
            good.post()
        for number in range(20):
            self.accept_optin(self.person_number(number))
            self.web.close()  # the next one is a new connection
        wait_until(lambda: self.metric("hotlead_outbox_lag_operations") == 0, 20, "all tasks in Redis")


class Peers(Hostile):
    # --- slow -------------------------------------------------------------------------

    def test_slow_headers(self):
        self.endure("slow headers", self.slow_headers, held=SLOW)

    def test_slow_bodies(self):
        self.endure("slow bodies", self.slow_bodies, held=SLOW)

    def test_slow_readers(self):
        self.endure("slow readers", self.slow_readers, held=SLOW)

    # --- silent, and too many -----------------------------------------------------------

    def test_idle_connections(self):
        def attack():
            before = self.connections()
            attacker = self.attack("idle", IDLE)
            attacker.is_begun = lambda child: (self.says_ready(child), self.wait_connections(before + IDLE * 9 // 10))
            return attacker

        self.endure(f"{IDLE} idle connections", attack, held=IDLE, growth_max=IDLE * CONNECTION_MAX)

    # --- too fast -----------------------------------------------------------------------

    def test_flood_of_one_site(self):
        keys = self.create("sites", id="acme-flood", agency="acme", queue=self.queue, rate_limit=20, suspect_limit=20)
        on = self.endure("flood of one site", lambda: self.attack("flood", keys["pk"], 400))
        self.assertLessEqual({"201", "429"}, set(on.answers))
        self.assertGreater(on.answers["429"], on.answers["201"])

    def test_pipelines(self):
        on = self.endure("pipelines of 100,000", lambda: self.attack("pipeline", 100_000, 20_000))
        self.assertEqual({"200"}, set(on.answers))

    def test_pipeline_that_is_not_read(self):
        self.endure("pipeline of 100,000, not read", self.unread_pipeline, held=SLOW)

    # --- too large ----------------------------------------------------------------------

    def test_zip_bombs(self):
        on = self.endure("zip bombs", lambda: self.attack("bombs", self.sk, 100))
        self.assertEqual({"413"}, set(on.answers))


class CutOff(Hostile):
    """Who is slow is cut off by the time-outs, while it is still there. No speeds are compared."""

    alone = False

    def assert_cut_off(self, attacker):
        with_ours = self.connections()
        self.web.close()
        before = with_ours - 1
        wait_until(lambda: self.connections() == before, what="our own connection to be gone")
        with attacker():
            self.wait_connections(before + 1)
            self.wait_alone(before)
            good = Good(self.server.port, self.sk)
            self.addCleanup(good.link.close)
            self.assert_served_again(good)
        self.assertEqual(0, good.refused, "good requests that were refused")

    def test_slow_headers(self):
        self.assert_cut_off(self.slow_headers)

    def test_slow_bodies(self):
        self.assert_cut_off(self.slow_bodies)

    def test_slow_readers(self):
        self.assert_cut_off(self.slow_readers)

    def test_pipeline_that_is_not_read(self):
        self.assert_cut_off(self.unread_pipeline)


class FewFiles(Hostile):
    files = 64

    def test_more_connections_than_files(self):
        self.endure("200 connections with 64 files", lambda: self.attack("idle", 200), held=200)


if __name__ == "__main__":
    unittest.main()
