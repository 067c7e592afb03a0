"""One call fails, the Nth, once or from then on: nothing that was acknowledged is lost, no answer is wrong, and the
server is well again when the fault ends. Where it may end itself (70), the test is its supervisor."""
import errno
import http.client
import random
import time

from experiment import during, seed, told
from harness import LONG, Scenario
from nth import FROM_THEN_ON, ONCE, SHORT, Nth, Work, name_of
from servers import wait_until

MOST = 200
A_START_TAKES = 20000  # pieces of memory, most of them for the playbook that is shipped
FEW = 4  # values of N in the short run
STEPS_BEHIND = 6  # the work that goes on behind the first failure
STEPS_MOST = 400
ROUNDS_A_BLOCK = 25  # between two restarts with everything checked
END_ITSELF = 70
STUCK_S = 1  # a start that comes no further as long as the call fails


def told_as(call, error, mode):
    return f"{call} {name_of(error)}{' from then on' if mode == FROM_THEN_ON else ''}"


class Nths(Scenario):
    """A server whose calls can be made to fail, and the rounds in which they are."""

    site_settings = {"countries": ["US", "DE"], "rate_limit": 100000, "suspect_limit": 100000}
    seconds_long = 3600  # up to 1,600 rounds

    def setUp(self):
        super().setUp()
        self.seed = seed()
        self.chance = random.Random(self.seed)
        self.nth = Nth(self.folder)
        self.server.stop()
        self.server.environment = {**self.server.environment, **self.nth.environment}
        self.start_server()
        self.work = Work(self, self.chance)
        self.faults, self.ends, self.acked_in_steps = 0, 0, 0
        self.swallowed = set()  # tasks that claims without an answer have taken
        self.found, self.visible = set(), set()

    def numbers(self):
        """1 to 200; the short run takes the first ones, where little happened yet, and a few others."""
        if LONG:
            return range(1, MOST + 1)
        return [1, 2] + sorted(self.chance.sample(range(3, MOST + 1), FEW - 2))

    def run_rounds(self, call, error):
        before = self.acked_in_steps
        for mode in (ONCE, FROM_THEN_ON):
            for nth in self.numbers():
                what = told_as(call, error, mode)
                with during(f"{what}, number {nth}", self.seed):
                    self.run_round(call, nth, error, mode)
                    self.faults += 1
                    self.check_new()
                    if self.faults % ROUNDS_A_BLOCK == 0:
                        self.check_restarted()
            print(f"measured nth {what}: every number that was tried was come to, up to {nth}", flush=True)
        self.assertGreater(self.acked_in_steps, before, "nothing was acknowledged meanwhile")

    def run_round(self, call, nth, error, mode):
        """The work comes to the Nth call, or this is no experiment."""
        work, behind, acked = self.work, 0, len(self.work.acked)
        work.late = False
        self.nth.fail(call, nth, error, mode)
        try:
            for _ in range(STEPS_MOST):
                work.step()
                behind += self.nth.failed > 0
                if behind > STEPS_BEHIND or not self.server.is_running or (work.late and behind):
                    break
            failed, calls = self.nth.failed, self.nth.calls
        finally:
            self.nth.off()
        self.acked_in_steps += len(work.acked) - acked
        wait_until(self.is_well, 20, "an opt-in to be taken again")
        self.assertGreater(failed, 0, f"{STEPS_MOST} steps made {calls} calls")

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
            waiting = acked.keys() - self.visible - self.work.popped - self.swallowed
            for task, (member, _) in self.tasks().items() if waiting else ():
                if task in waiting:
                    self.assertEqual(acked[task], member["phone"])
                    self.visible.add(task)
            # A claim whose answer was lost on its way has popped its task all the same.
            for task in list(waiting - self.visible)[:20]:
                if self.get(f"/v1/tasks/{task}", bearer=self.admin)["state"] != "queued":
                    self.swallowed.add(task)
            return waiting - self.visible - self.swallowed

        wait_until(lambda: not missing(), 30, "every task to be visible")
        swallowed = self.swallowed - self.work.popped
        self.assertLessEqual(len(swallowed), self.work.unheard_claims, f"held, and no claim can have them: {swallowed}")

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
    """Room for the tables of the index is asked for with each new day, of which the test clock shows ten a second: so
    the numbers beyond 20 are a few."""

    clock = True

    def numbers(self):
        return [*range(1, 21), 50, 100, 150, MOST] if LONG else range(1, 4)

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
        if LONG:
            return [*range(1, MOST + 1), *range(MOST + 1, A_START_TAKES, 97)]
        return [1, self.chance.randrange(2, 100), self.chance.randrange(100, A_START_TAKES)]

    def test_start_that_fails_says_so_and_loses_nothing(self):
        self.optins = {}
        for number in range(20):
            person = self.person_number(number)
            self.optins[self.accept_optin(person)["id"]] = person
        for call, error in (("memory", errno.ENOMEM), ("write", errno.ENOSPC), ("sync", errno.EIO), ("space", errno.ENOSPC)):
            for mode in (ONCE, FROM_THEN_ON):
                self.start_with_each(call, error, mode)
        self.accept_optin(self.person_number(20))
        told("nth at start", 0, self.faults, f"failed calls after which something was lost ({self.ends} starts ended)")

    def start_with_each(self, call, error, mode):
        """Until a start does not come to the Nth call. It comes to the first of each kind but room for files, which
        was made when there were none."""
        what, highest = told_as(call, error, mode), 0
        for nth in self.numbers():
            self.server.stop()
            with during(f"{what}, number {nth}", self.seed):
                has_failed = self.start_failing(call, nth, error, mode)
                self.assert_all_there()
            if not has_failed:
                break
            self.faults += 1
            highest = nth
        print(f"measured nth at start, {what}: come to up to number {highest}", flush=True)
        self.assertTrue(highest > 0 or call == "space", f"no start comes to {what}")

    def assert_all_there(self):
        for optin, person in self.optins.items():

            def is_found():
                answer = self.web.get(f"/v1/optins/{optin}", bearer=self.sk)
                return answer.status == 200 and answer.json.items() >= person.items()

            wait_until(is_found, 20, f"{optin}, which was acknowledged")  # state is being caught up with
        self.assertEqual(20, len(self.tasks()))

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
        # One that ends may take longer for it than it was given.
        wait_until(lambda: not self.server.is_running or self.is_there(), 20, "the server to be ready or to end")
        if not self.server.is_running:
            self.ends += 1
            self.assertIn(self.server.end(0), (1, END_ITSELF), self.server.log.read_text(errors="replace")[-3000:])
            self.assertRegex(self.server.log.read_text()[said:], '^hotlead: |"level":"error"')
            self.start_server()
        return failed

    def is_there(self):
        try:
            return self.web.get("/readyz").status == 200
        except (OSError, http.client.HTTPException):
            return False
