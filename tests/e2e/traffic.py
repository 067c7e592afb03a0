"""Everything that goes on at once between a hotlead and its Redis, and the ledger of what was promised: sites that
send opt-ins (new ones, the same under a key again, two at once under one key), consumers that pop, claim, give back
and report by Redis and by HTTP, agents who end tasks that stand in the queue, an administrator who changes settings.

An acknowledgement is in the ledger only when its whole answer came from the socket."""
import collections
import dataclasses
import json
import threading
import time

from resp import Redis, RedisError
from wire import Cut, Wire

OUTCOMES = ("no_answer", "busy", "voicemail", "wrong_number", "conversation")
STANDING = 40  # consumers are slow while fewer tasks stand in the queue, so that a fault finds some


@dataclasses.dataclass
class Known:
    """A task that was seen or promised: in an answer, popped, or in the queue."""

    task: str
    person: str
    optin: str


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.fresh = {}  # opt-in id -> what was sent; acknowledged, not looked for yet
        self.found = {}  # those that were looked for and found
        self.people = set()  # e-mail addresses of whom an opt-in was acknowledged
        self.keyed = collections.defaultdict(set)  # idempotency key -> ids that it was answered with
        self.open = {}  # task id -> Known, until it was seen to have ended
        self.popped = collections.Counter()  # (task, delivery) -> how often a consumer got it
        self.unheard_pops = 0  # pops whose answer did not come: each may have taken a task that nobody has
        self.swallowed = set()  # (task, delivery) that such pops have taken: all looks agree but for them
        self.vanished = set()  # (task, delivery) that the test took out of the queue with its own hands
        self.said = collections.defaultdict(set)  # task -> outcomes that anybody may have heard of
        self.reported = set()  # tasks whose outcome Redis has taken
        self.kept = {}  # task -> the outcome that was acknowledged
        self.fresh_kept = {}  # those that were not looked for yet
        self.settings = {}  # path -> (member, values from the acknowledged one on; None: none was yet)
        self.settled = {}  # those that nobody sets again, and that were found
        self.acknowledged = 0
        self.wrong = []  # what must never be, seen by a thread

    def learn(self, task, person, optin):
        with self.lock:
            return self.open.setdefault(task, Known(task, person, optin))

    def doubles(self):
        return sum(count - 1 for count in self.popped.values())


class Traffic:
    """Threads that run while they are not paused, until they are stopped."""

    def __init__(self, scenario, rounds, name="p", senders=3, consumers=2, withdrawers=1, admins=0, ends_over_http=True):
        self.scenario = scenario
        self.rounds = rounds
        self.name = name  # of one server no two may have the same, for people and keys are called after it
        self.ends_over_http = ends_over_http
        self.ledger = Ledger()
        self.first = 0
        self.unanswered = []  # of requests with a key: (key, opt-in)
        self.newest_key = None
        self.is_stopped = False
        self.is_going = threading.Event()
        self.busy = 0
        self.idle = threading.Condition()
        jobs = [self._send] * senders + [self._consume] * consumers
        jobs += [self._withdraw] * withdrawers + [self._administer] * admins
        self.threads = [
            threading.Thread(target=self._work, args=(job, rounds.dice(f"{name} thread {number}")), daemon=True)
            for number, job in enumerate(jobs)
        ]

    def __enter__(self):
        """At rest, until it is resumed."""
        self.busy = len(self.threads)
        for thread in self.threads:
            thread.start()
        self.pause()
        return self

    def __exit__(self, *_):
        self.is_stopped = True
        self.is_going.set()
        for thread in self.threads:
            thread.join()

    def pause(self):
        """Returns when nobody is about anything any more."""
        self.is_going.clear()
        with self.idle:
            assert self.idle.wait_for(lambda: self.busy == 0, 60), "traffic does not come to rest"
        self.assert_sound()

    def resume(self):
        with self.idle:
            self.busy = len(self.threads)
        self.is_going.set()

    def assert_sound(self):
        assert not self.ledger.wrong, self.ledger.wrong[:5]

    def _work(self, job, dice):
        wire, links = Wire(self.scenario.server.port), {}
        while not self.is_stopped:
            if not self.is_going.is_set():
                self._rest()
                self.is_going.wait()
                continue
            try:
                job(wire, links, dice)
            except Cut:  # the server is down, which is what these scenarios are about
                time.sleep(0.01)
            except (OSError, RedisError) as failure:
                self._judge(failure)
                for link in links.values():
                    link.close()
                links.clear()
                time.sleep(0.01)
            except Exception as failure:  # Torn, or a bug: either way nothing that may be
                self.ledger.wrong.append(repr(failure))
                self._rest()
                break
        for link in (wire, *links.values()):
            link.close()

    def _rest(self):
        with self.idle:
            self.busy -= 1
            self.idle.notify_all()

    def _judge(self, failure):
        """Redis may be away, full, loading or a replica. A server that holds a request may not be."""
        if isinstance(failure, TimeoutError):
            self.ledger.wrong.append(f"no answer in time: {failure!r}")

    def _redis(self, links):
        """Asks in pieces of 50 ms at most, so a long timeout here says that Redis is frozen, not that it is slow."""
        if "redis" not in links:
            links["redis"] = Redis(self.scenario.redis.path, timeout=60)
        return links["redis"]

    # --- opt-ins ---------------------------------------------------------------------------

    def _new_optin(self, dice):
        with self.ledger.lock:
            self.first += 1
            number = self.first
        email = f"{self.name}{number}@example.com"
        return {"email": email, "name": f"Person {number}", "fields": {"note": dice.randbytes(8).hex()}}

    def _send(self, wire, _links, dice):
        draw = dice.random()
        if self.unanswered:
            self._send_keyed(wire, *self.unanswered.pop())
        elif draw < 0.15:
            self.newest_key = (f"key-{self.name}-{dice.randbytes(8).hex()}", self._new_optin(dice))
            self._send_keyed(wire, *self.newest_key)
        elif draw < 0.3 and self.newest_key:  # perhaps while another thread sends it for the first time
            self._send_keyed(wire, *self.newest_key)
        else:
            optin = self._new_optin(dice)
            self._acknowledge(optin, self._ask(wire, "/v1/optins", optin))
        time.sleep(0.005)

    def _send_keyed(self, wire, key, optin):
        try:
            answer = self._ask(wire, "/v1/optins", optin, (("Idempotency-Key", key),))
        except Cut:
            self.unanswered.append((key, optin))
            raise
        if not self._acknowledge(optin, answer):
            self.unanswered.append((key, optin))
        elif answer.status != 202:  # what came while a rebuild runs has an id of its own, and is counted in settle
            with self.ledger.lock:
                self.ledger.keyed[key].add(answer.json["id"])
                if len(self.ledger.keyed[key]) > 1:
                    self.ledger.wrong.append(f"one key, two opt-ins: {self.ledger.keyed[key]}")

    def _ask(self, wire, path, body, headers=(), method="POST", bearer=None):
        return wire.ask(method, path, body, bearer or self.scenario.sk, headers)

    def _acknowledge(self, optin, answer):
        if answer.status == 503:
            return False
        if answer.status not in (200, 201, 202):
            self.ledger.wrong.append(f"{optin} was answered {answer}")
            return False
        with self.ledger.lock:
            self.ledger.fresh[answer.json["id"]] = optin
            self.ledger.people.add(optin["email"])
            self.ledger.acknowledged += 1
        if answer.json.get("task"):
            self.ledger.learn(answer.json["task"], answer.json["person"], answer.json["id"])
        return True

    # --- consumers -------------------------------------------------------------------------

    def _consume(self, wire, links, dice):
        redis = self._redis(links)
        key = self.scenario.key("tasks")
        if redis("ZCARD", key) < STANDING:
            time.sleep(0.02)
        try:
            reply = redis("BZPOPMIN", key, 0.05)
        except OSError:
            with self.ledger.lock:
                self.ledger.unheard_pops += 1
            raise
        if reply is None:
            return
        task = json.loads(reply[1])
        self.ledger.learn(task["id"], task["person"], task["optin"])
        with self.ledger.lock:
            self.ledger.popped[task["id"], task["delivery"]] += 1
        self._deal_with(task, wire, redis, dice)

    def _deal_with(self, task, wire, redis, dice):
        draw = dice.random()
        if draw < 0.5:
            if draw < 0.25:
                self._report(redis, task, "claim")
            self._report(redis, task, "outcome", outcome=self._say(task["id"], dice))
            with self.ledger.lock:
                self.ledger.reported.add(task["id"])
        elif draw < 0.7 and self.ends_over_http:
            self._outcome(wire, task["id"], task["delivery"], dice)
        elif draw < 0.8:
            self._report(redis, task, "release")
        elif draw < 0.9:
            self._report(redis, task, "claim")
        # The rest say nothing: a consumer that died.

    def _report(self, redis, task, op, **more):
        fields = {"task": task["id"], "delivery": task["delivery"], "op": op, "agent": "a42", **more}
        redis("XADD", task["report"], "*", *[word for pair in fields.items() for word in pair])

    def _say(self, task, dice):
        outcome = dice.choice(OUTCOMES)
        with self.ledger.lock:
            self.ledger.said[task].add(outcome)
        return outcome

    def _outcome(self, wire, task, delivery, dice):
        outcome = self._say(task, dice)
        body = {"delivery": delivery, "outcome": outcome, "agent": "a7"}
        answer = self._ask(wire, f"/v1/tasks/{task}/outcome", body, bearer=self.scenario.admin)
        with self.ledger.lock:
            if answer.status == 200:
                if task in self.ledger.kept:
                    self.ledger.wrong.append(f"two outcomes of {task} were taken")
                self.ledger.kept[task] = self.ledger.fresh_kept[task] = outcome
                self.ledger.acknowledged += 1
            elif answer.status not in (409, 503):
                self.ledger.wrong.append(f"an outcome of {task} was answered {answer}")

    def _withdraw(self, wire, _links, dice):
        """Ends a task of those that came last: mostly it stands in the queue, and is to be taken out of it."""
        time.sleep(0.03)
        with self.ledger.lock:
            tasks = [task for task in list(self.ledger.open)[-STANDING:] if task not in self.ledger.said]
        if tasks:
            self._outcome(wire, dice.choice(tasks), 1, dice)

    # --- an administrator --------------------------------------------------------------------

    def _administer(self, wire, _links, dice):
        time.sleep(0.03)
        with self.ledger.lock:
            self.first += 1
            number = self.first
        draw = dice.random()
        if draw < 0.5:
            self._set(wire, "PATCH", "/v1/sites/acme-www", "rate_limit", 100_000 + number)
        elif draw < 0.9:
            self._set(wire, "PATCH", f"/v1/queues/{self.scenario.queue}", "claim_holds", 1800 + number)
        else:
            body = {"agency": "acme", "id": f"a{number}"}
            self._set(wire, "POST", f"/v1/agents/a{number}", "name", f"Agent {number}", body)

    def _set(self, wire, method, path, member, value, more=None):
        """What was acknowledged holds, or what was sent after it and not answered."""
        if method == "PATCH":
            _, values = self.ledger.settings.setdefault(path, (member, [None]))
            values.append(value)
        body = {member: value, **(more or {})}
        target = path if method == "PATCH" else "/v1/agents"
        answer = self._ask(wire, target, body, method=method, bearer=self.scenario.admin)
        if answer.status in (200, 201):
            self.ledger.settings[path] = (member, [value])
            self.ledger.acknowledged += 1
        elif answer.status != 503:
            self.ledger.wrong.append(f"{method} {path} was answered {answer}")
