#!/usr/bin/env python3
"""symphony pit list, show, start, stop and restart against a daemon.   usage: operator_command_test.py SYMPHONY [...]"""
import os
import pathlib
import signal
import subprocess

from broker_process import HOST, PIT, SYMPHONY, BrokerCase, eventually, main


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

    def test_list_and_show_say_what_runs(self):
        self.start(self.manifest("tracker", more='calls = ["pool"]\nwaiting = "sleep"\n'), self.manifest("pool"))
        self.wait_state("tracker", "ready")
        self.wait_state("pool", "ready")
        pits = self.json("pit", "list")["pits"]
        self.assertEqual([(pit["name"], pit["state"]) for pit in pits], [("tracker", "ready"), ("pool", "ready")])
        self.assertRegex(self.run_symphony("pit", "list").stdout, r"tracker +ready +\d+")
        pit = self.show("tracker")
        self.assertEqual((pit["calls"], pit["waiting"], pit["trust"], pit["version"], pit["failures"]),
                         (["pool"], "sleep", "cooperative", "1.0.0", 0))
        self.assertEqual((pit["executable"], pit["arguments"]), (str(HOST), str(PIT)))
        self.assertEqual(pit["log"], str(self.logs / "tracker.log"))
        self.assertEqual(pit["restart"]["failures_max"], 5)
        self.assertIsNotNone(pit["ready_since"])

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
