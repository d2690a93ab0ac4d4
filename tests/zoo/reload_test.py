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
    "batch_free_throws": ("probe", "crashed"),
    "changes_environment": ("probe", "process_changed"),
    "changes_locale": ("probe", "process_changed"),
    "changes_process": ("probe", "process_changed"),
    "changes_signal_mask": ("probe", "process_changed"),
    "crash_on_older_state": ("probe", "crashed"),
    "crash_on_timer": ("schema", "state_schema"),
    "create_throws": ("probe", "crashed"),
    "ctor_aborts": ("probe", "crashed"),
    "ctor_exit0": ("probe", "exited"),
    "ctor_hangs": ("probe", "hangs"),
    "ctor_segv": ("probe", "crashed"),
    "ctor_throws": ("probe", "crashed"),
    "destroy_throws": ("probe", "crashed"),
    "emits_gigabyte": ("probe", "record_fails"),
    "entry_throws": ("probe", "crashed"),
    "extra_export": ("lint", "exports"),
    "full_runtime": ("lint", "protobuf"),
    "garbage_state": ("probe", "state_unreadable"),
    "garbled_schemas": ("lint", "schemas"),
    "gnu_unique": ("lint", "exports"),
    "hangs_in_entry": ("probe", "hangs"),
    "hangs_on_message": ("probe", "hangs"),
    "keeps_record_pointer": ("probe", "crashed"),
    "keeps_state_pointer": ("probe", "crashed"),
    "leaks_on_unload": ("probe", "stays_mapped"),
    "leaves_descriptor": ("probe", "process_changed"),
    "missing_type": ("lint", "schemas"),
    "name_mismatch": ("probe", "does_not_load"),
    "no_entry": ("lint", "exports"),
    "no_manifest": ("lint", "manifest"),
    "no_notify": ("schema", "state_schema"),
    "no_schemas": ("lint", "schemas"),
    "nodelete": ("lint", "unload"),
    "not_elf": ("lint", "file"),
    "notify_throws": ("schema", "state_schema"),
    "null_slot": ("probe", "does_not_load"),
    "prepare_throws": ("probe", "crashed"),
    "protobuf_mismatch": ("lint", "protobuf"),
    "reads_past_end": ("probe", "crashed"),
    "refuses_host": ("probe", "does_not_load"),
    "refuses_older_state": ("probe", "state_unreadable"),
    "register_extension": ("lint", "protobuf"),
    "resolve_throws": ("probe", "crashed"),
    "short_struct": ("probe", "does_not_load"),
    "shutdown_throws": ("probe", "crashed"),
    "shuts_protobuf_down": ("lint", "protobuf"),
    "slow": ("probe", "too_slow"),
    "smashes_heap": ("probe", "crashed"),
    "starts_thread": ("probe", "process_changed"),
    "state_free_throws": ("probe", "crashed"),
    "state_given_up": ("schema", "state_schema"),
    "state_load_throws": ("probe", "crashed"),
    "state_not_roundtrip": ("probe", "state_lost"),
    "state_save_throws": ("probe", "crashed"),
    "state_type_renamed": ("schema", "state_schema"),
    "static_tls": ("lint", "unload"),
    "text_relocations": ("lint", "unload"),
    "too_few_resolvers": ("probe", "does_not_load"),
    "truncated": ("lint", "file"),
    "two_manifests": ("lint", "manifest"),
    "undefined_status": ("probe", "record_fails"),
    "undefined_symbol": ("probe", "does_not_load"),
    "writes_record": ("probe", "crashed"),
    "wrong_abi": ("lint", "abi"),
    "wrong_machine": ("lint", "file"),
    "wrong_major": ("lint", "abi"),
}
# What shows with other records and States than the app has: the author's `weir plugin check` finds it.
LEFT_TO_THE_CHECK = {
    "bad_verdict", "crash_on_garbage_record", "crash_on_garbage_state", "depends_on_batches",
    "hangs_on_garbage_record", "leaks_memory", "migrates_again", "nondeterministic",
    "not_readable_by", "shared_between_instances", "static_state", "writes_kept_buffer",
    "wrong_feature",
}
# What a record shows that nobody had before: a crash of the worker process.
SHOWN_BY_A_RECORD = {"smashes_heap_later"}


class Zoo(unittest.TestCase):
    def test_every_sin_has_its_step(self):
        self.assertEqual(sorted([*REFUSED, *LEFT_TO_THE_CHECK, *SHOWN_BY_A_RECORD]),
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
                self.wait_until_ready(app)
                feeder.start()
                for name, (step, code) in REFUSED.items():
                    with self.subTest(name):
                        done = self.reload(app, name)
                        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                        found = re.search(r"refused at the step (\w+) \((\w+)\)", done.stderr)
                        self.assertEqual(found and found.groups(), (step, code), done.stderr)
                for name in sorted(LEFT_TO_THE_CHECK | SHOWN_BY_A_RECORD):
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
        self.check_counts(app, 7 + given)

    def test_what_a_record_shows_takes_the_build_back(self):
        app = harness.App(YAML)
        self.addCleanup(app.close)
        shutil.copy(harness.PLUGINS / "good.so", app.directory / "zoo.so")
        keys = [f"k{n % 7}" for n in range(70)]
        with open(app.directory / "errors.txt", "wb") as errors:
            host = app.start("run", "-c", "app.yaml", stderr=errors)
            try:
                self.wait_until_ready(app)
                done = self.reload(app, "smashes_heap_later")
                self.assertEqual(done.returncode, 0, done.stderr)
                app.produce("in", [{"key": key, "value": "smash" if n == 35 else str(n)}
                                   for n, key in enumerate(keys)])
                harness.wait_until(lambda: len(app.consume("out")) == len(keys), "a feature for each key")
            finally:
                host.send_signal(signal.SIGTERM)
                self.assertEqual(host.wait(60), 0)
        history = app.call("plugin", "history", "-c", "app.yaml", "--format", "json")
        last = json.loads(history.splitlines()[-1])
        self.assertEqual((last["what"], last["code"]), ("rolled_back", "worker_ended"))
        self.assertIn("crashed with SIGABRT in resolve() of resolver count",
                      app.call("crashes", "-c", "app.yaml"))
        # Every record has come out once, and the good build has counted on.
        self.check_counts(app, len(keys))

    def test_what_a_record_shows_twice_is_a_dead_letter(self):
        app = harness.App(YAML)
        self.addCleanup(app.close)
        shutil.copy(harness.PLUGINS / "smashes_heap_later.so", app.directory / "zoo.so")
        app.produce("in", [{"key": f"k{n % 7}", "value": "smash" if n == 35 else str(n)}
                           for n in range(70)])
        app.run_until_end()
        self.assertEqual(len(app.call("crashes", "-c", "app.yaml").splitlines()), 2)
        letters = app.dead_letters("zoo.deadletters")
        self.assertEqual({where: letter[0] for where, letter in letters.items()},
                         {("in", 0, 35): "crashed"})
        self.assertIn("SIGABRT", letters["in", 0, 35][1])
        self.check_counts(app, 69)

    def wait_until_ready(self, app):
        harness.wait_until(lambda: app.call("status", "app.yaml", expect=None).returncode == 0, "ready")

    def check_counts(self, app, records):
        """The good plugin counts the records of a key, and says so with each."""
        counts = {}
        for line in app.call("consume", "out", "-c", "app.yaml").splitlines():
            feature = json.loads(line)
            counts[feature["key"]] = counts.get(feature["key"], 0) + 1
            self.assertEqual(int(feature["value"]["records"]), counts[feature["key"]])
        self.assertEqual(sum(counts.values()), records)

    def reload(self, app, name, *options):
        return app.call("reload", "--from", harness.PLUGINS / f"{name}.so", *options, "-c",
                        "app.yaml", expect=None)


if __name__ == "__main__":
    harness.arguments(sys.argv)
    SOURCES = pathlib.Path(sys.argv.pop(1))
    # The good plugin with its State type changed wrongly, in each way.
    REFUSED.update((path.stem, ("schema", "state_schema")) for path in SOURCES.glob("*.sed"))
    unittest.main()
