"""From the signed files of a pack to the outcome of each item, one item at a time.

Population, assignments and dossiers stand in the same order, and so do the rows inside each
batch (a sign-off takes its drafts in the order of the population). So one pass over all of them
suffices, whatever the number of items. Pack and check use this very pass: an outcome in a pack
never comes from anywhere but its signed rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from passmuster import merkle, outcomes, seconds
from passmuster.campaigns import check_row
from passmuster.errors import VerificationFailed
from passmuster.evidence._files import Files, lines, parsed
from passmuster.outcomes import Outcome, Second, Vote
from passmuster.seconds import Policy, Signer
from passmuster.text import Json, sha256

POPULATION = "population.jsonl"
ASSIGNMENTS = "assignments.jsonl"
DOSSIERS = "dossiers.jsonl"


@dataclass(frozen=True, slots=True)
class Batch:
    """A signed file of rows."""

    index: int
    """Position of its statement in the log."""
    kind: str
    """decisions, own or countersign."""
    principal: str
    """Who signed it, in lower case as reviewers are."""
    file: str
    fingerprint: str = ""
    """The key that signed it."""
    person: str = ""
    """Who that is by the roster (`seconds.Signer`)."""
    is_robot: bool = False
    is_void: bool = False
    """Its rows count for nothing (`roster.judge`)."""
    is_emergency: bool = False
    """A stop outside the campaign of one of its items, on what was shown then."""

    @property
    def signer(self) -> Signer:
        """Who signed it, for the two-person rule."""
        return Signer(self.principal, self.fingerprint, self.person, self.is_robot)


@dataclass(frozen=True, slots=True)
class Ballot:
    """One row on an item, as it was signed."""

    batch: Batch
    leaf: str
    """Its name: the RFC 6962 leaf hash in hex."""
    row: Json


@dataclass(slots=True)
class Judged:
    """An item with everything that its outcome follows from."""

    uri: str
    dossier: Json
    population: bytes
    assignment: bytes
    line: bytes
    """The dossier as it was frozen."""
    first: tuple[str, str]
    """Who was asked at the opening, in lower case, and by which rule they were found."""
    reviewer: str
    """Who must decide it now."""
    outcome: Outcome
    ballots: list[Ballot]
    """Decision rows by the person who was asked at the time, and emergency stops, in log order."""
    ignored: list[Ballot] = field(default_factory=list)
    """Rows by somebody who was not asked: they count for nothing."""
    void: list[Ballot] = field(default_factory=list)
    """Rows of statements that are void: they count for nothing."""
    may: tuple[str, ...] | None = None
    """Who may be its second person, where its approval needs one."""
    seconds: list[Ballot] = field(default_factory=list)
    """Countersignatures by those, in log order; `outcome.seconds` names the ones that count."""
    after: Json | None = None
    """The dossier of its whole identity as the sources have it after the end of the review; only
    while a pack is written, and None where that is not known (`_after`)."""

    @property
    def final(self) -> dict[str, Ballot]:
        """The newest decision row of each person, which is the one that counts."""
        return {ballot.batch.principal: ballot for ballot in self.ballots}


class _Cursor:
    """The next row of a batch; its file is not held open, since there may be very many."""

    def __init__(self, files: Files, batch: Batch) -> None:
        self._files, self.batch = files, batch
        self._offset, self._number = 0, 0
        self.head: Ballot | None = None
        self.advance()

    def advance(self) -> None:
        line = next(lines(self._files, self.batch.file, self._offset), None)
        if line is None:
            self.head = None
            return
        self._offset += len(line) + 1
        self._number += 1
        where = f"{self.batch.file} line {self._number}"
        row = parsed(line, where)
        check_row(self.batch.kind, row, where)
        self.head = Ballot(self.batch, merkle.leaf_hash(line).hex(), row)


def walk(
    files: Files, campaign: str, batches: Sequence[Batch], second: Policy | None = None
) -> Iterator[Judged]:
    """Every item in the order of the population (folder *campaign*), judged from its rows.

    *second* is the campaign's two-person rule.

    Raises VerificationFailed when the files are not about the same items, when a row is about
    no item or out of order, or when it was made on other evidence than was frozen.
    """
    waiting: dict[str, list[_Cursor]] = {}
    for batch in batches:
        _wait(waiting, _Cursor(files, batch))
    names = [f"{campaign}/{name}" for name in (POPULATION, ASSIGNMENTS, DOSSIERS)]
    for number, parts in enumerate(zip_longest(*(lines(files, name) for name in names)), 1):
        for name, part in zip(names, parts, strict=True):
            if part is None:
                raise VerificationFailed(f"{name}: ends before line {number}: items are missing")
        population, assignment, line = parts
        where = f"line {number} of {campaign}"
        yield _judge(population, assignment, line, where, waiting, second)
    for uri, cursors in waiting.items():
        raise VerificationFailed(
            f"{cursors[0].batch.file}: a row on {uri}, which is no item or out of order"
        )


def _wait(waiting: dict[str, list[_Cursor]], cursor: _Cursor) -> None:
    if cursor.head is not None:
        waiting.setdefault(cursor.head.row["item"], []).append(cursor)


def _judge(
    population: bytes, assignment: bytes, line: bytes, where: str,
    waiting: dict[str, list[_Cursor]], second: Policy | None,
) -> Judged:  # fmt: skip
    item, asked = parsed(population, where), parsed(assignment, where)
    dossier = parsed(line, where)
    uri = item.get("item")
    if not isinstance(uri, str) or asked.get("item") != uri or dossier.get("uri") != uri:
        raise VerificationFailed(f"{where}: population, assignments and dossiers differ")
    if sha256(line) != item.get("dossier"):
        raise VerificationFailed(f"{where}: the dossier of {uri} is not the one that was frozen")
    ballots: list[Ballot] = []
    for cursor in waiting.pop(uri, []):
        assert cursor.head is not None
        ballots.append(cursor.head)
        cursor.advance()
        # of several who decided it, a second person countersigns each
        while cursor.batch.kind == "countersign" and cursor.head and cursor.head.row["item"] == uri:
            ballots.append(cursor.head)
            cursor.advance()
        _wait(waiting, cursor)
    ballots.sort(key=lambda b: (b.batch.index, b.leaf))
    for ballot in (b for b in ballots if not b.batch.is_emergency):
        for part in ("dossier", "material"):
            if ballot.row.get(part, item.get(part)) != item.get(part):
                raise VerificationFailed(f"{ballot.batch.file}: {uri} was decided on other "
                                         f"evidence ({part}) than was frozen")  # fmt: skip
    reviewer = str(asked.get("reviewer"))
    judged = Judged(
        uri, dossier, population, assignment, line, (reviewer.lower(), str(asked.get("assigned"))),
        reviewer, Outcome(uri, "no_response", None, (), ()), [],
    )  # fmt: skip
    if second is not None and seconds.needs(second, dossier):
        judged.may = seconds.may(second, dossier)
    _count(judged, ballots)
    return judged


def _count(judged: Judged, ballots: list[Ballot]) -> None:
    """Fold the rows of those who were asked, each while it was theirs to decide."""
    asked = {judged.reviewer}
    judged.void = [b for b in ballots if b.batch.is_void]
    live = [b for b in ballots if not b.batch.is_void]
    countersigned = [b for b in live if b.batch.kind == "countersign"]
    for ballot in (b for b in live if b.batch.kind != "countersign"):
        if ballot.batch.is_emergency:
            judged.ballots.append(ballot)
        elif ballot.batch.principal != judged.reviewer:
            judged.ignored.append(ballot)
        elif ballot.batch.kind == "decisions":
            judged.ballots.append(ballot)
        elif ballot.row["reviewer"] is not None:
            judged.reviewer = ballot.row["reviewer"]
            asked.add(judged.reviewer)
    said = [_second(judged, ballots, ballot) for ballot in countersigned]
    votes = [_vote(judged.uri, ballot) for ballot in judged.ballots]
    needed = {} if judged.may is None else {judged.uri: judged.may}
    judged.outcome = outcomes.fold(votes, {judged.uri: asked}, said, needed)[judged.uri]


def _second(judged: Judged, ballots: list[Ballot], ballot: Ballot) -> Second:
    """A countersignature, once it is on a row that is here; sorted by whether it may count."""
    row = next((b for b in ballots if b.batch.kind == "decisions"
                and b.leaf == ballot.row["row"]), None)  # fmt: skip
    if judged.may is None or row is None:
        what = "needs no second person" if judged.may is None else "has no such row"
        raise VerificationFailed(f"{ballot.batch.file}: {judged.uri} {what}")
    counts = seconds.counts(ballot.batch.signer, row.batch.signer, judged.may)
    (judged.seconds if counts else judged.ignored).append(ballot)
    return Second(
        row.leaf, ballot.leaf, ballot.batch.signer, ballot.row["verdict"], ballot.batch.index,
        tuple(ballot.row["saw"]),
    )  # fmt: skip


def _vote(uri: str, ballot: Ballot) -> Vote:
    row = ballot.row
    changes = tuple((c["verb"], c["target"]) for c in row["changes"])
    return Vote(
        uri, ballot.leaf, ballot.batch.principal, row["verdict"], row["until"], changes,
        ballot.batch.index, *ballot.batch.signer[1:], tuple(row["saw"]), ballot.batch.is_emergency,
    )  # fmt: skip
