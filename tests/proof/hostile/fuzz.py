#!/usr/bin/env python3
"""libFuzzer with AddressSanitizer and UBSan over the hostile sessions, from the committed corpus on; long lane.

usage: fuzz.py BUILD_FOLDER [--seconds N] [--keep]
  --keep   the smallest inputs of the same coverage replace the corpus
Status 77: not run, because SYMPHONY_LONG is not set or clang 14 is not there.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
CORPUS = HERE / "corpus.txt"  # an input a line, in hexadecimal
FLAGS = ["-std=c++20", "-O1", "-g1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all"]
INPUT_SIZE_MAX = 512
WITHOUT_LEAKS = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}  # nothing allocates; where ptrace is denied it fails


def build(folder):
    program = folder / "fuzz_hostile"
    subprocess.run(["clang++-14", *FLAGS, f"-I{ROOT}", f"-I{ROOT}/bus/include", str(HERE / "fuzz_target.cpp"),
                    str(HERE / "wake.cpp"), "-o", str(program)], check=True)
    return program


def fuzz(program, seconds, corpus, found):
    """Runs from the corpus; new inputs go to `found`. Returns what libFuzzer said at its end."""
    run = subprocess.run([str(program), f"-max_total_time={seconds}", f"-max_len={INPUT_SIZE_MAX}", "-print_final_stats=1",
                          f"-artifact_prefix={found.parent}/", str(found), str(corpus)],
                         capture_output=True, text=True, check=False, env=WITHOUT_LEAKS)
    if run.returncode != 0:
        sys.exit(f"fuzz.py: a violation, or a sanitizer's report:\n{run.stderr[-6000:]}")
    return run.stderr


def keep(program, corpus, found):
    smallest = found.parent / "smallest"
    smallest.mkdir()
    subprocess.run([str(program), "-merge=1", "-use_counters=0", str(smallest), str(corpus), str(found)], check=True, env=WITHOUT_LEAKS,
                   stderr=subprocess.DEVNULL)
    CORPUS.write_text("".join(sorted(path.read_bytes().hex() + "\n" for path in smallest.iterdir())), encoding="ascii")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=100)
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    if "SYMPHONY_LONG" not in os.environ or shutil.which("clang++-14") is None:
        print("not run: SYMPHONY_LONG is not set, or there is no clang++-14")
        sys.exit(77)
    program = build(given.build)
    with tempfile.TemporaryDirectory() as held:
        corpus, found = pathlib.Path(held) / "corpus", pathlib.Path(held) / "found"
        corpus.mkdir()
        found.mkdir()
        for number, line in enumerate(CORPUS.read_text(encoding="ascii").split()):
            (corpus / str(number)).write_bytes(bytes.fromhex(line))
        said = fuzz(program, given.seconds, corpus, found)
        if given.keep:
            keep(program, corpus, found)
    executed = int(re.search(r"number_of_executed_units: (\d+)", said)[1])
    edges = re.findall(r"cov: (\d+)", said)[-1]
    if executed < 1000:
        sys.exit(f"fuzz.py: only {executed} inputs were run")
    subprocess.run([sys.executable, str(ROOT / "tools/figure.py"), "--dir", str(given.build.parents[2] / "figures"), "--name",
                    "ring.hostile_inputs", "--value", str(executed), "--unit", "inputs", "--n", str(executed), "--seconds",
                    str(given.seconds), "--note", f"libFuzzer, ASan and UBSan, {edges} edges, 0 violations"], check=True)
    print(f"{executed} inputs, {edges} edges")


if __name__ == "__main__":
    main()
