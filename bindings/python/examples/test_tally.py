"""The pit of tally.py under test, with the fixtures of the package.   usage: pytest test_tally.py"""
import json
import pathlib

import pytest
import symphony_ipc

ADD, READ = symphony_ipc.type_id("tally.Add"), symphony_ipc.type_id("tally.Read")
TALLY = pathlib.Path(__file__).with_name("tally.py")


@pytest.mark.modes("process")
def test_it_counts(symphony_pit):
    tally = symphony_pit(TALLY)
    assert [json.loads(tally.call(ADD, b'{"name": "a"}')) for _ in range(3)] == [1, 2, 3]


def test_its_state_outlives_a_crash(symphony_pit, symphony_fault):
    tally = symphony_pit(TALLY, durability="journal")
    tally.call(ADD, b'{"name": "a", "by": 41}')
    symphony_fault("tally", "kill")
    assert json.loads(tally.call(ADD, b'{"name": "a"}')) == 42


def test_nonsense_is_refused(symphony_pit):
    with pytest.raises(symphony_ipc.VerifyError):
        symphony_pit(TALLY).call(ADD, b"nonsense")
