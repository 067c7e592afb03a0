"""What documents say and the code says too: they must say the same."""
import pathlib
import re
import subprocess
import unittest

from servers import HOTLEAD, ROOT

PROTOCOL = (ROOT / "proto" / "PROTOCOL.md").read_text()
DEFAULT = ROOT / "deploy" / "playbooks" / "default.yaml"


class Pictures(unittest.TestCase):
    def test_stages_are_drawn_as_the_command_draws_them(self):
        done = subprocess.run([HOTLEAD, "playbook", "show", DEFAULT, "--mermaid"], capture_output=True, text=True, check=True)
        self.assertIn(f"```mermaid\n{done.stdout}```", PROTOCOL)


class Words(unittest.TestCase):
    def test_what_vicidial_says_is_in_the_playbook_and_in_the_table(self):
        section = DEFAULT.read_text().partition("\naliases:\n")[2].partition("\n\n")[0]
        playbook = dict(re.findall(r"^  (\w+): (\w+)", section, re.MULTILINE))
        table = {}
        for words, outcome in re.findall(r"^\| ((?:`[A-Z]+` ?)+) \| `(\w+)` \|$", PROTOCOL, re.MULTILINE):
            table.update({word: outcome for word in re.findall(r"`([A-Z]+)`", words)})
        self.assertGreater(len(playbook), 20)
        self.assertEqual(playbook, table)


class Rows(unittest.TestCase):
    """tests/rows.md."""

    def rows(self):
        """Row -> what shows it."""
        lines = re.findall(r"^\| ([A-Z]{2}-\d+) \| [^|]+ \|([^|]*)\|$", (ROOT / "tests" / "rows.md").read_text(), re.MULTILINE)
        self.assertEqual(len(lines), len(dict(lines)), "a row stands there twice")
        return {row: re.findall(r"`([^`]+)`", cell) for row, cell in lines}

    def test_each_row_is_shown_by_something(self):
        rows = self.rows()
        self.assertGreater(len(rows), 90)
        self.assertEqual([], [row for row, shown in rows.items() if not shown], "rows that nothing shows")

    def test_what_shows_a_row_is_there(self):
        tests = self.unit_tests() | self.scenarios()
        documents = "\n".join(path.read_text() for path in [ROOT / "README.md", ROOT / "proto" / "PROTOCOL.md", *ROOT.glob("*/README.md")])
        wrong = []
        for row, shown in self.rows().items():
            for name in shown:
                is_there = name in documents if name.startswith("hotlead") else name in tests
                wrong += [] if is_there else [f"{row}: {name}"]
        self.assertEqual([], wrong, "what does not exist")

    def unit_tests(self):
        code = "\n".join(path.read_text() for path in (ROOT / "tests").glob("test_*.c"))
        return set(re.findall(r"^static void (\w+)\(void \*\*", code, re.MULTILINE))

    def scenarios(self):
        names = {f"Golden.test_{path.stem.replace('-', '_')}" for path in (ROOT / "tests" / "golden").glob("*.txt")}
        for path in pathlib.Path(__file__).parent.glob("test_*.py"):
            for name, body in re.findall(r"^class (\w+)[^\n]*:\n((?:(?:    [^\n]*)?\n)+)", path.read_text(), re.MULTILINE):
                names |= {f"{name}.{test}" for test in re.findall(r"^    def (test_\w+)", body, re.MULTILINE)}
        return names


if __name__ == "__main__":
    unittest.main()
