#!/usr/bin/env python3
"""symphony pub, sub and topic: cells and topics of a daemon.   usage: topic_command_test.py SYMPHONY [...]"""
import json
import os
import pathlib
import signal
import subprocess

from broker_process import PIT, SYMPHONY, BrokerCase, eventually, main

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "pits" / "template" / "greeter.fbs"


class Topics(BrokerCase):
    def setUp(self):
        super().setUp()
        self.start(self.manifest("greeter", file=PIT.parent / "greeter.so"))
        self.wait_state("greeter", "ready")

    def background(self, *arguments, **options):
        process = subprocess.Popen([SYMPHONY, *map(str, arguments), "--socket", self.socket], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.addCleanup(lambda: [stream.close() for stream in (process.stdin, process.stdout, process.stderr) if stream])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def topics(self):
        return {topic["name"]: topic for topic in self.json("topic", "list")["topics"]}

    def pub(self, *arguments, **options):
        return self.background("pub", *arguments, "--schema", SCHEMA, stdin=subprocess.PIPE, **options)

    def test_what_is_published_is_printed_in_order_by_each_subscriber(self):
        readers = [self.background("sub", "plant/events", "--schema", SCHEMA, "-n", "3", "-o", "json") for _ in range(2)]
        eventually(lambda: self.topics().get("plant/events", {}).get("readers") == 2, "two readers")
        writer = self.pub("plant/events", "Hello", "-")
        for name in ("a", "b", "c"):
            writer.stdin.write(json.dumps({"name": name}) + "\n")
            writer.stdin.flush()
        for reader in readers:
            lines = [json.loads(reader.stdout.readline()) for _ in range(3)]
            self.assertEqual([line["value"] for line in lines], [{"name": "a"}, {"name": "b"}, {"name": "c"}])
            self.assertEqual([(line["number"], line["dropped"], line["type"]) for line in lines],
                             [(1, 0, "greeter.Hello"), (2, 0, "greeter.Hello"), (3, 0, "greeter.Hello")])
            self.assertEqual(reader.wait(60), 0)
        late = self.run_symphony("sub", "plant/events", "--schema", SCHEMA, "--history", "2", "-n", "2", "--for", "30")
        self.assertEqual((late.returncode, late.stdout), (0, '{"name":"b"}\n{"name":"c"}\n'), late.stderr)
        entry = self.topics()["plant/events"]
        self.assertEqual((entry["kind"], entry["pid"], entry["latest"]), ("topic", writer.pid, 3))
        rate = self.json("topic", "rate", "plant/events", "--for", "0.2")["topics"]
        self.assertEqual([(topic["name"], topic["per_second"]) for topic in rate], [("plant/events", 0.0)])
        writer.stdin.close()
        self.assertEqual(writer.wait(60), 0)
        eventually(lambda: "plant/events" not in self.topics(), "the name is gone with its writer")

    def test_a_cell_that_is_kept_is_there_for_who_comes_later_also_when_its_writer_was_killed(self):
        for name in ("one", "two"):
            run = self.run_symphony("pub", "--cell", "--keep", "plant/mode", "Hello", json.dumps({"name": name}), "--schema", SCHEMA)
            self.assertEqual((run.returncode, run.stderr), (0, ""))
        read = ("sub", "--cell", "plant/mode", "--schema", SCHEMA, "-n", "1", "--for", "30")
        self.assertEqual(self.run_symphony(*read).stdout, '{"name":"two"}\n')
        self.assertEqual(self.topics()["plant/mode"]["pid"], None)
        writer = self.pub("--cell", "plant/mode", "Hello", "-")
        writer.stdin.write('{"name": "three"}\n')
        writer.stdin.flush()
        eventually(lambda: self.run_symphony(*read).stdout == '{"name":"three"}\n', "the next writer's value")
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait(60)
        eventually(lambda: self.topics()["plant/mode"]["pid"] is None, "the broker knows that it is dead")
        self.assertEqual(self.run_symphony(*read).stdout, '{"name":"three"}\n')
        raw = self.run_symphony("sub", "--cell", "plant/mode", "-n", "1", "--for", "30")
        self.assertIn("bytes", json.loads(raw.stdout))

    def test_that_goes_wrong_is_one_line_with_a_status_that_says_why(self):
        pub = ("Hello", '{"name": "x"}', "--schema", SCHEMA)
        self.refused(6, "pit's", "pub", "greeter", *pub)
        self.refused(6, "pit's", "pub", "greeter/events", *pub)
        self.refused(2, "name", "pub", "Plant", *pub)
        self.refused(2, "did you mean", "pub", "plant", "Helo", "{}", "--schema", SCHEMA)
        self.refused(2, "nmae", "pub", "plant", "Hello", '{"nmae": 1}', "--schema", SCHEMA)
        self.refused(2, "larger", "pub", "plant", *pub, "--size", "4")
        self.refused(2, "--history", "pub", "plant", *pub, "--history", "0")
        self.refused(2, "--schema", "sub", "plant", "--type", "Hello", "--for", "0.1")
        self.refused(5, "nobody", "sub", "plant", "--for", "0.1")
        self.refused(4, "plant", "topic", "rate", "plant")
        writer = self.pub("plant", "Hello", "-")
        eventually(lambda: self.topics().get("plant", {}).get("pid"), "it is written")
        self.refused(6, "another connection", "pub", "plant", *pub)
        self.refused(2, "cell", "sub", "--cell", "plant", "--for", "0.1")
        self.refused(5, "0 of 2", "sub", "plant", "-n", "2", "--for", "0.1")
        writer.stdin.write("no json\n")
        writer.stdin.close()
        self.assertEqual(writer.wait(60), 2)


if __name__ == "__main__":
    main()
