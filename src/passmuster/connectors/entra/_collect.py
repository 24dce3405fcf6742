"""The export files of a tenant, asked of Microsoft Graph and Azure Resource Manager.

Owners come with the applications and federated credentials with their application's id, which
the plain commands of `az` leave out. Graph expands at most 20 owners of one application.
"""

from collections.abc import Iterator
from pathlib import Path

from passmuster.connectors import _rest
from passmuster.connectors._live import Where
from passmuster.connectors._rest import part
from passmuster.connectors.entra._live import ARM_VERSION, Entra
from passmuster.connectors.entra._records import MICROSOFT
from passmuster.text import Json

_OWNERS = "$expand=owners($select=id,displayName,mail,userPrincipalName)"
_AUTHORIZATION = "providers/Microsoft.Authorization"


def collect(where: Where, folder: Path) -> None:
    """Write applications, service principals, credentials, permissions and roles to *folder*."""
    live = Entra(where)
    try:
        write = _rest.write_some
        write(folder / "applications.json", live.pages(f"applications?$top=999&{_OWNERS}"))
        found: list[str] = []
        write(folder / "service-principals.json", _principals(live, found))
        write(folder / "federated-credentials.json", _federated(live))
        write(folder / "permissions.json", _permissions(live, found))
        write(folder / "role-assignments.json", _roles(live))
    finally:
        live.close()


def _principals(live: Entra, found: list[str]) -> Iterator[Json]:
    for each in live.pages("servicePrincipals?$top=999"):
        if each.get("appOwnerOrganizationId") not in MICROSOFT:
            found.append(str(each.get("id")))
        yield each


def _federated(live: Entra) -> Iterator[Json]:
    query = "$select=id,appId&$expand=federatedIdentityCredentials&$top=999"
    for each in live.pages(f"applications?{query}"):
        for one in each.get("federatedIdentityCredentials") or ():
            yield {**one, "appId": each.get("appId")}


def _permissions(live: Entra, principals: list[str]) -> Iterator[Json]:
    yield from live.pages("oauth2PermissionGrants?$top=999")
    for uid in principals:
        yield from live.pages(f"servicePrincipals/{part(uid)}/appRoleAssignments")


def _roles(live: Entra) -> Iterator[Json]:
    """Role assignments of Entra, and those of Azure as `az` prints them: flat, with role names."""
    yield from live.pages("roleManagement/directory/roleAssignments?$expand=roleDefinition")

    def arm(path: str) -> Iterator[Json]:
        return _rest.pages(live.arm, path, "value", lambda p: p.get("nextLink") or None)

    for each in arm("subscriptions?api-version=2020-01-01"):
        place = f"subscriptions/{part(each.get('subscriptionId'))}/{_AUTHORIZATION}"
        names = {
            str(d.get("id")).lower().rsplit("/", 1)[-1]: (d.get("properties") or {}).get("roleName")
            for d in arm(f"{place}/roleDefinitions?{ARM_VERSION}")
        }
        for one in arm(f"{place}/roleAssignments?{ARM_VERSION}"):
            has = one.get("properties") or {}
            role = str(has.get("roleDefinitionId")).lower().rsplit("/", 1)[-1]
            yield {"id": one.get("id"), "name": one.get("name"), **has,
                   "roleDefinitionName": names.get(role)}  # fmt: skip
