"""Frozen dossiers as an import: what they bring, and that what they do not list is not gone."""

from pathlib import Path

import pytest

from passmuster import campaigns, config, inventory, policy
from passmuster.store import Database
from passmuster.text import canonical, strict_json

SAMPLE = Path(__file__).parents[2] / "sample_data" / "muster" / "dossiers.jsonl"
NOW, LATER = "2026-11-23T08:00:00Z", "2026-11-24T08:00:00Z"


def bring(db: Database, folder: Path, name: str, dossiers: list[object], now: str = NOW) -> None:
    path = folder / f"{name}.jsonl"
    path.write_bytes(b"".join(canonical(d) + b"\n" for d in dossiers))
    inventory.import_file(db, path, now=now, by=None)


@pytest.fixture
def dossiers() -> list[dict[str, object]]:
    return [strict_json(line) for line in SAMPLE.read_bytes().splitlines()]


def present(db: Database, table: str) -> int:
    return int(db.value(f"SELECT count(*) FROM {table} WHERE absent_since IS NULL"))


def test_what_a_dossier_says_comes_out_again(
    db: Database, tmp_path: Path, dossiers: list[dict[str, object]]
) -> None:
    bring(db, tmp_path, "one", list(dossiers))
    policy.evaluate(db, config.Settings(), NOW)
    ids = [row[0] for row in db.execute("SELECT id FROM identity ORDER BY id")]
    again = {d["uri"]: d for _, d in campaigns.dossiers(db, ids)}
    for was in dossiers:
        now = again[was["uri"]]
        for part in ("credentials", "grants", "trusts", "usage", "sightings"):
            named = [g for g in now[part] if g.get("entitlement") != "privileges of other holdings"]
            assert named == was[part]
        assert [o["handle"] for o in now["owners"]] == [o["handle"] for o in was["owners"]]  # type: ignore[attr-defined]
        assert now["identity"]["is_privileged"] == was["identity"]["is_privileged"]  # type: ignore[index]
        assert now["identity"]["attributes"] == was["identity"]["attributes"]  # type: ignore[index]


def test_what_another_file_of_dossiers_does_not_list_is_not_gone_but_parts_of_what_it_lists_are(
    db: Database, tmp_path: Path, dossiers: list[dict[str, object]]
) -> None:
    with_keys = next(d for d in dossiers if d["credentials"])
    twin = {**with_keys, "credentials": [], "identity": {**with_keys["identity"], "uid": "twin"}}  # type: ignore[dict-item]
    bring(db, tmp_path, "one", [*dossiers, twin])
    identities, credentials = present(db, "identity"), present(db, "credential")
    lost = len(with_keys["credentials"])  # type: ignore[arg-type]
    bring(db, tmp_path, "two", [{**with_keys, "credentials": []}], LATER)
    assert present(db, "identity") == identities
    assert present(db, "credential") == credentials - lost


def test_an_export_of_the_source_itself_is_not_touched(
    db: Database, tmp_path: Path, dossiers: list[dict[str, object]]
) -> None:
    inventory.import_file(db, SAMPLE.parents[1] / "aws" / "credential-report.csv", now=NOW, by=None)
    before = present(db, "identity"), present(db, "credential")
    bring(db, tmp_path, "one", [d for d in dossiers if d["source"]["platform"] != "aws"], LATER)  # type: ignore[index]
    bring(db, tmp_path, "two", list(dossiers[:1]), LATER)
    aws = "source_id = (SELECT id FROM source WHERE platform = 'aws')"
    assert (
        db.value(f"SELECT count(*) FROM identity WHERE absent_since IS NULL AND {aws}")
        >= (before[0])
    )
    assert (
        db.value(f"SELECT count(*) FROM credential WHERE absent_since IS NULL AND {aws}")
        >= (before[1])
    )


@pytest.mark.parametrize("spoil", [
    lambda d: {**d, "identity": None}, lambda d: {**d, "credentials": [{"uid": 7}]},
    lambda d: {**d, "source": {"platform": "", "tenant_uid": "x", "name": None}},
    lambda d: {**d, "grants": [{"entitlement": []}]}, lambda d: {"before": []},
])  # fmt: skip
def test_a_dossier_of_another_form_is_a_problem_and_no_other_is_lost(
    db: Database, tmp_path: Path, dossiers: list[dict[str, object]], spoil: object
) -> None:
    bring(db, tmp_path, "one", [spoil(dossiers[0]), *dossiers[1:]])  # type: ignore[operator]
    assert db.value("SELECT count(*) FROM problem WHERE why LIKE 'no dossier:%'") == 1
    assert present(db, "identity") >= len(dossiers) - 1
