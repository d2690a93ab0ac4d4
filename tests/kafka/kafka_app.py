"""What the tests of the built program on a real Kafka share: the ledger app of tests/crash with its log
in Kafka, records that arrive at a pace, and what came out as other people's clients see it."""

import base64
import json
import pathlib
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "crash"))
sys.dont_write_bytecode = True
import harness  # noqa: E402 (after the lines above, on purpose)
import judges  # noqa: E402
from harness import App, Ledger, entry_of, partition_of  # noqa: E402
from ledger_checks import expect  # noqa: E402

FEEDER = None  # set by arguments()
OPERATOR = None  # set by scripts that are given it
PARTITIONS = 4
OUT_PARTITIONS = 3
ANSWER_SECONDS_MAX = 120

YAML = """
app: APP
log:
  kafka:
    brokers: [BOOTSTRAP]
    session_timeout: "${SESSION:-6s}"
workers: ${WORKERS:-1}
state:
  path: "${STATE:-state}"
  map_size: 1GiB
  commit: {interval: "${INTERVAL:-20ms}", bytes: "${BYTES:-64KiB}"}
  live: {count: "${LIVE:-100}"}
plugins: [PLUGINS/ledger.so]
sources:
  postings: {topic: APP.postings, format: json}
resolvers:
  post: {use: ledger/post, from: postings, to: {entries: entries, lines: lines}}
sinks:
  entries: {topic: APP.entries, format: json}
  lines: {file: "lines-{task}.jsonl"}
"""


def arguments(argv):
    """Takes the program, the directory of the plugins and the feeder off the command line."""
    global FEEDER
    FEEDER = pathlib.Path(argv[3]).resolve()
    harness.arguments(argv)
    del argv[1:2]


def create_topic(cluster, name, partitions):
    subprocess.run(cluster.tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server",
                                cluster.bootstrap(), "--create", "--topic", name, "--partitions",
                                partitions),
                   check=True, capture_output=True, timeout=ANSWER_SECONDS_MAX)


def operate(cluster, *words):
    """The program operator.cpp; the whole result."""
    return subprocess.run([OPERATOR, cluster.bootstrap(), *map(str, words)], check=False,
                          capture_output=True, text=True, timeout=ANSWER_SECONDS_MAX)


def create_quickly(cluster, name, partitions):
    """create_topic() without the second that Kafka's own tool takes to start."""
    done = operate(cluster, "create", name, partitions)
    expect(done.returncode == 0, f"topic {name} could not be made: {done.stderr}")


class KafkaApp(App):
    """The ledger app over a cluster. Its topics bear its name and are there from the start.
    `create` makes one."""

    def __init__(self, cluster, name="ledger", yaml=YAML, directory=None, create=create_topic):
        self.name = name
        self.cluster = cluster
        super().__init__(yaml.replace("APP", name).replace("BOOTSTRAP", cluster.bootstrap())
                         .replace("PLUGINS", str(harness.PLUGINS)), directory)
        for topic, partitions in (("postings", PARTITIONS), ("entries", OUT_PARTITIONS),
                                  ("deadletters", 1)):
            create(cluster, self.topic(topic), partitions)

    def topic(self, short):
        return f"{self.name}.{short}"

    def read(self, short, **options):
        return judges.kcat(self.cluster.bootstrap(), self.topic(short), **options)

    def feeder(self, transactional_id=None):
        return Feeder(self.cluster.bootstrap(), self.topic("postings"), transactional_id)


class Feeder:
    """The program feeder.cpp: a producer that has nothing of Weir in it."""

    def __init__(self, bootstrap, topic, transactional_id=None):
        words = [] if transactional_id is None else [transactional_id]
        self.process = subprocess.Popen([FEEDER, bootstrap, topic, *words], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def send(self, record):
        """`record`: as `weir produce` takes it."""
        key = record["key"].encode().hex() if "key" in record else "-"
        if "value_base64" in record:
            value = base64.b64decode(record["value_base64"]).hex()
        else:
            value = "-" if record["value"] is None else record["value"].encode().hex()
        self.process.stdin.write(f"r {record['partition']} {key} {value}\n")

    def order(self, name):
        """flush, begin, commit or abort; returns when it is done."""
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        expect(answer == name + "\n", f"the feeder failed at {name}")

    def kill(self):
        self.process.kill()
        self.close()

    def close(self):
        """Its exit code, when all has been sent."""
        self.process.stdin.close()
        code = self.process.wait()
        self.process.stdout.close()
        return code


class PacedFeeder:
    """Sends records from a thread of its own until it is stopped."""

    def __init__(self, feeder, source, chunk=8, pause_seconds=0.004):
        self.input = source
        self.chunk, self.pause_seconds = chunk, pause_seconds
        self.count = 0
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.failure = None
        self.feeder = feeder
        self.thread = threading.Thread(target=self.feed, daemon=True)
        self.thread.start()

    def feed(self):
        try:
            while not self.stopping.wait(self.pause_seconds):
                with self.lock:
                    for _ in range(self.chunk):
                        self.feeder.send(self.input.record(
                            self.input.rng.randrange(self.input.partitions)))
                    self.feeder.process.stdin.flush()
                    self.count += self.chunk
        except OSError as error:
            self.failure = error

    def paused(self):
        """Holds the input; what was sent is in the log then."""
        return Paused(self)

    def stop(self):
        self.stopping.set()
        self.thread.join()
        expect(self.failure is None, f"the feeder died: {self.failure}")
        self.feeder.order("flush")
        expect(self.feeder.close() == 0, "the feeder failed")


class Paused:
    def __init__(self, feeder):
        self.feeder = feeder

    def __enter__(self):
        self.feeder.lock.acquire()
        self.feeder.feeder.order("flush")
        return self.feeder.input.ledger.applied

    def __exit__(self, *_):
        self.feeder.lock.release()


class Output:
    """What has come out so far, as ledger_checks takes it: State by `weir state export`, the topics by
    kcat."""

    def __init__(self, app):
        self.app = app
        self.states, self.entries, self.lines, self.dead = {}, [], [], []
        self.checked, self.count = 0, {}

    def read_states(self):
        self.states = self.app.accounts()

    def read_topics(self):
        """From their beginnings, so a check starts over too."""
        self.checked, self.count = 0, {}
        self.entries, self.dead = [], []
        for record in self.app.read("entries"):
            entry = entry_of(json.loads(record["payload"]))
            expect(record["key"] == entry["account"], f"an entry has another key: {record}")
            expect(partition_of(record["key"].encode(), OUT_PARTITIONS) == record["partition"],
                   f"an entry is in another partition than its key's: {record}")
            self.entries.append(entry)
        for record in self.app.read("deadletters"):
            headers = header_map(record)
            expect(headers["weir.reason"] != "", f"a dead letter without reason: {record}")
            where = int(headers["weir.partition"]), int(headers["weir.offset"])
            self.dead.append((where, (headers["weir.error"], judges.as_bytes(record["payload"]))))

    def read_files(self):
        """Whole lines; a crash may leave a piece of one behind, which the next start takes back."""
        self.lines = []
        for path in sorted(self.app.directory.glob("lines-*.jsonl")):
            whole = path.read_text().split("\n")[:-1]
            self.lines += [entry_of(json.loads(line)) for line in whole]

    def read(self):
        self.read_states()
        self.read_topics()
        self.read_files()

    def committed(self):
        return sum(state["count"] for state in self.states.values())


def header_map(record):
    """kcat has them as a flat list of names and values."""
    flat = record.get("headers") or []
    return dict(zip(flat[::2], flat[1::2]))


def ledger_of(records, partitions=PARTITIONS, ledger=None):
    """The ledger once more, by nothing but what kcat reads in the input topic; `ledger`: what was there
    before."""
    ledger = ledger or Ledger()
    for record in sorted(records, key=lambda r: (r["partition"], r["offset"])):
        value = judges.as_bytes(record["payload"])
        if value is not None:
            ledger.add(record["partition"], record["offset"], value, partitions)
    return ledger


def check_input(source, records):
    """What the feeder sent is what lies in the log: the same records at the same offsets."""
    found = ledger_of(records, source.partitions)
    expect(found.entries == source.ledger.entries, "the input topic holds other records than were sent")
    expect(found.dead == source.ledger.dead, "the input topic holds other bad records than were sent")
