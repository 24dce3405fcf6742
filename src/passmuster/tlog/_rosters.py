"""Rosters come into force by being logged; those of another workspace are taken over whole."""

from typing import NamedTuple

from passmuster import blobs, roster
from passmuster.errors import UsageError, VerificationFailed
from passmuster.store import Database
from passmuster.tlog._checkpoints import proven_time
from passmuster.tlog._entries import append
from passmuster.tlog._mirror import central
from passmuster.tlog._voids import settle


class Taken(NamedTuple):
    """What was taken out of a roster file."""

    versions: list[int]
    """That came into force by it."""
    draft: roster.Draft | None
    """The draft that is here now, if the file had one."""


def append_roster(db: Database, made: roster.Draft, now: str) -> int:
    """Put a roster that has all its signatures in force; its id in the log.

    Raises VerificationFailed when it may not follow the one in force.
    """
    if made.envelope is None:
        raise VerificationFailed("nobody has signed this roster")
    with db.atomic():
        blobs.put(db, made.roster.text)
        entry_id = append(db, made.envelope, {}, None, now)
        settle(db, lambda index: proven_time(db, index))
        return entry_id


def enact(db: Database, made: roster.Draft, now: str) -> bool:
    """Put a roster that has all its signatures in force; False where the central log has to take
    it first.

    Whoever is listed, and until when, is told by the order of the central log: here it must not
    stand before what others had logged there by then. So it is kept, the next sync sends it, and
    it comes into force when it comes back. The very first one has nothing before it.
    """
    if central(db) is None or roster.current_name(db) is None:
        append_roster(db, made, now)
        return True
    assert made.envelope is not None
    roster.succeed(made.envelope, made.roster.text, roster.current(db))
    with db.atomic():
        blobs.put(db, made.roster.text)
    roster.keep(db, made)
    return False


def take_rosters(db: Database, data: bytes, trust: str | None, now: str) -> Taken:
    """Take the versions and the draft of a file that `roster.carried` wrote, all or nothing.

    Where the central log has to take a version first it is the draft, with all its signatures.

    *trust* is the digest of the first version, got by another way; it is needed where there is
    no roster yet. A version that is here already must be the same one.
    """
    versions: list[int] = []
    there: roster.Draft | None = None
    mine = roster.draft(db)
    with db.atomic():
        for envelope, text in roster.opened(data):
            made = roster.as_draft(envelope, text)
            if there is not None:
                raise VerificationFailed(
                    "the file has a version after its draft, or several that the central log has "
                    "to bring: `muster sync`"
                )
            if _is_here(db, made):
                continue
            if mine is not None and mine.statement.payload == made.statement.payload:
                made = roster.joined(mine, made)
            if made.envelope is None or roster.lacking(db, made):
                there = _draft(db, mine, made)
                continue
            _check_first(db, made, None if mine is None else mine.roster.name, trust)
            if enact(db, made, now):
                versions.append(made.roster.version)
            else:
                there = made
    if there is not None:
        roster.keep(db, there)
    elif mine is not None and mine.roster.name == roster.current_name(db):
        roster.drop(db)
    return Taken(versions, there)


def _is_here(db: Database, made: roster.Draft) -> bool:
    """Whether a version is in the log; VerificationFailed when another one has its number."""
    for known in roster.history(db):
        if known.version == made.roster.version:
            if known.name != made.roster.name:
                raise VerificationFailed(
                    f"there are two rosters of version {known.version}: here {known.name[:16]}…, "
                    f"in the file {made.roster.name[:16]}…: ask the registrars which is theirs"
                )
            return True
    return False


def _check_first(
    db: Database, made: roster.Draft, drafted_here: str | None, trust: str | None
) -> None:
    """The root of trust: told by another way, or drafted here."""
    if roster.current_name(db) is not None or made.roster.name == drafted_here:
        return
    if trust is None:
        raise UsageError(
            f"the first roster is {made.roster.name}: compare that with what a registrar tells "
            "you by another way than this file, then give it with --trust"
        )
    if trust.lower() != made.roster.name:
        raise VerificationFailed(
            f"the first roster of the file is {made.roster.name}, not the one you trust"
        )


def _draft(db: Database, mine: roster.Draft | None, made: roster.Draft) -> roster.Draft:
    """The draft of a file, once it comes next, its signatures hold, and its place is free."""
    in_force = roster.current(db)
    expected = (in_force.version + 1, in_force.name) if in_force else (1, None)
    if (made.roster.version, made.roster.previous) != expected:
        raise VerificationFailed(
            f"the draft of the file is version {made.roster.version}; here version "
            f"{expected[0]} comes next: ask for a file with all versions (`muster roster export`)"
        )
    if mine is not None and mine.statement.payload != made.statement.payload:
        raise UsageError(
            "there is another draft here: `muster roster drop`, then import the file again"
        )
    roster.check_signatures(made, in_force)
    return made
