"""Tying rows together: owners to people, holders to power; never by a guess."""

import json
from pathlib import Path

import pytest

from passmuster import inventory
from passmuster.connectors import Context
from passmuster.store import Database
from tests.bench.estate import ACCOUNT
from tests.estates import ME, NOW

PEOPLE = """email,name,kind,active,left_on,manager,aliases,teams
j.okafor@example.com,Joy Okafor,person,yes,,,jokafor;joy,Platform
m.ito@example.com,Mai Ito,person,no,2026-08-31,,mito,
s.one@example.com,Sam One,person,yes,,,sam,
s.two@example.com,Sam Two,person,yes,,,sam,
,Platform,team,yes,,j.okafor@example.com,platform-team;plat,
"""


def details(*users: dict[str, object], **more: object) -> str:
    base = {"UserDetailList": list(users), "GroupDetailList": [], "RoleDetailList": [],
            "Policies": []}  # fmt: skip
    return json.dumps({**base, **more})


def user(name: str, groups: list[str] | None = None, **tags: str) -> dict[str, object]:
    return {
        "UserName": name, "Arn": f"arn:aws:iam::{ACCOUNT}:user/{name}", "UserId": f"AIDA{name}",
        "Path": "/", "CreateDate": "2020-01-01T00:00:00Z", "GroupList": groups or [],
        "Tags": [{"Key": k, "Value": v} for k, v in tags.items()],
    }  # fmt: skip


def load(db: Database, path: Path, content: str, format_name: str | None = None) -> None:
    path.write_text(content)
    inventory.import_file(db, path, now=NOW, by=ME, format_name=format_name, context=Context())


@pytest.mark.parametrize("people_first", [True, False])
def test_an_owner_tag_is_matched_by_address_or_alias_in_any_order_of_imports(
    db: Database, tmp_path: Path, people_first: bool
) -> None:
    users = details(
        user("a", owner="J.Okafor@example.com"), user("b", owner="jokafor"),
        user("c", team="platform-team"), user("d", owner="Joy Okafor"), user("e", owner="sam"),
    )  # fmt: skip
    steps = [("people.csv", PEOPLE, "people"), ("users.json", users, None)]
    for name, content, form in steps if people_first else reversed(steps):
        load(db, tmp_path / name, content, form)
    owners = {
        row[0]: row[1:]
        for row in db.execute(
            "SELECT i.display_name, p.email, t.display_name FROM owner o JOIN identity i"
            " ON i.id = o.identity_id LEFT JOIN person p ON p.uid = o.person_uid"
            " LEFT JOIN team t ON t.uid = o.team_uid"
        )
    }
    assert owners["a"] == owners["b"] == ("j.okafor@example.com", None)
    assert owners["c"] == (None, "Platform")
    assert owners["d"] == (None, None), "a display name is no address: never guessed"
    assert owners["e"] == (None, None), "two people share the alias: it is nobody's"


def test_power_through_a_group_makes_its_members_privileged(db: Database, tmp_path: Path) -> None:
    admin = {"PolicyName": "AdministratorAccess",
             "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}  # fmt: skip
    group = {"GroupName": "ops", "GroupId": "G1", "Arn": f"arn:aws:iam::{ACCOUNT}:group/ops",
             "Path": "/", "CreateDate": "2020-01-01T00:00:00Z",
             "AttachedManagedPolicies": [admin]}  # fmt: skip
    load(db, tmp_path / "a.json", details(user("in", ["ops"]), user("out"),
                                          GroupDetailList=[group]))  # fmt: skip
    found = dict(db.execute("SELECT display_name, is_privileged FROM identity"))
    assert found == {"in": 1, "out": 0, "ops": 1}
    assert "AdministratorAccess" in db.value(
        "SELECT privilege_reason FROM identity WHERE display_name = 'in'"
    )
    load(db, tmp_path / "b.json", details(user("in"), user("out"), GroupDetailList=[group]))
    assert dict(db.execute("SELECT display_name, is_privileged FROM identity"))["in"] == 0


def test_power_through_groups_of_groups_and_a_ring_of_groups_ends(
    db: Database, tmp_path: Path
) -> None:
    def entry(name: str, kind: str, member_of: list[str], sid: int) -> str:
        lines = [f"dn: CN={name},DC=lab,DC=example,DC=com", "objectClass: top",
                 f"objectClass: {kind}", f"cn: {name}", f"sAMAccountName: {name}",
                 f"objectSid: S-1-5-21-1-2-3-{sid}"]  # fmt: skip
        lines += [f"memberOf: CN={g},DC=lab,DC=example,DC=com" for g in member_of]
        return "\n".join(lines) + "\n"

    ldif = "\n".join([
        entry("Domain Admins", "group", [], 512), entry("tier0", "group", ["Domain Admins"], 2001),
        entry("ring-a", "group", ["ring-b", "tier0"], 2002),
        entry("ring-b", "group", ["ring-a"], 2003),
        entry("svc-deep", "user", ["ring-b"], 2004), entry("svc-none", "user", [], 2005),
    ])  # fmt: skip
    load(db, tmp_path / "a.ldif", ldif, "ad.ldif")
    found = dict(db.execute("SELECT display_name, is_privileged FROM identity"))
    assert found["svc-deep"] == 1
    assert found["svc-none"] == 0


def test_a_register_names_an_identity_by_any_handle_but_not_by_one_that_two_share(
    db: Database, tmp_path: Path
) -> None:
    load(db, tmp_path / "people.csv", PEOPLE, "people")
    load(db, tmp_path / "a.json", details(user("deploy"), user("backup")))
    other = details(user("deploy")).replace(ACCOUNT, "444455556666")
    load(db, tmp_path / "b.json", other)
    load(db, tmp_path / "owners.csv", (
        "identity,owner,role,evidence\n"
        f"arn:aws:iam::{ACCOUNT}:user/backup,jokafor,owner,asked\n"
        "deploy,jokafor,owner,asked\n"
    ), "owners")  # fmt: skip
    rows = db.execute(
        "SELECT o.identity_uid, i.uid FROM owner o LEFT JOIN identity i ON i.id = o.identity_id"
    ).fetchall()
    assert sorted(rows) == [
        (f"arn:aws:iam::{ACCOUNT}:user/backup", f"arn:aws:iam::{ACCOUNT}:user/backup"),
        ("deploy", None),
    ]


def test_a_register_row_that_ties_to_nobody_is_a_listed_problem(
    db: Database, tmp_path: Path
) -> None:
    load(db, tmp_path / "people.csv", PEOPLE, "people")
    load(db, tmp_path / "a.json", details(user("deploy")))
    path = tmp_path / "owners.csv"
    path.write_text(
        "identity,owner,role,evidence\ndeploy,jokafor,owner,asked\n"
        "nosuch,jokafor,owner,asked\ndeploy,nobody,owner,asked\n"
    )
    (run,) = inventory.import_file(db, path, now=NOW, by=ME, format_name="owners")
    assert run.new == 3
    assert sorted((p.line, p.field) for p in run.problems) == [(3, "identity"), (4, "owner")]
