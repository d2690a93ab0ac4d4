"""A Kafka behind TLS, and behind a password within TLS, with certificates made on the spot.

librdkafka before 2.6.1 (Debian 12 has 2.0.2) repeats its nonce in the last message of SCRAM. Kafka 3.9
lets that pass, Kafka 4 refuses it as a wrong password. PLAIN works with both.
"""

import pathlib
import subprocess

from broker import Cluster, Failed

USER = "weir-tests"
PASSWORD = "not-to-be-seen-anywhere"


def openssl(*words):
    done = subprocess.run(["openssl", *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise Failed(f"openssl {words[0]} failed:\n{done.stderr}")


def new_key(path, name):
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path,
            "-subj", f"/CN={name}")


def certificate_authority(directory, name):
    """(certificate, key)"""
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    openssl("req", "-x509", *new_key(key, name), "-days", 30, "-out", certificate)
    return certificate, key


def server_certificate(directory, authority):
    """One PEM file with the key and the certificate of 127.0.0.1, as Kafka takes it."""
    directory = pathlib.Path(directory)
    key, request, extensions, certificate = (
        directory / f"server.{suffix}" for suffix in ("key", "request", "extensions", "pem"))
    extensions.write_text("subjectAltName=IP:127.0.0.1\n", encoding="ascii")
    openssl("req", "-new", *new_key(key, "127.0.0.1"), "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", authority[0], "-CAkey", authority[1],
            "-CAcreateserial", "-days", 30, "-extfile", extensions, "-out", certificate)
    both = directory / "server-keystore.pem"
    both.write_text(key.read_text(encoding="ascii") + certificate.read_text(encoding="ascii"),
                    encoding="ascii")
    return both


class SecuredCluster(Cluster):
    """Listeners TLS and SASL beside PLAINTEXT. `authority` is the certificate that clients must
    trust; `stranger` one that has nothing to do with it."""

    def __init__(self, directory, **options):
        certificates = pathlib.Path(str(directory) + "-certificates").resolve()
        certificates.mkdir(parents=True)
        authority = certificate_authority(certificates, "authority")
        self.authority = authority[0]
        self.stranger = certificate_authority(certificates, "stranger")[0]
        properties = {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(server_certificate(certificates, authority)),
            "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
            "listener.name.sasl.scram-sha-512.sasl.jaas.config":
                "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            "listener.name.sasl.plain.sasl.jaas.config":
                "org.apache.kafka.common.security.plain.PlainLoginModule required "
                f'user_{USER}="{PASSWORD}";',
        }
        super().__init__(directory, listeners={"TLS": "SSL", "SASL": "SASL_SSL"},
                         properties=properties, scram={USER: PASSWORD}, **options)

    def client(self, listener, *, authority=None, mechanism="PLAIN", password=PASSWORD):
        """librdkafka's properties for a listener."""
        found = {"bootstrap.servers": self.bootstrap(listener)}
        if listener in ("TLS", "SASL"):
            found["security.protocol"] = "ssl"
            found["ssl.ca.location"] = str(authority or self.authority)
        if listener == "SASL":
            found.update({"security.protocol": "sasl_ssl", "sasl.mechanisms": mechanism,
                          "sasl.username": USER, "sasl.password": password})
        return found
