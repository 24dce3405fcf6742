"""Whether the whole log holds: every signature and every chain."""

from passmuster.attestations import Attestation, verify
from passmuster.errors import VerificationFailed
from passmuster.store import Database
from passmuster.tlog._entries import entries, known_keys


def check(db: Database) -> int:
    """Verify every entry and the whole chain; the number of entries.

    Raises VerificationFailed naming the first entry that does not hold.
    """
    known = known_keys(db)
    prev: dict[str, tuple[int, str]] = {}
    count = 0
    for entry in entries(db):
        try:
            attestation = verify(entry.envelope, known)
            follows(attestation, prev)
        except VerificationFailed as error:
            raise VerificationFailed(f"log entry {entry.id}: {error}") from None
        count += 1
    return count


def follows(attestation: Attestation, prev: dict[str, tuple[int, str]]) -> None:
    p = attestation.predicate
    seq, name = prev.get(p["device"], (0, None))
    if p["seq"] != seq + 1 or p["prev"] != name:
        raise VerificationFailed("the device chain is broken: something was dropped or reordered")
    prev[p["device"]] = (p["seq"], attestation.name)
