"""How to stop an application, one of its credentials or one grant, and how to put it back.

The flag of the service principal comes first: its secrets and certificates all stay, and with
`accountEnabled` true again they work again. Access tokens that were issued before go on being
accepted until they end, about an hour later.
"""

import json
import shlex
from collections.abc import Iterator

from passmuster.connectors import Act, Plan
from passmuster.connectors.entra._grants import EVERYBODY
from passmuster.connectors.entra._shapes import is_guid
from passmuster.text import Json

GRAPH = "https://graph.microsoft.com/v1.0"
PROPAGATION_S = 120
RESIDUAL = "access tokens already issued, about an hour; up to 28 hours with continuous evaluation"
Of = tuple[str, str]
"""How the principal is found: ("app", appId) or ("id", object id)."""


def plan(dossier: Json, verb: str, target: str | None = None) -> list[Plan]:
    """The ways to stop the identity, or its credential, grant or trust *target*."""
    if verb not in ("revoke", "disable"):
        return []
    identity = dossier["identity"]
    if identity["nhi_detail"] in ("entra.user", "entra.group", "entra.microsoft_app"):
        return []  # people are not reviewed here, and without Graph itself nothing works
    uid = identity["uid"]
    if not is_guid(uid):
        return []
    of: Of = ("id" if identity["nhi_detail"] == "entra.agent_identity" else "app", uid)
    if target is None:
        return [] if identity["status"] == "disabled" else [_disable(of, identity)]
    found = [
        plan
        for c in dossier.get("credentials") or []
        if target == c["uid"] or _issuer(c) == target
        for plan in _credential(uid, c)
    ]
    return found or list(_grants(dossier, target))


def address(of: Of) -> str:
    """The service principal's path below Graph."""
    sort, uid = of
    return f"servicePrincipals(appId='{uid}')" if sort == "app" else f"servicePrincipals/{uid}"


def _rest(method: str, path: str, body: Json | None = None, **more: str) -> str:
    """`az rest`: what the other commands of `az` cannot say."""
    words = ["az", "rest", "--method", method, "--url", f"{GRAPH}/{path}"]
    if body is not None:
        words += ["--body", json.dumps(body)]
    for name, value in more.items():
        words += [f"--{name}", value]
    return shlex.join(words)


def _disable(of: Of, identity: Json) -> Plan:
    path = address(of)
    return Plan(
        f"switch the service principal of {identity['display_name']} off",
        (_rest("patch", path, {"accountEnabled": False}),),
        (_rest("patch", path, {"accountEnabled": True}),),
        "R1", PROPAGATION_S, RESIDUAL,
        Act("entra.service_principal.enabled", {of[0]: of[1]}, {"accountEnabled": False},
            {"accountEnabled": True} if identity["status"] == "enabled" else None),
    )  # fmt: skip


def _issuer(credential: Json) -> str | None:
    if credential["credential_detail"] != "entra.federated_credential":
        return None
    found = json.loads(credential.get("scopes") or "[]")
    return found[0] if found else None


def _credential(app: str, credential: Json) -> Iterator[Plan]:
    key, name = credential["uid"], credential.get("display_name") or credential["uid"]
    detail = credential["credential_detail"]
    own = "servicePrincipals" if detail.startswith("entra.principal_") else "applications"
    on = {"app": app, "key": key, "at": own}
    call = f"az ad {'app' if own == 'applications' else 'sp'} credential"
    who = f"--id {shlex.quote(app)}"
    which = shlex.quote(f"--key-id={key}")
    match detail.replace("principal_", ""):
        case "entra.password":
            yield Plan(
                f"destroy the client secret {name}",
                (f"{call} delete {who} {which}",),
                (), "R3", PROPAGATION_S, RESIDUAL, Act("entra.secret", on, None),
            )  # fmt: skip
        case "entra.certificate":
            yield Plan(
                f"take the certificate {name} away",
                (f"{call} delete {who} {which} --cert",),
                (f"{call} reset {who} --append --cert @CERTIFICATE.pem  "
                 "# the public certificate, saved before",),
                "R2", PROPAGATION_S, RESIDUAL, Act("entra.certificate", on, None),
            )  # fmt: skip
        case "entra.federated_credential":
            call = "az ad app federated-credential"
            which = f"{who} {shlex.quote(f'--federated-credential-id={name}')}"
            yield Plan(
                f"stop trusting {name} ({_issuer(credential)})",
                (f"{call} show {which} -o json | jq 'del(.id)' > saved-credential.json",
                 f"{call} delete {which}"),
                (f"{call} create {who} --parameters saved-credential.json",),
                "R2", PROPAGATION_S, RESIDUAL,
                Act("entra.federated_credential", {"app": app, "name": name}, None),
            )  # fmt: skip


def _grants(dossier: Json, target: str) -> Iterator[Plan]:
    identity, grants = dossier["identity"], dossier.get("grants") or []
    principal = identity["uid_alt"] or identity["uid"]
    if not is_guid(principal):
        return
    for grant in (g for g in grants if g["entitlement"] == target):
        via, what = grant["via"], grant["display_name"]
        resource, _, permission = target.partition("/")
        if via.startswith("consent/") and is_guid(resource):
            yield _consent(principal, resource, permission, via, what, grants)
        elif "/providers/Microsoft.Authorization/roleAssignments/" in via:
            yield from _azure(principal, via, target, what)
        elif target.startswith("directory-role:"):
            yield from _directory(principal, target, what)
        elif is_guid(resource) and is_guid(permission):
            who = {"principal": principal, "resource": resource, "role": permission}
            body = {"principalId": principal, "resourceId": resource, "appRoleId": permission}
            path = f"servicePrincipals/{principal}/appRoleAssignments"
            yield Plan(
                f"take {what} away",
                (_rest("get", path, query=f"value[?appRoleId=='{permission}'].id | [0]",
                       output="tsv") + " > assignment-id",
                 f'az rest --method delete --url "{GRAPH}/{path}/$(cat assignment-id)"'),
                (_rest("post", path, body),),
                "R2", PROPAGATION_S, RESIDUAL, Act("entra.app_role", who, None),
            )  # fmt: skip


def _consent(
    principal: str, resource: str, scope: str, via: str, what: str, grants: list[Json]
) -> Plan:
    """One scope of a consent: the others of it stay, so that only this one is taken."""
    user = via.removeprefix("consent/")
    rest = sorted(
        g["entitlement"].partition("/")[2] for g in grants
        if g["via"] == via and g["entitlement"].startswith(f"{resource}/")
    )  # fmt: skip
    before = " ".join(rest)
    left = " ".join(s for s in rest if s != scope)
    who = {"client": principal, "resource": resource, "user": "" if user == EVERYBODY else user}
    find = _rest("get", f"servicePrincipals/{principal}/oauth2PermissionGrants",
                 query=f"value[?resourceId=='{resource}'].id | [0]", output="tsv")  # fmt: skip
    change = f'az rest --url "{GRAPH}/oauth2PermissionGrants/$(cat grant-id)"'
    body = shlex.quote(json.dumps({"scope": left}))
    again = shlex.quote(json.dumps({"scope": before}))
    anew = {"clientId": principal, "resourceId": resource, "scope": before,
            "consentType": "AllPrincipals" if user == EVERYBODY else "Principal",
            **({} if user == EVERYBODY else {"principalId": user})}  # fmt: skip
    return Plan(
        f"take {what} away",
        (f"{find} > grant-id",
         f"{change} --method patch --body {body}" if left else f"{change} --method delete"),
        (f"{change} --method patch --body {again}" if left
         else _rest("post", "oauth2PermissionGrants", anew),),
        "R2", PROPAGATION_S, RESIDUAL,
        Act("entra.consent", who, {"scope": left} if left else None, {"scope": before}),
    )  # fmt: skip


def _azure(principal: str, via: str, target: str, what: str) -> Iterator[Plan]:
    role, _, scope = target.removeprefix("azure-role:").partition("@")
    if not is_guid(role) or not scope.startswith("/") or not via.startswith("/"):
        return
    yield Plan(
        f"take the Azure role {what} away at {scope}",
        (f"az role assignment delete --ids {shlex.quote(via)}",),
        (shlex.join(["az", "role", "assignment", "create", "--assignee-object-id", principal,
                     "--role", role, "--scope", scope]),),
        "R2", 600, "Azure may go on accepting it for up to 10 minutes; " + RESIDUAL,
        Act("entra.azure_role", {"id": via}, None),
    )  # fmt: skip


def _directory(principal: str, target: str, what: str) -> Iterator[Plan]:
    role, _, scope = target.removeprefix("directory-role:").partition("@")
    if not is_guid(role):
        return  # ScubaGear tells some by their names only
    scope = scope or "/"
    path = "roleManagement/directory/roleAssignments"
    asked = f"principalId eq '{principal}' and roleDefinitionId eq '{role}'"
    find = _rest("get", f"{path}?$filter={asked}",
                 query=f"value[?directoryScopeId=='{scope}'].id | [0]", output="tsv")  # fmt: skip
    body = {"principalId": principal, "roleDefinitionId": role, "directoryScopeId": scope}
    yield Plan(
        f"take the directory role {what} away",
        (f"{find} > assignment-id",
         f'az rest --method delete --url "{GRAPH}/{path}/$(cat assignment-id)"'),
        (_rest("post", path, body),), "R2", PROPAGATION_S, RESIDUAL,
        Act("entra.directory_role", {"principal": principal, "role": role, "scope": scope}, None),
    )  # fmt: skip
