"""A pit in Python: counts by name. Its messages are JSON, its state outlives it.

    symphony pit check tally.py
    symphony pit run tally.py"""
import json
from typing import Any, Dict

import symphony_ipc


def fields_of(body: bytes) -> Dict[str, Any]:
    """The message's fields; VerifyError ends the request as BAD_MESSAGE, and is no bug of this pit."""
    try:
        fields = json.loads(body or b"{}")
    except ValueError as error:
        raise symphony_ipc.VerifyError(-5, f"a message is a JSON object: {error}") from None
    if not isinstance(fields, dict) or not isinstance(fields.get("name", ""), str) or not isinstance(fields.get("by", 1), int):
        raise symphony_ipc.VerifyError(-5, 'a message is {"name": text, "by": number}')
    return fields


class Tally(symphony_ipc.Pit):
    """tally.Add {"name", "by"} and tally.Read {"name"} answer with the count."""

    name = "tally"
    version = "1.0.0"
    state_revision = 1

    def __init__(self, config: str = "") -> None:
        self.counts: Dict[str, int] = {}

    @symphony_ipc.handles("tally.Add", replies="tally.Count")
    def add(self, body: bytes) -> bytes:
        fields = fields_of(body)
        name = fields.get("name", "")
        if not name:
            raise symphony_ipc.PitError(1, "add to what? give a name")
        self.counts[name] = self.counts.get(name, 0) + fields.get("by", 1)
        return json.dumps(self.counts[name]).encode()

    @symphony_ipc.handles("tally.Read", effect="read", replies="tally.Count")
    def read(self, body: bytes) -> bytes:
        return json.dumps(self.counts.get(fields_of(body).get("name", ""), 0)).encode()

    def snapshot(self) -> bytes:
        return json.dumps(self.counts, sort_keys=True).encode()

    def restore(self, data: bytes, revision: int) -> None:
        counts = json.loads(data)
        if not isinstance(counts, dict) or not all(type(count) is int for count in counts.values()):
            raise ValueError("no counts")
        self.counts = counts
        if self.snapshot() != data:  # a snapshot that was damaged and still is JSON
            raise ValueError("not as it was written")
