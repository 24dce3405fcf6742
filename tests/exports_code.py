"""Makers of exports of GitHub, GitLab, Terraform, SPIRE, MCP clients and Baton."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

FILLER = "." * 400
"""Rows must be large enough that a few thousand of them are more than what is read at once."""
WHEN = "2024-01-02T03:04:05Z"
Maker = Callable[[int, str, str, bool], bytes]


def _array(one: Callable[[int, str, str], dict[str, Any]]) -> Maker:
    """A maker of a list of what *one* makes of (number, name, secret)."""

    def make(n: int, name: str, secret: str, bad: bool) -> bytes:
        items: list[Any] = [one(at, name, secret) for at in range(1, n + 1)]
        if bad:
            items.insert(n // 2, {"id": "no number", **dict.fromkeys(items[0].keys() - {"id"})})
        return json.dumps(items).encode()

    return make


def _pat(at: int, name: str, secret: str) -> dict[str, Any]:
    return {
        "id": at, "owner": {"login": f"{name}{at}", "id": at, "type": "User"}, "token": secret,
        "repository_selection": "all", "permissions": {"repository": {"contents": "write"}},
        "access_granted_at": "2024-01-02T03:04:05.000-07:00", "token_id": at, "token_name": name,
        "token_expired": False, "token_expires_at": WHEN, "token_last_used_at": None,
    }  # fmt: skip


def _sso(at: int, name: str, secret: str) -> dict[str, Any]:
    return {
        "login": f"{name}{at}", "credential_id": at, "credential_type": "personal access token",
        "token_last_eight": "71c3fc11", "credential_authorized_at": WHEN, "scopes": [name],
        "credential_accessed_at": WHEN, "authorized_credential_id": at, "token": secret,
        "authorized_credential_note": name,
    }  # fmt: skip


def _installation(at: int, name: str, secret: str) -> dict[str, Any]:
    return {
        "id": at, "account": {"login": "example-org", "id": 1, "type": "Organization"},
        "app_slug": f"{name}{at}", "access_tokens_url": "https://api.github.com/x", "app_id": at,
        "permissions": {"contents": "read"}, "repository_selection": "all", "created_at": WHEN,
        "suspended_at": None, "suspended_by": None, "events": [name], "private_key": secret,
    }  # fmt: skip


def _github_key(at: int, name: str, secret: str) -> dict[str, Any]:
    return {
        "id": at, "key": "ssh-ed25519 placeholder", "title": f"{name}{at}", "verified": True,
        "url": f"https://api.github.com/repos/example-org/shop/keys/{at}", "created_at": WHEN,
        "read_only": True, "added_by": name, "last_used": None, "enabled": True, "private": secret,
    }  # fmt: skip


def _edge(at: int, name: str, secret: str) -> dict[str, Any]:
    node = {"login": f"{name}{at}", "name": name, "email": "", "bio": secret + FILLER}
    return {"hasTwoFactorEnabled": True, "role": "MEMBER", "node": node}


def _hook(at: int, name: str, secret: str) -> dict[str, Any]:
    url = f"https://api.github.com/orgs/example-org/hooks/{at}"
    return {
        "id": at, "url": url, "deliveries_url": f"{url}/deliveries", "name": "web",
        "events": [name, "push"], "active": True, "created_at": WHEN, "updated_at": WHEN,
        "config": {"url": f"https://svc.example.com/{secret}?token={secret}", "secret": secret},
    }  # fmt: skip


def make_secrets(n: int, name: str, secret: str, bad: bool) -> bytes:
    items: list[Any] = [
        {"name": f"{name}{at}", "created_at": WHEN, "updated_at": WHEN, "value": secret + FILLER}
        for at in range(n)
    ]
    if bad:
        items.insert(n // 2, {"name": 42})
    return json.dumps({"total_count": n, "secrets": items}).encode()


def _gitlab_token(at: int, name: str, secret: str) -> dict[str, Any]:
    return {
        "id": at, "name": f"{name}{at}", "revoked": False, "active": True, "created_at": WHEN,
        "scopes": ["api", name], "user_id": at, "access_level": 40, "expires_at": "2027-01-02",
        "last_used_at": None, "token": secret,
    }  # fmt: skip


def _account(at: int, name: str, _secret: str) -> dict[str, Any]:
    return {"id": at, "username": f"{name}{at}", "name": name}


def _member(at: int, name: str, secret: str) -> dict[str, Any]:
    return {
        "id": at, "username": f"{name}{at}", "name": name, "state": "active", "access_level": 30,
        "web_url": f"https://gitlab.example.com/{secret}", "private_token": secret + FILLER,
    }  # fmt: skip


def _deploy_token(at: int, name: str, secret: str) -> dict[str, Any]:
    return {
        "id": at, "name": name, "username": f"{name}{at}", "expires_at": None, "revoked": False,
        "expired": False, "scopes": ["read_repository"], "token": secret + FILLER,
    }  # fmt: skip


def _gitlab_key(at: int, name: str, secret: str) -> dict[str, Any]:
    return {
        "id": at, "title": f"{name}{at}", "key": f"ssh-ed25519 placeholder{at}", "can_push": True,
        "created_at": WHEN, "expires_at": None, "private_key": secret,
        "projects_with_write_access": [{"id": 7, "path_with_namespace": f"{name}/shop"}],
    }  # fmt: skip


def _runner(at: int, name: str, secret: str) -> dict[str, Any]:
    return {
        "id": at, "description": f"{name}{at}", "runner_type": "group_type", "is_shared": False,
        "paused": False, "status": "online", "token": secret + FILLER,
    }  # fmt: skip


def make_keys(n: int, name: str, secret: str, bad: bool) -> bytes:
    keys: list[Any] = [
        {"id": f"apikey_{at}", "type": "api_key", "name": f"{name}{at}", "workspace_id": None,
         "created_at": WHEN, "created_by": {"id": "user_1", "type": "user"}, "status": "active",
         "partial_key_hint": "sk-ant-api03-R2D...igAA", "key": secret + FILLER}
        for at in range(n)
    ]  # fmt: skip
    if bad:
        keys.insert(n // 2, {**keys[0], "id": 42})
    return json.dumps({"data": keys, "has_more": False}).encode()


def make_state(n: int, name: str, secret: str, bad: bool) -> bytes:
    resources: list[Any] = [
        {"mode": "managed", "type": "aws_iam_access_key", "name": "key",
         "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
         "instances": [{"index_key": f"{name}{at}", "private": secret, "attributes": {
             "id": f"EXAMPLEKEY{at:06}", "user": f"{name}{at}", "secret": secret,
             "status": "Active", "ses_smtp_password_v4": secret, "description": secret,
             "key_fingerprint": secret},
             "sensitive_attributes": [[{"type": "get_attr", "value": "description"}]]}]}
        for at in range(n)
    ]  # fmt: skip
    if bad:
        resources.insert(n // 2, {"mode": "managed", "type": "aws_iam_access_key", "name": 42})
    return json.dumps({
        "version": 4, "terraform_version": "1.9.5", "serial": 1, "lineage": "lineage-example",
        "outputs": {"password": {"value": secret, "type": "string"}}, "resources": resources,
    }).encode()  # fmt: skip


def make_entries(n: int, name: str, secret: str, bad: bool) -> bytes:
    entries: list[Any] = [
        {"id": f"{name}{at}", "spiffe_id": {"trust_domain": "example.org", "path": f"/{name}{at}"},
         "parent_id": {"trust_domain": "example.org", "path": "/node"}, "created_at": "1700000000",
         "selectors": [{"type": "unix", "value": f"user:{name}"}], "expires_at": "0",
         "x509_svid_ttl": 600, "federates_with": ["other.example"], "svid_key": secret}
        for at in range(n)
    ]  # fmt: skip
    if bad:
        entries.insert(n // 2, {**entries[0], "selectors": 42})
    return json.dumps({"entries": entries, "next_page_token": ""}).encode()


def make_mcp(n: int, name: str, secret: str, bad: bool) -> bytes:
    servers: dict[str, Any] = {
        f"{name}{at}": {
            "command": "/usr/bin/npx", "env": {"API_TOKEN": secret, "REGION": secret},
            "args": ["-y", "@example/server", "--api-key", secret, f"--token={secret}",
                     secret + FILLER],
        }
        for at in range(n)
    }  # fmt: skip
    if bad:
        named = [*servers.items()]
        servers = dict([*named[: n // 2], ("broken", {"url": 42}), *named[n // 2 :]])
    return json.dumps({"mcpServers": servers}).encode()


def make_baton(n: int, name: str, _secret: str, bad: bool) -> bytes:
    from passmuster.connectors.baton import COLUMNS

    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(COLUMNS)
    for at in range(n):
        entitlement = ["Admin", f"team:{at}:admin", "team", name, FILLER, "admin"]
        write(["Identity", "", f"{name}{at}", f"u{at}", "Enabled", f"{at}@example.com", *[""] * 6])
        write(["Entitlement", *[""] * 5, *entitlement])
        write(["Grant", "", f"{name}{at}", f"u{at}", "", f"{at}@example.com", *entitlement])
        if bad and at == n // 2:
            write(["Grant", *[""] * 11])
    return out.getvalue().encode()


CODE_MAKERS: dict[str, Maker] = {
    "github.personal_access_tokens.json": _array(_pat),
    "github.credential_authorizations.json": _array(_sso),
    "github.installations.json": _array(_installation),
    "github.deploy_keys.json": _array(_github_key),
    "github.members.json": _array(_edge),
    "github.webhooks.json": _array(_hook),
    "github.actions_secrets.json": make_secrets,
    "gitlab.access_tokens.json": _array(_gitlab_token),
    "gitlab.service_accounts.json": _array(_account),
    "gitlab.members.json": _array(_member),
    "gitlab.deploy_tokens.json": _array(_deploy_token),
    "gitlab.deploy_keys.json": _array(_gitlab_key),
    "gitlab.runners.json": _array(_runner),
    "anthropic.api_keys.json": make_keys,
    "terraform.state.json": make_state,
    "spire.entries.json": make_entries,
    "mcp.config.json": make_mcp,
    "baton.export.csv": make_baton,
}
