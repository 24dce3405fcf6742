"""Bindings: who may do what on a resource, and who may become a service account.

A member `principal://` or `principalSet://` is somebody of another identity provider (workload
identity federation): an outside party, so a trust. On a service account's own policy every role
that lets its holder become the account is one too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from passmuster import text
from passmuster.connectors._json import listed, mapping, optional, required
from passmuster.connectors._listing import fold, shown
from passmuster.connectors.gcp._levels import IMPERSONATING, by_name
from passmuster.model import Entitlement, Grant, Identity, Record, Trust

_FEDERATED = re.compile(
    r"principal(?:Set)?://iam\.googleapis\.com/((?:projects|locations)/.+?/(?:workloadIdentityPools"
    r"|workforcePools)/[^/]+)/(.+)"
)
_ACCOUNT = re.compile(r"[^@\s]+@([^@\s]+)\.iam\.gserviceaccount\.com")
_AGENT = re.compile(
    r"service-\d+@.*gserviceaccount\.com|\d+@cloud(?:services|build)\.gserviceaccount\.com"
)
_GKE = re.compile(r"([a-z0-9.:-]+)\.svc\.id\.goog\[([^\]]+)\]")
_REMEMBERED = 2_000
EVERYBODY = {
    "allUsers": "everybody on the internet", "allAuthenticatedUsers": "everybody with any account",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Resource:
    """What a policy is of."""

    project: str
    scope: str
    account: str | None = None
    """The service account (its id or e-mail) whose policy it is."""


class Members:
    """Bindings of one file; who is only mentioned comes with the binding, once."""

    def __init__(self) -> None:
        self.roles: dict[str, tuple[str, str, str | None]] = {}
        """Roles that were described: title, level, reason."""
        self._told: set[tuple[str, str]] = set()

    def binding(self, of: text.Json, line: int, on: Resource) -> Iterator[Record]:
        """One role, its members and its condition."""
        role = required(of, "role")
        uid = f"{role}@{on.scope}"
        if self._once(on.project, uid):
            title, level, why = self.roles.get(role) or (role, *by_name(role))
            yield Entitlement(
                uid, title, resource_uid=on.scope, resource_kind="gcp", permission_level=level,
                level_reason=why, is_builtin=int(role.startswith("roles/")), scope=on.scope,
                line=line,
            )  # fmt: skip
        test = fold(mapping(of.get("condition")))
        words = optional(test, "expression")
        via = f"condition/{optional(test, 'title') or words}" if words else "direct"
        for member in listed(of.get("members")):
            if not isinstance(member, str) or not member:
                raise TypeError("a member that is no text")
            if on.account and role in IMPERSONATING:
                yield trust(on.account, member, role, words, line)
                if _outside(member):
                    continue  # the trust tells it all
            principal = yield from self._member(member, line, on)
            yield Grant(principal, uid, via, words, line=line)

    def _member(self, member: str, line: int, on: Resource) -> Any:
        """The handle of *member*; whoever is in no list of this project is told of."""
        if member in EVERYBODY:
            yield from self._mention(on, Identity(
                member, None, EVERYBODY[member], "group", "stated",
                nhi_detail="gcp.everybody", status="enabled", is_external=1,
            ))  # fmt: skip
            return member
        sort, _, name = member.partition(":")
        if sort == "deleted":
            kept, _, uid = name.partition("?uid=")
            sort, _, name = kept.partition(":")
            handle = uid or f"deleted:{name}"
            yield from self._mention(on, Identity(
                handle, name, f"{name} (deleted)",
                "service" if sort == "serviceAccount" else "human", "stated",
                nhi_detail=f"gcp.deleted_{_snake(sort)}", status="deleted",
            ))  # fmt: skip
            return handle
        if sort in ("principal", "principalSet"):
            yield from self._mention(on, Identity(
                member, None, member.rpartition("workloadIdentityPools/")[2] or member,
                "workload", "stated", nhi_detail="gcp.federated_principal", is_external=1,
            ))  # fmt: skip
            if not on.account and self._once(on.project, f"trust {member}"):
                yield trust(member, member, None, None, line)
            return member
        if sort == "serviceAccount":
            return (yield from self._account(name, on))
        people = {"user": "human", "group": "group", "domain": "group"}
        if sort in people:
            yield from self._mention(on, Identity(
                member, name, name, people[sort], "stated",  # type: ignore[arg-type]
                nhi_detail=f"gcp.{sort}",
            ))  # fmt: skip
        return member

    def _account(self, name: str, on: Resource) -> Any:
        """A service account of this project is in its list; others are only seen here."""
        if match := _GKE.fullmatch(name):
            yield from self._mention(on, Identity(
                name, None, f"Kubernetes {match[2]} of {match[1]}", "workload", "stated",
                nhi_detail="gcp.kubernetes_service_account",
            ))  # fmt: skip
        elif _AGENT.fullmatch(name):
            yield from self._mention(on, Identity(
                name, None, name, "system", "stated", nhi_detail="gcp.service_agent",
            ))  # fmt: skip
        elif (
            (home := _ACCOUNT.fullmatch(name))
            and home[1] != on.project
            and not on.project.isdigit()  # whose it is cannot be told of a number
        ):
            yield from self._mention(on, Identity(
                name, None, name, "service", "stated", nhi_detail="gcp.foreign_account",
                is_external=1, attributes=text.json_text({"project": home[1]}),
            ))  # fmt: skip
        return name

    def _mention(self, on: Resource, identity: Identity) -> Iterator[Identity]:
        if self._once(on.project, identity.uid):
            yield identity

    def _once(self, project: str, uid: str) -> bool:
        if (project, uid) in self._told:
            return False
        if len(self._told) >= _REMEMBERED:
            self._told.clear()  # told again, it is the same row
        self._told.add((project, uid))
        return True


def _outside(member: str) -> bool:
    """Whether *member* is somebody of another identity provider, and no account of Google's."""
    name = member.removeprefix("serviceAccount:")
    return bool(_FEDERATED.fullmatch(member) or _GKE.fullmatch(name))


def trust(to: str, member: str, role: str | None, condition: str | None, line: int) -> Trust:
    """That *member* may become *to*."""
    match = _FEDERATED.fullmatch(member)
    words = "; ".join(filter(None, (role, shown(condition)))) or None
    if match:
        return Trust(
            to, match[1], "oidc_issuer", "workload_identity", None, match[2], words, 1,
            int(match[2] == "*"), None, None, line,
        )  # fmt: skip
    name = member.rpartition(":")[2]
    if gke := _GKE.fullmatch(name):
        return Trust(to, f"{gke[1]}.svc.id.goog", "oidc_issuer", "workload_identity", None,
                     f"system:serviceaccount:{gke[2].replace('/', ':')}", words, 0, 0,
                     None, None, line)  # fmt: skip
    everybody = member in EVERYBODY
    return Trust(to, member, "account", "impersonation", None, None, words, int(everybody),
                 int(everybody), None, None, line)  # fmt: skip


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
