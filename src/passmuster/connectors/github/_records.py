"""Records from GitHub's answers, one function for each kind of element.

Whom a list speaks of: people by login (the SSO list names nobody by number), everything else by
its place in the API: `repos/O/R/keys/1`, `orgs/O/hooks/1`, `installations/1`. That place is also
what a remediation finds it by.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from passmuster import text
from passmuster.connectors._json import mapping, optional, required, when
from passmuster.connectors._pages import number, words
from passmuster.connectors._public_key import fingerprint
from passmuster.connectors._secrets import REMOVED, is_secret
from passmuster.model import Credential, Entitlement, Grant, Identity, Kind, Record, Trust

ISSUER = "token.actions.githubusercontent.com"
"""Of the tokens that workflows show to clouds, as those name it (without `https://`)."""
_ACCOUNT_TYPES: dict[str, Kind] = {"Bot": "app", "Organization": "group"}
_PLACE = re.compile(r"/((?:repos/[\w.-]+/[\w.-]+|orgs/[\w.-]+)/(?:keys|hooks)/\d+)\Z")


def _plain(value: str | None) -> str | None:
    """A note of a person's, which may hold what it must not."""
    return REMOVED if value and is_secret(value) else value


def _last_used(value: Any) -> tuple[str | None, str]:
    used = when(value)
    return used, "known" if used else "never"


def place(element: text.Json) -> str:
    """`repos/O/R/keys/1`: where the element stands in the API, out of its `url`."""
    found = _PLACE.search(required(element, "url"))
    if found is None:
        raise ValueError("url names no key or webhook of a repository or an organisation")
    return found[1]


def organisation(where: str) -> str:
    """The organisation (or user) of a place; logins have no case."""
    return where.split("/")[1].lower()


def person(login: str, account: text.Json | None = None) -> Identity:
    """Somebody that another row mentions."""
    kind = _ACCOUNT_TYPES.get(str((account or {}).get("type")), "human")
    return Identity(f"user/{login}", login, login, kind, nhi_detail="github.user")


def member(edge: text.Json, line: int, org: str) -> Iterator[Record]:
    """Somebody in an organisation; owners are told whether each has a second factor."""
    node, role = mapping(edge.get("node")), required(edge, "role")
    factor = edge.get("hasTwoFactorEnabled")
    email = optional(node, "email")
    who = person(required(node, "login"))
    yield who._replace(
        display_name=optional(node, "name") or who.display_name,
        external_id=email,
        has_mfa=int(factor) if isinstance(factor, bool) else None,
        status="enabled",
        line=line,
    )
    owner = role == "ADMIN"
    yield Entitlement(
        f"orgs/{org}#{role}",
        f"{'owner' if owner else role.lower()} of {org}",
        "assignment",
        f"orgs/{org}",
        "organization",
        "owner" if owner else "unknown",
        f"owner of {org}" if owner else None,
        1,
        org,
    )
    yield Grant(who.uid, f"orgs/{org}#{role}", "member", line=line)


def _permissions(value: Any) -> Iterator[tuple[str, str]]:
    """(name, level) of `{"contents": "write"}`, and of the same one level deeper (PATs)."""
    for name, level in mapping(value).items():
        if isinstance(level, dict):
            yield from _permissions(level)
        else:  # a level that a later GitHub may have is not known to be harmless
            yield name, level if level in ("read", "write", "admin") else "unknown"


def _level(name: str, level: str) -> str:
    if level == "admin" or (level == "write" and "administration" in name):
        return "admin"
    return {"write": "write", "read": "read"}.get(level, "unknown")


def _permission(name: str, level: str, org: str) -> Entitlement:
    return Entitlement(
        f"orgs/{org}#{name}:{level}", f"{name}: {level}", resource_kind="organization",
        permission_level=_level(name, level), is_builtin=1, scope=org,
        level_reason=f"{level} on {name}" if _level(name, level) == "admin" else None,
    )  # fmt: skip


def grant_of_token(grant: text.Json, line: int, org: str) -> Iterator[Record]:
    """A fine-grained personal access token that an organisation approved."""
    grant_id, owner = number(grant, "id"), mapping(grant.get("owner"))
    login = required(owner, "login")
    used, state = _last_used(grant.get("token_last_used_at"))
    expires = when(grant.get("token_expires_at"))
    permissions = list(_permissions(grant.get("permissions")))
    yield person(login, owner)
    yield Credential(
        f"user/{login}", f"orgs/{org}/personal-access-tokens/{grant_id}", "token",
        "github.fine_grained_pat", _plain(optional(grant, "token_name")),
        status="disabled" if grant.get("token_expired") is True else "enabled",
        created_at=when(grant.get("access_granted_at")),
        expires_at=expires, expires_state="set" if expires else "none",
        last_used_at=used, last_used_state=state,
        scopes=text.json_text([f"{name}:{level}" for name, level in permissions]),
        attributes=text.json_text({
            "token_id": grant.get("token_id"), "repositories": grant.get("repository_selection"),
        }), line=line,
    )  # fmt: skip
    via = f"personal-access-token/{grant_id}"
    for name, level in permissions:
        yield _permission(name, level, org)
        yield Grant(f"user/{login}", f"orgs/{org}#{name}:{level}", via, expires_at=expires,
                    line=line)  # fmt: skip


_SSO_TYPES = {
    "SSH key": ("asymmetric_key", "github.ssh_key"),
    "personal access token": ("token", "github.classic_pat"),
    "OAuth app token": ("token", "github.oauth_token"),
    "GitHub app token": ("token", "github.app_user_token"),
}


def sso_credential(found: text.Json, line: int, org: str) -> Iterator[Record]:
    """A token or key that somebody opened for an organisation with SAML single sign-on."""
    login, kind = required(found, "login"), required(found, "credential_type")
    credential_type, detail = _SSO_TYPES.get(kind, ("token", "github.credential"))
    used, state = _last_used(found.get("credential_accessed_at"))
    expires = when(found.get("authorized_credential_expires_at"))
    last = optional(found, "token_last_eight")
    key = credential_type == "asymmetric_key"
    yield person(login)
    yield Credential(
        f"user/{login}", f"orgs/{org}/credential-authorizations/{number(found, 'credential_id')}",
        credential_type, detail,
        _plain(optional(found, "authorized_credential_note")
               or optional(found, "authorized_credential_title")) or kind,
        hint=last[-4:] if last and last.isascii() and last.isalnum() else None, status="enabled",
        created_at=when(found.get("credential_authorized_at")),
        expires_at=expires, expires_state="set" if expires else "unknown" if key else "none",
        last_used_at=used, last_used_state=state,
        scopes=text.json_text(words(found.get("scopes"))) if not key else None,
        attributes=text.json_text({
            name: found[name] for name in ("fingerprint", "authorized_credential_id")
            if found.get(name)
        }), line=line,
    )  # fmt: skip


def installation(found: text.Json, line: int) -> Iterator[Record]:
    """An app that an organisation, or a person, let in."""
    uid, account = f"installations/{number(found, 'id')}", mapping(found.get("account"))
    org = required(account, "login").lower()
    slug = required(found, "app_slug")
    suspended = when(found.get("suspended_at"))
    shown = {
        "organisation": required(account, "login"), "app_id": found.get("app_id"),
        "repositories": found.get("repository_selection"),
        "events": words(found.get("events")), "settings_page": optional(found, "html_url"),
        "suspended_at": suspended,
        "suspended_by": mapping(found.get("suspended_by")).get("login"),
    }  # fmt: skip
    yield Identity(
        uid, f"{slug}[bot]", slug, "app", "stated", optional(found, "client_id"),
        "app_registration", "github.app_installation",
        "disabled" if suspended else "enabled", created_at=when(found.get("created_at")),
        last_used_state="not_tracked",
        attributes=text.json_text({k: v for k, v in shown.items() if v}), line=line,
    )  # fmt: skip
    for name, level in _permissions(found.get("permissions")):
        yield _permission(name, level, org)
        yield Grant(uid, f"orgs/{org}#{name}:{level}", "installation", line=line)


def deploy_key(key: text.Json, line: int) -> Iterator[Record]:
    """An SSH key that opens one repository."""
    number(key, "id")
    uid = place(key)
    repository = "/".join(uid.split("/")[1:3])
    read_only = key.get("read_only")
    if not isinstance(read_only, bool):
        raise TypeError("read_only is neither true nor false")
    may = "read" if read_only else "write"
    used, state = _last_used(key.get("last_used")) if "last_used" in key else (None, "unknown")
    title = _plain(optional(key, "title")) or uid
    added_by = optional(key, "added_by")
    status = "disabled" if key.get("enabled") is False else "enabled"
    created = when(key.get("created_at"))
    print_ = fingerprint(optional(key, "key"))
    yield Identity(
        uid, None, f"{title} ({repository})", "service", "stated", print_, "local_account",
        "github.deploy_key", status, created_at=created,
        created_by=f"user/{added_by}" if added_by else None,
        last_used_at=used, last_used_state=state, last_used_source="last_used of the deploy key",
        attributes=text.json_text({
            "repository": repository, "title": title, "may": may,
        } | ({"public_key": optional(key, "key")} if print_ else {})), line=line,
    )  # fmt: skip
    yield Credential(
        uid, print_ or uid, "asymmetric_key", "github.deploy_key", title, status=status,
        created_at=created, created_by=f"user/{added_by}" if added_by else None,
        expires_state="none", last_used_at=used, last_used_state=state, line=line,
    )  # fmt: skip
    yield Entitlement(f"repos/{repository}#{may}", f"{may} {repository}", "permission",
                      f"repos/{repository}", "repository", may, is_builtin=1,
                      scope=repository)  # fmt: skip
    yield Grant(uid, f"repos/{repository}#{may}", "deploy key", line=line)


def hook(found: text.Json, line: int) -> Iterator[Record]:
    """A webhook: what happens here is told to somebody elsewhere."""
    number(found, "id")
    uid, config = place(found), mapping(found.get("config"))
    of = uid.split("/hooks/")[0].partition("/")[2]
    active = found.get("active")
    if not isinstance(active, bool):
        raise TypeError("active is neither true nor false")
    target = urlsplit(str(config.get("url") or ""))
    host = target.hostname or "an address that is not told"
    created = when(found.get("created_at"))
    status = "enabled" if active else "disabled"
    shown = {
        "delivers_to": f"{target.scheme}://{host}" if target.scheme else None,
        "events": words(found.get("events")),
        "signed": "yes" if config.get("secret") else "no",
        "verifies_tls": "no" if str(config.get("insecure_ssl", "0")) == "1" else None,
    }
    yield Identity(
        uid, None, f"webhook of {of} to {host}", "service", "stated", nhi_detail="github.webhook",
        status=status, created_at=created, last_used_state="not_tracked",
        attributes=text.json_text({k: v for k, v in shown.items() if v}), line=line,
    )  # fmt: skip
    if config.get("secret"):  # GitHub shows stars in its place
        yield Credential(uid, f"{uid}#secret", "static_secret", "github.webhook_secret",
                         "signs what is delivered", status=status, created_at=created, line=line,
                         expires_state="none", last_used_state="not_tracked")  # fmt: skip


def workflows(where: str) -> Identity:
    """Whatever runs in the Actions of an organisation or of a repository (`O/R`)."""
    kind = "repos" if "/" in where else "orgs"
    return Identity(
        f"{kind}/{where}/actions", f"repo:{where}" if "/" in where else f"repo:{where}/*",
        f"GitHub Actions of {where}", "workload", nhi_detail="github.actions", status="enabled",
        last_used_state="not_tracked",
        handle=f"https://{ISSUER}#repo:{where}" if "/" in where else None,
    )  # fmt: skip


def actions_secret(secret: text.Json, line: int, where: str) -> Iterator[Record]:
    """A secret that workflows are given; GitHub tells its name only."""
    name, user = required(secret, "name"), workflows(where)
    yield user
    yield Credential(
        user.uid, f"{user.uid}/secrets/{name}", "static_secret", "github.actions_secret", name,
        status="enabled", created_at=when(secret.get("created_at")),
        last_rotated_at=when(secret.get("updated_at")), last_used_state="not_tracked",
        attributes=text.json_text({"given_to": optional(secret, "visibility") or "one repository"}),
        line=line,
    )  # fmt: skip


def subject_claim(found: text.Json, line: int, where: str) -> Iterator[Record]:
    """What stands in the subject of the tokens that workflows show to clouds.

    *Wildcard*: the subject does not name the repository, so no cloud can tell one from another.
    """
    keys = words(found.get("include_claim_keys"))
    if not keys and not isinstance(found.get("use_default"), bool):
        raise ValueError("neither include_claim_keys nor use_default")
    if not keys or found.get("use_default") is True:
        keys = ["repo", "context"]
    repository = where if "/" in where else f"{where}/*"
    told = {
        "repo": f"repo:{repository}", "repository": f"repository:{repository}",
        "repository_owner": f"repository_owner:{where.partition('/')[0]}", "context": "*",
    }  # fmt: skip
    pinned = {"repo", "repository", "repository_id", "job_workflow_ref", "workflow_ref"}
    user = workflows(where)
    yield user._replace(line=line, attributes=text.json_text({"subject_made_of": keys}))
    yield Trust(
        user.uid, ISSUER, "oidc_issuer", "workload_identity",
        subject_pattern=":".join(told.get(key, f"{key}:*") for key in keys),
        condition=f"the subject is made of {', '.join(keys)}",
        is_wildcard=int(pinned.isdisjoint(keys)), line=line,
    )  # fmt: skip
