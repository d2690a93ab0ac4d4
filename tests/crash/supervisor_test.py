#!/usr/bin/env python3
"""`weir run` is two processes: the one that the operator started, and the worker process that it starts
and replaces. What each of them does when the other one dies, and what an operator sees meanwhile.

    supervisor_test.py PROGRAM PLUGINS
"""

import json
import os
import signal
import sys
import time
import unittest

sys.dont_write_bytecode = True
import harness  # noqa: E402 (after the line above, on purpose)
from harness import App, Ledger, entry_of, is_alive, posting, worker_of  # noqa: E402

PATIENCE = harness.WAIT_SECONDS_MAX
CONFIG, REFUSED = 78, 77

YAML = """
app: shop
log: {embedded: {}}
state:
  path: state
  map_size: 512MiB
  commit: {interval: 10ms}
plugins: [PLUGINS/ledger.so]
sources:
  postings: {topic: postings, format: json, partitions: 1}
resolvers:
  post: {use: ledger/post, from: postings, to: {entries: entries}}
sinks:
  entries: {topic: entries, format: json}
admin: {listen: "${LISTEN:-unix:admin.sock}"}
"""


class Case(unittest.TestCase):
    def setUp(self):
        self.app = App(YAML.replace("PLUGINS", str(harness.PLUGINS)))
        self.addCleanup(self.app.close)
        self.values = []
        self.produce(50)

    def produce(self, count):
        more = [posting(f"r{len(self.values) + i}", "ana", i) for i in range(count)]
        self.app.produce("postings", ({"partition": 0, "value": value} for value in more))
        self.values += more

    def start(self, *options, env=None):
        self.app.talk = open(self.app.directory / "talk.jsonl", "w+")
        self.addCleanup(self.app.talk.close)
        host = self.app.start("run", "-c", "app.yaml", "--log-format", "json", *options, env=env,
                              stderr=self.app.talk)
        self.addCleanup(self.end, host)
        return host

    def end(self, host):
        """Also the worker, so that the directory can go."""
        worker = worker_of(host)
        host.kill()
        host.wait()
        if worker is not None:
            self.wait_until(lambda: not is_alive(worker), "the worker's end")

    def talk(self):
        return (self.app.directory / "talk.jsonl").read_text()

    def wait_until(self, condition, what):
        return harness.wait_until(condition, what, self.talk)

    def wait_for_all(self):
        def count():
            done = self.app.call("state", "get", "ana", "-c", "app.yaml", expect=None)
            return done.returncode == 0 and int(json.loads(done.stdout)["count"]) == len(self.values)
        self.wait_until(count, "all records")

    def stop(self, host, code=0):
        host.send_signal(signal.SIGTERM)
        self.assertEqual(host.wait(PATIENCE), code, self.talk())

    def check_output(self):
        ledger = Ledger()
        for offset, value in enumerate(self.values):
            ledger.add(0, offset, value.encode(), 1)
        self.assertEqual(int(self.app.states()["post", "ana"]["chain"]),
                         ledger.entries["ana"][-1]["chain"])
        self.assertEqual([entry_of(record["value"]) for record in self.app.consume("entries")],
                         ledger.entries["ana"])

    def get(self, path):
        return self.app.get(path)


class Replaced(Case):
    def test_a_worker_that_dies_alone_is_replaced_and_nothing_is_lost(self):
        host = self.start()
        worker = None
        for died in range(4):
            self.wait_for_all()
            worker = self.wait_until(lambda w=worker: worker_of(host, other_than=w), "a worker")
            self.wait_until(lambda: (self.get("/readyz") or (0,))[0] == 200, "readiness")
            told = json.loads(self.app.call("status", "app.yaml", "--format", "json"))
            self.assertEqual((told["pid"], told["worker_pid"], told["worker_restarts"]),
                             (host.pid, worker, died))
            self.assertIn(f"weir_worker_restarts_total {died}\n", self.get("/metrics")[1])
            os.kill(worker, signal.SIGKILL)
            self.produce(50)
        self.wait_for_all()
        self.stop(host)
        self.check_output()
        self.assertIn("the worker process was killed by SIGKILL", self.talk())

    def test_until_the_end_as_well(self):
        for step in ("fetch", "resolve", "commit", "publish"):
            self.produce(50)
            done = self.app.run_until_end("--kill-at", f"{step}:1")
            self.assertIn("the worker process was killed by SIGKILL", done.stderr)
            self.check_output()

    def test_a_chosen_port_stays_the_same(self):
        host = self.start(env={"LISTEN": "127.0.0.1:0"})
        address = self.app.directory / "state" / "admin.address"
        self.wait_for_all()
        before = address.read_text()
        worker = worker_of(host)
        os.kill(worker, signal.SIGKILL)
        self.wait_until(lambda: worker_of(host, other_than=worker), "the next worker")
        self.produce(1)
        self.wait_for_all()
        self.assertEqual(address.read_text(), before)
        self.stop(host)

    def test_a_start_that_fails_ends_it_but_a_failing_restart_is_tried_again(self):
        good = (self.app.directory / "app.yaml").read_text()
        self.app.write("app: [\n")
        done = self.app.run_until_end(expect=CONFIG)
        self.assertNotIn("worker process", done.stderr)
        self.app.write(good)
        host = self.start()
        self.wait_for_all()
        self.app.write("app: [\n")
        os.kill(worker_of(host), signal.SIGKILL)
        self.wait_until(lambda: "starts in 200 ms" in self.talk(), "two failed restarts")
        self.wait_until(lambda: (self.get("/readyz") or (0, ""))[0] == 503 and
                        "exited with code 78" in self.get("/readyz")[1], "who answers in between")
        self.assertEqual(self.get("/livez"), (200, "alive\n"))
        told = self.app.call("status", "app.yaml", "--state", "state", expect=1)
        self.assertIn(f"pid {host.pid}", told)
        self.assertIn("exited with code 78; the next one starts in", told)
        self.assertIn("weir_ready 0\n", self.get("/metrics")[1])
        self.app.write(good)
        self.produce(10)
        self.wait_for_all()
        self.wait_until(lambda: (self.get("/readyz") or (0,))[0] == 200, "readiness")
        self.stop(host)
        self.check_output()

    def test_a_stop_between_two_workers_ends_it(self):
        host = self.start()
        self.wait_for_all()
        self.app.write("app: [\n")
        os.kill(worker_of(host), signal.SIGKILL)
        self.wait_until(lambda: "starts in 800 ms" in self.talk(), "failed restarts")
        self.stop(host)
        self.assertIn("stopped while no worker process was running", self.talk())


class Together(Case):
    def test_the_worker_dies_with_its_supervisor_and_the_next_start_waits_for_it(self):
        for _ in range(10):
            host = self.start()
            worker = self.wait_until(lambda: worker_of(host), "the worker")
            self.wait_until(lambda: '"app shop: 1 task' in self.talk(), "the start")
            host.kill()
            host.wait()
            self.produce(20)
            self.app.run_until_end()
            self.assertFalse(is_alive(worker))
        self.check_output()

    def test_a_second_host_names_the_process_to_stop(self):
        host = self.start()
        self.wait_for_all()
        began = time.monotonic()
        done = self.app.run_until_end(expect=REFUSED)
        self.assertIn(f"pid {host.pid}", done.stderr)
        self.assertLess(time.monotonic() - began, 5, "nothing is waited for that does not end")
        self.stop(host)

    def test_a_terminals_signals_reach_the_worker_once(self):
        host = self.start()
        self.wait_for_all()
        worker = worker_of(host)
        self.assertEqual(os.getpgid(worker), worker)
        host.send_signal(signal.SIGTSTP)
        self.wait_until(lambda: state_of(host.pid) == "T" and state_of(worker) == "T", "^Z")
        host.send_signal(signal.SIGCONT)
        self.produce(10)
        self.wait_for_all()
        host.send_signal(signal.SIGINT)
        self.assertEqual(host.wait(PATIENCE), 0, self.talk())
        self.check_output()

    def test_without_a_supervisor_there_is_one_process(self):
        host = self.start("--no-supervisor")
        self.wait_for_all()
        self.assertIsNone(worker_of(host))
        host.kill()
        self.assertEqual(host.wait(PATIENCE), -signal.SIGKILL)
        self.produce(10)
        self.app.run_until_end("--no-supervisor")
        self.check_output()


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return stat.read().rpartition(")")[2].split()[0]


if __name__ == "__main__":
    harness.arguments(sys.argv)
    unittest.main()
