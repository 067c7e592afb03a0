"""Does with a real server what a story of tests/golden says, and tells what came of it in the same words: from what
people's histories say, and from what consumers find in their queues. tests/lives.h says what a story looks like."""
import datetime
import json
import pathlib
import time
import zoneinfo

from servers import ROOT

GOLDEN = ROOT / "tests" / "golden"
HUMAN = ("call", "visit", "research")  # robots take and deliver what is on the other channels
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
PATIENCE = 20  # seconds for the server to do what is due: it takes a fraction of one


def at(ms, zone):
    moment = (EPOCH + datetime.timedelta(milliseconds=ms)).astimezone(zone)
    thousandths = f".{ms % 1000:03}" if ms % 1000 else ""
    return f"{moment:%a %Y-%m-%d %H:%M:%S}{thousandths} {moment:%z}"


def ms_of(text, zone=datetime.timezone.utc):
    moment = datetime.datetime.fromisoformat(text).replace(tzinfo=zone)
    return round((moment - EPOCH) / datetime.timedelta(milliseconds=1))


class Block:
    """Something that was done at a moment, or just that moment, and what is told of it."""

    def __init__(self, line):
        words = line.split(" ", 3)
        self.now_ms = ms_of(f"{words[1]} {words[2]}")
        self.did = words[3] if len(words) > 3 else ""
        self.said = []


class Story:
    def __init__(self, name):
        self.name = name
        self.setting, self.blocks = [], []
        for line in (GOLDEN / f"{name}.txt").read_text().splitlines():
            if line.startswith("@"):
                self.blocks.append(Block(line))
            elif line and self.blocks:
                self.blocks[-1].said.append(line)
            elif line and not line.startswith("#"):
                self.setting.append(line)

    def settings(self, word):
        return [line.removeprefix(word).strip() for line in self.setting if line.startswith(word)]

    @property
    def site(self):
        return json.loads("{" + ",".join(self.settings("site ")) + "}")

    @property
    def playbook(self):
        """Its YAML; empty: the shipped one."""
        own = [line[2:] for line in self.setting if line.startswith("| ")]
        for name in self.settings("playbook "):
            own = [(ROOT / "deploy" / "playbooks" / f"{name}.yaml").read_text()]
        return "\n".join(own)


class Person:
    def __init__(self, name, zone, now_ms):
        self.name, self.zone, self.first_ms = name, zoneinfo.ZoneInfo(zone), now_ms
        self.id = None
        self.state = ""  # as it was last told
        self.seq = 0  # what happened up to here is told
        self.ended = {}  # channel -> the task that ended last

    def head(self, ms, what):
        passed = (ms - self.first_ms) // 1000
        clock = f"{passed // 3600 % 24:02}:{passed // 60 % 60:02}:{passed % 60:02}"
        return f"{at(ms, self.zone)}  +{passed // 86400:3}d {clock}  {self.name:6} {what:9}"


class Lives:
    """`scenario` has a test clock; nobody but this one takes from its queues."""

    def __init__(self, scenario, story):
        self.scenario, self.story = scenario, story
        self.people = {}
        self.standing = {}  # (task, delivery) -> task, as it was last looked at
        self.held = {}  # (person, channel) -> task that was claimed
        self.has_robots = "robots off" not in story.setting
        self.queues = []

    # --- from beginning to end ---------------------------------------------------------------

    def live(self, before=lambda block: None):
        """`before` is told of each moment that the clock comes to."""
        self.queues = sorted(queue["id"] for queue in self.scenario.get("/v1/queues", self.scenario.admin)["queues"])
        for block in self.story.blocks:
            if block.now_ms > self.scenario.clock.now_ms:
                self.come_to(block, before)
            said = self.do(block.did)
            self.listen(block, said)
            self.deliver()
        time.sleep(0.3)
        news = self.news()
        assert not news, f"behind the end: {news}"

    def come_to(self, block, before):
        """By way of the last moment before: what happens then already is told with its time."""
        self.scenario.clock.set(block.now_ms - 1, settles=0.02)
        before(block)
        self.scenario.clock.set(block.now_ms, settles=0)

    def listen(self, block, said):
        end = time.monotonic() + PATIENCE
        state = {person: person.state for person in self.people.values()}
        events, moves = [], []
        while True:
            events += self.events()
            moves = self.moves()
            told = said + [self.tell(*event) for event in events] + sorted(moves)
            if told == block.said:
                break
            for person, before in state.items():  # told once more with the next look
                person.state = before
            if time.monotonic() > end:
                raise AssertionError(self.difference(block, told))
            time.sleep(0.01)
        self.standing = self.look()

    def difference(self, block, told):
        lines = [f"{self.story.name}: at {at(block.now_ms, EPOCH.tzinfo)} {block.did}"]
        lines += [f"- {line}" for line in block.said if line not in told]
        lines += [f"+ {line}" for line in told if line not in block.said]
        lines += ["all that was told:", *told] if len(lines) == 1 else []
        return "\n".join(lines)

    def news(self):
        return [self.tell(*event) for event in self.events()] + self.moves()

    # --- what people do ------------------------------------------------------------------------

    def do(self, did):
        """The lines that are its own answer."""
        verb, _, rest = did.partition(" ")
        return getattr(self, f"do_{verb}")(*rest.split()) or [] if verb else []

    def do_optin(self, name, *words):
        said = dict(word.split("=", 1) for word in words)
        zone = said.pop("zone")
        person = self.people.setdefault(name, Person(name, zone, self.scenario.clock.now_ms))
        person.id = self.scenario.accept_optin({**said, "fields": {"at": self.scenario.clock.now_ms}})["person"]

    def do_report(self, name, channel, outcome, *words):
        fields = dict(word.split("=", 1) for word in words)
        person = self.people[name]
        if "call_at" in fields:
            fields["call_at_ms"] = ms_of(fields.pop("call_at"), person.zone)
        task = self.held.pop((name, channel), None) or self.take(person, channel)
        self.scenario.report(task, "outcome", outcome=outcome, **fields)
        person.ended[channel] = task

    def do_claim(self, name, channel):
        task = self.held[name, channel] = self.take(self.people[name], channel)
        self.scenario.report(task, "claim")

    def do_again(self, name, channel, outcome):
        self.scenario.report(self.people[name].ended[channel], "outcome", outcome=outcome, agent="late", delivery=1)

    def do_refused(self, name, channel, outcome):
        person = self.people[name]
        ((_, task),) = self.members_of(person, channel)
        body = {"delivery": task["delivery"], "outcome": outcome, "agent": "a42"}
        answer = self.scenario.web.post(f"/v1/tasks/{task['id']}/outcome", body, bearer=self.scenario.admin)
        return [f"{person.head(self.scenario.clock.now_ms, 'refused')} {answer.status} {answer.json['code']}"]

    def do_look(self):
        return [self.tell_move(task, "stands") for task in self.look().values()]

    def do_kill(self):
        self.scenario.server.kill()
        self.scenario.start_server()

    # --- queues ----------------------------------------------------------------------------------

    def look(self):
        """(task, delivery) -> task: queue by queue, in the order in which they would be popped."""
        found = {}
        for queue in self.queues:
            for member in self.scenario.redis("ZRANGE", self.scenario.key("tasks", queue), 0, -1):
                task = json.loads(member)
                task["member"] = member
                found[task["id"], task["delivery"]] = task
        return found

    def moves(self):
        now = self.look()
        put = [self.tell_move(task, "put") for key, task in now.items() if key not in self.standing]
        gone = [self.tell_move(task, "withdrawn") for key, task in self.standing.items() if key not in now]
        return put + gone

    def person_of(self, task):
        return next(person for person in self.people.values() if person.id == task["person"])

    def members_of(self, person, channel):
        return [(key, task) for key, task in self.standing.items() if (task["person"], task["channel"]) == (person.id, channel)]

    def take(self, person, channel):
        """One of the person's from its queue, as its consumer does."""
        key, task = self.members_of(person, channel)[0]
        taken = self.scenario.redis("ZREM", self.scenario.key("tasks", task["queue"]), task["member"])
        assert taken == 1, f"{person.name}'s {channel} is gone from its queue"
        del self.standing[key]
        return task

    def deliver(self):
        """Robots work off their queues by BZPOPMIN, and say so."""
        if not self.has_robots:
            return
        waiting = []
        for queue in self.queues:
            robots = [key for key, task in self.standing.items() if task["queue"] == queue and task["channel"] not in HUMAN]
            for _ in robots:
                task = self.scenario.pop(queue)
                del self.standing[task["id"], task["delivery"]]
                self.person_of(task).ended[task["channel"]] = task
                self.scenario.report(task, "outcome", outcome="delivered", agent="robot")
                waiting.append(task["id"])
        end = time.monotonic() + PATIENCE
        while any(self.scenario.get(f"/v1/tasks/{task}", self.scenario.admin)["state"] != "ended" for task in waiting):
            assert time.monotonic() < end, "what robots delivered has not ended"
            time.sleep(0.01)

    # --- histories -------------------------------------------------------------------------------

    def events(self):
        """Those that were not told yet, of all people, in the order in which they happened."""
        fresh = []
        for person in self.people.values():
            newest = person.seq
            page = {"next": ""}
            while page["next"] is not None:
                path = f"/v1/people/{person.id}/history" + (f"?before={page['next']}" if page["next"] else "")
                page = self.scenario.get(path, self.scenario.admin)
                fresh += [(person, event) for event in page["history"] if event["seq"] > person.seq]
                newest = max([newest, *[event["seq"] for event in page["history"]]])
                if page["history"][-1]["seq"] <= person.seq:
                    break
            person.seq = newest
        fresh.sort(key=lambda entry: entry[1]["seq"])
        return [entry for entry in fresh if entry[1].get("outcome") != "delivered"]

    # --- words -----------------------------------------------------------------------------------

    def tell_move(self, task, what):
        person = self.person_of(task)
        words = f"{person.head(self.scenario.clock.now_ms, what)} {task['queue']} {task['channel']} {task['kind']}"
        for name in ("template", "script"):
            if task.get(name):
                words += f", {name} {task[name]}"
        words += f", attempt {task['attempt']}, delivery {task['delivery']}, by {at(task['deadline_ms'], person.zone)}"
        if task["window"] and task["window"]["closes_ms"]:
            words += f", not after {at(task['window']['closes_ms'], person.zone)}"
        return words

    def tell(self, person, event):
        words = person.head(event["now_ms"], event["kind"])
        if "optin" in event:
            is_called = event["task"] is not None
            words += f" call by {at(event['deadline_ms'], person.zone)}" if is_called else f" no call: {event['reason']}"
        elif "op" in event:
            words += self.tell_report(person, event)
        for name, teller in (("step", self.tell_step), ("parked", self.tell_parked), ("escalated", self.tell_escalated)):
            if name in event:
                words += teller(person, event[name], event["now_ms"])
        if "stage" in event:
            words += self.tell_state(person, event)
        return words.rstrip()

    def tell_report(self, person, event):
        words = f" {event['outcome'] or event['op']} by {event['agent']}"
        words += f", value {event['value']}" if event["value"] else ""
        return words + (f", call at {at(event['call_at_ms'], person.zone)}" if event["call_at_ms"] else "")

    def tell_step(self, person, step, now_ms):
        words = f" {step['channel']} "
        words += f"{step['cadence']}.{step['id']}" if step["cadence"] else step["why"]
        words += f" left out: {step['skipped']}" if step["skipped"] else ""
        return words + (f" was due {at(step['due_ms'], person.zone)}" if step["due_ms"] != now_ms else "")

    def tell_parked(self, person, parked, _):
        law = f" {parked['reason']} of {parked['jurisdiction']}" if parked["by"] == "law" else ""
        return f" waits: {parked['by']}{law}, until {at(parked['opens_ms'], person.zone)}"

    def tell_escalated(self, person, escalated, _):
        if escalated["tier"]:
            return f" missed {escalated['tier']}"
        words = f" {escalated['rung']} to {escalated['to']}"
        words += ", which has a task" if escalated["robot_task"] else ""
        return words + (f", left out: {escalated['skipped']}" if escalated["skipped"] else "")

    def tell_state(self, person, event):
        state, step, call = event["stage"], event["next_step"], event["next_call"]
        if event["cadence"]:
            state += f", {event['cadence']}" + (f".{step['id']} {at(step['due_ms'], person.zone)}" if step else "")
        state += f", call to {call['why']} {at(call['due_ms'], person.zone)}" if call else ""
        state += f", closed: {event['closed']}" if event["closed"] else ""
        is_new, person.state = state != person.state, state
        return f" [{state}]" if is_new else ""


def stories():
    return sorted(path.stem for path in pathlib.Path(GOLDEN).glob("*.txt"))
