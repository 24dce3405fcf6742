"""What labels and annotations say.

Annotations are read by name and never kept whole: tools put manifests, and with them secrets,
into them.
"""

from collections.abc import Iterator
from typing import Any

from passmuster.connectors._json import listed, mapping
from passmuster.connectors._secrets import REMOVED, is_secret, names_secret
from passmuster.model import Owner

PURPOSES = ("purpose", "description", "app.kubernetes.io/name", "app")
ENVIRONMENTS = ("env", "environment", "stage", "app.kubernetes.io/environment")
_OWNER_ROLES = {
    "owner": "owner", "team": "owner", "sponsor": "sponsor", "contact": "technical",
    "email": "technical", "maintainer": "technical",
}  # fmt: skip
_CLOUD = (
    ("eks.amazonaws.com/role-arn", "irsa"),
    ("iam.gke.io/gcp-service-account", "gke"),
    ("azure.workload.identity/client-id", "azure"),
)
_TOOLS = (
    ("meta.helm.sh/release-name", "helm"), ("helm.sh/chart", "helm"),
    ("argocd.argoproj.io/tracking-id", "argocd"), ("argocd.argoproj.io/instance", "argocd"),
    ("kustomize.toolkit.fluxcd.io/name", "flux"), ("helm.toolkit.fluxcd.io/name", "flux"),
)  # fmt: skip
_MAX_VALUE = 256


def said(meta: dict[str, Any]) -> dict[str, str]:
    """Annotations and labels together, labels first to be asked."""
    both = {**mapping(meta.get("annotations")), **mapping(meta.get("labels"))}
    return {
        k: v
        for k, v in both.items()
        if isinstance(v, str) and len(v) <= _MAX_VALUE and not is_secret(v)
    }


def shown(meta: dict[str, Any]) -> dict[str, str]:
    """The labels; one that is named like a secret keeps its name only."""
    labels = {k: str(v) for k, v in mapping(meta.get("labels")).items()}
    return {k: REMOVED if names_secret(k) or is_secret(v) else v for k, v in labels.items()}


def first(of: dict[str, str], names: tuple[str, ...]) -> str | None:
    """The value of the first of *names* that is there."""
    return next((of[n] for n in names if of.get(n)), None)


def owners(uid: str, meta: dict[str, Any], line: int) -> Iterator[Owner]:
    """Whoever a label or annotation names; `example.com/owner` is as good as `owner`."""
    for word in ("annotation", "label"):
        for key, value in mapping(meta.get(f"{word}s")).items():
            role = _OWNER_ROLES.get(key.rsplit("/", 1)[-1].lower())
            if not role or not isinstance(value, str) or is_secret(value):
                continue
            if 0 < len(value.strip()) <= _MAX_VALUE:
                yield Owner(uid, value.strip(), role, "annotation", f"{word} {key}={value}", line)


def made_by(of: dict[str, str]) -> str | None:
    """`automation:<tool>` when a tool says that it manages the object."""
    manager = of.get("app.kubernetes.io/managed-by")
    tool = manager.lower() if manager else next((t for key, t in _TOOLS if key in of), None)
    return f"automation:{tool}" if tool else None


def cloud_identity(of: dict[str, str]) -> tuple[str | None, str | None]:
    """Which cloud's identity the account may become, and that identity."""
    return next(((short, of[key]) for key, short in _CLOUD if of.get(key)), (None, None))


def is_builtin(value: dict[str, Any]) -> int:
    """Whether the cluster itself made the role."""
    labels = mapping(mapping(value.get("metadata")).get("labels"))
    return int(labels.get("kubernetes.io/bootstrapping") == "rbac-defaults")


def controller(meta: dict[str, Any], name: str) -> str:
    """`Kind/name` of what runs the pod; a ReplicaSet is told as its Deployment."""
    for owner in listed(meta.get("ownerReferences")):
        kind, called = mapping(owner).get("kind"), mapping(owner).get("name")
        if isinstance(kind, str) and isinstance(called, str) and owner.get("controller"):
            stamp = mapping(meta.get("labels")).get("pod-template-hash")
            if kind == "ReplicaSet" and stamp and called.endswith(f"-{stamp}"):
                return f"Deployment/{called.removesuffix(f'-{stamp}')}"
            return f"{kind}/{called}"
    return f"Pod/{name}"
