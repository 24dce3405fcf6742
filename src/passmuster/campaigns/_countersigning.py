"""A second person's drafts become rows, a root and a statement of their own, in the same sign-off
as that person's decisions.
"""

import json
import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from passmuster import attestations, merkle, roster, seconds, store, tlog
from passmuster.attestations import Link
from passmuster.campaigns._campaign import Campaign
from passmuster.campaigns._changed import changed_since
from passmuster.campaigns._queue import part_name
from passmuster.campaigns._second_policy import policy_of
from passmuster.campaigns._seconding import MINE, NEWEST, VOID, as_second
from passmuster.campaigns._who import me_of
from passmuster.errors import UsageError
from passmuster.keys import SigningKey
from passmuster.model import SecondDraft
from passmuster.outcomes import Second, Vote
from passmuster.seconds import Signer
from passmuster.store import Database
from passmuster.text import Json, canonical, sha256

FILE = "countersignatures.jsonl"


@dataclass(frozen=True, slots=True)
class Countersign:
    """One drafted countersignature in a batch, with what a person should read before signing."""

    item_id: int
    display_name: str
    uri: str
    risk: int
    decision: str
    """The decision row that it is on."""
    decider: Signer
    verdict: str
    """Of the decision."""
    draft: SecondDraft
    bytes: bytes
    """The canonical line that will be signed."""
    changed: list[str]
    """Parts of the evidence that changed since it was frozen."""


Drafts = list[tuple[Any, ...]]


def drafts(db: Database, campaign_id: int, author: str) -> Drafts:
    """The drafts of *author* on rows that still count, in the order of the population.

    One on a row that was superseded meanwhile is not among them: nobody signs what counts for
    nothing.
    """
    found: Drafts = db.execute(
        "WITH me(who, also) AS (SELECT ?, ?)"
        "SELECT n.id, y.display_name, n.uri, y.uid, n.risk, n.dossier, n.material, d.leaf,"
        " d.principal, d.entry_id, d.verdict, f.verdict, f.reason_code, f.reason_text,"
        " f.attention, f.bulk"
        " FROM second_draft f JOIN me ON f.author = me.who JOIN decision d ON d.leaf = f.decision"
        " JOIN item n ON n.id = f.item_id JOIN identity y ON y.id = n.identity_id"
        f" WHERE n.campaign_id = ? AND n.needs_second = 1 AND {NEWEST} AND {MINE}"
        " ORDER BY n.place, n.id, d.entry_id, d.leaf",
        (*me_of(db, author), campaign_id),
    ).fetchall()
    return found


def batch_of(db: Database, campaign: str, found: Drafts, author: str) -> list[Countersign]:
    """What would be signed of the drafts *found*, which are *author*'s."""
    if not found:
        return []
    changed = changed_since(db, [row[0] for row in found])
    signers = signers_of(db, campaign)
    saw = _seen(db, [row[7] for row in found], author)
    return [_countersign(row, signers, saw, changed.get(row[0], [])) for row in found]


def _countersign(
    row: tuple[Any, ...], signers: dict[int, Signer], saw: dict[str, list[str]], changed: list[str]
) -> Countersign:
    draft = as_second(row[11:16])
    line = countersign_row(
        row[2], row[7], row[5], row[6], draft, saw.get(row[7], []), secrets.token_hex(16)
    )
    return Countersign(
        row[0], part_name(row[1], row[2], row[3]), row[2], row[4], row[7],
        signers[row[9]]._replace(principal=row[8]), row[10], draft, canonical(line), changed,
    )  # fmt: skip


def countersign_row(
    uri: str, decision: str, dossier: str, material: str, draft: SecondDraft, saw: list[str],
    salt: str,
) -> Json:  # fmt: skip
    """One line of `countersignatures.jsonl`, version 1: a contract, held by a golden file."""
    return {
        "item": uri,
        "row": decision,
        "dossier": dossier,
        "material": material,
        "verdict": draft.verdict,
        "reason": {"code": draft.reason_code, "text": draft.reason_text},
        "saw": saw,  # countersignatures on this row that were there before
        "attention": draft.attention._asdict(),
        "bulk": draft.bulk._asdict() if draft.bulk else None,
        "salt": salt,
        "capacity": "second",
        # null until a later release fills them
        "stage": None,
        "on_behalf_of": None,
        "relation_to_item": None,
        "actor_kind": None,
    }


def signers_of(
    db: Database, campaign: str, only: Collection[int] | None = None
) -> dict[int, Signer]:
    """Who signed each entry of a campaign, or *only* some of them, by the entry's id.

    Who is one person with whom is said by the roster in force when the campaign ended, or now:
    what comes to light before the end is heeded, and nothing that comes later bends the end.
    """
    known, found = tlog.known_keys(db), {}
    for entry in tlog.entries(db, campaign):
        if only is None or entry.id in only or entry.kind == "close":
            found[entry.id] = attestations.verify(entry.envelope, known)
    ended = next((i for i, said in found.items() if said.kind == "close"), None)
    says = roster.current(db) if ended is None else roster.in_force(db, ended)
    return {
        i: roster.signer(says, str(said.predicate["principal"]), said.keyid)
        for i, said in found.items()
    }


def _seen(db: Database, rows: list[str], author: str) -> dict[str, list[str]]:
    """Names of the countersignatures on each row that *author* had seen at the draft: what came
    from another device after it was not before their eyes.
    """
    found: dict[str, list[str]] = {}
    for row in rows:
        for (leaf,) in db.execute(
            "SELECT c.leaf FROM countersignature c JOIN entry e ON e.id = c.entry_id"
            " JOIN second_draft f ON f.decision = c.decision AND f.author = ?"
            " WHERE c.decision = ? AND (e.device = ? OR e.logged_at <= f.saved_at)"
            " ORDER BY c.entry_id, c.leaf", (author, row, store.device(db)),
        ):  # fmt: skip
            found.setdefault(row, []).append(leaf)
    return found


def counts(batch: list[Countersign]) -> dict[str, int]:
    """Rows by verdict."""
    return dict(Counter(row.draft.verdict for row in batch))


def refuse_unless_second(db: Database, batch: list[Countersign], key: SigningKey) -> None:
    """Raise UsageError when the holder of *key* is no second person to one of the rows."""
    says = roster.current(db)
    signer = roster.signer(says, key.principal, key.fingerprint)
    for row in batch:
        decider = roster.signer(says, row.decider.principal, row.decider.fingerprint)
        robot = next((one.principal for one in (signer, decider) if one.is_robot), None)
        if robot is not None:
            raise UsageError(
                f"{robot} is a robot, says the roster: two persons are asked for on "
                f"{row.display_name}, and a robot is none"
            )
        if seconds.same_person(signer, decider):
            how = (
                "with the same key, by" if signer.fingerprint == decider.fingerprint
                else "by you:"
                if signer.principal.lower() == decider.principal.lower()
                else "by the same person, says the roster:"
            )  # fmt: skip
            raise UsageError(
                f"{row.display_name} was decided {how} {decider.principal}: "
                "a second person is another person"
            )


def statement(
    campaign: str, batch: list[Countersign], link: Link, key: SigningKey, now: str
) -> bytes:
    """The signed envelope of the batch."""
    decided = [row.draft.attention.decided for row in batch]
    body = {
        "basis": {"campaign": campaign},
        "root": merkle.root(row.bytes for row in batch),
        "count": len(batch),
        "decidedFrom": min(decided),
        "decidedTo": max(decided),
    }
    changed = [{"item": row.uri, "parts": row.changed} for row in batch if row.changed]
    payload = attestations.statement(
        "countersign", {FILE: sha256(content(batch))}, body, link, now, key.principal,
        {"changedEvidence": changed} if changed else None,
    )  # fmt: skip
    return attestations.sign(payload, key)


def content(batch: list[Countersign]) -> bytes:
    """The file of rows."""
    return b"".join(row.bytes + b"\n" for row in batch)


def keep(db: Database, batch: list[Countersign], entry_id: int, principal: str) -> None:
    """Put the signed rows into the table, in place of their drafts."""
    db.executemany(
        "INSERT INTO countersignature (leaf, decision, item_id, entry_id, verdict, reason_code,"
        " reason_text, principal, decided_at, row) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                merkle.leaf_hash(r.bytes).hex(), r.decision, r.item_id, entry_id, r.draft.verdict,
                r.draft.reason_code, r.draft.reason_text, principal, r.draft.attention.decided,
                r.bytes.decode(),
            )
            for r in batch
        ],
    )  # fmt: skip
    db.executemany(
        "DELETE FROM second_draft WHERE decision = ? AND author = ?",
        [(r.decision, principal) for r in batch],
    )


def countersigned(
    db: Database, at: Campaign, first: int, last: int, signers: Mapping[int, Signer]
) -> list[Second]:
    """The signed countersignatures that are not void on the items of a campaign from *first* to
    *last*, in log order; *signers* is `signers_of`.
    """
    rows = db.execute(
        "SELECT c.decision, c.leaf, c.principal, c.entry_id, c.verdict,"
        " json_extract(c.row, '$.saw') FROM item n"
        " JOIN countersignature c ON c.item_id = n.id WHERE n.id BETWEEN ? AND ?"
        f" AND +n.campaign_id = ? AND c.entry_id NOT IN ({VOID}) ORDER BY c.entry_id, c.leaf",
        (first, last, at.id),
    )
    return [
        Second(decision, leaf, signers[entry]._replace(principal=principal), verdict, entry,
               tuple(json.loads(saw)))
        for decision, leaf, principal, entry, verdict, saw
        in rows
    ]  # fmt: skip


def signed_by(votes: Iterable[Vote], signers: Mapping[int, Signer]) -> list[Vote]:
    """*votes* with whose key signed each, and who that is."""
    return [
        replace(vote, fingerprint=by.fingerprint, person=by.person, is_robot=by.is_robot)
        for vote in votes for by in (signers.get(vote.order, vote.signer),)
    ]  # fmt: skip


def needed(db: Database, at: Campaign, first: int, last: int) -> dict[str, tuple[str, ...]]:
    """Of the items from *first* to *last* those whose approval needs a second person → who may be
    one; empty without such a rule.
    """
    policy = policy_of(db, at.definition)
    if policy is None:
        return {}
    return {
        uri: tuple(e for e in policy.by if f" {e} " not in barred)
        for uri, barred in db.execute(
            "SELECT uri, barred FROM item WHERE id BETWEEN ? AND ? AND +campaign_id = ?"
            " AND needs_second = 1 ORDER BY id",
            (first, last, at.id),
        )
    }
