"""The circuit breaker: a run that would stop more than somebody can have meant is held up.

Counted are identities, since ten keys of one are one outage. A filter that is wrong, or a file
that lists everybody, shows here before it shows in production. What earlier runs stopped within
the hour, or tried in vain, counts with this one: many small runs are one large one, and a platform
that failed them may have done it all the same.
"""

from collections.abc import Sequence
from typing import NamedTuple

from passmuster.config import Settings
from passmuster.remediation._remedy import STOPPED, TASKS, Remedy
from passmuster.store import Database
from passmuster.text import epoch, from_epoch, plural

RECENT_S = 3600
Counted = dict[str, set[int | None]]
"""Source → the identities there."""


class Tripped(NamedTuple):
    """Why a run is held up, and the number that somebody has to say to go on."""

    identities: int
    """Of this run."""
    why: tuple[str, ...]


def breaker(db: Database, run: Sequence[Remedy], settings: Settings, now: str) -> Tripped | None:
    """Why carrying out *run* is held up; None where it need not be."""
    this: Counted = {}
    for one in run:
        if one.state not in STOPPED and one.verb not in TASKS and one.act is not None:
            this.setdefault(one.source, set()).add(one.identity_id)
    before = _before(db, now)
    total = sum(map(len, this.values()))
    more = sum(len(ids - this.get(source, set())) for source, ids in before.items())
    why = []
    if total and total + more > settings.stop_most:
        why.append(f"{plural(total, 'identity')} in one run{_and(more)}; "
                   f"stop_most is {settings.stop_most}")  # fmt: skip
    for source, identities in sorted(this.items()):
        enabled = int(db.value(
            "SELECT count(*) FROM principal p JOIN source s ON s.id = p.source_id"
            " WHERE s.uid = ?", (source,),
        ))  # fmt: skip
        here = len(before.get(source, set()) - identities)
        if len(identities) > 1 and (len(identities) + here) * 100 > enabled * settings.stop_percent:
            why.append(f"{len(identities):,} of the {plural(enabled, 'identity')} of {source} "
                       f"that can log in{_and(here)}; stop_percent is {settings.stop_percent}"
                       )  # fmt: skip
    return Tripped(total, tuple(why)) if why else None


def _before(db: Database, now: str) -> Counted:
    """What was sent within the hour and not put back, or did not come about."""
    since = from_epoch(epoch(now) - RECENT_S)
    found: Counted = {}
    for source, identity in db.execute(
        "SELECT source, identity_id FROM remediation WHERE state <> 'reverted' AND sent_at > ?"
        " OR state = 'apply_failed' AND state_at > ?", (since, since),
    ):  # fmt: skip
        found.setdefault(source, set()).add(identity)
    return found


def _and(more: int) -> str:
    return f", and {more:,} stopped or tried in the hour before" if more else ""
