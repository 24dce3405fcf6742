"""One human being with two addresses and two keys is one person, and a robot is none.

In the workspace, in the pack, by our check and by stock tools.
"""

import json
from pathlib import Path

import pytest

from passmuster import campaigns, evidence, roster, tlog
from passmuster.errors import PreflightFailed, UsageError
from passmuster.keys import SigningKey
from passmuster.model import Attention, SecondDraft
from passmuster.store import Database
from tests.evidence.test_rosters import CHAIN, OURS_AND_STOCK, change, line, persons
from tests.evidence.test_second import _say_anyway
from tests.evidence.test_stock_tools import stock
from tests.scene import (
    BOSS,
    END,
    LATER,
    NOW,
    REV,
    SECOND,
    Scene,
    draft,
    freeze_chance,
    key,
    open_scene,
)

__all__ = ["stock"]
THIRD = "third@example.com"
THIRD_KEY = key(THIRD, 7)
ITEM = "ci-deploy"
SPAN = "2026-11-24T09:00:00Z"


@pytest.fixture
def team(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Boss opens, Rev decides, Second and Third may second: four persons as far as is known."""
    freeze_chance(db, monkeypatch)
    boss, rev, second = key(BOSS, 1), key(REV, 2), key(SECOND, 3)
    tlog.enrol(db, boss, NOW)
    first = roster.Person(BOSS, "person", ("owner", "registrar"))
    made = roster.first(db, first, line(boss), NOW, CHAIN)
    tlog.append_roster(db, roster.signed(db, made, boss), NOW)
    people = persons((BOSS, "registrar owner"), (REV, "reviewer"), (SECOND, "second reviewer"),
                     (THIRD, "second"))  # fmt: skip
    change(db, boss, people=people, lines=(line(boss), line(rev), line(second), line(THIRD_KEY)))
    return open_scene(db, tmp_path, monkeypatch, second=(SECOND, THIRD), when="privileged")


def learn(scene: Scene, at: str = SPAN, **who: dict[str, object]) -> None:
    """A new roster says more of Rev or Second: `rev={"person_uid": …}`."""
    from dataclasses import replace

    now = roster.current(scene.db)
    assert now is not None
    names = {"rev": REV, "second": SECOND, "third": THIRD}
    more = {names[n]: what for n, what in who.items()}
    people = tuple(replace(p, **more.get(p.principal, {})) for p in now.people)  # type: ignore[arg-type]
    change(scene.db, scene.boss, at=at, people=people)


def decide(scene: Scene, verdict: str = "approve") -> int:
    item = scene.item(ITEM)
    campaigns.save_draft(scene.db, item, draft(verdict, "so"), LATER)
    scene.sign(scene.rev)
    return item


def say(scene: Scene, who: SigningKey) -> None:
    words = SecondDraft("concur", None, "looked", Attention(None, LATER, False))
    campaigns.save_seconds(scene.db, [scene.item(ITEM)], words, LATER, who.principal)
    scene.sign(who)


def effect(scene: Scene) -> str:
    uri = scene.db.value("SELECT uri FROM item WHERE id = ?", (scene.item(ITEM),))
    return campaigns.outcomes_of(scene.db, scene.campaign)[uri].effect


def ended(scene: Scene, tmp_path: Path) -> str:
    """What the item reads in a pack that verifies; the workspace must say the same."""
    campaigns.close(scene.db, scene.campaign, scene.boss, END, leave_waiting=True)
    scene.campaign = campaigns.campaign(scene.db, scene.campaign.name)
    evidence.build_pack(scene.db, scene.campaign, tmp_path / "p", scene.boss, END)
    evidence.verify(tmp_path / "p")
    rows = map(json.loads, (tmp_path / "p" / "outcomes.jsonl").read_text().splitlines())
    (found,) = (r["effect"] for r in rows if r.get("needsSecond"))
    assert found == effect(scene)
    return str(found)


def agree(request: pytest.FixtureRequest, pack: Path, *, stock_tools: bool) -> None:
    if stock_tools:
        done = request.getfixturevalue("stock")(pack)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr


@OURS_AND_STOCK
def test_two_addresses_of_one_person_are_not_two_persons(
    team: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest,
    stock_tools: bool,
) -> None:  # fmt: skip
    item = decide(team)
    learn(team, rev={"person_uid": "p-1"}, second={"person_uid": "P-1"})
    assert not campaigns.second_rank(team.db, team.campaign.id, SECOND)
    assert campaigns.waiting(team.db, team.campaign).on == {THIRD: 1}
    with pytest.raises(UsageError, match="that is you, says the roster"):
        say(team, team.second)
    _say_anyway(team, item, team.second, monkeypatch)  # with a program of her own
    assert effect(team) == "awaiting_second"
    assert ended(team, tmp_path) == "awaiting_second"
    agree(request, tmp_path / "p", stock_tools=stock_tools)


def test_a_draft_of_the_same_person_is_refused_at_sign_off(team: Scene) -> None:
    """Drafted while nobody knew; the roster came before the signature."""
    item = decide(team)
    words = SecondDraft("concur", None, "looked", Attention(None, LATER, False))
    campaigns.save_seconds(team.db, [item], words, LATER, SECOND)
    held = campaigns.prepare(team.db, team.campaign.id, SECOND)
    learn(team, rev={"person_uid": "p-1"}, second={"person_uid": "p-1"})
    with pytest.raises(UsageError, match="by the same person, says the roster: rev@"):
        campaigns.sign_off(team.db, held, team.second, LATER)


@OURS_AND_STOCK
def test_what_comes_to_light_before_the_end_is_heeded_and_nothing_after_it(
    team: Scene, tmp_path: Path, request: pytest.FixtureRequest, stock_tools: bool
) -> None:
    """Second concurs; that she is Rev is said after the end, and the end stays what it was."""
    decide(team)
    say(team, team.second)
    campaigns.close(team.db, team.campaign, team.boss, END, leave_waiting=True)
    team.campaign = campaigns.campaign(team.db, team.campaign.name)
    learn(team, END, rev={"person_uid": "p-1"}, second={"person_uid": "p-1"})
    assert effect(team) == "stands"
    evidence.build_pack(team.db, team.campaign, tmp_path / "p", team.boss, END)
    assert evidence.verify(tmp_path / "p").outcomes["stands"] == 1
    agree(request, tmp_path / "p", stock_tools=stock_tools)


@OURS_AND_STOCK
@pytest.mark.parametrize("robot", ["rev", "second"])
def test_a_robot_is_no_person_on_either_side(
    team: Scene, tmp_path: Path, request: pytest.FixtureRequest, robot: str, stock_tools: bool
) -> None:
    decide(team)
    say(team, team.second)
    assert effect(team) == "stands"
    is_one: dict[str, object] = {"kind": "robot", "roles": ("reviewer",)}
    if robot == "rev":
        learn(team, rev=is_one)
    else:
        learn(team, second=is_one)
    assert ended(team, tmp_path) == "awaiting_second"
    agree(request, tmp_path / "p", stock_tools=stock_tools)


def test_a_robots_decision_waits_for_no_second_person(team: Scene) -> None:
    decide(team)
    learn(team, rev={"kind": "robot"})
    assert campaigns.waiting(team.db, team.campaign).nobody == 1
    with pytest.raises(UsageError, match="a robot, says the roster"):
        say(team, team.second)


def test_who_has_not_the_role_is_told_before_anything_is_drafted(team: Scene) -> None:
    decide(team)
    learn(team, second={"roles": ("reviewer",)})
    with pytest.raises(UsageError, match="in the role second: ask a registrar"):
        say(team, team.second)


def test_a_review_whose_only_second_person_is_its_reviewer_is_not_opened(
    team: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn(team, rev={"person_uid": "p-1"}, second={"person_uid": "p-1"})
    with pytest.raises(PreflightFailed, match="could never be approved"):
        open_scene(team.db, tmp_path, monkeypatch, name="Winter", second=(SECOND,), when="all")
