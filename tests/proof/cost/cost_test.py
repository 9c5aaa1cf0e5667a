#!/usr/bin/env python3
"""Instructions, system calls and allocations of the data path, counted, not timed.

usage: cost_test.py instructions|system_calls|allocations PROGRAM FIGURES
Status 77: not run, because valgrind or strace is not there or not permitted.
"""
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
EXPECTED = pathlib.Path(__file__).with_name("expected.txt")
ROUNDS = 20_000    # of push and pop
MESSAGES = 4_000  # there and back
MORE = 1.02        # what is let through
MARK = "getppid("

sys.path.insert(0, str(ROOT / "tools"))
import figure  # noqa: E402


def not_run(why):
    print(f"not run: {why}")
    sys.exit(77)


def run(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    except FileNotFoundError:
        not_run(f"there is no {command[0]}")


def instructions_of(profile):
    """function -> (calls, instructions with all it called), of a file that callgrind wrote."""
    names, total, calls = {}, {}, {}
    current, skip_to = None, False

    def name_of(text):
        number, _, name = re.match(r"\((\d+)\)(\s+(.*))?", text).groups()
        if name:
            names[number] = name.strip()
        return names[number]

    for line in profile.splitlines():
        if line.startswith("fn="):
            current = name_of(line[3:])
        elif line.startswith("cfn="):
            called = name_of(line[4:])
        elif line.startswith("calls="):
            calls[called] = calls.get(called, 0) + int(line[6:].split()[0])
        elif current and re.match(r"[+\-*\d]", line):
            total[current] = total.get(current, 0) + int(line.split()[1])
    return {name: (calls.get(name, 0), total[name]) for name in total}


def count_instructions(program):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "profile"
        done = run("valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", program, str(ROUNDS))
        if done.returncode != 0:
            sys.exit(f"callgrind or the program failed:\n{done.stdout}{done.stderr}")
        counts = instructions_of(out.read_text(encoding="utf-8"))
    for name in ("counted_push", "counted_pop", "publish_by_policy", "publish_by_hand", "take_by_policy", "take_by_hand",
                 "take_with_more"):
        if counts.get(name, (0, 0))[0] != ROUNDS:
            sys.exit(f"{name} was called {counts.get(name, (0, 0))[0]} times, not {ROUNDS}: was it inlined?")
    return {name: total / ROUNDS for name, (_, total) in counts.items() if counts[name][0] == ROUNDS}


def instructions(program, figures):
    begun = time.monotonic()
    counts = count_instructions(program)
    seconds = time.monotonic() - begun
    wrong = []
    for step in ("publish", "take"):
        policy, hand = counts[f"{step}_by_policy"], counts[f"{step}_by_hand"]
        print(f"{step}: {policy} by RealMem, {hand} by hand")
        if policy != hand:
            wrong.append(f"{step} takes {policy} instructions by RealMem, {hand} by hand")
    if counts["take_with_more"] <= counts["take_by_hand"]:
        wrong.append("an access more does not show")
    for line in EXPECTED.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        name, most = line.split()
        here = counts[f"counted_{name}"]
        print(f"{name} of 64 bytes: {here:.2f} instructions, expected {most}")
        if here > float(most) * MORE:
            wrong.append(f"{name} takes {here:.2f} instructions, over {most} by more than 2 %: make it cheaper, or say in "
                         f"the commit why and write the new number into {EXPECTED.name}")
        figure.write(figures, {"name": f"ring.instructions.{name}", "value": round(here, 2), "of": None, "unit": "instructions",
                               "n": ROUNDS, "seed": None, "seconds": seconds,
                               "note": f"64 bytes, callgrind, -O3; committed: {most}; RealMem adds 0 over plain atomics"})
    return wrong


def exchange(mode, program):
    """(system calls within the exchange, allocations) of a run."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "calls"
        done = run("strace", "-f", "-qq", "-o", str(out), program, str(MESSAGES), mode)
        if "ptrace" in done.stderr.lower() and done.returncode != 0:
            not_run(f"strace may not trace here: {done.stderr.strip()[:200]}")
        if done.returncode != 0:
            sys.exit(f"ring_exchange {mode} failed:\n{done.stdout}{done.stderr}")
        inside, calls, marks = set(), 0, 0
        for line in out.read_text(encoding="utf-8").splitlines():
            process, said = line.split(maxsplit=1)
            if said.startswith(MARK):
                marks += 1
                inside ^= {process}
            elif process in inside and not said.startswith(("---", "+++", "<...")):
                calls += 1
        if marks != 4:
            sys.exit(f"{marks} marks of 4: the two processes were not followed")
    return calls


def system_calls(program, figures):
    begun = time.monotonic()
    busy, control = exchange("busy", program), exchange("wakes", program)
    print(f"{busy} system calls in {MESSAGES} messages of spinning processes; {control} where each message wakes")
    figure.write(figures, {"name": "ring.syscalls_per_1000", "value": busy * 1000 / MESSAGES, "of": None, "unit": "calls",
                           "n": MESSAGES, "seed": None, "seconds": time.monotonic() - begun,
                           "note": f"both processes spin; strace; a wake a message shows {control * 1000 / MESSAGES:.0f}"})
    wrong = [f"{busy} system calls while both processes spin"] if busy else []
    return wrong + ([f"the control shows {control} of {MESSAGES} calls"] if control < MESSAGES else [])


def allocations(program, figures):
    begun = time.monotonic()
    counts = {}
    for mode in ("busy", "allocates"):
        done = run(program, str(MESSAGES), mode)
        if done.returncode != 0:
            sys.exit(f"ring_exchange {mode} failed")
        counts[mode] = int(re.search(r"allocations (\d+)", done.stdout)[1])
    print(f"{counts['busy']} allocations in {MESSAGES} messages; {counts['allocates']} where each message allocates")
    figure.write(figures, {"name": "ring.allocations_per_1000", "value": counts["busy"] * 1000 / MESSAGES, "of": None,
                           "unit": "allocations", "n": MESSAGES, "seed": None, "seconds": time.monotonic() - begun,
                           "note": f"operator new of both processes; an allocation a message shows {counts['allocates']}"})
    wrong = [f"{counts['busy']} allocations"] if counts["busy"] else []
    return wrong + (["the control shows too few"] if counts["allocates"] < MESSAGES else [])


def main():
    what, program, figures = sys.argv[1:]
    wrong = {"instructions": instructions, "system_calls": system_calls, "allocations": allocations}[what](program, figures)
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
