"""Bytes kept once, under their SHA-256; compressed on disk."""

import hashlib
import zlib
from collections.abc import Iterable, Iterator

from passmuster.errors import NotFound, VerificationFailed
from passmuster.store import Database
from passmuster.text import sha256

PIECE = 256 * 1024


def put(db: Database, data: bytes) -> str:
    """Keep *data* and return its digest; keeping it again changes nothing."""
    digest = sha256(data)
    db.execute(
        "INSERT OR IGNORE INTO blob VALUES (?, ?, ?)", (digest, len(data), zlib.compress(data, 1))
    )
    return digest


def get(db: Database, digest: str) -> bytes:
    """The bytes whose SHA-256 is *digest*; they are checked, since a disk may lie."""
    packed = db.value("SELECT packed FROM blob WHERE sha256 = ?", (digest,))
    if packed is None:
        raise NotFound(f"the workspace has no bytes with sha256 {digest[:12]}…")
    try:
        data = zlib.decompress(packed)
    except zlib.error:
        data = b""
    if sha256(data) != digest:
        raise VerificationFailed(f"stored bytes {digest[:12]}… do not match their digest")
    return data


def has(db: Database, digest: str) -> bool:
    """Whether the bytes are here."""
    return db.one("SELECT 1 FROM blob WHERE sha256 = ?", (digest,)) is not None


def size(db: Database, digest: str) -> int:
    """How many bytes they are."""
    found = db.value("SELECT size FROM blob WHERE sha256 = ?", (digest,))
    if found is None:
        raise NotFound(f"the workspace has no bytes with sha256 {digest[:12]}…")
    return int(found)


def pieces(db: Database, digest: str) -> Iterator[bytes]:
    """The bytes piece by piece, for a receiver that checks the digest itself."""
    packed = db.value("SELECT packed FROM blob WHERE sha256 = ?", (digest,))
    if packed is None:
        raise NotFound(f"the workspace has no bytes with sha256 {digest[:12]}…")
    machine = zlib.decompressobj()
    rest = bytes(packed)
    try:
        while piece := machine.decompress(rest, PIECE):
            yield piece
            rest = machine.unconsumed_tail
    except zlib.error:
        raise VerificationFailed(f"stored bytes {digest[:12]}… do not match their digest") from None


def take(db: Database, digest: str, coming: Iterable[bytes]) -> None:
    """Keep bytes that come in pieces, packed on the way.

    Raises VerificationFailed, and keeps nothing, when their digest is another.
    """
    machine, mark, packed, count = zlib.compressobj(1), hashlib.sha256(), [], 0
    for piece in coming:
        mark.update(piece)
        count += len(piece)
        packed.append(machine.compress(piece))
    if mark.hexdigest() != digest:
        raise VerificationFailed(f"bytes that came for {digest[:12]}… have another digest")
    packed.append(machine.flush())
    db.execute("INSERT OR IGNORE INTO blob VALUES (?, ?, ?)", (digest, count, b"".join(packed)))
