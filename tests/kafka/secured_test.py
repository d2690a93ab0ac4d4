#!/usr/bin/env python3
"""A Kafka that wants TLS or a password: who may in, who may not, and what is said."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
import broker  # noqa: E402 (after the line above, on purpose)
import secured  # noqa: E402


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

    def kcat(self, listener, **options):
        """Asks as a client that is not ours: (whether it came in, what it said)"""
        settings = [word for name, value in self.cluster.client(listener, **options).items()
                    for word in ("-X", f"{name}={value}")]
        done = subprocess.run(["kcat", "-L", "-m", "3", *settings], capture_output=True, text=True,
                              check=False, timeout=60)
        came_in = done.returncode == 0 and self.cluster.bootstrap(listener) in done.stdout
        return came_in, done.stderr.lower()


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
            came_in, said = self.kcat(listener, **options)
            self.assertFalse(came_in)
            self.assertIn(why, said)


class Older(WithSecuredCluster, unittest.TestCase):
    VERSION = "3.9.1"

    def test_kcat_comes_in_with_scram(self):
        came_in, said = self.kcat("SASL", mechanism="SCRAM-SHA-512")
        self.assertTrue(came_in, said)
        came_in, said = self.kcat("SASL", mechanism="SCRAM-SHA-512", password="guessed")
        self.assertFalse(came_in)
        self.assertIn("authentication failed", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
