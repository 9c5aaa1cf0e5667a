"""Fixtures of pytest for whoever writes or calls pits; there as soon as the package is installed (entry point pytest11).

    def test_it_counts(symphony_pit, symphony_fault):
        tally = symphony_pit("tally.py", durability="journal")
        tally.call(ADD, body)
        symphony_fault("tally", "kill")

symphony_broker: a broker of the test's own, in a folder of its own, that ends with it. symphony_pit: runs a pit behind it and
opens it. symphony_fault: does to a pit what a fault of its own would do. `@pytest.mark.modes("process", "sandbox")` runs a
test once in each mode. They need the program `symphony`: on PATH, or $SYMPHONY_PROGRAM."""
import ctypes
import inspect
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
from typing import Any, Callable, Dict, Iterator, List, Type, Union

import pytest

from . import _note
from .bus import Bus, connect
from .link import Link
from .pit import Pit

MODES: Dict[str, Dict[str, Any]] = {"process": {}, "sandbox": {"sandbox": "heap"}}  # and what a manifest says for it
_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1


def program() -> str:
    """The path of `symphony`."""
    found = os.environ.get("SYMPHONY_PROGRAM") or shutil.which("symphony")
    if not found:
        raise RuntimeError("the fixtures need the program 'symphony': put it on PATH, or set SYMPHONY_PROGRAM to its path")
    return found


class PrivateBroker:
    """A broker with its socket, manifests and logs in one folder. Threads: one. Use as a context manager."""

    def __init__(self, folder: str) -> None:
        self.folder = pathlib.Path(folder)
        self.socket = str(self.folder / "broker.sock")
        self.manifests = self.folder / "manifests"
        self.manifests.mkdir()
        parent = os.getpid()
        libc = ctypes.CDLL(None)

        def end_with_the_tests() -> None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os._exit(1)

        self.said = open(self.folder / "broker.log", "w+", encoding="utf-8")
        self._process = subprocess.Popen([program(), "broker", "run", "--socket", self.socket, "--manifest", str(self.manifests), "--logs",
                                          str(self.folder / "logs")], stderr=self.said, preexec_fn=end_with_the_tests)
        try:
            self.bus: Bus = connect(self.socket, timeout=_SECONDS)
        except BaseException as error:
            self.close()
            raise RuntimeError(f"the broker did not start: {error}\n{self.said_text()}") from error

    def said_text(self) -> str:
        """What the broker wrote to stderr."""
        return (self.folder / "broker.log").read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> "PrivateBroker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends it and its pits. Again: nothing."""
        if hasattr(self, "bus"):
            self.bus.close()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self.said.close()

    def command(self, *words: str) -> Dict[str, Any]:
        """`symphony WORDS` about this broker; its JSON. RuntimeError with what it said where it failed."""
        done = subprocess.run([program(), *words, "--socket", self.socket, "-o", "json"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"symphony {' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
        answer: Dict[str, Any] = json.loads(done.stdout)
        return answer

    def add(self, file: str, **manifest: Any) -> str:
        """Runs the pit of that file; keywords are keys of a manifest. Its name."""
        path = os.path.abspath(file)
        keys = {"name": _name_of(path), "file": path, **manifest}
        lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
        (self.manifests / f"{keys['name']}.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.command("broker", "reload")
        return str(keys["name"])

    def log_of(self, pit: str) -> str:
        """What the pit wrote to stderr."""
        try:
            return (self.folder / "logs" / f"{pit}.log").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""


def _name_of(path: str) -> str:
    if path.endswith(".py"):
        return _note.read_note(path).name
    shown = subprocess.run([program(), "pit", "show", path, "-o", "json"], capture_output=True, text=True, check=False)
    if shown.returncode != 0:
        raise RuntimeError(shown.stderr.strip())
    return str(json.loads(shown.stdout)["pits"][0]["name"])


@pytest.fixture
def symphony_broker() -> Iterator[PrivateBroker]:
    """A PrivateBroker without pits."""
    with tempfile.TemporaryDirectory(prefix="symphony") as folder, PrivateBroker(folder) as broker:
        yield broker


@pytest.fixture
def symphony_mode(request: pytest.FixtureRequest) -> str:
    """The mode that the test runs in: of the marker `modes`, else process."""
    return str(getattr(request, "param", "process"))


@pytest.fixture
def symphony_pit(symphony_broker: PrivateBroker, symphony_mode: str) -> Iterator[Callable[..., Link]]:
    """symphony_pit(FILE or class, mode=..., schema=None, **keys of a manifest): runs the pit and opens it."""
    opened: List[Link] = []

    def run(pit: Union[str, "os.PathLike[str]", Type[Pit]], mode: str = symphony_mode, schema: Any = None, **manifest: Any) -> Link:
        if mode not in MODES:
            raise ValueError(f"mode is one of {', '.join(MODES)}, not {mode!r}")
        file = inspect.getfile(pit) if isinstance(pit, type) else os.fspath(pit)
        name = symphony_broker.add(file, **{**MODES[mode], **manifest})
        opened.append(symphony_broker.bus.open(name, timeout=_SECONDS, schema=schema))
        return opened[-1]

    yield run
    for link in opened:
        link.close()


@pytest.fixture
def symphony_fault(symphony_broker: PrivateBroker) -> Callable[..., Dict[str, Any]]:
    """symphony_fault(pit, kind, seconds=1): kind is kill, segv, abort, hang, leak or fds. Returns what became of the pit."""
    def inject(pit: str, kind: str, seconds: float = 1.0) -> Dict[str, Any]:
        return symphony_broker.command("pit", "fault", pit, kind, "--for", str(seconds))

    return inject


def pytest_configure(config: pytest.Config) -> None:
    """Tells pytest of the marker."""
    config.addinivalue_line("markers", "modes(*names): run the test once in each mode of hosting: process, sandbox")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with the marker, once for each mode."""
    marker = metafunc.definition.get_closest_marker("modes")
    if marker is not None and "symphony_mode" in metafunc.fixturenames:
        metafunc.parametrize("symphony_mode", marker.args, indirect=True)
