"""The rows of one log entry, as they are listed for somebody who reads the log."""

from passmuster import campaigns, tlog
from passmuster.campaigns import _signed
from passmuster.model import Change
from tests.campaigns.test_plans import plan
from tests.scene import LATER, SECOND, Scene, draft


def entry(scene: Scene, kind: str = "decisions") -> int:
    return tlog.rank(scene.db, [kind])[0]


def test_the_rows_of_an_entry_are_its_own_the_riskiest_first(scene: Scene) -> None:
    campaigns.save_draft(scene.db, scene.item("vendor-etl"), draft("revoke", "first"), LATER)
    scene.sign(scene.rev)
    keep = draft("approve", "in use", changes=(Change("revoke", "u1-key"),), until="2027-03-31")
    campaigns.save_draft(scene.db, scene.item("ci-deploy"), keep, LATER)
    campaigns.save_draft(scene.db, scene.item("vendor-etl"), draft("approve", "second"), LATER)
    scene.sign(scene.rev)
    with scene.db.atomic():
        scene.db.execute("UPDATE item SET risk = 99 WHERE id = ?", (scene.item("vendor-etl"),))
    rows = campaigns.signed_rows(scene.db, entry(scene), 10)
    assert [(r.display_name, r.verdict, r.until, r.changes, r.reason) for r in rows] == [
        ("vendor-etl", "approve", None, 0, "second"),
        ("ci-deploy", "approve", "2027-03-31", 1, "in use"),
    ]
    assert campaigns.signed_counts(scene.db, entry(scene)) == {"approve": 2}
    assert len(campaigns.signed_rows(scene.db, entry(scene), 1)) == 1


def test_named_owners_are_read_from_what_was_signed(scene: Scene) -> None:
    campaigns.save_own(scene.db, [scene.item("vendor-etl")], SECOND, "asked", LATER)
    scene.sign(scene.rev)
    said = tlog.look_up(scene.db, entry(scene, "own")).attestation
    assert said is not None
    [row] = campaigns.named_owners(scene.db, dict(said.subject)["own.jsonl"], 10)
    assert (row["owner"], row["reviewer"]) == (SECOND, None)
    assert campaigns.named_owners(scene.db, "0" * 64, 10) == [], "bytes that are not kept here"


def test_an_entry_is_found_from_the_items_of_its_campaign(scene: Scene) -> None:
    for sql, values in ((_signed.COUNTS, (1,)), (_signed.ROWS, (1, 50))):
        steps = plan(scene.db, sql, *values)
        assert not [s for s in steps if s.startswith("SCAN")], steps
        by_campaign = ("SEARCH n USING COVERING INDEX", "SEARCH n USING INDEX")
        assert [s for s in steps if s.startswith(by_campaign)], steps
        assert [s for s in steps if s.startswith("SEARCH d USING INDEX decision_item (item_id=?")]
