"""Entra and Azure exports: what each spelling says, the real files' counts, and the plans."""

import json
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.exports import of, recognised
from tests.exports_cloud import application, guid

from passmuster import config, inventory, policy
from passmuster.connectors import Context, plan
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Entitlement, Grant, Identity, Owner, Problem, Source, Trust
from passmuster.store import Database

REAL = Path(__file__).parents[3] / "shared" / "realdata" / "entra"
SAMPLES = Path(__file__).parents[2] / "sample_data" / "entra"
OWN = "aaaaaaaa-0000-4000-8000-00000000000a"
TENANT = Context(OWN)


def read(value: Any, name: str, given: Context = TENANT) -> list[Any]:
    return recognised(json.dumps(value).encode(), f"entra.{name}.json", given)


def real(name: str, fmt: str) -> list[Any]:
    path = REAL / name
    if not path.exists():
        pytest.skip(f"{name} is not here")
    return recognised(path.read_bytes(), f"entra.{fmt}.json", TENANT)


def test_the_real_role_assignments_are_all_read_under_their_roles() -> None:
    records = real("cartography/azure_rbac.json", "role_assignments")
    assert not of(records, Problem)
    assert len(of(records, Grant)) == 4 + 1 + 4
    roles = {e.uid: e for e in of(records, Entitlement)}
    assert len([u for u in roles if "@" not in u]) == 3 + 1
    for grant in of(records, Grant):
        assert roles[grant.entitlement_uid].permission_level != "unknown"
    owner = next(e for e in roles.values() if e.display_name == "Owner" and e.scope)
    assert owner.permission_level == "owner"


def test_the_real_application_and_enterprise_application_are_one_each() -> None:
    (app,) = of(real("cli-m365/app-list.json", "applications"), Identity)
    assert (app.display_name, app.created_at) == ("TestAppPermissions", "2021-03-16T14:51:28Z")
    secret, certificate = of(real("cli-m365/app-list.json", "applications"), Credential)
    assert (secret.hint, secret.expires_at) == ("~03", "2022-03-16T14:58:45Z")
    assert certificate.credential_detail == "entra.certificate"
    (found,) = of(real("cli-m365/enterpriseapp-list.json", "service_principals"), Identity)
    assert (found.status, found.is_external, found.kind) == ("enabled", 1, "app")
    assert len(of(real("cli-m365/oauth2grant-list.json", "permissions"), Grant)) == 2


def test_the_real_scubagear_export_has_its_true_counts() -> None:
    records = real("scubagear-sample/entra.json", "scubagear")
    kinds = Counter(c.credential_detail for c in of(records, Credential))
    assert kinds == {
        "entra.password": 2, "entra.certificate": 1, "entra.federated_credential": 1
    }  # fmt: skip
    (trust,) = of(records, Trust)
    assert (trust.subject_pattern, trust.audience) == (
        "repo:testorg/cool-project:pull_request", "api://AzureADTokenExchange",
    )  # fmt: skip
    assert Counter(i.kind for i in of(records, Identity)) == {"human": 3, "service": 3, "app": 1}
    assert len({e.uid for e in of(records, Entitlement) if "role" in e.uid}) == 8
    assert not of(records, Problem)
    assert {c.created_at for c in of(records, Credential)} >= {"2024-12-12T00:38:42Z"}


@pytest.mark.parametrize("spell", ["Get-Mg", "sdk", "one", "pages"])
def test_every_tools_spelling_gives_the_same_records(spell: str) -> None:
    plain = application(1, "svc", "")
    want = read([plain], "applications")

    def names(value: Any, make: Any) -> Any:
        if isinstance(value, dict):
            return {make(k): names(v, make) for k, v in value.items()}
        return [names(v, make) for v in value] if isinstance(value, list) else value

    def snake(name: str) -> str:
        return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)

    if spell == "Get-Mg":
        written: Any = names(plain, lambda k: k[0].upper() + k[1:])
        written["PasswordCredentials"] = written["PasswordCredentials"][0]
    elif spell == "sdk":
        written = [names(plain, snake)]
    else:
        written = plain if spell == "one" else {"@odata.context": "x", "value": [plain]}
    found = read(written, "applications")
    assert [r._replace(line=0) if "line" in r._fields else r for r in found] == [
        r._replace(line=0) if "line" in r._fields else r for r in want
    ]


def test_a_page_that_names_another_is_not_the_whole_list() -> None:
    page = {"value": [application(1, "svc", "")], "@odata.nextLink": "https://x"}
    with pytest.raises(ImportRefused, match="other pages"):
        read(page, "applications")
    both = json.dumps(page) + json.dumps({"value": [application(2, "svc", "")]})
    assert len(of(recognised(both.encode(), "entra.applications.json", TENANT), Identity)) == 2


def test_an_application_at_risk_that_holds_a_strong_role_is_told_once() -> None:
    data = (SAMPLES / "scubagear.json").read_bytes()
    uids = [i.uid for i in of(recognised(data, "entra.scubagear.json", TENANT), Identity)]
    assert len(uids) == len(set(uids)) == 2


def test_a_first_object_larger_than_what_is_sniffed_is_known_by_its_names() -> None:
    roles = [{"id": guid(n, 8), "value": f"Thing{n}.Read", "description": "x" * 90}
             for n in range(700)]  # fmt: skip
    graph = {"accountEnabled": True, "appRoles": roles, "id": guid(1, 1), "appId": guid(1, 2),
             "servicePrincipalType": "Application"}  # fmt: skip
    data = json.dumps([{"servicePrincipalNames": [], **graph}]).encode()
    assert len(data) > 100_000
    assert len(of(recognised(data.replace(b"[{", b'[{"id": "x", ', 1),
                             "entra.service_principals.json", TENANT), Identity)) == 1  # fmt: skip


def test_an_export_names_no_tenant_so_the_person_must() -> None:
    with pytest.raises(ImportRefused, match="--source"):
        read([application(1, "svc", "")], "applications", Context())
    sample = (SAMPLES / "scubagear.json").read_bytes()
    assert of(recognised(sample, "entra.scubagear.json", Context()), Source) == [
        Source("entra", OWN)
    ]


def test_an_answer_that_is_an_error_is_told_and_not_taken_for_an_empty_list() -> None:
    error = {"error": {"code": "Authorization_RequestDenied", "message": "Insufficient rights"}}
    whole = json.dumps([application(1, "svc", "")]) + json.dumps(error)
    records = recognised(whole.encode(), "entra.applications.json", TENANT)
    assert [p.why for p in of(records, Problem)] == [
        "the platform answered with an error: Insufficient rights"
    ]


@pytest.mark.parametrize(("given", "label", "external"), [
    (OWN, OWN, 0), (OWN.upper(), OWN, 0), ("b" + OWN[1:], OWN, 1), (OWN, "contoso", None),
    (None, OWN, None), ("f8cdef31-a31e-4b4a-93e4-5f571e91255a", OWN, 1),
])  # fmt: skip
def test_whose_application_it_is_tells_whether_it_is_a_third_partys(
    given: str | None, label: str, external: int | None
) -> None:
    one = {"id": guid(1, 1), "appId": guid(1, 2), "servicePrincipalType": "Application",
           "appOwnerOrganizationId": given}  # fmt: skip
    records = read([one], "service_principals", Context(label))
    (found,) = of(records, Identity)
    assert found.is_external == external
    microsoft = found.nhi_detail == "entra.microsoft_app"
    assert len(of(records, Trust)) == int(external == 1 and not microsoft)


def test_an_agent_has_its_sponsor_and_a_machine_its_managed_identity() -> None:
    data = (SAMPLES / "service-principals.json").read_bytes()
    records = recognised(data, "entra.service_principals.json", TENANT)
    kinds = {i.display_name: (i.kind, i.nhi_type) for i in of(records, Identity)}
    assert kinds["ticket-triage agent"] == ("agent", None)
    assert kinds["vm-reports"] == ("workload", "managed_identity")
    (sponsor,) = of(records, Owner)
    assert (sponsor.handle, sponsor.role) == ("tom.becker@example.com", "sponsor")


@pytest.mark.parametrize(("subject", "expression", "wild"), [
    ("repo:o/a:ref:refs/heads/main", None, 0), ("repo:o/a:*", None, 0),
    (None, "claims['sub'] matches 'repo:o/*'", 1),
])  # fmt: skip
def test_a_federated_credential_is_open_where_its_expression_is(
    subject: str | None, expression: str | None, wild: int
) -> None:
    one = {
        "id": "f", "name": "n", "issuer": "https://x", "audiences": ["a"], "subject": subject,
        "appId": guid(1, 2), "claimsMatchingExpression": expression and {"value": expression},
    }  # fmt: skip
    (trust,) = of(read([one], "federated_credentials"), Trust)
    assert (trust.is_wildcard, trust.is_external) == (wild, 1)


def test_federated_credentials_that_name_no_application_are_refused_with_the_way_out() -> None:
    one = {"id": "f", "name": "n", "issuer": "https://x", "audiences": ["a"], "subject": "s"}
    with pytest.raises(ImportRefused, match="add appId"):
        read([one], "federated_credentials")
    named = one | {"@odata.id": f"https://x/Application('{guid(1, 2)}')/federated"}
    (trust,) = of(read([named], "federated_credentials"), Trust)
    assert trust.to_identity_uid == guid(1, 2)


# What belongs together once it is in an inventory, and how it is stopped.


@pytest.fixture
def dossiers(db: Database) -> dict[str, Any]:
    from passmuster import campaigns

    for path in sorted(SAMPLES.glob("*.json")):
        inventory.import_file(db, path, now="2026-11-27T08:00:00Z", by=None, context=TENANT)
    policy.evaluate(db, config.Settings(), "2026-11-27T08:00:00Z")
    ids = [row[0] for row in db.execute("SELECT id FROM identity ORDER BY id")]
    return {d["identity"]["display_name"]: d for _, d in campaigns.dossiers(db, ids)}


def test_a_registration_and_its_service_principal_are_one_with_all_that_both_have(
    dossiers: dict[str, Any],
) -> None:
    mine = dossiers["billing-export"]
    assert mine["identity"]["is_privileged"]
    assert mine["identity"]["last_used_at"] == "2026-11-20T02:00:13Z"
    assert mine["identity"]["status"] == "enabled"
    assert {c["credential_detail"] for c in mine["credentials"]} == {"entra.password"}
    assert "Directory.ReadWrite.All on Microsoft Graph" in [
        g["display_name"] for g in mine["grants"]
    ]
    deploy = dossiers["github-deploy"]
    assert [g["display_name"] for g in deploy["grants"]] == ["Owner"]
    assert [t["from_uid"] for t in deploy["trusts"]] == [
        "https://token.actions.githubusercontent.com"
    ]


def test_the_flag_comes_first_and_every_plan_has_lines_an_act_and_a_way_back(
    dossiers: dict[str, Any],
) -> None:
    mine = dossiers["billing-export"]
    (whole,) = plan(mine, "revoke")
    assert (whole.undo_class, whole.act and whole.act.wanted) == ("R1", {"accountEnabled": False})
    assert '{"accountEnabled": true}' in whole.undo[0]
    plans = [
        p for d in dossiers.values() for part in (*d["credentials"], *d["grants"])
        for p in plan(d, "revoke", part.get("uid") or part["entitlement"])
    ]  # fmt: skip
    assert {p.act.name for p in plans if p.act} == {
        "entra.secret", "entra.certificate", "entra.federated_credential", "entra.app_role",
        "entra.consent", "entra.azure_role", "entra.directory_role",
    }  # fmt: skip
    for found in plans:
        assert bool(found.undo) == (found.undo_class != "R3")
        assert found.residual
        assert found.propagation_s
        for line in (*found.stop, *found.undo):
            assert shlex.split(line, comments=True)[0] == "az"


def test_one_scope_of_a_consent_is_taken_and_the_others_stay(dossiers: dict[str, Any]) -> None:
    polisher = dossiers["Slide Polisher"]
    scope = next(g["entitlement"] for g in polisher["grants"] if "Files" in g["display_name"])
    (found,) = plan(polisher, "revoke", scope)
    assert found.act
    assert found.act.wanted == {"scope": "Mail.Read User.Read"}
    assert found.act.known == {"scope": "Files.ReadWrite.All Mail.Read User.Read"}


def test_whose_a_credential_is_tells_where_it_is_taken_away() -> None:
    key = {"keyId": guid(1, 3), "displayName": "k", "endDateTime": "2030-01-01T00:00:00Z"}
    one = {"id": guid(1, 1), "appId": guid(1, 2), "passwordCredentials": [key],
           "keyCredentials": [key | {"keyId": guid(1, 4)}]}  # fmt: skip
    mine = read([one | {"servicePrincipalType": "Application"}], "service_principals")
    azures = read([one | {"servicePrincipalType": "ManagedIdentity"}], "service_principals")
    assert [c.credential_detail for c in of(mine, Credential)] == [
        "entra.principal_password", "entra.principal_certificate",
    ]  # fmt: skip
    assert {c.expires_at for c in of(azures, Credential)} == {None}
    for records, calls in ((mine, 2), (azures, 0)):
        found = [
            p for c in of(records, Credential)
            for p in plan({"identity": of(records, Identity)[0]._asdict(), "grants": [],
                           "source": {"platform": "entra"}, "credentials": [c._asdict()]},
                          "revoke", c.uid)
        ]  # fmt: skip
        assert [p.act.on["at"] for p in found if p.act] == ["servicePrincipals"] * calls
        assert all(p.stop[0].startswith("az ad sp credential delete") for p in found)


def test_microsofts_own_applications_are_not_stopped(dossiers: dict[str, Any]) -> None:
    graph = dossiers["billing-export"]
    graph = graph | {"identity": graph["identity"] | {"nhi_detail": "entra.microsoft_app"}}
    assert plan(graph, "revoke") == []


def test_a_trust_is_stopped_by_its_issuer_and_people_are_not_stopped_here(
    dossiers: dict[str, Any],
) -> None:
    (found,) = plan(
        dossiers["github-deploy"], "revoke", "https://token.actions.githubusercontent.com"
    )
    assert found.act
    assert found.act.on == {"app": guid(2, 10), "name": "main"}
    assert plan(dossiers["Mika Ito"], "revoke") == []
