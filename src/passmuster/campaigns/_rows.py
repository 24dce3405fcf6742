"""The rows of version 1, taken apart and refused where they have any other form. Pure.

A row that some side cannot read would keep the evidence from being written for ever: whoever takes
a batch of somebody else checks it here first, and so does whoever checks a pack.
"""

from passmuster.errors import VerificationFailed
from passmuster.model import CHANGE_VERBS, SECOND_VERDICTS
from passmuster.outcomes import EFFECTS, TAKES_CHANGES
from passmuster.text import Json

DECISION_FIELDS = frozenset((
    "item", "dossier", "material", "verdict", "changes", "until", "reason", "saw", "attention",
    "bulk", "salt", "stage", "capacity", "on_behalf_of", "relation_to_item", "actor_kind",
    "recommendation", "carried_from", "exception",
))  # fmt: skip
COUNTERSIGN_FIELDS = frozenset((
    "item", "row", "dossier", "material", "verdict", "reason", "saw", "attention", "bulk", "salt",
    "capacity", "stage", "on_behalf_of", "relation_to_item", "actor_kind",
))  # fmt: skip
OWN_FIELDS = frozenset(("item", "dossier", "owner", "role", "evidence", "reviewer", "salt"))
FIELDS = {"decisions": DECISION_FIELDS, "own": OWN_FIELDS, "countersign": COUNTERSIGN_FIELDS}


def check_row(kind: str, row: Json, where: str) -> None:
    """Refuse a row with other fields or values than version 1 has: none is guessed at."""
    if not isinstance(row, dict) or row.keys() != FIELDS[kind]:
        raise VerificationFailed(f"{where}: has other fields than a row of {kind}")
    if not _is_text(row, "item", "dossier", "salt"):
        raise VerificationFailed(f"{where}: a field that must be text is not")
    if kind == "own":
        if not isinstance(row["reviewer"], str | None) or not _is_text(row, "owner", "role"):
            raise VerificationFailed(f"{where}: its owner or its reviewer is no text")
        return
    _check_judged(row, where)
    if kind == "countersign":
        if row["verdict"] not in SECOND_VERDICTS or row["capacity"] != "second":
            raise VerificationFailed(f"{where}: no verdict {row['verdict']!r} of a second person")
    else:
        _check_decision(row, where)


def _is_text(row: Json, *names: str) -> bool:
    return all(isinstance(row[name], str) for name in names)


def _check_judged(row: Json, where: str) -> None:
    """What a decision and a countersignature have in common."""
    reason, attention, bulk, saw = (row[n] for n in ("reason", "attention", "bulk", "saw"))
    good = (
        _is_text(row, "material")
        and isinstance(saw, list) and all(isinstance(name, str) for name in saw)
        and isinstance(reason, dict) and reason.keys() == {"code", "text"}
        and isinstance(reason["code"], str | None) and isinstance(reason["text"], str)
        and isinstance(attention, dict)
        and attention.keys() == {"first_shown", "decided", "details_opened"}
        and isinstance(attention["decided"], str)
        and (bulk is None or (isinstance(bulk, dict) and bulk.keys() == {"id", "size", "how"}))
    )  # fmt: skip
    if not good:
        raise VerificationFailed(f"{where}: its reason, its attention or what it saw has another "
                                 "form")  # fmt: skip


def _check_decision(row: Json, where: str) -> None:
    until, changes = row["until"], row["changes"]
    if not isinstance(until, str | None) or (row["verdict"], until is not None) not in EFFECTS:
        raise VerificationFailed(f"{where}: no verdict {row['verdict']!r} until {until!r}")
    if not isinstance(changes, list) or (changes and row["verdict"] not in TAKES_CHANGES):
        raise VerificationFailed(f"{where}: {row['verdict']} takes no changes")
    for change in changes:
        if (
            not isinstance(change, dict)
            or change.keys() - {"to", "by"} != {"verb", "target"}
            or change["verb"] not in CHANGE_VERBS
            or not isinstance(change["target"], str)
        ):
            raise VerificationFailed(f"{where}: no such change: {change}")
