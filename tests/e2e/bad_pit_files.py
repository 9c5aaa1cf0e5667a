"""Files that are given as a pit and are none that can be run here. For tests: each with words of the reason and the remedy."""
import pathlib


def bad_pit_files(pits, test_pits, folder):
    """A list of (path, words). `pits`: the build's, `test_pits`: the tests' own, `folder`: for what is made here."""
    good = (pits / "greeter.so").read_bytes()
    note = good.index(b"SPN1")

    def made(name, data):
        path = pathlib.Path(folder) / name
        path.write_bytes(data)
        return path

    def changed(at, bit):
        return good[:at] + bytes([good[at] ^ bit]) + good[at + 1:]

    return [(made("empty.so", b""), "no ELF file: name the .so"),
            (made("text.so", b"no pit\n"), "no ELF file: name the .so"),
            (made("cut.so", good[:len(good) // 2]), "truncated or damaged, its headers point past its end: copy or build it again"),
            (made("flipped.so", changed(note + 20, 4)), "its checksum differs: build the pit again, or copy its file again"),
            (made("unloadable.so", changed(0x20, 0x40)), "the system's loader refused it"),  # where its segments are
            (made("other_machine.so", changed(18, 0x80)), "built for another machine: build it for this one"),
            (test_pits / "plain.so", "no pit: it has no note of one; build it with symphony_add_pit"),
            (test_pits / "other_major.so", "needs ABI 2.0 and this host offers 1.0: build both from one release"),
            (test_pits / "two_pits.so", "build one .so a pit"),
            (test_pits / "liar.so", "its table and its note differ in the reply_size_max: build it again"),
            (test_pits / "no_entry.so", "does not export symphony_pit_entry_v1: build it with symphony_add_pit"),
            (test_pits / "unresolved.so", "undefined symbol: nobody_has_this"),
            (test_pits / "unique.so", "build it with symphony_add_pit, or with -fno-gnu-unique"),
            (pathlib.Path(folder), "no regular file; name a pit's file"),
            (pathlib.Path("/no/such.so"), "cannot be read: No such file or directory; name a pit's file")]
