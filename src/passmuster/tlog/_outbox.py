"""What is to be sent: entries of this workspace that the verified central log does not have.

Nothing is queued and nothing is taken off: an entry leaves the outbox by being seen in the
verified mirror, so that neither a crash nor a server that forgets can lose one. What the server
refused stays here with its reason until a person has looked.
"""

from typing import NamedTuple

from passmuster import roster
from passmuster.central import FOLDED
from passmuster.store import Database
from passmuster.tlog._mirror import central

PEOPLE = ("enrolment", "roster", "chain")
"""Kinds that belong to no campaign and travel always."""
KINDS = ", ".join(f"'{kind}'" for kind in PEOPLE)
"""And an emergency, which is in no campaign."""
IN_CAMPAIGNS = ", ".join(f"'{kind}'" for kind in FOLDED)
UNSENT = f"""
FROM entry e WHERE (
    e.predicate IN ({KINDS}) OR (e.predicate IN ('decisions', 'remediation') AND e.campaign IS NULL)
    OR (e.predicate IN ({IN_CAMPAIGNS})
    AND e.campaign IN (SELECT digest FROM campaign WHERE travels IS NOT NULL)))
AND NOT EXISTS (SELECT 1 FROM mirror m WHERE m.leaf = e.leaf
    AND m.idx < (SELECT size FROM central))
"""
NOT_REJECTED = "AND NOT EXISTS (SELECT 1 FROM rejected r WHERE r.entry_id = e.id)"


class Outgoing(NamedTuple):
    """A record to be offered."""

    entry_id: int | None
    """None for one that is only held."""
    line: bytes


class Rejected(NamedTuple):
    """A record that the server refused."""

    entry_id: int
    kind: str
    statement: str
    code: str
    why: str
    at: str


def outbox(db: Database, after: int, limit: int) -> list[Outgoing]:
    """The next entries to be sent behind entry *after*, oldest first."""
    rows = db.execute(
        f"SELECT e.id, e.envelope {UNSENT} {NOT_REJECTED} AND e.id > ? ORDER BY e.id LIMIT ?",
        (after, limit),
    )
    return [Outgoing(entry_id, bytes(envelope)) for entry_id, envelope in rows]


def held(db: Database, after: int, limit: int) -> list[tuple[int, Outgoing]]:
    """(index in the log as it was, record) of those that are offered to a restored log."""
    rows = db.execute(
        "SELECT idx, envelope FROM held WHERE idx > ? ORDER BY idx LIMIT ?", (after, limit)
    )
    return [(index, Outgoing(None, bytes(envelope))) for index, envelope in rows]


def unsent(db: Database) -> int:
    """How many records are to be sent."""
    count = int(db.value(
        f"SELECT (SELECT count(*) {UNSENT} {NOT_REJECTED}) + (SELECT count(*) FROM held)"
    ))  # fmt: skip
    return count + len(roster_to_send(db))


def roster_to_send(db: Database) -> list[Outgoing]:
    """The next roster, once everybody has signed it who must: it comes into force by being taken
    by the central log. None of a workspace without one.
    """
    made = roster.ready(db) if central(db) is not None else None
    return [] if made is None or made.envelope is None else [Outgoing(None, made.envelope)]


def waits(db: Database, entry_id: int) -> bool:
    """Whether an entry is still to be sent: it travels, and the central log is not known to have
    it. What is on its way this moment waits still.
    """
    return db.one(f"SELECT 1 {UNSENT} AND e.id = ?", (entry_id,)) is not None


def reject(db: Database, entry_id: int, code: str, why: str, now: str) -> None:
    """The server refused an entry: it is not sent again until a person says so."""
    db.execute("INSERT OR REPLACE INTO rejected (entry_id, code, why, at) VALUES (?, ?, ?, ?)",
               (entry_id, code, why, now))  # fmt: skip


def drop_held(db: Database, leaf: str) -> None:
    """A restored log refused a record that is only held: whoever made it offers it again."""
    db.execute("DELETE FROM held WHERE leaf = ?", (leaf,))


def rejected(db: Database) -> list[Rejected]:
    """What the server refused and does not have meanwhile, oldest first."""
    rows = db.execute(
        f"SELECT e.id, e.predicate, e.statement, r.code, r.why, r.at"
        f" {UNSENT.replace('FROM entry e', 'FROM rejected r JOIN entry e ON e.id = r.entry_id')}"
        " ORDER BY e.id"
    )
    return [Rejected(*row) for row in rows]


def offer_again(db: Database) -> int:
    """Send what was refused once more; how many."""
    with db.atomic():
        return int(db.execute("DELETE FROM rejected").rowcount)


def has(db: Database, leaf: bytes) -> bool:
    """Whether a record is an entry of this workspace."""
    return db.one("SELECT 1 FROM entry WHERE leaf = ?", (leaf.hex(),)) is not None
