#!/usr/bin/env python3
"""C++ stands as clang-format 14 writes it (.clang-format); not run where that version is not installed."""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import repo

TOOL = "clang-format-14"
BATCH = 40  # files for one start of the tool, which takes longer than a file


def judge(folder, paths):
    """What is wrong with these files below a folder: the first line of each that the tool would write otherwise."""
    run = subprocess.run([TOOL, "--style=file", "--dry-run", "-Werror", *paths], capture_output=True, cwd=folder, check=False)
    lines = {}
    for path, line in re.findall(r"^(.+?):(\d+):\d+: error: ", run.stderr.decode("utf-8", "surrogateescape"), re.M):
        lines.setdefault(path, line)
    if run.returncode != 0 and not lines:
        return [f"{paths[0]}:1: {TOOL} could not read it or one of the {len(paths) - 1} behind it; run it by hand"]
    return [f"{path}:{line}: not as {TOOL} writes it; run: {TOOL} -i {path}" for path, line in lines.items()]


def check(tree):
    with tempfile.TemporaryDirectory() as name, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        folder = pathlib.Path(name)
        shutil.copy(repo.ROOT / ".clang-format", folder)
        for path, text in tree.cpp().items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(text.encode("utf-8", "surrogateescape"))
        paths = sorted(tree.cpp())
        batches = [paths[i:i + BATCH] for i in range(0, len(paths), BATCH)]
        return [wrong for found in pool.map(lambda batch: judge(folder, batch), batches) for wrong in found]


CASES = [
    ({"bus/ring/x.cpp": "int f() { return 1; }\n"}, None),
    ({"bus/ring/x.cpp": "int f() { return 1; }\nint  g( )\n{ return 2; }\n"}, "bus/ring/x.cpp:2: not as"),
    # Two in one start of the tool: the first does not hide the second.
    ({"bus/ring/x.cpp": "int  f();\n", "bus/ring/y.cpp": "int f();\n", "bus/ring/z.hpp": "\nint  f();\n"}, "bus/ring/z.hpp:2: not as"),
]

if __name__ == "__main__":
    if not shutil.which(TOOL):
        print(f"not run: {TOOL} is not installed")
        sys.exit(repo.NOT_RUN)
    repo.main(check, CASES)
