#!/usr/bin/env python3
"""Every atomic access says its order and why.

  // sync NAME release: ...      one side of a named pair (the code may be stronger); also acquire, acq_rel (both), and
  // sync NAME seq_cst store: ... seq_cst load, seq_cst rmw (bare `seq_cst` takes its side from the operation below it)
  // relaxed: why it is enough
  // order policy: why           where orders are implemented or passed on rather than chosen

An ordered operation in bus/ and pits/ has such a comment on its line or ending at most three lines above; over the
whole tree each NAME has both sides.
"""
import re

import repo

COMMENT = re.compile(r"//\s*sync\s+([\w.\-]+)\s+(release|acquire|acq_rel|seq_cst)(?:\s+(store|load|rmw|swap|exchange))?\s*:")
RELAXED = re.compile(r"//.*\brelaxed:\s*\S")
POLICY = re.compile(r"//.*\border policy:\s*\S")
ORDER = re.compile(r"\b(?:Order::|memory_order(?:_|::))(relaxed|consume|acquire|release|acq_rel|seq_cst)\b")
OPERATION = re.compile(r"\b(load|store|rmw|swap|exchange|compare_exchange\w*|fetch_\w+|test_and_set|clear|wait)\s*[(<]"
                       r"|\b\w+\s*<\s*Order::")  # also functions that pass an order on
PASSED_ON = re.compile(r"\b(?:load|store|rmw)\s*<\s*(?!Order::)\w+\s*,\s*Site::")  # its caller names the order
UNNAMED = re.compile(r"(?:\.|->)(?:load\(\s*\)|(?:store|exchange|fetch_(?:add|sub|and|or|xor)|compare_exchange_\w+)\()")
BOTH = {"release", "acquire"}


def sides_of(order, kind, below):
    if order in BOTH:
        return {order}
    if order == "seq_cst":
        kind = kind or next((k for k in re.findall(r"\b(load|store|rmw|swap|exchange|fetch_\w+)\b", below)), "")
        if kind in ("load", "store"):
            return {"acquire"} if kind == "load" else {"release"}
    return BOTH


def comments_above(lines, number, last):
    """The comment text that belongs to a statement on lines number..last: on them, or ending within three lines above."""
    first = number - 1
    reach = max(0, first - 3)
    while reach > 0 and lines[reach].lstrip().startswith("//") and lines[reach - 1].lstrip().startswith("//"):
        reach -= 1
    return "\n".join(lines[reach:last])


def judge(path, text):
    lines = text.split("\n")
    for number, statement in repo.statements(text):
        if not OPERATION.search(statement):
            continue
        orders = set(ORDER.findall(statement))
        above = comments_above(lines, number, number + statement.count("\n"))
        where = f"{path}:{number}: "
        if POLICY.search(above):
            continue
        if PASSED_ON.search(statement):
            if not COMMENT.search(above):
                yield where + "an order from outside without `// sync NAME side: why` above it"
        elif not orders:
            if UNNAMED.search(statement) and not re.search(r"order", statement, re.I):
                yield where + "an atomic access without a named order; name it, with its `// sync` or `// relaxed:` comment"
        elif orders == {"relaxed"}:
            if not RELAXED.search(above):
                yield where + "a relaxed access that does not say why it is enough; add `// relaxed: why`"
        else:
            said = {side for _, side, _ in COMMENT.findall(above)}
            if not said:
                yield where + f"{'/'.join(sorted(orders))} without `// sync NAME side: why` above it"
            elif not said & orders and not (orders & {"seq_cst", "acq_rel"} and said <= BOTH):
                yield where + f"the comment says {'/'.join(sorted(said))}, the code {'/'.join(sorted(orders))}; make them agree"


def check(tree):
    found, sides, places = [], {}, {}
    for path, text in tree.cpp("bus/", "pits/", "tools/", "bench/", "tests/support/").items():
        for match in COMMENT.finditer(text):
            below = repo.code_only(text[match.end():]).strip()[:400]
            sides.setdefault(match[1], set()).update(sides_of(match[2], match[3], below))
            places.setdefault(match[1], f"{path}:{text.count(chr(10), 0, match.start()) + 1}")
        if path.startswith(("bus/", "pits/")):
            found += judge(path, text)
    for name, has in sorted(sides.items()):
        for missing in sorted(BOTH - has):
            found.append(f"{places[name]}: sync {name} has no {missing} side; name it where the other side is, or drop the pair")
    return found


def code(*lines):
    return {"bus/ring/x.hpp": "\n".join(lines) + "\n"}


RELEASE = ["// sync ring.commit release: the bytes are there", "mem.store<Order::release, Site::header>(at(p), h);"]
ACQUIRE = ["// sync ring.commit acquire: the bytes may be read,", "// all of them.", "const auto h =",
           "    mem.load<Order::acquire, Site::header>(at(p));"]
CASES = [
    (code(*RELEASE, *ACQUIRE), None),
    (code(*RELEASE), "sync ring.commit has no acquire side"),
    (code(*ACQUIRE), "sync ring.commit has no release side"),
    (code(*RELEASE, *ACQUIRE, "", "", "", "x.store(1, std::memory_order_release);"), "release without `// sync"),
    (code(RELEASE[0], "x.store(1, std::memory_order_seq_cst);", *ACQUIRE), None),
    (code("// sync bell seq_cst rmw: both", "x.store(1, std::memory_order_release);"), "the comment says seq_cst, the code release"),
    (code(RELEASE[0], "x.load(std::memory_order_acquire);"), "the comment says release, the code acquire"),
    (code("ring.template commit<Order::seq_cst>(claim);"), "seq_cst without `// sync"),
    (code("mem.template store<publish, Site::header>(at(p), h);"), "an order from outside without"),
    (code(RELEASE[0], "mem.template store<publish, Site::header>(at(p), h);", *ACQUIRE), None),
    (code("template <Order publish = Order::release>", "void f() {}"), None),
    (code("x.load(std::memory_order_relaxed);"), "does not say why it is enough"),
    (code("x.load(std::memory_order_relaxed);  // relaxed: only this side writes it"), None),
    (code("// sync bell seq_cst store: first this,", "x.store(1, std::memory_order_seq_cst);",
          "// sync bell seq_cst: then a look at that", "y.load(std::memory_order_seq_cst);"), None),
    (code("// sync bell seq_cst store: alone", "x.store(1, std::memory_order_seq_cst);"), "no acquire side"),
    (code("// sync lock acq_rel: taken, and given back", "x.exchange(1, std::memory_order_acq_rel);"), None),
    (code("x.compare_exchange_strong(a, 1, std::memory_order_acq_rel,", "    std::memory_order_relaxed);"), "without `// sync"),
    (code("auto v = flag.load();"), "without a named order"),
    (code("flag->store(true);"), "without a named order"),
    (code("// order policy: the one place that maps them", "ref.load(std::memory_order_acquire);"), None),
    (code("// prose on Order::release and x.load() only", 'f("x.load()");'), None),
]

if __name__ == "__main__":
    repo.main(check, CASES)
