"""People as the shipped playbook works them, on a clock that the test sets: what comes when, once, and what waits."""
from harness import Scenario
from servers import wait_until

MINUTE, HOUR, DAY = 60, 3600, 86400
# The new-lead campaign: day, channel, step, template.
CAMPAIGN = [
    (0, "email", "report", "free-report"),
    (3, "email", "resources", "resources"),
    (5, "email", "tips", "tips"),
    (7, "postcard", "postcard", "new-report"),
    (14, "email", "subscription", "subscription"),
]


class Life(Scenario):
    clock = True

    def history(self, person):
        return self.get(f"/v1/people/{person}/history")["history"]

    def kinds(self, person):
        return [event["kind"] for event in self.history(person)]

    def end_call(self, optin, outcome, **fields):
        self.report(self.wait_task(optin["task"]), "outcome", outcome=outcome, **fields)
        wait_until(lambda: "outcome" in self.kinds(optin["person"]), what="the outcome")

    def test_the_campaign_comes_at_its_days_across_kills(self):
        start_ms = self.clock.now_ms
        optin = self.accept_optin(self.person_number(1))
        self.end_call(optin, "wrong_number")
        for number, (day, channel, _, template) in enumerate(CAMPAIGN):
            queue = f"acme.{channel}"
            due_ms = start_ms + day * DAY * 1000
            if day > 0:
                self.clock.set(due_ms - 1)
                self.assertEqual({}, self.tasks(queue))
            self.server.kill()
            self.clock.set(due_ms)
            self.start_server()
            self.wait_task_count(1, queue)
            self.server.kill()
            self.start_server()
            task = self.pop(queue)
            self.assertEqual((template, "step", channel), (task["template"], task["kind"], task["channel"]))
            self.assertIsNone(task["script"])
            self.report(task, "outcome", outcome="delivered")
            wait_until(lambda n=number: self.kinds(optin["person"]).count("outcome") == n + 2, what="delivered")
        steps = [event["step"] for event in reversed(self.history(optin["person"])) if "step" in event]
        self.assertEqual([step for _, _, step, _ in CAMPAIGN], [step["id"] for step in steps])
        self.assertEqual([None] * 5, [step["skipped"] for step in steps])
        person = self.get(f"/v1/people/{optin['person']}")
        self.assertEqual(("nurture", "month1"), (person["cadence"], person["next_step"]["id"]))

    def test_a_second_call_at_night_waits_for_the_morning(self):
        # 03:00 in Philadelphia. A first response was asked for, and is put all the same.
        optin = self.accept_optin(self.person_number(1))
        self.assertIsNone(self.wait_task(optin["task"])["window"])
        self.end_call(optin, "no_answer")
        self.clock.advance(HOUR)
        wait_until(lambda: "step" in self.kinds(optin["person"]), what="the second call")
        tasks = self.get(f"/v1/people/{optin['person']}")["tasks"]
        (task,) = [task for task in tasks if task["channel"] == "call"]
        self.assertEqual(("parked", "retry", 2), (task["state"], task["kind"], task["attempt"]))
        parked = next(event["parked"] for event in self.history(optin["person"]) if "parked" in event)
        self.assertEqual("America/New_York", parked["tz"])
        self.assertTrue(parked["law"] and parked["tz_version"])
        self.assertEqual({}, self.tasks())
        self.clock.advance(5 * HOUR)
        put = self.wait_task(task["id"])
        self.assertEqual(self.clock.now_ms, put["window"]["opens_ms"])
        self.assertEqual(11 * HOUR * 1000, put["window"]["closes_ms"] - put["window"]["opens_ms"])
        self.clock.advance(11 * HOUR)
        self.wait_task_count(0)

    def test_an_agreed_time_is_kept_to_the_minute(self):
        optin = self.accept_optin(self.person_number(1))
        at_ms = self.clock.now_ms + (31 * HOUR + 17 * MINUTE) * 1000  # 10:17 the next day
        self.end_call(optin, "appointment", call_at_ms=at_ms)
        person = self.get(f"/v1/people/{optin['person']}")
        self.assertEqual({"why": "agreed", "due_ms": at_ms}, person["next_call"])
        self.assertEqual(("lead", "follow_up"), (person["stage"], person["cadence"]))
        self.clock.set(at_ms - 1)
        self.assert_stays(lambda: not self.tasks(), 0.5, "too early")
        self.clock.set(at_ms)
        self.wait_task_count(1)
        ((task, _),) = self.tasks().values()
        self.assertEqual("agreed", task["kind"])

    def test_a_wish_holds_behind_another_outcome(self):
        optin = self.accept_optin(self.person_number(1))
        task = self.wait_task(optin["task"])
        self.report(task, "outcome", outcome="no_answer")
        self.report(task, "outcome", outcome="do_not_contact")
        wait_until(lambda: "late" in self.kinds(optin["person"]), what="the second outcome")
        person = self.get(f"/v1/people/{optin['person']}")
        self.assertEqual(("do_not_contact", None, []), (person["closed"], person["next_call"], person["tasks"]))
        self.assertEqual("no_answer", self.get(f"/v1/tasks/{optin['task']}")["outcome"])
        self.wait_task_count(0, "acme.email")
        optin = self.accept_optin(self.person_number(2))
        self.wait_task_count(1, "acme.email")
        mail = self.pop("acme.email")
        self.report(mail, "outcome", outcome="delivered")
        wait_until(lambda: "outcome" in self.kinds(optin["person"]), what="delivered")
        refused = self.web.post(f"/v1/tasks/{mail['id']}/outcome",
                                {"delivery": 1, "outcome": "unsubscribed", "agent": "robot"}, bearer=self.admin)
        self.assertEqual(409, refused.status)
        self.assertIn("left alone", refused.json["detail"])
        self.assertEqual(["email"], self.get(f"/v1/people/{optin['person']}")["silenced"])

    def test_a_wrong_number_is_called_when_it_is_said_again(self):
        said = self.person_number(1)
        optin = self.accept_optin(said)
        self.end_call(optin, "wrong_number")
        again = self.accept_optin({"email": said["email"]})
        self.assertEqual(optin["person"], again["person"])
        task = self.wait_task(again["task"])
        self.assertEqual((None, said["email"]), (task["phone"], task["email"]))
        self.end_call(again, "no_answer")
        self.clock.advance(HOUR)  # what is said again within five minutes is the same opt-in
        third = self.accept_optin(said)
        self.assertEqual(said["phone"], self.wait_task(third["task"])["phone"])
        self.assertEqual([], self.get(f"/v1/people/{optin['person']}")["silenced"])
