"""From what decisions ask for to what is to be done: one plan for each, the reversible one first.

A plan is made from what the inventory knows today and kept as canonical JSON: what is done, the
vendor's equal lines, the undo, how long it takes, and what goes on working nevertheless.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

from passmuster import campaigns, connectors
from passmuster.connectors import Plan
from passmuster.errors import UsageError
from passmuster.outcomes import ENDS
from passmuster.remediation._proved import is_alive, proof_of
from passmuster.remediation._remedy import (
    BY_HAND,
    OFF,
    ONLY_LINES,
    STOPPED,
    TASKS,
    Remedy,
    State,
    Wanted,
    remedy_of,
)
from passmuster.remediation._table import SELECT, remedies
from passmuster.remediation._urgent import plans_at_once
from passmuster.remediation._wanting import wanted
from passmuster.store import Database
from passmuster.text import Json, canonical, sha256

REPLANNED: frozenset[State] = frozenset({
    "planned", "not_supported", "apply_failed", "object_gone",
})  # fmt: skip
ONLY_DESTROY = "the platform has no stop that can be undone"


def plan(
    db: Database, now: str, *, destroy: bool = False,
    chosen: Callable[[Wanted], bool] = lambda _: True,
) -> list[Remedy]:  # fmt: skip
    """Plan everything that the decisions ask for and that is not done; those that are planned.

    What was planned, and not applied, is planned anew from today's inventory. With *destroy* a
    plan that destroys a secret (R3) is made for what was stopped reversibly before.
    """
    return [
        plan_one(db, one, now, destroy=destroy)
        for one in _left(db, now, destroy=destroy) if chosen(one)
    ]  # fmt: skip


def unplanned(db: Database, now: str) -> list[Wanted]:
    """What the decisions ask for, that is not done, and that nobody has planned here."""
    held = {one.name for one in remedies(db) if one.plan is not None}
    return [one for one in _left(db, now, destroy=False) if one.name() not in held]


def _left(db: Database, now: str, *, destroy: bool) -> Iterator[Wanted]:
    """What the decisions ask for and is not done; with *destroy*, what may be destroyed of it."""
    done = _done(db)
    for one in wanted(db, now):
        stopped = _key(one.uri, one.verb, one.part) in done
        if destroy and not (one.verb == "revoke" and _to_destroy(db, one, stopped=stopped)):
            continue
        if not destroy and (stopped or proof_of(db, one, one.decided_at)):
            continue
        yield one


def plan_one(db: Database, one: Wanted, now: str, *, destroy: bool = False) -> Remedy:
    """Plan *one* stop and keep the plan; what was applied already is given back as it is."""
    held = db.one(f"{SELECT} WHERE name = ?", (one.name(destroy=destroy),))
    if held is not None and _stays(db, kept := remedy_of(held)):
        return kept
    plans = plans_for(db, one)
    best = _best(plans, destroy=destroy)
    state, said = _begins(one, plans, best, destroy=destroy)
    if said == BY_HAND and _is_off(db, one):
        said = OFF
    document = _document(one, best, plans)
    line = canonical(document)
    values = (
        one.name(destroy=destroy), one.uri, one.identity_id, one.source, one.item_kind,
        one.subject_id, one.verb, one.part, one.campaign, json.dumps(one.basis), one.due,
        one.decided_at, line.decode(), sha256(line), best.undo_class if best else None,
        _in_export(one, best), now, state, said, now,
    )  # fmt: skip
    with db.atomic():
        db.execute(
            "INSERT INTO remediation (name, uri, identity_id, source, item_kind, subject_id, verb,"
            " part, campaign, basis, due, decided_at, plan, plan_digest, undo_class, in_export,"
            " planned_at, state, said, state_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
            " ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET plan = excluded.plan,"
            " plan_digest = excluded.plan_digest, undo_class = excluded.undo_class,"
            " in_export = excluded.in_export,"
            " planned_at = excluded.planned_at, state = excluded.state, verdict = NULL,"
            " said = excluded.said, state_at = excluded.state_at",
            values,
        )
    return remedy_of(db.one(f"{SELECT} WHERE name = ?", (values[0],)))


def _stays(db: Database, held: Remedy) -> bool:
    """Whether it is not planned anew; what another workspace stopped, and lives again, is."""
    return held.state not in REPLANNED and (held.plan is not None or not is_alive(db, held))


def _in_export(one: Wanted, best: Plan | None) -> bool:
    """Whether an export shows the stop: it knows of the state (`known`), or what is deleted is the
    very thing that it lists. What is deleted to stop a whole identity may be another thing.
    """
    act = best.act if best else None
    if act is None:
        return True
    is_part = one.part is not None or one.item_kind != "identity"
    return is_part if act.wanted is None else act.known is not None


def plans_for(db: Database, one: Wanted) -> list[Plan]:
    """The connector's plans, from the dossier of today; alternatives, the reversible ones first."""
    if one.identity_id is None:
        raise UsageError(f"{one.uri}: is not in this inventory: import its source first")
    ((_, dossier),) = campaigns.dossiers(db, [one.identity_id])
    target = one.part or _whole(db, one)
    if one.emergency is not None:
        found = plans_at_once(dossier, one.verb, target)
    else:  # what has ended is stopped in whichever way can be undone: a flag before a removal
        verbs = ("disable", "revoke") if one.verb == ENDS else (one.verb,)
        found = [p for verb in verbs for p in connectors.plan(dossier, verb, target)]
    return sorted(found, key=lambda p: p.undo_class)


def _is_off(db: Database, one: Wanted) -> bool:
    """Whether the account or the credential is off by the last import."""
    if one.part is not None or one.item_kind not in ("identity", "credential"):
        return False
    row = one.identity_id if one.item_kind == "identity" else one.subject_id
    status = db.value(f"SELECT status FROM {one.item_kind} WHERE id = ?", (row,))
    return str(status) == "disabled"


def _whole(db: Database, one: Wanted) -> str | None:
    """What the item is to its platform; None for a whole identity."""
    if one.item_kind == "identity" or one.subject_id is None:
        return None
    column = {"credential": "uid", "grant": "entitlement_uid", "trust": "from_uid"}[one.item_kind]
    found = db.value(f"SELECT {column} FROM {one.item_kind} WHERE id = ?", (one.subject_id,))
    return None if found is None else str(found)


def _best(plans: Sequence[Plan], *, destroy: bool) -> Plan | None:
    """The first that can be undone, those that muster can do itself before others of its class."""
    usable = [p for p in plans if (p.undo_class == "R3") == destroy]
    return min(usable, key=lambda p: (p.undo_class, p.act is None), default=None)


def _begins(
    one: Wanted, plans: Sequence[Plan], best: Plan | None, *, destroy: bool
) -> tuple[State, str]:
    if one.verb in TASKS:
        return "planned", "a task: the import that shows it done closes it"
    if best is None:
        more = "look at --destroy" if one.verb == "revoke" else "only `revoke` may destroy a secret"
        return "not_supported", f"{ONLY_DESTROY}: {more}" if plans and not destroy else BY_HAND
    return ("not_supported", ONLY_LINES) if best.act is None else ("planned", "")


def _document(one: Wanted, best: Plan | None, plans: Sequence[Plan]) -> Json:
    """The plan as it is kept and digested; fields of no plan are empty, never left out."""
    plain = {
        "what": "", "stop": [], "undo": [], "undo_class": None, "propagation_s": 0, "residual": "",
        "act": None, "shell": "sh",
    } if best is None else json.loads(json.dumps(asdict(best)))  # fmt: skip
    return {
        **plain, "uri": one.uri, "source": one.source, "verb": one.verb, "part": one.part,
        "due": one.due, "reversible": any(p.undo_class != "R3" for p in plans),
    }  # fmt: skip


def _key(uri: str, verb: str, part: str | None) -> tuple[str, str, str | None]:
    """Revoke and disable of one thing stop the same."""
    return uri, verb if verb in TASKS else "stop", part


def _done(db: Database) -> dict[tuple[str, str, str | None], Remedy]:
    """What is stopped by a remediation, whichever decision asked for it."""
    return {
        _key(r.uri, r.verb, r.part): r for r in remedies(db)
        if r.state in STOPPED and r.undo_class != "R3" and not is_alive(db, r)
    }  # fmt: skip


def _to_destroy(db: Database, one: Wanted, *, stopped: bool) -> bool:
    """Whether there is a secret to destroy: of what is stopped, or can be stopped in no other way.

    What is off may have lost its plans, the destroying ones too: then one that was made stays.
    """
    plans = plans_for(db, one)
    if not stopped:
        return bool(plans) and all(p.undo_class == "R3" for p in plans)
    return any(p.undo_class == "R3" for p in plans)
