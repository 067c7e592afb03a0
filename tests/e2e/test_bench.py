"""hotlead-bench run: the whole of it, as somebody would type it."""
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from harness import Scenario
from servers import HOTLEAD, ROOT, free_port, wait_until

# Not HOTLEAD_...: those are settings of the server, which refuses one that it does not know.
BENCH = os.environ.get("BENCH", str(pathlib.Path(HOTLEAD).with_name("hotlead-bench")))
CALLS = str(ROOT / "bench" / "calls.yaml")
SHORT = ("--rate", "300", "--duration", "2s", "--warmup", "500ms", "--connections", "16")


def end(process):
    """Ends what a scenario started and what is still there."""
    process.kill()
    process.communicate()


class Bench(unittest.TestCase):
    """A folder of its own, on a real disk, with a path that a unix socket can have."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-e2e.", dir="/var/tmp"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()

    def start(self, *words):
        process = subprocess.Popen(
            [BENCH, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "HOTLEAD_NONSENSE": "of somebody else", "TMPDIR": str(self.temporary)},
        )  # fmt: skip
        self.addCleanup(end, process)
        return process

    def run_bench(self, *words, code=0):
        process = self.start("run", *words)
        out, talk = process.communicate(timeout=120)
        self.assertEqual(code, process.returncode, f"{out}\n{talk}")
        return out, talk

    def processes(self):
        """What runs with our folder among its words: a server, its Redis."""
        return [
            entry.parent.name for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline")
            if str(self.temporary).encode() in read_or_nothing(entry)
        ]  # fmt: skip

    def nothing_is_left(self):
        return not self.processes() and not list(self.temporary.iterdir())


def unfolded(text):
    """A remark is folded where its line ends, wherever that is."""
    return " ".join(text.split())


def read_or_nothing(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


class OwnServer(Bench):
    def start(self, command, *words):
        return super().start(command, "--hotlead", HOTLEAD, *words)

    def test_run_with_everything_loses_nothing_and_leaves_nothing(self):
        files = {kind: self.folder / f"result.{kind}" for kind in ("json", "html", "hdr")}
        out, _ = self.run_bench(
            *SHORT, "--arrivals", "poisson", "--returning", "10%", "--duplicates", "5", "--name", "mine",
            "--threshold", "p99<5s", "--threshold", "loss==0",
            *(word for kind, path in files.items() for word in (f"--{kind}", str(path))),
        )  # fmt: skip
        self.assertTrue(self.nothing_is_left())
        self.assertIn("speed-to-lead", out)
        self.assertLessEqual(len(out.splitlines()), 40, "a summary fits a screen")
        result = json.loads(files["json"].read_text())
        self.assertEqual("mine", result["name"])
        self.assertEqual(0, result["lost"])
        self.assertEqual(0, result["doubled"])
        self.assertGreater(result["acked"], 400)
        self.assertGreater(result["duplicates"], 0)
        self.assertGreater(result["returned"], 0)
        self.assertEqual("default", result["playbook"])
        self.assertGreater(result["emails_popped"], 400)
        self.assertEqual((result["emails_popped"], 0), (result["emails_reported"], result["emails_doubled"]))
        self.assertIn("no e-mail is lost", [check["what"] for check in result["checks"]])
        self.assertIn("appendonly yes", result["redis_settings"])
        self.assertRegex(result["versions"], r"hotlead \d.*Redis \d.*libuv \d")
        self.assertGreater(result["disk"]["fdatasync_p50_ns"], 0)
        self.assertTrue(all(check["holds"] for check in result["checks"]), result["checks"])
        self.assertIn("</html>", files["html"].read_text())
        self.assert_same_distribution(files["hdr"], result["latency"]["speed_to_lead"])

    def assert_same_distribution(self, path, latency):
        """As HdrHistogram's plotter and wrk2's users read it: rows of four columns, the last of three, notes."""
        rows = [line.split() for line in path.read_text().splitlines() if line and line.split()[0][0].isdigit()]
        notes = dict(re.findall(r"(\w[\w ]*?) += +([0-9.]+)[],]", path.read_text()))
        self.assertEqual({4}, {len(row) for row in rows[:-1]})
        self.assertEqual(3, len(rows[-1]))
        values, levels, counts = ([float(row[place]) for row in rows] for place in range(3))
        self.assertEqual((sorted(values), sorted(levels), sorted(counts)), (values, levels, counts))
        for row in rows[:-1]:
            self.assertAlmostEqual(1, float(row[3]) * (1 - float(row[1])), delta=0.02)
        buckets = [(ns, number) for ns, number in latency["buckets"]]
        for value, level, count in zip(values[:-1], levels, counts):
            below, upto = (sum(number for ns, number in buckets if ns / 1e6 <= value + half) for half in (-5e-4, 5e-4))
            self.assertTrue(below <= count <= upto, f"{count} up to {value} ms, and not {below} to {upto}")
            self.assertGreaterEqual(count, level * latency["count"])
        self.assertEqual((latency["count"], 1), (counts[-1], levels[-1]))
        self.assertEqual(latency["count"], float(notes["Total count"]))
        for name, key in (("Max", "max_ns"), ("Mean", "mean_ns"), ("StdDeviation", "deviation_ns")):
            self.assertAlmostEqual(float(notes[name]), latency[key] / 1e6, delta=0.001)
        self.assertAlmostEqual(values[-1], latency["max_ns"] / 1e6, delta=0.001)
        for percent in (50, 90):
            at = next(value for value, level in zip(values, levels) if level >= percent / 100)
            self.assertAlmostEqual(at, latency[f"p{percent}_ns"] / 1e6, delta=0.001)

    def test_very_many_sites_are_all_served(self):
        """At 400 opt-ins a month from each, 500 businesses send one every 13 seconds: here all of them are heard of in some."""
        path = self.folder / "json"
        self.run_bench(*SHORT, "--sites", "500", "--consumers", "2", "--json", str(path))
        result = json.loads(path.read_text())
        self.assertEqual((500, 0), (result["sites"], result["lost"]))
        self.assertGreater(result["acked"], 400)
        self.assertEqual(result["acked"] - result["duplicates"], result["latency"]["speed_to_lead"]["count"])

    def test_list_without_an_append_only_file_and_new_connections(self):
        path = self.folder / "json"
        self.run_bench(*SHORT, "--shape", "list", "--aof", "off", "--new-connections", "--consumer-mode", "pop",
                       "--json", str(path))  # fmt: skip
        result = json.loads(path.read_text())
        self.assertEqual(0, result["lost"])
        self.assertEqual("pop", result["consumer_mode"])
        self.assertIn("appendonly no", result["redis_settings"])
        self.assertGreaterEqual(result["emails_popped"], result["popped"])
        self.assertEqual(0, result["emails_reported"])

    def test_playbook_that_is_given_is_gone_by_and_named(self):
        path, page = self.folder / "json", self.folder / "html"
        out, _ = self.run_bench(*SHORT, "--playbook", CALLS, "--json", str(path),
                                "--html", str(page))  # fmt: skip
        result = json.loads(path.read_text())
        self.assertRegex(result["playbook"], r"^calls \([0-9a-f]{8}\)$")
        self.assertIn("; playbook " + result["playbook"], out)
        self.assertIn(result["playbook"], page.read_text())
        self.assertEqual(0, result["emails_popped"])
        self.assertGreater(result["popped"], 400)
        self.assertTrue(all(check["holds"] for check in result["checks"]), result["checks"])

    def test_search_ends_by_itself_with_the_rate_and_what_broke_behind_it(self):
        path = self.folder / "json"
        out, talk = self.run_bench("--max", "--limit", "rate<600", "--rate", "400", "--duration", "300ms",
                                   "--warmup", "0", "--json", str(path))  # fmt: skip
        self.assertRegex(talk, r"searching the highest rate that keeps rate<600: .* [0-9]:[0-9]{2} min in all at most")
        self.assertRegex(talk, r"run  1: +400/s for 0.3 s: lead p50 .*: holds\n")
        rate, step = re.search(
            r"highest rate that keeps rate<600: (5[0-9]{2}) opt-ins/s, kept for 0.3 s \([0-9]+ runs in [0-9]+ s\)\n"
            r"next step: ([0-9]+)/s, over the limit: [0-9]+", out,
        ).groups()  # fmt: skip
        self.assertLess(int(step), 1.06 * int(rate), "to 5 %")
        result = json.loads(path.read_text())
        self.assertEqual(int(rate), result["rate"])
        self.assertIn(f"{rate}/s; at {step}/s over the limit", result["checks"][-1]["detail"])

    def test_missed_threshold_is_exit_3_and_the_result_is_written(self):
        path = self.folder / "json"
        out, _ = self.run_bench(*SHORT, "--threshold", "p50<1ns", "--threshold", "loss==0", "--json", str(path), code=3)
        self.assertRegex(out, r"p50<1ns +MISSED")
        self.assertRegex(out, r"loss==0 +ok")
        self.assertEqual(0, json.loads(path.read_text())["lost"])

    def test_occupied_port_is_refused(self):
        with socket.create_server(("127.0.0.1", 0)) as occupied:
            address = f"127.0.0.1:{occupied.getsockname()[1]}"
            _, talk = self.run_bench("--listen", address, code=1)
        self.assertIn(f"{address} is in use", talk)
        self.assertTrue(self.nothing_is_left())

    def test_backlog_is_left_when_nobody_consumes(self):
        path = self.folder / "json"
        self.run_bench(*SHORT, "--consumers", "0", "--threshold", "p99<5s", "--json", str(path))
        result = json.loads(path.read_text())
        self.assertEqual("nothing", result["consumer_mode"])
        self.assertEqual(0, result["popped"])

    def test_ctrl_c_ends_the_sending_and_still_says_what_came_of_it(self):
        process = self.start("run", "--duration", "10m", "--rate", "200")
        self._wait_for_both(process)
        process.send_signal(signal.SIGINT)
        out, talk = process.communicate(timeout=60)
        self.assertIn("speed-to-lead", out, talk)
        self.assertTrue(self.nothing_is_left())

    def test_however_it_is_ended_nothing_is_left(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            process = self.start("run", "--duration", "10m")
            self._wait_for_both(process)
            process.send_signal(number)
            process.communicate(timeout=60)
            wait_until(self.nothing_is_left, 20, f"nothing to be left after signal {number}")

    def _wait_for_both(self, process):
        """Until progress is told, which a run does when it sends."""
        ready, _, _ = select.select([process.stderr], [], [], 60)
        self.assertTrue(ready, "it says nothing")
        self.assertIsNone(process.poll())


class Honesty(Bench):
    """A second in which something stands still is charged to everybody who came in it."""

    def start(self, command, *words):
        return super().start(command, "--hotlead", HOTLEAD, *words)

    def stall(self, program):
        """The latencies of a run in which `program` stands still for a second."""
        path = self.folder / "json"
        process = self.start("run", "--rate", "500", "--duration", "8s", "--connections", "16", "--json", str(path))
        ready, _, _ = select.select([process.stderr], [], [], 60)
        self.assertTrue(ready, "no progress, so nothing is known to be sent")
        pid = self.process_id(program)
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(1)
        finally:
            os.kill(pid, signal.SIGCONT)
        out, talk = process.communicate(timeout=60)
        self.assertEqual(0, process.returncode, f"{out}\n{talk}")
        return json.loads(path.read_text())["latency"], out

    def process_id(self, program):
        names = {number: read_or_nothing(pathlib.Path(f"/proc/{number}/comm")).strip() for number in self.processes()}
        (found,) = [int(number) for number, name in names.items() if name == program]
        return found

    def test_stall_of_the_server_is_in_the_corrected_latency_and_hides_in_the_raw_one(self):
        latency, out = self.stall(b"hotlead")
        self.assertGreaterEqual(latency["ack"]["p99.9_ns"], 0.8e9, out)
        self.assertGreater(slow_share(latency["ack"]), 0.08, out)
        self.assertLess(slow_share(latency["ack_raw"]), slow_share(latency["ack"]) / 4, out)
        self.assertGreaterEqual(latency["speed_to_lead"]["p99.9_ns"], 0.8e9, out)
        self.assertIn("corrected counts", unfolded(out))

    def test_stall_of_redis_is_in_speed_to_lead_and_not_in_the_answers(self):
        latency, out = self.stall(b"redis-server")
        self.assertGreaterEqual(latency["speed_to_lead"]["p99.9_ns"], 0.8e9, out)
        self.assertGreater(slow_share(latency["after_ack"]), 0.08, out)
        self.assertLess(slow_share(latency["ack"]), slow_share(latency["after_ack"]) / 4, out)


def slow_share(latency):
    """Of what took over a tenth of a second."""
    return sum(count for ns, count in latency["buckets"] if ns > 0.1e9) / latency["count"]


class Sender(Bench):
    """A server that does nothing, so that the sender is the slower of both."""

    alone = True

    def setUp(self):
        super().setUp()
        floor = pathlib.Path(BENCH).with_name("floor")
        cores = sorted(os.sched_getaffinity(0))
        if not floor.exists() or len(cores) < 2:
            self.skipTest("needs the program `floor`, and two cores")
        self.cores, self.port = cores, free_port()
        self.spawn_on(cores[1], str(floor), str(self.port))
        wait_until(self.answers, what="the floor")

    def answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def spawn_on(self, core, *words):
        process = subprocess.Popen(["taskset", "-c", str(core), *words], stdout=subprocess.DEVNULL)
        self.addCleanup(end, process)

    def send(self, *words):
        path = self.folder / "json"
        done = subprocess.run(
            ["taskset", "-c", str(self.cores[0]), BENCH, "run", "--url", f"http://127.0.0.1:{self.port}", "--key",
             "sk_bench_x", "--consumers", "0", "--warmup", "0", "--duration", "2s", "--json", str(path), *words],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return json.loads(path.read_text()), done.stdout, done.stderr

    def test_sender_that_has_no_time_left_says_that_it_was_the_limit(self):
        for _ in range(3):  # it gets a quarter of its core, so that the floor is the faster one however busy the machine
            self.spawn_on(self.cores[0], sys.executable, "-c", "while True: pass")
        for rate in ("0", "1000k"):
            with self.subTest(rate=rate):
                result, out, talk = self.send("--rate", rate)
                self.assertTrue(result["bench_was_the_limit"], out)
                self.assertRegex(result["limit_why"], "the sender used [0-9]+ % of its core and waited for one for")
                self.assertIn("! The bench was the limit, so its figures are its own", unfolded(out))
                self.assertIn("THE BENCH WAS THE LIMIT", talk)

    def test_sender_that_keeps_up_is_not_to_blame(self):
        for _ in range(5):  # others use the machine too, and may hold it up
            result, out, _ = self.send("--rate", "500")
            if not result["bench_was_the_limit"]:
                return
        self.fail(out)


class Usage(Bench):
    def test_what_cannot_be_is_refused_before_anything_starts(self):
        site = ("--url", "http://127.0.0.1:1", "--key", "sk_acme_x")
        for words, part in [
            (("--mix", "hook=5"), "provider hooks are not there yet"),
            (("--mix", "json"), "json=70,form=25,multipart=5"),
            (("--mix", "json=0"), "a weight over 0"),
            (("--rate", "fast"), "--rate 'fast'"),
            (("--rate", "-5"), "--rate '-5'"),
            (("--duration", "0"), "a time up to a week"),
            (("--connections", "0"), "a number from 1"),
            (("--returning", "101"), "a percentage"),
            (("--returning", "60", "--duplicates", "60"), "more than 100%"),
            (("--arrivals", "random"), "constant or poisson"),
            (("--threshold", "p99<"), "p99<"),
            (("--threshold", "speed<1ms"), "speed"),
            (("--limit", "p99<1ms"), "--max"),
            (("--max", "--rate", "0"), "cannot be 0"),
            (("--playbook", "/no/such/playbook"), "/no/such/playbook: No such file"),
            (("--playbook", str(ROOT / "README.md")), "a playbook that hotlead playbook check calls good"),
            (("--email-queue", "acme.email"), "goes with --url"),
            (("--json", "/no/such/folder/file"), "cannot be written"),
            (("--json", "/tmp/x", "--html", "/tmp/x"), "a file each"),
            (("--json", "-"), "name a file"),
            (("--html", "/tmp"), "/tmp is a folder"),
            (("--key", "sk_acme_x"), "goes with --url"),
            (("--redis", "redis://127.0.0.1"), "goes with --url"),
            (("--url", "http://127.0.0.1:1"), "needs --key"),
            (("--url", "https://127.0.0.1", "--key", "sk_acme_x"), "http://host:port"),
            (("--url", "http://127.0.0.1/v1", "--key", "sk_acme_x"), "without a path"),
            (("--url", "http://127.0.0.1", "--key", "pk_acme_x"), "secret key"),
            (site, "--consumers 0"),
            ((*site, "--redis", "localhost"), "redis://"),
            ((*site, "--consumers", "0", "--mix", "form=1"), "--public-key"),
            ((*site, "--consumers", "0", "--sites", "3"), "does not go with --url"),
            ((*site, "--consumers", "0", "--playbook", CALLS), "does not go with --url"),
            (("word",), "'word'"),
            (("--nonsense",), "nonsense"),
        ]:
            with self.subTest(words=words):
                out, talk = self.run_bench(*words, code=2)
                self.assertIn(part, talk)
                self.assertEqual("", out)
        self.assertTrue(self.nothing_is_left())

    def test_help_is_on_stdout(self):
        for words in (("run", "--help"), ("report", "--help"), ("diff", "--help"), ("compare", "--help"), ("--help",)):
            process = self.start(*words)
            out, talk = process.communicate(timeout=20)
            self.assertEqual((0, ""), (process.returncode, talk))
            self.assertIn("Usage: hotlead-bench " + "".join(words[:-1]), out)
            self.assertIn("Exit: 0 ", unfolded(out))
            self.assertLessEqual(max(map(len, out.splitlines())), 80)

    def test_command_that_is_none_is_refused_and_a_mistyped_one_is_guessed(self):
        for word, part in [("walk", "see hotlead-bench --help"), ("rnu", "is it 'run'?"), ("dif", "is it 'diff'?")]:
            process = self.start(word)
            talk = process.communicate(timeout=20)[1]
            self.assertIn(f"no command '{word}'", talk)
            self.assertIn(part, talk)
            self.assertEqual(2, process.returncode)


class RunningServer(Scenario):
    def bench(self, *words, code=0):
        done = subprocess.run(
            [BENCH, "run", *SHORT, "--url", self.server.url, "--key", self.sk, *words],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        self.assertEqual(code, done.returncode, f"{done.stdout}\n{done.stderr}")
        return done

    def test_own_times_of_the_server_are_there_or_the_flag_that_brings_them_is_named(self):
        path = self.folder / "json"
        done = self.bench("--redis", self.redis.url, "--json", str(path))
        self.assertIn("commit -> visible, by its buckets", done.stdout)
        self.assertGreater(json.loads(path.read_text())["visible"]["cumulated"][-1], 0)
        with socket.create_server(("127.0.0.1", 0)) as nothing:
            address = f"http://127.0.0.1:{nothing.getsockname()[1]}"
            nothing.close()
            done = self.bench("--redis", self.redis.url, "--admin-url", address, code=1)
        self.assertIn(f"{address} has no /metrics", done.stderr)

    def test_server_that_runs_is_measured_by_the_key_of_a_site(self):
        path = self.folder / "json"
        self.bench("--public-key", self.pk, "--redis", self.redis.url, "--token", self.admin, "--json", str(path))
        result = json.loads(path.read_text())
        self.assertEqual(0, result["lost"])
        self.assertEqual("remote", result["disk"]["file_system"])
        self.assertGreater(result["popped"], 500)
        for secret in (self.sk, self.admin):
            self.assertNotIn(secret, path.read_text())
        self.assertIn("sk_***", result["command"])

    def test_e_mails_of_a_running_server_are_left_alone_unless_their_queue_is_named(self):
        path = self.folder / "json"
        emails = self.queue.split(".")[0] + ".email"
        self.bench("--redis", self.redis.url, "--json", str(path))
        result = json.loads(path.read_text())
        self.assertEqual((600, 0), (result["popped"], result["emails_popped"]))
        done = self.bench("--redis", self.redis.url, "--email-queue", emails, "--json", str(path))
        self.assertRegex(done.stderr, r"[0-9]+ tasks stand in hl:\{%s\}:tasks already" % emails)
        result = json.loads(path.read_text())
        self.assertGreater(result["emails_popped"], 1200, "those that stood there too")
        self.assertEqual((result["emails_popped"], 0), (result["emails_reported"], result["emails_doubled"]))

    def test_only_json_is_sent_without_a_public_key_and_a_backlog_is_left(self):
        path = self.folder / "json"
        self.bench("--consumers", "0", "--warmup", "0", "--seed", "2", "--json", str(path))
        result = json.loads(path.read_text())
        self.assertIn("json=100", result["mix"])
        self.wait_task_count(result["acked"])

    def test_second_run_without_a_seed_sends_people_that_nobody_has_seen(self):
        for name in ("first", "second"):
            path = self.folder / name
            self.bench("--redis", self.redis.url, "--json", str(path))
            result = json.loads(path.read_text())
            self.assertEqual((0, 600), (result["duplicates"], result["popped"]))

    def test_backlog_and_the_same_seed_again_are_explained(self):
        self.bench("--consumers", "0", "--seed", "7")
        done = self.bench("--redis", self.redis.url, "--seed", "8", code=1)
        self.assertRegex(done.stderr, r"[0-9]+ tasks stand in hl:\{.*\}:tasks already")
        self.assertIn("not of this run", unfolded(done.stdout))
        done = self.bench("--redis", self.redis.url, "--seed", "7")
        self.assertIn("seed 7 was sent to this server before", unfolded(done.stdout))

    def test_redis_that_is_not_there_is_said(self):
        done = self.bench("--redis", "unix:///no/such/socket", code=1)
        self.assertIn("hotlead-bench", done.stderr)
