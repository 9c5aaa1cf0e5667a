#!/usr/bin/env python3
"""Includes go down the layers only, as tools/check/layers.txt says; third-party code stays where it is allowed."""
import fnmatch
import posixpath
import re

import repo

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:<([^>\n]+)>|"([^"\n]+)")', re.M)
SYSTEM_FOLDERS = {"sys", "linux", "arpa", "net", "netinet", "asm", "sanitizer", "symphony"}
PUBLIC = "bus/include/symphony/"
GENERATED = "generated"
CPP_TEST = "_test.cpp"


class Layer(dict):
    """One paragraph of layers.txt: key -> words."""

    def words(self, key):
        return self.get(key, [])


def read_table(text):
    layers, third, only, current = {}, {}, {}, None
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] == "layer":
            current = layers.setdefault(words[1], Layer())
        elif words[0] == "generated":
            only.setdefault(GENERATED, []).extend(words[1:])
        elif words[0] == "only":
            only[words[1]] = words[2:]
        elif words[0] == "third" and not line[0].isspace():
            third[words[1]] = tuple(words[2:])
        else:
            current[words[0]] = words[1:]
    return layers, third, only


def layer_of(path, layers):
    """The layer that a file belongs to, and its folder; (None, None) if nobody claims it."""
    if path.startswith(PUBLIC):
        name = path[len(PUBLIC):]
        for layer, row in layers.items():
            if any(fnmatch.fnmatch(name, glob) for glob in row.words("public")):
                return layer, PUBLIC
        return None, None
    best = (None, None, (-1, False))
    for layer, row in layers.items():
        for folder in row.words("folder"):
            parts = path.split("/")[:folder.count("/") + 1]
            exact = not folder.endswith("*")  # a folder's own row before one for any folder
            if len(parts) < path.count("/") + 1 and fnmatch.fnmatch("/".join(parts), folder):
                best = max(best, (layer, "/".join(parts), (len(parts), exact)), key=lambda b: b[2])
    return best[0], best[1]


def resolve(name, quoted, path, tree):
    """The file of this repository that an include names, or None."""
    if quoted:
        for candidate in (name, posixpath.normpath(posixpath.join(posixpath.dirname(path), name))):
            if candidate in tree.files:
                return candidate
    return next((p for p in tree.files if p.endswith("/include/" + name)), None)


def judge(path, name, quoted, tree, table):
    """What is wrong with one include, or None."""
    layers, third, only = table
    layer, folder = layer_of(path, layers)
    row = layers[layer]
    target = resolve(name, quoted, path, tree)
    allowed = set(row.words("uses")) | {layer}
    if path.startswith("tests/unit/"):  # the layer under test, and what it may see itself
        under = next((x for x in layers if x.split("/")[-1] == path.split("/")[2]), None)
        if under and "*" not in layers[under].words("uses"):
            public = {"public"} if path.endswith(CPP_TEST) else set()
            lower = layers[under].words("uses") + layers[under].words("tested-with")
            allowed = {under, "tests", "bench", "schemas", "contract", *lower} | public
    if target is None and name.endswith("_generated.h"):
        return None if allowed & {"schemas", "*"} else "may not include generated messages"
    if target is None and name in only.get(GENERATED, []):
        return None
    if target is None:
        return judge_foreign(path, name, quoted, row, third, only)
    other, home = layer_of(target, layers)
    if other is None:
        return f"includes {target}, which belongs to no layer; name it in tools/check/layers.txt"
    if other == layer:  # `pits/*` is many layers
        same = home == folder or PUBLIC in (home, folder) or not any(f.endswith("*") for f in row.words("folder"))
        return None if same else f"may not include another pit's {target}"
    if "*" in allowed or other in allowed or ("public" in allowed and target.startswith(PUBLIC)):
        return None
    return f"({layer}) may not include {target} ({other}); it may use: {' '.join(sorted(allowed))}"


def judge_foreign(path, name, quoted, row, third, only):
    base = path.split("/")[-1]
    for library, prefixes in third.items():
        if name.startswith(prefixes):
            for spec in row.words("third"):
                allowed, _, glob = spec.partition(":")
                if allowed == library and fnmatch.fnmatch(base, glob or "*"):
                    return None
            return f"may not include {library} ({name}) here; see `third` in tools/check/layers.txt"
    if quoted or ("/" in name and name.split("/")[0] not in SYSTEM_FOLDERS) or name.startswith("symphony/"):
        return f"includes {name}, which is neither in the tree nor a known library; mend the path or add it to layers.txt"
    if path in only and name not in only[path]:
        return f"may include only {' '.join(only[path])}, not {name}"
    return None


def check(tree):
    table = read_table(tree.files["tools/check/layers.txt"])
    found = []
    for path, text in tree.cpp("bus/", "pits/", "bindings/", "bench/", "tools/", "tests/").items():
        if layer_of(path, table[0])[0] is None:
            found.append(f"{path}:1: belongs to no layer; name it in tools/check/layers.txt")
            continue
        for match in INCLUDE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            wrong = judge(path, match[1] or match[2], bool(match[2]), tree, table)
            if wrong:
                found.append(f"{path}:{line}: {wrong}")
    return found


TABLE = {"tools/check/layers.txt": (repo.ROOT / "tools/check/layers.txt").read_text(), "bus/ring/spsc.hpp": "",
         "bus/include/symphony/endpoint.hpp": "", "bus/include/symphony/broker.hpp": "", "bus/memory/segment.hpp": "",
         "bus/include/symphony/result.hpp": "", "pits/contract/include/symphony/pit.h": "", "pits/one/own.hpp": "",
         "bus/include/symphony/typed_endpoint.hpp": "#include <flatbuffers/flatbuffers.h>\n"}


def planted(path, line, expected):
    return {**TABLE, path: line + "\n"}, expected


CASES = [
    planted("bus/channel/link.cpp", '#include "bus/ring/spsc.hpp"', None),
    planted("bus/ring/x.hpp", '#include "bus/memory/segment.hpp"', "(ring) may not include bus/memory/segment.hpp"),
    planted("bus/broker/core.cpp", "#include <symphony/endpoint.hpp>", "(broker) may not include"),
    planted("bus/endpoint/e.cpp", "#include <symphony/broker.hpp>", "(endpoint) may not include"),
    planted("bus/memory/map.cpp", "#include <boost/interprocess/mapped_region.hpp>", None),
    planted("bus/memory/map.hpp", "#include <boost/interprocess/mapped_region.hpp>", "may not include boost"),
    planted("bus/include/symphony/endpoint.hpp", "#include <flatbuffers/flatbuffers.h>", "may not include flatbuffers"),
    planted("bus/control/codec.hpp", '#include "control_generated.h"', None),
    planted("bus/ring/x.hpp", '#include "control_generated.h"', "may not include generated messages"),
    planted("pits/one/one.cpp", '#include <symphony/pit.h>\n#include "pits/one/own.hpp"\n#include "own.hpp"', None),
    planted("pits/one/one.cpp", "#include <symphony/result.hpp>", "may not include bus/include/symphony/result.hpp"),
    planted("pits/two/two.cpp", '#include "pits/one/own.hpp"', "another pit's"),
    planted("pits/contract/include/symphony/pit.h", "#include <string.h>", "may include only"),
    planted("bus/include/symphony/surprise.hpp", "", "belongs to no layer"),
    planted("bus/novel/x.cpp", "", "belongs to no layer"),
    planted("bus/base/x.cpp", "#include <unheard/of.hpp>", "neither in the tree nor a known library"),
    planted("bus/base/x.cpp", '#include "bus/base/gone.hpp"', "neither in the tree"),
    planted("tests/unit/ring/ring_test.cpp", '#include "bus/ring/spsc.hpp"\n#include <gtest/gtest.h>', None),
    planted("tests/unit/ring/ring_test.cpp", '#include "bus/memory/segment.hpp"', "may not include"),
    planted("tests/faults/kill_test.cpp", '#include "bus/memory/segment.hpp"', None),
]

if __name__ == "__main__":
    repo.main(check, CASES)
