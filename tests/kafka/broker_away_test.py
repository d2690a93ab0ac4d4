#!/usr/bin/env python3
"""A broker that is away: while a host works, for longer than all patience, and while a host starts. The
host goes on by itself, and nothing is lost or comes twice.

    broker_away_test.py PROGRAM PLUGINS FEEDER
"""

import signal
import sys
import time
import unittest

sys.dont_write_bytecode = True
import kafka_app  # noqa: E402 (after the line above, on purpose)
import harness  # noqa: E402
from kafka_app import PARTITIONS, PacedFeeder  # noqa: E402
from kafka_case import Case  # noqa: E402
from ledger_input import Input  # noqa: E402


class BrokerAway(Case):
    """For longer than the session and the transactions of a host that has much to say."""

    AWAY_SECONDS = 15

    def suspended(self):
        self.cluster.suspend()
        time.sleep(self.AWAY_SECONDS)
        self.cluster.resume()

    def stopped(self):
        self.cluster.terminate()
        time.sleep(self.AWAY_SECONDS)
        self.cluster.restart()

    def killed(self):
        self.cluster.kill()
        time.sleep(self.AWAY_SECONDS)
        self.cluster.restart()

    def check(self, name, *ways):
        app = self.app(name)
        feeder = PacedFeeder(app.feeder(), Input(harness.seeded(), PARTITIONS))
        host = self.start(app, env={"WORKERS": "2"})
        self.wait_until_it_goes_on(app, host, 3000)
        for go_away in ways:
            go_away()
            with feeder.paused() as applied:
                self.wait_until(lambda a=applied: host.poll() is not None or self.committed(app) == a,
                                "all tasks")
            self.assertIsNone(host.poll(), self.said(app))
        feeder.stop()
        host.terminate()
        self.assertEqual(host.wait(), 0, self.said(app))
        self.assertNotIn("halted", self.said(app))
        app.run_until_end()
        self.check_output(app)

    def test_a_host_goes_on_by_itself_when_the_broker_stood_still(self):
        self.check("suspended", self.suspended, self.suspended)

    def test_a_host_goes_on_by_itself_when_the_broker_had_ended(self):
        self.check("ended", self.stopped, self.killed)


class BrokerEndsDuringAStart(Case):
    """At any moment of it: the host's start takes longer, and nothing else."""

    STARTS = 4
    START_SECONDS = 1.2  # of a host whose broker answers, at most

    def test_the_start_comes_to_its_end(self):
        app = self.app("starts")
        draw = harness.seeded()
        feeder = PacedFeeder(app.feeder(), Input(draw, PARTITIONS))
        for number in range(self.STARTS):
            talk = f"talk{number}"
            host = self.start(app, env={"WORKERS": "2"}, talk=talk)
            time.sleep(draw.random() * self.START_SECONDS)
            draw.choice((self.cluster.kill, self.cluster.terminate))()
            self.cluster.restart()
            self.wait_until_it_goes_on(app, host, 100, talk=talk)
            # A kill leaves the next start open transactions to end.
            host.send_signal(draw.choice((signal.SIGTERM, signal.SIGKILL)))
            host.wait()
        feeder.stop()
        app.run_until_end()
        self.check_output(app)


if __name__ == "__main__":
    kafka_app.arguments(sys.argv)
    unittest.main(verbosity=2)
