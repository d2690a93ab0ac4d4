#!/usr/bin/env python3
"""The demo shows the numbers that an independent program computes from the same records.

    earthquakes_demo_test.py REPOSITORY BUILD Demo      through Weir's own log
    earthquakes_demo_test.py REPOSITORY BUILD OnKafka   through a real Kafka
"""

import json
import os
import pathlib
import pty
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
from earthquakes_expected import expected  # noqa: E402 (after the line above, on purpose)

REPOSITORY, BUILD = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
del sys.argv[1:3]
SAMPLE = REPOSITORY / "plugins/earthquakes"
EXPECTED = expected(SAMPLE / "data/earthquakes.jsonl")


def duration(ms):
    """Two units, rounded down; written apart from table.py on purpose."""
    if ms >= 86_400_000:
        return f"{ms // 86_400_000}d {ms % 86_400_000 // 3_600_000:02}h"
    if ms >= 3_600_000:
        return f"{ms // 3_600_000}h {ms % 3_600_000 // 60_000:02}m"
    return f"{ms // 60_000}m"


def rows(text):
    """network -> the cells of its line in the text table."""
    found = {}
    for line in text.replace("\r", "").splitlines():
        match = re.match(r"(\w+)  .*?(\d+)  (M .*?) +(\d+) +(\d+\w(?: \d\d\w)?) +(\d+\w(?: \d\d\w)?)$",
                         line.replace("all   ", "total  ", 1))
        if match:
            found[match[1]] = match.groups()[1:]
    return found


class Shared:
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="weir demo ")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name) / "the demo"

    def command(self, *options):
        return ["sh", SAMPLE / "demo.sh", BUILD, self.directory, *options]

    def demo(self, *options):
        done = subprocess.run(self.command(*options), text=True, capture_output=True, timeout=240,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout, done.stderr

    def check_table(self, text):
        shown = rows(text)
        self.assertEqual(sorted(shown), sorted(EXPECTED))
        for net, line in EXPECTED.items():
            events, strongest, late, mean, worst = shown[net]
            self.assertEqual(int(events), line["events"], net)
            self.assertEqual(int(late), line["late"], net)
            self.assertEqual(mean, duration(line["late_mean_ms"]), net)
            self.assertEqual(worst, duration(line["late_max_ms"]), net)
            mark, magnitude, place = strongest.split(maxsplit=2)
            self.assertEqual((mark, float(magnitude)), ("M", line["strongest"]["mag"]), net)
            self.assertTrue(line["strongest"]["place"].startswith(place), (net, place))

    def check_second_act(self, talk):
        """Returns how often the week came in it."""
        act = talk[talk.index("Second act"):]
        self.assertEqual(act.count("the stream goes on"), 4, act)
        for said in ("2.0.0", "state_schema", "earthquakes.Network.late", "SIGABRT", "crashed"):
            self.assertIn(said, act)
        counted = [int(count) for count in re.findall(r"goes on: (\d+) events", act)]
        self.assertEqual(counted, sorted(set(counted)))
        weeks, records, all_counted = map(int, re.search(
            r"came (\d+) times, (\d+) records: (\d+) counted", act).groups())
        self.assertEqual(records, weeks * EXPECTED["total"]["events"])
        self.assertEqual(all_counted, records)
        return weeks

    def test_every_number_as_json(self):
        self.assertEqual(json.loads(self.demo("--format", "json")[0]), EXPECTED)

    def test_every_number_as_text_and_the_state_of_one_key(self):
        text, talk = self.demo()
        self.check_table(text)
        self.check_second_act(talk)
        # What follows the table is the State of one network, as JSON.
        state, _ = json.JSONDecoder().raw_decode(text[text.index("{"):])
        self.assertEqual(int(state["events"]), EXPECTED["us"]["events"])
        self.assertEqual(state["strongest"]["mag"], EXPECTED["us"]["strongest"]["mag"])

    def test_on_a_terminal_the_table_fills_and_ends_the_same(self):
        main, terminal = pty.openpty()
        process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=terminal,
                                   stderr=terminal, env={**os.environ, "DEMO_SECONDS": "2",
                                                         "COLUMNS": "100"})
        os.close(terminal)
        output = b""
        while True:
            try:
                chunk = os.read(main, 65536)
            except OSError:  # how a terminal says that nobody writes to it any more
                break
            if not chunk:
                break
            output += chunk
        os.close(main)
        self.assertEqual(process.wait(timeout=60), 0, output.decode())
        frames = output.decode().split("Second act")[0].split("\x1b[J")
        self.assertGreater(len(frames), 2, "the table was not redrawn")
        counts = [int(re.search(r"(\d+) of \d+ events", frame)[1]) for frame in frames]
        self.assertEqual(counts, sorted(counts))
        self.assertEqual(counts[-1], EXPECTED["total"]["events"])
        self.check_table(frames[-1])


class Demo(Shared, unittest.TestCase):
    def test_the_commands_to_go_on_with_work(self):
        _, talk = self.demo()
        lines = talk[talk.index("Go on with:"):].splitlines()
        commands = [line.strip() for line in lines if re.match("  [^ #]", line)]
        self.assertGreater(len(commands), 3)
        for command in commands:
            done = subprocess.run(command, shell=True, text=True, capture_output=True, timeout=60,
                                  check=False)
            self.assertEqual(done.returncode, 0, (command, done.stderr))
        # The last two of them were the week once more.
        weeks = 1 + self.check_second_act(talk) + 1
        state = json.loads(subprocess.run(
            [BUILD / "weir", "state", "get", "us", "-c", self.directory / "earthquakes.yaml"],
            text=True, capture_output=True, timeout=60, check=True).stdout)
        self.assertEqual(int(state["events"]), weeks * EXPECTED["us"]["events"])


class OnKafka(Shared, unittest.TestCase):
    def setUp(self):
        super().setUp()
        sys.path.insert(0, str(REPOSITORY / "tests/kafka"))
        import broker  # what it needs is not there for those who test without Kafka

        self.cluster = broker.Cluster(self.directory.parent / "kafka")
        self.addCleanup(self.cluster.stop)
        self.cluster.start()

    def command(self, *options):
        return super().command("--kafka", self.cluster.bootstrap(), *options)

    def test_the_features_in_the_topic_end_with_the_same_numbers(self):
        _, talk = self.demo()
        weeks = 1 + self.check_second_act(talk)
        lines = (self.directory / "summaries.jsonl").read_text().splitlines()
        self.assertEqual(len(lines), weeks * EXPECTED["total"]["events"])
        last = {record["key"]: record["value"] for record in map(json.loads, lines)}
        self.assertEqual(sorted(last), sorted(set(EXPECTED) - {"total"}))
        for net, value in last.items():
            self.assertEqual(int(value["events"]), weeks * EXPECTED[net]["events"], net)
            self.assertEqual(int(value.get("late", 0)), weeks * EXPECTED[net]["late"], net)
            self.assertEqual(int(value.get("lateMeanMs", 0)), EXPECTED[net]["late_mean_ms"], net)
            self.assertEqual(value["strongest"]["mag"], EXPECTED[net]["strongest"]["mag"], net)


if __name__ == "__main__":
    unittest.main(verbosity=2)
