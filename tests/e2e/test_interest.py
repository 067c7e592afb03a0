"""Interest that people show, which work comes first, and the graveyard, on the real server and Redis."""
import json

from harness import Scenario
from servers import wait_until

MINUTE, HOUR, DAY = 60, 3600, 86400


class Interest(Scenario):
    clock = True

    def history(self, person):
        return self.get(f"/v1/people/{person}/history")["history"]

    def signals(self, person):
        return [event["signal"] for event in self.history(person) if event["kind"] == "signal"]

    def test_what_a_mail_robot_sees_hastens_the_next_call(self):
        self.clock.advance(9 * HOUR)  # noon in Philadelphia
        optin = self.accept_optin(self.person_number(1))
        mail = self.pop("acme.email")
        self.report(mail, "outcome", outcome="delivered")
        called_ms = self.clock.now_ms
        self.report(self.pop(), "outcome", outcome="not_now")
        wait_until(lambda: self.get(f"/v1/people/{optin['person']}")["next_call"], what="the outcome is heard")
        self.assertEqual("wake", self.get(f"/v1/people/{optin['person']}")["next_call"]["why"])
        for _ in range(3):  # a robot that says it again, and a server that is killed meanwhile
            self.report(mail, "signal", signal="open")
            self.report(mail, "signal", signal="click")
            self.server.kill()
            self.start_server()
        wait_until(lambda: len(self.signals(optin["person"])) == 2, what="both signals")
        person = self.get(f"/v1/people/{optin['person']}")
        self.assertEqual((50, "warm", "wake"), (person["score"], person["temperature"], person["next_call"]["why"]))
        answer = self.web.post(f"/v1/people/{optin['person']}/signals", {"kind": "reply", "task": mail["id"]}, bearer=self.sk)
        self.assertEqual({"status": "counted", "points": 30, "hot": True}, answer.json)
        person = self.get(f"/v1/people/{optin['person']}")
        self.assertEqual(("hot", "signal"), (person["temperature"], person["next_call"]["why"]))
        self.assertLessEqual(abs(called_ms + DAY * 1000 - person["next_call"]["due_ms"]), 1000)
        self.assertTrue(self.signals(optin["person"])[0]["hastened"])
        self.clock.advance(DAY + MINUTE)
        self.wait_task_count(1)
        ((task, _),) = self.tasks().values()
        self.assertEqual((optin["person"], "wake"), (task["person"], task["kind"]))

    def test_a_cold_call_is_served_under_constant_hot_load(self):
        self.clock.advance(7 * HOUR)  # ten in the morning in Philadelphia
        cold = self.accept_optin(self.person_number(0))
        self.report(self.pop(), "outcome", outcome="no_answer")
        wait_until(lambda: self.get(f"/v1/people/{cold['person']}")["next_call"], what="the second call is planned")
        self.clock.advance(HOUR)
        wait_until(lambda: any(event["kind"] == "step" and event["step"]["why"] for event in self.history(cold["person"])),
                   what="the second call is due")
        began_ms = self.clock.now_ms
        self.wait_task_count(1)
        for number in range(1, 200):  # two come for each that is taken, so the queue grows
            for fresh in (2 * number, 2 * number + 1):
                self.wait_task(self.accept_optin({"phone": f"+1215556{fresh:04d}"})["task"])
            task = self.pop()
            if task["person"] == cold["person"]:
                break
            self.assertEqual("first_response", task["kind"])
            self.report(task, "outcome", outcome="conversation")
            self.clock.advance(15 * MINUTE)
        self.assertEqual(cold["person"], task["person"])
        self.assertEqual("retry", task["kind"])
        # Half a day behind, as a task of the usual priority stands; by then it is night, and it is put in the morning.
        self.assertGreater(self.clock.now_ms - began_ms, 6 * HOUR * 1000)
        self.assertLess(self.clock.now_ms - began_ms, DAY * 1000)

    def test_the_cold_are_woken_so_many_a_day(self):
        people = []
        for number in range(4):
            optin = self.accept_optin({"phone": f"+1215556{number:04d}"})
            people.append(optin["person"])
            self.report(self.pop(), "outcome", outcome="not_interested" if number else "do_not_contact")
        wait_until(lambda: all(any(event["kind"] == "outcome" for event in self.history(person)) for person in people),
                   what="the outcomes")
        self.clock.advance(200 * DAY)
        wait_until(lambda: self.metric("hotlead_steps_skipped_total") >= 1,
                   what="steps that nobody has an address for")
        listed = self.get("/v1/people?agency=acme&cold_for=6mo")
        self.assertEqual(set(people[1:]), {person["id"] for person in listed["people"]})
        self.assertIn(people[1], self.command("graveyard", "list", "--agency", "acme"))
        none = self.server.run("graveyard", "wake", "--agency", "acme", "--most", "0", "--data", self.server.data, check=False)
        self.assertEqual(2, none.returncode)
        told = json.loads(self.command("graveyard", "wake", "--agency", "acme", "--most", "2", "--json"))
        self.assertEqual(2, told["woken"])
        self.server.kill()
        self.start_server()
        told = json.loads(self.command("graveyard", "wake", "--agency", "acme", "--most", "9", "--json"))
        self.assertEqual(1, told["woken"])
        calls = sorted(event["woken"]["call_ms"] for person in people for event in self.history(person) if event["kind"] == "woken")
        self.assertEqual(3, len(calls))
        for earlier, later in zip(calls, calls[1:]):  # fifty a day
            self.assertGreaterEqual(later - earlier, DAY * 1000 // 50)
        self.assertIsNone(self.get(f"/v1/people/{people[0]}")["due_ms"])

    def command(self, *words):
        return self.server.run(*words, "--data", self.server.data).stdout.decode()
