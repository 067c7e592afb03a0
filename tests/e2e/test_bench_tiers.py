"""hotlead-bench compare, growth and soak: the long ones, made short, and ended by hand."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading

import test_bench
from servers import HOTLEAD, ROOT, wait_until

PEERS = pathlib.Path(__file__).resolve().parents[2] / "bench" / "peers"
COMPARE = ("compare", "--only", "hotlead", "--consumer-mode", "pop", "--peers", str(PEERS))
GROWTH = ("growth", "--people", "0,2000", "--rounds", "1", "--seconds", "1", "--connections", "8")
SOAK = ("soak", "--minutes", "1", "--rate", "300", "--kill-redis-every", "10", "--connections", "8")


class Talk:
    """What a process says on stderr, as it comes."""

    def __init__(self, process):
        self.text = ""
        self.process = process
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stderr:
            self.text += line

    def wait_for(self, part):
        wait_until(lambda: part in self.text or self.process.poll() is not None, 90, f"'{part}' in {self.text}")


def clocks():
    return set(pathlib.Path("/tmp").glob("hotlead-clock.*"))


class Tier(test_bench.Bench):
    def setUp(self):
        super().setUp()
        self.clocks_before = clocks()

    def begin(self, *words):
        process = self.start(*words, "--hotlead", HOTLEAD)
        return process, Talk(process)

    def finish(self, process, code):
        out = process.stdout.read()
        self.assertEqual(code, process.wait(60), out)
        wait_until(self.nothing_is_left, 20, "nothing to be left")
        self.assertEqual(self.clocks_before, clocks())
        return out

    def end_in_order(self, words, part, number=signal.SIGINT):
        process, talk = self.begin(*words)
        talk.wait_for(part)
        process.send_signal(number)
        out = self.finish(process, 1)
        self.assertIn("CUT SHORT by Ctrl-C", out)
        return out

    def end_at_once(self, words, part):
        process, talk = self.begin(*words)
        talk.wait_for(part)
        process.send_signal(signal.SIGINT)
        # One that comes with the first is the same one: signals are not counted by the kernel.
        wait_until(lambda: not self.pending(process, signal.SIGINT), 5, "the first to be taken")
        process.send_signal(signal.SIGINT)
        self.finish(process, 130)

    @staticmethod
    def pending(process, number):
        lines = test_bench.read_or_nothing(pathlib.Path(f"/proc/{process.pid}/status")).decode().splitlines()
        masks = [int(line.split()[1], 16) for line in lines if line.startswith(("ShdPnd", "SigPnd"))]
        return any(mask >> (number - 1) & 1 for mask in masks)


class CutShort(Tier):
    def test_compare_shows_the_rounds_that_are_done(self):
        path = self.folder / "json"
        words = (*COMPARE, "--duration", "1", "--rounds", "50", "--json", str(path))
        out = self.end_in_order(words, "round 1: hotlead:")
        self.assertRegex(out, r"hotlead +yes +[0-9]")
        self.assertTrue(json.loads(path.read_text())["cut_short"])

    def test_compare_ends_at_once_by_the_second(self):
        self.end_at_once((*COMPARE, "--duration", "1", "--rounds", "50"), "round 1: hotlead:")

    def test_growth_says_what_it_knows(self):
        out = self.end_in_order((*GROWTH, "--json", str(self.folder / "json")), ": 2000 people: there are ")
        self.assertIn("opt-ins/s", out)
        self.assertTrue(json.loads((self.folder / "json").read_text())["cut_short"])

    def test_growth_without_anything_says_so(self):
        out = self.end_in_order(GROWTH, "step 2 of ", signal.SIGTERM)
        self.assertIn("nothing was measured yet", out)

    def test_soak_judges_what_it_has(self):
        out = self.end_in_order((*SOAK, "--json", str(self.folder / "json")), "5/60 s")
        self.assertIn("0 lost", out)
        self.assertIn("Redis killed", out)
        self.assertEqual(0, json.loads((self.folder / "json").read_text())["lost"])

    def test_soak_without_redis_brings_it_back_first(self):
        process, talk = self.begin(*SOAK)
        talk.wait_for("10/60 s")
        wait_until(lambda: not self.redis_runs(), 20, "Redis to be killed")
        process.send_signal(signal.SIGINT)
        out = self.finish(process, 1)
        self.assertIn("0 lost", out)

    def test_soak_ends_at_once_by_the_second(self):
        self.end_at_once(SOAK, "5/60 s")

    def test_nothing_is_left_of_what_was_killed(self):
        compare = (*COMPARE, "--duration", "1", "--rounds", "50")
        for words, part in ((compare, "round 1: hotlead:"), (GROWTH, "step 2 of "), (SOAK, "5/60 s")):
            with self.subTest(command=words[0]):
                process, talk = self.begin(*words)
                talk.wait_for(part)
                process.kill()
                self.finish(process, -signal.SIGKILL)

    def redis_runs(self):
        return any(
            test_bench.read_or_nothing(pathlib.Path(f"/proc/{number}/comm")).strip() == b"redis-server"
            for number in self.processes()
        )


class Whole(Tier):
    def test_growth_goes_through_all_its_steps(self):
        path = self.folder / "json"
        process, talk = self.begin(*GROWTH, "--idle", "100", "--backlog", "2000", "--json", str(path))
        out = self.finish(process, 0)
        found = json.loads(path.read_text())
        self.assertFalse(found["cut_short"])
        self.assertEqual(2, len(found["sizes"]))
        self.assertGreaterEqual(found["sizes"][1]["people"], 2000)
        self.assertGreater(found["sizes"][1]["first_ack_after_kill_s"], 0)
        self.assertGreater(found["rebuild"]["records"], 2000)
        self.assertEqual(100, found["idle"]["connections"])
        self.assertEqual(found["backlog"]["tasks"], found["backlog"]["visible"])
        self.assertIn("step 10 of 10", talk.text)
        self.assertNotIn("step 11", talk.text)
        self.assertNotIn("/3600 s", talk.text, "a bar of an hour for what takes seconds")
        self.assertIn("Redis gone for an hour", out)


class Playbook(Tier):
    """The others go by what they are given as `run` does."""

    def test_growth_goes_by_it(self):
        path = self.folder / "json"
        words = (*GROWTH, "--idle", "0", "--backlog", "0", "--playbook", test_bench.CALLS)
        process, _ = self.begin(*words, "--json", str(path))
        out = self.finish(process, 0)
        self.assertRegex(out, r"; playbook calls \([0-9a-f]{8}\); Redis: ")
        self.assertRegex(json.loads(path.read_text())["about"]["playbook"], r"^calls \(")

    def test_compare_goes_by_it(self):
        path = self.folder / "json"
        process, _ = self.begin(*COMPARE, "--duration", "1", "--rounds", "1", "--playbook", test_bench.CALLS,
                                "--json", str(path))  # fmt: skip
        out = self.finish(process, 0)
        self.assertRegex(out, r"hotlead: .*; playbook calls \([0-9a-f]{8}\)\n")
        (one,) = json.loads(path.read_text())["rounds"]
        self.assertRegex(one["result"]["playbook"], r"^calls \(")
        self.assertEqual(0, one["result"]["emails_popped"])

    def test_soak_goes_by_it(self):
        path = self.folder / "json"
        self.end_in_order((*SOAK, "--playbook", test_bench.CALLS, "--json", str(path)), "5/60 s")
        self.assertRegex(json.loads(path.read_text())["playbook"], r"^calls \(")


class Missing(Tier):
    def test_peer_that_is_not_there_is_left_out_with_what_installs_it(self):
        bench = self.folder / "build" / "hotlead-bench"
        bench.parent.mkdir()
        shutil.copy(test_bench.BENCH, bench)
        peers = self.folder / "bench" / "peers"
        shutil.copytree(PEERS, peers)
        done = subprocess.run(
            [bench, "compare", "--only", "fastify-bullmq,floor"], capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
        self.assertEqual((2, ""), (done.returncode, done.stdout))
        self.assertRegex(done.stderr, rf"fastify-bullmq is left out: .*; {peers}/install installs it")
        self.assertRegex(done.stderr, r"floor is left out: .*build it \(ninja -C .*/build floor\)")


class Usage(Tier):
    def test_what_cannot_be_is_refused_before_anything_starts(self):
        for words, part in [
            (("growth", "--people", "5,1"), "sizes that ascend"),
            (("growth", "--people", "many"), "whole numbers, with commas"),
            (("growth", "--seconds", "0"), "a time from 1s to 1h"),
            (("growth", "--connections", "0"), "a number from 1 to 60000"),
            (("growth", "--idle", "30000"), "no more ports"),
            (("growth", "--aof", "sometimes"), "everysec or off"),
            (("growth", "--json", "/no/such/folder/file"), "make its folder"),
            (("growth", "--json", "-"), "stdout is the summary's"),
            (("growth", "word"), "'word'"),
            (("growth", "--nonsense"), "nonsense"),
            (("soak", "--minutes", "0"), "a number from 1 to 10080"),
            (("soak", "--rate", "fast"), "2500 or 2.5k"),
            (("soak", "--kill-redis-every", "3"), "seconds, from 10"),
            (("soak", "--connections", "x"), "a number from 1 to 60000"),
            (("soak", "--html", "/no/such/folder/file"), "make its folder"),
            (("soak", "--json", "/dev/null", "--html", "/dev/null"), "need a file each"),
            (("soak", "word"), "'word'"),
            (("compare", "--json", "/no/such/folder/file"), "make its folder"),
            (("compare", "--json", "-"), "stdout is the summary's"),
            (("compare", "--peers", str(ROOT / "bench" / "peers"), "--only", "nobody"), "there is no peer 'nobody'"),
            (("compare", "--rounds", "0"), "a number from 1 to 100"),
            (("compare", "--playbook", "/no/such/playbook"), "hotlead playbook check"),
            (("growth", "--playbook", "/no/such/playbook"), "/no/such/playbook: No such file"),
            (("soak", "--playbook", "/no/such/playbook"), "hotlead playbook check"),
            (("compare", "--consumer-mode", "eat"), "pop, report or both"),
        ]:
            with self.subTest(words=words):
                process = self.start(*words)
                out, talk = process.communicate(timeout=20)
                self.assertEqual((2, ""), (process.returncode, out), talk)
                self.assertIn(part, talk)
        self.assertTrue(self.nothing_is_left())

    def test_folder_in_memory_is_refused_as_a_setting(self):
        if not os.path.ismount("/dev/shm"):
            self.skipTest("no tmpfs here")
        for command in ("compare", "growth", "soak"):
            with self.subTest(command=command):
                process = self.start(command, "--hotlead", HOTLEAD, "--below", "/dev/shm")
                out, talk = process.communicate(timeout=20)
                self.assertEqual((2, ""), (process.returncode, out), talk)
                self.assertIn("tmpfs", talk)

    def test_help_names_the_command_and_how_it_ends(self):
        for command in ("compare", "growth", "soak"):
            process = self.start(command, "--help")
            out, talk = process.communicate(timeout=20)
            self.assertEqual((0, ""), (process.returncode, talk))
            self.assertIn(f"Usage: hotlead-bench {command} ", out)
            self.assertIn("Ctrl-C", out)
            self.assertIn("Exit: 0 done", test_bench.unfolded(out))
