"""Lines for a shell, made of what a file of anybody's says: nothing in it is ever run."""

import json
import shlex
import subprocess
from typing import Any

import pytest

from passmuster.connectors import plan

HOSTILE = (
    "x; touch OWNED", "$(touch OWNED)", "`touch OWNED`", "--profile", "a b", "it's", "-x",
    '"; touch OWNED; "', "../../x", "'; touch OWNED; '",
)  # fmt: skip
GUID = "10000000-0000-4000-8000-000000000001"
DETAILS = {
    "entra": ("entra.service_principal", "entra.agent_identity"),
    "gcp": ("gcp.service_account", "gcp.identity_provider", "gcp.api_key", "gcp.user",
            "gcp.deleted_service_account"),
    "okta": ("okta.app.openid_connect", "okta.user"),
}  # fmt: skip
CREDENTIALS = {
    "entra": ("entra.password", "entra.certificate", "entra.federated_credential",
              "entra.principal_password"),
    "gcp": ("gcp.service_account_key",), "okta": ("okta.client_secret", "okta.api_token",
                                                  "okta.jwk"),
}  # fmt: skip
GOOD = {"entra": GUID, "gcp": "a@p.iam.gserviceaccount.com", "okta": "0oa1"}


def dossiers(platform: str, name: str) -> list[dict[str, Any]]:
    """*name* in each place in turn where a file may have it."""
    found = []
    for uid, alt, org, via in (
        (name, name, "o.example.com", "direct"), (GOOD[platform], name, "o.example.com", name),
        (GOOD[platform], GOOD[platform], name, f"consent/{name}"),
        (GOOD[platform], GOOD[platform], "o.example.com", f"clients/{name}"),
        (GOOD[platform], GOOD[platform], "o.example.com",
         f"/x/providers/Microsoft.Authorization/roleAssignments/{name}"),
    ):  # fmt: skip
        for detail in DETAILS[platform]:
            targets = (f"{GUID}/{name}", f"{name}/{GUID}", f"directory-role:{GUID}@{name}",
                       f"azure-role:{name}@{name}", f"roles/x@projects/{name}", f"scope:{name}",
                       f"{name}@projects/p", f"role:{name}@{name}", f"{GUID}/{GUID}")  # fmt: skip
            found.append({
                "source": {"platform": platform, "tenant_uid": org},
                "identity": {"uid": uid, "uid_alt": alt, "nhi_detail": detail,
                             "display_name": name, "status": "enabled"},
                "trusts": [{"from_uid": name, "from_kind": name}],
                "credentials": [
                    {"uid": key, "credential_detail": sort, "display_name": name, "status": status,
                     "scopes": json.dumps([name, name])}
                    for sort in CREDENTIALS[platform] for status in ("enabled", "disabled")
                    for key in (name, GUID, "k1")],
                "grants": [
                    {"entitlement": t, "display_name": name, "via": via, "condition": condition}
                    for t in targets for condition in (None, name)],
            })  # fmt: skip
    return found


def lines(platform: str, name: str) -> set[str]:
    found: set[str] = set()
    for dossier in dossiers(platform, name):
        parts = [c["uid"] for c in dossier["credentials"]]
        parts += [g["entitlement"] for g in dossier["grants"]]
        for target in (None, name, *dict.fromkeys(parts)):
            for one in plan(dossier, "revoke", target):
                found.update((*one.stop, *one.undo))
    return found


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("platform", DETAILS)
def test_no_name_is_ever_run_or_taken_for_an_option(
    platform: str, name: str, tmp_path: Any
) -> None:
    every = sorted(lines(platform, name))
    assert every
    for line in every:
        for word in shlex.split(line, comments=True):
            assert word != name or not name.startswith("-")
    quiet = "az() { :; }; gcloud() { :; }; curl() { :; }; jq() { :; }; cat() { :; }\n"
    script = quiet + "\n".join(every)
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, capture_output=True, timeout=20, check=False
    )
    assert done.stderr == b""
    assert not (tmp_path / "OWNED").exists()
