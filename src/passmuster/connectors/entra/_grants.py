"""What principals hold: permissions of applications, consents, roles of Entra and of Azure.

An entitlement's uid tells all that a platform needs to find it again: `resource/permission`,
`directory-role:ID`, `azure-role:ID@SCOPE`. `via` says by what: the id of an assignment, or the
user for whom a consent was given.
"""

from collections.abc import Iterator
from typing import Any

from passmuster import text
from passmuster.connectors._json import listed, optional, required
from passmuster.connectors._listing import fold, when
from passmuster.connectors.entra import _levels
from passmuster.model import Entitlement, Grant, Identity, Kind, Record

DEFAULT_ROLE = "00000000-0000-0000-0000-000000000000"
EVERYBODY = "everybody"
_REMEMBERED = 10_000
_PEOPLE: dict[str, Kind] = {"User": "human", "Group": "group"}


class Grants:
    """Grants of one file: each entitlement is told once, whoever is only mentioned at the end."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._people: dict[str, tuple[str, str]] = {}
        self._roles: dict[str, tuple[str, str, str | None, int | None]] = {}
        """Azure roles that were defined: name, level, reason, built in."""
        self._waiting: dict[tuple[str, str], None] = {}
        """(role, scope) that were assigned and not named (yet)."""

    def app_role(self, of: text.Json, line: int) -> Iterator[Record]:
        """A permission of an application's own (Graph: appRoleAssignment)."""
        role, resource = required(of, "approleid"), required(of, "resourceid")
        known = of.get("approlevalue") or _levels.PERMISSIONS.get(role)
        name = "access" if role == DEFAULT_ROLE else str(known or role)
        uid = f"{resource}/{role}"
        yield from self._permission(uid, name, of.get("resourcedisplayname"), resource, line)
        principal = required(of, "principalid")
        self._mention(of, principal)
        yield Grant(principal, uid, granted_at=when(of.get("createddatetime")), line=line)

    def consent(self, of: text.Json, line: int) -> Iterator[Record]:
        """Delegated permissions of one client for one API: everybody's, or one user's."""
        client, resource = required(of, "clientid"), required(of, "resourceid")
        user = optional(of, "principalid")
        for scope in (of.get("scope") or "").split():
            uid = f"{resource}/{scope}"
            yield from self._permission(uid, scope, of.get("resourcedisplayname"), resource, line)
            yield Grant(
                client, uid, f"consent/{user or EVERYBODY}",
                "for one user" if user else "for every user",
                when(of.get("starttime")), when(of.get("expirytime")), line,
            )  # fmt: skip

    def _permission(
        self, uid: str, name: str, api: Any, resource: str, line: int
    ) -> Iterator[Record]:
        if self._once(uid):
            level, why = _levels.permission(name)
            shown = f"{name} on {api}" if isinstance(api, str) and api else name
            yield Entitlement(
                uid, shown, resource_uid=resource, resource_kind="api", permission_level=level,
                level_reason=why, scope=api if isinstance(api, str) else resource, line=line,
            )  # fmt: skip

    def assignment(self, of: text.Json, line: int) -> Iterator[Record]:
        """A role of Azure at a scope, or of Entra."""
        principal, role = required(of, "principalid"), required(of, "roledefinitionid")
        self._mention(of, principal)
        since = when(of.get("createdon") or of.get("startdatetime"))
        until = when(of.get("enddatetime"))
        scope = optional(of, "scope")
        if scope is None:
            uid = directory_role(role, optional(of, "directoryscopeid"))
            name = fold(of.get("roledefinition") or {}).get("displayname")
            yield from self.directory(uid, name if isinstance(name, str) else role, line)
        else:
            guid = role.rsplit("/", 1)[-1]
            uid = f"azure-role:{guid}@{scope}"
            named = of.get("roledefinitionname")
            if guid not in self._roles and isinstance(named, str) and named:
                self._roles[guid] = (named, *_levels.azure_role(named), None)
            if guid in self._roles:
                yield from self._azure(guid, scope, line)
            else:
                self._waiting[guid, scope] = None
        yield Grant(principal, uid, optional(of, "id") or "direct", optional(of, "condition"),
                    since, until, line)  # fmt: skip

    def definition(self, of: text.Json, line: int) -> Iterator[Record]:
        """What an Azure role lets its holder do; told where it is assigned, and by itself."""
        guid = required(of, "id").rsplit("/", 1)[-1]
        name = required(of, "rolename")
        actions: list[str] = []
        for each in listed(of.get("permissions")):
            rule = fold(each)
            actions += [a for k in ("actions", "dataactions") for a in listed(rule.get(k))]
        level, why = _levels.azure_role(name, [a for a in actions if isinstance(a, str)])
        self._roles[guid] = (name, level, why, int(of.get("roletype") == "BuiltInRole"))
        yield Entitlement(
            f"azure-role:{guid}", name, resource_kind="azure", permission_level=level,
            level_reason=why, is_builtin=self._roles[guid][3], line=line,
        )  # fmt: skip

    def directory(self, uid: str, name: str, line: int) -> Iterator[Record]:
        """A role of Entra itself."""
        if self._once(uid):
            level, why = _levels.directory_role(name)
            yield Entitlement(
                uid, name, resource_kind="directory", permission_level=level, level_reason=why,
                is_builtin=1, scope="directory", line=line,
            )  # fmt: skip

    def _azure(self, guid: str, scope: str, line: int | None) -> Iterator[Record]:
        uid = f"azure-role:{guid}@{scope}"
        if self._once(uid):
            name, level, why, builtin = self._roles[guid]
            yield Entitlement(uid, name, resource_uid=scope, resource_kind="azure",
                              permission_level=level, level_reason=why, is_builtin=builtin,
                              scope=scope, line=line)  # fmt: skip

    def _mention(self, of: text.Json, principal: str) -> None:
        """People and groups; a service principal is in its own list, under its application id."""
        sort = of.get("principaltype")
        if sort in _PEOPLE:
            name = of.get("principaldisplayname") or of.get("principalname")
            self._people[principal] = (str(sort), name if isinstance(name, str) else principal)

    def _once(self, uid: str) -> bool:
        if uid in self._told:
            return False
        if len(self._told) >= _REMEMBERED:
            self._told.clear()  # told again, it is the same row
        self._told.add(uid)
        return True

    def left(self) -> Iterator[Record]:
        """What could not be told before the whole file was read."""
        for principal, (sort, name) in self._people.items():
            yield Identity(principal, None, name, _PEOPLE[sort], "stated",
                           nhi_detail=f"entra.{sort.lower()}")  # fmt: skip
        for guid, scope in self._waiting:
            if guid in self._roles:
                yield from self._azure(guid, scope, 0)
            else:
                yield Entitlement(f"azure-role:{guid}@{scope}", guid, resource_uid=scope,
                                  resource_kind="azure", scope=scope,
                                  level_reason="the role is not in the export")  # fmt: skip


def directory_role(role: str, scope: str | None = None) -> str:
    """The uid of a role of Entra, for the whole directory or for a part of it."""
    return f"directory-role:{role}" + ("" if scope in (None, "/") else f"@{scope}")


def names(value: Any) -> list[str]:
    """Distinct names of a list that may have been collapsed or repeated."""
    return list(dict.fromkeys(n for n in listed(value) if isinstance(n, str)))
