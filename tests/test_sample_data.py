"""The sample data: what its README promises, held by the connectors themselves."""

import json
import re
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest

from passmuster import connectors
from passmuster.connectors import Context
from passmuster.model import (
    Credential,
    Entitlement,
    Grant,
    Identity,
    Owner,
    Person,
    Problem,
    Record,
    Sighting,
    Source,
    Supplier,
    Team,
    Trust,
    Usage,
)  # fmt: skip

SAMPLES = Path(__file__).resolve().parents[1] / "sample_data"
STEPS: list[dict[str, str]] = tomllib.loads((SAMPLES / "demo.toml").read_text("utf-8"))["import"]
T = TypeVar("T")


@cache
def read(file: str) -> tuple[Record, ...]:
    step = next(s for s in STEPS if s["file"] == file)
    path = SAMPLES / file
    mapping: dict[str, Any] = {}
    if "mapping" in step:
        mapping = tomllib.loads((SAMPLES / step["mapping"]).read_text("utf-8"))
    head = path.read_bytes()[: connectors.SNIFF_BYTES]
    fmt = connectors.named(step["as"]) if "as" in step else connectors.recognise(head, path.name)
    with path.open("rb") as stream:
        return tuple(connectors.read(fmt, stream, Context(step.get("source"), mapping)))


def of(kind: type[T], file: str | None = None) -> list[T]:
    files = [file] if file else [step["file"] for step in STEPS]
    return [r for f in files for r in read(f) if isinstance(r, kind)]


def identities() -> list[Identity]:
    """Those that can authenticate, once each."""
    found = {i.uid: i for step in STEPS for i in of(Identity, step["file"])}
    return [i for i in found.values() if i.kind != "group"]


LEFT_OUT = "muster/dossiers.jsonl"
"""What a reviewer elsewhere gets: the demo has the identities themselves."""
BESIDE = (
    "github", "gitlab", "terraform", "spire", "mcp", "baton", "anthropic", "ssh", "x509",
    "postgres", "mariadb", "openbao", "redis", "rabbitmq",
)  # fmt: skip
"""Platforms whose samples are there to try an import with; the demo leaves them out."""


def test_every_file_is_imported_by_the_demo_and_told_of_in_the_readme() -> None:
    readme = (SAMPLES / "README.md").read_text("utf-8")
    named = {s["file"] for s in STEPS} | {s["mapping"] for s in STEPS if "mapping" in s}
    there = {
        str(p.relative_to(SAMPLES)) for p in SAMPLES.rglob("*")
        if p.is_file() and p.parent != SAMPLES
    }  # fmt: skip
    beside = {file for file in there if file.startswith(tuple(f"{of}/" for of in BESIDE))}
    assert there - beside == named | {LEFT_OUT}
    for file in beside:
        assert f"`{file}`" in readme
    assert f"`{LEFT_OUT}`" in readme
    for step in STEPS:
        assert f"`{step['file']}`" in readme


def test_every_format_that_muster_reads_has_a_sample() -> None:
    used = set()
    for step in STEPS:
        head = (SAMPLES / step["file"]).read_bytes()[: connectors.SNIFF_BYTES]
        used.add(step.get("as") or connectors.recognise(head, step["file"]).name)
    brought = {"muster.dossiers.jsonl"}  # by a campaign that travels, not by an import of one's own
    for path in SAMPLES.rglob("*"):
        if path.is_file() and path.parent.name in BESIDE:
            brought.add(connectors.recognise(path.read_bytes(), path.name).name)
    assert used | brought == set(connectors.formats())


def test_there_are_about_four_hundred_identities() -> None:
    assert 350 <= len(identities()) <= 450


def test_nothing_in_it_is_unreadable() -> None:
    assert [p for step in STEPS for p in of(Problem, step["file"])] == []


def test_one_user_stands_twice_in_the_credential_report() -> None:
    arns = Counter(i.uid for i in of(Identity, "aws/credential-report.csv"))
    assert [uid.rsplit("/")[-1] for uid, n in arns.items() if n > 1] == ["report-bot"]


def test_a_leaver_has_keys_that_are_still_used() -> None:
    gone = {p.email: p.left_at for p in of(Person, "registers/people.csv") if not p.active}
    theirs = {o.identity_uid: gone[o.handle] for o in of(Owner) if o.handle in gone}
    used = [
        c for c in of(Credential, "aws/credential-report.csv")
        if c.status == "enabled" and c.identity_uid in theirs
        and (c.last_used_at or "") > str(theirs[c.identity_uid])
    ]  # fmt: skip
    assert used


def test_one_team_is_called_by_several_names() -> None:
    (team,) = [t for t in of(Team) if t.display_name == "Platform"]
    called = {o.handle for o in of(Owner)} & set(json.loads(team.aliases))
    assert len(called) >= 2


def test_the_trust_of_a_supplier_that_is_gone_is_still_there() -> None:
    gone = {t for s in of(Supplier) if not s.active for t in json.loads(s.tenant_uids)}
    (trust,) = [t for t in of(Trust) if t.from_uid in gone]
    assert "no sts:ExternalId" in str(trust.condition)


def test_a_github_role_is_open_to_every_repository() -> None:
    (trust,) = [
        t for t in of(Trust, "aws/account-authorization-details.json")
        if t.is_wildcard and t.from_kind == "oidc_issuer"
    ]  # fmt: skip
    assert trust.subject_pattern == "repo:example-org/*"


def test_service_accounts_are_bound_nowhere() -> None:
    bound = {g.principal_uid for g in of(Grant, "kubernetes/rbac.json")}
    loose = {
        i.display_name for i in of(Identity, "kubernetes/rbac.json")
        if i.kind == "workload" and not {i.uid, i.uid_alt} & bound
    }  # fmt: skip
    assert {"prod-shop/legacy-importer", "prod-data/old-hadoop-bridge"} <= loose


def test_one_role_has_five_thousand_grants_in_a_small_file() -> None:
    most = Counter(g.principal_uid for g in of(Grant)).most_common(1)
    assert most == [("REPORTING_ALL", 5000)]
    assert sum(p.stat().st_size for p in SAMPLES.rglob("*") if p.is_file()) < 700_000


def test_a_hostile_name_is_in_it_and_harmless_once_read() -> None:
    raw = (SAMPLES / "generic/saas-keys.csv").read_bytes()
    assert b"\x1b]52;" in raw
    assert "\u202e".encode() in raw
    (name,) = [i.display_name for i in of(Identity) if "[bold red]" in i.display_name]
    assert name.isprintable()
    assert "\\x1b]52;" in name
    assert "\\u202e" in name


def test_an_agent_has_neither_owner_nor_purpose() -> None:
    owned = {o.identity_uid for o in of(Owner)}
    assert [i.display_name for i in identities()
            if i.kind == "agent" and not i.purpose and i.uid not in owned] == [
        "refund-copilot"
    ]  # fmt: skip


def test_a_key_has_leaked_and_another_is_younger_than_its_leak() -> None:
    seen = {s.identity_uid: s for s in of(Sighting, "generic/secret-scan.csv")}
    keys = {c.identity_uid: c for c in of(Credential, "aws/credential-report.csv")}
    after = {
        uid.rsplit("/")[-1]: str(keys[uid].created_at) > str(s.seen_at)
        for uid, s in seen.items() if uid in keys
    }  # fmt: skip
    assert after["ci-deploy"] is False
    assert after["svc-price-feed"] is True


def test_an_identity_is_used_in_production_and_in_staging_and_others_are_shared() -> None:
    where: dict[str, set[str]] = {}
    consumers: Counter[str] = Counter()
    for usage in of(Usage, "generic/key-usage.csv"):
        where.setdefault(usage.identity_uid, set()).add(str(usage.environment))
        consumers[usage.identity_uid] += usage.consumer_kind != "person"
    assert [w for w in where.values() if {"prod", "staging"} <= w]
    assert [n for n in consumers.values() if n > 1]
    assert [u for u in of(Usage, "generic/key-usage.csv") if u.consumer_kind == "person"]


def test_the_directory_has_an_account_that_can_be_roasted_for_good() -> None:
    (found,) = [i for i in of(Identity, "ad/corp.ldif") if i.display_name == "svc-sql-prod"]
    about = json.loads(found.attributes)
    assert about["servicePrincipalName"]
    assert "password never expires" in about["flags"]
    admin = {e.uid for e in of(Entitlement, "ad/corp.ldif") if e.permission_level == "admin"}
    grants = of(Grant, "ad/corp.ldif")
    mine = {g.entitlement_uid for g in grants if g.principal_uid == found.uid_alt}
    assert mine & admin
    details = Counter(i.nhi_detail for i in of(Identity, "ad/corp.ldif"))
    assert details["ad.gmsa"] == 3


def test_an_admin_signs_in_without_a_second_factor() -> None:
    (anna,) = [i for i in of(Identity, "aws/credential-report.csv") if "anna" in i.display_name]
    assert anna.has_mfa == 0


def test_names_and_accounts_are_those_reserved_for_examples() -> None:
    files = [SAMPLES / step["file"] for step in STEPS]
    for path in [*files, *(p for of in BESIDE for p in (SAMPLES / of).iterdir())]:
        # OpenSSH calls its own algorithms by a name with its domain
        text = path.read_text("utf-8").replace("v01@openssh.com", "")
        for domain in re.findall(r"@([a-z0-9.-]+\.[a-z]{2,})", text):
            google = re.fullmatch(r"example-\w+\.iam\.gserviceaccount\.com", domain)
            assert google or re.search(r"(?:^|\.)example\.(?:com|org)$", domain), domain
        assert not re.search(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", text)


def test_the_sources_are_told_apart() -> None:
    platforms = Counter(s.platform for s in set(of(Source)))
    assert platforms["kubernetes"] == 2
    assert {"aws", "ad", "ldap", "saas", "agents", "warehouse", "register"} <= set(platforms)


@pytest.mark.parametrize("step", STEPS, ids=lambda s: s["file"])
def test_dates_are_fixed_and_not_in_the_future_of_the_estate(step: dict[str, str]) -> None:
    for record in read(step["file"]):
        for name in ("created_at", "last_used_at", "last_rotated_at", "last_at", "seen_at"):
            value = getattr(record, name, None)
            assert value is None or "2017-01-01" <= value < "2026-12-01", record
