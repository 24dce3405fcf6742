"""Sign-off: a batch of drafts becomes rows, a root, one statement and log entries.

Freeze the batch; sign outside any transaction (a hardware key may wait a minute for a touch);
commit by compare-and-swap on the device chain and the drafts. A crash before the commit leaves
the drafts, after it the decisions; there is nothing between.
"""

import hashlib
import json
import secrets
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from passmuster import attestations, blobs, inventory, merkle, store, tlog
from passmuster.attestations import Link
from passmuster.campaigns import _countersigning, _handing
from passmuster.campaigns._changed import changed_since
from passmuster.campaigns._countersigning import Countersign
from passmuster.campaigns._deciding import HIGH_RISK, as_draft
from passmuster.campaigns._queue import part_name
from passmuster.campaigns._votes import mark_contested
from passmuster.errors import Conflict, NotFound, UsageError
from passmuster.keys import SigningKey
from passmuster.model import Draft
from passmuster.store import Database
from passmuster.text import Json, canonical, sha256


@dataclass(frozen=True, slots=True)
class Row:
    """One drafted decision in a batch, with what a person should read before signing."""

    item_id: int
    name: str
    display_name: str
    uri: str
    identity_id: int
    draft: Draft
    bytes: bytes
    """The canonical line that will be signed."""
    changed: list[str]
    """Parts of the evidence that changed since it was frozen."""
    risk: int


@dataclass(frozen=True, slots=True)
class OwnRow:
    """One drafted owner assignment in a batch."""

    item_id: int
    display_name: str
    owner: str
    reassign: bool
    reviewer: str | None
    """Who must decide the item from now on, when it is handed over."""
    bytes: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything that one sign-off will sign, frozen."""

    campaign_id: int
    campaign: str
    """The campaign statement's digest."""
    principal: str
    rows: list[Row]
    own: list[OwnRow]
    link: Link
    drafts: str
    """Digest of the drafts as they were read; signing fails if they differ by then."""
    undecided: int
    """Items of this reviewer that will still read `no_response`."""
    seconds: list[Countersign] = field(default_factory=list)
    """What this person countersigns as the second one."""

    @property
    def counts(self) -> dict[str, int]:
        """Rows by verdict."""
        return dict(Counter(row.draft.verdict for row in self.rows))

    @property
    def risky(self) -> list[Row]:
        """Plain approvals of what is at high risk, the riskiest first."""
        rows = [
            r for r in self.rows
            if r.draft.verdict == "approve" and not r.draft.changes and r.risk >= HIGH_RISK
        ]  # fmt: skip
        return sorted(rows, key=lambda r: -r.risk)

    @property
    def changed(self) -> list[Row | Countersign]:
        """Rows whose evidence changed since it was frozen."""
        changed: list[Row | Countersign] = [row for row in self.rows if row.changed]
        return changed + [row for row in self.seconds if row.changed]


@dataclass(frozen=True, slots=True)
class Signed:
    """A sign-off that is in the log."""

    statements: list[str]
    """SHA-256 of each statement: decisions, owners, countersignatures, where there are any."""
    rows: list[Row]
    own: list[OwnRow]
    signed_at: str
    leaves: list[str] = field(default_factory=list)
    seconds: list[Countersign] = field(default_factory=list)


def prepare(db: Database, campaign_id: int, principal: str) -> Batch:
    """Freeze the drafts of *principal* in a campaign, as reviewer and as second person.

    Raises NotFound when there are none.
    """
    campaign, closed = _campaign(db, campaign_id)
    if closed:
        raise UsageError(f"the campaign was closed on {closed}: nothing more can be signed")
    drafts = _drafts(db, campaign_id, principal)
    own = _own_drafts(db, campaign_id, principal)
    seconds = _countersigning.drafts(db, campaign_id, principal)
    if not drafts and not own and not seconds:
        raise NotFound("nothing to sign: decide something first (`muster queue`)")
    changed = changed_since(db, [d[0] for d in drafts])
    saw = _seen_rows(db, campaign_id, principal)
    rows = [_row(d, changed.get(d[0], []), saw.get(d[0], [])) for d in drafts]
    own_rows = [_own_row(db, o) for o in own]
    undecided = db.value(
        "SELECT count(*) FROM item WHERE campaign_id = ? AND reviewer = ? AND state = 'open'",
        (campaign_id, principal),
    )
    return Batch(
        campaign_id, campaign, principal, rows, own_rows, tlog.next_link(db),
        _fingerprint(drafts, own, seconds), undecided,
        _countersigning.batch_of(db, campaign, seconds),
    )  # fmt: skip


def sign_off(db: Database, batch: Batch, key: SigningKey, now: str) -> Signed:
    """Sign *batch* with *key* and log it, all or nothing.

    Raises UsageError when the key is another person's, Conflict when a draft or the chain
    changed since `prepare`; then prepare again.
    """
    if key.principal.lower() != batch.principal.lower():
        raise UsageError(
            f"the key is {key.principal}'s, the queue is {batch.principal}'s: "
            "nobody signs for somebody else"
        )
    _countersigning.refuse_unless_second(db, batch.seconds, key)
    decisions = b"".join(row.bytes + b"\n" for row in batch.rows)
    owners = _handing.parts(db, batch.campaign_id, batch.own)
    link, envelopes = _link(db, batch, key, now), []
    if batch.rows:
        envelope, link = _decisions(batch, decisions, link, key, now)
        envelopes.append(envelope)
    for part in owners:
        envelope, link = _handing.statement(batch.campaign, part, link, key, now)
        envelopes.append(envelope)
    if batch.seconds:
        envelopes.append(_countersigning.statement(batch.campaign, batch.seconds, link, key, now))
    with db.atomic():
        _compare(db, batch)
        files = chain.from_iterable(part[1:] for part in owners)
        for content in (decisions, _countersigning.content(batch.seconds), *files):
            if content:
                blobs.put(db, content)
        keys = tlog.known_keys(db)
        ids = [tlog.append(db, envelope, keys, batch.campaign, now) for envelope in envelopes]
        leaves = _keep_rows(db, batch, ids[0]) if batch.rows else []
        names = [sha256(attestations.verify(e, keys).payload) for e in envelopes]
        for part, name in zip(owners, names[1 if batch.rows else 0 :], strict=False):
            _keep_own(db, batch, part[0], name, now)
        if batch.seconds:
            _countersigning.keep(db, batch.seconds, ids[-1], batch.principal)
    return Signed(names, batch.rows, batch.own, now, leaves, batch.seconds)


def _link(db: Database, batch: Batch, key: SigningKey, now: str) -> Link:
    """Where the batch goes in the chain; a key that signs for the first time goes before it."""
    at = tlog.next_link(db)
    name = tlog.enrol(db, key, now)
    after = tlog.next_link(db)
    return after if at == batch.link and after.prev in (at.prev, name) else batch.link


def _campaign(db: Database, campaign_id: int) -> tuple[str, str | None]:
    row = db.one("SELECT digest, closed_at FROM campaign WHERE id = ?", (campaign_id,))
    if row is None:
        raise NotFound(f"no campaign {campaign_id}")
    return row[0], row[1]


def _drafts(db: Database, campaign_id: int, principal: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = db.execute(
        "SELECT i.id, i.name, y.display_name, i.uri, i.identity_id, i.dossier, i.material,"
        " d.verdict, d.reason_code, d.reason_text, d.attention, d.until, d.changes, d.bulk,"
        " y.uid, i.risk"
        " FROM draft d JOIN item i ON i.id = d.item_id JOIN identity y ON y.id = i.identity_id"
        " WHERE i.campaign_id = ? AND i.reviewer = ? AND d.author = i.reviewer"
        " AND i.state = 'draft' ORDER BY i.place, i.id",
        (campaign_id, principal),
    ).fetchall()
    return rows


def _own_drafts(db: Database, campaign_id: int, principal: str) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = db.execute(
        "SELECT i.id, y.display_name, i.uri, i.dossier, o.owner, o.role, o.evidence, o.reassign"
        " FROM own_draft o JOIN item i ON i.id = o.item_id"
        " JOIN identity y ON y.id = i.identity_id"
        " WHERE i.campaign_id = ? AND i.reviewer = ? AND o.author = i.reviewer"
        " ORDER BY i.place, i.id",
        (campaign_id, principal),
    ).fetchall()
    return rows


def _seen_rows(db: Database, campaign_id: int, principal: str) -> dict[int, list[str]]:
    """Names of the earlier rows on each drafted item that its reviewer had seen.

    What came from another device after the draft was made was not before their eyes.
    """
    seen: dict[int, list[str]] = {}
    for item_id, leaf in db.execute(
        "SELECT i.id, x.leaf FROM draft d JOIN item i ON i.id = d.item_id"
        " JOIN decision x ON x.item_id = i.id JOIN entry e ON e.id = x.entry_id"
        " WHERE i.campaign_id = ? AND i.reviewer = ?"
        " AND (e.device = ? OR e.logged_at <= d.saved_at)"
        " ORDER BY i.id, x.entry_id, x.leaf",
        (campaign_id, principal, store.device(db)),
    ):
        seen.setdefault(item_id, []).append(leaf)
    return seen


def _row(d: tuple[Any, ...], changed: list[str], saw: list[str]) -> Row:
    draft = as_draft(d[7:14])
    line = canonical(decision_row(d[3], d[5], d[6], draft, saw, secrets.token_hex(16)))
    name = part_name(d[2], d[3], d[14])
    return Row(d[0], d[1], name, d[3], d[4], draft, line, changed, d[15])


def decision_row(
    uri: str, dossier: str, material: str, draft: Draft, saw: list[str], salt: str
) -> Json:
    """One line of `decisions.jsonl`, version 1: a contract, held by a golden file."""
    return {
        "item": uri,
        "dossier": dossier,
        "material": material,
        "verdict": draft.verdict,
        "changes": [
            {k: v for k, v in change._asdict().items() if v is not None} for change in draft.changes
        ],
        "until": draft.until,
        "reason": {"code": draft.reason_code, "text": draft.reason_text},
        "saw": saw,
        "attention": draft.attention._asdict(),
        "bulk": draft.bulk._asdict() if draft.bulk else None,
        "salt": salt,
        # null until a later release fills them
        "stage": None,
        "capacity": None,
        "on_behalf_of": None,
        "relation_to_item": None,
        "actor_kind": None,
        "recommendation": None,
        "carried_from": None,
        "exception": None,
    }


def _own_row(db: Database, o: tuple[Any, ...]) -> OwnRow:
    reviewer = inventory.email_of(db, o[4]) if o[7] else None
    if o[7] and reviewer is None:
        raise UsageError(f"{o[4]} has no e-mail address: it cannot be asked to decide {o[1]}")
    line = canonical({
        "item": o[2], "dossier": o[3], "owner": o[4], "role": o[5], "evidence": o[6],
        "reviewer": reviewer, "salt": secrets.token_hex(16),
    })  # fmt: skip
    return OwnRow(o[0], o[1], o[4], bool(o[7]), reviewer, line)


def _fingerprint(*drafts: list[tuple[Any, ...]]) -> str:
    """A digest of all drafts, a row at a time."""
    digest = hashlib.sha256()
    for rows in drafts:
        for row in rows:
            digest.update(json.dumps(row).encode() + b"\n")
        digest.update(b"\n")
    return digest.hexdigest()


def _decisions(
    batch: Batch, content: bytes, link: Link, key: SigningKey, now: str
) -> tuple[bytes, Link]:
    decided = [row.draft.attention.decided for row in batch.rows]
    body = {
        "basis": {"campaign": batch.campaign},
        "root": merkle.root(row.bytes for row in batch.rows),
        "count": len(batch.rows),
        "decidedFrom": min(decided),
        "decidedTo": max(decided),
    }
    changed = [{"item": row.uri, "parts": row.changed} for row in batch.changed]
    payload = attestations.statement(
        "decisions", {"decisions.jsonl": sha256(content)}, body, link, now, key.principal,
        {"changedEvidence": changed} if changed else None,
    )  # fmt: skip
    return attestations.sign(payload, key), replace(link, seq=link.seq + 1, prev=sha256(payload))


def _compare(db: Database, batch: Batch) -> None:
    drafts = _drafts(db, batch.campaign_id, batch.principal)
    own = _own_drafts(db, batch.campaign_id, batch.principal)
    seconds = _countersigning.drafts(db, batch.campaign_id, batch.principal)
    if _fingerprint(drafts, own, seconds) != batch.drafts:
        raise Conflict("a draft was changed while you were signing: look again, then sign again")
    if _campaign(db, batch.campaign_id)[1]:
        raise Conflict("the campaign was closed while you were signing")


def _keep_rows(db: Database, batch: Batch, entry_id: int) -> list[str]:
    leaves = [merkle.leaf_hash(row.bytes).hex() for row in batch.rows]
    db.executemany(
        "INSERT INTO decision (leaf, item_id, entry_id, identity_id, uri, verdict, until, changes,"
        " reason_code, reason_text, material, principal, decided_at, row)"
        " SELECT ?, id, ?, identity_id, uri, ?, ?, ?, ?, ?, material, ?, ?, ? FROM item"
        " WHERE id = ?",
        (
            (
                leaf, entry_id, r.draft.verdict, r.draft.until,
                json.dumps([c._asdict() for c in r.draft.changes]), r.draft.reason_code,
                r.draft.reason_text, batch.principal, r.draft.attention.decided,
                r.bytes.decode(), r.item_id,
            )
            for leaf, r in zip(leaves, batch.rows, strict=True)
        ),
    )  # fmt: skip
    ids = [(r.item_id,) for r in batch.rows]
    # what a second person drafted on the row before counts for nothing now: the new one waits
    db.executemany(
        "DELETE FROM second_draft WHERE decision IN (SELECT leaf FROM decision"
        " WHERE item_id = ? AND principal = ? AND entry_id < ?)",
        ((r.item_id, batch.principal, entry_id) for r in batch.rows),
    )
    db.executemany("DELETE FROM draft WHERE item_id = ?", ids)
    db.executemany("UPDATE item SET state = 'signed' WHERE id = ?", ids)
    mark_contested(db, batch.campaign_id, [r.item_id for r in batch.rows])
    return leaves


def _keep_own(db: Database, batch: Batch, rows: list[OwnRow], statement: str, now: str) -> None:
    for row in rows:
        inventory.assign_owner(db, row.item_id, row.owner, statement, batch.principal, now)
        db.execute("DELETE FROM own_draft WHERE item_id = ?", (row.item_id,))
        if row.reviewer is not None:
            db.execute("DELETE FROM draft WHERE item_id = ?", (row.item_id,))
            db.execute(
                "UPDATE item SET first_reviewer = coalesce(first_reviewer, reviewer),"
                " first_assigned = coalesce(first_assigned, assigned), reviewer = ?,"
                " assigned = ?, state = 'open' WHERE id = ?",
                (row.reviewer, f"handed over by {batch.principal}", row.item_id),
            )
