#!/usr/bin/env python3
"""./dev and .ci/run: what they order, and what they say when something is missing.

    dev_test.py REPOSITORY

The scripts run in a copy whose path holds spaces, and every tool they call is a stub on PATH that
only writes down how it was called.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

REPOSITORY = pathlib.Path(sys.argv.pop(1)).resolve()

# The tools of the system that the scripts may use as they are.
SYSTEM = ("basename", "cat", "date", "dirname", "env", "find", "grep", "head", "mkdir", "mktemp",
          "nproc", "readlink", "rm", "sed", "sh", "sort", "tail", "wc", "xargs")

RECORD = '#!/bin/sh\necho "$(basename "$0") $*" >>"$CALLS"\n'


class Scripts(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="weir dev test "))
        self.addCleanup(shutil.rmtree, self.directory)
        self.root = self.directory / "a copy"
        (self.root / ".ci").mkdir(parents=True)
        for name in ("dev", ".ci/run", ".ci/kafka_ran", ".ci/failed_tests"):
            shutil.copy(REPOSITORY / name, self.root / name)
        for folder in ("sdk", "host/docs", "plugins/earthquakes", "proto", "tests"):
            (self.root / folder).mkdir(parents=True)
        self.tools = self.directory / "tools"
        self.tools.mkdir()
        for name in SYSTEM:
            (self.tools / name).symlink_to(shutil.which(name))
        for name in ("cmake", "ctest", "clang-format-14", "apt-get", "run-clang-tidy-19"):
            self.stub(name, RECORD)
        self.stub("id", "#!/bin/sh\necho 0\n")
        (self.tools / "python3").symlink_to(sys.executable)
        # By default everything is installed.
        self.stub("dpkg-query", '#!/bin/sh\nshift 2\nfor p; do echo "$p installed"; done\n')

    def stub(self, name, text):
        path = self.tools / name
        path.unlink(missing_ok=True)  # it may be a link to the real one
        path.write_text(text)
        path.chmod(0o755)

    def run_script(self, *arguments, script="dev", cwd="/", env=None):
        """(exit status, stdout, stderr, the tools that were called)."""
        calls = self.directory / "calls"
        calls.write_text("")
        done = subprocess.run([self.root / script, *arguments], cwd=cwd, text=True,
                              capture_output=True, timeout=60, check=False,
                              env={"PATH": str(self.tools), "CALLS": str(calls), **(env or {})})
        return done.returncode, done.stdout, done.stderr, calls.read_text().splitlines()

    @unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not installed")
    def test_shellcheck_finds_nothing(self):
        scripts = [REPOSITORY / name for name in ("dev", ".ci/run",
                                                     "plugins/earthquakes/demo.sh")]
        done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_alone_it_lists_every_command(self):
        status, out, err, calls = self.run_script()
        self.assertEqual((status, err, calls), (0, "", []))
        for command in ("demo", "test", "build", "install", "kafka", "soak", "bench", "asan", "tsan",
                        "format", "tidy", "model", "fuzz", "clean", "help"):
            self.assertIn(f"\n  {command} ", out)
        self.assertEqual(self.run_script("help")[1], out)
        self.assertEqual(self.run_script("--help")[1], out)

    def test_an_unknown_command_is_a_usage_error(self):
        status, out, err, calls = self.run_script("tset")
        self.assertEqual((status, out, calls), (64, "", []))
        self.assertIn("no command 'tset'", err)
        self.assertIn("usage: ./dev COMMAND", err)

    def test_with_all_packages_it_only_orders_the_presets(self):
        self.assertEqual(self.run_script("test", "-L", "base")[3],
                         ["cmake --preset release", "cmake --build --preset release",
                          "ctest --preset release -L base"])
        self.assertEqual(self.run_script("build", "weir")[3],
                         ["cmake --preset release", "cmake --build --preset release --target weir"])
        for flavour in ("asan", "tsan"):
            self.assertEqual(self.run_script(flavour)[3],
                             [f"cmake --preset {flavour}", f"cmake --build --preset {flavour}",
                              f"ctest --preset {flavour}"])

    def test_it_stops_at_the_first_step_that_fails(self):
        self.stub("cmake", RECORD + 'case "$*" in *--build*) exit 3;; esac\n')
        status, _, _, calls = self.run_script("test")
        self.assertNotEqual(status, 0)
        self.assertEqual(calls, ["cmake --preset release", "cmake --build --preset release"])

    def test_a_failed_test_is_the_status(self):
        self.stub("ctest", RECORD + "exit 8\n")
        self.assertEqual(self.run_script("test")[0], 8)

    def missing(self, *packages):
        """From now on these are not installed: one unknown, the others removed but configured."""
        unknown = "|".join(packages)
        self.stub("dpkg-query", "#!/bin/sh\nshift 2\nstatus=0\nfor p; do case $p in\n"
                  f"  {unknown}) status=1; echo \"$p config-files\";;\n"
                  "  *) echo \"$p installed\";;\nesac; done\nexit $status\n")

    def test_missing_packages_are_installed_by_root(self):
        self.missing("ccache", "libfmt-dev")
        status, _, err, calls = self.run_script("build")
        self.assertEqual(status, 0)
        self.assertIn("installing ccache libfmt-dev", err)
        self.assertEqual(calls[:2], ["apt-get -q update", "apt-get -q install -y "
                                     "--no-install-recommends ccache libfmt-dev"])

    def test_missing_packages_are_installed_through_sudo(self):
        self.missing("ccache")
        self.stub("id", "#!/bin/sh\necho 1000\n")
        self.stub("sudo", RECORD + '"$@"\n')
        calls = self.run_script("build")[3]
        self.assertEqual(calls[0], "sudo apt-get -q update")
        self.assertEqual(calls[1], "apt-get -q update")
        self.assertTrue(calls[2].startswith("sudo env DEBIAN_FRONTEND=noninteractive apt-get"))

    def test_without_root_and_sudo_it_says_what_to_run(self):
        self.missing("ccache")
        self.stub("id", "#!/bin/sh\necho 1000\n")
        status, _, err, calls = self.run_script("build")
        self.assertEqual((status, calls), (1, []))
        self.assertIn("needs root or sudo", err)
        self.assertIn("apt-get install --no-install-recommends ccache\n", err)

    def test_a_failed_update_still_tries_and_a_failed_install_stops(self):
        self.missing("ccache")
        self.stub("apt-get", RECORD + 'echo "what apt says of $2"; echo "E: and of $2" >&2; exit 100\n')
        status, _, err, calls = self.run_script("build")
        self.assertEqual(status, 1)
        self.assertEqual(len(calls), 2)
        self.assertIn("could not install: ccache", err)
        self.assertIn("\nE: and of install\n", err)
        self.assertIn("what apt says of update\n", (self.root / "build/apt.log").read_text())

    def test_without_dpkg_it_names_the_packages_and_goes_on(self):
        (self.tools / "dpkg-query").unlink()
        status, _, err, calls = self.run_script("build")
        self.assertEqual(status, 0)
        self.assertIn("liblmdb-dev", err)
        self.assertEqual(calls[0], "cmake --preset release")

    def test_format_sees_our_files_and_no_others(self):
        for name in ("host/a.cpp", "host/a b.hpp", "sdk/c.h", "plugins/d.c", "host/e.proto"):
            (self.root / name).write_text("")
        (self.root / "build").mkdir()
        (self.root / "build/generated.cpp").write_text("")
        calls = self.run_script("format")[3]
        self.assertEqual(len(calls), 1)
        self.assertTrue(calls[0].startswith("clang-format-14 --dry-run -Werror "))
        for name in ("host/a.cpp", "host/a b.hpp", "sdk/c.h", "plugins/d.c"):
            self.assertIn(name, calls[0])
        self.assertNotIn("e.proto", calls[0])
        self.assertNotIn("generated", calls[0])
        self.assertTrue(self.run_script("format", "--fix")[3][0].startswith("clang-format-14 -i "))
        status, _, err, calls = self.run_script("format", "-i")
        self.assertEqual((status, calls), (1, []))
        self.assertIn("--fix, not '-i'", err)

    def compile_commands(self):
        (self.root / "build/release").mkdir(parents=True)
        commands = self.root / "build/release/compile_commands.json"
        commands.write_text('[{"command": "g++ -O2 -fno-gnu-unique -c a.cpp"}]')

    def test_tidy_names_the_copy_although_its_path_holds_spaces(self):
        self.compile_commands()
        calls = self.run_script("tidy", "commit")[3]
        self.assertEqual((self.root / "build/tidy/compile_commands.json").read_text(),
                         '[{"command": "g++ -O2 -c a.cpp"}]')
        self.assertIn("run-clang-tidy-19", calls[-1])
        self.assertTrue(calls[-1].endswith("/a copy/(sdk|host|plugins|proto|tests)/.*commit"))

    def test_model_tests_the_checker_and_checks_every_model(self):
        self.stub("python3", RECORD)
        (self.root / "tests/model").mkdir()
        for name in ("one", "two"):
            (self.root / f"tests/model/{name}.pml").write_text("")
        self.assertEqual(self.run_script("model")[3],
                         ["python3 tests/model/check_test.py",
                          "python3 tests/model/check.py build/model tests/model/one.pml "
                          "tests/model/two.pml"])
        for failing in ("check_test", "check.py"):
            self.stub("python3", RECORD + f'case "$*" in *{failing}*) exit 1;; esac\n')
            self.assertEqual(self.run_script("model")[0], 1)

    def test_fuzz_and_bench_run_what_was_built_and_fail_without(self):
        for command, folder, name in (("fuzz", "build/fuzz/tests/fuzz", "decode_fuzzer"),
                                      ("bench", "build/release/tests/bench", "bench_decode")):
            status, _, err, calls = self.run_script(command, "7")
            self.assertEqual((status, calls), (1, []))
            self.assertIn("nothing to run yet", err)
            (self.root / "tests" / command).mkdir()
            (self.root / "tests" / command / "CMakeLists.txt").write_text("")
            status, _, err, calls = self.run_script(command, "7")
            self.assertEqual(status, 1)
            self.assertTrue(calls[-1].endswith(f"--target tests/{command}/all"))
            self.assertIn("was built", err)
            (self.root / folder).mkdir(parents=True)
            program = self.root / folder / name
            program.write_text(RECORD)
            program.chmod(0o755)
            status, _, _, calls = self.run_script(command, "7")
            self.assertEqual(status, 0)
            self.assertIn(name, calls[-1])
            self.assertIn("7", calls[-1])

    def test_demo_builds_the_host_and_one_plugin_then_runs_it(self):
        demo = self.root / "plugins/earthquakes/demo.sh"
        demo.write_text('echo "demo $*" >>"$CALLS"\n')
        self.assertEqual(self.run_script("demo")[3],
                         ["cmake --preset release",
                          "cmake --build --preset release --target weir earthquakes",
                          "demo build/release build/demo"])

    def test_demo_on_kafka_starts_a_broker_and_ends_it_however_the_demo_ends(self):
        demo = self.root / "plugins/earthquakes/demo.sh"
        self.stub("python3", RECORD + 'case "$*" in *" start "*) echo host:1;; esac\n')
        for status in (0, 3):
            demo.write_text(f'echo "demo $*" >>"$CALLS"\nexit {status}\n')
            found, _, _, calls = self.run_script("demo", "--kafka")
            self.assertEqual(found, status)
            self.assertEqual(calls[2:],
                             ["python3 tests/kafka/broker.py start --fresh --directory build/demo-kafka",
                              "demo build/release build/demo --kafka host:1",
                              "python3 tests/kafka/broker.py stop --directory build/demo-kafka"])
        self.stub("python3", RECORD + 'case "$*" in *" start "*) exit 1;; esac\n')
        found, _, _, calls = self.run_script("demo", "--kafka")
        self.assertEqual((found, calls[-1].split()[2]), (1, "stop"))
        status, _, err, _ = self.run_script("demo", "--kafak")
        self.assertEqual(status, 1)
        self.assertIn("nothing or --kafka, not '--kafak'", err)

    def test_soak_builds_what_it_needs(self):
        self.stub("python3", RECORD)
        self.assertEqual(self.run_script("soak")[3][1:],
                         ["cmake --build --preset release --target weir ledger kafka_feeder "
                          "tests/reload/all",
                          "python3 tests/reload/under_load_test.py build/release/weir "
                          "build/release/tests/reload --soak",
                          "python3 tests/kafka/kill_test.py build/release/weir "
                          "build/release/tests/crash build/release/tests/kafka/kafka_feeder --soak"])

    def test_kafka_runs_the_script_where_the_caller_stands(self):
        script = self.root / "tests/kafka/broker.py"
        script.parent.mkdir()
        script.write_text("")
        self.stub("python3", RECORD + 'pwd >>"$CALLS"\n')
        self.assertEqual(self.run_script("kafka", "start", "--directory", "x", cwd=self.tools)[3],
                         [f"python3 {script} start --directory x", str(self.tools)])

    def test_only_the_start_of_kafka_installs_what_it_needs(self):
        self.stub("python3", RECORD)
        self.missing("maven")
        self.assertIn("maven", self.run_script("kafka", "start")[3][1])
        self.assertEqual(len(self.run_script("kafka", "stop")[3]), 1)

    def test_install_builds_and_installs_what_authors_need(self):
        built = ["cmake --preset release",
                 "cmake --build --preset release --target weir weir_test_driver"]
        for given, prefix in (("weir", self.directory / "weir"), ("/opt/my weir", "/opt/my weir")):
            calls = self.run_script("install", given, cwd=self.directory)[3]
            self.assertEqual(calls, built + [
                f"cmake --install build/release --prefix {prefix} --component {component}"
                for component in ("host", "sdk", "test-driver")])
        status, _, err, calls = self.run_script("install")
        self.assertEqual((status, calls), (1, []))
        self.assertIn("the directory to install into", err)

    def test_clean_removes_the_builds_only(self):
        (self.root / "build/release").mkdir(parents=True)
        self.assertEqual(self.run_script("clean")[0], 0)
        self.assertFalse((self.root / "build").exists())
        self.assertTrue((self.root / "host").exists())

    JUNIT = """<testsuite><testcase name="base/a" status="run"/>
      <testcase name="kafka/start-4.3" status="run"/><testcase name="kafka/start-3.9" status="run"/>
      {}</testsuite>"""
    NEWEST = '<testcase name="kafka/a" status="run"/><testcase name="kafka/b" status="run"/>'
    OLDER = '<testcase name="kafka/3.9/a" status="run"/>'

    def ci(self, kafka=NEWEST + OLDER):
        # ctest writes its own logs, as the real one does.
        (self.directory / "junit").write_text(self.JUNIT.format(kafka))
        self.stub("ctest", RECORD + "for option; do\n"
                  '  case $before in --output-log) to=$option;; --output-junit) xml=$option;; esac\n'
                  '  before=$option\ndone\n'
                  'echo "100% tests passed, 0 tests failed out of 7" >"$to"\n'
                  f'[ -z "$xml" ] || cat "{self.directory}/junit" >"$xml"\n')
        (self.root / "host/a.cpp").write_text("")
        (self.root / "tests/model").mkdir(exist_ok=True)
        (self.root / "tests/model/one.pml").write_text("")
        for name in ("check", "check_test"):
            (self.root / f"tests/model/{name}.py").write_text(
                "import os, sys\nopen(os.environ['CALLS'], 'a').write(' '.join(sys.argv) + '\\n')\n")

    def run_ci(self, **env):
        return self.run_script(script=".ci/run", env=env)

    def test_ci_runs_tests_sanitizers_and_format_and_ends_with_the_count(self):
        self.ci()
        status, out, _, calls = self.run_ci()
        self.assertEqual(status, 0)
        orders = [call.split(" --output-log")[0] for call in calls]
        self.assertEqual([order for order in orders if order.startswith("ctest")],
                         ["ctest --preset release", "ctest --preset asan", "ctest --preset tsan"])
        self.assertIn("tests/model/check.py build/model tests/model/one.pml", orders)
        self.assertTrue(orders[-1].startswith("clang-format-14 --dry-run"))
        self.assertEqual(out.splitlines()[-1], "test: 100% tests passed, 0 tests failed out of 7")
        self.assertIn("\ntest: 2 tests passed on Kafka 4.3, 1 on 3.9\n", out)

    def test_ci_goes_on_after_a_failure_and_fails_at_the_end(self):
        self.ci()
        self.stub("cmake", RECORD + 'case "$*" in *asan*) exit 1;; esac\n')
        status, out, _, calls = self.run_ci()
        self.assertEqual(status, 1)
        self.assertTrue(calls[-1].startswith("clang-format-14"))
        self.assertEqual(out.splitlines()[-1], "failed: asan kafka-in-asan")
        self.assertIn("asan: did not get to its tests", out)

    def test_ci_ends_with_what_a_failed_test_printed(self):
        printed = "\n".join(f"line {line}" for line in range(100))
        self.ci(self.NEWEST + self.OLDER + '<testcase name="reload/a" status="fail">'
                f'<failure message="Timeout"/><system-out>{printed}</system-out></testcase>')
        _, out, _, _ = self.run_ci()
        summary = out[out.index("=== summary"):]
        self.assertIn("\n--- test: reload/a: Timeout\n... 40 lines before\nline 40\n", summary)
        self.assertTrue(summary.startswith("--- tsan: reload/a: Timeout\n", summary.index("---")))

    def test_ci_fails_when_the_kafka_suite_did_not_run(self):
        not_run = '<testcase name="kafka/c" status="notrun"/>'
        disabled = '<testcase name="kafka/c" status="disabled"/>'
        failed = '<testcase name="kafka/a" status="fail"/>'
        for kafka, why in (("", "0 tests passed on Kafka 4.3, 0 on 3.9"),
                           (self.NEWEST, "2 tests passed on Kafka 4.3, 0 on 3.9"),
                           (self.OLDER, "0 tests passed on Kafka 4.3, 1 on 3.9"),
                           (failed + self.OLDER, "0 tests passed on Kafka 4.3, 1 on 3.9"),
                           (self.NEWEST + self.OLDER + not_run, "1 tests left out, as kafka/c"),
                           (self.NEWEST + self.OLDER + disabled, "1 tests left out, as kafka/c"),
                           ("<", "not well-formed")):
            with self.subTest(kafka=kafka):
                self.ci(kafka)
                status, out, _, _ = self.run_ci()
                self.assertEqual(status, 1)
                self.assertIn(f"\ntest: the Kafka suite did not run: {why}", out)
                self.assertEqual(out.splitlines()[-1],
                                 "failed: kafka-in-tsan kafka-in-asan kafka-in-test")

    def test_ci_without_kafka_says_so_in_its_last_line(self):
        last = "the Kafka suite did not run, because WEIR_CI_WITHOUT_KAFKA=1 says so"
        self.ci()
        self.missing("maven")
        status, out, _, calls = self.run_ci(WEIR_CI_WITHOUT_KAFKA="1")
        self.assertEqual((status, out.splitlines()[-1]), (0, last))
        self.assertEqual([call.split(" --output-log")[0].split(" ", 3)[3] for call in calls
                          if call.startswith("ctest")], ["-LE ^kafka$"] * 3)
        self.assertNotIn("maven", "".join(calls))
        self.stub("cmake", RECORD + 'case "$*" in *asan*) exit 1;; esac\n')
        status, out, _, _ = self.run_ci(WEIR_CI_WITHOUT_KAFKA="1")
        self.assertEqual((status, out.splitlines()[-2:]), (1, ["failed: asan", last]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
