"""The central log as this workspace knows it: its leaves, its tree, and what of them is verified.

What a server sends is kept beside the verified part until a checkpoint that it has signed covers
it: only then does `central.size` move, and only below it is anything read into a record. Two
checkpoints that cannot both be true stop the sync (`halt`) and stay as evidence; work here goes on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from passmuster import merkle, note
from passmuster.errors import NotFound, VerificationFailed
from passmuster.note import Checkpoint, Policy, VerifierKey
from passmuster.store import Database, IntegrityError
from passmuster.text import visible

Settled = Literal["applied", "carried", "void", "waiting"]


@dataclass(frozen=True, slots=True)
class Central:
    """The one central log of this workspace."""

    url: str
    key: VerifierKey
    note: str | None
    """The newest checkpoint that is verified here, with its cosignatures."""
    size: int
    """How many entries are verified: the cursor of the sync."""
    root: bytes
    halted: str | None
    """Why the sync has stopped."""
    synced_at: str | None

    @property
    def origin(self) -> str:
        """The log's own name."""
        return self.key.name

    @property
    def seen(self) -> Checkpoint | None:
        """The newest verified checkpoint."""
        return None if self.note is None else note.parse_checkpoint(note.parse(self.note).text)


class Fed(NamedTuple):
    """One entry of the feed."""

    leaf: bytes
    line: bytes | None
    """None where it is not ours to see."""


class Mirrored(NamedTuple):
    """One entry of the verified mirror that we may see."""

    place: int
    """Its index in the central log."""
    line: bytes


class Halted(NamedTuple):
    """Two checkpoints that cannot both be true."""

    at: str
    why: str
    ours: str | None
    theirs: str


class Contradiction(VerificationFailed):
    """What the log signs now cannot be true together with what it signed before."""


def pin(db: Database, url: str, origin: str, log_key: str, now: str) -> None:
    """Keep which central log this workspace syncs with, and the verifier key that it trusts.

    The same log under another address is moved to there. Raises VerificationFailed when another
    log, or another key, is pinned already: that is never replaced by what a server says.
    """
    with db.atomic():
        held = db.one("SELECT origin, log_key FROM central")
        if held is None:
            db.execute(
                "INSERT INTO central (id, url, origin, log_key, pinned_at) VALUES (1, ?, ?, ?, ?)",
                (url, origin, log_key, now),
            )
        elif (held[0], held[1]) != (origin, log_key):
            raise VerificationFailed(
                f"this workspace is pinned to the log {held[0]}, and {url} has another key: use "
                "another workspace for it (--workspace DIR)"
            )
        else:
            db.execute("UPDATE central SET url = ?", (url,))


def central(db: Database) -> Central | None:
    """The central log of this workspace, None where there is none."""
    row = db.one("SELECT url, log_key, note, size, root, halted, synced_at FROM central")
    if row is None:
        return None
    url, log_key, signed, size, root, halted, synced_at = row
    root = bytes.fromhex(root or merkle.EMPTY_ROOT)
    return Central(url, note.parse_key(log_key), signed, size, root, halted, synced_at)


def pinned(db: Database) -> Central:
    """The central log of this workspace. Raises NotFound where there is none."""
    found = central(db)
    if found is None:
        raise NotFound("this workspace has no central log: `muster enroll URL`")
    return found


def halts(db: Database) -> list[Halted]:
    """The evidence against the log, the newest first."""
    rows = db.execute("SELECT at, why, ours, theirs FROM halt ORDER BY id DESC")
    return [Halted(*row) for row in rows]


def halt(db: Database, why: str, theirs: str, now: str) -> None:
    """Stop the sync, and keep both checkpoints."""
    with db.atomic():
        ours = db.value("SELECT note FROM central")
        if not db.one("SELECT 1 FROM halt WHERE why = ? AND theirs = ?", (why, theirs)):
            db.execute("INSERT INTO halt (at, why, ours, theirs) VALUES (?, ?, ?, ?)",
                       (now, why, ours, theirs))  # fmt: skip
        db.execute("UPDATE central SET halted = ?", (why,))


# --- leaves that come, and checkpoints that cover them


def _tiles(db: Database) -> merkle.Tiles:
    def read(level: int, index: int) -> bytes:
        found = db.value(
            "SELECT hashes FROM mirror_tile WHERE level = ? AND idx = ?", (level, index)
        )
        return b"" if found is None else bytes(found)

    return read


def staged(db: Database) -> int:
    """How many entries have come, those not yet verified among them: where the feed goes on."""
    last = db.value("SELECT max(idx) FROM mirror")
    return 0 if last is None else int(last) + 1


def stage(db: Database, first: int, entries: Sequence[Fed]) -> bool:
    """Keep entries that follow what has come; False, and nothing kept, when they do not.

    A page may come late or twice. Raises VerificationFailed when a line is not what its leaf
    names, or an entry is there twice.
    """
    for one in entries:
        if one.line is not None and merkle.leaf_hash(one.line) != one.leaf:
            raise VerificationFailed("the server sent other bytes than those that are logged")
    with db.atomic(durable=False):
        if first != staged(db):
            return False
        try:
            db.executemany(
                "INSERT INTO mirror (idx, leaf, envelope, state) VALUES (?, ?, ?, ?)",
                ((first + at, one.leaf.hex(), one.line, "hidden" if one.line is None else "waiting")
                 for at, one in enumerate(entries)),
            )  # fmt: skip
        except IntegrityError:
            raise VerificationFailed(
                "the server sent an entry twice, at two places of its log"
            ) from None
        db.executemany(
            "INSERT OR REPLACE INTO mirror_tile (level, idx, hashes) VALUES (?, ?, ?)",
            list(merkle.grow(_tiles(db), first, [one.leaf for one in entries])),
        )
    return True


def unstage(db: Database) -> None:
    """Forget the entries that no checkpoint has covered."""
    with db.atomic(durable=False):
        db.execute("DELETE FROM mirror WHERE idx >= (SELECT size FROM central)")


def opened(
    db: Database, signed: str, witnesses: Sequence[VerifierKey] = (), quorum: int = 0
) -> Checkpoint:
    """A checkpoint that the pinned key signed, and *quorum* of the *witnesses* cosigned.

    Raises Contradiction when it is another log's or cannot be true beside what is verified here;
    VerificationFailed when it is no checkpoint, or lacks a witness.
    """
    at = pinned(db)
    said = note.parse_checkpoint((parsed := note.parse(signed)).text)
    if said.origin != at.origin or not any(
        (line.name, line.id) == (at.key.name, at.key.id) for line in parsed.lines
    ):
        raise Contradiction(
            f"the server speaks for the log {visible(said.origin)} under another key than the one "
            f"that is pinned here for {visible(at.origin)}"
        )
    Policy((at.key,), tuple(witnesses), quorum).check(parsed)
    if said.size < at.size:
        raise Contradiction(
            f"the central log has {said.size:,} entries, and {at.size:,} were verified here: it "
            "was set back"
        )
    if said.size == at.size and said.root != at.root:
        raise Contradiction(
            f"the central log has other entries than those that were verified here, at the same "
            f"size {said.size:,}: it shows different people different logs"
        )
    return said


def cover(db: Database, signed: str, said: Checkpoint, now: str) -> bool:
    """Take everything up to the checkpoint *said* for verified, once its leaves have come.

    *signed* is its note, from `opened`. False while leaves are missing. Raises VerificationFailed
    when the leaves that came do not lead to its root; nothing is kept of them then.
    """
    with db.atomic():
        at = pinned(db)
        if said.size < at.size or staged(db) < said.size:
            return False
        root = merkle.root_at(_tiles(db), said.size)
        if root == said.root:
            db.execute(
                "UPDATE central SET note = ?, size = ?, root = ?, synced_at = ?",
                (signed, said.size, said.root.hex(), now),
            )
            db.execute("DELETE FROM held WHERE leaf IN (SELECT leaf FROM mirror WHERE idx >= ?)",
                       (at.size,))  # fmt: skip
            return True
    unstage(db)
    raise VerificationFailed(
        f"the entries that the server sent do not lead to the root that it signed for "
        f"{said.size:,} of them"
    )


# --- records in the verified part


WAITING = """
SELECT idx, envelope FROM mirror
WHERE state = 'waiting' AND idx > ? AND idx < (SELECT size FROM central)
ORDER BY idx LIMIT 200
"""


def waiting(db: Database) -> Iterator[Mirrored]:
    """The verified records that have not been applied, in the order of the log."""
    last = -1
    while rows := db.execute(WAITING, (last,)).fetchall():
        for index, envelope in rows:
            yield Mirrored(index, bytes(envelope))
        last = rows[-1][0]


def settle(db: Database, index: int, state: Settled, why: str | None = None) -> None:
    """Write down what became of a record."""
    db.execute("UPDATE mirror SET state = ?, why = ? WHERE idx = ?", (state, why, index))


def void(db: Database) -> list[tuple[int, str]]:
    """(index, why) of the records in the central log that do not hold."""
    rows = db.execute("SELECT idx, why FROM mirror WHERE state = 'void' ORDER BY idx")
    return [(int(index), str(why)) for index, why in rows]


def first_hidden(db: Database, start: int = 0) -> int | None:
    """The first verified entry from *start* on that was not ours to see when it came."""
    found = db.value(
        "SELECT min(idx) FROM mirror WHERE state = 'hidden' AND idx >= ?"
        " AND idx < (SELECT size FROM central)", (start,),
    )  # fmt: skip
    return None if found is None else int(found)


def show(db: Database, first: int, entries: Sequence[Fed]) -> int:
    """Take the lines of entries that are ours to see by now; how many there were.

    Raises VerificationFailed when one of them is not what the verified mirror has there.
    """
    count = 0
    with db.atomic():
        for index, one in enumerate(entries, first):
            if one.line is None:
                continue
            leaf = db.value("SELECT leaf FROM mirror WHERE idx = ?", (index,))
            if merkle.leaf_hash(one.line).hex() != leaf:
                raise VerificationFailed("the server sent other bytes than those that are logged")
            count += db.execute(
                "UPDATE mirror SET state = 'waiting', envelope = ? WHERE idx = ?"
                " AND state = 'hidden'", (one.line, index),
            ).rowcount  # fmt: skip
    return count


def central_index(db: Database, leaf: str) -> int | None:
    """Where a record stands in the verified central log, None where it is not there."""
    found = db.value(
        "SELECT idx FROM mirror WHERE leaf = ? AND idx < (SELECT size FROM central)", (leaf,)
    )
    return None if found is None else int(found)


def central_index_of(db: Database, entry_id: int) -> int | None:
    """Where an entry of this workspace stands in the verified central log."""
    leaf = db.value("SELECT leaf FROM entry WHERE id = ?", (entry_id,))
    return None if leaf is None else central_index(db, leaf)


def central_receipt(db: Database, entry_id: int) -> str:
    """The proof that an entry is in the central log, verified before it is handed out."""
    at = pinned(db)
    row = db.one("SELECT leaf, envelope FROM entry WHERE id = ?", (entry_id,))
    index = None if row is None else central_index(db, row[0])
    if index is None:
        raise NotFound(
            "this entry is not in the central log as far as is known here: `muster sync`"
        )
    if at.note is None:
        raise NotFound("the restored log has signed nothing yet: `muster sync`")
    proof = merkle.inclusion(_tiles(db), index, at.size)
    made = note.Receipt(index, tuple(proof), at.note)
    note.verify_receipt(made, bytes(row[1]), Policy((at.key,)))
    return str(made)


# --- a log that was restored


def root_of(db: Database, size: int) -> bytes:
    """The root over the first *size* verified entries."""
    if size > pinned(db).size:
        raise NotFound(f"only {pinned(db).size:,} entries are verified here")
    return merkle.root_at(_tiles(db), size)


def leaf_at(db: Database, index: int) -> bytes | None:
    """The leaf of a verified entry."""
    found = db.value("SELECT leaf FROM mirror WHERE idx = ? AND idx < (SELECT size FROM central)",
                     (index,))  # fmt: skip
    return None if found is None else bytes.fromhex(found)


def follow(db: Database, key: VerifierKey, size: int) -> None:
    """Go on with a restored log, which has the first *size* entries of ours and another key.

    What ours had beyond them, and is in no entry here, is held to be offered again. The evidence
    stays. The caller has checked that the first *size* entries are the same.
    """
    with db.atomic():
        at = pinned(db)
        size = min(size, at.size)
        root = merkle.root_at(_tiles(db), size)
        db.execute(
            "INSERT OR IGNORE INTO held (leaf, idx, envelope) SELECT leaf, idx, envelope"
            " FROM mirror WHERE idx >= ? AND idx < ? AND envelope IS NOT NULL"
            " AND leaf NOT IN (SELECT leaf FROM entry)", (size, at.size),
        )  # fmt: skip
        db.execute("DELETE FROM mirror WHERE idx >= ?", (size,))
        db.execute(
            "UPDATE central SET origin = ?, log_key = ?, note = NULL, size = ?, root = ?,"
            " halted = NULL", (key.name, str(key), size, root.hex()),
        )  # fmt: skip


def resume(db: Database) -> None:
    """Go on after a halt with the same log; the next checkpoint is checked as any other."""
    with db.atomic():
        db.execute("UPDATE central SET halted = NULL")
