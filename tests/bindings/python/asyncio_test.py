"""Calls in flight in an event loop."""
import asyncio

import pytest
import symphony_ipc
from conftest import BIG, DIE, DO, HANG, PID, REFUSE, Done, message
from symphony_ipc import aio


def test_a_thousand_calls_in_flight_each_have_their_own_answer(socket):
    async def main():
        async with aio.connect(socket, timeout=30) as bus, await bus.open("probe", in_flight_max=1024, request_capacity=1 << 20,
                                                                         reply_capacity=1 << 22) as pit:
            sizes = [n % 700 for n in range(1_000)]
            replies = await asyncio.gather(*(pit.call(DO, message(BIG, size)) for size in sizes))
            assert [Done(reply).size for reply in replies] == sizes
    asyncio.run(main())


def test_more_calls_than_the_link_allows_wait_for_their_turn(socket):
    async def main():
        async with aio.connect(socket) as bus, await bus.open("probe", in_flight_max=4) as pit:
            replies = await asyncio.gather(*(pit.call(DO, message(BIG, n)) for n in range(100)))
            assert [Done(reply).size for reply in replies] == list(range(100))
    asyncio.run(main())


def test_the_loop_goes_on_while_a_call_is_under_way(socket):
    async def main():
        bus = await aio.connect(socket)
        pit = await bus.open("probe")
        slow = asyncio.ensure_future(pit.call(DO, message(HANG, 200)))
        turns = 0
        while not slow.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns > 100 and len(slow.result()) > 0
        bus.close()
        with pytest.raises(symphony_ipc.Closed):
            await pit.call(DO, message(PID))
    asyncio.run(main())


def test_what_goes_wrong_is_raised_where_it_is_awaited(socket):
    async def main():
        async with aio.connect(socket) as bus, await bus.open("fragile") as pit:
            with pytest.raises(symphony_ipc.PitError, match="refused as asked"):
                await pit.call(DO, message(REFUSE, 9))
            with pytest.raises(TimeoutError):
                await pit.call(DO, message(HANG, 100), timeout=0.01)
            with pytest.raises(symphony_ipc.PeerGone):
                await pit.call(DO, message(DIE))
            assert Done(await pit.call(DO, message(BIG, 5))).size == 5
            with pytest.raises(ValueError):
                await pit.call(DO, bytes(300_000))
            with pytest.raises(symphony_ipc.NotFound):
                await bus.open("prob")
    asyncio.run(main())


def test_a_task_that_is_cancelled_gives_its_call_up_and_no_other(socket):
    async def main():
        async with aio.connect(socket) as bus, await bus.open("probe", in_flight_max=2) as pit:
            for _ in range(3):
                task = asyncio.ensure_future(pit.call(DO, message(HANG, 200)))
                while not pit._waiting:  # it is sent
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert Done(await pit.call(DO, message(BIG, 6))).size == 6
    asyncio.run(main())


def test_a_pit_that_is_closed_ends_the_calls_that_wait_for_it(socket):
    async def main():
        async with aio.connect(socket) as bus:
            pit = await bus.open("probe")
            waiting = asyncio.ensure_future(pit.call(DO, message(HANG, 200)))
            await asyncio.sleep(0)
            pit.close()
            with pytest.raises(symphony_ipc.Closed):
                await waiting
    asyncio.run(main())
