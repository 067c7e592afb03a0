"""Two servers with one past: a data folder was copied, and both go on under one node name on one Redis. Neither may take
out what the other put, in rounds, each with a new copy."""
import collections
import json
import shutil
import time

from checker import SETTLES_WITHIN, UNSEEN_AFTER, Checker
from harness import Scenario
from rounds import Rounds
from servers import Hotlead
from traffic import Traffic


class Side:
    """One of the two servers, as Traffic and Checker want a scenario."""

    def __init__(self, scenario, server):
        self.server = server
        self.redis, self.queue, self.sk, self.admin = scenario.redis, scenario.queue, scenario.sk, scenario.admin
        self.key = scenario.key


class CopiedRounds(Scenario):
    queue_settings = {"report_within": 86400}

    def test_rounds_of_two_servers_with_one_past(self):
        self.rounds = Rounds(short=1, long=100)
        self.rounds.run(self.one_round)
        self.rounds.tell("redis", "rounds left a task lost, standing after its end, or reported twice")

    def one_round(self, number, dice):
        common = [self.accept_optin({"email": f"r{number}-{i}@example.com", "name": "Both"}) for i in range(20)]
        self.wait_tasks([answer["task"] for answer in common])
        second = self.copy(number, dice)
        first_side, second_side = Side(self, self.server), Side(self, second)
        try:
            self.run_both(first_side, second_side, {answer["task"]: answer for answer in common}, dice)
        finally:
            if second.is_running:
                self.assertEqual(0, second.stop())
        second.run("fsck", "--data", second.data)
        shutil.rmtree(second.data)
        self.redis("DEL", self.key("tasks"))
        return "copied_folder"

    def copy(self, number, dice):
        if dice.random() < 0.5:
            self.server.stop()
        else:
            self.server.kill()
        folder = self.folder / f"second{number}"
        folder.mkdir()
        shutil.copytree(self.server.data, folder / "data")
        second = Hotlead(folder, self.redis.url)
        self.addCleanup(lambda: second.is_running and second.kill())
        # The same number in the same millisecond would make the same id: the first one stays ahead by some.
        self.start_server()
        ahead = [self.accept_optin({"email": f"a{number}-{i}@example.com", "name": "Ahead"}) for i in range(30)]
        self.ahead = {answer["task"]: answer for answer in ahead}
        second.start()
        return second

    def run_both(self, first_side, second_side, common, dice):
        rounds, number = self.rounds, second_side.server.data.parent.name
        with (
            Traffic(first_side, rounds, f"{number}-first", senders=2, consumers=0) as first,
            Traffic(second_side, rounds, f"{number}-second", senders=2, consumers=0) as second,
            Traffic(first_side, rounds, number, senders=0, withdrawers=0, ends_over_http=False) as consumers,
        ):
            everybody = (first, second, consumers)
            for side in (first, second):
                side.ledger.popped, side.ledger.said = consumers.ledger.popped, consumers.ledger.said
            for task, answer in self.ahead.items():
                first.ledger.learn(task, answer["person"], answer["id"])
            for traffic in everybody:
                traffic.resume()
            time.sleep(dice.uniform(0.3, 1))
            for traffic in everybody:
                traffic.pause()
            for side in (first, second):
                for task, answer in common.items():
                    side.ledger.learn(task, answer["person"], answer["id"])
            self.check(first, second, set(common))

    def check(self, first, second, common):
        """What is one server's alone is checked as ever. What both know is put and given out by both."""
        checkers = [Checker(side.scenario, side.ledger) for side in (first, second)]
        checkers[0].elsewhere, checkers[1].elsewhere = second.ledger.open, first.ledger.open
        for checker in checkers:
            checker.shared = common
            checker.settle()
            checker.check_all_again()
        servers = (first.scenario.server, second.scenario.server)
        popped = first.ledger.popped  # of the consumers, and so of both
        start = time.monotonic()
        while wrong := self.disagreements(servers, common, popped):
            taken = time.monotonic() - start
            self.assertLess(taken, SETTLES_WITHIN, wrong[:5])
            if taken > UNSEEN_AFTER and all(is_unseen for is_unseen, _ in wrong):
                checkers[0].pop_all()
            time.sleep(0.05)
        checkers[0].end_most(keep=0)  # the next round begins with nothing

    def disagreements(self, servers, common, popped):
        """What both know stands once, is held, or has ended. Held is what stands nowhere, and then a consumer got the
        delivery of which each says so. (a pop is unseen, and nothing else is wrong; what is wrong) of each task."""
        standing = collections.Counter(
            json.loads(member)["id"] for member in self.redis("ZRANGE", self.key("tasks"), 0, -1)
        )
        wrong = []
        for task in sorted(common):
            told = [server.web.get(f"/v1/tasks/{task}", bearer=self.sk).json for server in servers]
            states = {one["state"] for one in told}
            held = [one["delivery"] for one in told if one["state"] not in ("queued", "ended")]
            is_lost = states == {"queued"} and not standing[task]
            is_left = states == {"ended"} and standing[task]
            is_held_by_nobody = not all(popped[task, delivery] for delivery in held)
            if is_lost or is_left or is_held_by_nobody or standing[task] > 1:
                pops = {delivery: count for (one, delivery), count in popped.items() if one == task}
                is_unseen = is_lost and all(popped[task, one["delivery"]] for one in told)
                wrong.append((is_unseen, f"{task} stands {standing[task]}x, was popped {pops}: {told}"))
        return wrong
