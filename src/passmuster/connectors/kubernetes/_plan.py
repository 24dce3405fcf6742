"""How to stop a service account, a token or a right: Kubernetes has no flag for any of them.

So the first stop is to take away the bindings, which can be put back (R2); what deletes a token or
an account destroys a secret (R3) and is told last. Measured on a real API server of 1.20: a
removed binding is refused after 0.2 s, a deleted token or account after 9.4 to 10.3 s, because the
server remembers that a token was good.
"""

import json
import shlex
from collections.abc import Iterator

from passmuster.connectors import Act, Plan
from passmuster.text import Json

RIGHTS_S = 5
TOKENS_S = 15
_SYSTEM = "system:serviceaccount:"
_OPEN = "what the groups of all service accounts may do, and requests that are running"
_TRAP = (
    "bindings of that name stay: whoever makes an account of the same name again has its rights, "
    "so take the bindings away first; a token is taken for up to 10 s more"
)


def plan(dossier: Json, verb: str, target: str | None = None) -> list[Plan]:
    """The ways to stop the identity, or its credential or grant *target*; R2 before R3."""
    if verb not in ("revoke", "disable"):
        return []
    identity = dossier["identity"]
    subject = _subject(identity)
    if subject is None:
        return []
    grants: list[Json] = dossier.get("grants") or []
    if target is None:
        if subject["kind"] != "ServiceAccount":
            return [_bindings(subject, grants)]
        return [_bindings(subject, grants), _account(subject, identity)]
    tokens = [c for c in dossier.get("credentials") or [] if c["uid"] == target]
    if tokens:
        return [_bindings(subject, grants), *(p for c in tokens for p in _token(c))]
    held = [g for g in grants if g["entitlement"] == target and not any(g.get("chain") or ())]
    return [p for g in held for p in _binding(subject, g)]


def _subject(identity: Json) -> Json | None:
    """Kind, name and namespace as a binding has them."""
    for handle in (identity.get("uid_alt"), identity["uid"]):
        if handle and handle.startswith(_SYSTEM):
            namespace, _, name = handle.removeprefix(_SYSTEM).partition(":")
            return {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    kind, _, name = identity["uid"].partition(":")
    if kind in ("user", "group") and name:
        return {"kind": kind.capitalize(), "name": name, "namespace": ""}
    return None


def _called(subject: Json) -> str:
    place = f"{subject['namespace']}/" if subject["namespace"] else ""
    return f"{subject['kind']} {place}{subject['name']}"


def _arg(value: str) -> str:
    """One word of a shell, and no option: no name of Kubernetes begins with `-`."""
    return shlex.quote(value if not value.startswith("-") else f"./{value}")


def _bindings(subject: Json, grants: list[Json]) -> Plan:
    vias = dict.fromkeys(str(g.get("via")) for g in grants if not any(g.get("chain") or ()))
    known = [parts for via in vias if (parts := _parts(via))]
    lines = [_lines(subject, parts, at) for at, parts in enumerate(known, 1)]
    return Plan(
        what=f"take {_called(subject)} out of every binding",
        stop=tuple(line for stop, _ in lines for line in stop),
        undo=tuple(undo for _, undo in lines),
        undo_class="R2",
        propagation_s=RIGHTS_S,
        residual=f"its tokens are still taken as its own, without rights; {_OPEN}",
        act=Act(
            "kubernetes.bindings_of",
            {**subject, "roles": " ".join(sorted({str(g["entitlement"]) for g in grants})[:5])},
            {"bindings": []},
        ),
    )  # fmt: skip


def _parts(via: str) -> tuple[str, str, str] | None:
    """Resource, namespace and name of the binding that a grant comes by."""
    resource, _, rest = via.partition("/")
    if resource == "clusterrolebinding" and rest:
        return resource, "", rest
    namespace, _, name = rest.partition("/")
    return (resource, namespace, name) if resource == "rolebinding" and name else None


def _which(parts: tuple[str, str, str]) -> str:
    resource, namespace, name = parts
    return f"{resource} {_arg(name)}" + (f" -n {_arg(namespace)}" if namespace else "")


def _lines(subject: Json, parts: tuple[str, str, str], at: int) -> tuple[tuple[str, ...], str]:
    """The lines of kubectl that take the subject out of one binding, and that put it in again."""
    test = f".kind == {json.dumps(subject['kind'])} and .name == {json.dumps(subject['name'])}"
    if subject["namespace"]:
        home = json.dumps(parts[1] or None)
        test += f" and (.namespace // {home}) == {json.dumps(subject['namespace'])}"
    program = shlex.quote(f"del(.subjects[]? | select({test}))")
    saved = f"saved-{at}.json"
    return (
        # `replace` sends the resourceVersion back: it fails if somebody else was quicker
        (f"kubectl get {_which(parts)} -o json > {saved}",
         f"jq {program} {saved} | kubectl replace -f -"),
        f"jq 'del(.metadata.resourceVersion)' {saved} | kubectl replace -f -",
    )  # fmt: skip


def _binding(subject: Json, grant: Json) -> Iterator[Plan]:
    parts = _parts(str(grant.get("via")))
    if parts is None:
        return
    stop, undo = _lines(subject, parts, 1)
    resource, namespace, name = parts
    on = {**subject, "binding": resource, "binding_namespace": namespace, "binding_name": name,
          "roles": str(grant["entitlement"])}  # fmt: skip
    yield Plan(
        what=f"take {_called(subject)} out of the {resource} {name}",
        stop=stop, undo=(undo,), undo_class="R2", propagation_s=RIGHTS_S, residual=_OPEN,
        act=Act("kubernetes.binding_subject", on, None, {"held": True}),
    )  # fmt: skip
    again = "jq 'del(.metadata.uid, .metadata.resourceVersion, .metadata.creationTimestamp)'"
    yield Plan(
        what=f"delete the {resource} {name}, with every subject that it has",
        stop=(f"kubectl get {_which(parts)} -o json > saved-binding.json",
              f"kubectl delete {_which(parts)}"),
        undo=(f"{again} saved-binding.json | kubectl create -f -",),
        undo_class="R2", propagation_s=RIGHTS_S, residual=_OPEN,
        act=Act("kubernetes.binding", on, None),
    )  # fmt: skip


def _token(credential: Json) -> Iterator[Plan]:
    namespace, _, name = str(credential.get("display_name") or "").partition("/")
    if credential["credential_detail"] != "k8s.sa_token_secret" or not name:
        return
    uid = credential["uid"] if not credential["uid"].startswith("secret:") else ""
    yield Plan(
        what=f"delete the token Secret {namespace}/{name}, for good",
        stop=(f"kubectl delete secret {_arg(name)} -n {_arg(namespace)}",),
        undo=(), undo_class="R3", propagation_s=TOKENS_S,
        residual="the token is taken for up to 10 s more; other tokens of the account go on",
        act=Act("kubernetes.token_secret", {"namespace": namespace, "name": name, "uid": uid},
                None),
    )  # fmt: skip


def _account(subject: Json, identity: Json) -> Plan:
    uid = identity["uid"] if not identity["uid"].startswith(_SYSTEM) else ""
    on = {"namespace": subject["namespace"], "name": subject["name"], "uid": uid}
    return Plan(
        what=f"delete the {_called(subject)}, for good: its tokens never come back",
        stop=(f"kubectl delete serviceaccount {_arg(subject['name'])} "
              f"-n {_arg(subject['namespace'])}",),
        undo=(), undo_class="R3", propagation_s=TOKENS_S, residual=_TRAP,
        act=Act("kubernetes.service_account", on, None),
    )  # fmt: skip
