"""Killed while rows of state are in memory alone that came in another order than they are kept in: what was due is due
after the restart, once."""
import collections
import concurrent.futures
import contextlib
import http.client
import re
import shutil
import struct
import time

from experiment import told
from rounds import Rounds
from servers import wait_until
from tables import Store, copy_of
from test_audit import Audited
from web import Web

PEOPLE = 40  # of a round: fewer than the rows that may make room for one that comes late
POSTERS, LOOKERS = 2, 2
TURN_MS = 4000  # of the clock: then state stores what was new a turn before, and what came since waits for the next one
DEADLINE = 300
AT_ONCE = 1.2  # seconds of a new process in which all is stored at once: it puts its queues in order from what is stored


class LateRows(Audited):
    clock = True

    def start_server(self):
        super().start_server()
        self.begun = time.monotonic()

    def test_what_is_due_is_there_after_a_kill_and_done_once(self):
        self.rounds = Rounds(short=5, long=200)
        self.reader = self.accept_optin({"name": "Somebody Looked At"})["person"]
        self.rounds.run(self.one_round)
        self.rounds.tell("late_rows", "kills lost a row of what is due")
        told("late_rows", 0, self.rounds.count * PEOPLE, "deadlines passed never or twice")

    def one_round(self, number, dice):
        """All are known before, and come in another order while the clock stands still: due rows of one moment are kept
        in that of the people's numbers."""
        known = [self.person_number(number * PEOPLE + i) for i in range(PEOPLE)]
        answer = self.web.post("/v1/optins/batch", [{**one, "test": True} for one in known], bearer=self.sk)
        self.assertEqual(PEOPLE, answer.json["accepted"], answer)
        optins = [{**one, "event_id": f"{number}.{i}"} for i, one in enumerate(known)]
        dice.shuffle(optins)
        time.sleep(max(0, self.begun + AT_ONCE - time.monotonic()))
        self.kill_amid(optins, number, dice)
        self.assert_due_rows_are_there()
        self.start_server()
        people = [self.post_optin(optin).json["person"] for optin in optins]  # those that were not heard, and replays
        self.assert_no_orphans()
        self.clock.advance(DEADLINE + 1)
        for person in people:
            wait_until(lambda who=person: "breach" in self.did(who), what="each deadline to pass")
            self.assertEqual({1}, set(self.did(person).values()), person)
        return "kill"

    def kill_amid(self, optins, number, dice):
        """They come while the clock goes on in turns, so that what is to be stored ends amid those of one moment."""

        def post(turn):
            dice = self.rounds.dice(f"{number}/{turn}")
            for optin in optins[turn::POSTERS]:
                yield lambda web, optin=optin: self.post_optin(optin, web=web)
                time.sleep(dice.uniform(0, 0.02))

        def look():
            """State is stored for whoever looks; and where nobody comes for some ms, all of it is."""
            while True:
                yield lambda web: web.get(f"/v1/people/{self.reader}", bearer=self.sk)

        def work(requests):
            web = Web(self.server.port, timeout=5)
            with contextlib.suppress(OSError, http.client.HTTPException):  # it is killed
                for request in requests:
                    request(web)
            web.close()

        with concurrent.futures.ThreadPoolExecutor(POSTERS + LOOKERS) as pool:
            working = [pool.submit(work, post(turn)) for turn in range(POSTERS)]
            working += [pool.submit(work, look()) for _ in range(LOOKERS)]
            for _ in range(dice.randrange(3, 7)):
                time.sleep(dice.uniform(0.005, 0.04))
                self.clock.set(self.clock.now_ms + TURN_MS, settles=0.012)
            time.sleep(dice.uniform(0, 0.02))
            self.server.kill()
        for each in working:
            each.result()

    def assert_due_rows_are_there(self):
        """As a start finds them: each person, and each open task, with what it is due for, and no other."""
        copy = copy_of(self.server.data, self.folder / "copy")
        ((_, meta),) = Store(copy / "state" / "rows").read("meta")
        _, settled_seq, folded_seq = struct.unpack_from("=3Q", meta)
        self.rounds.note_felt("kill", settled_seq < folded_seq)
        dump = self.server.run("dump", "--data", copy).stdout.decode()
        shutil.rmtree(copy)
        wanted, there = set(), set()
        for line in dump.splitlines():
            table, _, line = line.partition(" ")
            line, _, first = line.partition(" task: ")
            row, first = (dict(re.findall(r"(\w+)=(\w+)", each)) for each in (line, first))
            if table == "due":
                there.add((row["person"], row["task"], row["due_ms"]))
            if table == "person" and row["due_ms"] != "0":
                wanted.add((row["person"], "0", row["due_ms"]))
            if table == "task":
                first = row
            if first and first["due_kind"] != "0":
                wanted.add((row["person"], first["number"], first["due_ms"]))
        self.assertTrue(wanted)
        self.assertEqual(wanted, there)

    def did(self, person):
        """How often each deadline passed and each step was taken."""
        return collections.Counter(
            (event["kind"], event["step"]["id"]) if "step" in event else event["kind"]
            for event in self.get(f"/v1/people/{person}/history")["history"]
            if event["kind"] in ("breach", "step", "skipped")
        )
