"""Why a step cannot be taken with a remediation: asked before a person is asked for anything."""

from typing import Literal

from passmuster.remediation._applying import by_hand
from passmuster.remediation._proved import is_alive
from passmuster.remediation._remedy import STOPPED, TASKS, Remedy
from passmuster.remediation._verifying import ASKED
from passmuster.store import Database

Step = Literal["apply", "verify", "restore"]


def why_not(db: Database, one: Remedy, step: Step) -> str:
    """Why *step* would come to nothing; empty where the platform is worth asking.

    Of applying, what can be undone alone: what destroys a secret is asked for by its own command.
    """
    if step == "apply":
        return _apply(db, one)
    if step == "restore":
        return _restore(one)
    if one.act is None or one.state not in ASKED:
        return f"it is {_state(one)}: only what muster applied can be asked for"
    return ""


def _restore(one: Remedy) -> str:
    if one.undo_class == "R3":
        return "a secret was destroyed, and nothing brings it back: issue a new one"
    if one.state == "reverted":
        return "it was put back already"
    if one.act is None or one.prior_id is None:
        return f"it is {_state(one)}: muster changed nothing, so there is nothing to put back"
    return ""


def _apply(db: Database, one: Remedy) -> str:
    if one.plan is None:
        return ("it was planned in another workspace, and only what came of it is known here:"
                " plan it here first")  # fmt: skip
    if one.verb in TASKS:
        return "a task for people: the import that shows it done closes it"
    if one.undo_class == "R3":
        return (f"it cannot be undone, so it is not done from here: muster remediate apply"
                f" {one.name} --destroy")  # fmt: skip
    if one.state in STOPPED and not is_alive(db, one):
        return f"it is {_state(one)} already"
    return (one.said or by_hand(one)) if one.act is None else ""


def _state(one: Remedy) -> str:
    return one.state.replace("_", " ")
