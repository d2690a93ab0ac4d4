#!/usr/bin/env python3
"""What gets in the way of `weir run` on a real Kafka: another producer's open transaction, a host that
stood still, a second one, a full disk, no broker at all. Nothing is lost, nothing comes twice,
and whoever must stop says why.

    obstacles_test.py PROGRAM PLUGINS FEEDER
"""

import collections
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
import kafka_app  # noqa: E402 (after the line above, on purpose)
import harness  # noqa: E402
import judges  # noqa: E402
from harness import posting  # noqa: E402
from kafka_app import OUT_PARTITIONS, PARTITIONS, PacedFeeder  # noqa: E402
from kafka_case import WAIT_SECONDS_MAX, Case, good  # noqa: E402
from ledger_input import Input  # noqa: E402

ARGUMENTS = sys.argv[1:4]
REFUSED = 77
ALL_HALTED, IO = 76, 74
SESSION_SECONDS = 6  # in kafka_app.YAML


class OpenTransaction(Case):
    def test_what_is_open_waits_and_what_is_aborted_never_was(self):
        app = self.app("open")
        self.feed(app, [good(n, n % PARTITIONS) for n in range(40)])
        stranger = app.feeder("stranger")
        stranger.order("begin")
        for number in range(100, 120):
            stranger.send(good(number, 0))
        stranger.order("flush")
        self.feed(app, [good(n, n % PARTITIONS) for n in range(200, 240)])
        stranger.kill()

        host = self.start(app)
        # Partition 0 stands still at the open transaction: 10 of its records are behind it.
        self.wait_until(lambda: self.committed(app) == 70, "the records that nothing holds back")
        time.sleep(1)
        self.assertEqual(self.committed(app), 70)
        app.feeder("stranger").close()  # the same id: the broker aborts what was left open
        self.wait_until(lambda: self.committed(app) == 80, "the records behind the transaction")
        host.terminate()
        self.assertEqual(host.wait(), 0, self.said(app))
        app.run_until_end()
        self.assertEqual(self.committed(app), 80)
        self.check_output(app)

    def test_until_end_is_not_held_up_by_a_transaction_at_the_end(self):
        """The end of a log whose last offsets are no records: an abort's marker, a commit's."""
        app = self.app("end")
        for number, end in enumerate(("commit", "abort")):
            feeder = app.feeder("ends")
            feeder.order("begin")
            for partition in range(PARTITIONS):
                feeder.send(good(number, partition))
            feeder.order("flush")
            feeder.order(end)
            feeder.close()
            app.run_until_end()
            self.assertEqual(self.committed(app), PARTITIONS)
        self.check_output(app)


class TwoHosts(Case):
    def hosts(self, name):
        """An app whose host has begun, and the feeder that keeps it busy."""
        app = self.app(name)
        host, feeder = self.begin(app)
        return app, feeder, host

    def begin(self, app):
        feeder = PacedFeeder(app.feeder(), Input(harness.seeded(), PARTITIONS))
        # One process, so that it can be made to stand still as a whole.
        host = self.start(app, "--no-supervisor", talk="first")
        # By then each task has made many commits, so all but its last one are published.
        self.wait_until(lambda: host.poll() is not None or self.committed(app) > 3000,
                        "the first host")
        self.assertIsNone(host.poll(), self.said(app, "first"))
        return host, feeder

    def second(self, app, state):
        """(exit code, what it said) of a host that must not go on."""
        host = self.start(app, env={"STATE": str(state)}, talk="second")
        try:
            code = host.wait(WAIT_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.fail(f"the second host runs on; it said:\n{self.said(app, 'second')}")
        return code, self.said(app, "second")

    def forget_marks(self, app):
        """As their expiry would. A group goes when it has no member any more."""
        tool = self.cluster.tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
                                 "--bootstrap-server", self.cluster.bootstrap(), "--delete", "--group",
                                 app.name)
        self.wait_until(lambda: "was successful" in subprocess.run(
            tool, check=False, capture_output=True, text=True).stdout, "the group's end")

    def finish(self, app, feeder, host):
        feeder.stop()
        host.terminate()
        host.wait()
        app.run_until_end()
        self.check_output(app)

    def test_a_second_host_is_refused_by_name(self):
        app, feeder, host = self.hosts("two")
        code, said = self.second(app, "state")
        self.assertEqual(code, REFUSED, said)
        self.assertIn(f"pid {host.pid}", said)
        code, said = self.second(app, "elsewhere")
        self.assertEqual(code, REFUSED, said)
        self.assertIn(f"try again after {SESSION_SECONDS} s", said)
        before = self.committed(app)
        self.wait_until(lambda: self.committed(app) > before, "the first host to go on")
        self.finish(app, feeder, host)
        self.assertEqual(host.returncode, 0, self.said(app, "first"))

    def test_a_host_that_stood_still_beyond_its_session_does_no_harm(self):
        app, feeder, host = self.hosts("still")
        for _ in range(2):
            host.send_signal(signal.SIGSTOP)
            time.sleep(SESSION_SECONDS + 2)
            code, said = self.second(app, "state")
            self.assertEqual(code, REFUSED, said)
            self.assertIn(f"pid {host.pid}", said)
            # It has not the State that the log's marks speak of, and takes nothing over.
            code, said = self.second(app, "elsewhere")
            self.assertEqual(code, REFUSED, said)
            self.assertIn("the task has no State", said)
            host.send_signal(signal.SIGCONT)
            self.wait_until_it_goes_on(app, host, talk="first")
        self.finish(app, feeder, host)
        self.assertEqual(host.returncode, 0, self.said(app, "first"))

    def test_foreign_state_is_refused_and_fences_nobody(self):
        app = self.app("foreign")
        foreign = app.directory / "foreign"
        app.run_until_end(env={"STATE": str(foreign)})
        self.forget_marks(app)
        host, feeder = self.begin(app)
        copy = app.directory / "copy"
        with feeder.paused():
            host.send_signal(signal.SIGSTOP)
            shutil.copytree(app.directory / "state", copy,
                            ignore=shutil.ignore_patterns("*.sock", "admin*"))
            (copy / "identity").unlink()
            host.send_signal(signal.SIGCONT)
        self.wait_until_it_goes_on(app, host, 500, talk="first")
        host.send_signal(signal.SIGSTOP)
        time.sleep(SESSION_SECONDS + 2)
        for state in (foreign, copy):
            code, said = self.second(app, state)
            self.assertEqual(code, REFUSED, said)
            self.assertIn("do not belong together", said)
        host.send_signal(signal.SIGCONT)
        self.wait_until_it_goes_on(app, host, talk="first")
        self.finish(app, feeder, host)
        self.assertEqual(host.returncode, 0, self.said(app, "first"))


class FewerWorkers(Case):
    """The transactions of a worker that the next host has not are ended by it all the same."""

    FIRST_FEATURE_SECONDS = 2  # the promise, on an idle machine
    # A machine that has other things to do as well. The broker's own patience ends after 10.
    FIRST_FEATURE_SECONDS_MAX = 5
    TRANSACTIONS = "org.apache.kafka.tools.TransactionsCommand"

    def is_open(self, transactional_id):
        done = subprocess.run(self.cluster.tool(self.TRANSACTIONS, "--bootstrap-server",
                                                self.cluster.bootstrap(), "list"),
                              capture_output=True, text=True, check=True)
        return any(transactional_id in line and "Ongoing" in line for line in done.stdout.splitlines())

    def kill_with_open_transaction(self, app, transactional_id):
        until = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            host = self.start(app, env={"WORKERS": "4", "INTERVAL": "5ms"})
            self.wait_until_it_goes_on(app, host, 500)
            host.kill()
            host.wait()
            if self.is_open(transactional_id):
                return
            self.assertLess(time.monotonic(), until, "no kill met an open transaction")

    def test_the_first_features_come_soon(self):
        app = self.app("fewer")
        feeder = PacedFeeder(app.feeder(), Input(harness.seeded(), PARTITIONS))
        self.kill_with_open_transaction(app, f"weir.{app.name}.3")
        before = collections.Counter(record["partition"] for record in app.read("entries"))
        with judges.following(self.cluster.bootstrap(), app.topic("entries")) as features:
            self.wait_until(lambda: features.counts == before, "the features of the host that died")
            began = time.monotonic()
            host = self.start(app, env={"WORKERS": "1"})
            # Of every partition: behind an open transaction nothing is committed.
            self.wait_until(lambda: all(features.counts[p] > before[p] for p in range(OUT_PARTITIONS)),
                            "features")
            seconds = time.monotonic() - began
        print(f"first features after {seconds:.2f} s (promised: {self.FIRST_FEATURE_SECONDS})",
              file=sys.stderr)
        self.assertLess(seconds, self.FIRST_FEATURE_SECONDS_MAX, self.said(app))
        self.wait_until_it_goes_on(app, host)
        feeder.stop()
        host.terminate()
        self.assertEqual(host.wait(), 0, self.said(app))
        app.run_until_end()
        self.check_output(app)


class NoBroker(Case):
    def test_it_is_named_and_the_exit_code_says_so(self):
        app = self.app("nobody")
        app.write((app.directory / "app.yaml").read_text().replace(self.cluster.bootstrap(),
                                                                   "127.0.0.1:1"))
        done = app.call("run", "-c", "app.yaml", "--until-end", expect=None)
        self.assertEqual(done.returncode, 69, done.stderr)
        self.assertIn("127.0.0.1:1", done.stderr)


class FullDisk(Case):
    """Runs in a mount namespace of its own, where State lies on a disk of 6 MiB."""

    NAME = "FullDisk.test_a_full_disk_halts_and_goes_on_when_there_is_room"

    def test_a_full_disk_halts_and_goes_on_when_there_is_room(self):
        if os.environ.get("WEIR_OWN_MOUNTS") != "1":
            own = ["unshare", "--user", "--map-root-user", "--mount"]
            if shutil.which("unshare") is None or subprocess.run([*own, "true"],
                                                                 check=False).returncode != 0:
                self.skipTest("this system lets nobody mount a small disk")
            done = subprocess.run([*own, sys.executable, __file__, *ARGUMENTS, self.NAME], text=True,
                                  capture_output=True, env={**os.environ, "WEIR_OWN_MOUNTS": "1"},
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            return

        disk = pathlib.Path(tempfile.mkdtemp(prefix="weir-disk-"))
        self.addCleanup(disk.rmdir)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", disk], check=True)
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        app = self.app("disk", directory=disk)
        accounts = [name for name in (f"account-{i}" for i in range(400))]
        records = []
        for number in range(1200):
            account = accounts[number % len(accounts)]
            records.append({"partition": harness.partition_of(account.encode(), PARTITIONS),
                            "value": posting(f"r{number}", account, number, "pad", 8_000)})
        self.feed(app, records)
        for _ in range(2):
            full = app.run_until_end(expect=None)
            self.assertIn(full.returncode, (ALL_HALTED, IO), full.stderr)
            self.assertIn("disk", full.stderr)
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        app.run_until_end()
        self.check_output(app)


if __name__ == "__main__":
    kafka_app.arguments(sys.argv)
    unittest.main(verbosity=2)
