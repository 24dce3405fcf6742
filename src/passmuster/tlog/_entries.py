"""The entries: what was signed, in the order in which it was logged, and this device's chain.

Order is never by a clock: `seq` and `prev` are inside what is signed, so an edited, dropped or
reordered entry shows even to somebody who has only the envelopes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from passmuster import keys, roster, sshsig, store
from passmuster.attestations import Attestation, Link, sign, statement, unchecked, verify
from passmuster.errors import Conflict, NotFound, VerificationFailed
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
    """Where this device's next statement stands, and under which roster."""
    device, under = store.device(db), roster.current_name(db)
    row = db.one(
        "SELECT seq, statement FROM entry WHERE device = ? ORDER BY seq DESC LIMIT 1", (device,)
    )
    seq, prev = (0, None) if row is None else row
    return Link(device, seq + 1, prev, under)


def append(
    db: Database, envelope: bytes, known: dict[str, str], campaign: str | None, now: str
) -> int:
    """Append *envelope*, to the tree as well, and return its id: its index in the tree plus 1.
    To be called inside `db.atomic()`.

    Verifies first, so that nothing that would fail an auditor gets in; with a roster, that the
    signer is on it and has the role. Raises Conflict when the chain has moved since `next_link`,
    or the roster: sign again. A roster is verified by its own rule; its `allowed_signers` must
    be among the blobs.
    """
    leaf = check_leaf(envelope)
    attestation = unchecked(envelope)
    if attestation.kind == "roster":
        roster.succeed(envelope, roster.signers_of(db, envelope), roster.current(db))
    else:
        attestation = verify(envelope, known)
        _in_place(db, attestation)
    return insert(db, attestation, envelope, leaf, campaign, now)


def insert(
    db: Database, attestation: Attestation, envelope: bytes, leaf: bytes, campaign: str | None,
    now: str,
) -> int:  # fmt: skip
    """Put a statement that was verified at the end of the log, and of its tree."""
    predicate = attestation.predicate
    cursor = db.execute(
        "INSERT INTO entry (leaf, statement, predicate, campaign, principal, device, seq,"
        " envelope, logged_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            leaf.hex(), attestation.name, attestation.kind, campaign,
            predicate["principal"], predicate["device"], predicate["seq"], envelope, now,
        ),
    )  # fmt: skip
    entry_id = int(cursor.lastrowid or 0)
    grow(db, entry_id - 1, leaf)
    return entry_id


def _in_place(db: Database, attestation: Attestation) -> None:
    """Raise unless a statement comes next on this device, and its signer may sign it now."""
    said, expected = attestation.predicate, next_link(db)
    if (said["device"], said["seq"], said["prev"]) != (
        expected.device, expected.seq, expected.prev,
    ):  # fmt: skip
        raise Conflict("another muster signed something in this workspace meanwhile")
    if said["rosterDigest"] != expected.roster:
        raise Conflict("the roster was changed while you were signing: sign again")
    if (in_force := roster.current(db)) is not None:
        try:
            roster.judge(attestation, [in_force], [in_force], None)
        except VerificationFailed as error:
            raise VerificationFailed(
                f"{error}: ask a registrar (`muster enroll request` for a new key)"
            ) from None


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


def enrol_at(db: Database, link: Link, key: SigningKey, now: str) -> Link:
    """Where what was to stand at *link* stands now: a key that signs for the first time goes before
    it. When anything else was signed since, it is *link* still, and `append` refuses it.
    """
    at = next_link(db)
    name = enrol(db, key, now)
    after = next_link(db)
    return after if at == link and after.prev in (at.prev, name) else link


def enrolments(db: Database) -> dict[str, str]:
    """Fingerprint → name of the statement that enrolled it in this workspace."""
    known = known_keys(db)
    rows = db.execute(
        "SELECT envelope FROM entry WHERE predicate = 'enrolment' AND device = ? ORDER BY id",
        (store.device(db),),
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


def enrolment(db: Database, mark: str) -> bytes:
    """The envelope by which the key *mark* was enrolled here."""
    for entry in db.execute("SELECT envelope FROM entry WHERE predicate = 'enrolment'"):
        if unchecked(bytes(entry[0])).predicate["fingerprint"] == mark:
            return bytes(entry[0])
    raise NotFound(f"{mark} was not enrolled here: `muster key new`")


def known_keys(db: Database, *, foreign: bool = True) -> dict[str, str]:
    """Fingerprint → public line of every key that is known here; of those of this workspace alone
    without *foreign* ones, whose enrolment came from another.
    """
    rows = db.execute(
        "SELECT public FROM signing_key WHERE ?1 OR store <> ?2", (foreign, keys.FOREIGN)
    )
    return {keys.fingerprint(row[0]): row[0] for row in rows}
