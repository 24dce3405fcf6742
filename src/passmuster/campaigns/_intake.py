"""What automation made since the last export: it does not wait for the next campaign.

An identity that came with a later export than its source's first waits until somebody said what it
is for, who answers for it, and that it may stay. The last two are signed, in a campaign of kind
intake over exactly those that wait; what it is for is kept with who said it and when, and stands in
the evidence of whatever is opened after.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from passmuster import filters, inventory
from passmuster.campaigns._deciding import refuse_secret, save_drafts, save_own
from passmuster.errors import NotFound, UsageError
from passmuster.filters import FRAME
from passmuster.model import Attention, Draft
from passmuster.store import Database

INTAKE_SCOPE = "intake:new"
"""The scope of an intake campaign."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One identity that waits."""

    identity_id: int
    uid: str
    name: str
    kind: str
    source: str
    created_by: str | None
    first_seen: str
    """When the export that had it first was imported."""
    risk: int
    lacks: tuple[str, ...]
    """Of purpose, owner, approval."""
    purpose: str | None
    owner: str | None
    campaign: str | None
    """The open review that asks about it."""
    item: str | None
    reviewer: str | None


def intake_sql(where: str) -> str:
    """Those of *where* that wait, newest first."""
    lacks = ", ".join(f"({sql})" for sql in filters.LACKS.values())
    return (
        "SELECT l.identity_id, i.uid, l.name, l.kind, l.source, i.created_by,"
        " (SELECT imported_at FROM import_run r WHERE r.id = i.first_seen_run), l.risk,"
        f" {lacks}, coalesce((SELECT purpose FROM purpose p WHERE p.identity_id = i.id),"
        "  i.purpose), l.owner,"
        " (SELECT n.id FROM item n JOIN campaign c ON c.id = n.campaign_id"
        "  WHERE n.identity_id = l.identity_id AND c.closed_at IS NULL ORDER BY n.id DESC LIMIT 1)"
        f" {FRAME} WHERE {where} ORDER BY i.first_seen_run DESC, l.risk DESC, l.identity_id"
    )


def arrivals(db: Database, expression: str, now: str) -> Iterator[Arrival]:
    """Those that wait and that *expression* matches, the newest first."""
    compiled = filters.compile_filter(f"intake:any {expression}".strip(), now)
    named = tuple(filters.LACKS)
    for row in db.execute(intake_sql(compiled.sql), compiled.params).fetchall():
        asked = db.one(
            "SELECT c.name, n.name, n.reviewer FROM item n JOIN campaign c ON c.id = n.campaign_id"
            " WHERE n.id = ?", (row[13],),
        ) or (None, None, None)  # fmt: skip
        lacks = tuple(name for name, lacking in zip(named, row[8:11], strict=True) if lacking)
        values = [*row[:8], lacks, row[11], row[12], *asked]
        yield Arrival(*values)


def asked_item(db: Database, identity_id: int, me: str) -> int | None:
    """The item about the identity in an open campaign: mine if there is one."""
    found = db.value(
        "SELECT n.id FROM item n JOIN campaign c ON c.id = n.campaign_id WHERE n.identity_id = ?"
        " AND c.closed_at IS NULL AND c.item_kind = 'identity'"
        " ORDER BY n.reviewer = ? DESC, n.id DESC LIMIT 1",
        (identity_id, me),
    )
    return None if found is None else int(found)


def answer(
    db: Database, identity_id: int, me: str, now: str, *, purpose: str | None = None,
    owner: str | None = None, approve: bool = False, reason: str = "",
) -> list[str]:  # fmt: skip
    """Keep what *me* says of the identity, all or nothing; what was done, in words.

    A purpose is kept at once. An owner and an approval are drafts on its item in an open campaign,
    signed at the next sign-off; with an approval the purpose is part of the reason, so signed too.
    Raises UsageError when there is nothing to do or no review asks about it.
    """
    if purpose is None and owner is None and not approve:
        raise UsageError("say something: --purpose, --owner or --approve")
    item_id = asked_item(db, identity_id, me)
    if item_id is None and (owner is not None or approve):
        raise UsageError(
            "an owner and an approval are signed in a review, and none that is open asks about it:"
            " `muster intake open`, then answer again"
        )
    done = []
    with db.atomic():
        if purpose is not None:
            keep_purpose(db, identity_id, purpose, me, now)
            done.append("purpose kept")
        if owner is not None and item_id is not None:
            save_own(db, [item_id], owner, "said at intake", now, by=me)
            done.append(f"drafted: {owner} answers for it")
        if approve and item_id is not None:
            why = "; ".join(filter(None, (reason.strip(), purpose and f"for: {purpose.strip()}")))
            draft = Draft("approve", None, why, Attention(None, now, False))
            save_drafts(db, [item_id], draft, now, me)
            done.append("drafted: approve")
    return done


def refuse_empty(db: Database, scope: str, now: str) -> None:
    """Raise NotFound, in words of an intake, when nothing of *scope* waits to be asked about."""
    compiled = filters.compile_filter(scope, now)
    if db.value(f"SELECT 1 {FRAME} WHERE {compiled.sql} LIMIT 1", compiled.params) is None:
        raise NotFound("nothing new waits: what is here is asked about, or came with a first export"
                       " (`muster intake` lists what lacks something)")  # fmt: skip


def check_purpose(purpose: str) -> None:
    """Raise UsageError, saying why, for what cannot be kept as a purpose."""
    refuse_secret(purpose, "the purpose")
    if not 1 <= len(purpose.strip()) <= inventory.MAX_PURPOSE:
        raise UsageError(f"a purpose has 1 to {inventory.MAX_PURPOSE} characters")


def keep_purpose(db: Database, identity_id: int, purpose: str, me: str, now: str) -> None:
    """Keep *purpose* as what *me* says the identity is for; UsageError where it cannot be kept."""
    check_purpose(purpose)
    inventory.say_purpose(db, identity_id, purpose, me, now)
