"""A Redis primary with its replica, behind an address that stays the same: as with Sentinel and a virtual address."""
import os
import re
import shutil
import signal
import socket
import tempfile
import threading

from resp import Redis
from servers import RedisServer, wait_until


class Proxy:
    """Forwards connections to an address that may change. While it is frozen nothing passes, either way, and
    no connection breaks: a network that is cut."""

    def __init__(self, listener):
        self.listener = listener
        self.target = None  # a callable that connects
        self.links = set()
        self.lock = threading.Lock()
        self.flows = threading.Event()
        self.flows.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self):
        self.flows.clear()

    def point_to(self, connect):
        """Those who are connected now are cut off."""
        with self.lock:
            self.target = connect
            links, self.links = self.links, set()
        for link in links:
            shut(link)
        self.flows.set()

    def close(self):
        shut(self.listener)
        self.listener.close()
        self.point_to(None)

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                with self.lock:
                    far = self.target()
                    self.links |= {near, far}
            except (OSError, TypeError):  # nobody is there
                near.close()
                continue
            ends = [threading.Thread(target=self._pump, args=pair, daemon=True) for pair in ((near, far), (far, near))]
            for end in ends:
                end.start()

    def _pump(self, source, sink):
        try:
            while piece := source.recv(65536):
                self.flows.wait()
                self._forward(piece, sink)
        except OSError:
            pass
        shut(source)
        shut(sink)

    def _forward(self, piece, sink):
        sink.sendall(piece)


def shut(link):
    try:
        link.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


class Pair:
    """What a Scenario knows as its Redis. `path` and `url` are the proxy's."""

    def __init__(self, folder):
        self.sockets = tempfile.mkdtemp(prefix="hotlead-e2e.")
        self.path = f"{self.sockets}/redis"
        self.servers = []
        for name in ("one", "two"):
            (folder / name).mkdir()
            self.servers.append(RedisServer(folder / name))
        clients, replication = socket.socket(socket.AF_UNIX), socket.socket()
        clients.bind(self.path)
        replication.bind(("127.0.0.1", 0))
        self.replication_port = replication.getsockname()[1]
        for listener in (clients, replication):
            listener.listen(64)
        self.clients, self.replication = Proxy(clients), Proxy(replication)
        self.link = None

    @property
    def url(self):
        return f"unix://{self.path}"

    @property
    def primary(self):
        return self.servers[0]

    @property
    def replica(self):
        return self.servers[1]

    def start(self):
        self.primary.start()
        self.primary("CONFIG", "SET", "repl-diskless-sync-delay", 0)
        self._lead_to_primary()
        self.join()

    def _lead_to_primary(self):
        path, port = self.primary.path, self.primary.port
        self.clients.point_to(lambda: connect_unix(path))
        self.replication.point_to(lambda: socket.create_connection(("127.0.0.1", port)))

    def join(self):
        """The replica begins with nothing, and has everything when this returns."""
        shutil.rmtree(self.replica.folder)
        os.mkdir(self.replica.folder)
        self.replica.start()
        self.replica("CONFIG", "SET", "repl-diskless-sync-delay", 0)
        self.replica("REPLICAOF", "127.0.0.1", self.replication_port)
        wait_until(lambda: "master_link_status:up" in self.replica("INFO", "replication"), 20, "the replica to be in step")

    def cut(self):
        self.replication.freeze()

    def is_behind(self):
        """Whether the primary has something that the replica has not."""
        has = re.search(r"master_repl_offset:(\d+)", self.primary("INFO", "replication"))
        got = re.search(r"slave_repl_offset:(\d+)", self.replica("INFO", "replication"))
        return int(has[1]) > int(got[1])

    def fail_over(self):
        """The primary dies, the replica is promoted, the address leads to it."""
        self.primary.stop(signal.SIGKILL)
        self.replica("REPLICAOF", "NO", "ONE")
        self.servers.reverse()
        self._hang_up()
        self._lead_to_primary()

    # --- as a RedisServer ----------------------------------------------------------------

    def __call__(self, *words):
        if self.link is None:
            self.link = Redis(self.path)
        try:
            return self.link(*words)
        except OSError:
            self.link = None
            raise

    def _hang_up(self):
        if self.link:
            self.link.close()
        self.link = None

    @property
    def is_running(self):
        return any(server.is_running for server in self.servers)

    def stop(self, number=signal.SIGTERM):
        self._hang_up()
        for server in self.servers:
            server.stop(number)

    def signal(self, number):
        for server in self.servers:
            if server.is_running:
                server.signal(number)

    def remove(self):
        for proxy in (self.clients, self.replication):
            proxy.close()
        for server in self.servers:
            server.remove()
        shutil.rmtree(self.sockets, ignore_errors=True)


def connect_unix(path):
    link = socket.socket(socket.AF_UNIX)
    try:
        link.connect(path)
    except OSError:
        link.close()
        raise
    return link
