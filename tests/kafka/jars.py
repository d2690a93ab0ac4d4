"""Apache Kafka's own jars, from Maven Central into a cache that all checkouts of a user share."""

import fcntl
import os
import pathlib
import shutil
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
DOWNLOAD_SECONDS_MAX = 900


class Missing(Exception):
    """Something that the machine would have to have; the text says what to do."""


def cache_directory():
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(cache) / "weir" / "kafka"


def java():
    home = os.environ.get("JAVA_HOME")
    found = shutil.which(pathlib.Path(home) / "bin" / "java") if home else shutil.which("java")
    if not found:
        raise Missing(f"there is no java {'below JAVA_HOME=' + home if home else 'on PATH'}, and "
                      "Kafka needs one (17 or newer); on Debian 12: "
                      "apt-get install openjdk-17-jre-headless")
    return found


def jars(version):
    """The directory with the jars of this version; downloads them once."""
    directory = cache_directory() / version
    if directory.is_dir():
        return directory
    directory.parent.mkdir(parents=True, exist_ok=True)
    with open(directory.parent / ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.is_dir():  # someone else was quicker
            download(version, directory)
    return directory


def download(version, directory):
    """All or nothing: the directory appears under its name when every jar is in it."""
    maven = shutil.which("mvn")
    if not maven:
        raise Missing(f"Apache Kafka {version} is not in {directory}, and there is no mvn on PATH to "
                      "fetch it; on Debian 12: apt-get install maven")
    java()  # before mvn complains about it in its own words
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f"{version}-") as temporary:
        done = subprocess.run(
            [maven, "--quiet", "--batch-mode", "--strict-checksums", f"--file={HERE / 'pom.xml'}",
             f"-Dkafka.version={version}", f"--activate-profiles=logging-of-kafka-{version[0]}",
             f"-Dmaven.repo.local={temporary}/maven", f"-DoutputDirectory={temporary}/jars",
             "-DincludeScope=runtime", "dependency:copy-dependencies"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=DOWNLOAD_SECONDS_MAX, check=False)
        if done.returncode != 0:
            raise Missing(
                f"Apache Kafka {version} is not in {directory}, and fetching it from Maven Central "
                f"(https://repo.maven.apache.org) failed:\n{done.stdout.strip()}\n"
                "With a network it comes by itself (a proxy or mirror goes into "
                "~/.m2/settings.xml); without one, copy that directory from a machine that has it.")
        os.rename(f"{temporary}/jars", directory)
