"""Opening a campaign: preflight refuses what cannot succeed, the rest is frozen and signed."""

from pathlib import Path
from typing import Any

import pytest

from passmuster import attestations, blobs, campaigns, config, merkle, tlog
from passmuster.errors import MusterError, NotFound, PreflightFailed, UsageError
from passmuster.store import Database
from passmuster.text import sha256, strict_json
from tests.scene import BOSS, NOW, REV, Scene, bring_in, key

COUNTS = (
    "SELECT (SELECT count(*) FROM campaign), (SELECT count(*) FROM item),"
    " (SELECT count(*) FROM entry), (SELECT count(*) FROM exclusion)"
)


def wanted(**changes: Any) -> campaigns.Definition:
    return campaigns.Definition(**{"name": "C", "due": "2026-12-31", "reviewer": REV, **changes})


def opening(db: Database, **changes: Any) -> campaigns.Opened:
    return campaigns.open_campaign(db, wanted(**changes), key(BOSS, 1), config.Settings(), NOW)


@pytest.mark.parametrize(("changes", "error", "why"), [
    ({"due": "2026-11-22"}, PreflightFailed, "is past"),
    ({"due": "soon"}, UsageError, "not a date"),
    ({"name": " "}, UsageError, "name is printable"),
    ({"name": "a\x1b[2J"}, UsageError, "printable"),
    ({"reviewer": "nobody"}, UsageError, "e-mail address or `owner`"),
    ({"of": "robot"}, UsageError, "no items of"),
    ({"scope": "name-that-is-not-there"}, PreflightFailed, "matches nothing"),
    ({"scope": "kind:servce"}, UsageError, "service"),
    ({"reviewer": "owner"}, PreflightFailed, "would have no reviewer"),
    ({"reviewer": "owner", "fallback": "who"}, PreflightFailed, "neither"),
    ({"of": "trust", "scope": "ci-deploy"}, PreflightFailed, "no trust in the scope"),
])  # fmt: skip
def test_a_campaign_that_cannot_succeed_is_not_opened(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, str], error: type[MusterError], why: str,
) -> None:  # fmt: skip
    bring_in(db, tmp_path, monkeypatch)
    with pytest.raises(error, match=why):
        opening(db, **changes)
    assert db.one(COUNTS) == (0, 0, 0, 0)


def test_an_empty_inventory_is_refused(db: Database) -> None:
    with pytest.raises(PreflightFailed, match="import an export first"):
        opening(db)


def test_a_name_is_used_once(scene: Scene) -> None:
    with pytest.raises(PreflightFailed, match="already"):
        opening(scene.db, name="Autumn")


def statement_of(scene: Scene) -> attestations.Attestation:
    (entry,) = [e for e in tlog.entries(scene.db) if e.kind == "campaign"]
    return attestations.verify(entry.envelope, tlog.known_keys(scene.db))


def lines(scene: Scene) -> dict[str, bytes]:
    """The files that the statement is about, from the tables."""
    db, at = scene.db, scene.campaign.id
    items = db.execute(
        "SELECT uri, dossier, material, salt, reviewer, assigned, chunk, position FROM item"
        " WHERE campaign_id = ? ORDER BY id",
        (at,),
    ).fetchall()
    out = db.execute("SELECT uri, why, salt FROM exclusion ORDER BY uri").fetchall()
    made = {
        "population.jsonl": [campaigns.population_row(*i[:4]) for i in items],
        "assignments.jsonl": [campaigns.assignment_row(i[0], i[4], i[5], i[3]) for i in items],
        "dossiers.jsonl": [blobs.get(db, i[6]).split(b"\n")[i[7]] for i in items],
        "excluded.jsonl": [campaigns.excluded_row(*o) for o in out],
    }
    return {n: b"".join(line + b"\n" for line in found) for n, found in made.items()}


def test_the_statement_signs_every_file_and_every_root(scene: Scene) -> None:
    found, files = statement_of(scene), lines(scene)
    body = found.predicate
    files["definition.json"] = campaigns.definition(scene.db, scene.campaign)
    assert dict(found.subject) == {name: sha256(data) for name, data in files.items()}
    population = files["population.jsonl"].splitlines()
    assert body["population"]["root"] == merkle.root(population)
    assert body["population"]["excludedRoot"] == merkle.root(files["excluded.jsonl"].splitlines())
    assert body["assignmentsRoot"] == merkle.root(files["assignments.jsonl"].splitlines())
    assert body["definitionDigest"] == sha256(files["definition.json"])
    assert (body["principal"], found.name) == (BOSS, scene.campaign.digest)


def test_the_whole_inventory_is_either_in_or_left_out_with_a_reason(scene: Scene) -> None:
    files = lines(scene)
    seen = {strict_json(line)["item"] for line in files["population.jsonl"].splitlines()}
    out = {strict_json(line)["item"]: strict_json(line)["why"]
           for line in files["excluded.jsonl"].splitlines()}  # fmt: skip
    every = {campaigns.uri("testbed:t1", "identity", uid)
             for (uid,) in scene.db.execute("SELECT uid FROM identity")}  # fmt: skip
    assert seen | out.keys() == every
    assert not seen & out.keys()
    assert [w for w in out.values() if "group" in w]


def test_salts_are_random_and_sixteen_bytes(scene: Scene) -> None:
    salts = [row[0] for row in scene.db.execute("SELECT salt FROM item")]
    assert len(set(salts)) == len(salts)
    assert {len(bytes.fromhex(salt)) for salt in salts} == {16}


def test_the_rules_as_run_are_kept(scene: Scene) -> None:
    rules = strict_json(campaigns.definition(scene.db, scene.campaign))["rules"]
    assert rules
    for as_run in rules.values():
        assert sha256(blobs.get(scene.db, as_run["sha256"])) == as_run["sha256"]


def test_the_openers_key_is_enrolled_before_the_campaign(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_in(db, tmp_path, monkeypatch)
    opening(db)
    assert [e.kind for e in tlog.entries(db)] == ["enrolment", "campaign"]


def test_an_item_is_found_by_any_handle_and_ambiguity_is_said(scene: Scene) -> None:
    item = scene.item("ci-deploy")
    name, uri = scene.db.one("SELECT name, uri FROM item WHERE id = ?", (item,))
    for handle in (name, name[:6], name.upper()[:8], uri, "u1", "ci-deploy", "u1-key"):
        assert campaigns.find_item(scene.db, scene.campaign.id, handle) == item
    with pytest.raises(NotFound, match="no item"):
        campaigns.find_item(scene.db, scene.campaign.id, "nothing")
