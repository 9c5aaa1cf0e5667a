#!/usr/bin/env python3
"""What the documents point at is there: relative links, their anchors, and paths of this repository in backticks."""
import posixpath
import re

import repo

FENCE = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.M | re.S)
LINK = re.compile(r"\[[^\]\n]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
CODE = re.compile(r"`([^`\n]+)`")
HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*#*$", re.M)
TOP = ("bus", "schemas", "pits", "bindings", "bench", "tests", "tools", "docs", "packaging", "cmake", ".ci")
REPO_PATH = re.compile(rf"(?:{'|'.join(re.escape(t) for t in TOP)})/[\w./\-]*[\w/]")


def anchors(text):
    """The anchors that a forge makes of the headings."""
    seen, names = {}, set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        names.add(name + (f"-{seen[name]}" if name in seen else ""))
        seen[name] = seen.get(name, 0) + 1
    return names


def keep_lines(match):
    return "\n" * match.group().count("\n")


def check(tree):
    found = []
    for path, text in sorted(tree.files.items()):
        if not path.endswith(".md"):
            continue
        prose = FENCE.sub(keep_lines, text)
        folder = posixpath.dirname(path)
        for match in LINK.finditer(CODE.sub(lambda m: "`" + " " * len(m[1]) + "`", prose)):
            link, where = match[1], f"{path}:{prose.count(chr(10), 0, match.start()) + 1}: "
            if re.match(r"[a-z][a-z0-9+.\-]*:", link):
                continue
            name, _, anchor = link.partition("#")
            target = posixpath.normpath(posixpath.join(folder, name)) if name else path
            if target != "." and not tree.exists(target):
                found.append(where + f"the link {link} leads nowhere; mend it")
            elif anchor and target.endswith(".md") and anchor not in anchors(tree.files[target]):
                found.append(where + f"{target} has no heading for #{anchor}; mend the link")
        for match in CODE.finditer(prose):
            name = match[1].split(":")[0]
            if REPO_PATH.fullmatch(name) and not (tree.exists(name) or tree.exists(posixpath.join(folder, name))):
                found.append(f"{path}:{prose.count(chr(10), 0, match.start()) + 1}: `{name}` is not in the tree; mend the path")
    return found


def planted(text, expected):
    return {"docs/a.md": text, "docs/b.md": "# One two: `three`\n## Same\n## Same\n", "bus/ring/ring.hpp": ""}, expected


CASES = [
    planted("[b](b.md) [h](b.md#one-two-three) [s](b.md#same-1) [up](../bus/ring) [web](https://example.org/x)", None),
    planted("[b](c.md)", "leads nowhere"),
    planted("[b](../bus/rings/)", "leads nowhere"),
    planted("[b](b.md#four)", "no heading for #four"),
    planted("[b](#here)\n# Here", None),
    planted("[b](#there)\n# Here", "no heading for #there"),
    planted("`bus/ring/ring.hpp` `bus/ring/` `bus/ring/ring.hpp:12` `bus/*/x` `build/release/bin` `a/b`", None),
    planted("`bus/ring/gone.hpp`", "not in the tree"),
    planted("```\n[b](c.md) `bus/gone.hpp`\n```\n", None),
]

if __name__ == "__main__":
    repo.main(check, CASES)
