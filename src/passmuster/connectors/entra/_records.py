"""Records of applications, service principals, their credentials, and what they were granted.

An application registration and the service principal of it in the same tenant are one identity:
`uid` is the application id (appId), which both have; `uid_alt` is the object id of the service
principal, by which Azure and Graph say who was granted what; `external_id` that of the
registration. A managed or agent identity without an appId goes by its object id.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

from passmuster import text
from passmuster.connectors import Context
from passmuster.connectors._json import Part, guarded, listed, mapping, optional, required
from passmuster.connectors._listing import attributes, fold, objects, refused, shown, when
from passmuster.connectors._table import not_empty
from passmuster.connectors.entra import _grants
from passmuster.connectors.entra._shapes import ARRAYS, flat, is_guid, kind, known, own_tenant
from passmuster.model import (
    Credential,
    Identity,
    Kind,
    Owner,
    Problem,
    Record,
    Source,
    Trust,
    Usage,
)

MICROSOFT = ("f8cdef31-a31e-4b4a-93e4-5f571e91255a", "72f988bf-86f1-41af-91ab-2d7cd011db47")
"""The tenants that Microsoft's own applications belong to."""
APPLICATION, PRINCIPAL, MANAGED = "entra.", "entra.principal_", "entra.managed_"
LOGIN = "https://login.microsoftonline.com/"


def parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Records of a list of one or several kinds of objects."""
    return not_empty(_Reader(context).records(stream))


def tenant_of(context: Context) -> str:
    """The tenant, which only `--source` tells: an export names the owners of applications only."""
    return context.named(
        "an Entra export does not name its tenant: give --source with the tenant's id "
        "(az account show --query tenantId -o tsv)"
    )


class _Reader:
    """One reading of one file."""

    def __init__(self, context: Context) -> None:
        self._tenant = tenant_of(context)
        self._own = own_tenant(self._tenant)
        self._grants = _grants.Grants()
        self._makers = {
            "service_principal": self._principal, "application": self._application,
            "federated": self._federated, "sign_in": self._sign_in,
            "consent": self._grants.consent, "app_role": self._grants.app_role,
            "assignment": self._grants.assignment, "definition": self._grants.definition,
        }  # fmt: skip

    def records(self, stream: BinaryIO) -> Iterator[Record]:
        yield Source("entra", self._tenant)
        for part in objects(stream, ARRAYS, known):
            if why := refused(part):
                yield Problem(part.line, "error", why)
            else:
                yield from guarded(self._one, Part(None, part.value, part.line), ("appId", "id"))
        yield from self._grants.left()

    def _one(self, element: text.Json, line: int) -> Iterator[Record]:
        folded = flat(fold(element))
        make = self._makers.get(kind(folded) or "")
        if make is None:
            raise ValueError("not an object of Entra or Azure that holds access")
        return make(folded, line)

    def _application(self, of: text.Json, line: int) -> Iterator[Record]:
        uid = required(of, "appid")
        maker = optional(of, "createdbyappid")
        yield Identity(
            uid, None, shown(of.get("displayname")) or uid, "app", "stated",
            external_id=optional(of, "id"), nhi_type="app_registration",
            nhi_detail="entra.app_registration", created_at=when(of.get("createddatetime")),
            created_by=f"automation:{maker}" if maker else None,
            purpose=shown(of.get("description")) or shown(of.get("notes")),
            attributes=attributes(
                sign_in_audience=of.get("signinaudience"), tags=_texts(of.get("tags")),
                publisher_domain=of.get("publisherdomain"),
                reference=shown(of.get("servicemanagementreference")),
                disabled_by_microsoft=of.get("disabledbymicrosoftstatus"),
                asks_for=_asked(of.get("requiredresourceaccess")),
            ),
            line=line,
        )  # fmt: skip
        yield from self._parts(uid, of, line)

    def _principal(self, of: text.Json, line: int) -> Iterator[Record]:
        object_id = required(of, "id")
        uid = optional(of, "appid") or object_id
        what, detail, nhi, external = self._nature(of)
        enabled = {"True": "enabled", "False": "disabled"}.get(str(of.get("accountenabled")))
        names = _texts(of.get("alternativenames"))
        publisher = fold(of.get("verifiedpublisher") or {}).get("displayname")
        yield Identity(
            uid, object_id if object_id != uid else None, shown(of.get("displayname")) or uid,
            what, "stated", nhi_type=nhi, nhi_detail=detail,
            status=enabled or "unknown",
            created_at=when(of.get("createddatetime")),
            is_external=external,
            purpose=shown(of.get("description")) or shown(of.get("notes")),
            attributes=attributes(
                type=of.get("serviceprincipaltype"), tags=_texts(of.get("tags")),
                app_owner_tenant=of.get("appownerorganizationid"),
                verified_publisher=shown(publisher), resource=names,
                blueprint=of.get("agentidentityblueprintid"),
                disabled_by_microsoft=of.get("disabledbymicrosoftstatus"),
            ),
            line=line,
        )  # fmt: skip
        owner_tenant = optional(of, "appownerorganizationid")
        if external and owner_tenant and detail == "entra.third_party_app":
            said = f"verified publisher {publisher}" if publisher else "no verified publisher"
            yield Trust(uid, owner_tenant, "tenant", "consent", None, None, said, 1, 0,
                        None, when(of.get("createddatetime")), line)  # fmt: skip
        if "isExplicit=False" in names:
            for name in names:
                if name.startswith("/subscriptions/"):
                    yield Usage(uid, name, "workload", "system-assigned identity", line=line)
        managed = nhi == "managed_identity"
        yield from self._parts(uid, of, line, MANAGED if managed else PRINCIPAL)
        for name, make in (("approleassignments", self._grants.app_role),
                           ("oauth2permissiongrants", self._grants.consent)):  # fmt: skip
            for grant in listed(of.get(name)):
                yield from make(fold(grant), line)

    def _nature(self, of: text.Json) -> tuple[Kind, str, str | None, int | None]:
        """(kind, nhi_detail, nhi_type, is_external) of a service principal."""
        if of.get("agentidentityblueprintid") or "agentIdentity" in str(of.get("@odata.type")):
            return "agent", "entra.agent_identity", None, 0
        if of.get("serviceprincipaltype") == "ManagedIdentity":
            return "workload", "entra.managed_identity", "managed_identity", 0
        owner = (optional(of, "appownerorganizationid") or "").lower()
        if owner in MICROSOFT and owner != self._own:
            return "system", "entra.microsoft_app", None, 1
        if not owner or self._own is None:
            return "service", "entra.service_principal", "app_registration", None
        if owner != self._own:
            return "app", "entra.third_party_app", "app_registration", 1
        return "service", "entra.service_principal", "app_registration", 0

    def _parts(self, uid: str, of: text.Json, line: int, at: str = APPLICATION) -> Iterator[Record]:
        yield from credentials(uid, of, line, at)
        for each in listed(of.get("federatedidentitycredentials")):
            yield from federated(uid, fold(each), line, self._own)
        for name, role in (("owners", "owner"), ("sponsors", "sponsor")):
            for each in listed(of.get(name)):
                person = fold(each)
                handle = next(
                    (person[n] for n in ("mail", "userprincipalname", "displayname", "id")
                     if isinstance(person.get(n), str) and person[n]), None,
                )  # fmt: skip
                if handle:
                    yield Owner(uid, handle, role, "managedBy",
                                f"{role} {person.get('displayname') or handle}", line)  # fmt: skip

    def _federated(self, of: text.Json, line: int) -> Iterator[Record]:
        """One of a list that was asked for by application: which one, must have been added."""
        uid = optional(of, "appid") or _application_in(of.get("@odata.id"))
        if not uid:
            raise ValueError("the list does not say of which application it is: add appId, as the "
                             "command of `muster import --formats` does")  # fmt: skip
        if "federatedidentitycredentials" in of:
            return self._parts(uid, of, line)
        return federated(uid, of, line, self._own)

    def _sign_in(self, of: text.Json, line: int) -> Iterator[Record]:
        """The last sign-in, whichever way: `/reports/servicePrincipalSignInActivities`."""
        uid = required(of, "appid")
        last = when(mapping(of.get("lastsigninactivity")).get("lastSignInDateTime"))
        yield Identity(
            uid, None, uid, "app", last_used_at=last, last_used_state="known" if last else "never",
            last_used_source="servicePrincipalSignInActivities", line=line,
        )  # fmt: skip


def credentials(uid: str, of: text.Json, line: int, at: str = APPLICATION) -> Iterator[Credential]:
    """Secrets and certificates; a hint is the first three letters of a secret, as Graph has it.

    *at* goes before the sort: a registration has its own, and so has a service principal. Those of
    a managed identity are Azure's, which changes them by itself.
    """
    for each in listed(of.get("passwordcredentials")):
        has = fold(each)
        whose = PRINCIPAL if has.get("isfromapplication") is False else at
        yield _credential(uid, has, "static_secret", f"{whose}password", line)
    for each in listed(of.get("keycredentials")):
        has = fold(each)
        symmetric = has.get("type") == "Symmetric"
        whose = PRINCIPAL if has.get("isfromapplication") is False else at
        yield _credential(
            uid, has, "static_secret" if symmetric else "certificate",
            whose + ("symmetric_key" if symmetric else "certificate"), line,
        )  # fmt: skip


def _credential(uid: str, has: text.Json, sort: str, detail: str, line: int) -> Credential:
    if detail.startswith(MANAGED):
        return Credential(uid, required(has, "keyid"), sort, detail,
                          "kept and changed by Azure", None, "enabled", line=line)  # fmt: skip
    expires = when(has.get("enddatetime"))
    hint = has.get("hint")
    return Credential(
        uid, required(has, "keyid"), sort, detail, shown(has.get("displayname")),
        hint[:3] if isinstance(hint, str) and hint else None, "enabled",
        created_at=when(has.get("startdatetime")), last_rotated_at=when(has.get("startdatetime")),
        expires_at=expires, expires_state="set" if expires else "unknown",
        attributes=attributes(usage=has.get("usage"), type=has.get("type")), line=line,
    )  # fmt: skip


def federated(uid: str, of: text.Json, line: int, own: str | None) -> Iterator[Record]:
    """A federated credential: what one signs in with, and whom one trusts with it."""
    issuer = required(of, "issuer").strip()
    pattern = of.get("claimsmatchingexpression")
    pattern = fold(pattern).get("value") if isinstance(pattern, dict) else pattern
    subject = shown(of.get("subject")) or shown(pattern) or ""
    audiences = ", ".join(a.strip() for a in _texts(of.get("audiences"))) or None
    name = optional(of, "name") or required(of, "id")
    yield Credential(
        uid, optional(of, "id") or f"{uid}#federated/{name}", "federated",
        "entra.federated_credential", name, None, "enabled", expires_state="none",
        scopes=text.json_text([issuer, subject]), line=line,
    )  # fmt: skip
    ours = own is not None and issuer.lower().startswith(f"{LOGIN}{own}/")
    open_ = not subject or ("*" in subject and not of.get("subject")) or "?" in subject
    yield Trust(
        uid, issuer, "oidc_issuer", "federated_credential", audiences, subject or None,
        shown(of.get("description")), int(not ours), int(open_), None, None, line,
    )  # fmt: skip


def _application_in(address: Any) -> str | None:
    """The application of `…/Application('ID')/federatedIdentityCredentials/…`."""
    _, _, rest = str(address or "").partition("pplication")
    found = rest.partition("('")[2].partition("')")[0]
    return found if is_guid(found) else None


def _texts(value: Any) -> list[str]:
    return [word for word in listed(value) if isinstance(word, str) and word.strip()]


def _asked(value: Any) -> list[str]:
    """`resourceAppId: 2 roles, 1 scope` of each API that the application asks for."""
    found = []
    for each in listed(value):
        of = fold(each)
        kinds = [fold(a).get("type") for a in listed(of.get("resourceaccess"))]
        found.append(f"{of.get('resourceappid')}: {kinds.count('Role')} roles, "
                     f"{kinds.count('Scope')} scopes")  # fmt: skip
    return found
