#!/usr/bin/env python3
"""symphony call: one message to a pit of a daemon.   usage: call_command_test.py SYMPHONY [...]"""
import json
import os
import pathlib
import signal
import subprocess

from broker_process import PIT, SYMPHONY, BrokerCase, main

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "pits" / "template" / "greeter.fbs"


class CallOfAPit(BrokerCase):
    def setUp(self):
        super().setUp()
        self.start(self.manifest("greeter", file=PIT.parent / "greeter.so"))
        self.pid = self.wait_state("greeter", "ready")["pid"]

    def call(self, *arguments, schema=SCHEMA):
        return self.run_symphony("call", *arguments, "--schema", schema)

    def test_prints_the_reply_as_json(self):
        run = self.call("greeter", "greeter.Hello", '{"name": "wörld"}')
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertEqual(json.loads(run.stdout), {"text": "Hello, wörld!", "count": 1})
        run = subprocess.run([SYMPHONY, "call", "greeter", "Hello", "-", "--schema", SCHEMA, "--socket", self.socket, "-o", "json"],
                             input='{"name": "pipe"}', capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(json.loads(run.stdout), {"schema": "symphony.cli/1", "command": "call", "pit": "greeter", "method": "greeter.Hello",
                                                  "type": "greeter.Greeting", "reply": {"text": "Hello, pipe!", "count": 2}}, run.stderr)

    def test_that_goes_wrong_is_one_line_with_a_status_that_says_why(self):
        hello = '{"name": "x"}'
        for status, word, words in ((2, "did you mean 'greeter.Hello'", ("greeter", "Helo", hello)), (2, "nmae", ("greeter", "Hello", '{"nmae": 1}')),
                                    (4, "did you mean 'greeter'", ("greter", "Hello", hello)),
                                    (1, "unknown message type", ("greeter", "Greeting", '{"text": "x"}')), (2, "JSON object", ("greeter", "Hello", "x"))):
            with self.subTest(words):
                self.refused(status, word, "call", *words, "--schema", SCHEMA)
        self.refused(2, "cannot be read", "call", "greeter", "Hello", hello, "--schema", "/no/such.fbs")
        self.refused(2, "--schema", "call", "greeter", "Hello", hello)
        os.kill(self.pid, signal.SIGSTOP)
        self.refused(5, "deadline", "call", "greeter", "Hello", hello, "--schema", SCHEMA, "--timeout", "0.3")
        self.assertEqual(self.run_symphony("pit", "stop", "greeter", "--grace", "0").returncode, 0)
        self.refused(1, "", "call", "greeter", "Hello", hello, "--schema", SCHEMA)


if __name__ == "__main__":
    main()
