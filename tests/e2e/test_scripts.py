"""The scripts that put tasks on their queue are refused by a real Redis, in each way that it has, or their answer is lost:
no opt-in hears of it, and every task comes when Redis takes it again."""
import contextlib
import itertools
import json
import random
import re
import socket
import threading
import time

from experiment import during, seed, told
from failover import Proxy, connect_unix, shut
from harness import LONG, Scenario
from resp import Redis, RedisError
from servers import RedisServer, wait_until

MOST = 200 if LONG else 40
FEW = 4  # values of N in the short run
BEHIND = 5  # opt-ins behind the first call that fails
CALL = re.compile(rb"(?=\*\d+\r\n\$7\r\nEVALSHA\r\n)")
LOST = "answer lost"
# What to do before a call so that it is refused, and what ends that.
TROUBLES = {
    "out of memory": (("CONFIG", "SET", "maxmemory", 1), ("CONFIG", "SET", "maxmemory", 0)),
    "forgotten": (("SCRIPT", "FLUSH"), ("PING",)),
    "read only": (("REPLICAOF", "127.0.0.1", 1), ("REPLICAOF", "NO", "ONE")),
    "forbidden": (("ACL", "SETUSER", "default", "-evalsha", "-eval"), ("ACL", "SETUSER", "default", "+@all")),
    "no replicas": (("CONFIG", "SET", "min-replicas-to-write", 1), ("CONFIG", "SET", "min-replicas-to-write", 0)),
    LOST: (("PING",), ("PING",)),
}


class Scripts(Scenario):
    """At any moment."""

    ROUNDS = 200 if LONG else 8

    def test_script_that_is_refused_loses_no_task(self):
        self.seed = seed()
        chance = random.Random(self.seed)
        kinds = [self.out_of_memory, self.forgotten, self.killed, self.read_only, self.forbidden, self.busy, self.no_replicas]
        self.redis("CONFIG", "SET", "busy-reply-threshold", 20)
        tasks, posted = [], 0
        for number in range(self.ROUNDS):
            trouble = kinds[number] if number < len(kinds) else chance.choice(kinds)
            with during(f"{trouble.__name__}, round {number}", self.seed):
                with contextlib.ExitStack() as end:
                    trouble(end)
                    for _ in range(chance.randrange(1, 5)):
                        posted += 1
                        tasks.append(self.accept_optin(self.person_number(posted))["task"])
                    time.sleep(chance.random() / 10)
                self.wait_tasks(tasks, timeout=30)
        self.assertEqual(set(), set(tasks) - self.tasks().keys(), "tasks that are gone again")
        told("refused script", 0, self.ROUNDS, f"refusals lost any of {posted} tasks")

    def out_of_memory(self, end):
        self.redis("CONFIG", "SET", "maxmemory", 1)
        end.callback(self.redis, "CONFIG", "SET", "maxmemory", 0)

    def forgotten(self, _):
        self.redis("SCRIPT", "FLUSH")

    def killed(self, _):
        self.redis("CLIENT", "KILL", "TYPE", "normal")

    def read_only(self, end):
        self.redis("REPLICAOF", "127.0.0.1", 1)
        end.callback(self.redis, "REPLICAOF", "NO", "ONE")

    def forbidden(self, end):
        self.redis("ACL", "SETUSER", "default", "-evalsha", "-eval")
        end.callback(self.redis, "ACL", "SETUSER", "default", "+@all")

    def busy(self, end):
        def endless():
            with contextlib.suppress(RedisError):
                link("EVAL", "while true do end", 0)

        link = Redis(self.redis.path)
        thread = threading.Thread(target=endless)
        thread.start()
        end.callback(thread.join)
        end.callback(self.redis, "SCRIPT", "KILL")
        wait_until(self.is_busy, what="Redis to be busy")

    def is_busy(self):
        try:
            return self.redis("PING") != "PONG"
        except RedisError as error:
            return "BUSY" in str(error)

    def no_replicas(self, end):
        self.redis("CONFIG", "SET", "min-replicas-to-write", 1)
        end.callback(self.redis, "CONFIG", "SET", "min-replicas-to-write", 0)


class Gate(Proxy):
    """Counts the calls of scripts that hotlead sends, and has the Nth refused, once or from then on: it brings Redis
    into trouble before it lets the call pass, and out of it when it was refused."""

    def __init__(self, listener, path):
        super().__init__(listener)
        self.path = path
        self.calls = self.refused = 0
        self.nth = self.trouble = self.is_once = None

    def fail(self, nth, trouble, is_once):
        self.calls = self.refused = 0
        self.trouble, self.is_once = trouble, is_once
        self.nth = nth

    def off(self):
        self.nth = None
        self._tell(TROUBLES[self.trouble][1])

    def _tell(self, words):
        link = Redis(self.path)
        try:
            return link(*words)
        finally:
            link.close()

    def _refusals(self):
        found = re.search(r"cmdstat_evalsha:.*rejected_calls=(\d+),failed_calls=(\d+)", self._tell(("INFO", "commandstats")))
        return int(found[1]) + int(found[2]) if found else 0

    def _forward(self, piece, sink):
        for part in CALL.split(piece):
            if CALL.match(part):
                self._call(part, sink)
            elif part:
                sink.sendall(part)

    def _call(self, part, sink):
        self.calls += 1
        nth = self.nth
        if nth is None or not (self.calls == nth if self.is_once else self.calls >= nth):
            sink.sendall(part)
            return
        before = self._refusals()
        self._tell(TROUBLES[self.trouble][0])
        sink.sendall(part)
        if self.trouble == LOST:
            shut(sink)
            self.refused += 1
            return
        end = time.monotonic() + 1
        while self._refusals() == before and time.monotonic() < end:
            time.sleep(0.001)
        self.refused += self._refusals() > before
        if self.is_once:
            self._tell(TROUBLES[self.trouble][1])


class GatedRedis(RedisServer):
    """hotlead comes to it through a gate, the test does not."""

    def __init__(self, folder):
        super().__init__(folder)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"{self.path}.gate")
        listener.listen(64)
        self.gate = Gate(listener, self.path)
        self.gate.point_to(lambda: connect_unix(self.path))

    @property
    def url(self):
        return f"unix://{self.path}.gate"

    def remove(self):
        self.gate.close()
        super().remove()


class NthScript(Scenario):
    make_redis = GatedRedis
    seconds_long = 3600

    def test_nth_script_that_is_refused_loses_no_task(self):
        self.seed = seed()
        self.chance = random.Random(self.seed)
        self.posted = self.rounds = self.refused = 0
        troubles = itertools.cycle(self.chance.sample(list(TROUBLES), len(TROUBLES)))
        numbers = range(1, MOST + 1) if LONG else [1, 2, *self.chance.sample(range(3, MOST + 1), FEW - 2)]
        for is_once in (True, False):
            for nth in numbers:
                trouble = next(troubles)
                with during(f"{trouble}, number {nth}{'' if is_once else ' and all behind'}", self.seed):
                    self.run_round(nth, trouble, is_once)
        told(
            "nth script", 0, self.rounds,
            f"calls from the Nth on, N up to {max(numbers)}, lost any of {self.posted} tasks ({self.refused} were refused)",
        )  # fmt: skip

    def run_round(self, nth, trouble, is_once):
        gate, tasks = self.redis.gate, []
        gate.fail(nth, trouble, is_once)
        while gate.calls < nth:
            self.assertLess(len(tasks), 10 * nth + 100, "so many opt-ins, and no Nth call")
            tasks.append(self.opt_in())
            time.sleep(0.001)  # else many go in one call
        tasks += [self.opt_in() for _ in range(BEHIND)]
        wait_until(lambda: gate.refused > 0, 10, "a call to be refused")
        gate.off()
        self.wait_tasks(tasks, timeout=30)
        self.rounds += 1
        self.refused += gate.refused
        self.work_off(len(tasks))

    def opt_in(self):
        self.posted += 1
        return self.accept_optin({"email": f"script{self.posted}@example.com"})["task"]

    def work_off(self, count):
        members = self.redis("ZPOPMIN", self.key("tasks"), count)
        for member in members[::2]:
            self.report(json.loads(member), "outcome", outcome="sold")
