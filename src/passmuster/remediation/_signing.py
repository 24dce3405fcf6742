"""The results of a run become rows, a root and one statement for each campaign, as decisions do.

What came of a step is on the disk before it is signed, so a run that is killed, or a key that is
not at hand, loses nothing: the next run signs what waits. Signing is outside any transaction; the
commit is refused when the chain moved meanwhile, and it is signed again.
"""

import json
from dataclasses import replace
from typing import NamedTuple

from passmuster import attestations, blobs, merkle, tlog
from passmuster.attestations import Link
from passmuster.errors import Conflict
from passmuster.keys import SigningKey
from passmuster.remediation._table import settle
from passmuster.store import Database
from passmuster.text import Json, sha256

FILE = "remediations.jsonl"
TRIES = 3
Waiting = list[tuple[int, str, str]]
"""(id, remediation, row)"""


class _Part(NamedTuple):
    """What one statement is about."""

    basis: Json
    campaign: str | None
    rows: Waiting

    @property
    def content(self) -> bytes:
        return b"".join(row.encode() + b"\n" for _, _, row in self.rows)


def unsigned(db: Database) -> int:
    """How many results wait to be signed."""
    return int(db.value("SELECT count(*) FROM remediation_result WHERE entry_id IS NULL"))


def sign(db: Database, key: SigningKey, now: str) -> list[str]:
    """Sign all results that wait, and log them; the names of the statements, none without any."""
    for left in reversed(range(TRIES)):
        parts = _parts(db)
        if not parts:
            return []
        try:
            return _sign(db, parts, key, now)
        except Conflict:
            if not left:
                raise
    return []


def _sign(db: Database, parts: list[_Part], key: SigningKey, now: str) -> list[str]:
    tlog.enrol(db, key, now)
    link, envelopes = tlog.next_link(db), []
    for part in parts:
        envelope, link = _statement(part, link, key, now)
        envelopes.append(envelope)
    with db.atomic():
        known = tlog.known_keys(db)
        for part, envelope in zip(parts, envelopes, strict=True):
            blobs.put(db, part.content)
            entry_id = tlog.append(db, envelope, known, part.campaign, now)
            ids = [row[0] for row in part.rows]
            changed = db.executemany(
                "UPDATE remediation_result SET entry_id = ? WHERE id = ? AND entry_id IS NULL",
                [(entry_id, result) for result in ids],
            ).rowcount
            if changed != len(ids):
                raise Conflict("another muster signed these results meanwhile")
            for name in {row[1] for row in part.rows}:
                settle(db, name)
        return [attestations.unchecked(envelope).name for envelope in envelopes]


def _parts(db: Database) -> list[_Part]:
    """The rows that wait, by campaign or emergency, in the order in which they were made."""
    found: dict[str, _Part] = {}
    rows = db.execute(
        "SELECT q.id, q.remediation, q.row, r.campaign FROM remediation_result q"
        " JOIN remediation r ON r.name = q.remediation WHERE q.entry_id IS NULL ORDER BY q.id"
    )
    for index, name, row, campaign in rows:
        emergency = json.loads(row)["basis"].get("emergency")
        basis = {"campaign": campaign} if emergency is None else {"emergency": emergency}
        held = found.setdefault(json.dumps(basis), _Part(basis, campaign, []))
        held.rows.append((index, name, row))
    return list(found.values())


def _statement(part: _Part, link: Link, key: SigningKey, now: str) -> tuple[bytes, Link]:
    body = {
        "basis": part.basis,
        "root": merkle.root(row.encode() for _, _, row in part.rows),
        "count": len(part.rows),
    }
    payload = attestations.statement(
        "remediation", {FILE: sha256(part.content)}, body, link, now, key.principal
    )
    return attestations.sign(payload, key), replace(link, seq=link.seq + 1, prev=sha256(payload))
