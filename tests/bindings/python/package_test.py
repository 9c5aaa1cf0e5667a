"""The package itself: made of the header, typed, and clear about a library that is not there."""
import os
import subprocess
import sys

import pytest
import symphony_ipc
from conftest import ROOT
from symphony_ipc import _abi, errors

PACKAGE = ROOT / "bindings" / "python"
EXAMPLES = ("tally.py", "caller.py", "asyncio_caller.py", "frames.py")


def run(*words, **environment):
    full = {**os.environ, "PYTHONPATH": str(PACKAGE), **environment}
    return subprocess.run([sys.executable, "-B", *words], capture_output=True, text=True, timeout=120, env=full, check=False)


def test_the_abi_is_what_the_header_says():
    checked = run(str(PACKAGE / "generate_abi.py"), "--check")
    assert checked.returncode == 0, checked.stderr


def test_every_status_is_an_exception_and_has_a_name():
    for status, (name, text) in _abi.STATUSES.items():
        if status not in (_abi.OK, _abi.PENDING):
            error = symphony_ipc.errors.error_of(status)
            assert isinstance(error, symphony_ipc.SymphonyError) and name in str(error) and text in str(error)
    plain = {name for name, _ in (_abi.STATUSES[s] for s in _abi.STATUSES if errors.error_of(s).__class__ is symphony_ipc.SymphonyError)}
    assert plain == {"OK", "PENDING", "CANCELLED", "MOVED", "INTERNAL", "E_SYSTEM", "E_INTERNAL"}


def test_a_library_that_is_not_there_is_told_with_every_path_that_was_tried(tmp_path):
    gone = run("-c", "import symphony_ipc", SYMPHONY_LIBRARY=str(tmp_path / "gone.so"))
    assert gone.returncode == 1 and f"{tmp_path}/gone.so: " in gone.stderr and "SYMPHONY_LIBRARY" in gone.stderr
    both = run("-c", "import symphony_ipc", SYMPHONY_LIBRARY="", LD_LIBRARY_PATH="")
    assert both.returncode == 0 or ("_lib/libsymphony.so.1: " in both.stderr and "\n  libsymphony.so.1: " in both.stderr)


def test_a_library_of_another_abi_is_told(tmp_path):
    (tmp_path / "other.c").write_text("unsigned symphony_abi_version(void) { return 2 << 16; }\n")
    subprocess.run(["cc", "-shared", "-o", tmp_path / "other.so", tmp_path / "other.c"], check=True)
    other = run("-c", "import symphony_ipc", SYMPHONY_LIBRARY=str(tmp_path / "other.so"))
    assert other.returncode == 1 and "ABI 2.0" in other.stderr
    none = run("-c", "import symphony_ipc", SYMPHONY_LIBRARY="libc.so.6")
    assert none.returncode == 1 and "symphony_abi_version" in none.stderr


def test_all_of_it_is_typed():
    pytest.importorskip("mypy")
    files = sorted((PACKAGE / "symphony_ipc").glob("*.py")) + [PACKAGE / "examples" / name for name in EXAMPLES]
    if not os.environ.get("SYMPHONY_LONG"):  # it would read pytest's own types, for five seconds
        files = [file for file in files if file.name != "testing.py"]
    checked = run("-m", "mypy", "--strict", "--no-incremental", "--cache-dir", os.devnull, *map(str, files))
    assert checked.returncode == 0, checked.stdout


def test_every_public_name_has_a_text():
    for name in symphony_ipc.__all__:
        assert getattr(symphony_ipc, name).__doc__, name
