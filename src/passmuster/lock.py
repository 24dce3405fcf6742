"""One of a kind at a time in a workspace: a lock that ends with the process that holds it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from passmuster.errors import Conflict


@contextmanager
def alone(folder: Path, name: str, doing: str) -> Iterator[None]:
    """Hold the lock *name* of the workspace in *folder*.

    Raises Conflict, naming the process and what it is *doing*, when another one has it.
    """
    handle = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _take(handle):
            holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip() or "?"
            raise Conflict(f"another muster is {doing} (process {holder})")
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _take(handle: int) -> bool:
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
