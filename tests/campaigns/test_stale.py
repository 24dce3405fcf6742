"""Promise 2: whatever an approval rests on is named when it changed, and nothing else is."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from passmuster import campaigns
from passmuster.model import Entitlement, Grant, Record
from passmuster.store import Database
from tests import scene as scenes
from tests.scene import FORMAT, LATER, REV, SECOND, Scene, draft, open_scene, records


def change(db: Database, sql: str) -> None:
    with db.atomic():
        db.execute(sql)


@pytest.mark.parametrize(("sql", "part"), [
    ("UPDATE identity SET absent_since = '2026-11-24T00:00:00Z' WHERE uid = 'u1'", "absent"),
    ("UPDATE grant SET absent_since = '2026-11-24T00:00:00Z'", "grants"),
    ("UPDATE entitlement SET permission_level = 'read'", "grants"),
    ("UPDATE credential SET expires_at = '2030-01-01T00:00:00Z'", "credentials"),
    ("UPDATE owner SET absent_since = '2026-11-24T00:00:00Z'", "owners"),
    ("INSERT INTO trust (source_id, to_identity_uid, from_uid, from_kind, mechanism, is_external,"
     " is_wildcard, identity_id, first_seen_run, last_seen_run) SELECT source_id, uid, 'x', 'any',"
     " 'oidc', 1, 1, id, 2, 2 FROM identity WHERE uid = 'u1'", "trusts"),
])  # fmt: skip
def test_each_part_that_an_approval_rests_on_is_named_when_it_changes(
    scene: Scene, sql: str, part: str
) -> None:
    item = scene.item("ci-deploy")
    assert campaigns.changed_since(scene.db, [item]) == {}
    change(scene.db, sql)
    assert campaigns.changed_since(scene.db, [item]) == {item: [part]}


def test_an_owner_named_in_another_review_is_a_change(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = scene.item("ci-deploy")
    winter = open_scene(scene.db, tmp_path, monkeypatch, name="Winter")
    campaigns.save_own(scene.db, [winter.item("ci-deploy")], SECOND, "asked", LATER)
    winter.sign(winter.rev)
    assert campaigns.changed_since(scene.db, [item]) == {item: ["owners"]}
    assert campaigns.changed_since(scene.db, [winter.item("ci-deploy")]) == {}


@pytest.mark.parametrize("of", ["credential", "trust"])
def test_a_part_that_did_not_change_is_not_said_to_have_changed(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of: str
) -> None:
    open_scene(db, tmp_path, monkeypatch, of=of)
    items = [row[0] for row in db.execute("SELECT id FROM item")]
    assert campaigns.changed_since(db, items) == {}
    change(db, "UPDATE identity SET status = 'disabled'")
    assert campaigns.changed_since(db, items) == {i: ["status"] for i in items}


def test_of_two_grants_only_the_one_that_changed_is_said_to_have(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def two(*_: object) -> Iterator[Record]:
        yield from records()
        yield Entitlement("few", "a few things", permission_level="read")
        yield Grant("u1", "few")

    monkeypatch.setattr(scenes, "FORMAT", replace(FORMAT, parse=two))
    open_scene(db, tmp_path, monkeypatch, of="grant")
    items = {uri: row for row, uri in db.execute("SELECT id, uri FROM item")}
    few, every = (items[uri] for uri in sorted(items, key=lambda uri: "few" not in uri))
    assert campaigns.changed_since(db, [few, every]) == {}
    change(db, "UPDATE entitlement SET permission_level = 'write' WHERE uid = 'few'")
    assert campaigns.changed_since(db, [few, every]) == {few: ["grants"]}
    change(db, "UPDATE grant SET absent_since = '2026-11-24T00:00:00Z' WHERE"
               " entitlement_uid = 'few'")  # fmt: skip
    assert campaigns.changed_since(db, [few, every]) == {few: ["it is gone"]}


def test_what_would_still_read_no_response_is_counted_before_signing(scene: Scene) -> None:
    campaigns.save_draft(scene.db, scene.item("ci-deploy"), draft("approve", "x"), LATER)
    assert campaigns.prepare(scene.db, scene.campaign.id, REV).undecided == 2


def test_taking_a_second_thought_back_leaves_the_signed_decision(scene: Scene) -> None:
    item = scene.item("ci-deploy")
    campaigns.save_draft(scene.db, item, draft("approve", "x"), LATER)
    scene.sign(scene.rev)
    campaigns.save_draft(scene.db, item, draft("revoke", "no"), LATER)
    campaigns.clear_drafts(scene.db, [item])
    at = campaigns.progress(scene.db, scene.campaign.id, REV)
    assert (at.signed, at.drafts, at.open) == (1, 0, 2)
