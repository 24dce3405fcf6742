"""A stream that tells how far it is, and whether it is the file that it was."""

import hashlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from passmuster.errors import ImportRefused

Progress = Callable[[int, int], None]
"""Called with bytes read and bytes in all."""


class Counted:
    """A binary stream that tells how far it is and what it was."""

    def __init__(self, file: BinaryIO, size: int, progress: Progress | None) -> None:
        self._file, self._size, self._progress = file, size, progress
        self._digest = hashlib.sha256()
        self._read = 0

    def _note(self, data: bytes) -> bytes:
        self._digest.update(data)
        self._read += len(data)
        if self._progress:
            self._progress(self._read, self._size)
        return data

    def read(self, size: int = -1) -> bytes:
        return self._note(self._file.read(size))

    def readline(self, limit: int = -1) -> bytes:
        return self._note(self._file.readline(limit))

    def readinto(self, buffer: bytearray) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        line = self.readline(1 << 24)
        if not line:
            raise StopIteration
        return line

    readable = staticmethod(lambda: True)
    seekable = writable = staticmethod(lambda: False)
    closed = False

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def finish(self, digest: str, name: str) -> None:
        """Refuse a file that is not the one whose digest was taken."""
        while self.read(1 << 20):
            pass
        if self._digest.hexdigest() != digest:
            raise ImportRefused(f"{name}: changed while it was being read; import it again")
