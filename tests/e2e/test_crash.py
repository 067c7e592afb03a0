"""Killed, terminated, started again: what was acknowledged is there. (In rounds, under load: test_kill_rounds.)"""
import json
import shutil
import signal
import time

from harness import Load, Scenario
from servers import wait_until


class Kills(Scenario):
    def test_kill_with_redis_away_keeps_every_task_for_later(self):
        self.redis.stop()
        with Load(self) as load:
            for _ in range(3):
                load.wait_acked(len(load.acked) + 50)
                self.server.kill()
                self.start_server()
        self.redis.start()
        wait_until(lambda: set(load.acked.values()) <= set(self.tasks()), 20, "every task to be visible")
        load.assert_all_found()

    def test_first_answer_after_a_kill_comes_within_two_seconds(self):
        with Load(self) as load:
            load.wait_acked(500)
        self.server.kill()
        start = time.monotonic()
        self.start_server()
        self.accept_optin({"email": "first@example.com"})
        self.assertLess(time.monotonic() - start, 2)


class Stops(Scenario):
    def test_sigterm_leaves_nothing_unpushed(self):
        tasks = [self.accept_optin(self.person_number(i))["task"] for i in range(200)]
        self.assertEqual(0, self.server.stop())
        self.assertEqual(set(tasks), set(self.tasks()))
        self.start_server()

    def test_clean_stop_and_start_shows_no_task_twice(self):
        tasks = [self.accept_optin(self.person_number(i))["task"] for i in range(20)]
        self.wait_tasks(tasks)
        first = self.pop()
        for _ in range(3):
            self.assertEqual(0, self.server.stop())
            self.start_server()
        self.assert_stays(lambda: set(self.tasks()) == set(tasks) - {first["id"]}, 2.5, "a pop is not forgotten")

    def test_second_server_on_one_folder_is_refused(self):
        done = self.server.run(
            "serve", "--data", self.server.data, "--listen", "127.0.0.1:0", "--redis", self.redis.url, check=False
        )
        self.assertEqual(1, done.returncode, done.stderr)
        self.accept_optin(self.person_number(1))


class LostProjections(Scenario):
    """State and index are rebuilt from the journal when they cannot be trusted."""

    def test_lost_state_is_rebuilt_while_opt_ins_are_taken(self):
        first = self.accept_optin({**self.person_number(1), "event_id": "e-1"})
        self.wait_task(first["task"])
        self.server.kill()
        self.remove_state()
        self.start_server()
        again = self.post_optin({**self.person_number(1), "event_id": "e-1"})
        self.assertEqual((200, first), (again.status, again.json))
        second = self.accept_optin(self.person_number(2))
        self.wait_tasks([first["task"], second["task"]])

    def remove_state(self):
        state = self.server.data / "state"
        self.assertTrue(state.is_dir())
        shutil.rmtree(state)

    def test_dirty_owner_of_another_boot_is_not_trusted(self):
        tasks = [self.accept_optin(self.person_number(i))["task"] for i in range(30)]
        self.server.kill()
        owner = self.server.data / "state" / "OWNER"
        boot, word = owner.read_text().split()
        self.assertEqual("dirty", word)
        # A power cut looks like this: dirty, by a boot that is over. The data behind it may be torn.
        owner.write_text(f"{'0' * len(boot)}\ndirty\n")
        for path in (self.server.data / "state").rglob("data.mdb"):
            path.write_bytes(path.read_bytes()[: 4096 * 3])
        self.start_server()
        self.wait_tasks(tasks)
        self.assertEqual(tasks[0], self.accept_optin({**self.person_number(0), "company": "x"})["task"])


class Signals(Scenario):
    def test_sigint_is_a_clean_stop_too(self):
        self.accept_optin(self.person_number(1))
        self.server.web.close()
        self.assertEqual(0, self.server.end(signal.SIGINT))

    def test_log_is_json_lines_without_personal_data(self):
        self.accept_optin({"email": "very-private@example.com", "phone": "+12155550147", "name": "Verity Private"})
        self.post_optin('{"email":"very-private@example.com"', headers={"Content-Type": "application/json"})
        self.server.stop()
        text = self.server.log.read_text()
        for word in ("very-private", "5550147", "Verity", self.sk):
            self.assertNotIn(word, text)
        for line in text.splitlines():
            if line.startswith("{"):
                self.assertEqual({"ts", "level", "msg"}, {"ts", "level", "msg"} & set(json.loads(line)))
