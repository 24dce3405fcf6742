"""Campaigns of credentials, grants and trusts: each item is a part, named and compared as one."""

from pathlib import Path

import pytest

from passmuster import campaigns, config, inventory, policy
from passmuster.campaigns import Definition
from passmuster.connectors import Context
from passmuster.model import Attention, Draft
from passmuster.store import Database
from tests.conftest import REPOSITORY
from tests.estates import ME, NOW, reviewer

GONE = Draft("revoke", None, "gone", Attention(None, NOW, False))


@pytest.fixture
def estate(db: Database) -> Database:
    folder = REPOSITORY / "sample_data"
    for path in sorted((folder / "aws").glob("*")):
        inventory.import_file(db, path, now=NOW, by=ME, context=Context())
    policy.evaluate(db, config.Settings(), NOW)
    return db


@pytest.mark.parametrize("of", ["credential", "grant", "trust"])
def test_every_part_is_told_apart_and_none_reads_as_changed(estate: Database, of: str) -> None:
    key = reviewer(estate)
    wanted = Definition(of, "2027-01-31", ME, of=of)  # type: ignore[arg-type]
    campaigns.open_campaign(estate, wanted, key, config.Settings(), NOW)
    at = campaigns.campaign(estate)
    ids = list(campaigns.rank(estate, at.id, ME))
    names = [row.display_name for row in campaigns.rows(estate, ids)]
    assert len(set(names)) == len(names) > 10
    campaigns.save_drafts(estate, ids, GONE, NOW)
    batch = campaigns.prepare(estate, at.id, ME)
    assert [row.display_name for row in batch.rows if row.changed] == []
    assert {row.display_name for row in batch.rows} == set(names)


def test_a_grant_that_is_gone_since_is_said(estate: Database, tmp_path: Path) -> None:
    key = reviewer(estate)
    wanted = Definition("grants", "2027-01-31", ME, of="grant")
    campaigns.open_campaign(estate, wanted, key, config.Settings(), NOW)
    at = campaigns.campaign(estate)
    item = campaigns.rank(estate, at.id, ME)[0]
    campaigns.save_drafts(estate, [item], GONE, NOW)
    estate.execute(
        "UPDATE grant SET absent_since = ? WHERE identity_id ="
        " (SELECT identity_id FROM item WHERE id = ?)", (NOW, item)
    )  # fmt: skip
    (row,) = campaigns.prepare(estate, at.id, ME).rows
    assert row.changed == ["it is gone"]


def test_who_has_no_such_part_is_listed_as_left_out(estate: Database) -> None:
    key = reviewer(estate)
    wanted = Definition("trusts", "2027-01-31", ME, of="trust")
    opened = campaigns.open_campaign(estate, wanted, key, config.Settings(), NOW)
    reasons = dict(estate.execute("SELECT why, count(*) FROM exclusion GROUP BY why"))
    assert reasons["has no trust to decide on"] > 10
    asked = estate.value("SELECT count(DISTINCT identity_id) FROM item")
    assert asked + opened.excluded == estate.value("SELECT count(*) FROM identity")
