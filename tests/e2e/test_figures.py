"""What happened, as figures: over HTTP, on the command line, and after a kill and a rebuild."""
import csv
import datetime
import io
import json
import re

from harness import Scenario
from servers import wait_until

MINUTE, HOUR, DAY = 60, 3600, 86400


class Figures(Scenario):
    clock = True

    def live(self, number, waits, outcome, **more):
        """Somebody opts in, and somebody else takes that long to call."""
        optin = self.accept_optin({**self.person_number(number), "source_kind": "webinar", **more})
        task = self.wait_task(optin["task"])
        self.clock.advance(waits)
        member = self.pop()
        while member["id"] != task["id"]:  # calls that come again
            member = self.pop()
        self.report(member, "outcome", outcome=outcome)
        wait_until(lambda: self.get(f"/v1/tasks/{task['id']}")["state"] == "ended", what="the outcome is heard")

    def figures(self, name, query=""):
        return self.get(f"/v1/reports/{name}{query}", bearer=self.admin)

    def rows(self, report, table):
        return next(each["rows"] for each in report["tables"] if each["name"] == table)

    def lived(self):
        self.create("agents", id="a42", agency="acme")
        self.live(1, 3 * MINUTE, "conversation", utm_campaign="spring")
        self.live(2, 7 * MINUTE, "no_answer", utm_campaign="spring")
        self.live(3, 20 * MINUTE, "sold")
        self.live(4, 3 * DAY, "not_interested")

    def test_figures_say_what_happened_and_survive_a_kill(self):
        self.lived()
        before = {name: self.figures(name) for name in ("speed", "funnel", "attempts", "campaigns", "promises")}
        classes = {row["class"]: row["count"] for row in self.rows(before["speed"], "classes")}
        self.assertEqual({"0-5 min": 1, "5-10 min": 1, "10-30 min": 1, "30-60 min": 0, "1 h - end of business day": 0,
                          "later": 1, "never": 0}, classes)
        self.assertEqual(3 * DAY * 1000, before["speed"]["summary"]["max_ms"])
        self.assertEqual(["webinar"], [row["source"] for row in self.rows(before["speed"], "source")])
        self.assertEqual(["a42"], [row["agent"] for row in self.rows(before["speed"], "agent")])
        self.assertEqual((4, 4, 2, 1), tuple(before["funnel"]["summary"][step] for step in
                                             ("people", "contacted", "conversed", "sold")))
        spring = self.rows(before["campaigns"], "campaigns")[0]
        self.assertEqual(("spring", 2, 50.0), (spring["campaign"], spring["people"], spring["conversed_percent"]))
        self.server.kill()
        self.server.start()
        self.assertEqual(before, {name: self.figures(name) for name in before})

    def test_the_command_line_prints_text_and_csv(self):
        self.lived()
        told = self.command("report", "conversation-time")
        self.assertIn("conversations             2", told)
        self.assertIn("max                       20 min", told)
        self.assertIn("█", told)
        rows = list(csv.reader(io.StringIO(self.command("report", "speed", "--site", "acme-www", "--csv"))))
        self.assertIn(["summary", "answered", "4"], rows)
        self.assertEqual(self.figures("score"), json.loads(self.command("report", "score", "--json")))
        cracks = self.command("report", "cracks", "--agency", "acme")
        self.assertIn("cracks                    0", cracks)
        self.live(5, MINUTE, "unsatisfied")
        self.assertIn("per_", self.command("report", "unhappy", "--agency", "acme"))

    def test_a_report_that_cannot_be_asked_for_so_is_a_mistake_of_usage(self):
        for words, said in ((("weather",), "there is no 'weather'"),
                            ((), "usage: hotlead report NAME"),
                            (("funnel", "--from", "2027-02-30"), "give a day of the calendar"),
                            (("funnel", "--from", "2027-02-30", "--csv"), "give a day of the calendar"),
                            (("speed", "--from"), "this wants a value: --from"),
                            (("speed", "--json", "--csv"), "give one of --json and --csv"),
                            (("cracks", "--limit", "0"), "give a number from 1 to 1000"),
                            (("speed", "--by", "day"), "the value of by cannot be used in the report speed")):
            wrong = self.server.run("report", *words, "--data", self.server.data, check=False)
            self.assertEqual((2, b""), (wrong.returncode, wrong.stdout), words)
            self.assertIn(said, wrong.stderr.decode())

    def test_csv_has_all_pages_of_a_list(self):
        for number in range(120):
            self.accept_optin(self.person_number(number))
        self.clock.advance(6 * MINUTE)
        wait_until(lambda: self.figures("no-response")["summary"]["no_response"] == 120, what="the deadlines have passed")
        self.assertEqual(100, len(self.rows(self.figures("no-response"), "people")))
        for more in ((), ("--limit", "50")):
            rows = list(csv.reader(io.StringIO(self.command("report", "no-response", "--csv", *more))))
            people = [row[1] for row in rows if row[0] == "people"]
            self.assertEqual(120, len(people))
            self.assertEqual(120, len(set(people)))
            self.assertEqual(1, len([row for row in rows if row[:2] == ["table", "person"]]))
        rows = csv.reader(io.StringIO(self.command("report", "no-response", "--csv", "--limit", "50", "--after", "20")))
        self.assertEqual(100, len([row for row in rows if row and row[0] == "people"]))

    def test_a_side_counted_by_the_week_says_its_days(self):
        self.lived()
        today = datetime.datetime.fromtimestamp(self.figures("late")["tables"][0]["rows"][0]["first_ms"] / 1000,
                                                datetime.timezone.utc).date()
        monday = today - datetime.timedelta(days=today.weekday())
        asked = ("--agency", "acme", "--source", "webinar", "--from", str(today), "--to", str(today))
        report = json.loads(self.command("report", "funnel", *asked, "--json"))
        self.assertEqual((str(today), str(today)), (report["from"], report["to"]))
        self.assertEqual(str(monday), report["covers"]["from"])
        covers = "/".join(report["covers"].values())
        rows = list(csv.reader(io.StringIO(self.command("report", "funnel", *asked, "--csv"))))
        self.assertIn(["covers", "summary", covers], rows)
        told = self.command("report", "funnel", *asked)
        self.assertEqual(str(monday) != str(today) or report["covers"]["to"] != str(today), "; counted are those from " in told)

    def test_every_report_comes_as_text_json_and_csv(self):
        self.lived()
        names = re.findall(r"^  ([a-z]\S+) ", self.command("report", "--help"), re.MULTILINE)
        self.assertLessEqual({"speed", "conversation-time", "funnel", "attempts", "score", "dust", "cracks", "promises", "mix",
                              "campaigns", "unhappy", "late", "no-response", "board", "pipelines", "robots", "graveyard"}, set(names))
        for name in names:
            document = json.loads(self.command("report", name, "--json"))
            self.assertEqual(name, document["report"])
            tables = {row[0] for row in csv.reader(io.StringIO(self.command("report", name, "--csv"))) if row}
            self.assertLessEqual({table["name"] for table in document["tables"] if table["rows"]}, tables)
            self.assertTrue(self.command("report", name).startswith(f"{name}: "))
        late = self.rows(self.figures("late"), "people")
        self.assertEqual([4, 4, 21], [row["odds_lost_times"] for row in late])
        self.assertEqual(0, self.figures("no-response")["summary"]["no_response"])
        self.assertEqual(1, len(self.rows(self.figures("promises"), "people")))
        self.assertEqual({"owner": "a42", "stage": "lead", "people": 1, "over": 0}, self.rows(self.figures("board"), "board")[1])

    def command(self, *words):
        return self.server.run(*words, "--data", self.server.data).stdout.decode()
