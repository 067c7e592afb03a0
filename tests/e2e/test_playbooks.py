"""Playbooks in a running server: versions over HTTP and on the command line, through restarts, copies and rebuilds."""
import itertools
import json
import shutil
import threading
import time

from harness import Scenario
from resp import Redis
from servers import wait_until
from web import Web

BYTES_MAX = 65536
ROBOTS = ("email", "sms", "voicemail", "fax", "postcard", "letter", "visit", "research")


def own(title, more=""):
    return f"based_on: default\nname: own\ntitle: {title}\n{more}"


class Playbooks(Scenario):
    def command(self, *words, check=True):
        return self.server.run(*words, check=check, env={"HOTLEAD_URL": self.server.url, "HOTLEAD_TOKEN": self.admin})

    def file(self, yaml, name="own.yaml"):
        path = self.folder / name
        path.write_text(yaml)
        return path

    def set(self, title, check=True, id="acme.main", more=""):
        return self.command("playbook", "set", self.file(own(title, more)), "--id", id, "--json", check=check)

    def shown(self, version=None, id="acme.main", status=200):
        return self.get(f"/v1/playbooks/{id}" + (f"?version={version}" if version else ""), self.admin, status)

    def assert_all_there(self, titles):
        for version, title in enumerate(titles, 1):
            self.assertEqual(title, self.shown(version)["title"])

    def test_set_show_choose_and_remove_on_the_command_line(self):
        made = json.loads(self.set("One").stdout)
        self.assertEqual(("acme.main", "acme", 1, 2, "One"), tuple(made[k] for k in ("id", "agency", "version", "number", "title")))
        self.assertEqual(2, json.loads(self.set("Two").stdout)["version"])
        self.assertEqual(2, json.loads(self.set("Two").stdout)["version"], "the same again")
        self.assertIn("acme.main", self.command("playbook", "list").stdout.decode())
        self.assertTrue(self.command("playbook", "show", "acme.main").stdout.startswith(b"Two\n"))
        self.assertTrue(self.command("playbook", "show", "acme.main", "--version", "1", "--text").stdout.startswith(b"One\n"))
        self.assertTrue(self.command("playbook", "show", "acme.main", "--mermaid").stdout.startswith(b"stateDiagram-v2\n"))
        self.assertTrue(self.command("playbook", "show", "acme.main", "--dot").stdout.startswith(b"digraph"))
        yaml = self.command("playbook", "show", "acme.main", "--yaml").stdout.decode()
        self.assertEqual(2, json.loads(self.command("playbook", "set", self.file(yaml), "--id", "acme.main", "--json").stdout)["version"],
                         "the canonical form means the same")  # fmt: skip
        self.command("site", "set", "acme-www", "--playbook", "acme.main")
        refused = self.command("playbook", "rm", "acme.main", check=False)
        self.assertEqual((1, True), (refused.returncode, b"goes by it" in refused.stderr))
        self.command("site", "set", "acme-www", "--playbook", "")
        self.command("playbook", "rm", "acme.main")
        self.assertNotIn("acme.main", self.command("playbook", "list").stdout.decode())
        self.assertEqual(1, self.command("playbook", "show", "acme.main", check=False).returncode)
        self.assertTrue(self.command("playbook", "show", "acme.main", "--version=2").stdout.startswith(b"Two\n"))
        self.assertEqual(2, self.command("playbook", "set", self.folder / "none.yaml", "--id", "acme.x", check=False).returncode)

    def test_wrong_file_is_refused_line_by_line(self):
        done = self.set("One", check=False, more="lese: 1\ncaps: {gap: x}\n")
        self.assertEqual(1, done.returncode)
        said = done.stderr.decode().splitlines()
        self.assertEqual(2, len(said), said)
        path = self.folder / "own.yaml"
        self.assertEqual(f"{path}:4:1: a playbook has no 'lese'; did you mean 'lease'?", said[0])
        self.assertTrue(said[1].startswith(f"{path}:5:13: "), said)
        answer = self.web.post("/v1/playbooks", {"id": "acme.main", "yaml": own("One", "lese: 1\n")}, bearer=self.admin)
        self.assertEqual(422, answer.status)
        self.assertEqual("application/problem+json", answer.headers["content-type"])
        self.assertEqual([(4, 1)], [(error["line"], error["column"]) for error in answer.json["errors"]])
        hasty = 'cadences:\n  x:\n    {title: X, for: customers, then: loyalty,\n     steps: [\n      {id: a, after: 1d, channel: sms,'
        hasty += " kind: offer, template: now, late_max: 0s}]}\n"
        answer = self.web.post("/v1/playbooks", {"id": "acme.main", "yaml": own("One", hasty)}, bearer=self.admin)
        told = [(error["line"], "at least 1m" in error["text"]) for error in answer.json["errors"]]
        self.assertEqual((422, [(8, True)]), (answer.status, told))
        self.shown(status=404)

    def test_versions_outlive_restart_kill_rebuild_backup_and_copy(self):
        titles = ["One", "Two", "Three"]
        for title in titles:
            self.set(title)
        self.command("agency", "set", "acme", "--playbook", "acme.main")
        for end in (self.server.stop, self.server.kill):
            end()
            self.start_server()
            self.assert_all_there(titles)
            self.assertEqual("acme.main", self.get("/v1/agencies/acme", self.admin)["playbook"])
        self.server.run("backup", "--data", self.server.data, self.folder / "backup")
        self.set("Four")
        self.server.stop()
        self.server.run("rebuild", "--data", self.server.data)
        self.start_server()
        self.assert_all_there([*titles, "Four"])
        self.server.stop()
        copied = self.folder / "copied"
        shutil.copytree(self.server.data, copied)
        self.server.run("restore", "--data", self.folder / "restored", self.folder / "backup")
        for self.server.data, known in ((self.folder / "restored", titles), (copied, [*titles, "Four"])):
            self.start_server()
            self.assert_all_there(known)
            self.assertEqual(len(known) + 1, json.loads(self.set("Next").stdout)["version"])
            self.assert_rebuild_after_stop()

    def assert_rebuild_after_stop(self):
        self.server.stop()
        self.assert_rebuild_gives_the_same()

    def test_requests_that_race_get_versions_in_order(self):
        answers, count = [], 12

        def post(number):
            body = {"id": "acme.main", "yaml": own(f"Title {number}")}
            answers.append(Web(self.server.port).post("/v1/playbooks", body, bearer=self.admin))

        threads = [threading.Thread(target=post, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([201] * count, [answer.status for answer in answers])
        self.assertEqual(list(range(1, count + 1)), sorted(answer.json["version"] for answer in answers))
        for answer in answers:
            self.assertEqual(answer.json["title"], self.shown(answer.json["version"])["title"])

    def test_another_agency_has_nothing_to_do_with_it(self):
        self.set("One")
        self.set_up_agency("rival")
        rival = self.create("tokens", id="boss", role="manager", agency="rival")["token"]
        agent = self.create("tokens", id="floor", role="agent", agency="acme")["token"]
        for method, path, body, status in [
            ("GET", "/v1/playbooks/acme.main", None, 404),
            ("GET", "/v1/playbooks/acme.main?version=1", None, 404),
            ("PATCH", "/v1/playbooks/acme.main", {"yaml": own("Two")}, 404),
            ("DELETE", "/v1/playbooks/acme.main", None, 404),
            ("POST", "/v1/playbooks", {"id": "acme.main", "yaml": own("Two")}, 403),
            ("PATCH", "/v1/sites/rival-www", {"playbook": "acme.main"}, 422),
        ]:
            self.assertEqual(status, self.web.request(method, path, body, bearer=rival).status, (method, path))
            if "sites" not in path:
                self.assertEqual(403, self.web.request(method, path, body, bearer=agent).status, (method, path))
                self.assertIn(self.web.request(method, path, body, bearer=self.sk).status, (401, 403), (method, path))
        self.assertEqual(["default"], [playbook["id"] for playbook in self.get("/v1/playbooks", rival)["playbooks"]])
        self.assertEqual("One", self.shown()["title"])

    def test_the_shipped_default_is_kept_as_a_version_for_all_to_see(self):
        listed = self.get("/v1/playbooks", self.admin)["playbooks"]
        self.assertEqual([("default", None, 1)], [(one["id"], one["agency"], one["version"]) for one in listed])
        self.assertIn("default", self.command("playbook", "list").stdout.decode())
        shipped = self.command("playbook", "show", "default", "--yaml").stdout
        self.assertEqual(shipped, self.command("playbook", "show", "default", "--version", "1", "--yaml").stdout)
        person = self.accept_optin(self.person_number(1))["person"]
        self.assertEqual({"id": "default", "version": 1}, self.get(f"/v1/people/{person}", self.admin)["playbook"])
        for method in ("DELETE", "PATCH"):
            answer = self.web.request(method, "/v1/playbooks/default", {"yaml": own("Two")}, bearer=self.admin)
            self.assertIn(answer.status, (409, 422), method)
        self.server.kill()
        self.start_server()
        self.assertEqual([1], [one["version"] for one in self.get("/v1/playbooks", self.admin)["playbooks"]])

    def sized(self, length):
        """One whose canonical form has so many bytes."""
        probe = self.web.post("/v1/playbooks", {"id": "acme.probe", "yaml": own("x")}, bearer=self.admin).json
        missing = length - len(self.shown(probe["version"], "acme.probe")["yaml"].encode())
        around, words = len('  w1000:\n    means: ""\n'), []
        for number in itertools.count(1000):
            if missing == 0:
                return own("x", "words:\n" + "".join(words))
            part = missing if missing < 900 else 800 if missing > 1700 else missing // 2
            words.append(f"  w{number}: {{means: {'y' * (part - around)}}}\n")
            missing -= part

    def test_size_has_a_limit_to_the_byte(self):
        most = self.sized(BYTES_MAX)
        answer = self.web.post("/v1/playbooks", {"id": "acme.main", "yaml": most}, bearer=self.admin)
        self.assertEqual(201, answer.status, answer)
        self.assertEqual(BYTES_MAX, len(self.shown()["yaml"].encode()))
        answer = self.web.post("/v1/playbooks", {"id": "acme.main", "yaml": self.sized(BYTES_MAX + 1)}, bearer=self.admin)
        self.assertEqual((413, "too_large"), (answer.status, answer.json["code"]))
        self.assertIn("65536 bytes", answer.json["detail"])
        huge = self.web.post("/v1/playbooks", {"id": "acme.main", "yaml": "#" * 300_000}, bearer=self.admin)
        self.assertEqual(413, huge.status)
        self.server.kill()
        self.start_server()
        self.assertEqual(BYTES_MAX, len(self.shown()["yaml"].encode()))

    def test_queues_for_robots_come_and_go_with_their_agency(self):
        self.create("agencies", id="fresh")
        queues = {queue["id"] for queue in self.get("/v1/queues", self.admin)["queues"]}
        self.assertLessEqual({f"fresh.{channel}" for channel in ROBOTS}, queues)
        self.assertIn("hl:{fresh.email}", self.command("queue", "acl", "fresh.email").stdout.decode())
        self.assertEqual(204, self.web.request("DELETE", "/v1/agencies/fresh", bearer=self.admin).status)
        self.get("/v1/queues/fresh.email", self.admin, 404)

    def test_queue_without_tasks_costs_redis_nothing(self):
        monitor = Redis(self.redis.path, timeout=0.2)
        self.assertEqual("OK", monitor("MONITOR"))
        seen, end = b"", time.monotonic() + 7  # streams are looked after each 5 s, queues each second
        optin = self.accept_optin({"phone": "+12155550001"})  # no robot can do anything for it
        self.wait_task(optin["task"])
        while time.monotonic() < end:
            try:
                seen += monitor.socket.recv(65536)
            except TimeoutError:
                pass
        monitor.close()
        self.assertIn(b"{acme.calls}", seen, "one with a task is looked after")
        for channel in ROBOTS:
            self.assertNotIn(b"{acme.%s}" % channel.encode(), seen)
        self.report(self.pop(), "outcome", outcome="conversation")
        wait_until(lambda: "conversation" in json.dumps(self.get(f"/v1/tasks/{optin['task']}")), what="the report")
