"""Killed at any instant, a thousand times: in the midst of everything that goes on, while it starts, while it rebuilds
what it lost, while a backup is made. And ended by SIGTERM, under load. What was acknowledged is there each time."""
import shutil
import subprocess
import time

from checker import Checker
from experiment import told
from harness import Scenario
from rounds import Rounds
from servers import HOTLEAD
from traffic import Traffic

SETTLE_EVERY = 20


class KillRounds(Scenario):
    queue_settings = {"report_within": 86400}  # what nobody reports of does not come again meanwhile

    RARE = ("start", "rebuild", "backup")  # each a twentieth of the kills; the others come under load

    def test_kills_at_any_instant_lose_nothing_that_was_acknowledged(self):
        self.rounds = Rounds(short=15, long=1000)
        order = [kind for kind in self.RARE for _ in range(max(1, self.rounds.count // 20))]
        order += ["load"] * (self.rounds.count - len(order))
        self.rounds.dice("order").shuffle(order)
        self.backups = 0
        with Traffic(self, self.rounds, admins=1) as self.traffic:
            self.checker = Checker(self, self.traffic.ledger)
            self.traffic.resume()

            def one_round(number, dice):
                getattr(self, f"kill_during_{order[number]}")(dice)
                self.look(settle=(number + 1) % SETTLE_EVERY == 0)
                return order[number]

            self.rounds.run(one_round)
            self.look(settle=True)
            self.traffic.pause()
        ledger = self.traffic.ledger
        self.assertEqual(0, ledger.doubles(), "Redis lost nothing, so no delivery is seen twice")
        self.rounds.tell("kill_during", "kills lost an acknowledgement")
        told("kill_9", 0, self.rounds.count, f"kills lost any of {ledger.acknowledged} acknowledgements")

    def look(self, settle):
        self.traffic.assert_sound()
        self.checker.check_acknowledged()
        self.checker.check_outcomes()
        self.checker.check_settings()
        if settle:
            self.traffic.pause()
            self.checker.settle()
            self.checker.end_most()
            self.traffic.resume()

    # --- when it is killed -------------------------------------------------------------------

    def kill_during_load(self, dice):
        time.sleep(dice.uniform(0.005, 0.15))
        self.server.kill()
        self.start_server()

    def kill_during_start(self, dice):
        self.server.kill()
        for _ in range(3):
            self.server.start(ready=False)
            time.sleep(dice.uniform(0, 0.1))
            self.server.kill()
        self.start_server()

    def kill_during_rebuild(self, dice):
        """State is lost, and the start that rebuilds it is killed; or the command that does."""
        self.server.kill()
        shutil.rmtree(self.server.data / "state")
        for _ in range(2):
            if dice.random() < 0.5:
                self.server.start(ready=False)
                time.sleep(dice.uniform(0, 0.2))
                self.server.kill()
            else:
                command = [HOTLEAD, "rebuild", "--data", str(self.server.data)]
                self.kill_command(command, dice.uniform(0, 0.2))
        self.start_server()

    def kill_command(self, command, after):
        """Its exit code, if it was through before the kill."""
        with open(self.server.log, "ab") as log:
            child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
            try:
                return child.wait(after)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
                return None

    def kill_during_backup(self, dice):
        """Either of the two is killed. A backup that said that it is done is whole."""
        self.backups += 1
        backup = self.folder / f"backup{self.backups}"
        command = [HOTLEAD, "backup", "--data", str(self.server.data), str(backup)]
        people_before = len(self.traffic.ledger.people)
        if dice.random() < 0.5:
            code = self.kill_command(command, dice.uniform(0, 0.1))
        else:
            with open(self.server.log, "ab") as log:
                child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
            time.sleep(dice.uniform(0, 0.05))
            self.server.kill()
            code = child.wait(60)
            self.start_server()
        if code == 0:
            self.check_backup(backup, people_before)
        shutil.rmtree(backup, ignore_errors=True)

    def check_backup(self, backup, people_least):
        restored = self.folder / "restored"
        self.server.run("restore", "--data", restored, backup)
        self.server.run("fsck", "--data", restored)
        people = self.server.run("dump", "--data", restored).stdout.count(b"\nperson ")
        self.assertGreaterEqual(people, people_least, "acknowledged before the backup, and not in it")
        shutil.rmtree(restored)


class StopRounds(Scenario):
    queue_settings = {"report_within": 86400}

    def test_sigterm_under_load_answers_whole_or_not_at_all_and_loses_nothing(self):
        rounds = Rounds(short=10, long=200)
        with Traffic(self, rounds, admins=1) as traffic:
            checker = Checker(self, traffic.ledger)
            traffic.resume()

            def one_round(number, dice):
                time.sleep(dice.uniform(0.02, 0.2))
                self.assertEqual(0, self.server.stop(), "exit code after SIGTERM")
                self.start_server()
                traffic.assert_sound()  # a part of an answer would show here
                checker.check_acknowledged()
                checker.check_outcomes()
                checker.check_settings()
                if number % SETTLE_EVERY == SETTLE_EVERY - 1 or number == rounds.count - 1:
                    traffic.pause()
                    checker.settle()
                    checker.end_most()
                    traffic.resume()
                return "under_load"

            rounds.run(one_round)
            traffic.pause()
        self.assertEqual(0, traffic.ledger.doubles(), "Redis lost nothing, so no delivery is seen twice")
        rounds.tell("sigterm", f"stops tore an answer or lost any of {traffic.ledger.acknowledged} acknowledgements")
