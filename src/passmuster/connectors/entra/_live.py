"""Entra and Azure, live: Microsoft Graph v1.0 and Azure Resource Manager.

Not yet run against the vendor. Calls are those of learn.microsoft.com: PATCH and GET of
`servicePrincipals(appId='…')`, `removePassword`, `federatedIdentityCredentials` (found by their
names), `appRoleAssignments`, `oauth2PermissionGrants`, and `roleAssignments` of ARM.
"""

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from urllib.parse import urlencode

from passmuster.connectors import _rest
from passmuster.connectors._live import Act, Verdict, Where
from passmuster.connectors._rest import part
from passmuster.connectors.entra._plan import GRAPH, address
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.text import Json
from passmuster.transport import Service

ARM = "https://management.azure.com"
SCOPE = "https://graph.microsoft.com/.default"
LOGIN = "https://login.microsoftonline.com"
ARM_VERSION = "api-version=2022-04-01"
_TOKEN = ("az", "account", "get-access-token", "--query", "accessToken", "-o", "tsv", "--resource")
_CODE = re.compile(r"AADSTS\d+")
OFF = {
    "AADSTS7000112": "the application is disabled",
    "AADSTS700016": "the application is not there",
    "AADSTS7000215": "the client secret is not valid",
    "AADSTS7000222": "the client secret is past its end",
    "AADSTS7000229": "the application has no service principal in the tenant",
    "AADSTS50057": "the account is disabled",
}  # fmt: skip
"""What the token endpoint says of clients that it refuses (login.microsoftonline.com/error)."""
_DIRECTORY = "roleManagement/directory/roleAssignments"
_FEDERATED = ("name", "issuer", "subject", "audiences", "description", "claimsMatchingExpression")
_ROLE = ("roleDefinitionId", "principalId", "principalType", "condition", "conditionVersion",
         "description")  # fmt: skip


def token(resource: str) -> tuple[str, ...]:
    """The command that prints a token for *resource*, of whoever is logged in with `az`."""
    return (*_TOKEN, resource)


_Read = Callable[[Json], Json | None]
_Write = Callable[[Json, Json | None], None]


class Entra:
    """One tenant that was logged in at."""

    def __init__(self, where: Where) -> None:
        if "/" in where.tenant or not where.tenant:
            raise UsageError("entra: name the tenant by its id: entra:TENANT-ID")
        self.tenant = where.tenant
        self._where = where
        self._verbs: dict[str, tuple[_Read, _Write]] = {
            "entra.service_principal.enabled": (self._read_enabled, self._write_enabled),
            "entra.secret": (self._read_secret, self._write_secret),
            "entra.certificate": (self._read_certificate, self._write_certificate),
            "entra.federated_credential": (self._read_federated, self._write_federated),
            "entra.app_role": (self._read_role, self._write_role),
            "entra.consent": (self._read_consent, self._write_consent),
            "entra.directory_role": (self._read_directory, self._write_directory),
            "entra.azure_role": (self._read_azure, self._write_azure),
        }  # fmt: skip

    @cached_property
    def graph(self) -> Service:
        """Microsoft Graph."""
        resource = GRAPH.removesuffix("/v1.0")
        return _rest.service(self._where, GRAPH, "graph token", token(resource))

    @cached_property
    def arm(self) -> Service:
        """Azure Resource Manager."""
        return _rest.service(self._where, ARM, "azure token", token(ARM))

    @cached_property
    def _login(self) -> Service:
        return _rest.anonymous(self._where, LOGIN)

    def read(self, act: Act) -> Json | None:
        """The state of the object, as `Live` says."""
        return self._of(act)[0](act.on)

    def write(self, act: Act, state: Json | None) -> None:
        """Put it into *state*; a secret that was destroyed is Declined (409)."""
        try:
            self._of(act)[1](act.on, state)
        except Declined as error:
            if state is not None or not _rest.gone(error):
                raise

    def refused(self, act: Act, secret: str | None = None) -> tuple[Verdict, str]:
        """With a client secret, asks for a token with it; else what reading tells."""
        if secret is None or "app" not in act.on:
            return _rest.judged(self, act)
        form = {"grant_type": "client_credentials", "client_id": act.on["app"],
                "client_secret": secret, "scope": SCOPE}  # fmt: skip
        try:
            self._login.ask(
                "POST", f"{part(self.tenant)}/oauth2/v2.0/token", urlencode(form).encode(),
                {"Content-Type": "application/x-www-form-urlencoded"},
            )  # fmt: skip
        except Declined as error:
            code = _CODE.search(str(error))
            said = OFF.get(code[0]) if code else None
            if said is None:
                return "unknown", str(error)
            if code and code[0] == "AADSTS7000215" and act.name != "entra.secret":
                return "unknown", f"{said}: it was not the stop that was tried ({code[0]})"
            return "refused", f"{said} ({code[0] if code else ''})"
        except Unreachable as error:
            return "unknown", str(error)
        return "works", "a token was given for it"

    def close(self) -> None:
        """Close the connections."""
        for name in ("graph", "arm", "_login"):
            if name in self.__dict__:
                getattr(self, name).close()

    def _of(self, act: Act) -> tuple[_Read, _Write]:
        if act.name not in self._verbs:
            raise UsageError(f"entra: cannot do {act.name}")
        return self._verbs[act.name]

    def pages(self, path: str) -> Iterator[Json]:
        """Each object of a list of Graph."""
        return _rest.pages(self.graph, path, "value", lambda p: p.get("@odata.nextLink") or None)

    def _read_enabled(self, on: Json) -> Json | None:
        path = address(next(iter(on.items())))
        found = self.graph.find(f"{path}?$select=id,accountEnabled")
        return found and {"accountEnabled": found.get("accountEnabled")}

    def _write_enabled(self, on: Json, state: Json | None) -> None:
        path = address(next(iter(on.items())))
        if state is None:
            raise Declined("a service principal is not deleted here, only switched off", "no", 405)
        self.graph.change("PATCH", path, {"accountEnabled": state["accountEnabled"]})

    def _holder(self, on: Json) -> str:
        """The registration or the service principal, whichever has the credential."""
        if on.get("at") not in ("applications", "servicePrincipals"):
            raise UsageError("entra: a credential is of an application or of a service principal")
        return f"{on['at']}(appId='{part(on['app'])}')"

    def _held(self, on: Json, field: str) -> list[Json] | None:
        found = self.graph.find(f"{self._holder(on)}?$select={field}")
        return None if found is None else list(found.get(field) or ())

    def _read_secret(self, on: Json) -> Json | None:
        return next(({k: c.get(k) for k in ("displayName", "startDateTime", "endDateTime")}
                     for c in self._held(on, "passwordCredentials") or ()
                     if c.get("keyId") == on["key"]), None)  # fmt: skip

    def _write_secret(self, on: Json, state: Json | None) -> None:
        if self._read_secret(on) is None:
            if state is not None:
                raise _rest.never("a client secret")
        elif state is None:
            self.graph.change("POST", f"{self._holder(on)}/removePassword", {"keyId": on["key"]})

    def _read_certificate(self, on: Json) -> Json | None:
        return next((c for c in self._held(on, "keyCredentials") or ()
                     if c.get("keyId") == on["key"]), None)  # fmt: skip

    def _write_certificate(self, on: Json, state: Json | None) -> None:
        """The whole list is written: the public keys of the others have to be in it again."""
        every = self._held(on, "keyCredentials")
        if every is None:
            raise Declined("the application is not there", "404", 404)
        rest = [c for c in every if c.get("keyId") != on["key"]]
        if (len(rest) < len(every)) != (state is not None):
            wanted = rest if state is None else [*rest, state]
            self.graph.change("PATCH", self._holder(on), {"keyCredentials": wanted})

    def _federated(self, on: Json) -> str:
        return (f"applications(appId='{part(on['app'])}')/federatedIdentityCredentials/"
                f"{part(on['name'])}")  # fmt: skip

    def _read_federated(self, on: Json) -> Json | None:
        found = self.graph.find(self._federated(on))
        return found and {k: found[k] for k in _FEDERATED if found.get(k) is not None}

    def _write_federated(self, on: Json, state: Json | None) -> None:
        there = self._read_federated(on)
        if state is None:
            if there is not None:
                self.graph.change("DELETE", self._federated(on))
        elif there is None:
            self.graph.change("POST", self._federated(on).rpartition("/")[0], state)
        elif there != state:
            changed = {k: v for k, v in state.items() if k != "name"}
            self.graph.change("PATCH", self._federated(on), changed)

    def _assigned(self, on: Json) -> Json | None:
        path = f"servicePrincipals/{part(on['principal'])}/appRoleAssignments"
        return next((a for a in self.pages(path) if a.get("resourceId") == on["resource"]
                     and a.get("appRoleId") == on["role"]), None)  # fmt: skip

    def _read_role(self, on: Json) -> Json | None:
        try:
            found = self._assigned(on)
        except Declined as error:
            if _rest.gone(error):
                return None
            raise
        return found and {k: found.get(k) for k in ("principalId", "resourceId", "appRoleId")}

    def _write_role(self, on: Json, state: Json | None) -> None:
        there = self._assigned(on)
        path = f"servicePrincipals/{part(on['principal'])}/appRoleAssignments"
        if state is None and there is not None:
            self.graph.change("DELETE", f"{path}/{part(there['id'])}")
        elif state is not None and there is None:
            self.graph.change("POST", path, state)

    def _granted(self, on: Json) -> Json | None:
        asked = part(f"clientId eq '{on['client']}' and resourceId eq '{on['resource']}'")
        return next((g for g in self.pages(f"oauth2PermissionGrants?$filter={asked}")
                     if (g.get("principalId") or "") == on["user"]), None)  # fmt: skip

    def _read_consent(self, on: Json) -> Json | None:
        found = self._granted(on)
        return found and {"scope": " ".join(sorted((found.get("scope") or "").split()))}

    def _write_consent(self, on: Json, state: Json | None) -> None:
        there = self._granted(on)
        if there is not None:
            path = f"oauth2PermissionGrants/{part(there['id'])}"
            if state is None:
                self.graph.change("DELETE", path)
            else:
                self.graph.change("PATCH", path, {"scope": state["scope"]})
        elif state is not None:
            user = {"consentType": "Principal", "principalId": on["user"]}
            self.graph.change("POST", "oauth2PermissionGrants", {
                "clientId": on["client"], "resourceId": on["resource"], "scope": state["scope"],
                **(user if on["user"] else {"consentType": "AllPrincipals"}),
            })  # fmt: skip

    def _directory(self, on: Json) -> Json | None:
        asked = f"principalId eq '{on['principal']}' and roleDefinitionId eq '{on['role']}'"
        return next((a for a in self.pages(f"{_DIRECTORY}?$filter={part(asked)}")
                     if a.get("directoryScopeId") == on["scope"]), None)  # fmt: skip

    def _read_directory(self, on: Json) -> Json | None:
        found = self._directory(on)
        kept = ("principalId", "roleDefinitionId", "directoryScopeId")
        return found and {k: found.get(k) for k in kept}

    def _write_directory(self, on: Json, state: Json | None) -> None:
        there = self._directory(on)
        if state is None and there is not None:
            self.graph.change("DELETE", f"{_DIRECTORY}/{part(there['id'])}")
        elif state is not None and there is None:
            self.graph.change("POST", _DIRECTORY, state)

    def _azure(self, on: Json) -> str:
        where = "/".join(part(p) for p in str(on["id"]).split("/"))
        return f"{where}?{ARM_VERSION}"

    def _read_azure(self, on: Json) -> Json | None:
        found = self.arm.find(self._azure(on))
        has = (found and found.get("properties")) or {}
        return found and {k: has[k] for k in _ROLE if has.get(k) is not None}

    def _write_azure(self, on: Json, state: Json | None) -> None:
        """A PUT of the same id is the same assignment; ARM answers 409 where it is there."""
        there = self._read_azure(on)
        if state is None and there is not None:
            self.arm.change("DELETE", self._azure(on))
        elif state is not None and there is None:
            self.arm.change("PUT", self._azure(on), {"properties": state})


def connect(where: Where) -> Entra:
    """The tenant that the source names."""
    return Entra(where)
