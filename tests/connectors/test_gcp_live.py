"""Google Cloud, live, against a server that answers as IAM and Resource Manager document it."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.replay import FAULTS, Platform, Refuse, faults, often, served, walk

from passmuster import connectors
from passmuster.connectors import Act, Context
from passmuster.connectors.gcp._live import Google
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.model import Credential, Grant, Identity, Problem, Trust

PROJECT, EMAIL = "shop-prod", "export@shop-prod.iam.gserviceaccount.com"
KEY = "0123456789abcdef0123456789abcdef01234567"
POOL = "projects/42/locations/global/workloadIdentityPools/ci"
PROVIDER = f"{POOL}/providers/github"
MEMBER = f"serviceAccount:{EMAIL}"
NONE = {"error": {"code": 404, "message": "Unknown service account", "status": "NOT_FOUND"}}


class Cloud(Platform):
    """One project: an account with a key, a policy, an identity provider."""

    open_paths, questions = ("/token",), (":getIamPolicy",)

    def __init__(self) -> None:
        super().__init__()
        self.account: dict[str, Any] = {
            "name": f"projects/{PROJECT}/serviceAccounts/{EMAIL}", "projectId": PROJECT,
            "uniqueId": "111", "email": EMAIL, "displayName": "export", "etag": "x",
        }  # fmt: skip
        name = f"{self.account['name']}/keys"
        self.keys: dict[str, dict[str, Any]] = {
            KEY: {"name": f"{name}/{KEY}", "keyType": "USER_MANAGED", "keyAlgorithm": "K",
                  "validAfterTime": "2024-01-02T03:04:05Z",
                  "validBeforeTime": "9999-12-31T23:59:59Z"},
            "sys": {"name": f"{name}/sys", "keyType": "SYSTEM_MANAGED", "keyAlgorithm": "K",
                    "validAfterTime": "2026-01-02T03:04:05Z",
                    "validBeforeTime": "2026-01-18T03:04:05Z"},
        }  # fmt: skip
        self.provider: dict[str, Any] = {
            "name": PROVIDER, "state": "ACTIVE",
            "oidc": {"issuerUri": "https://token.actions.githubusercontent.com"},
        }  # fmt: skip
        self.bindings: list[dict[str, Any]] = [
            {"role": "roles/owner", "members": ["user:a@example.com"]},
            {"role": "roles/editor", "members": [MEMBER, "user:a@example.com"]},
            {"role": "roles/editor", "members": [MEMBER],
             "condition": {"title": "until", "expression": "request.time < x"}},
        ]  # fmt: skip
        self.etag = 1
        self.wrote_between = self.clock_is_wrong = False

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        accounts = f"/projects/{PROJECT}/serviceAccounts/{EMAIL}"
        if path == "/token":
            return self._token(body)
        if path.startswith(f"{accounts}/keys"):
            return self._key(method, path.removeprefix(f"{accounts}/keys").strip("/"))
        verb = path.removeprefix(accounts)
        if verb == ":getIamPolicy":
            member = f"principalSet://iam.googleapis.com/{POOL}/attribute.repository/o/r"
            return {"etag": "y", "bindings": [
                {"role": "roles/iam.workloadIdentityUser", "members": [member]}]}  # fmt: skip
        if verb in ("", ":disable", ":enable"):
            if verb:
                self.account["disabled"] = verb == ":disable"
            return self.account
        if path == f"/{PROVIDER}":
            return self._provider(method, query, body)
        return self._lists(path, query, body)

    def _provider(self, method: str, query: dict[str, str], body: Any) -> Any:
        if method == "PATCH":
            assert query == {"updateMask": "disabled"}
            self.provider |= body
            return {"name": "operations/1", "done": False}
        return self.provider

    def _lists(self, path: str, query: dict[str, str], body: Any) -> Any:
        if path == f"/projects/{PROJECT}/serviceAccounts":
            if "pageToken" not in query:
                other = {**self.account, "uniqueId": "222", "email": EMAIL, "disabled": True}
                return {"accounts": [other], "nextPageToken": "n/2"}
            assert query["pageToken"] == "n/2"
            return {"accounts": [self.account]}
        if path.endswith("/workloadIdentityPools"):
            return {"workloadIdentityPools": [{"name": POOL}]}
        if path.endswith("/providers"):
            return {"workloadIdentityPoolProviders": [self.provider]}
        if path == f"/projects/{PROJECT}:getIamPolicy":
            assert body == {"options": {"requestedPolicyVersion": 3}}
            found = {"version": 3, "etag": f"e{self.etag}", "bindings": self.bindings}
            self.etag += self.wrote_between
            return json.loads(json.dumps(found))
        if path == f"/projects/{PROJECT}:setIamPolicy":
            if body["policy"]["etag"] != f"e{self.etag}":
                raise Refuse(409, {"error": {"message": "concurrent policy changes"}})
            self.etag += 1
            self.bindings = body["policy"]["bindings"]
            return body["policy"]
        raise Refuse(404, NONE)

    def _key(self, method: str, rest: str) -> Any:
        uid, _, verb = rest.partition(":")
        if not uid:
            return {"keys": list(self.keys.values())}
        if uid not in self.keys:
            raise Refuse(404, NONE)
        if method == "DELETE":
            del self.keys[uid]
            return {}
        if verb:
            self.keys[uid]["disabled"] = verb == "disable"
            return {}
        return self.keys[uid]

    def _token(self, body: Any) -> Any:
        if self.clock_is_wrong:
            why = "Invalid JWT: Token must be a short-lived token (60 minutes)"
            raise Refuse(400, {"error": "invalid_grant", "error_description": why})
        assert body["assertion"].count(".") == 2
        off = self.account.get("disabled") or KEY not in self.keys or self.keys[KEY].get("disabled")
        if off:
            raise Refuse(
                400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
            )
        return {"access_token": "x", "expires_in": 3599}


ACTS = {a.name + (" if" if a.on.get("condition") else ""): a for a in (
    Act("gcp.service_account.disabled", {"account": EMAIL}, {"disabled": True}),
    Act("gcp.key.disabled", {"account": EMAIL, "key": KEY}, {"disabled": True}),
    Act("gcp.provider.disabled", {"provider": PROVIDER}, {"disabled": True}),
    Act("gcp.binding", {"project": PROJECT, "role": "roles/editor", "member": MEMBER,
                        "condition": ""}, None),
    Act("gcp.binding", {"project": PROJECT, "role": "roles/editor", "member": MEMBER,
                        "condition": "request.time < x"}, None),
)}  # fmt: skip
DELETE = Act("gcp.key", {"account": EMAIL, "key": KEY}, None)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with served(Cloud(), monkeypatch) as platform:
        assert isinstance(platform, Cloud)
        yield platform


@pytest.fixture
def live(cloud: Cloud) -> Iterator[Google]:
    found = connectors.connect(cloud.where(f"gcp:{PROJECT}"))
    assert isinstance(found, Google)
    yield found
    found.close()


@cache
def key_file(key: str = KEY) -> str:
    from cryptography.hazmat.primitives import serialization as to
    from cryptography.hazmat.primitives.asymmetric import rsa

    made = rsa.generate_private_key(65537, 2048)
    pem = made.private_bytes(to.Encoding.PEM, to.PrivateFormat.PKCS8, to.NoEncryption())
    return json.dumps({"client_email": EMAIL, "private_key_id": key, "private_key": pem.decode()})


@pytest.mark.parametrize("name", ACTS)
def test_what_is_stopped_is_read_back_and_put_back(name: str, live: Google) -> None:
    walk(live, ACTS[name])


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", often(ACTS))
def test_a_fault_at_any_verb_is_a_named_error_and_nothing_is_done_twice(
    name: str, fault: str, live: Google, cloud: Cloud
) -> None:
    faults(live, cloud, ACTS[name], fault)


def test_taking_a_member_out_leaves_the_others_and_the_other_condition(
    live: Google, cloud: Cloud
) -> None:
    live.write(ACTS["gcp.binding"], None)
    assert cloud.bindings[1] == {"role": "roles/editor", "members": ["user:a@example.com"]}
    assert cloud.bindings[2]["members"] == [MEMBER]
    live.write(ACTS["gcp.binding if"], None)
    assert len(cloud.bindings) == 2


def test_a_policy_that_somebody_else_changed_in_between_is_not_overwritten(
    live: Google, cloud: Cloud
) -> None:
    cloud.wrote_between = True
    with pytest.raises(Declined) as found:
        live.write(ACTS["gcp.binding"], None)
    assert found.value.status == 409
    assert cloud.bindings[1]["members"][0] == MEMBER


def test_a_key_is_deleted_once_and_never_put_back(live: Google, cloud: Cloud) -> None:
    saved = live.read(DELETE)
    for _ in range(2):
        live.write(DELETE, None)
        assert live.read(DELETE) is None
    assert [c[0] for c in cloud.changes] == ["DELETE"]
    with pytest.raises(Declined, match="cannot be put back"):
        live.write(DELETE, saved)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_while_the_key_is_tried_is_no_refusal(
    fault: str, live: Google, cloud: Cloud
) -> None:
    cloud.fault = fault
    assert live.refused(ACTS["gcp.key.disabled"], key_file())[0] == "unknown"


def test_the_platform_refuses_a_disabled_key_and_takes_it_again(live: Google, cloud: Cloud) -> None:
    act, secret = ACTS["gcp.key.disabled"], key_file()
    assert live.refused(act, secret)[0] == "works"
    live.write(act, {"disabled": True})
    verdict, words = live.refused(act, secret)
    assert (verdict, "Invalid JWT" in words) == ("refused", True)
    live.write(act, {"disabled": False})
    assert live.refused(act, secret)[0] == "works"
    cloud.clock_is_wrong = True
    assert live.refused(act, secret)[0] == "unknown"
    for other in ("no JSON", json.dumps({"client_email": EMAIL}), key_file("another")):
        assert live.refused(act, other) == (
            "unknown", "what was given is not the key file of this account",
        )  # fmt: skip


def test_a_source_that_names_no_project_is_a_mistake(cloud: Cloud) -> None:
    with pytest.raises(UsageError):
        connectors.connect(cloud.where("gcp:"))


def test_the_collected_files_are_read_as_the_vendors_own(cloud: Cloud, tmp_path: Path) -> None:
    connectors.collect(cloud.where(f"gcp:{PROJECT}"), tmp_path)
    records: list[Any] = []
    names = set()
    for path in sorted(tmp_path.glob("*.json")):
        fmt = connectors.recognise(path.read_bytes()[: connectors.SNIFF_BYTES], path.name)
        names.add(fmt.name)
        with path.open("rb") as stream:
            records += connectors.read(fmt, stream, Context(PROJECT))
    assert len(names) == 5
    assert not [r for r in records if type(r) is Problem]
    accounts = [r for r in records if type(r) is Identity and r.uid_alt == EMAIL]
    assert {(a.uid, a.status) for a in accounts} == {("111", "enabled"), ("222", "disabled")}
    keys = {r.uid: r.credential_detail for r in records if type(r) is Credential}
    assert keys == {KEY: "gcp.service_account_key", "sys": "gcp.system_managed_key"}
    trusts = {(r.to_identity_uid, r.subject_pattern) for r in records if type(r) is Trust}
    assert trusts == {("111", "attribute.repository/o/r"), ("222", "attribute.repository/o/r"),
                      (PROVIDER, None)}  # fmt: skip
    assert len([r for r in records if type(r) is Grant]) >= 4


@pytest.mark.parametrize("fault", FAULTS)
def test_a_collection_that_fails_is_an_error(fault: str, cloud: Cloud, tmp_path: Path) -> None:
    cloud.fault = fault
    if fault in ("500", "half", "none"):
        connectors.collect(cloud.where(f"gcp:{PROJECT}"), tmp_path)  # asked again, and answered
    else:
        with pytest.raises(Unreachable):
            connectors.collect(cloud.where(f"gcp:{PROJECT}"), tmp_path)
