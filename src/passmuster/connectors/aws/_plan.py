"""How to stop an IAM user, one of its credentials, or a role: reversibly, by the vendor's CLI.

Nothing is deleted. The console has no reversible stop of its own (deleting the login profile
loses the password), so the user gets an inline policy that denies everything. IAM is eventually
consistent: what was stopped may go on being accepted for about a minute.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace

from passmuster.connectors import Plan
from passmuster.connectors.aws._arn import account_of, name_of, type_of
from passmuster.text import Json

STOP_POLICY = "MusterStop"
DENY_ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
PROPAGATION_S = 60
_KEY_ID = re.compile(r"[A-Z0-9]{16,128}")


def plan(dossier: Json, verb: str, target: str | None = None) -> list[Plan]:
    """The reversible stops for the whole identity, or for the credential or grant *target*."""
    if verb not in ("revoke", "disable"):
        return []
    arn: str = dossier["identity"]["uid"]
    credentials: list[Json] = dossier.get("credentials") or []
    match type_of(arn):
        case "user" if target is None:
            live = [c for c in credentials if c["status"] != "disabled"]
            return [_deny("user", arn), *(p for c in live for p in _credential(arn, c))]
        case "user":
            chosen = [c for c in credentials if c["uid"] == target]
            found = [p for c in chosen for p in (_credential(arn, c) or _console(arn, c))]
            return found or list(_grant(dossier, arn, target))
        case "role" if target is None:
            # AWS lets nobody but the service change a service-linked role
            linked = dossier["identity"]["nhi_detail"] == "aws.role.service_linked"
            return [] if linked else [_deny("role", arn)]
        case "role" | "group":
            return list(_grant(dossier, arn, target))
        case _:
            return []


def _option(name: str, value: str) -> str:
    """`--name value`; joined by `=` where the value would be taken for an option."""
    if value.startswith("-"):
        return shlex.quote(f"--{name}={value}")
    return f"--{name} {shlex.quote(value)}"


def _called(arn: str) -> str:
    return f"IAM {type_of(arn)} {name_of(arn)} in account {account_of(arn)}"


def _deny(kind: str, arn: str) -> Plan:
    who = _option(f"{kind}-name", name_of(arn))
    policy = f"--policy-name {STOP_POLICY}"
    residual = {
        "user": "sessions of roles that the user has already assumed, up to 12 hours",
        "role": "nothing of the role itself; what its sessions have started runs on",
    }[kind]
    return Plan(
        what=f"deny everything to {_called(arn)}",
        stop=(
            f"aws iam put-{kind}-policy {who} {policy} --policy-document {shlex.quote(DENY_ALL)}",
        ),
        undo=(f"aws iam delete-{kind}-policy {who} {policy}",),
        undo_class="R1",
        propagation_s=PROPAGATION_S,
        residual=residual,
    )


def _console(arn: str, credential: Json) -> list[Plan]:
    if credential["credential_detail"] != "aws.console_password":
        return []
    stop = _deny("user", arn)
    why = "the console alone has no stop that can be undone"
    return [replace(stop, what=f"{stop.what}: {why}")]


def _credential(arn: str, credential: Json) -> list[Plan]:
    """Set an access key or a signing certificate Inactive."""
    form = {
        "aws.access_key": ("access-key", "AccessKeyMetadata", "AccessKeyId", "CreateDate"),
        "aws.signing_certificate": (
            "signing-certificate", "Certificates", "CertificateId", "UploadDate",
        ),
    }.get(credential["credential_detail"])  # fmt: skip
    if form is None:
        return []
    noun, array, field, date = form
    listing = f"aws iam list-{noun}s {_option('user-name', name_of(arn))}"
    who = _option("user-name", name_of(arn))
    uid: str = credential["uid"].rsplit("/", 1)[-1]
    first: tuple[str, ...] = ()
    handle = shlex.quote(uid)
    if not _KEY_ID.fullmatch(uid):
        made = (credential.get("created_at") or "").removesuffix("Z")
        query = f"{array}[?starts_with({date}, '{made}')].{field}" if made else None
        first, handle = _look_up(listing, query), '"$ID"'
    option = "--access-key-id" if noun == "access-key" else "--certificate-id"
    change = f"aws iam update-{noun} {who} {option} {handle} --status"
    shown = credential.get("display_name") or f"…{uid[-4:]}"
    return [
        Plan(
            what=f"set {shown} of {_called(arn)} Inactive",
            stop=(*first, f"{change} Inactive"),
            undo=(*first, f"{change} Active"),
            undo_class="R1",
            propagation_s=PROPAGATION_S,
            residual="temporary credentials that it has already obtained, up to 36 hours",
        )
    ]


def _look_up(listing: str, query: str | None) -> tuple[str, ...]:
    """The credential report numbers keys and does not name them: find the id by its date."""
    if query is None:
        return listing, "read -r ID  # the id that is meant, from the list above"
    return listing, f"ID=$({listing} --query {shlex.quote(query)} --output text)"


def _grant(dossier: Json, arn: str, target: str | None) -> Iterator[Plan]:
    """Detach a managed policy, or leave a group; both can be put back as they were."""
    held = [g for g in dossier.get("grants") or [] if g["entitlement"] == target]
    if not target or not held or any(held[0].get("chain") or ()):
        return
    kind = type_of(arn)
    who = _option(f"{kind}-name", name_of(arn))
    if target.endswith("#member") and kind == "user":
        group = name_of(target.removesuffix("#member"))
        rest = f"{who} {_option('group-name', group)}"
        what = f"take {_called(arn)} out of the group {group}"
        stop, undo = f"remove-user-from-group {rest}", f"add-user-to-group {rest}"
    elif ":policy/" in target and "#" not in target:
        rest = f"{who} {_option('policy-arn', target)}"
        what = f"detach {name_of(target)} from {_called(arn)}"
        stop, undo = f"detach-{kind}-policy {rest}", f"attach-{kind}-policy {rest}"
    else:
        return
    yield Plan(what, (f"aws iam {stop}",), (f"aws iam {undo}",), "R2", PROPAGATION_S,
               "sessions are judged anew at each call, so nothing after propagation")  # fmt: skip
