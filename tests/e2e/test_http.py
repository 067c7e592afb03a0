"""Raw bytes on a socket: what is refused, in which order answers come, who is cut off."""
import json
import re
import socket
import time

from harness import Scenario
from servers import wait_until
from web import raw

GOOD = b'{"email":"raw@example.com"}'


def status_of(reply):
    return int(reply.split(b" ", 2)[1]) if reply.startswith(b"HTTP/1.") else None


class Wire(Scenario):
    def head(self, *lines, method=b"POST", target=b"/v1/optins", version=b"HTTP/1.1", host=b"Host: x"):
        top = [method + b" " + target + b" " + version, host, b"Authorization: Bearer " + self.sk.encode(),
               b"Content-Type: application/json", *lines]  # fmt: skip
        return b"\r\n".join(line for line in top if line) + b"\r\n\r\n"

    def whole(self, body=GOOD, *lines, **more):
        return self.head(b"Content-Length: %d" % len(body), *lines, **more) + body

    def test_requests_that_could_smuggle_are_refused_and_the_connection_closed(self):
        chunked = b"1b\r\n" + GOOD + b"\r\n0\r\n\r\n"
        length = b"Content-Length: 27"
        for name, status, request in [
            ("length and chunked", 400, self.head(length, b"Transfer-Encoding: chunked") + chunked),
            ("two lengths", 400, self.head(length, b"Content-Length: 28") + GOOD),
            ("length with a sign", 400, self.head(b"Content-Length: +27") + GOOD),
            ("length in a list", 400, self.head(b"Content-Length: 27, 27") + GOOD),
            ("folded header", 400, self.head(length, b"X-A: b\r\n c") + GOOD),
            ("folded transfer coding", 400, self.head(b"Transfer-Encoding:\r\n chunked") + chunked),
            ("space before the colon", 400, self.head(length, b"X-A : b") + GOOD),
            ("bare line feed", 400, self.head(length, b"X-A: b\nX-B: c") + GOOD),
            ("bare carriage return", 400, self.head(length, b"X-A: b\rX-B: c") + GOOD),
            ("control byte", 400, self.head(length, b"X-A: \x01") + GOOD),
            ("NUL", 400, self.head(length, b"X-A: a\x00b") + GOOD),
            ("empty name", 400, self.head(length, b": b") + GOOD),
            ("chunked twice", 400, self.head(b"Transfer-Encoding: chunked, chunked") + chunked),
            ("chunked not last", 400, self.head(b"Transfer-Encoding: chunked, gzip") + chunked),
            ("chunked in 1.0", 400, self.head(b"Transfer-Encoding: chunked", version=b"HTTP/1.0") + chunked),
            ("two codings", 501, self.head(b"Transfer-Encoding: gzip, chunked") + chunked),
            ("coding without an end", 400, self.head(b"Transfer-Encoding: zstd") + chunked),
            ("no host", 400, self.head(length, host=b"") + GOOD),
            ("two hosts", 400, self.head(length, b"Host: y") + GOOD),
            ("bad host", 400, self.head(length, host=b"Host: a b") + GOOD),
            ("version 2.0", 505, self.head(length, version=b"HTTP/2.0") + GOOD),
            ("two spaces", 400, self.whole().replace(b"POST /", b"POST  /")),
            ("no length", 411, self.head()),
            ("bad chunk size", 400, self.head(b"Transfer-Encoding: chunked") + b"0x1b\r\n" + GOOD + b"\r\n0\r\n\r\n"),
            ("chunk too short", 400, self.head(b"Transfer-Encoding: chunked") + b"5\r\n" + GOOD + b"\r\n0\r\n\r\n"),
            ("unknown method", 501, self.whole(method=b"BREW")),
            ("connect", (400, 405, 501), self.whole(method=b"CONNECT")),
            ("long target", 414, self.whole(target=b"/" + b"a" * 9000)),
            ("long header", 431, self.whole(GOOD, b"X-A: " + b"b" * 17000)),
            ("many headers", 431, self.whole(GOOD, *[b"X-%d: b" % i for i in range(120)])),
            ("body over its limit", 413, self.head(b"Content-Length: 99999999")),
            ("not HTTP", 400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
        ]:  # fmt: skip
            with self.subTest(name):
                reply = raw(self.server.port, request, timeout=3)
                self.assertIn(status_of(reply), status if isinstance(status, tuple) else (status,), reply[:200])
                self.assertEqual(1, len(re.findall(rb"HTTP/1\.1 \d{3} ", reply)), "one answer, then the end")
        self.assertEqual({}, self.tasks(), "nothing of it was stored")

    def test_half_a_request_stores_nothing(self):
        for request in (self.whole()[:-5], self.head(b"Transfer-Encoding: chunked") + b"1b\r\n" + GOOD):
            reply = raw(self.server.port, request, half_close=True)
            self.assertNotEqual(201, status_of(reply))
        self.assert_stays(lambda: not self.tasks(), 0.5, "nothing was stored")

    def post_as_admin(self, path, **fields):
        body = json.dumps(fields).encode()
        return self.whole(body, method=b"POST", target=path).replace(self.sk.encode(), self.admin.encode())

    def test_who_has_said_all_is_answered_and_let_go(self):
        for name, status, request in [
            ("opt-in", 201, self.whole()),
            ("claim", 204, self.post_as_admin(b"/v1/tasks/claim", queue=f"{self.queue}-b", agent="a", wait_s=30)),
            ("change", 201, self.post_as_admin(b"/v1/agencies", id="half", name="Half")),
        ]:
            if name == "claim":
                self.create("queues", id=f"{self.queue}-b", agency="acme")
            with self.subTest(name):
                begin = time.monotonic()
                self.assertEqual(status, status_of(raw(self.server.port, request, timeout=10, half_close=True)))
                self.assertLess(time.monotonic() - begin, 5, "the connection stays open")

    def test_who_leaves_without_its_answer_leaves_no_connection(self):
        kept = self.metric("hotlead_http_connections")
        for number in range(100):
            with socket.create_connection(("127.0.0.1", self.server.port)) as link:
                link.sendall(self.whole(b'{"email":"left%d@example.com"}' % number))
        self.wait_task_count(100)
        wait_until(lambda: self.metric("hotlead_http_connections") <= kept, 5, "the connections closed")

    def test_pipelined_requests_are_answered_in_order(self):
        bodies = [json.dumps({"email": f"p{i}@example.com"}).encode() for i in range(20)]
        requests = b"".join(self.whole(body) for body in bodies[:-1]) + self.whole(bodies[-1], b"Connection: close")
        reply = raw(self.server.port, requests)
        self.assertEqual(20, reply.count(b"HTTP/1.1 201"))
        self.wait_task_count(20)
        received = sorted(task["received_ms"] for task, _ in self.tasks().values())
        order = [part.split(b'"')[0].decode() for part in reply.split(b'"task":"')[1:]]
        emails = [self.tasks()[task][0]["email"] for task in order]
        self.assertEqual([f"p{i}@example.com" for i in range(20)], emails)
        self.assertEqual(received, [self.tasks()[task][0]["received_ms"] for task in order])

    def test_one_byte_at_a_time_is_the_same_request(self):
        with socket.create_connection(("127.0.0.1", self.server.port)) as link:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in self.whole(GOOD, b"Connection: close"):
                link.sendall(bytes([byte]))
            self.assertEqual(201, status_of(link.recv(65536)))

    def test_expect_100_continue_is_answered_before_the_body(self):
        with socket.create_connection(("127.0.0.1", self.server.port), 5) as link:
            link.sendall(self.head(b"Content-Length: 27", b"Expect: 100-continue", b"Connection: close"))
            self.assertTrue(link.recv(100).startswith(b"HTTP/1.1 100"))
            link.sendall(GOOD)
            self.assertEqual(201, status_of(link.recv(65536)))

    def test_head_has_the_headers_and_no_body(self):
        reply = raw(self.server.port, b"HEAD /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertEqual(200, status_of(reply))
        self.assertEqual(b"", reply.partition(b"\r\n\r\n")[2])

    def test_answers_carry_the_request_id_that_came(self):
        answer = self.post_optin({"email": "a@example.com"}, headers={"X-Request-Id": "abc-123"})
        self.assertEqual("abc-123", answer.headers["x-request-id"])
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        answer = self.post_optin({"email": "b@example.com"}, headers={"traceparent": trace})
        self.assertIn("4bf92f3577b34da6a3ce929d0e0e4736", self.wait_task(answer.json["task"])["traceparent"])


class Slow(Scenario):
    def setUp(self):
        self.extra = ["--header-timeout-ms", "500", "--body-timeout-ms", "500", "--idle-timeout-ms", "800"]
        super().setUp()

    def start_server(self):
        self.server.arguments += self.extra
        self.extra = []
        super().start_server()

    def closes_within(self, request, seconds):
        start = time.monotonic()
        reply = raw(self.server.port, request, timeout=seconds + 2)
        self.assertLess(time.monotonic() - start, seconds + 1)
        return reply

    def test_slow_senders_are_cut_and_others_served(self):
        links = [socket.create_connection(("127.0.0.1", self.server.port)) for _ in range(200)]
        for link in links:
            link.sendall(b"POST /v1/optins HTTP/1.1\r\nHost: x\r\nX-")
        start = time.monotonic()
        self.accept_optin({"email": "quick@example.com"})
        self.assertLess(time.monotonic() - start, 1)
        for link in links:
            link.settimeout(3)
            self.assertIn(status_of(link.recv(4096) or b""), (408, None))
            link.close()

    def test_body_that_does_not_come_is_a_timeout(self):
        head = b"POST /v1/optins HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
        reply = self.closes_within(head % self.sk.encode() + b"Content-Length: 27\r\n\r\n{", 2)
        self.assertEqual(408, status_of(reply))

    def test_idle_connections_are_closed(self):
        self.closes_within(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", 2)


class Descriptors(Scenario):
    def start_server(self):
        self.server.wrapper = ["prlimit", "--nofile=256"]
        super().start_server()

    def test_more_connections_than_files_do_not_stop_the_server(self):
        links = []
        for _ in range(400):
            try:
                links.append(socket.create_connection(("127.0.0.1", self.server.port), 1))
            except OSError:
                break
        time.sleep(0.5)
        for link in links:
            link.close()
        self.web.close()
        time.sleep(0.5)
        self.accept_optin({"email": "after@example.com"})
