"""One pit, called with bytes or buffers."""
import ctypes
import threading
import time
import weakref
from typing import Any, Callable, Dict, Optional, Union, overload

from . import _abi
from ._library import DEFAULT_TIMEOUT, SIZE_MAX, SLICE_NS, address_of, check, failure, short, to_ns, waits
from .errors import Closed, error_of
from .schema import Schema

Body = Union[bytes, bytearray, memoryview, Any]
EFFECTS: Dict[str, int] = {"once": _abi.EFFECT_ONCE, "read": _abi.EFFECT_READ, "idempotent": _abi.EFFECT_IDEMPOTENT}
COPIED_MAX = 256  # bytes: smaller bodies are copied, larger ones handed over

# Without argument types, whose conversions cost two microseconds a call: every pointer and 64-bit number goes in as an
# object of ctypes that was made beforehand, and a plain int is 32 bits.
_call_into = short["symphony_link_call_into"]
_call_into.restype = ctypes.c_int64
_call_frame = short["symphony_link_call_frame"]
_call_frame.restype = ctypes.c_int64
_DEFAULT, _ONCE = DEFAULT_TIMEOUT, "once"
_CAPACITY = ctypes.c_size_t(COPIED_MAX)
_wait_into = waits.symphony_link_wait_into
_PENDING, _BUSY = _abi.PENDING, _abi.E_BUSY


def type_id(table: str) -> int:
    """The number of a message type: of its fully qualified table name, as 'pool.Take'."""
    return int(short.symphony_type_id(table.encode()))


class Frame:
    """What one call passes and gets back: a place for the answer. Many calls use one, one after the other."""

    __slots__ = ("struct", "at", "reply", "out", "out_at", "reply_at")

    def __init__(self, link: int = 0, options: Optional["CallOptions"] = None) -> None:
        self.out: Any = ctypes.create_string_buffer(COPIED_MAX)  # a slice of it is bytes
        self.out_at = ctypes.c_void_p(ctypes.addressof(self.out))
        self.struct = _abi.Frame(ctypes.sizeof(_abi.Frame), 0, link, ctypes.addressof(options.struct) if options else None, self.out_at, COPIED_MAX)
        self.at = ctypes.byref(self.struct)
        self.reply = self.struct.reply
        self.reply_at = ctypes.byref(self.reply)

    def body(self, size: int) -> memoryview:
        """The body of `size` bytes that the library just put here or handed over; read-only.

        What was handed over stays until the last view of it is gone: slices, casts and arrays all keep it."""
        if size <= COPIED_MAX:
            return memoryview(self.out[:size])
        address = self.reply.body
        array = (ctypes.c_ubyte * size).from_address(address)
        weakref.finalize(array, short.symphony_free, address).atexit = False
        return memoryview(array).toreadonly().cast("B")

    def copied(self, size: int) -> bytes:
        """The same as bytes; nothing stays behind."""
        if size <= COPIED_MAX:
            return bytes(self.out[:size])
        address = self.reply.body
        try:
            return ctypes.string_at(address, size)
        finally:
            short.symphony_free(address)

    def failure(self, status: int) -> Exception:
        """The exception of an ending that is none."""
        return error_of(self.reply.status, failure(status).args[0].rsplit(" (", 1)[0]) if status == _abi.PIT_STATUS else failure(status)


class CallOptions:
    """The options of calls as the library reads them; kept, since each call would make them anew."""

    __slots__ = ("struct", "at")

    def __init__(self, timeout: float, effect: str) -> None:
        if effect not in EFFECTS:
            raise ValueError(f"effect is one of {', '.join(EFFECTS)}, not {effect!r}")
        self.struct = _abi.CallOptions(ctypes.sizeof(_abi.CallOptions), EFFECTS[effect], to_ns(timeout))
        self.at = ctypes.byref(self.struct)


class Link:
    """A pit that was opened: `bus.open("pool")`. Threads: any. A thread that calls while another one is inside gets a link
    of its own, which is closed with the pit. Fork: ForkedHandle in the child.

    Use as a context manager, or close()."""

    def __init__(self, open_link: Callable[[], int], name: str, schema: Optional[Schema] = None) -> None:
        self.name = name
        self._schema = schema
        self._open_link = open_link
        self._handle = open_link()
        self._handle_at = ctypes.c_uint64(self._handle)
        self._own = threading.local()  # a link for each thread that came second
        self._others: Dict[int, int] = {}  # all of those, to be closed
        self._default = CallOptions(DEFAULT_TIMEOUT, "once")
        self._frames = [Frame(self._handle, self._default)]
        self._options: Dict[Any, CallOptions] = {(DEFAULT_TIMEOUT, "once"): self._default}
        self._closed = False

    def __enter__(self) -> "Link":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<symphony_ipc.Link {self.name!r}{' closed' if self._closed else ''}>"

    def close(self) -> None:
        """Ends the links. Calls of other threads that are under way end as Closed, within 0.1 s. Again: nothing."""
        self._closed = True
        for handle in (self._handle, *self._others.values()):
            if short.symphony_link_close(handle) == _BUSY:
                short.symphony_link_nudge(handle)

    @overload
    def call(self, type: int, body: Body = b"", timeout: float = DEFAULT_TIMEOUT, effect: str = "once") -> bytes: ...

    @overload
    def call(self, type: str, body: Dict[str, Any] = ..., timeout: float = DEFAULT_TIMEOUT, effect: str = "once") -> Dict[str, Any]: ...

    def call(self, type: Any, body: Any = b"", timeout: float = _DEFAULT, effect: str = _ONCE) -> Any:
        """Sends a message of that type (a number: type_id()) and returns the reply's body.

        With the name of a table and a dict of its fields it returns the reply's fields, where the pit was opened with
        `schema`: pit.call("Take", {"count": 3}). An empty reply is an empty dict.

        timeout: seconds. effect: what may be done when the pit dies while it handles the message: 'once' (nothing, the
        call ends as PeerGone), 'read' or 'idempotent' (it is sent again). Errors: Timeout, PeerGone, Closed, UnknownType,
        VerifyError, InvalidArgument (too large), PitError (the pit's own status), ForkedHandle."""
        if type.__class__ is str:
            return self._call_by_schema(type, body or {}, timeout, effect)
        try:
            frame = self._frames.pop()
        except IndexError:
            frame = Frame(self._handle, self._default)
        options = self._default
        if body.__class__ is bytes and timeout is _DEFAULT and effect is _ONCE and len(body) <= SIZE_MAX:
            size = _call_frame(frame.at, type, body, len(body))
        else:
            options = self._options_of(timeout, effect)
            at, length, _alive = address_of(body)
            size = _call_into(self._handle_at, type, at, length, options.at, frame.out_at, _CAPACITY, frame.reply_at)
        if size < 0:
            size = self._go_on(size, frame, type, body, options)
        reply: bytes = frame.out[:size] if size <= COPIED_MAX else frame.copied(size)
        self._frames.append(frame)
        return reply

    def call_view(self, type: int, body: Body = b"", timeout: float = DEFAULT_TIMEOUT, effect: str = "once") -> memoryview:
        """As call(), without a copy of bodies above 256 bytes: a read-only view of the reply's memory, which is given back
        when the last view, slice or array of it is gone. It is this process's own: the pit cannot change it any more."""
        frame = Frame()
        options = self._options_of(timeout, effect)
        at, length, _alive = address_of(body)
        size = _call_into(self._handle_at, type, at, length, options.at, frame.out_at, _CAPACITY, frame.reply_at)
        return frame.body(size if size >= 0 else self._go_on(size, frame, type, body, options))

    def _call_by_schema(self, table: str, fields: Dict[str, Any], timeout: float, effect: str) -> Dict[str, Any]:
        if self._schema is None:
            raise TypeError("open the pit with schema=Schema(...) to call it by the names of tables")
        number, body = self._schema.request(table, fields)
        frame = Frame()
        options = self._options_of(timeout, effect)
        size = _call_into(self._handle_at, number, body, len(body), options.at, frame.out_at, _CAPACITY, frame.reply_at)
        if size < 0:
            size = self._go_on(size, frame, number, body, options)
        if size == 0:
            return {}
        return self._schema.to_dict(self._schema.table(frame.reply.type), frame.copied(size))

    def _options_of(self, timeout: float, effect: str) -> CallOptions:
        try:
            return self._options[timeout, effect]
        except KeyError:
            if len(self._options) >= 64:
                self._options.clear()
            return self._options.setdefault((timeout, effect), CallOptions(timeout, effect))

    def _go_on(self, size: int, frame: Frame, type: int, body: Body, options: CallOptions) -> int:
        """What becomes of a call that did not end at once."""
        handle = self._handle
        until = time.monotonic_ns() + options.struct.timeout_ns
        at, length, _alive = address_of(body)
        while size in (_BUSY, _abi.OVERLOADED):
            if self._closed:
                raise Closed(_abi.E_CLOSED, "the pit was closed")
            if size == _BUSY:
                handle = self._link_of_this_thread()
            elif time.monotonic_ns() >= until:
                raise failure(size)
            else:
                time.sleep(0.001)  # the pit has not read what was sent before; there is nothing to sleep on for a full ring
            size = _call_into(ctypes.c_uint64(handle), type, at, length, options.at, frame.out_at, _CAPACITY, frame.reply_at)
        if size == _PENDING:
            size = self._wait(handle, frame)
        if size < 0:
            raise frame.failure(size)
        return size

    def _wait(self, handle: int, frame: Frame) -> int:
        call = frame.reply.id
        try:
            while True:
                size = int(_wait_into(handle, call, SLICE_NS, frame.out, COPIED_MAX, frame.reply_at))
                if size == _BUSY:  # a short call of another thread that came between two slices
                    time.sleep(0)
                elif size != _PENDING:
                    return size
                elif self._closed:
                    short.symphony_link_close(handle)
                    raise Closed(_abi.E_CLOSED, "the pit was closed")
        except BaseException:
            short.symphony_link_cancel(handle, call)
            raise

    def _link_of_this_thread(self) -> int:
        handle: Optional[int] = getattr(self._own, "handle", None)
        if handle is None:
            handle = self._own.handle = self._open_link()
            self._others[threading.get_ident()] = handle
        return handle

    def counters(self) -> Dict[str, int]:
        """What happened on the first link since it was opened: calls, ended, late_replies, sent_again, attaches, sleeps,
        peer_faults, epoch."""
        found = _abi.LinkCounters()
        check(short.symphony_link_count(self._handle, ctypes.byref(found), ctypes.sizeof(found)))
        return {name: int(getattr(found, name)) for name, *_ in found._fields_}


__all__ = ["Link", "type_id"]
