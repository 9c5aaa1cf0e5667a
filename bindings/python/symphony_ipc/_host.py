"""Runs the pit of a file in this process, for the broker that started it.   usage: symphony_ipc._host.main(FILE)

The contract's functions (symphony/pit.h) over a class: each catches all that the class raises, gives the host a status and a
line, and writes the traceback to stderr, where `symphony pit logs` reads it."""
import ctypes
import faulthandler
import importlib.util
import itertools
import os
import pathlib
import signal
import sys
import traceback
from types import ModuleType
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple, Type

from . import _abi, _contract
from ._library import waits
from ._note import Note, NoteError, read_note
from .errors import SymphonyError, error_of
from .link import EFFECTS, type_id
from .pit import Answer, Later, Pit, Request, handlers_of
from .schema import Schema

# What an exception of this package may end a request with; others are bugs of the pit.
_ENDINGS = {_contract.OVERLOADED, _contract.DEADLINE, _contract.CANCELLED, _contract.UNKNOWN_TYPE, _contract.BAD_MESSAGE, _contract.TOO_LARGE,
            _contract.DENIED, _contract.VERSION}
_CHUNK = 1 << 20  # bytes of a snapshot that are written at once


def one_line(error: BaseException, file: str) -> str:
    """What and where, for the caller: the exception, then the lines of the pit's own file, innermost first."""
    text = "".join(traceback.format_exception_only(type(error), error)).strip().splitlines()
    frames = [f for f in traceback.extract_tb(error.__traceback__) if os.path.dirname(f.filename) == os.path.dirname(file)]
    places = [f"{os.path.basename(f.filename)}:{f.lineno} in {f.name}" for f in reversed(frames)]
    return " < ".join([text[-1] if text else type(error).__name__, *places])


class Hosted:
    """A class as the contract sees it. Threads: the one that symphony_pit_run() was called on."""

    def __init__(self, cls: Type[Pit], note: Note, file: str) -> None:
        self.cls = cls
        self.file = file
        self.schema = Schema(os.path.join(os.path.dirname(file), cls.schema)) if cls.schema else None
        self.methods: Dict[int, Tuple[str, str, int]] = {}
        for handler in note.handlers:
            reply_type = type_id(handler.replies) if handler.replies else 0
            self.methods[type_id(handler.table)] = (handler.method, handler.table, reply_type)
        self.instances: Dict[int, Pit] = {}
        self.numbers = itertools.count(1)
        self.kept: List[Any] = []  # what the table and the note point to
        self.entry = self._entry(note)

    def _entry(self, note: Note) -> _contract.PitEntry:
        messages = sorted((type_id(h.table), EFFECTS[h.effect]) for h in note.handlers)
        array = (_contract.MessageNote * max(1, len(messages)))(*(_contract.MessageNote(*message) for message in messages))
        needs = (ctypes.c_char_p * max(1, len(note.needs)))(*[need.encode() for need in note.needs])
        said = _contract.Note(ctypes.sizeof(_contract.Note), _contract.ABI_MAJOR, _contract.ABI_MINOR, note.name.encode(), note.version.encode(),
                              ctypes.addressof(array), len(messages), note.reply_size_max, note.state_revision, note.state_revision_min,
                              ctypes.addressof(needs), len(note.needs), _contract.THREAD_MODEL_SERIAL, 0)
        entry = _contract.PitEntry(ctypes.sizeof(_contract.PitEntry), 0, ctypes.addressof(said))
        steps: Dict[str, Callable[..., Any]] = {"create": self.create, "start": self.start, "handle": self.handle, "drain": self.drain,
                                                "stop": self.stop, "timer": self.timer, "destroy": self.destroy}
        if note.state_revision:
            steps.update(snapshot=self.snapshot, restore=self.restore)
        types: Dict[str, Any] = {field[0]: field[1] for field in entry._fields_}
        for name, step in steps.items():
            setattr(entry, name, types[name](step))
        self.kept += [array, needs, said]
        return entry

    # Each returns a status, and lets nothing out: ctypes would drop it.

    def create(self, host: int, config: _contract.Span, out: int) -> int:
        pit = self.cls.__new__(self.cls)
        pit._host = _contract.Host.from_address(host)
        status = self.step(pit, lambda: pit.__init__(_bytes_of(config).decode("utf-8")))  # type: ignore[misc]
        if status == _contract.OK:
            number = next(self.numbers)
            self.instances[number] = pit
            ctypes.c_void_p.from_address(out).value = number
        return status

    def destroy(self, number: int) -> None:
        self.instances.pop(number, None)

    def start(self, number: int) -> int:
        pit = self.instances[number]
        return self.step(pit, pit.start)

    def drain(self, number: int, deadline_ns: int) -> int:
        pit = self.instances[number]
        return self.step(pit, lambda: pit.drain(deadline_ns))

    def stop(self, number: int) -> int:
        pit = self.instances[number]
        return self.step(pit, pit.stop)

    def timer(self, number: int, which: int, now_ns: int) -> int:
        pit = self.instances[number]
        return self.step(pit, lambda: pit.timer(which, now_ns))

    def snapshot(self, number: int, revision: int, sink: int) -> int:
        pit = self.instances[number]

        def write() -> int:
            state, to = bytes(pit.snapshot()), _contract.Sink.from_address(sink)
            for at in range(0, len(state), _CHUNK):
                chunk = state[at:at + _CHUNK]
                status = int(to.write(to.context, _contract.Span(_address(chunk), len(chunk), 0)))
                if status != _contract.OK:
                    return status
            return _contract.OK

        return self.step(pit, write)

    def restore(self, number: int, revision: int, source: int) -> int:
        pit = self.instances[number]

        def read() -> int:
            origin, parts = _contract.Source.from_address(source), []
            place = ctypes.create_string_buffer(65536)
            while True:
                size = int(origin.read(origin.context, _contract.MutSpan(ctypes.addressof(place), len(place), 0)))
                if size < 0:
                    return size
                if size == 0:
                    break
                parts.append(place.raw[:size])
            try:
                pit.restore(b"".join(parts), revision)
            except SymphonyError:
                raise
            except Exception as error:
                raise error_of(_contract.BAD_MESSAGE, "the snapshot is refused: " + one_line(error, self.file)) from error
            return _contract.OK

        return self.step(pit, read)

    def handle(self, number: int, message: int) -> int:
        pit = self.instances[number]
        msg = _contract.Msg.from_address(message)
        envelope = _contract.Envelope.from_address(msg.envelope)
        return self.step(pit, lambda: self.respond(pit, msg, envelope))

    def respond(self, pit: Pit, msg: _contract.Msg, envelope: _contract.Envelope) -> int:
        body = _bytes_of(msg.body)
        if envelope.flags & _contract.FLAG_REPLY:
            status = int.from_bytes(body[:4], "little", signed=True) if envelope.flags & _contract.FLAG_ERROR else 0
            pit.answered(Answer(envelope.id, status, envelope.type, body if status == 0 else body[8:]))
            return _contract.OK
        known = self.methods.get(envelope.type)
        if known is None:
            return _contract.UNKNOWN_TYPE
        method, table, reply_type = known
        pit.request = Request(msg.request, envelope.type, envelope.deadline_ns, envelope.attempt)
        reply = getattr(pit, method)(body if self.schema is None else self.schema.to_dict(table, body))
        if isinstance(reply, Later):
            return _contract.PENDING
        if isinstance(reply, dict):
            if self.schema is None or not reply_type:
                raise TypeError(f"{method}() returned a dict: handles(..., replies=\"...\") and a schema say of which table")
            reply = self.schema.to_bytes(self.schema.table(reply_type), reply)
        if reply is None or len(reply) == 0:
            return _contract.OK
        host, place = pit._host, _contract.MutSpan()
        reply = bytes(reply)
        status = int(host.claim(host.context, len(reply), ctypes.byref(place)))
        if status == _contract.TOO_LARGE:
            raise error_of(status, f"a reply of {len(reply)} bytes: the class says reply_size_max = {self.cls.reply_size_max}")
        if status != _contract.OK:
            return status
        ctypes.memmove(place.p, reply, len(reply))
        return int(host.commit(host.context, len(reply), reply_type))

    def step(self, pit: Pit, body: Callable[[], Any]) -> int:
        """What the contract is told of it: a status, and why."""
        try:
            status = body()
            return status if isinstance(status, int) else _contract.OK
        except SymphonyError as error:
            if error.status > 0 or error.status in _ENDINGS:
                self.say(pit, error.text)
                return error.status
            return self.bug(pit, error)
        except BaseException as error:
            return self.bug(pit, error)

    def bug(self, pit: Pit, error: BaseException) -> int:
        sys.stderr.write(f"{self.cls.name}: error: " + "".join(traceback.format_exception(type(error), error, error.__traceback__)))
        sys.stderr.flush()
        self.say(pit, one_line(error, self.file))
        return _contract.INTERNAL

    @staticmethod
    def say(pit: Pit, text: str) -> None:
        raw = text.encode("utf-8", "replace")[:_contract.ERROR_TEXT_MAX].decode("utf-8", "ignore").encode()
        pit._host.error(pit._host.context, _contract.Span(_address(raw), len(raw), 0))


def _address(raw: bytes) -> Optional[int]:
    return ctypes.cast(ctypes.c_char_p(raw), ctypes.c_void_p).value


def _bytes_of(span: _contract.Span) -> bytes:
    return ctypes.string_at(span.p, span.n) if span.n else b""


def load(file: str) -> ModuleType:
    """The pit's file as a module; its folder is where it finds others."""
    sys.path.insert(0, os.path.dirname(file))
    spec = importlib.util.spec_from_file_location(pathlib.Path(file).stem, file)
    if spec is None or spec.loader is None:
        raise NoteError(f"{file}: its name does not end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def differences(cls: Any, note: Note) -> Iterator[str]:
    """What the running class says otherwise than the file's text, which others have read."""
    if not isinstance(cls, type) or not issubclass(cls, Pit):
        yield f"{note.class_name} is no class that derives from symphony_ipc.Pit when the file has run"
        return
    for key in ("name", "version", "reply_size_max", "state_revision"):
        if getattr(cls, key) != getattr(note, key):
            yield f"'{key}' is {getattr(cls, key)!r} when the file has run, and {getattr(note, key)!r} in its text"
    if tuple(cls.needs) != note.needs:
        yield "'needs' is not what the file's text says"
    said = {h.method: (h.table, h.effect, h.replies) for h in note.handlers}
    if handlers_of(cls) != said:
        yield "its handlers are not those of the file's text: write each as a method of the class, with handles() right above"


def main(path: str) -> int:
    """Runs the pit until its broker ends it; what the process must exit with."""
    file = os.path.abspath(path)
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # as any pit: it is its broker's to end
    sys.stdout = sys.stderr  # what it prints is in the log
    try:
        note = read_note(file)
        cls: Any = getattr(load(file), note.class_name, None)
        for difference in differences(cls, note):
            raise NoteError(f"{file}: {difference}")
        hosted = Hosted(cls, note, file)
    except (NoteError, OSError, SymphonyError) as error:
        print(f"symphony_ipc: {error}", file=sys.stderr)
        return _abi.EXIT_PERMANENT
    except BaseException:
        traceback.print_exc()
        print(f"symphony_ipc: {file} could not be loaded", file=sys.stderr)
        return _abi.EXIT_PERMANENT
    status = int(waits.symphony_pit_run(ctypes.byref(hosted.entry)))
    return status if status >= 0 else _abi.EXIT_PERMANENT
