"""A campaign that came from elsewhere: the items that are mine, and the proof that they are its.

Each row of a chunk must be the very line whose leaf stands at its place in the signed trees. The
trees are computed from the leaf chunks, of which a few are in memory at a time.
"""

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from passmuster import blobs, config, inventory, merkle, policy, seconds
from passmuster.attestations import Attestation
from passmuster.campaigns import _dossiers
from passmuster.campaigns._freezing import assignment_row, population_row
from passmuster.campaigns._naming import name_items
from passmuster.campaigns._publishing import QUEUES, opening
from passmuster.campaigns._second_policy import Needing
from passmuster.central import Chunk, Queues, read_queues
from passmuster.central._queues import LEAVES_PER_CHUNK, TREES, Tree
from passmuster.errors import MusterError, OlderExport, VerificationFailed
from passmuster.store import Database
from passmuster.text import Json, canonical, sha256, strict_json

FORMAT = "muster.dossiers.jsonl"
CACHED = 8
"""Leaf chunks that are held unpacked, 2 MiB each."""


class Line(NamedTuple):
    """One item as it came, verified."""

    place: int
    population: Json
    assignment: Json
    dossier: bytes
    said: Json
    """What the dossier says, taken apart."""


def queues_of(db: Database, publication: Attestation) -> Queues:
    """The list that a publication signs. Raises NotFound while it is not here."""
    found = read_queues(blobs.get(db, dict(publication.subject)[QUEUES]))
    if found.campaign != publication.predicate["campaign"]:
        raise VerificationFailed("the list of queues is of another campaign")
    return found


def adopt(db: Database, publication: Attestation, chunks: Iterable[Chunk], now: str) -> None:
    """Make the campaign of *publication* one of this workspace, with the items of *chunks*.

    Raises VerificationFailed when anything is not as signed.
    """
    digest = publication.predicate["campaign"]
    opened = opening(db, digest)
    said, queues = opened.predicate, queues_of(db, publication)
    _same_campaign(publication, said)
    definition = _definition(db, opened, queues)
    leaves = Leaves(db, queues)
    leaves.check(said)
    campaign_id = _insert_campaign(db, digest, opened)
    lines = (line for chunk in chunks for line in verified(db, chunk, leaves))
    add_items(db, campaign_id, digest, definition, lines, now)


def _same_campaign(publication: Attestation, said: Json) -> None:
    body = publication.predicate
    if body["principal"] != said["principal"]:
        raise VerificationFailed(f"published by {body['principal']}, opened by {said['principal']}")
    signed = {n: said["population"][n] for n in ("count", "root")}
    if (body["population"], body["assignmentsRoot"]) != (signed, said["assignmentsRoot"]):
        raise VerificationFailed("what was published is not what the campaign was opened with")


def _definition(db: Database, opened: Attestation, queues: Queues) -> Json:
    digest = opened.predicate["definitionDigest"]
    if dict(opened.subject).get("definition.json") != digest:
        raise VerificationFailed("the campaign is defined by another document than it names")
    found: Json = strict_json(blobs.get(db, digest))
    rule = seconds.parse(found.get("second"))
    if found.get("second") != opened.predicate["ext"].get("second"):
        raise VerificationFailed("the definition has another two-person rule than the campaign")
    if queues.seconds != tuple(sorted(rule.by if rule else ())):
        raise VerificationFailed("the list of queues names other second persons than the campaign")
    return found


class Leaves:
    """The leaf hashes of both trees, by their places."""

    def __init__(self, db: Database, queues: Queues) -> None:
        self._chunks: dict[Tree, tuple[Chunk, ...]] = {t: queues.leaves(t) for t in TREES}
        self._get = lru_cache(CACHED)(lambda digest: blobs.get(db, digest))

    def check(self, said: Json) -> None:
        """Raise VerificationFailed unless both trees are as the campaign statement signs them."""
        roots = {"population": said["population"]["root"], "assignments": said["assignmentsRoot"]}
        for tree, chunks in self._chunks.items():
            frontier = merkle.Frontier()
            for number, chunk in enumerate(chunks, 1):
                data = self._get(chunk.sha256)
                full = number < len(chunks)
                if len(data) != chunk.count * merkle.HASH or (
                    full and chunk.count != LEAVES_PER_CHUNK
                ):
                    raise VerificationFailed(f"{chunk.sha256}: not as many leaves as it says")
                for at in range(0, len(data), merkle.HASH):
                    frontier.append(data[at : at + merkle.HASH])
            if (frontier.size, frontier.root()) != (said["population"]["count"], roots[tree]):
                raise VerificationFailed(f"the leaves of the {tree} do not have the signed root")

    def at(self, tree: Tree, place: int) -> bytes:
        """The leaf of a line; empty where there is no such place."""
        number, offset = divmod(place, LEAVES_PER_CHUNK)
        if number >= len(self._chunks[tree]):
            return b""
        data = self._get(self._chunks[tree][number].sha256)
        return data[offset * merkle.HASH : (offset + 1) * merkle.HASH]


def verified(db: Database, chunk: Chunk, leaves: Leaves) -> Iterator[Line]:
    """The lines of a chunk. Raises VerificationFailed naming it and what is wrong."""
    found = list(read_chunk(blobs.get(db, chunk.sha256), chunk.sha256, leaves))
    if len(found) != chunk.count:
        raise VerificationFailed(
            f"{chunk.sha256}: {len(found):,} items, {chunk.count:,} are signed for"
        )
    yield from found


def read_chunk(data: bytes, name: str, leaves: Leaves) -> Iterator[Line]:
    """The lines in *data*, each where it stands in the signed trees."""
    last = -1
    for number, raw in enumerate(data.split(b"\n")[:-1], 1):
        where = f"{name} line {number}"
        line = _line(raw, where)
        if line.place <= last:
            raise VerificationFailed(f"{where}: an item stands there twice, or out of order")
        rows = _signed_rows(line, where)
        if tuple(leaves.at(tree, line.place) for tree in TREES) != rows:
            raise VerificationFailed(f"{where}: is not the line that the campaign signs")
        last = line.place
        yield line
    if not data.endswith(b"\n"):
        raise VerificationFailed(f"{name}: is cut short")


def _line(raw: bytes, where: str) -> Line:
    try:
        row = strict_json(raw)
        if row.keys() != {"place", "population", "assignment", "dossier"}:
            raise ValueError("other fields")
        if type(row["place"]) is not int or row["place"] < 0:
            raise ValueError("no place")
        return Line(
            row["place"], row["population"], row["assignment"], canonical(row["dossier"]),
            row["dossier"],
        )  # fmt: skip
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise VerificationFailed(f"{where}: not a line of a queue: {error}") from None


def _signed_rows(line: Line, where: str) -> tuple[bytes, bytes]:
    """The leaf hashes of an item's two rows, made anew from what it says."""
    p, a = line.population, line.assignment
    try:
        material = sha256(canonical(_dossiers.material(line.said)))
        if (line.said["uri"], sha256(line.dossier), material) != (
            p["item"], p["dossier"], p["material"],
        ):  # fmt: skip
            raise VerificationFailed(f"{where}: the dossier is not the one that was frozen")
        rows = (population_row(p["item"], p["dossier"], p["material"], p["salt"]),
                assignment_row(p["item"], a["reviewer"], a["assigned"], p["salt"]))  # fmt: skip
        same = rows == (canonical(p), canonical(a))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise VerificationFailed(f"{where}: not an item of a form known here: {error!r}") from None
    if not same:
        raise VerificationFailed(f"{where}: has other fields than version 1")
    return merkle.leaf_hash(rows[0]), merkle.leaf_hash(rows[1])


def _insert_campaign(db: Database, digest: str, opened: Attestation) -> int:
    said = opened.predicate
    name = str(said["name"])
    if db.value("SELECT 1 FROM campaign WHERE name = ?", (name,)):
        name = f"{name} ({digest[:8]})"
    cursor = db.execute(
        "INSERT INTO campaign (name, digest, item_kind, scope, due_at, opened_at, opened_by,"
        " population, excluded, definition, travels)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'in')",
        (
            name, digest, said["itemKind"], said["scope"]["filter"], said["dueAt"],
            said["openedAt"], said["principal"], said["population"]["count"],
            said["population"]["excludedCount"], said["definitionDigest"],
        ),
    )  # fmt: skip
    return int(cursor.lastrowid or 0)


_STAGED = (
    "place INTEGER PRIMARY KEY, uri, uid, source, reviewer, assigned, risk, dossier, material,"
    " chunk, position, salt, needs_second, barred"
)


def add_items(
    db: Database, campaign_id: int, digest: str, definition: Json, lines: Iterable[Line], now: str
) -> None:
    """Items of verified *lines*, in the order of the population, with what their dossiers say.

    Those that are here already stay as they are. What comes waits in a file aside (`db.aside`).
    """
    db.execute("DROP TABLE IF EXISTS aside.staged")
    db.execute(f"CREATE TABLE aside.staged ({_STAGED})")
    needing = Needing(db, seconds.parse(definition.get("second")))
    held: list[Line] = []
    count = 0
    with tempfile.TemporaryDirectory(prefix="muster-coming-") as folder:
        path = Path(folder, "dossiers.jsonl")
        with path.open("wb") as out:
            for line in lines:
                if _is_here(db, campaign_id, line):
                    continue
                held.append(line)
                if len(held) == _dossiers.CHUNK:
                    count += _stage(db, held, needing, out)
                    held.clear()
            count += _stage(db, held, needing, out)
        if path.stat().st_size:
            # the very same lines were brought by another campaign, and newer ones since
            with contextlib.suppress(OlderExport):
                inventory.import_file(db, path, now=now, by=None, format_name=FORMAT)
    if count:
        _insert_items(db, campaign_id)
        name_items(db, campaign_id, digest)
        policy.evaluate(db, _settings(db), now)


def _is_here(db: Database, campaign_id: int, line: Line) -> bool:
    return bool(db.value(
        "SELECT 1 FROM item WHERE campaign_id = ? AND uri = ?",
        (campaign_id, line.population["item"]),
    ))  # fmt: skip


def _settings(db: Database) -> config.Settings:
    try:
        return config.load(db.path.parent)
    except MusterError:  # a wrong setting is told where it is set, and is no fault of a campaign
        return config.Settings()


def _stage(db: Database, held: list[Line], needing: Needing, out: Any) -> int:
    if not held:
        return 0
    chunk = blobs.put(db, b"".join(line.dossier + b"\n" for line in held))
    rows = []
    for position, line in enumerate(held):
        dossier, p, a = line.said, line.population, line.assignment
        if not _known_better(db, dossier):
            out.write(line.dossier + b"\n")
        rows.append((
            line.place, p["item"], dossier["identity"]["uid"], dossier["source"]["uid"],
            a["reviewer"], a["assigned"], dossier["risk"], p["dossier"], p["material"], chunk,
            position, p["salt"], *needing.note(dossier, a["reviewer"]),
        ))  # fmt: skip
    db.executemany(f"INSERT INTO aside.staged VALUES ({', '.join('?' * 14)})", rows)
    return len(rows)


def _known_better(db: Database, dossier: Json) -> bool:
    """Whether an export of the source itself was imported here: a dossier adds nothing to it."""
    return bool(db.value(
        "SELECT 1 FROM source s JOIN identity y ON y.source_id = s.id AND y.uid = ?"
        " JOIN seen x ON x.identity_id = y.id AND x.format <> ? WHERE s.uid = ? LIMIT 1",
        (dossier["identity"]["uid"], FORMAT, dossier["source"]["uid"]),
    ))  # fmt: skip


def _insert_items(db: Database, campaign_id: int) -> None:
    for span in db.spans("aside.staged"):
        db.execute(
            "INSERT INTO item (campaign_id, uri, subject_id, identity_id, reviewer, assigned, risk,"
            " dossier, material, chunk, position, salt, needs_second, barred, place)"
            " SELECT ?, t.uri, y.id, y.id, t.reviewer, t.assigned, t.risk, t.dossier, t.material,"
            " t.chunk, t.position, t.salt, t.needs_second, t.barred, t.place"
            # CROSS: in the order of the table, which is that of the population
            " FROM aside.staged t CROSS JOIN source s ON s.uid = t.source"
            " CROSS JOIN identity y ON y.source_id = s.id AND y.uid = t.uid"
            " WHERE t.place BETWEEN ? AND ? ORDER BY t.place"
            " ON CONFLICT (campaign_id, uri) DO NOTHING",
            (campaign_id, *span),
        )
    lost = db.value(
        "SELECT t.uri FROM aside.staged t WHERE NOT EXISTS (SELECT 1 FROM item n"
        " WHERE n.campaign_id = ? AND n.uri = t.uri) LIMIT 1", (campaign_id,),
    )  # fmt: skip
    if lost is not None:
        raise VerificationFailed(f"the dossier of {lost} cannot be read: ask who opened the review")
