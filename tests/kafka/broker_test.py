#!/usr/bin/env python3
"""broker.py: brokers start, answer, die and come back, and none is left over.

    broker_test.py
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import broker  # noqa: E402 (after the line above, on purpose)
import jars  # noqa: E402

SCRIPT = pathlib.Path(broker.__file__)
YEAR_2023_MS = 1_690_000_000_000


def call(*words, env=None):
    return subprocess.run([sys.executable, SCRIPT, *map(str, words)], capture_output=True, text=True,
                          check=False, timeout=300, env={**os.environ, **(env or {})})


class WithDirectory(unittest.TestCase):
    def setUp(self):
        self.holder = tempfile.TemporaryDirectory(prefix="weir kafka ")
        self.addCleanup(self.holder.cleanup)
        self.directory = pathlib.Path(self.holder.name) / "kafka"

    def create_topic(self, cluster, name, partitions=1):
        subprocess.run(cluster.tool("org.apache.kafka.tools.TopicCommand", "--bootstrap-server",
                                    cluster.bootstrap(), "--create", "--topic", name,
                                    "--partitions", partitions),
                       check=True, capture_output=True, timeout=60)

    def produce(self, cluster, topic, text):
        subprocess.run(["kcat", "-P", "-b", cluster.bootstrap(), "-t", topic, "-X", "acks=all"],
                       input=text, text=True, check=True, capture_output=True, timeout=60)

    def consume(self, cluster, topic):
        done = subprocess.run(["kcat", "-C", "-e", "-q", "-b", cluster.bootstrap(), "-t", topic],
                              text=True, check=True, capture_output=True, timeout=60)
        return done.stdout.splitlines()


class OneBroker(WithDirectory):
    def test_the_command_starts_names_keeps_and_ends_it(self):
        self.addCleanup(call, "stop", "--directory", self.directory)
        started = call("start", "--directory", self.directory)
        self.assertEqual(started.returncode, 0, started.stderr)
        bootstrap = started.stdout.strip()
        self.assertRegex(bootstrap, r"^127\.0\.0\.1:\d+$")
        self.assertEqual((self.directory / "bootstrap").read_text(), started.stdout)

        again = call("start", "--directory", self.directory)
        self.assertEqual((again.returncode, again.stdout), (0, started.stdout))
        other = call("start", "--directory", self.directory, "--brokers", 3)
        self.assertEqual((other.returncode, other.stdout), (1, ""))
        self.assertIn("with brokers 1, not 3; take another directory", other.stderr)
        self.assertIn(f"{self.directory} broker 1: 4.3.0 {bootstrap} running", call("status").stdout)

        cluster = broker.Cluster(self.directory)
        cluster.read()
        self.create_topic(cluster, "kept")
        self.produce(cluster, "kept", "a\nb\n")
        self.assertIn("1 brokers ended", call("stop", "--directory", self.directory).stderr)
        self.assertEqual(broker.running(self.directory), {})
        self.assertFalse((self.directory / "bootstrap").exists())
        self.assertIn("no broker runs", call("stop", "--directory", self.directory).stderr)

        self.assertEqual(call("start", "--directory", self.directory).stdout.strip(), bootstrap)
        self.assertEqual(self.consume(cluster, "kept"), ["a", "b"])

    def test_it_dies_comes_back_and_stands_still(self):
        with broker.Cluster(self.directory) as cluster:
            self.create_topic(cluster, "t")
            self.produce(cluster, "t", "a\n")
            cluster.kill()
            self.assertEqual(broker.running(self.directory), {})
            self.assertFalse(cluster.answers())
            cluster.restart()
            self.assertEqual(self.consume(cluster, "t"), ["a"])
            cluster.suspend()
            self.assertIn("suspended", call("status").stdout)
            self.assertFalse(cluster.answers())
            cluster.resume()
            cluster.wait_until_ready()
        self.assertEqual(broker.running(self.directory), {})

    def test_it_does_not_outlive_the_script_that_started_it(self):
        script = (f"import os, sys; sys.path.insert(0, {str(SCRIPT.parent)!r}); import broker\n"
                  f"broker.Cluster({str(self.directory)!r}).start()\n"
                  "print(len(broker.running()), flush=True); os.kill(os.getpid(), 9)")
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                              check=False, timeout=200)
        self.assertEqual(done.returncode, -9, done.stderr)
        for process in broker.running(self.directory).values():
            self.assertTrue(process.ended(10), "the broker goes on after the script was killed")

    def test_with_the_caller_ends_what_a_fixture_started(self):
        self.addCleanup(call, "stop", "--directory", self.directory)
        done = subprocess.run(
            ["sh", "-c", '"$@"; echo started', "sh", sys.executable, SCRIPT, "start",
             "--ends-with-caller", "--directory", self.directory],
            capture_output=True, text=True, check=True, timeout=200,
            env={name: value for name, value in os.environ.items() if name != "WEIR_KAFKA"})
        self.assertIn("127.0.0.1", done.stdout)
        for process in broker.running(self.directory).values():
            self.assertTrue(process.ended(20), "the broker goes on after its caller has ended")


class ThreeBrokers(WithDirectory):
    def test_records_outlive_the_death_of_one(self):
        with broker.Cluster(self.directory, brokers=3) as cluster:
            self.create_topic(cluster, "t", 6)
            cluster.kill(2)
            self.produce(cluster, "t", "".join(f"{n}\n" for n in range(100)))
            cluster.restart(2)
            self.assertEqual(sorted(map(int, self.consume(cluster, "t"))), list(range(100)))


class WhatIsMissing(WithDirectory):
    """Each answer says what was looked for and what to do."""

    def start(self, **env):
        done = call("start", "--directory", self.directory, env=env)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        return done.stderr

    def tools(self, *names):
        directory = pathlib.Path(self.holder.name) / "tools"
        directory.mkdir(exist_ok=True)
        for name in names:
            path = directory / name
            path.write_text("#!/bin/sh\necho 'Could not transfer artifact: no route to host'\nexit 1\n")
            path.chmod(0o755)
        return str(directory)

    def test_java(self):
        said = self.start(PATH=self.tools(), JAVA_HOME="")
        self.assertIn("there is no java on PATH", said)
        self.assertIn("apt-get install openjdk-17-jre-headless", said)
        self.assertIn("below JAVA_HOME=/nowhere", self.start(JAVA_HOME="/nowhere"))

    def test_maven(self):
        said = self.start(PATH=self.tools("java"), XDG_CACHE_HOME=self.holder.name, JAVA_HOME="")
        self.assertIn("there is no mvn on PATH", said)
        self.assertIn("apt-get install maven", said)

    def test_network(self):
        said = self.start(PATH=self.tools("java", "mvn"), XDG_CACHE_HOME=self.holder.name,
                          JAVA_HOME="")
        self.assertIn("no route to host", said)
        self.assertIn("repo.maven.apache.org", said)
        self.assertIn("copy that directory", said)
        left = [path.name for path in (pathlib.Path(self.holder.name) / "weir/kafka").iterdir()]
        self.assertEqual(left, [".lock"])

    def test_a_version_that_is_none(self):
        done = call("start", "--version", "latest", "--directory", self.directory)
        self.assertEqual(done.returncode, 2)
        self.assertIn("expected a version of Kafka such as", done.stderr)


if __name__ == "__main__":
    jars.jars(broker.VERSION)
    unittest.main(verbosity=2)
