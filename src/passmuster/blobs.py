"""Bytes kept once, under their SHA-256; compressed on disk, and what is large in pieces.

A batch of a million decisions is one file of half a gigabyte: it is written and read a piece at a
time. What is kept in pieces has a list of their digests in place of its bytes; each piece is a
blob of its own.
"""

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from passmuster.errors import NotFound, VerificationFailed
from passmuster.store import Database
from passmuster.text import sha256

PIECE = 1 << 20
"""Bytes of a piece, about; what is smaller is kept whole."""
LIST = b"pieces\n"
"""Before the digests of the pieces, 32 bytes each; no zlib stream begins so."""


def put(db: Database, data: bytes, *, staged: bool = False) -> str:
    """Keep *data* and return its digest; keeping it again changes nothing.

    What is *staged* is this connection's alone, and takes nobody's turn to write, until `land`.
    """
    if len(data) > PIECE:
        parts = (data[i : i + PIECE] for i in range(0, len(data), PIECE))
        return keep(db, parts, staged=staged)
    digest = sha256(data)
    _insert(db, digest, len(data), zlib.compress(data, 1), staged)
    return digest


def keep(db: Database, parts: Iterable[bytes], *, staged: bool = False) -> str:
    """Keep what *parts* are together, in the memory that one piece takes; its digest."""
    whole, size, listed = hashlib.sha256(), 0, []
    for piece in _pieces_of(parts):
        whole.update(piece)
        size += len(piece)
        digest = sha256(piece)
        _insert(db, digest, len(piece), zlib.compress(piece, 1), staged)
        listed.append(bytes.fromhex(digest))
    if len(listed) != 1:  # one piece is the whole
        _insert(db, whole.hexdigest(), size, LIST + b"".join(listed), staged)
    return whole.hexdigest()


def _pieces_of(parts: Iterable[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= PIECE:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _insert(db: Database, digest: str, size: int, packed: bytes, staged: bool) -> None:
    table = "aside.staged_blob" if staged else "main.blob"
    db.execute(f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?)", (digest, size, packed))


@contextmanager
def staging(db: Database) -> Iterator[None]:
    """In the block bytes can be staged; at its end they are gone unless they were landed."""
    with db.aside():
        db.execute("CREATE TABLE aside.staged_blob (sha256 TEXT PRIMARY KEY, size, packed)")
        yield


def land(db: Database) -> None:
    """Keep everything that is staged."""
    db.execute("INSERT OR IGNORE INTO blob SELECT sha256, size, packed FROM aside.staged_blob"
               " ORDER BY sha256")  # fmt: skip


def get(db: Database, digest: str) -> bytes:
    """The bytes whose SHA-256 is *digest*; they are checked, since a disk may lie."""
    return b"".join(pieces(db, digest))


def lines(db: Database, digest: str) -> Iterator[bytes]:
    """The lines of a kept file without their newlines, as `pieces` has them."""
    rest = b""
    for piece in pieces(db, digest):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest


def pieces(db: Database, digest: str) -> Iterator[bytes]:
    """The same bytes a piece at a time.

    VerificationFailed comes at the end at the latest: nothing that was read before it counts.
    """
    whole = hashlib.sha256()
    try:
        for piece in _unpacked(db, digest):
            whole.update(piece)
            yield piece
    except zlib.error:
        whole = hashlib.sha256(b"cut off")
    if whole.hexdigest() != digest:
        raise VerificationFailed(f"stored bytes {digest[:12]}… do not match their digest")


def _unpacked(db: Database, digest: str) -> Iterator[bytes]:
    packed = _packed(db, digest)
    listed = packed.removeprefix(LIST) if packed.startswith(LIST) else b""
    for i in range(0, len(listed), 32):
        yield zlib.decompress(_packed(db, listed[i : i + 32].hex()))
    if listed or packed == LIST:
        return
    stream = zlib.decompressobj()
    while piece := stream.decompress(packed, PIECE):
        yield piece
        packed = stream.unconsumed_tail
    if not stream.eof:
        raise zlib.error


def _packed(db: Database, digest: str) -> bytes:
    packed = db.value("SELECT packed FROM blob WHERE sha256 = ?", (digest,))
    if packed is None:
        raise NotFound(f"the workspace has no bytes with sha256 {digest[:12]}…")
    return bytes(packed)


# --- bytes that come and go


def has(db: Database, digest: str) -> bool:
    """Whether the bytes are here."""
    return db.one("SELECT 1 FROM blob WHERE sha256 = ?", (digest,)) is not None


def size(db: Database, digest: str) -> int:
    """How many bytes they are."""
    found = db.value("SELECT size FROM blob WHERE sha256 = ?", (digest,))
    if found is None:
        raise NotFound(f"the workspace has no bytes with sha256 {digest[:12]}…")
    return int(found)


def take(db: Database, digest: str, coming: Iterable[bytes]) -> None:
    """Keep bytes that come slowly: nobody waits to write until they are here.

    They are held packed meanwhile. Raises VerificationFailed, and keeps nothing, when their digest
    is another.
    """
    whole, length = hashlib.sha256(), 0
    held: list[tuple[str, int, bytes]] = []
    for piece in _pieces_of(coming):
        whole.update(piece)
        length += len(piece)
        held.append((sha256(piece), len(piece), zlib.compress(piece, 1)))
    if whole.hexdigest() != digest:
        raise VerificationFailed(f"bytes that came for {digest[:12]}… have another digest")
    if len(held) != 1:
        listed = b"".join(bytes.fromhex(name) for name, _, _ in held)
        held.append((digest, length, LIST + listed))
    with db.atomic():
        for name, count, packed in held:
            _insert(db, name, count, packed, staged=False)
