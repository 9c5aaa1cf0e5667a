"""Calls as a Python program makes them."""
import ctypes
import gc
import os
import signal
import threading
import time
import weakref

import pytest
import symphony_ipc
from conftest import AGAIN, BIG, BUILD, DIE, DO, EXIT, HANG, PID, REFUSE, Done, eventually, message, wait_until_waiting


def test_a_call_takes_bytes_and_returns_bytes(pit):
    reply = pit.call(DO, message(PID))
    assert type(reply) is bytes and Done(reply).value > 0
    for size in (0, 1, 200, 255, 256, 257, 5_000, 60_000):
        assert Done(pit.call(DO, message(BIG, size))).size == size


def test_a_body_may_be_any_contiguous_buffer(pit):
    body = message(BIG, 10)
    for form in (bytearray(body), memoryview(body), memoryview(bytearray(body)), (ctypes.c_ubyte * len(body)).from_buffer_copy(body)):
        assert Done(pit.call(DO, form)).size == 10
    with pytest.raises(ValueError, match="contiguous"):
        pit.call(DO, memoryview(body)[::2])
    with pytest.raises(TypeError):
        pit.call(DO, "text")


def test_a_view_is_no_copy_and_its_memory_goes_with_the_last_slice(pit):
    view = pit.call_view(DO, message(BIG, 60_000))
    assert view.readonly and Done(view).size == 60_000
    array = view.obj
    freed = []
    weakref.finalize(array, freed.append, True)
    slice_of_it = view[50_000:50_010]
    del view, array
    gc.collect()
    assert not freed
    for _ in range(20):  # which would overwrite memory that is the link's
        pit.call(DO, message(BIG, 60_000))
    assert bytes(slice_of_it) == b"\x42" * 10
    slice_of_it.release()
    del slice_of_it
    gc.collect()
    assert freed


def test_a_small_view_is_a_copy_of_its_own(pit):
    first = pit.call_view(DO, message(BIG, 100))
    pit.call(DO, message(BIG, 90))
    assert Done(first).size == 100


def test_a_view_outlives_its_pit_and_bus(socket):
    with symphony_ipc.connect(socket) as bus, bus.open("probe") as pit:
        view = pit.call_view(DO, message(BIG, 50_000))
    assert Done(view).size == 50_000


def test_a_call_ends_at_its_deadline_and_the_next_one_is_not_mixed_up_with_it(pit):
    with pytest.raises(TimeoutError) as late:
        pit.call(DO, message(HANG, 300), timeout=0.02)
    assert isinstance(late.value, symphony_ipc.Timeout) and late.value.status < 0
    assert Done(pit.call(DO, message(BIG, 7))).size == 7


def test_a_pits_own_refusal_is_an_exception_with_its_number_and_text(pit):
    with pytest.raises(symphony_ipc.PitError, match="refused as asked") as refused:
        pit.call(DO, message(REFUSE, 42))
    assert refused.value.status == 42


def test_a_death_ends_the_call_that_died_of_it_and_no_other(bus):
    with bus.open("fragile") as pit:
        with pytest.raises(ConnectionError) as gone:
            pit.call(DO, message(DIE))
        assert isinstance(gone.value, symphony_ipc.PeerGone)
        assert Done(pit.call(DO, message(BIG, 3))).size == 3
        assert pit.counters()["attaches"] == 2


def test_a_pit_that_is_killed_under_calls_loses_none():
    config = symphony_ipc.PitConfig("probe", str(BUILD / "bin" / "symphony-pit-host"), [str(BUILD / "pits" / "probe.so")])
    with symphony_ipc.Broker([config]) as broker, broker.connect() as bus, bus.open("probe") as pit:
        answered = []
        is_over = threading.Event()

        def calls() -> None:
            while not is_over.is_set():
                answered.append(Done(pit.call(AGAIN, message(BIG, 1), effect="read")).size)

        threads = [threading.Thread(target=calls) for _ in range(2)]
        for thread in threads:
            thread.start()
        killed = set()
        while len(killed) < 3:
            before = len(answered)
            eventually(lambda: len(answered) > before + 50, "calls are answered")
            try:
                killed.add(broker.kill("probe"))
            except symphony_ipc.NotFound:
                continue
        before = len(answered)
        eventually(lambda: len(answered) > before + 50, "calls are answered after the last kill")
        is_over.set()
        for thread in threads:
            thread.join()
        assert set(answered) == {1}
        counters = pit.counters()
        assert counters["calls"] == counters["ended"] and counters["attaches"] == 4


def test_an_orderly_end_of_a_pit_is_no_crash_of_the_caller(bus):
    with bus.open("fragile") as pit, pytest.raises(symphony_ipc.SymphonyError):
        pit.call(DO, message(EXIT, 3))


def test_ctrl_c_ends_a_wait_within_a_tenth_of_a_second(pit):
    sent = []

    def interrupt() -> None:
        wait_until_waiting(pit)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    other = threading.Thread(target=interrupt)
    other.start()
    with pytest.raises(KeyboardInterrupt):
        pit.call(DO, message(HANG, 3_000), timeout=30)
    ended = time.monotonic()
    other.join()
    assert ended - sent[0] < 2.0, "the pit would have taken three seconds"
    print(f"python.interrupt_ms {1e3 * (ended - sent[0]):.1f}")


def test_other_threads_run_while_one_waits(pit):
    done = threading.Event()
    waiter = threading.Thread(target=lambda: (pit.call(DO, message(HANG, 200)), done.set()))
    waiter.start()
    turns = 0
    while not done.is_set():
        turns += 1
    waiter.join()
    assert turns > 1_000
