"""The C ABI as ctypes sees it. Made of symphony.h by generate_abi.py: do not edit."""
from ctypes import Structure, c_char, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any, Dict, List, Tuple

C_ABI_MAJOR = 1
C_ABI_MINOR = 1
OK = 0
OVERLOADED = -1
DEADLINE = -2
CANCELLED = -3
UNKNOWN_TYPE = -4
BAD_MESSAGE = -5
VERSION = -6
CRASHED = -7
TRAPPED = -8
POISONED = -9
QUARANTINED = -10
MOVED = -11
INTERNAL = -12
CLOSED = -13
TOO_LARGE = -14
FORKED = -15
CRASHED_ACCEPTED = -16
PEER_FAULT = -17
UNREACHABLE = -18
BAD_STATE = -19
PENDING = -20
DENIED = -21
E_INVALID_ARGUMENT = -101
E_OUT_OF_MEMORY = -102
E_OUT_OF_DESCRIPTORS = -103
E_REFUSED = -104
E_NOT_FOUND = -105
E_UNREACHABLE = -106
E_TIMEOUT = -107
E_CLOSED = -108
E_VERSION_MISMATCH = -109
E_PEER_FAULT = -110
E_FORKED = -111
E_BUSY = -112
E_TOO_LARGE = -113
E_QUARANTINED = -114
E_SYSTEM = -115
E_INTERNAL = -116
TRUST_COOPERATIVE = 0
TRUST_TRUSTED = 1
TRUST_HOSTILE = 2
WAIT_ADAPTIVE = 0
WAIT_SPIN = 1
WAIT_SLEEP = 2
EFFECT_ONCE = 0
EFFECT_READ = 1
EFFECT_IDEMPOTENT = 2
PIT_STATUS = -1000
EXIT_FINISHED = 0
EXIT_STORM = 70
EXIT_TRY_AGAIN = 75
EXIT_PERMANENT = 125
CELL = 0
TOPIC = 1

# status: (name, what it is called)
STATUSES: Dict[int, Tuple[str, str]] = {
    OK: ("OK", "ok"),
    OVERLOADED: ("OVERLOADED", "a named limit was reached"),
    DEADLINE: ("DEADLINE", "the call's deadline passed"),
    CANCELLED: ("CANCELLED", "cancelled"),
    UNKNOWN_TYPE: ("UNKNOWN_TYPE", "the pit has no handler for this message type"),
    BAD_MESSAGE: ("BAD_MESSAGE", "the body is not what its type says"),
    VERSION: ("VERSION", "the two sides are of versions that do not fit"),
    CRASHED: ("CRASHED", "the pit died while it was executing this call: it may have run"),
    TRAPPED: ("TRAPPED", "the pit's sandbox was broken off inside this call"),
    POISONED: ("POISONED", "it killed the pit too often and is not sent again"),
    QUARANTINED: ("QUARANTINED", "the pit failed too often and is not started again"),
    MOVED: ("MOVED", "the pit is elsewhere now"),
    INTERNAL: ("INTERNAL", "a bug, of the pit or of this library"),
    CLOSED: ("CLOSED", "the link was closed before the answer"),
    TOO_LARGE: ("TOO_LARGE", "more bytes than a record of this link may have"),
    FORKED: ("FORKED", "a handle from before fork() was used in the child"),
    CRASHED_ACCEPTED: ("CRASHED_ACCEPTED", "the pit had accepted the call; its answer died with it"),
    PEER_FAULT: ("PEER_FAULT", "the other side broke the protocol"),
    UNREACHABLE: ("UNREACHABLE", "nobody serves this pit"),
    BAD_STATE: ("BAD_STATE", "there is no such call, or it was taken"),
    PENDING: ("PENDING", "the call goes on: there is no ending yet"),
    DENIED: ("DENIED", "the operator or the pit's note does not grant this"),
    E_INVALID_ARGUMENT: ("E_INVALID_ARGUMENT", "an argument is wrong"),
    E_OUT_OF_MEMORY: ("E_OUT_OF_MEMORY", "no memory"),
    E_OUT_OF_DESCRIPTORS: ("E_OUT_OF_DESCRIPTORS", "no file descriptors: raise ulimit -n"),
    E_REFUSED: ("E_REFUSED", "a policy said no"),
    E_NOT_FOUND: ("E_NOT_FOUND", "there is no pit, table or program of that name"),
    E_UNREACHABLE: ("E_UNREACHABLE", "there is no broker"),
    E_TIMEOUT: ("E_TIMEOUT", "not in time"),
    E_CLOSED: ("E_CLOSED", "a handle that is closed, or none"),
    E_VERSION_MISMATCH: ("E_VERSION_MISMATCH", "the broker is of another version"),
    E_PEER_FAULT: ("E_PEER_FAULT", "the broker broke the protocol"),
    E_FORKED: ("E_FORKED", "a handle from before fork() was used in the child"),
    E_BUSY: ("E_BUSY", "another thread is inside a function of this link"),
    E_TOO_LARGE: ("E_TOO_LARGE", "too large"),
    E_QUARANTINED: ("E_QUARANTINED", "the pit failed too often and is not started again"),
    E_SYSTEM: ("E_SYSTEM", "a system call failed"),
    E_INTERNAL: ("E_INTERNAL", "a bug of this library"),
}


class PitConfig(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("trust", c_uint32),
        ("name", c_char_p),
        ("executable", c_char_p),
        ("arguments", c_void_p),
        ("environment", c_void_p),
        ("config", c_char_p),
        ("instances", c_uint32),
        ("is_lazy", c_uint32),
    ]


class BrokerOptions(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("pit_count", c_uint32),
        ("pits", c_void_p),
        ("keeper_executable", c_char_p),
    ]


class ConnectOptions(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("realm", c_char_p),
        ("path", c_char_p),
        ("timeout_ns", c_int64),
    ]


class PitInfo(Structure):
    _fields_ = [
        ("name", c_char * 64),
        ("state", c_char * 24),
        ("pid", c_int32),
        ("instance", c_uint32),
        ("links", c_uint32),
        ("reserved", c_uint32),
    ]


class LinkOptions(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("request_capacity", c_uint32),
        ("reply_capacity", c_uint32),
        ("in_flight_max", c_uint32),
        ("waiting", c_uint32),
        ("attempts_max", c_uint32),
    ]


class CallOptions(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("effect", c_uint32),
        ("timeout_ns", c_int64),
    ]


class Reply(Structure):
    _fields_ = [
        ("id", c_uint64),
        ("body", c_void_p),
        ("size", c_size_t),
        ("text", c_char_p),
        ("text_size", c_size_t),
        ("type", c_uint32),
        ("status", c_int32),
    ]


class Frame(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("link", c_uint64),
        ("options", c_void_p),
        ("out", c_void_p),
        ("capacity", c_size_t),
        ("reply", Reply),
    ]


class LinkCounters(Structure):
    _fields_ = [
        ("calls", c_uint64),
        ("ended", c_uint64),
        ("late_replies", c_uint64),
        ("sent_again", c_uint64),
        ("attaches", c_uint64),
        ("sleeps", c_uint64),
        ("peer_faults", c_uint64),
        ("epoch", c_uint64),
    ]


class BoardOptions(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("kind", c_uint32),
        ("value_size_max", c_uint32),
        ("history", c_uint32),
    ]


class Value(Structure):
    _fields_ = [
        ("number", c_uint64),
        ("source", c_uint64),
        ("dropped", c_uint64),
        ("type", c_uint32),
        ("size", c_uint32),
    ]


# function: (what it returns, what it takes)
FUNCTIONS: Dict[str, Tuple[Any, List[Any]]] = {
    "symphony_abi_version": (c_uint32, []),
    "symphony_version": (c_char_p, []),
    "symphony_status_text": (c_char_p, [c_int32]),
    "symphony_last_error": (c_char_p, []),
    "symphony_type_id": (c_uint32, [c_char_p]),
    "symphony_free": (None, [c_void_p]),
    "symphony_broker_start": (c_int32, [c_void_p, c_void_p]),
    "symphony_broker_connect": (c_int32, [c_uint64, c_void_p]),
    "symphony_broker_kill_pit": (c_int32, [c_uint64, c_char_p, c_void_p]),
    "symphony_broker_stop": (c_int32, [c_uint64]),
    "symphony_bus_connect": (c_int32, [c_void_p, c_void_p]),
    "symphony_bus_adopt": (c_int32, [c_int, c_void_p]),
    "symphony_bus_list": (c_int32, [c_uint64, c_int64, c_void_p, c_size_t, c_size_t, c_void_p, c_void_p]),
    "symphony_bus_close": (c_int32, [c_uint64]),
    "symphony_bus_open": (c_int32, [c_uint64, c_char_p, c_void_p, c_int64, c_void_p]),
    "symphony_link_close": (c_int32, [c_uint64]),
    "symphony_link_call": (c_int32, [c_uint64, c_uint32, c_void_p, c_size_t, c_void_p, c_void_p]),
    "symphony_link_start": (c_int32, [c_uint64, c_uint32, c_void_p, c_size_t, c_void_p, c_void_p]),
    "symphony_link_wait": (c_int32, [c_uint64, c_uint64, c_int64, c_void_p]),
    "symphony_link_wait_any": (c_int32, [c_uint64, c_int64]),
    "symphony_link_nudge": (c_int32, [c_uint64]),
    "symphony_link_cancel": (c_int32, [c_uint64, c_uint64]),
    "symphony_link_keep": (c_int32, [c_uint64, c_void_p]),
    "symphony_link_call_into": (c_int64, [c_uint64, c_uint32, c_void_p, c_size_t, c_void_p, c_void_p, c_size_t, c_void_p]),
    "symphony_link_wait_into": (c_int64, [c_uint64, c_uint64, c_int64, c_void_p, c_size_t, c_void_p]),
    "symphony_link_call_frame": (c_int64, [c_void_p, c_uint32, c_void_p, c_uint32]),
    "symphony_link_fd": (c_int32, [c_uint64, c_void_p]),
    "symphony_link_arm": (c_int32, [c_uint64]),
    "symphony_link_count": (c_int32, [c_uint64, c_void_p, c_size_t]),
    "symphony_mount_file": (c_int32, [c_char_p, c_char_p, c_void_p]),
    "symphony_mount_pit": (c_int32, [c_uint64, c_char_p, c_int64, c_void_p]),
    "symphony_mount_call_into": (c_int64, [c_uint64, c_uint32, c_void_p, c_size_t, c_void_p, c_void_p, c_size_t, c_void_p]),
    "symphony_mount_save": (c_int32, [c_uint64, c_void_p, c_void_p, c_void_p]),
    "symphony_mount_restore": (c_int32, [c_uint64, c_uint32, c_void_p, c_size_t]),
    "symphony_mount_close": (c_int32, [c_uint64]),
    "symphony_pit_run": (c_int32, [c_void_p]),
    "symphony_bus_write": (c_int32, [c_uint64, c_char_p, c_void_p, c_int64, c_void_p]),
    "symphony_writer_put": (c_int32, [c_uint64, c_uint32, c_void_p, c_size_t, c_void_p]),
    "symphony_writer_close": (c_int32, [c_uint64]),
    "symphony_bus_read": (c_int32, [c_uint64, c_char_p, c_void_p, c_int64, c_void_p]),
    "symphony_reader_get": (c_int32, [c_uint64, c_int64, c_void_p, c_size_t, c_void_p, c_size_t]),
    "symphony_reader_close": (c_int32, [c_uint64]),
    "symphony_schema_open": (c_int32, [c_void_p, c_size_t, c_void_p]),
    "symphony_schema_close": (c_int32, [c_uint64]),
    "symphony_schema_find": (c_int32, [c_uint64, c_char_p, c_char_p, c_size_t]),
    "symphony_schema_table_of": (c_int32, [c_uint64, c_uint32, c_char_p, c_size_t]),
    "symphony_schema_verify": (c_int32, [c_uint64, c_char_p, c_void_p, c_size_t]),
    "symphony_schema_from_json": (c_int32, [c_uint64, c_char_p, c_char_p, c_void_p, c_void_p]),
    "symphony_schema_to_json": (c_int32, [c_uint64, c_char_p, c_void_p, c_size_t, c_void_p, c_void_p]),
}
