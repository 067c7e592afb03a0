"""What every scenario stands on: a private Redis, the real hotlead, one agency with a queue and a site.

At its end each scenario stops the server and checks what must always hold: it ended cleanly, no
sanitizer spoke up, every record is sound, and a rebuild from the journal gives the same state byte for byte."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time
import unittest

from servers import ROOT, Hotlead, RedisServer, TestClock, WallClock, wait_until
from web import Web

LONG = bool(os.environ.get("E2E_LONG"))
ALARMS = ("AddressSanitizer", "ThreadSanitizer", "LeakSanitizer", "runtime error:", "hotlead: bug:")
TASK_KEYS = {
    "v", "id", "delivery", "attempt", "queue", "channel", "kind", "agency", "site", "person", "optin", "owner",
    "name", "first_name", "phone", "email", "stage", "context", "received_ms", "deadline_ms", "not_before_ms",
    "window", "script", "consent", "report", "traceparent",
}  # fmt: skip


def find(value, name):
    """The first member of that name anywhere in parsed JSON, or None."""
    if isinstance(value, dict):
        if name in value:
            return value[name]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            found = find(item, name)
            if found is not None:
                return found
    return None


class Scenario(unittest.TestCase):
    """Class attributes say what the scenario wants; setUp makes it so."""

    clock = False  # run on a test clock, as self.clock
    first_ms = 1_800_000_000_000  # which then begins here
    wall_clock = False  # the server's wall clock can be set, as self.wall_clock
    redis_first = True  # Redis is there when hotlead starts
    queue_settings = {}
    site_settings = {}
    compare_rebuild = True  # False where a scenario damages its own files
    make_redis = RedisServer

    def setUp(self):
        self.folder = ROOT / "build" / "e2e" / self.id().removeprefix("test_")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.redis = type(self).make_redis(self.folder)
        self.is_set_up = False
        self.addCleanup(self._end)
        if self.redis_first:
            self.redis.start()
        self.server = Hotlead(self.folder, self.redis.url)
        if type(self).clock:
            self.clock = TestClock(self.folder / "clock", self.first_ms)
            self.server.arguments += ["--test-clock", str(self.folder / "clock")]
        if type(self).wall_clock:
            self.wall_clock = WallClock(self.folder)
            self.server.environment = self.wall_clock.environment
        self.start_server()
        self.set_up_agency("acme")
        self.is_set_up = True

    def start_server(self):
        self.server.start()
        self.web = self.server.web
        self.admin = self.server.admin_token

    def _end(self):
        try:
            if self.is_set_up:
                self._check_the_end()
        finally:
            if hasattr(self, "server") and self.server.is_running:
                self.server.kill()
            if self.redis.is_running:
                self.redis.signal(signal.SIGCONT)
                self.redis.stop(signal.SIGKILL)
            self.redis.remove()

    def _check_the_end(self):
        if self.server.is_running:
            self.assertEqual(0, self.server.stop(), "exit code after SIGTERM")
        log = self.server.log.read_text(errors="replace")
        for alarm in ALARMS:
            self.assertNotIn(alarm, log)
        if self.compare_rebuild:
            self.assert_rebuild_gives_the_same()

    def assert_rebuild_gives_the_same(self):
        stores = self.server.stores
        self.server.run("fsck", *stores)
        before = self.server.run("dump", *stores).stdout
        self.server.run("rebuild", *stores)
        after = self.server.run("dump", *stores).stdout
        if before != after:
            (self.folder / "dump.before").write_bytes(before)
            (self.folder / "dump.after").write_bytes(after)
            difference = subprocess.run(
                ["diff", "dump.before", "dump.after"], cwd=self.folder, capture_output=True, text=True, check=False
            )
            self.fail(f"a rebuild gives another state:\n{difference.stdout[:4000]}")
        self.assertIn(b"\n", before, "an empty dump proves nothing")

    # --- administration --------------------------------------------------------------

    def create(self, kind, **settings):
        """POST to an administration path; the answer's JSON."""
        answer = self.web.post(f"/v1/{kind}", settings, bearer=self.admin)
        self.assertIn(answer.status, (200, 201), answer)
        return answer.json

    def set_up_agency(self, name):
        """An agency with a queue and a site; the first one's keys become self.pk, self.sk, self.queue."""
        self.create("agencies", id=name, name=name.title())
        self.create("queues", id=f"{name}.calls", agency=name, **self.queue_settings)
        site = {"origins": ["https://www.example.com"], "country": "US", **self.site_settings}
        keys = self.create("sites", id=f"{name}-www", agency=name, queue=f"{name}.calls", **site)
        if not hasattr(self, "sk"):
            self.queue, self.pk, self.sk = f"{name}.calls", keys["pk"], keys["sk"]
        return keys

    # --- opt-ins -----------------------------------------------------------------------

    def post_optin(self, optin, key=None, web=None, headers=None):
        return (web or self.web).post("/v1/optins", optin, bearer=key or self.sk, headers=headers)

    def accept_optin(self, optin, **more):
        """Posts an opt-in that must be new, and returns the answer's JSON."""
        answer = self.post_optin(optin, **more)
        self.assertEqual(201, answer.status, answer)
        return answer.json

    def person_number(self, number):
        """An opt-in of the nth person."""
        return {"name": f"Person {number}", "phone": f"+1215555{number:04d}", "email": f"p{number}@example.com"}

    def get(self, path, bearer=None, status=200):
        answer = self.web.get(path, bearer=bearer or self.sk)
        self.assertEqual(status, answer.status, answer)
        return answer.json

    # --- tasks ---------------------------------------------------------------------------

    def key(self, name, queue=None):
        return f"hl:{{{queue or self.queue}}}:{name}"

    def tasks(self, queue=None):
        """What stands in the queue now: task id -> (task, score), whatever its shape."""
        key = self.key("tasks", queue)
        kind = self.redis("TYPE", key)
        if kind == "none":
            return {}
        if kind == "list":
            members = [(member, 0) for member in self.redis("LRANGE", key, 0, -1)]
        else:
            flat = self.redis("ZRANGE", key, 0, -1, "WITHSCORES")
            members = [(flat[i], int(flat[i + 1])) for i in range(0, len(flat), 2)]
        found = {}
        for member, score in members:
            task = json.loads(member)
            self.assertNotIn(task["id"], found, "a task stands twice in its queue")
            found[task["id"]] = (task, score)
        return found

    def wait_task(self, task_id, queue=None, delivery=1, timeout=10):
        """The task once it is visible in that delivery."""

        def look():
            entry = self.tasks(queue).get(task_id)
            return entry and entry[0]["delivery"] == delivery and entry[0]

        return wait_until(look, timeout, f"delivery {delivery} of {task_id}")

    def wait_tasks(self, ids, queue=None, timeout=20):
        """Until the queue holds exactly these."""
        wanted = set(ids)
        wait_until(
            lambda: set(self.tasks(queue)) == wanted, timeout, f"exactly {len(wanted)} tasks in the queue"
        )

    def wait_task_count(self, count, queue=None, timeout=20):
        wait_until(lambda: len(self.tasks(queue)) == count, timeout, f"{count} tasks in the queue")

    def score(self, task_id, queue=None):
        return self.tasks(queue)[task_id][1]

    def pop(self, queue=None, timeout=10):
        """As a consumer does: BZPOPMIN (or BLPOP on a list)."""
        key = self.key("tasks", queue)
        if self.redis("TYPE", key) == "list":
            reply = self.redis("BLPOP", key, timeout)
        else:
            reply = self.redis("BZPOPMIN", key, timeout)
        self.assertIsNotNone(reply, "nothing to pop")
        return json.loads(reply[1])

    def report(self, task, op, **fields):
        """XADD to the stream that the task names."""
        fields = {"task": task["id"], "delivery": task["delivery"], "op": op, "agent": "a42", **fields}
        return self.redis("XADD", task["report"], "*", *[word for pair in fields.items() for word in pair])

    def assert_stays(self, condition, seconds, what):
        """For things that must not happen: looks all the time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.assertTrue(condition(), what)
            time.sleep(0.05)

    def let_the_watch_see_a_pop(self):
        """A pop leaves no trace; the node looks once a second. Real time, whatever the test clock says."""
        time.sleep(2.5)

    # --- load -----------------------------------------------------------------------------

    def metric(self, name):
        """The sum of a metric over its labels; `name` may end in a label filter such as x{a="b"}."""
        total, found = 0.0, False
        for line in self.web.get("/metrics", bearer=self.admin).text.splitlines():
            if line.startswith(name) and line[len(name) : len(name) + 1] in (" ", "{"):
                total, found = total + float(line.rsplit(" ", 1)[1]), True
        self.assertTrue(found, f"no metric {name}")
        return total

    def sample(self, name):
        return pathlib.Path(ROOT / "tests" / "samples" / name).read_bytes()


class Load:
    """Threads that post new people until stopped, and the ledger of what was acknowledged. An id is in
    it only when the whole answer came, so everything in it must be found afterwards."""

    def __init__(self, scenario, threads=4, first=0):
        self.scenario = scenario
        self.acked = {}  # opt-in id -> task id
        self.refused = []
        self.sent = first
        self.lock = threading.Lock()
        self.is_stopped = threading.Event()
        self.threads = [threading.Thread(target=self._post, daemon=True) for _ in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.is_stopped.set()
        for thread in self.threads:
            thread.join()

    def _post(self):
        web = Web(self.scenario.server.port, timeout=5)
        while not self.is_stopped.is_set():
            with self.lock:
                self.sent += 1
                number = self.sent
            optin = {"email": f"load{number}@example.com", "name": f"Load {number}"}
            try:
                answer = self.scenario.post_optin(optin, web=web)
            except Exception:  # the server is being killed, which is what these scenarios do
                time.sleep(0.02)
                continue
            with self.lock:
                if answer.status == 201:
                    self.acked[answer.json["id"]] = answer.json["task"]
                else:
                    self.refused.append(answer)
        web.close()

    def wait_acked(self, count, timeout=30):
        wait_until(lambda: len(self.acked) >= count, timeout, f"{count} acknowledged opt-ins")

    def assert_all_found(self):
        for optin in self.acked:
            answer = self.scenario.web.get(f"/v1/optins/{optin}", bearer=self.scenario.sk)
            self.scenario.assertEqual(200, answer.status, f"acknowledged and lost: {optin}: {answer}")
