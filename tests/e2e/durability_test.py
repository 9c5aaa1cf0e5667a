#!/usr/bin/env python3
"""The state of a daemon's pit, over the death of each process and the end of all.   usage: durability_test.py SYMPHONY [...]"""
import json
import os
import pathlib
import signal
import subprocess
import unittest

from broker_process import MAY_MOUNT, PIT, SYMPHONY, BrokerCase, eventually, main

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "pits" / "template" / "greeter.fbs"


class State(BrokerCase):
    def setUp(self):
        super().setUp()
        self.states = self.folder / "states"
        self.states.mkdir(mode=0o700)

    def durable(self, more=""):
        return self.manifest("greeter", file=PIT.parent / "greeter.so", more='durability = "journal"\n' + more)

    def kept_in_a_file(self, more=""):
        return self.durable(f'state_folder = "{self.states}"\n' + more)

    def greet(self):
        """How often it has greeted, this time included."""
        run = self.run_symphony("call", "greeter", "Hello", '{"name": "x"}', "--schema", SCHEMA)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return json.loads(run.stdout)["count"]

    def end(self, daemon):
        self.assertEqual(self.run_symphony("broker", "stop").returncode, 0)
        daemon.wait()

    def begin(self, manifest):
        daemon = self.start(manifest)
        self.wait_state("greeter", "ready")
        return daemon

    def test_in_memory_survives_pit_and_broker_killed_in_any_order(self):
        daemon = self.begin(self.durable())
        self.assertEqual(self.greet(), 1)
        for count, kills in enumerate((["pit"], ["broker"], ["broker", "pit"], ["pit", "broker"]), 2):
            before = self.show("greeter")["instance"]
            for who in kills:
                if who == "pit":
                    os.kill(self.show("greeter")["pid"], signal.SIGKILL)
                else:
                    self.kill_broker(daemon)
            if "pit" in kills:
                eventually(lambda before=before: self.show("greeter")["instance"] > before, "the next instance")
            self.assertEqual(self.greet(), count, kills)

    def test_survives_an_operators_stop_and_restart(self):
        self.begin(self.durable())
        self.assertEqual(self.greet(), 1)
        for verb in ("restart", "stop", "start"):
            self.assertEqual(self.run_symphony("pit", verb, "greeter").returncode, 0)
        self.assertEqual(self.greet(), 2)

    def test_in_memory_goes_with_the_daemon(self):
        manifest = self.durable()
        for _ in range(2):
            daemon = self.begin(manifest)
            self.assertEqual(self.greet(), 1)
            self.end(daemon)

    def test_in_a_file_survives_the_end_and_the_death_of_everything(self):
        manifest = self.kept_in_a_file()
        daemon = self.begin(manifest)
        self.assertEqual([self.greet() for _ in range(3)], [1, 2, 3])
        self.end(daemon)
        daemon = self.begin(manifest)
        self.assertEqual(self.greet(), 4)
        daemon.kill()  # the keeper: broker and pits die with it
        daemon.wait()
        daemon = self.begin(manifest)
        self.assertEqual(self.greet(), 5)
        os.kill(self.show("greeter")["pid"], signal.SIGKILL)
        self.assertEqual(self.greet(), 6)
        self.end(daemon)
        self.assertEqual(sorted(p.name for p in self.states.iterdir()), ["greeter.letters.lock", "greeter.state"])

    def test_in_a_file_that_is_damaged_is_refused_and_kept(self):
        manifest = self.kept_in_a_file()
        daemon = self.begin(manifest)
        self.assertEqual(self.greet(), 1)
        self.end(daemon)
        file = self.states / "greeter.state"
        whole = file.read_bytes()
        for damage in (whole[:5000], b"\xff" * 4096 + whole[4096:], b"x"):
            file.write_bytes(damage)
            daemon = self.start(manifest)
            pit = self.wait_state("greeter", "quarantined")
            self.assertIn("nothing of it was used", pit["deaths"][-1]["last_lines"])
            self.end(daemon)
            self.assertEqual(file.read_bytes(), damage)
        file.write_bytes(whole)
        self.begin(manifest)
        self.assertEqual(self.greet(), 2)

    def test_in_a_folder_that_is_gone_stops_the_pit_with_the_reason(self):
        self.begin(self.kept_in_a_file("failures_max = 2\n"))
        self.assertEqual(self.greet(), 1)
        os.rename(self.states, self.folder / "elsewhere")
        os.kill(self.show("greeter")["pid"], signal.SIGKILL)
        self.assertIn("cannot be used", self.wait_state("greeter", "quarantined")["reason"])
        os.rename(self.folder / "elsewhere", self.states)
        self.assertEqual(self.run_symphony("pit", "start", "greeter").returncode, 0)
        self.assertEqual(self.greet(), 2, "the state was held meanwhile")

    @unittest.skipUnless(MAY_MOUNT, "this user may not mount a small disk")
    def test_on_a_full_disk_is_refused_with_the_reason_and_goes_on_when_there_is_room(self):
        ballast = self.states / "ballast"
        manifest = self.kept_in_a_file("failures_max = 1\njournal_size = 65536\n")
        words = [SYMPHONY, "broker", "run", "--socket", self.socket, "--manifest", str(manifest)]
        line = 'mount -t tmpfs -o size=512k,mode=700 disk "$0" && head -c 450000 /dev/zero > "$1" && shift && exec "$@"'
        daemon = subprocess.Popen(["unshare", "-m", "sh", "-c", line, str(self.states), str(ballast), *words], stderr=subprocess.DEVNULL)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        # It says "try again" (75) and never goes into quarantine for that: more deaths than failures_max.
        pit = eventually(lambda: (lambda p: p if len(p["deaths"]) > 1 else None)(self.show("greeter")), "two refusals")
        self.assertNotEqual(pit["state"], "quarantined")
        self.assertIn("no room for the pit's state", pit["deaths"][-1]["last_lines"])
        pathlib.Path(f"/proc/{daemon.pid}/root{ballast}").unlink()
        self.assertEqual([self.greet(), self.greet()], [1, 2])

    def test_of_two_brokers_one_keeps_a_file(self):
        self.begin(self.kept_in_a_file())
        self.assertEqual(self.greet(), 1)
        self.socket = str(self.folder / "second.sock")
        self.start(self.kept_in_a_file())
        pit = eventually(lambda: (lambda p: p if p["deaths"] else None)(self.show("greeter")), "a refusal")
        self.assertIn("another broker", pit["reason"])

    def test_bad_places_and_numbers_are_refused_with_the_remedy(self):
        for more, word in (('state_folder = "/no/such/folder"', "cannot be used"),):
            self.start(self.durable(more))
            self.assertIn(word, self.wait_state("greeter", "quarantined")["reason"])
        for more, word in (("journal_size = 1000", "multiple of 4096"), ('durability_ = "x"', "did you mean 'durability'"),
                           ('state_synced = "yes"', "true or false"), ("snapshot_after = 0", "from 1")):
            run = self.run_symphony("broker", "run", "--manifest", self.durable(more))
            self.assertEqual(run.returncode, 2, run.stderr)
            self.assertIn(word, run.stderr)


if __name__ == "__main__":
    main()
