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

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from passmuster.central import Record, read_queues
from passmuster.errors import NotFound, VerificationFailed
from passmuster.server._access import Member
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
BY_AUDITORS = ("acknowledgement",)
"""Kinds that auditors sign, who have no part in the campaign and see all of it."""


class Reader(NamedTuple):
    """Blobs are for all of *campaign* who have *part* in it, or of these for *principal*."""

    campaign: str
    principal: str
    part: str


Parts = dict[str, frozenset[str]]
"""Campaign → what part somebody has in it."""


class View(NamedTuple):
    """What a member has a part in."""

    member: Member
    parts: Parts

    def campaign(self, campaign: str) -> bool:
        """Whether they are in the scope of a campaign."""
        return "auditor" in self.member.roles or campaign in self.parts

    @property
    def emergency(self) -> bool:
        """Whether emergencies of others are theirs to see."""
        return bool({"auditor", *ACTS_ON_EMERGENCIES} & set(self.member.roles))

    def reads(self, blob: Reader) -> bool:
        """Whether they are among the readers of a blob."""
        if blob.campaign == EVERYBODY or "auditor" in self.member.roles:
            return True
        is_mine = blob.principal == self.member.principal.casefold()
        if blob.campaign == EMERGENCY:
            return self.emergency or is_mine
        parts = self.parts.get(blob.campaign, frozenset())
        if not parts or OWNER in parts:
            return bool(parts)
        return is_mine if blob.principal else blob.part == ALL or blob.part in parts


def view(tx: Tx, member: Member) -> View:
    """What *member* has a part in; nothing for whoever has no role any more."""
    return View(member, _parts(tx, member.principal.casefold()) if member.roles else {})


def _parts(tx: Tx, principal: str) -> Parts:
    found: Parts = {}
    sql = "SELECT campaign, part FROM scope WHERE principal = ?"
    for campaign, part in tx.execute(sql, (principal,)):
        found[campaign] = found.get(campaign, frozenset()) | {part}
    return found


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
        among, args = tx.among(some)
        sql = f"SELECT sha256, campaign, principal, part FROM blob_scope WHERE sha256 {among}"
        for digest, *reader in tx.execute(sql, args):
            found.setdefault(digest, []).append(Reader(*reader))
    return found


# --- what a record that is being accepted changes


class Change(NamedTuple):
    """Whom a record lets in, and what they read by it."""

    parts: list[tuple[str, str]]
    """(principal, part) in its campaign."""
    blobs: list[tuple[str, Reader]]


@dataclass(slots=True)
class Scopes:
    """Who may read what, while one transaction accepts records: asked of the database in bulk."""

    tx: Tx
    parts: dict[str, Parts] = field(default_factory=dict)
    """Principal → what part they have in which campaign."""
    readers: dict[str, list[Reader]] = field(default_factory=dict)
    """Digest → who reads it."""
    new_parts: list[tuple[str, str, str]] = field(default_factory=list)
    new_readers: list[tuple[str, str, str, str]] = field(default_factory=list)

    def look(self, records: Iterable[Record]) -> None:
        """Ask the database once for what these records need to know."""
        known = list(records)
        self._need([digest for record in known for digest in record.blobs])
        for principal in {_signer(record) for record in known} - self.parts.keys():
            self.parts[principal] = _parts(self.tx, principal)

    def _need(self, digests: Iterable[str]) -> None:
        wanted = sorted({digest for digest in digests if digest not in self.readers})
        if wanted:
            self.readers |= {digest: [] for digest in wanted} | _readers(self.tx, wanted)

    def take(self, record: Record, roles: Sequence[str] = ()) -> tuple[str, str] | None:
        """Note whom a record lets into its campaign, and who reads what it names.

        *roles* are its signer's. Gives (code of the problem, words), and notes nothing, when it is
        about what is not theirs. What is in a batch is looked at by the fold (`outcomes`), on every
        side alike; here it is only seen that whoever signs has a part in the campaign at all, and
        that the bytes which the record would open are theirs to show.
        """
        signer, campaign, kind = _signer(record), record.campaign, record.statement.kind
        parts = self.parts.setdefault(signer, {})
        if campaign is not None and kind != "campaign":
            mine = parts.get(campaign, frozenset())
            sees = bool(mine) or (kind in BY_AUDITORS and "auditor" in roles)
            if not sees or (kind in ONLY_OWNER and OWNER not in mine):
                return "not-yours", f"{signer} has no such part in the campaign {campaign[:16]}…"
        try:
            change = _change(self.tx, record)
        except (VerificationFailed, NotFound) as error:
            return "blob-wrong", str(error)
        self._need(digest for digest, _ in change.blobs)
        view = View(Member(signer, ()), parts)  # parts alone: no role opens the chunks of others
        for digest in {digest for digest, _ in change.blobs}:
            there = self.readers[digest]
            if there and all(map(_is_guarded, there)) and not any(map(view.reads, there)):
                return "not-yours", f"{digest[:16]}… is not {signer}'s to show to anybody"
        self._note(campaign or "", change)
        return None

    def _note(self, campaign: str, change: "Change") -> None:
        for principal, part in change.parts:
            if principal not in self.parts:
                self.parts[principal] = _parts(self.tx, principal)
            known = self.parts[principal]
            if part not in known.get(campaign, frozenset()):
                known[campaign] = known.get(campaign, frozenset()) | {part}
                self.new_parts.append((campaign, principal, part))
        for digest, reader in change.blobs:
            if reader not in self.readers[digest]:
                self.readers[digest].append(reader)
                self.new_readers.append((digest, *reader))

    def write(self) -> None:
        """Write down what was noted; in the transaction that accepts the records."""
        if self.new_parts:
            self.tx.insert("scope", "campaign, principal, part", self.new_parts)
        if self.new_readers:
            self.tx.insert("blob_scope", "sha256, campaign, principal, part", self.new_readers)


def _is_guarded(reader: Reader) -> bool:
    """Whether people know the digest who may not read the bytes: a chunk of a queue."""
    return reader.campaign not in (EVERYBODY, EMERGENCY) and bool(reader.principal or reader.part)


def _signer(record: Record) -> str:
    return str(record.statement.predicate["principal"]).casefold()


def _change(tx: Tx, record: Record) -> Change:
    """Raises VerificationFailed when a list that it names is not of its form."""
    kind, campaign, signer = record.statement.kind, record.campaign, _signer(record)
    if kind == "roster":
        return Change([], [(digest, Reader(EVERYBODY, "", ALL)) for digest in record.blobs])
    if campaign is None:
        return Change([], [(digest, Reader(EMERGENCY, signer, ALL)) for digest in record.blobs])
    handed = record.statement.predicate["ext"].get("handed")
    change = Change(
        [(signer, OWNER)] if kind == "campaign" else [],
        [(digest, Reader(campaign, "", ALL)) for digest in record.blobs if digest != handed],
    )
    if kind == "publication":
        _publish(tx, record, campaign, change)
    elif handed is not None:
        new = _new_reviewers(tx, record) if kind == "own" else []
        change.parts.extend((who, REVIEWER) for who in new)
        change.blobs.extend((handed, Reader(campaign, who, REVIEWER)) for who in (signer, *new))
    return change


def _data(tx: Tx, record: Record, name: str) -> bytes:
    from passmuster.server._blobs import data_of  # which asks here who may read what

    return data_of(tx, dict(record.statement.subject)[name])


def _publish(tx: Tx, record: Record, campaign: str, change: Change) -> None:
    found = read_queues(_data(tx, record, "queues.jsonl"))
    if found.campaign != campaign:
        raise VerificationFailed("the list of queues is of another campaign")
    change.parts.extend((who.casefold(), REVIEWER) for who in sorted(found.reviewers))
    change.parts.extend((who.casefold(), SECOND) for who in found.seconds)
    for chunk in found.chunks:
        if chunk.leaves is not None:
            readers = [Reader(campaign, "", ALL)]
        else:
            whose = (chunk.reviewer or "").casefold()
            readers = [Reader(campaign, whose, REVIEWER if whose else OWNER)]
            readers += [Reader(campaign, "", SECOND)] if chunk.seconds else []
        change.blobs.extend((chunk.sha256, reader) for reader in readers)


def _new_reviewers(tx: Tx, record: Record) -> list[str]:
    """To whom the rows of an `own` batch hand items."""
    rows = _data(tx, record, "own.jsonl")
    try:
        named = [strict_json(line)["reviewer"] for line in rows.splitlines()]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise VerificationFailed(f"own.jsonl is not of its form: {error}") from None
    return sorted({str(who).casefold() for who in named if who is not None})
