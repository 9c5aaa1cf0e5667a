#!/usr/bin/env python3
"""symphony pit logs: what a daemon keeps of its pits' stderr.   usage: pit_logs_test.py SYMPHONY [...]"""
import os
import pathlib
import re
import signal
import subprocess
import unittest

from broker_process import HOST, MAY_MOUNT, PIT, SYMPHONY, BrokerCase, eventually, main


def said(lines):
    """Without what the broker itself writes there."""
    return [line for line in lines if not line.startswith("symphony: ")]


class PitLogs(BrokerCase):
    def lines(self, *more):
        return self.json("pit", "logs", "talker", *more)["lines"]

    def test_keep_what_a_pit_says_with_its_beginning_and_end_also_without_the_broker(self):
        daemon = self.start(self.manifest("talker", shell=f"echo one >&2; echo two; printf 'a\\033[31mb\\tc\\n' >&2; exec {HOST} {PIT}"))
        pid = self.wait_state("talker", "ready")["pid"]
        self.assertEqual(said(self.lines()), ["one", "two", "a\x1b[31mb\tc"])
        self.assertEqual(self.run_symphony("pit", "logs", "talker", "-n", "1").stdout, "a?[31mb\tc\n", "no command for the terminal")
        self.assertEqual((self.logs / "talker.log").stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.logs.stat().st_mode & 0o777, 0o700)
        os.kill(pid, signal.SIGKILL)
        self.wait_state("talker", "ready")
        daemon.terminate()
        daemon.wait(30)
        lines = self.lines()
        self.assertEqual(said(lines), ["one", "two", "a\x1b[31mb\tc"] * 2)
        self.assertRegex(lines[0], rf"^symphony: instance 1 starts, process {pid}, 20")
        self.assertRegex(lines[4], r"^symphony: instance 1 killed by signal 9, 20")
        self.assertRegex(lines[-1], r"^symphony: instance 2 ended with status 0, 20")

    def test_lines_stay_whole_and_in_order_while_files_move_and_go_on_when_the_broker_is_killed(self):
        # A pit that says 60,000 numbered lines, 4 MiB, while its broker dies three times, each time with at most what it just read.
        flood = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); echo \"$i ...........................................................\"; done >&2"
        daemon = self.start(self.manifest("talker", shell=f"({flood}) & exec {HOST} {PIT}"))
        self.wait_state("talker", "ready")
        follow = subprocess.Popen([SYMPHONY, "pit", "logs", "talker", "-f", "--socket", self.socket], stdout=subprocess.PIPE, text=True)
        self.addCleanup(follow.stdout.close)
        self.addCleanup(follow.wait)
        self.addCleanup(follow.kill)
        for _ in range(3):
            self.kill_broker(daemon)
            self.show("talker")
        eventually(lambda: (self.logs / "talker.log.2").exists() and any(line.startswith("60000 ") for line in self.lines("-n", "5")),
                   "the last line")
        lines = said(self.lines())
        numbers = [int(line.split()[0]) for line in lines if re.fullmatch(r"\d+ \.{59}", line)]
        self.assertLessEqual(len(lines) - len(numbers), 3, "a line is cut only where a broker was killed")
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertLessEqual(60000 - numbers[0] + 1 - len(numbers), 3 * (16 * 1024 // 60 + 2))
        self.assertGreaterEqual(len(numbers), 30000)
        for path in self.logs.glob("talker.log*"):
            self.assertLessEqual(path.stat().st_size, 1024 * 1024 + 64 * 1024)
            self.assertTrue(path.read_text(encoding="utf-8").endswith("\n"), path)
        self.assertEqual(sorted(path.name for path in self.logs.iterdir()), ["talker.log", "talker.log.1", "talker.log.2"])
        followed = 0
        for line in follow.stdout:
            if not line.startswith("symphony: "):
                followed = int(re.match(r"(?:(\d+) )?", line)[1] or 0)
            if followed == 60000:
                break
        self.assertEqual(followed, 60000, "whoever follows sees the last one")

    def test_a_log_that_cannot_be_written_loses_lines_counts_them_and_stops_no_pit(self):
        self.start(self.manifest("other"))
        pid = self.wait_state("other", "ready")["pid"]
        log = self.logs / "other.log"
        log.rename(self.folder / "away")
        self.logs.rename(self.folder / "gone")
        os.kill(pid, signal.SIGKILL)  # the next instance's file would be a new one
        pit = eventually(lambda: (lambda p: p if p["instance"] == 2 and p["log_lines_lost"] > 0 else None)(self.show("other")), "lines are lost")
        self.assertEqual(self.wait_state("other", "ready")["instance"], 2)
        self.assertGreater(pit["log_lines_lost"], 0)
        (self.folder / "gone").rename(self.logs)
        self.assertEqual(self.run_symphony("pit", "restart", "other").returncode, 0)
        self.assertRegex((self.logs / "other.log").read_text(encoding="utf-8"), r"symphony: \d+ lines are lost here: No such file")

    @unittest.skipUnless(MAY_MOUNT, "this user may not mount a small disk")
    def test_on_a_full_disk_lose_lines_count_them_say_so_and_stop_no_pit(self):
        room = self.folder / "room"  # tells the pit to speak again
        flood = f"i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo line $i of many; done; until test -e {room} || [ $i -gt 6000 ]; do i=$((i+1)); sleep 0.02; done; echo after"
        words = [SYMPHONY, "broker", "run", "--socket", self.socket, "--manifest",
                 str(self.manifest("talker", shell=f"({flood}) >&2 & exec {HOST} {PIT}"))]
        self.logs.mkdir(mode=0o700)
        ballast = self.logs / "ballast"
        line = 'mount -t tmpfs -o size=64k,mode=700 disk "$0" && head -c 40000 /dev/zero > "$1" && shift && exec "$@"'
        daemon = subprocess.Popen(["unshare", "-m", "sh", "-c", line, str(self.logs), str(ballast), *words], stderr=subprocess.PIPE, text=True)
        self.addCleanup(daemon.stderr.close)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        pit = eventually(lambda: (lambda p: p if p["state"] == "ready" and p["log_lines_lost"] > 0 else None)(self.show("talker")), "lines are lost")
        on_disk = pathlib.Path(f"/proc/{daemon.pid}/root{self.logs}")  # as the daemon sees it
        (on_disk / "ballast").unlink()
        room.touch()
        text = eventually(lambda: (lambda t: t if t.endswith("after\n") else None)((on_disk / "talker.log").read_text(encoding="utf-8")), "room again")
        lost = int(re.search(r"\nsymphony: (\d+) lines are lost here: No space left on device\n", text)[1])
        self.assertEqual(self.show("talker")["log_lines_lost"], lost)
        whole = re.findall(r"^line \d+ of many$", text, re.M)
        self.assertEqual(len(whole) + lost, 3000, "each line is there or counted")
        self.assertEqual((self.show("talker")["pid"], self.show("talker")["instance"]), (pit["pid"], 1))
        self.assertEqual(self.run_symphony("pit", "restart", "talker").returncode, 0)
        daemon.terminate()
        daemon.wait(30)
        self.assertIn("pit talker: lines of its stderr are lost: No space left on device; the pit goes on", daemon.stderr.read())

    def test_of_a_broker_that_cannot_keep_them_are_on_its_stderr(self):
        self.logs.write_text("no folder", encoding="utf-8")
        daemon = subprocess.Popen([SYMPHONY, "broker", "run", "--socket", self.socket, "--manifest",
                                   str(self.manifest("talker", shell=f"echo hello >&2; exec {HOST} {PIT}"))], stderr=subprocess.PIPE, text=True)
        self.addCleanup(daemon.stderr.close)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        self.wait_state("talker", "ready")
        self.refused(4, "its own stderr", "pit", "logs", "talker")
        daemon.terminate()
        daemon.wait(30)
        text = daemon.stderr.read()
        self.assertIn("hello\n", text)
        self.assertIn("cannot be made", text)

    def test_wrong_input_is_one_line_with_the_remedy(self):
        self.refused(4, "--logs", "pit", "logs", "talker", "--timeout", "0.05")
        self.start(self.manifest("talker"))
        self.wait_state("talker", "ready")
        self.refused(4, "did you mean 'talker'?", "pit", "logs", "walker")
        self.refused(2, "has no /", "pit", "logs", "../talker")
        self.refused(2, "leave out -o json", "pit", "logs", "talker", "-f", "-o", "json")
        self.refused(2, "--lines", "pit", "logs", "talker", "-n", "0")
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "talker.log").write_text("from elsewhere\n", encoding="utf-8")
        run = self.run_symphony("pit", "logs", "talker", "--logs", elsewhere)
        self.assertEqual(run.stdout, "from elsewhere\n")


if __name__ == "__main__":
    main()
