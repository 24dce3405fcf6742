"""An emergency from its decision to its evidence, in one go: sign, plan, apply, ask, sign again.

The decision is signed and logged before the platform hears a word. So whatever happens after that
(killed, no network, a platform that will not), there is a record that says who wanted what and why,
and `muster revoke` of the same thing, or `muster remediate apply`, goes on where it was left.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace

from passmuster import campaigns, connectors
from passmuster.campaigns import Emergency, Unreviewed
from passmuster.connectors import Live, Where
from passmuster.errors import Conflict, MusterError
from passmuster.keys import SigningKey
from passmuster.lock import alone
from passmuster.remediation._applying import apply, by_hand, look
from passmuster.remediation._compare import is_as
from passmuster.remediation._planning import plan_one
from passmuster.remediation._remedy import STOPPED, Remedy, Wanted
from passmuster.remediation._signing import sign
from passmuster.remediation._table import note, record
from passmuster.remediation._urgent import wanted_by
from passmuster.remediation._verifying import verify
from passmuster.store import Database

Tell = Callable[[str, str], None]
"""(step, words): signed, planned, asked, applied, answered, evidence."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Who stops something, and with what."""

    key: SigningKey
    clock: Callable[[], str]
    where: Callable[[str], Where]
    """Source → the login there (`logins.where`)."""
    tell: Tell = lambda _step, _words: None
    wait_s: float | None = None
    """Seconds to go on asking until it is refused; None: as long as the platform's plan says."""
    secret: str | None = None
    """The leaked secret, to try it; never kept."""
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it."""

    emergency: Unreviewed
    remedy: Remedy
    statements: tuple[str, ...]
    """Of the results, signed by the same person."""
    unsigned: str = ""
    """Why the results could not be signed; empty where they were. They wait for the next time."""

    @property
    def is_proved(self) -> bool:
        """Whether the platform refuses it, or says that it is off."""
        return self.remedy.verdict in ("refused", "flag")


def before(db: Database, uri: str) -> Unreviewed | None:
    """The newest emergency on the same thing that is not reviewed and was not given back: it is
    gone on with, and nothing is decided a second time.
    """
    for one in reversed(campaigns.unreviewed(db)):
        if one.uri == uri:
            name = wanted_by(db, one).name()
            state = db.value("SELECT state FROM remediation WHERE name = ?", (name,))
            return one if state != "reverted" else None
    return None


def stop_now(db: Database, urgent: Emergency, desk: Desk) -> Result:
    """Decide *urgent*, carry it out, and see what the platform says to it.

    Raises what keeps the decision from being signed; whatever happens after that is in the result.
    """
    now = desk.clock()
    signed = campaigns.sign_emergency(db, replace(urgent, decided_at=now), desk.key, now)
    desk.tell("signed", f"decision signed: statement {signed.statement[:16]}…")
    (one,) = [u for u in campaigns.unreviewed(db) if u.leaf == signed.leaf]
    return go_on(db, one, desk)


def go_on(db: Database, one: Unreviewed, desk: Desk) -> Result:
    """Carry out an emergency that is decided, from wherever it stands."""
    with ExitStack() as held:
        # a long run of others holds up no emergency: each step of both looks before it acts
        with suppress(Conflict):
            held.enter_context(alone(db.path.parent, "remediate", "carrying out remediations here"))
        remedy = _carried_out(db, wanted_by(db, one), desk)
    try:
        statements = tuple(sign(db, desk.key, desk.clock()))
    except MusterError as error:
        return Result(one, remedy, (), str(error))
    desk.tell("evidence", f"result signed: statement {statements[0][:16]}…" if statements
              else "nothing new to sign")  # fmt: skip
    return Result(one, remedy, statements)


def _carried_out(db: Database, asked: Wanted, desk: Desk) -> Remedy:
    remedy = plan_one(db, asked, desk.clock())
    desk.tell("planned", remedy.what)
    if remedy.act is None:
        said = by_hand(remedy)
        desk.tell("applied", said)
        return record(db, remedy, "not_supported", said, desk.clock())
    try:
        live = connectors.connect(desk.where(remedy.source))
    except MusterError as error:
        return _not_asked(db, remedy, error, desk)
    try:
        return _asked(db, remedy, live, desk)
    except MusterError as error:  # a login that is asked for late
        return _not_asked(db, remedy, error, desk)
    finally:
        live.close()


def _not_asked(db: Database, remedy: Remedy, error: MusterError, desk: Desk) -> Remedy:
    said = f"the platform was not asked: {error}"
    desk.tell("applied", said)
    return record(db, remedy, "apply_failed", said, desk.clock(), secret=desk.secret)


def _again_alive(db: Database, remedy: Remedy, live: Live, desk: Desk) -> Remedy:
    """To be stopped once more, where somebody let it in again since it was stopped."""
    act = remedy.act
    if act is None or remedy.state not in STOPPED:
        return remedy
    state, why = look(live, act)
    if why or state is None or is_as(act.wanted, state):
        return remedy
    remedy = note(db, remedy, prior_id=None, sent_at=None, restoring_at=None)
    return record(db, remedy, "planned", "it was let in again since it was stopped", desk.clock())


def _asked(db: Database, remedy: Remedy, live: Live, desk: Desk) -> Remedy:
    desk.tell("asked", f"asking {remedy.source}")
    remedy = apply(db, _again_alive(db, remedy, live, desk), live, desk.clock)
    desk.tell("applied", f"{remedy.state.replace('_', ' ')}: {remedy.said}")
    if remedy.state not in ("applied", "verified"):
        return remedy
    planned = remedy.plan["propagation_s"] if remedy.plan else 0
    wait_s = float(planned) if desk.wait_s is None else desk.wait_s
    remedy = verify(db, remedy, live, desk.clock, wait_s=wait_s, secret=desk.secret,
                    sleep=desk.sleep)  # fmt: skip
    desk.tell("answered", f"{remedy.verdict}: {remedy.said}")
    return remedy
