"""From signed decisions to outcomes; pure, and the same code on laptop, server and in a pack.

Absence is never approval: only a present, signed `approve` by somebody who was asked lets access
stand, and every item without one reads `no_response` (or `abstained`). Where the campaign asks
for two persons, an approval stands only with a present concurrence on that very row.
The same is told of countersignatures: a second person whose devices contradict each other, neither
having seen the other, has said nothing that lets access stand until they look at both.

Rows come from many devices. Which of two is the later is never told by a clock or by the order in
which they arrived, but by what each says that its signer had seen (`saw`). Where neither of two
that differ saw the other, the item is contested: nothing stands and nothing is carried out until
somebody who was asked has seen both and decides.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

from passmuster import seconds
from passmuster.model import ChangeVerb, SecondVerdict, Verdict
from passmuster.seconds import Signer
from passmuster.text import utc

Effect = Literal[
    "stands",
    "stands_until",
    "stops",
    "abstained",
    "no_response",
    "awaiting_second",
    "objected",
    "contested",
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
ENDS = "end"
"""What an approval until a day asks for when the day is past: no verb of a reviewer's."""


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
    """Position in the log of whoever folds: rows that count are told in this order."""
    fingerprint: str = ""
    """The key that signed it."""
    person: str = ""
    """Who that is by the roster (`seconds.Signer`)."""
    is_robot: bool = False
    saw: tuple[str, ...] | None = None
    """Names of the earlier rows on the item that its signer had seen; None: all before it."""
    emergency: bool = False
    """A stop outside any campaign (basis emergency): it takes effect whoever was asked."""

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
    saw: tuple[str, ...] | None = None
    """Names of the countersignatures on that row that its signer had seen; None: all before it."""


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
    """The countersignatures on those rows that count: of each person those not superseded."""


def has_ended(outcome: Outcome, now: str) -> bool:
    """Whether access stood until a day that is past; a day lasts until its end in UTC."""
    until = outcome.until
    if outcome.effect != "stands_until" or until is None:
        return False
    return (f"{until}T23:59:59Z" if len(until) == 10 else utc(until) or until) < now


def fold(
    votes: Iterable[Vote], asked: Mapping[str, Collection[str]],
    countersigned: Iterable[Second] = (), needed: Mapping[str, Collection[str]] | None = None,
) -> dict[str, Outcome]:  # fmt: skip
    """The outcome of every item in *asked* (URI → who was asked to decide it).

    Of each person the newest row counts (`heads`); one denial denies (`one_deny_denies`). A row
    by somebody who was not asked, or on something that is no item, counts for nothing.

    *needed* has the items whose approval needs a second person, and who may be one
    (`seconds.may`); it is empty in a campaign without such a rule.
    """
    cast: dict[str, list[Vote]] = {uri: [] for uri in asked}
    for vote in votes:
        if vote.uri in asked and (vote.emergency or vote.principal in asked[vote.uri]):
            cast[vote.uri].append(vote)
    counted, found = {}, {}
    for uri, rows in cast.items():
        counted[uri], contested = heads(rows)
        found[uri] = _outcome(uri, counted[uri], contested=contested)
    if not needed:
        return found
    on: dict[str, list[Second]] = {}
    for second in countersigned:
        on.setdefault(second.row, []).append(second)
    for uri, allowed in needed.items():
        rows = [v for v in counted[uri] if v.leaf in found[uri].leaves]
        found[uri] = _two_persons(found[uri], rows, on, allowed)
    return found


def _two_persons(
    outcome: Outcome, rows: list[Vote], on: Mapping[str, list[Second]], allowed: Collection[str]
) -> Outcome:
    """*outcome*, once each of its approvals has a concurrence and none an objection.

    A stop is not held up: it can be undone, and what the second person says to it is shown. Who
    both concurs and objects, with neither superseded, is the one whose word is contested.
    """
    said = {vote.leaf: _words(on.get(vote.leaf, []), vote.signer, allowed) for vote in rows}
    outcome = replace(outcome, seconds=tuple(s.leaf for held in said.values() for s in held))
    if outcome.effect not in STANDING:
        return outcome
    objections = [(s, held) for held in said.values() for s in held if s.verdict != "concur"]
    if any(not _taken_both_ways(second, held) for second, held in objections):
        return replace(outcome, effect="objected", until=None)
    if objections:
        return replace(outcome, effect="contested", until=None)
    if not all(said.values()):
        return replace(outcome, effect="awaiting_second", until=None)
    return outcome


def _taken_both_ways(objection: Second, held: list[Second]) -> bool:
    """Whether its person concurs on the same row as well."""
    return any(
        other.verdict == "concur" and seconds.same_person(other.signer, objection.signer)
        for other in held
    )


def _words(found: list[Second], decider: Signer, allowed: Collection[str]) -> list[Second]:
    """What counts of the countersignatures on a row of *decider*, in log order: of those who may,
    what its own person has not superseded, which is what they had seen when they said it anew.
    """
    rows = sorted(
        (s for s in found if seconds.counts(s.signer, decider, allowed)),
        key=lambda s: (s.order, s.leaf),
    )
    seen = _seen(rows)
    return [
        s for s in rows
        if not any(s.leaf in seen[r.leaf] and seconds.same_person(s.signer, r.signer) for r in rows)
    ]  # fmt: skip


def heads(votes: Sequence[Vote]) -> tuple[list[Vote], bool]:
    """The rows of one item that count, in log order, and whether they make it contested.

    *votes* are by people who were asked. Those count that none of the others supersedes.

    A row supersedes what its signer had seen of their own rows, and an emergency stop that they had
    seen: that is its review. Where what they had seen was
    contested it supersedes all of that: it is the decision that ends the conflict. Which rows a
    row supersedes follows from what it saw alone, so everybody comes to the same, whatever arrived
    when.
    """
    rows = sorted(votes, key=lambda v: (v.order, v.leaf))
    if len(rows) < 2:
        return rows, False
    seen = _seen(rows)
    gone: dict[str, set[str]] = {}
    for row in sorted(rows, key=lambda v: (len(seen[v.leaf]), v.order, v.leaf)):
        before = [v for v in rows if v.leaf in seen[row.leaf]]
        over = {leaf for v in before for leaf in gone[v.leaf]}
        alive = [v for v in before if v.leaf not in over]
        ends = _in_conflict(alive, seen)
        gone[row.leaf] = {v.leaf for v in alive if ends or _same(v, row) or _reviews(row, v)}
    over = {leaf for leaves in gone.values() for leaf in leaves}
    counted = [v for v in rows if v.leaf not in over]
    return counted, _in_conflict(counted, seen) and not any(v.emergency for v in counted)


def _seen(rows: Sequence[Vote] | Sequence[Second]) -> dict[str, set[str]]:
    """Name → names of all rows that its signer had seen, by what they had seen themselves too."""
    names = {v.leaf for v in rows}
    seen = {
        v.leaf: {w.leaf for w in rows if (w.order, w.leaf) < (v.order, v.leaf)}
        if v.saw is None else names & set(v.saw) - {v.leaf}
        for v in rows
    }  # fmt: skip
    for _ in rows:  # a name is a hash, so no row can have seen one that saw it
        for leaf, earlier in seen.items():
            seen[leaf] = earlier.union(*(seen[e] for e in earlier)) - {leaf}
    return seen


def _in_conflict(rows: Sequence[Vote], seen: Mapping[str, set[str]]) -> bool:
    """Whether two of *rows* differ and neither of their signers had seen the other."""
    return any(
        _differ(one, other)
        for one, other in combinations(rows, 2)
        if one.leaf not in seen[other.leaf] and other.leaf not in seen[one.leaf]
    )


def _differ(one: Vote, other: Vote) -> bool:
    """Of one person every difference; of two, that one lets access stand and one does not."""
    if _same(one, other):
        return (one.verdict, one.until, sorted(one.changes)) != (
            other.verdict, other.until, sorted(other.changes),
        )  # fmt: skip
    effects = {EFFECTS[v.verdict, v.until is not None] for v in (one, other)}
    return "stops" in effects and bool(effects & STANDING)


def _same(one: Vote, other: Vote) -> bool:
    """By the address that a reviewer is asked at: nobody takes back what another was asked."""
    return one.principal == other.principal


def _reviews(row: Vote, urgent: Vote) -> bool:
    """Whether *row* decides afterwards what was stopped in an emergency."""
    return urgent.emergency and not row.emergency and row.verdict != "abstain"


def _outcome(uri: str, counted: list[Vote], *, contested: bool) -> Outcome:
    if contested:
        return Outcome(uri, "contested", None, (), tuple(v.leaf for v in counted))
    return _one_deny_denies(uri, counted)


def _one_deny_denies(uri: str, votes: list[Vote]) -> Outcome:
    if not votes:
        return Outcome(uri, "no_response", None, (), ())
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
