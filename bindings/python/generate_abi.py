#!/usr/bin/env python3
"""Writes symphony_ipc/_abi.py from symphony.h.   usage: generate_abi.py [--check]

It reads the forms that the header is written in: `#define NAME number`, SYMPHONY_STATUS_TABLE, `typedef struct`, and
functions marked SYMPHONY_API. With --check it writes nothing and fails where the file is not what the header says.
"""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
HEADER = HERE.parent / "c" / "include" / "symphony.h"
TARGET = HERE / "symphony_ipc" / "_abi.py"
TYPES = {"uint8_t": "c_uint8", "uint32_t": "c_uint32", "int32_t": "c_int32", "uint64_t": "c_uint64", "int64_t": "c_int64", "size_t": "c_size_t",
         "int": "c_int", "void": "None", "char": "c_char"}


def ctype(text, structs, handles):
    """The ctypes name of a C type without its name."""
    words = text.replace("const", " ").replace("*", " * ").split()
    base, stars = words[0], words.count("*")
    if base in handles:
        base = "uint64_t"
    if stars == 0:
        return structs.get(base) or TYPES[base]
    if stars == 1 and base == "char":
        return "c_char_p"
    return "c_void_p"  # whatever it points to: the caller has the object


def generate(header):
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.S).replace("\\\n", " ")
    handles = re.findall(r"typedef uint64_t (\w+);", text)
    lines = ['"""The C ABI as ctypes sees it. Made of symphony.h by generate_abi.py: do not edit."""',
             "from ctypes import Structure, c_char, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p",
             "from typing import Any, Dict, List, Tuple", ""]
    constants = re.findall(r"^#define SYMPHONY_(\w+) \(?(-?\d+)\)?\s*$", text, re.M)
    lines += [f"{name} = {value}" for name, value in constants]
    table = re.findall(r'X\(SYMPHONY_(\w+), "([^"]*)"\)', text)
    lines += ["", "# status: (name, what it is called)", "STATUSES: Dict[int, Tuple[str, str]] = {"]
    lines += [f'    {name}: ("{name}", "{what}"),' for name, what in table] + ["}"]
    structs = {}
    for body, name in re.findall(r"typedef struct \w+ \{(.*?)\} (\w+);", text, re.S):
        structs[name] = "".join(word.capitalize() for word in name.removeprefix("symphony_").split("_"))
        lines += ["", "", f"class {structs[name]}(Structure):", "    _fields_ = ["]
        for field in filter(None, (part.strip() for part in body.split(";"))):
            kind, member, size = re.fullmatch(r"(.*?)(\w+)(?:\[(\d+)\])?", field, re.S).groups()
            lines.append(f'        ("{member}", {ctype(kind, structs, handles)}{" * " + size if size else ""}),')
        lines.append("    ]")
    lines += ["", "", "# function: (what it returns, what it takes)", "FUNCTIONS: Dict[str, Tuple[Any, List[Any]]] = {"]
    for kind, name, given in re.findall(r"^SYMPHONY_API ([\w* ]+?)\s*\b(symphony_\w+)\((.*?)\);", text, re.M | re.S):
        arguments = [re.sub(r"\w+$", "", part.strip()) for part in given.split(",") if part.strip() != "void"]
        lines.append(f'    "{name}": ({ctype(kind, structs, handles)}, [{", ".join(ctype(a, structs, handles) for a in arguments)}]),')
    return "\n".join(lines + ["}", ""])


def main():
    made = generate(HEADER.read_text(encoding="utf-8"))
    if sys.argv[1:] == ["--check"]:
        if TARGET.read_text(encoding="utf-8") != made:
            print("symphony_ipc/_abi.py is not what symphony.h says: run bindings/python/generate_abi.py", file=sys.stderr)
            return 1
        return 0
    TARGET.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
