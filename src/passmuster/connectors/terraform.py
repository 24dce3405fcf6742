"""Terraform state (format 4): which identities automation made, and what it made them.

A state holds secrets in plain text (`secret`, `ses_smtp_password_v4`, private keys), so nothing of
it is kept but what is on a list: an attribute that is not on it, or that the state itself calls
sensitive, is never looked at, and `outputs` and `private` are passed over. Resources that are no
identity, credential or grant are not read either.

The identity itself lives on another platform and is reviewed there. Here stands that the code
made it: `created_by automation:terraform`, the platform's own id as `uid_alt`, and in `refers_to`
all ids by which that platform may know it; a trust by `management` ties the two. It is stopped by
a change of the code, so there is no plan: what is switched off by hand comes back with the next
`apply`.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from passmuster import text
from passmuster.connectors import Context, Format
from passmuster.connectors._json import guarded, mapping, optional, outline, parts, required, when
from passmuster.connectors._pages import words
from passmuster.connectors._public_key import fingerprint
from passmuster.connectors._secrets import REMOVED, is_secret
from passmuster.errors import ImportRefused
from passmuster.model import (
    Credential,
    Entitlement,
    Grant,
    Identity,
    Kind,
    Problem,
    Record,
    Source,
    Trust,
)  # fmt: skip

MADE_BY = "automation:terraform"
_KEPT = frozenset((
    "arn", "id", "name", "unique_id", "path", "create_date", "created_on", "status", "user", "role",
    "email", "account_id", "project", "display_name", "description", "disabled", "member",
    "members", "service_account_id", "valid_after", "valid_before", "bucket", "folder", "org_id",
    "client_id", "application_id", "app_role_assignment_required", "object_id", "principal_id",
    "key_id", "start_date", "end_date", "metadata", "repository", "title", "key", "read_only",
    "fingerprint", "username", "user_id", "expires_at", "account_enabled", "enabled",
    "role_definition_name", "scope", "tags",
))  # fmt: skip
_WIDE = re.compile(r"owner|admin|editor", re.IGNORECASE)
_READS = re.compile(r"viewer|reader", re.IGNORECASE)
_IAM = re.compile(r"google_\w+_iam_(?:member|binding)")


def _sniff(head: bytes) -> bool:
    """An object with version 4, a lineage and a terraform_version."""
    found = outline(head, ("resources",))
    return found.get("version") == [4] and {"lineage", "terraform_version"} <= found.keys()


def _parse(stream: BinaryIO, _context: Context) -> Iterator[Record]:
    """Records of one state; its tenant is its lineage, which stays when the file moves."""
    lineage, said = "", False
    ended = False
    for part in parts(stream, ("resources",)):
        if part.key == "version" and part.value != 4:
            raise ImportRefused(f"a state of format {part.value}; terraform 0.12 and later write 4")
        if part.key == "lineage":
            lineage = str(part.value)
            yield Source("terraform", lineage)
        elif part.key is None:
            ended = True
        elif part.key == "resources":
            if not lineage:
                raise ImportRefused("the state names no lineage before its resources")
            for record in guarded(_resource, part, ("type",)):
                said = said or type(record) is not Problem
                yield record
    if not ended or not lineage:
        raise ImportRefused("no terraform state: it has no lineage")
    if not said:
        raise ImportRefused("the state has no resource that is an identity, a key or a grant")


def _resource(resource: text.Json, line: int) -> Iterator[Record]:
    kind, name = required(resource, "type"), required(resource, "name")
    if resource.get("mode") != "managed":
        return  # a data source is read, not made
    make = _makers().get(kind) or (_iam if _IAM.fullmatch(kind) else None)
    if make is None:
        return
    alias = _alias(required(resource, "provider"))
    module = optional(resource, "module")
    instances = resource.get("instances")
    if not isinstance(instances, list):
        raise TypeError("instances is no list")
    for instance in instances:
        index = mapping(instance).get("index_key")
        at = "" if index is None else f"[{index!r}]" if isinstance(index, str) else f"[{index}]"
        address = f"{module + '.' if module else ''}{kind}.{name}{at}"
        for record in make(_Made(address, f"{kind}{alias}", _kept(instance), line)):
            yield record
            if type(record) is Identity and record.created_by == MADE_BY and record.uid_alt:
                yield Trust(record.uid_alt, record.uid, "workload", "management", line=line)


def _alias(provider: str) -> str:
    """`.west` of `provider["registry.terraform.io/hashicorp/aws"].west`, as of 0.12's
    `provider.aws.west`: two aliases may have a user of the same name each.
    """
    if "]" in provider:
        return provider.rpartition("]")[2]
    return "".join(f".{word}" for word in provider.split(".")[2:])


class _Made:
    """One instance of a resource: its address, its type, what may be kept of it."""

    def __init__(self, address: str, kind: str, attributes: text.Json, line: int) -> None:
        self.address, self.kind, self.of, self.line = address, kind, attributes, line

    def text(self, name: str) -> str | None:
        value = optional(self.of, name)
        return REMOVED if value and is_secret(value) else value

    def identity(self, uid: str, alt: str | None, name: str, kind: Kind, **more: Any) -> Identity:
        """Its row here, with every id that the platform may know it by."""
        refers = [r for r in (alt, *more.pop("refers", ())) if r]
        shown = {"address": self.address, "refers_to": refers, "description":
                 self.text("description")}  # fmt: skip
        plain = Identity(
            uid, alt, name, kind, "stated", created_by=MADE_BY, status="unknown",
            last_used_state="not_tracked",
            attributes=text.json_text({k: v for k, v in shown.items() if v}), line=self.line,
        )  # fmt: skip
        return plain._replace(**more)

    def mention(self, uid: str, name: str, kind: Kind) -> Identity:
        """The identity that a key or grant is of, whose own resource may stand elsewhere."""
        return Identity(uid, None, name, kind, created_by=None, last_used_state="not_tracked")


def _kept(instance: text.Json) -> text.Json:
    """The attributes on the list, without those that the state calls sensitive."""
    sensitive = set()
    for path in instance.get("sensitive_attributes") or ():
        first = path[0] if isinstance(path, list) and path else path
        sensitive.add(first.get("value") if isinstance(first, dict) else first)
    attributes = mapping(instance.get("attributes"))
    return {n: v for n, v in attributes.items() if n in _KEPT and n not in sensitive}


def _aws(kind: Kind, detail: str) -> Callable[[_Made], Iterator[Record]]:
    def make(made: _Made) -> Iterator[Record]:
        name, arn = required(made.of, "name"), required(made.of, "arn")
        yield made.identity(
            f"{made.kind}/{name}", arn, name, kind, external_id=made.text("unique_id"),
            nhi_detail=detail, created_at=when(made.of.get("create_date")),
        )  # fmt: skip

    return make


def _aws_key(made: _Made) -> Iterator[Record]:
    user = required(made.of, "user")
    uid = f"{made.kind.replace('aws_iam_access_key', 'aws_iam_user', 1)}/{user}"
    status = {"Active": "enabled", "Inactive": "disabled"}.get(str(made.of.get("status")))
    yield made.mention(uid, user, "service")
    key = required(made.of, "id")
    yield _credential(made, uid, key, "static_secret", "aws.access_key",
                      hint=key[-4:], status=status or "unknown",
                      created_at=when(made.of.get("create_date")))  # fmt: skip


def _credential(
    made: _Made, identity: str, uid: str, kind: str, detail: str, **more: Any
) -> Credential:
    return Credential(
        identity, uid, kind, detail, made.address, created_by=MADE_BY,
        last_used_state="not_tracked", line=made.line,
        attributes=text.json_text({"refers_to": [uid], "secret_in_state": "yes"}),
    )._replace(**more)  # fmt: skip


def _google_account(made: _Made) -> Iterator[Record]:
    email = required(made.of, "email")
    disabled = made.of.get("disabled")
    yield made.identity(
        f"google_service_account/{email}", email, email, "service",
        external_id=made.text("unique_id"), nhi_detail="gcp.service_account",
        status="disabled" if disabled is True else "enabled" if disabled is False else "unknown",
        refers=(made.text("unique_id"), f"serviceAccount:{email}"),
    )  # fmt: skip


def _google_key(made: _Made) -> Iterator[Record]:
    name = required(made.of, "name")  # projects/P/serviceAccounts/E/keys/K
    email = name.partition("/serviceAccounts/")[2].partition("/")[0]
    if not email:
        raise ValueError("name is no path of a service account's key")
    expires = when(made.of.get("valid_before"))
    uid = f"google_service_account/{email}"
    yield made.mention(uid, email, "service")
    yield _credential(
        made, uid, name.rpartition("/")[2], "asymmetric_key", "gcp.service_account_key",
        created_at=when(made.of.get("valid_after")), expires_at=expires,
        expires_state="set" if expires else "unknown",
    )  # fmt: skip


_MEMBERS: dict[str, Kind] = {"user": "human", "serviceAccount": "service", "group": "group"}


def _iam(made: _Made) -> Iterator[Record]:
    """A role on a Google resource, for one member or for several."""
    role = required(made.of, "role")
    where = required(made.of, "id").partition("/roles/")[0]
    entitlement = f"{where}#{role}"
    admin, reads = bool(_WIDE.search(role)), bool(_READS.search(role))
    level = "admin" if admin else "read" if reads else "unknown"
    yield Entitlement(entitlement, f"{role} on {where}", resource_uid=where, scope=where,
                      permission_level=level, level_reason=role if admin else None,
                      line=made.line)  # fmt: skip
    for member in [made.of["member"]] if "member" in made.of else words(made.of.get("members")):
        kind, _, name = str(member).partition(":")
        known = _MEMBERS.get(kind)
        uid = f"google_service_account/{name}" if kind == "serviceAccount" else str(member)
        if known:
            yield made.mention(uid, name, known)
        yield Grant(uid, entitlement, made.address, line=made.line)


def _entra(kind: Kind, detail: str) -> Callable[[_Made], Iterator[Record]]:
    def make(made: _Made) -> Iterator[Record]:
        alt = made.text("object_id") or made.text("principal_id") or required(made.of, "id")
        app = made.text("client_id") or made.text("application_id")
        yield made.identity(
            f"{made.kind}/{alt.rpartition('/')[2]}", alt,
            made.text("display_name") or made.text("name") or alt, kind,
            external_id=app, nhi_detail=detail, refers=(app,),
        )  # fmt: skip

    return make


def _kubernetes(made: _Made) -> Iterator[Record]:
    blocks = made.of.get("metadata")
    meta = mapping(blocks[0] if isinstance(blocks, list) and blocks else blocks)
    name, namespace = required(meta, "name"), optional(meta, "namespace") or "default"
    alt = f"system:serviceaccount:{namespace}:{name}"
    yield made.identity(
        f"kubernetes_service_account/{namespace}/{name}", alt, f"{namespace}/{name}", "workload",
        external_id=optional(meta, "uid"), nhi_detail="k8s.service_account",
        refers=(optional(meta, "uid"),),
    )  # fmt: skip


def _github_key(made: _Made) -> Iterator[Record]:
    repository, key_id = required(made.of, "repository"), required(made.of, "id")
    print_ = fingerprint(made.text("key"))
    uid = f"github_repository_deploy_key/{key_id}"
    title = made.text("title") or uid
    yield made.identity(uid, print_, f"{title} ({repository})", "service",
                        nhi_detail="github.deploy_key")  # fmt: skip
    yield Credential(uid, print_ or uid, "asymmetric_key", "github.deploy_key", title,
                     created_by=MADE_BY, last_used_state="not_tracked", line=made.line)  # fmt: skip


def _makers() -> dict[str, Callable[[_Made], Iterator[Record]]]:
    """By type of resource."""
    return {
        "aws_iam_user": _aws("service", "aws.iam_user"),
        "aws_iam_role": _aws("role", "aws.role"),
        "aws_iam_group": _aws("group", "aws.iam_group"),
        "aws_iam_access_key": _aws_key,
        "google_service_account": _google_account,
        "google_service_account_key": _google_key,
        "azuread_application": _entra("app", "entra.application"),
        "azuread_service_principal": _entra("app", "entra.service_principal"),
        "azurerm_user_assigned_identity": _entra("workload", "entra.managed_identity"),
        "kubernetes_service_account": _kubernetes,
        "kubernetes_service_account_v1": _kubernetes,
        "github_repository_deploy_key": _github_key,
    }


FORMATS = (
    Format(
        name="terraform.state.json",
        title="Terraform state: identities, keys and grants that code made",
        sniff=_sniff,
        parse=_parse,
        howto="terraform state pull > terraform.tfstate",
        covers=(
            "uid_alt", "display_name", "kind", "kind_origin", "external_id", "nhi_detail",
            "created_at", "created_by", "attributes",
        ),
        supplies=("credential", "grant", "automation"),
    ),
)  # fmt: skip
