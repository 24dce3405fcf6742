"""Exports for the connectors' tests: made to any size, spoiled, or with a secret planted.

Beside them: what every record that a connector yields must keep.
"""

import base64
import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from passmuster import connectors, model
from passmuster.connectors import Context, Format
from passmuster.model import Record
from tests import exports_databases
from tests.exports_cloud import CLOUD
from tests.exports_code import CODE_MAKERS
from tests.exports_keys import KEY_MAKERS

HOSTILE = (
    "\x1b[2J", "\x1b]52;c;cm0=\x07", "\u202egnp.exe", "[/]x", "nul\0nul", "a\u200bb", "l1\nl2\r",
    "'; DROP TABLE identity; --", "$(reboot)", "\u2066x\u2069",
)  # fmt: skip
PLANTED = "PLANTED-s3cr3t-VALUE"
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
ACCOUNT = "111122223333"
LONG = "x" * 400
"""Makes a small entry large, so that few of them are more than is read at once."""


def parse(fmt: Format, data: bytes, given: Context | None = None) -> list[Record]:
    return list(connectors.read(fmt, io.BytesIO(data), given or Context("sample")))


def of(records: list[Record], kind: type[Any]) -> list[Any]:
    """Those of one type."""
    return [r for r in records if type(r) is kind]


def recognised(data: bytes, name: str, given: Context | None = None) -> list[Record]:
    """The records of *data*, which must be recognised as the format *name*."""
    found = connectors.recognise(data[: connectors.SNIFF_BYTES], "file")
    assert found.name == name
    return parse(found, data, given)


# Makers: an export of *n* entries, each called *name* and holding *secret* wherever a careless
# export might; *bad* puts a broken entry in the middle.

Maker = Callable[[int, str, str, bool], bytes]


def make_report(n: int, name: str, secret: str, bad: bool) -> bytes:
    header = [
        "user", "arn", "user_creation_time", "password_enabled", "password_last_used",
        "password_last_changed", "password_next_rotation", "mfa_active",
        *(f"access_key_{k}_{c}" for k in "12" for c in (
            "active", "last_rotated", "last_used_date", "last_used_region", "last_used_service")),
        "cert_1_active", "cert_1_last_rotated", "cert_2_active", "cert_2_last_rotated",
        "password_hash", "SecretAccessKey",
    ]  # fmt: skip
    when = "2020-01-02T03:04:05+00:00"
    key = ["true", when, when, "eu-west-1", "s3", "false", "N/A", "N/A", "N/A", "N/A"]
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    write(header)
    for at in range(n):
        user = f"{name}{at}"
        write([user, f"arn:aws:iam::{ACCOUNT}:user/{user}", when, "true", when, when, "N/A",
               "false", *key, "false", "N/A", "false", "N/A", secret, secret])  # fmt: skip
        if bad and at == n // 2:
            write(["broken", "row"])
    return out.getvalue().encode()


def make_details(n: int, name: str, secret: str, bad: bool) -> bytes:
    policy = {"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}
    trust = {"Statement": [{
        "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": secret, "aws:x": name}},
    }]}  # fmt: skip
    tags = [{"Key": "owner", "Value": f"{name}@x"}, {"Key": name, "Value": name},
            {"Key": "db-password", "Value": secret}]  # fmt: skip
    roles: list[Any] = [
        {"Arn": f"arn:aws:iam::{ACCOUNT}:role/{name}{at}", "RoleName": f"{name}{at}", "Path": "/",
         "CreateDate": "2020-01-02T03:04:05Z", "AssumeRolePolicyDocument": trust, "Tags": tags,
         "SecretAccessKey": secret, "password": secret,
         "RolePolicyList": [{"PolicyName": name, "PolicyDocument": policy}],
         "RoleLastUsed": {"LastUsedDate": "2024-01-02T03:04:05Z"}}
        for at in range(n)
    ]  # fmt: skip
    if bad:
        roles.insert(n // 2, {"Arn": 42})
    whole = {"UserDetailList": [], "RoleDetailList": roles, "SessionToken": secret}
    return json.dumps(whole).encode()


def make_keys(n: int, name: str, secret: str, bad: bool) -> bytes:
    keys: list[Any] = [
        {"UserName": name, "AccessKeyId": f"AKIA{at:016}", "Status": "Active",
         "CreateDate": "2020-01-02T03:04:05Z", "SecretAccessKey": secret,
         "Note": LONG}
        for at in range(n)
    ]  # fmt: skip
    if bad:
        keys.insert(n // 2, {"UserName": name, "AccessKeyId": 42, "Status": "Active"})
    return json.dumps({"Account": ACCOUNT, "AccessKeyMetadata": keys}).encode()


def make_users(n: int, name: str, secret: str, bad: bool) -> bytes:
    users: list[Any] = [
        {"UserName": f"{name}{at}", "Arn": f"arn:aws:iam::{ACCOUNT}:user/{name}{at}",
         "CreateDate": "2020-01-02T03:04:05Z", "Password": secret, "Note": LONG}
        for at in range(n)
    ]  # fmt: skip
    if bad:
        users.insert(n // 2, {"Arn": f"arn:aws:iam::{ACCOUNT}:user/x", "UserName": 42})
    return json.dumps({"Users": users}).encode()


def make_roles(n: int, name: str, secret: str, bad: bool) -> bytes:
    roles = json.loads(make_details(n, name, secret, bad))["RoleDetailList"]
    return json.dumps({"Roles": roles, "Token": secret}).encode()


def make_federation(n: int, name: str, secret: str, bad: bool) -> bytes:
    at = f"arn:aws:rolesanywhere:eu-west-1:{ACCOUNT}"
    anchors: list[Any] = [
        {"trustAnchorArn": f"{at}:trust-anchor/{i}", "name": name, "enabled": True,
         "source": {"sourceData": {"x509CertificateData": secret}},
         "privateKey": secret, "note": LONG}
        for i in range(n)
    ]  # fmt: skip
    if bad:
        anchors.insert(n // 2, {"trustAnchorArn": 42})
    return json.dumps({"trustAnchors": anchors}).encode()


def kube(items: list[Any], bad: bool) -> bytes:
    if bad:
        items.insert(len(items) // 2, items[0] | {"metadata": {"name": [42]}})
    return json.dumps({"apiVersion": "v1", "items": items, "kind": "List"}).encode()


def kube_meta(name: str, secret: str, **more: Any) -> dict[str, Any]:
    labels = {"team": name, "db-password": secret, **more.pop("labels", {})}
    notes = {"last-applied": secret, "owner": name, **more.pop("annotations", {})}
    return {"name": name, "namespace": "web", "labels": labels, "annotations": notes, **more}


def make_rbac(n: int, name: str, secret: str, bad: bool) -> bytes:
    items: list[Any] = []
    for at in range(n // 2 or 1):
        items.append({"kind": "ServiceAccount", "metadata": kube_meta(f"{name}{at}", secret)})
        items.append({
            "kind": "RoleBinding", "metadata": kube_meta(f"{name}{at}", secret),
            "roleRef": {"kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": f"{name}{at}", "namespace": "web"}],
        })  # fmt: skip
    return kube(items, bad)


def make_secrets(n: int, name: str, secret: str, bad: bool) -> bytes:
    notes = {"kubernetes.io/service-account.name": name}
    return kube([
        {"kind": "Secret", "type": "kubernetes.io/service-account-token",
         "data": {"token": secret, "ca.crt": secret}, "stringData": {"token": secret},
         "metadata": kube_meta(f"{name}{at}", secret, annotations=notes)}
        for at in range(n)
    ], bad)  # fmt: skip


def make_pods(n: int, name: str, secret: str, bad: bool) -> bytes:
    spec = {"serviceAccountName": name, "containers": [{"env": [{"name": "K", "value": secret}]}]}
    return kube([
        {"kind": "Pod", "spec": spec, "metadata": kube_meta(f"{name}{at}", secret)}
        for at in range(n)
    ], bad)  # fmt: skip


def make_yaml(n: int, name: str, secret: str, bad: bool) -> bytes:
    return b"---\n".join(
        b"apiVersion: v1\nkind: %b\n" % item["kind"].encode()
        + b"".join(f"{k}: {json.dumps(v)}\n".encode() for k, v in item.items() if k != "kind")
        for item in json.loads(make_rbac(n, name, secret, bad))["items"]
    )


MAKERS: dict[str, Maker] = {
    "aws.credential_report.csv": make_report,
    "aws.authorization_details.json": make_details,
    "aws.access_keys.json": make_keys,
    "aws.users.json": make_users,
    "aws.roles.json": make_roles,
    "aws.federation.json": make_federation,
    "kubernetes.rbac.json": make_rbac,
    "kubernetes.rbac.yaml": make_yaml,
    "kubernetes.secrets.json": make_secrets,
    "kubernetes.pods.json": make_pods,
    **CODE_MAKERS,
    **KEY_MAKERS,
    **CLOUD,
    **exports_databases.MAKERS,
}


def made(name: str, n: int, called: str = "svc", secret: str = "", bad: bool = False) -> bytes:
    return MAKERS[name](n, called, secret, bad)


def keeps_the_model(records: list[Record]) -> None:
    """Enumerations, times, JSON columns, visible text."""
    allowed: dict[str, set[str]] = {
        "kind": set(model.KINDS), "kind_origin": set(model.KIND_ORIGINS),
        "last_used_state": set(model.LAST_USED_STATES), "expires_state": set(model.EXPIRES_STATES),
        "credential_type": set(model.CREDENTIAL_TYPES), "status": set(model.STATUSES),
        "permission_level": set(model.PERMISSION_LEVELS), "tier": set(model.TIERS),
    }  # fmt: skip
    assert {type(r) for r in records} <= set(get_args(Record))
    for record in records:
        values: dict[str, Any] = record._asdict()
        for field, value in values.items():
            if isinstance(value, str):
                assert value.isprintable(), (field, value)
            if field in allowed:
                assert value in allowed[field], (field, value)
            if value is not None and (field.endswith("_at") or field == "review_due"):
                assert RFC3339.fullmatch(value), (field, value)
            if field in ("attributes", "aliases", "teams", "tenant_uids", "matches"):
                json.loads(value)
            if field == "hint" and value is not None:
                assert len(value) <= 5
        if "last_used_state" in values and values["last_used_at"]:
            assert values["last_used_state"] == "known"
        if "expires_state" in values and values["expires_at"]:
            assert values["expires_state"] == "set"


def spoiled(path: Path, text: str) -> bytes:
    """The sample with *text* in many of its values."""
    data = path.read_bytes()
    if path.suffix == ".json":
        structure = ("kind", "apiVersion", "type", "Arn", "PolicyArn", "Effect", "Version")

        def walk(value: Any, key: str = "") -> Any:
            if isinstance(value, dict):
                return {k: walk(v, k) for k, v in value.items()}
            if isinstance(value, list):
                return [walk(v, key) for v in value]
            if not isinstance(value, str) or key in structure or value[:4].isdigit():
                return value
            return value + text

        return json.dumps(walk(json.loads(data))).encode()
    lines = data.decode("utf-8", "replace").splitlines()
    if path.suffix == ".ldif":
        coded = base64.b64encode(text.encode()).decode()
        return "\n".join(
            f"{line}\ndescription:: {coded}\ncn:: {coded}" if line.startswith("dn:") else line
            for line in lines
        ).encode() + b"\n"  # fmt: skip
    if path.suffix == ".csv":
        out = io.StringIO()
        rows = list(csv.reader(lines))
        csv.writer(out).writerows([rows[0], *([c + text for c in row] for row in rows[1:])])
        return out.getvalue().encode()
    return "\n".join(line + text.replace("\n", "") for line in lines).encode()


def planted(path: Path) -> bytes:
    """The sample with a secret where its platform keeps secrets."""
    data = path.read_bytes()
    names = ("password", "userPassword", "SecretAccessKey", "token", "passwordHash", "privateKey")
    if path.suffix == ".json":

        def walk(value: Any) -> Any:
            if isinstance(value, dict):
                inner = {k: walk(v) for k, v in value.items()}
                tagged = inner.keys() <= {"Key", "Value"}
                return inner if tagged else inner | dict.fromkeys(names, PLANTED)
            return [walk(v) for v in value] if isinstance(value, list) else value

        found = json.loads(data)
        if isinstance(found, list):
            return json.dumps(walk(found)).encode()
        for item in found.get("items", ()):
            item["data"] = {"token": base64.b64encode(PLANTED.encode()).decode()}
        kept = {k: walk(v) if isinstance(v, list) else v for k, v in found.items()}
        return json.dumps(kept).encode()
    lines = data.decode("utf-8", "replace").splitlines()
    if path.suffix == ".ldif":
        coded = base64.b64encode(PLANTED.encode()).decode()
        secret = "\n".join(
            f"{n}: {PLANTED}\n{n}:: {coded}"
            for n in (
                "userPassword",
                "unicodePwd",
                "ms-Mcs-AdmPwd",
                "sambaNTPassword",
                "krbPrincipalKey",
            )
        )
        return "\n".join(
            f"{line}\n{secret}" if line.startswith("dn:") else line for line in lines
        ).encode() + b"\n"  # fmt: skip
    if path.suffix == ".csv":
        return "\n".join(
            line + "," + (",".join(names) if not at else ",".join([PLANTED] * len(names)))
            for at, line in enumerate(lines)
        ).encode() + b"\n"  # fmt: skip
    return data
