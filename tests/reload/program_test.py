#!/usr/bin/env python3
"""Reloads of the built program while records go through it, against what the input alone says."""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import sys
import threading
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "crash"))
import harness  # noqa: E402
from harness import wait_until  # noqa: E402
from meter_app import YAML, build  # noqa: E402


class Running:
    """The app with a host, and a thread that feeds it."""

    def __init__(self, probation="60s"):
        self.app = harness.App(YAML % probation)
        self.install(1)
        self.given = {}  # device -> amounts, in order
        self.number = 0
        self.feed(10)
        self.errors = open(self.app.directory / "errors.txt", "wb")
        self.start()
        self.stopping = threading.Event()
        self.feeder = threading.Thread(target=self.feed_on)
        self.feeder.start()

    def start(self):
        self.host = self.app.start("run", "-c", "app.yaml", "--log-format", "text",
                                   stderr=self.errors)
        wait_until(lambda: self.call("status", "app.yaml", expect=None).returncode == 0, "ready")

    def install(self, name):
        """Whole at once, as a deployment does it."""
        draft = self.app.directory / "meter.so.new"
        shutil.copy(build(name), draft)
        os.replace(draft, self.app.directory / "meter.so")

    def call(self, *words, expect=0):
        return self.app.call(*words, expect=expect)

    def feed(self, count):
        records = []
        for _ in range(count):
            device = f"device-{self.number % 23}"
            amount = self.number % 997
            self.given.setdefault(device, []).append(amount)
            records.append({"key": device, "value": {"device": device, "amount": str(amount)}})
            self.number += 1
        self.app.produce("readings", records)

    def feed_on(self):
        while not self.stopping.is_set():
            self.feed(200)

    def reload(self, *words, expect=0):
        """stdout and stderr."""
        done = self.call("reload", *words, "-c", "app.yaml", expect=None)
        if done.returncode != expect:
            raise AssertionError(f"reload {words}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        self.meet_records()
        return done.stdout, done.stderr

    def meet_records(self):
        """Until every task has handled some more."""
        def records():
            text = self.call("status", "app.yaml", "--format", "json", expect=None).stdout
            return [task["records"] for task in json.loads(text)["tasks"]]
        before = records()
        wait_until(lambda: all(now > then for now, then in zip(records(), before)), "records")

    def plugin(self):
        text = self.call("status", "app.yaml", "--format", "json", expect=None).stdout
        plugins = json.loads(text)["plugins"] if text else []
        return plugins[0] if plugins else {"version": "", "in_probation": None}

    def version(self):
        return self.plugin()["version"]

    def end(self):
        self.stopping.set()
        self.feeder.join()
        self.host.send_signal(signal.SIGTERM)
        code = self.host.wait(60)
        self.errors.close()
        if code != 0:
            raise AssertionError(f"exit {code}: {self.said()}")

    def said(self):
        return (self.app.directory / "errors.txt").read_text()

    def check_exact(self, test):
        """Each record in one feature, each feature what its build makes of it; States as well."""
        self.app.run_until_end()
        made = {}
        builds = set()
        for line in self.call("consume", "measured", "-c", "app.yaml").splitlines():
            value = json.loads(line)["value"]
            made.setdefault(value["device"], []).append(value)
            builds.add(int(value["build"]))
        test.assertEqual(sorted(made), sorted(self.given))
        states = self.app.states()
        for device, amounts in self.given.items():
            test.assertEqual(len(made[device]), len(amounts), device)
            total = 0
            for number, (amount, one) in enumerate(zip(amounts, made[device])):
                total += amount * int(one["build"])
                test.assertEqual((int(one.get("amount", 0)), int(one["count"]), int(one.get("sum", 0))),
                                 (amount, number + 1, total), device)
            test.assertEqual(int(states["measure", device]["count"]), len(amounts))
            test.assertEqual(int(states["measure", device].get("sum", 0)), total)
        return builds

    def history(self):
        lines = self.call("plugin", "history", "-c", "app.yaml", "--format", "json").splitlines()
        return [(event["what"], event["version"], event["code"]) for event in map(json.loads, lines)]


class ReloadTest(unittest.TestCase):
    def run_app(self, **options):
        running = Running(**options)
        self.addCleanup(running.app.close)
        self.addCleanup(lambda: running.host.poll() is None and running.host.kill())
        self.addCleanup(running.stopping.set)
        return running

    def test_a_stream_goes_through_many_builds(self):
        running = self.run_app(probation="0s")
        out, _ = running.reload("meter", "--from", build(2))
        self.assertIn("plugin meter: 2.0", out)
        self.assertIn("in the place of 1.0", out)
        self.assertIn("+ meter.Total.peak (field 3, int64)", out)
        self.assertIn("swapped  3 tasks", out)

        for name, step, code, text in (
                ("changed_state", "schema", "state_schema", "meter.Total.sum (field 2) was int64"),
                ("stateless", "schema", "state_schema", "it would be stateless"),
                ("renamed", "fit", "missing_resolver", 'no resolver "measure"'),
                ("of_others", "fit", "other_plugin", "is plugin barometer")):
            _, said = running.reload("meter", "--from", build(name), expect=1)
            self.assertIn(f"refused at the step {step} ({code})", said)
            self.assertIn(text, said)
            self.assertIn("2.0 runs on", said)
            self.assertEqual(running.version(), "2.0")

        running.install(3)
        self.assertIn("plugin meter: 3.0", running.reload()[0])
        self.assertIn("runs already", running.reload()[0])
        running.install(4)
        running.host.send_signal(signal.SIGHUP)
        wait_until(lambda: running.version() == "4.0", "reloaded by SIGHUP")

        self.assertIn("can take the place of", running.reload("--from", build(5), "--dry-run")[0])
        self.assertEqual(running.version(), "4.0")
        out = running.call("plugin", "load", "--from", build(5), "-c", "app.yaml")
        self.assertIn("is loaded and waits", out)
        self.assertEqual((running.version(), running.plugin()["loaded"]), ("4.0", "5.0"))
        running.call("plugin", "activate", "-c", "app.yaml")
        running.meet_records()
        self.assertEqual(running.version(), "5.0")
        self.assertIn("plugin meter: 4.0", running.reload("--rollback")[0])
        for number in (6, 7, 8, 6, 7, 8):
            running.reload("--from", build(number))
        running.end()
        self.assertEqual(running.check_exact(self) >= {2, 3, 4, 5, 6, 7, 8}, True)

    def test_a_worker_process_that_dies_in_a_probation_is_followed_by_the_build_before(self):
        running = self.run_app()
        running.reload("--from", build(2))
        self.assertTrue(running.plugin()["in_probation"])
        pids = running_children(running.host.pid)
        os.kill(pids[0], signal.SIGKILL)
        wait_until(lambda: running.version() == "1.0" and
                 not running.plugin()["in_probation"], "back at 1.0")
        self.assertEqual(running.history()[-1], ("rolled_back", "1.0", "worker_ended"))

        running.reload("--from", build(3))
        running.reload("--rollback")
        self.assertEqual(running.version(), "1.0")
        self.assertEqual(running.history()[-1], ("rolled_back", "1.0", "operator_asked"))
        running.end()
        self.assertEqual(running.check_exact(self) - {2}, {1, 3})

    def test_a_build_that_crashes_in_its_probation_is_named_with_its_report(self):
        running = self.run_app()
        running.reload("--from", build("crashes"))
        running.given["device-crash"] = [5]
        running.app.produce("readings", [{"key": "device-crash", "value": {
            "device": "device-crash", "amount": "5", "action": "crash"}}])
        wait_until(lambda: running.version() == "1.0", "back at 1.0")
        running.end()
        running.check_exact(self)
        report = running.call("crashes", "-c", "app.yaml").split()[0]
        event = [json.loads(line) for line in
                 running.call("plugin", "history", "-c", "app.yaml", "--format", "json").splitlines()
                 if "worker_ended" in line][-1]
        self.assertEqual((event["what"], event["version"], event["crash"]),
                         ("rolled_back", "1.0", report))
        self.assertIn(f"worker_ended (weir crashes {report})",
                      running.call("plugin", "history", "-c", "app.yaml"))

    def test_a_file_that_is_replaced_or_written_and_closed_is_reloaded_by_itself(self):
        running = self.run_app(probation="0s, watch: true")
        running.install(2)
        wait_until(lambda: running.version() == "2.0", "2.0")
        whole = build(3).read_bytes()
        (running.app.directory / "meter.so").unlink()
        with open(running.app.directory / "meter.so", "wb") as file:
            file.write(whole[:len(whole) // 2])
            file.flush()
            time.sleep(1)
            self.assertEqual(running.version(), "2.0")
            file.write(whole[len(whole) // 2:])
        wait_until(lambda: running.version() == "3.0", "3.0")
        (running.app.directory / "meter.so").unlink()
        (running.app.directory / "meter.so").symlink_to(build(4))
        wait_until(lambda: running.version() == "4.0", "4.0")
        running.end()
        running.check_exact(self)
        self.assertNotIn("refused", [what for what, _, _ in running.history()])

    def test_what_the_yaml_pins_is_what_runs(self):
        app = harness.App(YAML % "0s")
        self.addCleanup(app.close)

        def pin(name):
            digest = hashlib.sha256(build(name).read_bytes()).hexdigest()
            app.write(YAML % "0s" + f"pins: {{meter: {digest}}}\n")
        pin(1)
        shutil.copy(build(2), app.directory / "meter.so")
        done = app.run_until_end(expect=77)
        self.assertIn("refused at the step stage (hash_mismatch)", done.stderr)
        done = app.call("validate", "-c", "app.yaml", expect=None)
        self.assertEqual(done.returncode, 78)
        self.assertIn("pins.meter: ", done.stderr + done.stdout)
        self.assertIn(hashlib.sha256(build(2).read_bytes()).hexdigest(), done.stderr + done.stdout)
        shutil.copy(build(1), app.directory / "meter.so")
        app.call("validate", "-c", "app.yaml")
        host = app.start("run", "-c", "app.yaml", "--log-format", "text")
        self.addCleanup(lambda: host.poll() is None and host.kill())
        wait_until(lambda: app.call("status", "app.yaml", expect=None).returncode == 0, "ready")
        done = app.call("reload", "--from", build(2), "-c", "app.yaml", expect=None)
        self.assertEqual(done.returncode, 1)
        self.assertIn("refused at the step stage (hash_mismatch)", done.stderr)
        pin(2)
        app.call("reload", "--from", build(2), "-c", "app.yaml")
        app.call("reload", "--rollback", "-c", "app.yaml")  # that was trusted before
        host.send_signal(signal.SIGTERM)
        self.assertEqual(host.wait(60), 0)

    def test_a_restart_loads_what_was_promoted_and_an_operator_what_the_yaml_names(self):
        running = self.run_app(probation="100ms")
        running.reload("--from", build(2))
        wait_until(lambda: not running.plugin()["in_probation"], "promoted")
        (running.app.directory / "meter.so").write_text("no library")
        os.kill(running_children(running.host.pid)[0], signal.SIGKILL)
        wait_until(lambda: running.version() == "2.0", "up again")
        running.install(3)
        running.end()
        running.check_exact(self)
        self.assertEqual(running.history()[-1][:2], ("started", "3.0"))

    def test_without_a_host_it_says_so(self):
        app = harness.App(YAML % "0s")
        self.addCleanup(app.close)
        done = app.call("reload", "-c", "app.yaml", expect=None)
        self.assertEqual(done.returncode, 69)
        self.assertIn("no host runs in", done.stderr)


def running_children(pid):
    return [int(child) for child in
            pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


if __name__ == "__main__":
    harness.arguments(sys.argv)
    unittest.main()
