#!/usr/bin/env python3
"""symphony broker run and status as commands.   usage: broker_command_test.py SYMPHONY [unittest arguments]"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SYMPHONY = sys.argv[1]
PITS = pathlib.Path(SYMPHONY).resolve().parent.parent / "pits"
PIT = PITS / "dag_tracker.so"


def symphony(*arguments):
    return subprocess.run([SYMPHONY, *arguments], capture_output=True, text=True, timeout=60, check=False)


class Broker(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.socket = str(self.folder / "broker.sock")

    def manifest(self, text):
        path = self.folder / "pit.toml"
        path.write_text(text)
        return str(path)

    def start(self, *manifests):
        arguments = [word for path in manifests for word in ("--manifest", path)]
        broker = subprocess.Popen([SYMPHONY, "broker", "run", "--socket", self.socket, *arguments],
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(broker.wait)
        self.addCleanup(broker.kill)
        return broker

    def status(self):
        run = symphony("broker", "status", "--socket", self.socket, "-o", "json", "--timeout", "20")
        self.assertEqual(run.returncode, 0, run.stderr)
        return json.loads(run.stdout)

    def wait_ready(self, instance):
        deadline = time.monotonic() + 30
        while True:
            pit = self.status()["pits"][0]
            if (pit["state"] == "ready" and pit["instance"] >= instance) or time.monotonic() > deadline:
                self.assertEqual(pit["state"], "ready")
                return pit

    def test_runs_a_pit_starts_it_again_and_ends_orderly(self):
        broker = self.start(self.manifest(f'name = "dag_tracker"\nfile = "{PIT}"\n'))
        first = self.wait_ready(1)
        os.kill(first["pid"], signal.SIGKILL)
        second = self.wait_ready(2)
        self.assertNotEqual(first["pid"], second["pid"])
        broker.terminate()
        self.assertEqual(broker.wait(30), 0)
        self.assertFalse(pathlib.Path(self.socket).exists())
        self.assertFalse(pathlib.Path(f"/proc/{second['pid']}").exists())

    def test_a_file_is_seen_from_the_manifest(self):
        (self.folder / "pit.so").symlink_to(PIT)
        self.start(self.manifest('name = "dag_tracker"\nfile = "pit.so"\n'))
        self.wait_ready(1)

    def test_instances_are_pits_of_their_own(self):
        self.start(self.manifest(f'name = "dag_tracker"\nfile = "{PIT}"\ninstances = 3\n'))
        self.assertEqual([pit["name"] for pit in self.status()["pits"]],
                         ["dag_tracker", "dag_tracker.1", "dag_tracker.2"])
        self.wait_ready(1)

    def test_a_second_broker_of_the_realm_is_refused(self):
        self.start()
        self.status()
        run = symphony("broker", "run", "--socket", self.socket)
        self.assertEqual(run.returncode, 6)
        self.assertIn("another broker", run.stderr)

    def test_no_broker_is_status_3_with_the_remedy(self):
        run = symphony("broker", "status", "--socket", self.socket, "--timeout", "0.05")
        self.assertEqual((run.returncode, run.stdout), (3, ""))
        self.assertIn("symphony broker run", run.stderr)

    def test_a_bad_manifest_is_one_line_and_status_2(self):
        for text, word in (('nmae = "x"\n', "did you mean 'name'"), ('name = "x"\n', "'file' is missing"),
                           (f'name="x"\nfile="{PITS / "relay.so"}"\n', "needs 'greeter', which it may not call; add it: calls = [\"greeter\"]"), ("name = \n", "line 1"),
                           ('name = 3\nexecutable = "x"\n', "text in quotes"), ('name="x"\nexecutable="x"\ntrust="yes"\n', "hostile"),
                           ('name="x"\nexecutable="x"\nargs=[1]\n', "list of texts"),
                           ("", "'name' is missing"), ('name="x"\nfile="x.so"\nexecutable="x"\n', "leave out 'executable'"),
                           ('name="x"\nfile="x.so"\nargs=["x"]\n', "leave out 'executable'"),
                           ('name="x"\nexecutable="x"\nwaiting="busy"\n', "adaptive, spin or sleep"),
                           ('name="x"\nexecutable="x"\nplacement="core 1"\n', "same_core or other_core"),
                           ('name="x"\nexecutable="x"\nfailures_max=0\n', "1 to 16"),
                           ('name="x"\nexecutable="x"\ninstances=33\n', "1 to 32"),
                           ('name="x"\nexecutable="x"\nrestart="all"\n', "one_for_one or rest_for_one"),
                           ('name="x"\nexecutable="x"\nrestart="rest_for_one"\n', "needs 'calls'"),
                           ('name="x"\nexecutable="x"\nfallback="x"\n', "another pit"),
                           ('name="x"\nexecutable="x"\ncallers=["relay"]\n', "say \"programs\" or \"pit:NAME\""),
                           ('name="x"\nexecutable="x"\nexceptions_max=0\n', "1 to 1000000"),
                           ('name="x"\nexecutable="x"\nbackoff_ms=5\n', "line 3: unknown key 'backoff_ms'; did you mean 'backoff_max_ms'"),
                           ('name="x"\nexecutable="x"\nbackoff_first_ms=0\n', "'backoff_first_ms' must be a number from 1 to 3600000"),
                           ('name="x"\nexecutable="x"\nbackoff_first_ms=20000\n', "not be above 'backoff_max_ms', which is 10000"),
                           ('name="x"\nexecutable="x"\nstart_timeout_ms=true\n', "'start_timeout_ms' must be a number"),
                           ('name="x"\nexecutable="x"\nrequest_capacity=5000\n', "a power of two from 4096 to 1073741824 bytes; did you mean 8192?"),
                           ('name="x"\nexecutable="x"\nreply_capacity=1\n', "did you mean 4096?"),
                           ('name="x"\nexecutable="x"\nring_capacity=1\n', "did you mean 're"),
                           ('name="x"\nexecutable="x"\nbudget_ns=5\n', "line 3: unknown key 'budget_ns'; did you mean 'budget_ms'"),
                           ('name="x"\nexecutable="x"\nbudget_ms=9\n', "line 3: 'budget_ms' must be a number from 10 to 3600000"),
                           ('name="x"\nexecutable="x"\nbudgets_ms=9\n', "must be a table"),
                           ('name="x"\nexecutable="x"\n[budgets_ms]\n"a.B"="fast"\n', "line 4: 'a.B' must be a number"),
                           ('name="x"\nexecutable="x"\n[budgets_ms]\na.B=9\n', "line 4: 'a.B' must be a number from 10"),
                           ('name="x"\nexecutable="x"\n[budgets_ms]\n"a B"=99\n', "line 4: 'a B' is no message type"),
                           (f'name="x"\nfile="{PIT}"\n[budgets_ms]\n"symphony.dag.Seall"=99\n',
                            "line 4: the pit handles no 'symphony.dag.Seall'; did you mean 'symphony.dag.Seal'?"),
                           (f'name="x"\nfile="{PIT}"\n[budgets_ms]\nsymphony.dag.Nonsense=99\n', "name a table of its schema"), ('name="a b"\nexecutable="x"\n', "a-z")):
            with self.subTest(text):
                run = symphony("broker", "run", "--socket", self.socket, "--manifest", self.manifest(text))
                self.assertEqual((run.returncode, run.stdout), (2, ""), run.stderr)
                self.assertEqual(len(run.stderr.strip().splitlines()), 1, run.stderr)
                self.assertIn(word, run.stderr)
        run = symphony("broker", "run", "--socket", self.socket, "--manifest", str(self.folder / "missing.toml"))
        self.assertEqual(run.returncode, 2)
        self.assertIn("missing.toml", run.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
