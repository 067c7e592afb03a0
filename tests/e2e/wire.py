"""HTTP straight from the socket, so that a test knows what came: a whole answer, nothing, or a part of one."""
import json
import socket

from web import Answer


class Cut(Exception):
    """The connection broke, or was refused, and not one byte of the answer had come."""


class Torn(Exception):
    """The connection broke within an answer."""


class Wire:
    """One kept connection, opened anew when it broke. Not for two threads."""

    def __init__(self, port, timeout=15):
        self.port = port
        self.timeout = timeout
        self.socket = None
        self.input = b""

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket, self.input = None, b""

    def ask(self, method, path, body=None, bearer=None, headers=()):
        """The answer; raises Cut or Torn. Whether a request without an answer counted is not known."""
        return self._exchange(self._encode(method, path, body, bearer, headers), 1)[0]

    def get_all(self, paths, bearer):
        """One answer for each path, asked for some at a time on one connection."""
        answers = []
        for first in range(0, len(paths), 16):
            some = paths[first : first + 16]
            answers += self._exchange(b"".join(self._encode("GET", path, None, bearer, ()) for path in some), len(some))
        return answers

    def _encode(self, method, path, body, bearer, headers):
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {bearer}"]
        lines += [f"{name}: {value}" for name, value in headers]
        content = b"" if body is None else json.dumps(body).encode()
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + content

    def _exchange(self, request, count):
        try:
            if self.socket is None:
                self.socket = socket.create_connection(("127.0.0.1", self.port), self.timeout)
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.sendall(request)
            answers = [self._answer() for _ in range(count)]
        except TimeoutError:  # the server holds the connection, and says nothing: no fault explains that
            self.close()
            raise
        except OSError as broken:
            came = self.input
            self.close()
            if came:
                raise Torn(f"{came[:200]!r}, then {broken}") from broken
            raise Cut(str(broken)) from broken
        if answers[-1].headers.get("connection", "").lower() == "close":
            self.close()
        return answers

    def _read(self):
        piece = self.socket.recv(65536)
        if not piece:
            raise ConnectionError("closed")
        self.input += piece

    def _answer(self):
        while b"\r\n\r\n" not in self.input:
            self._read()
        head, _, rest = self.input.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = [tuple(line.split(": ", 1)) for line in lines[1:]]
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        while len(self.input) < len(head) + 4 + length:
            self._read()
        rest = self.input[len(head) + 4 :]
        self.input = rest[length:]
        return Answer(int(lines[0].split(" ")[1]), headers, rest[:length])
