"""Consumers in every language, and what their reports do: over the stream, by the claim script, over HTTP."""
import concurrent.futures
import json
import os
import shutil
import subprocess
import time
import unittest

from harness import Scenario, find
from servers import ROOT, wait_until
from web import Web


class Streams(Scenario):
    def one_task(self, number=1):
        return self.wait_task(self.accept_optin(self.person_number(number))["task"])

    def wait_applied(self, count):
        wait_until(lambda: self.metric('hotlead_reports_total{result="applied"}') == count, what=f"{count} reports")

    def test_claim_and_outcome_are_seen_by_http(self):
        self.one_task()
        task = self.pop()
        self.report(task, "claim")
        self.report(task, "outcome", outcome="appointment", note="Tuesday at ten")
        self.wait_applied(2)
        seen = json.dumps(self.get(f"/v1/tasks/{task['id']}"))
        self.assertIn("appointment", seen)
        self.assertEqual("lead", find(self.get(f"/v1/people/{task['person']}"), "stage"))

    def test_report_said_twice_has_its_effect_once(self):
        self.one_task()
        task = self.pop()
        for _ in range(3):
            self.report(task, "claim")
            self.report(task, "outcome", outcome="no_answer")
        wait_until(lambda: self.metric('hotlead_reports_total{result="repeated"}') >= 4, what="the repeated ones")
        self.assertEqual(2, self.metric('hotlead_reports_total{result="applied"}'))
        history = json.dumps(self.get(f"/v1/people/{task['person']}/history"))
        self.assertEqual(1, history.count('"no_answer"'), history)

    def test_reports_that_mean_nothing_stop_nothing(self):
        task = self.one_task()
        for fields in (
            {"nonsense": "x"},
            {"task": "tsk_" + "0" * 26, "delivery": 1, "op": "outcome", "outcome": "sold", "agent": "x"},
            {"task": task["id"], "delivery": 1, "op": "dance", "agent": "x"},
            {"task": task["id"], "delivery": 1, "op": "outcome", "outcome": "invented", "agent": "x"},
            {"task": task["id"], "delivery": "many", "op": "outcome", "outcome": "sold", "agent": "x"},
            {"task": task["id"], "delivery": 1, "op": "claim", "agent": "x" * 5000},
            {"task": task["id"], "delivery": 1, "op": "outcome", "outcome": "sold", "agent": "x", "note": "\x00\x01"},
        ):
            self.redis("XADD", task["report"], "*", *[word for pair in fields.items() for word in pair])
        self.redis("XADD", task["report"], "*", "task", b"\xff\xfe", "op", "claim")
        self.assertEqual(task, self.pop())
        self.report(task, "outcome", outcome="no_answer")
        wait_until(lambda: find(self.get(f"/v1/tasks/{task['id']}"), "outcome"), what="the sound report")

    def test_reports_wait_in_the_stream_while_the_server_is_down(self):
        self.one_task()
        task = self.pop()
        self.server.kill()
        self.report(task, "claim")
        self.report(task, "outcome", outcome="conversation")
        self.start_server()
        wait_until(lambda: "conversation" in json.dumps(self.get(f"/v1/tasks/{task['id']}")), what="the outcome")
        self.assert_stays(lambda: not self.tasks(), 1.5, "it is done")

    def test_claim_script_pops_and_reports_in_one_call(self):
        task = self.one_task()
        script = (ROOT / "proto" / "claim.lua").read_text()
        member = self.redis("EVAL", script, 2, self.key("tasks"), self.key("reports:n1"), "a7")
        self.assertEqual(task, json.loads(member))
        self.wait_applied(1)
        self.assertIn("a7", json.dumps(self.get(f"/v1/tasks/{task['id']}")))
        self.assertIsNone(self.redis("EVAL", script, 2, self.key("tasks"), self.key("reports:n1"), "a7"))

    def test_unsubscribed_on_the_phone_is_do_not_contact(self):
        self.accept_optin(self.person_number(1))
        task = self.pop()
        self.report(task, "outcome", outcome="unsubscribed")
        wait_until(lambda: self.metric("hotlead_tasks_ended_total") == 1, what="the outcome")
        again = self.accept_optin({**self.person_number(1), "fields": {"again": 1}})
        self.assertEqual((None, "do_not_contact"), (again["task"], again["reason"]))

    def test_do_not_contact_is_kept_until_there_is_consent_given_later(self):
        self.one_task()
        task = self.pop()
        self.report(task, "outcome", outcome="do_not_contact")
        self.wait_applied(1)
        again = self.accept_optin({**self.person_number(1), "company": "Acme"})
        self.assertEqual((None, "do_not_contact"), (again["task"], again["reason"]))
        consent = {"text": "You may call me about my request.", "version": "3", "given": True}
        with_consent = self.accept_optin({**self.person_number(1), "consent": consent})
        self.assertEqual(consent["text"], find(self.wait_task(with_consent["task"])["consent"], "text"))
        self.assertIn("review", json.dumps(self.get(f"/v1/people/{task['person']}")))

    def test_customer_opts_in_on_another_path(self):
        self.one_task()
        task = self.pop()
        self.report(task, "outcome", outcome="sold", value="1200")
        self.wait_applied(1)
        again = self.accept_optin({**self.person_number(1), "company": "Acme"})
        self.assertEqual((None, "customer"), (again["task"], again["reason"]))


class Http(Scenario):
    def claim(self, agent="a42", wait_s=2, web=None):
        body = {"queue": self.queue, "agent": agent, "wait_s": wait_s}
        return (web or self.web).post("/v1/tasks/claim", body, bearer=self.admin)

    def tell(self, task, op, **body):
        body = {"delivery": task["delivery"], "agent": "a42", **body}
        return self.web.post(f"/v1/tasks/{task['id']}/{op}", body, bearer=self.admin)

    def test_claim_answers_a_task_at_once_or_waits_for_one(self):
        first = self.accept_optin(self.person_number(1))
        self.wait_task(first["task"])
        answer = self.claim()
        self.assertEqual((200, first["task"]), (answer.status, answer.json["id"]))
        start = time.monotonic()
        self.assertEqual(204, self.claim(wait_s=1).status)
        self.assertGreaterEqual(time.monotonic() - start, 0.9)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(lambda: self.claim(wait_s=10, web=Web(self.server.port)))
            time.sleep(0.3)
            start = time.monotonic()
            second = self.accept_optin(self.person_number(2))
            answer = waiting.result()
        self.assertEqual((200, second["task"]), (answer.status, answer.json["id"]))
        self.assertLess(time.monotonic() - start, 1)

    def test_hundred_claimers_share_twenty_tasks_without_a_double(self):
        tasks = [self.accept_optin(self.person_number(i))["task"] for i in range(20)]
        self.wait_tasks(tasks)

        def ask(number):
            web = Web(self.server.port)
            answer = self.claim(agent=f"a{number}", wait_s=1, web=web)
            web.close()
            return answer

        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(ask, range(100)))
        self.assertEqual(sorted(tasks), sorted(answer.json["id"] for answer in answers if answer.status == 200))
        self.assertEqual(80, sum(answer.status == 204 for answer in answers))

    def test_asker_who_hangs_up_takes_no_task_with_him(self):
        impatient = Web(self.server.port, timeout=0.5)
        with self.assertRaises(OSError):
            self.claim(wait_s=20, web=impatient)
        time.sleep(0.5)
        first = self.accept_optin(self.person_number(1))
        self.wait_task(first["task"])
        self.assert_stays(lambda: first["task"] in self.tasks(), 1, "nobody is there to take it")

    def test_outcome_is_durable_when_answered_and_the_first_one_wins(self):
        self.accept_optin(self.person_number(1))
        task = self.claim().json
        self.assertEqual(200, self.tell(task, "outcome", outcome="conversation", note="will buy").status)
        self.server.kill()
        self.start_server()
        self.assertIn("conversation", json.dumps(self.get(f"/v1/tasks/{task['id']}")))
        answer = self.tell(task, "outcome", outcome="no_answer", agent="somebody-else")
        self.assertEqual((409, "conflict"), (answer.status, answer.json["code"]))

    def test_extend_and_release_are_for_who_holds_the_task(self):
        self.accept_optin(self.person_number(1))
        task = self.claim().json
        self.assertEqual(200, self.tell(task, "extend").status)
        self.assertEqual(200, self.tell(task, "release").status)
        self.wait_task(task["id"], delivery=2)
        for op in ("extend", "release"):
            self.assertEqual(409, self.tell(task, op).status, "a stale delivery")

    def test_amend_changes_the_outcome_of_the_same_agent(self):
        self.accept_optin(self.person_number(1))
        task = self.claim().json
        self.tell(task, "outcome", outcome="no_answer")
        self.assertEqual(200, self.tell(task, "amend", outcome="voicemail").status)
        self.assertIn("voicemail", json.dumps(self.get(f"/v1/people/{task['person']}/history")))

    def test_nobody_is_given_up_before_the_seventh_attempt(self):
        for attempt in range(1, 8):
            self.accept_optin({**self.person_number(1), "fields": {"attempt": attempt}})
            task = self.claim().json
            self.assertEqual(attempt, task["attempt"])
            answer = self.tell(task, "outcome", outcome="dead")
            if attempt < 7:
                self.assertEqual((422, "too_few_attempts"), (answer.status, answer.json["code"]))
                answer = self.tell(task, "outcome", outcome="no_answer")
            self.assertEqual(200, answer.status, answer)

    def test_reports_with_missing_or_unknown_words_are_named(self):
        self.accept_optin(self.person_number(1))
        task = self.claim().json
        for body in ({"outcome": "invented"}, {}, {"outcome": "sold", "delivery": 0}, {"outcome": "sold", "started_ms": "x"}):
            answer = self.tell(task, "outcome", **body)
            self.assertEqual((422, "invalid"), (answer.status, answer.json["code"]), body)
        answer = self.web.post("/v1/tasks/tsk_" + "0" * 26 + "/outcome", {"delivery": 1, "outcome": "sold", "agent": "x"},
                               bearer=self.admin)  # fmt: skip
        self.assertEqual(404, answer.status)


class Samples(Scenario):
    """The consumers of deploy/consumers, as they are shipped."""

    def run_sample(self, *command):
        task = self.wait_task(self.accept_optin(self.person_number(1))["task"])
        environment = {
            **os.environ, "REDIS_URL": self.redis.url, "QUEUE": self.queue, "AGENT": "sample",
            "OUTCOME": "voicemail", "ONCE": "1",
        }  # fmt: skip
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn(task["id"], done.stdout)
        wait_until(lambda: "voicemail" in json.dumps(self.get(f"/v1/tasks/{task['id']}")), what="the outcome")
        self.assertIn("sample", json.dumps(self.get(f"/v1/people/{task['person']}/history")))

    def test_shell_consumer_works_a_task(self):
        self.run_sample(str(ROOT / "deploy/consumers/consume.sh"))

    def test_python_consumer_works_a_task(self):
        self.run_sample("/usr/bin/python3", str(ROOT / "deploy/consumers/consume.py"))

    @unittest.skipUnless(shutil.which("node"), "no node")
    def test_node_consumer_works_a_task(self):
        self.run_sample("node", str(ROOT / "deploy/consumers/consume.js"))
