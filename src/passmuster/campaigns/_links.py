"""The chain that an identity stands in: who may become it, and what it may become, across sources.

Part of the dossier, so frozen and shown with it, and no part of what makes an approval stale: that
is what the identity's own platform says of it (`trusts`), not what others are called today.
"""

from collections.abc import Iterable
from typing import Any

from passmuster.store import Database
from passmuster.text import Json, plural

MOST = 200
"""Links of one direction in a dossier; `more` in its last one says that there are others."""
HOPS = 3
"""From repository over one cloud into another is two; a longer chain is read one by one."""

COLUMNS = (
    "identity", "display_name", "kind", "source", "source_name", "status", "mechanism", "said_by",
    "through", "hops", "credentials", "used_by", "is_privileged", "privilege_reason",
)  # fmt: skip

LINKED = {
    "in": "SELECT DISTINCT t.identity_id FROM trust t JOIN link l ON l.trust_id = t.id"
          " WHERE t.identity_id IN ({marks}) AND t.absent_since IS NULL",
    "out": "SELECT DISTINCT l.identity_id FROM link l CROSS JOIN trust t ON t.id = l.trust_id"
           " WHERE l.identity_id IN ({marks}) AND t.absent_since IS NULL"
           " AND t.identity_id IS NOT NULL",
}  # fmt: skip
"""Those of a chunk that have any: most have none."""
_STEP = {
    "in": ("JOIN trust t ON t.identity_id = w.at JOIN link l ON l.trust_id = t.id", "l", "t"),
    "out": ("JOIN link l ON l.identity_id = w.at JOIN trust t ON t.id = l.trust_id", "t", "l"),
}
WALK = """
WITH RECURSIVE walk (at, last, hops, path, through) AS (
    SELECT ?1, NULL, 0, ' ' || ?1 || ' ', ''
    UNION
    SELECT y.id, w.at, w.hops + 1, w.path || y.id || ' ',
        CASE WHEN w.hops THEN w.through || ' ' || w.at ELSE '' END
    FROM walk w {step} JOIN identity y ON y.id = {next}.identity_id
    WHERE w.hops < {hops} AND t.absent_since IS NULL AND y.absent_since IS NULL
        AND instr(w.path, ' ' || y.id || ' ') = 0
    LIMIT {limit})
SELECT y.uid, y.display_name, y.kind, s.uid, s.name, y.status, group_concat(DISTINCT t.mechanism),
    CASE min(t.source_id = r.source_id) + max(t.source_id = r.source_id)
        WHEN 2 THEN 'platform' WHEN 0 THEN 'consumer' ELSE 'both' END,
    (SELECT group_concat(n.display_name, ' → ') FROM (SELECT x.display_name
        FROM json_each('[' || replace(trim(w.through), ' ', ',') || ']') j
        JOIN identity x ON x.id = j.value ORDER BY j.key {order}) n),
    w.hops,
    (SELECT count(*) FROM credential c WHERE c.identity_id = y.id AND c.absent_since IS NULL
        AND c.status NOT IN ('disabled', 'deleted')),
    (SELECT count(*) FROM usage u WHERE u.identity_id = y.id AND u.absent_since IS NULL),
    y.is_privileged, y.privilege_reason
FROM walk w JOIN identity y ON y.id = w.at JOIN source s ON s.id = y.source_id
JOIN link l ON l.identity_id = {consumer}
JOIN trust t ON t.id = l.trust_id AND t.identity_id = {target} AND t.absent_since IS NULL
JOIN identity r ON r.id = t.identity_id
WHERE w.hops GROUP BY w.at, w.last, w.path ORDER BY w.hops, s.uid, y.uid, w.path
"""


def walk_sql(direction: str) -> str:
    """The query that walks the chain from one identity in *direction*."""
    step, following, _ = _STEP[direction]
    incoming = direction == "in"
    return WALK.format(
        step=step, next=following, hops=HOPS, limit=MOST + 2, order="DESC" if incoming else "",
        consumer="w.at" if incoming else "w.last", target="w.last" if incoming else "w.at",
    )  # fmt: skip


def links(db: Database, ids: Iterable[int]) -> dict[int, list[Json]]:
    """By identity: its links of both directions, the nearest first."""
    marks = ",".join(map(str, ids))
    found: dict[int, list[Json]] = {}
    for direction, sql in LINKED.items():
        for (identity_id,) in db.execute(sql.format(marks=marks)).fetchall():
            rows = db.execute(walk_sql(direction), (identity_id,)).fetchall()
            found.setdefault(identity_id, []).extend(_rows(direction, rows))
    return found


def _rows(direction: str, rows: list[Any]) -> Iterable[Json]:
    for number, row in enumerate(rows[:MOST]):
        said = dict(zip(COLUMNS, row, strict=True))
        said["mechanism"] = ", ".join(sorted(said["mechanism"].split(",")))
        yield {
            "direction": direction, **said, "more": number == MOST - 1 and len(rows) > MOST
        }  # fmt: skip


def is_claim(row: Json) -> bool:
    """Whether only the consumer says so, which lets nobody in."""
    return bool(row["said_by"] == "consumer" and row["mechanism"] != "management")


def link_words(row: Json) -> tuple[str, str]:
    """The name at the other end of a link, and what there is to say of it."""
    where = row["source_name"] or row["source"]
    how = row["mechanism"].replace("_", " ")
    incoming = row["direction"] == "in"
    facts = [f"{row['kind']} of {where}"]
    made = row["mechanism"] == "management"
    if made:
        facts.append("makes and changes it" if incoming else "it makes and changes this")
    else:
        facts.append(f"{'may become it' if incoming else 'it may become this'} by {how}")
    if row["through"]:
        facts.append(f"through {row['through']}")
    if is_claim(row):
        facts.append("as the consumer says: the platform that decides does not name it")
    elif row["said_by"] == "both":
        facts.append("both ends say so")
    if row["status"] in ("disabled", "deleted"):
        facts.append(row["status"])
    if incoming:
        facts += [plural(row["credentials"], "live credential")] if row["credentials"] else []
        facts += [f"used by {row['used_by']:,}"] if row["used_by"] else []
    elif row["is_privileged"]:
        facts.append(f"privileged: {row['privilege_reason'] or 'why is unknown'}")
    return row["display_name"], ", ".join(facts)


def cut_off(dossier: Json) -> int:
    """How many identities stop becoming the one of *dossier* when it is stopped."""
    return len({
        (row["source"], row["identity"]) for row in dossier.get("links", ())
        if row["direction"] == "in" and row["said_by"] != "consumer"
    })  # fmt: skip
