"""The signed rows of a campaign as votes: whose count, and which came too late.

A row counts while the item was its signer's to decide, in the order of the log. What a campaign's
end does not name (`heads` of the close statement) came after it, wherever it stands in this log:
somebody signed it without a network, and it is kept and counts for nothing.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from passmuster import blobs, tlog
from passmuster.store import Database
from passmuster.text import strict_json

if TYPE_CHECKING:
    from passmuster.attestations import Attestation
    from passmuster.outcomes import Vote

HEADS = "heads"
"""In `ext` of the close statement of a campaign that travels: digest of a file of all heads."""

_VOTES = (
    "SELECT d.uri, d.leaf, d.principal, d.verdict, d.until, d.changes, d.entry_id,"
    " json_extract(d.row, '$.saw'), i.reviewer FROM decision d JOIN item i ON i.id = d.item_id"
)


_URGENT = (
    "SELECT g.uri, g.leaf, g.principal, g.verdict, NULL, '[]', g.entry_id,"
    " json_extract(g.row, '$.saw') FROM emergency g CROSS JOIN item i ON i.campaign_id = ?1"
    " AND i.uri = g.uri WHERE g.entry_id > (SELECT id FROM entry WHERE statement = ?2) AND "
)
_BETWEEN = "i.id BETWEEN ?3 AND ?4 AND +i.campaign_id = ?1"
"""Emergency stops of items, from the opening of their campaign on."""


class Votes:
    """The votes of a campaign; whose the items were and what counts for nothing is read once."""

    def __init__(self, db: Database, campaign_id: int, digest: str) -> None:
        self.db, self._campaign = db, (campaign_id, digest)
        self.asked, self._out = Asked(db, campaign_id, digest), _uncounted(db, digest)

    def on(self, item_id: int) -> "list[Vote]":
        """Those of one item."""
        return self._of("i.id = ?3", item_id)

    def between(self, first: int, last: int) -> "list[Vote]":
        """Those of the items from *first* to *last*."""
        return self._of(_BETWEEN, first, last)

    def _of(self, where: str, *values: int) -> "list[Vote]":
        """Those that *where* chooses, in log order."""
        bound = (*self._campaign, *values)
        rows = self.db.execute(f"{_VOTES} WHERE {where} ORDER BY d.entry_id, d.leaf", bound)
        found = [
            _vote(row) for *row, reviewer in rows
            if row[6] not in self._out and self.asked.at(row[0], reviewer, row[6]) == row[2]
        ]  # fmt: skip
        urgent = self.db.execute(_URGENT + where, bound)
        stops = [_vote(row, emergency=True) for row in urgent if row[6] not in self._out]
        return sorted([*found, *stops], key=lambda v: (v.order, v.leaf)) if stops else found


def _vote(row: Sequence[Any], *, emergency: bool = False) -> "Vote":
    from passmuster.outcomes import Vote

    changes = tuple((c["verb"], c["target"]) for c in json.loads(row[5]))
    uri, leaf, principal, verdict, until, _, order, saw = row
    return Vote(
        uri, leaf, principal, verdict, until, changes, order, saw=tuple(json.loads(saw)),
        emergency=emergency,
    )  # fmt: skip


def asked(db: Database, digest: str) -> "Asked":
    """Who had to decide the items of the campaign *digest*, and when, as it was at the time: what
    became void later had its effect.
    """
    campaign_id = db.value("SELECT id FROM campaign WHERE digest = ?", (digest,)) or 0
    return Asked(db, campaign_id, digest, late(db, digest))


class Asked:
    """Who had to decide an item, and from when on, where items were handed over."""

    def __init__(
        self, db: Database, campaign_id: int, digest: str, uncounted: frozenset[int] | None = None
    ) -> None:
        """Reads the statements that hand over, if an item of the campaign was.

        *uncounted* are entries that hand over nothing: those that count for nothing, if not given.
        """
        self.since: dict[str, list[tuple[int, str]]] = {}
        """URI → (entry, whose it was from then on), of items that were handed over."""
        first = dict(db.execute(
            "SELECT uri, first_reviewer FROM item WHERE campaign_id = ?"
            " AND first_reviewer IS NOT NULL", (campaign_id,),
        ))  # fmt: skip
        if not first:
            return
        known = tlog.known_keys(db)
        out = _uncounted(db, digest) if uncounted is None else uncounted
        for entry in tlog.entries(db, digest):
            if entry.kind == "own" and entry.id not in out:
                self._hand_over(db, entry, first, known)

    def _hand_over(
        self, db: Database, entry: tlog.Entry, first: Mapping[str, str], known: dict[str, str]
    ) -> None:
        for row in rows_of(db, entry.envelope, known):
            held = self.since.get(row["item"], [(0, first.get(row["item"], ""))])
            if row["reviewer"] is not None and held[-1][1] == entry.principal.lower():
                self.since[row["item"]] = [*held, (entry.id, row["reviewer"])]

    def at(self, uri: str, reviewer: str, order: int) -> str:
        """Whose the item was at *order* in the log; *reviewer* is whose it is now."""
        held = self.since.get(uri)
        if held is None:
            return reviewer
        return next(who for since, who in reversed(held) if since < order)

    def ever(self, uri: str) -> set[str]:
        """Everybody whose it was, where it was handed over."""
        return {who for _, who in self.since.get(uri, ())}


def rows_of(db: Database, envelope: bytes, known: dict[str, str]) -> list[Any]:
    """The rows of a signed batch whose file is kept here."""
    from passmuster import attestations

    ((_, digest),) = attestations.verify(envelope, known).subject
    return [strict_json(line) for line in blobs.get(db, digest).splitlines()]


def late(db: Database, digest: str) -> frozenset[int]:
    """Entries with rows that the end of the campaign does not name: they count for nothing in it.

    Emergencies among them: what was stopped after the end is no part of the review.
    """
    from passmuster import attestations

    ended = db.value(
        "SELECT envelope FROM entry WHERE campaign = ? AND predicate = 'close' ORDER BY id",
        (digest,),
    )
    if ended is None:
        return frozenset()
    known = heads_of(db, attestations.unchecked(bytes(ended)))
    return frozenset(
        index for index, device, seq in db.execute(
            "SELECT id, device, seq FROM entry WHERE campaign = ?"
            " AND predicate IN ('decisions', 'own', 'countersign')"
            " UNION ALL SELECT id, device, seq FROM entry WHERE campaign IS NULL"
            " AND predicate = 'decisions'", (digest,),
        ) if seq > known.get(device, 0)
    )  # fmt: skip


def _uncounted(db: Database, digest: str) -> frozenset[int]:
    """Entries of a campaign that count for nothing: too late, or void."""
    return late(db, digest) | tlog.voids(db).keys()


def heads_of(db: Database, end: "Attestation") -> dict[str, int]:
    """Device → its last statement that the close statement *end* names."""
    heads = list(end.predicate["heads"])
    if more := end.predicate["ext"].get(HEADS):
        heads += [strict_json(line) for line in blobs.get(db, more).splitlines()]
    return {head["device"]: head["seq"] for head in heads}
