"""Publish a campaign: what each reviewer needs, and what proves that the population is whole.

Items go in chunks, each of one reviewer; the leaf hashes of both signed trees go whole, so that
everybody can compute the signed roots again and sees the items of nobody else. Chunks are kept as
blobs; the `publication` statement signs the list of them.

Nothing here grows with the items: they are read in their order, and when what is held for chunks
that are not full is `HELD` bytes, the largest is closed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from passmuster import attestations, blobs, merkle, tlog
from passmuster.campaigns._campaign import Campaign
from passmuster.campaigns._deciding import lines_of
from passmuster.campaigns._freezing import assignment_row, population_row
from passmuster.campaigns._second_policy import policy_of
from passmuster.central import Chunk, queues
from passmuster.central._queues import LEAVES_PER_CHUNK, MAX_CHUNK_BYTES, TREES
from passmuster.errors import NotFound, UsageError
from passmuster.keys import SigningKey
from passmuster.store import Database
from passmuster.text import Json, sha256

ROWS = 1_000
"""Items of one chunk at most."""
HELD = 64 * 1024 * 1024
"""Bytes of unfinished chunks."""
QUEUES = "queues.jsonl"


@dataclass(frozen=True, slots=True)
class Published:
    """A campaign that travels."""

    statement: str
    """SHA-256 of the publication statement."""
    items: int
    reviewers: int
    chunks: int
    new: bool
    """False where it was published already."""


def publish(db: Database, campaign: Campaign, key: SigningKey, now: str) -> Published:
    """Let *campaign* travel. Publishing it again changes nothing.

    Raises UsageError unless the key is the one's who opened it, and when it has ended.
    """
    if key.principal.lower() != campaign.opened_by.lower():
        raise UsageError(
            f"{campaign.opened_by} opened it and publishes it; the key is {key.principal}'s"
        )
    held = db.one(
        "SELECT statement, envelope FROM entry WHERE campaign = ? AND predicate = 'publication'",
        (campaign.digest,),
    )
    if held is not None:
        return _published(db, attestations.unchecked(bytes(held[1])), new=False)
    if campaign.closed_at:
        raise UsageError(f"the campaign {campaign.name!r} was closed on {campaign.closed_at}")
    tlog.enrol(db, key, now)
    with db.atomic(durable=False):  # chunks can be made again
        listed, trees = _chunks(db, campaign)
    opened = opening(db, campaign.digest).predicate
    body: Json = {
        "campaign": campaign.digest,
        "population": {"count": trees[0].size, "root": trees[0].root()},
        "assignmentsRoot": trees[1].root(),
    }
    signed = {**opened["population"], **body["population"]}
    if (signed, body["assignmentsRoot"]) != (opened["population"], opened["assignmentsRoot"]):
        raise NotFound(
            "the workspace no longer has the items as they were signed: restore a backup"
        )
    payload = attestations.statement(
        "publication", {QUEUES: sha256(listed)}, body, tlog.next_link(db), now, key.principal
    )
    envelope = attestations.sign(payload, key)
    with db.atomic():
        blobs.put(db, listed)
        tlog.append(db, envelope, tlog.known_keys(db), campaign.digest, now)
        db.execute("UPDATE campaign SET travels = 'out' WHERE id = ?", (campaign.id,))
    return _published(db, attestations.unchecked(envelope), new=True)


def _published(db: Database, statement: attestations.Attestation, *, new: bool) -> Published:
    from passmuster.central import read_queues

    found = read_queues(blobs.get(db, dict(statement.subject)[QUEUES]))
    items = sum(chunk.count for chunk in found.chunks if chunk.leaves is None)
    return Published(statement.name, items, len(found.reviewers), len(found.chunks), new)


def opening(db: Database, digest: str) -> attestations.Attestation:
    """The campaign statement *digest*. Raises NotFound where it is not in the log."""
    envelope = db.value("SELECT envelope FROM entry WHERE statement = ?", (digest,))
    if envelope is None:
        raise NotFound(f"the campaign {digest[:16]}… is not in this log yet")
    return attestations.verify(bytes(envelope), tlog.known_keys(db))


def queue_row(place: int, population: bytes, assignment: bytes, dossier: bytes) -> bytes:
    """One line of a chunk, from lines that are canonical JSON already; and so is this one."""
    return b'{"assignment":%b,"dossier":%b,"place":%d,"population":%b}' % (
        assignment, dossier, place, population,
    )  # fmt: skip


_ITEMS = (
    "SELECT id, uri, dossier, material, salt, reviewer, coalesce(first_reviewer, reviewer),"
    " coalesce(first_assigned, assigned), needs_second, chunk, position, place FROM item"
)


def _rows(item: tuple[Any, ...]) -> tuple[bytes, bytes]:
    _, uri, dossier, material, salt, _, first, assigned, *_ = item
    return (
        population_row(uri, dossier, material, salt), assignment_row(uri, first, assigned, salt)
    )  # fmt: skip


def handed_chunk(db: Database, campaign_id: int, item_ids: list[int]) -> bytes:
    """A chunk of exactly these items, for whoever they are handed to."""
    marks = ",".join(map(str, item_ids))
    items = db.execute(f"{_ITEMS} WHERE id IN ({marks}) ORDER BY place, id").fetchall()
    lines = lines_of(db, ((item[9], item[10]) for item in items))
    out = []
    for item, dossier in zip(items, lines, strict=True):
        place = item[11]
        if place is None:  # opened here: its items stand in the order of the population
            place = db.value(
                "SELECT count(*) FROM item WHERE campaign_id = ? AND id < ?",
                (campaign_id, item[0]),
            )
        out.append(queue_row(place, *_rows(item), dossier) + b"\n")
    return b"".join(out)


def _chunks(
    db: Database, campaign: Campaign
) -> tuple[bytes, tuple[merkle.Frontier, merkle.Frontier]]:
    """The list of the chunks, which are kept, and both trees."""
    packer, leaves = _Packer(db), _Leaves(db)
    items = db.execute(f"{_ITEMS} WHERE campaign_id = ? ORDER BY id", (campaign.id,))
    for place, (item, dossier) in enumerate(_with_lines(db, items)):
        rows = _rows(item)
        leaves.add(*map(merkle.leaf_hash, rows))
        packer.add((item[5], bool(item[8])), queue_row(place, *rows, dossier) + b"\n")
    second = policy_of(db, campaign.definition)
    chunks = [*packer.end(), *leaves.end()]
    return queues(campaign.digest, second.by if second else (), chunks), leaves.trees


def _with_lines(db: Database, items: Any) -> Iterator[tuple[tuple[Any, ...], bytes]]:
    """Each item with its frozen dossier; one stored chunk is in memory at a time."""
    while some := items.fetchmany(ROWS):
        yield from zip(some, lines_of(db, ((i[9], i[10]) for i in some)), strict=True)


class _Packer:
    """Items into chunks, by whose they are."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._open: dict[tuple[str, bool], list[bytes]] = {}
        self._sizes: dict[tuple[str, bool], int] = {}
        self._held = 0
        self._done: list[Chunk] = []

    def add(self, whose: tuple[str, bool], line: bytes) -> None:
        if self._sizes.get(whose, 0) + len(line) > MAX_CHUNK_BYTES and self._open.get(whose):
            self._close(whose)
        self._open.setdefault(whose, []).append(line)
        self._sizes[whose] = self._sizes.get(whose, 0) + len(line)
        self._held += len(line)
        if len(self._open[whose]) == ROWS:
            self._close(whose)
        elif self._held > HELD:
            self._close(max(self._sizes, key=lambda one: self._sizes[one]))

    def _close(self, whose: tuple[str, bool]) -> None:
        lines = self._open.pop(whose)
        size = self._sizes.pop(whose)
        self._held -= size
        self._done.append(Chunk(
            blobs.put(self._db, b"".join(lines)), size, len(lines), *whose
        ))  # fmt: skip

    def end(self) -> list[Chunk]:
        for whose in sorted(self._open):
            self._close(whose)
        return self._done


class _Leaves:
    """The leaf hashes of both trees."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.trees = (merkle.Frontier(), merkle.Frontier())
        self._held = (bytearray(), bytearray())
        self._done: tuple[list[Chunk], list[Chunk]] = ([], [])

    def add(self, population: bytes, assignment: bytes) -> None:
        for number, leaf in enumerate((population, assignment)):
            self.trees[number].append(leaf)
            self._held[number].extend(leaf)
            if len(self._held[number]) == LEAVES_PER_CHUNK * merkle.HASH:
                self._close(number)

    def _close(self, number: int) -> None:
        data = bytes(self._held[number])
        self._held[number].clear()
        self._done[number].append(Chunk(
            blobs.put(self._db, data), len(data), len(data) // merkle.HASH, leaves=TREES[number]
        ))  # fmt: skip

    def end(self) -> list[Chunk]:
        for number, held in enumerate(self._held):
            if held:
                self._close(number)
        return [*self._done[0], *self._done[1]]
