"""What comes from the central log, or in a packet, record by record in the order of that log.

`wanted` tells which bytes a record needs before it can be applied; `apply` puts it into this log
and does what it says, all or nothing, and again changes nothing. NotFound means *not yet*: bytes
or an earlier record are still to come. VerificationFailed means *never*: the record, or bytes that
it names, are not what they claim; then nothing of it is kept here.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

from passmuster import blobs, roster, tlog
from passmuster.attestations import Attestation
from passmuster.campaigns import _folding
from passmuster.campaigns._adopting import adopt, queues_of
from passmuster.campaigns._campaign import Campaign, campaign
from passmuster.campaigns._emergency import take_emergency
from passmuster.campaigns._publishing import QUEUES, opening
from passmuster.campaigns._standing import reopen
from passmuster.campaigns._votes import late
from passmuster.central import Chunk, Queues, Record
from passmuster.errors import NotFound, VerificationFailed
from passmuster.store import Database


def wanted(db: Database, record: Record, me: str) -> list[str]:
    """Digests of bytes to fetch before *record* can be applied; empty when nothing is lacking.

    What a list of queues or of owners names is known once that list is here: ask again after
    fetching. *me* is the person whose workspace this is.
    """
    said, handed = record.statement, record.statement.predicate["ext"].get("handed")
    needed = [digest for digest in record.blobs if digest != handed]
    if said.kind == "publication" and _has(db, dict(said.subject)[QUEUES]):
        found = queues_of(db, said)
        needed += [c.sha256 for c in _mine(db, said, found, me)]
        needed += [c.sha256 for c in found.chunks if c.leaves is not None]
    if handed and all(_has(db, digest) for digest in needed):
        needed += [handed] if _folding.brings(db, said, me) else []
    return [digest for digest in dict.fromkeys(needed) if not _has(db, digest)]


def _has(db: Database, digest: str) -> bool:
    return bool(db.value("SELECT 1 FROM blob WHERE sha256 = ?", (digest,)))


def _mine(db: Database, publication: Attestation, found: Queues, me: str) -> Iterable[Chunk]:
    """The chunks of items that *me* has here; whoever opened it, or audits, has all."""
    current = roster.current(db)
    listed = current.person(me) if current else None
    audits = listed is not None and "auditor" in listed.roles
    if audits or publication.predicate["principal"].lower() == me.lower():
        return [chunk for chunk in found.chunks if chunk.leaves is None]
    return found.of(me.lower())


def room(db: Database, record: Record) -> AbstractContextManager[None]:
    """Where items that *record* brings can wait (`db.aside`): around the transaction of `apply`."""
    return db.aside() if record.statement.kind in ("publication", "own") else nullcontext()


def apply(db: Database, record: Record, me: str, now: str, trust: str | None = None) -> None:
    """Take *record* into this log and do what it says; what is here already changes nothing.

    *trust* is the digest of the first roster, got by another way, for a workspace that has none.
    Raises NotFound and VerificationFailed as told above.
    """
    if db.value("SELECT 1 FROM entry WHERE leaf = ?", (record.leaf.hex(),)):
        return
    said = record.statement
    if record.campaign is not None and said.kind != "campaign":
        opening(db, record.campaign)
    with room(db, record), db.atomic(joins=True):
        index = tlog.take(db, record.line, record.campaign, now, trust)
        match said.kind:
            case "roster":
                reopen(db)
            case "campaign":
                _defined(db, said)
            case "publication":
                _published(db, said, me, now)
            case "decisions" | "own" | "countersign" if record.campaign is not None:
                _rows(db, said, index, record.campaign, me, now)
            case "decisions":
                take_emergency(db, said, index)
            case "close":
                _closed(db, said)
            case "acknowledgement":
                _acknowledged(db, said)


def here(db: Database, digest: str) -> Campaign | None:
    """The campaign as this workspace has it; None before its items came."""
    try:
        found = campaign(db, digest)
    except NotFound:
        return None
    return found if found.digest == digest else None


def _defined(db: Database, said: Attestation) -> None:
    digest = said.predicate["definitionDigest"]
    if dict(said.subject).get("definition.json") != digest:
        raise VerificationFailed("the campaign is defined by another document than it names")
    blobs.get(db, digest)


def _published(db: Database, said: Attestation, me: str, now: str) -> None:
    digest = said.predicate["campaign"]
    if here(db, digest) is not None:
        return
    adopt(db, said, _mine(db, said, queues_of(db, said), me), now)
    at = here(db, digest)
    assert at is not None
    _folding.replay(db, at, None, now)
    _end(db, at)


def _rows(db: Database, said: Attestation, index: int, digest: str, me: str, now: str) -> None:
    batch = _folding.read_batch(db, said)
    at = here(db, digest)
    if at is None:
        return
    if index in late(db, digest):
        for _ in _folding.items_of(db, at, batch):
            pass  # it must be good all the same
        return
    if said.kind == "own":
        _folding.bring(db, at, said, batch, me, now)
    _folding.fold(db, at, batch, index, now)


def _closed(db: Database, said: Attestation) -> None:
    digest = said.predicate["campaign"]
    opened = opening(db, digest).predicate["principal"]
    if said.predicate["principal"] != opened or said.subject != (("campaign", digest),):
        raise VerificationFailed(f"{opened} opened it and ends it, and nobody else")
    late(db, digest)  # the file of all heads is here
    ends = db.value(
        "SELECT count(*) FROM entry WHERE campaign = ? AND predicate = 'close'", (digest,)
    )
    if ends != 1:
        raise VerificationFailed("the campaign has ended already")
    at = here(db, digest)
    if at is not None:
        _end(db, at)


def _end(db: Database, at: Campaign) -> None:
    """Close a campaign here, where its end is in the log."""
    envelope = db.value(
        "SELECT envelope FROM entry WHERE campaign = ? AND predicate = 'close'", (at.digest,)
    )
    if envelope is not None:
        from passmuster.attestations import unchecked

        when = unchecked(bytes(envelope)).predicate["signedAt"]
        db.execute("UPDATE campaign SET closed_at = ? WHERE id = ?", (when, at.id))


def _acknowledged(db: Database, said: Attestation) -> None:
    from passmuster.attestations import unchecked

    envelope = db.value(
        "SELECT envelope FROM entry WHERE campaign = ? AND predicate = 'close'",
        (said.predicate["campaign"],),
    )
    if envelope is None:
        raise NotFound("the end that is acknowledged is not in this log yet")
    end = unchecked(bytes(envelope))
    if (said.subject, said.predicate["outcomes"]) != (
        (("close", end.name),), end.predicate["outcomes"],
    ):  # fmt: skip
        raise VerificationFailed("it acknowledges another end than the one that was signed")
