"""Exports of Entra, Google Cloud and Okta, made to any size (see `tests.exports`)."""

import json
from collections.abc import Callable
from typing import Any

Make = Callable[[int, str, str], dict[str, Any]]
Maker = Callable[[int, str, str, bool], bytes]
PAD = "x" * 200
"""So that a small export is more than one piece of the stream, too."""
WHEN = "2024-01-02T03:04:05Z"


def array(make: Make, *, of: str | None = None, broken: Any = None) -> Maker:
    """An array of what *make* makes of (number, name, secret); *of* names it in an object."""

    def maker(n: int, name: str, secret: str, bad: bool) -> bytes:
        found: list[Any] = [make(at, name, secret) for at in range(n)]
        if bad:
            found.insert(n // 2, {"id": 42} if broken is None else broken)
        return json.dumps({"clientSecret": secret, of: found} if of else found).encode()

    return maker


def guid(at: int, sort: int) -> str:
    return f"{sort:08d}-0000-4000-8000-{at:012d}"


def application(at: int, name: str, secret: str) -> dict[str, Any]:
    key = {"keyId": guid(at, 3), "displayName": name, "startDateTime": WHEN, "endDateTime": WHEN}
    return {
        "id": guid(at, 1), "appId": guid(at, 2), "displayName": f"{name}{at}", "notes": name,
        "publisherDomain": name, "requiredResourceAccess": [], "signInAudience": name,
        "passwordCredentials": [{**key, "secretText": secret, "hint": "abc"}],
        "keyCredentials": {**key, "keyId": guid(at, 4), "key": secret, "Type": "X"},
        "owners": [{"userPrincipalName": f"{name}@x", "password": secret}],
        "federatedIdentityCredentials": [federated(at, name, secret)],
    }  # fmt: skip


def principal(at: int, name: str, secret: str) -> dict[str, Any]:
    return {
        "id": guid(at, 1), "appId": guid(at, 2), "displayName": f"{name}{at}",
        "servicePrincipalType": "Application", "accountEnabled": True, "tags": [name],
        "appOwnerOrganizationId": guid(at, 9), "passwordCredentials": [
            {"keyId": guid(at, 3), "displayName": name, "secretText": secret}],
    }  # fmt: skip


def federated(at: int, name: str, secret: str) -> dict[str, Any]:
    return {"id": guid(at, 5), "name": f"{name}{at}", "issuer": "https://x", "subject": name,
            "audiences": [name], "appId": guid(at, 2), "token": secret}  # fmt: skip


def consent(_at: int, name: str, secret: str) -> dict[str, Any]:
    return {"clientId": guid(1, 1), "resourceId": guid(1, 6), "consentType": "AllPrincipals",
            "scope": f"{name}.Read", "token": secret, "pad": PAD}  # fmt: skip


def assignment(at: int, name: str, secret: str) -> dict[str, Any]:
    return {
        "id": f"/x/{at}", "principalId": guid(at, 1), "principalType": "ServicePrincipal",
        "roleDefinitionId": f"/y/{guid(1, 7)}", "roleDefinitionName": name, "scope": "/s",
        "createdOn": WHEN, "secret": secret,
    }  # fmt: skip


def sign_in(at: int, name: str, secret: str) -> dict[str, Any]:
    return {"appId": f"{name}{at}", "lastSignInActivity": {"lastSignInDateTime": WHEN},
            "token": secret, "pad": PAD}  # fmt: skip


def risky(at: int, name: str, secret: str) -> dict[str, Any]:
    return {
        "ObjectId": {"Application": guid(at, 1)}, "AppId": guid(at, 2), "DisplayName": name,
        "PasswordCredentials": {
            "KeyId": guid(at, 3), "EndDateTime": "/Date(1733963922394)/", "SecretText": secret},
    }  # fmt: skip


def scuba(n: int, name: str, secret: str, bad: bool) -> bytes:
    found: list[Any] = [risky(at, name, secret) for at in range(n)]
    if bad:
        found.insert(n // 2, {"AppId": 42})
    whole = {"privileged_users": {}, "risky_applications": found, "client_secret": secret}
    return json.dumps(whole).encode()


def mail(at: int, name: str) -> str:
    return f"{name}{at}@p.iam.gserviceaccount.com"


def account(at: int, name: str, secret: str) -> dict[str, Any]:
    return {
        "name": f"projects/p/serviceAccounts/{mail(at, name)}", "projectId": "p",
        "uniqueId": f"1{at:020d}", "email": mail(at, name), "displayName": name, "token": secret,
        "pad": PAD,
    }  # fmt: skip


def account_key(at: int, name: str, secret: str) -> dict[str, Any]:
    return {
        "name": f"projects/p/serviceAccounts/{mail(1, name)}/keys/{name}{at}", "keyType": "U",
        "keyAlgorithm": "K", "validAfterTime": WHEN, "privateKeyData": secret, "pad": PAD,
        "publicKeyData": secret,
    }  # fmt: skip


def binding(at: int, name: str, secret: str) -> dict[str, Any]:
    return {
        "role": f"roles/{name}", "members": [f"serviceAccount:{mail(at, name)}"], "pad": PAD,
        "condition": {"title": name, "expression": name}, "token": secret,
    }  # fmt: skip


def asset(at: int, name: str, secret: str) -> dict[str, Any]:
    return {
        "name": f"//storage.googleapis.com/projects/p/b/{name}", "asset_type": "x/Bucket",
        "iam_policy": {"bindings": [binding(at, name, secret)], "password": secret},
        "resource": {"data": {"secret": secret}},
    }  # fmt: skip


def provider(at: int, name: str, secret: str) -> dict[str, Any]:
    return {
        "name": f"projects/1/locations/global/workloadIdentityPools/{name}/providers/{at}",
        "oidc": {"issuerUri": f"https://{name}", "jwksJson": secret}, "displayName": name,
        "pad": PAD,
    }  # fmt: skip


def activity(at: int, name: str, secret: str) -> dict[str, Any]:
    return {
        "activityType": "serviceAccountLastAuthentication", "token": secret, "pad": PAD,
        "fullResourceName": f"//iam.googleapis.com/projects/p/serviceAccounts/{mail(at, name)}",
        "activity": {"lastAuthenticatedTime": WHEN,
                     "serviceAccount": {"serviceAccountId": f"{name}{at}"}},
    }  # fmt: skip


def links(path: str) -> dict[str, Any]:
    return {"_links": {"self": {"href": f"https://o.example.com{path}"}}}


def api_token(at: int, name: str, secret: str) -> dict[str, Any]:
    return {"id": f"t{at}", "userId": "u1", "name": name, "tokenWindow": "P30D", "created": WHEN,
            "token": secret, "network": {"connection": name, "secret": secret},
            **links("/api/v1/api-tokens/1"), "pad": PAD}  # fmt: skip


def okta_app(at: int, name: str, secret: str) -> dict[str, Any]:
    client = {"client_id": f"c{at}", "client_secret": secret}
    return {
        "id": f"a{at}", "label": f"{name}{at}", "signOnMode": "OPENID_CONNECT", "status": "ACTIVE",
        "credentials": {"oauthClient": client, "password": secret}, "created": WHEN,
        "settings": {"oauthClient": {"jwks": {"keys": [{"kid": f"{name}{at}", "d": secret}]}}},
    }  # fmt: skip


def okta_secret(at: int, name: str, secret: str) -> dict[str, Any]:
    return {"id": f"{name}{at}", "status": "ACTIVE", "created": WHEN, "client_secret": secret,
            "secret_hash": secret, **links("/api/v1/apps/a1/credentials/secrets/1"),
            "pad": PAD}  # fmt: skip


def okta_role(at: int, name: str, secret: str) -> dict[str, Any]:
    return {
        "id": f"r{at}", "label": name, "type": "CUSTOM", "assignmentType": "CLIENT",
        "role": name, "resource-set": name, "token": secret, "pad": PAD,
        "_links": {"assignee": {"href": f"https://o.example.com/oauth2/v1/clients/c{at}"}},
    }  # fmt: skip


def okta_scope(at: int, name: str, secret: str) -> dict[str, Any]:
    return {"id": f"g{at}", "scopeId": name, "clientId": f"c{at}", "issuer": "https://x",
            "token": secret, "pad": PAD}  # fmt: skip


def okta_account(at: int, name: str, secret: str) -> dict[str, Any]:
    return {"id": f"s{at}", "name": f"{name}{at}", "accountType": "APP_ACCOUNT",
            "password": secret, "ownerUserIds": [name], "pad": PAD}  # fmt: skip


CLOUD: dict[str, Maker] = {
    "entra.applications.json": array(application),
    "entra.service_principals.json": array(principal, of="value"),
    "entra.federated_credentials.json": array(federated),
    "entra.permissions.json": array(consent, of="value"),
    "entra.role_assignments.json": array(assignment),
    "entra.sign_ins.json": array(sign_in, of="value"),
    "entra.scubagear.json": scuba,
    "gcp.service_accounts.json": array(account),
    "gcp.keys.json": array(account_key),
    "gcp.iam_policy.json": array(binding, of="bindings"),
    "gcp.assets.json": array(asset),
    "gcp.providers.json": array(provider),
    "gcp.activities.json": array(activity),
    "okta.api_tokens.json": array(api_token),
    "okta.apps.json": array(okta_app),
    "okta.client_credentials.json": array(okta_secret),
    "okta.roles.json": array(okta_role),
    "okta.scopes.json": array(okta_scope),
    "okta.service_accounts.json": array(okta_account),
}
