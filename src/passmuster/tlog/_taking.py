"""Take a record of another device into this log: verified here, whoever verified it before.

A foreign chain may have gaps, for a campaign that nobody published stays at home; but there are
never two statements at one place of it, and neighbours name each other. One's own chain has none.
"""

from passmuster import keys, roster, store
from passmuster.attestations import Attestation, check, unchecked
from passmuster.errors import VerificationFailed
from passmuster.store import Database
from passmuster.tlog._checkpoints import proven_time
from passmuster.tlog._entries import insert, known_keys, next_link
from passmuster.tlog._tree import check_leaf
from passmuster.tlog._voids import settle


def take(
    db: Database, envelope: bytes, campaign: str | None, now: str, trust: str | None = None
) -> int:
    """Append the record *envelope* of *campaign* (its digest) and return its id here.

    What is here already, also with other signatures, stays as it is. *trust* is the digest of the
    first roster, got by another way; it is needed where there is none yet. A roster's
    `allowed_signers` must be among the blobs. Raises VerificationFailed with the reason; then
    nothing is changed. To be called in the order of the central log: who may sign is told by the
    rosters that came before.
    """
    leaf = check_leaf(envelope)
    said = unchecked(envelope)
    held = db.value("SELECT id FROM entry WHERE leaf = ? OR statement = ?", (leaf.hex(), said.name))
    if held is not None:
        return int(held)
    with db.atomic():
        if said.kind == "roster":
            _roster(db, envelope, said, trust)
        else:
            _check_signed(db, envelope, said, now)
        _in_chain(db, said)
        index = insert(db, said, envelope, leaf, campaign, now)
        if said.kind == "roster":
            settle(db, lambda place: proven_time(db, place))
        return index


def _roster(db: Database, envelope: bytes, said: Attestation, trust: str | None) -> None:
    current = roster.current(db)
    if current is None and said.name != (trust or "").lower():
        raise VerificationFailed(
            f"the first roster is {said.name}, not the one that you were told to trust"
        )
    roster.succeed(envelope, roster.signers_of(db, envelope), current)
    mine = roster.draft(db)
    if mine is not None and mine.statement.name == said.name:
        roster.drop(db)


def _check_signed(db: Database, envelope: bytes, said: Attestation, now: str) -> None:
    """Raise VerificationFailed unless its key is known, is its principal's, and might sign it."""
    if said.kind == "enrolment":
        request = roster.possession(envelope)
        keys.keep_foreign(db, request.principal, request.public, now)
    check(said, known_keys(db))
    principal = str(said.predicate["principal"])
    whose = db.value("SELECT principal FROM signing_key WHERE fingerprint = ?", (said.keyid,))
    if whose.lower() != principal.lower():
        raise VerificationFailed(f"it speaks for {principal}, its key for {whose}")
    rosters = roster.history(db)
    roster.judge(said, rosters, rosters, None)


def _in_chain(db: Database, said: Attestation) -> None:
    """Raise VerificationFailed unless the place in its device's chain is free and fits."""
    device, seq, prev = (said.predicate[n] for n in ("device", "seq", "prev"))
    if not isinstance(device, str) or type(seq) is not int or seq < 1:
        raise VerificationFailed("it names no place in a chain")
    if device == store.device(db):
        mine = next_link(db)
        if (seq, prev) != (mine.seq, mine.prev):
            raise VerificationFailed(
                f"it is number {seq} of this workspace, which has no such statement: the workspace "
                "was restored from a copy, or there is a second one of it"
            )
    if db.value("SELECT 1 FROM entry WHERE device = ? AND seq = ?", (device, seq)):
        raise VerificationFailed(f"there is another statement at place {seq} of its device's chain")
    before = db.value("SELECT statement FROM entry WHERE device = ? AND seq = ?", (device, seq - 1))
    after = db.value("SELECT envelope FROM entry WHERE device = ? AND seq = ?", (device, seq + 1))
    follows = after is not None and unchecked(bytes(after)).predicate["prev"] != said.name
    if follows or (before is not None and prev != before) or (seq == 1) != (prev is None):
        raise VerificationFailed("it does not fit between its neighbours in its device's chain")
