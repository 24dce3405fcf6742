"""What every format of every connector must do, whatever its platform.

A sample is a file under `sample_data/<platform>/` or of the real data beside the checkout. Those
that carry a mapping (`<file>.toml`) are read by the generic formats. Formats whose shape is known
here also have a maker of exports of any size, for what samples cannot show.
"""

import base64
import csv
import io
import json
import re
import tomllib
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from passmuster import connectors, model
from passmuster.connectors import Context, Format
from passmuster.errors import ImportRefused, MusterError
from passmuster.model import Problem, Record

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_data"
REAL = ROOT.parent / "shared" / "realdata"
FORMATS = connectors.formats()
REAL_OURS = {
    "aws/c7n-multi/credential-report.csv": "aws.credential_report.csv",
    "aws/c7n-multi-noop/credential-report.csv": "aws.credential_report.csv",
    "aws/c7n-unused/credential-report.csv": "aws.credential_report.csv",
    "aws/cloudsplaining-test/authz-details.json": "aws.authorization_details.json",
    "aws/iamspy/basic-allow.json": "aws.authorization_details.json",
    "aws/iamspy/batch-allow.json": "aws.authorization_details.json",
    "kubernetes/c7n-roles/roles.json": "kubernetes.rbac.json",
    "kubernetes/live-kube-prometheus/rbac.json": "kubernetes.rbac.json",
    "kubernetes/live-kube-prometheus/sa-token-secrets.json": "kubernetes.secrets.json",
    "kubernetes/kube-prometheus/*.yaml": "kubernetes.rbac.yaml",
    "ad/samba-flintstones.ldif": "ad.ldif",
    "ldap/389ds/Example-roles.ldif": "ldap.ldif",
    "ldap/docker-test-openldap/planetexpress.ldif": "ldap.ldif",
}
HOSTILE = (
    "\x1b[2J", "\x1b]52;c;cm0=\x07", "\u202egnp.exe", "[/]x", "nul\0nul", "a\u200bb", "l1\nl2\r",
    "'; DROP TABLE identity; --", "$(reboot)", "\u2066x\u2069",
)  # fmt: skip
PLANTED = "PLANTED-s3cr3t-VALUE"
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
ACCOUNT = "111122223333"


def context(sample: Path | None = None) -> Context:
    mapping = sample.with_name(f"{sample.name}.toml") if sample else None
    if mapping is not None and mapping.exists():
        return Context("sample", tomllib.loads(mapping.read_text()))
    return Context("sample")


def is_export(path: Path) -> bool:
    return path.is_file() and path.suffix not in (".toml", ".md", ".txt", ".py")


def shipped() -> list[Path]:
    platforms = {name.split(".")[0] for name in FORMATS} | {"registers"}
    return [
        path
        for folder in sorted(SAMPLES.glob("*"))
        if folder.name in platforms
        for path in sorted(folder.rglob("*"))
        if is_export(path)
    ]


def sample_format(path: Path) -> Format:
    if path.with_name(f"{path.name}.toml").exists():
        return FORMATS["generic.jsonl" if "json" in path.suffix else "generic.csv"]
    return connectors.recognise(path.read_bytes()[: connectors.SNIFF_BYTES], path.name)


def samples() -> list[Any]:
    found = [(sample_format(p), p, str(p.relative_to(ROOT))) for p in shipped()]
    for pattern, name in REAL_OURS.items():
        paths = sorted(REAL.glob(pattern))
        found += [(FORMATS[name], p, f"real/{p.relative_to(REAL)}") for p in paths]
    return [pytest.param(fmt, path, id=label) for fmt, path, label in found]


def parse(fmt: Format, data: bytes, given: Context | None = None) -> list[Record]:
    return list(connectors.read(fmt, io.BytesIO(data), given or context()))


every_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=list(FORMATS))
every_sample = pytest.mark.parametrize(
    ("fmt", "path"), samples() or [pytest.param(None, None, marks=pytest.mark.skip("no sample"))]
)


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
    "kubernetes.rbac.json": make_rbac,
    "kubernetes.rbac.yaml": make_yaml,
    "kubernetes.secrets.json": make_secrets,
    "kubernetes.pods.json": make_pods,
}
every_maker = pytest.mark.parametrize("name", MAKERS)


def made(name: str, n: int, called: str = "svc", secret: str = "", bad: bool = False) -> bytes:
    return MAKERS[name](n, called, secret, bad)


# What is true of a format by itself.


@every_format
def test_a_format_names_itself_its_command_and_known_columns(fmt: Format) -> None:
    assert FORMATS[fmt.name] is fmt
    assert fmt.title
    assert fmt.howto
    assert set(fmt.covers) <= set(model.Identity._fields)
    assert set(fmt.supplies) <= {
        "usage", "credential", "grant", "trust", "consumer", "person_use", "auth", "automation",
        "sighting", "person", "supplier", "environment", "owner",
    }  # fmt: skip


@every_format
@pytest.mark.parametrize("head", [b"", b"\0" * 64, b"{", b"[]", b"dn: ", b"\xff\xfe", b"a,b\n1,2"])
def test_no_format_takes_a_file_that_says_nothing(fmt: Format, head: bytes) -> None:
    assert not fmt.sniff(head)


@every_format
@pytest.mark.parametrize("data", [b"", b"\0\0\0", b"{", b"[[[", b"\xff\xfe\xfd", b"%PDF-1.7\n"])
def test_what_is_no_export_at_all_is_refused_or_a_problem(fmt: Format, data: bytes) -> None:
    try:
        records = parse(fmt, data)
    except MusterError:  # a generic format asks for its mapping first
        return
    assert not [r for r in records if type(r) not in (Problem, model.Source)]


# What is true of every sample.


@pytest.mark.parametrize("path", shipped() or [pytest.param(None, marks=pytest.mark.skip("none"))])
def test_every_shipped_sample_is_of_exactly_one_format(path: Path) -> None:
    assert sample_format(path)


@pytest.mark.parametrize("pattern", REAL_OURS)
def test_every_real_file_is_recognised_by_its_content(pattern: str) -> None:
    paths = sorted(REAL.glob(pattern))
    if not paths:
        pytest.skip(f"{pattern} is not here")
    for path in paths:
        head = path.read_bytes()[: connectors.SNIFF_BYTES]
        assert connectors.recognise(head, path.name).name == REAL_OURS[pattern]


@every_sample
def test_no_other_format_takes_the_sample(fmt: Format, path: Path) -> None:
    head = path.read_bytes()[: connectors.SNIFF_BYTES]
    assert {f.name for f in FORMATS.values() if f.sniff(head)} <= {fmt.name}


@every_sample
def test_a_sample_read_twice_gives_equal_records_that_keep_the_model(
    fmt: Format, path: Path
) -> None:
    data = path.read_bytes()
    records = parse(fmt, data, context(path))
    assert records == parse(fmt, data, context(path))
    assert [r for r in records if type(r) not in (Problem, model.Source)]
    keeps_the_model(records)


@every_sample
def test_a_sample_that_arrives_in_small_pieces_gives_the_same_records(
    fmt: Format, path: Path
) -> None:
    class Trickle(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(997 if size is None or size < 0 else min(size, 997))

    data = path.read_bytes()
    stream = Trickle(data)
    assert list(connectors.read(fmt, stream, context(path))) == parse(fmt, data, context(path))


@every_sample
def test_a_truncated_sample_is_refused_or_read_as_far_as_it_goes(fmt: Format, path: Path) -> None:
    data = path.read_bytes().rstrip()
    for cut in {len(data) * part // 23 for part in range(1, 23)} | {len(data) - 1, len(data) - 2}:
        try:
            records = parse(fmt, data[:cut], context(path))
        except ImportRefused:
            continue
        assert path.suffix != ".json", f"cut at {cut} and nobody noticed"
        keeps_the_model(records)


@every_sample
def test_hostile_text_in_a_sample_comes_out_visible(fmt: Format, path: Path) -> None:
    for text in HOSTILE:
        try:
            records = parse(fmt, spoiled(path, text), context(path))
        except ImportRefused:
            continue
        keeps_the_model(records)


@every_sample
def test_a_secret_planted_in_a_sample_is_in_no_record(fmt: Format, path: Path) -> None:
    try:
        records = parse(fmt, planted(path), context(path))
    except ImportRefused:
        return
    assert PLANTED not in str(records)
    assert base64.b64encode(PLANTED.encode()).decode() not in str(records)


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
        for item in found.get("items", ()):
            item["data"] = {"token": base64.b64encode(PLANTED.encode()).decode()}
        kept = {k: walk(v) if isinstance(v, list) else v for k, v in found.items()}
        return json.dumps(kept).encode()
    lines = data.decode("utf-8", "replace").splitlines()
    if path.suffix == ".ldif":
        coded = base64.b64encode(PLANTED.encode()).decode()
        secret = "\n".join(f"{n}: {PLANTED}\n{n}:: {coded}" for n in (
            "userPassword", "unicodePwd", "ms-Mcs-AdmPwd", "sambaNTPassword", "krbPrincipalKey"))
        return "\n".join(
            f"{line}\n{secret}" if line.startswith("dn:") else line for line in lines
        ).encode() + b"\n"  # fmt: skip
    if path.suffix == ".csv":
        return "\n".join(
            line + "," + (",".join(names) if not at else ",".join([PLANTED] * len(names)))
            for at, line in enumerate(lines)
        ).encode() + b"\n"  # fmt: skip
    return data


# What only a made export can show.


@every_maker
def test_a_made_export_is_recognised_and_keeps_the_model(name: str) -> None:
    data = made(name, 9)
    assert connectors.recognise(data[: connectors.SNIFF_BYTES], "x").name == name
    keeps_the_model(parse(FORMATS[name], data))


@every_maker
@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_comes_out_visible_and_whole(name: str, text: str) -> None:
    records = parse(FORMATS[name], made(name, 3, called=f"svc{text}"))
    keeps_the_model(records)
    assert not [r for r in records if type(r) is Problem]
    assert [r for r in records if "svc" in str(r)]


@every_maker
def test_a_planted_secret_is_in_no_record(name: str) -> None:
    assert PLANTED not in str(parse(FORMATS[name], made(name, 5, secret=PLANTED)))


@every_maker
def test_a_broken_entry_is_one_problem_and_the_rest_arrives(name: str) -> None:
    good = Counter(type(r) for r in parse(FORMATS[name], made(name, 8)))
    found = parse(FORMATS[name], made(name, 8, bad=True))
    problems = [r for r in found if type(r) is Problem]
    assert len(problems) == 1
    assert problems[0].line
    assert Counter(type(r) for r in found if type(r) is not Problem) == good


@every_maker
def test_every_cut_of_a_json_export_is_refused(name: str) -> None:
    if not name.endswith(".json"):
        pytest.skip("only JSON says where it ends")
    data = made(name, 3)
    for cut in range(1, len(data)):
        with pytest.raises(ImportRefused):
            parse(FORMATS[name], data[:cut])


@every_maker
def test_memory_does_not_grow_with_the_file(name: str, tmp_path: Path) -> None:
    if name.endswith(".yaml"):
        pytest.skip("YAML is read whole, up to a limit")

    def peak(n: int) -> int:
        path = tmp_path / str(n)
        path.write_bytes(made(name, n))
        with path.open("rb") as stream:
            tracemalloc.start()
            for _ in connectors.read(FORMATS[name], stream, context()):
                pass
            found = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return found

    peak(10)
    assert peak(16_000) < peak(4_000) * 1.2 + 500_000
