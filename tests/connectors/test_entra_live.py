"""Entra and Azure, live, against a server that answers as Graph and ARM document it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.replay import FAULTS, Platform, Refuse, faults, often, served, walk

from passmuster import connectors
from passmuster.connectors import Act, Context
from passmuster.connectors.entra._live import Entra
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.model import Credential, Grant, Identity, Owner, Problem, Trust

TENANT = "aaaaaaaa-0000-4000-8000-00000000000a"
APP, OBJECT, PRINCIPAL = (f"{n}0000000-0000-4000-8000-000000000001" for n in "123")
GRAPH, ROLE = "90000000-0000-4000-8000-000000000009", "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8"
KEY, CERT, OTHER = (f"{n}1111111-0000-4000-8000-000000000001" for n in "456")
SUBSCRIPTION = "70000000-0000-4000-8000-000000000007"
AZURE = (f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments/"
         "80000000-0000-4000-8000-000000000008")  # fmt: skip
ADMIN = "29232cdf-9323-42fd-ade2-1d097af3e4de"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
NONE = {"error": {"code": "Request_ResourceNotFound", "message": "it does not exist"}}
SECRET = "the-secret-itself"


class Graph(Platform):
    """One application with its service principal, and what they have."""

    open_paths = (f"/{TENANT}/oauth2",)

    def __init__(self) -> None:
        super().__init__()
        self.app: dict[str, Any] = {
            "id": OBJECT, "appId": APP, "displayName": "billing", "signInAudience": "AzureADMyOrg",
            "createdDateTime": "2024-01-02T03:04:05Z", "requiredResourceAccess": [],
            "passwordCredentials": [{
                "keyId": KEY, "displayName": "ci", "hint": "Ab1", "secretText": None,
                "startDateTime": "2025-01-01T00:00:00Z", "endDateTime": "2027-01-01T00:00:00Z",
            }],
            "keyCredentials": [
                {"keyId": k, "displayName": f"CN={k[0]}", "type": "AsymmetricX509Cert",
                 "usage": "Verify", "key": "cHVibGlj", "startDateTime": "2025-01-01T00:00:00Z",
                 "endDateTime": "2027-01-01T00:00:00Z"} for k in (CERT, OTHER)
            ],
            "owners": [{"id": "x", "displayName": "A", "userPrincipalName": "a@example.com"}],
        }  # fmt: skip
        self.enabled = True
        self.federated: dict[str, Any] = {"main": {
            "id": "f-1", "name": "main", "issuer": "https://token.actions.githubusercontent.com",
            "subject": "repo:example-org/app:ref:refs/heads/main", "description": None,
            "audiences": ["api://AzureADTokenExchange"],
        }}  # fmt: skip
        self.roles = [{"id": "r-1", "principalId": PRINCIPAL, "resourceId": GRAPH,
                       "appRoleId": ROLE, "principalType": "ServicePrincipal",
                       "resourceDisplayName": "Microsoft Graph"}]  # fmt: skip
        self.grants = [{"id": "g-1", "clientId": PRINCIPAL, "resourceId": GRAPH,
                        "consentType": "AllPrincipals", "principalId": None,
                        "scope": "User.Read Mail.Send"}]  # fmt: skip
        self.azure: dict[str, Any] = {AZURE: {
            "roleDefinitionId": f"/subscriptions/{SUBSCRIPTION}/providers/"
            f"Microsoft.Authorization/roleDefinitions/{OWNER}",
            "principalId": PRINCIPAL, "principalType": "ServicePrincipal",
        }}  # fmt: skip
        self.directory = [{"id": "d-1", "principalId": PRINCIPAL, "directoryScopeId": "/",
                           "roleDefinitionId": ADMIN}]  # fmt: skip
        self.made = 0

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Any:
        for start, make in (
            (f"/{TENANT}/oauth2/v2.0/token", self._token),
            (f"/applications(appId='{APP}')/federatedIdentityCredentials", self._federated),
            (f"/applications(appId='{APP}')", self._application),
            ("/applications", self._applications),
            (f"/servicePrincipals(appId='{APP}')", self._enabled),
            ("/roleManagement/directory/roleAssignments", self._directory),
            (f"/servicePrincipals/{PRINCIPAL}/appRoleAssignments", self._assigned),
            ("/servicePrincipals", self._principals),
            ("/oauth2PermissionGrants", self._granted), ("/subscriptions", self._arm),
        ):  # fmt: skip
            if path.startswith(start):
                return make(method, path[len(start) :].strip("/"), query, body)
        raise Refuse(404, NONE)

    def _token(self, method: str, rest: str, query: dict[str, str], body: Any) -> Any:
        assert body["scope"] == "https://graph.microsoft.com/.default"
        code = None if self.enabled else "AADSTS7000112: Application 'x' is disabled."
        if not self.app["passwordCredentials"] or body["client_secret"] != SECRET:
            code = "AADSTS7000215: Invalid client secret provided."
        if code:
            raise Refuse(401, {"error": "invalid_client", "error_description": code})
        return {"token_type": "Bearer", "access_token": "x"}

    def _application(self, method: str, rest: str, query: dict[str, str], body: Any) -> Any:
        if method == "PATCH":
            self.app |= body
            return None
        if rest == "removePassword":
            every = self.app["passwordCredentials"]
            kept = [c for c in every if c["keyId"] != body["keyId"]]
            if len(kept) == len(every):
                raise Refuse(400, NONE)
            self.app["passwordCredentials"] = kept
            return None
        return {k: self.app[k] for k in query["$select"].split(",")}

    def _applications(self, method: str, rest: str, query: dict[str, str], body: Any) -> Any:
        if rest:
            raise Refuse(404, NONE)
        if "federated" in query["$expand"]:
            every = list(self.federated.values())
            return {"value": [{"appId": APP, "federatedIdentityCredentials": every}]}
        if "$skiptoken" in query:
            return {"value": [self.app]}
        more = f"{self.url}/applications?$expand=owners&$skiptoken=2"
        first = {**self.app, "id": "o2", "appId": "20000000-0000-4000-8000-000000000022",
                 "passwordCredentials": [], "keyCredentials": [], "owners": []}  # fmt: skip
        return {"value": [first], "@odata.nextLink": more}

    def _principals(self, method: str, rest: str, query: dict[str, str], body: Any) -> Any:
        if rest:
            raise Refuse(404, NONE)
        microsoft = {"id": GRAPH, "appId": "00000003-0000-0000-c000-000000000000",
                     "displayName": "Microsoft Graph", "servicePrincipalType": "Application",
                     "accountEnabled": True,
                     "appOwnerOrganizationId": "f8cdef31-a31e-4b4a-93e4-5f571e91255a"}  # fmt: skip
        mine = {"id": PRINCIPAL, "appId": APP, "displayName": "billing",
                "servicePrincipalType": "Application", "accountEnabled": self.enabled,
                "appOwnerOrganizationId": TENANT}  # fmt: skip
        return {"value": [microsoft, mine]}

    def _enabled(self, method: str, rest: str, query: dict[str, str], body: Any) -> Any:
        if method == "PATCH":
            self.enabled = body["accountEnabled"]
            return None
        return {"id": PRINCIPAL, "accountEnabled": self.enabled}

    def _federated(self, method: str, rest: str, query: dict[str, str], body: Any) -> Any:
        if method == "POST":
            if body["name"] in self.federated:
                raise Refuse(409, NONE)
            self.made += 1
            self.federated[body["name"]] = {"id": f"new-{self.made}", "description": None, **body}
        elif rest not in self.federated:
            raise Refuse(404, NONE)
        elif method == "DELETE":
            del self.federated[rest]
            return None
        return self.federated[rest or body["name"]]

    def _directory(self, method: str, rest: str, query: dict[str, str], body: Any) -> Any:
        if method == "POST":
            self.made += 1
            self.directory.append({"id": f"d-{self.made + 1}", **body})
        elif method == "DELETE":
            self.directory = [d for d in self.directory if d["id"] != rest]
            return None
        named = {"roleDefinition": {"displayName": "Exchange Administrator"}}
        return {"value": [d | named if "$expand" in query else d for d in self.directory]}

    def _assigned(self, method: str, rest: str, query: dict[str, str], body: Any) -> Any:
        if method == "POST":
            self.made += 1
            self.roles.append({"id": f"r-{self.made}", **body})
        elif method == "DELETE":
            self.roles = [r for r in self.roles if r["id"] != rest]
            return None
        return {"value": self.roles}

    def _granted(self, method: str, rest: str, query: dict[str, str], body: Any) -> Any:
        if "$filter" in query:
            assert query["$filter"] == f"clientId eq '{PRINCIPAL}' and resourceId eq '{GRAPH}'"
        if method == "POST":
            self.grants.append({"id": "g-2", "principalId": None, **body})
        elif method == "PATCH":
            next(g for g in self.grants if g["id"] == rest)["scope"] = body["scope"]
        elif method == "DELETE":
            self.grants = [g for g in self.grants if g["id"] != rest]
        return {"value": self.grants} if method == "GET" else None

    def _arm(self, method: str, rest: str, query: dict[str, str], body: Any) -> Any:
        assert "api-version" in query
        at = f"/subscriptions/{rest}"
        if not rest:
            return {"value": [{"subscriptionId": SUBSCRIPTION}]}
        if rest.endswith("/roleDefinitions"):
            return {"value": [{"id": f"/x/{OWNER.upper()}", "properties": {"roleName": "Owner"}}]}
        if rest.endswith("/roleAssignments"):
            return {"value": [{"id": k, "name": k[-36:], "properties": {**v, "scope": "/s"}}
                              for k, v in self.azure.items()]}  # fmt: skip
        if method == "PUT":
            if at in self.azure:
                raise Refuse(409, NONE)
            self.azure[at] = body["properties"]
        elif method == "DELETE":
            self.azure.pop(at, None)
            return None
        if at not in self.azure:
            raise Refuse(404, NONE)
        return {"id": at, "properties": {**self.azure[at], "createdOn": "2024-01-01T00:00:00Z"}}


ACTS = {a.name: a for a in (
    Act("entra.service_principal.enabled", {"app": APP}, {"accountEnabled": False}),
    Act("entra.certificate", {"app": APP, "key": CERT, "at": "applications"}, None),
    Act("entra.federated_credential", {"app": APP, "name": "main"}, None),
    Act("entra.app_role", {"principal": PRINCIPAL, "resource": GRAPH, "role": ROLE}, None),
    Act("entra.directory_role", {"principal": PRINCIPAL, "role": ADMIN, "scope": "/"}, None),
    Act("entra.consent", {"client": PRINCIPAL, "resource": GRAPH, "user": ""},
        {"scope": "User.Read"}),
    Act("entra.azure_role", {"id": AZURE}, None),
)}  # fmt: skip
SECRET_ACT = Act("entra.secret", {"app": APP, "key": KEY, "at": "applications"}, None)


@pytest.fixture
def graph(monkeypatch: pytest.MonkeyPatch) -> Iterator[Graph]:
    with served(Graph(), monkeypatch) as platform:
        assert isinstance(platform, Graph)
        yield platform


@pytest.fixture
def live(graph: Graph) -> Iterator[Entra]:
    found = connectors.connect(graph.where(f"entra:{TENANT}"))
    assert isinstance(found, Entra)
    yield found
    found.close()


@pytest.mark.parametrize("name", ACTS)
def test_what_is_stopped_is_read_back_and_put_back(name: str, live: Entra) -> None:
    walk(live, ACTS[name])


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", often(ACTS))
def test_a_fault_at_any_verb_is_a_named_error_and_nothing_is_done_twice(
    name: str, fault: str, live: Entra, graph: Graph
) -> None:
    faults(live, graph, ACTS[name], fault)


def test_a_whole_consent_is_deleted_and_made_again(live: Entra, graph: Graph) -> None:
    graph.grants[0]["scope"] = "User.Read"
    walk(live, replace(ACTS["entra.consent"], wanted=None))
    assert graph.grants[0]["consentType"] == "AllPrincipals"


def test_a_secret_is_destroyed_once_and_never_put_back(live: Entra, graph: Graph) -> None:
    saved = live.read(SECRET_ACT)
    assert saved
    assert "secretText" not in saved
    for _ in range(2):
        live.write(SECRET_ACT, None)
        assert live.read(SECRET_ACT) is None
    assert len(graph.changes) == 1
    with pytest.raises(Declined, match="cannot be put back"):
        live.write(SECRET_ACT, saved)


def test_taking_one_certificate_away_keeps_the_other_with_its_key(
    live: Entra, graph: Graph
) -> None:
    live.write(ACTS["entra.certificate"], None)
    assert [c["keyId"] for c in graph.app["keyCredentials"]] == [OTHER]
    assert graph.app["keyCredentials"][0]["key"]


def test_the_platform_refuses_a_disabled_application_and_a_destroyed_secret(live: Entra) -> None:
    act = ACTS["entra.service_principal.enabled"]
    assert live.refused(act, SECRET)[0] == "works"
    assert live.refused(act, "a wrong one")[0] == "unknown"
    live.write(act, {"accountEnabled": False})
    verdict, words = live.refused(act, SECRET)
    assert (verdict, "AADSTS7000112" in words) == ("refused", True)
    live.write(act, {"accountEnabled": True})
    live.write(SECRET_ACT, None)
    assert live.refused(SECRET_ACT, SECRET)[0] == "refused"
    assert SECRET not in str(live.refused(SECRET_ACT, SECRET))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_while_the_secret_is_tried_is_no_refusal(
    fault: str, live: Entra, graph: Graph
) -> None:
    graph.fault = fault
    assert live.refused(SECRET_ACT, SECRET)[0] == "unknown"


def test_a_login_without_rights_is_declined_and_its_token_in_no_word(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = replace(graph.where(f"entra:{TENANT}"), secret=lambda _n, _c: "another")
    live = connectors.connect(where)
    with pytest.raises(Declined) as found:
        live.read(SECRET_ACT)
    assert found.value.status == 401
    assert "another" not in str(found.value)
    live.close()
    with pytest.raises(UsageError):
        connectors.connect(graph.where("entra:"))


def test_the_collected_files_are_read_as_the_vendors_own(graph: Graph, tmp_path: Path) -> None:
    connectors.collect(graph.where(f"entra:{TENANT}"), tmp_path)
    records: list[Any] = []
    names = set()
    for path in sorted(tmp_path.glob("*.json")):
        fmt = connectors.recognise(path.read_bytes()[: connectors.SNIFF_BYTES], path.name)
        names.add(fmt.name)
        with path.open("rb") as stream:
            records += connectors.read(fmt, stream, Context(TENANT))
    assert len(names) == 5
    assert not [r for r in records if type(r) is Problem]
    (mine,) = [r for r in records if type(r) is Identity and r.uid == APP and r.uid_alt]
    assert (mine.status, mine.is_external, mine.uid_alt) == ("enabled", 0, PRINCIPAL)
    assert {r.handle for r in records if type(r) is Owner} == {"a@example.com"}
    assert len([r for r in records if type(r) is Credential]) == 4
    assert [r.subject_pattern for r in records if type(r) is Trust] == [
        "repo:example-org/app:ref:refs/heads/main"
    ]
    held = {r.entitlement_uid for r in records if type(r) is Grant}
    assert held == {f"{GRAPH}/{ROLE}", f"{GRAPH}/User.Read", f"{GRAPH}/Mail.Send",
                    f"azure-role:{OWNER}@/s", f"directory-role:{ADMIN}"}  # fmt: skip
    assert json.loads((tmp_path / "role-assignments.json").read_text())[1][
        "roleDefinitionName"] == "Owner"  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_collection_that_fails_is_an_error(fault: str, graph: Graph, tmp_path: Path) -> None:
    graph.fault = fault
    if fault in ("500", "half", "none"):
        connectors.collect(graph.where(f"entra:{TENANT}"), tmp_path)  # asked again, and answered
    else:
        with pytest.raises(Unreachable):
            connectors.collect(graph.where(f"entra:{TENANT}"), tmp_path)
