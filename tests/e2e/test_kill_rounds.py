"""Killed at any instant, a thousand times: in the midst of everything that goes on, while it starts, while it rebuilds
what it lost, while a backup is made. And ended by SIGTERM, under load. What was acknowledged is there each time."""
import os
import shutil
import signal
import subprocess
import time
import types

from checker import Checker
from experiment import told
from harness import Scenario
from rounds import Rounds
from servers import HOTLEAD, Hotlead
from traffic import Traffic

SETTLE_EVERY = 20
TRIES = 20  # to kill something while it is under way
LOOKED_FOR_IN_BACKUP = 300  # of what was acknowledged last before it; and some of what is older


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
            self.checker.check_all_again()
        ledger = self.traffic.ledger
        self.assertEqual(0, ledger.doubles(), "Redis lost nothing, so no delivery is seen twice")
        self.assertEqual(order.count("backup"), self.backups, "backups that were restored and asked")
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
        self.kill_under_way("start", 3, lambda: self.kill_start(dice.uniform(0, 0.1)))
        self.start_server()

    def kill_during_rebuild(self, dice):
        """State is lost, and the start that rebuilds it is killed; or the command that does."""
        self.server.kill()

        def kill():
            after = 0.2 * dice.random() ** 2
            if dice.random() < 0.5:
                was_under_way = self.kill_start(after)
            else:
                was_under_way = self.kill_command("rebuild", "--data", self.server.data, after=after)
            if not was_under_way:
                shutil.rmtree(self.server.data / "state", ignore_errors=True)  # the next one begins anew
            return was_under_way

        shutil.rmtree(self.server.data / "state")
        self.kill_under_way("rebuild", 2, kill)
        self.start_server()

    def kill_during_backup(self, dice):
        """Either of the two is killed: the backup, and a later one's server. That one says that it is done."""
        backup = self.folder / "backup"

        def kill():
            shutil.rmtree(backup, ignore_errors=True)
            return self.kill_command("backup", "--data", self.server.data, backup, after=dice.uniform(0, 0.05))

        self.kill_under_way("backup", 1, kill)
        shutil.rmtree(backup, ignore_errors=True)
        acknowledged = self.acknowledged_before()
        child = self.start_command("backup", "--data", self.server.data, backup)
        time.sleep(dice.uniform(0, 0.05))
        self.server.kill()
        self.assertEqual(0, child.wait(60), "exit code of a backup whose server is killed")
        self.check_backup(backup, *acknowledged)
        shutil.rmtree(backup)
        self.start_server()

    def kill_under_way(self, kind, times, kill):
        """Until so many were killed that were not through yet."""
        felt = 0
        for _ in range(TRIES):
            felt += kill()
            if felt == times:
                break
        self.rounds.note_felt(kind, felt)

    def kill_start(self, after):
        """Whether it had not come to its end, which is that state is there."""
        self.server.start(ready=False)
        time.sleep(after)
        was_through = self.has_state()
        self.server.kill()
        return not was_through

    def has_state(self):
        try:
            return self.server.web.get("/readyz").json["state"] == "ready"
        except OSError:
            return False

    def start_command(self, *words):
        """In a group of its own: it works in a child."""
        with open(self.server.log, "ab") as log:
            command = [HOTLEAD, *map(str, words)]
            return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True)

    def kill_command(self, *words, after):
        """Whether it was not through yet; when it was, all was well."""
        child = self.start_command(*words)
        try:
            code = child.wait(after)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            return True
        self.assertEqual(0, code, f"exit code of {words[0]}")
        return False

    # --- a backup ----------------------------------------------------------------------------

    def acknowledged_before(self):
        """Opt-ins and outcomes that a backup that begins now must have."""
        ledger = self.traffic.ledger
        with ledger.lock:
            last = dict(list(ledger.found.items())[-LOOKED_FOR_IN_BACKUP:])
            optins = {**self.checker.some(ledger.found), **last, **ledger.fresh}
            return optins, dict(list(ledger.kept.items())[-LOOKED_FOR_IN_BACKUP:])

    def check_backup(self, backup, optins, outcomes):
        """A server on what is restored from it, with no Redis, has all that was acknowledged before."""
        folder = self.folder / "restored"
        folder.mkdir()
        restored = Hotlead(folder, f"{self.redis.url}.none")
        self.server.run("restore", "--data", restored.data, backup)
        self.server.run("fsck", "--data", restored.data)
        restored.start()
        try:
            checker = Checker(types.SimpleNamespace(server=restored, sk=self.sk), self.traffic.ledger)
            checker.find_optins(optins)
            checker.find_outcomes(outcomes)
        finally:
            restored.kill()
        self.backups += 1
        shutil.rmtree(folder)


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
            checker.check_all_again()
        self.assertEqual(0, traffic.ledger.doubles(), "Redis lost nothing, so no delivery is seen twice")
        rounds.tell("sigterm", f"stops tore an answer or lost any of {traffic.ledger.acknowledged} acknowledgements")
