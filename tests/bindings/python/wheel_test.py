"""The wheel: built, unpacked and used; and that what is wrong with one is found. Where there is time (SYMPHONY_LONG) it is installed
by pip into a clean environment, also of another python3 that PATH has."""
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest
from conftest import BUILD, ROOT

CHECK = ROOT / "bindings" / "python" / "wheel" / "check_wheel.py"


def check(wheel):
    return subprocess.run([sys.executable, "-B", str(CHECK), str(wheel)], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    words = [str(ROOT / "tools" / "wheel"), "--build", str(BUILD), "--out", str(out)]
    other = shutil.which("python3")
    if os.environ.get("SYMPHONY_LONG"):
        words += ["--python", other] if other and not os.path.samefile(other, "/usr/bin/python3") else []
    else:
        words += ["--quick"]
    built = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    assert built.returncode == 0 and "a call went to the pit and back" in built.stdout, built.stdout + built.stderr
    return next(out.glob("*.whl"))


def test_it_is_built_and_makes_a_call(wheel):
    assert wheel.name.endswith("-py3-none-manylinux_2_36_x86_64.whl")


def changed(wheel, folder, change, name=None):
    """A copy in which each file went through `change`, which returns its bytes or None to leave it out."""
    made = folder / (name or wheel.name)
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(made, "w") as target:
        for entry in source.namelist():
            content = change(entry, source.read(entry))
            if content is not None:
                target.writestr(entry, content)
    return made


@pytest.mark.parametrize("change, name, why", [
    (lambda n, c: c, "symphony_ipc-0.1.0-py3-none-any.whl", "another tag"),
    (lambda n, c: None if n.endswith("py.typed") else c, None, "py.typed is not in it"),
    (lambda n, c: None if n.endswith(".so.1") else c, None, "libsymphony.so.1 is not in it"),
    (lambda n, c: None if n.endswith("entry_points.txt") else c, None, "pytest11"),
    (lambda n, c: c.replace(b"Purelib: false", b"Purelib: true"), None, "pure Python"),
    (lambda n, c: pathlib.Path("/usr/bin/python3").read_bytes() if n.endswith(".so.1") else c, None, "needs lib"),
    (lambda n, c: c.replace(b"GLIBC_2.34\0", b"GLIBC_2.99\0") if n.endswith(".so.1") else c, None, "needs glibc 2.99"),
])
def test_what_would_not_run_where_its_tag_says_is_found(wheel, tmp_path, change, name, why):
    assert check(wheel).returncode == 0
    checked = check(changed(wheel, tmp_path, change, name))
    assert checked.returncode == 1 and why in checked.stderr, checked.stderr


def test_the_tool_says_what_is_missing(tmp_path):
    missing = subprocess.run([str(ROOT / "tools" / "wheel"), "--build", str(tmp_path)], capture_output=True, text=True, timeout=60, check=False)
    assert missing.returncode == 1 and "build it first" in missing.stderr
    unknown = subprocess.run([str(ROOT / "tools" / "wheel"), "--wheels"], capture_output=True, text=True, timeout=60, check=False)
    assert unknown.returncode == 2 and "--help" in unknown.stderr
