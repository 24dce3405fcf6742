"""OpenBao from files: what its answers say, and plans that destroy nothing first."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import SHARED
from tests.exports import of, recognised

from passmuster import connectors
from passmuster.connectors import Context, plan
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Grant, Identity, Owner, Problem, Source, Trust

REAL = SHARED / "realdata" / "openbao" / "api-docs"
NAME = "openbao.answers.jsonl"
SAMPLE = Path(__file__).parents[2] / "sample_data" / "openbao" / "openbao.jsonl"
needs_real = pytest.mark.skipif(not REAL.exists(), reason="the shared real exports are not here")


def read(*answers: dict[str, Any], given: Context | None = None) -> list[Any]:
    data = "".join(json.dumps(answer) + "\n" for answer in answers).encode()
    return recognised(data, NAME, given)


def answer(path: str, **data: Any) -> dict[str, Any]:
    return {"path": path, "lease_id": "", "data": data}


@needs_real
def test_the_vendors_own_answers_have_their_true_counts() -> None:
    """Of `sys/auth` 5 blocks: two answers, of which one has a shape of its own; three requests."""
    blocks = json.loads((REAL / "system_auth.json").read_text())
    found = read(*blocks)
    assert len(blocks) == 5
    assert sorted(i.display_name for i in of(found, Identity)) == ["auth/github/", "auth/token/"]
    assert [t.from_uid for t in of(found, Trust)] == ["github"]
    assert len(of(found, Problem)) == 4


@needs_real
def test_a_role_and_a_secret_id_of_the_vendors_documents_are_read_by_their_paths() -> None:
    """The 20 blocks name no path; of those that are read each gets the one that it stands under."""
    blocks = json.loads((REAL / "auth_approle.json").read_text())
    assert len(blocks) == 20
    with pytest.raises(ImportRefused, match="no row in it that can be read"):
        read({"request_id": "0" * 8 + "-0000-0000-0000-" + "0" * 12, "lease_id": ""}, *blocks)
    role = "auth/approle/role/dev"
    paths = {2: role, 10: f"{role}/secret-id-accessor/lookup", 13: "elsewhere"}
    found = read(*({"path": paths[at]} | blocks[at] for at in paths))
    assert [(i.uid, i.nhi_detail) for i in of(found, Identity)] == [(role, "openbao.approle")]
    (credential,) = of(found, Credential)
    assert credential.uid == "2be760a4-86bb-2fa9-1637-1b7fa9ba2896"
    assert (credential.created_at, credential.expires_state) == ("2023-02-10T18:17:27Z", "none")
    assert len(of(found, Problem)) == 1
    for secret in ("841771dc-11c9-bbc7-bcac-6a3945a69cd9", "5b1a0318-679c-9c45-e5c6-d1b9a9035d49"):
        assert secret not in str(found)


def test_the_tenant_is_the_cluster_and_else_has_to_be_named() -> None:
    entity = answer("identity/entity/id/e", id="e", aliases=[], disabled=False)
    health = answer("sys/health", cluster_id="c-1", sealed=False)
    assert of(read(health, entity, given=Context()), Source) == [Source("openbao", "c-1")]
    with pytest.raises(ImportRefused, match="--source"):
        read(entity, health, given=Context())
    with pytest.raises(ImportRefused, match="no row in it"):
        read(health, given=Context())


def test_the_sample_says_what_its_readme_says() -> None:
    found = recognised(SAMPLE.read_bytes(), NAME, Context())
    assert not of(found, Problem)
    assert {i.display_name: i.status for i in of(found, Identity) if i.kind == "service"} == {
        "orders": "enabled", "entity_orders": "enabled", "entity_old_jenkins": "disabled",
        "root …0001": "enabled",
    }  # fmt: skip
    root = [g.principal_uid for g in of(found, Grant) if g.entitlement_uid == "policy:root"]
    assert root == ["auth/gh-actions/role/deploy", "token:EXAMPLEaccessor000000001"]
    trust = next(t for t in of(found, Trust) if t.from_kind == "oidc_issuer")
    assert trust.condition == '{"repository":"example/*"}'
    assert ("auth/approle/role/orders", "team-orders@example.com") in [
        (o.identity_uid, o.handle) for o in of(found, Owner)
    ]
    assert {c.credential_detail for c in of(found, Credential)} == {
        "openbao.secret_id", "openbao.token"
    }  # fmt: skip


def dossier(uid: str, detail: str, *credentials: dict[str, Any]) -> dict[str, Any]:
    return {
        "source": {"platform": "openbao"}, "grants": [], "credentials": list(credentials),
        "identity": {"uid": uid, "display_name": uid, "nhi_detail": detail, "status": "enabled",
                     "attributes": [["policies", "a, b"]]},
    }  # fmt: skip


def test_what_can_be_undone_is_offered_first_and_a_secret_only_when_asked_for() -> None:
    secret = {"uid": "acc-1", "credential_detail": "openbao.secret_id"}
    role = dossier("auth/approle/role/ci", "openbao.approle", secret)
    assert [p.undo_class for p in plan(role, "revoke")] == ["R1", "R1"]
    assert plan(role, "revoke")[1].undo == ("bao write auth/approle/role/ci token_policies=a,b",)
    assert [p.undo_class for p in plan(role, "revoke", "acc-1")] == ["R3"]
    assert plan(role, "revoke", "acc-2") == []
    assert plan(role, "rotate") == []
    assert [p.undo_class for p in plan(dossier("e", "openbao.entity", secret), "disable")] == ["R1"]
    assert plan(dossier("auth_token_1", "openbao.auth.token"), "disable") == []


@pytest.mark.parametrize("name", ["x; id", "$(id)", "a b", "it's", "`id`", "*"])
def test_a_hostile_name_is_one_word_to_the_shell(name: str) -> None:
    role = f"auth/approle/role/{name}"
    said = "bao() { printf '<%s>' \"$@\" >&2; }; jq() { cat >/dev/null; }; "
    for found in plan(dossier(role, "openbao.approle"), "disable"):
        for lines in (found.stop, found.undo):
            done = subprocess.run(["sh", "-ec", said + "\n".join(lines)], capture_output=True,
                                  text=True, check=True, timeout=20)  # fmt: skip
            assert f"<{role}>" in done.stderr or f"<{role}/role-id>" in done.stderr


def test_every_format_is_named_as_its_file() -> None:
    assert connectors.named(NAME).howto.endswith("> openbao.jsonl")
