"""Connections to brokers, and brokers in this program."""
import ctypes
from typing import List, NamedTuple, Optional, Sequence

from . import _abi
from ._library import DEFAULT_TIMEOUT, check, failure, short, to_ns, waits
from .link import Link
from .mount import State, mount_of_broker
from .schema import Schema


class PitInfo(NamedTuple):
    """What a broker knows of a pit. pid 0: it has no process. instance: how often it was started."""

    name: str
    state: str
    pid: int
    instance: int
    links: int


class Bus:
    """A connection to a broker: connect(). It finds the next broker by itself when this one dies. Threads: any. Fork:
    ForkedHandle in the child. Use as a context manager, or close()."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def __enter__(self) -> "Bus":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Pits that are open go on until they are closed. Again: nothing."""
        short.symphony_bus_close(self._handle)

    def open(self, pit: str, timeout: float = DEFAULT_TIMEOUT, *, request_capacity: int = 0, reply_capacity: int = 0,
             in_flight_max: int = 0, schema: Optional[Schema] = None) -> Link:
        """A pit of that name. Waits up to `timeout` seconds for one that is known and not ready.

        Capacities in bytes, powers of two from 4 KiB to 1 GiB (256 KiB), in_flight_max up to 1024 (256). With a schema, messages
        may be dicts. Errors: NotFound (at once), Timeout, Quarantined, Denied, Unreachable, Closed, ForkedHandle."""
        return Link(lambda: self.open_link(pit, timeout, request_capacity, reply_capacity, in_flight_max), pit, schema)

    def open_link(self, pit: str, timeout: float, request_capacity: int, reply_capacity: int, in_flight_max: int) -> int:
        """The handle of a link, for symphony_link_...; what open() is made of."""
        options = _abi.LinkOptions(ctypes.sizeof(_abi.LinkOptions), request_capacity, reply_capacity, in_flight_max)
        link = ctypes.c_uint64()
        check(waits.symphony_bus_open(self._handle, pit.encode(), ctypes.byref(options), to_ns(timeout), ctypes.byref(link)))
        return link.value

    def save(self, pit: str, timeout: float = DEFAULT_TIMEOUT) -> State:
        """The state of a pit between two messages. Errors as open(); VersionMismatch: it has no snapshots."""
        with mount_of_broker(self._handle, pit, timeout) as whole:
            return whole.save()

    def restore(self, pit: str, state: State, timeout: float = DEFAULT_TIMEOUT) -> None:
        """Replaces a pit's state by a saved one; where that is refused the old one goes on. VerifyError: no saved state."""
        with mount_of_broker(self._handle, pit, timeout) as whole:
            whole.restore(state)

    def pits(self, timeout: float = 5.0) -> List[PitInfo]:
        """What the broker knows of its pits. Errors: Unreachable, Timeout, Closed, ForkedHandle."""
        found = (_abi.PitInfo * 256)()
        count = ctypes.c_size_t()
        check(waits.symphony_bus_list(self._handle, to_ns(timeout), ctypes.byref(found), ctypes.sizeof(_abi.PitInfo), len(found),
                                      ctypes.byref(count), None))
        return [PitInfo(p.name.decode(), p.state.decode(), p.pid, p.instance, p.links) for p in found[:count.value]]


def connect(path: Optional[str] = None, *, realm: Optional[str] = None, timeout: float = 5.0) -> Bus:
    """To the broker of this user, or to the one behind that socket. timeout: seconds.

    Errors: Unreachable (there is none; the message says how to start one), Denied, VersionMismatch, OutOfMemory."""
    options = _abi.ConnectOptions(ctypes.sizeof(_abi.ConnectOptions), 0, realm.encode() if realm else None, path.encode() if path else None,
                                  to_ns(timeout))
    bus = ctypes.c_uint64()
    check(waits.symphony_bus_connect(ctypes.byref(options), ctypes.byref(bus)))
    return Bus(bus.value)


class PitConfig(NamedTuple):
    """A pit for a Broker: its process is `executable` with `arguments`. For a pit's file: symphony-pit-host, with the file."""

    name: str
    executable: str
    arguments: Sequence[str] = ()
    config: str = ""


class Broker:
    """A broker in this program, with a helper process; its pits end with it. Threads: any. Use as a context manager."""

    def __init__(self, pits: Sequence[PitConfig], keeper: Optional[str] = None) -> None:
        """keeper: path of symphony-keeper; else $SYMPHONY_KEEPER or the installed one. Errors: NotFound, InvalidArgument."""
        array = (_abi.PitConfig * max(1, len(pits)))()
        for to, pit in zip(array, pits):
            words = (ctypes.c_char_p * (len(pit.arguments) + 1))(*[word.encode() for word in pit.arguments], None)
            to.struct_size, to.name, to.executable = ctypes.sizeof(to), pit.name.encode(), pit.executable.encode()
            to.arguments, to.config = ctypes.cast(words, ctypes.c_void_p), pit.config.encode()
        options = _abi.BrokerOptions(ctypes.sizeof(_abi.BrokerOptions), len(pits), ctypes.cast(array, ctypes.c_void_p),
                                     keeper.encode() if keeper else None)
        handle = ctypes.c_uint64()
        check(waits.symphony_broker_start(ctypes.byref(options), ctypes.byref(handle)))
        self._handle = handle.value

    def __enter__(self) -> "Broker":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def connect(self) -> Bus:
        """A connection to it."""
        bus = ctypes.c_uint64()
        check(waits.symphony_broker_connect(self._handle, ctypes.byref(bus)))
        return Bus(bus.value)

    def kill(self, pit: str) -> int:
        """SIGKILL to the pit's process, as a crash would end it. Returns its process id. NotFound: it has none now."""
        pid = ctypes.c_int32()
        check(waits.symphony_broker_kill_pit(self._handle, pit.encode(), ctypes.byref(pid)))
        return pid.value

    def stop(self) -> None:
        """Stops the pits, and returns when all processes are gone. Again: nothing."""
        status = waits.symphony_broker_stop(self._handle)
        if status not in (_abi.OK, _abi.E_CLOSED):
            raise failure(status)
