"""What one sign-off will sign, frozen: its rows on the disk, and what is read before signing.

A batch may have a million rows. They lie in a file without a name beside the workspace, which is
gone with the batch or with the process; in memory are counts, digests and the rows to be named.
"""

import hashlib
import heapq
import json
import os
import tempfile
import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from passmuster import merkle
from passmuster.attestations import Link
from passmuster.campaigns._countersigning import Countersign
from passmuster.campaigns._deciding import HIGH_RISK
from passmuster.model import Attention, Bulk, Change, Draft

SHOWN = 200
"""Rows of one kind that are held in memory to be named; the rest is counted."""
STOPS = ("revoke", "disable")
_READ = 1 << 18
"""Bytes that are read from the file at once."""


@dataclass(frozen=True, slots=True)
class Row:
    """One drafted decision in a batch, with what a person should read before signing."""

    item_id: int
    name: str
    display_name: str
    uri: str
    identity_id: int
    draft: Draft
    bytes: bytes
    """The canonical line that will be signed."""
    changed: list[str]
    """Parts of the evidence that changed since it was frozen."""
    risk: int

    @property
    def acts(self) -> bool:
        """Whether somebody's access is to change."""
        return self.draft.verdict in STOPS or bool(self.draft.changes)

    @property
    def risky(self) -> bool:
        """A plain approval of what is at high risk."""
        draft = self.draft
        return draft.verdict == "approve" and not draft.changes and self.risk >= HIGH_RISK


@dataclass(slots=True)
class Some:
    """The first of many rows, and how many there are."""

    count: int = 0
    first: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """One more."""
        self.count += 1
        if self.count <= SHOWN:
            self.first.append(row)


class Rows:
    """The rows of a batch in the order in which they are signed; added once, read at will.

    Reading is for any thread, as often as one likes; each time it reads the file anew.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - as long as the batch
        weakref.finalize(self, self._file.close)
        self.digest, self.tree = hashlib.sha256(), merkle.Frontier()
        """Of the file of rows, and over them."""
        self.size = 0
        self.verdicts = Counter[str]()
        self.silent = 0
        """Rows without a reason."""
        self.changed: list[Row] = []
        """Rows whose evidence changed since it was frozen; the statement names each."""
        self.acting = {verdict: Some() for verdict in (*STOPS, "approve")}
        """Rows that change somebody's access, by their verdict."""
        self.ends = Some()
        """Approvals until a day."""
        self.bulk: dict[str, tuple[Bulk, str]] = {}
        """Acts that decided many at once, with their verdict."""
        self.risky_count = 0
        self._risky: list[tuple[int, int, Row]] = []
        self.decided_from = self.decided_to = ""

    def add(self, row: Row) -> None:
        """One more, after all that are there."""
        head = json.dumps([row.name, row.display_name, row.uri, row.identity_id, row.changed,
                           row.risk])  # fmt: skip
        self._file.write(b"%d %b\n%b\n" % (row.item_id, head.encode(), row.bytes))
        self.digest.update(row.bytes + b"\n")
        self.tree.append(merkle.leaf_hash(row.bytes))
        self.size += 1
        decided = row.draft.attention.decided
        self.decided_from = min(self.decided_from or decided, decided)
        self.decided_to = max(self.decided_to, decided)
        self._tell(row)

    def _tell(self, row: Row) -> None:
        draft = row.draft
        self.verdicts[draft.verdict] += 1
        self.silent += not draft.reason_text.strip()
        if row.changed:
            self.changed.append(row)
        if row.acts:
            self.acting[draft.verdict].add(row)
        if draft.until:
            self.ends.add(row)
        if draft.bulk:
            self.bulk[draft.bulk.id] = (draft.bulk, draft.verdict)
        if row.risky:
            self.risky_count += 1
            keep = heapq.heappush if len(self._risky) < SHOWN else heapq.heappushpop
            keep(self._risky, (row.risk, -self.size, row))

    @property
    def risky(self) -> list[Row]:
        """Plain approvals of what is at high risk, the riskiest first; at most `SHOWN`."""
        return [row for *_, row in sorted(self._risky, reverse=True)]

    def that_act(self) -> list[Row]:
        """Every row that changes somebody's access, in order; for who carries it out."""
        if not any(some.count for some in self.acting.values()):
            return []
        return [row for row in self if row.acts]

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> Row:
        return next(islice(self, index, None))

    def ids(self) -> Iterator[int]:
        """The items, in the same order."""
        return (int(head.partition(b" ")[0]) for head in islice(self._lines(), 0, None, 2))

    def signed(self) -> Iterator[bytes]:
        """The lines that are signed, without their newlines."""
        return islice(self._lines(), 1, None, 2)

    def __iter__(self) -> Iterator[Row]:
        lines = self._lines()
        for head, line in zip(lines, lines, strict=True):
            item_id, _, rest = head.partition(b" ")
            name, display_name, uri, identity_id, changed, risk = json.loads(rest)
            yield Row(int(item_id), name, display_name, uri, identity_id, _draft(json.loads(line)),
                      line, changed, risk)  # fmt: skip

    def _lines(self) -> Iterator[bytes]:
        self._file.flush()
        at, rest = 0, b""
        while piece := os.pread(self._file.fileno(), _READ, at):
            at += len(piece)
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole


def _draft(row: dict[str, Any]) -> Draft:
    """The draft that a line of `decisions.jsonl` was made from."""
    return Draft(
        row["verdict"], row["reason"]["code"], row["reason"]["text"], Attention(**row["attention"]),
        row["until"], tuple(Change(**change) for change in row["changes"]),
        Bulk(**row["bulk"]) if row["bulk"] else None,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class OwnRow:
    """One drafted owner assignment in a batch."""

    item_id: int
    display_name: str
    owner: str
    reassign: bool
    reviewer: str | None
    """Who must decide the item from now on, when it is handed over."""
    bytes: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything that one sign-off will sign, frozen."""

    campaign_id: int
    campaign: str
    """The campaign statement's digest."""
    principal: str
    rows: Rows
    own: list[OwnRow]
    link: Link
    drafts: str
    """Digest of the drafts as they were read; signing fails if they differ by then."""
    undecided: int
    """Items of this reviewer that will still read `no_response`."""
    seconds: list[Countersign] = field(default_factory=list)
    """What this person countersigns as the second one."""

    @property
    def counts(self) -> dict[str, int]:
        """Rows by verdict."""
        return dict(self.rows.verdicts)

    @property
    def changed(self) -> Sequence[Row | Countersign]:
        """Rows whose evidence changed since it was frozen."""
        return [*self.rows.changed, *(row for row in self.seconds if row.changed)]


@dataclass(frozen=True, slots=True)
class Signed:
    """A sign-off that is in the log."""

    statements: list[str]
    """SHA-256 of each statement: decisions, owners, countersignatures, where there are any."""
    rows: Rows
    own: list[OwnRow]
    signed_at: str
    seconds: list[Countersign] = field(default_factory=list)

    @property
    def leaves(self) -> list[str]:
        """The names of the signed decisions, in their order."""
        return [merkle.leaf_hash(line).hex() for line in self.rows.signed()]
