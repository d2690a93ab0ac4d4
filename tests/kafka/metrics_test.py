#!/usr/bin/env python3
"""`weir run` on a real Kafka as its operator sees it: metrics, probes and `weir status`, also while the
broker stands still or is gone. A scrape is read by Prometheus's own Python client.

    metrics_test.py PROGRAM PLUGINS FEEDER METRICS_PAGE
"""

import pathlib
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "admin"))
import kafka_app  # noqa: E402 (after the lines above, on purpose)
import harness  # noqa: E402
import live_test  # noqa: E402
from harness import posting  # noqa: E402
from kafka_app import PARTITIONS  # noqa: E402
from live_test import labels  # noqa: E402
from kafka_case import Case, good  # noqa: E402

NOT_READY = 1
ONLY_EMBEDDED = {"weir_log_file_bytes", "weir_log_map_bytes"}


class Metrics(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.shared = kafka_app.KafkaApp(cls.cluster, "measured")
        cls.addClassCleanup(cls.shared.close)

    def get(self, path):
        return self.shared.get(path)

    def scrape(self):
        """(name, labels) -> value, name -> type."""
        answer = self.get("/metrics")
        self.assertIsNotNone(answer, f"the host has ended: {self.said(self.shared)}")
        return live_test.parsed(answer[1])

    def value(self, name, **pairs):
        return self.scrape()[0].get((name, labels(**pairs)))

    def queued(self):
        samples, _ = self.scrape()
        topic = self.shared.topic("postings")
        return [samples.get(("weir_log_fetch_queue_records",
                             labels(topic=topic, partition=str(partition))))
                for partition in range(PARTITIONS)]

    def lag(self, partition, unit="records"):
        return self.value(f"weir_lag_{unit}", source="postings", partition=str(partition))

    def start_ready(self):
        # A session that outlives the broker's stand still, which is not what this is about.
        host = self.start(self.shared, env={"SESSION": "60s"})
        self.wait_until(self.is_ready, "a host that is ready")
        return host

    def is_ready(self):
        return self.get("/readyz") == (200, "ready\n")

    def status(self, expect):
        return self.shared.call("status", "app.yaml", expect=expect)

    def handled(self):
        return sum(value for (name, _), value in self.scrape()[0].items()
                   if name == "weir_records_total")

    def check_figures(self, samples, types):
        page = live_test.documented()
        self.assertEqual(set(types) - set(page), set(), "exposed and not documented")
        self.assertEqual(set(page) - set(types), ONLY_EMBEDDED, "documented and not exposed")
        self.assertEqual({name: page[name][0] for name in types}, types)
        for name, kind in types.items():
            self.assertEqual(name.endswith("_total"), kind == "counter", name)
        for client in ("consumer", "producer"):
            for broker in ("1", "coordinator"):
                at = labels(client=client, broker=broker)
                self.assertEqual(samples["weir_log_broker_up", at], 1, at)
                for name in ("requests_total", "sent_bytes_total", "received_bytes_total"):
                    self.assertGreater(samples["weir_log_" + name, at], 0, (name, at))
                for name in ("request_timeouts_total", "send_errors_total", "throttle_seconds"):
                    self.assertEqual(samples["weir_log_" + name, at], 0, (name, at))
                self.assertLess(samples["weir_log_round_trip_p99_seconds", at], 10)
            self.assertLess(samples["weir_log_client_age_seconds", labels(client=client)], 10)
        self.assertEqual(samples["weir_log_group_member", ()], 1)
        self.assertEqual(samples["weir_log_group_partitions", ()], PARTITIONS)
        self.assertGreaterEqual(samples["weir_log_rebalances_total", ()], 1)
        self.assertEqual(samples["weir_log_producer_queue_records", ()], 0)

    def check_away(self, what):
        """The host is not ready and says so, lives on, and what was known is still told."""
        self.wait_until(lambda: self.get("/readyz")[0] == 503, what)
        self.assertEqual(self.get("/livez"), (200, "alive\n"))
        self.assertIn("the log", self.get("/readyz")[1])
        self.assertRegex(self.status(expect=NOT_READY), r"not ready\n(  .*\n)*  the log ")
        samples, _ = self.scrape()
        self.assertEqual(samples["weir_ready", ()], 0)
        for partition in range(PARTITIONS):
            self.assertEqual(samples["weir_lag_records",
                                     labels(source="postings", partition=str(partition))], 0)

    def check_back(self, number):
        self.wait_until(self.is_ready, "a host that is ready again")
        before = self.handled()
        self.feed(self.shared, [good(number + n, n) for n in range(PARTITIONS)])
        self.wait_until(lambda: self.handled() == before + PARTITIONS, "records after the outage")

    def test_the_host_tells_how_its_broker_is(self):
        self.feed(self.shared, [good(n, n % PARTITIONS) for n in range(40)])
        host = self.start_ready()
        self.assertEqual(self.get("/livez"), (200, "alive\n"))
        self.wait_until(lambda: self.lag(0) == 0 and self.handled() >= 40, "the end of the input")
        self.wait_until(lambda: self.value("weir_log_broker_up", client="producer",
                                           broker="coordinator") == 1, "the producer's figures")
        self.wait_until(lambda: self.queued() == [0] * PARTITIONS, "figures of an idle host")
        self.check_figures(*self.scrape())
        self.assertRegex(self.status(expect=0),
                         r"\nlog 1 broker connected(, writes answered in [\d.]+ ms \(p99\))?; "
                         rf"group steady, {PARTITIONS} partitions, \d rebalances?\n")

        self.cluster.suspend()
        self.check_away("a broker that stands still is noticed")
        self.cluster.resume()
        self.check_back(100)

        self.cluster.kill()
        self.check_away("a broker that is gone is noticed")
        self.wait_until(lambda: 0 in (value for (name, _), value in self.scrape()[0].items()
                                      if name == "weir_log_broker_up"), "a connection that is gone")
        self.assertRegex(self.status(expect=NOT_READY), r"\nlog (1|no) broker.*, not connected: ")
        self.cluster.restart()
        self.check_back(200)
        self.assertGreater(self.value("weir_log_disconnects_total", client="consumer", broker="1"), 0)
        host.terminate()
        self.assertEqual(host.wait(), 0, self.said(self.shared))

    def test_what_is_not_handled_yet_is_lag_in_records_and_in_seconds(self):
        """The last one: it leaves a record that no later host gets past."""
        account = good(0, 1)["value"]
        app, old = self.shared, int(time.time() * 1000) - 3_600_000
        first = {"partition": 1, "value": account, "timestamp": old}
        app.produce(app.topic("postings"), [first])
        host = self.start_ready()
        self.wait_until(lambda: self.handled() == 1, "the first record")
        self.wait_until(lambda: self.lag(1) == 0, "a host at the end")
        self.assertEqual(self.lag(1, "seconds"), 0)
        name = next(n for n in (f"account-{i}" for i in range(1000))
                    if harness.partition_of(n.encode(), PARTITIONS) == 1)
        # Without a transaction, whose end would be an offset more.
        self.feed(app, [{"partition": 1, "value": posting("held", name, 600, "wait")},
                        *({"partition": 1, "value": posting(f"b{n}", name, n)} for n in range(24)),
                        *(good(n, 2) for n in range(7))])
        self.wait_until((app.directory / "held").exists, "the call that takes long")
        self.wait_until(lambda: self.lag(1) == 25, "the backlog of the task that is held up")
        self.assertLess(abs(self.lag(1, "seconds") - 3600), 100)
        samples, _ = self.scrape()
        # One worker: the other task may have been turned first, or not at all.
        self.assertIn(samples["weir_lag_records", labels(source="postings", partition="2")], (0, 7))
        self.assertEqual(samples["weir_lag_records", labels(source="postings", partition="0")], 0)
        self.assertRegex(self.status(expect=0), r"postings +1 +running +\d+ +25 +1h0[01]m")
        host.kill()
        host.wait()


if __name__ == "__main__":
    kafka_app.arguments(sys.argv)
    live_test.METRICS_PAGE = pathlib.Path(sys.argv.pop(1))
    unittest.main(verbosity=2)
