"""Batches of others become rows here: decisions, owners, countersignatures.

A batch is taken whole or not at all. What a row says of an item that is not here is left to those
who have it; in the workspace that opened the campaign every row must be about an item of it, on
the evidence that was frozen, in the order of the population, so that the evidence can be written.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from passmuster import attestations, blobs, inventory, merkle, tlog
from passmuster.attestations import Attestation
from passmuster.campaigns._adopting import Leaves, add_items, queues_of, read_chunk
from passmuster.campaigns._campaign import Campaign
from passmuster.campaigns._contested import mark_contested
from passmuster.campaigns._rows import check_row
from passmuster.campaigns._votes import late
from passmuster.errors import NotFound, VerificationFailed
from passmuster.model import Change
from passmuster.store import Database
from passmuster.text import Json, strict_json

FILES = {
    "decisions": "decisions.jsonl", "own": "own.jsonl", "countersign": "countersignatures.jsonl",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of a signed statement, checked as far as they can be without the items."""

    statement: Attestation
    file: str
    """Digest of its file."""
    data: bytes

    @property
    def kind(self) -> str:
        """decisions, own or countersign."""
        return self.statement.kind

    @property
    def principal(self) -> str:
        """Who signed it, in lower case as reviewers are."""
        return str(self.statement.predicate["principal"]).lower()

    @property
    def rows(self) -> Iterator[tuple[bytes, Json]]:
        """Each line and what it says; one is taken apart at a time."""
        for line in _lines(self.data):
            yield line, strict_json(line)


def _lines(data: bytes) -> Iterator[bytes]:
    """The lines of *data*, without their newlines; what is after the last one is left out."""
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield data[start:end]
        start = end + 1


class _Item(NamedTuple):
    id: int
    place: int | None
    reviewer: str
    dossier: str
    material: str
    needs_second: int

    @property
    def order(self) -> int:
        """Where it stands in the population."""
        return self.id if self.place is None else self.place


def read_batch(db: Database, said: Attestation) -> Batch:
    """The rows of a statement. Raises NotFound while its file is not here, VerificationFailed
    naming the file when that is not what was signed.
    """
    if len(said.subject) != 1 or said.subject[0][0] != FILES[said.kind]:
        raise VerificationFailed(f"a {said.kind} statement about other files")
    ((name, digest),) = said.subject
    where = f"{name} {digest}"
    data, tree = blobs.get(db, digest), merkle.Frontier()
    decided: list[str] = []
    for number, line in enumerate(_lines(data), 1):
        try:
            row = strict_json(line)
        except (ValueError, RecursionError) as error:
            raise VerificationFailed(f"{where} line {number}: {error}") from None
        check_row(said.kind, row, f"{where} line {number}")
        tree.append(merkle.leaf_hash(line))
        if said.kind != "own":
            at = row["attention"]["decided"]
            decided = [min([at, *decided]), max([at, *decided])]
    body = said.predicate
    if (tree.root(), tree.size) != (body["root"], body["count"]) or not tree.size:
        raise VerificationFailed(f"{where}: does not have the root and count that were signed")
    if decided and decided != [body["decidedFrom"], body["decidedTo"]]:
        raise VerificationFailed(f"{where}: was decided at other times than were signed")
    if not data.endswith(b"\n"):
        raise VerificationFailed(f"{where}: is cut short")
    return Batch(said, digest, data)


def items_of(db: Database, at: Campaign, batch: Batch) -> Iterator[tuple[_Item, bytes, Json]]:
    """The rows that are about items which are here, each with its item.

    Raises VerificationFailed at the first that could not stand in the evidence.
    """
    here = db.value("SELECT count(*) FROM item WHERE campaign_id = ?", (at.id,))
    last = -1
    for line, row in batch.rows:
        item = _item(db, at.id, row["item"])
        where = f"{FILES[batch.kind]} {batch.file}: {row['item']}"
        if item is None:
            if here == at.population:
                raise VerificationFailed(f"{where} is no item of the campaign")
            continue
        if item.order < last or (item.order == last and batch.kind != "countersign"):
            raise VerificationFailed(f"{where} is out of order, or stands there twice")
        evidence = (row["dossier"], row.get("material", item.material))
        if evidence != (item.dossier, item.material):
            raise VerificationFailed(f"{where} was decided on other evidence than was frozen")
        if batch.kind == "countersign" and not item.needs_second:
            raise VerificationFailed(f"{where} needs no second person")
        last = item.order
        yield item, line, row


def _item(db: Database, campaign_id: int, uri: str) -> _Item | None:
    row = db.one(
        "SELECT id, place, reviewer, dossier, material, needs_second FROM item"
        " WHERE campaign_id = ? AND uri = ?", (campaign_id, uri),
    )  # fmt: skip
    return None if row is None else _Item(*row)


def replay(db: Database, at: Campaign, only: Collection[str] | None, now: str) -> None:
    """Fold all batches of a campaign that are in the log; of *only* these items, or of all."""
    known, too_late = tlog.known_keys(db), late(db, at.digest)
    for entry in list(tlog.entries(db, at.digest)):
        if entry.kind in FILES and entry.id not in too_late:
            said = attestations.verify(entry.envelope, known)
            fold(db, at, read_batch(db, said), entry.id, now, only)


def fold(
    db: Database, at: Campaign, batch: Batch, index: int, now: str,
    only: Collection[str] | None = None,
) -> None:  # fmt: skip
    """Put the rows of a batch, which is number *index* of the log, where the campaign has them.

    A row counts while the item is its signer's to decide; another one is left in its file.
    """
    ids: list[int] = []
    for item, line, row in items_of(db, at, batch):
        if only is not None and row["item"] not in only:
            continue
        ids.append(item.id)
        if batch.kind == "countersign":
            _countersignature(db, batch, item, line, row, index)
        elif item.reviewer == batch.principal:
            if batch.kind == "decisions":
                _decision(db, batch, item, line, row, index)
            else:
                _own(db, batch, item, row, now)
    _settle(db, ids)
    mark_contested(db, at.id, ids)


def _decision(db: Database, batch: Batch, item: _Item, line: bytes, row: Json, index: int) -> None:
    db.execute(
        "INSERT OR IGNORE INTO decision (leaf, item_id, entry_id, identity_id, uri, verdict,"
        " until, changes, reason_code, reason_text, material, principal, decided_at, row)"
        " SELECT ?, id, ?, identity_id, uri, ?, ?, ?, ?, ?, material, ?, ?, ? FROM item"
        " WHERE id = ?",
        (
            merkle.leaf_hash(line).hex(), index, row["verdict"], row["until"],
            json.dumps([Change(**c)._asdict() for c in row["changes"]]), row["reason"]["code"],
            row["reason"]["text"], batch.principal, row["attention"]["decided"], line.decode(),
            item.id,
        ),
    )  # fmt: skip
    db.execute(
        "DELETE FROM second_draft WHERE decision IN (SELECT leaf FROM decision"
        " WHERE item_id = ? AND principal = ? AND entry_id < ?)",
        (item.id, batch.principal, index),
    )


def _own(db: Database, batch: Batch, item: _Item, row: Json, now: str) -> None:
    inventory.assign_owner(db, item.id, row["owner"], batch.statement.name, batch.principal, now)
    db.execute("DELETE FROM own_draft WHERE item_id = ?", (item.id,))
    if row["reviewer"] is not None:
        db.execute("DELETE FROM draft WHERE item_id = ?", (item.id,))
        db.execute(
            "UPDATE item SET first_reviewer = coalesce(first_reviewer, reviewer),"
            " first_assigned = coalesce(first_assigned, assigned), reviewer = ?,"
            " assigned = ? WHERE id = ?",
            (row["reviewer"], f"handed over by {batch.principal}", item.id),
        )


def _countersignature(
    db: Database, batch: Batch, item: _Item, line: bytes, row: Json, index: int
) -> None:
    on = db.value("SELECT 1 FROM decision WHERE leaf = ? AND item_id = ?", (row["row"], item.id))
    if on is None:
        raise NotFound(f"the decision {row['row'][:16]}… that it is on is not here yet")
    db.execute(
        "INSERT OR IGNORE INTO countersignature (leaf, decision, item_id, entry_id, verdict,"
        " reason_code, reason_text, principal, decided_at, row)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            merkle.leaf_hash(line).hex(), row["row"], item.id, index, row["verdict"],
            row["reason"]["code"], row["reason"]["text"], batch.principal,
            row["attention"]["decided"], line.decode(),
        ),
    )  # fmt: skip


def _settle(db: Database, item_ids: list[int]) -> None:
    db.executemany(
        "UPDATE item SET state = CASE"
        " WHEN EXISTS (SELECT 1 FROM draft f WHERE f.item_id = item.id"
        "  AND f.author = item.reviewer) THEN 'draft'"
        " WHEN EXISTS (SELECT 1 FROM decision d WHERE d.item_id = item.id"
        "  AND d.principal = item.reviewer) THEN 'signed' ELSE 'open' END WHERE id = ?",
        ((item_id,) for item_id in item_ids),
    )


# what a hand-over brings


def brings(db: Database, said: Attestation, me: str) -> bool:
    """Whether a statement hands something to *me* that is not here yet; its file is."""
    at = db.one(
        "SELECT id FROM campaign WHERE digest = ?", (said.predicate["basis"].get("campaign"),)
    )
    return any(
        row["reviewer"] == me.lower() and (at is None or _item(db, at[0], row["item"]) is None)
        for _, row in read_batch(db, said).rows
    )


def bring(db: Database, at: Campaign, said: Attestation, batch: Batch, me: str, now: str) -> None:
    """Add the items that a statement hands to *me*, with what was signed on them before."""
    mine = {row["item"] for _, row in batch.rows if row["reviewer"] == me.lower()}
    if all(_item(db, at.id, uri) is not None for uri in mine):
        return
    digest = said.predicate["ext"].get("handed")
    if digest is None:
        raise VerificationFailed("it hands items over and brings none: ask for them once more")
    published = db.value(
        "SELECT envelope FROM entry WHERE campaign = ? AND predicate = 'publication'", (at.digest,)
    )
    if published is None:
        raise NotFound("the campaign's publication is not in this log yet")
    leaves = Leaves(db, queues_of(db, attestations.unchecked(bytes(published))))
    lines = list(read_chunk(blobs.get(db, digest), digest, leaves))
    handed = {row["item"] for _, row in batch.rows if row["reviewer"] is not None}
    if {line.population["item"] for line in lines} != handed:
        raise VerificationFailed(f"{digest}: has other items than are handed over")
    definition = strict_json(blobs.get(db, at.definition))
    wanted = (line for line in lines if line.population["item"] in mine)
    add_items(db, at.id, at.digest, definition, wanted, now)
    replay(db, at, mine, now)
