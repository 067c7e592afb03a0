"""The Nth call of one function in a server fails (tests/faults/nth.c), and the work that goes on meanwhile."""
import errno
import gzip
import http.client
import json
import mmap
import struct
import urllib.parse

from servers import preloaded
from web import Web

CALLS = ("none", "memory", "write", "sync", "space", "send", "accept")  # the numbers of nth.c
CONTROL = struct.Struct("=IIQiIQQ")
SHORT = 0  # for an errno: half of what there is goes through
ONCE, FROM_THEN_ON = 0, 1


class Nth:
    """What fails in a server that is started with this environment."""

    def __init__(self, folder):
        path = folder / "nth"
        path.write_bytes(bytes(CONTROL.size))
        with open(path, "r+b") as file:
            self.control = mmap.mmap(file.fileno(), CONTROL.size)
        self.environment = preloaded("nth", NTH_CONTROL=path)

    def fail(self, call, nth, error, mode):
        self.off()
        CONTROL.pack_into(self.control, 0, 0, mode, nth, error, 0, 0, 0)
        self.control[0:4] = struct.pack("=I", CALLS.index(call))

    def off(self):
        self.control[0:4] = bytes(4)

    @property
    def calls(self):
        return CONTROL.unpack_from(self.control)[5]

    @property
    def failed(self):
        return CONTROL.unpack_from(self.control)[6]


def name_of(error):
    return "short" if error == SHORT else errno.errorcode[error]


class Wrong(AssertionError):
    """An answer that is neither right nor a refusal for now."""


class Work:
    """Opt-ins of every kind, one step after the other, and the ledger of what was acknowledged. An answer is right,
    or 503 with Retry-After, or none at all; all else is wrong."""

    def __init__(self, scenario, chance):
        self.scenario = scenario
        self.chance = chance
        self.number = 0
        self.acked = {}  # opt-in id -> (task id or None, the phone that was meant)
        self.keyed = []  # (Idempotency-Key, opt-in, the answer)
        self.batches = {}  # event ids -> how many were acknowledged
        self.popped = set()
        self.unheard_claims = 0  # without an answer: each may have taken a task
        self.late = False  # an answer did not come in time
        self.web = Web(scenario.server.port, timeout=1)
        self.steps = [
            self.new, self.once_more, self.abroad, self.form, self.batch, self.read, self.large, self.packed, self.claim,
            self.pop, self.settings,
        ]  # fmt: skip

    def step(self):
        """False: no answer came."""
        step = self.steps[self.number % len(self.steps)]
        self.number += 1
        try:
            step()
        except TimeoutError:
            self.late = True
            self.web.close()
        except (OSError, http.client.HTTPException):
            self.web.close()

    def ask(self, method, path, right, body=None, headers=None, key=None, web=None):
        """The answer if it is one of the right ones, or None."""
        answer = (web or self.web).request(method, path, body, headers, bearer=key)
        if answer.status in right:
            return answer
        if answer.status != 503 or "retry-after" not in answer.headers:
            raise Wrong(f"{method} {path}: {answer}")
        return None

    def person(self, phone=None):
        number = self.number
        return {"name": f"Nth {number}", "email": f"nth{number}@example.com",
                "phone": phone or f"+1215{2000000 + number:07d}"}  # fmt: skip

    def post(self, optin, phone, body=None, headers=None, web=None):
        answer = self.ask("POST", "/v1/optins", (201, 202), body or optin, headers, self.scenario.sk, web)
        if answer is not None:
            self.acked[answer.json["id"]] = (answer.json.get("task"), phone)
        return answer

    # --- the steps ------------------------------------------------------------------------

    def new(self):
        """On a connection of its own, as a site's server does."""
        optin, key = self.person(), f"key-{self.number}"
        web = Web(self.scenario.server.port, timeout=1)
        try:
            answer = self.post(optin, optin["phone"], headers={"Idempotency-Key": key}, web=web)
        finally:
            web.close()
        if answer is not None and answer.status == 201:
            self.keyed.append((key, optin, answer.json))

    def once_more(self):
        if not self.keyed:
            return
        key, optin, first = self.chance.choice(self.keyed)
        again = self.ask("POST", "/v1/optins", (200,), optin, {"Idempotency-Key": key}, self.scenario.sk)
        if again is not None and again.json != first:
            raise Wrong(f"{first} came back as {again.json}")

    def abroad(self):
        """A number and a domain that our own short ways do not know."""
        number = 20_000_000 + self.number
        optin = {"phone": f"+49 30 {number}", "email": f"nth{self.number}@bücher.example"}
        self.post(optin, f"+4930{number}")

    def form(self):
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        optin = self.person()
        answer = self.ask("POST", f"/f/{self.scenario.pk}", (201,), urllib.parse.urlencode(optin), headers)
        if answer is not None:
            self.acked[answer.json["id"]] = (None, optin["phone"])

    def batch(self):
        self.send_batch(tuple(f"batch-{self.number}-{item}" for item in range(3)))

    def send_batch(self, events):
        items = [{"email": f"{event}@example.com", "event_id": event} for event in events]
        answer = self.ask("POST", "/v1/optins/batch", (200,), items, key=self.scenario.sk)
        if answer is None:
            return
        told = answer.json
        before = self.batches.get(events, 0)
        if told["accepted"] + told["duplicates"] + len(told["failed"]) != len(events):
            raise Wrong(f"a batch of {len(events)}: {told}")
        if told["duplicates"] < before:
            raise Wrong(f"{before} of a batch were acknowledged before, and now it is {told}")
        if any(item["code"] not in ("busy", "disk_full", "closing") for item in told["failed"]):
            raise Wrong(f"a good batch: {told}")
        self.batches[events] = told["accepted"] + told["duplicates"]

    def read(self):
        if self.acked:
            self.look_at(self.chance.choice(list(self.acked)))

    def look_at(self, optin):
        self.ask("GET", f"/v1/optins/{optin}", (200,), key=self.scenario.sk)

    def large(self):
        optin = {**self.person(), "fields": {"essay": "x" * 40000}}
        self.post(optin, optin["phone"])

    def packed(self):
        optin = self.person()
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        self.post(optin, optin["phone"], gzip.compress(json.dumps(optin).encode()), headers)

    def claim(self):
        wanted = {"queue": self.scenario.queue, "agent": "a42"}
        self.unheard_claims += 1
        claimed = self.ask("POST", "/v1/tasks/claim", (200, 204), wanted, key=self.scenario.admin)
        if claimed is None:
            return
        self.unheard_claims -= 1
        if claimed.status == 204:
            return
        task = claimed.json
        self.popped.add(task["id"])
        report = {"delivery": task["delivery"], "outcome": "no_answer", "agent": "a42"}
        self.ask("POST", f"/v1/tasks/{task['id']}/outcome", (200,), report, key=self.scenario.admin)

    def pop(self):
        """As a dialer does, past the server: what it reports is read sooner or later."""
        popped = self.scenario.redis("ZPOPMIN", self.scenario.key("tasks"))
        if popped:
            task = json.loads(popped[0])
            self.popped.add(task["id"])
            self.scenario.report(task, "outcome", outcome="no_answer")

    def settings(self):
        path, change = "/v1/sites/acme-www", {"country": "US"}
        self.ask("PATCH", path, (200,), change, key=self.scenario.admin)

    # --- what must be so when nothing fails any more -------------------------------------------

    def check(self, optins):
        """All of these are found, and a batch that is sent again is known."""
        self.web.close()  # of a server that may have ended
        for optin in optins:
            answer = self.scenario.web.get(f"/v1/optins/{optin}", bearer=self.scenario.sk)
            if answer.status != 200:
                raise Wrong(f"acknowledged and lost: {optin}: {answer}")
        for events in list(self.batches)[-3:]:
            self.send_batch(events)
            if self.batches[events] != len(events):
                raise Wrong(f"a batch is not whole: {self.batches[events]}")
