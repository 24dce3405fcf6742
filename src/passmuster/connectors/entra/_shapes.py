"""Which kind of object of Entra or Azure one is, by its names alone.

`az`, Microsoft Graph, the Azure SDK and PowerShell spell them each their own way; `_listing.fold`
has made them one.
"""

from collections.abc import Callable
from typing import Any

from passmuster import text
from passmuster.connectors import _json, _listing

ARRAYS = ("value",)
_KINDS: tuple[tuple[str, tuple[frozenset[str], ...]], ...] = (
    ("service_principal", (
        frozenset(("id", "serviceprincipaltype")), frozenset(("id", "serviceprincipalnames")),
        frozenset(("id", "agentidentityblueprintid")),
    )),
    ("application", (
        frozenset(("appid", "requiredresourceaccess")), frozenset(("appid", "publisherdomain")),
        frozenset(("appid", "identifieruris")), frozenset(("appid", "signinaudience")),
    )),
    ("federated", (
        frozenset(("issuer", "subject", "audiences")),
        frozenset(("issuer", "claimsmatchingexpression", "audiences")),
    )),
    ("consent", (frozenset(("clientid", "consenttype", "resourceid")),)),
    ("app_role", (frozenset(("approleid", "principalid", "resourceid")),)),
    ("assignment", (
        frozenset(("principalid", "roledefinitionid", "scope")),
        frozenset(("principalid", "roledefinitionid", "directoryscopeid")),
    )),
    ("definition", (frozenset(("rolename", "permissions")),)),
    ("sign_in", (frozenset(("appid", "lastsigninactivity")),)),
)  # fmt: skip


def kind(folded: text.Json) -> str | None:
    """The kind of an object whose names are folded; None for what holds no access."""
    names = folded.keys()
    return next((k for k, sets in _KINDS if any(s <= names for s in sets)), None)


def known(folded: text.Json) -> bool:
    """Whether the object is of a kind that is read, as Azure's own API nests it or flat."""
    return kind(flat(folded)) is not None


def flat(folded: text.Json) -> text.Json:
    """Azure Resource Manager puts all but id and name into `properties`; `az` does not."""
    inner = folded.get("properties")
    return {**folded, **_listing.fold(inner)} if isinstance(inner, dict) else folded


def sniff(*kinds: str) -> Callable[[bytes], bool]:
    """A test for a list whose first known objects are of one of *kinds*."""

    def test(head: bytes) -> bool:
        if sniff_scuba(head):
            return False
        found = _listing.peek(head, ARRAYS, known)
        return bool(found) and kind(flat(found[0])) in kinds

    return test


def sniff_scuba(head: bytes) -> bool:
    """ScubaGear's `ProviderSettingsExport.json`, or its part on Entra."""
    names = _json.outline(head).keys()
    roles = {"privileged_users", "privileged_service_principals"} & names
    return bool(roles) or {"baseline_version", "tenant_details"} <= names


def own_tenant(label: str | None) -> str | None:
    """The tenant's id, where `--source` is one and not only a name for it."""
    return label.lower() if label and is_guid(label) else None


def is_guid(value: Any) -> bool:
    """Whether *value* has the form of a directory's ids."""
    parts = value.split("-") if isinstance(value, str) else []
    return [len(p) for p in parts] == [8, 4, 4, 4, 12] and all(
        c in "0123456789abcdef" for c in "".join(parts).lower()
    )
