"""One owner a person: who claims first, whose turn it is, and what becomes of people whose agent is silent, away, or hands them over."""
import threading

from harness import TASK_KEYS, Scenario
from servers import wait_until
from test_audit import Audited
from web import Web

MINUTE, HOUR, DAY = 60, 3600, 86400
CLAIMERS = 100


class Assign(Audited):
    clock = True
    agents = ("ann", "ben")

    def setUp(self):
        super().setUp()
        self.tokens = {}
        for agent in self.agents:
            self.create("agents", id=agent, agency="acme")
            self.tokens[agent] = self.token(agent)

    def token(self, agent):
        return self.create("tokens", id=f"t-{agent}", role="agent", agency="acme", agent=agent)["token"]

    def set(self, kind, number, **settings):
        answer = self.web.request("PATCH", f"/v1/{kind}/{number}", settings, bearer=self.admin)
        self.assertEqual(200, answer.status, answer)
        return answer.json

    def cli(self, *words, code=0):
        done = self.server.run(*words, env={"HOTLEAD_URL": self.server.url, "HOTLEAD_TOKEN": self.admin}, check=False)
        self.assertEqual(code, done.returncode, done.stderr.decode())
        return done.stdout.decode()

    def as_agent(self, agent, path, body, web=None):
        return (web or self.web).post(path, body, bearer=self.tokens[agent])

    def claim(self, agent, queue=None, wait_s=5):
        answer = self.as_agent(agent, "/v1/tasks/claim", {"queue": queue or self.queue, "wait_s": wait_s})
        self.assertEqual(200, answer.status, answer)
        return answer.json

    def say(self, agent, task, op, **fields):
        return self.as_agent(agent, f"/v1/tasks/{task['id']}/{op}", {"delivery": task["delivery"], **fields})

    def person(self, optin, agent=None):
        return self.get(f"/v1/people/{optin['person']}", bearer=self.tokens[agent] if agent else None)

    def history(self, optin, agent=None):
        return self.get(f"/v1/people/{optin['person']}/history", bearer=self.tokens[agent] if agent else None)["history"]

    def assigned(self, optin):
        """What happened to whose it is, oldest first."""
        return [
            (each["why"], each["from"], each["to"], each["queue"])
            for event in reversed(self.history(optin)) for each in event.get("assigned", [])
        ]  # fmt: skip

    def call(self, optin):
        """The person's open call; None: there is none."""
        return next((task for task in self.person(optin)["tasks"] if task["channel"] == "call"), None)

    def worklist(self, agent, who=None):
        return self.get(f"/v1/agents/{agent}/worklist", bearer=self.tokens[who or agent])

    def wait_on(self, queue, optin, delivery):
        return self.wait_task(optin["task"], queue, delivery)


class Owners(Assign):
    def test_of_100_who_claim_one_task_one_is_the_owner(self):
        names = [f"c{n}" for n in range(CLAIMERS)]
        for name in names:
            self.create("agents", id=name, agency="acme")
            self.tokens[name] = self.token(name)
        optin = self.accept_optin(self.person_number(1))
        self.wait_task(optin["task"])
        got, start = {}, threading.Barrier(CLAIMERS)

        def ask(name):
            web = Web(self.server.port)
            start.wait()
            got[name] = self.as_agent(name, "/v1/tasks/claim", {"queue": self.queue, "wait_s": 1}, web=web).status
            web.close()

        threads = [threading.Thread(target=ask, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winners = [name for name, status in got.items() if status == 200]
        self.assertEqual((1, CLAIMERS - 1), (len(winners), list(got.values()).count(204)), got)
        self.assertEqual(winners[0], self.person(optin)["owner"])

        # The same from everybody who kept what a forgetful Redis showed him: the first claim holds.
        told = {"id": optin["task"], "delivery": 1, "report": self.key("reports:n1")}
        for name in names:
            self.report(told, "claim", agent=name)
        self.report(told, "claim", agent="ann")
        wait_until(lambda: self.metric("hotlead_reports_total") >= CLAIMERS, what="all claims to be read")
        self.assertEqual(winners[0], self.person(optin)["owner"])
        self.assertEqual(("claimed", winners[0]), (self.call(optin)["state"], self.call(optin)["agent"]))
        self.assertEqual([("claimed", None, winners[0], "acme.calls")], self.assigned(optin))

        # Who is second sees owner, stage, what was and what comes, and gets no second call task.
        loser = next(name for name in names if name != winners[0])
        seen = self.person(optin, loser)
        self.assertEqual((winners[0], "optin", "claim"), (seen["owner"], seen["stage"], seen["last_event"]["kind"]))
        self.assertEqual("resources", seen["next_step"]["id"])
        self.assertEqual(["claim", "optin"], [event["kind"] for event in self.history(optin, loser)])
        again = self.accept_optin({**self.person_number(1), "event_id": "again"})
        self.assertEqual(optin["task"], again["task"])
        self.assertEqual(204, self.as_agent(loser, "/v1/tasks/claim", {"queue": self.queue, "wait_s": 0}).status)
        self.assertEqual(409, self.say(loser, told, "extend").status)
        self.assert_no_orphans()

    def test_the_owner_is_called_upon_first_then_the_team(self):
        optin = self.accept_optin(self.person_number(1))
        self.assertEqual(200, self.say("ann", self.claim("ann"), "outcome", outcome="no_answer").status)
        self.assertEqual("ann", self.person(optin)["owner"])
        self.clock.advance(16 * HOUR)
        self.wait_task_count(1, "acme.a-ann")
        ((task, _),) = self.tasks("acme.a-ann").values()
        self.assertEqual(("ann", "acme.a-ann", "acme.calls"), (task["owner"], task["queue"], self.queue))
        self.assertLessEqual(TASK_KEYS, set(task))
        self.assertEqual([task["id"]], [each["id"] for each in self.worklist("ann")["tasks"]])
        self.assertEqual([], self.worklist("ben")["tasks"])
        self.assert_no_orphans()
        self.server.kill()
        self.start_server()
        self.clock.advance(MINUTE)
        self.wait_task(task["id"], delivery=2)
        self.assertEqual({}, self.tasks("acme.a-ann"))
        self.assertEqual([], self.worklist("ann")["tasks"])
        self.assertEqual(("silent", "ann", None, "acme.calls"), self.assigned(optin)[-1])
        self.assertEqual("ann", self.person(optin)["owner"])
        self.claim("ben")
        self.assertEqual("ben", self.person(optin)["owner"])
        self.assertEqual([task["id"]], [each["id"] for each in self.worklist("ben")["tasks"]])
        self.assert_no_orphans()


class Silence(Assign):
    queue_settings = {"assign": "round_robin"}

    def test_silence_leads_to_the_team_the_next_agent_the_manager_and_a_robot(self):
        self.create("agents", id="max", agency="acme", role="manager")
        optin = self.accept_optin(self.person_number(1))
        self.wait_on("acme.a-ann", optin, 1)
        self.assertEqual("ann", self.person(optin)["owner"])
        for seconds, queue, owner in (
            (60, "acme.calls", "ann"), (120, "acme.a-ben", "ben"), (60, "acme.calls", "ben"),
            (360, "acme.manager", "ben"), (1200, "acme.calls", "ben"),
        ):  # fmt: skip
            before = {name: self.tasks(name) for name in ("acme.calls", "acme.a-ann", "acme.a-ben", "acme.manager")}
            self.clock.advance(seconds - 1)
            self.assert_stays(lambda b=before: {n: {t: v[0]["delivery"] for t, v in self.tasks(n).items()} for n in b}
                              == {n: {t: v[0]["delivery"] for t, v in b[n].items()} for n in b}, 0.3, "too early")  # fmt: skip
            self.clock.advance(1)
            wait_until(lambda q=queue: optin["task"] in self.tasks(q), what=f"the task on {queue}")
            self.assertEqual(owner, self.person(optin)["owner"])
            for other in before:
                self.assertEqual(int(other == queue), len(self.tasks(other)), other)
        mails = [task["template"] for task, _ in self.tasks("acme.email").values()]
        self.assertEqual(["free-report", "we-will-call-you"], sorted(mails))
        self.assertEqual(
            [("chosen", None, "ann", "acme.a-ann"), ("silent", "ann", None, "acme.calls"), ("escalated", None, "ben", "acme.a-ben"),
             ("silent", "ben", None, "acme.calls"), ("escalated", None, None, "acme.manager"), ("escalated", None, None, "acme.calls")],
            self.assigned(optin),
        )  # fmt: skip
        self.assert_no_orphans()

    def test_with_everybody_away_for_a_week_robots_go_on_and_nothing_is_lost(self):
        self.cli("agent", "set", "ann", "available=false")
        self.cli("agent", "set", "ben", f"away_until={self.clock.now_ms + 8 * DAY * 1000}")
        optins = [self.accept_optin(self.person_number(n)) for n in range(1, 8)]
        self.wait_task_count(7)
        self.wait_task_count(7, "acme.email")
        mails = {}  # that stood there for a robot, until it was too late to send them
        for day in range(1, 8):
            self.clock.advance(DAY)
            if day == 3:
                self.server.kill()
                self.start_server()
            if day in (1, 3, 5):
                self.wait_task_count(14 if day == 1 else 7, "acme.email")
            mails.update((id, task["template"]) for id, (task, _) in self.tasks("acme.email").items())
        self.wait_task_count(7)
        self.wait_task_count(0, "acme.email")
        templates = list(mails.values())
        self.assertEqual({"free-report": 7, "resources": 7, "tips": 7, "we-will-call-you": 7},
                         {name: templates.count(name) for name in templates})  # fmt: skip
        self.assert_no_orphans()
        self.cli("agent", "set", "ann", "available=true")  # she is well again
        fresh = self.accept_optin(self.person_number(9))
        self.wait_on("acme.a-ann", fresh, 1)
        for _ in optins:
            self.claim("ann")
        self.assertEqual(8, len(self.worklist("ann")["tasks"]))
        self.clock.advance(2 * DAY)
        both = [self.accept_optin(self.person_number(n)) for n in (10, 11)]
        self.assertEqual({"ann", "ben"}, {self.person(optin)["owner"] for optin in both})  # he is back


class Presence(Assign):
    def presence(self, agent, body, who=None):
        return self.as_agent(who or agent, f"/v1/agents/{agent}/availability", body)

    def queues_of(self, *numbers):
        return [self.call(self.accept_optin(self.person_number(number)))["queue"] for number in numbers]

    def test_agents_say_themselves_whether_they_are_there(self):
        self.set("queues", self.queue, assign="round_robin")
        answer = self.presence("ann", {"available": False})
        self.assertEqual((200, False), (answer.status, answer.json["available"]), answer)
        self.assertEqual({"acme.a-ben"}, set(self.queues_of(1, 2, 3)))
        answer = self.presence("ben", {"away_until": self.clock.now_ms + 3_600_000})
        self.assertEqual(200, answer.status, answer)
        self.assertEqual([self.queue], self.queues_of(4), "nobody is there: the team's")
        self.server.kill()
        self.start_server()
        self.assertEqual(200, self.presence("ann", {"available": True}).status)
        self.assertEqual({"acme.a-ann"}, set(self.queues_of(5, 6)))
        self.assertEqual(200, self.presence("ben", {"away_until": None}).status)
        self.assertEqual({"acme.a-ann", "acme.a-ben"}, set(self.queues_of(7, 8, 9, 10)))
        self.assert_no_orphans()

    def test_nobody_says_it_of_another_or_says_more(self):
        self.assertEqual(403, self.presence("ben", {"available": False}, who="ann").status)
        for body in ({"available": False, "capacity": 9}, {"role": "manager"}, {}, {"available": "no"}, {"available": ""}):
            self.assertEqual(422, self.presence("ann", body).status, body)
        self.assertEqual(403, self.web.request("PATCH", "/v1/agents/ann", {"available": False}, bearer=self.tokens["ann"]).status)
        self.set_up_agency("rival")
        rival = self.create("tokens", id="boss", role="manager", agency="rival")["token"]
        self.assertEqual(404, self.web.post("/v1/agents/ann/availability", {"available": False}, bearer=rival).status)
        self.assertTrue(self.get("/v1/agents/ann", self.admin)["available"])


class HandOver(Assign):
    def owned_by_ann(self, number):
        optin = self.accept_optin(self.person_number(number))
        return optin, self.claim("ann")

    def assign(self, optin, agent, bearer, **more):
        return self.web.post(f"/v1/people/{optin['person']}/assign", {"agent": agent, **more}, bearer=bearer)

    def test_a_hand_over_keeps_history_and_fences_the_old_owner(self):
        optin, held = self.owned_by_ann(1)
        self.assertEqual(403, self.assign(optin, "ben", self.tokens["ben"]).status)
        self.assertEqual(422, self.assign(optin, "nobody", self.admin).status)
        self.assertEqual(200, self.say("ann", held, "extend").status)
        answer = self.assign(optin, "ben", self.tokens["ann"], note="I am ill")
        self.assertEqual((200, {"person": optin["person"], "owner": "ben"}), (answer.status, answer.json))
        self.assertEqual("ben", self.wait_on("acme.a-ben", optin, 2)["owner"])
        for op in ("extend", "release"):
            self.assertEqual(409, self.say("ann", held, op).status)
        event = self.history(optin, "ben")[0]
        self.assertEqual(("assigned", "ann", "I am ill"), (event["kind"], event["by"], event["note"]))
        self.assertEqual(("handed_over", "ann", "ben"), self.assigned(optin)[-1][:3])
        self.assertEqual([optin["task"]], [task["id"] for task in self.worklist("ben")["tasks"]])
        self.assertEqual(403, self.web.get("/v1/agents/ben/worklist", bearer=self.tokens["ann"]).status)

        # She had rung already: the first word of the call is hers, and withdraws Ben's delivery.
        self.assertEqual(200, self.say("ann", held, "outcome", outcome="conversation").status)
        self.wait_task_count(0, "acme.a-ben")
        self.assertEqual(409, self.say("ben", {"id": held["id"], "delivery": 2}, "outcome", outcome="no_answer").status)
        self.assertEqual(("ben", "lead"), (self.person(optin)["owner"], self.person(optin)["stage"]))
        self.assert_no_orphans()

    def test_a_report_of_the_stream_of_the_queue_before_counts(self):
        optin = self.accept_optin(self.person_number(1))
        self.report(self.pop(), "outcome", outcome="no_answer", agent="ann")
        wait_until(lambda: self.person(optin)["owner"] == "ann", what="her outcome")
        self.clock.advance(16 * HOUR)
        task = self.pop("acme.a-ann")
        self.report(task, "claim", agent="ann")
        wait_until(lambda: self.call(optin)["state"] == "claimed", what="her claim")
        self.clock.advance(31 * MINUTE)  # her lease is over
        self.wait_task(task["id"], delivery=2)
        self.report(self.pop(), "claim", agent="ben")
        wait_until(lambda: self.person(optin)["owner"] == "ben", what="Ben's claim")
        self.report(task, "outcome", outcome="conversation", agent="ann")
        wait_until(lambda: self.call(optin) is None, what="her outcome")
        self.assertEqual("ben", self.person(optin)["owner"])

    def test_a_report_of_the_stream_of_a_queue_between_counts_and_of_another_does_not(self):
        optin = self.accept_optin(self.person_number(1))
        self.wait_task(optin["task"])
        self.assertEqual(200, self.assign(optin, "ann", self.admin).status)
        task = self.pop("acme.a-ann")
        self.assertEqual(200, self.assign(optin, "ben", self.admin).status)
        self.wait_on("acme.a-ben", optin, 3)
        self.create("queues", id="acme.other", agency="acme")
        elsewhere = self.create("sites", id="acme-other", agency="acme", queue="acme.other")
        self.accept_optin(self.person_number(2), key=elsewhere["sk"])
        refused = self.metric('hotlead_reports_total{result="refused"}')
        self.report({**task, "report": self.key("reports:n1", "acme.other")}, "outcome", outcome="sold", agent="ann")
        wait_until(lambda: self.metric('hotlead_reports_total{result="refused"}') > refused, what="the report to be refused")
        self.assertIsNotNone(self.call(optin))
        self.report(task, "outcome", outcome="conversation", agent="ann")
        wait_until(lambda: self.call(optin) is None, what="her outcome")
        self.wait_task_count(0, "acme.a-ben")
        self.assertEqual(("ben", "conversation"), (self.person(optin)["owner"], self.person(optin)["last_outcome"]))

    def test_all_people_of_an_agent_are_handed_over_and_its_worklist_is_paged(self):
        optins = [self.owned_by_ann(n)[0] for n in range(130)]
        first = self.worklist("ann")
        rest = self.get(f"/v1/agents/ann/worklist?after={first['next']}", bearer=self.tokens["ann"])
        self.assertEqual((100, 30, None), (len(first["tasks"]), len(rest["tasks"]), rest["next"]))
        listed = first["tasks"] + rest["tasks"]
        self.assertEqual({optin["task"] for optin in optins}, {task["id"] for task in listed})
        self.assertEqual(sorted(task["deadline_ms"] for task in listed), [task["deadline_ms"] for task in listed])
        answer = self.web.post("/v1/agents/ann/hand-over", {"to": "ben"}, bearer=self.admin).json
        self.assertEqual({"handed_over": 64, "more": True}, answer)
        self.server.kill()
        self.start_server()
        self.assertEqual("handed over 66 people\n", self.cli("agent", "hand-over", "ann", "ben"))
        self.assertEqual({"ben"}, {self.person(optin)["owner"] for optin in optins})
        self.wait_task_count(130, "acme.a-ben")
        self.assertEqual([], self.worklist("ann")["tasks"])
        self.assert_no_orphans()

    def test_an_agent_who_goes_leaves_its_tasks_to_the_team(self):
        optins = [self.owned_by_ann(n)[0] for n in range(3)]
        self.assertEqual(200, self.assign(optins[0], "ann", self.admin).status)
        self.assertEqual(409, self.web.request("DELETE", "/v1/agents/ann", bearer=self.admin).status)  # a token of hers
        self.cli("token", "rm", "t-ann")
        self.cli("agent", "rm", "ann")
        self.wait_task_count(3)
        self.assertEqual({None}, {self.person(optin)["owner"] for optin in optins})
        self.assertEqual(404, self.web.get("/v1/queues/acme.a-ann", bearer=self.admin).status)
        self.assertEqual({2}, {task["delivery"] for task, _ in self.tasks().values()})
        self.claim("ben")
        self.assert_no_orphans()


class NoAgents(Scenario):
    def test_with_no_human_at_all_every_robot_step_is_queued(self):
        optin = self.accept_optin(self.person_number(1))
        self.wait_task_count(1, "acme.email")
        self.assertIsNone(self.get(f"/v1/people/{optin['person']}")["owner"])
