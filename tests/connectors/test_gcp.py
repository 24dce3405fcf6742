"""Google Cloud exports: both spellings, the real files' counts, members, and the plans."""

import json
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.exports import of, recognised
from tests.exports_cloud import account, account_key

from passmuster import config, inventory, policy
from passmuster.connectors import Context, plan
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Entitlement, Grant, Identity, Problem, Source, Trust
from passmuster.store import Database

REAL = Path(__file__).parents[3] / "shared" / "realdata" / "gcp"
SAMPLES = Path(__file__).parents[2] / "sample_data" / "gcp"
POOL = "projects/42/locations/global/workloadIdentityPools/ci"
SET = f"principalSet://iam.googleapis.com/{POOL}"
P = Context("p")
NOBODY = Context()


def read(value: Any, name: str, given: Context = P) -> list[Any]:
    return recognised(json.dumps(value).encode(), f"gcp.{name}.json", given)


def real(pattern: str, fmt: str, given: Context = NOBODY) -> list[Any]:
    paths = sorted(REAL.glob(pattern))
    if not paths:
        pytest.skip(f"{pattern} is not here")
    return [r for p in paths for r in recognised(p.read_bytes(), f"gcp.{fmt}.json", given)]


@pytest.mark.parametrize(("pattern", "counts"), [
    ("c7n-*disable/*serviceAccounts_1.json", {"enabled": 1}),
    ("c7n-*disable/*actions@*com_1.json", {"disabled": 1}),
    ("c7n-*multi/*serviceAccounts_1.json", {"enabled": 4}),
    ("c7n-*query/*serviceAccounts_1.json", {"enabled": 1}),
])  # fmt: skip
def test_the_real_accounts_are_all_there_with_their_status(
    pattern: str, counts: dict[str, int]
) -> None:
    records = real(pattern, "service_accounts")
    assert Counter(i.status for i in of(records, Identity)) == counts
    assert not of(records, Problem)


def test_the_real_keys_tell_googles_own_from_the_users() -> None:
    records = real("c7n-*/*-keys_1.json", "keys")
    theirs, ours = of(records, Credential)
    assert (theirs.credential_detail, theirs.created_at) == ("gcp.system_managed_key", None)
    assert (ours.credential_detail, ours.created_at) == (
        "gcp.service_account_key", "2021-03-31T13:27:15Z",
    )  # fmt: skip
    assert (ours.expires_state, ours.expires_at) == ("none", None)
    assert of(records, Source) == [Source("gcp", "cloud-custodian")]


def test_the_real_policies_and_assets_have_their_true_counts() -> None:
    policies = real("c7n-*multi/*getIamPolicy_1.json", "iam_policy", P)
    assert len(of(policies, Grant)) == 4 * 2
    assets = real("cai-iam_allowed_bindings/assets.json", "assets", P)
    assert len(of(assets, Entitlement)) == 13
    assert len({g.principal_uid for g in of(assets, Grant)}) == 12
    assert {i.uid for i in of(assets, Identity) if i.nhi_detail == "gcp.everybody"} == {
        "allUsers", "allAuthenticatedUsers",
    }  # fmt: skip
    keys = real("cai-gcp_iam_restrict*/assets.json", "assets")
    assert len(of(keys, Credential)) == 5
    assert of(keys, Source) == [Source("gcp", "forseti-system-test")]


def test_the_real_file_of_everything_is_read_by_what_each_object_is() -> None:
    records = real("cartography/gcp_iam.json", "assets", P)
    assert {i.uid for i in of(records, Identity)} == {"112233445566778899", "998877665544332211"}
    assert Counter(c.credential_detail for c in of(records, Credential)) == {
        "gcp.system_managed_key": 1, "gcp.service_account_key": 1,
    }  # fmt: skip
    assert len({e.uid for e in of(records, Entitlement)}) == 4 + 2 + 2
    assert len(of(real("cartography/gcp_apikeys.json", "keys"), Credential)) == 2


def test_an_asset_is_the_same_in_either_spelling_and_in_lines() -> None:
    name = "//cloudresourcemanager.googleapis.com/projects/p"
    policy_ = {"bindings": [{"role": "roles/owner", "members": ["user:a@example.com"]}]}
    camel = {"name": name, "assetType": "x/Project", "iamPolicy": policy_}
    snake = {"name": name, "asset_type": "x/Project", "iam_policy": policy_}
    search = {"resource": name, "assetType": "x/Project", "policy": policy_, "project": "p"}
    want = read([camel], "assets")
    assert len(of(want, Grant)) == 1
    assert read([snake], "assets") == want
    assert read([search], "assets") == want
    lines = f"{json.dumps(snake)}\n{json.dumps(snake)}\n".encode()
    assert len(of(recognised(lines, "gcp.assets.json", P), Grant)) == 2


@pytest.mark.parametrize(("member", "handle", "kind", "external"), [
    ("user:a@example.com", "user:a@example.com", "human", None),
    ("serviceAccount:x@other.iam.gserviceaccount.com", "x@other.iam.gserviceaccount.com",
     "service", 1),
    ("serviceAccount:x@p.iam.gserviceaccount.com", "x@p.iam.gserviceaccount.com", None, None),
    ("serviceAccount:service-1@gcp-sa-x.iam.gserviceaccount.com",
     "service-1@gcp-sa-x.iam.gserviceaccount.com", "system", None),
    ("deleted:serviceAccount:x@p.iam.gserviceaccount.com?uid=77", "77", "service", None),
    ("serviceAccount:p.svc.id.goog[ns/name]", "p.svc.id.goog[ns/name]", "workload", None),
    ("allUsers", "allUsers", "group", 1), (f"{SET}/*", f"{SET}/*", "workload", 1),
])  # fmt: skip
def test_each_kind_of_member_is_told_for_what_it_is(
    member: str, handle: str, kind: str | None, external: int | None
) -> None:
    records = read({"bindings": [{"role": "roles/viewer", "members": [member]}]}, "iam_policy")
    (grant,) = of(records, Grant)
    assert grant.principal_uid == handle
    assert [(i.uid, i.kind, i.is_external) for i in of(records, Identity)] == (
        [(handle, kind, external)] if kind else []
    )


@pytest.mark.parametrize(("member", "subject", "external", "wild"), [
    (f"{SET}/*", "*", 1, 1), (f"{SET}/attribute.repository/o/r", "attribute.repository/o/r", 1, 0),
    (f"principal://iam.googleapis.com/{POOL}/subject/s", "subject/s", 1, 0),
    ("allUsers", None, 1, 1),
    ("serviceAccount:p.svc.id.goog[ns/sa]", "system:serviceaccount:ns:sa", 0, 0),
])  # fmt: skip
def test_who_may_become_an_account_is_a_trust_of_it(
    member: str, subject: str | None, external: int, wild: int
) -> None:
    role = "roles/iam.workloadIdentityUser"
    on = {"name": "//iam.googleapis.com/projects/p/serviceAccounts/1",
          "assetType": "iam.googleapis.com/ServiceAccount",
          "iamPolicy": {"bindings": [{"role": role, "members": [member]}]}}  # fmt: skip
    (trust,) = of(read([on], "assets"), Trust)
    assert (trust.to_identity_uid, trust.subject_pattern) == ("1", subject)
    assert (trust.is_external, trust.is_wildcard) == (external, wild)
    on["iamPolicy"] = {"bindings": [{"role": "roles/viewer", "members": ["user:a@example.com"]}]}
    assert of(read([on], "assets"), Trust) == []


def test_an_outsider_of_an_accounts_policy_is_its_trust_and_no_identity_of_its_own() -> None:
    role = "roles/iam.workloadIdentityUser"
    members = [f"{SET}/*", "serviceAccount:p.svc.id.goog[ns/sa]", "user:a@example.com"]
    on = {"name": "//iam.googleapis.com/projects/p/serviceAccounts/1",
          "assetType": "iam.googleapis.com/ServiceAccount",
          "iamPolicy": {"bindings": [{"role": role, "members": members}]}}  # fmt: skip
    records = read([on], "assets")
    assert len(of(records, Trust)) == 3
    assert [i.uid for i in of(records, Identity)] == ["user:a@example.com"]
    assert [g.principal_uid for g in of(records, Grant)] == ["user:a@example.com"]


@pytest.mark.parametrize(("condition", "wild"), [(None, 1), ("assertion.repository=='o/r'", 0)])
def test_a_provider_of_a_shared_issuer_without_a_condition_trusts_everybody(
    condition: str | None, wild: int
) -> None:
    one = {"name": f"{POOL}/providers/github", "attributeCondition": condition,
           "oidc": {"issuerUri": "https://token.actions.githubusercontent.com"}}  # fmt: skip
    (trust,) = of(read([one], "providers"), Trust)
    assert trust.is_wildcard == wild


def test_a_policy_names_no_project_and_an_account_does() -> None:
    with pytest.raises(ImportRefused, match="--source"):
        read({"bindings": [{"role": "r", "members": []}]}, "iam_policy", NOBODY)
    assert of(read([account(1, "svc", "")], "service_accounts", NOBODY), Source) == [
        Source("gcp", "p")
    ]


def test_a_row_that_breaks_off_takes_its_project_not_with_it() -> None:
    broken = account(1, "svc", "") | {"createTime": "yesterday"}
    records = read([broken, account(2, "svc", "")], "service_accounts", NOBODY)
    assert [type(r) for r in records] == [Source, Problem, Identity]
    with pytest.raises(ImportRefused, match="yesterday"):
        read([broken], "service_accounts", NOBODY)


def test_an_error_in_place_of_one_accounts_keys_is_a_problem_and_the_others_arrive() -> None:
    error = {"error": {"code": 404, "message": "Unknown service account", "status": "NOT_FOUND"}}
    keys = [account_key(1, "svc", "")]
    for parts in ([error, keys], [keys, error]):
        data = "\n".join(json.dumps(p) for p in parts).encode()
        records = recognised(data, "gcp.keys.json", NOBODY)
        assert type(records[0]) is Source
        assert [p.why for p in of(records, Problem)] == [
            "the platform answered with an error: Unknown service account"
        ]
        assert len(of(records, Credential)) == 1


@pytest.fixture
def dossiers(db: Database) -> dict[str, Any]:
    from passmuster import campaigns

    for path in sorted(SAMPLES.iterdir()):
        inventory.import_file(
            db, path, now="2026-11-27T08:00:00Z", by=None, context=Context("example-prod")
        )
    policy.evaluate(db, config.Settings(), "2026-11-27T08:00:00Z")
    ids = [row[0] for row in db.execute("SELECT id FROM identity ORDER BY id")]
    return {d["identity"]["display_name"]: d for _, d in campaigns.dossiers(db, ids)}


def test_all_exports_of_a_project_meet_at_its_accounts(dossiers: dict[str, Any]) -> None:
    load, deploy = dossiers["Warehouse load"], dossiers["CI deploy"]
    assert {c["credential_detail"] for c in load["credentials"]} == {
        "gcp.service_account_key", "gcp.system_managed_key",
    }  # fmt: skip
    assert load["identity"]["is_privileged"]
    assert {t["subject_pattern"] for t in deploy["trusts"]} == {
        "*", "system:serviceaccount:web:deployer",
    }  # fmt: skip
    assert deploy["identity"]["last_used_at"] == "2026-11-25T07:00:00Z"
    assert dossiers["Old ETL"]["identity"]["status"] == "disabled"


def test_the_flag_comes_first_and_a_key_of_googles_cannot_be_stopped(
    dossiers: dict[str, Any],
) -> None:
    load = dossiers["Warehouse load"]
    (whole,) = plan(load, "revoke")
    email = "warehouse-load@example-prod.iam.gserviceaccount.com"
    assert whole.stop == (f"gcloud iam service-accounts disable {email}",)
    assert plan(dossiers["Old ETL"], "revoke") == []
    by_detail = {c["credential_detail"]: c["uid"] for c in load["credentials"]}
    classes = [p.undo_class for p in plan(load, "revoke", by_detail["gcp.service_account_key"])]
    assert classes == ["R1", "R3"]
    assert plan(load, "revoke", by_detail["gcp.system_managed_key"]) == []
    (provider,) = plan(dossiers["ci/github"], "revoke")
    assert provider.act
    assert provider.act.wanted == {"disabled": True}


def test_a_binding_is_taken_with_its_condition_and_its_member(dossiers: dict[str, Any]) -> None:
    found = {
        name: p.act.on
        for name, d in dossiers.items() for g in d["grants"]
        for p in plan(d, "revoke", g["entitlement"]) if p.act and p.undo_class == "R2"
    }  # fmt: skip
    gone = found["pentest@example-prod.iam.gserviceaccount.com (deleted)"]
    assert gone["member"] == (
        "deleted:serviceAccount:pentest@example-prod.iam.gserviceaccount.com"
        "?uid=100000000000000000009"
    )
    assert gone["condition"].startswith("request.time <")
    assert found["everybody on the internet"]["member"] == "allUsers"
    for d in dossiers.values():
        for part in (*d["credentials"], *d["grants"]):
            for one in plan(d, "revoke", part.get("uid") or part["entitlement"]):
                assert one.residual
                for line in (*one.stop, *one.undo):
                    assert shlex.split(line)[0] == "gcloud"
