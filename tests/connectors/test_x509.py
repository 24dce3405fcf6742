"""Certificates in PEM files: subjects, names and ends; keys beside them are seen and not read."""

import io
import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.exports import of
from tests.exports_keys import pem

from passmuster import connectors
from passmuster.connectors import Context
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Identity, Owner, Problem, Record, Sighting

REAL = Path(__file__).resolve().parents[2].parent / "shared/realdata/x509/cpython"
FORMAT = connectors.named("x509.pem")
KEY = "-----BEGIN PRIVATE KEY-----\nU0VDUkVU\n-----END PRIVATE KEY-----\n"


def read(data: str | bytes) -> list[Record]:
    raw = data.encode() if isinstance(data, str) else data
    return list(connectors.read(FORMAT, io.BytesIO(raw), Context("web1")))


def real() -> list[Path]:
    found = sorted(REAL.glob("*.pem"))
    if not found:
        pytest.skip("the certificates of CPython are not here")
    return found


def test_the_real_files_have_the_counts_of_their_readme() -> None:
    records = [r for path in real() for r in read(path.read_bytes())]
    held, subjects = of(records, Credential), of(records, Identity)
    assert (len(real()), len(held), len(subjects)) == (9, 9, 9)
    assert [i.display_name for i in subjects if i.kind == "system"] == [
        "our-ca-server", "self-signed.pythontest.net",
    ]  # fmt: skip
    assert len([c for c in held if (c.expires_at or "") < "2026-11-27"]) == 2
    assert of(records, Problem) == []


def test_a_real_certificate_says_what_openssl_says_of_it() -> None:
    for path in real():
        (held,) = of(read(path.read_bytes()), Credential)
        shown = subprocess.run(
            ["openssl", "x509", "-in", path, "-noout", "-serial", "-fingerprint", "-sha256",
             "-enddate", "-dateopt", "iso_8601"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert held.uid.removeprefix("sha256:") in shown.replace(":", "").lower()
        serial = shown.splitlines()[0].removeprefix("serial=").lower()
        assert f"(serial {serial.lstrip('0') or '0'})" in (held.display_name or "")
        assert f"notAfter={held.expires_at}".replace("T", " ") in shown


def test_a_name_with_a_nul_inside_is_shown_and_not_cut_at_it() -> None:
    path = REAL / "nullbytecert.pem"
    if not path.exists():
        pytest.skip("nullbytecert.pem is not here")
    (one,) = of(read(path.read_bytes()), Identity)
    assert one.display_name == r"null.python.org\x00example.org"
    assert r"altnull.python.org\x00example.com" in json.loads(one.attributes)["names"]
    assert json.loads(one.attributes)["weak"] == "signed with sha1"


def test_two_certificates_of_a_subject_are_one_identity() -> None:
    records = read(pem("a", serial=1) + pem("a", serial=2) + pem("a", serial=1))
    assert len(of(records, Identity)) == 1
    assert [c.display_name for c in of(records, Credential)] == ["a (serial 1)", "a (serial 2)"]


@pytest.mark.parametrize(
    ("about", "kind", "detail"),
    [
        ({}, "service", "x509.subject"), ({"is_ca": True}, "system", "x509.authority"),
        ({"names": ("spiffe://x/y",)}, "workload", "x509.subject"),
    ],
)  # fmt: skip
def test_the_kind_follows_from_what_it_is_for(
    about: dict[str, Any], kind: str, detail: str
) -> None:
    (one,) = of(read(pem("a", **about)), Identity)
    assert (one.kind, one.nhi_detail) == (kind, detail)


def test_a_certificate_without_a_subject_goes_by_its_first_name() -> None:
    (one,) = of(read(pem("", names=("a.example.com",))), Identity)
    assert (one.uid, one.display_name) == ("a.example.com", "a.example.com")


@pytest.mark.parametrize("before", [True, False])
def test_a_private_key_beside_a_certificate_is_a_sighting_and_is_not_read(before: bool) -> None:
    records = read(KEY + pem("a") if before else pem("a") + KEY)
    assert [(s.identity_uid, s.what) for s in of(records, Sighting)] == [("CN=a", "plain_text")]
    assert "U0VDUkVU" not in str(records)
    assert of(records, Problem) == []


@pytest.mark.parametrize(
    "key",
    ["-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
     "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n"
     "-----END RSA PRIVATE KEY-----\n"],
)  # fmt: skip
def test_a_key_with_a_passphrase_is_no_plain_text(key: str) -> None:
    assert of(read(key + pem("a")), Sighting) == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (KEY, "no certificate"), (pem("a")[:-5], "was cut"), (pem("a")[:80] + pem("b"), "no end"),
        ("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "list of revoked"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no certificate"),
    ],
    ids=["key", "cut", "two in one", "list", "garbage"],
)  # fmt: skip
def test_a_file_without_a_whole_certificate_is_refused(data: str, words: str) -> None:
    with pytest.raises(ImportRefused, match=words):
        read(data)


def test_files_put_together_without_a_newline_between_are_all_read() -> None:
    assert len(of(read(pem("a").rstrip() + pem("b").rstrip() + pem("c")), Credential)) == 3


def test_what_is_no_certificate_is_a_problem_and_the_rest_arrives() -> None:
    request = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"
    broken = "-----BEGIN CERTIFICATE-----\nAA!A\n-----END CERTIFICATE-----\n"
    records = read(f"text before\n{request}{broken}{pem('a')}text after\n")
    assert [p.line for p in of(records, Problem)] == [2, 5]
    assert len(of(records, Credential)) == 1


def test_an_address_in_it_is_weak_evidence_of_an_owner() -> None:
    sample = Path(__file__).parents[2] / "sample_data/x509/certificates.pem"
    records = read(sample.read_bytes())
    assert {(o.handle, o.role) for o in of(records, Owner)} == {
        ("billing-team@example.com", "technical"), ("jo.berg@example.com", "technical"),
    }  # fmt: skip
    assert {i.display_name: i.kind for i in of(records, Identity)} == {
        "Example Corp Internal CA": "system", "api.example.com": "service",
        "svc-billing": "service", "payments": "workload", "Jo Berg": "human",
    }  # fmt: skip
    assert [json.loads(i.attributes).get("weak") for i in of(records, Identity)].count(
        "1024 bits are too few"
    ) == 1


def dossier(**held: Any) -> dict[str, Any]:
    credential = {"uid": "sha256:1", "display_name": "a (serial abc)", "expires_at": None,
                  "created_by": "CN=$(id)'"} | held  # fmt: skip
    return {"source": {"platform": "x509"}, "credentials": [credential],
            "identity": {"uid": "CN=a", "nhi_detail": "x509.subject"}}  # fmt: skip


def test_revoking_is_for_good_and_says_what_goes_on() -> None:
    (plan,) = connectors.plan(dossier(), "revoke")
    assert (plan.undo_class, plan.undo, plan.act) == ("R3", (), None)
    assert '"$CA_DIR/newcerts/0ABC.pem"' in plan.stop[0]
    assert "until" in plan.residual
    assert "issuer: CN=$(id)'" in shlex.split(plan.stop[0].replace(";", " ;"))
    assert connectors.plan(dossier(), "disable") == []
    assert connectors.plan(dossier(display_name="a"), "revoke") == []
    assert len(connectors.plan(dossier(), "revoke", "sha256:1")) == 1
    assert connectors.plan(dossier(), "revoke", "sha256:2") == []
    root = dossier()
    root["identity"]["nhi_detail"] = "x509.root"
    assert connectors.plan(root, "revoke") == []


CA = """
[ca]
default_ca = own
[own]
dir = {0}
database = {0}/index.txt
new_certs_dir = {0}/newcerts
serial = {0}/serial
certificate = {0}/ca.pem
private_key = {0}/ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
[any]
commonName = supplied
"""


def test_after_the_lines_of_the_plan_openssl_refuses_the_certificate(tmp_path: Path) -> None:
    """A real authority of OpenSSL: issue, read, revoke by the plan's lines, be refused."""

    def run(words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["sh", "-c", words], check=check, capture_output=True, text=True, cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "CA_CONF": "ca.cnf", "CA_DIR": str(tmp_path)},
            timeout=60,
        )  # fmt: skip

    (tmp_path / "ca.cnf").write_text(CA.format(tmp_path))
    (tmp_path / "newcerts").mkdir()
    (tmp_path / "index.txt").touch()
    (tmp_path / "serial").write_text("0ABC\n")
    new = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    run(f"{new} -x509 -keyout ca.key -out ca.pem -subj /CN=authority -days 30")
    run(f"{new} -keyout one.key -out one.csr -subj /CN=one")
    run("openssl ca -config ca.cnf -batch -in one.csr -out one.pem")
    run("openssl ca -config ca.cnf -gencrl -out crl.pem")
    verify = "openssl verify -crl_check -CAfile ca.pem -CRLfile crl.pem one.pem"
    assert run(verify).stdout == "one.pem: OK\n"
    records = read((tmp_path / "one.pem").read_bytes())
    (held,), (one,) = of(records, Credential), of(records, Identity)
    (plan,) = connectors.plan({
        "source": {"platform": "x509"}, "identity": one._asdict(), "credentials": [held._asdict()],
    }, "revoke", held.uid)  # fmt: skip
    for line in plan.stop:
        run(line)
    refused = run(verify, check=False)
    assert refused.returncode != 0
    assert "certificate revoked" in refused.stderr
