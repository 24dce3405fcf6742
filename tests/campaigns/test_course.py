"""How a campaign goes: what is counted, what is forecast, and what it costs."""

import pytest

from passmuster import campaigns
from passmuster.campaigns import SignedBatch, _course, forecast
from passmuster.model import Change
from tests.campaigns.test_plans import plan
from tests.scene import LATER, REV, SECOND, Scene, draft

OPENED, DUE, NOW = "2026-11-01T00:00:00Z", "2026-12-01T23:59:59Z", "2026-11-21T00:00:00Z"


def batch(day: int, items: int) -> SignedBatch:
    return SignedBatch(f"2026-11-{day:02}T12:00:00Z", items)


@pytest.mark.parametrize(("batches", "left", "kind", "done_on", "late"), [
    pytest.param([], 10, "early", None, 0, id="nothing signed"),
    pytest.param([batch(20, 70)], 10, "early", None, 0, id="one batch says nothing of a pace"),
    pytest.param([batch(2, 5), batch(3, 5)], 10, "stalled", None, 0, id="nothing for a week"),
    pytest.param([batch(2, 500), batch(20, 7)], 9, "expected", "2026-11-30", -1, id="early"),
    pytest.param([batch(2, 5), batch(20, 7)], 10, "expected", "2026-12-01", 0, id="on the day"),
    pytest.param([batch(15, 7), batch(20, 7)], 26, "expected", "2026-12-04", 3, id="late"),
    pytest.param([batch(2, 5), batch(20, 1)], 1_000_000, "far", None, 0, id="no day at all"),
    pytest.param([], 0, "done", None, 0, id="all decided"),
])  # fmt: skip
def test_the_forecast_is_the_pace_of_the_last_seven_days(
    batches: list[SignedBatch], left: int, kind: str, done_on: str | None, late: int
) -> None:
    found = forecast(batches, left, NOW, OPENED, DUE)
    assert (found.kind, found.done_on, found.days_late) == (kind, done_on, late)


def test_a_young_campaign_has_the_pace_of_its_own_days() -> None:
    found = forecast([batch(19, 6), batch(20, 6)], 12, NOW, "2026-11-19T00:00:00Z", DUE)
    assert (found.window_days, found.per_day, found.done_on) == (2, 6.0, "2026-11-23")
    hours = forecast([batch(20, 6), batch(20, 6)], 12, NOW, "2026-11-20T20:00:00Z", DUE)
    assert (hours.window_days, hours.per_day) == (1, 12.0), "never faster than in a whole day"


def test_what_is_closed_is_not_forecast() -> None:
    assert forecast([batch(20, 6), batch(20, 6)], 3, NOW, OPENED, DUE, NOW).kind == "closed"


def test_a_course_tells_who_signed_who_drafted_and_who_is_silent(scene: Scene) -> None:
    before = campaigns.course(scene.db, scene.campaign)
    assert [s.reviewer for s in before.silent] == [REV]
    assert (before.total, before.left, before.batches) == (3, 3, [])
    campaigns.save_draft(scene.db, scene.item("vendor-etl"), draft("approve", "ok"), LATER)
    [drafting] = campaigns.course(scene.db, scene.campaign).reviewers
    assert (drafting.open, drafting.drafts, drafting.silent) == (2, 1, False)
    scene.sign(scene.rev, "2026-11-25T10:00:00Z")
    after = campaigns.course(scene.db, scene.campaign)
    [stand] = after.reviewers
    assert stand == campaigns.Stand(REV, 2, 0, 1, "2026-11-25T10:00:00Z")
    assert after.batches == [SignedBatch("2026-11-25T10:00:00Z", 1)]


def test_an_item_counts_once_at_the_first_decision_of_the_person_whose_it_is(
    scene: Scene,
) -> None:
    item = scene.item("=cmd|'/c calc'!A1")
    campaigns.save_draft(scene.db, item, draft("abstain", "not mine"), LATER)
    campaigns.save_own(scene.db, [item], SECOND, "asked", LATER, reassign=True)
    scene.sign(scene.rev, "2026-11-25T10:00:00Z")
    handed = campaigns.course(scene.db, scene.campaign)
    assert (handed.signed, handed.batches) == (0, []), "what the first one said is not an answer"
    for stamp in ("2026-11-26T10:00:00Z", "2026-11-27T10:00:00Z"):
        campaigns.save_draft(scene.db, item, draft("revoke", "gone"), LATER)
        scene.sign(scene.second, stamp)
    found = campaigns.course(scene.db, scene.campaign)
    assert found.batches == [SignedBatch("2026-11-26T10:00:00Z", 1)]
    assert [s.last_signed for s in found.reviewers if s.reviewer == SECOND] == [
        "2026-11-27T10:00:00Z"
    ]


def test_ages_are_of_the_oldest_live_key_and_add_up(scene: Scene) -> None:
    keep = draft("approve", "in use", changes=(Change("revoke", "u1-key"),))
    campaigns.save_draft(scene.db, scene.item("ci-deploy"), keep, LATER)
    scene.sign(scene.rev)
    found = campaigns.ages(scene.db, scene.campaign.id, LATER, [90, 365, 1825])
    assert [(a.above_days, a.dated, a.items, a.signed) for a in found] == [
        (0, True, 0, 0), (90, True, 0, 0), (365, True, 0, 0), (1825, True, 2, 1),
        (None, True, 0, 0), (None, False, 1, 0),
    ]  # fmt: skip
    with scene.db.atomic():
        scene.db.execute("UPDATE credential SET status = 'disabled' WHERE uid = 'u1-key'")
        scene.db.execute(
            "UPDATE credential SET created_at = ?, last_rotated_at = NULL WHERE uid = 'u2-key'",
            (None,),
        )
    again = campaigns.ages(scene.db, scene.campaign.id, LATER, [90, 365, 1825])
    assert [a.items for a in again] == [0, 0, 0, 0, 1, 2]


def test_a_course_reads_the_items_once_and_everything_else_by_an_index(scene: Scene) -> None:
    for sql, values in (
        (_course._STANDS, (1,)), (_course._BATCHES, (1,)), (_course._SIGNED_AT, ("x",)),
        (_course.ages_sql(2), ("", "", 1)),
    ):  # fmt: skip
        steps = plan(scene.db, sql, *values)
        assert not [s for s in steps if s.startswith("SCAN") and "subquery" not in s], steps
    steps = plan(scene.db, _course._BATCHES, 1)
    assert "SEARCH d USING COVERING INDEX decision_item (item_id=?)" in steps
    assert "SEARCH n USING COVERING INDEX item_queue (campaign_id=?)" in steps
