"""A daemon with the probe pit, and a connection to it."""
import os
import pathlib
import subprocess
import tempfile
import time
from typing import Any, Iterator

import flatbuffers
import pytest

BUILD = pathlib.Path(os.environ["SYMPHONY_BUILD"])
os.environ.setdefault("SYMPHONY_KEEPER", str(BUILD / "bin" / "symphony-keeper"))

import symphony_ipc  # noqa: E402

NOTHING, DIE, HANG, EXIT, BIG, REFUSE, PID = range(7)
DO, AGAIN, DONE = (symphony_ipc.type_id(name) for name in ("probe.Do", "probe.DoAgain", "probe.Done"))
ROOT = pathlib.Path(__file__).resolve().parents[3]


def message(act: int, argument: int = 0) -> bytes:
    """A probe.Do, or a probe.DoAgain."""
    builder = flatbuffers.Builder(64)
    builder.StartObject(2)
    builder.PrependUint32Slot(1, argument, 0)
    builder.PrependUint8Slot(0, act, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


class Done:
    """What probe answers."""

    def __init__(self, body: Any) -> None:
        self.table = flatbuffers.table.Table(body, flatbuffers.encode.Get(flatbuffers.packer.uoffset, body, 0))

    @property
    def value(self) -> int:
        at = self.table.Offset(4)
        return int(self.table.Get(flatbuffers.number_types.Uint64Flags, self.table.Pos + at)) if at else 0

    @property
    def size(self) -> int:
        at = self.table.Offset(6)
        return int(self.table.VectorLen(at)) if at else 0


def eventually(condition: Any, what: str, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f"not within {seconds} s: {what}")


def wait_until_waiting(pit: symphony_ipc.Link) -> None:
    """Until another thread waits inside the pit's first link."""
    def is_inside() -> bool:
        try:
            pit.counters()
        except symphony_ipc.WouldBlock:
            return True
        return False
    eventually(is_inside, "a thread waits for a call")


@pytest.fixture(scope="session")
def socket() -> Iterator[str]:
    """Of a daemon that lives as long as this test program. A pit of its own for those who kill it: `fragile`."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/broker.sock"
        words = []
        for name in ("probe", "fragile"):
            manifest = pathlib.Path(folder) / f"{name}.toml"
            manifest.write_text(f'name = "{name}"\nfile = "{BUILD / "pits" / "probe.so"}"\n', encoding="utf-8")
            words += ["--manifest", str(manifest)]
        with subprocess.Popen([BUILD / "bin" / "symphony", "broker", "run", "--socket", path, *words], stderr=subprocess.DEVNULL) as daemon:
            try:
                yield path
            finally:
                daemon.terminate()


@pytest.fixture
def bus(socket: str) -> Iterator[symphony_ipc.Bus]:
    with symphony_ipc.connect(socket, timeout=30) as made:
        yield made


@pytest.fixture
def pit(bus: symphony_ipc.Bus) -> Iterator[symphony_ipc.Link]:
    with bus.open("probe") as made:
        yield made
