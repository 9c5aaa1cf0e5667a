"""Calls the pit of tally.py.   usage: caller.py SOCKET

SOCKET: that of the broker, as `symphony pit run tally.py --socket SOCKET` made it."""
import json
import sys

import symphony_ipc

ADD, READ = symphony_ipc.type_id("tally.Add"), symphony_ipc.type_id("tally.Read")

with symphony_ipc.connect(sys.argv[1]) as bus, bus.open("tally") as tally:
    for word in ("tea", "coffee", "tea"):
        tally.call(ADD, json.dumps({"name": word}).encode(), timeout=5.0)
    count = json.loads(tally.call(READ, b'{"name": "tea"}', effect="read"))
    print("tea:", count)
    try:
        tally.call(ADD, b"{}")
    except symphony_ipc.PitError as refused:
        print("refused:", refused)
