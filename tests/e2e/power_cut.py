"""Where a power cut may leave a server: its run is recorded, its disks are cut at any moment, and what is left is
opened and judged. test_power.py says which runs."""
import concurrent.futures
import contextlib
import hashlib
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.parse
from typing import NamedTuple

import crash_image
from crash_image import CREATE, FOLDER, RENAME, UNLINK, WRITE, Choice, Disk
from experiment import seed
from harness import ALARMS
from servers import HOTLEAD
from web import Web

SEED = seed()
CONNECTIONS = 6
IMAGES_A_MOMENT = 4
SERVED_EACH = 10
LOOKED_UP = 12  # of what was acknowledged, by id, in an image that is served
MARKER = re.compile(rb"power-\d{6}")


class Sent(NamedTuple):
    """An opt-in that was acknowledged with its id."""

    id: str
    body: dict
    key: str


class Workload:
    """Sends, and notes for each request what its 2xx promises: that records with these markers are in the
    journal."""

    def __init__(self, scenario):
        self.scenario = scenario
        self.random = random.Random(SEED)
        self.lock = threading.Lock()
        self.numbers = 0
        self.promises = {}  # request id -> markers
        self.sent = {}  # marker -> Sent

    def number(self):
        with self.lock:
            self.numbers += 1
            return self.numbers

    def marker(self):
        return f"power-{self.number():06}"

    def promise(self, *markers):
        """The headers of a request whose 2xx promises these."""
        request = f"request-{self.number()}"
        self.promises[request] = markers
        return {"X-Request-Id": request}

    def optin(self, marker):
        """Small ones, and some that take a page or several of the journal for themselves."""
        length = self.random.choice((0, 0, 100, 1000, 3000, 6000, 12000))
        return {"email": f"{marker}@example.com", "name": marker, "fields": {"text": "x" * length}}

    def send_new(self, web, key):
        marker = self.marker()
        self._send(web, marker, self.optin(marker), key)

    def _send(self, web, marker, body, key):
        headers = {"Idempotency-Key": f"key-{marker}", **self.promise(marker)}
        answer = self.scenario.post_optin(body, web=web, key=key, headers=headers)
        assert answer.status in (200, 201), answer
        with self.lock:
            self.sent.setdefault(marker, Sent(answer.json["id"], body, key))

    def send_again(self, web, key):
        """A duplicate: it makes no record, and its answer promises the first one's."""
        with self.lock:
            marker, sent = self.random.choice(list(self.sent.items()) or [(None, None)])
        if sent:
            self._send(web, marker, sent.body, sent.key)

    def send_returning(self, web, key):
        """Another opt-in of somebody who is known."""
        with self.lock:
            known = self.random.choice([sent.body["email"] for sent in self.sent.values()] or ["first@example.com"])
        marker = self.marker()
        self._send(web, marker, {"email": known, "fields": {"said": marker}}, key)

    def send_form(self, web, key):
        marker = self.marker()
        headers = {"Content-Type": "application/x-www-form-urlencoded", **self.promise(marker)}
        body = urllib.parse.urlencode({"email": f"{marker}@example.com", "company": marker})
        answer = web.post(f"/f/{self.scenario.pk}", body, headers=headers)
        assert answer.status == 200, answer

    def send_batch(self, web, key):
        markers = [self.marker() for _ in range(self.random.choice((3, 40)))]
        body = [{"email": f"{marker}@example.com"} for marker in markers]
        answer = web.post("/v1/optins/batch", body, bearer=key, headers=self.promise(*markers))
        assert answer.json["accepted"] == len(markers), answer

    def send_many(self, count, keys):
        """Over several connections at once, so that commits hold one request or several."""
        kinds = [self.send_new] * 14 + [self.send_again] * 2 + [self.send_returning] * 2
        kinds += [self.send_form, self.send_batch]
        left = iter(range(count))

        def run():
            web = Web(self.scenario.server.port)
            for _ in left:
                with self.lock:
                    send, key = self.random.choice(kinds), self.random.choice(keys)
                send(web, key)
            web.close()

        with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:
            for done in [pool.submit(run) for _ in range(CONNECTIONS)]:
                done.result()

    def work_a_task(self, outcome):
        scenario = self.scenario
        answer = scenario.web.post(
            "/v1/tasks/claim", {"queue": scenario.queue, "agent": "a42", "wait_s": 5}, bearer=scenario.admin
        )
        assert answer.status == 200, answer
        task, marker = answer.json, self.marker()
        body = {"delivery": task["delivery"], "agent": "a42", "outcome": outcome, "note": marker}
        path = f"/v1/tasks/{task['id']}/outcome"
        answer = scenario.web.post(path, body, bearer=scenario.admin, headers=self.promise(marker))
        assert answer.status == 200, answer

    def add_site(self):
        marker, scenario = self.marker(), self.scenario
        body = {"id": marker, "agency": "acme", "queue": scenario.queue, "country": "US"}
        answer = scenario.web.post("/v1/sites", body, bearer=scenario.admin, headers=self.promise(marker))
        assert answer.status == 201, answer
        return answer.json["sk"]

    def change_site(self, site):
        marker = self.marker()
        body = {"origins": [f"https://{marker}.example.com"]}
        web, admin = self.scenario.web, self.scenario.admin
        answer = web.request("PATCH", f"/v1/sites/{site}", body, self.promise(marker), admin)
        assert answer.status == 200, answer


class Recording:
    """The log of a run, and what its answers promised: of each marker where its record ends in the text of
    the whole journal."""

    def __init__(self, root, log, workload, data):
        self.root, self.workload = root, workload
        self.entries = crash_image.read_log(log)
        self.journal = journal_text(data)
        self.ends = {}
        markers = {marker for markers in workload.promises.values() for marker in markers}
        for marker in markers:
            at = self.journal.find(marker.encode().hex().encode())
            assert at >= 0, f"{marker} was acknowledged and has no record"
            self.ends[marker] = self.journal.index(b"\n", at) + 1

    def promised(self, entry):
        """The markers that this answer promises."""
        known = self.workload.promises
        return [marker for request in entry.requests for marker in known.get(request, ())]

    def answered_too_early(self):
        """The entries as of a server that answers before it commits: each answer stands before the first write that
        has something of what it promises. LMDB writes a transaction's pages in its commit and not before."""
        first_written = {}
        for number, entry in enumerate(self.entries):
            if entry.kind == WRITE:
                for marker in MARKER.findall(entry.data):
                    first_written.setdefault(marker.decode(), number)
        places = []
        for number, entry in enumerate(self.entries):
            places.append((min([number, *(first_written[marker] - 0.5 for marker in self.promised(entry))]), entry))
        return [entry for _, entry in sorted(places, key=lambda place: place[0])]


def journal_text(data):
    """All records in order, two lines of hexadecimal digits each."""
    done = subprocess.run(["mdb_dump", data / "journal"], capture_output=True, timeout=60, check=True)
    return done.stdout.partition(b"HEADER=END\n")[2].removesuffix(b"DATA=END\n")


def vouches(data):
    """Whether state is said to have been put away well."""
    try:
        return (data / "state" / "OWNER").read_text().endswith("\nclean\n")
    except (OSError, ValueError):
        return False


class Image(NamedTuple):
    number: int
    folder: pathlib.Path
    moment: int
    acked: list  # markers, in order of their answers


class Found(NamedTuple):
    image: Image
    trouble: str  # what is lost, unreadable or wrong; empty: nothing


class Opener:
    """Opens images with the real binary and judges what it finds."""

    def __init__(self, recording):
        self.recording = recording
        self.workload = recording.workload
        self.rebuilt = {}  # length of the journal's text -> digest of the dump that a rebuild from it gives

    def judge(self, image):
        try:
            return Found(image, self._open(image))
        except (subprocess.SubprocessError, OSError, AssertionError) as unreadable:
            said = getattr(unreadable, "stderr", None) or b""
            return Found(image, f"unreadable: {unreadable} {said.decode(errors='replace')[-300:]}")

    def _open(self, image):
        """Both ways where OWNER vouches for state: only serving asks the index, which is then not made anew either."""
        data = image.folder / "data"
        if not self.is_served(image):
            return self._recover(image, data)
        if not vouches(data):
            return self._serve(image, data)
        copy = image.folder / "copy"
        shutil.copytree(data, copy)
        return self._recover(image, copy) or self._serve(image, data)

    @staticmethod
    def is_served(image):
        """One in so many; and those in which no request was acknowledged, perhaps no journal made."""
        return image.number % SERVED_EACH == 0 or not image.acked or vouches(image.folder / "data")

    def _run(self, command, data):
        done = subprocess.run([HOTLEAD, command, "--data", data], capture_output=True, timeout=60, check=True)
        return done.stdout

    def _recover(self, image, data):
        dump = hashlib.sha256(self._run("dump", data)).digest()
        text = journal_text(data)
        lost = self._lost(image, text)
        if lost:
            return f"lost: {lost}"
        if not self.recording.journal.startswith(text):
            return "wrong: records that the living server did not have"
        if len(text) not in self.rebuilt:
            self._run("rebuild", data)
            self.rebuilt[len(text)] = hashlib.sha256(self._run("dump", data)).digest()
        return "" if dump == self.rebuilt[len(text)] else "wrong: state is not what a rebuild gives"

    def _lost(self, image, text):
        """Acknowledged, and not there as it was."""
        end = max((self.recording.ends[marker] for marker in image.acked), default=0)
        if text[:end] == self.recording.journal[:end]:
            return []
        return [marker for marker in image.acked if marker.encode().hex().encode() not in text] or ["as it was"]

    def _serve(self, image, data):
        log = open(image.folder / "hotlead.log", "w+b")
        server = subprocess.Popen(
            [HOTLEAD, "serve", "--data", data, "--listen", "127.0.0.1:0", "--redis", f"unix://{image.folder}/none"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
        )  # fmt: skip
        late = threading.Timer(60, server.kill)
        late.start()
        try:
            heard = re.search(rb"listens on http://127\.0\.0\.1:(\d+)", server.stdout.readline())
            log.seek(0)
            assert heard, f"no start: {log.read()[-600:].decode(errors='replace')}"
            with contextlib.closing(Web(int(heard[1]))) as web:
                trouble = self._ask(image, web, data)
        finally:
            late.cancel()
            server.kill()
            server.wait()
            server.stdout.close()
            said = (log.seek(0), log.read())[1].decode(errors="replace")
            log.close()
        assert not any(alarm in said for alarm in ALARMS), said[-600:]
        self._run("fsck", data)
        lost = self._lost(image, journal_text(data))
        return trouble or (f"lost: {lost}" if lost else "")

    def _ask(self, image, web, data):
        sent = self.workload.sent
        known = [marker for marker in dict.fromkeys(image.acked) if marker in sent]
        choose = random.Random(f"{SEED} {image.number}")
        asked = set(known[-LOOKED_UP // 2 :]) | set(choose.sample(known, min(len(known), LOOKED_UP // 2)))
        for marker in sorted(asked):
            id, body, key = sent[marker]
            answer = self._patiently(lambda: web.get(f"/v1/optins/{id}", bearer=key))
            if answer.status != 200 or marker not in answer.text:
                return f"lost: {marker} {answer}"
            headers = {"Idempotency-Key": f"key-{marker}"}
            answer = self._patiently(lambda: web.post("/v1/optins", body, bearer=key, headers=headers))
            if answer.status != 200 or answer.json["id"] != id:
                return f"wrong: {marker} is not known again: {answer}"
        admin = (data / "admin.token").read_text().strip()
        answer = self._patiently(lambda: web.get("/v1/sites", bearer=admin))
        return "" if answer.status == 200 else f"wrong: the first token is not valid: {answer}"

    @staticmethod
    def _patiently(ask):
        """503 while state is made anew."""
        answer = ask()
        for _ in range(500):
            if answer.status not in (202, 503):
                break
            time.sleep(0.02)
            answer = ask()
        return answer


class Cuts:
    """Cuts the power at many moments of a recording, and has what is left opened."""

    def __init__(self, recording, name, entries=None, lies=lambda node: False, is_fault=True):
        self.recording, self.name, self.lies, self.is_fault = recording, name, lies, is_fault
        self.entries = entries or recording.entries
        self.opener = Opener(recording)
        self.lock = threading.Lock()
        self.images = self.served = self.acked = 0
        self.contents = set()  # digests of images: the same may be drawn more than once
        self.troubles = []

    def moments(self, choose, count):
        """Anywhere; just behind a promise; and where names change, which is what starts and stops do."""
        answers = [at for at, entry in enumerate(self.entries) if self.recording.promised(entry)]
        names = [at for at, entry in enumerate(self.entries) if entry.kind in (CREATE, FOLDER, RENAME, UNLINK)]
        first = answers[0] + 1 if self.is_fault else 0  # a fault is to show itself in what was acknowledged
        drawn = []
        for _ in range(count):
            start = choose.choice((None, None, choose.choice(answers), choose.choice(answers), choose.choice(names)))
            if start is None:
                drawn.append(choose.randrange(len(self.entries)))
            else:
                drawn.append(min(start + 1 + int(choose.expovariate(1 / 12)), len(self.entries)))
        return sorted(max(first, moment) for moment in drawn)

    def make(self, count, folder):
        """The images, in order of their moments; each in a folder of its own."""
        choose = random.Random(f"{SEED} {self.name}")
        disk, acked, at, number = Disk(self.recording.root, self.lies), [], 0, 0
        for moment in self.moments(choose, count // IMAGES_A_MOMENT):
            for entry in self.entries[at:moment]:
                acked += self.recording.promised(entry)
                disk.apply(entry)
            at = moment
            for _ in range(IMAGES_A_MOMENT):
                number += 1
                image = Image(number, folder / str(number), moment, list(acked))
                disk.root.store(image.folder, Choice(choose, moment))
                yield image

    def open(self, count, until=(), keep=None):
        """Opens so many images, or until one shows a trouble of these kinds."""
        with tempfile.TemporaryDirectory(dir=image_place()) as folder:
            workers = os.cpu_count() or 2
            room = threading.Semaphore(2 * workers)
            with concurrent.futures.ThreadPoolExecutor(workers) as pool:
                running = []
                for image in self.make(count, pathlib.Path(folder)):
                    room.acquire()
                    if self.count(*until):
                        break
                    running.append(pool.submit(self._open, image, keep, room))
            for done in running:
                done.result()
        return self

    def _open(self, image, keep, room):
        try:
            is_served, content = self.opener.is_served(image), digest_of(image.folder)
            found = self.opener.judge(image)
            with self.lock:
                self.images += 1
                self.contents.add(content)
                self.served += is_served
                self.acked += len(image.acked)
                if found.trouble:
                    self.troubles.append(found)
                if found.trouble and keep and len(self.troubles) <= 3:
                    shutil.copytree(image.folder, keep / f"image-{image.number}")
            shutil.rmtree(image.folder)
        finally:
            room.release()

    def count(self, *kinds):
        return sum(found.trouble.startswith(kinds) for found in self.troubles)

    def __str__(self):
        return (
            f"{self.name}: {self.images} images, {len(self.contents)} different ones, {self.served} of them served, {self.acked} acknowledgements looked for, "
            f"{self.count('lost')} lost something, {self.count('unreadable')} unreadable, {self.count('wrong')} wrong"
        )


def digest_of(folder):
    """Of all names in it and what they hold."""
    digest = hashlib.blake2b()
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        digest.update(f"{path.relative_to(folder)} {len(content)}\n".encode() + content)
    return digest.digest()


def image_place():
    """Whether an image stays is all the same, so where there is memory for it, it need not wait for a disk."""
    return "/dev/shm" if os.path.isdir("/dev/shm") else "/var/tmp"
