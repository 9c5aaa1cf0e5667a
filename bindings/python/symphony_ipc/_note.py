"""Who a pit in Python is, read from its file's text: nothing of it runs.   usage: _note.py FILE

What is read stands literally in the one class of the file that derives from Pit: texts, numbers and tuples of texts, or
names that the file gives such a value at its top. As a program it prints a line a fact; it needs nothing but the standard
library, so that whoever asks may run it apart."""
import ast
import re
import sys
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

EFFECTS = ("once", "read", "idempotent")
FACTS: Dict[str, Any] = {"name": "", "version": "0.1.0", "reply_size_max": 65536, "state_revision": 0, "state_revision_min": 0, "needs": ()}


class Handler(NamedTuple):
    """A method that answers a type of message. replies: the table of its replies; empty: none in particular."""

    table: str
    effect: str
    replies: str
    method: str


class Note(NamedTuple):
    """What a pit says of itself."""

    class_name: str
    name: str
    version: str
    reply_size_max: int
    state_revision: int
    state_revision_min: int
    needs: Tuple[str, ...]
    handlers: Tuple[Handler, ...]


class NoteError(ValueError):
    """The file holds no pit, or its note cannot be read; one line that says what to change."""


def _last(node: ast.expr) -> str:
    """The last word of a name: of Pit, and of symphony_ipc.Pit."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


class _Reader:
    def __init__(self, path: str, tree: ast.Module) -> None:
        self.path = path
        self.constants: Dict[str, Any] = {}
        for statement in tree.body:
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
                try:
                    self.constants[statement.targets[0].id] = ast.literal_eval(statement.value)
                except ValueError:
                    pass

    def wrong(self, node: Any, what: str) -> NoteError:
        return NoteError(f"{self.path}:{node.lineno}: {what}")

    def value(self, node: ast.expr, what: str) -> Any:
        if isinstance(node, ast.Name) and node.id in self.constants:
            return self.constants[node.id]
        try:
            return ast.literal_eval(node)
        except ValueError:
            raise self.wrong(node, f"{what} must stand there literally: it is read without running the file") from None

    def handler(self, method: str, call: ast.Call) -> Handler:
        given = dict(zip(("table", "effect", "replies"), call.args))
        given.update({word.arg: word.value for word in call.keywords if word.arg})
        found = {"table": "", "effect": "once", "replies": ""}
        for key, node in given.items():
            if key not in found:
                raise self.wrong(call, f"handles() has no '{key}': it has table, effect and replies")
            found[key] = self.value(node, f"'{key}' of handles()")
        if not isinstance(found["table"], str) or not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", found["table"]):
            raise self.wrong(call, "handles() wants a message type: the name of its table with its namespace, as 'pool.Take'")
        if found["effect"] not in EFFECTS:
            raise self.wrong(call, f"'effect' is one of {', '.join(EFFECTS)}")
        return Handler(found["table"], found["effect"], found["replies"], method)

    def note(self, node: ast.ClassDef) -> Note:
        facts = dict(FACTS)
        handlers: List[Handler] = []
        for statement in node.body:
            if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
                for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
                    if isinstance(target, ast.Name) and target.id in facts:
                        facts[target.id] = self.value(statement.value, f"'{target.id}'")
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                for decorator in statement.decorator_list:
                    if isinstance(decorator, ast.Call) and _last(decorator.func) == "handles":
                        if isinstance(statement, ast.AsyncFunctionDef):
                            raise self.wrong(statement, "a handler is a plain function: a pit never waits")
                        handlers.append(self.handler(statement.name, decorator))
        for key, kind in (("name", str), ("version", str), ("reply_size_max", int), ("state_revision", int), ("state_revision_min", int)):
            if type(facts[key]) is not kind:
                raise self.wrong(node, f"'{key}' must be {'a text' if kind is str else 'a number'}")
        needs = facts.pop("needs")
        if not isinstance(needs, (list, tuple)) or not all(isinstance(need, str) for need in needs):
            raise self.wrong(node, "'needs' must be a tuple of texts: the names of the pits that it calls")
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", facts["name"]):
            raise self.wrong(node, "a pit has a name: name = \"pool\" in its class, of a-z 0-9 _, beginning with a letter, at most 63")
        facts["state_revision_min"] = facts["state_revision_min"] or facts["state_revision"]
        tables = [handler.table for handler in handlers]
        for table in tables:
            if tables.count(table) > 1:
                raise self.wrong(node, f"two methods handle '{table}'")
        return Note(node.name, needs=tuple(needs), handlers=tuple(handlers), **facts)


def read_note(path: str, text: Optional[str] = None) -> Note:
    """Of the pit in that file. Errors: OSError, SyntaxError, NoteError."""
    if text is None:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    tree = ast.parse(text, path)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and any(_last(base) == "Pit" for base in node.bases)]
    if len(classes) != 1:
        raise NoteError(f"{path}: {len(classes)} classes derive from symphony_ipc.Pit, and a pit's file has one")
    return _Reader(path, tree).note(classes[0])


def main(path: str) -> int:
    """Prints the note; 1: there is none, and stderr says why."""
    try:
        note = read_note(path)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        print(str(error) if isinstance(error, NoteError) else f"{path}: {error}", file=sys.stderr)
        return 1
    for key in ("name", "version", "reply_size_max", "state_revision", "state_revision_min"):
        print(key, getattr(note, key))
    for need in note.needs:
        print("need", need)
    for handler in note.handlers:
        print("message", handler.effect, handler.table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
