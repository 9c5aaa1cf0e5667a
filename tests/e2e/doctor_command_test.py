#!/usr/bin/env python3
"""`symphony doctor` on machines that lack something.   usage: doctor_command_test.py SYMPHONY [...]"""
import json
import resource
import shutil
import subprocess
import time
import unittest

from broker_process import CAN_DENY, PIT, SYMPHONY, WITHOUT_NAMESPACES, BrokerCase, eventually, main

GREETER = PIT.parent / "greeter.so"
CAN_TRACE = shutil.which("strace") is not None and subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True,
                                                                  check=False).returncode == 0


class Doctor(BrokerCase):
    def examine(self, before=(), limit=None):
        """Its findings by area and name; the document agrees with the exit status, and what is not well has a remedy."""
        run = subprocess.run([*before, SYMPHONY, "doctor", "--socket", self.socket, "-o", "json"], capture_output=True, text=True,
                             timeout=60, check=False, preexec_fn=limit)
        self.assertEqual(run.stderr, "")
        document = json.loads(run.stdout)
        self.assertEqual((document["schema"], document["command"]), ("symphony.cli/1", "doctor"))
        bad = [f for f in document["findings"] if f["state"] == "bad"]
        self.assertEqual((document["healthy"], run.returncode), (not bad, 1 if bad else 0), bad)
        for finding in document["findings"]:
            self.assertEqual(finding["state"] == "ok", finding["remedy"] == "", finding)
        return {(f["area"], f["name"]): f for f in document["findings"]}

    def test_says_the_same_to_people_and_to_programs(self):
        found = self.examine()
        self.assertLessEqual({"kernel", "machine", "limits", "sandbox", "broker", "leftovers"}, {area for area, _ in found})
        run = self.run_symphony("doctor")
        for (area, name), finding in found.items():
            self.assertRegex(run.stdout, rf"(?m)^{area} +{name} +{finding['state']} ")
        bad = sum(f["state"] == "bad" for f in found.values())
        self.assertIn("nothing is wrong" if bad == 0 else f"{bad} thing", run.stdout.splitlines()[-1])

    @unittest.skipUnless(CAN_DENY, "this user may make no namespace in which none can be made")
    def test_names_each_wall_that_the_kernel_does_not_give_and_why(self):
        found = self.examine(WITHOUT_NAMESPACES)
        for wall in ("user", "pid"):
            self.assertEqual(found["sandbox", wall]["state"], "bad")
            self.assertIn("missing: clone: no namespace", found["sandbox", wall]["found"])
            self.assertIn("sandbox_may_lack", found["sandbox", wall]["remedy"])
        self.assertEqual(found["sandbox", "seccomp"]["state"], "ok")

    @unittest.skipUnless(CAN_TRACE, "nothing can be traced here")
    def test_calls_a_kernel_bad_that_lacks_what_the_bus_needs(self):
        found = self.examine(["strace", "-o", "/dev/null", "-e", "trace=pidfd_open", "-e", "inject=pidfd_open:error=EPERM"])
        self.assertEqual((found["kernel", "pidfd"]["state"], found["kernel", "pidfd"]["found"]), ("bad", "Operation not permitted"))
        self.assertEqual(found["kernel", "sealed memory"]["state"], "ok")

    def test_calls_a_limit_of_descriptors_bad_that_no_broker_can_work_with(self):
        found = self.examine(limit=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)))
        self.assertEqual(found["limits", "descriptors"]["state"], "bad")
        self.assertIn("256", found["limits", "descriptors"]["found"])

    def test_says_of_a_broker_which_version_it_is_and_which_pit_is_not_well(self):
        self.start(self.manifest("greeter", file=GREETER), self.manifest("poor", shell="exit 125"))
        self.wait_state("greeter", "ready")
        self.wait_state("poor", "quarantined")
        found = self.examine()
        self.assertEqual(found["broker", "version"]["state"], "ok")
        self.assertEqual(found["broker", "program"]["state"], "ok")
        self.assertEqual(found["broker", "pits"]["found"], "1 of 2 well")
        self.assertEqual((found["broker", "pit poor"]["state"], found["broker", "pit poor"]["found"]), ("bad", "quarantined"))
        self.assertIn("symphony pit show poor", found["broker", "pit poor"]["remedy"])

    def test_calls_a_broker_that_does_not_answer_bad(self):
        daemon = self.start(self.manifest("greeter", file=GREETER))
        self.wait_state("greeter", "ready")
        broker = eventually(lambda: subprocess.run(["pgrep", "-P", str(daemon.pid)], capture_output=True, text=True, check=False).stdout.split(),
                            "the daemon has children")
        for pid in broker:
            subprocess.run(["kill", "-STOP", pid], check=False)
        try:
            self.assertEqual(self.examine()["broker", "running"]["state"], "bad")
        finally:
            for pid in broker:
                subprocess.run(["kill", "-CONT", pid], check=False)

    def test_finds_a_process_of_a_pit_that_nobody_waits_for(self):
        """A process that says that it is a pit, and whose parent is gone."""
        script = "SYMPHONY_PIT_INSTANCE=1 setsid sleep 60 > /dev/null 2>&1 < /dev/null & echo $!"
        pid = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.strip()
        self.addCleanup(subprocess.run, ["kill", pid], check=False)
        parent = eventually(lambda: self.parent_of(pid), "its parent is gone")
        if parent != 1:
            self.skipTest(f"who takes orphans here is process {parent}, neither the first one nor a service manager")
        found = self.examine()
        self.assertEqual(found["leftovers", f"process {pid}"]["state"], "bad")
        self.assertIn(f"kill {pid}", found["leftovers", f"process {pid}"]["remedy"])
        subprocess.run(["kill", pid], check=False)
        time.sleep(0.1)
        self.assertEqual(self.examine()["leftovers", "processes"]["state"], "ok")

    @staticmethod
    def parent_of(pid):
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return int(stat.read().rpartition(") ")[2].split()[1])


if __name__ == "__main__":
    main()
