"""Remediations as rows and lines: what `muster remediate` prints."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from passmuster.outcomes import ENDS

if TYPE_CHECKING:
    from passmuster.remediation import Remedy, Status

PLANNED = {
    "id": "ID", "state": "STATE", "undo_class": "UNDO", "due": "DUE", "what": "WHAT",
}  # fmt: skip
STANDING = {
    "id": "ID", "standing": "STATE", "identity": "IDENTITY", "verb": "VERB", "part": "PART",
    "due": "DUE", "what": "WHAT",
}  # fmt: skip


def plan_row(one: "Remedy") -> dict[str, Any]:
    """A plan, with names that stay."""
    plan = one.plan or {}
    return {
        "id": one.name, "item": one.uri, "source": one.source, "verb": one.verb, "part": one.part,
        "state": one.state, "what": one.what, "stop": list(plan.get("stop", ())),
        "undo": list(plan.get("undo", ())), "undo_class": one.undo_class,
        "propagation_s": plan.get("propagation_s"), "residual": plan.get("residual"),
        "due": one.due, "said": one.said, "plan": one.plan_digest, "live": one.act is not None,
    }  # fmt: skip


def plan_lines(one: "Remedy") -> Iterator[str]:
    """A plan for a person, before anything is done."""
    plan = one.plan or {}
    by = "its approval ended with" if one.verb == ENDS else "by"
    yield f"{one.name}  {one.what}" + (f"  {by} {one.due}" if one.due else "")
    for line in plan.get("stop", ()):
        yield f"    {line}"
    for line in plan.get("undo", ()):
        yield f"    undo: {line}"
    if plan.get("stop"):
        yield (f"    {one.undo_class}; takes up to {plan['propagation_s']} s; goes on "
               f"nevertheless: {plan['residual']}")  # fmt: skip
    if one.said:
        yield f"    {one.said}"


def result_row(one: "Remedy") -> dict[str, Any]:
    """What came of a step."""
    return {
        "id": one.name, "item": one.uri, "verb": one.verb, "part": one.part, "what": one.what,
        "state": one.state, "verdict": one.verdict, "said": one.said, "at": one.state_at,
    }  # fmt: skip


def standing_row(found: "Status") -> dict[str, Any]:
    """Where a remediation stands."""
    one, proof, alive = found.remedy, found.proof, found.alive
    return {
        **plan_row(one), **result_row(one), "identity": found.identity, "standing": found.words,
        "open": found.is_open, "overdue": found.overdue,
        "proved_at": proof.at if proof else None, "proof": proof.words if proof else None,
        "alive_at": alive.at if alive else None,
    }  # fmt: skip
