"""Okta exports: whose they are, what was used last and how that is known, and the plans."""

import json
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.exports import of, recognised
from tests.exports_cloud import api_token, okta_role, okta_secret

from passmuster import config, inventory, policy
from passmuster.connectors import Context, plan
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Entitlement, Grant, Identity, Owner, Problem, Source
from passmuster.store import Database

REAL = Path(__file__).parents[3] / "shared" / "realdata" / "okta"
SAMPLES = Path(__file__).parents[2] / "sample_data" / "okta"
ORG = Context("o.okta.example.com")
NOBODY = Context()


def read(value: Any, name: str, given: Context = ORG) -> list[Any]:
    return recognised(json.dumps(value).encode(), f"okta.{name}.json", given)


def real(name: str, fmt: str, given: Context = ORG) -> list[Any]:
    path = REAL / name
    if not path.exists():
        pytest.skip(f"{name} is not here")
    return recognised(path.read_bytes(), f"okta.{fmt}.json", given)


def test_the_real_files_have_their_true_counts() -> None:
    tokens = of(real("openapi/api_v1_api-tokens.json", "api_tokens"), Credential)
    assert [t.last_used_at for t in tokens] == ["2021-11-11T20:38:10Z"] * 2
    assert {t.last_used_from for t in tokens} == {"inferred from lastUpdated"}
    secrets = of(real("openapi/api_v1_apps_appId_credentials_secrets.json",
                      "client_credentials"), Credential)  # fmt: skip
    assert Counter(s.status for s in secrets) == {"enabled": 1, "disabled": 1}
    assert {s.identity_uid for s in secrets} == {"0oa1nkheCuDn82XVI0g4"}
    roles = real("openapi/oauth2_v1_clients_clientId_roles.json", "roles")
    assert len(of(roles, Grant)) == 3
    people = real("cartography/okta_adminroles.json", "roles")
    assert len(of(people, Grant)) == 4
    assert Counter(i.kind for i in of(people, Identity)) == {"human": 1, "group": 1}


def test_the_real_application_names_its_org_and_the_placeholder_of_others_does_not() -> None:
    records = real("openapi/api_v1_apps_appId.json", "apps", NOBODY)
    assert of(records, Source) == [Source("okta", "testorgone.okta.com")]
    (app,) = of(records, Identity)
    assert (app.display_name, app.status) == ("Custom Saml 2.0 App", "enabled")
    with pytest.raises(ImportRefused, match="--source"):
        real("openapi/api_v1_api-tokens.json", "api_tokens", NOBODY)


@pytest.mark.parametrize(("window", "updated", "expires", "used"), [
    ("P30D", "2024-02-01T00:00:00.000Z", "2024-03-02T00:00:00.000Z", "2024-02-01T00:00:00Z"),
    ("PT5M", "2024-02-01T00:00:00.000Z", "2024-02-01T00:05:00.000Z", "2024-02-01T00:00:00Z"),
    ("P30D", "2024-02-01T00:00:00.000Z", "2024-12-31T00:00:00.000Z", None),
    ("soon", "2024-02-01T00:00:00.000Z", "2024-03-02T00:00:00.000Z", None),
    (None, "2024-02-01T00:00:00.000Z", None, None),
])  # fmt: skip
def test_the_last_use_is_inferred_only_where_the_end_moves_with_it(
    window: str | None, updated: str, expires: str | None, used: str | None
) -> None:
    one = api_token(1, "svc", "") | {
        "tokenWindow": window, "lastUpdated": updated, "expiresAt": expires,
    }  # fmt: skip
    (token,) = of(read([one], "api_tokens"), Credential)
    assert token.last_used_at == used
    assert token.last_used_state == ("known" if used else "unknown")
    assert bool(token.last_used_from) == bool(used)


def test_a_secret_whose_application_nothing_names_is_a_problem() -> None:
    bare = {k: v for k, v in okta_secret(1, "s", "").items() if k != "_links"}
    records = read([okta_secret(1, "s", ""), bare], "client_credentials")
    assert len(of(records, Credential)) == 1
    assert ["appId" in p.why for p in of(records, Problem)] == [True]
    named = read([bare | {"appId": "a9"}], "client_credentials")
    assert of(named, Credential)[0].identity_uid == "a9"


def test_two_assignments_of_one_custom_role_on_two_sets_are_two_rights() -> None:
    one = okta_role(1, "svc", "")
    records = read([one, one | {"id": "r2", "resource-set": "other"}], "roles")
    assert len({e.uid for e in of(records, Entitlement)}) == 2


@pytest.fixture
def dossiers(db: Database) -> dict[str, Any]:
    from passmuster import campaigns

    for path in sorted(SAMPLES.glob("*.json")):
        inventory.import_file(
            db, path, now="2026-11-27T08:00:00Z", by=None,
            context=Context("example-corp.okta.example.com"),
        )  # fmt: skip
    policy.evaluate(db, config.Settings(), "2026-11-27T08:00:00Z")
    ids = [row[0] for row in db.execute("SELECT id FROM identity ORDER BY id")]
    return {d["identity"]["display_name"]: d for _, d in campaigns.dossiers(db, ids)}


def test_all_exports_of_an_org_meet_at_its_applications(dossiers: dict[str, Any]) -> None:
    sync = dossiers["hr-sync service"]
    assert (sync["identity"]["kind"], sync["identity"]["is_privileged"]) == ("service", 1)
    assert Counter(c["credential_detail"] for c in sync["credentials"]) == {
        "okta.client_secret": 2, "okta.jwk": 1,
    }  # fmt: skip
    assert {g["display_name"] for g in sync["grants"]} == {
        "Application Administrator", "okta.users.manage", "okta.groups.read",
    }  # fmt: skip
    assert dossiers["Travel portal"]["identity"]["status"] == "disabled"
    crm = dossiers["crm-integration"]
    assert [o["handle"] for o in crm["owners"]] == ["00uexample0000000001"]


def test_an_owner_of_a_service_account_is_told_by_its_id() -> None:
    data = (SAMPLES / "service-accounts.json").read_bytes()
    (owner,) = of(recognised(data, "okta.service_accounts.json", ORG), Owner)
    assert owner.origin == "managedBy"


def test_flags_come_before_what_destroys_and_every_line_names_the_org(
    dossiers: dict[str, Any],
) -> None:
    def classes(name: str, target: str | None) -> list[str]:
        return [p.undo_class for p in plan(dossiers[name], "revoke", target)]

    assert classes("hr-sync service", None) == ["R1"]
    assert classes("Travel portal", None) == []
    assert classes("hr-sync service", "ocsexample0000000001") == ["R1"]
    assert classes("hr-sync service", "ocsexample0000000002") == ["R3"]
    assert classes("hr-sync service", "pksexample0000000001") == ["R1"]
    assert classes("hr-sync service", "role:APP_ADMIN") == ["R2"]
    assert classes("hr-sync service", "scope:okta.users.manage") == ["R2"]
    assert classes("00uexample0000000001", "00Texample0000000001") == ["R1", "R3"]
    for found in dossiers.values():
        for part in (*found["credentials"], *found["grants"]):
            for one in plan(found, "revoke", part.get("uid") or part["entitlement"]):
                assert one.act
                assert bool(one.undo) == (one.undo_class != "R3")
                for line in (*one.stop, *one.undo):
                    assert "https://example-corp.okta.example.com/" in line
                    assert "curl" in shlex.split(line.removeprefix("GRANT=$("))
