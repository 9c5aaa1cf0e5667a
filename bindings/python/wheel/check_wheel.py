#!/usr/bin/env python3
"""What auditwheel would look at, which Debian 12 has not: that a wheel runs where its tag says.   usage: check_wheel.py WHEEL

Exit status 1: it would not, and stderr says why."""
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

GLIBC_MAX = (2, 36)  # of the tag
NEEDED = {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"}
LIBRARY = "symphony_ipc/_lib/libsymphony.so.1"
WANTED = {"symphony_ipc/__init__.py", "symphony_ipc/py.typed", "symphony_ipc/testing.py", LIBRARY}


def faults(wheel):
    """One line each."""
    name = pathlib.Path(wheel).name
    if not re.fullmatch(r"symphony_ipc-[\d.]+-py3-none-manylinux_2_36_x86_64\.whl", name):
        yield f"its name says another tag: {name}"
    with zipfile.ZipFile(wheel) as packed, tempfile.TemporaryDirectory() as folder:
        names = set(packed.namelist())
        for missing in sorted(WANTED - names):
            yield f"{missing} is not in it"
        libraries = [n for n in names if re.search(r"\.so(\.|$)", n)]
        for other in sorted(set(libraries) - {LIBRARY}):
            yield f"{other}: one library is in it, and no other"
        if not any(n.endswith(".dist-info/entry_points.txt") and b"pytest11" in packed.read(n) for n in names):
            yield "pytest would not find the fixtures: no entry point pytest11"
        if any(n.endswith(".dist-info/WHEEL") and b"Root-Is-Purelib: true" in packed.read(n) for n in names):
            yield "it says that it is pure Python"
        if LIBRARY not in names:
            return
        said = subprocess.run(["readelf", "-W", "-h", "-d", "-V", packed.extract(LIBRARY, folder)], capture_output=True, text=True, check=True).stdout
        for other in sorted(set(re.findall(r"\(NEEDED\).*\[(.*)\]", said)) - NEEDED):
            yield f"the library needs {other}, which not every system has: link it in"
        for path in re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", said):
            if path != "$ORIGIN":
                yield f"the library looks for others in {path}"
        if "X86-64" not in said:
            yield "the library is for another machine"
        versions = {tuple(map(int, v.split("."))) for v in re.findall(r"GLIBC_(\d[\d.]*)", said)}
        if versions and max(versions) > GLIBC_MAX:
            yield f"the library needs glibc {'.'.join(map(str, max(versions)))}, and the tag says {'.'.join(map(str, GLIBC_MAX))}"


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    found = list(faults(sys.argv[1]))
    for fault in found:
        print(f"{sys.argv[1]}: {fault}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
