"""What each rule hits, and what it must leave alone.

Every test builds a small estate of its own; the near misses beside each hit are the claim.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from passmuster import policy
from passmuster.config import Settings
from passmuster.errors import UsageError
from passmuster.model import SEVERITIES
from passmuster.policy._rulebook import NEEDS, catalogue

if TYPE_CHECKING:
    from tests.policy.conftest import Estate

RULES = policy.load_rules()
OLD, NEW = "2024-02-01T00:00:00Z", "2026-11-15T00:00:00Z"


def test_every_rule_of_the_catalogue_has_a_file_and_the_other_way_round() -> None:
    assert {r["id"]: r["title"] for r in catalogue()["rule"]} == {
        r.id: r.title for r in RULES.values()
    }


def test_every_mapped_control_exists() -> None:
    for rule in RULES.values():
        served = policy.controls(rule)
        assert len(served) == len(rule.controls) > 0
        assert all(c["title"] and c["fit"] in ("direct", "partial", "indirect") for c in served)


def test_defaults_in_the_files_are_those_of_the_catalogue() -> None:
    for entry in catalogue()["rule"]:
        assert RULES[entry["id"]].params == entry.get("default", {}), entry["id"]


def test_every_number_has_a_source() -> None:
    for rule in RULES.values():
        assert set(rule.sources) == set(rule.params)
        assert all(rule.sources.values())
        assert set(re.findall(r"(?<!:):([a-z_]+)\b", _code(rule.sql))) <= {"now", *rule.params}


def _code(sql: str) -> str:
    return re.sub(r"'[^']*'|--[^\n]*", "", sql)


def test_only_an_exposed_secret_and_a_broken_decision_are_critical() -> None:
    critical = {r.id for r in RULES.values() if r.severity == "critical"}
    assert critical == {"secret-exposed", "reactivated"}
    assert all(r.severity in SEVERITIES for r in RULES.values())


def test_thresholds_say_who_states_them() -> None:
    assert all(t["stated_by"] and t["value"] >= 0 for t in policy.thresholds())


def test_a_rule_without_its_facts_is_not_evaluated_and_never_zero(estate: Estate) -> None:
    estate.db.execute("DELETE FROM import_run")
    estate.run(["usage"])
    runs = estate.evaluate()
    assert runs["unused"].hits == 0
    for rule in RULES.values():
        if rule.needs != ("usage",):
            assert runs[rule.id].hits is None
            assert runs[rule.id].not_evaluated
    assert runs["no-owner"].not_evaluated == NEEDS["owner"]
    assert policy.not_evaluated(estate.db) == {
        r.rule: r.not_evaluated for r in runs.values() if r.not_evaluated
    }
    stored = dict(estate.db.execute("SELECT rule, not_evaluated FROM rule_run WHERE hits IS NULL"))
    assert stored == policy.not_evaluated(estate.db)


@pytest.mark.parametrize(
    ("rules", "hint"),
    [
        ({"unusd": {"max_days": 1}}, "did you mean unused?"),
        ({"unused": {"max_day": 1}}, "did you mean max_days?"),
        ({"privileged": {"max_days": 1}}, "it has none"),
    ],
)
def test_a_threshold_of_nothing_is_refused(
    estate: Estate, rules: dict[str, dict[str, int]], hint: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(hint)):
        policy.evaluate(estate.db, Settings(rules=rules), NEW)
    assert estate.db.value("SELECT count(*) FROM rule_run") == 0


_REST = "-- subject: identity\n-- why: x\n-- fix: x\n"


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ("-- titel: x\n", "did you mean title?"),
        ("-- title: x\n", "no `-- severity:`"),
        (f"-- title: x\n-- severity: hihg\n{_REST}", "did you mean high?"),
        (f"-- title: x\n-- severity: high\n-- params: max_days\n{_REST}", "params are written"),
        (f"-- title: x\n-- severity: high\n-- needs: usages\n{_REST}", "did you mean usage?"),
    ],
)
def test_a_wrong_header_says_what_is_wrong(header: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(complaint)):
        policy.parse(header.encode(), "mine")


def test_no_rule_judges_groups_the_absent_the_disabled_or_the_platforms_own(estate: Estate) -> None:
    """Every one of these would be hit by half the rules if it were an ordinary identity."""
    bad = {"last_used_state": "never", "created_at": OLD, "is_privileged": 1, "supplier": "acme",
           "created_by": "automation:terraform"}  # fmt: skip
    for values in (
        {"kind": "group"},
        {"absent_since": OLD},
        {"status": "disabled"},
        {"status": "deleted"},
        {"kind": "role", "uid": "arn:aws:iam::1:role/aws-service-role/ecs.amazonaws.com/X"},
        {"display_name": "system:kube-scheduler"},
    ):
        subject = estate.identity("x", **{"uid": str(values), **bad, **values})
        estate.row("credential", identity_id=subject, expires_state="none", created_at=OLD)
        estate.row("trust", identity_id=subject, is_wildcard=1)
        for consumer in ("a", "b"):
            estate.row("usage", identity_id=subject, consumer=consumer)
        estate.row("usage", identity_id=subject, consumer_kind="person")
        estate.row("sighting", identity_id=subject)
    estate.evaluate()
    assert estate.db.execute("SELECT rule, detail FROM finding").fetchall() == []
    pod = estate.identity("system:serviceaccount:ns:app", last_used_state="never", created_at=OLD)
    assert set(estate.hits("unused")) == {pod}


def test_no_owner(estate: Estate) -> None:
    nobody = estate.identity("nobody")
    unmatched = estate.identity("unmatched")
    estate.row("owner", identity_id=unmatched, handle="j.doe")
    gone = estate.identity("gone")
    estate.row("owner", identity_id=gone, person_uid="p", absent_since=OLD)
    by_person, by_team = estate.identity("by-person"), estate.identity("by-team")
    estate.row("owner", identity_id=by_person, person_uid="p")
    estate.row("owner", identity_id=by_team, team_uid="t", role="technical")
    estate.identity("human", kind="human")
    estate.identity("laptop", kind="system", nhi_detail="ad.computer")
    assert estate.hits("no-owner") == {
        nobody: "no source names an owner",
        unmatched: "named but not matched to a person or team: j.doe",
        gone: "no source names an owner",
    }


def test_auto_created_no_owner(estate: Estate) -> None:
    made = {"created_by": "automation:terraform", "created_at": OLD}
    hit = estate.identity("hit", **made)
    undated = estate.identity("undated", **{**made, "created_at": None})
    fresh = estate.identity("fresh", **{**made, "created_at": "2026-11-20T00:00:00Z"})
    owned = estate.identity("owned", **made)
    estate.row("owner", identity_id=owned, team_uid="t")
    estate.identity("by-hand", **{**made, "created_by": "arn:aws:iam::1:user/automation:x"})
    assert estate.hits("auto-created-no-owner") == {
        hit: "created by terraform on 2024-02-01, no owner",
        undated: "created by terraform, no owner",
    }
    assert set(estate.hits("auto-created-no-owner", grace_days=1)) == {hit, undated, fresh}


def test_owner_departed(estate: Estate) -> None:
    estate.row("person", uid="left", display_name="Lee", active=0, left_at="2026-01-05T00:00:00Z")
    estate.row("person", uid="off", display_name="Olu", active=0)
    estate.row("person", uid="dropped", display_name="Dee", absent_since="2026-10-01T00:00:00Z")
    estate.row("person", uid="just", display_name="Jo", active=0, left_at="2026-11-21T12:00:00Z")
    estate.row("person", uid="soon", display_name="Su", active=1, left_at="2027-01-01T00:00:00Z")
    estate.row("person", uid="here", display_name="Hu")
    # two registers: one of them still has the person
    estate.row("source", uid="register:hr", platform="register", tenant_uid="hr")
    estate.row("person", uid="both", display_name="Bo", active=0, left_at=OLD)
    estate.row("person", uid="both", display_name="Bo", source_id=2)

    def owned(name: str, *owners: dict[str, str | None]) -> int:
        subject = estate.identity(name)
        for owner in owners:
            estate.row("owner", identity_id=subject, **owner)
        return subject

    expected = {
        owned("a", {"person_uid": "left"}): "owner Lee left on 2026-01-05",
        owned("b", {"person_uid": "off"}): "owner Olu is no longer active",
        owned("c", {"person_uid": "dropped"}): "owner Dee left on 2026-10-01",
        owned("d", {"person_uid": "left"}, {"handle": "x"}): "owner Lee left on 2026-01-05",
    }
    owned("e", {"person_uid": "left"}, {"person_uid": "here"})
    owned("f", {"person_uid": "left"}, {"team_uid": "t"})
    just = owned("g", {"person_uid": "just"})
    owned("h", {"person_uid": "soon"})
    owned("i", {"person_uid": "both"})
    owned("j", {"person_uid": "left", "absent_since": OLD})
    owned("k", {"handle": "never-matched"})
    own = estate.identity("own account", kind="human", person_uid="left")
    expected[own] = "its person Lee left on 2026-01-05"
    estate.identity("own account of Hu", kind="human", person_uid="here")
    assert estate.hits("owner-departed") == expected
    assert set(estate.hits("owner-departed", grace_days=0)) == {*expected, just}


def test_unused(estate: Estate) -> None:
    used = {"last_used_state": "known", "last_used_source": "credential report"}
    old = estate.identity("old", last_used_at="2025-10-08T00:00:00Z", **used)
    never = estate.identity("never", last_used_state="never", created_at=OLD)
    person = estate.identity("p", kind="human", last_used_at="2025-10-08T00:00:00Z", **used)
    recent = estate.identity("recent", last_used_at="2026-09-20T00:00:00Z", **used)
    estate.identity("young", last_used_state="never", created_at=NEW)
    estate.identity("root", kind="system", nhi_detail="aws.root", last_used_at=OLD, **used)
    estate.identity("never, no one knows since when", last_used_state="never")
    estate.identity("unknown", created_at=OLD)
    estate.identity("not tracked", last_used_state="not_tracked", created_at=OLD)
    by_key = estate.identity("its key lives", last_used_at=OLD, **used)
    estate.row("credential", identity_id=by_key, last_used_at=NEW)
    by_use = estate.identity("seen in use", last_used_at=OLD, **used)
    estate.row("usage", identity_id=by_use, last_at=NEW)
    estate.row("source", uid="aws:2", platform="aws", tenant_uid="2")
    dark = estate.identity("dark", source_id=2, last_used_at="2025-10-08T00:00:00Z", **used)
    reach = "; telemetry reaches back to 2025-08-01"
    assert estate.hits("unused") == {
        old: f"last used 2025-10-08 (credential report){reach}",
        person: f"last used 2025-10-08 (credential report){reach}",
        never: f"never used, created 2024-02-01{reach}",
        dark: "last used 2025-10-08 (credential report); "
              "how far the telemetry reaches back is not known",
    }  # fmt: skip
    assert set(estate.hits("unused", max_days=45)) == {old, person, never, dark, recent}


def test_credential_old(estate: Estate) -> None:
    robot, ann = estate.identity("robot"), estate.identity("ann", kind="human")

    def credential(identity: int = robot, **values: str | None) -> int:
        return estate.row("credential", identity_id=identity, **{"created_at": OLD, **values})

    plain = credential(display_name="key", hint="Q7")
    rotated = credential(last_rotated_at="2026-01-02T00:00:00Z", last_used_state="never")
    of_ann = credential(ann, last_used_state="known", last_used_at=NEW)
    password = credential(credential_detail="aws.console_password")
    credential(last_rotated_at=NEW)
    month = credential(created_at="2026-10-01T00:00:00Z")
    credential(created_at=None)
    credential(status="disabled")
    credential(absent_since=OLD)
    credential(credential_type="certificate")
    credential(credential_type="federated")
    credential(ann, credential_detail="aws.console_password")
    credential(credential_detail="ad.managed_password")
    credential(estate.identity("off", status="disabled"))
    estate.row("credential", created_at=OLD)  # of nobody known
    assert estate.hits("credential-old") == {
        plain: "key …Q7, created 2024-02-01, not rotated since",
        rotated: "aws.access_key, last rotated 2026-01-02; never used",
        of_ann: "aws.access_key, created 2024-02-01, not rotated since; last used 2026-11-15",
        password: "aws.console_password, created 2024-02-01, not rotated since",
    }
    assert set(estate.hits("credential-old", max_days=30)) == {
        plain, rotated, of_ann, password, month,
    }  # fmt: skip


def test_never_expires(estate: Estate) -> None:
    robot, ann = estate.identity("robot"), estate.identity("ann", kind="human")
    hit = estate.row("credential", identity_id=robot, expires_state="none", created_at=OLD)
    undated = estate.row(
        "credential", identity_id=ann, expires_state="none", credential_type="certificate"
    )
    for values in (
        {"expires_state": "unknown"}, {"expires_state": "set", "expires_at": NEW},
        {"status": "disabled"}, {"absent_since": OLD}, {"credential_type": "federated"},
        {"credential_detail": "ad.managed_password"},
    ):  # fmt: skip
        estate.row("credential", identity_id=robot, **{"expires_state": "none", **values})
    estate.row(
        "credential", identity_id=ann, expires_state="none", credential_detail="ad.password"
    )
    assert estate.hits("never-expires") == {
        hit: "aws.access_key has no expiry, created 2024-02-01",
        undated: "aws.access_key has no expiry",
    }


def test_privileged(estate: Estate) -> None:
    hit = estate.identity("hit", is_privileged=1, privilege_reason="Administrators")
    human = estate.identity("human", kind="human", is_privileged=1)
    estate.identity("plain")
    assert estate.hits("privileged") == {hit: "Administrators", human: "the source says so"}


def test_admin_wildcard(estate: Estate) -> None:
    admin = estate.row(
        "entitlement", display_name="Admin", permission_level="admin",
        level_reason="Allow * on *", scope="account",
    )  # fmt: skip
    reader = estate.row("entitlement", display_name="Reader")
    ownership = estate.row("entitlement", permission_level="owner", purpose="ownership")
    lapsed = estate.row("entitlement", permission_level="admin", absent_since=OLD)
    inner = estate.identity("inner group", kind="group")
    outer = estate.identity("outer group", kind="group")
    in_inner = estate.row("entitlement", purpose="assignment", resource_id=inner)
    in_outer = estate.row("entitlement", purpose="assignment", resource_id=outer)

    def holder(name: str, entitlement: int, **values: str) -> int:
        subject = estate.identity(name)
        estate.row("grant", identity_id=subject, entitlement_id=entitlement, **values)
        return subject

    estate.row("grant", identity_id=outer, entitlement_id=admin)
    estate.row("grant", identity_id=inner, entitlement_id=in_outer)
    estate.row("grant", identity_id=outer, entitlement_id=in_inner)  # a circle must end
    direct = holder("direct", admin)
    nested = holder("nested", in_inner)
    holder("reader", reader)
    holder("owns a thing", ownership)
    holder("lapsed", lapsed)
    holder("taken away", admin, absent_since=OLD)
    estate.row("grant", entitlement_id=admin)  # dangling
    why = "Admin: Allow * on * in account"
    assert estate.hits("admin-wildcard") == {direct: why, nested: why}


def test_third_party_unreviewed(estate: Estate) -> None:
    reviewed = {"reviewed_at": NEW}
    year_ago = "2025-11-30T00:00:00Z"
    suppliers: list[dict[str, object]] = [
        {"uid": "good", "tenant_uids": '["100000000001", "idp.good.example"]', **reviewed},
        {"uid": "stale", "display_name": "Stale", "tenant_uids": '["100000000002"]',
         "reviewed_at": "2024-01-01T00:00:00Z"},
        {"uid": "never", "display_name": "Never", "tenant_uids": '["100000000003"]'},
        {"uid": "ended", "display_name": "Ended", "contract_ends_at": OLD, **reviewed},
        {"uid": "off", "display_name": "Off", "active": 0, **reviewed},
        {"uid": "due", "display_name": "Due", "reviewed_at": year_ago},
    ]  # fmt: skip
    for values in suppliers:
        estate.row("supplier", **values)

    def trusting(account: str, **values: object) -> int:
        subject = estate.identity(f"role {account} {values}", kind="role")
        uid = account if ":" in account else f"arn:aws:iam::{account}:root"
        estate.row("trust", identity_id=subject, from_uid=uid, **values)
        return subject

    def held(supplier: str) -> int:
        return estate.identity(f"held by {supplier}", supplier=supplier)

    def arn(account: str) -> str:
        return f"arn:aws:iam::{account}:root"

    expected = {
        trusting("100000000002"): f"{arn('100000000002')} of Stale: last reviewed 2024-01-01",
        trusting("100000000003"): f"{arn('100000000003')} of Never: never reviewed",
        trusting("999999999999"): f"{arn('999999999999')}: no supplier on record",
        trusting("999999999998", supplier="Ghost"):
            f"{arn('999999999998')} of Ghost: not in the supplier register",
        held("ended"): "held by Ended: contract ended 2024-02-01",
        held("OFF"): "held by Off: is no longer a supplier",
        held("who"): "held by who: not in the supplier register",
    }  # fmt: skip
    two = trusting("100000000003")
    estate.row("trust", identity_id=two, from_uid=arn("999999999999"))
    expected[two] = f"{arn('100000000003')} of Never: never reviewed; 1 more"
    trusting("100000000001")
    trusting("https://idp.good.example/realm")
    not_theirs = trusting("https://not-idp.good.example")
    expected[not_theirs] = "https://not-idp.good.example: no supplier on record"
    trusting("999999999999", is_external=0)
    trusting("999999999999", absent_since=OLD)
    held("good")
    due = held("due")
    assert estate.hits("third-party-unreviewed") == expected
    assert set(estate.hits("third-party-unreviewed", max_days=300)) == {*expected, due}


def test_shared_reused(estate: Estate) -> None:
    def used(name: str, *consumers: str, **values: str) -> int:
        subject = estate.identity(name, **values)
        for n, consumer in enumerate(consumers):
            kind = "host" if n % 2 else "workload"
            estate.row("usage", identity_id=subject, consumer=consumer, consumer_kind=kind)
        return subject

    two = used("two", "api", "batch")
    five = used("five", "e", "d", "c", "b", "a")
    used("one", "api")
    used("the same one twice", "api", "api")
    used("a human at two hosts", "a", "b", kind="human")
    past = used("past", "a")
    estate.row("usage", identity_id=past, consumer="b", absent_since=OLD)
    person = used("with a person", "a")
    estate.row("usage", identity_id=person, consumer="Ann", consumer_kind="person")
    assert estate.hits("shared-reused") == {
        two: "used by 2: api, batch", five: "used by 5: a, b, c …",
    }  # fmt: skip
    assert set(estate.hits("shared-reused", max_consumers=2)) == {five}


def test_human_use(estate: Estate) -> None:
    seen = {"consumer_kind": "person", "consumer": "console sign-in"}
    expected = {}
    for kind in ("service", "system", "workload", "app", "agent", "role", "human"):
        subject = estate.identity(kind, kind=kind)
        estate.row("usage", identity_id=subject, last_at=NEW, how="password", **seen)
        if kind not in ("role", "human"):
            expected[subject] = "console sign-in by password, last on 2026-11-15"
    machine = estate.identity("machine")
    estate.row("usage", identity_id=machine, consumer_kind="host")
    past = estate.identity("past")
    estate.row("usage", identity_id=past, absent_since=OLD, **seen)
    assert estate.hits("human-use") == expected


def test_secret_exposed(estate: Estate) -> None:
    def seen(name: str, **values: str | None) -> int:
        subject = estate.identity(name)
        estate.row("sighting", identity_id=subject, **{"seen_at": "2026-06-01T00:00:00Z", **values})
        return subject

    def with_key(name: str, **values: str | None) -> int:
        subject = seen(name, credential_uid=f"AKIA-{name}")
        estate.row("credential", identity_id=subject, uid=f"AKIA-{name}", **values)
        return subject

    expected = {
        seen("leak"): "leaked: github.com/x on 2026-06-01",
        seen("plain", what="plain_text", place="Jenkins job", seen_at=None):
            "in plain text: Jenkins job",
        seen("misuse", what="misuse", place="host x"): "misused: host x on 2026-06-01",
        with_key("still good", created_at=OLD): "leaked: github.com/x on 2026-06-01",
        seen("of a key nobody knows", credential_uid="AKIA0"):
            "leaked: github.com/x on 2026-06-01",
    }  # fmt: skip
    with_key("switched off", status="disabled")
    with_key("deleted", absent_since=NEW)
    with_key("rotated since", created_at=OLD, last_rotated_at=NEW)
    seen("withdrawn", absent_since=NEW)
    assert estate.hits("secret-exposed") == expected


def test_cross_environment(estate: Estate) -> None:
    for uid, tier in (("live", "prod"), ("staging", "nonprod"), ("lab", "dev")):
        estate.row("environment", uid=uid, tier=tier)
    prod_right = estate.row("entitlement", display_name="deploy", environment="live")
    lab_right = estate.row("entitlement", display_name="test", environment="lab")

    def reach(name: str, *, home: str | None = None, used: str = "", rights: tuple[int, ...] = (),
              kind: str = "service") -> int:  # fmt: skip
        subject = estate.identity(name, environment=home, kind=kind)
        for place in used.split():
            estate.row("usage", identity_id=subject, environment=place)
        for right in rights:
            estate.row("grant", identity_id=subject, entitlement_id=right)
        return subject

    expected = {
        reach("home and use", home="live", used="staging"): "lives in live; used from staging",
        reach("two rights", rights=(prod_right, lab_right)): "deploy in live; test in lab",
        reach("use and right", used="LIVE", rights=(lab_right,)): "used from LIVE; test in lab",
        reach("home lab", home="lab", rights=(prod_right,)): "deploy in live; lives in lab",
        reach("by the tier's name", used="prod dev"): "used from prod; used from dev",
    }
    reach("all prod", home="live", used="live", rights=(prod_right,))
    reach("two test ones", home="lab", used="staging")
    reach("unregistered", home="live", used="blue")
    reach("a human", home="live", used="lab", kind="human")
    past = reach("past", home="live")
    estate.row("usage", identity_id=past, environment="lab", absent_since=OLD)
    assert estate.hits("cross-environment") == expected


def test_reactivated(estate: Estate) -> None:
    june, july = "2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z"
    early = estate.run(imported_at=NEW, exported_at="2026-05-01T00:00:00Z")

    def decided(name: str, *verdicts: str, **values: object) -> int:
        subject = estate.identity(name, **values)
        for n, verdict in enumerate(verdicts):
            estate.decide(verdict, subject, subject, at=(june, july)[n])
        return subject

    told = "by a decision of 2026-06-01, still active in the export of 2026-11-20"
    expected = {
        decided("revoked", "revoke"): f"revoked {told}",
        decided("disabled", "disable"): f"disabled {told}",
        decided("then abstained", "revoke", "abstain"): f"revoked {told}",
        decided("twice", "approve", "revoke"): f"revoked {told.replace('06-01', '07-01')}",
    }
    decided("approved", "approve")
    decided("superseded", "revoke", "approve")
    decided("carried out", "revoke", status="disabled")
    decided("gone", "revoke", absent_since=NEW)
    decided("not looked at since", "revoke", last_seen_run=early)
    owner = estate.identity("its key")
    key = estate.row("credential", identity_id=owner, uid="AKIA1")
    estate.decide("revoke", key, owner, at=june, of="credential")
    expected[owner] = f"credential AKIA1: revoked {told}"
    stopped = estate.identity("its dead key")
    key = estate.row("credential", identity_id=stopped, status="disabled")
    estate.decide("revoke", key, stopped, at=june, of="credential")
    holder = estate.identity("its grant")
    grant = estate.row("grant", identity_id=holder, entitlement_uid="Admin")
    estate.decide("revoke", grant, holder, at=june, of="grant")
    expected[holder] = f"grant Admin: revoked {told}"
    truster = estate.identity("its trust")
    trust = estate.row("trust", identity_id=truster, from_uid="acme")
    estate.decide("disable", trust, truster, at=june, of="trust")
    expected[truster] = f"trust in acme: disabled {told}"
    assert estate.hits("reactivated") == expected


def test_weak_auth(estate: Estate) -> None:
    def password(name: str, mfa: int | None, **values: str) -> int:
        subject = estate.identity(name, kind="human", has_mfa=mfa)
        given = {"credential_detail": "aws.console_password", **values}
        estate.row("credential", identity_id=subject, **given)
        return subject

    def flagged(name: str, *flags: str) -> int:
        words = ", ".join(f'"{flag}"' for flag in flags)
        return estate.identity(name, attributes=f'{{"ad.ldif": {{"flags": [{words}]}}}}')

    expected = {
        password("no mfa", 0): "password sign-in without a second factor",
        flagged("roastable", "no Kerberos pre-authentication"): "no Kerberos pre-authentication",
        flagged("two", "password not required", "DES keys only", "password never expires"):
            "DES keys only; 1 more",
    }  # fmt: skip
    anyone = estate.identity("anyone", kind="role")
    estate.row(
        "trust", identity_id=anyone, from_uid="token.example", is_wildcard=1,
        subject_pattern="repo:*",
    )  # fmt: skip
    expected[anyone] = "anybody at token.example may become it: repo:*"
    static = estate.identity("static")
    estate.row("credential", identity_id=static)
    estate.row("usage", identity_id=static, consumer="ci")
    expected[static] = "static key in the workload ci, where a role needs none"

    password("mfa", 1)
    password("not said", None)
    password("no password", 0, credential_detail="aws.access_key")
    password("password off", 0, status="disabled")
    flagged("harmless flag", "password never expires")
    estate.identity("not a list", attributes='{"ad.ldif": {"flags": null}}')
    bound = estate.identity("bound", kind="role")
    estate.row("trust", identity_id=bound)
    by_host = estate.identity("at a host")
    estate.row("credential", identity_id=by_host)
    estate.row("usage", identity_id=by_host, consumer_kind="host")
    keyless = estate.identity("keyless")
    estate.row("credential", identity_id=keyless, credential_type="federated",
               credential_detail="k8s.token")  # fmt: skip
    estate.row("usage", identity_id=keyless)
    assert estate.hits("weak-auth") == expected


def test_not_reviewed(estate: Estate) -> None:
    def reviewed(name: str, verdict: str, at: str, **values: str) -> int:
        subject = estate.identity(name, **{"created_at": OLD, **values})
        estate.decide(verdict, subject, subject, at=at)
        return subject

    long_ago = "2026-05-14T00:00:00Z"
    expected = {
        reviewed("long ago", "approve", long_ago): "last reviewed 2026-05-14",
        reviewed("abstained", "abstain", NEW): "never reviewed",
        estate.identity("never", created_at=OLD): "never reviewed",
        estate.identity("undated"): "never reviewed",
        estate.identity("human", kind="human", created_at=OLD): "never reviewed",
    }
    recently = reviewed("recently", "revoke", "2026-10-10T00:00:00Z")
    estate.identity("younger than the period", created_at=NEW)
    estate.identity("laptop", kind="system", nhi_detail="ad.computer", created_at=OLD)
    part = estate.identity("only its key", created_at=OLD)
    key = estate.row("credential", identity_id=part)
    estate.decide("approve", key, part, at=NEW, of="credential")
    expected[part] = "never reviewed"
    assert estate.hits("not-reviewed") == expected
    assert set(estate.hits("not-reviewed", max_days=30)) == {*expected, recently}


def test_ai_agent_unsupervised(estate: Estate) -> None:
    full = {"kind": "agent", "purpose": "triage", "acts_for": "support"}

    def agent(name: str, owner: str | None, **values: str | None) -> int:
        subject = estate.identity(name, **{**full, **values})
        estate.row("owner", identity_id=subject, handle="x", team_uid=owner, role="sponsor")
        return subject

    expected = {
        agent("unmatched owner", None): "not recorded: owner",
        agent("no purpose", "t", purpose=""): "not recorded: purpose",
        agent("for nobody", "t", acts_for=None): "not recorded: for whom it acts",
        agent("no switch", "t", status="unknown"): "not recorded: whether it is switched on",
        agent("nothing", None, purpose=None, acts_for=None, status="unknown"):
            "not recorded: owner, purpose, for whom it acts, whether it is switched on",
    }  # fmt: skip
    agent("well kept", "t")
    estate.identity("a service without anything")
    assert estate.hits("ai-agent-unsupervised") == expected

