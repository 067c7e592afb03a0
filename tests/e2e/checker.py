"""Whether what hotlead says and what stands in Redis agree with what was promised. Asked when all is quiet.

    visible + held = open      each open task either stands in its queue, once, in the delivery that hotlead says, or is
                               held, and then a consumer really got that delivery; robots' tasks, which nobody pops here,
                               all stand
    ended                      stands nowhere, by an outcome that somebody reported, applied once
    acknowledged               is found with its content, stored once; the first outcome and the last setting hold:
                               after the next fault, some of it again and again, and all of it at the end

Healing takes a look or two of the watch (seconds), so disagreements are given that long to pass."""
import collections
import json
import random
import time

from wire import Wire

SETTLES_WITHIN = 20
UNSEEN_AFTER = 4  # looks at a queue are a second apart
LOOKED_AGAIN = 100  # opt-ins and outcomes, of those that were found before


class Checker:
    def __init__(self, scenario, ledger):
        self.scenario = scenario
        self.ledger = ledger
        self.loses_reports = False  # Redis may lose what it has taken, and so a report that hotlead has not read yet
        self.dice = random.Random("what is looked for again")
        self.elsewhere = {}  # what another server has open on this queue
        self.shared = set()  # of these both servers know
        self.excused = []  # (task, delivery) that only a pop without an answer can have, by the last look
        self.unseen = 0

    def _get_all(self, paths, bearer=None):
        """While a rebuild runs hotlead says 503 to who reads: then they are asked again."""
        wire = Wire(self.scenario.server.port)
        end = time.monotonic() + SETTLES_WITHIN
        try:
            answers = wire.get_all(paths, bearer or self.scenario.sk)
            while (late := [i for i, answer in enumerate(answers) if answer.status == 503]) and time.monotonic() < end:
                time.sleep(0.05)
                for i, answer in zip(late, wire.get_all([paths[i] for i in late], bearer or self.scenario.sk)):
                    answers[i] = answer
            return answers
        finally:
            wire.close()

    # --- what was acknowledged ---------------------------------------------------------------

    def check_acknowledged(self):
        """Every opt-in that was acknowledged since the last call, with its content."""
        with self.ledger.lock:
            fresh, self.ledger.fresh = self.ledger.fresh, {}
        for optin, found in self.find_optins(fresh).items():
            if found.get("task"):
                self.ledger.learn(found["task"], found["person"], optin)
                self.ledger.found[optin] = fresh[optin]
            else:  # while a rebuild runs; it is asked for again
                assert found.get("state") == "received", f"acknowledged {optin} has no task: {found}"
                with self.ledger.lock:
                    self.ledger.fresh[optin] = fresh[optin]

    def find_optins(self, optins):
        """What hotlead says of each; all that was sent must be in it."""
        answers = self._get_all([f"/v1/optins/{optin}" for optin in optins])
        found = {optin: answer.json if answer.status == 200 else {} for optin, answer in zip(optins, answers)}
        wrong = [
            f"acknowledged {optin} {sent} is {answer}"
            for (optin, sent), answer in zip(optins.items(), answers)
            if any(found[optin].get(name) != value for name, value in sent.items())
        ]
        assert not wrong, wrong[:5]
        return found

    def check_settings(self):
        settings = dict(self.ledger.settings)
        self._find_settings(settings)
        for path in [path for path in settings if "/agents/" in path]:
            self.ledger.settled[path] = self.ledger.settings.pop(path)

    def _find_settings(self, settings):
        for (path, (member, values)), answer in zip(settings.items(), self._get_all(list(settings), self.scenario.admin)):
            found = answer.json.get(member) if answer.status == 200 else None
            assert None in values or found in values, f"{path}: {member} is {found}, not of {values}: {answer}"

    def check_outcomes(self):
        """Every outcome that was acknowledged over HTTP since the last call."""
        with self.ledger.lock:
            kept, self.ledger.fresh_kept = self.ledger.fresh_kept, {}
        self.find_outcomes(kept)

    def find_outcomes(self, kept):
        for (task, outcome), answer in zip(kept.items(), self._get_all([f"/v1/tasks/{task}" for task in kept])):
            found = answer.json if answer.status == 200 else {}
            assert (found.get("state"), found.get("outcome")) == ("ended", outcome), f"{outcome} of {task}: {answer}"

    def check_some_again(self):
        """What was found once is found still: a part of it, however old."""
        ledger = self.ledger
        self.find_optins(self.some(ledger.found))
        self.find_outcomes(self.some(ledger.kept))

    def some(self, all_of_them):
        """A part of it that is drawn."""
        chosen = self.dice.sample(sorted(all_of_them), min(len(all_of_them), LOOKED_AGAIN))
        return {name: all_of_them[name] for name in chosen}

    def check_all_again(self):
        """Everything that was ever acknowledged; traffic rests."""
        ledger = self.ledger
        self.find_optins(ledger.found)
        self.find_outcomes(ledger.kept)
        self._find_settings({**ledger.settled, **ledger.settings})

    # --- what stands in the queue --------------------------------------------------------------

    def settle(self, timeout=SETTLES_WITHIN):
        """Until all agree; then forgets the tasks that ended, and what was excused is excused for good, not another
        task in its place. Traffic rests."""
        start = time.monotonic()
        while True:
            taken = time.monotonic() - start  # when the look begins: a thousand answers are read in turn
            self.check_acknowledged()
            people, wrong = self.disagreements()
            if not wrong and not self.ledger.fresh:
                break
            assert taken < timeout, f"{len(wrong)} disagreements after {timeout} s: {wrong[:5]}"
            if taken > UNSEEN_AFTER and self.unseen == len(wrong):
                self.pop_all()
            time.sleep(0.1)
        with self.ledger.lock:
            for task, person in people.items():
                if not self._open_calls(person):
                    del self.ledger.open[task]
            self.ledger.swallowed.update(self.excused)
            self.ledger.unheard_pops = 0
        self.check_some_again()

    def pop_all(self):
        """A pop is noticed when nothing stands in the queue any more that sorts before it. Where a Redis forgot puts
        which came back behind the pop of a later task, that is after they are popped too."""
        while member := self.scenario.redis("ZPOPMIN", self.scenario.key("tasks")):
            task = json.loads(member[0])
            self.ledger.popped[task["id"], task["delivery"]] += 1

    def visible(self, queue=None):
        """Task id -> its members, all of them."""
        members = collections.defaultdict(list)
        for member in self.scenario.redis("ZRANGE", self.scenario.key("tasks", queue), 0, -1):
            task = json.loads(member)
            members[task["id"]].append(task)
        return members

    def _open_calls(self, person):
        return [task for task in person["tasks"] if task["queue"] == self.scenario.queue]

    def _wrong_robots(self, people):
        """Of the people that are looked at; the queues hold the tasks of others, too."""
        wrong, standing = [], {}
        for task, person in people.items():
            for robots in (task for task in person["tasks"] if task["queue"] != self.scenario.queue):
                queue = robots["queue"]
                standing[queue] = standing.get(queue) or self.visible(queue)
                deliveries = [one["delivery"] for one in standing[queue].get(robots["id"], [])]
                if robots["state"] != "queued" or deliveries != [robots["delivery"]]:
                    wrong.append(f"{robots} of {task} stands as {deliveries}")
        return wrong

    def disagreements(self):
        """(task -> its person as hotlead tells of it, what is wrong)."""
        with self.ledger.lock:
            known = dict(self.ledger.open)
        visible = self.visible()
        wrong = self._unknown(visible, known)
        answers = self._get_all([f"/v1/people/{one.person}" for one in known.values()])
        people = {task: answer.json for task, answer in zip(known, answers) if answer.status == 200}
        wrong += [f"nobody knows {task}" for task in known if task not in people]
        self.excused, self.unseen = [], 0
        for task, person in people.items():
            why = task not in self.shared and self._wrong_with(task, person, visible.get(task, []))
            if why:
                wrong.append(f"{task} {why}: {person['tasks']}, stands as {visible.get(task)}, {self._pops_of(task)}")
        wrong += self._wrong_depth(sum(bool(self._open_calls(person)) for person in people.values()))
        wrong += self._wrong_robots(people)
        return people, wrong

    def _unknown(self, visible, known):
        """Opt-ins whose answer was lost are in the queue too, and are hotlead's to know; they are known from here on.
        A task that has ended is not known any more."""
        wrong = []
        for task in [task for task in visible if task not in known and task not in self.elsewhere]:
            (answer,) = self._get_all([f"/v1/tasks/{task}"], self.scenario.admin)
            if answer.status != 200 or answer.json["state"] == "ended":
                wrong.append(f"{task} stands in the queue and should not: {answer}")
            else:
                known[task] = self.ledger.learn(task, answer.json["person"], answer.json["optin"])
        return wrong

    def _wrong_with(self, task, person, standing):
        if person["optins"] != 1:
            return f"is of a person with {person['optins']} opt-ins"
        open_calls = self._open_calls(person)
        if not open_calls:
            return self._wrong_with_ended(task, person, standing)
        (found,) = open_calls
        if person["attempts"] or task in self.ledger.kept:
            return "is open after its outcome"
        if task in self.ledger.reported and not self.loses_reports:
            return "is open, and Redis has its outcome"
        if found["state"] == "parked":
            return "stands in the queue and is parked" if standing else None
        if found["state"] != "queued" and standing:
            return "stands in the queue and is held"
        if [one["delivery"] for one in standing] == [found["delivery"]]:
            return None
        is_taken = not standing and self._is_taken(task, found["delivery"])
        if found["state"] != "queued":
            return None if is_taken else "is held, and no consumer has it"
        self.unseen += is_taken
        return "was popped, and is not known to be" if is_taken else "does not stand once"

    def _is_taken(self, task, delivery):
        """By a consumer, by the test, or by a pop whose answer was lost with its connection."""
        if self.ledger.popped[task, delivery] or (task, delivery) in self.ledger.vanished | self.ledger.swallowed:
            return True
        if len(self.excused) == self.ledger.unheard_pops:
            return False
        self.excused.append((task, delivery))
        return True

    def _pops_of(self, task):
        popped = self.ledger.popped.items()
        return [f"delivery {delivery} popped {count}x" for (one, delivery), count in popped if one == task]

    def _wrong_with_ended(self, task, person, standing):
        said = {self.ledger.kept[task]} if task in self.ledger.kept else self.ledger.said[task]
        if standing:
            return "stands in the queue and has ended"
        if person["attempts"] != 1:
            return f"has had its outcome {person['attempts']} times"
        return None if person["last_outcome"] in said else f"ended by {person['last_outcome']}, which nobody said"

    def _wrong_depth(self, open_tasks):
        name = 'hotlead_queue_depth{queue="%s"} ' % self.scenario.queue
        text = self._get_all(["/metrics"], self.scenario.admin)[0].text
        depth = next((int(line[len(name) :]) for line in text.splitlines() if line.startswith(name)), 0)
        return [] if depth == open_tasks else [f"hotlead counts {depth} open tasks, it has {open_tasks}"]

    # --- between rounds ------------------------------------------------------------------------

    def end_most(self, keep=30):
        """Ends what is open over HTTP, but for those that came last, so that rounds stay small."""
        wire = Wire(self.scenario.server.port)
        tasks = list(self.ledger.open)
        for task in tasks[: max(0, len(tasks) - keep)]:
            body = {"delivery": 1, "outcome": "no_answer", "agent": "cleaner"}
            with self.ledger.lock:
                self.ledger.said[task].add("no_answer")
            answer = wire.ask("POST", f"/v1/tasks/{task}/outcome", body, self.scenario.admin)
            assert answer.status in (200, 409), answer
            if answer.status == 200:
                self.ledger.kept[task] = "no_answer"
        wire.close()
