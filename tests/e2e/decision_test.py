#!/usr/bin/env python3
"""`symphony bench hosting, report, compare, gate` and `symphony advise` from the outside.

usage: decision_test.py SYMPHONY PITS SUITE [unittest arguments]
"""
import html.parser
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SYMPHONY = sys.argv[1]
PITS = pathlib.Path(sys.argv[2])
CHROMIUM = shutil.which("chromium")


def symphony(*arguments):
    return subprocess.run([SYMPHONY, *map(str, arguments)], capture_output=True, text=True, timeout=240, check=False)


def type_id(name):
    value = 2166136261
    for byte in name.encode():
        value = (value ^ byte) * 16777619 % 2**32
    return value


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def measure(self, *more, status=0):
        out = self.folder / "result.json"
        run = symphony("bench", "hosting", "--quick", "--rounds", 2, "--out", out, *more)
        self.assertEqual(run.returncode, status, run.stdout + run.stderr)
        return json.loads(out.read_text()), run, out


class Hosting(Folder):
    def test_the_same_work_gives_equal_replies_in_every_way_and_a_row_that_says_what_it_is(self):
        ways = ["static", "dynamic", "process", "process+ring", "uds+flatbuffers", "uds+json"]
        result, _, _ = self.measure("--pit", "pool_manager", "--schema", pathlib.Path(__file__).parent / "../../schemas/pool_manager.fbs",
                                    *(word for way in ways for word in ("--mode", way)))
        rows = {row["mode"]: row for row in result["pits"][0]["modes"]}
        self.assertEqual(set(rows), set(ways))
        for name, row in rows.items():
            self.assertEqual(row["status"], "ok", row)
            self.assertEqual(row["outputs"], "equal as JSON" if name == "uds+json" else "equal bytes")
            self.assertEqual(row["ratio"]["n"], 2)
            self.assertGreater(min(row["ratio"]["value"], row["closed"]["p50_ns"], row["cpu_ns"], row["start_ms"]), 0)
            self.assertTrue(row["trust"] and row["placement"])
        self.assertIsNone(rows["static"]["restart_ms"])
        self.assertGreater(rows["process"]["restart_ms"], 0)
        self.assertGreater(rows["process"]["swap_pause_ms"], 0)
        self.assertEqual(result["version"], 1)
        self.assertTrue(result["commit"] and result["machine"]["kernel"])

    def test_a_way_that_this_tree_was_not_built_with_says_what_to_install_and_one_that_it_was_gives_equal_bytes(self):
        ways = ["--pit", "pool_manager", "--mode", "static", "--mode", "grpc"]
        run = symphony("bench", "hosting", "--quick", "--rounds", 2, "--out", self.folder / "result.json", *ways)
        row = json.loads((self.folder / "result.json").read_text())["pits"][0]["modes"][1]
        if row["status"] == "not_hosted":
            self.assertEqual(run.returncode, 1, "it was asked for by name")
            self.assertIn("install libgrpc++-dev", row["why"])
        else:
            self.assertEqual((run.returncode, row["status"], row["outputs"]), (0, "ok", "equal bytes"), row)

    def test_a_pit_that_ends_its_process_costs_its_row_and_the_others_go_on(self):
        body = bytes.fromhex("0c000000" "08000c0008000400" "08000000" "01000000" "03000000")  # Do{act: EXIT, argument: 1}
        trace = {"format": "symphony-trace", "version": 1, "pit": "probe", "what": "its end", "schema_hash": 0, "set_up": 0,
                 "calls": [{"type": type_id("probe.Do"), "effect": 0, "body": body.hex()}]}
        file = self.folder / "trace"
        file.write_text(json.dumps(trace))
        result, run, _ = self.measure("--pit", PITS / "probe.so", "--trace", file, status=1)
        rows = {row["mode"]: row for row in result["pits"][0]["modes"]}
        self.assertEqual(rows["static"]["status"], "not_hosted")
        self.assertIn("not linked into", rows["static"]["why"])
        self.assertEqual(rows["wasm"]["status"], "not_hosted")
        self.assertIn("bench_decision ended with status 1", rows["dynamic"]["why"])
        self.assertIn("crashed", rows["process"]["why"])
        self.assertIn("symphony bench hosting: probe, dynamic: ", run.stderr)

    def test_traces_that_do_not_fit_are_named_and_nothing_is_measured(self):
        trace = self.folder / "trace"
        kept, _, _ = self.measure("--pit", "pool_manager", "--mode", "static", "--save-trace", trace)
        self.assertEqual(kept["pits"][0]["modes"][0]["status"], "ok")
        document = json.loads(trace.read_text())
        for change, words in (({"schema_hash": 1}, "another schema"), ({"pit": "other"}, "of the pit 'other'"),
                              ({"version": 2}, "another version"), ({"format": "x"}, "is no trace"), ({"calls": []}, "no calls")):
            bad = self.folder / "bad"
            bad.write_text(json.dumps({**document, **change}))
            result, run, _ = self.measure("--pit", "pool_manager", "--mode", "static", "--trace", bad, status=1)
            self.assertIn(words, run.stderr)
            self.assertEqual(result["pits"][0]["modes"][0]["status"], "failed")

    def test_a_rate_that_is_missed_is_named_and_told_by_the_exit_status(self):
        result, run, _ = self.measure("--pit", "mirror", "--mode", "uds+flatbuffers", "--rate", 10_000_000, status=1)
        self.assertTrue(result["pits"][0]["modes"][0]["open"]["missed"])
        self.assertIn("slower than the rate asked for", run.stderr)


class Text(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.cells, self.words, self.into = [], "", ""

    def handle_starttag(self, tag, attrs):
        self.into = tag

    def handle_data(self, data):
        if self.into in ("td", "th"):
            self.cells.append(data)
        if self.into not in ("script", "style"):
            self.words += data


class Decisions(Folder):
    def test_a_result_becomes_a_page_a_comparison_and_an_advice(self):
        _, _, out = self.measure("--pit", "mirror", "--mode", "static", "--mode", "process")
        page = self.folder / "page.html"
        run = symphony("bench", "report", out, "--html", page)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertLess(page.stat().st_size, 400 * 1024)
        for verb in ("compare", "gate"):
            run = symphony("bench", verb, page, out, "-o", "json")
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertEqual(json.loads(run.stdout)["changes"], [])
        for form in ("--term", "--markdown"):
            self.assertIn("mirror", symphony("bench", "report", page, form).stdout)
        slower = json.loads(out.read_text())
        for row in slower["pits"][0]["modes"]:
            row["ratio"]["rounds"] = [100, 100.1, 99.9, 100.2, 99.8]
        before = json.loads(out.read_text())
        for row in before["pits"][0]["modes"]:
            row["ratio"]["rounds"] = [50, 50.1, 49.9, 50.2, 49.8]
        (self.folder / "a").write_text(json.dumps(before))
        (self.folder / "b").write_text(json.dumps(slower))
        self.assertEqual(symphony("bench", "gate", self.folder / "a", self.folder / "b").returncode, 1)
        self.assertEqual(symphony("bench", "gate", self.folder / "b", self.folder / "a").returncode, 0)
        for row in before["pits"][0]["modes"]:
            row["open"]["missed"] = False
        (self.folder / "a").write_text(json.dumps(before))
        run = symphony("advise", "--result", self.folder / "a", "--untrusted", "-o", "json")
        self.assertEqual(run.returncode, 1)
        self.assertIn("--untrusted conflicts", json.loads(run.stdout)["conflict"])
        run = symphony("advise", "--result", self.folder / "a", "--language", "python", "-o", "json")
        self.assertEqual((run.returncode, json.loads(run.stdout)["mode"]), (0, "process"))

    def test_what_is_no_result_is_named_with_its_exit_status(self):
        file = self.folder / "file"
        for text, words, status in (("{}", "is no result", 2), ('{"format": "symphony-hosting", "version": 7}', "version 7", 7), ("<html>", "is no result", 2)):
            file.write_text(text)
            for command in (("bench", "report", file), ("bench", "compare", file, file), ("advise", "--result", file)):
                run = symphony(*command)
                self.assertEqual(run.returncode, status, command)
                self.assertIn(words, run.stderr)
                self.assertEqual(run.stderr.count("\n"), 1)


@unittest.skipUnless(os.environ.get("SYMPHONY_LONG"), "of the long lane: SYMPHONY_LONG=1")
@unittest.skipUnless(CHROMIUM, "chromium is not installed: apt-get install chromium")
class Browser(Folder):
    def chromium(self, page, *more):
        words = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", f"--user-data-dir={self.folder}/profile",
                 "--window-size=1280,720", *more, page.as_uri()]
        return subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)

    def test_the_page_asks_the_network_for_nothing_and_shows_the_numbers_of_its_document(self):
        result, _, out = self.measure("--pit", "mirror", "--mode", "static", "--mode", "process", "--mode", "uds+flatbuffers")
        page = self.folder / "page.html"
        self.assertEqual(symphony("bench", "report", out, "--html", page).returncode, 0)
        log = self.folder / "net.json"
        run = self.chromium(page, "--dump-dom", f"--log-net-log={log}", "--enable-logging=stderr", "--v=0")
        self.assertNotIn("CONSOLE", run.stderr)
        self.assertNotIn("Refused to", run.stderr)
        wanted = [event["params"]["url"] for event in json.loads(log.read_text())["events"]
                  if isinstance(event.get("params"), dict) and str(event["params"].get("initiator", "")).startswith("file") and "url" in event["params"]]
        self.assertEqual([url for url in wanted if not url.startswith("file:")], [])
        seen = Text()
        seen.feed(run.stdout)
        for row in result["pits"][0]["modes"]:
            self.assertIn(row["mode"], seen.words)
            self.assertIn(f"{row['closed']['n']}", seen.words)
            self.assertIn(f"{row['ratio']['value']:.3f}", seen.words)
        pictures = set()
        for scheme in ("0", "1"):  # dark, light
            picture = self.folder / f"{scheme}.png"
            self.chromium(page, f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={picture}")
            pictures.add(picture.read_bytes())
            self.assertGreater(picture.stat().st_size, 20_000, "an empty page is smaller")
        self.assertEqual(len(pictures), 2, "dark and light look the same")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
