"""GitHub's lists: what is made of them, and what a file may be made of."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.exports import of, parse, recognised

from passmuster import connectors
from passmuster.connectors import Context
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Entitlement, Grant, Identity, Problem, Source, Trust

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_data" / "github"
REAL = ROOT.parent / "shared" / "realdata" / "github" / "octokit-openapi"
FORMATS = connectors.formats()
KEYS = "github.deploy_keys.json"


def sample(name: str) -> list[Any]:
    data = (SAMPLES / f"{name}.json").read_bytes()
    return parse(connectors.recognise(data, name), data, Context("Example-Org"))


def keys(*numbers: int) -> bytes:
    return json.dumps([
        {"id": n, "key": "ssh-ed25519 placeholder", "title": f"key {n}", "read_only": n % 2 == 0,
         "url": f"https://api.github.com/repos/example-org/r{n}/keys/{n}", "added_by": None,
         "created_at": "2014-12-10T15:53:42Z", "last_used": None, "enabled": True}
        for n in numbers
    ]).encode()  # fmt: skip


@pytest.mark.parametrize(("file", "counts"), {
    "base-installation-items": {Identity: 1, Grant: 3, Entitlement: 3, Source: 1},
    "installation": {Identity: 1, Grant: 3, Entitlement: 3, Source: 1},
    "deploy-key-items": {Identity: 1, Credential: 1, Grant: 1, Entitlement: 1, Source: 1},
    "org-hook-items": {Identity: 1, Source: 1},
    "org-personal-access-tokens":
        {Identity: 1, Credential: 1, Grant: 2, Entitlement: 2, Source: 1},
    "organization-actions-secret-paginated": {Identity: 3, Credential: 3, Source: 1},
    "oidc-custom-sub": {Identity: 1, Trust: 1, Source: 1},
}.items())  # fmt: skip
def test_github_s_own_examples_have_their_true_counts(file: str, counts: dict[Any, int]) -> None:
    path = REAL / f"{file}.json"
    if not path.exists():
        pytest.skip(f"{file} is not here")
    data = path.read_bytes()
    found = parse(connectors.recognise(data, file), data, Context("octo-org"))
    assert Counter(type(r) for r in found) == counts


@pytest.mark.parametrize("name", ["GITHUB_USER_DATA", "GITHUB_USER_DATA_AT_TIMESTAMP_2"])
def test_members_of_the_real_file_have_their_role_and_second_factor(name: str) -> None:
    path = REAL.parent / "cartography" / "github_users.json"
    if not path.exists():
        pytest.skip("the real file is not here")
    edges, _ = json.loads(path.read_text())[name]
    found = recognised(json.dumps(edges).encode(), "github.members.json", Context("simpsoncorp"))
    people = of(found, Identity)
    assert len(people) == len(of(found, Grant)) == len(edges) == 3
    owners = [g.principal_uid for g in of(found, Grant) if g.entitlement_uid.endswith("#ADMIN")]
    assert len(owners) == [e["role"] for e in edges].count("ADMIN")
    assert {p.display_name: p.has_mfa for p in people}["Marge Simpson"] == 1
    assert {p.has_mfa for p in people} == {1, None}  # not told is not "no"


@pytest.mark.parametrize("data", [
    keys(1, 2) + b"\n" + keys(3),  # gh api --paginate
    b"[" + keys(1) + b"," + keys(2, 3) + b"]",  # --slurp
    b"[]" + keys(1) + b"[]" + keys(2, 3) + b"[]\n",  # a loop over repositories
])  # fmt: skip
def test_pages_after_one_another_are_one_list(data: bytes) -> None:
    found = recognised(data, KEYS)
    assert [i.uid.rpartition("/")[2] for i in of(found, Identity)] == ["1", "2", "3"]
    assert of(found, Problem) == []


def test_what_github_answers_instead_of_a_list_is_a_problem(tmp_path: Path) -> None:
    no = b'{"message":"Not Found","documentation_url":"https://docs.github.com","status":"404"}'
    found = recognised(no + keys(1) + no + keys(2), KEYS)
    assert [p.why for p in of(found, Problem)] == [
        "the platform answered instead of a list: Not Found"
    ] * 2
    assert len(of(found, Identity)) == 2
    with pytest.raises(ImportRefused, match="Not Found"):
        parse(FORMATS[KEYS], no)


def test_a_list_that_names_no_organisation_needs_source() -> None:
    data = (SAMPLES / "sso-credentials.json").read_bytes()
    with pytest.raises(ImportRefused, match="--source ORG"):
        parse(FORMATS["github.credential_authorizations.json"], data, Context())
    assert sample("sso-credentials")[0] == Source("github", "example-org")


def test_keys_of_two_organisations_in_one_file_are_two_sources() -> None:
    other = keys(2).replace(b"example-org", b"Other-Org")
    sources = of(parse(FORMATS[KEYS], keys(1) + other + keys(3)), Source)
    assert [s.tenant_uid for s in sources] == ["example-org", "other-org", "example-org"]


def test_a_deploy_key_is_found_by_its_fingerprint_and_says_when_it_was_used() -> None:
    old, argo, _ = of(sample("deploy-keys"), Identity)
    assert old.external_id.startswith("SHA256:")
    assert (old.last_used_state, argo.last_used_state) == ("never", "known")
    assert old.created_by == "user/maria-santos"
    credentials = of(sample("deploy-keys"), Credential)
    assert credentials[0].uid == old.external_id
    assert credentials[0].expires_state == "none"
    levels = {e.scope: e.permission_level for e in of(sample("deploy-keys"), Entitlement)}
    assert levels == {"example-org/shop": "read", "example-org/infra": "write"}


def test_a_placeholder_key_has_no_fingerprint() -> None:
    (identity,) = of(parse(FORMATS[KEYS], keys(1)), Identity)
    assert identity.external_id is None
    assert "public_key" not in identity.attributes


def test_times_with_an_offset_are_utc() -> None:
    release = of(sample("personal-access-tokens"), Credential)[0]
    assert release.last_used_at == "2026-11-19T09:00:00Z"
    assert release.expires_at == "2027-05-16T15:47:09Z"


def test_a_token_that_never_ends_and_one_that_administers_are_told() -> None:
    found = sample("personal-access-tokens")
    states = {c.display_name: c.expires_state for c in of(found, Credential)}
    assert states == {"release": "set", "laptop scripts": "none"}
    admin = [e for e in of(found, Entitlement) if e.permission_level == "admin"]
    assert [e.display_name for e in admin] == ["administration: write"]


def test_the_same_person_is_one_identity_in_tokens_and_in_single_sign_on() -> None:
    tokens = {i.uid for i in of(sample("personal-access-tokens"), Identity)}
    sso = {i.uid for i in of(sample("sso-credentials"), Identity)}
    assert tokens & sso == {"user/release-robot"}


def test_only_the_end_of_a_token_is_shown() -> None:
    pat, key = of(sample("sso-credentials"), Credential)
    assert pat.hint == "fc11"
    assert "71c3fc11" not in str(pat)
    assert (key.credential_type, key.hint) == ("asymmetric_key", None)


def test_a_suspended_app_is_disabled() -> None:
    states = {i.display_name: i.status for i in of(sample("installations"), Identity)}
    assert states == {"renovate-example": "enabled", "old-coverage": "enabled",
                      "vendor-scan": "disabled"}  # fmt: skip


def test_of_a_webhook_only_the_host_is_shown_and_that_it_has_a_secret() -> None:
    hook = json.loads((SAMPLES / "webhooks.json").read_text())[0]
    hook["config"]["url"] = "https://user:pw@siem.example.com/services/T00/B00/tok3n?token=tok3n"
    found = parse(FORMATS["github.webhooks.json"], json.dumps([hook]).encode())
    assert "tok3n" not in str(found)
    assert "pw@" not in str(found)
    assert [c.credential_detail for c in of(found, Credential)] == ["github.webhook_secret"]


def test_a_subject_that_names_no_repository_is_open() -> None:
    (trust,) = of(sample("oidc-subject"), Trust)
    assert trust.is_wildcard == 1
    assert trust.from_uid == "token.actions.githubusercontent.com"
    assert trust.subject_pattern == "repository_owner:example-org:environment:*"


@pytest.mark.parametrize(("template", "pattern"), [
    ({"use_default": True}, "repo:example-org/shop:*"),
    ({"use_default": False, "include_claim_keys": ["repository"]},
     "repository:example-org/shop"),
])  # fmt: skip
def test_the_subject_of_one_repository_names_it(template: Any, pattern: str) -> None:
    found = recognised(json.dumps(template).encode(), "github.oidc_subject.json",
                       Context("example-org/shop"))  # fmt: skip
    (trust,) = of(found, Trust)
    assert (trust.subject_pattern, trust.is_wildcard) == (pattern, 0)


def test_a_level_that_nobody_knows_is_unknown_and_not_read() -> None:
    app = json.loads((SAMPLES / "installations.json").read_text())["installations"][0]
    app["permissions"] = {"contents": "conjure"}
    found = parse(FORMATS["github.installations.json"], json.dumps([app]).encode())
    assert [e.permission_level for e in of(found, Entitlement)] == ["unknown"]


def test_a_whole_organisation_s_secrets_are_no_one_stop() -> None:
    dossier = {"source": {"platform": "github"}, "grants": [],
               "identity": {"uid": "orgs/o/actions", "nhi_detail": "github.actions"},
               "credentials": [{"uid": "orgs/o/actions/secrets/A"}]}  # fmt: skip
    assert connectors.plan(dossier, "revoke") == []
    (plan,) = connectors.plan(dossier, "revoke", "orgs/o/actions/secrets/A")
    assert (plan.undo_class, plan.undo) == ("R3", ())
    assert connectors.plan(dossier, "revoke", "orgs/o/actions/secrets/B") == []
    assert connectors.plan(dossier, "rotate") == []


def test_what_a_revoked_token_may_still_do_is_told() -> None:
    dossier = {"source": {"platform": "github"}, "grants": [],
               "identity": {"uid": "user/x", "nhi_detail": "github.user"},
               "credentials": [{"uid": "orgs/o/personal-access-tokens/4", "status": "enabled"},
                               {"uid": "orgs/o/credential-authorizations/5"}]}  # fmt: skip
    for plan in connectors.plan(dossier, "revoke"):
        assert "reads what is public" in plan.residual
        assert "SSH keys" in plan.residual


def test_a_person_is_stopped_by_all_of_their_credentials_or_by_none() -> None:
    places = [f"orgs/o/credential-authorizations/{n}" for n in (61, 62)]
    dossier = {"source": {"platform": "github"},
               "identity": {"uid": "user/m", "nhi_detail": "github.user"},
               "credentials": [{"uid": place} for place in places]}  # fmt: skip
    (plan,) = connectors.plan(dossier, "revoke")
    assert plan.act is None and plan.undo_class == "R2" and len(plan.stop) == 2
    assert all(place in line for place, line in zip(places, plan.stop, strict=True))
    dossier["credentials"].append({"uid": "orgs/o/personal-access-tokens/41"})  # type: ignore[attr-defined]
    assert [p.undo_class for p in connectors.plan(dossier, "revoke")] == ["R3"]
    (one,) = connectors.plan(dossier, "revoke", places[0])
    assert one.act is not None, "one of them alone is stopped as ever"
