#!/usr/bin/env python3
"""Confined pits of a daemon: manifests, pit show, and a kernel that gives less.   usage: sandbox_command_test.py SYMPHONY [...]"""
import json
import pathlib
import subprocess
import sys
import unittest

from broker_process import CAN_DENY, PIT, SYMPHONY, WITHOUT_NAMESPACES, BrokerCase, eventually, main

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "pits" / "template" / "greeter.fbs"
GREETER = PIT.parent / "greeter.so"
PROBE, PROBE_SCHEMA = PIT.parent / "probe.so", pathlib.Path(__file__).resolve().parents[1] / "support" / "probe" / "probe.fbs"
# What a confined pit must have if its manifest says nothing.
DEFAULT = {"user", "pid", "mount", "net", "ipc", "capabilities", "limits", "no_new_privs", "descriptors", "parent_death", "landlock",
           "seccomp_start", "seccomp"}


class ConfinedPit(BrokerCase):
    def settled(self, name):
        return eventually(lambda: (lambda pit: pit if pit["state"] in ("ready", "quarantined") else None)(self.show(name)), f"{name} settles")

    def test_that_is_hostile_is_confined_and_show_says_by_what(self):
        self.start(self.manifest("greeter", file=GREETER, more='trust = "hostile"\n'))
        pit = self.settled("greeter")
        self.assertEqual((pit["sandbox"]["profile"], set(pit["sandbox"]["required"])), ("heap", DEFAULT))
        if pit["state"] == "quarantined":  # this machine gives less: then it is not run, and the reason names a wall
            self.assertTrue(any(f"'{wall}'" in pit["deaths"][-1]["last_lines"] for wall in DEFAULT), pit)
            return
        self.assertLessEqual(DEFAULT, set(pit["sandbox"]["reached"]))
        text = self.run_symphony("pit", "show", "greeter").stdout
        self.assertRegex(text, r"sandbox +heap, all walls")
        run = self.run_symphony("call", "greeter", "greeter.Hello", '{"name": "you"}', "--schema", SCHEMA)
        self.assertEqual((run.returncode, json.loads(run.stdout)["count"]), (0, 1), run.stderr)

    def test_that_says_nothing_of_it_is_not(self):
        self.start(self.manifest("greeter", file=GREETER))
        self.assertEqual(self.wait_state("greeter", "ready")["sandbox"], {"profile": "none", "required": [], "reached": []})
        self.assertRegex(self.run_symphony("pit", "show", "greeter").stdout, r"sandbox +none")

    @unittest.skipUnless(CAN_DENY, "this user may make no namespace in which none can be made")
    def test_is_not_run_where_the_kernel_gives_less_and_the_reason_names_the_wall(self):
        path = self.manifest("greeter", file=GREETER, more='sandbox = "heap"\n')
        daemon = subprocess.Popen([*WITHOUT_NAMESPACES, SYMPHONY, "broker", "run", "--socket", self.socket, "--manifest", str(path)],
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        pit = self.wait_state("greeter", "quarantined")
        self.assertEqual(pit["sandbox"]["reached"], [])
        self.assertIn("no 'user' here", pit["deaths"][-1]["last_lines"])
        self.assertIn("sandbox_may_lack", pit["deaths"][-1]["last_lines"])

    @unittest.skipUnless(CAN_DENY, "this user may make no namespace in which none can be made")
    def test_runs_without_walls_that_its_manifest_lets_it_lack_and_with_all_others(self):
        path = self.manifest("greeter", file=GREETER, more='sandbox = "heap"\nsandbox_may_lack = ["user", "pid"]\n')
        daemon = subprocess.Popen([*WITHOUT_NAMESPACES, SYMPHONY, "broker", "run", "--socket", self.socket, "--manifest", str(path)],
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        pit = self.wait_state("greeter", "ready")
        self.assertEqual(set(pit["sandbox"]["reached"]) & DEFAULT, DEFAULT - {"user", "pid"})
        self.assertRegex(self.run_symphony("pit", "show", "greeter").stdout, r"all walls but user pid")
        run = self.run_symphony("call", "greeter", "greeter.Hello", '{"name": "you"}', "--schema", SCHEMA)
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_whose_manifest_is_wrong_is_refused_in_one_line(self):
        for word, text in (("none, ring, heap or threads", 'sandbox = "tight"'), ("did you mean 'landlock'", 'sandbox = "heap"\nsandbox_may_lack = ["landlok"]'),
                           ("line 4", 'sandbox = "heap"\nsandbox_may_lack = ["landlok"]'), ("needs 'sandbox'", 'sandbox_needs = ["net"]'),
                           ("did you mean 'sandbox'", 'sandbx = "heap"'), ('sandbox = "threads"', 'sandbox = "heap"\ncalls = ["other"]')):
            with self.subTest(text):
                path = self.manifest("greeter", file=GREETER, more=text + "\n")
                self.refused(2, word, "broker", "run", "--manifest", path)
        for word, text in (("a program of its own", 'trust = "hostile"'), ("needs 'file'", 'sandbox = "heap"')):
            with self.subTest(text):
                self.refused(2, word, "broker", "run", "--manifest", self.manifest("shell", shell="exit 0", more=text + "\n"))


def may_trace():
    """Whether this user may trace a program of its own, as a container may forbid."""
    code = "import ctypes,os,signal;p=os.fork();c=ctypes.CDLL(None);" \
           "(signal.pause() if p==0 else (print(c.ptrace(0x4206,p,0,0)), os.kill(p,9)))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout.strip() == "0"


@unittest.skipUnless(may_trace(), "this user may trace nobody")
class Learn(BrokerCase):
    def learned(self, *words, status=0):
        run = self.run_symphony("sandbox", "learn", *words, "-o", "json")
        self.assertEqual(run.returncode, status, run.stderr)
        return json.loads(run.stdout)

    def test_of_a_file_says_which_calls_it_needed_and_the_least_profile_that_has_them(self):
        said = self.learned(GREETER)
        calls = {call["name"]: call for call in said["calls"]}
        self.assertEqual((said["profile"], calls["sendmsg"]["profiles"][0]), ("ring", "ring"), said)
        self.assertGreater(said["requests"], 50)
        text = self.run_symphony("sandbox", "learn", GREETER)
        self.assertRegex(text.stdout, r"(?m)^exit_group +1 +yes +yes +yes")
        self.assertRegex(text.stdout, r"profile: ring suffices, of what was seen: \d+ requests")

    def test_of_a_pit_that_a_broker_runs_watches_its_real_work_and_lets_it_go_on(self):
        self.start(self.manifest("probe", file=PROBE))
        self.wait_state("probe", "ready")
        before = self.show("probe")
        watching = subprocess.Popen([SYMPHONY, "sandbox", "learn", "probe", "--socket", self.socket, "--for", "3", "-o", "json"],
                                    stdout=subprocess.PIPE, text=True)
        while watching.poll() is None:  # each reply takes memory that it had not before
            run = self.run_symphony("call", "probe", "probe.DoAgain", '{"act": "BIG", "argument": 60000}', "--schema", PROBE_SCHEMA)
            self.assertEqual(run.returncode, 0, run.stderr)
        said = json.loads(watching.communicate()[0])
        self.assertEqual((watching.returncode, said["profile"], said["requests"]), (0, "heap", 0), said)
        self.assertIn(["heap", "threads"], [call["profiles"] for call in said["calls"]])
        after = self.show("probe")
        self.assertEqual((after["pid"], after["state"]), (before["pid"], "ready"))

    def test_of_what_is_none_is_refused_in_one_line(self):
        damaged = self.folder / "damaged.so"
        damaged.write_bytes(GREETER.read_bytes()[:100])
        for status, word, words in ((2, "No such file", ("/no/such.so",)), (2, "damaged", (damaged,)), (2, "--for", ("greeter", "--for", "0")),
                                    (3, "no broker", ("greeter",))):
            with self.subTest(words):
                self.refused(status, word, "sandbox", "learn", *words)
        self.start(self.manifest("greeter", file=GREETER))
        self.wait_state("greeter", "ready")
        self.refused(4, "greeter", "sandbox", "learn", "greter")


if __name__ == "__main__":
    main()
