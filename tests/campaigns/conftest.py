"""An open review."""

from pathlib import Path

import pytest

from passmuster.store import Database
from tests.once import once
from tests.scene import Scene, again, open_scene


@pytest.fixture
def scene(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    once(db, "open", lambda: open_scene(db, tmp_path, monkeypatch))
    return again(db, tmp_path, monkeypatch)
