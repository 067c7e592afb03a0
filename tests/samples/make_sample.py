#!/usr/bin/python3
"""make_sample.py NAME: makes tests/samples/NAME, a journal in which each kind of thing has happened,
and the dump that it gives; where that journal is there, only its dump, for a new layout of state. HOTLEAD names
the binary."""
import shutil
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

from harness import Scenario  # noqa: E402
from servers import ROOT, Hotlead, wait_until  # noqa: E402

MINUTE = 60


class Sample(Scenario):
    clock = True

    def runTest(self):
        queue = self.queue
        self.create("queues", id="acme.list", agency="acme", shape="list")
        listed = self.create("sites", id="acme-list", agency="acme", queue="acme.list", country="GB")
        self.create("agents", id="a42", agency="acme", name="Ann")
        self.create("tokens", id="desk", agency="acme", role="agent")

        tasks = [self.accept_optin({**self.person_number(n), "fields": {"n": n}})["task"] for n in range(12)]
        self.accept_optin({"name": "Nobody Known"})
        self.accept_optin({"email": "test@example.com", "test": True})
        self.accept_optin({"phone": "020 7946 0018", "consent": {"text": "Ring me.", "given": True}}, key=listed["sk"])
        self.accept_optin({"phone": "+12155550200", "event_id": "e-1"})
        self.web.post(f"/v1/optins?key={self.pk}", {"phone": "+12155550201", "event_id": "e-2", "company": "One"})
        self.web.post(f"/v1/optins?key={self.pk}", {"phone": "+12155550201", "event_id": "e-2", "company": "Two"})
        claimed = [
            self.web.post("/v1/tasks/claim", {"queue": queue, "agent": "a42", "wait_s": 5}, bearer=self.admin).json["id"]
            for _ in range(4)
        ]
        self.tell(claimed[0], "outcome", outcome="conversation", note="wants a red door", value="1200")
        self.tell(claimed[0], "outcome", outcome="no_answer")
        self.tell(claimed[0], "amend", outcome="appointment")
        self.tell(claimed[1], "extend")
        self.tell(claimed[2], "release")
        self.tell(claimed[3], "outcome", outcome="do_not_contact")
        self.tell(tasks[9], "outcome", outcome="sold", value="99")
        self.redis("ZPOPMIN", f"hl:{{{queue}}}:tasks", 3)
        wait_until(lambda: b'"popped"' in self.states(tasks), what="pops")
        self.clock.advance(3 * MINUTE)
        self.clock.advance(10 * MINUTE)
        wait_until(lambda: self.metric("hotlead_sla_breaches_total") > 0, what="deadlines that pass")
        self.clock.advance(40 * MINUTE)
        wait_until(lambda: self.metric("hotlead_tasks_redelivered_total") > 0, what="leases that end")
        self.web.request("DELETE", "/v1/agents/a42", bearer=self.admin)
        self.accept_optin(self.person_number(3))

    def tell(self, task, op, **more):
        self.web.post(f"/v1/tasks/{task}/{op}", {"delivery": 1, "agent": "a42", **more}, bearer=self.admin)

    def states(self, tasks):
        return b"".join(self.web.get(f"/v1/tasks/{task}", bearer=self.admin).body for task in tasks)

    def keep(self, name):
        folder = ROOT / "tests" / "samples" / name
        folder.mkdir(parents=True)
        self.server.run("backup", "--data", self.server.data, self.folder / "copy")
        copy = next((self.folder / "copy").rglob("data.mdb"))
        shutil.copy(copy, folder / "data.mdb")
        (folder / "dump.txt").write_bytes(self.server.run("dump", "--data", self.server.data).stdout)


def dump_again(folder):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as temporary:
        server = Hotlead(pathlib.Path(temporary), "redis://127.0.0.1:1/0")
        (server.data / "journal").mkdir(parents=True)
        shutil.copy(folder / "data.mdb", server.data / "journal" / "data.mdb")
        server.run("rebuild", "--data", server.data)
        (folder / "dump.txt").write_bytes(server.run("dump", "--data", server.data).stdout)


def main():
    folder = ROOT / "tests" / "samples" / sys.argv[1]
    if folder.exists():
        dump_again(folder)
        return
    sample = Sample()
    sample.setUp()
    sample.runTest()
    sample.server.stop()
    sample.keep(sys.argv[1])
    sample.doCleanups()


if __name__ == "__main__":
    main()
