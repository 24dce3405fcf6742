"""From bytes to text, for formats that come as text: encoding, limits, and the head again.

A parser may rely on nothing but `read(n)` of its stream, so what was read to look at the
beginning has to be given back.
"""

import codecs
import io
from typing import Any, BinaryIO

from passmuster.errors import ImportRefused

MIB = 1024 * 1024


def encoding_of(head: bytes) -> str:
    """The encoding that *head* announces.

    Windows PowerShell 5.1 writes `aws … > file` as UTF-16 with a byte order mark.
    """
    return "utf-16" if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def head_text(head: bytes) -> str:
    """*head* as text for sniffing; a character cut in two at its end is left out."""
    return codecs.getincrementaldecoder(encoding_of(head))("replace").decode(head)


class _Replay(io.RawIOBase):
    """A raw stream that gives back the head that was already read, then the rest."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = len(buffer)
        data = self._head[:size] if self._head else self._stream.read(size)
        self._head = self._head[size:]
        buffer[: len(data)] = data
        return len(data)


def text_stream(head: bytes, stream: BinaryIO) -> io.TextIOWrapper:
    r"""Lines of *head* and the rest of *stream*; a byte that is no text is spelled `\xff`."""
    raw = io.BufferedReader(_Replay(head, stream), MIB)
    return io.TextIOWrapper(raw, encoding_of(head), errors="backslashreplace", newline="")


def read_all(stream: BinaryIO, limit: int, what: str) -> bytes:
    """The whole of *stream*; ImportRefused when it is larger than *limit* bytes."""
    data = bytearray()
    while chunk := stream.read(MIB):
        data += chunk
        if len(data) > limit:
            raise ImportRefused(f"{what} is larger than {limit // MIB} MiB; split it")
    return bytes(data)
