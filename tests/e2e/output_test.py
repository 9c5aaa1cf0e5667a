#!/usr/bin/env python3
"""What is printed goes where it should, whole, or the command says that it did not.   usage: output_test.py SYMPHONY

What could go wrong: a command that says all is well while its output is lost, or that writes it into a file of its own.
"""
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import unittest

SYMPHONY = sys.argv[1]
PIT = pathlib.Path(SYMPHONY).resolve().parent.parent / "pits" / "greeter.so"
SAMPLE = pathlib.Path(__file__).resolve().parents[1] / "samples" / "build.json"
PRINT = (["version"], ["--help"], ["pit", "list", "--files"], ["pit", "list", "--files", "-o", "json"], ["pit", "show", PIT],
         ["pit", "show", PIT, "-o", "json"], ["pit", "check", PIT, "--mode", "dynamic", "--reproduce", "note"],
         ["pit", "check", PIT, "--mode", "dynamic", "--reproduce", "note", "-o", "json"],
         ["demo", "--graph", SAMPLE, "--seconds", "0.05", "--calls", "100"])


class Output(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.environment = {**os.environ, "SYMPHONY_FIGURES": folder.name}

    def said(self, words, remedy, **options):
        with self.subTest(words):
            run = subprocess.run([SYMPHONY, *map(str, words)], stderr=subprocess.PIPE, text=True, timeout=120, check=False,
                                 env=self.environment, **options)
            self.assertEqual(run.returncode, 70, run.stderr)
            self.assertEqual(len(run.stderr.splitlines()), 1, run.stderr)
            self.assertIn("standard output cannot be written", run.stderr)
            self.assertIn(remedy, run.stderr)

    def test_to_a_full_disk_is_an_error_of_each_command(self):
        with open("/dev/full", "wb") as full:
            for words in PRINT:
                self.said(words, "No space left on device; free some of the disk", stdout=full)

    def test_that_is_closed_is_an_error_of_each_command(self):
        for words in PRINT:
            self.said(words, "Bad file descriptor; leave it open", preexec_fn=lambda: os.close(1))

    def test_that_nobody_reads_ends_the_command(self):
        def write_only(handler):
            reading, writing = os.pipe()
            os.close(reading)
            return {"stdout": writing, "preexec_fn": lambda: signal.signal(signal.SIGPIPE, handler)}, writing
        for words in PRINT:
            options, end = write_only(signal.SIG_IGN)
            self.said(words, "Broken pipe; keep its reader running", **options)
            os.close(end)
        options, end = write_only(signal.SIG_DFL)  # as a shell starts it
        run = subprocess.run([SYMPHONY, "version"], stderr=subprocess.PIPE, timeout=60, check=False, **options)
        os.close(end)
        self.assertEqual((run.returncode, run.stderr), (-signal.SIGPIPE, b""))

    def test_of_a_command_without_standard_streams_reaches_no_file(self):
        run = subprocess.run([SYMPHONY, "version"], stdout=subprocess.PIPE, timeout=60, check=False,
                             preexec_fn=lambda: (os.close(0), os.close(2)))
        self.assertEqual((run.returncode, run.stdout[:9]), (0, b"symphony "))

    def test_limits_of_a_files_size_are_named_and_end_nothing(self):
        run = subprocess.run([SYMPHONY, "demo", "--graph", str(SAMPLE), "--seconds", "0.05"], capture_output=True, text=True, timeout=120,
                             check=False, env=self.environment,
                             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
        self.assertEqual((run.returncode, run.stdout), (70, ""), run.stderr)
        self.assertIn("raise ulimit -f", run.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
