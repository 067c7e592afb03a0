"""What a browser on a client's page may do, and what it is told."""
import json
import shutil
import subprocess
import unittest
import urllib.parse

from harness import Scenario, find
from servers import wait_until
from web import raw

PAGE = "https://www.example.com"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

# What can go wrong before a request is whole, and what follows its first header lines then.
BROKEN = (
    (400, "Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    (411, "\r\n"),
    (413, "Content-Length: 70000\r\n\r\n"),
    (415, "Content-Length: 5\r\nContent-Encoding: br\r\n\r\nhello"),
    (501, "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
)


class PublicKeys(Scenario):
    def send(self, optin, origin=PAGE, **more):
        headers = {"Content-Type": "application/json", **({"Origin": origin} if origin else {})}
        return self.web.post(f"/v1/optins?key={self.pk}", json.dumps(optin), headers={**headers, **more})

    def test_preflight_allows_the_sites_own_pages_only(self):
        ask = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,idempotency-key",
        }
        answer = self.web.request("OPTIONS", f"/v1/optins?key={self.pk}", headers={**ask, "Origin": PAGE})
        self.assertEqual(204, answer.status, answer)
        self.assertEqual(PAGE, answer.headers["access-control-allow-origin"])
        self.assertEqual("7200", answer.headers["access-control-max-age"])
        self.assertIn("POST", answer.headers["access-control-allow-methods"])
        self.assertIn("idempotency-key", answer.headers["access-control-allow-headers"].lower())
        self.assertIn("origin", answer.headers["vary"].lower())
        for origin in ("https://evil.example", "null", PAGE + ".evil.example", PAGE + ":8443", "http://www.example.com"):
            answer = self.web.request("OPTIONS", f"/v1/optins?key={self.pk}", headers={**ask, "Origin": origin})
            self.assertNotIn("access-control-allow-origin", answer.headers, origin)

    def test_page_reads_its_answer_and_nothing_that_was_stored(self):
        first = self.send(self.person_number(1))
        self.assertEqual(201, first.status, first)
        self.assertEqual(PAGE, first.headers["access-control-allow-origin"])
        self.assertEqual({"id"}, set(first.json))
        again = self.send(self.person_number(1))
        self.assertEqual((201, first.json), (again.status, again.json), "new and repeated look alike")
        self.assertNotIn("idempotent-replayed", again.headers)

    def test_page_can_read_a_refusal_too(self):
        answer = self.send({"company": "nobody"})
        self.assertEqual(422, answer.status)
        self.assertEqual(PAGE, answer.headers["access-control-allow-origin"])

    def test_page_can_read_what_is_wrong_with_its_request(self):
        head = f"Host: x\r\nOrigin: {PAGE}\r\nContent-Type: application/json\r\n"
        for path in (f"/v1/optins?key={self.pk}", f"/f/{self.pk}"):
            for status, rest in BROKEN:
                reply = raw(self.server.port, f"POST {path} HTTP/1.1\r\n{head}{rest}".encode()).decode()
                self.assertTrue(reply.startswith(f"HTTP/1.1 {status} "), reply)
                self.assertIn(f"\r\nAccess-Control-Allow-Origin: {PAGE}\r\n", reply)
                self.assertIn("\r\nContent-Type: application/problem+json\r\n", reply)

    def test_foreign_page_is_refused_and_no_origin_is_accepted(self):
        answer = self.send(self.person_number(1), origin="https://evil.example")
        self.assertEqual((403, "origin_forbidden"), (answer.status, answer.json["code"]))
        self.assertIn("origin", answer.headers["vary"].lower())
        self.assertEqual(201, self.send(self.person_number(1), origin=None).status)

    def test_key_may_come_in_a_header(self):
        answer = self.web.post("/v1/optins", self.person_number(1), headers={"X-Hotlead-Key": self.pk})
        self.assertEqual(201, answer.status, answer)

    def test_other_content_under_a_known_id_is_kept_as_an_update(self):
        first = self.send({**self.person_number(1), "event_id": "e-1"})
        second = self.send({**self.person_number(1), "company": "Later Words", "event_id": "e-1"})
        self.assertEqual((201, first.json), (second.status, second.json))
        person = find(self.get(f"/v1/optins/{first.json['id']}"), "person")
        self.assertIn("Later Words", json.dumps(self.get(f"/v1/people/{person}/history")))
        wait_until(lambda: len(self.tasks()) == 1, what="its one task")

    def test_public_key_reads_nothing(self):
        optin = self.send(self.person_number(1)).json["id"]
        for path in (f"/v1/optins/{optin}?key={self.pk}", f"/v1/sites?key={self.pk}"):
            self.assertIn(self.web.get(path).status, (401, 403), path)

    def test_tag_is_small_and_needs_no_key(self):
        answer = self.web.get("/t.js")
        self.assertEqual(200, answer.status)
        self.assertIn("javascript", answer.headers["content-type"])
        self.assertLess(len(answer.body), 2048)

    @unittest.skipUnless(shutil.which("node"), "the tag is run by node")
    def test_tag_warns_of_a_refusal_by_its_code_and_says_nothing_personal(self):
        script = """
            const warned = [], on = {}, sent = [];
            const form = {hasAttribute: () => true, getAttribute: () => "pk_x", elements: [
                {name: "email", type: "email", value: "secret@of.a.visitor"}]};
            globalThis.window = {addEventListener: (name, then) => on[name] = then};
            globalThis.document = {currentScript: {src: "http://h/t.js"}, referrer: "",
                addEventListener: (name, then) => on[name] = then};
            globalThis.location = {search: "", href: "http://page/"};
            Object.defineProperty(globalThis, "navigator", {value: {sendBeacon: (to) => sent.push(to)}});
            globalThis.sessionStorage = {getItem: () => null, setItem: () => {}};
            console.warn = (...words) => warned.push(words.join(" "));
            globalThis.fetch = async () => ({status: STATUS, ok: STATUS < 400, json: async () => ({code: "CODE"})});
            TAG
            on.submit({target: form});
            setTimeout(() => { on.pagehide(); console.log(JSON.stringify([warned, sent.length])); }, 20);
        """
        for status, code, warned, left in (
            (201, "", [], 0), (422, "no_identifier", ["hotlead 422 no_identifier"], 0),
            (429, "rate_limited", ["hotlead 429 rate_limited"], 1), (503, "busy", ["hotlead 503 busy"], 1),
        ):  # fmt: skip
            text = script.replace("STATUS", str(status)).replace("CODE", code).replace("TAG", self.web.get("/t.js").text)
            done = subprocess.run(["node", "-e", text], capture_output=True, text=True, timeout=20, check=True)
            self.assertEqual([warned, left], json.loads(done.stdout), status)


class Forms(Scenario):
    site_settings = {"redirects": ["https://thanks.example.net/"]}

    def submit(self, fields, **headers):
        return self.web.post(f"/f/{self.pk}", urllib.parse.urlencode(fields), headers={**FORM, **headers})

    def test_form_thanks_on_a_page_of_its_own(self):
        answer = self.submit(self.person_number(1))
        self.assertEqual(200, answer.status, answer)
        self.assertTrue(answer.headers["content-type"].startswith("text/html"), answer)
        self.assertNotIn("Person 1", answer.text, "nothing is echoed")
        self.wait_task_count(1)

    def test_form_sends_the_visitor_on_where_the_site_allows_it(self):
        for target in ("https://www.example.com/thanks?a=b", "https://thanks.example.net/x"):
            answer = self.submit({**self.person_number(1), "_redirect": target})
            self.assertEqual((303, target), (answer.status, answer.headers.get("location")))
        for target in ("https://evil.example/", "//evil.example", "javascript:alert(1)", "https://www.example.com.evil.example/"):
            answer = self.submit({**self.person_number(2), "_redirect": target})
            self.assertEqual(200, answer.status, target)
            self.assertNotIn("location", answer.headers)
        self.wait_task_count(2)

    def test_form_errors_are_pages_for_people_unless_json_is_wanted(self):
        answer = self.submit({"company": "nobody <script>"})
        self.assertEqual(422, answer.status)
        self.assertTrue(answer.headers["content-type"].startswith("text/html"), answer)
        self.assertNotIn("<script>", answer.text)
        answer = self.submit({"company": "nobody"}, Accept="application/json")
        self.assertEqual("no_identifier", answer.json["code"])
        answer = self.web.post("/f/pk_acme_wrong", "email=a%40example.com", headers=FORM)
        self.assertIn(answer.status, (401, 404))

    def test_form_that_never_came_whole_is_answered_with_a_page_too(self):
        for accept, content_type in (("text/html,*/*", "text/html; charset=utf-8"), ("application/json", "application/problem+json")):
            head = f"POST /f/{self.pk} HTTP/1.1\r\nHost: x\r\nOrigin: {PAGE}\r\nAccept: {accept}\r\n"
            for status, rest in BROKEN:
                reply = raw(self.server.port, f"{head}{rest}".encode()).decode()
                self.assertTrue(reply.startswith(f"HTTP/1.1 {status} "), reply)
                self.assertIn(f"\r\nContent-Type: {content_type}\r\n", reply)
                self.assertIn(f"\r\nAccess-Control-Allow-Origin: {PAGE}\r\n", reply)

    def test_form_takes_json_and_beacons(self):
        for number, content_type in enumerate(("application/json", "text/plain")):
            answer = self.web.post(
                f"/f/{self.pk}", json.dumps(self.person_number(number)),
                headers={"Content-Type": content_type, "Accept": "application/json"},
            )  # fmt: skip
            self.assertIn(answer.status, (200, 201), answer)
            self.assertEqual({"id"}, set(answer.json))
        self.wait_task_count(2)

    def test_form_comes_as_plain_text(self):
        body = "name=Dana Rivera\r\nphone=+12155550147\r\nmessage=two\r\nlines\r\n"
        answer = self.web.post(f"/f/{self.pk}", body, headers={"Content-Type": "text/plain"})
        self.assertEqual(200, answer.status, answer)
        self.wait_task_count(1)
        ((task, _),) = self.tasks().values()
        self.assertEqual(("Dana Rivera", "+12155550147"), (task["name"], task["phone"]))
        self.assertEqual({"message": "two\r\nlines"}, task["context"]["fields"])

    def test_form_in_windows_1252_arrives_as_it_was_written(self):
        for body, fields in (
            (b"name=Jos%E9+%80&phone=%2B12155550100&_charset_=windows-1252", {}),
            (b"name=Jos\xe9+%80&phone=%2B12155550101", {"_charset_": "windows-1252 (guessed)"}),
        ):  # fmt: skip
            answer = self.web.post(f"/f/{self.pk}", body, headers={**FORM, "Accept": "application/json"})
            self.assertEqual(201, answer.status, answer)
            stored = self.get(f"/v1/optins/{answer.json['id']}")
            self.assertEqual("José €", find(stored, "name"))
            self.assertEqual(fields, find(stored, "fields") or {})
        self.wait_task_count(2)

    def test_filled_honeypot_is_stored_and_not_called(self):
        answer = self.submit({**self.person_number(1), "_hp": "http://spam.example"}, Accept="application/json")
        self.assertIn(answer.status, (200, 201), "a robot is told nothing")
        stored = self.get(f"/v1/optins/{answer.json['id']}")
        self.assertEqual("suspect", find(stored, "reason"))
        self.assert_stays(lambda: not self.tasks(), 0.5, "a suspect opt-in has no call")


class Steps(Scenario):
    """A form of several steps, each sent under the same event_id with the public key."""

    def step(self, **said):
        answer = self.web.post(f"/v1/optins?key={self.pk}", {"event_id": "form-1", **said})
        self.assertEqual((201, {"id"}), (answer.status, set(answer.json)), answer)
        return self.get(f"/v1/optins/{answer.json['id']}")

    def person(self, id):
        return self.get(f"/v1/people/{id}")

    def test_phone_of_the_second_step_is_called(self):
        first = self.step(email="dana@example.com", name="Dana Rivera", fields={"rooms": 3})
        task = self.wait_task(first["task"])
        self.assertEqual((None, "Dana Rivera"), (task["phone"], task["name"]))
        second = self.step(phone="215 555 0147", consent={"text": "Ring me.", "given": True}, fields={"pool": True})
        self.assertEqual(first["id"], second["id"], "the public key is told nothing")
        again = self.wait_task(first["task"], delivery=2)
        expected = {**task, "delivery": 2, "phone": "+12155550147", "consent": again["consent"], "context": again["context"]}
        self.assertEqual(expected, again)
        self.assertEqual(({"rooms": 3, "pool": True}, "Ring me."), (again["context"]["fields"], again["consent"]["text"]))
        person = self.person(first["person"])
        self.assertEqual(("215 555 0147", 1), (person["phone"], person["optins"]))
        found = self.web.post("/v1/people/search", {"phone": "+12155550147"}, bearer=self.sk).json["people"]
        self.assertEqual([first["person"]], [person["id"] for person in found])
        self.assertIn("Ring me.", json.dumps(self.get(f"/v1/people/{first['person']}/history")))

    def test_redis_that_forgets_gets_the_call_with_its_phone_again(self):
        task = self.step(email="dana@example.com")["task"]
        self.step(phone="+12155550147")
        before = self.wait_task(task, delivery=2)
        self.redis("FLUSHALL")
        self.assertEqual(before, self.wait_task(task, delivery=2))

    def test_name_that_gets_a_phone_is_called_within_five_minutes_and_not_researched(self):
        first = self.step(name="Dana Rivera")
        self.wait_task_count(1, "acme.research")
        self.step(phone="+12155550147")
        wait_until(lambda: [task["channel"] for task, _ in self.tasks().values()] == ["call"], what="the call")
        self.wait_task_count(0, "acme.research")
        ((task, _),) = self.tasks().values()
        self.assertEqual(("+12155550147", "Dana Rivera"), (task["phone"], task["name"]))
        self.assertEqual((first["id"], first["received_ms"]), (task["optin"], task["received_ms"]))
        self.assertLess(abs(task["deadline_ms"] - task["not_before_ms"] - 300_000), 1)
        self.report(self.pop(), "outcome", outcome="conversation")
        wait_until(lambda: self.person(first["person"])["stage"] == "lead", what="the outcome")

    def test_update_overwrites_nothing(self):
        first = self.step(phone="+12155550147", name="Dana Rivera")
        task = self.wait_task(first["task"])
        self.step(phone="+12155550199", name="Mallory")
        self.assert_stays(lambda: self.tasks()[task["id"]][0] == task, 1, "the call stays as it was")
        person = self.person(first["person"])
        self.assertEqual(("+12155550147", "Dana Rivera"), (person["phone"], person["name"]))


class Reasons(Scenario):
    def test_test_opt_in_is_stored_and_not_called(self):
        answer = self.accept_optin({**self.person_number(1), "test": True})
        self.assertEqual((None, "test"), (answer["task"], answer["reason"]))
        self.get(f"/v1/optins/{answer['id']}")
        self.assert_stays(lambda: not self.tasks(), 0.5, "a test has no call")

    def test_imported_opt_in_is_stored_and_not_called(self):
        answer = self.accept_optin({**self.person_number(1), "source_kind": "import"})
        self.assertEqual((None, "imported"), (answer["task"], answer["reason"]))
        self.assertIn('"imported"', json.dumps(self.get(f"/v1/optins/{answer['id']}")))
        self.assert_stays(lambda: not self.tasks(), 0.5, "a list asked for nothing just now")
        again = self.accept_optin({**self.person_number(1), "source_kind": "form"})
        self.wait_task(again["task"])

    def test_name_alone_is_stored_and_researched(self):
        answer = self.accept_optin({"name": "Dana Rivera", "company": "Acme"})
        self.assertEqual((None, "unreachable"), (answer["task"], answer["reason"]))
        self.wait_task_count(1, "acme.research")
        ((task, _),) = self.tasks("acme.research").values()
        self.assertEqual(("research", answer["id"], None), (task["channel"], task["optin"], task["phone"]))

    def test_a_number_that_the_site_does_not_call_is_stored_flagged_and_researched(self):
        answer = self.accept_optin({"phone": "+1 900 555 0147"})
        self.assertEqual((None, "unreachable"), (answer["task"], answer["reason"]))
        self.wait_task_count(1, "acme.research")
        ((task, _),) = self.tasks("acme.research").values()
        self.assertEqual(("research", answer["id"]), (task["channel"], task["optin"]))
        self.assertEqual("+1 900 555 0147", find(self.get(f"/v1/optins/{answer['id']}"), "phone"))
        self.assertIn("bad_phone", json.dumps(self.get(f"/v1/people/{answer['person']}")))


class Suspects(Scenario):
    """Nobody who was taken for a robot by mistake is lost: a manager finds him."""

    def suspect(self, number, site="acme-www"):
        answer = self.web.post(
            f"/v1/optins?key={self.keys[site]}", {**self.person_number(number), "_hp": "http://spam.example"}
        )
        return answer.json["id"]

    def setUp(self):
        super().setUp()
        self.keys = {"acme-www": self.pk}
        site = self.create("sites", id="acme-shop", agency="acme", queue=self.queue)
        self.keys["acme-shop"] = site["pk"]
        self.keys["other-www"] = self.set_up_agency("other")["pk"]

    def page(self, bearer=None, status=200, **query):
        answer = self.web.get(f"/v1/optins?{urllib.parse.urlencode(query)}", bearer=bearer or self.admin)
        self.assertEqual(status, answer.status, answer)
        return answer.json

    def ids(self, **query):
        return [optin["id"] for optin in self.page(suspect=1, **query)["optins"]]

    def test_newest_first_in_pages_of_an_agency_or_a_site(self):
        first = [self.suspect(number) for number in range(3)]
        self.accept_optin(self.person_number(9))
        shop = [self.suspect(number, "acme-shop") for number in range(3, 5)]
        self.suspect(5, "other-www")
        self.assertEqual([*first, *shop][::-1], self.ids(agency="acme"))
        self.assertEqual(first[::-1], self.ids(site="acme-www"))
        self.assertEqual(shop[::-1], self.ids(site="acme-shop", agency="acme"))
        pages, after = [], {}
        while after is not None:
            page = self.page(suspect=1, agency="acme", limit=2, **after)
            pages += [optin["id"] for optin in page["optins"]]
            after = {"after": page["next"]} if page["next"] else None
        self.assertEqual([*first, *shop][::-1], pages)
        item = self.page(suspect=1, agency="acme", limit=1)["optins"][0]
        self.assertEqual(self.get(f"/v1/optins/{shop[-1]}"), item)
        self.assertEqual(("Person 4", "suspect", None), (item["name"], item["reason"], item["task"]))
        listed = self.server.run("optin", "suspects", "--site", "acme-www", "--json", "--data", self.server.data).stdout
        self.assertEqual(first[::-1], [json.loads(line)["id"] for line in listed.splitlines()])

    def test_each_sees_ones_own(self):
        mine, others = self.suspect(1), self.suspect(2, "other-www")
        manager = self.create("tokens", id="boss", agency="acme", role="manager")["token"]
        agent = self.create("tokens", id="desk", agency="acme", role="agent")["token"]
        self.assertEqual([mine], self.ids(bearer=manager))
        self.assertEqual([others], self.ids(agency="other"))
        for name, theirs, nobodys in (("agency", "other", "none"), ("site", "other-www", "none-www")):
            told = [
                self.page(bearer=manager, status=404, suspect=1, **{name: value})["detail"] for value in (theirs, nobodys)
            ]
            self.assertEqual(told[0], told[1], "whether others have it is not said")
        self.page(status=404, suspect=1, agency="none")
        self.page(bearer=agent, status=403, suspect=1)
        self.page(bearer=self.sk, status=403, suspect=1)
        for wrong in ({}, {"suspect": 1}, {"suspect": 1, "agency": "acme", "limit": 101},
                      {"suspect": 1, "agency": "acme", "after": "x"}, {"suspect": 1, "agency": "acme", "site": "other-www"}):  # fmt: skip
            self.page(status=422, **wrong)

    def test_the_list_is_there_after_a_rebuild(self):
        suspects = [self.suspect(number) for number in range(3)]
        self.assertEqual(0, self.server.stop())
        self.server.run("rebuild", "--data", self.server.data)
        self.start_server()
        self.assertEqual(suspects[::-1], self.ids(agency="acme"))


class Limits(Scenario):
    site_settings = {"rate_limit": 5, "suspect_limit": 2}

    def test_soft_limit_marks_and_hard_limit_refuses(self):
        answers = []
        for number in range(30):
            answers.append(self.web.post(f"/v1/optins?key={self.pk}", self.person_number(number)))
        refused = [answer for answer in answers if answer.status == 429]
        stored = [answer for answer in answers if answer.status == 201]
        self.assertEqual(30, len(refused) + len(stored), answers)
        self.assertTrue(refused)
        self.assertTrue(all(int(answer.headers["retry-after"]) >= 1 for answer in refused))
        reasons = [find(self.get(f"/v1/optins/{answer.json['id']}"), "reason") for answer in stored]
        self.assertIn("suspect", reasons)
        self.wait_task_count(reasons.count(None))
        for number in range(100, 130):
            self.accept_optin(self.person_number(number))
