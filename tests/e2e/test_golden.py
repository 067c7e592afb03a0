"""Whole lives on the real server and a real Redis, told line by line as in tests/golden, where the engine alone tells the
same (test_engine_golden.c)."""
import random

from experiment import during, seed, told
from harness import LONG, Scenario
from lives import Lives, Story, stories
from servers import IS_SANITIZED, wait_until

HOUR, DAY = 3600, 86400
STEPS = [(3, "resources"), (5, "tips"), (7, "postcard"), (14, "subscription")]
PEOPLE = 40
ROUNDS = 100 if LONG and not IS_SANITIZED else 4


class Golden(Scenario):
    clock = True

    def setUp(self):
        self.story = Story(self._testMethodName.removeprefix("test_").replace("_", "-"))
        self.site_settings = self.story.site
        super().setUp()
        if self.story.playbook:
            self.create("playbooks", id="acme.own", yaml=self.story.playbook)
            path = "/v1/sites/acme-www"
            self.assertEqual(200, self.web.request("PATCH", path, {"playbook": "acme.own"}, bearer=self.admin).status)

    @property
    def first_ms(self):
        return self.story.blocks[0].now_ms


def lives_as_told(self):
    Lives(self, self.story).live()


for name in stories():
    setattr(Golden, f"test_{name.replace('-', '_')}", lives_as_told)


class KilledSteps(Scenario):
    """CA-10: the process dies while it does what is due; each step comes once."""

    clock = True

    def steps_of(self, people):
        """Of each person, what became of its steps. That no robot took what was given to it is another matter."""
        steps = []
        for person in people:
            page = self.get(f"/v1/people/{person}/history")["history"]
            steps.append([event["step"]["id"] for event in reversed(page) if self.is_step(event)])
        return steps

    @staticmethod
    def is_step(event):
        return event["kind"] in ("step", "skipped") and event["step"]["skipped"] != "undone"

    def look_for_robots(self, people):
        """What stands there for them, before it is too late to be sent: task -> (person, template). People of the round
        before may still have something there."""
        for queue in ("acme.email", "acme.postcard"):
            for id, (task, _) in self.tasks(queue).items():
                if task["person"] in people:
                    self.given[id] = task["person"], task["template"]
        return len(self.given)

    def test_each_step_comes_once_whenever_the_process_dies(self):
        number = seed()
        dice = random.Random(number)
        for turn in range(ROUNDS // len(STEPS)):
            start_ms = self.clock.now_ms
            people = [self.accept_optin({"email": f"killed{turn}.{i}@example.com", "name": "Dana"})["person"] for i in range(PEOPLE)]
            self.given = {}
            wait_until(lambda all=people: self.look_for_robots(all) == PEOPLE, what="the first e-mail")
            self.clock.advance(HOUR)  # nobody claims the calls: robots say that somebody will
            for count, (day, _) in enumerate(STEPS, 1):
                with during(f"day {day} of round {turn}", number):
                    self.clock.set(start_ms + day * DAY * 1000, settles=dice.random() * 0.03)
                    self.server.kill()
                    self.start_server()
                    expected = [[step for _, step in STEPS[:count]]] * PEOPLE
                    wait_until(lambda all=people, steps=expected: self.steps_of(all) == steps, what="each step once")
                    given = (count + 1) * PEOPLE
                    wait_until(lambda all=people, least=given: self.look_for_robots(all) >= least, what="each given to a robot")
            self.assert_each_once(people)
        told("a kill during a step", 0, ROUNDS * PEOPLE, "steps lost or done twice")

    def assert_each_once(self, people):
        """As the robots find them: five e-mails or postcards for each, no two alike."""
        for person in people:
            own = sorted(template for whose, template in self.given.values() if whose == person)
            self.assertEqual(["free-report", "new-report", "resources", "subscription", "tips"], own)
