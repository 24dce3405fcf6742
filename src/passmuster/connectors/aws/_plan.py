"""How to stop an IAM user, one of its credentials, a role or who may come in: reversibly first.

The console has no reversible stop of its own (deleting the login profile loses the password), so
the user gets an inline policy that denies everything. What destroys a secret is told last, as the
alternative for later. IAM is eventually consistent: what was stopped may go on being accepted for
about a minute. Each act is what `_live` does, and the lines are the vendor's for the same.
"""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace

from passmuster.connectors import Act, Plan
from passmuster.connectors.aws._arn import account_of, name_of, type_of
from passmuster.text import Json

STOP_POLICY = "MusterStop"
DENY_ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
DENY_TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":{"AWS":"*"},'
    '"Action":"sts:AssumeRole"}]}'
)
"""A trust policy cannot be empty; one that allows nothing lets nobody in."""
PROPAGATION_S = 60
_KEY_ID = re.compile(r"[A-Z0-9]{16,128}")


def plan(dossier: Json, verb: str, target: str | None = None) -> list[Plan]:
    """The reversible stops for the whole identity, or for the credential or grant *target*."""
    if verb not in ("revoke", "disable"):
        return []
    return list(_plans(dossier, dossier["identity"]["uid"], target))


def _plans(dossier: Json, arn: str, target: str | None) -> Iterator[Plan]:
    match type_of(arn):
        case "user":
            yield from _user(dossier, arn, target)
        case "role" if target is None:
            # AWS lets nobody but the service change a service-linked role
            if dossier["identity"]["nhi_detail"] != "aws.role.service_linked":
                yield from (_deny("role", arn), _trust(arn))
        case "role" if any(t.get("from_uid") == target for t in dossier.get("trusts") or []):
            yield _trust(arn)
        case "role" | "group":
            yield from _grant(dossier, arn, target)
        case "oidc-provider":
            yield _provider(arn)
        case "trust-anchor" | "profile" if target is None:
            yield _anywhere(arn, dossier["identity"])


def _user(dossier: Json, arn: str, target: str | None) -> Iterator[Plan]:
    credentials: list[Json] = dossier.get("credentials") or []
    if target is None:
        yield _deny("user", arn)
        for each in credentials:
            if each["status"] != "disabled":
                yield from _credential(arn, each)
        return
    # what was a number when somebody decided may have its name by now
    uids = {target, *(c["new"] for c in dossier.get("changed") or []
                      if c["field"] == "uid" and c["old"] == target)}  # fmt: skip
    chosen = [c for c in credentials if c["uid"] in uids]
    for each in chosen:
        yield from _credential(arn, each, alone=True)
        yield from _console(arn, each)
    if not chosen:
        yield from _grant(dossier, arn, target)


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
        act=Act(
            f"aws.{kind}_policy", {kind: name_of(arn), "policy": STOP_POLICY, "arn": arn},
            {"document": json.loads(DENY_ALL)},
        ),
    )  # fmt: skip


def _trust(arn: str) -> Plan:
    who = _option("role-name", name_of(arn))
    return Plan(
        what=f"let nobody assume {_called(arn)}",
        stop=(
            f"aws iam get-role {who} --query Role.AssumeRolePolicyDocument > saved-trust.json",
            f"aws iam update-assume-role-policy {who} --policy-document {shlex.quote(DENY_TRUST)}",
        ),
        undo=(f"aws iam update-assume-role-policy {who} "
              "--policy-document file://saved-trust.json",),
        undo_class="R1",
        propagation_s=PROPAGATION_S,
        residual="sessions of the role that are open already, up to 12 hours",
        act=Act("aws.role.trust", {"role": name_of(arn), "arn": arn},
                {"document": json.loads(DENY_TRUST)}),
    )  # fmt: skip


def _provider(arn: str) -> Plan:
    who = _option("open-id-connect-provider-arn", arn)
    url = f"https://{arn.partition(':oidc-provider/')[2]}"
    return Plan(
        what=f"remove the OIDC provider {url} from account {account_of(arn)}",
        stop=(
            f"aws iam get-open-id-connect-provider {who} > saved-provider.json",
            f"aws iam delete-open-id-connect-provider {who}",
        ),
        undo=(
            f"aws iam create-open-id-connect-provider {_option('url', url)} --client-id-list "
            "$(jq -r '.ClientIDList[]' saved-provider.json) --thumbprint-list "
            "$(jq -r '.ThumbprintList[]' saved-provider.json)",
        ),
        undo_class="R2",
        propagation_s=PROPAGATION_S,
        residual="sessions of roles that it has already opened, up to 12 hours",
        act=Act("aws.oidc_provider", {"arn": arn}, None),
    )  # fmt: skip


def _anywhere(arn: str, identity: Json) -> Plan:
    noun, uid = type_of(arn), name_of(arn)
    region = _option("region", arn.split(":")[3])
    who = f"{_option(f'{noun}-id', uid)} {region}"
    known = {"enabled": True, "disabled": False}.get(identity.get("status") or "")
    return Plan(
        what=f"disable the Roles Anywhere {noun} {uid} in account {account_of(arn)}",
        stop=(f"aws rolesanywhere disable-{noun} {who}",),
        undo=(f"aws rolesanywhere enable-{noun} {who}",),
        undo_class="R1",
        propagation_s=PROPAGATION_S,
        residual="sessions that certificates have already opened, up to 12 hours",
        act=Act(f"aws.{noun.replace('-', '_')}.enabled", {"id": uid, "region": arn.split(":")[3]},
                {"enabled": False}, None if known is None else {"enabled": known}),
    )  # fmt: skip


def _console(arn: str, credential: Json) -> list[Plan]:
    if credential["credential_detail"] != "aws.console_password":
        return []
    stop = _deny("user", arn)
    why = "the console alone has no stop that can be undone"
    told = Plan(
        what=f"delete the console password of {_called(arn)}, for good",
        stop=(f"aws iam delete-login-profile {_option('user-name', name_of(arn))}",),
        undo=(),
        undo_class="R3",
        propagation_s=PROPAGATION_S,
        residual="its access keys, and console sessions that are open, up to 12 hours",
    )
    return [replace(stop, what=f"{stop.what}: {why}"), told]


def _credential(arn: str, credential: Json, *, alone: bool = False) -> Iterator[Plan]:
    """Set an access key or a signing certificate Inactive; *alone* it may be deleted too."""
    form = {
        "aws.access_key": ("access-key", "AccessKeyMetadata", "AccessKeyId", "CreateDate"),
        "aws.signing_certificate": (
            "signing-certificate", "Certificates", "CertificateId", "UploadDate",
        ),
    }.get(credential["credential_detail"])  # fmt: skip
    if form is None:
        return
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
    known = {"enabled": "Active", "disabled": "Inactive"}.get(credential["status"])
    kind = noun.replace("-", "_")
    found = {"key": uid} if not first else {"created": credential.get("created_at") or ""}
    on = {"user": name_of(arn), **found, "arn": arn}
    residual = "temporary credentials that it has already obtained, up to 36 hours"
    yield Plan(
        what=f"set {shown} of {_called(arn)} Inactive",
        stop=(*first, f"{change} Inactive"),
        undo=(*first, f"{change} Active"),
        undo_class="R1", propagation_s=PROPAGATION_S, residual=residual,
        act=None if not any(found.values()) else Act(
            f"aws.{kind}.status", on, {"status": "Inactive"}, {"status": known} if known else None
        ),
    )  # fmt: skip
    if alone and not first:
        yield Plan(
            what=f"delete {shown} of {_called(arn)}, for good",
            stop=(f"aws iam delete-{noun} {who} {option} {handle}",),
            undo=(), undo_class="R3", propagation_s=PROPAGATION_S, residual=residual,
            act=Act(f"aws.{kind}", on, None, {"status": known} if known else None),
        )  # fmt: skip


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
    on = {kind: name_of(arn), "arn": arn}
    who = _option(f"{kind}-name", name_of(arn))
    if target.endswith("#member") and kind == "user":
        group = name_of(target.removesuffix("#member"))
        rest = f"{who} {_option('group-name', group)}"
        what = f"take {_called(arn)} out of the group {group}"
        stop, undo = f"remove-user-from-group {rest}", f"add-user-to-group {rest}"
        act = Act("aws.group_member", {**on, "group": group}, None, {"held": True})
    elif ":policy/" in target and "#" not in target:
        rest = f"{who} {_option('policy-arn', target)}"
        what = f"detach {name_of(target)} from {_called(arn)}"
        stop, undo = f"detach-{kind}-policy {rest}", f"attach-{kind}-policy {rest}"
        act = Act(f"aws.{kind}_attachment", {**on, "policy": target}, None, {"held": True})
    elif target.startswith(f"{arn}#inline/"):
        yield _inline(arn, kind, target.removeprefix(f"{arn}#inline/"))
        return
    else:
        return
    yield Plan(what, (f"aws iam {stop}",), (f"aws iam {undo}",), "R2", PROPAGATION_S,
               "sessions are judged anew at each call, so nothing after propagation",
               act)  # fmt: skip


def _inline(arn: str, kind: str, policy: str) -> Plan:
    rest = f"{_option(f'{kind}-name', name_of(arn))} {_option('policy-name', policy)}"
    return Plan(
        what=f"take the inline policy {policy} from {_called(arn)}",
        stop=(
            f"aws iam get-{kind}-policy {rest} --query PolicyDocument > saved-policy.json",
            f"aws iam delete-{kind}-policy {rest}",
        ),
        undo=(f"aws iam put-{kind}-policy {rest} --policy-document file://saved-policy.json",),
        undo_class="R2", propagation_s=PROPAGATION_S,
        residual="sessions are judged anew at each call, so nothing after propagation",
        act=Act(f"aws.{kind}_policy", {kind: name_of(arn), "policy": policy, "arn": arn}, None),
    )  # fmt: skip
