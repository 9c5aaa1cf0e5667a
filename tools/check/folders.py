#!/usr/bin/env python3
"""Each folder of a layer says what it is for, has its mirror under tests/unit, and each decision stands in the list."""
import posixpath
import re

import layers
import repo

DECISIONS = "docs/decisions/"


def folders_of(tree, table):
    """(folder, row) of each layer folder that holds C++."""
    for path in tree.files:
        if path.endswith(repo.CPP) and not path.startswith(layers.PUBLIC):
            layer, folder = layers.layer_of(path, table)
            if layer:
                yield folder, layer


def check(tree):
    table = layers.read_table(tree.files["tools/check/layers.txt"])[0]
    found = []
    for folder, layer in sorted(set(folders_of(tree, table))):
        if f"{folder}/README.md" not in tree.files:
            found.append(f"{folder}:1: no README.md; say what the folder is for, what it may include, where a new thing goes")
        sources = any(p.startswith(folder + "/") and p.endswith((".cpp", ".c", ".hpp")) for p in tree.files)
        mirror = (table[layer].words("tests") or [f"tests/unit/{posixpath.basename(folder)}"])[0]
        if sources and folder.startswith(("bus/", "pits/")) and mirror != "-":
            if not any(p.startswith(mirror + "/") and p.endswith("_test.cpp") for p in tree.files):
                found.append(f"{folder}:1: no tests in {mirror}; add a *_test.cpp there (or `tests` in tools/check/layers.txt)")
    listing = tree.files.get(DECISIONS + "README.md", "")
    for path in sorted(tree.files):
        name = path.removeprefix(DECISIONS)
        if path.startswith(DECISIONS) and name.endswith(".md") and name != "README.md":
            if f"({name})" not in listing:
                found.append(f"{path}:1: not linked from {DECISIONS}README.md; add it there")
            if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", name):
                found.append(f"{path}:1: a decision is named NNNN-in-few-words.md; rename it")
    return found


TABLE = {"tools/check/layers.txt": "layer ring\n folder bus/ring\nlayer pit\n folder pits/*\nlayer odd\n folder bus/odd\n tests tests/unit/ring\n"}
RING = {"bus/ring/x.hpp": "", "bus/ring/README.md": "", "tests/unit/ring/x_test.cpp": ""}


def planted(expected, add=(), drop=()):
    files = {**TABLE, **RING, **dict.fromkeys(add, "")}
    return {path: text for path, text in files.items() if path not in drop}, expected


CASES = [
    planted(None),
    planted("no README.md", drop=["bus/ring/README.md"]),
    planted("no tests in tests/unit/ring", drop=["tests/unit/ring/x_test.cpp"]),
    planted("no tests in tests/unit/dag", add=["pits/dag/x.cpp", "pits/dag/README.md"]),
    planted("pits/dag:1: no README.md", add=["pits/dag/x.cpp", "tests/unit/dag/x_test.cpp"]),
    planted(None, add=["bus/odd/x.cpp", "bus/odd/README.md"]),
    planted("not linked", add=["docs/decisions/0001-one.md", "docs/decisions/README.md"]),
    planted("rename it", add=["docs/decisions/one.md", "docs/decisions/README.md"]),
    ({**TABLE, "docs/decisions/README.md": "[1](0001-one.md)", "docs/decisions/0001-one.md": ""}, None),
]

if __name__ == "__main__":
    repo.main(check, CASES)
