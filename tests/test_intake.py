"""The findings are of today's facts and thresholds, whatever came between an import and a look."""

from pathlib import Path

from passmuster import intake, inventory, policy
from passmuster.config import Settings
from passmuster.store import Database
from tests.conftest import Muster
from tests.estates import ME, NOW, report


def test_an_import_killed_before_its_rules_ran_is_made_good_by_the_next_command(
    inside: Muster, folder: Path, tmp_path: Path
) -> None:
    from passmuster import store

    inside("init")
    path = tmp_path / "report.csv"
    path.write_text(report("svc-a"))
    db = store.open_(folder)
    inventory.import_file(db, path, now=NOW, by=ME)  # and here the process dies
    assert db.value("SELECT count(*) FROM listing") == 0
    inside("import", str(path))
    assert db.value("SELECT count(*) FROM listing") == 1
    db.close()


def test_of_two_imports_in_the_same_second_the_second_is_listed_too(
    db: Database, tmp_path: Path
) -> None:
    path = tmp_path / "report.csv"
    for names in (("svc-a",), ("svc-a", "svc-b")):
        path.write_text(report(*names))
        intake.import_files(db, [path], Settings(me=ME), now=NOW)
    assert db.value("SELECT count(*) FROM listing") == 2


def test_a_threshold_that_is_changed_changes_the_findings(
    inside: Muster, folder: Path, tmp_path: Path
) -> None:
    inside("init")
    path = tmp_path / "report.csv"
    path.write_text(report("svc-a"))
    inside("import", str(path))
    assert "credential-old" in inside("findings").stdout
    settings = folder / "config.toml"
    settings.touch(mode=0o600)
    settings.write_text("[rules.credential-old]\nmax_days = 36500\n")
    assert "credential-old" not in inside("findings").stdout


def test_what_is_current_is_not_run_again(db: Database, tmp_path: Path) -> None:
    from passmuster.config import Settings

    path = tmp_path / "report.csv"
    path.write_text(report("svc-a"))
    assert not policy.stale(db, Settings(), NOW)
    inventory.import_file(db, path, now=NOW, by=ME)
    assert policy.stale(db, Settings(), NOW)
    policy.evaluate(db, Settings(), NOW)
    assert not policy.stale(db, Settings(), NOW)
    assert policy.stale(db, Settings(), "2026-11-24T00:00:00Z")


def test_records_are_counted_for_each_source_of_a_file(db: Database, tmp_path: Path) -> None:
    first, second = (
        report("svc-a", "svc-b"),
        report("svc-c").replace("111122223333", "444455556666"),
    )
    path = tmp_path / "report.csv"
    path.write_text(first + second.split("\n", 1)[1])
    runs = inventory.import_file(db, path, now=NOW, by=ME)
    assert {r.source: (r.identities, r.records) for r in runs} == {
        "aws:111122223333": (2, 4), "aws:444455556666": (1, 2),
    }  # fmt: skip
