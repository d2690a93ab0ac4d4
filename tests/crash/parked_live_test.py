#!/usr/bin/env python3
"""`weir parked retry` and `weir parked drop` beside a host that runs.

    parked_live_test.py PROGRAM PLUGINS
"""

import json
import pathlib
import signal
import sys
import threading
import time
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402 (after the line above, on purpose)
from harness import App, posting, wait_until  # noqa: E402

YAML = """
app: parked
log: {embedded: {}}
state: {map_size: 1GiB, commit: {interval: 10ms}}
plugins: [PLUGINS/ledger.so]
sources:
  postings: {topic: postings, format: json, partitions: 3}
resolvers:
  post: {use: ledger/post, from: postings, to: {entries: entries}, retry: {attempts: 1000, wait: 10m}}
sinks:
  entries: {topic: entries, format: json}
"""


class ParkedLive(unittest.TestCase):
    def setUp(self):
        self.app = App(YAML.replace("PLUGINS", str(harness.PLUGINS)))
        self.addCleanup(self.app.close)
        self.host = None
        self.addCleanup(self.stop)

    def start(self, *options):
        self.host = self.app.start("run", "-c", "app.yaml", *options,
                                   stderr=harness.subprocess.DEVNULL)
        self.ready()

    def ready(self):
        wait_until(lambda: self.app.call("status", "app.yaml", expect=None).returncode == 0, "ready")

    def stop(self, expect=0):
        if self.host is None:
            return
        self.host.send_signal(signal.SIGTERM)
        code, self.host = self.host.wait(60), None
        self.assertEqual(code, expect)

    def produce(self, *postings):
        """(id, account, action) each."""
        self.app.produce("postings", [
            {"key": account, "value": posting(number, account, 1, action)}
            for number, account, action in postings])

    def tell(self, *words, expect=0):
        done = self.app.call("parked", *words, "-c", "app.yaml", expect=None)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done

    def wait_for(self, parked):
        """{key: records}"""
        wait_until(lambda: {key: row["records"] for key, row in self.list().items()} == parked,
                   f"{parked} wait", self.list)

    def list(self):
        done = self.app.call("parked", "list", "-c", "app.yaml", "--format", "json", expect=None)
        return {row["key"]: row for row in map(json.loads, done.stdout.splitlines())}

    def applied(self, account):
        """The ids of its entries, in order."""
        return [one["value"]["id"] for one in self.app.consume("entries")
                if one["value"]["account"] == account]

    def test_a_retry_handles_the_key_in_order_and_a_record_that_fails_again_waits_again(self):
        self.start()
        self.produce(("g1", "ana", "file"), ("r2", "ana", ""), ("g3", "ana", "file"),
                     ("r4", "ana", ""), ("never", "ben", "never"))
        self.wait_for({"ana": 4, "ben": 1})
        before = self.list()
        self.assertEqual(before["ana"]["reason"], "there is no file g1")
        told = self.tell("retry", "ana", "ben")
        self.assertEqual(told.stderr, "5 records of 2 keys are tried now\n")
        # Both fail again: as often as at the first time, and as long.
        wait_until(lambda: all(row["due_ms"] > before[key]["due_ms"]
                               for key, row in self.list().items()), "tried again")
        for key, row in self.list().items():
            self.assertEqual((row["records"], row["attempts"], row["reason"], row["since_ms"]),
                             (before[key]["records"], 1, before[key]["reason"],
                              before[key]["since_ms"]))
        (self.app.directory / "g1").touch()
        self.tell("retry", "ana", "-r", "post")
        self.wait_for({"ana": 2, "ben": 1})
        self.assertEqual(self.list()["ana"]["reason"], "there is no file g3")
        self.assertEqual(self.app.counts(), {"ana": 2})
        (self.app.directory / "g3").touch()
        self.tell("retry", "--all")
        self.wait_for({"ben": 1})
        self.stop()
        self.assertEqual(self.applied("ana"), ["g1", "r2", "g3", "r4"])

    def test_a_drop_takes_what_it_prints_and_the_key_goes_on(self):
        self.start()
        self.produce(("n1", "ana", "never"), ("r2", "ana", ""), ("n3", "ana", "never"),
                     ("n4", "ana", "never"), ("n5", "eva", "never"))
        self.wait_for({"ana": 4, "eva": 1})
        told = self.tell("drop", "ana", "--dry-run")
        self.assertIn("1 record of 1 key would be dropped", told.stderr)
        self.wait_for({"ana": 4, "eva": 1})
        told = self.tell("drop", "ana", "--format", "json")
        self.assertEqual(json.loads(told.stdout)["value"]["id"], "n1")
        self.assertEqual(told.stderr, "1 record of 1 key dropped\n")
        self.wait_for({"ana": 2, "eva": 1})
        dropped = self.tell("drop", "--all", "--whole", "--format", "json").stdout
        ids = [json.loads(line)["value"]["id"] for line in dropped.splitlines()]
        self.assertEqual([one for one in ids if one != "n5"], ["n3", "n4"])
        self.assertIn("n5", ids)
        self.wait_for({})
        self.app.call("produce", "postings", "-c", "app.yaml", stdin=dropped)
        self.wait_for({"ana": 2, "eva": 1})
        self.stop()
        self.assertEqual(self.applied("ana"), ["r2"])
        self.assertEqual(self.app.counts(), {"ana": 1})

    def test_what_cannot_be_done_is_said_and_nothing_is_changed(self):
        self.start()
        other = next(name for name in ("ben", "eva", "ida", "ulf")
                     if harness.partition_of(name.encode(), 3) != harness.partition_of(b"ana", 3))
        self.produce(("n1", "ana", "never"), ("f2", "ana", "fatal"), ("n3", other, "never"))
        self.wait_for({"ana": 2, other: 1})
        before = self.list()
        told = self.tell("drop", "ana", "zoe", expect=69)
        self.assertIn("the key zoe does not wait; weir parked list", told.stderr)
        self.assertEqual(told.stdout, "")
        told = self.tell("retry", "ana", "-r", "zoe", expect=69)
        self.assertIn("the app has no resolver zoe; it has post", told.stderr)
        self.assertEqual(self.list(), before)
        # Of tasks, those that have not halted do it.
        self.tell("drop", "ana")
        wait_until(lambda: "halted" in self.app.call("status", "app.yaml", expect=None).stdout,
                   "the task halts at f2")
        told = self.tell("retry", "--all", expect=1)
        self.assertIn("has halted, and handles nothing until the host is started", told.stderr)
        self.assertIn("1 record of 1 key is tried now", told.stderr)
        self.assertEqual(self.list()["ana"]["records"], 1)
        self.stop()
        self.tell("drop", "ana")
        self.assertEqual(list(self.list()), [other])

    def test_a_timer_of_a_key_that_waits_fires_when_the_key_is_dropped(self):
        self.start()
        self.app.produce("postings", [
            {"key": "ana", "value": json.dumps({"id": "r1", "account": "ana", "amount": 1,
                                                "timerMs": 300})},
            {"key": "ana", "value": posting("n2", "ana", 1, "never")}])
        self.wait_for({"ana": 1})
        time.sleep(0.6)
        self.assertEqual(self.app.counts(), {"ana": 1})
        self.tell("drop", "ana")
        wait_until(lambda: self.app.counts() == {"ana": 2}, "the timer fires")
        self.stop()
        self.assertRegex(" ".join(self.applied("ana")), r"^r1 t\d+$")

    def test_a_host_that_is_killed_behind_the_change_goes_on_with_it(self):
        for word, left in (("drop", {"ana": 2}), ("retry", {"ana": 3})):
            with self.subTest(word):
                self.app = App(YAML.replace("PLUGINS", str(harness.PLUGINS)))
                self.addCleanup(self.app.close)
                self.start("--kill-at", "parked_changed:1")
                self.produce(("n1", "ana", "never"), ("n2", "ana", "never"), ("n3", "ana", "never"),
                             ("n4", "eva", "never"))
                self.wait_for({"ana": 3, "eva": 1})
                due = self.list()["ana"]["due_ms"]
                told = self.app.call("parked", word, "ana", "-c", "app.yaml", expect=None)
                self.assertNotEqual(told.returncode, 0, told.stderr)
                self.ready()  # the next worker process
                wait_until(lambda: self.list()["ana"]["due_ms"] > due, "tried again")
                self.wait_for({**left, "eva": 1})
                self.assertEqual(self.list()["ana"]["attempts"], 1)
                self.tell(word, "ana")
                self.stop()
                self.assertEqual(self.applied("ana"), [])

    def test_orders_beside_a_stream_lose_and_repeat_nothing_through_kills(self):
        random = harness.seeded()
        random_feed = type(random)(random.getrandbits(32))  # of the thread that feeds
        accounts = [f"key-{n}" for n in range(12)]
        produced = {account: [] for account in accounts}
        printed, certain = set(), set()  # what was to be dropped, and what was for sure
        for account in accounts:
            self.produce((f"{account}.0", account, ""))
            produced[account].append(f"{account}.0")
        self.start("--no-supervisor")

        def feed():
            for turn in range(1, 100):
                some = []
                for account in random_feed.sample(accounts, 6):
                    number = f"{account}.{turn}"
                    produced[account].append(number)
                    some.append((number, account, "file" if random_feed.random() < 0.3 else ""))
                self.produce(*some)
        feeder = threading.Thread(target=feed)
        feeder.start()
        told = kills = 0
        while feeder.is_alive():
            waiting = self.list()
            if not waiting:
                continue
            killer = threading.Timer(random.random() * 0.05, self.host.kill)
            is_killed = random.random() < 0.2
            if is_killed:
                killer.start()
            chosen = random.sample(sorted(waiting), random.randint(1, min(3, len(waiting))))
            if random.random() < 0.6:
                for key in chosen:
                    number = waiting[key]["reason"].rpartition(" ")[2]
                    (self.app.directory / number).touch()
                self.app.call("parked", "retry", *chosen, "-c", "app.yaml", expect=None)
            else:
                options = ["--whole"] if random.random() < 0.3 else []
                done = self.app.call("parked", "drop", *chosen, *options, "-c", "app.yaml",
                                     "--format", "json", expect=None)
                ids = {json.loads(line)["value"]["id"] for line in done.stdout.splitlines()}
                printed |= ids
                if done.returncode == 0:
                    certain |= ids
                    told += 1
            if is_killed:
                killer.join()
                self.host.wait()
                kills += 1
                self.start("--no-supervisor")
        feeder.join()
        self.assertGreater(told, 0)
        self.assertGreater(kills, 0)
        for numbers in produced.values():
            for number in numbers:
                (self.app.directory / number).touch()

        def all_handled():
            self.app.call("parked", "retry", "--all", "-c", "app.yaml", expect=None)
            status = json.loads(self.app.call("status", "app.yaml", "--format", "json"))
            return not self.list() and sum(task["position"] for task in status["tasks"]) == sum(
                map(len, produced.values()))
        wait_until(all_handled, "all is handled")
        self.stop()
        entries = {account: [] for account in accounts}
        for record in self.app.consume("entries"):
            value = record["value"]
            entries[value["account"]].append(value["id"])
        missing = set()
        for account in accounts:
            there = set(entries[account])
            missing |= set(produced[account]) - there
            self.assertEqual(entries[account], [one for one in produced[account] if one in there])
        self.assertLessEqual(certain, missing)
        self.assertLessEqual(missing, printed)
        self.assertEqual(self.app.counts(), {account: len(entries[account]) for account in accounts})


if __name__ == "__main__":
    harness.arguments(sys.argv)
    unittest.main()
