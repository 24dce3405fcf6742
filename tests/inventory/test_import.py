"""Importing: what a second, newer, cut or hostile file does to what is there."""

from pathlib import Path

import pytest

from passmuster import inventory, text
from passmuster.connectors import Context
from passmuster.errors import ImportRefused
from passmuster.store import Database
from tests.bench.estate import ACCOUNT, HEADER
from tests.estates import ME, NOW, OLD, report

LATER = "2026-12-01T08:00:00Z"


def load(
    db: Database, path: Path, content: str, now: str = NOW, **options: object
) -> list[inventory.Run]:
    path.write_text(content)
    return inventory.import_file(db, path, now=now, by=ME, context=Context(), **options)  # type: ignore[arg-type]


def everything(db: Database) -> dict[str, list[object]]:
    tables = [r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {t: db.execute(f"SELECT * FROM {t}").fetchall() for t in tables}


def test_the_same_file_twice_changes_nothing(db: Database, tmp_path: Path) -> None:
    load(db, tmp_path / "a.csv", report("svc-a", "svc-b"))
    before = everything(db)
    (run,) = load(db, tmp_path / "copy.csv", report("svc-a", "svc-b"), LATER)
    assert run.unchanged_since == NOW
    assert everything(db) == before


def test_a_newer_file_updates_keeps_history_and_marks_what_is_absent(
    db: Database, tmp_path: Path
) -> None:
    load(db, tmp_path / "a.csv", report("svc-a", "svc-b", "svc-c"))
    (run,) = load(db, tmp_path / "b.csv", report("svc-a", "svc-d", key_active="false"), LATER)
    assert (run.identities, run.new, run.changed, run.absent) == (2, 1, 1, 2)
    absent = dict(db.execute("SELECT display_name, absent_since FROM identity"))
    assert absent == {"svc-a": None, "svc-b": LATER, "svc-c": LATER, "svc-d": None}
    history = db.execute(
        "SELECT field, old, new, observed_at FROM observation o JOIN identity i"
        " ON i.id = o.identity_id WHERE display_name = 'svc-a'"
    ).fetchall()
    assert history == [("status", "enabled", "disabled", LATER)]
    assert db.value("SELECT count(*) FROM credential WHERE absent_since IS NULL") == 2


def test_what_was_absent_and_is_there_again_is_present_again(db: Database, tmp_path: Path) -> None:
    load(db, tmp_path / "a.csv", report("svc-a", "svc-b"))
    load(db, tmp_path / "b.csv", report("svc-a"), LATER)
    load(db, tmp_path / "c.csv", report("svc-a", "svc-b", "svc-c"), "2026-12-02T08:00:00Z")
    assert db.value("SELECT count(*) FROM identity WHERE absent_since IS NOT NULL") == 0
    fields = db.execute("SELECT field FROM observation WHERE subject LIKE 'identity%b'").fetchall()
    assert fields == [("absent_since",), ("absent_since",)]


def test_an_older_file_does_not_go_back_in_time(db: Database, tmp_path: Path) -> None:
    load(db, tmp_path / "a.csv", report("svc-a"))
    load(db, tmp_path / "b.csv", report("svc-b"), LATER)
    before = everything(db)
    with pytest.raises(ImportRefused, match="back in time"):
        load(db, tmp_path / "a.csv", report("svc-a"), LATER)
    assert everything(db) == before


def test_a_refused_file_leaves_the_inventory_as_it_was(db: Database, tmp_path: Path) -> None:
    load(db, tmp_path / "a.csv", report("svc-a"))
    before = everything(db)
    cut = '{"UserDetailList": [' + ",".join(
        '{"UserName": "u%d", "Arn": "arn:aws:iam::%s:user/u%d", "UserId": "A%d", "Path": "/",'
        ' "CreateDate": "2020-01-01T00:00:00Z"}' % (n, ACCOUNT, n, n) for n in range(9000)
    )  # fmt: skip
    with pytest.raises(ImportRefused):
        load(db, tmp_path / "cut.json", cut, LATER)
    assert everything(db) == before


def test_a_dry_run_tells_what_would_be_and_keeps_nothing(db: Database, tmp_path: Path) -> None:
    load(db, tmp_path / "a.csv", report("svc-a"))
    before = everything(db)
    (run,) = load(db, tmp_path / "b.csv", report("svc-b"), LATER, dry_run=True)
    assert (run.new, run.absent) == (1, 1)
    assert everything(db) == before


def test_a_uid_that_stands_twice_is_a_problem_and_the_later_row_counts(
    db: Database, tmp_path: Path
) -> None:
    rows = report("svc-a", "svc-b").splitlines()
    again = rows[1].replace(",true,", ",false,")
    (run,) = load(db, tmp_path / "a.csv", "\n".join([*rows, again]) + "\n")
    assert run.problem_count == 1
    assert "line 2" in run.problems[0].why and run.problems[0].line == 4
    assert run.identities == 2
    assert db.value("SELECT status FROM credential WHERE uid LIKE '%svc-a#1'") == "disabled"


def test_a_row_that_cannot_be_read_is_counted_listed_and_the_rest_arrives(
    db: Database, tmp_path: Path
) -> None:
    rows = report("svc-a", "svc-b").splitlines()
    rows.insert(2, "half,a,row")
    (run,) = load(db, tmp_path / "a.csv", "\n".join(rows) + "\n")
    assert (run.identities, run.problem_count) == (2, 1)
    assert db.one("SELECT line FROM problem") == (3,)


def test_another_format_speaks_only_for_its_own_columns(db: Database, tmp_path: Path) -> None:
    load(db, tmp_path / "a.csv", report("svc-a", used="2026-10-01T00:00:00+00:00"))
    before = db.one("SELECT kind, status, last_used_at, last_used_state FROM identity")
    load(db, tmp_path / "b.json", (
        '{"UserDetailList": [{"UserName": "svc-a", "Arn": "arn:aws:iam::%s:user/svc-a", "Path":'
        ' "/", "UserId": "AIDA1", "CreateDate": "2020-01-01T00:00:00Z", "Tags": [{"Key": "owner",'
        ' "Value": "j.okafor@example.com"}]}], "RoleDetailList": [], "GroupDetailList": [],'
        ' "Policies": []}' % ACCOUNT
    ), LATER)  # fmt: skip
    assert db.one("SELECT kind, status, last_used_at, last_used_state FROM identity") == before
    assert db.value("SELECT external_id FROM identity") == "AIDA1"
    assert db.value("SELECT handle FROM owner") == "j.okafor@example.com"


def test_names_from_outside_are_visible_text_by_the_time_they_are_stored(
    db: Database, tmp_path: Path
) -> None:
    name = "svc\x1b]52;c;eA==\x07\u202e[/]x"
    row = report("svc").replace("svc", name)
    load(db, tmp_path / "a.csv", row)
    stored = db.value("SELECT display_name FROM identity")
    assert stored.isprintable() and "\\x1b" in stored and "[/]x" in stored


def test_no_planted_secret_reaches_the_database_file(db: Database, tmp_path: Path) -> None:
    ldif = (
        "dn: uid=app,ou=services,dc=example,dc=com\nobjectClass: account\n"
        "objectClass: simpleSecurityObject\nuid: app\nuserPassword: PLANTED-one\n"
        "userPassword:: UExBTlRFRC10d28=\nsambaNTPassword: PLANTED-three\n"
        "description: a service\n"
    )
    load(db, tmp_path / "a.ldif", ldif)
    secret = (
        '{"apiVersion":"v1","kind":"List","items":[{"kind":"Secret","apiVersion":"v1","type":'
        '"kubernetes.io/service-account-token","metadata":{"name":"t","namespace":"n","uid":"u",'
        '"annotations":{"kubernetes.io/service-account.name":"a"}},"data":{"token":'
        '"UExBTlRFRC1mb3Vy","ca.crt":"UExBTlRFRC1maXZl"}}]}'
    )
    path = tmp_path / "s.json"
    path.write_text(secret)
    inventory.import_file(db, path, now=NOW, by=ME, context=Context("lab"))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    stored = db.path.read_bytes()
    for planted in (b"PLANTED", b"UExBTlRFRC"):
        assert planted not in stored
    assert db.value("SELECT count(*) FROM identity WHERE purpose = 'a service'") == 1


def test_credential_report_columns_are_the_documented_ones() -> None:
    """The generator writes the 22 columns of AWS's own documentation."""
    assert len(HEADER.split(",")) == 22
    assert text.utc(OLD) == "2021-03-02T10:00:00Z"


def test_a_policy_that_is_only_mentioned_does_not_overwrite_one_that_was_described(
    db: Database, tmp_path: Path
) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:policy/strong"
    user = (
        '{"UserName": "a", "Arn": "arn:aws:iam::%s:user/a", "UserId": "A", "Path": "/",'
        ' "CreateDate": "2020-01-01T00:00:00Z", "AttachedManagedPolicies":'
        ' [{"PolicyName": "strong", "PolicyArn": "%s"}]}' % (ACCOUNT, arn)
    )
    policy = (
        '{"PolicyName": "strong", "Arn": "%s", "DefaultVersionId": "v1", "PolicyVersionList":'
        ' [{"VersionId": "v1", "IsDefaultVersion": true, "Document": {"Statement":'
        ' [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}}]}' % arn
    )
    form = '{"UserDetailList": [%s], "GroupDetailList": [], "RoleDetailList": [], "Policies": [%s]}'
    load(db, tmp_path / "a.json", form % (user, policy))
    assert db.value("SELECT permission_level FROM entitlement WHERE uid = ?", (arn,)) == "admin"
    load(db, tmp_path / "b.json", form % (user, ""), LATER)
    assert db.value("SELECT permission_level FROM entitlement WHERE uid = ?", (arn,)) == "admin"


def test_what_a_second_format_fills_in_is_knowledge_and_no_change(
    db: Database, tmp_path: Path
) -> None:
    load(db, tmp_path / "a.csv", report("svc-a"))
    form = (
        '{"UserDetailList": [{"UserName": "svc-a", "Arn": "arn:aws:iam::%s:user/svc-a", "UserId":'
        ' "A", "Path": "/", "CreateDate": "2020-01-01T00:00:00Z", "Tags": [{"Key": "env", "Value":'
        ' "prod"}], "AttachedManagedPolicies": [%s]}], "GroupDetailList": [],'
        ' "RoleDetailList": [], "Policies": []}'
    )
    one = '{"PolicyName": "p1", "PolicyArn": "arn:aws:iam::aws:policy/p1"}'
    two = '{"PolicyName": "p2", "PolicyArn": "arn:aws:iam::aws:policy/p2"}'
    load(db, tmp_path / "b.json", form % (ACCOUNT, one))
    assert db.value("SELECT environment FROM identity") == "prod"
    assert db.value("SELECT count(*) FROM observation") == 0
    load(db, tmp_path / "c.json", form % (ACCOUNT, two), LATER)
    changes = db.execute("SELECT old, new FROM observation WHERE field = 'grant'").fetchall()
    assert sorted(map(str, changes)) == [
        "('arn:aws:iam::aws:policy/p1 via direct', None)",
        "(None, 'arn:aws:iam::aws:policy/p2 via direct')",
    ]


def test_a_guess_that_a_better_source_corrects_is_learned_not_changed(
    db: Database, tmp_path: Path
) -> None:
    form = (
        '{"UserDetailList": [{"UserName": "anna", "Arn": "arn:aws:iam::%s:user/anna", "UserId":'
        ' "A", "Path": "/", "CreateDate": "2020-01-01T00:00:00Z"}], "GroupDetailList": [],'
        ' "RoleDetailList": [], "Policies": []}' % ACCOUNT
    )
    load(db, tmp_path / "a.json", form)
    human = report("anna").replace(",false,N/A,N/A,N/A,false,", f",true,{OLD},{OLD},N/A,true,")
    (run,) = load(db, tmp_path / "b.csv", human)
    assert db.value("SELECT kind FROM identity") == "human"
    assert (run.changed, db.value("SELECT count(*) FROM observation")) == (0, 0)


def test_a_mapping_that_maps_no_last_use_leaves_the_rule_unevaluated_and_the_column_alone(
    db: Database, tmp_path: Path
) -> None:
    from passmuster import config, policy

    path = tmp_path / "keys.csv"
    path.write_text("id,name\nk1,one\n")
    mapping: dict[str, object] = {
        "source": {"platform": "saas", "tenant": "t"},
        "identity": {"uid": "id", "display_name": "name", "kind": {"constant": "service"}},
    }
    inventory.import_file(
        db, path, now=NOW, by=ME, format_name="generic.csv", context=Context(None, mapping)
    )
    policy.evaluate(db, config.Settings(), NOW)
    assert "last used" in policy.not_evaluated(db)["unused"]
    db.execute("UPDATE identity SET purpose = 'kept', last_used_state = 'never'")
    path.write_text("id,name\nk1,other\n")
    inventory.import_file(
        db, path, now=LATER, by=ME, format_name="generic.csv", context=Context(None, mapping)
    )
    row = db.one("SELECT display_name, purpose, last_used_state FROM identity")
    assert row == ("other", "kept", "never")


def test_files_of_one_command_are_one_snapshot(db: Database, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(report(f"svc-{name}"))
    both = [tmp_path / "a.csv", tmp_path / "b.csv"]
    inventory.import_files(db, both, now=NOW, by=ME)
    assert db.value("SELECT count(*) FROM identity WHERE absent_since IS NULL") == 2
    again = inventory.import_files(db, both, now=LATER, by=ME)
    assert {run.unchanged_since for run in again} == {NOW}
    (tmp_path / "b.csv").write_text(report("svc-c"))
    runs = inventory.import_files(db, both, now=LATER, by=ME)
    assert sum(run.absent for run in runs) == 1
    absent = dict(db.execute("SELECT display_name, absent_since FROM identity"))
    assert absent == {"svc-a": None, "svc-b": LATER, "svc-c": None}


def test_one_refused_file_of_a_command_refuses_them_all(db: Database, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(report("svc-a"))
    (tmp_path / "b.csv").write_bytes(bytes(range(256)))
    before = everything(db)
    with pytest.raises(ImportRefused, match=r"b\.csv"):
        inventory.import_files(db, [tmp_path / "a.csv", tmp_path / "b.csv"], now=NOW, by=ME)
    assert everything(db) == before


def test_a_row_that_cannot_be_read_proves_nobody_gone(db: Database, tmp_path: Path) -> None:
    load(db, tmp_path / "a.csv", report("svc-a", "svc-b"))
    rows = report("svc-a").splitlines()
    (run,) = load(db, tmp_path / "b.csv", "\n".join([*rows, "svc-b,arn:aws"]) + "\n", LATER)
    assert run.absent == 0
    assert "nothing was marked as gone" in run.problems[-1].why
    assert db.value("SELECT count(*) FROM identity WHERE absent_since IS NOT NULL") == 0


def test_a_compressed_file_or_a_folder_is_named_for_what_it_is(
    db: Database, tmp_path: Path
) -> None:
    (tmp_path / "a.csv.gz").write_bytes(b"\x1f\x8b\x08\x00" + bytes(50))
    for path, tells in ((tmp_path / "a.csv.gz", "compressed"), (tmp_path, "not a regular file")):
        with pytest.raises(ImportRefused, match=tells):
            inventory.import_file(db, path, now=NOW, by=ME)
