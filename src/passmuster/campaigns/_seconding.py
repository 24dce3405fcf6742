"""What a second person may look at, and what that person drafts on it.

A row waits while it is the newest of its decider, is an approval that needs a second person, and
nobody who may has countersigned it. What is drafted here is signed by `_countersigning`.
"""

import json
from array import array
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from passmuster.campaigns import _who
from passmuster.campaigns._campaign import Campaign
from passmuster.campaigns._deciding import MAX_REASON, refuse_secret
from passmuster.campaigns._queue import GROUPS, chosen, ordered, part_name
from passmuster.campaigns._second_policy import policy_of
from passmuster.errors import NotFound, UsageError
from passmuster.model import SECOND_VERDICTS, Attention, Bulk, Change, SecondDraft
from passmuster.store import Database
from passmuster.text import nearest, visible

STATES = ("waiting", "draft", "signed", "all")
"""What a second person may look at: `waiting` has what their own devices contradict each other on
as well, `all` the stops too, which wait for nobody."""

VOID = "SELECT entry_id FROM void_entry"
# `d` is a row that counts: the newest of somebody who was asked
NEWEST = (
    "NOT EXISTS (SELECT 1 FROM decision later WHERE later.item_id = d.item_id"
    " AND later.principal = d.principal AND later.entry_id > d.entry_id"
    f" AND later.entry_id NOT IN ({VOID})) AND d.entry_id NOT IN ({VOID})"
    " AND (d.principal = n.reviewer OR n.first_reviewer IS NOT NULL)"
)
# I may countersign it: an owner is barred, and so is who decided, under whatever name
_ME = "WITH me(who, also) AS (SELECT ?, ?) "
MINE = (
    "instr(n.barred, ' ' || (SELECT who FROM me) || ' ') = 0"
    " AND d.principal <> (SELECT who FROM me)"
    " AND instr((SELECT also FROM me), ' ' || d.principal || ' ') = 0"
)
STOPS = (
    "EXISTS (SELECT 1 FROM decision s WHERE s.item_id = n.id"
    f" AND s.verdict IN ('revoke', 'disable') AND s.entry_id NOT IN ({VOID})"
    " AND NOT EXISTS (SELECT 1 FROM decision t"
    " WHERE t.item_id = s.item_id AND t.principal = s.principal AND t.entry_id > s.entry_id"
    f" AND t.entry_id NOT IN ({VOID})))"
)
WAITS = (
    "d.verdict = 'approve'"
    " AND NOT EXISTS (SELECT 1 FROM countersignature c WHERE c.decision = d.leaf"
    f" AND c.entry_id NOT IN ({VOID}))"
    f" AND NOT {STOPS}"
    " AND n.contested = 0"  # who decided has to decide again first
)
# both are mine and neither has seen the other, so it is mine to say again (`_contested`)
TORN = (
    "n.contested = 1 AND d.verdict = 'approve' AND (SELECT min(c.verdict) <> max(c.verdict)"
    " FROM countersignature c JOIN me ON c.principal = me.who WHERE c.decision = d.leaf"
    f" AND c.entry_id NOT IN ({VOID}))"
)
DRAFTED = (
    "EXISTS (SELECT 1 FROM second_draft f JOIN me ON f.author = me.who WHERE f.decision = d.leaf)"
)
SIGNED = (
    "EXISTS (SELECT 1 FROM countersignature c JOIN me ON c.principal = me.who"
    " WHERE c.decision = d.leaf)"
)
_STATE = {
    "waiting": f"({WAITS} OR {TORN})",
    "draft": DRAFTED,
    "signed": SIGNED,
    "all": "d.verdict <> 'abstain'",
}


class Countersigned(NamedTuple):
    """What a second person said of a row, signed."""

    principal: str
    verdict: str
    reason: str
    decided_at: str


class SecondRow(NamedTuple):
    """A decision row as its second person sees it."""

    item_id: int
    name: str
    """The short name of the item."""
    risk: int
    severity: str | None
    display_name: str
    source: str
    leaf: str
    decider: str
    verdict: str
    until: str | None
    changes: tuple[Change, ...]
    reason: str
    attention: Attention
    bulk: Bulk | None
    draft: SecondDraft | None
    """Mine."""
    signed: tuple[Countersigned, ...]
    """By anybody, in log order."""
    torn: bool = False
    """I concurred and objected, and had not seen the one when I signed the other."""


def second_rank(
    db: Database, campaign_id: int, me: str, state: str = "waiting", *, expression: str = "",
    now: str = "", order: str = "risk", backwards: bool = False, limit: int | None = None,
) -> "array[int]":  # fmt: skip
    """Items with a row for *me* to look at, in view order; *state* is one of `STATES`."""
    by = ordered(order, backwards=backwards)
    sql, values = rank_sql(campaign_id, _who.me_of(db, me), state, expression, now, by)
    tail = "" if limit is None else f" LIMIT {limit:d}"
    return array("I", (row[0] for row in db.execute(f"{sql}{tail}", values)))


def rank_sql(
    campaign_id: int, me: tuple[str, str], state: str, expression: str = "", now: str = "",
    by: str = "n.risk DESC, n.id",
) -> tuple[str, list[object]]:  # fmt: skip
    """The query of `second_rank`, and its values."""
    frame, where, values = chosen(campaign_id, None, expression, now, "l." in by)
    return f"{_items(frame, where, _STATE[state])} ORDER BY {by}", [*me, *values]


def _items(frame: str, where: str, state: str) -> str:
    return (
        f"{_ME}SELECT n.id {frame} WHERE n.needs_second = 1 AND {where} AND EXISTS (SELECT 1"
        f" FROM decision d WHERE d.item_id = n.id AND {NEWEST} AND {MINE} AND {state})"
    )


def second_like(
    db: Database, campaign_id: int, me: str, by: str, value: str | None
) -> "array[int]":
    """Items with a row that waits for *me*, on which I have no draft, and with *value* in the
    column *by* of `GROUPS`.
    """
    frame, where, values = chosen(campaign_id, None, "", "", True)
    sql = _items(frame, f"{where} AND {GROUPS[by]} IS ?", f"{WAITS} AND NOT {DRAFTED}")
    return array("I", (row[0] for row in db.execute(sql, [*_who.me_of(db, me), *values, value])))


_ROW = f"""
{_ME}SELECT n.id, n.name, n.risk, l.severity, y.display_name, coalesce(s.name, s.uid), d.leaf,
    d.principal, d.verdict, d.until, d.changes, d.reason_text,
    json_extract(d.row, '$.attention'), json_extract(d.row, '$.bulk'), n.uri, y.uid,
    {TORN}, f.verdict, f.reason_code, f.reason_text, f.attention, f.bulk
FROM item n JOIN decision d ON d.item_id = n.id JOIN identity y ON y.id = n.identity_id
    JOIN source s ON s.id = y.source_id
    LEFT JOIN listing l ON l.identity_id = n.identity_id
    LEFT JOIN second_draft f ON f.decision = d.leaf AND f.author = (SELECT who FROM me)
WHERE n.id IN (%s) AND n.needs_second = 1 AND {NEWEST} AND {MINE} AND d.verdict <> 'abstain'
ORDER BY n.id, ({WAITS}) DESC, d.entry_id DESC
"""


def second_rows(db: Database, item_ids: Sequence[int], me: str) -> dict[int, SecondRow]:
    """Of each item the row that waits on *me*, else the newest; meant for one window of a list."""
    first: dict[int, tuple[Any, ...]] = {}
    for row in db.execute(_ROW % ",".join(map(str, item_ids)), _who.me_of(db, me)):
        first.setdefault(row[0], row)
    marks = ",".join("?" * len(first))
    said: dict[str, list[Countersigned]] = {}
    for leaf, *one in db.execute(
        "SELECT decision, principal, verdict, reason_text, decided_at FROM countersignature"
        f" WHERE decision IN ({marks}) AND entry_id NOT IN ({VOID}) ORDER BY entry_id, leaf",
        [row[6] for row in first.values()],
    ):
        said.setdefault(leaf, []).append(Countersigned(*one))
    return {i: _row(row, tuple(said.get(row[6], ()))) for i, row in first.items()}


def _row(row: tuple[Any, ...], said: tuple[Countersigned, ...]) -> SecondRow:
    item_id, name, risk, severity, called, source, leaf, decider, verdict, until = row[:10]
    changes, reason, attention, bulk, uri, uid, torn, *draft = row[10:]
    return SecondRow(
        item_id, name, risk, severity, part_name(called, uri, uid), source, leaf, decider, verdict,
        until, tuple(Change(**c) for c in json.loads(changes)), reason,
        Attention(**json.loads(attention)), Bulk(**json.loads(bulk)) if bulk else None,
        as_second(draft) if draft[0] else None, said, bool(torn),
    )  # fmt: skip


def as_second(row: Sequence[Any]) -> SecondDraft:
    """A draft from its columns (verdict, reason_code, reason_text, attention, bulk)."""
    verdict, code, text, attention, bulk = row
    return SecondDraft(
        verdict, code, text, Attention(**json.loads(attention)),
        Bulk(**json.loads(bulk)) if bulk else None,
    )  # fmt: skip


def said_on(db: Database, item_id: int) -> tuple[Countersigned, ...]:
    """What second persons signed on the rows of an item that count, in log order."""
    return tuple(Countersigned(*row) for row in db.execute(
        "SELECT c.principal, c.verdict, c.reason_text, c.decided_at FROM countersignature c"
        " JOIN decision d ON d.leaf = c.decision JOIN item n ON n.id = c.item_id"
        f" WHERE c.item_id = ? AND {NEWEST} AND c.entry_id NOT IN ({VOID})"
        " ORDER BY c.entry_id, c.leaf",
        (item_id,),
    ))  # fmt: skip


class Objection(NamedTuple):
    """An approval that does not stand because a second person objects."""

    item: str
    display_name: str
    decider: str
    by: str
    reason: str


def objections(db: Database, at: Campaign, limit: int) -> list[Objection]:
    """The first *limit* of them, the riskiest first: who decided must decide again.

    None that its own person took back, having seen it, and none on what is contested (`disputed`).
    """
    return [
        Objection(name, part_name(called, uri, uid), *rest)
        for name, called, uri, uid, *rest in db.execute(
            "SELECT n.name, y.display_name, n.uri, y.uid, d.principal, c.principal, c.reason_text"
            " FROM item n JOIN decision d ON d.item_id = n.id JOIN identity y"
            " ON y.id = n.identity_id JOIN countersignature c ON c.decision = d.leaf"
            f" WHERE n.campaign_id = ? AND n.needs_second = 1 AND {NEWEST}"
            f" AND d.verdict = 'approve' AND c.verdict = 'object' AND c.entry_id NOT IN ({VOID})"
            " AND n.contested = 0 AND NOT EXISTS (SELECT 1"
            " FROM countersignature e WHERE e.decision = d.leaf AND e.principal = c.principal"
            " AND instr(json_extract(e.row, '$.saw'), c.leaf) > 0"
            f" AND e.entry_id NOT IN ({VOID}))"
            " ORDER BY n.risk DESC, n.id LIMIT ?",
            (at.id, limit),
        )
    ]


# drafting


def check_second(draft: SecondDraft) -> None:
    """Raise UsageError, saying what to do, unless *draft* can be countersigned."""
    if draft.verdict not in SECOND_VERDICTS:
        raise UsageError(f"no verdict {draft.verdict!r}{nearest(draft.verdict, SECOND_VERDICTS)}")
    refuse_secret(draft.reason_text, "the reason")
    if len(draft.reason_text) > MAX_REASON:
        raise UsageError(f"a reason has at most {MAX_REASON:,} characters")
    if draft.verdict == "object" and not draft.reason_text.strip():
        raise UsageError("object needs a reason")


def save_seconds(
    db: Database, item_ids: Sequence[int], draft: SecondDraft, now: str, by: str
) -> list[SecondRow]:
    """Keep *draft* by the person *by* on the row of each item that waits on them, all or none.

    Raises UsageError where there is none, or it is not theirs to countersign. Durable on return.
    """
    check_second(draft)
    draft = draft._replace(reason_text="\n".join(map(visible, draft.reason_text.split("\n"))))
    by, kept = by.lower(), []
    with db.atomic():
        for item_id in item_ids:
            row = _may_draft(db, item_id, by)
            kept.append(row)
            db.execute(
                "INSERT OR REPLACE INTO second_draft VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    row.leaf, by, item_id, draft.verdict, draft.reason_code, draft.reason_text,
                    json.dumps(draft.attention._asdict()),
                    json.dumps(draft.bulk._asdict()) if draft.bulk else None, now,
                ),
            )  # fmt: skip
    return kept


def _may_draft(db: Database, item_id: int, by: str) -> SecondRow:
    at = db.one(
        "SELECT c.name, c.closed_at, n.needs_second, n.barred, y.display_name, c.definition,"
        " n.reviewer FROM item n JOIN campaign c ON c.id = n.campaign_id"
        " JOIN identity y ON y.id = n.identity_id WHERE n.id = ?",
        (item_id,),
    )
    if at is None:
        raise NotFound(f"no item {item_id}")
    name, closed, needs, barred, shown, definition, reviewer = at
    if closed is not None:
        raise UsageError(f"the campaign {name!r} was closed on {closed}: nothing can be signed")
    if not needs:
        raise UsageError(f"{shown} needs no second person")
    policy = policy_of(db, definition)
    assert policy is not None
    if by not in policy.by:
        raise UsageError(f"{by} is no second person of {name!r}: {', '.join(policy.by)} may be")
    if f" {by} " in barred:
        raise UsageError(f"you are an owner of {shown}: somebody else must be the second person")
    _who.check_role(db, by)
    row = second_rows(db, [item_id], by).get(item_id)
    if row is None and reviewer == by:
        raise UsageError(f"{shown} is yours to decide: somebody else must be the second person")
    if row is None and (why := _who.why_not_another(db, reviewer, by)):
        raise UsageError(f"{shown} is for {reviewer} to decide: {why}")
    if row is None:
        raise UsageError(f"{shown} has no signed decision of somebody else yet: wait for it")
    return row


def clear_seconds(db: Database, item_ids: Iterable[int], by: str) -> int:
    """Take the drafts of *by* on these items back; how many there were."""
    with db.atomic():
        return sum(
            db.execute(
                "DELETE FROM second_draft WHERE item_id = ? AND author = ?", (i, by.lower())
            ).rowcount
            for i in item_ids
        )
