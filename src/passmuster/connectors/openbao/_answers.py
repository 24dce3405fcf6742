"""Answers of the API of OpenBao (API documentation, "Identity", "Token", "AppRole", "/sys/auth").

An answer says what it is by the path that was asked. One without a path is read where its members
leave no doubt (mounts, an entity, a token); else it is a problem: a role's answer has no name.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from passmuster import text
from passmuster.connectors import Context
from passmuster.connectors._input import head_text
from passmuster.connectors._json import (
    Part,
    guarded,
    listed,
    mapping,
    optional,
    parts,
    required,
    when,
)
from passmuster.connectors._secrets import without
from passmuster.connectors._table import not_empty
from passmuster.model import (
    Credential,
    Entitlement,
    Grant,
    Identity,
    Owner,
    Problem,
    Record,
    Source,
    Trust,
)  # fmt: skip

_MARK = re.compile(r'\{\s*"path"\s*:\s*"(?:sys|auth|identity)/|"request_id"\s*:\s*"[0-9a-f-]{36}"')
_ENVELOPE = re.compile(r'"(?:lease_id|lease_duration|renewable)"\s*:')
_NEVER = "0001-01-01T00:00:00Z"
_INSIDE = frozenset(("token", "approle", "userpass"))
"""Auth methods whose secrets OpenBao itself keeps; by the others somebody else says who it is."""
_OF_PEOPLE = frozenset(("oidc", "ldap", "userpass", "github", "okta", "radius"))
_OWNER_KEYS = ("owner", "team", "contact", "managed_by")


def sniff(head: bytes) -> bool:
    """An answer of the API: its envelope, or ours with the path."""
    start = head_text(head).lstrip("\ufeff \t\r\n")
    if not start.startswith("{"):
        return False
    first = start[:4096]
    return _MARK.search(first) is not None and _ENVELOPE.search(first) is not None


def parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Identities, credentials, grants and trusts of the answers in *stream*."""
    yield from not_empty(_records(stream, context))


def _records(stream: BinaryIO, context: Context) -> Iterator[Record]:
    named = False
    for line, answer in _answers(stream):
        data, path = answer.get("data"), str(answer.get("path") or "").strip("/")
        if path == "sys/health" or (not path and _is_health(data)):
            if not named and isinstance(data, dict) and data.get("cluster_id"):
                named = True
                yield Source("openbao", required(data, "cluster_id"), context.source_label)
            continue
        if not named:
            tenant = context.named(
                f"line {line}: these answers do not name their cluster: begin with "
                "sys/health, or give --source <cluster>"
            )
            named = True
            yield Source("openbao", tenant)
        make = _reader(path, data) if isinstance(data, dict) else None
        if make is None:
            why = "no data in it" if not isinstance(data, dict) else "an answer that is not read"
            yield Problem(line, "path", f"{why}: {path[:80] or 'it has no path'}")
            continue
        yield from guarded(make, Part(path or None, data, line))


def _answers(stream: BinaryIO) -> Iterator[tuple[int, text.Json]]:
    answer: text.Json = {}
    first = 1
    for part in parts(stream, ()):
        if part.key is None:
            yield first, answer
            answer = {}
        else:
            first = part.line if not answer else first
            answer[part.key] = part.value


def _is_health(data: Any) -> bool:
    return isinstance(data, dict) and {"cluster_id", "sealed"} <= data.keys()


_Reader = Callable[[text.Json, int], Iterator[Record]]


def _reader(path: str, data: text.Json) -> _Reader | None:
    """What reads *data*, by its path."""
    match path.split("/"):
        case ["sys", "auth"]:
            return _mounts
        case ["auth", "token", "lookup-accessor" | "lookup"]:
            return _token
        case ["identity", "entity" | "group" as kind, "id", _]:
            return _entity if kind == "entity" else _group
        case ["auth", *mount, "role", name] if mount:
            return lambda found, line: _role(path, "/".join(mount), name, found, line)
        case ["auth", *mount, "role", _, "secret-id-accessor", "lookup"] if mount:
            return lambda found, line: _secret_id(path.rsplit("/", 2)[0], found, line)
    return None if path else _guessed(data)


def _guessed(data: text.Json) -> _Reader | None:
    """By members that only one kind of answer has."""
    if {"accessor", "display_name", "policies"} <= data.keys():
        return _token
    if {"aliases", "disabled", "id"} <= data.keys():
        return _entity
    if data and all(k.endswith("/") and isinstance(v, dict) for k, v in data.items()):
        return _mounts
    return None


def _mounts(data: text.Json, line: int) -> Iterator[Record]:
    """Each auth method is a door; a group, as all that come through it have that in common."""
    for path, mount in data.items():
        mount_type, accessor = required(mapping(mount), "type"), required(mount, "accessor")
        outside = mount_type not in _INSIDE
        yield Identity(
            accessor, f"auth/{path}", f"auth/{path}", "group", "stated",
            nhi_detail=f"openbao.auth.{mount_type}", status="enabled",
            last_used_state="not_tracked", is_external=int(outside),
            attributes=_attributes({"description": optional(mount, "description")}), line=line,
        )  # fmt: skip
        if outside:
            yield Trust(accessor, mount_type, "service", "federated_credential", is_external=1,
                        line=line)  # fmt: skip


def _entity(data: text.Json, line: int) -> Iterator[Record]:
    uid = required(data, "id")
    aliases = [mapping(alias) for alias in listed(data.get("aliases"))]
    doors = sorted({str(alias.get("mount_path") or alias.get("mount_type")) for alias in aliases})
    people = [a for a in aliases if a.get("mount_type") in _OF_PEOPLE]
    off = data.get("disabled") is True
    yield Identity(
        uid, None, optional(data, "name") or uid, "human" if people else "service", "inferred",
        nhi_detail="openbao.entity", status="disabled" if off else "enabled",
        created_at=when(data.get("creation_time")), last_used_state="not_tracked",
        attributes=_attributes({
            "logs_in_by": doors or None, "metadata": data.get("metadata") or None,
            "roles": sorted({r for a in aliases if (r := _role_name(a))}) or None,
        }), line=line,
    )  # fmt: skip
    yield from _policies(uid, data.get("policies"), "direct", line)
    for group in listed(data.get("direct_group_ids")):
        yield Entitlement(
            f"{group}#member", f"member of {group}", "assignment", str(group), "group", line=line
        )  # fmt: skip
        yield Grant(uid, f"{group}#member", line=line)
    yield from _owners(uid, data.get("metadata"), line)


def _role_name(alias: text.Json) -> str | None:
    found = mapping(alias.get("metadata")).get("role_name")
    return found if isinstance(found, str) else None


def _group(data: text.Json, line: int) -> Iterator[Record]:
    uid = required(data, "id")
    yield Identity(
        uid, None, optional(data, "name") or uid, "group", "stated", nhi_detail="openbao.group",
        status="enabled", created_at=when(data.get("creation_time")),
        last_used_state="not_tracked", line=line,
    )  # fmt: skip
    yield from _policies(uid, data.get("policies"), "direct", line)
    yield from _owners(uid, data.get("metadata"), line)


def _role(path: str, mount: str, name: str, data: text.Json, line: int) -> Iterator[Record]:
    """A role of an auth method: of AppRole, or of one by which an outside party comes in."""
    approle = "bind_secret_id" in data
    lasting = data.get("token_ttl") or data.get("token_max_ttl")
    yield Identity(
        path, None, name, "service" if approle else "role", "stated",
        nhi_type="local_account" if approle else "assumable_role",
        nhi_detail="openbao.approle" if approle else "openbao.auth_role", status="enabled",
        last_used_state="not_tracked",
        attributes=_attributes({
            "mount": f"auth/{mount}/",
            "secret_id": "not needed" if data.get("bind_secret_id") is False else None,
            "secret_id_ttl": data.get("secret_id_ttl") or None,
            "bound_to": data.get("secret_id_bound_cidrs") or data.get("token_bound_cidrs") or None,
            "token_ttl": lasting or None, "policies": data.get("token_policies"),
        }), line=line,
    )  # fmt: skip
    yield from _policies(path, data.get("token_policies") or data.get("policies"), "token", line)
    accounts = listed(data.get("bound_service_account_names"))
    places = ",".join(map(str, listed(data.get("bound_service_account_namespaces"))))
    for account in accounts:
        yield Trust(
            path, f"auth/{mount}/", "service", "workload_identity",
            audience=optional(data, "audience"), subject_pattern=f"{places}:{account}",
            is_external=1, is_wildcard=int("*" in (account, places)), line=line,
        )  # fmt: skip
    subject = optional(data, "bound_subject")
    claims = data.get("bound_claims")
    if subject or claims or "bound_audiences" in data:
        yield Trust(
            path, f"auth/{mount}/", "oidc_issuer", "federated_credential",
            audience=",".join(map(str, listed(data.get("bound_audiences")))) or None,
            subject_pattern=subject, condition=text.json_text(claims) if claims else None,
            is_external=1, is_wildcard=int(not subject and not claims), line=line,
        )  # fmt: skip


def _secret_id(role: str, data: text.Json, line: int) -> Iterator[Record]:
    accessor = required(data, "secret_id_accessor")
    ends = data.get("expiration_time")
    expires = None if ends in (None, "", _NEVER) else when(ends)
    yield Credential(
        role, accessor, "static_secret", "openbao.secret_id", f"secret id …{accessor[-4:]}",
        accessor[-4:], "enabled", when(data.get("creation_time")), expires_at=expires,
        expires_state="set" if expires else "none", last_used_state="not_tracked",
        attributes=_attributes({
            "metadata": data.get("metadata") or None, "from": data.get("cidr_list") or None,
            "uses_left": data.get("secret_id_num_uses") or None,
        }), line=line,
    )  # fmt: skip
    yield from _owners(role, data.get("metadata"), line)


def _token(data: text.Json, line: int) -> Iterator[Record]:
    """A token of an entity is its credential; one of nobody's is an identity by itself."""
    accessor = required(data, "accessor")
    entity = optional(data, "entity_id")
    expires = when(data.get("expire_time"))
    uid = entity or f"token:{accessor}"
    name = optional(data, "display_name") or "token"
    if entity is None:
        yield Identity(
            uid, None, f"{name} …{accessor[-4:]}", "service", "inferred",
            nhi_detail="openbao.token", status="enabled",
            created_at=when(data.get("issue_time") or data.get("creation_time")),
            last_used_state="not_tracked",
            attributes=_attributes({
                "made_by": optional(data, "path"), "orphan": data.get("orphan"),
                "period_s": data.get("period") or None, "meta": data.get("meta") or None,
            }), line=line,
        )  # fmt: skip
        yield from _policies(uid, data.get("policies"), "token", line)
        yield from _owners(uid, data.get("meta"), line)
    yield Credential(
        uid, accessor, "token", "openbao.token", f"token …{accessor[-4:]}", accessor[-4:],
        "enabled", when(data.get("issue_time") or data.get("creation_time")),
        last_rotated_at=when(data.get("last_renewal_time")), expires_at=expires,
        expires_state="set" if expires else "none", last_used_state="not_tracked", line=line,
    )  # fmt: skip


def _policies(uid: str, names: Any, via: str, line: int) -> Iterator[Record]:
    for name in dict.fromkeys(map(str, listed(names))):
        root = name == "root"
        yield Entitlement(
            f"policy:{name}", name, permission_level="admin" if root else "unknown",
            level_reason="may do everything" if root else None,
            is_builtin=int(name in ("root", "default")), line=line,
        )  # fmt: skip
        yield Grant(uid, f"policy:{name}", via, line=line)


def _owners(uid: str, metadata: Any, line: int) -> Iterator[Record]:
    for key, value in (metadata if isinstance(metadata, dict) else {}).items():
        if key.lower() in _OWNER_KEYS and isinstance(value, str) and value:
            yield Owner(uid, value, "owner", "tag", f"metadata {key}={value[:80]}", line)


def _attributes(shown: text.Json) -> str:
    return text.json_text(without({k: v for k, v in shown.items() if v is not None}))
