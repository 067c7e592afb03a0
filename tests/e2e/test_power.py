"""A power cut: what was acknowledged is there, and what is there can be read.

A real server, under power_log.c, takes opt-ins, outcomes and changes of settings, is stopped, killed and started
again. Out of the log come disks as a power cut may have left them (crash_image.py), cut at any moment, and the real
binary opens each: most with `hotlead dump`, which recovers a folder as a start does, and each tenth with `hotlead
serve`, which must find by its id what was acknowledged, and know it again when it is sent again. Every record of
the journal is then read with LMDB's own mdb_dump and compared with what the living server had.

So that this can be believed, the same is done with four faults, which it must find."""
import time
import unittest

from crash_image import File, Folder
from experiment import told
from harness import LONG, Scenario
from power_cut import SEED, Cuts, Recording, Workload
from servers import preloaded

IMAGES = 12_500 if LONG else 240  # of which every fifth or so is one that was drawn before
IMAGES_OF_A_FAULT = 400  # at most: a short run ends with the first one that shows it
REQUESTS = 160  # a start


class Recorded(Scenario):
    faults = {}  # of the server that is recorded

    def start_server(self):
        boot, self.log = self.folder / "boot_id", self.folder / "power.log"
        boot.write_text("00000000-0000-4000-8000-000000000000\n")
        self.server.environment = preloaded(
            "power_log", POWER_LOG=self.log, POWER_ROOT=self.folder, POWER_BOOT=boot, **type(self).faults
        )
        super().start_server()

    def record(self):
        """Three starts, a stop and a kill, and a journal that grows over what was written ahead."""
        work = Workload(self)
        keys = [self.sk, self.set_up_agency("globex")["sk"]]
        work.send_many(REQUESTS, keys)
        keys.append(work.add_site())
        self.assertEqual(0, self.server.stop())
        self.start_server()
        work.send_many(REQUESTS, keys)
        for outcome in ("no_answer", "conversation", "sold"):
            work.work_a_task(outcome)
        work.change_site("acme-www")
        time.sleep(0.5)  # a call that a kill ends half-way would not be in the log
        self.server.kill()
        self.start_server()
        self.report(self.pop(), "outcome", outcome="appointment")
        work.send_many(REQUESTS, keys)
        self.assertEqual(0, self.server.stop())
        return Recording(self.folder, self.log, work, self.server.data)

    def assert_finds(self, cuts, *kinds):
        cuts.open(IMAGES_OF_A_FAULT, until=() if LONG else kinds)
        print(f"measured fault to be found: {cuts}", flush=True)
        self.assertGreater(cuts.count(*kinds), 0, f"SEED={SEED}: a fault that is not found: {cuts}")


class PowerCut(Recorded):
    seconds_long = 5400  # 12,500 disks, each opened by a server of its own

    def test_no_cut_loses_or_spoils_what_was_acknowledged(self):
        recording = self.record()
        cuts = Cuts(recording, "power cut", is_fault=False).open(IMAGES, keep=self.folder)
        words = [f"image {found.image.number} at {found.image.moment}: {found.trouble}" for found in cuts.troubles[:10]]
        self.assertEqual([], words, f"SEED={SEED}: {cuts}")
        self.find_answers_before_the_commit(recording)
        self.find_an_owner_that_is_not_synced(recording)
        self.find_a_disk_that_lies(recording)
        print(f"measured {cuts}", flush=True)
        what = f"different crash images ({cuts.images} were opened) lost something, were unreadable or wrong"
        told("power-cut", 0, len(cuts.contents), what)

    def find_answers_before_the_commit(self, recording):
        cuts = Cuts(recording, "answers before the commit", entries=recording.answered_too_early())
        self.assert_finds(cuts, "lost")

    def find_an_owner_that_is_not_synced(self, recording):
        """OWNER says that state was put away well until a start has written `dirty`. A server that does not sync that
        makes the same calls but those on OWNER and its folder, which here do nothing while OWNER says so. (The
        folder is synced again when the rows in it are opened, and that alone would be enough: it is left out too.)
        Where the new name is lost and pages of the rows are not, a state that is half of another is trusted."""
        state = str(self.server.data / "state")

        def says_dirty(node):
            owner = node.seen.get("OWNER") if isinstance(node, Folder) else node
            return owner is not None and b"dirty" in owner.seen.get(0, b"")

        def lies(node):
            return node.path in (state, f"{state}/OWNER.tmp") and says_dirty(node)

        self.assert_finds(Cuts(recording, "OWNER not synced", lies=lies), "wrong", "unreadable")

    def find_a_disk_that_lies(self, recording):
        """fsync and fdatasync of files return and have done nothing. Synchronous writes and folders are
        honest, so that meta pages of the journal come before what they point to."""
        cuts = Cuts(recording, "fdatasync lies", lies=lambda node: isinstance(node, File))
        self.assert_finds(cuts, "lost", "unreadable")


class UnsyncedJournal(Recorded):
    faults = {"POWER_NOSYNC": "1"}

    def test_a_journal_opened_with_nosync_is_found_to_lose_what_was_acknowledged(self):
        self.assert_finds(Cuts(self.record(), "journal with MDB_NOSYNC"), "lost", "unreadable")


if __name__ == "__main__":
    unittest.main()
