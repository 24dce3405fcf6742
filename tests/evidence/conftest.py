"""A closed review and its pack, made once for each test that asks."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from passmuster import evidence
from passmuster.store import Database
from tests.fresh import fresh
from tests.once import once
from tests.scene import END, Scene, again, freeze_chance, open_scene


@pytest.fixture
def scene(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A review that is decided and closed."""

    def make() -> None:
        made = open_scene(db, tmp_path, monkeypatch)
        made.decide()
        made.close()

    freeze_chance(db, monkeypatch)
    once(db, "closed", make)
    return again(db, tmp_path, monkeypatch)


@pytest.fixture
def pack(scene: Scene, tmp_path: Path) -> Path:
    """Its pack, in a folder whose name has spaces."""
    path = tmp_path / "a pack of evidence"
    last = scene.db.value("SELECT envelope FROM entry ORDER BY id DESC LIMIT 1")

    def make() -> None:
        evidence.build_pack(scene.db, scene.campaign, path, scene.boss, END)

    once(scene.db, ("packed", bytes(last)), make, path)  # a module's own scene has its own pack
    return path


@pytest.fixture
def other_db(tmp_path: Path) -> Iterator[Database]:
    """A second workspace: another device."""
    opened = fresh(tmp_path / "other")
    yield opened
    opened.close()


@pytest.fixture
def content(pack: Path) -> dict[str, bytes]:
    """The pack's files by path."""
    return read(pack)


def read(pack: Path) -> dict[str, bytes]:
    return {p.relative_to(pack).as_posix(): p.read_bytes() for p in pack.rglob("*") if p.is_file()}
