"""hotlead replay: the state as it was, while the folder goes on."""
import datetime
import hashlib
import time

from harness import Load, Scenario


class Replays(Scenario):
    def replay(self, asof, *words, code=0):
        flags = ["--state-map-bytes", "1GiB"]
        done = self.server.run("replay", "--data", self.server.data, "--asof", asof, *flags, *words, check=False)
        self.assertEqual(code, done.returncode, done.stderr.decode())
        return done.stdout.decode()


class Moments(Replays):
    clock = True

    def test_the_state_of_each_moment_comes_back_as_it_was(self):
        moments = {}
        people = [self.accept_optin(self.person_number(n))["person"] for n in range(3)]
        self.wait_task_count(3)
        first = self.remember(moments)
        self.report(self.pop(), "claim")
        self.let_the_watch_see_a_pop()
        self.clock.advance(100)
        self.accept_optin({**self.person_number(3), "name": "Late \x1b[31m Comer"})
        self.remember(moments)
        self.clock.advance(301)
        self.let_the_watch_see_a_pop()
        self.report(self.pop(), "outcome", outcome="no_answer", note="rang twice")
        self.let_the_watch_see_a_pop()
        self.remember(moments)
        for now_ms, dump in moments.items():
            self.assertEqual(dump, self.replay(now_ms))
            self.assertEqual(dump, self.replay(now_ms + 50), "until the next record nothing has changed")
        self.server.kill()  # what it left behind is not looked at
        self.assertEqual(moments[first], self.replay(first))

        utc = datetime.datetime.fromtimestamp(first / 1000, datetime.timezone.utc)
        self.assertEqual(moments[first], self.replay(utc.strftime("%Y-%m-%dT%H:%M:%SZ")))
        berlin = utc + datetime.timedelta(hours=1)  # the clock begins in January
        self.assertEqual(moments[first], self.replay(berlin.strftime("%Y-%m-%dT%H:%M:%S+01:00")))
        self.assertEqual(moments[first], self.replay(berlin.strftime("%Y-%m-%dT%H:%M:%S Europe/Berlin")))
        self.replay("next tuesday", code=2)
        self.replay("1", code=2)  # nobody opted in before 1973
        self.replay("2020-01-01T00:00Z", code=1)

        self.see_people(people, moments)
        kept = self.folder / "kept"
        self.assertEqual(moments[first], self.replay(first, "--out", kept))
        self.assertEqual(["index", "rows"], sorted(path.name for path in kept.iterdir()))
        self.replay(first, "--out", kept, code=1)  # there is something already
        self.start_server()

    def remember(self, moments):
        """What a dump says now. The server has to stop for that, and so stands in between."""
        self.server.stop()
        now_ms = self.clock.now_ms
        moments[now_ms] = self.server.run("dump", *self.server.stores).stdout.decode()
        self.start_server()
        self.clock.advance(1)
        return now_ms

    def see_people(self, people, moments):
        first, *_, last = moments
        before, after = ([self.replay(ms, "--person", person) for person in people] for ms in (first, last))
        for page, person in zip(before, people):
            self.assertIn(f"person {person} agency=acme stage=optin optins=1 attempts=0", page)
            self.assertIn("call first_response queued queue=acme.calls delivery=1", page)
            self.assertEqual(1, page.count("\nrecord "))
        self.assertEqual(1, sum('outcome=no_answer agent="a42" note="rang twice"' in page for page in after))
        self.assertEqual(1, sum(" claim " in page and "claimed=" in page for page in after))
        self.replay(first, "--person", "per_" + "0" * 26, code=1)
        self.assertNotIn("\x1b", "".join(after))


class BesideAServer(Replays):
    def test_a_moment_stays_what_it_was_under_load(self):
        with Load(self) as load:
            load.wait_acked(300)
            asof = time.time_ns() // 1_000_000
            time.sleep(0.1)
            then = hashlib.sha256(self.replay(asof).encode()).hexdigest()
            load.wait_acked(len(load.acked) + 300)
            self.assertEqual(then, hashlib.sha256(self.replay(asof).encode()).hexdigest())
        self.server.stop()
        self.assertEqual(then, hashlib.sha256(self.replay(asof).encode()).hexdigest())
        now = self.replay(time.time_ns() // 1_000_000)
        self.assertEqual(self.server.run("dump", *self.server.stores).stdout.decode(), now)
