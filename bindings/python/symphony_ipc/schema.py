"""Messages by their schema: plain dicts, and bytes that are verified before anyone reads them."""
import ctypes
import json
import os
import threading
from typing import Any, Dict, Tuple, Union

from ._library import address_of, check, short

_NAME_MAX = 512


class Schema:
    """The tables of a binary schema: of a file made by `flatc --binary --schema FILE.fbs`, or its bytes.

    Threads: any. Errors of all functions: NotFound (no such table), VerifyError (bytes or a dict that are no message of it)."""

    def __init__(self, source: Union[bytes, str, "os.PathLike[str]"]) -> None:
        if not isinstance(source, bytes):
            with open(source, "rb") as file:
                source = file.read()
        handle = ctypes.c_uint64()
        check(short.symphony_schema_open(source, len(source), ctypes.byref(handle)))
        self._handle = handle.value
        self._names: Dict[Union[str, int], str] = {}
        self._mutex = threading.Lock()

    def __del__(self) -> None:
        if hasattr(self, "_handle"):
            short.symphony_schema_close(self._handle)

    def table(self, which: Union[str, int]) -> str:
        """The full name of a table, from that, its last part or its type_id()."""
        found = self._names.get(which)
        if found is None:
            name = ctypes.create_string_buffer(_NAME_MAX)
            if isinstance(which, int):
                check(short.symphony_schema_table_of(self._handle, which, name, _NAME_MAX))
            else:
                check(short.symphony_schema_find(self._handle, which.encode(), name, _NAME_MAX))
            with self._mutex:
                found = self._names[which] = name.value.decode()
        return found

    def verify(self, table: str, body: Any) -> None:
        """VerifyError unless the bytes, which may be anything, are a message of that table; reading one that is, as by the code
        that flatc generates for Python, never leads outside of it."""
        at, size, _alive = address_of(body)
        check(short.symphony_schema_verify(self._handle, self.table(table).encode(), at, size))

    def to_bytes(self, table: str, fields: Dict[str, Any]) -> bytes:
        """A message of that table. Fields that it does not have are an error."""
        memory, size = ctypes.c_void_p(), ctypes.c_size_t()
        check(short.symphony_schema_from_json(self._handle, self.table(table).encode(), json.dumps(fields).encode(), ctypes.byref(memory),
                                              ctypes.byref(size)))
        return _taken(memory, size)

    def to_dict(self, table: str, body: Any) -> Dict[str, Any]:
        """The message's fields, those that have their default too. Verified first."""
        at, length, _alive = address_of(body)
        memory, size = ctypes.c_void_p(), ctypes.c_size_t()
        check(short.symphony_schema_to_json(self._handle, self.table(table).encode(), at, length, ctypes.byref(memory), ctypes.byref(size)))
        fields: Dict[str, Any] = json.loads(_taken(memory, size))
        return fields

    def request(self, table: str, fields: Dict[str, Any]) -> Tuple[int, bytes]:
        """The type and the bytes of a message, for Link.call()."""
        return int(short.symphony_type_id(self.table(table).encode())), self.to_bytes(table, fields)


def _taken(memory: ctypes.c_void_p, size: ctypes.c_size_t) -> bytes:
    """What the library handed over, as bytes."""
    try:
        return ctypes.string_at(memory, size.value)
    finally:
        short.symphony_free(memory)

