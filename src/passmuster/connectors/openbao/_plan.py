"""How to stop an entity, an AppRole, a secret id or a token; what destroys a secret comes last.

`disabled=true` of the entity is what few use and what should come first: it refuses tokens that are
out and logins that come, and after the undo the same token works again.
"""

import shlex
from collections.abc import Iterator

from passmuster.connectors import Act, Plan
from passmuster.text import Json

ENTITY, APPROLE = "openbao.entity.disabled", "openbao.approle.disabled"
POLICIES, SECRET_ID, TOKEN = "openbao.approle.policies", "openbao.secret_id", "openbao.token"
PROPAGATION_S = 10
"""At once on one server; replicas and standbys a little later."""
_KEPT = "leases of dynamic secrets that it has obtained (database accounts) until they end"
_R3 = "R3: the secret is destroyed, a new one has to be issued"


def plan(dossier: Json, verb: str, target: str | None = None) -> list[Plan]:
    """The reversible stop of the identity; of a secret id or a token its end."""
    identity = dossier["identity"]
    uid, detail = str(identity["uid"]), identity["nhi_detail"]
    if verb not in ("revoke", "disable"):
        return []
    credentials = dossier.get("credentials") or []
    if target is not None:
        chosen = [c for c in credentials if c["uid"] == target]
        return [p for c in chosen for p in _credential(uid, c)]
    if identity["status"] == "disabled":
        return []
    name = str(identity["display_name"])
    if detail == "openbao.entity":
        return [_entity(uid, name)]
    if detail == "openbao.approle":
        return list(_approle(uid, name, identity))
    return [p for c in credentials for p in _credential(uid, c)] if detail == TOKEN else []


def _entity(uid: str, name: str) -> Plan:
    change = f"bao write identity/entity/id/{shlex.quote(uid)} disabled="
    return Plan(
        f"disable the entity {name}", (f"{change}true",), (f"{change}false",), "R1", PROPAGATION_S,
        f"{_KEPT}; tokens that are of no entity",
        Act(ENTITY, {"id": uid}, {"disabled": True}, {"disabled": False}),
    )  # fmt: skip


def _approle(uid: str, name: str, identity: Json) -> Iterator[Plan]:
    mount, _, role = uid.rpartition("/role/")
    where = {"mount": mount, "role": role}
    find = (
        f"ROLE=$(bao read -field=role_id {shlex.quote(uid)}/role-id)",
        f"MOUNT=$(bao read -format=json sys/auth | jq -r --arg m {shlex.quote(mount[5:] + '/')} "
        "'.data[$m].accessor')",
        "ID=$(bao write -field=id identity/lookup/entity alias_name=$ROLE "
        "alias_mount_accessor=$MOUNT)",
    )  # fmt: skip
    change = 'bao write "identity/entity/id/$ID" disabled='
    yield Plan(
        f"disable the entity of the AppRole {name}", (*find, f"{change}true"),
        (*find, f"{change}false"), "R1", PROPAGATION_S, _KEPT,
        Act(APPROLE, where, {"disabled": True}),  # the role's answer does not tell its entity
    )  # fmt: skip
    known = next((v for k, v in identity.get("attributes") or [] if k == "policies"), None)
    if known is None:
        return
    policies = ",".join(name.strip() for name in str(known).split(","))
    set_to = f"bao write {shlex.quote(uid)} token_policies="
    yield Plan(
        f"take its policies from the AppRole {name}", (f"{set_to}''",),
        (f"{set_to}{shlex.quote(policies)}",), "R1", PROPAGATION_S,
        f"tokens that are out keep their policies until they end; {_KEPT}",
        Act(POLICIES, where, {"token_policies": []}),
    )  # fmt: skip


def _credential(uid: str, credential: Json) -> Iterator[Plan]:
    accessor = str(credential["uid"])
    shown = f"…{accessor[-4:]}"
    if credential["credential_detail"] == "openbao.secret_id":
        mount, _, role = uid.rpartition("/role/")
        line = (
            f"bao write {shlex.quote(uid)}/secret-id-accessor/destroy "
            f"secret_id_accessor={shlex.quote(accessor)}"
        )
        yield Plan(
            f"destroy the secret id {shown} of {role} ({_R3})", (line,), (), "R3", PROPAGATION_S,
            f"tokens that it has obtained, until they end; {_KEPT}",
            Act(SECRET_ID, {"mount": mount, "role": role, "accessor": accessor}, None),
        )  # fmt: skip
    elif credential["credential_detail"] == "openbao.token":
        line = f"bao token revoke -accessor {shlex.quote(accessor)}"
        yield Plan(
            f"revoke the token {shown} ({_R3})", (line,), (), "R3", PROPAGATION_S,
            "batch tokens that it has made; nothing else: its leases and children go with it",
            Act(TOKEN, {"accessor": accessor}, None),
        )  # fmt: skip
