"""Which stops the signed decisions ask for now: what is planned from, never stored.

Of one thing only the newest campaign that came to something counts, as in the rule `reactivated`:
what was approved since is not stopped for an older decision. What people still have to agree on
(contested, awaiting a second person, objected) asks for nothing yet.
"""

import json
from collections.abc import Iterator
from typing import Any

from passmuster import campaigns
from passmuster.campaigns import Campaign
from passmuster.outcomes import Outcome
from passmuster.remediation._remedy import Wanted
from passmuster.store import Database

SETTLED = frozenset({"stands", "stands_until", "stops"})
SILENT = frozenset({"no_response", "abstained"})
Found = tuple[int, Campaign, Outcome]


def wanted(db: Database) -> Iterator[Wanted]:
    """What the decisions of all campaigns ask for, in the order of the items."""
    newest: dict[str, Found] = {}
    for at in campaigns.campaigns(db):
        for uri, outcome in campaigns.outcomes_of(db, at).items():
            if outcome.effect in SILENT:
                continue
            order = _order(db, outcome)
            if uri not in newest or order >= newest[uri][0]:
                newest[uri] = (order, at, outcome)
    for uri in sorted(newest):
        _, at, outcome = newest[uri]
        if outcome.effect in SETTLED and outcome.remediations:
            yield from _of(db, at, outcome)


def _order(db: Database, outcome: Outcome) -> int:
    marks = ", ".join("?" * len(outcome.leaves))
    found = db.value(f"SELECT max(entry_id) FROM decision WHERE leaf IN ({marks})", outcome.leaves)
    return int(found or 0)


def _of(db: Database, at: Campaign, outcome: Outcome) -> Iterator[Wanted]:
    item = db.one(
        "SELECT i.identity_id, i.subject_id, i.needs_second, s.uid FROM item i"
        " JOIN identity y ON y.id = i.identity_id JOIN source s ON s.id = y.source_id"
        " WHERE i.campaign_id = ? AND i.uri = ?", (at.id, outcome.uri),
    )  # fmt: skip
    identity_id, subject_id, needs_second, source = item
    rows = _rows(db, outcome)
    kind = db.value("SELECT item_kind FROM campaign WHERE id = ?", (at.id,))
    for verb, part in outcome.remediations:
        asking = [r for r in rows if (r[1] == verb if part is None else _change(r, verb, part))]
        yield Wanted(
            outcome.uri, identity_id, source, kind, subject_id, verb, part,
            max(r[3] for r in asking), tuple(r[0] for r in asking), at.digest,
            due=min(filter(None, (_due(r, verb, part) for r in asking)), default=None),
            needs_second=bool(needs_second), seconded=_seconded(db, outcome),
        )  # fmt: skip


def _rows(db: Database, outcome: Outcome) -> list[tuple[str, str, list[Any], str]]:
    marks = ", ".join("?" * len(outcome.leaves))
    return [
        (leaf, verdict, json.loads(changes), decided_at)
        for leaf, verdict, changes, decided_at in db.execute(
            "SELECT leaf, verdict, changes, decided_at FROM decision"
            f" WHERE leaf IN ({marks}) ORDER BY entry_id, leaf", outcome.leaves,
        )
    ]  # fmt: skip


def _change(row: tuple[str, str, list[Any], str], verb: str, part: str) -> Any:
    return next((c for c in row[2] if (c["verb"], c["target"]) == (verb, part)), None)


def _due(row: tuple[str, str, list[Any], str], verb: str, part: str | None) -> str | None:
    found = None if part is None else _change(row, verb, part)
    return found["by"] if found else None


def _seconded(db: Database, outcome: Outcome) -> bool:
    """Whether a second person concurred with a row that counts, and nobody objected."""
    marks = ", ".join("?" * len(outcome.seconds))
    said = [row[0] for row in db.execute(
        f"SELECT verdict FROM countersignature WHERE leaf IN ({marks})", outcome.seconds
    )]  # fmt: skip
    return "concur" in said and "object" not in said
