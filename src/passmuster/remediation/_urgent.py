"""What emergencies ask to be stopped, and which stop is offered: the one that can be undone.

An emergency asks for as long as no campaign has decided since; what was given back is not stopped
again for it.
"""

from collections.abc import Iterator
from typing import NamedTuple

from passmuster import campaigns, connectors
from passmuster.campaigns import Unreviewed
from passmuster.connectors import Plan
from passmuster.model import Verdict
from passmuster.remediation._remedy import Wanted
from passmuster.store import Database
from passmuster.text import Json


class Offer(NamedTuple):
    """The stop that an emergency may ask for."""

    verdict: Verdict
    """disable where it is a flag, revoke where something must be taken away and can be made anew.
    """
    plan: Plan | None
    """None where the platform has none that can be undone, or muster knows none."""
    destroys: bool = False
    """Whether the platform's only stop destroys a secret: that is never done here."""


def offer(dossier: Json) -> Offer:
    """The first stop of what *dossier* is of that can be undone; a flag before everything else."""
    target = dossier["subject"] if dossier["of"] == "credential" else None
    destroys = False
    verdicts: tuple[Verdict, ...] = ("disable", "revoke")
    for verdict in verdicts:
        plans = plans_at_once(dossier, verdict, target)
        usable = [p for p in plans if p.undo_class != "R3"]
        destroys |= len(usable) < len(plans)
        if usable:
            best = min(usable, key=lambda p: (p.undo_class, p.act is None))
            return Offer("disable" if best.undo_class == "R1" else "revoke", best)
    return Offer("disable", None, destroys)


def plans_at_once(dossier: Json, verb: str, target: str | None) -> list[Plan]:
    """The plans of an emergency: also for what the last export has off, for somebody may have let
    it in again since. What is read before the write says how it is; off already, nothing is sent.
    """
    return connectors.plan(dossier, verb, target) or connectors.plan(
        _as_if_on(dossier, target), verb, target
    )


def _as_if_on(dossier: Json, target: str | None) -> Json:
    """*dossier*, in which what is switched off is `unknown`."""
    held = dict(dossier["identity"])
    if held["status"] == "disabled":
        held["status"] = "unknown"
    keys = [
        {**c, "status": "unknown"} if c["uid"] == target and c["status"] == "disabled" else c
        for c in dossier["credentials"]
    ]
    return {**dossier, "identity": held, "credentials": keys}


def wanted_by(db: Database, one: Unreviewed) -> Wanted:
    """The stop that an emergency decision asks for."""
    source, kind, uid = campaigns.subject_of(one.uri)
    subject_id = db.value(
        f"SELECT x.id FROM {'credential' if kind == 'credential' else 'identity'} x"
        " JOIN source s ON s.id = x.source_id WHERE s.uid = ? AND x.uid = ?", (source, uid),
    )  # fmt: skip
    return Wanted(
        one.uri, one.identity_id, source, kind, subject_id, one.verdict, None, one.decided_at,
        emergency=one.statement,
    )  # fmt: skip


def urgent(db: Database) -> Iterator[Wanted]:
    """What emergencies ask for that no campaign has decided since, and nobody has given back."""
    for one in campaigns.unreviewed(db):
        asked = wanted_by(db, one)
        state = db.value("SELECT state FROM remediation WHERE name = ?", (asked.name(),))
        if one.identity_id is not None and state != "reverted":
            yield asked
