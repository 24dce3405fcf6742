"""The file that a packet is: a gzip-packed tar archive in one form, written and read in pieces.

Written: `SHA256SUMS`, then every other file in the order of its names, each a plain file with mode
0644, no owner and no time; so the same content has the same bytes. Read: any other form is refused
before its content is looked at. Nothing is named that is not on the list of names, so there is no
link, no device, no path and no second file of a name; bytes are counted before they are unpacked
further; and a file is kept only when its digest is the one that `SHA256SUMS`, which comes first,
says of it.
"""

import hashlib
import re
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from passmuster.central import LIMITS
from passmuster.errors import VerificationFailed
from passmuster.text import visible

SUMS, MANIFEST, RECORDS, CHECKPOINT, RESULTS = (
    "SHA256SUMS", "manifest.json", "records.ndjson", "checkpoint", "results.json",
)  # fmt: skip
BLOCK, RECORD = tarfile.BLOCKSIZE, tarfile.RECORDSIZE
PIECE = 256 * 1024
RATIO = 200
"""How many times its size a packet may unpack to; what people sign is packed about ten times."""
SPARE = 1024 * 1024
"""Bytes that any packet may unpack to."""
MAX_MEMBERS = 200_000
_SMALL = 64 * 1024
_NAMES: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(SUMS), 32 * 1024 * 1024),
    (re.compile(r"blobs/[0-9a-f]{64}"), LIMITS.blob_bytes),
    (re.compile(CHECKPOINT), _SMALL),
    (re.compile(r"manifest\.json"), _SMALL),
    (re.compile(r"receipts/[0-9a-f]{64}\.tlog-proof"), _SMALL),
    (re.compile(r"records\.ndjson"), 8 * 1024**3 - 1),
    (re.compile(r"results\.json"), 256 * 1024 * 1024),
)
"""Every name that there may be, and how many bytes it may have."""
_SUM = re.compile(r"([0-9a-f]{64})  (\S+)")


@dataclass(frozen=True, slots=True)
class Member:
    """One file to be written."""

    name: str
    size: int
    sha256: str
    pieces: Callable[[], Iterable[bytes]]

    @classmethod
    def of(cls, name: str, data: bytes) -> "Member":
        """A file whose bytes are here."""
        return cls(name, len(data), hashlib.sha256(data).hexdigest(), lambda: (data,))

    @classmethod
    def at(cls, name: str, path: Path) -> "Member":
        """A file that lies somewhere else."""
        mark, size = hashlib.sha256(), 0
        for piece in pieces_of(path):
            mark.update(piece)
            size += len(piece)
        return cls(name, size, mark.hexdigest(), lambda: pieces_of(path))


def pieces_of(path: Path) -> Iterator[bytes]:
    """The bytes of a file, a piece at a time."""
    with path.open("rb") as stream:
        while piece := stream.read(PIECE):
            yield piece


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


# --- out


def write(stream: BinaryIO, members: Sequence[Member]) -> None:
    """Write a packet with these files; their order does not matter."""
    ordered = sorted(members, key=lambda member: member.name)
    sums = "".join(f"{one.sha256}  {one.name}\n" for one in ordered).encode()
    pack = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)  # neither a name nor a time
    written = 0
    for piece in _tar([Member.of(SUMS, sums), *ordered]):
        written += len(piece)
        stream.write(pack.compress(piece))
    stream.write(pack.compress(bytes(2 * BLOCK + -(written + 2 * BLOCK) % RECORD)))
    stream.write(pack.flush())


def _tar(members: Iterable[Member]) -> Iterator[bytes]:
    for one in members:
        yield _header(one.name, one.size)
        count, mark = 0, hashlib.sha256()
        for piece in one.pieces():
            count += len(piece)
            mark.update(piece)
            yield piece
        if (count, mark.hexdigest()) != (one.size, one.sha256):
            raise VerificationFailed(f"{one.name}: its bytes do not match their digest")
        yield bytes(-one.size % BLOCK)


# --- in


class _Unpacked:
    """The archive inside the gzip file, a counted piece at a time."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self._stream, self._most, self.count = stream, most, 0
        self._machine = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._held = b""

    def some(self, most: int) -> bytes:
        """From 1 to *most* bytes; none at the end."""
        while not self._machine.eof:
            packed = self._machine.unconsumed_tail or self._stream.read(PIECE)
            try:
                data = self._machine.decompress(packed, most)
            except zlib.error:
                raise VerificationFailed("the packet is damaged, or no gzip file") from None
            self.count += len(data)
            if self.count > self._most:
                raise VerificationFailed(f"the packet unpacks to more than {self._most:,} bytes")
            if data:
                return data
            if not packed and not self._machine.eof:
                raise VerificationFailed("the packet is cut short")
        return b""

    def exactly(self, size: int) -> bytes:
        """*size* bytes, which are few."""
        found = b""
        while len(found) < size:
            piece = self.some(size - len(found))
            if not piece:
                raise VerificationFailed("the packet is cut short")
            found += piece
        return found

    def end(self) -> None:
        """Raise VerificationFailed unless there is nothing but zeros, as many as there must be."""
        before = self.count
        while piece := self.some(PIECE):
            if piece.strip(b"\x00"):
                raise VerificationFailed("there is something behind the packet's last file")
        if self._machine.unused_data or self._stream.read(1):
            raise VerificationFailed("there is something behind the end of the packet")
        if self.count % RECORD or self.count - before >= RECORD:
            raise VerificationFailed("the packet's archive is not in its one form")


def limit_of(name: str) -> int | None:
    """How many bytes a file of that name may have; None for a name that there is not."""
    return next((most for form, most in _NAMES if form.fullmatch(name)), None)


def read(path: Path, folder: Path, most: int) -> dict[str, tuple[int, str]]:
    """Unpack the packet *path* into *folder*, where each file is called as its digest.

    Returns name → (size, digest). Raises VerificationFailed, and has written nothing outside of
    *folder*, for anything that `write` would not have written, or more than *most* bytes.
    """
    allowed = min(most, SPARE + RATIO * path.stat().st_size)
    found: dict[str, tuple[int, str]] = {}
    with path.open("rb") as stream:
        archive = _Unpacked(stream, allowed)
        name, size = _next(archive)
        if name != SUMS:
            raise VerificationFailed(f"the packet does not begin with {SUMS}")
        sums = _sums(_body(archive, size))
        for expected, digest in sums:
            name, size = _next(archive)
            if name != expected:
                raise VerificationFailed(
                    f"{visible(name or 'the end')[:80]} stands where {SUMS} has {expected}"
                )
            _keep(archive, name, size, digest, folder)
            found[name] = size, digest
        name, _ = _next(archive)
        if name:
            raise VerificationFailed(f"{visible(name)[:80]} is not in {SUMS}")
        archive.end()
    return found


def _next(archive: _Unpacked) -> tuple[str, int]:
    """Name and size of the next file; an empty name at the end."""
    block = archive.exactly(BLOCK)
    if not block.strip(b"\x00"):
        if archive.exactly(BLOCK).strip(b"\x00"):
            raise VerificationFailed("the packet's archive is not in its one form")
        return "", 0
    try:
        info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        same = info.isreg() and _header(info.name, info.size) == block
    except (tarfile.TarError, UnicodeError, ValueError):
        raise VerificationFailed("the packet's archive is damaged") from None
    most = limit_of(info.name)
    if most is None:
        raise VerificationFailed(f"a packet has no file {visible(info.name)[:80]!r}")
    if not same:
        raise VerificationFailed(f"{info.name} is not a plain file as a packet has it")
    if info.size > most:
        raise VerificationFailed(f"{info.name} has {info.size:,} bytes; {most:,} fit")
    return info.name, info.size


def _body(archive: _Unpacked, size: int) -> bytes:
    data = archive.exactly(size)
    _padding(archive, size)
    return data


def _padding(archive: _Unpacked, size: int) -> None:
    if archive.exactly(-size % BLOCK).strip(b"\x00"):
        raise VerificationFailed("the packet's archive is not in its one form")


def _sums(data: bytes) -> list[tuple[str, str]]:
    """(name, digest) of every other file, in the order in which they must come."""
    try:
        lines = data.decode("ascii").splitlines()
    except UnicodeDecodeError:
        lines = [""]
    found = [_SUM.fullmatch(line) for line in lines]
    pairs = [(one[2], one[1]) for one in found if one]
    names = [name for name, _ in pairs]
    again = "".join(f"{digest}  {name}\n" for name, digest in pairs).encode()
    if again != data or names != sorted(set(names)) or SUMS in names:
        raise VerificationFailed(f"{SUMS} is not in its one form")
    if len(names) > MAX_MEMBERS:
        raise VerificationFailed(f"a packet of {len(names):,} files; {MAX_MEMBERS:,} fit")
    return pairs


def _keep(archive: _Unpacked, name: str, size: int, digest: str, folder: Path) -> None:
    mark, left = hashlib.sha256(), size
    with (folder / digest).open("wb") as stream:
        while left:
            piece = archive.some(min(left, PIECE))
            if not piece:
                raise VerificationFailed("the packet is cut short")
            mark.update(piece)
            stream.write(piece)
            left -= len(piece)
    _padding(archive, size)
    if mark.hexdigest() != digest:
        raise VerificationFailed(f"{name}: its bytes do not match {SUMS}")
    if name.startswith("blobs/") and name != f"blobs/{digest}":
        raise VerificationFailed(f"{name}: it is called by another digest than its own")
