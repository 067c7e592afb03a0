"""Stores that somebody has been at: rows of an LMDB environment are read and written by its own tools, as text, so that
nothing of ours is in between. Of copies of a folder whose server is down."""
import os
import pathlib
import subprocess


class Store:
    """A folder with a data.mdb, such as <data>/journal or <data>/state/rows. Table "" is the one without a name."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def read(self, table=""):
        """(key, value) of each row, in order."""
        name = ["-s", table] if table else []
        text = subprocess.run(["mdb_dump", *name, self.folder], capture_output=True, text=True, check=True).stdout
        lines = [bytes.fromhex(line) for line in text.splitlines() if line.startswith(" ")]
        return list(zip(lines[::2], lines[1::2]))

    def _tables(self):
        listed = subprocess.run(["mdb_dump", "-l", self.folder], capture_output=True, text=True, check=False)
        return listed.stdout.split() if listed.returncode == 0 else [""]

    def write(self, table, rows):
        """Makes the environment anew with these rows in that table, and the others as they are."""
        tables = {name: self.read(name) for name in self._tables()}
        tables[table] = rows
        for name in ("data.mdb", "lock.mdb"):
            (self.folder / name).unlink(missing_ok=True)
        for name, content in tables.items():
            text = "VERSION=3\nformat=bytevalue\n" + (f"database={name}\n" if name else "")
            text += "type=btree\nmapsize=1073741824\nmaxreaders=126\ndb_pagesize=4096\nHEADER=END\n"
            text += "".join(f" {key.hex()}\n {value.hex()}\n" for key, value in content) + "DATA=END\n"
            subprocess.run(["mdb_load", self.folder], input=text, text=True, check=True)

    def delete(self, table, which=0):
        """Takes one row out."""
        rows = self.read(table)
        del rows[which]
        self.write(table, rows)

    def flip(self, table, which=0, place=None):
        """Changes a byte of a row's value, the middle one unless another is named."""
        rows = self.read(table)
        key, value = rows[which]
        place = len(value) // 2 if place is None else place
        rows[which] = (key, value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :])
        self.write(table, rows)


def copy_of(data, target):
    """A data folder as it is now, without what is open in it."""
    subprocess.run(["cp", "-a", os.fspath(data), os.fspath(target)], check=True)
    return pathlib.Path(target)
