#!/usr/bin/env python3
"""symphony pit list, show, start, stop and restart against a daemon.   usage: operator_command_test.py SYMPHONY [...]"""
import glob
import os
import pathlib
import resource
import signal
import subprocess
import unittest
import unittest.mock

from bad_pit_files import bad_pit_files
from broker_process import HOST, PIT, SYMPHONY, BrokerCase, eventually, main

CORE_PATTERN = pathlib.Path("/proc/sys/kernel/core_pattern").read_text(encoding="utf-8").strip()


def memory_group():
    """A control group below this process's own that would have memory's files, if one may be made; of either version."""
    for line in pathlib.Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" not in controllers.split(",") and controllers:
            continue
        group = pathlib.Path("/sys/fs/cgroup" + ("/memory" if controllers else "") + path) / f"symphony-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        has_limit = any((group / name).exists() for name in ("memory.max", "memory.limit_in_bytes"))
        group.rmdir()
        if has_limit:
            return group
    return None


def remove_group(group):
    try:
        group.rmdir()
    except OSError:
        return False
    return True


class OperatorOfPits(BrokerCase):
    def test_stop_holds_over_the_death_of_the_broker_and_start_ends_it(self):
        daemon = self.start(self.manifest("tracker"))
        running = self.wait_state("tracker", "ready")
        run = self.run_symphony("pit", "stop", "tracker")
        self.assertEqual((run.returncode, run.stdout), (0, "tracker is stopped\n"), run.stderr)
        self.assertFalse(pathlib.Path(f"/proc/{running['pid']}").exists(), "its process is gone when the command returns")
        self.kill_broker(daemon)
        pit = self.show("tracker")
        self.assertEqual((pit["state"], pit["pid"]), ("stopped", 0))
        self.assertIn("symphony pit start", pit["reason"])
        self.assertEqual(pit["deaths"][-1]["cause"], "stop")
        started = self.json("pit", "start", "tracker")["pit"]
        self.assertEqual((started["state"], started["instance"]), ("ready", 2))
        self.assertTrue(pathlib.Path(f"/proc/{started['pid']}").exists())

    def test_restart_replaces_the_process_once_also_when_the_broker_is_killed_meanwhile(self):
        daemon = self.start(self.manifest("slow", shell=f"sleep 1; exec {HOST} {PIT}"))
        self.assertEqual(self.wait_state("slow", "ready")["instance"], 1)
        command = subprocess.Popen([SYMPHONY, "pit", "restart", "slow", "--socket", self.socket], stdout=subprocess.PIPE, text=True)
        self.addCleanup(command.stdout.close)
        eventually(lambda: self.show("slow")["state"] == "starting", "its next instance starts")
        self.kill_broker(daemon)
        self.assertEqual(command.wait(60), 0)
        self.assertIn("slow is ready: instance 2", command.stdout.read())
        self.assertEqual(self.show("slow")["instance"], 2)

    def test_a_pit_that_does_not_stop_is_killed_when_its_grace_is_over(self):
        self.start(self.manifest("tracker"))
        pid = self.wait_state("tracker", "ready")["pid"]
        os.kill(pid, signal.SIGSTOP)  # it hears nothing
        run = self.run_symphony("pit", "stop", "tracker", "--grace", "0.1")
        self.assertEqual(run.returncode, 0, run.stderr)
        death = self.show("tracker")["deaths"][-1]
        self.assertEqual((death["cause"], death["how"], death["signal"]), ("stop", "SIGKILL", 9))

    def test_show_tells_how_a_pit_died_with_its_last_lines_and_start_brings_it_back_when_it_is_mended(self):
        mended = self.folder / "mended"
        line = f"test -e {mended} || {{ echo 'no planet there' >&2; exit 3; }}; exec {HOST} {PIT}"
        self.start(self.manifest("tracker", shell=line, more="failures_max = 2\n"))
        pit = self.wait_state("tracker", "quarantined")
        self.assertEqual(len(pit["deaths"]), 2)
        death = pit["deaths"][-1]
        self.assertEqual((death["cause"], death["how"], death["status"], death["signal"], death["ready_s"], death["instance"]),
                         ("exit", "status 3", 3, None, None, 2))
        self.assertEqual(death["last_lines"], "no planet there\n")
        self.assertRegex(death["at"], r"^20\d\d-\d\d-\d\dT")
        table = self.run_symphony("pit", "show", "tracker").stdout
        for word in ("quarantined: it failed 2 times", "no planet there", "status 3", "never"):
            self.assertIn(word, table)
        self.assertIn("ended with status 3", self.refused(1, "", "pit", "start", "tracker"))
        mended.touch()
        self.assertEqual(self.run_symphony("pit", "start", "tracker").returncode, 0)
        os.kill(self.show("tracker")["pid"], signal.SIGABRT)  # SIGSEGV is the sanitizers' own
        death = eventually(lambda: [d for d in self.show("tracker")["deaths"] if d["cause"] == "crash"], "its crash")[-1]
        self.assertEqual((death["how"], death["signal"], death["status"]), ("SIGABRT", 6, None))
        self.assertGreaterEqual(death["ready_s"], 0)

    def test_show_tells_each_reason_of_a_death(self):
        self.start(self.manifest("forbidden", shell="kill -SYS $$"), self.manifest("early", shell="echo no planet there >&2; exit 75"),
                   self.manifest("never", shell="exit 125"), self.manifest("done", shell="exit 0"))
        for name, state, cause, how, word in (("forbidden", "quarantined", "sandbox violation", "SIGSYS", "what its filter forbids"),
                                              ("early", "backoff", "try again", "status 75", "no planet there"),
                                              ("never", "quarantined", "exit", "status 125", "never again"),
                                              ("done", "stopped", "exit", "status 0", "finished")):
            with self.subTest(name):
                pit = self.wait_state(name, state)
                self.assertEqual((pit["deaths"][-1]["cause"], pit["deaths"][-1]["how"]), (cause, how))
                self.assertIn(word, pit["reason"])
        early = eventually(lambda: (lambda pit: pit if pit["instance"] > 5 else None)(self.show("early")), "it is tried on and on")
        self.assertEqual(early["failures"], 0)
        self.assertNotEqual(early["state"], "quarantined")

    def test_a_file_that_is_no_pit_is_quarantined_with_the_reason_and_the_others_serve(self):
        bad = bad_pit_files(PIT.parent, PIT.parents[1] / "tests" / "pits", self.folder)
        self.start(self.manifest("good"), *(self.manifest(f"bad{i}", file=path) for i, (path, _) in enumerate(bad)))
        for i, (path, words) in enumerate(bad):
            with self.subTest(path):
                self.assertIn(words, self.wait_state(f"bad{i}", "quarantined")["reason"])
        self.refused(1, bad[0][1], "pit", "start", "bad0")
        self.assertEqual(self.wait_state("good", "ready")["instance"], 1)

    @unittest.skipUnless(memory_group(), "no memory control group can be made here")
    def test_show_tells_that_the_kernel_had_no_memory_left(self):
        group = memory_group()
        group.mkdir()
        self.addCleanup(lambda: eventually(lambda: not group.exists() or remove_group(group), "its group is empty"))
        limit = next(group / name for name in ("memory.max", "memory.limit_in_bytes") if (group / name).exists())
        limit.write_text(str(512 << 20), encoding="utf-8")
        hungry = "import os; held = []\nwhile True: held.append(os.urandom(1 << 20))"
        self.start(self.manifest("hungry", shell=f"exec /usr/bin/python3 -c '{hungry}'", more="failures_max = 1\n"),
                   preexec_fn=lambda: (group / "cgroup.procs").write_text(str(os.getpid()), encoding="utf-8"))
        pit = self.wait_state("hungry", "quarantined")
        self.assertEqual((pit["deaths"][-1]["cause"], pit["deaths"][-1]["how"]), ("out of memory", "SIGKILL"))
        self.assertIn("give it more", pit["reason"])
        self.assertEqual(self.run_symphony("broker", "stop").returncode, 0)

    def test_show_tells_where_a_pit_crashed(self):
        self.start(self.manifest("tracker"))
        os.kill(self.wait_state("tracker", "ready")["pid"], signal.SIGABRT)  # SIGSEGV is the sanitizers' own
        death = eventually(lambda: [d for d in self.show("tracker")["deaths"] if d["cause"] == "crash"], "its crash")[-1]
        self.assertEqual(death["how"], "SIGABRT")
        self.assertRegex(death["last_lines"], r"symphony:   #0 \S+\+0x[0-9a-f]+\n")
        log = (self.logs / "tracker.log").read_text(encoding="utf-8")
        self.assertIn(f"symphony: SIGABRT sent by process {os.getpid()}", log)
        self.assertRegex(log, r"file \S+, build-id [0-9a-f]{40}")
        self.assertIn(f"its last lines, of {self.logs / 'tracker.log'}:", self.run_symphony("pit", "show", "tracker").stdout)

    @unittest.skipUnless(CORE_PATTERN and not CORE_PATTERN.startswith("|"), "the kernel gives core dumps to a program here")
    def test_show_tells_where_the_core_dump_is(self):
        def may_dump():
            resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        # The run time of a sanitizer takes the core's limit away from the daemon, and so from its pits.
        options = {name: os.environ.get(name, "") + ":disable_coredump=0" for name in ("ASAN_OPTIONS", "TSAN_OPTIONS")}
        patch = unittest.mock.patch.dict(os.environ, options)
        patch.start()
        self.addCleanup(patch.stop)
        self.start(self.manifest("tracker", shell="kill -SEGV $$", more="failures_max = 1\n"), cwd=self.folder, preexec_fn=may_dump)
        death = self.wait_state("tracker", "quarantined")["deaths"][-1]
        self.assertEqual((death["cause"], death["how"]), ("crash", "SIGSEGV"))
        self.assertEqual(len(glob.glob(death["core"])), 1, death["core"])
        self.assertIn(f"its core dump: {death['core']}", self.run_symphony("pit", "show", "tracker").stdout)

    def test_list_and_show_say_what_runs(self):
        self.start(self.manifest("tracker", more='calls = ["pool"]\nwaiting = "sleep"\n'), self.manifest("pool"))
        self.wait_state("tracker", "ready")
        self.wait_state("pool", "ready")
        pits = self.json("pit", "list")["pits"]
        self.assertEqual([(pit["name"], pit["state"]) for pit in pits], [("tracker", "ready"), ("pool", "ready")])
        self.assertRegex(self.run_symphony("pit", "list").stdout, r"tracker +ready +\d+")
        pit = self.show("tracker")
        self.assertEqual((pit["calls"], pit["waiting"], pit["trust"], pit["version"], pit["failures"]),
                         (["pool"], "sleep", "cooperative", "1.1.0", 0))
        self.assertEqual((pit["executable"], pit["arguments"]), (str(HOST), str(PIT)))
        self.assertEqual(pit["log"], str(self.logs / "tracker.log"))
        self.assertEqual(pit["restart"]["failures_max"], 5)
        self.assertIsNotNone(pit["ready_since"])

    def test_show_tells_budgets_and_policies(self):
        more = ('calls = ["pool"]\nrestart = "rest_for_one"\nfallback = "stub"\nexceptions_max = 7\nbudget_ms = 250\n'
                'backoff_first_ms = 20\nbackoff_max_ms = 500\nstart_timeout_ms = 9000\nrequest_capacity = 8192\n'
                '[budgets_ms]\n"symphony.dag.Seal" = 2000\n')
        self.start(self.manifest("tracker", more=more), self.manifest("pool"), self.manifest("stub"))
        self.wait_state("tracker", "ready")
        pit = self.show("tracker")
        self.assertEqual(pit["budgets"]["each_s"], 0.25)
        self.assertEqual([one["s"] for one in pit["budgets"]["types"]], [2])
        self.assertEqual((pit["overruns"], pit["hangs"]), (0, 0))
        self.assertEqual((pit["restart"]["strategy"], pit["restart"]["fallback"], pit["restart"]["exceptions_max"]),
                         ("rest_for_one", "stub", 7))
        self.assertEqual([pit["restart"][key] for key in ("backoff_first_s", "backoff_max_s", "start_timeout_s")], [0.02, 0.5, 9])
        self.assertEqual(pit["rings"], {"request_capacity": 8192, "reply_capacity": None})
        table = self.run_symphony("pit", "show", "tracker").stdout
        self.assertRegex(table, r"budgets +250.* ms a request, 2.* s of type 0x[0-9a-f]{8}; 0 overran and were cancelled, 0 hung")
        self.assertRegex(table, r"fallback +stub, while it is quarantined")
        self.assertRegex(table, r"next try comes after 20.* ms, then twice that, up to 500.* ms")
        self.assertRegex(table, r"7 exceptions within that time are a failure")
        self.assertRegex(table, r"rings +requests 8192 bytes, replies 256 KiB, where the caller names none")
        pool = self.show("pool")
        self.assertEqual((pool["budgets"], pool["restart"]["fallback"]), ({"each_s": None, "types": []}, None))
        self.assertNotIn("budgets", self.run_symphony("pit", "show", "pool").stdout)

    def test_wrong_input_is_one_line_with_the_remedy(self):
        for verb in ("list", "show", "start", "stop", "restart"):
            with self.subTest(verb):
                name = [] if verb == "list" else ["tracker"]
                self.refused(3, "symphony broker run", "pit", verb, *name, "--timeout", "0.05")
        self.start(self.manifest("tracker"), self.manifest("slow", shell=f"sleep 20; exec {HOST} {PIT}"))
        self.wait_state("tracker", "ready")
        for verb in ("show", "start", "stop", "restart"):
            self.refused(4, "did you mean 'tracker'?", "pit", verb, "traker")
        self.refused(5, "the command's deadline", "pit", "start", "slow", "--timeout", "0.2")
        self.refused(2, "--grace", "pit", "stop", "tracker", "--grace", "-1")


if __name__ == "__main__":
    main()
