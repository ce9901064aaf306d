"""Ports on loopback for processes that have to know theirs before they listen."""

import os
import socket
from itertools import count

# Below the ports that systems give to outgoing connections (from 32768 on Linux, from 49152
# elsewhere). Among those, a client that asks for a killed server's port may be given that very
# port, connect to itself and hold it when the server comes back.
FIRST, LAST = 20_000, 32_000
STEP = 64  # how far apart processes begin, so that those that run tests at once do not meet

_tried = count(os.getpid() * STEP)


def free_port() -> int:
    """A port on which nobody listens, and which this process has not had before."""
    for number in _tried:
        port = FIRST + number % (LAST - FIRST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("counting has no end")
