"""Definitions as `rabbitmqctl export_definitions` and `GET /api/definitions` write them.

The hash of a password (salted SHA-256) is dropped; that there is one is kept.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO
from urllib.parse import quote

from passmuster import text
from passmuster.connectors import Context
from passmuster.connectors._json import Part, guarded, listed, mapping, outline, parts, required
from passmuster.connectors._table import not_empty
from passmuster.model import Credential, Entitlement, Grant, Identity, Record, Source

_ARRAYS = ("users", "permissions", "topic_permissions", "global_parameters", "vhosts", "parameters",
           "policies", "queues", "exchanges", "bindings")  # fmt: skip
_TAGS = {
    "administrator": ("admin", "may make users and change everything"),
    "policymaker": ("write", None), "management": ("read", None), "monitoring": ("read", None),
    "impersonator": ("admin", "may publish in the name of others"),
}  # fmt: skip


def sniff(head: bytes) -> bool:
    """Users, and a version or a parameter of RabbitMQ."""
    found = outline(head, ("users", "global_parameters"))
    return "users" in found and bool(
        {"rabbit_version", "rabbitmq_version", "global_parameters"} & found.keys()
    )


def parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Users and what they may do."""
    yield from not_empty(_records(stream, context))


def _records(stream: BinaryIO, context: Context) -> Iterator[Record]:
    named = False
    for part in parts(stream, _ARRAYS):
        if part.key == "global_parameters" and not named and (cluster := _cluster(part.value)):
            named = True
            yield Source("rabbitmq", cluster, context.source_label)
        elif part.key in ("users", "permissions"):
            if not named:
                tenant = context.named(
                    "these definitions do not name their cluster before its users: give "
                    "--source <cluster>, or put global_parameters first (jq "
                    "'{global_parameters} + .')"
                )
                named = True
                yield Source("rabbitmq", tenant)
            make = _user if part.key == "users" else _permission
            yield from guarded(make, Part(part.key, part.value, part.line), ("name", "user"))


def _cluster(value: Any) -> str | None:
    found = value if isinstance(value, dict) else {}
    name = found.get("value") if found.get("name") == "internal_cluster_id" else None
    return name if isinstance(name, str) else None


def _user(user: text.Json, line: int) -> Iterator[Record]:
    name = required(user, "name")
    limits = {k: v for k, v in mapping(user.get("limits")).items() if isinstance(v, int)}
    given = user.get("tags")
    tags = given.split(",") if isinstance(given, str) else [str(tag) for tag in listed(given)]
    off = limits.get("max-connections") == 0
    password = bool(user.get("password_hash")) or user.get("has_password") is True
    shown = {"limits": limits or None, "password": None if password else "none: no login by one"}
    yield Identity(
        name, None, name, "service", "inferred", nhi_type="local_account",
        nhi_detail="rabbitmq.user", status="disabled" if off else "enabled",
        last_used_state="not_tracked",
        attributes=text.json_text({k: v for k, v in shown.items() if v is not None}), line=line,
    )  # fmt: skip
    if password:
        yield Credential(
            name, f"{name}#password", "static_secret", "rabbitmq.password", "password",
            status="enabled", expires_state="none", last_used_state="not_tracked", line=line,
        )  # fmt: skip
    for tag in filter(None, (tag.strip() for tag in tags)):
        level, why = _TAGS.get(tag, ("unknown", None))
        yield Entitlement(
            f"tag:{tag}", tag, resource_kind="cluster", permission_level=level, level_reason=why,
            is_builtin=int(tag in _TAGS), scope="cluster", line=line,
        )  # fmt: skip
        yield Grant(name, f"tag:{tag}", line=line)


def permission_uid(vhost: str, given: text.Json) -> str:
    """A permission in one virtual host; the host's name percent-encoded, as in the API's paths."""
    rights = " ".join(f"{verb}={given.get(verb, '')}" for verb in ("configure", "write", "read"))
    return f"vhost:{quote(vhost, safe='')} {rights}"


def _permission(given: text.Json, line: int) -> Iterator[Record]:
    name, vhost = required(given, "user"), required(given, "vhost")
    rights = {verb: str(given.get(verb) or "") for verb in ("configure", "write", "read")}
    uid = permission_uid(vhost, rights)
    level = next((of for verb, of in (("configure", "admin"), ("write", "write"), ("read", "read"))
                  if rights[verb] not in ("", "^$")), "unknown")  # fmt: skip
    everything = level == "admin" and rights["configure"] == ".*"
    yield Entitlement(
        uid, f"{vhost}: " + ", ".join(f"{v} {r}" for v, r in rights.items() if r), "permission",
        vhost, "vhost", "admin" if everything else "write" if level == "admin" else level,
        f"may make and delete all in {vhost}" if everything else None, scope=vhost, line=line,
    )  # fmt: skip
    yield Grant(name, uid, line=line)
