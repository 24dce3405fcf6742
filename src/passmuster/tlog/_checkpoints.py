"""Checkpoints of this workspace's log, the witnesses' lines under them, and receipts.

A checkpoint is signed by a person's key; its origin names the workspace. None is signed that an
earlier one contradicts. A request to a witness is written down as pending until its line comes.
"""

import json
from dataclasses import dataclass

from passmuster import merkle, note, store
from passmuster.errors import Conflict, KeyUnavailable, NotFound, VerificationFailed
from passmuster.keys import SigningKey
from passmuster.model import DOMAIN
from passmuster.note import Checkpoint, Line, Note, Policy, VerifierKey
from passmuster.store import Database
from passmuster.text import from_epoch, visible
from passmuster.tlog import _keys, _tree
from passmuster.tlog._entries import known_keys
from passmuster.tlog._voids import settle


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A witness's line under a checkpoint."""

    witness: VerifierKey
    asked_at: str
    line: Line | None
    """None while the witness has been asked and has not answered."""
    cosigned_at: str | None
    """By the witness's own clock."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint that was signed here."""

    checkpoint: Checkpoint
    note: Note
    made_at: str
    cosignatures: tuple[Cosignature, ...]

    @property
    def text(self) -> str:
        """The note with the lines of all who signed it."""
        lines = [c.line for c in self.cosignatures if c.line is not None]
        return str(Note(self.note.text, (*self.note.lines, *lines)))

    @property
    def witnessed(self) -> list[Cosignature]:
        """The cosignatures that have come."""
        return [c for c in self.cosignatures if c.line is not None]


def origin(db: Database) -> str:
    """The name of this workspace's log."""
    return f"{DOMAIN}/log/{store.device(db)}"


def log_keys(db: Database, of: str) -> tuple[VerifierKey, ...]:
    """The keys that may sign checkpoints of the log *of*: those of this workspace's people."""
    return tuple(
        key for line in known_keys(db, foreign=False).values() for key in _keys.forms(line, of)
    )


def checkpoint(db: Database, key: SigningKey, now: str) -> str:
    """Sign the log as it is now; the note. Signing a second time adds nothing.

    Raises VerificationFailed when an earlier checkpoint says that the log was other than it is.
    """
    if key.fingerprint not in known_keys(db, foreign=False):
        raise KeyUnavailable("this key is not enrolled in this workspace")
    name, size = origin(db), _tree.size(db)
    if not size:
        raise NotFound("nothing is logged yet")
    if earlier := _newest(db, name):
        check_against_tree(db, earlier.checkpoint)
    said = Checkpoint(name, size, _tree.root(db, size))
    row = db.one("SELECT note FROM checkpoint WHERE origin = ? AND size = ?", (name, size))
    lines = note.parse(bytes(row[0])).lines if row else ()
    mine = {(k.name, k.id) for k in _keys.forms(key.public, name)}
    if not any((line.name, line.id) in mine for line in lines):
        lines = (*lines, _sign(said.text, name, key))
    signed = str(Note(said.text, lines))
    with db.atomic():
        db.execute(
            "INSERT INTO checkpoint (origin, size, root, note, made_at) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (origin, size) DO UPDATE SET note = excluded.note",
            (name, size, said.root.hex(), signed.encode(), now),
        )
    return signed


def _sign(text: str, name: str, key: SigningKey) -> Line:
    made, is_raw = _keys.signature(key, text.encode())
    forms = _keys.forms(key.public, name)
    return note.sign(text, forms[0] if is_raw else forms[-1], lambda _: made)


_KEPT = """
SELECT c.note, c.made_at, (
    SELECT json_group_array(json_array(w.witness, w.asked_at, w.line, w.cosigned_at))
    FROM cosignature w WHERE w.origin = c.origin AND w.size = c.size)
FROM checkpoint c
"""


def checkpoints(db: Database) -> list[Kept]:
    """Every checkpoint, the newest first."""
    rows = db.execute(f"{_KEPT} ORDER BY c.made_at DESC, c.size DESC").fetchall()
    return [_kept(bytes(signed), made_at, cosigned) for signed, made_at, cosigned in rows]


def _newest(db: Database, name: str, above: int = 0, size: int | None = None) -> Kept | None:
    """The newest checkpoint of the log *name* with more than *above* entries, or that of *size*."""
    row = db.one(
        f"{_KEPT} WHERE c.origin = ?1 AND c.size > ?2 AND (?3 IS NULL OR c.size = ?3)"
        " ORDER BY c.size DESC LIMIT 1", (name, above, size),
    )  # fmt: skip
    return None if row is None else _kept(bytes(row[0]), row[1], row[2])


def _kept(signed: bytes, made_at: str, cosigned: str) -> Kept:
    read = note.parse(signed)
    return Kept(
        note.parse_checkpoint(read.text), read, made_at,
        tuple(
            Cosignature(
                note.parse_key(witness), asked_at,
                None if line is None else note.parse_lines(line)[0], cosigned_at,
            )
            for witness, asked_at, line, cosigned_at in json.loads(cosigned)
        ),
    )  # fmt: skip


def check_against_tree(db: Database, said: Checkpoint) -> None:
    """Raise VerificationFailed unless the log holds what a checkpoint of it says."""
    there = _tree.size(db)
    if said.size > there:
        raise VerificationFailed(
            f"the checkpoint of size {said.size}: the log has {there} entries: its end was cut off"
        )
    if _tree.root(db, said.size) != said.root:
        raise VerificationFailed(
            f"the checkpoint of size {said.size}: the first {said.size} entries of the log are "
            "no longer those that were signed"
        )


def check_kept(db: Database, one: Kept) -> None:
    """Raise VerificationFailed unless a checkpoint's signatures hold and the tree agrees."""
    said = one.checkpoint
    where = f"the checkpoint of size {said.size}"
    try:
        note.open_checkpoint(one.note, log_keys(db, said.origin))
        for cosigned in one.witnessed:
            assert cosigned.line is not None
            note.verify(Note(one.note.text, (cosigned.line,)), [cosigned.witness])
    except VerificationFailed as error:
        raise VerificationFailed(f"{where}: {error}") from None
    check_against_tree(db, said)


def check_file(db: Database, data: bytes) -> Checkpoint:
    """Raise VerificationFailed unless this log still holds what a checkpoint kept elsewhere says.

    That shows what the workspace alone cannot: that it was set back as a whole.
    """
    said = note.parse_checkpoint(note.parse(data).text)
    if not said.origin.startswith(f"{DOMAIN}/log/") or said.origin not in _origins(db):
        raise VerificationFailed(f"a checkpoint of another log: {visible(said.origin)}")
    note.open_checkpoint(data, log_keys(db, said.origin))
    check_against_tree(db, said)
    return said


def _origins(db: Database) -> set[str]:
    return {origin(db), *(row[0] for row in db.execute("SELECT DISTINCT origin FROM checkpoint"))}


def receipt(db: Database, entry_id: int, size: int | None = None) -> str:
    """The proof that an entry is in the newest checkpoint, or in that of *size*.

    It is verified before it is handed out.
    """
    envelope = db.value("SELECT envelope FROM entry WHERE id = ?", (entry_id,))
    if envelope is None:
        raise NotFound(f"no log entry {entry_id}")
    index, name = entry_id - 1, origin(db)
    one = _newest(db, name, index, size)
    if one is None:
        raise NotFound(
            f"no checkpoint{'' if size is None else f' of size {size}'} has this entry: sign one "
            "with `muster log checkpoint`"
        )
    proof = merkle.inclusion(_tree.tiles(db), index, one.checkpoint.size)
    made = note.Receipt(index, tuple(proof), one.text)
    note.verify_receipt(made, bytes(envelope), Policy(log_keys(db, name)))
    return str(made)


def proven_time(db: Database, entry_id: int) -> str | None:
    """When a witness had seen an entry, by the first of its cosignatures over one that has it.

    The one time that the signer has not chosen; None while no witness has answered.
    """
    at = db.value(
        "SELECT min(cosigned_at) FROM cosignature WHERE origin = ? AND size >= ?"
        " AND line IS NOT NULL", (origin(db), entry_id),
    )  # fmt: skip
    return None if at is None else str(at)


def rebuild(db: Database) -> int:
    """Make anew what follows from the entries: the tree, and what is void; the size."""
    with db.atomic():
        size = _tree.rebuild(db)
        settle(db, lambda index: proven_time(db, index))
    return size


# --- witnesses


def request(db: Database, witness: VerifierKey, now: str, old: int | None = None) -> str:
    """What to send to *witness*, so that it cosigns the newest checkpoint.

    The body of C2SP tlog-witness `add-checkpoint`. It begins at the size that this witness last
    cosigned as far as is known here, or at *old*.
    """
    if witness.kind != note.COSIGNATURE:
        raise VerificationFailed(f"{witness.name} is the key of a log, not of a witness")
    name = origin(db)
    newest = _newest(db, name)
    if newest is None:
        raise NotFound("no checkpoint yet: `muster log checkpoint`")
    if witness.material in {key.material for key in log_keys(db, name)}:
        raise VerificationFailed("that is a key of this log's own people: a witness is another")
    size = newest.checkpoint.size
    if old is None:
        old = db.value(
            "SELECT max(size) FROM cosignature WHERE origin = ? AND witness = ?"
            " AND line IS NOT NULL", (name, str(witness)),
        ) or 0  # fmt: skip
    proof = _tree.consistency(db, old, size)
    with db.atomic():
        db.execute(
            "INSERT OR IGNORE INTO cosignature (origin, size, witness, asked_at)"
            " VALUES (?, ?, ?, ?)", (name, size, str(witness), now),
        )  # fmt: skip
    return note.Request(old, tuple(proof), str(newest.note)).text


def cosigned(db: Database, data: bytes) -> list[Cosignature]:
    """Keep the lines that witnesses returned; those of witnesses that were not asked are left.

    *data* is the lines alone or a checkpoint with them. Raises VerificationFailed when none is
    of a witness that was asked, or when one does not hold.
    """
    lines = note.parse(data).lines if b"\n\n" in data else note.parse_lines(data)
    asked = [(one, c) for one in checkpoints(db) for c in one.cosignatures]
    found = []
    with db.atomic():
        for line in lines:
            mine = [(one, c) for one, c in asked if (c.witness.name, c.witness.id)
                    == (line.name, line.id)]  # fmt: skip
            if mine:
                found.append(_keep(db, line, mine))
        settle(db, lambda index: proven_time(db, index))
    if not found:
        raise VerificationFailed(
            "no line of a witness that was asked: write a request with "
            "`muster log checkpoint --for-witness`"
        )
    return found


def _keep(db: Database, line: Line, asked: list[tuple[Kept, Cosignature]]) -> Cosignature:
    for one, pending in asked:
        try:
            (signed,) = note.verify(Note(one.note.text, (line,)), [pending.witness])
        except VerificationFailed:
            continue
        if pending.line is not None and pending.line != line:
            raise Conflict(f"{pending.witness.name} cosigned this checkpoint already; it is kept")
        assert signed.at is not None
        at = from_epoch(signed.at)
        db.execute(
            "UPDATE cosignature SET line = ?, cosigned_at = ? WHERE origin = ? AND size = ?"
            " AND witness = ?",
            (str(line), at, one.checkpoint.origin, one.checkpoint.size, str(pending.witness)),
        )
        return Cosignature(pending.witness, pending.asked_at, line, at)
    raise VerificationFailed(
        f"the line of {visible(line.name)} is under none of the checkpoints that it was asked for"
    )
