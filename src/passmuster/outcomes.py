"""From signed decisions to outcomes; pure, and the same code on laptop, server and in a pack.

Absence is never approval: only a present, signed `approve` by somebody who was asked lets access
stand, and every item without one reads `no_response` (or `abstained`). Where the campaign asks
for two persons, an approval stands only with a present concurrence on that very row.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from passmuster import seconds
from passmuster.model import ChangeVerb, SecondVerdict, Verdict
from passmuster.seconds import Signer

Effect = Literal[
    "stands", "stands_until", "stops", "abstained", "no_response", "awaiting_second", "objected"
]
STANDING: frozenset[Effect] = frozenset({"stands", "stands_until"})
"""Effects that let access stand."""

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
    fingerprint: str = ""
    """The key that signed it."""
    person: str = ""
    """Who that is by the roster (`seconds.Signer`)."""
    is_robot: bool = False

    @property
    def signer(self) -> Signer:
        """Who signed it, for the two-person rule."""
        return Signer(self.principal, self.fingerprint, self.person, self.is_robot)


@dataclass(frozen=True, slots=True)
class Second:
    """One countersignature, as far as the outcome depends on it."""

    row: str
    """The decision row that it is on, by its name."""
    leaf: str
    signer: Signer
    verdict: SecondVerdict
    order: int


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
    seconds: tuple[str, ...] = ()
    """The countersignatures on those rows, of each person the newest."""


def fold(
    votes: Iterable[Vote], asked: Mapping[str, Collection[str]],
    countersigned: Iterable[Second] = (), needed: Mapping[str, Collection[str]] | None = None,
) -> dict[str, Outcome]:  # fmt: skip
    """The outcome of every item in *asked* (URI → who was asked to decide it).

    Of each person the newest row counts; one denial denies (`one_deny_denies`). A row by
    somebody who was not asked, or on something that is no item, counts for nothing.

    *needed* has the items whose approval needs a second person, and who may be one
    (`seconds.may`); it is empty in a campaign without such a rule.
    """
    newest: dict[str, dict[str, Vote]] = {uri: {} for uri in asked}
    for vote in votes:
        if vote.uri in asked and vote.principal in asked[vote.uri]:
            held = newest[vote.uri].get(vote.principal)
            if held is None or held.order <= vote.order:
                newest[vote.uri][vote.principal] = vote
    found = {uri: _one_deny_denies(uri, list(held.values())) for uri, held in newest.items()}
    if not needed:
        return found
    on: dict[str, list[Second]] = {}
    for second in countersigned:
        on.setdefault(second.row, []).append(second)
    for uri, allowed in needed.items():
        rows = [v for v in newest[uri].values() if v.leaf in found[uri].leaves]
        found[uri] = _two_persons(found[uri], sorted(rows, key=lambda v: v.order), on, allowed)
    return found


def _two_persons(
    outcome: Outcome, rows: list[Vote], on: Mapping[str, list[Second]], allowed: Collection[str]
) -> Outcome:
    """*outcome*, once each of its approvals has a concurrence and none an objection.

    A stop is not held up: it can be undone, and what the second person says to it is shown.
    """
    said = {vote.leaf: _newest(on.get(vote.leaf, []), vote.signer, allowed) for vote in rows}
    outcome = replace(outcome, seconds=tuple(s.leaf for held in said.values() for s in held))
    if outcome.effect not in STANDING:
        return outcome
    if any(s.verdict != "concur" for held in said.values() for s in held):
        return replace(outcome, effect="objected", until=None)
    if not all(said.values()):
        return replace(outcome, effect="awaiting_second", until=None)
    return outcome


def _newest(found: list[Second], decider: Signer, allowed: Collection[str]) -> list[Second]:
    """Of each person who may countersign a row of *decider*, the newest; in log order."""
    held: list[Second] = []
    for second in sorted(found, key=lambda s: (s.order, s.leaf)):
        if seconds.counts(second.signer, decider, allowed):
            held = [h for h in held if not seconds.same_person(h.signer, second.signer)]
            held.append(second)
    return held


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
