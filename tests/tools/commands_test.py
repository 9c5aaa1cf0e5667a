#!/usr/bin/env python3
"""tools/quickstart and tools/test on a machine of make-believe: a copy of tools/ with fakes of dpkg, apt, cmake and ctest.

What could go wrong: a command that asks, hangs, hides a failure, or says that all is well when it is not.
"""
import os
import pathlib
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Written with what the shell has of itself where that is easy: starting programs is most of what these tests take.
FAKES = {
    # Installed is what stands in the file `installed`; apt-get install adds to it.
    "dpkg-query": 'shift 2; all=" "; while read -r p; do all="$all$p "; done <"$FAKE/installed"\n'
                  'for p; do case $all in *" $p "*) printf "installed:%s " "$p" ;; esac; done',
    "apt-get": 'echo "apt-get $*" >>"$FAKE/calls"; [ -e "$FAKE/apt-fails" ] && { echo "E: no network"; exit 100; }\n'
               'case " $* " in *" install "*) for p; do echo "$p" >>"$FAKE/installed"; done ;; esac',
    "cmake": 'echo "cmake $*" >>"$FAKE/calls"; echo "[1/2] compiling"\n'
             'bad=none; [ -e "$FAKE/does-not-build" ] && read -r bad <"$FAKE/does-not-build"\n'
             'case "$*" in *"--build --preset $bad"*) echo "x.cpp:1: error: planted"; exit 1 ;; esac\n'
             'case "$*" in "--build --preset asan"*) [ ! -e "$FAKE/hangs" ] || { echo $$ >"$FAKE/hanging"; exec sleep 600; }\n'
             'n=0; while [ -e "$FAKE/patient" ] && ! grep -q "ctest --preset release.* -LE" "$FAKE/calls" && [ $n -lt 200 ]; do n=$((n + 1)); sleep 0.1; done\n'
             'echo "asan is built" >>"$FAKE/calls" ;; esac\n'
             '[ -e build/release/bin/symphony ] || { mkdir -p build/release/bin; cp "$FAKE/demo" build/release/bin/symphony; }',
    # Five cases, names of typed ones among them: the first of them fail, the last is not run. In a sanitizer preset a sixth, a program that ran whole,
    # with the status of the file `whole`; its own report is the file `cases`, if there is one.
    "ctest": 'echo "ctest $*" >>"$FAKE/calls"; for last; do case "$want" in y) out=$last; want= ;; esac; [ "$last" = --output-junit ] && want=y; done\n'
             'read -r bad <"$FAKE/failures"; exec 3>"$out"; printf \'<?xml version="1.0"?>\\n<testsuite name="x"\\n\\t>\\n\' >&3\n'
             'one() { printf \'\\t<testcase name="%s" classname="x" time="0.1" status="%s">\\n\' "$1" "$2" >&3; }\n'
             'for i in 1 2 3 4; do [ $i -gt "$bad" ] && one "test_x.Y&lt;a, b&gt;.z$i" run || one "test_x.Y&lt;a, b&gt;.z$i" fail; done; one check.y notrun\n'
             'case $* in *"--preset asan"*|*"--preset tsan"*) [ -e "$FAKE/whole" ] && { read -r how <"$FAKE/whole"; one test_whole "$how"; '
             '[ -e "$FAKE/cases" ] && mkdir -p "build/$2/cases" && cp "$FAKE/cases" "build/$2/cases/test_whole.xml"; } ;; esac\n'
             'echo "5/5 Test"; [ "$bad" = 0 ]',
    "sudo": 'exit 1',
    "setarch": 'shift; exec "$@"',
}


class Machine(unittest.TestCase):
    def setUp(self):
        self.held = tempfile.TemporaryDirectory()
        self.fake = pathlib.Path(self.held.name)
        self.tree = self.fake / "tree"
        shutil.copytree(ROOT / "tools", self.tree / "tools", ignore=shutil.ignore_patterns("__pycache__", "symphony"))
        (self.fake / "bin").mkdir()
        for name, body in FAKES.items():
            self.script(self.fake / "bin" / name, body)
        (self.fake / "bin" / "python3").symlink_to(sys.executable)  # what runs this test; not what a shim would look for
        self.script(self.fake / "demo", 'echo "the demo ran: $*"')
        (self.fake / "installed").write_text("", encoding="utf-8")
        (self.fake / "failures").write_text("0", encoding="utf-8")
        (self.fake / "calls").write_text("", encoding="utf-8")

    def tearDown(self):
        self.held.cleanup()

    @staticmethod
    def script(path, body):
        path.write_text("#!/bin/sh\n" + body + "\n", encoding="utf-8")
        path.chmod(0o755)

    def environment(self):
        path = f"{self.fake / 'bin'}:{os.environ['PATH']}"
        return {"PATH": path, "FAKE": str(self.fake), "CI": "true", "SYMPHONY_APT_LISTS": self.held.name, "HOME": self.held.name}

    def run_command(self, command, *words):
        run = subprocess.run([str(self.tree / "tools" / command), *words], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                             env=self.environment())
        return run.returncode, run.stdout.decode() + run.stderr.decode()

    def calls(self):
        return (self.fake / "calls").read_text(encoding="utf-8")

    @unittest.skipUnless(os.geteuid() == 0, "apt-get is called without sudo by root only")
    def test_quickstart_installs_once_and_the_second_run_finds_all_in_place(self):
        status, text = self.run_command("quickstart")
        self.assertEqual(status, 0, text)
        self.assertRegex(text, r"installing (\d+) of \1 Debian packages: g\+\+ cmake")
        self.assertIn("the demo ran: demo\n", text)
        self.assertRegex(self.calls(), r"(?s)apt-get .* update.*apt-get .* install .*g\+\+")
        self.assertNotIn("libgtest-dev", self.calls())
        (self.fake / "calls").write_text("", encoding="utf-8")
        status, text = self.run_command("quickstart", "--", "--graph", "x")
        self.assertEqual(status, 0, text)
        self.assertRegex(text, r"all \d+ Debian packages are in place")
        self.assertIn("the demo ran: demo --graph x\n", text)
        self.assertNotIn("apt-get", self.calls())

    @unittest.skipUnless(os.geteuid() == 0, "apt-get is called without sudo by root only")
    def test_a_failing_apt_ends_quickstart_with_one_error_and_its_remedy(self):
        (self.fake / "apt-fails").touch()
        status, text = self.run_command("quickstart")
        self.assertEqual(status, 1)
        self.assertEqual(text.count("error:"), 1, text)
        self.assertIn("E: no network", text)
        self.assertIn("mend apt or the network, then run tools/quickstart again", text)
        self.assertNotIn("cmake", self.calls())

    def all_installed(self):
        names = re.findall(r"^[a-z0-9][^\s#]*", (self.tree / "tools/debian-packages.txt").read_text(encoding="utf-8"), re.M)
        (self.fake / "installed").write_text("\n".join(names) + "\n", encoding="utf-8")

    def test_quickstart_passes_the_status_of_the_demo_on(self):
        self.all_installed()
        self.script(self.fake / "demo", "exit 7")
        status, text = self.run_command("quickstart")
        self.assertEqual(status, 7)
        self.assertIn("error: the demo ended with status 7", text)

    def test_quickstart_shows_what_did_not_build(self):
        self.all_installed()
        (self.fake / "does-not-build").write_text("release", encoding="utf-8")
        status, text = self.run_command("quickstart")
        self.assertEqual(status, 1)
        self.assertIn("x.cpp:1: error: planted", text)
        self.assertNotIn("the demo ran", text)

    def test_unknown_arguments_are_refused_with_the_usage_and_status_2(self):
        for command in ["quickstart", "test"]:
            status, text = self.run_command(command, "--what")
            self.assertEqual(status, 2)
            self.assertIn("unknown argument '--what'", text)
            self.assertIn(f"usage: tools/{command}", text)
            status, text = self.run_command(command, "--help")
            self.assertEqual(status, 0)
            self.assertTrue(text.startswith("usage:"), text)

    def test_without_apt_the_remedy_names_the_list_of_packages(self):
        for name in ["dpkg-query", "apt-get"]:
            (self.fake / "bin" / name).unlink()
        for tool in ["bash", "dirname", "env", "mkdir", "nproc", "sed"]:
            (self.fake / "bin" / tool).symlink_to(shutil.which(tool))
        env = {"PATH": str(self.fake / "bin"), "HOME": self.held.name}
        run = subprocess.run([str(self.tree / "tools/quickstart")], env=env, capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn("install what tools/debian-packages.txt lists", run.stderr)

    def test_a_test_run_counts_all_stages_and_ends_with_the_sums(self):
        self.all_installed()
        status, text = self.run_command("test")
        self.assertEqual(status, 0, text)
        # Five runs of ctest, five cases each, one of them not run.
        self.assertEqual(text.rstrip().split("\n")[-1], "20 passed, 0 failed")
        self.assertRegex(text, r"tools/test: PASS in \d+ s\n20 passed")
        self.assertRegex(text, r"test\.seconds +\d")
        self.assertNotRegex(text, r"[\x00-\x08\x0b-\x1f]")

    def test_the_short_lane_of_the_sanitizers_is_a_part_and_the_long_one_the_whole(self):
        self.all_installed()
        for name in ["previous-protocol", "fresh-root"]:
            self.script(self.tree / "tools/check" / name, "exit 77")
        self.script(self.fake / "bin/run-clang-tidy-14", "exit 0")
        for arguments, short in [([], "ON"), (["--long"], "OFF")]:
            with self.subTest(arguments=arguments):
                (self.fake / "calls").write_text("", encoding="utf-8")
                status, text = self.run_command("test", *arguments)
                self.assertEqual(status, 0, text)
                for preset in ["asan", "tsan"]:
                    self.assertIn(f"cmake --preset {preset} -D SYMPHONY_SHORT_LANE={short}\n", self.calls())
                self.assertIn("cmake --preset release\n", self.calls())

    def run_whole(self, status, report):
        self.all_installed()
        (self.fake / "whole").write_text(status, encoding="utf-8")
        if report is not None:
            (self.fake / "cases").write_text(report, encoding="utf-8")
        return self.run_command("test")[1].rstrip().split("\n")[-1]

    REPORT = ('<testsuites tests="9" failures="%s" disabled="1" errors="0" time="0">\n'
              '    <testcase name="d" status="run" result="skipped" time="0" />\n</testsuites>\n')

    def test_a_program_that_ran_whole_counts_by_its_own_report(self):
        self.assertEqual(self.run_whole("run", self.REPORT % 0), "34 passed, 0 failed")
        self.assertEqual(self.run_whole("fail", self.REPORT % 3), "28 passed, 6 failed")

    def test_a_program_that_ran_whole_and_left_no_whole_report_failed_whatever_its_status(self):
        for status, report in [("run", None), ("fail", None), ("run", (self.REPORT % 0).replace("</testsuites>", ""))]:
            with self.subTest(status=status, report=report):
                self.assertEqual(self.run_whole(status, report), "20 passed, 2 failed")

    def test_a_program_that_failed_with_no_failed_case_is_a_failure_more(self):
        self.assertEqual(self.run_whole("fail", self.REPORT % 0), "34 passed, 2 failed")

    def test_failing_cases_fail_the_run_but_do_not_stop_it(self):
        self.all_installed()
        (self.fake / "failures").write_text("2", encoding="utf-8")
        status, text = self.run_command("test")
        self.assertEqual(status, 1)
        self.assertEqual(text.rstrip().split("\n")[-1], "10 passed, 10 failed")
        self.assertIn("tools/test: FAIL in", text)
        self.assertIn("--preset tsan", self.calls())

    def test_a_preset_that_does_not_build_counts_as_one_failure_and_the_others_are_run(self):
        self.all_installed()
        (self.fake / "does-not-build").write_text("asan", encoding="utf-8")
        status, text = self.run_command("test")
        self.assertEqual(status, 1)
        self.assertEqual(text.rstrip().split("\n")[-1], "16 passed, 1 failed")
        self.assertIn("x.cpp:1: error: planted", text)
        self.assertRegex(text, r"asan tests +0 s +not run")
        self.assertIn("ctest --preset tsan", self.calls())

    def test_cases_run_while_the_next_preset_is_built_but_what_is_measured_comes_when_nothing_is(self):
        self.all_installed()
        (self.fake / "patient").touch()  # asan is not built before the release preset's cases are run
        status, text = self.run_command("test")
        self.assertEqual(status, 0, text)
        calls = self.calls().splitlines()

        def place(pattern):
            return next(i for i, call in enumerate(calls) if re.search(pattern, call))
        self.assertLess(place("ctest --preset release.* -LE check.timing"), place("asan is built"))
        self.assertLess(place("asan is built"), place("ctest --preset asan"))
        self.assertLess(place("cmake --build --preset tsan"), place("ctest --preset release.* -L timing"))
        self.assertLess(text.index("tsan tests:"), text.index("the demo ran"))

    def test_an_ended_run_leaves_no_build_behind(self):
        self.all_installed()
        (self.fake / "hangs").touch()
        run = subprocess.Popen([str(self.tree / "tools/test")], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=self.environment())
        hanging = self.wait_for(lambda: (self.fake / "hanging").exists() and (self.fake / "hanging").read_text(encoding="utf-8"))
        compiler = os.pidfd_open(int(hanging))
        self.addCleanup(os.close, compiler)
        run.terminate()
        self.assertNotEqual(run.wait(60), 0)
        self.assertTrue(select.select([compiler], [], [], 60)[0], "it is still compiling")

    def wait_for(self, condition):
        for _ in range(600):
            if (value := condition()):
                return value
            time.sleep(0.1)
        return self.fail("waited for 60 s")

    def test_a_failing_demo_fails_the_run(self):
        self.all_installed()
        self.script(self.fake / "demo", 'echo "went wrong"; exit 3')
        status, text = self.run_command("test")
        self.assertEqual(status, 1)
        self.assertIn("went wrong", text)
        self.assertEqual(text.rstrip().split("\n")[-1], "20 passed, 1 failed")


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=1))
