"""Every shape of body becomes the same stored opt-in and the same task."""
import gzip
import json
import urllib.parse

from harness import TASK_KEYS, Scenario, find
from web import multipart, raw

DANA = {
    "name": "Dana Rivera",
    "phone": "(215) 555-0147",
    "email": "dana@example.com",
    "page_url": "https://www.example.com/quote?x=1",
    "utm_source": "spring",
    "source_kind": "form",
    "fields": {"budget": "10k", "rooms": 3},
}


class Bodies(Scenario):
    def assert_stored_and_visible(self, answer):
        self.assertEqual(201, answer.status, answer)
        stored = self.get(f"/v1/optins/{answer.json['id']}")
        self.assertEqual("dana@example.com", find(stored, "email"))
        self.assertEqual("(215) 555-0147", find(stored, "phone"), "values are kept as they came")
        self.assertEqual("10k", find(stored, "budget"))
        task = self.wait_task(answer.json.get("task") or find(stored, "task"))
        self.assertEqual(answer.json["id"], task["optin"])
        self.assertEqual("+12155550147", task["phone"])
        self.assertEqual("Dana Rivera", task["name"])
        return task

    def test_json_becomes_a_task_with_exactly_the_published_keys(self):
        answer = self.post_optin(DANA)
        task = self.assert_stored_and_visible(answer)
        self.assertEqual(TASK_KEYS, set(task))
        self.assertEqual({"id", "person", "task", "reason", "deadline_ms"}, set(answer.json))
        self.assertEqual(
            (1, 1, 1, self.queue, "call", "acme", "acme-www"),
            tuple(task[key] for key in ("v", "delivery", "attempt", "queue", "channel", "agency", "site")),
        )
        self.assertEqual(task["received_ms"] + 300_000, task["deadline_ms"])
        self.assertEqual(answer.json["deadline_ms"], task["deadline_ms"])
        self.assertEqual(task["deadline_ms"], self.score(task["id"]), "fresh tasks are ranked by deadline")
        self.assertIsNone(answer.json["reason"])
        self.assertIsNone(task["window"], "a first response is never deferred")
        self.assertEqual("optin", task["stage"])
        self.assertEqual(answer.json["person"], task["person"])
        self.assertEqual(f"hl:{{{self.queue}}}:reports:n1", task["report"])
        self.assertEqual("https://www.example.com/quote?x=1", find(task["context"], "page_url"))
        self.assertEqual(3, find(task["context"], "rooms"))

    def test_urlencoded_form_is_the_same_opt_in(self):
        pairs = [(k, v) for k, v in DANA.items() if k != "fields"] + [("budget", "10k")]
        answer = self.web.post(
            f"/f/{self.pk}", urllib.parse.urlencode(pairs),
            headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
        )  # fmt: skip
        self.assert_stored_and_visible(self.as_public(answer))

    def test_multipart_form_is_the_same_opt_in(self):
        body, content_type = multipart([(k, v) for k, v in DANA.items() if k != "fields"] + [("budget", "10k")])
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        self.assert_stored_and_visible(self.as_public(self.web.post(f"/f/{self.pk}", body, headers=headers)))

    def test_plain_text_of_a_beacon_is_read_as_json(self):
        answer = self.web.post(
            f"/v1/optins?key={self.pk}", json.dumps(DANA), headers={"Content-Type": "text/plain;charset=UTF-8"}
        )
        self.assert_stored_and_visible(self.as_public(answer))

    def as_public(self, answer):
        """Public answers tell the id alone."""
        self.assertIn(answer.status, (200, 201), answer)
        self.assertEqual({"id"}, set(answer.json))
        answer.status = 201
        return answer

    def test_gzip_body_is_inflated(self):
        body = gzip.compress(json.dumps(DANA).encode())
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        self.assert_stored_and_visible(self.post_optin(body, headers=headers))

    def test_gzip_bomb_is_refused_by_its_inflated_size(self):
        body = gzip.compress(json.dumps({"email": "a@example.com", "note": "x" * 10_000_000}).encode())
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        self.assertEqual(413, self.post_optin(body, headers=headers).status)

    def test_chunked_body_is_read(self):
        body = json.dumps(DANA).encode()
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i : i + 7]), body[i : i + 7]) for i in range(0, len(body), 7))
        reply = raw(
            self.server.port,
            b"POST /v1/optins HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %s\r\n"
            b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n%s0\r\n\r\n"
            % (self.sk.encode(), chunks),
        )
        self.assertTrue(reply.startswith(b"HTTP/1.1 201"), reply)
        self.wait_task(json.loads(reply.partition(b"\r\n\r\n")[2])["task"])

    def test_sixty_four_bit_integers_stay_exact(self):
        big = {"campaign": 9007199254740993, "most": 18446744073709551615, "least": -9223372036854775808}
        answer = self.accept_optin({"email": "a@example.com", "fields": big, "adgroup_id": 9007199254740993})
        stored = self.get(f"/v1/optins/{answer['id']}")
        for name, number in {**big, "adgroup_id": 9007199254740993}.items():
            self.assertEqual(number, find(stored, name))
        task = self.wait_task(answer["task"])
        self.assertEqual(9007199254740993, find(task["context"], "campaign"))

    def test_larger_numbers_are_kept_as_their_digits(self):
        answer = self.accept_optin({"email": "a@example.com", "huge": 10**30})
        self.assertEqual(str(10**30), find(self.get(f"/v1/optins/{answer['id']}"), "huge"))

    def test_text_of_all_the_world_comes_through(self):
        name = 'Zoë "Z" O\'Brien \\ 😀 <b>\u202e مرحبا'
        answer = self.accept_optin({"email": "z@example.com", "name": name})
        self.assertEqual(name, self.wait_task(answer["task"])["name"])

    def test_long_context_is_cut_and_says_so(self):
        fields = {f"field{i}": "x" * 100 for i in range(100)}
        answer = self.accept_optin({"email": "a@example.com", "fields": fields})
        self.wait_task(answer["task"])
        member = self.redis("ZRANGE", self.key("tasks"), 0, 0)[0]
        self.assertLessEqual(len(member.encode()), 4096)
        self.assertIs(True, json.loads(member)["truncated"])
        self.assertEqual("x" * 100, find(self.get(f"/v1/optins/{answer['id']}"), "field99"))


class Batches(Scenario):
    def test_array_and_ndjson_are_taken_item_by_item(self):
        items = [self.person_number(i) for i in range(20)]
        answer = self.web.post("/v1/optins/batch", items, bearer=self.sk)
        self.assertEqual(200, answer.status, answer)
        self.assertEqual({"accepted": 20, "duplicates": 0, "failed": []}, answer.json)
        lines = "\n".join(json.dumps(self.person_number(i)) for i in range(15, 30)) + "\n"
        answer = self.web.post(
            "/v1/optins/batch", lines, bearer=self.sk, headers={"Content-Type": "application/x-ndjson"}
        )
        self.assertEqual({"accepted": 10, "duplicates": 5, "failed": []}, answer.json)
        self.wait_task_count(30)

    def test_bad_items_are_named_and_the_rest_is_kept(self):
        items = [self.person_number(1), {"company": "nobody"}, self.person_number(2), {"phone": "12"}]
        answer = self.web.post("/v1/optins/batch", items, bearer=self.sk)
        self.assertEqual(200, answer.status, answer)
        self.assertEqual(2, answer.json["accepted"])
        failed = {item["index"]: item["code"] for item in answer.json["failed"]}
        self.assertEqual({1: "no_identifier", 3: "bad_identifier"}, failed)
        self.wait_task_count(2)

    def test_public_keys_may_not_send_batches(self):
        answer = self.web.post(f"/v1/optins/batch?key={self.pk}", [self.person_number(1)])
        self.assertIn(answer.status, (401, 403), answer)

    def test_more_than_500_items_are_refused_whole(self):
        answer = self.web.post("/v1/optins/batch", [{"email": f"{i}@example.com"} for i in range(501)], bearer=self.sk)
        self.assertEqual(413, answer.status, answer)
        self.assertEqual({}, self.tasks())


class Refusals(Scenario):
    def assert_problem(self, status, code, answer):
        self.assertEqual(status, answer.status, answer)
        self.assertTrue(answer.headers["content-type"].startswith("application/problem+json"), answer)
        self.assertEqual(code, answer.json["code"])
        self.assertTrue(answer.json["request_id"])
        self.assertNotIn("secret-of-a-visitor", answer.text, "no input is echoed")

    def test_what_cannot_be_an_opt_in_is_a_problem_document(self):
        as_json = {"Content-Type": "application/json"}
        for status, code, body, headers in [
            (400, "malformed", '{"email": "secret-of-a-visitor', as_json),
            (400, "malformed", '{"email":"a@example.com","email":"secret-of-a-visitor@example.com"}', as_json),
            (415, "media_type", "<x>secret-of-a-visitor</x>", {"Content-Type": "application/xml"}),
            (422, "no_identifier", '{"company":"secret-of-a-visitor"}', as_json),
            (422, "bad_identifier", '{"phone":"secret-of-a-visitor"}', as_json),
            (422, "no_identifier", '{"phone":["secret-of-a-visitor"]}', as_json),
            (413, "too_large", json.dumps({"email": "a@example.com", "n": "x" * 70_000}), as_json),
            (413, "too_large", json.dumps({"email": "a@example.com", "fields": {f"f{i}": 1 for i in range(201)}}),
             as_json),
        ]:  # fmt: skip
            with self.subTest(code=code, body=body[:60]):
                self.assert_problem(status, code, self.post_optin(body, headers=headers))
        self.assertEqual({}, self.tasks())

    def test_an_optional_field_of_no_use_never_costs_an_opt_in(self):
        for number, odd in enumerate([
            {"consent": "I agree to be called"}, {"submitted_at": "garbage"}, {"submitted_at": -1}, {"test": "hello"},
            {"fields": "x"}, {"page_url": ["x"]}, {"company": True}, {"email": ["a@b.com"]},
        ]):  # fmt: skip
            with self.subTest(odd=odd):
                path = f"/v1/optins?key={self.pk}"
                phone = f"+1215555{200 + number:04}"
                answer = self.web.post(path, json.dumps({"phone": phone, **odd}), headers={"Content-Type": "text/plain"})
                self.assertEqual(201, answer.status, answer)
                stored = self.get(f"/v1/optins/{answer.json['id']}")
                self.assertEqual(odd, find(stored, "fields"))
                answer = self.accept_optin({"phone": phone, **odd})
                self.wait_task(answer["task"])
        items = [{"phone": "+12155550300", "consent": {"channels": [1, 2]}}, {"phone": "+12155550301", "fields": [1]}]
        answer = self.web.post("/v1/optins/batch", items, bearer=self.sk)
        self.assertEqual({"accepted": 2, "duplicates": 0, "failed": []}, answer.json)

    def test_wrong_credentials_paths_and_methods_are_told_apart(self):
        dana = {"email": "a@example.com"}
        self.assert_problem(401, "unauthorized", self.web.post("/v1/optins", dana))
        self.assert_problem(401, "unauthorized", self.post_optin(dana, key="sk_acme_" + "0" * 43))
        self.assert_problem(404, "not_found", self.web.post("/v1/nothing", dana, bearer=self.sk))
        self.assert_problem(404, "not_found", self.web.get("/v1/optins/opt_" + "0" * 26, bearer=self.sk))
        self.assert_problem(405, "method_not_allowed", self.web.request("PUT", "/v1/optins", bearer=self.sk))

    def test_bad_identifier_beside_a_good_one_is_kept_and_flagged(self):
        answer = self.accept_optin({"email": "a@example.com", "phone": "12"})
        self.assertEqual("12", find(self.get(f"/v1/optins/{answer['id']}"), "phone"))
        self.assertIn("bad_phone", json.dumps(self.get(f"/v1/people/{answer['person']}")))
