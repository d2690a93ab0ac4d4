#!/usr/bin/env python3
"""What ../reload/under_load_test.py does, on a real Kafka: builds of a plugin take each other's place while
records flow, and the worker process dies at each step of a reload. Every feature, as kcat reads it, names a
build that ran then, and every State and feature is exact.

    reload_test.py PROGRAM METERS FEEDER

WEIR_RELOADS: how many (60). WEIR_SEED: repeats a run.
"""

import contextlib
import json
import os
import pathlib
import sys
import tempfile

os.environ.setdefault("WEIR_RELOADS", "60")
sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "reload"))
import kafka_app  # noqa: E402 (after the lines above, on purpose)
import harness  # noqa: E402
import judges  # noqa: E402
import under_load_test  # noqa: E402
from broker import Cluster  # noqa: E402
from kafka_app import Feeder, create_topic, header_map  # noqa: E402
from under_load_test import PARTITIONS, UnderLoad  # noqa: E402

LOG = "{kafka: {brokers: [BOOTSTRAP], session_timeout: 6s}}"


class MeterApp(harness.App):
    def __init__(self, cluster):
        self.bootstrap = cluster.bootstrap()
        super().__init__(under_load_test.YAML.replace("LOG", LOG.replace("BOOTSTRAP", self.bootstrap)))
        for topic, partitions in (("readings", PARTITIONS), ("measured", PARTITIONS),
                                  ("meter.deadletters", 1)):
            create_topic(cluster, topic, partitions)
        self.feeder = Feeder(self.bootstrap, "readings")

    def close(self):
        self.feeder.close()
        super().close()

    def produce(self, topic, records):
        """By a producer without transactions, so that offsets count records."""
        for record in records:
            self.feeder.send(record)
        self.feeder.order("flush")

    def records(self, topic, partition=None, start=None):
        for record in judges.kcat(self.bootstrap, topic, partition, start or 0):
            headers = header_map(record)
            value = record["payload"] if headers else json.loads(record["payload"])
            yield {"headers": headers, "value": value}


def main():
    kafka_app.arguments(sys.argv)
    with tempfile.TemporaryDirectory(prefix="weir-kafka-") as directory, \
            Cluster(f"{directory}/kafka") as cluster, \
            contextlib.closing(UnderLoad(harness.PLUGINS, MeterApp(cluster))) as test:
        test.run()


if __name__ == "__main__":
    main()
