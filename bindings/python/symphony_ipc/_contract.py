"""The C ABI as ctypes sees it. Made of pit.h by generate_abi.py: do not edit."""
from ctypes import CFUNCTYPE, PYFUNCTYPE, Structure, c_char_p, c_int32, c_int64, c_uint16, c_uint32, c_uint64, c_uint8, c_void_p

ABI_MAJOR = 1
ABI_MINOR = 0
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
EFFECT_ONCE = 0
EFFECT_READ = 1
EFFECT_IDEMPOTENT = 2
THREAD_MODEL_SERIAL = 0
NOTE_TYPE = 1
LOG_DEBUG = 0
LOG_INFO = 1
LOG_WARNING = 2
LOG_ERROR = 3
TIMERS_MAX = 1024
PENDING_MAX = 1024
CALLS_MAX = 256
ERROR_TEXT_MAX = 512
LOG_TEXT_MAX = 1024
NEEDS_MAX = 64
FLAG_REQUEST = 1
FLAG_REPLY = 2
FLAG_EVENT = 4
FLAG_ERROR = 8
FLAG_HAS_EXTENSION_BLOCK = 16
FLAG_REDELIVERED = 32
FLAG_BODY_AT_64 = 64
FLAG_MORE = 128


class Span(Structure):
    _fields_ = [
        ("p", c_void_p),
        ("n", c_uint32),
        ("reserved", c_uint32),
    ]


class MutSpan(Structure):
    _fields_ = [
        ("p", c_void_p),
        ("n", c_uint32),
        ("reserved", c_uint32),
    ]


class Envelope(Structure):
    _fields_ = [
        ("id", c_uint64),
        ("deadline_ns", c_uint64),
        ("type", c_uint32),
        ("flags", c_uint16),
        ("attempt", c_uint8),
        ("reserved", c_uint8),
    ]


class Msg(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("envelope", c_void_p),
        ("body", Span),
        ("request", c_uint64),
    ]


class Call(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("type", c_uint32),
        ("effect", c_uint32),
        ("reserved", c_uint32),
        ("service", Span),
        ("body", Span),
        ("deadline_ns", c_uint64),
        ("cookie", c_uint64),
    ]


class Sink(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("context", c_void_p),
        ("write", PYFUNCTYPE(c_int32, c_void_p, Span)),
    ]


class Source(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("context", c_void_p),
        ("read", PYFUNCTYPE(c_int64, c_void_p, MutSpan)),
    ]


class Host(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("abi_major", c_uint16),
        ("abi_minor", c_uint16),
        ("context", c_void_p),
        ("log", PYFUNCTYPE(None, c_void_p, c_int32, Span)),
        ("now", PYFUNCTYPE(c_uint64, c_void_p)),
        ("claim", PYFUNCTYPE(c_int32, c_void_p, c_uint32, c_void_p)),
        ("commit", PYFUNCTYPE(c_int32, c_void_p, c_uint32, c_uint32)),
        ("error", PYFUNCTYPE(None, c_void_p, Span)),
        ("random", PYFUNCTYPE(c_uint64, c_void_p)),
        ("get_extension", PYFUNCTYPE(c_void_p, c_void_p, c_uint64)),
        ("publish", PYFUNCTYPE(c_int32, c_void_p, c_uint32, Span)),
        ("call_async", PYFUNCTYPE(c_int32, c_void_p, c_void_p)),
        ("timer_set", PYFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint64)),
        ("timer_cancel", PYFUNCTYPE(c_int32, c_void_p, c_uint64)),
        ("cancelled", PYFUNCTYPE(c_int32, c_void_p)),
        ("mark_dirty", PYFUNCTYPE(None, c_void_p)),
        ("reply", PYFUNCTYPE(c_int32, c_void_p, c_uint64, c_int32, c_uint32, Span)),
    ]


class MessageNote(Structure):
    _fields_ = [
        ("type", c_uint32),
        ("effect", c_uint32),
    ]


class Note(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("abi_major", c_uint16),
        ("abi_minor", c_uint16),
        ("name", c_char_p),
        ("version", c_char_p),
        ("messages", c_void_p),
        ("message_count", c_uint32),
        ("reply_size_max", c_uint32),
        ("state_revision", c_uint32),
        ("state_revision_min", c_uint32),
        ("needs", c_void_p),
        ("need_count", c_uint32),
        ("thread_model", c_uint32),
        ("schema_hash", c_uint64),
    ]


class PitEntry(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("note", c_void_p),
        ("create", CFUNCTYPE(c_int32, c_void_p, Span, c_void_p)),
        ("init", CFUNCTYPE(c_int32, c_void_p)),
        ("start", CFUNCTYPE(c_int32, c_void_p)),
        ("handle", CFUNCTYPE(c_int32, c_void_p, c_void_p)),
        ("drain", CFUNCTYPE(c_int32, c_void_p, c_uint64)),
        ("snapshot", CFUNCTYPE(c_int32, c_void_p, c_uint32, c_void_p)),
        ("restore", CFUNCTYPE(c_int32, c_void_p, c_uint32, c_void_p)),
        ("stop", CFUNCTYPE(c_int32, c_void_p)),
        ("destroy", CFUNCTYPE(None, c_void_p)),
        ("get_extension", CFUNCTYPE(c_void_p, c_void_p, c_uint64)),
        ("timer", CFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint64)),
    ]
