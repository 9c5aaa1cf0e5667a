#!/usr/bin/env python3
"""A pit from nothing against the installed package.   usage: package_test.py CMAKE BUILD COMPILER [unittest arguments]"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

CMAKE, BUILD, COMPILER = sys.argv[1:4]
CTEST = pathlib.Path(CMAKE).with_name("ctest")

C_PROGRAM = r"""#include <stdio.h>
#include <symphony.h>
int main(void) {
  symphony_connect_options options = {sizeof options, 0, NULL, "/nonexistent/socket", 1000000};
  symphony_bus bus;
  int32_t status = symphony_bus_connect(&options, &bus);
  return printf("%s: %s\n", symphony_status_text(status), symphony_last_error()) < 0;
}
"""
C_PROJECT = """cmake_minimum_required(VERSION 3.25)
project(c_program C)
find_package(Symphony CONFIG REQUIRED)
add_executable(by_cmake program.c)
target_link_libraries(by_cmake PRIVATE Symphony::c)
"""


def run(*command, folder):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SYMPHONY_")}
    return subprocess.run([*map(str, command)], cwd=folder, env=environment, capture_output=True, text=True, timeout=240,
                          check=False)


def modes_built(build, pit):
    """Those of a pit, which are those of the tree that was installed: the same tools are here."""
    def read(folder):
        document = json.loads((pathlib.Path(folder) / "pits" / f"{pit_of[folder]}.pit.json").read_text(encoding="utf-8"))
        return {mode["mode"] for mode in document["modes"] if mode["built"]}
    pit_of = {build: pit, BUILD: "greeter"}
    built = read(build)
    if built != read(BUILD):
        raise AssertionError(f"against the package {sorted(built)} are built, in the tree {sorted(read(BUILD))}")
    return built


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = tempfile.TemporaryDirectory()
        cls.prefix = pathlib.Path(cls.root.name) / "prefix"
        installed = run(CMAKE, "--install", BUILD, "--prefix", cls.prefix, folder=cls.root.name)
        if installed.returncode != 0:
            raise AssertionError(installed.stdout + installed.stderr)
        cls.symphony = cls.prefix / "bin" / "symphony"

    @classmethod
    def tearDownClass(cls):
        cls.root.cleanup()

    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.folder = pathlib.Path(self.temporary.name)

    def new(self, *arguments):
        return run(self.symphony, "pit", "new", *arguments, folder=self.folder)

    def left(self):
        return sorted(path.name for path in self.folder.iterdir())

    def test_a_new_pit_builds_in_an_empty_folder_and_passes_the_suite_at_once(self):
        made = self.new("my_pit")
        self.assertEqual((made.returncode, made.stderr), (0, ""))
        self.assertEqual(self.left(), ["my_pit"])
        self.assertEqual(sorted(path.name for path in (self.folder / "my_pit").iterdir()),
                         ["CMakeLists.txt", "README.md", "my_pit.cpp", "my_pit.fbs"])
        for path in (self.folder / "my_pit").iterdir():
            text = path.read_text(encoding="utf-8")
            self.assertNotIn("greeter", text.lower(), path)
            self.assertIn("my_pit", text, path)
        self.assertIn("struct MyPit {", (self.folder / "my_pit" / "my_pit.cpp").read_text(encoding="utf-8"))
        # What it said comes next.
        self.assertIn(f"cmake -S my_pit -B my_pit/build -DCMAKE_PREFIX_PATH={self.prefix} ", made.stdout)
        for command in ((CMAKE, "-S", "my_pit", "-B", "my_pit/build", f"-DCMAKE_PREFIX_PATH={self.prefix}",
                         f"-DCMAKE_CXX_COMPILER={COMPILER}", "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror"),
                        (CMAKE, "--build", "my_pit/build")):
            step = run(*command, folder=self.folder)
            self.assertEqual(step.returncode, 0, step.stdout + step.stderr)
        checked = run(self.symphony, "pit", "check", "my_pit/build/pits/my_pit.so", "-o", "json", folder=self.folder)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        document = json.loads(checked.stdout)
        self.assertEqual((document["pit"], document["ok"]), ("my_pit", True))
        for mode in document["modes"]:
            if mode["mode"] in modes_built(self.folder / "my_pit" / "build", "my_pit") - {"static"}:
                self.assertTrue(mode["run"], mode)
                self.assertEqual((mode["failed"], mode["skipped"]), (0, 0), mode)
                self.assertGreaterEqual(mode["passed"], 45)

    def test_the_suite_is_a_library_that_tests_a_new_pit_in_every_mode_that_is_built(self):
        self.assertEqual(self.new("my_pit").returncode, 0)
        project = self.folder / "my_pit" / "CMakeLists.txt"
        with project.open("a", encoding="utf-8") as more:
            more.write("enable_testing()\nsymphony_pit_tests(my_pit)\n"
                       "add_executable(own own.cpp)\ntarget_link_libraries(own PRIVATE Symphony::pit-check)\n")
        # By hand: any program may run it, and hear what is wrong.
        (self.folder / "my_pit" / "own.cpp").write_text("""#include <cstdio>
#include <symphony/pit_check.hpp>
int main(int, char** argv) {
  const auto report = symphony::pit_check::check(argv[1], {.programs = {}, .mode = "dynamic", .only = "note"});
  std::printf("%s %zu", report.refused.c_str(), report.cases.size());
  return report.ok() ? 0 : 1;
}
""", encoding="utf-8")
        for command in ((CMAKE, "-S", "my_pit", "-B", "my_pit/build", f"-DCMAKE_PREFIX_PATH={self.prefix}",
                         f"-DCMAKE_CXX_COMPILER={COMPILER}", "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror"),
                        (CMAKE, "--build", "my_pit/build")):
            step = run(*command, folder=self.folder)
            self.assertEqual(step.returncode, 0, step.stdout + step.stderr)
        own = self.folder / "my_pit" / "build" / "own"
        good = run(own, "my_pit/build/pits/my_pit.so", folder=self.folder)
        self.assertEqual((good.returncode, good.stdout), (0, " 4"))
        bad = run(own, "my_pit/CMakeLists.txt", folder=self.folder)
        self.assertEqual(bad.returncode, 1)
        self.assertIn("my_pit/CMakeLists.txt", bad.stdout)
        tested = run(CTEST, "--test-dir", "my_pit/build", "-V", folder=self.folder)
        self.assertEqual(tested.returncode, 0, tested.stdout + tested.stderr)
        for mode in modes_built(self.folder / "my_pit" / "build", "my_pit"):
            self.assertRegex(tested.stdout, rf"{mode}: [0-9]+ passed, 0 failed, 0 skipped")

    def test_the_installed_command_lists_and_checks_the_installed_pits(self):
        listed = run(self.symphony, "pit", "list", "--files", "-o", "json", folder=self.folder)
        self.assertEqual(listed.returncode, 0, listed.stderr)
        document = json.loads(listed.stdout)
        self.assertEqual(pathlib.Path(document["folder"]), self.prefix / "lib" / "symphony" / "pits")
        self.assertEqual([pit["name"] for pit in document["pits"]], ["dag_tracker", "greeter", "pool_manager"])
        for pit in document["pits"]:
            for mode in pit["modes"]:
                self.assertNotIn("not built yet", mode.get("reason", ""), mode)
        checked = run(self.symphony, "pit", "check", "greeter", "--reproduce", "note", folder=self.folder)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_a_c_program_builds_against_the_library_wherever_the_folder_was_moved(self):
        moved = self.folder / "moved"
        moved.symlink_to(self.prefix)
        (self.folder / "program.c").write_text(C_PROGRAM, encoding="utf-8")
        (self.folder / "CMakeLists.txt").write_text(C_PROJECT, encoding="utf-8")
        package = next((moved / "lib").rglob("symphony.pc")).parent
        flags = run("env", f"PKG_CONFIG_PATH={package}", "pkg-config", "--cflags", "--libs", "symphony", folder=self.folder)
        self.assertEqual(flags.returncode, 0, flags.stderr)
        self.assertNotIn(str(self.prefix), flags.stdout)
        built = run("cc", "-std=c99", "-pedantic", "-Werror", "program.c", "-o", "by_pkg_config", *flags.stdout.split(),
                    folder=self.folder)
        self.assertEqual(built.returncode, 0, built.stderr)
        for command in ((CMAKE, "-S", ".", "-B", "build", f"-DCMAKE_PREFIX_PATH={moved}"), (CMAKE, "--build", "build")):
            step = run(*command, folder=self.folder)
            self.assertEqual(step.returncode, 0, step.stdout + step.stderr)
        for program in ("by_pkg_config", "build/by_cmake"):
            done = run("env", f"LD_LIBRARY_PATH={package.parent}", self.folder / program, folder=self.folder)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("there is no broker", done.stdout)

    def test_a_bad_name_is_one_line_and_leaves_nothing(self):
        for name in ("", "Pit", "1pit", "my-pit", "../pit", "a" * 64, "pit\x1b[31m", "class", "table", "std", "symphony"):
            with self.subTest(name):
                made = self.new(name)
                self.assertEqual((made.returncode, made.stdout), (2, ""), made.stderr)
                self.assertEqual(len(made.stderr.strip().splitlines()), 1, made.stderr)
                self.assertNotIn("\x1b", made.stderr)
                self.assertEqual(self.left(), [])
        self.assertEqual(self.new("pit", "--lang", "cobol").returncode, 2)
        self.assertEqual(self.left(), [])

    def test_what_is_there_already_is_left_as_it_is(self):
        (self.folder / "folder").mkdir()
        (self.folder / "folder" / "mine").write_text("mine", encoding="utf-8")
        (self.folder / "file").write_text("mine", encoding="utf-8")
        (self.folder / "dangling").symlink_to("nowhere")
        before = self.left()
        for name in before:
            with self.subTest(name):
                made = self.new(name)
                self.assertEqual(made.returncode, 2)
                self.assertIn(f"{name} exists already", made.stderr)
                self.assertEqual(len(made.stderr.strip().splitlines()), 1)
        self.assertEqual(self.left(), before)
        self.assertEqual((self.folder / "folder" / "mine").read_text(encoding="utf-8"), "mine")

    def test_where_nothing_can_be_written_it_says_so_and_leaves_nothing(self):
        # Not by permissions, which do not hold root back: a folder that is gone takes no new entries.
        gone = self.folder / "gone"
        gone.mkdir()
        made = run("sh", "-c", f'cd gone && rmdir "../gone" && exec "{self.symphony}" pit new mine', folder=self.folder)
        self.assertEqual(made.returncode, 2, made.stderr)
        self.assertIn("begin in a folder that you may write to", made.stderr)
        self.assertEqual(len(made.stderr.strip().splitlines()), 1, made.stderr)
        self.assertEqual(self.left(), [])

    def test_a_full_disk_leaves_nothing(self):
        made = run("sh", "-c", f'ulimit -f 0; exec "{self.symphony}" pit new mine', folder=self.folder)
        self.assertEqual((made.returncode, made.stdout), (2, ""), made.stderr)
        self.assertIn("cannot be written", made.stderr)
        self.assertEqual(self.left(), [])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)
