"""What every format of every connector must do, whatever its platform.

A sample is a file under `sample_data/<platform>/` or of the real data beside the checkout. Those
that carry a mapping (`<file>.toml`) are read by the generic formats. Formats whose shape is known
here also have a maker of exports of any size, for what samples cannot show.
"""

import base64
import io
import tomllib
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.exports import HOSTILE, MAKERS, PLANTED, keeps_the_model, made, parse, planted, spoiled

from passmuster import connectors, model
from passmuster.connectors import Context, Format
from passmuster.errors import ImportRefused, MusterError
from passmuster.model import Problem

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
    "aws/c7n-iam_role_inuse/*.json": "aws.roles.json",
    "aws/c7n-iam_role_tags/*.json": "aws.roles.json",
    "aws/cartography/aws_iam_roles.json": "aws.roles.json",
    "aws/cartography/aws_iam_access_keys.json": "aws.access_keys.json",
    "aws/c7n-user_credential_multi_delete/iam.ListAccessKeys_*.json": "aws.access_keys.json",
    "aws/c7n-user_credential_multi_delete/iam.ListUsers_1.json": "aws.users.json",
    "kubernetes/c7n-roles/roles.json": "kubernetes.rbac.json",
    "kubernetes/live-kube-prometheus/rbac.json": "kubernetes.rbac.json",
    "kubernetes/live-kube-prometheus/sa-token-secrets.json": "kubernetes.secrets.json",
    "kubernetes/kube-prometheus/*.yaml": "kubernetes.rbac.yaml",
    "ad/samba-flintstones.ldif": "ad.ldif",
    "ldap/389ds/Example-roles.ldif": "ldap.ldif",
    "entra/cartography/azure_rbac.json": "entra.role_assignments.json",
    "entra/cli-m365/app-list.json": "entra.applications.json",
    "entra/cli-m365/enterpriseapp-list.json": "entra.service_principals.json",
    "entra/cli-m365/oauth2grant-list.json": "entra.permissions.json",
    "entra/scubagear-sample/entra.json": "entra.scubagear.json",
    "gcp/c7n-*/*serviceAccounts_1.json": "gcp.service_accounts.json",
    "gcp/c7n-*/*actions@*.com_1.json": "gcp.service_accounts.json",
    "gcp/c7n-*/*-keys_1.json": "gcp.keys.json",
    "gcp/c7n-*/*-getIamPolicy_1.json": "gcp.iam_policy.json",
    "gcp/cai-*/assets.json": "gcp.assets.json",
    "gcp/cartography/gcp_apikeys.json": "gcp.keys.json",
    "gcp/cartography/gcp_iam.json": "gcp.assets.json",
    "okta/cartography/okta_adminroles.json": "okta.roles.json",
    "okta/openapi/api_v1_api-tokens.json": "okta.api_tokens.json",
    "okta/openapi/api_v1_apps_appId.json": "okta.apps.json",
    "okta/openapi/api_v1_apps_appId_credentials_secrets.json": "okta.client_credentials.json",
    "okta/openapi/oauth2_v1_clients_clientId_roles.json": "okta.roles.json",
    "ldap/docker-test-openldap/planetexpress.ldif": "ldap.ldif",
    "mariadb/global_priv.tsv": "mariadb.global_priv.tsv",
    "postgres/pg15-fresh-pg_roles.csv": "postgres.roles.csv",
    "postgres/pg15-fresh-pg_auth_members.csv": "postgres.members.csv",
    "postgres/pg15-fresh-roles.sql": "postgres.roles.sql",
    "github/octokit-openapi/*install*.json": "github.installations.json",
    "github/octokit-openapi/deploy-key-items.json": "github.deploy_keys.json",
    "github/octokit-openapi/oidc-custom-sub.json": "github.oidc_subject.json",
    "github/octokit-openapi/org-hook-items.json": "github.webhooks.json",
    "github/octokit-openapi/org-personal-access-tokens.json": "github.personal_access_tokens.json",
    "github/octokit-openapi/organization-actions*.json": "github.actions_secrets.json",
    "gitlab/go-gitlab/get_serviceaccounts.json": "gitlab.service_accounts.json",
    "gitlab/go-gitlab/list_*_tokens*.json": "gitlab.access_tokens.json",
    "terraform/driftctl/*.tfstate": "terraform.state.json",
    "spire/entries.json": "spire.entries.json",
    "ssh/rustcrypto/authorized_keys": "ssh.authorized_keys",
    "ssh/rustcrypto/*-cert*.pub": "ssh.certificates",
    "ssh/rustcrypto/id_ed25519.pub": "ssh.authorized_keys",
    "x509/cpython/*.pem": "x509.pem",
}


def context(sample: Path | None = None) -> Context:
    mapping = sample.with_name(f"{sample.name}.toml") if sample else None
    if mapping is not None and mapping.exists():
        return Context("sample", tomllib.loads(mapping.read_text()))
    if sample is not None and "ccess" in sample.name and REAL in sample.parents:
        return Context("644160558196")  # recorded keys do not say whose they are
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


every_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=list(FORMATS))
every_sample = pytest.mark.parametrize(
    ("fmt", "path"), samples() or [pytest.param(None, None, marks=pytest.mark.skip("no sample"))]
)


every_maker = pytest.mark.parametrize("name", MAKERS)


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
def test_no_format_takes_a_file_that_says_nothing(fmt: Format) -> None:
    for head in (b"", b"\0" * 64, b"{", b"[]", b"dn: ", b"\xff\xfe", b"a,b\n1,2"):
        assert not fmt.sniff(head), head


@every_format
def test_what_is_no_export_at_all_is_refused_or_a_problem(fmt: Format) -> None:
    for data in (b"", b"\0\0\0", b"{", b"[[[", b"\xff\xfe\xfd", b"%PDF-1.7\n"):
        try:
            records = parse(fmt, data)
        except MusterError:  # a generic format asks for its mapping first
            continue
        assert not [r for r in records if type(r) not in (Problem, model.Source)], data


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


# What only a made export can show.


@every_maker
def test_a_made_export_is_recognised_and_keeps_the_model(name: str) -> None:
    data = made(name, 9)
    assert connectors.recognise(data[: connectors.SNIFF_BYTES], "x").name == name
    keeps_the_model(parse(FORMATS[name], data))


@every_maker
def test_a_hostile_name_comes_out_visible_and_whole(name: str) -> None:
    for text in HOSTILE:
        records = parse(FORMATS[name], made(name, 3, called=f"svc{text}"))
        keeps_the_model(records)
        assert not [r for r in records if type(r) is Problem], text
        assert [r for r in records if "svc" in str(r)], text


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


@pytest.mark.ci
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
    assert peak(6_000) < peak(2_000) * 1.2 + 300_000
