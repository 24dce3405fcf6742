"""From the start of `muster revoke` to a refused login, against the bare vendor calls in the same
run, as a ratio: `python -m tests.bench.revoke [ROUNDS]`.

Where the connector of PostgreSQL and `psql` are here: a real cluster. The floor is two processes of
the vendor's own tool: `ALTER ROLE … NOLOGIN`, and a login that is refused. Else the toy of the
tests, whose floor is the two bare HTTP calls in a process of their own. By the clock, medians, each
round of both on a role of its own: how long somebody waits is the question. Ours also opens the key
(bcrypt, 100 rounds), signs twice, and has three things on the disk before it answers.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from passmuster import config, connectors, intake, keys, store
from passmuster.connectors import Where

ME, PASSPHRASE = "oncall@example.com", "correct horse battery"
PLATFORMS = Path(__file__).parent.parent / "remediation" / "platforms"
TOY = (
    "import sys; from passmuster import connectors, cli;"
    " connectors.__path__.append(sys.argv.pop(1)); cli.main()"
)
"""The command with the toy among its platforms."""
BARE = (
    "import sys, urllib.request as r\n"
    "url, of, token = sys.argv[1:]; h = {'Authorization': f'Bearer {token}'}\n"
    "r.urlopen(r.Request(f'{url}/objects/{of}', b'{\"enabled\": false}', h, method='PUT')).read()\n"
    "try: r.urlopen(r.Request(f'{url}/login/{of}?', headers=h))\n"
    "except OSError as e: assert '401' in str(e)\n"
)
Call = Callable[[str], object]


def clock(call: Call, name: str) -> float:
    """Seconds that *call* takes."""
    began = time.perf_counter()
    call(name)
    return time.perf_counter() - began


def workspace(folder: Path, source: str, settings: dict[str, str]) -> dict[str, str]:
    """A workspace with a key and the source; the environment of its command."""
    store.create(folder).close()
    lines = "".join(f"{k} = {json.dumps(v)}\n" for k, v in settings.items())
    (folder / "config.toml").write_text(f'me = "{ME}"\n[sources."{source}"]\n{lines}')
    (folder / "config.toml").chmod(0o600)
    secret = folder.parent / "passphrase"
    secret.write_text(PASSPHRASE)
    env = {**os.environ, "MUSTER_WORKSPACE": str(folder), "MUSTER_ME": ME,
           "MUSTER_KEY_PASSPHRASE_FILE": str(secret),
           "PYTHONPYCACHEPREFIX": str(folder.parent / "pycache")}  # fmt: skip
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled once
    new = [sys.executable, "-m", "passmuster", "key", "new", "--key-store", "file"]
    subprocess.run(new, env=env, check=True, capture_output=True)
    where = Where(source, settings, lambda *_: "t0ken")
    exports = folder.parent / "exports"
    exports.mkdir()
    connectors.collect(where, exports)
    db = store.open_(folder)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    intake.import_files(db, sorted(exports.iterdir()), config.Settings(), now=now)
    db.close()
    return env


def unlocking(folder: Path) -> float:
    """Seconds that opening the key file takes alone, which is slow on purpose."""
    db = store.open_(folder)
    talk = keys.Talk(lambda _: PASSPHRASE.encode(), print)
    took = clock(lambda me: keys.load(db, me, talk, 5.0), ME)
    db.close()
    return took


def revoking(env: dict[str, str], *before: str) -> Call:
    """The whole command, on one thing."""

    def call(name: str) -> None:
        done = subprocess.run(
            [sys.executable, *(before or ("-m", "passmuster")), "revoke", name, "--yes", "--json",
             "--reason", "leaked"], env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        (found,) = json.loads(done.stdout or "[{}]")
        assert found.get("answer") in ("refused", "flag"), done.stderr

    return call


@contextmanager
def postgresql(folder: Path, names: list[str]) -> Iterator[tuple[Call, Call]]:
    """The command and the bare calls, on a real cluster."""
    import psycopg

    from tests.server import postgres

    with postgres.started() as cluster:
        host = str(cluster.folder)
        at = f"postgresql:///postgres?host={host}"
        with psycopg.connect(at, user="postgres", autocommit=True) as db:
            for name in names:
                db.execute(f'CREATE ROLE "{name}" LOGIN')
            tenant = db.execute("SELECT system_identifier FROM pg_control_system()").fetchone()
        assert tenant is not None
        env = workspace(folder, f"postgres:{tenant[0]}", {"endpoint": at, "user": "postgres"})

        def bare(name: str) -> None:
            psql = ["psql", "-X", "-q", "-h", host, "-d", "postgres", "-U"]
            alter = f'ALTER ROLE "{name}" NOLOGIN'
            subprocess.run([*psql, "postgres", "-c", alter], check=True, capture_output=True)
            login = [*psql, name, "-c", "SELECT 1"]
            assert subprocess.run(login, check=False, capture_output=True).returncode

        yield revoking(env), bare


@contextmanager
def toy(folder: Path, names: list[str]) -> Iterator[tuple[Call, Call]]:
    """The command and the bare calls, on the tests' own platform."""
    from tests.remediation.server import Platform, serving

    connectors.__path__.append(str(PLATFORMS))
    platform = Platform()
    for name in names:
        platform.account(name)
    tool = folder.parent / "bin" / "toy"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\necho {platform.token}\n")
    tool.chmod(0o700)
    os.environ["PATH"] = f"{tool.parent}{os.pathsep}{os.environ['PATH']}"
    with serving(platform):
        env = workspace(folder, "toy:t1", {"endpoint": platform.url})

        def bare(name: str) -> None:
            words = [sys.executable, "-c", BARE, platform.url, name, platform.token]
            subprocess.run(words, check=True)

        yield revoking(env, "-c", TOY, str(PLATFORMS)), bare


def main(rounds: int) -> None:
    names = [f"svc-{who}-{n}" for n in range(rounds) for who in ("ours", "bare", "warm")]
    real = "postgres" in connectors.platforms() and shutil.which("psql") is not None
    with tempfile.TemporaryDirectory() as made:
        begin = postgresql if real else toy
        with begin(Path(made) / "workspace", names) as (ours, bare):
            ours("svc-warm-0")
            took = [(clock(ours, f"svc-ours-{n}"), clock(bare, f"svc-bare-{n}"))
                    for n in range(rounds)]  # fmt: skip
            locked = statistics.median(unlocking(Path(made) / "workspace") for _ in range(3))
    mine, floor = (statistics.median(column) for column in zip(*took, strict=True))
    what = "PostgreSQL, psql twice" if real else "the toy, two bare calls"
    print(f"start to refused: {mine:.2f} s; {what}: {floor:.2f} s; {mine / floor:.1f} x")
    rest = mine - locked
    print(f"of it, opening the key file: {locked:.2f} s; without: {rest:.2f} s, "
          f"{rest / floor:.1f} x")  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
