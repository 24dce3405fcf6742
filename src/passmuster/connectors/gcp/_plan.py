"""How to stop a service account, a key, a grant or an identity provider, and to put it back.

Google's own advice is the order here: disable, wait at least a day, and only then delete (IAM v1
API reference). A disabled account's access tokens are refused too; a deleted key's are not.
"""

import re
import shlex
from collections.abc import Iterator

from passmuster.connectors import Act, Plan
from passmuster.text import Json

PROPAGATION_S = 420
"""Policy changes take about 2 minutes, sometimes 7 or more (cloud.google.com/iam/docs/faq)."""
_KEY_TOKENS = "access tokens that were made with it, up to an hour (12 where that was allowed)"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._-]*")
"""What is no option of a command, whatever a file calls it."""
_EMAIL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9.-]+")


def plan(dossier: Json, verb: str, target: str | None = None) -> list[Plan]:
    """The ways to stop the identity, or its credential, grant or trust *target*."""
    if verb not in ("revoke", "disable"):
        return []
    identity = dossier["identity"]
    detail = identity["nhi_detail"]
    if detail in ("gcp.identity_provider", "gcp.api_key"):
        return _resource(dossier, target)
    email = next((h for h in (identity["uid_alt"], identity["uid"])
                  if h and _EMAIL.fullmatch(h)), None)  # fmt: skip
    account = email if detail in ("gcp.service_account", "gcp.default_account") else None
    if target is None:
        live = account and identity["status"] != "disabled"
        return [_account(account, identity)] if account and live else []
    for credential in dossier.get("credentials") or []:
        if credential["uid"] == target and account:
            return list(_key(account, credential))
    return list(_grant(dossier, target))


def _resource(dossier: Json, target: str | None) -> list[Plan]:
    """What goes by the name of a resource and not by an e-mail."""
    identity, trusts = dossier["identity"], dossier.get("trusts") or []
    if not str(identity["uid_alt"] or identity["uid"]).startswith("projects/"):
        return []
    if identity["nhi_detail"] == "gcp.api_key":
        return [_api_key(identity)] if target in (None, identity["uid"]) else []
    found = _provider(identity, trusts[0].get("from_kind") if trusts else None)
    return [found] if target is None or target in [t["from_uid"] for t in trusts] else []


def _account(email: str, identity: Json) -> Plan:
    who = shlex.quote(email)
    return Plan(
        f"disable the service account {email}",
        (f"gcloud iam service-accounts disable {who}",),
        (f"gcloud iam service-accounts enable {who}",),
        "R1", PROPAGATION_S,
        "what has already been started with it; its access tokens are refused too",
        Act("gcp.service_account.disabled", {"account": email}, {"disabled": True},
            {"disabled": False} if identity["status"] == "enabled" else None),
    )  # fmt: skip


def _key(email: str, credential: Json) -> Iterator[Plan]:
    if credential["credential_detail"] != "gcp.service_account_key":
        return  # nobody but Google has its own keys
    uid = credential["uid"]
    if not _PLAIN.fullmatch(uid):
        return
    call = "gcloud iam service-accounts keys"
    rest = f"{shlex.quote(uid)} --iam-account={shlex.quote(email)}"
    on = {"account": email, "key": uid}
    if credential["status"] != "disabled":
        yield Plan(
            f"disable the key {uid} of {email}",
            (f"{call} disable {rest}",), (f"{call} enable {rest}",),
            "R1", PROPAGATION_S, _KEY_TOKENS,
            Act("gcp.key.disabled", on, {"disabled": True}, {"disabled": False}),
        )  # fmt: skip
    yield Plan(
        f"delete the key {uid} of {email}", (f"{call} delete {rest} --quiet",), (),
        "R3", PROPAGATION_S, _KEY_TOKENS, Act("gcp.key", on, None),
    )  # fmt: skip


def _provider(identity: Json, source: str | None) -> Plan:
    name = identity["uid"]
    sort = {"account": "aws", "saml": "saml"}.get(source or "", "oidc")
    call = f"gcloud iam workload-identity-pools providers update-{sort} {shlex.quote(name)}"
    return Plan(
        f"stop trusting {identity['display_name']}",
        (f"{call} --disabled",), (f"{call} --no-disabled",),
        "R1", PROPAGATION_S, "existing tokens still grant access until they end, about an hour",
        Act("gcp.provider.disabled", {"provider": name}, {"disabled": True}),
    )  # fmt: skip


def _api_key(identity: Json) -> Plan:
    name = shlex.quote(identity["uid_alt"] or identity["uid"])
    return Plan(
        f"delete the API key {identity['display_name']}",
        (f"gcloud services api-keys delete {name}",),
        (f"gcloud services api-keys undelete {name}",),
        "R2", PROPAGATION_S, "it can be had back for 30 days only",
    )  # fmt: skip


def _grant(dossier: Json, target: str) -> Iterator[Plan]:
    """Take one member out of one role of a project."""
    identity = dossier["identity"]
    role, _, scope = target.partition("@")
    project = scope.removeprefix("projects/")
    member = _member(identity)
    if not scope.startswith("projects/") or not _PLAIN.fullmatch(project) or member is None:
        return
    for grant in dossier.get("grants") or []:
        if grant["entitlement"] != target:
            continue
        words = grant["condition"] or ""
        title = grant["via"].removeprefix("condition/")
        how = f"expression={words},title={title}" if words else "None"
        rest = shlex.join([project, f"--member={member}", f"--role={role}", f"--condition={how}"])
        yield Plan(
            f"take {grant['display_name']} away in {scope}",
            (f"gcloud projects remove-iam-policy-binding {rest}",),
            (f"gcloud projects add-iam-policy-binding {rest}",),
            "R2", PROPAGATION_S, "nothing: each call is judged by the policy as it then is",
            Act("gcp.binding", {"project": project, "role": role, "member": member,
                                "condition": words}, None),
        )  # fmt: skip


def _member(identity: Json) -> str | None:
    uid, detail = identity["uid"], identity["nhi_detail"] or ""
    if detail in ("gcp.everybody", "gcp.federated_principal", "gcp.user", "gcp.group",
                  "gcp.domain"):  # fmt: skip
        return str(uid)
    if detail.startswith("gcp.deleted_"):
        return f"deleted:serviceAccount:{identity['uid_alt']}?uid={uid}" if (
            detail == "gcp.deleted_service_account" and identity["uid_alt"]) else None  # fmt: skip
    email = next((h for h in (identity["uid_alt"], uid) if h and "@" in h), None)
    return f"serviceAccount:{email or uid}"
