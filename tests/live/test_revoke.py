"""`muster revoke` on a real PostgreSQL: the whole command, to the server's own refusal and back."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Muster
from tests.server import postgres

pytestmark = pytest.mark.ci
SECRET = "a-real-passw0rd"


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.started() as found:
        hba = found.folder / "d" / "pg_hba.conf"
        hba.write_text("local all asked scram-sha-256\n" + hba.read_text())
        with admin(found) as db:
            db.execute("SELECT pg_reload_conf()")
            db.execute(f"CREATE ROLE asked LOGIN PASSWORD '{SECRET}'")
        time.sleep(0.2)
        yield found


def admin(cluster: postgres.Cluster) -> Any:
    import psycopg

    return psycopg.connect(
        host=str(cluster.folder), user="postgres", dbname="postgres", autocommit=True
    )


def logs_in(cluster: postgres.Cluster) -> bool:
    import psycopg

    try:
        psycopg.connect(
            host=str(cluster.folder), user="asked", password=SECRET, dbname="postgres"
        ).close()
    except psycopg.OperationalError:
        return False
    return True


def muster(folder: Path, *words: str, stdin: str | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "passmuster", *words], input=stdin or "", text=True,
        capture_output=True, timeout=120, check=False,
        env={**os.environ, "MUSTER_WORKSPACE": str(folder)},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_a_role_whose_password_leaked_is_refused_in_one_command(
    cluster: postgres.Cluster, inside: Muster, folder: Path, passphrase_file: Path
) -> None:
    assert passphrase_file.exists() and logs_in(cluster)
    inside("init")
    settings = folder / "config.toml"
    at = f"postgresql:///postgres?host={cluster.folder}"
    with admin(cluster) as db:
        (tenant,) = db.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
    settings.write_text(
        "".join(f'[sources."postgres:{t}"]\nendpoint = "{at}"\nuser = "postgres"\n'
                for t in ("", tenant))
    )  # fmt: skip
    settings.chmod(0o600)
    inside("key", "new", "--key-store", "file")
    inside("collect", f"postgres:{tenant}")
    words = ("revoke", "asked", "--reason", "its password is in a public gist", "--yes", "--json")
    code, out, err = muster(folder, *words, "--secret-stdin", stdin=f"{SECRET}\n")
    assert code == 0, err
    (found,) = json.loads(out)
    assert (found["state"], found["answer"], found["undo_class"]) == ("verified", "refused", "R1")
    assert not logs_in(cluster)
    assert SECRET not in out + err
    for path in folder.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()
    print(f"start to refused: {found['seconds']} s")
    code, out, err = muster(folder, "remediate", "restore", found["remediation"], "--yes")
    assert code == 0, err
    assert logs_in(cluster)
    assert muster(folder, "verify", str(folder))[0] == 0
