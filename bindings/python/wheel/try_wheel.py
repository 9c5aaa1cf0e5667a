"""Makes a call with the package that is installed here.   usage: try_wheel.py BUILD FOLDER

BUILD: with the programs and the pit greeter. FOLDER: where the package was installed."""
import pathlib
import struct
import sys

import symphony_ipc
from symphony_ipc import _loader

# greeter.Hello{name: "wheel"}: the root's place, its vtable, the table, the text.
HELLO = struct.pack("<IHHHHiII5s3x", 12, 6, 8, 4, 0, 8, 4, 5, b"wheel")

build = pathlib.Path(sys.argv[1])
package = pathlib.Path(symphony_ipc.__file__).parent
assert package.is_relative_to(sys.argv[2]), f"{package} is not the one that was installed"
assert _loader.candidates()[0] == str(package / "_lib" / "libsymphony.so.1")
pit = symphony_ipc.PitConfig("greeter", str(build / "bin" / "symphony-pit-host"), [str(build / "pits" / "greeter.so")])
with symphony_ipc.Broker([pit], keeper=str(build / "bin" / "symphony-keeper")) as broker:
    with broker.connect() as bus, bus.open("greeter") as greeter:
        greeting = greeter.call(symphony_ipc.type_id("greeter.Hello"), HELLO)
        assert b"wheel" in greeting, greeting
        print(f"Python {sys.version.split()[0]}: a call went to the pit and back")
