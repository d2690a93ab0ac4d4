#!/usr/bin/env python3
"""A running `weir run` as its operator sees it: scrapes, probes, `weir status`.

    live_test.py PROGRAM PLUGINS METRICS_PAGE

A scrape is read by Prometheus's own Python client, not by anything of Weir.
"""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import stat
import sys
import time
import unittest

from prometheus_client.parser import text_string_to_metric_families

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "crash"))
import harness  # noqa: E402 (after the lines above, on purpose)
from harness import App, ask, posting, wait_until  # noqa: E402

NOT_READY, UNAVAILABLE, REFUSED = 1, 69, 77
PATIENCE = harness.WAIT_SECONDS_MAX
METRICS_PAGE = None  # set below

YAML = """
app: shop
log: {embedded: {}}
state: {map_size: 1GiB}
plugins: [PLUGINS/ledger.so]
sources:
  postings: {topic: postings, partitions: 2, rejected: "${REJECTED:-dead_letter}"}
  notes: {topic: notes, format: text}
resolvers:
  post: {use: ledger/post, from: postings, to: {entries: entries}}
  note: {use: ledger/note, from: notes, to: entries}
sinks:
  entries: {topic: entries, format: json}
admin: {listen: "${LISTEN:-unix:admin.sock}", stuck_after: "${STUCK_AFTER:-60s}"}
"""


class Case(unittest.TestCase):
    def app(self):
        app = App(YAML.replace("PLUGINS", str(harness.PLUGINS)))
        self.addCleanup(app.close)
        return app

    def start(self, app, env=None):
        app.talk = open(app.directory / "talk.jsonl", "w+")
        self.addCleanup(app.talk.close)
        host = app.start("run", "-c", "app.yaml", env=env, stderr=app.talk)
        self.addCleanup(host.wait)
        self.addCleanup(host.kill)
        return host

    def talk(self, app):
        return (app.directory / "talk.jsonl").read_text()

    def get(self, app, path):
        return app.get(path)

    def wait_ready(self, app):
        wait_until(lambda: self.get(app, "/readyz") == (200, "ready\n"), "readiness")

    def scrape(self, app):
        """Prometheus's reading of a scrape: (name, labels) -> value, and name -> type."""
        answer = self.get(app, "/metrics")
        if answer is None:
            return {}, {}  # it is only just starting
        self.assertEqual(answer[0], 200)
        return parsed(answer[1])

    def wait_for(self, app, name, labels, value):
        found = None

        def is_there():
            nonlocal found
            found = self.scrape(app)[0].get((name, labels))
            return found == value
        try:
            wait_until(is_there, f"{name} {dict(labels)} is {value}")
        except AssertionError:
            self.fail(f"{name} {dict(labels)} did not become {value}: it is {found}")

    def wait_for_note(self, app):
        """Until the record of `notes` is in State."""
        wait_until(lambda: app.call("state", "get", "k", "-c", "app.yaml",
                                    expect=None).returncode == 0, "the record in State")

    def status(self, app, *options, expect):
        return app.call("status", "app.yaml", *options, expect=expect)


def parsed(text):
    samples, types = {}, {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            if key in samples:
                raise AssertionError(f"{key} is there twice")
            samples[key] = sample.value
        name = family.name + ("_total" if family.type == "counter" else "")
        types[name] = family.type
    return samples, types


def labels(**pairs):
    return tuple(sorted(pairs.items()))


class Metrics(Case):
    def test_a_scrape_tells_what_was_done(self):
        app = self.app()
        home = str(harness.partition_of(b"ana", 2))
        other = str(1 - int(home))
        app.produce("postings", ({"partition": int(home), "value": value} for value in [
            posting("r0", "ana", 1), posting("r1", "ana", 2), posting("r2", "ana", 3, "reject"),
            posting("r3", "ana", 4, "skip"), "{not json", posting("r5", "", 6)]))
        self.start(app)
        self.wait_ready(app)
        here = labels(source="postings", partition=home)
        self.wait_for(app, "weir_committed_offset", here, 6)
        self.wait_for(app, "weir_published_records_total", labels(sink="#deadletters"), 3)
        self.wait_for(app, "weir_lag_records", here, 0)
        samples, _ = self.scrape(app)

        post = {"source": "postings", "resolver": "post"}
        for name, at, value in [
                ("weir_records_total", here, 6),
                ("weir_records_total", labels(source="postings", partition=other), 0),
                ("weir_position_offset", here, 6),
                ("weir_end_offset", here, 6),
                ("weir_lag_seconds", here, 0),
                ("weir_outbox_bytes", here, 0),
                ("weir_task_halted", here, 0),
                ("weir_resolved_total", labels(**post), 2),
                ("weir_skipped_total", labels(**post), 1),
                ("weir_features_total", labels(**post), 4),
                ("weir_dead_letters_total", labels(**post), 3),
                ("weir_retries_total", labels(**post), 0),
                ("weir_live_states", labels(**post), 1),
                ("weir_live_states", labels(source="notes", resolver="note"), 0),
                ("weir_set_aside_total", labels(**post, reason="rejected"), 1),
                ("weir_set_aside_total", labels(**post, reason="undecodable"), 1),
                ("weir_set_aside_total", labels(**post, reason="key"), 1),
                ("weir_set_aside_total", labels(**post, reason="late"), 0),
                ("weir_published_records_total", labels(sink="entries"), 2),
                ("weir_log_reachable", (), 1),
                ("weir_ready", (), 1)]:
            self.assertEqual(samples.get((name, at)), value, f"{name} {at}")
        commits = samples["weir_commits_total", here]
        self.assertGreaterEqual(commits, 1)
        self.assertEqual(samples["weir_commit_seconds_count", labels(source="postings")], commits)
        self.assertGreater(samples["weir_commit_seconds_sum", labels(source="postings")], 0)
        self.assertGreaterEqual(
            samples["weir_publish_seconds_count", labels(source="postings")], 1)
        self.assertGreater(samples["weir_publish_seconds_sum", labels(source="postings")], 0)
        self.assertLess(abs(samples["weir_last_commit_timestamp_seconds", here] - time.time()),
                        PATIENCE)
        self.assertGreater(samples["weir_live_state_bytes", labels(**post)], 0)
        self.assertEqual(samples["weir_store_map_bytes", here], 1 << 30)
        self.assertLessEqual(samples["weir_store_used_bytes", here],
                             samples["weir_store_file_bytes", here])
        self.assertIn(("weir_plugin_info", "ledger", "1.0.0"),
                      {(name, dict(at).get("plugin"), dict(at).get("version"))
                       for name, at in samples})

    def test_a_busy_task_lags_in_records_and_in_seconds(self):
        app = self.app()
        home = harness.partition_of(b"ana", 2)
        old = int(time.time() * 1000) - 3_600_000
        app.produce("postings", ({"partition": home, "value": value, "timestamp": old}
                                 for value in [posting("r0", "ana", 0)]))
        host = self.start(app)
        at = labels(source="postings", partition=str(home))
        self.wait_for(app, "weir_records_total", at, 1)
        app.produce("postings", ({"partition": home, "value": value, "timestamp": old}
                                 for value in [posting("w", "ana", 600, "wait"),
                                               posting("r2", "ana", 0)]))
        wait_until((app.directory / "w").exists, "the call that takes long")
        self.wait_for(app, "weir_lag_records", at, 2)
        seconds = self.scrape(app)[0]["weir_lag_seconds", at]
        self.assertGreaterEqual(seconds, 3599)
        self.assertLess(seconds, 3600 + 2 * PATIENCE)
        host.kill()

    def test_the_page_of_metrics_and_a_scrape_name_the_same(self):
        app = self.app()
        app.produce("notes", [{"key": "k", "value": "text"}])
        self.start(app)
        self.wait_ready(app)
        self.wait_for(app, "weir_committed_offset", labels(source="notes", partition="0"), 1)
        _, types = self.scrape(app)
        page = documented()
        elsewhere = {name for name, (_, condition) in page.items() if condition}
        self.assertEqual(sorted(set(types) - set(page)), [], "exposed and not documented")
        self.assertEqual(sorted(set(page) - elsewhere - set(types)), [],
                         "documented and not exposed")
        self.assertEqual({name: page[name][0] for name in types}, types)

    def test_names_follow_the_rules_of_prometheus(self):
        app = self.app()
        self.start(app)
        self.wait_ready(app)
        samples, types = self.scrape(app)
        for name, kind in types.items():
            with self.subTest(name):
                self.assertRegex(name, r"^(weir|process)(_[a-z0-9]+)+$")
                self.assertEqual(name.endswith("_total"), kind == "counter")
                self.assertNotRegex(name, r"_(ms|milliseconds|minutes|kib|mib|percent)(_|$)")
                self.assertNotRegex(name, r"_(count|sum|bucket|avg|max|min)$")
        allowed = {"source", "partition", "resolver", "reason", "sink", "worker", "le", "version",
                   "abi", "plugin", "sha256"}
        self.assertEqual({label for _, at in samples for label, _ in at} - allowed, set())


def documented():
    """name -> (type, condition) of the page's rows `| `name` | type | labels | ... |`. A row under a
    heading that begins with "Only" is not in every scrape."""
    page, condition = {}, False
    for line in METRICS_PAGE.read_text().splitlines():
        if line.startswith("#"):
            condition = line.lstrip("# ").startswith("Only")
        row = re.match(r"^\| `([a-z0-9_]+)` \| (counter|gauge|histogram) \|", line)
        if row:
            if row[1] in page:
                raise AssertionError(f"{row[1]} is documented twice")
            page[row[1]] = row[2], condition
    if len(page) < 20:
        raise AssertionError(f"the page documents only {sorted(page)}")
    return page


class Probes(Case):
    def test_a_halted_task_is_not_ready_and_says_why(self):
        app = self.app()
        home = harness.partition_of(b"ana", 2)
        app.produce("postings", [{"partition": home, "value": posting("bad", "ana", 1, "reject")}])
        self.start(app, env={"REJECTED": "halt"})
        wait_until(lambda: "halted: " in (self.get(app, "/readyz") or (0, ""))[1], "the halt")
        status, text = self.get(app, "/readyz")
        self.assertEqual(status, 503)
        self.assertEqual(len(text.splitlines()), 1)
        self.assertIn("rejected bad", text)
        self.assertEqual(self.get(app, "/livez"), (200, "alive\n"))
        samples, _ = self.scrape(app)
        self.assertEqual(samples["weir_task_halted", labels(source="postings", partition=str(home),
                                                            reason="refused")], 1)
        self.assertEqual(samples["weir_ready", ()], 0)
        said = self.status(app, expect=NOT_READY)
        self.assertIn("not ready\n", said)
        self.assertIn("rejected bad", said)

    def test_a_worker_that_hangs_in_a_resolver_is_not_alive(self):
        app = self.app()
        home = harness.partition_of(b"ana", 2)
        app.produce("postings", [{"partition": home, "value": posting("w", "ana", 600, "wait")}])
        host = self.start(app, env={"STUCK_AFTER": "1s"})
        wait_until(lambda: (self.get(app, "/livez") or (0,))[0] == 503, "the sign of death")
        self.assertIn("worker 0 ", self.get(app, "/livez")[1])
        host.kill()

    def test_slow_clients_keep_neither_records_nor_probes_nor_the_end_waiting(self):
        app = self.app()
        host = self.start(app)
        self.wait_ready(app)
        clients = []  # more than the host serves at a time, the rest waits in the kernel

        def connect():
            client = socket.socket(socket.AF_UNIX)
            self.addCleanup(client.close)
            client.setblocking(False)
            try:
                client.connect(str(app.directory / "state" / "admin.sock"))
            except BlockingIOError:
                return False  # the kernel's queue is full until the host has looked at it
            client.send(b"GET /metrics HTTP/1.1\r\nA: ")
            clients.append(client)
            return len(clients) == 40
        wait_until(connect, "40 connections")
        app.produce("notes", [{"key": "k", "value": "text"}])
        self.wait_for_note(app)
        host.send_signal(signal.SIGTERM)
        self.assertEqual(host.wait(PATIENCE), 0, self.talk(app))


class Listening(Case):
    def test_the_socket_is_for_its_own_user_and_gone_after_the_end(self):
        app = self.app()
        host = self.start(app)
        self.wait_ready(app)
        path = app.directory / "state" / "admin.sock"
        self.assertEqual(stat.S_IMODE(os.lstat(path).st_mode), 0o600)
        host.send_signal(signal.SIGTERM)
        self.assertEqual(host.wait(PATIENCE), 0)
        self.assertFalse(path.exists())

    def test_a_chosen_port_is_in_the_talk_and_found_by_status(self):
        app = self.app()
        self.start(app, env={"LISTEN": "127.0.0.1:0"})
        wait_until(lambda: "status at 127.0.0.1:" in self.talk(app), "the address")
        port = int(re.search(r"status at 127\.0\.0\.1:(\d+)", self.talk(app))[1])
        wait_until(lambda: ask(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE),
                               "/readyz") == (200, "ready\n"), "readiness")
        self.assertIn(": ready\n", self.status(app, expect=0))

        other = self.app()
        second = self.start(other, env={"LISTEN": f"127.0.0.1:{port}"})
        self.assertEqual(second.wait(PATIENCE), UNAVAILABLE)
        self.assertIn(f"cannot listen at 127.0.0.1:{port}", self.talk(other))

    def test_off_listens_nowhere_and_status_says_who_runs(self):
        app = self.app()
        app.produce("notes", [{"key": "k", "value": "text"}])
        host = self.start(app, env={"LISTEN": "off"})
        self.wait_for_note(app)
        self.assertFalse((app.directory / "state" / "admin.sock").exists())
        said = app.call("status", "app.yaml", expect=None)
        self.assertEqual(said.returncode, UNAVAILABLE)
        self.assertIn(f"app shop (pid {host.pid} on ", said.stderr)

    def test_another_machine_is_let_in_only_on_purpose(self):
        app = self.app()
        said = app.call("validate", "app.yaml", "--no-plugins", env={"LISTEN": "0.0.0.0:9464"},
                        expect=None)
        self.assertEqual(said.returncode, 78)
        self.assertIn("admin.allow_remote", said.stderr)


class Status(Case):
    def test_it_reads_what_the_host_says(self):
        app = self.app()
        home = harness.partition_of(b"ana", 2)
        app.produce("postings", [{"partition": home, "value": posting("r0", "ana", 1)},
                                 {"partition": home, "value": "{"}])
        self.start(app)
        self.wait_ready(app)
        self.wait_for(app, "weir_lag_records", labels(source="postings", partition=str(home)), 0)
        self.wait_for(app, "weir_committed_offset",
                      labels(source="postings", partition=str(home)), 2)
        for options in (["app.yaml"], ["-c", "app.yaml"], ["--state", "state"]):
            said = app.call("status", *options)
            rows = [re.split(r"\s{2,}", line) for line in said.splitlines() if line]
            self.assertIn(["postings", str(home), "running", "2", "0", "0 ms", "2",
                           "undecodable 1"], [row[:8] for row in rows])
            self.assertRegex(said.splitlines()[0], r"^app shop, weir [0-9.]+ \(abi [0-9.]+\), "
                                                   r"pid \d+, up .*: ready$")
        told = json.loads(self.status(app, "--format", "json", expect=0))
        self.assertTrue(told["ready"])
        tasks = {task["task"]: task for task in told["tasks"]}
        self.assertEqual(sorted(tasks), ["notes-0", "postings-0", "postings-1"])
        task = tasks[f"postings-{home}"]
        self.assertEqual((task["position"], task["end"], task["lag_records"], task["records"],
                          task["set_aside"]["undecodable"]), (2, 2, 0, 2, 1))
        self.assertGreater(task["commit_seconds"]["p99"], 0)

    def test_without_a_host_it_says_so_and_what_works(self):
        app = self.app()
        for prepare in (lambda: None, self.killed_host(app)):
            prepare()
            said = app.call("status", "app.yaml", expect=None)
            self.assertEqual(said.returncode, UNAVAILABLE)
            self.assertEqual(said.stdout, "")
            self.assertIn("no host runs in", said.stderr)
            self.assertIn("weir state list -c app.yaml", said.stderr)
        said = app.call("status", expect=None)
        self.assertEqual(said.returncode, 64)

    def killed_host(self, app):
        def kill():
            host = self.start(app)
            self.wait_ready(app)
            worker = harness.worker_of(host)
            host.kill()
            host.wait()
            wait_until(lambda: not harness.is_alive(worker), "the worker's end")
            self.assertTrue((app.directory / "state" / "admin.sock").exists())
        return kill

    def test_a_start_after_a_kill_takes_the_socket_over(self):
        app = self.app()
        self.killed_host(app)()
        self.start(app)
        self.wait_ready(app)


if __name__ == "__main__":
    METRICS_PAGE = pathlib.Path(sys.argv.pop(3)).resolve()
    harness.arguments(sys.argv)
    unittest.main(verbosity=2)
