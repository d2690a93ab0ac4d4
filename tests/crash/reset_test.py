#!/usr/bin/env python3
"""`weir reset` on the embedded log: what it says, what it refuses, and that State and output are then
exactly what this program computes for the records that were read, also if it is killed in between.

    reset_test.py PROGRAM PLUGINS
"""

import json
import shutil
import sys
import time
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402 (after the line above, on purpose)
from harness import App, Ledger, entry_of, partition_of, posting, was_killed  # noqa: E402

PARTITIONS = 3
BEGIN_MS = 1_700_000_000_000
USAGE, NO_LOG, REFUSED = 64, 69, 77
YAML = """
app: shop
log: {embedded: {path: log}}
state: {map_size: 1GiB, commit: {interval: 10ms}}
plugins: [PLUGINS/ledger.so]
sources:
  postings: {topic: postings, partitions: 3, arrival: record}
resolvers:
  post: {use: ledger/post, from: postings, to: {entries: entries, lines: lines}}
sinks:
  entries: {topic: entries, format: json}
  lines: {file: "lines-{task}.jsonl"}
"""


def records(first, count, accounts=7):
    """Of every account in turn, a second apart, some with a timer."""
    out = []
    for number in range(first, first + count):
        account = f"account-{number % accounts}"
        value = json.loads(posting(f"r{number}", account, number))
        if number % 5 == 0:
            value["timer_ms"] = 20_000
        out.append({"partition": partition_of(account.encode(), PARTITIONS), "value": json.dumps(value),
                    "timestamp": BEGIN_MS + number * 1000})
    return out


def ledger_of(*runs):
    """What becomes of the records of one run after the other; timers and clocks go on."""
    ledger = Ledger()
    for offset, record in enumerate(one for run in runs for one in run):
        ledger.arrive(record["partition"], record["timestamp"])
        ledger.add(record["partition"], offset, record["value"].encode(), PARTITIONS)
    return ledger


class Case(unittest.TestCase):
    def app(self, batch):
        app = App(YAML.replace("PLUGINS", str(harness.PLUGINS)))
        self.addCleanup(app.close)
        app.log = app.directory / "log"
        app.produce("postings", batch)
        app.run_until_end()
        return app

    def reset(self, app, *words, expect=0):
        done = app.call("reset", "app.yaml", *words, expect=None)
        self.assertEqual(done.returncode, expect, done.stderr)
        return done

    def rows(self, app, *words):
        done = self.reset(app, *words, "--format", "json")
        return {row["task"]: row for row in map(json.loads, done.stdout.splitlines())}

    def check_states(self, app, ledger):
        self.assertEqual(app.accounts(), ledger.states())
        self.assertEqual({account: int(ms) for (_, account), ms in app.timers().items()},
                         {account: ms for account, (_, ms) in ledger.timers.items()})

    def check_output(self, app, *ledgers):
        """The topic and the files have the entries of one ledger after the other."""
        wanted = {}
        for ledger in ledgers:
            for account, entries in ledger.entries.items():
                wanted.setdefault(account, []).extend(entries)
        topic, files = {}, {}
        for record in app.consume("entries"):
            topic.setdefault(record["key"], []).append(entry_of(record["value"]))
        for path in sorted(app.directory.glob("lines-*.jsonl")):
            for line in path.read_text().splitlines():
                entry = entry_of(json.loads(line))
                files.setdefault(entry["account"], []).append(entry)
        self.assertEqual(topic, wanted)
        self.assertEqual(files, wanted)


class GoesOn(Case):
    def test_drop_and_earliest_make_everything_anew(self):
        batch = records(0, 200)
        app = self.app(batch)
        once = ledger_of(batch)
        self.check_states(app, once)
        rows = self.rows(app, "--to", "earliest", "--state", "drop")
        self.assertEqual(sum(row["states"] for row in rows.values()), 7)
        self.assertEqual(sum(row["timers"] for row in rows.values()), len(once.timers))
        self.assertEqual(sum(row["read_again"] for row in rows.values()), 200)
        self.assertEqual(app.states(), {})
        app.run_until_end()
        self.check_states(app, once)
        self.check_output(app, once, once)

    def test_keep_and_latest_skip(self):
        first, skipped, last = records(0, 100), records(100, 40), records(140, 60)
        app = self.app(first)
        app.produce("postings", skipped)
        done = self.reset(app, "--to", "latest", "--state", "keep")
        self.assertIn("up to 40 records are never read", done.stderr)
        app.produce("postings", last)
        app.run_until_end()
        self.check_states(app, ledger_of(first, last))
        self.check_output(app, ledger_of(first, last))

    def test_keep_and_earliest_count_twice_and_say_so(self):
        batch = [{**record, "value": record["value"].replace(', "timer_ms": 20000', "")}
                 for record in records(0, 90)]
        app = self.app(batch)
        done = self.reset(app, "--to", "earliest", "--state", "keep")
        self.assertIn("up to 90 records have been applied to this State and are applied to it a second "
                      "time", done.stderr)
        app.run_until_end()
        self.check_states(app, ledger_of(batch, batch))

    def test_a_time_is_that_of_the_first_record_then(self):
        batch = records(0, 120)
        app = self.app(batch)
        at = BEGIN_MS + 60_000
        for to in (f"{at}ms", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at / 1000))):
            rows = self.rows(app, "--to", to, "--state", "drop")
            self.assertEqual(sum(row["read_again"] for row in rows.values()), 60)
            app.run_until_end()
            self.check_states(app, ledger_of(batch[60:]))
        done = self.reset(app, "--to", f"{at * 2}ms", "--state", "drop")
        self.assertIn("it goes on at the end, as with --to latest", done.stderr)
        app.run_until_end()
        self.assertEqual(app.states(), {})

    def test_an_offset_of_one_partition_moves_only_its_task(self):
        batch = records(0, 90)
        app = self.app(batch)
        partition = batch[0]["partition"]
        own = [record for record in batch if record["partition"] == partition]
        others = [record for record in batch if record["partition"] != partition]
        rows = self.rows(app, "--to", 5, "--state", "drop", "--source", "postings", "--partition",
                         partition)
        self.assertEqual(list(rows), [f"postings-{partition}"])
        app.run_until_end()
        self.check_states(app, ledger_of(others, own[5:]))

    def test_letters_that_were_sent_back_go_with_the_state(self):
        batch = records(0, 30)
        bad = {"partition": 1, "value": "no JSON", "timestamp": BEGIN_MS}
        app = self.app([bad, *batch])
        for state, waiting in (("keep", 1), ("drop", 0)):
            app.call("deadletters", "retry", "0:0", "--again", "-c", "app.yaml")
            rows = self.rows(app, "--to", "current", "--state", state)
            self.assertEqual(rows["postings-1"]["letters_sent_back"], 1)
            rows = self.rows(app, "--to", "current", "--state", state, "--dry-run")
            self.assertEqual(rows["postings-1"]["letters_sent_back"], waiting)
            app.run_until_end()

    def test_a_lost_state_directory_begins_anew(self):
        batch = records(0, 50)
        app = self.app(batch)
        shutil.rmtree(app.directory / "state")
        refused = app.run_until_end(expect=REFUSED)
        self.assertIn("has no State", refused.stderr)
        self.assertIn("weir reset", refused.stderr)
        self.reset(app, "--to", "current", "--state", "keep", expect=REFUSED)
        self.reset(app, "--to", "earliest", "--state", "drop")
        app.run_until_end()
        self.check_states(app, ledger_of(batch))
        self.check_output(app, ledger_of(batch), ledger_of(batch))


class Says(Case):
    def test_a_dry_run_prints_the_same_and_changes_nothing(self):
        app = self.app(records(0, 60))
        words = ("--to", "5", "--state", "drop")
        before = app.states(), app.timers()
        tried = self.reset(app, *words, "--dry-run")
        self.assertEqual((app.states(), app.timers()), before)
        self.assertIn("nothing was changed", tried.stderr)
        done = self.reset(app, *words)
        self.assertEqual(done.stdout, tried.stdout)
        lines = [line.split() for line in done.stdout.splitlines()]
        self.assertEqual(len(lines), 1 + PARTITIONS)
        self.assertEqual(lines[0][:4], ["task", "input", "from", "to"])
        self.assertEqual([line[:2] + line[3:4] for line in lines[1:]],
                         [[f"postings-{p}", f"postings/{p}", "5"] for p in range(PARTITIONS)])

    def test_what_stands_there_already_is_left_alone(self):
        app = self.app(records(0, 20))
        done = self.reset(app, "--to", "latest", "--state", "keep")
        self.assertIn("nothing to do", done.stderr)
        self.assertIn("stays", done.stdout)

    def test_what_is_no_order_is_refused_with_the_way_out(self):
        app = self.app(records(0, 20))
        both = self.reset(app, "--to", "earliest", expect=USAGE).stderr
        self.assertIn("--state drop  it is deleted", both)
        self.assertIn("--state keep  it stays", both)
        for words, said in (
                (("--to", "yesterday"), "2026-01-31T00:00:00Z"),
                (("--to", 1_000_000), "holds offsets 0 to"),
                (("--to", BEGIN_MS), f"write {BEGIN_MS}ms"),
                (("--to", 1, "--source", "posting"), 'did you mean "postings"'),
                (("--to", 1, "--topic", "entries"), "no source of the app reads it"),
                (("--to", 1, "--partition", 3), "partitions 0 to 2"),
                ((), "say where to go on")):
            self.assertIn(said, self.reset(app, *words, "--state", "drop", expect=USAGE).stderr)
        self.check_states(app, ledger_of(records(0, 20)))
        shutil.rmtree(app.directory / "log")
        said = self.reset(app, "--to", "earliest", "--state", "drop", expect=NO_LOG).stderr
        self.assertIn("there is no log", said)

    def test_a_host_that_runs_is_left_alone(self):
        app = self.app(records(0, 20))
        with open(app.directory / "talk", "w", encoding="utf-8") as talk:
            host = app.start("run", "-c", "app.yaml", "--no-progress", stderr=talk)
        self.addCleanup(host.wait)
        self.addCleanup(host.kill)
        until = time.monotonic() + 60
        while app.call("status", "app.yaml", expect=None).returncode != 0:
            self.assertLess(time.monotonic(), until)
            time.sleep(0.05)
        for words in ((), ("--dry-run",)):
            done = self.reset(app, "--to", "earliest", "--state", "drop", *words, expect=REFUSED)
            self.assertIn(f"pid {host.pid}", done.stderr)
            self.assertIn("stop it first", done.stderr)
        host.terminate()
        self.assertEqual(host.wait(), 0)


class Killed(Case):
    WORDS = ("--to", "earliest", "--state", "drop")

    def test_an_interrupted_reset_keeps_hosts_out_until_it_is_run_again(self):
        batch = records(0, 60)
        once = ledger_of(batch)
        # Between any two of its steps, and of its first and its last task.
        for step in ("begin", "commit", "publish", "commit:3", "publish:3", "end"):
            with self.subTest(step=step):
                app = self.app(batch)
                died = app.call("reset", "app.yaml", *self.WORDS, "--kill-at", step, expect=None)
                self.assertTrue(was_killed(died.returncode), died.stderr)
                refused = app.run_until_end(expect=REFUSED)
                command = "weir reset app.yaml --to earliest --state drop"
                self.assertIn(command, refused.stderr)
                one = self.reset(app, *self.WORDS, "--partition", 0, expect=REFUSED)
                self.assertIn(command, one.stderr)
                self.reset(app, *self.WORDS)
                app.run_until_end()
                self.check_states(app, once)
                self.check_output(app, once, once)

    def test_what_the_last_run_had_not_published_goes_out_first_and_once(self):
        batch = records(0, 60)
        for state, to, step in (("drop", "latest", "commit:2"), ("drop", "latest", "publish:4"),
                                ("keep", "current", "commit:2"), ("keep", "latest", "commit:2")):
            with self.subTest(state=state, to=to, step=step):
                app = App(YAML.replace("PLUGINS", str(harness.PLUGINS)))
                self.addCleanup(app.close)
                app.log = app.directory / "log"
                app.produce("postings", batch)
                died = app.run_until_end("--no-supervisor", "--kill-at", step, expect=None)
                self.assertTrue(was_killed(died.returncode), died.stderr)
                applied = sum(int(state["count"]) for state in app.states().values())
                self.assertGreater(applied, 0)
                self.reset(app, "--to", to, "--state", state)
                if state == "keep":
                    app.run_until_end()  # what already stands there is left to it
                out = {(r["key"], entry_of(r["value"])["count"]) for r in app.consume("entries")}
                self.assertEqual(len(out), len(app.consume("entries")), "twice")
                if to == "current":
                    self.check_states(app, ledger_of(batch))
                    self.check_output(app, ledger_of(batch))
                else:
                    self.assertEqual(len(out), applied)


if __name__ == "__main__":
    harness.arguments(sys.argv)
    unittest.main(verbosity=2)
