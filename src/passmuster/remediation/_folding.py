"""Results → where a remediation stands. Pure, and the one place that says so.

A result is a row that somebody signed, or will: what was done, or asked, and how the platform
answered. The newest in the order of the log counts, for a platform is as it is now, whatever it
was; only that it was stopped and put back is remembered beside it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from passmuster.connectors import VERDICTS, Verdict
from passmuster.errors import VerificationFailed
from passmuster.remediation._remedy import STATES, State
from passmuster.text import Json

UNDO_CLASSES = ("R1", "R2", "R3")
FIELDS = {
    "remediation", "item", "basis", "verb", "part", "action", "undoClass", "plan", "state",
    "verdict", "said", "prior", "planned", "sent", "at", "carrier", "script", "inExport", "salt",
    "ext",
}  # fmt: skip
CARRIERS = ("muster", "script")
assert get_args(Verdict) == VERDICTS


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a remediation stands."""

    state: State
    verdict: Verdict | None
    said: str
    at: str


def result_row(
    *, remediation: str, item: str, basis: Json, verb: str, part: str | None, action: str | None,
    undo_class: str | None, plan: str | None, state: str, verdict: str | None, said: str,
    prior: str | None, planned: str | None, sent: str | None, at: str, carrier: str,
    script: str | None, in_export: bool, salt: str,
) -> Json:  # fmt: skip
    """One line of `remediations.jsonl`, version 1: a contract, held by a golden file.

    *plan* and *prior* are digests: the plan's and the saved state's, which stays where it is.
    """
    return {
        "remediation": remediation,
        "item": item,
        "basis": basis,
        "verb": verb,
        "part": part,
        "action": action,
        "undoClass": undo_class,
        "plan": plan,
        "state": state,
        "verdict": verdict,
        "said": said,
        "prior": prior,
        "planned": planned,
        "sent": sent,
        "at": at,
        "carrier": carrier,
        "script": script,
        "inExport": in_export,  # whether an export of the platform can show it
        "salt": salt,
        "ext": {},
    }


def fold(rows: Iterable[Json]) -> Standing | None:
    """Where a remediation stands by its results, in the order of the log; None without any."""
    standing = None
    for row in rows:
        standing = Standing(row["state"], row["verdict"], row["said"], row["at"])
    return standing


def check_row(row: Json) -> None:
    """Raise VerificationFailed for a result of another form, or of a state that is none."""
    if row.keys() != FIELDS:
        raise VerificationFailed("a result of a remediation has other fields")
    basis = row["basis"]
    texts = ("remediation", "item", "verb", "said", "at", "salt")
    if (
        row["state"] not in STATES
        or row["verdict"] not in (None, *VERDICTS)
        or row["undoClass"] not in (None, *UNDO_CLASSES)
        or row["carrier"] not in CARRIERS
        or not isinstance(basis, dict)
        or basis.keys() not in ({"decisions"}, {"emergency"})
        or not all(isinstance(row[name], str) for name in texts)
        or not isinstance(row["inExport"], bool)
        or (row["state"] == "verified") != (row["verdict"] in ("refused", "flag"))
    ):
        raise VerificationFailed("a result of a remediation is of a state that is none")
