"""Promise 4, over everything that is kept: tables, and the packed bytes of files and dossiers."""

import json
from pathlib import Path

import pytest

from passmuster import blobs, config, inventory, policy
from passmuster.connectors import Context, formats
from passmuster.store import Database
from tests.estates import ME, NOW, report

LDIF = (
    "dn: uid=app,ou=services,dc=example,dc=com\nobjectClass: account\n"
    "objectClass: simpleSecurityObject\nuid: app\nuserPassword: PLANTED-1\n"
    "sambaNTPassword: PLANTED-2\ndescription: login with password: PLANTED-3\n"
)
SECRET = json.dumps({"apiVersion": "v1", "kind": "List", "items": [{
    "kind": "Secret", "apiVersion": "v1", "type": "kubernetes.io/service-account-token",
    "metadata": {"name": "t", "namespace": "n", "uid": "u",
                 "annotations": {"kubernetes.io/service-account.name": "a"}},
    "data": {"token": "PLANTED-4"}, "stringData": {"token": "PLANTED-5"},
}]})  # fmt: skip
DETAILS = json.dumps({"UserDetailList": [{
    "UserName": "a", "Arn": "arn:aws:iam::111122223333:user/a", "UserId": "A", "Path": "/",
    "CreateDate": "2020-01-01T00:00:00Z",
    "Tags": [{"Key": "db-password", "Value": "PLANTED-6"},
             {"Key": "note", "Value": "ghp_PLANTED7PLANTED7PLANTED7PLANTED7PL"}],
}], "GroupDetailList": [], "RoleDetailList": [], "Policies": []})  # fmt: skip


def kept(db: Database) -> str:
    """Every cell of every table, and every kept file as it was before it was packed."""
    tables = [r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    cells = [repr(row) for table in tables for row in db.execute(f"SELECT * FROM {table}")]
    packed = [blobs.get(db, row[0]) for row in db.execute("SELECT sha256 FROM blob")]
    return "\n".join([*cells, *(data.decode("latin-1") for data in packed)])


@pytest.mark.parametrize(("name", "content"), [
    ("a.ldif", LDIF), ("secrets.json", SECRET), ("details.json", DETAILS),
], ids=["ldif", "secrets", "tags"])  # fmt: skip
def test_no_planted_secret_is_kept_anywhere_packed_or_not(
    db: Database, tmp_path: Path, name: str, content: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    inventory.import_file(db, path, now=NOW, by=ME, context=Context("lab"))
    policy.evaluate(db, config.Settings(), NOW)
    found = kept(db)
    assert "PLANTED" in content
    assert "PLANTED" not in found


def test_only_files_without_room_for_a_secret_are_kept_as_they_came() -> None:
    """A format that is added here has been looked at: its bytes go into every evidence pack."""
    assert {name for name, found in formats().items() if found.keeps_raw} == {
        "aws.credential_report.csv", "people", "owners", "suppliers", "environments",
    }  # fmt: skip


def test_the_name_of_an_imported_file_is_only_text(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "a\x1b]52;c;aGk=\x07\u202e.ldif"
    path.write_text(LDIF)
    inventory.import_file(db, path, now=NOW, by=ME)
    assert str(db.value("SELECT file_name FROM import_run")).isprintable()


def test_a_report_with_a_column_of_secrets_is_not_kept_raw(db: Database, tmp_path: Path) -> None:
    lines = report("svc-a").splitlines()
    path = tmp_path / "report.csv"
    path.write_text(f"{lines[0]},secret_access_key\n{lines[1]},PLANTED-value\n")
    inventory.import_file(db, path, now=NOW, by=ME)
    assert db.value("SELECT raw FROM import_run") is None
    path.write_text(report("svc-b"))
    inventory.import_file(db, path, now=NOW, by=ME)
    assert db.value("SELECT count(*) FROM import_run WHERE raw IS NOT NULL") == 1


def test_a_token_in_a_register_is_taken_out_and_the_file_is_not_kept(
    db: Database, tmp_path: Path
) -> None:
    token = "ghp_" + "a1B2" * 9
    path = tmp_path / "owners.csv"
    path.write_text(f"identity,owner,role,evidence\nx,y@example.com,owner,log in with {token}\n")
    inventory.import_file(db, path, now=NOW, by=ME, format_name="owners")
    assert db.value("SELECT raw FROM import_run") is None
    assert token not in db.value("SELECT evidence FROM owner")
