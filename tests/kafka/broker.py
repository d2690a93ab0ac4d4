#!/usr/bin/env python3
"""A real Apache Kafka for developers and tests: one broker or three, in KRaft mode, on free ports of
the loopback interface.

    broker.py start [--version 4.3.0] [--brokers 1|3] [--directory DIRECTORY] [--fresh]
                    [--property NAME=VALUE]... [--ends-with-caller]
    broker.py stop [--directory DIRECTORY]
    broker.py status

`start` prints the bootstrap servers on stdout once they answer; what it has done it says on stderr.
Instances in different directories live side by side. The records of a stopped instance stay in its
directory, and the next start goes on with them.

Test scripts import the class Cluster.
"""

import argparse
import base64
import contextlib
import fcntl
import json
import os
import pathlib
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import jars  # noqa: E402 (after the line above, on purpose)
from jars import Missing  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
DIRECTORY = HERE.parent.parent / "build" / "kafka"
VERSION = "4.3.0"
READY_SECONDS_MAX = 120
STOP_SECONDS_MAX = 10
PORT_TRIES = 5
# How a broker is found again: in the table of processes, not in a file that may lie.
MARK = "-Dweir.kafka.directory="

LOGGING = {
    "3": ("-Dlog4j.configuration=file:", "log4j.properties",
          "log4j.rootLogger=WARN, A\n"
          "log4j.appender.A=org.apache.log4j.ConsoleAppender\n"
          "log4j.appender.A.Target=System.err\n"
          "log4j.appender.A.layout=org.apache.log4j.PatternLayout\n"
          "log4j.appender.A.layout.ConversionPattern=%d %p %c: %m%n\n"),
    "4": ("-Dlog4j2.configurationFile=", "log4j2.properties",
          "rootLogger.level=WARN\n"
          "rootLogger.appenderRef.A.ref=A\n"
          "appender.A.type=Console\n"
          "appender.A.name=A\n"
          "appender.A.target=SYSTEM_ERR\n"
          "appender.A.layout.type=PatternLayout\n"
          "appender.A.layout.pattern=%d %p %c: %m%n\n"),
}

# Whatever a test says about records must come from the test: nothing expires, any timestamp is
# taken, topics are made on purpose only. The rest makes starts, rebalances and failovers quick.
PROPERTIES = {
    "auto.create.topics.enable": "false",
    "log.retention.ms": "-1",
    "log.retention.bytes": "-1",
    "log.message.timestamp.before.max.ms": "9223372036854775807",
    "log.message.timestamp.after.max.ms": "9223372036854775807",
    "log.segment.bytes": "16777216",
    "log.index.size.max.bytes": "1048576",
    "log.segment.delete.delay.ms": "1000",
    "log.retention.check.interval.ms": "1000",
    "log.cleaner.backoff.ms": "1000",
    "log.cleaner.dedupe.buffer.size": "4194304",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "num.recovery.threads.per.data.dir": "1",
}


class Failed(Exception):
    """A broker did not do what it should; the text says what it said."""


# ------------------------------------------------------------------------------------------------
# Processes

class Process:
    """A running broker, held so that its number cannot come to mean another process."""

    def __init__(self, pid):
        self.pid = pid
        self.handle = os.pidfd_open(pid)

    def close(self):
        os.close(self.handle)

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, number)

    def ended(self, seconds=0.0):
        """Whether it ends within the time."""
        poll = select.poll()
        poll.register(self.handle, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def words(self):
        """Its command line; nothing once it has ended."""
        try:
            return pathlib.Path(f"/proc/{self.pid}/cmdline").read_bytes().decode().split("\0")
        except OSError:
            return []

    def suspended(self):
        try:
            stat = pathlib.Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8")
        except OSError:
            return False
        return stat.rpartition(")")[2].split()[0] == "T"


def running(directory=None):
    """{(directory, broker): Process} of the brokers that run, in this directory or anywhere."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            process = Process(int(name))
        except OSError:  # has ended, or belongs to someone else
            continue
        where = [word[len(MARK):] for word in process.words() if word.startswith(MARK)]
        if len(where) == 1 and directory in (None, pathlib.Path(where[0]).parent):
            path = pathlib.Path(where[0])
            found[path.parent, int(path.name)] = process
        else:
            process.close()
    return found


def end(processes):
    """Asks, then insists; returns when all of them have ended."""
    for process in processes:
        process.signal(signal.SIGTERM)
        process.signal(signal.SIGCONT)
    until = time.monotonic() + STOP_SECONDS_MAX
    for process in processes:
        if not process.ended(max(0.0, until - time.monotonic())):
            process.signal(signal.SIGKILL)
    for process in processes:
        if not process.ended(STOP_SECONDS_MAX):
            raise Failed(f"the broker with the process id {process.pid} survives SIGKILL")


# ------------------------------------------------------------------------------------------------
# Ports

def free_ports(count):
    """Below the range from which the system takes the ports of outgoing connections, so that a
    broker that is killed and started again finds its own still free."""
    ephemeral = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="utf-8")
    last = max(12000, int(ephemeral.split()[0]))
    found = []
    while len(found) < count:
        port = random.randrange(10000, last)
        if port in found:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            found.append(port)
    return found


# ------------------------------------------------------------------------------------------------
# The cluster

class Cluster:
    """One or three brokers in one directory. Brokers count from 1.

    `listeners`: {name: protocol} beside PLAINTEXT, such as {"TLS": "SSL"}; what they need goes into
    `properties`. `scram`: {user: password} for SCRAM-SHA-512, there from the first start.
    `ends_with_caller`: the brokers die with this Python process, however that ends.
    """

    def __init__(self, directory, version=VERSION, brokers=1, *, listeners=None, properties=None,
                 scram=None, heap="512m", ends_with_caller=True):
        self.directory = pathlib.Path(directory).resolve()
        self.version = version
        self.brokers = brokers
        self.listeners = {"PLAINTEXT": "PLAINTEXT", **(listeners or {})}
        self.properties = dict(properties or {})
        self.scram = dict(scram or {})
        self.heap = heap
        self.ends_with_caller = ends_with_caller
        self.ports = {}  # listener -> one port a broker
        self.cluster_id = ""
        self.children = {}  # broker -> Popen, of those started here

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    # -- where it is

    def bootstrap(self, listener="PLAINTEXT"):
        return ",".join(f"127.0.0.1:{port}" for port in self.ports[listener])

    def data(self, broker=1):
        """Where a broker keeps its records."""
        return self.directory / str(broker) / "data"

    def output(self, broker=1):
        """What a broker has said."""
        return self.directory / str(broker) / "output"

    def tool(self, main_class, *words):
        """The command of one of Kafka's own tools, such as org.apache.kafka.tools.TopicCommand."""
        return [*self.java("64m", "256m"), main_class, *map(str, words)]

    # -- life

    def start(self, fresh=False):
        """Starts what does not run yet and waits until all brokers answer."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.locked():
            if fresh:
                self.end_all()
                self.clear()
            known = self.read()
            for attempt in range(1, PORT_TRIES + 1):
                if not known:
                    self.prepare()
                try:
                    self.start_missing()
                    self.wait_until_ready()
                    break
                except Failed as failure:
                    self.end_all()
                    taken = "Address already in use" in str(failure)
                    if known or not taken or attempt == PORT_TRIES:
                        raise
                    self.clear()
            (self.directory / "bootstrap").write_text(self.bootstrap() + "\n", encoding="utf-8")
        return self

    def stop(self):
        """Ends all brokers of the directory; returns how many ran."""
        if not self.directory.is_dir():
            return 0
        with self.locked():
            return self.end_all()

    def kill(self, broker=1):
        """SIGKILL; returns when it has ended."""
        with self.process(broker) as process:
            process.signal(signal.SIGKILL)
            if not process.ended(STOP_SECONDS_MAX):
                raise Failed(f"broker {broker} in {self.directory} survives SIGKILL")
        self.reap()

    def terminate(self, broker=1):
        """An orderly end of one broker."""
        with self.process(broker) as process:
            end([process])
        self.reap()

    def restart(self, broker=1):
        """Starts a broker that has ended, on the same ports, and waits until it takes part again."""
        self.launch(broker)
        self.wait_until_ready()

    def suspend(self, broker=1):
        with self.process(broker) as process:
            process.signal(signal.SIGSTOP)

    def resume(self, broker=1):
        with self.process(broker) as process:
            process.signal(signal.SIGCONT)

    # -- what the above are made of

    @contextlib.contextmanager
    def locked(self):
        with open(self.directory / ".lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def process(self, broker):
        found = running(self.directory)
        try:
            if (self.directory, broker) not in found:
                raise Failed(f"no broker {broker} runs in {self.directory}")
            yield found[self.directory, broker]
        finally:
            for process in found.values():
                process.close()

    def end_all(self):
        with contextlib.suppress(FileNotFoundError):
            (self.directory / "bootstrap").unlink()
        found = running(self.directory)
        try:
            end(found.values())
        finally:
            for process in found.values():
                process.close()
            self.reap()
        return len(found)

    def reap(self):
        for child in self.children.values():
            child.poll()

    def clear(self):
        for path in self.directory.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != ".lock":
                path.unlink()

    def read(self):
        """Takes over what an earlier start wrote down; False: there was none."""
        try:
            text = (self.directory / "cluster.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            return False
        known = json.loads(text)
        for name, wanted in (("version", self.version), ("brokers", self.brokers),
                             ("listeners", self.listeners)):
            if known[name] != wanted:
                raise Failed(f"{self.directory} holds a Kafka with {name} {known[name]}, not {wanted}; "
                             "take another directory, or give --fresh to start over without its "
                             "records")
        self.ports = known["ports"]
        self.cluster_id = known["cluster_id"]
        return True

    def prepare(self):
        """Ports, properties and formatted directories; cluster.json last, as the sign that all of it
        is there."""
        names = [*self.listeners, "CONTROLLER"]
        ports = free_ports(len(names) * self.brokers)
        self.ports = {name: ports[at * self.brokers:(at + 1) * self.brokers]
                      for at, name in enumerate(names)}
        # As Kafka writes them; a leading '-' would be taken for an option.
        self.cluster_id = "W" + base64.urlsafe_b64encode(os.urandom(16)).decode()[1:22]
        _, name, text = LOGGING[self.version[0]]
        (self.directory / name).write_text(text, encoding="utf-8")
        for broker in range(1, self.brokers + 1):
            self.format(broker)
        known = {"version": self.version, "brokers": self.brokers, "listeners": self.listeners,
                 "ports": self.ports, "cluster_id": self.cluster_id}
        temporary = self.directory / "cluster.json.new"
        temporary.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        temporary.rename(self.directory / "cluster.json")

    def format(self, broker):
        path = self.directory / str(broker) / "server.properties"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{name}={value}\n" for name, value in self.server_properties(broker).items()]
        path.write_text("".join(lines), encoding="utf-8")
        users = [word for user, password in self.scram.items() for word in
                 ("--add-scram", f"SCRAM-SHA-512=[name={user},password={password}]")]
        self.call_tool("format", "--cluster-id", self.cluster_id, "--config", str(path), *users)

    def server_properties(self, broker):
        at = broker - 1
        voters = ",".join(f"{number}@127.0.0.1:{port}"
                          for number, port in enumerate(self.ports["CONTROLLER"], 1))
        protocols = {**self.listeners, "CONTROLLER": "PLAINTEXT"}
        copies = str(self.brokers)
        agreeing = "2" if self.brokers == 3 else "1"
        return {
            "process.roles": "broker,controller",
            "node.id": str(broker),
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join(f"{name}://127.0.0.1:{ports[at]}"
                                  for name, ports in self.ports.items()),
            "advertised.listeners": ",".join(f"{name}://127.0.0.1:{self.ports[name][at]}"
                                             for name in self.listeners),
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": ",".join(
                f"{name}:{protocol}" for name, protocol in protocols.items()),
            "log.dirs": str(self.data(broker)),
            "default.replication.factor": copies,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": agreeing,
            "min.insync.replicas": agreeing,
            **PROPERTIES,
            **self.properties,
        }

    def java(self, heap_first, heap_most):
        option, name, _ = LOGGING[self.version[0]]
        return [jars.java(), f"-Xms{heap_first}", f"-Xmx{heap_most}", "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1", "-Xshare:auto", f"{option}{self.directory / name}",
                "-cp", f"{jars.jars(self.version)}/*"]

    def call_tool(self, *words):
        """Kafka's storage tool."""
        done = subprocess.run([*self.java("32m", "256m"), "kafka.tools.StorageTool", *words],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                              timeout=READY_SECONDS_MAX)
        if done.returncode != 0:
            raise Failed(f"Kafka's storage tool failed at '{words[0]}':\n"
                         f"{done.stdout.strip()}\n{done.stderr.strip()}")
        return done.stdout

    def start_missing(self):
        found = running(self.directory)
        for process in found.values():
            process.close()
        for broker in range(1, self.brokers + 1):
            if (self.directory, broker) not in found:
                self.launch(broker)

    def launch(self, broker):
        command = self.java("128m", self.heap)
        at = command.index("-cp")
        home = self.directory / str(broker)
        command[at:at] = [f"{MARK}{home}", f"-Dkafka.logs.dir={home}"]
        if self.ends_with_caller:
            command[:0] = ["setpriv", "--pdeathsig", "KILL"]
        with open(self.output(broker), "a", encoding="utf-8") as output:
            self.children[broker] = subprocess.Popen(
                [*command, "kafka.Kafka", str(home / "server.properties")], cwd=home,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                start_new_session=True)

    def wait_until_ready(self):
        until = time.monotonic() + READY_SECONDS_MAX
        while not self.answers():
            for broker, child in self.children.items():
                if child.poll() not in (None, -signal.SIGKILL):
                    raise Failed(f"broker {broker} of Apache Kafka {self.version} ended at its start "
                                 f"({child.returncode}); {self.output(broker)} ends with:\n"
                                 f"{last_lines(self.output(broker))}")
            if time.monotonic() > until:
                raise Failed(f"Apache Kafka {self.version} in {self.directory} does not answer after "
                             f"{READY_SECONDS_MAX} s; {self.output()} ends with:\n"
                             f"{last_lines(self.output())}")

    def answers(self):
        """Whether every broker is in the metadata; blocks for up to a second."""
        kcat = shutil.which("kcat")
        if not kcat:
            raise Missing("there is no kcat on PATH; on Debian 12: apt-get install kcat")
        done = subprocess.run([kcat, "-L", "-J", "-m", "1", "-b", self.bootstrap(),
                               "-X", "reconnect.backoff.max.ms=100"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return done.returncode == 0 and len(json.loads(done.stdout)["brokers"]) == self.brokers


def last_lines(path, count=30):
    try:
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])
    except OSError as error:
        return str(error)


# ------------------------------------------------------------------------------------------------
# The command line

def start(arguments):
    if os.environ.get("WEIR_KAFKA") and arguments.ends_with_caller:
        print(f"WEIR_KAFKA names a Kafka, so none is started: {os.environ['WEIR_KAFKA']}")
        return
    properties = dict(text.split("=", 1) for text in arguments.property)
    cluster = Cluster(arguments.directory, arguments.version, arguments.brokers,
                      properties=properties, ends_with_caller=False)
    began = time.monotonic()
    cluster.start(fresh=arguments.fresh)
    if arguments.ends_with_caller:
        watch(cluster)
    print(f"Apache Kafka {cluster.version} runs in {cluster.directory} "
          f"({time.monotonic() - began:.1f} s)", file=sys.stderr)
    print(cluster.bootstrap())


def watch(cluster):
    """Leaves a process behind that ends the brokers when the caller of this program has ended."""
    caller = Process(os.getppid())
    if os.fork() != 0:
        return
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    while not caller.ended(3600):
        pass
    with cluster.locked():
        known = json.loads((cluster.directory / "cluster.json").read_text(encoding="utf-8"))
        if known["cluster_id"] == cluster.cluster_id:  # else the directory is someone else's by now
            cluster.end_all()
    os._exit(0)


def stop(arguments):
    directory = pathlib.Path(arguments.directory).resolve()
    count = Cluster(directory).stop()
    print(f"{count} brokers ended in {directory}" if count else f"no broker runs in {directory}",
          file=sys.stderr)


def status(_):
    found = running()
    for (directory, broker), process in sorted(found.items()):
        try:
            known = json.loads((directory / "cluster.json").read_text(encoding="utf-8"))
            where = f"{known['version']} 127.0.0.1:{known['ports']['PLAINTEXT'][broker - 1]}"
        except (OSError, ValueError, KeyError):
            where = "(being started)"
        state = "suspended" if process.suspended() else "running"
        print(f"{directory} broker {broker}: {where} {state} (process {process.pid})")
    if not found:
        print("no broker runs")


def version_text(text):
    if not re.fullmatch(r"[34]\.\d+\.\d+", text):
        raise argparse.ArgumentTypeError(f"expected a version of Kafka such as {VERSION} or 3.9.1, "
                                         f"found '{text}'")
    return text


def property_text(text):
    if "=" not in text:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, found '{text}'")
    return text


def main():
    parser = argparse.ArgumentParser(prog="broker.py", description=__doc__.split("\n\n", 1)[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    directory = argparse.ArgumentParser(add_help=False)
    directory.add_argument("--directory", default=DIRECTORY,
                           help="where its records and settings are (default: %(default)s)")

    command = commands.add_parser("start", parents=[directory],
                                  help="start it; prints the bootstrap servers")
    command.add_argument("--version", default=VERSION, type=version_text,
                         help="default: %(default)s; 3.9.1 is tested as well")
    command.add_argument("--brokers", type=int, choices=(1, 3), default=1, help="default: %(default)s")
    command.add_argument("--fresh", action="store_true",
                         help="end what runs in the directory and delete its records first")
    command.add_argument("--property", action="append", default=[], type=property_text,
                         metavar="NAME=VALUE", help="one of the broker's properties, at its first start")
    command.add_argument("--ends-with-caller", action="store_true",
                         help="end it when the program that called this has ended")
    command.set_defaults(run=start)

    command = commands.add_parser("stop", parents=[directory], help="end it; its records stay")
    command.set_defaults(run=stop)

    command = commands.add_parser("status", help="list all brokers that this program has started")
    command.set_defaults(run=status)

    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except (Failed, Missing) as failure:
        print(f"kafka: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
