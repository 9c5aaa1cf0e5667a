"""The loaded library and the few steps that all others are made of."""
import ctypes
from typing import Any, Tuple

from . import _abi, _loader
from .errors import SymphonyError, error_of

waits, short = _loader.load()

DEFAULT_TIMEOUT = 30.0  # seconds, of a call
SLICE_NS = 50_000_000  # a wait ends so often, so that the interpreter sees signals: Ctrl-C within 0.1 s
SIZE_MAX = 2**31 - 1  # bytes of a body; rings are smaller


def failure(status: int) -> SymphonyError:
    """What the last failing function of this thread said."""
    return error_of(status, (short.symphony_last_error() or b"").decode("utf-8", "replace"))


def check(status: int) -> None:
    """Raises unless it is OK."""
    if status != _abi.OK:
        raise failure(status)


def to_ns(seconds: float) -> int:
    """For a timeout: at least one nanosecond, as 0 is a default there."""
    return min(max(1, int(seconds * 1e9)), 2**62)


def address_of(body: Any) -> Tuple[Any, int, Any]:
    """(what ctypes passes as a pointer, size in bytes, what has to stay alive) of bytes or any buffer that is contiguous."""
    if type(body) is bytes and len(body) <= SIZE_MAX:
        return body, len(body), body
    view = memoryview(body)
    if view.nbytes > SIZE_MAX:
        raise error_of(_abi.TOO_LARGE, "a body has at most 2 GiB less one byte")
    if not view.c_contiguous:
        raise ValueError("the body is not contiguous: pass a copy of it")
    if view.nbytes == 0:
        return None, 0, None
    if view.readonly:
        held = bytes(view)
        return held, len(held), held
    held_array = (ctypes.c_ubyte * view.nbytes).from_buffer(view.cast("B"))
    return ctypes.c_void_p(ctypes.addressof(held_array)), view.nbytes, held_array
