"""What each rule found, as lists show it: counts per rule, and the hits of one."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from passmuster import connectors, filters
from passmuster.filters import FRAME, Compiled
from passmuster.policy._evaluate import RuleRun, supplied
from passmuster.policy._identities import turned
from passmuster.policy._rulebook import load_rules
from passmuster.store import Database

MANY = 20_000
"""Hits from which the first rows are found by walking down the risks: below, sorting is quicker."""

HIT_ORDERS: dict[str, tuple[str, ...]] = {
    "risk": ("l.risk DESC",),
    "name": ("l.name",),
    "seen": ("f.first_seen DESC", "l.risk DESC"),
    "detail": ("f.detail",),
    "owner": ("l.owner IS NULL", "l.owner", "l.risk DESC"),
    "kind": ("l.kind", "l.risk DESC"),
    "source": ("l.source", "l.risk DESC"),
}
"""By the column that the hits of a rule are sorted by; identity and finding break every tie."""


def rule_runs(db: Database) -> dict[str, RuleRun]:
    """What came of each rule when it ran last; a rule that has never run is missing."""
    rows = db.execute("SELECT rule, hits, not_evaluated FROM rule_run")
    return {row[0]: RuleRun(*row) for row in rows}


def last_import(db: Database) -> str | None:
    """When something was imported last."""
    found: str | None = db.value("SELECT max(imported_at) FROM import_run")
    return found


class Hits(NamedTuple):
    """Open findings of a rule."""

    all: int
    new: int
    """Of them, those first seen since a moment."""


BY_RULE = (
    "SELECT rule, count(*), sum(first_seen >= ?) FROM finding WHERE cleared_at IS NULL"
    " GROUP BY rule"
)


def hits_by_rule(db: Database, since: str, where: Compiled | None = None) -> dict[str, Hits]:
    """Open findings of each rule that has any; *where* narrows by a filter over identities."""
    if where is None:
        rows = db.execute(BY_RULE, (since,))
    else:
        rows = db.execute(
            f"SELECT f.rule, count(*), sum(f.first_seen >= ?) {FRAME}"
            " JOIN finding f ON f.identity_id = l.identity_id"
            f" WHERE f.cleared_at IS NULL AND ({where.sql}) GROUP BY f.rule",
            (since, *where.params),
        )
    return {rule: Hits(*counts) for rule, *counts in rows}


def rank_hits(
    db: Database, rule: str, expression: str, now: str, *, order: str = "risk",
    backwards: bool = False, limit: int | None = None,
) -> "array[int]":  # fmt: skip
    """Ids of the open findings of *rule* on identities that *expression* matches, in view order.

    Those on groups and on what is gone are in it: they are findings too, and are counted.
    """
    compiled = filters.compile_filter(expression, now, defaults=False)
    terms: Sequence[str] = (*HIT_ORDERS[order], "l.identity_id", "f.id")
    if backwards:
        terms = turned(terms)
    tail = "" if limit is None else f" LIMIT {limit:d}"
    walk = limit is not None and order == "risk" and _is_many(db, rule)
    sql = f"{hits_sql(walk=walk)} AND ({compiled.sql}) ORDER BY {', '.join(terms)}{tail}"
    return array("I", (row[0] for row in db.execute(sql, (rule, *compiled.params))))


def count_hits(db: Database, rule: str, expression: str, now: str) -> int:
    """How many open findings of *rule* are on identities that *expression* matches."""
    compiled = filters.compile_filter(expression, now, defaults=False)
    sql = f"SELECT count(*) FROM ({hits_sql(walk=False)} AND ({compiled.sql}))"
    return int(db.value(sql, (rule, *compiled.params)))


def hits_sql(*, walk: bool) -> str:
    """The hits of a rule: down the listing, riskiest first (*walk*), or from the rule's own."""
    frame = FRAME
    if walk:  # a CROSS JOIN is read in the order that it is written in
        joined = "CROSS JOIN finding f"
    else:
        frame = frame.replace("FROM listing l", "FROM finding f CROSS JOIN listing l")
        joined = ""
    return (
        f"SELECT f.id {frame} {joined} WHERE f.identity_id = l.identity_id AND f.rule = ?"
        " AND f.cleared_at IS NULL"
    )


def _is_many(db: Database, rule: str) -> bool:
    hits = db.value("SELECT hits FROM rule_run WHERE rule = ?", (rule,))
    return (hits or 0) > MANY


@dataclass(frozen=True, slots=True)
class HitRow:
    """What a list shows of one open finding."""

    id: int
    identity_id: int
    severity: str
    detail: str
    first_seen: str
    risk: int
    worst: str | None
    """The severity of the identity's worst finding, which its risk is made of."""
    name: str
    kind: str
    source: str
    owner: str | None


HIT_ROW = (
    "SELECT f.id, f.identity_id, f.severity, f.detail, f.first_seen, l.risk, l.severity, l.name,"
    " l.kind, l.source, l.owner"
    " FROM finding f JOIN listing l ON l.identity_id = f.identity_id WHERE f.id"
)


def hit_rows(db: Database, finding_ids: Sequence[int]) -> list[HitRow]:
    """The rows of these findings, in the order given; meant for one window of a list."""
    marks = ",".join(map(str, finding_ids))  # integers of our own tables
    found = {row[0]: HitRow(*row) for row in db.execute(f"{HIT_ROW} IN ({marks})")}
    return [found[i] for i in finding_ids if i in found]


class Supply(NamedTuple):
    """Who says what a rule needs to know."""

    sources: list[str]
    """Imported sources that say it."""
    formats: list[str]
    """Formats that could: what `muster import --formats` lists."""


def supplies(db: Database) -> dict[str, Supply]:
    """For each kind of fact (`NEEDS`): who supplies it here, and what could."""
    found = {need: Supply([], []) for rule in load_rules().values() for need in rule.needs}
    for fact, source in db.execute(
        "SELECT DISTINCT f.value, coalesce(s.name, s.uid) FROM import_run r"
        " JOIN source s ON s.id = r.source_id, json_each(r.supplies) f ORDER BY 2"
    ):
        if fact in found:
            found[fact].sources.append(source)
    for fact in {"review", "emergency", "agent"} & supplied(db) & found.keys():
        found[fact].sources.append("this workspace")
    for format_ in connectors.formats().values():
        for fact in format_.supplies:
            if fact in found:
                found[fact].formats.append(format_.name)
    return found
