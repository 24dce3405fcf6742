"""What the command line prints is safe to look at, and safe to run."""

import csv
import json
import os
import subprocess
from pathlib import Path

import pytest

from passmuster import store
from tests.bench.estate import ACCOUNT
from tests.conftest import ME, Muster
from tests.estates import report

HOSTILE = "evil\x1b]52;c;aGk=\x07\u202e\u200b"


@pytest.fixture
def review(inside: Muster, tmp_path: Path, passphrase_file: Path) -> Muster:
    """A review of two users with keys whose ids are known."""
    inside("init")
    inside("key", "new", "--key-store", "file")
    (tmp_path / "r.csv").write_text(report("svc-a", "svc-b"))
    inside("import", str(tmp_path / "r.csv"))
    inside("campaign", "open", "Autumn", "--reviewer", ME, "--due", "2030-12-31")
    return inside


def write(folder: Path, sql: str, *values: object) -> None:
    db = store.open_(folder)
    with db.atomic():
        db.execute(sql, values)
    db.close()


def test_no_command_prints_what_a_terminal_obeys(review: Muster, folder: Path) -> None:
    """Names are made visible at import, and again here: this one came past the import."""
    review("decide", "revoke", "svc-a", "--reason", "gone")
    for sql in ("UPDATE identity SET display_name = ?", "UPDATE listing SET name = ?"):
        write(folder, sql, HOSTILE)
    for words in (
        ["identities"], ["queue"], ["findings"], ["drafts"],
        ["show", f"arn:aws:iam::{ACCOUNT}:user/svc-a"], ["sign-off", "--yes"],
    ):  # fmt: skip
        done = review(*words)
        told = done.stdout + done.stderr
        assert "evil\\x1b]52" in told, (words, told)
        assert all(c.isprintable() or c == "\n" for c in told), (words, told)


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_no_cell_of_a_table_for_a_spreadsheet_is_a_formula(
    inside: Muster, folder: Path, tmp_path: Path, start: str
) -> None:
    inside("init")
    name = f"{start}cmd|' /c calc'!A1"
    (tmp_path / "r.csv").write_text(report(name))
    inside("import", str(tmp_path / "r.csv"))
    for words in ("identities", "findings"):
        rows = list(csv.reader(inside(words, "--csv").stdout.splitlines()))
        assert any(f"'{name}" in row for row in rows)
        assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)


def test_evidence_that_changed_is_not_signed_unless_that_is_said(
    review: Muster, folder: Path
) -> None:
    review("decide", "approve", "svc-a", "--reason", "in use")
    write(folder, "UPDATE credential SET status = 'disabled'")
    done = review("sign-off", "--yes", code=None)
    assert done.returncode == 1
    assert "svc-a changed (credentials)" in done.stderr
    assert "--accept-changed" in done.stderr
    assert len(json.loads(review("drafts", "--json").stdout)) == 1
    review("sign-off", "--yes", "--accept-changed")
    assert not json.loads(review("drafts", "--json").stdout)


def test_what_is_somebody_elses_to_decide_is_refused(review: Muster, folder: Path) -> None:
    write(folder, "UPDATE item SET reviewer = 'other@example.com'")
    for words in (["decide", "approve", "svc-a", "--reason", "x"], ["own", ME, "svc-a"],
                  ["drafts", "--clear", "svc-a"]):  # fmt: skip
        assert "is other@example.com's to decide" in review(*words, code=2).stderr
    write(folder, "UPDATE item SET reviewer = ?", ME)
    assert not json.loads(review("drafts", "--json").stdout)


def test_the_lines_that_decide_prints_stop_and_do_not_undo_when_they_are_run(
    review: Muster, tmp_path: Path
) -> None:
    """Somebody will pipe them into a shell: what is run is the stop alone."""
    tools = tmp_path / "tools"
    tools.mkdir()
    aws = tools / "aws"
    aws.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/ran\n')
    aws.chmod(0o755)
    lines = review("decide", "revoke", "svc-a", "--reason", "gone").stdout
    done = subprocess.run(
        ["sh", "-e"], input=lines, text=True, check=False, capture_output=True,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ran = (tmp_path / "ran").read_text()
    assert "put-user-policy" in ran and "--status Inactive" in ran
    assert "delete-" not in ran and "--status Active" not in ran
    assert "delete-user-policy" in lines, "the undo is there to be read"


def test_a_part_that_is_to_be_stopped_has_its_lines_as_well(review: Muster, folder: Path) -> None:
    db = store.open_(folder)
    key = db.value("SELECT uid FROM credential WHERE uid LIKE '%svc-b#1'")
    db.close()
    words = ["decide", "approve", "svc-b", "--reason", "in use", "--change", f"disable:{key}"]
    lines = review(*words).stdout
    assert "--status Inactive" in lines
    assert "put-user-policy" not in lines, "the rest of it stands"
    (told,) = json.loads(review(*words, "--json").stdout)
    assert [plan["undo_class"] for plan in told["plans"]] == ["R1"]


def test_where_nobody_can_be_asked_nothing_is_signed_without_a_yes(
    review: Muster, folder: Path
) -> None:
    review("decide", "approve", "svc-b", "--reason", "in use")
    said = review("sign-off", code=2).stderr
    assert said.splitlines()[-1] == (
        "muster: Sign these? Nobody can be asked here: answer with --yes"
    )
    db = store.open_(folder)
    assert db.value("SELECT count(*) FROM decision") == 0
    db.close()
