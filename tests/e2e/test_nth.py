"""One call fails, the Nth, once or from then on: nothing that was acknowledged is lost, no answer is wrong, and the
server is well again when the fault ends. Where it may end itself (70), the test is its supervisor."""
import contextlib
import errno
import http.client
import random
import threading
import time

from experiment import during, seed, told
from harness import LONG, Scenario
from nth import FROM_THEN_ON, ONCE, SHORT, Nth, Work, name_of
from resp import Redis, RedisError
from servers import wait_until

MOST = 200
FEW = 4  # values of N in the short run
STEPS_BEHIND = 6  # the work that goes on behind the first failure
STEPS_MOST = 400
ROUNDS_A_BLOCK = 25  # between two restarts with everything checked
END_ITSELF = 70
STUCK_S = 1  # a start that comes no further as long as the call fails


class Nths(Scenario):
    """A server whose calls can be made to fail, and the rounds in which they are."""

    site_settings = {"countries": ["US", "DE"], "rate_limit": 100000, "suspect_limit": 100000}

    def setUp(self):
        super().setUp()
        self.seed = seed()
        self.chance = random.Random(self.seed)
        self.nth = Nth(self.folder)
        self.server.stop()
        self.server.environment = {**self.server.environment, **self.nth.environment}
        self.start_server()
        self.work = Work(self, self.chance)
        self.faults, self.ends = 0, 0
        self.found, self.visible = set(), set()

    def numbers(self):
        """1 to 200; the short run takes the first ones, where little happened yet, and a few others."""
        if LONG:
            return range(1, MOST + 1)
        return [1, 2] + sorted(self.chance.sample(range(3, MOST + 1), FEW - 2))

    def run_rounds(self, call, error, modes=(ONCE, FROM_THEN_ON)):
        before = len(self.work.acked)
        for mode in modes:
            for nth in self.numbers():
                what = f"{call} {name_of(error)}, number {nth}{' and all behind' if mode == FROM_THEN_ON else ''}"
                with during(what, self.seed):
                    if not self.run_round(call, nth, error, mode):
                        break
                    self.faults += 1
                    self.check_new()
                    if self.faults % ROUNDS_A_BLOCK == 0:
                        self.check_restarted()
        self.assertGreater(len(self.work.acked), before, "nothing was acknowledged meanwhile")

    def run_round(self, call, nth, error, mode):
        """False: the work does not come to the Nth call."""
        work, behind = self.work, 0
        work.late = False
        self.nth.fail(call, nth, error, mode)
        try:
            for _ in range(STEPS_MOST):
                work.step()
                behind += self.nth.failed > 0
                if behind > STEPS_BEHIND or not self.server.is_running or (work.late and behind):
                    break
            failed = self.nth.failed
        finally:
            self.nth.off()
        wait_until(self.is_well, 20, "an opt-in to be taken again")
        return failed > 0

    def is_well(self):
        """Takes an opt-in; what has ended itself is started again."""
        if not self.server.is_running:
            self.web.close()
            self.assertEqual(END_ITSELF, self.server.end(0), self.server.log.read_text(errors="replace")[-3000:])
            self.ends += 1
            self.start_server()
        try:
            self.work.number += 1
            optin = self.work.person()
            return self.work.post(optin, optin["phone"], web=self.web) is not None
        except (OSError, http.client.HTTPException):
            return False

    def check_new(self):
        """What was acknowledged since the last look."""
        new = self.work.acked.keys() - self.found
        self.work.check(new)
        self.found |= new

    def check_restarted(self):
        self.wait_all_visible()
        self.assertEqual(0, self.server.stop(), "exit code after SIGTERM")
        self.server.run("fsck", *self.server.stores)
        self.start_server()
        self.work.check(self.chance.sample(sorted(self.found), min(200, len(self.found))))

    def wait_all_visible(self):
        acked = {task: phone for task, phone in self.work.acked.values() if task}

        def missing():
            waiting = acked.keys() - self.visible - self.work.popped
            for task, (member, _) in self.tasks().items() if waiting else ():
                if task in waiting:
                    self.assertEqual(acked[task], member["phone"])
                    self.visible.add(task)
            # A claim whose answer was lost on its way has popped its task all the same.
            for task in list(waiting - self.visible)[:20]:
                if self.get(f"/v1/tasks/{task}", bearer=self.admin)["state"] != "queued":
                    self.work.popped.add(task)
            return waiting - self.visible - self.work.popped

        wait_until(lambda: not missing(), 30, "every task to be visible")

    def tell(self, name):
        self.check_restarted()
        self.work.check(self.work.acked)
        told(f"nth {name}", 0, self.faults, f"failed calls after which something acknowledged was lost ({self.ends} ends)")


class Memory(Nths):
    def test_malloc_that_fails_loses_nothing(self):
        self.run_rounds("memory", errno.ENOMEM)
        self.tell("malloc")


class Writes(Nths):
    def test_write_that_fails_or_is_short_loses_nothing(self):
        for error in (errno.ENOSPC, errno.EIO, SHORT):
            self.run_rounds("write", error)
        self.tell("pwrite")


class Syncs(Nths):
    def test_sync_that_fails_loses_nothing(self):
        for error in (errno.EIO, errno.ENOSPC):
            self.run_rounds("sync", error)
        self.tell("fdatasync")


class Sends(Nths):
    def test_send_that_fails_or_is_short_loses_nothing(self):
        for error in (errno.EPIPE, errno.ECONNRESET, errno.EAGAIN, SHORT):
            self.run_rounds("send", error)
        self.tell("send")


class Spaces(Nths):
    """Room for the tables of the index is asked for with each new day."""

    clock = True

    def numbers(self):
        return range(1, 21 if LONG else 4)

    def test_space_that_is_not_given_loses_nothing(self):
        new = self.work.new

        def new_of_a_day():
            self.clock.advance(86400)
            new()

        self.work.steps = [new_of_a_day]
        self.run_rounds("space", errno.ENOSPC)
        self.tell("fallocate")


class Accepts(Nths):
    def test_accept_that_fails_loses_nothing(self):
        self.work.steps = [self.work.new]
        for error in (errno.EMFILE, errno.ECONNABORTED):
            self.run_rounds("accept", error)
        self.tell("accept")


class Starts(Nths):
    """A start in which a call fails ends with a word about it, or goes on; the next one finds everything."""

    def numbers(self):
        return range(1, MOST + 1) if LONG else [1, self.chance.randrange(2, 100)]

    def test_start_that_fails_says_so_and_loses_nothing(self):
        for number in range(20):
            self.accept_optin(self.person_number(number))
        for call, error in (("memory", errno.ENOMEM), ("write", errno.ENOSPC), ("sync", errno.EIO), ("space", errno.ENOSPC)):
            for mode in (ONCE, FROM_THEN_ON):
                for nth in self.numbers():
                    self.server.stop()
                    with during(f"{call}, number {nth}{' and all behind' if mode == FROM_THEN_ON else ''}", self.seed):
                        if not self.start_failing(call, nth, error, mode):
                            break
                        self.faults += 1
        self.accept_optin(self.person_number(20))
        told("nth at start", 0, self.faults, f"failed calls after which something was lost ({self.ends} starts ended)")

    def start_failing(self, call, nth, error, mode):
        """False: a start does not come to that call."""
        said = self.server.log.stat().st_size
        self.nth.fail(call, nth, error, mode)
        self.server.start(ready=False)
        stuck = time.monotonic() + STUCK_S
        while self.server.is_running and time.monotonic() < stuck and not self.is_there():
            if self.nth.failed == 0:
                stuck = time.monotonic() + STUCK_S
            time.sleep(0.01)
        failed = self.nth.failed > 0
        self.nth.off()
        if self.server.is_running:
            wait_until(self.is_there, 20, "the server to be ready behind the failure")
        else:
            self.ends += 1
            self.assertIn(self.server.end(0), (1, END_ITSELF), self.server.log.read_text(errors="replace")[-3000:])
            self.assertRegex(self.server.log.read_text()[said:], '^hotlead: |"level":"error"')
            self.start_server()
        self.assertEqual(20, len(self.tasks()))
        return failed

    def is_there(self):
        try:
            return self.web.get("/readyz").status == 200
        except (OSError, http.client.HTTPException):
            return False


class Scripts(Scenario):
    """The script that puts tasks on their queue is refused by a real Redis, in each way that it has: no opt-in hears
    of it, and every task comes when Redis takes it again."""

    ROUNDS = MOST if LONG else 8

    def test_script_that_is_refused_loses_no_task(self):
        self.seed = seed()
        chance = random.Random(self.seed)
        kinds = [self.out_of_memory, self.forgotten, self.killed, self.read_only, self.forbidden, self.busy, self.no_replicas]
        self.redis("CONFIG", "SET", "busy-reply-threshold", 20)
        tasks, posted = [], 0
        for number in range(self.ROUNDS):
            trouble = kinds[number] if number < len(kinds) else chance.choice(kinds)
            with during(f"{trouble.__name__}, round {number}", self.seed):
                with contextlib.ExitStack() as end:
                    trouble(end)
                    for _ in range(chance.randrange(1, 5)):
                        posted += 1
                        tasks.append(self.accept_optin(self.person_number(posted))["task"])
                    time.sleep(chance.random() / 10)
                self.wait_tasks(tasks, timeout=30)
        told("refused script", len(set(tasks) - self.tasks().keys()), posted, f"tasks lost in {self.ROUNDS} refusals")

    def out_of_memory(self, end):
        self.redis("CONFIG", "SET", "maxmemory", 1)
        end.callback(self.redis, "CONFIG", "SET", "maxmemory", 0)

    def forgotten(self, _):
        self.redis("SCRIPT", "FLUSH")

    def killed(self, _):
        self.redis("CLIENT", "KILL", "TYPE", "normal")

    def read_only(self, end):
        self.redis("REPLICAOF", "127.0.0.1", 1)
        end.callback(self.redis, "REPLICAOF", "NO", "ONE")

    def forbidden(self, end):
        self.redis("ACL", "SETUSER", "default", "-evalsha", "-eval")
        end.callback(self.redis, "ACL", "SETUSER", "default", "+@all")

    def busy(self, end):
        def endless():
            with contextlib.suppress(RedisError):
                link("EVAL", "while true do end", 0)

        link = Redis(self.redis.path)
        thread = threading.Thread(target=endless)
        thread.start()
        end.callback(thread.join)
        end.callback(self.redis, "SCRIPT", "KILL")
        wait_until(self.is_busy, what="Redis to be busy")

    def is_busy(self):
        try:
            return self.redis("PING") != "PONG"
        except RedisError as error:
            return "BUSY" in str(error)

    def no_replicas(self, end):
        self.redis("CONFIG", "SET", "min-replicas-to-write", 1)
        end.callback(self.redis, "CONFIG", "SET", "min-replicas-to-write", 0)
