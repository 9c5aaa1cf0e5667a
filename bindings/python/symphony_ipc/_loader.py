"""Finds and opens libsymphony.so.1, twice: with the interpreter's lock given away in each call, and kept."""
import ctypes
import os
import pathlib
from typing import Any, List, Tuple

from . import _abi
from .errors import LibraryError

SONAME = "libsymphony.so.1"


def candidates() -> List[str]:
    """Where the library is looked for, in this order."""
    chosen = os.environ.get("SYMPHONY_LIBRARY")
    if chosen:
        return [chosen]
    return [str(pathlib.Path(__file__).resolve().parent / "_lib" / SONAME), SONAME]


def load() -> Tuple[Any, Any]:
    """(waits, short): CDLL for functions that may block, PyDLL for those that never do.

    LibraryError: none of the paths can be loaded, or what is there is of another ABI; it names each, with the reason."""
    tried = []
    for path in candidates():
        try:
            waits = ctypes.CDLL(path)
            waits.symphony_abi_version.restype = ctypes.c_uint32
            version = waits.symphony_abi_version()
        except (OSError, AttributeError) as error:
            tried.append(f"  {path}: {error}")
            continue
        if version >> 16 != _abi.C_ABI_MAJOR or version & 0xFFFF < _abi.C_ABI_MINOR:
            tried.append(f"  {path}: has ABI {version >> 16}.{version & 0xFFFF}, and {_abi.C_ABI_MAJOR}.{_abi.C_ABI_MINOR} or a later minor is needed")
            continue
        short = ctypes.PyDLL(path)
        for library in (waits, short):
            for name, (result, arguments) in _abi.FUNCTIONS.items():
                function = getattr(library, name)
                function.restype, function.argtypes = result, arguments
        return waits, short
    raise LibraryError("no usable libsymphony was found; install it, or set SYMPHONY_LIBRARY to its absolute path. Tried:\n" + "\n".join(tried))
