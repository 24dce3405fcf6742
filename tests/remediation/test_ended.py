"""An approval until a day: once the day is past it asks for a stop of its own."""

import json
from typing import Any

import pytest

from passmuster import campaigns, remediation
from passmuster.model import Attention, Change, SecondDraft
from tests.conftest import Muster
from tests.remediation.conftest import DECIDED, Estate
from tests.remediation.test_command import command
from tests.scene import REV, SECOND, key

__all__ = ["command"]
DAY = "2026-11-30"
LAST, PAST = "2026-11-30T23:59:59Z", "2026-12-01T00:00:00Z"


def approved(estate: Estate, uid: str = "svc-a", until: str = DAY, **more: Any) -> None:
    """Approved until a day, and signed."""
    estate.toy.account(uid)
    estate.bring_in("2026-11-23T09:00:00Z")
    at = estate.opened(**more)
    estate.decide(at, uid, "approve", until=until)
    estate.decide(at, "svc-b", "approve")
    estate.sign_off(at)


@pytest.mark.parametrize("until", [DAY, LAST, "2026-12-01T00:59:59+01:00"])
def test_it_is_stopped_after_its_day_and_not_on_it(estate: Estate, until: str) -> None:
    approved(estate, until=until)
    assert not remediation.plan(estate.db, LAST)
    (one,) = remediation.plan(estate.db, PAST)
    assert (one.verb, one.undo_class, one.state) == ("end", "R1", "planned")
    assert one.due == until[:10] and one.plan and one.plan["stop"] == ["toy disable svc-a"]
    (row,) = remediation.because(estate.db, one)
    assert (row.verdict, row.until, row.who) == ("approve", until, REV)
    assert not estate.toy.writes, "a plan sends nothing"


def test_it_is_a_stop_as_any_other_and_what_is_put_back_stays(estate: Estate) -> None:
    approved(estate)
    (one,) = estate.verify(*estate.apply(*remediation.plan(estate.db, PAST)))
    assert (one.state, one.verdict) == ("verified", "refused")
    assert not remediation.plan(estate.db, PAST) and not remediation.unplanned(estate.db, PAST)
    assert not remediation.unasked(estate.db, [one], PAST)
    assert remediation.unasked(estate.db, [one], LAST) == {one.name}
    assert not remediation.plan(estate.db, PAST, destroy=True), "nobody decided to destroy it"
    (one,) = estate.restore(one)
    assert one.state == "reverted" and remediation.plan(estate.db, PAST)[0].state == "reverted"
    (name,) = remediation.sign(estate.db, estate.rev, estate.clock())
    assert name, "its results are signed"


def test_a_later_approval_goes_before_the_day(estate: Estate) -> None:
    approved(estate)
    again = estate.opened("Winter")
    estate.decide(again, "svc-a", "approve", until="2027-03-31")
    estate.sign_off(again)
    assert not remediation.plan(estate.db, PAST)
    (one,) = remediation.plan(estate.db, "2027-04-01T00:00:00Z")
    assert one.due == "2027-03-31"


def test_an_approval_that_waits_for_its_second_person_never_stood(estate: Estate) -> None:
    approved(estate, second=(SECOND,), second_when="all")
    assert not remediation.plan(estate.db, PAST)


def test_changes_to_its_parts_are_asked_for_beside_it(estate: Estate) -> None:
    at = estate.opened()
    estate.decide(at, "svc-a", "approve", changes=[Change("disable", "svc-a-k1")], until=DAY)
    estate.sign_off(at)
    found = {(r.verb, r.part) for r in remediation.plan(estate.db, PAST)}
    assert found == {("disable", "svc-a-k1"), ("end", None)}


def test_changes_to_parts_wait_for_no_second_person_and_are_not_held_up_by_an_objection(
    estate: Estate,
) -> None:
    at = estate.opened(second=(SECOND,), second_when="all")
    estate.decide(at, "svc-a", "approve", changes=[Change("disable", "svc-a-k1")], until=DAY)
    estate.sign_off(at)
    asked = [("disable", "svc-a-k1")]
    assert [(r.verb, r.part) for r in remediation.plan(estate.db, LAST)] == asked
    words = SecondDraft("object", None, "all of it", Attention(DECIDED, DECIDED, True))
    item = campaigns.find_item(estate.db, at.id, "svc-a")
    campaigns.save_seconds(estate.db, [item], words, DECIDED, SECOND)
    second = key(SECOND, 3)
    campaigns.sign_off(estate.db, campaigns.prepare(estate.db, at.id, SECOND), second, DECIDED)
    assert {o.effect for o in campaigns.outcomes_of(estate.db, at).values()} >= {"objected"}
    assert [(r.verb, r.part) for r in remediation.plan(estate.db, PAST)] == asked


def test_without_a_flag_it_is_taken_away_as_it_can_be_made_anew(estate: Estate) -> None:
    approved(estate, "take-d")
    (one,) = remediation.plan(estate.db, PAST)
    assert one.undo_class == "R2"


def test_no_secret_is_destroyed_for_it(estate: Estate) -> None:
    approved(estate, "burn-d")
    (one,) = remediation.plan(estate.db, PAST)
    assert one.state == "not_supported" and "only `revoke` may destroy" in one.said
    assert not remediation.plan(estate.db, PAST, destroy=True)


def test_what_an_export_has_off_by_then_asks_for_nothing(estate: Estate) -> None:
    approved(estate)
    estate.toy.objects["svc-a"]["enabled"] = False
    estate.bring_in("2026-11-28T09:00:00Z")
    assert not remediation.plan(estate.db, PAST)


def test_by_command_it_says_that_the_approval_ended(
    command: Muster, estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("remediate", "remedy_run"):
        monkeypatch.setattr(f"passmuster.cli.{module}.now", lambda: PAST)
    approved(estate)
    done = command("remediate", "plan")
    assert f"its approval ended with {DAY}" in done.stderr
    (row,) = json.loads(command("remediate", "apply", "--yes", "--verify", "--json").stdout)
    assert (row["verb"], row["state"], row["verdict"]) == ("end", "verified", "refused")
