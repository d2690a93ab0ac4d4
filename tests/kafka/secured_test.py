#!/usr/bin/env python3
"""A Kafka that wants TLS or a password: who may in, who may not, and what is said.

    secured_test.py PROGRAM PLUGINS FEEDER
"""

import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
import kafka_app  # noqa: E402 (after the line above, on purpose)
import broker  # noqa: E402
import secured  # noqa: E402
from harness import App, posting  # noqa: E402
from kafka_app import PARTITIONS, create_topic  # noqa: E402


UNAVAILABLE = 69
RDKAFKA_VERSION = tuple(map(int, subprocess.run(
    ["pkg-config", "--modversion", "rdkafka"], check=True, capture_output=True,
    text=True).stdout.split(".")))
REFUSAL_SECONDS = 10  # kcat tries for so long, however clear the answer is; weir must not


class WithSecuredCluster:
    """For a unittest.TestCase: one cluster for all its tests."""

    VERSION = broker.VERSION

    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory(prefix="weir kafka ")
        cls.addClassCleanup(cls.holder.cleanup)
        cls.directory = pathlib.Path(cls.holder.name)
        cls.cluster = secured.SecuredCluster(cls.directory / "kafka", version=cls.VERSION)
        cls.addClassCleanup(cls.cluster.stop)
        cls.cluster.start()

    def kcat(self, listener, patience_seconds=60, **options):
        """Asks as a client that is not ours: (whether it came in, what it said)"""
        settings = [word for name, value in self.cluster.client(listener, **options).items()
                    for word in ("-X", f"{name}={value}")]
        done = subprocess.run(["kcat", "-L", "-m", str(patience_seconds), *settings], text=True,
                              capture_output=True, check=False, timeout=200)
        came_in = done.returncode == 0 and self.cluster.bootstrap(listener) in done.stdout
        return came_in, done.stderr.lower()


    def app(self, name, listener, **options):
        """The ledger app, whose way to the broker is this listener."""
        client = self.cluster.client(listener, **options)
        servers = client.pop("bootstrap.servers")
        properties = ", ".join(f'{name}: "{value}"' for name, value in client.items())
        yaml = (kafka_app.YAML.replace("APP", name).replace("PLUGINS", str(kafka_app.harness.PLUGINS))
                .replace("[BOOTSTRAP]", f"[{servers}]\n    properties: {{{properties}}}"))
        app = App(yaml)
        self.addCleanup(app.close)
        return app

    def check_it_comes_in(self, name, listener, **options):
        """Produces, runs and reads through the listener."""
        create_topic(self.cluster, f"{name}.postings", PARTITIONS)
        app = self.app(name, listener, **options)
        accounts = [f"account-{n}" for n in range(20)]
        app.produce(f"{name}.postings", ({"key": account, "value": posting(f"r-{account}", account, 1)}
                                         for account in accounts))
        said = app.run_until_end().stderr
        self.assertEqual(sorted(key for _, key in app.states()), sorted(accounts))
        read = app.call("consume", f"{name}.entries", "-c", "app.yaml").splitlines()
        self.assertEqual(len(read), len(accounts))
        said += app.call("validate", "-c", "app.yaml", expect=None).stderr
        self.assertNotIn(secured.PASSWORD, said)

    def check_it_stays_out(self, name, listener, why, **options):
        app = self.app(name, listener, **options)
        for words in (("run", "-c", "app.yaml", "--until-end"),
                      ("produce", f"{name}.postings", "-c", "app.yaml")):
            began = time.monotonic()
            done = app.call(*words, stdin='{"value": "x"}\n', expect=None)
            self.assertEqual(done.returncode, UNAVAILABLE, done.stderr)
            self.assertLess(time.monotonic() - began, REFUSAL_SECONDS, done.stderr)
            said = done.stdout + done.stderr
            self.assertIn(why, said.lower())
            self.assertIn("log.kafka", said)
            for secret in (secured.PASSWORD, options.get("password", secured.PASSWORD)):
                self.assertNotIn(secret, said)


class Newest(WithSecuredCluster, unittest.TestCase):
    def test_kcat_with_the_right_certificate_and_password_comes_in(self):
        for listener in ("PLAINTEXT", "TLS", "SASL"):
            came_in, said = self.kcat(listener)
            self.assertTrue(came_in, said)

    def test_kcat_with_a_wrong_one_does_not(self):
        for listener, options, why in (
                ("TLS", {"authority": self.cluster.stranger}, "verify failed"),
                ("SASL", {"authority": self.cluster.stranger}, "verify failed"),
                ("SASL", {"password": "guessed"}, "authentication failed")):
            came_in, said = self.kcat(listener, REFUSAL_SECONDS, **options)
            self.assertFalse(came_in)
            self.assertIn(why, said)


    def test_weir_comes_in_with_the_right_certificate_and_password(self):
        self.check_it_comes_in("tls", "TLS")
        self.check_it_comes_in("plain", "SASL")

    def test_weir_stays_out_with_a_wrong_certificate_or_password(self):
        self.check_it_stays_out("stranger", "TLS", "verify failed", authority=self.cluster.stranger)
        self.check_it_stays_out("guesser", "SASL", "authentication failed", password="guessed-wrongly")


class Older(WithSecuredCluster, unittest.TestCase):
    VERSION = "3.9.1"

    def test_kcat_comes_in_with_scram(self):
        came_in, said = self.kcat("SASL", mechanism="SCRAM-SHA-512")
        self.assertTrue(came_in, said)
        came_in, said = self.kcat("SASL", REFUSAL_SECONDS, mechanism="SCRAM-SHA-512",
                                  password="guessed")
        self.assertFalse(came_in)
        self.assertIn("authentication failed", said)

    def test_weir_comes_in_with_scram(self):
        warned = self.app("warned", "SASL", mechanism="SCRAM-SHA-512").call(
            "validate", "--no-plugins", "-c", "app.yaml", expect=None)
        self.assertEqual(warned.returncode, 0, warned.stderr)
        self.assertEqual("SCRAM" in warned.stderr, RDKAFKA_VERSION < (2, 6, 1), warned.stderr)
        self.check_it_comes_in("scram", "SASL", mechanism="SCRAM-SHA-512")
        self.check_it_stays_out("guesser", "SASL", "authentication failed", mechanism="SCRAM-SHA-512",
                                password="guessed-wrongly")


if __name__ == "__main__":
    kafka_app.arguments(sys.argv)
    unittest.main(verbosity=2)
