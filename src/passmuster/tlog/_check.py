"""Whether the whole log holds: signatures, chains, tree, checkpoints, cosignatures."""

from collections.abc import Iterator

from passmuster import merkle, roster
from passmuster.attestations import Attestation, unchecked, verify
from passmuster.errors import VerificationFailed
from passmuster.store import Database
from passmuster.tlog import _tree
from passmuster.tlog._checkpoints import check_kept, checkpoints, proven_time
from passmuster.tlog._entries import entries, known_keys
from passmuster.tlog._voids import check_voids


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
    prev: dict[str, tuple[int, str]] = {}
    replay = roster.Replay(roster.history(db), lambda index: proven_time(db, index))
    for place, entry in enumerate(entries(db), 1):
        try:
            statement = unchecked(entry.envelope)
            if statement.kind == "roster":
                replay.take_roster(entry.envelope, roster.signers_of(db, entry.envelope))
            else:
                statement = verify(entry.envelope, known)
                replay.take(entry.id, statement)
            follows(statement, prev)
            if entry.id != place:
                raise VerificationFailed(f"it stands at place {place}")
        except VerificationFailed as error:
            raise VerificationFailed(f"log entry {entry.id}: {error}") from None
        yield merkle.leaf_hash(entry.envelope)
    check_voids(db, replay.void)


def follows(attestation: Attestation, prev: dict[str, tuple[int, str]]) -> None:
    """Raise VerificationFailed unless this is the next of its device after what is in *prev*."""
    p = attestation.predicate
    seq, name = prev.get(p["device"], (0, None))
    if p["seq"] != seq + 1 or p["prev"] != name:
        raise VerificationFailed("the device chain is broken: something was dropped or reordered")
    prev[p["device"]] = (p["seq"], attestation.name)
