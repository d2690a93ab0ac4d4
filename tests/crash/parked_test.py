#!/usr/bin/env python3
"""Keys that wait, over `weir parked`: what an operator sees, and does while no host runs.

    parked_test.py PROGRAM PLUGINS
"""

import json
import signal
import sys
import time
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402 (after the line above, on purpose)
from harness import App, posting  # noqa: E402

YAML = """
app: parked
log: {embedded: {}}
state: {map_size: 1GiB, commit: {interval: 10ms}}
plugins: [PLUGINS/ledger.so]
sources:
  postings: {topic: postings, format: json}
resolvers:
  post: {use: ledger/post, from: postings, to: {entries: entries}, retry: {attempts: 1000, wait: 10m}}
sinks:
  entries: {topic: entries, format: json}
"""


class Parked(unittest.TestCase):
    def setUp(self):
        self.yaml = YAML.replace("PLUGINS", str(harness.PLUGINS))
        self.app = App(self.yaml)
        self.addCleanup(self.app.close)
        self.app.produce("postings", [
            {"key": "ana", "value": posting("r1", "ana", 1, "never")},
            {"key": "ben", "value": posting("r2", "ben", 1)},
            {"key": "ana", "value": posting("r3", "ana", 10), "headers": {"trace": "7"}},
            {"key": "eva", "value": posting("r4", "eva", 1, "never")},
        ])
        self.run_until(2)

    def run_until(self, keys, then=None):
        """Until so many keys wait; `then` while it still runs."""
        host = self.app.start("run", "-c", "app.yaml", stderr=harness.subprocess.DEVNULL)
        try:
            def they_wait():
                if self.app.call("status", "app.yaml", expect=None).returncode != 0:
                    return False
                done = self.app.call("parked", "list", "-c", "app.yaml", "--format", "json", expect=None)
                return done.returncode == 0 and len(done.stdout.splitlines()) == keys
            harness.wait_until(they_wait, f"{keys} keys wait")
            if then is not None:
                then()
        finally:
            host.send_signal(signal.SIGTERM)
            self.assertEqual(host.wait(), 0)

    def counts(self):
        return self.app.counts()

    def test_list_says_what_waits_beside_a_host_and_without_one(self):
        self.run_until(2, lambda: self.assertEqual(self.counts(), {"ben": 1}))
        ana = self.app.parked()["ana"]
        self.assertEqual((ana["resolver"], ana["task"], ana["records"], ana["offset"], ana["reason"]),
                         ("post", "postings-0", 2, 0, "never"))
        self.assertGreaterEqual(ana["attempts"], 1)
        self.assertGreater(ana["due_ms"], ana["since_ms"])
        self.assertEqual(self.app.parked("-r", "other"), {})
        text = self.app.call("parked", "list", "-c", "app.yaml", expect=None)
        self.assertIn("3 records of 2 keys wait", text.stderr)

    def test_status_and_metrics_count_them(self):
        def look():
            status = json.loads(self.app.call("status", "app.yaml", "--format", "json"))
            task = status["tasks"][0]
            self.assertEqual((task["parked_keys"], task["parked_records"]), (2, 3))
            self.assertEqual(task["position"], 4)

        self.run_until(2, look)

    def test_drop_takes_the_first_record_and_the_key_goes_on(self):
        before = self.app.parked()
        self.app.call("parked", "drop", "ana", "-c", "app.yaml", "--dry-run")
        self.assertEqual(self.app.parked(), before)
        dropped = json.loads(self.app.call("parked", "drop", "ana", "-c", "app.yaml", "--format",
                                           "json"))
        self.assertEqual(dropped["value"]["id"], "r1")
        self.assertEqual(self.app.parked()["ana"]["records"], 1)
        self.run_until(1)
        self.assertEqual(self.counts(), {"ana": 1, "ben": 1})
        self.assertEqual(self.app.accounts()["ana"]["sum"], 10)

    def test_drop_whole_takes_all_of_them_and_what_was_printed_can_be_produced(self):
        dropped = self.app.call("parked", "drop", "ana", "-c", "app.yaml", "--whole", "--format",
                                "json")
        self.assertEqual([json.loads(line)["value"]["id"] for line in dropped.splitlines()],
                         ["r1", "r3"])
        self.assertEqual(list(self.app.parked()), ["eva"])
        self.app.call("produce", "postings", "-c", "app.yaml", stdin=dropped)
        self.run_until(2)
        self.assertEqual(self.app.parked()["ana"]["records"], 2)

    def test_retry_makes_them_due_with_all_their_tries(self):
        for key, row in self.app.parked().items():
            self.assertGreater(row["due_ms"], 0, key)
        told = self.app.call("parked", "retry", "--all", "-c", "app.yaml", expect=None)
        self.assertEqual(told.stderr, "3 records of 2 keys are tried when the host runs\n")
        for row in self.app.parked().values():
            self.assertEqual((row["due_ms"], row["attempts"]), (0, 0))
        self.run_until(2, lambda: time.sleep(0.3))
        for row in self.app.parked().values():
            self.assertEqual(row["attempts"], 1)

    def test_what_does_not_wait_is_said_and_nothing_is_changed(self):
        before = self.app.parked()
        done = self.app.call("parked", "drop", "ana", "zoe", "-c", "app.yaml", expect=None)
        self.assertEqual(done.returncode, 69)
        self.assertIn("the key zoe does not wait", done.stderr)
        self.app.call("parked", "retry", "-c", "app.yaml", expect=64)
        self.app.call("parked", "retry", "ana", "--all", "-c", "app.yaml", expect=64)
        done = self.app.call("parked", "retry", "--all", "-r", "zoe", "-c", "app.yaml", expect=None)
        self.assertEqual(done.returncode, 69)
        self.assertIn("the app has no resolver zoe; it has post", done.stderr)
        self.assertEqual(self.app.parked(), before)

    def test_a_reset_keeps_or_drops_them(self):
        kept = json.loads(self.app.call("reset", "app.yaml", "--to", "current", "--state", "keep",
                                        "--format", "json"))
        self.assertEqual(kept["parked"], 3)
        self.assertEqual(len(self.app.parked()), 2)
        said = self.app.call("reset", "app.yaml", "--to", "latest", "--state", "drop", expect=None)
        self.assertIn("3 dropped", said.stdout)
        self.assertEqual(self.app.parked(), {})

    def test_a_dead_letter_that_was_sent_back_waits_as_well(self):
        self.app.write(self.yaml.replace("attempts: 1000, wait: 10m", "attempts: 2, wait: 10ms"))
        self.app.run_until_end()  # both give up
        self.assertEqual(self.app.parked(), {})
        first = self.app.consume("parked.deadletters")
        self.assertEqual(sorted(one["value"]["id"] for one in first), ["r1", "r4"])
        ana = next(one["offset"] for one in first if one["value"]["id"] == "r1")
        self.app.call("deadletters", "retry", f"0:{ana}", "-c", "app.yaml")
        self.app.run_until_end()
        again = self.app.consume("parked.deadletters")
        self.assertEqual(len(again), 3)
        self.assertEqual(again[2]["value"]["id"], "r1")
        self.assertEqual(again[2]["headers"]["weir.retry_of"], f"0:{ana}")
        self.assertIn("gave up after 2 tries", again[2]["headers"]["weir.reason"])

        # Behind what waits already; the same letter, and the same id when it ends as one again.
        self.app.write(self.yaml)
        self.app.produce("postings", [{"key": "ana", "value": posting("r5", "ana", 1, "never")}])
        self.app.call("deadletters", "retry", f"0:{ana}", "--again", "-c", "app.yaml")
        self.run_until(1)
        self.assertEqual(self.app.parked()["ana"]["records"], 2)
        self.app.write(self.yaml.replace("attempts: 1000, wait: 10m", "attempts: 2, wait: 10ms"))
        self.app.call("parked", "retry", "ana", "-c", "app.yaml")
        self.app.run_until_end()
        last = self.app.consume("parked.deadletters")[3:]
        self.assertEqual([one["value"]["id"] for one in last], ["r5", "r1"])
        self.assertNotIn("weir.retry_of", last[0]["headers"])
        self.assertEqual(last[1]["headers"]["weir.retry_of"], f"0:{ana}")
        self.assertEqual(self.counts(), {"ana": 1, "ben": 1})

    def test_a_stop_does_not_wait_for_them_and_until_end_does(self):
        self.app.call("parked", "drop", "--all", "--whole", "-c", "app.yaml")
        self.app.produce("postings", [
            {"key": "ana", "value": posting(f"l{i}", "ana", 1, "later" if i % 3 == 0 else "")}
            for i in range(30)])
        self.app.run_until_end()
        self.assertEqual(self.counts(), {"ana": 30, "ben": 1})
        self.assertEqual(self.app.parked(), {})


if __name__ == "__main__":
    harness.arguments(sys.argv)
    unittest.main()
