"""Okta: API tokens, applications with their secrets and keys, administrators' roles, scopes.

Okta has no command line of its own: exports are what its API answers. Live the API token is the
one in the keyring. Not yet run against the vendor: the tests walk it against a server that
answers in the documented shapes.
"""

from passmuster.connectors import Format
from passmuster.connectors.okta import _records
from passmuster.connectors.okta._live import collect, connect
from passmuster.connectors.okta._plan import plan

__all__ = ["FORMATS", "collect", "connect", "plan"]

_GET = 'curl -sS -f -H "Authorization: SSWS $OKTA_API_TOKEN" "https://$OKTA_DOMAIN'
_EACH = "for a in $(jq -r '.[] | select(.signOnMode==\"OPENID_CONNECT\").id' apps.json); do "
_APP = (
    "uid_alt", "display_name", "kind", "kind_origin", "external_id", "nhi_type", "nhi_detail",
    "status", "created_at", "purpose", "attributes",
)  # fmt: skip

FORMATS = (
    Format(
        name="okta.api_tokens.json",
        title="Okta API tokens",
        sniff=_records.sniff("api_token"),
        parse=_records.parse,
        howto=f'{_GET}/api/v1/api-tokens" > api-tokens.json',
        supplies=("credential", "usage"),
    ),
    Format(
        name="okta.apps.json",
        title="Okta applications",
        sniff=_records.sniff("app"),
        parse=_records.parse,
        howto=f'{_GET}/api/v1/apps?limit=200" > apps.json',
        covers=_APP,
        supplies=("credential",),
    ),
    Format(
        name="okta.client_credentials.json",
        title="Okta client secrets and keys of applications",
        sniff=_records.sniff("secret", "jwk"),
        parse=_records.parse,
        howto=(
            f'{_EACH}{_GET}/api/v1/apps/$a/credentials/secrets" '
            "| jq '[.[] | del(.client_secret)]'; done > client-credentials.json"
        ),
        supplies=("credential",),
    ),
    Format(
        name="okta.roles.json",
        title="Okta administrators' roles of clients, users and groups",
        sniff=_records.sniff("role"),
        parse=_records.parse,
        howto=f'{_EACH}{_GET}/oauth2/v1/clients/$a/roles"; done > roles.json',
        supplies=("grant",),
    ),
    Format(
        name="okta.scopes.json",
        title="Okta scopes that applications were granted",
        sniff=_records.sniff("scope"),
        parse=_records.parse,
        howto=f'{_EACH}{_GET}/api/v1/apps/$a/grants"; done > scopes.json',
        supplies=("grant",),
    ),
    Format(
        name="okta.service_accounts.json",
        title="Okta service accounts of Privileged Access",
        sniff=_records.sniff("service_account"),
        parse=_records.parse,
        howto=f'{_GET}/privileged-access/api/v1/service-accounts" > service-accounts.json',
        covers=("uid_alt", "display_name", "purpose", "created_at", "attributes"),
        supplies=("owner",),
    ),
)
