"""Whether a record may come into the log: what the server checks before it gives an index.

Form, signatures, the roster in force (by the server's clock), the place in its device's chain, the
blobs and the campaign that it names, each with its own code of refusal. Signatures are checked
before the head is locked, since they are the whole cost; everything that another record may have
changed is looked at under the lock.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from passmuster import attestations, central, merkle, roster
from passmuster.attestations import Attestation
from passmuster.central import LIMITS, Record, Result
from passmuster.errors import NotFound, UnknownKind, VerificationFailed
from passmuster.roster import Roster
from passmuster.server import _blobs, _log, _scope
from passmuster.server._log import Head
from passmuster.server._store import Tx
from passmuster.text import utc

COLUMNS = (
    "idx, leaf, statement, kind, principal, fingerprint, device, seq, campaign, line, logged_at"
)
OPENED = ("publication", "decisions", "own", "countersign", "close", "acknowledgement", "pack",
          "remediation")  # fmt: skip
"""Kinds of a campaign whose statement must be in the log before them."""
MAX_TEXT = 400
"""Characters of a name in a statement."""


class Refused(Exception):
    """Why a record is not taken: a code of `central.PROBLEMS`, and words."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(slots=True)
class Candidate:
    """A line that somebody sent, as far as it can be judged without the log."""

    line: bytes
    leaf: bytes
    record: Record | None = None
    refused: Refused | None = None
    verified: frozenset[str] = frozenset()
    """Fingerprints of the keys whose signatures were found to hold."""


@dataclass(slots=True)
class Job:
    """The records of one request: what is accepted of them stands together."""

    candidates: list[Candidate]
    invited: bool = False
    """Whether an enrolment of an unlisted key, and a first roster, may be among them."""
    also: Callable[[Tx, list[Result]], None] | None = None
    """Done in the same transaction; what it raises undoes all."""


def prepare(line: bytes, keys: dict[str, str]) -> Candidate:
    """Read a line and check its signatures by *keys*; an unknown key is left for the lock."""
    found = Candidate(line, merkle.leaf_hash(line))
    try:
        found.record = _read(line)
        signers = set(found.record.statement.signers)
        if signers <= keys.keys() and found.record.statement.kind != "roster":
            _verify(found.record, keys)
            found.verified = frozenset(signers)
    except Refused as refused:
        found.refused = refused
    return found


def _read(line: bytes) -> Record:
    if len(line) > LIMITS.record_bytes:
        raise Refused("too-large", f"a record of {len(line):,} bytes; {LIMITS.record_bytes:,} fit")
    try:
        record = central.read(line)
        if why := _amiss(record.statement.predicate, record):
            raise VerificationFailed(f"the statement's {why} is not of its form")
    except VerificationFailed as error:
        code = "unknown-kind" if isinstance(error, UnknownKind) else "not-a-record"
        raise Refused(code, str(error)) from None
    return record


def _amiss(said: Any, record: Record) -> str:
    """Which of the fields that every statement has is not of its form; empty for none."""
    checks: dict[str, Callable[[Any], bool]] = {
        "device": _is_name, "principal": _is_name,
        "seq": lambda seq: type(seq) is int and 0 < seq < 2**53,
        "prev": lambda prev: prev is None or _is_name(prev),
        "rosterDigest": lambda digest: digest is None or _is_name(digest),
        "signedAt": lambda at: isinstance(at, str) and utc(at) == at,
        "ext": lambda ext: isinstance(ext, dict),
    }  # fmt: skip
    for name, holds in checks.items():
        if name not in said or not holds(said[name]):
            return name
    digests = [d for _, d in record.statement.subject] + list(record.blobs)
    if not all(_is_name(d) for d in digests):
        return "subject"
    return "" if record.campaign is None or _is_name(record.campaign) else "campaign"


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT and value.isprintable()


def _verify(record: Record, keys: dict[str, str]) -> None:
    for signature in record.statement.signatures:
        public = keys.get(signature.fingerprint)
        if public is None:
            raise Refused("not-listed", f"{signature.fingerprint} is not a listed key")
        try:
            attestations.check_signature(public, signature, record.statement.pae)
        except VerificationFailed as error:
            raise Refused("bad-signature", str(error)) from None


# --- under the lock


@dataclass(slots=True)
class Accepting:
    """One transaction's look at the log, and what it will add."""

    tx: Tx
    head: Head
    """As it was when it was locked."""
    rosters: list[Roster]
    now: str
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    places: dict[tuple[str, int], tuple[str, int, bytes]] = field(default_factory=dict)
    """(device, seq) → (statement, index, leaf)."""
    campaigns: dict[str, str] = field(default_factory=dict)
    """Statement → who opened it."""
    blobs: set[str] = field(default_factory=set)
    scopes: _scope.Scopes = field(init=False)

    def __post_init__(self) -> None:
        self.scopes = _scope.Scopes(self.tx)

    def look(self, candidates: Iterable[Candidate]) -> None:
        """Ask the database once for all that these records need to know."""
        records = [c.record for c in candidates if c.record is not None]
        self._ask("SELECT statement, principal FROM record WHERE kind = 'campaign' AND statement",
                  [of for r in records if (of := r.campaign)],
                  lambda row: self.campaigns.__setitem__(row[0], row[1]))  # fmt: skip
        self.blobs |= _blobs.present(self.tx, [d for r in records for d in r.blobs])
        wanted = dict.fromkeys(place for r in records for place in _places(r.statement))
        self._places(list(wanted))
        self.scopes.look(records)

    def _ask(self, sql: str, values: Sequence[Any], each: Callable[[Any], None]) -> None:
        unique = list(dict.fromkeys(values))
        for at in range(0, len(unique), 1_000):
            part = unique[at : at + 1_000]
            among, args = self.tx.among(part)
            for row in self.tx.execute(f"{sql} {among}", args):
                each(row)

    def _places(self, wanted: list[tuple[str, int]]) -> None:
        for at in range(0, len(wanted), 500):
            part = wanted[at : at + 500]
            among, args = self.tx.among_pairs(part)
            sql = (
                f"SELECT device, seq, statement, idx, leaf FROM record WHERE (device, seq) {among}"
            )
            for device, seq, statement, idx, leaf in self.tx.execute(sql, args):
                self.places[device, int(seq)] = statement, int(idx), bytes(leaf)

    def take(self, job: Job) -> list[Result]:
        """What becomes of each record of a request."""
        return [self._take(candidate, job) for candidate in job.candidates]

    def _take(self, candidate: Candidate, job: Job) -> Result:
        name = candidate.leaf.hex()
        there = self._there(candidate.record)
        if there is not None and there[2] == candidate.leaf:  # whoever its signer is by now
            return Result(name, "duplicate", there[1])
        try:
            if candidate.refused is not None or candidate.record is None:
                raise candidate.refused or Refused("not-a-record", "unread")
            self._check_signer(candidate, job)
            statement = candidate.record.statement
            said = statement.predicate
            # one payload has one place: another signature over it is the same statement
            if there is not None and there[0] == statement.name:
                return Result(name, "duplicate", there[1])
            self._check_chain(statement, taken=there is not None)
            new = self._check_content(candidate.record)
            if why := self.scopes.take(candidate.record, self._roles(said["principal"])):
                raise Refused(*why)
            return self._add(candidate, candidate.record, new)
        except Refused as refused:
            return Result(name, "rejected", None, refused.code, str(refused))

    def _there(self, record: Record | None) -> tuple[str, int, bytes] | None:
        """What the log has at the place in its device's chain that a record claims.

        A line names its own place, so the same line could be logged nowhere else.
        """
        if record is None:
            return None
        said = record.statement.predicate
        return self.places.get((said["device"], said["seq"]))

    def _check_signer(self, candidate: Candidate, job: Job) -> None:
        assert candidate.record is not None
        statement = candidate.record.statement
        if statement.kind == "roster":
            if not self.rosters and not job.invited:
                raise Refused("not-listed", "the first roster comes with the first enrolment")
            return  # by its own rule, with its file
        if statement.kind == "enrolment":
            self._check_enrolment(candidate, job)
            return
        if not self.rosters:
            raise Refused("not-listed", "there is no roster in the log yet: enrol first")
        if not candidate.verified:
            _verify(candidate.record, self.rosters[-1].keys)
        self._judge(statement)

    def _judge(self, statement: Attestation) -> None:
        try:
            roster.judge(statement, self.rosters, self.rosters, self.now)
        except VerificationFailed as error:
            raise Refused("not-listed", str(error)) from None

    def _check_enrolment(self, candidate: Candidate, job: Job) -> None:
        try:
            asked = roster.possession(candidate.line)
        except VerificationFailed as error:
            raise Refused("bad-signature", str(error)) from None
        listed = self.rosters and self.rosters[-1].lines_of(asked.fingerprint, asked.principal)
        if not job.invited and not listed:
            raise Refused("not-listed", f"{asked.fingerprint} is on no roster: enrol with an "
                                        "invitation (`muster enroll`)")  # fmt: skip
        if self.rosters:
            self._judge(asked.statement)

    def _roles(self, principal: str) -> tuple[str, ...]:
        """What somebody may do by the roster in force."""
        person = self.rosters[-1].person(principal) if self.rosters else None
        return () if person is None else tuple(person.roles)

    def _check_chain(self, statement: Attestation, *, taken: bool) -> None:
        said = statement.predicate
        before = self.places.get((said["device"], said["seq"] - 1))
        if taken or (before is not None and before[0] != said["prev"]):
            raise Refused("chain-fork", f"place {said['seq']} of the chain of {said['device']}")

    def _check_content(self, record: Record) -> Roster | None:
        """What it names is here; the new roster when it is one."""
        if missing := [d for d in record.blobs if d not in self.blobs]:
            raise Refused("blob-missing", " ".join(missing[:10]))
        statement = record.statement
        if statement.kind == "roster":
            return self._roster(record)
        if statement.kind in OPENED and record.campaign is not None:
            owner = self.campaigns.get(record.campaign)
            if owner is None:
                raise Refused("campaign-unknown", record.campaign)
            if statement.kind == "publication":
                if owner != statement.predicate["principal"]:
                    raise Refused("not-yours", f"it was opened by {owner}")
                self._check_queues(record)
        return None

    def _roster(self, record: Record) -> Roster:
        before = self.rosters[-1] if self.rosters else None
        try:
            text = _blobs.data_of(self.tx, record.blobs[0], roster.MAX_BYTES)
            return roster.succeed(record.line, text, before)
        except (VerificationFailed, NotFound) as error:
            raise Refused("roster-order", str(error)) from None

    def _check_queues(self, record: Record) -> None:
        try:
            data = _blobs.data_of(self.tx, dict(record.statement.subject)["queues.jsonl"])
            found = central.read_queues(data)
        except (VerificationFailed, NotFound) as error:
            raise Refused("blob-wrong", str(error)) from None
        if found.campaign != record.campaign:
            raise Refused("blob-wrong", "the queues are of another campaign")
        chunks = [chunk.sha256 for chunk in found.chunks]
        there = _blobs.present(self.tx, chunks)
        if missing := [d for d in chunks if d not in there]:
            raise Refused("blob-missing", " ".join(missing[:10]))

    def _add(self, candidate: Candidate, record: Record, new: Roster | None) -> Result:
        index = self.head.size + len(self.rows)
        statement, said = record.statement, record.statement.predicate
        self.rows.append((
            index, candidate.leaf, statement.name, statement.kind, said["principal"],
            statement.keyid, said["device"], said["seq"], record.campaign, candidate.line, self.now,
        ))  # fmt: skip
        self.places[said["device"], said["seq"]] = statement.name, index, candidate.leaf
        if statement.kind == "campaign":
            self.campaigns[statement.name] = said["principal"]
        if new is not None:
            self.rosters.append(new)
        return Result(candidate.leaf.hex(), "accepted", index)

    def write(self) -> Head:
        """Append what was accepted; the new head."""
        if not self.rows:
            return self.head
        self.tx.insert("record", COLUMNS, self.rows)
        self.scopes.write()
        return _log.grow(self.tx, self.head, [row[1] for row in self.rows], len(self.rows))


def _places(statement: Attestation) -> tuple[tuple[str, int], ...]:
    said = statement.predicate
    return (said["device"], said["seq"]), (said["device"], said["seq"] - 1)
