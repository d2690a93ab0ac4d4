#!/usr/bin/env python3
"""How long the stream stands still when the worker process crashes: from the signal that ends it to the
next feature, which is out after a commit. Records keep coming meanwhile.

    bench_crash PROGRAM METERS [--crashes N] [--keys N]
"""

import json
import os
import pathlib
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "crash"))
import harness  # noqa: E402 (after the lines above, on purpose)
from harness import App, is_alive, wait_until, worker_of  # noqa: E402

PARTITIONS = 3
YAML = """
app: meter
log: {embedded: {}}
state: {map_size: 1GiB, commit: {interval: 10ms}}
plugins: [METERS/meter_1.so]
sources:
  readings: {topic: readings, format: json, partitions: 3}
resolvers:
  measure: {use: meter/measure, from: readings, to: {"*": measured}}
sinks:
  measured: {file: "measured-{task}.jsonl"}
"""


def option(name, default):
    return int(sys.argv[sys.argv.index(name) + 1]) if name in sys.argv else default


def reading(key):
    device = f"device-{key}"
    return {"partition": harness.partition_of(device.encode(), PARTITIONS), "key": device,
            "value": json.dumps({"device": device, "amount": 1})}


def features(app):
    """Bytes of features that are out."""
    return sum(file.stat().st_size for file in app.directory.glob("measured-*.jsonl"))


def spin_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("the stream did not go on")
        time.sleep(0.0005)


def feed(app, keys, stopping):
    key = 0
    while not stopping.is_set():
        app.produce("readings", [reading((key + i) % keys) for i in range(20)])
        key += 20


def main():
    crashes, keys = option("--crashes", 30), option("--keys", 100_000)
    harness.arguments(sys.argv)
    app = App(YAML.replace("METERS", str(harness.PLUGINS)))
    app.produce("readings", map(reading, range(keys)))
    app.run_until_end()
    stopping = threading.Event()
    feeders = [threading.Thread(target=feed, args=(app, keys, stopping)) for _ in range(2)]
    with open(app.directory / "talk", "w") as talk:
        host = app.start("run", "-c", "app.yaml", "--no-progress", stderr=talk)
    milliseconds = []
    try:
        for feeder in feeders:
            feeder.start()
        for _ in range(crashes):
            before = features(app)
            spin_until(lambda: features(app) > before + 1_000)
            worker = wait_until(lambda: worker_of(host), "a worker process")
            began = time.monotonic()
            os.kill(worker, signal.SIGSEGV)
            spin_until(lambda: not is_alive(worker))
            before = features(app)
            spin_until(lambda: features(app) > before)
            milliseconds.append(1_000 * (time.monotonic() - began))
    finally:
        stopping.set()
        for feeder in feeders:
            feeder.join()
        host.terminate()
        host.wait()
    milliseconds.sort()
    print(f"crash to next feature, {keys:,} keys stored, {crashes} crashes: "
          f"{milliseconds[crashes // 2]:.0f} ms in the middle, {milliseconds[-1]:.0f} ms at most")
    app.close()


if __name__ == "__main__":
    main()
