"""A run over several remediations: what is asked before anything is sent, and whom it speaks with.

All logins are made before the first act, so that a login that is missing stops nothing half-way. A
platform that cannot be reached is one whose every call fails: each remediation then says so.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from passmuster import campaigns, roster
from passmuster.connectors import Act, Live, Verdict
from passmuster.errors import Unreachable, UsageError
from passmuster.keys import SigningKey
from passmuster.lock import alone
from passmuster.remediation._remedy import Remedy
from passmuster.remediation._signing import sign
from passmuster.remediation._wanting import wanted
from passmuster.store import Database
from passmuster.text import Json, epoch

Connect = Callable[[str], Live]
OWN = ("status", "credentials")
"""Evidence that a stop itself changes."""


class _Down:
    """A platform that could not be logged in at."""

    def __init__(self, error: Unreachable) -> None:
        self.error = Unreachable(str(error))  # what answered 404 was no object

    def read(self, act: Act) -> Json | None:  # noqa: ARG002 - the contract's words
        raise self.error

    def write(self, act: Act, state: Json | None) -> None:  # noqa: ARG002
        raise self.error

    def refused(self, act: Act, secret: str | None = None) -> tuple[Verdict, str]:  # noqa: ARG002
        raise self.error

    def close(self) -> None:
        """Nothing was opened."""


@contextmanager
def connected(
    db: Database, run: Sequence[Remedy], connect: Connect
) -> Iterator[Callable[[Remedy], Live]]:
    """A login for each source of *run*; raises NoLogin, before anything is sent, where there is
    none to be had, and Conflict while another process carries something out in this workspace.
    """
    lives: dict[str, Live] = {}
    with ExitStack() as held:
        held.enter_context(alone(db.path.parent, "remediate", "carrying out remediations here"))
        for one in run:
            if one.source not in lives and one.act is not None:
                try:
                    lives[one.source] = live = connect(one.source)
                    held.callback(live.close)
                except Unreachable as error:
                    lives[one.source] = _Down(error)
        yield lambda one: lives.get(one.source) or _Down(Unreachable("not logged in there"))


def carry_out(
    db: Database, run: Sequence[Remedy], key: SigningKey, clock: Callable[[], str],
    connect: Connect, step: Callable[[Remedy, Live], Remedy],
    tell: Callable[[Remedy], None] = lambda _: None,
) -> list[Remedy]:  # fmt: skip
    """Do *step* with each of *run*, and sign what came of it, however the run ends."""
    may_sign(db, key, clock())
    found: list[Remedy] = []
    with connected(db, run, connect) as live:
        try:
            for one in run:
                found.append(step(one, live(one)))
                tell(found[-1])
        finally:
            sign(db, key, clock())
    return found


def left_s(one: Remedy, now: str) -> float:
    """Seconds of the time that the platform may take by the plan, since it was sent."""
    if one.plan is None:
        return 0.0
    gone = epoch(now) - epoch(one.sent_at or one.state_at)
    return float(max(one.plan["propagation_s"] - gone, 0))


def may_sign(db: Database, key: SigningKey, now: str) -> None:
    """Raise UsageError where the roster would refuse the result: it is asked before the act."""
    says = roster.current(db)
    if says is None:
        return
    time = roster.Time(max(now, says.signed_at), proven=False)
    if why := roster.may_sign(says, (), key.principal, key.fingerprint, time, "remediation"):
        raise UsageError(f"{why}: what you did could not be signed, so nothing is done")


def stale(db: Database, run: Sequence[Remedy]) -> dict[str, list[str]]:
    """Remediations whose evidence is no longer what was decided on: name → what changed.

    Only before something is carried out does this mean something: a stop is a change itself. So
    of a secret that is destroyed after a stop, what that stop changed is not told.
    """
    items: dict[int, str] = {}
    for one in run:
        item = db.value(
            "SELECT i.id FROM item i JOIN campaign c ON c.id = i.campaign_id"
            " WHERE c.digest = ? AND i.uri = ?", (one.campaign, one.uri),
        )  # fmt: skip
        if item is not None:
            items[int(item)] = one.name
    by_campaign: dict[int, list[int]] = {}
    for item in items:
        campaign = db.value("SELECT campaign_id FROM item WHERE id = ?", (item,))
        by_campaign.setdefault(campaign, []).append(item)
    found: dict[str, list[str]] = {}
    for ids in by_campaign.values():
        for item, parts in campaigns.changed_since(db, ids).items():
            uri = db.value("SELECT uri FROM item WHERE id = ?", (item,))
            for one in run:
                left = [p for p in parts if not (_stood(one) and p in OWN)]
                if one.uri == uri and left:
                    found[one.name] = left
    return found


def _stood(one: Remedy) -> bool:
    """Whether a stop that can be undone goes before it (`refuse_early` asks whether it did)."""
    return one.undo_class == "R3" and one.plan is not None and bool(one.plan["reversible"])


def unasked(db: Database, run: Sequence[Remedy], now: str) -> set[str]:
    """Those of *run* that no decision asks for any more: it was decided otherwise since."""
    asked = {one.name(destroy=destroy) for one in wanted(db, now) for destroy in (False, True)}
    return {r.name for r in run if r.name not in asked and "emergency" not in r.basis}
