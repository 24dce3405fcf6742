"""What each rule hits, and what it must leave alone: owners, use, credentials, rights.

Every test builds a small estate of its own; the near misses beside each hit are the claim.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.policy.conftest import Estate

OLD, NEW = "2024-02-01T00:00:00Z", "2026-11-15T00:00:00Z"


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
    named = credential(display_name="access key …Q8", hint="Q8")
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
        named: "access key …Q8, created 2024-02-01, not rotated since",
        rotated: "aws.access_key, last rotated 2026-01-02; never used",
        of_ann: "aws.access_key, created 2024-02-01, not rotated since; last used 2026-11-15",
        password: "aws.console_password, created 2024-02-01, not rotated since",
    }
    assert set(estate.hits("credential-old", max_days=30)) == {
        plain, named, rotated, of_ann, password, month,
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
    estate.row("credential", identity_id=ann, expires_state="none", credential_detail="ad.password")
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
