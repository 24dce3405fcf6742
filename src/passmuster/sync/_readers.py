"""What of the central log one person may read, told from a copy of it: for a packet to them.

The rule is the server's (`GET /v1/feed`): people's records are for everybody; a campaign's are for
whoever opened it, has items in it, was handed one, or may be its second person, and for auditors;
an emergency is for whoever acts on one and for auditors; what somebody signed is theirs. Chunks of
a queue are for their reviewer, where it says so for the seconds, for the owner and for auditors.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from passmuster import blobs, central, roster, tlog
from passmuster.central import Fed, Queues, Record
from passmuster.errors import NotFound, VerificationFailed
from passmuster.store import Database
from passmuster.text import strict_json

PEOPLE = ("enrolment", "roster", "chain")
ACT_ON_EMERGENCIES = {"oncall", "owner", "auditor"}


@dataclass
class Reader:
    """What one person has a part in."""

    principal: str
    audits: bool
    acts: bool
    owned: set[str] = field(default_factory=set)
    campaigns: set[str] = field(default_factory=set)
    """Digests of those that they have any part in."""

    def sees(self, record: Record) -> bool:
        """Whether a record is theirs to read."""
        said = record.statement
        if said.kind in PEOPLE or self.audits or self._signed(record):
            return True
        if record.campaign is None:
            return self.acts
        return record.campaign in self.campaigns

    def _signed(self, record: Record) -> bool:
        return str(record.statement.predicate["principal"]).casefold() == self.principal

    def blobs(self, db: Database, record: Record) -> Iterator[str]:
        """Digests of the bytes that come with a record which they may read."""
        handed = record.statement.predicate["ext"].get("handed")
        whole = self.audits or record.campaign in self.owned
        for digest in record.blobs:
            if digest != handed or whole or self._signed(record) or (
                self.principal in _new_reviewers(db, record)
            ):  # fmt: skip
                yield digest
        listed = _queues(db, record)
        if listed is not None:
            may_second = self.principal in {who.casefold() for who in listed.seconds}
            for chunk in listed.chunks:
                mine = (chunk.reviewer or "").casefold() == self.principal
                if chunk.leaves or whole or mine or (chunk.seconds and may_second):
                    yield chunk.sha256


def reader(db: Database, principal: str) -> Reader:
    """What *principal* may read of the central log, as far as it is known here.

    Raises NotFound for somebody whom the roster does not list.
    """
    current, who = roster.current(db), principal.casefold()
    listed = [p for p in (current.people if current else ()) if p.principal.casefold() == who]
    if not listed:
        raise NotFound(f"{principal} is not on the roster: nothing is exported for a stranger")
    roles = set(listed[0].roles)
    found = Reader(who, "auditor" in roles, bool(roles & ACT_ON_EMERGENCIES))
    for _, entry in tlog.verified(db, 0, tlog.pinned(db).size):
        record = read(entry)
        if record is not None and record.campaign is not None:
            _part(db, record, record.campaign, found)
    return found


def read(entry: Fed) -> Record | None:
    """The record of an entry; None where it is hidden here, or no record that is known here."""
    try:
        return None if entry.line is None else central.read(entry.line)
    except VerificationFailed:
        return None


def _part(db: Database, record: Record, campaign: str, who: Reader) -> None:
    kind = record.statement.kind
    if kind == "campaign" and who._signed(record):  # noqa: SLF001 - its own module
        who.owned.add(campaign)
        who.campaigns.add(campaign)
    elif kind == "publication":
        listed = _queues(db, record)
        if listed is not None and who.principal in {
            name.casefold() for name in (*listed.reviewers, *listed.seconds)
        }:
            who.campaigns.add(campaign)
    elif kind == "own" and record.statement.predicate["ext"].get("handed") and (
        who.principal in _new_reviewers(db, record)
    ):  # fmt: skip
        who.campaigns.add(campaign)


def _queues(db: Database, record: Record) -> Queues | None:
    if record.statement.kind != "publication":
        return None
    digest = dict(record.statement.subject)["queues.jsonl"]
    return central.read_queues(blobs.get(db, digest)) if blobs.has(db, digest) else None


def _new_reviewers(db: Database, record: Record) -> set[str]:
    """To whom the rows of an `own` batch hand items."""
    digest = dict(record.statement.subject).get("own.jsonl")
    if record.statement.kind != "own" or digest is None or not blobs.has(db, digest):
        return set()
    try:
        rows = [strict_json(line) for line in blobs.get(db, digest).splitlines()]
        return {str(row["reviewer"]).casefold() for row in rows if row["reviewer"] is not None}
    except (ValueError, KeyError, TypeError):
        return set()
