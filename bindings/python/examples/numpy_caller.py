"""Frames as numpy arrays: they go out as they are, and replies are arrays over memory that nobody copied.
usage: numpy_caller.py SOCKET"""
import sys

import numpy

import symphony_ipc

INVERT = symphony_ipc.type_id("frames.Invert")

with symphony_ipc.connect(sys.argv[1]) as bus:
    with bus.open("frames", request_capacity=1 << 23, reply_capacity=1 << 23) as pit:
        frame = numpy.arange(480 * 640 * 3, dtype=numpy.uint8).reshape(480, 640, 3)
        reply = numpy.frombuffer(pit.call_view(INVERT, frame), dtype=numpy.uint8).reshape(frame.shape)
        print("equal:", bool((reply == 255 - frame).all()), "writeable:", reply.flags.writeable)
