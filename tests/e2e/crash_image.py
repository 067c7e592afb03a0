"""The disks that a power cut may leave, made from a log of power_log.c.

A disk that loses its power keeps what was synced, and of everything else any part: each page of a file holds
what was there at the last sync or what any write since then made of it, each sector of a torn page by itself;
a file's length is the one of the last sync or a later one, whatever became of its data; of the changes of a
folder's entries that no fsync of the folder covered any may be there. Pages that were never written are zeros,
as file systems promise. A rename or one sector of 512 bytes is there or not, never half.

No file system leaves all of these images. The server is to stand all of them, so that nothing hangs on which one
lies below it."""
import os
import pathlib
import re
import struct
from typing import NamedTuple

CREATE, FOLDER, RENAME, UNLINK, LENGTH, WRITE, SYNC_BEGIN, SYNC_END, ANSWER = range(1, 10)
HEADER = struct.Struct("=IIQQQQ")
PAGE_BYTES, SECTOR_BYTES = 4096, 512
ZEROS = bytes(PAGE_BYTES)
VERSIONS_MAX = 24  # of a page that is not synced for long; more are thinned out
POSITIVE_ANSWER = re.compile(rb"HTTP/1\.1 (?:2\d\d|303) [^\r]*\r\n(?:[^\r]+\r\n)*?X-Request-Id: ([^\r]+)\r\n")


class Entry(NamedTuple):
    kind: int
    is_synchronous: int
    file: int
    offset: int
    token: int
    data: bytes

    @property
    def requests(self):
        """Ids of the requests to which this answer says yes."""
        return [id.decode() for id in POSITIVE_ANSWER.findall(self.data)] if self.kind == ANSWER else []


def read_log(path):
    log, entries, at = pathlib.Path(path).read_bytes(), [], 0
    while at < len(log):
        *fields, length = HEADER.unpack_from(log, at)
        at += HEADER.size
        entries.append(Entry(*fields, log[at : at + length]))
        at += length
    return entries


class File:
    """`pending` holds for each page what the writes since the last sync made of it, as (moment, bytes)."""

    def __init__(self, path):
        self.path = path
        self.durable, self.pending, self.seen = {}, {}, {}
        self.durable_length, self.pending_lengths, self.length = 0, [], 0

    def write(self, moment, offset, data):
        end = offset + len(data)
        for page in range(offset // PAGE_BYTES, (end + PAGE_BYTES - 1) // PAGE_BYTES):
            start = page * PAGE_BYTES
            inside, outside = max(offset - start, 0), max(start - offset, 0)
            piece = data[outside : outside + PAGE_BYTES - inside]
            if len(piece) < PAGE_BYTES:
                before = self.seen.get(page, ZEROS)
                piece = before[:inside] + piece + before[inside + len(piece) :]
            self._note(moment, page, ZEROS if piece == ZEROS else piece)
        if end > self.length:
            self.set_length(moment, end)

    def set_length(self, moment, length):
        for page in [page for page in self.seen if page * PAGE_BYTES >= length]:
            self._note(moment, page, ZEROS)
            del self.seen[page]
        self.length = length
        self.pending_lengths.append((moment, length))

    def _note(self, moment, page, content):
        self.seen[page] = content
        versions = self.pending.setdefault(page, [])
        versions.append((moment, content))
        if len(versions) > VERSIONS_MAX:
            del versions[moment % (VERSIONS_MAX // 2)]

    def settle(self, is_covered):
        """What `is_covered` by a sync is durable now."""
        for page in list(self.pending):
            self._settle_page(page, is_covered)
        covered = [pending for pending in self.pending_lengths if is_covered(pending[0])]
        if covered:
            last, self.durable_length = covered[-1]
            self.pending_lengths = [pending for pending in self.pending_lengths if pending[0] > last]

    def _settle_page(self, page, is_covered):
        versions = self.pending[page]
        last = max((i for i, (moment, _) in enumerate(versions) if is_covered(moment)), default=-1)
        if last < 0:
            return
        self.durable[page] = versions[last][1]
        left = [version for i, version in enumerate(versions) if i > last or not is_covered(version[0])]
        if left:
            self.pending[page] = left
        else:
            del self.pending[page]

    def store(self, target, choice):
        pages, length = dict(self.durable), self.durable_length
        for page, versions in self.pending.items():
            pages[page] = choice.page(self.durable.get(page, ZEROS), versions)
        for moment, later in self.pending_lengths:
            if choice.keeps_length(moment):
                length = later
        last = max((page for page, content in pages.items() if content is not ZEROS), default=-1)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(descriptor, b"".join([pages.get(page, ZEROS) for page in range(last + 1)]))
        os.ftruncate(descriptor, length)
        os.close(descriptor)


class Folder:
    """`pending` holds the changes since the last sync, as (moment, {name: what it stands for, or None})."""

    def __init__(self, path):
        self.path = path
        self.durable, self.pending, self.seen = {}, [], {}

    def change(self, moment, changes):
        self.seen |= changes
        self.pending.append((moment, changes))

    def settle(self, is_covered):
        for moment, changes in self.pending:
            if is_covered(moment):
                self.durable |= changes
        self.pending = [pending for pending in self.pending if not is_covered(pending[0])]

    def store(self, target, choice):
        os.makedirs(target, exist_ok=True)
        entries = dict(self.durable)
        for moment, changes in self.pending:
            if choice.keeps_name(moment):
                entries |= changes
        for name, entry in entries.items():
            if entry is not None:
                entry.store(os.path.join(target, name), choice)


class Disk:
    """What is durable, and what may be, while a log is gone through. `lies`: says of a file or folder whether
    its syncs do nothing, which is a fault to be found. A synchronous write is none of them."""

    def __init__(self, root, lies=lambda node: False):
        self.root = Folder(str(root))
        self.nodes = {os.stat(root).st_ino: self.root}
        self.lies = lies
        self.moment = 0
        self.syncing = {}  # token -> (what its end makes durable, whether it is a synchronous write)
        self.being_written = set()  # moments of synchronous writes that have not returned

    def apply(self, entry):
        self.moment += 1
        if entry.kind == WRITE:
            self._write(entry)
        elif entry.kind == LENGTH:
            self.nodes[entry.file].set_length(self.moment, entry.offset)
        elif entry.kind == SYNC_BEGIN:
            self._begin_sync(entry)
        elif entry.kind == SYNC_END:
            self._end_sync(entry)
        elif entry.kind != ANSWER:
            self._change_names(entry)

    def _write(self, entry):
        self.nodes[entry.file].write(self.moment, entry.offset, entry.data)
        if entry.is_synchronous:
            moment = self.moment
            self.being_written.add(moment)
            self.syncing[entry.token] = (lambda at: at == moment, True)

    def _begin_sync(self, entry):
        begun, not_yet = self.moment, frozenset(self.being_written)
        self.syncing[entry.token] = (lambda at: at < begun and at not in not_yet, False)

    def _end_sync(self, entry):
        is_covered, is_write = self.syncing.pop(entry.token)
        self.being_written = {moment for moment in self.being_written if not is_covered(moment)}
        if is_write or not self.lies(self.nodes[entry.file]):
            self.nodes[entry.file].settle(is_covered)

    def _change_names(self, entry):
        path, _, other = entry.data.decode().partition("\0")
        folder, name = self._find(path)
        if entry.kind == RENAME:
            to, to_name = self._find(other)
            assert to is folder, "renames between folders do not occur"
            folder.change(self.moment, {to_name: folder.seen[name], name: None})
        elif entry.kind == UNLINK:
            folder.change(self.moment, {name: None})
        else:
            self.nodes[entry.file] = (Folder if entry.kind == FOLDER else File)(path)
            folder.change(self.moment, {name: self.nodes[entry.file]})

    def _find(self, path):
        """Of a path the folder and the name in it."""
        *folders, name = os.path.relpath(path, self.root.path).split(os.sep)
        folder = self.root
        for step in folders:
            folder = folder.seen[step]
        return folder, name


class Choice:
    """What of all that was not synced the power cut left: drawn anew for each image, for data, lengths and names
    apart."""

    def __init__(self, random, moment):
        self.random = random
        self._keeps_data = self._draw(moment)
        self.keeps_length = self._draw(moment)
        self.keeps_name = self._draw(moment)
        self.torn_share = random.choice((0, 0, 0.1, 1))

    def _draw(self, moment):
        """A rule that says which moments' changes are there."""
        near = moment - int(self.random.expovariate(1 / 30))
        share = self.random.choice((0.1, 0.5, 0.9, 0.98))
        drawn = {}

        def some(at):
            if at not in drawn:
                drawn[at] = self.random.random() < share
            return drawn[at]

        return self.random.choice((
            lambda at: True,  # as after a kill
            lambda at: False,
            lambda at: at <= near,  # in order, up to a moment
            lambda at: at > near,  # the newest came first
            lambda at: at != near,
            some, some, some,
        ))  # fmt: skip

    def page(self, durable, versions):
        if self.torn_share and self.random.random() < self.torn_share:
            contents = [durable, *(content for _, content in versions)]
            return b"".join([
                self.random.choice(contents)[at : at + SECTOR_BYTES] for at in range(0, PAGE_BYTES, SECTOR_BYTES)
            ])
        for moment, content in reversed(versions):
            if self._keeps_data(moment):
                return content
        return durable
