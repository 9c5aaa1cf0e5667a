"""Pits in Python behind a real broker. What could go wrong: an exception that nobody sees, a state that does not outlive its
process, a file that says of itself what is not so. The fixtures are those of the package itself."""
import json
import os
import re
import subprocess
import sys

import pytest
import symphony_ipc
from conftest import BUILD, ROOT, eventually
from symphony_ipc import _note
from symphony_ipc.testing import program

EXAMPLES = ROOT / "bindings" / "python" / "examples"
TALLY = EXAMPLES / "tally.py"
ADD, READ = symphony_ipc.type_id("tally.Add"), symphony_ipc.type_id("tally.Read")

HEAD = """
import os, time
import symphony_ipc
class Odd(symphony_ipc.Pit):
    name = "odd"
    reply_size_max = 4096
    state_revision = 1
    schema = {schema!r}
    def __init__(self, config=""):
        self.seen = []
        self.config = config
    def snapshot(self):
        return repr(self.seen).encode()
    def restore(self, data, revision):
        self.seen = eval(data)
"""
DO = symphony_ipc.type_id("probe.Do")


def odd(folder, body, schema=None, **more):
    """The file of a pit whose handler of probe.Do is that body."""
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    path = folder / "odd.py"
    path.write_text(HEAD.format(schema=schema) + more.get("methods", "") +
                    '    @symphony_ipc.handles("probe.Do", "idempotent", replies="probe.Done")\n    def do(self, message):\n' + lines)
    return path


def test_an_exception_reaches_the_caller_in_a_line_and_the_log_whole(symphony_pit, symphony_broker, tmp_path):
    pit = symphony_pit(odd(tmp_path, "def helper():\n    return 1 // 0\nreturn helper()"))
    with pytest.raises(symphony_ipc.SymphonyError, match="ZeroDivisionError: .*odd.py:19 in helper < odd.py:20 in do") as told:
        pit.call(DO, b"x")
    assert "(INTERNAL)" in str(told.value)
    eventually(lambda: "ZeroDivisionError" in symphony_broker.log_of("odd"), "the traceback is in the log")
    assert "Traceback (most recent call last)" in symphony_broker.log_of("odd")
    shown = subprocess.run([program(), "pit", "logs", "odd", "--socket", symphony_broker.socket, "--logs", str(symphony_broker.folder / "logs")],
                           capture_output=True, text=True, timeout=60, check=False)
    assert "ZeroDivisionError" in shown.stdout, shown.stderr
    assert len(symphony_broker.bus.pits()) == 1 and symphony_broker.bus.pits()[0].instance == 1, "an exception is no death"


ENDINGS = [
    ('raise symphony_ipc.PitError(7, "seven")', symphony_ipc.PitError, "seven"),
    ('raise symphony_ipc.VerifyError(-5, "not so")', symphony_ipc.VerifyError, "not so"),
    ("return bytes(5000)", symphony_ipc.InvalidArgument, "reply_size_max = 4096"),
    ("raise KeyboardInterrupt", symphony_ipc.SymphonyError, "KeyboardInterrupt"),
    ("return 5", symphony_ipc.SymphonyError, "TypeError"),
    ('return {"value": 1}', symphony_ipc.SymphonyError, "a schema"),
    ("return symphony_ipc.connect('/nowhere', timeout=0.1)", symphony_ipc.SymphonyError, "no broker"),
]


def test_what_a_handler_raises_or_returns_wrongly_ends_its_request_with_a_reason(symphony_pit, tmp_path):
    body = "".join(f"if message == b'{number}':\n    {line}\n" for number, (line, _, _) in enumerate(ENDINGS))
    pit = symphony_pit(odd(tmp_path, body + "return b'well'"))
    for number, (_, kind, text) in enumerate(ENDINGS):
        with pytest.raises(kind, match=text):
            pit.call(DO, str(number).encode())
        assert pit.call(DO, b"") == b"well"


def test_messages_are_dicts_where_the_pit_has_a_schema(symphony_pit, tmp_path):
    schema = os.environ["SYMPHONY_SCHEMAS"] + "/probe.bfbs"
    pit = symphony_pit(odd(tmp_path, 'return {"value": message["argument"] + 1}', schema), schema=symphony_ipc.Schema(schema))
    assert pit.call("probe.Do", {"argument": 41})["value"] == 42
    with pytest.raises(symphony_ipc.VerifyError):
        pit.call(DO, b"nonsense")


def test_a_handler_may_answer_later_by_a_timer(symphony_pit, tmp_path):
    methods = "    def timer(self, number, now_ns):\n        self.reply(number, b'later', 'probe.Done')\n"
    pit = symphony_pit(odd(tmp_path, "self.timer_set(self.request.number, self.now_ns() + 1_000_000)\nreturn symphony_ipc.LATER", methods=methods))
    assert pit.call(DO, b"") == b"later"


def test_its_configuration_and_what_it_prints_and_logs_arrive(symphony_pit, symphony_broker, tmp_path):
    pit = symphony_pit(odd(tmp_path, 'print("printed")\nself.log("logged")\nreturn self.config.encode()'), config='{"a": 1}')
    assert pit.call(DO, b"") == b'{"a": 1}'
    eventually(lambda: {"printed", "odd: info: logged"} <= set(symphony_broker.log_of("odd").split("\n")), "both lines are in the log")


def test_a_pit_that_ends_itself_or_segfaults_is_there_again_with_its_trace_in_the_log(symphony_pit, symphony_broker, tmp_path):
    pit = symphony_pit(odd(tmp_path, "if self.request.attempt == 0 and message == b'die':\n    import ctypes; ctypes.string_at(0)\nreturn b'there'"))
    assert pit.call(DO, b"die", effect="idempotent") == b"there"
    eventually(lambda: "Segmentation fault" in symphony_broker.log_of("odd"), "the interpreter says where")
    assert "odd.py" in symphony_broker.log_of("odd")


def test_a_swap_takes_the_state_along(symphony_pit, symphony_broker, tmp_path):
    pit = symphony_pit(TALLY)
    pit.call(ADD, b'{"name": "a", "by": 41}')
    new = tmp_path / "tally.py"
    new.write_text(TALLY.read_text().replace('version = "1.0.0"', 'version = "1.1.0"'))
    symphony_broker.command("pit", "swap", "tally", str(new))
    assert json.loads(pit.call(ADD, b'{"name": "a"}')) == 42


BAD_FILES = [
    ("", "0 classes derive from symphony_ipc.Pit"),
    ("def (", "invalid syntax"),
    ("\x00", "null bytes"),
    ("class A(Pit):\n  pass", 'name = "pool"'),
    ("class A(Pit):\n  name = 'a' + 'b'", "must stand there literally"),
    ("class A(Pit):\n  name = 'Ü'", "a-z 0-9"),
    ("class A(Pit):\n  name = 5", "must be a text"),
    ("class A(Pit):\n  name = 'a'\n  needs = 'b'", "tuple of texts"),
    ("class A(Pit):\n  name = 'a'\n  @handles('x.Y', 'twice')\n  def f(self, m): pass", "once, read, idempotent"),
    ("class A(Pit):\n  name = 'a'\n  @handles(f())\n  def f(self, m): pass", "literally"),
    ("class A(Pit):\n  name = 'a'\n  @handles('x.Y')\n  async def f(self, m): pass", "plain function"),
    ("class A(Pit):\n  name = 'a'\n  @handles('x.Y')\n  def f(self, m): pass\n  @handles('x.Y')\n  def g(self, m): pass", "two methods"),
    ("class A(Pit): pass\nclass B(Pit): pass", "2 classes"),
    ("(" * 5000, "odd.py"),
]


def test_a_file_that_is_no_pit_is_refused_with_the_reason_and_nothing_of_it_runs(tmp_path):
    file, ran = tmp_path / "odd.py", tmp_path / "ran"
    for text, why in BAD_FILES:
        with pytest.raises((ValueError, SyntaxError, MemoryError), match=re.escape(why)):
            _note.read_note("odd.py", text)
    for text, why in [*BAD_FILES[:2], ("class A(Pit):\n  name = 'a'\n  version = 'x'", "version"),
                      ("class A(Pit):\n  name = 'a'\n  reply_size_max = -1", "reply_size_max")]:
        file.write_text(f"open({str(ran)!r}, 'w')\n{text}")
        shown = subprocess.run([program(), "pit", "show", str(file)], capture_output=True, text=True, timeout=60, check=False)
        assert shown.returncode in (1, 7) and why in shown.stderr and shown.stderr.count("\n") == 1, shown.stderr
    assert not ran.exists()


def test_a_class_that_is_another_when_it_runs_than_its_text_says_is_not_started(tmp_path):
    file = odd(tmp_path, "return b''")
    file.write_text(file.read_text() + "Odd.reply_size_max = 8\n")
    ran = subprocess.run([sys.executable, "-c", "import sys; from symphony_ipc import _host; sys.exit(_host.main(sys.argv[1]))", str(file)],
                         capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 125 and "'reply_size_max' is 8 when the file has run, and 4096 in its text" in ran.stderr


def test_a_pit_that_cannot_be_imported_tells_why_and_counts_as_one_that_fails_every_time(symphony_broker, tmp_path):
    file = odd(tmp_path, "return b''")
    file.write_text("import no_such_module\n" + file.read_text())
    symphony_broker.add(str(file))
    eventually(lambda: "No module named 'no_such_module'" in symphony_broker.log_of("odd"), "the log says why")
    with pytest.raises(symphony_ipc.Quarantined):
        symphony_broker.bus.open("odd")


def test_the_note_is_what_the_class_says():
    note = _note.read_note(str(TALLY))
    assert (note.name, note.version, note.state_revision, note.state_revision_min) == ("tally", "1.0.0", 1, 1)
    assert [(h.table, h.effect, h.replies, h.method) for h in note.handlers] == [
        ("tally.Add", "once", "tally.Count", "add"), ("tally.Read", "read", "tally.Count", "read")]


@pytest.mark.parametrize("subject", ["note", "snapshot", "bad_snapshot.truncated", "message.random", "ending.one_each", "hook.handle"])
def test_the_conformance_suite_passes(subject):
    if subject != "note" and not os.environ.get("SYMPHONY_LONG"):
        pytest.skip("the suite is run whole where there is time: SYMPHONY_LONG")
    checked = subprocess.run([program(), "pit", "check", str(TALLY), "--reproduce", subject], capture_output=True, text=True, timeout=600, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.fixture
def running(tmp_path):
    """`symphony pit run` of a file, as examples say; the socket."""
    processes = []

    def run(file):
        socket = str(tmp_path / f"{len(processes)}.sock")
        processes.append(subprocess.Popen([program(), "pit", "run", str(file), "--socket", socket], stderr=subprocess.PIPE, text=True))
        with symphony_ipc.connect(socket, timeout=60):
            return socket

    os.chmod(tmp_path, 0o700)
    yield run
    for process in processes:
        process.terminate()
        process.communicate(timeout=60)
        assert process.returncode == 0


def example(name, *words):
    done = subprocess.run([sys.executable, "-B", str(EXAMPLES / name), *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_examples_do_what_they_say(running):
    socket = running(TALLY)
    assert example("caller.py", socket) == "tea: 2\nrefused: add to what? give a name (PIT)\n"
    assert example("asyncio_caller.py", socket) == "1000 different answers, 1000 in all\n"
    pytest.importorskip("numpy")
    assert example("numpy_caller.py", running(EXAMPLES / "frames.py")) == "equal: True writeable: False\n"


def test_the_example_of_a_test_passes():
    tests = subprocess.run([sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "symphony_ipc.testing",
                            str(EXAMPLES / "test_tally.py")], capture_output=True, text=True, timeout=120, check=False)
    assert tests.returncode == 0 and "3 passed" in tests.stdout, tests.stdout


@pytest.mark.modes("process", "sandbox")
def test_a_pit_of_any_language_runs_in_each_mode_that_the_marker_names(symphony_pit, symphony_mode):
    with symphony_pit(BUILD / "pits" / "probe.so") as pit:
        assert pit.call(symphony_ipc.type_id("probe.Do"), b"\x08\0\0\0\x04\0\x04\0\x04\0\0\0") and symphony_mode in ("process", "sandbox")


def test_faults_are_told_and_a_pit_is_back_after_each(symphony_pit, symphony_fault):
    tally = symphony_pit(TALLY)
    for kind in ("kill", "segv"):
        assert symphony_fault("tally", kind)["death"] is not None
        assert json.loads(tally.call(READ, b"{}", effect="read")) == 0
    with pytest.raises(RuntimeError, match="drown"):
        symphony_fault("tally", "drown")
