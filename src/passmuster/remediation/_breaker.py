"""The circuit breaker: a run that would stop more than somebody can have meant is held up.

Counted are identities, since ten keys of one are one outage. A filter that is wrong, or a file
that lists everybody, shows here before it shows in production.
"""

from collections.abc import Sequence
from typing import NamedTuple

from passmuster.config import Settings
from passmuster.remediation._remedy import STOPPED, TASKS, Remedy
from passmuster.store import Database
from passmuster.text import plural


class Tripped(NamedTuple):
    """Why a run is held up, and the number that somebody has to say to go on."""

    identities: int
    why: tuple[str, ...]


def breaker(db: Database, run: Sequence[Remedy], settings: Settings) -> Tripped | None:
    """Why carrying out *run* is held up; None where it need not be."""
    by_source: dict[str, set[int | None]] = {}
    for one in run:
        if one.state not in STOPPED and one.verb not in TASKS and one.act is not None:
            by_source.setdefault(one.source, set()).add(one.identity_id)
    total = sum(map(len, by_source.values()))
    why = []
    if total > settings.stop_most:
        why.append(f"{plural(total, 'identity')} in one run; stop_most is {settings.stop_most}")
    for source, identities in sorted(by_source.items()):
        enabled = int(db.value(
            "SELECT count(*) FROM principal p JOIN source s ON s.id = p.source_id"
            " WHERE s.uid = ?", (source,),
        ))  # fmt: skip
        if len(identities) > 1 and len(identities) * 100 > enabled * settings.stop_percent:
            why.append(f"{len(identities):,} of the {plural(enabled, 'identity')} of {source} "
                       f"that can log in; stop_percent is {settings.stop_percent}")  # fmt: skip
    return Tripped(total, tuple(why)) if why else None
