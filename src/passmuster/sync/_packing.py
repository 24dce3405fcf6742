"""Packets out of a workspace: one's own outbox, or what the central log has for somebody.

Nothing is signed and nothing is dated here: the same content has the same bytes, whoever exports
it, so two packets can be compared by their digests.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from passmuster import blobs, central, packets, tlog
from passmuster.errors import NotFound
from passmuster.packets import Manifest, Member, Place
from passmuster.store import Database
from passmuster.sync import _blobs
from passmuster.sync._push import outgoing
from passmuster.sync._readers import read, reader
from passmuster.sync._work import Work


@dataclass(frozen=True, slots=True)
class Packed:
    """What a packet that was written has."""

    path: Path
    manifest: Manifest
    lacking: int
    """Blobs that belong to it and are not here."""
    hidden: int
    """Entries whose record is not for them, or not known here."""


def pack_upload(work: Work, out: Path) -> Packed:
    """Write what is to be sent, oldest first, and the bytes that it names, to the new file *out*.

    Raises NotFound when nothing waits.
    """
    at = tlog.pinned(work.db)
    named: dict[str, None] = {}
    with packets.draft(out.parent) as made:
        for one in outgoing(work):
            named |= dict.fromkeys(_blobs.named(work, central.read(one.line)))
            made.add(one.line)
        if not made.count:
            raise NotFound("nothing waits to be sent: no packet is needed")
        held = _members(work.db, named)
        place = Place.of(tlog.central_tiles(work.db), at.size)
        manifest = made.write(out, "upload", work.me, str(at.key), place, at.note, held)
    return Packed(out, manifest, len(named) - len(held), 0)


def pack_campaigns(db: Database, principal: str, after: int, out: Path) -> Packed:
    """Write what *principal* would get by a sync behind the first *after* entries.

    It is what is verified here: sync before. Raises NotFound when there is nothing.
    """
    at = tlog.pinned(db)
    if at.note is None or after >= at.size:
        raise NotFound(
            f"{at.size:,} entries of the central log are verified here, and none behind "
            f"{after:,}: `muster sync` first"
        )
    theirs, hidden = reader(db, principal), 0
    named: dict[str, None] = {}
    with packets.draft(out.parent) as made:
        for index, entry in tlog.verified(db, after, at.size):
            record = read(entry)
            is_theirs = record is not None and theirs.sees(record)
            if record is not None and is_theirs:
                named |= dict.fromkeys(theirs.blobs(db, record))
            hidden += not is_theirs
            made.add(central.fed_line(index, entry if is_theirs else entry._replace(line=None)))
        held = _members(db, named)
        place = Place.of(tlog.central_tiles(db), after)
        manifest = made.write(
            out, "campaign", theirs.principal, str(at.key), place, at.note, held
        )  # fmt: skip
    return Packed(out, manifest, len(named) - len(held), hidden)


def _members(db: Database, digests: dict[str, None]) -> list[Member]:
    """Those of the blobs that are here."""
    return [
        Member(f"blobs/{digest}", blobs.size(db, digest), digest, partial(blobs.pieces, db, digest))
        for digest in digests if blobs.has(db, digest)
    ]  # fmt: skip
