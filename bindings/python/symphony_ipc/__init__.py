"""Symphony IPC: calls to pits over shared memory, and pits in Python (class Pit).

    import symphony_ipc
    with symphony_ipc.connect() as bus, bus.open("greeter") as pit:
        reply = pit.call(symphony_ipc.type_id("greeter.Hello"), message)
"""
from .bus import Broker, Bus, PitConfig, PitInfo, connect
from .errors import (Closed, Denied, ForkedHandle, InvalidArgument, LibraryError, NotFound, OutOfMemory, PeerGone, PitError, Quarantined,
                     SymphonyError, Timeout, UnknownType, Unreachable, VerifyError, VersionMismatch, WouldBlock)
from .link import Link, type_id
from .mount import Mount, State, mount
from .pit import LATER, Answer, Pit, Request, handles
from .schema import Schema

__all__ = ["Answer", "Broker", "Bus", "Closed", "Denied", "ForkedHandle", "InvalidArgument", "LATER", "LibraryError", "Link",
           "Mount", "NotFound", "OutOfMemory", "PeerGone", "Pit", "PitConfig", "PitError", "PitInfo", "Quarantined",
           "Request", "Schema", "State", "SymphonyError", "Timeout", "UnknownType", "Unreachable", "VerifyError",
           "VersionMismatch", "WouldBlock", "connect", "handles", "mount", "type_id"]
