#!/usr/bin/env python3
"""symphony broker stop and reload, and a daemon under a service manager.   usage: daemon_command_test.py SYMPHONY [...]"""
import os
import pathlib
import signal
import socket
import subprocess

from broker_process import HOST, PIT, SYMPHONY, BrokerCase, eventually, main


class EndOfTheDaemon(BrokerCase):
    def test_stop_returns_when_daemon_pits_and_socket_are_gone(self):
        daemon = self.start(self.manifest("tracker"))
        pid = self.wait_state("tracker", "ready")["pid"]
        broker = self.broker_of(daemon)
        self.assertEqual(self.json("broker", "stop")["process"], daemon.pid)
        self.assertEqual(daemon.wait(0.5), 0, "it is dead, only not yet waited for")
        for process in (pid, broker):
            self.assertFalse(pathlib.Path(f"/proc/{process}").exists())
        self.assertFalse(pathlib.Path(self.socket).exists())
        self.refused(3, "symphony broker run", "broker", "stop", "--timeout", "0.05")

    def test_stop_that_takes_longer_than_its_timeout_says_so_and_goes_on(self):
        daemon = self.start(self.manifest("tracker"))
        os.kill(self.wait_state("tracker", "ready")["pid"], signal.SIGSTOP)
        self.refused(5, "--timeout", "broker", "stop", "--timeout", "0.2")
        self.assertEqual(daemon.wait(30), 0)


class ReloadOfManifests(BrokerCase):
    def test_adds_changes_and_removes_pits_and_the_set_outlives_the_broker(self):
        for name in ("kept", "gone", "changed"):
            self.manifest(name)
        daemon = self.start(self.folder)
        before = {name: self.wait_state(name, "ready") for name in ("kept", "gone", "changed")}
        (self.folder / "gone.toml").unlink()
        self.manifest("new")
        self.manifest("changed", more='waiting = "sleep"\n')
        document = self.json("broker", "reload")
        self.assertEqual((document["added"], document["removed"], document["changed"]), (1, 1, 1))
        self.kill_broker(daemon)  # in the middle of what it said would hold
        eventually(lambda: [pit["name"] for pit in self.json("pit", "list")["pits"]] == ["changed", "kept", "new"], "the new set")
        self.assertEqual(self.wait_state("kept", "ready")["pid"], before["kept"]["pid"], "nobody touched it")
        self.wait_state("new", "ready")
        self.assertEqual(eventually(lambda: (lambda pit: pit if pit["instance"] == 2 else None)(self.wait_state("changed", "ready")),
                                    "the changed pit was started again")["instance"], 2)
        self.assertFalse(pathlib.Path(f"/proc/{before['gone']['pid']}").exists())
        self.refused(4, "no pit of this name", "pit", "show", "gone")
        self.assertEqual(self.json("broker", "reload")["changed"], 0)

    def test_of_a_broken_manifest_changes_nothing_and_names_the_line(self):
        path = self.manifest("tracker")
        daemon = self.start(path)
        pid = self.wait_state("tracker", "ready")["pid"]
        path.write_text('name = "tracker"\nfiel = "x"\n', encoding="utf-8")
        self.assertIn("did you mean 'file'", self.refused(2, "line 2", "broker", "reload"))
        self.kill_broker(daemon)
        self.assertEqual(self.wait_state("tracker", "ready")["pid"], pid)


class UpgradeOfTheBroker(BrokerCase):
    def install(self, more):
        """The same program in another file, under the name that the daemon was started by."""
        new = self.folder / "new"
        new.write_bytes(pathlib.Path(SYMPHONY).read_bytes() + more)
        new.chmod(0o755)
        return new.rename(self.folder / "symphony")

    def test_by_killing_it_or_asking_it_to_leave_keeps_pits_and_what_they_were_started_with(self):
        program = self.install(b"")
        manifest = self.manifest("tracker", shell=f"exec {HOST} {PIT}")
        daemon = subprocess.Popen([program, "broker", "run", "--socket", self.socket, "--manifest", manifest],
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        pid = self.wait_state("tracker", "ready")["pid"]
        manifest.write_text("nonsense", encoding="utf-8")  # which only a reload is to notice
        for n, number in enumerate((signal.SIGKILL, signal.SIGUSR2), 1):
            self.install(b"." * n)
            before = self.broker_of(daemon)
            os.kill(before, number)
            eventually(lambda: self.broker_of(daemon) != before, "the next broker")
            self.assertTrue(os.path.samefile(f"/proc/{self.broker_of(daemon)}/exe", program))
            self.assertEqual(self.wait_state("tracker", "ready")["pid"], pid)
        self.refused(2, "line 1", "broker", "reload")
        self.assertEqual(self.run_symphony("broker", "stop").returncode, 0)
        self.assertEqual(daemon.wait(30), 0)


class ServiceManager(BrokerCase):
    def test_is_told_when_the_broker_serves_and_when_it_stops(self):
        for name in (str(self.folder / "notify"), f"@symphony-test-{os.getpid()}"):
            with self.subTest(name), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.bind(name.replace("@", "\0"))
                manager.settimeout(30)
                daemon = self.start(self.manifest("tracker", shell=f'test -z "$NOTIFY_SOCKET" && exec {HOST} {PIT}'),
                                    env={**os.environ, "NOTIFY_SOCKET": name})
                self.assertEqual(manager.recv(100), b"READY=1")
                self.wait_state("tracker", "ready")
                self.kill_broker(daemon)
                self.wait_state("tracker", "ready")
                daemon.send_signal(signal.SIGTERM)
                self.assertEqual(manager.recv(100), b"STOPPING=1", "and the death in between was nobody's business")
                self.assertEqual(daemon.wait(30), 0)

    def test_keeps_the_socket_that_it_gave(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(self.socket)
            listener.listen(8)
            words = ["/bin/sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" broker run --manifest "$1"', SYMPHONY,
                     str(self.manifest("tracker"))]
            for _ in range(2):  # and a second daemon takes it over
                daemon = subprocess.Popen(words, stderr=subprocess.DEVNULL, pass_fds=(3,), env={**os.environ, "XDG_STATE_HOME": str(self.folder)},
                                          preexec_fn=lambda: os.dup2(listener.fileno(), 3))
                self.addCleanup(daemon.wait)
                self.addCleanup(daemon.kill)
                self.wait_state("tracker", "ready")
                self.assertEqual(self.run_symphony("broker", "stop").returncode, 0)
                self.assertEqual(daemon.wait(30), 0)
                self.assertTrue(pathlib.Path(self.socket).exists())


if __name__ == "__main__":
    main()
