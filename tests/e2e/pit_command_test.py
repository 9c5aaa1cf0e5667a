#!/usr/bin/env python3
"""symphony pit list, show and check as commands.   usage: pit_command_test.py SYMPHONY TEST_PITS [unittest arguments]"""
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

SYMPHONY = sys.argv[1]
TEST_PITS = pathlib.Path(sys.argv[2])
PITS = pathlib.Path(SYMPHONY).resolve().parent.parent / "pits"
MODULE = PITS / "template" / "wasm_greeter" / "pit.wasm"  # what greeter_wasm.so was made of
WHOLE = "SYMPHONY_SAMPLES" not in os.environ  # a sanitizer takes minutes for the whole suite, which test_pit_check runs
needs_wasm = unittest.skipUnless(MODULE.exists(), "WebAssembly pits are not built here")


def note_of(path):
    """The bytes of the one note in a native file: behind the head of an ELF note."""
    data = path.read_bytes()
    at = data.index(b"SPN1") - 4
    return data[at:at + struct.unpack_from("<I", data, at - 20)[0]]


def module(*custom_sections, version=1):
    """A WebAssembly module with nothing in it but these pairs of name and bytes."""
    out = b"\0asm" + struct.pack("<I", version)
    for name, body in custom_sections:
        content = bytes([len(name)]) + name.encode() + body
        out += bytes([0, len(content) & 0x7F | 0x80, len(content) >> 7]) + content
    return out


def symphony(*arguments):
    return subprocess.run([SYMPHONY, "pit", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)


class Pit(unittest.TestCase):
    def json(self, *arguments):
        run = symphony(*arguments, "-o", "json")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        document = json.loads(run.stdout)
        self.assertEqual((document["schema"], document["command"]), ("symphony.cli/1", f"pit {arguments[0]}"))
        return document

    def test_list_names_each_pit_with_its_modes_and_a_reason_for_each_that_is_missing(self):
        pits = {pit["name"]: pit for pit in self.json("list", "--files")["pits"]}
        for name in ("greeter", "dag_tracker"):
            self.assertEqual(pits[name]["version"], {"greeter": "1.0.0", "dag_tracker": "1.1.0"}[name])
            self.assertEqual(pits[name]["file"], str(PITS / f"{name}.so"))
            modes = {mode["mode"]: mode for mode in pits[name]["modes"]}
            self.assertEqual(sorted(modes), ["dynamic", "process", "static", "wasm"])
            for mode in modes.values():
                self.assertTrue(mode["built"] or mode["reason"], mode)
            self.assertTrue(all(modes[mode]["built"] for mode in ("static", "dynamic", "process")))
        table = symphony("list", "--files").stdout
        self.assertRegex(table, r"greeter +1\.0\.0 +static dynamic process")

    def test_show_says_what_the_note_says(self):
        (note,) = self.json("show", PITS / "greeter.so")["pits"]
        self.assertEqual((note["name"], note["version"], note["abi"]["major"]), ("greeter", "1.0.0", 1))
        self.assertEqual(note["messages"], [{"type": 0xDABEF1A7, "effect": "once"}])
        self.assertEqual((note["needs"], note["state_revision"], note["state_revision_min"]), ([], 1, 1))
        self.assertRegex(note["schema_hash"], "^[0-9a-f]{16}$")
        table = symphony("show", PITS / "greeter.so").stdout
        for line in (r"pit +greeter", r"version +1\.0\.0", r"needs +nothing", r"snapshots +writes 1, restores 1 to 1",
                     r"0xdabef1a7 +once"):
            self.assertRegex(table, line)

    def test_show_takes_the_name_of_a_listed_pit(self):
        self.assertEqual(self.json("show", "--files", "dag_tracker")["pits"][0]["name"], "dag_tracker")

    def test_show_lists_needs_and_every_pit_of_a_file(self):
        self.assertEqual(self.json("show", TEST_PITS / "needy.so")["pits"][0]["needs"], ["pool"])
        names = [pit["name"] for pit in self.json("show", TEST_PITS / "two_pits.so")["pits"]]
        self.assertEqual(names, ["second", "counter"])

    @needs_wasm
    def test_show_says_the_same_of_a_module_and_of_its_compiled_form(self):
        native, compiled, wasm = (self.json("show", path)["pits"] for path in (PITS / "greeter.so", PITS / "greeter_wasm.so", MODULE))
        self.assertEqual(native, wasm)
        self.assertEqual(native, compiled)
        self.assertEqual(symphony("show", MODULE).stdout, symphony("show", PITS / "greeter.so").stdout)

    def test_a_bad_module_is_one_line_with_the_remedy_and_a_status_that_says_what_it_is(self):
        good = module(("symphony.pit", note_of(PITS / "greeter.so")))
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "pit.wasm"
            path.write_bytes(good)
            self.assertEqual(self.json("show", path)["pits"][0]["name"], "greeter")
            for bytes_of, status, word in ((good[:-20], 1, "copy or build it again"), (good[:8], 1, "no pit"), (good[:6], 1, "no WebAssembly module"),
                                           (good[:-1] + bytes([good[-1] ^ 1]), 1, "its note is"),
                                           (module(("name", b"\0")), 1, "no section symphony.pit"),
                                           (module(version=0x1000D), 7, "WebAssembly module of version 13"),
                                           (module(("symphony.pit", note_of(TEST_PITS / "other_major.so"))), 7, "needs ABI 2.0")):
                with self.subTest(word):
                    path.write_bytes(bytes_of)
                    run = symphony("show", path)
                    self.assertEqual((run.returncode, run.stdout), (status, ""), run.stderr)
                    self.assertEqual(len(run.stderr.strip().splitlines()), 1, run.stderr)
                    self.assertIn(str(path), run.stderr)
                    self.assertIn(word, run.stderr)
            path.write_bytes(good)
            run = symphony("check", path)
            self.assertEqual(run.returncode, 1)
            self.assertIn("name the _wasm.so", run.stderr)

    def test_a_bad_file_is_one_line_with_the_remedy_and_a_status_that_says_what_it_is(self):
        with tempfile.TemporaryDirectory() as folder:
            cut = pathlib.Path(folder) / "cut.so"
            cut.write_bytes((PITS / "greeter.so").read_bytes()[:5000])
            text = pathlib.Path(folder) / "text\x1b[31m.so"
            text.write_text("no pit", encoding="utf-8")
            for path, status, word in ((cut, 1, "truncated"), (text, 1, "no ELF file"), (TEST_PITS / "plain.so", 1, "no pit"),
                                       (TEST_PITS / "other_major.so", 7, "needs ABI 2.0"), ("/no/such.so", 2, "cannot be read"),
                                       (folder, 2, "no regular file"), ("./nobody", 2, "cannot be read")):
                with self.subTest(path):
                    run = symphony("show", path)
                    self.assertEqual((run.returncode, run.stdout), (status, ""), run.stderr)
                    self.assertEqual(len(run.stderr.strip().splitlines()), 1, run.stderr)
                    self.assertIn(word, run.stderr)
                    self.assertNotIn("\x1b", run.stderr)

    def test_a_damaged_file_among_the_listed_is_named_and_the_others_are_listed(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "bin").mkdir()
            (root / "pits").mkdir()
            shutil.copy(SYMPHONY, root / "bin" / "symphony")
            os.symlink(PITS / "greeter.so", root / "pits" / "greeter.so")
            (root / "pits" / "broken.so").write_text("no pit", encoding="utf-8")
            run = subprocess.run([str(root / "bin" / "symphony"), "pit", "list", "--files"], capture_output=True, text=True, timeout=60,
                                 check=False)
            self.assertEqual(run.returncode, 1)
            self.assertIn("broken.so: the file is no ELF file", run.stderr)
            self.assertRegex(run.stdout, r"greeter +1\.0\.0 +dynamic process")

    def test_list_says_of_each_mode_whether_what_it_loads_is_there(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "bin").mkdir()
            (root / "pits").mkdir()
            shutil.copy(SYMPHONY, root / "bin" / "symphony")

            def modes_of(name):
                run = subprocess.run([str(root / "bin" / "symphony"), "pit", "list", "--files", "-o", "json"], capture_output=True, text=True,
                                     timeout=60, check=False)
                self.assertEqual((run.returncode, run.stderr), (0, ""))
                pits = {pit["name"]: pit for pit in json.loads(run.stdout)["pits"]}
                return {mode["mode"]: mode["built"] or mode["reason"] for mode in pits[name]["modes"]}

            report = {"name": "greeter", "modes": [{"mode": mode, "built": True} for mode in ("static", "dynamic", "process", "wasm")]}
            (root / "pits" / "greeter.pit.json").write_text(json.dumps(report), encoding="utf-8")
            missing = "not built yet: build the whole tree"
            self.assertEqual(modes_of("greeter"), {"static": True, "dynamic": missing, "process": missing, "wasm": missing})
            shutil.copy(PITS / "greeter.so", root / "pits" / "greeter.so")
            self.assertEqual(modes_of("greeter"), {"static": True, "dynamic": True, "process": True, "wasm": missing})
            if (PITS / "greeter_wasm.so").exists():
                shutil.copy(PITS / "greeter_wasm.so", root / "pits" / "greeter_wasm.so")
                self.assertEqual(modes_of("greeter")["wasm"], True)
                (root / "pits" / "greeter.pit.json").unlink()
                self.assertEqual(modes_of("greeter"), {"dynamic": True, "process": True, "wasm": True})
                (root / "pits" / "greeter.so").unlink()
                self.assertEqual(modes_of("greeter_wasm"), {"wasm": True})

    def test_check_runs_each_mode_that_can_be_run_and_says_why_another_cannot(self):
        document = self.json("check", "greeter", "--reproduce", "snapshot", "--seed", "7")
        self.assertEqual((document["pit"], document["seed"], document["ok"]), ("greeter", 7, True))
        modes = {mode["mode"]: mode for mode in document["modes"]}
        self.assertEqual(sorted(modes), ["dynamic", "process", "static", "wasm"])
        for name, mode in modes.items():
            cases = [case for case in document["cases"] if case["mode"] == name]
            if mode["run"]:
                self.assertEqual((mode["failed"], mode["skipped"], mode["passed"]), (0, 0, len(cases)), mode)
                self.assertEqual(mode["of"], len(cases))
            else:
                self.assertTrue(mode["reason"], mode)
                self.assertEqual(cases, [])
        self.assertTrue(modes["dynamic"]["run"] and modes["process"]["run"])
        table = symphony("check", "greeter", "--reproduce", "note", "--seed", "7")
        self.assertEqual(table.returncode, 0, table.stdout + table.stderr)
        self.assertIn("seed 7", table.stdout)
        self.assertRegex(table.stdout, r"passed +dynamic +note\.is_readable")
        self.assertRegex(table.stdout, r"dynamic +4 +0 +0 +4")
        self.assertRegex(table.stdout, r"static not run: .+")

    @needs_wasm
    def test_check_runs_the_form_for_webassembly_beside_the_native_one_or_by_itself(self):
        part = () if WHOLE else ("--reproduce", "message")
        document = self.json("check", PITS / "greeter.so", "--mode", "wasm", "--seed", "3", *part)
        (mode,) = document["modes"]
        self.assertEqual((mode["mode"], mode["failed"], mode["skipped"], mode["passed"]), ("wasm", 0, 0, mode["of"]))
        self.assertGreaterEqual(mode["of"], 55 if WHOLE else 10)
        document = self.json("check", PITS / "greeter_wasm.so", "--reproduce", "file", "--seed", "3")
        run = {mode["mode"]: mode["run"] for mode in document["modes"]}
        self.assertEqual(run, {"static": False, "dynamic": False, "wasm": True, "process": False})
        self.assertEqual({case["verdict"] for case in document["cases"]}, {"passed"})

    def test_a_form_for_webassembly_that_is_missing_or_another_pits_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            shutil.copy(PITS / "greeter.so", root / "greeter.so")
            run = symphony("check", root / "greeter.so", "--mode", "wasm")
            self.assertEqual(run.returncode, 2)
            self.assertIn("there is no " + folder, run.stderr)
            for other, word in ((PITS / "dag_tracker.so", "no pit compiled by way of WebAssembly"),
                                (PITS / "dag_tracker_wasm.so", "is pit dag_tracker")):
                if other.exists():
                    shutil.copy(other, root / "greeter_wasm.so")
                    run = symphony("check", root / "greeter.so", "--mode", "wasm")
                    self.assertEqual(run.returncode, 2)
                    self.assertIn(word, run.stderr)

    def test_a_case_that_failed_is_the_same_again_with_the_seed_and_the_name_that_it_prints(self):
        # A pit whose library counts for all of its instances.
        part = () if WHOLE else ("--reproduce", "instance")
        arguments = ("check", TEST_PITS / "counter_1.so", "--mode", "dynamic", *part)
        first = symphony(*arguments, "-o", "json")
        self.assertEqual(first.returncode, 1, first.stderr)
        document = json.loads(first.stdout)
        failed = [case for case in document["cases"] if case["verdict"] == "failed"]
        self.assertIn("instance.shares_nothing", [case["case"] for case in failed])
        case = next(case for case in failed if case["case"] == "instance.shares_nothing")
        self.assertIn("state outside the instance", case["text"])
        again = subprocess.run([SYMPHONY, *case["again"].split()[1:], "-o", "json"], capture_output=True, text=True, timeout=60,
                               check=False)
        self.assertEqual(again.returncode, 1)
        (same,) = json.loads(again.stdout)["cases"]
        self.assertEqual((same["case"], same["verdict"], same["text"]), (case["case"], "failed", case["text"]))

    def test_check_in_process_is_for_a_debugger(self):
        run = symphony("check", "greeter", "--mode", "dynamic", "--reproduce", "replay.same_replies", "--in-process")
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_check_refuses_what_it_cannot_check_in_one_line(self):
        for arguments, status, word in ((("/no/such.so",), 2, "cannot be read"), ((TEST_PITS / "plain.so",), 1, "no pit"),
                                        ((TEST_PITS / "other_major.so",), 7, "needs ABI 2.0"),
                                        ((TEST_PITS / "two_pits.so",), 1, "holds 2 pits"),
                                        (("greeter", "--mode", "odd"), 2, "no mode 'odd'"),
                                        (("greeter", "--reproduce", "odd.case"), 2, "no case 'odd.case'"),
                                        (("greeter", "--mode", "dynamic", "--reproduce", "kill"), 2, "nothing was checked"),
                                        (("greeter", "--seed", "x"), 2, "--seed")):
            with self.subTest(arguments):
                run = symphony("check", *arguments)
                self.assertEqual(run.returncode, status, run.stderr)
                self.assertEqual(len(run.stderr.strip().splitlines()), 1, run.stderr)
                self.assertIn(word, run.stderr)
        run = symphony("check", "greeter", "--mode", "static")
        self.assertEqual(run.returncode, 2)
        self.assertIn("mode static cannot be run: no file is linked in", run.stderr)
        self.assertIn("symphony_static_greeter", run.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
