"""AWS authorization details: counts of recorded exports, and the rules of judgement."""

import json
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.exports import of, recognised

from passmuster.connectors import named, recognise
from passmuster.connectors.aws._policies import judge, judge_name
from passmuster.errors import ImportRefused
from passmuster.model import Entitlement, Grant, Identity, Owner, Problem, Record, Source, Trust

REAL = Path(__file__).parents[3] / "shared" / "realdata" / "aws"
REPORT = "aws.credential_report.csv"
DETAILS = "aws.authorization_details.json"
ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"


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
    records = recognised((REAL / name).read_bytes(), DETAILS)
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
    records = recognised(path.read_bytes(), DETAILS)
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
        (allow(Action="*", Resource=f"arn:aws:iam::{ACCOUNT}:*"), "admin"),
        (allow(Action="*", Resource="arn:aws:s3:::*"), "write"),
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
    return recognised(json.dumps(whole | lists).encode(), DETAILS)


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
    records = recognised(json.dumps(sorted_by_jq).encode(), DETAILS)
    assert type(records[0]) is Source
    assert [e.permission_level for e in of(records, Entitlement)] == ["admin"]
    with pytest.raises(ImportRefused, match="which account"):
        recognised(json.dumps({"Policies": [policy], "RoleDetailList": []}).encode(), DETAILS)


def test_pages_after_one_another_are_one_export_and_a_missing_page_is_refused() -> None:
    page = {"RoleDetailList": [role()], "IsTruncated": True, "Marker": "x"}
    last = {"RoleDetailList": [role(RoleName="b")], "IsTruncated": False}
    both = (json.dumps(page) + "\n" + json.dumps(last)).encode()
    assert [i.display_name for i in of(recognised(both, DETAILS), Identity)] == ["app", "b"]
    with pytest.raises(ImportRefused, match="last page"):
        recognised(json.dumps(page).encode(), DETAILS)


def test_details_that_hold_nothing_are_refused() -> None:
    with pytest.raises(ImportRefused):
        details()


def test_details_do_not_speak_for_what_only_the_report_knows() -> None:
    assert not {"kind", "status", "has_mfa"} & set(named(DETAILS).covers)
    assert not {"attributes", "purpose"} & set(named(REPORT).covers)
