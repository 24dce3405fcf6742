"""Sign-off: a batch of drafts becomes rows, a root, one statement and log entries.

Freeze the batch; sign outside any transaction (a hardware key may wait a minute for a touch);
commit by compare-and-swap on the device chain and the drafts. A crash before the commit leaves
the drafts, after it the decisions; there is nothing between. Decisions go by one at a time,
whatever their number; owners and countersignatures of one sign-off are held in memory.
"""

import hashlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

from passmuster import attestations, blobs, inventory, merkle, store, tlog
from passmuster.attestations import Link
from passmuster.campaigns import _countersigning, _handing
from passmuster.campaigns._batch import Batch, OwnRow, Row, Rows, Signed
from passmuster.campaigns._changed import changed_since
from passmuster.campaigns._contested import mark_contested
from passmuster.campaigns._deciding import as_draft
from passmuster.campaigns._queue import part_name
from passmuster.errors import Conflict, NotFound, UsageError
from passmuster.keys import SigningKey
from passmuster.model import Draft
from passmuster.store import Database
from passmuster.text import Json, canonical, sha256

AT_ONCE = 1_000
"""Drafts that are in memory together."""


def prepare(db: Database, campaign_id: int, principal: str) -> Batch:
    """Freeze the drafts of *principal* in a campaign, as reviewer and as second person.

    Raises NotFound when there are none.
    """
    campaign, closed = _campaign(db, campaign_id)
    if closed:
        raise UsageError(f"the campaign was closed on {closed}: nothing more can be signed")
    mark, rows = hashlib.sha256(), Rows(db.path.parent)
    for chunk in _drafts(db, campaign_id, principal):
        changed = changed_since(db, [d[0] for d in chunk])
        saw = _seen_rows(db, [d[0] for d in chunk])
        for d in chunk:
            mark.update(_marked(d))
            rows.add(_row(d, changed.get(d[0], []), saw.get(d[0], [])))
    own = _own_drafts(db, campaign_id, principal)
    seconds = _countersigning.drafts(db, campaign_id, principal)
    if not rows and not own and not seconds:
        raise NotFound("nothing to sign: decide something first (`muster queue`)")
    own_rows = [_own_row(db, o) for o in own]
    undecided = db.value(
        "SELECT count(*) FROM item WHERE campaign_id = ? AND reviewer = ? AND state = 'open'",
        (campaign_id, principal),
    )
    return Batch(
        campaign_id, campaign, principal, rows, own_rows, tlog.next_link(db),
        _fingerprint(mark, own, seconds), undecided,
        _countersigning.batch_of(db, campaign, seconds, principal),
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
    owners = _handing.parts(db, batch.campaign_id, batch.own)
    link, envelopes = tlog.enrol_at(db, batch.link, key, now), []
    if batch.rows:
        envelope, link = _decisions(batch, link, key, now)
        envelopes.append(envelope)
    for part in owners:
        envelope, link = _handing.statement(batch.campaign, part, link, key, now)
        envelopes.append(envelope)
    if batch.seconds:
        envelopes.append(_countersigning.statement(batch.campaign, batch.seconds, link, key, now))
    with db.atomic():
        _compare(db, batch)
        if batch.rows:
            blobs.keep(db, (line + b"\n" for line in batch.rows.signed()))
        files = chain.from_iterable(part[1:] for part in owners)
        for content in filter(None, (_countersigning.content(batch.seconds), *files)):
            blobs.put(db, content)
        keys = tlog.known_keys(db)
        ids = [tlog.append(db, envelope, keys, batch.campaign, now) for envelope in envelopes]
        if batch.rows:
            _keep_rows(db, batch, ids[0])
        names = [sha256(attestations.verify(e, keys).payload) for e in envelopes]
        for part, name in zip(owners, names[1 if batch.rows else 0 :], strict=False):
            _keep_own(db, batch, part[0], name, now)
        if batch.seconds:
            _countersigning.keep(db, batch.seconds, ids[-1], batch.principal)
            mark_contested(db, batch.campaign_id, [row.item_id for row in batch.seconds])
    return Signed(names, batch.rows, batch.own, now, batch.seconds)


def _campaign(db: Database, campaign_id: int) -> tuple[str, str | None]:
    row = db.one("SELECT digest, closed_at FROM campaign WHERE id = ?", (campaign_id,))
    if row is None:
        raise NotFound(f"no campaign {campaign_id}")
    return row[0], row[1]


def _drafts(db: Database, campaign_id: int, principal: str) -> Iterator[list[tuple[Any, ...]]]:
    """The drafts in the order of the population, some at a time."""
    # from the drafts to their items: in this order there is nothing to sort, but where items came
    # one after the other from elsewhere
    came = db.value("SELECT travels FROM campaign WHERE id = ?", (campaign_id,)) == "in"
    order = "i.place, i.id" if came else "d.item_id"
    rows = db.execute(
        "SELECT i.id, i.name, y.display_name, i.uri, i.identity_id, i.dossier, i.material,"
        " d.verdict, d.reason_code, d.reason_text, d.attention, d.until, d.changes, d.bulk,"
        " y.uid, i.risk"
        " FROM draft d CROSS JOIN item i ON i.id = d.item_id"
        " CROSS JOIN identity y ON y.id = i.identity_id"
        " WHERE i.campaign_id = ? AND i.reviewer = ? AND d.author = i.reviewer"
        f" AND i.state = 'draft' ORDER BY {order}",
        (campaign_id, principal),
    )
    while chunk := rows.fetchmany(AT_ONCE):
        yield chunk


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


def _seen_rows(db: Database, item_ids: list[int]) -> dict[int, list[str]]:
    """Names of the earlier rows on each of the drafted items that its reviewer had seen.

    What came from another device after the draft was made was not before their eyes.
    """
    seen: dict[int, list[str]] = {}
    for item_id, leaf in db.execute(
        "SELECT x.item_id, x.leaf FROM decision x JOIN draft d ON d.item_id = x.item_id"
        " JOIN entry e ON e.id = x.entry_id WHERE x.item_id BETWEEN ? AND ?"
        " AND (e.device = ? OR e.logged_at <= d.saved_at)"
        " ORDER BY x.item_id, x.entry_id, x.leaf",
        (min(item_ids), max(item_ids), store.device(db)),
    ):
        seen.setdefault(item_id, []).append(leaf)
    # a stop in an emergency counts as seen only where the draft was saved after it was logged
    for item_id, leaf in db.execute(
        "SELECT i.id, g.leaf FROM emergency g CROSS JOIN entry e ON e.id = g.entry_id"
        " CROSS JOIN item i ON i.uri = g.uri AND i.id BETWEEN ?1 AND ?2"
        " JOIN draft d ON d.item_id = i.id WHERE e.logged_at < d.saved_at"
        " ORDER BY i.id, g.entry_id", (min(item_ids), max(item_ids)),
    ):  # fmt: skip
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


def _marked(draft: tuple[Any, ...]) -> bytes:
    return json.dumps(draft).encode() + b"\n"


def _fingerprint(mark: "hashlib._Hash", *drafts: list[tuple[Any, ...]]) -> str:
    """A digest of all drafts: *mark* has taken in the decisions, one by one."""
    for rows in drafts:
        mark.update(b"\n")
        for row in rows:
            mark.update(_marked(row))
    return mark.hexdigest()


def _decisions(batch: Batch, link: Link, key: SigningKey, now: str) -> tuple[bytes, Link]:
    rows = batch.rows
    body = {
        "basis": {"campaign": batch.campaign},
        "root": rows.tree.root(),
        "count": len(rows),
        "decidedFrom": rows.decided_from,
        "decidedTo": rows.decided_to,
    }
    changed = [{"item": row.uri, "parts": row.changed} for row in batch.changed]
    payload = attestations.statement(
        "decisions", {"decisions.jsonl": rows.digest.hexdigest()}, body, link, now, key.principal,
        {"changedEvidence": changed} if changed else None,
    )  # fmt: skip
    return attestations.sign(payload, key), replace(link, seq=link.seq + 1, prev=sha256(payload))


def _compare(db: Database, batch: Batch) -> None:
    mark = hashlib.sha256()
    for chunk in _drafts(db, batch.campaign_id, batch.principal):
        for draft in chunk:
            mark.update(_marked(draft))
    own = _own_drafts(db, batch.campaign_id, batch.principal)
    seconds = _countersigning.drafts(db, batch.campaign_id, batch.principal)
    if _fingerprint(mark, own, seconds) != batch.drafts:
        raise Conflict("a draft was changed while you were signing: look again, then sign again")
    if _campaign(db, batch.campaign_id)[1]:
        raise Conflict("the campaign was closed while you were signing")


def _keep_rows(db: Database, batch: Batch, entry_id: int) -> None:
    """Put the signed rows into the table, in place of their drafts."""
    db.executemany(
        "INSERT INTO decision (leaf, item_id, entry_id, identity_id, uri, verdict, until, changes,"
        " reason_code, reason_text, material, principal, decided_at, row)"
        " SELECT ?, id, ?, identity_id, uri, ?, ?, ?, ?, ?, material, ?, ?, ? FROM item"
        " WHERE id = ?",
        (
            (
                merkle.leaf_hash(r.bytes).hex(), entry_id, r.draft.verdict, r.draft.until,
                json.dumps([c._asdict() for c in r.draft.changes]), r.draft.reason_code,
                r.draft.reason_text, batch.principal, r.draft.attention.decided,
                r.bytes.decode(), r.item_id,
            )
            for r in batch.rows
        ),
    )  # fmt: skip
    # what a second person drafted on the row before counts for nothing now: the new one waits
    db.executemany(
        "DELETE FROM second_draft WHERE decision IN (SELECT leaf FROM decision"
        " WHERE item_id = ? AND principal = ? AND entry_id < ?)",
        ((item_id, batch.principal, entry_id) for item_id in batch.rows.ids()),
    )
    ids = ((item_id,) for item_id in batch.rows.ids())
    db.executemany("DELETE FROM draft WHERE item_id = ?", ids)
    ids = ((item_id,) for item_id in batch.rows.ids())
    db.executemany("UPDATE item SET state = 'signed' WHERE id = ?", ids)
    mark_contested(db, batch.campaign_id, batch.rows.ids())


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
