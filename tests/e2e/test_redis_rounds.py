"""Redis dies, forgets, freezes and comes back older, in rounds, while opt-ins, pops, reports and withdrawals go on. After
each round all is quiet, and what hotlead says, what stands in Redis and what was promised agree (checker.py)."""
import json
import re
import shutil
import signal
import time

from checker import Checker
from failover import Pair
from harness import LONG, Scenario
from rounds import Rounds
from servers import wait_until
from traffic import Traffic


class RedisRounds(Scenario):
    """Subclasses name their kinds: a method `fault_<kind>(dice)` each. It says whether the fault was felt, where that
    is not certain."""

    queue_settings = {"report_within": 86400}  # what nobody reports of does not come again meanwhile
    kinds = ()
    forgets = True  # Redis may forget what it said
    keeps_reports = ()  # kinds in which it forgets no report all the same
    felt_by_pushes = ()  # kinds that are nothing to a hotlead that is down
    killing = 0.2  # of the rounds, hotlead is killed before the fault and started after it

    def run_rounds(self, short_each=1, long_each=100):
        self.rounds = Rounds(short=short_each * len(self.kinds), long=long_each * len(self.kinds))
        order = self.rounds.each(self.kinds)
        with Traffic(self, self.rounds) as self.traffic:
            self.ledger = self.traffic.ledger
            self.checker = Checker(self, self.ledger)

            def one_round(number, dice):
                self.one_round(order[number], dice)
                return order[number]

            self.rounds.run(one_round)
            self.checker.check_all_again()
        self.rounds.tell("redis", "rounds left a task lost, doubled, standing after its end, or reported twice")

    def one_round(self, kind, dice):
        self.before_round(dice)
        self.traffic.resume()
        time.sleep(dice.uniform(0.1, 0.4))
        is_killed = dice.random() < self.killing and (kind not in self.felt_by_pushes or self.rounds.felt[kind])
        if is_killed:
            self.server.kill()
        was_felt = getattr(self, f"fault_{kind}")(dice)
        if was_felt is not None:
            self.rounds.note_felt(kind, was_felt)
        if is_killed:
            self.start_server()
        if dice.random() < 0.5:  # else nobody pops what Redis shows again, before it is looked at
            time.sleep(dice.uniform(0.05, 0.4))
        self.traffic.pause()
        self.checker.loses_reports = self.forgets and kind not in self.keeps_reports
        self.checker.settle()
        if self.checker.loses_reports:
            self.ledger.reported.clear()  # nobody knows which are gone, and the next kind may lose none
        self.after_round()
        if not self.forgets:
            self.assertEqual(0, self.ledger.doubles(), "deliveries that were seen twice, though Redis forgot nothing")
        self.checker.end_most()

    def before_round(self, dice):
        pass

    def after_round(self):
        pass


class Forgetting(RedisRounds):
    """Keys are gone, all or some."""

    kinds = ("flushall", "deleted_mark", "flushed_and_killed")
    keeps_reports = ("deleted_mark",)

    def test_rounds_of_a_redis_that_is_flushed(self):
        self.run_rounds()

    def fault_flushall(self, _dice):
        self.redis("FLUSHALL")

    def fault_deleted_mark(self, _dice):
        for mark in self.redis("KEYS", self.key("mark:*")):
            self.redis("DEL", mark)

    def fault_flushed_and_killed(self, dice):
        """Twice, with a Redis that comes back with nothing."""
        for _ in range(2):
            self.redis.stop(signal.SIGKILL)
            shutil.rmtree(self.redis.folder / "appendonlydir", ignore_errors=True)
            self.redis.start()
            time.sleep(dice.uniform(0, 0.3))


class ComingBack(RedisRounds):
    """Redis dies and comes back with what its files have."""

    kinds = ("killed", "truncated_aof", "older_rdb")

    def test_rounds_of_a_redis_that_comes_back_older(self):
        self.snapshots = []
        self.run_rounds()

    def fault_killed(self, _dice):
        self.redis.stop(signal.SIGKILL)
        self.redis.start()

    def fault_truncated_aof(self, dice):
        self.redis.stop(signal.SIGKILL)
        appended = max((self.redis.folder / "appendonlydir").glob("*.incr.aof"))
        size = appended.stat().st_size
        with open(appended, "r+b") as file:
            file.truncate(size - min(size, dice.randint(1, 60_000)))
        self.redis.start()
        return size > 0

    def fault_older_rdb(self, dice):
        """From a moment ago, or from rounds ago: all that stands in it has ended since."""
        if not self.snapshots or dice.random() < 0.5:
            self.take_snapshot()
            time.sleep(dice.uniform(0, 0.6))
        older = dice.choice(self.snapshots[-4:])
        self.redis.stop(signal.SIGKILL)
        shutil.rmtree(self.redis.folder / "appendonlydir")
        shutil.copy(older, self.redis.folder / "dump.rdb")
        self.redis.start(appendonly="no")
        self.redis("CONFIG", "SET", "appendonly", "yes")
        wait_until(lambda: "aof_rewrite_in_progress:0" in self.redis("INFO", "persistence"), 20, "the new AOF")

    def take_snapshot(self):
        self.redis("SAVE")
        self.snapshots.append(self.folder / f"{len(self.snapshots)}.rdb")
        shutil.copy(self.redis.folder / "dump.rdb", self.snapshots[-1])


class Enduring(RedisRounds):
    """Nothing is forgotten, so nothing may be seen twice."""

    kinds = felt_by_pushes = ("full", "script_flush")
    forgets = False

    def test_rounds_of_a_redis_that_forgets_nothing(self):
        self.run_rounds()

    def fault_full(self, dice):
        before = self.refused_scripts()
        for _ in range(2):
            self.redis("CONFIG", "SET", "maxmemory", 1)
            time.sleep(dice.uniform(0, 0.8))
            self.redis("CONFIG", "SET", "maxmemory", 0)
            time.sleep(dice.uniform(0, 0.3))
        return self.refused_scripts() > before

    def fault_script_flush(self, dice):
        before = self.refused_scripts()
        for _ in range(5):
            self.redis("SCRIPT", "FLUSH")
            time.sleep(dice.uniform(0, 0.05))
        return self.refused_scripts() > before

    def refused_scripts(self):
        """Calls of scripts that failed; only hotlead calls them."""
        found = re.search(
            r"cmdstat_evalsha:.*rejected_calls=(\d+),failed_calls=(\d+)", self.redis("INFO", "commandstats")
        )
        return int(found[1]) + int(found[2]) if found else 0


class Frozen(RedisRounds):
    """Redis stands still, longer than a command may take: the link is given up, and what was sent on it comes late."""

    kinds = ("frozen",)
    forgets = False
    seconds_long = 3600  # it stands still for 15 minutes of them

    def test_rounds_of_a_redis_that_stands_still(self):
        self.run_rounds()

    def fault_frozen(self, dice):
        self.redis.signal(signal.SIGSTOP)
        # 1 to 30 s, the shorter ones more often, or the rounds would take all day.
        time.sleep(30 ** dice.random() if LONG else dice.uniform(1, 2))
        self.redis.signal(signal.SIGCONT)


class FailingOver(RedisRounds):
    """The replica is cut off, falls behind, and is promoted when the primary dies."""

    make_redis = Pair
    kinds = ("failover",)

    def test_rounds_of_a_primary_that_dies_with_its_tail(self):
        self.run_rounds()

    def before_round(self, dice):
        if not self.redis.replica.is_running:
            self.redis.join()

    def fault_failover(self, dice):
        if dice.random() < 0.9 or not self.rounds.felt["failover"]:
            self.redis.cut()
        time.sleep(dice.uniform(0, 0.6))
        was_behind = self.redis.is_behind()
        self.redis.fail_over()
        return was_behind


class DeletedQueue(RedisRounds):
    """A queue's key alone is gone: that counts as popped, so the tasks come again when their leases are over."""

    clock = True
    queue_settings = {}
    kinds = keeps_reports = ("deleted_queue",)
    TAKE_ALL = "local all = redis.call('ZRANGE', KEYS[1], 0, -1); redis.call('DEL', KEYS[1]); return all"

    def test_rounds_of_a_queue_that_is_deleted(self):
        self.run_rounds()

    def fault_deleted_queue(self, _dice):
        for member in self.redis("EVAL", self.TAKE_ALL, 1, self.key("tasks")):
            task = json.loads(member)
            self.ledger.vanished.add((task["id"], task["delivery"]))
        self.clock.advance(0.01)  # or what comes now would stand among what is gone

    def after_round(self):
        """Nobody has the vanished ones. From here on they have to be seen again, as the next delivery."""
        self.ledger.vanished.clear()
        self.clock.advance(121)
        self.checker.settle()


class Controls(Scenario):
    """The checker is worth something only if it sees what is wrong: here the test does it itself."""

    queue_settings = {"report_within": 86400}

    def setUp(self):
        super().setUp()
        self.traffic = Traffic(self, Rounds(1, 1), senders=0, consumers=0, withdrawers=0)
        self.ledger = self.traffic.ledger
        self.checker = Checker(self, self.ledger)
        for number in range(5):
            optin = self.person_number(number)
            answer = self.accept_optin(optin)
            self.ledger.fresh[answer["id"]] = optin
            self.ledger.learn(answer["task"], answer["person"], answer["id"])
        self.checker.settle()
        self.members = self.redis("ZRANGE", self.key("tasks"), 0, -1)

    def assert_seen(self, words, timeout=1):
        with self.assertRaisesRegex(AssertionError, words):
            self.checker.settle(timeout)

    def test_what_is_wrong_is_seen(self):
        queue, first, last = self.key("tasks"), self.members[0], self.members[-1]
        self.ledger.fresh["opt_" + "0" * 26] = {"email": "nobody@example.com"}
        self.assert_seen("acknowledged opt_0")  # lost
        task = json.loads(first)
        self.ledger.fresh[task["optin"]] = {"email": "other@example.com"}
        self.assert_seen("acknowledged opt_")  # of other content

        twice = first.replace("reports:n1", "reports:n9")  # of another node, which hotlead does not touch
        self.redis("ZADD", queue, 9e15, twice)
        self.assert_seen("does not stand once")
        self.redis("ZREM", queue, twice)

        rank = self.redis("ZSCORE", queue, last)
        self.redis("ZREM", queue, last)
        self.assert_seen("does not stand once")  # lost from behind the head, where no look goes
        self.redis("ZADD", queue, rank, last)
        self.checker.settle()

        self.report(task, "outcome", outcome="busy")
        self.ledger.said[task["id"]].add("busy")
        wait_until(lambda: first not in self.redis("ZRANGE", queue, 0, -1), what="its withdrawal")
        self.redis("ZADD", queue, 9e15, twice)
        self.assert_seen("has ended")
        self.redis("ZREM", queue, twice)
        self.checker.settle()

        self.ledger.unheard_pops = 1
        unheard = self.pop()
        self.checker.settle()  # one pop without an answer: one task that nobody has
        self.report(unheard, "outcome", outcome="busy")
        self.ledger.said[unheard["id"]].add("busy")
        self.checker.settle()
        other = self.pop()
        self.assert_seen("no consumer has it", timeout=4)  # and not another one when that one has ended
        self.ledger.vanished.add((other["id"], other["delivery"]))
        self.checker.settle()

        self.redis("DEL", queue)
        self.assert_seen("no consumer has it", timeout=4)

        self.checker.check_all_again()
        self.ledger.found["opt_" + "0" * 26] = {"email": "nobody@example.com"}  # as if it had been there once
        with self.assertRaisesRegex(AssertionError, "acknowledged opt_0"):
            self.checker.check_all_again()
