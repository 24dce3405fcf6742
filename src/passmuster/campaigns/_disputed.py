"""What somebody has to look at again: items that are contested, and approvals that are stale.

Contested: people, or two devices of one person, decided it differently and neither saw the other
(`outcomes`); nothing stands and nothing is carried out until somebody who was asked decides with
both before their eyes. The same where devices of a second person contradict each other on an
approval: then it is theirs to say again. Stale: since an approval was signed, the part of the
evidence that it rests on has changed at its source; the approval stands, and says so.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from passmuster import outcomes
from passmuster.campaigns._campaign import Campaign
from passmuster.campaigns._changed import changed_since
from passmuster.campaigns._contested import seconds_at_odds
from passmuster.campaigns._queue import part_name
from passmuster.campaigns._votes import Votes
from passmuster.store import Database

AT_ONCE = 256
"""Items whose evidence is made anew together."""


class Said(NamedTuple):
    """One decision that counts, or one countersignature."""

    leaf: str
    principal: str
    verdict: str
    until: str | None
    reason: str
    decided_at: str
    saw: tuple[str, ...] = ()
    """Names of the rows of its kind on the item that its signer had seen."""
    details_opened: bool = False
    changes: int = 0
    """Parts of the item that are to change."""


class Disputed(NamedTuple):
    """An item to look at again."""

    item_id: int
    name: str
    """The short name, which commands take."""
    display_name: str
    reviewer: str
    """Who is to look at it again: whoever is to decide it, or the second person."""
    risk: int
    kind: str
    """contested or stale."""
    rows: tuple[Said, ...]
    """The decisions that count, or the countersignatures, in log order."""
    parts: tuple[str, ...] = ()
    """Of a stale one: the parts of the evidence that changed."""
    by_second: bool = False
    """Of a contested one: what contradicts are the countersignatures of one person."""


def disputed(db: Database, at: Campaign, limit: int | None = None) -> list[Disputed]:
    """Contested items, then stale ones, of each the riskiest first; at most *limit*.

    What is stale is looked for where something was imported since the campaign was opened, and
    the evidence of each approval there is made anew: call it in a thread.
    """
    found: list[Disputed] = []
    for one in _all(db, at):
        if limit is not None and len(found) == limit:
            break
        found.append(one)
    return found


def _all(db: Database, at: Campaign) -> Iterator[Disputed]:
    contested = db.execute(
        "SELECT id FROM item WHERE campaign_id = ? AND contested = 1 ORDER BY risk DESC, id",
        (at.id,),
    ).fetchall()
    votes = Votes(db, at.id, at.digest)
    for (item_id,) in contested:
        if (one := _disputed(votes, item_id, "contested")) is not None:
            yield one
    if at.travels == "in":  # nothing but the frozen evidence is known here
        return
    ids = [row[0] for row in db.execute(_MAYBE_STALE, {"campaign": at.id, "opened": at.opened_at})]
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        changed = changed_since(db, some)
        for item_id in (i for i in some if i in changed):
            one = _disputed(votes, item_id, "stale", tuple(changed[item_id]))
            if one is not None and any(row.verdict == "approve" for row in one.rows):
                yield one


# A register may change who owns anything, and so may an owner who was named in another review.
_MAYBE_STALE = """
SELECT n.id FROM item n JOIN identity y ON y.id = n.identity_id
WHERE n.campaign_id = :campaign AND n.contested = 0
    AND EXISTS (SELECT 1 FROM decision d WHERE d.item_id = n.id AND d.verdict = 'approve')
    AND (EXISTS (SELECT 1 FROM import_run r JOIN source s ON s.id = r.source_id
            WHERE r.imported_at > :opened AND (s.id = y.source_id OR s.platform = 'register'))
        OR EXISTS (SELECT 1 FROM entry e WHERE e.predicate = 'own' AND e.logged_at >= :opened))
ORDER BY n.risk DESC, n.id
"""


def _disputed(
    votes: Votes, item_id: int, kind: str, parts: tuple[str, ...] = ()
) -> Disputed | None:
    """The item with its decisions; None where an emergency stop counts: it stops, whatever else
    was said, and waits for its review elsewhere (`unreviewed`).
    """
    db = votes.db
    cast = votes.on(item_id)
    counted, at_odds = outcomes.heads(cast)
    if any(vote.emergency for vote in counted):
        return None
    name, called, uri, uid, reviewer, risk = db.one(
        "SELECT n.name, y.display_name, n.uri, y.uid, n.reviewer, n.risk FROM item n"
        " JOIN identity y ON y.id = n.identity_id WHERE n.id = ?", (item_id,),
    )  # fmt: skip
    said = [] if at_odds or kind == "stale" else seconds_at_odds(db, item_id, cast)
    if said:
        return Disputed(
            item_id, name, part_name(called, uri, uid), said[0].signer.principal, risk, kind,
            tuple(_countersigned(db, second.leaf) for second in said), by_second=True,
        )  # fmt: skip
    rows = [
        db.one(
            "SELECT leaf, principal, verdict, until, reason_text, decided_at,"
            " json_extract(row, '$.saw'), json_extract(row, '$.attention.details_opened'),"
            " json_array_length(changes) FROM decision WHERE leaf = ?", (vote.leaf,),
        )
        for vote in counted
    ]  # fmt: skip
    return Disputed(
        item_id, name, part_name(called, uri, uid), reviewer, risk, kind,
        tuple(_said(*row) for row in rows), parts,
    )  # fmt: skip


def _countersigned(db: Database, leaf: str) -> Said:
    return _said(*db.one(
        "SELECT leaf, principal, verdict, NULL, reason_text, decided_at,"
        " json_extract(row, '$.saw'), json_extract(row, '$.attention.details_opened'), 0"
        " FROM countersignature WHERE leaf = ?", (leaf,),
    ))  # fmt: skip


def _said(*row: Any) -> Said:
    saw, opened, changes = row[6:]
    leaf, principal, verdict, until, reason, at = row[:6]
    return Said(
        leaf, principal, verdict, until, reason, at, tuple(json.loads(saw)), bool(opened), changes
    )
