#!/usr/bin/env python3
"""`symphony pit swap`, as an operator meets it.   usage: swap_command_test.py SYMPHONY [...]"""
import json
import pathlib

from bad_pit_files import bad_pit_files
from broker_process import PIT, BrokerCase, main

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "pits" / "template" / "greeter.fbs"
GREETER = PIT.parent / "greeter.so"


class SwapOfAPit(BrokerCase):
    def setUp(self):
        super().setUp()
        self.manifest_file = self.manifest("greeter", file=GREETER)
        self.daemon = self.start(self.manifest_file)
        self.wait_state("greeter", "ready")

    def greet(self):
        run = self.run_symphony("call", "greeter", "Hello", '{"name": "x"}', "--schema", SCHEMA)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return json.loads(run.stdout)["count"]

    def swap(self, *words):
        run = self.run_symphony("pit", "swap", *words)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return run.stdout

    def test_goes_on_with_the_state_in_another_process_and_says_how_long_calls_waited(self):
        self.assertEqual(self.greet(), 1)
        before = self.show("greeter")
        self.assertRegex(self.swap("greeter"), r"^greeter is ready: instance 2, process \d+; calls waited for at most [0-9.]+ ")
        self.assertEqual(self.greet(), 2)
        answer = json.loads(self.swap("greeter", GREETER, "-o", "json"))
        self.assertEqual((answer["command"], answer["pit"]["state"]), ("pit swap", "ready"))
        self.assertGreater(answer["pause_s"], 0)
        self.assertEqual(self.greet(), 3)
        after = self.show("greeter")
        self.assertNotEqual(before["pid"], after["pid"])
        self.assertEqual([death["cause"] for death in after["deaths"]], ["swap", "swap"])

    def test_that_fails_says_in_which_step_and_why_and_the_pit_goes_on(self):
        self.assertEqual(self.greet(), 1)
        pid = self.show("greeter")["pid"]
        other = PIT.parent / "dag_tracker.so"
        why = self.refused(1, "the new process failed with the state: ended with status 125", "pit", "swap", "greeter", other)
        self.assertIn("is of pit 'greeter', not of 'dag_tracker'", why)
        why = self.refused(1, "the new process failed while it was made ready: ended with status 125", "pit", "swap", "greeter", "/etc/passwd")
        self.assertIn("no ELF file", why)
        self.refused(2, "name the file of the pit's new build", "pit", "swap", "greeter", self.folder / "none.so")
        self.refused(2, "Conductor::swap", "pit", "swap", "greeter", "--mode", "wasm")
        self.refused(2, "--pause", "pit", "swap", "greeter", "--pause", "0")
        self.refused(4, "did you mean 'greeter'", "pit", "swap", "greter")
        self.assertEqual(self.show("greeter")["pid"], pid)
        self.assertEqual(self.greet(), 2)

    def test_to_a_file_that_is_no_pit_says_what_it_is_and_the_pit_goes_on(self):
        pid = self.show("greeter")["pid"]
        for path, words in bad_pit_files(PIT.parent, PIT.parents[1] / "tests" / "pits", self.folder):
            with self.subTest(path):
                self.refused(2 if words.startswith("cannot be read") else 1, "; name the file" if words.startswith("cannot") else words,
                             "pit", "swap", "greeter", path)
        self.assertEqual(self.show("greeter")["pid"], pid)
        self.assertEqual(self.greet(), 1)

    def test_that_is_rehearsed_says_how_long_that_took_or_why_it_was_not_done(self):
        self.assertEqual(self.greet(), 1)
        self.assertRegex(self.swap("greeter", "--rehearse"), r"calls waited for at most [0-9.]+ \S+ \(rehearsed: [0-9.]+ \S+, their links apart\)$")
        answer = json.loads(self.swap("greeter", "--rehearse", "-o", "json"))
        self.assertGreater(answer["rehearsed_s"], 0)
        self.assertEqual(self.greet(), 2)
        pid = self.show("greeter")["pid"]
        why = self.refused(6, "the rehearsal failed: ", "pit", "swap", "greeter", PIT.parent / "dag_tracker.so", "--rehearse")
        self.assertIn("not of 'dag_tracker'", why)
        self.assertEqual(self.show("greeter")["pid"], pid)
        self.assertEqual(self.greet(), 3)

    def test_holds_over_the_death_of_the_broker_and_until_the_manifests_are_read_again(self):
        copy = self.folder / "copy.so"
        copy.write_bytes(GREETER.read_bytes())
        self.swap("greeter", copy)
        self.kill_broker(self.daemon)
        pit = self.show("greeter")
        self.assertEqual((pit["state"], pit["instance"], pit["arguments"]), ("ready", 2, str(copy)))
        self.assertEqual(self.run_symphony("broker", "reload").returncode, 0)
        self.wait_state("greeter", "ready")
        self.assertEqual(self.show("greeter")["arguments"], str(GREETER))


if __name__ == "__main__":
    main()
