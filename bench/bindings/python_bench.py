#!/usr/bin/env python3
"""What a call costs more from Python than from C++: both in turns, in one process.   usage: python_bench.py [BUILD]

Writes the figure python.call_ns_above_cpp.process: the difference of the medians, each turn's on its own, median of all."""
import ctypes
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "release").resolve()
os.environ.setdefault("SYMPHONY_LIBRARY", str(BUILD / "lib" / "libsymphony.so.1"))
sys.path[:0] = [str(ROOT / "bindings" / "python"), str(ROOT / "tools")]
import figure  # noqa: E402
import symphony_ipc  # noqa: E402

TURNS, CALLS = 200, 500
# greeter.Hello with the name "x", padded to 64 bytes as a body that is typical.
HELLO = bytes([12, 0, 0, 0, 8, 0, 8, 0, 4, 0, 0, 0, 8, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0]) + b"x" + bytes(39)


def clock_ns():
    """What reading the clock twice takes, which is part of each time."""
    now = time.monotonic_ns
    times = []
    for _ in range(20_000):
        begun = now()
        times.append(now() - begun)
    return statistics.median(times)


def main():
    module = ctypes.CDLL(str(BUILD / "lib" / "symphony_bench_cpp_caller.so"))
    module.cpp_caller_calls.restype = ctypes.c_uint64
    module.cpp_caller_calls.argtypes = [ctypes.c_uint32, ctypes.c_char_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_void_p]
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/broker.sock"
        manifest = pathlib.Path(folder) / "greeter.toml"
        manifest.write_text(f'name = "greeter"\nfile = "{BUILD / "pits" / "greeter.so"}"\n', encoding="utf-8")
        with subprocess.Popen([BUILD / "bin" / "symphony", "broker", "run", "--socket", path, "--manifest", manifest],
                              stderr=subprocess.DEVNULL) as daemon:
            try:
                measure(module, path)
            finally:
                daemon.terminate()


def measure(module, path):
    begun = time.monotonic()
    hello = symphony_ipc.type_id("greeter.Hello")
    times = (ctypes.c_int64 * CALLS)()
    now, above, cpp_medians = time.monotonic_ns, [], []
    with symphony_ipc.connect(path, timeout=30) as bus, bus.open("greeter") as pit:
        if module.cpp_caller_open(path.encode(), b"greeter") != 0:
            sys.exit("python_bench: the C++ caller found no pit")
        call = pit.call
        clock = clock_ns()
        for turn in range(TURNS + 10):
            if module.cpp_caller_calls(hello, HELLO, len(HELLO), CALLS, times) != CALLS:
                sys.exit("python_bench: a call of the C++ caller failed")
            own = []
            for _ in range(CALLS):
                start = now()
                call(hello, HELLO)
                own.append(now() - start)
            if turn >= 10:  # the first ones warm up
                cpp_medians.append(statistics.median(times))
                above.append(statistics.median(own) - clock - cpp_medians[-1])
        module.cpp_caller_close()
    value = statistics.median(above)
    quartiles = statistics.quantiles(above, n=4)
    note = (f"greeter, 64 bytes in, medians of turns of {CALLS} calls, C++ and Python in turns; C++ median {statistics.median(cpp_medians):.0f} ns; "
            f"quartiles of the difference {quartiles[0]:.0f} and {quartiles[2]:.0f} ns; target 400")
    print(f"python.call_ns_above_cpp.process {value:.0f} ns ({note})")
    figure.write(os.environ.get("SYMPHONY_FIGURES", BUILD / "figures"), {"name": "python.call_ns_above_cpp.process", "value": value, "of": None,
                 "unit": "ns", "n": TURNS * CALLS, "seed": None, "seconds": time.monotonic() - begun, "note": note})


if __name__ == "__main__":
    main()
