"""A thousand calls in flight on one link, by asyncio.   usage: asyncio_caller.py SOCKET"""
import asyncio
import json
import sys

import symphony_ipc
import symphony_ipc.aio

ADD, READ = symphony_ipc.type_id("tally.Add"), symphony_ipc.type_id("tally.Read")


async def main(socket: str) -> None:
    async with symphony_ipc.aio.connect(socket) as bus:
        async with await bus.open("tally", in_flight_max=1024) as tally:
            counts = await asyncio.gather(*(tally.call(ADD, b'{"name": "calls"}') for _ in range(1000)))
            total = json.loads(await tally.call(READ, b'{"name": "calls"}', effect="read"))
            print(f"{len(set(counts))} different answers, {total} in all")


asyncio.run(main(sys.argv[1]))
