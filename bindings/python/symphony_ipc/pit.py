"""Pits in Python: a class, run by a broker in a process of its own.

    class Pool(symphony_ipc.Pit):
        name = "pool"
        schema = "pool.bfbs"

        @symphony_ipc.handles("pool.Take", replies="pool.Taken")
        def take(self, message):
            return {"left": self.left}

`symphony pit run pool.py` runs it, `symphony pit check pool.py` checks it, and a manifest names it: file = "pool.py"."""
import ctypes
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple, TypeVar

from . import _contract
from ._library import address_of, short
from .errors import error_of
from .link import EFFECTS, type_id

LEVELS = {"debug": _contract.LOG_DEBUG, "info": _contract.LOG_INFO, "warning": _contract.LOG_WARNING, "error": _contract.LOG_ERROR}
Method = TypeVar("Method", bound=Callable[..., Any])


def handles(table: str, effect: str = "once", replies: str = "") -> Callable[[Method], Method]:
    """The method answers messages of that table, as "pool.Take". effect: what may be done with one when the pit dies while
    it handles it: 'once' (nothing), 'read' or 'idempotent' (it is sent again). replies: the table of what it returns.

    The method gets the message: a dict of its fields where the class has a `schema`, else its bytes. It returns the reply as a
    dict, as bytes, or None for an empty one; or LATER. What it raises ends the request: PitError(status, text) with a status
    of the pit's own, other exceptions of this package with theirs, anything else as INTERNAL with the traceback in the log.
    The words must stand there literally: they are read from the file without running it."""
    if effect not in EFFECTS:
        raise ValueError(f"effect is one of {', '.join(EFFECTS)}, not {effect!r}")

    def mark(method: Method) -> Method:
        method.symphony_handles = (table, effect, replies)  # type: ignore[attr-defined]
        return method

    return mark


class Later:
    """What a handler returns that ends its request afterwards, with Pit.reply(): LATER."""


LATER = Later()


class Request(NamedTuple):
    """What a message is about, beside its bytes: Pit.request. number: for Pit.reply(). deadline_ns: of now_ns()'s clock, 0 for
    none. attempt: how often a handler began it before."""

    number: int
    type: int
    deadline_ns: int
    attempt: int


class Answer(NamedTuple):
    """What came of a call of the pit's own. status 0: `body` is the reply; else it is the error's text in UTF-8."""

    cookie: int
    status: int
    type: int
    body: bytes


class Pit:
    """A pit: derive from it. Attributes of the class say who it is, literally; instances are made and called by the host, on
    one thread, and never wait.

    name: [a-z][a-z0-9_]*. version: MAJOR.MINOR.PATCH. reply_size_max: bytes, up to 16 MiB. state_revision: of the
    snapshots it writes, 0 for none; state_revision_min: the oldest that it restores. needs: the pits that it calls. schema:
    path of a binary schema, seen from the file; with it messages are dicts."""

    name = ""
    version = "0.1.0"
    reply_size_max = 65536
    state_revision = 0
    state_revision_min = 0
    needs: Tuple[str, ...] = ()
    schema: Optional[str] = None

    request = Request(0, 0, 0, 0)  # being handled
    _host: Any = None

    def __init__(self, config: str = "") -> None:
        """Before the first message. config: the operator's text, JSON by custom; empty for none."""

    def start(self) -> None:
        """It is to be called from now on; again after drain()."""

    def drain(self, deadline_ns: int) -> None:
        """No message comes until start() or stop()."""

    def stop(self) -> None:
        """The last that it hears."""

    def snapshot(self) -> bytes:
        """The whole state, the same bytes for the same state; with `state_revision`."""
        raise NotImplementedError("a pit with a state_revision has snapshot() and restore()")

    def restore(self, data: bytes, revision: int) -> None:
        """The other way, of a fresh instance. Anything may come: raise, and the snapshot counts as refused."""
        raise NotImplementedError("a pit with a state_revision has snapshot() and restore()")

    def timer(self, number: int, now_ns: int) -> None:
        """A timer that was armed with timer_set() is due."""

    def answered(self, answer: Answer) -> None:
        """The one answer to each call()."""

    # What the host does for it: inside its methods only, on their thread.

    def log(self, text: str, level: str = "info") -> None:
        """A line for `symphony pit logs`. level: debug, info, warning, error."""
        raw = text.encode("utf-8", "replace")
        self._host.log(self._host.context, LEVELS[level], _span(raw))

    def now_ns(self) -> int:
        """CLOCK_MONOTONIC, which stands still while a message is handled. The one clock to use: replay feeds it."""
        return int(self._host.now(self._host.context))

    def random(self) -> int:
        """64 random bits, not for secrets. The one source to use: replay feeds it."""
        return int(self._host.random(self._host.context))

    def cancelled(self) -> bool:
        """Whether nobody waits for the answer any more, or the time that the operator gives it is used up."""
        return bool(self._host.cancelled(self._host.context))

    def mark_dirty(self) -> None:
        """The state changed and is worth keeping. A pit that never says so is taken to change with every message."""
        self._host.mark_dirty(self._host.context)

    def timer_set(self, number: int, at_ns: int) -> None:
        """Has timer() called, once, not before that time; anew for a number that is armed. WouldBlock above 1,024."""
        _checked(self._host.timer_set(self._host.context, number, at_ns))

    def timer_cancel(self, number: int) -> None:
        """InvalidArgument where no such timer is armed."""
        _checked(self._host.timer_cancel(self._host.context, number))

    def call(self, pit: str, table: str, body: Any, cookie: int, effect: str = "once", deadline_ns: int = 0) -> None:
        """Calls another pit, one of `needs`; its answer comes to answered(), with the cookie. Denied: not one of them."""
        name = pit.encode()
        at, size, _alive = address_of(body)
        call = _contract.Call(ctypes.sizeof(_contract.Call), type_id(table), EFFECTS[effect], 0, _span(name),
                              _contract.Span(ctypes.cast(at, ctypes.c_void_p) if at is not None else None, size, 0), deadline_ns, cookie)
        _checked(self._host.call_async(self._host.context, ctypes.byref(call)))

    def reply(self, request: int, body: bytes = b"", table: str = "", status: int = 0, text: str = "") -> None:
        """Ends a request whose handler returned LATER: `request` was its Pit.request.number."""
        raw = body if status == 0 else text.encode("utf-8", "replace")
        _checked(self._host.reply(self._host.context, request, status, type_id(table) if table else 0, _span(raw)))


def handlers_of(cls: type) -> Dict[str, Tuple[str, str, str]]:
    """The methods that are handlers: (table, effect, replies) by name."""
    return {key: value.symphony_handles for key, value in vars(cls).items() if hasattr(value, "symphony_handles")}


def _span(raw: bytes) -> "_contract.Span":
    """Lent until the function that gets it returns; the caller keeps `raw`."""
    return _contract.Span(ctypes.cast(ctypes.c_char_p(raw), ctypes.c_void_p), len(raw), 0)


def _checked(status: int) -> None:
    if status != _contract.OK:
        raise error_of(status, (short.symphony_status_text(status) or b"").decode())


__all__ = ["Answer", "LATER", "Pit", "Request", "handles"]
