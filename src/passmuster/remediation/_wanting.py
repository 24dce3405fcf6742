"""Which stops the signed decisions ask for now: what is planned from, never stored.

Of one thing only the newest campaign that came to something counts, as in the rule `reactivated`:
what was approved since is not stopped for an older decision. What is contested asks for nothing
yet; an approval that a second person has not agreed to asks for the changes to its parts, which
only take away (`docs/decisions.md`). An approval until a day asks for a stop of its own (`end`)
once that day is past.
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from passmuster import campaigns
from passmuster.campaigns import Campaign
from passmuster.outcomes import ENDS, Outcome, has_ended
from passmuster.remediation._remedy import Wanted
from passmuster.remediation._urgent import urgent
from passmuster.store import Database
from passmuster.text import Json

SETTLED = frozenset({"stands", "stands_until", "stops", "awaiting_second", "objected"})
SILENT = frozenset({"no_response", "abstained"})


def wanted(db: Database, now: str) -> Iterator[Wanted]:
    """What emergencies ask for, and the decisions of all campaigns in the order of the items."""
    yield from urgent(db)
    each = [(at, campaigns.outcomes_of(db, at)) for at in campaigns.campaigns(db)]
    asked = [
        (uri, at, outcome) for at, outcomes in each for uri, outcome in outcomes.items()
        if outcome.effect in SETTLED and _verbs(outcome, now)
    ]  # fmt: skip
    for uri, at, outcome in sorted(asked, key=lambda found: (found[0], found[1].id)):
        others = [o[uri] for other, o in each if other.id != at.id and uri in o]
        if not _superseded(db, outcome, others):
            yield from _of(db, at, outcome, now)


def _verbs(outcome: Outcome, now: str) -> list[tuple[str, str | None]]:
    ends = [(ENDS, None)] if has_ended(outcome, now) else []
    return [*outcome.remediations, *ends]


def _superseded(db: Database, outcome: Outcome, others: Sequence[Outcome]) -> bool:
    """Whether another campaign came to something on the same thing since."""
    spoken = [other for other in others if other.effect not in SILENT]
    return bool(spoken) and max(map(partial(_order, db), spoken)) > _order(db, outcome)


def _order(db: Database, outcome: Outcome) -> int:
    marks = ", ".join("?" * len(outcome.leaves))
    found = db.value(
        f"SELECT max(entry_id) FROM (SELECT entry_id FROM decision WHERE leaf IN ({marks})"
        f" UNION ALL SELECT entry_id FROM emergency WHERE leaf IN ({marks}))",
        (*outcome.leaves, *outcome.leaves),
    )
    return int(found or 0)


def _of(db: Database, at: Campaign, outcome: Outcome, now: str) -> Iterator[Wanted]:
    item = db.one(
        "SELECT i.identity_id, i.subject_id, i.needs_second, s.uid FROM item i"
        " JOIN identity y ON y.id = i.identity_id JOIN source s ON s.id = y.source_id"
        " WHERE i.campaign_id = ? AND i.uri = ?", (at.id, outcome.uri),
    )  # fmt: skip
    identity_id, subject_id, needs_second, source = item
    rows = _rows(db, outcome)
    kind = db.value("SELECT item_kind FROM campaign WHERE id = ?", (at.id,))
    for verb, part in _verbs(outcome, now):
        asking = [r for r in rows if _asks(r, verb, part, outcome.until)]
        if not asking:  # an emergency alone, which asks for itself (`urgent`)
            continue
        yield Wanted(
            outcome.uri, identity_id, source, kind, subject_id, verb, part,
            max(r.decided_at for r in asking), tuple(r.leaf for r in asking), at.digest,
            due=min(filter(None, (_due(r, verb, part) for r in asking)), default=None),
            needs_second=bool(needs_second), seconded=_seconded(db, outcome),
        )  # fmt: skip


class _Row(NamedTuple):
    """A decision that counts."""

    leaf: str
    verdict: str
    changes: list[Json]
    decided_at: str
    until: str | None


def _rows(db: Database, outcome: Outcome) -> list[_Row]:
    marks = ", ".join("?" * len(outcome.leaves))
    return [
        _Row(leaf, verdict, json.loads(changes), decided_at, until)
        for leaf, verdict, changes, decided_at, until in db.execute(
            "SELECT leaf, verdict, changes, decided_at, until FROM decision"
            f" WHERE leaf IN ({marks}) ORDER BY entry_id, leaf", outcome.leaves,
        )
    ]  # fmt: skip


def _asks(row: _Row, verb: str, part: str | None, until: str | None) -> bool:
    if part is not None:
        return _change(row, verb, part) is not None
    return row.until == until if verb == ENDS else row.verdict == verb


def _change(row: _Row, verb: str, part: str) -> Json | None:
    return next((c for c in row.changes if (c["verb"], c["target"]) == (verb, part)), None)


def _due(row: _Row, verb: str, part: str | None) -> str | None:
    if part is None:
        return row.until[:10] if verb == ENDS and row.until else None
    found = _change(row, verb, part)
    return found["by"] if found else None


def _seconded(db: Database, outcome: Outcome) -> bool:
    """Whether a second person concurred with a row that counts, and nobody objected."""
    marks = ", ".join("?" * len(outcome.seconds))
    said = [row[0] for row in db.execute(
        f"SELECT verdict FROM countersignature WHERE leaf IN ({marks})", outcome.seconds
    )]  # fmt: skip
    return "concur" in said and "object" not in said
