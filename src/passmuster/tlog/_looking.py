"""The log as a list, and one entry looked at closely."""

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from passmuster import merkle, roster
from passmuster.attestations import Attestation, unchecked, verify
from passmuster.errors import VerificationFailed
from passmuster.store import Database
from passmuster.tlog._check import follows, neighbours
from passmuster.tlog._checkpoints import proven_time
from passmuster.tlog._entries import known_keys
from passmuster.tlog._voids import voids

CALLED = {
    "enrolment": "key", "roster": "roster", "campaign": "opened", "decisions": "decisions",
    "own": "owners", "countersign": "concurred", "remediation": "done", "close": "closed",
    "pack": "evidence", "chain": "chain", "acknowledgement": "seen",
    "publication": "published",
}  # fmt: skip
"""What people call each kind of statement, in a word that a column has room for."""


class LogRow(NamedTuple):
    """What a list shows of an entry; nothing in it is checked."""

    id: int
    seq: int
    kind: str
    principal: str
    campaign: str | None
    """By name where it is known here, else by digest."""
    statement: str
    logged_at: str
    rows: int | None
    """Decisions, owners or items that it speaks of; None where it has no rows."""


_SEARCHED = """(e.predicate IN ({kinds}) OR e.principal LIKE ? ESCAPE '\\'
    OR c.name LIKE ? ESCAPE '\\' OR e.statement LIKE ? ESCAPE '\\')"""


def rank(
    db: Database, kinds: Sequence[str] = (), words: Sequence[tuple[str, bool]] = (),
    *, backwards: bool = False, limit: int | None = None,
) -> "array[int]":  # fmt: skip
    """Ids of the entries of some *kinds* (none: of all), newest first.

    Each of *words* (word, negated) is looked for in what the kind is called, in the principal, in
    the campaign's name and at the beginning of the statement's digest.
    """
    where = [f"e.predicate IN ({', '.join('?' * len(kinds))})"] if kinds else ["1"]
    values: list[object] = list(kinds)
    for word, negated in words:
        of_kind = [k for k, called in CALLED.items() if word.lower() in f"{called} {k}"]
        found = _SEARCHED.format(kinds=", ".join("?" * len(of_kind)))
        where.append(f"NOT coalesce({found}, 0)" if negated else found)
        part = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        values += [*of_kind, f"%{part}%", f"%{part}%", f"{part}%"]
    join = " LEFT JOIN campaign c ON c.digest = e.campaign" if words else ""
    tail = "" if limit is None else f" LIMIT {limit:d}"
    return array("I", (row[0] for row in db.execute(
        f"SELECT e.id FROM entry e{join} WHERE {' AND '.join(where)}"
        f" ORDER BY e.id {'' if backwards else 'DESC'}{tail}", values,
    )))  # fmt: skip


ROW = """
SELECT e.id, e.seq, e.predicate, e.principal, coalesce(c.name, e.campaign), e.statement,
    e.logged_at, e.envelope
FROM entry e LEFT JOIN campaign c ON c.digest = e.campaign
"""


def rows(db: Database, entry_ids: Sequence[int]) -> list[LogRow]:
    """The rows of these entries, in the order of the log; meant for one window of a list."""
    marks = ",".join(map(str, entry_ids))
    return [
        LogRow(index, seq, kind, principal, of, name, logged_at, _speaks_of(bytes(envelope)))
        for index, seq, kind, principal, of, name, logged_at, envelope in db.execute(
            f"{ROW} WHERE e.id IN ({marks})"
        )
    ]


def _speaks_of(envelope: bytes) -> int | None:
    try:
        said = unchecked(envelope).predicate
    except VerificationFailed:
        return None
    count = said.get("count", said.get("population", {}).get("count"))
    return int(count) if isinstance(count, int) else None


class Found(NamedTuple):
    """One entry, taken apart, and whether it holds."""

    attestation: Attestation | None
    """None where it is no envelope of ours at all."""
    whose: str | None
    """Whom the key speaks for that it names; None when that key is not known here."""
    wrong: str
    """Why it does not hold; empty when it does."""
    void: str = ""
    """Why it counts for nothing although it holds; else empty."""


def look_up(db: Database, entry_id: int) -> Found:
    """An entry and whether it holds: signature, names, its place in the chain of its device.

    The same checks as `check` makes of all of them, for the one that somebody looks at.
    """
    leaf, name, device, seq, envelope = db.one(
        "SELECT leaf, statement, device, seq, envelope FROM entry WHERE id = ?", (entry_id,)
    )
    envelope = bytes(envelope)
    try:
        found = unchecked(envelope)
    except VerificationFailed as error:
        return Found(None, None, str(error))
    whose = db.value("SELECT principal FROM signing_key WHERE fingerprint = ?", (found.keyid,))
    wrong = ""
    try:
        _allowed(db, entry_id, envelope)
        follows(found, neighbours(db, device, seq))
        if (found.name, merkle.leaf_hash(envelope).hex()) != (name, leaf):
            wrong = "the log knows it by another digest than its own"
        elif found.kind != "roster" and not _same(whose, found.predicate["principal"]):
            wrong = f"it speaks for {found.predicate['principal']}, its key for {whose}"
    except VerificationFailed as error:
        wrong = str(error)
    return Found(found, whose, wrong, "" if wrong else voids(db).get(entry_id, ""))


def _same(whose: str | None, principal: str) -> bool:
    return whose is not None and whose.lower() == str(principal).lower()


def _allowed(db: Database, entry_id: int, envelope: bytes) -> None:
    """Raise VerificationFailed unless the signatures hold and the roster lets them."""
    rows = db.execute(
        "SELECT envelope FROM entry WHERE predicate = 'roster' AND id < ? ORDER BY id",
        (entry_id,),
    ).fetchall()
    before = [
        roster.read(unchecked(bytes(row[0])), roster.signers_of(db, bytes(row[0]))) for row in rows
    ]
    if unchecked(envelope).kind == "roster":
        signers = roster.signers_of(db, envelope)
        roster.succeed(envelope, signers, before[-1] if before else None)
        return
    found = verify(envelope, known_keys(db))
    roster.judge(found, before, roster.history(db), proven_time(db, entry_id))
