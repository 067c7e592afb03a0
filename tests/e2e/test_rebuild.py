"""Whatever happened, a rebuild from the journal gives the same state byte for byte, and touches nothing in Redis:
random operations through the API and Redis, steps of the clock, kills, and time zones that are not those of before."""
import collections
import http.client
import pathlib
import random
import shutil
import threading
import time
import unittest
import urllib.parse

from experiment import seed, told
from harness import LONG, Scenario
from servers import IS_SANITIZED, wait_until

OPERATIONS, STAGES = (50_000, 40) if LONG and not IS_SANITIZED else (1500, 3)
OUTCOMES = ("conversation", "appointment", "no_answer", "voicemail", "wrong_number", "not_now", "not_interested",
            "do_not_contact", "sold", "nothing that is known")  # fmt: skip
STEPS_S = (1, 30, 130, 400, 1900, 7200, 86400, 8 * 86400, -1, -3600, -86400)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Rebuild(Scenario):
    clock = True

    def setUp(self):
        self.seed = seed()
        self.random = random.Random(self.seed)
        self.sent = []  # opt-ins with their headers, to be sent again
        self.held = []  # tasks that were popped or claimed
        self.known = []  # ids of tasks
        self.popped = set()  # ids of those that were ever taken out of a queue
        self.names = 0
        self.refused = []
        self.answers = collections.Counter()  # False: taken, True: put off
        super().setUp()
        self.create("agents", id="a42", agency="acme")
        self.create("queues", id="acme.list", agency="acme", shape="list")
        self.listed = self.create("sites", id="acme-list", agency="acme", queue="acme.list", country="GB")

    def test_random_operations_are_rebuilt_byte_for_byte(self):
        with self.subTest(SEED=self.seed):
            failures = 0
            for _ in range(STAGES):
                self.run_operations(OPERATIONS // STAGES)
                failures += not self.rebuild_gives_the_same()
                self.go_on_elsewhere()
            self.assert_open_tasks_are_visible()
            self.assertEqual([], self.refused[:3])
            self.assertGreater(self.answers[False], 9 * self.answers[True], f"nothing was at work: {self.answers}")
            told("rebuild", failures, STAGES, f"stages of {OPERATIONS // STAGES} operations rebuilt to another state")

    # --- stages ----------------------------------------------------------------------

    def run_operations(self, count):
        kill = threading.Timer(self.random.uniform(0.05, 1.0), self.server.child.kill)
        kill.start()
        for _ in range(count):
            operation = self.random.choices(*zip(*self.operations()))[0]
            try:
                operation()
            except (OSError, http.client.HTTPException):  # the kill has come
                self.server.kill()
                self.start_server()
                self.turn_keys("sk", "pk")  # a new one may have been made whose answer nobody got
        kill.cancel()
        kill.join()

    def operations(self):
        return (
            (self.opt_in, 30), (self.opt_in_again, 12), (self.opt_in_by_page, 8), (self.send_form, 6),
            (self.send_batch, 2), (self.take, 14), (self.claim, 6), (self.report_in_redis, 12),
            (self.report_over_http, 8), (self.change_settings, 3), (self.turn_keys, 0.5), (self.step, 0.6),
        )  # fmt: skip

    def rebuild_gives_the_same(self):
        """The server is down, cleanly or not."""
        self.random.choice((self.server.stop, self.server.kill))()
        data = ("--data", self.server.data)
        self.server.run("fsck", *data, env=self.elsewhere())
        redis, before = self.everything_in_redis(), self.server.run("dump", *data, env=self.elsewhere()).stdout
        self.server.run("rebuild", *data, env=self.elsewhere())
        after = self.server.run("dump", *data, env=self.elsewhere()).stdout
        self.assertEqual(redis, self.everything_in_redis(), "a rebuild is nothing to Redis")
        self.assertGreater(len(before), 1000)
        if before != after:
            (self.folder / "dump.before").write_bytes(before)
            (self.folder / "dump.after").write_bytes(after)
        return before == after

    def go_on_elsewhere(self):
        self.server.environment = self.elsewhere()
        self.start_server()

    def elsewhere(self):
        """Another time zone, or the same one by other data."""
        zones = self.folder / "zoneinfo"
        if not zones.exists():
            (zones / "America").mkdir(parents=True)
            other = pathlib.Path("/usr/share/zoneinfo/Asia/Kathmandu")
            if other.exists():
                shutil.copy(other, zones / "America" / "New_York")
        return self.random.choice((
            {"TZ": "UTC"}, {"TZ": "America/New_York"}, {"TZ": "Australia/Lord_Howe"}, {"TZ": "XXX-13:37"},
            {"TZ": "America/New_York", "TZDIR": str(zones)}, {"TZ": "Europe/Berlin", "TZDIR": "/nonexistent"},
        ))  # fmt: skip

    def everything_in_redis(self):
        reads = {
            "string": ("GET",), "zset": ("ZRANGE", 0, -1, "WITHSCORES"), "list": ("LRANGE", 0, -1),
            "stream": ("XRANGE", "-", "+"),
        }  # fmt: skip
        found = {}
        for key in self.redis("KEYS", "*"):
            verb, *more = reads[self.redis("TYPE", key)]
            found[key] = self.redis(verb, key, *more)
        return found

    def assert_open_tasks_are_visible(self):
        """By state, and by Redis: who waits stands there once, and nobody else does."""
        wait_until(lambda: self.metric("hotlead_outbox_lag_operations") == 0, 30, "all of it in Redis")
        some = self.random.sample(self.known, min(len(self.known), 2000))
        wrong = self.misplaced(some)
        for _ in range(20):  # reports are still being read
            if not wrong:
                break
            time.sleep(1)
            wrong = self.misplaced(wrong)
        told("rebuild, queues", len(wrong), len(some), f"tasks whose state and queue differ {wrong[:2]}")

    def misplaced(self, tasks):
        """Those of the tasks that are queued and not visible, or the other way round. What was popped while it
        stood before all others, and does so no more, is not missed before the others are popped too."""
        visible = set(self.tasks()) | set(self.tasks("acme.list")) | set(self.tasks("acme.a-a42"))
        queued = {task for task in tasks if self.state_of(task) == "queued"}
        return sorted(queued - visible - self.popped | visible.intersection(tasks) - queued)

    def state_of(self, task):
        return self.get(f"/v1/tasks/{task}", bearer=self.admin)["state"]

    # --- operations: who opts in -------------------------------------------------------

    def expect(self, answer, *statuses):
        """202, 503: state is being caught up with after a kill; the sender would try again."""
        self.answers[answer.status in (202, 503)] += 1
        if answer.status not in (*statuses, 202, 503):
            self.refused.append(answer)
        return answer

    def person(self):
        number = self.random.randrange(1, max(20, OPERATIONS // 4))
        name = self.random.choice(("Ann", "Bo Ng", "Zoë", "")) + str(number)
        optin = {"email": f"p{number}@example.com", "name": name}
        if self.random.random() < 0.5:
            optin["phone"] = f"+1215555{number % 10000:04d}"
        if self.random.random() < 0.2:
            del optin["email"]  # a name alone, or a phone
        if self.random.random() < 0.3:
            optin["fields"] = {"rooms": self.random.randrange(9), "text": "\u00e9\n\"" * self.random.randrange(9)}
        if self.random.random() < 0.05:
            optin["test"] = True
        if self.random.random() < 0.1:
            optin["consent"] = {"text": "Ring me.", "given": True}
        return optin

    def opt_in(self):
        key = {"Idempotency-Key": f"k{self.random.randrange(1 << 40)}"} if self.random.random() < 0.4 else {}
        self.send(self.person(), key)

    def send(self, optin, headers, key=None):
        answer = self.expect(self.post_optin(optin, key=key, headers=headers), 200, 201, 422)
        self.sent = [*self.sent[-500:], (optin, headers)]
        if answer.status == 201 and answer.json["task"]:
            self.known.append(answer.json["task"])

    def opt_in_again(self):
        if self.sent:
            optin, headers = self.random.choice(self.sent)
            if self.random.random() < 0.3:
                optin = {**optin, "company": f"Company {self.random.randrange(9)}"}
            self.send(optin, headers, key=self.random.choice((None, self.listed["sk"])))

    def opt_in_by_page(self):
        event = {"event_id": f"e{self.random.randrange(200)}"} if self.random.random() < 0.7 else {}
        self.expect(self.web.post(f"/v1/optins?key={self.pk}", {**self.person(), **event}), 201, 422)

    def send_form(self):
        fields = {"email": f"form{self.random.randrange(500)}@example.com", "_hp": self.random.choice(("", "", "x"))}
        self.expect(self.web.post(f"/f/{self.pk}", urllib.parse.urlencode(fields), headers=FORM), 200, 303)

    def send_batch(self):
        people = [self.person() for _ in range(self.random.randrange(1, 20))]
        self.expect(self.web.post("/v1/optins/batch", people, bearer=self.sk), 200)

    # --- operations: who calls -----------------------------------------------------------

    def any_queue(self):
        return self.random.choice((self.queue, self.queue, "acme.list", "acme.a-a42"))

    def take(self):
        queue = self.any_queue()
        if self.redis("EXISTS", self.key("tasks", queue)):
            self.hold(self.pop(queue))

    def hold(self, task):
        self.popped.add(task["id"])
        self.held = [*self.held[-200:], {name: task[name] for name in ("id", "delivery", "report")}]

    def claim(self):
        ask = {"queue": self.queue, "agent": "a42", "wait_s": 0}
        answer = self.expect(self.web.post("/v1/tasks/claim", ask, bearer=self.admin), 200, 204)
        if answer.status == 200:
            self.hold(answer.json)

    def saying(self):
        """A task that was taken, what is said of it, and sometimes of another delivery."""
        task = dict(self.random.choice(self.held))
        if self.random.random() < 0.1:
            task["delivery"] += self.random.choice((-1, 1))
        op = self.random.choice(("claim", "extend", "release", "outcome", "outcome", "outcome"))
        more = {"outcome": self.random.choice(OUTCOMES), "note": "said \u00fc"} if op == "outcome" else {}
        return task, op, more

    def report_in_redis(self):
        if self.held:
            task, op, more = self.saying()
            for _ in range(self.random.choice((1, 1, 2))):
                self.report(task, op, **more)

    def report_over_http(self):
        if self.held:
            task, op, more = self.saying()
            verb = self.random.choice(("outcome", "amend")) if op in ("outcome", "claim") else op
            more = more or {"outcome": "no_answer"}
            body = {"delivery": task["delivery"], "agent": "a42", **(more if verb in ("outcome", "amend") else {})}
            answer = self.web.post(f"/v1/tasks/{task['id']}/{verb}", body, bearer=self.admin)
            self.expect(answer, 200, 403, 404, 409, 422)

    # --- operations: who runs it -----------------------------------------------------------

    def change_settings(self):
        self.names += 1
        queue = {name: self.random.randrange(1, 4000) for name in ("report_within", "claim_holds", "overdue_after")}
        countries = self.random.choice((["US"], ["US", "GB"]))
        site = {"country": self.random.choice(("US", "GB", "DE")), "countries": countries}
        verb, path, settings = self.random.choice((
            ("POST", "agents", {"id": f"a{self.names}", "agency": "acme", "name": "Ann"}),
            ("DELETE", f"agents/a{self.names // 2}", None),
            ("POST", "queues", {"id": f"acme.q{self.names}", "agency": "acme"}),
            ("DELETE", f"queues/acme.q{self.names // 2}", None),
            ("PATCH", f"queues/{self.any_queue()}", queue),
            ("PATCH", "sites/acme-www", site),
            ("POST", "sites", {"id": f"s{self.names}", "agency": "acme", "queue": self.queue}),
            ("DELETE", f"sites/s{self.names // 2}", None),
            ("POST", "tokens", {"id": f"t{self.names}", "agency": "acme", "role": "manager"}),
            ("DELETE", f"tokens/t{self.names // 2}", None),
        ))  # fmt: skip
        self.expect(self.web.request(verb, f"/v1/{path}", settings, bearer=self.admin), 200, 201, 204, 404, 409)

    def turn_keys(self, *kinds):
        """A new key of the site, then the end of the older one."""
        path = "/v1/sites/acme-www/keys"
        for kind in kinds or (self.random.choice(("sk", "pk")),):
            answer = self.ask_until_taken("POST", path, {"kind": kind})
            if answer.status == 409:  # two live
                self.ask_until_taken("DELETE", f"{path}/{kind}")
                answer = self.ask_until_taken("POST", path, {"kind": kind})
            self.assertEqual(201, answer.status, answer)
            setattr(self, kind, answer.json[kind])
            self.expect(self.ask_until_taken("DELETE", f"{path}/{kind}"), 200)

    def ask_until_taken(self, method, path, body=None):
        """Nothing is changed while state is being caught up with."""

        def ask():
            answer = self.web.request(method, path, body, bearer=self.admin)
            return answer.status != 503 and answer

        return wait_until(ask, 20, f"{method} {path} to be taken")

    def step(self):
        self.clock.advance(self.random.choice(STEPS_S))
        time.sleep(0.05)


if __name__ == "__main__":
    unittest.main()
