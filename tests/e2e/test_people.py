"""One person, however often and however written; found again, and never by a stranger."""
import concurrent.futures
import json

from harness import Scenario, find
from servers import wait_until
from web import Web


class Identity(Scenario):
    def test_same_person_twice_has_one_open_call_task(self):
        first = self.accept_optin({"phone": "215 555 0147", "name": "Dana"})
        second = self.accept_optin({"phone": "215 555 0147", "name": "Dana Rivera", "company": "Acme"})
        self.assertNotEqual(first["id"], second["id"])
        for key in ("person", "task", "deadline_ms"):
            self.assertEqual(first[key], second[key])
        self.wait_task(first["task"])
        self.assertEqual(1, len(self.tasks()))

    def test_phone_formats_meet_in_one_person(self):
        formats = ["(215) 555-0147", "2155550147", "+12155550147", "1-215-555-0147", "+1 215.555.0147"]
        people = {self.accept_optin({"phone": phone, "name": f"N{i}"})["person"] for i, phone in enumerate(formats)}
        self.assertEqual(1, len(people))
        self.wait_task_count(1)

    def test_who_comes_again_with_a_mail_alone_is_called_by_the_known_phone(self):
        consent = {"given": True, "text": "Call me about the first one."}
        self.accept_optin({"email": "dana@example.com"})
        first = self.accept_optin({"email": "dana@example.com", "phone": "215 555 0147", "name": "Dana Rivera",
                                   "page_url": "https://www.example.com/first", "consent": consent})
        self.report(self.wait_task(first["task"], delivery=2), "outcome", outcome="conversation", agent="a1")
        self.wait_task_count(0)
        again = self.accept_optin({"email": "dana@example.com", "page_url": "https://www.example.com/second"})
        self.assertEqual(first["person"], again["person"])
        self.assertNotEqual(first["task"], again["task"])
        task = self.wait_task(again["task"])
        self.assertEqual(("+12155550147", "Dana Rivera"), (task["phone"], task["name"]))
        self.assertEqual("https://www.example.com/second", task["context"]["page_url"])
        self.assertIsNone(task["consent"])
        person = self.get(f"/v1/people/{first['person']}")
        self.assertEqual(("Dana Rivera", "215 555 0147"), (person["name"], person["phone"]))

    def test_numbers_of_other_countries_follow_the_sites_country(self):
        keys = self.create("sites", id="acme-uk", agency="acme", queue=self.queue, country="GB")
        first = self.accept_optin({"phone": "020 7946 0958"}, key=keys["sk"])
        second = self.accept_optin({"phone": "+44 20 7946 0958", "name": "B"}, key=keys["sk"])
        self.assertEqual(first["person"], second["person"])
        self.assertEqual("+442079460958", self.wait_task(first["task"])["phone"])

    def test_mail_addresses_meet_whatever_their_case(self):
        first = self.accept_optin({"email": "Dana@Example.COM"})
        second = self.accept_optin({"email": " dana@example.com ", "name": "B"})
        self.assertEqual(first["person"], second["person"])

    def test_phone_and_mail_of_two_people_are_not_merged(self):
        by_phone = self.accept_optin({"phone": "2155550147"})
        self.accept_optin({"email": "other@example.com"})
        both = self.accept_optin({"phone": "2155550147", "email": "other@example.com"})
        self.assertEqual(by_phone["person"], both["person"])
        self.assertIn("review", json.dumps(self.get(f"/v1/people/{both['person']}")))

    def test_later_input_adds_and_never_overwrites(self):
        first = self.accept_optin({"phone": "2155550147"})
        self.accept_optin({"phone": "2155550147", "email": "dana@example.com"})
        second = self.accept_optin({"email": "dana@example.com", "phone": "2155550199"})
        self.assertEqual(first["person"], second["person"], "found by the e-mail")
        for phone, why in (("2155550147", "the phone was not overwritten"), ("2155550199", "and this one was added")):
            again = self.accept_optin({"phone": phone, "event_id": phone})
            self.assertEqual(first["person"], again["person"], why)

    def test_many_opt_ins_of_one_person_at_once_become_one_task(self):
        def post(number):
            web = Web(self.server.port)
            answer = self.post_optin({"phone": "2155550147", "name": f"N{number}"}, web=web)
            web.close()
            return answer.json

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(post, range(48)))
        self.assertEqual(48, len({answer["id"] for answer in answers}))
        self.assertEqual(1, len({answer["task"] for answer in answers}))
        self.wait_task_count(1)


class People(Scenario):
    def test_people_are_searched_by_phone_or_mail_however_written(self):
        person = self.accept_optin({"phone": "2155550147", "email": "dana@example.com"})["person"]
        for query in ({"phone": "(215) 555-0147"}, {"email": "DANA@example.com"}):
            answer = self.web.post("/v1/people/search", query, bearer=self.sk)
            self.assertEqual(200, answer.status, answer)
            self.assertIn(person, answer.text)
        answer = self.web.post("/v1/people/search", {"email": "nobody@example.com"}, bearer=self.sk)
        self.assertIn(answer.status, (200, 404))
        self.assertNotIn("per_", answer.text)

    def test_history_names_what_happened(self):
        first = self.accept_optin(self.person_number(1))
        task = self.wait_task(first["task"])
        self.assertEqual(task, self.pop())
        self.report(task, "claim")
        self.report(task, "outcome", outcome="no_answer", note="rang out")
        self.wait_outcome(first["task"])
        self.accept_optin({**self.person_number(1), "company": "Acme"})
        history = json.dumps(self.get(f"/v1/people/{first['person']}/history"))
        for word in ("optin", "claim", "outcome", "no_answer", "rang out", "a42"):
            self.assertIn(word, history)

    def wait_outcome(self, task):
        wait_until(lambda: find(self.get(f"/v1/tasks/{task}"), "outcome"), what="the outcome")

    def test_history_holds_every_word_of_the_person(self):
        first = self.accept_optin({**self.person_number(1), "fields": {"wish": "a red door"}})
        self.accept_optin({**self.person_number(1), "fields": {"wish": "a green one"}})
        history = json.dumps(self.get(f"/v1/people/{first['person']}/history"))
        for word in ("a red door", "a green one", "p1@example.com"):
            self.assertIn(word, history)


class Tenants(Scenario):
    def test_one_agency_sees_nothing_of_another(self):
        other = self.set_up_agency("rival")
        mine = self.accept_optin(self.person_number(1))
        theirs = self.accept_optin(self.person_number(1), key=other["sk"])
        self.assertNotEqual(mine["person"], theirs["person"], "people are an agency's own")
        self.assertNotEqual(mine["task"], theirs["task"])
        for path in (
            f"/v1/optins/{mine['id']}",
            f"/v1/tasks/{mine['task']}",
            f"/v1/people/{mine['person']}",
            f"/v1/people/{mine['person']}/history",
        ):
            self.get(path, bearer=self.sk)
            self.get(path, bearer=other["sk"], status=404)
        for op in ("outcome", "release", "extend", "amend"):
            answer = self.web.post(
                f"/v1/tasks/{mine['task']}/{op}", {"delivery": 1, "outcome": "no_answer", "agent": "x"}, bearer=other["sk"]
            )
            self.assertIn(answer.status, (403, 404), answer)
        answer = self.web.post("/v1/people/search", {"phone": "+12155550001"}, bearer=other["sk"])
        self.assertNotIn(mine["person"], answer.text)
        self.wait_task(mine["task"])
        self.wait_task(theirs["task"], queue="rival.calls")

    def test_a_report_on_another_agencys_stream_counts_for_nothing(self):
        self.set_up_agency("rival")
        mine = self.accept_optin(self.person_number(1))
        task = self.wait_task(mine["task"])
        self.redis("XADD", "hl:{rival.calls}:reports:n1", "*", "task", task["id"], "delivery", 1, "op", "outcome",
                   "outcome", "do_not_contact", "agent", "x")  # fmt: skip
        self.assert_stays(lambda: task["id"] in self.tasks(), 1.5, "the task is still there")

    def test_token_of_one_agency_administers_no_other(self):
        self.set_up_agency("rival")
        token = self.create("tokens", id="boss", agency="rival", role="manager")
        secret = next(value for value in token.values() if isinstance(value, str) and len(value) > 20)
        answer = self.web.post(
            "/v1/queues", {"id": "acme.more", "agency": "acme"}, bearer=secret
        )
        self.assertIn(answer.status, (403, 404), answer)
        listed = self.web.get("/v1/sites", bearer=secret)
        self.assertNotIn("acme-www", listed.text)
