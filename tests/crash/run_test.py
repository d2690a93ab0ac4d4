#!/usr/bin/env python3
"""How `weir run` stops, what it refuses to start on, what makes it halt, and how it goes on.

    run_test.py PROGRAM PLUGINS
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402 (after the line above, on purpose)
from harness import App, Ledger, entry_of, partition_of, posting, wait_until  # noqa: E402

YAML = """
app: shop
log: {embedded: {}}
shutdown_deadline: ${DEADLINE:-25s}
state:
  map_size: "${MAP:-1GiB}"
  commit: {bytes: 128KiB}
plugins: [PLUGINS/LEDGER.so]
sources:
  postings: {topic: postings, partitions: PARTITIONS, rejected: "${REJECTED:-dead_letter}"}
resolvers:
  post: {use: ledger/post, from: postings, to: {entries: entries}}
sinks:
  entries: {topic: entries, format: json}
"""
ALL_HALTED, REFUSED, TEMPORARY, IO = 76, 77, 75, 74


def yaml(partitions=1, plugin="ledger"):
    return (YAML.replace("PLUGINS", str(harness.PLUGINS)).replace("PARTITIONS", str(partitions))
            .replace("LEDGER", plugin))


class Case(unittest.TestCase):
    def app(self, partitions=1, directory=None):
        app = App(yaml(partitions), directory)
        self.addCleanup(app.close)
        return app

    def produce(self, app, values, partition=0):
        app.produce("postings", ({"partition": partition, "value": value} for value in values))

    def start(self, app, *options, env=None):
        """A host whose talk goes to a file."""
        app.talk = open(app.directory / "talk.jsonl", "w+")
        self.addCleanup(app.talk.close)
        host = app.start("run", "-c", "app.yaml", *options, env=env, stderr=app.talk)
        self.addCleanup(host.wait)
        self.addCleanup(host.kill)
        return host

    def talk(self, app):
        return (app.directory / "talk.jsonl").read_text()

    def wait_for_count(self, app, account, count):
        def reached():
            done = app.call("state", "get", account, "-c", "app.yaml", expect=None)
            return done.returncode == 0 and int(json.loads(done.stdout)["count"]) >= count
        wait_until(reached, f"{count} records of {account} in State")

    def check_output(self, app, values, partitions=1):
        """State and output topic are those of `values`, once each."""
        ledger = Ledger()
        for offset, value in enumerate(values):
            partition = partition_of(json.loads(value)["account"].encode(), partitions)
            ledger.add(partition, offset, value.encode(), partitions)
        states = app.states()
        for account, entries in ledger.entries.items():
            self.assertEqual(int(states["post", account]["count"]), len(entries))
            self.assertEqual(int(states["post", account]["chain"]), entries[-1]["chain"])
        found = {}
        for record in app.consume("entries"):
            found.setdefault(record["key"], []).append(entry_of(record["value"]))
        self.assertEqual(found, ledger.entries)


class Stopping(Case):
    def test_a_graceful_stop_commits_and_publishes_and_exits_0(self):
        app = self.app()
        values = [posting(f"r{i}", "ana", i) for i in range(3000)]
        self.produce(app, values)
        host = self.start(app)
        self.wait_for_count(app, "ana", 1)
        host.send_signal(signal.SIGTERM)
        self.assertEqual(host.wait(60), 0, self.talk(app))
        done = int(app.states()["post", "ana"]["count"])
        self.assertEqual(len(app.consume("entries")), done, "a stop leaves nothing unpublished")
        app.run_until_end()
        self.check_output(app, values)

    def test_a_second_signal_ends_it_at_once(self):
        app = self.app()
        self.produce(app, [posting("r0", "ana", 1), posting("r1", "ana", 600, "wait")])
        host = self.start(app)
        wait_until((app.directory / "r1").exists, "the call that takes long")
        host.send_signal(signal.SIGINT)
        wait_until(lambda: "stopping:" in self.talk(app), "the graceful stop")
        self.assertIsNone(host.poll(), "the first signal waits for the record in hand")
        host.send_signal(signal.SIGINT)
        self.assertEqual(host.wait(60), -signal.SIGINT)

    def test_past_the_deadline_it_exits_75_and_the_records_come_again(self):
        app = self.app()
        slow = posting("r1", "ana", 600, "wait")
        self.produce(app, [posting("r0", "ana", 1), slow])
        host = self.start(app, env={"DEADLINE": "200ms"})
        wait_until((app.directory / "r1").exists, "the call that takes long")
        host.send_signal(signal.SIGTERM)
        self.assertEqual(host.wait(60), TEMPORARY, self.talk(app))
        self.assertIn("the deadline of 200 ms has passed", self.talk(app))
        self.assertEqual(app.states(), {})

    def test_state_is_readable_while_the_host_runs(self):
        app = self.app()
        host = self.start(app)
        for count in (1, 2, 3):
            self.produce(app, [posting(f"r{count}", "ana", count)])
            self.wait_for_count(app, "ana", count)
            self.assertIsNone(host.poll())
        self.assertEqual(app.states()["post", "ana"]["sum"], "6")
        host.send_signal(signal.SIGTERM)
        self.assertEqual(host.wait(60), 0)


class Refusals(Case):
    def refused(self, app, *words, env=None):
        done = app.run_until_end(env=env, expect=REFUSED)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_a_second_host_is_refused_and_names_the_first(self):
        app = self.app()
        host = self.start(app)
        wait_until(lambda: '"app shop: 1 task' in self.talk(app), "the start")
        self.refused(app, "in use by app shop", f"pid {host.pid}", "state.path")
        self.assertIsNone(host.poll(), "the first host goes on")
        host.send_signal(signal.SIGTERM)
        self.assertEqual(host.wait(60), 0)
        app.run_until_end()

    def test_another_app_is_refused_on_the_same_state_directory(self):
        app = self.app()
        app.run_until_end()
        app.write(yaml().replace("app: shop", "app: shop2"))
        self.refused(app, "belongs to app shop, not to shop2", "state.path")

    def test_a_topic_that_was_made_again_is_refused(self):
        app = self.app()
        self.produce(app, [posting("r0", "ana", 1)])
        app.run_until_end()
        shutil.rmtree(app.log)
        self.produce(app, [posting("r0", "ana", 1)])
        self.refused(app, "topic postings was deleted and made again",
                     "weir reset app.yaml --source postings")

    def test_a_topic_with_other_partitions_is_refused(self):
        app = self.app()
        app.run_until_end()
        shutil.rmtree(app.log)
        app.write(yaml(partitions=2))
        self.refused(app, "topic postings has 2 partitions, the State was made with 1")

    def test_a_log_that_lost_records_is_refused(self):
        app = self.app()
        self.produce(app, [posting("r0", "ana", 1)])
        app.run_until_end()
        backup = app.directory / "backup"
        shutil.copytree(app.log, backup)
        self.produce(app, [posting("r1", "ana", 2)])
        app.run_until_end()
        shutil.rmtree(app.log)
        shutil.copytree(backup, app.log)
        self.refused(app, "holds offsets 0 to 1, the State goes on at 2", "restore the log")

    def test_state_that_lost_commits_is_refused(self):
        app = self.app()
        self.produce(app, [posting("r0", "ana", 1)])
        app.run_until_end()
        shutil.copytree(app.directory / "state/tasks", app.directory / "backup")
        self.produce(app, [posting("r1", "ana", 2)])
        app.run_until_end()
        shutil.rmtree(app.directory / "state/tasks")
        shutil.copytree(app.directory / "backup", app.directory / "state/tasks")
        self.refused(app, "the log and the state directory do not belong together", "weir1;")

    def test_a_state_that_would_be_misread_is_refused(self):
        app = self.app()
        values = [posting("r0", "ana", 1)]
        self.produce(app, values)
        app.run_until_end()
        before = app.states()
        app.write(yaml(plugin="ledger_changed"))
        self.refused(app, "ledger.Account", "sum", "int64", "string")
        self.assertEqual(app.states(), before)
        app.write(yaml())
        app.run_until_end()
        self.check_output(app, values)


class Timers(Case):
    def timed(self, number, account, timer_ms):
        return json.dumps({"id": number, "account": account, "amount": 1, "timer_ms": timer_ms})

    def entries(self, app):
        return [entry_of(record["value"]) for record in app.consume("entries")]

    def test_a_pending_timer_is_shown_and_reported(self):
        app = self.app()
        app.produce("postings", [{"value": self.timed("r1", "ana", 3_600_000),
                                  "timestamp": 1_700_000_000_000}])
        before = time.time() * 1000
        talk = app.run_until_end().stderr
        self.assertIn("1 timer is pending: it fires when this app runs and its time has come", talk)
        at = app.timers()["post", "ana"]
        self.assertGreaterEqual(at, before + 3_600_000)
        self.assertLess(at, time.time() * 1000 + 3_600_000)
        shown = app.call("state", "get", "ana", "-c", "app.yaml", expect=None)
        self.assertRegex(shown.stderr, r" · timer at 20\d\d-\d\d-\d\dT")
        self.assertRegex(app.call("state", "list", "-c", "app.yaml"), r"ana .* 20\d\d-\d\d-\d\dT")

    def test_an_idle_host_fires_a_timer_when_its_time_has_come(self):
        app = self.app()
        self.start(app)
        self.produce(app, [self.timed("r1", "ana", 700)])
        self.wait_for_count(app, "ana", 1)
        at = app.timers().get(("post", "ana"), 0)
        self.wait_for_count(app, "ana", 2)
        self.assertGreaterEqual(time.time() * 1000, at)
        wait_until(lambda: len(self.entries(app)) == 2, "the timer's feature")
        self.assertEqual(self.entries(app)[1]["id"], f"t{at}")
        self.assertEqual(app.timers(), {})

    def test_a_timer_of_the_past_fires_once_after_a_start(self):
        app = self.app()
        self.produce(app, [self.timed("r1", "ana", 300)])
        app.run_until_end()
        at = app.timers()["post", "ana"]
        time.sleep(max(0, at / 1000 - time.time()) + 0.01)
        host = self.start(app)
        self.wait_for_count(app, "ana", 2)
        host.send_signal(signal.SIGTERM)
        self.assertEqual(host.wait(), 0)
        app.run_until_end()
        self.assertEqual([entry["id"] for entry in self.entries(app)], ["r1", f"t{at}"])

    def test_code_without_the_handler_is_refused_while_timers_are_set(self):
        app = self.app()
        self.produce(app, [self.timed("r1", "ana", 3_600_000)])
        app.run_until_end()
        app.write(yaml().replace("ledger/post", "ledger/note").replace("{entries: entries}", "entries")
                  .replace("topic: postings,", "topic: postings, format: bytes,"))
        done = app.run_until_end(expect=REFUSED)
        self.assertIn("resolver post: it has 1 timer set, and ledger/note", done.stderr)
        app.write(yaml())
        app.run_until_end()


class Halts(Case):
    def test_a_full_map_halts_and_goes_on_with_a_larger_one(self):
        app = self.app()
        values = [posting(f"r{i}", f"account-{i}", i, "pad", 10_000) for i in range(200)]
        self.produce(app, values)
        done = app.run_until_end(env={"MAP": "1MiB"}, expect=ALL_HALTED)
        self.assertIn("map", done.stderr)
        self.assertIn("state.map_size", done.stderr)
        app.run_until_end(env={"MAP": "64MiB"})
        self.check_output(app, values)

    def test_one_task_halts_by_policy_and_the_others_go_on(self):
        app = self.app(partitions=2)
        names = {partition_of(f"k{i}".encode(), 2): f"k{i}" for i in range(10)}
        host = self.start(app, env={"REJECTED": "halt"})
        wait_until(lambda: '"app shop: 2 tasks' in self.talk(app), "the start")
        self.produce(app, [posting("r0", names[0], 1), posting("r1", names[0], 1, "reject")], 0)
        wait_until(lambda: "task postings-0 halted" in self.talk(app), "the halt")
        self.assertIn("rejected r1", self.talk(app))
        self.assertIn("rejected: dead_letter", self.talk(app))
        self.produce(app, [posting("r2", names[1], 1)], 1)
        self.wait_for_count(app, names[1], 1)
        self.assertEqual(app.states()["post", names[0]]["count"], "1", "what came before is kept")
        self.assertIsNone(host.poll())
        self.produce(app, [posting("r3", names[1], 1, "reject")], 1)
        self.assertEqual(host.wait(60), ALL_HALTED)

        app.run_until_end()  # with the default policy again
        self.assertEqual(len(app.consume("shop.deadletters")), 2)
        self.assertEqual(sorted(record["value"]["id"] for record in app.consume("entries")),
                         ["r0", "r2"])

    def test_a_resolver_that_gives_up_halts_its_task(self):
        app = self.app()
        self.produce(app, [posting("r0", "ana", 1), posting("r1", "ana", 1, "fatal")])
        for _ in range(2):
            done = app.run_until_end(expect=ALL_HALTED)
            self.assertIn("resolver post stopped at offset 1: fatal at r1", done.stderr)
            self.assertEqual(app.states()["post", "ana"]["count"], "1")
            self.assertEqual(len(app.consume("entries")), 1)


class FullDisk(Case):
    """Runs in a mount namespace of its own, on a disk of 6 MiB."""

    def test_a_full_disk_halts_and_goes_on_when_there_is_room(self):
        if os.environ.get("WEIR_OWN_MOUNTS") != "1":
            again = [sys.executable, __file__, harness.PROGRAM, harness.PLUGINS,
                     "FullDisk.test_a_full_disk_halts_and_goes_on_when_there_is_room"]
            own = ["unshare", "--user", "--map-root-user", "--mount"]
            if shutil.which("unshare") is None or subprocess.run([*own, "true"],
                                                                 check=False).returncode != 0:
                self.skipTest("this system lets nobody mount a small disk")
            done = subprocess.run([*own, *map(str, again)], text=True, capture_output=True,
                                  env={**os.environ, "WEIR_OWN_MOUNTS": "1"}, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            return

        disk = pathlib.Path(harness.tempfile.mkdtemp(prefix="weir-disk-"))
        self.addCleanup(disk.rmdir)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", disk], check=True)
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        app = self.app(directory=disk)
        values = [posting(f"r{i}", f"account-{i % 400}", i, "pad", 8_000) for i in range(1200)]
        self.produce(app, values)
        full = app.run_until_end(expect=None)
        self.assertIn(full.returncode, (ALL_HALTED, IO), full.stderr)
        self.assertIn("disk", full.stderr)
        again = app.run_until_end(expect=None)
        self.assertIn(again.returncode, (ALL_HALTED, IO), again.stderr)
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        app.run_until_end()
        self.check_output(app, values)


if __name__ == "__main__":
    harness.arguments(sys.argv)
    unittest.main(verbosity=2)
