"""Carry a plan out: read, compare, save, write, read again. In this order, whatever happens.

What is read before the write is on the disk before the write is sent, so that a run which is
killed anywhere can go on: it reads first, and what is as wanted already is not sent again. A
difference from what the import knew, or from what was saved, means that somebody changed it since:
then nothing is sent. Whatever the platform answers ends in one of the named states.
"""

from collections.abc import Callable

from passmuster.connectors import Act, Live
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.remediation._compare import changed, is_as
from passmuster.remediation._proved import is_alive
from passmuster.remediation._remedy import BY_HAND, ONLY_LINES, STOPPED, Remedy, saved
from passmuster.remediation._table import again, note, record, save_prior
from passmuster.store import Database
from passmuster.text import Json

Clock = Callable[[], str]
GONE = (404, 410)
AGAIN = "run it again: it looks first, and does nothing twice"


def apply(
    db: Database, remedy: Remedy, live: Live, clock: Clock, *, destroy: bool = False
) -> Remedy:
    """Stop what *remedy* is about, unless it is stopped; the remediation as it is then.

    Raises nothing that a platform does: that is its state and what is said with it. What cannot
    be undone is refused (UsageError) without *destroy*, which says that `refuse_early` was asked.
    """
    remedy = again(db, remedy)  # somebody may have done it since it was read
    act = remedy.act
    if remedy.undo_class == "R3" and not destroy:
        raise UsageError(f"{remedy.name}: destroys a secret: it needs --destroy")
    if remedy.plan is None:
        raise UsageError(f"{remedy.name}: was planned in another workspace: plan it here first")
    if remedy.state in STOPPED and not is_alive(db, remedy):
        return remedy
    if act is None:
        return record(db, remedy, "not_supported", by_hand(remedy), clock())
    if remedy.state in STOPPED or remedy.state == "reverted":  # to be stopped once more
        remedy = note(db, remedy, prior_id=None, sent_at=None, restoring_at=None)
    try:
        state = live.read(act)
    except Unreachable as error:
        return _unread(db, remedy, error, clock)
    return _carry_out(db, remedy, live, act, state, clock)


def _carry_out(
    db: Database, remedy: Remedy, live: Live, act: Act, state: Json | None, clock: Clock
) -> Remedy:
    """Save *state*, which was just read, and write; unless it is as wanted, gone, or changed."""
    before = saved(db, remedy)
    if is_as(act.wanted, state):
        if before is None and act.wanted is None:
            said = "it was gone already; nothing was sent"
            return record(db, remedy, "object_gone", said, clock())
        how = "it was so already" if before is None else "found as wanted"
        return record(db, remedy, "applied", f"{how}; nothing was sent", clock())
    if state is None and act.known is not None:
        return record(db, remedy, "object_gone", "the platform does not have it any more", clock())
    # a plan that was made after the state was saved knows of what somebody changed meanwhile
    anew = before is None or (act.known is not None and str(remedy.planned_at) > before.at)
    known = act.known if anew or before is None else before.state
    # an import that is older than somebody's change holds up no emergency: what is read now is kept
    blind = anew and (known is None or "emergency" in remedy.basis)
    differs = "" if blind else changed(known, state)
    if differs:
        since = "the import" if anew else "it was first read"
        said = f"changed since {since}: {differs}; nothing was sent: import anew, plan again"
        return record(db, remedy, "apply_failed", said, clock())
    if anew:
        remedy = save_prior(db, remedy, state, clock())
    return _write(db, remedy, live, act, clock)


def by_hand(remedy: Remedy) -> str:
    """What to do where muster cannot."""
    return remedy.said or (ONLY_LINES if remedy.plan and remedy.plan["stop"] else BY_HAND)


def _unread(db: Database, remedy: Remedy, error: Unreachable, clock: Clock) -> Remedy:
    if isinstance(error, Declined) and error.status in GONE:
        return record(db, remedy, "object_gone", f"{error}", clock())
    return record(db, remedy, "apply_failed", f"not read, so nothing was sent: {error}", clock())


def _write(db: Database, remedy: Remedy, live: Live, act: Act, clock: Clock) -> Remedy:
    """Send it, and say what came of it."""
    try:
        live.write(act, act.wanted)
    except Declined as error:
        gone = error.status in GONE
        return record(db, remedy, "object_gone" if gone else "apply_failed",
                      f"the platform will not: {error}", clock())  # fmt: skip
    except Unreachable as error:
        state, why = look(live, act)
        if not why and is_as(act.wanted, state):
            return record(db, remedy, "applied", "no answer came, and it is as wanted", clock())
        left = why or "it is not as wanted"
        said = f"not known whether it was done: {error}; {left}; {AGAIN}"
        return record(db, remedy, "apply_failed", said, clock())
    state, why = look(live, act)
    if why:
        said = f"the platform took it; not read back: {why}"
    elif is_as(act.wanted, state):
        said = "the platform took it, and reads back as wanted"
    else:
        said = "the platform took it, and does not show it yet"
    return record(db, remedy, "applied", said, clock())


def look(live: Live, act: Act) -> tuple[Json | None, str]:
    """The state, and why it is not known where it could not be read."""
    try:
        return live.read(act), ""
    except Unreachable as error:
        return None, str(error)
