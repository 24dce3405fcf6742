"""The two-person rule: who may be the second person, and what their word does.

The table here is the same as the one in the documents: it is the test.
"""

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from passmuster import outcomes, seconds
from passmuster.errors import UsageError
from passmuster.model import SECOND_VERDICTS, VERDICTS, SecondVerdict, Verdict
from passmuster.outcomes import STANDING, Outcome, Second, Vote, fold
from passmuster.seconds import Known, Policy, Signer

ANN, REV, SEC, TWO = "ann@x.example", "rev@x.example", "sec@x.example", "two@x.example"
MAY = (SEC, TWO)
Word = tuple[str, str, SecondVerdict]
"""Whose, on the row of which number, and what."""


def vote(
    verdict: Verdict, number: int = 1, until: str | None = None, who: str = REV,
    saw: tuple[str, ...] | None = None,
) -> Vote:  # fmt: skip
    return Vote(
        "i", f"row{number}", who, verdict, until, (), number, f"key of {who}", saw=saw
    )  # fmt: skip


def word(
    who: str, row: str, verdict: SecondVerdict, number: int = 9, key: str = "",
    saw: tuple[str, ...] | None = None,
) -> Second:  # fmt: skip
    """What somebody says to a row, by a name of its number and theirs; *saw* is of such names."""
    signer = Signer(who, key or f"key of {who}")
    return Second(row, f"c{number}{who}", signer, verdict, number, saw)


def one(votes: list[Vote], said: list[Second], *asked: str) -> Outcome:
    return fold(votes, {"i": asked or (REV,)}, said, {"i": MAY})["i"]


UNTIL = "2027-06-30"
TABLE: list[tuple[str, list[Vote], list[Second], str]] = [
    ("an approval alone", [vote("approve")], [], "awaiting_second"),
    ("with a concurrence", [vote("approve")], [word(SEC, "row1", "concur")], "stands"),
    ("an end stays", [vote("approve", until=UNTIL)], [word(SEC, "row1", "concur")],
     "stands_until"),
    ("an end alone", [vote("approve", until=UNTIL)], [], "awaiting_second"),
    ("with an objection", [vote("approve")], [word(SEC, "row1", "object")], "objected"),
    ("one objects, one concurs", [vote("approve")],
     [word(SEC, "row1", "object", 8), word(TWO, "row1", "concur", 9)], "objected"),
    ("the newest of one person", [vote("approve")],
     [word(SEC, "row1", "object", 8), word(SEC, "row1", "concur", 9)], "stands"),
    ("the newest, the other way", [vote("approve")],
     [word(SEC, "row1", "concur", 8), word(SEC, "row1", "object", 9)], "objected"),
    ("by who decided", [vote("approve", who=SEC)], [word(SEC, "row1", "concur")],
     "awaiting_second"),
    ("by who decided, in capitals", [vote("approve", who=SEC)],
     [word(SEC.upper(), "row1", "concur", key="another")], "awaiting_second"),
    ("by the same key under another name", [vote("approve")],
     [word(SEC, "row1", "concur", key=f"key of {REV}")], "awaiting_second"),
    ("by an owner, who is not among those who may", [vote("approve")],
     [word(ANN, "row1", "concur")], "awaiting_second"),
    ("an owner's objection counts no more", [vote("approve")], [word(ANN, "row1", "object")],
     "awaiting_second"),
    ("on the row before", [vote("approve", 1), vote("approve", 2)],
     [word(SEC, "row1", "concur")], "awaiting_second"),
    ("an objection to the row before", [vote("approve", 1), vote("approve", 2)],
     [word(SEC, "row1", "object", 8), word(SEC, "row2", "concur", 9)], "stands"),
    ("on another item's row", [vote("approve")], [word(SEC, "row7", "concur")],
     "awaiting_second"),
    ("a stop needs nobody", [vote("revoke")], [], "stops"),
    ("a stop with an objection", [vote("disable")], [word(SEC, "row1", "object")], "stops"),
    ("a stop with a concurrence", [vote("revoke")], [word(SEC, "row1", "concur")], "stops"),
    ("an abstention", [vote("abstain")], [word(SEC, "row1", "concur")], "abstained"),
    ("contested", [vote("approve", saw=()), vote("revoke", 2, who=ANN, saw=())],
     [word(SEC, "row1", "concur")], "contested"),
    ("two devices of one person, neither having seen the other", [vote("approve")],
     [word(SEC, "row1", "concur", 8, saw=()), word(SEC, "row1", "object", 9, saw=())],
     "contested"),
    ("the same, in the other order", [vote("approve")],
     [word(SEC, "row1", "object", 8, saw=()), word(SEC, "row1", "concur", 9, saw=())],
     "contested"),
    ("two devices that agree", [vote("approve", until=UNTIL)],
     [word(SEC, "row1", "concur", 8, saw=()), word(SEC, "row1", "concur", 9, saw=())],
     "stands_until"),
    ("two devices that both object", [vote("approve")],
     [word(SEC, "row1", "object", 8, saw=()), word(SEC, "row1", "object", 9, saw=())],
     "objected"),
    ("said again with both in sight", [vote("approve")],
     [word(SEC, "row1", "concur", 7, saw=()), word(SEC, "row1", "object", 8, saw=()),
      word(SEC, "row1", "concur", 9, saw=(f"c7{SEC}", f"c8{SEC}"))], "stands"),
    ("said again with one in sight", [vote("approve")],
     [word(SEC, "row1", "concur", 7, saw=()), word(SEC, "row1", "object", 8, saw=()),
      word(SEC, "row1", "concur", 9, saw=(f"c7{SEC}",))], "contested"),
    ("seen by what was seen", [vote("approve")],
     [word(SEC, "row1", "object", 7, saw=()), word(TWO, "row1", "concur", 8, saw=(f"c7{SEC}",)),
      word(SEC, "row1", "concur", 9, saw=(f"c8{TWO}",))], "stands"),
    ("taken back before it arrived: what saw the other is the newer", [vote("approve")],
     [word(SEC, "row1", "concur", 8, saw=(f"c9{SEC}",)), word(SEC, "row1", "object", 9, saw=())],
     "stands"),
    ("contested, and another concurs", [vote("approve")],
     [word(SEC, "row1", "concur", 7, saw=()), word(SEC, "row1", "object", 8, saw=()),
      word(TWO, "row1", "concur", 9, saw=(f"c7{SEC}", f"c8{SEC}"))], "contested"),
    ("contested, and another objects", [vote("approve")],
     [word(SEC, "row1", "concur", 7, saw=()), word(SEC, "row1", "object", 8, saw=()),
      word(TWO, "row1", "object", 9, saw=())], "objected"),
    ("contested, and decided anew", [vote("approve", 1), vote("approve", 2)],
     [word(SEC, "row1", "concur", 8, saw=()), word(SEC, "row1", "object", 9, saw=())],
     "awaiting_second"),
    ("a stop with both words of one person", [vote("revoke")],
     [word(SEC, "row1", "concur", 8, saw=()), word(SEC, "row1", "object", 9, saw=())], "stops"),
    ("nobody decided", [], [word(SEC, "row1", "concur")], "no_response"),
]  # fmt: skip


def decided_by(votes: list[Vote]) -> list[str]:
    return sorted({v.principal for v in votes} | {REV})


@pytest.mark.parametrize(("votes", "said", "effect"), [r[1:] for r in TABLE],
                         ids=[r[0] for r in TABLE])  # fmt: skip
def test_the_table(votes: list[Vote], said: list[Second], effect: str) -> None:
    assert one(votes, said, *decided_by(votes)).effect == effect


def test_the_table_has_every_verdict_of_both_and_every_effect() -> None:
    assert {v.verdict for row in TABLE for v in row[1]} == set(VERDICTS)
    assert {s.verdict for row in TABLE for s in row[2]} == set(SECOND_VERDICTS)
    assert {row[3] for row in TABLE} == set(outcomes.Effect.__args__)  # type: ignore[attr-defined]


def test_of_two_who_approved_each_needs_a_concurrence() -> None:
    votes = [vote("approve", 1), vote("approve", 2, who=ANN)]
    first = word(SEC, "row1", "concur")
    assert one(votes, [first], REV, ANN).effect == "awaiting_second"
    assert one(votes, [first, word(SEC, "row2", "concur")], REV, ANN).effect == "stands"


def test_one_person_with_two_keys_under_one_address_is_one_person() -> None:
    said = [word(SEC, "row1", "object", 8, "k1"), word(SEC, "row1", "concur", 9, "k2")]
    assert one([vote("approve")], said).effect == "stands"
    assert one([vote("approve")], said).seconds == (f"c9{SEC}",)


def test_two_addresses_of_one_person_contradict_each_other_as_two_devices_do() -> None:
    said = [
        Second("row1", "a", Signer(SEC, "k1", "p-1"), "concur", 8, ()),
        Second("row1", "b", Signer(TWO, "k2", "p-1"), "object", 9, ()),
    ]
    assert one([vote("approve")], said).effect == "contested"


def test_two_addresses_of_one_person_in_the_roster_are_one_person() -> None:
    ann = Signer(ANN, "k1", "p-1")
    assert seconds.same_person(ann, Signer(SEC, "k2", "p-1"))
    assert not seconds.counts(Signer(SEC, "k2", "p-1"), ann, MAY)
    assert seconds.counts(Signer(SEC, "k2"), Signer(ANN, "k1"), MAY)


def test_an_item_that_needs_nobody_is_as_before() -> None:
    votes = [vote("approve")]
    assert fold(votes, {"i": (REV,)}, [], {})["i"].effect == "stands"
    objected = [word(SEC, "row1", "object")]
    assert fold(votes, {"i": (REV,)}, objected)["i"].effect == "stands"


def test_parts_that_are_to_go_go_without_a_second_person() -> None:
    row = Vote("i", "row1", REV, "approve", UNTIL, (("revoke", "k"),), 1)
    found = one([row], [])
    assert (found.effect, found.until, found.remediations) == (
        "awaiting_second", None, (("revoke", "k"),),
    )  # fmt: skip


NAMES = [f"c{number}{who}" for number in range(1, 10) for who in (SEC, TWO)]
words = st.lists(
    st.builds(word, st.sampled_from((ANN, REV, SEC, TWO)), st.sampled_from(("row1", "row2")),
              st.sampled_from(SECOND_VERDICTS), st.integers(1, 9), st.just(""),
              st.none() | st.lists(st.sampled_from(NAMES), max_size=3).map(tuple)),
    max_size=6, unique_by=lambda s: s.leaf,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(words, st.randoms(use_true_random=False))
def test_the_order_in_which_countersignatures_arrive_tells_nothing(
    said: list[Second], chance: random.Random
) -> None:
    """What each had seen is all; their places in the log are given anew."""
    said = [replace(s, saw=s.saw or ()) for s in said]
    places = list(range(len(said)))
    chance.shuffle(places)
    moved = [replace(s, order=place) for s, place in zip(said, places, strict=True)]
    found, other = one([vote("approve")], said), one([vote("approve")], moved)
    assert (found.effect, set(found.seconds)) == (other.effect, set(other.seconds))


@given(st.sampled_from(VERDICTS), words)
def test_nothing_stands_without_a_present_concurrence_on_its_own_row(
    verdict: Verdict, said: list[Second]
) -> None:
    found = one([vote(verdict)], said)
    theirs = {s.leaf for s in said if s.verdict == "concur" and s.row == "row1"
              and s.signer.principal in MAY}  # fmt: skip
    if found.effect in STANDING:
        assert set(found.seconds) & theirs
        assert not {s.leaf for s in said if s.verdict == "object"} & set(found.seconds)


@given(words, st.data())
def test_dropping_what_was_said_never_makes_access_stand_but_for_a_lost_objection(
    said: list[Second], data: st.DataObject
) -> None:
    lost = data.draw(st.sampled_from(said or [word(SEC, "row1", "concur")]))
    before = one([vote("approve")], said)
    after = one([vote("approve")], [s for s in said if s is not lost])
    if after.effect in STANDING and before.effect not in STANDING:
        assert lost.verdict == "object"
    if lost.verdict == "concur" and before.effect not in STANDING:
        assert after.effect not in STANDING


# who may


def dossier(**identity: Any) -> dict[str, Any]:
    base = {"is_privileged": 0, "uid": "u", "uid_alt": None, "external_id": None,
            "display_name": "svc"}  # fmt: skip
    return {"identity": {**base, **identity}, "owners": [], "risk": 0}


def owner(handle: str, uid: str | None = None, team: str | None = None) -> dict[str, Any]:
    return {"handle": handle, "person_uid": uid, "team": team}


POLICY = Policy("all", MAY, {SEC: Known(("p1",), ("Security",)), TWO: Known()})


@pytest.mark.parametrize(
    ("owners", "allowed"),
    [
        ([], MAY),
        ([owner("jane", "p9"), owner("nobody-known")], MAY),
        ([owner("someone", "p1")], (TWO,)),
        ([owner(SEC.upper())], (TWO,)),
        ([owner("sec-team", None, "Security")], (TWO,)),
        ([owner("x"), owner("y", "p1"), owner(TWO)], ()),
    ],
)
def test_an_owner_may_not(owners: list[dict[str, Any]], allowed: tuple[str, ...]) -> None:
    assert seconds.may(POLICY, dossier() | {"owners": owners}) == allowed


@pytest.mark.parametrize("name", ["uid", "uid_alt", "external_id", "display_name"])
def test_nobody_countersigns_their_own_account(name: str) -> None:
    assert seconds.may(POLICY, dossier(**{name: "Sec@X.example"})) == (TWO,)


@pytest.mark.parametrize(
    ("when", "privileged", "risk", "needed"),
    [
        ("all", 0, 0, True), ("privileged", 1, 0, True), ("privileged", 0, 99, False),
        ("privileged", None, 0, True), ("risk:70", 1, 69, False), ("risk:70", 0, 70, True),
    ],
)  # fmt: skip
def test_which_items_need_one(when: str, privileged: int | None, risk: int, needed: bool) -> None:
    found = dossier(is_privileged=privileged) | {"risk": risk}
    assert seconds.needs(Policy(when, MAY), found) is needed


@pytest.mark.parametrize("when", ["", "priviledged", "risk", "risk:", "risk:0", "risk:101",
                                  "risk:07", "risk:1e1", "ALL"])  # fmt: skip
def test_an_unknown_when_is_refused(when: str) -> None:
    with pytest.raises(UsageError, match="privileged, all or risk:70"):
        seconds.check_when(when)


@pytest.mark.parametrize("typed", ["", "sec", "s ec@x", "a,b@x", "a\tb@x", "é@x", "\u212aa@x",
                                   "a\\b@x", "a\n@x"])  # fmt: skip
def test_an_address_that_could_be_taken_for_another_is_refused(typed: str) -> None:
    with pytest.raises(UsageError, match="takes e-mail addresses"):
        seconds.address(typed)


def test_a_rule_of_another_form_is_refused() -> None:
    good = POLICY.as_json()
    assert seconds.parse(good) == POLICY
    assert seconds.parse(None) is None
    for wrong in (
        {**good, "more": 1}, {**good, "when": "sometimes"}, {**good, "by": []},
        {**good, "by": [SEC]}, {**good, "by": [SEC, TWO, SEC]}, {**good, "by": [SEC.upper(), TWO]},
        {**good, "persons": {}}, {**good, "persons": {SEC: {"uids": []}, TWO: {"uids": []}}},
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"rule of another form|privileged, all"):
            seconds.parse(wrong)
