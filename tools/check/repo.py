"""What the repository checks share: the files of a tree, C++ without comments and strings, and the two ways to run.

A check is a function check(tree) -> list of "path:line: what is wrong; the remedy", and a list of cases. A case is
(files, expected): a small tree as {path: text}, and a part of the message it must give, or None where it must pass.
`CHECK.py` runs the check on this repository; `CHECK.py --self-test` shows that it catches what its cases plant.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CPP = (".cpp", ".hpp", ".c", ".h")
NOT_RUN = 77  # the status by which ctest knows a check that this machine cannot run


class Tree:
    """The text files of a repository: path -> text. A planted tree is given as a dict."""

    def __init__(self, files=None):
        self.files = files if files is not None else dict(read_repository())

    def cpp(self, *folders):
        return {p: t for p, t in sorted(self.files.items()) if p.endswith(CPP) and (not folders or p.startswith(folders))}

    def exists(self, path):
        path = path.rstrip("/")
        return path in self.files or any(p.startswith(path + "/") for p in self.files)


def repository_paths():
    """What git knows or would add; everything but build trees where git cannot say."""
    git = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                         capture_output=True, check=False)
    if git.returncode == 0:
        return sorted(set(p for p in git.stdout.decode().split("\0") if p))
    found = (p.relative_to(ROOT) for p in ROOT.rglob("*") if p.is_file())
    return sorted(str(p) for p in found if p.parts[0] not in (".git", "build") and "__pycache__" not in p.parts)


def read_repository():
    for path in repository_paths():
        try:
            data = (ROOT / path).read_bytes()
        except OSError:  # deleted, not yet committed
            continue
        if b"\0" not in data:
            yield path, data.decode("utf-8", "surrogateescape")


_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])+\'', re.S)


def code_only(text):
    """C++ with comments blanked and strings emptied; line numbers stay."""
    def blank(match):
        lines = "\n" * match.group().count("\n")
        return lines if match.group().startswith("/") else '""' + lines if '"' in match.group()[:2] else "' '" + lines
    return _TOKEN.sub(blank, text)


def statements(text):
    """(line, text) of each run of C++ code up to ; { or } (comments and strings blanked)."""
    line, begun, part = 1, None, []
    for char in code_only(text):
        if begun is None and not char.isspace():
            begun = line
        if char in ";{}":
            if part and begun:
                yield begun, "".join(part).lstrip() + char
            begun, part = None, []
        else:
            part.append(char)
        line += char == "\n"
    if begun:
        yield begun, "".join(part).lstrip()


def main(check, cases):
    if sys.argv[1:] == ["--self-test"]:
        wrong = 0
        for files, expected in cases:
            found = check(Tree(files))
            right = not found if expected is None else any(expected in message for message in found)
            wrong += not right
            if not right:
                print(f"planted: {files}\n  expected: {expected or 'nothing'}\n  reported: {found or 'nothing'}")
        print(f"{len(cases) - wrong} of {len(cases)} planted cases judged rightly")
        sys.exit(1 if wrong or not cases else 0)
    if sys.argv[1:]:
        print(f"usage: {sys.argv[0]} [--self-test]", file=sys.stderr)
        sys.exit(2)
    tree = Tree()
    found = check(tree)
    print("\n".join(found) if found else f"{len(tree.files)} files looked at, nothing found")
    sys.exit(1 if found else 0)
