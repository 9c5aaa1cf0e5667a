"""The same with asyncio: calls in flight, and the event loop waits for all of them at one descriptor.

    async with symphony_ipc.aio.connect() as bus:
        async with await bus.open("pool") as pit:
            replies = await asyncio.gather(*(pit.call(TAKE, body) for body in bodies))
"""
import asyncio
import ctypes
from typing import Any, Dict, Generator, Optional, Set

from . import _abi
from . import bus as _bus
from ._library import DEFAULT_TIMEOUT, address_of, check, failure, short
from .errors import Closed
from .link import COPIED_MAX, Body, CallOptions, Frame

_PENDING = _abi.PENDING


class Link:
    """A pit for one event loop: `await bus.open("pool")`. Calls are coroutines; as many as the link allows are under way,
    further ones wait for their turn. Threads: its loop's. Use as an asynchronous context manager, or close()."""

    def __init__(self, handle: int, name: str, in_flight_max: int) -> None:
        self.name = name
        self._handle = handle
        self._loop = asyncio.get_running_loop()
        self._waiting: Dict[int, "asyncio.Future[bytes]"] = {}
        self._frame = Frame()
        self._turns = asyncio.Semaphore(in_flight_max)
        self._options: Dict[Any, CallOptions] = {}
        fd = ctypes.c_int()
        check(short.symphony_link_fd(handle, ctypes.byref(fd)))
        self._fd = fd.value
        self._looks_soon = False
        self._closed = False
        self._loop.add_reader(self._fd, self._on_readable)

    async def __aenter__(self) -> "Link":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the link; calls that are under way end as Closed. Again: nothing."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._fd)
        short.symphony_link_close(self._handle)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Closed(_abi.E_CLOSED, "the pit was closed"))
        self._waiting.clear()

    async def call(self, type: int, body: Body = b"", timeout: float = DEFAULT_TIMEOUT, effect: str = "once") -> bytes:
        """As Link.call(), without keeping the loop. The timeout begins when it is sent. A task that is cancelled gives the call
        up; the pit may still run it."""
        options = self._options.get((timeout, effect))
        if options is None:
            if len(self._options) >= 64:
                self._options.clear()
            options = self._options[timeout, effect] = CallOptions(timeout, effect)
        async with self._turns:
            call = await self._start(type, body, options)
            future: "asyncio.Future[bytes]" = self._loop.create_future()
            self._waiting[call] = future
            self._look_soon()
            try:
                return await future
            except asyncio.CancelledError:
                if self._waiting.pop(call, None) is not None:
                    short.symphony_link_cancel(self._handle, call)
                    self._look_soon()
                raise

    async def _start(self, type: int, body: Body, options: CallOptions) -> int:
        at, length, _alive = address_of(body)
        call = ctypes.c_uint64()
        while True:
            if self._closed:
                raise Closed(_abi.E_CLOSED, "the pit was closed")
            status = short.symphony_link_start(self._handle, type, at, length, options.at, ctypes.byref(call))
            if status == _abi.OK:
                return call.value
            self._look_soon()
            if status != _abi.OVERLOADED:
                raise failure(status)
            await asyncio.sleep(0.001)  # the ring is full of bodies: there is room when the pit has read some

    def _look_soon(self) -> None:
        """Looks, and arms the descriptor, once for all that happens in this turn of the loop: each function of the link ends
        what was armed."""
        if not self._looks_soon:
            self._looks_soon = True
            self._loop.call_soon(self._on_readable)

    def _on_readable(self) -> None:
        self._looks_soon = False
        while not self._closed and short.symphony_link_arm(self._handle) == _abi.OK and self._take():
            pass

    def _take(self) -> bool:
        """Ends what has its answer. False: nothing."""
        frame, ended = self._frame, 0
        for call, future in list(self._waiting.items()):
            size = short.symphony_link_wait_into(self._handle, call, 0, frame.out, COPIED_MAX, frame.reply_at)
            if size == _PENDING:
                continue
            ended += 1
            del self._waiting[call]
            if future.done():
                if size > COPIED_MAX:
                    short.symphony_free(frame.reply.body)
            elif size >= 0:
                future.set_result(frame.copied(size))
            else:
                future.set_exception(frame.failure(size))
        return ended != 0


class Bus:
    """A connection to a broker: connect(). Use as an asynchronous context manager, or close()."""

    def __init__(self, made: _bus.Bus) -> None:
        self._bus = made
        self._pits: Set[Link] = set()

    async def __aenter__(self) -> "Bus":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes its pits too. Again: nothing."""
        for pit in self._pits:
            pit.close()
        self._bus.close()

    async def open(self, pit: str, timeout: float = DEFAULT_TIMEOUT, *, request_capacity: int = 0, reply_capacity: int = 0,
                   in_flight_max: int = 256) -> Link:
        """As Bus.open(), on a thread of the loop's executor: others go on meanwhile."""
        loop = asyncio.get_running_loop()
        handle = await loop.run_in_executor(None, lambda: self._bus.open_link(pit, timeout, request_capacity, reply_capacity, in_flight_max))
        made = Link(handle, pit, in_flight_max)
        self._pits.add(made)
        return made


class _Connecting:
    """What connect() returns: for `async with`, and for `await`."""

    def __init__(self, path: Optional[str], realm: Optional[str], timeout: float) -> None:
        self._arguments = (path, realm, timeout)
        self._bus: Optional[Bus] = None

    async def _connect(self) -> Bus:
        path, realm, timeout = self._arguments
        made = await asyncio.get_running_loop().run_in_executor(None, lambda: _bus.connect(path, realm=realm, timeout=timeout))
        self._bus = Bus(made)
        return self._bus

    def __await__(self) -> Generator[Any, None, Bus]:
        return self._connect().__await__()

    async def __aenter__(self) -> Bus:
        return await self._connect()

    async def __aexit__(self, *_: object) -> None:
        if self._bus is not None:
            self._bus.close()


def connect(path: Optional[str] = None, *, realm: Optional[str] = None, timeout: float = 5.0) -> _Connecting:
    """As symphony_ipc.connect(): `async with connect() as bus`, or `bus = await connect()`."""
    return _Connecting(path, realm, timeout)


__all__ = ["Bus", "Link", "connect"]
