"""A hardware key of which the roster wants the PIN signs with it or not at all."""

from pathlib import Path

import pytest

from passmuster import campaigns, evidence, roster, tlog
from passmuster.errors import VerificationFailed
from passmuster.store import Database
from tests.evidence.test_rosters import CHAIN, OURS_AND_STOCK, _bend, change, line, persons
from tests.evidence.test_stock_tools import stock
from tests.scene import BOSS, END, LATER, NOW, REV, Scene, draft, freeze_chance, key, open_scene
from tests.sk import TOUCH, TOUCH_AND_PIN, Token

__all__ = ["stock"]
LISTED = Token(22, TOUCH_AND_PIN).key(REV)


@pytest.fixture
def team(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Rev has drafted; her key is hardware, and its PIN is wanted."""
    freeze_chance(db, monkeypatch)
    boss = key(BOSS, 1)
    tlog.enrol(db, boss, NOW)
    first = roster.Person(BOSS, "person", ("owner", "registrar"))
    made = roster.first(db, first, line(boss), NOW, CHAIN)
    tlog.append_roster(db, roster.signed(db, made, boss), NOW)
    people = persons((BOSS, "registrar owner"), (REV, "reviewer"))
    change(db, boss, people=people, lines=(line(boss), line(LISTED)), pins={LISTED.fingerprint})
    scene = open_scene(db, tmp_path, monkeypatch)
    campaigns.save_draft(db, scene.item("ci-deploy"), draft("approve", "so"), LATER)
    return scene


def test_without_its_pin_it_is_refused_at_sign_off(team: Scene) -> None:
    with pytest.raises(VerificationFailed, match="PIN"):
        team.sign(Token(22, TOUCH).key(REV))
    assert team.sign(LISTED).statements


@OURS_AND_STOCK
def test_without_its_pin_it_is_refused_in_a_pack_by_both(
    team: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest,
    stock_tools: bool,
) -> None:  # fmt: skip
    _bend(monkeypatch)
    team.sign(Token(22, TOUCH).key(REV))
    evidence.build_pack(team.db, team.campaign, tmp_path / "p", team.boss, END)
    with pytest.raises(VerificationFailed, match=r"decisions: .*PIN"):
        evidence.verify(tmp_path / "p")
    if stock_tools:
        assert "must be given its PIN" in request.getfixturevalue("stock")(tmp_path / "p").stderr
