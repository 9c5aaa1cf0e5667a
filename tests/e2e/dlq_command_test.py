#!/usr/bin/env python3
"""symphony dlq against a daemon: what killed a pit is shown, sent again, dropped.   usage: dlq_command_test.py SYMPHONY [...]"""
import os
import pathlib
import subprocess

from broker_process import BIN, PIT, BrokerCase, eventually, main

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "tests" / "support" / "probe" / "probe.fbs"


class DeadLetters(BrokerCase):
    def setUp(self):
        super().setUp()
        self.mended = self.folder / "mended"
        self.start(self.manifest("probe", file=PIT.parent / "probe.so"), env={**os.environ, "PROBE_MENDED": str(self.mended)})
        self.wait_state("probe", "ready")

    def poison(self):
        subprocess.run([BIN / "bus_program", "poison", self.socket], check=True, timeout=120)
        known = getattr(self, "known", 0)
        letters = eventually(lambda: [one for one in self.json("dlq", "list", "probe")["letters"] if one["id"] > known], "its letter")
        self.known = letters[-1]["id"]
        return self.known

    def test_a_letter_is_listed_shown_sent_again_and_dropped_when_it_is_answered(self):
        letter = self.poison()
        listed = self.json("dlq", "list")["letters"]
        self.assertEqual(len(listed), 1)
        self.assertEqual((listed[0]["pit"], listed[0]["attempts"], listed[0]["alone"], listed[0]["effect"], listed[0]["version"]),
                         ("probe", 3, "killed it", "idempotent", "1.0.0"))
        self.assertEqual((listed[0]["death"]["how"], listed[0]["death"]["signal"]), ("SIGKILL", 9))
        self.assertRegex(self.run_symphony("dlq", "list").stdout, r"probe .* SIGKILL +killed it")
        shown = self.json("dlq", "show", "probe", str(letter), "--schema", str(SCHEMA))["letter"]
        self.assertEqual((shown["table"], shown["body"]), ("probe.DoAgain", {"act": "DIE_UNLESS_MENDED", "argument": 77}))
        self.assertEqual(len(bytes.fromhex(shown["hex"])), shown["size"])
        plain = self.run_symphony("dlq", "show", "probe", letter).stdout
        self.assertIn("00000000 ", plain)
        self.assertIn("SIGKILL", plain)
        self.assertEqual(self.show("probe")["dead_letters"], 1)
        self.assertRegex(self.run_symphony("pit", "show", "probe").stdout, r"dead letters +1, 0 lost; 1 tried alone")

        self.refused(1, "the letter is kept: crashed", "dlq", "replay", "probe", letter)
        self.assertEqual(len(self.json("dlq", "list")["letters"]), 1)
        self.mended.touch()
        again = self.json("dlq", "replay", "probe", str(letter), "--schema", str(SCHEMA))
        self.assertIn("value", again["reply"])
        self.assertEqual(self.json("dlq", "list", "probe")["letters"], [])

    def test_letters_are_dropped_one_or_all(self):
        first, second = self.poison(), None
        self.assertEqual(self.run_symphony("pit", "restart", "probe").returncode, 0)  # its failures are forgotten
        second = self.poison()
        self.assertEqual(self.run_symphony("dlq", "drop", "probe", first).stdout, "1 dropped\n")
        self.assertEqual([letter["id"] for letter in self.json("dlq", "list")["letters"]], [second])
        self.assertEqual(self.json("dlq", "drop", "probe", "--all")["dropped"], 1)
        self.assertEqual(self.run_symphony("dlq", "drop", "probe", "--all").stdout, "0 dropped\n")

    def test_letters_of_a_pit_with_a_folder_outlive_the_daemon_and_damaged_ones_are_refused_and_kept(self):
        states = self.folder / "states"
        states.mkdir(mode=0o700)
        manifest = self.manifest("probe", file=PIT.parent / "probe.so", more=f"state_folder = '{states}'\n")
        env = {**os.environ, "PROBE_MENDED": str(self.mended)}

        def begin_anew():
            self.assertEqual(self.run_symphony("broker", "stop").returncode, 0)
            daemon = self.start(manifest, env=env)
            self.wait_state("probe", "ready")
            return daemon

        begin_anew()
        letter = self.poison()
        begin_anew()
        listed = self.json("dlq", "list")["letters"]
        self.assertEqual([(one["id"], one["pit"], one["alone"]) for one in listed], [(letter, "probe", "killed it")])
        self.mended.touch()
        self.assertIn("value", self.json("dlq", "replay", "probe", str(letter), "--schema", str(SCHEMA))["reply"])
        self.mended.unlink()
        begin_anew()
        self.assertEqual(self.json("dlq", "list")["letters"], [])
        self.poison()
        kept = states / "probe.letters"
        kept.write_bytes(kept.read_bytes()[:-1])
        damaged = kept.read_bytes()
        begin_anew()
        self.assertEqual(self.json("dlq", "list")["letters"], [])
        self.assertEqual((states / "probe.letters.refused").read_bytes(), damaged)

    def test_wrong_input_is_one_line_with_the_remedy(self):
        self.refused(4, "did you mean 'probe'?", "dlq", "list", "prob")
        for verb in ("show", "replay", "drop"):
            self.refused(4, "symphony dlq list", "dlq", verb, "probe", 4711)
            self.refused(4, "did you mean 'probe'?", "dlq", verb, "prob", 1)
        self.refused(2, "--all", "dlq", "drop", "probe")
        self.refused(2, "--all", "dlq", "drop", "probe", 1, "--all")
        letter = self.poison()
        self.assertEqual(self.run_symphony("pit", "stop", "probe").returncode, 0)
        self.refused(1, "symphony pit start", "dlq", "replay", "probe", letter)
        self.refused(2, "no-such.fbs", "dlq", "show", "probe", letter, "--schema", "no-such.fbs")


if __name__ == "__main__":
    main()
