"""The queue: which items, in which order, and one narrow row for each that is on the screen."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from passmuster import filters
from passmuster.errors import NotFound
from passmuster.store import Database
from passmuster.text import visible

if TYPE_CHECKING:
    from passmuster.inventory import Match

ORDERS: dict[str, tuple[str, ...]] = {
    "risk": ("n.risk DESC",),
    "name": ("l.name",),
    "kind": ("l.kind", "n.risk DESC"),
    "source": ("l.source", "n.risk DESC"),
    "owner": ("l.owner IS NULL", "l.owner", "n.risk DESC"),
    "used": ("coalesce(l.last_used_at, '')",),
    "decision": ("n.state", "n.risk DESC"),
    "env": ("l.environment IS NULL", "l.environment", "n.risk DESC"),
    "supplier": ("l.supplier IS NULL", "l.supplier", "n.risk DESC"),
    "reviewer": ("n.reviewer", "n.risk DESC"),
}
"""By the column that a queue is sorted by; the id breaks every tie."""


def ordered(order: str, *, backwards: bool) -> str:
    terms = ORDERS[order]
    if backwards:
        first = terms[0]
        terms = (first.removesuffix(" DESC") if first.endswith(" DESC") else f"{first} DESC",
                 *terms[1:])  # fmt: skip
    return ", ".join((*terms, "n.id"))


@dataclass(frozen=True, slots=True)
class QueueRow:
    """What a list shows of an item."""

    id: int
    name: str
    """The short name of the item, which commands take."""
    risk: int
    severity: str | None
    display_name: str
    """Of the identity; for an item that is a part of one, with what tells it from the others."""
    kind: str
    source: str
    owner: str | None
    last_used_at: str | None
    last_used_state: str
    is_privileged: bool
    assigned: str
    state: str
    """open, draft or signed."""
    verdict: str | None
    """Of the draft, else of the newest signed row."""
    own: str | None
    """A drafted owner."""
    uri: str
    environment: str | None = None
    supplier: str | None = None
    reviewer: str = ""
    emergency: bool = False
    """Whether an emergency stop of it counts, whatever was decided: nobody has seen it since."""


def rank(
    db: Database, campaign_id: int, reviewer: str | None, *, expression: str = "",
    now: str = "", order: str = "risk", backwards: bool = False, state: str | None = None,
    limit: int | None = None,
) -> "array[int]":  # fmt: skip
    """Item ids of a queue in view order; four bytes a row, so a million are no burden.

    *expression* is a filter (`filters.compile_filter`); *state* narrows to open, draft, signed;
    *limit* gives the first so many, for a screen that shows them before it has them all.
    """
    by = ordered(order, backwards=backwards)
    frame, where, values = chosen(campaign_id, reviewer, expression, now, "l." in by)
    if state is not None:
        where += " AND n.state = ?"
        values.append(state)
    tail = "" if limit is None else f" LIMIT {limit:d}"
    sql = f"SELECT n.id {frame} WHERE {where} ORDER BY {by}{tail}"
    return array("I", (row[0] for row in db.execute(sql, values)))


def count(db: Database, campaign_id: int, reviewer: str | None, expression: str, now: str) -> int:
    """How many items of a queue a filter matches."""
    frame, where, values = chosen(campaign_id, reviewer, expression, now, False)
    # SQLite leaves unused joins out of a plain query, but not out of an aggregate
    return int(db.value(f"SELECT count(*) FROM (SELECT 1 {frame} WHERE {where} LIMIT -1)", values))


def chosen(
    campaign_id: int, reviewer: str | None, expression: str, now: str, listed: bool
) -> tuple[str, str, list[object]]:
    """(FROM, WHERE, values) of the items that a reviewer and a filter choose."""
    where: list[str] = ["n.campaign_id = ?"]
    values: list[object] = [campaign_id]
    if reviewer is not None:
        where.append("n.reviewer = ?")
        values.append(reviewer)
    frame = "FROM item n"
    if expression.strip():
        # the population was chosen when the campaign was opened: a filter adds no defaults to it
        compiled = filters.compile_filter(expression, now, defaults=False, items=True)
        frame = f"{filters.FRAME} JOIN item n ON n.identity_id = l.identity_id"
        where.append(f"({compiled.sql})")
        values += list(compiled.params)
    elif listed:
        frame = "FROM item n JOIN listing l ON l.identity_id = n.identity_id"
    return frame, " AND ".join(where), values


_ROW = """
SELECT n.id, n.name, n.risk, l.severity, y.display_name, y.kind, s.name, s.uid, l.owner,
    y.last_used_at, y.last_used_state, y.is_privileged, n.assigned, n.state,
    coalesce(d.verdict, (SELECT verdict FROM decision x WHERE x.item_id = n.id
        AND x.principal = n.reviewer ORDER BY x.entry_id DESC LIMIT 1)), o.owner, n.uri, y.uid,
    l.environment, l.supplier, n.reviewer,
    EXISTS (SELECT 1 FROM emergency g WHERE g.uri = n.uri
        AND g.entry_id > (SELECT e.id FROM campaign c JOIN entry e ON e.statement = c.digest
            WHERE c.id = n.campaign_id)
        AND NOT EXISTS (SELECT 1 FROM campaign c JOIN entry e ON e.campaign = c.digest
            WHERE c.id = n.campaign_id AND e.predicate = 'close' AND e.id < g.entry_id)
        AND NOT EXISTS (SELECT 1 FROM void_entry v WHERE v.entry_id = g.entry_id)
        AND NOT EXISTS (SELECT 1 FROM decision x JOIN json_each(x.row, '$.saw') seen
            WHERE x.item_id = n.id AND x.verdict <> 'abstain' AND seen.value = g.leaf))
FROM item n JOIN identity y ON y.id = n.identity_id JOIN source s ON s.id = y.source_id
LEFT JOIN listing l ON l.identity_id = n.identity_id
LEFT JOIN draft d ON d.item_id = n.id LEFT JOIN own_draft o ON o.item_id = n.id
"""


def rows(db: Database, item_ids: Sequence[int]) -> list[QueueRow]:
    """The rows of these items, in the order given; meant for one window of a list."""
    marks = ",".join(map(str, item_ids))
    found = {
        r[0]: QueueRow(
            r[0], r[1], r[2], r[3], part_name(r[4], r[16], r[17]), r[5], r[6] or r[7], r[8],
            r[9], r[10], bool(r[11]), *r[12:17], *r[18:21],
            *map(bool, r[21:]),
        )
        for r in db.execute(f"{_ROW} WHERE n.id IN ({marks})")
    }  # fmt: skip
    return [found[i] for i in item_ids if i in found]


def part_name(name: str, item_uri: str, identity_uid: str) -> str:
    """How people are told of an item: the identity's *name*, or which part of it first."""
    _, kind, uid = item_uri.split("/", 2)
    if kind == "identity":
        return name
    return f"{visible(unquote(uid)).removeprefix(identity_uid).strip()} of {name}"


TIERS = {"critical": 90, "high": 60, "medium": 30, "low": 0}
"""The least risk of each tier, for what may be decided in one act."""


def tier(risk: int) -> str:
    """The tier that a risk is in."""
    return next(name for name, least in TIERS.items() if risk >= least)


def tiers(db: Database, item_ids: Sequence[int]) -> dict[str, int]:
    """How many of the items are in each tier of risk; tiers without any are left out."""
    found: dict[str, int] = {}
    for start in range(0, len(item_ids), 10_000):
        marks = ",".join(map(str, item_ids[start : start + 10_000]))
        for (risk,) in db.execute(f"SELECT risk FROM item WHERE id IN ({marks})"):
            found[tier(risk)] = found.get(tier(risk), 0) + 1
    return found


def items_of(db: Database, campaign_id: int, identity_id: int, reviewer: str) -> list[int]:
    """The items of one identity in a reviewer's queue; several where items are parts."""
    return [row[0] for row in db.execute(
        "SELECT id FROM item WHERE identity_id = ? AND campaign_id = ? AND reviewer = ?"
        " ORDER BY risk DESC, id LIMIT 9", (identity_id, campaign_id, reviewer)
    )]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Group:
    """The items of a queue that share a value."""

    value: str | None
    items: int
    open: int
    privileged: int
    unused: int
    risk: int
    """Of the riskiest."""


GROUPS = {"owner": "l.owner", "source": "l.source", "kind": "l.kind", "supplier": "l.supplier",
          "env": "l.environment"}  # fmt: skip


def groups(
    db: Database, campaign_id: int, reviewer: str, by: str, unused_before: str
) -> list[Group]:
    """The queue in groups by a column of `GROUPS`, the one with the riskiest item first."""
    column = GROUPS[by]
    return [Group(*row) for row in db.execute(
        f"SELECT {column}, count(*), sum(n.state = 'open'), sum(l.is_privileged),"
        " sum(l.last_used_state = 'never' OR coalesce(l.last_used_at < ?, 0)), max(n.risk)"
        " FROM item n JOIN listing l ON l.identity_id = n.identity_id"
        f" WHERE n.campaign_id = ? AND n.reviewer = ? GROUP BY {column}"
        " ORDER BY max(n.risk) DESC, count(*) DESC",
        (unused_before, campaign_id, reviewer),
    )]  # fmt: skip


def in_group(
    db: Database, campaign_id: int, reviewer: str, by: str, value: str | None,
    state: str | None = None,
) -> "array[int]":  # fmt: skip
    """The items of one group, the riskiest first."""
    return array("I", (row[0] for row in db.execute(
        "SELECT n.id FROM item n JOIN listing l ON l.identity_id = n.identity_id"
        f" WHERE n.campaign_id = ?1 AND n.reviewer = ?2 AND {GROUPS[by]} IS ?3"
        " AND (?4 IS NULL OR n.state = ?4) ORDER BY n.risk DESC, n.id",
        (campaign_id, reviewer, value, state),
    )))  # fmt: skip


OF_IDENTITY = "SELECT id FROM item WHERE campaign_id = ?1 AND identity_id = ?2 LIMIT 9"
OF_URI = "SELECT id FROM item WHERE campaign_id = ?1 AND uri = ?2"


def find_item(db: Database, campaign_id: int, handle: str) -> int:
    """The item meant by *handle*: a unique prefix of its short name, its URI, or a platform
    handle (uid, DN, e-mail, key id, fingerprint). Raises NotFound with the candidates.
    """
    from passmuster import inventory  # the first frame of the screen does without

    named = (
        "SELECT id FROM item WHERE campaign_id = ?1 AND name >= lower(?2)"
        " AND name < lower(?2) || '{' LIMIT 9"
    )
    for sql, applies in ((named, len(handle) >= 3), (OF_URI, True)):
        found = [row[0] for row in db.execute(sql, (campaign_id, handle))] if applies else []
        if item := _only(db, handle, found):
            return item
    # a handle of any sort that two items have is several: none is taken by a guess
    meant = inventory.matches(db, handle)
    found = [item for match in meant for item in _meant(db, campaign_id, match)]
    if item := _only(db, handle, list(dict.fromkeys(found))):
        return item
    raise NotFound(f"no item {_called(handle)} in this campaign (`muster queue` lists them)")


def _only(db: Database, handle: str, found: list[int]) -> int:
    """The one item that was found, 0 for none. Raises NotFound for several."""
    if len(found) > 1:
        names = ", ".join(f"{r.name} ({r.display_name})" for r in rows(db, found[:5]))
        raise NotFound(f"{_called(handle)} is several items: {names}")
    return found[0] if found else 0


def _called(handle: str) -> str:
    from passmuster import inventory

    return "what was pasted" if inventory.is_secret(handle) else repr(handle)


def _meant(db: Database, campaign_id: int, match: "Match") -> list[int]:
    """The items of what a handle means: a credential's own where it is one, else its identity's."""
    from passmuster.campaigns._dossiers import uri

    if match.credential is not None:
        own = uri(match.source, "credential", match.credential)
        if found := [row[0] for row in db.execute(OF_URI, (campaign_id, own))]:
            return found
    return [row[0] for row in db.execute(OF_IDENTITY, (campaign_id, match.identity_id))]
