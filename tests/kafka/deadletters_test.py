#!/usr/bin/env python3
"""`weir deadletters` on a real Kafka: what it lists is what kcat reads, and what it sends back is applied
exactly once, in order, with its own key and timestamp, whether a host runs, stands still or is killed in
between. Nobody else sees it again.

    deadletters_test.py PROGRAM PLUGINS FEEDER OPERATOR
"""

import json
import pathlib
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
import kafka_app  # noqa: E402 (after the line above, on purpose)
import harness  # noqa: E402
from broker import Cluster  # noqa: E402
from harness import Ledger, entry_of, posting, was_killed  # noqa: E402
from kafka_app import PARTITIONS, YAML, KafkaApp, header_map  # noqa: E402

LATE = YAML.replace("format: json}\nresolvers",
                    "format: json, late_arrival_deadline: 7d, late: dead_letter}\nresolvers")
WAIT_SECONDS_MAX = 60
CLUSTER = None


def record(number, account, timestamp_ms, action=""):
    partition = harness.partition_of(account.encode(), PARTITIONS)
    return {"partition": partition, "key": f"own-{number}", "timestamp": timestamp_ms,
            "value": posting(f"r{number}", account, number, action)}


class DeadLetters(unittest.TestCase):
    """Nine late records of three accounts, one that is no JSON, one that is rejected, three taken."""

    def setUp(self):
        self.assertNotEqual(LATE, YAML)
        self.app = KafkaApp(CLUSTER, self.id().rpartition("_")[2], LATE,
                            create=kafka_app.create_quickly)
        self.addCleanup(self.app.close)
        now = int(time.time() * 1000)
        self.late = [record(n, f"account-{n % 3}", 1_000 * (n + 1)) for n in range(9)]
        self.taken = [record(20 + n, f"account-{n}", now) for n in range(3)]
        bad = {"partition": 0, "value": "no JSON", "timestamp": now}
        self.app.produce(self.app.topic("postings"),
                         [*self.late, bad, record(30, "account-0", now, "reject"), *self.taken])
        self.app.run_until_end()

    def letters(self):
        """id -> the letter, as `weir deadletters list` prints it."""
        lines = self.app.call("deadletters", "list", "-c", "app.yaml", "--format", "json").splitlines()
        return {letter["id"]: letter for letter in map(json.loads, lines)}

    def retry(self, *words, expect=0):
        done = self.app.call("deadletters", "retry", *words, "-c", "app.yaml", expect=None)
        self.assertEqual(done.returncode, expect, done.stderr)
        return done

    def check(self, *returned):
        """State and topic are those of the records taken and then of those sent back, once each."""
        ledger = Ledger()
        for offset, one in enumerate([*self.taken, *returned]):
            ledger.add(one["partition"], offset, one["value"].encode(), PARTITIONS)
        self.assertEqual(self.app.accounts(), ledger.states())
        found, times = {}, {}
        for one in self.app.read("entries"):
            entry = entry_of(json.loads(one["payload"]))
            self.assertEqual(one["key"], entry["account"])
            found.setdefault(entry["account"], []).append(entry)
            times[entry["id"]] = one["ts"]
        self.assertEqual(found, ledger.entries)
        for one in returned:
            self.assertEqual(times[json.loads(one["value"])["id"]], one["timestamp"])

    def test_what_they_show_is_what_lies_there(self):
        there = {f"{one['partition']}:{one['offset']}": one for one in self.app.read("deadletters")}
        letters = self.letters()
        self.assertEqual(letters.keys(), there.keys())
        self.assertEqual(len(letters), 11)
        for name, one in there.items():
            headers = header_map(one)
            shown = json.loads(self.app.call("deadletters", "show", name, "-c", "app.yaml", "--format",
                                             "json"))
            self.assertEqual(letters[name]["error"], headers["weir.error"])
            for fact in ("error", "reason", "offset", "partition", "task", "resolver"):
                self.assertEqual(str(shown[fact]), headers[f"weir.{fact}"])
            self.assertEqual(shown.get("key"), one["key"])
        late = self.app.call("deadletters", "list", "-c", "app.yaml", "--error", "late", "--limit", 4)
        self.assertEqual(len(late.splitlines()), 4)
        gone = self.app.call("deadletters", "show", "0:99", "-c", "app.yaml", expect=None)
        self.assertEqual(gone.returncode, 1)

    def test_sent_back_they_are_applied_once_whatever_dies(self):
        postings, letters = self.app.read("postings"), self.app.read("deadletters")
        self.assertEqual(len(self.retry("--all", "--error", "late", "--dry-run").stdout.splitlines()), 9)
        self.check()
        self.assertIn("9 dead letters sent back", self.retry("--all", "--error", "late").stderr)
        again = self.retry("--all", "--error", "late")
        self.assertIn("0 dead letters sent back", again.stderr)
        self.assertEqual(again.stdout.count("was sent back before"), 9)
        died = 0
        for step in ("save", "commit", "submit", "publish", "sinks"):
            done = self.app.run_until_end("--no-supervisor", "--kill-at", step, expect=None)
            died += was_killed(done.returncode)  # or it came to its end: all is done
        self.assertGreater(died, 1)
        self.app.run_until_end()
        self.check(*self.late)
        self.app.run_until_end()
        self.check(*self.late)
        self.assertEqual(self.app.read("postings"), postings, "its topic has it once")
        self.assertEqual(self.app.read("deadletters"), letters, "so has that of the dead letters")

    def test_a_kill_between_commit_and_publication_repeats_nothing(self):
        self.retry("--all", "--error", "late")
        died = self.app.run_until_end("--no-supervisor", "--kill-at", "commit", expect=None)
        self.assertTrue(was_killed(died.returncode), died.stderr)
        self.app.run_until_end()
        self.check(*self.late)

    def test_a_running_host_takes_them_at_once(self):
        with open(self.app.directory / "talk", "w", encoding="utf-8") as talk:
            host = self.app.start("run", "-c", "app.yaml", "--no-progress", stderr=talk)
        self.addCleanup(host.wait)
        self.addCleanup(host.kill)
        by_id = {name: letter for name, letter in self.letters().items() if letter["error"] == "late"}
        first = sorted(by_id, key=lambda name: int(name.split(":")[1]))[:2]
        self.retry(*first)
        sent = [one for one in self.late if one["key"] in {by_id[name]["key"] for name in first}]
        wait_until(lambda: len(self.app.read("entries")) == len(self.taken) + 2)
        # Refused again, it is a dead letter again, which says whose.
        bad = next(name for name, letter in self.letters().items() if letter["error"] == "undecodable")
        self.retry(bad)
        wait_until(lambda: len(self.letters()) == 12)
        newest = header_map(max(self.app.read("deadletters"), key=lambda one: one["offset"]))
        self.assertEqual(newest["weir.retry_of"], bad)
        host.terminate()
        self.assertEqual(host.wait(), 0, (self.app.directory / "talk").read_text())
        self.check(*sent)


def wait_until(condition):
    until = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        if time.monotonic() > until:
            raise AssertionError("in vain")
        time.sleep(0.1)


def setUpModule():
    global CLUSTER
    holder = tempfile.TemporaryDirectory(prefix="weir-kafka-")
    unittest.addModuleCleanup(holder.cleanup)
    CLUSTER = Cluster(f"{holder.name}/kafka")
    unittest.addModuleCleanup(CLUSTER.stop)
    CLUSTER.start()


if __name__ == "__main__":
    kafka_app.OPERATOR = pathlib.Path(sys.argv.pop(4)).resolve()
    kafka_app.arguments(sys.argv)
    unittest.main(verbosity=2)
