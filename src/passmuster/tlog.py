"""The append-only log of envelopes in this workspace, and the chain of this device.

Owns the `entry` table. Order is never by a clock: `seq` and `prev` are inside what is signed,
so an edited, dropped or reordered entry shows even to somebody who has only the envelopes.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from passmuster import keys, merkle, sshsig, store
from passmuster.attestations import Attestation, Link, sign, statement, unchecked, verify
from passmuster.errors import Conflict, VerificationFailed
from passmuster.keys import SigningKey
from passmuster.store import Database
from passmuster.text import sha256

CALLED = {
    "enrolment": "key", "roster": "roster", "campaign": "opened", "decisions": "decisions",
    "own": "owners", "countersign": "concurred", "remediation": "done", "close": "closed",
    "pack": "evidence", "chain": "chain",
}  # fmt: skip
"""What people call each kind of statement, in a word that a column has room for."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log."""

    id: int
    kind: str
    statement: str
    """SHA-256 of the payload."""
    campaign: str | None
    principal: str
    envelope: bytes
    logged_at: str


def next_link(db: Database) -> Link:
    """Where this device's next statement stands."""
    device = store.device(db)
    row = db.one(
        "SELECT seq, statement FROM entry WHERE device = ? ORDER BY seq DESC LIMIT 1", (device,)
    )
    return Link(device, 1, None) if row is None else Link(device, row[0] + 1, row[1])


def append(
    db: Database, envelope: bytes, known: dict[str, str], campaign: str | None, now: str
) -> int:
    """Append *envelope* and return its log index; to be called inside `db.atomic()`.

    Verifies first, so that nothing that would fail an auditor gets in. Raises Conflict when the
    chain has moved since `next_link`: sign again.
    """
    attestation = verify(envelope, known)
    predicate = attestation.predicate
    expected = next_link(db)
    if (predicate["device"], predicate["seq"], predicate["prev"]) != (
        expected.device, expected.seq, expected.prev,
    ):  # fmt: skip
        raise Conflict("another muster signed something in this workspace meanwhile")
    cursor = db.execute(
        "INSERT INTO entry (leaf, statement, predicate, campaign, principal, device, seq,"
        " envelope, logged_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            merkle.leaf_hash(envelope).hex(), attestation.name, attestation.kind, campaign,
            predicate["principal"], expected.device, expected.seq, envelope, now,
        ),
    )  # fmt: skip
    return int(cursor.lastrowid or 0)


def enrol(db: Database, key: SigningKey, now: str, replaces: str | None = None) -> str:
    """Log that *key* speaks for its principal, signed by the key itself; the statement's name.

    The signature proves possession and nothing more: whether the person is who the principal
    says is told by comparing fingerprints. *replaces* is the fingerprint of the key in whose place
    it signs from now on. Enrolling a key again changes nothing. Signs outside any transaction of
    its own (a hardware key waits for a touch); raises Conflict when the chain moved meanwhile.
    """
    held = enrolments(db).get(key.fingerprint)
    if held is not None:
        return held
    sshsig.check_key(key.public)
    line = key.public + "\n"
    body = {
        "publicKey": key.public, "fingerprint": key.fingerprint, "keyKind": key.kind,
        "store": key.store,
    }  # fmt: skip
    payload = statement(
        "enrolment", {"key.pub": sha256(line.encode())}, body, next_link(db), now, key.principal,
        {"replaces": replaces} if replaces else None,
    )  # fmt: skip
    envelope = sign(payload, key)
    with db.atomic():
        keys.keep(db, key, now)
        if replaces:
            keys.replace(db, replaces, key.fingerprint)
        append(db, envelope, known_keys(db), None, now)
    return sha256(payload)


def enrolments(db: Database) -> dict[str, str]:
    """Fingerprint → name of the statement that enrolled it."""
    known = known_keys(db)
    rows = db.execute(
        "SELECT envelope FROM entry WHERE predicate = 'enrolment' ORDER BY id"
    ).fetchall()
    found = [verify(bytes(row[0]), known) for row in rows]
    return {enrolment.predicate["fingerprint"]: enrolment.name for enrolment in found}


def entries(db: Database, campaign: str | None = None) -> Iterator[Entry]:
    """The log in order; with *campaign* (a digest), only what belongs to it."""
    rows = db.execute(
        "SELECT id, predicate, statement, campaign, principal, envelope, logged_at FROM entry"
        " WHERE ?1 IS NULL OR campaign = ?1 ORDER BY id",
        (campaign,),
    )
    for index, kind, name, of, principal, envelope, logged_at in rows:
        yield Entry(index, kind, name, of, principal, bytes(envelope), logged_at)


def check(db: Database) -> int:
    """Verify every entry and the whole chain; the number of entries.

    Raises VerificationFailed naming the first entry that does not hold.
    """
    known = known_keys(db)
    prev: dict[str, tuple[int, str]] = {}
    count = 0
    for entry in entries(db):
        try:
            attestation = verify(entry.envelope, known)
            _follows(attestation, prev)
        except VerificationFailed as error:
            raise VerificationFailed(f"log entry {entry.id}: {error}") from None
        count += 1
    return count


def _follows(attestation: Attestation, prev: dict[str, tuple[int, str]]) -> None:
    p = attestation.predicate
    seq, name = prev.get(p["device"], (0, None))
    if p["seq"] != seq + 1 or p["prev"] != name:
        raise VerificationFailed("the device chain is broken: something was dropped or reordered")
    prev[p["device"]] = (p["seq"], attestation.name)


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
    before = db.one(
        "SELECT seq, statement FROM entry WHERE device = ? AND seq < ? ORDER BY seq DESC LIMIT 1",
        (device, seq),
    )
    wrong = ""
    try:
        verify(envelope, known_keys(db))
        _follows(found, {found.predicate["device"]: tuple(before)} if before else {})
        if (found.name, merkle.leaf_hash(envelope).hex()) != (name, leaf):
            wrong = "the log knows it by another digest than its own"
        elif whose is None or whose.lower() != str(found.predicate["principal"]).lower():
            wrong = f"it speaks for {found.predicate['principal']}, its key for {whose}"
    except VerificationFailed as error:
        wrong = str(error)
    return Found(found, whose, wrong)


def known_keys(db: Database) -> dict[str, str]:
    """Fingerprint → public line of every key enrolled in this workspace."""
    rows = db.execute("SELECT public FROM signing_key")
    return {keys.fingerprint(row[0]): row[0] for row in rows}
