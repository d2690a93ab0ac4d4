#!/usr/bin/env python3
"""Every plugin of the zoo as the next build of a running app: refused at its step, or only seen by
`weir plugin check`; and the build that runs goes on as if nothing had been asked.

    reload_test.py WEIR PLUGINS SOURCES
"""

import json
import pathlib
import re
import shutil
import signal
import sys
import threading
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "crash"))
import harness  # noqa: E402

YAML = """
app: zoo
plugins: [zoo.so]
sources: {in: {topic: in, format: bytes}}
resolvers: {count: {use: zoo/count, from: in, to: out}}
sinks: {out: {topic: out, format: json}}
"""

REFUSED = {
    "bad_manifest": ("lint", "manifest"),
    "crash_on_older_state": ("probe", "crashed"),
    "crash_on_timer": ("schema", "state_schema"),
    "create_throws": ("probe", "crashed"),
    "ctor_exit0": ("probe", "exited"),
    "ctor_hangs": ("probe", "hangs"),
    "ctor_segv": ("probe", "crashed"),
    "ctor_throws": ("probe", "crashed"),
    "extra_export": ("lint", "exports"),
    "full_runtime": ("lint", "protobuf"),
    "garbled_schemas": ("lint", "schemas"),
    "gnu_unique": ("lint", "exports"),
    "leaks_on_unload": ("probe", "stays_mapped"),
    "missing_type": ("lint", "schemas"),
    "name_mismatch": ("probe", "does_not_load"),
    "no_entry": ("lint", "exports"),
    "no_manifest": ("lint", "manifest"),
    "no_notify": ("schema", "state_schema"),
    "no_schemas": ("lint", "schemas"),
    "nodelete": ("lint", "unload"),
    "not_elf": ("lint", "file"),
    "null_slot": ("probe", "does_not_load"),
    "protobuf_mismatch": ("lint", "protobuf"),
    "refuses_host": ("probe", "does_not_load"),
    "register_extension": ("lint", "protobuf"),
    "refuses_older_state": ("probe", "state_unreadable"),
    "resolve_throws": ("probe", "exited"),
    "short_struct": ("probe", "does_not_load"),
    "shuts_protobuf_down": ("lint", "protobuf"),
    "state_given_up": ("schema", "state_schema"),
    "state_not_roundtrip": ("probe", "state_lost"),
    "state_type_renamed": ("schema", "state_schema"),
    "static_tls": ("lint", "unload"),
    "text_relocations": ("lint", "unload"),
    "too_few_resolvers": ("probe", "does_not_load"),
    "truncated": ("lint", "file"),
    "two_manifests": ("lint", "manifest"),
    "undefined_symbol": ("probe", "does_not_load"),
    "wrong_abi": ("lint", "abi"),
    "wrong_machine": ("lint", "file"),
}
# What shows with other records and States than the app has: the author's `weir plugin check` finds it.
LEFT_TO_THE_CHECK = {
    "bad_verdict", "changes_process", "crash_on_garbage_record", "crash_on_garbage_state",
    "depends_on_batches", "hangs_on_garbage_record", "leaks_memory", "migrates_again",
    "nondeterministic", "not_readable_by", "shared_between_instances", "static_state",
    "wrong_feature",
}


class Zoo(unittest.TestCase):
    def test_every_sin_has_its_step(self):
        self.assertEqual(sorted([*REFUSED, *LEFT_TO_THE_CHECK]),
                         sorted(path.stem for path in SOURCES.iterdir()))

    def test_what_runs_does_not_notice(self):
        app = harness.App(YAML)
        self.addCleanup(app.close)
        shutil.copy(harness.PLUGINS / "good.so", app.directory / "zoo.so")
        given = 0
        stopping = threading.Event()

        def feed():
            nonlocal given
            while not stopping.is_set():
                app.produce("in", [{"key": f"k{n % 7}", "value": str(n)} for n in range(70)])
                given += 70

        feeder = threading.Thread(target=feed)
        app.produce("in", [{"key": f"k{n}", "value": "first"} for n in range(7)])
        with open(app.directory / "errors.txt", "wb") as errors:
            host = app.start("run", "-c", "app.yaml", stderr=errors)
            try:
                deadline = time.monotonic() + 30
                while app.call("status", "app.yaml", expect=None).returncode != 0:
                    self.assertLess(time.monotonic(), deadline, "the host is not ready")
                    time.sleep(0.05)
                feeder.start()
                for name, (step, code) in REFUSED.items():
                    with self.subTest(name):
                        done = self.reload(app, name)
                        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                        found = re.search(r"refused at the step (\w+) \((\w+)\)", done.stderr)
                        self.assertEqual(found and found.groups(), (step, code), done.stderr)
                for name in LEFT_TO_THE_CHECK:
                    with self.subTest(name):
                        done = self.reload(app, name, "--dry-run")
                        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                status = json.loads(app.call("status", "app.yaml", "--format", "json"))
                self.assertEqual(status["worker_restarts"], 0)
            finally:
                stopping.set()
                if feeder.ident is not None:
                    feeder.join()
                host.send_signal(signal.SIGTERM)
                self.assertEqual(host.wait(60), 0)
        app.run_until_end()
        # The good plugin counts the records of a key, and says so with each.
        counts = {}
        for line in app.call("consume", "out", "-c", "app.yaml").splitlines():
            feature = json.loads(line)
            counts[feature["key"]] = counts.get(feature["key"], 0) + 1
            self.assertEqual(int(feature["value"]["records"]), counts[feature["key"]])
        self.assertEqual(sum(counts.values()), 7 + given)

    def reload(self, app, name, *options):
        return app.call("reload", "--from", harness.PLUGINS / f"{name}.so", *options, "-c",
                        "app.yaml", expect=None)


if __name__ == "__main__":
    harness.arguments(sys.argv)
    SOURCES = pathlib.Path(sys.argv.pop(1))
    # The good plugin with its State type changed wrongly, in each way.
    REFUSED.update((path.stem, ("schema", "state_schema")) for path in SOURCES.glob("*.sed"))
    unittest.main()
