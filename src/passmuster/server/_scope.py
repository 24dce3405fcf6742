"""What somebody may read, and whose campaign is whose: written down when a record is accepted.

People's records (enrolments, rosters, chains) are for everybody with a session. A campaign's are
for its owner, those who have items in it, those who may be their second person, those to whom an
item was handed, and auditors; what somebody signed is theirs to see. A chunk of a queue is for its
reviewer, where it says so for the seconds, for the owner and for auditors. An emergency is in no
campaign: it is for whoever acts on one, who must review it, and auditors.

**Naming bytes opens them to nobody who could not read them**: a list of queues tells every reviewer
the digests of all chunks, and a record of one's own could name them. So bytes that have readers get
new ones only from somebody who is among the old.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from passmuster.central import Record, read_queues
from passmuster.errors import VerificationFailed
from passmuster.server import _blobs
from passmuster.server._people import Member
from passmuster.server._store import Tx
from passmuster.text import strict_json

PEOPLE = ("enrolment", "roster", "chain")
"""Kinds that everybody with a session reads."""
EVERYBODY, EMERGENCY = "*", "!"
"""In place of a campaign's digest: everybody with a session; an emergency."""
OWNER, REVIEWER, SECOND, ALL = "owner", "reviewer", "second", ""
"""What part somebody has in a campaign; of a blob: who among them reads it."""
ACTS_ON_EMERGENCIES = ("oncall", "owner")
ONLY_OWNER = ("publication", "close", "pack")
"""Kinds that only the owner of their campaign signs."""


class Reader(NamedTuple):
    """Blobs are for all of *campaign* who have *part* in it, or of these for *principal*."""

    campaign: str
    principal: str
    part: str


class View(NamedTuple):
    """What a member has a part in."""

    member: Member
    parts: dict[str, frozenset[str]]
    """Campaign → their parts."""

    def campaign(self, campaign: str) -> bool:
        """Whether they are in the scope of a campaign."""
        return "auditor" in self.member.roles or campaign in self.parts

    @property
    def emergency(self) -> bool:
        """Whether emergencies of others are theirs to see."""
        return bool({"auditor", *ACTS_ON_EMERGENCIES} & set(self.member.roles))

    def reads(self, blob: Reader) -> bool:
        """Whether they are among the readers of a blob."""
        me = self.member.principal.casefold()
        if blob.campaign == EVERYBODY or "auditor" in self.member.roles:
            return True
        if blob.campaign == EMERGENCY:
            return self.emergency or blob.principal == me
        parts = self.parts.get(blob.campaign, frozenset())
        if not parts or blob.principal:
            return OWNER in parts or (bool(parts) and blob.principal == me)
        return OWNER in parts or blob.part == ALL or blob.part in parts


def view(tx: Tx, member: Member) -> View:
    """What *member* has a part in; nothing for whoever has no role any more."""
    parts: dict[str, set[str]] = {}
    if member.roles:
        for campaign, part in tx.execute(
            "SELECT campaign, part FROM scope WHERE principal = ?", (member.principal.casefold(),)
        ):
            parts.setdefault(campaign, set()).add(part)
    return View(member, {campaign: frozenset(found) for campaign, found in parts.items()})


def sees(tx: Tx, member: Member, records: Sequence[tuple[int, str, str | None]]) -> set[int]:
    """The indexes of those of *records* (index, kind, campaign) whose line *member* may read."""
    seen = view(tx, member)
    visible = {
        index for index, kind, campaign in records
        if kind in PEOPLE or (seen.emergency if campaign is None else seen.campaign(campaign))
    }  # fmt: skip
    rest = [index for index, *_ in records if index not in visible]
    if rest:
        own = tx.execute(
            "SELECT idx FROM record WHERE idx BETWEEN ? AND ? AND principal = ?",
            (min(rest), max(rest), member.principal),
        )
        visible |= {index for (index,) in own} & set(rest)
    return visible


def may_read_blob(tx: Tx, member: Member, sha256: str) -> bool:
    """Whether *member* may read a blob: no record that names it, no reader."""
    readers = _readers(tx, [sha256]).get(sha256, ())
    seen = view(tx, member)
    return any(map(seen.reads, readers))


def _readers(tx: Tx, digests: Sequence[str]) -> dict[str, list[Reader]]:
    found: dict[str, list[Reader]] = {}
    for at in range(0, len(digests), 500):
        some = digests[at : at + 500]
        marks = ", ".join("?" * len(some))
        for digest, *reader in tx.execute(
            f"SELECT sha256, campaign, principal, part FROM blob_scope WHERE sha256 IN ({marks})",
            some,
        ):
            found.setdefault(digest, []).append(Reader(*reader))
    return found


# --- what a record that is being accepted changes


def foreign(tx: Tx, record: Record) -> str | None:
    """The code of the problem with whose campaign a record is about; None where it is right.

    What is in the batch is looked at by the fold (`outcomes`), on every side alike; here it is
    only seen that whoever signs has a part in the campaign at all.
    """
    said, campaign = record.statement.predicate, record.campaign
    if campaign is None or record.statement.kind == "campaign":
        return None
    rows = tx.execute("SELECT principal, part FROM scope WHERE campaign = ?", (campaign,))
    if not rows:
        return "campaign-unknown"
    me = str(said["principal"]).casefold()
    mine = {part for principal, part in rows if principal == me}
    if record.statement.kind in ONLY_OWNER:
        return None if OWNER in mine else "not-yours"
    if record.statement.kind == "acknowledgement":  # an auditor's, who has no part in it
        return None
    return None if mine else "not-yours"


def record_scope(tx: Tx, record: Record, index: int) -> None:  # noqa: ARG001 - the order is its own
    """Write down whom an accepted record lets into its campaign, and who reads what it names.

    Raises VerificationFailed when bytes that it names are not what it says of them, or are not
    its signer's to give: then the record is refused.
    """
    kind = record.statement.kind
    signer = str(record.statement.predicate["principal"]).casefold()
    campaign = record.campaign
    if kind == "roster":
        _give(tx, signer, ((digest, Reader(EVERYBODY, "", ALL)) for digest in record.blobs))
        return
    if campaign is None:
        _give(tx, signer, ((digest, Reader(EMERGENCY, signer, ALL)) for digest in record.blobs))
        return
    if kind == "campaign":
        _let_in(tx, campaign, [(signer, OWNER)])
    handed = record.statement.predicate["ext"].get("handed")
    _give(tx, signer, [
        (digest, Reader(campaign, "", ALL)) for digest in record.blobs if digest != handed
    ])  # fmt: skip
    if kind == "publication":
        _published(tx, record, campaign, signer)
    elif kind == "own" and handed is not None:
        _handed(tx, record, campaign, signer, str(handed))


def _published(tx: Tx, record: Record, campaign: str, signer: str) -> None:
    queues = read_queues(_blobs.whole(tx, dict(record.statement.subject)["queues.jsonl"]))
    if queues.campaign != campaign:
        raise VerificationFailed("the list of queues is of another campaign")
    _let_in(tx, campaign, [
        *((who.casefold(), REVIEWER) for who in queues.reviewers),
        *((who.casefold(), SECOND) for who in queues.seconds),
    ])  # fmt: skip

    def readers() -> Iterator[tuple[str, Reader]]:
        for chunk in queues.chunks:
            if chunk.leaves is not None:
                yield chunk.sha256, Reader(campaign, "", ALL)
                continue
            if chunk.reviewer is not None:
                yield chunk.sha256, Reader(campaign, chunk.reviewer.casefold(), REVIEWER)
            else:
                yield chunk.sha256, Reader(campaign, "", OWNER)
            if chunk.seconds:
                yield chunk.sha256, Reader(campaign, "", SECOND)

    _give(tx, signer, readers())


def _handed(tx: Tx, record: Record, campaign: str, signer: str, chunk: str) -> None:
    """The new reviewers of items that were handed over come in, and read the chunk with them."""
    rows = _blobs.whole(tx, dict(record.statement.subject)["own.jsonl"])
    try:
        named = [strict_json(line)["reviewer"] for line in rows.splitlines()]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise VerificationFailed(f"own.jsonl is not of our form: {error}") from None
    new = sorted({str(who).casefold() for who in named if who is not None})
    _let_in(tx, campaign, [(who, REVIEWER) for who in new])
    _give(tx, signer, [(chunk, Reader(campaign, who, REVIEWER)) for who in new])


def _let_in(tx: Tx, campaign: str, parts: Iterable[tuple[str, str]]) -> None:
    for principal, part in dict.fromkeys(parts):
        tx.execute(
            "INSERT INTO scope (campaign, principal, part) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (campaign, principal, part),
        )


def _give(tx: Tx, signer: str, blobs: Iterable[tuple[str, Reader]]) -> None:
    """Let blobs be read. Bytes that have readers get more only from one of these."""
    wanted = list(blobs)
    there = _readers(tx, sorted({digest for digest, _ in wanted}))
    if there:
        seen = view(tx, Member(signer, ("",), ""))  # their parts alone: roles open nothing here
        for digest, readers in there.items():
            if not any(map(seen.reads, readers)):
                raise VerificationFailed(f"{digest[:16]}… is not {signer}'s to show to anybody")
    known = {(digest, reader) for digest, readers in there.items() for reader in readers}
    for digest, reader in dict.fromkeys(wanted):
        if (digest, reader) not in known:
            tx.execute(
                "INSERT INTO blob_scope (sha256, campaign, principal, part) VALUES (?, ?, ?, ?)",
                (digest, *reader),
            )
