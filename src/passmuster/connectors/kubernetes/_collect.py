"""The export files of a cluster, as kubectl would print them.

Token Secrets are asked for without their data, so no token ever reaches this machine.
"""

import json
from pathlib import Path
from typing import TextIO

from passmuster.connectors import Where
from passmuster.connectors.kubernetes._live import RBAC, pages
from passmuster.connectors.kubernetes._login import login
from passmuster.text import Json
from passmuster.transport import Service

_TOKENS = "kubernetes.io/service-account-token"
_LIST_META = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
_RBAC = ((RBAC, "Role"), (RBAC, "RoleBinding"), (RBAC, "ClusterRole"), (RBAC, "ClusterRoleBinding"))


def collect(where: Where, folder: Path) -> None:
    """Write `rbac.json`, `token-secrets.json` and `pods.json` into *folder*."""
    with login(where) as service:
        with _opened(folder / "rbac.json") as out:
            first = _add(out, service, "/api/v1/serviceaccounts", "ServiceAccount", "v1", True)
            for base, kind in _RBAC:
                path = f"{base}/{kind.lower()}s"
                first = _add(out, service, path, kind, "rbac.authorization.k8s.io/v1", first)
            out.write(_END)
        with _opened(folder / "pods.json") as out:
            _add(out, service, "/api/v1/pods", "Pod", "v1", True)
            out.write(_END)
        with _opened(folder / "token-secrets.json") as out:
            path = f"/api/v1/secrets?fieldSelector=type%3D{_TOKENS.replace('/', '%2F')}"
            none = _add(out, service, path, "Secret", "v1", True)
            out.write(_END)
        if none:  # a file of none would be refused; servers since 1.24 make no such Secret
            (folder / "token-secrets.json").unlink()


_END = '\n    ],\n    "kind": "List",\n    "metadata": {\n        "resourceVersion": ""\n    }\n}\n'


def _opened(path: Path) -> TextIO:
    out = path.open("w", encoding="utf-8")
    out.write('{\n    "apiVersion": "v1",\n    "items": [')
    return out


def _add(out: TextIO, service: Service, path: str, kind: str, version: str, first: bool) -> bool:
    """Write every item of one list; whether none was written yet."""
    headers = _LIST_META if kind == "Secret" else None
    for item in pages(service, path, headers):
        whole = {"apiVersion": version, "kind": kind, **_shown(item, kind)}
        if kind == "Secret":
            whole |= {"apiVersion": version, "kind": kind, "type": _TOKENS}
        text = json.dumps(whole, indent=4, sort_keys=True).replace("\n", "\n        ")
        out.write(f"{'' if first else ','}\n        {text}")
        first = False
    return first


def _shown(item: Json, kind: str) -> Json:
    """As kubectl prints it: without what the server keeps for itself, or a Secret's data."""
    left_out = ("data", "stringData") if kind == "Secret" else ()
    meta = {k: v for k, v in item.get("metadata", {}).items() if k != "managedFields"}
    if kind == "Pod":  # an environment variable may hold a secret, and nobody reads it
        spec = item.get("spec", {})
        kept = ("serviceAccountName", "automountServiceAccountToken", "nodeName")
        return {
            "metadata": meta,
            "spec": {k: spec[k] for k in kept if k in spec},
            "status": {k: v for k, v in item.get("status", {}).items() if k == "startTime"},
        }
    return {**{k: v for k, v in item.items() if k not in left_out}, "metadata": meta}
