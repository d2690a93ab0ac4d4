#!/usr/bin/env python3
"""`weir plugin migrate` where no host runs: all States, or none of a transaction, whatever happens."""

import os
import pathlib
import signal
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "crash"))
import harness  # noqa: E402
from harness import wait_until  # noqa: E402
from meter_app import YAML, build  # noqa: E402
from migrate_test import MigrateCase  # noqa: E402

DEVICES = 600
MANY = 15000  # more than one transaction in each of three tasks


class MigrateStoppedTest(MigrateCase):
    def sums(self):
        """device -> (count, sum)"""
        return {key: (int(state.get("count", 0)), int(state.get("sum", 0)))
                for (_, key), state in self.app.states().items()}

    def versions(self):
        return self.migrate("--dry-run", "--from", build("milli_too"))[0]["resolvers"][0]["of_version"]

    def test_all_states_are_migrated_and_go_on(self):
        self.feed(range(DEVICES))
        self.feed(range(10))
        self.app.run_until_end()
        before = self.sums()
        self.install("milli")
        done, _ = self.migrate()
        self.assertEqual(
            (done["plugin"], done["version"], done["tasks"], done["visited"], done["migrated"],
             done["failed"]), ("meter", "9.0", 3, DEVICES, DEVICES, 0))
        self.assertEqual(self.sums(), {key: (count, 1000 * value)
                                       for key, (count, value) in before.items()})
        self.assertEqual(self.versions(), {"2": DEVICES})
        text = self.app.call("plugin", "migrate", "meter", "-c", "app.yaml")
        self.assertEqual(text, f"plugin meter: 9.0 has migrated 0 of {DEVICES} States in 3 tasks; "
                               "0 failed\n")
        self.feed(range(DEVICES))
        self.app.run_until_end()
        self.assertEqual(self.sums(), {key: (count + 1, 1000 * value + 7 * 9 * 1000)
                                       for key, (count, value) in before.items()})
        self.assertEqual(len(self.app.consume("measured")), 2 * DEVICES + 10)

    def test_what_the_last_run_has_not_published_still_goes_out_once(self):
        self.feed(range(DEVICES))
        self.app.run_until_end("--no-supervisor", "--kill-at", "commit:2", expect=-signal.SIGKILL)
        published = len(self.app.consume("measured"))
        self.assertLess(published, DEVICES)
        self.install("milli")
        done, _ = self.migrate()
        self.assertGreater(done["migrated"], 0)
        self.assertEqual(len(self.app.consume("measured")), published)
        self.app.run_until_end()
        devices = [one["key"] for one in self.app.consume("measured")]
        self.assertEqual(sorted(devices), sorted(f"device-{n}" for n in range(DEVICES)))

    def test_a_state_that_fails_stays_as_it_is_and_is_named(self):
        self.feed(range(DEVICES))
        for _ in range(2):
            self.feed([3, 5, 250])
        self.app.run_until_end()
        before = self.sums()
        self.install("milli_throws")
        for migrated in (DEVICES - 3, 0):
            done, _ = self.migrate(expect=1)
            self.assertEqual((done["visited"], done["migrated"], done["failed"]),
                             (DEVICES, migrated, 3))
            for device in (3, 5, 250):
                self.assertTrue(any(f'resolver measure, key "device-{device}": ' in one and
                                    "this count is too much" in one for one in done["failures"]),
                                done["failures"])
        self.assertEqual(self.versions(), {"1": 3, "2": DEVICES - 3})
        for device in (3, 5, 250):
            self.assertEqual(self.sums()[f"device-{device}"], before[f"device-{device}"])
        self.install("milli")
        self.assertEqual(self.migrate()[0]["migrated"], 3)

    def test_a_build_that_crashes_is_named_with_the_key_and_leaves_the_store_whole(self):
        self.feed(range(DEVICES))
        for _ in range(2):
            self.feed([250])
        self.app.run_until_end()
        before = self.sums()
        self.install("milli_crashes")
        done, said = self.migrate(expect=1)
        self.assertEqual(done, {})
        self.assertRegex(said, r"SIGABRT.*plugin meter 12\.0 \([0-9a-f]{12}\)")
        if os.environ.get("WEIR_OWN_CRASH_HANDLER") != "0":  # which sees the call itself
            self.assertIn('key "device-250"', said)
        self.install("milli")
        done, _ = self.migrate()
        self.assertEqual((done["visited"], done["failed"]), (DEVICES, 0))
        self.assertEqual(self.sums(), {key: (count, 1000 * value)
                                       for key, (count, value) in before.items()})

    def test_a_kill_leaves_whole_transactions_and_the_rest_is_done_again(self):
        self.feed(range(MANY))
        self.app.run_until_end()
        self.install("milli")
        stored = []
        for step in ("walk_save:1", "walk_commit:1", "walk_save:2", "walk_commit:3"):
            done, said = self.migrate("--kill-at", step, expect=1)
            self.assertEqual(done, {})
            self.assertIn("was killed by SIGKILL; what it has stored stays", said)
            stored.append(self.versions().get("2", 0))
        self.assertEqual(stored[0], 0)
        self.assertTrue(0 < stored[1] < stored[2] < stored[3] < MANY, stored)
        # The command itself: its process ends with it.
        command = self.app.start("plugin", "migrate", "-c", "app.yaml")
        time.sleep(0.02)
        command.kill()
        command.wait()
        left = MANY - wait_until(lambda: self.versions().get("2", 0), "the lock is free again")
        wait_until(lambda: self.app.call("plugin", "migrate", "-c", "app.yaml",
                                         expect=None).returncode == 0, "migrated")
        self.assertLessEqual(left, MANY - stored[3])
        self.assertEqual(self.versions(), {"2": MANY})
        self.assertEqual(set(self.sums().values()), {(1, 7000)})

    def test_what_a_start_would_refuse_is_refused(self):
        _, said = self.migrate(expect=69)
        self.assertIn("is not a state directory", said)
        self.feed(range(10))
        self.app.run_until_end()
        before = self.sums()
        _, said = self.migrate("ammeter", expect=69)
        self.assertIn("the app has no plugin ammeter; it has meter", said)
        self.assertEqual(self.app.call("plugin", "migrate", "--state", "state",
                                       expect=None).returncode, 64)
        self.install("changed_state")
        done, said = self.migrate(expect=1)
        self.assertEqual((done["visited"], done["migrated"]), (0, 0))
        self.assertIn("its State would be misread", said)
        self.install("renamed")
        self.assertIn('has no resolver "measure"', self.migrate(expect=78)[1])
        self.install("milli")
        self.app.write(YAML % "0s" + f"pins: {{meter: {'0' * 64}}}\n")
        self.assertIn("hash_mismatch", self.migrate(expect=77)[1])
        self.assertEqual(self.sums(), before)


class MigrateInProbation(MigrateCase):
    """The host ends while a build that older ones cannot read is in its probation."""

    def setUp(self):
        super().setUp("60s")
        self.feed(range(DEVICES))
        self.app.run_until_end()
        self.before = self.app.states()
        host = self.app.start("run", "-c", "app.yaml", "--no-supervisor",
                              stderr=harness.subprocess.DEVNULL)
        wait_until(lambda: self.app.call("status", "app.yaml", expect=None).returncode == 0, "ready")
        self.app.call("reload", "-c", "app.yaml", "--from", build("milli"))
        self.feed(range(10))
        wait_until(lambda: self.app.states() != self.before, "the new build writes States")
        host.kill()
        host.wait()

    def goes_back(self):
        """An operator's start with the first build."""
        self.install(1)
        self.app.run_until_end()
        self.assertEqual(
            {key: int(state["sum"]) for key, state in self.app.states().items()},
            {key: int(state["sum"]) + (7 if int(key[1][7:]) < 10 else 0)
             for key, state in self.before.items()})

    def test_the_build_before_migrates_nothing_and_a_start_goes_back(self):
        done, said = self.migrate(expect=1)
        self.assertEqual(done["migrated"], 0)
        self.assertIn("newer State is not readable by older code", said)
        self.goes_back()

    def test_what_was_migrated_goes_back_too(self):
        self.install("milli")
        self.assertGreater(self.migrate()[0]["migrated"], 0)
        self.goes_back()


if __name__ == "__main__":
    harness.arguments(sys.argv)
    unittest.main()
