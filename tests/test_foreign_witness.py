"""A witness that others wrote (PyPI `aics-witness`) is asked to cosign our log, over HTTP.

It and the log verifier under it (`aics-tlog`) need a newer Python than we do, so they run in an
environment of their own. What it must do is C2SP tlog-witness: cosign growth, refuse a fork and a
roll-back, and keep what the log signed against itself.
"""

import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from passmuster import attestations, note, store, tlog
from passmuster.note import Policy, VerifierKey
from passmuster.store import Database
from passmuster.text import sha256
from tests.scene import BOSS, LATER, NOW
from tests.test_checkpoints import AUDITOR, ME, cut, envelopes, logged, witness

PINNED = ("aics-witness==0.1.0", "aics-tlog==0.2.1")
NAME = "auditor.example/w9"
pytestmark = pytest.mark.ci


def newer_python() -> str | None:
    """A Python of at least 3.12; one that pyenv keeps may not be on the PATH."""
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    named = [shutil.which(f"python3.{minor}") for minor in (12, 13, 14)]
    tried = [sys.executable, *named, *sorted(map(str, kept.glob("3.1[2-9]*/bin/python3")))]
    enough = "import sys, ensurepip; sys.exit(sys.version_info < (3, 12))"
    for one in filter(None, tried):
        done = subprocess.run([one, "-c", enough], capture_output=True, check=False, timeout=30)
        if done.returncode == 0:
            return one
    return None


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an environment that has the witness."""
    base = newer_python()
    if base is None:
        pytest.skip("not here: Python 3.12, which aics-witness needs")
    folder = tmp_path_factory.mktemp("witness") / "venv"
    subprocess.run([base, "-m", "venv", folder], check=True, timeout=120)
    own = str(folder / "bin" / "python")
    done = subprocess.run([own, "-m", "pip", "install", "-q", *PINNED], capture_output=True,
                          text=True, check=False, timeout=300)  # fmt: skip
    if "No matching distribution" in done.stderr or "NewConnectionError" in done.stderr:
        pytest.skip("not here: aics-witness")
    assert done.returncode == 0, done.stderr
    return own


class Foreign:
    """The witness: its command, and where its server listens."""

    def __init__(self, python: str, folder: Path) -> None:
        self._command = [python, "-m", "aics_witness"]
        self._config = ["--config", str(folder / "witness.json")]
        self.url = ""

    def run(self, word: str, *more: str) -> str:
        """One of its commands; what it prints."""
        done = subprocess.run([*self._command, word, *self._config, *more], capture_output=True,
                              text=True, check=False, timeout=60)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def serve(self) -> subprocess.Popen[str]:
        """Start the server, at a port that is free."""
        process = subprocess.Popen([*self._command, "serve", *self._config, "--listen",
                                    "127.0.0.1:0"], stderr=subprocess.PIPE, text=True)  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            _, said, rest = line.partition("listening on ")
            if said:
                self.url = rest.split()[0]
                return process
        raise AssertionError("the witness does not start")

    def ask(self, request: str) -> tuple[int, str]:
        """(status, body) of its answer to add-checkpoint."""
        no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with no_proxy.open(f"{self.url}/add-checkpoint", request.encode(), 30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture
def log(db: Database) -> Database:
    """Five entries."""
    logged(db, 4)
    return db


def log_key(db: Database) -> VerifierKey:
    return tlog.log_keys(db, tlog.origin(db))[0]


@pytest.fixture
def foreign(python: str, tmp_path: Path, log: Database) -> Iterator[tuple[Foreign, VerifierKey]]:
    """The witness, which was told of our log, and its own key."""
    made = Foreign(python, tmp_path)
    key = note.parse_key(made.run("init", "--name", NAME))
    made.run("add-log", "--origin", tlog.origin(log), "--vkey", str(log_key(log)))
    process = made.serve()
    yield made, key
    process.terminate()
    process.communicate(timeout=30)


@pytest.fixture
def fork(log: Database, folder: Path, tmp_path: Path) -> Iterator[Callable[[int], Database]]:
    """The log as its owner could rewrite it: the first entries kept, other ones after them."""
    made: list[Database] = []

    def rewrite(keep: int) -> Database:
        copy = tmp_path / f"fork {len(made)}"
        store.create(copy).close()
        with store.sqlite3.connect(copy / store.FILE) as target:  # type: ignore[attr-defined]
            log.backup(target)
        made.append(store.open_(copy))
        cut(made[-1], keep)
        for table in ("cosignature", "checkpoint"):
            made[-1].execute(f"DELETE FROM {table}")
        return made[-1]

    yield rewrite
    for one in made:
        one.close()


def other_entries(db: Database, count: int) -> None:
    with db.atomic():
        for _ in range(count):
            link = tlog.next_link(db)
            payload = attestations.statement(
                "close", {"campaign": sha256(b"other")}, {"note": "another"}, link, NOW, BOSS
            )
            tlog.append(db, attestations.sign(payload, ME), tlog.known_keys(db), None, NOW)


def request(db: Database, key: VerifierKey, old: int) -> str:
    """What the log sends to a witness that has seen *old* entries of it."""
    tlog.checkpoint(db, ME, NOW)
    return tlog.request(db, key, NOW, old)


def test_a_foreign_witness_cosigns_our_growth_and_neither_a_fork_nor_a_roll_back(
    log: Database, foreign: tuple[Foreign, VerifierKey], fork: Callable[[int], Database]
) -> None:
    server, key = foreign
    policy = Policy((log_key(log),), (key,), 1)
    for more, old, size in ((0, 0, 5), (3, 5, 8), (250, 8, 258)):
        logged(log, more)
        status, line = server.ask(request(log, key, old))
        assert (status, line.count("\n")) == (200, 1), line
        (found,) = tlog.cosigned(log, line.encode())
        assert (found.witness, found.line is not None) == (key, True)
        opened = note.verify_receipt(tlog.receipt(log, 2), envelopes(log)[1], policy)
        assert opened.checkpoint.size == size
    assert tlog.check(log) == 258

    back, same, grown = fork(100), fork(257), fork(200)
    assert server.ask(request(back, key, 100)) == (409, "258\n")
    short = note.parse_request(request(back, key, 100)).checkpoint
    assert server.ask(note.Request(258, (), short).text)[0] == 400
    other_entries(same, 1)
    other_entries(grown, 100)
    forks = [request(one, key, 258) for one in (same, grown)]
    assert [tlog.check(one) for one in (same, grown)] == [258, 300], "each is sound by itself"
    # earlier texts of tlog-witness have 409 for the first: another root at a size that was seen
    assert [server.ask(one)[0] for one in forks] == [422, 422]
    assert {row["request"] for row in json.loads(server.run("evidence"))} >= set(forks)

    logged(log, 1)
    assert server.ask(request(log, key, 258))[0] == 200, "and goes on with the genuine one"


def test_a_foreign_verifier_counts_our_witness_and_checks_our_log(
    log: Database, python: str, tmp_path: Path
) -> None:
    tlog.checkpoint(log, ME, NOW)
    there, mine = witness(tmp_path / "witness")
    asked = tlog.request(log, mine, NOW).encode()
    tlog.cosigned(log, tlog.cosign(there, asked, AUDITOR, LATER, log_key(log)).body.encode())
    there.close()
    text = tlog.checkpoints(log)[0].text

    def verify(text: str, witness_key: VerifierKey) -> dict[str, Any]:
        done = subprocess.run(
            [python, "-m", "aics_tlog", "verify-checkpoint", "--note", "-", "--quorum", "1",
             "--log-key", str(log_key(log)), "--witness-key", str(witness_key)],
            input=text, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        said: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (0 if said["ok"] else 1), done.stderr
        return said

    said = verify(text, mine)
    assert said["ok"], said
    assert not verify(text.replace("\n5\n", "\n6\n"), mine)["ok"]
    assert not verify(text, note.witness_key("auditor.example/w2", mine.material))["ok"]
    cut_off = str(note.Note(note.parse(text).text, note.parse(text).lines[:1]))
    assert not verify(cut_off, mine)["ok"], "without the witness's line"
