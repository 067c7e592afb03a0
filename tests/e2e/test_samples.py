"""Journals of earlier versions, kept in tests/samples: this version must rebuild each to the same dump.

A sample is made by `make_sample.py NAME` and never changed; a new one is added whenever the form of records
changes (and may be added whenever they say something new)."""
import re
import shutil
import tempfile
import time
import unittest
import pathlib

from servers import ROOT, Hotlead, TestClock, wait_until

SAMPLES = ROOT / "tests" / "samples"
ADOPTED = "all people of an earlier release have a next step or an end"


class Samples(unittest.TestCase):
    def test_journals_of_earlier_versions_give_the_dump_they_gave(self):
        samples = sorted(path.parent for path in SAMPLES.glob("*/data.mdb"))
        self.assertTrue(samples)
        for sample in samples:
            with self.subTest(sample.name), tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
                data = pathlib.Path(folder) / "data"
                (data / "journal").mkdir(parents=True)
                shutil.copy(sample / "data.mdb", data / "journal" / "data.mdb")
                server = Hotlead(pathlib.Path(folder), "redis://127.0.0.1:1/0", data=data)
                server.run("fsck", "--data", data)
                server.run("rebuild", "--data", data)
                dump = server.run("dump", "--data", data).stdout.decode()
                self.assertEqual((sample / "dump.txt").read_text(), dump)

    def test_everybody_of_an_earlier_journal_has_a_next_step_or_an_end_from_the_first_start(self):
        for sample in sorted(path.parent for path in SAMPLES.glob("*/data.mdb")):
            with self.subTest(sample.name), tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
                folder = pathlib.Path(folder)
                (folder / "data" / "journal").mkdir(parents=True)
                shutil.copy(sample / "data.mdb", folder / "data" / "journal" / "data.mdb")
                server = Hotlead(folder, "redis://127.0.0.1:1/0")
                newest_ms = int(re.search(r"folded_ms=(\d+)", (sample / "dump.txt").read_text())[1])
                TestClock(folder / "clock", newest_ms + 3_600_000)
                server.arguments += ["--test-clock", str(folder / "clock")]
                server.start()
                # Redis is away, and what waits there may be known in some seconds still; meanwhile opt-ins come.
                key = re.search(r"pk_acme_\w+", (sample / "dump.txt").read_text())[0]
                self.assertEqual(201, server.web.post(f"/v1/optins?key={key}", {"email": "new@example.com"}).status)
                time.sleep(0.3)
                self.assertNotIn(ADOPTED, server.log.read_text())
                wait_until(lambda: ADOPTED in server.log.read_text(), timeout=20, what="all to be adopted")
                self.assertEqual(0, server.stop())
                told = self.dump(server)
                self.assertIn("all_adopted=1", told)
                people = [dict(re.findall(r"(\w+)=(\w*)", line)) for line in told.splitlines() if line.startswith("person ")]
                self.assertTrue(people)
                for person in people:
                    has_next = person["due_ms"] != "0" or person["open_tasks"] != "0"
                    self.assertTrue(has_next or person["closed"] != "0", person)
                self.assertIn("orphans 0", server.run("audit", "--data", server.data, "--without-redis", check=False).stdout.decode())
                server.run("fsck", "--data", server.data)
                server.run("rebuild", "--data", server.data)
                self.assertEqual(told, self.dump(server))

    @staticmethod
    def dump(server):
        return server.run("dump", "--data", server.data).stdout.decode()


if __name__ == "__main__":
    unittest.main()
