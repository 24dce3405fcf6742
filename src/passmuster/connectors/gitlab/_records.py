"""Records from GitLab's answers, one function for each kind of element.

Behind a project's or a group's access token stands a bot user that GitLab made for it alone; the
list names it by number, so that is its uid, as it is of people and service accounts.
"""

from collections.abc import Iterator

from passmuster import text
from passmuster.connectors._json import mapping, optional, required, when
from passmuster.connectors._pages import number, words
from passmuster.connectors._public_key import fingerprint
from passmuster.connectors._secrets import REMOVED, is_secret
from passmuster.model import Credential, Entitlement, Grant, Identity, Kind, Record

LEVELS = {
    5: "minimal access", 10: "guest", 15: "planner", 20: "reporter", 30: "developer",
    40: "maintainer", 50: "owner", 60: "administrator",
}  # fmt: skip
_MAY = {5: "read", 10: "read", 15: "read", 20: "read", 30: "write", 40: "admin", 50: "owner",
        60: "admin"}  # fmt: skip
_WIDE = {
    "api": "write", "read_api": "read", "sudo": "admin", "admin_mode": "admin",
    "write_repository": "write", "write_registry": "write", "create_runner": "write",
    "manage_runner": "write", "k8s_proxy": "admin",
}  # fmt: skip


def _plain(value: str | None) -> str | None:
    return REMOVED if value and is_secret(value) else value


def _scopes(of: text.Json, uid: str, via: str, line: int) -> Iterator[Record]:
    """Scopes of a token as entitlements: what it may at most do, wherever its user may."""
    for scope in words(of.get("scopes")):
        level = _WIDE.get(scope, "read" if scope.startswith("read_") else "unknown")
        yield Entitlement(
            f"scope:{scope}", f"scope {scope}", permission_level=level, is_builtin=1,
            level_reason=f"scope {scope}" if level == "admin" else None,
        )  # fmt: skip
        yield Grant(uid, f"scope:{scope}", via, line=line)


def _role(level: object, uid: str, where: str, via: str, line: int) -> Iterator[Record]:
    if not isinstance(level, int) or isinstance(level, bool):
        return
    name = LEVELS.get(level, f"access level {level}")
    may = _MAY.get(level, "unknown")
    yield Entitlement(
        f"{where}#{level}", f"{name} of {where}", "assignment", where, "group", may,
        level_reason=f"{name} of {where}" if may in ("admin", "owner") else None,
        is_builtin=1, scope=where,
    )  # fmt: skip
    yield Grant(uid, f"{where}#{level}", via, line=line)


def access_token(token: text.Json, line: int, where: str) -> Iterator[Record]:
    """A personal access token, or one of a project or a group (then it has a role there)."""
    token_id, user = number(token, "id"), f"user/{number(token, 'user_id')}"
    revoked, active = token.get("revoked"), token.get("active")
    if not isinstance(revoked, bool) or not isinstance(active, bool):
        raise TypeError("revoked or active is neither true nor false")
    name = _plain(required(token, "name")) or REMOVED
    bot = "access_level" in token
    place = _resource(token)
    expires, used = when(token.get("expires_at")), when(token.get("last_used_at"))
    kind: Kind = "service" if bot else "human"
    shown = f"{name} (bot of an access token)" if bot else user
    yield Identity(
        user, None, shown, kind, nhi_type="local_account" if bot else None,
        nhi_detail="gitlab.token_bot" if bot else "gitlab.user",
    )  # fmt: skip
    yield Credential(
        user, f"personal_access_tokens/{token_id}", "token",
        "gitlab.access_token" if bot else "gitlab.personal_access_token", name,
        status="enabled" if active and not revoked else "disabled",
        created_at=when(token.get("created_at")),
        expires_at=expires, expires_state="set" if expires else "none",
        last_used_at=used,
        last_used_state="known" if used else "never" if "last_used_at" in token else "unknown",
        scopes=text.json_text(words(token.get("scopes"))),
        attributes=text.json_text({"revoked": revoked}), line=line,
    )  # fmt: skip
    if active and not revoked:
        yield from _scopes(token, user, f"token/{token_id}", line)
        yield from _role(token.get("access_level"), user, place or where, f"token/{token_id}", line)


def _resource(token: text.Json) -> str:
    """`projects/7` where the answer says whose token it is; newer servers do."""
    kind, of = token.get("resource_type"), token.get("resource_id")
    return f"{kind}s/{of}" if kind in ("project", "group") and isinstance(of, int) else ""


def service_account(found: text.Json, line: int, _where: str) -> Iterator[Record]:
    """A service account of a group or of the instance."""
    name = required(found, "username")
    yield Identity(
        f"user/{number(found, 'id')}", name, optional(found, "name") or name, "service", "stated",
        optional(found, "email"), "local_account", "gitlab.service_account", line=line,
    )  # fmt: skip


def member(found: text.Json, line: int, where: str) -> Iterator[Record]:
    """Somebody, or a bot, with a role in a group or project."""
    uid, name = f"user/{number(found, 'id')}", required(found, "username")
    state = optional(found, "state")
    bot = name.startswith(("project_", "group_")) and "_bot" in name
    service = name.startswith("service_account_")
    kind: Kind = "service" if bot or service else "human"
    detail = "token_bot" if bot else "service_account" if service else "user"
    yield Identity(
        uid, name, optional(found, "name") or name, kind,
        "inferred", optional(found, "email"), "local_account" if kind == "service" else None,
        f"gitlab.{detail}",
        {"active": "enabled", None: "unknown"}.get(state, "disabled"),
        created_at=when(found.get("created_at")), line=line,
    )  # fmt: skip
    for record in _role(found.get("access_level"), uid, where, "member", line):
        yield (
            record._replace(expires_at=when(found.get("expires_at")))
            if isinstance(record, Grant)
            else record
        )


def deploy_token(token: text.Json, line: int, _where: str) -> Iterator[Record]:
    """A user of its own that may pull or push; nobody records when it last did."""
    uid, name = f"deploy_token/{number(token, 'id')}", _plain(required(token, "name")) or REMOVED
    off = token.get("revoked") is True or token.get("expired") is True
    expires = when(token.get("expires_at"))
    status = "disabled" if off else "enabled"
    yield Identity(
        uid, optional(token, "username"), f"deploy token {name}", "service", "stated",
        None, "local_account", "gitlab.deploy_token", status,
        last_used_state="not_tracked", line=line,
    )  # fmt: skip
    yield Credential(
        uid, uid, "token", "gitlab.deploy_token", name, status=status, expires_at=expires,
        expires_state="set" if expires else "none", last_used_state="not_tracked",
        scopes=text.json_text(words(token.get("scopes"))), line=line,
    )  # fmt: skip
    if not off:
        yield from _scopes(token, uid, "deploy token", line)


def deploy_key(key: text.Json, line: int, _where: str) -> Iterator[Record]:
    """An SSH key of projects; GitLab lists it once for each project that has it."""
    uid, title = f"deploy_key/{number(key, 'id')}", _plain(required(key, "title")) or REMOVED
    print_ = fingerprint(required(key, "key"))
    print_ = optional(key, "fingerprint_sha256") or print_ or optional(key, "fingerprint")
    created, expires = when(key.get("created_at")), when(key.get("expires_at"))
    used = when(key.get("last_used_at"))
    state = "known" if used else "never" if "last_used_at" in key else "not_tracked"
    projects = _projects(key)
    yield Identity(
        uid, None, f"deploy key {title}", "service", "stated", print_, "local_account",
        "gitlab.deploy_key", "enabled", created_at=created, last_used_at=used,
        last_used_state=state,
        attributes=text.json_text({
            "title": title, "public_key": required(key, "key"),
            "can_push": key.get("can_push") is True or [p[2] for p in projects] == ["write"],
            **({"projects": [f"{name} ({may})" for _, name, may in projects]} if projects else {}),
            **({"project": projects[0][0]} if len(projects) == 1 else {}),
        }), line=line,
    )  # fmt: skip
    yield Credential(
        uid, print_ or uid, "asymmetric_key", "gitlab.deploy_key", title, status="enabled",
        created_at=created, expires_at=expires, expires_state="set" if expires else "none",
        last_used_at=used, last_used_state=state, line=line,
    )  # fmt: skip
    told = projects or [("", "its project", "write" if key.get("can_push") else "read")]
    for _, name, may in told:
        yield Entitlement(f"{name}#{may}", f"{may} {name}", "permission", name, "project", may,
                          is_builtin=1, scope=name)  # fmt: skip
        yield Grant(uid, f"{name}#{may}", "deploy key", line=line)


def _projects(key: text.Json) -> list[tuple[str, str, str]]:
    """(id, path, read or write) of the projects that the list of a whole instance names."""
    found = []
    for name, may in (("projects_with_write_access", "write"),
                      ("projects_with_readonly_access", "read")):  # fmt: skip
        for project in key.get(name) or []:
            path = required(mapping(project), "path_with_namespace")
            found.append((number(project, "id"), path, may))
    return found


def runner(found: text.Json, line: int, _where: str) -> Iterator[Record]:
    """A machine that runs jobs with whatever they are given."""
    uid = f"runners/{number(found, 'id')}"
    paused = found.get("paused")
    if not isinstance(paused, bool):
        paused = found.get("active") is False
    shown = {name: found.get(name) for name in ("runner_type", "status", "is_shared", "ip_address")}
    contacted = when(found.get("contacted_at"))
    yield Identity(
        uid, None, _plain(optional(found, "description")) or uid, "workload", "stated",
        nhi_detail="gitlab.runner", status="disabled" if paused else "enabled",
        created_at=when(found.get("created_at")), last_used_at=contacted,
        last_used_state="known" if contacted else "unknown",
        last_used_source="contacted_at" if contacted else None,
        attributes=text.json_text({k: v for k, v in shown.items() if v is not None}), line=line,
    )  # fmt: skip
