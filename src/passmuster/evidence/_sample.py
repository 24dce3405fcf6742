"""A sample that anybody can draw again with sha256sum: nobody chose it, and nobody can bend it.

The items are ranked by `sha256(seed, newline, item)` in hex and the first are taken, of all or of
each outcome. Whoever decides may not choose the seed: an auditor gives it after the review, so
that no item could be treated well for being in the sample. The list does not depend on this
program (`docs/evidence.md` has the commands), nor on whether a pack or its workspace is asked.
"""

import hashlib
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from passmuster import attestations, blobs, campaigns, merkle, tlog
from passmuster.campaigns import Campaign
from passmuster.errors import VerificationFailed
from passmuster.evidence._files import Folder, json_lines, lines
from passmuster.evidence._tables import OUTCOMES
from passmuster.store import Database

PER = ("outcome",)
"""What a sample can be drawn of each of."""


@dataclass(slots=True)
class Pick:
    """An item of the sample, and where what is signed on it lies in a pack."""

    rank: str
    """The hash that it was taken by."""
    item: str
    outcome: str
    until: str | None
    reviewer: str
    line: int
    """Of the item in population, assignments, dossiers and outcomes, which have the same order."""
    leaves: list[str]
    """The decision rows that the outcome follows from, by their leaf hash."""
    rows: list[str] = field(default_factory=list)
    """`file:line` of each of these."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json` and CSV."""
        return asdict(self)


class _Known(NamedTuple):
    item: str
    outcome: str
    until: str | None
    reviewer: str
    line: int
    leaves: list[str]


def sample_pack(path: Path, count: int, seed: str, per: str | None = None) -> list[Pick]:
    """Draw *count* items, or that many *per* outcome, of the pack in *path*.

    Checks nothing but the form of the files: run `verify` on the pack first.
    """
    files = Folder(path)
    picked = _draw(_of_pack(files), count, seed, per)
    wanted = {leaf: pick for pick in picked for leaf in pick.leaves}
    for name in sorted(files.names()):
        if name.startswith("statements/") and name.endswith("-decisions/decisions.jsonl"):
            _place(wanted, name, lines(files, name))
    return picked


def sample_campaign(
    db: Database, at: Campaign, count: int, seed: str, per: str | None = None
) -> list[Pick]:
    """The same list from the workspace that the pack is written from."""
    picked = _draw(_of_campaign(db, at), count, seed, per)
    wanted = {leaf: pick for pick in picked for leaf in pick.leaves}
    known = tlog.known_keys(db)
    entries = (*tlog.entries(db, at.digest), *campaigns.emergencies_in(db, at))
    for entry in entries if wanted else ():
        if entry.kind == "decisions":
            name, digest = attestations.verify(entry.envelope, known).subject[0]
            folder = f"statements/{entry.id:06d}-decisions"
            _place(wanted, f"{folder}/{name}", blobs.lines(db, digest))
    return picked


def rank(seed: str, item: str) -> str:
    """What an item is ranked by; of a seed that is no UTF-8 the bytes as they were given."""
    return hashlib.sha256(f"{seed}\n{item}".encode("utf-8", "surrogateescape")).hexdigest()


def _draw(known: Iterable[_Known], count: int, seed: str, per: str | None) -> list[Pick]:
    """The *count* lowest of each kind; no more than these are held."""
    heaps: dict[str, list[tuple[int, int, Pick]]] = {}
    for one in known:
        number = rank(seed, one.item)
        heap = heaps.setdefault(one.outcome if per else "", [])
        entry = (-int(number, 16), -one.line, Pick(number, *one))
        if len(heap) < count:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)
    return [pick for kind in sorted(heaps) for *_, pick in sorted(heaps[kind], reverse=True)]


def _of_pack(files: Folder) -> Iterator[_Known]:
    for number, (_, row) in enumerate(json_lines(files, OUTCOMES), 1):
        try:
            yield _Known(row["item"], row["effect"], row["until"], row["reviewer"], number,
                         row["rows"])  # fmt: skip
        except KeyError as error:
            raise VerificationFailed(f"{OUTCOMES} line {number}: has no {error}") from None


def _of_campaign(db: Database, at: Campaign) -> Iterator[_Known]:
    reviewers = campaigns.items_in_order(db, at.id, "i.reviewer")
    each = zip(campaigns.each_outcome(db, at), reviewers, strict=True)
    for number, (outcome, (reviewer,)) in enumerate(each, 1):
        yield _Known(outcome.uri, outcome.effect, outcome.until, reviewer, number,
                     list(outcome.leaves))  # fmt: skip


def _place(wanted: dict[str, Pick], name: str, rows: Iterable[bytes]) -> None:
    """Say where the rows of *name* are that the sample asks for."""
    for number, row in enumerate(rows, 1):
        pick = wanted.get(merkle.leaf_hash(row).hex())
        if pick is not None:
            pick.rows.append(f"{name}:{number}")
