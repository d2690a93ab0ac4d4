#!/usr/bin/env python3
"""A plugin that really crashes, in every way there is: what counts as its own doing, what never does,
and that the stream goes on without the records that it crashes on and without losing any other.

    crashes_test.py PROGRAM PLUGINS
"""

import json
import os
import shutil
import signal
import sys
import time
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402 (after the line above, on purpose)
from harness import App, worker_of  # noqa: E402

PATIENCE = harness.WAIT_SECONDS_MAX
ALL_HALTED, CRASHED = 76, 70

YAML = """
app: crash
log: {embedded: {}}
state:
  map_size: 512MiB
  commit: {interval: 10ms}
plugins: ["${PLUGIN:-PLUGINS/crasher.so}"]
sources:
  orders: {topic: orders, format: json, partitions: 1, crashed: "${CRASHED:-dead_letter}"}
resolvers:
  work: {use: crasher/work, from: orders, to: counts, settings: {crash: "${MADE:-}"}}
sinks:
  counts: {topic: counts, format: json}
watchdog: {soft: "${SOFT:-1s}", hard: "${HARD:-60s}"}
"""


class Case(unittest.TestCase):
    def setUp(self):
        self.app = App(YAML.replace("PLUGINS", str(harness.PLUGINS)))
        self.addCleanup(self.app.close)
        self.sent = 0

    def order(self, key="ana", **fields):
        return {"key": key, **fields}

    def produce(self, orders):
        self.app.produce("orders", ({"partition": 0, "key": order["key"],
                                     "value": json.dumps(order)} for order in orders))
        self.sent += len(orders)

    def reports(self):
        text = self.app.call("crashes", "-c", "app.yaml", "--json")
        decoder, reports = json.JSONDecoder(), []
        while text.strip():
            report, end = decoder.raw_decode(text.lstrip())
            reports.append(report)
            text = text.lstrip()[end:]
        return reports

    def dead(self):
        """offset -> headers, of all dead letters of records."""
        return {int(record["headers"]["weir.offset"]): record["headers"]
                for record in self.app.consume("crash.deadletters")
                if "weir.offset" in record["headers"]}

    def count(self, key="ana"):
        return int(self.app.states()["work", key]["count"])

    def start(self, *options, env=None):
        self.app.talk = open(self.app.directory / "talk.jsonl", "a+")
        self.addCleanup(self.app.talk.close)
        host = self.app.start("run", "-c", "app.yaml", "--log-format", "json", *options, env=env,
                              stderr=self.app.talk)
        self.addCleanup(host.wait)
        self.addCleanup(host.kill)
        return host

    def talk(self):
        return (self.app.directory / "talk.jsonl").read_text()

    def wait_until(self, condition, what):
        return harness.wait_until(condition, what, self.talk)


class Counted(Case):
    KINDS = {"segv": "SIGSEGV", "abort": "SIGABRT", "fpe": "SIGFPE", "bus": "SIGBUS",
             "ill": "SIGILL", "overflow": "SIGSEGV", "exit": None, "_exit": None, "loop": None}

    def check(self, when, kind):
        self.setUp()
        orders = [self.order() for _ in range(30)]
        orders[7] = self.order(crash=kind, when=when)
        self.produce(orders)
        done = self.app.run_until_end(env={"HARD": "300ms", "SOFT": "100ms"})
        dead = self.dead()
        self.assertEqual(list(dead), [7], done.stderr)
        self.assertEqual(dead[7]["weir.error"], "crashed")
        reports = self.reports()
        self.assertEqual(len(reports), 2, done.stderr)
        self.assertEqual(dead[7]["weir.crash"], reports[1]["id"])
        self.assertIn(reports[1]["id"], dead[7]["weir.reason"])
        self.assertEqual(self.count(), 29)
        slot = when or "resolve"
        for report in reports:
            self.assertTrue(report["counted"], report)
            self.assertEqual((report["task"], report["resolver"], report["slot"], report["plugin"]),
                             ("orders-0", "work", slot, "crasher"))
            self.assertEqual(report.get("signal"), self.KINDS[kind], report)
            self.assertEqual(report["kind"], {"exit": "exit", "_exit": "exit",
                                              "loop": "watchdog"}.get(kind, "signal"))
        self.assertEqual(reports[1]["records"], {"first_offset": "7", "last_offset": "7"})
        if kind in ("segv", "fpe", "ill", "bus"):
            self.assertEqual(reports[1]["instruction"]["plugin"], "crasher 1.0.0")
        if kind in ("abort", "loop"):
            self.assertTrue(any(place.get("plugin") for place in reports[1]["stack"]), reports[1])
        self.assertEqual(done.stderr.count("the worker process"), 2, done.stderr)
        shown = self.app.call("crashes", reports[1]["id"], "-c", "app.yaml")
        self.assertIn(f"in {slot}() of resolver work at the record at offset 7 of topic orders", shown)

    def test_in_resolve(self):
        for kind in self.KINDS:
            with self.subTest(kind=kind):
                self.check("", kind)

    def test_in_prepare_where_the_second_crash_names_the_record(self):
        for kind in ("segv", "exit", "loop"):
            with self.subTest(kind=kind):
                self.check("prepare", kind)
                first = self.reports()[0]["records"]
                self.assertLess(int(first["first_offset"]), int(first["last_offset"]))

    def test_two_poison_records_among_2000(self):
        orders = [self.order(f"key-{i % 37}") for i in range(2000)]
        orders[700] = self.order("key-4", crash="segv")
        orders[1301] = self.order("key-4", crash="abort", when="prepare")
        self.produce(orders)
        done = self.app.run_until_end()
        dead = self.dead()
        self.assertEqual(sorted(dead), [700, 1301], done.stderr)
        known = {report["id"] for report in self.reports()}
        self.assertTrue(all(headers["weir.crash"] in known for headers in dead.values()))
        self.assertEqual(len(known), 4)
        wanted = {}
        for offset, order in enumerate(orders):
            if offset not in dead:
                wanted["work", order["key"]] = wanted.get(("work", order["key"]), 0) + 1
        found = {key: int(state["count"]) for key, state in self.app.states().items()}
        self.assertEqual(found, wanted)
        features = {}
        for record in self.app.consume("counts"):
            features.setdefault(record["key"], []).append(int(record["value"]["count"]))
        self.assertEqual(features, {key: list(range(1, count + 1))
                                    for (_, key), count in wanted.items()})

    def test_several_poison_records_of_one_prepare(self):
        orders = [self.order() for _ in range(20)]
        for offset in (3, 4, 11):
            orders[offset] = self.order(crash="segv", when="prepare")
        self.produce(orders)
        self.app.run_until_end()
        self.assertEqual(sorted(self.dead()), [3, 4, 11])
        self.assertEqual(self.count(), 17)

    def test_a_timer(self):
        self.produce([self.order(timer_ms=50, crash="segv", when="timer"), self.order("bob")])
        host = self.start()
        self.wait_until(lambda: '"app crash: 1 task' in self.talk(), "the start")
        letters = self.wait_until(lambda: self.app.consume("crash.deadletters"), "the dead letter")
        self.assertEqual(letters[0]["headers"]["weir.error"], "crashed")
        self.assertIn("weir.timer_ms", letters[0]["headers"])
        self.assertEqual([report["slot"] for report in self.reports()], ["notify"] * 2)
        host.send_signal(signal.SIGTERM)
        self.assertEqual(host.wait(PATIENCE), 0, self.talk())
        self.assertEqual(self.app.timers(), {})
        self.assertEqual(self.count(), 1)

    def test_while_a_state_is_rebuilt_the_record_that_is_repeated_counts(self):
        self.produce([self.order(), self.order(crash="segv", when="rebuild"),
                      self.order(crash="reject"), self.order()])
        self.app.run_until_end()
        dead = {offset: headers["weir.error"] for offset, headers in self.dead().items()}
        self.assertEqual(dead, {1: "crashed", 2: "rejected"})
        self.assertEqual([report["records"]["first_offset"] for report in self.reports()], ["1", "1"])
        self.assertEqual(self.count(), 2)

    def test_while_a_state_is_loaded_the_record_that_wants_it_counts(self):
        self.produce([self.order(crash="segv", when="load")])
        self.app.run_until_end()
        other = self.app.directory / "crasher.so"
        shutil.copy(harness.PLUGINS / "crasher_migrates.so", other)
        self.produce([self.order(), self.order("bob")])
        self.app.run_until_end(env={"PLUGIN": str(other)})
        self.assertEqual(list(self.dead()), [1])
        self.assertEqual([report["slot"] for report in self.reports()], ["state_load"] * 2)
        self.assertEqual(self.count("bob"), 1)

    def test_without_a_supervisor_the_next_start_knows(self):
        self.produce([self.order(), self.order(crash="segv"), self.order()])
        for _ in range(2):
            done = self.app.run_until_end("--no-supervisor", expect=None)
            self.assertEqual(done.returncode, -signal.SIGSEGV, done.stderr)
        self.assertEqual(len(self.reports()), 2, "also what no start has settled yet")
        self.app.run_until_end("--no-supervisor")
        self.assertEqual(list(self.dead()), [1])
        self.assertEqual(self.count(), 2)
        self.assertEqual(len(self.reports()), 2)

    def test_policy_halt_names_the_record_and_keeps_it(self):
        self.produce([self.order(), self.order(crash="segv"), self.order()])
        done = self.app.run_until_end(env={"CRASHED": "halt"}, expect=ALL_HALTED)
        self.assertIn("record at offset 1 of topic orders partition 0 is crashed", done.stderr)
        self.assertEqual(self.count(), 1)

    def park_key(self, *orders):
        self.produce(orders)
        return self.app.run_until_end(env={"CRASHED": "park_key"})

    def test_policy_park_key_keeps_what_comes_behind_it(self):
        self.park_key(self.order(), self.order(crash="segv"), self.order(), self.order("bob"))
        self.assertEqual((self.count(), self.count("bob")), (1, 1))
        waiting = self.app.parked()["ana"]
        self.assertEqual((waiting["records"], waiting["offset"], waiting["due_ms"]), (2, 1, None))
        self.assertIn(self.reports()[1]["id"], waiting["reason"])
        # It is not tried again, neither by a start nor by a retry, and what comes later waits too.
        self.app.call("parked", "retry", "ana", "-c", "app.yaml")
        self.park_key(self.order(), self.order("bob"))
        self.assertEqual((self.count(), self.count("bob")), (1, 2))
        self.assertEqual(self.app.parked()["ana"]["records"], 3)
        self.assertEqual(len(self.reports()), 2)
        self.assertEqual(self.dead(), {})
        # Another build tries it, in its place.
        other = self.app.directory / "crasher.so"
        shutil.copy(harness.PLUGINS / "crasher_mended.so", other)
        self.app.run_until_end(env={"PLUGIN": str(other), "CRASHED": "park_key"})
        self.assertEqual((self.app.parked(), self.dead(), self.count()), ({}, {}, 4))
        counts = [int(record["value"]["count"]) for record in self.app.consume("counts")
                  if record["key"] == "ana"]
        self.assertEqual(counts, [1, 2, 3, 4])

    def test_policy_park_key_and_a_report_that_is_forgotten(self):
        self.park_key(self.order(crash="segv"), self.order())
        forgotten = self.reports()[1]["id"]
        self.app.call("crashes", forgotten, "--forget", "-c", "app.yaml")
        self.app.run_until_end(env={"CRASHED": "park_key"})
        newest = self.reports()[1]["id"]
        self.assertNotEqual(newest, forgotten, "it had another chance")
        self.assertIn(newest, self.app.parked()["ana"]["reason"])
        self.assertEqual(self.app.parked()["ana"]["records"], 2)

    def test_policy_park_key_where_the_key_is_not_known(self):
        self.park_key(self.order(crash="segv", when="prepare"), self.order())
        self.assertEqual((list(self.dead()), self.count(), self.app.parked()), ([0], 1, {}))

    def test_metrics_count_crashes_and_slow_calls(self):
        self.produce([self.order(crash="segv"), self.order(crash="wait"), self.order()])
        host = self.start(env={"SOFT": "50ms"})
        wanted = ['weir_plugin_crashes{plugin="crasher"} 2\n', 'weir_slow_calls_total{resolver="work"} 1\n']

        def told():
            answer = self.app.get("/metrics")
            return answer is not None and all(line in answer[1] for line in wanted)
        self.wait_until(told, wanted)
        host.send_signal(signal.SIGTERM)
        self.assertEqual(host.wait(PATIENCE), 0, self.talk())

    def test_what_no_record_explains_halts_the_task(self):
        self.produce([self.order(crash="smash")])
        done = self.app.run_until_end(expect=ALL_HALTED)
        self.assertIn("task orders-0 halted", done.stderr)
        self.assertIn("3 times in a row", done.stderr)
        reports = self.reports()
        self.assertEqual([report["slot"] for report in reports], ["state_save"] * 3)
        self.assertIn(f"weir crashes --forget {reports[2]['id']}", done.stderr)
        self.app.call("crashes", "--forget", reports[2]["id"], "-c", "app.yaml")
        done = self.app.run_until_end(expect=ALL_HALTED)
        self.assertEqual(len(self.reports()), 3, "it had another chance")


class WhileItIsMade(Case):
    def test_a_start_is_given_up_and_says_whose_doing_it_is(self):
        self.produce([self.order()])
        self.app.run_until_end()
        self.produce([self.order()])
        done = self.app.run_until_end(env={"MADE": "segv"}, expect=CRASHED)
        self.assertIn("no start has come to its end in 3 tries", done.stderr)
        reports = self.reports()
        self.assertEqual([(report["plugin"], report["resolver"], report["slot"]) for report in reports],
                         [("crasher", "work", "create")] * 3, done.stderr)
        self.assertIn(reports[2]["id"], done.stderr)
        self.app.run_until_end()
        self.assertEqual((self.dead(), self.count()), ({}, 2))


class AnotherBuild(Case):
    def test_it_gets_a_fresh_chance(self):
        self.produce([self.order(), self.order(crash="segv"), self.order()])
        for _ in range(2):
            self.app.run_until_end("--no-supervisor", expect=None)
        other = self.app.directory / "crasher.so"
        shutil.copy(harness.PLUGINS / "crasher_mended.so", other)
        self.app.run_until_end(env={"PLUGIN": str(other)})
        self.assertEqual(self.dead(), {})
        self.assertEqual(self.count(), 3)


class NeverCounted(Case):
    def in_a_call(self, host):
        """Until the worker is in the call that takes long."""
        return self.wait_until(lambda: "takes longer than" in self.talk(), "the slow call")

    def test_signals_from_outside(self):
        for sent in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGKILL):
            with self.subTest(signal=sent.name):
                self.setUp()
                self.produce([self.order(), self.order(crash="wait"), self.order()])
                host = self.start(env={"SOFT": "50ms"})
                worker = None
                for times in range(3):
                    worker = self.wait_until(lambda w=worker: worker_of(host, other_than=w),
                                             "a worker")
                    self.wait_until(lambda t=times: self.talk().count("takes longer than") > t,
                                    "the slow call")
                    os.kill(worker, sent)
                self.wait_until(lambda: self.app.states().get(("work", "ana"), {}).get("count") == "3",
                                "the record")
                host.send_signal(signal.SIGTERM)
                self.assertEqual(host.wait(PATIENCE), 0, self.talk())
                self.assertEqual(self.dead(), {})
                self.assertFalse(any(report.get("counted") for report in self.reports()))

    def test_a_process_that_stands_still_is_not_slow(self):
        self.produce([self.order(crash="wait")])
        host = self.start(env={"SOFT": "100ms", "HARD": "4s"})
        self.in_a_call(host)
        worker = worker_of(host)
        os.kill(worker, signal.SIGSTOP)
        time.sleep(5)
        os.kill(worker, signal.SIGCONT)
        self.wait_until(lambda: self.app.states().get(("work", "ana")), "the record")
        self.assertEqual(worker_of(host), worker, self.talk())
        host.send_signal(signal.SIGTERM)
        self.assertEqual(host.wait(PATIENCE), 0, self.talk())
        self.assertEqual(self.reports(), [])


if __name__ == "__main__":
    harness.arguments(sys.argv)
    unittest.main()
