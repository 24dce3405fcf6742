"""How to stop something at GitHub: what can be switched on again first, and what it leaves open.

GitHub has few reversible stops: a webhook and an installed app have a flag, a deploy key can be
put back from its public half. What a token may do in an organisation ends for good.
"""

import shlex

from passmuster.connectors import Act, Plan
from passmuster.text import Json, plural

PROPAGATION_S = 60
PUBLIC = (
    "it still reads what is public, and SSH keys that were made with it go on working"
    " (docs.github.com)"
)


def plan(dossier: Json, verb: str, target: str | None = None) -> list[Plan]:
    """The stops of the whole identity, or of the credential *target*."""
    if verb not in ("revoke", "disable"):
        return []
    identity = dossier["identity"]
    uid: str = identity["uid"]
    own = {c["uid"] for c in dossier.get("credentials") or []}
    if target is not None and target not in own:
        return []
    make = {
        "github.deploy_key": _deploy_key, "github.webhook": _hook,
        "github.app_installation": _installation,
    }.get(identity.get("nhi_detail"))  # fmt: skip
    if make is not None:
        return [make(identity)]
    if target is None and uid.endswith("/actions"):
        return []  # a whole organisation's secrets at one stroke is no decision of one identity
    found = [_credential(uid, name) for name in (sorted(own) if target is None else [target])]
    usable = [p for p in found if p is not None and (verb == "revoke" or p.undo_class != "R3")]
    return usable if len(usable) < 2 else [_together(uid, usable)]


def _together(identity: str, plans: list[Plan]) -> Plan:
    """The lines of all: plans are alternatives, and one credential's stops no whole person."""
    return Plan(
        what=f"end what {plural(len(plans), 'credential')} of {identity} may do here",
        stop=tuple(line for p in plans for line in p.stop),
        undo=tuple(dict.fromkeys(line for p in plans for line in p.undo)),
        undo_class=max(p.undo_class for p in plans), propagation_s=PROPAGATION_S,
        residual="; ".join(dict.fromkeys(p.residual for p in plans)),
    )  # fmt: skip


def _attributes(identity: Json) -> dict[str, str]:
    return dict(identity.get("attributes") or ())


def _api(method: str, path: str, *fields: str) -> str:
    more = "".join(f" {flag} {shlex.quote(field)}" for flag, field in _flags(fields))
    return f"gh api -X {method} {shlex.quote(path)}{more}"


def _flags(fields: tuple[str, ...]) -> list[tuple[str, str]]:
    # -F makes true and false of JSON, -f leaves text as text
    return [("-F" if f.endswith(("=true", "=false")) else "-f", f) for f in fields]


def _deploy_key(identity: Json) -> Plan:
    uid: str = identity["uid"]
    about = _attributes(identity)
    keys, _, number = uid.rpartition("/")
    key, read_only = about.get("public_key"), about.get("may") == "read"
    back = _api("POST", keys, f"title={about.get('title', '')}", f"key={key}",
                f"read_only={str(read_only).lower()}")  # fmt: skip
    known = {"key": " ".join(key.split()[:2]), "read_only": read_only} if key else None
    return Plan(
        what=f"take deploy key {number} off {about.get('repository', keys)}",
        stop=(*(() if key else (_api("GET", uid) + " > deploy-key.json",)), _api("DELETE", uid)),
        undo=(back if key else f"gh api -X POST {shlex.quote(keys)} --input deploy-key.json",),
        undo_class="R2", propagation_s=PROPAGATION_S,
        residual="connections that are open now end by themselves; clones stay where they are",
        act=Act(
            "github.deploy_key",
            {"place": uid, "fingerprint": identity.get("external_id") or ""}, None, known,
        ),
    )  # fmt: skip


def _hook(identity: Json) -> Plan:
    uid: str = identity["uid"]
    about = _attributes(identity)
    signed = about.get("signed") == "yes"
    return Plan(
        what=f"switch off webhook {uid.rpartition('/')[2]} to {about.get('delivers_to', '?')}",
        stop=(_api("PATCH", uid, "active=false"),),
        undo=(_api("PATCH", uid, "active=true"),),
        undo_class="R1", propagation_s=PROPAGATION_S,
        residual="what was delivered is delivered" + (
            "; look whether it is still signed: GitHub may drop the secret of a webhook that is"
            " edited, and then it must be set again" if signed else ""
        ),
        act=Act("github.webhook.active", {"place": uid}, {"active": False},
                {"active": identity.get("status") == "enabled"}),
    )  # fmt: skip


def _installation(identity: Json) -> Plan:
    number = identity["uid"].rpartition("/")[2]
    path = f"app/installations/{number}/suspended"
    about = _attributes(identity)
    page = about.get("settings_page", "the settings of the organisation, GitHub Apps")
    org = about.get("organisation", "")
    return Plan(
        what=f"suspend the app {identity.get('display_name')} in {org}",
        stop=(
            f"# an owner: {page}, Suspend; or with the app's own JWT as GH_TOKEN:",
            _api("PUT", path),
        ),
        undo=(f"# an owner: {page}, Unsuspend; or with the app's own JWT as GH_TOKEN:",
              _api("DELETE", path)),
        undo_class="R1", propagation_s=PROPAGATION_S,
        residual="what the app has read and keeps on its own side; its work that waits is lost",
        act=Act("github.installation.suspended", {"org": org, "installation": number},
                {"suspended": True}, {"suspended": identity.get("status") == "disabled"}),
    )  # fmt: skip


def _credential(identity: str, uid: str) -> Plan | None:
    """A token or key in an organisation, or a secret of Actions, by its place in the API."""
    kind = uid.split("/")[2] if uid.count("/") > 2 else ""
    if kind == "personal-access-tokens":
        return Plan(
            what=f"end what fine-grained token {uid.rpartition('/')[2]} of {identity} may do here",
            stop=("# only a GitHub App may; its installation token as GH_TOKEN:",
                  _api("POST", uid, "action=revoke")),
            undo=(), undo_class="R3", propagation_s=PROPAGATION_S,
            residual=f"the token itself lives on: {PUBLIC}; its owner may ask for access again",
            act=Act("github.pat_access", {"place": uid}, None),
        )  # fmt: skip
    if kind == "credential-authorizations":
        return Plan(
            what=f"close the organisation to credential {uid.rpartition('/')[2]} of {identity}",
            stop=(_api("DELETE", uid),),
            undo=("# its owner alone can: https://github.com/settings/tokens (or /keys),"
                  " Configure SSO, Authorize",),
            undo_class="R2", propagation_s=PROPAGATION_S,
            residual=f"the credential itself lives on: {PUBLIC}",
            act=Act("github.sso_credential", {"place": uid}, None),
        )  # fmt: skip
    if "/actions/secrets/" in uid:
        return Plan(
            what=f"delete the Actions secret {uid.rpartition('/')[2]}",
            stop=(_api("DELETE", uid),),
            undo=(), undo_class="R3", propagation_s=PROPAGATION_S,
            residual="jobs that run now have it; the credential behind it works wherever else it"
                     " is kept: stop that one",
            act=Act("github.actions_secret", {"place": uid}, None),
        )  # fmt: skip
    return None
