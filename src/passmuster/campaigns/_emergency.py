"""A stop that cannot wait for a campaign: decided, signed and logged at once, reviewed afterwards.

It is a batch of decisions of version 1 with one row, on what the platform stops: an identity or one
credential of it. The statement's basis is `{emergency: reason, ticket?}` in place of a campaign,
and beside the row it signs `dossier.json`, all that was shown to whoever decided: outside a
campaign nobody froze it. When access that was stopped for a while is due to be given back stands in
`ext.restoreDue`; nothing gives it back by itself.

Signed is before done: whoever is killed between the two leaves a decision that is to be carried
out, and never a stop that nobody answers for.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from passmuster import attestations, blobs, merkle, roster, tlog
from passmuster.attestations import Attestation, check_basis, is_emergency
from passmuster.campaigns import _dossiers
from passmuster.campaigns._campaign import Campaign
from passmuster.campaigns._contested import mark_contested
from passmuster.campaigns._deciding import MAX_REASON, refuse_secret
from passmuster.campaigns._rows import check_row
from passmuster.campaigns._signing import decision_row
from passmuster.campaigns._votes import late
from passmuster.central import SHOWN
from passmuster.errors import Conflict, NotFound, UsageError, VerificationFailed
from passmuster.keys import SigningKey
from passmuster.model import Attention, Draft, Verdict
from passmuster.store import Database
from passmuster.text import (
    Json,
    canonical,
    epoch,
    from_epoch,
    sha256,
    strict_json,
    utc,
    visible,
)

ROWS = "decisions.jsonl"
ON_CALL = "on_call"
"""The capacity in which the row was decided."""
RESTORE_DUE = "restoreDue"
STOPS: tuple[Verdict, ...] = ("disable", "revoke")
KINDS = ("identity", "credential")
UNITS = {"m": 60, "h": 3_600, "d": 86_400}
MAX_FOR = 90 * UNITS["d"]
"""Seconds that a stop may be for; what is longer is for a campaign to decide."""
TRIES = 5
"""How often a decision is signed again because another muster signed in between."""


@dataclass(frozen=True, slots=True)
class Emergency:
    """What is to be signed, frozen."""

    dossier: Json
    """Of the identity or of one credential of it, as it was shown."""
    verdict: Verdict
    reason: str
    ticket: str | None
    principal: str
    shown_at: str
    decided_at: str
    restore_due: str | None = None
    """When the stop is due to be undone, None where nobody said."""

    @property
    def uri(self) -> str:
        """What is stopped."""
        return str(self.dossier["uri"])


@dataclass(frozen=True, slots=True)
class Stopped:
    """An emergency decision that is in the log."""

    statement: str
    leaf: str
    uri: str


def shown(db: Database, identity_id: int, part: str | None) -> Json:
    """The dossier of an identity, or of its credential with the uid *part*, made on the fly.

    Raises NotFound when it is no longer there.
    """
    for _, dossier in _dossiers.dossiers(db, [identity_id]):
        if part is None:
            return dossier
        for item in _dossiers.items(dossier, "credential"):
            if item["subject"] == part:
                return item
    raise NotFound(f"{visible(part or '')} is not in the inventory any more: import a new export")


def credentials_of(dossier: Json) -> list[Json]:
    """The dossier of each credential of an identity; none for what is a part already."""
    whole = dossier["of"] == "identity"
    return list(_dossiers.items(dossier, "credential")) if whole else []


def check_emergency(db: Database, reason: str, ticket: str | None, principal: str) -> None:
    """Raise UsageError unless *principal* may decide an emergency and the reason can be kept."""
    for words, what in ((reason, "the reason"), (ticket or "", "the ticket")):
        refuse_secret(words, what)
        if len(words) > MAX_REASON:
            raise UsageError(f"{what} has at most {MAX_REASON:,} characters")
    if not reason.strip():
        raise UsageError("an emergency needs a reason: --reason 'seen in a public gist'")
    says = roster.current(db)
    if says is None:
        return
    listed = next((p for p in says.people if p.principal.casefold() == principal.casefold()), None)
    if listed is None or not set(roster.FOR["emergency"]) & set(listed.roles):
        raise UsageError(
            f"the roster does not have {principal} in the role oncall: whoever has it may stop this"
            f" ({', '.join(on_call(db)) or 'nobody has: a registrar gives it'})"
        )


def restore_due(span: str, now: str) -> str:
    """When what is stopped for *span* (`30m`, `4h`, `2d`) is due to be given back."""
    found = re.fullmatch(r"([1-9]\d{0,4})([mhd])", span.strip())
    seconds = int(found[1]) * UNITS[found[2]] if found else 0
    if not 0 < seconds <= MAX_FOR:
        raise UsageError(f"{span!r} is no time to stop something for: write 30m, 4h or 2d, at most"
                         f" {MAX_FOR // UNITS['d']}d")  # fmt: skip
    return from_epoch(epoch(now) + seconds)


def on_call(db: Database) -> list[str]:
    """Who may decide an emergency by the roster; nobody is named without one."""
    says = roster.current(db)
    wanted = set(roster.FOR["emergency"])
    return [p.principal for p in says.people if wanted & set(p.roles)] if says else []


def sign_emergency(db: Database, urgent: Emergency, key: SigningKey, now: str) -> Stopped:
    """Sign the decision and log it; durable on return.

    Another muster that signs in this workspace meanwhile holds nothing up: then it is signed again.
    Raises UsageError when the key is another person's or may not, Conflict when it cannot be.
    """
    if key.principal.lower() != urgent.principal.lower():
        raise UsageError(
            f"the key is {key.principal}'s, not {urgent.principal}'s: nobody signs for another"
        )
    check_emergency(db, urgent.reason, urgent.ticket, urgent.principal)
    line, row = _row(db, urgent)
    tlog.enrol(db, key, now)
    for _ in range(TRIES):
        envelope = attestations.sign(_payload(db, urgent, line, row, key, now), key)
        try:
            with db.atomic():
                blobs.put(db, row + b"\n")
                blobs.put(db, line)
                index = tlog.append(db, envelope, tlog.known_keys(db), None, now)
                keep(db, attestations.unchecked(envelope), row, index)
        except Conflict:
            continue
        return Stopped(attestations.unchecked(envelope).name, _leaf(row), urgent.uri)
    raise Conflict("others sign in this workspace all the time: try again")


def _leaf(row: bytes) -> str:
    return merkle.leaf_hash(row).hex()


def _row(db: Database, urgent: Emergency) -> tuple[bytes, bytes]:
    """The bytes of the dossier, and of the row."""
    line, digest, material = _dossiers.digests(urgent.dossier)
    attention = Attention(urgent.shown_at, urgent.decided_at, False)
    words = Draft(urgent.verdict, None, visible(urgent.reason), attention)
    before = [row[0] for row in db.execute(
        "SELECT leaf FROM (SELECT leaf, entry_id FROM decision WHERE uri = ?1"
        " UNION ALL SELECT leaf, entry_id FROM emergency WHERE uri = ?1)"
        " ORDER BY entry_id, leaf", (urgent.uri,)
    )]  # fmt: skip
    row = decision_row(urgent.uri, digest, material, words, before, secrets.token_hex(16))
    return line, canonical({**row, "capacity": ON_CALL})


def _payload(
    db: Database, urgent: Emergency, line: bytes, row: bytes, key: SigningKey, now: str
) -> bytes:
    ticket = {"ticket": visible(urgent.ticket)} if urgent.ticket else {}
    body = {
        "basis": {"emergency": visible(urgent.reason), **ticket},
        "root": merkle.root([row]),
        "count": 1,
        "decidedFrom": urgent.decided_at,
        "decidedTo": urgent.decided_at,
    }
    subject = {ROWS: sha256(row + b"\n"), SHOWN: sha256(line)}
    ext = {RESTORE_DUE: urgent.restore_due} if urgent.restore_due else None
    link = tlog.next_link(db)
    return attestations.statement("decisions", subject, body, link, now, key.principal, ext)


# --- as it comes from another device, and as it stands in a pack


def check_statement(
    said: Attestation, rows: bytes, dossier: bytes, where: str
) -> tuple[bytes, Json]:
    """The one row of an emergency decision, once it is of its form and about what it names.

    Raises VerificationFailed, naming *where*.
    """
    body, subject = said.predicate, dict(said.subject)
    check_basis(said)
    if not is_emergency(said) or [name for name, _ in said.subject] != [ROWS, SHOWN]:
        raise VerificationFailed(f"{where}: is no emergency decision about its row and dossier")
    if (subject[ROWS], subject[SHOWN]) != (sha256(rows), sha256(dossier)):
        raise VerificationFailed(f"{where}: its files are not the ones that were signed")
    line = rows.removesuffix(b"\n")
    try:
        row, about = strict_json(line), strict_json(dossier)
    except (ValueError, RecursionError) as error:
        raise VerificationFailed(f"{where}: {error}") from None
    check_row("decisions", row, where)
    try:
        _, digest, material = _dossiers.digests(about)
        kind = subject_of(row["item"])[1]
    except (KeyError, TypeError, AttributeError, ValueError):
        raise VerificationFailed(f"{where}: its dossier or its subject has another form") from None
    at, due = row["attention"]["decided"], body["ext"].get(RESTORE_DUE)
    holds = (
        rows == line + b"\n" and (body["root"], body["count"]) == (merkle.root([line]), 1)
        and (body["decidedFrom"], body["decidedTo"]) == (at, at)
        and row["verdict"] in STOPS and row["capacity"] == ON_CALL and kind in KINDS
        and (about["uri"], digest, material) == (row["item"], row["dossier"], row["material"])
        and row["reason"]["text"] == body["basis"]["emergency"]
        and (due is None or (isinstance(due, str) and utc(due) == due))
    )  # fmt: skip
    if not holds:
        raise VerificationFailed(f"{where}: its row, its dossier and what it signs differ")
    return line, row


def take_emergency(db: Database, said: Attestation, index: int) -> None:
    """Put an emergency decision of another device, number *index* of the log, where it is read.

    Raises NotFound while its files are not here, VerificationFailed for another form than ours.
    """
    files = dict(said.subject)
    if files.keys() != {ROWS, SHOWN}:
        raise VerificationFailed("an emergency decision that does not name its row and its dossier")
    rows, dossier = blobs.get(db, files[ROWS]), blobs.get(db, files[SHOWN])
    line, _ = check_statement(said, rows, dossier, f"the emergency decision {said.name[:16]}…")
    keep(db, said, line, index)


def keep(db: Database, said: Attestation, line: bytes, index: int) -> None:
    """Note a decision that was checked; inside the transaction that logs it."""
    row, body = strict_json(line), said.predicate
    source, kind, uid = subject_of(row["item"])
    db.execute(
        "INSERT OR IGNORE INTO emergency (leaf, entry_id, uri, source, kind, uid, verdict, reason,"
        " ticket, restore_due, principal, decided_at, row)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            _leaf(line), index, row["item"], source, kind, uid, row["verdict"],
            row["reason"]["text"], body["basis"].get("ticket"), body["ext"].get(RESTORE_DUE),
            str(body["principal"]).lower(), row["attention"]["decided"], line.decode(),
        ),
    )  # fmt: skip
    for campaign_id, item_id in db.execute(
        "SELECT c.id, n.id FROM campaign c CROSS JOIN item n"
        " ON n.campaign_id = c.id AND n.uri = ? WHERE c.closed_at IS NULL", (row["item"],)
    ).fetchall():  # fmt: skip
        mark_contested(db, campaign_id, [item_id])


def emergencies_in(db: Database, at: Campaign) -> list[tlog.Entry]:
    """The entries of emergency stops of items of a campaign, from its opening to its end, and of
    what came of them.
    """
    out = late(db, at.digest)
    rows = db.execute(
        "SELECT e.id, e.predicate, e.statement, e.campaign, e.principal, e.envelope, e.logged_at"
        " FROM emergency g CROSS JOIN item i ON i.campaign_id = ?1 AND i.uri = g.uri"
        " JOIN entry e ON e.id = g.entry_id"
        " WHERE e.id > (SELECT id FROM entry WHERE statement = ?2) ORDER BY e.id",
        (at.id, at.digest),
    ).fetchall()
    stops = [_entry(row) for row in rows if row[0] not in out]
    names = {entry.statement for entry in stops}
    results = db.execute(
        "SELECT id, predicate, statement, campaign, principal, envelope, logged_at FROM entry"
        " WHERE campaign IS NULL AND predicate = 'remediation' ORDER BY id"
    ).fetchall() if stops else []  # fmt: skip
    done = map(_entry, results)
    return [*stops, *(entry for entry in done if _basis(entry.envelope) in names)]


def _entry(row: Sequence[Any]) -> tlog.Entry:
    index, kind, name, of, principal, envelope, logged_at = row
    return tlog.Entry(index, kind, name, of, principal, bytes(envelope), logged_at)


def _basis(envelope: bytes) -> str | None:
    """The emergency that a result names."""
    found = attestations.unchecked(envelope).predicate["basis"].get("emergency")
    return None if found is None else str(found)


def subject_of(uri: str) -> tuple[str, str, str]:
    """(source, kind, uid) of a subject's URI. Raises ValueError for what is none."""
    source, kind, uid = uri.removeprefix("muster:").split("/", 2)
    found = unquote(source), kind, unquote(uid)
    if _dossiers.uri(*found) != uri:
        raise ValueError(f"{uri!r} is no URI of a subject")
    return found
