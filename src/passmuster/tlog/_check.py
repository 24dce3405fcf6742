"""Whether the whole log holds: signatures, chains, tree, checkpoints, cosignatures."""

from collections.abc import Collection, Iterator

from passmuster import merkle, roster, store
from passmuster.attestations import Attestation, unchecked, verify
from passmuster.errors import VerificationFailed
from passmuster.store import Database
from passmuster.tlog import _tree
from passmuster.tlog._checkpoints import check_kept, checkpoints, proven_time
from passmuster.tlog._entries import entries, known_keys
from passmuster.tlog._voids import check_voids

BROKEN = "the device chain is broken: something was dropped or reordered"


def check(db: Database) -> int:
    """Verify every entry, the chains, the tree and every checkpoint; the number of entries.

    Raises VerificationFailed naming the first that does not hold.
    """
    count = tiles = 0

    def leaves() -> Iterator[bytes]:
        nonlocal count
        for leaf in _leaves(db):
            count += 1
            yield leaf

    read = _tree.tiles(db)
    for level, index, hashes in merkle.grow(lambda *_: b"", 0, leaves()):
        tiles += 1
        kept = read(level, index)
        if kept != hashes:
            name = merkle.tile_path(level, index, len(hashes) // merkle.HASH)
            how = "is not what the entries give" if kept else "is missing"
            raise VerificationFailed(f"the log's {name} {how}")
    if db.value("SELECT count(*) FROM tile") != tiles:
        raise VerificationFailed("the log's tree has more tiles than its entries give")
    for one in checkpoints(db):
        check_kept(db, one)
    return count


def _leaves(db: Database) -> Iterator[bytes]:
    """The leaf hash of each entry, once it is verified and its signer might sign it."""
    known = known_keys(db)
    chains = own_chains(db)
    replay = roster.Replay(roster.history(db), lambda index: proven_time(db, index))
    for place, entry in enumerate(entries(db), 1):
        try:
            statement = unchecked(entry.envelope)
            if statement.kind == "roster":
                replay.take_roster(entry.envelope, roster.signers_of(db, entry.envelope))
            else:
                statement = verify(entry.envelope, known)
                replay.take(entry.id, statement)
            follows(statement, chains)
            if entry.id != place:
                raise VerificationFailed(f"it stands at place {place}")
        except VerificationFailed as error:
            raise VerificationFailed(f"log entry {entry.id}: {error}") from None
        yield merkle.leaf_hash(entry.envelope)
    check_voids(db, replay.void)


def lacking(db: Database) -> int:
    """Statements of other devices that come before one which is here, and are not here."""
    return int(db.value(
        "SELECT coalesce(sum(n), 0) FROM (SELECT max(seq) - count(*) AS n FROM entry"
        " GROUP BY device)"
    ))  # fmt: skip


def own_chains(db: Database) -> "Chains":
    """No statement yet, of a log in which this device's chain and the rosters' are whole."""
    rosters = db.execute("SELECT DISTINCT device FROM entry WHERE predicate = 'roster'")
    return Chains({store.device(db), *(row[0] for row in rosters)})


def neighbours(db: Database, device: str, seq: int) -> "Chains":
    """What the log has just before and after place *seq* of a device's chain."""
    chains, beside = own_chains(db), (max(seq - 1, 0), seq + 1)
    for (envelope,) in db.execute(
        "SELECT envelope FROM entry WHERE device = ? AND seq IN (?, ?) ORDER BY seq",
        (device, *beside),
    ).fetchall():
        chains.place(unchecked(bytes(envelope)), seq)
    return chains


class Chains:
    """The chains of all devices, as far as they were met."""

    def __init__(self, own: Collection[str]) -> None:
        """*own* are the devices whose chain must be whole and in order: this one, the rosters'."""
        self._own = own
        self._names: dict[tuple[str, int], str] = {}
        self._prevs: dict[tuple[str, int], str | None] = {}
        self._last: dict[str, int] = {}

    def take(self, device: str, seq: int, name: str, prev: str | None) -> None:
        """The next statement in the log. Raises VerificationFailed when it does not fit.

        A statement of another device may come without those before it, which stayed at home.
        """
        at, before, after = (device, seq), (device, seq - 1), (device, seq + 1)
        if at in self._names:
            raise VerificationFailed(f"there are two statements at place {seq} of one chain")
        if device in self._own and seq != self._last.get(device, 0) + 1:
            raise VerificationFailed(BROKEN)
        if (
            self._names.get(before, prev) != prev
            or self._prevs.get(after, name) != name
            or (seq == 1) != (prev is None)
        ):
            raise VerificationFailed(BROKEN)
        self._names[at], self._prevs[at] = name, prev
        self._last[device] = max(seq, self._last.get(device, 0))

    def place(self, attestation: Attestation, beside: int) -> None:
        """A statement that is known to stand where it says, next to place *beside*."""
        said = attestation.predicate
        at = (said["device"], said["seq"])
        self._names[at], self._prevs[at] = attestation.name, said["prev"]
        if said["seq"] < beside:
            self._last[said["device"]] = said["seq"]

    @property
    def lacking(self) -> int:
        """Statements of other devices that are before one of these and are not here."""
        return sum(self._last.values()) - len(self._names)


def follows(attestation: Attestation, chains: Chains) -> None:
    """Raise VerificationFailed unless this fits into the chain of its device after *chains*."""
    p = attestation.predicate
    chains.take(p["device"], p["seq"], attestation.name, p["prev"])
