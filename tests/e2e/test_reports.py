"""Consumers in every language, and what their reports do: over the stream, by the claim script, over HTTP."""
import concurrent.futures
import json
import os
import shutil
import subprocess
import time
import unittest

from harness import Scenario, find
from resp import Redis, RedisError
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

    def test_a_dialers_call_back_is_an_appointment(self):
        day_ms, plans = 86_400_000, []
        agreed_ms = time.time_ns() // 1_000_000 + 3 * day_ms
        for number, more in enumerate(({"call_at_ms": agreed_ms}, {}), 1):
            optin = self.accept_optin(self.person_number(number))
            said = {"delivery": 1, "agent": "a42", "outcome": "CALLBK", **more}
            answer = self.web.post(f"/v1/tasks/{optin['task']}/outcome", said, bearer=self.admin)
            self.assertEqual(200, answer.status, answer)
            self.assertEqual("appointment", self.get(f"/v1/tasks/{optin['task']}")["outcome"])
            plans.append(self.get(f"/v1/people/{optin['person']}")["next_call"])
        self.assertEqual({"why": "agreed", "due_ms": agreed_ms}, plans[0])
        self.assertEqual("wake", plans[1]["why"], "no time was said")
        self.assertLess(plans[1]["due_ms"], time.time_ns() // 1_000_000 + day_ms)

    def test_a_dialers_word_means_what_the_playbook_says(self):
        task = self.one_task()
        path = f"/v1/tasks/{task['id']}/outcome"
        refused = self.web.post(path, {"delivery": 1, "agent": "a42", "outcome": "NO WORD"}, bearer=self.admin)
        self.assertEqual(422, refused.status, refused)
        self.pop()
        self.report(task, "outcome", outcome="NA")
        self.wait_applied(1)
        self.assertEqual("no_answer", self.get(f"/v1/tasks/{task['id']}")["outcome"])
        (heard,) = [event for event in self.get(f"/v1/people/{task['person']}/history")["history"] if event["kind"] == "outcome"]
        self.assertEqual(("no_answer", "NA"), (heard["outcome"], heard["word"]))
        other = self.accept_optin(self.person_number(2))
        said = {"delivery": 1, "agent": "a42", "outcome": "DNC"}
        answer = self.web.post(f"/v1/tasks/{other['task']}/outcome", said, bearer=self.admin)
        self.assertEqual(200, answer.status, answer)
        self.assertEqual("do_not_contact", self.get(f"/v1/people/{other['person']}")["closed"])

    def test_a_dialers_word_that_nobody_knows_is_no_answer_with_a_flag(self):
        called = [self.accept_optin(self.person_number(number)) for number in (1, 2)]
        said = {"delivery": 1, "agent": "a42", "outcome": "LUNCH"}
        answer = self.web.post(f"/v1/tasks/{called[0]['task']}/outcome", said, bearer=self.admin)
        self.assertEqual((200, "no_answer", True), (answer.status, answer.json["outcome"], answer.json["unknown_word"]), answer)
        self.report(self.wait_task(called[1]["task"]), "outcome", outcome="LUNCH")
        self.wait_applied(2)
        for optin in called:
            self.assertEqual("no_answer", self.get(f"/v1/tasks/{optin['task']}")["outcome"])
            (heard,) = [e for e in self.get(f"/v1/people/{optin['person']}/history")["history"] if e["kind"] == "outcome"]
            self.assertEqual(("no_answer", "LUNCH", True), (heard["outcome"], heard["word"], heard["unknown_word"]))
            self.assertEqual("retry", self.get(f"/v1/people/{optin['person']}")["next_call"]["why"])
        self.assertEqual(2, self.metric("hotlead_report_words_unknown_total"))

    def test_reports_that_mean_nothing_stop_nothing(self):
        task = self.one_task()
        for fields in (
            {"nonsense": "x"},
            {"task": "tsk_" + "0" * 26, "delivery": 1, "op": "outcome", "outcome": "sold", "agent": "x"},
            {"task": task["id"], "delivery": 1, "op": "dance", "agent": "x"},
            {"task": task["id"], "delivery": "many", "op": "outcome", "outcome": "sold", "agent": "x"},
            {"task": task["id"], "delivery": 1, "op": "claim", "agent": "x" * 5000},
            {"task": task["id"], "delivery": 1, "op": "outcome", "agent": "x"},
        ):
            self.redis("XADD", task["report"], "*", *[word for pair in fields.items() for word in pair])
        self.redis("XADD", task["report"], "*", "task", b"\xff\xfe", "op", "claim")
        self.assertEqual(task, self.pop())
        self.report(task, "outcome", outcome="no_answer")
        wait_until(lambda: find(self.get(f"/v1/tasks/{task['id']}"), "outcome") == "no_answer", what="the sound report")

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

    def test_queue_that_is_removed_and_made_again_is_heard(self):
        """Its keys in Redis are the same, whatever its shape."""
        for number, shape in enumerate(("zset", "list", "zset"), 1):
            self.create("queues", id="acme.two", agency="acme", shape=shape)
            self.lead_to("acme.two")
            optin = self.accept_optin(self.person_number(number))
            self.wait_task(optin["task"], "acme.two")
            self.assertEqual(shape, self.redis("TYPE", self.key("tasks", "acme.two")))
            self.report(self.pop("acme.two"), "outcome", outcome="do_not_contact")
            wait_until(lambda: self.get(f"/v1/people/{optin['person']}")["closed"] == "do_not_contact", what=f"the word on a {shape}")
            self.lead_to(self.queue)
            self.web.request("DELETE", "/v1/queues/acme.two", bearer=self.admin)
            self.get("/v1/queues/acme.two", self.admin, 404)
            if number == 2:
                self.server.kill()
                self.start_server()

    def lead_to(self, queue):
        answer = self.web.request("PATCH", "/v1/sites/acme-www", {"queue": queue}, bearer=self.admin)
        self.assertEqual(200, answer.status, answer)

    def test_unsubscribed_on_the_phone_is_do_not_contact(self):
        self.accept_optin(self.person_number(1))
        task = self.pop()
        self.report(task, "outcome", outcome="unsubscribed")
        wait_until(lambda: self.metric("hotlead_tasks_ended_total") == 2, what="call and e-mail to end")
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


    def test_sale_over_a_stream_counts_without_a_value_that_is_no_amount(self):
        task = self.one_task()
        self.pop()
        fields = {"task": task["id"], "delivery": 1, "op": "outcome", "outcome": "sold", "value": "1,200", "note": "by hand"}
        self.redis("XADD", task["report"], "*", *[word for pair in fields.items() for word in pair])
        self.wait_applied(1)
        self.assertEqual(1, self.metric("hotlead_report_fields_left_out_total"))
        self.assertEqual({"cents": 0, "attempt": 1}, self.get(f"/v1/people/{task['person']}")["sold"])
        (heard,) = [e for e in self.get(f"/v1/people/{task['person']}/history")["history"] if e["kind"] == "outcome"]
        self.assertEqual((None, "by hand", None), (heard["value"], heard["note"], heard["agent"]))


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
        self.assertEqual("the task has its outcome already", answer.json["detail"])
        self.assertRegex(self.tell(task, "extend").json["detail"], "not held any more")

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
        self.assertRegex(self.tell(task, "amend", outcome="voicemail").json["detail"], "no outcome yet")
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
                self.assertNotIn("7", answer.json["detail"])  # a playbook may ask for more
                answer = self.tell(task, "outcome", outcome="no_answer")
            self.assertEqual(200, answer.status, answer)

    def test_reports_with_missing_or_unknown_words_are_named(self):
        self.accept_optin(self.person_number(1))
        task = self.claim().json
        for body in ({"outcome": "in vented"}, {}, {"outcome": "sold", "delivery": 0}, {"outcome": "sold", "started_ms": "x"},
                     {"outcome": "sold", "agent": ""}, {"outcome": "sold", "value": "1,200"}, {"outcome": "SALE", "value": -5}):  # fmt: skip
            answer = self.tell(task, "outcome", **body)
            self.assertEqual((422, "invalid"), (answer.status, answer.json["code"]), body)
        answer = self.web.post("/v1/tasks/tsk_" + "0" * 26 + "/outcome", {"delivery": 1, "outcome": "sold", "agent": "x"},
                               bearer=self.admin)  # fmt: skip
        self.assertEqual(404, answer.status)


SAMPLES = {
    "shell": [str(ROOT / "deploy/consumers/consume.sh")],
    "python": ["/usr/bin/python3", str(ROOT / "deploy/consumers/consume.py")],
    "node": ["node", str(ROOT / "deploy/consumers/consume.js")],
}
if not shutil.which("node"):
    del SAMPLES["node"]


class Samples(Scenario):
    """The consumers of deploy/consumers, as they are shipped."""

    def environment(self, **more):
        return {
            **os.environ, "REDIS_URL": self.redis.url, "QUEUE": self.queue, "AGENT": "sample",
            "OUTCOME": "voicemail", "ONCE": "1", **more,
        }  # fmt: skip

    def run_sample(self, name, number=1, **more):
        task = self.wait_task(self.accept_optin(self.person_number(number))["task"])
        done = subprocess.run(SAMPLES[name], env=self.environment(**more), capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn(task["id"], done.stdout)
        self.wait_voicemail(task["id"])
        self.assertIn("sample", json.dumps(self.get(f"/v1/people/{task['person']}/history")))

    def wait_voicemail(self, task):
        wait_until(lambda: "voicemail" in json.dumps(self.get(f"/v1/tasks/{task}")), what="the outcome")

    def test_shell_consumer_works_a_task(self):
        self.run_sample("shell")

    def test_python_consumer_works_a_task(self):
        self.run_sample("python")

    @unittest.skipUnless("node" in SAMPLES, "no node")
    def test_node_consumer_works_a_task(self):
        self.run_sample("node")

    def test_consumers_know_a_list_when_it_is_there_or_comes(self):
        self.create("queues", id="acme.row", agency="acme", shape="list")
        site = self.create("sites", id="acme-row", agency="acme", queue="acme.row", origins=["https://www.example.com"])
        self.queue, self.sk = "acme.row", site["sk"]
        for number, name in enumerate(SAMPLES):
            self.run_sample(name, number)
            for more in ({}, {"SHAPE": "list"}):
                waiting = subprocess.Popen(SAMPLES[name], env=self.environment(**more), stdout=subprocess.DEVNULL)
                time.sleep(0.5)
                task = self.accept_optin(self.person_number(10 + 2 * number + len(more)))["task"]
                self.assertEqual(0, waiting.wait(20), name)
                self.wait_voicemail(task)

    def test_consumers_say_that_a_key_is_no_queue(self):
        self.redis("SET", self.key("tasks"), "nonsense")
        for command in SAMPLES.values():
            done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=20, check=False)
            self.assertNotEqual(0, done.returncode)
            self.assertNotEqual("", done.stderr)


class Permissions(Samples):
    """The same consumers as the Redis user that `hotlead queue acl` makes, and what that user cannot do."""

    def setUp(self):
        super().setUp()
        self.let_in(self.queue)

    def acl(self, queue):
        return self.server.run("queue", "acl", queue, "--server", self.server.url, "--data", self.server.data, check=False)

    def let_in(self, queue):
        line = self.acl(queue).stdout.decode().split()
        self.redis(*line)
        self.user, self.password = line[2], line[5].removeprefix(">")

    def create(self, kind, **settings):
        created = super().create(kind, **settings)
        if settings.get("shape") == "list":
            self.let_in(settings["id"])
        return created

    def environment(self, **more):
        return super().environment(REDIS_URL=f"redis://{self.user}:{self.password}@127.0.0.1:{self.redis.port}/0", **more)

    def as_consumer(self):
        link = Redis(self.redis.path)
        self.addCleanup(link.close)
        link("AUTH", self.user, self.password)
        return link

    def assert_forbidden(self, link, *words):
        with self.assertRaisesRegex(RedisError, "NOPERM|user executing the script|ACL failure in script", msg=words):
            link(*words)

    def test_consumer_claims_by_script_and_can_make_no_key_another_type(self):
        link, script = self.as_consumer(), (ROOT / "proto" / "claim.lua").read_text()
        task = self.wait_task(self.accept_optin(self.person_number(1))["task"])
        member = link("EVAL", script, 2, self.key("tasks"), self.key("reports:n1"), "a7")
        self.assertEqual(task, json.loads(member))
        (mark,) = self.redis("KEYS", self.key("mark:*"))
        for key in (self.key("tasks"), mark, self.key("other"), self.key("tasks", "beta.calls")):
            self.assert_forbidden(link, "XADD", key, "*", "a", "b")
            self.assert_forbidden(link, "DEL", key)
            self.assert_forbidden(link, "SET", key, "x")
            self.assert_forbidden(link, "RPUSH", key, "x")
            self.assert_forbidden(link, "LMOVE", self.key("work:a"), key, "LEFT", "LEFT")
            self.assert_forbidden(link, "EVAL", f"return redis.call('XADD', '{key}', '*', 'a', 'b')", 1, self.key("tasks"))
        self.assert_forbidden(link, "BZPOPMIN", self.key("tasks", "beta.calls"), 1)
        self.assert_forbidden(link, "XADD", self.key("reports:n1", "beta.calls"), "*", "a", "b")
        self.assert_forbidden(link, "XREAD", "STREAMS", self.key("reports:n1"), 0)

    def test_acl_of_an_unknown_queue_is_an_error(self):
        done = self.acl("acme.cals")
        self.assertEqual((1, b""), (done.returncode, done.stdout))
        self.assertNotEqual(b"", done.stderr)


class Prefixed(Samples):
    """The same where the keys begin with another word."""

    def setUp(self):
        super().setUp()
        self.server.stop()
        self.server.arguments += ["--redis-prefix", "desk"]
        self.start_server()

    def key(self, name, queue=None):
        return f"desk:{{{queue or self.queue}}}:{name}"

    def environment(self, **more):
        return super().environment(PREFIX="desk", **more)
