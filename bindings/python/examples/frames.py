"""A pit that takes frames of numbers and gives back the brighter ones.

    symphony pit run frames.py --socket SOCKET, then numpy_caller.py SOCKET"""
import symphony_ipc


class Frames(symphony_ipc.Pit):
    """frames.Invert: bytes; each becomes 255 less itself."""

    name = "frames"
    version = "1.0.0"
    reply_size_max = 4194304

    @symphony_ipc.handles("frames.Invert", effect="read", replies="frames.Inverted")
    def invert(self, body: bytes) -> bytes:
        return body.translate(INVERTED)


INVERTED = bytes(255 - value for value in range(256))
