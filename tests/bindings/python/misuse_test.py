"""What goes wrong by the program: closed, forked, shared, absent. Each is an exception with the remedy, never a crash."""
import os
import threading
import time

import pytest
import symphony_ipc
from conftest import BIG, DO, HANG, NOTHING, Done, message, wait_until_waiting


def test_without_a_broker_connect_says_so_within_its_timeout(tmp_path):
    begun = time.monotonic()
    with pytest.raises(ConnectionError) as absent:
        symphony_ipc.connect(str(tmp_path / "nobody.sock"), timeout=0.3)
    assert isinstance(absent.value, symphony_ipc.Unreachable)
    assert "broker" in str(absent.value) and "\n" not in str(absent.value)
    assert time.monotonic() - begun < 20


def test_an_unknown_pit_is_not_found_at_once(bus):
    with pytest.raises(LookupError) as unknown:
        bus.open("prob", timeout=60)
    assert isinstance(unknown.value, symphony_ipc.NotFound)


def test_an_unknown_message_type_is_told(pit):
    with pytest.raises(symphony_ipc.UnknownType):
        pit.call(symphony_ipc.type_id("probe.Nothing"), message(NOTHING))


def test_a_body_larger_than_the_link_is_refused_with_the_remedy(pit):
    with pytest.raises(ValueError, match="request_capacity"):
        pit.call(DO, bytes(300_000))


def test_a_wrong_effect_or_option_is_a_value_error(bus, pit):
    with pytest.raises(ValueError, match="once, read, idempotent"):
        pit.call(DO, message(NOTHING), effect="twice")
    with pytest.raises(ValueError):
        bus.open("probe", request_capacity=5_000)


def test_what_was_closed_is_an_error_and_closing_again_is_nothing(socket):
    bus = symphony_ipc.connect(socket)
    pit = bus.open("probe")
    bus.close()
    assert Done(pit.call(DO, message(BIG, 1))).size == 1, "a pit outlives its bus"
    pit.close()
    for again in (bus.close, pit.close):
        again()
    for use in (lambda: pit.call(DO, message(NOTHING)), pit.counters, bus.pits, lambda: bus.open("probe")):
        with pytest.raises(symphony_ipc.Closed):
            use()


def test_a_pit_that_is_closed_under_a_call_ends_it(bus):
    pit = bus.open("probe")
    ended = []

    def call() -> None:
        try:
            pit.call(DO, message(HANG, 2_000), timeout=60)
        except symphony_ipc.Closed as error:
            ended.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    wait_until_waiting(pit)
    pit.close()
    thread.join(30)
    assert ended and not thread.is_alive()


def test_a_forked_child_is_told_and_the_parent_goes_on(bus, pit):
    assert Done(pit.call(DO, message(BIG, 1))).size == 1
    child = os.fork()
    if child == 0:
        wrong = 0
        for use in (lambda: pit.call(DO, message(NOTHING)), bus.pits, lambda: bus.open("probe"), pit.counters):
            try:
                use()
                wrong += 1
            except symphony_ipc.ForkedHandle:
                pass
        pit.close()
        bus.close()
        os._exit(wrong)
    assert os.waitpid(child, 0)[1] == 0
    assert Done(pit.call(DO, message(BIG, 2))).size == 2


def test_many_threads_share_one_pit_and_each_has_its_own_answers(pit):
    wrong = []

    def calls(size: int) -> None:
        for _ in range(300):
            if Done(pit.call(DO, message(BIG, size))).size != size:
                wrong.append(size)

    threads = [threading.Thread(target=calls, args=(100 + 150 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_second_thread_does_not_wait_for_the_first_ones_call(bus):
    with bus.open("probe") as slow, bus.open("fragile") as quick:
        waiter = threading.Thread(target=lambda: slow.call(DO, message(HANG, 300)))
        waiter.start()
        wait_until_waiting(slow)
        assert Done(quick.call(DO, message(BIG, 1))).size == 1
        assert Done(slow.call(DO, message(BIG, 2))).size == 2, "by a link of its own, when the pit has time"
        waiter.join()


def test_an_embedded_broker_without_its_helper_says_where_it_looks(monkeypatch):
    monkeypatch.setenv("SYMPHONY_KEEPER", "/nonexistent/keeper")
    with pytest.raises(symphony_ipc.NotFound, match="SYMPHONY_KEEPER"):
        symphony_ipc.Broker([])
