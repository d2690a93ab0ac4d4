"""What other people's clients see in a topic: kcat, and Kafka's own console consumer."""

import collections
import json
import subprocess
import threading

READ_SECONDS_MAX = 300
# The console consumer knows no end; it stops when nothing has come for so long, also at its start.
# When too little came it is asked again with more patience.
QUIET_MS = (5_000, 20_000, 60_000)


def kcat(bootstrap, topic, partition=None, start=0, isolation="read_committed"):
    """The records of a topic as kcat's JSON has them, up to the end of each partition: topic, partition,
    offset, ts, key, payload, headers. as_bytes() gives keys and payloads back that are no text."""
    where = ["-p", str(partition)] if partition is not None else []
    done = subprocess.run(
        ["kcat", "-C", "-J", "-q", "-e", "-u", "-b", bootstrap, "-t", topic, *where, "-o", str(start),
         "-X", f"isolation.level={isolation}", "-X", "fetch.wait.max.ms=20",
         "-X", "check.crcs=true"],
        stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=READ_SECONDS_MAX)
    if done.returncode != 0:
        raise RuntimeError(f"kcat could not read {topic}: {done.stderr.decode(errors='replace')}")
    text = done.stdout.decode(errors="surrogateescape")
    return [json.loads(line) for line in text.split("\n")[:-1]]


class following:
    """How many committed records kcat has seen so far in each partition; a context manager."""

    def __init__(self, bootstrap, topic):
        self.counts = collections.Counter()
        self.process = subprocess.Popen(
            ["kcat", "-C", "-q", "-u", "-b", bootstrap, "-t", topic, "-o", "beginning", "-f", "%p\\n",
             "-X", "isolation.level=read_committed", "-X", "fetch.wait.max.ms=20"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()

    def follow(self):
        for line in self.process.stdout:
            self.counts[int(line)] += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()


def as_bytes(text):
    """A key or payload as it lies in the log."""
    return None if text is None else text.encode(errors="surrogateescape")


def console_consumer(cluster, topic, count):
    """[(partition, key, value)] by Kafka's own tool, read_committed; more than `count` are seen too,
    as it reads until nothing comes any more."""
    for quiet_ms in QUIET_MS:
        found, said = read_until_quiet(cluster, topic, quiet_ms)
        if len(found) >= count:
            return found
    raise RuntimeError(f"the console consumer read {len(found)} of {count} records of {topic}; it "
                       f"said:\n{said}")


def read_until_quiet(cluster, topic, quiet_ms):
    property_option = "--formatter-property" if cluster.version.startswith("4.") else "--property"
    words = ["--bootstrap-server", cluster.bootstrap(), "--topic", topic, "--from-beginning",
             "--isolation-level", "read_committed", "--timeout-ms", quiet_ms]
    for name in ("partition", "key"):
        words += [property_option, f"print.{name}=true"]
    done = subprocess.run(cluster.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", *words),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          timeout=READ_SECONDS_MAX)
    found = []
    for line in done.stdout.splitlines():
        partition, key, value = line.split("\t", 2)
        found.append((int(partition.removeprefix("Partition:")), key, value))
    return found, done.stderr
