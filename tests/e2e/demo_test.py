#!/usr/bin/env python3
"""The demo's job from the outside: each input format, each bad input, and nothing left behind whenever it is killed.

usage: demo_test.py SYMPHONY SAMPLES [unittest arguments]
SYMPHONY_SEED replays the random moments; SYMPHONY_KILLS says how many there are (100).
"""
import atexit
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

SYMPHONY = sys.argv[1]
SAMPLES = pathlib.Path(sys.argv[2])
KILLS = int(os.environ.get("SYMPHONY_KILLS", 100))
# Figures of runs this short would carry the names of the real ones.
os.environ["SYMPHONY_FIGURES"] = tempfile.mkdtemp(prefix="figures-")
atexit.register(shutil.rmtree, os.environ["SYMPHONY_FIGURES"], ignore_errors=True)
SHORT = ["--seconds", "0.2", "--calls", "20000"]


def demo(*arguments, **options):
    return subprocess.run([SYMPHONY, "demo", *arguments], capture_output=True, text=True, timeout=120, check=False, **options)


def processes_with(marker):
    """Names of living processes whose environment carries the marker."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if marker.encode() in (entry / "environ").read_bytes():
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
                if state not in "ZX":
                    found.append(f"{entry.name} {(entry / 'comm').read_text().strip()}")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def names_left(folder):
    return {path.name for path in pathlib.Path(folder).iterdir()}


class TheJob(unittest.TestCase):
    def check_result(self, arguments, tasks=None):
        run = demo("-o", "json", *SHORT, *arguments)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(run.stderr, "")
        result = json.loads(run.stdout)
        self.assertEqual(result["schema"], "symphony.cli/1")
        self.assertTrue(result["good"])
        self.assertTrue(result["replies_equal"])
        self.assertGreater(result["replies_compared"], 0)
        self.assertTrue(result["states_equal"])
        self.assertEqual([run["mode"] for run in result["runs"]], ["static", "process", "static", "process"])
        for run in result["runs"]:
            self.assertGreaterEqual(run["graphs"], 1, run)
            self.assertEqual((run["lost"], run["duplicated"]), (0, 0), run)
            self.assertLessEqual(run["p50_ns"], run["p99_ns"])
            self.assertLessEqual(run["p999_ns"], run["max_ns"])
        if tasks is not None:
            self.assertEqual(result["graph"]["tasks"], tasks)
        return result

    def test_a_json_edge_list_is_conducted_in_both_modes(self):
        tasks = len(json.loads((SAMPLES / "build.json").read_text())["tasks"])
        self.check_result(["--graph", str(SAMPLES / "build.json")], tasks)

    def test_a_dpkg_status_file_is_conducted_with_its_cycles_condensed(self):
        result = self.check_result(["--graph", str(SAMPLES / "dpkg-status"), "--condense"])
        self.assertGreaterEqual(result["graph"]["cycles_condensed"], 1)

    def test_an_apt_packages_file_is_conducted(self):
        self.check_result(["--graph", str(SAMPLES / "apt-packages"), "--condense"])

    def test_standard_input_is_read(self):
        with open(SAMPLES / "build.json", "rb") as file:
            run = subprocess.run([SYMPHONY, "demo", "--graph", "-", *SHORT], stdin=file, capture_output=True, text=True,
                                 timeout=120, check=False)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("replies, 1 worker:", run.stdout)

    def test_a_killed_pit_goes_on_where_it_was(self):
        result = self.check_result(["--graph", str(SAMPLES / "build.json"), "--workers", "3"])
        self.assertTrue(result["killed"])
        self.assertGreater(result["recovery_ns"], 0, "the strike must meet a graph at work")

    def test_without_a_kill_there_is_no_recovery(self):
        result = self.check_result(["--graph", str(SAMPLES / "build.json"), "--no-kill"])
        self.assertIsNone(result["recovery_ns"])

    def test_many_workers_share_the_pit(self):
        self.check_result(["--graph", str(SAMPLES / "build.json"), "--workers", "16"])

    def test_the_table_has_no_control_characters_and_no_progress_without_a_terminal(self):
        run = demo("--graph", str(SAMPLES / "build.json"), *SHORT)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(run.stderr, "")
        self.assertNotIn("\x1b", run.stdout)
        for word in ("calls/s", "p50", "p99.9", "max", "static", "process", "equal"):
            self.assertIn(word, run.stdout)


class BadInput(unittest.TestCase):
    def refused(self, arguments, status, *words, **options):
        run = demo(*SHORT, *arguments, **options)
        self.assertEqual(run.returncode, status, run.stderr)
        self.assertEqual(run.stdout, "")
        lines = run.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, run.stderr)
        for word in words:
            self.assertIn(word, lines[0])

    def test_no_such_file(self):
        self.refused(["--graph", "/no/such/file"], 2, "/no/such/file")

    def test_every_bad_sample_is_one_line_and_a_status(self):
        samples = sorted(path for path in (SAMPLES / "bad").iterdir() if path.name != "README.md")
        self.assertGreater(len(samples), 5)
        for path in samples:
            with self.subTest(path.name):
                self.refused(["--graph", str(path)], 2, str(path))

    def test_a_cycle_is_printed_with_its_remedy(self):
        self.refused(["--graph", str(SAMPLES / "cycle.json")], 2, "->", "--condense")
        self.assertEqual(demo("--graph", str(SAMPLES / "cycle.json"), "--condense", *SHORT).returncode, 0)

    def test_an_empty_file(self):
        with tempfile.NamedTemporaryFile() as file:
            self.refused(["--graph", file.name], 2, "empty")

    def test_words_that_are_no_flags(self):
        for arguments in (["--wokers", "2"], ["--workers", "0"], ["--workers", "x"], ["-o", "xml"], ["--seconds", "-1"], ["--graph", ""]):
            with self.subTest(arguments):
                run = demo(*arguments)
                self.assertEqual(run.returncode, 2, run.stderr)
                self.assertEqual(run.stdout, "")
                self.assertEqual(len(run.stderr.strip().splitlines()), 1, run.stderr)

    def test_a_full_disk_is_said(self):
        with open("/dev/full", "wb") as full:
            run = subprocess.run([SYMPHONY, "demo", "--graph", str(SAMPLES / "build.json"), *SHORT], stdout=full,
                                 stderr=subprocess.PIPE, text=True, timeout=120, check=False)
        self.assertEqual(run.returncode, 70)
        self.assertIn("free some of the disk", run.stderr)

    def test_help_names_the_formats(self):
        run = demo("--help")
        self.assertEqual(run.returncode, 0)
        for word in ("--graph", "--condense", "dpkg", "Packages", "JSON"):
            self.assertIn(word, run.stdout)


class NothingIsLeft(unittest.TestCase):
    def wait_gone(self, marker):
        deadline = time.monotonic() + 20
        while True:
            left = processes_with(marker)
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.005)

    def names_that_stay(self, place, before, of_us=""):
        """Names that came since `before` and do not go: those of tests that run beside this one are removed by them."""
        deadline = time.monotonic() + 20
        new = {name for name in names_left(place) - before if of_us in name}
        while new and time.monotonic() < deadline:
            time.sleep(0.005)
            new &= names_left(place)
        return new

    def test_after_a_good_run(self):
        marker = f"SYMPHONY_TEST_RUN={uuid.uuid4()}"
        before = names_left("/dev/shm")
        run = demo("--graph", str(SAMPLES / "build.json"), *SHORT, env={**os.environ, **dict([marker.split("=")])})
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(self.wait_gone(marker), [])
        self.assertEqual(self.names_that_stay("/dev/shm", before), set())

    def test_after_sigkill_at_a_hundred_random_moments(self):
        seed = int(os.environ.get("SYMPHONY_SEED", random.randrange(2**32)))
        print(f"seed {seed}", flush=True)
        chance = random.Random(seed)
        killed, processes, names = 0, 0, 0
        begin = time.monotonic()
        whole = demo("--graph", str(SAMPLES / "build.json"), "--seconds", "0.1")
        self.assertEqual(whole.returncode, 0, whole.stderr)
        length = time.monotonic() - begin  # moments of the whole run, its last step included
        with tempfile.TemporaryDirectory() as folder:
            before = {place: names_left(place) for place in ("/dev/shm", "/tmp")}
            for _ in range(KILLS):
                marker = f"SYMPHONY_TEST_RUN={uuid.uuid4()}"
                run = subprocess.Popen([SYMPHONY, "demo", "--graph", str(SAMPLES / "build.json"), "--seconds", "0.1"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
                                       env={**os.environ, **dict([marker.split("=")])})
                time.sleep(chance.uniform(0, length * 1.1))
                run.send_signal(signal.SIGKILL)
                killed += run.wait() == -signal.SIGKILL
                processes += len(self.wait_gone(marker))
            names = len(self.names_that_stay("/dev/shm", before["/dev/shm"])) + len(names_left(folder))
            names += len(self.names_that_stay("/tmp", before["/tmp"], "symphony"))
            names += sum(not name.endswith(".json") for name in names_left(os.environ["SYMPHONY_FIGURES"]))
        print(f"{killed} of {KILLS} were still running when killed", flush=True)
        self.assertEqual((processes, names), (0, 0))
        self.assertGreater(killed, KILLS / 2, "most moments must lie inside the run, or this proves nothing")
        write_figure("demo.leftovers", 0, KILLS, seed, time.monotonic() - begin, f"{killed} killed while running")


def write_figure(name, value, n, seed, seconds, note):
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
    import figure  # of this repository
    figure.write(pathlib.Path(SYMPHONY).resolve().parents[1] / "figures",
                 {"name": name, "value": value, "of": None, "unit": "count", "n": n, "seed": seed, "seconds": seconds,
                  "note": note})


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
