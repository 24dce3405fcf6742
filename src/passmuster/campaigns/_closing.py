"""How a campaign stands, and its end: outcomes are computed here, never stored."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from passmuster.campaigns._campaign import Campaign, items_in_order
from passmuster.errors import UsageError
from passmuster.store import Database
from passmuster.text import Json, canonical, plural, sha256

if TYPE_CHECKING:
    from passmuster.keys import SigningKey
    from passmuster.outcomes import Outcome
    from passmuster.seconds import Signer

AT_ONCE = 1_000
"""Items whose outcomes are in memory together."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one reviewer, or everybody, is."""

    reviewer: str | None
    total: int
    signed: int
    drafts: int
    open: int
    unowned: int


def progress(db: Database, campaign_id: int, reviewer: str | None = None) -> Progress:
    """How far *reviewer* is in a campaign, or everybody together."""
    each = _counted(db, campaign_id, reviewer)
    return _progress(reviewer, sum(each.values(), Counter[str]()))


def by_reviewer(db: Database, campaign_id: int) -> list[Progress]:
    """The progress of each reviewer, the one with most to do first."""
    found = [_progress(who, by) for who, by in _counted(db, campaign_id, None).items()]
    return sorted(found, key=lambda p: (-p.open, p.reviewer or ""))


def _counted(db: Database, campaign_id: int, reviewer: str | None) -> dict[str, Counter[str]]:
    """Items of each reviewer, or of *reviewer* alone, by state, and how many were unowned."""
    which = "" if reviewer is None else " AND reviewer = ?2"
    found: dict[str, Counter[str]] = {}
    # in the order of an index: by state alone SQLite would sort all items, in memory
    for who, state, count, unowned in db.execute(
        "SELECT reviewer, state, count(*), sum(assigned LIKE 'unowned%') FROM item"
        f" WHERE campaign_id = ?1{which} GROUP BY reviewer, state",
        (campaign_id, reviewer)[: 1 if reviewer is None else 2],
    ):
        by = found.setdefault(who, Counter())
        by.update({state: count, "items": count, "unowned": unowned})
    return found


def _progress(reviewer: str | None, by: Counter[str]) -> Progress:
    return Progress(reviewer, by["items"], by["signed"], by["draft"], by["open"], by["unowned"])


def outcomes_of(db: Database, at: Campaign) -> "dict[str, Outcome]":
    """The outcome of every item of a campaign by its URI: `each_outcome` in memory."""
    return {outcome.uri: outcome for outcome in each_outcome(db, at)}


def each_outcome(db: Database, at: Campaign) -> "Iterator[Outcome]":
    """The outcome of every item of a campaign, from what is signed, present and not void; in the
    order of the population, some at a time.
    """
    from passmuster import outcomes
    from passmuster.campaigns import _countersigning, _votes

    votes = _votes.Votes(db, at.id, at.digest)
    signers: dict[int, Signer] = {}
    rows = items_in_order(db, at.id, "i.id, i.uri, i.reviewer")
    while chunk := rows.fetchmany(AT_ONCE):
        first, last = chunk[0][0], chunk[-1][0]
        asked = {uri: {reviewer, *votes.asked.ever(uri)} for _, uri, reviewer in chunk}
        cast = votes.between(first, last)
        needed = _countersigning.needed(db, at, first, last)
        if not needed:
            yield from outcomes.fold(cast, asked).values()
            continue
        signers = signers or _countersigning.signers_of(db, at.digest)
        signed = _countersigning.signed_by(cast, signers)
        seconds = _countersigning.countersigned(db, at, first, last, signers)
        yield from outcomes.fold(signed, asked, seconds, needed).values()


def close(
    db: Database, at: Campaign, key: "SigningKey", now: str, *, leave_drafts: bool = False,
    leave_waiting: bool = False,
) -> dict[str, int]:  # fmt: skip
    """Sign the end of a campaign: from now on nothing can be decided; outcome counts.

    A draft that nobody signed counts for nothing, so with any left it is refused unless
    *leave_drafts*; an approval that waits for a second person never stands after the end, so with
    any it is refused unless *leave_waiting*.
    """
    from passmuster import attestations, tlog
    from passmuster.campaigns import _waiting

    if at.closed_at:
        raise UsageError(f"the campaign {at.name!r} was closed on {at.closed_at} already")
    if key.principal.lower() != at.opened_by.lower():
        raise UsageError(f"{at.opened_by} opened it and closes it; the key is {key.principal}'s")
    left = progress(db, at.id).drafts + _waiting.second_drafts(db, at.id)
    if left and not leave_drafts:
        raise UsageError(
            f"{plural(left, 'draft')} would be lost: sign them first (`muster sign-off`), "
            "or close with --leave-drafts"
        )
    waits = _waiting.waiting(db, at)
    if waits.rows and not leave_waiting:
        raise UsageError(
            f"{plural(waits.rows, 'approval')} would never stand: a second person has not "
            f"countersigned ({', '.join(waits.on) or 'nobody may: campaign status says why'}); wait"
            " for them, or close with --leave-waiting"
        )
    tlog.enrol(db, key, now)
    with db.atomic():
        link = tlog.next_link(db)
        counts = Counter[str](outcome.effect for outcome in each_outcome(db, at))
        heads, more = _heads(db, at, link.device)
        body = {
            "campaign": at.digest,
            "heads": heads,
            "outcomes": dict(sorted(counts.items())),
            "unsignedDrafts": progress(db, at.id).drafts + _waiting.second_drafts(db, at.id),
        }
    payload = attestations.statement(
        "close", {"campaign": at.digest}, body, link, now, key.principal,
        {**more, **_void_ext(db, at)},
    )  # fmt: skip
    envelope = attestations.sign(payload, key)  # a hardware key waits for a touch: nobody else does
    with db.atomic():  # whoever signed meanwhile moved the chain, and `append` says so
        tlog.append(db, envelope, tlog.known_keys(db), at.digest, now)
        db.execute("UPDATE campaign SET closed_at = ? WHERE id = ?", (now, at.id))
    return dict(counts)


def _void_ext(db: Database, at: Campaign) -> Json:
    """The statements that were left out of the outcomes; nothing where none was."""
    names = [row[0] for row in db.execute(
        "SELECT e.statement FROM void_entry v JOIN entry e ON e.id = v.entry_id"
        " WHERE e.campaign = ? ORDER BY e.statement", (at.digest,)
    )]  # fmt: skip
    return {"void": names} if names else {}


def _heads(db: Database, at: Campaign, own: str) -> tuple[list[Json], Json]:
    """What had been signed by the end: the last statement of each device.

    Of a campaign that travels those of others stand in a file, which `ext` names: a campaign may
    have more reviewers than a statement has room for.
    """
    from passmuster import blobs
    from passmuster.campaigns import _votes

    rows = db.execute(
        "SELECT device, max(seq), statement FROM entry GROUP BY device ORDER BY device"
    ).fetchall()
    heads = [{"device": d, "seq": s, "head": h} for d, s, h in rows]
    if not db.value("SELECT travels FROM campaign WHERE id = ?", (at.id,)):
        return heads, {}
    others = b"".join(canonical(head) + b"\n" for head in heads if head["device"] != own)
    return [head for head in heads if head["device"] == own], {_votes.HEADS: blobs.put(db, others)}


def definition(db: Database, at: Campaign) -> bytes:
    """The document that the campaign statement's `definitionDigest` names."""
    from passmuster import blobs

    data = blobs.get(db, at.definition)
    assert sha256(data) == at.definition
    return data
