"""hotlead simulate, and replay under another playbook: the engine with no server."""
import json
import re

from experiment import seed, told
from harness import LONG, Scenario
from servers import wait_until

HOUR, DAY = 3600, 86400


class Simulations(Scenario):
    alone = True  # its speed is looked at

    def simulate(self, *words, code=0):
        done = self.server.run("simulate", *map(str, words), check=False)
        self.assertEqual(code, done.returncode, done.stderr.decode())
        return done.stdout.decode()

    def lines(self, *words):
        return dict(line.split(" ", 1) for line in self.simulate(*words).splitlines())

    def test_a_seed_is_the_same_life_whatever_the_threads_and_restarts(self):
        words = ["--people", 1500, "--years", 2, "--seed", 3]
        first = self.lines(*words, "--threads", 1, "--restarts", 0)
        self.assertRegex(first["digest"], "^[0-9a-f]{32}$")
        self.assertEqual("0", first["orphans"])
        again = json.loads(self.simulate(*words, "--threads", 2, "--restarts", 5, "--json"))
        self.assertEqual((first["digest"], 10), (again["digest"], again["restarts"]))
        self.assertNotEqual(first["digest"], self.lines(*words, "--rate", "answered=1000")["digest"])

    def test_a_small_town_is_the_same_life_too(self):
        words = ["--people", 3, "--years", 1, "--seed", 1]
        digests = {self.lines(*words, "--restarts", restarts)["digest"] for restarts in range(3)}
        digests.add(self.lines(*words, "--playbook", "default")["digest"])
        self.assertEqual(1, len(digests), digests)

    def test_years_leave_nothing_broken(self):
        number = seed()
        people, years = (500_000, 10) if LONG else (3000, 5)
        came = json.loads(self.simulate("--people", people, "--years", years, "--seed", number, "--json"))
        broken = {name: count for name, count in came.items() if name.startswith("broken.") and count}
        self.assertEqual({}, broken, f"SEED={number}")
        self.assertGreater(came["checked.next"], came["people"])
        if LONG:  # on two processors of the test machine it is over two million
            self.assertGreater(came["person_years_a_minute"], 1_000_000)
        told("simulated_years", came["orphans"], int(came["person_years"]), "person-years left somebody without a next step")

    def test_a_visit_keeps_no_hours_of_calls(self):
        visiting = self.folder / "visiting.yaml"
        visiting.write_text("""based_on: default
name: visiting
title: Visiting
caps: {per_day: 8, calls_per_day: 2, gap: 0s}
cadences:
  new_lead: {title: N, for: prospects, then: nurture, steps: [
    {id: letter, after: 0s, channel: email, kind: offer, template: t},
    {id: visit, after: 1h, channel: visit, kind: offer, script: s}]}
""")
        came = json.loads(self.simulate("--people", 300, "--years", 1, "--seed", 5, "--playbook", visiting, "--json"))
        self.assertGreater(came["tasks.visit"], 100)
        self.assertGreater(came["checked.hours"], 100)
        self.assertEqual(0, came["broken.hours"])

    def test_bad_words_say_what_to_do(self):
        for words, hint in (
            (["--people", "1"], "say --people N, --years Y and --seed S"),
            (["--people", "0", "--years", "1", "--seed", "1"], "--people takes a number from 1 to"),
            (["--years", "81"], "--years takes a number from 1 to 80"),
            (["--rate", "answerd=1"], "did you mean 'answered'?"),
            (["--rate", "answered=x"], "takes a number from 0 to 10000"),
            (["--poeple", "1"], "none of simulate's flags"),
            (["--people", "1", "--years", "1", "--seed", "1", "--playbook", "/no/such"], "No such file"),
        ):
            done = self.server.run("simulate", *words, check=False)
            self.assertEqual(2, done.returncode)
            self.assertEqual(b"", done.stdout)
            self.assertIn(hint, done.stderr.decode())
        self.assertIn("Keller Center", self.simulate("--help"))


class OtherPlaybooks(Scenario):
    clock = True

    def tell_again(self, playbook, *words):
        return self.server.run("replay", "--data", self.server.data, "--playbook", playbook, *words).stdout.decode()

    def live(self):
        """Two people: one is tried three times, the other is reached. The clock stands still when something is due, so
        that it is done at its time, as it is when told again."""
        self.clock.advance(8 * HOUR)  # 11:00 in Philadelphia
        tried = self.accept_optin(self.person_number(1))
        self.outcome(tried["task"], tried, "no_answer")
        reached = self.accept_optin(self.person_number(2))
        self.outcome(reached["task"], reached, "conversation")
        for seconds in (HOUR, DAY):
            self.clock.advance(seconds)
            (task,) = wait_until(self.tasks, what="the next call")
            self.outcome(task, tried, "no_answer")
        self.clock.advance(2 * HOUR)
        return tried["person"], reached["person"]

    def outcome(self, task, optin, outcome):
        before = self.outcomes(optin)
        self.report(self.wait_task(task), "outcome", outcome=outcome)
        wait_until(lambda: self.outcomes(optin) == before + 1, what="the outcome")

    def outcomes(self, optin):
        history = self.get(f"/v1/people/{optin['person']}/history")["history"]
        return [event["kind"] for event in history].count("outcome")

    def test_the_playbook_in_force_would_have_done_what_was_done(self):
        tried, reached = self.live()
        page = self.tell_again("default", "--until", str(self.clock.now_ms))
        self.assertEqual([tried, reached], re.findall("^person (per_[0-9A-Z]+)", page, re.MULTILINE))
        entries = [line.split() for line in page.splitlines() if line.startswith("  ")]
        self.assertGreater(len(entries), 6)
        self.assertEqual({"both"}, {entry[1] for entry in entries}, page)
        self.assertIn("outcomes_without_a_task 0\n", page)
        self.assertIn("first_call sooner=0 same=2 later=0\n", page)

    def test_another_playbook_calls_at_other_times(self):
        tried, reached = self.live()
        other = self.folder / "patient.yaml"
        other.write_text("based_on: default\nname: patient\ntitle: Patient\ncalls: {spacing: [2d, 2d, 2d, 1w, 1w, 1w, 6mo]}\n")
        page = self.tell_again(other, "--person", tried)
        self.assertNotIn(reached, page)
        nobody = self.server.run("replay", "--data", self.server.data, "--playbook", other, "--person", tried[:-1], check=False)
        self.assertEqual((1, b""), (nobody.returncode, nobody.stdout))
        calls = [line.split()[1] for line in page.splitlines() if " call " in line]
        self.assertEqual("both", calls[0], page)  # the first response is the same
        self.assertIn("real", calls)
        real, other_calls = map(int, re.search(r"^calls real=(\d+) playbook=(\d+)$", page, re.MULTILINE).groups())
        self.assertLess(other_calls, real, page)
        self.assertRegex(page, r"outcomes_without_a_task [1-9]")

    def test_an_escalation_that_nobody_did_is_told_as_one(self):
        self.clock.advance(8 * HOUR)
        person = self.accept_optin(self.person_number(1))["person"]
        for seconds in (HOUR, DAY):
            self.clock.advance(seconds)
            self.let_the_watch_see_a_pop()
        wait_until(lambda: "undone" in str(self.get(f"/v1/people/{person}/history")), what="a day for the robot")
        page = self.tell_again("default", "--until", str(self.clock.now_ms))
        self.assertIn(" email escalation skipped=undone\n", page)
        self.assertNotIn(" email retry", page)

    def test_what_does_not_go_together_is_said(self):
        for words in (
            [],
            ["--asof", "2027-01-01", "--playbook", "default"],
            ["--playbook", "/no/such"],
            ["--playbook", "default", "--until", "soon"],
            ["--playbook", "default", "--from", "2027-01-01T08:00Z", "--until", "2027-01-01T07:59Z"],
        ):
            done = self.server.run("replay", "--data", self.server.data, *words, check=False)
            self.assertEqual(2, done.returncode, done.stderr.decode())
