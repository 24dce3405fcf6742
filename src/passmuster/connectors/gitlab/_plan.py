"""How to stop something at GitLab: block the user behind a token before revoking the token.

Only an administrator of the instance may block, so on gitlab.com the reversible stop is declined
and what is left destroys the secret.
"""

import re
import shlex

from passmuster.connectors import Act, Plan
from passmuster.text import Json

PROPAGATION_S = 60
_RESOURCE = re.compile(r"((?:projects|groups)/\d+)#\d+")
_BLOCKABLE = {
    "gitlab.token_bot": "the bot of the token",
    "gitlab.service_account": "the service account, with all its tokens",
}


def plan(dossier: Json, verb: str, target: str | None = None) -> list[Plan]:
    """The stops of the whole identity, or of the credential *target*; reversible ones first."""
    identity = dossier["identity"]
    credentials: list[Json] = dossier.get("credentials") or []
    if verb not in ("revoke", "disable") or target not in (None, *(c["uid"] for c in credentials)):
        return []
    detail = str(identity.get("nhi_detail"))
    alone = {
        "gitlab.deploy_key": _deploy_key, "gitlab.runner": _pause,
        "gitlab.deploy_token": _deploy_token,
    }.get(detail)  # fmt: skip
    if alone is not None:
        return [p for p in [alone(identity)] if verb == "revoke" or p.undo_class != "R3"]
    if detail not in _BLOCKABLE and target is None:
        return []  # a person leaves by other ways than a review of tokens
    every = [c for c in credentials if c["status"] != "disabled"]
    live = [c for c in every if target in (None, c["uid"])]
    # who keeps an account and gives up one of its tokens does not mean the account
    whole = target is None or len(live) == len(every) == 1
    block = [_block(identity, _BLOCKABLE[detail])] if detail in _BLOCKABLE and whole else []
    if verb == "disable":
        return block
    return block + [_revoke(identity["uid"], c, dossier.get("grants") or []) for c in live]


def _api(method: str, path: str, *fields: str) -> str:
    more = "".join(f" -f {shlex.quote(field)}" for field in fields)
    return f"glab api -X {method} {shlex.quote(path)}{more}"


def _block(identity: Json, who: str) -> Plan:
    number = identity["uid"].partition("/")[2]
    known = {"state": "active"} if identity.get("status") == "enabled" else None
    return Plan(
        what=f"block {who}: user {number}",
        stop=(_api("POST", f"users/{number}/block"),),
        undo=(_api("POST", f"users/{number}/unblock"),),
        undo_class="R1", propagation_s=PROPAGATION_S,
        residual="jobs that run now end by themselves; deploy keys that it made go on working",
        act=Act("gitlab.user.state", {"user": number}, {"state": "blocked"}, known),
    )  # fmt: skip


def _revoke(user: str, credential: Json, grants: list[Json]) -> Plan:
    """Where the token's role says which project or group it is of, that one's path: its owner may
    use it, the other one only an administrator, and whoever the token belongs to.
    """
    number = credential["uid"].rpartition("/")[2]
    held = [g["entitlement"] for g in grants if g.get("via") == f"token/{number}"]
    of = next((m[1] for e in held if (m := _RESOURCE.fullmatch(e))), None)
    place: str = f"{of}/access_tokens/{number}" if of else credential["uid"]
    return Plan(
        what=f"revoke access token {place.rpartition('/')[2]} of {user}",
        stop=(_api("DELETE", place),),
        undo=(), undo_class="R3", propagation_s=PROPAGATION_S,
        residual="jobs that run now with it end by themselves; what it made (keys, hooks) stays",
        act=Act("gitlab.access_token", {"place": place}, {"revoked": True}, {"revoked": False}),
    )  # fmt: skip


def _pause(identity: Json) -> Plan:
    path = identity["uid"]
    return Plan(
        what=f"pause runner {path.partition('/')[2]}",
        stop=(_api("PUT", path, "paused=true"),),
        undo=(_api("PUT", path, "paused=false"),),
        undo_class="R1", propagation_s=PROPAGATION_S,
        residual="the job that runs now runs to its end",
        act=Act("gitlab.runner.paused", {"runner": path.partition("/")[2]}, {"paused": True},
                {"paused": identity.get("status") == "disabled"}),
    )  # fmt: skip


def _deploy_token(identity: Json) -> Plan:
    number = identity["uid"].partition("/")[2]
    return Plan(
        what=f"revoke deploy token {number}",
        stop=("read -r PLACE  # projects/ID or groups/ID: the list does not say whose it is",
              f'glab api -X DELETE "$PLACE/deploy_tokens/{number}"'),
        undo=(), undo_class="R3", propagation_s=PROPAGATION_S,
        residual="what was pulled with it",
    )  # fmt: skip


def _deploy_key(identity: Json) -> Plan:
    number = identity["uid"].partition("/")[2]
    about = dict(identity.get("attributes") or ())
    project = about.get("project")
    first = () if project else ("read -r PROJECT  # its id: the list does not say which has it",)
    path = f"projects/{project or '$PROJECT'}/deploy_keys"
    can_push = about.get("can_push")
    fields = [f"title={about.get('title', '')}", f"key={about.get('public_key', '')}"]
    fields += [f"can_push={'true' if can_push == 'yes' else 'false'}"] if can_push else []
    more = "".join(f" -f {shlex.quote(field)}" for field in fields)
    on = {"project": project, "key": number, "fingerprint": identity.get("external_id") or ""}
    public = str(about.get("public_key", ""))
    return Plan(
        what=f"take deploy key {number} off project {project or 'that has it'}",
        stop=(*first, f'glab api -X DELETE "{path}/{number}"'),
        undo=(*first, f'glab api -X POST "{path}"{more}'),
        undo_class="R2", propagation_s=PROPAGATION_S,
        residual="other projects that have it too; connections that are open end by themselves",
        act=Act("gitlab.deploy_key", on, None, {"key": " ".join(public.split()[:2])})
        if project and project.isdigit() else None,
    )  # fmt: skip
