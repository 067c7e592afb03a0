"""What a power cut may leave of a file and of a folder, by the model of crash_image.py."""
import pathlib
import random
import tempfile
import unittest

from crash_image import CREATE, PAGE_BYTES, SECTOR_BYTES, SYNC_BEGIN, SYNC_END, WRITE, Choice, Disk, Entry, File, Folder

OLD, NEW, NEWER = b"o" * PAGE_BYTES, b"n" * PAGE_BYTES, b"N" * PAGE_BYTES


def left_of(node, count=400):
    """All that any choice leaves of a file, or the sets of names that it leaves of a folder."""
    found = set()
    with tempfile.TemporaryDirectory() as place:
        for number in range(count):
            target = pathlib.Path(place) / str(number)
            node.store(str(target), Choice(random.Random(number), 100))
            found.add(frozenset(entry.name for entry in target.iterdir()) if target.is_dir() else target.read_bytes())
    return found


def file_with(*writes, synced_before=0):
    file = File("file")
    for moment, (offset, data) in enumerate(writes, 1):
        file.write(moment, offset, data)
    file.settle(lambda moment: moment < synced_before)
    return file


class Model(unittest.TestCase):
    def test_what_was_synced_stays_whatever_else_is_left(self):
        self.assertEqual({OLD}, left_of(file_with((0, OLD), synced_before=2)))

    def test_unsynced_page_is_any_of_its_versions_or_torn(self):
        left = left_of(file_with((0, OLD), (0, NEW), (0, NEWER), synced_before=2))
        self.assertLessEqual({OLD, NEW, NEWER}, left)
        torn = left - {OLD, NEW, NEWER}
        self.assertTrue(torn)
        for page in torn:
            for at in range(0, PAGE_BYTES, SECTOR_BYTES):
                self.assertEqual(1, len(set(page[at : at + SECTOR_BYTES])), "a sector is never torn")

    def test_unsynced_write_may_be_there_before_an_older_one(self):
        left = left_of(file_with((0, OLD + OLD), (0, NEW), (PAGE_BYTES, NEW), synced_before=2))
        self.assertLessEqual({OLD + OLD, NEW + OLD, OLD + NEW, NEW + NEW}, left)

    def test_length_and_data_are_lost_apart(self):
        left = left_of(file_with((0, OLD), (PAGE_BYTES, NEW), synced_before=2))
        self.assertLessEqual({OLD, OLD + NEW, OLD + bytes(PAGE_BYTES)}, left)

    def test_what_is_cut_off_does_not_come_back_when_the_file_grows(self):
        file = file_with((0, OLD + NEW), synced_before=2)
        file.set_length(2, PAGE_BYTES)
        file.set_length(3, 2 * PAGE_BYTES)
        file.settle(lambda moment: True)
        self.assertEqual({OLD + bytes(PAGE_BYTES)}, left_of(file))

    def test_disk_that_lies_about_syncs_is_honest_about_synchronous_writes(self):
        with tempfile.TemporaryDirectory() as root:
            disk = Disk(root, lies=lambda node: isinstance(node, File))
            for entry in (
                Entry(CREATE, 0, 1, 0, 0, f"{root}/file".encode()), Entry(WRITE, 0, 1, 0, 0, OLD),
                Entry(SYNC_BEGIN, 0, 1, 0, 1, b""), Entry(SYNC_END, 0, 1, 0, 1, b""),
                Entry(WRITE, 1, 1, PAGE_BYTES, 2, NEW), Entry(SYNC_END, 0, 1, 0, 2, b""),
            ):  # fmt: skip
                disk.apply(entry)
            left = left_of(disk.nodes[1])
        self.assertEqual({NEW}, {content[PAGE_BYTES:] for content in left}, "what was written synchronously is there")
        self.assertLessEqual({OLD, bytes(PAGE_BYTES)}, {content[:PAGE_BYTES] for content in left})

    def test_name_that_was_not_synced_may_be_missing_and_a_rename_is_never_half(self):
        folder, file = Folder("folder"), file_with((0, OLD), synced_before=2)
        folder.change(1, {"old": file})
        folder.settle(lambda moment: True)
        folder.change(2, {"new": file, "old": None})
        folder.change(3, {"other": file})
        names = {frozenset(names) for names in (["old"], ["new"], ["old", "other"], ["new", "other"])}
        self.assertEqual(names, left_of(folder))


if __name__ == "__main__":
    unittest.main()
