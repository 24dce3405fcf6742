"""GitLab's lists: what is made of them."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.exports import of, parse, recognised

from passmuster import connectors
from passmuster.connectors import Context
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Entitlement, Grant, Identity, Problem

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_data" / "gitlab"
REAL = ROOT.parent / "shared" / "realdata" / "gitlab"
FORMATS = connectors.formats()
WHERE = Context("gitlab.example.com/example")


def sample(name: str) -> list[Any]:
    data = (SAMPLES / f"{name}.json").read_bytes()
    return parse(connectors.recognise(data, name), data, WHERE)


def real(name: str) -> bytes:
    path = REAL / name
    if not path.exists():
        pytest.skip(f"{name} is not here")
    return path.read_bytes()


def test_project_tokens_of_the_real_file_are_two_active_ones_without_an_end() -> None:
    found = recognised(real("go-gitlab/list_project_access_tokens.json"),
                       "gitlab.access_tokens.json", WHERE)  # fmt: skip
    tokens = of(found, Credential)
    assert [(t.status, t.expires_state) for t in tokens] == [("enabled", "none")] * 2
    # the second has no last_used_at at all: that is no "never"
    assert [t.last_used_state for t in tokens] == ["known", "unknown"]
    assert Counter(i.kind for i in of(found, Identity)) == {"service": 2}


def test_personal_tokens_of_the_real_file_are_one_revoked_and_one_never_used() -> None:
    found = recognised(
        real("go-gitlab/list_personal_access_tokens_with_user_filter.json"),
        "gitlab.access_tokens.json", WHERE,
    )  # fmt: skip
    tokens = of(found, Credential)
    assert [json.loads(t.attributes)["revoked"] for t in tokens] == [True, False]
    assert [t.last_used_state for t in tokens] == ["known", "never"]
    assert [t.status for t in tokens] == ["disabled", "disabled"]
    assert {i.kind for i in of(found, Identity)} == {"human"}


def test_service_accounts_of_the_real_file_are_two() -> None:
    found = recognised(real("go-gitlab/get_serviceaccounts.json"), "gitlab.service_accounts.json",
                       WHERE)  # fmt: skip
    assert [i.uid for i in of(found, Identity)] == ["user/114", "user/137"]


@pytest.mark.parametrize(("name", "count"), [
    ("GET_GITLAB_ORG_MEMBERS", 2), ("GET_GITLAB_GROUP_MEMBERS", 1),
])  # fmt: skip
def test_members_of_the_real_file_have_their_roles(name: str, count: int) -> None:
    members = json.loads(real("cartography/gitlab_users.json"))[name]
    found = recognised(json.dumps(members).encode(), "gitlab.members.json", WHERE)
    assert len(of(found, Identity)) == len(of(found, Grant)) == count
    assert of(found, Problem) == []


def test_a_file_that_names_no_server_needs_source() -> None:
    with pytest.raises(ImportRefused, match="--source HOST"):
        parse(FORMATS["gitlab.runners.json"], (SAMPLES / "runners.json").read_bytes(), Context())


def test_a_token_keeps_its_uid_whether_or_not_the_server_says_whose_it_is() -> None:
    tokens = json.loads((SAMPLES / "access-tokens.json").read_text())
    for token in tokens:
        token.pop("resource_type", None)
        token.pop("resource_id", None)
    plain = parse(FORMATS["gitlab.access_tokens.json"], json.dumps(tokens).encode(), WHERE)
    assert [c.uid for c in of(plain, Credential)] == [
        c.uid for c in of(sample("access-tokens"), Credential)
    ]


def test_a_revoked_token_grants_nothing() -> None:
    via = {g.via for g in of(sample("access-tokens"), Grant)}
    assert "token/803" in via
    assert "token/804" not in via


def test_a_maintainer_s_token_is_admin_where_it_is() -> None:
    levels = {e.uid: e.permission_level for e in of(sample("access-tokens"), Entitlement)}
    assert levels["projects/71#40"] == "admin"
    assert levels["projects/71#20"] == "read"
    assert levels["scope:api"] == "write"


def test_the_bot_of_a_token_is_the_same_user_in_tokens_and_in_members() -> None:
    tokens = {i.uid: i.kind for i in of(sample("access-tokens"), Identity)}
    members = {i.uid: i.kind for i in of(sample("members"), Identity)}
    assert tokens["user/2101"] == members["user/2101"] == "service"
    assert members["user/12"] == "human"
    assert {i.uid: i.status for i in of(sample("members"), Identity)}["user/12"] == "disabled"


def test_a_deploy_token_is_never_said_to_be_unused() -> None:
    for identity in of(sample("deploy-tokens"), Identity):
        assert identity.last_used_state == "not_tracked"
    assert [c.status for c in of(sample("deploy-tokens"), Credential)] == ["enabled", "disabled"]


def test_a_deploy_key_of_several_projects_opens_each() -> None:
    scopes = [(g.principal_uid, g.entitlement_uid) for g in of(sample("deploy-keys"), Grant)]
    assert scopes == [
        ("deploy_key/21", "example/shop#write"), ("deploy_key/22", "example/shop#read"),
        ("deploy_key/22", "example/docs#read"),
    ]  # fmt: skip


def test_a_paused_runner_is_disabled() -> None:
    assert [i.status for i in of(sample("runners"), Identity)] == ["enabled", "disabled"]


def test_a_secret_in_a_name_is_not_kept() -> None:
    token = json.loads((SAMPLES / "access-tokens.json").read_text())[0]
    token["name"] = "glpat-abcdefghijklmnopqrst"
    found = parse(FORMATS["gitlab.access_tokens.json"], json.dumps([token]).encode(), WHERE)
    assert "glpat-" not in str(found)
