"""Before a secret is destroyed (R3): a stop that can be undone must have stood for a while.

Google's IAM reference asks for at least 24 hours between disabling a key and deleting it; the
setting's default is longer, so that what runs once a week has failed, and been noticed, twice. A
stop by a decision is held up by no second person, for it can be undone; this cannot, so where the
campaign asks for a second person on an item, one must have concurred.
"""

from passmuster.config import Settings
from passmuster.errors import UsageError
from passmuster.remediation._proved import proof_of
from passmuster.remediation._remedy import Remedy, Wanted
from passmuster.remediation._table import remedies, results
from passmuster.remediation._wanting import wanted
from passmuster.store import Database
from passmuster.text import epoch


def refuse_early(db: Database, remedy: Remedy, settings: Settings, now: str) -> None:
    """Raise UsageError unless what *remedy* destroys has stood stopped, and may be destroyed."""
    one = asked_for(db, remedy, now)
    if one is None and "emergency" not in remedy.basis:
        raise UsageError(f"{remedy.name}: the decisions no longer ask for it: plan again")
    if one is not None and one.needs_second and not one.seconded:
        raise UsageError(
            f"{remedy.name}: the campaign asks for a second person on this item, and what cannot be"
            " undone waits for one: `muster countersign` the decision first"
        )
    if remedy.plan is not None and not remedy.plan["reversible"]:
        return  # there is no stop that could have stood
    since = _stood_since(db, remedy)
    if since is None:
        raise UsageError(
            f"{remedy.name}: destroys a secret, and no stop that can be undone has been verified: "
            "`muster remediate apply` and `verify` that first"
        )
    left = settings.watch_days * 86_400 - (epoch(now) - epoch(since))
    if left > 0:
        raise UsageError(
            f"{remedy.name}: stopped and verified since {since}; it may be destroyed after "
            f"{settings.watch_days} days (watch_days), in {-(-left // 3600)} h"
        )


def _stood_since(db: Database, remedy: Remedy) -> str | None:
    """Since when a reversible stop of the same thing is verified, without a break, or None."""
    for other in remedies(db):
        same = (other.uri, other.part) == (remedy.uri, remedy.part)
        if not same or other.undo_class == "R3":
            continue
        if other.state != "verified":
            proof = proof_of(db, other, other.decided_at)
            if proof is not None:
                return proof.at
            continue
        since = None
        for row in results(db, other.name):
            if row["state"] != "verified":
                since = None
            elif since is None:
                since = str(row["at"])
        return since
    return None


def asked_for(db: Database, remedy: Remedy, now: str) -> Wanted | None:
    """What asks for *remedy* by today's decisions; None where nothing does any more."""
    for one in wanted(db, now):
        if remedy.name in (one.name(), one.name(destroy=True)):
            return one
    return None
