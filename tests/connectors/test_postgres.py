"""PostgreSQL from files: roles, memberships, dumps; and plans that survive hostile names."""

import shlex
from typing import Any

import pytest
from tests.conftest import SHARED
from tests.exports import of, parse, recognised

from passmuster import connectors
from passmuster.connectors import Context, plan
from passmuster.errors import ImportRefused
from passmuster.model import (
    Credential,
    Entitlement,
    Grant,
    Identity,
    Owner,
    Problem,
    Sighting,
    Source,
)  # fmt: skip

REAL = SHARED / "realdata" / "postgres"
HEAD = (
    b"oid,rolname,rolsuper,rolinherit,rolcreaterole,rolcreatedb,rolcanlogin,rolreplication,"
    b"rolbypassrls,rolconnlimit,rolvaliduntil,comment,members,system_identifier\n"
)
DUMP = "-- PostgreSQL database cluster dump\n{}\n-- PostgreSQL database cluster dump complete\n"
ID = "7300000000000000001"


def roles(*rows: str, given: Context | None = None) -> list[Any]:
    data = HEAD + "".join(f"{row}\n" for row in rows).encode()
    return recognised(data, "postgres.roles.csv", given or Context())


def dump(*statements: str) -> list[Any]:
    return recognised(DUMP.format("\n".join(statements)).encode(), "postgres.roles.sql")


@pytest.mark.skipif(not REAL.exists(), reason="the shared real exports are not here")
def test_the_real_exports_have_their_true_counts() -> None:
    found = recognised((REAL / "pg15-fresh-pg_roles.csv").read_bytes(), "postgres.roles.csv")
    assert len(of(found, Identity)) == 13
    assert [i.display_name for i in of(found, Identity) if i.status == "enabled"] == ["postgres"]
    assert [g.principal_uid for g in of(found, Grant)
            if g.entitlement_uid == "attribute:SUPERUSER"] == ["10"]  # fmt: skip
    members = recognised(
        (REAL / "pg15-fresh-pg_auth_members.csv").read_bytes(), "postgres.members.csv"
    )
    assert [g.principal_uid for g in of(members, Grant)] == ["pg_monitor"] * 3
    dumped = recognised((REAL / "pg15-fresh-roles.sql").read_bytes(), "postgres.roles.sql")
    assert [i.display_name for i in of(dumped, Identity)] == ["postgres"]
    assert len(of(dumped, Grant)) == 5
    assert not of(found + members + dumped, Problem)


def test_the_tenant_is_the_clusters_own_id_and_else_has_to_be_named() -> None:
    row = f"16384,ci,f,t,f,f,t,f,f,-1,,,0,{ID}"
    assert of(roles(row), Source) == [Source("postgres", ID)]
    assert of(roles(row, given=Context("orders")), Source) == [Source("postgres", ID, "orders")]
    with pytest.raises(ImportRefused, match="--source"):
        roles("16384,ci,f,t,f,f,t,f,f,-1,,,0,")
    with pytest.raises(ImportRefused, match="two clusters"):
        roles(row, "16385,x,f,t,f,f,t,f,f,-1,,,0,7300000000000000002")


@pytest.mark.parametrize(
    ("row", "kind", "status"),
    [
        ("16384,ci,f,t,f,f,t,f,f,-1,,,0,", "service", "enabled"),
        ("16384,ci,f,t,f,f,f,f,f,-1,,,0,", "service", "disabled"),
        ("16384,readers,f,t,f,f,f,f,f,-1,,,3,", "group", "disabled"),
        ("16384,readers,f,t,f,f,f,f,f,-1,,,,", "role", "disabled"),
        ("10,postgres,t,t,t,t,t,t,t,-1,,,0,", "system", "enabled"),
        ("3373,pg_monitor,f,t,f,f,f,f,f,-1,,,0,", "group", "disabled"),
    ],
)
def test_a_stopped_role_stays_what_it_was(row: str, kind: str, status: str) -> None:
    (found,) = of(roles(row + ID), Identity)
    assert (found.kind, found.status, found.last_used_state) == (kind, status, "not_tracked")


def test_the_end_of_a_password_is_told_and_infinity_is_none() -> None:
    found = roles(f"16384,ci,f,t,f,f,t,f,f,-1,2031-01-01 02:00:00+02,,0,{ID}",
                  f"16385,cd,f,t,f,f,t,f,f,-1,infinity,,0,{ID}",
                  f'16386,ce,f,t,f,f,t,f,f,-1,"Mon 01 Jan, 2031",,0,{ID}')  # fmt: skip
    assert [(c.uid, c.expires_at) for c in of(found, Credential)] == [
        ("16384#password", "2031-01-01T00:00:00Z")
    ]
    assert [p.line for p in of(found, Problem)] == [4]


def test_a_comment_names_the_owner_and_loses_its_password() -> None:
    found = roles(f"16384,ci,f,t,f,f,t,f,f,-1,,owner: ops@example.com pw: hunter2,0,{ID}")
    assert [o.handle for o in of(found, Owner)] == ["ops@example.com"]
    assert len(of(found, Sighting)) == 1
    assert "hunter2" not in str(found)


def test_a_password_in_a_dump_is_dropped_and_its_kind_told() -> None:
    found = dump(
        'CREATE ROLE "it\'s";',
        "ALTER ROLE \"it's\" WITH LOGIN PASSWORD 'md5abcdef';",
        "COMMENT ON ROLE \"it's\" IS 'a\n-- b; c\n''d''';",
        'GRANT pg_read_all_data TO "it\'s" WITH ADMIN OPTION GRANTED BY postgres;',
    )
    (identity,) = of(found, Identity)
    assert (identity.uid, identity.status) == ("it's", "enabled")
    assert identity.purpose == "a\\x0a-- b; c\\x0a'd'"
    assert '"md5"' in identity.attributes
    assert "abcdef" not in str(found)
    (entitlement,) = of(found, Entitlement)
    assert entitlement.permission_level == "read"
    assert of(found, Grant)[0].condition == "may pass it on"


@pytest.mark.parametrize("cut", ["\n-- PostgreSQL database cluster dump complete\n", ";\n-- P"])
def test_a_dump_without_its_end_is_refused(cut: str) -> None:
    whole = DUMP.format("CREATE ROLE ci;\nALTER ROLE ci WITH LOGIN;")
    with pytest.raises(ImportRefused, match="cut off"):
        parse(connectors.named("postgres.roles.sql"), whole[: whole.index(cut)].encode())


def dossier(name: str, detail: str = "postgres.login_role", **more: Any) -> dict[str, Any]:
    identity = {"uid": "16384", "display_name": name, "nhi_detail": detail, "status": "enabled"}
    return {
        "source": {"platform": "postgres"}, "identity": identity | more,
        "grants": [{"entitlement": f"{name}#member", "chain": [], "condition": "may pass it on"}],
    }  # fmt: skip


@pytest.mark.parametrize("name", ["x'; DROP ROLE y", '"; DROP', "$(id)", "a b", "-x", "\\'; x"])
def test_a_hostile_name_stays_one_name_in_the_shell_and_in_sql(name: str) -> None:
    (stop,) = plan(dossier(name), "disable")
    words = shlex.split(stop.stop[0])
    doubled = name.replace('"', '""')
    assert words[-1] == f'ALTER ROLE "{doubled}" NOLOGIN'
    assert shlex.split(stop.undo[0])[-1] == f'ALTER ROLE "{doubled}" LOGIN'
    assert stop.act is not None
    assert stop.act.on == {"role": name, "oid": "16384"}
    (leave,) = plan(dossier(name), "revoke", f"{name}#member")
    assert shlex.split(leave.undo[0])[-1].endswith("WITH ADMIN OPTION")


def test_what_initdb_made_and_what_is_off_has_no_plan() -> None:
    assert plan(dossier("postgres", "postgres.bootstrap"), "disable") == []
    assert plan(dossier("ci", status="disabled"), "disable") == []
    assert plan(dossier("ci"), "rotate") == []
    assert plan(dossier("ci"), "revoke", "other#member") == []
