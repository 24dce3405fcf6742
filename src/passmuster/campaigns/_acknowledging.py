"""Management says that it has seen how a review ended (PCI DSS 7.2.5.1, ISO/IEC 27001 9.3).

A statement of its own, after the end, by anybody with a key: its subject is the close statement,
so what is acknowledged cannot be another end.
"""

from passmuster import attestations, tlog
from passmuster.campaigns._campaign import Campaign
from passmuster.errors import UsageError
from passmuster.keys import SigningKey
from passmuster.store import Database
from passmuster.text import sha256, visible

MAX_WORDS = 2000
"""Characters of what is said, and of a title."""


def acknowledge(
    db: Database, at: Campaign, capacity: str, words: str, key: SigningKey, now: str
) -> str:
    """Sign that the end of *at* was seen, as *capacity* (a title); the statement's name.

    Raises UsageError while the campaign is open, and when the same person said it already.
    """
    for what, given in (("--as", capacity), ("--statement", words)):
        if not 1 <= len(given.strip()) <= MAX_WORDS:
            raise UsageError(f"{what} takes 1 to {MAX_WORDS:,} characters")
    if not at.closed_at:
        raise UsageError(f"{at.name!r} is not closed: what is acknowledged is how it ended")
    if db.value(
        "SELECT 1 FROM entry WHERE campaign = ? AND predicate = 'acknowledgement'"
        " AND principal = ?", (at.digest, key.principal),
    ):  # fmt: skip
        raise UsageError(f"{key.principal} acknowledged {at.name!r} already")
    tlog.enrol(db, key, now)
    known = tlog.known_keys(db)
    (envelope,) = db.one(
        "SELECT envelope FROM entry WHERE campaign = ? AND predicate = 'close'", (at.digest,)
    )
    end = attestations.verify(bytes(envelope), known)
    body = {
        "campaign": at.digest, "capacity": visible(capacity.strip()),
        "statement": visible(words.strip()), "outcomes": end.predicate["outcomes"],
    }  # fmt: skip
    payload = attestations.statement(
        "acknowledgement", {"close": end.name}, body, tlog.next_link(db), now, key.principal
    )
    signed = attestations.sign(payload, key)
    with db.atomic():
        tlog.append(db, signed, known, at.digest, now)
    return sha256(payload)
