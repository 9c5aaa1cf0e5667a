"""What goes wrong, as exceptions. Each is a SymphonyError, and where Python has a word for it, that too."""
from typing import Dict, Type

from . import _abi


class LibraryError(ImportError):
    """The C library is missing, or of another ABI."""


class SymphonyError(Exception):
    """A call or a connection failed. `status` is the number, of symphony.h or above 0 the pit's own; `text` says why."""

    status: int
    text: str

    def __init__(self, status: int, text: str = "") -> None:
        name, what = _abi.STATUSES.get(status, ("PIT", f"status {status} of the pit") if status > 0 else (str(status), "unknown status"))
        super().__init__(f"{text or what} ({name})")
        self.status = status
        self.text = text or what


class Timeout(SymphonyError, TimeoutError):
    """The call's deadline passed, or a broker or pit was not there in time."""


class Unreachable(SymphonyError, ConnectionError):
    """There is no broker, or nobody serves the pit."""


class PeerGone(SymphonyError, ConnectionError):
    """The pit died while it handled the call. It may have run: a call with effect='once' is not sent again."""


class Closed(SymphonyError, ConnectionError):
    """The object was closed."""


class ForkedHandle(SymphonyError, RuntimeError):
    """An object made before fork() was used in the child: connect again there."""


class WouldBlock(SymphonyError, BlockingIOError):
    """A limit was reached: as many calls are in flight as the link allows. Take some first."""


class Denied(SymphonyError, PermissionError):
    """A policy said no."""


class NotFound(SymphonyError, LookupError):
    """There is no pit, table or program of that name."""


class VerifyError(SymphonyError, ValueError):
    """Bytes are not the message that their type says."""


class UnknownType(SymphonyError, ValueError):
    """The pit has no handler for this message type."""


class InvalidArgument(SymphonyError, ValueError):
    """An argument is wrong, or larger than the link carries."""


class VersionMismatch(SymphonyError):
    """The two sides are of versions that do not fit."""


class OutOfMemory(SymphonyError, MemoryError):
    """No memory, or no descriptors."""


class Quarantined(SymphonyError, ConnectionError):
    """The pit failed too often and is not started again, or this message killed it too often."""


class PitError(SymphonyError):
    """The pit answered with a status of its own, above 0. Raised in a pit's handler it is that answer."""


_CLASSES: Dict[int, Type[SymphonyError]] = {
    _abi.DEADLINE: Timeout, _abi.E_TIMEOUT: Timeout,
    _abi.UNREACHABLE: Unreachable, _abi.E_UNREACHABLE: Unreachable,
    _abi.CRASHED: PeerGone, _abi.CRASHED_ACCEPTED: PeerGone, _abi.PEER_FAULT: PeerGone, _abi.E_PEER_FAULT: PeerGone, _abi.TRAPPED: PeerGone,
    _abi.CLOSED: Closed, _abi.E_CLOSED: Closed,
    _abi.FORKED: ForkedHandle, _abi.E_FORKED: ForkedHandle,
    _abi.OVERLOADED: WouldBlock, _abi.E_BUSY: WouldBlock,
    _abi.DENIED: Denied, _abi.E_REFUSED: Denied,
    _abi.E_NOT_FOUND: NotFound,
    _abi.BAD_MESSAGE: VerifyError,
    _abi.UNKNOWN_TYPE: UnknownType,
    _abi.E_INVALID_ARGUMENT: InvalidArgument, _abi.TOO_LARGE: InvalidArgument, _abi.E_TOO_LARGE: InvalidArgument, _abi.BAD_STATE: InvalidArgument,
    _abi.VERSION: VersionMismatch, _abi.E_VERSION_MISMATCH: VersionMismatch,
    _abi.E_OUT_OF_MEMORY: OutOfMemory, _abi.E_OUT_OF_DESCRIPTORS: OutOfMemory,
    _abi.QUARANTINED: Quarantined, _abi.E_QUARANTINED: Quarantined, _abi.POISONED: Quarantined,
}


def error_of(status: int, text: str = "") -> SymphonyError:
    """The exception for a status."""
    if status > 0:
        return PitError(status, text)
    return _CLASSES.get(status, SymphonyError)(status, text)
