"""The Entra part of a ScubaGear export: who holds the strong roles, and applications at risk.

PowerShell 5.1 wrote it: dates are `/Date(ms)/`, and a list of one is that one without brackets.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

from passmuster import text
from passmuster.connectors import Context
from passmuster.connectors._json import Part, guarded, listed, mapping, optional, parts, required
from passmuster.connectors._listing import attributes, fold, shown, when
from passmuster.connectors._table import not_empty
from passmuster.connectors.entra import _levels
from passmuster.connectors.entra._grants import Grants, directory_role, names
from passmuster.connectors.entra._records import credentials, federated, tenant_of
from passmuster.connectors.entra._shapes import own_tenant
from passmuster.model import Entitlement, Grant, Identity, Record, Source, Trust

_LISTS = (
    "privileged_roles", "risky_applications", "risky_third_party_service_principals",
)  # fmt: skip


def parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Records of one export; `tenant_details` names the tenant where it stands in the file."""
    return not_empty(_records(stream, context))


def _records(stream: BinaryIO, context: Context) -> Iterator[Record]:
    reader: _Scuba | None = None
    holders: list[Part] = []
    for part in parts(stream, _LISTS):
        if part.key == "tenant_details":
            found = [fold(t).get("tenantid") for t in listed(part.value)]
            if reader is None and found and isinstance(found[0], str):
                reader = _Scuba(found[0])
                yield Source("entra", found[0])
        elif part.key in ("privileged_users", "privileged_service_principals"):
            holders.append(part)
        elif part.key in _LISTS and part.value:
            if reader is None:
                reader = _Scuba(tenant_of(context))
                yield Source("entra", tenant_of(context))
            yield from guarded(reader.one(part.key), Part(part.key, part.value, part.line))
    if reader is None:
        reader = _Scuba(tenant_of(context))
        yield Source("entra", tenant_of(context))
    for part in holders:
        for uid, value in mapping(part.value or {}).items():
            yield from guarded(reader.holder(uid, str(part.key)), Part(uid, value, part.line))


class _Scuba:
    """One reading of one file."""

    def __init__(self, tenant: str) -> None:
        self._own = own_tenant(tenant)
        self._grants = Grants()
        self._roles: dict[str, str] = {}
        """uid of the role by its name."""
        self._assigned: set[tuple[str, str]] = set()
        self._told: set[str] = set()
        """Applications at risk, which may hold strong roles besides."""

    def one(self, key: str) -> Any:
        """What makes records of an element of the list *key*."""
        if key == "privileged_roles":
            return self._role
        return lambda of, line: self._application(fold(of), line, key)

    def _role(self, of: text.Json, line: int) -> Iterator[Record]:
        has = fold(of)
        name, uid = required(has, "displayname"), directory_role(required(has, "roletemplateid"))
        self._roles[name] = uid
        yield from self._grants.directory(uid, name, line)
        for each in listed(has.get("assignments")):
            assigned = fold(each)
            principal = required(assigned, "principalid")
            self._assigned.add((principal, uid))
            yield Grant(
                principal, uid, optional(assigned, "id") or "direct", None,
                when(assigned.get("startdatetime")), when(assigned.get("enddatetime")), line,
            )  # fmt: skip

    def holder(self, uid: str, key: str) -> Any:
        """What makes records of one who holds strong roles; roles stand there by their names."""

        def make(of: text.Json, line: int) -> Iterator[Record]:
            has = fold(of)
            name = shown(has.get("displayname")) or uid
            if key == "privileged_users":
                yield Identity(uid, None, name, "human", "stated", nhi_detail="entra.user",
                               line=line)  # fmt: skip
            elif (app := optional(has, "appid") or uid) not in self._told:
                yield Identity(app, uid if app != uid else None, name, "service", "stated",
                               nhi_type="app_registration", nhi_detail="entra.service_principal",
                               line=line)  # fmt: skip
            for role in names(has.get("roles")):
                held = self._roles.get(role, f"directory-role:{role}")
                yield from self._grants.directory(held, role, line)
                if (uid, held) not in self._assigned:
                    yield Grant(uid, held, line=line)

        return make

    def _application(self, of: text.Json, line: int, key: str) -> Iterator[Record]:
        uid = required(of, "appid")
        self._told.add(uid)
        ids = of.get("objectid")
        object_ids = fold(ids) if isinstance(ids, dict) else {}
        third = key == "risky_third_party_service_principals"
        principal = optional(object_ids, "serviceprincipal") or (
            ids if third and isinstance(ids, str) else None
        )
        yield Identity(
            uid, principal, shown(of.get("displayname")) or uid, "app", "stated",
            external_id=optional(object_ids, "application"), nhi_type="app_registration",
            nhi_detail="entra.third_party_app" if third else "entra.app_registration",
            is_external=1 if third else None,
            attributes=attributes(multi_tenant=of.get("ismultitenantenabled")), line=line,
        )  # fmt: skip
        owner = optional(of, "appownerorganizationid")
        if third and owner:
            yield Trust(uid, owner, "tenant", "consent", is_external=1, line=line)
        yield from credentials(uid, of, line)
        for each in listed(of.get("federatedcredentials")):
            yield from federated(uid, fold(each), line, self._own)
        for each in listed(of.get("permissions")):
            yield from self._permission(uid, fold(each), line)

    def _permission(self, uid: str, of: text.Json, line: int) -> Iterator[Record]:
        """Only what an administrator consented to is held; the rest was asked for."""
        if of.get("isadminconsented") is not True:
            return
        name, role = required(of, "roledisplayname"), required(of, "roleid")
        api = optional(of, "applicationdisplayname") or "API"
        level, why = _levels.permission(name)
        yield Entitlement(
            f"{api}/{role}", f"{name} on {api}", resource_kind="api", permission_level=level,
            level_reason=why, scope=api, line=line,
        )  # fmt: skip
        yield Grant(uid, f"{api}/{role}", line=line)
