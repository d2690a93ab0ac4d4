#!/usr/bin/env python3
"""A broker that ends in the wrong moment may call a transaction over whose end it has never written where
its records are (KAFKA-20734). Whoever commits next with that producer id commits them too. `weir run`
ends them before it publishes a commit again: nothing comes twice.

    strays_test.py PROGRAM PLUGINS FEEDER [VERSION]
"""

import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import kafka_app  # noqa: E402 (after the line above, on purpose)
import broker  # noqa: E402
import harness  # noqa: E402
import wire  # noqa: E402
from kafka_app import OUT_PARTITIONS, PARTITIONS, KafkaApp, Output, ledger_of  # noqa: E402
from ledger_checks import check_all  # noqa: E402
from ledger_input import Input  # noqa: E402

ARGUMENTS = sys.argv[1:4]
VERSION = sys.argv[4] if len(sys.argv) > 4 else broker.VERSION
RECORDS = 400
ONE_COMMIT_AT_THE_END = {"INTERVAL": "10m", "BYTES": "64MiB", "LIVE": "100000"}


class Strays(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="weir-kafka-")
        self.addCleanup(holder.cleanup)
        self.cluster = broker.Cluster(
            f"{holder.name}/kafka", VERSION,
            properties={"transaction.partition.verification.enable": "false"})
        self.addCleanup(self.cluster.stop)
        self.cluster.start()
        self.app = KafkaApp(self.cluster, "strays")
        self.addCleanup(self.app.close)

    def feed(self):
        source = Input(harness.seeded(), PARTITIONS)
        feeder = self.app.feeder()
        for number in range(RECORDS):
            feeder.send(source.record(number % PARTITIONS))
        feeder.order("flush")
        self.assertEqual(feeder.close(), 0)

    def leave_strays(self):
        """In every partition of the output, as the host's only producer."""
        transactional_id = f"weir.{self.app.name}.0"
        with wire.Connection(self.cluster.bootstrap()) as connection:
            producer = connection.become(transactional_id)
            for topic, partitions in (("entries", OUT_PARTITIONS), ("deadletters", 1)):
                for partition in range(partitions):
                    connection.leave(transactional_id, producer, self.app.topic(topic), partition,
                                     b"stray", b"{}")

    def test_a_commit_that_is_published_again_leaves_them_out(self):
        self.feed()
        died = self.app.run_until_end("--no-supervisor", "--kill-at", "commit:1",
                                      env=ONE_COMMIT_AT_THE_END, expect=None)
        self.assertTrue(harness.was_killed(died.returncode), died.stderr)
        self.leave_strays()
        self.app.run_until_end()
        keys = {record["key"] for record in self.app.read("entries") + self.app.read("deadletters")}
        self.assertGreater(len(keys), 1)
        self.assertNotIn("stray", keys)
        output = Output(self.app)
        output.read()
        check_all(ledger_of(self.app.read("postings")), output)


if __name__ == "__main__":
    kafka_app.arguments(["", *ARGUMENTS])
    unittest.main(argv=sys.argv[:1], verbosity=2)
