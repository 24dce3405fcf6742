"""Terraform state, SPIRE entries, MCP configurations and Baton's CSV."""

import json
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.exports import HOSTILE, of, parse, recognised

from passmuster import connectors
from passmuster.connectors import Context
from passmuster.errors import ImportRefused
from passmuster.model import (
    Credential,
    Entitlement,
    Grant,
    Identity,
    Problem,
    Sighting,
    Source,
    Trust,
)  # fmt: skip

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_data"
REAL = ROOT.parent / "shared" / "realdata"
FORMATS = connectors.formats()
STATE, ENTRIES, MCP = "terraform.state.json", "spire.entries.json", "mcp.config.json"


def sample(name: str) -> list[Any]:
    data = (SAMPLES / name).read_bytes()
    return parse(connectors.recognise(data, name), data, Context("here"))


def real(name: str) -> bytes:
    path = REAL / name
    if not path.exists():
        pytest.skip(f"{name} is not here")
    return path.read_bytes()


def about(record: Any) -> dict[str, Any]:
    return dict(json.loads(record.attributes))


# Terraform.


def test_the_real_states_have_their_true_counts_and_no_secret() -> None:
    keys = recognised(real("terraform/driftctl/aws_iam_access_key_multiple.tfstate"), STATE)
    assert len(of(keys, Credential)) == 4
    assert {i.display_name for i in of(keys, Identity)} == {"test-driftctl", "test-driftctl2"}
    assert "REDACTED-BY-COLLECTOR" not in str(keys)
    roles = recognised(real("terraform/driftctl/aws_iam_role_multiple.tfstate"), STATE)
    assert [i.kind for i in of(roles, Identity)] == ["role"] * 3
    members = recognised(real("terraform/driftctl/google_bucket_iam_member.tfstate"), STATE)
    assert len(of(members, Grant)) == 4


def test_what_code_made_says_so_and_whom_it_means_elsewhere() -> None:
    made = {i.uid: i for i in of(sample("terraform/terraform.tfstate.json"), Identity) if i.line}
    assert {i.created_by for i in made.values()} == {"automation:terraform"}
    user = made["aws_iam_user/ci-deploy"]
    assert user.uid_alt == "arn:aws:iam::111122223333:user/ci-deploy"
    assert about(user)["refers_to"] == [user.uid_alt]
    account = made["google_service_account/loader@example-data.example.com"]
    assert "100000000000000000042" in about(account)["refers_to"]
    assert about(made["aws_iam_role/etl"])["address"] == "module.etl.aws_iam_role.etl"
    pod = made["kubernetes_service_account/web/frontend"]
    assert pod.uid_alt == "system:serviceaccount:web:frontend"


def test_a_key_hangs_on_its_user_and_a_grant_on_its_account() -> None:
    found = sample("terraform/terraform.tfstate.json")
    (key,) = of(found, Credential)
    assert key.identity_uid == "aws_iam_user/ci-deploy"
    (grant,) = of(found, Grant)
    assert grant.principal_uid == "google_service_account/loader@example-data.example.com"
    (role,) = of(found, Entitlement)
    assert (role.permission_level, role.level_reason) == ("admin", "roles/editor")


@pytest.mark.parametrize(("provider", "uid"), [
    ("provider.aws", "aws_iam_user/ci"),
    ("provider.aws.west", "aws_iam_user.west/ci"),
    ('provider["registry.terraform.io/hashicorp/aws"].west', "aws_iam_user.west/ci"),
])  # fmt: skip
def test_users_of_two_accounts_are_told_apart_by_the_provider(provider: str, uid: str) -> None:
    state = json.loads((SAMPLES / "terraform/terraform.tfstate.json").read_text())
    user = state["resources"][0] | {"provider": provider}
    user["instances"][0]["attributes"]["name"] = "ci"
    found = parse(FORMATS[STATE], json.dumps(state | {"resources": [user]}).encode())
    assert [i.uid for i in of(found, Identity)] == [uid]


def test_what_the_state_calls_sensitive_is_not_looked_at() -> None:
    state = json.loads((SAMPLES / "terraform/terraform.tfstate.json").read_text())
    user = state["resources"][0]
    user["instances"][0]["attributes"]["description"] = "hunter2"
    for path in ([{"type": "get_attr", "value": "description"}], "description"):
        user["instances"][0]["sensitive_attributes"] = [path]
        found = parse(FORMATS[STATE], json.dumps(state).encode())
        assert "hunter2" not in str(found)


def test_a_data_source_was_not_made() -> None:
    state = json.loads((SAMPLES / "terraform/terraform.tfstate.json").read_text())
    for resource in state["resources"]:
        resource["mode"] = "data"
    with pytest.raises(ImportRefused):
        parse(FORMATS[STATE], json.dumps(state).encode())


def test_a_state_of_another_format_is_refused() -> None:
    state = json.loads((SAMPLES / "terraform/terraform.tfstate.json").read_text()) | {"version": 3}
    assert not FORMATS[STATE].sniff(json.dumps(state).encode())
    with pytest.raises(ImportRefused, match="format 3"):
        parse(FORMATS[STATE], json.dumps(state).encode())


# SPIRE.


def test_the_real_entries_are_five_with_five_ids() -> None:
    found = recognised(real("spire/entries.json"), ENTRIES)
    identities = of(found, Identity)
    assert len({i.uid_alt for i in identities}) == len({i.uid for i in identities}) == 5
    selectors = Counter(len(about(i)["selectors"]) for i in identities)
    assert selectors == {3: 2, 2: 2, 4: 1} or sum(selectors.values()) == 5


def test_who_is_given_an_id_is_a_trust_and_so_is_a_foreign_domain() -> None:
    found = sample("spire/entries.json")
    trusts = {(t.to_identity_uid, t.mechanism): t for t in of(found, Trust)}
    own = trusts["entry-example-1", "workload_identity"]
    assert own.subject_pattern == "k8s:ns:web, k8s:sa:frontend"
    assert (own.from_uid, own.is_external) == ("spiffe://example.org/k8s/node", 0)
    foreign = trusts["entry-example-3", "federated_credential"]
    assert (foreign.from_uid, foreign.is_external) == ("spiffe://partner.example.com", 1)
    first = of(found, Identity)[0]
    assert about(first)["refers_to"] == ["system:serviceaccount:web:frontend"]
    assert first.created_at == "2025-06-15T15:06:40Z"


def test_an_entry_that_may_use_spire_itself_is_privileged() -> None:
    found = sample("spire/entries.json")
    assert {g.principal_uid for g in of(found, Grant)} == {"entry-example-2", "entry-example-4"}
    assert {e.permission_level for e in of(found, Entitlement)} == {"admin"}


def test_a_list_with_a_next_page_is_refused() -> None:
    entries = json.loads((SAMPLES / "spire/entries.json").read_text()) | {"next_page_token": "x"}
    with pytest.raises(ImportRefused, match="goes on"):
        parse(FORMATS[ENTRIES], json.dumps(entries).encode())


def test_an_entry_can_be_created_again_as_it_was() -> None:
    found = sample("spire/entries.json")
    for identity in of(found, Identity):
        (plan,) = connectors.plan(spire(identity), "revoke")
        assert plan.undo_class == "R2"
        assert plan.stop == (f"spire-server entry delete -entryID {identity.uid}",)
        words = shlex.split(plan.undo[0])
        assert words[:3] == ["spire-server", "entry", "create"]
        given = list(zip(words[3:], [*words[4:], ""], strict=True))
        assert ("-entryID", identity.uid) in given
        assert ("-spiffeID", identity.uid_alt) in given
        for selector in about(identity)["selectors"].values():
            assert ("-selector", selector) in given
        assert ("-admin" in words) == (identity.uid == "entry-example-2")
        assert ("-federatesWith" in words) == (identity.uid == "entry-example-3")
        assert ("-entryExpiry", "1830000000") in given or identity.uid != "entry-example-3"


def spire(identity: Identity) -> dict[str, Any]:
    flat: list[list[str]] = []
    for name, value in about(identity).items():
        if isinstance(value, dict):
            flat += [[f"{name}.{k}", v] for k, v in value.items()]
        else:
            flat.append([name, ", ".join(value) if isinstance(value, list) else str(value)])
    return {"source": {"platform": "spire"},
            "identity": identity._asdict() | {"attributes": flat}}  # fmt: skip


@pytest.mark.parametrize("text", [*HOSTILE, "unix:user:x; rm -rf /", "a'b", "-admin"])
def test_a_hostile_selector_is_one_word_of_the_undo_line(text: str) -> None:
    entries = json.loads((SAMPLES / "spire/entries.json").read_text())
    entries["entries"][0]["selectors"] = [{"type": "unix", "value": text}]
    (first, *_) = of(parse(FORMATS[ENTRIES], json.dumps(entries).encode()), Identity)
    (plan,) = connectors.plan(spire(first), "revoke")
    words = shlex.split(plan.undo[0])
    assert words[words.index("-selector") + 1].startswith("unix:")
    assert len(plan.undo[0].splitlines()) == 1


def test_an_entry_without_an_id_has_no_line_that_would_delete_another() -> None:
    found = of(recognised(real("spire/entries.json"), ENTRIES), Identity)
    assert connectors.plan(spire(found[0]), "revoke") == []


# MCP.


def test_each_server_is_an_agent_and_its_secrets_are_credentials_by_name() -> None:
    found = sample("mcp/mcp.json")
    agents = {i.display_name: i for i in of(found, Identity)}
    assert {i.kind for i in agents.values()} == {"agent"}
    assert agents["files"].status == "disabled"
    assert {c.uid for c in of(found, Credential)} == {
        "mcp/github#env/GITHUB_TOKEN", "mcp/postgres#env/PGPASSWORD",
        "mcp/tickets#header/Authorization",
    }  # fmt: skip
    assert about(agents["tickets"])["address"] == "https://tickets.example.org"
    assert about(agents["tickets"])["allowed_without_asking"] == ["close_ticket", "refund"]
    assert about(agents["github"])["arguments"][-1] == "registry.example.com/example/github-mcp"


def test_a_secret_in_plain_text_is_a_sighting_and_a_reference_is_none() -> None:
    (seen,) = of(sample("mcp/mcp.json"), Sighting)
    assert seen.credential_uid == "mcp/postgres#env/PGPASSWORD"
    assert "placeholder" not in str(sample("mcp/mcp.json"))


@pytest.mark.parametrize("server", [
    {"command": "x", "args": ["--api-key", "hunter2hunter2"]},
    {"command": "x", "args": ["--token=hunter2hunter2"]},
    {"command": "x", "args": ["hunter2hunter2"]},
    {"command": "x --key hunter2hunter2"},
    {"command": "x", "env": {"REGION": "hunter2hunter2"}},
    {"url": "https://x.example.com/hunter2hunter2/sse?key=hunter2hunter2"},
    {"url": "https://u:hunter2hunter2@x.example.com/"},
    {"url": "https://x.example.com", "headers": {"X-Api-Key": "hunter2hunter2"}},
])  # fmt: skip
def test_no_value_of_a_configuration_is_kept(server: dict[str, Any]) -> None:
    data = json.dumps({"mcpServers": {"s": server}}).encode()
    assert "hunter2" not in str(parse(FORMATS[MCP], data))


def test_vs_code_s_file_is_one_too_and_other_servers_are_not() -> None:
    server = {"s": {"type": "stdio", "command": "npx", "args": ["@example/server"]}}
    recognised(json.dumps({"inputs": [], "servers": server}).encode(), MCP)
    assert not FORMATS[MCP].sniff(json.dumps({"servers": server, "openapi": "3.1"}).encode())
    assert not FORMATS[MCP].sniff(b'{"servers": [{"url": "https://x"}]}')


def test_a_configuration_without_source_is_refused() -> None:
    with pytest.raises(ImportRefused, match="--source"):
        parse(FORMATS[MCP], (SAMPLES / "mcp/mcp.json").read_bytes(), Context())


# Baton.


def test_baton_s_rows_become_users_entitlements_and_grants() -> None:
    found = sample("baton/sync.csv")
    assert found[0] == Source("baton", "here")
    assert Counter(type(r) for r in found if getattr(r, "line", None)) == {
        Identity: 3, Entitlement: 2, Grant: 3,
    }  # fmt: skip
    levels = {e.uid: e.permission_level for e in of(found, Entitlement)}
    assert levels == {"role:wh:admin": "admin", "team:reporting:member": "unknown"}
    states = {i.uid: i.status for i in of(found, Identity)}
    assert states == {"u-100": "enabled", "u-200": "enabled", "u-101": "disabled"}


def test_a_row_of_an_unknown_type_is_a_problem_and_a_missing_column_refuses_the_file() -> None:
    text = (SAMPLES / "baton/sync.csv").read_text()
    found = parse(FORMATS["baton.export.csv"], (text + "Secret,,,,,,,,,,,\n").encode())
    assert [p.field for p in of(found, Problem)] == ["Type"]
    with pytest.raises(ImportRefused, match="Entitlement Slug"):
        parse(FORMATS["baton.export.csv"], text.replace("Entitlement Slug", "Slug").encode())
