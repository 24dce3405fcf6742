"""Put back what was there before: the saved state, and nothing that is guessed."""

from collections.abc import Callable

from passmuster.connectors import Act, Live
from passmuster.errors import NotReversible, Unreachable, UsageError
from passmuster.remediation._applying import AGAIN, look
from passmuster.remediation._compare import changed, is_as
from passmuster.remediation._remedy import Remedy, saved
from passmuster.remediation._table import note, record
from passmuster.store import Database
from passmuster.text import Json


def restore(db: Database, remedy: Remedy, live: Live, clock: Callable[[], str]) -> Remedy:
    """Write the saved state; the remediation as it is then: `reverted`, or as before with why not.

    Refuses what somebody changed since it was stopped. Raises NotReversible for R3, UsageError
    where there is nothing to put back.
    """
    if remedy.undo_class == "R3":
        raise NotReversible(
            f"{remedy.name}: {remedy.what}: a secret was destroyed, and nothing brings it back: "
            "issue a new one"
        )
    act, before = remedy.act, saved(db, remedy)
    if remedy.state == "reverted":
        return remedy
    if act is None or before is None:
        raise UsageError(f"{remedy.name} is {remedy.state}: muster changed nothing, so there is "
                         "nothing to put back")  # fmt: skip
    try:
        state = live.read(act)
    except Unreachable as error:
        return _kept(db, remedy, f"not put back: it could not be read: {error}", clock)
    if not changed(before.state, state):
        return record(db, remedy, "reverted", "found as it was before; nothing was sent", clock())
    if not is_as(act.wanted, state):
        if remedy.restoring_at is not None and act.wanted is None:  # made anew, then killed
            differs = changed(before.state, state)
            return record(db, remedy, "reverted", f"found put back; {differs}", clock())
        differs = changed(act.wanted, state)
        return _kept(db, remedy, f"not put back: changed since it was stopped: {differs}", clock)
    if remedy.restoring_at is None:
        remedy = note(db, remedy, restoring_at=clock())
    return _put_back(db, remedy, live, act, before.state, clock)


def _put_back(
    db: Database, remedy: Remedy, live: Live, act: Act, before: Json | None,
    clock: Callable[[], str],
) -> Remedy:  # fmt: skip
    answered = ""
    try:
        live.write(act, before)
    except Unreachable as error:
        answered = str(error)
    state, why = look(live, act)
    differs = "" if why else changed(before, state)
    if not why and not differs:
        return record(db, remedy, "reverted", "put back, and reads back as it was", clock())
    if answered:
        said = f"not put back: {answered}; {why or differs}; {AGAIN}"
        return _kept(db, remedy, said, clock, sent=True)
    # what is made anew has a new date or number: it was taken, and what differs is said
    return record(db, remedy, "reverted", f"put back; {why or differs}", clock())


def _kept(
    db: Database, remedy: Remedy, said: str, clock: Callable[[], str], *, sent: bool = False
) -> Remedy:
    """It stays as it was; that it was tried is a result too."""
    if sent and remedy.state == "verified":
        return record(db, remedy, "applied", said, clock(), verdict="unknown")
    return record(db, remedy, remedy.state, said, clock(), verdict=remedy.verdict)
