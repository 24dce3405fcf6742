"""What management adds: its acknowledgement of the end, and the analysis that sets how often."""

from pathlib import Path

import pytest

from passmuster import campaigns, config, evidence
from passmuster.errors import UsageError, VerificationFailed
from passmuster.evidence import _check
from passmuster.evidence._files import Memory
from passmuster.store import Database
from passmuster.text import Json, canonical
from tests.evidence.conftest import read
from tests.evidence.test_attacks import payload_of, put, refused, seal
from tests.scene import BOSS, END, NOW, REV, Scene, bring_in, freeze_chance, key

CEO = key("ceo@example.com", 30)
MAY = "2027-05-01T08:00:00Z"


@pytest.fixture
def seen(scene: Scene, tmp_path: Path) -> dict[str, bytes]:
    campaigns.acknowledge(scene.db, scene.campaign, "CEO", "Seen.", CEO, MAY)
    evidence.build_pack(scene.db, scene.campaign, tmp_path / "seen", scene.boss, MAY)
    return read(tmp_path / "seen")


def folder(content: dict[str, bytes]) -> str:
    (found,) = {n.rsplit("/", 1)[0] for n in content if "-acknowledgement/" in n}
    return found


def test_the_acknowledgement_is_in_the_pack_and_verifies(seen: dict[str, bytes]) -> None:
    report = _check.check(Memory(seen))
    assert ("ceo@example.com", CEO.fingerprint) in report.people
    body = payload_of(seen, folder(seen))["predicate"]
    assert (body["capacity"], body["statement"]) == ("CEO", "Seen.")


def test_it_speaks_of_the_end_that_is_in_the_pack(seen: dict[str, bytes], scene: Scene) -> None:
    changes: tuple[Json, ...] = ({"outcomes": {"stands": 3}}, {"campaign": "0" * 64})
    for change in changes:
        content = dict(seen)
        payload = payload_of(content, folder(content))
        payload["predicate"].update(change)
        put(content, folder(content), canonical(payload), CEO)
        refused(seal(content, scene.boss), "another")


def test_an_open_review_has_no_end_to_acknowledge(scene: Scene) -> None:
    with pytest.raises(UsageError, match="already"):
        campaigns.acknowledge(scene.db, scene.campaign, "CEO", "Seen.", CEO, MAY)
        campaigns.acknowledge(scene.db, scene.campaign, "CEO", "Seen.", CEO, MAY)
    wanted = campaigns.Definition("Next", "2027-12-31", REV)
    campaigns.open_campaign(scene.db, wanted, scene.boss, config.Settings(), END)
    with pytest.raises(UsageError, match="not closed"):
        campaigns.acknowledge(
            scene.db, campaigns.campaign(scene.db, "Next"), "CEO", "Seen.", CEO, MAY
        )


def test_another_analysis_than_the_campaign_names_is_caught(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze_chance(db, monkeypatch)
    bring_in(db, tmp_path, monkeypatch)
    analysis = tmp_path / "analysis.txt"
    analysis.write_text("every quarter, because of R-7\n")
    boss = key(BOSS, 1)
    wanted = campaigns.Definition("Autumn", "2026-12-31", REV, risk_analysis=analysis)
    campaigns.open_campaign(db, wanted, boss, config.Settings(), NOW)
    evidence.build_pack(db, campaigns.campaign(db, "Autumn"), tmp_path / "pack", boss, NOW)
    content = read(tmp_path / "pack")
    assert content["frequency/analysis.txt"] == analysis.read_bytes()
    content["frequency/analysis.txt"] = b"never\n"
    refused(seal(content, boss), "not the analysis")
    del content["frequency/analysis.txt"]
    with pytest.raises(VerificationFailed, match="missing"):
        _check.check(Memory(seal(content, boss)))
