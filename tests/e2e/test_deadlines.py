"""Deadlines, leases and deliveries on a clock that the test sets: each fires once, whenever the
server looks at it."""
import json
import signal
import time

from harness import Scenario
from servers import wait_until

MINUTE, HOUR, DAY = 60, 3600, 86400


class Unnoticed(Scenario):
    """What a consumer did and the server has not seen yet when a deadline passes."""

    clock = True

    def test_breach_brings_no_popped_task_back(self):
        tasks = [self.accept_optin(self.person_number(number))["task"] for number in range(6)]
        self.wait_task_count(6)
        self.clock.advance(299)
        popped = {self.pop()["id"] for _ in range(3)}
        self.clock.advance(2)
        self.wait_until_breached(set(tasks) - popped)
        self.assert_stays(lambda: not popped & set(self.tasks()), 2, "they were popped")
        self.assertEqual(set(tasks) - popped, set(self.tasks()))

    def test_popped_just_before_its_deadline_comes_again_behind_one_that_nobody_takes(self):
        """A breach ranks it behind the one that stands first: no look at the queue tells that it is gone."""
        first = self.wait_task(self.accept_optin(self.person_number(1))["task"])
        self.clock.advance(600)
        self.wait_until_breached([first["id"]])
        second = self.wait_task(self.accept_optin(self.person_number(2))["task"])
        self.clock.advance(299)
        self.assertEqual(second, self.pop())
        self.clock.advance(1)
        self.wait_until_breached([second["id"]])
        wait_until(lambda: "popped" in self.history(second), what="the pop")
        self.clock.advance(121)
        self.wait_task(second["id"], delivery=2)
        self.assertEqual({first["id"], second["id"]}, set(self.tasks()))

    def test_call_reported_while_the_server_was_down_is_no_breach(self):
        task = self.wait_task(self.accept_optin(self.person_number(1))["task"])
        self.pop()
        self.server.kill()
        self.report(task, "claim")
        self.clock.advance(400)
        self.start_server()
        wait_until(lambda: "claim" in self.history(task), what="the claim")
        self.assert_stays(lambda: "breach\"" not in self.history(task), 3, "it was claimed in time")
        self.assertEqual({}, self.tasks())

    def test_call_reported_to_a_redis_that_answers_late_is_no_breach(self):
        task = self.wait_task(self.accept_optin(self.person_number(1))["task"])
        self.pop()
        self.server.kill()
        self.report(task, "outcome", outcome="no_answer")
        self.clock.advance(400)
        self.redis.signal(signal.SIGSTOP)
        self.start_server()
        time.sleep(2.5)
        self.redis.signal(signal.SIGCONT)
        wait_until(lambda: "no_answer" in self.history(task), what="the outcome")
        self.assertNotIn("breach\"", self.history(task))

    def test_deadline_is_judged_all_the_same_while_redis_is_away(self):
        task = self.wait_task(self.accept_optin(self.person_number(1))["task"])
        self.server.kill()
        self.redis.stop()
        self.clock.advance(400)
        self.start_server()
        self.wait_until_breached([task["id"]])

    def history(self, task):
        return json.dumps(self.get(f"/v1/people/{task['person']}/history"))

    def wait_until_breached(self, tasks):
        wait_until(lambda: all(self.get(f"/v1/tasks/{task}")["breached"] for task in tasks), what="the breach")


class Deliveries(Scenario):
    clock = True

    def one_task(self, number=1):
        return self.wait_task(self.accept_optin(self.person_number(number))["task"])

    def test_an_hour_unpopped_stays_the_first_delivery(self):
        task = self.one_task()
        for _ in range(12):
            self.clock.advance(5 * MINUTE)
        self.let_the_watch_see_a_pop()
        self.assertEqual(1, self.tasks()[task["id"]][0]["delivery"])
        self.assertEqual(1, len(self.tasks()))

    def test_popped_and_silent_comes_again_after_report_within(self):
        task = self.one_task()
        self.assertEqual(task, self.pop())
        self.let_the_watch_see_a_pop()
        self.clock.advance(119)
        self.assert_stays(lambda: not self.tasks(), 1.5, "two minutes are not over")
        self.clock.advance(2)
        again = self.wait_task(task["id"], delivery=2)
        self.assertEqual({**task, "delivery": 2}, again)

    def test_queue_says_how_long_a_pop_may_be_silent(self):
        answer = self.web.request("PATCH", f"/v1/queues/{self.queue}", {"report_within": 10}, bearer=self.admin)
        self.assertEqual(200, answer.status, answer)
        task = self.one_task()
        self.pop()
        self.let_the_watch_see_a_pop()
        self.clock.advance(11)
        self.wait_task(task["id"], delivery=2)

    def test_a_claim_holds_for_half_an_hour_and_extend_renews_it(self):
        task = self.pop_and_claim()
        self.clock.advance(29 * MINUTE)
        self.report(task, "extend")
        self.wait_history(task, "extend")
        self.clock.advance(29 * MINUTE)
        self.assert_stays(lambda: not self.tasks(), 1, "it was extended")
        self.clock.advance(2 * MINUTE)
        self.wait_task(task["id"], delivery=2)

    def pop_and_claim(self):
        self.one_task()
        task = self.pop()
        self.report(task, "claim")
        self.wait_history(task, "claim")
        return task

    def wait_history(self, task, word):
        wait_until(lambda: word in json.dumps(self.get(f"/v1/people/{task['person']}/history")), what=word)

    def test_release_puts_the_task_back_as_the_next_delivery(self):
        task = self.pop_and_claim()
        self.report(task, "release")
        again = self.wait_task(task["id"], delivery=2)
        self.assertEqual(task["deadline_ms"], again["deadline_ms"])

    def test_outcome_ends_the_task_for_good(self):
        task = self.pop_and_claim()
        self.report(task, "outcome", outcome="conversation")
        self.wait_history(task, "outcome")
        for _ in range(5):
            self.clock.advance(DAY)
        self.assert_stays(lambda: not self.tasks(), 1.5, "nothing comes back")
        self.assertEqual(0, self.metric("hotlead_sla_breaches_total"))

    def test_first_outcome_after_the_lease_counts_and_withdraws_the_newer_delivery(self):
        task = self.pop_and_claim()
        self.clock.advance(31 * MINUTE)
        again = self.wait_task(task["id"], delivery=2)
        self.report(task, "outcome", outcome="conversation")
        wait_until(lambda: not self.tasks(), what="the withdrawal of the newer delivery")
        self.report(again, "outcome", outcome="no_answer")
        self.wait_history(task, "no_answer")
        self.assertIn("conversation", json.dumps(self.get(f"/v1/tasks/{task['id']}")), "the first one counts")
        self.assertEqual(1, self.metric('hotlead_reports_total{result="late"}'))


class Breaches(Scenario):
    clock = True

    def breaches(self):
        return self.metric("hotlead_sla_breaches_total")

    def one_task(self, number=1):
        return self.wait_task(self.accept_optin(self.person_number(number))["task"])

    def test_deadline_passes_once_and_moves_the_task_behind_the_fresh_ones(self):
        task = self.one_task()
        self.clock.set(task["deadline_ms"] - 1)
        self.assert_stays(lambda: self.breaches() == 0, 0.5, "a millisecond early")
        self.clock.set(task["deadline_ms"])
        wait_until(lambda: self.breaches() == 1, what="the breach")
        wait_until(
            lambda: self.score(task["id"]) == task["deadline_ms"] + DAY * 1000, what="the rank of a day later"
        )
        self.assertEqual(task, self.tasks()[task["id"]][0], "the same member at another place")
        self.clock.advance(HOUR)
        fresh = self.one_task(2)
        self.assertEqual(fresh, self.pop(), "fresh before overdue")
        self.clock.advance(30 * DAY)
        self.assert_stays(lambda: self.breaches() <= 2, 0.5, "each breaches once")
        self.assertIn("breach", json.dumps(self.get(f"/v1/people/{task['person']}/history")))

    def test_contact_before_the_deadline_is_no_breach(self):
        self.one_task()
        task = self.pop()
        self.report(task, "outcome", outcome="no_answer", started_ms=self.clock.now_ms)
        wait_until(lambda: self.metric("hotlead_tasks_ended_total") == 1, what="the outcome")
        self.clock.advance(DAY)
        self.assert_stays(lambda: self.breaches() == 0, 1, "contact was made")

    def test_task_leased_at_its_deadline_breaches_only_when_the_lease_ends(self):
        self.one_task()
        task = self.pop()
        self.report(task, "claim")
        wait_until(lambda: self.metric('hotlead_reports_total{result="applied"}') == 1, what="the claim")
        self.clock.advance(10 * MINUTE)
        self.assert_stays(lambda: self.breaches() == 0, 1, "somebody has it in hand")
        self.clock.advance(21 * MINUTE)
        self.wait_task(task["id"], delivery=2)
        self.assertEqual(1, self.breaches())

    def test_deadlines_of_a_week_of_downtime_fire_once_at_the_start(self):
        tasks = [self.one_task(i)["id"] for i in range(20)]
        self.assertEqual(0, self.server.stop())
        self.clock.advance(7 * DAY)
        self.start_server()
        wait_until(lambda: self.breaches() == 20, what="20 breaches")
        self.assertEqual(set(tasks), set(self.tasks()))
        wait_until(
            lambda: all(score == task["deadline_ms"] + DAY * 1000 for task, score in self.tasks().values()),
            what="the ranks, as if the server had been there",
        )
        self.server.kill()
        self.start_server()
        self.wait_tasks(tasks)
        history = json.dumps(self.get(f"/v1/people/{self.tasks()[tasks[0]][0]['person']}/history"))
        self.assertEqual(1, history.count('"breach"'), history)

    def test_nobody_there_for_a_week_loses_no_opt_in(self):
        tasks = []
        for day in range(7):
            for number in range(5):
                tasks.append(self.accept_optin(self.person_number(day * 100 + number))["task"])
            self.clock.advance(DAY)
        self.wait_tasks(tasks)
        wait_until(lambda: self.breaches() == 35, what="35 breaches")


class Steps(Scenario):
    """The wall clock jumps; engine time never falls."""

    clock = True

    def test_steps_of_an_hour_a_day_and_a_year_fire_each_deadline_once(self):
        for step in (HOUR, -HOUR, DAY, -DAY, 366 * DAY):
            self.clock.advance(step)
            answer = self.post_optin(self.person_number(step % 997))
            self.assertEqual(201, answer.status, answer)
        count = len({task for task in self.tasks()})
        self.clock.advance(DAY)
        wait_until(lambda: self.metric("hotlead_sla_breaches_total") == 5, what="5 breaches")
        self.assertEqual(5, len(self.tasks()), count)
        self.clock.advance(DAY)
        self.assert_stays(lambda: self.metric("hotlead_sla_breaches_total") == 5, 1, "each once")

    def test_time_in_records_never_goes_back(self):
        first = self.accept_optin(self.person_number(1))
        self.clock.advance(-DAY)
        second = self.accept_optin(self.person_number(2))
        self.assertGreaterEqual(second["deadline_ms"], first["deadline_ms"])
        self.server.kill()
        self.start_server()
        third = self.accept_optin(self.person_number(3))
        self.assertGreaterEqual(third["deadline_ms"], second["deadline_ms"])

    def test_readiness_says_that_time_is_a_test(self):
        self.assertIn("test", self.web.get("/readyz").text)


class Jumps(Scenario):
    """Without a test clock: the machine's wall clock is set while the server runs."""

    wall_clock = True

    def setUp(self):
        super().setUp()
        self.task = self.wait_task(self.accept_optin(self.person_number(1))["task"])
        self.wall_clock.step(299)  # less than a day is time passing
        shown = self.get("/v1/clock", bearer=self.admin)
        self.assertAlmostEqual(self.wall_clock.now_ms, shown["engine_ms"], delta=5000)

    def breaches(self):
        return self.metric("hotlead_sla_breaches_total")

    def jump(self, days):
        self.wall_clock.step(days * DAY)
        wait_until(lambda: self.log_lines("jumped"), what="the line in the log")
        self.assert_stays(lambda: self.breaches() == 0, 2.5, "no deadline is judged by a clock in doubt")

    def log_lines(self, word):
        return [line for line in self.server.log.read_text().splitlines() if word in line]

    def ready(self):
        return self.web.get("/readyz").json

    def clock_command(self, verb):
        return json.loads(self.server.run("clock", verb, "--json", "--data", self.server.data).stdout)

    def test_a_jump_holds_deadlines_until_it_is_accepted(self):
        self.assertEqual(("ok", "ok"), (self.ready()["clock"], self.ready()["status"]))
        self.jump(days=2)
        self.assertEqual(("held", "degraded"), (self.ready()["clock"], self.ready()["status"]))
        self.assertIn("hotlead clock accept", self.ready()["advice"])
        self.assertEqual(1, self.metric("hotlead_clock_held"))
        self.assertIn("hotlead clock accept", self.log_lines("jumped")[0])
        self.assertEqual(1, len(self.log_lines("jumped")), "said once")
        shown = self.clock_command("show")
        self.assertTrue(shown["held"])
        self.assertAlmostEqual(2 * DAY * 1000 + 299_000, shown["jump_ms"], delta=5000)

        second = self.accept_optin(self.person_number(2))
        self.assertLess(second["deadline_ms"], self.task["deadline_ms"] + HOUR * 1000, "time runs on without the jump")
        self.wait_task(second["task"])

        self.assertFalse(self.clock_command("accept")["held"])
        wait_until(lambda: self.breaches() == 2, what="both deadlines")
        self.assertEqual(("ok", 0), (self.ready()["clock"], self.metric("hotlead_clock_held")))
        third = self.accept_optin(self.person_number(3))
        self.assertAlmostEqual(self.wall_clock.now_ms + 300_000, third["deadline_ms"], delta=5000)
        self.assertFalse(self.clock_command("accept")["held"], "twice is once")

    def test_a_lease_does_not_end_by_a_jump(self):
        task = self.pop()
        self.report(task, "claim")
        wait_until(lambda: self.metric('hotlead_reports_total{result="applied"}') == 1, what="the claim")
        self.jump(days=30)
        self.assertEqual({}, self.tasks())
        self.report(task, "outcome", outcome="conversation")
        wait_until(lambda: self.metric("hotlead_tasks_ended_total") == 1, what="reports go on")

    def test_a_fall_holds_too_and_accepted_time_runs_on_from_the_last_record(self):
        self.jump(days=-30)
        self.clock_command("accept")
        wait_until(lambda: self.breaches() == 1, what="the deadline")
        second = self.accept_optin(self.person_number(2))
        self.assertGreater(second["deadline_ms"], self.task["deadline_ms"], "time in records never goes back")

    def test_a_clock_that_is_set_right_frees_what_waited(self):
        self.jump(days=400)
        self.wall_clock.step(-400 * DAY)
        wait_until(lambda: self.breaches() == 1, what="the deadline")
        self.assertEqual("ok", self.ready()["clock"])
        second = self.accept_optin(self.person_number(2))
        self.assertAlmostEqual(self.wall_clock.now_ms + 300_000, second["deadline_ms"], delta=5000)

    def test_time_that_passed_while_the_server_was_down_is_no_jump(self):
        self.assertEqual(0, self.server.stop())
        self.wall_clock.step(8 * DAY)
        self.start_server()
        wait_until(lambda: self.breaches() == 1, what="the deadline")
        self.assertEqual("ok", self.ready()["clock"])

    def test_only_an_administrator_accepts(self):
        self.assertEqual(401, self.web.post("/v1/clock/accept").status)
        self.assertEqual(403, self.web.post("/v1/clock/accept", bearer=self.sk).status)
