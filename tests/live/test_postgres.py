"""A real PostgreSQL: its roles are read, stopped, refused and put back."""

import io
import json
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
from tests.server import postgres
from tests.wire import wire_to

pytestmark = pytest.mark.ci
SECRET = "a-real-passw0rd"


@pytest.fixture(scope="module")
def cluster(a_postgres: postgres.Cluster) -> postgres.Cluster:
    hba = a_postgres.folder / "d" / "pg_hba.conf"
    hba.write_text("local all asked scram-sha-256\n" + hba.read_text())
    with admin(a_postgres) as db:
        db.execute("SELECT pg_reload_conf()")
    time.sleep(0.2)
    return a_postgres


def admin(cluster: postgres.Cluster, user: str = "postgres") -> Any:
    import psycopg

    return psycopg.connect(host=str(cluster.folder), user=user, dbname="postgres", autocommit=True)


def where(folder: Path, user: str = "postgres", source: str = "postgres:") -> Where:
    settings = {"endpoint": f"postgresql:///postgres?host={folder}", "user": user}
    return Where(source, settings, lambda _name, _command: SECRET)


@pytest.fixture
def role(cluster: postgres.Cluster) -> Iterator[str]:
    """A role that a password is asked of, a member of `readers`, and nobody else's."""
    with admin(cluster) as db:
        db.execute("CREATE ROLE readers NOLOGIN")
        db.execute(f"CREATE ROLE asked LOGIN PASSWORD '{SECRET}' VALID UNTIL '2031-01-01 00:00Z'")
        db.execute("GRANT readers TO asked WITH ADMIN OPTION")
        db.execute("COMMENT ON ROLE asked IS 'nightly load; owner: data@example.com'")
        yield "asked"
        db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'asked'")
        db.execute("DROP ROLE IF EXISTS asked")
        db.execute("DROP ROLE IF EXISTS readers")


def collected(folder: Path, at: Where) -> list[Any]:
    folder = folder / "exports"
    folder.mkdir()
    connectors.collect(at, folder)
    found: list[Any] = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        fmt = connectors.recognise(data, path.name)
        found += connectors.read(fmt, io.BytesIO(data), Context())
    return found


def dossier(records: list[Any], name: str) -> dict[str, Any]:
    (identity,) = [i for i in of(records, model.Identity) if i.display_name == name]
    mine = (identity.uid, identity.uid_alt)
    return {
        "source": {"platform": "postgres"}, "identity": identity._asdict(), "credentials": [],
        "grants": [
            {"entitlement": g.entitlement_uid, "via": g.via, "chain": [], "condition": g.condition}
            for g in of(records, model.Grant) if g.principal_uid in mine
        ],
    }  # fmt: skip


def logs_in(cluster: postgres.Cluster) -> bool:
    import psycopg

    try:
        psycopg.connect(
            host=str(cluster.folder), user="asked", password=SECRET, dbname="postgres"
        ).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_role_is_stopped_refused_and_put_back(
    cluster: postgres.Cluster, role: str, tmp_path: Path
) -> None:
    import psycopg

    at = where(cluster.folder)
    records = collected(tmp_path, at)
    (plan,) = connectors.plan(dossier(records, role), "disable")
    assert plan.act is not None
    session = psycopg.connect(
        host=str(cluster.folder), user=role, password=SECRET, dbname="postgres"
    )
    live = connectors.connect(at)
    saved = live.read(plan.act)
    assert saved == plan.act.known
    assert live.refused(plan.act, SECRET)[0] == "works"
    began = time.monotonic()
    live.write(plan.act, plan.act.wanted)
    while (told := live.refused(plan.act, SECRET))[0] != "refused":
        assert time.monotonic() - began < 20, told
    took = time.monotonic() - began
    print(f"postgres: NOLOGIN to refused {took:.3f} s: {told[1]}")
    assert "is not permitted to log in" in told[1]
    assert live.refused(plan.act)[0] == "flag"
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    live.write(plan.act, plan.act.wanted)  # twice is as once
    live.write(plan.act, saved)
    assert live.refused(plan.act, SECRET) == ("works", "it logged in")
    assert live.read(plan.act) == saved
    live.close()


def test_the_lines_of_a_plan_do_the_same_in_psql(
    cluster: postgres.Cluster, role: str, tmp_path: Path
) -> None:
    (plan,) = connectors.plan(dossier(collected(tmp_path, where(cluster.folder)), role), "disable")
    env = {"PGHOST": str(cluster.folder), "PGUSER": "postgres",
           "PATH": f"{postgres.binaries()}:/usr/bin:/bin"}  # fmt: skip
    for lines, may in ((plan.stop, False), (plan.undo, True)):
        for line in lines:
            subprocess.run(["sh", "-c", line], capture_output=True, check=True, timeout=60, env=env)
        assert logs_in(cluster) is may


def test_a_membership_is_taken_and_given_back_with_its_options(
    cluster: postgres.Cluster, role: str, tmp_path: Path
) -> None:
    at = where(cluster.folder)
    (plan,) = connectors.plan(dossier(collected(tmp_path, at), role), "revoke", "readers#member")
    assert plan.act is not None
    assert plan.undo_class == "R2"
    live = connectors.connect(at)
    saved = live.read(plan.act)
    assert saved is not None
    assert saved["grants"][0]["admin"] is True
    assert live.refused(plan.act)[0] == "works"
    live.write(plan.act, None)
    live.write(plan.act, None)
    assert live.read(plan.act) is None
    assert live.refused(plan.act)[0] == "refused"
    live.write(plan.act, json.loads(json.dumps(saved)))
    assert live.read(plan.act) == saved
    live.close()


def test_what_is_collected_names_the_cluster_and_holds_no_password(
    cluster: postgres.Cluster, role: str, tmp_path: Path
) -> None:
    records = collected(tmp_path, where(cluster.folder))
    sources = {s.tenant_uid for s in of(records, model.Source)}
    assert len(sources) == 1
    assert sources.pop().isdigit()
    (password,) = of(records, model.Credential)
    assert password.expires_at == "2031-01-01T00:00:00Z"
    assert [o.handle for o in of(records, model.Owner)] == ["data@example.com"]
    assert SECRET not in str(records)
    assert "SCRAM" not in str(records)
    with pytest.raises(Declined, match="and not 7000000000000000000"):
        connectors.connect(where(cluster.folder, source="postgres:7000000000000000000"))


def test_a_cluster_under_a_label_of_its_own_is_collected_under_it(
    cluster: postgres.Cluster, role: str, tmp_path: Path
) -> None:
    connectors.collect(where(cluster.folder, source="postgres:orders"), tmp_path)
    assert b"system_identifier" not in (tmp_path / "roles.csv").read_bytes()


def test_a_wrong_password_proves_nothing(cluster: postgres.Cluster, role: str) -> None:
    act = Act("postgres.role.login", {"role": role}, {"login": False})
    live = connectors.connect(where(cluster.folder))
    assert live.refused(act, "wrong")[0] == "works" or live.refused(act, "wrong")[0] == "unknown"
    live.write(act, act.wanted)
    assert live.refused(act, "wrong")[0] == "flag"
    live.close()


def test_what_is_gone_or_not_allowed_is_declined(cluster: postgres.Cluster, role: str) -> None:
    gone = Act("postgres.role.login", {"role": "nobody"}, {"login": False})
    live = connectors.connect(where(cluster.folder))
    assert live.read(gone) is None
    assert live.refused(gone)[0] == "flag"
    for act, state, status in (
        (gone, gone.wanted, 404),
        (Act("postgres.role.login", {"role": role}, None), {"login": True, "oid": "1"}, 409),
        (Act("postgres.role.login", {"role": role}, None), None, 400),
        (Act("postgres.elsewhere", {}, None), None, 400),
        (Act("postgres.role.login", {"role": "postgres"}, None), {"login": False}, 409),
        (Act("postgres.role.login", {}, None), {}, 400),
        (Act("postgres.role.login", {"role": "x\0y"}, None), {"login": True}, 400),
    ):
        with pytest.raises(Declined) as declined:
            live.write(act, state)
        assert declined.value.status == status, act
    live.close()
    weak = connectors.connect(where(cluster.folder, user=role))
    act = Act("postgres.role.login", {"role": "postgres"}, {"login": False})
    assert weak.read(act)
    with pytest.raises(Declined) as declined:
        weak.write(act, act.wanted)
    assert declined.value.status == 403
    weak.close()


@pytest.mark.parametrize("mode", ["cut", "drip", "mute"])
@pytest.mark.parametrize("verb", ["read", "write", "refused", "connect", "collect"])
def test_a_connection_that_breaks_is_unreachable_and_nothing_else(
    cluster: postgres.Cluster, role: str, mode: str, verb: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from passmuster.connectors.postgres import _live

    monkeypatch.setattr(_live, "DEADLINE_S", 0.4)
    monkeypatch.setattr(_live, "COLLECT_S", 0.4)
    monkeypatch.setattr(_live, "CONNECT_S", 2)
    act = Act("postgres.role.login", {"role": role}, {"login": True})
    near = tmp_path / "w"
    near.mkdir()
    with wire_to(str(cluster.folder / ".s.PGSQL.5432"), near / ".s.PGSQL.5432") as wire:
        at = where(near)
        live = connectors.connect(at) if verb in ("read", "write", "refused") else None
        wire.mode = mode
        began = time.monotonic()
        with pytest.raises(Unreachable) as broken:
            if live is not None:
                given = (act, act.wanted) if verb == "write" else (act,)
                getattr(live, verb)(*given)
            elif verb == "connect":
                connectors.connect(at)
            else:
                connectors.collect(at, tmp_path)
        assert not isinstance(broken.value, Declined)
        assert time.monotonic() - began < 10
        if live is not None:
            with pytest.raises(Unreachable):
                live.read(act)
            live.close()


def test_settings_that_would_weaken_it_are_refused() -> None:
    for endpoint in ("postgresql://db.example.com/x?sslmode=disable", "postgresql://h/?password=x",
                     "mysql://h", "postgresql://h/?options=-csearch_path%3Dx"):  # fmt: skip
        with pytest.raises(UsageError):
            connectors.connect(Where("postgres:", {"endpoint": endpoint}))
    with pytest.raises(UsageError, match="endpoint ="):
        connectors.connect(Where("postgres:"))
    with pytest.raises(Unreachable):
        connectors.connect(Where("postgres:", {"endpoint": "postgresql://127.0.0.1:1/x"}))
