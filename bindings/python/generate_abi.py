#!/usr/bin/env python3
"""Writes symphony_ipc/_abi.py from symphony.h, and _contract.py from symphony/pit.h.   usage: generate_abi.py [--check]

It reads the forms that the headers are written in: `#define NAME number`, SYMPHONY_STATUS_TABLE, `typedef struct` with
plain members and pointers to functions, and functions marked SYMPHONY_API. With --check it writes nothing and fails where
a file is not what its header says.
"""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = HERE / "symphony_ipc"
CONTRACT = HERE.parents[1] / "pits" / "contract" / "include" / "symphony" / "pit.h"
FILES = {PACKAGE / "_abi.py": HERE.parent / "c" / "include" / "symphony.h", PACKAGE / "_contract.py": CONTRACT}
TYPES = {"uint8_t": "c_uint8", "uint16_t": "c_uint16", "uint32_t": "c_uint32", "int32_t": "c_int32", "uint64_t": "c_uint64", "int64_t": "c_int64", "size_t": "c_size_t",
         "int": "c_int", "void": "None", "char": "c_char"}


def ctype(text, structs, handles):
    """The ctypes name of a C type without its name."""
    words = text.replace("const ", " ").replace("struct ", " ").replace("*", " * ").split()
    base, stars = words[0], words.count("*")
    if base in handles:
        base = "uint64_t"
    if stars == 0:
        return structs.get(base) or TYPES[base]
    if stars == 1 and base == "char":
        return "c_char_p"
    return "c_void_p"  # whatever it points to: the caller has the object


def member(text, name, structs, handles):
    """One line of a Structure's fields."""
    pointer = re.fullmatch(r"(.*?)\(\*(\w+)\)\((.*)\)", text, re.S)
    if pointer:
        kind, called, given = pointer.groups()
        types = ", ".join(ctype(part, structs, handles) for part in [kind, *(re.sub(r"\w+$", "", a.strip()) for a in given.split(","))])
        # What a pit calls never blocks: the interpreter's lock is kept. What calls the pit comes without it.
        return f'        ("{called}", {"CFUNCTYPE" if name == "symphony_pit_entry" else "PYFUNCTYPE"}({types})),'
    kind, called, size = re.fullmatch(r"(.*?)(\w+)(?:\[(\d+)\])?", text, re.S).groups()
    return f'        ("{called}", {ctype(kind, structs, handles)}{" * " + size if size else ""}),'


def generate(header, name):
    """The text of the Python file."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.S).replace("\\\n", " ")
    handles = re.findall(r"typedef uint64_t (\w+);", text)
    constants = re.findall(r"^#define SYMPHONY_(\w+) \(?(-?\d+)\)?\s*$", text, re.M)
    lines = [f"{called} = {value}" for called, value in constants]
    table = re.findall(r'X\(SYMPHONY_(\w+), "([^"]*)"\)', text)
    if table:
        lines += ["", "# status: (name, what it is called)", "STATUSES: Dict[int, Tuple[str, str]] = {"]
        lines += [f'    {called}: ("{called}", "{what}"),' for called, what in table] + ["}"]
    structs = {}
    for body, struct in re.findall(r"typedef struct \w+ \{(.*?)\} (\w+);", text, re.S):
        structs[struct] = "".join(word.capitalize() for word in struct.removeprefix("symphony_").split("_"))
        lines += ["", "", f"class {structs[struct]}(Structure):", "    _fields_ = ["]
        lines += [member(part, struct, structs, handles) for part in (p.strip() for p in body.split(";")) if part] + ["    ]"]
    functions = re.findall(r"^SYMPHONY_API ([\w* ]+?)\s*\b(symphony_\w+)\((.*?)\);", text, re.M | re.S)
    if functions:
        lines += ["", "", "# function: (what it returns, what it takes)", "FUNCTIONS: Dict[str, Tuple[Any, List[Any]]] = {"]
        for kind, called, given in functions:
            arguments = [re.sub(r"\w+$", "", part.strip()) for part in given.split(",") if part.strip() != "void"]
            types = ", ".join(ctype(a, structs, handles) for a in arguments)
            lines.append(f'    "{called}": ({ctype(kind, structs, handles)}, [{types}]),')
        lines += ["}"]
    used = sorted(set(re.findall(r"\b(?:Structure|CFUNCTYPE|PYFUNCTYPE|c_\w+)\b", "\n".join(lines))))
    typing = sorted(word for word in ("Any", "Dict", "List", "Tuple") if re.search(rf"\b{word}\b", "\n".join(lines)))
    head = [f'"""The C ABI as ctypes sees it. Made of {name} by generate_abi.py: do not edit."""', f"from ctypes import {', '.join(used)}"]
    return "\n".join(head + ([f"from typing import {', '.join(typing)}"] if typing else []) + [""] + lines + [""])


def main():
    for target, header in FILES.items():
        made = generate(header.read_text(encoding="utf-8"), header.name)
        if sys.argv[1:] != ["--check"]:
            target.write_text(made, encoding="utf-8")
        elif not target.exists() or target.read_text(encoding="utf-8") != made:
            print(f"symphony_ipc/{target.name} is not what {header.name} says: run bindings/python/generate_abi.py", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
