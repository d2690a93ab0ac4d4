#!/usr/bin/env python3
"""`weir plugin migrate` beside a host, and what a build would make of all States."""

import json
import pathlib
import shutil
import signal
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "crash"))
import harness  # noqa: E402
from harness import wait_until  # noqa: E402
from meter_app import YAML, build  # noqa: E402

DEVICES = 700


class MigrateCase(unittest.TestCase):
    """An app of the meter with its first build."""

    def setUp(self, probation="0s"):
        self.app = harness.App(YAML % probation)
        self.addCleanup(self.app.close)
        self.install(1)

    def install(self, name):
        shutil.copy(build(name), self.app.directory / "meter.so")

    def feed(self, devices):
        self.app.produce("readings", [
            {"key": f"device-{n}", "value": {"device": f"device-{n}", "amount": "7"}}
            for n in devices])

    def start(self):
        """A host, until the end of the test."""
        host = self.app.start("run", "-c", "app.yaml", "--log-format", "text")

        def end():
            host.send_signal(signal.SIGTERM)
            self.assertEqual(host.wait(60), 0)
        self.addCleanup(end)
        wait_until(lambda: self.app.call("status", "app.yaml", expect=None).returncode == 0, "ready")

    def migrate(self, *words, expect=0):
        done = self.app.call("plugin", "migrate", *words, "-c", "app.yaml", "--format", "json",
                             expect=None)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return json.loads(done.stdout) if done.stdout else {}, done.stderr


class MigrateTest(MigrateCase):
    def test_a_dry_run_counts_what_a_build_would_read_and_migrate(self):
        self.feed(range(DEVICES))
        self.app.run_until_end()
        for beside_a_host in (False, True):
            if beside_a_host:
                self.start()
            trial, _ = self.migrate("meter", "--dry-run", "--from", build("milli"))
            self.assertEqual(trial["version"], "9.0")
            self.assertEqual(trial["resolvers"], [
                {"resolver": "measure", "states": DEVICES, "decoded": DEVICES,
                 "would_migrate": DEVICES, "failed": 0, "of_version": {"1": DEVICES}}])
            trial, _ = self.migrate("--dry-run")
            self.assertEqual(trial["resolvers"][0]["would_migrate"], 0)
        self.app.call("reload", "-c", "app.yaml", "--from", build("milli"))
        self.feed(range(100))  # these are migrated at their first touch
        wait_until(lambda: self.migrate("--dry-run", "--from", build("milli_too"))[0]["resolvers"][0]
                 ["of_version"] == {"1": DEVICES - 100, "2": 100}, "migrated where it is touched")

    def test_a_host_migrates_what_no_record_touches(self):
        self.feed(range(DEVICES))
        self.app.run_until_end()
        self.start()
        self.assertRegex(self.app.call("reload", "-c", "app.yaml", "--from", build("milli")),
                         rf"500 States of the app \(drawn from {DEVICES}, seed \d+\) read, written")
        self.feed(range(10))
        done, _ = self.migrate()
        self.assertEqual((done["plugin"], done["version"], done["visited"], done["failed"]),
                         ("meter", "9.0", DEVICES, 0))
        self.assertGreaterEqual(done["migrated"], DEVICES - 10)
        trial, _ = self.migrate("--dry-run", "--from", build("milli_too"))
        self.assertEqual(trial["resolvers"][0]["of_version"], {"2": DEVICES})
        self.assertIn(f"has migrated 0 of {DEVICES} States in 3 tasks; 0 failed",
                      self.app.call("plugin", "migrate", "meter", "-c", "app.yaml"))
        self.assertEqual(self.migrate("ammeter", expect=1)[1],
                         "the app has no plugin ammeter; it has meter\n")
        self.assertEqual(self.migrate("--from", build(1), expect=64)[0], {})

    def test_a_dry_run_names_the_keys_that_fail(self):
        self.feed(range(DEVICES))
        self.feed([3, 5, 250])
        self.feed([3, 5, 250])
        self.app.run_until_end()
        trial, _ = self.migrate("--dry-run", "--from", build("milli_throws"), expect=1)
        counts = trial["resolvers"][0]
        self.assertEqual((counts["states"], counts["decoded"], counts["failed"]),
                         (DEVICES, DEVICES - 3, 3))
        self.assertEqual(len(trial["failures"]), 3)
        for device in (3, 5, 250):
            self.assertTrue(any(f'key "device-{device}": ' in one and "this count is too much" in one
                                for one in trial["failures"]), trial["failures"])

        self.feed(range(60))
        self.feed(range(60))  # all but two of them fail now, and more than are told
        self.app.run_until_end()
        trial, _ = self.migrate("--dry-run", "--from", build("milli_throws"), expect=1)
        self.assertEqual(trial["resolvers"][0]["failed"], 58 + 1)
        self.assertEqual(len(trial["failures"]), 20)

        trial, said = self.migrate("--dry-run", "--from", build("milli_crashes"), expect=1)
        self.assertIn('resolver measure, key "device-', trial["ended"])
        self.assertIn("SIGABRT", said)

    def test_a_dry_run_refuses_a_build_that_would_misread(self):
        _, said = self.migrate("--dry-run", expect=69)
        self.assertIn("not a state directory", said)
        self.feed(range(10))
        self.app.run_until_end()
        for name, step, text in (
                ("changed_state", "schema (state_schema)", "meter.Total.sum (field 2) was int64"),
                ("renamed", "fit (missing_resolver)", 'no resolver "measure"'),
                ("of_others", "fit (other_plugin)", "is plugin barometer")):
            _, said = self.migrate("--dry-run", "--from", build(name), expect=1)
            self.assertIn(step, said)
            self.assertIn(text, said)


if __name__ == "__main__":
    harness.arguments(sys.argv)
    unittest.main()
