"""Pits loaded into this program, and states saved and restored over both ways of running one."""
import json

import pytest
import symphony_ipc
from conftest import BIG, BUILD, DO, NOTHING, REFUSE, ROOT, Done, message

PROBE = str(BUILD / "pits" / "probe.so")
LEDGER = str(BUILD / "pits" / "pool_manager.so")
ADD, READ = symphony_ipc.type_id("tally.Add"), symphony_ipc.type_id("tally.Read")


def test_a_pit_in_this_program_answers_as_one_behind_a_broker():
    with symphony_ipc.mount(PROBE) as pit:
        assert Done(pit.call(DO, message(BIG, 5))).size == 5
        assert Done(pit.call(DO, message(BIG, 50_000))).size == 50_000, "larger than what is copied"
        with pytest.raises(symphony_ipc.PitError) as own:
            pit.call(DO, message(REFUSE, 9))
        assert own.value.status == 9
        with pytest.raises(symphony_ipc.UnknownType):
            pit.call(symphony_ipc.type_id("probe.Nothing"))
        with pytest.raises(symphony_ipc.VerifyError):
            pit.call(DO, b"nonsense")
        with pytest.raises(symphony_ipc.VersionMismatch):
            pit.save()
    with pytest.raises(symphony_ipc.Closed):
        pit.call(DO, message(NOTHING))
    pit.close()


def test_a_file_that_is_no_pit_is_refused_with_its_name(tmp_path):
    (tmp_path / "text.so").write_text("text")
    for path, kind in ((tmp_path / "gone.so", LookupError), (tmp_path / "text.so", ValueError), (tmp_path, symphony_ipc.SymphonyError),
                       (ROOT / "bindings" / "python" / "examples" / "tally.py", ValueError)):
        with pytest.raises(kind, match=str(path)) as refused:
            symphony_ipc.mount(str(path))
        assert isinstance(refused.value, symphony_ipc.SymphonyError)


def test_a_saved_state_goes_into_another_instance_and_a_damaged_one_is_refused():
    with symphony_ipc.mount(LEDGER) as one, symphony_ipc.mount(LEDGER) as other:
        state = one.save()
        other.restore(state)
        assert other.save() == state
        for damaged in (state.data[:-1], state.data[:3], b"", b"\xff" * 40):
            with pytest.raises(symphony_ipc.VerifyError):
                other.restore(symphony_ipc.State(state.revision, damaged))
        with pytest.raises(symphony_ipc.VersionMismatch):
            other.restore(symphony_ipc.State(state.revision + 7, state.data))
        assert other.save() == state, "the old one went on"


def test_the_state_of_a_brokers_pit_is_saved_and_restored(symphony_pit, symphony_broker):
    tally = symphony_pit(ROOT / "bindings" / "python" / "examples" / "tally.py")
    tally.call(ADD, b'{"name": "a", "by": 41}')
    state = symphony_broker.bus.save("tally")
    tally.call(ADD, b'{"name": "a"}')
    symphony_broker.bus.restore("tally", state)
    assert json.loads(tally.call(READ, b'{"name": "a"}', effect="read")) == 41
    with pytest.raises(symphony_ipc.VerifyError, match="refused"):
        symphony_broker.bus.restore("tally", symphony_ipc.State(1, state.data[:-1]))
    assert json.loads(tally.call(READ, b'{"name": "a"}', effect="read")) == 41
    with pytest.raises(symphony_ipc.SymphonyError):
        symphony_broker.bus.save("nobody")
