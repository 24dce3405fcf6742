"""From signed decisions to outcomes; pure, and the same code on laptop, server and in a pack.

Absence is never approval: only a present, signed `approve` by somebody who was asked lets access
stand, and every item without one reads `no_response` (or `abstained`).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from passmuster.model import ChangeVerb, Verdict

Effect = Literal["stands", "stands_until", "stops", "abstained", "no_response"]

# verdict × has an end date → what happens to the access as a whole
EFFECTS: dict[tuple[Verdict, bool], Effect] = {
    ("approve", False): "stands",
    ("approve", True): "stands_until",
    ("revoke", False): "stops",
    ("disable", False): "stops",
    ("abstain", False): "abstained",
}
# what must then be carried out, for the whole and for each part that is changed
REMEDIATIONS: dict[Verdict, ChangeVerb | None] = {
    "approve": None,
    "revoke": "revoke",
    "disable": "disable",
    "abstain": None,
}
TAKES_CHANGES: frozenset[Verdict] = frozenset({"approve"})
"""Only an approval can be of the whole but for some parts; the others leave no part standing."""
TAKES_UNTIL: frozenset[Verdict] = frozenset({"approve"})


@dataclass(frozen=True, slots=True)
class Vote:
    """One decision row, as far as the outcome depends on it."""

    uri: str
    leaf: str
    principal: str
    verdict: Verdict
    until: str | None
    changes: tuple[tuple[ChangeVerb, str], ...]
    order: int
    """Position in the log; the newest of one person counts."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an item came to."""

    uri: str
    effect: Effect
    until: str | None
    remediations: tuple[tuple[ChangeVerb, str | None], ...]
    """(verb, part); the part is None for the item as a whole."""
    leaves: tuple[str, ...]
    """The decision rows that it follows from."""


def fold(votes: Iterable[Vote], asked: Mapping[str, Collection[str]]) -> dict[str, Outcome]:
    """The outcome of every item in *asked* (URI → who was asked to decide it).

    Of each person the newest row counts; one denial denies (`one_deny_denies`). A row by
    somebody who was not asked, or on something that is no item, counts for nothing.
    """
    newest: dict[str, dict[str, Vote]] = {uri: {} for uri in asked}
    for vote in votes:
        if vote.uri in asked and vote.principal in asked[vote.uri]:
            held = newest[vote.uri].get(vote.principal)
            if held is None or held.order <= vote.order:
                newest[vote.uri][vote.principal] = vote
    return {uri: _one_deny_denies(uri, list(held.values())) for uri, held in newest.items()}


def _one_deny_denies(uri: str, votes: list[Vote]) -> Outcome:
    if not votes:
        return Outcome(uri, "no_response", None, (), ())
    votes.sort(key=lambda v: v.order)
    denials = [v for v in votes if EFFECTS[v.verdict, v.until is not None] == "stops"]
    approvals = [v for v in votes if v.verdict == "approve"]
    counted = denials or approvals
    if not counted:
        return Outcome(uri, "abstained", None, (), tuple(v.leaf for v in votes))
    remediations: list[tuple[ChangeVerb, str | None]] = []
    for vote in counted:
        whole = REMEDIATIONS[vote.verdict]
        remediations += [(whole, None)] if whole else []
        remediations += vote.changes
    ends = [v.until for v in counted if v.until is not None]
    until = None if denials else min(ends, default=None)
    effect: Effect = "stops" if denials else "stands_until" if until else "stands"
    return Outcome(
        uri, effect, until, tuple(dict.fromkeys(remediations)), tuple(v.leaf for v in counted)
    )
