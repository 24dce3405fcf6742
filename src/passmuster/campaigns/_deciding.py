"""Drafts: decisions not yet signed. Writing one is durable before it returns; undo is free."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from passmuster import blobs
from passmuster.errors import NotFound, UsageError
from passmuster.model import CHANGE_VERBS, VERDICTS, Attention, Bulk, Change, Draft
from passmuster.store import Database
from passmuster.text import Json, nearest, strict_json, utc, visible

HIGH_RISK = 60
"""Risk from which an approval needs a reason; the other verdicts always do."""
MAX_REASON = 2_000
"""Characters."""


def item_dossier(db: Database, item_id: int) -> Json:
    """The frozen dossier of an item: what its reviewer sees and signs the digest of."""
    return next(item_dossiers(db, [item_id]))


def item_dossiers(db: Database, item_ids: Iterable[int]) -> Iterator[Json]:
    """The frozen dossier of each of the items; a chunk that neighbours share is read once."""
    for line in lines_of(db, (_place(db, item_id) for item_id in item_ids)):
        dossier: Json = strict_json(line)
        yield dossier


def _place(db: Database, item_id: int) -> tuple[str, int]:
    row = db.one("SELECT chunk, position FROM item WHERE id = ?", (item_id,))
    if row is None:
        raise NotFound(f"no item {item_id}")
    return row[0], row[1]


def lines_of(db: Database, places: Iterable[tuple[str, int]]) -> Iterator[bytes]:
    """Frozen dossiers as they were hashed, by (chunk, position)."""
    held, lines = "", [b""]
    for chunk, position in places:
        if chunk != held:
            held, lines = chunk, blobs.get(db, chunk).split(b"\n")
        yield lines[position]


def check_draft(dossier: Json, draft: Draft, now: str) -> None:
    """Raise UsageError, saying what to do, unless *draft* can be a decision on *dossier*."""
    if draft.verdict not in VERDICTS:
        raise UsageError(f"no verdict {draft.verdict!r}{nearest(draft.verdict, VERDICTS)}")
    _check_until(draft, now)
    _check_reason(dossier, draft)
    _check_changes(dossier, draft)


def _check_until(draft: Draft, now: str) -> None:
    from passmuster.outcomes import TAKES_UNTIL

    if draft.until is None:
        return
    if draft.verdict not in TAKES_UNTIL:
        raise UsageError(f"--until goes with approve, not with {draft.verdict}")
    if utc(draft.until) is None or draft.until <= now:
        raise UsageError(f"until {draft.until!r}: write a day in the future, 2027-03-31")


def _check_reason(dossier: Json, draft: Draft) -> None:
    refuse_secret(draft.reason_text, "the reason")
    if len(draft.reason_text) > MAX_REASON:
        raise UsageError(f"a reason has at most {MAX_REASON:,} characters")
    if draft.reason_text.strip():
        return
    if draft.verdict != "approve":
        raise UsageError(f"{draft.verdict} needs a reason")
    if dossier["risk"] >= HIGH_RISK or draft.changes:
        raise UsageError(f"approving at risk {dossier['risk']} needs a reason")


def refuse_secret(typed: str, what: str) -> None:
    """Raise UsageError when *typed* words hold a secret: they would be signed and kept for ever."""
    from passmuster import connectors

    if connectors.holds_secret(typed):
        raise UsageError(f"{what} holds what looks like a secret: say where it is, not what it is")


def _check_changes(dossier: Json, draft: Draft) -> None:
    from passmuster.outcomes import TAKES_CHANGES

    if draft.changes and draft.verdict not in TAKES_CHANGES:
        raise UsageError(
            f"{draft.verdict} leaves no part to change; approve the rest, or drop the changes"
        )
    parts = part_uids(dossier)
    for change in draft.changes:
        if change.verb not in CHANGE_VERBS:
            raise UsageError(f"no change {change.verb!r}{nearest(change.verb, CHANGE_VERBS)}")
        if change.target not in parts:
            raise UsageError(f"{change.target!r} is no part of it{nearest(change.target, parts)}")


def part_uids(dossier: Json) -> dict[str, str]:
    """What each part of *dossier* is, by its uid, for every part that a change may name."""
    parts = {c["uid"]: "credential" for c in dossier["credentials"]}
    parts.update({g["entitlement"]: "grant" for g in dossier["grants"]})
    parts.update({t["from_uid"]: "trust" for t in dossier["trusts"]})
    return parts


def save_draft(db: Database, item_id: int, draft: Draft, now: str, by: str | None = None) -> None:
    """Keep *draft* for the item, replacing the one that is there; durable on return."""
    save_drafts(db, [item_id], draft, now, by)


def save_drafts(
    db: Database, item_ids: Sequence[int], draft: Draft, now: str, by: str | None = None
) -> None:
    """Keep *draft* for each of the items, all or none; its text made visible (`text`).

    *by* is the person deciding (by default the item's reviewer). Raises UsageError when an item
    is somebody else's to decide: a draft is signed by its author and by nobody else.
    """
    draft = draft._replace(reason_text="\n".join(map(visible, draft.reason_text.split("\n"))))
    with db.atomic():
        for item_id, dossier in zip(item_ids, item_dossiers(db, item_ids), strict=True):
            author = _author(db, item_id, by)
            check_draft(dossier, draft, now)
            db.execute(
                "INSERT OR REPLACE INTO draft VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    item_id, draft.verdict, draft.until,
                    json.dumps([c._asdict() for c in draft.changes]), draft.reason_code,
                    draft.reason_text, json.dumps(draft.attention._asdict()),
                    json.dumps(draft.bulk._asdict()) if draft.bulk else None, now,
                    author,
                ),
            )  # fmt: skip
            db.execute("UPDATE item SET state = 'draft' WHERE id = ?", (item_id,))


def clear_drafts(db: Database, item_ids: Iterable[int]) -> int:
    """Take the drafts of these items back; how many there were."""
    cleared = 0
    with db.atomic():
        for item_id in item_ids:
            cleared += db.execute("DELETE FROM draft WHERE item_id = ?", (item_id,)).rowcount
            _settle_state(db, item_id)
    return cleared


def _settle_state(db: Database, item_id: int) -> None:
    db.execute(
        "UPDATE item SET state = CASE"
        " WHEN EXISTS (SELECT 1 FROM draft WHERE item_id = item.id) THEN 'draft'"
        " WHEN EXISTS (SELECT 1 FROM decision d WHERE d.item_id = item.id"
        "  AND d.principal = item.reviewer AND d.entry_id NOT IN (SELECT entry_id FROM void_entry))"
        " THEN 'signed' ELSE 'open' END WHERE id = ?",
        (item_id,),
    )


def _author(db: Database, item_id: int, by: str | None) -> str:
    """Who drafts on this item: its reviewer, in a campaign that is open."""
    row = db.one(
        "SELECT c.name, c.closed_at, i.reviewer, y.display_name FROM item i"
        " JOIN campaign c ON c.id = i.campaign_id JOIN identity y ON y.id = i.identity_id"
        " WHERE i.id = ?",
        (item_id,),
    )
    if row is None:
        raise NotFound(f"no item {item_id}")
    if row[1] is not None:
        raise UsageError(f"the campaign {row[0]!r} was closed on {row[1]}: nothing can be decided")
    if by is not None and by.lower() != row[2]:
        raise UsageError(f"{row[3]} is {row[2]}'s to decide, not yours")
    return str(row[2])


def draft_of(db: Database, item_id: int) -> Draft | None:
    """The draft that is kept for the item."""
    row = db.one(
        "SELECT verdict, reason_code, reason_text, attention, until, changes, bulk FROM draft"
        " WHERE item_id = ?",
        (item_id,),
    )
    return None if row is None else as_draft(row)


def as_draft(row: Sequence[Any]) -> Draft:
    """A draft from its columns (verdict, reason_code, reason_text, attention, until, changes,
    bulk).
    """
    return Draft(
        row[0], row[1], row[2], Attention(**json.loads(row[3])), row[4],
        tuple(Change(**c) for c in json.loads(row[5])),
        Bulk(**json.loads(row[6])) if row[6] else None,
    )  # fmt: skip


def check_own(db: Database, owner: str, *, reassign: bool = False) -> None:
    """Raise UsageError, saying what to do, unless *owner* can be named as an owner.

    With *reassign* the owner must also have an address at which to be asked.
    """
    from passmuster import inventory

    found = db.one("SELECT person_uid, team_uid FROM alias WHERE name = ?", (owner,))
    if found is None and "@" not in owner:
        names = [row[0] for row in db.execute("SELECT name FROM alias LIMIT 5000")]
        close = nearest(owner, names) if names else ""
        raise UsageError(f"no person or team {owner!r} in the registers{close}; or give an e-mail")
    if reassign and inventory.email_of(db, owner) is None:
        raise UsageError(f"{owner} has no e-mail address in the registers: it cannot be asked")
    if found is not None and found[0] is not None:
        gone = db.value(
            "SELECT display_name FROM person WHERE uid = ? AND absent_since IS NULL AND NOT active",
            (found[0],),
        )
        if gone:
            raise UsageError(f"{gone} has left: name somebody who is there")


def save_own(
    db: Database, item_ids: Sequence[int], owner: str, evidence: str | None, now: str,
    *, role: str = "owner", reassign: bool = False, by: str | None = None,
) -> None:  # fmt: skip
    """Draft that *owner* (a person's e-mail or alias, or a team) answers for these items.

    With *reassign* the item also goes to that person to be decided. Raises UsageError when the
    name is nobody in the registers (owners are never guessed), or when an item would be left with
    nobody to countersign it.
    """
    check_own(db, owner, reassign=reassign)
    refuse_secret(evidence or "", "the evidence")
    if reassign:
        from passmuster import inventory
        from passmuster.campaigns._waiting import check_hand_over

        check_hand_over(db, item_ids, inventory.email_of(db, owner) or "")
    with db.atomic():
        for item_id in item_ids:
            author = _author(db, item_id, by)
            kept = evidence and visible(evidence)
            db.execute(
                "INSERT OR REPLACE INTO own_draft VALUES (?, ?, ?, ?, ?, ?, ?)",
                (item_id, owner, role, kept, int(reassign), now, author),
            )


def clear_own(db: Database, item_ids: Iterable[int]) -> int:
    """Take drafted owners of these items back."""
    with db.atomic():
        return sum(
            db.execute("DELETE FROM own_draft WHERE item_id = ?", (i,)).rowcount for i in item_ids
        )
