#!/usr/bin/env python3
"""What an operator, or time, does to a Kafka under `weir run`: partitions added, a topic deleted and made
again, records and offsets that are gone, offsets set by a tool, a member too many. The host halts, says
what it is about and which command goes on, and has not touched the State; and that command does go on:
State is then what this program computes from the records that were read.

    halts_test.py PROGRAM PLUGINS FEEDER OPERATOR
"""

import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
import kafka_app  # noqa: E402 (after the line above, on purpose)
import harness  # noqa: E402
from broker import Cluster  # noqa: E402
from harness import posting  # noqa: E402
from kafka_app import PARTITIONS, YAML, KafkaApp, ledger_of  # noqa: E402

ALL_HALTED, REFUSED = 76, 77
WAIT_SECONDS_MAX = 60
CLUSTER = None
# A second in place of ten until the host sees new partitions.
QUICK = YAML.replace("    session_timeout:",
                     "    consumer: {topic.metadata.refresh.interval.ms: 1000}\n    session_timeout:")


def operator(*words):
    done = kafka_app.operate(CLUSTER, *words)
    if done.returncode != 0:
        raise AssertionError(f"{words}: {done.stderr}")


def wait_until(condition, what):
    until = time.monotonic() + WAIT_SECONDS_MAX
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"in vain for {what}")
        time.sleep(0.05)


class HaltingApp(KafkaApp):
    count = 0  # of records sent, so that no two are alike

    def __init__(self, name, yaml=QUICK):
        super().__init__(CLUSTER, name, yaml, create=kafka_app.create_quickly)

    def feed(self, count, topic="postings"):
        """Returns all records of the topic, as kcat has them."""
        feeder = kafka_app.Feeder(self.cluster.bootstrap(), self.topic(topic))
        for number in range(self.count, self.count + count):
            account = f"account-{number % 13}"
            feeder.send({"partition": harness.partition_of(account.encode(), PARTITIONS),
                         "value": posting(f"r{number}", account, number)})
        self.count += count
        feeder.order("flush")
        feeder.close()
        return self.read(topic)

    def remake(self, topic="postings"):
        operator("delete", self.topic(topic))
        operator("create", self.topic(topic), PARTITIONS)

    def entries(self):
        """account -> what its State says."""
        done = self.call("state", "export", "-c", "app.yaml", expect=None)
        return {} if done.returncode != 0 else self.accounts()


class Case(unittest.TestCase):
    maxDiff = 2000

    def app(self, name):
        app = HaltingApp(name)
        self.addCleanup(app.close)
        return app

    def start(self, app, env=None):
        """A host that has worked through what is there; its talk goes to a file."""
        with open(app.directory / "talk", "w", encoding="utf-8") as talk:
            host = app.start("run", "-c", "app.yaml", "--no-progress", env=env, stderr=talk)
        self.addCleanup(host.wait)
        self.addCleanup(host.kill)
        return host

    def wait_for(self, app, ledger):
        wait_until(lambda: sum(state["count"] for state in app.entries().values()) == ledger.applied,
                   "all records in State")

    def halts(self, app, host, *words):
        """A running host halts by itself; returns what it said."""
        before = app.accounts()
        code = host.wait(WAIT_SECONDS_MAX)
        said = (app.directory / "talk").read_text()
        self.assertEqual(code, ALL_HALTED, said)
        for word in words:
            self.assertIn(word, said)
        self.assertEqual(app.accounts(), before, "the State is left alone")
        return said

    def refuses(self, app, *words, env=None):
        """A start is refused; returns the commands that it names."""
        before = app.entries()
        until = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            done = app.run_until_end(env=env, expect=None)
            self.assertEqual(done.returncode, REFUSED, done.stderr)
            # Another state directory's host counts as alive until its session is over.
            if "another host of app" not in done.stderr or "another host of app" in words:
                break
            self.assertLess(time.monotonic(), until, done.stderr)
            time.sleep(0.5)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(app.entries(), before, "the State is left alone")
        return re.findall(r"weir reset [^,;\n]*", done.stderr)

    def follow(self, app, commands, ending):
        """Types the one of the commands that ends so."""
        chosen = [command for command in commands if command.endswith(ending)]
        self.assertEqual(len(chosen), 1, commands)
        return app.call(*shlex.split(chosen[0])[1:])

    def goes_on(self, app, ledger):
        """Works through what is there, and the State is that of the ledger."""
        app.run_until_end()
        self.assertEqual(app.accounts(), ledger.states())


class Topic(Case):
    def test_partitions_were_added(self):
        app = self.app("added")
        before = ledger_of(app.feed(40))
        host = self.start(app)
        self.wait_for(app, before)
        operator("partitions", app.topic("postings"), 6)
        self.halts(app, host, "have 6 partitions, they had 4", "weir reset")
        commands = self.refuses(app, "topic added.postings has 6 partitions, the State was made with 4")
        kept = app.call("reset", "app.yaml", "--to", "earliest", "--state", "keep", expect=None)
        self.assertEqual(kept.returncode, REFUSED, kept.stderr)
        self.assertIn("no State can be kept", kept.stderr)
        self.follow(app, commands, "--state drop")
        # Whose keys belong to other partitions now are dead letters, here as there.
        self.goes_on(app, ledger_of(app.read("postings"), 6))

    def test_it_was_made_again_with_fewer_partitions(self):
        app = self.app("fewer")
        app.feed(40)
        app.run_until_end()
        operator("delete", app.topic("postings"))
        operator("create", app.topic("postings"), 1)
        commands = self.refuses(app, "topic fewer.postings has 1 partitions")
        said = self.follow(app, commands, "--state drop")
        self.assertEqual(said.count("(no such partition)"), PARTITIONS - 1)
        self.assertEqual(app.accounts(), {})
        app.run_until_end()
        self.assertEqual(len(list((app.directory / "state" / "tasks").iterdir())), 1)

    def test_it_was_made_again_with_other_records(self):
        app = self.app("again")
        first = ledger_of(app.feed(30))
        app.run_until_end()
        app.remake()
        second = app.feed(60)
        commands = self.refuses(app, "topic again.postings partition", "another record at offset",
                                "was deleted and made again")
        self.follow(app, commands, "--state keep")
        self.goes_on(app, ledger_of(second, ledger=first))

    def test_it_was_made_again_under_a_host(self):
        app = self.app("under")
        host = self.start(app)
        self.wait_for(app, ledger_of(app.feed(30)))
        operator("delete", app.topic("postings"))
        self.halts(app, host, "under.postings")
        operator("create", app.topic("postings"), PARTITIONS)
        second = ledger_of(app.feed(5))
        commands = self.refuses(app, "holds offsets 0 to", "the log has lost records, or is another one")
        self.follow(app, commands, "--state drop")
        self.goes_on(app, second)

    def test_records_that_are_needed_are_gone(self):
        app = self.app("gone")
        app.feed(30)
        app.run_until_end()
        before = len([record for record in app.read("postings") if record["partition"] == 0])
        app.feed(30)
        all_there = app.read("postings")
        operator("delete-records", app.topic("postings"), 0, before + 2)
        commands = self.refuses(app, "topic gone.postings partition 0 holds offsets",
                                f"the State goes on at {before}")
        self.follow(app, commands, "--state keep")
        self.goes_on(app, ledger_of(record for record in all_there if record["partition"] != 0
                                    or not before <= record["offset"] < before + 2))

    def test_the_source_names_another_topic(self):
        app = self.app("other")
        operator("create", app.topic("elsewhere"), PARTITIONS)
        first = ledger_of(app.feed(20))
        app.run_until_end()
        second = app.feed(20, "elsewhere")
        app.write(QUICK.replace("topic: APP.postings", "topic: APP.elsewhere")
                  .replace("APP", "other").replace("BOOTSTRAP", CLUSTER.bootstrap())
                  .replace("PLUGINS", str(harness.PLUGINS)))
        commands = self.refuses(app, "source postings reads topic other.elsewhere",
                                "its State comes from topic other.postings")
        self.follow(app, commands, "--state keep")
        self.goes_on(app, ledger_of(second, ledger=first))


class Members(Case):
    def join(self, app):
        """A stranger in the group, who has got his part."""
        stranger = subprocess.Popen(
            ["kcat", "-b", CLUSTER.bootstrap(), "-G", app.name, app.topic("postings")],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(stranger.stderr.close)
        self.addCleanup(stranger.wait)
        self.addCleanup(stranger.kill)
        for line in stranger.stderr:
            if "assigned" in line:
                return stranger
        self.fail("the stranger got nothing")

    def test_a_stranger_in_the_group(self):
        app = self.app("strange")
        records = ledger_of(app.feed(20))
        stranger = self.join(app)
        self.refuses(app, "group 'strange' has a member that is no host of this app", "end it")
        stranger.terminate()
        stranger.wait()
        host = self.start(app)
        self.wait_for(app, records)
        stranger = self.join(app)
        self.halts(app, host, "group 'strange' gave this host 2 of 4 partitions",
                   "another consumer is in the group")
        stranger.terminate()
        stranger.wait()
        self.goes_on(app, ledger_of(app.feed(20)))

    def test_a_second_host(self):
        app = self.app("second")
        records = ledger_of(app.feed(20))
        host = self.start(app)
        self.wait_for(app, records)
        elsewhere = {"STATE": "elsewhere"}
        self.refuses(app, "another host of app", "stop it", env=elsewhere)
        words = ("reset", "app.yaml", "--to", "earliest", "--state", "drop")
        for env, named in ((elsewhere, "another host of app"), ({}, f"pid {host.pid}")):
            done = app.call(*words, env=env, expect=None)
            self.assertEqual(done.returncode, REFUSED, done.stderr)
            self.assertIn(named, done.stderr)
        records = ledger_of(app.feed(20))
        self.wait_for(app, records)  # it was not disturbed
        host.terminate()
        self.assertEqual(host.wait(), 0, (app.directory / "talk").read_text())
        self.goes_on(app, records)


class Reset(Case):
    def test_to_a_time_also_after_a_kill(self):
        app = self.app("times")
        begin_ms = 1_700_000_000_000
        records = []
        for number in range(48):
            account = f"account-{number % 13}"
            records.append({"partition": harness.partition_of(account.encode(), PARTITIONS),
                            "value": posting(f"r{number}", account, number),
                            "timestamp": begin_ms + number * 1000})
        app.produce(app.topic("postings"), records)
        app.run_until_end()
        whole = app.accounts()
        words = ("reset", "app.yaml", "--to", f"{begin_ms + 20_000}ms", "--state", "drop")
        tried = app.call(*words, "--dry-run")
        self.assertEqual(app.accounts(), whole)
        for step in ("begin", "commit:2", "publish", "end"):
            died = app.call(*words, "--kill-at", step, expect=None)
            self.assertTrue(harness.was_killed(died.returncode), died.stderr)
            if step == "begin":
                self.assertEqual(died.stdout, tried)
            commands = self.refuses(app, "a reset of the state directory", "was interrupted")
        self.follow(app, commands, "--state drop")
        self.assertEqual(app.accounts(), {})
        newer = ledger_of(one for one in app.read("postings") if one["ts"] >= begin_ms + 20_000)
        self.assertEqual(newer.applied, 28)
        self.goes_on(app, newer)


class TheOffsets(Case):
    """Of the group, by tools that it must be empty for: its sessions end while other cases run."""

    NAMES = ("set", "deleted", "foreign")

    @classmethod
    def prepare(cls):
        cls.apps = {name: HaltingApp(name) for name in cls.NAMES}
        cls.first = {}
        for name, app in cls.apps.items():
            unittest.addModuleCleanup(app.close)
            cls.first[name] = ledger_of(app.feed(26))
            app.run_until_end()

    def operate(self, *words):
        """As soon as the group is empty."""
        until = time.monotonic() + WAIT_SECONDS_MAX
        while kafka_app.operate(CLUSTER, *words).returncode != 0:
            self.assertLess(time.monotonic(), until, "the group is never empty")
            time.sleep(0.3)

    def test_an_operator_set_them(self):
        app = self.apps["set"]
        self.operate("set-offset", "set", app.topic("postings"), 1, 2)
        commands = self.refuses(app, "the log's mark of this app is at offset 2", "Weir did not write it")
        self.assertTrue(any("--partition 1 --to 2 --state keep" in one for one in commands), commands)
        self.follow(app, commands, "--to current --state keep")
        self.goes_on(app, ledger_of(app.feed(13)))

    def test_they_were_deleted(self):
        app = self.apps["deleted"]
        self.operate("delete-offsets", "deleted", app.topic("postings"), PARTITIONS)
        commands = self.refuses(app, "the log has lost its mark of this app")
        self.follow(app, commands, "--to current --state keep")
        self.goes_on(app, ledger_of(app.feed(13)))

    def test_they_are_another_states(self):
        app = self.apps["foreign"]
        elsewhere = {"STATE": "elsewhere"}
        commands = self.refuses(app, "the task has no State", env=elsewhere)
        self.assertTrue(any(one.endswith("--to earliest --state drop") for one in commands), commands)
        app.call("reset", "app.yaml", "--to", "latest", "--state", "drop", env=elsewhere)
        commands = self.refuses(app, "the log and the state directory do not belong together")
        self.follow(app, commands, "--to current --state keep")
        self.goes_on(app, ledger_of(app.feed(13)))


def setUpModule():
    global CLUSTER
    holder = tempfile.TemporaryDirectory(prefix="weir-kafka-")
    unittest.addModuleCleanup(holder.cleanup)
    CLUSTER = Cluster(f"{holder.name}/kafka")
    unittest.addModuleCleanup(CLUSTER.stop)
    CLUSTER.start()
    TheOffsets.prepare()


if __name__ == "__main__":
    kafka_app.OPERATOR = pathlib.Path(sys.argv.pop(4)).resolve()
    kafka_app.arguments(sys.argv)
    unittest.main(verbosity=2)
