"""How the sync goes on after the central log was set back: with another name and another key.

Nothing is believed because a server says it: the old key signs where the old log ends, or a person
compares the new key with what they were told by another way; and the first entries of the new log
must be those of our own tree.
"""

from typing import Any, NamedTuple

from passmuster import central, merkle, note, tlog
from passmuster.errors import UsageError, VerificationFailed
from passmuster.note import VerifierKey
from passmuster.sync._work import Work
from passmuster.text import visible


class Recovered(NamedTuple):
    """What was followed."""

    key: VerifierKey
    """Of the log from now on."""
    size: int
    """How many of our verified entries it has."""
    before: int
    """How many there were: those beyond *size* are offered again."""
    reason: str
    """In the words of who recovered it; empty where there is no statement."""


def about(work: Work) -> dict[str, Any]:
    """What the server tells of itself; nothing of it is believed by itself."""
    said = work.caller.call("GET", "/v1/about", proves=False).json()
    if not isinstance(said, dict) or not isinstance(said.get("key"), str):
        raise VerificationFailed("the server tells nothing of its key: is it a central API?")
    return said


def recover(work: Work) -> Recovered | None:
    """Follow what the pinned key has signed of another log; None where there is nothing of it.

    A log that was recovered more than once is followed step by step. Raises VerificationFailed
    when a statement is about other entries than ours: that is no recovery but another history.
    """
    found: Recovered | None = None
    said = about(work).get("recovery")
    notes = said.get("notes", []) if isinstance(said, dict) else []
    for signed in notes:
        step = _step(work, str(signed))
        if step is not None:
            before = step.before if found is None else found.before
            found = Recovered(step.key, step.size, before, step.reason)
    return found


def _step(work: Work, signed: str) -> Recovered | None:
    at = tlog.pinned(work.db)
    said = central.read_recovery(signed, at.key)
    if said is None:
        return None  # a step that was followed before, or nobody's who had the key
    if said.size <= at.size and tlog.root_of(work.db, said.size).hex() != said.root:
        why = "the statement of recovery is about other entries than those that were verified here"
        tlog.halt(work.db, why, signed, work.now())
        raise VerificationFailed(why)
    work.before("follow")
    key = note.parse_key(said.new_key)
    tlog.follow(work.db, key, said.size)
    return Recovered(key, min(said.size, at.size), at.size, visible(said.reason))


def accept(work: Work, pin: str) -> Recovered:
    """Follow the log that the server has now because a person vouches for its key.

    *pin* is what they were told of it by another way (`central.pin_of`). How far the two logs are
    the same is found out leaf by leaf.
    """
    at = tlog.pinned(work.db)
    key = note.parse_key(str(about(work)["key"]))
    if (found := central.pin_of(str(key))) != pin.strip():
        raise UsageError(
            f"the server's key has the pin {found}, which is not the one that you gave"
        )
    if key == at.key:
        tlog.resume(work.db)
        return Recovered(key, at.size, at.size, "")
    signed = work.caller.call(
        "GET", "/v1/log/checkpoint", accept="text/plain", proves=False
    ).body.decode()  # fmt: skip
    theirs = note.Policy((key,)).check(signed).checkpoint
    same = _same(work, min(theirs.size, at.size), theirs.size)
    if at.size and not same:
        raise VerificationFailed("not one entry of that log is one of ours: it is another log")
    tlog.follow(work.db, key, same)
    return Recovered(key, same, at.size, "")


def _same(work: Work, most: int, theirs: int) -> int:
    """How many entries, at most *most*, are the same from the first on; by tiles of the log."""
    for tile in range(-(-most // merkle.WIDTH)):
        first = tile * merkle.WIDTH
        width = min(merkle.WIDTH, theirs - first)
        hashes = work.caller.call(
            "GET", f"/v1/log/{merkle.tile_path(0, tile, width)}",
            accept="application/octet-stream", proves=False,
        ).body  # fmt: skip
        if len(hashes) != width * merkle.HASH:
            raise VerificationFailed("a tile of the log has another size than its name says")
        for at in range(min(width, most - first)):
            leaf = hashes[at * merkle.HASH : (at + 1) * merkle.HASH]
            if leaf != tlog.leaf_at(work.db, first + at):
                return first + at
    return most
