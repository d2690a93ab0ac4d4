#!/usr/bin/env python3
"""Memory of `weir run` follows neither the backlog nor the number of keys, and one huge State is a limit
that is kept.

    memory_test.py PROGRAM PLUGINS

What is measured is RssAnon of /proc/PID/status: memory that only the process can give back. The pages of
LMDB's maps, which VmRSS and VmHWM count too, are the kernel's cache of the files.
"""

import json
import os
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402 (after the line above, on purpose)
from harness import App, memory_directory, posting  # noqa: E402

MIB = 1 << 20
BACKLOG = int(os.environ.get("WEIR_BACKLOG") or 100_000)  # records; the larger one has ten times that

# Commits by number of records alone, so that a commit is as large on a slow machine as on a fast one.
YAML = """
app: memory
log: {embedded: {sync: false}}
state:
  map_size: 4GiB
  commit: {interval: 1h, records: "${RECORDS:-10000}"}
  live: {count: "${LIVE:-200000}"}
plugins: [PLUGINS/ledger.so]
sources:
  postings: {topic: postings}
resolvers:
  post: {use: ledger/post, from: postings, to: {entries: entries}}
sinks:
  entries: {topic: entries}
"""


class Memory(unittest.TestCase):
    def app(self):
        app = App(YAML.replace("PLUGINS", str(harness.PLUGINS)), memory_directory(4 << 30))
        self.addCleanup(app.close)
        return app

    def produce(self, app, count, keys):
        """`count` records over `keys` accounts, in no order that a cache would like."""
        producer = app.start("produce", "postings", "-c", "app.yaml", "--raw",
                             stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for i in range(count):
            producer.stdin.write(f'{{"id":"r{i}","account":"account-{i * 7919 % keys}","amount":1}}\n')
        producer.stdin.close()
        self.assertEqual(producer.wait(), 0)

    def peak(self, app, env=None, expect=0):
        """The most RssAnon of a run to the end, in bytes, as seen from outside."""
        host = app.start("run", "-c", "app.yaml", "--until-end", "--no-supervisor", env=env,
                         stderr=subprocess.PIPE, text=True)
        most = 0
        while host.poll() is None:
            try:
                with open(f"/proc/{host.pid}/status", encoding="ascii") as status:
                    for line in status:
                        if line.startswith("RssAnon:"):
                            most = max(most, int(line.split()[1]) * 1024)
            except ProcessLookupError:
                pass
            time.sleep(0.001)
        app.talk = host.stderr.read()
        host.stderr.close()
        self.assertEqual(host.returncode, expect, app.talk)
        self.assertGreater(most, 0)
        return most

    def test_ten_times_the_backlog_takes_no_more_memory(self):
        peaks = []
        for count in (BACKLOG, 10 * BACKLOG):
            app = self.app()
            self.produce(app, count, 1000)
            peaks.append(self.peak(app))
            self.assertIn(f"{count} records, {count} resolved", app.talk)
        print(f"peaks: {peaks[0] / MIB:.1f} MiB for {BACKLOG} records, {peaks[1] / MIB:.1f} MiB for "
              f"{10 * BACKLOG}", flush=True)
        self.assertLess(peaks[1], 1.1 * peaks[0])

    def test_a_million_keys_are_bounded_by_the_live_set(self):
        keys = 10 * BACKLOG
        app = self.app()
        self.produce(app, keys, keys)
        # Ten thousand live States, and as many pages of the tree in one transaction at most.
        bounded = self.peak(app, env={"LIVE": "10000"})
        self.assertIn(f"{keys} records, {keys} resolved", app.talk)
        app = self.app()
        self.produce(app, keys, keys)
        unbounded = self.peak(app, env={"LIVE": str(2 * keys)})
        print(f"peaks: {bounded / MIB:.1f} MiB with 10,000 States live, {unbounded / MIB:.1f} MiB with "
              f"{keys}", flush=True)
        self.assertLess(bounded, 128 * MIB)
        if keys >= 1_000_000:
            self.assertGreater(unbounded, 256 * MIB, "the measurement sees live States")

    def test_a_state_of_100_mb_is_kept_and_one_beyond_the_limit_halts(self):
        app = self.app()
        app.produce("postings", ({"value": posting(f"r{i}", "huge", 1, "pad", 10_000_000)}
                                 for i in range(10)))
        peak = self.peak(app)
        self.assertEqual(self.huge(app)["count"], "10")
        print(f"peak: {peak / MIB:.1f} MiB with a State of 100 MB", flush=True)
        self.assertLess(peak, 700 * MIB)

        app.produce("postings", ({"value": posting(f"r{i}", "huge", 1, "pad", 10_000_000)}
                                 for i in range(10, 15)))
        self.peak(app, expect=76)
        self.assertIn('cannot save the State of key \\"huge\\"', app.talk)
        self.assertIn(f"the limit is {128 * MIB} B", app.talk)
        self.assertIn("keep less for a key", app.talk)
        self.assertEqual(self.huge(app)["count"], "10", "what was committed stays")

    def huge(self, app):
        """The State of the key, without its padding."""
        done = app.call("state", "get", "huge", "-c", "app.yaml", expect=None)
        self.assertEqual(done.returncode, 0, done.stderr)
        return {name: value for name, value in json.loads(done.stdout).items() if name != "padding"}


if __name__ == "__main__":
    harness.arguments(sys.argv)
    unittest.main(verbosity=2)
