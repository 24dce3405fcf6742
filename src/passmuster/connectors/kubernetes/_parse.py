"""Records from the objects of a cluster.

Order in a file means nothing: bindings come before the roles they name. So the distinct names of
users, groups and roles, the level of cluster roles, and (cluster role, namespace) pairs are kept
until the end; everything else passes through.
"""

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from passmuster import text
from passmuster.connectors import Context
from passmuster.connectors._json import (
    Part,
    guarded,
    listed,
    mapping,
    optional,
    required,
    when,
)  # fmt: skip
from passmuster.connectors.kubernetes import _labels, _objects, _rules
from passmuster.connectors.kubernetes._objects import Object
from passmuster.errors import ImportRefused
from passmuster.model import (
    Credential,
    Entitlement,
    Grant,
    Identity,
    Problem,
    Record,
    Source,
    Trust,
    Usage,
)  # fmt: skip

_TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105
_OF_ACCOUNT = "kubernetes.io/service-account"
_LEGACY = "kubernetes.io/legacy-token"


def parse_json(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Records of a JSON export."""
    yield from _Cluster(context).records(_objects.from_json(stream))


def parse_yaml(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Records of a YAML export or of manifests."""
    objects = _objects.from_yaml(stream, context.max_yaml_bytes)
    yield from _Cluster(context).records(objects)


def account_name(namespace: str, name: str) -> str:
    """How Kubernetes itself calls a service account as a user."""
    return f"system:serviceaccount:{namespace}:{name}"


class _Cluster:
    """One reading of one file."""

    def __init__(self, context: Context) -> None:
        self._tenant = context.named(
            "a Kubernetes export does not name its cluster: give --source <cluster>"
        )
        self._roles: dict[str, tuple[str, str | None, int]] = {}
        """Cluster roles that were read: level, reason, built in."""
        self._bound: dict[tuple[str, str], int] = {}
        """(cluster role, namespace) of bindings with a line; namespace "" for the cluster."""
        self._unread: dict[str, None] = {}
        """uids of namespaced roles that are bound and were not read (yet)."""
        self._read: set[str] = set()
        self._mentioned: dict[tuple[str, str], None] = {}

    def records(self, objects: Iterable[Object]) -> Iterator[Record]:
        yield Source("kubernetes", self._tenant)
        rows = 0
        for found in objects:
            if found.kind is None:
                yield Problem(found.line, "kind", "an item without a kind")
                continue
            make = getattr(self, f"_{found.kind}", None) if found.kind in _KINDS else None
            if make is None:
                continue  # other kinds hold no access
            for record in guarded(make, Part(found.kind, found.value, found.line)):
                rows += type(record) is not Problem
                yield record
        for record in self._rest():
            rows += 1
            yield record
        if not rows:
            raise ImportRefused(
                "no service account, role, binding, token secret or pod in it can be read"
            )

    def _ServiceAccount(self, account: text.Json, line: int) -> Iterator[Record]:  # noqa: N802
        meta = _objects.metadata(account)
        namespace, name = _place(meta)
        alt = account_name(namespace, name)
        uid = optional(meta, "uid") or alt
        said = _labels.said(meta)
        cloud, assumes = _labels.cloud_identity(said)
        shown = {
            "labels": _labels.shown(meta), "assumes": assumes,
            "automount_token": account.get("automountServiceAccountToken"),
        }  # fmt: skip
        yield Identity(
            uid, alt if uid != alt else None, f"{namespace}/{name}", "workload", "stated",
            nhi_type="managed_identity" if cloud else None,
            nhi_detail=f"k8s.service_account.{cloud}" if cloud else "k8s.service_account",
            status="enabled", created_at=when(meta.get("creationTimestamp")),
            created_by=_labels.made_by(said), last_used_state="not_tracked",
            purpose=_labels.first(said, _labels.PURPOSES),
            environment=_labels.first(said, _labels.ENVIRONMENTS),
            attributes=text.json_text({k: v for k, v in shown.items() if v not in (None, {})}),
            line=line,
        )  # fmt: skip
        if assumes:
            yield Trust(assumes, uid, "workload", "workload_identity", line=line)
        yield from _labels.owners(uid, meta, line)

    def _Role(self, role: text.Json, line: int) -> Iterator[Record]:  # noqa: N802
        namespace, name = _place(_objects.metadata(role))
        uid = f"role:{namespace}/{name}"
        level, why = _rules.judge(role.get("rules"))
        self._read.add(uid)
        self._unread.pop(uid, None)
        yield Entitlement(
            uid, name, resource_kind="namespace", permission_level=level, level_reason=why,
            is_builtin=_labels.is_builtin(role), scope=namespace,
            attributes=text.json_text({"rules": _rules.words(role.get("rules"))}), line=line,
        )  # fmt: skip

    def _ClusterRole(self, role: text.Json, line: int) -> Iterator[Record]:  # noqa: N802
        name = required(_objects.metadata(role), "name")
        level, why = _rules.judge(role.get("rules"), bool(role.get("aggregationRule")))
        self._roles[name] = (level, why, _labels.is_builtin(role))
        yield Entitlement(
            f"clusterrole:{name}", name, resource_kind="cluster", permission_level=level,
            level_reason=why, is_builtin=_labels.is_builtin(role), scope="cluster",
            attributes=text.json_text({"rules": _rules.words(role.get("rules"))}), line=line,
        )  # fmt: skip

    def _RoleBinding(self, binding: text.Json, line: int) -> Iterator[Record]:  # noqa: N802
        namespace, name = _place(_objects.metadata(binding))
        role = mapping(binding.get("roleRef"))
        wanted = required(role, "name")
        if role.get("kind") == "ClusterRole":
            self._bound.setdefault((wanted, namespace), line)
            uid = f"clusterrole:{wanted}@{namespace}"
        else:
            uid = f"role:{namespace}/{wanted}"
            if uid not in self._read:
                self._unread[uid] = None
        yield from self._grants(binding, uid, f"rolebinding/{namespace}/{name}", namespace, line)

    def _ClusterRoleBinding(self, binding: text.Json, line: int) -> Iterator[Record]:  # noqa: N802
        name = required(_objects.metadata(binding), "name")
        wanted = required(mapping(binding.get("roleRef")), "name")
        self._bound.setdefault((wanted, ""), line)
        yield from self._grants(
            binding, f"clusterrole:{wanted}", f"clusterrolebinding/{name}", None, line
        )

    def _grants(
        self, binding: text.Json, entitlement: str, via: str, namespace: str | None, line: int
    ) -> Iterator[Record]:
        since = when(_objects.metadata(binding).get("creationTimestamp"))
        for each in listed(binding.get("subjects")):
            try:
                holder = self._holder(mapping(each), namespace)
            except (ValueError, TypeError) as bad:
                yield Problem(line, "subjects", str(bad), via)
            else:
                yield Grant(holder, entitlement, via, granted_at=since, line=line)

    def _holder(self, subject: text.Json, namespace: str | None) -> str:
        kind, name = required(subject, "kind"), required(subject, "name")
        if kind == "ServiceAccount":
            home = optional(subject, "namespace") or namespace
            if not home:
                raise ValueError(f"the service account {name} has no namespace")
            return account_name(home, name)
        if kind not in ("User", "Group"):
            raise ValueError(f"a subject of unknown kind {kind[:40]!r}")
        if kind == "User" and name.startswith("system:serviceaccount:"):
            return name
        self._mentioned[kind, name] = None
        return f"{kind.lower()}:{name}"

    def _Secret(self, secret: text.Json, line: int) -> Iterator[Record]:  # noqa: N802
        if secret.get("type") != _TOKEN_TYPE:
            return
        meta = _objects.metadata(secret)
        namespace, name = _place(meta)
        notes, labels = mapping(meta.get("annotations")), mapping(meta.get("labels"))
        account = required(notes, f"{_OF_ACCOUNT}.name")
        used = when(labels.get(f"{_LEGACY}-last-used"))
        created = when(meta.get("creationTimestamp"))
        yield Credential(
            optional(notes, f"{_OF_ACCOUNT}.uid") or account_name(namespace, account),
            optional(meta, "uid") or f"secret:{namespace}/{name}", "token",
            "k8s.sa_token_secret", f"{namespace}/{name}",
            status="disabled" if labels.get(f"{_LEGACY}-invalid-since") else "enabled",
            created_at=created, last_rotated_at=created, expires_state="none",
            last_used_at=used, last_used_state="known" if used else "not_tracked", line=line,
        )  # fmt: skip

    def _Pod(self, pod: text.Json, line: int) -> Iterator[Record]:  # noqa: N802
        meta, spec = _objects.metadata(pod), mapping(pod.get("spec"))
        namespace, name = _place(meta)
        account = optional(spec, "serviceAccountName") or "default"
        mounted = spec.get("automountServiceAccountToken") is not False
        yield Usage(
            account_name(namespace, account), f"{namespace}/{_labels.controller(meta, name)}",
            "workload", "pod" if mounted else "pod, token not mounted",
            last_at=when(mapping(pod.get("status")).get("startTime")), line=line,
        )  # fmt: skip

    def _rest(self) -> Iterator[Record]:
        """What could not be told before the whole file was read."""
        for kind, name in self._mentioned:
            system = name.startswith("system:")
            yield Identity(
                f"{kind.lower()}:{name}", None, name,
                "group" if kind == "Group" else "system" if system else "human",
                nhi_detail=f"k8s.{kind.lower()}", last_used_state="not_tracked",
            )  # fmt: skip
        for uid in self._unread:
            namespace, _, name = uid.removeprefix("role:").partition("/")
            yield Entitlement(uid, name, resource_kind="namespace", scope=namespace,
                              level_reason="the role is not in the export")  # fmt: skip
        for (name, namespace), line in self._bound.items():
            if not namespace and name in self._roles:
                continue
            level, why, builtin = self._roles.get(name) or (*_rules.judge_name(name), None)
            yield Entitlement(
                f"clusterrole:{name}@{namespace}" if namespace else f"clusterrole:{name}",
                name, resource_kind="namespace" if namespace else "cluster",
                permission_level=level, level_reason=why, is_builtin=builtin,
                scope=namespace or "cluster", line=line if name in self._roles else None,
            )  # fmt: skip


_KINDS = _objects.RBAC_KINDS | {"Secret", "Pod"}


def _place(meta: dict[str, Any]) -> tuple[str, str]:
    """Namespace and name; a manifest without a namespace goes into `default`."""
    return optional(meta, "namespace") or "default", required(meta, "name")
