"""Journals of earlier versions, kept in tests/samples: this version must rebuild each to the same dump.

A sample is made by `make_sample.py NAME` and never changed; a new one is added whenever the form of records
changes (and may be added whenever they say something new)."""
import shutil
import tempfile
import unittest
import pathlib

from servers import ROOT, Hotlead

SAMPLES = ROOT / "tests" / "samples"


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


if __name__ == "__main__":
    unittest.main()
