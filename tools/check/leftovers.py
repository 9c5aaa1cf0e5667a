#!/usr/bin/env python3
"""Nothing unfinished, nothing of one machine, no untidy white space, no file that holds two ideas."""
import re

import repo

# Spelled in two halves so that this file does not find itself.
WORDS = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b|(?i:\bnot (?:yet )?imple" + r"mented\b|\bplace" + r"holder\b)")
PATHS = re.compile(r"(?<![\w.$}~-])/(?:ro" + r"ot|home/\w+|wo" + r"rk|Users/\w+)/")
CONFLICT = re.compile(r"^(?:<{7} |={7}$|>{7} )", re.M)
LINES_MAX = 600
SAMPLES = "tests/samples/"  # other programs' formats, kept as they are


def check(tree):
    found = []
    for path, text in sorted(tree.files.items()):
        if path.startswith(SAMPLES) or path == "LICENSE":
            continue
        for number, line in enumerate(text.split("\n"), 1):
            where = f"{path}:{number}: "
            if WORDS.search(line):
                found.append(where + f"'{WORDS.search(line).group()}': do it, or take it out")
            if PATHS.search(line):
                found.append(where + f"'{PATHS.search(line).group()}': a path of one machine; make it relative or configurable")
            if line != line.rstrip():
                found.append(where + "white space at the end of the line; remove it")
            if "\t" in line:
                found.append(where + "a tab; write spaces")
        if CONFLICT.search(text):
            found.append(f"{path}:{text.count(chr(10), 0, CONFLICT.search(text).start()) + 1}: a conflict marker; resolve it")
        if text and not text.endswith("\n"):
            found.append(f"{path}:{text.count(chr(10)) + 1}: no newline at the end of the file; add it")
        if path.endswith(repo.CPP) and text.count("\n") > LINES_MAX:
            found.append(f"{path}:{LINES_MAX}: {text.count(chr(10))} lines; past {LINES_MAX} there is a second idea: split it")
    return found


def planted(text, expected, path="bus/x.cpp"):
    return {path: text}, expected


CASES = [
    planted("int x;\n", None),
    planted("// TO" + "DO: later\n", "do it, or take it out"),
    planted("// FIX" + "ME\n", "do it, or take it out"),
    planted("# XX" + "X\n", "do it", "tools/x.py"),
    planted("throw \"Not imple" + "mented\";\n", "do it"),
    planted("a place" + "holder\n", "do it", "docs/x.md"),
    planted("std::placeholders::_1;\n", None),
    planted("see /home/some" + "one/notes\n", "a path of one machine", "README.md"),
    planted("cd /ro" + "ot/symphony\n", "a path of one machine", "tools/x"),
    planted("https://example.org/home/" + "page/\n", None, "README.md"),
    planted("<<<<<<" + "< HEAD\n", "a conflict marker"),
    planted("int x; \n", "white space at the end"),
    planted("\tint x;\n", "a tab"),
    planted("int x;", "no newline"),
    planted("int x;\n" * 601, "split it"),
    planted("int x;\n" * 600, None),
    planted("Depends: a \n\tb", None, "tests/samples/status"),
]

if __name__ == "__main__":
    repo.main(check, CASES)
