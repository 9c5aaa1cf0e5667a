#!/usr/bin/env python3
"""C++ stands as clang-format 14 writes it (.clang-format); not run where that version is not installed."""
import concurrent.futures
import os
import shutil
import subprocess
import sys

import repo

TOOL = "clang-format-14"


def formatted(path, text):
    """What the tool makes of a text, with the style that holds for its path."""
    run = subprocess.run([TOOL, f"--assume-filename={path}", "--style=file"], input=text.encode("utf-8", "surrogateescape"),
                         capture_output=True, cwd=repo.ROOT, check=False)
    return run.stdout.decode("utf-8", "surrogateescape") if run.returncode == 0 else None


def judge(item):
    path, text = item
    wanted = formatted(path, text)
    if wanted is None:
        return f"{path}:1: {TOOL} could not read it; run it by hand"
    pairs = zip(text.split("\n") + [None], wanted.split("\n") + [None])
    line = next((n for n, (is_, should) in enumerate(pairs, 1) if is_ != should), None)
    return f"{path}:{line}: not as {TOOL} writes it; run: {TOOL} -i {path}" if line else None


def check(tree):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [wrong for wrong in pool.map(judge, tree.cpp().items()) if wrong]


CASES = [
    ({"bus/ring/x.cpp": "int f() { return 1; }\n"}, None),
    ({"bus/ring/x.cpp": "int f() { return 1; }\nint  g( )\n{ return 2; }\n"}, "bus/ring/x.cpp:2: not as"),
]

if __name__ == "__main__":
    if not shutil.which(TOOL):
        print(f"not run: {TOOL} is not installed")
        sys.exit(repo.NOT_RUN)
    repo.main(check, CASES)
