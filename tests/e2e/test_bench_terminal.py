"""hotlead-bench run at a terminal: what it shows while it runs, how it is ended, and where its words go."""
import fcntl
import json
import os
import pathlib
import re
import signal
import struct
import subprocess
import termios
import threading

from servers import HOTLEAD, wait_until
from test_bench import BENCH, Bench, end, read_or_nothing, unfolded


class Terminal:
    """A terminal that keeps what was written, and shows it as a screen would."""

    def __init__(self, columns):
        self.columns = columns
        self.master, self.slave = os.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.written = ""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            try:
                part = os.read(self.master, 65536)
            except OSError:  # nobody has the other end any more
                return
            if not part:
                return
            self.written += part.decode()

    def close(self):
        os.close(self.slave)
        self.reader.join(10)
        os.close(self.master)

    def lines(self):
        """What stands there in the end, without blanks at the right; a line may be too long."""
        lines, cells = [], []
        place = 0
        for token in re.findall(r"\x1b\[K|\r|\n|[^\x1b\r\n]|\x1b", self.written):
            if token == "\r":
                place = 0
            elif token == "\n":
                lines.append("".join(cells).rstrip())
                cells, place = [], 0
            elif token == "\x1b[K":
                del cells[place:]
            else:
                cells[place:place + 1] = token
                place += 1
        return lines + ["".join(cells).rstrip()]

    def living(self):
        """Every state of the living line."""
        return [state for state in re.findall(r"\r([^\r\n]*)\x1b\[K", self.written) if state]


class AtTerminal(Bench):
    """stdout is a pipe; what it says goes to the terminal."""

    def open(self, *words, columns=80, term="xterm", **more):
        terminal = Terminal(columns)
        process = subprocess.Popen(
            [BENCH, "run", "--hotlead", HOTLEAD, *words], stdout=subprocess.PIPE, stderr=terminal.slave, text=True,
            env={**os.environ, "TMPDIR": str(self.temporary), "TERM": term, **more},
        )  # fmt: skip
        self.addCleanup(end, process)
        return process, terminal

    def finish(self, process, terminal, code=0):
        out, _ = process.communicate(timeout=60)
        terminal.close()
        self.assertEqual(code, process.returncode, f"{out}\n{terminal.written}")
        wait_until(self.nothing_is_left, 20, "nothing to be left")
        return out

    def wait_for(self, terminal, part):
        wait_until(lambda: part in terminal.written, 60, f"'{part}' at the terminal")

    def redis(self):
        names = {number: read_or_nothing(pathlib.Path(f"/proc/{number}/comm")).strip() for number in self.processes()}
        (found,) = [int(number) for number, name in names.items() if name == b"redis-server"]
        return found


class LivingLine(AtTerminal):
    def test_line_fits_the_terminal_keeps_what_counts_and_leaves_nothing(self):
        for columns in (100, 80, 60):
            with self.subTest(columns=columns):
                process, terminal = self.open("--rate", "2000", "--duration", "3s", columns=columns)
                self.finish(process, terminal)
                states = terminal.living()
                self.assertGreater(len(states), 8)
                self.assertLess(max(map(len, states)), columns)
                self.assertRegex(states[-1], r"[34]/4 s .*/s .*p50 .*p99 .* 0 errors  [0-9,]+ waiting$")
                # Where the sender was late by itself, on a busy machine, that is said below.
                line, *below = terminal.lines()
                self.assertEqual("", line)
                self.assertNotIn("waiting", " ".join(below))

    def test_dumb_terminal_and_a_pipe_get_plain_lines(self):
        words = ("--rate", "300", "--duration", "5s")
        process, terminal = self.open(*words, term="dumb")
        self.finish(process, terminal)
        _, talk = self.run_bench("--hotlead", HOTLEAD, *words)
        for written in (terminal.written.replace("\r\n", "\n"), talk):
            self.assertNotRegex(written, "[\r\x1b]")
            self.assertRegex(written, r"^5/6 s  [23][0-9]{2} of 300/s  lead p50 [^\n]+ errors  [0-9]+ waiting\n$")

    def test_drain_shows_what_comes_out_and_what_is_missing(self):
        process, terminal = self.open("--rate", "500", "--duration", "2s")
        self.wait_for(terminal, "1/3 s")
        os.kill(self.redis(), signal.SIGSTOP)
        self.wait_for(terminal, "drain 1 s of 10 at most")
        os.kill(self.redis(), signal.SIGCONT)
        out = self.finish(process, terminal)
        state = next(state for state in terminal.living() if state.startswith("drain 1 s"))
        self.assertRegex(state, r"popped/s  0 errors  [1-9][0-9,]* waiting$")
        self.assertRegex(out, r"drain +the last task was popped .*s after the last answer")


class Ended(AtTerminal):
    """Once: no more is sent, and what was sent is summed up. Twice: at once."""

    def test_at_the_start_it_ends_at_once(self):
        process, terminal = self.open("--duration", "10m")
        wait_until(lambda: list(self.temporary.iterdir()), 20, "the folder")
        process.send_signal(signal.SIGINT)
        self.finish(process, terminal, code=-signal.SIGINT)

    def test_in_the_warm_up_it_says_that_nothing_was_measured(self):
        path = self.folder / "json"
        for load in (("--rate", "500"), ("--rate", "20000", "--connections", "1")):  # the latter is far behind
            with self.subTest(load=load):
                process, terminal = self.open("--warmup", "1m", *load, "--json", str(path))
                self.wait_for(terminal, "warm-up 1/70 s")
                process.send_signal(signal.SIGINT)
                out = self.finish(process, terminal, code=1)
                self.assertIn("in its warm-up: nothing was measured", unfolded(out))
                self.assertEqual(0, json.loads(path.read_text())["acked"])

    def test_once_under_load_and_the_summary_says_so(self):
        process, terminal = self.open("--duration", "10m", "--rate", "500")
        self.wait_for(terminal, "2/601 s")
        process.send_signal(signal.SIGINT)
        out = self.finish(process, terminal)
        self.assertRegex(unfolded(out), r"ended by Ctrl-C after [0-2]\.[0-9] s")
        self.assertIn("once more ends it at once", terminal.lines()[0])

    def test_twice_ends_it_although_tasks_are_missing(self):
        process, terminal = self.open("--duration", "10m", "--rate", "500")
        self.wait_for(terminal, "2/601 s")
        os.kill(self.redis(), signal.SIGSTOP)
        process.send_signal(signal.SIGINT)
        self.wait_for(terminal, "once more")
        process.send_signal(signal.SIGINT)
        self.assertEqual("", self.finish(process, terminal, code=130))

    def test_once_in_the_drain_it_still_waits_for_what_was_sent(self):
        process, terminal = self.open("--duration", "2s", "--rate", "500")
        self.wait_for(terminal, "1/3 s")
        os.kill(self.redis(), signal.SIGSTOP)
        self.wait_for(terminal, "drain 1 s")
        process.send_signal(signal.SIGINT)
        self.wait_for(terminal, "once more")
        os.kill(self.redis(), signal.SIGCONT)
        out = self.finish(process, terminal)
        self.assertIn(" 0 lost, 0 doubled", out)


class Outputs(Bench):
    def run_to(self, place, *words):
        with open(place, "w", encoding="utf-8") as out:
            process = subprocess.run(
                [BENCH, *words], stdout=out, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
                env={**os.environ, "TMPDIR": str(self.temporary)},
            )  # fmt: skip
        return process.returncode, process.stderr

    def test_full_disk_is_a_failure_wherever_it_is(self):
        path = self.folder / "json"
        words = ("--hotlead", HOTLEAD, "--rate", "200", "--duration", "500ms", "--warmup", "0")
        code, talk = self.run_to("/dev/full", "run", *words, "--json", str(path))
        self.assertEqual(1, code)
        self.assertIn("stdout could not be written: No space left on device", talk)
        self.assertEqual(100, json.loads(path.read_text())["acked"], "the file is whole all the same")
        _, talk = self.run_bench(*words, "--json", "/dev/full", code=1)
        self.assertIn("/dev/full could not be written: No space left on device", talk)
        for command in (("report", str(path)), ("diff", str(path), str(path)), ("diff", "-j", str(path), str(path))):
            code, talk = self.run_to("/dev/full", *command)
            self.assertEqual(1, code, command)
            self.assertIn("stdout could not be written", talk)

    def test_temporary_folder_in_memory_is_refused_as_a_setting(self):
        if not os.path.ismount("/dev/shm"):
            self.skipTest("no tmpfs here")
        self.temporary = "/dev/shm"
        process = self.start("run", "--hotlead", HOTLEAD, "--rate", "200", "--duration", "1s")
        out, talk = process.communicate(timeout=60)
        self.assertEqual((2, ""), (process.returncode, out))
        self.assertIn("set TMPDIR to a folder on a real disk", talk)
        process = self.start("run", "--hotlead", HOTLEAD, "--rate", "200", "--duration", "1s", "--allow-tmpfs")
        out, talk = process.communicate(timeout=60)
        self.assertEqual(0, process.returncode, talk)
        self.assertIn("in memory: an fsync costs nothing there", unfolded(out))
