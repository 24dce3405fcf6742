"""What one log entry of decisions says, row by row, for somebody who reads the log."""

import json
from typing import NamedTuple

from passmuster import blobs
from passmuster.campaigns._queue import part_name
from passmuster.errors import MusterError
from passmuster.model import Attention, Change, Draft
from passmuster.store import Database
from passmuster.text import Json, strict_json


class SignedRow(NamedTuple):
    """One signed decision."""

    risk: int
    display_name: str
    verdict: str
    until: str | None
    changes: int
    """Parts of the item that are to change."""
    reason: str


# From the items to their decisions: an item's decisions have an index, an entry's have none.
COUNTS = """
SELECT d.verdict, count(*) FROM entry e JOIN campaign c ON c.digest = e.campaign
    CROSS JOIN item n ON n.campaign_id = c.id
    CROSS JOIN decision d ON d.item_id = n.id AND d.entry_id = e.id
WHERE e.id = ? GROUP BY d.verdict
"""
ROWS = """
SELECT n.risk, y.display_name, n.uri, y.uid, d.verdict, d.until, json_array_length(d.changes),
    d.reason_text
FROM entry e JOIN campaign c ON c.digest = e.campaign CROSS JOIN item n ON n.campaign_id = c.id
    CROSS JOIN decision d ON d.item_id = n.id AND d.entry_id = e.id
    JOIN identity y ON y.id = n.identity_id
WHERE e.id = ? ORDER BY n.risk DESC, n.id LIMIT ?
"""


# of an emergency: what it stopped, as its platform calls it
URGENT = """
SELECT 0, g.uid, g.verdict, NULL, 0, g.reason FROM emergency g WHERE g.entry_id = ?
"""


def signed_counts(db: Database, entry_id: int) -> dict[str, int]:
    """Rows of a log entry by verdict; reads every item of its campaign, so call it in a thread."""
    found = dict(db.execute(COUNTS, (entry_id,)).fetchall())
    return found or dict(db.execute(
        "SELECT verdict, count(*) FROM emergency WHERE entry_id = ? GROUP BY verdict", (entry_id,)
    ).fetchall())  # fmt: skip


def signed_rows(db: Database, entry_id: int, limit: int) -> list[SignedRow]:
    """The riskiest *limit* rows of a log entry; to be called in a thread, as `signed_counts`."""
    found = [
        SignedRow(risk, part_name(name, uri, uid), *rest)
        for risk, name, uri, uid, *rest in db.execute(ROWS, (entry_id, limit))
    ]
    return found or [SignedRow(*row) for row in db.execute(URGENT, (entry_id,))]


def named_owners(db: Database, own_digest: str, limit: int) -> list[Json]:
    """The first *limit* rows of an `own.jsonl`; none where its bytes are not kept here."""
    try:
        content = blobs.get(db, own_digest)
    except MusterError:
        return []
    return [strict_json(line) for line in content.split(b"\n", limit)[:limit] if line]


def said_last(db: Database, item_id: int, who: str) -> tuple[Draft, int] | None:
    """(what *who* signed last on an item, as it would be drafted again, its entry); None for
    somebody who signed nothing on it.
    """
    row = db.one(
        "SELECT verdict, reason_code, reason_text, until, changes, entry_id FROM decision"
        " WHERE item_id = ? AND lower(principal) = ? ORDER BY entry_id DESC LIMIT 1",
        (item_id, who.lower()),
    )
    if row is None:
        return None
    verdict, code, words, until, changes, entry_id = row
    kept = tuple(Change(c["verb"], c["target"], c.get("to"), c.get("by"))
                 for c in json.loads(changes))  # fmt: skip
    return Draft(verdict, code, words, Attention(None, "", False), until, kept), entry_id
