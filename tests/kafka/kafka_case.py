"""What the programs that get in the way of `weir run` on a real Kafka have in common."""

import tempfile
import time
import unittest

from broker import Cluster
from kafka_app import PARTITIONS, KafkaApp, Output, ledger_of
from harness import partition_of, posting
from ledger_checks import check_all

WAIT_SECONDS_MAX = 100


def good(number, partition):
    """A record whose key belongs to the partition."""
    account = next(name for name in (f"account-{i}" for i in range(1000))
                   if partition_of(name.encode(), PARTITIONS) == partition)
    return {"partition": partition, "value": posting(f"r{number}", account, number)}


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix="weir-kafka-")
        cls.addClassCleanup(holder.cleanup)
        cls.cluster = Cluster(f"{holder.name}/kafka")
        cls.addClassCleanup(cls.cluster.stop)
        cls.cluster.start()

    def app(self, name, **options):
        app = KafkaApp(self.cluster, name, **options)
        self.addCleanup(app.close)
        return app

    def start(self, app, *options, env=None, talk="talk"):
        """A host whose talk goes to a file."""
        with open(app.directory / talk, "w", encoding="utf-8") as file:
            host = app.start("run", "-c", "app.yaml", "--no-progress", *options, env=env, stderr=file)
        self.addCleanup(host.wait)
        self.addCleanup(host.kill)
        return host

    def said(self, app, talk="talk"):
        return (app.directory / talk).read_text()

    def wait_until(self, condition, what):
        until = time.monotonic() + WAIT_SECONDS_MAX
        while not condition():
            self.assertLess(time.monotonic(), until, f"in vain for {what}")
            time.sleep(0.05)

    def committed(self, app):
        """Records in State; 0 where there is none yet."""
        done = app.call("state", "export", "-c", "app.yaml", expect=None)
        if done.returncode != 0:
            return 0
        output = Output(app)
        output.read_states()
        return output.committed()

    def wait_until_it_goes_on(self, app, host, count=1, talk="talk"):
        target = self.committed(app) + count
        self.wait_until(lambda: host.poll() is not None or self.committed(app) >= target,
                        "the host to go on")
        self.assertIsNone(host.poll(), self.said(app, talk))

    def check_output(self, app):
        """Everything in the input has been worked through, by what kcat reads in it."""
        output = Output(app)
        output.read()
        check_all(ledger_of(app.read("postings")), output)

    def feed(self, app, records, transactional_id=None):
        feeder = app.feeder(transactional_id)
        for record in records:
            feeder.send(record)
        feeder.order("flush")
        self.assertEqual(feeder.close(), 0)
