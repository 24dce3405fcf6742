"""A packet comes into a workspace: the entries and bytes that a sync would have brought.

They go through the functions of the sync (`_pull.mirror`, `_pull.apply`). What is different is who
brought them: anybody may hand a packet over, so one that is damaged, or of another log, is refused
and changes nothing, while two checkpoints that *this* log has signed and that cannot both be true
stop the sync here as they do over the network.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from passmuster import central, merkle, note, roster, store, tlog
from passmuster.central import RETRY
from passmuster.errors import Conflict, UsageError, VerificationFailed
from passmuster.lock import alone
from passmuster.note import Checkpoint
from passmuster.packets import Packet, pieces_of
from passmuster.store import Database
from passmuster.sync import _pull
from passmuster.sync._enrolling import FIRST_ROSTER, trusted_roster
from passmuster.sync._pull import LOOK_AGAIN, Pulled
from passmuster.sync._push import outgoing
from passmuster.sync._work import Page, Work
from passmuster.text import plural, visible

BEHIND = "the packet goes on from {0:,} entries of the central log, and {1:,} are verified here: \
entries {1:,} to {2:,} are missing: ask for a packet that begins at {1:,} (--after {1})"


class Brought(NamedTuple):
    """What a packet brought."""

    pulled: Pulled
    refused: list[str]
    """One line for each record of ours that the server refused, as the packet says."""
    size: int
    """Verified entries of the central log now."""

    @property
    def words(self) -> str:
        """One sentence."""
        said = [f"{self.pulled.entries:,} entries of the central log came",
                f"{self.pulled.received:,} records received"]  # fmt: skip
        if self.pulled.waiting:
            said.append(f"{self.pulled.waiting:,} not complete yet")
        troubles = [*self.refused, *self.pulled.void]
        if not troubles:
            return ", ".join(said) + "."
        verb = "needs" if len(troubles) == 1 else "need"
        return f"{', '.join(said)}, {len(troubles):,} {verb} attention: {'; '.join(troubles)}"


@dataclass
class Carried:
    """A packet as the source of a sync."""

    packet: Packet
    signed: str

    def page(self, after: int, limit: int) -> Page:
        """At most *limit* entries behind the first *after*."""
        entries = [entry for _, entry in self.packet.entries(after, limit)]
        return Page(after, entries, self.signed)

    def bytes_of(self, digest: str) -> Iterable[bytes] | None:
        """Bytes by their digest."""
        path = self.packet.blob(digest)
        return None if path is None else pieces_of(path)


def trust(db: Database, packet: Packet, pin: str, first_roster: str | None, now: str) -> None:
    """Pin the log that a packet names, in a workspace that never spoke with it.

    *pin* and the digest of the log's first roster are what a registrar told by another way. Raises
    VerificationFailed when the packet is of another log.
    """
    found = central.pin_of(packet.manifest.key)
    if found != pin.strip():
        raise VerificationFailed(f"the packet's log has the pin {found}, not the one you gave")
    packet.signed_by(note.parse_key(packet.manifest.key))
    here = next((version.name for version in roster.history(db)), None) or trusted_roster(db)
    if first_roster is not None and here not in (None, first_roster.lower()):
        raise VerificationFailed(f"this workspace begins with the roster {here}: use another one")
    if (here or first_roster) is None:
        raise UsageError("who may sign in that log is said by its first roster: give its digest, "
                         "as a registrar tells it to you, with --roster")  # fmt: skip
    with db.atomic():
        tlog.pin(db, "", packet.manifest.origin, packet.manifest.key, now)
        if first_roster is not None:
            store.remember(db, FIRST_ROSTER, first_roster.lower())


def bring(work: Work, packet: Packet) -> Brought:
    """Take what a campaign packet or a receipt has; doing it again changes nothing.

    Raises Conflict when entries are missing between what is here and what it has.
    """
    if packet.manifest.kind == "upload":
        raise UsageError("that packet is an outbox: it is for the server, `muster packet send`")
    with alone(work.db.path.parent, "sync", "syncing this workspace"):
        said = _fits(work, packet)
        assert packet.checkpoint is not None
        work = replace(work, source=Carried(packet, packet.checkpoint))
        before = tlog.pinned(work.db).size
        with work.db.atomic():
            _show(work, packet, before)
        if said.size > before:
            _pull.mirror(work)
        done = Pulled()
        done.entries = tlog.pinned(work.db).size - before
        _pull.apply(work, done)
        refused = _refused(work, packet)
        if tlog.first_hidden(work.db) is not None:
            store.remember(work.db, LOOK_AGAIN, "1")
        return Brought(done, refused, tlog.pinned(work.db).size)


def _fits(work: Work, packet: Packet) -> Checkpoint:
    """The packet's checkpoint, once it is of the log that is known here and goes on from it."""
    at = tlog.pinned(work.db)
    if at.halted is not None:
        raise VerificationFailed(f"the sync is halted: {at.halted}: `muster sync --status`")
    if packet.manifest.origin != at.origin:
        raise VerificationFailed(
            f"the packet is of the log {visible(packet.manifest.origin)}, this workspace belongs "
            f"to {at.origin}"
        )
    said = packet.signed_by(at.key)
    note.Policy((at.key,), tuple(work.witnesses), work.quorum).check(str(packet.checkpoint))
    after = packet.manifest.after
    if after.size > at.size:
        raise Conflict(BEHIND.format(after.size, at.size, after.size))
    why = _contradiction(work.db, packet, said, at.size)
    if why is not None:
        tlog.halt(work.db, why, str(packet.checkpoint), work.now())
        raise VerificationFailed(why)
    return said


def _contradiction(db: Database, packet: Packet, said: Checkpoint, size: int) -> str | None:
    """Why the log cannot have signed both what is verified here and this packet's checkpoint.

    The packet proves that what its checkpoint covers begins with the tree that it goes on from,
    so every difference to what is here is the log's own.
    """
    after = packet.manifest.after
    same = tlog.root_of(db, after.size).hex() == after.root
    if same:
        for index, entry in packet.entries(after.size, size - after.size):
            if entry.leaf != tlog.leaf_at(db, index):
                same = False
                break
    if same:
        return None
    return (
        f"the central log has signed {said.size:,} entries that do not begin as the {size:,} that "
        "were verified here: it shows different people different logs"
    )


def _show(work: Work, packet: Packet, size: int) -> None:
    """Take the lines of verified entries that were hidden when they came."""
    for index, entry in packet.entries(packet.manifest.after.size, size):
        if index >= size:
            break
        if entry.line is not None:
            tlog.show(work.db, index, [entry])


def _refused(work: Work, packet: Packet) -> list[str]:
    """Set aside what the server refused; a line for each. Sending it again is one command."""
    why = {
        row["leaf"]: (str(row["code"]), str(row["detail"])) for row in packet.results()
        if row["status"] == "rejected" and row["code"] not in RETRY
    }  # fmt: skip
    found: list[str] = []
    if not why:
        return found
    for one in list(outgoing(work)):
        told = why.get(merkle.leaf_hash(one.line).hex())
        if told is not None and one.entry_id is not None:
            with work.db.atomic():
                tlog.reject(work.db, one.entry_id, told[0], visible(told[1]), work.now())
            found.append(f"{central.kind_of(one.line)}: {visible(told[1])}")
    if found:
        found.append(f"{plural(len(found), 'record')} as the packet says; `muster sync --again` or "
                     "another upload offers them once more")  # fmt: skip
    return found
