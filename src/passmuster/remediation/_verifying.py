"""Ask the platform again: does it refuse what was stopped?

*Applied* is not *refused*: a platform goes on accepting what was stopped for as long as it takes
to be known everywhere, and open sessions longer. It is asked until it refuses, or until that time
has passed; each answer is kept apart: refused, flag read back, still works, unknown.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from passmuster.connectors import VERDICTS, Act, Live, Verdict
from passmuster.errors import Unreachable, UsageError
from passmuster.remediation._remedy import Remedy, State
from passmuster.remediation._table import again, record
from passmuster.store import Database

FIRST_S, MOST_S = 0.5, 30.0
"""Seconds between two questions: each time twice as long, and never longer than that."""
IN_WORDS: dict[Verdict, str] = {
    "refused": "refused", "flag": "the flag was read back; nobody tried it",
    "works": "still works", "unknown": "not known",
}  # fmt: skip
ASKED: frozenset[State] = frozenset({"applied", "verified"})


def verify(
    db: Database, remedy: Remedy, live: Live, clock: Callable[[], str], *, wait_s: float = 0.0,
    secret: str | None = None, sleep: Callable[[float], None] = time.sleep,
    timer: Callable[[], float] = time.monotonic,
) -> Remedy:  # fmt: skip
    """Ask until it is refused or *wait_s* seconds have passed; the remediation as it is then.

    `verified` says that the platform refuses it, or has the flag where nothing can be tried; the
    verdict beside it says which. Everything else leaves it `applied`, with what was answered.
    Where what was verified before cannot be asked again, that is told and is no result.
    """
    remedy = again(db, remedy)
    act = remedy.act
    if act is None or remedy.state not in ASKED:
        raise UsageError(
            f"{remedy.name} is {remedy.state}: only what muster applied can be asked for"
        )
    until, pause = timer() + wait_s, FIRST_S
    while True:
        verdict, said = _ask(live, act, secret)
        left = until - timer()
        if verdict in ("refused", "flag") or left <= 0:
            break
        sleep(min(pause, left))
        pause = min(pause * 2, MOST_S)
    if verdict == "unknown" and remedy.state == "verified":
        return replace(remedy, verdict=verdict, said=f"it stays verified: {said}")
    state: State = "verified" if verdict in ("refused", "flag") else "applied"
    return record(db, remedy, state, said, clock(), verdict=verdict, secret=secret)


def _ask(live: Live, act: Act, secret: str | None) -> tuple[Verdict, str]:
    try:
        verdict, said = live.refused(act, secret)
    except Unreachable as error:
        return "unknown", f"could not be asked: {error}"
    return (verdict, said) if verdict in VERDICTS else ("unknown", said)
