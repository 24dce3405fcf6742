"""Saved answers of single AWS questions, and that a key that two exports tell of is one key."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.connectors.test_aws_report import COLUMNS, row
from tests.exports import ACCOUNT, of, parse, recognised

from passmuster import campaigns, connectors, inventory
from passmuster.connectors import Context
from passmuster.errors import ImportRefused
from passmuster.evidence import _after
from passmuster.model import Credential, Identity, Problem, Source, Trust
from passmuster.remediation._proved import proof_of
from passmuster.remediation._remedy import Wanted
from passmuster.store import Database

REAL = Path(__file__).parents[3] / "shared" / "realdata" / "aws"
KEYS = "aws.access_keys.json"
NOW, LATER, LAST = "2026-11-27T08:00:00Z", "2026-11-28T08:00:00Z", "2026-11-29T08:00:00Z"
MADE = "2021-05-06T07:08:09"
FIRST, SECOND = "AKIAEXAMPLE0000FIRST", "AKIAEXAMPLE000SECOND"
LOGIN = {"UserId": "AIDAX", "Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/me"}


def key(uid: str = FIRST, made: str = MADE, status: str = "Active", user: str = "ci") -> Any:
    return {"UserName": user, "AccessKeyId": uid, "Status": status, "CreateDate": f"{made}+00:00"}


def listing(*keys: Any) -> dict[str, Any]:
    return {"AccessKeyMetadata": list(keys)}


def used(uid: str = FIRST, date: str | None = "2026-11-20T01:02:03Z") -> dict[str, Any]:
    last = {"ServiceName": "s3", "Region": "eu-west-1", **({"LastUsedDate": date} if date else {})}
    return {"UserName": "ci", "AccessKeyLastUsed": last, "AccessKeyId": uid}


def answers(*each: Any) -> bytes:
    return b"\n".join(json.dumps(one).encode() for one in each)


def numbered(status: str = "true", made: str = MADE, last: str = "N/A", **more: str) -> str:
    columns = {"access_key_1_active": status, "access_key_1_last_rotated": f"{made}+00:00",
               "access_key_1_last_used_date": last, **more}  # fmt: skip
    return "\n".join([COLUMNS, row("ci", **columns), ""])


# What the files say.


# records of identities, credentials, trusts; as the README of the real data counts them
COUNTS = {
    "c7n-iam_role_inuse/iam.GetRole_1.json": (1, 0, 1),
    "c7n-iam_role_inuse/iam.GetRole_2.json": (1, 0, 1),
    "c7n-iam_role_inuse/iam.ListRoles_1.json": (2, 0, 2),
    "c7n-iam_role_tags/iam.GetRole_1.json": (1, 0, 1),
    "c7n-iam_role_tags/iam.ListRoles_1.json": (1, 0, 1),
    "c7n-user_credential_multi_delete/iam.ListUsers_1.json": (1, 0, 0),
    "c7n-user_credential_multi_delete/iam.ListAccessKeys_1.json": (0, 2, 0),
    "c7n-user_credential_multi_delete/iam.ListAccessKeys_2.json": (0, 1, 0),
    "cartography/aws_iam_access_keys.json": (0, 4, 0),
    "cartography/aws_iam_roles.json": (3, 0, 5),
}


@pytest.mark.parametrize("name", COUNTS)
def test_a_recorded_answer_has_the_counts_of_its_readme(name: str) -> None:
    path = REAL / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    data = path.read_bytes()
    fmt = connectors.recognise(data[: connectors.SNIFF_BYTES], name)
    found = parse(fmt, data, Context("1234" if "cartography" in name else "644160558196"))
    assert not of(found, Problem)
    keys = {c.uid: c for c in of(found, Credential)}
    assert (len(of(found, Identity)), len(keys), len(of(found, Trust))) == COUNTS[name]


def test_a_recorded_time_of_numbers_is_the_time_that_it_was() -> None:
    made = {"__class__": "datetime", "year": 2018, "month": 12, "day": 2, "hour": 3, "minute": 34}
    one = {**key(), "CreateDate": made}
    (found,) = of(recognised(answers(LOGIN, listing(one)), KEYS), Credential)
    assert found.created_at == "2018-12-02T03:34:00Z"


def test_the_file_names_its_account_or_is_told_it_and_is_refused_else() -> None:
    data = answers(listing(key()))
    for told in (None, "prod"):
        with pytest.raises(ImportRefused, match="sts get-caller-identity"):
            recognised(data, KEYS, Context(told))
    (source,) = of(recognised(data, KEYS, Context("444455556666")), Source)
    assert source.tenant_uid == "444455556666"
    (source,) = of(recognised(answers(LOGIN, listing(key())), KEYS), Source)
    assert source.tenant_uid == ACCOUNT


def test_a_last_use_without_its_key_is_a_problem_that_says_what_to_add() -> None:
    nameless = {k: v for k, v in used().items() if k != "AccessKeyId"}
    found = recognised(answers(LOGIN, listing(key()), nameless), KEYS)
    (problem,) = of(found, Problem)
    assert "AccessKeyId: $id" in problem.why


def test_a_list_whose_last_page_is_missing_is_refused() -> None:
    cut = {**listing(key()), "IsTruncated": True, "Marker": "x"}
    with pytest.raises(ImportRefused, match="last page"):
        recognised(answers(LOGIN, cut), KEYS)
    assert recognised(answers(LOGIN, cut, {**listing(key(SECOND)), "IsTruncated": False}), KEYS)


def test_users_before_keys_that_did_not_fit_into_the_head_are_not_read_as_users_alone() -> None:
    fmt = connectors.named("aws.users.json")
    user = {"UserName": "ci", "Arn": f"arn:aws:iam::{ACCOUNT}:user/ci"}
    with pytest.raises(ImportRefused, match="AccessKeyMetadata too"):
        parse(fmt, answers({"Users": [user]}, listing(key())))


def test_providers_and_trust_anchors_are_external_and_profiles_open_roles() -> None:
    at = f"arn:aws:rolesanywhere:eu-west-1:{ACCOUNT}"
    role = f"arn:aws:iam::{ACCOUNT}:role/edge"
    found = recognised(answers(
        {"OpenIDConnectProviderList": [{"Arn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/gh"}]},
        {"SAMLProviderList": [{"Arn": f"arn:aws:iam::{ACCOUNT}:saml-provider/sso",
                               "ValidUntil": "2030-01-01T00:00:00Z"}]},
        {"trustAnchors": [{"trustAnchorArn": f"{at}:trust-anchor/a", "name": "e", "enabled": True,
                           "source": {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {}}}]},
        {"profiles": [{"profileArn": f"{at}:profile/p", "name": "edge", "enabled": False,
                       "roleArns": [role]}]},
    ), "aws.federation.json")  # fmt: skip
    assert {i.nhi_detail: i.status for i in of(found, Identity)} == {
        "aws.oidc_provider": "enabled", "aws.saml_provider": "enabled",
        "aws.trust_anchor": "enabled", "aws.rolesanywhere_profile": "disabled",
    }  # fmt: skip
    opened = [t for t in of(found, Trust) if t.to_identity_uid == role]
    assert [(t.mechanism, t.is_external, t.condition) for t in opened] == [
        ("roles_anywhere", 1, "the profile is disabled")
    ]
    with pytest.raises(ImportRefused, match="next page"):
        recognised(answers({"profiles": [{"profileArn": f"{at}:profile/p"}], "nextToken": "x"}),
                   "aws.federation.json")  # fmt: skip


# One key, told of twice.


@pytest.fixture
def load(db: Database, tmp_path: Path) -> Any:
    at = [0]

    def files(now: str, *contents: str | bytes) -> None:
        paths = []
        for content in contents:
            at[0] += 1
            paths.append(tmp_path / f"{at[0]}.export")
            paths[-1].write_bytes(content if isinstance(content, bytes) else content.encode())
        inventory.import_files(db, paths, now=now, by=None, context=Context())

    return files


def present(db: Database) -> dict[str, tuple[str, str | None]]:
    rows = db.execute(
        "SELECT c.uid, c.status, c.last_used_at FROM credential c JOIN identity i"
        " ON i.id = c.identity_id WHERE c.absent_since IS NULL AND i.absent_since IS NULL"
    )
    return {uid: (status, at) for uid, status, at in rows}


REPORT, LIST = numbered(last="2026-11-01T00:00:00+00:00"), answers(LOGIN, listing(key()))


@pytest.mark.parametrize(
    "files",
    [
        [(NOW, REPORT, LIST)],
        [(NOW, LIST, REPORT)],
        [(NOW, REPORT), (LATER, LIST)],
        [(NOW, LIST), (LATER, REPORT)],
        [(NOW, REPORT, LIST), (LATER, REPORT.replace("2026-11-01", "2026-11-02"))],
    ],
    ids=["report and list", "list and report", "report, then list", "list, then report", "again"],
)
def test_a_key_of_both_exports_is_one_credential_with_its_real_id(
    db: Database, load: Any, files: list[Any]
) -> None:
    for each in files:
        load(*each)
    found = present(db)
    assert list(found) == [FIRST]
    status, at = found[FIRST]
    assert status == "enabled"
    assert at
    assert at.startswith("2026-11-0")
    assert db.value("SELECT count(*) FROM credential") == 1


def test_a_key_of_a_user_with_a_path_is_tied_to_that_user(db: Database, load: Any) -> None:
    load(NOW, REPORT.replace(":user/ci", ":user/team/ci"), LIST)
    assert list(present(db)) == [FIRST]


def test_the_last_use_completes_the_key_and_takes_nothing_from_it(db: Database, load: Any) -> None:
    load(NOW, numbered(), answers(LOGIN, listing(key(status="Inactive")), used()))
    assert present(db) == {FIRST: ("disabled", "2026-11-20T01:02:03Z")}
    load(LATER, answers(LOGIN, listing(key(status="Inactive")), {"x": 1}))  # asked without last use
    assert present(db) == {FIRST: ("disabled", "2026-11-20T01:02:03Z")}


def test_the_newer_export_tells_the_status_and_of_one_import_the_list(
    db: Database, load: Any
) -> None:
    load(NOW, numbered("true"), answers(LOGIN, listing(key(status="Inactive"))))
    assert present(db)[FIRST][0] == "disabled"
    load(LATER, numbered("true", last="N/A", mfa_active="true"))
    assert present(db)[FIRST][0] == "enabled"
    changes = db.execute("SELECT field, old, new FROM observation WHERE field = 'status'")
    assert changes.fetchall() == [("status", "disabled", "enabled")]


@pytest.mark.parametrize("by", ["report", "list"])
def test_a_key_that_the_newer_export_does_not_list_is_gone_whichever_told_of_it(
    db: Database, load: Any, by: str
) -> None:
    two = numbered(access_key_2_active="true", access_key_2_last_rotated="2024-01-01T00:00:00Z")
    both = answers(LOGIN, listing(key(), key(SECOND, "2024-01-01T00:00:00")))
    load(NOW, two, both)
    assert list(present(db)) == [FIRST, SECOND]
    load(LATER, numbered() if by == "report" else answers(LOGIN, listing(key()), {}))
    assert list(present(db)) == [FIRST]
    load(LAST, numbered(last="no_information"), answers(LOGIN, listing(key()), {"again": 1}))
    assert list(present(db)) == [FIRST]
    gone = db.execute("SELECT uid FROM credential WHERE absent_since = ?", (LATER,)).fetchall()
    assert gone == [(SECOND,)]


def test_a_key_made_after_the_list_stays_beside_it_until_it_is_listed(
    db: Database, load: Any
) -> None:
    load(NOW, numbered(), LIST)
    fresh = {"access_key_2_active": "true", "access_key_2_last_rotated": "2026-11-28T00:00:00Z"}
    load(LATER, numbered(**fresh))
    user = f"arn:aws:iam::{ACCOUNT}:user/ci"
    assert set(present(db)) == {FIRST, f"{user}#2"}
    load(LAST, answers(LOGIN, listing(key(), key(SECOND, "2026-11-28T00:00:00"))))
    assert set(present(db)) == {FIRST, SECOND}


def test_a_number_that_no_listed_key_stands_for_is_not_a_third_key(db: Database, load: Any) -> None:
    other = numbered(made="2019-01-01T00:00:00")
    load(NOW, other, LIST)
    assert list(present(db)) == [FIRST]


def test_two_keys_of_one_second_are_not_mixed_up(db: Database, load: Any) -> None:
    two = numbered("true", access_key_2_active="false",
                   access_key_2_last_rotated=f"{MADE}+00:00")  # fmt: skip
    load(NOW, two, answers(LOGIN, listing(key(), key(SECOND, status="Inactive"))))
    assert {uid: status for uid, (status, _) in present(db).items()} == {
        FIRST: "enabled", SECOND: "disabled",
    }  # fmt: skip


def test_a_listed_key_that_two_numbers_may_stand_for_takes_from_neither(
    db: Database, load: Any
) -> None:
    two = numbered("true", access_key_2_active="false", last="2026-11-01T00:00:00+00:00",
                   access_key_2_last_rotated=f"{MADE}+00:00")  # fmt: skip
    load(NOW, two, LIST)
    assert present(db) == {FIRST: ("enabled", None)}


def test_users_that_a_list_of_keys_does_not_name_keep_their_keys(db: Database, load: Any) -> None:
    rows = numbered().rstrip() + "\n" + row(
        "other", access_key_1_active="true", access_key_1_last_rotated=f"{MADE}+00:00"
    ) + "\n"  # fmt: skip
    load(NOW, rows, answers(LOGIN, listing(key()), listing(key(SECOND, user="other"))))
    assert len(present(db)) == 2
    load(LATER, answers(LOGIN, listing(key()), {}))
    assert len(present(db)) == 2


def test_a_stop_that_was_decided_on_a_number_is_proved_by_the_list_that_names_it(
    db: Database, load: Any
) -> None:
    load(NOW, numbered())
    identity = db.value("SELECT identity_id FROM credential")
    one = f"arn:aws:iam::{ACCOUNT}:user/ci#1"
    asked = Wanted("u", identity, "s", "identity", identity, "revoke", one, NOW)
    load(LATER, LIST)
    assert proof_of(db, asked, NOW) is None
    load(LAST, answers(LOGIN, listing(key(status="Inactive"))))
    proof = proof_of(db, asked, NOW)
    assert proof is not None
    assert proof.words == "it is disabled"


def test_what_was_decided_on_a_number_is_found_by_the_keys_name(db: Database, load: Any) -> None:
    user = f"arn:aws:iam::{ACCOUNT}:user/ci"
    load(NOW, numbered())
    row_id = "SELECT id FROM credential"
    number, identity = db.value(row_id), db.value("SELECT identity_id FROM credential")
    load(LATER, LIST)
    assert db.value(row_id) == number  # items and findings are of this row
    assert inventory.called_now(db, identity, f"{user}#1") == FIRST
    assert inventory.called_now(db, identity, FIRST) == FIRST
    load(LAST, numbered(mfa_active="true"))
    assert db.value(row_id) == number
    ((_, dossier),) = campaigns.dossiers(db, [identity])
    stop, *_ = connectors.plan(dossier, "revoke", f"{user}#1")
    assert stop.act is not None
    assert stop.act.on["key"] == FIRST


@pytest.mark.parametrize(("status", "state"), [("enabled", "standing"), ("disabled", "gone")])
def test_a_number_that_has_a_name_by_now_does_not_count_as_gone(
    db: Database, load: Any, status: str, state: str
) -> None:
    user = f"arn:aws:iam::{ACCOUNT}:user/ci"
    load(NOW, numbered())
    identity = db.value("SELECT identity_id FROM credential")
    ((_, then),) = campaigns.dossiers(db, [identity])
    load(
        LATER, answers(LOGIN, listing(key(status="Active" if status == "enabled" else "Inactive")))
    )
    ((_, now),) = campaigns.dossiers(db, [identity])
    judged = SimpleNamespace(dossier={**then, "of": "identity"})
    assert _after._seen(judged, now, "revoke", f"{user}#1")[0] == state  # type: ignore[arg-type]


def test_the_recorded_report_and_list_of_one_account_hold_two_keys(db: Database, load: Any) -> None:
    folder = REAL / "c7n-user_credential_multi_delete"
    if not folder.exists():
        pytest.skip(f"{folder} is not here")
    login = answers({**LOGIN, "Account": "644160558196"})
    load(NOW, (REAL / "c7n-multi" / "credential-report.csv").read_bytes(),
         login + (folder / "iam.ListAccessKeys_1.json").read_bytes())  # fmt: skip
    keys = {uid for uid in present(db) if "#console" not in uid}
    assert keys == {"AKIAJEZJDQQX4TZNRMKQ", "AKIAIFX6HPKAM5F7JVAA"}
