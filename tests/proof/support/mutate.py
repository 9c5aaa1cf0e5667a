#!/usr/bin/env python3
"""Writes sources with mutants that can be switched on, for tests only.

usage: mutate.py ROOT TABLE OUT

A table has a paragraph for each mutant; `@on@` stands for "this mutant is chosen":

  mutant no_check_of_size in bus/ring/record.hpp
  find  stride > room
  with  (!@on@ && stride > room)

`find` must stand exactly once in the source (white space counts as one blank). The mutants of one table must not overlap.
A paragraph that begins with `probe` instead of `mutant` is always there: what a test must see, not a mistake; `include
PATH` is a header that the probes need. OUT gets the sources under their own paths and mutants.hpp with the names; who
compiles with -DSYMPHONY_MUTANT=n has mutant n for good, others choose while running.
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
    """(kind, name, path, find, with) of each paragraph; of an include: (kind, path)."""
    for paragraph in re.split(r"\n\s*\n", text):
        lines = [line for line in paragraph.splitlines() if line.strip() and not line.startswith("#")]
        if not lines:
            continue
        if lines[0].startswith("include ") and len(lines) == 1:
            yield lines[0].split()
            continue
        head = re.fullmatch(r"(mutant|probe) (\w+) in (\S+)", lines[0])
        parts = {}
        for line in lines[1:]:
            if re.match(r"(find|with)\b", line):
                key, _, value = line.partition(" ")
                parts[key] = value.strip()
            else:
                parts[key] += " " + line.strip()
        if head is None or parts.keys() != {"find", "with"}:
            raise ValueError(f"not a mutant: {paragraph!r}")
        yield head[1], head[2], head[3], parts["find"], parts["with"]


def plant(text, number, find, replacement, where):
    pattern = r"\s+".join(re.escape(word) for word in find.split())
    found = len(re.findall(pattern, text))
    if found != 1:
        raise ValueError(f"{where}: its text stands {found} times there, not once; adapt the table")
    changed = replacement.replace("@on@", f"(::symphony::mutants::chosen == {number})")
    return re.sub(pattern, lambda _: changed, text)


def main():
    root, table, out = map(pathlib.Path, sys.argv[1:])
    rows = list(read_table(table.read_text(encoding="utf-8")))
    includes = ["mutants.hpp", *(row[1] for row in rows if row[0] == "include")]
    names = [name for kind, name, *_ in rows if kind == "mutant"]
    sources = {}
    for kind, name, path, find, replacement in (row for row in rows if row[0] != "include"):
        text = sources.get(path) or (root / path).read_text(encoding="utf-8")
        number = names.index(name) if kind == "mutant" else -1
        sources[path] = plant(text, number, find, replacement, f"{table}: {name} in {path}")
    for path, text in sources.items():
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        head = "".join(f'#include "{header}"\n' for header in includes)
        if "#pragma once\n" in text:
            text = text.replace("#pragma once\n", "#pragma once\n\n" + head, 1)
        else:
            text = head + text
        target.write_text(text, encoding="utf-8")
    listed = ", ".join(f'"{name}"' for name in names)
    (out / "mutants.hpp").write_text(MUTANTS.format(names=listed), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        print(f"mutate.py: error: {error}", file=sys.stderr)
        sys.exit(1)
