"""Kubernetes: service accounts, their tokens and pods, roles, bindings.

Rules of access: "Role Based Access Control Good Practices" of the
Kubernetes documentation. No export names its cluster, so `--source` must.

One parser reads all; there is a format for each content because what an export supplies depends
on which kinds were asked for.
"""

from passmuster.connectors import Format
from passmuster.connectors.kubernetes import _objects, _parse
from passmuster.connectors.kubernetes._collect import collect
from passmuster.connectors.kubernetes._live import connect
from passmuster.connectors.kubernetes._plan import plan

__all__ = ["FORMATS", "collect", "connect", "plan"]

_RBAC = "sa,roles,rolebindings,clusterroles,clusterrolebindings"
_COVERS = (
    "uid_alt", "display_name", "kind", "kind_origin", "nhi_type", "nhi_detail", "status",
    "created_at", "created_by", "purpose", "environment", "attributes",
)  # fmt: skip

FORMATS = (
    Format(
        name="kubernetes.rbac.json",
        title="Kubernetes service accounts, roles and bindings",
        sniff=_objects.sniff_json(_objects.RBAC_KINDS),
        parse=_parse.parse_json,
        howto=f"kubectl get {_RBAC} -A -o json > rbac.json",
        covers=_COVERS,
        supplies=("grant", "automation", "owner"),
    ),
    Format(
        name="kubernetes.rbac.yaml",
        title="Kubernetes service accounts, roles and bindings, or their manifests",
        sniff=_objects.sniff_yaml,
        parse=_parse.parse_yaml,
        howto=f"kubectl get {_RBAC} -A -o yaml > rbac.yaml",
        covers=_COVERS,
        supplies=("grant", "automation", "owner"),
    ),
    Format(
        name="kubernetes.secrets.json",
        title="Kubernetes service account token Secrets, without their data",
        sniff=_objects.sniff_json(_objects.SECRET),
        parse=_parse.parse_json,
        howto=(
            "kubectl get secrets -A --field-selector type=kubernetes.io/service-account-token "
            "-o json | jq 'del(.items[].data)' > token-secrets.json"
        ),
        supplies=("credential",),
    ),
    Format(
        name="kubernetes.pods.json",
        title="Kubernetes pods, for who uses which service account",
        sniff=_objects.sniff_json(_objects.POD),
        parse=_parse.parse_json,
        howto="kubectl get pods -A -o json > pods.json",
        supplies=("consumer",),
    ),
)
