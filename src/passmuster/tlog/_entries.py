"""The entries: what was signed, in the order in which it was logged, and this device's chain.

Order is never by a clock: `seq` and `prev` are inside what is signed, so an edited, dropped or
reordered entry shows even to somebody who has only the envelopes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from passmuster import keys, sshsig, store
from passmuster.attestations import Link, sign, statement, verify
from passmuster.errors import Conflict, NotFound
from passmuster.keys import SigningKey
from passmuster.store import Database
from passmuster.text import sha256, visible
from passmuster.tlog._tree import check_leaf, grow


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
    """Append *envelope*, to the tree as well, and return its id: its index in the tree plus 1.
    To be called inside `db.atomic()`.

    Verifies first, so that nothing that would fail an auditor gets in. Raises Conflict when the
    chain has moved since `next_link`: sign again.
    """
    leaf = check_leaf(envelope)
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
            leaf.hex(), attestation.name, attestation.kind, campaign,
            predicate["principal"], expected.device, expected.seq, envelope, now,
        ),
    )  # fmt: skip
    entry_id = int(cursor.lastrowid or 0)
    grow(db, entry_id - 1, leaf)
    return entry_id


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


def find(db: Database, prefix: str) -> int:
    """The id of the entry whose statement's digest begins with *prefix*."""
    word = prefix.strip().lower()
    rows = db.execute(
        "SELECT id FROM entry WHERE statement >= ?1 AND statement < ?1 || 'g' LIMIT 2", (word,)
    ).fetchall()
    if len(rows) == 1 and word:
        return int(rows[0][0])
    how = "several statements begin" if rows else "no statement in the log begins"
    raise NotFound(f"{how} with {visible(prefix)!r}: `muster log show --entries` lists them")


def known_keys(db: Database) -> dict[str, str]:
    """Fingerprint → public line of every key enrolled in this workspace."""
    rows = db.execute("SELECT public FROM signing_key")
    return {keys.fingerprint(row[0]): row[0] for row in rows}
