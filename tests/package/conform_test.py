#!/usr/bin/env python3
"""A schema that changed is compared with the released one.   usage: conform_test.py CMAKE FLATC CMAKE-FOLDER [unittest arguments]"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

CMAKE, FLATC, SCRIPTS = sys.argv[1:4]

RELEASED = """namespace a.b;
enum Kind : ubyte { Small = 0, Large = 1 }
struct Point { x:int; y:int; }
table Task { name:string; count:int = 3; at:Point; kind:Kind; }
table Note { bytes:[ubyte]; }
union Any { Task, Note }
table Holder { any:Any; }
"""
# What was replaced by what, and the words of the refusal; None: it passes.
CHANGES = {
    "nothing": ("a.b", "a.b", None),
    "a field is appended": ("kind:Kind; }", "kind:Kind; more:long; }", None),
    "a field is renamed": ("count:int", "number:int", None),
    "a field is deprecated": ("count:int = 3", "count:int = 3 (deprecated)", None),
    "an enum's value is appended": ("Large = 1", "Large = 1, Huge = 2", None),
    "a union's member is appended": ("Task, Note }", "Task, Note, Holder }", None),
    "a table is added": ("table Holder", "table Other { n:int; } table Holder", None),
    "a field in the middle is gone": ("count:int = 3; ", "", "a.b.Task has 3 fields, and had 4"),
    "the last field is gone": (" kind:Kind; }", " }", "a.b.Task has 3 fields, and had 4"),
    "a field is inserted": ("name:string;", "first:int; name:string;", "renamed to different type: first"),
    "a field has another type": ("count:int", "count:long", "types differ for field: count"),
    "a field has another default": ("= 3", "= 4", "defaults differ for field: count"),
    "a field is required now": ("name:string", "name:string (required)", "now required: Task.NAME"),
    "a new field is required": ("kind:Kind; }", "kind:Kind; more:string (required); }", "now required: Task.MORE"),
    "a vector has other elements": ("[ubyte]", "[ushort]", "types differ for field: bytes"),
    "a table is gone": ("table Holder { any:Any; }", "", "not so any more: a.b.Holder"),
    "a table is a message of another name": ("Holder", "Box", "not so any more: a.b.Holder"),
    "the namespace is another": ("a.b", "a.c", "not so any more: a.b.Task"),
    "an enum's values are exchanged": ("Small = 0, Large = 1", "Large = 0, Small = 1", "a.b.Kind.Small is 0"),
    "an enum's value is gone": (", Large = 1", "", "a.b.Kind.Large is 1"),
    "an enum is wider": ("ubyte {", "ushort {", "types differ for field: kind"),
    "a union's members are exchanged": ("Task, Note }", "Note, Task }", "a.b.Any.Task is 1"),
    "a struct has grown": ("y:int; }", "y:int; z:int; }", "a.b.Point is 8 bytes"),
    "a struct's fields are exchanged": ("x:int; y:int;", "y:int; x:int;", "offsets differ"),
    "it is no schema any more": ("table Task {", "table {", "no schema that flatc reads"),
}
PROJECT = """cmake_minimum_required(VERSION 3.25)
project(one LANGUAGES NONE)
set(SYMPHONY_FLATC "@FLATC@")
add_library(Symphony::flatbuffers INTERFACE IMPORTED)
include("@SCRIPTS@/SymphonySchemas.cmake")
symphony_schema(one one.fbs)
symphony_schema_conforms(one RELEASED @RELEASED@ SCHEMAS one.fbs)
add_custom_target(all_of_it ALL)
add_dependencies(all_of_it one)
"""


def run(*command):
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, check=False)


class SchemaChange(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)
        self.folder = pathlib.Path(self.temporary.name)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def test_that_breaks_who_uses_the_released_one_is_refused_by_name_and_no_other_is(self):
        old = self.write("old.fbs", RELEASED)
        for what, (before, after, words) in CHANGES.items():
            with self.subTest(what):
                self.assertIn(before, RELEASED)
                new = self.write("new.fbs", RELEASED.replace(before, after))
                told = run(CMAKE, f"-DFLATC={FLATC}", f"-DOLD={old}", f"-DNEW={new}", f"-DFOLDER={self.folder}/scratch",
                           "-P", f"{SCRIPTS}/SymphonyConform.cmake")
                said = " ".join(told.stderr.split())
                self.assertEqual(told.returncode == 0, words is None, said)
                if words is not None:
                    self.assertIn(words, said)
                    if "no schema" not in words:
                        self.assertIn("Append fields at the end of a table", said)

    def project(self, released):
        text = PROJECT.replace("@FLATC@", FLATC).replace("@SCRIPTS@", SCRIPTS).replace("@RELEASED@", released)
        self.write("CMakeLists.txt", text)
        return run(CMAKE, "-S", self.folder, "-B", self.folder / "build", "-G", "Ninja")

    def test_that_breaks_fails_the_build_until_it_is_taken_back(self):
        self.write("one.fbs", RELEASED)
        self.write("released/one.fbs", RELEASED)
        made = self.project("released/one.fbs")
        self.assertEqual(made.returncode, 0, made.stderr)
        build = (CMAKE, "--build", self.folder / "build")
        self.assertEqual(run(*build).returncode, 0)
        self.write("one.fbs", RELEASED.replace(" kind:Kind; }", " }"))
        broken = run(*build)
        self.assertNotEqual(broken.returncode, 0)
        self.assertIn("a.b.Task has 3 fields, and had 4", broken.stdout + broken.stderr)
        self.write("one.fbs", RELEASED.replace("kind:Kind; }", "kind:Kind; more:long; }"))
        self.assertEqual(run(*build).returncode, 0)

    def test_what_is_released_has_the_name_of_a_schema_and_is_there(self):
        self.write("one.fbs", RELEASED)
        self.write("other.fbs", RELEASED)
        for released in ("other.fbs", "released/one.fbs"):
            with self.subTest(released):
                made = self.project(released)
                self.assertNotEqual(made.returncode, 0)
                self.assertIn(f"{released} is to be a file", " ".join(made.stderr.split()))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)
