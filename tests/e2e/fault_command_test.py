#!/usr/bin/env python3
"""symphony pit fault against a daemon.   usage: fault_command_test.py SYMPHONY [...]"""
import pathlib
import signal
import subprocess
import unittest

from broker_process import BIN, SYMPHONY, BrokerCase, eventually, main

PIT = BIN.parent / "pits" / "greeter.so"
SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "pits" / "template" / "greeter.fbs"


def state_of(pid):
    """As the kernel has it: S, R, T …"""
    return pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]


def limit_of(pid, name):
    for line in pathlib.Path(f"/proc/{pid}/limits").read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return line[len(name):].split()[0]
    raise AssertionError(name)


class FaultOfAPit(BrokerCase):
    def begin(self, more=""):
        self.start(self.manifest("greeter", file=PIT, more=more))
        return self.wait_state("greeter", "ready")

    def greet(self):
        run = self.run_symphony("call", "greeter", "Hello", '{"name": "you"}', "--schema", str(SCHEMA))
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout

    def during(self, kind, condition, **options):
        """What lasts, seen while it lasts; the command's process, which still runs."""
        command = [SYMPHONY, "pit", "fault", "greeter", kind, "--for", "600", "--socket", self.socket]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options) as run:
            try:
                eventually(condition, f"{kind} is there")
                run.send_signal(signal.SIGINT)
                self.assertEqual(run.wait(60), 128 + signal.SIGINT)
                self.assertIn("taken back", run.stderr.read())
            finally:
                run.kill()

    def test_that_ends_its_process_is_a_death_as_any_other_and_it_serves_again(self):
        pit = self.begin()
        for number, (kind, name) in enumerate([("segv", "SIGSEGV"), ("abort", "SIGABRT"), ("kill", "SIGKILL")], 1):
            fault = self.json("pit", "fault", "greeter", kind)
            self.assertEqual((fault["fault"], fault["pid"], fault["instance"]), (kind, pit["pid"], number))
            self.assertEqual((fault["death"]["cause"], fault["death"]["how"]), ("crash", name))
            self.assertGreater(fault["ready_again_s"], 0)
            pit = fault["pit"]
            self.assertEqual((pit["state"], pit["instance"]), ("ready", number + 1))
            self.assertIn("Hello, you!", self.greet())
        self.assertEqual(self.show("greeter")["failures"], 3, "it counts as the pit's own")

    def test_that_stops_it_is_taken_back_also_when_a_person_ends_the_command(self):
        pit = self.begin()
        self.during("hang", lambda: state_of(pit["pid"]) == "T")
        self.assertNotEqual(state_of(pit["pid"]), "T")
        self.assertIn("Hello, you!", self.greet())
        run = self.run_symphony("pit", "fault", "greeter", "hang", "--for", "0.05")
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertIn(f"SIGSTOP to process {pit['pid']} (instance 1), for 0.05 s; it lives, and is ready", run.stdout)
        self.assertEqual(self.show("greeter")["pid"], pit["pid"])

    def test_that_is_a_limit_is_taken_back(self):
        pid = self.begin()["pid"]
        for kind, name in (("fds", "Max open files"), ("leak", "Max data size")):
            before = limit_of(pid, name)
            self.during(kind, lambda name=name, before=before: limit_of(pid, name) != before)
            self.assertEqual(limit_of(pid, name), before)
            fault = self.json("pit", "fault", "greeter", kind, "--for", "0.05")
            self.assertEqual((fault["death"], fault["pit"]["pid"]), (None, pid))
            self.assertEqual(limit_of(pid, name), before)
        self.assertIn("Hello, you!", self.greet())

    def test_reaches_the_code_behind_the_walls_and_not_only_the_first_process_there(self):
        self.start(self.manifest("greeter", file=PIT, more='sandbox = "heap"\n'))
        eventually(lambda: self.show("greeter")["state"] in ("ready", "quarantined"), "it is decided")
        before = self.show("greeter")
        if before["state"] != "ready":
            self.skipTest(before["reason"])
        fault = self.json("pit", "fault", "greeter", "segv")
        self.assertNotEqual(fault["pid"], before["pid"])
        self.assertEqual((fault["death"]["how"], fault["pit"]["state"], fault["pit"]["instance"]), ("SIGSEGV", "ready", 2))

    def test_whose_pit_is_not_back_says_so_with_status_1(self):
        self.begin("failures_max = 1\n")
        run = self.run_symphony("pit", "fault", "greeter", "segv")
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn("it died (crash, SIGSEGV) and is quarantined", run.stdout)
        self.assertIn("only one that is ready", self.refused(1, "quarantined", "pit", "fault", "greeter", "segv"))

    def test_that_cannot_be_is_refused_in_one_line(self):
        self.begin()
        self.assertIn("symphony bench faults", self.refused(2, "fork_bomb", "pit", "fault", "greeter", "fork_bomb"))
        self.refused(4, "greeter", "pit", "fault", "greter", "segv")


if __name__ == "__main__":
    main()
