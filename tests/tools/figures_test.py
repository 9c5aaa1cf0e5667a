#!/usr/bin/env python3
"""tools/figures: what counts, what does not and why, and what was not run here."""
import contextlib
import importlib.machinery
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import figure  # noqa: E402

TOOL = ROOT / "tools/figures"
figures = importlib.machinery.SourceFileLoader("figures", str(TOOL)).load_module()

GOOD = {"name": "demo.lost", "value": 0, "of": 12, "unit": "calls", "n": 12, "seed": None, "commit": "abc", "seconds": 1.5,
        "host": {"cpu": "c", "cores": 2, "kernel": "k"}, "note": ""}


class Figures(unittest.TestCase):
    def setUp(self):
        self.held = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.held.name)

    def tearDown(self):
        self.held.cleanup()

    def put(self, file="demo.lost.json", **change):
        (self.folder / file).write_text(json.dumps({**GOOD, **change}), encoding="utf-8")

    def arguments(self, *words):
        return [str(TOOL), "--dir", str(self.folder), "--commit", "abc", *words]

    def run_tool(self, *words):
        """In this process: starting Python costs twenty times what the tool does."""
        text = io.StringIO()
        with mock.patch.object(sys, "argv", self.arguments(*words)), contextlib.redirect_stdout(text), \
                contextlib.redirect_stderr(text), self.assertRaises(SystemExit) as end:
            figures.main()
        return end.exception.code, text.getvalue()

    def test_the_command_prints_and_ends_as_its_function_does(self):
        for change in ({}, {"value": "1"}):
            self.put(**change)
            run = subprocess.run(self.arguments(), capture_output=True, text=True, check=False)
            self.assertEqual((run.returncode, run.stdout + run.stderr), self.run_tool())

    def test_a_good_figure_counts_and_is_not_listed_as_missing(self):
        self.put()
        status, text = self.run_tool("-o", "json")
        document = json.loads(text)
        self.assertEqual((status, document["figures"][0]["counts"]), (0, True))
        missing = [row["name"] for row in document["not_run"]]
        self.assertNotIn("demo.lost", missing)
        self.assertIn("test.seconds", missing)

    def test_the_table_shows_value_total_and_how_to_get_what_is_missing(self):
        self.put()
        status, text = self.run_tool()
        self.assertEqual(status, 0)
        self.assertRegex(text, r"demo\.lost +0 of 12 +calls +12")
        self.assertRegex(text, r"test\.seconds +- +not run here: tools/test")
        self.assertIn("1 figures count", text)

    def test_a_known_figure_has_one_row_and_so_one_writer(self):
        known = figures.known
        self.assertEqual(known("a.b  one program\n# c.d  twice\nc.d  another # with words\n"),
                         {"a.b": "one program", "c.d": "another"})
        with self.assertRaisesRegex(ValueError, "one writer.*a.b"):
            known("a.b  one program\nc.d  another\na.b  a third\n")
        with self.assertRaisesRegex(ValueError, "no figure's name: a.bbuild/x; two spaces"):
            known("a.bbuild/x a program\n")

    def test_a_figure_of_another_commit_does_not_count(self):
        self.put(commit="another")
        status, text = self.run_tool()
        self.assertEqual(status, 0)
        self.assertIn("does not count: of another commit", text)
        self.assertRegex(text, r"demo\.lost +- +not run here")

    def test_a_name_that_stands_twice_makes_the_run_fail(self):
        self.put()
        self.put(file="copy.json")
        status, text = self.run_tool()
        self.assertEqual(status, 1)
        self.assertIn("stands twice", text)

    def test_each_field_is_needed_and_judged(self):
        for field, wrong in [("name", "Bad Name"), ("value", None), ("value", "1"), ("value", True), ("of", "x"), ("unit", ""),
                             ("n", 0), ("n", 1.5), ("n", None), ("seed", "x"), ("commit", ""), ("seconds", -1),
                             ("host", {}), ("note", None)]:
            with self.subTest(field=field, wrong=wrong):
                self.put(**{field: wrong})
                self.assertEqual(self.run_tool()[0], 1)
        for field in GOOD:
            with self.subTest(without=field):
                lacking = {k: v for k, v in GOOD.items() if k != field}
                (self.folder / "demo.lost.json").write_text(json.dumps(lacking), encoding="utf-8")
                status, text = self.run_tool()
                self.assertEqual(status, 1)
                self.assertIn(f"no {field}", text)

    def test_a_file_that_is_no_json_object_makes_the_run_fail(self):
        for bad in ["", "{", "[]", "3", '{"value": NaN}']:
            with self.subTest(bad=bad):
                (self.folder / "demo.lost.json").write_text(bad, encoding="utf-8")
                self.assertEqual(self.run_tool()[0], 1)

    def test_what_scripts_write_is_accepted_for_this_commit(self):
        run = subprocess.run([sys.executable, "-B", str(ROOT / "tools/figure.py"), "--dir", str(self.folder), "--name", "test.seconds",
                              "--value", "12.5", "--unit", "s", "--n", "1", "--note", 'a "note"'], check=False)
        self.assertEqual(run.returncode, 0)
        status, text = self.run_tool("--commit", figure.commit(), "-o", "json")
        self.assertEqual(status, 0)
        self.assertTrue(json.loads(text)["figures"][0]["counts"], text)

    def test_scripts_cannot_write_a_figure_without_samples(self):
        run = subprocess.run([sys.executable, "-B", str(ROOT / "tools/figure.py"), "--dir", str(self.folder), "--name", "test.seconds",
                              "--value", "1", "--unit", "s", "--n", "0"], capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, 1)
        self.assertIn("n: not a count", run.stderr)
        self.assertEqual(list(self.folder.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
