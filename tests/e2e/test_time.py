"""Time that jumps, repeats, stands still or is gone: whatever it does, each deadline and each lease fires once, who
opts in is heard all the while, and the times that are written down never go back."""
import datetime
import http.client
import threading
import time
import unittest

from experiment import told
from harness import LONG, Scenario
from servers import IS_SANITIZED, wait_until
from web import Web

SECOND, MINUTE, HOUR, DAY = 1, 60, 3600, 86400
PEOPLE = 150 if LONG and not IS_SANITIZED else 6  # of each case
CLAIMED = PEOPLE // 3
DEADLINE = 300  # s, of a first response
CONTENT_WINDOW, KEY_WINDOW = 300, 7 * DAY  # how long a repetition is known


def utc_ms(*moment):
    return round(datetime.datetime(*moment, tzinfo=datetime.timezone.utc).timestamp() * 1000)


class Stream:
    """New people, one every 20 ms, as long as the `with` lasts. Each must be accepted, and not earlier than the one
    before; only while `may_fail` is set may there be no answer at all."""

    def __init__(self, scenario):
        self.scenario = scenario
        self.accepted = []
        self.faults = []
        self.may_fail = False
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()

    def _run(self):
        web, number = Web(self.scenario.server.port), 0
        while not self.is_over.wait(0.02):
            number += 1
            optin = {"email": f"stream{number}-{id(self)}@example.com"}
            try:
                answer = self.scenario.post_optin(optin, web=web)
            except (OSError, http.client.HTTPException) as error:
                if not self.may_fail:
                    self.faults.append(error)
                continue
            if answer.status == 202:  # kept as it came: state is being caught up with after a kill
                continue
            if answer.status != 201:
                self.faults.append(answer)
            elif self.accepted and answer.json["deadline_ms"] < self.accepted[-1]["deadline_ms"]:
                self.faults.append(("earlier than the one before", answer))
            else:
                self.accepted.append(answer.json)
        web.close()


class Timed(Scenario):
    """People with deadlines, some of them claimed, and what must have happened to each when time is over."""

    def setUp(self):
        super().setUp()
        self.people = {}  # person -> how often it was claimed
        self.number = 0

    def opt_in(self, count):
        """New people with keys of their own, the opt-in of each, and a third of what is open claimed."""
        known = []
        for _ in range(count):
            self.number += 1
            optin = {"email": f"timed{self.number}@example.com"}
            key = {"Idempotency-Key": f"key-{self.number}"}
            known.append((optin, key, self.accept_optin(optin, headers=key)))
            self.people[known[-1][2]["person"]] = 0
        self.number += 1
        plain = {"email": f"timed{self.number}@example.com"}
        known.append((plain, None, self.accept_optin(plain)))
        self.people[known[-1][2]["person"]] = 0
        self.wait_task(known[-1][2]["task"])
        for _ in range(CLAIMED if count else 0):
            ask = {"queue": self.queue, "agent": "a42", "wait_s": 5}
            task = self.web.post("/v1/tasks/claim", ask, bearer=self.admin).json
            self.people.setdefault(task["person"], 0)
            self.people[task["person"]] += 1
        return known

    def assert_windows_hold(self, known, passed_s):
        """A repetition is known as long as is documented, by the time that has passed, and no longer."""
        for optin, key, first in known:
            answer = self.post_optin(optin, headers=key)
            if passed_s <= (KEY_WINDOW if key else CONTENT_WINDOW):
                self.assertEqual((200, first), (answer.status, answer.json))
            else:
                self.assertEqual(201, answer.status, answer)
                self.assertEqual(first["person"], answer.json["person"])

    def history(self, person):
        events, page = [], {"next": ""}
        while page["next"] is not None:
            more = f"?before={page['next']}" if page["next"] else ""
            page = self.get(f"/v1/people/{person}/history{more}")
            events += page["history"]
        return events

    def wait_all_fired(self):
        """Until each deadline has, and each lease of a claim."""
        for person, claims in self.people.items():
            wait_until(lambda: self.fired(person) >= (1, claims), 20, f"the deadline and {claims} leases of {person}")

    def fired(self, person):
        return self.count_fired(self.history(person))[1:]

    @staticmethod
    def count_fired(events):
        """When an answer was promised, how often a deadline was found passed, be it when a lease ended, and how often a
        lease ended. Who opts in again while a late call is in nobody's hand is promised an answer anew."""
        promises, breaches, is_breached, in_hand = [], 0, False, False
        for event in sorted(events, key=lambda event: event["seq"]):
            if "optin" in event and (not promises or is_breached and not in_hand):
                promises.append(event["now_ms"])
                is_breached = False
            is_new = event.get("breached", False) and not is_breached
            breaches += event["kind"] == "breach" or is_new
            is_breached = is_breached or is_new or event["kind"] == "breach"
            in_hand = event["kind"] in ("claim", "extend") or in_hand and event["kind"] != "lease_ended"
        return promises, breaches, sum(event["kind"] == "lease_ended" for event in events)

    def tell(self, name, steps):
        """Once each, and no record earlier than the one before it in the journal."""
        wrong, moments = 0, []
        histories = {person: self.history(person) for person in self.people}
        latest_ms = max(event["now_ms"] for events in histories.values() for event in events)
        for person, events in histories.items():
            promises, breaches, leases = self.count_fired(events)
            due = sum(promised_ms + DEADLINE * 1000 <= latest_ms for promised_ms in promises)
            wrong += (breaches != due) + abs(leases - self.people[person])
            moments += [(event["seq"], event["now_ms"]) for event in events]
        moments.sort()
        fell = sum(after[1] < before[1] for before, after in zip(moments, moments[1:]))
        self.assertEqual(0, wrong, "deadlines and leases that were lost, or fired twice")
        self.assertEqual(0, fell, "records that are earlier than the one before")
        fired = f"{len(self.people)} deadlines and {sum(self.people.values())} leases"
        told(name, 0, steps, f"steps lost one of {fired}, fired it twice, or turned back one of {len(moments)} records")

    def assert_all_heard(self, stream):
        self.assertEqual([], stream.faults[:3])
        self.assertGreater(len(stream.accepted), 0)
        self.people.update((answer["person"], self.people.get(answer["person"], 0)) for answer in stream.accepted)


class Steps(Timed):
    """On a clock that is set; in New York, which has nights that are an hour short or long."""

    clock = True

    # Name; when it begins, None: where the case before it ended; and what the clock does then.
    CASES = (
        ("the night that is an hour short", utc_ms(2027, 3, 14, 6, 57), [MINUTE] * 8),
        ("the night that is an hour long", utc_ms(2027, 11, 7, 5, 57), [MINUTE] * 8),
        ("a leap day begins", utc_ms(2028, 2, 28, 23, 57), [MINUTE] * 8),
        ("a leap day ends", utc_ms(2028, 2, 29, 23, 57), [MINUTE] * 8),
        ("a leap second", utc_ms(2028, 12, 31, 23, 59, 59), [0.9, -1, 0.9, 0.2, 4 * MINUTE, 2 * MINUTE]),
        ("killed between", None, [2 * MINUTE, "kill", 2 * MINUTE, "kill", 2 * MINUTE]),
        ("seven days down", None, ["stop", 7 * DAY, "start"]),
        ("an hour on", None, [HOUR]),
        ("an hour back", None, [-HOUR, 6 * MINUTE]),
        ("a day on", None, [DAY]),
        ("a day back", None, [-DAY, 6 * MINUTE]),
        ("on and back", None, [HOUR, -HOUR, DAY, -DAY, 6 * MINUTE]),
        ("a year on", None, [366 * DAY]),
        ("a year back", None, [-366 * DAY, 6 * MINUTE]),
    )

    def start_server(self):
        self.server.environment = {"TZ": "America/New_York"}
        super().start_server()

    def test_every_step_fires_each_deadline_once(self):
        with Stream(self) as stream:
            for name, begins_ms, steps in self.CASES:
                with self.subTest(name):
                    self.live_through(begins_ms, steps, stream)
        self.assert_all_heard(stream)
        self.clock.advance(HOUR)
        self.wait_all_fired()
        self.server.kill()
        self.start_server()
        self.clock.advance(HOUR)
        time.sleep(1)  # what would fire once more
        self.tell("steps of the clock", sum(len(steps) for _, _, steps in self.CASES))

    def live_through(self, begins_ms, steps, stream):
        if begins_ms:
            self.clock.set(begins_ms)
        known = self.opt_in(PEOPLE)
        passed_s = 0
        for step in steps:
            if isinstance(step, str):
                self.act(step, stream)
            else:
                self.clock.advance(step)
                passed_s += max(step, 0)
        self.assert_windows_hold(known, passed_s)
        self.clock.advance(HOUR)
        self.wait_all_fired()

    def act(self, what, stream):
        stream.may_fail = True
        if what == "kill":
            self.server.kill()
        if what == "stop":
            self.assertEqual(0, self.server.stop())
            return
        self.start_server()
        stream.may_fail = False


class Sleeps(Timed):
    """On the machine's clocks: it sleeps, which its monotonic clock does not see, or its wall clock alone is set."""

    wall_clock = True

    def live_through(self, act, passed_s, stays_free=True):
        with Stream(self) as stream:
            known = self.opt_in(PEOPLE)
            act()
            if stays_free:
                self.assert_stays(lambda: self.clock_is("ok"), 1.2, "the clock to be believed")  # it looks once a second
            else:
                wait_until(lambda: self.clock_is("held"), 20, "the clock to be held")
            self.assert_windows_hold(known, passed_s)
            if not stays_free:
                time.sleep(1)
                self.assertEqual({(0, 0)}, {self.fired(answer["person"]) for _, _, answer in known})
                self.server.run("clock", "accept", "--data", self.server.data)
            self.wall_clock.step(3 * HOUR)
            self.wait_all_fired()
        self.assert_all_heard(stream)
        self.wall_clock.step(3 * HOUR)
        self.wait_all_fired()
        time.sleep(1.2)

    def clock_is(self, what):
        return self.web.get("/readyz").json["clock"] == what

    def test_a_week_asleep_is_time_that_passed(self):
        self.live_through(lambda: self.wall_clock.sleep(7 * DAY + HOUR), 7 * DAY + HOUR)
        self.tell("a week asleep", 1)

    def test_a_leap_second_and_an_hour_back_change_nothing(self):
        self.live_through(lambda: (self.wall_clock.step(-1), self.wall_clock.step(-HOUR)), 0)
        self.tell("a second and an hour back", 2)

    def test_a_year_that_nobody_believes_is_held_until_it_is_accepted(self):
        self.live_through(lambda: self.wall_clock.step(366 * DAY), 0, stays_free=False)
        self.tell("a year held, then accepted", 1)


if __name__ == "__main__":
    unittest.main()
