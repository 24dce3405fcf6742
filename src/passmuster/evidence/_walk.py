"""From the signed files of a pack to the outcome of each item, one item at a time.

Population, assignments and dossiers stand in the same order, and so do the rows inside each
batch (a sign-off takes its drafts in the order of the population). So one pass over all of them
suffices, whatever the number of items. Pack and check use this very pass: an outcome in a pack
never comes from anywhere but its signed rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from passmuster import merkle, outcomes
from passmuster.errors import VerificationFailed
from passmuster.evidence._files import Files, lines, parsed
from passmuster.model import CHANGE_VERBS
from passmuster.outcomes import EFFECTS, TAKES_CHANGES, Outcome, Vote
from passmuster.text import Json, sha256

DECISION_FIELDS = frozenset((
    "item", "dossier", "material", "verdict", "changes", "until", "reason", "saw", "attention",
    "bulk", "salt", "stage", "capacity", "on_behalf_of", "relation_to_item", "actor_kind",
    "recommendation", "carried_from", "exception",
))  # fmt: skip
OWN_FIELDS = frozenset(("item", "dossier", "owner", "role", "evidence", "reviewer", "salt"))
POPULATION = "population.jsonl"
ASSIGNMENTS = "assignments.jsonl"
DOSSIERS = "dossiers.jsonl"


@dataclass(frozen=True, slots=True)
class Batch:
    """A signed file of rows."""

    index: int
    """Position of its statement in the log."""
    kind: str
    """decisions or own."""
    principal: str
    """Who signed it, in lower case as reviewers are."""
    file: str


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
    reviewer: str
    """Who must decide it now."""
    outcome: Outcome
    ballots: list[Ballot]
    """Decision rows by the person who was asked at the time, in log order."""
    ignored: list[Ballot] = field(default_factory=list)
    """Rows by somebody who was not asked: they count for nothing."""


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


def check_row(kind: str, row: Json, where: str) -> None:
    """Refuse a row with other fields or values than version 1 has: none is guessed at."""
    if row.keys() != (DECISION_FIELDS if kind == "decisions" else OWN_FIELDS):
        raise VerificationFailed(f"{where}: has other fields than a row of {kind}")
    if kind == "own":
        if not isinstance(row["reviewer"], str | None):
            raise VerificationFailed(f"{where}: its reviewer is no text")
        return
    until, changes = row["until"], row["changes"]
    if not isinstance(until, str | None) or (row["verdict"], until is not None) not in EFFECTS:
        raise VerificationFailed(f"{where}: no verdict {row['verdict']!r} until {until!r}")
    if not isinstance(changes, list) or (changes and row["verdict"] not in TAKES_CHANGES):
        raise VerificationFailed(f"{where}: {row['verdict']} takes no changes")
    for change in changes:
        if (
            not isinstance(change, dict)
            or change.keys() - {"to", "by"} != {"verb", "target"}
            or change["verb"] not in CHANGE_VERBS
        ):
            raise VerificationFailed(f"{where}: no such change: {change}")


def walk(files: Files, campaign: str, batches: Sequence[Batch]) -> Iterator[Judged]:
    """Every item in the order of the population (folder *campaign*), judged from its rows.

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
        yield _judge(population, assignment, line, f"line {number} of {campaign}", waiting)
    for uri, cursors in waiting.items():
        raise VerificationFailed(
            f"{cursors[0].batch.file}: a row on {uri}, which is no item or out of order"
        )


def _wait(waiting: dict[str, list[_Cursor]], cursor: _Cursor) -> None:
    if cursor.head is not None:
        waiting.setdefault(cursor.head.row["item"], []).append(cursor)


def _judge(
    population: bytes, assignment: bytes, line: bytes, where: str,
    waiting: dict[str, list[_Cursor]],
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
        _wait(waiting, cursor)
    ballots.sort(key=lambda b: (b.batch.index, b.leaf))
    for ballot in ballots:
        for part in ("dossier", "material"):
            if ballot.row.get(part, item.get(part)) != item.get(part):
                raise VerificationFailed(f"{ballot.batch.file}: {uri} was decided on other "
                                         f"evidence ({part}) than was frozen")  # fmt: skip
    judged = Judged(
        uri, dossier, population, assignment, line, str(asked.get("reviewer")),
        Outcome(uri, "no_response", None, (), ()), [],
    )  # fmt: skip
    _count(judged, ballots)
    return judged


def _count(judged: Judged, ballots: list[Ballot]) -> None:
    """Fold the rows of those who were asked, each while it was theirs to decide."""
    asked = {judged.reviewer}
    for ballot in ballots:
        if ballot.batch.principal != judged.reviewer:
            judged.ignored.append(ballot)
        elif ballot.batch.kind == "decisions":
            judged.ballots.append(ballot)
        elif ballot.row["reviewer"] is not None:
            judged.reviewer = ballot.row["reviewer"]
            asked.add(judged.reviewer)
    votes = [_vote(judged.uri, ballot) for ballot in judged.ballots]
    judged.outcome = outcomes.fold(votes, {judged.uri: asked})[judged.uri]


def _vote(uri: str, ballot: Ballot) -> Vote:
    row = ballot.row
    changes = tuple((c["verb"], c["target"]) for c in row["changes"])
    return Vote(
        uri, ballot.leaf, ballot.batch.principal, row["verdict"], row["until"], changes,
        ballot.batch.index,
    )  # fmt: skip
