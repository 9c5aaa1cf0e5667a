"""Figure files (one JSON object each): read, judged and, for scripts, written.

As a program: writes one figure.   python3 tools/figure.py --name test.seconds --value 12 --unit s --n 1
"""
import argparse
import json
import math
import os
import pathlib
import platform
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build/release/figures"
NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
FIELDS = {"name", "value", "of", "unit", "n", "seed", "commit", "seconds", "host", "note"}


def commit():
    """This tree's commit, as cmake/WriteCommit.cmake writes it."""
    def git(*words):
        run = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
        return run.stdout.strip() if run.returncode == 0 else None
    head = git("rev-parse", "--verify", "HEAD")
    return head + ("-dirty" if git("status", "--porcelain", "--untracked-files=no") else "") if head else "unknown"


def host():
    cpu = platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                cpu = line.split(": ", 1)[1].strip()
                break
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "kernel": platform.release()}


def is_number(x):
    return isinstance(x, (int, float)) and not isinstance(x, bool) and math.isfinite(x)


def faults(figure):
    """What makes a figure unusable, as a list of short texts."""
    if not isinstance(figure, dict):
        return ["not a JSON object"]
    found = [f"no {field}" for field in sorted(FIELDS - figure.keys())]
    rules = [
        ("name", isinstance(figure.get("name"), str) and NAME.fullmatch(figure["name"]), "not a name"),
        ("value", is_number(figure.get("value")), "not a finite number"),
        ("of", figure.get("of") is None or is_number(figure["of"]), "neither null nor a number"),
        ("unit", isinstance(figure.get("unit"), str) and figure["unit"], "empty"),
        ("n", isinstance(figure.get("n"), int) and not isinstance(figure["n"], bool) and figure["n"] >= 1, "not a count from 1"),
        ("seed", figure.get("seed") is None or isinstance(figure["seed"], int), "neither null nor an integer"),
        ("commit", isinstance(figure.get("commit"), str) and figure["commit"], "empty"),
        ("seconds", is_number(figure.get("seconds")) and figure["seconds"] >= 0, "not a duration"),
        ("host", isinstance(figure.get("host"), dict) and {"cpu", "cores", "kernel"} <= figure["host"].keys(),
         "without cpu, cores and kernel"),
        ("note", isinstance(figure.get("note"), str), "not a text"),
    ]
    return found + [f"{field}: {what}" for field, right, what in rules if field in figure and not right]


def read(folder):
    """(file name, figure or None, faults) of each file of a folder."""
    for path in sorted(pathlib.Path(folder).glob("*.json")):
        try:
            figure = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            yield path.name, None, [f"not readable as JSON: {error}"]
            continue
        found = faults(figure)
        if not found and path.name != figure["name"] + ".json":
            found = [f"its name is {figure['name']}, not the file's"]
        yield path.name, figure if isinstance(figure, dict) else None, found


def write(folder, figure):
    """Writes by rename; ValueError if the figure breaks a rule."""
    figure = {**figure, "commit": commit(), "host": host()}
    wrong = faults(figure)
    if wrong:
        raise ValueError("; ".join(wrong))
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{figure['name']}.{os.getpid()}"
    draft.write_text(json.dumps(figure) + "\n", encoding="utf-8")
    draft.rename(folder / f"{figure['name']}.json")


def main():
    parser = argparse.ArgumentParser(description="Writes one figure file; tools/figures prints them.")
    parser.add_argument("--dir", default=FOLDER)
    parser.add_argument("--name", required=True)
    parser.add_argument("--value", type=float, required=True)
    parser.add_argument("--of", type=float)
    parser.add_argument("--unit", required=True)
    parser.add_argument("--n", type=int, required=True)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--note", default="")
    given = vars(parser.parse_args())
    try:
        write(given.pop("dir"), given)
    except (OSError, ValueError) as error:
        print(f"figure.py: error: {error}; the figure was not written", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
