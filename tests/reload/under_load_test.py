#!/usr/bin/env python3
"""Builds of a plugin take each other's place in a running host while records flow. Every build
multiplies by its own number and names it in its features, so that a record which met the wrong build,
none, or two shows in a feature and in the State for ever; this program computes both for itself.

    under_load_test.py PROGRAM METERS [--soak]

What stays of a reload is measured in the worker process, under load, every few reloads, once the
history of builds has all of its 1,000 events; what counts is the median of the slopes between any two
of these points (Theil and Sen), which neither what is in flight at a point nor a single step bends.
It is the slope of the heap in use (heap_figures.cpp), exact to the byte. Pages come and go in steps:
only the soak has points enough for the slope of RssAnon. What is mapped from files is left out of
both: the pages of log and States grow with the records.

WEIR_RELOADS: how many (900; --soak: 10,000). WEIR_SEED: repeats a run.
"""

import bisect
import contextlib
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "crash"))
import harness  # noqa: E402 (after the lines above, on purpose)
from harness import App, memory_directory, partition_of, worker_of  # noqa: E402

SOAK = "--soak" in sys.argv
RELOADS = int(os.environ.get("WEIR_RELOADS") or (10_000 if SOAK else 900))
KILLS = 20 if SOAK else 1  # at each step
PARTITIONS = 3
DEVICE_NAMES = [f"device-{number}" for number in range(40)]
SLICE = 300  # records that are appended at a time
PATIENCE = 60  # seconds; only a failure takes them
BUILDS = range(1, 9)
# Their States count in thousandths, which no build before can read: a rollback takes back what they did.
MILLI, MILLI_TOO = 9, 10
NAMES = {MILLI: "milli", MILLI_TOO: "milli_too"}
# A build that each of these is refused at.
REFUSED = {"changed_state": "schema", "stateless": "schema", "renamed": "fit", "of_others": "fit"}
# step of a reload -> does a worker process that is killed there leave the new build behind?
KILL_STEPS = {"stage": False, "load": False, "announce": False, "swap": False, "swapped": False,
              "promoted": True}
BYTES_A_RELOAD_MAX = 64
WARM_RELOADS = 1_500 if SOAK else 550  # two events each: the history is full, and memory is warm
HISTORY_EVENTS = 1_000
POINT_RELOADS = 10 if SOAK else 5  # between two points
POINTS_MIN = 60  # fewer say nothing
MEASURES = RELOADS >= WARM_RELOADS + POINTS_MIN * POINT_RELOADS

YAML = """
app: meter
log: LOG
state: {map_size: 1GiB, commit: {interval: 10ms}}
plugins: [meter.so]
reload: {probation: "${PROBATION:-0s}"}
sources:
  readings: {topic: readings, format: json, partitions: 3}
resolvers:
  measure: {use: meter/measure, from: readings, to: {"*": measured}}
sinks:
  measured: {topic: measured, format: json, partitions: 3}
"""


class Wrong(AssertionError):
    pass


def slope(points):
    """The median of the slopes between any two of (x, y)."""
    return statistics.median((later[1] - point[1]) / (later[0] - point[0])
                             for i, point in enumerate(points) for later in points[i + 1:])


def expect(condition, text):
    if not condition:
        raise Wrong(text)


class Feeder(threading.Thread):
    """Appends slices until it is told to stop; the test remembers them, each record with the
    generation that was known to run when it was appended."""

    def __init__(self, test):
        super().__init__(daemon=True)
        self.test, self.app, self.rng = test, test.app, test.rng
        self.stopping = threading.Event()
        self.failure = None

    def run(self):
        try:
            while not self.stopping.is_set():
                self.append()
                time.sleep(0.02)
        except Exception as failure:  # told by stop()
            self.failure = failure

    def append(self):
        running = self.test.running
        records = []
        for _ in range(SLICE):
            self.test.appended += 1
            device, amount = self.rng.choice(DEVICE_NAMES), self.test.appended
            partition = partition_of(device.encode(), PARTITIONS)
            records.append({"partition": partition, "key": device, "value": json.dumps(
                {"device": device, "amount": amount})})
            self.test.inputs[partition].append((device, amount, running))
        self.app.produce("readings", records)

    def stop(self):
        self.stopping.set()
        self.join()
        if self.failure is not None:
            raise self.failure


class UnderLoad:
    def __init__(self, meters, app):
        self.rng = harness.seeded()
        self.meters = meters
        self.app = app
        self.heap_figures = app.directory / "heap-figures"
        self.inputs = [[] for _ in range(PARTITIONS)]  # partition -> (device, amount, generation)
        self.appended = 0  # records; each has another amount
        self.builds = [1]  # the generations that may have handled records, in order
        self.running = 0  # the newest of them that surely runs: its answer has come
        self.ceilings = []  # (records of each partition, the newest generation they can have met)
        self.undone = []  # generations whose records came again to the next one
        self.host = None
        self.feeder = None
        self.restarts = 0

    def close(self):
        if self.host is not None:
            self.host.kill()
            self.host.wait()
        self.app.close()

    # -- the host

    def meter(self, build):
        return self.meters / f"meter_{NAMES.get(build, build)}.so"

    def install(self, build):
        """What an operator's start loads."""
        (self.app.directory / "meter.so").write_bytes(self.meter(build).read_bytes())

    def start(self, *options, probation="0s"):
        self.install(self.builds[-1])
        talk = open(self.app.directory / "talk", "ab")
        env = {"PROBATION": probation}
        if MEASURES:
            env |= {"LD_PRELOAD": str(self.meters / "heap_figures.so"),
                    "WEIR_HEAP_FIGURES": str(self.heap_figures)}
            if not SOAK:  # the lines of the last ten seconds are remembered: as many as the pace makes
                options = ("--log-level", "warn", *options)
        self.host = self.app.start("run", "-c", "app.yaml", *options, stderr=talk, env=env)
        talk.close()
        self.wait_for_control()

    def wait_for_control(self):
        """Until the host takes requests: that it has no such plugin says so, and reaches no step."""
        self.wait_until(lambda: "unknown_plugin" in self.reload("nobody").stdout,
                        "the host takes requests")

    def stop(self):
        self.host.send_signal(signal.SIGTERM)
        code = self.host.wait(PATIENCE)
        expect(code == 0, f"the host ended with {code}\n{self.talk()}")
        self.host = None

    def talk(self):
        return (self.app.directory / "talk").read_text(errors="replace")[-4000:]

    def wait_until(self, condition, what):
        def holds():
            found = condition()
            expect(found or self.host.poll() is None,
                   f"the host ended, and not: {what}\n{self.talk()}")
            return found
        return harness.wait_until(holds, what, self.talk)

    def reload(self, *words):
        return self.app.call("reload", "-c", "app.yaml", "--format", "json", *words, expect=None)

    # -- reloads

    def answered(self):
        self.running = len(self.builds) - 1

    def another_build(self):
        return self.rng.choice([build for build in BUILDS if build != self.builds[-1]])

    def reload_to(self, build):
        self.builds.append(build)
        done = self.reload("--from", self.meter(build))
        expect(done.returncode == 0, f"build {build}: exit {done.returncode}\n{done.stderr}")
        answer = json.loads(done.stdout)["answers"][0]
        expect(answer["after"]["version"] == f"{build}.0", f"not build {build}: {answer}")
        expect(answer["tasks"] == PARTITIONS, f"not in all tasks: {answer}")
        self.answered()
        return answer["longest_pause_us"]

    def refused(self, name):
        done = self.reload("--from", self.meter(name))
        expect(done.returncode == 1, f"{name} was not refused: exit {done.returncode}\n{done.stdout}")
        expect(f'"step":"{REFUSED[name]}"' in re.sub(r"\s", "", done.stdout),
               f"{name} was refused elsewhere than in {REFUSED[name]}: {done.stdout}{done.stderr}")

    def reloads(self, count):
        pauses, points = [], []
        for number in range(1, count + 1):
            if number % 12 == 6:
                self.refused(self.rng.choice(list(REFUSED)))
            pauses.append(self.reload_to(self.another_build()))
            if number in (count // 2, count):
                self.catch_up()
                self.only_one_is_mapped()
            if MEASURES and number >= WARM_RELOADS and number % POINT_RELOADS == 0:
                self.only_one_is_mapped()
                points.append((number, self.heap_bytes(), self.resident_bytes()))
        pauses.sort()
        print(f"{count} reloads; longest pause of each: p50 {pauses[count // 2]} us, "
              f"p99 {pauses[count * 99 // 100]} us, most {pauses[-1]} us", flush=True)
        if MEASURES:
            self.check_memory(points)

    def check_memory(self, points):
        events = self.app.call("plugin", "history", "-c", "app.yaml", "--format", "json")
        expect(len(events.splitlines()) >= HISTORY_EVENTS, "the history of builds is not full")
        heap = slope([(number, heap) for number, heap, _ in points])
        resident = slope([(number, resident) for number, _, resident in points])
        print(f"{len(points)} points from reload {points[0][0]} to {points[-1][0]}: heap in use "
              f"{points[0][1]} B to {points[-1][1]} B, {heap:+.1f} B a reload; RssAnon "
              f"{points[0][2]} B to {points[-1][2]} B, {resident:+.1f} B a reload", flush=True)
        expect(heap < BYTES_A_RELOAD_MAX, f"{heap:.1f} B of the heap stay of each reload")
        if SOAK:
            expect(resident < BYTES_A_RELOAD_MAX, f"RssAnon grows {resident:.1f} B a reload")

    def only_one_is_mapped(self):
        worker = worker_of(self.host)
        self.wait_until(lambda: self.mapped(worker), "old builds are unmapped")

    def heap_bytes(self):
        self.heap_figures.unlink(missing_ok=True)
        os.kill(worker_of(self.host), signal.SIGRTMIN + 4)
        return int(self.wait_until(lambda: self.heap_figures.exists() and
                                   self.heap_figures.read_text(), "the heap's figures"))

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{worker_of(self.host)}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) * 1024

    @staticmethod
    def mapped(worker):
        """The one copy of the plugin that is mapped; None: there are others still."""
        maps = pathlib.Path(f"/proc/{worker}/maps").read_text()
        files = {line.split()[-1] for line in maps.splitlines() if "plugins/" in line or
                 "meter" in line.rpartition("/")[2]}
        return files if len(files) == 1 else None

    def kill_at(self, step, count, leaves_new, new=None):
        """The worker process of this host dies at the step; the supervisor's next one goes on."""
        self.stop()
        self.start("--kill-at", f"{step}:{count}")
        worker = worker_of(self.host)
        old, new = self.builds[-1], new or self.another_build()
        self.builds.append(new)
        done = self.reload("--from", self.meter(new))
        self.wait_until(lambda: worker_of(self.host, other_than=worker),
                        f"the kill at {step}:{count} (the reload: {done.returncode})")
        if not leaves_new:
            self.builds.append(old)
        self.restarts += 1
        self.wait_for_control()
        status = json.loads(self.app.call("status", "app.yaml", "--format", "json"))
        version = status["plugins"][0]["version"]
        expect(version == f"{self.builds[-1]}.0",
               f"after the kill at {step}:{count} of {old} to {new} there runs {version}")
        self.answered()

    def kills(self):
        wanted = [(step, self.rng.randint(1, PARTITIONS) if step == "swap" else 1, leaves_new)
                  for step, leaves_new in KILL_STEPS.items() for _ in range(KILLS)]
        self.rng.shuffle(wanted)
        for step, count, leaves_new in wanted:
            self.kill_at(step, count, leaves_new)
        print(f"{len(wanted)} kills at steps of a reload", flush=True)

    def rollbacks(self):
        """By hand, and by itself from a build that rejects everything."""
        self.stop()
        self.start(probation="10m")
        for _ in range(3):
            before = self.builds[-1]
            self.reload_to(self.another_build())
            self.catch_up()
            self.roll_back_to(before)
        before = self.builds[-1]
        self.builds += [66, before]
        done = self.reload("--from", self.meter("rejects"))
        expect(done.returncode == 0, f"the build that rejects: {done.stdout}{done.stderr}")
        self.wait_until(lambda: "too_many_rejects" in self.app.call(
            "plugin", "history", "-c", "app.yaml"), "the build that rejects is rolled back")
        self.answered()

        self.roll_migration_back()

    def roll_back_to(self, before):
        self.builds.append(before)
        done = self.reload("--rollback")
        expect(done.returncode == 0, f"no rollback: {done.stdout}{done.stderr}")
        self.answered()

    def roll_migration_back(self):
        """States, positions and records go back to where they were when the build came."""
        before = self.builds[-1]
        self.reload_to(MILLI)
        self.catch_up()
        undone = len(self.builds) - 1
        self.roll_back_to(before)
        self.undone.append(undone)
        self.ceilings = [ceiling for ceiling in self.ceilings if ceiling[1] < undone]

    def migrations(self):
        """For good, and through kills on the way."""
        self.reload_to(MILLI)
        self.catch_up()
        for step, leaves_new in KILL_STEPS.items():
            if self.builds[-1] == MILLI:
                self.kill_at(step, 1, leaves_new, MILLI_TOO)

    # -- what came of it

    def catch_up(self):
        """Until all that was appended so far has been handled."""
        counts = [len(records) for records in self.inputs]
        wanted = sum(counts)
        def handled():
            status = json.loads(self.app.call("status", "app.yaml", "--format", "json"))
            return sum(task["position"] for task in status["tasks"]) >= wanted
        self.wait_until(handled, f"{wanted} records are handled")
        self.ceilings.append((counts, len(self.builds) - 1))

    def check(self):
        dead = {}
        for record in self.app.consume("meter.deadletters"):
            headers = record["headers"]
            where = int(headers["weir.partition"]), int(headers["weir.offset"])
            expect(where not in dead, f"two dead letters of {where}")
            dead[where] = headers["weir.reason"]
        states, features = {}, 0
        for partition in range(PARTITIONS):
            of_partition, count = self.check_partition(
                partition, {offset for where, offset in dead if where == partition})
            states |= of_partition
            features += count
        expect(not dead or 66 in self.builds, f"dead letters without their build: {dead}")
        if self.builds[-1] in NAMES:
            for state in states.values():
                state["sum"] *= 1000
        found = {key: {name: int(state.get(name, 0)) for name in ("count", "sum", "peak")}
                 for (_, key), state in self.app.states().items()}
        expect(found == states, f"States: expected {states}, found {found}")
        print(f"{features} features and {len(states)} States exact, {len(dead)} dead letters, "
              f"{len(self.builds)} generations, {self.restarts} restarts", flush=True)

    def check_partition(self, partition, dead):
        """What its records must have made, by the builds that its features name: (States, features)."""
        records = self.inputs[partition]
        counts = [counts[partition] for counts, _ in self.ceilings]
        newest = [newest for _, newest in self.ceilings] + [len(self.builds) - 1]
        states, generation, expected, features = {}, 0, 0, 0
        began = {}  # generation that was undone -> (its first offset here, the States before)
        for record in self.app.records("measured", partition):
            feature = record["value"]
            build, amount = int(feature["build"]), int(feature["amount"])
            offset = expected
            if offset == len(records) or records[offset][1] != amount:
                offset = bisect.bisect_left(records, amount, key=lambda record: record[1])
                expect(offset < len(records) and records[offset][1] == amount,
                       f"a feature of no record: {feature}")
            at = f"{partition}:{offset}"
            if offset < expected and began:
                undone = min(began)
                first, before = began.pop(undone)
                expect(offset == first and generation == undone,
                       f"{at} comes again after generation {generation}, {first} after {undone}")
                expected, states, generation = first, before, undone + 1
            while expected in dead:
                expected += 1
            expect(offset == expected, f"a feature of {at} where {expected} is the next")
            expected += 1
            # Of the generation that ran when it was appended or a later one, never back to an
            # earlier one, and none that was asked for after its feature had been seen.
            device, _, since = records[offset]
            generation = max(generation, since)
            last = newest[bisect.bisect_right(counts, offset)]
            while generation <= last and self.builds[generation] != build:
                generation += 1
            expect(generation <= last, f"{at} was handled by build {build}, which did not run then")
            expect(not began or generation <= min(began), f"{at}: what was undone did not come again")
            if generation in self.undone and generation not in began:
                began[generation] = offset, {key: dict(state) for key, state in states.items()}
            state = states.setdefault(device, {"count": 0, "sum": 0, "peak": 0})
            state["count"] += 1
            state["sum"] += amount * build
            if build % 2 == 0 or build == MILLI:
                state["peak"] = amount
            found = {name: int(feature[name]) for name in ("count", "sum")}
            expect(feature["device"] == device and found.items() <= state.items(),
                   f"{at}: expected {device} {state}, found {feature}")
            features += 1
        while expected in dead:
            expected += 1
        expect(expected == len(records), f"no feature for {partition}:{expected}")
        return states, features

    def run(self):
        self.while_records_flow(self.all_but_migrations)
        self.while_records_flow(self.migrations)

    def while_records_flow(self, work):
        self.feeder = Feeder(self)
        self.feeder.append()
        self.start()
        self.feeder.start()
        try:
            work()
        finally:
            self.feeder.stop()
        self.feeder.append()  # after the last answer: all of it by the last build
        self.catch_up()
        if self.builds[-1] in NAMES:  # what no record has touched
            self.app.call("plugin", "migrate", "-c", "app.yaml")
        self.stop()
        self.check()

    def all_but_migrations(self):
        self.reloads(RELOADS)
        self.kills()
        self.rollbacks()
        self.reload_to(8 if self.builds[-1] != 8 else 6)  # its State shows the peak


def main():
    if SOAK:
        sys.argv.remove("--soak")
    harness.arguments(sys.argv)
    directory = memory_directory((4 if SOAK else 1) << 30)
    app = App(YAML.replace("LOG", "{embedded: {}}"), directory)
    with contextlib.closing(UnderLoad(harness.PLUGINS, app)) as test:
        test.run()


if __name__ == "__main__":
    main()
