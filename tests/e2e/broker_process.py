"""A daemon in a folder of its own, and the command line beside it. For tests; usage as theirs: PROGRAM SYMPHONY [...]"""
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
BIN = pathlib.Path(SYMPHONY).resolve().parent
PIT = BIN.parent / "pits" / "dag_tracker.so"
HOST = BIN / "symphony-pit-host"
# Whether this user may have a small disk, in a mount namespace of its own.
MAY_MOUNT = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "disk", "/mnt"], capture_output=True, check=False).returncode == 0

# Before a command: as on a host that gives no namespaces of users and processes.
WITHOUT_NAMESPACES = ["unshare", "-U", "-r", "sh", "-c",
                      'echo 0 > /proc/sys/user/max_user_namespaces && echo 0 > /proc/sys/user/max_pid_namespaces && exec "$@"', "sh"]
CAN_DENY = subprocess.run([*WITHOUT_NAMESPACES, "true"], capture_output=True, check=False).returncode == 0


def eventually(condition, what, seconds=60):
    """The first true value of condition(), asked again and again."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s: {what}")


def toml(text):
    return "'''" + str(text) + "'''"


class BrokerCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.socket = str(self.folder / "broker.sock")
        self.logs = self.folder / "broker.sock.logs"

    def manifest(self, name, file=None, shell=None, more=""):
        """A pit from a file, or one that a shell's line becomes."""
        what = f"executable = '/bin/sh'\nargs = ['-c', {toml(shell)}]\n" if shell else f"file = '{file or PIT}'\n"
        path = self.folder / f"{name}.toml"
        path.write_text(f'name = "{name}"\n{what}{more}', encoding="utf-8")
        return path

    def start(self, *manifests, **options):
        words = [word for path in manifests for word in ("--manifest", str(path))]
        daemon = subprocess.Popen([SYMPHONY, "broker", "run", "--socket", self.socket, *words], stderr=subprocess.DEVNULL, **options)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        return daemon

    def run_symphony(self, *arguments, timeout=60):
        return subprocess.run([SYMPHONY, *map(str, arguments), "--socket", self.socket], capture_output=True, text=True,
                              timeout=timeout, check=False)

    def json(self, *arguments):
        run = self.run_symphony(*arguments, "-o", "json")
        self.assertEqual((run.returncode, run.stderr), (0, ""), arguments)
        document = json.loads(run.stdout)
        self.assertEqual((document["schema"], document["command"]), ("symphony.cli/1", " ".join(arguments[:2])))
        return document

    def show(self, name):
        return self.json("pit", "show", name, "--timeout", "20")["pit"]

    def wait_state(self, name, state):
        return eventually(lambda: (lambda pit: pit if pit["state"] == state else None)(self.show(name)), f"{name} is {state}")

    def refused(self, status, word, *arguments):
        """The command's one line on stderr."""
        run = self.run_symphony(*arguments)
        self.assertEqual((run.returncode, run.stdout), (status, ""), run.stderr)
        self.assertEqual(len(run.stderr.strip().splitlines()), 1, run.stderr)
        self.assertIn(word, run.stderr)
        return run.stderr

    @staticmethod
    def broker_of(daemon):
        """The daemon's child that is the broker."""
        def look():
            for entry in pathlib.Path("/proc").iterdir():
                try:
                    if entry.name.isdigit() and (entry / "comm").read_text().strip() == "symphony-broker":
                        stat = (entry / "stat").read_text()
                        if stat.rsplit(")", 1)[1].split()[1] == str(daemon.pid):
                            return int(entry.name)
                except OSError:
                    continue
            return None
        return eventually(look, "a broker")

    def kill_broker(self, daemon):
        os.kill(self.broker_of(daemon), signal.SIGKILL)


def main():
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
