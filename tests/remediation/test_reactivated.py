"""The rule `reactivated` and what was carried out: revoked but alive is a hit, and nothing else."""

from passmuster import policy, remediation
from passmuster.remediation import Remedy
from tests.remediation.conftest import Estate


def found(estate: Estate) -> list[str]:
    policy.evaluate(estate.db, estate.settings, "2026-11-29T00:00:00Z")
    return [row[0] for row in estate.db.execute(
        "SELECT detail FROM finding WHERE rule = 'reactivated' AND cleared_at IS NULL"
    )]  # fmt: skip


def test_an_export_made_before_the_stop_proves_nothing_against_it(
    estate: Estate, revoked: Remedy
) -> None:
    estate.toy.account("svc-new")
    estate.bring_in("2026-11-24T20:00:00Z")
    assert "still active in the export of 2026-11-24" in found(estate)[0], "never carried out"
    estate.verify(*estate.apply(revoked))
    assert found(estate) == []
    estate.bring_in("2026-11-26T09:00:00Z")
    assert found(estate) == [], "the newer export has it disabled"


def test_what_was_stopped_and_is_active_again_is_found(estate: Estate, revoked: Remedy) -> None:
    estate.verify(*estate.apply(revoked))
    estate.bring_in("2026-11-26T09:00:00Z")
    estate.toy.objects["svc-a"]["enabled"] = True
    estate.bring_in("2026-11-27T09:00:00Z")
    (detail,) = found(estate)
    assert "stopped on 2026-11-25, active again in the export of 2026-11-27" in detail


def test_it_is_stopped_again_also_by_a_later_campaign(estate: Estate, revoked: Remedy) -> None:
    estate.verify(*estate.apply(revoked))
    estate.toy.account("svc-new")
    estate.toy.objects["svc-a"]["enabled"] = True
    estate.bring_in("2026-11-27T09:00:00Z")
    later = estate.opened("Winter")
    estate.decide(later, "svc-a", "revoke")
    estate.sign_off(later)
    (one,) = remediation.plan(estate.db, estate.clock())
    assert one.name != revoked.name and one.state == "planned"
    assert estate.apply(one)[0].state == "applied"
    assert estate.toy.writes == ["PUT svc-a"] * 2


def test_what_was_put_back_with_a_signature_is_not(estate: Estate, revoked: Remedy) -> None:
    estate.restore(*estate.verify(*estate.apply(revoked)))
    estate.bring_in("2026-11-27T09:00:00Z")
    assert found(estate) == []
