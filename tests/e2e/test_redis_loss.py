"""Redis may be away, forget, or come back older: no opt-in is refused, no task is lost, and
while Redis loses nothing each delivery is seen exactly once. (In rounds, under load: test_redis_rounds.)"""
import json
import shutil
import signal
import subprocess
import threading
import time
import unittest

from harness import Load, Scenario
from resp import Redis
from servers import Hotlead, wait_until


class Away(Scenario):
    redis_first = False

    def test_opt_ins_are_taken_while_redis_is_not_there_yet(self):
        ready = self.web.get("/readyz")
        self.assertEqual(200, ready.status)
        self.assertIn("degraded", ready.text)
        tasks = [self.accept_optin(self.person_number(i))["task"] for i in range(50)]
        self.redis.start()
        self.wait_tasks(tasks)
        wait_until(lambda: "degraded" not in self.web.get("/readyz").text, what="readiness without a but")

    def test_claims_over_http_say_that_redis_is_away(self):
        answer = self.web.post("/v1/tasks/claim", {"queue": self.queue, "agent": "a", "wait_s": 1}, bearer=self.admin)
        self.assertEqual((503, "redis_away"), (answer.status, answer.json["code"]))
        self.assertIn("retry-after", answer.headers)


class Loss(Scenario):
    def post_some(self, count, first=0):
        return [self.accept_optin(self.person_number(i))["task"] for i in range(first, first + count)]

    def test_redis_stopped_under_load_and_back_shows_every_task(self):
        with Load(self) as load:
            load.wait_acked(100)
            self.redis.stop()
            before = len(load.acked)
            load.wait_acked(before + 200)
            self.redis.start()
            load.wait_acked(before + 400)
        self.assertEqual([], load.refused)
        self.wait_tasks(load.acked.values())
        load.assert_all_found()

    def test_flushall_while_idle_is_healed_within_three_seconds(self):
        tasks = self.post_some(40)
        self.wait_tasks(tasks)
        self.redis("FLUSHALL")
        self.wait_tasks(tasks, timeout=3)

    def test_a_deleted_mark_brings_no_second_copy(self):
        tasks = self.post_some(40)
        self.wait_tasks(tasks)
        (mark,) = self.redis("KEYS", self.key("mark:n1:*"))
        self.redis("DEL", mark)
        wait_until(lambda: self.redis("EXISTS", mark), 3, "the mark to be set again")
        tasks += self.post_some(5, first=100)
        self.wait_tasks(tasks)

    def test_an_older_redis_gets_what_it_missed_and_gives_up_what_was_done(self):
        done, kept = self.post_some(1) + self.post_some(1, first=1)
        self.wait_tasks([done, kept])
        self.redis("SAVE")
        shutil.copy(self.redis.folder / "dump.rdb", self.folder / "older.rdb")
        task = self.tasks()[done][0]
        self.redis("ZREM", self.key("tasks"), json.dumps(task, separators=(",", ":"), ensure_ascii=False))
        self.report(task, "claim")
        self.report(task, "outcome", outcome="conversation")
        wait_until(lambda: "conversation" in json.dumps(self.get(f"/v1/tasks/{done}")), what="the outcome")
        later = self.post_some(30, first=10)
        self.wait_task(later[-1])

        self.redis.stop(signal.SIGKILL)
        shutil.rmtree(self.redis.folder / "appendonlydir")
        shutil.copy(self.folder / "older.rdb", self.redis.folder / "dump.rdb")
        self.redis.start(appendonly="no")
        self.wait_tasks([kept, *later])

    def test_a_frozen_redis_holds_up_no_opt_in_and_doubles_no_task(self):
        tasks = self.post_some(10)
        self.wait_tasks(tasks)
        self.redis.signal(signal.SIGSTOP)
        end = time.monotonic() + 7  # longer than a command may take, so the link is given up
        while time.monotonic() < end:
            start = time.monotonic()
            tasks += self.post_some(1, first=len(tasks))
            self.assertLess(time.monotonic() - start, 2, "an opt-in waited for Redis")
            time.sleep(0.05)
        self.redis.signal(signal.SIGCONT)
        self.wait_tasks(tasks)

    def test_every_delivery_is_popped_exactly_once(self):
        popped, is_over = [], threading.Event()

        def consume():
            link = Redis(self.redis.path)
            while not is_over.is_set():
                reply = link("BZPOPMIN", self.key("tasks"), 0.2)
                if reply:
                    task = json.loads(reply[1])
                    popped.append((task["id"], task["delivery"]))
                    link("XADD", task["report"], "*", "task", task["id"], "delivery", task["delivery"],
                         "op", "outcome", "outcome", "no_answer", "agent", "a42")  # fmt: skip
            link.close()

        consumers = [threading.Thread(target=consume) for _ in range(4)]
        for consumer in consumers:
            consumer.start()
        with Load(self) as load:
            load.wait_acked(600)
        wait_until(lambda: len(popped) >= len(load.acked), 20, "every task to be popped")
        time.sleep(1)
        is_over.set()
        for consumer in consumers:
            consumer.join()
        self.assertEqual(sorted((task, 1) for task in load.acked.values()), sorted(popped))


class Forgotten(Scenario):
    clock = True

    def test_a_deleted_queue_counts_as_popped_and_is_delivered_again(self):
        tasks = [self.accept_optin(self.person_number(i))["task"] for i in range(5)]
        self.wait_tasks(tasks)
        self.redis("DEL", self.key("tasks"))
        self.let_the_watch_see_a_pop()
        self.clock.advance(121)
        for task in tasks:
            self.wait_task(task, delivery=2)

    def test_a_forgotten_pop_shows_the_same_delivery_and_the_first_claim_wins(self):
        first = self.accept_optin(self.person_number(1))
        self.wait_task(first["task"])
        self.redis("SAVE")
        task = self.pop()
        self.redis.stop(signal.SIGKILL)
        shutil.rmtree(self.redis.folder / "appendonlydir")
        self.redis.start(appendonly="no")
        again = self.wait_task(first["task"])
        self.assertEqual(task, again, "the same id and delivery")
        self.report(task, "claim", agent="early")
        self.report(again, "claim", agent="late")
        wait_until(lambda: "early" in json.dumps(self.get(f"/v1/tasks/{task['id']}")), what="the claim")
        self.assertNotIn("late", json.dumps(self.get(f"/v1/tasks/{task['id']}")))

    def breach_many(self, count):
        """More than one push holds, each moved to another rank: as many operations again behind the first puts."""
        tasks = [self.accept_optin(self.person_number(i))["task"] for i in range(count)]
        self.wait_tasks(tasks)
        fresh = max(self.score(task) for task in tasks)
        self.clock.advance(301)
        wait_until(lambda: min(self.score(task) for task in (tasks[0], tasks[-1])) > fresh, what="the breaches")
        wait_until(lambda: self.redis("GET", self.mark()).split()[0] == str(2 * count), what="the mark")
        return tasks

    def mark(self):
        return self.redis("KEYS", self.key("mark") + ":*")[0]

    def test_tasks_that_were_moved_all_come_back(self):
        tasks = self.breach_many(600)
        self.redis("FLUSHALL")
        self.wait_tasks(tasks)
        self.assertEqual(2, len(self.redis("GET", self.mark()).split()), "the gap is closed")

    def test_tasks_that_came_and_were_moved_while_redis_was_away_all_come(self):
        first = self.accept_optin(self.person_number(1000))["task"]
        self.wait_task(first)
        self.redis.stop()
        tasks = [self.accept_optin(self.person_number(i))["task"] for i in range(600)]
        self.clock.advance(301)
        wait_until(lambda: self.metric("hotlead_sla_breaches_total") == 601, what="the breaches")
        self.redis.start()
        self.wait_tasks([first, *tasks])

    def test_tasks_that_were_moved_come_back_when_that_was_cut_short(self):
        tasks = self.breach_many(600)
        mark = self.mark()
        self.assertEqual(0, self.server.stop())
        self.redis("FLUSHALL")
        self.redis("SET", mark, "900 another 0-1200")  # of another process, which got that far
        self.start_server()
        self.wait_tasks(tasks[300:])


class HiddenPops(Scenario):
    """A consumer pops an overdue task and says nothing, something more urgent takes its place, and Redis, its link or
    hotlead is disturbed before the watch has looked again."""

    clock = True

    def add(self, number):
        return self.accept_optin(self.person_number(number))["task"]

    def add_overdue(self, numbers):
        """Behind all that is fresh."""
        tasks = [self.add(number) for number in numbers]
        self.wait_tasks(tasks)
        fresh = max(self.score(task) for task in tasks)
        self.clock.advance(301)
        wait_until(lambda: min(score for _, score in self.tasks().values()) > fresh, what="the breaches")
        time.sleep(1.2)  # nothing of it is left for a look to tell
        return tasks

    def pop_overdue(self):
        (task,) = self.add_overdue([1])
        self.assertEqual(task, self.pop()["id"])
        return task

    def states(self, tasks):
        return {self.get(f"/v1/tasks/{task}")["state"] for task in tasks}

    def assert_noticed(self, task):
        wait_until(lambda: self.states([task]) == {"popped"}, 8, "the pop to be noticed")
        self.clock.advance(121)
        self.wait_task(task, delivery=2)

    def test_redis_comes_back_with_all_that_it_had(self):
        task = self.pop_overdue()
        self.wait_task(self.add(2))
        self.redis.stop()
        self.redis.start()
        self.assert_noticed(task)

    def test_hotlead_is_killed(self):
        task = self.pop_overdue()
        self.wait_task(self.add(2))
        self.server.kill()
        self.start_server()
        self.assert_noticed(task)

    def test_answer_of_the_push_is_lost(self):
        task = self.pop_overdue()
        self.redis.signal(signal.SIGSTOP)
        other = self.add(2)
        wait_until(lambda: self.web.get("/readyz").json["redis"] == "down", 20, "the link to be given up")
        self.redis.signal(signal.SIGCONT)
        self.wait_task(other)
        self.assert_noticed(task)

    def test_opt_in_comes_while_redis_is_away(self):
        task = self.pop_overdue()
        self.redis.stop()
        other = self.add(2)
        self.redis.start()
        self.wait_task(other)
        self.assert_noticed(task)

    def test_opt_in_comes_while_redis_is_full_and_hotlead_dies(self):
        (task,) = self.add_overdue([1])
        self.redis("CONFIG", "SET", "maxmemory", 1)
        other = self.add(2)
        self.server.kill()
        self.redis("CONFIG", "SET", "maxmemory", 0)
        self.assertEqual(task, self.pop()["id"])
        self.start_server()
        self.wait_task(other)
        self.assert_noticed(task)

    def test_consumers_wait_while_the_queue_is_filled_again(self):
        overdue = self.add_overdue(range(300))
        fresh = [self.add(number) for number in range(300, 600)]
        self.wait_tasks(overdue + fresh)
        self.redis("FLUSHALL")
        popped = {self.pop()["id"] for _ in range(6)}
        wait_until(lambda: len(self.tasks()) == 594, what="all the others")
        wait_until(lambda: self.states(popped) == {"popped"}, 8, "all pops to be noticed")
        self.assertLess(0, len(popped & set(overdue)), "none came out of its turn")


class Lists(Scenario):
    queue_settings = {"shape": "list"}

    def test_list_queue_is_popped_in_order_and_heals_without_doubles(self):
        tasks = [self.accept_optin(self.person_number(i))["task"] for i in range(20)]
        self.wait_tasks(tasks)
        self.assertEqual(tasks[0], self.pop()["id"])
        self.assertEqual(tasks[1], self.pop()["id"])
        self.let_the_watch_see_a_pop()
        self.redis("FLUSHALL")
        self.wait_tasks(tasks[2:], timeout=3)
        self.assertEqual(tasks[2], self.pop()["id"])


class Nodes(Scenario):
    def test_two_nodes_share_a_queue_without_touching_each_others_tasks(self):
        mine = self.accept_optin(self.person_number(1))["task"]
        (self.folder / "second").mkdir()
        second = Hotlead(self.folder / "second", self.redis.url)
        second.arguments += ["--node", "n2"]
        self.addCleanup(lambda: second.is_running and second.kill())
        second.start()
        web = second.web
        token = second.admin_token
        web.post("/v1/agencies", {"id": "acme", "name": "Acme"}, bearer=token)
        web.post("/v1/queues", {"id": self.queue, "agency": "acme"}, bearer=token)
        sk = web.post("/v1/sites", {"id": "acme-two", "agency": "acme", "queue": self.queue}, bearer=token).json["sk"]
        theirs = self.accept_optin(self.person_number(2), key=sk, web=web)["task"]
        self.wait_tasks([mine, theirs])
        self.assertTrue(self.tasks()[theirs][0]["report"].endswith(":reports:n2"))
        self.redis("FLUSHALL")
        self.wait_tasks([mine, theirs], timeout=4)
        self.assert_stays(lambda: len(self.tasks()) == 2, 2, "both stay")
        self.assertEqual(0, second.stop())


class Refusals(Scenario):
    def readyz(self):
        return self.web.get("/readyz").json

    def wait_reason(self, words):
        wait_until(lambda: words in self.readyz().get("reason", ""), 10, f"'{words}' in /readyz")
        self.assertEqual("degraded", self.readyz()["status"])

    def wait_well(self):
        wait_until(lambda: self.readyz()["status"] == "ok", 15, "readiness without a but")

    def test_full_redis_is_told_and_gets_its_tasks_when_there_is_room(self):
        first = self.accept_optin(self.person_number(1))["task"]
        self.wait_task(first)
        self.wait_well()
        self.redis("CONFIG", "SET", "maxmemory", 1)
        second = self.accept_optin(self.person_number(2))["task"]
        self.wait_reason("Redis is full")
        self.assertLess(0, self.metric('hotlead_redis_refusals_total{reason="memory"}'))
        self.redis("CONFIG", "SET", "maxmemory", 0)
        self.wait_tasks([first, second])
        self.wait_well()

    def test_demoted_primary_is_told_and_used_again_when_it_is_promoted(self):
        self.wait_well()
        self.redis("REPLICAOF", "127.0.0.1", "1")
        task = self.accept_optin(self.person_number(1))["task"]
        self.wait_reason("replica")
        self.redis("REPLICAOF", "NO", "ONE")
        self.wait_task(task)
        self.wait_well()

    def test_redis_that_forbids_reading_reports_is_told(self):
        self.wait_well()
        self.redis("ACL", "SETUSER", "default", "-xread")
        self.wait_reason("reports")
        self.redis("ACL", "SETUSER", "default", "+@all")
        self.wait_well()


@unittest.skipUnless(
    subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0,
    "two disks of the same numbers need unshare -m, that is root",
)
class SecondWriter(Scenario):
    """A machine that was cloned: two servers with one journal's past, one node name, and one epoch, which is bound
    to machine and inode. Two small tmpfs in a mount namespace give a copied file the inode of the first."""

    def setUp(self):
        super().setUp()
        self.server.stop()
        self.disks = [self.folder / "one", self.folder / "two"]
        for disk in self.disks:
            disk.mkdir()
        mounts = " && ".join(f"mount -t tmpfs none '{disk}'" for disk in self.disks)
        self.holder = subprocess.Popen(["unshare", "-m", "sh", "-c", f"{mounts} && touch '{self.folder}/mounted' && exec sleep 600"])
        self.inside = ["nsenter", "-m", "-t", str(self.holder.pid), "--"]
        wait_until((self.folder / "mounted").exists, what="two small disks")

    def _end(self):
        try:
            super()._end()
        finally:
            self.holder.kill()
            self.holder.wait()

    def run_inside(self, script):
        return subprocess.run([*self.inside, "sh", "-ec", script], capture_output=True, text=True, check=True).stdout

    def start_on(self, disk, log):
        (self.folder / log).mkdir()
        server = Hotlead(self.folder / log, self.redis.url, disk / "data")
        server.wrapper = self.inside
        server.start()
        return server

    def clone(self):
        one, two = (f"{disk}/data/journal" for disk in self.disks)
        inode = int(self.run_inside(f"stat -c %i '{one}/data.mdb'"))
        self.run_inside(
            f"mkdir -p '{two}'; n=0; while [ $(stat -c %i '{two}/..'/fill$n 2>/dev/null || echo 0) -lt {inode - 1} ]; do"
            f" n=$((n+1)); touch '{two}/..'/fill$n; done; cp '{one}/data.mdb' '{two}/data.mdb'; rm '{two}/..'/fill*;"
            f" cp '{one}/../admin.token' '{two}/../'"
        )
        self.assertEqual(inode, int(self.run_inside(f"stat -c %i '{two}/data.mdb'")))

    def test_two_servers_of_one_epoch_both_go_on_and_lose_no_task(self):
        self.server = self.start_on(self.disks[0], "first")
        self.web, self.admin = self.server.web, self.server.admin_token
        del self.sk
        self.set_up_agency("acme")
        common = self.accept_optin(self.person_number(1))["task"]
        self.wait_task(common)
        self.server.stop()
        self.clone()
        self.server.start()
        mine = [self.accept_optin(self.person_number(2))["task"]]
        self.wait_tasks([common, *mine])
        second = self.start_on(self.disks[1], "second")
        self.addCleanup(lambda: second.is_running and second.kill())
        theirs = []
        for number in range(3, 13):
            mine.append(self.accept_optin(self.person_number(number))["task"])
            time.sleep(0.1)  # the same number in the same millisecond would make the same id
            theirs.append(self.accept_optin(self.person_number(number), web=second.web)["task"])
            time.sleep(0.1)
        self.wait_tasks([common, *mine, *theirs])
        self.assert_stays(lambda: len(self.tasks()) == 22, 4, "nobody takes out what the other has put")

        servers = [self.web, second.web]
        reasons = [web.get("/readyz").json.get("reason", "") for web in servers]
        self.assertEqual(1, sum("another server" in reason for reason in reasons), reasons)
        epochs = [web.get("/metrics", bearer=self.admin).text.count("hotlead_epochs_total 1") for web in servers]
        self.assertEqual(1, sum(epochs), "one of them had to move, once")

        task = next(task for task, _ in self.tasks().values() if task["id"] == theirs[0])
        self.report(task, "outcome", outcome="conversation")
        wait_until(lambda: "conversation" in second.web.get(f"/v1/tasks/{theirs[0]}", bearer=self.sk).text, what="the outcome")
        self.wait_tasks([common, *mine, *theirs[1:]])
        self.assertEqual(0, second.stop())
        second.run("fsck", "--data", second.data)
