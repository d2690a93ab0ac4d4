#!/usr/bin/env python3
"""Kills `weir run` between any two steps of a record's path, and while input arrives at a pace. What
is left at the end must be exactly what this program computes from the input alone: every key's State,
every record of the output topic, every line of the file sinks, every dead letter.

    kill_test.py PROGRAM PLUGINS

A kill counts only if it found work that was not committed; a wanted kill that does not happen fails.
WEIR_KILLS: kills at each step (20), and as many at random. WEIR_SEED: repeats a run.

Prefers a memory file system: the process dies here, not the machine, so syncing to a disk would cost
time and show nothing.
"""

import json
import os
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True
import harness  # noqa: E402 (after the line above, on purpose)
from harness import (App, bytes_of, entry_of, memory_directory,  # noqa: E402
                     partition_of, was_killed)
from ledger_checks import (check_all, check_at_any_time,  # noqa: E402
                           check_the_checks, expect, verdict)
from ledger_input import Input  # noqa: E402

PARTITIONS = 3
OUT_PARTITIONS = 2
KILLS = int(os.environ.get("WEIR_KILLS") or 20)
SLICE = 600  # records
SETTLE_EVERY = 45  # kills

# step -> how often it may be reached before the kill. A slice gives each partition so many commits
# that work is left when the last of these is reached.
STEPS = {"fetch": 6, "parked": 3, "timers": 6, "decode": 6, "prepare": 6, "resolve": 6, "save": 6, "commit": 6,
         "submit": 6, "publish": 2, "sinks": 2, "acknowledge": 2}

YAML = """
app: crash
log: {embedded: {}}
workers: ${WORKERS:-1}
state:
  map_size: 1GiB
  commit: {interval: "${INTERVAL:-10ms}", bytes: "${BYTES:-4KiB}"}
  live: {count: "${LIVE:-6}"}
plugins: [PLUGINS/ledger.so]
sources:
  postings: {topic: postings, format: json, partitions: 3, arrival: record}
resolvers:
  post:
    use: ledger/post
    from: postings
    to: {entries: entries, lines: lines}
    retry: {attempts: 1000000}
sinks:
  entries: {topic: entries, format: json, partitions: 2}
  lines: {file: "lines-{task}.jsonl"}
"""

# `acknowledge` is the end of a task: nothing is committed before it but by the end itself, so that
# the tasks whose turn comes later are found with all of their work open.
ONE_COMMIT_AT_THE_END = {"INTERVAL": "10m", "BYTES": "64MiB", "LIVE": "100000", "WORKERS": "1"}


class Output:
    """What has come out so far. Reads on where it stopped."""

    def __init__(self, app):
        self.app = app
        self.entries = []  # of the topic, as read
        self.dead = []  # ((partition, offset), (error, value))
        self.lines = []  # of the files, complete ones
        self.states = {}
        self.checked = 0  # entries that check_at_any_time() has seen
        self.count = {}  # account -> how many of these are its own
        self.at = {("entries", p): 0 for p in range(OUT_PARTITIONS)}
        self.at["crash.deadletters", 0] = 0

    def read_states(self):
        self.states = {key: entry_of(state) for (_, key), state in self.app.states().items()}

    def read_topics(self):
        for (topic, partition), start in list(self.at.items()):
            for record in self.app.consume(topic, partition, start):
                self.at[topic, partition] = record["offset"] + 1
                if topic == "entries":
                    entry = entry_of(record["value"])
                    expect(record["key"] == entry["account"], f"an entry has another key: {record}")
                    expect(partition_of(record["key"].encode(), OUT_PARTITIONS) == partition,
                           f"an entry is in another partition than its key's: {record}")
                    self.entries.append(entry)
                else:
                    headers = record["headers"]
                    expect(headers["weir.reason"] != "", f"a dead letter without reason: {record}")
                    where = int(headers["weir.partition"]), int(headers["weir.offset"])
                    self.dead.append((where, (headers["weir.error"], bytes_of(record, "value"))))

    def read_files(self):
        """Whole lines; a crash may leave a piece of one behind, which the next start takes back."""
        self.lines = []
        for path in sorted(self.app.directory.glob("lines-*.jsonl")):
            whole = path.read_text().split("\n")[:-1]
            self.lines += [entry_of(json.loads(line)) for line in whole]

    def line_count(self):
        return sum(path.read_bytes().count(b"\n")
                   for path in self.app.directory.glob("lines-*.jsonl"))

    def read(self):
        self.read_states()
        self.read_topics()
        self.read_files()

    def committed(self):
        return sum(state["count"] for state in self.states.values())


class KillTest:
    def __init__(self):
        self.rng = harness.seeded()
        self.app = App(YAML.replace("PLUGINS", str(harness.PLUGINS)), memory_directory(1 << 30))
        self.input = Input(self.rng, PARTITIONS, timers=True, later=2)
        self.output = Output(self.app)
        self.unpublished = 0  # kills at `commit` that found some of it

    def close(self):
        self.app.close()

    def append(self):
        self.app.produce("postings", self.input.slice(SLICE))

    def open_work(self):
        """Applied records that State does not have yet."""
        return self.input.ledger.applied - self.output.committed()

    def is_unread_enough(self):
        """Parked records were read before: they give a partition no more batches."""
        parked = sum(row["records"] for row in self.app.parked().values())
        return self.open_work() - parked >= SLICE

    def settle(self):
        self.app.run_until_end(env={"BYTES": "64KiB"})
        self.output.read()
        check_all(self.input.ledger, self.output)
        pending = {account: at for account, (_, at) in self.input.ledger.timers.items()}
        found = {key: at for (_, key), at in self.app.timers().items()}
        expect(found == pending, f"timers: expected {pending}, found {found}")

    def kill_at(self, step, count):
        if step == "acknowledge" or not self.is_unread_enough():
            self.append()
        env = ONE_COMMIT_AT_THE_END if step == "acknowledge" else {
            "WORKERS": str(self.rng.choice([1, 1, 2]))}
        if step in ("publish", "sinks"):
            env["WORKERS"] = "1"
        done = self.app.call("run", "-c", "app.yaml", "--until-end", "--no-supervisor", "--kill-at",
                             f"{step}:{count}", env=env, expect=None)
        expect(was_killed(done.returncode),
               f"the kill at {step}:{count} did not happen: exit {done.returncode}\n{done.stderr}")
        self.output.read_states()
        expect(self.open_work() > 0, f"the kill at {step}:{count} found nothing uncommitted")
        if step in ("commit", "publish", "sinks"):
            self.output.read_topics()
            expect(self.output.line_count() <= len(self.output.entries),
                   "the files are ahead of the topic")
        if step == "commit":
            # A commit of tries that all have to be repeated has nothing to publish.
            self.unpublished += len(self.output.entries) < self.output.committed()
        if step == "publish":
            expect(self.output.line_count() < len(self.output.entries),
                   f"the kill at publish:{count} found the files complete")
        check_at_any_time(self.input.ledger, self.output)

    def kills_at_steps(self):
        wanted = [(step, self.rng.randint(1, most)) for step, most in STEPS.items()
                  for _ in range(KILLS)]
        self.rng.shuffle(wanted)
        for number, (step, count) in enumerate(wanted, 1):
            self.kill_at(step, count)
            if number % SETTLE_EVERY == 0:
                self.settle()
        expect(self.unpublished > KILLS // 2, f"only {self.unpublished} of {KILLS} kills at `commit` "
                                              "found something unpublished")
        print(f"{len(wanted)} kills at steps", flush=True)

    def random_kills(self):
        """A producer appends at a pace; the host dies at any instant."""
        feeder = Feeder(self.app, self.input)
        effective = 0
        try:
            for _ in range(KILLS * 5):
                host = self.app.start("run", "-c", "app.yaml", stderr=subprocess_null(),
                                      env={"WORKERS": str(self.rng.choice([1, 2])),
                                           "INTERVAL": self.rng.choice(["20ms", "50ms", "100ms"]),
                                           "LIVE": self.rng.choice(["6", "100", "100"]),
                                           "BYTES": "64KiB"})
                time.sleep(self.rng.uniform(0.03, 0.4))  # where the kill falls is the test
                with feeder.paused() as fed:
                    host.send_signal(signal.SIGKILL)
                    host.wait()
                expect(was_killed(host.returncode), f"the host ended by itself: {host.returncode}")
                self.output.read_states()
                with feeder.paused():
                    check_at_any_time(self.input.ledger, self.output)
                effective += self.output.committed() < fed
                if effective == KILLS:
                    break
        finally:
            feeder.stop()
        expect(effective >= KILLS, f"only {effective} random kills found something uncommitted")
        print(f"{effective} random kills with work open, {feeder.count} records arriving", flush=True)

    def run(self):
        self.append()
        self.settle()
        self.kills_at_steps()
        self.random_kills()
        self.settle()
        check_the_checks(self.input.ledger, self.output)
        ledger = self.input.ledger
        print(f"{self.input.number} records, {ledger.applied} applied, {len(ledger.dead)} set aside: "
              "0 lost, 0 twice")


class Feeder:
    """Feeds `weir produce` a few records at a time, from a thread of its own."""

    CHUNK, PAUSE_SECONDS = 8, 0.004

    def __init__(self, app, source):
        self.input = source
        self.count = 0
        self.fed = []  # applied records after each chunk
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.process = app.start("produce", "postings", "-c", "app.yaml", stdin=harness.subprocess.PIPE,
                                 stderr=subprocess_null(), text=True)
        self.thread = threading.Thread(target=self.feed)
        self.thread.start()

    def feed(self):
        while not self.stopping.wait(self.PAUSE_SECONDS):
            with self.lock:
                lines = [json.dumps(self.input.record(self.input.rng.randrange(PARTITIONS))) + "\n"
                         for _ in range(self.CHUNK)]
                self.process.stdin.write("".join(lines))
                self.process.stdin.flush()
                self.count += self.CHUNK
                self.fed.append(self.input.ledger.applied)

    def paused(self):
        """Holds the input; the value is what surely had arrived: all but the last two chunks."""
        return Paused(self)

    def stop(self):
        self.stopping.set()
        self.thread.join()
        self.process.stdin.close()
        expect(self.process.wait() == 0, "the producer failed")


class Paused:
    def __init__(self, feeder):
        self.feeder = feeder

    def __enter__(self):
        self.feeder.lock.acquire()
        return self.feeder.fed[-3] if len(self.feeder.fed) > 2 else 0

    def __exit__(self, *_):
        self.feeder.lock.release()


def subprocess_null():
    return harness.subprocess.DEVNULL


def main():
    harness.arguments(sys.argv)
    return verdict(KillTest())


if __name__ == "__main__":
    sys.exit(main())
