"""Bodies, packed and unpacked in pieces: little that unpacks into much is stopped on the way."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from passmuster.errors import Unreachable

PIECE = 64 * 1024
GZIP = 31
"""zlib's `wbits` for gzip."""
SLICE = 256
"""Bytes of zstd at a time: its library has no limit for what one call gives out, and a frame's
block unpacks into 128 KiB at most."""
ZSTD_WINDOW = 8 * 1024 * 1024


def accepted() -> str:
    """The value of `Accept-Encoding`: what is unpacked here."""
    return "zstd, gzip" if _zstd() is not None else "gzip"


def unpacked(pieces: Iterable[bytes], encoding: str, max_bytes: int) -> Iterator[bytes]:
    """The pieces of a body as they were before *encoding*; at most *max_bytes* of them in all.

    Raises Unreachable for more, and for what is cut short or goes on behind its end.
    """
    unpack = _unpackers(encoding)
    total = 0
    for piece in unpack(pieces):
        total += len(piece)
        if total > max_bytes:
            raise Unreachable(f"the answer has more than {max_bytes:,} bytes once it is unpacked")
        yield piece


def _unpackers(encoding: str) -> Any:
    if encoding in ("", "identity"):
        return lambda pieces: pieces
    if encoding == "gzip":
        return _gunzip
    if encoding == "zstd" and _zstd() is not None:
        return _unzstd
    raise Unreachable(f"the answer is packed in a way that was not asked for: {encoding[:20]!r}")


def _gunzip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    machine = zlib.decompressobj(GZIP)
    try:
        for piece in pieces:
            rest = piece
            while rest:
                if machine.eof:
                    raise Unreachable("the answer goes on behind its end")
                yield machine.decompress(rest, PIECE)
                rest = machine.unconsumed_tail or machine.unused_data
    except zlib.error as error:
        raise Unreachable(f"the answer cannot be unpacked: {error}", again=True) from None
    while tail := machine.decompress(b"", PIECE):
        yield tail
    if not machine.eof:
        raise Unreachable("the answer is cut short", again=True)


def _unzstd(pieces: Iterable[bytes]) -> Iterator[bytes]:
    library = _zstd()
    machine = library.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj()
    try:
        for piece in pieces:
            for at in range(0, len(piece), SLICE):
                if machine.eof:
                    raise Unreachable("the answer goes on behind its end")
                yield machine.decompress(piece[at : at + SLICE])
    except library.ZstdError as error:
        raise Unreachable(f"the answer cannot be unpacked: {error}", again=True) from None
    if not machine.eof or machine.unused_data:
        raise Unreachable("the answer is cut short, or goes on behind its end", again=True)


def _zstd() -> Any:
    """The library, where it is installed: gzip does without."""
    try:
        import zstandard
    except ImportError:
        return None
    return zstandard


def gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """*pieces* packed, as they come."""
    machine = zlib.compressobj(1, wbits=GZIP)
    for piece in pieces:
        if packed := machine.compress(piece):
            yield packed
    yield machine.flush()
