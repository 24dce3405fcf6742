"""Records of other devices in this log: what is taken, what is refused, and what `check` says."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from passmuster import attestations, blobs, keys, roster, store, tlog
from passmuster.attestations import Link
from passmuster.errors import VerificationFailed
from passmuster.store import Database
from passmuster.text import canonical, sha256, strict_json
from tests.scene import NOW, key
from tests.test_roster import begin

ANN = "ann@x.example"


@pytest.fixture
def ann(tmp_path: Path) -> Iterator[Database]:
    db = store.create(tmp_path / "ann")
    tlog.enrol(db, key(ANN, 21), NOW)
    yield db
    db.close()


def signs(db: Database, who: keys.SigningKey, count: int = 1) -> list[bytes]:
    """The next statements of a device, of a kind that belongs to nothing."""
    out = []
    for _ in range(count):
        payload = attestations.statement(
            "chain", {"head": "0" * 64}, {}, tlog.next_link(db), NOW, who.principal
        )
        envelope = attestations.sign(payload, who)
        with db.atomic():
            tlog.append(db, envelope, tlog.known_keys(db), None, NOW)
        out.append(envelope)
    return out


def all_of(db: Database) -> list[bytes]:
    return [e.envelope for e in tlog.entries(db)]


def test_a_key_of_elsewhere_is_known_and_never_signs_here(db: Database, ann: Database) -> None:
    tlog.take(db, all_of(ann)[0], None, NOW)
    theirs = key(ANN, 21)
    assert theirs.fingerprint in tlog.known_keys(db)
    assert theirs.fingerprint not in tlog.known_keys(db, foreign=False)
    assert not keys.listed(db)
    assert keys.signs_for(db, ANN) is None
    assert not tlog.enrolments(db)
    tlog.enrol(db, theirs, NOW)  # my own key too, once I use it here
    assert [row["fingerprint"] for row in keys.listed(db)] == [theirs.fingerprint]
    assert tlog.check(db) == 2


def test_taking_a_record_again_changes_nothing(db: Database, ann: Database) -> None:
    signs(ann, key(ANN, 21), 2)
    first = [tlog.take(db, e, None, NOW) for e in all_of(ann)]
    assert [tlog.take(db, e, None, NOW) for e in all_of(ann)] == first == [1, 2, 3]
    assert tlog.check(db) == 3
    assert all(not tlog.look_up(db, n).wrong for n in first)


@pytest.mark.parametrize("wrong", [0, 1])
def test_every_signature_must_hold(db: Database, ann: Database, wrong: int) -> None:
    tlog.take(db, all_of(ann)[0], None, NOW)
    one, other = map(strict_json, signs(ann, key(ANN, 21), 2))
    one["signatures"][wrong]["sig"] = other["signatures"][wrong]["sig"]
    with pytest.raises(VerificationFailed, match="signature"):
        tlog.take(db, canonical(one), None, NOW)
    assert tlog.check(db) == 1


@pytest.mark.parametrize("order", [(0, 2, 3), (0, 3, 1), (0, 3, 2, 1)])
def test_a_foreign_chain_may_have_gaps_and_come_in_any_order(
    db: Database, ann: Database, order: tuple[int, ...]
) -> None:
    signs(ann, key(ANN, 21), 3)
    sent = all_of(ann)
    for number in order:
        tlog.take(db, sent[number], None, NOW)
    assert tlog.check(db) == len(order)
    assert tlog.lacking(db) == (1 if 1 not in order or 2 not in order else 0)
    assert all(not tlog.look_up(db, n + 1).wrong for n in range(len(order)))


def test_there_are_never_two_statements_at_one_place_of_a_chain(
    db: Database, ann: Database
) -> None:
    who = key(ANN, 21)
    for envelope in [*all_of(ann), *signs(ann, who, 2)]:
        tlog.take(db, envelope, None, NOW)
    device, head = store.device(ann), sha256(attestations.unchecked(all_of(ann)[1]).payload)
    for link, match in (
        (Link(device, 2, None), "another statement at place 2"),
        (Link(device, 4, head), "does not fit"),
        (Link(device, 4, None), "does not fit"),
        (Link(device, 0, None), "names no place"),
        (Link(store.device(db), 9, head), "restored from a copy"),
    ):
        payload = attestations.statement("chain", {"head": "1" * 64}, {}, link, NOW, ANN)
        with pytest.raises(VerificationFailed, match=match):
            tlog.take(db, attestations.sign(payload, who), None, NOW)
    assert tlog.check(db) == 3


def test_a_gap_in_the_own_chain_is_a_failure_and_in_a_foreign_one_is_not() -> None:
    chains = tlog.Chains({"mine"})
    chains.take("theirs", 5, "e", "d")
    chains.take("theirs", 2, "b", "a")
    assert chains.lacking == 3
    chains.take("mine", 1, "x", None)
    for wrong in (
        ("theirs", 3, "c", "z"),
        ("theirs", 4, "y", "c"),
        ("theirs", 2, "other", "a"),
        ("theirs", 1, "a", "q"),
        ("mine", 3, "z", "y"),
        ("mine", 2, "y", None),
    ):
        with pytest.raises(VerificationFailed):
            chains.take(*wrong)


def test_who_signs_with_a_key_of_another_person_is_refused(db: Database, ann: Database) -> None:
    tlog.take(db, all_of(ann)[0], None, NOW)
    payload = attestations.statement(
        "chain", {"head": "0" * 64}, {}, Link("d" * 32, 1, None), NOW, "bob@x.example"
    )
    with pytest.raises(VerificationFailed, match="its key for ann"):
        tlog.take(db, attestations.sign(payload, key(ANN, 21)), None, NOW)
    with pytest.raises(VerificationFailed, match="not among the known keys"):
        tlog.take(db, attestations.sign(payload, key("bob@x.example", 22)), None, NOW)
    second = store.create(db.path.parent.parent / "bob")
    tlog.enrol(second, key("bob@x.example", 21), NOW)
    with pytest.raises(VerificationFailed, match="enrolled for bob"):
        tlog.take(db, all_of(second)[0], None, NOW)
    second.close()


def test_the_first_roster_is_the_one_that_was_told_and_later_ones_follow(
    db: Database, tmp_path: Path
) -> None:
    team = store.create(tmp_path / "team")
    begin(team)
    ((envelope, text),) = roster.envelopes(team)
    name = roster.current_name(team)
    with db.atomic():
        blobs.put(db, text)
    for wrong in (None, "0" * 64):
        with pytest.raises(VerificationFailed, match="not the one that you were told"):
            tlog.take(db, envelope, None, NOW, wrong)
    tlog.take(db, envelope, None, NOW, name)
    assert roster.current_name(db) == name
    tlog.take(db, envelope, None, NOW)
    for other in all_of(team):
        tlog.take(db, other, None, NOW)
    assert tlog.check(db) == tlog.check(team)
    tlog.enrol(db, key("new@x.example", 30), NOW)
    assert tlog.check(db) == tlog.check(team) + 1
    team.close()
