"""MariaDB from files: accounts, roles, privileges; and plans that survive hostile names."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import NOW, SHARED
from tests.exports import of, recognised

from passmuster import inventory
from passmuster.connectors import Context, plan
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Entitlement, Grant, Identity, Problem, Source
from passmuster.store import Database

REAL = SHARED / "realdata" / "mariadb" / "global_priv.tsv"


def accounts(*rows: tuple[str, str, dict[str, Any]]) -> list[Any]:
    lines = ["Host\tUser\tPriv", *(f"{h}\t{u}\t{json.dumps(p)}" for h, u, p in rows)]
    return recognised(("\n".join(lines) + "\n").encode(), "mariadb.global_priv.tsv")


@pytest.mark.skipif(not REAL.exists(), reason="the shared real exports are not here")
def test_the_real_export_has_its_true_counts() -> None:
    found = recognised(REAL.read_bytes(), "mariadb.global_priv.tsv")
    identities = of(found, Identity)
    assert len(identities) == 5
    assert [i.uid for i in identities if i.is_locked] == ["mariadb.sys@localhost"]
    everything = [g for g in of(found, Grant) if g.entitlement_uid == "global:ALL PRIVILEGES"]
    assert len(everything) == 4
    assert all("without a password" in i.attributes for i in identities)
    assert not of(found, Credential) + of(found, Problem)


def test_the_tenant_is_the_servers_own_uid_and_else_has_to_be_named() -> None:
    head, row = b"Host\tUser\tPriv\tserver_uid\n", b"%\tci\t{}\tRVhB=\n"
    name = "mariadb.global_priv.tsv"
    assert of(recognised(head + row, name, Context()), Source) == [Source("mariadb", "RVhB=")]
    with pytest.raises(ImportRefused, match="--source"):
        recognised(b"Host\tUser\tPriv\n%\tci\t{}\n", name, Context())
    with pytest.raises(ImportRefused, match="two servers"):
        recognised(head + row + b"%\tcd\t{}\tRVhC=\n", name, Context())
    with pytest.raises(ImportRefused, match="inside a row"):
        recognised(head + row[:-3], name, Context())


def test_a_server_without_roles_that_is_collected_for_the_first_time_is_of_one_source(
    db: Database, tmp_path: Path
) -> None:
    accounts, roles = tmp_path / "global_priv.tsv", tmp_path / "roles_mapping.tsv"
    accounts.write_bytes(b"Host\tUser\tPriv\tserver_uid\n%\tci\t{}\tRVhB=\n")
    roles.write_bytes(b"Host\tUser\tRole\tAdmin_option\tserver_uid\n")
    with pytest.raises(ImportRefused, match="--source"):
        inventory.import_files(db, [accounts, roles], now=NOW, by=None)
    asked = Context(label_is_tenant=True)
    found = inventory.import_files(
        db, [accounts, roles], now=NOW, by=None, context=asked, just_made=True
    )
    assert {run.source for run in found} == {"mariadb:RVhB="}


@pytest.mark.parametrize(
    ("priv", "words", "credentials"),
    [
        ({"plugin": "mysql_native_password", "authentication_string": "*AB"}, "native", 1),
        ({"plugin": "mysql_native_password", "authentication_string": ""}, "without a password", 0),
        ({"plugin": "unix_socket", "authentication_string": ""}, "unix_socket", 0),
        ({"plugin": "ed25519", "authentication_string": "h", "auth_or": [{}, {"plugin": "pam"}]},
         "ed25519, pam", 1),
        ({"plugin": "mysql_native_password", "authentication_string": "invalid"}, "without", 0),
    ],
)  # fmt: skip
def test_how_an_account_logs_in(priv: dict[str, Any], words: str, credentials: int) -> None:
    found = accounts(("%", "ci", priv))
    assert words in of(found, Identity)[0].attributes
    assert len(of(found, Credential)) == credentials
    assert "*AB" not in str(found)


def test_a_password_ends_by_its_lifetime() -> None:
    base = {"authentication_string": "*A", "password_last_changed": 1_600_000_000}
    found = accounts(("%", "a", base | {"password_lifetime": 90}),
                     ("%", "b", base | {"password_lifetime": 0}), ("%", "c", base))  # fmt: skip
    assert [(c.expires_state, c.expires_at) for c in of(found, Credential)] == [
        ("set", "2020-12-12T12:26:40Z"), ("none", None), ("unknown", None)
    ]  # fmt: skip


def test_bits_become_privileges_with_a_level() -> None:
    found = accounts(("%", "ci", {"access": 1 << 0 | 1 << 15 | 1 << 3}))
    levels = {e.uid: e.permission_level for e in of(found, Entitlement)}
    assert levels == {"global:SELECT": "read", "global:SUPER": "admin", "global:DELETE": "write"}
    found = accounts(("%", "ci", {"access": 549755812863}))
    assert [e.uid for e in of(found, Entitlement)] == ["global:ALL PRIVILEGES"]


def dossier(uid: str, detail: str = "mariadb.account", **more: Any) -> dict[str, Any]:
    identity = {"uid": uid, "display_name": uid, "nhi_detail": detail, "status": "enabled"}
    return {
        "source": {"platform": "mariadb"}, "identity": identity | more,
        "grants": [{"entitlement": "r'x@#member", "chain": [], "condition": None}],
    }  # fmt: skip


@pytest.mark.parametrize("name", ["x'; DROP USER y", "$(id)", "a b", "-x", "\\'; x", "a@b"])
def test_a_hostile_name_stays_one_name_in_the_shell_and_in_sql(name: str) -> None:
    (stop,) = plan(dossier(f"{name}@10.%"), "disable")
    quoted = "'" + name.replace("\\", "\\\\").replace("'", "''") + "'"
    assert shlex.split(stop.stop[0])[-1] == f"ALTER USER {quoted}@'10.%' ACCOUNT LOCK"
    assert stop.act is not None
    assert stop.act.on == {"user": name, "host": "10.%"}
    (leave,) = plan(dossier(f"{name}@10.%"), "revoke", "r'x@#member")
    assert shlex.split(leave.stop[0])[-1] == f"REVOKE 'r''x' FROM {quoted}@'10.%'"


def test_what_is_locked_and_what_is_the_servers_own_has_no_plan() -> None:
    assert plan(dossier("ci@%", status="disabled"), "disable") == []
    assert plan(dossier("mariadb.sys@localhost", "mariadb.internal"), "disable") == []
    assert plan(dossier("readers@", "mariadb.role"), "disable") == []
    assert plan(dossier("ci@%"), "rotate") == []
