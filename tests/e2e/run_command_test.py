#!/usr/bin/env python3
"""symphony run: graphs of real commands, killed at any moment.   usage: run_command_test.py SYMPHONY [SUITE]"""
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SYMPHONY = str(pathlib.Path(sys.argv[1]).resolve())
LONG = os.environ.get("SYMPHONY_LONG") == "1"
GOOGLETEST = pathlib.Path("/usr/src/googletest")


def alive(folder):
    """Processes that work for the test of this folder: it stands in their environment."""
    mark = f"SYMPHONY_RUN_TEST={folder}".encode()
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


class RunCase(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="symphony-run-"))
        self.environment = dict(os.environ, SYMPHONY_RUN_TEST=str(self.folder))
        self.addCleanup(self.clean)

    def clean(self):
        for pid in alive(self.folder):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder)

    def file(self, tasks, pools=None, name="graph.json"):
        (self.folder / name).write_text(json.dumps({"pools": pools or {}, "task": tasks}))
        return name

    def start(self, *arguments, **options):
        return subprocess.Popen([SYMPHONY, "run", *map(str, arguments)], cwd=self.folder, env=self.environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def run_it(self, *arguments, status=0):
        process = self.start(*arguments)
        out, err = process.communicate(timeout=150)
        self.assertEqual(process.returncode, status, out + err)
        return out, err

    def events(self, *arguments, status=0):
        out, err = self.run_it(*arguments, "-o", "jsonl", status=status)
        self.assertEqual(err, "")
        return [json.loads(line) for line in out.splitlines()]

    def lines(self, name="log"):
        file = self.folder / name
        return file.read_text().splitlines() if file.exists() else []

    def finished(self, name="graph.json.journal"):
        """The ids in the journal's whole lines."""
        text = (self.folder / name).read_text() if (self.folder / name).exists() else ""
        return [line.split(" ", 3)[3] for line in text.split("\n")[:-1] if line.count(" ") >= 3 and not line.startswith("symphony")]

    def wait(self, condition, what):
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.01)


def endings(events):
    return {e["id"]: e["state"] for e in events if e["event"] == "task_finished"}


class AGraph(RunCase):
    def test_is_run_in_the_order_of_its_needs_and_said_in_events(self):
        graph = self.file([{"id": "c", "command": "echo c >> log; echo said", "needs": ["a", "b"]}, {"id": "a", "command": "echo a >> log"},
                           {"id": "b", "command": "echo b >> log", "needs": ["a"]}])
        events = self.events(graph, "-j", 2)
        self.assertEqual(self.lines(), ["a", "b", "c"])
        self.assertEqual(endings(events), {"a": "succeeded", "b": "succeeded", "c": "succeeded"})
        self.assertEqual([e["output"] for e in events if e["event"] == "task_finished" and e["id"] == "c"], ["said\n"])
        self.assertEqual((events[0]["event"], events[0]["tasks"], events[-1]["event"], events[-1]["succeeded"]), ("run_started", 3, "run_finished", 3))

    def test_in_toml_with_its_pits_as_processes_is_run_the_same(self):
        (self.folder / "graph.toml").write_text('[[task]]\nid = "a"\ncommand = "pwd > ../log; echo $WHO >> ../log"\ndirectory = "sub"\n'
                                                'environment = { WHO = "me" }\n[[task]]\nid = "b"\ncommand = "echo b >> log"\nneeds = ["a"]\n')
        (self.folder / "sub").mkdir()
        out, _ = self.run_it("graph.toml", "--mode", "process")
        self.assertEqual(self.lines(), [str(self.folder / "sub"), "me", "b"])
        self.assertIn("2 succeeded", out)
        self.assertEqual(alive(self.folder), [])

    def test_never_takes_more_of_a_pool_than_there_is_and_each_unit_once(self):
        # Each command leaves a mark while it runs and counts the marks of its kind.
        count = "mkdir -p $D && : > $D/$$ && ls $D | wc -l >> $D.seen; sleep 0.01; rm $D/$$"
        tasks = [{"id": f"m{i}", "command": f"D=memory; {count}", "wants": {"memory": 400}} for i in range(12)]
        tasks += [{"id": f"g{i}", "command": f"D=\"$SYMPHONY_UNITS_GPU\"; {count}", "wants": {"gpu": 1}} for i in range(12)]
        self.run_it(self.file(tasks, {"memory": {"amount": 1000}, "gpu": {"units": ["gpu0", "gpu1"]}}), "-j", 6)
        self.assertLessEqual(max(map(int, self.lines("memory.seen"))), 2)
        self.assertEqual(set(self.lines("gpu0.seen") + self.lines("gpu1.seen")), {"1"})
        self.assertEqual(len(self.lines("memory.seen") + self.lines("gpu0.seen") + self.lines("gpu1.seen")), 24)

    def test_with_a_failure_starts_nothing_new_and_with_keep_going_all_that_can_be(self):
        tasks = [{"id": "bad", "command": "echo oh; exit 3"}, {"id": "after", "command": "echo no >> log", "needs": ["bad"]},
                 {"id": "apart", "command": "echo apart >> log", "needs": ["first"]}, {"id": "first", "command": "sleep 0.1"}]
        events = self.events(self.file(tasks), "-j", 2, "-k", 0, status=1)
        self.assertEqual(endings(events), {"bad": "failed", "after": "upstream_failed", "apart": "succeeded", "first": "succeeded"})
        self.assertEqual([(e["exit_status"], e["output"]) for e in events if e.get("id") == "bad" and e["event"] == "task_finished"], [(3, "oh\n")])
        out, _ = self.run_it(self.file(tasks), "-j", 2, status=1)
        self.assertIn("FAILED: bad: exit status 3\necho oh; exit 3\noh\n", out)
        self.assertEqual(self.lines(), ["apart"])

    def test_tries_a_task_again_as_often_as_it_says(self):
        tasks = [{"id": "third", "command": "echo x >> log; test $(wc -l < log) -eq 3", "retries": 2, "retry_delay_ms": 1},
                 {"id": "gone", "command": "kill -9 $$", "retries": 1, "retry_delay_ms": 1}]
        events = self.events(self.file(tasks), "-k", 0, status=1)
        self.assertEqual(endings(events), {"third": "succeeded", "gone": "failed"})
        self.assertEqual([e["signal"] for e in events if e.get("id") == "gone" and "signal" in e], [9, 9])
        self.assertEqual(len([e for e in events if e["event"] == "task_retry"]), 3)

    def test_runs_a_task_by_how_those_that_it_needs_ended(self):
        tasks = [{"id": "bad", "command": "exit 1"}, {"id": "good", "command": "true"},
                 {"id": "clean", "command": "echo clean >> log", "needs": ["bad", "good"], "when": "all_done"},
                 {"id": "any", "command": "echo any >> log", "needs": ["bad", "good"], "when": "one_success"},
                 {"id": "none", "command": "echo none >> log", "needs": ["bad"], "when": "none_failed"},
                 {"id": "all", "command": "echo all >> log", "needs": ["none"]}]
        events = self.events(self.file(tasks), "-k", 0, status=1)
        self.assertEqual(endings(events), {"bad": "failed", "good": "succeeded", "clean": "succeeded", "any": "succeeded",
                                           "none": "upstream_failed", "all": "upstream_failed"})
        self.assertEqual(sorted(self.lines()), ["any", "clean"])
        self.assertEqual({e["because"] for e in events if e.get("state") == "upstream_failed"}, {"bad"})

    def test_rests_longer_before_each_further_try_while_others_run(self):
        tasks = [{"id": "flaky", "command": "echo flaky >> log; test $(grep -c flaky log) -eq 3", "retries": 2, "retry_delay_ms": 300},
                 {"id": "other", "command": "echo other >> log"}]
        events = self.events(self.file(tasks), "-j", 1)
        self.assertEqual(endings(events), {"flaky": "succeeded", "other": "succeeded"})
        rests = [e["retry_in_s"] for e in events if e["event"] == "task_retry"]
        self.assertEqual(len(rests), 2)
        self.assertTrue(0 < rests[0] <= 0.3 < rests[1] <= 0.6, rests)
        self.assertEqual([e["attempt"] for e in events if e["event"] == "task_started" and e["id"] == "flaky"], [1, 2, 3])
        self.assertEqual(self.lines()[1], "other", "the one processor is free while a task rests")

    def test_is_explained_and_exported_without_being_run(self):
        tasks = [{"id": "a", "command": "echo a >> log"}, {"id": "b", "command": "test -e go", "needs": ["a"]},
                 {"id": "c", "command": "echo c >> log", "needs": ["b", "a"]}]
        graph = self.file(tasks)
        out, _ = self.run_it(graph, "--explain", "c")
        self.assertEqual(out, "c is waiting for 2 of what it needs\n  because a is ready: the first to start\n")
        self.run_it(graph, status=1)
        self.assertEqual(self.lines(), ["a"])
        out, _ = self.run_it(graph, "--explain", "c", "-o", "jsonl")
        self.assertEqual(json.loads(out)["chain"], [{"id": "c", "state": "waiting"}, {"id": "b", "state": "ready"}])
        told = json.loads(self.run_it(graph, "--export", "json")[0])
        self.assertEqual([(t["name"], t["state"]) for t in told["tasks"]], [("a", "cached"), ("b", "ready"), ("c", "waiting")])
        self.assertEqual(told["edges"], [[0, 1], [0, 2], [1, 2]])
        self.assertIn('1 [label="b", fillcolor=lightyellow];', self.run_it(graph, "--export", "dot")[0])
        self.assertEqual(self.lines(), ["a"])
        _, err = self.run_it(graph, "--explain", "d", status=2)
        self.assertIn("no task has the id 'd'", err)

    def test_of_much_output_keeps_the_beginning_and_the_end(self):
        tasks = [{"id": "a", "command": "echo begin; head -c 5000000 /dev/zero | tr '\\0' x; echo; echo end"}]
        output = [e for e in self.events(self.file(tasks)) if e.get("id") == "a" and e["event"] == "task_finished"][0]["output"]
        self.assertTrue(output.startswith("begin\nxxx") and output.endswith("xxx\nend\n") and "bytes left out" in output)
        self.assertLess(len(output), 1_200_000)


class BadInput(RunCase):
    def refused(self, word, *arguments, status=2):
        out, err = self.run_it(*arguments, status=status)
        self.assertIn(word, err)
        self.assertEqual((err.count("\n"), out), (1, ""))
        self.assertEqual(self.lines(), [])

    def test_is_refused_in_one_line_that_names_the_place(self):
        task = {"id": "a", "command": "echo a >> log"}
        for word, tasks, pools in (("did you mean 'command'", [{"id": "a", "comand": "x"}], {}), ("'command' is missing", [{"id": "a"}], {}),
                                   ("did you mean 'a'", [task, {"id": "b", "command": "b", "needs": ["aa"]}], {}),
                                   ("task 'a': an earlier task has this id", [task, task], {}), ("there is no task", [], {}),
                                   ("a -> b -> c -> a", [dict(task, needs=["c"]), {"id": "b", "command": "b", "needs": ["a"]},
                                                         {"id": "c", "command": "b", "needs": ["b"]}], {}),
                                   ("could never start", [dict(task, wants={"gpu": 3})], {"gpu": {"units": ["x", "y"]}}),
                                   ("could never start; give --jobs 9", [dict(task, cpu=9)], {}),
                                   ("did you mean 'gpu'", [dict(task, wants={"gpus": 1})], {"gpu": {"amount": 1}}),
                                   ("from 0 to 100", [dict(task, retries=-1)], {}), ("from 1 to", [dict(task, cpu="2")], {})):
            with self.subTest(word):
                self.refused(word, self.file(tasks, pools), "-j", 2)
        (self.folder / "t.toml").write_text('[[task]]\nid = "a"\ncommand = "x"\nneds = []\n')
        self.refused("line 4: task[0]: unknown key 'neds'; did you mean 'needs'?", "t.toml")
        (self.folder / "t.toml").write_text("[[task]\n")
        self.refused("line 1", "t.toml")
        self.refused("no/such", "no/such.toml")
        self.refused("has no build.ninja", "--ninja", ".")

    def test_a_command_that_is_not_there_is_named(self):
        out, _ = self.run_it(self.file([{"id": "a", "command": "no-such-command x"}]), status=1)
        self.assertIn("exit status 127: a command that is not there", out)
        self.assertIn("no-such-command", out)

    def test_a_full_disk_is_said_before_anything_runs_and_another_file_is_never_written_to(self):
        graph = self.file([{"id": "a", "command": "echo a >> log"}])
        self.refused("is no regular file", graph, "--journal", "/dev/full")
        (self.folder / "precious").write_text("mine\n")
        self.refused("left alone", graph, "--journal", "precious")
        self.assertEqual((self.folder / "precious").read_text(), "mine\n")

    def test_a_disk_that_becomes_full_stops_the_run_and_loses_nothing(self):
        # The file may not grow beyond 300 bytes: the write of a later line fails as on a full disk.
        tasks = [{"id": f"t{i}", "command": f"echo t{i} >> log"} for i in range(50)]
        graph = self.file(tasks)
        run = subprocess.run(["bash", "-c", f"trap '' XFSZ; ulimit -f 1; exec {SYMPHONY} run {graph} -j1"], cwd=self.folder, text=True,
                             capture_output=True, timeout=60, check=False, env=self.environment)
        self.assertEqual(run.returncode, 70, run.stdout + run.stderr)
        self.assertIn("cannot be written: File too large", run.stderr)
        done = self.finished()
        self.assertLess(len(done), 50)
        self.run_it(graph, "--resume")
        for task in done:
            self.assertEqual(self.lines().count(task), 1)
        self.assertEqual(set(self.lines()), {f"t{i}" for i in range(50)})


class ACrash(RunCase):
    def tasks(self, count=60):
        return [{"id": f"t{i}", "command": f"echo t{i} >> log; sleep 0.00{i % 4}", "needs": [f"t{i // 3}"] if i else []} for i in range(count)]

    def test_of_the_runner_at_any_moment_runs_no_finished_task_again_and_leaves_nothing(self):
        seed = int(os.environ.get("SYMPHONY_SEED", random.randrange(1 << 32)))
        dice = random.Random(seed)
        graph = self.file(self.tasks())
        kills = 0
        for attempt in range(200 if LONG else 8):
            before = {task: self.lines().count(task) for task in self.finished()}
            process = self.start(graph, "-j", 3, "--resume")
            time.sleep(dice.random() * 0.15)
            process.kill()
            process.communicate()
            kills += process.returncode == -9
            self.wait(lambda: not alive(self.folder), f"something is left; seed {seed}")
            for task, count in before.items():
                self.assertEqual(self.lines().count(task), count, f"{task} was finished and ran again; seed {seed}")
            if len(self.finished()) == 60:
                for file in ("log", "graph.json.journal"):
                    (self.folder / file).unlink()
        self.assertGreater(kills, 0)
        before = {task: self.lines().count(task) for task in self.finished()}
        self.run_it(graph, "--resume")
        self.assertEqual(sorted(set(self.finished())), sorted(f"t{i}" for i in range(60)))
        for task, count in before.items():
            self.assertEqual(self.lines().count(task), count, f"{task} was finished and ran again; seed {seed}")
        count = len(self.lines())
        self.assertIn("60 finished before", self.run_it(graph, "--resume")[0])
        self.assertEqual(len(self.lines()), count)

    def test_of_the_runner_ends_what_its_commands_started_wherever_that_went(self):
        tasks = [{"id": "a", "command": "setsid sh -c '(sleep 1000 & sleep 1000) & echo x >> log; sleep 1000' & sleep 1000"}]
        process = self.start(self.file(tasks))
        self.wait(lambda: self.lines(), "the command did not start")
        self.assertGreater(len(alive(self.folder)), 4)
        process.kill()
        process.communicate()
        self.wait(lambda: not alive(self.folder), "something is left")

    def test_of_a_worker_frees_its_leases_and_runs_the_task_again(self):
        tasks = [{"id": "a", "command": "(sleep 1000 &) ; echo a >> log; test $(wc -l < log) -gt 1 || sleep 1000", "wants": {"gpu": 1}},
                 {"id": "b", "command": "echo b >> log2", "wants": {"gpu": 1}, "needs": ["a"]}]
        process = self.start(self.file(tasks, {"gpu": {"units": ["gpu0"]}}), "-o", "jsonl")
        self.wait(lambda: self.lines(), "the command did not start")
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        self.assertEqual(len(children), 1)
        os.kill(int(children[0]), signal.SIGKILL)
        out, _ = process.communicate(timeout=60)
        events = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(process.returncode, 0, out)
        self.assertEqual(endings(events), {"a": "succeeded", "b": "succeeded"})
        tokens = [e["lease_token"] for e in events if e["event"] == "task_started"]
        self.assertEqual((len(tokens), tokens), (3, sorted(set(tokens))))
        self.assertEqual([e["id"] for e in events if e["event"] == "worker_lost"], ["a"])
        self.wait(lambda: not alive(self.folder), "something is left")

    def test_of_workers_again_and_again_makes_the_task_fail(self):
        tasks = [{"id": "a", "command": "kill -9 $PPID; sleep 1000"}]
        out, _ = self.run_it(self.file(tasks), status=1)
        self.assertIn("its worker died 3 times", out)

    def test_of_its_pits_in_the_middle_changes_nothing(self):
        seed = int(os.environ.get("SYMPHONY_SEED", random.randrange(1 << 32)))
        dice = random.Random(seed)
        tasks = self.tasks(40) + [{"id": "flaky", "command": "echo flaky >> log; test $(grep -c flaky log) -eq 3", "retries": 2,
                                   "retry_delay_ms": 50, "needs": ["t3"]}]
        for task in tasks:
            task["wants"] = {"gpu": 1}
        process = self.start(self.file(tasks, {"gpu": {"units": ["gpu0", "gpu1"]}}), "-j", 4, "--mode", "process", "-o", "jsonl")
        out = []
        reader = threading.Thread(target=lambda: out.extend(process.stdout))
        reader.start()
        kills = 0
        while kills < (40 if LONG else 6) and process.poll() is None:
            time.sleep(dice.random() * 0.1)
            for pid in alive(self.folder):
                try:
                    command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                except OSError:
                    continue
                if b"symphony-pit-host" in command and dice.random() < 0.6:
                    try:
                        os.kill(pid, signal.SIGKILL)
                        kills += 1
                    except OSError:
                        pass
        self.assertEqual(process.wait(timeout=150), 0, f"seed {seed}: " + process.stderr.read())
        reader.join()
        process.stdout.close()
        process.stderr.close()
        self.assertGreater(kills, 0)
        events = [json.loads(line) for line in out]
        self.assertEqual(set(endings(events).values()), {"succeeded"}, f"seed {seed}")
        self.assertEqual(sorted(self.lines()), sorted([f"t{i}" for i in range(40)] + ["flaky"] * 3), f"seed {seed}")
        tokens = [e["lease_token"] for e in events if e["event"] == "task_started"]
        self.assertEqual(len(tokens), len(set(tokens)), f"a lease was given twice; seed {seed}")
        self.assertEqual(alive(self.folder), [])

    def test_a_signal_stops_the_commands_and_the_rest_is_run_by_resume(self):
        tasks = [{"id": "first", "command": "echo first >> log"}, {"id": "slow", "command": "echo slow >> log; test -e go || sleep 1000", "needs": ["first"]},
                 {"id": "last", "command": "echo last >> log", "needs": ["slow"]}]
        graph = self.file(tasks)
        for number in (signal.SIGTERM, signal.SIGINT):
            process = self.start(graph, "--resume")
            self.wait(lambda: self.lines()[-1:] == ["slow"], "it did not start")
            process.send_signal(number)
            out, _ = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 128 + number, out)
            self.assertEqual(alive(self.folder), [])
            (self.folder / "log").write_text("first\n")
        (self.folder / "go").touch()
        self.run_it(graph, "--resume")
        self.assertEqual(self.lines(), ["first", "slow", "last"])

    def test_a_changed_command_and_what_needs_it_run_again(self):
        tasks = [{"id": "a", "command": "echo a >> log"}, {"id": "b", "command": "echo b >> log", "needs": ["a"]}, {"id": "c", "command": "echo c >> log"}]
        self.run_it(self.file(tasks), "-j", 1)
        tasks[0]["command"] = "echo A >> log"
        (self.folder / "log").unlink()
        self.run_it(self.file(tasks), "-j", 1, "--resume")
        self.assertEqual(self.lines(), ["A", "b"])

    def test_two_runs_with_one_journal_are_not_at_once(self):
        graph = self.file([{"id": "a", "command": "echo a >> log; sleep 1000"}])
        process = self.start(graph)
        self.wait(lambda: self.lines(), "it did not start")
        _, err = self.run_it(graph, "--resume", status=2)
        self.assertIn("another run uses it", err)
        process.kill()
        process.communicate()


@unittest.skipUnless(shutil.which("ninja") and shutil.which("cmake"), "needs ninja and cmake")
class Ninja(RunCase):
    def build(self, name, *command):
        """A folder of that name with a project in it, built by `command`, as {path: bytes}; always at the same place."""
        place = self.folder / "build"
        subprocess.run(["cmake", "-G", "Ninja", "-S", str(self.source), "-B", str(place), "-DCMAKE_BUILD_TYPE=Release",
                        *self.options], check=True, capture_output=True, timeout=120)
        run = subprocess.run([*command, str(place)], capture_output=True, text=True, timeout=600, check=False, env=self.environment)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        own = (".ninja_log", ".ninja_deps", ".symphony_run.journal")
        files = {str(p.relative_to(place)): p.read_bytes() for p in place.rglob("*")
                 if p.is_file() and p.name not in own and p.suffix != ".d" and "CMakeConfigureLog" not in p.name and "CMakeOutput" not in p.name
                 and "CompilerId" not in str(p)}
        shutil.rmtree(place)
        return files

    def compare(self, source, *options):
        self.source, self.options = source, options
        ours = self.build("ours", SYMPHONY, "run", "--quiet", "-j", "2", "--ninja")
        theirs = self.build("theirs", "ninja", "-j2", "-C")
        self.assertEqual(sorted(ours), sorted(theirs))
        different = [name for name in theirs if ours[name] != theirs[name]]
        self.assertEqual(different, [])
        return theirs

    def test_builds_a_project_with_generated_files_and_libraries_to_the_same_bytes(self):
        source = self.folder / "source"
        source.mkdir()
        (source / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.20)\nproject(small C)\n"
            "add_custom_command(OUTPUT gen/a.h COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_CURRENT_SOURCE_DIR}/a.in gen/a.h)\n"
            "add_library(one STATIC one.c gen/a.h)\ntarget_include_directories(one PUBLIC ${CMAKE_CURRENT_BINARY_DIR}/gen)\n"
            "add_library(two SHARED two.c)\ntarget_link_libraries(two one)\nset_target_properties(one PROPERTIES POSITION_INDEPENDENT_CODE ON)\n"
            "add_executable(main main.c)\ntarget_link_libraries(main two)\n")
        (source / "a.in").write_text("#define A 7\n")
        (source / "one.c").write_text('#include "a.h"\nint one(void) { return A; }\n')
        (source / "two.c").write_text("int one(void);\nint two(void) { return one(); }\n")
        (source / "main.c").write_text("int two(void);\nint main(void) { return two(); }\n")
        files = self.compare(source)
        self.assertIn("main", files)

    @unittest.skipUnless(LONG and GOOGLETEST.exists(), "SYMPHONY_LONG=1, and libgtest-dev")
    def test_builds_googletest_to_the_same_bytes(self):
        files = self.compare(GOOGLETEST)
        self.assertIn("lib/libgtest.a", files)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
