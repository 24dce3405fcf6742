"""Two devices of one second person that say different things of one approval, neither having seen
the other: what each side makes of it, and what ends it.
"""

import json
from pathlib import Path

import pytest

from passmuster import campaigns, remediation
from passmuster.model import Attention, SecondDraft
from tests.conftest import Muster
from tests.travelling import ANN, BOB, BOSS, LATER, SEC, Desk, Log, desk, opened

OWNERS = {"deploy": ANN, "etl": BOB}


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def ann(tmp_path: Path) -> Desk:
    return desk(tmp_path / "ann", ANN)


def two_of_sec(ann: Desk, log: Log, folder: Path, verdict: str) -> tuple[Desk, Desk]:
    """An approval that waits for the second person, who has it on two devices."""
    sec, other = desk(folder / "sec", SEC), desk(folder / "sec2", SEC, seed=98)
    ann.pull(log)
    ann.decide("deploy", verdict)
    ann.push(log)
    for one in (sec, other):
        one.pull(log)
    return sec, other


@pytest.fixture
def two_persons(tmp_path: Path, log: Log) -> Desk:
    """Who opened a campaign in which every approval needs a second person."""
    owner = desk(tmp_path / "owner", BOSS)
    opened(owner, tmp_path, OWNERS, second=(SEC,), when="all")
    owner.push(log)
    return owner


def test_two_devices_of_a_second_person_that_contradict_each_other_contest_the_approval(
    two_persons: Desk, ann: Desk, log: Log, tmp_path: Path
) -> None:
    sec, other = two_of_sec(ann, log, tmp_path, "approve")
    sec.second("deploy", "concur")
    other.second("deploy", "object")
    assert (sec.effect("deploy"), other.effect("deploy")) == ("stands", "objected")
    for one in (other, sec):
        one.push(log)
    everybody = (two_persons, ann, sec, other)
    for one in everybody:
        one.pull(log)
        assert one.effect("deploy") == "contested"
        (disputed,) = campaigns.disputed(one.db, one.at)
        assert (disputed.kind, disputed.by_second, disputed.reviewer) == ("contested", True, SEC)
        assert {(d.principal, d.verdict) for d in disputed.rows} == {
            (SEC, "concur"), (SEC, "object"),
        }  # fmt: skip
        chosen = campaigns.rank(one.db, one.at.id, None, expression="contested:yes", now=LATER)
        assert list(chosen) == [one.item("deploy")]
        assert not campaigns.objections(one.db, one.at, 9)
        assert not list(remediation.wanted(one.db, LATER))
    for one in (sec, other):
        waits = campaigns.second_rank(one.db, one.at.id, SEC)
        assert list(waits) == [one.item("deploy")]
        assert campaigns.second_rows(one.db, waits, SEC)[waits[0]].torn
    sec.second("deploy", "concur")
    sec.push(log)
    for one in everybody:
        one.pull(log)
        assert one.effect("deploy") == "stands"
        assert not campaigns.disputed(one.db, one.at)
        assert not campaigns.second_rank(one.db, one.at.id, SEC)


def test_the_command_line_tells_what_is_contested_and_who_ends_it(
    two_persons: Desk, ann: Desk, log: Log, tmp_path: Path, inside: Muster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    sec, other = two_of_sec(ann, log, tmp_path, "approve")
    for one, verdict in ((sec, "concur"), (other, "object")):
        one.second("deploy", verdict)
        one.push(log)
    bob, bob2 = desk(tmp_path / "bob", BOB), desk(tmp_path / "bob2", BOB, seed=97)
    for one, verdict in ((bob, "approve"), (bob2, "revoke")):
        one.pull(log)
        one.decide("etl", verdict)
    for one in (bob, bob2):
        one.push(log)
    two_persons.pull(log)
    sec.pull(log)
    items = {d.display_name: d.name for d in campaigns.disputed(sec.db, sec.at)}
    monkeypatch.setenv("MUSTER_WORKSPACE", str(two_persons.db.path.parent))
    said = inside("campaign", "status").stdout
    assert (
        f"deploy ({items['deploy']}) is contested, neither had seen the other ({SEC} concur:"
        f" “asked”; {SEC} object: “asked”); {SEC} is to say it again: muster countersign\n"
    ) in said
    assert f"({BOB} approve: “looked”; {BOB} revoke: “looked”); {BOB} is to decide again\n" in said
    (found,) = json.loads(inside("campaign", "status", "--json").stdout)
    told = {row["display_name"]: (row["kind"], row["by_second"]) for row in found["disputed"]}
    assert told == {"deploy": ("contested", True), "etl": ("contested", False)}
    monkeypatch.setenv("MUSTER_WORKSPACE", str(sec.db.path.parent))
    monkeypatch.setenv("MUSTER_ME", SEC)
    (row,) = json.loads(inside("countersign", "list", "--json").stdout)
    assert (row["name"], [c["verdict"] for c in row["countersigned"]]) == (
        "deploy", ["concur", "object"],
    )  # fmt: skip


def test_a_second_persons_draft_made_before_their_other_word_came_has_not_seen_it(
    two_persons: Desk, ann: Desk, log: Log, tmp_path: Path
) -> None:
    sec, other = two_of_sec(ann, log, tmp_path, "approve")
    words = SecondDraft("concur", None, "looked", Attention(LATER, LATER, True))
    campaigns.save_seconds(sec.db, [sec.item("deploy")], words, LATER, SEC)
    other.second("deploy", "object")
    other.push(log)
    sec.now = "2026-11-25T08:00:00Z"
    sec.pull(log)
    sec.sign()
    assert sec.effect("deploy") == "contested"


def test_a_new_decision_ends_what_a_second_person_contested(
    two_persons: Desk, ann: Desk, log: Log, tmp_path: Path
) -> None:
    sec, other = two_of_sec(ann, log, tmp_path, "approve")
    sec.second("deploy", "concur")
    other.second("deploy", "object")
    for one in (sec, other):
        one.push(log)
    ann.pull(log)
    ann.decide("deploy", "approve", "looked once more")
    assert ann.effect("deploy") == "awaiting_second"
    assert not campaigns.disputed(ann.db, ann.at)
    ann.push(log)
    sec.pull(log)
    assert not campaigns.second_rows(sec.db, [sec.item("deploy")], SEC)[sec.item("deploy")].torn


def test_a_stop_is_not_held_up_by_what_a_second_person_contests(
    two_persons: Desk, ann: Desk, log: Log, tmp_path: Path
) -> None:
    sec, other = two_of_sec(ann, log, tmp_path, "revoke")
    for one, verdict in ((sec, "concur"), (other, "object")):
        one.second("deploy", verdict)
        one.push(log)
    two_persons.pull(log)
    assert two_persons.effect("deploy") == "stops"
    assert not campaigns.disputed(two_persons.db, two_persons.at)
