#!/usr/bin/env python3
"""`symphony bench` from the outside: every peer that is built gives right data and a figure, and nothing is left.

usage: bench_test.py SYMPHONY [unittest arguments]
"""
import json
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
import uuid

SYMPHONY = sys.argv[1]
BIN = pathlib.Path(SYMPHONY).parent


def bench(*arguments, **options):
    return subprocess.run([SYMPHONY, "bench", *arguments], capture_output=True, text=True, timeout=240, check=False, **options)


def processes_with(marker, name=""):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and marker.encode() in (entry / "environ").read_bytes():
                if name in (entry / "cmdline").read_text() and (entry / "stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX":
                    found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        pass
    return condition()


class Peers(unittest.TestCase):
    def test_every_peer_that_is_built_gives_right_data_and_a_figure(self):
        with tempfile.TemporaryDirectory() as folder:
            save = pathlib.Path(folder) / "result"
            run = bench("peers", "--quick", "--size", "72", "-o", "json", "--save", str(save),
                        env={**os.environ, "SYMPHONY_FIGURES": folder})
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            self.assertEqual(save.read_text(), run.stdout)
            result = json.loads(run.stdout)
            built = {row["peer"] for row in result["points"]}
            self.assertLessEqual({"boost_lockfree", "boost_mq", "boost_mq_poll", "concurrentqueue", "uds", "uds_seqpacket",
                                  "tcp", "pipe", "futex"}, built)
            for row in result["points"]:
                self.assertEqual(len(row["pairs"]), 3)
                self.assertGreater(min(row["ours_ns"], row["peer_ns"], row["ratio"]), 0, row)
                kind = "rtt" if row["pattern"] == "rtt" else "throughput"
                figure = json.loads((pathlib.Path(folder) / f"peer.{row['peer']}.{kind}_ratio.72.json").read_text())
                self.assertEqual((figure["value"], figure["n"]), (row["ratio"], row["pairs_counted"]))
                self.assertEqual(row["goal"] is None, row["goal_met"] is None, row)
                self.assertEqual(row["disturbed"], 0, "a quick run repeats nothing")
                classes = [row, *row["other_classes"]]
                self.assertEqual(sum(c.get("pairs_counted") or c["pairs"] for c in classes), 3, row)
                self.assertTrue(row["pattern"] == "stream" or len(classes) == 1, "round trips are of one class")
            for missing in result["missing"]:
                said = "cannot run here: " if "cannot run" in missing["why"] else f"not built here; install {missing['package']} and"
                self.assertTrue(missing["why"].startswith(said), missing)

    def test_two_tables_name_peers_goals_and_settings(self):
        with tempfile.TemporaryDirectory() as folder:
            run = bench("peers", "--quick", "--size", "72", "--peer", "boost_mq", "--peer", "boost_mq_poll",
                        env={**os.environ, "SYMPHONY_FIGURES": folder})
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        spin, sleep = run.stdout.split("spin against spin\n")[1].split("sleep against sleep\n")
        for table, peer, setting in ((spin, "boost_mq_poll", "try_receive"), (sleep, "boost_mq", "receive")):
            self.assertRegex(table, rf"(?m)^round trip +72  {peer} .* <= 1\.00 ")
            self.assertRegex(table, rf"(?m)^stream +72  {peer} .* >= 1\.00 ")
            self.assertRegex(table, rf"(?m)^{peer}  +Boost.Interprocess.* {setting}")

    def test_a_peer_that_cannot_run_here_is_missing_with_its_reason(self):
        with tempfile.TemporaryDirectory() as folder:
            # Programs are looked for beside the command: in this folder, only one that cannot run.
            command = shutil.copy2(SYMPHONY, folder)
            program = pathlib.Path(folder) / "symphony-peer-pipe"
            program.write_text("#!/bin/sh\necho something else >&2\necho no luck >&2\nexit 3\n")
            program.chmod(0o755)
            words = [command, "bench", "peers", "--size", "72", "-o", "json"]
            run = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            result = json.loads(run.stdout)
            missing = {row["peer"]: row["why"] for row in result["missing"]}
            self.assertEqual((result["points"], missing["pipe"]), ([], "cannot run here: no luck"))
            self.assertIn("not built here", missing["tcp"])
            named = subprocess.run([*words, "--peer", "pipe"], capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual((named.returncode, named.stdout), (4, ""))
            self.assertEqual(named.stderr, "symphony bench peers: pipe cannot run here: no luck\n")

    def test_bad_arguments_are_one_line_and_the_status_of_usage(self):
        for words in (["peers", "--size", "9"], ["peers", "--size", "0"], ["peers", "--size", "65544"], ["peers", "--peer", "x"],
                      ["peers", "-o", "xml"], ["ring", "--size", "8"], ["ring", "--save", "/nowhere/at/all"], ["nothing"], []):
            with self.subTest(words):
                run = bench(*words)
                self.assertEqual((run.returncode, run.stdout, len(run.stderr.splitlines())), (2, "", 1), run.stderr)

    def test_a_program_killed_in_the_middle_is_named_and_leaves_nothing(self):
        self.kill_in_the_middle("pipe")

    @unittest.skipUnless((BIN / "symphony-peer-iceoryx").exists(), "iceoryx is not built here")
    def test_a_killed_program_leaves_no_daemon_and_no_shared_memory(self):
        with tempfile.TemporaryDirectory() as folder:
            run = bench("peers", "--quick", "--peer", "iceoryx", "--size", "72", env={**os.environ, "SYMPHONY_FIGURES": folder})
        if run.returncode == 4:
            self.skipTest(run.stderr)
        folders = [pathlib.Path("/dev/shm"), pathlib.Path("/tmp")]

        def traces():
            return {str(path) for folder in folders for path in folder.iterdir() if re.match("iox-|iceoryx|roudi", path.name)}

        before = traces()
        self.kill_in_the_middle("iceoryx")
        self.assertLessEqual(traces(), before)

    def kill_in_the_middle(self, peer):
        for victim in range(3):  # the one that supervises, and its two sides
            with self.subTest(victim):
                marker = str(uuid.uuid4())
                run = subprocess.Popen([SYMPHONY, "bench", "peers", "--peer", peer], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True, env={**os.environ, "SYMPHONY_TEST_RUN": marker,
                                                                               "SYMPHONY_FIGURES": "/nowhere"})
                struck = []

                def strike():
                    pids = sorted(processes_with(marker, f"symphony-peer-{peer}"))
                    if len(pids) == 3:
                        try:
                            os.kill(pids[victim], signal.SIGKILL)
                            struck.append(pids[victim])
                        except ProcessLookupError:
                            pass  # it had just ended; the next pair comes at once
                    return bool(struck)

                self.assertTrue(wait_until(strike))
                out, err = run.communicate(timeout=60)
                self.assertEqual((run.returncode, out, len(err.splitlines())), (70, "", 1), err)
                self.assertIn(f"symphony-peer-{peer}", err)
                self.assertIn("killed by signal 9", err)
                self.assertTrue(wait_until(lambda: not processes_with(marker)))


class Ring(unittest.TestCase):
    def test_the_document_has_all_parts_and_goes_where_it_is_asked_for(self):
        with tempfile.TemporaryDirectory() as folder:
            run = bench("ring", "--quick", "-o", "json", "--results", folder,
                        env={**os.environ, "SYMPHONY_FIGURES": str(pathlib.Path(folder) / "figures")})
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            result = json.loads(run.stdout)
            (file,) = pathlib.Path(folder).glob("*.json")
            self.assertEqual(file.read_text(), run.stdout)
            dirty = "-dirty" if result["commit"].endswith("-dirty") else ""
            self.assertRegex(file.name, rf"^ring\.[a-z0-9_]+-{result['host']['cores']}\.{result['commit'][:12]}{dirty}\.json$")
        self.assertEqual([row["name"] for row in result["yardsticks"]["yardsticks"]], ["line", "uds", "futex"])
        for part in (result["link"], *result["call"]["series"], *result["streams"]["cells"]):
            self.assertEqual([c["main"] for c in part["classes"]].count(True), 1)
        self.assertIn("channel.32", [row["name"] for row in result["link"]["classes"][0]["kinds"]])
        self.assertEqual([p["name"] for series in result["call"]["series"] for p in series["classes"][0]["points"]],
                         ["32", "64", "1024", "4096", "32, p99", "typed", "1 MiB"])
        self.assertEqual([cell["size"] for cell in result["streams"]["cells"]], [64, 256, 1024, 4096, 65536])
        self.assertEqual([place["name"] for place in result["wake"]["places"]], ["apart", "together", "free"])
        self.assertIn(result["verdict"], ("ok", "inconclusive"))

    def test_the_table_has_a_row_of_each_part(self):
        with tempfile.TemporaryDirectory() as folder:
            run = bench("ring", "--quick", env={**os.environ, "SYMPHONY_FIGURES": folder})
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        for row in ("line", r"channel\.32", "call typed", "call 1 MiB", "stream 65536", "wake together", "verdict:"):
            self.assertRegex(run.stdout, rf"(?m)^{row} ")

    def test_a_folder_that_is_not_there_is_said_before_anything_is_measured(self):
        run = bench("ring", "--results", "/nowhere/at/all")
        self.assertEqual((run.returncode, run.stdout, len(run.stderr.splitlines())), (2, "", 1), run.stderr)


class Modes(unittest.TestCase):
    def test_every_mode_that_is_built_is_in_one_table_and_writes_its_figures(self):
        with tempfile.TemporaryDirectory() as folder:
            figures = pathlib.Path(folder) / "figures"
            run = bench("modes", "--quick", "-o", "json", "--results", folder,
                        env={**os.environ, "SYMPHONY_FIGURES": str(figures)})
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            (file,) = pathlib.Path(folder).glob("*.json")
            self.assertEqual(file.read_text(), run.stdout)
            self.assertRegex(file.name, r"^modes\.")
            modes = json.loads(run.stdout)["modes"]
            for one in modes["figures"]:
                written = json.loads((figures / f"{one['name']}.json").read_text())
                self.assertAlmostEqual(written["value"], one["value"], places=3)
        ways = {way["name"]: way["ns"] for way in modes["ways"]}
        self.assertLessEqual({"virtual call", "static", "dynamic", "build, verify, read", "ring", "process"}, ways.keys())
        if (BIN / "../pits/prepared_wasm.so").exists():
            self.assertLessEqual({"wasm", "wasm, window", "wasm, 1 MiB", "wasm, window, 1 MiB"}, ways.keys())
            self.assertLess(ways["wasm, window, 1 MiB"], ways["wasm, 1 MiB"], "a copy of 1 MiB takes longer than none")
        self.assertLess(ways["virtual call"], ways["static"])
        self.assertLess(ways["static"], ways["process"])

    def test_what_is_left_of_it_is_nothing(self):
        marker = f"bench-modes-{uuid.uuid4()}"
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.Popen([SYMPHONY, "bench", "modes"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, "SYMPHONY_FIGURES": folder, "MARKER": marker})
            self.assertTrue(wait_until(lambda: processes_with(marker, "symphony-pit-host")))
            run.kill()
            run.communicate(timeout=60)
            self.assertTrue(wait_until(lambda: not processes_with(marker)))


class Faults(unittest.TestCase):
    def setUp(self):
        if subprocess.run(["unshare", "-Ur", "true"], capture_output=True, check=False).returncode != 0:
            self.skipTest("this machine gives no namespaces")

    def test_says_of_every_cell_what_was_seen_and_of_every_mode_how_many_it_contains(self):
        with tempfile.TemporaryDirectory() as folder:
            save = pathlib.Path(folder) / "result"
            run = bench("faults", "--mode", "static", "--mode", "process", "--fault", "null_write", "--fault", "ring_index",
                        "--fault", "corrupt_flatbuffer", "-o", "json", "--save", str(save),
                        env={**os.environ, "SYMPHONY_FIGURES": folder})
            self.assertEqual((run.returncode, run.stderr), (0, ""))
            self.assertEqual(save.read_text(), run.stdout)
            self.assertEqual(list(pathlib.Path(folder).glob("*.json")), [], "a part of the matrix gives no score")
        result = json.loads(run.stdout)
        self.assertEqual((result["format"], result["version"]), ("symphony-faults", 1))
        self.assertTrue(result["machine"]["cpu"] and result["commit"] and result["build"])
        for mode, score in zip(result["modes"], [("static", "trusted", 1, 2, 1), ("process", "cooperative", 3, 3, 0)]):
            self.assertEqual((mode["mode"], mode["trust"], mode["contained"], mode["faults"], mode["not_run"]), score)
            for cell in mode["cells"]:
                is_run = cell["class"] != "not_run"
                self.assertEqual((cell["not_run"] is None, cell["pid"] > 0), (is_run, is_run), cell)
                self.assertEqual(cell["service_back_ms"] is not None, cell["class"] == "contained", cell)
        cells = {(mode["mode"], cell["fault"]): cell for mode in result["modes"] for cell in mode["cells"]}
        dead_host, dead_pit = cells["static", "null_write"], cells["process", "null_write"]
        self.assertEqual((dead_host["class"], dead_host["signal"], dead_host["test"]),
                         ("host_lost", "SIGSEGV", "faults.static.NullWriteIsRun"))
        self.assertEqual(dead_host["pid"], dead_host["host_pid"])
        self.assertEqual((dead_pit["class"], dead_pit["signal"], dead_pit["test"]),
                         ("contained", "SIGSEGV", "faults.process.NullWriteIsContained"))
        self.assertNotEqual(dead_pit["pid"], dead_pit["host_pid"])
        self.assertIn("SIGSEGV", dead_pit["output"])
        self.assertIn("no ring", cells["static", "ring_index"]["not_run"])

    def test_names_what_there_is_instead_of_what_there_is_not(self):
        for option, name, known in (("--mode", "thread", "process+ring"), ("--fault", "nothing", "null_write")):
            run = bench("faults", option, name)
            self.assertEqual((run.returncode, run.stdout), (2, ""))
            self.assertIn(name, run.stderr)
            self.assertIn(known, run.stderr)

    def test_without_namespaces_runs_nothing_and_says_so(self):
        run = subprocess.run(["unshare", "-Ur", "sh", "-c", 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"', "sh",
                              SYMPHONY, "bench", "faults", "--mode", "static", "--fault", "null_write"],
                             capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(run.returncode, 6, run.stderr)
        self.assertIn("this machine gives no namespaces", run.stderr)
        self.assertIn("0/0", run.stdout)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
