"""What the tests of the built program share: an app in a directory of its own, and what the program
must make of its input, computed here from the input alone."""

import base64
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PROGRAM = PLUGINS = None  # set by arguments()
RUN_SECONDS_MAX = 120
WAIT_SECONDS_MAX = 60  # only a failure takes them


def arguments(argv):
    """Takes the program and the directory of the plugins off the command line."""
    global PROGRAM, PLUGINS
    PROGRAM, PLUGINS = (pathlib.Path(argument).resolve() for argument in argv[1:3])
    del argv[1:3]


def seeded():
    """A generator that a failing run can be repeated with."""
    seed = int(os.environ.get("WEIR_SEED") or random.SystemRandom().getrandbits(32))
    print(f"WEIR_SEED={seed}", flush=True)
    return random.Random(seed)


def memory_directory(bytes_needed):
    """A memory file system with room, else None: the usual temporary directory."""
    try:
        has_room = shutil.disk_usage("/dev/shm").free > bytes_needed
        return "/dev/shm" if has_room and os.access("/dev/shm", os.W_OK) else None
    except OSError:
        return None


def murmur2(key):
    """The hash of Kafka's default partitioner, over bytes."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(key)
    whole = len(key) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(key[at:at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    if whole < len(key):
        h = (h ^ int.from_bytes(key[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def partition_of(key, partitions):
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def wait_until(condition, what, talk=None):
    """What `condition` answers once that is true of it. `talk`: what to show where it never is."""
    end = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"did not happen: {what}\n{talk() if talk else ''}")
        time.sleep(0.01)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=WAIT_SECONDS_MAX)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(connection, path):
    """(status, body); None: nobody listens, or it is just changing hands, from the supervisor to its
    worker."""
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError):
        return None
    finally:
        connection.close()


class App:
    """An app's YAML in a temporary directory, and the commands over it."""

    def __init__(self, yaml, directory=None):
        self.holder = tempfile.TemporaryDirectory(prefix="weir-", dir=directory)
        self.directory = pathlib.Path(self.holder.name)
        self.write(yaml)
        self.log = self.directory / "state" / "log"

    def write(self, yaml):
        (self.directory / "app.yaml").write_text(yaml)

    def close(self):
        self.holder.cleanup()

    def command(self, *words):
        return [str(PROGRAM), *map(str, words)]

    def call(self, *words, stdin=None, expect=0, env=None, text=True):
        """Runs one command to its end; its stdout, or the whole result where `expect` is None."""
        done = subprocess.run(self.command(*words), input=stdin, capture_output=True, text=text,
                              timeout=RUN_SECONDS_MAX, cwd=self.directory,
                              env={**os.environ, **(env or {})}, check=False)
        if expect is None:
            return done
        if done.returncode != expect:
            raise AssertionError(f"weir {' '.join(map(str, words))}: exit {done.returncode}, "
                                 f"expected {expect}\n{done.stderr}")
        return done.stdout

    def start(self, *words, env=None, **options):
        return subprocess.Popen(self.command(*words), cwd=self.directory,
                                env={**os.environ, **(env or {})}, **options)

    def get(self, path):
        """What its admin side answers: see ask()."""
        return ask(UnixConnection(self.directory / "state" / "admin.sock"), path)

    def run_until_end(self, *options, env=None, expect=0):
        """The whole result; `expect` None: any exit code will do."""
        done = self.call("run", "-c", "app.yaml", "--until-end", *options, env=env, expect=None)
        if expect is not None and done.returncode != expect:
            raise AssertionError(f"weir run {options}: exit {done.returncode}, expected {expect}\n"
                                 f"{done.stderr}")
        return done

    def produce(self, topic, records):
        """`records`: objects as `weir produce` takes them."""
        self.call("produce", topic, "-c", "app.yaml",
                  stdin="".join(json.dumps(record) + "\n" for record in records))

    def dead_letters(self, topic):
        """(input topic, partition, offset) -> (error, reason, key, value)."""
        found = {}
        for record in self.consume(topic):
            headers = record["headers"]
            where = (headers["weir.topic"], int(headers["weir.partition"]),
                     int(headers["weir.offset"]))
            if where in found:
                raise AssertionError(f"two dead letters of {where}")
            found[where] = (headers["weir.error"], headers["weir.reason"],
                            bytes_of(record, "key"), bytes_of(record, "value"))
        return found

    def consume(self, topic, partition=None, start=None):
        """The records of a topic, read without the app's schemas: bytes as they are."""
        return list(self.records(topic, partition, start))

    def records(self, topic, partition=None, start=None):
        """The same, one at a time: for more than fit into memory."""
        options = [] if partition is None else ["--partition", partition]
        options += [] if start is None else ["--from", start]
        with self.start("consume", topic, "--log", self.log, *options, stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE) as process:
            for line in process.stdout:
                line = line.decode().rstrip("\n")
                yield {**json.loads(line), "line": line}
            said = process.stderr.read().decode()
        if process.returncode != 0:
            raise AssertionError(f"weir consume {topic}: exit {process.returncode}\n{said}")

    def accounts(self):
        """account -> what its State says, without padding."""
        return {account: entry_of({name: value for name, value in state.items() if name != "padding"})
                for (_, account), state in self.states().items()}

    def counts(self):
        """account -> how many entries it has."""
        return {account: state["count"] for account, state in self.accounts().items()}

    def states(self):
        """(resolver, key) -> State as JSON."""
        lines = self.call("state", "export", "-c", "app.yaml").splitlines()
        return {(row["resolver"], row["key"]): row["state"] for row in map(json.loads, lines)}

    def parked(self, *options):
        """key -> what `weir parked list` says of it."""
        lines = self.call("parked", "list", "-c", "app.yaml", "--format", "json", *options)
        return {row["key"]: row for row in map(json.loads, lines.splitlines())}

    def timers(self):
        """(resolver, key) -> what its timer is set to."""
        lines = self.call("state", "export", "-c", "app.yaml").splitlines()
        return {(row["resolver"], row["key"]): row["timer_ms"] for row in map(json.loads, lines)
                if "timer_ms" in row}


def bytes_of(record, name):
    """A key or value as `weir consume` prints it, back as bytes; None: it has none."""
    if f"{name}_base64" in record:
        return base64.b64decode(record[f"{name}_base64"])
    value = record.get(name)
    if isinstance(value, str) or value is None:
        return value if value is None else value.encode()
    # A JSON container stands in the line as it is. Its text, unlike a string's, may hold the words
    # that are looked for, but between them.
    line = record["line"]
    start = line.index(f'"{name}":') + len(name) + 3
    end = line.rindex(',"headers":{') if "headers" in record else len(line) - 1
    return line[start:end].encode()


def posting(number, account, amount, action="", pad=0):
    """The value of one record for the ledger."""
    fields = {"id": number, "account": account, "amount": amount}
    if action:
        fields["action"] = action
    if pad:
        fields["pad"] = pad
    return json.dumps(fields, separators=(",", ":"))


def worker_of(host, other_than=None):
    """The pid of the worker process of a supervised host; None: it has none, or only that other one."""
    try:
        children = pathlib.Path(f"/proc/{host.pid}/task/{host.pid}/children").read_text().split()
    except OSError:
        return None
    return next((int(child) for child in children if int(child) != other_than), None)


def is_alive(pid):
    """A process that only waits to be asked how it ended is not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def was_killed(code):
    return code == -signal.SIGKILL


# ------------------------------------------------------------------------------------------------
# The ledger (ledger/ledger.cpp), written again from its description

def chained(chain, text):
    for byte in text.encode():
        chain = (chain ^ byte) * 0x100000001B3 % 2**64
    return (chain * 0x9E3779B97F4A7C15 + 1) % 2**64


class Ledger:
    """Every account's entries, and the dead letters, of the records given so far."""

    def __init__(self):
        self.entries = {}  # account -> its entries in order
        self.dead = {}  # (partition, offset) -> (error, value)
        self.applied = 0
        self.clock = {}  # partition -> ms, with `arrival: record`
        self.timers = {}  # account -> (partition, ms)

    def arrive(self, partition, timestamp_ms):
        """A record moves its partition's clock, and fires what is due, before it is looked at."""
        now = self.clock[partition] = max(self.clock.get(partition, 0), timestamp_ms)
        due = sorted((at, account) for account, (where, at) in self.timers.items()
                     if where == partition and at <= now)
        for at, account in due:
            del self.timers[account]
            self.enter(account, f"t{at}", 0)

    def enter(self, account, number, amount):
        entries = self.entries.setdefault(account, [])
        last = entries[-1] if entries else {"count": 0, "sum": 0, "chain": 0}
        entries.append({"id": number, "account": account, "count": last["count"] + 1,
                        "sum": last["sum"] + amount, "chain": chained(last["chain"], number)})
        self.applied += 1

    def add(self, partition, offset, value, partitions):
        """`value`: the bytes of one record."""
        try:
            posting = json.loads(value)
            if not isinstance(posting, dict):
                raise ValueError("not an object")
        except ValueError:
            self.dead[partition, offset] = ("undecodable", value)
            return
        account, action = posting.get("account", ""), posting.get("action", "")
        if account == "":
            self.dead[partition, offset] = ("key", value)
        elif partition_of(account.encode(), partitions) != partition:
            self.dead[partition, offset] = ("misplaced", value)
        elif action in ("reject", "throw"):
            self.dead[partition, offset] = ("rejected", value)
        elif action != "skip":
            self.enter(account, posting["id"], posting["amount"])
            if "timer_ms" in posting:
                self.timers[account] = (partition, self.clock[partition] + posting["timer_ms"])

    def states(self):
        """account -> what its State must say, as App.accounts()."""
        return {account: {**entries[-1], "id": "", "account": ""}
                for account, entries in self.entries.items()}


def entry_of(printed):
    """A feature or State as proto3 JSON, with its 64-bit numbers as numbers and zeros filled in."""
    out = {"id": "", "account": "", "count": 0, "sum": 0, "chain": 0}
    for name, value in printed.items():
        out[name] = value if name in ("id", "account") else int(value)
    return out
