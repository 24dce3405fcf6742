"""What every test gets: a person, a clock, an empty home, and no settings of the machine."""

import contextlib
import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from passmuster import store
from passmuster.store import Database
from tests.fresh import fresh

REPOSITORY = Path(__file__).parent.parent
SHARED = REPOSITORY.parent / "shared"
"""Real exports and test vectors; tests that read them skip by name where the folder is not."""
NOW = "2026-11-23T08:00:00Z"
ME = "rev@example.com"
Muster = Callable[..., subprocess.CompletedProcess[str]]
OF_THE_MACHINE = (
    "MUSTER_", "TEXTUAL", "XDG_", "NO_COLOR", "DBUS_SESSION", "SSH_A", "DISPLAY",
    "WAYLAND_DISPLAY", "PYTHON_KEYRING",
)  # fmt: skip
"""Variables that no test inherits."""
MEMORY = Path("/dev/shm")
ROOM = 2 * 1024**3


def pytest_configure(config: pytest.Config) -> None:
    """Put what tests write into memory where that can be done, and look for garbage seldom.

    Tests wait long for a disk's syncs. A place that is small or runs no programs, as in many
    containers, is not taken, nobody's own choice is overruled, and the long tests, which write
    gigabytes, stay on the disk. Syntax trees and screens are thousands of objects that refer to
    each other: looking through them at Python's own thresholds was a third of the workstation's
    tests.
    """
    gc.set_threshold(20_000, 20, 10)
    if config.option.markexpr == "long":
        return
    with contextlib.suppress(OSError):
        place = os.statvfs(MEMORY)
        roomy = place.f_bavail * place.f_frsize >= ROOM and not place.f_flag & os.ST_NOEXEC
        if roomy and os.access(MEMORY, os.W_OK | os.X_OK):
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_finish() -> None:
    """Never look for garbage among what was imported and collected."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def own_world(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty home, so that no test reads or writes a person's settings, or another test's."""
    if any(home.iterdir()):
        shutil.rmtree(home)
        home.mkdir()
    for name in list(os.environ):
        if name.startswith(OF_THE_MACHINE):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("MUSTER_ME", ME)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


@pytest.fixture
def db(folder: Path) -> Iterator[Database]:
    """An empty workspace, with a device of its own as each has; or the one that is there."""
    opened = store.open_(folder) if folder.exists() else fresh(folder)
    yield opened
    opened.close()


@pytest.fixture
def passphrase_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "passphrase"
    path.write_text("correct horse battery\n")
    monkeypatch.setenv("MUSTER_KEY_PASSPHRASE_FILE", str(path))
    return path


START = ("-m", "passmuster")
FEW_ROUNDS = (
    "-c",
    "from passmuster import cli\n"
    "from passmuster.keys import _files\n"
    "_files.BCRYPT_ROUNDS = 1\ncli.main()",
)


@pytest.fixture
def muster(folder: Path) -> Muster:
    """Run the command as a process of its own, in a workspace of its own, without a terminal.

    A key that it makes has few rounds, and so is opened fast: `test_keys` is about their number.
    """

    def run(
        *words: str, code: int | None = 0, **options: object
    ) -> subprocess.CompletedProcess[str]:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [sys.executable, *(FEW_ROUNDS if words[:2] == ("key", "new") else START), *words],
            env={**os.environ, "MUSTER_WORKSPACE": str(folder)},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
            **options,  # type: ignore[call-overload]
        )  # fmt: skip
        assert code is None or done.returncode == code, (words, done.stdout, done.stderr)
        return done

    return run


@pytest.fixture
def inside(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Muster:
    """The same command without a new process: for tables of many."""
    from passmuster import cli

    monkeypatch.setenv("MUSTER_WORKSPACE", str(folder))
    monkeypatch.setattr("passmuster.keys._files.BCRYPT_ROUNDS", 1)

    def run(*words: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        capfd.readouterr()
        with Path(os.devnull).open() as nothing:
            monkeypatch.setattr(sys, "stdin", nothing)
            done = cli.run(list(words))
        told = capfd.readouterr()
        assert code is None or done == code, (words, told)
        return subprocess.CompletedProcess(list(words), done, told.out, told.err)

    return run
