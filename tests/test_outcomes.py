"""The table verdict × change → what happens to the access, and that absence approves nothing.

The table here is the same as the one in the documents: it is the test.
"""

import itertools
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passmuster import outcomes
from passmuster.model import CHANGE_VERBS, VERDICTS, ChangeVerb, Verdict
from passmuster.outcomes import Outcome, Vote, fold

Changes = tuple[tuple[ChangeVerb, str], ...]
TABLE: list[tuple[Verdict, str | None, Changes, str, list[tuple[str, str | None]]]] = [
    # verdict, until, changes → effect, remediations
    ("approve", None, (), "stands", []),
    ("approve", None, (("revoke", "k"),), "stands", [("revoke", "k")]),
    ("approve", None, (("disable", "k"),), "stands", [("disable", "k")]),
    ("approve", None, (("rotate", "k"),), "stands", [("rotate", "k")]),
    ("approve", None, (("right_size", "g"),), "stands", [("right_size", "g")]),
    ("approve", None, (("rotate", "k"), ("right_size", "g")), "stands",
     [("rotate", "k"), ("right_size", "g")]),
    ("approve", "2027-06-30", (), "stands_until", []),
    ("approve", "2027-06-30", (("revoke", "k"),), "stands_until", [("revoke", "k")]),
    ("approve", "2027-06-30", (("disable", "k"),), "stands_until", [("disable", "k")]),
    ("approve", "2027-06-30", (("rotate", "k"),), "stands_until", [("rotate", "k")]),
    ("approve", "2027-06-30", (("right_size", "g"),), "stands_until", [("right_size", "g")]),
    ("revoke", None, (), "stops", [("revoke", None)]),
    ("disable", None, (), "stops", [("disable", None)]),
    ("abstain", None, (), "abstained", []),
]  # fmt: skip


def vote(
    principal: str, verdict: Verdict, order: int = 1, until: str | None = None,
    changes: Changes = (), uri: str = "i",
) -> Vote:  # fmt: skip
    return Vote(uri, f"leaf{order}{principal}", principal, verdict, until, changes, order)


def one(votes: list[Vote], *asked: str) -> Outcome:
    return fold(votes, {"i": asked})["i"]


@pytest.mark.parametrize(("verdict", "until", "changes", "effect", "remediations"), TABLE)
def test_the_table(
    verdict: Verdict, until: str | None, changes: Changes, effect: str,
    remediations: list[tuple[str, str | None]],
) -> None:  # fmt: skip
    found = one([vote("a", verdict, 1, until, changes)], "a")
    assert (found.effect, found.until) == (effect, until)
    assert list(found.remediations) == remediations


def test_the_table_has_every_verdict_and_every_change() -> None:
    assert {row[0] for row in TABLE} == set(VERDICTS)
    assert {c[0] for row in TABLE for c in row[2]} == set(CHANGE_VERBS)
    assert {(row[0], row[1] is not None) for row in TABLE} == set(outcomes.EFFECTS)


def test_silence_is_no_response() -> None:
    assert one([], "a").effect == "no_response"
    assert fold([], {}) == {}


def test_the_newest_of_one_person_counts() -> None:
    votes = [vote("a", "approve", 1), vote("a", "revoke", 2)]
    assert one(votes, "a").effect == "stops"
    assert one([vote("a", "revoke", 1), vote("a", "approve", 2)], "a").effect == "stands"


def test_one_denial_denies() -> None:
    votes = [vote("a", "approve", 1), vote("b", "disable", 2), vote("c", "approve", 3)]
    found = one(votes, "a", "b", "c")
    assert found.effect == "stops"
    assert found.leaves == ("leaf2b",)


def test_who_was_not_asked_counts_for_nothing() -> None:
    assert one([vote("x", "approve")], "a").effect == "no_response"
    assert one([vote("x", "revoke", 2), vote("a", "approve", 1)], "a").effect == "stands"
    assert fold([vote("a", "approve", uri="other")], {"i": {"a"}})["i"].effect == "no_response"


def test_of_two_ends_the_earlier_holds() -> None:
    votes = [vote("a", "approve", 1, "2027-06-30"), vote("b", "approve", 2, "2027-01-31"),
             vote("c", "approve", 3)]  # fmt: skip
    assert one(votes, "a", "b", "c").until == "2027-01-31"


PEOPLE = ("a", "b", "c")
ballots = st.lists(
    st.builds(
        lambda who, verdict, order, until: vote(
            who, verdict, order, until if verdict == "approve" else None
        ),
        st.sampled_from((*PEOPLE, "stranger")), st.sampled_from(VERDICTS), st.integers(1, 9),
        st.none() | st.just("2027-06-30"),
    ),
    max_size=8, unique_by=lambda v: (v.principal, v.order),
)  # fmt: skip
STANDING = ("stands", "stands_until")


@given(ballots, st.sets(st.sampled_from(PEOPLE), min_size=1))
def test_access_stands_only_on_a_present_approval_by_who_was_asked(
    votes: list[Vote], asked: set[str]
) -> None:
    found = one(votes, *asked)
    approvals = {v.leaf for v in votes if v.verdict == "approve" and v.principal in asked}
    if found.effect in STANDING:
        assert set(found.leaves) <= approvals
        assert found.leaves
    assert found.effect in {*STANDING, "stops", "abstained", "no_response"}


@given(ballots, st.data())
def test_dropping_a_persons_rows_never_makes_silence_or_abstention_stand(
    votes: list[Vote], data: st.DataObject
) -> None:
    before = one(votes, *PEOPLE)
    lost = data.draw(st.sampled_from(votes or [vote("a", "abstain")]))
    after = one([v for v in votes if v is not lost], *PEOPLE)
    if before.effect in ("no_response", "abstained") and after.effect in STANDING:
        # only an approval of the same person that the lost row had taken back
        assert lost.verdict == "abstain"
        assert all(leaf.endswith(lost.principal) for leaf in after.leaves)


@given(st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(VERDICTS)), max_size=3,
                unique_by=lambda t: t[0]), st.data())  # fmt: skip
def test_dropping_any_row_never_turns_no_response_or_a_stop_into_standing(
    rows: list[tuple[str, Verdict]], data: st.DataObject
) -> None:
    """One row for each person: what a lost batch can do, but for a lone denial among approvals.

    A lost denial leaves the approvals of others; that one is why a chain and a close statement
    name what must be there (`tests/evidence/test_attacks.py`).
    """
    votes = [vote(who, verdict, order) for order, (who, verdict) in enumerate(rows, 1)]
    before = one(votes, *PEOPLE)
    for lost in votes:
        after = one([v for v in votes if v is not lost], *PEOPLE)
        if before.effect == "no_response":
            assert after.effect == "no_response"
        if before.effect == "stops" and after.effect in STANDING:
            assert lost.verdict in ("revoke", "disable")
            assert any(v.verdict == "approve" for v in votes if v is not lost)
        if before.effect == "stops" and len(votes) == 1:
            assert after.effect == "no_response"


@given(ballots)
def test_the_order_of_arrival_does_not_matter(votes: list[Vote]) -> None:
    assert one(votes, *PEOPLE).effect == one(votes[::-1], *PEOPLE).effect


# several devices: `saw` tells which row is the later, and nothing else does


def row(name: str, who: str, verdict: Verdict, *saw: str, until: str | None = None) -> Vote:
    return Vote("i", name, who, verdict, until, (), ord(name[0]), saw=saw)


CONFLICTS: list[tuple[str, list[Vote], str]] = [
    ("one approves", [row("p", "a", "approve")], "stands"),
    ("two devices of one person differ", [row("p", "a", "approve"), row("q", "a", "revoke")],
     "contested"),
    ("two devices of one person agree", [row("p", "a", "approve"), row("q", "a", "approve")],
     "stands"),
    ("another day is another decision",
     [row("p", "a", "approve"), row("q", "a", "approve", until="2027-01-31")], "contested"),
    ("an abstention of one's other device", [row("p", "a", "approve"), row("q", "a", "abstain")],
     "contested"),
    ("two persons, neither saw the other", [row("p", "a", "approve"), row("q", "b", "disable")],
     "contested"),
    ("two persons, the second saw the first",
     [row("p", "a", "approve"), row("q", "b", "disable", "p")], "stops"),
    ("one denial denies, whoever approves later",
     [row("p", "a", "revoke"), row("q", "b", "approve", "p")], "stops"),
    ("two persons who approve", [row("p", "a", "approve"), row("q", "b", "approve")], "stands"),
    ("an approval and an abstention", [row("p", "a", "approve"), row("q", "b", "abstain")],
     "stands"),
    ("resolved by one who saw both",
     [row("p", "a", "approve"), row("q", "b", "revoke"), row("r", "a", "approve", "p", "q")],
     "stands"),
    ("resolved the other way",
     [row("p", "a", "approve"), row("q", "b", "revoke"), row("r", "a", "revoke", "p", "q")],
     "stops"),
    ("who saw one of two resolves nothing",
     [row("p", "a", "approve"), row("q", "b", "revoke"), row("r", "a", "approve", "p")],
     "contested"),
    ("two resolve at once, and differ",
     [row("p", "a", "approve"), row("q", "b", "revoke"), row("r", "a", "approve", "p", "q"),
      row("s", "b", "revoke", "p", "q")], "contested"),
    ("what was seen is seen through another row too",
     [row("p", "a", "approve"), row("q", "a", "revoke", "p"), row("r", "a", "approve", "q")],
     "stands"),
    ("a stranger resolves nothing",
     [row("p", "a", "approve"), row("q", "b", "revoke"), row("r", "x", "approve", "p", "q")],
     "contested"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "effect"), [c[1:] for c in CONFLICTS], ids=[c[0] for c in CONFLICTS]
)
def test_the_table_of_conflicts(rows: list[Vote], effect: str) -> None:
    for order in itertools.permutations(range(len(rows))):
        found = one([replace(v, order=n) for v, n in zip(rows, order, strict=True)], "a", "b")
        assert found.effect == effect
        if effect == "contested":
            assert not found.remediations


def test_an_emergency_stop_takes_effect_whoever_was_asked_and_whatever_is_contested() -> None:
    urgent = replace(row("z", "oncall", "revoke"), emergency=True)
    assert one([row("p", "a", "approve"), urgent], "a").effect == "stops"
    found = one([row("p", "a", "approve"), row("q", "a", "abstain"), urgent], "a")
    assert (found.effect, found.remediations) == ("stops", (("revoke", None),))
    assert one([row("p", "oncall", "revoke")], "a").effect == "no_response"


@st.composite
def histories(draw: st.DrawFn) -> list[Vote]:
    """Rows in an order in which they may have been made, each having seen some before it."""
    rows: list[Vote] = []
    for name in "pqrstu"[: draw(st.integers(1, 6))]:
        seen = {r.leaf for r in rows if draw(st.booleans())}
        rows.append(row(name, draw(st.sampled_from("abc")), draw(st.sampled_from(VERDICTS)), *seen))
    return rows


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_tells_nothing(rows: list[Vote], chance: random.Random) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)
    shuffled = [replace(v, order=n) for n, v in enumerate(shuffled)]
    first, second = one(rows, *"abc"), one(shuffled, *"abc")
    assert (first.effect, first.until) == (second.effect, second.until)
    assert set(first.leaves) == set(second.leaves)
    assert set(first.remediations) == set(second.remediations)


@given(histories(), st.sampled_from("abc"), st.sampled_from(VERDICTS))
def test_who_saw_everything_ends_every_conflict(
    rows: list[Vote], who: str, verdict: Verdict
) -> None:
    last = row("z", who, verdict, *(r.leaf for r in rows))
    assert one([*rows, last], *"abc").effect != "contested"
