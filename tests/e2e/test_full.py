"""Disks and maps that are full: 503, nothing acknowledged is lost, and it goes on by itself when there is room."""
import subprocess
import unittest

from experiment import told
from harness import LONG, Scenario
from servers import Hotlead, wait_until

TIMES = 5 if LONG else 1  # that a disk fills and is emptied
MIB = 1 << 20
MAY_MOUNT = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


class Full(Scenario):
    """Each scenario makes the server that it wants; self.acked are its acknowledged opt-ins, and their tasks."""

    def setUp(self):
        super().setUp()
        self.server.stop()
        self.acked = {}
        self.reported = set()
        self.sent = 0

    def serve(self, data, *arguments, wrapper=()):
        self.server = Hotlead(self.folder, self.redis.url, data)
        self.server.wrapper = list(wrapper)
        self.server.arguments += arguments
        self.start_server()
        del self.sk
        self.set_up_agency("acme")

    def send(self, note_bytes=3000):
        """The answer's status; whatever is acknowledged is kept."""
        self.sent += 1
        answer = self.post_optin({"email": f"full{self.sent}@example.com", "note": "x" * note_bytes})
        if answer.status in (201, 202):
            self.acked[answer.json["id"]] = answer.json.get("task")
        else:
            self.assertEqual((503, "disk_full"), (answer.status, answer.json["code"]))
            self.assertIn("retry-after", answer.headers)
        return answer.status

    def fill(self, note_bytes=3000):
        for _ in range(40000):
            if self.send(note_bytes) == 503:
                return
        self.fail("it never got full")

    def wait_taken(self):
        wait_until(lambda: self.send(100) == 201, 20, "room again, without a restart")

    def assert_reads_go_on(self, state_lags=False):
        """While state cannot follow the journal it is not read, and that is said."""
        self.assertEqual(200, self.web.get("/livez").status)
        optin = list(self.acked)[len(self.acked) // 2]
        answer = self.web.get(f"/v1/optins/{optin}", bearer=self.sk)
        self.assertIn(answer.status, (200, 503) if state_lags else (200,), answer)

    def report_over_http(self):
        """The outcome of a task that is claimed now; the answer's status."""
        claim = self.web.post("/v1/tasks/claim", {"queue": self.queue, "agent": "a42"}, bearer=self.admin)
        self.assertEqual(200, claim.status, claim)
        task = claim.json
        self.reported.add(task["id"])
        body = {"delivery": task["delivery"], "outcome": "no_answer", "agent": "a42"}
        answer = self.web.post(f"/v1/tasks/{task['id']}/outcome", body, bearer=self.admin)
        if answer.status == 200:
            self.assertEqual("ended", self.get(f"/v1/tasks/{task['id']}", bearer=self.admin)["state"])
        return answer.status

    def report_over_redis(self):
        task = self.pop()
        self.reported.add(task["id"])
        self.report(task, "outcome", outcome="no_answer")
        wait_until(
            lambda: self.get(f"/v1/tasks/{task['id']}", bearer=self.admin)["state"] == "ended", 10, "the report to count"
        )

    def assert_nothing_lost(self):
        for optin in self.acked:
            self.get(f"/v1/optins/{optin}")

    def tell(self, name, times=1):
        """Nothing is lost by a kill now either, and what was not worked on is in its queue."""
        self.server.kill()
        self.start_server()
        self.assert_nothing_lost()
        waiting = set(self.acked.values()) - self.reported - {None}
        wait_until(lambda: waiting <= self.tasks().keys(), 30, "every task to be visible")
        self.server.stop()
        told(name, 0, times, f"times that it was full lost any of {len(self.acked)} acknowledged opt-ins")


@unittest.skipUnless(MAY_MOUNT, "a small disk needs unshare -m, that is root")
class FullDisk(Full):
    """Small tmpfs, in a mount namespace that the server and its other commands run in."""

    def setUp(self):
        super().setUp()
        self.holder = None
        self.disks = self.folder / "disks"

    def mount(self, **sizes):
        """A disk of that size for each name, at self.disks / name."""
        commands = []
        for name, size in sizes.items():
            (self.disks / name).mkdir(parents=True)
            commands.append(f"mount -t tmpfs -o size={size} none '{self.disks / name}'")
        commands.append(f"touch '{self.disks / name}/up' && exec sleep 3600")
        self.holder = subprocess.Popen(["unshare", "-m", "sh", "-c", " && ".join(commands)])
        self.inside = ["nsenter", "-m", "-t", str(self.holder.pid), "--"]
        wait_until(lambda: self.run_inside(f"test -e '{self.disks / name}/up'") == 0, what="the small disks")

    def run_inside(self, command):
        return subprocess.run([*self.inside, "sh", "-c", command], capture_output=True, check=False).returncode

    def leave(self, disk, free):
        """Others fill the disk until so many bytes are left; with 0 they want more than there is."""
        ballast = f"'{self.disks / disk}/ballast'"
        if free == 0:
            self.run_inside(f"cat /dev/zero >> {ballast}")
            return
        wanted = 0
        while True:  # the journal is written ahead meanwhile, and takes its part
            more = self.left(disk) - free
            if abs(more) < MIB // 16:
                return
            wanted += more
            self.run_inside(f"rm -f {ballast}; head -c {wanted} /dev/zero > {ballast}")

    def left(self, disk):
        looked = subprocess.run(
            [*self.inside, "stat", "-f", "-c", "%a %S", self.disks / disk], capture_output=True, check=True
        )
        blocks, size = map(int, looked.stdout.split())
        return blocks * size

    def make_room(self, disk):
        self.assertEqual(0, self.run_inside(f"rm '{self.disks / disk}/ballast'"))

    def _end(self):
        try:
            super()._end()
        finally:
            if self.holder:
                self.holder.kill()
                self.holder.wait()

    def test_full_journal_disk_refuses_loses_nothing_and_recovers(self):
        self.mount(journal="160m")
        # More than can come in the 100 ms between two looks at what is left.
        self.serve(self.disks / "journal" / "data", "--reserve-bytes", "8MiB", wrapper=self.inside)
        for _ in range(TIMES):
            self.leave("journal", 17 * MIB // 2)
            self.fill(300)  # more of them than state catches up with at once
            self.assert_reads_go_on()
            # What opt-ins leave free is for the work: it goes on.
            self.assertEqual(200, self.report_over_http())
            self.report_over_redis()
            self.leave("journal", 0)
            self.assertEqual(503, self.send())
            self.assert_reads_go_on(state_lags=True)
            self.make_room("journal")
            self.wait_taken()
            self.assertEqual(200, self.report_over_http())
            self.assert_nothing_lost()
        self.tell("full journal disk", TIMES)

    def test_full_state_disk_refuses_loses_nothing_and_recovers(self):
        self.mount(state="24m")
        self.serve(self.folder / "roomy", "--state", str(self.disks / "state" / "state"), wrapper=self.inside)
        for _ in range(TIMES):
            self.send()
            self.leave("state", 0)
            self.fill(100)
            self.assert_reads_go_on(state_lags=True)
            self.make_room("state")
            self.wait_taken()
            self.assertEqual(200, self.report_over_http())
            self.assert_nothing_lost()
        self.tell("full state disk", TIMES)


class FullMap(Full):
    """A map cannot grow while it is open: here a start with a larger one makes room."""

    def test_full_journal_map_refuses_and_loses_nothing(self):
        self.serve(self.folder / "small", "--journal-map-bytes", "6MiB", "--reserve-bytes", "1MiB")
        self.fill()
        self.assert_reads_go_on()
        self.assertEqual(200, self.report_over_http())
        self.report_over_redis()
        self.start_with("--journal-map-bytes", "64MiB")
        self.tell("full journal map")

    def test_full_state_map_refuses_and_loses_nothing(self):
        self.serve(self.folder / "small", "--state-map-bytes", "1MiB")
        self.fill(100)
        self.assert_reads_go_on(state_lags=True)
        self.start_with("--state-map-bytes", "64MiB")
        self.tell("full state map")

    def start_with(self, setting, value):
        self.server.stop()
        self.server.arguments[self.server.arguments.index(setting) + 1] = value
        self.start_server()
        self.wait_taken()
        self.assertEqual(200, self.report_over_http())
