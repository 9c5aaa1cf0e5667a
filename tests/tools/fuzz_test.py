#!/usr/bin/env python3
"""tools/fuzz: what is wrong with its words is said at once; a planted bug is found, kept and seen again (long lane)."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools/fuzz"


def run(*words):
    return subprocess.run([str(TOOL), *map(str, words)], capture_output=True, text=True, check=False)


class Fuzz(unittest.TestCase):
    def test_refuses_what_it_cannot_do_in_one_line(self):
        for words, said in (((), "which target?"), (("nothing",), "there is no target 'nothing': one of"),
                            (("elf", "--seconds", "x"), "'x' is no number of seconds"), (("elf", "--seconds", "0"), "'0' is no number"),
                            (("elf", "--replay", "/no/such"), "there is no file '/no/such'"), (("elf", "--what"), "--what")):
            with self.subTest(words):
                one = run(*words)
                self.assertEqual((one.returncode, one.stdout, one.stderr.count("\n")), (2, "", 1), one)
                self.assertIn(said, one.stderr)

    def test_knows_each_target_that_has_a_corpus_and_each_has_a_figure(self):
        names = run("--list").stdout.split()
        rows = (ROOT / "tools/check/figures.txt").read_text(encoding="utf-8")
        built = (ROOT / "tests/fuzz/CMakeLists.txt").read_text(encoding="utf-8")
        self.assertGreater(len(names), 8)
        for name in names:
            self.assertRegex(rows, rf"(?m)^fuzz\.inputs\.{name} +tools/fuzz {name}$")
            self.assertRegex(built, rf"\b(fuzz_)?{name}\b")

    @unittest.skipUnless("SYMPHONY_LONG" in os.environ and shutil.which("clang++-14"), "SYMPHONY_LONG is not set, or there is no clang++-14")
    def test_finds_a_planted_bug_keeps_its_input_and_shows_it_again(self):
        found = run("planted", "--seconds", 120)
        self.assertEqual(found.returncode, 1, found.stdout + found.stderr)
        file = re.search(r"FOUND by planted: (\S+)", found.stdout)[1]
        self.addCleanup((ROOT / file).unlink)
        self.assertTrue((ROOT / file).read_bytes().startswith(b"pits"))
        again = run("planted", "--replay", ROOT / file)
        self.assertEqual(again.returncode, 1, again.stdout)
        harmless = ROOT / "build/fuzz/harmless"
        harmless.write_bytes(b"pit")
        self.addCleanup(harmless.unlink)
        self.assertEqual(run("planted", "--replay", harmless).returncode, 0)


if __name__ == "__main__":
    sys.exit(unittest.main())
