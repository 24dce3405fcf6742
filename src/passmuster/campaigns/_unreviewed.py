"""Emergency stops that nobody has reviewed: what `muster revoke --pending` and the screen list.

Reviewed is what a campaign decided afterwards, on the thing itself or, where a credential was
stopped, on its whole identity: a row that was decided later. An abstention decides nothing. The
rule `emergency-unreviewed` says the same in SQL.
"""

from typing import NamedTuple

from passmuster.store import Database


class Unreviewed(NamedTuple):
    """One emergency stop that waits for its review."""

    leaf: str
    entry_id: int
    statement: str
    uri: str
    identity_id: int | None
    """None where the inventory here does not have it."""
    name: str
    """What people call it: the identity, and which credential of it."""
    source: str
    verdict: str
    reason: str
    ticket: str | None
    principal: str
    decided_at: str
    restore_due: str | None
    """When it was to be given back; nothing does that by itself."""

    def is_due(self, now: str) -> bool:
        """Whether it is time to give it back."""
        return self.restore_due is not None and self.restore_due <= now


SQL = """
WITH found AS (
    SELECT g.*, e.statement, s.name AS called, CASE g.kind WHEN 'identity' THEN
        (SELECT y.id FROM identity y WHERE y.source_id = s.id AND y.uid = g.uid) ELSE
        (SELECT c.identity_id FROM credential c WHERE c.source_id = s.id AND c.uid = g.uid) END
        AS identity_id
    FROM emergency g JOIN entry e ON e.id = g.entry_id LEFT JOIN source s ON s.uid = g.source
    WHERE g.entry_id NOT IN (SELECT entry_id FROM void_entry))
SELECT x.leaf, x.entry_id, x.statement, x.uri, x.identity_id,
    CASE WHEN x.kind = 'credential' THEN x.uid || coalesce(' of ' || y.display_name, '')
        ELSE coalesce(y.display_name, x.uid) END,
    coalesce(x.called, x.source), x.verdict, x.reason, x.ticket, x.principal, x.decided_at,
    x.restore_due
FROM found x LEFT JOIN identity y ON y.id = x.identity_id
WHERE NOT EXISTS (
    SELECT 1 FROM decision d
    WHERE d.verdict <> 'abstain' AND d.entry_id > x.entry_id
        AND (d.uri = x.uri OR (x.kind = 'credential' AND d.identity_id = x.identity_id
            AND instr(d.uri, '/identity/') > 0))
        AND d.decided_at > x.decided_at
        AND d.entry_id NOT IN (SELECT entry_id FROM void_entry))
ORDER BY x.entry_id
"""


def unreviewed(db: Database) -> list[Unreviewed]:
    """Every emergency stop that waits for its review, the oldest first; no void one."""
    return [Unreviewed(*row) for row in db.execute(SQL)]
