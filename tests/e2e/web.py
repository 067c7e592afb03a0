"""HTTP as the scenarios need it: ordinary requests, and raw bytes on a socket."""
import http.client
import json
import socket


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:400]!r}"


class Web:
    """One kept connection to 127.0.0.1:port, opened anew when it broke. Not for two threads."""

    def __init__(self, port, timeout=15):
        self.port = port
        self.timeout = timeout
        self.connection = None

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def request(self, method, path, body=None, headers=None, bearer=None):
        """`body`: bytes, text, or anything else to be sent as JSON. A connection that breaks
        before the answer raises: whether the request counted is then not known."""
        headers = dict(headers or {})
        if bearer:
            headers.setdefault("Authorization", f"Bearer {bearer}")
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        if isinstance(body, str):
            body = body.encode()
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, body, **more)


def raw(port, request, timeout=5, half_close=False):
    """Sends bytes as they are; returns all that comes until the peer closes or is silent."""
    with socket.create_connection(("127.0.0.1", port), timeout) as link:
        link.sendall(request)
        if half_close:
            link.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while True:
                piece = link.recv(65536)
                if not piece:
                    break
                received += piece
        except (TimeoutError, ConnectionResetError):
            pass
        return received


def multipart(pairs, boundary="----hotlead7MA4YWxk"):
    """Body and content type of a form with these fields."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in pairs
    ]
    return "".join(parts) + f"--{boundary}--\r\n", f"multipart/form-data; boundary={boundary}"
