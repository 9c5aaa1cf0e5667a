#!/usr/bin/env python3
"""Writes headers with mutants that can be switched on, for tests only.

usage: mutate.py ROOT TABLE OUT

A table has a paragraph for each mutant; `@on@` stands for "this mutant is chosen":

  mutant no_check_of_size in bus/ring/record.hpp
  find  stride > room
  with  (!@on@ && stride > room)

`find` must stand exactly once in the header (white space counts as one blank). The mutants of one table must not overlap.
OUT gets the headers under their own paths and mutants.hpp with the names; who compiles with -DSYMPHONY_MUTANT=n has
mutant n for good, others choose while running.
"""
import pathlib
import re
import sys

MUTANTS = """// Written by tests/proof/support/mutate.py.
#pragma once

namespace symphony::mutants {{

inline constexpr const char* names[] = {{{names}}};
#ifdef SYMPHONY_MUTANT
inline constexpr int chosen = SYMPHONY_MUTANT;
#else
inline int chosen = -1;  // none
#endif

}}  // namespace symphony::mutants
"""


def read_table(text):
    """(name, path, find, with) of each paragraph."""
    for paragraph in re.split(r"\n\s*\n", text):
        lines = [line for line in paragraph.splitlines() if line.strip() and not line.startswith("#")]
        if not lines:
            continue
        head = re.fullmatch(r"mutant (\w+) in (\S+)", lines[0])
        parts = {}
        for line in lines[1:]:
            if re.match(r"(find|with)\b", line):
                key, _, value = line.partition(" ")
                parts[key] = value.strip()
            else:
                parts[key] += " " + line.strip()
        if head is None or parts.keys() != {"find", "with"}:
            raise ValueError(f"not a mutant: {paragraph!r}")
        yield head[1], head[2], parts["find"], parts["with"]


def plant(text, number, find, replacement, where):
    pattern = r"\s+".join(re.escape(word) for word in find.split())
    found = len(re.findall(pattern, text))
    if found != 1:
        raise ValueError(f"{where}: its text stands {found} times in the header, not once; adapt the table")
    changed = replacement.replace("@on@", f"(::symphony::mutants::chosen == {number})")
    return re.sub(pattern, lambda _: changed, text)


def main():
    root, table, out = map(pathlib.Path, sys.argv[1:])
    mutants = list(read_table(table.read_text(encoding="utf-8")))
    headers = {}
    for number, (name, path, find, replacement) in enumerate(mutants):
        text = headers.get(path) or (root / path).read_text(encoding="utf-8")
        headers[path] = plant(text, number, find, replacement, f"{table}: {name} in {path}")
    for path, text in headers.items():
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        text = text.replace("#pragma once\n", '#pragma once\n\n#include "mutants.hpp"\n', 1)
        target.write_text(f'{text}', encoding="utf-8")
    names = ", ".join(f'"{name}"' for name, *_ in mutants)
    (out / "mutants.hpp").write_text(MUTANTS.format(names=names), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        print(f"mutate.py: error: {error}", file=sys.stderr)
        sys.exit(1)
