"""What is found out about people, and what managers do by hand: answers, moves, merges and their undo, research."""
import json

from harness import Scenario
from servers import wait_until

DAY_MS = 86_400_000
CHANGE = {"agrees_to_change": "yes", "timeframe": "by May"}


class Hand(Scenario):
    clock = True

    def person(self, person, **more):
        return self.get(f"/v1/people/{person}", self.admin, **more)

    def history(self, person):
        return self.get(f"/v1/people/{person}/history", self.admin)["history"]

    def post(self, path, body, status=200, bearer=None):
        answer = self.web.post(path, body, bearer=bearer or self.admin)
        self.assertEqual(status, answer.status, answer)
        return answer.json

    def outcome(self, task, outcome, status=200, **fields):
        return self.post(f"/v1/tasks/{task}/outcome", {"delivery": 1, "agent": "a1", "outcome": outcome, **fields}, status)

    def tearDown(self):
        stores = ("--data", self.server.data, "--redis", self.redis.url, "--state-map-bytes", "1GiB")
        self.assertIn("orphans 0", self.server.run("audit", *stores, check=False).stdout.decode())
        super().tearDown()


class Answers(Hand):
    def second_call(self, optin, **said):
        """Ends the first call with a conversation and an agreed time; the task of the call at that time."""
        self.outcome(optin["task"], "conversation", call_at_ms=self.clock.now_ms + 3_600_000 * 12, **said)
        self.assertEqual("lead", self.person(optin["person"])["stage"])
        self.clock.advance(3600)
        wait_until(lambda: self.history(optin["person"])[0]["kind"] in ("step", "skipped"), what="the summary")
        self.clock.advance(3600 * 11)
        self.wait_task_count(1)
        return next(iter(self.tasks().values()))[0]

    def test_answers_open_the_way_and_are_shown_to_the_next_agent(self):
        optin = self.accept_optin(self.person_number(1))
        task = self.second_call(optin, answers={"needs": "two bikes"})
        self.assertEqual({"needs": "two bikes"}, task["context"]["answers"])
        self.outcome(task["id"], "conversation", answers=CHANGE)
        person = self.person(optin["person"])
        self.assertEqual("opportunity", person["stage"])
        self.assertEqual({"needs": "two bikes", **CHANGE}, person["answers"])
        said = [event["answers"] for event in self.history(optin["person"]) if "answers" in event]
        self.assertEqual([CHANGE, {"needs": "two bikes"}], said)

    def test_what_a_form_sends_makes_nobody_an_opportunity(self):
        optin = self.accept_optin({**self.person_number(1), "fields": {"agrees_to_change": "yes"}})
        self.outcome(self.second_call(optin)["id"], "conversation")
        person = self.person(optin["person"])
        self.assertEqual(("lead", {}), (person["stage"], person["answers"]))

    def test_an_answer_that_cannot_be_is_refused_over_http_and_flagged_over_redis(self):
        optin = self.accept_optin(self.person_number(1))
        wrong = self.outcome(optin["task"], "conversation", 422, answers={"needs": "x", "shoe_size": 43})
        self.assertIn("answers.shoe_size", wrong["detail"])
        wrong = self.outcome(optin["task"], "conversation", 422, answers={"intent": "perhaps"})
        self.assertIn("answers.intent", wrong["detail"])
        self.report(self.wait_task(optin["task"]), "outcome", outcome="conversation",
                    answers=json.dumps({"needs": "x", "shoe_size": 43}))  # fmt: skip
        wait_until(lambda: self.person(optin["person"])["answers"], what="the answers")
        self.assertEqual({"needs": "x"}, self.person(optin["person"])["answers"])
        event = next(event for event in self.history(optin["person"]) if event["kind"] == "outcome")
        self.assertEqual((1, 43), (event["odd"], event["answers"]["shoe_size"]))

    def test_research_is_told_and_what_is_found_opens_the_call(self):
        optin = self.accept_optin({"name": "Dana Rivera"})
        self.assertEqual("unreachable", optin["reason"])
        tasks = self.person(optin["person"])["tasks"]
        self.outcome(tasks[0]["id"], "researched", 422, finds={"phone": "12"})
        self.outcome(tasks[0]["id"], "researched", finds={"phone": "(215) 555-0147", "Their role": "owner"})
        self.wait_task_count(1)
        task = next(iter(self.tasks().values()))[0]
        self.assertEqual(("first_response", "+12155550147"), (task["kind"], task["phone"]))
        self.assertEqual("owner", task["context"]["findings"]["Their role"])
        self.assertEqual("look-them-up", task["context"]["research"]["script"])
        self.assertLess(task["context"]["research"]["until_ms"], task["deadline_ms"])
        found = self.web.post("/v1/people/search", {"phone": "2155550147"}, bearer=self.sk)
        self.assertIn(optin["person"], found.text)


class Moves(Hand):
    def test_a_manager_moves_people_where_the_playbook_lets_them(self):
        optin = self.accept_optin(self.person_number(1))
        path = f"/v1/people/{optin['person']}/move"
        self.outcome(optin["task"], "conversation")
        self.assertIn("needs", self.post(path, {"stage": "opportunity"}, 409)["detail"])
        self.post(path, {"stage": "moon"}, 422)
        self.post(path, {"stage": "lead", "review": False}, 422)
        self.post(path, {"do_not_contact": True}, 422)
        self.assertEqual(403, self.web.post(path, {"stage": "customer"}, bearer=self.agent_token()).status)
        self.assertFalse(self.post(path, {"stage": "lead"})["moved"])

    def agent_token(self):
        return self.create("tokens", id="floor", role="agent", agency="acme")["token"]

    def test_do_not_contact_is_left_by_a_manager(self):
        optin = self.accept_optin(self.person_number(1))
        self.outcome(optin["task"], "do_not_contact")
        self.assertEqual("do_not_contact", self.person(optin["person"])["closed"])
        moved = self.post(f"/v1/people/{optin['person']}/move", {"do_not_contact": False, "note": "they rang us"})
        self.assertEqual((True, "contact_again"), (moved["moved"], moved["what"]))
        person = self.person(optin["person"])
        self.assertIsNone(person["closed"])
        self.assertIsNotNone(person["due_ms"])
        event = next(event for event in self.history(optin["person"]) if event["kind"] == "moved")
        self.assertEqual("they rang us", event["note"])

    def test_people_go_over_to_a_version_page_by_page(self):
        people = [self.accept_optin(self.person_number(n))["person"] for n in range(230)]
        head = "based_on: default\nname: own\ntitle: Own\n"
        answer = self.post("/v1/playbooks", {"id": "acme.main", "yaml": head + "overdue_after: 1h\n"}, 201)
        self.assertIn("there is no queue 'acme.closers'", json.dumps(answer["warnings"]))
        self.assertEqual({"id": "default", "version": 1}, self.person(people[0])["playbook"])
        moved = self.server.run("playbook", "move", "--agency", "acme", "--to", "acme.main@1", "--server", self.server.url,
                                "--token", self.admin).stdout.decode()  # fmt: skip
        self.assertIn("moved 230, stayed 0", moved)
        for person in people[::23]:
            self.assertEqual({"id": "acme.main", "version": 1}, self.person(person)["playbook"])
        again = self.post("/v1/people/move", {"agency": "acme", "to": "acme.main@1"})
        self.assertEqual((0, None), (again["moved"], again["next"]))
        self.post("/v1/people/move", {"agency": "acme", "to": "acme.main@7"}, 422)
        event = next(event for event in self.history(people[0]) if event["kind"] == "moved")
        self.assertEqual({"id": "acme.main", "version": 1}, event["to_playbook"])

    def version(self, **steps):
        """Of a playbook in which everybody has one cadence, with these steps after so many days."""
        listed = "".join(f"      - {{id: {id}, after: {days}d, channel: email, kind: offer, template: {id}}}\n" for id, days in steps.items())
        yaml = "based_on: default\nname: own\ntitle: Own\ncadences:\n  mine:\n    title: Mine\n    for: prospects\n    then: nurture\n"
        yaml += f"    steps:\n{listed}segments:\n  - {{id: everybody, cadence: mine, sla: five_minutes, escalation: usual}}\n"
        return self.post("/v1/playbooks", {"id": "acme.main", "yaml": yaml}, 201)["version"]

    def live_until(self, start_ms, day, people):
        self.clock.set(start_ms + int(day * DAY_MS))
        for person in people:
            wait_until(lambda person=person: self.person(person)["due_ms"] > self.clock.now_ms, what="what is due")

    def told(self, person, start_ms):
        """The steps that came or were left out, each with its day."""
        events = [(event["now_ms"], step) for event in reversed(self.history(person)) for step in event.get("steps", [])]
        return [(step["id"], (at_ms - start_ms) // DAY_MS) for at_ms, step in events if step["id"] and step["skipped"] != "undone"]

    def test_in_another_version_no_step_comes_twice_and_none_that_is_ahead_is_lost(self):
        first = self.version(a=0, b=2, c=4, d=6, e=10)
        self.assertEqual(200, self.web.request("PATCH", "/v1/agencies/acme", {"playbook": "acme.main"}, bearer=self.admin).status)
        start_ms = self.clock.now_ms
        early, late, back = people = [self.accept_optin(self.person_number(n))["person"] for n in range(3)]
        turned, without = self.version(a=0, c=4, b=6, d=8, e=10), self.version(a=0, b=2, d=6, e=10)
        for day, person, versions in [(1, early, [turned]), (2.5, late, [turned]), (2.5, back, [without, first])]:
            self.live_until(start_ms, day, people)
            for version in versions:
                self.post(f"/v1/people/{person}/move", {"playbook": "acme.main", "version": version})
            self.assertEqual("c", self.person(person)["next_step"]["id"])
        self.server.kill()
        self.start_server()
        for day in range(3, 12):
            self.live_until(start_ms, day, people)
        self.assertEqual([("a", 0), ("c", 4), ("b", 6), ("d", 8), ("e", 10)], self.told(early, start_ms))
        self.assertEqual([("a", 0), ("b", 2), ("c", 4), ("d", 8), ("e", 10)], self.told(late, start_ms))
        self.assertEqual([("a", 0), ("b", 2), ("c", 4), ("d", 6), ("e", 10)], self.told(back, start_ms))


class Merges(Hand):
    def two(self):
        by_phone = self.accept_optin({"phone": "2155550147", "name": "Dana"})
        by_mail = self.accept_optin({"email": "dana@example.com", "name": "Dana Rivera"})
        return by_phone, by_mail

    def test_two_are_found_to_be_one_and_parted_again(self):
        one, other = self.two()
        both = self.accept_optin({"phone": "2155550147", "email": "dana@example.com"})
        self.assertEqual(one["person"], both["person"])
        listed = self.get("/v1/people?review=1&agency=acme", self.admin)
        self.assertEqual([(one["person"], other["person"])],
                         [(row["person"]["id"], row["other"]["id"]) for row in listed["people"]])  # fmt: skip
        self.wait_tasks([one["task"], other["task"]])
        merged = self.post(f"/v1/people/{other['person']}/merge", {"other": one["person"], "note": "same voice"})
        self.assertEqual((one["person"], other["person"]), (merged["person"], merged["other"]), "the older one is left")
        self.wait_tasks([one["task"]])
        self.assertEqual([], self.get("/v1/people?review=1&agency=acme", self.admin)["people"])
        person = self.person(one["person"])
        self.assertEqual((3, [other["person"]]), (person["optins"], person["merged"]))
        self.assertEqual(one["person"], self.person(other["person"])["merged_into"])
        found = self.web.post("/v1/people/search", {"email": "dana@example.com"}, bearer=self.sk).json["people"]
        self.assertEqual([one["person"]], [person["id"] for person in found])
        history = self.history(one["person"])
        self.assertEqual(["merged", "optin", "optin", "optin"], [event["kind"] for event in history])
        self.assertEqual([other["person"]], [event["person"] for event in history if "person" in event])
        self.assertEqual("same voice", history[0]["note"])
        again = self.accept_optin({"email": "dana@example.com"})
        self.assertEqual(one["person"], again["person"])
        self.outcome(other["task"], "sold", 409)

        self.server.kill()
        self.start_server()
        self.post(f"/v1/people/{one['person']}/unmerge", {"other": other["person"]})
        self.assertEqual(2, self.person(one["person"])["optins"], "its own two")
        self.assertEqual((2, None), (self.person(other["person"])["optins"], self.person(other["person"])["merged_into"]))
        found = self.web.post("/v1/people/search", {"email": "dana@example.com"}, bearer=self.sk).json["people"]
        self.assertEqual([other["person"]], [person["id"] for person in found])
        self.wait_task_count(2)

    def mails(self, optin):
        return [task for task in self.person(optin["person"])["tasks"] if task["channel"] == "email"]

    def test_what_a_merge_withdrew_comes_back_when_it_is_undone(self):
        one, other = (self.accept_optin(self.person_number(number)) for number in (1, 2))
        self.outcome(other["task"], "do_not_contact")
        (mail,) = self.mails(one)
        self.post(f"/v1/people/{one['person']}/merge", {"other": other["person"]})
        self.assertEqual([], self.person(one["person"])["tasks"])
        self.post(f"/v1/people/{one['person']}/unmerge", {"other": other["person"]})
        self.wait_task_count(1)
        (again,) = wait_until(lambda: self.mails(one), what="the mail")
        self.assertNotEqual(mail["id"], again["id"])
        self.assertEqual([], self.person(other["person"])["tasks"])

    def test_another_agency_merges_nobody_of_ours(self):
        one, other = self.two()
        self.set_up_agency("rival")
        rival = self.create("tokens", id="boss", role="manager", agency="rival")["token"]
        for verb in ("merge", "unmerge"):
            self.post(f"/v1/people/{one['person']}/{verb}", {"other": other["person"]}, 404, rival)
        self.post(f"/v1/people/{one['person']}/move", {"review": False}, 404, rival)
        self.assertEqual(404, self.web.get("/v1/people?review=1&agency=acme", bearer=rival).status)

    def test_who_referred_whom_is_shown_both_ways(self):
        one = self.accept_optin({"phone": "2155550147", "name": "Dana"})
        sent = [self.accept_optin({"email": f"p{n}@example.com", "referred_by": by})["person"]
                for n, by in enumerate([one["person"], "(215) 555-0147"])]  # fmt: skip
        self.accept_optin({"email": "p9@example.com", "referred_by": "Uncle Bob"})
        self.assertEqual(sent, self.person(one["person"])["referred"])
        self.assertEqual([one["person"]], self.person(sent[0])["referred_by"])
        listed = self.get(f"/v1/people/{one['person']}/referrals", self.admin)
        self.assertEqual((sent, None), ([row["person"]["id"] for row in listed["referred"]], listed["next"]))
