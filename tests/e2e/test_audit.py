"""hotlead audit: nothing is missing, whatever happens; and whatever is missing is named."""
import json
import random
import shutil
import threading
import time

from harness import LONG, Load, Scenario, Web
from tables import Store, copy_of


def sums(done):
    return {name: int(number) for name, number in (line.split() for line in done.stdout.decode().splitlines() if not line.startswith("orphan:"))}


class Audited(Scenario):
    def audit(self, data=None, code=0, words=()):
        """The sums; the orphans, line by line."""
        folder = data or self.server.data
        done = self.server.run(
            "audit", "--data", folder, "--redis", self.redis.url, "--state-map-bytes", "1GiB", *words, check=False
        )
        said = done.stdout.decode()
        self.assertEqual(code, done.returncode, said + done.stderr.decode())
        return sums(done), [line for line in said.splitlines() if line.startswith("orphan:")]

    def assert_no_orphans(self):
        found, orphans = self.audit()
        self.assertEqual([], orphans)
        self.assertEqual(0, found["orphans"])
        self.assertEqual(found["optins"], found["ended"] + found["open"])
        return found

    def consume(self, stopped, dice, queue=None):
        """Pops, claims, and says something of most."""
        while not stopped.is_set():
            member = self.redis("ZPOPMIN", self.key("tasks", queue))
            if not member:
                time.sleep(0.01)
                continue
            task = json.loads(member[0])
            if dice.random() < 0.8:
                self.report(task, "claim")
            if dice.random() < 0.6:
                self.report(task, "outcome", outcome=dice.choice(("no_answer", "conversation", "sold")))

    def live(self):
        """One of each kind of life: ended, held, popped, breached or open; answered without a task; a list."""
        self.create("queues", id="acme.list", agency="acme", shape="list")
        self.create("agents", id="a42", agency="acme")
        listed = self.create("sites", id="acme-list", agency="acme", queue="acme.list", country="US")
        for n in range(12):
            self.accept_optin(self.person_number(n))
        for n in range(20, 23):
            self.accept_optin(self.person_number(n), key=listed["sk"])
        self.accept_optin({"name": "Nobody Known"})
        self.accept_optin({"email": "test@example.com", "test": True})
        bot = {"email": "bot@example.com", "_hp": "I fill in everything"}
        self.web.request("POST", f"/f/{self.pk}", "&".join(f"{k}={v}" for k, v in bot.items()).replace("@", "%40").replace(" ", "+"),
                         headers={"Content-Type": "application/x-www-form-urlencoded"})  # fmt: skip
        self.wait_task_count(12)  # and one to be looked for, on the queue for that
        said = [("claim", {}), ("outcome", {"outcome": "conversation"}), ("outcome", {"outcome": "do_not_contact"}), ("release", {})]
        for op, fields in said:
            task = self.pop()
            self.report(task, "claim")
            if op != "claim":
                self.report(task, op, **fields)
        self.accept_optin({**self.person_number(11), "event_id": "again"})
        self.let_the_watch_see_a_pop()


class Lives(Audited):
    clock = True

    def test_all_lives_are_sound_beside_the_server_after_it_and_after_a_kill(self):
        self.live()
        self.redis("ZPOPMIN", self.key("tasks"))
        self.let_the_watch_see_a_pop()
        before = self.assert_no_orphans()
        self.assertEqual((19, 18), (before["optins"], before["people"]))
        self.clock.advance(301)
        self.let_the_watch_see_a_pop()
        self.clock.advance(3600)
        self.let_the_watch_see_a_pop()
        self.assert_no_orphans()
        self.server.kill()
        self.assert_no_orphans()
        self.start_server()
        self.let_the_watch_see_a_pop()
        self.assert_no_orphans()
        self.server.stop()
        self.assertEqual(before, {**self.assert_no_orphans(), "people": before["people"]})

    def test_what_waits_for_redis_or_in_its_streams_is_no_orphan(self):
        self.live()
        self.server.stop()
        self.redis.stop()
        found, orphans = self.audit(code=1)
        self.assertEqual((0, []), (found["orphans_without_redis"], orphans), "the rest is looked at while Redis is away")
        self.assertFalse({"orphans", "unpushed"} & found.keys(), "nothing is said of what was not looked at")
        done = self.server.run("audit", "--data", self.server.data, "--redis", self.redis.url, "--json", check=False)
        self.assertFalse({"orphans", "unpushed"} & json.loads(done.stdout.decode().splitlines()[-1]).keys())
        self.assertEqual(0, self.audit(words=["--without-redis"])[0]["orphans"])
        self.redis.start()
        self.assert_no_orphans()
        task = self.pop()
        self.report(task, "outcome", outcome="conversation")
        self.assert_no_orphans()
        self.redis("FLUSHALL")
        self.assertLess(0, self.assert_no_orphans()["unpushed"])


    def test_a_url_that_is_none_is_a_wrong_word(self):
        for url, words in (("http://x", "must begin with redis://"), ("redis://", "cannot be understood"), ("rediss://x", "TLS")):
            done = self.server.run("audit", "--data", self.server.data, "--redis", url, check=False)
            self.assertEqual((2, b""), (done.returncode, done.stdout), url)
            self.assertIn(words, done.stderr.decode())
            done = self.server.run("audit", "--data", self.server.data, "--redis", url, "--without-redis", check=False)
            self.assertEqual(0, done.returncode, "nobody looks there")


class UnderLoad(Audited):
    def test_nothing_is_named_while_everything_moves(self):
        stopped = threading.Event()
        consumer = threading.Thread(target=self.consume, args=(stopped, random.Random(5)))
        looks = 20 if LONG else 3
        with Load(self) as load:
            consumer.start()
            for _ in range(looks):
                load.wait_acked(len(load.acked) + 200)
                self.assertLess(100, self.assert_no_orphans()["optins"])
            stopped.set()
            consumer.join()
            self.let_the_watch_see_a_pop()  # what is popped while no server looks is told from what is lost by nobody
            acked = len(load.acked)
            self.server.kill()
        self.assertLessEqual(acked, self.assert_no_orphans()["optins"])
        self.start_server()


class UnderTraffic(Audited):
    queue_settings = {"assign": "round_robin"}

    def opt_in_and_administer(self, stopped):
        """Each opt-in takes somebody's turn and was referred; settings change all the while."""
        referrer = self.accept_optin(self.person_number(0))["person"]
        web, number = Web(self.server.port), 0
        while not stopped.wait(0.02):
            number += 1
            self.post_optin({**self.person_number(number), "referred_by": referrer}, web=web)
            web.request("PATCH", "/v1/sites/acme-www", json.dumps({"suspect_limit": 100 + number}), bearer=self.admin)
        web.close()

    def test_nothing_is_named_while_turns_referrals_and_settings_change(self):
        self.create("agents", id="a42", agency="acme")
        stopped = threading.Event()
        threads = [
            threading.Thread(target=self.opt_in_and_administer, args=(stopped,)),
            threading.Thread(target=self.consume, args=(stopped, random.Random(7), "acme.a-a42")),
        ]
        for thread in threads:
            thread.start()
        for _ in range(20 if LONG else 4):
            self.assert_no_orphans()
        stopped.set()
        for thread in threads:
            thread.join()
        self.let_the_watch_see_a_pop()
        self.assertLess(10, self.assert_no_orphans()["people"])


class Damaged(Audited):
    """On copies; the folder itself is sound at the end."""

    def setUp(self):
        super().setUp()
        self.live()
        self.server.stop()
        self.assert_no_orphans()

    def damaged(self, store, damage, *arguments):
        """Does it to a store of a copy of the folder; what the audit of that names."""
        data = copy_of(self.server.data, self.folder / "copy")
        damage(Store(data / store), *arguments)
        found, orphans = self.audit(data, code=1)
        self.assertEqual(found["orphans"], len(orphans))
        shutil.rmtree(data)
        return orphans

    def assert_named(self, orphans, *words):
        for word in words:
            self.assertTrue(any(word in line for line in orphans), f"{word!r} is not in {orphans}")

    def test_rows_and_records_that_are_deleted_or_changed_are_named(self):
        for table, words in {
            "due": ["state does not have the due time", "task tsk_", "person per_"],
            "outbox": ["state does not have the put for its queue", "task tsk_"],
            "visible": ["state does not have the place in its queue", "task tsk_"],
            "person": ["state does not have the person", "person per_", "state does not have the task"],
            "suspect": ["state does not have the entry among the suspect opt-ins", "optin opt_"],
            "work": ["state does not have the entry in its agent's work", "task tsk_"],
            "owned": ["state does not have the entry among its owner's people", "person per_"],
            "queue": ["state does not have a row of the queue acme."],
            "tally": ["what reports count is damaged"],
        }.items():
            with self.subTest(f"deleted from {table}"):
                self.assert_named(self.damaged("state/rows", Store.delete, table), *words)
        for table in ("person", "due", "outbox", "visible", "suspect", "tally"):
            with self.subTest(f"flipped in {table}"):
                self.damaged("state/rows", Store.flip, table)
        with self.subTest("a task that is gone from its person's row"):
            orphans = self.damaged("state/rows", self.forget_a_task)
            self.assert_named(orphans, "state does not have the task", "task tsk_")
        with self.subTest("a due time that is another"):
            orphans = self.damaged("state/rows", self.move_a_due_row)
            self.assert_named(orphans, "the due time in state does not follow from the journal", "does not have the due time")

        records = Store(self.server.data / "journal").read()
        dice = random.Random(11)
        for which in [0, len(records) - 1, *dice.sample(range(1, len(records) - 1), 12 if LONG else 2)]:
            with self.subTest("deleted", record=which + 1):
                self.assert_named(self.damaged("journal", Store.delete, "", which), f"record {which + 1}")
            with self.subTest("flipped", record=which + 1):
                place = dice.randrange(len(records[which][1]))
                self.assert_named(self.damaged("journal", Store.flip, "", which, place), f"record {which + 1}")

    def forget_a_task(self, store):
        rows = store.read("person")
        lengths = [len(value) for _, value in rows]
        which = lengths.index(max(lengths))
        rows[which] = (rows[which][0], rows[which][1][: min(lengths)])
        store.write("person", rows)

    def move_a_due_row(self, store):
        (key, value), *others = store.read("due")
        store.write("due", [(key[:7] + bytes([key[7] ^ 1]) + key[8:], value), *others])

    def test_member_that_is_deleted_from_its_queue_or_put_back_is_named(self):
        for queue in (self.queue, "acme.list"):
            task_id, (task, _) = next(iter(self.tasks(queue).items()))
            key = self.key("tasks", queue)
            members = self.redis("ZRANGE", key, 0, -1) if queue == self.queue else self.redis("LRANGE", key, 0, -1)
            member = next(member for member in members if task_id in member)
            score = self.redis("ZSCORE", key, member) if queue == self.queue else 0
            self.redis("ZREM" if queue == self.queue else "LREM", key, *([] if queue == self.queue else [1]), member)
            with self.subTest("deleted", queue=queue):
                words = f"delivery {task['delivery']} is queued and does not stand in {queue}"
                self.assert_named(self.audit(code=1)[1], f"task {task_id}", words)
            if queue == self.queue:
                self.redis("ZADD", key, score, member)
            else:
                self.redis("LPUSH", key, member)  # it was the first
            self.assert_no_orphans()
        other = member.replace('"delivery":1,', '"delivery":7,')
        self.redis("RPUSH", key, other)
        self.assert_named(self.audit(code=1)[1], f"task {task_id}", "delivery 7 is not open in acme.list and stands there")
        self.redis("LREM", key, 1, other)
        claimed = self.pop()
        self.report(claimed, "claim")
        self.start_server()
        self.let_the_watch_see_a_pop()
        self.server.stop()
        self.redis("ZADD", self.key("tasks"), 1, json.dumps(claimed, separators=(",", ":"), ensure_ascii=False))
        self.assert_named(self.audit(code=1)[1], f"task {claimed['id']}", "is held and stands in acme.calls")
        self.redis("ZPOPMIN", self.key("tasks"))
        self.leave_others_alone(self.key("tasks"))

    def test_member_that_is_not_what_was_put_or_stands_elsewhere_is_named(self):
        key, listed, robots = self.key("tasks"), self.key("tasks", "acme.list"), self.key("tasks", "acme.email")
        task_id, (task, score) = next(iter(self.tasks().items()))
        member = self.redis("ZRANGE", key, 0, 0)[0]
        first = self.redis("LRANGE", listed, 0, 0)[0]
        wrong_number = member.replace(task["phone"], "+19005550100")
        later = member.replace(f'"deadline_ms":{task["deadline_ms"]}', f'"deadline_ms":{task["deadline_ms"] + 1}')
        otherwise = f"delivery {task['delivery']} stands in acme.calls otherwise than it was put"
        for what, damage, repair, words in (
            ("another number to dial", [("ZREM", key, member), ("ZADD", key, score, wrong_number)],
             [("ZREM", key, wrong_number), ("ZADD", key, score, member)], otherwise),
            ("two copies, one with another deadline", [("ZADD", key, score, later)], [("ZREM", key, later)], otherwise),
            ("another score", [("ZADD", key, 4e12, member)], [("ZADD", key, score, member)],
             f"stands in acme.calls at 4000000000000 and was put at {score}"),
            ("a copy in another queue", [("ZADD", robots, score, member)], [("ZREM", robots, member)],
             f"delivery {task['delivery']} is not open in acme.email and stands there"),
            ("another name in a list", [("LSET", listed, 0, first.replace("Person", "Parson"))], [("LSET", listed, 0, first)],
             "stands in acme.list otherwise than it was put"),
        ):  # fmt: skip
            with self.subTest(what):
                self.assertIn(task["phone"], member)
                self.assertNotEqual(member, later)
                for command in damage:
                    self.redis(*command)
                orphans = self.audit(code=1)[1]
                self.assertEqual(1, len(orphans), orphans)
                self.assert_named(orphans, words)
                self.assert_named(orphans, f"task {json.loads(first)['id'] if 'list' in what else task_id}")
                for command in repair:
                    self.redis(*command)
                self.assert_no_orphans()

    def leave_others_alone(self, key):
        """What another node, another life of this journal, or somebody else put there."""
        member = self.redis("ZRANGE", key, 0, 0)[0]
        self.redis("ZADD", key, 1, member.replace(":reports:n1", ":reports:n2"), 2, "something else", 3, '{"v":1,"id":"tsk_"}')
        self.assert_no_orphans()

    def test_orphans_are_told_as_json(self):
        data = copy_of(self.server.data, self.folder / "copy")
        Store(data / "state" / "rows").delete("due")
        done = self.server.run("audit", "--data", data, "--redis", self.redis.url, "--json", check=False)
        *orphans, total = [json.loads(line) for line in done.stdout.decode().splitlines()]
        self.assertEqual((1, 1), (total["orphans"], len(orphans)))
        self.assertTrue(orphans[0]["orphan"]["task"].startswith("tsk_"))
        self.assertEqual("state does not have the due time", orphans[0]["orphan"]["what"])
