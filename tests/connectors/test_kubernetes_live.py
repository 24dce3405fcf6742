"""Kubernetes live: what is stopped, put back, refused and collected at a small API server.

`api_server.py` answers as a real one of 1.20 was measured to. No cluster was asked by these tests.
"""

import base64
import json
import shlex
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.connectors.api_server import ADMIN, CACHE_S, Cluster, serving
from tests.exports import of, recognised

from passmuster import connectors
from passmuster.connectors import Act, Context, Where, plan
from passmuster.errors import Declined, Unreachable, UsageError
from passmuster.model import Credential, Grant, Identity, Usage

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMINS, LOCAL = f"{RBAC}/clusterrolebindings/admins", f"{RBAC}/namespaces/web/rolebindings/local"
ACCOUNT, SECRET = "/api/v1/namespaces/ci/serviceaccounts/runner", (
    "/api/v1/namespaces/ci/secrets/runner-token"
)  # fmt: skip
RUNNER = {"kind": "ServiceAccount", "name": "runner", "namespace": "ci"}
OTHER = {"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}
TOKEN = "the-runner's-token"


def small() -> Cluster:
    """Two bindings, an account with a token of its own, and a pod that runs as it."""
    made = Cluster()
    role = {"kind": "ClusterRole", "name": "edit", "apiGroup": "rbac.authorization.k8s.io"}
    made.put(f"{RBAC}/clusterroles/edit", {"kind": "ClusterRole", "metadata": {"name": "edit"},
             "rules": [{"apiGroups": [""], "resources": ["pods"],
                        "verbs": ["get", "delete"]}]})  # fmt: skip
    made.put(ADMINS, {"kind": "ClusterRoleBinding", "metadata": {"name": "admins", "labels": {
        "a": "b"}}, "roleRef": role, "subjects": [OTHER, RUNNER]})  # fmt: skip
    made.put(LOCAL, {"kind": "RoleBinding", "metadata": {"name": "local", "namespace": "web"},
             "roleRef": role, "subjects": [RUNNER]})  # fmt: skip
    made.put(ACCOUNT, {"kind": "ServiceAccount", "metadata": {
        "name": "runner", "namespace": "ci", "uid": "sa-uid"}})  # fmt: skip
    made.put(SECRET, {"kind": "Secret", "type": "kubernetes.io/service-account-token",
             "data": {"token": base64.b64encode(TOKEN.encode()).decode()},
             "metadata": {"name": "runner-token", "namespace": "ci", "uid": "secret-uid",
                          "annotations": {
                              "kubernetes.io/service-account.name": "runner",
                              "kubernetes.io/service-account.uid": "sa-uid"}}})  # fmt: skip
    made.put("/api/v1/namespaces/ci/pods/build", {"kind": "Pod", "metadata": {
        "name": "build", "namespace": "ci"}, "spec": {"serviceAccountName": "runner",
        "containers": [{"env": [{"name": "K", "value": "pod-secret"}]}]}})  # fmt: skip
    made.tokens[TOKEN] = SECRET
    return made


@pytest.fixture
def cluster() -> Cluster:
    return small()


@pytest.fixture
def where(cluster: Cluster) -> Iterator[Where]:
    with serving(cluster) as address:
        yield Where("kubernetes:eu-1", {"endpoint": address}, lambda _name, _command: ADMIN)


@pytest.fixture
def live(where: Where) -> Iterator[Any]:
    found = connectors.connect(where)
    yield found
    found.close()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("passmuster.transport._service.random.random", lambda: 0.0)


DOSSIER: dict[str, Any] = {
    "source": {"platform": "kubernetes"},
    "identity": {"uid": "sa-uid", "uid_alt": "system:serviceaccount:ci:runner"},
    "credentials": [{"uid": "secret-uid", "credential_detail": "k8s.sa_token_secret",
                     "display_name": "ci/runner-token"}],
    "grants": [
        {"entitlement": "clusterrole:edit", "via": "clusterrolebinding/admins", "chain": []},
        {"entitlement": "clusterrole:edit@web", "via": "rolebinding/web/local", "chain": []},
    ],
}  # fmt: skip


def acts(target: str | None = None) -> list[Act]:
    return [p.act for p in plan(DOSSIER, "revoke", target) if p.act is not None]


def subjects(cluster: Cluster, path: str) -> list[Any]:
    return [s["name"] for s in cluster.objects[path].get("subjects") or []]


def test_what_can_be_put_back_is_offered_before_what_destroys_a_secret() -> None:
    for target, classes, waits in (
        (None, ["R2", "R3"], [5, 15]), ("secret-uid", ["R2", "R3"], [5, 15]),
        ("clusterrole:edit", ["R2", "R2"], [5, 5]),
    ):  # fmt: skip
        found = plan(DOSSIER, "revoke", target)
        assert [p.undo_class for p in found] == classes
        assert [p.propagation_s for p in found] == waits
        assert all(p.residual and bool(p.undo) == (p.undo_class == "R2") for p in found)
    assert "same name again has its rights" in plan(DOSSIER, "revoke")[1].residual
    assert plan(DOSSIER, "rotate") == []


@pytest.mark.parametrize("name", ["x; rm -rf ~", "$(id)", "a b", "it's", 'q"q'])
def test_a_hostile_name_is_one_argument(name: str) -> None:
    hostile = {**DOSSIER, "grants": [
        {"entitlement": "clusterrole:edit", "via": f"clusterrolebinding/{name}", "chain": []}
    ]}  # fmt: skip
    for found in plan(hostile, "revoke", "clusterrole:edit"):
        for line in found.stop:
            assert name in shlex.split(line) or "saved" in line


def test_one_subject_is_taken_out_of_a_binding_and_the_others_stay(
    cluster: Cluster, live: Any
) -> None:
    act = acts("clusterrole:edit")[0]
    assert live.read(act) == act.known == {"held": True}
    assert live.refused(act)[0] == "works"
    live.write(act, None)
    live.write(act, None)
    assert subjects(cluster, ADMINS) == ["jane"]
    assert live.read(act) is None
    assert live.refused(act)[0] == "refused"
    live.write(act, {"held": True})
    live.write(act, {"held": True})
    assert subjects(cluster, ADMINS) == ["jane", "runner"]
    verdict, words = live.refused(act)
    assert (verdict, 'ClusterRoleBinding "admins"' in words) == ("works", True)


def test_a_change_that_somebody_made_since_the_reading_is_a_conflict(
    cluster: Cluster, live: Any
) -> None:
    act, whole = acts("clusterrole:edit")
    for one in (act, whole):
        live.read(one)
        cluster.put(ADMINS, {**cluster.objects[ADMINS], "metadata": {"name": "admins"}})
        with pytest.raises(Declined) as declined:
            live.write(one, None)
        assert declined.value.status == 409
        assert subjects(cluster, ADMINS) == ["jane", "runner"]


def test_a_deleted_binding_is_made_again_without_what_the_server_gave_it(
    cluster: Cluster, live: Any
) -> None:
    act = acts("clusterrole:edit")[1]
    saved = live.read(act)
    assert saved is not None
    assert saved["metadata"] == {"name": "admins", "labels": {"a": "b"}}
    live.write(act, None)
    live.write(act, None)
    assert ADMINS not in cluster.objects
    assert live.read(act) is None
    assert live.refused(act)[0] == "refused"
    live.write(act, saved)
    live.write(act, saved)
    assert live.read(act) == saved


def test_an_account_is_taken_out_of_bindings_that_the_export_did_not_know(
    cluster: Cluster, live: Any
) -> None:
    cluster.put(f"{RBAC}/clusterrolebindings/late", {
        "kind": "ClusterRoleBinding", "metadata": {"name": "late"}, "roleRef": {},
        "subjects": [RUNNER]})  # fmt: skip
    act = acts()[0]
    saved = live.read(act)
    assert saved == {"bindings": [
        "clusterrolebinding/admins", "clusterrolebinding/late", "rolebinding/web/local"
    ]}  # fmt: skip
    live.write(act, act.wanted)
    assert live.read(act) == act.wanted
    assert live.refused(act)[0] == "refused"
    assert subjects(cluster, ADMINS) == ["jane"]
    live.write(act, saved)
    assert live.read(act) == saved


def test_a_right_that_another_binding_still_gives_is_told_as_working(
    cluster: Cluster, live: Any
) -> None:
    cluster.put(f"{RBAC}/clusterrolebindings/group", {
        "kind": "ClusterRoleBinding", "metadata": {"name": "everyone"}, "roleRef": {},
        "subjects": [{"kind": "Group", "name": "system:serviceaccounts:ci"}]})  # fmt: skip
    act = acts()[0]
    live.write(act, act.wanted)
    verdict, words = live.refused(act)
    assert (verdict, "everyone" in words) == ("works", True)


def test_a_deleted_token_is_taken_for_as_long_as_the_server_remembers_it(
    cluster: Cluster, live: Any
) -> None:
    act = acts("secret-uid")[1]
    saved = live.read(act)
    assert saved == {"uid": "secret-uid", "created": "2026-11-01T00:00:00Z"}
    assert live.refused(act, TOKEN)[0] == "works"
    live.write(act, None)
    began = time.monotonic()
    verdict, words = live.refused(act, TOKEN)
    assert (verdict, "10 s" in words) == ("works", True)
    assert live.refused(act)[0] == "flag"
    while verdict == "works" and time.monotonic() - began < 20 * CACHE_S:
        time.sleep(0.05)
        verdict, words = live.refused(act, TOKEN)
    assert (verdict, "invalidated" in words) == ("refused", True)
    with pytest.raises(Declined):
        live.write(act, saved)


def test_an_account_of_the_same_name_that_was_made_since_is_not_deleted(
    cluster: Cluster, live: Any
) -> None:
    act = acts()[1]
    assert live.read(act) is not None
    del cluster.objects[ACCOUNT]
    cluster.put(ACCOUNT, {"kind": "ServiceAccount", "metadata": {"name": "runner"}})
    for verb in (live.read, lambda a: live.write(a, None)):
        with pytest.raises(Declined) as declined:
            verb(act)
        assert declined.value.status == 409
    assert ACCOUNT in cluster.objects


def test_what_is_collected_reads_as_kubectls_own_and_holds_no_secret(
    cluster: Cluster, where: Where, tmp_path: Path
) -> None:
    for at in range(5):
        name = f"extra{at}"
        cluster.put(f"/api/v1/namespaces/ci/serviceaccounts/{name}", {
            "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "ci"}})  # fmt: skip
    connectors.collect(where, tmp_path)
    context = Context("eu-1")
    rbac = (tmp_path / "rbac.json").read_bytes()
    found = recognised(rbac, "kubernetes.rbac.json", context)
    accounts = [i for i in of(found, Identity) if i.kind == "workload"]
    assert (len(accounts), len(of(found, Grant))) == (6, 3)
    secrets = (tmp_path / "token-secrets.json").read_bytes()
    (token,) = of(recognised(secrets, "kubernetes.secrets.json", context), Credential)
    assert (token.identity_uid, token.display_name) == ("sa-uid", "ci/runner-token")
    pods = (tmp_path / "pods.json").read_bytes()
    assert len(of(recognised(pods, "kubernetes.pods.json", context), Usage)) == 1
    whole = rbac + secrets + pods
    assert not [
        s for s in (b'"data"', b"pod-secret", b"managedFields", ADMIN.encode()) if s in whole
    ]
    assert json.loads(rbac)["kind"] == "List"
    assert [path for _, path, _ in cluster.requests if "continue=" in path]
    asked = [accepts for _, path, accepts in cluster.requests if "/secrets" in path]
    assert asked
    assert all("PartialObjectMetadata" in accepts for accepts in asked)


def test_a_list_whose_mark_has_expired_is_begun_anew_and_no_item_twice(
    cluster: Cluster, where: Where, tmp_path: Path
) -> None:
    page = {"metadata": {"continue": "9999"}, "items": [{"metadata": {"name": "x"}}]}
    cluster.next_answers.append((200, {}, json.dumps(page).encode()))
    connectors.collect(where, tmp_path)
    items = json.loads((tmp_path / "rbac.json").read_bytes())["items"]
    names = [(i["kind"], i["metadata"]["name"]) for i in items]
    assert len(names) == len(set(names)) == 4


@pytest.mark.parametrize("answer", [
    (403, {}, b'{"kind":"Status","message":"pods is forbidden: User cannot list","code":403}'),
    (500, {}, b'{"kind":"Status","message":"etcd"}'), (200, {}, b'{"items": [{"metad'),
])  # fmt: skip
def test_a_collection_that_is_refused_or_broken_off_is_raised(
    cluster: Cluster, where: Where, tmp_path: Path, answer: tuple[int, dict[str, str], bytes]
) -> None:
    cluster.next_answers += [answer] * 20
    with pytest.raises(Unreachable) as raised:
        connectors.collect(where, tmp_path)
    assert isinstance(raised.value, Declined) == (answer[0] == 403)


def test_a_server_that_is_busy_is_asked_again(
    cluster: Cluster, where: Where, tmp_path: Path
) -> None:
    cluster.next_answers.append((429, {"Retry-After": "0"}, b"{}"))
    connectors.collect(where, tmp_path)
    assert (tmp_path / "pods.json").exists()


# The login.


def kubeconfig(server: str, user: dict[str, Any], **cluster: Any) -> str:
    return json.dumps({"clusters": [{"cluster": {"server": server, **cluster}}],
                       "users": [{"user": user}]})  # fmt: skip


def test_the_context_is_the_sources_and_a_plug_in_is_asked_for_the_token(cluster: Cluster) -> None:
    asked: list[Sequence[str]] = []
    with serving(cluster) as address:
        exec_ = {"command": "get-token", "args": ["--x"], "apiVersion": "v1",
                 "env": [{"name": "P", "value": "q"}]}  # fmt: skip

        def secret(_name: str, command: Sequence[str]) -> str:
            asked.append(command)
            if command[0] == "kubectl":
                return kubeconfig(address, {"exec": exec_})
            return json.dumps({"status": {"token": ADMIN}})

        live = connectors.connect(Where("kubernetes:eu-1", {}, secret))
        assert live.read(acts()[1]) is not None
        live.close()
    assert asked[0][-2:] == ("--context", "eu-1")
    assert asked[1][0] == "env"
    assert asked[1][2:] == ("P=q", "get-token", "--x")


@pytest.mark.ci
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not here")
def test_what_kubectl_itself_prints_of_a_context_logs_in(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def secret(_name: str, command: Sequence[str]) -> str:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        assert told.stdout.rstrip().isprintable()  # what lends the login takes one line
        return told.stdout

    with serving(cluster) as address:
        plug_in = {"apiVersion": "client.authentication.k8s.io/v1", "command": "echo",
                   "args": [json.dumps({"status": {"token": ADMIN}})],
                   "interactiveMode": "Never"}  # fmt: skip
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "other",
            "clusters": [{"name": "c", "cluster": {"server": address}},
                         {"name": "d", "cluster": {"server": "https://other.example.com"}}],
            "users": [{"name": "plug-in", "user": {"exec": plug_in}},
                      {"name": "token", "user": {"token": ADMIN}}],
            "contexts": [{"name": "eu-1", "context": {"cluster": "c", "user": "plug-in"}},
                         {"name": "eu-2", "context": {"cluster": "c", "user": "token"}},
                         {"name": "other", "context": {"cluster": "d", "user": "token"}}],
        }  # fmt: skip
        (tmp_path / "config").write_text(json.dumps(config))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
        for context in ("eu-1", "eu-2"):
            live = connectors.connect(Where(f"kubernetes:{context}", {}, secret))
            assert live.read(acts()[1]) is not None
            live.close()


def test_a_client_certificate_of_the_kubeconfig_logs_in_over_tls(cluster: Cluster) -> None:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    mine = ca.issue_cert("jane@example.com")

    def b64(pem: bytes) -> str:
        return base64.b64encode(pem).decode()

    authority = {"certificate-authority-data": b64(ca.cert_pem.bytes())}
    user = {"client-certificate-data": b64(mine.cert_chain_pems[0].bytes()),
            "client-key-data": b64(mine.private_key_pem.bytes())}  # fmt: skip
    with serving(cluster, context) as address:
        told = kubeconfig(address, {**user, "token": ADMIN}, **authority)
        live = connectors.connect(Where("kubernetes:eu-1", {}, lambda *_: told))
        assert live.read(acts()[1]) is not None
        live.close()
        told = kubeconfig(address, {"token": ADMIN}, **authority)
        live = connectors.connect(Where("kubernetes:eu-1", {}, lambda *_: told))
        with pytest.raises(Unreachable):
            live.read(acts()[1])
        live.close()


@pytest.mark.parametrize(("told", "match"), [
    ("plain-token", "endpoint"), ("{", "no JSON"), ("{}", "clusters"),
    (kubeconfig("https://x.example.com", {"token": "t"}, **{"insecure-skip-tls-verify": True}),
     "insecure"),
    (kubeconfig("https://x.example.com", {}), "no token"),
    (kubeconfig("http://x.example.com", {"token": "t"}), "TLS"),
    (kubeconfig("https://x.example.com", {"client-certificate-data": "!", "client-key-data": "!"}),
     "base64"),
    (kubeconfig("https://x.example.com", {"client-certificate-data": "eA==",
                                          "client-key-data": "eA=="}), "no certificate"),
])  # fmt: skip
def test_a_login_that_is_no_good_is_told_before_anything_is_sent(told: str, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        connectors.connect(Where("kubernetes:eu-1", {}, lambda *_: told))
