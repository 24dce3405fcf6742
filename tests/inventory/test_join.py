"""Both ends of a trust are tied across sources, whichever comes first, and never by a guess."""

from collections.abc import Callable, Iterable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from passmuster import campaigns, connectors, inventory
from passmuster.campaigns import _links
from passmuster.cli import dossier_text
from passmuster.connectors import Context, Format
from passmuster.inventory import _join
from passmuster.model import Credential, Entitlement, Grant, Identity, Record, Source, Trust, Usage
from passmuster.store import Database
from passmuster.text import Json
from passmuster.tui.dossier import dossier_lines
from passmuster.tui.lines import plain
from passmuster.tui.sections import View
from tests.conftest import REPOSITORY
from tests.estates import ME, NOW

GITHUB = "token.actions.githubusercontent.com"
EKS = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"
ROLE = "arn:aws:iam::111122223333:role/deploy"
GSA = "runner@proj.iam.gserviceaccount.com"
APP = "0f0f0f0f-1111-4222-8333-444455556666"
Bring = Callable[[Iterable[Record]], None]


def account(uid: str, **more: Any) -> Identity:
    more = {"uid_alt": None, "kind": "service", "status": "enabled", "line": 1, **more}
    return Identity(uid, display_name=more.pop("name", uid), **more)


def aws(*trusts: Trust, role: str = ROLE) -> list[Record]:
    return [
        Source("aws", "111122223333", "aws-prod"), account(role, kind="role", name="deploy"),
        Entitlement("admin", "AdministratorAccess", permission_level="admin"),
        Grant(role, "admin"), *trusts,
    ]  # fmt: skip


def oidc(issuer: str, subject: str | None) -> Trust:
    return Trust(ROLE, issuer, "oidc_issuer", "federated_credential", None, subject)


def repository(name: str) -> Identity:
    return account(f"R_{name}", name=name, handle=f"https://{GITHUB}#repo:{name}")


def cluster(name: str, assumes: str | None = ROLE, called: str = "pay:runner") -> list[Record]:
    uid = f"{name}-1"
    claim = [Trust(assumes, uid, "workload", "workload_identity")] if assumes else []
    return [
        Source("kubernetes", name), account(uid, uid_alt=f"system:serviceaccount:{called}",
                                            name=called.replace(":", "/"), kind="workload"),
        Credential(uid, "t1", "token", "k8s.sa_token_secret", status="enabled"),
        Usage(uid, "pay/Deployment/runner", "workload"), *claim,
    ]  # fmt: skip


@pytest.fixture
def bring(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bring:
    def bring(records: Iterable[Record]) -> None:
        made = list(records)
        name = f"tests.{made[0].platform}"  # type: ignore[union-attr]
        form = Format(name, "rows", lambda _: True, lambda *_: iter(made), "none",
                      covers=("display_name", "handle", "uid_alt"))  # fmt: skip
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.txt"
        path.write_text(path.name)
        monkeypatch.setattr(connectors, "named", lambda _: form)
        inventory.import_file(db, path, now=NOW, by=ME, format_name=name)

    return bring


def tied(db: Database) -> set[tuple[str, str]]:
    """(who, becomes whom) as the dossiers of both ends tell it; they must agree."""
    names = dict(db.execute("SELECT id, display_name FROM identity WHERE absent_since IS NULL"))
    ins: set[tuple[str, str]] = set()
    outs: set[tuple[str, str]] = set()
    for identity_id, dossier in campaigns.dossiers(db, list(names)):
        for row in dossier.get("links", ()):
            pair = (row["display_name"], names[identity_id])
            (ins if row["direction"] == "in" else outs).add(
                pair if row["direction"] == "in" else pair[::-1]
            )
    assert ins == outs
    return ins


def dossier(db: Database, name: str) -> Json:
    found = db.value("SELECT id FROM identity WHERE display_name = ?", (name,))
    return next(campaigns.dossiers(db, [found]))[1]


PLATFORMS: dict[str, tuple[list[Record], list[Record], tuple[str, str]]] = {
    "GitHub OIDC in a role's policy": (
        aws(oidc(GITHUB, "repo:org/app:ref:refs/heads/main")),
        [Source("github", "org"), repository("org/app"), repository("org/other")],
        ("org/app", "deploy"),
    ),
    "IRSA: the annotation and the policy": (
        aws(oidc(EKS, "system:serviceaccount:pay:runner")), cluster("eu"), ("pay/runner", "deploy"),
    ),
    "an ARN in another account": (
        aws(Trust(ROLE, "arn:aws:iam::999988887777:role/ci", "account", "assume_role")),
        [Source("aws", "999988887777"), account("arn:aws:iam::999988887777:role/ci", name="ci")],
        ("ci", "deploy"),
    ),
    "workload identity of Google": (
        [Source("gcp", "proj"), account("1234", uid_alt=GSA, name="gsa"),
         Trust(GSA, "proj.svc.id.goog[pay/runner]", "workload", "workload_identity")],
        cluster("eu", GSA), ("pay/runner", "gsa"),
    ),
    "federated credential of Entra for a repository": (
        [Source("entra", "t1"), account("obj1", external_id=APP, name="app"),
         Trust("obj1", f"https://{GITHUB}", "oidc_issuer", "federated_credential", None,
               "repo:org/app:environment:prod")],
        [Source("github", "org"), repository("org/app")], ("org/app", "app"),
    ),
    "workload identity of Azure by client id": (
        [Source("entra", "t1"), account("obj1", external_id=APP, name="app")],
        cluster("eu", APP), ("pay/runner", "app"),
    ),
    "SPIFFE id behind an issuer": (
        aws(oidc("oidc.spire.example.com", "spiffe://example.org/ns/pay/api")),
        [Source("spire", "example.org"), account("spiffe://example.org/ns/pay/api", name="api")],
        ("api", "deploy"),
    ),
    "issuer and subject in one": (
        aws(Trust(ROLE, f"https://{EKS}#system:serviceaccount:pay:runner", "workload",
                  "workload_identity")),
        [Source("kubernetes", "eu"),
         account("k1", name="runner", handle=f"https://{EKS}#system:serviceaccount:pay:runner")],
        ("runner", "deploy"),
    ),
    "what Terraform says it made, by ARN": (
        aws(), [Source("terraform", "prod"), account("state:prod", name="prod state"),
                Trust(ROLE, "state:prod", "workload", "management")], ("prod state", "deploy"),
    ),
    "impersonation by a Google service account": (
        [Source("gcp", "proj"), account("1234", uid_alt=GSA, name="gsa"),
         Trust(GSA, "serviceAccount:ci@other.iam.gserviceaccount.com", "account",
               "impersonation")],
        [Source("gcp", "other"), account("99", uid_alt="ci@other.iam.gserviceaccount.com",
                                         name="ci")], ("ci", "gsa"),
    ),
    "SPIFFE ids by a pattern": (
        aws(oidc("oidc.spire.example.com", "spiffe://example.org/ns/pay/*")),
        [Source("spire", "example.org"), account("e1", uid_alt="spiffe://example.org/ns/pay/api",
                                                 name="api")], ("api", "deploy"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("case", PLATFORMS)
def test_both_ends_are_tied_in_either_order_of_import(
    db: Database, bring: Bring, case: str, turned: bool
) -> None:
    one, other, pair = PLATFORMS[case]
    for records in (other, one) if turned else (one, other):
        bring(records)
    assert tied(db) == {pair}


@pytest.mark.parametrize(("subject", "who"), [
    ("repo:org/*", {"org/app", "org/b[1]"}),
    ("repo:org/a*:ref:refs/heads/*", {"org/app"}),
    ("repo:org/ap?:*", {"org/app"}),
    ("repo:org/app:*, repo:org2/x:pull_request", {"org/app", "org2/x"}),
    ("repo:org/b[1]:*", {"org/b[1]"}),
    ("repo:org/b[1]*", {"org/b[1]"}),
    ("repo:org:*", set()),
    ("repo:*", set()),
    ("*", set()),
    (None, set()),
    ("repo:ORG/app:*", set()),
    ("repo:org/app2:*", set()),
])  # fmt: skip
def test_a_subject_is_followed_as_far_as_it_says_and_no_farther(
    db: Database, bring: Bring, subject: str | None, who: set[str]
) -> None:
    bring([Source("github", "org"), *map(repository, ("org/app", "org/b[1]", "org2/x"))])
    bring(aws(oidc(GITHUB, subject)))
    assert tied(db) == {(name, "deploy") for name in who}


@pytest.mark.parametrize("order", permutations(range(3)))
def test_of_two_clusters_with_the_same_account_the_one_that_says_so_is_meant(
    db: Database, bring: Bring, order: tuple[int, ...]
) -> None:
    steps = [aws(oidc(EKS, "system:serviceaccount:pay:runner")), cluster("eu"), cluster("us", None)]
    for step in order:
        bring(steps[step])
    assert [(r["source"], r["said_by"]) for r in dossier(db, "deploy")["links"]] == [
        ("kubernetes:eu", "both")
    ]


def test_a_plain_uid_is_never_tied_to_another_source(db: Database, bring: Bring) -> None:
    bring([Source("a", "1"), account("admin", name="a-admin"), account("x"),
           Trust("x", "root", "account", "delegation"),
           Trust("backup", "x", "account", "delegation")])  # fmt: skip
    bring([Source("b", "1"), account("root", name="b-root"), account("backup", name="b-backup")])
    assert tied(db) == set()


def test_a_claim_is_no_trust_of_the_platform_and_makes_no_approval_stale(
    db: Database, bring: Bring
) -> None:
    bring(aws())
    before = dossier(db, "deploy")
    bring(cluster("eu"))
    after = dossier(db, "deploy")
    assert after["trusts"] == []
    assert campaigns.material(after) == campaigns.material(before)
    assert [(r["display_name"], r["said_by"]) for r in after["links"]] == [
        ("pay/runner", "consumer")
    ]
    assert "links" not in before, "without any, a dossier is as it always was"


def test_the_chain_goes_on_to_what_is_behind_and_says_what_it_holds(
    db: Database, bring: Bring
) -> None:
    hop = "arn:aws:iam::999988887777:role/hop"
    bring(aws(Trust(ROLE, hop, "account", "assume_role")))
    bring([Source("aws", "999988887777"), account(hop, name="hop", kind="role"),
           Trust(hop, GITHUB, "oidc_issuer", "federated_credential", None, "repo:org/app:*"),
           Trust(hop, hop, "account", "assume_role")])  # fmt: skip
    bring([Source("github", "org"), repository("org/app"),
           Usage("R_org/app", "ci.yml", "workload")])  # fmt: skip
    rows = dossier(db, "deploy")["links"]
    assert [(r["display_name"], r["through"], r["used_by"]) for r in rows] == [
        ("hop", None, 0), ("org/app", "hop", 1),
    ]  # fmt: skip
    out = dossier(db, "org/app")["links"]
    assert [(r["display_name"], r["through"], r["privilege_reason"]) for r in out] == [
        ("hop", None, None), ("deploy", "hop", "AdministratorAccess"),
    ]  # fmt: skip


def test_what_code_makes_is_told_as_that_and_as_no_claim(db: Database, bring: Bring) -> None:
    other = "arn:aws:iam::999988887777:role/other"
    bring([Source("terraform", "prod"), account("aws_iam_role/deploy", name="tf", uid_alt=ROLE),
           Trust(ROLE, "aws_iam_role/deploy", "workload", "management")])  # fmt: skip
    bring(aws())
    bring([Source("aws", "999988887777"), account(other, name="other"),
           Trust(other, ROLE, "account", "assume_role")])  # fmt: skip
    assert tied(db) == {("tf", "deploy"), ("deploy", "other"), ("tf", "other")}
    assert [r["through"] for r in dossier(db, "other")["links"]] == [None, "deploy"]
    row = next(r for r in dossier(db, "deploy")["links"] if r["direction"] == "in")
    assert campaigns.link_words(row) == ("tf", "service of terraform:prod, makes and changes it")
    assert campaigns.cut_off(dossier(db, "deploy")) == 0


def test_what_is_gone_from_an_export_is_in_no_chain(db: Database, bring: Bring) -> None:
    bring([Source("github", "org"), repository("org/app"), repository("org/b")])
    bring(aws(oidc(GITHUB, "repo:org/*")))
    assert tied(db) == {("org/app", "deploy"), ("org/b", "deploy")}
    bring([Source("github", "org"), repository("org/b")])
    assert tied(db) == {("org/b", "deploy")}
    bring(aws())
    assert tied(db) == set()


def test_a_repository_that_was_renamed_is_tied_by_its_new_name_only(
    db: Database, bring: Bring
) -> None:
    bring(aws(oidc(GITHUB, "repo:org/app:*")))
    bring([Source("github", "org"), repository("org/app")])
    renamed = repository("org/app")._replace(handle=f"https://{GITHUB}#repo:org/new")
    bring([Source("github", "org"), renamed])
    assert tied(db) == set()
    bring([Source("github", "org"), repository("org/app")])
    assert tied(db) == {("org/app", "deploy")}


def test_what_an_older_release_imported_is_tied_at_the_next_import_of_anything(
    db: Database, bring: Bring
) -> None:
    bring(aws(oidc(GITHUB, "repo:org/app:*")))
    bring([Source("github", "org"), repository("org/app")])
    for table in ("link", "trust_end"):  # as the schema's step leaves them
        db.execute(f"DELETE FROM {table}")
    assert tied(db) == set()
    bring([Source("other", "1"), account("x")])
    assert tied(db) == {("org/app", "deploy")}


def test_more_links_than_a_dossier_shows_are_said_to_be_there(db: Database, bring: Bring) -> None:
    bring([Source("github", "org"), *(repository(f"org/{n:03}") for n in range(205))])
    bring(aws(oidc(GITHUB, "repo:org/*")))
    rows = dossier(db, "deploy")["links"]
    assert [len(rows), rows[-1]["more"], rows[-2]["more"]] == [200, True, False]


@pytest.mark.parametrize("template", ["TARGETS", "LATER", "SOONER", "PATTERNS", "AGREED"])
def test_no_identity_is_read_by_a_scan_to_tie_ends(db: Database, template: str) -> None:
    for sql in _join.statements(getattr(_join, template)):
        steps = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", (1,))]
        assert not [s for s in steps if s.startswith(("SCAN i", "SCAN r"))], steps
        assert not [s for s in steps if s.endswith("(source_id=?)") and " i " in s], steps
        assert not [s for s in steps if "AUTOMATIC" in s], steps


@pytest.mark.parametrize("direction", ["in", "out"])
def test_no_table_is_scanned_for_the_links_of_a_dossier(db: Database, direction: str) -> None:
    for sql in (_links.LINKED[direction].format(marks="1, 2"), _links.walk_sql(direction)):
        values = [1] * ("?1" in sql)
        steps = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
        few = ("SCAN w", "SCAN j", "SCAN n", "SCAN CONST")  # the walk itself and its path
        assert not [s for s in steps if s.startswith("SCAN") and not s.startswith(few)], steps
        assert not [s for s in steps if "AUTOMATIC" in s], steps


def test_pane_and_show_tell_the_chain_and_what_would_break(db: Database, bring: Bring) -> None:
    bring(aws(oidc(EKS, "system:serviceaccount:pay:runner")))
    bring(cluster("eu"))
    role, runner = dossier(db, "deploy"), dossier(db, "pay/runner")
    there = "pay/runner  workload of kubernetes:eu, may become it by federated credential, workload"
    for text in (pane(role), list(dossier_text.lines(role, NOW))):
        assert any(there in line for line in text), text
        assert any("1 live credential, used by 1" in line for line in text), text
    assert any("1 identity no longer becomes it" in line for line in pane(role))
    assert "  breaks   1 identity can no longer become it when it is stopped" in list(
        dossier_text.lines(role, NOW)
    )
    then = "→ deploy  role of aws-prod, it may become this by"
    for text in (pane(runner), list(dossier_text.lines(runner, NOW))):
        assert any(then in line for line in text), text
        assert any("privileged: AdministratorAccess" in line for line in text), text


def test_a_dossier_frozen_before_there_were_links_is_drawn_all_the_same(
    db: Database, bring: Bring
) -> None:
    bring(aws())
    old = dossier(db, "deploy")
    assert "links" not in old
    assert not any(line.startswith("chain") for line in pane(old))


def pane(one: Json) -> list[str]:
    return [plain(line) for line in dossier_lines(one, View(200, NOW, full=True))]


def test_what_the_connectors_of_the_samples_read_is_tied(db: Database) -> None:
    """AWS, Kubernetes, GitHub and Terraform exports of one made-up company."""
    for name, source in (
        ("terraform/terraform.tfstate.json", None),
        ("github/oidc-subject.json", "example-org/shop"),
        ("aws/account-authorization-details.json", None), ("kubernetes/rbac.json", "eu-1"),
    ):  # fmt: skip
        inventory.import_file(
            db, REPOSITORY / "sample_data" / name, now=NOW, by=ME, context=Context(source)
        )
    assert tied(db) >= {
        ("prod-payments/payments-api", "eks-prod-payments-payments-api"),
        ("prod-shop/shop-api", "eks-prod-shop-shop-api"),
        ("GitHub Actions of example-org/shop", "github-deploy"),
        ("GitHub Actions of example-org/shop", "github-shop-deploy"),
        ("ci-deploy", "ci-deploy"),
    }
