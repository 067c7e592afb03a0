#!/usr/bin/python3
"""A peer that hurts, in a process of its own, so that it does not share an interpreter with whom it is measured beside.

    attack.py PORT KIND [ARGUMENT ...]

Says `ready` when it has begun. Goes on until SIGTERM, and then says what it was answered: {"status": count}."""
import collections
import gzip
import json
import re
import resource
import signal
import socket
import sys
import time

ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}) ")


class Attack:
    def __init__(self, port):
        self.port = port
        self.answers = collections.Counter()
        self.links = []

    def connect(self):
        link = socket.create_connection(("127.0.0.1", self.port), 10)
        self.links.append(link)
        return link

    def count(self, received):
        self.answers.update(status.decode() for status in ANSWER.findall(received))

    def paced(self, each_second, act):
        """Calls at that rate, and makes up for what it missed."""
        begin, done = time.monotonic(), 0
        print("ready", flush=True)
        while True:
            while done < (time.monotonic() - begin) * each_second:
                act()
                done += 1
            time.sleep(0.002)

    def idle(self, count):
        """Connections on which nothing is ever said."""
        for _ in range(int(count)):
            link = socket.socket()
            link.setblocking(False)
            link.connect_ex(("127.0.0.1", self.port))
            self.links.append(link)
        print("ready", flush=True)
        signal.pause()

    def ask(self, link, request):
        """One request, one answer; a refused connection is opened anew."""
        try:
            link.sendall(request)
            received = link.recv(65536)
        except OSError:
            received = b""
        self.count(received)
        if received and b"\r\nConnection: close" not in received:
            return link
        link.close()
        self.links.remove(link)
        return self.connect()

    def flood(self, key, each_second):
        """Opt-ins of ever new people to one site, by its public key."""
        link, number = self.connect(), 0

        def send():
            nonlocal link, number
            number += 1
            link = self.ask(link, request(f"/v1/optins?key={key}", b'{"email":"flood%d@example.com"}' % number))

        self.paced(int(each_second), send)

    def bombs(self, secret, each_second):
        """16 MiB of a letter, in as few bytes as gzip makes of it."""
        body = gzip.compress(b'{"email":"' + b"a" * (16 << 20) + b'"}')
        bomb = request("/v1/optins", body, f"Authorization: Bearer {secret}", "Content-Encoding: gzip")
        link = self.connect()

        def send():
            nonlocal link
            link = self.ask(link, bomb)

        self.paced(int(each_second), send)

    def pipeline(self, depth, each_second):
        """That many requests at once on one connection; then again. The answers are read at that rate, of which 0
        is never."""
        requests = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * int(depth)
        print("ready", flush=True)
        while True:
            link = self.connect()
            if each_second == "0":
                self.push(link, requests)
                signal.pause()
            self.exchange(link, requests, int(depth), int(each_second))
            link.close()
            self.links.remove(link)

    def push(self, link, requests):
        """What the kernel takes, until it takes nothing for a while."""
        link.settimeout(1)
        try:
            link.sendall(requests)
        except TimeoutError:
            pass

    def exchange(self, link, requests, depth, each_second):
        """Sends what fits, and reads by turns, until all is answered."""
        link.setblocking(False)
        view, sent, answered, tail = memoryview(requests), 0, 0, b""
        while answered < depth:
            try:
                sent += link.send(view[sent : sent + 65536])
            except BlockingIOError:
                pass
            try:
                received = link.recv(65536)
                if not received:
                    return
                count = (tail + received).count(b"HTTP/1.1 200 ")
                answered += count
                self.answers["200"] += count
                tail = received[-12:]  # one byte less than what is counted
                time.sleep(count / each_second)
            except BlockingIOError:
                time.sleep(0.0005)


def request(path, body, *headers):
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json", *headers]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def main():
    attack = Attack(int(sys.argv[1]))

    def end(*_):
        print(json.dumps(attack.answers), flush=True)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    getattr(attack, sys.argv[2])(*sys.argv[3:])


if __name__ == "__main__":
    main()
