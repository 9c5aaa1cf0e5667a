#!/usr/bin/env python3
"""Each ordered access of ring and link is the instruction it must be on 64-bit ARM; long lane.

usage: aarch64_test.py [FIGURES]
Compiles ring_sites.cpp for three levels of the architecture, with GCC and with clang, reads the access between each pair
of marks, and compares with sites.txt; then the same with each mutant, which must differ. Status 77: not run.
"""
import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import figure  # noqa: E402

FLAGS = ["-std=c++20", "-O2", "-Wall", "-Wextra", "-Werror", "-fno-stack-protector", f"-I{ROOT}", f"-I{ROOT}/bus/include"]
LEVELS = ["armv8-a", "armv8.1-a", "armv8.3-a+rcpc"]
GCC = ["aarch64-linux-gnu-g++"]
CLANG = ["clang++-14", "--target=aarch64-linux-gnu", "-mllvm", "-inline-threshold=100000"]  # its flatten is not deep
MEMORY = re.compile(r"\s+((?:ld|st|swp|cas)\w*)\s")
ORDERED = ("stlr", "ldar", "ldapr")


def site_names():
    body = re.search(r"enum class Site[^{]*\{(.*?)\};", (ROOT / "bus/ring/mem.hpp").read_text(encoding="utf-8"), re.S)[1]
    return re.findall(r"(\w+),", re.sub(r"//[^\n]*", "", body))


def read_table():
    wanted = {}
    for line in (HERE / "sites.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            function, access, site, instructions = line.split()
            wanted[function, access, site] = instructions
    return wanted


def assembly(compiler, level, *flags):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "sites.s"
        subprocess.run([*compiler, f"-march={level}", *flags, *FLAGS, "-S", str(HERE / "ring_sites.cpp"), "-o", str(out)],
                       check=True)
        return out.read_text(encoding="utf-8")


def accesses(text, names):
    """(function, access, site) -> instructions, of marked assembly."""
    found, function, mark, inside = collections.defaultdict(list), None, None, []
    for line in text.splitlines():
        label = re.match(r"(\w+):", line)
        if label:
            function = label[1]
        begin = re.search(r"// @(load|store) (\d+)", line)
        if begin:
            mark, inside = (function, begin[1], names[int(begin[2])]), []
        elif "// @end" in line and mark:
            found[mark].append(" ".join(inside))
            mark = None
        elif mark and MEMORY.match(line):
            inside.append(MEMORY.match(line)[1].replace("stur", "str").replace("ldur", "ldr"))
    return found


def compare(found, wanted):
    """What is wrong, as texts."""
    for key in sorted(wanted.keys() | found.keys()):
        name = " ".join(key)
        if key not in wanted:
            yield f"{name}: not in sites.txt"
        elif key not in found:
            yield f"{name}: no such access in the assembly"
        else:
            here, both = set(found[key]), "+" in wanted[key]
            if here != set(wanted[key].split("+")) if both else here - set(wanted[key].split("|")):
                yield f"{name}: `{' '.join(sorted(here))}` where {wanted[key]} is wanted"


def shipped(compiler, level):
    """How many ordered instructions the code without marks has, from its object file; no outlined atomics."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "sites.o"
        subprocess.run([*compiler, f"-march={level}", *FLAGS, "-c", str(HERE / "ring_sites.cpp"), "-o", str(out)], check=True)
        text = subprocess.run(["aarch64-linux-gnu-objdump", "-dr", str(out)], capture_output=True, text=True, check=True).stdout
    if "__aarch64_" in text:
        sys.exit("the object file calls outlined atomics, which nobody looked at")
    found = collections.defaultdict(set)
    for part in re.split(r"\n(?=[0-9a-f]{16} <)", text):
        head = re.match(r"[0-9a-f]{16} <(\w+)>", part)
        if head:
            found[head[1]] |= {word for word in ORDERED if re.search(rf"\t{word}\t", part)}
    return found


def judge(compiler, level, names, wanted):
    found = accesses(assembly(compiler, level, "-DSYMPHONY_MARKED"), names)
    wrong = list(compare(found, wanted))
    bare = shipped(compiler, level)
    for function in sorted({key[0] for key in wanted}):
        marked = {word for key, words in found.items() if key[0] == function for word in words if word in ORDERED}
        if bare[function] != marked:
            wrong.append(f"{function}: {sorted(bare[function])} in the object file, {sorted(marked)} where it is marked")
    return [f"{compiler[0]} -march={level}: {text}" for text in wrong]


def surviving(names, wanted):
    """(mutants, those that GCC's code does not show)."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-B", str(HERE.parent / "support/mutate.py"), str(ROOT), str(HERE / "mutants.txt"),
                        folder], check=True)
        mutants = re.findall(r'"(\w+)"', (pathlib.Path(folder) / "mutants.hpp").read_text(encoding="utf-8"))
        alive = []
        for number, name in enumerate(mutants):
            flags = ["-DSYMPHONY_MARKED", f"-DSYMPHONY_MUTANT={number}", f"-I{folder}"]
            wrong = list(compare(accesses(assembly(GCC, LEVELS[-1], *flags), names), wanted))
            print(f"{name}: {wrong[0] if wrong else 'NOT CAUGHT'}")
            alive += [] if wrong else [name]
        return mutants, alive


def main():
    if "SYMPHONY_LONG" not in os.environ:
        print("not run: SYMPHONY_LONG is not set")
        sys.exit(77)
    for program in (GCC[0], CLANG[0]):
        if shutil.which(program) is None:
            print(f"not run: there is no {program}")
            sys.exit(77)
    begun = time.monotonic()
    names, wanted = site_names(), read_table()
    wrong = [text for compiler in (GCC, CLANG) for level in LEVELS for text in judge(compiler, level, names, wanted)]
    mutants, alive = surviving(names, wanted)
    wrong += [f"mutant {name} changes no instruction that is looked at" for name in alive]
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(wanted)} sites, {len(LEVELS)} levels, 2 compilers")
    total = len(wanted) * len(LEVELS) * 2
    figure.write(sys.argv[1] if len(sys.argv) > 1 else figure.FOLDER,
                 {"name": "ring.aarch64_sites", "value": total, "of": total, "unit": "sites", "n": total, "seed": None,
                  "seconds": time.monotonic() - begun,
                  "note": f"{len(wanted)} sites, {', '.join(LEVELS)}, GCC 12 and clang 14; {len(mutants)} mutants caught; not run on ARM"})


if __name__ == "__main__":
    main()
