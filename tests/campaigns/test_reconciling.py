"""Completeness is compared before a campaign opens, and the answer is signed."""

from pathlib import Path
from typing import Any

import pytest

from passmuster import campaigns, config, connectors
from passmuster.errors import PreflightFailed, UsageError
from passmuster.store import Database
from passmuster.text import Json, strict_json
from tests.scene import BOSS, FORMAT, NOW, REV, bring_in, key

BOSS_KEY = key(BOSS, 1)


@pytest.fixture
def stocked(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    bring_in(db, tmp_path, monkeypatch)
    return db


def opened(db: Database, **more: Any) -> Json:
    wanted = campaigns.Definition("Autumn", "2026-12-31", REV, **more)
    campaigns.open_campaign(db, wanted, BOSS_KEY, config.Settings(), NOW)
    found: Json = strict_json(campaigns.definition(db, campaigns.campaign(db, "Autumn")))
    return found


def test_a_count_that_agrees_is_signed_with_the_definition(stocked: Database) -> None:
    found = opened(stocked, expect=("3", "kind:group=1"))
    assert found["reconciliation"] == [
        {"how": "typed", "what": "", "expected": 3, "found": 3, "differs": False,
         "explained": None},
        {"how": "typed", "what": "kind:group", "expected": 1, "found": 1, "differs": False,
         "explained": None},
    ]  # fmt: skip


def test_a_count_that_differs_opens_nothing_unless_it_is_explained(stocked: Database) -> None:
    with pytest.raises(PreflightFailed, match="3 identities in the scope, 4 expected"):
        opened(stocked, expect=("4",))
    assert stocked.value("SELECT count(*) FROM campaign") == 0
    (row,) = opened(stocked, expect=("4",), explain="u9 was deleted today")["reconciliation"]
    assert (row["differs"], row["explained"]) == (True, "u9 was deleted today")


def test_a_filter_that_matches_nothing_counts_none(stocked: Database) -> None:
    with pytest.raises(PreflightFailed, match="0 identities for 'kind:human', 2 expected"):
        opened(stocked, expect=("kind:human=2",))
    with pytest.raises(UsageError, match="takes COUNT or FILTER=COUNT"):
        opened(stocked, expect=("many",))


def test_a_second_export_that_knows_more_is_told_by_name(
    stocked: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connectors, "recognise", lambda *_: FORMAT)
    path = tmp_path / "second.txt"
    path.write_bytes(b"the same source again\n")
    with stocked.atomic():
        stocked.execute("UPDATE identity SET absent_since = ? WHERE uid = 'u3'", (NOW,))
    with pytest.raises(PreflightFailed, match=r"second.txt has 1 identity that testbed:t1 .*u3"):
        opened(stocked, against=(path,))
    (row,) = opened(stocked, against=(path,), explain="it left")["reconciliation"]
    assert (row["expected"], row["found"], row["missing"], row["extra"]) == (4, 3, 1, 0)
    assert row["missingNamed"] == ["u3"]


def test_a_definition_without_them_is_as_it_always_was(stocked: Database) -> None:
    assert not {"reconciliation", "riskAnalysis"} & opened(stocked).keys()


def test_a_risk_analysis_is_kept_under_a_harmless_name(stocked: Database, tmp_path: Path) -> None:
    path = tmp_path / "..; rm é.pdf"
    path.write_bytes(b"quarterly, because")
    found = opened(stocked, risk_analysis=path)["riskAnalysis"]
    assert found["fileName"] == "__rm__.pdf"
