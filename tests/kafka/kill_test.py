#!/usr/bin/env python3
"""Kills `weir run` on a real Kafka between any two steps and at random, and kills the broker under it,
while records arrive at a pace. At the end State, the read-committed topics, the files and the dead
letters are exactly what this program computes from the input: 0 lost, 0 twice.

    kill_test.py PROGRAM PLUGINS FEEDER [--soak]

A kill counts only if it found work that was not committed. WEIR_KILLS: kills at each step (5), and as
many at random. WEIR_SEED: repeats a run's choices. WEIR_SLOW=1: a build or a machine whose times mean
nothing. --soak: a million records of 50,000 keys, and 60 random kills.
"""

import os
import signal
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import kafka_app  # noqa: E402 (after the line above, on purpose)
import harness  # noqa: E402
from broker import Cluster  # noqa: E402
from harness import was_killed  # noqa: E402
from kafka_app import PARTITIONS, KafkaApp, Output, PacedFeeder, check_input  # noqa: E402
from ledger_checks import (Failure, check_all, check_at_any_time,  # noqa: E402
                           check_the_checks, expect, verdict)
from ledger_input import Input  # noqa: E402

SLOW = os.environ.get("WEIR_SLOW") == "1"
KILLS = int(os.environ.get("WEIR_KILLS") or 5)
STEPS = ("fetch", "decode", "prepare", "resolve", "save", "commit", "submit", "publish", "sinks",
         "acknowledge")
STEP_COUNT_MAX = 6
# `acknowledge` is the end of a task, so it is reached once a task. Nothing is committed before it but by
# the end itself: the tasks whose turn comes later die with all of their work open.
ONE_COMMIT_AT_THE_END = {"INTERVAL": "10m", "BYTES": "64MiB", "LIVE": "100000"}
DIE_SECONDS_MAX = 60
FIRST_RECORD_SECONDS_MAX = 2
WAITED_SECONDS = 5  # less than any session or transaction of a dead predecessor


class KillTest:
    def __init__(self, cluster, directory, soak=False):
        self.cluster = cluster
        self.soak = soak
        self.rng = harness.seeded()
        self.workers = self.rng.choice(["1", "2"])
        self.app = KafkaApp(cluster, directory=directory)
        self.input = Input(self.rng, PARTITIONS, accounts=50_000 if soak else 45)
        self.output = Output(self.app)
        self.first_record_seconds = []
        self.feeder = None

    def close(self):
        self.app.close()

    # -- pieces

    def settings(self):
        # A broker takes seconds to come back; a host whose session ends meanwhile has to halt.
        return {"WORKERS": self.workers, "SESSION": "60s", "LIVE": self.rng.choice(["6", "100"]),
                "INTERVAL": self.rng.choice(["10ms", "20ms", "50ms"])}

    def start(self, *options, env=None):
        return self.app.start("run", "-c", "app.yaml", "--no-progress", *options,
                              env=env or self.settings(), stderr=subprocess.PIPE, text=True)

    def check_after_death(self):
        """Of the host. True: it left work open."""
        with self.feeder.paused() as fed:
            self.output.read_states()
            check_at_any_time(self.input.ledger, self.output)
        return self.output.committed() < fed

    def settle(self):
        self.app.run_until_end("--no-progress", env={"WORKERS": self.workers})
        self.output.read()
        check_all(self.input.ledger, self.output)

    def wait_for_commits(self, host, count=1):
        """Until State has grown by `count` records since now."""
        self.output.read_states()
        target = self.output.committed() + count
        until = time.monotonic() + DIE_SECONDS_MAX
        while self.output.committed() < target:
            expect(host.poll() is None, f"the host ended by itself: {host.returncode}")
            expect(time.monotonic() < until, "the host commits nothing any more")
            time.sleep(0.05)
            self.output.read_states()

    def wait_for_records(self, count):
        until = time.monotonic() + DIE_SECONDS_MAX
        fed = 0
        while fed < count:
            expect(time.monotonic() < until, f"only {fed} records have arrived")
            time.sleep(0.05)
            with self.feeder.paused() as fed:
                pass

    # -- the kills

    def kill_at(self, step, count):
        began = time.monotonic()
        if step == "acknowledge":
            host = self.start("--until-end", "--no-supervisor", "--kill-at", f"{step}:{count}",
                              env={**ONE_COMMIT_AT_THE_END, "WORKERS": self.workers})
        else:
            host = self.start("--no-supervisor", "--kill-at", f"{step}:{count}")
        try:
            _, said = host.communicate(timeout=DIE_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            host.kill()
            _, said = host.communicate()
            raise Failure(f"the kill at {step}:{count} did not happen; the host said:\n{said}") from None
        expect(was_killed(host.returncode),
               f"the kill at {step}:{count} did not happen: exit {host.returncode}\n{said}")
        if (step, count) == ("resolve", 1):
            self.first_record_seconds.append(time.monotonic() - began)
        expect(self.check_after_death(), f"the kill at {step}:{count} found nothing uncommitted")

    def kills_at_steps(self):
        wanted = [(step, self.rng.randint(1, 2 if step == "acknowledge" else STEP_COUNT_MAX))
                  for step in STEPS for _ in range(KILLS)]
        wanted += [("resolve", 1)] * KILLS
        self.rng.shuffle(wanted)
        for step, count in wanted:
            self.kill_at(step, count)
        print(f"{len(wanted)} kills at steps", flush=True)

    def random_kills(self, wanted):
        effective = 0
        for _ in range(wanted * 3):
            host = self.start()
            time.sleep(self.rng.uniform(0.2, 2.0))  # where the kill falls is the test
            host.send_signal(signal.SIGKILL)
            host.communicate()
            expect(was_killed(host.returncode), f"the host ended by itself: {host.returncode}")
            effective += self.check_after_death()
            if effective == wanted:
                break
        expect(effective == wanted, f"only {effective} random kills found something uncommitted")
        print(f"{effective} random kills, {self.feeder.count} records have arrived", flush=True)

    def broker_kills(self, wanted):
        """The broker dies under a running host and comes back; the host goes on by itself."""
        for _ in range(wanted):
            host = self.start()
            try:
                self.wait_for_commits(host)
                self.cluster.kill()
                time.sleep(self.rng.uniform(0.0, 1.0))
                self.cluster.restart()
                self.wait_for_commits(host, 500)
                host.terminate()
                _, said = host.communicate(timeout=DIE_SECONDS_MAX)
            except Failure as failure:
                host.kill()
                raise Failure(f"{failure}; it said:\n{host.communicate()[1]}") from None
            expect(host.returncode == 0, f"the host ended with {host.returncode}:\n{said}")
            self.check_after_death()
        print(f"{wanted} broker kills survived", flush=True)

    # -- the whole

    def run(self):
        pace = {"chunk": 80, "pause_seconds": 0.008} if self.soak else {}
        self.feeder = PacedFeeder(self.app.feeder(), self.input, **pace)
        try:
            self.wait_for_records(400)  # a host that runs until the end of nothing ends at once
            self.kills_at_steps()
            self.random_kills(60 if self.soak else KILLS)
            self.broker_kills(5 if self.soak else 1)
            while self.soak and self.input.number < 1_000_000:
                self.random_kills(1)
        finally:
            self.feeder.stop()
        self.settle()
        self.judge()

    def judge(self):
        ledger = self.input.ledger
        check_input(self.input, self.app.read("postings"))
        if not self.soak:
            check_the_checks(ledger, self.output)
        aborted = len(self.app.read("entries", isolation="read_uncommitted")) - len(self.output.entries)
        seconds, longest = statistics.median(self.first_record_seconds), max(self.first_record_seconds)
        print(f"first record after a kill: {seconds:.2f} s (median), {longest:.2f} s at most; {aborted} "
              "features in transactions that were aborted", flush=True)
        expect(aborted > 0, "no kill met an open transaction, so nothing was proven about them")
        expect(SLOW or seconds <= FIRST_RECORD_SECONDS_MAX and longest <= WAITED_SECONDS,
               f"a start after a kill takes {seconds:.2f} s, at most {longest:.2f} s, to its first record")
        print(f"{self.input.number} records of {len(ledger.entries)} keys, {ledger.applied} applied, "
              f"{len(ledger.dead)} set aside: 0 lost, 0 twice")


def main():
    soak = "--soak" in sys.argv
    if soak:
        sys.argv.remove("--soak")
    kafka_app.arguments(sys.argv)
    with harness.tempfile.TemporaryDirectory(prefix="weir-kafka-") as directory:
        with Cluster(f"{directory}/kafka") as cluster:
            return verdict(KillTest(cluster, harness.memory_directory(1 << 30), soak))


if __name__ == "__main__":
    sys.exit(main())
