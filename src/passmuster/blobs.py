"""Bytes kept once, under their SHA-256; compressed on disk."""

import zlib

from passmuster.errors import NotFound, VerificationFailed
from passmuster.store import Database
from passmuster.text import sha256


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
