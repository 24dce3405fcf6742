"""A real MariaDB: its accounts are read, locked, refused and unlocked."""

import io
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from passmuster import connectors, model
from passmuster.connectors import Act, Context, Where
from passmuster.errors import Declined, Unreachable, UsageError
from tests.exports import of
from tests.live import services
from tests.wire import wire_to

pytestmark = pytest.mark.ci
SECRET = "a-real-passw0rd"
LOCK = Act("mariadb.account.lock", {"user": "ci", "host": "localhost"}, {"locked": True})


@pytest.fixture(scope="module")
def server(a_mariadb: Path) -> Path:
    return a_mariadb


def sql(server: Path, *statements: str, user: str = "root", password: str = "") -> list[Any]:
    import pymysql

    with (
        pymysql.connect(unix_socket=str(server), user=user, password=password) as db,
        db.cursor() as cursor,
    ):
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def where(server: Path, user: str = "root", source: str = "mariadb:") -> Where:
    settings = {"endpoint": f"mariadb://{server}", "user": user}
    return Where(source, settings, lambda _name, _command: SECRET)


@pytest.fixture
def account(server: Path) -> Iterator[str]:
    sql(
        server, f"CREATE USER ci@localhost IDENTIFIED BY '{SECRET}'", "CREATE ROLE readers",
        "GRANT SELECT ON *.* TO readers", "GRANT readers TO ci@localhost WITH ADMIN OPTION",
    )  # fmt: skip
    yield "ci@localhost"
    sql(server, "KILL USER ci", "DROP USER IF EXISTS ci@localhost", "DROP ROLE IF EXISTS readers")


def collected(folder: Path, at: Where) -> list[Any]:
    folder = folder / "exports"
    folder.mkdir()
    connectors.collect(at, folder)
    found: list[Any] = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        found += connectors.read(connectors.recognise(data, path.name), io.BytesIO(data), Context())
    return found


def dossier(records: list[Any], uid: str) -> dict[str, Any]:
    (identity,) = [i for i in of(records, model.Identity) if i.uid == uid]
    return {
        "source": {"platform": "mariadb"}, "identity": identity._asdict(), "credentials": [],
        "grants": [
            {"entitlement": g.entitlement_uid, "via": g.via, "chain": [], "condition": g.condition}
            for g in of(records, model.Grant) if g.principal_uid == uid
        ],
    }  # fmt: skip


def logs_in(server: Path) -> bool:
    import pymysql

    try:
        return bool(sql(server, "SELECT 1", user="ci", password=SECRET))
    except pymysql.MySQLError:
        return False


def test_an_account_is_stopped_refused_and_put_back(
    server: Path, account: str, tmp_path: Path
) -> None:
    import pymysql

    at = where(server)
    (plan,) = connectors.plan(dossier(collected(tmp_path, at), account), "disable")
    assert plan.act is not None
    session = pymysql.connect(unix_socket=str(server), user="ci", password=SECRET)
    live = connectors.connect(at)
    saved = live.read(plan.act)
    assert saved == plan.act.known
    assert live.refused(plan.act, SECRET) == ("works", "it logged in")
    began = time.monotonic()
    live.write(plan.act, plan.act.wanted)
    while (told := live.refused(plan.act, SECRET))[0] != "refused":
        assert time.monotonic() - began < 20, told
    print(f"mariadb: lock to refused {time.monotonic() - began:.3f} s: {told[1]}")
    assert "this account is locked" in told[1]
    assert live.refused(plan.act)[0] == "flag"
    assert live.refused(plan.act, "wrong")[0] == "flag"
    with pytest.raises(pymysql.MySQLError):
        session.query("SELECT 1")
    session.close()
    live.write(plan.act, plan.act.wanted)
    live.write(plan.act, saved)
    assert live.refused(plan.act, SECRET) == ("works", "it logged in")
    assert live.read(plan.act) == saved
    live.close()


def test_a_role_is_taken_and_given_back(server: Path, account: str, tmp_path: Path) -> None:
    at = where(server)
    found = dossier(collected(tmp_path, at), account)
    (plan,) = connectors.plan(found, "revoke", "readers@#member")
    assert plan.act is not None
    live = connectors.connect(at)
    saved = live.read(plan.act)
    assert saved == plan.act.known == {"admin": True}
    assert live.refused(plan.act, SECRET)[0] == "works"
    live.write(plan.act, None)
    live.write(plan.act, None)
    assert live.read(plan.act) is None
    assert live.refused(plan.act, SECRET)[0] == "refused"
    live.write(plan.act, saved)
    assert live.read(plan.act) == saved
    live.close()


def test_the_lines_of_a_plan_do_the_same(
    server: Path, account: str, tmp_path: Path, home: Path
) -> None:
    services.program("mariadb")
    (plan,) = connectors.plan(dossier(collected(tmp_path, where(server)), account), "disable")
    (home / ".my.cnf").write_text(f"[client]\nsocket={server}\nuser=root\n")
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    for lines, may in ((plan.stop, False), (plan.undo, True)):
        for line in lines:
            subprocess.run(["sh", "-c", line], check=True, capture_output=True, timeout=60, env=env)
        assert logs_in(server) is may


def test_what_is_collected_is_what_the_client_writes_and_holds_no_hash(
    server: Path, account: str, tmp_path: Path
) -> None:
    client = services.program("mariadb")
    sql(server, "CREATE USER `a\\b\tc`@'10.%' IDENTIFIED VIA mysql_native_password USING"
        " PASSWORD('x') OR unix_socket")  # fmt: skip
    try:
        records = collected(tmp_path, where(server))
        fmt = connectors.named("mariadb.global_priv.tsv")
        query = fmt.howto.split('"')[1]
        said = subprocess.run(
            [client, "--no-defaults", "-S", str(server), "-uroot", "-B", "-e", query],
            check=True, capture_output=True, timeout=60,
        ).stdout  # fmt: skip
    finally:
        sql(server, "DROP USER `a\\b\tc`@'10.%'")
    assert (tmp_path / "exports" / "global_priv.tsv").read_bytes() == said
    assert b'authentication_string":' not in said
    (odd,) = [i for i in of(records, model.Identity) if i.uid.endswith("@10.%")]
    assert odd.uid == "a\\b\\x09c@10.%"
    assert "mysql_native_password, unix_socket" in odd.attributes
    assert len({s.tenant_uid for s in of(records, model.Source)}) == 1
    with pytest.raises(Declined, match="not other="):
        connectors.connect(where(server, source="mariadb:other="))


def test_what_is_gone_or_not_allowed_is_declined(server: Path, account: str) -> None:
    live = connectors.connect(where(server))
    gone = Act(LOCK.name, {"user": "nobody", "host": "%"}, {"locked": True})
    assert live.read(gone) is None
    assert live.refused(gone)[0] == "flag"
    role = Act("mariadb.account.role", {"user": "ci", "host": "localhost", "role": "none"}, None)
    for act, state, status in (
        (gone, {"locked": True}, 404), (LOCK, None, 400), (Act(LOCK.name, {}, None), None, 400),
        (Act("mariadb.elsewhere", {"user": "", "host": ""}, None), None, 400),
        (role, {"admin": False}, 404),
        (Act(LOCK.name, {"user": "root", "host": "localhost"}, None), {"locked": True}, 409),
    ):  # fmt: skip
        with pytest.raises(Declined) as declined:
            live.write(act, state)
        assert declined.value.status == status, (act, declined.value)
    live.close()
    weak = connectors.connect(where(server, user="ci"))
    other = Act(LOCK.name, {"user": "root", "host": "localhost"}, LOCK.wanted)
    for verb, args in (("read", (LOCK,)), ("refused", (LOCK,)), ("write", (other, LOCK.wanted))):
        with pytest.raises(Declined) as declined:
            getattr(weak, verb)(*args)
        assert declined.value.status == 403
    weak.close()


@pytest.mark.parametrize("mode", ["cut", "drip", "mute"])
@pytest.mark.parametrize("verb", ["read", "write", "refused", "connect", "collect"])
def test_a_connection_that_breaks_is_unreachable_and_nothing_else(
    server: Path, account: str, mode: str, verb: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from passmuster.connectors.mariadb import _live

    for name in ("DEADLINE_S", "COLLECT_S", "CONNECT_S"):
        monkeypatch.setattr(_live, name, 0.5)
    near = tmp_path / "w"
    with wire_to(str(server), near) as wire:
        at = where(near)
        live = connectors.connect(at) if verb in ("read", "write", "refused") else None
        wire.mode = mode
        with pytest.raises(Unreachable) as broken:
            if live is not None:
                given = (LOCK, {"locked": False}) if verb == "write" else (LOCK,)
                getattr(live, verb)(*given)
            elif verb == "connect":
                connectors.connect(at)
            else:
                connectors.collect(at, tmp_path)
        assert not isinstance(broken.value, Declined)
        if live is not None:
            with pytest.raises(Unreachable):
                live.read(LOCK)
            live.close()


def test_settings_that_would_weaken_it_are_refused() -> None:
    for endpoint in ("mariadb://u:p@h", "postgresql://h", "mariadb://", "mariadb://h?ssl=0"):
        with pytest.raises(UsageError):
            connectors.connect(Where("mariadb:", {"endpoint": endpoint}))
    with pytest.raises(UsageError, match="endpoint ="):
        connectors.connect(Where("mariadb:"))
    with pytest.raises(Unreachable):
        connectors.connect(Where("mariadb:", {"endpoint": "mariadb://127.0.0.1:1"}))
