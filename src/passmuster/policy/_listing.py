"""The one narrow row per identity that every list screen reads.

Derived from inventory and findings, rebuilt as a whole and written only where it differs, so that
a second evaluation touches few pages.
"""

import json

from passmuster.policy._risk import RISK_SQL, SEVERITY_SQL
from passmuster.policy._rulebook import load_rules
from passmuster.store import Database

_COLUMNS = (
    "identity_id", "risk", "findings", "reasons", "severity", "name", "owner", "kind", "source",
    "status", "environment", "supplier", "is_privileged", "last_used_at", "last_used_state",
    "owner_state", "absent_since",
)  # fmt: skip

# The bit of a rule is its place among the rule ids (`load_rules`). SQLite has no OR over a group;
# the sum of distinct powers of two is one.
_SCORE = f"""
INSERT INTO aside.score
SELECT identity_id, {RISK_SQL}, count(*), sum(DISTINCT b.bit), {SEVERITY_SQL}
FROM finding JOIN aside.rule_bit b USING (rule)
WHERE cleared_at IS NULL
GROUP BY identity_id
"""

# The one to show of several owners: known before unknown, assigned before guessed, owner before
# other roles, then the one that came first. min() makes SQLite take the other columns of that row.
_HOLDER = """
INSERT INTO aside.holder
SELECT o.identity_id,
    coalesce(p.email, p.display_name, t.display_name, o.person_uid, o.team_uid, o.handle),
    CASE WHEN o.person_uid IS NULL AND o.team_uid IS NULL THEN 'unmatched' ELSE 'known' END
FROM (
    SELECT identity_id, person_uid, team_uid, handle, min(
        (person_uid IS NULL AND team_uid IS NULL) * 8000000000000000
        + CASE origin WHEN 'assigned' THEN 0 WHEN 'import' THEN 1 ELSE 2 END * 2000000000000000
        + (role <> 'owner') * 1000000000000000 + id)
    FROM owner
    WHERE absent_since IS NULL AND identity_id IS NOT NULL
    GROUP BY identity_id) o
LEFT JOIN person p ON p.id = (SELECT min(id) FROM person WHERE uid = o.person_uid)
LEFT JOIN team t ON t.id = (SELECT min(id) FROM team WHERE uid = o.team_uid)
"""

_FILL = f"""
INSERT INTO listing ({", ".join(_COLUMNS)})
SELECT i.id, coalesce(f.risk, 0), coalesce(f.findings, 0), coalesce(f.reasons, 0), f.severity,
    i.display_name, h.owner, i.kind, coalesce(s.name, s.uid), i.status,
    coalesce(i.environment, s.environment), i.supplier, i.is_privileged, i.last_used_at,
    i.last_used_state, h.state, i.absent_since
FROM identity i JOIN source s ON s.id = i.source_id
    LEFT JOIN aside.score f ON f.identity_id = i.id
    LEFT JOIN aside.holder h ON h.identity_id = i.id
WHERE i.id BETWEEN ? AND ?
ORDER BY i.id
ON CONFLICT (identity_id) DO UPDATE SET
    {", ".join(f"{c} = excluded.{c}" for c in _COLUMNS[1:])}
WHERE ({", ".join(_COLUMNS[1:])}) IS NOT ({", ".join(f"excluded.{c}" for c in _COLUMNS[1:])})
"""

_SCRATCH = {
    "score": "identity_id INTEGER PRIMARY KEY, risk, findings, reasons, severity",
    "holder": "identity_id INTEGER PRIMARY KEY, owner, state",
    "rule_bit": "rule TEXT PRIMARY KEY, bit INTEGER",
}


def rebuild(db: Database) -> None:
    """Bring `listing` in line with the inventory and the open findings."""
    for name, columns in _SCRATCH.items():
        db.execute(f"DROP TABLE IF EXISTS aside.{name}")
        db.execute(f"CREATE TABLE aside.{name} ({columns})")
    db.execute(
        "INSERT INTO aside.rule_bit SELECT value, 1 << key FROM json_each(?)",
        (json.dumps(list(load_rules())),),
    )
    db.execute(_SCORE)
    db.execute(_HOLDER)
    db.execute("DELETE FROM listing WHERE identity_id NOT IN (SELECT id FROM identity)")
    for span in db.spans("identity"):
        db.execute(_FILL, span)
    for name in _SCRATCH:
        db.execute(f"DROP TABLE aside.{name}")


def rules_of(reasons: int) -> list[str]:
    """The ids of the rules whose bits are set in a `listing.reasons`."""
    return [rule for bit, rule in enumerate(load_rules()) if reasons >> bit & 1]
