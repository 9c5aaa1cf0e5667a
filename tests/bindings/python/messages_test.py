"""Messages that are more than bytes: by flatc's own Python code, and as dicts by their schema."""
import os
import pathlib
import sys

import flatbuffers
import pytest
import symphony_ipc
from conftest import BIG, DO, Done, message

SCHEMAS = pathlib.Path(os.environ["SYMPHONY_SCHEMAS"])
sys.path.insert(0, str(SCHEMAS))
from sample import All, Reference  # noqa: E402


@pytest.fixture(scope="module")
def sample():
    return symphony_ipc.Schema(SCHEMAS / "sample.bfbs")


@pytest.fixture
def typed(bus):
    with bus.open("probe", schema=symphony_ipc.Schema(SCHEMAS / "probe.bfbs")) as made:
        yield made


def reference():
    builder = flatbuffers.Builder(0)
    name = builder.CreateString("letters")
    Reference.StartNumbersVector(builder, 2)
    builder.PrependUint32(2)
    builder.PrependUint32(1)
    numbers = builder.EndVector()
    Reference.Start(builder)
    Reference.AddId(builder, 7)
    Reference.AddCount(builder, 3)
    Reference.AddKind(builder, 1)
    Reference.AddName(builder, name)
    Reference.AddNumbers(builder, numbers)
    builder.Finish(Reference.End(builder))
    return bytes(builder.Output())


def test_a_pit_is_called_with_a_dict_and_answers_with_one(typed):
    assert typed.call("Do", {"act": "BIG", "argument": 3})["bytes"] == [0x42] * 3
    assert typed.call("probe.DoAgain", {}, effect="read")["value"] > 0
    assert Done(typed.call(DO, message(BIG, 4))).size == 4, "and with bytes as ever"


def test_a_dict_that_is_no_message_is_told_before_anything_is_sent(typed, pit):
    before = typed.counters()["calls"]
    with pytest.raises(symphony_ipc.VerifyError, match="acct"):
        typed.call("Do", {"acct": "BIG"})
    with pytest.raises(symphony_ipc.NotFound):
        typed.call("Dont", {})
    with pytest.raises(TypeError, match="schema="):
        pit.call("Do", {})
    assert typed.counters()["calls"] == before


def test_a_reply_is_read_in_place_by_the_code_that_flatc_generates(typed):
    from probe.Done import Done as Generated
    view = typed.call_view(DO, message(BIG, 10_000))
    symphony_ipc.Schema(SCHEMAS / "probe.bfbs").verify("Done", view)
    done = Generated.GetRootAs(view, 0)
    assert (done.BytesLength(), done.Bytes(9_999)) == (10_000, 0x42)


def test_every_kind_of_field_goes_there_and_back(sample):
    given = {"flag": True, "color": "GREEN", "small": -3, "point": {"x": 1.5, "y": 2.5}, "name": "wörld", "leaf": {"name": "l", "value": 7},
             "any_type": "Other", "any": {"weights": [1.0, 2.0]}, "numbers": [1, 2**63], "names": ["a", ""], "leaves": [{"name": "x", "value": 2}],
             "children": [{"flag": False, "color": "RED", "small": 0, "any_type": "NONE"}]}
    body = sample.to_bytes("All", given)
    assert {name: value for name, value in sample.to_dict("All", body).items() if name in given} == given
    assert All.All.GetRootAs(body, 0).Name() == "wörld".encode()


def test_each_corruption_of_the_reference_message_is_refused_or_can_be_read(sample):
    right = reference()
    assert len(right) == 72
    taken = 0
    for at in range(len(right)):
        for value in range(256):
            if value == right[at]:
                continue
            body = bytearray(right)
            body[at] = value
            try:
                sample.verify("Reference", bytes(body))
            except symphony_ipc.VerifyError:
                continue
            taken += 1
            read = Reference.Reference.GetRootAs(body, 0)
            assert isinstance(read.Id() + read.Count() + read.Kind(), int) and isinstance(read.Name(), bytes)
            assert [read.Numbers(i) for i in range(min(read.NumbersLength(), 100))] is not None
    assert 0 < taken < 72 * 255


def test_what_is_no_schema_is_told(tmp_path, sample):
    with pytest.raises(symphony_ipc.VerifyError, match="flatc"):
        symphony_ipc.Schema(b"no schema at all")
    with pytest.raises(FileNotFoundError):
        symphony_ipc.Schema(tmp_path / "gone.bfbs")
    with pytest.raises(symphony_ipc.VerifyError):
        sample.verify("All", b"")
    assert sample.table(symphony_ipc.type_id("sample.All")) == "sample.All"
