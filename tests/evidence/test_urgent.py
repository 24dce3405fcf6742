"""Stops in an emergency while a review runs: they count whoever was asked, until the review has
seen them; our check and the stock tools come to the same.
"""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from passmuster import campaigns, evidence, remediation
from passmuster.campaigns import Emergency, Stopped, _emergency
from passmuster.connectors import Where
from passmuster.errors import VerificationFailed
from passmuster.evidence import _check
from passmuster.evidence._files import Memory
from passmuster.keys import SigningKey
from passmuster.model import Attention
from passmuster.store import Database
from passmuster.text import canonical, strict_json
from tests.evidence.conftest import read
from tests.evidence.test_stock_tools import MISSING, Stock, stock
from tests.scene import END, Scene, draft, key, open_scene

CALL = key("call@example.com", 9)
SOON, BEFORE, AFTER = "2026-11-24T10:00:00Z", "2026-11-24T09:00:00Z", "2026-11-24T11:00:00Z"
__all__ = ["stock"]


def stop(
    scene: Scene, name: str, part: str | None = None, *, by: SigningKey = CALL, now: str = SOON
) -> Stopped:
    """Decide an emergency on an identity, or on a credential of it."""
    identity = scene.db.value("SELECT id FROM identity WHERE display_name = ?", (name,))
    dossier = campaigns.shown(scene.db, identity, part)
    urgent = Emergency(dossier, "disable", "leaked", "INC-1", by.principal, now, now)
    return campaigns.sign_emergency(scene.db, urgent, by, now)


def approve(scene: Scene, name: str, saved: str) -> None:
    words = draft("approve", "in use")._replace(attention=Attention(saved, saved, True))
    campaigns.save_draft(scene.db, scene.item(name), words, saved)


@pytest.fixture
def urgent(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Three items: approved then stopped, stopped then approved by who had seen it, and by who
    had not; and stops of what is no item.
    """
    scene = open_scene(db, tmp_path, monkeypatch)
    other = "=cmd|'/c calc'!A1"
    approve(scene, "ci-deploy", BEFORE)
    scene.sign(scene.rev, BEFORE)
    approve(scene, "vendor-etl", BEFORE)
    for name in ("ci-deploy", other, "vendor-etl", "admins"):
        stop(scene, name)
    stop(scene, "ci-deploy", "u1-key")
    approve(scene, other, AFTER)
    scene.sign(scene.rev, AFTER)
    return scene


def effects(scene: Scene) -> dict[str, str]:
    found = campaigns.outcomes_of(scene.db, scene.campaign)
    return {uri.rpartition("/")[2]: outcome.effect for uri, outcome in found.items()}


def test_who_has_seen_the_stop_decides_afterwards_and_nobody_else(urgent: Scene) -> None:
    assert effects(urgent) == {"u1": "stops", "u2": "stands", "u3": "stops"}
    waiting = {one.uri.rpartition("/")[2] for one in campaigns.unreviewed(urgent.db)}
    assert waiting == {"u1", "u3", "g1", "u1-key"}


def test_an_abstention_reviews_nothing(db: Database, tmp_path: Path,
                                       monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    scene = open_scene(db, tmp_path, monkeypatch)
    stop(scene, "ci-deploy")
    words = draft("abstain", "not mine")
    campaigns.save_draft(scene.db, scene.item("ci-deploy"), words, AFTER)
    scene.sign(scene.rev, AFTER)
    assert effects(scene)["u1"] == "stops"
    assert len(campaigns.unreviewed(scene.db)) == 1


def test_what_is_stopped_after_the_end_is_no_part_of_the_review(urgent: Scene) -> None:
    urgent.close()
    before = effects(urgent)
    stop(urgent, "=cmd|'/c calc'!A1", now=END)
    assert effects(urgent) == before
    assert len(campaigns.emergencies_in(urgent.db, urgent.campaign)) == 3


def carried_out(scene: Scene) -> None:
    """Each stop is tried, where muster has no command for it; the result is signed."""
    with_ = remediation.Desk(CALL, lambda: AFTER, Where)
    for one in campaigns.unreviewed(scene.db):
        assert remediation.go_on(scene.db, one, with_).remedy.state == "not_supported"


@pytest.fixture
def pack(urgent: Scene, tmp_path: Path) -> Path:
    carried_out(urgent)
    urgent.close()
    evidence.build_pack(urgent.db, urgent.campaign, tmp_path / "p", urgent.boss, END)
    return tmp_path / "p"


def test_the_pack_has_the_stops_of_its_items_with_what_was_shown(pack: Path) -> None:
    report = evidence.verify(pack)
    assert report.outcomes == {"stands": 1, "stops": 2}
    assert "stopped in an emergency while the review ran: 3" in report.notes
    shown = sorted(pack.glob("statements/*-decisions/dossier.json"))
    assert len(shown) == 3
    rows = (pack / "outcomes.csv").read_text().splitlines()
    assert sum("call@example.com" in row for row in rows) == 2
    assert "leaked" in (pack / "remediations.csv").read_text()
    told = csv.DictReader((pack / "exports/audit/review-file.csv").read_text().splitlines())
    (row,) = (r for r in told
              if (r["name"], r["decided_by"]) == ("ci-deploy", "call@example.com"))  # fmt: skip
    assert row["relation_to_item"] == "on call", "nobody handed it over"
    assert len(list(pack.glob("statements/*-remediation"))) == 2, "of its items, and no others"
    assert (pack / "remediation-results.jsonl").read_text().count('"not_supported"') == 2


@pytest.mark.ci
@pytest.mark.skipif(bool(MISSING), reason=f"not here: {', '.join(MISSING)}")
def test_the_stock_tools_come_to_the_same(pack: Path, stock: Stock) -> None:
    done = stock(pack)
    assert done.stdout.endswith("VERIFIED\n"), done.stdout[-400:] + done.stderr
    assert "stops 2" in done.stdout and "stands 1" in done.stdout


@pytest.mark.skipif(bool(MISSING), reason=f"not here: {', '.join(MISSING)}")
@pytest.mark.ci
@pytest.mark.parametrize(("field", "value"), [
    ("capacity", None), ("verdict", "approve"), ("dossier", "0" * 64),
])  # fmt: skip
def test_a_row_that_is_no_emergency_is_refused_by_both(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stock: Stock, field: str,
    value: str | None,
) -> None:  # fmt: skip
    """Signed by the person on call, sealed by the owner: only what it says is wrong."""
    scene = open_scene(db, tmp_path, monkeypatch)
    honest = _emergency._row

    def forged(*given: Any) -> tuple[bytes, bytes]:
        line, row = honest(*given)
        return line, canonical({**strict_json(row), field: value})

    monkeypatch.setattr(_emergency, "_row", forged)
    stop(scene, "ci-deploy")
    scene.close()
    evidence.build_pack(db, scene.campaign, tmp_path / "p", scene.boss, END)
    with pytest.raises(VerificationFailed, match=r"000006-decisions: its row"):
        evidence.verify(tmp_path / "p")
    done = stock(tmp_path / "p")
    assert "000006-decisions: its row and the dossier" in done.stderr


def test_another_dossier_than_was_shown_is_refused(pack: Path) -> None:
    content = read(pack)
    name = next(n for n in content if n.endswith("/dossier.json"))
    content[name] = content[name].replace(b"enabled", b"unknown", 1)
    with pytest.raises(VerificationFailed, match=r"dossier\.json"):
        _check.check(Memory(content))
    assert json.loads(content[name])
