"""Plan, apply, see it refused, put it back: on a real server, through the real contract."""

import pytest

from passmuster import attestations, blobs, remediation, tlog
from passmuster.errors import NotReversible, UsageError
from passmuster.model import Change
from passmuster.remediation import Remedy
from tests.remediation.conftest import Estate


def test_a_plan_asks_the_platform_nothing(estate: Estate, revoked: Remedy) -> None:
    assert estate.toy.calls == ["GET /export"] and revoked.state == "planned"


def test_what_can_be_undone_is_offered_first(revoked: Remedy) -> None:
    assert (revoked.state, revoked.undo_class) == ("planned", "R1")
    assert revoked.plan and revoked.plan["undo"] == ["toy enable svc-a"]


def test_stopped_refused_and_put_back_as_it_was(estate: Estate, revoked: Remedy) -> None:
    before = dict(estate.toy.objects["svc-a"])
    (one,) = estate.apply(revoked)
    assert one.state == "applied" and estate.toy.writes == ["PUT svc-a"]
    (one,) = estate.verify(one)
    assert (one.state, one.verdict) == ("verified", "refused")
    (one,) = estate.restore(one)
    assert one.state == "reverted" and estate.toy.objects["svc-a"] == before
    live = estate.connect(one.source)
    assert live.refused(one.act)[0] == "works"  # type: ignore[arg-type]
    live.close()


def test_doing_it_again_does_nothing_again(estate: Estate, revoked: Remedy) -> None:
    (one,) = estate.apply(revoked)
    assert estate.apply(one)[0].state == "applied"
    estate.apply(revoked)  # as somebody who has not seen it yet
    (one,) = estate.restore(one)
    estate.restore(one)
    assert estate.toy.writes == ["PUT svc-a", "PUT svc-a"]


def test_somebody_s_change_since_the_import_is_not_overwritten(
    estate: Estate, revoked: Remedy
) -> None:
    estate.toy.objects["svc-a"]["enabled"] = "only on Mondays"
    (one,) = estate.apply(revoked)
    assert one.state == "apply_failed" and not estate.toy.writes
    assert "enabled was True and is only on Mondays" in one.said and "plan again" in one.said


def test_somebody_s_change_since_the_stop_is_not_overwritten(
    estate: Estate, revoked: Remedy
) -> None:
    (one,) = estate.apply(revoked)
    estate.toy.objects["svc-a"] |= {"enabled": "only on Mondays"}
    (one,) = estate.restore(one)
    assert one.state == "applied" and "not put back: changed since" in one.said
    assert estate.toy.objects["svc-a"]["enabled"] == "only on Mondays"


def test_what_is_gone_is_told_and_nothing_is_made_anew(estate: Estate, revoked: Remedy) -> None:
    del estate.toy.objects["svc-a"]
    (one,) = estate.apply(revoked)
    assert one.state == "object_gone" and not estate.toy.writes


def test_it_is_asked_until_the_platform_refuses(estate: Estate, revoked: Remedy) -> None:
    (one,) = estate.apply(revoked)
    estate.toy.lags = 4
    (at_once,) = estate.verify(one)
    assert (at_once.state, at_once.verdict) == ("applied", "works")
    (one,) = estate.verify(one, wait_s=30.0)
    assert (one.state, one.verdict) == ("verified", "refused")


def test_a_flag_is_not_a_refusal(estate: Estate) -> None:
    estate.toy.account("flag-d")
    estate.bring_in("2026-11-23T09:00:00Z")
    at = estate.opened()
    estate.decide(at, "flag-d", "disable")
    estate.sign_off(at)
    (one,) = estate.apply(*remediation.plan(estate.db, estate.clock()))
    (one,) = estate.verify(one)
    assert (one.state, one.verdict) == ("verified", "flag")
    (one,) = estate.verify(one, secret="hunter2")
    assert one.verdict == "refused"


def test_a_part_is_stopped_and_the_rest_stands(estate: Estate) -> None:
    at = estate.opened()
    estate.decide(
        at, "svc-a", "approve", changes=[Change("disable", "svc-a-k1", None, "2026-12-01")]
    )
    estate.sign_off(at)
    (one,) = remediation.plan(estate.db, estate.clock())
    assert one.due == "2026-12-01" and one.part == "svc-a-k1"
    estate.apply(one)
    assert estate.toy.writes == ["PUT svc-a/svc-a-k1"]


def test_every_result_is_signed_in_one_statement_for_the_run(
    estate: Estate, revoked: Remedy
) -> None:
    (one,) = estate.apply(revoked)
    (one,) = estate.verify(one)
    assert remediation.unsigned(estate.db) == 2
    (name,) = remediation.sign(estate.db, estate.rev, estate.clock())
    assert not remediation.unsigned(estate.db) and not remediation.sign(
        estate.db, estate.rev, estate.clock()
    )
    (envelope,) = estate.db.one("SELECT envelope FROM entry WHERE statement = ?", (name,))
    said = attestations.verify(bytes(envelope), tlog.known_keys(estate.db))
    assert said.kind == "remediation" and said.predicate["count"] == 2
    lines = blobs.get(estate.db, dict(said.subject)["remediations.jsonl"]).splitlines()
    assert len(lines) == 2 and b'"verdict":"refused"' in lines[1]
    assert b"made by hand" not in b"".join(lines), "the saved state stays where it is"
    assert tlog.check(estate.db)


def test_the_saved_state_is_named_by_a_salted_digest(estate: Estate, revoked: Remedy) -> None:
    (one,) = estate.apply(revoked)
    before = remediation.saved(estate.db, one)
    assert before and before.state == {"enabled": True, "note": "made by hand", "secret": "set"}
    (row,) = remediation.results(estate.db, one.name)
    assert row["prior"] == before.digest and before.salt not in str(row)


def test_what_destroys_a_secret_waits_and_is_never_put_back(
    estate: Estate, revoked: Remedy
) -> None:
    db = estate.db
    assert not remediation.plan(db, estate.clock(), destroy=True), "nothing was stopped yet"
    estate.verify(*estate.apply(revoked))
    (burn,) = remediation.plan(db, estate.clock(), destroy=True)
    assert burn.undo_class == "R3"
    with pytest.raises(UsageError, match="after 14 days"):
        remediation.refuse_early(db, burn, estate.settings, "2026-12-08T00:00:00Z")
    remediation.refuse_early(db, burn, estate.settings, "2026-12-10T00:00:00Z")
    with pytest.raises(UsageError, match="needs --destroy"):
        estate.apply(burn)
    (burn,) = estate.apply(burn, destroy=True)
    assert burn.state == "applied" and estate.toy.objects["svc-a"]["secret"] == "gone"
    with pytest.raises(NotReversible):
        estate.restore(burn)


def test_what_a_later_campaign_approves_is_not_stopped_for_an_older_one(
    estate: Estate, revoked: Remedy
) -> None:
    again = estate.opened("Winter")
    estate.decide(again, "svc-a", "approve")
    estate.sign_off(again)
    assert not list(remediation.wanted(estate.db, estate.clock()))
    assert not remediation.plan(estate.db, estate.clock())


def test_a_change_that_a_newer_import_knows_of_is_planned_with(
    estate: Estate, revoked: Remedy
) -> None:
    """And the state that is put back is the one that was there last."""
    estate.toy.calls.clear()
    estate.toy.faults = {1: "403"}
    (one,) = estate.apply(revoked)
    assert one.state == "apply_failed" and remediation.saved(estate.db, one)
    estate.toy.objects["svc-a"]["note"] = "made by somebody else"
    (one,) = estate.apply(one)
    assert one.state == "apply_failed" and "changed since it was first read: note" in one.said
    (one,) = remediation.plan(estate.db, estate.clock())
    before = dict(estate.toy.objects["svc-a"])
    estate.restore(*estate.apply(one))
    assert estate.toy.objects["svc-a"] == before and len(estate.toy.writes) == 2


def test_planning_again_does_not_lose_what_is_to_be_put_back(
    estate: Estate, revoked: Remedy
) -> None:
    """It was sent, and nobody knows whether it was done, when somebody plans again."""
    before = dict(estate.toy.objects["svc-a"])
    estate.toy.calls.clear()
    estate.toy.faults = {1: "late", 2: "nothing"}
    assert estate.apply(revoked)[0].state == "apply_failed"
    (one,) = remediation.plan(estate.db, estate.clock())
    (one,) = estate.apply(one)
    assert one.state == "applied"
    estate.restore(one)
    assert estate.toy.objects["svc-a"] == before
