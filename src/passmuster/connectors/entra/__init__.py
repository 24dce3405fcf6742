"""Entra and Azure: applications, service principals, managed and agent identities, their grants.

Read from what `az`, Microsoft Graph and PowerShell print. Live it asks Graph and Azure Resource
Manager with the token of whoever is logged in with `az`. Not yet run against the vendor: the
tests walk it against a server that answers in the documented shapes.
"""

from passmuster.connectors import Format
from passmuster.connectors.entra import _records, _scuba, _shapes
from passmuster.connectors.entra._collect import collect
from passmuster.connectors.entra._live import connect
from passmuster.connectors.entra._plan import plan

__all__ = ["FORMATS", "collect", "connect", "plan"]

_ID = 'muster import --source "$(az account show --query tenantId -o tsv)"'
_APPLICATION = (
    "display_name", "external_id", "nhi_type", "created_at", "created_by", "purpose", "attributes",
)  # fmt: skip
_PRINCIPAL = (
    "uid_alt", "display_name", "kind", "kind_origin", "nhi_type", "nhi_detail", "status",
    "is_external", "attributes",
)  # fmt: skip
_GRAPH = "https://graph.microsoft.com"

FORMATS = (
    Format(
        name="entra.applications.json",
        title="Entra application registrations",
        sniff=_shapes.sniff("application"),
        parse=_records.parse,
        howto=f"az ad app list --all -o json > applications.json  # then: {_ID} applications.json",
        covers=_APPLICATION,
        supplies=("credential", "owner", "automation", "trust"),
    ),
    Format(
        name="entra.service_principals.json",
        title="Entra service principals, managed identities and agents",
        sniff=_shapes.sniff("service_principal"),
        parse=_records.parse,
        howto="az ad sp list --all -o json > service-principals.json",
        covers=_PRINCIPAL,
        supplies=("credential", "owner", "trust", "consumer"),
    ),
    Format(
        name="entra.federated_credentials.json",
        title="Entra federated credentials of application registrations",
        sniff=_shapes.sniff("federated"),
        parse=_records.parse,
        howto=(
            "for a in $(az ad app list --all --query '[].appId' -o tsv); do "
            'az ad app federated-credential list --id "$a" -o json '
            "| jq --arg a \"$a\" '[.[] + {appId: $a}]'; done > federated-credentials.json"
        ),
        supplies=("trust", "credential"),
    ),
    Format(
        name="entra.permissions.json",
        title="Entra application permissions and consents",
        sniff=_shapes.sniff("consent", "app_role"),
        parse=_records.parse,
        howto=f"az rest --url '{_GRAPH}/v1.0/oauth2PermissionGrants?$top=999' > permissions.json",
        supplies=("grant",),
    ),
    Format(
        name="entra.role_assignments.json",
        title="Azure and Entra role assignments",
        sniff=_shapes.sniff("assignment", "definition"),
        parse=_records.parse,
        howto="az role assignment list --all -o json > role-assignments.json",
        supplies=("grant",),
    ),
    Format(
        name="entra.sign_ins.json",
        title="Entra service principals' last sign-ins",
        sniff=_shapes.sniff("sign_in"),
        parse=_records.parse,
        howto=(
            f"az rest --url '{_GRAPH}/beta/reports/servicePrincipalSignInActivities' "
            "> sign-ins.json"
        ),
        covers=("last_used_at", "last_used_state", "last_used_source"),
        supplies=("usage",),
    ),
    Format(
        name="entra.scubagear.json",
        title="ScubaGear settings export, its part on Entra",
        sniff=_shapes.sniff_scuba,
        parse=_scuba.parse,
        howto="Invoke-SCuBA -ProductNames aad  # then import its ProviderSettingsExport.json",
        supplies=("grant", "credential", "trust"),
    ),
)
