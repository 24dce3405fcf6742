"""Who owns what, signed; and where items travel, what brings them to whoever they are handed to."""

from dataclasses import replace
from typing import TYPE_CHECKING

from passmuster import attestations, merkle
from passmuster.attestations import Link
from passmuster.campaigns._publishing import handed_chunk
from passmuster.keys import SigningKey
from passmuster.store import Database
from passmuster.text import sha256

if TYPE_CHECKING:
    from passmuster.campaigns._batch import OwnRow

Part = tuple["list[OwnRow]", bytes, bytes]
"""Rows of one statement, their file, and the chunk of what is handed over where items travel."""


def parts(db: Database, campaign_id: int, own: "list[OwnRow]") -> "list[Part]":
    """The owners of a batch by statement.

    In a campaign that travels there is one for each person who is handed something: the chunk
    that brings them the items is for nobody else's eyes.
    """
    travels = db.value("SELECT travels FROM campaign WHERE id = ?", (campaign_id,))
    by: dict[str | None, list[OwnRow]] = {}
    for row in own:
        by.setdefault(row.reviewer if travels else None, []).append(row)
    return [
        (rows, b"".join(row.bytes + b"\n" for row in rows),
         b"" if who is None else handed_chunk(db, campaign_id, [r.item_id for r in rows]))
        for who, rows in by.items()
    ]  # fmt: skip


def statement(
    campaign: str, part: Part, link: Link, key: SigningKey, now: str
) -> tuple[bytes, Link]:
    """The signed envelope of a part, and where the next statement goes."""
    rows, content, handed = part
    body = {
        "basis": {"campaign": campaign},
        "root": merkle.root(row.bytes for row in rows),
        "count": len(rows),
    }
    payload = attestations.statement(
        "own", {"own.jsonl": sha256(content)}, body, link, now, key.principal,
        {"handed": sha256(handed)} if handed else None,
    )  # fmt: skip
    return attestations.sign(payload, key), replace(link, seq=link.seq + 1, prev=sha256(payload))
