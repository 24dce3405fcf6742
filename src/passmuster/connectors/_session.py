"""Sessions with servers that speak no HTTP: each conversation has an end in time.

Time-outs of database drivers count from one read to the next, or not at all, so that a server
that drips holds a caller for ever. Here a timer shuts the socket itself when the time is over:
whatever the driver waits for then ends, with an error of the driver's own.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from passmuster.errors import Declined

LOCAL = ("", "localhost", "127.0.0.1", "::1")
"""Hosts that no TLS is asked of; a path of a socket is as good."""


@dataclass
class Watch:
    """Whether the time was over."""

    seconds: float
    ended: bool = False


@contextmanager
def watched(descriptor: int, seconds: float) -> Iterator[Watch]:
    """Shut the socket *descriptor* down unless the block is left within *seconds*."""
    watch = Watch(seconds)
    twin = socket.socket(fileno=os.dup(descriptor))

    def end() -> None:
        watch.ended = True
        with suppress(OSError):
            twin.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield watch
    finally:
        timer.cancel()
        timer.join()
        twin.close()


def is_local(host: str) -> bool:
    """Whether *host* is this machine, so that nobody stands between."""
    return host in LOCAL or host.startswith(("/", "@"))


def no_such_act(platform: str, name: str) -> Declined:
    """What answers an act that a connector does not know: one of a newer release, or made up."""
    return Declined(f"{platform}: nothing that is called {name!r} can be done here", "act", 400)
