"""Okta, live, against a server that answers as the Management API documents it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.replay import FAULTS, TOKEN, Platform, Refuse, faults, often, served, walk

from passmuster import connectors
from passmuster.connectors import Act, Context
from passmuster.connectors.okta._live import Okta
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.model import Credential, Grant, Identity, Problem

ORG, APP, USER = "o.okta.example.com", "0oa1", "00u1"
SECRET, API_TOKEN = "client-secret-value", "api-token-value"
NONE = {"errorCode": "E0000007", "errorSummary": "Not found: Resource not found: x"}
WHEN = "2024-01-02T03:04:05.000Z"


class Org(Platform):
    """One application with a secret, a key, a scope and a role; a user with a token."""

    scheme, open_paths = "SSWS", ("/oauth2/v1/token", "/api/v1/users/me")

    def __init__(self) -> None:
        super().__init__()
        self.app: dict[str, Any] = {"id": APP, "label": "sync", "status": "ACTIVE",
                                    "signOnMode": "OPENID_CONNECT", "created": WHEN}  # fmt: skip
        self.credentials: dict[str, dict[str, dict[str, Any]]] = {
            "secrets": {"ocs1": {"id": "ocs1", "status": "ACTIVE", "client_secret": SECRET,
                                 "secret_hash": "h4sh", "created": WHEN}},
            "jwks": {"pks1": {"id": "pks1", "kid": "k", "kty": "RSA", "status": "ACTIVE",
                              "created": WHEN}},
        }  # fmt: skip
        self.user = {"id": USER, "status": "ACTIVE"}
        self.tokens = {"00T1": {
            "id": "00T1", "name": "sync", "userId": USER, "tokenWindow": "P30D",
            "created": WHEN, "lastUpdated": "2026-11-01T00:00:00.000Z",
            "expiresAt": "2026-12-01T00:00:00.000Z", "clientName": "Okta API",
        }}  # fmt: skip
        self.lists: dict[str, list[dict[str, Any]]] = {
            f"/api/v1/apps/{APP}/grants": [
                {"id": "g1", "scopeId": "okta.users.read", "issuer": f"https://{ORG}",
                 "clientId": APP, "created": WHEN}],
            f"/oauth2/v1/clients/{APP}/roles": [
                {"id": "r1", "type": "APP_ADMIN", "label": "Application Administrator",
                 "assignmentType": "CLIENT", "created": WHEN},
                {"id": "r2", "type": "CUSTOM", "label": "c", "role": "cr0", "resource-set": "iam4",
                 "assignmentType": "CLIENT", "created": WHEN}],
        }  # fmt: skip

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        if path in ("/oauth2/v1/token", "/api/v1/users/me"):
            return self._login(path, body)
        for start in self.lists:
            if path.startswith(start):
                return self._list(method, start, path[len(start) :].strip("/"), body)
        if path.startswith("/api/v1/api-tokens"):
            return self._token(method, path.rpartition("/")[2])
        return self._apps(query) if path == "/api/v1/apps" else self._one(method, path)

    def _one(self, method: str, path: str) -> Any:
        thing, _, verb = path.partition("/lifecycle/")
        found = self._thing(thing)
        if method == "DELETE":
            del self.credentials["secrets"][found["id"]]
            return None
        if not verb:
            return found
        states = {"deactivate": "INACTIVE", "activate": "ACTIVE", "suspend": "SUSPENDED",
                  "unsuspend": "ACTIVE"}  # fmt: skip
        if found["status"] == states[verb]:
            raise Refuse(400, {"errorCode": "E0000001", "errorSummary": "already so"})
        found["status"] = states[verb]
        return {}

    def _thing(self, path: str) -> Any:
        base = f"/api/v1/apps/{APP}"
        if path in (base, f"/api/v1/users/{USER}"):
            return self.app if path == base else self.user
        sort, _, uid = path.removeprefix(f"{base}/credentials/").partition("/")
        if not uid:
            return list(self.credentials[sort].values())
        if uid not in self.credentials.get(sort, {}):
            raise Refuse(404, NONE)
        return self.credentials[sort][uid]

    def _apps(self, query: dict[str, str]) -> Any:
        linked = {**self.app, "_links": {"users": {"href": f"https://{ORG}/api/v1/apps/x/users"}}}
        if "after" in query:
            return [linked]
        other = {**linked, "id": "0oa2", "signOnMode": "SAML_2_0"}
        return [other], {"Link": f'<{self.url}/api/v1/apps?after=2>; rel="next"'}

    def _token(self, method: str, uid: str) -> Any:
        if uid == "api-tokens":
            return list(self.tokens.values())
        if uid not in self.tokens:
            raise Refuse(404, NONE)
        return self.tokens.pop(uid) and None if method == "DELETE" else self.tokens[uid]

    def _list(self, method: str, of: str, rest: str, body: Any) -> Any:
        if method == "POST":
            made = {"id": f"new{len(self.asked)}", "created": WHEN, "clientId": APP}
            self.lists[of].append({**made, **body})
        elif method == "DELETE":
            self.lists[of] = [e for e in self.lists[of] if e["id"] != rest]
            return None
        host = f"https://{ORG}{of}"
        return [{**e, "_links": {"assignee": {"href": host}}} for e in self.lists[of]]

    def _login(self, path: str, body: Any) -> Any:
        if path.endswith("/me"):
            if "00T1" not in self.tokens or self.user["status"] != "ACTIVE":
                raise Refuse(401, {"errorCode": "E0000011", "errorSummary": "Invalid token"})
            return {"id": USER}
        secret = self.credentials["secrets"].get("ocs1", {})
        on = secret.get("status") == "ACTIVE" == self.app["status"]
        if not on or body["client_secret"] != SECRET:
            raise Refuse(401, {"error": "invalid_client", "error_description": "is invalid."})
        raise Refuse(400, {"error": "invalid_scope", "error_description": "no scope is allowed"})


ACTS = {
    "app": Act("okta.app.status", {"app": APP}, {"status": "INACTIVE"}),
    "secret": Act("okta.credential.status", {"app": APP, "sort": "secrets", "id": "ocs1"},
                   {"status": "INACTIVE"}),
    "key": Act("okta.credential.status", {"app": APP, "sort": "jwks", "id": "pks1"},
                {"status": "INACTIVE"}),
    "user": Act("okta.user.status", {"user": USER}, {"status": "SUSPENDED"}),
    "scope": Act("okta.scope", {"app": APP, "scope": "okta.users.read"}, None),
    "role": Act("okta.role", {"of": "clients", "id": APP, "role": "APP_ADMIN", "set": ""}, None),
    "custom role": Act("okta.role", {"of": "clients", "id": APP, "role": "cr0", "set": "iam4"},
                        None),
}  # fmt: skip
DELETE = Act("okta.api_token", {"token": "00T1"}, None)


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch) -> Iterator[Org]:
    with served(Org(), monkeypatch) as platform:
        assert isinstance(platform, Org)
        yield platform


@pytest.fixture
def live(org: Org) -> Iterator[Okta]:
    found = connectors.connect(org.where(f"okta:{ORG}"))
    assert isinstance(found, Okta)
    yield found
    found.close()


@pytest.mark.parametrize("name", ACTS)
def test_what_is_stopped_is_read_back_and_put_back(name: str, live: Okta) -> None:
    walk(live, ACTS[name])


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", often(ACTS))
def test_a_fault_at_any_verb_is_a_named_error_and_nothing_is_done_twice(
    name: str, fault: str, live: Okta, org: Org
) -> None:
    faults(live, org, ACTS[name], fault)


def test_a_token_is_deleted_once_and_never_put_back(live: Okta, org: Org) -> None:
    saved = live.read(DELETE)
    assert live.refused(DELETE, API_TOKEN)[0] == "works"
    for _ in range(2):
        live.write(DELETE, None)
        assert live.read(DELETE) is None
    assert org.changes == [("DELETE", "/api/v1/api-tokens/00T1", None)]
    assert live.refused(DELETE, API_TOKEN)[0] == "refused"
    with pytest.raises(Declined, match="cannot be put back"):
        live.write(DELETE, saved)


def test_the_platform_refuses_what_was_switched_off_and_takes_it_again(live: Okta) -> None:
    for name, secret in (("secret", SECRET), ("app", SECRET), ("user", API_TOKEN)):
        act = ACTS[name]
        saved = live.read(act)
        assert live.refused(act, secret)[0] == "works"
        live.write(act, act.wanted)
        verdict, words = live.refused(act, secret)
        assert verdict == "refused"
        assert secret not in words
        live.write(act, saved)
        assert live.refused(act, secret)[0] == "works"
    assert live.refused(ACTS["secret"], "line\nbreak")[0] == "unknown"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_while_the_secret_is_tried_is_no_refusal(fault: str, live: Okta, org: Org) -> None:
    org.fault = fault
    assert live.refused(ACTS["secret"], SECRET)[0] in ("unknown", "works")


def test_a_user_in_another_state_is_left_in_it(live: Okta, org: Org) -> None:
    org.user["status"] = "DEPROVISIONED"
    with pytest.raises(Declined) as found:
        live.write(ACTS["user"], {"status": "SUSPENDED"})
    assert found.value.status == 409
    assert not org.changes


def test_an_org_goes_by_its_domain(org: Org) -> None:
    for name in ("okta:", "okta:example", "okta:a.example.com/x"):
        with pytest.raises(UsageError):
            connectors.connect(org.where(name))


def test_the_collected_files_are_read_and_hold_no_secret(org: Org, tmp_path: Path) -> None:
    connectors.collect(org.where(f"okta:{ORG}"), tmp_path)
    records: list[Any] = []
    names = set()
    for path in sorted(tmp_path.glob("*.json")):
        data = path.read_bytes()
        assert SECRET.encode() not in data
        assert b"h4sh" not in data
        assert TOKEN.encode() not in data
        fmt = connectors.recognise(data[: connectors.SNIFF_BYTES], path.name)
        names.add(fmt.name)
        with path.open("rb") as stream:
            records += connectors.read(fmt, stream, Context(ORG))
    assert len(names) == 5
    assert not [r for r in records if type(r) is Problem]
    assert {r.uid for r in records if type(r) is Identity} == {APP, "0oa2", USER}
    assert {r.uid for r in records if type(r) is Credential} == {"ocs1", "pks1", "00T1"}
    assert {r.entitlement_uid for r in records if type(r) is Grant} == {
        "scope:okta.users.read", "role:APP_ADMIN", "role:cr0@iam4",
    }  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_collection_that_fails_is_an_error(fault: str, org: Org, tmp_path: Path) -> None:
    org.fault = fault
    if fault in ("500", "half", "none"):
        connectors.collect(org.where(f"okta:{ORG}"), tmp_path)  # asked again, and answered
    else:
        with pytest.raises(Unreachable):
            connectors.collect(org.where(f"okta:{ORG}"), tmp_path)
