"""Drafts: what can be decided, that it is durable, and that it can be taken back."""

import json
from typing import Any

import pytest

from passmuster import campaigns, store
from passmuster.errors import NotFound, UsageError
from passmuster.model import Bulk, Change
from tests.scene import END, LATER, SECOND, Scene, draft


@pytest.mark.parametrize(("verdict", "reason", "more", "why"), [
    ("maybe", "x", {}, "no verdict"),
    ("revoke", "", {}, "revoke needs a reason"),
    ("disable", " \n", {}, "disable needs a reason"),
    ("abstain", "", {}, "abstain needs a reason"),
    ("revoke", "x", {"until": "2027-01-01"}, "--until goes with approve"),
    ("approve", "x", {"until": "2026-11-24"}, "in the future"),
    ("approve", "x", {"until": "some day"}, "in the future"),
    ("approve", "x", {"changes": (Change("burn", "u1-key"),)}, "no change"),  # type: ignore[arg-type]
    ("approve", "x", {"changes": (Change("revoke", "other"),)}, "no part of it"),
    ("approve", "", {"changes": (Change("revoke", "u1-key"),)}, "needs a reason"),
    ("revoke", "x", {"changes": (Change("revoke", "u1-key"),)}, "leaves no part"),
    ("approve", "x" * 2001, {}, "at most 2,000"),
])  # fmt: skip
def test_what_cannot_be_a_decision_is_refused_and_nothing_is_kept(
    scene: Scene, verdict: str, reason: str, more: dict[str, Any], why: str
) -> None:
    item = scene.item("ci-deploy")
    with pytest.raises(UsageError, match=why):
        campaigns.save_draft(scene.db, item, draft(verdict, reason, **more), LATER)
    assert campaigns.draft_of(scene.db, item) is None


def test_one_bad_item_of_several_keeps_none(scene: Scene) -> None:
    items = [scene.item("vendor-etl"), scene.item("ci-deploy")]
    bad = draft("approve", "x", changes=(Change("revoke", "partner"),))
    with pytest.raises(UsageError):
        campaigns.save_drafts(scene.db, items, bad, LATER)
    assert not scene.db.value("SELECT count(*) FROM draft")


def test_a_draft_is_there_for_another_process_at_once(scene: Scene) -> None:
    item = scene.item("ci-deploy")
    mine = draft("approve", "in use", bulk=Bulk("b", 2, "marked"),
                 changes=(Change("rotate", "u1-key", None, "2027-01-01"),))  # fmt: skip
    campaigns.save_draft(scene.db, item, mine, LATER)
    other = store.open_(scene.db.path.parent)
    assert campaigns.draft_of(other, item) == mine
    other.close()


def test_undo_is_free(scene: Scene) -> None:
    item = scene.item("ci-deploy")
    campaigns.save_draft(scene.db, item, draft("revoke", "gone"), LATER)
    assert campaigns.clear_drafts(scene.db, [item]) == 1
    assert campaigns.clear_drafts(scene.db, [item]) == 0
    assert campaigns.progress(scene.db, scene.campaign.id).open == 3


def test_typed_text_is_made_visible_before_it_is_kept(scene: Scene) -> None:
    item = scene.item("ci-deploy")
    campaigns.save_draft(scene.db, item, draft("revoke", "a\x1b[2J\u202eb\x7f\nnext"), LATER)
    kept = campaigns.draft_of(scene.db, item)
    assert kept is not None
    assert kept.reason_text == "a\\x1b[2J\\u202eb\\x7f\nnext"


def test_nothing_can_be_decided_after_the_end(scene: Scene) -> None:
    scene.close()
    item = scene.item("ci-deploy")
    with pytest.raises(UsageError, match="nothing can be decided"):
        campaigns.save_draft(scene.db, item, draft("revoke", "x"), END)
    with pytest.raises(UsageError, match="nothing can be decided"):
        campaigns.save_own(scene.db, [item], SECOND, None, END)


def test_an_item_that_is_not_there(scene: Scene) -> None:
    with pytest.raises(NotFound):
        campaigns.save_draft(scene.db, 999, draft("revoke", "x"), LATER)
    with pytest.raises(NotFound):
        campaigns.item_dossier(scene.db, 999)


def test_an_owner_is_never_guessed(scene: Scene) -> None:
    with pytest.raises(UsageError, match="no person or team"):
        campaigns.save_own(scene.db, [scene.item("ci-deploy")], "somebody", None, LATER)


def test_changed_evidence_is_said_and_named(scene: Scene) -> None:
    item = scene.item("ci-deploy")
    assert campaigns.changed_since(scene.db, [item]) == {}
    with scene.db.atomic():
        scene.db.execute("UPDATE credential SET status = 'disabled' WHERE uid = 'u1-key'")
    assert campaigns.changed_since(scene.db, [item]) == {item: ["credentials"]}
    with scene.db.atomic():
        scene.db.execute("UPDATE identity SET status = 'disabled' WHERE uid = 'u1'")
    assert set(campaigns.changed_since(scene.db, [item])[item]) == {"credentials", "status"}


def test_a_later_use_does_not_make_the_evidence_stale(scene: Scene) -> None:
    item = scene.item("ci-deploy")
    with scene.db.atomic():
        scene.db.execute(
            "UPDATE identity SET last_used_at = ?, last_used_state = 'known'", (LATER,)
        )
        scene.db.execute("UPDATE listing SET risk = 99")
    assert campaigns.changed_since(scene.db, [item]) == {}


def test_the_frozen_dossier_does_not_follow_the_inventory(scene: Scene) -> None:
    item = scene.item("ci-deploy")
    before = json.dumps(campaigns.item_dossier(scene.db, item))
    with scene.db.atomic():
        scene.db.execute("UPDATE identity SET display_name = 'other' WHERE uid = 'u1'")
    assert json.dumps(campaigns.item_dossier(scene.db, item)) == before


def test_a_secret_that_is_typed_as_a_reason_is_refused(scene: Scene) -> None:
    token = "ghp_" + "a1B2" * 9
    with pytest.raises(UsageError, match="looks like a secret"):
        campaigns.save_draft(
            scene.db, scene.item("ci-deploy"), draft("revoke", f"leaked {token}"), LATER
        )
    with pytest.raises(UsageError, match="looks like a secret"):
        campaigns.save_own(scene.db, [scene.item("ci-deploy")], SECOND, token, LATER)
