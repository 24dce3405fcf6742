"""Identities as lists show them: which ones, in which order, and one narrow row for each.

Everything is read from `listing`; only a filter that asks for more joins the inventory.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from passmuster import filters
from passmuster.filters import FRAME
from passmuster.store import Database

ORDERS: dict[str, tuple[str, ...]] = {
    "risk": ("l.risk DESC",),
    "name": ("l.name",),
    "kind": ("l.kind", "l.risk DESC"),
    "source": ("l.source", "l.risk DESC"),
    "owner": ("l.owner IS NULL", "l.owner", "l.risk DESC"),
    "used": ("coalesce(l.last_used_at, '')", "l.risk DESC"),
    "findings": ("l.findings DESC", "l.risk DESC"),
    "env": ("l.environment IS NULL", "l.environment", "l.risk DESC"),
    "supplier": ("l.supplier IS NULL", "l.supplier", "l.risk DESC"),
    "status": ("l.status", "l.risk DESC"),
}
"""By the column that a list is sorted by; the id breaks every tie."""


def ordered(order: str, *, backwards: bool) -> str:
    """The terms of ORDER BY; backwards turns each of them round, so that the same index serves."""
    terms = (*ORDERS[order], "l.identity_id")
    return ", ".join(turned(terms) if backwards else terms)


def turned(terms: Sequence[str]) -> list[str]:
    """*terms* of ORDER BY the other way round."""
    return [t.removesuffix(" DESC") if t.endswith(" DESC") else f"{t} DESC" for t in terms]


def rank_identities(
    db: Database, expression: str, now: str, *, order: str = "risk", backwards: bool = False,
    limit: int | None = None,
) -> "array[int]":  # fmt: skip
    """Ids of the identities that *expression* matches, in view order; four bytes each.

    The first so many (*limit*) by risk or kind come from an index at once, however many there are.
    """
    compiled = filters.compile_filter(expression, now)
    tail = "" if limit is None else f" LIMIT {limit:d}"
    sql = (
        f"SELECT l.identity_id {FRAME} WHERE {compiled.sql}"
        f" ORDER BY {ordered(order, backwards=backwards)}{tail}"
    )
    return array("I", (row[0] for row in db.execute(sql, compiled.params)))


def count_identities(db: Database, expression: str, now: str) -> int:
    """How many identities *expression* matches."""
    compiled = filters.compile_filter(expression, now)
    return int(db.value(count_sql(compiled.sql), compiled.params))


def count_sql(where: str) -> str:
    """Counts without a look into tables that *where* does not name.

    SQLite leaves out joins that nobody asks for, but not under an aggregate; the LIMIT keeps it
    from making one query of the two. At a million that is a fifth of the time.
    """
    return f"SELECT count(*) FROM (SELECT l.identity_id {FRAME} WHERE {where} LIMIT -1)"


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """What a list shows of an identity."""

    id: int
    risk: int
    severity: str | None
    """Of the worst open finding."""
    name: str
    kind: str
    source: str
    owner: str | None
    owner_state: str | None
    """known, or unmatched: named, but nobody here is called so."""
    status: str
    environment: str | None
    supplier: str | None
    is_privileged: bool
    last_used_at: str | None
    last_used_state: str
    findings: int
    absent_since: str | None


ROW = (
    "SELECT identity_id, risk, severity, name, kind, source, owner, owner_state, status,"
    " environment, supplier, is_privileged, last_used_at, last_used_state, findings, absent_since"
    " FROM listing WHERE identity_id"
)


def identity_rows(db: Database, identity_ids: Sequence[int]) -> list[IdentityRow]:
    """The rows of these identities, in the order given; meant for one window of a list."""
    marks = ",".join(map(str, identity_ids))  # integers of our own tables
    found = {row[0]: IdentityRow(*row) for row in db.execute(f"{ROW} IN ({marks})")}
    return [found[i] for i in identity_ids if i in found]


_COLUMNS = (
    "risk", "severity", "name", "kind", "status", "owner", "source", "environment", "supplier",
    "is_privileged", "last_used_at", "last_used_state", "findings",
)  # fmt: skip


def identities(db: Database, expression: str, now: str) -> Iterator[dict[str, Any]]:
    """Every identity that *expression* matches as a dict, the riskiest first, read as asked for."""
    compiled = filters.compile_filter(expression, now)
    rows = db.execute(
        f"SELECT i.uid, s.uid, {', '.join('l.' + c for c in _COLUMNS)} {FRAME}"
        f" WHERE {compiled.sql} ORDER BY {ordered('risk', backwards=False)}",
        compiled.params,
    )
    for uid, source_uid, *values in rows:
        row = dict(zip(_COLUMNS, values, strict=True))
        row["is_privileged"] = bool(row["is_privileged"])
        yield {"uid": uid, "source_uid": source_uid, **row}


def listed_as_of(db: Database) -> tuple[int, str]:
    """Changes whenever the listing may have: the newest run and the newest evaluation."""
    return (
        db.value("SELECT coalesce(max(id), 0) FROM import_run"),
        db.value("SELECT coalesce(max(ran_at), '') FROM rule_run"),
    )
