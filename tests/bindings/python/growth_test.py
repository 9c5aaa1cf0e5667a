"""Many calls, and nothing that grows."""
import gc
import os

import symphony_ipc
from conftest import AGAIN, BIG, DO, NOTHING, Done, message

CALLS = 1_000_000 if os.environ.get("SYMPHONY_LONG") else 100_000


def resident_kib() -> int:
    with open("/proc/self/status", encoding="utf-8") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_calls_of_all_sizes_leave_no_memory_and_no_descriptors_behind(pit):
    small, large = message(NOTHING), message(BIG, 60_000)

    def some(count: int) -> None:
        for i in range(count):
            pit.call(DO, small)
            if i % 100 == 0:
                pit.call_view(AGAIN, large, effect="read")
                pit.call(DO, large)

    some(5_000)
    gc.collect()
    before, open_before = resident_kib(), descriptors()
    some(CALLS)
    gc.collect()
    grown = resident_kib() - before
    print(f"{CALLS} calls: {grown} KiB")
    assert grown < 2_048, "a byte a call would be less than this; a view of 60,000 bytes a hundred calls, thirty times more"
    assert descriptors() == open_before


def test_buses_and_pits_that_are_closed_leave_no_descriptors_behind(socket):
    def one() -> None:
        with symphony_ipc.connect(socket) as bus, bus.open("probe") as pit:
            assert Done(pit.call(DO, message(BIG, 1))).size == 1

    one()
    before = descriptors()
    for _ in range(30):
        one()
    assert descriptors() == before
