"""AWS: counts of real exports against their README, the rules of judgement, and plans."""

import base64
import io
import json
import shlex
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from passmuster.connectors import Context, named, plan, read, recognise
from passmuster.connectors.aws._policies import judge, judge_name
from passmuster.errors import ImportRefused
from passmuster.model import (
    Credential,
    Entitlement,
    Grant,
    Identity,
    Owner,
    Problem,
    Record,
    Source,
    Trust,
    Usage,
)  # fmt: skip

REAL = Path(__file__).parents[3] / "shared" / "realdata" / "aws"
REPORT = "aws.credential_report.csv"
DETAILS = "aws.authorization_details.json"
ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"
COLUMNS = (
    "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,"
    "password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,"
    "access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,"
    "access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,"
    "access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,"
    "cert_1_last_rotated,cert_2_active,cert_2_last_rotated"
)


def parsed(data: bytes, name: str) -> list[Record]:
    assert recognise(data[:65_536], "file").name == name
    return list(read(named(name), io.BytesIO(data), Context()))


def of(records: list[Record], kind: type[Any]) -> list[Any]:
    return [r for r in records if type(r) is kind]


def row(user: str = "ci", **columns: str) -> str:
    values = dict.fromkeys(COLUMNS.split(","), "N/A") | {
        "user": user, "arn": f"arn:aws:iam::{ACCOUNT}:user/{user}",
        "user_creation_time": "2020-01-02T03:04:05+00:00", "password_enabled": "false",
        "mfa_active": "false", "access_key_1_active": "false", "access_key_2_active": "false",
        "cert_1_active": "false", "cert_2_active": "false",
    }  # fmt: skip
    return ",".join((values | columns).values())


def report(*rows: str) -> list[Record]:
    return parsed("\n".join([COLUMNS, *rows, ""]).encode(), REPORT)


# rows, root, console enabled, console without MFA, active keys, keys, never used, certificates
REPORTS = {
    "c7n-multi-noop": (2, 1, 0, 0, 1, 2, 1, 0),
    "c7n-multi": (1, 0, 1, 1, 2, 2, 0, 0),
    "c7n-unused": (8, 1, 1, 1, 8, 9, 4, 1),
}


@pytest.mark.parametrize("folder", REPORTS)
def test_a_recorded_report_has_the_counts_of_its_readme(folder: str) -> None:
    path = REAL / folder / "credential-report.csv"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    records = parsed(path.read_bytes(), REPORT)
    people = {i.uid: i for i in of(records, Identity)}
    keys = [c for c in of(records, Credential) if c.credential_detail == "aws.access_key"]
    console = [
        c for c in of(records, Credential)
        if c.credential_detail == "aws.console_password" and c.status == "enabled"
    ]  # fmt: skip
    active = [k for k in keys if k.status == "enabled"]
    certificates = [
        c for c in of(records, Credential)
        if c.credential_detail == "aws.signing_certificate" and c.status == "enabled"
    ]  # fmt: skip
    assert REPORTS[folder] == (
        len(people), sum(i.nhi_detail == "aws.root" for i in people.values()), len(console),
        sum(people[c.identity_uid].has_mfa == 0 for c in console), len(active), len(keys),
        sum(k.last_used_state == "never" for k in active), len(certificates),
    )  # fmt: skip
    assert not of(records, Problem)


def test_key_only_users_are_services_and_console_users_humans() -> None:
    path = REAL / "c7n-unused" / "credential-report.csv"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    kinds = Counter(i.kind for i in of(parsed(path.read_bytes(), REPORT), Identity))
    assert kinds == {"service": 6, "human": 1, "system": 1}


def test_the_three_absences_of_a_report_stay_apart() -> None:
    records = report(
        row("a", password_enabled="true", password_last_used="no_information"),
        row("b", access_key_1_active="true", access_key_1_last_rotated="2021-01-01T00:00:00+00:00"),
        row("c", access_key_1_active="true", access_key_1_last_rotated="2021-01-01T00:00:00Z",
            access_key_1_last_used_date="not_supported"),
        row("d"),
    )  # fmt: skip
    assert [c.last_used_state for c in of(records, Credential)] == [
        "unknown", "never", "not_tracked",
    ]  # fmt: skip
    assert [i.last_used_state for i in of(records, Identity)] == [
        "unknown", "never", "unknown", "unknown",
    ]  # fmt: skip


def test_the_newest_use_of_any_credential_is_the_identitys() -> None:
    records = report(row(
        password_enabled="true", password_last_used="2024-01-01T00:00:00+00:00",
        access_key_1_active="true", access_key_1_last_rotated="2020-01-01T00:00:00+00:00",
        access_key_1_last_used_date="2025-05-05T00:00:00+00:00", access_key_1_last_used_region="eu",
        access_key_1_last_used_service="s3",
    ))  # fmt: skip
    identity = of(records, Identity)[0]
    assert (identity.last_used_at, identity.last_used_state) == ("2025-05-05T00:00:00Z", "known")
    assert of(records, Credential)[0].last_used_from == "eu s3"
    assert [u.consumer_kind for u in of(records, Usage)] == ["person"]


def test_a_source_is_named_whenever_the_account_changes() -> None:
    other = row("x").replace(ACCOUNT, "999988887777")
    found = [r.tenant_uid for r in of(report(row("a"), other, row("b")), Source)]
    assert found == [ACCOUNT, "999988887777", ACCOUNT]


def test_a_user_that_stands_twice_is_yielded_twice() -> None:
    assert len(of(report(row("a"), row("a")), Identity)) == 2


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ("short,row", None),
        ('"open quote', None),
        (row(arn="nothing"), "arn"),
        (row(mfa_active="perhaps"), "mfa_active"),
        (row(password_enabled="TRUE?"), "password_enabled"),
        (row(user_creation_time="yesterday"), "user_creation_time"),
    ],
)
def test_a_bad_row_is_a_problem_with_its_line(bad: str, field: str | None) -> None:
    problems = of(report(row("a"), bad), Problem)
    assert [(p.line, p.field) for p in problems] == [(3, field)]


@pytest.mark.parametrize(
    "data", [COLUMNS.encode(), b"user,arn\nx,y\n", f"{COLUMNS}\nshort\n".encode()]
)
def test_a_report_without_columns_or_readable_rows_is_refused(data: bytes) -> None:
    with pytest.raises(ImportRefused):
        list(named(REPORT).parse(io.BytesIO(data), Context()))


def test_a_saved_answer_is_read_plain_or_in_base64() -> None:
    content = f"{COLUMNS}\n{row('a')}\n"
    coded = base64.b64encode(content.encode()).decode()
    plain = report(row("a"))
    for answer in (json.dumps({"Content": content}), json.dumps({"Content": coded}), coded):
        assert parsed(answer.encode(), REPORT) == plain
    with pytest.raises(ImportRefused, match="not whole JSON"):
        parsed(json.dumps({"Content": content})[:-3].encode(), REPORT)


def test_utf16_of_powershell_is_read() -> None:
    assert parsed(f"{COLUMNS}\n{row('a')}\n".encode("utf-16"), REPORT) == report(row("a"))


# users, groups, roles, policies with a document, trusts of services, of AWS principals
DETAILED = {
    "cloudsplaining-test/authz-details.json": (3, 2, 3, 32, 3, 0),
    "iamspy/basic-allow.json": (0, 0, 1, 0, 0, 1),
    "iamspy/batch-allow.json": (0, 0, 3, 0, 0, 3),
}


@pytest.mark.parametrize("name", DETAILED)
def test_recorded_details_have_the_counts_of_their_readme(name: str) -> None:
    if not (REAL / name).exists():
        pytest.skip(f"{REAL / name} is not here")
    records = parsed((REAL / name).read_bytes(), DETAILS)
    kinds = Counter(i.kind for i in of(records, Identity))
    managed = [e for e in of(records, Entitlement) if ":policy/" in e.uid and e.line]
    trusts = Counter(t.from_kind for t in of(records, Trust))
    assert DETAILED[name] == (
        kinds["service"], kinds["group"], kinds["role"], len(managed), trusts["service"],
        trusts["account"],
    )  # fmt: skip
    assert not [t for t in of(records, Trust) if t.is_external]
    assert not of(records, Problem)


def test_recorded_details_name_their_administrators_and_members() -> None:
    path = REAL / "cloudsplaining-test" / "authz-details.json"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    records = parsed(path.read_bytes(), DETAILS)
    admins = {e.uid for e in of(records, Entitlement) if e.display_name == "AdministratorAccess"}
    holders = Counter(
        g.principal_uid.split(":")[-1].split("/")[0]
        for g in of(records, Grant) if g.entitlement_uid in admins
    )  # fmt: skip
    assert holders == {"user": 1, "group": 1}
    members = {g.principal_uid for g in of(records, Grant) if g.entitlement_uid.endswith("#member")}
    assert len(members) == 3
    inline = {g.principal_uid for g in of(records, Grant) if ":user/" in g.entitlement_uid}
    assert len(inline) == 2
    used = [i for i in of(records, Identity) if i.kind == "role" and i.last_used_at]
    assert len(used) == 1
    levels = {e.display_name: e.permission_level for e in of(records, Entitlement)}
    assert levels["AdministratorAccess"] == "admin"


def test_the_two_organisation_exports_are_not_taken_for_details() -> None:
    path = REAL / "iamspy" / "scp-basic.json"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    with pytest.raises(ImportRefused):
        recognise(path.read_bytes(), path.name)


def allow(**statement: Any) -> dict[str, Any]:
    return {"Statement": {"Effect": "Allow", **statement}}


@pytest.mark.parametrize(
    ("policy", "level"),
    [
        (allow(Action="*", Resource="*"), "admin"),
        (allow(Action=["*:*"], Resource=["*"]), "admin"),
        (allow(Action="iam:*", Resource="*"), "admin"),
        (allow(Action="IAM:Put*", Resource="*"), "admin"),
        (allow(Action="iam:AttachUserPolicy", Resource=f"arn:aws:iam::{ACCOUNT}:user/*"), "admin"),
        (allow(Action="organizations:*", Resource="*"), "admin"),
        (allow(NotAction="iam:*", Resource="*"), "admin"),
        (allow(Action="*", NotResource="arn:aws:s3:::x"), "admin"),
        (allow(Action="*", Resource="arn:aws:s3:::bucket/*"), "write"),
        (allow(Action="iam:PutUserPolicy", Resource=f"arn:aws:iam::{ACCOUNT}:user/x"), "write"),
        (allow(Action="s3:*", Resource="*"), "write"),
        (allow(Action="s3:G*", Resource="*"), "write"),
        (allow(Action=["s3:GetObject", "ec2:Describe*", "s3:List*"], Resource="*"), "read"),
        ({"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}, "read"),
    ],
)
def test_a_document_is_judged_by_what_it_allows(policy: dict[str, Any], level: str) -> None:
    found, reason = judge(policy)
    assert found == level
    assert reason


@pytest.mark.parametrize(
    ("arn", "level"),
    [
        ("arn:aws:iam::aws:policy/AdministratorAccess", "admin"),
        ("arn:aws:iam::aws:policy/IAMFullAccess", "admin"),
        ("arn:aws:iam::aws:policy/AmazonS3FullAccess", "write"),
        ("arn:aws:iam::aws:policy/ReadOnlyAccess", "read"),
        ("arn:aws:iam::aws:policy/job-function/Billing", "unknown"),
        (f"arn:aws:iam::{ACCOUNT}:policy/ReadOnlyAccess", "unknown"),
    ],
)
def test_only_the_names_of_awss_own_policies_say_anything(arn: str, level: str) -> None:
    assert judge_name(arn)[0] == level


def details(**lists: Any) -> list[Record]:
    names = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
    whole: dict[str, Any] = {name: [] for name in names}
    return parsed(json.dumps(whole | lists).encode(), DETAILS)


def role(*statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    usual = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    policy = {"Statement": [usual | s for s in statements]}
    return {
        "Arn": ROLE, "RoleName": "app", "RoleId": "AROAX", "Path": "/",
        "CreateDate": "2020-01-01T00:00:00+00:00", "AssumeRolePolicyDocument": policy,
    } | more  # fmt: skip


def trust(principal: Any, condition: Any = None, action: str = "sts:AssumeRole") -> Trust:
    statement = {"Principal": principal, "Action": action}
    if condition:
        statement["Condition"] = condition
    (found,) = of(details(RoleDetailList=[role(statement)]), Trust)
    assert isinstance(found, Trust)
    return found


STRANGER = "arn:aws:iam::999988887777:role/x"
ISSUER = "token.actions.githubusercontent.com"
GITHUB = {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"}
SUB = f"{ISSUER}:sub"


@pytest.mark.parametrize(
    ("principal", "condition", "source", "external", "wildcard"),
    [
        ({"Service": "ec2.amazonaws.com"}, None, "ec2.amazonaws.com", 0, 0),
        ({"AWS": ACCOUNT}, None, ACCOUNT, 0, 0),
        ({"AWS": ["arn:aws:iam::999988887777:root"]}, None, "999988887777", 1, 0),
        ({"AWS": STRANGER}, None, STRANGER, 1, 0),
        ("*", None, "*", 1, 1),
        ({"AWS": "*"}, {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, "*", 1, 0),
        (GITHUB, None, ISSUER, 1, 1),
        (GITHUB, {"StringLike": {SUB: "repo:org/*"}}, ISSUER, 1, 1),
        (GITHUB, {"StringLike": {SUB: ["repo:org/app:*"]}}, ISSUER, 1, 0),
        (GITHUB, {"StringEquals": {SUB: "repo:org/*"}}, ISSUER, 1, 0),
        (GITHUB, {"StringNotLike": {SUB: "repo:org/x"}}, ISSUER, 1, 1),
        ({"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/Idp"}, None,
         f"arn:aws:iam::{ACCOUNT}:saml-provider/Idp", 1, 0),
    ],
)  # fmt: skip
def test_a_trust_says_who_and_whether_it_is_a_stranger_or_everybody(
    principal: Any, condition: Any, source: str, external: int, wildcard: int
) -> None:
    found = trust(principal, condition)
    assert (found.from_uid, found.is_external, found.is_wildcard) == (source, external, wildcard)


def test_an_external_id_shows_as_present_and_never_as_its_value() -> None:
    with_id = trust({"AWS": "999988887777"}, {"StringEquals": {"sts:ExternalId": "s3cr3t"}})
    assert with_id.condition == "sts:ExternalId is set"
    assert trust({"AWS": "999988887777"}).condition == "no sts:ExternalId"


def test_of_two_statements_for_one_party_the_weaker_shows() -> None:
    guarded = {"Principal": {"AWS": "999988887777"}, "Condition": {"Bool": {"aws:x": "true"}}}
    records = details(RoleDetailList=[role(guarded, {"Principal": {"AWS": "999988887777"}})])
    (found,) = of(records, Trust)
    assert found.condition == "Bool aws:x = true; no sts:ExternalId, or no sts:ExternalId"


def test_tagging_a_session_lets_nobody_in() -> None:
    statement = {"Principal": {"AWS": "*"}, "Action": ["sts:TagSession"]}
    assert not of(details(RoleDetailList=[role(statement)]), Trust)


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ({"RoleLastUsed": {"LastUsedDate": "2025-01-01T00:00:00Z"}}, "known"),
        ({"RoleLastUsed": {}}, "never"),
        ({}, "unknown"),
    ],
)
def test_a_role_without_the_key_makes_no_statement_of_its_last_use(
    given: dict[str, Any], state: str
) -> None:
    records = details(RoleDetailList=[role({"Principal": {"Service": "x"}}, **given)])
    assert of(records, Identity)[0].last_used_state == state


def test_tags_give_owner_environment_purpose_and_maker() -> None:
    tags = {"Team": "platform", "env": "prod", "app": "shop", "aws:cloudformation:stack-name": "s",
            "db_password": "hunter2"}  # fmt: skip
    tagged = [{"Key": k, "Value": v} for k, v in tags.items()]
    records = details(RoleDetailList=[role(Tags=tagged)])
    identity, owner = of(records, Identity)[0], of(records, Owner)[0]
    assert (identity.environment, identity.purpose) == ("prod", "shop")
    assert identity.created_by == "automation:cloudformation"
    assert (owner.handle, owner.evidence) == ("platform", "tag Team=platform")
    assert "hunter2" not in str(records)


def test_documents_come_as_objects_or_url_encoded() -> None:
    encoded = quote(json.dumps(allow(Principal="*", Action="sts:AssumeRole")))
    (found,) = of(details(RoleDetailList=[role(AssumeRolePolicyDocument=encoded)]), Trust)
    assert found.from_uid == "*"


def test_a_broken_element_is_a_problem_and_the_rest_arrives() -> None:
    broken = role(AssumeRolePolicyDocument="{no json")
    records = details(RoleDetailList=[broken, 42, {}, role(RoleName="good")])
    assert [i.display_name for i in of(records, Identity)] == ["app", "good"]
    assert [p.uid for p in of(records, Problem)] == [ROLE, None, None]


def test_groups_with_a_path_are_joined_by_their_members() -> None:
    user = {"Arn": f"arn:aws:iam::{ACCOUNT}:user/u", "UserName": "u", "GroupList": ["ops", "gone"]}
    group = {"Arn": f"arn:aws:iam::{ACCOUNT}:group/eu/ops", "GroupName": "ops"}
    records = details(UserDetailList=[user], GroupDetailList=[group])
    memberships = {e.uid: e for e in of(records, Entitlement)}
    assert {g.entitlement_uid for g in of(records, Grant)} == set(memberships)
    by_group = {e.display_name: e.resource_uid for e in memberships.values()}
    assert by_group["member of ops"] == group["Arn"]
    assert all(e.purpose == "assignment" for e in memberships.values())


def test_policies_before_anything_that_names_the_account_wait_for_it() -> None:
    policy = {
        "Arn": "arn:aws:iam::aws:policy/X", "PolicyName": "X", "DefaultVersionId": "v1",
        "PolicyVersionList": [{"VersionId": "v1", "Document": allow(Action="*", Resource="*")}],
    }  # fmt: skip
    sorted_by_jq = {"Policies": [policy], "RoleDetailList": [role()]}
    records = parsed(json.dumps(sorted_by_jq).encode(), DETAILS)
    assert type(records[0]) is Source
    assert [e.permission_level for e in of(records, Entitlement)] == ["admin"]
    with pytest.raises(ImportRefused, match="which account"):
        parsed(json.dumps({"Policies": [policy], "RoleDetailList": []}).encode(), DETAILS)


def test_pages_after_one_another_are_one_export_and_a_missing_page_is_refused() -> None:
    page = {"RoleDetailList": [role()], "IsTruncated": True, "Marker": "x"}
    last = {"RoleDetailList": [role(RoleName="b")], "IsTruncated": False}
    both = (json.dumps(page) + "\n" + json.dumps(last)).encode()
    assert [i.display_name for i in of(parsed(both, DETAILS), Identity)] == ["app", "b"]
    with pytest.raises(ImportRefused, match="last page"):
        parsed(json.dumps(page).encode(), DETAILS)


def test_details_that_hold_nothing_are_refused() -> None:
    with pytest.raises(ImportRefused):
        details()


def test_details_do_not_speak_for_what_only_the_report_knows() -> None:
    assert not {"kind", "status", "has_mfa"} & set(named(DETAILS).covers)
    assert not {"attributes", "purpose"} & set(named(REPORT).covers)


def dossier(arn: str, *credentials: dict[str, Any], detail: str | None = None) -> dict[str, Any]:
    return {
        "source": {"platform": "aws"}, "identity": {"uid": arn, "nhi_detail": detail},
        "credentials": list(credentials), "grants": [],
    }  # fmt: skip


def key(uid: str, **more: Any) -> dict[str, Any]:
    return {
        "uid": uid, "credential_detail": "aws.access_key", "status": "enabled",
        "display_name": None, "created_at": "2020-01-02T03:04:05Z",
    } | more  # fmt: skip


USER = f"arn:aws:iam::{ACCOUNT}:user/team/ci"


def test_a_key_with_its_id_is_set_inactive_and_can_be_set_active_again() -> None:
    (found,) = plan(dossier(USER, key("AKIAIOSFODNN7EXAMPLE"), key("AKIAI44QH8DHBEXAMPLE")),
                    "revoke", "AKIAIOSFODNN7EXAMPLE")  # fmt: skip
    line = "aws iam update-access-key --user-name ci --access-key-id AKIAIOSFODNN7EXAMPLE --status"
    assert (found.stop, found.undo) == ((f"{line} Inactive",), (f"{line} Active",))
    assert found.undo_class == "R1"


def test_a_key_known_by_its_number_is_looked_up_first() -> None:
    (found,) = plan(dossier(USER, key(f"{USER}#1")), "disable", f"{USER}#1")
    assert found.stop[0] == "aws iam list-access-keys --user-name ci"
    assert "2020-01-02T03:04:05" in found.stop[1]
    assert '--access-key-id "$ID" --status Inactive' in found.stop[-1]


def test_stopping_a_user_denies_everything_and_then_stops_live_keys() -> None:
    off = key("AKIAI44QH8DHBEXAMPLE", status="disabled")
    found = plan(dossier(USER, key("AKIAIOSFODNN7EXAMPLE"), off), "revoke")
    assert len(found) == 2
    assert "put-user-policy" in found[0].stop[0]
    document = json.loads(shlex.split(found[0].stop[0])[-1])
    assert document["Statement"] == [{"Effect": "Deny", "Action": "*", "Resource": "*"}]
    assert not any("delete" in line for p in found for line in p.stop)


def test_a_role_is_denied_and_a_service_linked_one_cannot_be_stopped() -> None:
    (found,) = plan(dossier(ROLE), "disable")
    assert found.undo == ("aws iam delete-role-policy --role-name app --policy-name MusterStop",)
    assert plan(dossier(ROLE, detail="aws.role.service_linked"), "disable") == []


@pytest.mark.parametrize("name", ["x; rm -rf ~", "$(id)", "--profile", "a b", "it's", "-x"])
def test_a_hostile_name_is_one_argument_and_never_an_option(name: str) -> None:
    for found in plan(dossier(f"arn:aws:iam::{ACCOUNT}:user/{name}"), "revoke"):
        for line in (*found.stop, *found.undo):
            words = shlex.split(line)
            given = [w for w in words if w.endswith(name)]
            assert given in ([name], [f"--user-name={name}"])
            assert not name.startswith("-") or given != [name]


def test_a_managed_policy_is_detached_and_a_membership_ended_so_that_both_can_be_undone() -> None:
    held = dossier(USER)
    admin, member = "arn:aws:iam::aws:policy/X", f"arn:aws:iam::{ACCOUNT}:group/ops#member"
    held["grants"] = [{"entitlement": admin, "chain": []}, {"entitlement": member, "chain": []}]
    assert plan(held, "revoke", admin)[0].undo == (
        f"aws iam attach-user-policy --user-name ci --policy-arn {admin}",
    )
    undo = plan(held, "revoke", member)[0].undo
    assert undo == ("aws iam add-user-to-group --user-name ci --group-name ops",)


def test_the_root_and_other_verbs_have_no_plan() -> None:
    assert plan(dossier(f"arn:aws:iam::{ACCOUNT}:root"), "revoke") == []
    assert plan(dossier(USER), "rotate") == []
