"""What tests begin with is what the real functions make, and nobody else's."""

import secrets
import stat
from pathlib import Path

import pytest

from passmuster import store
from passmuster.store import Database
from tests.fresh import fresh
from tests.once import once
from tests.scene import freeze_chance


def schema(db: Database) -> list[object]:
    return list(db.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name"))


def test_a_fresh_workspace_is_as_the_store_makes_one_with_a_device_of_its_own(
    tmp_path: Path,
) -> None:
    made = [store.create(tmp_path / "real"), fresh(tmp_path / "a"), fresh(tmp_path / "b")]
    real, one, other = (schema(db) for db in made)
    assert one == other == real
    assert len({store.device(db) for db in made}) == 3
    assert {len(store.device(db)) for db in made} == {32}
    for path in [tmp_path / "a", *(tmp_path / "a").iterdir()]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    for db in made:
        db.close()


def test_what_is_made_once_is_copied_with_its_folder_and_chance_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    came, name = [], object()
    for number in range(3):
        db, folder = fresh(tmp_path / f"w{number}"), tmp_path / f"f{number}"
        with monkeypatch.context() as patch:
            freeze_chance(db, patch)

            def make(db: Database = db, folder: Path = folder) -> None:
                store.remember(db, "word", secrets.token_hex(4))
                folder.mkdir()
                (folder / "file").write_text(secrets.token_hex(4))
                (folder / "file").chmod(0o640)

            once(db, name, make, folder)
            word = db.value("SELECT value FROM workspace WHERE key = 'word'")
            came.append((word, (folder / "file").read_text(), secrets.token_hex(4)))
            assert stat.S_IMODE((folder / "file").stat().st_mode) == 0o640
            store.remember(db, "word", "mine")
            (folder / "file").write_text("mine")
        db.close()
    assert came == [("00000001", "00000002", "00000003")] * 3


@pytest.mark.parametrize("turn", range(4))
def test_a_home_is_empty_whoever_had_it_before(turn: int) -> None:
    assert not list(Path.home().iterdir())
    (Path.home() / ".config").mkdir()
    (Path.home() / ".config" / f"{turn}").touch()
