#!/usr/bin/env python3
"""ThreadSanitizer reports each weakened order of the ring, and nothing where none is weakened.

usage: race_canary_test.py PROGRAM [FIGURES]
"""
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))
import figure  # noqa: E402

CANARIES = ["header_store", "header_load", "freed_store", "freed_load", "plain"]
REPORTED = 66  # the exit status that we ask of ThreadSanitizer
OPTIONS = {**os.environ, "TSAN_OPTIONS": f"exitcode={REPORTED} halt_on_error=1"}


def run(program, mode):
    return subprocess.run([program, mode], capture_output=True, text=True, check=False, timeout=100, env=OPTIONS)


def main():
    program, figures = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else figure.FOLDER
    begun = time.monotonic()
    wrong = []
    sound = run(program, "none")
    if sound.returncode != 0 or "0 wrong" not in sound.stdout:
        wrong.append(f"the ring as it is: status {sound.returncode}\n{sound.stdout}{sound.stderr[-3000:]}")
    seen = 0
    for mode in CANARIES:
        canary = run(program, mode)
        reported = canary.returncode == REPORTED and "data race" in canary.stderr
        # Where an order is missing, what races is the bytes of a record.
        reported &= mode == "plain" or "copy_in" in canary.stderr or "memcpy" in canary.stderr
        seen += reported
        print(f"{mode}: {'reported' if reported else 'NOT REPORTED'}")
        if not reported:
            wrong.append(f"{mode}: status {canary.returncode}\n{canary.stdout}{canary.stderr[-2000:]}")
    figure.write(figures, {"name": "ring.tsan_canary", "value": seen, "of": len(CANARIES), "unit": "races", "n": len(CANARIES),
                           "seed": None, "seconds": time.monotonic() - begun,
                           "note": "weakened orders that ThreadSanitizer reported; the ring as it is: "
                                   + ("nothing" if sound.returncode == 0 else "REPORTED")})
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
