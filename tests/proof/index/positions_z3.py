#!/usr/bin/env python3
"""The arithmetic of 64-bit positions, for every value, by a solver: at four capacities, in the long lane at every one.

Each property is shown by giving its negation to z3, which must find no solution; the same with a fault in the formula must
have one. The formulas mirror bus/ring/{record,producer,consumer}.hpp: what they mirror is looked up there first.
"""
import os
import pathlib

import subprocess
import sys
import time

try:
    import z3
except ImportError:
    print("not run: there is no module z3 (Debian: python3-z3)")
    sys.exit(77)

ROOT = pathlib.Path(__file__).resolve().parents[3]
LINE, HEADER = 64, 8
LONG = "SYMPHONY_LONG" in os.environ
CAPACITIES = [1 << log2 for log2 in (range(12, 31) if LONG else (12, 18, 24, 30))]  # 4 KiB to 1 GiB

# What the formulas below mirror. Where one of these is gone, look whether the formula is still true to the code.
MIRRORED = {
    "bus/ring/record.hpp": [
        "return (header_size + size + Ring::line - 1) / Ring::line * Ring::line;",
        "return capacity / 2 - header_size;",
        "if (stride > room || stride > capacity / 2) return RingFault::bad_size;",
    ],
    "bus/ring/producer.hpp": [
        "return static_cast<Position>(staged_ - freed_);",
        "const std::uint64_t room = capacity_ - (staged_ & (capacity_ - 1)); return stride > room ? room : 0;",
        "const std::uint64_t needed = pad_before(stride) + stride + Ring::line + reserve;",
        "return used() + needed <= capacity_ ||",
        "return f % Ring::line == 0 && static_cast<Position>(f - freed_) <= static_cast<Position>(published_ - freed_);",
        "claim.position_ = static_cast<Position>(staged_ + pad);",
        "const auto end = static_cast<Position>(claim.position_ + stride);",
        "if (used() + stride + Ring::line > capacity_) return;",
    ],
    "bus/ring/consumer.hpp": [
        "if (static_cast<Position>(head_ - freed_) + stride + Ring::line > capacity_)",
        "const auto end = static_cast<Position>(head_ + stride);",
    ],
}


def word(name):
    return z3.BitVec(name, 64)


def exact(x):
    """As a whole number that cannot wrap in these sums."""
    return z3.ZeroExt(6, x)


class Ring:
    """The ring's formulas, for one capacity; `fault` puts one of the mutants in place."""

    def __init__(self, capacity, fault=None):
        self.fault = fault
        self.capacity = z3.BitVecVal(capacity, 64)

    def one(self, fault, wrong, right):
        return wrong if self.fault == fault else right

    def offset(self, p):
        return p & (self.capacity - 1)

    def stride(self, size):
        up = size + HEADER + self.one("stride rounds down", 0, LINE - 1)
        return up & ~z3.BitVecVal(LINE - 1, 64)

    def size_max(self):
        return z3.LShR(self.capacity, 1) - self.one("half a ring without its header", 0, HEADER)

    def pad(self, staged, stride):
        room = self.capacity - self.offset(staged)
        fits = self.one("a pad where it just fits", z3.UGE, z3.UGT)(stride, room)
        return z3.If(self.one("no pad", z3.BoolVal(False), fits), room, z3.BitVecVal(0, 64))

    def has_room(self, staged, freed, size, reserve):
        stride = self.stride(size)
        spare = self.one("no spare line", 0, LINE)
        needed = self.pad(staged, stride) + stride + spare + reserve
        return z3.And(z3.ULE(size, self.size_max()), z3.ULE(staged - freed + needed, self.capacity))

    def accepts(self, answer, freed, published):
        no_more = self.one("freed compared without wrapping", z3.ULE(answer, published), z3.ULE(answer - freed, published - freed))
        return z3.And(self.one("freed on any byte", True, answer & (LINE - 1) == 0), no_more)

    def zeroes_ahead(self, staged, freed, stride):
        return z3.ULE(staged - freed + stride + self.one("zero ahead without the spare line", 0, LINE), self.capacity)

    def consumer_takes(self, head, freed, size):
        stride = self.stride(size)
        room = self.capacity - self.offset(head)
        return z3.And(self.one("a record past the end", True, z3.ULE(stride, room)),
                      self.one("a record over half the ring", True, z3.ULE(stride, z3.LShR(self.capacity, 1))),
                      self.one("no overrun", True, z3.ULE(head - freed + stride + LINE, self.capacity)))


def aligned(*positions):
    return z3.And([p & (LINE - 1) == 0 for p in positions])


def positions():
    """freed, published, staged: written so that their differences are plain variables for the solver."""
    staged = word("staged")
    return staged - word("in_use"), staged - word("unpublished"), staged


def producer_state(ring, freed, published, staged):
    """freed <= published <= staged <= freed + capacity - line, on lines; positions may have wrapped."""
    return z3.And(aligned(freed, published, staged), z3.ULE(published - freed, staged - freed),
                  z3.ULE(staged - freed, ring.capacity - LINE))


def a_claim(ring):
    freed, published, staged = positions()
    size, reserve = word("size"), word("reserve")
    given = z3.And(producer_state(ring, freed, published, staged), z3.ULE(size, 0xffffffff),
                   z3.ULE(reserve, ring.capacity), ring.has_room(staged, freed, size, reserve))
    stride = ring.stride(size)
    position = staged + ring.pad(staged, stride)
    return freed, published, staged, size, reserve, given, stride, position


def claim_stays_inside(ring):
    *_, size, _, given, stride, position = a_claim(ring)
    end = exact(ring.offset(position)) + exact(stride)
    return given, z3.And(aligned(position), z3.ULE(end, exact(ring.capacity)), z3.ULE(exact(size) + HEADER, exact(stride)),
                         z3.ULE(stride, z3.LShR(ring.capacity, 1)))


def claim_covers_nothing_unfreed(ring):
    freed, _, staged, _, reserve, given, stride, position = a_claim(ring)
    held = exact(staged - freed) + exact(position - staged) + exact(stride) + LINE + exact(reserve)
    return given, z3.ULE(held, exact(ring.capacity))


def whatever_fits_is_claimed(ring):
    """With the ring empty and on a line of its own, any record up to the maximum fits."""
    freed, size = word("freed"), word("size")
    given = z3.And(aligned(freed), ring.offset(freed) == 0, z3.ULE(size, z3.LShR(ring.capacity, 1) - HEADER))
    return given, ring.has_room(freed, freed, size, z3.BitVecVal(0, 64))


def a_pad_only_where_needed(ring):
    *_, staged, _, _, given, stride, position = a_claim(ring)
    needed = z3.UGT(exact(ring.offset(staged)) + exact(stride), exact(ring.capacity))
    return given, (position != staged) == needed


def commit_keeps_the_state(ring):
    """Also of a trimmed claim."""
    freed, published, _, size, _, given, _, position = a_claim(ring)
    used = word("used")
    end = position + ring.stride(used)
    return z3.And(given, z3.ULE(used, size)), producer_state(ring, freed, published, end)


def accepted_freed_keeps_the_state(ring):
    freed, published, staged = positions()
    answer = freed + word("taken")  # any answer at all
    given = z3.And(producer_state(ring, freed, published, staged), ring.accepts(answer, freed, published))
    return given, z3.And(producer_state(ring, answer, published, staged), z3.ULE(answer - freed, published - freed))


def honest_freed_is_accepted(ring):
    freed, published, staged = positions()
    lines = word("lines")
    given = z3.And(producer_state(ring, freed, published, staged), z3.ULE(lines, 1 << 40),
                   z3.ULE(lines * LINE, published - freed))
    return given, ring.accepts(freed + lines * LINE, freed, published)


def zero_ahead_stays_off_the_oldest(ring):
    freed, published, staged = positions()
    size = word("size")
    stride = ring.stride(size)
    given = z3.And(producer_state(ring, freed, published, staged), z3.ULE(size, z3.LShR(ring.capacity, 1) - HEADER),
                   ring.zeroes_ahead(staged, freed, stride))
    return given, z3.ULE(exact(staged - freed) + exact(stride) + LINE, exact(ring.capacity))


def record_stays_inside(ring):
    head, size = word("head"), word("size")
    freed = head - word("held")
    given = z3.And(aligned(head, freed), z3.ULE(head - freed, ring.capacity - LINE), z3.ULE(size, (1 << 30) - 1),
                   ring.consumer_takes(head, freed, size))
    end = head + ring.stride(size)
    return given, z3.And(z3.ULE(exact(ring.offset(head)) + HEADER + exact(size), exact(ring.capacity)), aligned(end),
                         z3.ULE(size, z3.LShR(ring.capacity, 1) - HEADER), z3.ULE(end - freed, ring.capacity - LINE))


def whatever_is_claimed_is_taken(ring):
    """A consumer that has freed what the producer knows of takes each record of an honest producer."""
    freed, *_, size, _, given, _, position = a_claim(ring)
    return given, Ring(ring.capacity.as_long()).consumer_takes(position, freed, size)


# property: the faults that it must find
PROPERTIES = {
    claim_stays_inside: ["stride rounds down", "half a ring without its header", "no pad"],
    claim_covers_nothing_unfreed: ["no spare line"],
    whatever_fits_is_claimed: [],
    a_pad_only_where_needed: ["a pad where it just fits"],
    commit_keeps_the_state: ["no spare line"],
    accepted_freed_keeps_the_state: ["freed compared without wrapping", "freed on any byte"],
    honest_freed_is_accepted: ["freed compared without wrapping"],
    zero_ahead_stays_off_the_oldest: ["zero ahead without the spare line"],
    record_stays_inside: ["a record past the end", "a record over half the ring", "no overrun"],
    whatever_is_claimed_is_taken: ["no pad", "no spare line"],
}


def solve(*formulas):
    solver = z3.SolverFor("QF_BV")
    solver.set("timeout", 60_000)
    solver.add(*[z3.simplify(formula) for formula in formulas])
    return solver.check()


def has_counterexample(prove, capacity, fault=None):
    given, then = prove(Ring(capacity, fault))
    possible, answer = solve(given), solve(given, z3.Not(then))  # a property of nothing would hold too
    if possible != z3.sat or answer == z3.unknown:
        sys.exit(f"{prove.__name__}, capacity {capacity}, fault {fault}: premises {possible}, negation {answer}")
    return answer == z3.sat


def main():
    begun = time.monotonic()
    for path, lines in MIRRORED.items():
        text = " ".join((ROOT / path).read_text(encoding="utf-8").split())
        for line in lines:
            if line not in text:
                sys.exit(f"{path} no longer says `{line}`: compare the formulas here with the code, then mend both lists")
    failed, mutants = [], 0
    for prove, faults in PROPERTIES.items():
        for capacity in CAPACITIES:
            if has_counterexample(prove, capacity):
                failed.append(f"{prove.__name__} does not hold for a capacity of {capacity}")
        for fault in faults:
            mutants += 1
            if not has_counterexample(prove, CAPACITIES[0], fault):
                failed.append(f"{prove.__name__} does not find: {fault}")
        print(f"{time.monotonic() - begun:5.1f} s  {prove.__name__}, {len(faults)} mutants", flush=True)
    if failed:
        sys.exit("\n".join(failed))
    seconds = time.monotonic() - begun
    if len(sys.argv) > 1:
        count = str(len(PROPERTIES))
        subprocess.run([sys.executable, "-B", str(ROOT / "tools/figure.py"), "--dir", sys.argv[1], "--name",
                        "ring.index_properties_proved", "--value", count, "--of", count, "--unit", "properties", "--n", count,
                        "--seconds", f"{seconds:.2f}",
                        "--note", f"64-bit positions, {len(CAPACITIES)} of 19 capacities, z3; {mutants} of {mutants} mutants found"], check=True)


if __name__ == "__main__":
    main()
