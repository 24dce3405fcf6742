"""The tree over the entries (RFC 6962), kept as tiles in SQLite beside them.

Tiles are derived: an entry and its place in the tree are written in one transaction, and `check`
compares every tile with what the entries give. An entry's index is its place, from 0.
"""

from passmuster import merkle
from passmuster.errors import MusterError, VerificationFailed
from passmuster.store import Database

MAX_LEAF = 65_535
"""Bytes of an entry: its length is a uint16 in C2SP tlog-tiles."""


def tiles(db: Database) -> merkle.Tiles:
    """Read tiles of this log."""

    def read(level: int, index: int) -> bytes:
        found = db.value("SELECT hashes FROM tile WHERE level = ? AND idx = ?", (level, index))
        return b"" if found is None else bytes(found)

    return read


def size(db: Database) -> int:
    """How many entries are in the tree."""
    last = db.one("SELECT idx, length(hashes) FROM tile WHERE level = 0 ORDER BY idx DESC LIMIT 1")
    return 0 if last is None else int(last[0] * merkle.WIDTH + last[1] // merkle.HASH)


def root(db: Database, of: int | None = None) -> bytes:
    """The root over all entries, or over the first *of* of them."""
    return merkle.root_at(tiles(db), size(db) if of is None else of)


def consistency(db: Database, old: int, new: int) -> list[bytes]:
    """The proof that the log of *new* entries begins with that of *old*; empty from nothing."""
    there = size(db)
    if not 0 <= old <= new <= there:
        raise MusterError(f"no proof from {old} to {new}: the log has {there} entries")
    return merkle.consistency(tiles(db), old, new) if old else []


def check_leaf(envelope: bytes) -> bytes:
    """The leaf hash of *envelope*. Raises MusterError when it is too long to be an entry."""
    if len(envelope) > MAX_LEAF:
        raise MusterError(
            f"a statement of {len(envelope):,} bytes does not fit into the log, which takes "
            f"{MAX_LEAF:,}: put what is long into a file that it names"
        )
    return merkle.leaf_hash(envelope)


def grow(db: Database, index: int, leaf: bytes) -> None:
    """Put *leaf* into the tree as number *index*; inside the transaction of its entry."""
    last, hashes = db.one(
        "SELECT idx, hashes FROM tile WHERE level = 0 ORDER BY idx DESC LIMIT 1"
    ) or (0, b"")  # fmt: skip
    there = last * merkle.WIDTH + len(hashes) // merkle.HASH
    if there != index:
        raise VerificationFailed(
            f"the log's tree has {there} entries where {index} are: see `muster log verify`"
        )
    read = tiles(db)
    _store(db, list(merkle.grow(
        lambda *at: bytes(hashes) if at == (0, last) else read(*at), index, [leaf]
    )))  # fmt: skip


def rebuild(db: Database) -> int:
    """Make the tiles anew from the entries; the size. Checkpoints show whether that was right."""
    with db.atomic():
        db.execute("DELETE FROM tile")
        envelopes = db.execute("SELECT envelope FROM entry ORDER BY id")
        leaves = (merkle.leaf_hash(bytes(row[0])) for row in envelopes)
        for tile in merkle.grow(lambda *_: b"", 0, leaves):
            _store(db, [tile])
        return size(db)


def _store(db: Database, changed: list[merkle.Tile]) -> None:
    db.executemany("INSERT OR REPLACE INTO tile (level, idx, hashes) VALUES (?, ?, ?)", changed)
