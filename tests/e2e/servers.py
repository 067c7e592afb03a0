"""The real programs: a private redis-server, build/hotlead, and the clock file it can be told to read."""
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from resp import Redis, RedisError
from web import Web

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HOTLEAD = os.environ.get("HOTLEAD", str(ROOT / "build" / "hotlead"))
# Several times as slow, and larger: a sanitizer keeps what was freed for a while, and fences each allocation.
IS_SANITIZED = os.path.exists(HOTLEAD) and b"__asan_init" in pathlib.Path(HOTLEAD).read_bytes()


def preloaded(fault, **settings):
    """The environment of a server into which tests/faults/<fault>.c is loaded."""
    library = pathlib.Path(HOTLEAD).resolve().parent / "faults" / f"{fault}.so"
    assert library.exists(), f"{library} is built with the server"
    # A sanitizer that is a library of its own would want to come first.
    sanitizer = f"{os.environ.get('ASAN_OPTIONS', '')}:verify_asan_link_order=0"
    return {"LD_PRELOAD": str(library), "ASAN_OPTIONS": sanitizer, **{name: str(value) for name, value in settings.items()}}


def free_port():
    """Below the range that outgoing connections take theirs from, so that it is still free when a
    killed server comes back."""
    while True:
        port = random.randint(10000, 30000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_until(condition, timeout=10.0, what="it"):
    """Polls until the condition gives something true, and returns that."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout} s for {what}; the last look gave {value!r}")
        time.sleep(0.02)


class Process:
    """One child process and its log file, which later runs append to."""

    def __init__(self, log):
        self.log = pathlib.Path(log)
        self.child = None

    def spawn(self, command, env=None):
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **(env or {})}
            )

    @property
    def is_running(self):
        return self.child is not None and self.child.poll() is None

    def signal(self, number):
        self.child.send_signal(number)

    def end(self, number, timeout=30):
        """Sends the signal and returns the exit code; kills what does not end by itself."""
        if self.child is None:
            return None
        if self.child.poll() is None:
            self.child.send_signal(number)
        try:
            code = self.child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"{self.log.name}: still running {timeout} s after signal {number}") from None
        self.child = None
        return code


class RedisServer(Process):
    def __init__(self, folder):
        super().__init__(folder / "redis.log")
        self.folder = folder / "redis"
        self.folder.mkdir(exist_ok=True)
        self.sockets = tempfile.mkdtemp(prefix="hotlead-e2e.")  # socket paths end at 107 bytes
        self.path = f"{self.sockets}/redis"
        self.port = free_port()
        self.link = None

    @property
    def url(self):
        return f"unix://{self.path}"

    def start(self, appendonly="yes"):
        self.spawn([
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", self.path,
            "--dir", str(self.folder), "--save", "", "--appendonly", appendonly, "--appendfsync", "everysec",
            "--maxmemory-policy", "noeviction",
        ])  # fmt: skip
        wait_until(self._answers, what="Redis")

    def _answers(self):
        try:
            link = Redis(self.path)
        except OSError:
            return False
        try:
            return link("PING") == "PONG"
        except RedisError:  # still loading its file
            return False
        finally:
            link.close()

    def __call__(self, *words):
        if self.link is None:
            self.link = Redis(self.path)
        try:
            return self.link(*words)
        except OSError:
            self.link = None
            raise

    def stop(self, number=signal.SIGTERM):
        if self.link:
            self.link.close()
        self.link = None
        self.end(number)

    def remove(self):
        shutil.rmtree(self.sockets, ignore_errors=True)


class TestClock:
    """The file of --test-clock. Written in place by one write of equal length, so that no reader
    ever sees half of it."""

    def __init__(self, path, now_ms):
        self.path = path
        self.now_ms = now_ms
        pathlib.Path(path).write_text(f"{now_ms}\n")

    def set(self, now_ms, settles=0.1):
        self.now_ms = now_ms
        descriptor = os.open(self.path, os.O_WRONLY)
        os.pwrite(descriptor, b"%d\n" % now_ms, 0)
        os.close(descriptor)
        time.sleep(settles)  # the server looks every few ms; a busy machine makes that more

    def advance(self, seconds=0.0):
        self.set(self.now_ms + round(seconds * 1000))


class WallClock:
    """The machine's wall clock, and how long it has slept, as a server sees them that is started with this
    environment; every other clock is the real one."""

    def __init__(self, folder):
        self.path = folder / "wall_clock"
        self.offset_ms = self.slept_ms = 0
        self.path.write_bytes(bytes(16))
        self.environment = preloaded("wall_clock", WALL_CLOCK=self.path)

    @property
    def now_ms(self):
        return time.time_ns() // 1_000_000 + self.offset_ms

    def step(self, seconds):
        """The wall clock is set."""
        self.offset_ms += seconds * 1000
        self._tell()

    def sleep(self, seconds):
        """The machine sleeps: all clocks go on but the monotonic one."""
        self.offset_ms += seconds * 1000
        self.slept_ms += seconds * 1000
        self._tell()

    def _tell(self):
        numbers = [offset_ms * 1_000_000 for offset_ms in (self.offset_ms, self.slept_ms)]
        descriptor = os.open(self.path, os.O_WRONLY)
        os.pwrite(descriptor, b"".join(number.to_bytes(8, sys.byteorder, signed=True) for number in numbers), 0)
        os.close(descriptor)


class Hotlead(Process):
    def __init__(self, folder, redis_url, data=None):
        super().__init__(folder / "hotlead.log")
        self.data = pathlib.Path(data or folder / "data")
        self.redis_url = redis_url
        self.port = free_port()
        self.arguments = []
        self.environment = {}
        self.wrapper = []  # put before every command, such as nsenter
        self.web = Web(self.port)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def admin_token(self):
        command = [*self.wrapper, "cat", str(self.data / "admin.token")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    @property
    def stores(self):
        """The flags by which other commands find what this server stores."""
        flags = ["--data", str(self.data)]
        for flag in ("--state", "--journal-map-bytes", "--state-map-bytes"):
            if flag in self.arguments:
                flags += [flag, self.arguments[self.arguments.index(flag) + 1]]
        return flags

    def start(self, ready=True):
        self.spawn([
            *self.wrapper, HOTLEAD, "serve", "--data", str(self.data), "--listen", f"127.0.0.1:{self.port}",
            "--redis", self.redis_url, *self.arguments,
        ], self.environment)  # fmt: skip
        if ready:
            wait_until(self._is_ready, timeout=20, what="hotlead to be ready")

    def _is_ready(self):
        if not self.is_running:
            raise AssertionError(f"hotlead ended at once:\n{self.log.read_text(errors='replace')[-2000:]}")
        try:
            return self.web.get("/readyz").status == 200
        except OSError:
            return False

    def stop(self):
        self.web.close()
        return self.end(signal.SIGTERM)

    def kill(self):
        self.web.close()
        return self.end(signal.SIGKILL)

    def run(self, *arguments, check=True, env=None):
        """Runs another command of the binary, and returns what came of it."""
        done = subprocess.run(
            [*self.wrapper, HOTLEAD, *map(str, arguments)],
            capture_output=True, timeout=120, check=False, env={**os.environ, **(env or {})},
        )  # fmt: skip
        with open(self.log, "ab") as log:
            log.write(done.stderr)
        if check and done.returncode != 0:
            raise AssertionError(f"hotlead {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stderr.decode()}")
        return done
