#!/usr/bin/env python3
"""Other people's clients judge what `weir run` has published to a real Kafka.

    judges_test.py PROGRAM PLUGINS FEEDER [VERSION]

kcat and Kafka's own console consumer read the features with read_committed; a count over the input
topic, as kcat reads it and written in Python alone, says what they and State must be.
"""

import json
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import kafka_app  # noqa: E402 (after the line above, on purpose)
import broker  # noqa: E402
import harness  # noqa: E402
import judges  # noqa: E402
from broker import Cluster  # noqa: E402
from harness import entry_of, partition_of  # noqa: E402
from kafka_app import OUT_PARTITIONS, PARTITIONS, KafkaApp, Output, check_input  # noqa: E402
from ledger_checks import by_account, check_all  # noqa: E402
from ledger_input import Input  # noqa: E402

VERSION = broker.VERSION
RECORDS = 4000


class Judges(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory(prefix="weir-kafka-")
        cls.addClassCleanup(holder.cleanup)
        cls.cluster = Cluster(f"{holder.name}/kafka", VERSION)
        cls.addClassCleanup(cls.cluster.stop)
        cls.cluster.start()
        cls.app = KafkaApp(cls.cluster)
        cls.addClassCleanup(cls.app.close)
        cls.source = Input(harness.seeded(), PARTITIONS)
        feeder = cls.app.feeder()
        for record in cls.source.slice(RECORDS):
            feeder.send(record)
        feeder.order("flush")
        assert feeder.close() == 0
        cls.input = cls.app.read("postings")
        check_input(cls.source, cls.input)
        # Twice: the second one goes on where the first one stopped, and has nothing to do.
        cls.app.run_until_end(env={"WORKERS": "2"})
        cls.app.run_until_end()
        cls.ledger = kafka_app.ledger_of(cls.input)

    def test_kcat_and_state_agree_with_the_count(self):
        output = Output(self.app)
        output.read()
        check_all(self.ledger, output)
        self.assertEqual(len(output.entries), self.ledger.applied)

    def test_the_console_consumer_reads_the_same_features(self):
        found = judges.console_consumer(self.cluster, self.app.topic("entries"), self.ledger.applied)
        entries = []
        for partition, key, value in found:
            entries.append(entry_of(json.loads(value)))
            self.assertEqual(key, entries[-1]["account"])
            self.assertEqual(partition, partition_of(key.encode(), OUT_PARTITIONS))
        self.assertEqual(by_account(entries), self.ledger.entries)

    def test_a_feature_bears_the_time_of_its_record(self):
        times = {}
        for record in self.input:
            try:
                times[json.loads(judges.as_bytes(record["payload"]))["id"]] = record["ts"]
            except (TypeError, ValueError):
                continue  # one of the broken ones; it has no feature
        for record in self.app.read("entries"):
            entry = json.loads(record["payload"])
            self.assertEqual(record["ts"], times[entry["id"]], entry)

    def test_the_host_reads_its_own_features_as_kcat_does(self):
        lines = self.app.call("consume", self.app.topic("entries"), "-c", "app.yaml").splitlines()
        ours = sorted((line["partition"], line["offset"], line["key"], entry_of(line["value"])["id"])
                      for line in map(json.loads, lines))
        theirs = sorted((r["partition"], r["offset"], r["key"], json.loads(r["payload"])["id"])
                        for r in self.app.read("entries"))
        self.assertEqual(ours, theirs)


if __name__ == "__main__":
    if len(sys.argv) > 4:
        VERSION = sys.argv.pop(4)
    kafka_app.arguments(sys.argv)
    unittest.main(verbosity=2)
