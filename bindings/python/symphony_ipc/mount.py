"""Pits as a whole: loaded into this program, and the state of one saved and restored."""
import ctypes
from typing import Any, Dict, NamedTuple, Optional, Union, overload

from . import _abi
from ._library import DEFAULT_TIMEOUT, address_of, check, short, to_ns, waits
from .link import COPIED_MAX, Body, CallOptions, Frame
from .schema import Schema

_call_into = short["symphony_mount_call_into"]
_call_into.restype = ctypes.c_int64
_CAPACITY = ctypes.c_size_t(COPIED_MAX)


class State(NamedTuple):
    """A saved state: the revision of its format, and its bytes, armed timers included."""

    revision: int
    data: bytes


class Mount:
    """A pit that was loaded into this program: mount(). A call runs its handler at once, with the interpreter's lock kept; a crash
    of the pit is one of the program. Threads: one at a time (WouldBlock). Fork: ForkedHandle in the child. Use as a context
    manager, or close()."""

    def __init__(self, handle: int, name: str, schema: Optional[Schema] = None) -> None:
        self.name = name
        self._schema = schema
        self._handle_at = ctypes.c_uint64(handle)
        self._handle = handle
        self._frame = Frame()
        self._options: Dict[Any, CallOptions] = {}

    def __enter__(self) -> "Mount":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops the pit. Again: nothing."""
        waits.symphony_mount_close(self._handle)

    @overload
    def call(self, type: int, body: Body = b"", timeout: float = DEFAULT_TIMEOUT, effect: str = "once") -> bytes: ...

    @overload
    def call(self, type: str, body: Dict[str, Any] = ..., timeout: float = DEFAULT_TIMEOUT, effect: str = "once") -> Dict[str, Any]: ...

    def call(self, type: Any, body: Any = b"", timeout: float = DEFAULT_TIMEOUT, effect: str = "once") -> Any:
        """As Link.call(), in this program."""
        number = type
        if type.__class__ is str:
            if self._schema is None:
                raise TypeError("mount the pit with schema=Schema(...) to call it by the names of tables")
            number, body = self._schema.request(type, body or {})
        options = self._options.get((timeout, effect))
        if options is None:
            if len(self._options) >= 64:
                self._options.clear()
            options = self._options[timeout, effect] = CallOptions(timeout, effect)
        frame = self._frame
        at, length, _alive = address_of(body)
        size = _call_into(self._handle_at, number, at, ctypes.c_size_t(length), options.at, frame.out_at, _CAPACITY, frame.reply_at)
        if size < 0:
            raise frame.failure(size)
        reply = frame.copied(size)
        if type.__class__ is not str:
            return reply
        return self._schema.to_dict(self._schema.table(frame.reply.type), reply) if self._schema and reply else {}

    def save(self) -> State:
        """Its state between two messages. VersionMismatch: it has no snapshots."""
        revision, at, size = ctypes.c_uint32(), ctypes.c_void_p(), ctypes.c_size_t()
        check(waits.symphony_mount_save(self._handle, ctypes.byref(revision), ctypes.byref(at), ctypes.byref(size)))
        try:
            return State(revision.value, ctypes.string_at(at, size.value))
        finally:
            short.symphony_free(at)

    def restore(self, state: State) -> None:
        """Replaces its state; where that is refused the old one goes on. VerifyError: no saved state, or damaged;
        VersionMismatch: of a revision that it does not read."""
        check(waits.symphony_mount_restore(self._handle, state.revision, state.data, len(state.data)))


def mount(file: str, config: str = "", schema: Optional[Union[Schema, str]] = None) -> Mount:
    """Loads the .so of a pit into this program and starts it. Errors: NotFound, VerifyError (no pit), VersionMismatch, Denied (it
    calls other pits), what the pit says."""
    handle = ctypes.c_uint64()
    check(waits.symphony_mount_file(file.encode(), config.encode(), ctypes.byref(handle)))
    return Mount(handle.value, file, Schema(schema) if isinstance(schema, str) else schema)


def mount_of_broker(bus: int, pit: str, timeout: float) -> Mount:
    """For Bus.save() and Bus.restore()."""
    handle = ctypes.c_uint64()
    check(waits.symphony_mount_pit(bus, pit.encode(), to_ns(timeout), ctypes.byref(handle)))
    return Mount(handle.value, pit)


__all__ = ["Mount", "State", "mount"]
