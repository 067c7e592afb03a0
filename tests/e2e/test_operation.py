"""Administration, health, metrics, backup, fsck."""
import json
import os
import shutil
import time

from harness import Scenario
from servers import wait_until


class Administration(Scenario):
    def test_entities_are_made_read_changed_and_removed_over_http(self):
        self.assertEqual(200, self.web.get("/v1/agencies/acme", bearer=self.admin).status)
        self.assertIn("acme-www", self.web.get("/v1/sites", bearer=self.admin).text)
        site = self.get("/v1/sites/acme-www", bearer=self.admin)
        self.assertNotIn(self.sk, json.dumps(site), "a secret is told once")
        answer = self.web.request("PATCH", "/v1/sites/acme-www", {"country": "GB"}, bearer=self.admin)
        self.assertEqual(200, answer.status, answer)
        self.assertEqual("GB", self.get("/v1/sites/acme-www", bearer=self.admin)["country"])
        self.create("agents", id="a42", agency="acme", name="Alex")
        self.assertIn(self.web.request("DELETE", "/v1/agents/a42", bearer=self.admin).status, (200, 204))
        self.get("/v1/agents/a42", bearer=self.admin, status=404)

    def test_settings_that_cannot_be_are_refused_and_named(self):
        for status, path, settings in [
            (409, "agencies", {"id": "acme"}),
            (422, "agencies", {"id": "Not An Id"}),
            (422, "agencies", {"id": "fine", "colour": "red"}),
            (422, "sites", {"id": "x", "agency": "nobody", "queue": self.queue}),
            (422, "sites", {"id": "x", "agency": "acme", "queue": self.queue, "origins": ["https://a.example/path"]}),
            (422, "queues", {"id": "other.calls", "agency": "acme"}),
            (422, "queues", {"id": "acme.more", "agency": "acme", "shape": "heap"}),
        ]:
            answer = self.web.post(f"/v1/{path}", settings, bearer=self.admin)
            self.assertEqual(status, answer.status, (settings, answer))
        self.assertEqual(409, self.web.request("DELETE", f"/v1/queues/{self.queue}", bearer=self.admin).status)

    def test_settings_survive_a_restart_and_a_kill(self):
        for end in (self.server.stop, self.server.kill):
            end()
            self.start_server()
            self.accept_optin({"email": f"{time.monotonic_ns()}@example.com"})
            self.assertIn("acme-www", self.web.get("/v1/sites", bearer=self.admin).text)

    def test_command_line_administers_over_http(self):
        environment = {"HOTLEAD_URL": self.server.url, "HOTLEAD_TOKEN": self.admin}

        def run(*words):
            return self.server.run(*words, env=environment).stdout.decode()

        self.assertIn("acme", run("agency", "list"))
        run("agency", "add", "id=beta", "name=Beta")
        run("queue", "add", "id=beta.calls", "agency=beta")
        added = run("site", "add", "beta-www", "--agency", "beta", "--queue", "beta.calls", "--origins", "https://b.example")
        self.assertIn("sk_beta_", added)
        self.assertIn("beta.calls", run("queue", "list"))
        self.assertIn("beta-www", run("site", "show", "beta-www"))
        run("site", "set", "beta-www", "country=GB")
        self.assertIn("GB", run("site", "show", "beta-www"))
        run("site", "rm", "beta-www")
        self.assertNotIn("beta-www", run("site", "list"))
        self.assertNotEqual(0, self.server.run("site", "show", "beta-www", check=False, env=environment).returncode)
        here = self.server.run("queue", "acl", self.queue, "--server", self.server.url, "--data", self.server.data)
        self.assertIn(f"hl:{{{self.queue}}}", here.stdout.decode())

    def test_administration_needs_a_token(self):
        for path in ("/v1/sites", "/v1/agencies", "/v1/people/search"):
            self.assertIn(self.web.get(path).status, (401, 405), path)
        self.assertEqual(401, self.web.post("/v1/agencies", {"id": "x"}, bearer="tok_wrong").status)
        self.assertIn(self.web.post("/v1/agencies", {"id": "x"}, bearer=self.sk).status, (401, 403))
        self.assertEqual(0o600, os.stat(self.server.data / "admin.token").st_mode & 0o777)


class Start(Scenario):
    def serve(self, *arguments, env=None):
        return self.server.run("serve", "--redis", self.server.redis_url, *arguments, check=False, env=env)

    def test_start_that_fails_because_the_port_is_in_use_leaves_nothing(self):
        for listen in ("127.0.0.1", "localhost"):
            folder = self.server.data.parent / "fresh"
            done = self.serve("--data", folder, "--listen", f"{listen}:{self.server.port}")
            self.assertEqual(1, done.returncode)
            self.assertIn(b"is in use: stop what listens there", done.stderr)
            self.assertFalse(folder.exists())
        self.assertEqual(200, self.web.get("/readyz").status)

    def test_variable_that_nobody_knows_is_refused(self):
        done = self.serve("--data", self.server.data.parent / "fresh", env={"HOTLEAD_REDSI": "redis://127.0.0.1:1"})
        self.assertEqual(2, done.returncode)
        self.assertIn(b"'HOTLEAD_REDSI'; did you mean 'HOTLEAD_REDIS'?", done.stderr)


class Health(Scenario):
    def test_health_says_what_is_wrong(self):
        self.assertEqual(200, self.web.get("/livez").status)
        wait_until(lambda: "degraded" not in self.web.get("/readyz").text, what="full readiness")
        self.redis.stop()
        wait_until(lambda: "degraded" in self.web.get("/readyz").text, what="degraded")
        self.assertEqual(200, self.web.get("/readyz").status, "still ready: nothing waits for Redis")
        self.redis.start()
        wait_until(lambda: "degraded" not in self.web.get("/readyz").text, what="full readiness")

    def test_metrics_have_their_published_names(self):
        self.accept_optin(self.person_number(1))
        self.wait_task_count(1)
        for name in (
            'hotlead_optins_total{result="new"}', "hotlead_tasks_opened_total", "hotlead_tasks_redelivered_total",
            "hotlead_sla_breaches_total", "hotlead_journal_commits_total", "hotlead_redis_pushes_total",
            "hotlead_redis_rewinds_total", "hotlead_http_requests_total", "hotlead_redis_up", "hotlead_journal_bytes",
            "hotlead_outbox_lag_operations", "hotlead_outbox_lag_seconds", "hotlead_lmdb_commit_seconds_bucket",
            "hotlead_commit_to_visible_seconds_bucket",
            "hotlead_speed_to_claim_seconds_bucket", "hotlead_http_request_duration_seconds_bucket",
        ):  # fmt: skip
            self.metric(name)
        self.assertEqual(1, self.metric('hotlead_optins_total{result="new"}'))
        wait_until(lambda: self.metric("hotlead_commit_to_visible_seconds_count") == 2, what="both tasks' times")
        depth = 'hotlead_queue_depth{queue="%s"} 1\n' % self.queue
        wait_until(lambda: depth in self.web.get("/metrics", bearer=self.admin).text, what="the queue's depth")
        self.assertEqual(0, self.metric('hotlead_sla_breaches_total{queue="%s"}' % self.queue))
        age = 'hotlead_queue_oldest_age_seconds{queue="%s"}' % self.queue
        wait_until(lambda: self.metric(age) > 0, what="the age of what stands there, which is read from state")
        text = self.web.get("/metrics", bearer=self.admin).text
        self.assertNotIn("example.com", text)

    def test_every_published_route_is_there(self):
        text = self.web.get("/openapi.yaml").text
        routes, path = [], None
        for line in text.splitlines():
            if line.startswith("  /") and line.rstrip().endswith(":"):
                path = line.strip()[:-1]
            elif path and line.startswith("    ") and line.strip() in ("get:", "post:", "patch:", "delete:"):
                routes.append((line.strip()[:-1].upper(), path))
            elif line and not line.startswith(" "):
                path = None
        self.assertGreater(len(routes), 20)
        for method, path in routes:
            for name, value in {"{pk}": self.pk, "{kind}": "sites"}.items():
                path = path.replace(name, value)
            answer = self.web.request(method, path, body=b"{}" if method in ("POST", "PATCH") else None,
                                      headers={"Content-Type": "application/json"}, bearer=self.admin)  # fmt: skip
            self.assertNotIn(answer.status, (405, 501), (method, path))
            if "{" not in path and path != "/demo":  # which is there with --demo alone
                self.assertNotEqual(404, answer.status, (method, path))


class Copies(Scenario):
    def test_backup_under_way_is_restored_with_a_new_epoch(self):
        first = self.accept_optin({**self.person_number(1), "event_id": "e-1"})
        self.wait_task(first["task"])
        self.server.run("backup", "--data", self.server.data, self.folder / "backup")
        later = self.accept_optin(self.person_number(2))
        self.wait_task(later["task"])
        self.server.kill()
        done = self.server.run("restore", "--data", self.folder / "restored", self.folder / "backup")
        self.assertIn(b"after the backup", done.stderr)
        lost, self.server.data = self.server.data, self.folder / "restored"
        self.start_server()
        self.get(f"/v1/optins/{first['id']}")
        self.get(f"/v1/optins/{later['id']}", status=404)
        again = self.post_optin({**self.person_number(1), "event_id": "e-1"})
        self.assertEqual((200, first), (again.status, again.json))
        new = self.accept_optin(self.person_number(3))
        self.wait_task(new["task"])
        self.wait_task(first["task"])
        self.assertEqual(2, len(self.redis("KEYS", self.key("mark:n1:*"))), "its own mark, beside the lost one's")
        self.assert_stays(lambda: later["task"] in self.tasks(), 2.5, "the only trace of an opt-in")
        self.report(self.tasks()[later["task"]][0], "outcome", outcome="do_not_contact")
        wait_until(lambda: self.metric('hotlead_reports_total{result="refused"}') == 1, what="the report")
        for optin in (first, new):
            self.assertNotIn("do_not_contact", json.dumps(self.get(f"/v1/tasks/{optin['task']}")), "of the same number")
        self.assertTrue(lost.exists())

    def test_copied_folder_gets_an_epoch_of_its_own(self):
        first = self.accept_optin(self.person_number(1))
        self.wait_task(first["task"])
        self.server.stop()
        copied = self.folder / "copied"
        shutil.copytree(self.server.data, copied)
        self.server.data = copied
        self.start_server()
        second = self.accept_optin(self.person_number(2))
        self.wait_task(second["task"])
        self.assertEqual(2, len(self.redis("KEYS", self.key("mark:n1:*"))))

    def test_dump_is_text_in_order_and_tells_of_each_person(self):
        for number in range(5):
            self.accept_optin(self.person_number(number))
        self.server.stop()
        dump = self.server.run("dump", "--data", self.server.data).stdout.decode().splitlines()
        self.assertEqual(5, sum(line.startswith("person ") for line in dump), dump[:5])


class Damage(Scenario):
    compare_rebuild = False

    def test_fsck_names_a_damaged_record(self):
        for number in range(200):
            self.accept_optin({"email": f"p{number}@example.com", "name": f"Mark Number {number} Here"})
        self.server.stop()
        self.server.run("fsck", "--data", self.server.data)
        (journal,) = (self.server.data / "journal").rglob("data.mdb")
        content = bytearray(journal.read_bytes())
        at, flipped = -1, 0
        while (at := content.find(b"Mark Number 77 Here", at + 1)) >= 0:
            content[at] ^= 0x20
            flipped += 1
        self.assertTrue(flipped)
        journal.write_bytes(content)
        done = self.server.run("fsck", "--data", self.server.data, check=False)
        self.assertEqual(1, done.returncode, done.stderr)
        said = (done.stdout + done.stderr).decode()
        self.assertRegex(said, r"\b\d+\b.*(corrupt|damaged|checksum)|(corrupt|damaged|checksum).*\b\d+\b")
