#!/usr/bin/env python3
"""`symphony run` beside ninja, in turns.   usage: run_bench.py [--turns N] [--tasks N] [--only ninja|small] [--dry] [SYMPHONY]

Writes the figures conductor.ninja_ratio and conductor.small_tasks_ratio; --dry: prints them only."""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import figure  # noqa: E402

JOBS = 2
SOURCE = pathlib.Path("/usr/src/googletest")


def seconds_of(command, **options):
    begin = time.monotonic()
    run = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    took = time.monotonic() - begin
    if run.returncode != 0:
        sys.exit(f"run_bench: {' '.join(map(str, command))}: status {run.returncode}\n{run.stdout[-2000:]}")
    return took


def turns_of(turns, ours, theirs, prepare):
    """The seconds of each turn: (ours, theirs); who begins changes with each."""
    times = []
    for turn in range(turns):
        one = {}
        for side, command in ((("ours", ours), ("theirs", theirs)) if turn % 2 == 0 else (("theirs", theirs), ("ours", ours))):
            prepare()
            one[side] = seconds_of(command)
        times.append((one["ours"], one["theirs"]))
    return times


def tell(name, times, what, began, dry):
    ratios = sorted(a / b for a, b in times)
    value = statistics.median(ratios)
    note = f"{what}; medians {statistics.median(a for a, _ in times):.3f} s and {statistics.median(b for _, b in times):.3f} s; " \
           f"least {ratios[0]:.3f}, most {ratios[-1]:.3f}"
    print(f"{name:28} {value:8.3f}  {note}")
    if not dry:
        figure.write(os.environ.get("SYMPHONY_FIGURES", figure.FOLDER), {"name": name, "value": round(value, 4), "of": None, "unit": "ratio", "n": len(times), "seed": None,
                                     "seconds": round(time.monotonic() - began, 3), "note": note})


def ninja_ratio(symphony, turns, dry):
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="run-bench-") as folder:
        fresh, build = pathlib.Path(folder) / "fresh", pathlib.Path(folder) / "build"
        subprocess.run(["cmake", "-G", "Ninja", "-S", SOURCE, "-B", build, "-DCMAKE_BUILD_TYPE=Release"], check=True, capture_output=True)
        shutil.copytree(build, fresh, symlinks=True)

        def prepare():
            shutil.rmtree(build)
            shutil.copytree(fresh, build, symlinks=True)
        os.environ["CCACHE_DISABLE"] = "1"
        times = turns_of(turns, [symphony, "run", "--ninja", build, "-j", JOBS], ["ninja", "-C", build, f"-j{JOBS}"], prepare)
    tell("conductor.ninja_ratio", times, f"googletest from nothing, -j{JOBS}, wall time over ninja's", began, dry)


def small_tasks_ratio(symphony, turns, count, dry):
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="run-bench-") as name:
        folder = pathlib.Path(name)
        graph = folder / "graph.json"
        graph.write_text(json.dumps({"task": [{"id": f"t{i}", "command": "true"} for i in range(count)]}))
        outputs = " ".join(f"t{i}" for i in range(count))
        (folder / "build.ninja").write_text("rule r\n  command = true\n" + "".join(f"build t{i}: r\n" for i in range(count)) + f"build all: phony {outputs}\n")

        def prepare():
            for left in (folder / ".ninja_log", folder / ".ninja_deps"):
                left.unlink(missing_ok=True)
        times = turns_of(turns, [symphony, "run", graph, "-j", JOBS], ["ninja", "-C", folder, f"-j{JOBS}", "all"], prepare)
    tell("conductor.small_tasks_ratio", times, f"{count} tasks of true, -j{JOBS}, wall time over ninja's", began, dry)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("symphony", nargs="?", default=ROOT / "build/release/bin/symphony")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--only", choices=["ninja", "small"])
    parser.add_argument("--dry", action="store_true")
    given = parser.parse_args()
    if given.only != "ninja":
        small_tasks_ratio(given.symphony, given.turns, given.tasks, given.dry)
    if given.only != "small":
        ninja_ratio(given.symphony, given.turns, given.dry)


if __name__ == "__main__":
    main()
