"""Whose decision asks for a remediation, and why: for a person who looks at one."""

import json
from typing import NamedTuple

from passmuster.remediation._remedy import Remedy
from passmuster.store import Database


class Because(NamedTuple):
    """One decision that asks for it."""

    who: str
    verdict: str
    reason: str
    at: str
    campaign: str | None
    """None: an emergency."""
    until: str | None = None
    """An approval's last day."""


def because(db: Database, one: Remedy) -> list[Because]:
    """Whose decision it is, and why; none where the decision has not come here yet."""
    if "emergency" in one.basis:
        rows = db.execute(
            "SELECT g.principal, g.verdict, g.reason, g.decided_at, NULL FROM emergency g"
            " JOIN entry e ON e.id = g.entry_id WHERE e.statement = ? AND g.uri = ?",
            (one.basis["emergency"], one.uri),
        )  # fmt: skip
    else:
        rows = db.execute(
            "SELECT d.principal, d.verdict, d.reason_text, d.decided_at, c.name, d.until"
            " FROM decision d JOIN item i ON i.id = d.item_id"
            " JOIN campaign c ON c.id = i.campaign_id"
            " WHERE d.leaf IN (SELECT value FROM json_each(?)) ORDER BY d.entry_id, d.leaf",
            (json.dumps(one.basis["decisions"]),),
        )  # fmt: skip
    return [Because(*row) for row in rows.fetchall()]
