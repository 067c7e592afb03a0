"""People that go by a playbook of the agency's own, as they are shown: over HTTP, and by `hotlead replay`."""
from harness import Scenario
from servers import ROOT, wait_until

HOUR = 3600
MANY = """based_on: default
name: another-name
title: Several steps of one moment
caps: {gap: 0s}
cadences:
  new_lead:
    title: New leads
    for: prospects
    then: nurture
    short: A test.
    steps:
      - {id: mail, after: 0s, channel: email, kind: offer, template: free-report}
      - {id: card, after: 0s, channel: postcard, kind: offer, template: new-report}
      - {id: text, after: 0s, channel: sms, kind: helpful, template: tips}
"""


class Shown(Scenario):
    clock = True

    def go_by(self, yaml):
        """New people of the agency do."""
        self.create("playbooks", id="acme.own", yaml=yaml)
        answer = self.web.request("PATCH", "/v1/agencies/acme", {"playbook": "acme.own"}, bearer=self.admin)
        self.assertEqual(200, answer.status, answer)

    def history(self, person):
        return self.get(f"/v1/people/{person}/history")["history"]

    def end_call(self, optin, outcome):
        self.report(self.wait_task(optin["task"]), "outcome", outcome=outcome)
        wait_until(lambda: self.history(optin["person"])[0]["kind"] == "outcome", what="the outcome")

    def test_every_step_of_a_moment_is_told_and_every_task_once(self):
        self.go_by(MANY)
        optin = self.accept_optin(self.person_number(1))
        own = {"id": "acme.own", "version": 1}
        (event,) = self.history(optin["person"])
        self.assertEqual(["mail", "card", "text"], [step["id"] for step in event["steps"]])
        self.assertEqual([own] * 3, [step["playbook"] for step in event["steps"]])
        self.assertEqual(event["steps"][0], event["step"])
        self.assertEqual(own, self.get(f"/v1/people/{optin['person']}")["playbook"])
        page = self.server.run("playbook", "show", "--data", self.server.data, "--server", self.server.url, "acme.own").stdout
        self.assertTrue(page.startswith(b"Several steps of one moment\n"), page)
        self.end_call(optin, "not_interested")
        tasks = [task["id"] for task in self.get(f"/v1/people/{optin['person']}")["tasks"]]
        self.assertEqual(sorted(step["task"] for step in event["steps"]), sorted(tasks))

    def test_a_replay_shows_any_ladder_and_what_is_to_come(self):
        self.go_by((ROOT / "deploy/playbooks/ladder-six.yaml").read_text())
        buyer, other = (self.accept_optin(self.person_number(number)) for number in (1, 2))
        self.end_call(buyer, "sold")
        self.end_call(other, "no_answer")
        self.clock.advance(HOUR)  # 04:00 in Philadelphia: the second call is parked
        wait_until(lambda: "step" in [event["kind"] for event in self.history(other["person"])], what="the call")
        shown = self.replay(buyer["person"])
        self.assertIn(" stage=customer ", shown)
        self.assertIn("life playbook=acme.own version=1 segment=customers cadence=new_customer next_step=survey at=", shown)
        shown = self.replay(other["person"])
        self.assertIn(" call retry parked queue=acme.calls", shown)
        self.assertIn(" cadence=new_lead next_step=resources at=", shown)

    def replay(self, person):
        words = ["--asof", self.clock.now_ms, "--person", person, "--state-map-bytes", "1GiB"]
        return self.server.run("replay", "--data", self.server.data, *words).stdout.decode()
