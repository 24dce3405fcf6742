"""How to switch a user off; nothing is deleted, as that would lose its passwords."""

import shlex

from passmuster.connectors import Act, Plan
from passmuster.text import Json

ON = "redis.user.on"
PROPAGATION_S = 2


def plan(dossier: Json, verb: str, target: str | None = None) -> list[Plan]:
    """`off` for the user, or for a password of its own: no single one can be stopped and kept."""
    identity = dossier["identity"]
    name = str(identity["uid"])
    of_it = target is None or target.startswith(f"{name}#password")
    if verb not in ("revoke", "disable") or not of_it or identity["status"] == "disabled":
        return []
    quoted = shlex.quote(name)
    save = "redis-cli ACL SAVE  # where users are kept in an ACL file, else CONFIG REWRITE"
    return [
        Plan(
            what=f"switch the user {name} off and end its connections",
            stop=(f"redis-cli ACL SETUSER {quoted} off", f"redis-cli CLIENT KILL USER {quoted}",
                  save),
            undo=(f"redis-cli ACL SETUSER {quoted} on", save),
            undo_class="R1",
            propagation_s=PROPAGATION_S,
            residual=(
                "every other node: a cluster's nodes and replicas have users of their own; "
                "scripts and functions that it has stored"
            ),
            act=Act(ON, {"user": name}, {"on": False}, {"on": True}),
        )
    ]  # fmt: skip
