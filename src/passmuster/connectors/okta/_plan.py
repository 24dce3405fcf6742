"""How to stop an application, its credentials, its rights, or an API token.

An API token has no flag: it is deleted, or its user is suspended with all that the user does. So
that comes first, and the deletion after it.
"""

import json
import re
import shlex
from collections.abc import Iterator

from passmuster.connectors import Act, Plan
from passmuster.text import Json

PROPAGATION_S = 60
_TOKENS = "access tokens already issued, until they end (usually an hour); sessions of users"
_PART = re.compile(r"[A-Za-z0-9_-]+")
_ID, _ORG = re.compile(r"[A-Za-z0-9]+"), re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_CURL = 'curl -sS -f -H "Authorization: SSWS $OKTA_API_TOKEN" -H "Accept: application/json"'
"""Okta has no command line of its own."""


def plan(dossier: Json, verb: str, target: str | None = None) -> list[Plan]:
    """The ways to stop the identity, or its credential or grant *target*."""
    if verb not in ("revoke", "disable"):
        return []
    identity, org = dossier["identity"], dossier["source"]["tenant_uid"]
    if not _ID.fullmatch(identity["uid"]) or not _ORG.fullmatch(org):
        return []  # no id of Okta's, so nothing that a line could name
    detail = identity["nhi_detail"] or ""
    if target is None:
        if detail.startswith("okta.app.") and identity["status"] != "disabled":
            return [_app(org, identity)]
        return [_suspend(org, identity["uid"])] if detail == "okta.user" else []
    for credential in dossier.get("credentials") or []:
        if credential["uid"] == target and _PART.fullmatch(target):
            return list(_credential(org, identity["uid"], credential))
    return list(_grant(org, dossier, target))


def _call(org: str, method: str, path: str, body: Json | None = None) -> str:
    data = "" if body is None else (
        f' -H "Content-Type: application/json" -d {shlex.quote(json.dumps(body))}')  # fmt: skip
    return f"{_CURL} -X {method}{data} {shlex.quote(f'https://{org}/{path}')}"


def _app(org: str, identity: Json) -> Plan:
    path = f"api/v1/apps/{identity['uid']}/lifecycle"
    return Plan(
        f"deactivate the application {identity['display_name']}",
        (_call(org, "POST", f"{path}/deactivate"),), (_call(org, "POST", f"{path}/activate"),),
        "R1", PROPAGATION_S, _TOKENS,
        Act("okta.app.status", {"app": identity["uid"]}, {"status": "INACTIVE"},
            {"status": "ACTIVE"} if identity["status"] == "enabled" else None),
    )  # fmt: skip


def _suspend(org: str, user: str) -> Plan:
    path = f"api/v1/users/{user}/lifecycle"
    return Plan(
        f"suspend the user {user}, with all tokens of theirs",
        (_call(org, "POST", f"{path}/suspend"),), (_call(org, "POST", f"{path}/unsuspend"),),
        "R1", PROPAGATION_S, "access tokens that applications already have, until they end",
        Act("okta.user.status", {"user": user}, {"status": "SUSPENDED"}),
    )  # fmt: skip


def _credential(org: str, owner: str, credential: Json) -> Iterator[Plan]:
    uid, detail = credential["uid"], credential["credential_detail"]
    if detail == "okta.api_token":
        name = credential["display_name"] or uid
        yield _suspend(org, owner)
        yield Plan(
            f"delete the API token {name}", (_call(org, "DELETE", f"api/v1/api-tokens/{uid}"),),
            (), "R3", PROPAGATION_S, "nothing: each call shows the token",
            Act("okta.api_token", {"token": uid}, None),
        )  # fmt: skip
        return
    sort = {"okta.client_secret": "secrets", "okta.jwk": "jwks"}.get(detail)
    if sort is None:
        return
    path = f"api/v1/apps/{owner}/credentials/{sort}/{uid}"
    on = {"app": owner, "sort": sort, "id": uid}
    what = "client secret" if sort == "secrets" else "key"
    if credential["status"] != "disabled":
        yield Plan(
            f"deactivate the {what} {uid}",
            (_call(org, "POST", f"{path}/lifecycle/deactivate"),),
            (_call(org, "POST", f"{path}/lifecycle/activate"),),
            "R1", PROPAGATION_S, _TOKENS,
            Act("okta.credential.status", on, {"status": "INACTIVE"}, {"status": "ACTIVE"}),
        )  # fmt: skip
    elif sort == "secrets":  # Okta deletes only what is inactive
        yield Plan(
            f"delete the {what} {uid}", (_call(org, "DELETE", path),), (), "R3", PROPAGATION_S,
            _TOKENS, Act("okta.credential", on, None),
        )  # fmt: skip


def _grant(org: str, dossier: Json, target: str) -> Iterator[Plan]:
    uid = dossier["identity"]["uid"]
    for grant in (g for g in dossier.get("grants") or [] if g["entitlement"] == target):
        sort, _, name = target.partition(":")
        via, what = grant["via"], grant["display_name"]
        if sort == "scope" and via == "direct":
            body = {"scopeId": name, "issuer": f"https://{org}"}
            path = f"api/v1/apps/{uid}/grants"
            found = f".[] | select(.scopeId == {json.dumps(name)}) | .id"
            find = f"jq -r {shlex.quote(found)}"
            stop: tuple[str, ...] = (
                f"GRANT=$({_call(org, 'GET', path)} | {find})",
                f'{_CURL} -X DELETE "https://{org}/{path}/$GRANT"',
            )
            act = Act("okta.scope", {"app": uid, "scope": name}, None)
        elif sort == "role" and via.partition("/")[0] in ("clients", "users", "groups"):
            whose, _, assignment = via.partition("/")
            if not _ID.fullmatch(assignment):
                continue
            root = "oauth2/v1" if whose == "clients" else "api/v1"
            path = f"{root}/{whose}/{uid}/roles"
            role, _, on = name.partition("@")
            body = {"type": "CUSTOM", "role": role, "resource-set": on} if on else {"type": role}
            stop = (_call(org, "DELETE", f"{path}/{assignment}"),)
            act = Act("okta.role", {"of": whose, "id": uid, "role": role, "set": on}, None)
        else:
            continue
        yield Plan(
            f"take {what} away", stop, (_call(org, "POST", path, body),), "R2", PROPAGATION_S,
            "access tokens already issued carry it until they end", act,
        )  # fmt: skip
