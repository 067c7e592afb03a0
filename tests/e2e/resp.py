"""A Redis client of one page: RESP2 over a unix socket, one command at a time."""
import socket


class RedisError(Exception):
    """What Redis answered with a minus in front."""


class Redis:
    def __init__(self, path, timeout=15):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.input = self.socket.makefile("rb")

    def close(self):
        self.input.close()
        self.socket.close()

    def __call__(self, *words):
        """redis("ZADD", key, 5, member) -> the reply; text as str, nil as None."""
        encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        request = b"*%d\r\n" % len(encoded)
        request += b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)
        self.socket.sendall(request)
        return self._reply()

    def _reply(self):
        line = self.input.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest.decode()
        length = int(rest)
        if length < 0:
            return None
        if kind == b"$":
            return self.input.read(length + 2)[:-2].decode()
        return [self._reply() for _ in range(length)]
