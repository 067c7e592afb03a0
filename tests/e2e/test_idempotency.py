"""Whatever is sent again is stored once, also across restarts."""
import concurrent.futures

from harness import Scenario
from web import Web


class Replays(Scenario):
    clock = True

    def assert_replayed(self, first, answer):
        self.assertEqual(200, answer.status, answer)
        self.assertEqual(first, answer.json)
        self.assertEqual("true", answer.headers.get("idempotent-replayed"))

    def test_same_key_and_content_is_answered_the_same(self):
        headers = {"Idempotency-Key": "order-17"}
        first = self.accept_optin(self.person_number(1), headers=headers)
        self.assert_replayed(first, self.post_optin(self.person_number(1), headers=headers))
        self.wait_task(first["task"])
        self.assertEqual(1, len(self.tasks()))

    def test_same_phone_and_email_written_otherwise_is_the_same_content(self):
        headers = {"Idempotency-Key": "order-17"}
        first = self.accept_optin({"phone": "+1 (215) 555-0101", "email": "Dana@Example.com"}, headers=headers)
        again = {"phone": "+12155550101", "email": "dana@example.com"}
        self.assert_replayed(first, self.post_optin(again, headers=headers))
        self.assert_replayed(first, self.post_optin({**again, "phone": "215-555-0101"}, headers=headers))
        answer = self.post_optin({**again, "phone": "+12155550101 x7"}, headers=headers)
        self.assertEqual(422, answer.status, "an extension is something else")

    def test_same_key_with_other_content_is_refused(self):
        headers = {"Idempotency-Key": "order-17"}
        self.accept_optin(self.person_number(1), headers=headers)
        answer = self.post_optin(self.person_number(2), headers=headers)
        self.assertEqual((422, "idempotency_key_reused"), (answer.status, answer.json["code"]))

    def test_event_id_is_a_key_too_and_submitted_at_is_not_content(self):
        event = {**self.person_number(1), "event_id": "e-1"}
        first = self.accept_optin({**event, "submitted_at": "2026-11-21T14:03:05Z"})
        self.assert_replayed(first, self.post_optin({**event, "submitted_at": "2026-11-21T14:03:09Z"}))

    def test_same_content_without_a_key_is_a_replay_for_300_seconds(self):
        first = self.accept_optin(self.person_number(1))
        self.clock.advance(299)
        self.assert_replayed(first, self.post_optin(self.person_number(1)))
        self.clock.advance(2)
        second = self.accept_optin(self.person_number(1))
        self.assertNotEqual(first["id"], second["id"])
        self.assertEqual(first["task"], second["task"], "one open call task a person")

    def test_key_is_known_for_seven_days(self):
        headers = {"Idempotency-Key": "order-17"}
        first = self.accept_optin(self.person_number(1), headers=headers)
        self.clock.advance(7 * 86400 - 60)
        self.assert_replayed(first, self.post_optin(self.person_number(1), headers=headers))

    def test_known_keys_survive_a_stop_and_a_kill(self):
        headers = {"Idempotency-Key": "order-17"}
        first = self.accept_optin(self.person_number(1), headers=headers)
        plain = self.accept_optin(self.person_number(2))
        for end in (self.server.stop, self.server.kill):
            end()
            self.start_server()
            self.assert_replayed(first, self.post_optin(self.person_number(1), headers=headers))
            self.assert_replayed(plain, self.post_optin(self.person_number(2)))

    def test_keys_of_two_sites_and_of_two_credentials_do_not_meet(self):
        other = self.create("sites", id="acme-shop", agency="acme", queue=self.queue)
        event = {**self.person_number(1), "event_id": "e-1"}
        first = self.accept_optin(event)
        second = self.accept_optin({**event, "name": "Another"}, key=other["sk"])
        third = self.web.post(f"/v1/optins?key={self.pk}", {**event, "name": "A third"})
        self.assertEqual(201, third.status, third)
        self.assertEqual(3, len({first["id"], second["id"], third.json["id"]}))

    def test_many_at_once_with_one_key_become_one(self):
        def post(_):
            web = Web(self.server.port)
            answer = self.post_optin(self.person_number(1), web=web, headers={"Idempotency-Key": "k"})
            web.close()
            return answer

        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(post, range(40)))
        self.assertEqual({200, 201}, {answer.status for answer in answers})
        self.assertEqual(1, sum(answer.status == 201 for answer in answers))
        self.assertEqual(1, len({answer.json["id"] for answer in answers}))
