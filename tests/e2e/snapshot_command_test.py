#!/usr/bin/env python3
"""symphony pit snapshot and restore against a daemon.   usage: snapshot_command_test.py SYMPHONY [...]"""
import json
import os
import pathlib
import signal
import struct
import subprocess
import unittest

from broker_process import MAY_MOUNT, PIT, SYMPHONY, BrokerCase, eventually, main

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "pits" / "template" / "greeter.fbs"


class SnapshotOfAPit(BrokerCase):
    def setUp(self):
        super().setUp()
        self.file = self.folder / "files" / "greeter.snap"
        self.file.parent.mkdir()

    def greeter(self, more=""):
        return self.manifest("greeter", file=PIT.parent / "greeter.so", more=more)

    def begin(self, *manifests):
        self.start(*manifests)
        for manifest in manifests:
            self.wait_state(manifest.stem, "ready")

    def greet(self, name="greeter", times=1):
        """How often it has greeted, the last time included."""
        for _ in range(times):
            run = self.run_symphony("call", name, "Hello", '{"name": "x"}', "--schema", SCHEMA)
            self.assertEqual((run.returncode, run.stderr), (0, ""))
        return json.loads(run.stdout)["count"]

    def take(self, name="greeter"):
        run = self.run_symphony("pit", "snapshot", name, self.file)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return run.stdout

    def restore(self, name="greeter"):
        run = self.run_symphony("pit", "restore", name, self.file)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return run.stdout

    def kill(self, name="greeter"):
        before = self.show(name)
        os.kill(before["pid"], signal.SIGKILL)
        eventually(lambda: self.show(name)["instance"] > before["instance"], "the next instance")

    def left(self):
        return sorted(p.name for p in self.file.parent.iterdir())

    def test_goes_to_a_file_and_back_into_another_pit(self):
        self.begin(self.greeter(), self.manifest("other", file=PIT.parent / "greeter.so"))
        self.assertEqual(self.greet(times=5), 5)
        self.assertEqual(self.take(), f"greeter: 8 bytes of state, revision 1, to {self.file}\n")
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.greet(times=2), 7, "the pit goes on")
        self.assertEqual(self.restore("other"), f"other: 8 bytes of state, revision 1, from {self.file}\n")
        self.assertEqual((self.greet("other"), self.greet()), (6, 8))
        document = self.json("pit", "restore", "greeter", str(self.file))
        del document["file"]
        self.assertEqual(document, {"schema": "symphony.cli/1", "command": "pit restore", "pit": "greeter", "of": "greeter",
                                    "version": "1.0.0", "revision": 1, "bytes": 8, "timers": 0, "instances": 1})
        self.assertEqual(self.greet(), 6)
        self.assertEqual(self.json("pit", "snapshot", "greeter", str(self.file))["bytes"], 8)
        self.assertEqual(self.left(), ["greeter.snap"])

    def test_goes_through_pipes(self):
        self.begin(self.greeter())
        self.greet(times=3)
        words = [SYMPHONY, "pit", "snapshot", "greeter", "-", "--socket", self.socket]
        written = subprocess.run(words, capture_output=True, timeout=60, check=True)
        self.assertEqual((written.stdout[:4], written.stderr), (b"SYSN", b""))
        self.greet()
        run = subprocess.run([*words[:2], "restore", *words[3:]], input=written.stdout, capture_output=True, timeout=60, check=False)
        self.assertEqual((run.returncode, run.stderr), (0, b""))
        self.assertEqual(self.greet(), 4)
        self.assertIn("name a file", self.refused(2, "cannot have both", "pit", "snapshot", "greeter", "-", "-o", "json"))

    def test_of_a_larger_state_than_one_message_holds_is_whole(self):
        # Some hundred pieces of 8 KiB.
        self.begin(self.manifest("tracker"), self.manifest("second"))
        schema = SCHEMA.parents[2] / "schemas" / "dag_tracker.fbs"
        names = [f"a task with a name that fills the state: {i}" for i in range(1000)]
        for method, message in (("CreateGraph", {}), *[("AddTasks", {"graph": 1, "names": names})] * 10):
            run = subprocess.run([SYMPHONY, "call", "tracker", method, "-", "--schema", schema, "--socket", self.socket],
                                 input=json.dumps(message), capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(run.returncode, 0, run.stderr)
        self.take("tracker")
        self.assertGreater(self.file.stat().st_size, 100_000)
        self.restore("second")
        whole = self.file.read_bytes()
        self.take("second")
        self.assertEqual(self.file.read_bytes(), whole, "the same state, the same bytes")

    def test_that_is_restored_outlives_a_durable_pit_killed_right_after_the_answer(self):
        names = ("journal", "snapshot")
        more = 'durability = "{}"\nsnapshot_after_ms = 3600000\nfailures_max = 16\n'
        self.begin(*(self.manifest(name, file=PIT.parent / "greeter.so", more=more.format(name)) for name in names))
        for name in names:
            self.greet(name, 2)
            self.take(name)
            self.assertEqual(self.greet(name, 3), 5)
            for _ in range(5):
                self.restore(name)
                self.kill(name)
                self.assertEqual(self.greet(name), 3)

    def test_that_is_damaged_cut_or_of_another_kind_is_refused_before_the_pit_hears_of_it(self):
        self.begin(self.greeter(), self.manifest("tracker"))
        self.greet(times=2)
        self.take()
        whole = self.file.read_bytes()
        self.greet()
        for status, word, damaged in ((2, "cut short", whole[:-1]), (2, "cut short", whole[:20]), (2, "damaged", whole[:-1] + b"x"),
                                      (2, "damaged", whole + b"x"), (2, "empty", b""), (2, "no snapshot", b'{"count": 2}'),
                                      (2, "of format 2", whole[:4] + b"\2" + whole[5:])):
            with self.subTest(word):
                self.file.write_bytes(damaged)
                self.assertIn(str(self.file), self.refused(status, word, "pit", "restore", "greeter", self.file))
                # Before the pit hears of it: there is no broker that could tell it.
                self.refused(status, word, "pit", "restore", "greeter", self.file, "--realm", "none")
        self.file.write_bytes(whole)
        self.refused(7, "is of a pit 'greeter', and tracker runs a pit 'dag_tracker'", "pit", "restore", "tracker", self.file)
        self.refused(2, "No such file", "pit", "restore", "greeter", self.folder / "none")
        self.assertEqual(self.greet(), 4, "nothing of all that changed it")

    def test_of_a_revision_that_the_pit_does_not_restore_is_refused_by_name(self):
        self.begin(self.greeter())
        self.greet(times=2)
        self.take()
        bytes_of_it = bytearray(self.file.read_bytes())
        struct.pack_into("<I", bytes_of_it, 8, 9)
        struct.pack_into("<Q", bytes_of_it, 24, 0)
        struct.pack_into("<Q", bytes_of_it, 24, checksum(bytes_of_it))
        self.file.write_bytes(bytes_of_it)
        self.refused(7, "pit 'greeter' 1.0.0 restores snapshots of revision 1 to 1, and this one has 9", "pit", "restore", "greeter", self.file)
        self.assertEqual(self.greet(), 3)

    def test_that_cannot_be_written_leaves_what_was_there_and_nothing_else(self):
        self.begin(self.greeter())
        self.greet()
        self.refused(2, "make its folder", "pit", "snapshot", "greeter", self.folder / "none" / "x")
        self.refused(2, "it is a folder", "pit", "snapshot", "greeter", self.file.parent)
        self.refused(2, "no regular file", "pit", "snapshot", "greeter", "/dev/null")
        self.take()
        before = self.file.read_bytes()
        self.greet()
        # A limit of no bytes at all: as a disk that is full.
        words = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", SYMPHONY, "pit", "snapshot", "greeter", self.file, "--socket", self.socket]
        # ThreadSanitizer's runtime writes a temporary file of its own before main(), where it finds a place for it.
        environment = {**os.environ, "TMPDIR": str(self.folder / "none")}
        run = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, env=environment)
        self.assertEqual((run.returncode, run.stdout, len(run.stderr.splitlines())), (2, "", 1), run.stderr)
        self.assertIn("free some of the disk", run.stderr)
        self.assertEqual((self.left(), self.file.read_bytes()), (["greeter.snap"], before))

    @unittest.skipUnless(MAY_MOUNT, "this user may not mount a small disk")
    def test_on_a_full_disk_is_one_line_and_nothing_is_left(self):
        self.begin(self.greeter())
        line = 'mount -t tmpfs -o size=4k disk "$0" && head -c 4096 /dev/zero > "$0/ballast"; "$@"; status=$?; ls -A "$0"; exit $status'
        words = ["unshare", "-m", "sh", "-c", line, self.file.parent, SYMPHONY, "pit", "snapshot", "greeter", self.file, "--socket", self.socket]
        run = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((run.returncode, run.stdout, len(run.stderr.splitlines())), (2, "ballast\n", 1), run.stderr)
        self.assertIn("No space left", run.stderr)

    def test_of_a_pit_with_several_instances_is_of_each_under_its_own_name(self):
        self.start(self.greeter("instances = 3\n"))
        names = ["greeter", "greeter.1", "greeter.2"]
        for number, name in enumerate(names, 1):
            self.wait_state(name, "ready")
            self.assertEqual(self.greet(name, number), number)
        run = self.run_symphony("pit", "snapshot", "greeter", self.file)
        self.assertEqual(run.returncode, 0)
        self.assertIn("greeter.1 to greeter.2 have a state of their own, under that name", run.stderr)
        self.take("greeter.2")
        self.restore("greeter.1")
        self.assertEqual([self.greet(name) for name in names], [2, 4, 4])

    def test_wrong_input_is_one_line_with_the_remedy(self):
        self.file.write_bytes(b"")
        self.refused(3, "symphony broker run", "pit", "snapshot", "greeter", self.file, "--timeout", "0.05")
        self.begin(self.greeter())
        self.take()
        for verb in ("snapshot", "restore"):
            self.refused(4, "did you mean 'greeter'?", "pit", verb, "greter", self.file)
        self.run_symphony("pit", "stop", "greeter")
        before = self.file.read_bytes()
        for verb in ("snapshot", "restore"):
            self.refused(1, "stopped", "pit", verb, "greeter", self.file)
        self.assertEqual(self.file.read_bytes(), before)


def checksum(of):
    """As docs/formats/state.md says it, of a whole file: the size, then 8-byte words."""
    mask, v = (1 << 64) - 1, 0
    words = [len(of)] + [int.from_bytes(of[i:i + 8], "little") for i in range(0, len(of), 8)]
    for word in words:
        v = ((v ^ (word * 0xBF58476D1CE4E5B9 & mask)) * 0x94D049BB133111EB) & mask
        v ^= v >> 29
    return v


if __name__ == "__main__":
    main()
