"""What can be made anew, what cannot be undone, and who must have agreed to that."""

import json
from typing import Any

import pytest

from passmuster import campaigns, config, policy, remediation
from passmuster.connectors import Live
from passmuster.errors import Conflict, NotReversible, UsageError
from passmuster.lock import alone
from passmuster.model import Attention, SecondDraft
from passmuster.remediation import Remedy
from tests.remediation.conftest import DECIDED, SOURCE, Estate
from tests.scene import REV, SECOND, key

REACTIVATED = "SELECT count(*) FROM finding WHERE rule = 'reactivated' AND cleared_at IS NULL"


def planned(estate: Estate, uid: str, **more: Any) -> Remedy:
    """The plan of a new account that was decided to be revoked."""
    estate.toy.account(uid)
    estate.bring_in("2026-11-23T09:00:00Z")
    at = estate.opened(**more)
    estate.decide(at, uid, "revoke")
    estate.sign_off(at)
    (one,) = remediation.plan(estate.db, estate.clock(), destroy=uid.startswith("burn-"))
    return one


def test_what_was_deleted_is_made_anew_as_it_was(estate: Estate) -> None:
    one = planned(estate, "anew-d")
    assert one.undo_class == "R2"
    before = dict(estate.toy.objects["anew-d"])
    (one,) = estate.verify(*estate.apply(one))
    assert one.state == "verified" and "anew-d" not in estate.toy.objects
    (one,) = estate.restore(one)
    assert one.state == "reverted"
    assert before.items() <= estate.toy.objects["anew-d"].items()


def test_a_stop_that_is_an_object_of_its_own_is_taken_away_again(estate: Estate) -> None:
    """As a policy that denies everything: no export knows of it, and none speaks against it."""
    one = planned(estate, "deny-d")
    assert one.act and one.act.known is None and not one.in_export
    (one,) = estate.verify(*estate.apply(one))
    assert (one.state, one.verdict) == ("verified", "refused")
    assert remediation.saved(estate.db, one).state is None  # type: ignore[union-attr]
    estate.toy.account("svc-new")
    estate.bring_in("2026-11-26T09:00:00Z")
    (status,) = remediation.status(estate.db, "2026-11-27T00:00:00Z")
    assert status.alive is None and not status.is_open
    policy.evaluate(estate.db, estate.settings, "2026-11-27T00:00:00Z")
    assert not estate.db.value(REACTIVATED)
    for enabled, day in ((False, "27"), (True, "28")):
        estate.toy.objects["deny-d"]["enabled"] = enabled
        estate.bring_in(f"2026-11-{day}T09:00:00Z")
    (status,) = remediation.status(estate.db, "2026-11-29T00:00:00Z")
    assert status.alive and status.is_open, "it was off, and came back"
    policy.evaluate(estate.db, estate.settings, "2026-11-29T00:00:00Z")
    assert estate.db.value(REACTIVATED) == 1
    (one,) = estate.restore(one)
    assert one.state == "reverted" and "deny-d!deny" not in estate.toy.objects


def test_what_was_deleted_and_is_listed_again_is_alive(estate: Estate) -> None:
    (one,) = estate.verify(*estate.apply(planned(estate, "anew-d")))
    assert not one.in_export
    estate.bring_in("2026-11-26T09:00:00Z")
    (status,) = remediation.status(estate.db, "2026-11-27T00:00:00Z")
    assert status.proof and status.alive is None
    estate.toy.account("anew-d")
    estate.bring_in("2026-11-27T09:00:00Z")
    (status,) = remediation.status(estate.db, "2026-11-28T00:00:00Z")
    assert status.alive and status.is_open
    policy.evaluate(estate.db, estate.settings, "2026-11-29T00:00:00Z")
    assert estate.db.value(REACTIVATED) == 1


def test_an_account_that_is_gone_is_denied_nothing(estate: Estate) -> None:
    one = planned(estate, "deny-d")
    del estate.toy.objects["deny-d"]
    (one,) = estate.apply(one)
    assert one.state == "object_gone" and not estate.toy.writes


def test_a_question_that_fails_says_nothing_against_what_was_verified(
    estate: Estate, revoked: Remedy
) -> None:
    (one,) = estate.verify(*estate.apply(revoked))
    estate.toy.calls.clear()
    estate.toy.faults = {0: "500"}
    (told,) = estate.verify(one)
    assert told.verdict == "unknown" and "it stays verified" in told.said
    (one,) = remediation.remedies(estate.db)
    assert (one.state, one.verdict) == ("verified", "refused")


def test_what_was_made_anew_is_not_made_twice(estate: Estate) -> None:
    """Its answer was lost, and it has another number than the one before it."""
    (one,) = estate.apply(planned(estate, "anew-d"))
    estate.toy.objects.pop("anew-d", None)
    estate.toy.calls.clear()
    estate.toy.writes.clear()
    with estate.db.atomic():  # the state had a number, as the new one will have another
        estate.db.execute("DROP TRIGGER saved_state_is_final")
        estate.db.execute("UPDATE saved_state SET state = json_set(state, '$.number', 0)")
    estate.toy.faults = {1: "late", 2: "nothing"}
    (one,) = estate.restore(one)
    assert one.state == "applied" and "not put back" in one.said
    (one,) = estate.restore(one)
    assert one.state == "reverted" and "number" in one.said
    assert estate.toy.writes == ["PUT anew-d"]


def test_a_platform_without_a_stop_that_can_be_undone_says_so(estate: Estate) -> None:
    estate.toy.account("burn-d")
    estate.bring_in("2026-11-23T09:00:00Z")
    at = estate.opened()
    estate.decide(at, "burn-d", "revoke")
    estate.sign_off(at)
    (one,) = remediation.plan(estate.db, estate.clock())
    assert one.state == "not_supported" and "--destroy" in one.said and one.act is None
    (burn,) = remediation.plan(estate.db, estate.clock(), destroy=True)
    remediation.refuse_early(estate.db, burn, estate.settings, estate.clock())
    (burn,) = estate.apply(burn, destroy=True)
    with pytest.raises(NotReversible):
        estate.restore(burn)


def test_what_was_only_to_be_disabled_is_never_destroyed(estate: Estate) -> None:
    at = estate.opened()
    estate.decide(at, "svc-a", "disable")
    estate.sign_off(at)
    estate.verify(*estate.apply(*remediation.plan(estate.db, estate.clock())))
    assert not remediation.plan(estate.db, estate.clock(), destroy=True)


def test_a_stop_waits_for_no_second_person_and_the_end_of_a_secret_does(estate: Estate) -> None:
    one = planned(estate, "svc-d", second=(SECOND,), second_when="all")
    (one,) = estate.verify(*estate.apply(one))
    assert one.state == "verified", "it can be undone"
    (burn,) = remediation.plan(estate.db, estate.clock(), destroy=True)
    late = "2027-01-01T00:00:00Z"
    with pytest.raises(UsageError, match="second person"):
        remediation.refuse_early(estate.db, burn, estate.settings, late)
    at = campaigns.campaign(estate.db, "Autumn")
    item = estate.db.value("SELECT id FROM item WHERE uri = ? AND campaign_id = ?",
                           (burn.uri, at.id))  # fmt: skip
    second = key(SECOND, 3)
    words = SecondDraft("concur", None, "yes", Attention(DECIDED, DECIDED, True))
    campaigns.save_seconds(estate.db, [item], words, DECIDED, SECOND)
    batch = campaigns.prepare(estate.db, at.id, SECOND)
    campaigns.sign_off(estate.db, batch, second, DECIDED)
    remediation.refuse_early(estate.db, burn, estate.settings, late)


def test_what_its_own_stop_changed_holds_up_no_destruction(estate: Estate) -> None:
    one = planned(estate, "svc-d")
    estate.verify(*estate.apply(one))
    estate.bring_in("2026-11-26T09:00:00Z")
    (burn,) = remediation.plan(estate.db, estate.clock(), destroy=True)
    assert remediation.stale(estate.db, [one]) == {one.name: ["status"]}
    assert not remediation.stale(estate.db, [burn])
    estate.toy.objects |= {"svc-d/k9": {"enabled": True, "created": "2026-11-20T00:00:00Z"}}
    estate.bring_in("2026-11-27T09:00:00Z")
    assert not remediation.stale(estate.db, [burn]), "it is stopped, whatever keys it has"


def test_where_no_stop_goes_before_it_every_change_is_told(estate: Estate) -> None:
    burn = planned(estate, "burn-d")
    estate.toy.objects["burn-d"]["enabled"] = False
    estate.bring_in("2026-11-26T09:00:00Z")
    assert remediation.stale(estate.db, [burn]) == {burn.name: ["status"]}


def test_a_stop_that_was_interrupted_begins_its_window_anew(estate: Estate) -> None:
    (one,) = estate.verify(*estate.apply(planned(estate, "svc-d")))
    (one,) = estate.restore(one)
    (one,) = estate.verify(*estate.apply(one))
    (burn,) = remediation.plan(estate.db, estate.clock(), destroy=True)
    rows = remediation.results(estate.db, one.name)
    again = [row["at"] for row in rows if row["state"] == "verified"][-1]
    days = config.Settings().watch_days
    edge = again.replace("2026-11-25", f"2026-12-{25 + days - 30:02}")
    remediation.refuse_early(estate.db, burn, estate.settings, edge)
    with pytest.raises(UsageError, match=r"in 1 h"):
        early = edge[:14] + f"{int(edge[14:16]) - 1:02}" + edge[16:]
        remediation.refuse_early(estate.db, burn, estate.settings, early)


def test_the_window_begins_with_the_first_verification_and_not_the_last(estate: Estate) -> None:
    (one,) = estate.verify(*estate.apply(planned(estate, "svc-d")))
    first = one.state_at
    estate.ticks += 24 * 60 - 10 - estate.ticks
    estate.verify(one)
    (burn,) = remediation.plan(estate.db, estate.clock(), destroy=True)
    edge = first.replace("2026-11-25", "2026-12-09")
    remediation.refuse_early(estate.db, burn, estate.settings, edge)


class Echo:
    """A platform that repeats what it is asked."""

    def __init__(self, live: Live) -> None:
        self.live = live

    def __getattr__(self, name: str) -> object:
        return getattr(self.live, name)

    def refused(self, _: object, secret: str | None = None) -> tuple[str, str]:
        return "refused", f"the password {secret} is wrong"


@pytest.mark.parametrize("secret", ["pass word 1", "ghp_0123456789abcdefghijklmnopqrstuvwxyzAB"])
def test_a_secret_that_the_platform_repeats_is_not_kept(
    estate: Estate, revoked: Remedy, secret: str
) -> None:
    estate.apply(revoked)
    live: Any = Echo(estate.live)  # type: ignore[arg-type]
    one = remediation.verify(estate.db, revoked, live, estate.clock, secret=secret)
    assert one.verdict == "refused" and "looked like a secret" in one.said
    assert secret not in str(remediation.results(estate.db, one.name))


def test_two_runs_do_not_meet(estate: Estate, revoked: Remedy) -> None:
    with alone(estate.db.path.parent, "remediate", "at it"), pytest.raises(Conflict):  # noqa: SIM117
        with remediation.connected(estate.db, [revoked], estate.connect):
            raise AssertionError
    with remediation.connected(estate.db, [revoked], estate.connect) as live:
        assert live(revoked).read(revoked.act)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["credential"])
def test_a_campaign_over_credentials_stops_the_credential(estate: Estate, kind: str) -> None:
    at = estate.opened(of=kind)
    item = estate.db.value(
        "SELECT i.id FROM item i JOIN credential c ON c.id = i.subject_id"
        " WHERE c.uid = 'svc-a-k1' AND i.campaign_id = ?", (at.id,),
    )  # fmt: skip
    from tests.scene import draft

    campaigns.save_draft(estate.db, item, draft("revoke", "old"), DECIDED)
    estate.sign_off(at)
    (one,) = remediation.plan(estate.db, estate.clock())
    assert one.part is None and one.item_kind == "credential"
    estate.apply(one)
    assert estate.toy.writes == ["PUT svc-a/svc-a-k1"]
    estate.bring_in("2026-11-28T00:00:00Z")
    (status,) = remediation.status(estate.db, "2026-11-29T00:00:00Z")
    assert status.proof and status.proof.words == "it is disabled"
    assert json.loads(json.dumps(one.basis)) == one.basis and one.source == SOURCE and REV
