"""Read the findings, with what the rules say about them."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from passmuster import text
from passmuster.errors import UsageError
from passmuster.filters import FRAME, Compiled
from passmuster.policy._rulebook import SUBJECTS, load_rules
from passmuster.store import Database

_SUBJECT_UID = {
    "identity": "i.uid",
    "credential": "(SELECT x.uid FROM credential x WHERE x.id = f.subject_id)",
    "grant": "(SELECT x.entitlement_uid FROM grant x WHERE x.id = f.subject_id)",
    "trust": "(SELECT x.from_uid FROM trust x WHERE x.id = f.subject_id)",
}
_COLUMNS = (
    "rule", "severity", "subject_kind", "subject", "identity", "name", "kind", "source", "owner",
    "risk", "detail", "first_seen", "cleared_at",
)  # fmt: skip
_SELECT = (
    "SELECT f.rule, f.severity, f.subject_kind, CASE f.subject_kind "
    + " ".join(f"WHEN '{kind}' THEN {_SUBJECT_UID[kind]}" for kind in SUBJECTS)
    + " END, i.uid, i.display_name, i.kind, s.uid, l.owner, l.risk, f.detail, f.first_seen,"
    f" f.cleared_at {FRAME}"
)
_FEW = "JOIN finding f ON f.identity_id = i.id"
"""Of one rule or one identity: found by an index of their own and then sorted."""
# Down the listing, riskiest first, so that there is nothing to sort but one identity's findings.
_OPEN = "CROSS JOIN finding f ON f.identity_id = l.identity_id AND f.cleared_at IS NULL"
_ALL = (
    "CROSS JOIN finding f ON f.id IN (SELECT id FROM finding WHERE identity_id = l.identity_id"
    " AND cleared_at IS NULL UNION ALL SELECT id FROM aside.cleared"
    " WHERE identity_id = l.identity_id)"
)


def findings(
    db: Database,
    *,
    rule: str | None = None,
    severity: str | None = None,
    identity_id: int | None = None,
    where: Compiled | None = None,
    cleared: bool = False,
) -> Iterator[dict[str, Any]]:
    """Findings as dicts, riskiest identity first, read as they are asked for.

    *where* narrows by a filter over identities; *cleared* adds those that hold no longer. Each has
    the rule's title, why, fix and control ids. UsageError for a rule that does not exist.
    """
    rules = load_rules()
    if rule is not None and rule not in rules:
        raise UsageError(f"no rule {rule!r}{text.nearest(rule, rules)}")
    terms: list[str] = [] if cleared else ["f.cleared_at IS NULL"]
    params: list[str | int] = []
    asked = {"f.rule": rule, "f.severity": severity, "f.identity_id": identity_id}
    for column, value in asked.items():
        if value is not None:
            terms.append(f"{column} = ?")
            params.append(value)
    if where is not None:
        terms.append(f"({where.sql})")
        params += where.params
    few = rule is not None or identity_id is not None
    sql = (
        f"{_SELECT} {_FEW if few else _ALL if cleared else _OPEN}"
        f" WHERE {' AND '.join(terms) or '1'}"
        " ORDER BY l.risk DESC, l.identity_id, f.rule, f.subject_id, f.subject_kind"
    )
    with _cleared(db) if cleared and not few else nullcontext():
        for row in db.execute(sql, params):
            found = dict(zip(_COLUMNS, row, strict=True))
            known = rules.get(found["rule"])  # a cleared finding may be of a rule that is gone
            found["title"] = known.title if known else found["rule"]
            found["why"], found["fix"] = (known.why, known.fix) if known else (None, None)
            mapped = known.controls if known else []
            found["controls"] = [f"{framework} {control}" for framework, control, _ in mapped]
            yield found


@contextmanager
def _cleared(db: Database) -> Iterator[None]:
    """In the block the findings that hold no longer can be found by their identity: only those
    that do have an index.
    """
    with db.aside():
        db.execute("DROP TABLE IF EXISTS aside.cleared")
        db.execute(
            "CREATE TABLE aside.cleared (identity_id INTEGER, id INTEGER,"
            " PRIMARY KEY (identity_id, id)) WITHOUT ROWID"
        )
        db.execute(
            "INSERT INTO aside.cleared SELECT identity_id, id FROM finding"
            " WHERE cleared_at IS NOT NULL"
        )
        yield
