"""How to stop a user, or to take one permission from it.

RabbitMQ has no flag for a user that is off. A limit of 0 connections is as good, keeps the password
and is put back exactly (since 3.8.10). The other way that people use, an empty hash of the
password, would need the hash to be kept for the undo: muster keeps no hash, so it is not offered.
"""

import shlex
from collections.abc import Iterator
from urllib.parse import unquote

from passmuster.connectors import Act, Plan
from passmuster.text import Json

LIMIT, PERMISSION = "rabbitmq.user.max_connections", "rabbitmq.permission"
PROPAGATION_S = 10


def plan(dossier: Json, verb: str, target: str | None = None) -> list[Plan]:
    """No more connections for the user, or for its password; for a permission, its removal."""
    identity = dossier["identity"]
    name = str(identity["uid"])
    if verb not in ("revoke", "disable"):
        return []
    if target in (None, f"{name}#password"):
        return [] if identity["status"] == "disabled" else [_limit(name, identity)]
    return list(_permission(dossier, name, str(target)))


def _limit(name: str, identity: Json) -> Plan:
    was = next(
        (v for k, v in identity.get("attributes") or [] if k == "limits.max-connections"), ""
    )
    saved = int(was) if str(was).isdigit() else None
    user = _word(name)
    back = f"""rabbitmqctl set_user_limits {user} '{{"max-connections": {saved}}}'"""
    if saved is None:
        back = f"rabbitmqctl clear_user_limits {user} max-connections"
    return Plan(
        what=f"allow the user {name} no connection and end those that are open",
        stop=(f"""rabbitmqctl set_user_limits {user} '{{"max-connections": 0}}'""",
              f"rabbitmqctl close_all_user_connections {user} 'stopped after a review'"),
        undo=(back,),
        undo_class="R1",
        propagation_s=PROPAGATION_S,
        residual="a user with a tag may still use the management API; messages that it has sent",
        act=Act(LIMIT, {"user": name}, {"max-connections": 0}, {"max-connections": saved}),
    )  # fmt: skip


def _permission(dossier: Json, name: str, target: str) -> Iterator[Plan]:
    held = [g for g in dossier.get("grants") or [] if g["entitlement"] == target]
    if not held or not target.startswith("vhost:"):
        return
    place, _, rights = target.removeprefix("vhost:").partition(" configure=")
    configure, _, rest = rights.partition(" write=")
    write, _, read = rest.partition(" read=")
    vhost, user = unquote(place), _word(name)
    given = " ".join(shlex.quote(right) for right in (configure, write, read))
    at = f"rabbitmqctl {_option(vhost)}"
    yield Plan(
        what=f"take its permissions in {vhost} from the user {name}",
        stop=(f"{at} clear_permissions {user}",
              f"rabbitmqctl close_all_user_connections {user} 'stopped after a review'"),
        undo=(f"{at} set_permissions {user} {given}",),
        undo_class="R2",
        propagation_s=PROPAGATION_S,
        residual="its permissions in other virtual hosts; messages that it has sent",
        act=Act(PERMISSION, {"user": name, "vhost": vhost}, None,
                {"configure": configure, "write": write, "read": read}),
    )  # fmt: skip


def _option(vhost: str) -> str:
    return shlex.quote(f"--vhost={vhost}")


def _word(name: str) -> str:
    """A name that begins with a dash would be an option: after `--` it is none."""
    return f"-- {shlex.quote(name)}" if name.startswith("-") else shlex.quote(name)
