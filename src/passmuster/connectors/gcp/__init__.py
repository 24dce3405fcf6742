"""Google Cloud: service accounts, keys, policies, assets, workload identity federation.

Read from what `gcloud` and Cloud Asset Inventory write, in both of their spellings. Live it asks
IAM and Resource Manager with the token of whoever is logged in with `gcloud`. Not yet run against
the vendor: the tests walk it against a server that answers in the documented shapes.
"""

from passmuster.connectors import Format
from passmuster.connectors.gcp import _records, _shapes
from passmuster.connectors.gcp._live import collect, connect
from passmuster.connectors.gcp._plan import plan

__all__ = ["FORMATS", "collect", "connect", "plan"]

_ACCOUNT = (
    "uid_alt", "display_name", "kind", "kind_origin", "external_id", "nhi_detail", "status",
    "purpose", "attributes",
)  # fmt: skip
_EMAILS = "$(gcloud iam service-accounts list --format='value(email)')"

FORMATS = (
    Format(
        name="gcp.service_accounts.json",
        title="Google Cloud service accounts",
        sniff=_shapes.sniff("account"),
        parse=_records.parse,
        howto="gcloud iam service-accounts list --format=json > service-accounts.json",
        covers=_ACCOUNT,
    ),
    Format(
        name="gcp.keys.json",
        title="Google Cloud keys of service accounts, and API keys",
        sniff=_shapes.sniff("key", "api_key"),
        parse=_records.parse,
        howto=(
            f"for a in {_EMAILS}; do gcloud iam service-accounts keys list "
            '--iam-account="$a" --format=json; done > keys.json'
        ),
        covers=("uid_alt", "display_name", "status", "attributes"),
        supplies=("credential",),
    ),
    Format(
        name="gcp.iam_policy.json",
        title="Google Cloud IAM policy of a project",
        sniff=_shapes.sniff("binding"),
        parse=_records.parse,
        howto=(
            'gcloud projects get-iam-policy "$PROJECT" --format=json > iam-policy.json  '
            '# then: muster import --source "$PROJECT" iam-policy.json'
        ),
        supplies=("grant", "trust"),
    ),
    Format(
        name="gcp.assets.json",
        title="Google Cloud Asset Inventory: resources and policies",
        sniff=_shapes.sniff("asset"),
        parse=_records.parse,
        howto=(
            'gcloud asset search-all-iam-policies --scope="organizations/$ORG" --format=json '
            "> assets.json"
        ),
        covers=_ACCOUNT,
        supplies=("grant", "trust", "credential"),
    ),
    Format(
        name="gcp.providers.json",
        title="Google Cloud workload identity providers",
        sniff=_shapes.sniff("provider"),
        parse=_records.parse,
        howto=(
            "gcloud iam workload-identity-pools providers list --location=global "
            '--workload-identity-pool="$POOL" --format=json > providers.json'
        ),
        covers=("display_name", "status", "purpose", "attributes"),
        supplies=("trust",),
    ),
    Format(
        name="gcp.activities.json",
        title="Google Cloud last authentications of service accounts",
        sniff=_shapes.sniff("activity"),
        parse=_records.parse,
        howto=(
            'gcloud policy-intelligence query-activity --project="$PROJECT" '
            "--activity-type=serviceAccountLastAuthentication --format=json > activities.json"
        ),
        covers=("last_used_at", "last_used_state", "last_used_source"),
        supplies=("usage",),
    ),
)
