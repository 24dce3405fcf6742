"""The AWS credential report: counts of recorded reports, absences, bad rows."""

import base64
import io
import json
from collections import Counter
from pathlib import Path

import pytest
from tests.exports import of, recognised

from passmuster.connectors import Context, named
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Identity, Problem, Record, Source, Usage

REAL = Path(__file__).parents[3] / "shared" / "realdata" / "aws"
REPORT = "aws.credential_report.csv"
ACCOUNT = "111122223333"
COLUMNS = (
    "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,"
    "password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,"
    "access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,"
    "access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,"
    "access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,"
    "cert_1_last_rotated,cert_2_active,cert_2_last_rotated"
)


def row(user: str = "ci", **columns: str) -> str:
    values = dict.fromkeys(COLUMNS.split(","), "N/A") | {
        "user": user, "arn": f"arn:aws:iam::{ACCOUNT}:user/{user}",
        "user_creation_time": "2020-01-02T03:04:05+00:00", "password_enabled": "false",
        "mfa_active": "false", "access_key_1_active": "false", "access_key_2_active": "false",
        "cert_1_active": "false", "cert_2_active": "false",
    }  # fmt: skip
    return ",".join((values | columns).values())


def report(*rows: str) -> list[Record]:
    return recognised("\n".join([COLUMNS, *rows, ""]).encode(), REPORT)


# rows, root, console enabled, console without MFA, active keys, keys, never used, certificates
REPORTS = {
    "c7n-multi-noop": (2, 1, 0, 0, 1, 2, 1, 0),
    "c7n-multi": (1, 0, 1, 1, 2, 2, 0, 0),
    "c7n-unused": (8, 1, 1, 1, 8, 9, 4, 1),
}


@pytest.mark.parametrize("folder", REPORTS)
def test_a_recorded_report_has_the_counts_of_its_readme(folder: str) -> None:
    path = REAL / folder / "credential-report.csv"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    records = recognised(path.read_bytes(), REPORT)
    people = {i.uid: i for i in of(records, Identity)}
    keys = [c for c in of(records, Credential) if c.credential_detail == "aws.access_key"]
    console = [
        c for c in of(records, Credential)
        if c.credential_detail == "aws.console_password" and c.status == "enabled"
    ]  # fmt: skip
    active = [k for k in keys if k.status == "enabled"]
    certificates = [
        c for c in of(records, Credential)
        if c.credential_detail == "aws.signing_certificate" and c.status == "enabled"
    ]  # fmt: skip
    assert REPORTS[folder] == (
        len(people), sum(i.nhi_detail == "aws.root" for i in people.values()), len(console),
        sum(people[c.identity_uid].has_mfa == 0 for c in console), len(active), len(keys),
        sum(k.last_used_state == "never" for k in active), len(certificates),
    )  # fmt: skip
    assert not of(records, Problem)


def test_key_only_users_are_services_and_console_users_humans() -> None:
    path = REAL / "c7n-unused" / "credential-report.csv"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    kinds = Counter(i.kind for i in of(recognised(path.read_bytes(), REPORT), Identity))
    assert kinds == {"service": 6, "human": 1, "system": 1}


def test_the_three_absences_of_a_report_stay_apart() -> None:
    records = report(
        row("a", password_enabled="true", password_last_used="no_information"),
        row("b", access_key_1_active="true", access_key_1_last_rotated="2021-01-01T00:00:00+00:00"),
        row("c", access_key_1_active="true", access_key_1_last_rotated="2021-01-01T00:00:00Z",
            access_key_1_last_used_date="not_supported"),
        row("d"),
    )  # fmt: skip
    assert [c.last_used_state for c in of(records, Credential)] == [
        "unknown", "never", "not_tracked",
    ]  # fmt: skip
    assert [i.last_used_state for i in of(records, Identity)] == [
        "unknown", "never", "unknown", "unknown",
    ]  # fmt: skip


def test_the_newest_use_of_any_credential_is_the_identitys() -> None:
    records = report(row(
        password_enabled="true", password_last_used="2024-01-01T00:00:00+00:00",
        access_key_1_active="true", access_key_1_last_rotated="2020-01-01T00:00:00+00:00",
        access_key_1_last_used_date="2025-05-05T00:00:00+00:00", access_key_1_last_used_region="eu",
        access_key_1_last_used_service="s3",
    ))  # fmt: skip
    identity = of(records, Identity)[0]
    assert (identity.last_used_at, identity.last_used_state) == ("2025-05-05T00:00:00Z", "known")
    assert of(records, Credential)[0].last_used_from == "eu s3"
    assert [u.consumer_kind for u in of(records, Usage)] == ["person"]


def test_a_source_is_named_whenever_the_account_changes() -> None:
    other = row("x").replace(ACCOUNT, "999988887777")
    found = [r.tenant_uid for r in of(report(row("a"), other, row("b")), Source)]
    assert found == [ACCOUNT, "999988887777", ACCOUNT]


def test_a_user_that_stands_twice_is_yielded_twice() -> None:
    assert len(of(report(row("a"), row("a")), Identity)) == 2


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ("short,row", None),
        ('"open quote', None),
        (row(arn="nothing"), "arn"),
        (row(mfa_active="perhaps"), "mfa_active"),
        (row(password_enabled="TRUE?"), "password_enabled"),
        (row(user_creation_time="yesterday"), "user_creation_time"),
    ],
)
def test_a_bad_row_is_a_problem_with_its_line(bad: str, field: str | None) -> None:
    problems = of(report(row("a"), bad), Problem)
    assert [(p.line, p.field) for p in problems] == [(3, field)]


@pytest.mark.parametrize(
    "data", [COLUMNS.encode(), b"user,arn\nx,y\n", f"{COLUMNS}\nshort\n".encode()]
)
def test_a_report_without_columns_or_readable_rows_is_refused(data: bytes) -> None:
    with pytest.raises(ImportRefused):
        list(named(REPORT).parse(io.BytesIO(data), Context()))


def test_a_saved_answer_is_read_plain_or_in_base64() -> None:
    content = f"{COLUMNS}\n{row('a')}\n"
    coded = base64.b64encode(content.encode()).decode()
    plain = report(row("a"))
    recorded = json.dumps({"status_code": 200, "data": {"Content": content}})
    for answer in (
        json.dumps({"Content": content}), json.dumps({"Content": coded}), coded, recorded
    ):  # fmt: skip
        assert recognised(answer.encode(), REPORT) == plain
    with pytest.raises(ImportRefused, match="not whole JSON"):
        recognised(json.dumps({"Content": content})[:-3].encode(), REPORT)


def test_utf16_of_powershell_is_read() -> None:
    assert recognised(f"{COLUMNS}\n{row('a')}\n".encode("utf-16"), REPORT) == report(row("a"))
