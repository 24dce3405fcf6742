"""How a campaign stands, and its end: outcomes are computed here, never stored."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from passmuster.errors import NotFound, UsageError
from passmuster.store import Database
from passmuster.text import nearest, plural, sha256

if TYPE_CHECKING:
    from passmuster.keys import SigningKey
    from passmuster.outcomes import Outcome, Vote


@dataclass(frozen=True, slots=True)
class Campaign:
    """One run of a review."""

    id: int
    name: str
    digest: str
    item_kind: str
    scope: str
    due_at: str
    opened_at: str
    opened_by: str
    closed_at: str | None
    population: int
    excluded: int
    definition: str


_COLUMNS = ", ".join(Campaign.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one reviewer, or everybody, is."""

    reviewer: str | None
    total: int
    signed: int
    drafts: int
    open: int
    unowned: int


def campaigns(db: Database) -> list[Campaign]:
    """Every campaign, newest first."""
    return [
        Campaign(*row) for row in db.execute(f"SELECT {_COLUMNS} FROM campaign ORDER BY id DESC")
    ]


def campaign(db: Database, name: str | None = None) -> Campaign:
    """The campaign called *name* (or by its digest); without a name, the one that is open.

    Raises NotFound when there is none, or several are open and none was named.
    """
    if name is None:
        found = [c for c in campaigns(db) if c.closed_at is None]
        if len(found) == 1:
            return found[0]
        if not found:
            raise NotFound("no open campaign: open one with `muster campaign open`")
        names = ", ".join(c.name for c in found)
        raise NotFound(f"several campaigns are open; say which with --campaign: {names}")
    row = db.one(
        f"SELECT {_COLUMNS} FROM campaign WHERE name = ?1 OR digest = ?1"
        " OR (length(?1) >= 8 AND substr(digest, 1, length(?1)) = ?1)",
        (name,),
    )
    if row is None:
        raise NotFound(
            f"no campaign {name!r}" + (nearest(name, [c.name for c in campaigns(db)])
                                       if campaigns(db) else ": open one first")
        )  # fmt: skip
    return Campaign(*row)


def progress(db: Database, campaign_id: int, reviewer: str | None = None) -> Progress:
    """How far *reviewer* is in a campaign, or everybody together."""
    rows = db.execute(
        "SELECT state, count(*), sum(assigned LIKE 'unowned%') FROM item WHERE campaign_id = ?1"
        " AND (?2 IS NULL OR reviewer = ?2) GROUP BY state",
        (campaign_id, reviewer),
    ).fetchall()
    by = {state: count for state, count, _ in rows}
    return Progress(
        reviewer, sum(by.values()), by.get("signed", 0), by.get("draft", 0), by.get("open", 0),
        sum(row[2] for row in rows),
    )  # fmt: skip


def by_reviewer(db: Database, campaign_id: int) -> list[Progress]:
    """The progress of each reviewer, the one with most to do first."""
    reviewers = db.execute(
        "SELECT reviewer FROM item WHERE campaign_id = ? GROUP BY reviewer", (campaign_id,)
    ).fetchall()
    found = [progress(db, campaign_id, row[0]) for row in reviewers]
    return sorted(found, key=lambda p: (-p.open, p.reviewer or ""))


def outcomes_of(db: Database, at: Campaign) -> "dict[str, Outcome]":
    """The outcome of every item of a campaign, from what is signed and present."""
    from passmuster import outcomes

    asked: dict[str, set[str]] = {}
    for uri, reviewer in db.execute(
        "SELECT uri, reviewer FROM item WHERE campaign_id = ? ORDER BY id", (at.id,)
    ):
        asked[uri] = {reviewer}
    for uri, principal in handed_over(db, at):
        asked[uri].add(principal)
    return outcomes.fold(votes(db, at), asked)


def handed_over(db: Database, at: Campaign) -> list[tuple[str, str]]:
    """(URI, principal) of reviewers who gave an item away; what they decided before counts."""
    rows: list[tuple[str, str]] = db.execute(
        "SELECT DISTINCT d.uri, d.principal FROM decision d JOIN item i ON i.id = d.item_id"
        " WHERE i.campaign_id = ? AND d.principal <> i.reviewer"
        " AND i.first_reviewer IS NOT NULL",
        (at.id,),
    ).fetchall()
    return rows


def votes(db: Database, at: Campaign) -> "list[Vote]":
    """Every signed row of a campaign, in log order."""
    rows = db.execute(
        "SELECT d.uri, d.leaf, d.principal, d.verdict, d.until, d.changes, d.entry_id"
        " FROM decision d JOIN item i ON i.id = d.item_id WHERE i.campaign_id = ?"
        " ORDER BY d.entry_id, d.leaf",
        (at.id,),
    )
    return [_vote(row) for row in rows]


def _vote(row: tuple[Any, ...]) -> "Vote":
    from passmuster.outcomes import Vote

    changes = tuple((c["verb"], c["target"]) for c in json.loads(row[5]))
    uri, leaf, principal, verdict, until, _, order = row
    return Vote(uri, leaf, principal, verdict, until, changes, order)


def close(
    db: Database, at: Campaign, key: "SigningKey", now: str, *, leave_drafts: bool = False
) -> dict[str, int]:
    """Sign the end of a campaign: from now on nothing can be decided; outcome counts.

    A draft that nobody signed counts for nothing, so with any left it is refused unless
    *leave_drafts*.
    """
    from passmuster import attestations, tlog

    if at.closed_at:
        raise UsageError(f"the campaign {at.name!r} was closed on {at.closed_at} already")
    if key.principal.lower() != at.opened_by.lower():
        raise UsageError(f"{at.opened_by} opened it and closes it; the key is {key.principal}'s")
    left = progress(db, at.id).drafts
    if left and not leave_drafts:
        raise UsageError(
            f"{plural(left, 'draft')} would be lost: sign them first (`muster sign-off`), "
            "or close with --leave-drafts"
        )
    with db.atomic():
        tlog.enrol(db, key, now)
        counts: dict[str, int] = {}
        for outcome in outcomes_of(db, at).values():
            counts[outcome.effect] = counts.get(outcome.effect, 0) + 1
        heads = db.execute(
            "SELECT device, max(seq), statement FROM entry GROUP BY device ORDER BY device"
        ).fetchall()
        body = {
            "campaign": at.digest,
            "heads": [{"device": d, "seq": s, "head": h} for d, s, h in heads],
            "outcomes": dict(sorted(counts.items())),
            "unsignedDrafts": progress(db, at.id).drafts,
        }
        payload = attestations.statement(
            "close", {"campaign": at.digest}, body, tlog.next_link(db), now, key.principal
        )
        envelope = attestations.sign(payload, key)
        tlog.append(db, envelope, tlog.known_keys(db), at.digest, now)
        db.execute("UPDATE campaign SET closed_at = ? WHERE id = ?", (now, at.id))
    return counts


def definition(db: Database, at: Campaign) -> bytes:
    """The document that the campaign statement's `definitionDigest` names."""
    from passmuster import blobs

    data = blobs.get(db, at.definition)
    assert sha256(data) == at.definition
    return data
