#!/usr/bin/env python3
"""symphony jobserver: make's own tokens get lost and made up; leases do not.   usage: jobserver_command_test.py SYMPHONY [SUITE]"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SYMPHONY = str(pathlib.Path(sys.argv[1]).resolve())
# Four commands at once is what -j4 promises: each of four waits for the other three, at most LIMIT tenths of a second.
WAIT = "mkdir -p running; : > running/$@; i=0; while [ $$(ls running | wc -l) -lt 4 ] && [ $$i -lt $(LIMIT) ]; do sleep 0.1; i=$$((i+1)); done; " \
       "ls running | wc -l >> seen; sleep 0.3; mv running/$@ .done-$@"
MAKEFILE = f"""all: t1 t2 t3 t4
t1 t2 t3 t4: first
\t@{WAIT}
first: ; $(FIRST)
.PHONY: all t1 t2 t3 t4 first
"""
SUB = "all: a b c d\na b c d:\n\t@echo $$PPID $$$$ >> started; exec sleep 1000\n"


@unittest.skipUnless(shutil.which("make"), "needs make")
class Jobserver(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="symphony-jobserver-"))
        (self.folder / "sub.mk").write_text(SUB)
        self.environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
        self.process = None
        self.addCleanup(self.clean)

    def clean(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        self.kill_sleepers()
        shutil.rmtree(self.folder)

    def started(self):
        file = self.folder / "started"
        return [tuple(map(int, line.split())) for line in file.read_text().splitlines()] if file.exists() else []

    def sleep(self):
        """How many of them have come to their command."""
        return sum(pathlib.Path(f"/proc/{sleeper}/comm").read_text().strip() == "sleep" for _, sleeper in self.started())

    def kill_sleepers(self):
        for _, sleeper in self.started():
            try:
                if pathlib.Path(f"/proc/{sleeper}/comm").read_text().strip() == "sleep":
                    os.kill(sleeper, signal.SIGKILL)
            except OSError:
                pass

    def make(self, first, ours, limit=200):
        (self.folder / "Makefile").write_text(MAKEFILE.replace("$(FIRST)", first))
        way = [SYMPHONY, "jobserver", "--pool", "cpu", "--tell", "--"] if ours else []
        self.process = subprocess.Popen([*way, "make", "-j4", f"LIMIT={limit}"], cwd=self.folder, env=self.environment, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def end(self):
        out, err = self.process.communicate(timeout=100)
        return self.process.returncode, out + err, [int(n) for n in (self.folder / "seen").read_text().split()]

    def kill_the_sub_make(self):
        """When it runs four commands, and so holds the three tokens that there are."""
        end = time.monotonic() + 60
        while self.sleep() < 4:
            self.assertLess(time.monotonic(), end, "four commands at once")
            time.sleep(0.01)
        os.kill(self.started()[0][0], signal.SIGKILL)
        self.kill_sleepers()

    def test_makes_own_loses_the_tokens_of_a_make_that_is_killed(self):
        self.make("-$(MAKE) -f sub.mk", ours=False, limit=5)
        self.kill_the_sub_make()
        _, said, seen = self.end()
        self.assertEqual(seen, [1, 1, 1, 1], said)
        self.assertRegex(said, r"INTERNAL: Exiting with 1 jobserver tokens available; should be 4!")

    def test_ours_has_them_back_at_once(self):
        self.make("-$(MAKE) -f sub.mk", ours=True)
        self.kill_the_sub_make()
        status, said, seen = self.end()
        self.assertEqual(status, 0, said)
        self.assertIn(4, seen, said)
        self.assertIn("4 of 4 free at the end; 3 taken back from makes that died, 0 dropped", said)
        self.assertNotIn("warning", said)

    # Some child writes three tokens that it never took.
    INVENT = "+@for f in $$(echo \"$(MAKEFLAGS)\" | sed 's/.*--jobserver-auth=[0-9]*,\\([0-9]*\\).*/\\1/'); do printf +++ > /proc/self/fd/$$f; done; sleep 0.3"

    def test_makes_own_believes_tokens_that_were_made_up(self):
        self.make(self.INVENT, ours=False)
        _, said, _ = self.end()
        self.assertRegex(said, r"INTERNAL: Exiting with 7 jobserver tokens available; should be 4!")

    def test_ours_drops_them(self):
        self.make(self.INVENT, ours=True)
        status, said, seen = self.end()
        self.assertEqual(status, 0, said)
        self.assertLessEqual(max(seen), 4)
        self.assertIn("4 of 4 free at the end; 0 taken back from makes that died, 3 dropped", said)

    @unittest.skipUnless(shutil.which("gcc"), "needs gcc")
    def test_of_gcc_that_optimizes_while_it_links_is_found_by_it(self):
        for i in range(4):
            (self.folder / f"f{i}.c").write_text(f"int f{i}(int x) {{ return x + {i}; }}\n")
        (self.folder / "f0.c").write_text("int f1(int), f2(int), f3(int); int main(void) { return f1(0) + f2(0) + f3(0) - 6; }\n")
        (self.folder / "Makefile").write_text("program: f0.o f1.o f2.o f3.o\n\t+gcc -v -O1 -flto=jobserver -flto-partition=max -o $@ $^\n"
                                              "%.o: %.c\n\tgcc -O1 -flto -c $<\n")
        run = subprocess.run([SYMPHONY, "jobserver", "--tell", "--", "make", "-j4"], cwd=self.folder, env=self.environment, text=True,
                             capture_output=True, timeout=100, check=False)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("Using make jobserver", run.stderr)
        self.assertNotIn("jobserver is not available", run.stderr)
        self.assertIn("4 of 4 free at the end; 0 taken back from makes that died, 0 dropped", run.stderr)
        self.assertEqual(subprocess.run([self.folder / "program"], timeout=60, check=False).returncode, 0)

    def test_makes_in_makes_share_the_tokens_and_the_status_is_makes(self):
        (self.folder / "low.mk").write_text(f"all: {' '.join(f'x{i}' for i in range(6))}\nx0 x1 x2 x3 x4 x5:\n"
                                            "\t@mkdir -p running; : > running/$(N)$@; ls running | wc -l >> seen; sleep 0.05; rm running/$(N)$@\n")
        (self.folder / "Makefile").write_text("all: m1 m2 m3\nm1 m2 m3: ; $(MAKE) -f low.mk N=$@\n")
        run = subprocess.run([SYMPHONY, "jobserver", "--tell", "--", "make", "--jobs=3"], cwd=self.folder, env=self.environment, text=True,
                             capture_output=True, timeout=100, check=False)
        seen = [int(n) for n in (self.folder / "seen").read_text().split()]
        self.assertEqual((run.returncode, len(seen)), (0, 18), run.stdout + run.stderr)
        self.assertLessEqual(max(seen), 3)
        self.assertIn("3 of 3 free at the end; 0 taken back from makes that died, 0 dropped", run.stderr)
        run = subprocess.run([SYMPHONY, "jobserver", "--", "make", "-j2", "no-such-target"], cwd=self.folder, env=self.environment, text=True,
                             capture_output=True, timeout=100, check=False)
        self.assertEqual(run.returncode, 2)
        self.assertIn("No rule to make target", run.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
