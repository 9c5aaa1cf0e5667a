#!/usr/bin/env python3
"""The C library as a file: what it exports, what it needs.   usage: elf_test.py LIBRARY [unittest arguments]"""
import pathlib
import re
import subprocess
import sys
import unittest

LIBRARY = sys.argv[1]
HERE = pathlib.Path(__file__).resolve().parent
HEADER = HERE.parents[2] / "bindings" / "c" / "include" / "symphony.h"
# Of Debian 12 (manylinux_2_36), and nothing that an interpreter may have in another version.
GLIBC_MAX = (2, 36)
NEEDED = {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"}


def readelf(*words):
    return subprocess.run(["readelf", "-W", *words, LIBRARY], capture_output=True, text=True, check=True).stdout


class CLibrary(unittest.TestCase):
    def exported(self):
        lines = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], capture_output=True, text=True, check=True).stdout.splitlines()
        return sorted(line.split()[-1] for line in lines if line.split()[1] != "A")

    def test_exports_the_committed_list_and_nothing_else(self):
        listed = (HERE / "symbols.txt").read_text(encoding="utf-8").split()
        self.assertEqual(self.exported(), sorted(name + "@@SYMPHONY_1" for name in listed),
                         "a function is added to tests/bindings/c/symbols.txt and never taken out")

    def test_exports_what_its_header_declares(self):
        declared = re.findall(r"^SYMPHONY_API [^;]*?\b(symphony_\w+)\(", HEADER.read_text(encoding="utf-8"), re.M)
        self.assertEqual(sorted(declared), sorted(name.split("@")[0] for name in self.exported()))

    def test_has_the_soname_of_its_major_version(self):
        self.assertIn("[libsymphony.so.1]", readelf("-d"))

    def test_needs_only_what_every_program_has(self):
        self.assertLessEqual(set(re.findall(r"\(NEEDED\).*\[(.*)\]", readelf("-d"))), NEEDED)
        versions = {tuple(map(int, v.split("."))) for v in re.findall(r"GLIBC_([\d.]+)", readelf("-V"))}
        self.assertLessEqual(max(versions), GLIBC_MAX)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
