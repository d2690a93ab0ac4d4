#!/usr/bin/env python3
"""The tools of the other tests, on a real Kafka without Weir: what the feeder sends is what kcat and
Kafka's own console consumer read, and transactions that were not committed are seen by neither.

    feeder_test.py FEEDER
"""

import pathlib
import sys
import time
import unittest

sys.dont_write_bytecode = True
import kafka_app  # noqa: E402 (after the line above, on purpose)
import harness  # noqa: E402
import judges  # noqa: E402
from kafka_app import PARTITIONS, Feeder, PacedFeeder, check_input, create_topic  # noqa: E402
from kafka_case import Case  # noqa: E402
from ledger_checks import Failure  # noqa: E402
from ledger_input import Input  # noqa: E402


class Tools(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        create_topic(cls.cluster, "postings", PARTITIONS)
        create_topic(cls.cluster, "texts", 2)

    def read(self, topic, **options):
        return judges.kcat(self.cluster.bootstrap(), topic, **options)

    def test_what_is_fed_is_what_is_read(self):
        source = Input(harness.seeded(), PARTITIONS)
        feeder = PacedFeeder(Feeder(self.cluster.bootstrap(), "postings"), source,
                             pause_seconds=0.001)
        while feeder.count < 2000:
            time.sleep(0.01)
        with feeder.paused() as applied:
            self.assertEqual(kafka_app.ledger_of(self.read("postings")).applied, applied)
        feeder.stop()
        records = self.read("postings")
        self.assertEqual(len(records), source.number)
        self.assertGreater(len(source.ledger.dead), 0)
        check_input(source, records)
        # A record that is skipped leaves no trace, so its loss cannot be seen.
        seen = [at for at, record in enumerate(records) if "skip" not in (record["payload"] or "")]
        for at in (seen[0], seen[len(seen) // 2], seen[-1]):
            with self.assertRaises(Failure):
                check_input(source, records[:at] + records[at + 1:])
        changed = {**records[seen[0]], "payload": records[seen[-1]]["payload"]}
        with self.assertRaises(Failure):
            check_input(source, records[:seen[0]] + [changed] + records[seen[0] + 1:])

    def test_only_committed_transactions_are_read(self):
        def send(feeder, *values):
            for at, value in enumerate(values):
                feeder.send({"partition": at % 2, "key": value, "value": value})
            feeder.order("flush")

        feeder = Feeder(self.cluster.bootstrap(), "texts", "transactions")
        for values, end in ((("a", "b"), "commit"), (("no",), "abort"), (("c",), "commit")):
            feeder.order("begin")
            send(feeder, *values)
            feeder.order(end)
        feeder.order("begin")
        send(feeder, "open")
        feeder.kill()

        seen = [(r["partition"], r["key"], r["payload"]) for r in self.read("texts")]
        self.assertEqual(sorted(seen), [(0, "a", "a"), (0, "c", "c"), (1, "b", "b")])
        self.assertEqual(sorted(judges.console_consumer(self.cluster, "texts", 3)), sorted(seen))
        self.assertEqual(len(self.read("texts", isolation="read_uncommitted")), 5)
        Feeder(self.cluster.bootstrap(), "texts", "transactions").close()  # ends what was open
        self.assertEqual(len(self.read("texts")), 3)


if __name__ == "__main__":
    kafka_app.FEEDER = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=2)
