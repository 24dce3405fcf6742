"""Kubernetes: counts of a real cluster's export against its README, and the rules of judgement."""

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.exports import of, recognised

from passmuster.connectors import Context, named
from passmuster.connectors.kubernetes._rules import judge
from passmuster.errors import ImportRefused
from passmuster.model import (
    Credential,
    Entitlement,
    Grant,
    Identity,
    Owner,
    Problem,
    Record,
    Source,
    Usage,
)  # fmt: skip

REAL = Path(__file__).parents[3] / "shared" / "realdata" / "kubernetes"
RBAC, YAML = "kubernetes.rbac.json", "kubernetes.rbac.yaml"
CLUSTER = Context(source_label="lab")


def parsed(data: bytes, name: str = RBAC, context: Context = CLUSTER) -> list[Record]:
    return recognised(data, name, context)


def real(name: str) -> bytes:
    if not (REAL / name).exists():
        pytest.skip(f"{REAL / name} is not here")
    return (REAL / name).read_bytes()


def listing(*items: Any, **top: Any) -> bytes:
    return json.dumps({"apiVersion": "v1", "items": items, "kind": "List"} | top).encode()


def meta(name: str, namespace: str | None = "web", **more: Any) -> dict[str, Any]:
    return {"name": name, **({"namespace": namespace} if namespace else {}), **more}


def account(name: str = "app", **more: Any) -> dict[str, Any]:
    return {"kind": "ServiceAccount", "metadata": meta(name, uid=f"uid-{name}", **more)}


def bind(
    role: str, *subjects: dict[str, Any], namespace: str | None = "web", of: str = "ClusterRole"
) -> dict[str, Any]:
    return {
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": meta("b", namespace), "roleRef": {"kind": of, "name": role},
        "subjects": list(subjects),
    }  # fmt: skip


APP = {"kind": "ServiceAccount", "name": "app", "namespace": "web"}


def test_a_real_cluster_has_the_counts_of_its_readme() -> None:
    records = parsed(real("live-kube-prometheus/rbac.json"))
    identities = of(records, Identity)
    accounts = [i for i in identities if i.kind == "workload"]
    assert len(accounts) == 13
    grants = of(records, Grant)
    subjects = Counter(
        "Group" if g.principal_uid.startswith("group:")
        else "User" if g.principal_uid.startswith("user:") else "ServiceAccount"
        for g in grants
    )  # fmt: skip
    assert subjects == {"Group": 7, "User": 8, "ServiceAccount": 48}
    known = {i.uid_alt for i in accounts} | {i.uid for i in identities}
    assert sum(g.principal_uid not in known for g in grants) == 36
    roles = [e for e in of(records, Entitlement) if "@" not in e.uid]
    assert Counter(e.uid.split(":")[0] for e in roles) == {"clusterrole": 68, "role": 11}
    every_verb = [
        e for e in roles
        if any(rule.split()[0] == "*" for rule in json.loads(e.attributes)["rules"])
    ]  # fmt: skip
    assert len(every_verb) == 4
    bound = {g.entitlement_uid for g in grants}
    assert bound <= {e.uid for e in of(records, Entitlement)}
    assert Counter(g.entitlement_uid for g in grants)["clusterrole:cluster-admin"] == 1
    assert not of(records, Problem)


def test_the_built_in_roles_of_a_real_cluster_are_judged_as_their_names_say() -> None:
    levels = {
        e.uid: (e.permission_level, e.is_builtin)
        for e in of(parsed(real("live-kube-prometheus/rbac.json")), Entitlement)
    }
    assert levels["clusterrole:cluster-admin"] == ("admin", 1)
    assert levels["clusterrole:admin"] == ("admin", 1)
    assert levels["clusterrole:view"] == ("read", 1)
    assert levels["clusterrole:system:auth-delegator"] == ("read", 1)
    assert levels["clusterrole:kube-state-metrics"] == ("admin", 0)  # it lists secrets


def test_the_token_secrets_of_a_real_cluster_belong_to_its_accounts() -> None:
    accounts = {i.uid for i in of(parsed(real("live-kube-prometheus/rbac.json")), Identity)}
    data = real("live-kube-prometheus/sa-token-secrets.json")
    tokens = of(parsed(data, "kubernetes.secrets.json"), Credential)
    assert len(tokens) == 13
    assert {t.identity_uid for t in tokens} <= accounts
    assert {t.expires_state for t in tokens} == {"none"}


def test_an_api_list_whose_items_name_no_kind_is_read() -> None:
    entitlements = of(parsed(real("c7n-roles/roles.json")), Entitlement)
    assert len(entitlements) == 14
    assert not [e for e in entitlements if json.loads(e.attributes)["rules"][0].startswith("* ")]


@pytest.mark.parametrize("kind", ["ServiceAccount", "Role", "ClusterRole"])
def test_manifests_hold_as_many_objects_as_lines_of_that_kind(kind: str) -> None:
    folder = REAL / "kube-prometheus"
    if not folder.exists():
        pytest.skip(f"{folder} is not here")
    documents = [p.read_bytes() for p in sorted(folder.glob("*.yaml"))]
    records = parsed(b"\n---\n".join(documents), YAML)
    lines = b"\n".join(documents).decode().splitlines()
    objects = sum(
        line in (f"kind: {kind}", f"  kind: {kind}") and "roleRef:" not in lines[at - 2 : at]
        for at, line in enumerate(lines)
    )
    found = {
        "ServiceAccount": len(of(records, Identity)),
        "Role": sum(e.uid.startswith("role:") and e.line is not None
                    for e in of(records, Entitlement)),
        "ClusterRole": sum(
            e.uid.startswith("clusterrole:") and "@" not in e.uid and e.line is not None
            for e in of(records, Entitlement)
        ),
    }  # fmt: skip
    assert found[kind] == objects
    assert not of(records, Problem)


def test_an_export_needs_a_name_for_its_cluster() -> None:
    with pytest.raises(ImportRefused, match="--source"):
        parsed(listing(account()), context=Context())


def test_a_binding_to_a_cluster_role_holds_in_its_namespace_only() -> None:
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}]
    role = {"kind": "ClusterRole", "metadata": meta("reader", None), "rules": rules}
    records = parsed(listing(account(), bind("reader", APP), role))
    (grant,) = of(records, Grant)
    assert grant.via == "rolebinding/web/b"
    scoped = {e.uid: e for e in of(records, Entitlement)}[grant.entitlement_uid]
    assert (scoped.uid, scoped.scope) == ("clusterrole:reader@web", "web")
    assert (scoped.permission_level, scoped.level_reason) == (
        "admin", "may read every secret (list secrets)",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "level"), [("cluster-admin", "admin"), ("view", "read"), ("gone", "unknown")]
)
def test_a_role_that_is_not_in_the_export_still_has_its_grant(name: str, level: str) -> None:
    records = parsed(listing(account(), bind(name, APP, namespace=None)))
    (entitlement,) = of(records, Entitlement)
    assert (entitlement.uid, entitlement.permission_level) == (f"clusterrole:{name}", level)


def test_users_and_groups_are_mentioned_once_and_service_account_users_are_the_account() -> None:
    names = [
        {"kind": "User", "name": "eve@example.com"}, {"kind": "User", "name": "system:scheduler"},
        {"kind": "Group", "name": "system:masters"},
        {"kind": "User", "name": "system:serviceaccount:web:app"},
    ]  # fmt: skip
    records = parsed(listing(bind("view", *names), bind("edit", *names)))
    found = {i.uid: (i.kind, i.line) for i in of(records, Identity)}
    assert found == {
        "user:eve@example.com": ("human", None), "user:system:scheduler": ("system", None),
        "group:system:masters": ("group", None),
    }  # fmt: skip
    assert "system:serviceaccount:web:app" in {g.principal_uid for g in of(records, Grant)}


@pytest.mark.parametrize(
    ("rule", "level"),
    [
        ({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, "admin"),
        ({"apiGroups": [""], "resources": ["*"], "verbs": ["get"]}, "admin"),
        ({"apiGroups": [""], "resources": ["secrets"], "verbs": ["watch"]}, "admin"),
        ({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["x"]},
         "read"),
        ({"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]}, "admin"),
        ({"apiGroups": [""], "resources": ["*/exec"], "verbs": ["create"]}, "admin"),
        ({"apiGroups": [""], "resources": ["nodes/proxy"], "verbs": ["get"]}, "admin"),
        ({"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}, "admin"),
        ({"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"]}, "admin"),
        ({"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"],
          "verbs": ["bind"]}, "admin"),
        ({"apiGroups": ["metrics.k8s.io"], "resources": ["*"], "verbs": ["*"]}, "write"),
        ({"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["patch"]}, "write"),
        ({"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"],
          "verbs": ["create"]}, "read"),
        ({"nonResourceURLs": ["/metrics"], "verbs": ["get"]}, "read"),
        ({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}, "read"),
    ],
)  # fmt: skip
def test_rules_are_judged_by_the_powers_that_they_give(rule: dict[str, Any], level: str) -> None:
    assert judge([rule])[0] == level


def test_annotations_and_labels_tell_owner_maker_and_cloud_role_and_nothing_else() -> None:
    annotations = {
        "eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/app",
        "kubectl.kubernetes.io/last-applied-configuration": '{"password": "hunter2"}',
        "example.com/owner": "a@example.com",
    }  # fmt: skip
    labels = {"app.kubernetes.io/managed-by": "Helm", "team": "web", "db-password": "hunter3"}
    records = parsed(listing(account(annotations=annotations, labels=labels)))
    (identity,) = of(records, Identity)
    assert identity.created_by == "automation:helm"
    assert identity.nhi_detail == "k8s.service_account.irsa"
    assert json.loads(identity.attributes)["assumes"] == annotations["eks.amazonaws.com/role-arn"]
    assert {o.handle: o.evidence for o in of(records, Owner)} == {
        "a@example.com": "annotation example.com/owner=a@example.com", "web": "label team=web",
    }  # fmt: skip
    assert "hunter" not in str(records)


def test_a_manifest_without_a_uid_is_known_by_its_name() -> None:
    text = b"apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: app\n  namespace: web\n"
    (identity,) = of(parsed(text, YAML), Identity)
    assert (identity.uid, identity.uid_alt) == ("system:serviceaccount:web:app", None)
    assert identity.line == 1


SECRET = {
    "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
    "data": {"token": "UExBTlRFRA=="},
    "metadata": meta("t", uid="s1", annotations={
        "kubernetes.io/service-account.name": "app", "last-applied": "UExBTlRFRA=="},
        labels={"kubernetes.io/legacy-token-last-used": "2024-05-06",
                "kubernetes.io/legacy-token-invalid-since": "2025-05-06"}),
}  # fmt: skip


@pytest.mark.parametrize("data", [listing(SECRET), json.dumps(SECRET).encode()])
def test_the_data_of_a_secret_is_dropped_and_its_last_use_kept(data: bytes) -> None:
    records = parsed(data, "kubernetes.secrets.json")
    (token,) = of(records, Credential)
    assert (token.last_used_at, token.status) == ("2024-05-06T00:00:00Z", "disabled")
    assert token.identity_uid == "system:serviceaccount:web:app"
    assert "UExBTlRFRA" not in str(records)


def test_pods_tell_the_deployment_that_uses_an_account() -> None:
    pod = {
        "apiVersion": "v1", "kind": "Pod", "spec": {"serviceAccountName": "app"},
        "metadata": meta("p", labels={"pod-template-hash": "abc"}, ownerReferences=[
            {"kind": "ReplicaSet", "name": "shop-abc", "controller": True}]),
    }  # fmt: skip
    (usage,) = of(parsed(listing(pod), "kubernetes.pods.json"), Usage)
    assert (usage.identity_uid, usage.consumer, usage.consumer_kind) == (
        "system:serviceaccount:web:app", "web/Deployment/shop", "workload",
    )  # fmt: skip


def test_a_broken_object_is_a_problem_and_the_rest_arrives() -> None:
    bad = {"kind": "Role", "metadata": {"namespace": "web"}}
    stranger = {"kind": "Robot", "name": "x"}
    records = parsed(listing(account(), bad, {"metadata": {}}, bind("view", stranger, APP)))
    assert len(of(records, Problem)) == 3
    assert len(of(records, Identity)) == len(of(records, Grant)) == 1


@pytest.mark.parametrize(
    "data",
    [
        listing(),
        listing({"kind": "ConfigMap", "metadata": meta("x")}),
        listing(account(), metadata={"continue": "abc"}),
        b'{"apiVersion": "v1", "items": [{"kind": "ServiceAccount"}]}',
    ],
)
def test_an_empty_unfinished_or_kindless_list_is_refused(data: bytes) -> None:
    with pytest.raises(ImportRefused):
        list(named(RBAC).parse(io.BytesIO(data), CLUSTER))


HEAD = b"apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  namespace: web\n"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (HEAD + b"  name: &a x\n  uid: *a\n", "anchors"),
        (HEAD + b"  uid: *a\n", "anchors"),
        (HEAD + b"  name: !!python/object:os.system x\n", "tag"),
        (HEAD + b"  name: a\n  name: b\n", "twice"),
        (HEAD + b"  name: 'open\n", "malformed"),
        (HEAD + b"  name: " + b"[" * 500, "nested"),
        (HEAD + b"  name: a\nitems: 3\n", "no list"),
        (b"apiVersion: v1\nitems:\n- kind: Role\n  metadata:\n    name: x\n", "cut off"),
        (HEAD + b"  name: x\n---\n- a list\n", "no API object"),
    ],
)
def test_yaml_that_is_not_plain_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ImportRefused, match=why):
        list(named(YAML).parse(io.BytesIO(data), CLUSTER))


def test_yaml_above_its_limit_is_refused() -> None:
    small = Context(source_label="lab", max_yaml_bytes=64)
    with pytest.raises(ImportRefused, match="larger than"):
        list(named(YAML).parse(io.BytesIO(HEAD + b"  name: x\n"), small))


def test_json_and_yaml_of_one_export_give_equal_records() -> None:
    yaml = pytest.importorskip("yaml")
    data = json.loads(real("live-kube-prometheus/rbac.json"))
    from_yaml = parsed(yaml.safe_dump(data).encode(), YAML)
    from_json = parsed(real("live-kube-prometheus/rbac.json"))

    def without_line(records: list[Record]) -> list[dict[str, Any]]:
        return [{k: v for k, v in r._asdict().items() if k != "line"} for r in records]

    assert without_line(from_yaml) == without_line(from_json)


def test_a_mixed_export_is_read_as_rbac_with_its_tokens_and_pods() -> None:
    pod = {"kind": "Pod", "metadata": meta("p"), "spec": {"serviceAccountName": "app"}}
    records = parsed(
        listing({"kind": "Namespace", "metadata": meta("web")}, SECRET, pod, account())
    )
    assert (
        len(of(records, Credential)) == len(of(records, Usage)) == len(of(records, Identity)) == 1
    )


def test_the_source_is_the_name_that_was_given() -> None:
    assert parsed(listing(account()))[0] == Source("kubernetes", "lab")
