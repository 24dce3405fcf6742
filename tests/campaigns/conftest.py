"""An open review."""

from pathlib import Path

import pytest

from passmuster.store import Database
from tests.scene import Scene, open_scene


@pytest.fixture
def scene(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return open_scene(db, tmp_path, monkeypatch)
